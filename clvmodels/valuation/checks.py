"""What the functions of this layer ask of the numbers they are given."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clvmodels.arguments import abridged, as_number
from clvmodels.errors import AssumptionError, DataError, UnitError
from clvmodels.units import duration

__all__ = [
    "LARGEST_AMOUNT",
    "SMALLEST_RATE",
    "days_of",
    "require_amount",
    "require_finite",
    "require_longer_than_zero",
    "require_number",
]

LARGEST_AMOUNT: Final = 1e15
"""What no amount of money and no number of customers or events exceeds; products of a few of them stay finite."""
SMALLEST_RATE: Final = 1e-12
"""A rate below this is no rate: what it discounts lies a million million periods away."""


def require_number(
    name: str, value: object, meaning: str, *, low: float = -math.inf, high: float = math.inf, above: bool = False
) -> None:
    """Refuse what is no finite number from `low` to `high`; with `above`, `low` itself is refused too.

    Raises
    ------
    AssumptionError
        With the range and the `meaning` of the number.

    Examples
    --------
    >>> require_number("tax", 38, "a share; 38 % is 0.38", low=0.0, high=1.0)
    Traceback (most recent call last):
    ...
    clvmodels.errors.AssumptionError: tax must be a number from 0 to 1 (a share; 38 % is 0.38), got 38
    """
    number = as_number(value)
    if math.isfinite(number) and low <= number <= high and not (above and number == low):
        return
    bounds = "" if low == -math.inf else f" {'above' if above else 'from'} {low:g}"
    bounds += f" to {high:g}" if high < math.inf else " up" if bounds and not above else ""
    raise AssumptionError(f"{name} must be a number{bounds} ({meaning}), got {abridged(value)}")


def require_amount(name: str, value: object, meaning: str) -> None:
    """Refuse a number that is larger than `LARGEST_AMOUNT`, whatever its sign, so that no sum overflows.

    Raises
    ------
    AssumptionError
        With what to do.

    Examples
    --------
    >>> require_amount("payment", 1e16, "net money a period")
    Traceback (most recent call last):
    ...
    clvmodels.errors.AssumptionError: payment is at most 1e+15 (net money a period), got 1e+16; count in a larger unit
    """
    if isinstance(value, int | float) and abs(value) > LARGEST_AMOUNT:
        raise AssumptionError(
            f"{name} is at most {LARGEST_AMOUNT:g} ({meaning}), got {value:.6g}; count in a larger unit"
        )


def require_finite(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return the values as an array; refuse what is no row of finite numbers.

    Raises
    ------
    DataError
        If there are no values, they do not form one row, or one of them is missing or infinite.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{name} must be a row of numbers, got {abridged(values)}") from error
    if array.ndim != 1 or array.size == 0:
        raise DataError(f"{name} must be a row of numbers, one for each, got an array of shape {array.shape}")
    bad = np.count_nonzero(~np.isfinite(array))
    if bad:
        first = int(np.flatnonzero(~np.isfinite(array))[0])
        raise DataError(
            f"{name} must be finite numbers: {bad:,} of {array.size:,} are not, the first at position {first} "
            f"({array[first]}); drop them or fill them in"
        )
    return array


def require_longer_than_zero(name: str, days: float, value: object) -> None:
    """Refuse a duration of no length."""
    if days == 0.0:
        raise AssumptionError(f"{name} must be longer than zero, got {value!r}")


def days_of(name: str, value: object) -> float:
    """Return a duration that is written with its unit, in days."""
    if not isinstance(value, str):
        raise AssumptionError(f'{name} is a duration with its unit, such as "52 weeks", got {abridged(value)}')
    try:
        return duration(value, "day")
    except UnitError as error:
        raise AssumptionError(f"{name}: {error}") from error
