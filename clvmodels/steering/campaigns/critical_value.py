"""One critical value for several comparisons: of arms with one holdout, or of planned looks at one campaign."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

__all__ = ["correlation_of_looks", "critical_value"]

Array = NDArray[np.float64]

POINTS: Final = 16
"""Two to this power quasi-random points: the quantile is right to about 0.001."""
SEED: Final = 1


def critical_value(correlation: Array, level: float = 0.95) -> float:
    """Return what the largest of several ``|z|`` stays below with a probability, if there is no effect.

    Parameters
    ----------
    correlation
        Of the z, jointly normal, shape (k, k).
    level
        The probability.

    Notes
    -----
    The largest absolute t of Hothorn, Bretz & Westfall (2008), Biometrical Journal 50(3), with normal z, on scrambled
    Sobol points.

    Examples
    --------
    >>> round(critical_value(np.ones((1, 1))), 4)
    1.96
    >>> abs(critical_value(np.eye(2)) - 2.2365) < 0.003  # independent: the quantile of (1 + sqrt(0.95)) / 2
    True
    """
    if len(correlation) == 1:
        return float(stats.norm.ppf(0.5 + level / 2.0))
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    points = stats.qmc.Sobol(len(correlation), rng=SEED).random_base2(POINTS)
    z = stats.norm.ppf(np.clip(points, 1e-12, 1.0 - 1e-12)) @ root.T
    return float(np.quantile(np.abs(z).max(axis=1), level))


def correlation_of_looks(times: Array) -> Array:
    """Return the correlation of looks at what has accumulated by several times, if increments are independent.

    Customers who buy much in one period do so in the next: true correlations are higher, and the critical value of
    these is on the safe side (Slepian 1962).

    Examples
    --------
    >>> correlation_of_looks(np.array([1.0, 4.0]))
    array([[1. , 0.5],
           [0.5, 1. ]])
    """
    low, high = np.minimum.outer(times, times), np.maximum.outer(times, times)
    return np.asarray(np.sqrt(low / high))
