"""Compiled sums of the normal model with random means; formulas and sources are in `models.random_means`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.elementary import compiled, log

__all__ = ["count_sums", "spread_sums"]

Array = NDArray[np.float64]
LOG_2PI = math.log(2.0 * math.pi)


@compiled()
def count_sums(theta: Array, weight: Array, x: Array) -> tuple[float, Array]:
    """Return the weighted sums of the count terms and of their gradient, shape (3,)."""
    s = theta[1]
    log_s = math.log(s)
    value, gradient = 0.0, np.zeros(3)
    for i in range(len(x)):
        value -= weight[i] * (0.5 * x[i] * LOG_2PI + (x[i] - 1.0) * log_s + 0.5 * math.log(x[i]))
        gradient[1] -= weight[i] * (x[i] - 1.0) / s
    return value, gradient


@compiled(reordered=True)
def spread_sums(
    m: float, s: float, t: float, weight: Array, x: Array, mean: Array, squares: Array
) -> tuple[float, float, float, float]:
    """Return the weighted sum of the spread terms, and of their derivatives by m, s and t."""
    value = by_m = by_s = by_t = 0.0
    for i in range(len(weight)):
        w = weight[i]
        variance = t * t + s * s / x[i]
        away = mean[i] - m
        within = squares[i] / (s * s)
        standard = away * away / variance
        by_variance = 0.5 * (standard - 1.0) / variance
        value -= w * 0.5 * (within + log(variance) + standard)
        by_m += w * away / variance
        by_s += w * (within / s + by_variance * 2.0 * s / x[i])
        by_t += w * by_variance * 2.0 * t
    return value, by_m, by_s, by_t
