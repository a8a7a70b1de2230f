"""Forecasts against what came, amount by amount, as all parts of a report show them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from clvmodels.evaluation.forecast_check import ForecastCheck
from clvmodels.evaluation.holdout_total import HoldoutTotal

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.valuation.support import Amount

__all__ = ["Compared", "Place", "amounts_of", "by_period", "decisive", "missed", "of_last_third", "of_total"]

Place = Literal["below", "within", "above"]


@dataclass(frozen=True)
class Compared:
    """An amount that was predicted, the ends of its 90 % band, and what came."""

    predicted: float
    low: float
    high: float
    actual: float

    @property
    def change(self) -> float:
        """What came relative to the forecast, less 1: 0.1 if it was 10 % more; NaN where nothing was expected."""
        return self.actual / self.predicted - 1.0 if self.predicted > 0.0 else math.nan

    @property
    def place(self) -> Place:
        """Where what came lies in relation to the band."""
        if self.actual < self.low:
            return "below"
        return "above" if self.actual > self.high else "within"


def of_last_third(total: HoldoutTotal) -> dict[Amount, Compared]:
    """Return revenue, where it is known, and purchases of the last third held back."""
    purchases = Compared(total.predicted, total.low, total.high, total.actual)
    if total.revenue_inside is None:
        return {"purchases": purchases}
    revenue = Compared(total.revenue_predicted, total.revenue_low, total.revenue_high, total.revenue_actual)
    return {"revenue": revenue, "purchases": purchases}


def decisive(total: HoldoutTotal) -> tuple[Amount, Compared]:
    """Return what decides whether a forecast missed: revenue where it is known, else purchases.

    Equity is money: it is wrong, too, where purchases come as predicted and their values do not.
    """
    return next(iter(of_last_third(total).items()))


def missed(total: HoldoutTotal) -> float | None:
    """Return what came of the decisive amount relative to the forecast, less 1; None if it lies within its band.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> missed(clv.last_third(log, clv.BGNBD(), method="mle", resolution="day", seed=1)) is None
    True
    """
    _, amount = decisive(total)
    return None if amount.place == "within" else amount.change


def amounts_of(check: ForecastCheck) -> tuple[Amount, ...]:
    """Return the amounts of a forecast that can be compared: revenue, where it is known, and purchases."""
    return ("revenue", "purchases") if math.isfinite(of_total(check, "revenue").change) else ("purchases",)


def by_period(check: ForecastCheck, what: Amount) -> dict[str, Compared]:
    """Return an amount by the last day of the period, as an ISO date."""
    rows = zip(check.days, check.table.iterrows(), strict=True)
    return {day.isoformat(): _compared(row, what) for day, (_, row) in rows}


def of_total(check: ForecastCheck, what: Amount) -> Compared:
    """Return an amount of all periods together."""
    return _compared(check.total, what)


def _compared(row: pd.Series[float], what: Amount) -> Compared:
    column = "orders" if what == "purchases" else what
    return Compared(*(float(row[f"{column}_{part}"]) for part in ("predicted", "low", "high", "actual")))
