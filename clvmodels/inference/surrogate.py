"""A polynomial in place of a log density that is costly to compute.

In coordinates in which the curvature at the mode is one, the log density of a few parameters that many customers tell
much about is nearly a parabola, and a polynomial of degree 4 takes up most of what is left. It is fitted to the density
and its gradient at some of the points, and compared with the density at others. Where it misses these, polynomials of
degrees 5 and 6 are fitted to more points; where these miss, too, the density of all points is computed.

The points are draws from a distribution with heavier tails, and their weights say how much higher the density is. What
the polynomial misses counts in logs of these weights, none of them taken as less than a small one: where the density is
so low that a point has no weight, a polynomial need not follow it, as long as it says that it is low.

Source: Rasmussen (2003), Bayesian Statistics 7, on log densities known from few evaluations and their gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from math import comb
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["LARGEST_ERROR", "MANY_HISTORIES", "Density", "is_costly", "log_densities"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Density = Callable[[Array], tuple[float, Array]]
"""Returns the log density of a point, and its gradient."""

MANY_HISTORIES: Final = 1 << 15
"""Distinct ones; of fewer, the density of hundreds of draws takes a second or two."""
MOST_VARIABLES: Final = 8
LARGEST_ERROR: Final = 0.01
"""Root mean square of what the polynomial misses: importance weights are then right to one per cent."""
ATTEMPTS: Final = ((64, 4), (127, 5), (253, 6))
"""Points, and the highest degree of a polynomial: it is fitted to every second one, and compared at the others. The
points of an attempt are those that the next one is fitted to."""
FARTHEST: Final = 16
"""Points whose density is always computed: few lie near them, and a polynomial may rise there where the density
falls."""
LEAST_LOG_WEIGHT: Final = -10.0
"""Below the largest: thousands of points with less would weigh as much as one of those that matter."""
LEAST_EQUATIONS: Final = 2
"""For each coefficient; where there are fewer, the degree is lower."""


def is_costly(histories: int, variables: int) -> bool:
    """Whether a polynomial is to stand for the density of these variables, given so many distinct histories.

    Examples
    --------
    >>> is_costly(600_000, 4), is_costly(236, 4)
    (True, False)
    """
    return histories >= MANY_HISTORIES and variables <= MOST_VARIABLES


def log_densities(density: Density, u: Array, z: Array, factor: Array, log_proposal: Array) -> tuple[Array, float]:
    """Return the log density of points, and by how much a polynomial misses it where the two were compared.

    Parameters
    ----------
    density
        The log density of u and its gradient by u.
    u, z
        The points, and the same in coordinates in which the density is nearly a standard normal one; shape (n, size).
    factor
        What turns the one into the other: u = mode + factor z; shape (size, size).
    log_proposal
        The log density of the distribution that the points were drawn from, up to a constant, shape (n,).

    Returns
    -------
    values
        Log densities, shape (n,): of the polynomial where the density was not computed.
    error
        Root mean square of what the polynomial misses of log weights, as the module says. Above `LARGEST_ERROR`, and
        where the density is not finite (then the error is infinite), all values are those of the density itself.

    Examples
    --------
    A parabola is a polynomial:

    >>> z = np.random.default_rng(1).standard_normal((400, 3))
    >>> values, error = log_densities(lambda u: (-0.5 * u @ u, -u), z, z, np.eye(3), -0.4 * (z**2).sum(axis=1))
    >>> bool(error < 1e-12), bool(np.allclose(values, -0.5 * (z**2).sum(axis=1)))
    (True, True)
    """
    computed = _Computed(density, u, factor)
    by_distance, error = np.argsort(np.sum(z**2, axis=1)), np.inf
    for number, degree in ATTEMPTS:
        chosen = by_distance[np.linspace(0, len(z) - 1, min(number, len(z))).round().astype(np.int64)]
        last = (len(chosen) - 1) % 2  # the farthest point is one of those fitted: none lies outside
        fitted, compared = chosen[last::2], chosen[1 - last :: 2]
        computed.require(chosen)
        if not np.isfinite(computed.values[chosen]).all():
            error = np.inf
            break
        polynomial = _fitted(z[fitted], computed.values[fitted], computed.slopes[fitted], degree)
        lowest = log_proposal + np.max(computed.values[chosen] - log_proposal[chosen]) + LEAST_LOG_WEIGHT
        true, other = (
            np.maximum(values, lowest[compared]) for values in (computed.values[compared], polynomial(z[compared]))
        )
        error = float(np.sqrt(np.mean((other - true) ** 2)))
        if error <= LARGEST_ERROR:
            computed.require(by_distance[-FARTHEST:])
            return np.where(computed.known, computed.values, polynomial(z)), error
    computed.require(by_distance)
    return computed.values, error


@dataclass(eq=False)
class _Computed:
    """The density of some of the points.

    Attributes
    ----------
    density, u, factor
        As of `log_densities`.
    known
        Of which points it has been computed, shape (n,).
    values, slopes
        The log density, shape (n,), and its gradient by z, shape (n, size).
    """

    density: Density
    u: Array
    factor: Array
    known: NDArray[np.bool_] = field(init=False)
    values: Array = field(init=False)
    slopes: Array = field(init=False)

    def __post_init__(self) -> None:
        self.known, self.values, self.slopes = np.zeros(len(self.u), np.bool_), np.zeros(len(self.u)), self.u.copy()

    def require(self, points: Index) -> None:
        """Compute it of those of these points of which it is not known."""
        for point in points[~self.known[points]]:
            self.values[point], slope = self.density(self.u[point])
            self.slopes[point] = slope @ self.factor
            self.known[point] = True


@dataclass(frozen=True, eq=False)
class _Polynomial:
    """A polynomial of several variables.

    Attributes
    ----------
    powers
        Of each variable in each term, shape (terms, size).
    coefficients
        Shape (terms,).
    """

    powers: Index
    coefficients: Array

    def __call__(self, z: Array) -> Array:
        """Return its values at points, shape (n, size)."""
        return np.asarray(_products(z, self.powers) @ self.coefficients)


def _fitted(z: Array, values: Array, slopes: Array, highest: int) -> _Polynomial:
    """Return the polynomial up to a degree nearest to values and gradients, in the sense of least squares."""
    number, size = z.shape
    powers = _powers(size, _degree(number * (size + 1), size, highest))
    matrix = np.concatenate([_products(z, powers), *(_derivatives(z, powers, k) for k in range(size))])
    level = values.mean()  # millions, of which the digits that matter are the last
    right = np.concatenate([values - level, slopes.T.ravel()])
    coefficients = np.linalg.lstsq(matrix, right, rcond=None)[0]
    coefficients[0] += level
    return _Polynomial(powers, coefficients)


def _degree(equations: int, size: int, highest: int) -> int:
    """Return the degree, up to a highest one, whose coefficients so many equations determine with some to spare."""
    degrees = (degree for degree in range(highest, 1, -1) if LEAST_EQUATIONS * comb(size + degree, degree) <= equations)
    return next(degrees, 1)


def _powers(size: int, degree: int) -> Index:
    """Return the powers of each variable in each term up to a degree, the constant first, shape (terms, size)."""
    terms = [term for order in range(degree + 1) for term in combinations_with_replacement(range(size), order)]
    return np.array([[term.count(variable) for variable in range(size)] for term in terms], np.int64)


def _products(z: Array, powers: Index) -> Array:
    """Return each term without its coefficient at each point, shape (n, terms)."""
    return np.asarray(np.prod(z[:, None, :] ** powers, axis=-1))


def _derivatives(z: Array, powers: Index, variable: int) -> Array:
    """Return the derivatives of the same by one of the variables."""
    lower = powers.copy()
    lower[:, variable] = np.maximum(lower[:, variable] - 1, 0)
    return powers[:, variable] * _products(z, lower)
