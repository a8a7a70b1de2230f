"""The normal model with random means: values around a mean of each customer, and means around one of all.

Values are N(mu, s^2) with the customer's own mu ~ N(m, t^2); x, their number, their mean and the sum of squares around
it are sufficient. Models of spend state it of logs of amounts, or of amounts themselves.

Source: Searle, Casella & McCulloch (1992), Variance Components, chapter 3.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from clvmodels.models.specification import Array

__all__ = ["count_terms", "own_mean", "spread_terms"]

LOG_2PI: Final = float(np.log(2.0 * np.pi))


def count_terms(theta: Array, x: Array) -> tuple[Array, Array]:
    """Return -x/2 log(2 pi) - (x - 1) log s - log(x)/2, and its gradient; s is the second of three parameters."""
    _, s, _ = np.moveaxis(theta, -1, 0)
    value = -0.5 * x * LOG_2PI - (x - 1.0) * np.log(s) - 0.5 * np.log(x)
    gradient = np.zeros((*value.shape, 3))
    gradient[..., 1] = -(x - 1.0) / s
    return value, gradient


def spread_terms(m: Array, s: Array, t: Array, x: Array, mean: Array, squares: Array) -> tuple[Array, Array]:
    """Return -SS/(2 s^2) - log(V)/2 - (mean - m)^2/(2 V) with V = t^2 + s^2/x, and its gradient by m, s, t.

    Parameters
    ----------
    m, s, t
        Centre of all means, standard deviation of values around a customer's mean, and of means around the centre.
    x, mean, squares
        Number of values, their mean, and the sum of squares SS around it.
    """
    variance = t * t + s * s / x
    away = mean - m
    within = squares / (s * s)
    standard = away * away / variance
    value = -0.5 * (within + np.log(variance) + standard)
    by_variance = 0.5 * (standard - 1.0) / variance
    gradient = np.empty((*value.shape, 3))
    gradient[..., 0] = away / variance
    gradient[..., 1] = within / s + by_variance * 2.0 * s / x
    gradient[..., 2] = by_variance * 2.0 * t
    return value, gradient


def own_mean(m: Array, s: Array, t: Array, x: Array, mean: Array) -> tuple[Array, Array]:
    """Return mean and variance of a customer's mu given their values; those of all where no mean is known.

    With w = x t^2/(s^2 + x t^2) they are m + w (mean - m) and t^2 (1 - w).
    """
    known = (np.asarray(x) > 0.0) & np.isfinite(mean)
    ratio = np.where(known, x, 0.0) * (t / s) ** 2
    rest = 1.0 / (1.0 + ratio)
    return m + ratio * rest * (np.where(known, mean, m) - m), t * t * rest
