"""The logs of the waits between the purchases of a customer, summed: what regularity is estimated from.

They are computed when a model first asks for them, by a second scan of the log, as most models never do. Purchases of
the same instant are one purchase occasion, and there is no wait between them; those that a log has seconds apart, such
as two baskets of one visit, are two: a window that merges them, ``resolution="day"``, makes one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.data.arithmetic import elapsed
from clvmodels.data.occasions import column
from clvmodels.errors import DataError
from clvmodels.numerics.rounding import significant_digits

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import numpy.typing as npt

    from clvmodels.data.engine import Engine
    from clvmodels.data.statistics import FloatArray
    from clvmodels.units import Unit

__all__ = ["LogWaits", "known_waits", "waits_in_log"]

SAME: Final = 1e-9
"""Relative difference of two sums of one log in another order of addition."""


@dataclass(frozen=True, eq=False)
class LogWaits:
    """The sum of the logs of each customer's waits, and the sum over all customers of a log.

    Attributes
    ----------
    load
        Returns the number of waits and the sum of their logs of all customers of a log, in the order of their ids;
        shape (n,) each.
    whole
        Returns the number of waits and the sum of their logs over all customers, computed where the log lies.
    shift
        What is added to the log of each wait: the unit of time is another one by now.
    rows
        Which of the customers there are, and in which order; None: all.
    """

    load: Callable[[], tuple[FloatArray, FloatArray]]
    whole: Callable[[], tuple[float, float]]
    shift: float = 0.0
    rows: npt.NDArray[np.intp] | None = None

    @property
    def by_customer(self) -> FloatArray:
        """The sums, shape (n,)."""
        number, total = (each if self.rows is None else each[self.rows] for each in self.load())
        sums = total + self.shift * number
        sums.flags.writeable = False
        return sums

    @property
    def total(self) -> float:
        """The sum over all these customers."""
        if self.rows is not None:
            return float(self.by_customer.sum())
        number, total = self.whole()
        return total + self.shift * number

    def taken(self, rows: npt.NDArray[np.intp]) -> LogWaits:
        """Return those of customers by position; nothing is computed yet."""
        return replace(self, rows=np.asarray(rows if self.rows is None else self.rows[rows]))

    def in_unit(self, factor: float) -> LogWaits:
        """Return those of waits that are so many times as long in another unit."""
        return replace(self, shift=self.shift + float(np.log(factor)))

    def __reduce__(self) -> tuple[object, ...]:
        return known_waits, (*(np.asarray(each) for each in self.load()), self.shift, self.rows)


def known_waits(
    number: FloatArray, total: FloatArray, shift: float = 0.0, rows: npt.NDArray[np.intp] | None = None
) -> LogWaits:
    """Return log waits that are known by customer, shape (n,) each.

    Examples
    --------
    >>> known_waits(np.array([2.0, 0.0]), np.array([0.5, 0.0])).in_unit(np.e).by_customer
    array([2.5, 0. ])
    """
    return LogWaits(lambda: (number, total), lambda: (float(number.sum()), float(total.sum())), shift, rows)


def waits_in_log(engine: Engine, occasions: Callable[[], ir.Table], *, unit: Unit, repeats: float) -> LogWaits:
    """Return the log waits of a log, which is scanned when they are asked for.

    Parameters
    ----------
    engine
        Where the log lies.
    occasions
        Returns the purchase occasions of `plain_occasions` or `netted_occasions`.
    unit
        The unit of time of the histories that were made of the log.
    repeats
        The number of repeat purchases in them: as many waits there are.
    """

    def customers() -> ir.Table:
        import ibis

        kept = occasions().filter(lambda each: each.kept)
        before = kept.w.lag().over(ibis.window(group_by=kept.id, order_by=kept.w))
        wait = elapsed(before, kept.w, unit)
        waits = kept.mutate(log_wait=ibis.ifelse(wait > 0.0, wait, None).ln())
        sums = {"waits": waits.log_wait.count(), "log_waits": waits.log_wait.sum().fill_null(0.0)}
        return waits.group_by("id").aggregate(**sums)

    @cache
    def load() -> tuple[FloatArray, FloatArray]:
        table = engine.run(customers().order_by("id").drop("id"))
        number, total = column(table, "waits"), column(table, "log_waits")
        _require_same(float(number.sum()), repeats)
        return number, total

    @cache
    def whole() -> tuple[float, float]:
        table = customers()
        sums = engine.run(table.aggregate(waits=table.waits.sum(), log_waits=table.log_waits.sum())).to_pylist()[0]
        number, total = float(sums["waits"] or 0.0), float(significant_digits(sums["log_waits"] or 0.0))
        _require_same(number, repeats)
        return number, total

    return LogWaits(load, whole)


def _require_same(number: float, repeats: float) -> None:
    """Raise DataError if the log is not the one that the histories were made of."""
    if abs(number - repeats) > SAME * repeats:
        raise DataError(
            f"the log has changed since its histories were made: then {repeats:,.0f} repeat purchases, now"
            f" {number:,.0f}; make the histories anew with rfm_summary(...)"
        )
