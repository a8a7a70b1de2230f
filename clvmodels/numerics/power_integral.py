"""The integral of two falling powers, relative to where it starts, with its gradient.

    log int_{t_x}^{T} ((alpha + t) / (alpha + t_x))^-n ((beta + t) / (beta + t_x))^-k dt.

The Pareto/NBD likelihood is this integral (Fader & Hardie 2005, "A note on deriving the Pareto/NBD model", their
A_0 before it is turned into Gaussian hypergeometric functions). In u = log((m + t) / (m + t_x)), m the smaller of
alpha and beta, the integrand is positive and analytic in the strip |Im u| < pi, so that Gauss-Legendre panels over
which it falls moderately are exact to rounding. Where it has fallen by exp(-30), the rest is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["PowerIntegral", "log_power_integral", "power_integral"]

Array = NDArray[np.float64]

NODES, WEIGHTS = np.polynomial.legendre.leggauss(10)
WIDEST_PANEL: Final = 3.0
"""Width of a panel in u; the integrand's nearest singularity is pi away from the real line."""
LARGEST_FALL: Final = 8.0
"""The integrand may fall by this power of e within a panel."""
NEGLIGIBLE: Final = 30.0
VALUES_AT_A_TIME: Final = 1 << 15
"""Of the integrand: few enough for the fast memory of a core, and so many that threads seldom wait for each other."""


@dataclass(frozen=True)
class PowerIntegral:
    """Log of the integral and its derivatives, arrays of one shape.

    Where the interval is empty, the log is -inf and the derivatives are zero.
    """

    log: Array
    by_n: Array
    by_alpha: Array
    by_k: Array
    by_beta: Array


def log_power_integral(n: Array, k: Array, alpha: Array, beta: Array, start: Array, length: Array) -> Array:
    """Return log of int_0^length (1 + u/(alpha+start))^-n (1 + u/(beta+start))^-k du. Broadcasts.

    Requires n, k, alpha, beta > 0 and start, length >= 0.
    """
    n, k, alpha, beta, start, length = np.broadcast_arrays(n, k, alpha, beta, start, length)
    columns = _columns(n, k, alpha, beta, start)
    (integral,) = _by_panels(_integral, 1, *columns, np.ravel(length))
    return _log(integral, columns[2]).reshape(n.shape)


def power_integral(n: Array, k: Array, alpha: Array, beta: Array, start: Array, length: Array) -> PowerIntegral:
    """Return `log_power_integral` and its derivatives."""
    n, k, alpha, beta, start, length = np.broadcast_arrays(n, k, alpha, beta, start, length)
    columns = near_power, far_power, near, far = _columns(n, k, alpha, beta, start)
    integral, *means = _by_panels(_integral_and_means, 5, *columns, np.ravel(length))
    swap = np.ravel(beta < alpha)
    by_n, by_k = _swapped(swap, -means[0], -means[1])
    by_alpha, by_beta = _swapped(swap, near_power / near * means[2], far_power / far * means[3])
    parts = (_log(integral, near), by_n, by_alpha, by_k, by_beta)
    return PowerIntegral(*(part.reshape(n.shape) for part in parts))


def _columns(n: Array, k: Array, alpha: Array, beta: Array, start: Array) -> tuple[Array, Array, Array, Array]:
    """Return the powers and the bases at the start of the nearer and of the farther factor, one row an integral."""
    swap = np.ravel(beta < alpha)
    near, far = _swapped(swap, np.ravel(alpha + start), np.ravel(beta + start))
    return *_swapped(swap, np.ravel(n), np.ravel(k)), near, far


def _log(integral: Array, near: Array) -> Array:
    """Return the log of the integral over t from that of `_integral` over u."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(integral) + np.log(near))


def _swapped(swap: NDArray[np.bool_], first: Array, second: Array) -> tuple[Array, Array]:
    """Return two arrays, the second before the first where `swap` says so."""
    if not swap.any():
        return first, second
    if swap.all():
        return second, first
    return np.where(swap, second, first), np.where(swap, first, second)


def _by_panels(
    of: Callable[..., tuple[Array, ...]],
    outputs: int,
    near_power: Array,
    far_power: Array,
    near: Array,
    far: Array,
    length: Array,
) -> Array:
    """Return what ``of`` does, shape (outputs, rows), for rows that need different numbers of panels."""
    ratio = near / far
    width, fall = _end(np.log1p(length / near), near_power, far_power, ratio)
    panels = 1 + np.maximum(width / WIDEST_PANEL, np.minimum(fall, NEGLIGIBLE) / LARGEST_FALL).astype(int)
    columns = (width, near_power, far_power, ratio)
    values = np.empty((outputs, width.size))
    for count in np.flatnonzero(np.bincount(panels)):
        rows = np.flatnonzero(panels == count)
        at_a_time = VALUES_AT_A_TIME // (count * len(NODES)) + 1
        for block in np.split(rows, range(at_a_time, rows.size, at_a_time)):
            for out, part in zip(values, of(int(count), *(column[block] for column in columns)), strict=True):
                out[block] = part
    return values


def _end(width: Array, near_power: Array, far_power: Array, ratio: Array) -> tuple[Array, Array]:
    """Return where the (convex) fall reaches `NEGLIGIBLE`, by Newton's method from the right, or `width` if before.

    The second array is how far the integrand has fallen there, `NEGLIGIBLE` or more where it was reached.
    """
    fall = near_power * width + far_power * np.log1p(ratio * np.expm1(width))
    steep = np.flatnonzero(fall - width - NEGLIGIBLE > 1.0)
    if not len(steep):
        return width, fall
    end, near_power, far_power, ratio = width[steep], near_power[steep], far_power[steep], ratio[steep]
    for _ in range(60):
        grown = np.expm1(end)
        excess = near_power * end + far_power * np.log1p(ratio * grown) - end - NEGLIGIBLE
        beyond = excess > 1.0
        if not beyond.any():
            break
        slope = near_power + far_power * ratio * (1.0 + grown) / (1.0 + ratio * grown) - 1.0
        end = np.where(beyond, end - excess / np.where(beyond, slope, 1.0), end)
    width[steep] = end
    fall[steep] = near_power * end + far_power * np.log1p(ratio * np.expm1(end))
    return width, fall


@dataclass(frozen=True)
class _Nodes:
    """The integrand at the nodes of its panels, relative to its start, shape (nodes, rows).

    Rows come last, so that sums over the nodes are sums of long vectors.

    Attributes
    ----------
    place
        Of the nodes, as a share of the width; shape (nodes, 1).
    near, far, log_far
        By how much the two factors have grown, as a share of their start, and the log of the second factor's growth.
    terms
        The integrand times the share of each node.
    """

    place: Array
    near: Array
    far: Array
    log_far: Array
    terms: Array


def _nodes(panels: int, width: Array, near_power: Array, far_power: Array, ratio: Array) -> _Nodes:
    place = np.ravel(2.0 * np.arange(panels)[:, None] + 1.0 + NODES)[:, None] / (2.0 * panels)
    terms = place * width
    near = np.expm1(terms)
    far = ratio * near
    log_far = np.log1p(far)
    terms *= 1.0 - near_power
    terms -= far_power * log_far
    np.exp(terms, out=terms)
    terms *= np.tile(WEIGHTS, panels)[:, None] / (2.0 * panels)
    return _Nodes(place, near, far, log_far, terms)


def _integral(panels: int, width: Array, near_power: Array, far_power: Array, ratio: Array) -> tuple[Array]:
    """Return the integral over u, relative to its start."""
    return (width * _nodes(panels, width, near_power, far_power, ratio).terms.sum(axis=0),)


def _integral_and_means(
    panels: int, width: Array, near_power: Array, far_power: Array, ratio: Array
) -> tuple[Array, ...]:
    """Return the integral, and means under it: of u, of the log of the far factor, and of (t - t_x) over each base."""
    nodes = _nodes(panels, width, near_power, far_power, ratio)
    total = nodes.terms.sum(axis=0)
    sums = (
        width * np.einsum("ji,j->i", nodes.terms, nodes.place[:, 0]),
        np.einsum("ji,ji->i", nodes.terms, nodes.log_far),
        *(np.einsum("ji,ji->i", nodes.terms, growth / (1.0 + growth)) for growth in (nodes.near, nodes.far)),
    )
    return width * total, *(part / total for part in sums)
