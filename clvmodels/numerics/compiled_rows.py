"""Compiled forms of what `distinct` does with long columns: the same arguments, and results of the same bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.elementary import compiled

__all__ = ["hashes", "steps"]

Array = NDArray[np.float64]
Steps = NDArray[np.uint32]


def steps(grid: float, values: Array) -> Steps | None:
    """Return the whole numbers which, divided by `grid`, are the values; None if there are none.

    Examples
    --------
    >>> steps(7.0, np.array([1 / 7, 2.0]))
    array([ 1, 14], dtype=uint32)
    """
    numbers = np.empty(len(values), np.uint32)
    return numbers if _write_steps(grid, values, numbers) else None


@compiled()
def _write_steps(grid: float, values: Array, out: Steps) -> bool:
    exact = True
    for i in range(len(values)):
        multiple = np.rint(values[i] * grid)
        exact &= multiple / grid == values[i]
        exact &= multiple >= 0.0
        out[i] = np.int32(multiple)
    return exact


@compiled()
def hashes(columns: Array, weight: Array, multipliers: NDArray[np.uint64]) -> np.uint64:
    """Return the weighted sum of hashes of rows, columns of shape (columns, n).

    Examples
    --------
    >>> multipliers = np.array([3, 5, 7], np.uint64)
    >>> int(hashes(np.array([[0.0]]), np.array([2.0]), multipliers))
    0
    """
    total, mixed = np.uint64(0), np.zeros(len(weight), np.uint64)
    for j in range(len(columns)):
        bits, multiplier = columns[j].view(np.uint64), multipliers[j % len(multipliers)]
        for i in range(len(mixed)):
            mixed[i] += bits[i] * multiplier
    for i in range(len(mixed)):
        h = mixed[i]
        h = (h ^ (h >> np.uint64(30))) * multipliers[1]
        h = (h ^ (h >> np.uint64(27))) * multipliers[2]
        total += (h ^ (h >> np.uint64(31))) * np.uint64(weight[i])
    return total
