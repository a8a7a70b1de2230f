"""What all customers together are expected to buy, and how far chance may carry it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

import numpy as np

from clvmodels.arguments import require_choice, require_whole
from clvmodels.errors import DataError, FitError
from clvmodels.evaluation.tracking import Kind
from clvmodels.inference.calendars import end_of_observation
from clvmodels.inference.future_totals import future_totals
from clvmodels.inference.one_or_many import OneOrMany
from clvmodels.inference.plots.inputs import is_histories, transaction_fits
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.style import BAND, TOTAL, Drawn, date_axis, drawn, in_counts, look, on_axes
from clvmodels.units import DAYS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from clvmodels.data.histories import Histories
    from clvmodels.models.specification import Array
    from clvmodels.units import Duration

__all__ = ["forecast_fan"]

MOST_FUTURES: Final = 100_000
MOST_PERIODS: Final = 1_000
WHOLE: Final = 1e-9
"""A last period shorter than this share of a period is none."""
QUANTILES: Final = {"lower": 0.05, "lower_50": 0.25, "median": 0.5, "upper_50": 0.75, "upper": 0.95}


def forecast_fan(
    fits: OneOrMany[TransactionFit],
    histories: Histories,
    t: Duration = "52 weeks",
    *,
    period: Duration = "4 weeks",
    kind: Kind = "cumulative",
    futures: int = 500,
    seed: int | None = 0,
    ax: Axes | None = None,
    return_data: bool = False,
) -> Drawn:
    """Draw what all customers together will buy after the end of observation, with bands that hold 50 % and 90 %.

    Bands are of simulated futures: what so many customers do by chance, and what the draws of the parameters, if a fit
    has any, leave open. A future costs one simulated future of each customer.

    Parameters
    ----------
    fits
        A fit, or several by the names they have in the picture, such as one with a calendar and one without.
    histories
        The customers, in the unit of the fits.
    t
        How far to look ahead.
    period
        The length of the periods; a last one may be shorter.
    kind
        ``"cumulative"``: until the end of each period. ``"incremental"``: in each period.
    futures
        How many to simulate.
    seed
        Of the simulation; None: a new one each time.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table: ``model``, the ``end`` of the period after the end of observation in the unit of the fits and its
        ``date`` (missing where the histories have none), purchases ``expected`` as of ``fit.total_purchases``, the
        ``median`` of the futures, and bands from ``lower_50`` to ``upper_50`` and, 90 %, from ``lower`` to ``upper``.

    Raises
    ------
    DataError
        If `kind` is unknown, something is no histories, or there are too many periods; or as ``fit.total_purchases``.
    FitError
        If something is no fit of transactions, or `futures` is no number from 1 to 100,000.
    UnitError
        If the histories are not in the unit of the fits.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> rfm = clv.rfm_summary(log, resolution="day", observation_end="1997-09-30")
    >>> fit = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
    >>> ax, table = forecast_fan(fit, rfm, "39 weeks", period="13 weeks", futures=50, return_data=True)
    >>> table[["end", "expected"]].round(0)
        end  expected
    0  13.0     628.0
    1  26.0    1172.0
    2  39.0    1654.0
    """
    import pandas as pd

    require_choice("kind", kind, get_args(Kind.__value__), DataError)
    require_whole("futures", futures, low=1, high=MOST_FUTURES, error=FitError)
    by_name = transaction_fits(fits)
    is_histories(histories)
    tables = [
        _table(fit, histories, _ends(fit.time(t), fit.time(period)), kind, futures, seed).assign(model=name)
        for name, fit in by_name.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    table = table[["model", *table.columns.drop("model")]]
    dated = histories.observation_end is not None
    what = "Purchases to come" if kind == "cumulative" else "Purchases to come, by period"
    unit = next(iter(by_name.values())).unit
    x = "Date" if dated else f"{unit.capitalize()}s after the end of observation"
    ax = on_axes(ax, title=what, x=x, y="Purchases of all customers")
    for number, name in enumerate(by_name):
        _fan(ax, table[table["model"] == name], "date" if dated else "end", name, look(number).colour)
    for label, opacity in (("50 % band", 4.0 * BAND), ("90 % band", 2.0 * BAND)):
        ax.fill_between([], [], [], color=TOTAL, alpha=opacity, linewidth=0, label=label)
    in_counts(ax.yaxis)
    ax.set_ylim(bottom=0.0)
    if dated:
        date_axis(ax)
    return drawn(ax, table, return_data=return_data)


def _ends(time: float, period: float) -> Array:
    """Return the ends of periods up to a time, of which the last one may be shorter.

    Examples
    --------
    >>> _ends(10.0, 4.0)
    array([ 4.,  8., 10.])
    """
    if not 0.0 < period <= time or time / period > MOST_PERIODS:
        raise DataError(f"a forecast has 1 to {MOST_PERIODS:,} periods, got {time:g} in periods of {period:g}")
    number = int(np.ceil(time / period - WHOLE))
    return np.append(period * np.arange(1, number), time)


def _table(
    fit: TransactionFit, histories: Histories, ends: Array, kind: Kind, futures: int, seed: int | None
) -> pd.DataFrame:
    """Return what a fit expects, and the quantiles of futures."""
    import pandas as pd

    expected = np.array([fit.total_purchases(histories, end)["mean"] for end in ends.tolist()])
    totals = future_totals(fit, histories, ends, futures, seed)
    if kind == "cumulative":
        totals = totals.cumsum(axis=1)
    else:
        expected = np.diff(expected, prepend=0.0)
    dates = pd.Series(pd.NaT, index=range(len(ends)), dtype="datetime64[ns]")
    if histories.observation_end is not None:
        dates = pd.Series(end_of_observation(histories) + pd.to_timedelta(ends * DAYS[fit.unit], unit="D"))
    quantiles = dict(zip(QUANTILES, np.quantile(totals, list(QUANTILES.values()), axis=0), strict=True))
    return pd.DataFrame({"end": ends, "date": dates, "expected": expected, **quantiles})


def _fan(ax: Axes, rows: pd.DataFrame, along: str, name: str, colour: str) -> None:
    """Draw the median and the bands of one fit."""
    for low, high, opacity in (("lower", "upper", BAND), ("lower_50", "upper_50", 1.5 * BAND)):
        ax.fill_between(rows[along], rows[low], rows[high], color=colour, alpha=opacity, linewidth=0)
    ax.plot(rows[along], rows["median"], color=colour, linewidth=1.8, label=f"{name}, median")
