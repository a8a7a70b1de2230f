"""The integral of two falling powers: log int_{t_x}^{T} (alpha + t)^-n (beta + t)^-k dt, with its gradient.

The Pareto/NBD likelihood is this integral (Fader & Hardie 2005, "A note on deriving the Pareto/NBD model", their
A_0 before it is turned into Gaussian hypergeometric functions). In u = log((m + t) / (m + t_x)), m the smaller of
alpha and beta, the integrand is positive and analytic in the strip |Im u| < pi, so that Gauss-Legendre panels over
which it falls moderately are exact to rounding. Where it has fallen by exp(-30), the rest is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["PowerIntegral", "log_power_integral"]

Array = NDArray[np.float64]

NODES, WEIGHTS = np.polynomial.legendre.leggauss(10)
WIDEST_PANEL: Final = 3.0
"""Width of a panel in u; the integrand's nearest singularity is pi away from the real line."""
LARGEST_FALL: Final = 8.0
"""The integrand may fall by this power of e within a panel."""
NEGLIGIBLE: Final = 30.0
ROWS_AT_A_TIME: Final = 1024


@dataclass(frozen=True)
class PowerIntegral:
    """Log of the integral and its derivatives, arrays of one shape.

    Where the interval is empty, the log is -inf and the derivatives are those of the integrand at its start.
    """

    log: Array
    by_n: Array
    by_alpha: Array
    by_k: Array
    by_beta: Array


def log_power_integral(n: Array, k: Array, alpha: Array, beta: Array, start: Array, length: Array) -> PowerIntegral:
    """Return log of int_start^{start+length} (alpha+t)^-n (beta+t)^-k dt and its derivatives. Broadcasts.

    Requires n, k, alpha, beta > 0 and start, length >= 0.
    """
    n, k, alpha, beta, start, length = np.broadcast_arrays(n, k, alpha, beta, start, length)
    shape, swap = n.shape, np.ravel(beta < alpha)
    first, second = np.ravel(alpha + start), np.ravel(beta + start)
    near, far = np.minimum(first, second), np.maximum(first, second)
    near_power, far_power = np.where(swap, np.ravel(k), np.ravel(n)), np.where(swap, np.ravel(n), np.ravel(k))
    width = _end(np.log1p(np.ravel(length) / near), near_power, far_power, near / far)
    columns = (width, near_power, far_power, near / far)
    fall = np.minimum(near_power * width + far_power * np.log1p(near / far * np.expm1(width)), NEGLIGIBLE)
    panels = 1 + np.maximum(width // WIDEST_PANEL, fall // LARGEST_FALL).astype(int)
    sums = np.empty((5, width.size))
    for count in np.unique(panels):
        rows = np.flatnonzero(panels == count)
        for some in np.split(rows, range(ROWS_AT_A_TIME, rows.size, ROWS_AT_A_TIME)):
            sums[:, some] = _sums(count, *(column[some] for column in columns))
    log_near, log_far = np.log(near), np.log(far)
    with np.errstate(divide="ignore"):
        log = np.log(sums[0]) + (1.0 - near_power) * log_near - far_power * log_far
    by_near_power, by_far_power = -log_near - sums[1], -log_far - sums[2]
    by_near, by_far = -near_power / near * sums[3], -far_power / far * sums[4]
    parts = (
        log,
        np.where(swap, by_far_power, by_near_power),
        np.where(swap, by_far, by_near),
        np.where(swap, by_near_power, by_far_power),
        np.where(swap, by_near, by_far),
    )
    return PowerIntegral(*(part.reshape(shape) for part in parts))


def _end(width: Array, near_power: Array, far_power: Array, ratio: Array) -> Array:
    """Return where the (convex) fall reaches `NEGLIGIBLE`, by Newton's method from the right, or `width` if before."""
    end = width
    for _ in range(60):
        grown = np.expm1(end)
        excess = near_power * end + far_power * np.log1p(ratio * grown) - end - NEGLIGIBLE
        beyond = excess > 1.0
        if not beyond.any():
            break
        slope = near_power + far_power * ratio * (1.0 + grown) / (1.0 + ratio * grown) - 1.0
        end = np.where(beyond, end - excess / np.where(beyond, slope, 1.0), end)
    return end


def _sums(panels: int, width: Array, near_power: Array, far_power: Array, ratio: Array) -> Array:
    """Return the integral over u relative to its start, and four means under the integrand; shape (5, rows).

    The means are of u, of the log of the far factor, and of the reciprocals of the near and of the far factor.
    """
    place = np.ravel(2.0 * np.arange(panels)[:, None] + 1.0 + NODES) / (2.0 * panels)
    mass = np.tile(WEIGHTS, panels) / (2.0 * panels)
    u = width[:, None] * place
    near_growth = np.expm1(u)
    far_growth = ratio[:, None] * near_growth
    log_far = np.log1p(far_growth)
    terms = np.exp((1.0 - near_power)[:, None] * u - far_power[:, None] * log_far)
    terms *= mass
    near_growth += 1.0
    far_growth += 1.0
    total = terms.sum(axis=1)
    return np.stack(
        [
            width * total,
            width * np.einsum("ij,j->i", terms, place) / total,
            np.einsum("ij,ij->i", terms, log_far) / total,
            (terms / near_growth).sum(axis=1) / total,
            (terms / far_growth).sum(axis=1) / total,
        ]
    )
