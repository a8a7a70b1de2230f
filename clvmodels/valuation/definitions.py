"""The definitions of customer value on one worksheet: what a customer brought, and when.

All figures rest on the same dated profits; they differ in which of them count, and to which day they are discounted.
Terms as in Fader & Hardie (2012), "Reconciling and Clarifying CLV Formulas" (note 024).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.errors import AssumptionError, DataError
from clvmodels.valuation.checks import require_finite, require_number

__all__ = ["Worksheet"]

Array = NDArray[np.float64]

LARGEST_POWER: Final = 600.0
"""Powers of e that money may be compounded by."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Worksheet:
    """The dated profits of one customer.

    For every day t, what was plus what will be is the whole: historic_value(t) + residual_value(t) = CLV (1 + i)^t,
    with t in years.

    Attributes
    ----------
    times
        Days since the acquisition at which profits flow, in any order; shape (profits,). Day 0 is the first order.
    profits
        Profits before the acquisition cost; shape (profits,).
    acquisition_cost
        What the acquisition cost, on day 0 (CAC).
    rate
        Effective annual discount rate.
    year
        Length of a year in days.

    Raises
    ------
    AssumptionError
        If a number is outside its range.
    DataError
        If times or profits are no finite numbers, differ in length, or a time lies before the acquisition.

    Examples
    --------
    >>> sheet = Worksheet(times=[0, 55, 290], profits=[5, 20, 50], acquisition_cost=50, rate=0.12, year=365)
    >>> round(sheet.lifetime_value, 2), round(sheet.residual_value(180), 2)
    (20.36, 48.32)
    """

    times: Array
    profits: Array
    acquisition_cost: float
    rate: float
    year: float = 365.25

    def __post_init__(self) -> None:
        for name in ("times", "profits"):
            object.__setattr__(self, name, require_finite(name, getattr(self, name)))
        if self.times.shape != self.profits.shape:
            raise DataError(f"each profit needs its time: got {self.profits.size} profits and {self.times.size} times")
        if self.times.min() < 0.0:
            raise DataError(f"times are days since the acquisition, from 0 up, got {self.times.min():g}")
        require_number("acquisition_cost", self.acquisition_cost, "money a customer", low=0.0)
        require_number("rate", self.rate, "an effective annual rate; 12 % a year is 0.12", low=0.0, high=2.0)
        require_number("year", self.year, "the length of a year in days", low=0.0, above=True)

    @property
    def post_acquisition_value(self) -> float:
        """PAV: all profits, discounted to the acquisition, before its cost."""
        return float(self.profits @ self._compounded(-self.times))

    @property
    def lifetime_value(self) -> float:
        """CLV = PAV - CAC."""
        return self.post_acquisition_value - self.acquisition_cost

    @property
    def undiscounted(self) -> float:
        """CLV at a rate of zero."""
        return float(self.profits.sum()) - self.acquisition_cost

    @property
    def repeat_value(self) -> float:
        """PAV without the profit of day 0: that of the repeat orders alone."""
        return self.post_acquisition_value - self._first

    @property
    def net_acquisition_cost(self) -> float:
        """CAC less the profit of day 0; repeat_value - net_acquisition_cost = CLV too."""
        return self.acquisition_cost - self._first

    def residual_value(self, t: float) -> float:
        """Return RLV on day `t`: the profits strictly after it, discounted to it.

        Raises
        ------
        AssumptionError
            If the day lies before the acquisition.
        """
        _require_day(t)
        later = self.times > t
        return float(self.profits[later] @ self._compounded(t - self.times[later]))

    def historic_value(self, t: float) -> float:
        """Return the profits up to day `t`, that day included, less CAC, all compounded to that day.

        Raises
        ------
        AssumptionError
            If the day lies before the acquisition.
        """
        _require_day(t)
        past = self.times <= t
        contributed = float(self.profits[past] @ self._compounded(t - self.times[past]))
        return contributed - self.acquisition_cost * float(self._compounded(np.array(t)))

    @property
    def _first(self) -> float:
        return float(self.profits[self.times == 0.0].sum())

    def _compounded(self, days: Array) -> Array:
        """Return what one is worth so many days later; before, if negative."""
        power = np.asarray(np.log1p(self.rate) / self.year * days)
        if np.max(power, initial=0.0) > LARGEST_POWER:
            raise AssumptionError(
                f"{np.max(days):g} days at rate = {self.rate:g} compound to more than a number holds; state "
                "days, and a year in days"
            )
        return np.asarray(np.exp(power))


def _require_day(t: float) -> None:
    require_number("t", t, "days since the acquisition", low=0.0)
