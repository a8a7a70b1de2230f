"""Numbers and assumptions as a reader wants them: rounded, grouped, with their unit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields
from typing import Final

from clvmodels.valuation.assumptions import RATES, Assumptions, Bounds
from clvmodels.valuation.rates import ByColumn, BySegment, Rate

__all__ = ["amount", "assumptions_in_words", "percent", "significant", "with_currency"]

_NOTHING: Final = "-"
"""Stands for a number that there is not."""

_ROUNDED_FROM: Final = 10_000
"""From here up, amounts are shown without decimals."""

_DEFAULTS: Final = {field.name: field.default for field in fields(Assumptions)}

_TIMINGS: Final = {
    "continuous": "continuous",
    "mid-month": "at the middle of each month",
    "end-month": "at the end of each month",
    "mid-year": "at the middle of each year",
    "end-year": "at the end of each year",
}


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


def assumptions_in_words(terms: Assumptions) -> Iterator[tuple[str, str]]:
    """Yield the name and the words of every assumption that counts.

    Examples
    --------
    >>> from clvmodels.valuation.assumptions import Assumptions
    >>> dict(assumptions_in_words(Assumptions(discount_rate=0.15, margin=0.3)))["margin"]
    '30 % of sales'
    """
    rates = ", ".join(f"{100 * rate:g} %" for rate in terms.discount_rates)
    after = " (the last for all years after)" if len(terms.discount_rates) > 1 else ""
    yield "discount rate", f"{rates} a year{after}, effective, {_TIMINGS[terms.timing]}"
    yield "year", terms.year
    yield "horizon", "none: value is counted for ever" if terms.horizon is None else terms.horizon
    for name, bounds in RATES.items():
        rate = getattr(terms, name)
        if rate != _DEFAULTS[name] or name == "margin":
            yield name.replace("_", " "), _rate_in_words(rate, terms.currency, bounds)
    for name in ("growth", "tax"):
        if getattr(terms, name):
            yield name, percent(getattr(terms, name))


def _rate_in_words(rate: Rate, currency: str, bounds: Bounds) -> str:
    """Return a rate with what it is about, one for all or by segment or column."""
    if isinstance(rate, ByColumn):
        times = "" if rate.factor == 1.0 else f" times {rate.factor:g}"
        return f"by customer, column {rate.column}{times}"
    if isinstance(rate, BySegment):
        each = ", ".join(f"{name} {_rate_in_words(one, currency, bounds)}" for name, one in rate.rates.items())
        return f"by {rate.by}: {each}"
    what = bounds.meaning.split(";")[0]
    if what.startswith("money "):
        return f"{with_currency(rate, currency)} {what.removeprefix('money ')}"
    if bounds.high == 1.0:
        return f"{100 * rate:g} %{' of sales' * ('of sales' in what)}"
    return f"{rate:g} {what.removeprefix('a number ')}"
