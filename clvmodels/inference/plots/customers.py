"""Single customers: when they bought, and how P(alive) went along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.data.build import Returns
from clvmodels.data.events import read_events
from clvmodels.data.reading import Day, LogFormat
from clvmodels.errors import DataError, UnitError
from clvmodels.inference.one_or_many import OneOrMany, thinned
from clvmodels.inference.p_alive_path import p_alive_path
from clvmodels.inference.plots.inputs import transaction_fits
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.style import ACTUAL, COLOURS, QUIET, Drawn, band, date_axis, drawn, in_percent, look, on_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from clvmodels.units import Duration

__all__ = ["customer_history", "timelines"]

DRAWS: Final = 400
"""Draws that a band is taken from."""
MOST_OCCASIONS: Final = 1_000_000
MOST_NAMED: Final = 60
"""Up to this many customers, new axes grow with their number."""
FEWEST_POINTS: Final = 6.0
"""Height of a row from which on the id stands beside it."""
MOST_LETTERS: Final = 16
"""Longer ids are shortened."""


def customer_history(
    fits: OneOrMany[TransactionFit],
    log: object,
    customer: object,
    *,
    ahead: Duration = "26 weeks",
    customer_id: str = "customer_id",
    time: str = "date",
    value: str | None = None,
    resolution: str | None = None,
    observation_end: Day | None = None,
    returns: Returns = "net",
    time_zone: str | None = None,
    time_format: str | None = None,
    order_id: str | None = None,
    quantity: str | None = None,
    exclude_ids: Sequence[object] = (),
    clean_ids: bool = False,
    ax: Axes | None = None,
    return_data: bool = False,
) -> Drawn:
    """Draw one customer's P(alive) over time, with their purchases.

    At each time it is computed from the history of then: it falls while they are silent, and each purchase lifts
    it. After the end of observation (dashed) nothing more is known: neither purchases nor that there were none.

    Parameters
    ----------
    fits
        A fit, or several in the same unit by the names they have in the picture.
    log, observation_end
        As in `rfm_summary`.
    customer
        The customer's id.
    ahead
        How far to look beyond the end of observation.
    customer_id, time, value, resolution, returns, time_zone, time_format, order_id, quantity, exclude_ids, clean_ids
        The format of the log, as in `LogFormat`; time is counted in the unit of the fit.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table: ``model`` ("Actual" where it is a purchase), ``part`` ("observed", "ahead" or "purchase"), ``age``,
        ``date``, ``frequency`` and ``recency`` at that time, and ``probability_alive`` with its 90 % band from
        ``lower`` to ``upper``: of at most 400 draws, evenly taken; missing where the fit has no draws.

    Raises
    ------
    DataError
        If the customer has no purchase in the log, or the log cannot be read.
    FitError
        If something is no fit of transactions.
    UnitError
        If the fits are in different units.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> fit = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
    >>> options = {"resolution": "day", "observation_end": "1997-09-30", "return_data": True}
    >>> ax, table = customer_history(fit, log, "00004", **options)
    >>> last = table.query("part == 'observed'").iloc[-1]
    >>> last[["frequency", "recency", "age", "probability_alive"]].astype(float).round(3).tolist()
    [2.0, 30.429, 38.857, 0.727]
    """
    import pandas as pd

    by_name = transaction_fits(fits)
    units = {fit.unit for fit in by_name.values()}
    if len(units) > 1:
        raise UnitError(f"the fits count time in {' and '.join(f'{unit}s' for unit in sorted(units))}; draw them apart")
    unit = units.pop()
    segments = tuple({name: None for fit in by_name.values() for name in fit.columns_of_parameters})
    reading = LogFormat(
        customer_id, time, value, unit, resolution, returns, time_zone, time_format,
        segments, order_id, quantity, exclude_ids, clean_ids,
    )  # fmt: skip
    occasions, _ = read_events(reading, log, observation_end).of([customer], MOST_OCCASIONS)
    later = next(iter(by_name.values())).time(ahead)
    tables = [p_alive_path(thinned(fit, DRAWS), occasions, later).assign(model=name) for name, fit in by_name.items()]
    names = {"mean": "probability_alive", "q05": "lower", "q95": "upper"}
    table = pd.concat([*tables, _purchases(occasions)], ignore_index=True).rename(columns=names)
    table = table.reindex(columns=["model", "part", "age", "date", "frequency", "recency", *names.values()])
    ax = on_axes(ax, title=f"Customer {customer}: P(alive) as it stood at each time", x="Date", y="P(alive)")
    lines = table[table["part"] != "purchase"]
    for number, name in enumerate(by_name):
        _line(ax, lines[lines["model"] == name], name, look(number).colour)
    _marks(ax, table)
    return drawn(ax, table, return_data=return_data)


def _purchases(occasions: pd.DataFrame) -> pd.DataFrame:
    """Return the purchases as rows of the picture's table."""
    marks = occasions[["age", "date"]].assign(model="Actual", part="purchase", recency=occasions["age"])
    return marks.assign(frequency=range(len(marks)))


def _line(ax: Axes, table: pd.DataFrame, name: str, colour: str) -> None:
    """Draw P(alive) of one fit: solid while observed, dashed ahead, with a band if there are draws."""
    for part, style, label in (("observed", "-", name), ("ahead", "--", None)):
        rows = table[table["part"] == part]
        dates = _local(rows["date"])
        ax.plot(dates, rows["probability_alive"], style, color=colour, label=label, linewidth=1.8)
        band(ax, dates, rows, colour)


def _marks(ax: Axes, table: pd.DataFrame) -> None:
    """Draw purchases as marks along the bottom, and the end of observation as an upright line."""
    dates = _local(table.loc[table["part"] == "purchase", "date"])
    ax.plot(dates, [0.0] * len(dates), "|", color=ACTUAL, markersize=14, markeredgewidth=1.6, label="Purchase")
    end = _local(table.loc[table["part"] == "observed", "date"]).max()
    ax.axvline(end, color=QUIET, linestyle=":", label="End of observation")
    ax.set_ylim(-0.05, 1.05)
    in_percent(ax.yaxis)
    date_axis(ax)


def timelines(
    log: object,
    *,
    customers: Sequence[object] | None = None,
    most: int = 40,
    seed: int = 0,
    customer_id: str = "customer_id",
    time: str = "date",
    value: str | None = None,
    resolution: str | None = None,
    observation_end: Day | None = None,
    returns: Returns = "net",
    time_zone: str | None = None,
    time_format: str | None = None,
    order_id: str | None = None,
    quantity: str | None = None,
    exclude_ids: Sequence[object] = (),
    clean_ids: bool = False,
    ax: Axes | None = None,
    return_data: bool = False,
) -> Drawn:
    """Draw when customers bought: a row a customer, a dot a purchase, a line to the end of observation.

    Customers stand in the order of their first purchases, the earliest on top.

    Parameters
    ----------
    log, observation_end
        As in `rfm_summary`.
    customers
        The ids of the customers to draw; None: a random sample.
    most
        Number of customers in the sample, and the most that can be drawn.
    seed
        Of the sample.
    customer_id, time, value, resolution, returns, time_zone, time_format, order_id, quantity, exclude_ids, clean_ids
        The format of the log, as in `LogFormat`.
    ax, return_data
        Axes to draw on; whether to return the table that is drawn, too.

    Returns
    -------
    Axes, or (Axes, DataFrame)
        The table: one row a purchase, ``row`` (0 on top), ``customer_id``, ``date``, ``repeat`` (whether it is a repeat
        purchase) and ``observed_until``.

    Raises
    ------
    DataError
        If a customer has no purchase in the log, there are too many or none, or the log cannot be read.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> ax, table = timelines(log, most=5, resolution="day", return_data=True)
    >>> table.groupby("row")["customer_id"].first().tolist()
    ['06313', '07260', '12108', '14908', '20096']
    """
    if isinstance(customers, str):
        raise DataError(f"customers are several ids; for one of them, write customers=[{customers!r}]")
    if most < 1 or (customers is not None and not 0 < len(customers) <= most):
        got = "most=0" if customers is None else f"{len(customers):,}"
        raise DataError(f"a picture has 1 to {most:,} customers, got {got}; give others, or change most")
    reading = LogFormat(
        customer_id, time, value, "day", resolution, returns, time_zone, time_format,
        (), order_id, quantity, exclude_ids, clean_ids,
    )  # fmt: skip
    events = read_events(reading, log, observation_end)
    occasions, _ = events.of(events.sampled(most, seed) if customers is None else customers, MOST_OCCASIONS)
    table = _in_order(occasions)
    new = ax is None
    ax = on_axes(ax, title="When customers bought", x="Date", y="Customer", grid="x")
    _rows(ax, table, grow=new)
    return drawn(ax, table, return_data=return_data, above=True)


def _in_order(occasions: pd.DataFrame) -> pd.DataFrame:
    """Return occasions with the row that each customer has in the picture: by first purchase, then by last."""
    import pandas as pd

    span = occasions.groupby("customer_id")["date"].agg(["min", "max"]).sort_values(["min", "max"], kind="stable")
    row = pd.Series(range(len(span)), index=span.index)
    until = occasions["date"] + pd.to_timedelta(occasions["T"] - occasions["age"], unit="D")
    table = occasions[["customer_id", "date"]].assign(repeat=occasions["age"] > 0.0, observed_until=until)
    table.insert(0, "row", occasions["customer_id"].map(row))
    return table.sort_values(["row", "date"], ignore_index=True)


def _rows(ax: Axes, table: pd.DataFrame, *, grow: bool) -> None:
    """Draw a row a customer; new axes grow with their number."""
    lives = table.groupby("row").agg(id=("customer_id", "first"), start=("date", "min"), end=("observed_until", "max"))
    if grow and len(lives) <= MOST_NAMED and (figure := ax.get_figure(root=True)) is not None:
        figure.set_figheight(max(2.4, 1.2 + 0.16 * len(lives)))
    high = _height(ax) / len(lives)
    width = float(np.clip(0.1 * high, 0.3, 0.8))
    ax.hlines(lives.index, _local(lives["start"]), _local(lives["end"]), color=QUIET, linewidth=width)
    for repeat, face, label in ((False, "white", "First purchase"), (True, COLOURS[0], "Repeat purchase")):
        rows = table[table["repeat"] == repeat]
        dots = {"color": face, "edgecolor": COLOURS[0], "s": float(np.clip(high, 2.0, 4.5)) ** 2}
        dots |= {"linewidth": 1.25 * width, "zorder": 3.0}
        ax.scatter(_local(rows["date"]), rows["row"], label=label, **dots)  # type: ignore[arg-type]
    ids = [_short(str(customer)) for customer in lives["id"]] if high >= FEWEST_POINTS else []
    ax.set_yticks(lives.index[: len(ids)], ids, fontsize=min(0.8 * high, 9.0))
    ax.tick_params(axis="y", length=0.0)
    ax.set_ylim(len(lives) - 0.5, -0.5)
    date_axis(ax)


def _height(ax: Axes) -> float:
    """Return the height of axes in points."""
    figure = ax.get_figure(root=True)
    return float(ax.get_window_extent().height / (figure.dpi if figure is not None else 72.0) * 72.0)


def _short(text: str) -> str:
    """Return both ends of a long id.

    Examples
    --------
    >>> _short("550e8400-e29b-41d4-a716-446655440000")
    '550e84…655440000'
    """
    return text if len(text) <= MOST_LETTERS else f"{text[:6]}…{text[-(MOST_LETTERS - 7) :]}"


def _local(dates: pd.Series) -> pd.Series:
    """Return dates as the clock on the wall shows them, which is how they are drawn."""
    local: pd.Series = dates.dt.tz_localize(None)
    return local
