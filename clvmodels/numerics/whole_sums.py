"""Sums of smooth functions over the whole numbers 0, 1, 2, ...: the first terms, then a few nodes for many of them.

Block after block grows with the numbers in it, as the function does ever less between one number and the next. The
nodes of a block are those of Gauss for a sum in place of an integral: n of them are exact for polynomials of a degree
below 2n. They are not whole numbers: the function must make sense, and be smooth, between these.

Source: Gautschi (2004), Orthogonal Polynomials: Computation and Approximation, section 1.5.2 (discrete Chebyshev
polynomials); Golub & Welsch (1969), Mathematics of Computation 23.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["blocks_of_whole_numbers"]

Array = NDArray[np.float64]

FIRST: Final = 32
"""Numbers that are summed one by one."""
GROWTH: Final = 1.5
"""The end of a block over its beginning."""
FEWEST: Final = 16
"""Nodes of a block, for a function that hardly bends in it."""


def blocks_of_whole_numbers(sharpness: float) -> Iterator[tuple[Array, Array]]:
    """Yield nodes and weights of blocks of the whole numbers from 0 on, without end.

    Parameters
    ----------
    sharpness
        How many of its own widths a peak of the function lies away from zero: the sharper it is, the more nodes.

    Examples
    --------
    >>> blocks = blocks_of_whole_numbers(5.0)
    >>> sums = [float(weights @ 0.99**nodes) for nodes, weights in (next(blocks) for _ in range(15))]
    >>> round(sum(sums), 9)
    100.0
    """
    yield np.arange(float(FIRST)), np.ones(FIRST)
    count, start = FEWEST + int(np.ceil(sharpness)), FIRST
    while True:
        end = int(start * GROWTH)
        yield _gauss(start, end - start, count)
        start = end


@lru_cache(maxsize=512)
def _gauss(start: int, size: int, count: int) -> tuple[Array, Array]:
    """Return `count` nodes and weights for sums over the `size` whole numbers from `start` on."""
    if size <= count:
        return start + np.arange(float(size)), np.ones(size)
    i = np.arange(1.0, count)
    beside = 0.5 * i * np.sqrt((float(size) ** 2 - i**2) / (4.0 * i**2 - 1.0))
    nodes, vectors = np.linalg.eigh(np.diag(beside, 1) + np.diag(beside, -1))
    return start + 0.5 * (size - 1) + nodes, size * vectors[0] ** 2
