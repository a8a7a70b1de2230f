"""Compiled sums of the terms of the models of contracts; formulas and sources are in `models.contract`."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.compiled_special import digamma_difference, log_beta_ratio
from clvmodels.numerics.elementary import compiled

__all__ = ["count_sums", "history_sums"]

Array = NDArray[np.float64]

LARGEST_LOG: Final = 300.0
"""n^c beyond exp(300) is that: products of such numbers are still doubles."""
RAREST: Final = -1e-300
"""The log of a retention rate is below this: the log of the chance to leave is then a number."""


@compiled()
def count_sums(theta: Array, weight: Array, x: Array) -> tuple[float, Array]:  # noqa: ARG001 - as of other kernels
    """Return zeros: no part of the log-likelihood depends on x alone."""
    return 0.0, np.zeros(len(theta))


@compiled()
def history_sums(
    theta: Array,
    weight: Array,
    x: Array,
    t_x: Array,  # noqa: ARG001 - it is x
    faced: Array,
    entered: Array,
) -> tuple[float, Array]:
    """Return the weighted sums of the history terms and of their gradient, shape (parameters,)."""
    c = theta[2] if len(theta) > 2 else 1.0
    value, by_gamma, by_delta, by_c = 0.0, 0.0, 0.0, 0.0
    for i in range(len(weight)):
        w = weight[i]
        stays, gamma, delta, shape = _retained(theta[0], theta[1], c, entered[i], x[i])
        value += w * stays
        by_gamma += w * gamma
        by_delta += w * delta
        by_c += w * shape
        if faced[i] > x[i]:
            renews, gamma, delta, shape = _retained(theta[0], theta[1], c, x[i], x[i] + 1.0)
            renews = min(renews, RAREST)
            if renews > -math.log(2.0):
                value += w * math.log(-math.expm1(renews))
            else:
                value += w * math.log1p(-math.exp(renews))
            slope = -w / math.expm1(-renews)
            by_gamma += slope * gamma
            by_delta += slope * delta
            by_c += slope * shape
    return value, np.array([by_gamma, by_delta, by_c])[: len(theta)]


@compiled()
def _retained(gamma: float, delta: float, c: float, before: float, after: float) -> tuple[float, float, float, float]:
    """Return log[S(after) / S(before)] and its derivatives by gamma, delta and c."""
    start = math.exp(min(c * math.log(before), LARGEST_LOG)) if before > 0.0 else 0.0
    if before > 0.0:
        step = start * math.expm1(min(c * math.log1p((after - before) / before), LARGEST_LOG))
    else:
        step = math.exp(min(c * math.log(after), LARGEST_LOG)) if after > 0.0 else 0.0
    y = delta + start
    by_gamma = -digamma_difference(y + gamma, step)
    by_y = digamma_difference(y, step) + by_gamma
    by_start = start * math.log(before) if before > 0.0 else 0.0
    whole = (start + step) * math.log(after) if after > 0.0 else 0.0
    by_c = by_y * by_start - digamma_difference(y + step, gamma) * (whole - by_start)
    return log_beta_ratio(gamma, y, step), by_gamma, by_y, by_c
