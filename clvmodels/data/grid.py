"""Cells of customers with nearly the same history: what is counted where exact histories hardly repeat.

Within a cell, everybody is taken to have the mean of the customers in it. What is linear in the history stays exact, so
that the likelihood moves by its curvature times the variance within the cells alone, which is computed and reported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from clvmodels.data.arithmetic import steady_sum
from clvmodels.errors import DataError
from clvmodels.numerics.spend import positive_spend

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["EXACT_HISTORIES", "EXACT_SPEND", "STEPS", "Grid", "require_bound", "spend_cells", "time_cells"]

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


def require_bound(bound: float | None) -> None:
    """Refuse a bound that is no positive number, or None for no grid.

    Raises
    ------
    DataError
        Which says what it is.
    """
    number = isinstance(bound, int | float) and not isinstance(bound, bool)
    if bound is not None and not (number and 0.0 < bound < math.inf):
        raise DataError(
            f"grid is by how much the log-likelihood of a customer may move on average, such as 1e-6, got {bound!r}; "
            "None for no grid"
        )


def time_cells(rows: ir.Table, grid: Grid | None, *, customers: int) -> ir.Table:
    """Return how many customers have each history, in the order of the histories.

    Parameters
    ----------
    rows
        The histories.
    grid
        The grid, if any.
    customers
        How many there are.

    Returns
    -------
    Table
        ``x``, ``t_x``, ``T``: what identifies a cell; ``frequency``, ``recency``, ``age``: its history;
        ``customers``; with a grid also ``var_recency``, ``covariance``, ``var_age``.
    """
    columns = {"x": rows.frequency, "t_x": rows.recency, "T": rows.age}
    order = ["x", "t_x", "T"]
    if grid is None:
        counted = rows.group_by(**columns).aggregate(customers=rows.count())
        return counted.mutate(frequency=counted.x, recency=counted.t_x, age=counted["T"]).order_by(order)
    keys = {name: grid.cell(name, column) for name, column in columns.items()}
    inside = rows.mutate(
        r=rows.recency - keys["t_x"].cast("float64") * grid.step, a=rows.age - keys["T"].cast("float64") * grid.step
    )

    def mean(column: ir.FloatingValue, size: float) -> ir.FloatingScalar:
        return steady_sum(column, size=customers * size, rows=customers) / inside.count()

    cells = inside.group_by(**keys).aggregate(
        customers=inside.count(),
        r=mean(inside.r, grid.step),
        a=mean(inside.a, grid.step),
        rr=mean(inside.r * inside.r, grid.step**2),
        ra=mean(inside.r * inside.a, grid.step**2),
        aa=mean(inside.a * inside.a, grid.step**2),
    )
    return cells.select(
        *order,
        "customers",
        frequency=cells.x,
        recency=cells.t_x.cast("float64") * grid.step + cells.r,
        age=cells["T"].cast("float64") * grid.step + cells.a,
        var_recency=_spread(cells, cells.rr - cells.r * cells.r),
        covariance=_spread(cells, cells.ra - cells.r * cells.a),
        var_age=_spread(cells, cells.aa - cells.a * cells.a),
    ).order_by(order)


def _spread(cells: ir.Table, spread: ir.FloatingValue) -> ir.FloatingValue:
    """Return a spread without the rounding errors of cells that have none."""
    return (cells.customers > 1).ifelse(spread, 0.0)


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
    positive = rows.filter(positive_spend(rows.frequency, rows.spend))
    if customers <= EXACT_SPEND:
        counted = positive.group_by(frequency=positive.frequency, spend=positive.spend).aggregate(
            customers=positive.count()
        )
        return counted.mutate(variance=0.0 * counted.spend).order_by(["frequency", "spend"])
    logs = positive.select("frequency", cell=(positive.spend.ln() / SPEND_STEP).floor(), log=positive.spend.ln())
    inside = logs.mutate(e=logs.log - logs.cell.cast("float64") * SPEND_STEP)

    def mean(column: ir.FloatingValue, size: float) -> ir.FloatingScalar:
        return steady_sum(column, size=customers * size, rows=customers) / inside.count()

    cells = inside.group_by("frequency", "cell").aggregate(
        customers=inside.count(), e=mean(inside.e, SPEND_STEP), ee=mean(inside.e * inside.e, SPEND_STEP**2)
    )
    return cells.select(
        "frequency",
        "cell",
        "customers",
        spend=(cells.cell.cast("float64") * SPEND_STEP + cells.e).exp(),
        variance=_spread(cells, cells.ee - cells.e * cells.e),
    ).order_by(["frequency", "cell"])
