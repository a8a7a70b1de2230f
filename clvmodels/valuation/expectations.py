"""What is expected of the customers under each draw of the parameters: the uncertainty of a valuation's estimates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.histories import Histories
from clvmodels.inference.block_draws import over_blocks
from clvmodels.models.derived import residuals
from clvmodels.numerics.distinct import DistinctRows
from clvmodels.valuation.discounting import calendar_years, kinds_of
from clvmodels.valuation.distinct_customers import distinct_customers
from clvmodels.valuation.expected_sums import MEMORY, expected_sums, several_expected_sums
from clvmodels.valuation.lines import DiscountedDrivers
from clvmodels.valuation.residual_expectations import few_draws
from clvmodels.valuation.uncertainty import (
    CUSTOMER_COLUMNS,
    SEED_OF_RATES,
    Basis,
    Customers,
    Member,
    Uncertainty,
    common_noise,
    customers_of,
    drawn_rates,
    of_nobody,
    summary_of,
)

__all__ = ["expected", "expected_equities"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

NUMBERS_BY_ROW: Final = 1 << 26
"""Values by distinct customer and draw that are held at a time: 256 MB."""
NO_TABLE: Final = np.empty((0, len(CUSTOMER_COLUMNS)))


def expected(
    basis: Basis, histories: Histories, group: Index | None = None, *, by_customer: bool = False
) -> Uncertainty:
    """Return what is expected of the customers under each pair of draws of the parameters.

    Parameters
    ----------
    basis, histories
        What the valuation rests on, and the customers.
    group
        The number of each customer's group from 0 up, shape (customers,); None: all are in one.
    by_customer
        Whether the draws of each customer are summarised.
    """
    group = np.zeros(len(histories), np.int64) if group is None else group
    groups = int(group.max(initial=0)) + 1
    noise = common_noise(basis, np.random.default_rng(SEED_OF_RATES))
    if not len(histories):
        return of_nobody(len(basis.names), groups)
    customers = customers_of(basis, histories, group)
    sums_alone = None if by_customer else expected_sums(basis, customers, groups)
    if sums_alone is not None:
        return Uncertainty(sums_alone[0], NO_TABLE, sums_alone[1])
    distinct, cells = distinct_customers(customers)
    weights = distinct.weight
    if customers.weight is not None:
        weights = np.bincount(distinct.index, customers.weight).astype(float)
    sums = _Sums.of(len(basis.names), groups, len(distinct.rows), cells.draws, by_customer=by_customer)
    for member in cells.members:
        _add(basis, cells, member, _Rows(distinct, weights), noise, sums)
    table = summary_of(sums.by_row.astype(np.float64))[distinct.index] if by_customer else NO_TABLE
    return Uncertainty(sums.lines, table, sums.groups)


def expected_equities(bases: Sequence[Basis], histories: Histories) -> Array:
    """Return what is expected of the customers together on several bases under each draw, shape (bases, draws).

    The bases differ in how they discount, and in their horizons alone.
    """
    noise = common_noise(bases[0], np.random.default_rng(SEED_OF_RATES))
    if len(histories) and not noise:
        customers = customers_of(bases[0], histories, np.zeros(len(histories), np.int64))
        sums = several_expected_sums(bases, customers, 1)
        if sums is not None:
            return np.stack([lines.sum(axis=0) for lines, _ in sums])
    return np.stack([expected(basis, histories).equity for basis in bases])


@dataclass(frozen=True, eq=False)
class _Rows:
    """Distinct customers, and how many each stands for."""

    distinct: DistinctRows
    weight: Array


@dataclass(frozen=True, eq=False)
class _Sums:
    """What is summed over customers under each draw.

    Attributes
    ----------
    lines, groups
        Shape (lines, draws) and (groups, draws).
    by_row
        Residual lifetime value of each distinct customer, shape (rows, kept draws).
    kept
        The draws that it is known under: so many that it fits into memory.
    """

    lines: Array
    groups: Array
    by_row: NDArray[np.float32]
    kept: Index

    @classmethod
    def of(cls, lines: int, groups: int, rows: int, draws: int, *, by_customer: bool) -> _Sums:
        """Return zeros."""
        most = max(min(draws, NUMBERS_BY_ROW // max(rows, 1)), 2) if by_customer else 0
        kept = np.unique(np.linspace(0, draws - 1, most).round().astype(np.int64))
        by_row = np.empty((rows if by_customer else 0, len(kept)), np.float32)
        return cls(np.zeros((lines, draws)), np.zeros((groups, draws)), by_row, kept)


def _add(
    basis: Basis, customers: Customers, member: Member, rows: _Rows, noise: Mapping[str, Array], sums: _Sums
) -> None:
    """Add what is expected under the draws of one model."""
    unit, own = basis.transactions.unit, member.draws
    spend_draws = np.arange(own.start, own.stop)
    x, _, T, mean_spend = np.ascontiguousarray(rows.distinct.rows[:, :4].T)
    assumptions = basis.assumptions
    kinds = kinds_of(assumptions)
    weightings = [kind(assumptions, unit, basis.years) for kind in kinds]
    left = np.exp(-assumptions.force_of_learning(unit) * T)
    K = calendar_years(assumptions, unit, basis.years)
    noise = {name: numbers[own] for name, numbers in noise.items()}
    spend = customers.spend.of_draws(spend_draws) if customers.spend.number > 1 else customers.spend
    mine = (sums.kept >= own.start) & (sums.kept < own.stop)

    few = few_draws(member.model, member.parameters, rows.distinct, weightings)
    parameters = member.parameters.of_draws(few.chosen)

    def use(which: Index | slice, alive: Array, ahead: Array) -> tuple[Array, Array]:
        D, G = (few.all_of(alive * ahead[..., kind]) for kind in (0, len(kinds) - 1 if assumptions.growth else 0))
        E = few.all_of(alive * ahead[..., 1]) * left[which, None] if assumptions.cost_half_life else 0.0
        L = few.all_of(alive * ahead[..., len(kinds)]) / basis.assumptions.year_in(unit)
        Z = basis.spend.model.expected_spend(spend.theta(which), customers.orders[which, None], mean_spend[which, None])
        shape = (len(D), len(spend_draws))
        first = which.start if isinstance(which, slice) else int(which[0])
        generator = np.random.default_rng([SEED_OF_RATES, own.start, first])
        drawn = drawn_rates(customers, (which, None), noise, shape, generator)
        values = basis.values(drawn, DiscountedDrivers(D, L, Z, G, K, E), shape)
        rlv, weight = values.sum(axis=0), rows.weight[which]
        if len(sums.by_row):
            sums.by_row[np.ix_(_positions(which), mine)] = rlv[:, sums.kept[mine] - own.start]
        return np.einsum("i,kij->kj", weight, values), _by_group(len(sums.groups), customers.group[which], weight, rlv)

    given = residuals(member.model, parameters.draws, x, T, weightings, parameters.group)
    blocks = over_blocks(member.model, parameters, rows.distinct, given, use, memory=MEMORY, width=len(spend_draws))
    sums.lines[:, own], sums.groups[:, own] = (np.sum(parts, axis=0) for parts in zip(*blocks, strict=True))


def _positions(which: Index | slice) -> Index:
    return np.arange(which.start, which.stop) if isinstance(which, slice) else which


def _by_group(groups: int, group: Index, weight: Array, rlv: Array) -> Array:
    """Return weighted sums of values of shape (customers, draws) by group, shape (groups, draws)."""
    sums = np.zeros((groups, rlv.shape[1]))
    for number in np.unique(group):
        members = group == number
        sums[number] = np.einsum("i,ij->j", weight[members], rlv[members])
    return sums
