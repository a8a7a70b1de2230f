"""Logarithm and exponential for compiled loops.

A compiled loop calls the C library's for one number after another. These are arithmetic without branches, which the
compiler turns into instructions for several numbers at once; their series are summed in pairs (Estrin 1960), so that
no term waits for all others. Both are exact to an ulp or two (5e-16 relative).

Source: fdlibm (Sun Microsystems 1993) reduces the arguments and sums the series of log in f / (2 + f) like this; the
coefficients here are Taylor's.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any, Final, cast

from numba import njit, types
from numba.extending import intrinsic

__all__ = ["compiled", "exp", "expm1", "log", "log1p", "log_of_sum"]

LOG_2_HIGH: Final = float.fromhex("0x1.62e42fefa3800p-1")
LOG_2_LOW: Final = float.fromhex("0x1.ef35793c76730p-45")
"""log 2 in two parts, of which the first has so few digits that its multiples are exact."""
PER_LOG_2: Final = 1.0 / (LOG_2_HIGH + LOG_2_LOW)
MANTISSA: Final = 52
"""Bits."""
ROOT_BITS: Final = 0x3FE6A09E667F3BCD
"""Those of the root of 1/2."""
SHIFT: Final = 1.5 * 2.0**MANTISSA
"""Added to a number below 2^51 and taken away, it rounds it; in between, the last bits are the whole number."""
SHIFT_BITS: Final = 0x4338000000000000
BIAS: Final = 1023
"""Of the exponent in the bits of a number."""
SMALLEST: Final = 2.0**-1022
"""A smaller number has fewer digits, and zero none."""
LARGEST: Final = 708.0
"""exp of what lies beyond, up or down, is that of this: doubles end not far from there."""


def compiled[F: Callable[..., object]](*, reordered: bool = False) -> Callable[[F], F]:
    """Return a decorator that compiles a function when it is first called; it runs without the interpreter's lock.

    What has been compiled is kept on disk, beside the function's file or in the user's cache, if there is a place. A
    change of that file compiles it again; a change of another file, whose compiled functions it calls, does not.

    Parameters
    ----------
    reordered
        Whether sums may be taken in any order, which adds several terms at once.

    Examples
    --------
    >>> @compiled()
    ... def logistic(x):
    ...     return 1.0 / (1.0 + exp(-x))
    >>> logistic(0.0)
    0.5
    """
    compile_ = njit(nogil=True, error_model="numpy", fastmath={"contract", *(("reassoc", "nsz") if reordered else ())})

    def decorated(function: F) -> F:
        ready: Any = compile_(function)
        with contextlib.suppress(RuntimeError):  # there is no place
            ready.enable_caching()
        return cast("F", ready)

    return decorated


def _reinterpret(context: Any, builder: Any, signature: Any, values: Any) -> Any:  # noqa: ANN401 - the compiler's own
    return builder.bitcast(values[0], context.get_value_type(signature.return_type))


def _number_to_bits(_: object, number: object) -> object:  # noqa: ARG001 - the compiler asks for the type of a call
    return types.int64(types.float64), _reinterpret


def _bits_to_number(_: object, bits: object) -> object:  # noqa: ARG001
    return types.float64(types.int64), _reinterpret


_bits = cast("Callable[[float], int]", intrinsic(_number_to_bits))
_number = cast("Callable[[int], float]", intrinsic(_bits_to_number))


@compiled()
def log(x: float) -> float:
    """Return the logarithm; -inf or NaN of what is no number between 2^-1022 and infinity.

    x = 2^k (1 + f) with 1 + f between the roots of 1/2 and 2, and log(1 + f) = 2 artanh(s) with s = f / (2 + f), which
    is f - s (f - 2 series).
    """
    bits = _bits(x)
    exponent = (bits - ROOT_BITS) >> MANTISSA
    f = _number(bits - (exponent << MANTISSA)) - 1.0
    k = _number(exponent + SHIFT_BITS) - SHIFT
    s = f / (2.0 + f)
    z = s * s
    z2 = z * z
    z4 = z2 * z2
    low = 1 / 3 + z * (1 / 5) + z2 * (1 / 7 + z * (1 / 9))
    high = 1 / 11 + z * (1 / 13) + z2 * (1 / 15 + z * (1 / 17)) + z4 * (1 / 19 + z * (1 / 21))
    series = z * (low + z4 * high)
    value = k * LOG_2_HIGH + (f - (s * (f - 2.0 * series) - k * LOG_2_LOW))
    return value if SMALLEST <= x < math.inf else x - math.inf


@compiled()
def log1p(x: float) -> float:
    """Return log(1 + x) for x >= 0, also where 1 + x has lost digits of x."""
    more = 1.0 + x
    return log_of_sum(x, more, 1.0 / more)


@compiled()
def log_of_sum(x: float, more: float, per_more: float) -> float:
    """Return log(1 + x) for x >= 0, given 1 + x as it was rounded, and its reciprocal."""
    return log(more) + (x - (more - 1.0)) * per_more


@compiled()
def exp(x: float) -> float:
    """Return the exponential; of what is beyond +-708, that of +-708.

    x = k log 2 + f with f between -log(2)/2 and log(2)/2.
    """
    p, power = _reduced(x)
    return power + power * p


@compiled()
def expm1(x: float) -> float:
    """Return exp(x) - 1 for x >= 0, also where it is small; of what is beyond 708, that of 708."""
    p, power = _reduced(x)
    return power * p + (power - 1.0)


@compiled()
def _reduced(x: float) -> tuple[float, float]:
    """Return exp(f) - 1 and 2^k for x = k log 2 + f."""
    x = min(x, LARGEST)
    x = max(x, -LARGEST)
    shifted = x * PER_LOG_2 + SHIFT
    k = shifted - SHIFT
    f = (x - k * LOG_2_HIGH) - k * LOG_2_LOW
    f2 = f * f
    f4 = f2 * f2
    low = f + f2 * (1 / 2 + f * (1 / 6))
    middle = 1 / 24 + f * (1 / 120) + f2 * (1 / 720 + f * (1 / 5040))
    high = 1 / 40320 + f * (1 / 362880) + f2 * (1 / 3628800 + f * (1 / 39916800))
    high += f4 * (1 / 479001600 + f * (1 / 6227020800))
    return low + f4 * (middle + f4 * high), _number((_bits(shifted) + (BIAS - SHIFT_BITS)) << MANTISSA)
