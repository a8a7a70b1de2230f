"""What a contact must bring to pay, and after how much silence it no longer does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clvmodels.arguments import as_number
from clvmodels.data.histories import Histories
from clvmodels.errors import DataError, FitError
from clvmodels.valuation.book import Book
from clvmodels.valuation.lines import DiscountedDrivers, total

__all__ = ["break_even_uplift", "silence_to_stop"]

Array = NDArray[np.float64]


def break_even_uplift(book: Book, cost: float) -> Array:
    """Return the rise in the probability of an order, of a living customer, that pays for one contact, by customer.

    It is cost / (P(alive) times the contribution of an order); above one, no contact pays.

    Raises
    ------
    DataError
        If the cost is not positive.

    Examples
    --------
    >>> break_even_uplift(book, 0.05).round(4)
    array([0.0094, 0.0047, 0.0047])
    """
    _require_cost(cost)
    gain = book.alive * _per_order(book)
    with np.errstate(divide="ignore"):
        return np.asarray(np.where(gain > 0.0, cost / np.maximum(gain, 0.0), np.inf))


def silence_to_stop(book: Book, *, uplift: float, cost: float, longest: int = 520) -> Array:
    """Return after how many whole units of silence one more contact no longer pays, by customer.

    A contact brings uplift times P(alive) times the contribution of an order, which is that of today; P(alive) falls
    with each unit of time without an order after the last one.

    Parameters
    ----------
    book
        The valuation.
    uplift
        The rise in the probability of an order of a living customer, by one contact.
    cost
        Of a contact.
    longest
        Units of silence looked at; who still pays after as many is NaN.

    Raises
    ------
    DataError
        If uplift or cost is not positive.
    FitError
        If the fit is by segment, with covariates, a calendar or paths, or of several models.

    Examples
    --------
    >>> silence_to_stop(book, uplift=0.02, cost=0.05)
    array([55., nan, 40.])
    """
    _require_cost(cost)
    if not 0.0 < as_number(uplift) <= 1.0:
        raise DataError(f"uplift is a probability above 0, such as 0.02, got {uplift!r}")
    fit = book.transactions.best
    if len(book.transactions.fits) > 1 or fit.calendar is not None or fit.columns_of_parameters:
        raise FitError("the silence to stop at is defined for one fit with the same parameters for all customers")
    theta, model = fit.parameters(book.histories).estimate, fit.model
    histories: Histories = book.histories
    needed = np.divide(cost, uplift * _per_order(book))
    stop = np.full(len(histories), np.nan)
    for silent in range(longest + 1):
        p_alive = model.p_alive(theta, histories.frequency, histories.recency, histories.recency + silent)
        stop = np.where(np.isnan(stop) & (p_alive <= needed), float(silent), stop)
    return stop


def _per_order(book: Book) -> Array:
    """Return the contribution of one order now."""
    zeros, ones = np.zeros(len(book.order_value)), np.ones(len(book.order_value))
    return total(book.lines, DiscountedDrivers(D=ones, L=zeros, Z=book.order_value, G=ones, K=0.0))


def _require_cost(cost: object) -> None:
    if not 0.0 < as_number(cost) < np.inf:
        raise DataError(f"cost is money for one contact, a number above 0, got {cost!r}")
