"""Compiled sums of the terms of Gamma-Gamma; formulas and sources are in `models.gamma_gamma`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.compiled_special import (
    digamma_difference,
    digamma_remainder,
    log1p_remainder,
    log_gamma_ratio,
    stirling_remainder,
)
from clvmodels.numerics.elementary import compiled, log, log_of_sum
from clvmodels.numerics.special import CONCENTRATED_FROM

__all__ = ["count_sums", "history_sums", "row_sums"]

Array = NDArray[np.float64]


@compiled()
def count_sums(theta: Array, weight: Array, x: Array) -> tuple[float, Array]:
    """Return the weighted sums of the count terms of Gamma-Gamma and of their gradient, shape (3,)."""
    p, q = theta[0], theta[1]
    value, gradient = 0.0, np.zeros(3)
    for i in range(len(x)):
        w, n = weight[i], p * x[i]
        if min(n, q) < CONCENTRATED_FROM:
            small, large = min(n, q), max(n, q)
            value += w * (log_gamma_ratio(large, small) - math.lgamma(small))
            by_n, by_q = digamma_difference(n, q), digamma_difference(q, n)
        else:
            remainder = stirling_remainder(n + q) - stirling_remainder(n) - stirling_remainder(q)
            value += w * (0.5 * math.log(n / (2.0 * math.pi) / (1.0 + n / q)) + remainder)
            both = digamma_remainder(n + q)
            by_n, by_q = both - digamma_remainder(n), both - digamma_remainder(q)
        gradient[0] += w * x[i] * by_n
        gradient[1] += w * by_q
    return value, gradient


@compiled()
def history_sums(theta: Array, weight: Array, x: Array, mean_spend: Array) -> tuple[float, Array]:
    """Return the weighted sums of the history terms of Gamma-Gamma and of their gradient, shape (3,)."""
    if theta[1] < CONCENTRATED_FROM:
        value, by_p, by_q, by_v = _spread_out(theta, weight, x, mean_spend)
    else:
        value, by_p, by_q, by_v = _side_by_side(theta, weight, x, mean_spend)
    return value, np.array([by_p, by_q, by_v])


@compiled(reordered=True)
def _spread_out(theta: Array, weight: Array, x: Array, mean_spend: Array) -> tuple[float, ...]:
    """Sum over customers whose mean orders differ."""
    p, q, v = theta
    per_v = 1.0 / v
    value = by_p = by_q = by_v = 0.0
    for i in range(len(weight)):
        w, spent = weight[i], x[i] * mean_spend[i]
        per_total = 1.0 / (v + spent)
        share, rest = spent * per_total, v * per_total
        ratio, inverse = v / spent, spent * per_v
        log_share, log_rest = -log_of_sum(ratio, 1.0 + ratio, share), -log_of_sum(inverse, 1.0 + inverse, rest)
        n = p * x[i]
        value += w * (n * log_share + q * log_rest - log(mean_spend[i]))
        by_p += w * x[i] * log_share
        by_q += w * log_rest
        by_v += w * (q * share - n * rest) * per_v
    return value, by_p, by_q, by_v


@compiled()
def _side_by_side(theta: Array, weight: Array, x: Array, mean_spend: Array) -> tuple[float, ...]:
    """Sum over customers whose mean orders hardly differ: where powers nearly cancel, their logs are remainders."""
    p, q, v = theta
    value = by_p = by_q = by_v = 0.0
    for i in range(len(weight)):
        w, n, spent = weight[i], p * x[i], x[i] * mean_spend[i]
        log_share, log_rest = -math.log1p(v / spent), -math.log1p(spent / v)
        excess = q * (spent / (v + spent)) - n * (v / (v + spent))
        if min(n, q) < CONCENTRATED_FROM:
            powers = n * log_share + q * log_rest
        else:
            of_n, of_q = excess / n, -excess / q
            rest_n = log1p_remainder(of_n, log_share + math.log1p(q / n))
            rest_q = log1p_remainder(of_q, log_rest + math.log1p(n / q))
            powers, log_share, log_rest = n * rest_n + q * rest_q, of_n + rest_n, of_q + rest_q
        value += w * (powers - math.log(mean_spend[i]))
        by_p += w * x[i] * log_share
        by_q += w * log_rest
        by_v += w * excess / v
    return value, by_p, by_q, by_v


@compiled()
def row_sums(theta: Array, weight: Array, x: Array, mean_spend: Array) -> tuple[float, Array]:
    """Return the weighted sum of log-likelihoods, and the weighted gradient of each row, shape (n, 3).

    The rows have parameters of their own; what they have in common is computed once.
    """
    gradient, value, last_x, last_p, last_q = np.empty((len(weight), 3)), 0.0, np.nan, np.nan, np.nan
    count_value, count_slope = 0.0, np.zeros(3)
    unit_weight = np.ones(1)
    for i in range(len(weight)):
        own, rows = theta[i], slice(i, i + 1)
        if x[i] != last_x or own[0] != last_p or own[1] != last_q:
            last_x, last_p, last_q = x[i], own[0], own[1]
            count_value, count_slope = count_sums(own, unit_weight, x[rows])
        of_history, by_p, by_q, by_v = _side_by_side(own, weight[rows], x[rows], mean_spend[rows])
        value += of_history + weight[i] * count_value
        gradient[i, 0] = by_p + weight[i] * count_slope[0]
        gradient[i, 1] = by_q + weight[i] * count_slope[1]
        gradient[i, 2] = by_v
    return value, gradient
