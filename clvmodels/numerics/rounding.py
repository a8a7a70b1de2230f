"""Numbers rounded to so many significant digits."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["significant_digits"]

_POWERS = 10.0 ** np.arange(23)
"""Powers of ten that are exact as floating-point numbers."""


def significant_digits(values: ArrayLike, digits: int = 12) -> NDArray[np.float64]:
    """Return numbers rounded to significant digits: the floating-point numbers nearest to the decimals.

    Sums of the same numbers in another order differ in their last digits, by 1e-16 of themselves; rounded, they are
    equal. NaN, infinities and numbers so small or large that the power of ten is not exact stay as they are.

    Examples
    --------
    >>> significant_digits([0.1 + 0.2, 37.14499999999999, float("nan")])
    array([ 0.3  , 37.145,    nan])
    """
    array = np.array(values, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        power = digits - 1.0 - np.floor(np.log10(np.abs(array)))
    good = np.abs(power) < len(_POWERS)
    whole = np.where(good, np.abs(power), 0.0).astype(np.int64)
    scale = _POWERS[whole]
    up = np.rint(array * scale) / scale
    down = np.rint(array / scale) * scale
    return np.where(good, np.where(power >= 0.0, up, down), array)
