"""Compiled sums of the terms of BG/NBD and MBG/NBD; formulas and sources are in `models.beta_geometric`.

Histories are summed in runs of one x, so that what depends on x alone is computed once for each.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.compiled_special import digamma_difference, log_gamma_ratio
from clvmodels.numerics.elementary import compiled, exp, log, log_of_sum

__all__ = [
    "bg_count_sums",
    "bg_history_expansion",
    "bg_history_sums",
    "mbg_count_sums",
    "mbg_history_expansion",
    "mbg_history_sums",
]

Array = NDArray[np.float64]


@compiled()
def _count_sums(theta: Array, first: float, weight: Array, x: Array) -> tuple[float, Array]:
    """Sum the count terms of BG/NBD (first = 0) or MBG/NBD (first = 1).

    `first` is the number of opportunities to leave before the first repeat purchase.
    """
    r, alpha, a, b = theta
    log_alpha, value, gradient = math.log(alpha), 0.0, np.zeros(4)
    for i in range(len(x)):
        k, w = x[i] + first, weight[i]
        of_chances = log_gamma_ratio(b, k) - log_gamma_ratio(a + b, k)
        value += w * (log_gamma_ratio(r, x[i]) - x[i] * log_alpha + of_chances)
        leave = digamma_difference(a + b, k)
        gradient[0] += w * digamma_difference(r, x[i])
        gradient[1] -= w * x[i] / alpha
        gradient[2] -= w * leave
        gradient[3] += w * (digamma_difference(b, k) - leave)
    return value, gradient


@compiled()
def _history_expansion(
    theta: Array, first: float, weight: Array, x: Array, t_x: Array, T: Array
) -> tuple[float, Array, Array]:
    """Return value, gradient and second derivatives (which cost little beside the logarithms), one run of x at a time.

    `per_rest` is 1 / (b + k - 1), and zero where nobody can have left.
    """
    r, alpha, a, b = theta
    value, gradient, matrix = 0.0, np.zeros(4), np.zeros((4, 4))
    start = 0
    while start < len(weight):
        stop = _end_of_run(x, start)
        n, k = r + x[start], x[start] + first
        per_rest = 1.0 / (b + (k - 1.0)) if k > 0.0 else 0.0
        rows = slice(start, stop)
        (
            log_sum,
            growths,
            left,
            left_silence,
            rate,
            squares,
            spread,
            by_r,
            by_alpha,
            by_r_r,
            by_r_alpha,
            by_alpha_alpha,
        ) = _equally_often(1.0 / alpha, n, math.log(a * per_rest), weight[rows], t_x[rows], T[rows])
        value += log_sum - n * growths
        gradient += np.array([left_silence - growths, n * rate / alpha, left / a, -left * per_rest])
        matrix[0, 0] += by_r_r
        matrix[0, 1] += (rate - n * by_r_alpha) / alpha
        matrix[0, 2] += by_r / a
        matrix[0, 3] -= by_r * per_rest
        matrix[1, 1] += n * (n * by_alpha_alpha + squares) / alpha**2
        matrix[1, 2] -= n * by_alpha / a / alpha
        matrix[1, 3] += n * by_alpha * per_rest / alpha
        matrix[2, 2] += (spread - left) / a**2
        matrix[2, 3] -= spread * per_rest / a
        matrix[3, 3] += (spread + left) * per_rest**2
        start = stop
    for i in range(4):
        for j in range(i):
            matrix[i, j] = matrix[j, i]
    return value, gradient, matrix


@compiled()
def _end_of_run(x: Array, start: int) -> int:
    stop = start + 1
    while stop < len(x) and x[stop] == x[start]:
        stop += 1
    return stop


@compiled(reordered=True)
def _equally_often(
    per_alpha: float, n: float, log_ratio: float, weight: Array, t_x: Array, T: Array
) -> tuple[float, ...]:
    """Sum over histories of one x; time is counted in units of alpha."""
    log_sum = growths = lefts = left_silence = rate = squares = spreads = 0.0
    by_r = by_alpha = by_r_r = by_r_alpha = by_alpha_alpha = 0.0
    for i in range(len(weight)):
        w, age, recency = weight[i], T[i] * per_alpha, t_x[i] * per_alpha
        end, last = 1.0 + age, 1.0 + recency
        per_product = 1.0 / (end * last)
        per_end, per_last = last * per_product, end * per_product
        silent = (T[i] - t_x[i]) * per_alpha * per_last
        growth, silence = log_of_sum(age, end, per_end), log_of_sum(silent, 1.0 + silent, last * per_end)
        log_odds = n * silence + log_ratio
        odds = exp(log_odds)
        both = 1.0 + odds
        log_both, stay = log(both), 1.0 / both
        alive = w * stay
        left = alive * odds
        spread = left * stay
        waited, aged = silent * per_end, w * age * per_end
        log_sum += w * max(log_odds, log_both)
        growths += w * growth
        lefts += left
        left_silence += left * silence
        rate += w * recency * per_last + alive * waited
        squares += left * waited * (per_end + per_last) - aged * (1.0 + per_end)
        spreads += spread
        by_r += spread * silence
        by_alpha += spread * waited
        by_r_r += spread * silence * silence
        by_r_alpha += spread * silence * waited
        by_alpha_alpha += spread * waited * waited
    return (
        log_sum,
        growths,
        lefts,
        left_silence,
        rate,
        squares,
        spreads,
        by_r,
        by_alpha,
        by_r_r,
        by_r_alpha,
        by_alpha_alpha,
    )


@compiled()
def bg_count_sums(theta: Array, weight: Array, x: Array) -> tuple[float, Array]:
    """Return the weighted sums of the count terms of BG/NBD and of their gradient, shape (4,)."""
    return _count_sums(theta, 0.0, weight, x)


@compiled()
def bg_history_sums(theta: Array, weight: Array, x: Array, t_x: Array, T: Array) -> tuple[float, Array]:
    """Return the weighted sums of the history terms of BG/NBD and of their gradient, shape (4,)."""
    return bg_history_expansion(theta, weight, x, t_x, T)[:2]


@compiled()
def bg_history_expansion(theta: Array, weight: Array, x: Array, t_x: Array, T: Array) -> tuple[float, Array, Array]:
    """Return the same and the sum of the second derivatives, shape (4, 4)."""
    return _history_expansion(theta, 0.0, weight, x, t_x, T)


@compiled()
def mbg_count_sums(theta: Array, weight: Array, x: Array) -> tuple[float, Array]:
    """Return the weighted sums of the count terms of MBG/NBD and of their gradient, shape (4,)."""
    return _count_sums(theta, 1.0, weight, x)


@compiled()
def mbg_history_sums(theta: Array, weight: Array, x: Array, t_x: Array, T: Array) -> tuple[float, Array]:
    """Return the weighted sums of the history terms of MBG/NBD and of their gradient, shape (4,)."""
    return mbg_history_expansion(theta, weight, x, t_x, T)[:2]


@compiled()
def mbg_history_expansion(theta: Array, weight: Array, x: Array, t_x: Array, T: Array) -> tuple[float, Array, Array]:
    """Return the same and the sum of the second derivatives, shape (4, 4)."""
    return _history_expansion(theta, 1.0, weight, x, t_x, T)
