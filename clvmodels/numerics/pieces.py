"""Columns of numbers that are constant within pieces of each row's own time, such as customers' paths of covariates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["LARGEST_LOG_SPEED", "Pieces", "flattened", "running_sums"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

LARGEST_LOG_SPEED: Final = 50.0
"""Where samplers stray, clocks go no faster, and no slower than its inverse, so that no number leaves the doubles."""


@dataclass(frozen=True, eq=False)
class Pieces:
    """The pieces of rows, one row after the other. The first row has none: it is that of a customer who is to come.

    Attributes
    ----------
    first
        The first piece of each row, and the number of all; shape (rows + 1,).
    silence
        The first piece of each row after its last event, or that of the next row; shape (rows,).
    length
        The lengths of pieces, shape (pieces,).
    columns
        The columns, shape (pieces, columns).
    at_events
        Sums of the columns over the events of each row, shape (rows, columns).
    now
        The columns at the end of each row's time, shape (rows, columns); zeros of the first row.
    """

    first: Index
    silence: Index
    length: Array
    columns: Array
    at_events: Array
    now: Array

    @classmethod
    def of(
        cls,
        first: Index,
        begin: Array,
        end: Array,
        columns: Array,
        events: Array,
        last_event: Array,
        *,
        merged: bool = True,
    ) -> Self:
        """Return the pieces of spells, cut at each row's last event.

        Parameters
        ----------
        first
            The first spell of each row, and the number of all; shape (rows + 1,). Each row has one.
        begin, end
            Times of spells, shape (spells,).
        columns
            Shape (spells, columns).
        events
            Events in each spell, shape (spells,).
        last_event
            The time of the last event of each row, shape (rows,).
        merged
            Whether neighbours of equal columns on the same side of the last event become one piece.

        Examples
        --------
        >>> begin, end = np.array([0.0, 2.0, 5.0]), np.array([2.0, 5.0, 9.0])
        >>> values, events = np.array([[1.0], [1.0], [0.0]]), np.array([0.0, 1.0, 1.0])
        >>> pieces = Pieces.of(np.array([0, 3]), begin, end, values, events, np.array([6.0]))
        >>> pieces.length, pieces.first, pieces.silence
        (array([5., 1., 3.]), array([0, 0, 3]), array([0, 2]))
        """
        row = np.repeat(np.arange(len(last_event)), np.diff(first))
        at_events = np.zeros((len(last_event), columns.shape[1]))
        np.add.at(at_events, row, columns * events[:, None])
        now = columns[first[1:] - 1]
        cut = np.clip(last_event[row], begin, end)
        row, columns = np.repeat(row, 2), np.repeat(columns, 2, axis=0)
        length = np.column_stack([cut - begin, end - cut]).ravel()
        silent = np.tile([False, True], len(cut))
        order = np.lexsort((silent, row))  # stable: all before the last event, then all after it
        order = order[length[order] > 0.0]
        row, silent, length, columns = row[order], silent[order], length[order], columns[order]
        if merged and len(row):
            new = (row[1:] != row[:-1]) | (silent[1:] != silent[:-1]) | (columns[1:] != columns[:-1]).any(axis=1)
            starts = np.flatnonzero(np.concatenate([[True], new]))
            row, silent, columns = row[starts], silent[starts], columns[starts]
            length = np.add.reduceat(length, starts)
        number = np.bincount(row, minlength=len(last_event))
        before = np.bincount(row[~silent], minlength=len(last_event))
        ends = np.concatenate([[0, 0], np.cumsum(number)]).astype(np.int64)
        nobody = np.zeros((1, columns.shape[1]))
        return cls(
            ends,
            np.concatenate([[0], ends[1:-1] + before]).astype(np.int64),
            length,
            np.ascontiguousarray(columns),
            np.concatenate([nobody, at_events]),
            np.concatenate([nobody, now]),
        )


def flattened(first: Index, rows: Index) -> tuple[Index, Index]:
    """Return the pieces of some rows, one row after the other, and how many each row has.

    Examples
    --------
    >>> flattened(np.array([0, 2, 3]), np.array([1, 0]))
    (array([2, 0, 1]), array([1, 2]))
    """
    number = first[rows + 1] - first[rows]
    shift = np.repeat(first[rows] - (np.cumsum(number) - number), number)
    return shift + np.arange(len(shift)), number


def running_sums(values: Array, number: Index) -> tuple[Array, Array]:
    """Return the sums of values before each within its row, and those of rows.

    What is summed over all rows are deviations from the mean of a row, whose errors do not grow from row to row.

    Parameters
    ----------
    values
        Shape (pieces,) or (pieces, columns).
    number
        Pieces of each row, shape (rows,).

    Examples
    --------
    >>> running_sums(np.array([1.0, 2.0, 4.0]), np.array([2, 0, 1]))
    (array([0., 1., 0.]), array([3., 0., 4.]))
    """
    start = np.cumsum(number) - number
    totals = np.zeros((len(number), *values.shape[1:]))
    if not len(values):
        return values.copy(), totals
    filled = number > 0
    totals[filled] = np.add.reduceat(values, start[filled], axis=0)
    wide = (slice(None), *(None for _ in values.shape[1:]))
    mean = np.repeat(totals / np.maximum(number, 1)[wide], number, axis=0)
    position = np.arange(len(values)) - np.repeat(start, number)
    deviations = values - mean
    return np.cumsum(deviations, axis=0) - deviations + position[wide] * mean, totals
