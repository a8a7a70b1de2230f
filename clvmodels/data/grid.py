"""Cells of customers with nearly the same history: what is counted where exact histories hardly repeat.

Within a cell, everybody is taken to have the mean of the customers in it. What is linear in the history stays exact, so
that the likelihood moves by its curvature times the variance within the cells alone, which is computed and reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from clvmodels.data.arithmetic import rounded

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["EXACT_HISTORIES", "EXACT_SPEND", "STEPS", "Grid", "spend_cells", "time_cells"]

EXACT_HISTORIES: Final = 2_000_000
"""Of more distinct histories by exact times, recency and T are put on a grid."""
STEPS: Final = 1_000
"""Cells of the first grid between an age of zero and the largest T."""
EXACT_SPEND: Final = 2_000_000
"""Of more repeat customers, mean values are put on a logarithmic grid."""
SPEND_STEP: Final = 1e-3
"""Ratio of neighbouring cells of mean values, less 1."""


@dataclass(frozen=True)
class Grid:
    """Cells of recency and T; the number of purchases is always exact.

    Attributes
    ----------
    step
        Their width, in the unit of the histories.
    bound
        The log-likelihood of a customer may move by this on average; a grid that moves it more is made finer.
    """

    step: float
    bound: float

    def cell(self, name: str, column: ir.FloatingValue) -> ir.NumericValue:
        """Return the cell of a column of x, t_x or T."""
        return column if name == "x" else (column / self.step).floor()

    def scaled(self, factor: float) -> Grid:
        """Return the grid in a unit of time of which the old one has `factor`."""
        return Grid(self.step * factor, self.bound)


def time_cells(rows: ir.Table, grid: Grid | None) -> ir.Table:
    """Return how many customers have each history, in the order of the histories.

    Returns
    -------
    Table
        ``x``, ``t_x``, ``T``: what identifies a cell; ``frequency``, ``recency``, ``age``: its history;
        ``customers``; with a grid also ``var_recency``, ``covariance``, ``var_age``.
    """
    columns = {"x": rows.frequency, "t_x": rows.recency, "T": rows.age}
    if grid is None:
        counted = rows.group_by(**columns).aggregate(customers=rows.count())
        counted = counted.mutate(frequency=counted.x, recency=counted.t_x, age=counted["T"])
    else:
        counted = rows.group_by(**{name: grid.cell(name, column) for name, column in columns.items()}).aggregate(
            customers=rows.count(),
            frequency=rows.frequency.min(),
            recency=rounded(rows.recency.mean()),
            age=rounded(rows.age.mean()),
            var_recency=rows.recency.var(how="pop"),
            covariance=rows.recency.cov(rows.age, how="pop"),
            var_age=rows.age.var(how="pop"),
        )
    return counted.order_by(["x", "t_x", "T"])


def spend_cells(rows: ir.Table, *, customers: int) -> ir.Table:
    """Return how many repeat customers have each frequency and positive mean value.

    Parameters
    ----------
    rows
        The histories.
    customers
        How many repeat customers with a known value there are: of more than `EXACT_SPEND`, those whose values differ by
        less than `SPEND_STEP` share their geometric mean.

    Returns
    -------
    Table
        ``frequency``, ``spend``, ``customers``, and ``variance``, that of the logarithms within the cell.
    """
    some = rows.filter((rows.frequency > 0) & (rows.spend > 0))
    if customers <= EXACT_SPEND:
        counted = some.group_by(frequency=some.frequency, spend=some.spend).aggregate(customers=some.count())
        return counted.mutate(variance=0.0 * counted.spend).order_by(["frequency", "spend"])
    log = some.spend.ln()
    cells = some.group_by(frequency=some.frequency, cell=(log / SPEND_STEP).floor()).aggregate(
        customers=some.count(), spend=rounded(log.mean().exp()), variance=log.var(how="pop")
    )
    return cells.order_by(["frequency", "cell"])
