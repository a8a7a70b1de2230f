"""Compiled sums of the terms of BG/BB; formulas and sources are in `models.bg_bb`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.compiled_special import digamma_difference, log_gamma_ratio
from clvmodels.numerics.elementary import compiled

__all__ = ["count_sums", "history_sums", "row_sums"]

Array = NDArray[np.float64]


@compiled()
def count_sums(theta: Array, weight: Array, x: Array) -> tuple[float, Array]:
    """Return the weighted sums of the count terms and of their gradient, shape (4,)."""
    value, gradient = 0.0, np.zeros(4)
    for i in range(len(weight)):
        value += weight[i] * log_gamma_ratio(theta[0], x[i])
        gradient[0] += weight[i] * digamma_difference(theta[0], x[i])
    return value, gradient


@compiled()
def history_sums(theta: Array, weight: Array, x: Array, t_x: Array, n: Array) -> tuple[float, Array]:
    """Return the weighted sums of the history terms and of their gradient, shape (4,)."""
    value, gradient = 0.0, np.zeros(4)
    for i in range(len(weight)):
        terms = _history(theta[0], theta[1], theta[2], theta[3], x[i], t_x[i], n[i])
        value += weight[i] * terms[0]
        for k in range(4):
            gradient[k] += weight[i] * terms[k + 1]
    return value, gradient


@compiled()
def row_sums(theta: Array, weight: Array, x: Array, t_x: Array, n: Array) -> tuple[float, Array]:
    """Return the weighted sum of log-likelihoods, and the weighted gradient of each row, shape (n, 4)."""
    value, gradient = 0.0, np.empty((len(weight), 4))
    for i in range(len(weight)):
        terms = _history(theta[i, 0], theta[i, 1], theta[i, 2], theta[i, 3], x[i], t_x[i], n[i])
        value += weight[i] * (terms[0] + log_gamma_ratio(theta[i, 0], x[i]))
        for k in range(4):
            gradient[i, k] = weight[i] * terms[k + 1]
        gradient[i, 0] += weight[i] * digamma_difference(theta[i, 0], x[i])
    return value, gradient


@compiled()
def _history(a: float, b: float, g: float, d: float, x: float, t_x: float, n: float) -> tuple[float, ...]:
    """Return the history terms of one history, and their derivatives."""
    rest, by_a, by_b, by_g, by_d = 1.0, 0.0, 0.0, 0.0, 0.0
    for back in range(1, 1 + int(n - t_x)):
        since = n - back
        buying, leaving = 1.0 / (a + b + since), 1.0 / (g + d + since)
        misses, stays, leaves = (b + (since - x)) * buying, (d + since) * leaving, g * leaving
        silent = misses * rest
        none = stays * misses
        by_a = none * by_a - stays * silent * buying
        by_b = none * by_b + stays * rest * (a + x) * buying * buying
        by_g = none * by_g + stays * leaving * (1.0 - silent)
        by_d = none * by_d - leaves * leaving * (1.0 - silent)
        rest = leaves + stays * silent
    missed = t_x - x
    value = _log_beta_ratio(a, b, missed) - log_gamma_ratio(a + b + missed, x) + _log_beta_ratio(g, d, t_x)
    both, leaving = digamma_difference(a + b, t_x), digamma_difference(g + d, t_x)
    return (
        value + math.log(rest),
        by_a / rest - both,
        by_b / rest + digamma_difference(b, missed) - both,
        by_g / rest - leaving,
        by_d / rest + digamma_difference(d, t_x) - leaving,
    )


@compiled()
def _log_beta_ratio(a: float, b: float, k: float) -> float:
    """Return log of B(a, b+k)/B(a, b)."""
    if k < a:
        return log_gamma_ratio(b, k) - log_gamma_ratio(a + b, k)
    return log_gamma_ratio(b, a) - log_gamma_ratio(b + k, a)
