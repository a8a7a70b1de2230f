"""Weights of models whose mixture predicts customers best.

The log score of a mixture is concave in its weights. Newton's method finds its maximum: each step goes to the maximum
of a parabola over the weights allowed, which lies within one of the faces of a simplex with few corners.

Source: Yao, Vehtari, Simpson & Gelman (2018), Bayesian Analysis 13(3), on stacking; Nocedal & Wright (2006), Numerical
Optimization, ch. 16 and 18.
"""

from __future__ import annotations

from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.errors import FitError

__all__ = ["stacked"]

Array = NDArray[np.float64]

SETTLED: Final = 1e-2
"""By how much the log score of all customers may lie below the highest: far less than chance moves it. Models that have
become the same keep equal weights."""
STEPS: Final = 100
LEAST_STEP: Final = 1e-10
"""Share of a step, below which rounding decides whether the score rises."""
ENOUGH: Final = 1e-4
"""Of the rise that the slope promises."""


def stacked(log_density: Array, customers: Array, least: float) -> Array:
    """Return the weights, each at least `least`, whose mixture has the highest log score.

    Parameters
    ----------
    log_density
        Of a customer with each history under each model, shape (histories, models).
    customers
        With each history, shape (histories,).
    least
        The lowest weight of a model.

    Raises
    ------
    FitError
        If a density is not finite.

    Examples
    --------
    Two thirds of the customers are as one model predicts, a third as the other:

    >>> stacked(np.log([[0.9, 0.1], [0.1, 0.9]]), np.array([200.0, 100.0]), 0.05).round(3)
    array([0.708, 0.292])
    """
    density = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    if not np.isfinite(density).all():
        raise FitError("models are weighed by how probable they make each history, and for one that is no number")
    total = customers.sum()
    share = customers / total
    models = density.shape[1]
    weights = np.full(models, 1.0 / models)
    for _ in range(STEPS):
        ratio = density / (density @ weights)[:, None]
        slope = share @ ratio
        # no weights allowed have a score that is higher by more than this, since the score is concave
        gap = least * slope.sum() + (1.0 - models * least) * slope.max() - slope @ weights
        if gap * total < SETTLED:
            return weights
        curvature = (ratio * share[:, None]).T @ ratio
        weights = _raised(density, share, weights, _top(slope, curvature, weights, least) - weights, slope)
    raise FitError(f"the weights of the models do not settle: their log score may still rise by {gap * total:.2g}")


def _raised(density: Array, share: Array, weights: Array, step: Array, slope: Array) -> Array:
    """Return the weights after a step, or after the part of it that raises the score."""
    here, size = share @ np.log(density @ weights), 1.0
    while size > LEAST_STEP:
        there = weights + size * step
        if share @ np.log(density @ there) >= here + ENOUGH * size * (slope @ step):
            return np.asarray(there)
        size *= 0.5
    return weights


def _top(slope: Array, curvature: Array, weights: Array, least: float) -> Array:
    """Return where a parabola through the weights is highest, among weights from `least` up whose sum is one."""
    models = len(weights)
    best, highest = weights, 0.0
    for number in range(1, models + 1):
        for free in combinations(range(models), number):
            inside = np.array(free)
            there = np.full(models, least)
            there[inside] = 0.0
            right = (slope + curvature @ (weights - there))[inside]
            matrix = np.block([[curvature[np.ix_(inside, inside)], np.ones((number, 1))], [np.ones((1, number)), 0.0]])
            solved = np.linalg.lstsq(matrix, np.append(right, 1.0 - there.sum()), rcond=None)[0]
            there[inside] = solved[:-1]
            step = there - weights
            value = float(slope @ step - 0.5 * step @ curvature @ step)
            if there.min() >= least - LEAST_STEP and value > highest:
                best, highest = there, value
    return best
