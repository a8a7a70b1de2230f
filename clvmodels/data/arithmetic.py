"""Arithmetic on columns in an engine, the same to the last digit however it is computed: sums, and elapsed time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from clvmodels.units import DAYS, Unit

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["elapsed", "rounded", "steady_sum"]

_DIGITS: Final = 12
_SMALLEST, _LARGEST = 1e-11, 1e34
"""Within these, the power of ten by which a number is rounded is exact as a floating-point number."""
_MICROSECONDS_A_DAY: Final = 86_400_000_000
_LEAST: Final = 1e-200
"""Sums that are smaller need not be told from zero."""
_BITS: Final = 51
"""Of a floating-point number, less two: one in hand as sizes are rounded, one as sums are of either sign."""


def rounded(column: ir.FloatingValue) -> ir.FloatingValue:
    """Return a column of sums rounded to 12 significant digits.

    A sum differs in its last digits with the order in which the threads of an engine added; rounded, it does not. As
    `clvmodels.numerics.rounding.significant_digits`; smaller and larger numbers stay as they are.
    """
    import ibis

    size = column.abs()
    number = ibis.ifelse((size >= _SMALLEST) & (size < _LARGEST), column, None)
    power = (_DIGITS - 1 - number.abs().log10().floor()).cast("float64")
    up, down = (ibis.literal(10.0) ** ibis.greatest(exponent, 0.0) for exponent in (power, -power))  # one of them is 1
    return ibis.coalesce((number * up / down + 0.5).floor().cast("float64") * down / up, column)


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
