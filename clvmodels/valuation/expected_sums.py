"""What is expected of customers together under each draw of the parameters, from sums over them under a few draws.

Lines are linear in the drivers, and the expected value of an order is linear in a customer's mean spend. Customers with
the same numbers of purchases and of known orders, the same rates and the same parameters form a cell. Under each draw
of a skeleton, four sums over the customers of a cell suffice: of discounted orders, of living time, of growing orders,
and of these times mean spend. Combinations of them give the lines of the cell under all draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.inference.block_draws import over_blocks
from clvmodels.inference.predictions import spend_line
from clvmodels.models.derived import residuals
from clvmodels.numerics.distinct import DistinctRows
from clvmodels.numerics.quadrature import Weighting
from clvmodels.numerics.skeleton import Skeleton
from clvmodels.numerics.spend import known_spend
from clvmodels.numerics.threads import map_blocks
from clvmodels.valuation.discounting import calendar_years, discounting, growing
from clvmodels.valuation.distinct_customers import distinct_customers
from clvmodels.valuation.lines import DiscountedDrivers
from clvmodels.valuation.residual_expectations import few_draws
from clvmodels.valuation.uncertainty import Basis, Customers, Member

__all__ = ["MEMORY", "expected_sums"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

MEMORY: Final = 5e8
"""Bytes that interpolants may take."""
SUMS: Final = 4
"""Of a cell under a draw."""
MOST_NUMBERS: Final = 1 << 25
"""Sums held at a time: 256 MB."""
NUMBERS_PER_BLOCK: Final = 1 << 16
"""Cells times draws evaluated at a time."""


@dataclass(frozen=True, eq=False)
class _Cells:
    """Customers in cells.

    Attributes
    ----------
    histories
        The distinct histories of each cell.
    customers
        Who they are, shape (histories,).
    weight
        How many customers have each history, shape (histories,).
    mean_spend
        Their mean, shape (histories,); -1 where it is not known.
    cell
        The number of each history's cell, shape (histories,).
    example
        A history of each cell, shape (cells,).
    """

    histories: DistinctRows
    customers: Customers
    weight: Array
    mean_spend: Array
    cell: Index
    example: Index

    @classmethod
    def of(cls, customers: Customers) -> _Cells:
        """Put customers into cells."""
        known = known_spend(customers.orders, customers.mean_spend)
        weight = np.ones(len(known)) if customers.weight is None else customers.weight
        histories, alike = distinct_customers(replace(customers, mean_spend=np.where(known, 0.0, -1.0)))
        total = np.bincount(histories.index, weight).astype(float)
        spend = np.bincount(histories.index, weight * customers.mean_spend) / total
        mean_spend = np.where(histories.rows[:, 3] < 0.0, -1.0, spend)
        apart = [column for column in range(histories.rows.shape[1]) if column not in (1, 2)]  # all but t_x and T
        cells = histories.by(*apart)
        first = np.cumsum(cells.weight).astype(np.int64) - cells.weight.astype(np.int64)
        return cls(histories, alike, total, mean_spend, cells.index, cells.order[first])


def expected_sums(basis: Basis, customers: Customers, groups: int) -> tuple[Array, Array] | None:
    """Return each line and the equity of each group under each draw, shapes (lines, draws) and (groups, draws).

    None where this is no short cut: rates are not sure, the value of an order is not linear in mean spend, or too many
    customers have rates of their own.
    """
    if customers.own or customers.common or not _is_linear(basis, customers):
        return None
    cells = _Cells.of(customers)
    lines, by_group = np.zeros((len(basis.names), customers.draws)), np.zeros((groups, customers.draws))
    for member in cells.customers.members:
        weightings = _weightings(basis)
        few = few_draws(member.model, member.parameters, cells.histories, weightings)
        if SUMS * len(cells.example) * len(few.chosen) > MOST_NUMBERS:
            return None
        sums = _sums(member, cells, weightings, few)
        for block in _blocks(basis, cells, member, few, sums, groups):
            lines[:, member.draws] += block[0]
            by_group[:, member.draws] += block[1]
    return lines, by_group


def _is_linear(basis: Basis, customers: Customers) -> bool:
    """Whether the expected value of an order is linear in mean spend."""
    draws = customers.spend.draws
    theta = draws if draws.ndim == 2 else draws[0]
    return spend_line(basis.spend.model, theta, np.unique(customers.orders)) is not None


def _weightings(basis: Basis) -> list[Weighting]:
    """Return the discount factors, and, if values grow, the same with growth."""
    kinds = (discounting, growing) if basis.assumptions.growth else (discounting,)
    return [kind(basis.assumptions, basis.transactions.unit) for kind in kinds]


def _sums(member: Member, cells: _Cells, weightings: Sequence[Weighting], few: Skeleton) -> Array:
    """Return sums by cell under the draws of a skeleton, shape (cells, chosen draws, 4): as the module says."""
    parameters, kinds = member.parameters.of_draws(few.chosen), len(weightings)
    x, T = np.ascontiguousarray(cells.histories.rows[:, [0, 2]].T)

    def use(which: Index | slice, alive: Array, ahead: Array) -> tuple[Index, Array]:
        future = (alive * cells.weight[which, None])[..., None] * ahead
        orders, grown, living = (future[..., kind] for kind in (0, kinds - 1, kinds))
        values = np.stack([orders, living, grown, grown * cells.mean_spend[which, None]], axis=-1)
        cell = cells.cell[which]
        order = np.argsort(cell, kind="stable")
        here, first = np.unique(cell[order], return_index=True)
        return here, np.add.reduceat(values[order], first, axis=0)

    given = residuals(member.model, parameters.draws, x, T, weightings, parameters.group)
    width = SUMS * parameters.number
    sums = np.zeros((len(cells.example), parameters.number, SUMS))
    for here, part in over_blocks(member.model, parameters, cells.histories, given, use, memory=MEMORY, width=width):
        sums[here] += part
    return sums


def _blocks(
    basis: Basis, cells: _Cells, member: Member, few: Skeleton, sums: Array, groups: int
) -> list[tuple[Array, Array]]:
    """Return the lines, and equity by group, under all draws of one model, of the cells in blocks."""
    own, customers = np.arange(member.draws.start, member.draws.stop), cells.customers
    spend = customers.spend.of_draws(own) if customers.spend.number > 1 else customers.spend
    K, year = (
        calendar_years(basis.assumptions, basis.transactions.unit),
        basis.assumptions.year_in(basis.transactions.unit),
    )
    orders, number = customers.orders, np.bincount(cells.cell, cells.weight)

    def block(rows: slice) -> tuple[Array, Array]:
        which, weight = cells.example[rows], number[rows, None]
        D, L, G, sales = (np.einsum("ij,jk->ik", sums[rows, :, kind], few.combinations) for kind in range(SUMS))
        mean = np.divide(sales, G, out=np.zeros_like(G), where=G > 0.0)
        mean = np.where(cells.mean_spend[which, None] < 0.0, -1.0, np.maximum(mean, 0.0))
        Z = basis.spend.model.expected_spend(spend.theta(which), orders[which, None], mean)
        rates = {
            name: rate[which, None] if isinstance(rate, np.ndarray) else rate for name, rate in customers.rates.items()
        }
        drivers = DiscountedDrivers(D / weight, L / (weight * year), Z, G / weight, K)
        values = basis.values(rates, drivers, (len(D), len(own))) * weight
        equity = values.sum(axis=0)
        by_group = np.zeros((groups, len(own)))
        np.add.at(by_group, customers.group[which], equity)
        return values.sum(axis=1), by_group

    return map_blocks(block, len(number), max(NUMBERS_PER_BLOCK // len(own), 1))
