"""Compiled sums of the terms of Pareto/NBD; formulas and sources are in `models.pareto_nbd`."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.compiled_special import digamma_difference, log_gamma_ratio
from clvmodels.numerics.elementary import compiled, exp, expm1, log, log1p, log_of_sum
from clvmodels.numerics.power_integral import LARGEST_FALL, NEGLIGIBLE, NODES, WEIGHTS, WIDEST_PANEL

__all__ = ["count_sums", "history_sums"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

type Factor = tuple[float, float, float]
"""A base, the power of it, and by how much a purchase raises that."""

AT_A_TIME: Final = 256
"""Histories: what is noted of each stays in the fastest memory."""


@compiled()
def count_sums(theta: Array, weight: Array, x: Array) -> tuple[float, Array]:
    """Return the weighted sums of the count terms of Pareto/NBD and of their gradient, shape (4,)."""
    r, alpha = theta[0], theta[1]
    log_alpha, value, gradient = math.log(alpha), 0.0, np.zeros(4)
    for i in range(len(x)):
        w = weight[i]
        value += w * (log_gamma_ratio(r, x[i]) - x[i] * log_alpha)
        gradient[0] += w * digamma_difference(r, x[i])
        gradient[1] -= w * x[i] / alpha
    return value, gradient


@compiled()
def history_sums(theta: Array, weight: Array, x: Array, t_x: Array, T: Array) -> tuple[float, Array]:
    """Return the weighted sums of the history terms of Pareto/NBD and of their gradient, shape (4,).

    The integral over the time of leaving is that of `power_integral`, of many histories at once.

    Rows of `notes`, a column a history: the widths in u of the near and of the far factor; the fall, then half the
    width of a panel; the integral in such halves, and integrals of u, of the log of the far factor and of t - t_x over
    the base of both. Rows of `panels`, a column a panel: its middle, half its width, 1 - the near power, the far power,
    near / far; its share of the integrals.
    """
    r, alpha, s, beta = theta
    purchase, dropout = (alpha, r, 1.0), (beta, s + 1.0, 0.0)
    near, far = (dropout, purchase) if beta < alpha else (purchase, dropout)
    notes, panels, owner = np.empty((8, AT_A_TIME)), np.empty((10, AT_A_TIME)), np.empty(AT_A_TIME, np.int64)
    sums = np.zeros(5)
    for start in range(0, len(weight), AT_A_TIME):
        rows = slice(start, start + AT_A_TIME)
        _note_widths(near, far, x[rows], t_x[rows], T[rows], notes)
        _integrate(near, far, x[rows], t_x[rows], notes, panels, owner)
        part = _part(theta, near, weight[rows], x[rows], t_x[rows], T[rows], notes)
        for j in range(5):
            sums[j] += part[j]
    return sums[0], sums[1:]


@compiled(reordered=True)
def _note_widths(near: Factor, far: Factor, x: Array, t_x: Array, T: Array, notes: Array) -> None:
    """Note the widths and falls."""
    for i in range(len(x)):
        width, more = log1p((T[i] - t_x[i]) / (near[0] + t_x[i])), log1p((T[i] - t_x[i]) / (far[0] + t_x[i]))
        notes[0, i], notes[1, i] = width, more
        notes[2, i] = (near[1] + near[2] * x[i]) * width + (far[1] + far[2] * x[i]) * more


@compiled()
def _integrate(near: Factor, far: Factor, x: Array, t_x: Array, notes: Array, panels: Array, owner: Index) -> None:
    """Note the rest: cut each width into panels, and sum these once as many are waiting as fit."""
    notes[3:] = 0.0
    waiting = 0
    for i in range(len(x)):
        near_power, far_power = near[1] + near[2] * x[i], far[1] + far[2] * x[i]
        ratio = (near[0] + t_x[i]) / (far[0] + t_x[i])
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


@compiled()
def _end_of_fall(width: float, near_power: float, far_power: float, ratio: float) -> tuple[float, float]:
    """Return where the fall reaches what is negligible, by Newton's method from the right, and how far it is there."""
    fall = 0.0
    for _ in range(60):
        grown = math.expm1(width)
        fall = near_power * width + far_power * math.log1p(ratio * grown)
        excess = fall - width - NEGLIGIBLE
        if excess <= 1.0:
            break
        width -= excess / (near_power + far_power * ratio * (1.0 + grown) / (1.0 + ratio * grown) - 1.0)
    return width, fall


@compiled()
def _add_panels(number: int, panels: Array, owner: Index, notes: Array) -> None:
    """Sum the panels, and add each sum to the history that it belongs to."""
    panels[5:] = 0.0
    for j in range(len(NODES)):
        _add_node(NODES[j], WEIGHTS[j], number, panels)
    for k in range(number):
        for row in range(5):
            notes[3 + row, owner[k]] += panels[5 + row, k]


@compiled(reordered=True)
def _add_node(place: float, share: float, number: int, panels: Array) -> None:
    """Add one node of each panel; all is in one array, whose rows do not overlap, as the compiler sees."""
    for i in range(number):
        u = panels[0, i] + panels[1, i] * place
        grown = expm1(u)
        growth, far_grown = 1.0 + grown, panels[4, i] * grown
        far_growth = 1.0 + far_grown
        per_product = 1.0 / (growth * far_growth)
        per_growth, per_far_growth = far_growth * per_product, growth * per_product
        log_far = log_of_sum(far_grown, far_growth, per_far_growth)
        term = exp(panels[2, i] * u - panels[3, i] * log_far) * share
        panels[5, i] += term
        panels[6, i] += term * u
        panels[7, i] += term * log_far
        panels[8, i] += term * grown * per_growth
        panels[9, i] += term * far_grown * per_far_growth


@compiled(reordered=True)
def _part(theta: Array, near: Factor, weight: Array, x: Array, t_x: Array, T: Array, notes: Array) -> tuple[float, ...]:
    """Return the value and the gradient."""
    r, alpha, s, beta = theta
    swap, per_s, per_alpha, per_beta = near[2] == 0.0, 1.0 / s, 1.0 / alpha, 1.0 / beta
    value = by_r = by_alpha = by_s = by_beta = 0.0
    for i in range(len(weight)):
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
        log_integral = log(notes[2, i] * total * (near[0] + t_x[i]) * s * per_beta_start)
        log_odds = log_integral + n * silence + s * beta_silence
        odds = exp(log_odds)
        both = 1.0 + odds
        alive = w / both
        left = alive * odds
        value += w * (max(log_odds, log(both)) - n * growth - s * beta_growth)
        by_r += left * (silence - mean * per_total) - w * growth
        by_alpha += n * per_start * (left * waited * per_total + w * t_x[i] * per_alpha + alive * silent * per_end)
        by_s += left * (beta_silence - beta_mean * per_total + per_s) - w * beta_growth
        by_left = (s + 1.0) * beta_waited * per_total - 1.0
        by_all = w * t_x[i] * per_beta + alive * silent * per_beta_end
        by_beta += per_beta_start * (left * by_left + s * by_all)
    return value, by_r, by_alpha, by_s, by_beta
