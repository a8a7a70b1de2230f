"""What has to be known to read a figure: how its fits ended, and whether the models still differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from clvmodels.reporting.fitting import warning_of
from clvmodels.reporting.locale import Locale

if TYPE_CHECKING:
    from clvmodels.inference.fit import Fit
    from clvmodels.reporting.content import EquityReport
    from clvmodels.reporting.valuation import Valuation
    from clvmodels.valuation.book import Book

__all__ = ["headline_remarks", "other_notes", "valuation_remarks"]

_CLEAN = ("given", "converged")


def headline_remarks(report: EquityReport, locale: Locale) -> tuple[str, ...]:
    """Return what stands below the equity of a report; empty if fits and intervals are as they should be."""
    return tuple(_remarks(report.book, locale, same=report.same_models, without_intervals=report.intervals_wanted))


def valuation_remarks(valuation: Valuation, locale: Locale) -> tuple[str, ...]:
    """Return the same of a valuation, which never has intervals."""
    return tuple(_remarks(valuation.book, locale, same=valuation.same_models, without_intervals=False))


def other_notes(valuation: Valuation, notes: Sequence[str]) -> list[str]:
    """Return the notes on a valuation, except what `valuation_remarks` says about the same fits or the same model."""
    same = valuation.same_models
    fits: list[Fit] = [valuation.book.spend, *valuation.book.transactions.fits]
    fits += [candidate.fit for candidate in valuation.candidates if candidate.fit.model.name in same]
    shown = {warning_of(fit) for fit in fits}
    return [note for note in notes if note not in shown]


def _remarks(book: Book, locale: Locale, *, same: Sequence[str], without_intervals: bool) -> Iterator[str]:
    troubled = [fit for fit in (*book.transactions.fits, book.spend) if fit.diagnostics.status not in _CLEAN]
    if troubled and without_intervals and not book.has_draws:
        yield locale.label("no_intervals").format(_listed([fit.model.name for fit in troubled], locale))
    for fit in troubled:
        yield warning_of(fit)
    if same:
        yield locale.label("same_models").format(_listed([book.transactions.best.name, *same], locale))


def _listed(names: Sequence[str], locale: Locale) -> str:
    """Return names as a list in words.

    Examples
    --------
    >>> _listed(["A", "B", "C"], Locale("en", ""))
    'A, B and C'
    """
    *others, last = names
    return f"{', '.join(others)} {locale.label('and')} {last}" if others else last
