"""A few draws of which all others are fixed linear combinations.

What a model says of a customer is smooth in its parameters, and the draws of a posterior lie close together: a matrix
of rows (customers, and what is asked of them) by draws has a low rank. A pivoted QR factorisation of some rows picks a
few draws, and gives every other draw as a combination of these; the combinations hold for all rows. Other rows are used
to see that they do.

Source: Cheng, Gimbutas, Martinsson & Rokhlin (2005), SIAM Journal on Scientific Computing 26(4), on interpolative
decompositions; Halko, Martinsson & Tropp (2011), SIAM Review 53(2), on sketches of the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

__all__ = ["TOLERANCE", "Skeleton", "holds", "skeleton"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

NEGLIGIBLE: Final = (1e-7, 1e-10)
"""A draw that adds less than this share of the first to the rows is a combination of those before it; if these do not
do, less."""
TOLERANCE: Final = 1e-4
"""Of a value, relatively: where a row that was not used misses it, all draws are taken."""
MOST: Final = 100
"""Draws of a skeleton; more of them save little."""
FEWEST: Final = 60
"""Of fewer draws in all, there is nothing to save."""


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A few draws, and what makes all others of them.

    Attributes
    ----------
    chosen
        Their positions among all draws, shape (chosen,).
    combinations
        ``values[:, chosen] @ combinations`` are the values under all draws, shape (chosen, draws).
    """

    chosen: Index
    combinations: Array

    @property
    def mean(self) -> Array:
        """What makes the mean over all draws of the values under the chosen ones, shape (chosen,)."""
        return np.asarray(self.combinations.mean(axis=1))

    @property
    def complete(self) -> bool:
        """Whether it is all draws."""
        few, every = self.combinations.shape
        return bool(few == every)

    def all_of(self, values: Array) -> Array:
        """Return the values under all draws, shape (rows, draws), of those under the chosen ones."""
        return values if self.complete else values @ self.combinations

    @classmethod
    def whole(cls, draws: int) -> Skeleton:
        """Return all draws as a skeleton of themselves."""
        return cls(np.arange(draws), np.eye(draws))


def skeleton(
    values: Callable[[Index], Array],
    rows: int,
    draws: int,
    *,
    sampled: int = 40,
    fewest: int = FEWEST,
    tolerance: float = TOLERANCE,
) -> Skeleton:
    """Return a skeleton of the draws.

    Parameters
    ----------
    values
        Returns what is asked of some rows under all draws, shape (rows, draws, outputs).
    rows, draws
        How many there are.
    sampled
        How many rows it is made of; half as many more test it.
    fewest
        Of fewer draws, all are taken.
    tolerance
        Of a value, relatively.

    Examples
    --------
    Curves with two shapes need two draws:

    >>> time, rate = np.linspace(0.0, 1.0, 500), np.linspace(1.0, 2.0, 200)
    >>> few = skeleton(lambda k: (1.0 + time[k, None] * rate)[..., None], 500, 200)
    >>> len(few.chosen), few.combinations.shape
    (2, (2, 200))
    """
    if draws < fewest:
        return Skeleton.whole(draws)
    generator = np.random.default_rng(rows)
    tested = sampled // 2
    which = generator.permutation(rows)[: sampled + tested]
    matrix = _scaled(values(np.sort(which)))
    of_row = len(matrix) // len(which)
    fresh = np.repeat(generator.permutation(len(which)) < (tested * len(which)) // (sampled + tested), of_row)
    used = matrix[~fresh]
    sketch = generator.standard_normal((2 * MOST, len(used))) @ used if len(used) > 2 * MOST else used
    triangle, order = linalg.qr(sketch, mode="r", pivoting=True, check_finite=False)
    size = np.abs(np.diag(triangle))
    for negligible in NEGLIGIBLE:
        number = min(int(np.searchsorted(-size, -negligible * size[0])), MOST, draws // 2)
        combinations = np.empty((number, draws))
        combinations[:, order] = linalg.solve_triangular(triangle[:number, :number], triangle[:number])
        few = Skeleton(np.asarray(order[:number], np.int64), combinations)
        if _missed(few, matrix[fresh]) <= tolerance:
            return few
    return Skeleton.whole(draws)


def holds(
    few: Skeleton, values: Callable[[Index], Array], rows: int, *, tested: int = 8, tolerance: float = TOLERANCE
) -> bool:
    """Whether the combinations of a skeleton hold for other values of the same draws, by some rows."""
    which = np.sort(np.random.default_rng(rows).permutation(rows)[:tested])
    return _missed(few, _scaled(values(which))) <= tolerance


def _missed(few: Skeleton, matrix: Array) -> float:
    """Return by how much its combinations miss the values of rows under a draw, at most."""
    return float(np.abs(matrix[:, few.chosen] @ few.combinations - matrix).max(initial=0.0))


def _scaled(values: Array) -> Array:
    """Return values as a matrix with a row for each row and output, divided by the means; what is zero is left out."""
    matrix = np.moveaxis(values, 1, -1)
    size = np.abs(matrix).mean(axis=-1, keepdims=True)
    return np.asarray(np.divide(matrix, size, out=np.zeros_like(matrix), where=size > 0.0)).reshape(-1, values.shape[1])
