"""What changed between two closings, customer by customer: each line is a difference of residual lifetime values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from operator import is_
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.histories import Histories
from clvmodels.inference.fit import Fit
from clvmodels.inference.orders_fit import OrdersFit
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.book import Book, value
from clvmodels.valuation.lines import total
from clvmodels.valuation.rates import ByColumn, BySegment
from clvmodels.valuation.roll_forward import Expectation

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Changes", "changes"]

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_RATE: Final = ("discount_rate", "growth", "tax", "timing", "horizon", "year")
"""The assumptions of the line "rate"; what is none of these and not the margin is of the line "costs"."""


@dataclass(frozen=True, eq=False)
class Changes:
    """The lines of a movement by customer.

    Attributes
    ----------
    customer_id
        The customers of the closing, and after them those of the opening who are gone.
    lines
        By key, shape (customers,) each.
    """

    customer_id: pd.Index[Any]
    lines: dict[str, Array]


@dataclass(frozen=True, eq=False)
class _Step:
    """What a line of the movement takes over from the closing: all that a valuation rests on, after it."""

    line: str
    orders: OrdersFit
    spend: SpendFit
    terms: Assumptions
    histories: Histories

    def valued(self, known: Iterable[Book]) -> Book:
        """Return the valuation; what is known already of these customers under these fits is not computed again."""
        rests_on = (self.orders, self.spend, self.histories)
        same = [book for book in known if all(map(is_, (book.orders, book.spend, book.histories), rests_on))]
        for book in same:
            if book.terms == self.terms:
                return book
        return same[0].under(self.terms) if same else value(*rests_on, self.terms)


def changes(opening: Book, base: Book, closing: Book, ahead: Expectation) -> Changes:
    """Return the lines by customer.

    Parameters
    ----------
    opening, closing
        The two closings.
    base
        The opening as the closing tells it, of the customers who are in both.
    ahead
        What `base` expects of the time between.
    """
    ids, now = opening.histories.customer_id, closing.histories.customer_id
    everyone = now.append(ids[~ids.isin(now)]).rename("customer_id")
    rows = now.get_indexer(base.histories.customer_id)
    columns = _columns([opening.terms, closing.terms])
    seen = _Step("", opening.orders, opening.spend, opening.terms, _as_before(closing, base, rows, columns)).valued([])

    def spread(values: Array, at: Index | slice) -> Array:
        result = np.zeros(len(everyone))
        result[at] = values
        return result

    before, corrected = spread(opening.rlv, everyone.get_indexer(ids)), spread(base.rlv, rows)
    accumulated, release = ahead.accumulation * corrected, spread(-ahead.accumulation * ahead.within, rows)
    expected = spread(ahead.later, rows)
    lines = {
        "opening": before,
        "data_corrections": corrected - before,
        "unwind": accumulated - corrected,
        "release": release,
        "horizon": expected - (accumulated + release),
        "expected_closing": expected,
    }
    after = _behaviour(seen, base, ahead, rows) | _updates(seen, opening, base, closing, rows)
    everybody = slice(len(now))
    return Changes(everyone, lines | {key: spread(line, everybody) for key, line in after.items()})


def _behaviour(seen: Book, base: Book, ahead: Expectation, rows: Index) -> dict[str, Array]:
    """Return what the existing customers did otherwise than expected, and the new customers; shape (closing,) each."""
    expected, order_value = np.zeros_like(seen.rlv), seen.future.Z.copy()
    exists, bought = np.zeros(len(expected), dtype=bool), np.zeros(len(expected), dtype=bool)
    exists[rows] = True
    expected[rows], order_value[rows] = ahead.later, ahead.order_value
    bought[rows] = seen.histories.frequency[rows] != base.histories.frequency
    at_expected_value = total(seen.lines, replace(seen.future, Z=order_value))
    surprise = at_expected_value - expected
    return {
        "orders": np.where(bought, surprise, 0.0),
        "silence": np.where(exists & ~bought, surprise, 0.0),
        "order_value": np.where(exists, seen.rlv - at_expected_value, 0.0),
        "new_customers": np.where(exists, 0.0, seen.rlv),
    }


def _updates(seen: Book, opening: Book, base: Book, closing: Book, rows: Index) -> dict[str, Array]:
    """Return what the closing changes about the fits and the assumptions; shape (closing,) each."""
    keys = ("parameters_transactions", "parameters_spend", "model", "margin", "costs", "rate")
    lines = {key: np.zeros_like(seen.rlv) for key in keys}
    book = seen
    for step in _steps(seen, opening, base, closing, rows):
        after = step.valued([book, closing])
        lines[step.line] += after.rlv - book.rlv
        book = after
    return {**lines, "closing": closing.rlv}


def _steps(seen: Book, opening: Book, base: Book, closing: Book, rows: Index) -> Iterator[_Step]:
    orders, spend = closing.orders, closing.spend
    line = _of_fit("parameters_transactions", opening.orders, orders)
    yield _Step(line, orders, opening.spend, opening.terms, seen.histories)
    line = _of_fit("parameters_spend", opening.spend, spend)
    yield _Step(line, orders, spend, opening.terms, seen.histories)
    terms = replace(opening.terms, margin=closing.terms.margin)
    rest = _columns([opening.terms, closing.terms]) - _columns([opening.terms, closing.terms], only="margin")
    yield _Step("margin", orders, spend, terms, _as_before(closing, base, rows, rest))
    terms = replace(closing.terms, **{name: getattr(opening.terms, name) for name in _RATE})
    yield _Step("costs", orders, spend, terms, closing.histories)
    yield _Step("rate", orders, spend, closing.terms, closing.histories)


def _of_fit(line: str, before: Fit, after: Fit) -> str:
    return line if before.model.name == after.model.name else "model"


def _columns(some: Iterable[Assumptions], *, only: str | None = None) -> set[str]:
    """Return the columns of the customers in which rates stand, or which name the segments of a rate."""
    names = [field.name for field in fields(Assumptions) if only in (None, field.name)]
    rates = [getattr(terms, name) for terms in some for name in names]
    return {
        rate.column if isinstance(rate, ByColumn) else rate.by
        for rate in rates
        if isinstance(rate, ByColumn | BySegment)
    }


def _as_before(closing: Book, base: Book, rows: Index, columns: set[str]) -> Histories:
    """Return the histories of the closing, with some columns of the existing customers as the opening has them.

    Columns that name the segments of a fit are not among them: a customer who moves to another segment behaves so.
    """
    now, before = closing.histories, base.histories
    by = {fit.by for fit in (base.orders, base.spend, closing.orders, closing.spend)}
    held = {}
    for column in (columns - by) & set(before.attributes.columns) & set(now.attributes.columns):
        values = now.attributes[column].to_numpy(dtype=object).copy()
        values[rows] = before.attributes[column].to_numpy(dtype=object)
        held[column] = values
    return replace(now, attributes=now.attributes.assign(**held)) if held else now
