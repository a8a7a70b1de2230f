"""A valuation under every model that was fitted: in full under the chosen one, equity alone under the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from clvmodels.data.histories import Histories
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.reporting.fitting import same_as_first
from clvmodels.reporting.progress import Step
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.book import Book, value

__all__ = ["Candidate", "Group", "Valuation", "value_all"]

_TOP_SHARE: Final = 0.2


@dataclass(frozen=True)
class Candidate:
    """A model of transactions that was fitted, and the customer equity under it."""

    fit: TransactionFit
    equity: float


@dataclass(frozen=True)
class Group:
    """Some of the customers and what they are worth together."""

    name: str
    customers: int
    equity: float


@dataclass(frozen=True)
class Valuation:
    """A book and the choice behind it.

    Attributes
    ----------
    book
        The valuation under the model chosen.
    candidates
        All models fitted, the chosen one first.
    """

    book: Book
    candidates: tuple[Candidate, ...]

    @cached_property
    def same_models(self) -> tuple[str, ...]:
        """The names of the models that have become the same one as the chosen one at a boundary."""
        equity = {candidate.fit.model.name: candidate.equity for candidate in self.candidates}
        fits = [candidate.fit for candidate in self.candidates]
        return same_as_first(fits, lambda fit: equity[fit.model.name])

    @cached_property
    def model_risk(self) -> tuple[float, float] | None:
        """The lowest and the highest equity under the models not chosen, relative to the chosen one's, less 1.

        Models that have become the same as the chosen one do not count; None if there are no others, or equity is zero.
        """
        others = [
            candidate.equity for candidate in self.candidates[1:] if candidate.fit.model.name not in self.same_models
        ]
        if not others or self.book.equity == 0.0:
            return None
        relative = [equity / self.book.equity - 1.0 for equity in others]
        return min(relative), max(relative)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The customers who bought once only, and the most valuable fifth."""
        return (
            Group("bought once only", *self.book.bought_once()),
            Group(f"most valuable {100 * _TOP_SHARE:.0f} %", *self.book.most_valuable(_TOP_SHARE)),
        )

    @cached_property
    def unprofitable(self) -> Group:
        """The customers whose expected residual value is below zero."""
        return Group("unprofitable", *self.book.unprofitable())


def value_all(
    fits: Sequence[TransactionFit],
    spend: SpendFit,
    histories: Histories,
    assumptions: Assumptions,
    step: Step,
) -> Valuation:
    """Value the customers under each fit and keep the book of the first.

    Parameters
    ----------
    fits
        Fits of transactions, the chosen one first.
    spend
        The fit of spend that serves them all.
    histories, assumptions
        The customers and the assumptions.
    step
        Called as each valuation begins, with a message that names the model.
    """
    candidates = []
    for fit in reversed(fits):
        step(f"valuing under {fit.model.name}")
        book = value(fit, spend, histories, assumptions)
        candidates.append(Candidate(fit, book.equity))
    return Valuation(book, tuple(reversed(candidates)))
