"""The expectation of (1 + p z)^-n when p has a beta distribution: Gauss's 2F1(n, a; a + b; -z).

The BG/NBD and its siblings need this function where the usual series and transformations overflow or
cancel (n and b grow with the number of purchases). Written as an integral over y = log(p / (1 - p)),

    E[(1 + p z)^-n] = 1/B(a, b) int exp(a y - (a + b - n) l(y) - n l(y + log(1 + z))) dy,   l(y) = log(1 + e^y),

the integrand is positive, has one peak, is analytic in the strip |Im y| < pi and decays exponentially on
both sides: the trapezoidal rule converges geometrically (Trefethen & Weideman 2014, SIAM Review 56(3)).
Where the tails have become exponentials, the rest of the sum is a geometric series and is added in closed form,
so that a and b may be as small as one likes. Euler's integral: DLMF 15.6.1.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.compiled import gufunc, kernel
from clvmodels.numerics.special import log1p_exp, log_beta

__all__ = ["mean_powers"]

Array = NDArray[np.float64]

WIDEST_STEP = 0.3
"""Step of the trapezoidal rule in y; the error is about exp(-2 pi^2 / step) for a wide integrand."""
STEP_PER_WIDTH = 0.45
"""Step as a multiple of the standard deviation of a narrow peak."""
NEGLIGIBLE = 32.0
"""A term this much below the largest, on the log scale, is left out, with all that follow."""
STRAIGHT = 26.0
"""This far beyond the last bend the log integrand is a straight line to 1e-11."""


@kernel
def _logistic(y: float) -> float:
    return 1.0 / (1.0 + math.exp(-y)) if y > -700.0 else 0.0


@kernel
def _peak(n: float, c: float, a: float, b: float) -> float:
    """Return the y where the log integrand is largest: the root of a decreasing function, by bisection and Newton."""
    low, high = math.log(a / (b + n)) - c - 1.0, math.log(a / b) + 1.0
    y = high - 1.0
    for _ in range(60):
        p, q = _logistic(y), _logistic(y + c)
        slope = a - (a + b - n) * p - n * q
        if slope > 0.0:
            low = y
        else:
            high = y
        bend = (a + b - n) * p * (1.0 - p) + n * q * (1.0 - q)
        step = slope / bend if bend > 0.0 else math.inf
        y = y + step if low < y + step < high else 0.5 * (low + high)
        if abs(step) < 1e-3 or high - low < 1e-3:
            break
    return y


@kernel
def _one_side(
    start: float, top: float, step: float, bend: float, n: float, z1: float, a: float, b: float
) -> tuple[float, float]:
    """Sum the terms for n and for n + 1 from `start` on, relative to exp(top); they are exponential from `bend` on."""
    total, tilted, y = 0.0, 0.0, start
    power, ratio, rest = math.exp(start), math.exp(step), a + b - n
    while True:
        log_term = a * y - rest * math.log1p(power) - n * math.log1p(power * z1) - top
        if log_term < -NEGLIGIBLE:
            return total, tilted
        term, tilt = math.exp(log_term), (1.0 + power) / (1.0 + power * z1)
        if (y - bend) * step > 0.0:
            term /= -math.expm1(a * step if step < 0.0 else -b * step)
            return total + term, tilted + term * tilt
        total += term
        tilted += term * tilt
        y += step
        power *= ratio


@gufunc("ssssvv", "(),(),(),()->(),()")
def mean_powers(n: float, z: float, a: float, b: float, mean: Array, tilted: Array) -> None:
    """E[(1 + p z)^-n] and E[(1 + p z)^-(n + 1)] for p ~ Beta(a, b); n > 0, z >= 0, a, b > 0. Broadcasts."""
    if z == 0.0:
        mean[0] = tilted[0] = 1.0
        return
    z1, c, rest = 1.0 + z, math.log1p(z), a + b - n
    peak = _peak(n, c, a, b)
    p, q = _logistic(peak), _logistic(peak + c)
    curvature = rest * p * (1.0 - p) + n * q * (1.0 - q)
    step = min(WIDEST_STEP, STEP_PER_WIDTH / math.sqrt(max(curvature, 1e-300)))
    top = a * peak - rest * log1p_exp(peak) - n * log1p_exp(peak + c)
    beyond = STRAIGHT + max(0.0, math.log(n + abs(rest)))
    left, left_tilted = _one_side(peak, top, -step, -c - beyond, n, z1, a, b)
    right, right_tilted = _one_side(peak + step, top, step, beyond, n, z1, a, b)
    scale = math.exp(top - log_beta(a, b)) * step
    mean[0] = scale * (left + right)
    tilted[0] = scale * (left_tilted + right_tilted)
