"""Compiled sums of the terms of Pareto/NBD where rows have parameters of their own.

Formulas and sources are in `models.pareto_nbd`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from clvmodels.models.kernels.pareto_nbd import AT_A_TIME, _add_panels, _end_of_fall
from clvmodels.numerics.compiled_special import digamma_difference, log_gamma_ratio
from clvmodels.numerics.elementary import compiled, exp, log, log1p
from clvmodels.numerics.power_integral import LARGEST_FALL, NEGLIGIBLE, WIDEST_PANEL

__all__ = ["row_sums"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@compiled()
def row_sums(theta: Array, weight: Array, x: Array, t_x: Array, T: Array) -> tuple[float, Array]:
    """Return the weighted sum of log-likelihoods, and the weighted gradient of each row, shape (n, 4).

    Rows of `bases`: base and power of the factor that falls nearer to t_x, then of the other. `notes` and `panels` are
    those of `kernels.pareto_nbd`.
    """
    gradient, value = np.empty((len(weight), 4)), 0.0
    bases, notes, panels = np.empty((4, AT_A_TIME)), np.empty((8, AT_A_TIME)), np.empty((10, AT_A_TIME))
    owner, parts = np.empty(AT_A_TIME, np.int64), np.empty((8, AT_A_TIME))
    for start in range(0, len(weight), AT_A_TIME):
        rows = slice(start, start + AT_A_TIME)
        of_rows, size = theta[rows], len(weight[rows])
        for j in range(4):
            for i in range(size):
                parts[4 + j, i] = of_rows[i, j]
        _note_bases(parts, x[rows], bases)
        _note_widths(bases, t_x[rows], T[rows], notes)
        _integrate(bases, t_x[rows], notes, panels, owner)
        value += _add_histories(weight[rows], x[rows], t_x[rows], T[rows], bases, notes, parts)
        value += _add_counts(weight[rows], x[rows], parts)
        for j in range(4):
            for i in range(size):
                gradient[start + i, j] = parts[j, i]
    return value, gradient


@compiled()
def _note_bases(parts: Array, x: Array, bases: Array) -> None:
    for i in range(len(x)):
        r, alpha, s, beta = parts[4, i], parts[5, i], parts[6, i], parts[7, i]
        if beta < alpha:
            bases[0, i], bases[1, i], bases[2, i], bases[3, i] = beta, s + 1.0, alpha, r + x[i]
        else:
            bases[0, i], bases[1, i], bases[2, i], bases[3, i] = alpha, r + x[i], beta, s + 1.0


@compiled(reordered=True)
def _note_widths(bases: Array, t_x: Array, T: Array, notes: Array) -> None:
    """Note the widths and falls."""
    for i in range(len(t_x)):
        width, more = log1p((T[i] - t_x[i]) / (bases[0, i] + t_x[i])), log1p((T[i] - t_x[i]) / (bases[2, i] + t_x[i]))
        notes[0, i], notes[1, i] = width, more
        notes[2, i] = bases[1, i] * width + bases[3, i] * more


@compiled()
def _integrate(bases: Array, t_x: Array, notes: Array, panels: Array, owner: Index) -> None:
    """Note the rest: cut each width into panels, and sum these once as many are waiting as fit."""
    notes[3:] = 0.0
    waiting = 0
    for i in range(len(t_x)):
        near_power, far_power = bases[1, i], bases[3, i]
        ratio = (bases[0, i] + t_x[i]) / (bases[2, i] + t_x[i])
        width, fall = notes[0, i], notes[2, i]
        if fall - width - NEGLIGIBLE > 1.0:
            width, fall = _end_of_fall(width, near_power, far_power, ratio)
        number = 1 + int(max(width // WIDEST_PANEL, min(fall, NEGLIGIBLE) // LARGEST_FALL))
        half = width / (2.0 * number)
        notes[2, i] = half
        for k in range(number):
            if waiting == AT_A_TIME:
                _add_panels(waiting, panels, owner, notes)
                waiting = 0
            panels[0, waiting], panels[1, waiting] = half * (2.0 * k + 1.0), half
            panels[2, waiting], panels[3, waiting] = 1.0 - near_power, far_power
            panels[4, waiting] = ratio
            owner[waiting] = i
            waiting += 1
    _add_panels(waiting, panels, owner, notes)


@compiled(reordered=True)
def _add_histories(weight: Array, x: Array, t_x: Array, T: Array, bases: Array, notes: Array, parts: Array) -> float:
    """Return the value, and write the gradients to the first four rows of `parts`; the parameters are in the others."""
    value = 0.0
    for i in range(len(weight)):
        r, alpha, s, beta = parts[4, i], parts[5, i], parts[6, i], parts[7, i]
        per_s, per_alpha, per_beta = 1.0 / s, 1.0 / alpha, 1.0 / beta
        swap = beta < alpha
        w, n, silent = weight[i], r + x[i], T[i] - t_x[i]
        per_start, per_beta_start = 1.0 / (alpha + t_x[i]), 1.0 / (beta + t_x[i])
        age, beta_age = T[i] * per_alpha, T[i] * per_beta
        growth, beta_growth = log1p(age), log1p(beta_age)
        per_end, per_beta_end = per_alpha / (1.0 + age), per_beta / (1.0 + beta_age)
        silence, beta_silence = (notes[1, i], notes[0, i]) if swap else (notes[0, i], notes[1, i])
        total = notes[3, i]
        per_total = 1.0 / total
        mean, beta_mean = (notes[5, i], notes[4, i]) if swap else (notes[4, i], notes[5, i])
        waited, beta_waited = (notes[7, i], notes[6, i]) if swap else (notes[6, i], notes[7, i])
        log_integral = log(notes[2, i] * total * (bases[0, i] + t_x[i]) * s * per_beta_start)
        log_odds = log_integral + n * silence + s * beta_silence
        odds = exp(log_odds)
        both = 1.0 + odds
        alive = w / both
        left = alive * odds
        value += w * (max(log_odds, log(both)) - n * growth - s * beta_growth)
        parts[0, i] = left * (silence - mean * per_total) - w * growth
        parts[1, i] = n * per_start * (left * waited * per_total + w * t_x[i] * per_alpha + alive * silent * per_end)
        parts[2, i] = left * (beta_silence - beta_mean * per_total + per_s) - w * beta_growth
        by_left = (s + 1.0) * beta_waited * per_total - 1.0
        by_all = w * t_x[i] * per_beta + alive * silent * per_beta_end
        parts[3, i] = per_beta_start * (left * by_left + s * by_all)
    return value


@compiled()
def _add_counts(weight: Array, x: Array, parts: Array) -> float:
    """Return the value of the count terms, and add their gradients; what depends on r and x alone is computed once."""
    value, last_r, last_x, of_count, by_r = 0.0, np.nan, np.nan, 0.0, 0.0
    for i in range(len(weight)):
        r, alpha, w = parts[4, i], parts[5, i], weight[i]
        if r != last_r or x[i] != last_x:
            last_r, last_x = r, x[i]
            of_count, by_r = log_gamma_ratio(r, x[i]), digamma_difference(r, x[i])
        value += w * (of_count - x[i] * math.log(alpha))
        parts[0, i] += w * by_r
        parts[1, i] -= w * x[i] / alpha
    return value
