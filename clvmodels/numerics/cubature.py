"""Expectations over a normal distribution of several variables, exact for polynomials up to the fifth degree.

Source: McNamee & Stenger (1967), Construction of fully symmetric numerical integration formulas, Numerische Mathematik
10; in one dimension it is Gauss and Hermite's rule of three points.
"""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

__all__ = ["normal_rule"]

Array = NDArray[np.float64]


def normal_rule(size: int) -> tuple[Array, Array]:
    """Return points of shape (points, size) and their weights: sums approach E f(z) of independent standard normal z.

    The centre, points on one axis and points on two axes; of four variables, none is on one axis alone. From five
    variables on, the points on one axis have negative weights.

    Examples
    --------
    >>> points, weights = normal_rule(2)
    >>> weights @ points[:, 0] ** 4, weights @ (points[:, 0] ** 2 * points[:, 1] ** 2)
    (3.0, 1.0)
    """
    reach = np.sqrt(3.0)
    points, weights = [np.zeros(size)], [1.0 + size * (size - 7.0) / 18.0]
    for axis, sign in product(range(size), (-1.0, 1.0)):
        if size != 4:
            points.append(sign * reach * np.eye(size)[axis])
            weights.append((4.0 - size) / 18.0)
    for (first, second), (one, other) in product(combinations(range(size), 2), product((-1.0, 1.0), repeat=2)):
        points.append(reach * (one * np.eye(size)[first] + other * np.eye(size)[second]))
        weights.append(1.0 / 36.0)
    return np.array(points), np.array(weights)
