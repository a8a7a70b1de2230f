"""What is no valuation is refused, with how one is made."""

from __future__ import annotations

from clvmodels.errors import AssumptionError
from clvmodels.valuation.book import Book

__all__ = ["require_book"]


def require_book(given: object) -> None:
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
    clvmodels.errors.AssumptionError: a valuation is wanted, got float; write clv.value(transactions, spend, rfm, ...)
    """
    if not isinstance(given, Book):
        raise AssumptionError(
            f"a valuation is wanted, got {type(given).__name__}; write clv.value(transactions, spend, rfm, assumptions)"
        )
