"""Expectations over p ~ Beta(a, b) of powers of 1 + p z: Gauss's hypergeometric function, and its integral over z.

The BG/NBD and its siblings need E[(1 + p z)^-n] = 2F1(n, a; a + b; -z), and E[(1 - (1 + p z)^-n) / p], where the usual
series and transformations overflow or cancel (n and b grow with the number of purchases). Over y = log(p / (1 - p))
the integrands are positive and log-concave, are analytic in the strip |Im y| < pi and decay exponentially on both
sides: the trapezoidal rule converges geometrically (Trefethen & Weideman 2014, SIAM Review 56(3)). Where a tail has
become an exponential, the rest of its sum is a geometric series and is added in closed form, so that a and b may be as
small as one likes. Euler's integral: DLMF 15.6.1.

Where many z are asked for under one n, a and b, as for an integral over time, the logs of the expectations are
interpolated in log(z + 1/2): they are analytic in z but for the reals up to -1, so in the strip of half-width pi, and
small z lie close together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.interpolate import angles, to_coefficients
from clvmodels.numerics.special import log_beta, log_beta_peak

__all__ = ["mean_powers", "mean_purchases"]

Array = NDArray[np.float64]
Kind = Literal["powers", "purchases"]

WIDEST_STEP: Final = 0.3
"""Step of the trapezoidal rule in y; the error is about exp(-pi^2 / step) for a wide integrand."""
STEP_PER_WIDTH: Final = 0.45
"""Step as a multiple of the standard deviation of a narrow peak."""
CLOSE, LARGEST_NUMBER_OF_STEPS = 0.3, 12
"""A Newton step to the peak that is shorter than this share of its width is the last one."""
CONCENTRATED: Final = 1e16
"""Where both a and b are larger, p is its mean to rounding: they count as if the smaller one were this."""
NEGLIGIBLE: Final = 28.0
"""What has fallen by this power of e is left out."""
STRAIGHT: Final = 26.0
"""At a distance d beyond its last bend the log integrand is a straight line to exp(-d), and the tail holds a share of
exp(-a d) of the whole (on the right, exp(-b d)): at d = 26 / (1 + a) the geometric series is exact to exp(-26)."""
ROWS_AT_A_TIME: Final = 256
NODES_ROUNDED_TO: Final = 16
SHIFT: Final = 0.5
"""What is added to z before its log is taken. Nearer to 1, the zeros of the expectations between -1 and 0 disturb."""
POINTS_PER_LOG: Final = 2.75
"""Points of an interpolant in log(z + 1/2) for each unit of its range, beside the first few."""
FEWEST_POINTS: Final = 8
FEWEST_VALUES: Final = 32
"""An interpolant serves no fewer."""
LONGEST_PIECE: Final = 6.0
"""Range of log(z + 1/2) that one interpolant spans: more of them cost more expectations, longer sums save none."""
VALUES_AT_A_TIME: Final = 1 << 14
"""Of an interpolant: small enough for the fast memory of a core."""
TERMS_AT_A_TIME: Final = 1 << 15
MOST_SHARED_NODES: Final = 256
"""Of a grid that serves all z of a law; one that needs more has narrow peaks, which move with z: a grid for each."""
TOLERANCE: Final = 1e-10
"""The last three Chebyshev coefficients of a log must be below this."""


@dataclass(frozen=True)
class _Integrand:
    """Integrands of one kind, one a row; the parameters have shape (rows, 1), y has shape (rows, points).

    y counts the log odds from those of the mean, a / b, and the density is relative to its peak, which is there: so the
    integrands stay exact where a and b are so large that hardly anything but their mean counts.
    """

    kind: Kind
    n: Array
    z: Array
    a: Array
    b: Array

    def odds(self, y: Array) -> Array:
        """Return p / (1 - p)."""
        return np.asarray(self.a / self.b * np.exp(y))

    def log(self, y: Array) -> Array:
        """Return the log of the integrand."""
        odds = self.odds(y)
        growth = self.n * np.log1p(self.z * odds / (1.0 + odds))
        small, place = np.minimum(self.a, self.b), np.where(self.a > self.b, -y, y)
        log_density = small * place - (self.a + self.b) * np.log1p(small / (self.a + self.b) * np.expm1(place))
        if self.kind == "powers":
            return np.asarray(log_density - growth)
        return np.asarray(log_density + np.log(-np.expm1(-growth) * (1.0 + odds) / odds))

    def slope(self, y: Array) -> Array:
        """Return the derivative of the log of the integrand, which decreases in y."""
        odds = self.odds(y)
        p, rest = odds / (1.0 + odds), 1.0 / (1.0 + odds)
        share = p * self.z / (1.0 + p * self.z)
        of_density = -self.a * np.expm1(y) * rest
        if self.kind == "powers":
            return np.asarray(of_density - rest * self.n * share)
        return np.asarray(of_density + rest * (self.n * share / np.expm1(self.n * np.log1p(p * self.z)) - 1.0))

    def peak(self) -> Array:
        """Return where the integrand is largest, to a fraction of its width: bisection, then Newton's method."""
        low = np.log(self.b / (self.b + self.n + 1.0)) - np.log1p(self.z) - np.log1p(self.n) - 2.0
        high = np.full(low.shape, 2.0)
        for _ in range(8):
            middle = 0.5 * (low + high)
            rising = self.slope(middle) > 0.0
            low, high = np.where(rising, middle, low), np.where(rising, high, middle)
        y = 0.5 * (low + high)
        for _ in range(LARGEST_NUMBER_OF_STEPS):
            width = self.width(y)
            step = self.slope(y) * width**2
            y = np.clip(y + step, low, high)
            if np.all(np.abs(step) < CLOSE * width):
                break
        return np.asarray(y)

    def width(self, y: Array) -> Array:
        """Return the standard deviation of the normal curve that bends as the integrand does at y."""
        curvature = (self.slope(y - 1e-3) - self.slope(y + 1e-3)) / 2e-3
        return np.asarray(1.0 / np.sqrt(np.maximum(curvature, 1e-8)))

    def fallen(self, start: Array, top: Array) -> Array:
        """Return a point at or beyond `start`, seen from the peak, where the integrand is negligible.

        The log integrand is concave: its tangent at `start` lies above it and meets the level beyond it.
        """
        missing = np.maximum(self.log(start) - top + NEGLIGIBLE, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):  # where it is level, there is no such point nearby
            return np.asarray(start - np.where(missing > 0.0, missing / self.slope(start), 0.0))


def mean_powers(n: Array, z: Array, a: Array, b: Array, *, compiled: bool = False) -> tuple[Array, Array]:
    """Return E[(1 + p z)^-n] and E[(1 + p z)^-(n + 1)] for p ~ Beta(a, b); n, a, b > 0, z >= 0. Broadcasts.

    Those of many laws are computed several times as fast in compiled form, which loads the compiler.
    """
    law = np.broadcast_shapes(np.shape(n), np.shape(a), np.shape(b))
    z = np.broadcast_to(z, np.broadcast_shapes(np.shape(z), law))
    law = (1,) * (z.ndim - len(law)) + law
    shared = tuple(axis for axis in range(z.ndim) if law[axis] == 1)
    if not compiled and math.prod(z.shape[axis] for axis in shared) < FEWEST_VALUES:
        law, shared = z.shape, ()
    moved = np.moveaxis(z, shared, range(-len(shared), 0))
    columns = [np.broadcast_to(part, law).reshape(-1, 1) for part in (n, a, b)]
    table = moved.reshape(-1, math.prod(moved.shape[z.ndim - len(shared) :]))
    means = (_by_series if compiled else _by_sums)(columns, table).reshape(2, *moved.shape)
    mean, tilted = np.moveaxis(means, range(-len(shared), 0), [axis + 1 for axis in shared])
    return mean, tilted


def _by_series(columns: list[Array], z: Array) -> Array:
    """Return what `_by_sums` does, compiled; that itself for laws whose series are not good."""
    from clvmodels.numerics.compiled_beta_mixture import write_powers

    means = np.empty((2, *z.shape))
    n, a, b = (np.ascontiguousarray(column[:, 0], float) for column in columns)
    rest = ~write_powers(n, np.ascontiguousarray(z, float), a, b, means)
    if rest.any():
        means[:, rest] = _by_sums([column[rest] for column in columns], z[rest])
    return means


def _by_sums(columns: list[Array], z: Array) -> Array:
    """Return what `_means` does; n, a and b of shape (laws, 1), z (laws, values). Many values are interpolated."""
    if z.shape[1] < FEWEST_VALUES:
        means = _of_laws(z, *columns)
    else:
        order = np.argsort(z[0])
        pieces = 1 + int(np.log((z[0, order[-1]] + SHIFT) / (z[0, order[0]] + SHIFT)) / LONGEST_PIECE)
        means = np.empty((2, *z.shape))
        for piece in np.array_split(order, pieces):
            means[:, :, piece] = _interpolated(columns, z[:, piece])
    means[:, z == 0.0] = 1.0
    return means


def _interpolated(columns: list[Array], z: Array) -> Array:
    """Return what `_means` does, from its values at few z; n, a and b of shape (laws, 1), z (laws, values)."""
    n, a, b = columns
    place = np.log(z + SHIFT)
    low, high = place.min(axis=1, keepdims=True), place.max(axis=1, keepdims=True)
    points = FEWEST_POINTS + 8 * int(np.ceil(POINTS_PER_LOG / 8.0 * (high - low).max()))
    if points > z.shape[1]:
        return _of_laws(z, n, a, b)
    middle, half = 0.5 * (low + high), np.maximum(0.5 * (high - low), 1e-9)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(_of_laws(np.exp(middle + half * np.cos(angles(points))) - SHIFT, n, a, b))
        coefficients = np.einsum("ij,klj->kli", to_coefficients(points), logs)
    good = (np.abs(coefficients[..., -3:]) <= TOLERANCE).all(axis=(0, 2))
    coefficients[:, ~good] = 0.0  # computed below without them; where powers underflow, their logs are infinite
    place -= middle
    place /= half
    means = np.empty((2, *z.shape))
    laws = max(VALUES_AT_A_TIME // z.shape[1], 1)
    for start in range(0, len(z), laws):
        rows = slice(start, start + laws)
        for k in range(2):
            np.exp(_clenshaw(coefficients[k, rows], place[rows]), out=means[k, rows])
    if not good.all():
        means[:, ~good] = _of_laws(z[~good], n[~good], a[~good], b[~good])
    return means


def _of_laws(z: Array, n: Array, a: Array, b: Array) -> Array:
    """Return what `_means` does of powers; n, a and b of shape (laws, 1), z (laws, points).

    All z of a law are summed on one grid in y, on which p and its density are computed once. At its peak the log
    integrand bends by less than a, whatever z: where a is small, one step suits all, and the ends need no search.
    """
    means = np.empty((2, *z.shape))
    step = np.minimum(WIDEST_STEP, STEP_PER_WIDTH / np.sqrt(a))
    beyond, log_weight = np.log1p(n + a + b), np.log(step) - log_beta(a, b)
    low = -np.log1p(z.max(axis=1, keepdims=True)) - beyond - STRAIGHT / (1.0 + a)
    nodes = np.ceil((beyond + STRAIGHT / (1.0 + b) - low) / step / NODES_ROUNDED_TO)[:, 0] * NODES_ROUNDED_TO
    for count in np.unique(nodes[nodes <= MOST_SHARED_NODES]).astype(int).tolist():
        rows = np.flatnonzero(nodes == count)
        at_a_time = max(TERMS_AT_A_TIME // (count * z.shape[1]), 1)
        for block in np.split(rows, range(at_a_time, len(rows), at_a_time)):
            y = low[block] + step[block] * np.arange(count)
            means[:, block] = _on_shared_grid(n[block], z[block], a[block], b[block], y, step[block], log_weight[block])
    rest = nodes > MOST_SHARED_NODES
    if rest.any():
        means[:, rest] = _means("powers", n[rest], z[rest], a[rest], b[rest])
    return means


def _on_shared_grid(n: Array, z: Array, a: Array, b: Array, y: Array, step: Array, log_weight: Array) -> Array:
    """Return both expectations, shape (2, laws, points), from nodes y of shape (laws, nodes).

    The weight of a node is the step by the beta function of a and b.
    """
    odds = np.exp(y)
    density = np.exp(a * y - (a + b) * np.log1p(odds) + log_weight)
    density[:, :1] /= -np.expm1(-a * step)  # the tails: geometric series, as in `_trapezoid`
    density[:, -1:] /= -np.expm1(-b * step)
    growth = z[:, :, None] * (odds / (1.0 + odds))[:, None, :]
    terms = np.log1p(growth)
    terms *= -n[:, :, None]
    np.exp(terms, out=terms)
    terms *= density[:, None, :]
    mean = terms.sum(axis=2)
    growth += 1.0
    terms /= growth
    return np.stack([mean, terms.sum(axis=2)])


def _clenshaw(coefficients: Array, place: Array) -> Array:
    """Return sums of Chebyshev polynomials at places (rows, values) in [-1, 1]; coefficients (rows, points)."""
    twice, product = 2.0 * place, np.empty(place.shape)
    above, value = np.zeros(place.shape), np.zeros(place.shape)
    for coefficient in coefficients.T[:0:-1]:
        np.multiply(twice, value, out=product)
        product += coefficient[:, None]
        np.subtract(product, above, out=above)
        above, value = value, above
    return np.asarray(coefficients[:, :1] + place * value - above)


def mean_purchases(n: Array, z: Array, a: Array, b: Array) -> Array:
    """Return E[(1 - (1 + p z)^-n) / p] for p ~ Beta(a, b); n, a, b > 0, z >= 0. Broadcasts."""
    return np.where(np.asarray(z) == 0.0, 0.0, _means("purchases", n, z, a, b)[0])


def _means(kind: Kind, n: Array, z: Array, a: Array, b: Array) -> Array:
    """Return the expectation, and that times 1 / (1 + p z); shape (2, ...)."""
    arguments = np.broadcast_arrays(n, np.where(np.asarray(z) > 0.0, z, 1.0), a, b)
    n, z, a, b = (np.ravel(argument)[:, None] for argument in arguments)
    shrink = np.minimum(1.0, CONCENTRATED / np.minimum(a, b))
    columns = [n, z, a * shrink, b * shrink]
    means = np.empty((2, n.size))
    with np.errstate(over="ignore"):  # the larger of two terms may overflow where only its reciprocal counts
        for start in range(0, columns[0].size, 8 * ROWS_AT_A_TIME):
            rows = slice(start, start + 8 * ROWS_AT_A_TIME)
            means[:, rows] = _sums(kind, [column[rows] for column in columns])
    return means.reshape(2, *arguments[0].shape)


def _sums(kind: Kind, columns: list[Array]) -> Array:
    everything = _Integrand(kind, *columns)
    peak = everything.peak()
    top, width = everything.log(peak), everything.width(peak)
    step = np.minimum(WIDEST_STEP, STEP_PER_WIDTH * width)
    beyond = np.log1p(everything.n + everything.a + everything.b)
    centre = np.log(everything.a) - np.log(everything.b)
    lowest = np.minimum(-np.log1p(everything.z) - beyond - STRAIGHT / (1.0 + everything.a) - centre, peak)
    highest = np.maximum(beyond + STRAIGHT / (1.0 + everything.b) - centre, peak)
    left, right = np.maximum(peak - 7.0 * width, lowest), np.minimum(peak + 7.0 * width, highest)
    # Where a is so small that the slope is all rounding, its sign is too: never back towards the peak.
    low = np.clip(everything.fallen(left, top), lowest, left)
    high = np.clip(everything.fallen(right, top), right, highest)
    nodes = np.ceil((high - low) / step / NODES_ROUNDED_TO + 1e-9).astype(int)[:, 0] * NODES_ROUNDED_TO
    means = np.empty((2, len(peak)))
    for count in np.unique(nodes):
        rows = np.flatnonzero(nodes == count)
        for block in np.split(rows, range(ROWS_AT_A_TIME, len(rows), ROWS_AT_A_TIME)):
            grid = low[block] + step[block] * np.arange(count)
            part = _Integrand(kind, *(column[block] for column in columns))
            means[:, block] = _trapezoid(part, grid, top[block], step[block])
    return means


def _trapezoid(integrand: _Integrand, y: Array, top: Array, step: Array) -> Array:
    """Sum the terms on an equidistant grid, and the geometric series that they continue in on both sides."""
    odds = integrand.odds(y)
    excess = integrand.log(y) - top  # above zero only by rounding, or next to the peak
    terms = np.exp(np.minimum(excess, 1.0, out=excess))
    terms[:, :1] /= -np.expm1(-integrand.a * step)
    terms[:, -1:] /= -np.expm1(-integrand.b * step)
    scale = np.exp(top + log_beta_peak(integrand.a, integrand.b)) * step
    tilted = terms * (1.0 + odds) / (1.0 + odds * (1.0 + integrand.z))
    return np.asarray(scale[:, 0] * np.stack([terms.sum(axis=1), tilted.sum(axis=1)]))
