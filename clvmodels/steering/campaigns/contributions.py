"""What customers contribute through their orders: expected at the opening of a campaign, and realised since.

Only what orders bring and cost counts: a campaign moves orders. What accrues with time, such as the cost of keeping a
customer, is the same in all arms as long as no one leaves for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.columns import count, examples
from clvmodels.data.histories import Histories
from clvmodels.errors import DataError
from clvmodels.valuation.book import Book
from clvmodels.valuation.discounting import discount_factor, growing
from clvmodels.valuation.lines import DiscountedDrivers, total
from clvmodels.valuation.residual_expectations import ahead
from clvmodels.valuation.valued_rows import ValuedRows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["expected_contributions", "of_orders", "present_value", "realised_orders", "rows_of"]

Array = NDArray[np.float64]


def rows_of(book: Book, ids: pd.Index[Any]) -> ValuedRows:
    """Return the valuation of some customers, in the order of their ids.

    Raises
    ------
    DataError
        If one of them is not in the valuation.

    Examples
    --------
    >>> import pandas as pd
    >>> rows_of(book, pd.Index(["C", "A"])).rlv.round(2)
    array([158.09,  37.88])
    """
    each = book.each
    place = each.histories.customer_id.get_indexer(ids)
    if (place < 0).any():
        missing = ids[place < 0]
        raise DataError(
            f"{count(len(missing), 'customer')} are not in the valuation at the opening: {examples(missing)}"
        )
    return replace(each.taken(place), histories=each.histories.select(ids))


def of_orders(rows: ValuedRows, orders: Array, sales: Array) -> Array:
    """Return the contribution of orders and their sales at the rates of a valuation, by row.

    Examples
    --------
    >>> of_orders(book.each, np.array([1.0, 0.0, 2.0]), np.array([10.0, 0.0, 50.0]))  # at a margin of 30 %
    array([ 3.,  0., 15.])
    """
    zeros = np.zeros(len(orders))
    return total(rows.lines, DiscountedDrivers(D=orders, L=zeros, Z=sales, G=np.ones(len(orders)), K=0.0))


def expected_contributions(rows: ValuedRows, times: Sequence[float]) -> Array:
    """Return the expected contribution within several times, and within the horizon in the last column; discounted.

    Parameters
    ----------
    rows
        The valuation.
    times
        From now, in its unit.

    Returns
    -------
    ndarray
        Shape (customers, times + 1).

    Examples
    --------
    >>> expected_contributions(book.each, [13.0, 26.0]).round(2)
    array([[  3.28,   6.09,  37.88],
           [  0.72,   1.37,  10.77],
           [ 15.17,  27.82, 158.09]])
    """
    assumptions, unit = rows.assumptions, rows.transactions.unit
    year = assumptions.year_in(unit)
    within = [*(growing(assumptions, unit, time / year) for time in times), growing(assumptions, unit)]
    coming = ahead(rows.transactions, rows.histories, within, year)
    purchases = coming.purchases[coming.index]
    return np.column_stack([of_orders(rows, orders, orders * rows.order_value) for orders in purchases.T])


def present_value(rows: ValuedRows, start: float, end: float) -> float:
    """Return the discount factor of what comes between two times from now: that of the middle.

    Examples
    --------
    >>> round(present_value(book.each, 0.0, 52.18), 4)
    0.9325
    """
    assumptions = replace(rows.assumptions, timing="continuous")
    return float(discount_factor(assumptions, rows.transactions.unit, np.array([(start + end) / 2.0]))[0])


def realised_orders(earlier: Histories, later: Histories) -> tuple[Array, Array]:
    """Return orders and their sales between two closings by customer of the earlier one, shape (customers,) each.

    Raises
    ------
    DataError
        If a customer is missing at the later closing, has fewer orders there, or the value of their orders is not
        known.

    Examples
    --------
    >>> later = rfm.with_statistics({"x": np.array([2.0, 1.0, 5.0]), "mean": np.array([22.35, 40.0, 41.0])})
    >>> realised_orders(rfm, later)
    (array([0., 1., 0.]), array([ 0., 40.,  0.]))
    """
    ids, of_later = earlier.customer_id, later.customer_id
    place = of_later.get_indexer(ids)
    _require_none("customers of the opening are missing at a later closing", ids, place < 0)
    x = [earlier.frequency, later.frequency[place]]
    means = [earlier.statistic("mean"), later.statistic("mean")[place]]
    sales = []
    for counts, mean in zip(x, means, strict=True):
        _require_none("customers have repeat orders of unknown value", ids, (counts > 0.0) & np.isnan(mean))
        sales.append(np.where(counts > 0.0, counts * np.nan_to_num(mean), 0.0))
    orders = x[1] - x[0]
    _require_none("customers have fewer orders at a later closing", ids, orders < 0.0)
    return orders, sales[1] - sales[0]


def _require_none(what: str, ids: pd.Index[Any], wrong: NDArray[np.bool_]) -> None:
    if wrong.any():
        raise DataError(f"{int(wrong.sum()):,} {what}: {examples(ids[wrong])}; make all closings of the same log")
