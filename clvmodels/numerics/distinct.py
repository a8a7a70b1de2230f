"""Distinct rows of numeric columns, their weights, and where each row went."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.threads import map_blocks

__all__ = ["DistinctRows", "distinct_rows"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

LARGEST_KEY: Final = 2**62
WHOLE_BELOW: Final = 2.0**16
MULTIPLIERS: Final = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


@dataclass(frozen=True)
class DistinctRows:
    """The distinct rows of a table.

    Attributes
    ----------
    rows
        The distinct rows, shape (distinct, columns), in order of first appearance.
    weight
        How often each occurs, shape (distinct,), as float.
    index
        For each row of the table its distinct row, shape (n,); ``rows[index]`` is the table.
    fingerprint
        A text that depends on the multiset of rows alone, not on their order.
    """

    rows: Array
    weight: Array
    index: Index
    fingerprint: str


def distinct_rows(*columns: Array) -> DistinctRows:
    """Return the distinct rows of the table that `columns` (each of shape (n,), no NaN) form.

    Each column is numbered by its distinct values, the numbers of a row are written as the digits of one whole number,
    and these are numbered in turn, with the hash tables of pandas.

    Examples
    --------
    >>> distinct_rows(np.array([1.0, 2.0, 1.0])).weight
    array([2., 1.])
    """
    key, digits = np.zeros(len(columns[0]), np.int64), list[Array]()
    for numbers, values in map_blocks(lambda one: _numbered(columns[one.start]), len(columns), 1):
        if math.prod(map(len, digits)) * len(values) > LARGEST_KEY:
            key, found = _factorized(key)
            digits = [_decoded(found, digits)]
        key = key * len(values) + numbers
        digits.append(values[:, None])
    index, found = _factorized(key)
    rows = _decoded(found, digits)
    weight = np.bincount(index, minlength=len(rows)).astype(float)
    return DistinctRows(rows, weight, index, _fingerprint(rows, weight))


def _numbered(column: Array) -> tuple[Index, Array]:
    """Return a number for each value, and the values in the order of their numbers; whole numbers are their own."""
    if len(column) and column.min() >= 0.0 and column.max() < WHOLE_BELOW and np.array_equal(column, np.floor(column)):
        return column.astype(np.int64), np.arange(column.max() + 1.0)
    return _factorized(column)


def _factorized[N: np.generic](values: NDArray[N]) -> tuple[Index, NDArray[N]]:
    """Return the number of each value in order of appearance, and the distinct values."""
    import pandas as pd

    index, distinct = pd.factorize(values)
    return index.astype(np.int64, copy=False), np.asarray(distinct)


def _decoded(keys: Index, digits: list[Array]) -> Array:
    """Return the rows that keys stand for; each of `digits` has the parts of a row that one digit numbers."""
    parts = []
    for values in reversed(digits):
        keys, digit = np.divmod(keys, len(values))
        parts.append(values[digit])
    return np.hstack(parts[::-1])


def _fingerprint(rows: Array, weight: Array) -> str:
    """Return the number of rows and the sum of their hashes (the finaliser of splitmix64; Steele, Lea & Flood 2014)."""
    h = np.zeros(len(rows), np.uint64)
    for j, column in enumerate(rows.T):
        h += (column + 0.0).view(np.uint64) * np.uint64(MULTIPLIERS[j % len(MULTIPLIERS)])
    h = (h ^ (h >> np.uint64(30))) * np.uint64(MULTIPLIERS[1])
    h = (h ^ (h >> np.uint64(27))) * np.uint64(MULTIPLIERS[2])
    h ^= h >> np.uint64(31)
    return f"{int(weight.sum())}-{int((h * weight.astype(np.uint64)).sum(dtype=np.uint64)):016x}"
