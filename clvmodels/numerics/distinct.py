"""Distinct rows of numeric columns, their weights, and where each row went."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import accumulate
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.kernels import at_hand
from clvmodels.numerics.threads import map_blocks, sort

__all__ = ["DistinctRows", "distinct_rows", "run_starts", "weighted_rows"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Bits = NDArray[np.uint64]
Codes = NDArray[np.unsignedinteger[Any]]
Steps = NDArray[np.uint32]

WORD: Final = 64
GRIDS: Final = (1.0, 7.0, 24.0, 30.4375, 365.25)
"""Values are often whole multiples of one, or of a day or an hour counted in weeks, days, months or years."""
LARGEST_STEP: Final = 2.0**31 - 1.0
PROBE: Final = 1_000
ROWS_PER_BLOCK: Final = 1 << 17
MULTIPLIERS: Final = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB], np.uint64)


@dataclass(frozen=True)
class DistinctRows:
    """The distinct rows of a table.

    Attributes
    ----------
    rows
        The distinct rows, shape (distinct, columns), sorted by the first column, then the second, and so on.
    weight
        How often each occurs, shape (distinct,), as float; the sum of their weights, of rows that have weights.
    find_order
        Returns `order`; None where the table is not at hand.
    counts
        How many rows of the table each is, shape (distinct,), if its rows have weights; None: as `weight` says.
    """

    rows: Array
    weight: Array
    find_order: Callable[[], Index] | None = None
    counts: Array | None = None
    _by: dict[tuple[int, ...], DistinctRows] = field(default_factory=dict, init=False, repr=False, compare=False)

    def by(self, *columns: int) -> DistinctRows:
        """Return the distinct rows of some columns of `rows`, by their numbers, with their order; kept once found.

        Examples
        --------
        >>> distinct_rows(np.array([1.0, 1.0]), np.array([2.0, 3.0])).by(0).rows
        array([[1.]])
        """
        if columns not in self._by:
            self._by[columns] = distinct_rows(*(self.rows[:, column] for column in columns), with_order=True)
        return self._by[columns]

    @cached_property
    def order(self) -> Index:
        """The rows of the table in the order of the distinct rows, shape (n,)."""
        assert self.find_order is not None
        return self.find_order()

    @cached_property
    def index(self) -> Index:
        """For each row of the table its distinct row, shape (n,); ``rows[index]`` is the table."""
        index = np.empty(len(self.order), np.int64)
        counts = self.weight if self.counts is None else self.counts
        ends = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        map_blocks(partial(self._number, index, ends), len(self.rows), ROWS_PER_BLOCK)
        return index

    def _number(self, index: Index, ends: Index, block: slice) -> None:
        """Write the numbers of some distinct rows to where they came from."""
        numbers = np.repeat(np.arange(block.start, block.stop), np.diff(ends[block.start : block.stop + 1]))
        index[self.order[ends[block.start] : ends[block.stop]]] = numbers

    @cached_property
    def fingerprint(self) -> str:
        """The number of rows and the sum of their hashes (finaliser of splitmix64; Steele, Lea & Flood 2014)."""
        hashes = _hashes
        if at_hand(len(self.rows)):
            from clvmodels.numerics.compiled_rows import hashes

        def hash_sum(block: slice) -> int:
            return int(hashes(self.rows[block].T, self.weight[block], MULTIPLIERS))

        total = sum(map_blocks(hash_sum, len(self.rows), ROWS_PER_BLOCK)) % 2**WORD
        return f"{int(self.weight.sum())}-{total:016x}"


def _hashes(columns: Array, weight: Array, multipliers: Bits) -> np.uint64:
    """Return the weighted sum of the hashes of some rows, columns of shape (columns, n)."""
    h = np.zeros(len(weight), np.uint64)
    part = np.empty_like(h)
    for j, column in enumerate(columns):
        h += np.multiply(column.view(np.uint64), multipliers[j % len(multipliers)], out=part)
    for shift, multiplier in ((30, multipliers[1]), (27, multipliers[2])):
        h ^= np.right_shift(h, np.uint64(shift), out=part)
        h *= multiplier
    h ^= np.right_shift(h, np.uint64(31), out=part)
    part[:] = weight
    h *= part
    return np.uint64(h.sum(dtype=np.uint64))


@dataclass(frozen=True)
class _Codes:
    """Whole numbers that stand for the values of a column, in their order.

    Attributes
    ----------
    of
        Those of some rows; `_NoCodeError` if a value has none.
    bits
        All are below 2^bits.
    values
        Writes down the values that have some codes.
    """

    of: Callable[[slice | Index], Codes]
    bits: int
    values: Callable[[Codes, Array], None]


def distinct_rows(*columns: Array, with_order: bool = False) -> DistinctRows:
    """Return the distinct rows of the table that `columns` (each of shape (n,), no NaN) form.

    Each value is coded as a whole number, and the codes of a row, one after the other, are a string of bits. Where all
    of it fits into a word, these words are sorted. Where it does not, or to know where each row went, rows are sorted
    by as many leading bits as fit into a word beside their position; where that leaves rows side by side that may
    differ, these are sorted by the bits that follow, until there are none.

    Parameters
    ----------
    columns
        The columns of the table.
    with_order
        Whether `DistinctRows.order` will be needed: it is then found along the way.

    Examples
    --------
    >>> distinct_rows(np.array([2.0, 1.0, 2.0])).weight
    array([1., 2.])
    """
    candidates = [_candidates(number, column) for number, column in enumerate(columns)]
    codes = [next(candidate) for candidate in candidates]
    while True:
        try:
            return _distinct(columns, codes, with_order=with_order)
        except _NoCodeError as error:
            codes[error.column] = next(candidates[error.column])


def weighted_rows(weight: Array, *columns: Array) -> DistinctRows:
    """Return the distinct rows of a table whose rows stand for several each; `weight`, shape (n,), says how many.

    Examples
    --------
    >>> weighted_rows(np.array([5.0, 1.0, 2.0]), np.array([2.0, 1.0, 2.0])).weight
    array([1., 7.])
    """
    distinct = distinct_rows(*columns, with_order=True)
    summed = np.bincount(distinct.index, weight, minlength=len(distinct.rows)).astype(float)
    return DistinctRows(distinct.rows, summed, distinct.find_order, distinct.weight)


def _distinct(columns: Sequence[Array], codes: Sequence[_Codes], *, with_order: bool) -> DistinctRows:
    """Return the distinct rows of a table by the codes of its columns."""
    size = len(columns[0])
    bits = sum(code.bits for code in codes)
    if bits <= WORD and not with_order:
        key: Codes = np.empty(size, np.uint32 if bits <= WORD // 2 else np.uint64)
        map_blocks(partial(_write, key, codes), size, ROWS_PER_BLOCK)
        sort(key)
        first = run_starts(key)
        read, find_order = partial(_read, codes, key), partial(_order, codes, size)
    else:
        order, first = _sorted_by_all(codes, size)
        read, find_order = partial(_look_up, columns, order), partial(_known, order)
    rows = np.empty((len(first), len(columns)), order="F")
    map_blocks(partial(read, rows, first), len(first), ROWS_PER_BLOCK)
    weight = np.empty(len(first))
    np.subtract(first[1:], first[:-1], out=weight[:-1])
    weight[-1:] = size - first[-1:]
    return DistinctRows(rows, weight, find_order)


class _NoCodeError(Exception):
    """A value of a column lies on no grid, although those looked at did."""

    def __init__(self, column: int) -> None:
        super().__init__(column)
        self.column = column


def _candidates(number: int, column: Array) -> Iterator[_Codes]:
    """Yield codes of a column: the multiples of a grid that all values seem to lie on; at last, the bits of them."""
    highest = max(map_blocks(lambda rows: column[rows].max(), len(column), ROWS_PER_BLOCK), default=0.0)
    probe = column[:: max(len(column) // PROBE, 1)]
    steps: Callable[[float, Array], Steps | None] = _steps
    if at_hand(len(column)):
        from clvmodels.numerics.compiled_rows import steps
    for grid in GRIDS:
        if 0.0 <= highest <= LARGEST_STEP / grid and steps(grid, probe) is not None:
            bits = int(np.rint(highest * grid)).bit_length()
            yield _Codes(partial(_on_grid, steps, number, column, grid), bits, partial(_of_grid, grid))
    first, last = (int(_ordered(np.array([end]))[0]) for end in (column.min(), column.max()))
    yield _Codes(partial(_off_grid, column, first), (last - first).bit_length(), partial(_of_bits, first))


def _steps(grid: float, values: Array) -> Steps | None:
    """Return the whole numbers which, divided by `grid`, are the values; None if there are none.

    The values are at most ``LARGEST_STEP / grid``.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # far below zero
        multiples = values * grid
        steps = np.rint(multiples, out=multiples).astype(np.int32)
    exact = np.array_equal(np.divide(multiples, grid, out=multiples), values)
    return steps.view(np.uint32) if exact and steps.min(initial=0) >= 0 else None


def _on_grid(
    steps: Callable[[float, Array], Steps | None], number: int, column: Array, grid: float, rows: slice | Index
) -> Codes:
    codes = steps(grid, column[rows])
    if codes is None:
        raise _NoCodeError(number)
    return codes


def _of_grid(grid: float, codes: Codes, out: Array) -> None:
    np.divide(codes, grid, out=out)


def _off_grid(column: Array, lowest: int, rows: slice | Index) -> Codes:
    return _ordered(column[rows]) - np.uint64(lowest)


def _of_bits(lowest: int, codes: Codes, out: Array) -> None:
    """Undo `_off_grid`."""
    bits = (codes + np.uint64(lowest)).view(np.int64)
    np.bitwise_xor(bits, ~(bits >> 63) | np.int64(-(2**63)), out=out.view(np.int64))


def _ordered(values: Array) -> Bits:
    """Return the bits of numbers, changed so that as whole numbers they have the order of the numbers."""
    bits = (values + 0.0).view(np.int64)  # -0.0 is 0.0
    return (bits ^ (bits >> 63 | np.int64(-(2**63)))).view(np.uint64)


def _write(key: Codes, codes: Sequence[_Codes], rows: slice) -> None:
    """Write down whole strings of bits."""
    part = key[rows]
    part[:] = codes[0].of(rows)
    for code in codes[1:]:
        part <<= part.dtype.type(code.bits)
        part |= code.of(rows)


def run_starts(values: NDArray[Any]) -> Index:
    """Return where in a sorted array each new value begins.

    Examples
    --------
    >>> run_starts(np.array([0.0, 0.0, 2.0]))
    array([0, 2])
    """

    def starts(rows: slice) -> Index:
        before = max(rows.start - 1, 0)
        part = values[before : rows.stop]
        new = np.flatnonzero(part[1:] != part[:-1]) + (before + 1)
        return new if rows.start else np.concatenate(([0], new))

    return np.concatenate([np.zeros(0, np.int64), *map_blocks(starts, len(values), ROWS_PER_BLOCK)])


def _read(codes: Sequence[_Codes], key: Codes, out: Array, first: Index, block: slice) -> None:
    """Write down some distinct rows, from their strings of bits."""
    keys = key[first[block]]
    for j, code in reversed(list(enumerate(codes))):
        code.values(keys & keys.dtype.type(2**code.bits - 1), out[block, j])
        keys >>= keys.dtype.type(code.bits)


def _look_up(columns: Sequence[Array], order: Index, out: Array, first: Index, block: slice) -> None:
    """Write down some distinct rows, from the table."""
    rows = order[first[block]]
    for j, column in enumerate(columns):
        np.add(column[rows], 0.0, out=out[block, j])  # -0.0 is 0.0


def _known(order: Index) -> Index:
    return order


def _order(codes: Sequence[_Codes], size: int) -> Index:
    return _sorted_by_all(codes, size)[0]


def _sorted_by_all(codes: Sequence[_Codes], size: int) -> tuple[Index, Index]:
    """Return the rows in the order of their strings of bits, and where in that order each new string begins."""
    bits = sum(code.bits for code in codes)
    done = min(WORD - size.bit_length(), bits)
    key = np.empty(size, np.uint64)
    map_blocks(partial(_write_bits, key, codes, done), size, ROWS_PER_BLOCK)
    order, first = _sorted(key)
    while done < bits:
        sizes = np.diff(first, append=size)
        several = sizes > 1
        tied = np.flatnonzero(np.repeat(several, sizes))
        if not len(tied):
            break
        group = np.repeat(np.arange(np.count_nonzero(several), dtype=np.uint64), sizes[several])
        end = min(done + WORD - len(tied).bit_length() - int(group[-1]).bit_length(), bits)
        rows = order[tied]
        group <<= np.uint64(end - done)
        group |= _bits(codes, done, end, rows)
        positions, starts = _sorted(group)
        order[tied] = rows[positions]
        begins = np.zeros(size, np.bool_)
        begins[first] = begins[tied[starts]] = True
        first, done = np.flatnonzero(begins), end
    return order, first


def _write_bits(key: Bits, codes: Sequence[_Codes], end: int, rows: slice) -> None:
    key[rows] = _bits(codes, 0, end, rows)


def _bits(codes: Sequence[_Codes], start: int, end: int, rows: slice | Index) -> Bits | int:
    """Return the bits from one position to another in the strings of bits of some rows."""
    bits: Bits | int = 0
    places = accumulate((code.bits for code in codes), initial=0)
    for code, place in zip(codes, places, strict=False):
        first, last = max(start - place, 0), min(end - place, code.bits)
        if first >= last:
            continue
        part = code.of(rows).astype(np.uint64)
        if last < code.bits:
            part >>= np.uint64(code.bits - last)
        if first > 0:
            part &= np.uint64(2 ** (last - first) - 1)
        if isinstance(bits, np.ndarray):
            bits <<= np.uint64(last - first)
            part |= bits
        bits = part
    return bits


def _sorted(key: Bits) -> tuple[Index, Index]:
    """Return the positions of keys in the order of the keys, and where in that order each new key begins.

    The keys, which are below 2^64 / positions, are sorted, and their positions appended to them.
    """
    size = len(key)
    position, mask = np.uint64(size.bit_length()), np.uint64(2 ** size.bit_length() - 1)
    order = np.empty(size, np.int64)

    def append(rows: slice) -> None:
        key[rows] <<= position
        key[rows] |= np.arange(rows.start, rows.stop, dtype=np.uint64)

    def split(rows: slice) -> None:
        np.bitwise_and(key[rows], mask, out=order[rows].view(np.uint64))
        key[rows] >>= position

    map_blocks(append, size, ROWS_PER_BLOCK)
    sort(key)
    map_blocks(split, size, ROWS_PER_BLOCK)
    return order, run_starts(key)
