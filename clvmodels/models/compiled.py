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
from clvmodels.numerics.elementary import compiled, exp, expm1, log, log1p, log_of_sum
from clvmodels.numerics.power_integral import LARGEST_FALL, NEGLIGIBLE, NODES, WEIGHTS, WIDEST_PANEL
from clvmodels.numerics.special import CONCENTRATED_FROM, SERIES_BELOW, SERIES_TERMS, STIRLING_FROM

__all__ = ["EXPANSIONS", "SUMS"]

Index = NDArray[np.int64]

type Factor = tuple[float, float, float]
"""A base, the power of it, and by how much a purchase raises that."""

AT_A_TIME: Final = 256
"""Histories: what is noted of each stays in the fastest memory."""


@compiled()
def _digamma(z: float) -> float:
    """Return digamma(z) for z > 0, by recurrence and its asymptotic series."""
    value = 0.0
    while z < STIRLING_FROM:
        value -= 1.0 / z
        z += 1.0
    return value + math.log(z) + _digamma_remainder(z)


@compiled()
def _digamma_remainder(z: float) -> float:
    """Return digamma(z) - log(z) for z >= 12 (DLMF 5.11.2)."""
    q = 1.0 / (z * z)
    series = q * (1 / 12 - q * (1 / 120 - q * (1 / 252 - q * (1 / 240 - q * (1 / 132 - q * 691 / 32760)))))
    return -0.5 / z - series


@compiled()
def _digamma_difference(z: float, d: float) -> float:
    """Return digamma(z + d) - digamma(z)."""
    if z < STIRLING_FROM:
        return _digamma(z + d) - _digamma(z)
    return math.log1p(d / z) + (_digamma_remainder(z + d) - _digamma_remainder(z))


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
    log_alpha, value, gradient = math.log(alpha), 0.0, np.zeros(4)
    for i in range(len(x)):
        k, w = x[i] + first, weight[i]
        of_chances = _log_gamma_ratio(b, k) - _log_gamma_ratio(a + b, k)
        value += w * (_log_gamma_ratio(r, x[i]) - x[i] * log_alpha + of_chances)
        leave = _digamma_difference(a + b, k)
        gradient[0] += w * _digamma_difference(r, x[i])
        gradient[1] -= w * x[i] / alpha
        gradient[2] -= w * leave
        gradient[3] += w * (_digamma_difference(b, k) - leave)
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
def _pareto_counts(theta: Array, weight: Array, x: Array) -> tuple[float, Array]:
    """Pareto/NBD."""
    r, alpha = theta[0], theta[1]
    log_alpha, value, gradient = math.log(alpha), 0.0, np.zeros(4)
    for i in range(len(x)):
        w = weight[i]
        value += w * (_log_gamma_ratio(r, x[i]) - x[i] * log_alpha)
        gradient[0] += w * _digamma_difference(r, x[i])
        gradient[1] -= w * x[i] / alpha
    return value, gradient


@compiled()
def _pareto_histories(theta: Array, weight: Array, x: Array, t_x: Array, T: Array) -> tuple[float, Array]:
    """Pareto/NBD: the integral over the time of leaving is `power_integral`'s, of many histories at once.

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
        part = _pareto_part(theta, near, weight[rows], x[rows], t_x[rows], T[rows], notes)
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
def _pareto_part(
    theta: Array, near: Factor, weight: Array, x: Array, t_x: Array, T: Array, notes: Array
) -> tuple[float, ...]:
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


@compiled()
def _gamma_gamma_counts(theta: Array, weight: Array, x: Array) -> tuple[float, Array]:
    """Gamma-Gamma."""
    p, q = theta[0], theta[1]
    value, gradient = 0.0, np.zeros(3)
    for i in range(len(x)):
        w, n = weight[i], p * x[i]
        if min(n, q) < CONCENTRATED_FROM:
            small, large = min(n, q), max(n, q)
            value += w * (_log_gamma_ratio(large, small) - math.lgamma(small))
            by_n, by_q = _digamma_difference(n, q), _digamma_difference(q, n)
        else:
            remainder = _stirling_remainder(n + q) - _stirling_remainder(n) - _stirling_remainder(q)
            value += w * (0.5 * math.log(n / (2.0 * math.pi) / (1.0 + n / q)) + remainder)
            both = _digamma_remainder(n + q)
            by_n, by_q = both - _digamma_remainder(n), both - _digamma_remainder(q)
        gradient[0] += w * x[i] * by_n
        gradient[1] += w * by_q
    return value, gradient


@compiled()
def _gamma_gamma_histories(theta: Array, weight: Array, x: Array, mean_spend: Array) -> tuple[float, Array]:
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
        if n < CONCENTRATED_FROM:
            powers = n * log_share + q * log_rest
        else:
            of_n, of_q = excess / n, -excess / q
            rest_n = _log1p_remainder(of_n, log_share + math.log1p(q / n))
            rest_q = _log1p_remainder(of_q, log_rest + math.log1p(n / q))
            powers, log_share, log_rest = n * rest_n + q * rest_q, of_n + rest_n, of_q + rest_q
        value += w * (powers - math.log(mean_spend[i]))
        by_p += w * x[i] * log_share
        by_q += w * log_rest
        by_v += w * excess / v
    return value, by_p, by_q, by_v


@compiled()
def _log1p_remainder(y: float, log_sum: float) -> float:
    """Return log(1 + y) - y; where the two do not nearly cancel, from log(1 + y)."""
    if abs(y) > SERIES_BELOW:
        return log_sum - y
    s, series = y / (2.0 + y), 0.0
    for k in range(SERIES_TERMS, 0, -1):
        series = s * s * (1.0 / (2.0 * k + 1.0) + series)
    return s * (2.0 * series - y)


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
