"""The silent ones of the most valuable customers in the reader's words: what the page and the workbook share."""

from __future__ import annotations

from clvmodels.reporting.locale import Locale, digits_of
from clvmodels.valuation.book import Book
from clvmodels.valuation.silent import silent_best

__all__ = ["silent_text"]


def silent_text(book: Book, locale: Locale) -> str:
    """Return how many of the most valuable customers are silent, what they are worth and who; empty if none is.

    Examples
    --------
    >>> silent_text(book, Locale("en", ""))
    ''
    """
    silent = silent_best(book)
    if not silent.customer_id:
        return ""
    return locale.label("silent_best").format(
        best=silent.best,
        number=len(silent.customer_id),
        equity=locale.with_currency(silent.equity, digits_of(silent.equity)),
        names=", ".join(str(each) for each in silent.customer_id),
    )
