"""The most valuable customers who have not bought for longer than nearly all of their waits take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.inference.parameters import columns_of
from clvmodels.models.silence import silence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clvmodels.data.histories import Histories
    from clvmodels.inference.model_average import Transactions
    from clvmodels.valuation.book import Book

__all__ = ["SilentBest", "silence_of", "silent_best"]

BEST: Final = 15
"""So many can be called one by one."""
UNLIKELY: Final = 0.05


@dataclass(frozen=True)
class SilentBest:
    """Those of the most valuable customers who are silent.

    Attributes
    ----------
    best
        How many of the most valuable customers were looked at.
    customer_id
        The silent ones among them, the most valuable first.
    equity
        What these are worth together, in money.
    """

    best: int
    customer_id: tuple[object, ...]
    equity: float


def silent_best(book: Book, best: int = BEST, unlikely: float = UNLIKELY) -> SilentBest:
    """Return which of the most valuable customers have been silent for longer than all but 5 % of their waits take.

    Parameters
    ----------
    book
        The valuation.
    best
        How many of the most valuable customers to look at.
    unlikely
        A customer is silent where a silence as long as theirs has at most this probability while they are a customer.

    Examples
    --------
    >>> silent_best(book).customer_id
    ()
    """
    order = np.argsort(-book.rlv, kind="stable")[:best]
    top = book.histories.select(np.asarray(book.histories.customer_id)[order])
    silent = silence_of(book.transactions, top) <= unlikely
    ids = tuple(np.asarray(top.customer_id)[silent].tolist())
    return SilentBest(len(order), ids, float(book.rlv[order][silent].sum()))


def silence_of(transactions: Transactions, histories: Histories) -> NDArray[np.float64]:
    """Return how probable the present silence of each customer is while they are one, shape (customers,).

    Examples
    --------
    >>> silence_of(transactions, rfm).round(2)
    array([0.65, 0.72, 0.9 ])
    """
    rows, everybody = slice(None), np.zeros(len(histories))
    for fit, weight in zip(transactions.of_customers(histories).fits, transactions.weights, strict=True):
        theta = fit.parameters(histories).point(rows)
        everybody += weight * silence(fit.model, theta, *columns_of(fit.model, histories))
    return everybody
