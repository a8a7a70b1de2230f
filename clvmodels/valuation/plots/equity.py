"""What customer equity consists of, when it comes, and what it depends on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from clvmodels.style import ACTUAL, COLOURS, TOTAL, Drawn, drawn, letters, on_axes, whiskers
from clvmodels.valuation.book import HORIZONS, Book
from clvmodels.valuation.plots.bars import (
    NUMBER_SIZE,
    bar_axes,
    cascade,
    draw_cascade,
    in_currency,
    in_money,
    in_words,
    is_book,
    room_for_numbers,
    written,
)
from clvmodels.valuation.scenarios import tornado as tornado_table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["equity_by_horizon", "statement", "tornado"]


def statement(book: Book, *, ax: Axes | None = None, return_data: bool = False) -> Drawn:
    """Draw what customer equity consists of: from the contribution margin down to equity, line by line.

    Parameters
    ----------
    book
        The valuation.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table: ``line``, ``kind`` (``"change"``, and ``"balance"`` for the equity), ``value``, ``start``, ``end``.

    Raises
    ------
    DataError
        If `book` is no valuation.

    Examples
    --------
    >>> import pandas as pd
    >>> import clvmodels as clv
    >>> table = {"customer_id": ["A", "B", "C"], "frequency": [2, 0, 5], "recency": [30, 0, 38], "T": [39, 39, 39]}
    >>> table |= {"monetary_value": [22.35, None, 41.0]}
    >>> rfm = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
    >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
    >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    >>> assumptions = clv.Assumptions(discount_rate=0.15, margin=0.30, order_cost=1.50)
    >>> book = clv.value(transactions, spend, rfm, assumptions)
    >>> statement(book, return_data=True)[1]["line"].tolist()
    ['Contribution margin', 'Order cost', 'Customer equity']
    """
    is_book(book)
    names = [
        in_words(line.name, book.assumptions) + " (attributed)" * (line.group == "attributed") for line in book.lines
    ]
    values = [float(line.value(book.future).sum()) for line in book.lines]
    kinds = ["change"] * len(names)
    table = cascade([*names, "Customer equity"], [*kinds, "balance"], [*values, book.equity])
    x = in_currency("Present value", book.assumptions.currency)
    ax = bar_axes(ax, table["line"].tolist(), title="What customer equity consists of", x=x)
    draw_cascade(ax, table)
    return drawn(ax, table, return_data=return_data)


def equity_by_horizon(
    book: Book,
    *,
    horizons: Sequence[int] = HORIZONS,
    intervals: bool = False,
    ax: Axes | None = None,
    return_data: bool = False,
) -> Drawn:
    """Draw how much of customer equity comes within so many years.

    Parameters
    ----------
    book
        The valuation.
    horizons
        Numbers of years, of those in `clvmodels.valuation.book.HORIZONS`. What is not below the horizon of the
        assumptions is left out.
    intervals
        Show between which ends each lies with probability 0.9, as `Book.interval` says: a valuation of all draws for
        every horizon.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table: ``horizon`` (in words), ``value``, ``share`` of the whole, which is in the last row; with
        `intervals`, their ends ``lower`` and ``upper``.

    Raises
    ------
    DataError
        If `book` is no valuation.
    AssumptionError
        If the value within some number of years is not known.

    Examples
    --------
    >>> import pandas as pd
    >>> import clvmodels as clv
    >>> table = {"customer_id": ["A", "B", "C"], "frequency": [2, 0, 5], "recency": [30, 0, 38], "T": [39, 39, 39]}
    >>> table |= {"monetary_value": [22.35, None, 41.0]}
    >>> rfm = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
    >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
    >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    >>> assumptions = clv.Assumptions(discount_rate=0.15, margin=0.30, horizon="10 years")
    >>> book = clv.value(transactions, spend, rfm, assumptions)
    >>> equity_by_horizon(book, return_data=True)[1]["horizon"].tolist()
    ['1 year', '2 years', '3 years', '5 years', '10 years']
    """
    is_book(book)
    table = _by_horizon(book, horizons, intervals=intervals)
    end = "in all" if book.assumptions.horizon is None else f"within {book.assumptions.horizon}"
    ax = on_axes(
        ax,
        title=f"When customer equity comes: {written([book.equity])[0]} {end}",
        x="Within so many years",
        y=in_currency("Customer equity", book.assumptions.currency),
    )
    at, ends = np.arange(len(table)), table[["value"]]
    ax.bar(at, table["value"], color=[COLOURS[0]] * (len(table) - 1) + [TOTAL], width=0.7)
    if intervals:
        whiskers(ax, at, table, "value", ACTUAL)
        ends = table[["value", "lower", "upper"]]
    decimals = 1 if letters(ax, NUMBER_SIZE) > 8 * len(table) - 8 else 0
    for row, (low, high, share) in enumerate(zip(ends.min(axis=1), ends.max(axis=1), table["share"], strict=True)):
        text = f"{100.0 * share:.{decimals}f} %".replace("-", "−")
        below = table["value"][row] < 0.0  # the number stands at the end of its bar
        y, away, side = (min(low, 0.0), -3, "top") if below else (max(high, 0.0), 3, "bottom")
        place = {"textcoords": "offset points", "ha": "center", "va": side, "fontsize": NUMBER_SIZE - (decimals == 0)}
        ax.annotate(text, (row, y), (0, away), **place)  # type: ignore[arg-type]
    ax.set_xticks(at, [_short(text) for text in table["horizon"]])
    ax.margins(y=0.1)
    in_money(ax.yaxis)
    return drawn(ax, table, return_data=return_data)


def _short(horizon: str) -> str:
    r"""Return a horizon as it stands at an axis of years.

    Examples
    --------
    >>> _short("10 years"), _short("indefinitely")
    ('10', 'no\nend')
    """
    number, _, unit = horizon.partition(" ")
    if not unit:  # there is no room for the word
        return "no\nend"
    return number if unit in {"year", "years"} else horizon.replace(" ", "\n")


def _by_horizon(book: Book, horizons: Sequence[int], *, intervals: bool) -> pd.DataFrame:
    """Return the table of the picture."""
    import pandas as pd

    equities = {years: float(book.rlv_within(years).sum()) for years in horizons}
    # Beyond the horizon of the assumptions nothing is added.
    years = [years for years, equity in equities.items() if not np.isclose(equity, book.equity, rtol=1e-9)]
    texts = [f"{number} year{'s' * (number != 1)}" for number in years]
    equity = np.array([equities[number] for number in years] + [book.equity])
    table = pd.DataFrame({"horizon": [*texts, book.assumptions.horizon or "indefinitely"], "value": equity})
    table["share"] = equity / book.equity
    if not intervals:
        return table
    sure = book.redrawn
    whole = sure.interval(0.9)
    ends = [
        *(sure.with_assumptions(book.assumptions.replace({"horizon": text})).interval(0.9) for text in texts),
        whole,
    ]
    return table.assign(lower=[end.low for end in ends], upper=[end.high for end in ends])


def tornado(book: Book, *, by: float = 0.1, ax: Axes | None = None, return_data: bool = False) -> Drawn:
    """Draw what customer equity depends on: how it moves as one assumption after the other is lower or higher.

    Parameters
    ----------
    book
        The valuation.
    by
        How much each assumption is changed, as a share of itself.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table of `clv.tornado`, with the assumption as a column.

    Raises
    ------
    AssumptionError
        If `by` is not between 0 and 1.

    Examples
    --------
    >>> import pandas as pd
    >>> import clvmodels as clv
    >>> table = {"customer_id": ["A", "B", "C"], "frequency": [2, 0, 5], "recency": [30, 0, 38], "T": [39, 39, 39]}
    >>> table |= {"monetary_value": [22.35, None, 41.0]}
    >>> rfm = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
    >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
    >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    >>> assumptions = clv.Assumptions(discount_rate=0.15, margin=0.30, order_cost=1.50)
    >>> book = clv.value(transactions, spend, rfm, assumptions)
    >>> tornado(book, return_data=True)[1]["assumption"].tolist()
    ['margin', 'discount_rate', 'order_cost']
    """
    is_book(book)
    table = tornado_table(book, by=by).reset_index()
    x = in_currency("Customer equity", book.assumptions.currency)
    labels = [in_words(name, book.assumptions) for name in table["assumption"]]
    title = f"What customer equity of {written([book.equity])[0]} depends on"
    ax = bar_axes(ax, labels, title=title, x=x)
    rows, longest = np.arange(len(table)), 0
    for name, colour, change in (("low", COLOURS[5], "lower"), ("high", COLOURS[0], "higher")):
        moved = table[name].to_numpy(dtype=float) - book.equity
        label = f"Assumption {100.0 * by:g} % {change}"
        ax.barh(rows, moved, left=book.equity, height=0.62, color=colour, label=label)
        for row, (text, change_of) in enumerate(zip(written(moved, sign=True), moved, strict=True)):
            side, place = (4, "left") if change_of >= 0.0 else (-4, "right")
            at, longest = (book.equity + change_of, row), max(longest, len(text) + 2)
            ax.annotate(text, at, (side, 0), textcoords="offset points", ha=place, va="center", fontsize=NUMBER_SIZE)
    ax.axvline(book.equity, color=ACTUAL, linewidth=1.0)
    ends = np.append(table[["low", "high"]].to_numpy(dtype=float).ravel(), book.equity)
    room_for_numbers(ax, ends.min(), ends.max(), left=longest, right=longest)
    return drawn(ax, table, return_data=return_data, above=True)
