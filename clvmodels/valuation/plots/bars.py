"""What pictures with horizontal bars of money share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.style import GAIN, LOSS, QUIET, TOTAL, letters, on_axes, require
from clvmodels.valuation.book import Book

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

    from clvmodels.valuation.assumptions import Assumptions

__all__ = [
    "NUMBER_SIZE",
    "bar_axes",
    "cascade",
    "draw_cascade",
    "in_currency",
    "in_money",
    "in_words",
    "is_book",
    "room_for_numbers",
    "written",
]

Array = NDArray[np.float64]

_WHOLE_FROM: Final = 1_000.0
"""Amounts of this size are written without decimals."""
NUMBER_SIZE: Final = 9.0


def is_book(book: object) -> None:
    """Refuse what is no valuation."""
    require(book, Book, "a valuation is expected here, as clv.value(transactions, spend, rfm, assumptions) returns it")


def written(values: Sequence[float] | Array, *, sign: bool = False) -> list[str]:
    """Return amounts of money as text, all with the same decimals.

    Examples
    --------
    >>> written([1234567.8, -12.3, -0.4], sign=True)
    ['+1,234,568', '−12', '0']
    """
    decimals = 0 if np.max(np.abs(values), initial=0.0) >= _WHOLE_FROM else 2
    rounded = [round(float(value), decimals) for value in values]
    signs = ["+" * (sign and value > 0.0) for value in rounded]
    return [f"{plus}{value + 0.0:,.{decimals}f}".replace("-", "−") for plus, value in zip(signs, rounded, strict=True)]


def in_currency(text: str, currency: str) -> str:
    """Return the title of an axis with the currency, if there is one.

    Examples
    --------
    >>> in_currency("Customer equity", "EUR"), in_currency("Customer equity", "")
    ('Customer equity, EUR', 'Customer equity')
    """
    return f"{text}, {currency}" if currency else text


def in_words(name: str, assumptions: Assumptions) -> str:
    """Return the name of a line or an assumption as one reads it; of a line of the user's own, its label.

    Examples
    --------
    >>> in_words("returns_per_order", book.assumptions)
    'Returns per order'
    """
    own = {line.name: line.bounds.labels[0] for line in assumptions.lines}
    return own.get(name, name.replace("_", " ").capitalize())


def in_money(axis: Axis) -> None:
    """Write the numbers at an axis with thousands separators."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    along = axis is axis.axes.xaxis  # numbers stand beside each other
    most = int(np.clip(letters(axis.axes, 10.0) // 9, 2, 6)) if along else 6
    axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(StrMethodFormatter("{x:,.12g}"))


def bar_axes(ax: Axes | None, labels: Sequence[str], *, title: str, x: str) -> Axes:
    """Return axes with a row for each label, the first on top; new axes are as high as the rows need."""
    new = ax is None
    ax = on_axes(ax, title=title, x=x, y="", grid="x")
    figure = ax.get_figure(root=True)
    if new and figure is not None:
        figure.set_figheight(max(2.4, 1.1 + 0.3 * len(labels)))
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    in_money(ax.xaxis)
    return ax


def room_for_numbers(ax: Axes, low: float, high: float, *, left: int, right: int) -> None:
    """Set the ends of the x axis so that beside the bars there is room for so many letters."""
    width, all_of_it = (high - low) or 1.0, letters(ax, NUMBER_SIZE)
    letter = width / max(all_of_it - left - right, 0.4 * all_of_it)
    ax.set_xlim(low - left * letter, high + right * letter)


def cascade(lines: Sequence[str], kinds: Sequence[str], values: Sequence[float] | Array) -> pd.DataFrame:
    """Return bars of which each change begins where the one before ended; what is no change begins at zero.

    Parameters
    ----------
    lines, kinds, values
        Labels; ``"change"`` or another kind; changes, and the balances in between.

    Returns
    -------
    DataFrame
        ``line``, ``kind``, ``value``, ``start``, ``end``.

    Examples
    --------
    >>> cascade(["Opening", "Sold", "Closing"], ["balance", "change", "balance"], [5.0, -2.0, 3.0])["start"].tolist()
    [0.0, 5.0, 0.0]
    """
    import pandas as pd

    starts, ends, balance = [], [], 0.0
    for kind, value in zip(kinds, values, strict=True):
        starts.append(balance if kind == "change" else 0.0)
        balance = starts[-1] + float(value)
        ends.append(balance)
    return pd.DataFrame({"line": lines, "kind": kinds, "value": values, "start": starts, "end": ends})


def draw_cascade(ax: Axes, table: pd.DataFrame) -> None:
    """Draw the bars of `cascade` with their amounts: changes signed and coloured, balances grey."""
    changes = (table["kind"] == "change").to_numpy()
    value, start, end = (table[name].to_numpy(dtype=float) for name in ("value", "start", "end"))
    colours = np.where(changes, np.where(value >= 0.0, GAIN, LOSS), TOTAL)
    ax.barh(np.arange(len(table)), end - start, left=start, height=0.62, color=colours.tolist())
    for row, (before, _) in enumerate(pairwise(end)):
        ax.plot([before, before], [row - 0.31, row + 1.31], color=QUIET, linewidth=0.8, zorder=0.9)
    texts = np.where(changes, written(value, sign=True), written(value))
    how = {"textcoords": "offset points", "va": "center", "fontsize": NUMBER_SIZE}
    for row, (text, right) in enumerate(zip(texts, np.maximum(start, end), strict=True)):
        weight = "normal" if changes[row] else "bold"
        ax.annotate(text, (right, row), (4, 0), fontweight=weight, **how)  # type: ignore[arg-type]
    ends = np.concatenate([start, end, [0.0]])
    room_for_numbers(ax, ends.min(), ends.max(), left=int(ends.min() < 0.0), right=max(map(len, texts)) + 2)
