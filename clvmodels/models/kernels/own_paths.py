"""Compiled likelihood of Pareto/NBD on customers' own clocks; formulas and sources are in `models.own_paths`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from clvmodels.models.kernels.pareto_nbd import _end_of_fall
from clvmodels.numerics.elementary import compiled
from clvmodels.numerics.pieces import LARGEST_LOG_SPEED
from clvmodels.numerics.power_integral import LARGEST_FALL, NEGLIGIBLE, NODES, WEIGHTS, WIDEST_PANEL

__all__ = ["path_likelihoods"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Flags = NDArray[np.bool_]

FIVE_NODES, FIVE_WEIGHTS = np.polynomial.legendre.leggauss(5)
THREE_NODES, THREE_WEIGHTS = np.polynomial.legendre.leggauss(3)
NARROW, FALL_OF_FIVE = 0.3, 1.0
"""Up to this width in the logarithm of time, and a fall by this power of e, five nodes are exact to 4e-13."""
NARROWEST, FALL_OF_THREE = 0.1, 0.1
"""The same of three; the error of m nodes for exp(-f u) is f^(2m) (m!)^4 / ((2m+1) ((2m)!)^3)."""


@compiled()
def path_likelihoods(
    params: Array,
    logs: Array,
    group: Index,
    x: Array,
    path: Index,
    first: Index,
    silence: Index,
    length: Array,
    columns: Array,
    on_purchases: Flags,
    on_leaving: Flags,
    slopes: bool,
) -> tuple[Array, Array, Array, Array]:
    """Return the logs of what staying and leaving contribute to rows, shape (n,), and their slopes if wanted.

    Parameters
    ----------
    params, logs
        Parameters and coefficients, shape (groups, 4) and (groups, coefficients).
    group, x, path
        Of each row, shape (n,).
    first, silence, length, columns
        The paths; see `numerics.pieces.Pieces`.
    on_purchases, on_leaving
        What the columns act on.
    slopes
        Whether slopes are wanted; else they are empty.
    """
    number, size = len(x), logs.shape[1]
    of_slopes = number if slopes else 0
    staying, leaving = np.empty(number), np.empty(number)
    by_staying, by_leaving = np.zeros((of_slopes, 4 + size)), np.zeros((of_slopes, 4 + size))
    shown = np.empty((2, 1 + size))  # A and D, then their slopes
    speeds, sums = np.empty(2), np.empty(7)
    total = np.empty(4 + size)
    for i in range(number):
        r, alpha, s, beta = params[group[i]]
        n, here = r + x[i], logs[group[i]]
        shown[:], total[:] = 0.0, 0.0
        top, mass = -np.inf, 0.0
        for e in range(first[path[i]], first[path[i] + 1]):
            _note_speeds(here, columns[e], on_purchases, on_leaving, speeds)
            if e >= silence[path[i]]:
                A, D, a, d = shown[0, 0], shown[1, 0], speeds[0], speeds[1]
                growth, beta_growth = math.log1p(A / alpha), math.log1p(D / beta)
                base, beta_base = (alpha + A) / a, (beta + D) / d
                _integrate(n, s + 1.0, base, beta_base, length[e], slopes, sums)
                value = math.log(sums[0] * d * s / beta) - n * growth - (s + 1.0) * beta_growth
                if value > top:
                    back = math.exp(top - value)
                    mass *= back
                    total *= back
                    top = value
                share = math.exp(value - top)
                mass += share
                if slopes:
                    _add_slopes(
                        share, n, params[group[i]], sums, shown, speeds, columns[e], on_purchases, on_leaving, total
                    )
            _advance(speeds, length[e], columns[e], on_purchases, on_leaving, slopes, shown)
        A, D = shown[0, 0], shown[1, 0]
        growth, beta_growth = math.log1p(A / alpha), math.log1p(D / beta)
        staying[i] = -n * growth - s * beta_growth
        leaving[i] = top + math.log(mass) if mass > 0.0 else -np.inf
        if slopes:
            by_staying[i, 0], by_staying[i, 2] = -growth, -beta_growth
            by_staying[i, 1] = n / alpha * A / (alpha + A)
            by_staying[i, 3] = s / beta * D / (beta + D)
            for k in range(size):
                by_staying[i, 4 + k] = -n / (alpha + A) * shown[0, 1 + k] - s / (beta + D) * shown[1, 1 + k]
            if mass > 0.0:
                by_leaving[i] = total / mass
    return staying, leaving, by_staying, by_leaving


@compiled()
def _add_slopes(
    share: float,
    n: float,
    theta: Array,
    sums: Array,
    shown: Array,
    speeds: Array,
    columns: Array,
    on_purchases: Flags,
    on_leaving: Flags,
    total: Array,
) -> None:
    """Add the slopes of the log of what leaving in a piece contributes, times its share; `sums` are of `_integrate`."""
    alpha, s, beta = theta[1], theta[2], theta[3]
    A, D, a, d = shown[0, 0], shown[1, 0], speeds[0], speeds[1]
    by_base, by_beta_base = sums[3], sums[4]
    total[0] += share * (sums[1] - math.log1p(A / alpha))
    total[1] += share * (by_base / a + n / alpha * A / (alpha + A))
    total[2] += share * (sums[2] - math.log1p(D / beta) + 1.0 / s)
    total[3] += share * (by_beta_base / d + ((s + 1.0) * D / (beta + D) - 1.0) / beta)
    by_A, by_D = by_base / a - n / (alpha + A), by_beta_base / d - (s + 1.0) / (beta + D)
    by_a, by_d = -by_base * (alpha + A) / a, 1.0 - by_beta_base * (beta + D) / d
    for k in range(len(columns)):
        of_piece = by_a if on_purchases[k] else (by_d if on_leaving[k] else 0.0)
        total[4 + k] += share * (by_A * shown[0, 1 + k] + by_D * shown[1, 1 + k] + of_piece * columns[k])


@compiled()
def _note_speeds(logs: Array, columns: Array, on_purchases: Flags, on_leaving: Flags, speeds: Array) -> None:
    """Write the speeds of purchases and of leaving in a piece."""
    log_a, log_d = 0.0, 0.0
    for k in range(len(logs)):
        if on_purchases[k]:
            log_a += logs[k] * columns[k]
        elif on_leaving[k]:
            log_d += logs[k] * columns[k]
    speeds[0] = math.exp(min(max(log_a, -LARGEST_LOG_SPEED), LARGEST_LOG_SPEED))
    speeds[1] = math.exp(min(max(log_d, -LARGEST_LOG_SPEED), LARGEST_LOG_SPEED))


@compiled()
def _advance(
    speeds: Array, length: float, columns: Array, on_purchases: Flags, on_leaving: Flags, slopes: bool, shown: Array
) -> None:
    """Run the clocks through a piece."""
    A, D = speeds[0] * length, speeds[1] * length
    shown[0, 0] += A
    shown[1, 0] += D
    if slopes:
        for k in range(len(columns)):
            if on_purchases[k]:
                shown[0, 1 + k] += A * columns[k]
            elif on_leaving[k]:
                shown[1, 1 + k] += D * columns[k]


@compiled()
def _integrate(n: float, k: float, base: float, beta_base: float, length: float, slopes: bool, sums: Array) -> None:
    """Write the integral of `numerics.power_integral`, and its log's slopes by n, k, and the two bases."""
    swap = beta_base < base
    near, far = (beta_base, base) if swap else (base, beta_base)
    near_power, far_power = (k, n) if swap else (n, k)
    width, ratio = math.log1p(length / near), near / far
    fall = near_power * width + far_power * math.log1p(length / far)
    if fall - width - NEGLIGIBLE > 1.0:
        width, fall = _end_of_fall(width, near_power, far_power, ratio)
    panels = 1 + int(max(width // WIDEST_PANEL, min(fall, NEGLIGIBLE) // LARGEST_FALL))
    nodes, weights = NODES, WEIGHTS
    if width < NARROWEST and fall < FALL_OF_THREE:
        nodes, weights = THREE_NODES, THREE_WEIGHTS
    elif width < NARROW and fall < FALL_OF_FIVE:
        nodes, weights = FIVE_NODES, FIVE_WEIGHTS
    half = width / (2.0 * panels)
    sums[:] = 0.0
    for panel in range(panels):
        for j in range(len(nodes)):
            u = half * (2.0 * panel + 1.0 + nodes[j])
            grown = math.expm1(u)
            far_grown = ratio * grown
            log_far = math.log1p(far_grown)
            term = weights[j] * math.exp(u * (1.0 - near_power) - far_power * log_far)
            sums[0] += term
            if slopes:
                sums[1] += term * u
                sums[2] += term * log_far
                sums[3] += term * grown / (1.0 + grown)
                sums[4] += term * far_grown / (1.0 + far_grown)
    integral = sums[0]
    by_near, by_far = near_power / near * sums[3] / integral, far_power / far * sums[4] / integral
    by_near_power, by_far_power = -sums[1] / integral, -sums[2] / integral
    sums[0] = integral * half * near
    sums[1], sums[2] = (by_far_power, by_near_power) if swap else (by_near_power, by_far_power)
    sums[3], sums[4] = (by_far, by_near) if swap else (by_near, by_far)
