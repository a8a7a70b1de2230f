"""Distinct rows of numeric columns, their weights, and where each row went: one pass with a hash table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.compiled import kernel
from clvmodels.numerics.threads import map_blocks

__all__ = ["DistinctRows", "distinct_rows"]

Bits = NDArray[np.uint64]
Index = NDArray[np.int64]

FIRST_TABLE: Final = 1 << 12
ROWS_PER_SLICE: Final = 1 << 18
ROWS_PER_PART: Final = 1 << 17
LARGEST_PARTS: Final = 1 << 8
BITS_OF_PART: Final = np.uint64(8)


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
def _hash(bits: Bits, i: int) -> np.uint64:
    h = np.uint64(0)
    for j in range(bits.shape[1]):
        h = _mix(h, bits[i, j])
    return h


@kernel
def _equal(bits: Bits, i: int, k: int) -> bool:
    same = True
    for j in range(bits.shape[1]):
        same = same and bits[i, j] == bits[k, j]
    return same


@kernel
def _deal(bits: Bits, hashes: Bits, sizes: Index) -> np.uint64:
    """Hash each row, count the rows that fall to each part, and return the sum of the hashes."""
    total, mask = np.uint64(0), np.uint64(len(sizes) - 1)
    for i in range(len(bits)):
        hashes[i] = _hash(bits, i)
        sizes[hashes[i] & mask] += 1
        total += hashes[i]
    return total


@kernel
def _gather(bits: Bits, hashes: Bits, first_row: int, places: Index, dealt: Bits, origin: Index) -> None:
    """Put the rows of each part side by side, beginning at `places`, and note where they came from."""
    mask = np.uint64(len(places) - 1)
    for i in range(len(bits)):
        part = hashes[i] & mask
        for j in range(bits.shape[1]):
            dealt[places[part], j] = bits[i, j]
        origin[places[part]] = first_row + i
        places[part] += 1


@kernel
def _number(rows: Bits, number: Index, first: Index) -> int:
    """Number the distinct rows in order of appearance, note where each is first seen, and return how many there are."""
    table = np.full(FIRST_TABLE, -1, np.int64)
    count = 0
    for i in range(len(rows)):
        mask = np.uint64(len(table) - 1)
        slot = (_hash(rows, i) >> BITS_OF_PART) & mask
        while table[slot] >= 0 and not _equal(rows, first[table[slot]], i):
            slot = (slot + np.uint64(1)) & mask
        if table[slot] < 0:
            table[slot], first[count] = count, i
            count += 1
        number[i] = table[slot]
        if 2 * count > len(table):
            table = np.full(4 * len(table), -1, np.int64)
            mask = np.uint64(len(table) - 1)
            for known in range(count):
                slot = (_hash(rows, first[known]) >> BITS_OF_PART) & mask
                while table[slot] >= 0:
                    slot = (slot + np.uint64(1)) & mask
                table[slot] = known
    return count


@kernel
def _scatter(number: Index, origin: Index, shift: int, index: Index) -> None:
    for i in range(len(number)):
        index[origin[i]] = number[i] + shift


def distinct_rows(*columns: NDArray[np.float64]) -> DistinctRows:
    """Return the distinct rows of the table that `columns` (each of shape (n,)) form.

    Rows are dealt out by their hash to parts that fit into the processor's cache and are worked on in threads.

    Examples
    --------
    >>> distinct_rows(np.array([1.0, 2.0, 1.0])).weight
    array([2., 1.])
    """
    n, slices = len(columns[0]), max(-(-len(columns[0]) // ROWS_PER_SLICE), 1)
    parts = min(1 << max(int(np.log2(max(n, 1) / ROWS_PER_PART)) + 1, 0), LARGEST_PARTS)
    bits, hashes = np.empty((n, len(columns)), np.uint64), np.empty(n, np.uint64)
    sizes = np.zeros((slices, parts), np.int64)

    def deal(rows: slice) -> int:
        # Adding zero turns -0.0 into 0.0: one value, one pattern of bits.
        bits[rows] = np.column_stack([column[rows] + 0.0 for column in columns]).view(np.uint64)
        return int(_deal(bits[rows], hashes[rows], sizes[rows.start // ROWS_PER_SLICE]))

    total = sum(map_blocks(deal, n, ROWS_PER_SLICE))
    places = np.cumsum(np.append(0, sizes.T.ravel()[:-1])).reshape(parts, slices).T.copy()
    dealt, origin = np.empty_like(bits), np.empty(n, np.int64)

    def gather(rows: slice) -> None:
        _gather(bits[rows], hashes[rows], rows.start, places[rows.start // ROWS_PER_SLICE], dealt, origin)

    map_blocks(gather, n, ROWS_PER_SLICE)
    ends = np.cumsum(sizes.sum(axis=0))
    starts = ends - sizes.sum(axis=0)
    number, index = np.empty(n, np.int64), np.empty(n, np.int64)

    def number_part(part: slice) -> NDArray[np.int64]:
        rows = slice(starts[part.start], ends[part.start])
        first = np.empty(rows.stop - rows.start, np.int64)
        return np.asarray(starts[part.start] + first[: _number(dealt[rows], number[rows], first)])

    firsts = map_blocks(number_part, parts, 1)
    shifts = np.cumsum([0, *map(len, firsts)])

    def scatter(part: slice) -> None:
        rows = slice(starts[part.start], ends[part.start])
        _scatter(number[rows], origin[rows], int(shifts[part.start]), index)

    map_blocks(scatter, parts, 1)
    distinct = dealt[np.concatenate(firsts)].view(np.float64)
    weight = np.bincount(index, minlength=len(distinct)).astype(float)
    return DistinctRows(distinct, weight, index, f"{n}-{total % 2**64:016x}")
