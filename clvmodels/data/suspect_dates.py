"""First and last dates far from their neighbours or in the future: mistyped years, dates that stand for none."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from clvmodels.data.bounds import fetched
from clvmodels.data.columns import count, shown
from clvmodels.errors import DataError

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from clvmodels.data.log import Log
    from clvmodels.data.profile import Days

__all__ = ["Bounds", "far_ends", "suspect_dates"]

_FEW_DAYS: Final = 10
"""Fewer days with rows say nothing about what gaps are usual."""
_FEW_ROWS: Final = 5
_FEW_SHARE: Final = 0.05
"""So many rows, or this share of all rows, may be mistyped; more are the log's own time."""
_GAP_DAYS: Final = 28
"""A shorter gap moves the end of observation by less than a month."""
_GAP_RATIO: Final = 15
"""The gap is so many times the longest one among the other rows. The last of exponentially thinning rows is that far
from its neighbour once in several hundred logs."""
_CONTRADICTION: Final = (
    "one scan of the log finds dates that another does not find: the file changes while it is read, or what it says of"
    " its rows is damaged; write it anew from its source"
)


class Bounds(NamedTuple):
    """Names of the options that state the ends of a window, for messages; None where there is no such option."""

    start: str | None
    end: str | None


def far_ends(days: Days) -> tuple[int, int]:
    """Return how many of the first and of the last days are far from all others.

    Parameters
    ----------
    days
        Rows by day.

    Returns
    -------
    tuple
        Numbers of days; (0, 0) where none is far.

    Examples
    --------
    >>> from clvmodels.data.profile import Days
    >>> day = np.append(np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]"), np.datetime64("2099-01-01"))
    >>> far_ends(Days(day, np.ones(len(day), dtype=np.int64)))
    (0, 1)
    """
    day, rows = days.day.astype(np.int64), days.rows
    allowed = max(_FEW_ROWS, _FEW_SHARE * rows.sum())
    first = int(np.searchsorted(np.cumsum(rows), allowed, side="right"))
    last = len(day) - int(np.searchsorted(np.cumsum(rows[::-1]), allowed, side="right"))
    if last - first < _FEW_DAYS:
        return 0, 0
    gaps = np.diff(day)
    far = gaps > max(_GAP_DAYS, _GAP_RATIO * int(gaps[first : last - 1].max()))
    early, late = np.flatnonzero(far[:first]), np.flatnonzero(far[last - 1 :])
    return (int(early[-1]) + 1 if len(early) else 0), (len(day) - last - int(late[0]) if len(late) else 0)


def suspect_dates(log: Log, days: Days, names: Bounds, *, start_stated: bool, end_stated: bool) -> list[str]:
    """Return notes on first and last dates that are probably wrong; an end that the user has stated is right.

    Parameters
    ----------
    log
        The log.
    days
        Its rows by day, on the clock of the column.
    names
        What the options are called.
    start_stated, end_stated
        Whether the user has stated the start and the end of observation.
    """
    early, late = far_ends(days)
    notes = []
    if early and not start_stated:
        notes.append(_early(log, days, early, names.start))
    if not end_stated:
        notes += [_late(log, days, late, names.end)] if late else _future(log, days, names.end)
    return notes


def _early(log: Log, days: Days, number: int, option: str | None) -> str:
    first = _midnight(days.day[number])
    rows, others = log.rows.t < _literal(first), log.rows.t >= _literal(first)
    what = _rows(log, rows, last_of_them=False)
    gap = _length(int((days.day[number] - days.day[number - 1]).astype(np.int64)))
    start = _day(log, others, last=False)
    remedy = "leave it out" if option is None else f'write {option}="{start}", and rows before it are left out'
    return f"{what}, {gap} before the rows that follow: a mistyped date? Correct it, or {remedy}"


def _late(log: Log, days: Days, number: int, option: str | None) -> str:
    first = len(days.day) - number
    begin = _midnight(days.day[first])
    rows, others = log.rows.t >= _literal(begin), log.rows.t < _literal(begin)
    gap = _length(int((days.day[first] - days.day[first - 1]).astype(np.int64)))
    return (
        f"{_rows(log, rows, last_of_them=True)}, {gap} after the rows before: a mistyped date? The observation ends"
        " with the last row, so that all customers seem to have been silent for that long; correct the date, or"
        f' write {option}="{_day(log, others, last=True)}", and rows after it are left out'
    )


def _future(log: Log, days: Days, option: str | None) -> list[str]:
    """Return a note on rows in the future; a day is allowed for the time zone."""
    today = np.datetime64(dt.datetime.now(dt.UTC).date(), "D")
    ahead = days.day > today + np.timedelta64(1, "D")
    if not ahead.any():
        return []
    rows = log.rows.t >= _literal(_midnight(days.day[ahead][0]))
    note = (
        f"{_rows(log, rows, last_of_them=True)}, which is in the future: the observation ends with the last row, so"
        f' that customers seem to be silent in a time still to come; write {option}="{today}", and rows after it are'
        " left out, or correct the dates"
    )
    return [note]


def _rows(log: Log, where: ir.BooleanValue, *, last_of_them: bool) -> str:
    """Return how many rows there are, their money, and the most extreme of them."""
    rows = log.rows.filter(log.rows.id.notnull() & where)
    number, money = log.counted(rows)
    if not number:
        raise DataError(_CONTRADICTION)
    order = [rows.t.desc() if last_of_them else rows.t, rows.id]
    extreme = log.run(rows.order_by(order).select("t", id=rows.id.cast("string")).limit(1))
    worth = "" if money is None else f" (money {money:,.2f})"
    verb = "is" if number == 1 else "are"
    at = f"of {_local(log, extreme['t'][0])}"
    which = at if number == 1 else f"dated up to {at[3:]}" if last_of_them else f"dated from {at[3:]} on"
    return f"{count(number, 'row')}{worth} {verb} {which} (customer {shown(extreme['id'][0].as_py())})"


def _day(log: Log, where: ir.BooleanValue, *, last: bool) -> str:
    """Return the local day of the last or the first of some rows."""
    times = log.rows.t.max if last else log.rows.t.min
    return _local(log, log.run(log.rows.aggregate(t=times(where=where & log.rows.id.notnull())))["t"][0])


def _local(log: Log, time: object) -> str:
    moment = fetched(time)
    if moment is None:
        raise DataError(_CONTRADICTION)
    inside = dt.MINYEAR < moment.year < dt.MAXYEAR
    local = log.clock.to_local(moment) if log.clock.in_utc and inside else moment
    return f"{local:%Y-%m-%d}"


def _midnight(day: np.datetime64) -> dt.datetime:
    at: dt.datetime = day.astype("datetime64[us]").item()
    return at


def _literal(moment: dt.datetime) -> ir.TimestampScalar:
    import ibis

    return ibis.literal(moment)


def _length(days: int) -> str:
    return f"{days / 365.25:,.0f} years" if days >= 2 * 365.25 else count(days, "day")
