"""From a purchase log to histories of opportunities: in which periods customers bought, and in which not."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from clvmodels.data.build import Returns
from clvmodels.data.memory_table import MemoryTable
from clvmodels.data.reading import Day, LogFormat, end_of, log_of
from clvmodels.data.transactions import histories_of
from clvmodels.data.windows import following, window_start
from clvmodels.errors import DataError, DataWarning, UnitError
from clvmodels.units import read_duration

if TYPE_CHECKING:
    from clvmodels.data.bounds import WindowBound
    from clvmodels.data.histories import Histories
    from clvmodels.units import Duration, Unit

__all__ = ["opportunity_summary"]


def opportunity_summary(
    log: object,
    *,
    opportunity: Duration = "1 year",
    customer_id: str = "customer_id",
    time: str = "date",
    value: str | None = None,
    observation_start: Day | None = None,
    observation_end: Day | None = None,
    returns: Returns = "net",
    time_zone: str | None = None,
    time_format: str | None = None,
    attributes: Sequence[str] = (),
    order_id: str | None = None,
    quantity: str | None = None,
    exclude_ids: Sequence[object] = (),
    clean_ids: bool = False,
) -> Histories:
    """Summarise a purchase log by opportunities: in how many periods each customer bought, and in which one last.

    The periods are those of the local calendar. That of a customer's first purchase is none of their opportunities; all
    after it are, until the last one that was over by the end of observation. Purchases in the same period count as one.

    Parameters
    ----------
    log
        One row a purchase (or order line), as `rfm_summary` takes it.
    opportunity
        The length of a period: ``"1 day"``, ``"1 week"`` (from Monday), ``"1 month"`` or ``"1 year"``.
    observation_start, observation_end
        The window, both ends included. A period that is not over by its end is left out.
    customer_id, time, value, returns, time_zone, time_format, attributes, order_id, quantity, exclude_ids, clean_ids
        The format of the log: `LogFormat` documents each option.

    Returns
    -------
    Histories
        In memory, with the opportunity as unit: `frequency`, the number of opportunities with a purchase; `recency`,
        the number of the last of them, 0 without one; ``periods``, the number of opportunities; `monetary_value`, the
        mean value of those with a purchase. Attributes and ``report`` as of `rfm_summary`.

    Raises
    ------
    UnitError
        If `opportunity` is none of these lengths.
    DataError
        As in `rfm_summary`; and if no period is over by the end of observation.

    Warns
    -----
    DataWarning
        As in `rfm_summary`; and if the last period is not over by the end of observation.

    Examples
    --------
    >>> import pandas as pd
    >>> gifts = {"ann": [1995, 1996, 1998], "bob": [1996]}
    >>> log = pd.DataFrame([(who, f"{year}-07-01") for who in gifts for year in gifts[who]], columns=["donor", "day"])
    >>> donors = opportunity_summary(log, customer_id="donor", time="day", observation_end="2000-12-31")
    >>> donors.to_frame()[["frequency", "recency", "periods"]].astype(int).loc["ann"].to_list()
    [2, 3, 5]
    """
    unit = _period(opportunity)
    reading = LogFormat(
        customer_id, time, value, unit, unit, returns, time_zone, time_format,
        attributes, order_id, quantity, exclude_ids, clean_ids,
    )  # fmt: skip
    opened = log_of(reading, log)
    end, notes = _last_over(end_of(opened, observation_end, "observation_end"), unit)
    histories, more = histories_of(opened, reading, observation_start, end.local, grid=None)
    for note in [*notes, *more]:
        warnings.warn(note, DataWarning, stacklevel=2)
    return _by_period(histories.collect())


def _period(opportunity: Duration) -> Unit:
    number, unit = read_duration(opportunity, "year")
    if number != 1.0 or unit == "hour":
        raise UnitError(
            'an opportunity is a period of the calendar, "1 day", "1 week", "1 month" or "1 year", got'
            f" {opportunity!r}; of other periods, count the opportunities yourself and write"
            " Histories.from_frame(table, ...) with the columns frequency, recency and periods"
        )
    return unit


def _last_over(end: WindowBound, unit: Unit) -> tuple[WindowBound, list[str]]:
    """Return the last day of the last period that is over by the end of observation, and notes to warn with."""
    start = window_start(end.after, unit)
    last = replace(end, local=start - dt.timedelta(days=1), whole_day=True)
    if start == end.after:
        return last, []
    final = following(start, unit) - dt.timedelta(days=1)
    if start.year <= dt.MINYEAR:
        raise DataError(f"no {unit} is over by the end of observation, {end.local}")
    note = (
        f"the {unit} from {start.date()} is not over by {end.local.date()}, and is no opportunity yet: its purchases"
        f' are left out; if the log has all of them, write observation_end="{final.date()}"'
    )
    return last, [note]


def _by_period(histories: Histories) -> Histories:
    """Return histories whose times, of calendar periods of nearly the same length, are numbers of periods."""
    table = histories.backend.fetched
    counts = {"x": table.statistic("x"), "t_x": np.rint(table.statistic("t_x")), "n": np.rint(table.statistic("T"))}
    by_period = MemoryTable(
        table.customer_id,
        {**counts, "mean": table.statistic("mean")},
        table.attributes,
        table.weight,
        table.order_values,
    )
    return replace(histories, backend=by_period, repeat_purchases=None)
