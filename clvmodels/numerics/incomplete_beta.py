"""The log of the regularised incomplete beta function, also where the function leaves the range of doubles.

Source: DLMF 8.17.22, the continued fraction, by Lentz's method as modified by Thompson & Barnett (1986), Coulomb and
Bessel functions of complex arguments and order, Journal of Computational Physics 64(2). Slopes by the shapes are those
of the fraction at a complex step (Squire & Trapp 1998, SIAM Review 40(1)), which no difference blurs.
"""

from __future__ import annotations

from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.special import digamma_difference, log_beta

__all__ = ["log_incomplete_beta", "log_incomplete_beta_slopes"]

Array = NDArray[np.float64]

STEP: Final = 1e-30
CONVERGED: Final = 2e-16
SLOPE_CONVERGED: Final = 1e-13
"""The same of a slope: where a shape is whole, the fraction ends, and its slope by it does not."""
MOST_TERMS: Final = 10_000
"""The fraction takes about as many as the square root of the larger shape."""


def log_incomplete_beta(a: Array, b: Array, z: Array, rest: Array) -> Array:
    """Return log I_z(a, b) for a, b > 0 and 0 < z <= 1; `rest` = 1 - z is given, so that rounding does not lose it.

    Examples
    --------
    >>> z = np.array([1e-200, 0.5, 1.0])
    >>> log_incomplete_beta(np.array(3.0), np.array(1.0), z, 1.0 - z).round(6)
    array([-1381.551056,    -2.079442,    -0.      ])
    """
    tail = _Tail.of(a, b, z, rest)
    return tail.log_of_z(np.log(_fraction(*tail.arguments)))


def log_incomplete_beta_slopes(a: Array, b: Array, z: Array, rest: Array) -> tuple[Array, Array, Array]:
    """Return log I_z(a, b) and its derivatives by a and b.

    Examples
    --------
    >>> a, b, z = np.array(3.0), np.array(1.0), np.array(0.5)  # I_z(a, 1) = z^a
    >>> log_incomplete_beta_slopes(a, b, z, 1.0 - z)[1].round(6)
    np.float64(-0.693147)
    """
    tail = _Tail.of(a, b, z, rest)
    first, second, point = tail.arguments
    by_first = np.log(_fraction(first + 1j * STEP, second, point))
    by_second = np.log(_fraction(first, second + 1j * STEP, point))
    value, odds = tail.log_of_z(by_first.real), tail.odds(by_first.real)
    slope_of_first = by_first.imag / STEP + tail.log_point - 1.0 / first + digamma_difference(first, second)
    slope_of_second = by_second.imag / STEP + tail.log_other + digamma_difference(second, first)
    with np.errstate(invalid="ignore"):  # of a tail that is empty, the log is infinite, and its share has no slope
        slopes = [np.where(odds > 0.0, odds * slope, 0.0) for slope in (slope_of_first, slope_of_second)]
    return value, np.where(tail.upper, -slopes[1], slope_of_first), np.where(tail.upper, -slopes[0], slope_of_second)


class _Tail:
    """The tail of the beta distribution, below z or above it, that the fraction converges for."""

    def __init__(self, first: Array, second: Array, z: Array, rest: Array, upper: NDArray[np.bool_]) -> None:
        self.upper = upper
        self.arguments = np.where(upper, second, first), np.where(upper, first, second), np.where(upper, rest, z)
        with np.errstate(divide="ignore"):
            log_z = np.where(z < 0.5, np.log(z), np.log1p(-np.minimum(rest, 0.5)))
            log_rest = np.where(rest < 0.5, np.log(rest), np.log1p(-np.minimum(z, 0.5)))
        self.log_point, self.log_other = np.where(upper, log_rest, log_z), np.where(upper, log_z, log_rest)

    @classmethod
    def of(cls, a: Array, b: Array, z: Array, rest: Array) -> _Tail:
        a, b, z, rest = np.broadcast_arrays(*(np.asarray(each, float) for each in (a, b, z, rest)))
        return cls(a, b, z, rest, rest * (a + b + 2.0) <= b + 1.0)

    def _log(self, log_fraction: Array) -> Array:
        """Return the log of the tail."""
        first, second, _ = self.arguments
        front = first * self.log_point + second * self.log_other - np.log(first) - log_beta(first, second)
        return np.asarray(front + log_fraction)

    def log_of_z(self, log_fraction: Array) -> Array:
        """Return log I_z."""
        log_tail = self._log(log_fraction)
        return np.where(self.upper, np.log1p(-np.exp(np.where(self.upper, log_tail, -np.inf))), log_tail)

    def odds(self, log_fraction: Array) -> Array:
        """Return the odds of the upper tail against the rest."""
        tail = np.exp(np.where(self.upper, self._log(log_fraction), -np.inf))
        return np.asarray(tail / (1.0 - tail))


def _fraction[A: Array | NDArray[np.complex128]](a: Array | A, b: Array | A, z: Array) -> A:
    """Return the continued fraction of a B(a, b) I_z(a, b) / (z^a (1 - z)^b); shapes may be complex."""
    front = 1.0 / (1.0 - (a + b) * z / (a + 1.0))
    last, value = np.ones_like(front), front
    for m in range(1, MOST_TERMS):
        for numerator in (
            m * (b - m) * z / ((a + 2 * m - 1.0) * (a + 2 * m)),
            -(a + m) * (a + b + m) * z / ((a + 2 * m) * (a + 2 * m + 1.0)),
        ):
            front, last = 1.0 / (1.0 + numerator * front), 1.0 + numerator / last
            change = front * last
            value = value * change
        slope = np.maximum(np.abs(np.imag(value) / np.real(value)), STEP)
        if np.all(np.abs(np.real(change) - 1.0) <= CONVERGED) and np.all(
            np.abs(np.imag(change)) <= SLOPE_CONVERGED * slope
        ):
            break
    return cast("A", value)
