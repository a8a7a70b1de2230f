"""Sums over the customers under other discount factors, from what they are together at each count and age.

What is expected of those alive depends on how often a customer bought and on their age alone, not on when they bought
last. Under each draw of the parameters, P(alive) times what a customer weighs is summed over the customers of the same
count and age, once; whatever the discount factors, what is expected of those alive is then multiplied with these sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.histories import Histories
from clvmodels.inference.block_draws import Rows, over_blocks
from clvmodels.inference.model_average import Transactions
from clvmodels.inference.parameters import Parameters
from clvmodels.models.derived import residuals
from clvmodels.models.specification import TransactionModel
from clvmodels.numerics.distinct import DistinctRows
from clvmodels.numerics.quadrature import Weighting
from clvmodels.numerics.skeleton import Skeleton
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.discounting import calendar_years, discounting, growing, learning
from clvmodels.valuation.line_table import Driver
from clvmodels.valuation.lines import ValuedLine
from clvmodels.valuation.residual_expectations import ResidualExpectations, ahead, few_draws
from clvmodels.valuation.valued_rows import ValuedRows

__all__ = ["Part", "parts_of", "sums_under", "sums_within"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

Part = tuple[Driver, float | Array]
"""What a line is made of: a driver and its rate, one number or shape (rows,)."""

MEMORY: Final = 5e8
"""Bytes that interpolants may take."""


def parts_of(lines: Sequence[ValuedLine]) -> list[Part]:
    """Return what lines are made of.

    Examples
    --------
    >>> parts_of([ValuedLine("service", "cost", {"orders": -1.5, "living years": -2.0})])
    [('orders', -1.5), ('living years', -2.0)]
    """
    return [part for line in lines for part in line.rates.items()]


def sums_under(rows: ValuedRows, parts: Sequence[Part], others: Sequence[Assumptions]) -> Array:
    """Return rates times drivers, summed over the customers, under the discounting of other assumptions.

    Parameters
    ----------
    rows
        The valuation of rows that stand for the customers.
    parts
        The drivers, each with its rate.
    others
        Assumptions of which only the discounting counts: discount rate, growth, year, timing and horizon.

    Returns
    -------
    ndarray
        Shape (parts, others); in money.
    """
    return sums_within(rows, parts, [(each, None) for each in others])


def sums_within(rows: ValuedRows, parts: Sequence[Part], cases: Sequence[tuple[Assumptions, float | None]]) -> Array:
    """Return what `sums_under` does, within so many years of each of the assumptions; None: within their horizon.

    Examples
    --------
    >>> parts = parts_of(book.rows.lines)
    >>> sums_within(book.rows, parts, [(book.assumptions, 1.0), (book.assumptions, None)]).sum(axis=0).round(2)
    array([ 61.33, 206.74])
    """
    unit, n = rows.transactions.unit, len(cases)
    if not parts:
        return np.zeros((0, n))
    weights = np.array([_weight(rows, driver, rate) for driver, rate in parts])
    weightings = [discounting(each, unit, years) for each, years in cases]
    grown = list(range(n))
    for number, (each, years) in enumerate(cases):
        if each.growth:
            grown[number] = len(weightings)
            weightings.append(growing(each, unit, years))
    purchases, living = _weighted(rows.transactions, rows.histories, rows.expectations, weights, weightings)
    early = np.zeros((len(parts), n))
    if any(driver == "early orders" for driver, _ in parts):
        early = _early(rows, weights, cases)
    year = np.array([each.year_in(unit) for each, _ in cases])
    amounts = {"sales": purchases[:, grown], "orders": purchases[:, :n], "living years": living[:, :n] / year}
    calendar = [calendar_years(each, unit, years) for each, years in cases]
    amounts |= {"early orders": early, "calendar years": weights.sum(axis=1)[:, None] * calendar}
    return np.array([amounts[driver][number] for number, (driver, _) in enumerate(parts)])


def _early(rows: ValuedRows, weights: Array, cases: Sequence[tuple[Assumptions, float | None]]) -> Array:
    """Return weighted sums of early orders in the cases of `sums_within`, shape (weights, cases)."""
    unit = rows.transactions.unit
    weightings = [learning(each, unit, years) for each, years in cases]
    coming = ahead(rows.transactions, rows.histories, weightings, 1.0, rows.expectations)
    sums = [weights @ coming.early(number, each.force_of_learning(unit)) for number, (each, _) in enumerate(cases)]
    return np.stack(sums, axis=1)


def _weight(rows: ValuedRows, driver: Driver, rate: float | Array) -> Array:
    """Return what is multiplied with the orders or the time of each distinct history, shape (distinct histories,)."""
    factor = rate * rows.order_value if driver == "sales" else rate
    index, weight = rows.expectations.index, 1.0 if rows.weight is None else rows.weight
    each = np.broadcast_to(factor * weight, len(index))
    return np.bincount(index, each, minlength=len(rows.expectations.alive)).astype(np.float64)


def _weighted(
    transactions: Transactions,
    histories: Histories,
    known: ResidualExpectations,
    weights: Array,
    weightings: Sequence[Weighting],
) -> tuple[Array, Array]:
    """Return weighted sums over distinct histories of integrals of intensity and survival, (weights, weightings)."""
    fits = [fit.of_customers(histories) for fit in transactions.fits]
    parameters = [fit.parameters(histories) for fit in fits]
    apart = any(each.group is not None for each in parameters) or any(fit.model.stages is not None for fit in fits)
    if apart or not len(known.alive) or max(weighting.end for weighting in weightings) == 0.0:
        expected = ahead(transactions, histories, weightings, 1.0, known)
        return weights @ expected.purchases, weights @ expected.living_years
    both = np.zeros((len(weights), 2 * len(weightings)))
    several = known.by_model or (known,)
    for fit, drawn, share, each in zip(fits, parameters, transactions.weights, several, strict=True):
        both += share * _of_model(fit.model, drawn, each, weights, weightings)
    return both[:, : len(weightings)], both[:, len(weightings) :]


@dataclass(frozen=True, eq=False)
class _Together:
    """Customers of the same count and age together.

    Attributes
    ----------
    pairs
        A history of each count and age.
    alive
        P(alive) times what each history weighs, summed over those of a pair, shape (pairs, draws, weights).
    """

    pairs: DistinctRows
    alive: Array

    @classmethod
    def of(cls, model: TransactionModel, parameters: Parameters, distinct: DistinctRows, weights: Array) -> _Together:
        """Sum over distinct histories; weights of shape (weights, distinct histories)."""
        pairs = distinct.by(0, 2)
        counts = pairs.weight.astype(np.int64)
        first, pair = np.cumsum(counts) - counts, np.repeat(np.arange(len(counts)), counts)
        by_pair = DistinctRows(distinct.rows[pairs.order, :3], np.ones(len(pair)))
        weight = np.ascontiguousarray(weights[:, pairs.order].T)

        def add(which: Rows, alive: Array, _: Array) -> tuple[Index, Array]:
            here, start = np.unique(pair[which], return_index=True)
            return here.astype(np.int64), np.add.reduceat(alive[:, :, None] * weight[which, None], start, axis=0)

        together = np.zeros((len(counts), parameters.number, len(weights)))
        width = parameters.number * len(weights)
        for here, part in over_blocks(model, parameters, by_pair, None, add, memory=MEMORY, width=width):
            together[here] += part
        return cls(DistinctRows(by_pair.rows[first], pairs.weight), together)


def _of_model(
    model: TransactionModel,
    parameters: Parameters,
    known: ResidualExpectations,
    weights: Array,
    weightings: Sequence[Weighting],
) -> Array:
    """Return the sums under one model on average over its draws: intensity, then survival, for each weighting."""
    distinct = known.distinct
    if parameters.number == 1:
        few, drawn = Skeleton.whole(1), Parameters(parameters.estimate[None], parameters.estimate)
    else:
        few = few_draws(model, parameters, distinct, weightings, known.few[0] if known.few else None)
        drawn = parameters.of_draws(few.chosen)
    together = _Together.of(model, drawn, distinct, weights)

    def add(which: Rows, _: Array, future: Array) -> Array:
        return np.asarray(np.einsum("ijk,j,ijl->kl", together.alive[which], few.mean, future, optimize=True))

    x, T = np.ascontiguousarray(together.pairs.rows[:, [0, 2]].T)
    given = residuals(model, drawn.draws, x, T, weightings)
    width = 2 * len(weightings) * drawn.number
    blocks = over_blocks(model, drawn, together.pairs, given, add, memory=MEMORY / len(weightings), width=width)
    return np.asarray(np.sum(blocks, axis=0))
