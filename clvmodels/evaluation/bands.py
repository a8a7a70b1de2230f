"""Bands around expected counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from clvmodels.models.specification import Array

__all__ = ["count_band"]


def count_band(mean: Array, variance: Array, level: float = 0.90) -> tuple[Array, Array]:
    """Return a central interval of counts with given mean and variance.

    They are taken as negative binomial if the variance exceeds the mean, and as binomial if it falls short of it: both
    are near to a normal distribution where the mean is large, and do not go below zero where it is small.

    Examples
    --------
    >>> low, high = count_band(np.array([2.0, 400.0, 5.0]), np.array([2.0, 900.0, 2.5]))
    >>> low, high
    (array([  0., 352.,   2.]), array([  5., 450.,   8.]))
    """
    tail = (1.0 - level) / 2.0
    mean = np.maximum(mean, 0.0)
    excess = np.where(mean > 0.0, variance / np.where(mean > 0.0, mean, 1.0) - 1.0, 0.0)
    low, high = (np.asarray(stats.poisson.ppf(share, mean)) for share in (tail, 1.0 - tail))
    more, less = excess > 1e-6, excess < -1e-6
    shape, chance = mean[more] / excess[more], 1.0 / (1.0 + excess[more])
    trials = np.maximum(np.rint(mean[less] / -excess[less]), np.ceil(mean[less]))
    for bound, share in ((low, tail), (high, 1.0 - tail)):
        bound[more] = stats.nbinom.ppf(share, shape, chance)
        bound[less] = stats.binom.ppf(share, trials, mean[less] / trials)
    return low, high
