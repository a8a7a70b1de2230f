"""New customers by period: those who came, and how many are still to come, with a band."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clvmodels.inference.acquisition_forecast import ALL, AcquisitionForecast
from clvmodels.style import ACTUAL, Drawn, band, date_axis, drawn, in_counts, look, on_axes, require

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["acquisitions"]


def acquisitions(forecast: AcquisitionForecast, *, ax: Axes | None = None, return_data: bool = False) -> Drawn:
    """Draw the new customers of past periods, and those forecast, between whose ends nine tenths of the futures lie.

    Parameters
    ----------
    forecast
        The forecast.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table: by ``start`` of the period, ``observed`` (missing of those to come), ``expected``, ``lower`` and
        ``upper`` (missing of those past).

    Raises
    ------
    DataError
        If `forecast` is none.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.date_range("2021-01-01", "2023-12-31", freq="2D")
    >>> log = pd.DataFrame({"customer_id": range(len(days)), "date": days})
    >>> rfm = clv.rfm_summary(log, unit="week", observation_end="2023-12-31")
    >>> ax, table = acquisitions(clv.acquisition_forecast(rfm, 4, period="quarter"), return_data=True)
    >>> len(table), int(table["expected"].notna().sum())
    (16, 4)
    """
    import pandas as pd

    require(forecast, AcquisitionForecast, "a forecast is expected here, as clv.acquisition_forecast(rfm) returns it")
    rows = forecast.to_frame()
    if forecast.by is not None:
        rows = pd.DataFrame(rows.xs(ALL))
    coming = rows[["mean", "low", "high"]].set_axis(["expected", "lower", "upper"], axis=1)
    table = pd.concat([forecast.observed[ALL].rename("observed").to_frame(), coming]).rename_axis("start")
    ax = on_axes(ax, title="New customers", x="Date", y=f"New customers a {forecast.period}")
    past, colour = table["observed"].dropna(), look(0).colour
    ax.plot(past.index, past, color=ACTUAL, linewidth=1.6, label="observed")
    band(ax, coming.index, coming, colour)
    ax.plot(coming.index, coming["expected"], color=colour, linewidth=1.8, label="forecast, with a 90 % band")
    in_counts(ax.yaxis)
    ax.set_ylim(bottom=0.0)
    date_axis(ax)
    return drawn(ax, table.reset_index(), return_data=return_data)
