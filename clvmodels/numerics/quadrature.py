"""Integrals over time by Gauss-Legendre panels, with the discount factor moved into the weights.

Every quantity of the future is one number a time: survival s(u) and purchase intensity m(u), both smooth. What is
asked of them (expected purchases up to t, discounted purchases within a horizon, discounted living time, under any
convention of discounting) is an integral of s or m times a factor of u that may jump. The values at the nodes
of a `TimeGrid` serve them all: the factor is integrated exactly against the interpolating polynomial of each panel
("product integration", Davis & Rabinowitz 1984, section 2.5.6), so a new question costs a vector of weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["GivenGrid", "NestedGrids", "TimeGrid", "Weighting", "log_integral_of_peak"]

Array = NDArray[np.float64]

PER_PANEL = 16
PIECES_AT_A_TIME = 4096
GROWTH = 3.0
"""Each panel is this much longer than the one before; with 16 nodes the interpolation is good to 1e-9 and the
integral of a smooth factor to rounding."""

LEGENDRE_NODES, LEGENDRE_WEIGHTS = np.polynomial.legendre.leggauss(PER_PANEL)
FEW_NODES, FEW_WEIGHTS = np.polynomial.legendre.leggauss(6)
SHORT = 1 / 40
"""Pieces of a panel that are all shorter than this share of it need few nodes: the polynomial hardly bends in them."""


def _barycentric_weights(nodes: Array) -> Array:
    differences = nodes[:, None] - nodes[None, :] + np.eye(len(nodes))
    return np.asarray(1.0 / differences.prod(axis=1))


BARYCENTRIC = _barycentric_weights(LEGENDRE_NODES)


def _lagrange(at: Array) -> Array:
    """Return the Lagrange polynomials of the Gauss-Legendre nodes at points in [-1, 1]; shape (points, nodes)."""
    gap = at[:, None] - LEGENDRE_NODES
    hit = gap == 0.0
    ratio = BARYCENTRIC / np.where(hit, 1.0, gap)
    values = ratio / ratio.sum(axis=1, keepdims=True)
    return np.asarray(np.where(hit.any(axis=1, keepdims=True), hit.astype(float), values))


@dataclass(frozen=True)
class Weighting:
    """A known factor of time to integrate with.

    Attributes
    ----------
    factor
        The factor, a function of an array of times.
    end
        It is zero after this time.
    jumps
        Where it is not smooth, beside at `end`.
    smooth_over
        The time over which it changes by not more than some powers of e.
    points
        Times at which the function counts by itself, and how much there.
    moments
        The factor of single moments, in sums that take the place of integrals; None: it is `factor`.
    """

    factor: Callable[[Array], Array]
    end: float
    jumps: Sequence[float] | Array = ()
    smooth_over: float = np.inf
    points: tuple[tuple[float, float], ...] = ()
    moments: Callable[[Array], Array] | None = None

    def at(self, moments: Array) -> Array:
        """Return the factor of single moments, shape of these."""
        return (self.moments or self.factor)(moments)


@dataclass(frozen=True)
class TimeGrid:
    """Nodes in time, in panels that grow geometrically from `first` until they cover `end`.

    Attributes
    ----------
    first
        Length of the first panel, which begins at 0: short enough for the integrand to fall moderately in it.
    end
        The time to be covered.
    """

    first: float
    end: float

    @cached_property
    def breaks(self) -> Array:
        """The ends of the panels, shape (panels + 1,)."""
        if self.end <= self.first:
            return np.array([0.0, self.end])
        count = 1 + int(np.ceil(np.log(self.end / self.first) / np.log(GROWTH) - 1e-12))
        return np.concatenate([[0.0], self.first * GROWTH ** np.arange(count - 1), [self.end]])

    @cached_property
    def nodes(self) -> Array:
        """The times at which the integrand is wanted, shape (panels * 16,)."""
        return _panel_nodes(self.breaks)

    def weights(self, weighting: Weighting) -> Array:
        """Return weights w such that ``f(nodes) @ w`` is the integral of the weighting's factor times f."""
        end = min(weighting.end, self.end)
        return np.concatenate([_panel_weights(weighting, end, *panel) for panel in pairwise(self.breaks.tolist())])


@dataclass(frozen=True, eq=False)
class GivenGrid(TimeGrid):
    """The same in panels that are given: `ends` in place of those that grow geometrically, shape (panels + 1,)."""

    ends: Array

    @classmethod
    def between(cls, ends: Array) -> GivenGrid:
        """Return the grid of panels between consecutive ends, of which the first one is zero."""
        return cls(float(ends[1]), float(ends[-1]), ends)

    @cached_property
    def breaks(self) -> Array:
        """The ends of the panels."""
        return self.ends


@dataclass(frozen=True)
class NestedGrids:
    """Grids in time that cover the same range: each level has a shorter first panel, and all share the others.

    Attributes
    ----------
    weightings
        The factors to integrate with.
    """

    weightings: tuple[Weighting, ...]
    _panels: dict[tuple[float, float], Array] = field(default_factory=dict, init=False, repr=False, compare=False)
    _levels: dict[int, tuple[Array, Array]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def end(self) -> float:
        """The time that is covered."""
        return max(weighting.end for weighting in self.weightings)

    def level(self, first: Array) -> NDArray[np.int64]:
        """Return the level whose first panel is as long as `first`, or shorter by less than `GROWTH`.

        Examples
        --------
        >>> NestedGrids((Weighting(np.ones_like, 90.0),)).level(np.array([100.0, 40.0, 10.0]))
        array([0, 1, 2])
        """
        ratio = np.maximum(self.end / first, 1.0)
        return np.asarray(np.ceil(np.log(ratio) / np.log(GROWTH) - 1e-12).astype(np.int64))

    def at(self, level: int) -> tuple[Array, Array]:
        """Return the nodes of a level, shape (nodes,), and the weights of each factor, shape (nodes, weightings)."""
        if level not in self._levels:
            breaks = np.array([0.0, *(self.end / GROWTH**k for k in range(level, -1, -1))])
            weights = [self._weights(left, right) for left, right in pairwise(breaks.tolist())]
            self._levels[level] = _panel_nodes(breaks), np.concatenate(weights)
        return self._levels[level]

    def _weights(self, left: float, right: float) -> Array:
        """Return the weights of one panel, shape (16, weightings); kept once found."""
        if (left, right) not in self._panels:
            columns = [
                _panel_weights(weighting, min(weighting.end, self.end), left, right) for weighting in self.weightings
            ]
            self._panels[left, right] = np.column_stack(columns)
        return self._panels[left, right]


def _panel_nodes(breaks: Array) -> Array:
    """Return 16 nodes in each panel between consecutive breaks."""
    left, right = breaks[:-1, None], breaks[1:, None]
    return np.ravel(0.5 * (left + right) + 0.5 * (right - left) * LEGENDRE_NODES)


def _panel_weights(weighting: Weighting, end: float, left: float, right: float) -> Array:
    """Integrate factor times each Lagrange polynomial over a panel, piece by piece between the jumps."""
    breaks = np.append(np.asarray(weighting.jumps, float), end)
    inner = breaks[(breaks > left) & (breaks < right)]
    total = np.zeros(PER_PANEL)
    if right <= left or left >= end:
        return total
    pieces = min(1 + int((right - left) / weighting.smooth_over), 64)
    cuts = np.unique(np.concatenate([np.linspace(left, right, pieces + 1), inner]))
    nodes, shares = LEGENDRE_NODES, LEGENDRE_WEIGHTS
    if np.diff(cuts).max() < SHORT * (right - left):
        nodes, shares = FEW_NODES, FEW_WEIGHTS
    for start in range(0, len(cuts) - 1, PIECES_AT_A_TIME):
        edges = cuts[start : start + PIECES_AT_A_TIME + 1]
        half, middle = 0.5 * np.diff(edges)[:, None], 0.5 * (edges[1:] + edges[:-1])[:, None]
        times = np.ravel(middle + half * nodes)
        mass = np.ravel(half * shares) * np.where(times < end, weighting.factor(times), 0.0)
        total += mass @ _lagrange((2.0 * times - left - right) / (right - left))
    for time, mass_at in weighting.points:
        if left < time <= right:
            total += mass_at * _lagrange(np.array([(2.0 * time - left - right) / (right - left)]))[0]
    return total


def log_integral_of_peak(log_integrand: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Return log of the integral of a positive function with one peak, elementwise over arrays of limits.

    The peak is found by golden-section search, the points where the function has fallen by exp(-40) by bisection,
    and each side is integrated by eight panels of 16 Gauss-Legendre nodes.

    Parameters
    ----------
    log_integrand
        Log of the function; takes and returns arrays of shape (..., m), the dots being the shape of the limits.
    low, high
        Finite limits of integration, of one shape.
    """
    peak = _peak(log_integrand, low, high)
    top = log_integrand(peak[..., None])[..., 0]
    parts = [_side(log_integrand, peak, _fallen(log_integrand, peak, top, limit), top) for limit in (low, high)]
    return top + np.log(parts[0] + parts[1])


def _peak(log_integrand: Callable[[Array], Array], low: Array, high: Array) -> Array:
    golden = (np.sqrt(5.0) - 1.0) / 2.0
    a, b = low, high
    for _ in range(80):
        c, d = b - golden * (b - a), a + golden * (b - a)
        values = log_integrand(np.stack([c, d], axis=-1))
        left = values[..., 0] >= values[..., 1]
        a, b = np.where(left, a, c), np.where(left, d, b)
    return 0.5 * (a + b)


def _fallen(log_integrand: Callable[[Array], Array], peak: Array, top: Array, limit: Array) -> Array:
    near, far = peak, limit
    for _ in range(60):
        middle = 0.5 * (near + far)
        below = log_integrand(middle[..., None])[..., 0] < top - 40.0
        near, far = np.where(below, near, middle), np.where(below, middle, far)
    return far


def _side(log_integrand: Callable[[Array], Array], start: Array, end: Array, top: Array) -> Array:
    panels = 8
    offsets = np.ravel((np.arange(panels)[:, None] + 0.5 * (1.0 + LEGENDRE_NODES)) / panels)
    mass = np.tile(LEGENDRE_WEIGHTS, panels) / (2.0 * panels)
    length = end - start
    values = log_integrand(start[..., None] + length[..., None] * offsets)
    return np.abs(length) * (np.exp(values - top[..., None]) @ mass)
