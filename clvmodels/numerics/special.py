"""Special functions, accurate where the textbook forms cancel or overflow.

Source: Stirling's series and its derivatives, DLMF 5.11.1, 5.11.2 and 5.15.8.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = [
    "bounded_odds",
    "digamma_difference",
    "digamma_remainder",
    "log1p_remainder",
    "log_beta",
    "log_beta_peak",
    "log_beta_ratio",
    "log_gamma_ratio",
    "log_sums",
    "shares",
    "stirling_remainder",
    "trigamma_difference",
]

Array = NDArray[np.float64]

STIRLING_FROM: Final = 12.0
"""Stirling's series with the terms used here is exact to rounding from this argument on."""
STEPS_TO_STIRLING: Final = 12
SMALL_STEP: Final = 1e-4
CONCENTRATED_FROM: Final = 100.0
"""Of both arguments of a beta function: its log nearly cancels with those of powers next to its peak. Below, these are
smaller than some hundred, and lose no digit that matters."""
SERIES_BELOW: Final = 0.3
SERIES_TERMS: Final = 10
"""Of the series of artanh(s) / s in s^2 < 0.032, for arguments below: what is left out is rounding."""
LARGEST_LOG_ODDS: Final = 708.0
"""Odds beyond exp(708) are beyond the range of doubles; a share is then as small as a double can be."""


def stirling_remainder(z: Array) -> Array:
    """Return log Gamma(z) - [(z - 1/2) log z - z + log(2 pi)/2] for z >= 12 (DLMF 5.11.1).

    Examples
    --------
    >>> round(float(stirling_remainder(np.array(12.0))), 9)
    0.00694284
    """
    q = 1.0 / (z * z)
    return (1 / 12 - q * (1 / 360 - q * (1 / 1260 - q * (1 / 1680 - q * (1 / 1188 - q * 691 / 360360))))) / z


def digamma_remainder(z: Array) -> Array:
    """Return digamma(z) - log(z) for z >= 12 (DLMF 5.11.2).

    Examples
    --------
    >>> round(float(digamma_remainder(np.array(12.0))), 9)
    -0.04224497
    """
    q = 1.0 / (z * z)
    series = q * (1 / 12 - q * (1 / 120 - q * (1 / 252 - q * (1 / 240 - q * (1 / 132 - q * 691 / 32760)))))
    return np.asarray(-0.5 / z - series)


def _trigamma_remainder(z: Array) -> Array:
    """Return trigamma(z) - 1 / z for z >= 12 (DLMF 5.15.8)."""
    q = 1.0 / (z * z)
    series = 1 / 6 - q * (1 / 30 - q * (1 / 42 - q * (1 / 30 - q * (5 / 66 - q * 691 / 2730))))
    return np.asarray(q * (0.5 + series / z))


def log_gamma_ratio(z: Array, d: Array) -> Array:
    """Return log[Gamma(z + d) / Gamma(z)] for z > 0, d >= 0, without the cancellation of two large terms."""
    large = np.maximum(z, STIRLING_FROM)
    series = (large - 0.5) * np.log1p(d / large) + d * (np.log(large + d) - 1.0)
    series += stirling_remainder(large + d) - stirling_remainder(large)
    return np.where(z < STIRLING_FROM, special.gammaln(z + d) - special.gammaln(z), series)


def digamma_difference(z: Array, d: Array) -> Array:
    """Return digamma(z + d) - digamma(z) for z > 0, d >= 0, with the digits that a difference of the two would lose.

    Examples
    --------
    >>> digamma_difference(np.array([2.0, 1e14]), np.array([1.0, 3.0]))
    array([5.e-01, 3.e-14])
    """
    large = np.maximum(z, STIRLING_FROM)
    series = np.log1p(d / large) + (digamma_remainder(large + d) - digamma_remainder(large))
    return np.where(z < STIRLING_FROM, special.digamma(z + d) - special.digamma(z), series)


def trigamma_difference(z: Array, d: Array) -> Array:
    """Return trigamma(z + d) - trigamma(z) for z > 0, d >= 0, with the digits that a difference of the two would lose.

    Examples
    --------
    >>> trigamma_difference(np.array([2.0, 1e14]), np.array([1.0, 3.0]))
    array([-2.5e-01, -3.0e-28])
    """
    large = np.maximum(z, STIRLING_FROM)
    series = (_trigamma_remainder(large + d) - _trigamma_remainder(large)) - d / large / (large + d)
    return np.where(z < STIRLING_FROM, special.polygamma(1, z + d) - special.polygamma(1, z), series)


def log1p_remainder(y: Array, log_sum: Array) -> Array:
    """Return log(1 + y) - y for y > -1, also where the two nearly cancel: by the series of artanh(y / (2 + y)).

    Where they do not, it takes log(1 + y) as it is given.

    Examples
    --------
    >>> y = np.array([-1e-8, 1e-8, 1.0])
    >>> log1p_remainder(y, np.log1p(y)).round(20)
    array([-5.00000000e-17, -5.00000000e-17, -3.06852819e-01])
    """
    small = np.clip(y, -SERIES_BELOW, SERIES_BELOW)
    s = small / (2.0 + small)
    square = s * s
    series = np.zeros_like(s)
    for power in range(2 * SERIES_TERMS + 1, 1, -2):
        series = square * (1.0 / power + series)
    return np.asarray(np.where(small == y, s * (2.0 * series - small), log_sum - y))


def log_beta(a: Array, b: Array) -> Array:
    """Return log B(a, b) for a, b > 0."""
    small, large = np.minimum(a, b), np.maximum(a, b)
    return np.asarray(special.gammaln(small) - log_gamma_ratio(large, small))


def log_beta_peak(a: Array, b: Array) -> Array:
    """Return log of (a/(a+b))^a (b/(a+b))^b / B(a, b), the peak of the density of the log odds of a Beta(a, b) share.

    Examples
    --------
    >>> log_beta_peak(np.array([1.0, 1e14]), np.array([1.0, 1e14])).round(6)
    array([-1.386294, 14.852584])
    """
    small, large = np.minimum(a, b), np.maximum(a, b)
    powers = small * np.log1p(large / small) + large * np.log1p(small / large)
    concentrated = small >= CONCENTRATED_FROM
    if not np.any(concentrated):
        return np.asarray(-log_beta(a, b) - powers)
    z, y = np.maximum(small, STIRLING_FROM), np.maximum(large, STIRLING_FROM)
    remainder = stirling_remainder(z + y) - stirling_remainder(z) - stirling_remainder(y)
    stirling = 0.5 * np.log(z / (2.0 * np.pi) / (1.0 + z / y)) + remainder
    return np.where(concentrated, stirling, -log_beta(a, b) - powers)


def log_beta_ratio(g: Array, y: Array, s: Array) -> Array:
    """Return log[B(g, y + s) / B(g, y)] for g, y > 0, s >= 0 to the precision of doubles, however small or large.

    With f = log Gamma it is f(y+s) - f(y) - f(y+s+g) + f(y+g), and g and s stand for one another. The recurrence of
    Gamma moves y up by 12, where Stirling's series is exact; all terms that could cancel are combined first.

    Examples
    --------
    >>> log_beta_ratio(np.array([1.0, 1e-9]), np.array([1.0, 1e9]), np.array([1.0, 1.0])).round(24)
    array([-6.93147181e-01, -1.00000000e-18])
    """
    g, y, s = np.broadcast_arrays(g, y, s)
    product, start, low = g * s, np.zeros(g.shape), y < STIRLING_FROM
    if np.any(low):
        at, whole, several = y[low], (y + g + s)[low], product[low]
        start[low] = sum(np.log1p(several / ((at + k) * (whole + k))) for k in range(STEPS_TO_STIRLING))
        y = np.where(low, y + STEPS_TO_STIRLING, y)
    beyond = y + g + s
    value = (y - 0.5) * np.log1p(product / (y * beyond)) - g * np.log1p(s / (y + g)) - s * np.log1p(g / (y + s))
    value -= product / (y + s) / beyond * ((y + beyond) / y / (y + g) / 12.0)
    return np.asarray(value + _tail_difference(g, y, s) - start)


def _tail_difference(g: Array, y: Array, s: Array) -> Array:
    """Return h(y+s) - h(y) - h(y+s+g) + h(y+g) for y >= 12, with h(z) Stirling's series from -1 / (360 z^3) on.

    It is less than 2e-6 of the whole: a step that is small beside y may be taken by the derivative in its middle.
    """
    small, large = np.minimum(g, s), np.maximum(g, s)
    middle = y + 0.5 * small
    by_slope = small * (_stirling_tail_slope(middle) - _stirling_tail_slope(middle + large))
    steps = (_stirling_tail(y + s) - _stirling_tail(y)) - (_stirling_tail(y + s + g) - _stirling_tail(y + g))
    return np.where(small < SMALL_STEP * y, by_slope, steps)


def _stirling_tail(z: Array) -> Array:
    q = 1.0 / (z * z)
    return np.asarray(-q * (1 / 360 - q * (1 / 1260 - q * (1 / 1680 - q * (1 / 1188 - q * 691 / 360360)))) / z)


def _stirling_tail_slope(z: Array) -> Array:
    q = 1.0 / (z * z)
    return np.asarray(q * q * (1 / 120 - q * (1 / 252 - q * (1 / 240 - q * (1 / 132 - q * 691 / 32760)))))


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


def log_sums(number: int, row: NDArray[np.int64], value: Array, slopes: Array) -> tuple[Array, Array]:
    """Return the logs of sums of exponentials by row, minus infinity without a term, and their slopes.

    Parameters
    ----------
    number
        How many rows there are.
    row
        The row of each term, ascending; shape (terms,).
    value, slopes
        The terms' logs, shape (terms,), and their derivatives, shape (terms, parameters).

    Examples
    --------
    >>> log_sums(2, np.array([0, 0]), np.log([1.0, 3.0]), np.array([[0.0], [4.0]]))[1]
    array([[3.],
           [0.]])
    """
    total, by_total = np.full(number, -np.inf), np.zeros((number, slopes.shape[-1]))
    if len(row):
        first = np.flatnonzero(np.concatenate([[True], row[1:] != row[:-1]]))
        rows = row[first]
        top = np.maximum.reduceat(value, first)
        share = np.exp(value - np.repeat(top, np.diff(np.append(first, len(row)))))
        sums = np.add.reduceat(share, first)
        total[rows] = top + np.log(sums)
        by_total[rows] = np.add.reduceat(share[:, None] * slopes, first, axis=0) / sums[:, None]
    return total, by_total
