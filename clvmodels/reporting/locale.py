"""Words and numbers in the reader's language; the script of the page writes them alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Self

from clvmodels.reporting.labels import Language, in_language, label
from clvmodels.units import read_duration
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.line_table import Labels

__all__ = ["NBSP", "Locale", "digits_of"]

NBSP: Final = "\N{NO-BREAK SPACE}"
_NOTHING: Final = "–"
_ROUNDED_FROM: Final = 10_000
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_GERMAN: Final = str.maketrans(",.", ".,")


@dataclass(frozen=True)
class Locale:
    """How a report speaks.

    Attributes
    ----------
    language
        Of its labels and numbers.
    currency
        Beside amounts.
    own
        What lines of the user's own are called, by name.
    """

    language: Language
    currency: str
    own: Mapping[str, Labels] = field(default_factory=dict)

    @classmethod
    def of(cls, assumptions: Assumptions, language: Language) -> Self:
        """Return how a report of a valuation speaks."""
        return cls(language, assumptions.currency, {line.name: line.bounds.labels for line in assumptions.lines})

    def label(self, key: str) -> str:
        """Return what a thing is called."""
        return label(key, self.language)

    def named(self, key: str) -> str:
        """Return what a line, a rate or a column of their tables is called: one of the user's own as they call it.

        Examples
        --------
        >>> locale = Locale("de", "EUR", {"gift": ("Gifts", "Geschenke")})
        >>> locale.named("gift"), locale.named("order_cost")
        ('Geschenke', 'Auftragsabwicklung')
        """
        return label(key, self.language) if key not in self.own else in_language(self.own[key], self.language)

    def item(self, key: str) -> str:
        """Return what an item of a reconciliation is called; what was left out has its reason after a colon.

        Examples
        --------
        >>> Locale("de", "").item("left out: without time"), Locale("de", "").item("ledger")
        ('Nicht enthalten: ohne Zeitpunkt', 'Hauptbuch')
        """
        _, colon, reason = key.partition(": ")
        return self.label("left_out").format(self.label(reason)) if colon else self.label(key)

    def number(self, value: float, digits: int = 0, *, sign: bool = False) -> str:
        """Return a number with its thousands grouped; with its sign, if asked for, unless it is rounded to zero.

        Examples
        --------
        >>> Locale("de", "EUR").number(-1234.5, 2), Locale("en", "EUR").number(0.001, 2, sign=True)
        ('-1.234,50', '0.00')
        """
        if not math.isfinite(value):
            return _NOTHING
        text = f"{value:{'+' if sign else ''},.{digits}f}"
        if not text.strip("+-0.,"):
            text = text.lstrip("+-")
        return text.translate(_GERMAN) if self.language == "de" else text

    def percent(self, share: float, digits: int = 1, *, sign: bool = False) -> str:
        """Return a share in percent.

        Examples
        --------
        >>> Locale("de", "").percent(0.1234).replace(NBSP, " ")
        '12,3 %'
        """
        return f"{self.number(100.0 * share, digits, sign=sign)}{NBSP}%" if math.isfinite(share) else _NOTHING

    def money(self, value: float, digits: int | None = None, *, sign: bool = False) -> str:
        """Return an amount of money, small ones with two decimals, without its currency."""
        return self.number(value, digits_of(value) if digits is None else digits, sign=sign)

    def with_currency(self, value: float, digits: int | None = None, *, sign: bool = False) -> str:
        """Return an amount of money with its currency, if it has one."""
        return self.beside(self.money(value, digits, sign=sign))

    def beside(self, amount: str) -> str:
        """Return a written amount with its currency, if it has one."""
        return f"{amount}{NBSP}{self.currency}" if self.currency else amount

    def significant(self, value: float, digits: int = 4) -> str:
        """Return a number with at least so many significant digits.

        Examples
        --------
        >>> Locale("en", "").significant(1.5), Locale("en", "").significant(12345.6)
        ('1.500', '12,346')
        """
        if value == 0.0 or not math.isfinite(value):
            return self.number(value)
        return self.number(value, max(digits - 1 - math.floor(math.log10(abs(value))), 0))

    def plain(self, value: float, fewest: int = 0) -> str:
        """Return a number with the decimals it has, `fewest` at least, up to ten significant digits.

        Examples
        --------
        >>> Locale("en", "").plain(0.0125), Locale("en", "").plain(1.5, fewest=2)
        ('0.0125', '1.50')
        """
        _, _, decimals = f"{value:.10g}".partition(".")
        return self.number(value, 10 if "e" in decimals else max(len(decimals), fewest))

    def duration(self, text: str) -> str:
        """Return a duration as it is written in the language.

        Examples
        --------
        >>> Locale("de", "").duration("1 year"), Locale("de", "").duration("365.25 days")
        ('1 Jahr', '365,25 Tage')
        """
        value, unit = read_duration(text, "year")
        return self.label(f"duration_{unit}" if value == 1.0 else f"duration_{unit}s").format(self.plain(value))

    def day(self, iso: str) -> str:
        """Return a day as it is written in the language.

        Examples
        --------
        >>> Locale("en", "").day("1998-06-30"), Locale("de", "").day("1998-06-30")
        ('30 June 1998', '30.06.1998')
        """
        return "" if not iso else _day(date.fromisoformat(iso[:10]), self.language)


def _day(day: date, language: Language) -> str:
    if language == "de":
        return f"{day:%d.%m.%Y}"
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def digits_of(*values: float) -> int:
    """Return the decimals of amounts that stand together: two, or none if one of them is large."""
    return 0 if any(abs(value) >= _ROUNDED_FROM for value in values if math.isfinite(value)) else 2
