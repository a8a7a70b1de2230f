"""Numbers as a reader of a terminal wants them: rounded, grouped, with their unit."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["amount", "percent", "significant", "with_currency"]

_NOTHING: Final = "-"
"""Stands for a number that there is not."""

_ROUNDED_FROM: Final = 10_000
"""From here up, amounts are shown without decimals."""


def amount(number: float, *, digits: int | None = None) -> str:
    """Return an amount with its thousands grouped.

    Parameters
    ----------
    number
        The amount.
    digits
        Decimals; by default two for small amounts and none for large ones.

    Examples
    --------
    >>> amount(1_100_633.4), amount(46.7), amount(float("nan"))
    ('1,100,633', '46.70', '-')
    """
    if not math.isfinite(number):
        return _NOTHING
    digits = (0 if abs(number) >= _ROUNDED_FROM else 2) if digits is None else digits
    text = f"{number:,.{digits}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0.0 else text


def with_currency(number: float, currency: str, *, digits: int | None = None) -> str:
    """Return an amount with its currency, if it has one.

    Examples
    --------
    >>> with_currency(1_100_633.4, "USD")
    '1,100,633 USD'
    """
    return f"{amount(number, digits=digits)} {currency}".rstrip()


def percent(share: float, *, sign: bool = False) -> str:
    """Return a share in percent.

    Examples
    --------
    >>> percent(0.5051), percent(0.021, sign=True)
    ('50.5 %', '+2.1 %')
    """
    return f"{100 * share:{'+' if sign else ''},.1f} %" if math.isfinite(share) else _NOTHING


def significant(number: float, digits: int = 4) -> str:
    """Return a number with so many significant digits, without an exponent where it is of ordinary size.

    Examples
    --------
    >>> significant(0.55313), significant(11.669), significant(-250_000.0), significant(2e-7)
    ('0.5531', '11.67', '-250,000', '2e-07')
    """
    if not math.isfinite(number):
        return _NOTHING
    if number == 0.0:
        return "0"
    size = math.floor(math.log10(abs(number)))
    if not -digits <= size < 9:
        return f"{number:.{digits}g}"
    return f"{number:,.{max(digits - 1 - size, 0)}f}"
