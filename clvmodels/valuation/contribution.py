"""What customers have contributed so far, in the schema of German controlling: customer contribution I to IV.

Sales less cost of goods sold are contribution I; less what orders cost, II; less what the relationship costs, III; less
the acquisition cost, IV. Money is not discounted here; `clvmodels.valuation.definitions` compounds it.
Source: Kunden-Deckungsbeitragsrechnung, e.g. Reichmann, Controlling mit Kennzahlen, ch. 6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.units import DAYS
from clvmodels.valuation.statement import TOTAL, segments_of

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.valuation.book import Book

__all__ = ["CONTRIBUTIONS", "contribution", "contribution_statement"]

Array = NDArray[np.float64]

CONTRIBUTIONS: Final = {
    "contribution_1": ("sales", "cost_of_sales"),
    "contribution_2": ("payment", "returned_goods", "order_cost", "returns"),
    "contribution_3": ("service", "maintenance_cost", "loyalty_cost", "campaigns"),
    "contribution_4": ("acquisition_cost",),
}
"""What is added to the contribution before to give the next one."""


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
        contribution_1 to contribution_4.

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
    rate = book.rates
    counted = _Counted(activity, histories.customer_id)
    returned = counted.of("returned_value", sales * rate["return_share"])
    contacts = counted.of("service_contacts", orders * rate["contacts_per_order"] + years * rate["contacts_per_year"])
    columns = {
        "sales": sales,
        "cost_of_sales": -(1.0 - rate["margin"]) * sales,
        "payment": -rate["payment_share"] * sales,
        "returned_goods": -rate["write_down"] * returned,
        "order_cost": -rate["order_cost"] * orders,
        "returns": -rate["return_cost"] * counted.of("returns", orders * rate["returns_per_order"]),
        "service": -rate["service_cost"] * contacts,
        "maintenance_cost": -rate["maintenance_cost"] * years,
        "loyalty_cost": -rate["loyalty_cost"] * years,
        "campaigns": -rate["contact_cost"] * counted.of("campaign_contacts", years * rate["campaigns_per_year"]),
        "acquisition_cost": -counted.of("acquisition_cost", book.acquisition_cost),
    }
    table: dict[str, Array] = {}
    total = np.zeros(len(histories))
    for name, parts in CONTRIBUTIONS.items():
        table |= {part: columns[part] + 0.0 for part in parts}  # no negative zeros
        total = total + np.sum([columns[part] for part in parts], axis=0)
        table[name] = total
    return pd.DataFrame(table, index=histories.customer_id)


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
