"""Compiled sums of the terms of BG/NBD and MBG/NBD whose rows have parameters of their own.

Formulas and sources are in `models.beta_geometric`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.compiled_special import digamma_difference, log_gamma_ratio
from clvmodels.numerics.elementary import compiled, exp, log, log_of_sum

__all__ = ["bg_row_sums", "mbg_row_sums"]

Array = NDArray[np.float64]


@compiled()
def _row_sums(theta: Array, first: float, weight: Array, x: Array, t_x: Array, T: Array) -> tuple[float, Array]:
    """Return the weighted sum of log-likelihoods, and the weighted gradient of each row, shape (n, 4).

    `first` is the number of opportunities to leave before the first repeat purchase.
    """
    gradient = np.empty((len(weight), 4))
    value = _add_histories(theta, first, weight, x, t_x, T, gradient)
    return value + _add_counts(theta, first, weight, x, gradient), gradient


@compiled(reordered=True)
def _add_histories(theta: Array, first: float, weight: Array, x: Array, t_x: Array, T: Array, gradient: Array) -> float:
    """Return the value of the history terms, and write their gradients; nobody can have left where k is zero."""
    value = 0.0
    for i in range(len(weight)):
        r, alpha, a, b = theta[i, 0], theta[i, 1], theta[i, 2], theta[i, 3]
        w, n, k, per_alpha = weight[i], r + x[i], x[i] + first, 1.0 / alpha
        per_rest = 1.0 / (b + (k - 1.0)) if k > 0.0 else 0.0
        age, recency = T[i] * per_alpha, t_x[i] * per_alpha
        end, last = 1.0 + age, 1.0 + recency
        per_product = 1.0 / (end * last)
        per_end, per_last = last * per_product, end * per_product
        silent = (age - recency) * per_last
        growth, silence = log_of_sum(age, end, per_end), log_of_sum(silent, 1.0 + silent, last * per_end)
        log_odds = n * silence + log(a * per_rest) if k > 0.0 else -np.inf
        odds = exp(log_odds) if k > 0.0 else 0.0
        both = 1.0 + odds
        alive = w / both
        left = alive * odds
        value += w * (max(log_odds, log(both)) - n * growth)
        gradient[i, 0] = left * silence - w * growth
        gradient[i, 1] = n * (w * recency * per_last + alive * silent * per_end) * per_alpha
        gradient[i, 2] = left / a
        gradient[i, 3] = -left * per_rest
    return value


@compiled()
def _add_counts(theta: Array, first: float, weight: Array, x: Array, gradient: Array) -> float:
    """Return the value of the count terms, and add their gradients; what rows have in common is computed once."""
    value, last_r, last_x, last_a, last_b = 0.0, np.nan, np.nan, np.nan, np.nan
    of_count = by_r = of_chances = leave = stay = 0.0
    for i in range(len(weight)):
        r, alpha, a, b, w = theta[i, 0], theta[i, 1], theta[i, 2], theta[i, 3], weight[i]
        k, new = x[i] + first, x[i] != last_x
        if new or r != last_r:
            of_count, by_r = log_gamma_ratio(r, x[i]), digamma_difference(r, x[i])
        if new or a != last_a or b != last_b:
            of_chances = log_gamma_ratio(b, k) - log_gamma_ratio(a + b, k) if k > 0.0 else 0.0
            leave = digamma_difference(a + b, k) if k > 0.0 else 0.0
            stay = digamma_difference(b, k) - leave if k > 0.0 else 0.0
        last_r, last_x, last_a, last_b = r, x[i], a, b
        value += w * (of_count - x[i] * math.log(alpha) + of_chances)
        gradient[i, 0] += w * by_r
        gradient[i, 1] -= w * x[i] / alpha
        gradient[i, 2] -= w * leave
        gradient[i, 3] += w * stay
    return value


@compiled()
def bg_row_sums(theta: Array, weight: Array, x: Array, t_x: Array, T: Array) -> tuple[float, Array]:
    """Return the weighted sum of log-likelihoods of BG/NBD, and the weighted gradient of each row, shape (n, 4)."""
    return _row_sums(theta, 0.0, weight, x, t_x, T)


@compiled()
def mbg_row_sums(theta: Array, weight: Array, x: Array, t_x: Array, T: Array) -> tuple[float, Array]:
    """Return the weighted sum of log-likelihoods of MBG/NBD, and the weighted gradient of each row, shape (n, 4)."""
    return _row_sums(theta, 1.0, weight, x, t_x, T)
