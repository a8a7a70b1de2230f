"""What follows from survival and purchase intensity, once for all transaction models (design: one quadrature).

    E[X(T, T+t]] = P(alive) int_0^t m(u) du
    D            = P(alive) int_0^H v(u) m(u) du        discounted expected residual transactions (DERT)
    L            = P(alive) int_0^H v(u) s(u) du        discounted expected residual living time (DERL)

with s and m given alive at T and v any discount factor. Source: Fader & Hardie, notes 013 and 027; Fader, Hardie & Lee
(2005), JMR 42(4), equation (2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from clvmodels.models.specification import Array, TransactionModel
from clvmodels.numerics.distinct import distinct_rows
from clvmodels.numerics.interpolate import AgeInterpolant, by_age
from clvmodels.numerics.quadrature import TimeGrid, Weighting
from clvmodels.numerics.threads import map_blocks, take

__all__ = [
    "ConditionalOnAlive",
    "alive",
    "expected_purchases",
    "interpolate_over_age",
    "pmf",
    "purchases",
    "residual",
    "residuals",
    "survival",
    "survive",
]

ConditionalOnAlive = Callable[[Array, Array, Array], Array]
"""``(theta, x, T)``: something about customers who are alive at T, under theta of shape (draws, parameters), at points
x and T of shape (points,), sorted by x; returns shape (points, draws, outputs)."""

PAIRS_PER_BLOCK: Final = 256
ROWS_PER_BLOCK: Final = 1 << 14
FEW: Final = 8
NUMBERS_OF_PMF: Final = 128
"""What a model may hold for one probability: the nodes of a quadrature."""
NUMBERS_AT_A_TIME: Final = 1 << 17
LEAST: Final = 1e-300
"""What is left of an intensity that falls at once; its log is a number."""


def purchases(model: TransactionModel, t: float) -> ConditionalOnAlive:
    """Return the function that gives E[purchases in (T, T + t]]."""
    time = np.asarray(t)
    return lambda theta, x, T: model.expected_purchases(theta, x[:, None], T[:, None], time)[..., None]


def survive(model: TransactionModel, t: float) -> ConditionalOnAlive:
    """Return the function that gives P(alive at T + t)."""
    time = np.asarray(t)
    return lambda theta, x, T: model.future(theta, x[:, None], T[:, None], time)[0][..., None]


def pmf(model: TransactionModel, t: float, n: float) -> ConditionalOnAlive:
    """Return the function that gives P(n purchases in (T, T + t])."""
    time, number = np.asarray(t), np.asarray(n)
    return _few_draws_at_a_time(
        lambda theta, x, T: model.pmf(theta, x[:, None], T[:, None], time, number)[..., None], NUMBERS_OF_PMF
    )


def _few_draws_at_a_time(given: ConditionalOnAlive, numbers: int) -> ConditionalOnAlive:
    """Return a function that asks `given`, which holds so many numbers a point and draw, for few draws at a time."""

    def in_parts(theta: Array, x: Array, T: Array) -> Array:
        some = max(NUMBERS_AT_A_TIME // max(len(x) * numbers, 1), 1)
        parts = [given(theta[start : start + some], x, T) for start in range(0, len(theta), some)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    return in_parts


def residuals(
    model: TransactionModel, draws: Array, x: Array, T: Array, weightings: Sequence[Weighting]
) -> ConditionalOnAlive:
    """Return the function that gives weighted integrals of the purchase intensity, and then of survival.

    Parameters
    ----------
    model, draws
        The model and the draws it will be asked for, shape (draws, parameters).
    x, T
        All customers it will be asked for, shape (n,).
    weightings
        The factors to integrate with, such as discount factors.
    """
    end = max(weighting.end for weighting in weightings)
    grid = TimeGrid(_first_panel(model, draws, x, T), end)
    weights = np.column_stack([grid.weights(weighting) for weighting in weightings])

    def integrals(theta: Array, x: Array, T: Array) -> Array:
        """Customers of one x stand in one row, so that the model sees what their futures share."""
        counts, first, sizes = np.unique(x, return_index=True, return_counts=True)
        result = np.empty((len(x), len(theta), 2 * len(weightings)))
        for size in np.unique(sizes):
            rows = first[sizes == size][:, None] + np.arange(size)
            some, ages = counts[sizes == size, None, None, None], T[rows][..., None, None]
            alive, buys = model.future(theta, some, ages, grid.nodes[:, None])
            # Not by BLAS, whose own threads and those of the blocks would get into each other's way.
            both = [np.einsum("ijlk,lm->ijkm", values, weights) for values in (buys, alive)]
            result[rows] = np.concatenate(both, axis=-1)
        return result

    return _few_draws_at_a_time(integrals, len(grid.nodes))


def interpolate_over_age(
    given: ConditionalOnAlive, model: TransactionModel, draws: Array, x: Array, T: Array
) -> AgeInterpolant:
    """Return what `given` says at sorted distinct pairs (x, T), ready to be evaluated; draws of shape (draws, ...)."""
    return by_age(lambda some, x, T: given(draws[some], x, T), x, T, _scale(model, draws), len(draws))


def alive(model: TransactionModel, theta: Array, x: Array, t_x: Array, T: Array) -> Array:
    """Return P(alive at T) of many histories in threads, shape of x; theta of shape (parameters,)."""
    values = np.empty(len(x))

    def some(rows: slice) -> None:
        values[rows] = model.p_alive(theta, x[rows], t_x[rows], T[rows])

    map_blocks(some, len(x), ROWS_PER_BLOCK)
    return values


def expected_purchases(model: TransactionModel, theta: Array, x: Array, T: Array, t: float) -> Array:
    """Return E[purchases in (T, T + t] | alive at T], shape of x; theta of shape (parameters,)."""
    return _everywhere(purchases(model, t), model, theta, x, T)[:, 0]


def survival(model: TransactionModel, theta: Array, x: Array, T: Array, t: float) -> Array:
    """Return P(alive at T + t | alive at T), shape of x; theta of shape (parameters,)."""
    return _everywhere(survive(model, t), model, theta, x, T)[:, 0]


def residual(
    model: TransactionModel, theta: Array, x: Array, T: Array, weightings: Sequence[Weighting]
) -> tuple[Array, Array]:
    """Return weighted integrals of the purchase intensity and of survival, given that customers are alive at T.

    Parameters
    ----------
    model, theta
        The model and one point of its parameters, shape (parameters,).
    x, T
        Purchases and age, shape (n,).
    weightings
        The factors to integrate with, such as discount factors.

    Returns
    -------
    purchases, living_time
        Shape (n, weightings) each; living time in the unit of T.
    """
    if len(x) == 0 or max(weighting.end for weighting in weightings) == 0.0:
        return np.zeros((len(x), len(weightings))), np.zeros((len(x), len(weightings)))
    both = _everywhere(residuals(model, theta[None], x, T, weightings), model, theta, x, T)
    return both[:, : len(weightings)], both[:, len(weightings) :]


def _everywhere(given: ConditionalOnAlive, model: TransactionModel, theta: Array, x: Array, T: Array) -> Array:
    """Return what `given` says of every customer under one theta, shape (n, outputs)."""
    if len(x) == 0:
        return np.zeros((0, 1))
    pairs = distinct_rows(x, T, with_order=True)
    prepared = interpolate_over_age(given, model, theta[None], *np.ascontiguousarray(pairs.rows.T))
    return take(np.concatenate(map_blocks(prepared.at, len(pairs.rows), PAIRS_PER_BLOCK))[:, 0], pairs.index)


def _scale(model: TransactionModel, draws: Array) -> float:
    """Return the shortest time-like parameter: the future's nearest singularity in T lies at minus this."""
    return min(
        float(draws[:, i].min()) for i, parameter in enumerate(model.parameters) if parameter.dimension == "time"
    )


def _first_panel(model: TransactionModel, draws: Array, x: Array, T: Array) -> float:
    """Return a time in which no customer's intensity falls by much, nor that of the few who leave at every purchase."""
    scale = _scale(model, draws)
    last = max(len(x) - FEW, 0)
    busiest = np.unique([np.argmax(x), np.argmin(T), *np.argpartition(x / (T + scale), last)[last:]])
    age = T[busiest, None] + scale
    _, now = model.future(draws, x[busiest, None], T[busiest, None], np.zeros(1))
    step = 1e-7 * np.minimum(age, 1.0 / now)  # the age counts from -scale, which may be far off
    _, soon = model.future(draws, x[busiest, None], T[busiest, None], step)
    fall = np.maximum(-np.log(np.maximum(soon / now, LEAST)) / step, 0.0)
    return float(np.min(np.minimum(1.0 / (1.0 / age + fall), 4.0 / now)))
