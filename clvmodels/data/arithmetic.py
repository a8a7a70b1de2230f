"""Arithmetic on columns in an engine, the same to the last digit however it is computed: sums, and elapsed time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from clvmodels.units import DAYS, Unit

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["elapsed", "rounded", "steady_sum"]

_DIGITS: Final = 12
_SMALLEST, _LARGEST = 1e-11, 1e15
"""Within these, the power of ten by which a number is rounded is exact, and a unit more than a rounding error."""
_MICROSECONDS_A_DAY: Final = 86_400_000_000
_LEAST: Final = 1e-200
"""Smaller sums need not be distinguished from zero."""
_BITS: Final = 51
"""Of a floating-point number, less two: one in hand as sizes are rounded, one as sums are of either sign."""


def rounded(column: ir.FloatingValue, *, size: ir.FloatingValue | None = None) -> ir.FloatingValue:
    """Return a column of sums rounded to 12 significant digits, or to whole numbers if these are more than 12 digits.

    A sum differs in its last digits with the order in which the threads of an engine added; rounded, it does not. As
    `clvmodels.numerics.rounding.significant_digits` up to 1e12; numbers below 1e-11 or from 1e15 on stay as they are.

    Parameters
    ----------
    column
        The sums.
    size
        Sums that are no smaller, such as totals of which `column` is a part: their last digit is rounded to. The powers
        of ten, which take longest, are then computed once for both.
    """
    import ibis

    size = (column if size is None else size).abs()
    usual = (size >= _SMALLEST) & (size < _LARGEST)
    number, size = ibis.ifelse(usual, column, None), ibis.ifelse(usual, size, None)
    scale = ibis.literal(10.0) ** ibis.greatest(_DIGITS - 1 - size.log10().floor(), 0).cast("float64")
    return ibis.coalesce((number * scale + 0.5).floor().cast("float64") / scale, column)


def steady_sum(column: ir.FloatingValue, *, size: float, rows: int) -> ir.FloatingScalar:
    """Return a sum that does not depend on the order in which the threads of an engine add.

    Each number is split into a multiple of a quantum so coarse that all sums of such multiples are exact, and a rest,
    of which the same is done with a finer quantum. Source: Demmel & Nguyen (2013), "Fast reproducible floating-point
    summation", 21st IEEE Symposium on Computer Arithmetic.

    Parameters
    ----------
    column
        Numbers; NULL is left out.
    size
        At least the sum of their absolute values over all groups, to within a percent.
    rows
        At least how many they are.
    """
    quantum = 2.0 ** (math.ceil(math.log2(max(size, _LEAST))) - _BITS)
    coarse = _multiples(column, quantum)
    fine = _multiples(column - coarse, quantum * 2.0 ** (rows.bit_length() - _BITS))
    return coarse.sum() + fine.sum()


def _multiples(column: ir.FloatingValue, quantum: float) -> ir.FloatingValue:
    """Return the largest multiples of a power of two at or below numbers."""
    return (column / quantum).floor().cast("float64") * quantum


def elapsed(
    start: ir.TimestampValue | ir.DateValue, end: ir.TimestampValue | ir.DateValue, unit: Unit
) -> ir.FloatingValue:
    """Return the time between two dates in a unit; where they are days, engines count these."""
    if start.type().is_date():
        microseconds = end.delta(start, unit="day") * _MICROSECONDS_A_DAY
    else:
        microseconds = end.delta(start, unit="microsecond")
    return microseconds.cast("float64") / (_MICROSECONDS_A_DAY * DAYS[unit])
