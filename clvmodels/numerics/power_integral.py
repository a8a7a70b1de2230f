"""The integral of two falling powers: log int_{t_x}^{T} (alpha + t)^-n (beta + t)^-k dt, with its gradient.

The Pareto/NBD likelihood is this integral (Fader & Hardie 2005, "A note on deriving the Pareto/NBD model", their
A_0 before it is turned into Gaussian hypergeometric functions). In u = log((m + t) / (m + t_x)), m the smaller of
alpha and beta, the integrand is positive and analytic in the strip |Im u| < pi, so that Gauss-Legendre panels of
moderate width are exact to rounding. Where it falls by many powers of e, the rest is left out.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from clvmodels.numerics.compiled import kernel

__all__ = ["log_power_integral"]

NODES, WEIGHTS = (array for array in np.polynomial.legendre.leggauss(20))
WIDEST_PANEL: Final = 3.0
"""Width of a panel in u; the integrand's nearest singularity is pi away from the real line."""
NEGLIGIBLE: Final = 30.0
"""What lies where the integrand has fallen by exp(-30) is left out."""


@kernel
def _fall(u: float, n: float, k: float, near: float, far: float) -> float:
    """Return minus the log of the integrand in t, relative to its value at t_x; u is log of the near factor."""
    return n * u + k * math.log1p(near / far * math.expm1(u))


@kernel
def _end(u: float, n: float, k: float, near: float, far: float) -> float:
    """Return where the (convex) fall reaches `NEGLIGIBLE`, by Newton's method from the right, or `u` if before."""
    for _ in range(30):
        excess = _fall(u, n, k, near, far) - u - NEGLIGIBLE
        if excess <= 1.0:
            break
        slope = n + k * near * math.exp(u) / (far + near * math.expm1(u)) - 1.0
        u -= excess / slope
    return u


@kernel
def log_power_integral(
    n: float, k: float, alpha: float, beta: float, start: float, end: float
) -> tuple[float, float, float, float, float]:
    """Return log I and its derivatives by n, alpha, k and beta, for I = int_start^end (alpha+t)^-n (beta+t)^-k dt.

    Requires n, k, alpha, beta > 0 and 0 <= start <= end; log I is -inf (and the derivatives those of the
    integrand at `start`) where the interval is empty.
    """
    swap = beta < alpha
    near, far = (beta + start, alpha + start) if swap else (alpha + start, beta + start)
    power_near, power_far = (k, n) if swap else (n, k)
    width = _end(math.log1p((end - start) / near), power_near, power_far, near, far)
    panels = 1 + int(width / WIDEST_PANEL)
    half = 0.5 * width / panels
    total = by_near_power = by_far_power = by_near = by_far = 0.0
    for panel in range(panels):
        for i in range(NODES.size):
            u = half * (2 * panel + 1 + NODES[i])
            grown = math.exp(u)
            log_far = math.log1p(near / far * math.expm1(u))
            term = WEIGHTS[i] * half * math.exp(u - power_near * u - power_far * log_far)
            total += term
            by_near_power += term * u
            by_far_power += term * log_far
            by_near += term / grown
            by_far += term / math.exp(log_far)
    scale = 1.0 / total if total > 0.0 else 0.0
    at_start = -power_near * math.log(near) - power_far * math.log(far)
    log_integral = at_start + math.log(total) + math.log(near) if total > 0.0 else -math.inf
    d_near_power = -math.log(near) - by_near_power * scale
    d_far_power = -math.log(far) - by_far_power * scale
    d_near = -power_near / near * (by_near * scale if total > 0.0 else 1.0)
    d_far = -power_far / far * (by_far * scale if total > 0.0 else 1.0)
    if swap:
        return log_integral, d_far_power, d_far, d_near_power, d_near
    return log_integral, d_near_power, d_near, d_far_power, d_far
