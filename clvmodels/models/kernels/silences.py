"""Compiled silences of regular buyers; formulas and sources are in `models.regular_waits` and `models.pareto_regular`.

Sums over stages are taken in the terms' own size, which is brought back where it grows beyond that of doubles; the
continued fraction and its slopes are those of `numerics.incomplete_beta`.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.compiled_special import digamma_difference, log_gamma_ratio
from clvmodels.numerics.elementary import compiled
from clvmodels.numerics.incomplete_beta import CONVERGED, MOST_TERMS, SLOPE_CONVERGED, STEP

__all__ = ["write_left_or_alive", "write_silences"]

Array = NDArray[np.float64]

LARGE: Final = 1e200


@compiled()
def _log_beta(a: float, b: float) -> float:
    return math.lgamma(min(a, b)) - log_gamma_ratio(max(a, b), min(a, b))


@compiled()
def _stages(n: float, k: int, rest: float, wait: float) -> tuple[float, float]:
    """Return the log of the probability that fewer than k stages are passed, and its slope by n."""
    term, total, by_n, of_term, log_size = 1.0, 1.0, 0.0, 0.0, 0.0
    for j in range(1, k):
        term *= (n + (j - 1.0)) / j * rest
        of_term += 1.0 / (n + (j - 1.0))
        total += term
        by_n += term * of_term
        if total > LARGE:
            term, total, by_n, log_size = term / LARGE, total / LARGE, by_n / LARGE, log_size + math.log(LARGE)
    return log_size + math.log(total) - n * wait, by_n / total - wait


@compiled()
def _log_fraction(a: float, b: float, z: float, of_a: bool) -> tuple[float, float]:
    """Return the log of the continued fraction, and its slope by a or by b."""
    first = complex(a, STEP if of_a else 0.0)
    second = complex(b, 0.0 if of_a else STEP)
    front = 1.0 / (1.0 - (first + second) * z / (first + 1.0))
    last, value = complex(1.0, 0.0), front
    for m in range(1, MOST_TERMS):
        numerator = m * (second - m) * z / ((first + 2 * m - 1.0) * (first + 2 * m))
        front, last = 1.0 / (1.0 + numerator * front), 1.0 + numerator / last
        value *= front * last
        numerator = -(first + m) * (first + second + m) * z / ((first + 2 * m) * (first + 2 * m + 1.0))
        front, last = 1.0 / (1.0 + numerator * front), 1.0 + numerator / last
        change = front * last
        value *= change
        slope = max(abs(value.imag / value.real), STEP)
        if abs(change.real - 1.0) <= CONVERGED and abs(change.imag) <= SLOPE_CONVERGED * slope:
            break
    return math.log(value.real), value.imag / value.real / STEP


@compiled()
def _beta(a: float, b: float, rest: float, wait: float) -> tuple[float, float, float]:
    """Return log I_z(a, b) for z = exp(-wait) = 1 - rest < 1, and its slopes by a and b."""
    upper = rest * (a + b + 2.0) <= b + 1.0
    log_rest = math.log(rest) if rest < 0.5 else math.log1p(-math.exp(-wait))
    first, second, point, log_point, log_other = a, b, 1.0 - rest, -wait, log_rest
    if upper:
        first, second, point, log_point, log_other = b, a, rest, log_rest, -wait
    log_fraction, of_first = _log_fraction(first, second, point, True)
    of_second = _log_fraction(first, second, point, False)[1]
    log_tail = first * log_point + second * log_other - math.log(first) - _log_beta(first, second) + log_fraction
    of_first += log_point - 1.0 / first + digamma_difference(first, second)
    of_second += log_other + digamma_difference(second, first)
    if not upper:
        return log_tail, of_first, of_second
    odds = math.exp(log_tail) / -math.expm1(log_tail)
    return math.log1p(-math.exp(log_tail)), -odds * of_second, -odds * of_first


@compiled()
def _silence(n: float, k: float, whole: bool, silent: float, age: float) -> tuple[float, float, float, float]:
    """Return the log of the probability of a silence of customers of age alpha + t_x, and its slopes.

    They are by n, by alpha at the same n, and by k at the same n.
    """
    if silent <= 0.0:
        return 0.0, 0.0, 0.0, 0.0
    rest, wait = silent / (age + silent), math.log1p(silent / age)
    by_shape = 0.0
    if whole:
        value, by_n = _stages(n, int(k), rest, wait)
    else:
        value, by_n, by_shape = _beta(n, k, rest, wait)
    log_density = k * math.log(rest) - (n - 1.0) * wait - _log_beta(n, k)
    return value, by_n, math.exp(log_density - value) / (age + silent), by_shape


@compiled()
def write_silences(n: Array, k: Array, whole: bool, silent: Array, age: Array, out: Array) -> None:
    """Write what `_silence` returns of each row to `out`, shape (4, size)."""
    for row in range(len(n)):
        value, by_n, by_alpha, by_shape = _silence(n[row], k[row], whole, silent[row], age[row])
        out[0, row], out[1, row], out[2, row], out[3, row] = value, by_n, by_alpha, by_shape


@compiled()
def write_left_or_alive(
    theta: Array,
    whole: bool,
    x: Array,
    t_x: Array,
    T: Array,
    y: Array,
    mass: Array,
    out: Array,
) -> None:
    """Write what a silence says of customers who may leave at any time, one a row, to `out`, shape (7, size).

    Parameters
    ----------
    theta
        r, alpha, s, beta and k, shape (5, size).
    whole
        Whether k is whole.
    x, t_x, T
        Histories, shape (size,).
    y, mass
        Nodes and weights of the integral over the time of leaving.
    out
        The log of the likelihood of the silence, its slopes by r, alpha, s, beta and k, of which those by r and k leave
        out what the purchases contribute, and P(alive).
    """
    number = len(y)
    logs, slopes = np.empty(number + 1), np.empty((number + 1, 5))
    for row in range(len(x)):
        r, alpha, s, beta, k = theta[0, row], theta[1, row], theta[2, row], theta[3, row], theta[4, row]
        n, age, silent = r + k * x[row], alpha + t_x[row], T[row] - t_x[row]
        width = min(k * age / n, beta + t_x[row])
        h = math.asinh(silent / width)
        top = -math.inf
        for i in range(number + 1):
            ahead = silent if i == number else min(width * math.sinh(h * y[i] * y[i]), silent)
            time = t_x[row] + ahead
            value, by_n, by_alpha, by_shape = _silence(n, k, whole, ahead, age)
            leaving = math.log1p(time / beta)
            slopes[i, 0], slopes[i, 1], slopes[i, 2] = by_n, by_alpha, -leaving
            slopes[i, 3], slopes[i, 4] = s * time / (beta + time) / beta, x[row] * by_n + by_shape
            logs[i] = value - s * leaving
            if i < number:
                weight = mass[i] * y[i] * h * width * math.cosh(h * y[i] * y[i])
                logs[i] = logs[i] - leaving + math.log(weight * s / beta) if weight > 0.0 else -math.inf
                slopes[i, 2] += 1.0 / s
                slopes[i, 3] -= 1.0 / (beta + time)
            top = max(top, logs[i])
        total = 0.0
        out[1:6, row] = 0.0
        for i in range(number + 1):
            share = math.exp(logs[i] - top)
            total += share
            for p in range(5):
                out[1 + p, row] += share * slopes[i, p]
        out[1:6, row] /= total
        out[0, row] = top + math.log(total)
        out[6, row] = math.exp(logs[number] - top) / total
