"""How value is spread over customers: Lorenz and whale curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clvmodels.errors import DataError
from clvmodels.style import BAND, COLOURS, LOSS, QUIET, Drawn, drawn, in_percent, look, on_axes, require
from clvmodels.valuation import concentration
from clvmodels.valuation.book import Book
from clvmodels.valuation.plots.bars import in_currency, in_money, is_book, written

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["lorenz", "whale"]

Array = NDArray[np.float64]

POINTS: Final = 1_001
"""Points of a curve; of more customers, so many at even distances."""
TOP: Final = 0.2
"""The share of the customers whose part of the value is reported."""


def lorenz(
    values: Book | Mapping[str, ArrayLike], *, past: bool = False, ax: Axes | None = None, return_data: bool = False
) -> Drawn:
    """Draw Lorenz curves: what share of the value the least valuable customers hold.

    Parameters
    ----------
    values
        A valuation, or values of customers by the names they have in the picture.
    past
        Draw the repeat purchases so far of the customers of a valuation, too.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table: ``model`` (the name of the values), ``share_of_customers``, from the least valuable up, ``share`` of
        the value that they hold, and of each curve ``gini`` and ``top_share``, which the top 20 % of them hold.

    Raises
    ------
    DataError
        If values are missing, or their sum is not positive; if `past` is asked for, and a customer's mean spend is not
        known; if `values` are neither a valuation nor values by name.

    Examples
    --------
    >>> ax, table = lorenz({"Sales": [6.0, 1.0, 1.0, 1.0, 1.0], "Equal": [2.0] * 5}, return_data=True)
    >>> table.groupby("model")[["gini", "top_share"]].first().round(2)
           gini  top_share
    model
    Equal   0.0        0.2
    Sales   0.4        0.6
    """
    import pandas as pd

    curves = {
        name: _lorenz(name, np.asarray(amounts, dtype=float)) for name, amounts in _named(values, past=past).items()
    }
    ax = on_axes(
        ax,
        title="How value is spread over customers",
        x="Share of the customers, the least valuable first",
        y="Share of the value",
        grid="both",
    )
    ax.plot([0.0, 1.0], [0.0, 1.0], "--", color=QUIET, linewidth=1.2, label="All customers equal")
    for number, (name, curve) in enumerate(curves.items()):
        gini, top = curve["gini"].iloc[0], 100.0 * curve["top_share"].iloc[0]
        label = f"{name}: Gini {gini:.3f}, the top {100.0 * TOP:.0f} % hold {top:.1f} %"
        colour, _, line = look(number)
        ax.plot(curve["share_of_customers"], curve["share"], line, color=colour, linewidth=1.8, label=label)
    for axis in (ax.xaxis, ax.yaxis):
        in_percent(axis)
    ax.set_xlim(0.0, 1.0)
    if all((curve["share"] >= 0.0).all() for curve in curves.values()):
        ax.set_ylim(0.0, 1.02)
    return drawn(ax, pd.concat(curves.values(), ignore_index=True), return_data=return_data)


def _named(values: Book | Mapping[str, ArrayLike], *, past: bool) -> Mapping[str, ArrayLike]:
    """Return values of customers by their names in the picture."""
    if not isinstance(values, Book):
        if past:
            raise DataError("past spend is that of a valuation's customers: lorenz(book, past=True); or name it itself")
        require(values, Mapping, 'a valuation is expected here, or values by name, such as {"Sales": sales}')
        if not values:
            raise DataError('there is nothing to draw; give values by name, such as {"Sales": sales}')
        return values
    named: dict[str, ArrayLike] = {"Residual lifetime value": values.rlv}
    if past:
        x, mean = values.histories.frequency, values.histories.monetary_value
        named["Repeat purchases so far"] = np.where(x > 0.0, x * mean, 0.0)
    return named


def _lorenz(name: str, values: Array) -> pd.DataFrame:
    import pandas as pd

    curve = concentration.lorenz(values)
    points = _points(len(values))
    table = pd.DataFrame({"model": name, "share_of_customers": curve.customers[points], "share": curve.value[points]})
    return table.assign(gini=concentration.gini(values), top_share=concentration.top_share(values, TOP))


def _points(customers: int, *also: int) -> NDArray[np.int64]:
    """Return which points of a curve are drawn; all are if they are few."""
    even = np.linspace(0.0, customers, min(POINTS, customers + 1)).round()
    return np.union1d(even, also).astype(np.int64)


def whale(book: Book, *, ax: Axes | None = None, return_data: bool = False) -> Drawn:
    """Draw the whale curve: equity cumulated over customers, the most valuable first.

    It falls (shaded) where customers cost more than they bring: without them, equity would be that of the peak.

    Parameters
    ----------
    book
        The valuation.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table: ``share_of_customers``, from the most valuable down, ``value`` (what they are worth together),
        ``share`` (of the total; missing if that is not positive, and the picture is then drawn in money), ``peak``
        (whether it is the peak).

    Raises
    ------
    DataError
        If there are no customers, or `book` is no valuation.

    Examples
    --------
    >>> import pandas as pd
    >>> import clvmodels as clv
    >>> table = {"customer_id": ["A", "B", "C"], "frequency": [2, 0, 5], "recency": [30, 0, 38], "T": [39, 39, 39]}
    >>> table |= {"monetary_value": [22.35, None, 41.0]}
    >>> rfm = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
    >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
    >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    >>> assumptions = clv.Assumptions(discount_rate=0.15, margin=0.30, maintenance_cost=5.0)
    >>> book = clv.value(transactions, spend, rfm, assumptions)
    >>> ax, table = whale(book, return_data=True)
    >>> bool(table.loc[table["peak"], "share"].item() > 1.0)
    True
    """
    is_book(book)
    if not len(book.histories):
        raise DataError("there are no customers in this valuation, and no curve of them")
    curve = concentration.whale_curve(book.rlv)
    table = _whale(curve)
    in_shares = curve.total > 0.0
    label = "Cumulated share of customer equity" if in_shares else "Cumulated customer equity"
    ax = on_axes(
        ax,
        title=f"Where customer equity is made{', and where it is lost' * (curve.loss < 0.0)}",
        x="Share of the customers, the most valuable first",
        y=label if in_shares else in_currency(label, book.assumptions.currency),
        grid="both",
    )
    y = table["share" if in_shares else "value"].to_numpy(dtype=float)
    x, at, labels = (
        table["share_of_customers"],
        int(table["peak"].to_numpy().argmax()),
        _captions(curve, book.assumptions.currency),
    )
    ax.plot(x, y, color=COLOURS[0], linewidth=1.8)
    if curve.loss < 0.0:
        ax.plot(curve.peak_at, y[at], "o", color=COLOURS[0], label=labels.peak)
        ax.fill_between(x[at:], y[at:], y[at], color=LOSS, alpha=2.0 * BAND, linewidth=0.0, label=labels.loss)
    ax.axhline(y[-1], color=QUIET, linestyle="--", linewidth=1.2, label=labels.total)
    in_percent(ax.xaxis)
    if in_shares:
        in_percent(ax.yaxis)
    else:
        in_money(ax.yaxis)
    ax.set_xlim(0.0, 1.0)
    return drawn(ax, table, return_data=return_data)


def _whale(curve: concentration.WhaleCurve) -> pd.DataFrame:
    """Return the table of the picture."""
    import pandas as pd

    peak = int(curve.value.argmax())
    points = _points(len(curve.value) - 1, peak)
    table = pd.DataFrame({"share_of_customers": curve.customers[points], "value": curve.value[points]})
    share = table["value"] / curve.total if curve.total > 0.0 else np.nan
    return table.assign(share=share, peak=points == peak)


class _Captions(NamedTuple):
    """What the peak, the fall from it and the end of the curve mean."""

    peak: str
    loss: str
    total: str


def _captions(curve: concentration.WhaleCurve, currency: str) -> _Captions:
    total, peak, loss = (
        f"{written([value])[0]} {currency}".rstrip() for value in (curve.total, curve.peak, curve.loss)
    )
    share = f" = {100.0 * curve.peak_share:.1f} % of equity" if curve.total > 0.0 else ""
    return _Captions(
        peak=f"Peak: {peak}{share}, from {100.0 * curve.peak_at:.1f} % of the customers",
        loss=f"The others cost more than they bring: {loss}",
        total=f"Customer equity: {total}{'; no customer costs more than they bring' * (not curve.loss)}",
    )
