"""What is expected of the customers under each draw of the parameters: the uncertainty of a valuation's estimates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.histories import Histories
from clvmodels.inference.block_draws import over_blocks
from clvmodels.models.derived import residuals
from clvmodels.numerics.distinct import DistinctRows, distinct_rows
from clvmodels.valuation.discounting import calendar_years, discounting, growing
from clvmodels.valuation.lines import DiscountedDrivers
from clvmodels.valuation.uncertainty import (
    CUSTOMER_COLUMNS,
    Basis,
    Customers,
    Uncertainty,
    common_noise,
    customers_of,
    drawn_rates,
    of_nobody,
    summary_of,
)

__all__ = ["expected"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

MEMORY: Final = 5e8
"""Bytes that interpolants may take."""
SEED_OF_RATES: Final = 1
"""Rates that are not sure are drawn from the same numbers in every valuation, so that valuations can be compared."""


def expected(basis: Basis, histories: Histories, group: Index | None = None) -> Uncertainty:
    """Return what is expected of the customers under each pair of draws of the parameters.

    `group` numbers the group of each customer from 0 up, shape (customers,); None: all are in one.
    """
    group = np.zeros(len(histories), np.int64) if group is None else group
    groups = int(group.max(initial=0)) + 1
    noise = common_noise(basis, np.random.default_rng(SEED_OF_RATES))
    if not len(histories):
        return of_nobody(len(basis.names), groups)
    return _expected(basis, customers_of(basis, histories, group), groups, noise)


def _expected(basis: Basis, customers: Customers, groups: int, noise: Mapping[str, Array]) -> Uncertainty:
    """Return the draws of the customers."""
    model, spend, unit = basis.transactions.model, basis.spend.model, basis.transactions.unit
    distinct, cells = _distinct(customers)
    noise = {name: numbers[: customers.draws] for name, numbers in noise.items()}
    weights = distinct.weight
    if customers.weight is not None:
        weights = np.bincount(distinct.index, customers.weight).astype(float)
    x, _, T, mean_spend = np.ascontiguousarray(distinct.rows[:, :4].T)
    table = np.empty((len(x), len(CUSTOMER_COLUMNS)))
    kinds = (discounting, growing) if basis.assumptions.growth else (discounting,)
    weightings = [kind(basis.assumptions, unit) for kind in kinds]
    K = calendar_years(basis.assumptions, unit)

    def use(rows: Index | slice, alive: Array, ahead: Array) -> tuple[Array, Array]:
        D, G = (alive * ahead[..., kind] for kind in (0, len(kinds) - 1))
        L = alive * ahead[..., len(kinds)] / basis.assumptions.year_in(unit)
        Z = spend.expected_spend(cells.spend.theta(rows), x[rows, None], mean_spend[rows, None])
        shape = (len(D), customers.draws)
        first = rows.start if isinstance(rows, slice) else int(rows[0])
        generator = np.random.default_rng([SEED_OF_RATES, 0, first])
        drawn = drawn_rates(cells, (rows, None), noise, shape, generator)
        values = basis.values(drawn, DiscountedDrivers(D, L, Z, G, K), shape)
        rlv, weight = values.sum(axis=0), weights[rows]
        by_group = _by_group(groups, cells.group[rows], weight, rlv)
        table[rows] = summary_of(rlv)
        return np.einsum("i,kij->kj", weight, values), by_group

    given = residuals(model, cells.transactions.draws, x, T, weightings, cells.transactions.group)
    blocks = over_blocks(model, cells.transactions, distinct, given, use, memory=MEMORY, width=customers.draws)
    sums, by_group = (np.sum(parts, axis=0) for parts in zip(*blocks, strict=True))
    return Uncertainty(sums, table[distinct.index], by_group)


def _distinct(customers: Customers) -> tuple[DistinctRows, Customers]:
    """Return the distinct customers, with parameters, groups and rates; who has an unsure rate is one of a kind.

    Groups come after all that tells such customers apart, so that these stand in the same order whatever the groups,
    and the same rates are drawn for them.
    """
    varying = [name for name, rate in customers.rates.items() if isinstance(rate, np.ndarray)]
    unsure = customers.own or customers.common
    columns = [customers.x, customers.t_x, customers.T, customers.mean_spend]
    columns += [*customers.transactions.columns(), *customers.spend.columns()]
    columns += [np.asarray(customers.rates[name]) for name in varying]
    columns += [*customers.own.values(), *customers.common.values()]
    columns += [np.arange(float(len(customers.x)))] if unsure else []
    distinct = distinct_rows(*columns, customers.group.astype(float), with_order=True)
    remaining = iter(np.ascontiguousarray(distinct.rows[:, 4:].T))
    transactions, spend = (
        each.of_groups(np.array([next(remaining) for _ in each.columns()]))
        for each in (customers.transactions, customers.spend)
    )
    rates = {**customers.rates, **{name: next(remaining) for name in varying}}
    own, common = ({name: next(remaining) for name in sds} for sds in (customers.own, customers.common))
    group = np.ascontiguousarray(distinct.rows[:, -1]).astype(np.int64)
    return distinct, replace(
        customers, transactions=transactions, spend=spend, rates=rates, own=own, common=common, group=group
    )


def _by_group(groups: int, group: Index, weight: Array, rlv: Array) -> Array:
    """Return weighted sums of values of shape (customers, draws) by group, shape (groups, draws)."""
    sums = np.zeros((groups, rlv.shape[1]))
    for number in np.unique(group):
        members = group == number
        sums[number] = np.einsum("i,ij->j", weight[members], rlv[members])
    return sums
