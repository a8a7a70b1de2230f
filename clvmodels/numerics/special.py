"""Special functions for kernels, accurate where the textbook forms cancel or overflow.

Sources: Stirling's series and the recurrence of the digamma function, DLMF 5.11.1, 5.11.2 and 5.5.2.
"""

from __future__ import annotations

import math

from clvmodels.numerics.compiled import kernel

__all__ = ["digamma", "log1p_exp", "log_beta", "log_gamma_ratio"]

STIRLING_FROM = 12.0
"""Stirling's series with the terms used here is exact to rounding from this argument on."""


@kernel
def log1p_exp(y: float) -> float:
    """Return log(1 + exp(y)) without overflow."""
    return max(y, 0.0) + math.log1p(math.exp(-abs(y)))


@kernel
def _stirling_remainder(z: float) -> float:
    """Return log Gamma(z) - [(z - 1/2) log z - z + log(2 pi)/2] for z >= 12 (DLMF 5.11.1)."""
    q = 1.0 / (z * z)
    return (1 / 12 - q * (1 / 360 - q * (1 / 1260 - q * (1 / 1680 - q * (1 / 1188 - q * 691 / 360360))))) / z


@kernel
def log_gamma_ratio(z: float, d: float) -> float:
    """Return log[Gamma(z + d) / Gamma(z)] for z > 0, d >= 0, without the cancellation of two large terms."""
    if z < STIRLING_FROM:
        return math.lgamma(z + d) - math.lgamma(z)
    main = (z - 0.5) * math.log1p(d / z) + d * (math.log(z + d) - 1.0)
    return main + _stirling_remainder(z + d) - _stirling_remainder(z)


@kernel
def log_beta(a: float, b: float) -> float:
    """Return log B(a, b) for a, b > 0."""
    return math.lgamma(min(a, b)) - log_gamma_ratio(max(a, b), min(a, b))


@kernel
def digamma(z: float) -> float:
    """Return the derivative of log Gamma at z > 0 (DLMF 5.11.2 after shifting z up by 5.5.2)."""
    shift = 0.0
    while z < STIRLING_FROM:
        shift -= 1.0 / z
        z += 1.0
    q = 1.0 / (z * z)
    series = q * (1 / 12 - q * (1 / 120 - q * (1 / 252 - q * (1 / 240 - q * (1 / 132 - q * 691 / 32760)))))
    return shift + math.log(z) - 0.5 / z - series
