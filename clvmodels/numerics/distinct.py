"""Distinct rows of numeric columns, their weights, and where each row went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.threads import map_blocks

__all__ = ["DistinctRows", "distinct_rows"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

LARGEST_KEY: Final = 2**62
GRIDS: Final = (1.0, 7.0, 24.0, 30.4375, 365.25)
"""Values are often whole multiples of one, or of a day or an hour counted in weeks, days, months or years."""
LARGEST_STEP: Final = 2.0**16
PROBE: Final = 1_000
ROWS_PER_BLOCK: Final = 1 << 15
MULTIPLIERS: Final = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


@dataclass(frozen=True)
class DistinctRows:
    """The distinct rows of a table.

    Attributes
    ----------
    rows
        The distinct rows, shape (distinct, columns), sorted by the first column, then the second, and so on.
    weight
        How often each occurs, shape (distinct,), as float.
    order
        The rows of the table in the order of the distinct rows, shape (n,).
    """

    rows: Array
    weight: Array
    order: Index

    @cached_property
    def index(self) -> Index:
        """For each row of the table its distinct row, shape (n,); ``rows[index]`` is the table."""
        index = np.empty(len(self.order), np.int64)
        index[self.order] = np.repeat(np.arange(len(self.rows)), self.weight.astype(np.int64))
        return index

    @cached_property
    def fingerprint(self) -> str:
        """The number of rows and the sum of their hashes (finaliser of splitmix64; Steele, Lea & Flood 2014)."""
        total = sum(map_blocks(self._hash, len(self.rows), ROWS_PER_BLOCK)) % 2**64
        return f"{len(self.order)}-{total:016x}"

    def _hash(self, block: slice) -> int:
        h = np.zeros(len(self.weight[block]), np.uint64)
        for j, column in enumerate(self.rows[block].T):
            h += column.view(np.uint64) * np.uint64(MULTIPLIERS[j % len(MULTIPLIERS)])
        for shift, multiplier in ((30, MULTIPLIERS[1]), (27, MULTIPLIERS[2])):
            h ^= h >> np.uint64(shift)
            h *= np.uint64(multiplier)
        h ^= h >> np.uint64(31)
        h *= self.weight[block].astype(np.uint64)
        return int(h.sum(dtype=np.uint64))


@dataclass(frozen=True)
class _Numbers:
    """The values of a column, numbered in their order.

    Attributes
    ----------
    of_rows
        The number of each row's value, shape (n,).
    count
        All numbers are below this.
    values
        The values that have some numbers.
    """

    of_rows: NDArray[np.integer]
    count: int
    values: Callable[[Index], Array]


def distinct_rows(*columns: Array) -> DistinctRows:
    """Return the distinct rows of the table that `columns` (each of shape (n,), no NaN) form.

    The values of a column are numbered in their order; the numbers of a row are written as the digits of one whole
    number, with the position of the row as the last digit; these are sorted; and read again.

    Examples
    --------
    >>> distinct_rows(np.array([2.0, 1.0, 2.0])).weight
    array([1., 2.])
    """
    size = len(columns[0])
    bits = size.bit_length()
    key, digits = _write(columns, LARGEST_KEY >> bits)
    key <<= bits
    key |= np.arange(size)
    key.sort()
    order = key & ((1 << bits) - 1)
    key >>= bits
    first = np.flatnonzero(np.concatenate(([size > 0], key[1:] != key[:-1])))
    rows = np.empty((len(first), len(columns)), order="F")
    map_blocks(partial(_read, key, first, digits, rows), len(first), ROWS_PER_BLOCK)
    return DistinctRows(rows, np.diff(first, append=size).astype(float), order)


def _write(columns: Sequence[Array], largest: int) -> tuple[Index, list[tuple[Index | None, _Numbers]]]:
    """Return a whole number below `largest` for each row, in the order of the rows, and how to read it.

    Where the numbers become too large, those met so far are numbered themselves; they are then given with the digit
    that follows.
    """
    size = len(columns[0])
    key, base = np.zeros(size, np.int64), 1
    digits: list[tuple[Index | None, _Numbers]] = []
    for column in columns:
        numbers, met = _numbered(column), None
        if base * numbers.count > largest:
            met, key = np.unique(key, return_inverse=True)
            base = len(met)
        map_blocks(partial(_append, key, numbers), size, ROWS_PER_BLOCK)
        base *= numbers.count
        digits.append((met, numbers))
    return key, digits


def _append(key: Index, numbers: _Numbers, rows: slice) -> None:
    """Append a digit to keys, in place."""
    key[rows] *= numbers.count
    key[rows] += numbers.of_rows[rows]


def _read(key: Index, first: Index, digits: list[tuple[Index | None, _Numbers]], out: Array, block: slice) -> None:
    """Read the values of some rows off their keys, last digit first."""
    rest = key[first[block]]
    for j, (met, numbers) in reversed(list(enumerate(digits))):
        rest, digit = np.divmod(rest, numbers.count)
        out[block, j] = numbers.values(digit)
        rest = rest if met is None else met[rest]


def _numbered(column: Array) -> _Numbers:
    """Return numbers for the values of a column: their multiples of a grid if they lie on one, else their ranks."""
    lowest, highest = column.min(initial=0.0), column.max(initial=0.0)
    steps = np.empty(len(column), np.int32)
    for grid in GRIDS:
        if lowest >= 0.0 and highest * grid < LARGEST_STEP and _on_grid(grid, column, steps, slice(PROBE)):
            on_grid = map_blocks(partial(_on_grid, grid, column, steps), len(column), ROWS_PER_BLOCK)
            if all(on_grid):
                return _Numbers(steps, round(highest * grid) + 1, partial(_of_grid, grid))
    return _ranked(column)


def _of_grid(grid: float, steps: Index) -> Array:
    return steps / grid


def _on_grid(grid: float, column: Array, steps: NDArray[np.int32], rows: slice) -> bool:
    """Whether the values are whole numbers divided by `grid`; writes down which."""
    some = np.rint(column[rows] * grid)
    steps[rows] = some
    return np.array_equal(some / grid, column[rows])


def _ranked(column: Array) -> _Numbers:
    """Return the rank of each value among the distinct values."""
    import pandas as pd

    index, distinct = pd.factorize(column + 0.0)  # -0.0 is 0.0
    rising = np.argsort(distinct)
    rank = np.empty(len(distinct), np.int64)
    rank[rising] = np.arange(len(distinct))
    return _Numbers(rank[index], len(distinct), distinct[rising].__getitem__)
