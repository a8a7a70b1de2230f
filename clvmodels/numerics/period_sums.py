"""Sums over many periods of what changes ever more slowly, from few of them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

__all__ = ["few_periods"]

Array = NDArray[np.float64]

EACH: Final = 32
"""Periods that are summed one after the other; each panel after them is as long as all before it."""
NODES: Final = 24
"""Of a panel. A function with singularities at negative times only is known from these to 1e-17: its polynomial's error
falls by a factor of 3 + sqrt(8) with each node."""


def few_periods(weights: Array) -> tuple[Array, Array]:
    """Return times, and weights of their values, with which sums over periods 1, 2, ... come out as with all of them.

    In each panel a function is taken for the polynomial through its values at Chebyshev's points, which are no whole
    numbers; the weights of the periods, which may jump, are kept as they are.

    Parameters
    ----------
    weights
        Of the periods, shape (periods, weightings).

    Returns
    -------
    times, weights
        Shape (times,) and (times, weightings).

    Examples
    --------
    >>> times, few = few_periods(1.01 ** -np.arange(1.0, 5_001.0)[:, None])
    >>> len(times), (few[:, 0] @ (1.0 / times)).round(9)
    (232, np.float64(4.615120517))
    """
    periods = np.arange(1.0, len(weights) + 1.0)
    times, kept = [periods[:EACH]], [weights[:EACH]]
    points = chebyshev.chebpts1(NODES)
    to_coefficients = 2.0 / NODES * chebyshev.chebvander(points, NODES - 1)
    to_coefficients[:, 0] *= 0.5
    start = EACH
    while start < len(weights):
        panel = slice(start, min(2 * start, len(weights)))
        first, last = periods[panel][0], periods[panel][-1]
        if last - first < 2 * NODES:
            times.append(periods[panel])
            kept.append(weights[panel])
        else:
            middle, half = 0.5 * (first + last), 0.5 * (last - first)
            at_periods = chebyshev.chebvander((periods[panel] - middle) / half, NODES - 1)
            times.append(middle + half * points)
            kept.append(to_coefficients @ (at_periods.T @ weights[panel]))
        start *= 2
    return np.concatenate(times), np.concatenate(kept)
