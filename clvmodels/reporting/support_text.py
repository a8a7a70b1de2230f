"""How far the data carry equity, and what it is under each model, in the reader's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clvmodels.inference.model_average import ModelAverage
from clvmodels.reporting.candidates import Candidate, equity_range, same_as_first
from clvmodels.reporting.labels import in_language
from clvmodels.reporting.locale import Locale, digits_of
from clvmodels.valuation.support_words import SENTENCES, Wording, span_in_words

if TYPE_CHECKING:
    from clvmodels.valuation.assumptions import Assumptions
    from clvmodels.valuation.book import Book
    from clvmodels.valuation.support import Support
    from clvmodels.valuation.uncertainty import Interval

__all__ = [
    "basis_text",
    "interval_label",
    "interval_text",
    "listed",
    "models_text",
    "names_text",
    "parts_of",
    "verdict_text",
    "whole_label",
]


def verdict_text(support: Support, locale: Locale) -> str:
    """Return the verdict and its reason as a sentence.

    Examples
    --------
    >>> verdict_text(book.support, Locale("de", "EUR")).partition(":")[0]  # of three customers
    'Nicht belastbar'
    """
    digits = digits_of(support.equity)
    words = Wording(
        {key: in_language(labels, locale.language) for key, labels in SENTENCES.items()},
        lambda amount: locale.with_currency(amount, digits),
        lambda share: locale.percent(share, 0),
        locale.duration,
    )
    return f"{locale.label(f'verdict_{support.verdict}')}: {support.reason_in(words)}."


def parts_of(support: Support, locale: Locale) -> dict[str, float]:
    """Return equity within the time observed, within twice that, and beyond the first, each under its name."""
    once, twice = (locale.duration(span_in_words(times * support.span)) for times in (1, 2))
    return {
        locale.label("within_span").format(once): support.within,
        locale.label("within_twice").format(twice): support.within_twice,
        locale.label("beyond_span").format(once): support.beyond,
    }


def whole_label(assumptions: Assumptions, locale: Locale) -> str:
    """Return what equity as a whole is called beside its parts."""
    if assumptions.horizon is None:
        return locale.label("all_of_it")
    return locale.label("all_until").format(locale.duration(assumptions.horizon))


def interval_label(interval: Interval, locale: Locale) -> str:
    """Return what an interval is called, with what it allows for."""
    covers = ", ".join(locale.label(f"covers_{what}") for what in interval.covers)
    return f"{locale.label('interval')} ({covers})"


def interval_text(interval: Interval, locale: Locale, digits: int) -> str:
    """Return the ends of an interval."""
    low, high = locale.money(interval.low, digits), locale.money(interval.high, digits)
    return locale.beside(locale.label("low_to_high").format(low, high))


def models_text(candidates: Sequence[Candidate], locale: Locale, digits: int) -> str:
    """Return between which ends equity lies under the models, each alone; empty if there are not several."""
    ends = equity_range(candidates)
    if ends is None:
        return ""
    if len(same_as_first(candidates)) == len(candidates) - 1:
        return locale.label("same_figure")
    return locale.beside(locale.label("low_to_high").format(*(locale.money(end, digits) for end in ends)))


def names_text(book: Book, locale: Locale) -> str:
    """Return which models a valuation rests on, those that are averaged in an order of their own."""
    transactions, spend = book.transactions, book.spend.model.name
    if len(transactions.fits) == 1:
        return f"{transactions.name}, {spend}"
    names = listed(sorted(fit.model.name for fit in transactions.fits), locale)
    return f"{locale.label('averaged').format(names)}; {spend}"


def basis_text(book: Book, locale: Locale) -> str:
    """Return what the weights of the models rest on; empty if there is one model."""
    transactions = book.transactions
    return locale.label(f"basis_{transactions.basis}") if isinstance(transactions, ModelAverage) else ""


def listed(names: Sequence[str], locale: Locale) -> str:
    """Return names as a list in words.

    Examples
    --------
    >>> listed(["A", "B", "C"], Locale("en", ""))
    'A, B and C'
    """
    *others, last = names
    return f"{', '.join(others)} {locale.label('and')} {last}" if others else last
