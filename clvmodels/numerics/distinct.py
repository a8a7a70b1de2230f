"""Distinct rows of numeric columns, their weights, and where each row went."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.threads import map_blocks

__all__ = ["DistinctRows", "distinct_rows"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


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
    and these are numbered in turn: hash tables of pandas throughout.

    Examples
    --------
    >>> distinct_rows(np.array([1.0, 2.0, 1.0])).weight
    array([2., 1.])
    """
    numbered = map_blocks(lambda one: _number(columns[one.start]), len(columns), 1)
    key, values = numbered[0]
    rows = values[:, None]
    for digits, values in numbered[1:]:
        key, found = _number(key * len(values) + digits)
        row, digit = np.divmod(found, len(values))
        rows = np.column_stack([rows[row], values[digit]])
    weight = np.bincount(key, minlength=len(rows)).astype(float)
    return DistinctRows(rows, weight, key, _fingerprint(rows, weight))


def _number[N: np.generic](values: NDArray[N]) -> tuple[Index, NDArray[N]]:
    """Return the number of each value in order of appearance, and the distinct values."""
    import pandas as pd

    index, distinct = pd.factorize(values)
    return index.astype(np.int64, copy=False), np.asarray(distinct)


def _fingerprint(rows: Array, weight: Array) -> str:
    """Return the number of rows and the sum of their hashes (the finaliser of splitmix64; Steele, Lea & Flood 2014)."""
    total = np.zeros(len(rows), np.uint64)
    for column in rows.T:
        total = (total ^ (column + 0.0).view(np.uint64)) + np.uint64(0x9E3779B97F4A7C15)
        total = (total ^ (total >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        total = (total ^ (total >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        total ^= total >> np.uint64(31)
    return f"{int(weight.sum())}-{int((total * weight.astype(np.uint64)).sum(dtype=np.uint64)):016x}"
