"""Late joiners of a holdout against the forecast of new customers that the training window gives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.evaluation.new_totals import Cohorts, first_values, new_totals
from clvmodels.inference.acquisition_forecast import LONGEST, acquisition_forecast, may_be_forecast
from clvmodels.units import DAYS

if TYPE_CHECKING:
    from clvmodels.data.holdout import Holdout
    from clvmodels.inference.spend_fit import SpendFit
    from clvmodels.inference.transaction_fit import TransactionFit
    from clvmodels.models.specification import Array

__all__ = ["LateTotal", "late_total"]

DAYS_A_MONTH: Final = 28
"""At least: so many months reach beyond the end of the holdout."""


@dataclass(frozen=True)
class LateTotal:
    """What was predicted of the customers who first bought after a cut-off, and what came.

    Attributes
    ----------
    predicted, low, high, actual
        Their number: the expectation, the ends of its 90 % interval, and how many came.
    revenue_predicted, revenue_low, revenue_high, revenue_actual
        The same of their revenue; NaN without values, and where fits are by segment or with covariates.
    """

    predicted: float
    low: float
    high: float
    actual: float
    revenue_predicted: float
    revenue_low: float
    revenue_high: float
    revenue_actual: float

    @property
    def inside(self) -> bool:
        """Whether the number of those who came lies within the interval."""
        return self.low <= self.actual <= self.high

    @property
    def revenue_inside(self) -> bool | None:
        """Whether the revenue that came lies within the interval; None where it is not known or not predicted."""
        if math.isnan(self.revenue_predicted) or math.isnan(self.revenue_actual):
            return None
        return self.revenue_low <= self.revenue_actual <= self.revenue_high

    def __str__(self) -> str:
        text = (
            f"Late joiners, forecast from those who came before: {self.predicted:,.0f} predicted (90 % interval "
            f"{self.low:,.0f} to {self.high:,.0f}), {self.actual:,.0f} came"
        )
        if self.revenue_inside is None:
            return f"{text}."
        return (
            f"{text}; revenue {self.revenue_predicted:,.0f} predicted ({self.revenue_low:,.0f} to "
            f"{self.revenue_high:,.0f}), {self.revenue_actual:,.0f} came."
        )


def late_total(
    fits: Sequence[tuple[TransactionFit, float]], spend: SpendFit | None, holdout: Holdout, *, seed: int | None = None
) -> LateTotal | None:
    """Return what is predicted of late joiners and what came; None where nobody came late, or too little is known.

    Parameters
    ----------
    fits
        Fits of transactions to the training window, with their weights.
    spend
        The fit of spend; None: revenue is NaN.
    holdout
        The holdout.
    seed
        Of the simulation.
    """
    if not holdout.late_joiners or not may_be_forecast(holdout.histories):
        return None
    days = holdout.duration * DAYS[holdout.unit]
    months = math.ceil(days / DAYS_A_MONTH)
    if months > 12 * LONGEST:
        return None
    coming = acquisition_forecast(holdout.histories, months, seed=seed)
    edges = np.asarray((coming.edges - coming.edges[0]).days, float)
    within = np.clip((days - edges[:-1]) / np.diff(edges), 0.0, 1.0)
    numbers = _thinned(coming.draws, within, np.random.default_rng(seed))
    reached = within > 0.0
    ends = np.minimum(edges, days)[: int(reached.sum()) + 1] / DAYS[holdout.unit]
    number = numbers.sum(axis=1)
    low, high = np.quantile(number, [0.05, 0.95])
    revenue = (math.nan, math.nan, math.nan)
    plain = spend is not None and all(
        fit.by is None and fit.covariates is None for fit in (spend, *(f for f, _ in fits))
    )
    if spend is not None and plain:
        middles = coming.edges[:-1] + (coming.edges[1:] - coming.edges[:-1]) / 2
        cohorts = Cohorts(numbers[:, reached], ends, middles[reached])
        attributes = holdout.histories.attributes.reindex(columns=["first_value"])
        first = first_values(attributes.to_numpy(dtype=float, na_value=np.nan)[:, 0])
        totals = new_totals(fits, spend, cohorts, first, ends[-1:], seed=seed)
        (revenue_low,), (revenue_high,) = totals.revenue_between()
        revenue = (float(totals.expected_revenue[0]), float(revenue_low), float(revenue_high))
    return LateTotal(
        predicted=float(number.mean()),
        low=float(low),
        high=float(high),
        actual=float(holdout.late_joiners),
        revenue_predicted=revenue[0],
        revenue_low=revenue[1],
        revenue_high=revenue[2],
        revenue_actual=holdout.late_revenue,
    )


def _thinned(numbers: Array, share: Array, generator: np.random.Generator) -> Array:
    """Return how many of those who come in a period do so within a share of it."""
    return generator.binomial(np.round(numbers).astype(np.int64), share).astype(float)
