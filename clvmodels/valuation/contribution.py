"""What customers have contributed so far, in the schema of German controlling: customer contribution I to IV.

Sales less cost of goods sold are contribution I; less what orders cost, II; less what the relationship costs, III; less
the acquisition cost, IV. Money is not discounted here; `clvmodels.valuation.definitions` compounds it.
Source: Kunden-Deckungsbeitragsrechnung, e.g. Reichmann, Controlling mit Kennzahlen, ch. 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import add, mul
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from clvmodels.data.histories import Histories
from clvmodels.units import DAYS
from clvmodels.valuation.line_table import Driver, Formula, contributions_of
from clvmodels.valuation.statement import TOTAL, segments_of

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.valuation.book import Book

__all__ = ["contribution", "contribution_statement"]

Array = NDArray[np.float64]


def contribution(book: Book, activity: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return by customer what has been contributed so far.

    Parameters
    ----------
    book
        The valuation, whose margins and costs are taken.
    activity
        By customer id, what the ledgers count (`Ledgers.activity`); what is not there is taken from the rates.

    Returns
    -------
    DataFrame
        sales (of all orders, the first included; zero where the value is unknown), the costs (negative), and
        contribution_1 to contribution_4. Lines of your own stand in the step that they lead to.

    Notes
    -----
    Costs a year run from the first purchase to the end of observation: who has left in between is not known.
    """
    import pandas as pd

    histories = book.histories
    first = histories.attributes.get("first_value")
    first_value = np.zeros(len(histories)) if first is None else np.nan_to_num(np.asarray(first, dtype=np.float64))
    sales = first_value + histories.frequency * np.nan_to_num(histories.monetary_value)
    orders = histories.frequency + 1.0
    years = histories.T * DAYS[histories.unit] / (DAYS["day"] * book.assumptions.year_in("day"))
    formulas, rate = book.assumptions.formulas, book.rates
    counted = _Counted(activity, histories.customer_id)
    amounts: dict[Driver, Array] = {"sales": sales, "orders": orders, "living years": years, "calendar years": years}
    amounts["early orders"] = _early_orders(histories, book.assumptions.force_of_learning(histories.unit))
    columns = {
        "sales": sales,
        "cost_of_sales": -(1.0 - rate["margin"]) * sales,
        **{formula.name: _so_far(formula, rate, amounts, counted) for formula in formulas if formula.contribution},
        "acquisition_cost": -counted.of("acquisition_cost", book.acquisition_cost),
    }
    table: dict[str, Array] = {}
    total = np.zeros(len(histories))
    for name, parts in contributions_of(formulas).items():
        table |= {part: columns[part] + 0.0 for part in parts}  # no negative zeros
        total = total + np.sum([columns[part] for part in parts], axis=0)
        table[name] = total
    return pd.DataFrame(table, index=histories.customer_id)


def _early_orders(histories: Histories, force: float) -> Array:
    """Return orders so far, each weighted with what tenure had left at its age.

    The first was at age 0, the last at t_x; those between are, given these, as if scattered evenly.
    """
    x, falling = histories.frequency, force * histories.recency
    between = np.maximum(x - 1.0, 0.0) * special.exprel(-falling)
    return np.asarray(1.0 + np.where(x > 0.0, np.exp(-falling), 0.0) + between)


def _so_far(
    formula: Formula, rate: Mapping[str, float | Array], amounts: Mapping[Driver, Array], counted: _Counted
) -> Array:
    """Return what a line has come to so far: how often it happened, as the ledgers count or else as expected, by price.

    Of a line with one rate alone, the amounts of its driver are what happened.
    """
    often = [
        reduce(mul, map(rate.__getitem__, names[:-1]), amounts[driver]) for driver, names in formula.factors.items()
    ]
    (price,) = {names[-1] for names in formula.factors.values()}
    happened = reduce(add, often)
    if formula.counted is not None:
        happened = counted.of(formula.counted, happened)
    return np.asarray(formula.sign * rate[price] * happened)


class _Counted:
    """What ledgers counted by customer, and what the rates say where they counted nothing."""

    def __init__(self, activity: pd.DataFrame | None, customers: pd.Index[Any]) -> None:
        self.activity = None if activity is None else activity.reindex(customers)

    def of(self, column: str, otherwise: Array) -> Array:
        """Return a column of the ledgers, or what is expected in its place, shape (customers,)."""
        if self.activity is None or column not in self.activity:
            return otherwise
        counted = np.asarray(self.activity[column], dtype=np.float64)
        return np.where(np.isnan(counted), otherwise, counted)


def contribution_statement(
    book: Book, contributed: pd.DataFrame, by: str | pd.Series[Any] | None = None
) -> pd.DataFrame:
    """Return the contribution so far beside the value still to come: lines down, segments across, the total last.

    Parameters
    ----------
    book
        The valuation.
    contributed
        What its customers have contributed so far: their `contribution`.
    by
        A column of the customers or a Series by customer id; None: the total alone.

    Returns
    -------
    DataFrame
        By line: the columns of `contribution`, then ``rlv``, the residual value, and ``value``, contribution IV and
        residual value together.
    """
    import pandas as pd

    table = contributed.assign(rlv=book.rlv)
    table["value"] = table["contribution_4"] + table["rlv"]
    segments = pd.Series(TOTAL, table.index) if by is None else segments_of(book.histories, by)
    sums = table.groupby(np.asarray(segments), sort=True).sum()
    if by is not None:
        sums.loc[TOTAL] = sums.sum()
    return sums.T.rename_axis("line")
