"""Draws of a valuation with what customers will really do: of all of them, or of a sample that stands for the others.

The future of each customer is their own, so that what happens to many together differs from what is expected by a
normally distributed amount, whose variance is the sum of theirs. Under each draw of the parameters, that amount is the
sum over a sample of what is simulated less what is expected. Customers whose future varies more are sampled with a
higher probability p, and those sampled count 1 / sqrt(p) times: the variance of the sum is right on average
(Horvitz & Thompson 1952, Journal of the American Statistical Association 47).
"""

from __future__ import annotations

from collections.abc import Callable
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

SIMULATED_UP_TO: Final = 1_000
"""Customers; of more, about so many are simulated for all. The width of an interval is then right to some 2 %."""
LEAST_SIZE: Final = 0.2
"""Of what is sampled in proportion to, relative to its mean: nobody counts too many times."""
SEED_OF_SAMPLE: Final = 1


def with_process(
    basis: Basis, histories: Histories, group: Index, seed: int | None, size: Array, whole: Callable[[], Uncertainty]
) -> Uncertainty:
    """Return the draws of lines and groups; customers are not summarised.

    Parameters
    ----------
    basis, histories
        What the valuation rests on, and the rows of histories, which may stand for several customers each.
    group
        The number of each row's group from 0 up, shape (rows,).
    seed
        Of the simulation.
    size
        How much the future of a customer of each row varies, roughly, shape (rows,).
    whole
        Returns what is expected of all.
    """
    customers = np.ones(len(histories), np.int64)
    if basis.weight is not None:
        customers = basis.weight.astype(np.int64)
    rows = _in_order(basis, histories, group, customers)
    if len(rows) <= SIMULATED_UP_TO:
        return simulated_futures(_basis_of(basis, rows, None), histories.taken(rows), seed, group[rows])
    rows, times = _sample(rows, size[rows], SIMULATED_UP_TO)
    sampled = _basis_of(basis, rows, times), histories.taken(rows)
    realised, mean = simulated_futures(*sampled, seed, group[rows]), expected(*sampled, group[rows])
    everybody, none = whole(), realised.customers[:0]
    by_group = everybody.groups.copy()
    by_group[: len(mean.groups)] += realised.groups - mean.groups  # of the last groups, nobody may be in the sample
    return Uncertainty(everybody.lines + realised.lines - mean.lines, none, by_group)


def _sample(rows: Index, size: Array, number: int) -> tuple[Index, Array]:
    """Return a sample of about so many, at even distances in the sum of sizes, and how many times each counts."""
    relative = np.maximum(size / max(size.mean(), np.finfo(float).tiny), LEAST_SIZE)
    probability = np.minimum(relative * number / relative.sum(), 1.0)
    start = np.random.default_rng(SEED_OF_SAMPLE).random()
    passed = np.floor(np.cumsum(probability) + start)
    chosen = np.flatnonzero(np.diff(passed, prepend=0.0) > 0.0)
    return rows[chosen], 1.0 / np.sqrt(probability[chosen])


def _in_order(basis: Basis, histories: Histories, group: Index, customers: Index) -> Index:
    """Return the row of each customer, in an order that does not depend on where they lie or how rows are merged.

    Groups tell apart only customers who are alike, so that the same futures are simulated whatever the groups are.
    """
    rates = [rate for rate in (*basis.rates.values(), *basis.own.values(), *basis.common.values()) if np.ndim(rate)]
    histories_columns = [histories.statistic(name) for name in basis.transactions.best.model.statistics]
    order = np.lexsort([group, *map(np.asarray, rates), histories.monetary_value, *reversed(histories_columns)])
    return np.repeat(order, customers[order])


def _basis_of(basis: Basis, rows: Index, weight: Array | None) -> Basis:
    """Return what the valuation of some rows rests on, each of them one customer who counts so many times."""
    rates = {name: rate[rows] if isinstance(rate, np.ndarray) else rate for name, rate in basis.rates.items()}
    own, common = ({name: sd[rows] for name, sd in sds.items()} for sds in (basis.own, basis.common))
    return replace(basis, rates=rates, own=own, common=common, weight=weight)
