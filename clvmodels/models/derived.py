"""What follows from survival and purchase intensity, once for all transaction models (design: one quadrature).

    E[X(T, T+t]] = P(alive) int_0^t m(u) du
    D            = P(alive) int_0^H v(u) m(u) du        discounted expected residual transactions (DERT)
    L            = P(alive) int_0^H v(u) s(u) du        discounted expected residual living time (DERL)

with s and m given alive at T and v any discount factor. Source: Fader & Hardie, notes 013 and 027; Fader, Hardie & Lee
(2005), JMR 42(4), equation (2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from clvmodels.models.specification import Array, TransactionModel
from clvmodels.numerics.interpolate import evaluate_by_age
from clvmodels.numerics.quadrature import TimeGrid, Weighting
from clvmodels.numerics.threads import map_blocks

__all__ = ["expected_purchases", "residual", "survival"]

ROWS_PER_BLOCK = 256


def expected_purchases(model: TransactionModel, theta: Array, x: Array, T: Array, t: float) -> Array:
    """Return E[purchases in (T, T + t] | alive at T], shape of x; theta of shape (parameters,)."""
    time = np.asarray(t)
    return _by_age(lambda x, T: model.expected_purchases(theta, x, T, time), model, theta, x, T)


def survival(model: TransactionModel, theta: Array, x: Array, T: Array, t: float) -> Array:
    """Return P(alive at T + t | alive at T), shape of x; theta of shape (parameters,)."""
    time = np.asarray(t)
    return _by_age(lambda x, T: model.future(theta, x, T, time)[0], model, theta, x, T)


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
    end = max(weighting.end for weighting in weightings)
    if len(x) == 0 or end == 0.0:
        return np.zeros((len(x), len(weightings))), np.zeros((len(x), len(weightings)))
    scale = _scale(model, theta)
    grid = TimeGrid(_first_panel(model, theta, x, T, scale), end)
    weights = np.column_stack([grid.weights(weighting) for weighting in weightings])

    def integrals(x: Array, T: Array) -> Array:
        def block(rows: slice) -> Array:
            alive, buys = model.future(theta, x[rows, None], T[rows, None], grid.nodes)
            # Not by BLAS, whose own threads and those of the blocks would get into each other's way.
            return np.hstack([np.einsum("ij,jk->ik", values, weights) for values in (buys, alive)])

        return np.vstack(map_blocks(block, len(x), ROWS_PER_BLOCK))

    both = evaluate_by_age(integrals, x, T, scale)
    return both[:, : len(weightings)], both[:, len(weightings) :]


def _by_age(
    function: Callable[[Array, Array], Array], model: TransactionModel, theta: Array, x: Array, T: Array
) -> Array:
    def in_blocks(x: Array, T: Array) -> Array:
        return np.concatenate(map_blocks(lambda rows: function(x[rows], T[rows]), len(x), ROWS_PER_BLOCK))[:, None]

    return evaluate_by_age(in_blocks, x, T, _scale(model, theta))[:, 0] if len(x) else np.zeros(0)


def _scale(model: TransactionModel, theta: Array) -> float:
    """Return the shortest time-like parameter: the future's nearest singularity in T lies at minus this."""
    return min(float(theta[i]) for i, parameter in enumerate(model.parameters) if parameter.dimension == "time")


def _first_panel(model: TransactionModel, theta: Array, x: Array, T: Array, scale: float) -> float:
    """Return a time in which no customer's intensity falls by much, nor that of the few who leave at every purchase."""
    busiest = np.unique(np.concatenate([[np.argmax(x), np.argmin(T)], np.argsort(x / (T + scale))[-8:]]))
    age = T[busiest] + scale
    step = 1e-7 * age
    _, now = model.future(theta, x[busiest], T[busiest], np.zeros(len(busiest)))
    _, soon = model.future(theta, x[busiest], T[busiest], step)
    fall = np.maximum(-np.log(soon / now) / step, 0.0)
    return float(np.min(np.minimum(1.0 / (1.0 / age + fall), 4.0 / now)))
