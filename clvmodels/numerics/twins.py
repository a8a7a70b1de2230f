"""When compiled twins of functions are used: where there are many rows.

Loading the compiler takes half a second of a process, and compiling for the first time on a machine a few more. Many
rows repay it. It depends on nothing but their number, so that the same data give the same digits whatever has been run
before; a twin whose results have the same bits may wait until the compiler is there anyway.
"""

from __future__ import annotations

import sys
from typing import Final

__all__ = ["MANY", "at_hand"]

MANY: Final = 1 << 17
"""Rows (distinct histories, where it is these that count)."""


def at_hand(rows: int) -> bool:
    """Whether twins of the same bits are used: for many rows, when the compiler has been loaded by something else.

    Examples
    --------
    >>> at_hand(1_000)
    False
    """
    return rows >= MANY and "numba" in sys.modules
