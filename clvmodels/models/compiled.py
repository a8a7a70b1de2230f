"""Compiled twins of the models' `count_terms` and `history_terms`, summed over customers.

A sampler asks for the log-likelihood and its gradient some ten thousand times, from several threads at once: these
functions run without the interpreter. The formulas and their sources are in the models' own files; a contract test
compares the two.

Every kernel takes ``(theta, counts, customers, columns, weight, out)``: the parameters, shape (parameters,); the
distinct x and the number of customers with each; the columns of the distinct histories, shape (columns, n), sorted by
x; their weights; and it adds the value and the gradient to `out`, shape (1 + parameters,).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numba import njit

from clvmodels.models.specification import Array
from clvmodels.numerics.power_integral import LARGEST_FALL, NEGLIGIBLE, NODES, WEIGHTS, WIDEST_PANEL
from clvmodels.numerics.special import STIRLING_FROM

__all__ = ["KERNELS", "Kernel"]

Kernel = Callable[[Array, Array, Array, Array, Array, Array], None]

LARGEST_LOG_ODDS: Final = 700.0
LARGEST_LOG_ODDS_IN_PRODUCT: Final = 300.0
LARGE_PRODUCT: Final = 1e150


def _compiled[F: Callable[..., object]](function: F) -> F:
    compiled: F = njit(function, nogil=True, error_model="numpy")
    return compiled


@_compiled
def digamma(z: float) -> float:
    """Digamma for z > 0 by recurrence and its asymptotic series (DLMF 5.11.2)."""
    value = 0.0
    while z < 10.0:
        value -= 1.0 / z
        z += 1.0
    q = 1.0 / (z * z)
    series = q * (1 / 12 - q * (1 / 120 - q * (1 / 252 - q * (1 / 240 - q * (1 / 132 - q * (691 / 32760 - q / 12))))))
    return value + math.log(z) - 0.5 / z - series


@_compiled
def stirling_remainder(z: float) -> float:
    """Return log Gamma(z) - [(z - 1/2) log z - z + log(2 pi)/2] for z >= 12 (DLMF 5.11.1)."""
    q = 1.0 / (z * z)
    series: float = (1 / 12 - q * (1 / 360 - q * (1 / 1260 - q * (1 / 1680 - q * (1 / 1188 - q * 691 / 360360))))) / z
    return series


@_compiled
def log_gamma_ratio(z: float, d: float) -> float:
    """Return log[Gamma(z + d) / Gamma(z)]."""
    if z < STIRLING_FROM:
        return math.lgamma(z + d) - math.lgamma(z)
    series = (z - 0.5) * math.log1p(d / z) + d * (math.log(z + d) - 1.0)
    return series + stirling_remainder(z + d) - stirling_remainder(z)


@_compiled
def beta_geometric(
    theta: Array, first: float, counts: Array, customers: Array, columns: Array, weight: Array, out: Array
) -> None:
    """BG/NBD (first = 0) and MBG/NBD (first = 1 opportunity to leave before the first repeat purchase)."""
    r, alpha, a, b = theta[0], theta[1], theta[2], theta[3]
    log_alpha, psi_r, psi_ab, psi_b = math.log(alpha), digamma(r), digamma(a + b), digamma(b)
    for i in range(len(counts)):
        x, w = counts[i], customers[i]
        k = x + first
        out[0] += w * (log_gamma_ratio(r, x) + r * log_alpha + log_gamma_ratio(b, k) - log_gamma_ratio(a + b, k))
        out[1] += w * (digamma(r + x) - psi_r + log_alpha)
        out[2] += w * r / alpha
        stay = psi_ab - digamma(a + b + k)
        out[3] += w * stay
        out[4] += w * (stay + digamma(b + k) - psi_b)
    x, t_x = -1.0, -1.0
    value, by_r, by_alpha, by_a, by_b = 0.0, 0.0, 0.0, 0.0, 0.0
    n = rest = log_ratio = last = log_last = 0.0
    product = 1.0
    for i in range(len(weight)):
        if columns[0, i] != x:
            x = columns[0, i]
            n, rest = r + x, b + x + first - 1.0
            log_ratio = math.log(a / rest) if x + first > 0.0 else -np.inf
        if columns[1, i] != t_x:
            t_x = columns[1, i]
            last = alpha + t_x
            log_last = math.log(last)
        w, end = weight[i], alpha + columns[2, i]
        log_end = math.log(end)
        log_odds = n * (log_end - log_last) + log_ratio
        if log_odds < LARGEST_LOG_ODDS_IN_PRODUCT:
            odds = math.exp(log_odds)
            alive = 1.0 / (1.0 + odds)
            left = odds * alive
            if w == 1.0:  # one logarithm of many factors
                product *= 1.0 + odds
                if product > LARGE_PRODUCT:
                    value += math.log(product)
                    product = 1.0
            else:
                value += w * math.log(1.0 + odds)
        else:
            alive, left = 0.0, 1.0
            value += w * log_odds
        value -= w * n * log_end
        by_r -= w * (alive * log_end + left * log_last)
        by_alpha -= w * n * (alive / end + left / last)
        by_a += w * left
        if left > 0.0:
            by_b -= w * left / rest
    out[0] += value + math.log(product)
    out[1] += by_r
    out[2] += by_alpha
    out[3] += by_a / a
    out[4] += by_b


@_compiled
def bg_nbd(theta: Array, counts: Array, customers: Array, columns: Array, weight: Array, out: Array) -> None:
    """BG/NBD."""
    beta_geometric(theta, 0.0, counts, customers, columns, weight, out)


@_compiled
def mbg_nbd(theta: Array, counts: Array, customers: Array, columns: Array, weight: Array, out: Array) -> None:
    """MBG/NBD."""
    beta_geometric(theta, 1.0, counts, customers, columns, weight, out)


@_compiled
def end_of_fall(width: float, near_power: float, far_power: float, ratio: float) -> float:
    """Where the fall of the integrand reaches what is negligible, or `width` if before."""
    for _ in range(60):
        grown = math.expm1(width)
        excess = near_power * width + far_power * math.log1p(ratio * grown) - width - NEGLIGIBLE
        if excess <= 1.0:
            break
        width -= excess / (near_power + far_power * ratio * (1.0 + grown) / (1.0 + ratio * grown) - 1.0)
    return width


@_compiled
def power_integral(
    near_power: float, far_power: float, near: float, far: float, length: float
) -> tuple[float, float, float, float, float]:
    """Log of int_0^length (near+t)^-near_power (far+t)^-far_power dt, and its derivatives in the arguments' order."""
    ratio = near / far
    width = end_of_fall(math.log1p(length / near), near_power, far_power, ratio)
    fall = min(near_power * width + far_power * math.log1p(ratio * math.expm1(width)), NEGLIGIBLE)
    panels = 1 + int(max(width // WIDEST_PANEL, fall // LARGEST_FALL))
    total = by_place = by_log_far = by_near = by_far = 0.0
    half = width / (2.0 * panels)
    for panel in range(panels):
        middle = half * (2.0 * panel + 1.0)
        growth = math.exp(middle)
        for j in range(len(NODES) // 2):  # the nodes lie symmetrically around the middle
            step = half * NODES[j]
            factor = math.exp(step)
            for sign in (1.0, -1.0):
                u = middle + sign * step
                near_growth = growth * factor if sign > 0.0 else growth / factor
                far_growth = 1.0 + ratio * (near_growth - 1.0)
                log_far = math.log(far_growth)
                term = math.exp((1.0 - near_power) * u - far_power * log_far) * WEIGHTS[j]
                total += term
                by_place += term * u
                by_log_far += term * log_far
                by_near += term / near_growth
                by_far += term / far_growth
    log_near, log_far = math.log(near), math.log(far)
    log = math.log(width * total / (2.0 * panels)) + (1.0 - near_power) * log_near - far_power * log_far
    return (
        log,
        -log_near - by_place / total,
        -log_far - by_log_far / total,
        -near_power / near * by_near / total,
        -far_power / far * by_far / total,
    )


@_compiled
def pareto_nbd(theta: Array, counts: Array, customers: Array, columns: Array, weight: Array, out: Array) -> None:
    """Pareto/NBD."""
    r, alpha, s, beta = theta[0], theta[1], theta[2], theta[3]
    log_alpha, log_beta, log_s, psi_r = math.log(alpha), math.log(beta), math.log(s), digamma(r)
    for i in range(len(counts)):
        x, w = counts[i], customers[i]
        out[0] += w * (log_gamma_ratio(r, x) + r * log_alpha + s * log_beta)
        out[1] += w * (digamma(r + x) - psi_r + log_alpha)
        out[2] += w * r / alpha
        out[3] += w * log_beta
        out[4] += w * s / beta
    for i in range(len(weight)):
        x, t_x, T, w = columns[0, i], columns[1, i], columns[2, i], weight[i]
        n = r + x
        log_a, log_b = math.log(alpha + T), math.log(beta + T)
        alive = -n * log_a - s * log_b
        share, log_sum, by_n, by_k, by_first, by_second = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        if t_x < T:
            if beta < alpha:
                left, by_k, by_n, by_second, by_first = power_integral(s + 1.0, n, beta + t_x, alpha + t_x, T - t_x)
            else:
                left, by_n, by_k, by_first, by_second = power_integral(n, s + 1.0, alpha + t_x, beta + t_x, T - t_x)
            log_odds = left + log_s - alive
            if log_odds < LARGEST_LOG_ODDS:
                odds = math.exp(log_odds)
                share, log_sum = odds / (1.0 + odds), math.log(1.0 + odds)
            else:
                share, log_sum = 1.0, log_odds
        rest = 1.0 - share
        out[0] += w * (alive + log_sum)
        out[1] += w * (share * by_n - rest * log_a)
        out[2] += w * (share * by_first - rest * n / (alpha + T))
        out[3] += w * (share * (by_k + 1.0 / s) - rest * log_b)
        out[4] += w * (share * by_second - rest * s / (beta + T))


@_compiled
def gamma_gamma(theta: Array, counts: Array, customers: Array, columns: Array, weight: Array, out: Array) -> None:
    """Gamma-Gamma."""
    p, q, v = theta[0], theta[1], theta[2]
    log_v, psi_q, log_gamma_q = math.log(v), digamma(q), math.lgamma(q)
    for i in range(len(counts)):
        x, w = counts[i], customers[i]
        by_sum = digamma(p * x + q)
        out[0] += w * (log_gamma_ratio(p * x, q) - log_gamma_q + q * log_v)
        out[1] += w * x * (by_sum - digamma(p * x))
        out[2] += w * (by_sum - psi_q + log_v)
        out[3] += w * q / v
    for i in range(len(weight)):
        x, mean, w = columns[0, i], columns[1, i], weight[i]
        total = v + x * mean
        log_share, log_total = -math.log1p(v / (x * mean)), math.log(total)
        out[0] += w * (p * x * log_share - q * log_total - math.log(mean))
        out[1] += w * x * log_share
        out[2] -= w * log_total
        out[3] -= w * (p * x + q) / total


KERNELS: Final[dict[str, Kernel]] = {
    "bg_nbd": bg_nbd,
    "mbg_nbd": mbg_nbd,
    "pareto_nbd": pareto_nbd,
    "gamma_gamma": gamma_gamma,
}
