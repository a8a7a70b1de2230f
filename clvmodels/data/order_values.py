"""The values of a customer's single orders, as far as models of spend see them: their number, mean, and logs.

Only positive values have a logarithm: an occasion whose value is unknown, or that was free, is no order there, and
counts as a purchase alone. The moments of the amounts themselves are those of all occasions of known value, for models
in which they may be negative. All are computed when a model first asks for them, by a second scan of the log: most
models never do, and the scan that finds the histories would take a third longer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.data.occasions import by_customer, column
from clvmodels.errors import DataError

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import numpy.typing as npt
    import pyarrow as pa

    from clvmodels.data.engine import Engine
    from clvmodels.data.statistics import FloatArray

__all__ = ["OrderValues", "logged_orders", "with_first_order"]

MOMENTS: Final = (
    "logged", "logged_total", "known", "amount_mean", "amount_variance",
)  # fmt: skip
"""Of all orders of a customer, as they are scanned, but for those of the logs."""
SMALLEST_VARIANCE: Final = 1e-13
"""A variance below this, by the square of the mean, is that of equal numbers: sums of squares know no smaller one."""
SAME: Final = 1e-9
"""Relative difference of two sums of one log in another order of addition."""


@dataclass(frozen=True, eq=False)
class OrderValues:
    """The statistics of the values of single orders, found when they are first asked for.

    Attributes
    ----------
    load
        Returns them by name, for all customers of a log in the order of their ids.
    rows
        Which of these customers there are, and in which order; None: all.
    """

    load: Callable[[], Mapping[str, FloatArray]]
    rows: npt.NDArray[np.intp] | None = None

    @cached_property
    def by_name(self) -> Mapping[str, FloatArray]:
        """The statistics, shape (n,) each, closed to writing."""
        arrays = {name: values if self.rows is None else values[self.rows] for name, values in self.load().items()}
        for values in arrays.values():
            values.flags.writeable = False
        return arrays

    def taken(self, rows: npt.NDArray[np.intp]) -> OrderValues:
        """Return those of customers by position; nothing is computed yet."""
        return replace(self, rows=np.asarray(rows if self.rows is None else self.rows[rows]))

    def __reduce__(self) -> tuple[object, ...]:
        return _known, (dict(self.by_name),)


def _known(by_name: Mapping[str, FloatArray]) -> OrderValues:
    """Return what was pickled: the statistics, without the log they came from."""
    return OrderValues(lambda: by_name)


def logged_orders(
    engine: Engine, occasions: Callable[[], ir.Table], *, all_kept: bool, totals: Mapping[str, float]
) -> OrderValues:
    """Return the statistics of the orders of a log, which is scanned when they are asked for.

    Parameters
    ----------
    engine
        Where the log lies.
    occasions
        Returns the purchase occasions of `plain_occasions` or `netted_occasions`, with values.
    all_kept
        Whether every occasion is kept.
    totals
        ``customers``, ``orders`` and ``total`` of the histories that were made of the log.
    """
    scanned: list[Mapping[str, FloatArray]] = []

    def load() -> Mapping[str, FloatArray]:
        if not scanned:
            scanned.append(_scan(engine, occasions(), all_kept=all_kept, totals=totals))
        return scanned[0]

    return OrderValues(load)


def _scan(engine: Engine, occasions: ir.Table, *, all_kept: bool, totals: Mapping[str, float]) -> dict[str, FloatArray]:
    """Return the statistics by customer in the order of their ids.

    Raises
    ------
    DataError
        If the log is not the one that the histories were made of.
    """
    customers = by_customer(occasions, all_kept=all_kept, has_value=True, all_known=False, logs=True)
    table = engine.run(customers.filter(customers.orders > 0).order_by("id").drop("id", "first", "last"))
    now = {name: float(np.nansum(column(table, name))) for name in ("orders", "total")} | {"customers": len(table)}
    if any(abs(now[name] - totals[name]) > SAME * abs(totals[name]) for name in now):
        raise DataError(
            f"the log has changed since its histories were made: then {totals['orders']:,.0f} purchase occasions of"
            f" {totals['customers']:,.0f} customers, now {now['orders']:,.0f} of {now['customers']:,.0f}; make the"
            " histories anew with rfm_summary(...)"
        )
    first = np.where(table["at_first"].to_numpy(zero_copy_only=False) == 1, column(table, "first_value"), np.nan)
    sums = (table[name].to_numpy().astype(np.float64) for name in ("logged_sum", "logged_squares"))
    return _of_repeats({name: column(table, name) for name in MOMENTS} | _moments_of_logs(table, *sums), first)


def _moments_of_logs(table: pa.Table, total: FloatArray, squares: FloatArray) -> dict[str, FloatArray]:
    """Return the mean and the variance of the logs of each customer."""
    number = column(table, "logged")
    number = np.where(number > 0.0, number, np.nan)
    mean = total / number
    variance = squares / number - mean**2
    return {"logged_mean": mean, "logged_variance": np.where(variance > SMALLEST_VARIANCE * mean**2, variance, 0.0)}


def _of_repeats(moments: Mapping[str, FloatArray], first: FloatArray) -> dict[str, FloatArray]:
    """Return the statistics of repeat orders, given the moments of all orders, and the value of the first one."""
    positive = first > 0.0
    log_first = np.log(np.where(positive, first, np.nan))
    valued, log_mean, log_ss = _without(
        log_first, moments["logged"], moments["logged_mean"], moments["logged_variance"]
    )
    known, known_mean, known_ss = _without(first, moments["known"], moments["amount_mean"], moments["amount_variance"])
    total = moments["logged_total"] - np.where(positive, first, 0.0)
    return {
        "valued": valued,
        "valued_mean": total / np.where(valued > 0.0, valued, np.nan),
        "log_mean": log_mean,
        "log_ss": log_ss,
        "known": known,
        "known_mean": known_mean,
        "known_ss": known_ss,
    }


def _without(
    first: FloatArray, count: FloatArray, mean: FloatArray, variance: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return number, mean and sum of squares of values without the first of them, where it is known.

    It is taken out of the moments of all (Chan, Golub & LeVeque 1983, "Algorithms for computing the sample variance",
    The American Statistician 37(3), equation 1.5, solved for one of the parts).
    """
    there = np.isfinite(first)
    rest = count - there
    divisor = np.where(rest > 0.0, rest, np.nan)
    above = np.where(there, first - mean, 0.0)
    squares = np.maximum(count * variance - above**2 * count / divisor, 0.0)
    return rest, mean - above / divisor, np.where(rest > 1.0, squares, 0.0 * divisor)


def with_first_order(statistics: Mapping[str, FloatArray], first_value: FloatArray) -> dict[str, FloatArray]:
    """Return the same statistics of all of a customer's orders, the first one too; its value counts if positive.

    Parameters
    ----------
    statistics
        ``valued``, ``valued_mean``, ``log_mean``, ``log_ss`` of repeat orders, shape (n,).
    first_value
        The value of the first order, shape (n,).

    Examples
    --------
    >>> repeats = {"valued": 1.0, "valued_mean": 2.0, "log_mean": 0.0, "log_ss": 0.0}
    >>> both = with_first_order({name: np.array([value]) for name, value in repeats.items()}, np.array([1.0]))
    >>> both["valued_all"], both["mean_all"]
    (array([2.]), array([1.5]))
    """
    first = first_value > 0.0
    repeats = np.nan_to_num(statistics["valued"])
    orders = repeats + first
    value = np.where(first, first_value, 1.0)
    mean, log_mean, squares = (
        np.where(repeats > 0.0, statistics[name], 0.0) for name in ("valued_mean", "log_mean", "log_ss")
    )
    share = np.where(first, 1.0 / np.maximum(orders, 1.0), 0.0)
    above = np.log(value) - log_mean
    known = np.where(orders > 0.0, 1.0, np.nan)
    return {
        "valued_all": orders,
        "mean_all": known * (mean + share * (value - mean)),
        "log_mean_all": known * (log_mean + share * above),
        "log_ss_all": known * (squares + share * repeats * above**2),
    }
