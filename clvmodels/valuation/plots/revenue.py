"""The revenue of a company by period: existing customers, and those still to come on top of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clvmodels.style import ACTUAL, Drawn, drawn, in_counts, look, on_axes, require, whiskers
from clvmodels.valuation.plots.bars import in_currency
from clvmodels.valuation.revenue_forecast import RevenueForecast

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["revenue_plan"]


def revenue_plan(plan: RevenueForecast, *, ax: Axes | None = None, return_data: bool = False) -> Drawn:
    """Draw the revenue of each period as a bar: existing customers below, new ones above, and a 90 % interval of both.

    Parameters
    ----------
    plan
        The forecast of revenue.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table: ``start`` of the period, ``existing``, ``new``, ``total``, and ``lower`` and ``upper`` of the total.

    Raises
    ------
    DataError
        If `plan` is none.

    Examples
    --------
    >>> log = clv.datasets.load_company().transactions
    >>> log = log[log["date"] < "2023-07-01"]
    >>> rfm = clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end="2023-06-30")
    >>> whole = clv.value(clv.BGNBD().fit(rfm), clv.GammaGamma().fit(rfm), rfm, book.assumptions)
    >>> ax, table = revenue_plan(clv.revenue_forecast(whole, periods=2, draws=20), return_data=True)
    >>> table["start"].tolist()
    ['2023-07-01', '2023-10-01']
    """
    require(plan, RevenueForecast, "a forecast of revenue is expected here, as clv.revenue_forecast(book) returns it")
    table = plan.to_frame().drop(index="total").reset_index()
    table = table[["start", "existing", "new", "total", "total_low", "total_high"]]
    table = table.rename(columns={"total_low": "lower", "total_high": "upper"})
    ax = on_axes(ax, title="Revenue to come", x="Period from", y=in_currency("Revenue", plan.currency))
    place = np.arange(len(table))
    ax.bar(place, table["existing"], color=look(0).colour, label="customers on the books")
    ax.bar(place, table["new"], bottom=table["existing"], color=look(1).colour, label="customers still to come")
    whiskers(ax, place, table, "total", ACTUAL)
    ax.set_xticks(place, table["start"].tolist())
    in_counts(ax.yaxis)
    return drawn(ax, table, return_data=return_data)
