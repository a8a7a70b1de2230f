"""Compiled twins of the models' terms, summed over customers: for samplers, and for fits to many distinct histories.

A sampler asks for the log-likelihood and its gradient some ten thousand times, from several threads at once, and a fit
to millions of customers spends its time there: these functions run without the interpreter, and take several histories
at once. Their arguments are those of the models' own functions, columns contiguous and sorted by x; what they return
are the sums. Formulas and sources are in the models' own files, and contract tests compare the two.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.models.bg_nbd import BG_NBD
from clvmodels.models.gamma_gamma import GAMMA_GAMMA
from clvmodels.models.mbg_nbd import MBG_NBD
from clvmodels.models.pareto_nbd import PARETO_NBD
from clvmodels.models.specification import Array, Expansion, Sums
from clvmodels.numerics.elementary import compiled, exp, log, log1p
from clvmodels.numerics.power_integral import LARGEST_FALL, NEGLIGIBLE, NODES, WEIGHTS, WIDEST_PANEL
from clvmodels.numerics.special import STIRLING_FROM

__all__ = ["EXPANSIONS", "SUMS"]

Index = NDArray[np.int64]

type Factor = tuple[float, float, float]
"""A base, the power of it, and by how much a purchase raises that."""

AT_A_TIME: Final = 256
"""Histories: what is noted of each stays in the fastest memory."""


@compiled()
def _digamma(z: float) -> float:
    """Digamma for z > 0 by recurrence and its asymptotic series (DLMF 5.11.2)."""
    value = 0.0
    while z < 10.0:
        value -= 1.0 / z
        z += 1.0
    q = 1.0 / (z * z)
    series = q * (1 / 12 - q * (1 / 120 - q * (1 / 252 - q * (1 / 240 - q * (1 / 132 - q * (691 / 32760 - q / 12))))))
    return value + math.log(z) - 0.5 / z - series


@compiled()
def _stirling_remainder(z: float) -> float:
    """Return log Gamma(z) - [(z - 1/2) log z - z + log(2 pi)/2] for z >= 12 (DLMF 5.11.1)."""
    q = 1.0 / (z * z)
    series: float = (1 / 12 - q * (1 / 360 - q * (1 / 1260 - q * (1 / 1680 - q * (1 / 1188 - q * 691 / 360360))))) / z
    return series


@compiled()
def _log_gamma_ratio(z: float, d: float) -> float:
    """Return log[Gamma(z + d) / Gamma(z)]."""
    if z < STIRLING_FROM:
        return math.lgamma(z + d) - math.lgamma(z)
    series = (z - 0.5) * math.log1p(d / z) + d * (math.log(z + d) - 1.0)
    return series + _stirling_remainder(z + d) - _stirling_remainder(z)


@compiled()
def _beta_geometric_counts(theta: Array, first: float, weight: Array, x: Array) -> tuple[float, Array]:
    """BG/NBD (first = 0) and MBG/NBD (first = 1 opportunity to leave before the first repeat purchase)."""
    r, alpha, a, b = theta
    log_alpha, psi_r, psi_ab, psi_b = math.log(alpha), _digamma(r), _digamma(a + b), _digamma(b)
    value, gradient = 0.0, np.zeros(4)
    for i in range(len(x)):
        k, w = x[i] + first, weight[i]
        value += w * (_log_gamma_ratio(r, x[i]) + r * log_alpha + _log_gamma_ratio(b, k) - _log_gamma_ratio(a + b, k))
        stay = psi_ab - _digamma(a + b + k)
        gradient[0] += w * (_digamma(r + x[i]) - psi_r + log_alpha)
        gradient[1] += w * r / alpha
        gradient[2] += w * stay
        gradient[3] += w * (stay + _digamma(b + k) - psi_b)
    return value, gradient


@compiled()
def _beta_geometric(
    theta: Array, first: float, weight: Array, x: Array, t_x: Array, T: Array
) -> tuple[float, Array, Array]:
    """Return value, gradient and second derivatives (which cost little beside the logarithms), one x at a time.

    `per_rest` is 1 / (b + k - 1), and zero where nobody can have left.
    """
    r, alpha, a, b = theta
    value, gradient, matrix = 0.0, np.zeros(4), np.zeros((4, 4))
    start = 0
    while start < len(weight):
        stop = _end_of_run(x, start)
        n, k = r + x[start], x[start] + first
        per_rest = 1.0 / (b + k - 1.0) if k > 0.0 else 0.0
        rows = slice(start, stop)
        (
            log_sum,
            log_ends,
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
        ) = _equally_often(alpha, n, math.log(a * per_rest), weight[rows], t_x[rows], T[rows])
        value += log_sum - n * log_ends
        gradient += np.array([left_silence - log_ends, -n * rate, left / a, -left * per_rest])
        matrix[0, 0] += by_r_r
        matrix[0, 1] += n * by_r_alpha - rate
        matrix[0, 2] += by_r / a
        matrix[0, 3] -= by_r * per_rest
        matrix[1, 1] += n * (n * by_alpha_alpha + squares)
        matrix[1, 2] += n * by_alpha / a
        matrix[1, 3] -= n * by_alpha * per_rest
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
def _equally_often(alpha: float, n: float, log_ratio: float, weight: Array, t_x: Array, T: Array) -> tuple[float, ...]:
    log_sum = log_ends = lefts = left_silence = rate = squares = spreads = 0.0
    by_r = by_alpha = by_r_r = by_r_alpha = by_alpha_alpha = 0.0
    for i in range(len(weight)):
        w, end, last = weight[i], alpha + T[i], alpha + t_x[i]
        log_end = log(end)
        silence = log_end - log(last)
        log_odds = n * silence + log_ratio
        both = 1.0 + exp(log_odds)
        log_both, stay = log(both), 1.0 / both
        per_product = 1.0 / (end * last)
        per_end, per_last = last * per_product, end * per_product
        alive = w * stay
        left = w - alive
        spread = left * stay
        waited = per_end - per_last
        log_sum += w * max(log_odds, log_both)
        log_ends += w * log_end
        lefts += left
        left_silence += left * silence
        rate += alive * per_end + left * per_last
        squares += alive * per_end * per_end + left * per_last * per_last
        spreads += spread
        by_r += spread * silence
        by_alpha += spread * waited
        by_r_r += spread * silence * silence
        by_r_alpha += spread * silence * waited
        by_alpha_alpha += spread * waited * waited
    return (
        log_sum,
        log_ends,
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
def _pareto_counts(theta: Array, weight: Array, x: Array) -> tuple[float, Array]:
    """Pareto/NBD."""
    r, alpha, s, beta = theta
    log_alpha, log_beta, psi_r = math.log(alpha), math.log(beta), _digamma(r)
    value, gradient = 0.0, np.zeros(4)
    for i in range(len(x)):
        w = weight[i]
        value += w * (_log_gamma_ratio(r, x[i]) + r * log_alpha + s * log_beta)
        gradient[0] += w * (_digamma(r + x[i]) - psi_r + log_alpha)
        gradient[1] += w * r / alpha
        gradient[2] += w * log_beta
        gradient[3] += w * s / beta
    return value, gradient


@compiled()
def _pareto_histories(theta: Array, weight: Array, x: Array, t_x: Array, T: Array) -> tuple[float, Array]:
    """Pareto/NBD: the integral over the time of leaving is `power_integral`'s, of many histories at once.

    Rows of `notes`, a column a history: the width in u; the fall, then half the width of a panel; the integral in such
    halves, and integrals of u, of the log of the far factor and of the reciprocals of both. Rows of `panels`, a column
    a panel: its middle, half its width, 1 - the near power, the far power, near / far; its share of the integrals.
    """
    r, alpha, s, beta = theta
    one, other = (alpha, r, 1.0), (beta, s + 1.0, 0.0)
    near, far = (other, one) if beta < alpha else (one, other)
    notes, panels, owner = np.empty((7, AT_A_TIME)), np.empty((10, AT_A_TIME)), np.empty(AT_A_TIME, np.int64)
    sums = np.zeros(5)
    for start in range(0, len(weight), AT_A_TIME):
        some = slice(start, start + AT_A_TIME)
        _note_widths(near, far, x[some], t_x[some], T[some], notes)
        _integrate(near, far, x[some], t_x[some], notes, panels, owner)
        part = _pareto_part(theta, near, far, weight[some], x[some], t_x[some], T[some], notes)
        for j in range(5):
            sums[j] += part[j]
    return sums[0], sums[1:]


@compiled(reordered=True)
def _note_widths(near: Factor, far: Factor, x: Array, t_x: Array, T: Array, notes: Array) -> None:
    """Note the widths and falls."""
    for i in range(len(x)):
        width, more = log1p((T[i] - t_x[i]) / (near[0] + t_x[i])), log1p((T[i] - t_x[i]) / (far[0] + t_x[i]))
        notes[0, i] = width
        notes[1, i] = (near[1] + near[2] * x[i]) * width + (far[1] + far[2] * x[i]) * more


@compiled()
def _integrate(near: Factor, far: Factor, x: Array, t_x: Array, notes: Array, panels: Array, owner: Index) -> None:
    """Note the rest: cut each width into panels, and sum these once as many are waiting as fit."""
    notes[2:] = 0.0
    waiting = 0
    for i in range(len(x)):
        near_power, far_power = near[1] + near[2] * x[i], far[1] + far[2] * x[i]
        ratio = (near[0] + t_x[i]) / (far[0] + t_x[i])
        width, fall = notes[0, i], notes[1, i]
        if fall - width - NEGLIGIBLE > 1.0:
            width, fall = _end_of_fall(width, near_power, far_power, ratio)
        number = 1 + int(max(width // WIDEST_PANEL, min(fall, NEGLIGIBLE) // LARGEST_FALL))
        half = width / (2.0 * number)
        notes[1, i] = half
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
    """Sum some panels, and add what they give to whose they are."""
    panels[5:] = 0.0
    for j in range(len(NODES)):
        _add_node(NODES[j], WEIGHTS[j], number, panels)
    for k in range(number):
        for row in range(5):
            notes[2 + row, owner[k]] += panels[5 + row, k]


@compiled(reordered=True)
def _add_node(place: float, share: float, number: int, panels: Array) -> None:
    """Add one node of each panel; all is in one array, whose rows do not overlap, as the compiler sees."""
    for i in range(number):
        u = panels[0, i] + panels[1, i] * place
        grown = exp(u)
        far_growth = 1.0 + panels[4, i] * (grown - 1.0)
        log_far = log(far_growth)
        term = exp(panels[2, i] * u - panels[3, i] * log_far) * share
        per_product = term / (grown * far_growth)
        panels[5, i] += term
        panels[6, i] += term * u
        panels[7, i] += term * log_far
        panels[8, i] += far_growth * per_product
        panels[9, i] += grown * per_product


@compiled(reordered=True)
def _pareto_part(
    theta: Array, near: Factor, far: Factor, weight: Array, x: Array, t_x: Array, T: Array, notes: Array
) -> tuple[float, ...]:
    """Return the value and the gradient."""
    r, alpha, s, beta = theta
    swap, log_s, per_s = near[2] == 0.0, math.log(s), 1.0 / s
    value = by_r = by_alpha = by_s = by_beta = 0.0
    for i in range(len(weight)):
        w, n, end, beta_end = weight[i], r + x[i], alpha + T[i], beta + T[i]
        near_start, far_start = near[0] + t_x[i], far[0] + t_x[i]
        near_power, far_power = near[1] + near[2] * x[i], far[1] + far[2] * x[i]
        log_near, log_far, total = log(near_start), log(far_start), notes[2, i]
        log_left = log(notes[1, i] * total) + (1.0 - near_power) * log_near - far_power * log_far
        per_total = 1.0 / total
        by_near_power = -log_near - notes[3, i] * per_total
        by_far_power = -log_far - notes[4, i] * per_total
        by_near = -near_power * notes[5, i] * per_total / near_start
        by_far = -far_power * notes[6, i] * per_total / far_start
        log_end, log_beta_end = log(end), log(beta_end)
        log_alive = -n * log_end - s * log_beta_end
        log_odds = log_left + log_s - log_alive
        both = 1.0 + exp(log_odds)
        log_both = log(both)
        alive = w / both
        left = w - alive
        value += w * (max(log_odds, log_both) + log_alive)
        by_r += left * (by_far_power if swap else by_near_power) - alive * log_end
        by_alpha += left * (by_far if swap else by_near) - alive * n / end
        by_s += left * ((by_near_power if swap else by_far_power) + per_s) - alive * log_beta_end
        by_beta += left * (by_near if swap else by_far) - alive * s / beta_end
    return value, by_r, by_alpha, by_s, by_beta


@compiled()
def _gamma_gamma_counts(theta: Array, weight: Array, x: Array) -> tuple[float, Array]:
    """Gamma-Gamma."""
    p, q, v = theta
    log_v, psi_q, log_gamma_q = math.log(v), _digamma(q), math.lgamma(q)
    value, gradient = 0.0, np.zeros(3)
    for i in range(len(x)):
        w, by_sum = weight[i], _digamma(p * x[i] + q)
        value += w * (_log_gamma_ratio(p * x[i], q) - log_gamma_q + q * log_v)
        gradient[0] += w * x[i] * (by_sum - _digamma(p * x[i]))
        gradient[1] += w * (by_sum - psi_q + log_v)
        gradient[2] += w * q / v
    return value, gradient


@compiled(reordered=True)
def _gamma_gamma_histories(theta: Array, weight: Array, x: Array, mean_spend: Array) -> tuple[float, Array]:
    p, q, v = theta
    value = by_p = by_q = by_v = 0.0
    for i in range(len(weight)):
        w, spent = weight[i], x[i] * mean_spend[i]
        total = v + spent
        log_share, log_total = -log1p(v / spent), log(total)
        value += w * (p * x[i] * log_share - q * log_total - log(mean_spend[i]))
        by_p += w * x[i] * log_share
        by_q -= w * log_total
        by_v -= w * (p * x[i] + q) / total
    return value, np.array([by_p, by_q, by_v])


@compiled()
def _bg_counts(theta: Array, weight: Array, x: Array) -> tuple[float, Array]:
    return _beta_geometric_counts(theta, 0.0, weight, x)


@compiled()
def _mbg_counts(theta: Array, weight: Array, x: Array) -> tuple[float, Array]:
    return _beta_geometric_counts(theta, 1.0, weight, x)


@compiled()
def _bg_expansion(theta: Array, weight: Array, x: Array, t_x: Array, T: Array) -> tuple[float, Array, Array]:
    return _beta_geometric(theta, 0.0, weight, x, t_x, T)


@compiled()
def _mbg_expansion(theta: Array, weight: Array, x: Array, t_x: Array, T: Array) -> tuple[float, Array, Array]:
    return _beta_geometric(theta, 1.0, weight, x, t_x, T)


@compiled()
def _bg_histories(theta: Array, weight: Array, x: Array, t_x: Array, T: Array) -> tuple[float, Array]:
    return _bg_expansion(theta, weight, x, t_x, T)[:2]


@compiled()
def _mbg_histories(theta: Array, weight: Array, x: Array, t_x: Array, T: Array) -> tuple[float, Array]:
    return _mbg_expansion(theta, weight, x, t_x, T)[:2]


SUMS: Final[dict[object, Sums]] = {
    BG_NBD.count_terms: _bg_counts,
    BG_NBD.history_terms: _bg_histories,
    MBG_NBD.count_terms: _mbg_counts,
    MBG_NBD.history_terms: _mbg_histories,
    PARETO_NBD.count_terms: _pareto_counts,
    PARETO_NBD.history_terms: _pareto_histories,
    GAMMA_GAMMA.count_terms: _gamma_gamma_counts,
    GAMMA_GAMMA.history_terms: _gamma_gamma_histories,
}
"""By the terms that they sum."""
EXPANSIONS: Final[dict[object, Expansion]] = {
    BG_NBD.history_expansion: _bg_expansion,
    MBG_NBD.history_expansion: _mbg_expansion,
}
"""By the expansion whose twins they are."""
