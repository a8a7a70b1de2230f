"""Compiled terms of Pareto/NBD with purchases on a clock; formulas and sources are in `models.leaving_clock`.

Histories of one x and one T differ in t_x alone: the time in which they may have left ends now for all of them. So the
integral over it is built up from now backwards, spell by spell, once for them all, each time relative to the integrand
where it begins: what is added is positive, and no sum of two large terms cancels.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.clocks import Periods
from clvmodels.numerics.elementary import compiled, exp, log1p
from clvmodels.numerics.power_integral import NEGLIGIBLE

__all__ = ["history_terms"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

type Factors = tuple[float, float, float, float, float]
"""Of the integrand (1 + speed u/a)^-n (1 + u/b)^-k: n, k, a, b, and the speed."""

FEW_NODES, FEW_WEIGHTS = np.polynomial.legendre.leggauss(4)
NODES, WEIGHTS = np.polynomial.legendre.leggauss(8)
WIDEST_OF_FEW, WIDEST = 0.2, 2.5
"""Widths of panels, counted as `_width` does, that leave 1e-15 of an integral with so many nodes."""
FALLEN: Final = NEGLIGIBLE + 10.0
"""Where the integrand has fallen by this power of e, the rest of a spell is left out."""
SUMS: Final = 6
"""Integrals but for those by the coefficients of the clock."""


@compiled()
def history_terms(
    theta: Array, x: Array, t_x: Array, T: Array, order: Index, readings: Array, slopes: Array, periods: Periods
) -> tuple[Array, Array, Array]:
    """Return `Model.history_terms` on a clock, and the log of the part of those who stay, which is in the first.

    Parameters
    ----------
    theta
        Shape (n, 4), or (1, 4): the same for all.
    x, t_x, T
        Histories, shape (n,).
    order
        Their order by parameters, x and T, and from the last t_x to the first; shape (n,).
    readings, slopes
        A(t_x) and A(T), shape (2, n), and their slopes by the coefficients of the clock, shape (2, n, coefficients).
    periods
        The clock.

    Returns
    -------
    value, gradient, staying
        Shape (n,), (n, 4 + coefficients) and (n,).
    """
    coefficients = periods.slopes.shape[1]
    value, gradient, staying = np.empty(len(x)), np.empty((len(x), 4 + coefficients)), np.empty(len(x))
    sums, place, before = np.zeros(SUMS + coefficients), np.zeros(2), -1
    for i in order:
        point = theta[i] if len(theta) > 1 else theta[0]
        if before < 0 or not _goes_on(theta, x, t_x, T, before, i):
            sums[:] = 0.0
            place[0], place[1] = 0.0, len(periods.speed) - 1.0
        before, now, slope_now = i, readings[1, i], slopes[1, i]
        _go_back(point, x[i], t_x[i] - T[i], T[i], readings[:, i], slopes[:, i], periods, place, sums)
        staying[i] = _note_staying(point, x[i], now, T[i], slope_now, gradient[i])
        value[i] = staying[i] + _add_leaving(point, x[i], t_x[i], T[i], readings[:, i], slope_now, sums, gradient[i])
    return value, gradient, staying


@compiled()
def _go_back(
    point: Array,
    x: float,
    last: float,
    T: float,
    readings: Array,
    slopes: Array,
    periods: Periods,
    place: Array,
    sums: Array,
) -> None:
    """Put spells before what is summed, back to the last purchase.

    `place` is where the sums begin, and the number of the period before.
    """
    while place[0] > last:
        piece = int(place[1])
        v, inside = periods.speed[piece], last > periods.edges[piece] or not piece
        start = last if inside else periods.edges[piece]
        shown = readings[0] if inside else max(periods.at_edges[piece] + readings[1], 0.0)
        factors = point[0] + x, point[2] + 1.0, point[1] + shown, point[3] + (start + T), v
        per_alpha, waited, fallen = _add_spell(factors, place[0] - start, shown, start + T, sums)
        for c in range(slopes.shape[1]):
            slope = slopes[0, c] if inside else periods.slopes[piece, c] + slopes[1, c]
            rate = periods.slopes_of_speed[piece, c]
            sums[SUMS + c] = slope * per_alpha + rate * waited + fallen * sums[SUMS + c]
        place[0], place[1] = start, piece if inside else piece - 1.0


@compiled()
def _goes_on(theta: Array, x: Array, t_x: Array, T: Array, i: int, j: int) -> bool:
    """Whether the integrals of history j go on where those of i begin."""
    same = bool(x[i] == x[j] and T[i] == T[j] and t_x[j] <= t_x[i])
    if same and len(theta) > 1:
        for p in range(4):
            same = same and bool(theta[i, p] == theta[j, p])
    return same


@compiled()
def _add_spell(factors: Factors, length: float, shown: float, age: float, sums: Array) -> tuple[float, float, float]:
    """Put a spell before what is summed: integrals relative to where it begins.

    `sums` are integrals of 1, of the logs of how much both bases have grown, of A / (alpha + A), of 1 / (beta + t) and
    of t / (beta + t).

    Returns
    -------
    per_alpha, waited, fallen
        Integrals over the spell of 1 / (alpha + A) and of the time since its start over alpha + A; the integrand at its
        end.
    """
    n, k, a, b, v = factors
    whole, logs, beta_logs, per_a, waited, per_b, done = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    grown = beta_grown = 0.0
    while done < length and n * grown + k * beta_grown < FALLEN:
        base, beta_base = a + v * done, b + done
        step, few = _step(n, k, v / base, 1.0 / beta_base, length - done)
        nodes, weights = (FEW_NODES, FEW_WEIGHTS) if few else (NODES, WEIGHTS)
        part = _panel(n, k, v / base, 1.0 / beta_base, step, nodes, weights)
        scale = exp(-n * grown - k * beta_grown)
        whole += scale * part[0]
        logs += scale * (part[1] + grown * part[0])
        beta_logs += scale * (part[2] + beta_grown * part[0])
        per_a += scale * part[3] / base
        waited += scale * (part[4] + done * part[3]) / base
        per_b += scale * part[5] / beta_base
        done = done + step if step < length - done else length
        grown, beta_grown = math.log1p(v * done / a), math.log1p(done / b)
    grown, beta_grown = math.log1p(v * length / a), math.log1p(length / b)
    fallen = exp(-n * grown - k * beta_grown) if n * grown + k * beta_grown < FALLEN else 0.0
    sums[1] = logs + fallen * (sums[1] + grown * sums[0])
    sums[2] = beta_logs + fallen * (sums[2] + beta_grown * sums[0])
    sums[0] = whole + fallen * sums[0]
    sums[3] = shown * per_a + v * waited + fallen * sums[3]
    sums[4] = per_b + fallen * sums[4]
    sums[5] = age * per_b + max(whole - b * per_b, 0.0) + fallen * sums[5]
    return per_a, waited, fallen


@compiled()
def _step(n: float, k: float, rate: float, beta_rate: float, rest: float) -> tuple[float, bool]:
    """Return the length of the next panel, and whether few nodes are enough for it.

    The j-th derivative of the integrand is at most the product of n rate + k beta_rate + i max(rate, beta_rate), i < j,
    and with m nodes the error is that of j = 2m over the remainder's constant: the geometric mean of the factors, times
    the length, is the width that counts.
    """
    fall, fastest = n * rate + k * beta_rate, max(rate, beta_rate)
    if rest * (fall + len(FEW_NODES) * fastest) <= WIDEST_OF_FEW:
        return rest, True
    return min(rest, WIDEST / (fall + len(NODES) * fastest)), False


@compiled(reordered=True)
def _panel(
    n: float, k: float, rate: float, beta_rate: float, length: float, nodes: Array, weights: Array
) -> tuple[float, float, float, float, float, float]:
    """Return integrals over a panel, relative to its start.

    They are those of 1, of the logs of both growths, of one over the first growth, of the time over that, and of one
    over the second growth.
    """
    half = 0.5 * length
    whole = logs = beta_logs = per_growth = waited = per_beta = 0.0
    for j in range(len(nodes)):
        u = half * (1.0 + nodes[j])
        growth, beta_growth = 1.0 + rate * u, 1.0 + beta_rate * u
        per_product = 1.0 / (growth * beta_growth)
        log_growth, log_beta = log1p(rate * u), log1p(beta_rate * u)
        term = exp(-n * log_growth - k * log_beta) * weights[j]
        share = term * beta_growth * per_product
        whole += term
        logs += term * log_growth
        beta_logs += term * log_beta
        per_growth += share
        waited += share * u
        per_beta += term * growth * per_product
    return half * whole, half * logs, half * beta_logs, half * per_growth, half * waited, half * per_beta


@compiled()
def _note_staying(point: Array, x: float, now: float, T: float, slope_now: Array, gradient: Array) -> float:
    """Return log of (1+A/alpha)^-(r+x) (1+T/beta)^-s, and note its slopes."""
    r, alpha, s, beta = point
    n, growth, beta_growth = r + x, math.log1p(now / alpha), math.log1p(T / beta)
    gradient[0], gradient[1] = -growth, n / alpha * now / (alpha + now)
    gradient[2], gradient[3] = -beta_growth, s / beta * T / (beta + T)
    for c in range(len(slope_now)):
        gradient[4 + c] = -n / (alpha + now) * slope_now[c]
    value: float = -n * growth - s * beta_growth
    return value


@compiled()
def _add_leaving(
    point: Array,
    x: float,
    t_x: float,
    T: float,
    readings: Array,
    slope_now: Array,
    sums: Array,
    gradient: Array,
) -> float:
    """Return log(1 + odds of having left), and add its slopes."""
    r, alpha, s, beta = point
    n, now, whole = r + x, readings[1], sums[0]
    growth, beta_growth = math.log1p((now - readings[0]) / (alpha + readings[0])), math.log1p((T - t_x) / (beta + t_x))
    if not whole > 0.0:
        return 0.0
    log_odds = math.log(s * whole / (beta + t_x)) + n * growth + s * beta_growth
    left, per_whole = 1.0 / (1.0 + math.exp(-log_odds)), 1.0 / whole
    gradient[0] += left * (growth - sums[1] * per_whole)
    gradient[1] += left * n / alpha * (sums[3] * per_whole - now / (alpha + now))
    gradient[2] += left * (1.0 / s + beta_growth - sums[2] * per_whole)
    gradient[3] += left * ((s * sums[5] * per_whole - s * T / (beta + T)) / beta - sums[4] * per_whole)
    for c in range(len(slope_now)):
        gradient[4 + c] += left * n * (slope_now[c] / (alpha + now) - sums[SUMS + c] * per_whole)
    value: float = max(log_odds, 0.0) + math.log1p(math.exp(-abs(log_odds)))
    return value
