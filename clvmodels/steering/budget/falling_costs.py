"""The cost of orders that falls with the tenure of a customer, who learns and needs less help."""

from __future__ import annotations

from dataclasses import replace
from math import log

import numpy as np
from numpy.typing import NDArray

from clvmodels.arguments import as_number
from clvmodels.errors import AssumptionError
from clvmodels.numerics.quadrature import Weighting
from clvmodels.units import Duration, duration
from clvmodels.valuation.book import Book
from clvmodels.valuation.discounting import discounting
from clvmodels.valuation.residual_expectations import ahead

__all__ = ["cost_of_orders"]

Array = NDArray[np.float64]


def cost_of_orders(book: Book, *, first: float, last: float, half_life: Duration) -> Array:
    """Return the present value of the cost of future orders, by customer, where it falls with tenure.

    An order at age t costs last + (first - last) exp(-k t), with k = log(2) / half_life. The first part is a cost per
    order, with discounted orders D; the second has the factor exp(-k T) today, and its orders are discounted at
    delta + k.

    Parameters
    ----------
    book
        The valuation.
    first, last
        Money per order of a customer just acquired, and of one who has been there for long.
    half_life
        The time in which the difference halves.

    Returns
    -------
    ndarray
        Shape (customers,).

    Raises
    ------
    AssumptionError
        If a cost is negative or no number, or the half-life is zero.
    UnitError
        If the half-life cannot be read.

    Examples
    --------
    >>> bool((cost_of_orders(book, first=4.0, last=1.5, half_life="52 weeks") > 1.5 * book.future.D).all())
    True
    """
    for name, cost in (("first", first), ("last", last)):
        if not 0.0 <= as_number(cost) < np.inf:
            raise AssumptionError(f"{name} is money per order, a number from 0 up, got {cost!r}")
    rows, unit = book.each, book.histories.unit
    time = duration(half_life, unit)
    if time == 0.0:
        raise AssumptionError("half_life is a time longer than zero")
    k = log(2.0) / time
    whole = discounting(rows.assumptions, unit)
    coming = ahead(rows.transactions, rows.histories, [whole, _falling(whole, k)], rows.assumptions.year_in(unit))
    D, D_k = coming.purchases[coming.index].T
    return np.asarray(last * D + (first - last) * np.exp(-k * rows.histories.T) * D_k)


def _falling(weighting: Weighting, k: float) -> Weighting:
    """Return a factor times exp(-k t)."""
    return replace(
        weighting,
        factor=lambda time: weighting.factor(time) * np.exp(-k * time),
        smooth_over=1.0 / (1.0 / weighting.smooth_over + k / 2.0),
        points=tuple((at, weight * float(np.exp(-k * at))) for at, weight in weighting.points),
    )
