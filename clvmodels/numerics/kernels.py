"""When compiled forms of functions are used: where there are many rows.

Loading the compiler takes half a second of a process, and compiling for the first time on a machine a few more, which
few rows never repay. Where digits differ, it depends on nothing but the number of rows, so that the same data give the
same digits whatever has been run before; a form whose results have the same bits waits until the compiler is there.
"""

from __future__ import annotations

import sys
from typing import Final

__all__ = ["MANY", "MANY_LAWS", "at_hand"]

MANY: Final = 1 << 17
"""Rows (distinct histories, where it is these that count)."""
MANY_LAWS: Final = 1 << 13
"""Laws of the future, each of them integrated over time; compiled, this many take some hundredths of a second and not
some tenths, which is what loading the compiler takes."""


def at_hand(rows: int) -> bool:
    """Whether compiled forms of the same bits are used: for many rows, when the compiler has been loaded anyway.

    Examples
    --------
    >>> at_hand(1_000)
    False
    """
    return rows >= MANY and "numba" in sys.modules
