"""How a report says how far the data carry customer equity: a sentence for each leg of the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from clvmodels.units import DAYS
from clvmodels.valuation.line_table import Labels

__all__ = ["SENTENCES", "Wording", "span_in_words"]

SENTENCES: Final[Mapping[str, Labels]] = {
    "none": (
        (
            "{within} of {equity} within the {span} observed, and the 90 % interval of the whole, {low} to {high}, is "
            "narrow"
        ),
        (
            "{within} von {equity} liegen innerhalb der Beobachtung ({span}), und das 90-%-Intervall des Ganzen, {low} "
            "bis {high}, ist eng"
        ),
    ),
    "beyond": (
        "{beyond} ({share}) comes after the {span} observed, and rests on customers leaving then as they do now",
        (
            "{beyond} ({share}) liegen jenseits der Beobachtung ({span}) und beruhen darauf, dass Kunden dann so "
            "abwandern wie jetzt"
        ),
    ),
    "boundary": (
        "nobody is seen to leave, and {beyond} ({share}) comes after the {span} observed",
        "Niemand ist erkennbar abgewandert, und {beyond} ({share}) liegen jenseits der Beobachtung ({span})",
    ),
    "width": (
        "the 90 % interval of the whole reaches from {low} to {high}; {within} of {equity} within the {span} observed",
        (
            "Das 90-%-Intervall des Ganzen reicht von {low} bis {high}; {within} von {equity} liegen innerhalb der "
            "Beobachtung ({span})"
        ),
    ),
    "span": (
        "customers were observed for {span} only, and {beyond} ({share}) comes after the {span} observed",
        "Kunden wurden nur {span} beobachtet, und {beyond} ({share}) liegen jenseits davon",
    ),
    "prior": (
        "; the part beyond rests on the prior",
        "; der Teil jenseits der Beobachtung beruht auf der A-priori-Annahme",
    ),
    "purchases_above": (
        "; in the last third held back, purchases were {} above the forecast",
        "; im zurückgehaltenen letzten Drittel lagen die Käufe {} über der Prognose",
    ),
    "purchases_below": (
        "; in the last third held back, purchases were {} below the forecast",
        "; im zurückgehaltenen letzten Drittel lagen die Käufe {} unter der Prognose",
    ),
    "revenue_above": (
        "; in the last third held back, revenue was {} above the forecast",
        "; im zurückgehaltenen letzten Drittel lag der Umsatz {} über der Prognose",
    ),
    "revenue_below": (
        "; in the last third held back, revenue was {} below the forecast",
        "; im zurückgehaltenen letzten Drittel lag der Umsatz {} unter der Prognose",
    ),
}
"""By leg of the verdict, and what is added to it: English, German."""


@dataclass(frozen=True)
class Wording:
    """How a language says it.

    Attributes
    ----------
    sentences
        Those of `SENTENCES` in the language.
    money, share, duration
        Return an amount, a share and a duration such as ``39 weeks`` as they are written.
    """

    sentences: Mapping[str, str]
    money: Callable[[float], str]
    share: Callable[[float], str]
    duration: Callable[[str], str]


def span_in_words(years: float) -> str:
    """Return a time that customers were observed as a duration that is easy to read.

    Examples
    --------
    >>> span_in_words(2.5), span_in_words(0.75), span_in_words(0.019)
    ('2.5 years', '39 weeks', '7 days')
    """
    if years >= 2.0:
        return f"{years:.1f} years"
    weeks = years * DAYS["year"] / DAYS["week"]
    number, unit = (round(weeks), "week") if weeks >= 2.0 else (max(round(years * DAYS["year"]), 1), "day")
    return f"{number} {unit}{'s' if number != 1 else ''}"
