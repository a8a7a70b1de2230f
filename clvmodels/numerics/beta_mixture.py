"""Expectations over p ~ Beta(a, b) of powers of 1 + p z: Gauss's hypergeometric function, and its integral over z.

The BG/NBD and its siblings need E[(1 + p z)^-n] = 2F1(n, a; a + b; -z), and E[(1 - (1 + p z)^-n) / p], where the usual
series and transformations overflow or cancel (n and b grow with the number of purchases). Over y = log(p / (1 - p))
the integrands are positive, have one peak, are analytic in the strip |Im y| < pi and decay exponentially on both
sides: the trapezoidal rule converges geometrically (Trefethen & Weideman 2014, SIAM Review 56(3)). Where a tail has
become an exponential, the rest of its sum is a geometric series and is added in closed form, so that a and b may be as
small as one likes. Euler's integral: DLMF 15.6.1.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.compiled import gufunc, kernel
from clvmodels.numerics.special import log_beta

__all__ = ["mean_powers", "mean_purchases"]

Array = NDArray[np.float64]

WIDEST_STEP: Final = 0.3
"""Step of the trapezoidal rule in y; the error is about exp(-pi^2 / step) for a wide integrand."""
STEP_PER_WIDTH: Final = 0.45
"""Step as a multiple of the standard deviation of a narrow peak."""
NEGLIGIBLE: Final = 1e-14
"""A term smaller than the largest by this factor is left out, with all that follow."""
STRAIGHT: Final = 26.0
"""This far beyond the last bend the log integrand is a straight line to 1e-11."""

POWER: Final = 0
PURCHASES: Final = 1


@kernel
def _integrand(kind: int, y: float, odds: float, top: float, n: float, z: float, a: float, b: float) -> float:
    """Return the integrand at y, divided by exp(top); `odds` is exp(y)."""
    log_density = a * y - (a + b) * math.log1p(odds) - top
    v = n * math.log1p(z * odds / (1.0 + odds))
    if kind == POWER:
        return math.exp(log_density - v)
    return math.exp(log_density) * -math.expm1(-v) * (1.0 + odds) / odds


@kernel
def _slope(kind: int, y: float, n: float, z: float, a: float, b: float) -> float:
    """Return the derivative of the log integrand, which decreases in y."""
    p, q = (1.0 / (1.0 + math.exp(-y)), 1.0 / (1.0 + math.exp(y))) if y > -700.0 else (0.0, 1.0)
    share = p * z / (1.0 + p * z)
    if kind == POWER:
        return q * (a - n * share) - b * p
    v = n * math.log1p(p * z)
    return q * (a - 1.0 + (n * share / math.expm1(v) if v > 1e-8 else 1.0)) - b * p


@kernel
def _peak(kind: int, n: float, z: float, a: float, b: float) -> float:
    """Return the y where the integrand is largest, by bisection."""
    low = math.log(a / (b + n + 1.0)) - math.log1p(z) - math.log1p(n) - 2.0
    high = math.log(a / b) + 2.0
    while high - low > 1e-2 * (1.0 + 0.01 * abs(low)):
        middle = 0.5 * (low + high)
        if _slope(kind, middle, n, z, a, b) > 0.0:
            low = middle
        else:
            high = middle
    width = 1e-3
    bend = (_slope(kind, low - width, n, z, a, b) - _slope(kind, low + width, n, z, a, b)) / (2.0 * width)
    return low + _slope(kind, low, n, z, a, b) / bend if bend > 1.0 else low


@kernel
def _one_side(
    kind: int, start: float, top: float, step: float, bend: float, n: float, z: float, a: float, b: float
) -> tuple[float, float]:
    """Sum the terms from `start` on, relative to exp(top), plain and times 1 / (1 + p z); geometric from `bend` on."""
    total, tilted, y = 0.0, 0.0, start
    odds, ratio = math.exp(start), math.exp(step)
    while True:
        term, tilt = _integrand(kind, y, odds, top, n, z, a, b), (1.0 + odds) / (1.0 + odds * (1.0 + z))
        if term < NEGLIGIBLE:
            return total, tilted
        if (y - bend) * step > 0.0:
            term /= -math.expm1(a * step if step < 0.0 else -b * step)
            return total + term, tilted + term * tilt
        total += term
        tilted += term * tilt
        y += step
        odds *= ratio


@kernel
def _means(kind: int, n: float, z: float, a: float, b: float) -> tuple[float, float]:
    peak = _peak(kind, n, z, a, b)
    width = 1e-3
    curvature = (_slope(kind, peak - width, n, z, a, b) - _slope(kind, peak + width, n, z, a, b)) / (2.0 * width)
    step = min(WIDEST_STEP, STEP_PER_WIDTH / math.sqrt(max(curvature, 1e-300)))
    odds = math.exp(peak)
    top = a * peak - (a + b) * math.log1p(odds) - (n * math.log1p(z * odds / (1.0 + odds)) if kind == POWER else 0.0)
    top += math.log(_integrand(kind, peak, odds, top, n, z, a, b))
    beyond = STRAIGHT + math.log1p(n + a + b)
    left, left_tilted = _one_side(kind, peak, top, -step, -math.log1p(z) - beyond, n, z, a, b)
    right, right_tilted = _one_side(kind, peak + step, top, step, beyond, n, z, a, b)
    scale = math.exp(top - log_beta(a, b)) * step
    return scale * (left + right), scale * (left_tilted + right_tilted)


@gufunc("ssssvv", "(),(),(),()->(),()")
def mean_powers(n: float, z: float, a: float, b: float, mean: Array, tilted: Array) -> None:
    """E[(1 + p z)^-n] and E[(1 + p z)^-(n + 1)] for p ~ Beta(a, b); n > 0, z >= 0, a, b > 0. Broadcasts."""
    mean[0], tilted[0] = _means(POWER, n, z, a, b) if z > 0.0 else (1.0, 1.0)


@gufunc("ssssv", "(),(),(),()->()")
def mean_purchases(n: float, z: float, a: float, b: float, mean: Array) -> None:
    """E[(1 - (1 + p z)^-n) / p] for p ~ Beta(a, b); n > 0, z >= 0, a, b > 0. Broadcasts."""
    mean[0] = _means(PURCHASES, n, z, a, b)[0] if z > 0.0 else 0.0
