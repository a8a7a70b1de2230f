"""Compiled sums of the terms of normal contributions; formulas and sources are in `models.normal_contribution`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clvmodels.models.kernels.random_means import count_sums, spread_sums
from clvmodels.numerics.elementary import compiled

__all__ = ["count_sums", "history_sums"]

Array = NDArray[np.float64]


@compiled()
def history_sums(theta: Array, weight: Array, x: Array, mean: Array, squares: Array) -> tuple[float, Array]:
    """Return the weighted sums of the history terms and of their gradient, shape (3,)."""
    value, by_mean, by_s, by_t = spread_sums(theta[0], theta[1], theta[2], weight, x, mean, squares)
    return value, np.array([by_mean, by_s, by_t])
