"""What has to be known to read a figure: how its fits ended, and whether the models still differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from clvmodels.reporting.candidates import Candidate, same_as_first
from clvmodels.reporting.fit_text import fit_remark
from clvmodels.reporting.fitting import warning_of
from clvmodels.reporting.locale import Locale
from clvmodels.reporting.support_text import listed

if TYPE_CHECKING:
    from clvmodels.reporting.valuation import Valuation
    from clvmodels.valuation.book import Book

__all__ = ["CLEAN", "headline_remarks", "other_notes"]

CLEAN: Final = ("given", "converged")
"""How a fit ends of which there is nothing to say."""


def headline_remarks(book: Book, candidates: Sequence[Candidate], locale: Locale) -> tuple[str, ...]:
    """Return what stands below an equity; empty if fits are as they should be, and the models differ."""
    return tuple(_remarks(book, candidates, locale))


def other_notes(valuation: Valuation, notes: Sequence[str]) -> list[str]:
    """Return the notes on a valuation, except what `headline_remarks` says about its fits."""
    book = valuation.book
    shown = {warning_of(fit) for fit in (*book.transactions.fits, book.spend)}
    return [note for note in notes if note not in shown]


def _remarks(book: Book, candidates: Sequence[Candidate], locale: Locale) -> Iterator[str]:
    for fit in (*book.transactions.fits, book.spend):
        if fit.diagnostics.status not in CLEAN:
            yield fit_remark(fit, locale)
    same = same_as_first(candidates)
    if same:
        yield locale.label("same_models").format(listed([candidates[0].fit.model.name, *same], locale))
