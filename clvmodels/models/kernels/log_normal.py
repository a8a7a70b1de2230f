"""Compiled sums of the terms of log-normal spend; formulas and sources are in `models.log_normal`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from clvmodels.models.kernels.random_means import count_sums, spread_sums
from clvmodels.numerics.elementary import compiled

__all__ = ["count_sums", "history_sums"]

Array = NDArray[np.float64]


@compiled()
def history_sums(theta: Array, weight: Array, x: Array, log_mean: Array, log_ss: Array) -> tuple[float, Array]:
    """Return the weighted sums of the history terms and of their gradient, shape (3,)."""
    median, s, t = theta
    value, by_m, by_s, by_t = spread_sums(math.log(median), s, t, weight, x, log_mean, log_ss)
    return value - _jacobian(weight, x, log_mean), np.array([by_m / median, by_s, by_t])


@compiled(reordered=True)
def _jacobian(weight: Array, x: Array, log_mean: Array) -> float:
    """Return the weighted sum of the logs of all orders, which makes the density of logs one of amounts."""
    total = 0.0
    for i in range(len(weight)):
        total += weight[i] * x[i] * log_mean[i]
    return total
