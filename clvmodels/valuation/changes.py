"""What changed between two closings: each line is a difference of residual lifetime values.

A line takes something from the opening, something from what the opening expected, and something from the closing. The
functions of arrays here say what, history by history; with every customer's own it is a movement by customer, with the
cells of customers in an engine one in total.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from operator import is_
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.histories import Histories
from clvmodels.errors import DataError, one_of
from clvmodels.inference.model_average import Transactions
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.book import Book, valued
from clvmodels.valuation.closings import existing, time_between
from clvmodels.valuation.lines import total
from clvmodels.valuation.roll_forward import Expectation, expectation, margin_of

if TYPE_CHECKING:
    import pandas as pd


__all__ = [
    "LINES",
    "Changes",
    "MemoryChanges",
    "as_opened",
    "columns_of_rates",
    "memory_changes",
    "observed_behaviour",
    "until_closing",
    "updates",
]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]

LINES: Final[Mapping[str, str]] = {
    "opening": "Opening",
    "data_corrections": "Data corrections",
    "unwind": "Unwind of the discount",
    "release": "Expected release",
    "horizon": "Horizon",
    "season": "Season",
    "expected_closing": "Expected closing",
    "orders": "Behaviour: orders",
    "silence": "Behaviour: silence",
    "order_value": "Behaviour: order value",
    "new_customers": "New customers",
    "parameters_transactions": "Parameters: transactions",
    "parameters_spend": "Parameters: spend",
    "model": "Model",
    "margin": "Assumptions: margin",
    "costs": "Assumptions: costs",
    "customer_rates": "Parameters: rates of customers",
    "rate": "Assumptions: rate",
    "closing": "Closing",
}
"""The lines by key, in their order; each change is the difference that it makes to the balance before it."""

_RATE: Final = ("discount_rate", "growth", "tax", "timing", "horizon", "year")
"""The assumptions of the line "rate"; what is none of these and not the margin is of the line "costs". What the closing
says anew about customers in the columns that rates stand in is of the line "customer_rates"."""


class Changes(Protocol):
    """The lines of a movement, wherever its customers lie."""

    @property
    def time(self) -> float:
        """The time between the closings."""

    @property
    def realised_margin(self) -> float:
        """Contribution of the repeat purchases in the time between; NaN if the spend of a customer is unknown."""

    @property
    def expected_margin(self) -> float:
        """The same as the opening expected it."""

    @property
    def total(self) -> pd.Series[float]:
        """The lines, summed over the customers."""

    @property
    def customers(self) -> pd.DataFrame:
        """The lines by customer."""

    def by(self, column: str) -> pd.DataFrame:
        """Return the lines by the values of a column of the closing; of customers who are gone, of the opening."""


@dataclass(frozen=True, eq=False)
class MemoryChanges:
    """The lines of a movement by customer.

    Attributes
    ----------
    time
        The time between the closings.
    opening, closing
        The customers of the two closings.
    realised_margin, expected_margin
        Contribution of the repeat purchases in the time between, and that which the opening expected.
    customers
        The lines, a column each: of the customers of the closing, and after them those of the opening who are gone.
    """

    time: float
    opening: Histories
    closing: Histories
    realised_margin: float
    expected_margin: float
    customers: pd.DataFrame

    @cached_property
    def total(self) -> pd.Series[float]:
        """The lines, summed over the customers."""
        return self.customers.sum()

    def by(self, column: str) -> pd.DataFrame:
        """Return the lines by the values of a column of the closing; of customers who are gone, of the opening.

        Raises
        ------
        DataError
            If the histories have no such column.
        """
        import pandas as pd

        values = _attribute(self.closing, column)
        gone = self.customers.index[len(values) :]
        if len(gone):
            values = pd.concat([values, _attribute(self.opening, column).loc[gone]])
        return self.customers.groupby(values, dropna=False, observed=True).sum()


def memory_changes(opening: Book, closing: Book, restated: Histories | None) -> MemoryChanges:
    """Return the lines of the movement between two closings whose customers are in memory.

    Raises
    ------
    DataError
        If the closings cannot be compared; see `clvmodels.valuation.closings`.
    """
    time = time_between(opening.histories, closing.histories, restated)
    base = existing(opening, closing, restated, time)
    before, after = base.histories, closing.histories
    ahead = expectation(base.each, time)
    sales = _repeat_sales(after)[after.customer_id.get_indexer(before.customer_id)] - _repeat_sales(before)
    return MemoryChanges(
        time,
        opening.histories,
        after,
        realised_margin=float(margin_of(base.each, sales).sum()),
        expected_margin=float(ahead.margin.sum()),
        customers=_by_customer(opening, base, closing, ahead),
    )


def _repeat_sales(histories: Histories) -> Array:
    """Return the spend of the repeat purchases so far."""
    return np.where(histories.frequency > 0.0, histories.frequency * histories.monetary_value, 0.0)


def _by_customer(opening: Book, base: Book, closing: Book, ahead: Expectation) -> pd.DataFrame:
    """Return the lines by customer.

    Parameters
    ----------
    opening, closing
        The two closings.
    base
        The opening as the log of the closing has it, of the customers who are in both.
    ahead
        What `base` expects of the time between.
    """
    import pandas as pd

    ids, now = opening.histories.customer_id, closing.histories.customer_id
    everyone = now.append(ids[~ids.isin(now)]).rename("customer_id")
    rows = now.get_indexer(base.histories.customer_id)
    before = _as_before(closing, base, rows, columns_of_rates([opening.assumptions, closing.assumptions]))
    on_old_basis = valued(opening.transactions, opening.spend, before, opening.assumptions)
    exists, bought = np.zeros(len(now), dtype=bool), np.zeros(len(now), dtype=bool)
    exists[rows] = True
    bought[rows] = on_old_basis.histories.frequency[rows] != base.histories.frequency
    order_value = on_old_basis.future.Z.copy()
    order_value[rows] = ahead.order_value
    table = {key: np.zeros(len(everyone)) for key in LINES}

    def add(lines: dict[str, Array], at: Index | slice) -> None:
        for key, values in lines.items():
            table[key][at] += values

    add(as_opened(opening.rlv), everyone.get_indexer(ids))
    add(until_closing(base.rlv, ahead, bought[rows]), rows)
    everybody = slice(len(now))
    at_expected_value = total(on_old_basis.lines, replace(on_old_basis.future, Z=order_value))
    add(observed_behaviour(on_old_basis.rlv, at_expected_value, exists, bought), everybody)
    for line, earlier, later in updates(on_old_basis, opening, closing):
        add({line: later.rlv - earlier.rlv}, everybody)
    add({"closing": closing.rlv}, everybody)
    return pd.DataFrame(table, index=everyone)


# --------------------------------------------------------------------------------------------- history by history


def as_opened(rlv: Array) -> dict[str, Array]:
    """Return by line what comes from the values of the customers at the opening; shape (opening,) each."""
    return {"opening": rlv, "data_corrections": -rlv}


def until_closing(rlv: Array, ahead: Expectation, bought: Flags) -> dict[str, Array]:
    """Return by line what comes from those who are in both closings, as the opening expected; shape (base,) each.

    Parameters
    ----------
    rlv, ahead
        Their values at the opening, and what it expects of the time between.
    bought
        Who has another number of purchases at the closing.
    """
    accumulated, release = ahead.accumulation * rlv, -ahead.accumulation * ahead.within
    return {
        "data_corrections": rlv,
        "unwind": accumulated - rlv,
        "release": release,
        "horizon": ahead.horizon,
        "season": ahead.season,
        "expected_closing": ahead.later,
        "orders": np.where(bought, -ahead.later, 0.0),
        "silence": np.where(bought, 0.0, -ahead.later),
    }


def observed_behaviour(rlv: Array, at_expected_value: Array, exists: Flags, bought: Flags) -> dict[str, Array]:
    """Return by line what comes from the histories of the closing under the opening's fits; shape (closing,) each.

    Parameters
    ----------
    rlv, at_expected_value
        Their values, and those with the order values that the opening expected.
    exists, bought
        Who is in both closings, and which of them have another number of purchases.
    """
    return {
        "orders": np.where(bought, at_expected_value, 0.0),
        "silence": np.where(exists & ~bought, at_expected_value, 0.0),
        "order_value": np.where(exists, rlv - at_expected_value, 0.0),
        "new_customers": np.where(exists, 0.0, rlv),
    }


# ----------------------------------------------------------------------------------------- fits and assumptions


@dataclass(frozen=True, eq=False)
class _Step:
    """What a line of the movement takes over from the closing: all that a valuation rests on, after it."""

    line: str
    transactions: Transactions
    spend: SpendFit
    assumptions: Assumptions
    histories: Histories

    def valued(self, known: Iterable[Book]) -> Book:
        """Return the valuation; what is known already of these customers under these fits is not computed again."""
        rests_on = (self.transactions, self.spend, self.histories)
        same = [book for book in known if all(map(is_, (book.transactions, book.spend, book.histories), rests_on))]
        for book in same:
            if book.assumptions == self.assumptions:
                return book
        if same:
            return same[0].with_assumptions(self.assumptions)
        return valued(self.transactions, self.spend, self.histories, self.assumptions)


def updates(on_old_basis: Book, opening: Book, closing: Book) -> Iterator[tuple[str, Book, Book]]:
    """Yield what the closing changes about the fits and the assumptions: the line, and the valuations around it.

    Parameters
    ----------
    on_old_basis
        The valuation of the closing's histories under the opening's fits and assumptions, with the columns that rates
        stand in as the opening has them.
    opening, closing
        The two closings.
    """
    book = on_old_basis
    for step in _steps(on_old_basis, opening, closing):
        after = step.valued([book, closing])
        yield step.line, book, after
        book = after


def _steps(on_old_basis: Book, opening: Book, closing: Book) -> Iterator[_Step]:
    transactions, spend, known = closing.transactions, closing.spend, on_old_basis.histories
    line = _of_fit("parameters_transactions", opening.transactions, transactions)
    yield _Step(line, transactions, opening.spend, opening.assumptions, known)
    line = _of_fit("parameters_spend", opening.spend, spend)
    yield _Step(line, transactions, spend, opening.assumptions, known)
    assumptions = replace(opening.assumptions, margin=closing.assumptions.margin)
    yield _Step("margin", transactions, spend, assumptions, known)
    assumptions = replace(closing.assumptions, **{name: getattr(opening.assumptions, name) for name in _RATE})
    yield _Step("costs", transactions, spend, assumptions, known)
    yield _Step("customer_rates", transactions, spend, assumptions, closing.histories)
    yield _Step("rate", transactions, spend, closing.assumptions, closing.histories)


def _of_fit(line: str, before: Transactions | SpendFit, after: Transactions | SpendFit) -> str:
    same = before.name == after.name and _calendar_columns(before) == _calendar_columns(after)
    return line if same else "model"


def _calendar_columns(fit: Transactions | SpendFit) -> tuple[str, ...]:
    calendar = fit.best.calendar
    return () if calendar is None else calendar.calendar.columns


def columns_of_rates(assumptions: Iterable[Assumptions]) -> set[str]:
    """Return the columns of the customers in which rates stand, or which name the segments of a rate."""
    return {column for each in assumptions for column in each.columns}


def _as_before(closing: Book, base: Book, rows: Index, columns: set[str]) -> Histories:
    """Return the histories of the closing, with some columns of the existing customers as the opening has them.

    Columns that the parameters of a fit depend on are not among them: a customer who moves to another segment behaves
    so.
    """
    now, before = closing.histories, base.histories
    fits = (base.transactions, base.spend, closing.transactions, closing.spend)
    by = {column for fit in fits for column in fit.columns_of_parameters}
    restored = {}
    for column in (columns - by) & set(before.attributes.columns) & set(now.attributes.columns):
        values = now.attributes[column].to_numpy(dtype=object).copy()
        values[rows] = before.attributes[column].to_numpy(dtype=object)
        restored[column] = values
    if not restored:
        return now
    return replace(now, backend=replace(now.backend.fetched, attributes=now.attributes.assign(**restored)))


def _attribute(histories: Histories, column: str) -> pd.Series[Any]:
    attributes = histories.attributes
    if column not in attributes.columns:
        raise DataError(one_of("column of the customers", column, map(str, attributes.columns)))
    return attributes[column].set_axis(histories.customer_id)
