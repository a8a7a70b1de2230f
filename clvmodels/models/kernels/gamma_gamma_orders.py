"""Compiled sums of the terms of Gamma-Gamma on orders; formulas and sources are in `models.gamma_gamma_orders`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from clvmodels.models.kernels import gamma_gamma
from clvmodels.numerics.compiled_special import digamma, digamma_remainder, stirling_remainder
from clvmodels.numerics.elementary import compiled
from clvmodels.numerics.special import STIRLING_FROM

__all__ = ["count_sums", "history_sums"]

Array = NDArray[np.float64]
of_counts, of_histories = gamma_gamma.count_sums, gamma_gamma.history_sums
HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


@compiled()
def count_sums(theta: Array, weight: Array, x: Array) -> tuple[float, Array]:
    """Return the weighted sums of the count terms and of their gradient, shape (3,)."""
    value, gradient = of_counts(theta, weight, x)
    p = theta[0]
    for i in range(len(x)):
        of_shares, by_p = _shares(p, x[i])
        value += weight[i] * of_shares
        gradient[0] += weight[i] * by_p
    return value, gradient


@compiled()
def _shares(p: float, x: float) -> tuple[float, float]:
    """Return log Gamma(px) - x log Gamma(p) - px log x, and its derivative by p."""
    n = p * x
    if p >= STIRLING_FROM:
        value = (x - 1.0) * (0.5 * math.log(p) - HALF_LOG_2PI) - 0.5 * math.log(x)
        value += stirling_remainder(n) - x * stirling_remainder(p)
        return value, x * (digamma_remainder(n) - digamma_remainder(p))
    if n >= STIRLING_FROM:
        total = n * (math.log(p) - 1.0) - 0.5 * math.log(n) + HALF_LOG_2PI + stirling_remainder(n)
        slope = math.log(p) + digamma_remainder(n)
    else:
        total, slope = math.lgamma(n) - n * math.log(x), digamma(n) - math.log(x)
    return total - x * math.lgamma(p), x * (slope - digamma(p))


@compiled()
def history_sums(theta: Array, weight: Array, x: Array, mean_spend: Array, log_mean: Array) -> tuple[float, Array]:
    """Return the weighted sums of the history terms and of their gradient, shape (3,)."""
    value, gradient = of_histories(theta, weight, x, mean_spend)
    p = theta[0]
    for i in range(len(weight)):
        if x[i] > 1.0:
            log_spend = math.log(mean_spend[i])
            below = x[i] * min(log_mean[i] - log_spend, 0.0)
            value += weight[i] * ((p - 1.0) * below - (x[i] - 1.0) * log_spend)
            gradient[0] += weight[i] * below
    return value, gradient
