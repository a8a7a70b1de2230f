"""The models that a valuation rests on: how much each counts, and what the customers are worth under it alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose
from typing import Final

from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.valuation.book import Book

__all__ = ["Candidate", "candidates_of", "equity_range", "same_as_first"]

_SAME_FIGURE: Final = 0.01
_SAME_LIKELIHOOD: Final = 1.0
"""Models have become the same if their equities differ by no more, relatively, and their log-likelihoods by no more."""


@dataclass(frozen=True)
class Candidate:
    """A model of transactions that was fitted.

    Attributes
    ----------
    fit
        Its fit.
    equity
        Customer equity under it alone.
    weight
        How much it counts in the average.
    """

    fit: TransactionFit
    equity: float
    weight: float


def candidates_of(book: Book) -> tuple[Candidate, ...]:
    """Return the models of a book, that with the largest weight first."""
    transactions = book.transactions
    return tuple(
        Candidate(fit, alone.equity, weight)
        for fit, alone, weight in zip(transactions.fits, book.by_model, transactions.weights, strict=True)
    )


def same_as_first(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """Return the names of the models that have become the same one as the first; itself excluded.

    Where nobody is seen to leave, models that differ in how customers leave have nothing to differ in. That they agree
    is then no sign of certainty.
    """
    return tuple(
        other.fit.model.name
        for other in candidates[1:]
        if abs(other.fit.log_likelihood - candidates[0].fit.log_likelihood) <= _SAME_LIKELIHOOD
        and isclose(other.equity, candidates[0].equity, rel_tol=_SAME_FIGURE)
    )


def equity_range(candidates: Sequence[Candidate]) -> tuple[float, float] | None:
    """Return the lowest and the highest equity under the models, each alone; None if there are not several."""
    if len(candidates) < 2:
        return None
    equities = [candidate.equity for candidate in candidates]
    return min(equities), max(equities)
