"""Draws of a valuation with what customers will really do: of all of them, or of a sample that stands for the others.

The future of each customer is their own, so that what happens to many together differs from what is expected by a
normally distributed amount, whose variance a sample of them tells. Under each draw of the parameters, that amount is
the difference between what is simulated and what is expected of the sample, scaled to the number of all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.histories import Histories
from clvmodels.valuation.expectations import expected
from clvmodels.valuation.futures import simulated_futures
from clvmodels.valuation.uncertainty import Basis, Uncertainty

__all__ = ["SIMULATED_UP_TO", "with_process"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

SIMULATED_UP_TO: Final = 10_000
"""Customers; of more, so many are simulated for all."""
SEED_OF_SAMPLE: Final = 1


def with_process(basis: Basis, histories: Histories, group: Index, seed: int | None) -> Uncertainty:
    """Return the draws of lines and groups; customers are not summarised.

    Parameters
    ----------
    basis, histories
        What the valuation rests on, and the rows of histories, which may stand for several customers each.
    group
        The number of each row's group from 0 up, shape (rows,).
    seed
        Of the simulation.
    """
    customers = np.ones(len(histories), np.int64)
    if basis.weight is not None:
        customers = basis.weight.astype(np.int64)
    rows = _in_order(basis, histories, group, customers)
    everybody = len(rows) <= SIMULATED_UP_TO
    if not everybody:
        chosen = np.random.default_rng(SEED_OF_SAMPLE).choice(len(rows), SIMULATED_UP_TO, replace=False)
        rows = rows[np.sort(chosen)]
    own_basis, own_histories, own_group = _basis_of(basis, rows), histories.taken(rows), group[rows]
    realised = simulated_futures(own_basis, own_histories, seed, own_group)
    if everybody:
        return realised
    groups = int(group.max(initial=0)) + 1
    whole, mean = expected(basis, histories, group), expected(own_basis, own_histories, own_group)
    size, part = np.bincount(group, customers, groups), np.bincount(own_group, minlength=groups)
    by_group = np.sqrt(size / np.maximum(part, 1.0))[:, None] * (realised.groups - mean.groups)
    by_line = np.sqrt(size.sum() / part.sum()) * (realised.lines - mean.lines)
    return Uncertainty(whole.lines + by_line, realised.customers[:0], whole.groups + by_group)


def _in_order(basis: Basis, histories: Histories, group: Index, customers: Index) -> Index:
    """Return the row of each customer, in an order that does not depend on where they lie or how rows are merged.

    Groups tell apart only customers who are alike, so that the same futures are simulated whatever the groups are.
    """
    rates = [rate for rate in (*basis.rates.values(), *basis.own.values(), *basis.common.values()) if np.ndim(rate)]
    histories_columns = [histories.statistic(name) for name in basis.transactions.best.model.statistics]
    order = np.lexsort([group, *map(np.asarray, rates), histories.monetary_value, *reversed(histories_columns)])
    return np.repeat(order, customers[order])


def _basis_of(basis: Basis, rows: Index) -> Basis:
    """Return what the valuation of some rows rests on, each of them one customer."""
    rates = {name: rate[rows] if isinstance(rate, np.ndarray) else rate for name, rate in basis.rates.items()}
    own, common = ({name: sd[rows] for name, sd in sds.items()} for sds in (basis.own, basis.common))
    return replace(basis, rates=rates, own=own, common=common, weight=None)
