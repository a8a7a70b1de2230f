"""What models predicted of the customers of a holdout together, and what came."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clvmodels.data.holdout import estimated_revenue
from clvmodels.evaluation.late_total import LateTotal, late_total
from clvmodels.evaluation.totals import Uncertain, drawn_totals, named_weights

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.holdout import Holdout
    from clvmodels.inference.spend_fit import SpendFit
    from clvmodels.inference.transaction_fit import TransactionFit
    from clvmodels.units import Unit

__all__ = ["HoldoutTotal", "holdout_total", "total_text"]


@dataclass(frozen=True)
class HoldoutTotal:
    """What was predicted of the customers known at a cut-off, all together, and what came.

    Attributes
    ----------
    models
        The models, with their weights.
    cutoff
        The end of training.
    horizon, unit
        Length of the time predicted.
    customers
        Customers known at the cut-off, whom all figures but the late ones are of.
    predicted, low, high, actual
        Purchases: the expectation, the ends of its 90 % interval, and what came.
    revenue_predicted, revenue_low, revenue_high, revenue_actual
        The same of revenue; NaN without values.
    includes
        What the intervals include.
    late_joiners
        Customers who first bought after the cut-off.
    late_share
        The share of all revenue after the cut-off that they made; NaN without values.
    late_purchase_share
        The share of all purchases after the cut-off that they made.
    late
        What was predicted of them, from the customers who came before; None if nobody came late, or too few months or
        customers were observed.
    """

    models: Mapping[str, float]
    cutoff: pd.Timestamp
    horizon: float
    unit: Unit
    customers: int
    predicted: float
    low: float
    high: float
    actual: float
    revenue_predicted: float
    revenue_low: float
    revenue_high: float
    revenue_actual: float
    includes: Uncertain
    late_joiners: int
    late_share: float
    late_purchase_share: float
    late: LateTotal | None = None

    @property
    def inside(self) -> bool:
        """Whether the purchases that came lie within the interval."""
        return self.low <= self.actual <= self.high

    @property
    def off(self) -> float:
        """What was predicted, relative to the purchases that came, less one: -0.25 if it was 25 % low."""
        return _off(self.predicted, self.actual)

    @property
    def revenue_inside(self) -> bool | None:
        """Whether the revenue that came lies within the interval; None without values."""
        if math.isnan(self.revenue_predicted) or math.isnan(self.revenue_actual):
            return None
        return self.revenue_low <= self.revenue_actual <= self.revenue_high

    @property
    def revenue_off(self) -> float:
        """The same as `off` of revenue; NaN without values."""
        return _off(self.revenue_predicted, self.revenue_actual)

    def __str__(self) -> str:
        return total_text(self)


def _off(predicted: float, actual: float) -> float:
    return predicted / actual - 1.0 if actual > 0.0 else math.nan


def holdout_total(
    fits: Mapping[str, TransactionFit],
    spend: SpendFit | None,
    holdout: Holdout,
    *,
    weights: Mapping[str, float] | None = None,
    seed: int | None = None,
) -> HoldoutTotal:
    """Return what fits to the training window predict of the holdout, all customers together, and what came.

    Parameters
    ----------
    fits
        Fits of transactions by name.
    spend
        The fit of spend; None: revenue is NaN.
    holdout
        The holdout.
    weights
        Of the fits, in any scale; None: those of `aic_weights`.
    seed
        Of the simulation behind the intervals.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> train, holdout = clv.rfm_train_test_split(log, resolution="day", train_end="1997-09-30")
    >>> total = holdout_total({"BG/NBD": clv.BGNBD().fit(train)}, None, holdout, seed=1)
    >>> round(total.predicted, -1), total.actual, round(total.off, 2), total.inside
    (1660.0, 1882.0, -0.12, False)
    """
    shares = named_weights(fits, weights)
    ends = np.array([holdout.duration])
    totals = drawn_totals(
        [(fit, shares[name]) for name, fit in fits.items()], spend, holdout.histories, ends, seed=seed
    )
    (low,), (high,) = totals.orders_between()
    (revenue_low,), (revenue_high,) = totals.revenue_between()
    purchases, revenue = holdout.frequency.sum(), estimated_revenue(holdout.frequency, holdout.revenue).sum()
    return HoldoutTotal(
        models=shares,
        cutoff=holdout.start,
        horizon=holdout.duration,
        unit=holdout.unit,
        customers=len(holdout),
        predicted=float(totals.expected_orders[0]),
        low=float(low),
        high=float(high),
        actual=float(purchases),
        revenue_predicted=float(totals.expected_revenue[0]),
        revenue_low=float(revenue_low),
        revenue_high=float(revenue_high),
        revenue_actual=float(revenue),
        includes=totals.includes,
        late_joiners=holdout.late_joiners,
        late_share=_share(holdout.late_revenue, float(revenue)),
        late_purchase_share=_share(holdout.late_purchases, float(purchases)),
        late=late_total([(fit, shares[name]) for name, fit in fits.items()], spend, holdout, seed=seed),
    )


def _share(late: float, known: float) -> float:
    return late / (late + known) if late + known > 0.0 else math.nan


def total_text(total: HoldoutTotal) -> str:
    """Return the sentences on a total: how far off it was, whether by more than chance, and who came late."""
    lines = [_amount_text("purchases", total.predicted, total.low, total.high, total.actual, total.includes)]
    if total.revenue_inside is not None:
        amounts = total.revenue_predicted, total.revenue_low, total.revenue_high, total.revenue_actual
        lines.append(_amount_text("revenue", *amounts, total.includes))
    if total.late_joiners:
        shares = f"{total.late_purchase_share:.0%} of the purchases"
        if not math.isnan(total.late_share):
            shares = f"{total.late_share:.0%} of the revenue ({shares})"
        lines.append(
            f"Late joiners made {shares} after {_day(total.cutoff)}: no model of histories foresees them, and they are"
            " in no other figure."
        )
    if total.late is not None:
        lines.append(str(total.late))
    return "\n".join(lines)


def _amount_text(what: str, predicted: float, low: float, high: float, actual: float, includes: Uncertain) -> str:
    """Return the sentence on one amount."""
    off = _off(predicted, actual)
    size = "nothing came" if math.isnan(off) else f"{abs(off):.0%} {'low' if off < 0.0 else 'high'}"
    band = f"90 % interval {low:,.0f} to {high:,.0f}, with {includes}"
    verdict = "within the interval"
    if not low <= actual <= high:
        verdict = "season or growth" if actual > high else "season or decline"
        verdict = f"more than chance explains: {verdict}, or a model that does not fit"
    return f"Total {what}: {predicted:,.0f} predicted ({band}), {actual:,.0f} came: {size}, {verdict}."


def _day(moment: pd.Timestamp) -> str:
    return str(moment.date())
