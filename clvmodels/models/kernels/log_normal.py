"""Compiled sums of the terms of log-normal spend; formulas and sources are in `models.log_normal`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.elementary import compiled, log

__all__ = ["count_sums", "history_sums"]

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


@compiled()
def history_sums(theta: Array, weight: Array, x: Array, log_mean: Array, log_ss: Array) -> tuple[float, Array]:
    """Return the weighted sums of the history terms and of their gradient, shape (3,)."""
    value, by_median, by_s, by_t = _sums(theta, weight, x, log_mean, log_ss)
    return value, np.array([by_median, by_s, by_t])


@compiled(reordered=True)
def _sums(theta: Array, weight: Array, x: Array, log_mean: Array, log_ss: Array) -> tuple[float, ...]:
    median, s, t = theta
    m = math.log(median)
    value = by_median = by_s = by_t = 0.0
    for i in range(len(weight)):
        w = weight[i]
        variance = t * t + s * s / x[i]
        away = log_mean[i] - m
        squares = log_ss[i] / (s * s)
        standard = away * away / variance
        by_variance = 0.5 * (standard - 1.0) / variance
        value -= w * (0.5 * (squares + log(variance) + standard) + x[i] * log_mean[i])
        by_median += w * away / variance / median
        by_s += w * (squares / s + by_variance * 2.0 * s / x[i])
        by_t += w * by_variance * 2.0 * t
    return value, by_median, by_s, by_t
