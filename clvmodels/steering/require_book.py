"""What a function of steering takes for a valuation."""

from __future__ import annotations

from clvmodels.arguments import abridged
from clvmodels.errors import AssumptionError
from clvmodels.valuation.book import Book

__all__ = ["require_book"]


def require_book(given: object, name: str = "book") -> None:
    """Refuse what is no valuation.

    Raises
    ------
    AssumptionError
        Which says how a valuation is made.

    Examples
    --------
    >>> require_book(1.0)
    Traceback (most recent call last):
        ...
    clvmodels.errors.AssumptionError: book is a valuation, clv.value(transactions, spend, rfm, assumptions), got 1.0
    """
    if not isinstance(given, Book):
        raise AssumptionError(
            f"{name} is a valuation, clv.value(transactions, spend, rfm, assumptions), got {abridged(given)}"
        )
