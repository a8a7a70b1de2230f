"""How fast customers buy on the days of a year, as the calendar of a fit has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.errors import FitError
from clvmodels.inference.calendars import read_moment
from clvmodels.inference.one_or_many import OneOrMany
from clvmodels.inference.plots.inputs import transaction_fits
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.clocked import ClockedModel
from clvmodels.style import QUIET, Drawn, band, date_axis, drawn, look, on_axes
from clvmodels.units import DAYS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from clvmodels.models.specification import Array

__all__ = ["calendar_effect"]

DAY: Final = np.timedelta64(1, "D")
DAYS_OF_YEAR: Final = 365
NOON: Final = np.timedelta64(12, "h")
"""The time at which a day is read: values change at midnight."""
NORMAL_90: Final = 1.6448536269514722
MEAN_SPEED: Final = "Mean of the year"


def calendar_effect(
    fits: OneOrMany[TransactionFit],
    *,
    start: str | pd.Timestamp | None = None,
    ax: Axes | None = None,
    return_data: bool = False,
) -> Drawn:
    """Draw how fast customers buy on each day of a year: 1 is the mean of the year before the end of observation.

    Parameters
    ----------
    fits
        A fit with a calendar, or several by the names they have in the picture.
    start
        The first day of the year that is drawn; if left out, the year ends with the observation.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table: ``model``, ``date``, and the speed ``value`` on that day with its 90 % band from ``lower`` to
        ``upper``: over the draws, or from the standard errors of the coefficients, on the log scale; missing where
        neither is known.

    Raises
    ------
    FitError
        If something is no fit of transactions, or has no calendar.
    DataError
        If `start` is no day, or the calendar does not know the year.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> rfm = clv.rfm_summary(log, resolution="day", observation_end="1998-06-30")
    >>> fit = clv.BGNBD(calendar=clv.Calendar.seasons({"winter": ("11-15", "12-31")})).fit(rfm)
    >>> ax, table = calendar_effect(fit, return_data=True)
    >>> len(table), table["date"].iloc[0], round(float(table["value"].mean()), 2)
    (365, Timestamp('1997-07-01 00:00:00'), 1.0)
    """
    import pandas as pd

    by_name = transaction_fits(fits)
    table = pd.concat([_table(name, fit, start) for name, fit in by_name.items()], ignore_index=True)
    ax = on_axes(ax, title="How fast customers buy over the year", x="Date", y="Speed of purchases (1: the mean)")
    ax.axhline(1.0, color=QUIET, linestyle="--", linewidth=1.0, label=MEAN_SPEED)
    for number, name in enumerate(by_name):
        rows, (colour, _, line) = table[table["model"] == name], look(number)
        ax.plot(rows["date"], rows["value"], line, color=colour, linewidth=1.8, drawstyle="steps-post", label=name)
        band(ax, rows["date"], rows, colour)
    ax.set_ylim(bottom=0.0)
    date_axis(ax)
    return drawn(ax, table, return_data=return_data)


def _table(name: str, fit: TransactionFit, start: str | pd.Timestamp | None) -> pd.DataFrame:
    """Return the speeds of a fit on the days of a year."""
    import pandas as pd

    model, fitted = fit.model, fit.calendar
    if fitted is None or not isinstance(model, ClockedModel):
        raise FitError(
            f"{name} has no calendar; write clv.{model.public_name}(calendar=...).fit(rfm), and pass what that returns"
        )
    end = fitted.end.astype("datetime64[D]")
    first = end - DAYS_OF_YEAR * DAY if start is None else read_moment(start).astype("datetime64[D]")
    days = np.arange(first, first + DAYS_OF_YEAR * DAY)
    fitted.calendar.require(days[0], days[-1] + DAY)
    oldest = max(float((fitted.end - days[0]) / DAY), 0.0) / DAYS[fit.unit]
    steps = fitted.steps(fitted.end, oldest, fit.unit)
    times = (days - fitted.end + NOON) / DAY / DAYS[fit.unit]
    size = len(model.base.parameters)
    clock = steps.clock(np.log(fit.draws[:, size:])).wide
    speed = clock.speed_at(times[None])
    value = speed.mean(axis=0)
    if len(speed) > 1:
        lower, upper = np.quantile(speed, [0.05, 0.95], axis=0)
    else:
        slopes = clock.slopes_of_speed(times[None])[0] / value[:, None]
        lower, upper = _around(value, slopes, fit.covariance[size:, size:])
    columns = {"model": name, "date": pd.DatetimeIndex(days), "value": value, "lower": lower, "upper": upper}
    return pd.DataFrame(columns)


def _around(value: Array, slopes: Array, covariance: Array) -> tuple[Array, Array]:
    """Return 90 % intervals of speeds, from the slopes of their logs and the covariance of the coefficients."""
    sd = np.sqrt(np.einsum("ij,jk,ik->i", slopes, covariance, slopes))
    return value * np.exp(-NORMAL_90 * sd), value * np.exp(NORMAL_90 * sd)
