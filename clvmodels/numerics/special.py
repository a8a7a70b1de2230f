"""Special functions, accurate where the textbook forms cancel or overflow.

Source: Stirling's series, DLMF 5.11.1.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["bounded_odds", "log_beta", "log_gamma_ratio", "shares"]

Array = NDArray[np.float64]

STIRLING_FROM: Final = 12.0
"""Stirling's series with the terms used here is exact to rounding from this argument on."""
LARGEST_LOG_ODDS: Final = 708.0
"""Odds beyond exp(708) are beyond the range of doubles; a share is then as small as a double can say."""


def _stirling_remainder(z: Array) -> Array:
    """Return log Gamma(z) - [(z - 1/2) log z - z + log(2 pi)/2] for z >= 12 (DLMF 5.11.1)."""
    q = 1.0 / (z * z)
    return (1 / 12 - q * (1 / 360 - q * (1 / 1260 - q * (1 / 1680 - q * (1 / 1188 - q * 691 / 360360))))) / z


def log_gamma_ratio(z: Array, d: Array) -> Array:
    """Return log[Gamma(z + d) / Gamma(z)] for z > 0, d >= 0, without the cancellation of two large terms."""
    large = np.maximum(z, STIRLING_FROM)
    series = (large - 0.5) * np.log1p(d / large) + d * (np.log(large + d) - 1.0)
    series += _stirling_remainder(large + d) - _stirling_remainder(large)
    return np.where(z < STIRLING_FROM, special.gammaln(z + d) - special.gammaln(z), series)


def log_beta(a: Array, b: Array) -> Array:
    """Return log B(a, b) for a, b > 0."""
    small, large = np.minimum(a, b), np.maximum(a, b)
    return np.asarray(special.gammaln(small) - log_gamma_ratio(large, small))


def bounded_odds(log_odds: Array) -> Array:
    """Return exp(log_odds), or the largest odds.

    Examples
    --------
    >>> bounded_odds(np.array([-np.inf, 0.0, 800.0])) <= np.exp(708.0)
    array([ True,  True,  True])
    """
    return np.asarray(np.exp(np.minimum(log_odds, LARGEST_LOG_ODDS)))


def shares(odds: Array) -> tuple[Array, Array]:
    """Return 1 / (1 + odds) and odds / (1 + odds).

    Examples
    --------
    >>> shares(np.array([3.0]))
    (array([0.25]), array([0.75]))
    """
    rest = 1.0 / (1.0 + odds)
    return rest, odds * rest
