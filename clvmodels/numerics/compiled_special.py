"""Special functions for compiled loops, of one number at a time; formulas and sources are those of `special`."""

from __future__ import annotations

import math

from clvmodels.numerics.elementary import compiled
from clvmodels.numerics.special import SERIES_BELOW, SERIES_TERMS, SMALL_STEP, STEPS_TO_STIRLING, STIRLING_FROM

__all__ = [
    "digamma",
    "digamma_difference",
    "digamma_remainder",
    "log1p_remainder",
    "log_beta_ratio",
    "log_gamma_ratio",
    "stirling_remainder",
]


@compiled()
def digamma_remainder(z: float) -> float:
    """Return digamma(z) - log(z) for z >= 12 (DLMF 5.11.2)."""
    q = 1.0 / (z * z)
    series = q * (1 / 12 - q * (1 / 120 - q * (1 / 252 - q * (1 / 240 - q * (1 / 132 - q * 691 / 32760)))))
    return -0.5 / z - series


@compiled()
def digamma(z: float) -> float:
    """Return digamma(z) for z > 0, by recurrence and its asymptotic series."""
    value = 0.0
    while z < STIRLING_FROM:
        value -= 1.0 / z
        z += 1.0
    return value + math.log(z) + digamma_remainder(z)


@compiled()
def digamma_difference(z: float, d: float) -> float:
    """Return digamma(z + d) - digamma(z), with the digits that a difference of the two would lose."""
    if z < STIRLING_FROM:
        return digamma(z + d) - digamma(z)
    return math.log1p(d / z) + (digamma_remainder(z + d) - digamma_remainder(z))


@compiled()
def stirling_remainder(z: float) -> float:
    """Return log Gamma(z) - [(z - 1/2) log z - z + log(2 pi)/2] for z >= 12 (DLMF 5.11.1)."""
    q = 1.0 / (z * z)
    series: float = (1 / 12 - q * (1 / 360 - q * (1 / 1260 - q * (1 / 1680 - q * (1 / 1188 - q * 691 / 360360))))) / z
    return series


@compiled()
def log_gamma_ratio(z: float, d: float) -> float:
    """Return log[Gamma(z + d) / Gamma(z)] for z > 0, d >= 0, without the cancellation of two large terms."""
    if z < STIRLING_FROM:
        return math.lgamma(z + d) - math.lgamma(z)
    series = (z - 0.5) * math.log1p(d / z) + d * (math.log(z + d) - 1.0)
    return series + stirling_remainder(z + d) - stirling_remainder(z)


@compiled()
def log1p_remainder(y: float, log_sum: float) -> float:
    """Return log(1 + y) - y; where the two do not nearly cancel, from log(1 + y)."""
    if abs(y) > SERIES_BELOW:
        return log_sum - y
    s, series = y / (2.0 + y), 0.0
    for k in range(SERIES_TERMS, 0, -1):
        series = s * s * (1.0 / (2.0 * k + 1.0) + series)
    return s * (2.0 * series - y)


@compiled()
def log_beta_ratio(g: float, y: float, s: float) -> float:
    """Return log[B(g, y + s) / B(g, y)] to the precision of doubles."""
    product, value = g * s, 0.0
    if y < STIRLING_FROM:
        for k in range(STEPS_TO_STIRLING):
            value -= math.log1p(product / ((y + k) * (y + g + s + k)))
        y += STEPS_TO_STIRLING
    beyond = y + g + s
    value += (y - 0.5) * math.log1p(product / (y * beyond))
    value -= g * math.log1p(s / (y + g)) + s * math.log1p(g / (y + s))
    value -= product / (y + s) / beyond * ((y + beyond) / y / (y + g) / 12.0)
    small, large = min(g, s), max(g, s)
    if small < SMALL_STEP * y:
        middle = y + 0.5 * small
        return value + small * (_stirling_tail_slope(middle) - _stirling_tail_slope(middle + large))
    tails = (_stirling_tail(y + s) - _stirling_tail(y)) - (_stirling_tail(beyond) - _stirling_tail(y + g))
    return value + tails


@compiled()
def _stirling_tail(z: float) -> float:
    q = 1.0 / (z * z)
    return -q * (1 / 360 - q * (1 / 1260 - q * (1 / 1680 - q * (1 / 1188 - q * 691 / 360360)))) / z


@compiled()
def _stirling_tail_slope(z: float) -> float:
    q = 1.0 / (z * z)
    return q * q * (1 / 120 - q * (1 / 252 - q * (1 / 240 - q * (1 / 132 - q * 691 / 32760))))
