"""Distinct rows of numeric columns, their weights, and where each row went: one pass with a hash table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.compiled import kernel

__all__ = ["DistinctRows", "distinct_rows"]

FIRST_TABLE = 1 << 12


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
        A number that depends on the multiset of rows alone, not on their order.
    """

    rows: NDArray[np.float64]
    weight: NDArray[np.float64]
    index: NDArray[np.int64]
    fingerprint: str


@kernel
def _mix(h: np.uint64, bits: np.uint64) -> np.uint64:
    """Mix 64 more bits into a hash (the finaliser of splitmix64; Steele, Lea & Flood 2014)."""
    h = (h ^ bits) + np.uint64(0x9E3779B97F4A7C15)
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


@kernel
def _insert_all(table: NDArray[np.int64], hashes: NDArray[np.uint64], count: int) -> None:
    mask = np.uint64(table.size - 1)
    for k in range(count):
        slot = hashes[k] & mask
        while table[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        table[slot] = k


@kernel
def _distinct(bits: NDArray[np.uint64], index: NDArray[np.int64], first: NDArray[np.int64]) -> tuple[int, np.uint64]:
    n, columns = bits.shape
    table = np.full(FIRST_TABLE, -1, np.int64)
    hashes = np.empty(n, np.uint64)
    count, total = 0, np.uint64(0)
    for i in range(n):
        h = np.uint64(0)
        for j in range(columns):
            h = _mix(h, bits[i, j])
        total += h
        mask = np.uint64(table.size - 1)
        slot = h & mask
        while True:
            k = table[slot]
            if k < 0:
                table[slot], index[i], hashes[count], first[count] = count, count, h, i
                count += 1
                break
            if hashes[k] == h:
                same = True
                for j in range(columns):
                    same = same and bits[first[k], j] == bits[i, j]
                if same:
                    index[i] = k
                    break
            slot = (slot + np.uint64(1)) & mask
        if 2 * count > table.size:
            table = np.full(4 * table.size, -1, np.int64)
            _insert_all(table, hashes, count)
    return count, total


def distinct_rows(*columns: NDArray[np.float64]) -> DistinctRows:
    """Return the distinct rows of the table that `columns` (each of shape (n,)) form.

    Examples
    --------
    >>> distinct_rows(np.array([1.0, 2.0, 1.0])).weight
    array([2., 1.])
    """
    table = np.column_stack(columns) + 0.0  # the sum turns -0.0 into 0.0: one value, one bit pattern
    index, first = np.empty(len(table), np.int64), np.empty(len(table), np.int64)
    count, total = _distinct(table.view(np.uint64), index, first)
    weight = np.bincount(index, minlength=count).astype(float)
    return DistinctRows(table[first[:count]], weight, index, f"{len(table)}-{int(total):016x}")
