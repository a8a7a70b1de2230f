"""Histories in a few numbers, and these in words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clvmodels.data.columns import count
from clvmodels.units import Unit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HistoriesSummary"]


@dataclass(frozen=True)
class HistoriesSummary:
    """Numbers about all customers.

    Attributes
    ----------
    customers, once, repeats
        How many there are, how many of them bought once only, and the repeat purchase occasions (NaN
        if histories do not count them).
    youngest, oldest
        The smallest and the largest T; infinity and zero, if histories have none.
    known, occasions, money
        Repeat customers with a known mean value, their repeat purchase occasions, and the value of these.
    spend, low
        The mean over these customers of their mean values, and how many have one of zero or less.
    """

    customers: int
    once: int
    repeats: float
    youngest: float
    oldest: float
    known: int
    occasions: float
    money: float
    spend: float
    low: int

    def lines(self, unit: Unit, observation_end: pd.Timestamp | None) -> Iterator[str]:
        """Yield them in words."""
        if math.isnan(self.repeats):  # histories of contracts, say
            yield count(self.customers, "customer")
            return
        share = f" ({100 * self.once / self.customers:.1f} %)" if self.customers else ""
        repeats = count(int(self.repeats), "repeat purchase occasion")
        yield f"{count(self.customers, 'customer')}; {self.once:,} of them{share} bought once only; {repeats}"
        yield self._span(unit, observation_end)
        yield self._spend()

    def _span(self, unit: Unit, observation_end: pd.Timestamp | None) -> str:
        if not self.customers or not math.isfinite(self.youngest):
            return f"unit: {unit}"
        low, high = f"{self.youngest:.4g}", f"{self.oldest:.4g}"
        text = f"observed for {low if low == high else f'{low} to {high}'} {unit}s"
        return text if observation_end is None else f"{text}, until {_moment(observation_end)}"

    def _spend(self) -> str:
        if not self.known:
            return "no spend"
        text = f"mean spend {self.money / self.occasions:,.2f} per repeat occasion"
        text += f"; the mean of the means of {count(self.known, 'customer')} is {self.spend:,.2f}"
        unknown = self.customers - self.once - self.known
        text += f"; unknown for {count(unknown, 'repeat customer')}" if unknown else ""
        return text + (f"; zero or less for {count(self.low, 'repeat customer')}" if self.low else "")


def _moment(time: pd.Timestamp) -> str:
    """Return a day as a day, and an instant with its time of day."""
    return str(time.date()) if time == time.normalize() else str(time)
