"""When the customers on the books bring their money."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clvmodels.style import ACTUAL, COLOURS, Drawn, drawn, letters, on_axes, whiskers
from clvmodels.valuation.book import Book
from clvmodels.valuation.plots.bars import NUMBER_SIZE, in_currency, in_money, is_book, written

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from clvmodels.valuation.cash_flow import Period

__all__ = ["cash_flow"]


def cash_flow(
    book: Book,
    by: Period = "quarter",
    *,
    years: int | None = None,
    ax: Axes | None = None,
    return_data: bool = False,
) -> Drawn:
    """Draw what the customers on the books are expected to bring in each period, and what that is worth today.

    Parameters
    ----------
    book
        The valuation.
    by, years
        As of `Book.cash_flow`. What comes later is not drawn; the title says how much of the equity is.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table: `Book.cash_flow` without what comes later; the ends of the band of the undiscounted amounts, which
        covers the parameters and the choice of model, are ``lower`` and ``upper``.

    Raises
    ------
    DataError
        If `book` is no valuation.
    AssumptionError
        If `by` is no period, or `years` no number of years.

    Examples
    --------
    >>> cash_flow(book, "year", return_data=True)[1]["present_value"].round(2).tolist()
    [61.33, 36.49, 24.74, 17.85, 13.36]
    """
    is_book(book)
    table = book.cash_flow(by, years=years)
    whole = float(table["present_value"].sum())
    table = table[table.index != "later"].reset_index()
    names = {"cash_flow_low": "lower", "cash_flow_high": "upper"}
    table = table.rename(columns=names).drop(columns=["present_value_low", "present_value_high"], errors="ignore")
    shown = float(table["present_value"].sum())
    ax = on_axes(
        ax,
        title=f"Cash flow by {by}: {written([shown])[0]} today, {100.0 * shown / whole:.0f} % of equity",
        x=by.capitalize() if table["start"].notna().all() else f"{by.capitalize()} from now",
        y=in_currency(f"Amount a {by}", book.assumptions.currency),
    )
    at = np.arange(len(table))
    ax.bar(at, table["cash_flow"], color=COLOURS[0], width=0.8, label="Undiscounted")
    if "lower" in table:
        whiskers(ax, at, table, "cash_flow", ACTUAL)
    ax.plot(at, table["present_value"], "o-", color=COLOURS[1], markersize=3.0, label="Discounted to today")
    room = max(letters(ax, NUMBER_SIZE) // (table["period"].str.len().max() + 2), 1)
    step = -(-len(table) // room)
    ax.set_xticks(at[::step], table["period"].iloc[::step])
    in_money(ax.yaxis)
    return drawn(ax, table, return_data=return_data)
