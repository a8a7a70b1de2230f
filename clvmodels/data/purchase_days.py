"""On which days repeat purchases were made, counted over all customers: what a calendar needs of a log."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from clvmodels.data.bound_to_process import BoundToProcess

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from clvmodels.data.engine import Engine
    from clvmodels.data.windows import Window

__all__ = ["PurchaseDays", "PurchaseDaysInEngine", "repeat_purchases_by_day"]


@dataclass(frozen=True, eq=False)
class PurchaseDays:
    """Repeat purchase occasions by day.

    Attributes
    ----------
    day
        Local days, each once, in order.
    purchases
        Repeat purchase occasions of all customers on each day.
    """

    day: npt.NDArray[np.datetime64]
    purchases: npt.NDArray[np.float64]

    def fetched(self) -> PurchaseDays:
        """Return the counts in memory: these."""
        return self


@dataclass(frozen=True, eq=False)
class PurchaseDaysInEngine(BoundToProcess):
    """The same, counted by an engine when they are asked for.

    Attributes
    ----------
    engine, expression
        The engine, and the table it computes: columns ``day`` and ``purchases``.
    """

    engine: Engine
    expression: ir.Table

    @cached_property
    def _counts(self) -> PurchaseDays:
        table = self.engine.run(self.expression.order_by("day"))
        days = table["day"].to_numpy().astype("datetime64[D]")
        return PurchaseDays(days, table["purchases"].cast("float64").to_numpy())

    def fetched(self) -> PurchaseDays:
        """Return the counts in memory."""
        return self._counts


def repeat_purchases_by_day(
    engine: Engine, window: Window, occasions: ir.Table, customers: ir.Table
) -> PurchaseDaysInEngine:
    """Return the repeat purchases of customers by day: all their occasions that are kept, less the first of each.

    Parameters
    ----------
    engine
        Where the tables lie.
    window
        The window of observation, which dated the occasions.
    occasions
        ``w`` (date) and ``kept`` of each occasion.
    customers
        ``first`` of each customer: the date of the first occasion.
    """

    def day(dates: ir.Column) -> ir.Column:
        return dates.cast("date") if window.whole_days else window.local_times(dates).date()

    kept = occasions.filter(occasions.kept)
    counted = kept.group_by(day=day(kept.w)).aggregate(purchases=kept.count())
    first = customers.group_by(day=day(customers["first"])).aggregate(purchases=-customers.count())
    both = counted.union(first)
    total = both.group_by("day").aggregate(purchases=both.purchases.sum())
    return PurchaseDaysInEngine(engine, total.filter(total.purchases != 0))
