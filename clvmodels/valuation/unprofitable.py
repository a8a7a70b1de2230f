"""Customers who cost more than they bring: who they are, why, and what levers would do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.errors import AssumptionError
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.line_table import Driver
from clvmodels.valuation.lines import total
from clvmodels.valuation.rates import scaled

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.valuation.book import Book

__all__ = ["causes", "levers", "unprofitable"]

OF_ORDERS: Final[tuple[Driver, ...]] = ("sales", "orders")


def unprofitable(book: Book, threshold: float | None = None) -> NDArray[np.bool_]:
    """Return whose expected residual lifetime value is below zero, shape (customers,).

    This is the definition of every report: counts and sums of it add up to customer equity, with or without draws.

    Parameters
    ----------
    book
        The valuation.
    threshold
        Where the fits have draws: whose value is below zero with a probability above this, instead.

    Raises
    ------
    AssumptionError
        If `threshold` is not between 0 and 1.
    """
    if threshold is not None and not 0.0 <= threshold < 1.0:
        raise AssumptionError(f"the threshold is a probability from 0 up and below 1, such as 0.5, got {threshold!r}")
    if threshold is None or not book.has_draws:
        return book.rlv < 0.0
    return np.asarray(book.customers["probability_of_loss"] > threshold)


def causes(book: Book, threshold: float | None = None) -> pd.DataFrame:
    """Return each line of the unprofitable customers and of the others, summed and per customer.

    Returns
    -------
    DataFrame
        By line, with ``equity`` last: unprofitable, others (sums), unprofitable_per_customer, others_per_customer.
    """
    import pandas as pd

    loss = unprofitable(book, threshold)
    sums = {line.name: line.value(book.future) for line in book.lines} | {"equity": book.rlv}
    rows = {name: (float(values[loss].sum()), float(values[~loss].sum())) for name, values in sums.items()}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["unprofitable", "others"]).rename_axis("line")
    for name, group in (("unprofitable", loss), ("others", ~loss)):
        table[f"{name}_per_customer"] = table[name] / max(int(group.sum()), 1)
    return table


def levers(
    book: Book, changes: Mapping[str, Mapping[str, Any]] | None = None, threshold: float | None = None
) -> pd.DataFrame:
    """Return what changed assumptions would do to the customers who are unprofitable now.

    Parameters
    ----------
    book
        The valuation.
    changes
        By the name of a lever, the assumptions it changes. Default: no campaigns for them, the cost of returns borne
        by the customer, service at half the cost; those that cost anything now.
    threshold
        As of `unprofitable`.

    Returns
    -------
    DataFrame
        By lever, ``as it is`` first: value (of the customers unprofitable now), change, still (how many of them stay
        below zero), break_even_loss. Levers assume that nobody reacts; break_even_loss is the share of their orders
        that these customers may give up because of the lever until its gain is gone: the change over what their orders
        bring under it. It is 1 where even the loss of all orders leaves a gain, and 0 where there is none.
    """
    import pandas as pd

    loss = unprofitable(book, threshold)
    books = {"as it is": book}
    for name, changed in (_levers(book.assumptions) if changes is None else changes).items():
        books[name] = book.with_assumptions(book.assumptions.replace(changed))
    rows = {name: (float(each.rlv[loss].sum()), int((each.rlv[loss] < 0.0).sum())) for name, each in books.items()}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "still"]).rename_axis("lever")
    table.insert(1, "change", table["value"] - rows["as it is"][0])
    orders = [float(_of_orders(each)[loss].sum()) for each in books.values()]
    table["break_even_loss"] = [_break_even(*pair) for pair in zip(table["change"], orders, strict=True)]
    return table


def _of_orders(book: Book) -> NDArray[np.float64]:
    """Return what orders bring, by customer: the lines as far as they rest on orders and their value."""
    parts = [
        replace(line, rates={driver: rate for driver, rate in line.rates.items() if driver in OF_ORDERS})
        for line in book.lines
    ]
    return total([part for part in parts if part.rates], book.future)


def _break_even(change: float, orders: float) -> float:
    """Return the share of orders whose loss takes the change away."""
    if change <= 0.0:
        return 0.0
    return min(change / orders, 1.0) if orders > 0.0 else 1.0


def _levers(assumptions: Assumptions) -> dict[str, dict[str, Any]]:
    offered: dict[str, dict[str, Any]] = {
        "no campaigns": {"contact_cost": 0.0},
        "returns paid by the customer": {"return_cost": 0.0},
        "self-service": {"service_cost": scaled(assumptions.service_cost, 0.5)},
    }
    return {name: changed for name, changed in offered.items() if any(getattr(assumptions, key) for key in changed)}
