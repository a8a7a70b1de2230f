"""Work on long arrays in blocks, in threads: numpy releases the interpreter lock.

Blocks do not depend on the number of threads, and results are put together in order, so that they are the same to the
last digit on any machine. An operation on a block should take 20 microseconds or more: handing the lock from thread to
thread takes several.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from functools import cache
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.interrupts import interrupts_deferred

__all__ = ["blocks", "copy_to", "dot", "map_blocks", "sort", "take"]

PARTS: Final = 4
"""In how many parts a long array is sorted."""
SORTED_AT_A_TIME: Final = 1 << 17
"""A shorter one is sorted as it is."""
COPIED_AT_A_TIME: Final = 1 << 16


class _Helper:
    """A share of some work: taken by a thread of the pool, or called off by the one that offered it.

    The threads meet at a lock of the interpreter itself that the pool's thread gives back, once. Futures and executors
    have locks that either may hold: an interrupt in the wrong place would leave one taken, the pool's threads would
    wait for it without end, and the interpreter for them.
    """

    __slots__ = ("_ended", "_work", "errors")

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = [work]
        self._ended = Lock()
        self._ended.acquire()
        self.errors: list[BaseException] = []

    def run(self) -> None:
        """Do the work, in a thread of the pool, unless it has been called off."""
        if (work := self._taken()) is None:
            return
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that offered the work
            self.errors.append(error)
        finally:
            self._ended.release()

    def end(self) -> None:
        """Call the work off, or wait until it is done."""
        if self._taken() is None:
            self._ended.acquire()

    def _taken(self) -> Callable[[], None] | None:
        """Return the work to the first that asks for it."""
        try:
            return self._work.pop()
        except IndexError:
            return None


@cache
def _pool() -> SimpleQueue[_Helper]:
    """Return what the threads of the pool take helpers from; they end with the process, as none is at work by then."""
    offered: SimpleQueue[_Helper] = SimpleQueue()

    def serve() -> None:
        while True:
            offered.get().run()

    with interrupts_deferred():
        for number in range(os.cpu_count() or 1):
            Thread(target=serve, name=f"clvmodels_{number}", daemon=True).start()
    return offered


def blocks(size: int, most: int) -> list[slice]:
    """Return consecutive slices of the same length (to a row), at most `most`, that cover `size` rows.

    One, or an even number of them where there are rows enough, so that two cores are done at once.

    Examples
    --------
    >>> blocks(7, 3)
    [slice(0, 1, None), slice(1, 3, None), slice(3, 5, None), slice(5, 7, None)]
    """
    number = -(-size // most)
    number = min(number + number % 2, size) if number > 1 else number
    ends = [size * k // number for k in range(1, number + 1)]
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def map_blocks[R](function: Callable[[slice], R], size: int, most: int) -> list[R]:
    """Return ``function(rows)`` for the `blocks` of `size` rows, of at most `most` each.

    The calling thread takes its part of them, so that `function` may work in blocks itself.

    Examples
    --------
    >>> map_blocks(lambda rows: rows.stop - rows.start, 5, 2)
    [1, 1, 1, 2]
    """
    slices = blocks(size, most)
    results: dict[int, R] = {}
    numbers = iter(range(len(slices)))  # shared: each number is taken once

    def work() -> None:
        for number in numbers:
            results[number] = function(slices[number])

    helpers = [_Helper(work) for _ in range(min(os.cpu_count() or 1, len(slices)) - 1)]
    try:
        for helper in helpers:
            _pool().put(helper)
        work()
    finally:
        deque(numbers, maxlen=0)  # after an error no more is begun
        for helper in helpers:
            helper.end()
    for helper in helpers:
        for error in helper.errors:
            raise error
    return [results[number] for number in range(len(slices))]


def dot(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Return the sum of products of two vectors.

    Not by BLAS: its threads wait actively for more work for a tenth of a second, and take the cores from ours.

    Examples
    --------
    >>> dot(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    11.0
    """
    return float(np.einsum("i,i", left, right))


def copy_to(out: NDArray[np.float64], values: NDArray[Any]) -> None:
    """Copy a vector of numbers, as floats, to one that is there.

    Examples
    --------
    >>> out = np.zeros(2)
    >>> copy_to(out, np.array([1, 2]))
    >>> out
    array([1., 2.])
    """
    map_blocks(lambda rows: np.copyto(out[rows], values[rows]), len(values), COPIED_AT_A_TIME)


def sort(numbers: NDArray[np.unsignedinteger[Any]]) -> None:
    """Sort an array in place: it is divided at its median, the halves at theirs, and the quarters sorted in threads.

    Examples
    --------
    >>> numbers = np.array([3, 1, 2], np.uint64)
    >>> sort(numbers)
    >>> numbers
    array([1, 2, 3], dtype=uint64)
    """
    parts = [numbers]

    def halve(block: slice) -> None:
        part = parts[block.start]
        part.partition(len(part) // 2)

    while len(parts) < PARTS and len(numbers) > SORTED_AT_A_TIME:
        map_blocks(halve, len(parts), 1)
        parts = [half for part in parts for half in np.split(part, [len(part) // 2])]
    map_blocks(lambda block: parts[block.start].sort(), len(parts), 1)


def take(values: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return some rows of an array, ``values[rows]``; all of them must exist.

    Examples
    --------
    >>> take(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1, 0, 1]))
    array([[3., 4.],
           [1., 2.],
           [3., 4.]])
    """
    out = np.empty((len(rows), *values.shape[1:]))

    def fill(block: slice) -> None:
        np.take(values, rows[block], axis=0, out=out[block], mode="clip")  # other modes copy `out` once more

    map_blocks(fill, len(rows), COPIED_AT_A_TIME)
    return out
