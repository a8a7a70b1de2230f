"""A smooth function of (x, T), under one or many draws of the parameters, from its values at few points.

For one x the future of a customer who is alive is an analytic function of T, their age, whose singularities lie at
T = -scale and beyond. In log(1 + T / scale) it is analytic in the strip of half-width pi, so that a Chebyshev
interpolant converges geometrically, the faster the narrower the range of ages: 8 to 32 points are good to about 1e-11.
The points are the same for all draws. Each interpolant is checked by the size of its last coefficients; one that fails
is computed from more points, and at last replaced by direct evaluation. Source: Trefethen (2013), Approximation Theory
and Practice, ch. 4-8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.threads import map_blocks

__all__ = [
    "POINTS",
    "AgeInterpolant",
    "Function",
    "angles",
    "by_age",
    "polynomials",
    "position",
    "spans",
    "to_coefficients",
]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Function = Callable[[Index, Any, Array], Array]
"""``(draws, x, T)``: values of some draws at points, shape (points, draws, outputs); T of shape (points,), and x, the
number of purchases, or the number of a curve where it is not the only thing that curves over T differ in."""

POINTS: Final = (8, 10, 12, 16, 24, 32)
WANTED: Final = np.log(1e12)
"""Fall of the coefficients from the first to the last, by which the number of points is chosen."""
TOLERANCE: Final = 1e-10
"""The last three coefficients must be below this, relative to the largest."""
LOSS: Final = 1e-8
"""And, with what rounding leaves of the largest, below this relative to the smallest value."""
ROUNDING: Final = 1e-15
VALUES_AT_A_TIME: Final = 512


@dataclass(frozen=True)
class AgeInterpolant:
    """A function of (x, T) at the distinct pairs of a customer base, made by `by_age`.

    Attributes
    ----------
    function
        The function.
    x, T
        The pairs, sorted by x, then T; shape (pairs,).
    draws
        Number of draws of the parameters.
    scale
        Distance of the nearest singularity below T = 0, of each x; shape (counts,).
    starts
        Where each x begins among the pairs, and their number; shape (counts + 1,).
    coefficients
        Of the interpolant of each x that has many ages, shape (points, draws, outputs); NaN for draws whose interpolant
        is not good, None where there is none.
    """

    function: Function
    x: Array | Index
    T: Array
    draws: int
    scale: Array
    starts: Index
    coefficients: tuple[Array | None, ...]

    def at(self, pairs: slice) -> Array:
        """Return the values at consecutive pairs, shape (pairs, draws, outputs)."""
        first = int(np.searchsorted(self.starts, pairs.start, "right")) - 1
        last = int(np.searchsorted(self.starts, pairs.stop, "left"))
        parts: list[tuple[slice, Array]] = []
        direct = np.ones(pairs.stop - pairs.start, dtype=bool)
        for group in range(first, last):
            coefficients = self.coefficients[group]
            if coefficients is not None:
                start, stop = max(int(self.starts[group]), pairs.start), min(int(self.starts[group + 1]), pairs.stop)
                place = slice(start - pairs.start, stop - pairs.start)
                direct[place] = False
                parts.append((place, self._interpolated(group, coefficients, start, stop)))
        if not direct.any():
            return np.concatenate([part for _, part in parts])
        rest = self.function(np.arange(self.draws), self.x[pairs][direct], self.T[pairs][direct])
        values = np.empty((len(direct), *rest.shape[1:]))
        values[direct] = rest
        for place, part in parts:
            values[place] = part
        return values

    def _interpolated(self, group: int, coefficients: Array, start: int, stop: int) -> Array:
        low, high = self.T[self.starts[group]], self.T[self.starts[group + 1] - 1]
        basis = polynomials(position(self.T[start:stop], low, high, self.scale[group]), len(coefficients))
        # Not by BLAS, whose own threads and those of the blocks would get into each other's way.
        values: Array = np.einsum("ji,jk->ik", basis, coefficients.reshape(len(coefficients), -1))
        values = values.reshape(stop - start, *coefficients.shape[1:])
        bad = np.flatnonzero(np.isnan(coefficients[0]).any(axis=-1))
        if len(bad):
            values[:, bad] = self.function(bad, self.x[start:stop], self.T[start:stop])
        return values


def by_age(
    function: Function,
    x: Array | Index,
    T: Array,
    scale: float | Array,
    draws: int,
    *,
    at_a_time: int = VALUES_AT_A_TIME,
) -> AgeInterpolant:
    """Prepare to evaluate ``function`` at many pairs (x, T), calling it at as few points as possible.

    Parameters
    ----------
    function
        Smooth in T for each x; see `Function`.
    x, T
        Distinct pairs of number of purchases and age, sorted by x, then T; shape (pairs,).
    scale
        Distance of the nearest singularity below T = 0 under any of the draws, in the unit of T; or that of each x.
    draws
        Number of draws of the parameters.
    at_a_time
        For how many values the function is called at once.

    Examples
    --------
    >>> T = np.linspace(30.0, 90.0, 100)
    >>> falling = by_age(lambda draws, x, T: 1.0 / (draws[:, None] + 5.0 + T[:, None, None]), 0.0 * T, T, 5.0, 2)
    >>> bool(np.allclose(falling.at(slice(10, 20))[:, :, 0], 1.0 / (np.array([5.0, 6.0]) + T[10:20, None])))
    True
    """
    starts = np.flatnonzero(np.concatenate((x[:-1] != x[1:], [True]))) + 1 if len(x) else np.zeros(0, np.int64)
    starts = np.concatenate(([0], starts))
    scale = np.broadcast_to(np.asarray(scale, float), len(starts) - 1)
    levels, ages = _levels(T, starts, scale), np.diff(starts)
    todo = np.ones((len(levels), draws), dtype=bool)
    coefficients: list[Array | None] = [None] * len(levels)
    for level, points in enumerate(POINTS):
        groups = np.flatnonzero((levels <= level) & (ages > points) & todo.any(axis=1))
        if not len(groups):
            continue
        which = np.flatnonzero(todo[groups].any(axis=0))
        nodes = _nodes(T[starts[groups]], T[starts[groups + 1] - 1], scale[groups], points)
        results = _coefficients(function, which, x[starts[groups]], nodes, at_a_time)
        for group, (new, good) in zip(groups, results, strict=True):
            coefficients[group] = _joined(coefficients[group], new, which[good], good, draws)
            todo[group, which[good]] = False
    return AgeInterpolant(function, x, T, draws, scale, starts, tuple(coefficients))


def spans(x: Array, points: int) -> list[slice]:
    """Cut sorted pairs where x changes into slices whose interpolants have `points` points or fewer, if possible.

    Examples
    --------
    >>> spans(np.array([0.0, 0.0, 1.0, 2.0, 2.0]), 3)
    [slice(0, 3, None), slice(3, 5, None)]
    """
    starts = np.concatenate(([0], np.flatnonzero(np.diff(x)) + 1, [len(x)])) if len(x) else np.zeros(1, np.int64)
    cumulated = np.concatenate(([0], np.cumsum(np.minimum(np.diff(starts), POINTS[-1]))))
    cuts = [0]
    while cuts[-1] < len(starts) - 1:
        last = int(np.searchsorted(cumulated, cumulated[cuts[-1]] + points, "right")) - 1
        cuts.append(max(last, cuts[-1] + 1))
    return [slice(first, last) for first, last in pairwise(starts[cuts].tolist())]


def _levels(T: Array, starts: Index, scale: Array) -> Index:
    """Return which of `POINTS` each x should do with: the Bernstein ellipse that touches the edges of the strip."""
    half = 0.5 * (np.log1p(T[starts[1:] - 1] / scale) - np.log1p(T[starts[:-1]] / scale))
    height = np.pi / np.maximum(half, 1e-3)
    enough = 3.0 + WANTED / np.log(height + np.sqrt(1.0 + height**2))
    return np.asarray(np.minimum(np.searchsorted(POINTS, enough), len(POINTS) - 1))


def _coefficients(
    function: Function, draws: Index, x: Array | Index, nodes: Array, values_at_a_time: int
) -> list[tuple[Array, NDArray[np.bool_]]]:
    """Return for each row of nodes (groups, points) the coefficients, and for which draws they are good."""
    points = nodes.shape[1]
    at_a_time = max(values_at_a_time // (points * len(draws)), 1)

    def block(groups: slice) -> tuple[Array, NDArray[np.bool_]]:
        values = function(draws, np.repeat(x[groups], points), nodes[groups].ravel())
        return _checked(values.reshape(-1, points, *values.shape[1:]))

    return [row for results in map_blocks(block, len(nodes), at_a_time) for row in zip(*results, strict=True)]


def _checked(values: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return Chebyshev coefficients of values at nodes, shape (groups, points, draws, outputs), and which are good."""
    coefficients = np.einsum("ij,gjkl->gikl", to_coefficients(values.shape[1]), values)
    sizes = np.abs(coefficients)
    last, largest = sizes[:, -3:].max(axis=1), sizes.max(axis=1)
    least = np.abs(values).min(axis=1)
    small = (last <= TOLERANCE * largest) & (np.maximum(last, ROUNDING * largest) <= LOSS * least)
    return coefficients, small.all(axis=-1)


def _joined(old: Array | None, new: Array, which: Index, good: NDArray[np.bool_], draws: int) -> Array:
    """Return the coefficients of all draws: those found before, those just found good, and NaN."""
    joined = np.full((len(new), draws, new.shape[2]), np.nan)
    if old is not None:
        joined[: len(old)] = old
        joined[len(old) :, ~np.isnan(old[0]).any(axis=-1)] = 0.0
    joined[:, which] = new[:, good]
    return joined


def angles(points: int) -> Array:
    """Return the angles whose cosines are the Chebyshev points (of the first kind) in [-1, 1]."""
    return np.asarray(np.pi * (np.arange(points) + 0.5) / points)


@cache
def to_coefficients(points: int) -> Array:
    """Return the matrix that takes values at the Chebyshev points to the coefficients of their interpolant.

    Examples
    --------
    >>> (to_coefficients(3) @ np.cos(angles(3))).round(12) + 0.0
    array([0., 1., 0.])
    """
    matrix = 2.0 / points * np.cos(np.arange(points)[:, None] * angles(points))
    matrix[0] /= 2.0
    return np.asarray(matrix)


def _nodes(low: Array, high: Array, scale: Array, points: int) -> Array:
    """Return the ages to evaluate at between those of each group, shape (groups, points)."""
    start, end = np.log1p(low / scale)[:, None], np.log1p(high / scale)[:, None]
    middle = 0.5 * (start + end) + 0.5 * (end - start) * np.cos(angles(points))
    return np.asarray(scale[:, None] * np.expm1(middle))


def position(T: Array, low: float, high: float, scale: float) -> Array:
    """Return where ages lie in [-1, 1] between the lowest and the highest.

    Examples
    --------
    >>> position(np.array([1.0, 3.0, 7.0]), 1.0, 7.0, 1.0)
    array([-1.,  0.,  1.])
    """
    start, end = np.log1p(low / scale), np.log1p(high / scale)
    return np.asarray((2.0 * np.log1p(T / scale) - start - end) / (end - start))


def polynomials(position: Array, points: int) -> Array:
    """Return the Chebyshev polynomials at positions in [-1, 1], shape (points, positions).

    Examples
    --------
    >>> polynomials(np.array([0.5]), 3).ravel()
    array([ 1. ,  0.5, -0.5])
    """
    values = np.ones((points, len(position)))
    values[1] = position
    twice = 2.0 * position
    for j in range(2, points):
        np.multiply(values[j - 1], twice, out=values[j])
        values[j] -= values[j - 2]
    return values
