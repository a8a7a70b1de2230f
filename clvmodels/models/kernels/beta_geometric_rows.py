"""Compiled sums of the terms of BG/NBD and MBG/NBD whose rows have parameters of their own.

Formulas and sources are in `models.beta_geometric`.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.compiled_special import digamma_difference, log_gamma_ratio
from clvmodels.numerics.elementary import compiled, exp, log, log_of_sum

__all__ = ["bg_row_sums", "mbg_row_sums"]

Array = NDArray[np.float64]

AT_A_TIME: Final = 256
"""Rows: what is noted of each stays in the fastest memory."""
MOST_FACTORS: Final = 16.0
"""From here on two gamma functions cost less than their ratio as a product."""


@compiled()
def _row_sums(theta: Array, first: float, weight: Array, x: Array, t_x: Array, T: Array) -> tuple[float, Array]:
    """Return the weighted sum of log-likelihoods, and the weighted gradient of each row, shape (n, 4).

    `first` is the number of opportunities to leave before the first repeat purchase. Rows of `parts`, a column a
    history: its parameters, then the gradient by each.
    """
    gradient, parts, value = np.empty((len(weight), 4)), np.empty((8, AT_A_TIME)), 0.0
    for start in range(0, len(weight), AT_A_TIME):
        rows = slice(start, start + AT_A_TIME)
        w, of_x, size = weight[rows], x[rows], len(weight[rows])
        for i in range(size):
            for j in range(4):
                parts[j, i] = theta[start + i, j]
        value += _note_histories(first, w, of_x, t_x[rows], T[rows], parts)
        value += _note_counts(first, w, of_x, parts)
        for i in range(size):
            for j in range(4):
                gradient[start + i, j] = parts[4 + j, i]
    return value, gradient


@compiled(reordered=True)
def _note_histories(first: float, weight: Array, x: Array, t_x: Array, T: Array, parts: Array) -> float:
    """Return the value of the history terms and of -x log alpha, and note their gradients.

    Nobody can have left where k is zero: `per_rest` is zero there.
    """
    value = 0.0
    for i in range(len(weight)):
        r, alpha, a, b = parts[0, i], parts[1, i], parts[2, i], parts[3, i]
        w, n, k, per_alpha = weight[i], r + x[i], x[i] + first, 1.0 / alpha
        per_rest = 1.0 / (b + (k - 1.0)) if k > 0.0 else 0.0
        age, recency = T[i] * per_alpha, t_x[i] * per_alpha
        end, last = 1.0 + age, 1.0 + recency
        per_product = 1.0 / (end * last)
        per_end, per_last = last * per_product, end * per_product
        silent = (age - recency) * per_last
        growth, silence = log_of_sum(age, end, per_end), log_of_sum(silent, 1.0 + silent, last * per_end)
        log_odds = n * silence + log(a * per_rest)
        odds = exp(log_odds)
        both = 1.0 + odds
        alive = w / both
        left = alive * odds
        value += w * (max(log_odds, log(both)) - n * growth - x[i] * log(alpha))
        parts[4, i] = left * silence - w * growth
        parts[5, i] = (n * (w * recency * per_last + alive * silent * per_end) - w * x[i]) * per_alpha
        parts[6, i] = left / a
        parts[7, i] = -left * per_rest
    return value


@compiled()
def _chances(a: float, b: float, k: float) -> tuple[float, float]:
    """Return log of B(a, b+k) / B(a, b), and minus its derivative by a: products and sums where k is small and whole.

    Each factor (b + j) / (a + b + j) is below one; so few of them do not run out of numbers.
    """
    if not (k <= MOST_FACTORS and k == math.floor(k)):
        return log_gamma_ratio(b, k) - log_gamma_ratio(a + b, k), digamma_difference(a + b, k)
    product, total, leave = 1.0, a + b, 0.0
    for j in range(int(k)):
        share = 1.0 / (total + j)
        product *= (b + j) * share
        leave += share
    return log(product), leave


@compiled()
def _note_counts(first: float, weight: Array, x: Array, parts: Array) -> float:
    """Return the value of the other count terms, and add their gradients; what rows have in common is computed once."""
    value, last_r, last_x, last_a, last_b = 0.0, np.nan, np.nan, np.nan, np.nan
    of_count = by_r = of_chances = leave = of_b = 0.0
    for i in range(len(weight)):
        r, a, b, w = parts[0, i], parts[2, i], parts[3, i], weight[i]
        k, new = x[i] + first, x[i] != last_x
        if new or r != last_r:
            of_count, by_r = log_gamma_ratio(r, x[i]), digamma_difference(r, x[i])
        if new or b != last_b:
            of_b = digamma_difference(b, k) if k > 0.0 else 0.0
        if new or a != last_a or b != last_b:
            of_chances, leave = _chances(a, b, k)
        last_r, last_x, last_a, last_b = r, x[i], a, b
        value += w * (of_count + of_chances)
        parts[4, i] += w * by_r
        parts[6, i] -= w * leave
        parts[7, i] += w * (of_b - leave)
    return value


@compiled()
def bg_row_sums(theta: Array, weight: Array, x: Array, t_x: Array, T: Array) -> tuple[float, Array]:
    """Return the weighted sum of log-likelihoods of BG/NBD, and the weighted gradient of each row, shape (n, 4)."""
    return _row_sums(theta, 0.0, weight, x, t_x, T)


@compiled()
def mbg_row_sums(theta: Array, weight: Array, x: Array, t_x: Array, T: Array) -> tuple[float, Array]:
    """Return the weighted sum of log-likelihoods of MBG/NBD, and the weighted gradient of each row, shape (n, 4)."""
    return _row_sums(theta, 1.0, weight, x, t_x, T)
