"""A valuation under all models that were fitted: in full under their average, equity alone under each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from clvmodels.data.histories import Histories
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.reporting.candidates import Candidate, candidates_of
from clvmodels.reporting.progress import Step
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.book import Book, value
from clvmodels.valuation.support import Support

__all__ = ["Group", "Valuation", "value_all"]

_TOP_SHARE: Final = 0.2


@dataclass(frozen=True)
class Group:
    """Some of the customers and what they are worth together."""

    name: str
    customers: int
    equity: float


@dataclass(frozen=True)
class Valuation:
    """A book and the models behind it.

    Attributes
    ----------
    book
        The valuation under one model, or several averaged.
    candidates
        The models, that with the largest weight first.
    """

    book: Book
    candidates: tuple[Candidate, ...]

    @property
    def support(self) -> Support | None:
        """How far the data carry equity; None without draws."""
        return self.book.support if self.book.has_draws else None

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
    """Value the customers under the fits averaged, and under each of them alone.

    Parameters
    ----------
    fits
        Fits of transactions.
    spend
        The fit of spend that serves them all.
    histories, assumptions
        The customers and the assumptions.
    step
        Called as each valuation begins, with a message that says which.
    """
    step("valuing")
    book = value(fits, spend, histories, assumptions)
    return Valuation(book, candidates_of(book))
