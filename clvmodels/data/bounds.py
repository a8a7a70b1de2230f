"""Ends of a window as users write them: a day, which counts whole, or an instant."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, cast

from clvmodels.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from clvmodels.data.zones import Clock

__all__ = ["WindowBound", "at_the_edge", "fetched", "read_bound", "read_time"]

_TICK = dt.timedelta(microseconds=1)
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?)?", re.ASCII)
"""The texts that are read; whether 05.06.2024 is in May or in June nobody can tell."""


@dataclass(frozen=True)
class WindowBound:
    """A day or an instant, in local time.

    Attributes
    ----------
    local
        The local time: midnight, if a day is meant.
    whole_day
        Whether the whole day is meant.
    stated
        Whether the user has stated it; otherwise it comes from the data.
    """

    local: dt.datetime
    whole_day: bool
    stated: bool = True

    @property
    def after(self) -> dt.datetime:
        """The first local time that is no longer part of it: times up to and including it are below this."""
        return self.local + (dt.timedelta(days=1) if self.whole_day else _TICK)

    @property
    def closing(self) -> dt.datetime:
        """The local time up to which age is measured: the end of the day, or the instant."""
        return self.after if self.whole_day else self.local


def read_bound(given: object, name: str, clock: Clock) -> WindowBound:
    """Return what the user wrote as a day or an instant.

    A day without a time, and a midnight however it is written, mean the whole day: a text means what the timestamp that
    it is written from means. An instant is another time of the day.

    Raises
    ------
    DataError
        If it cannot be read, is missing, has a zone although the log has none, or lies at the edge of the calendar.
    """
    time = read_time(given, name)
    if time.tzinfo is not None:
        if clock.zone is None:
            raise DataError(f"{name} {given!r} has a time zone, but the times of the log have none; give time_zone=...")
        time = time.tz_convert(clock.zone).tz_localize(None)
    if at_the_edge(time):
        raise DataError(f'{name} {given!r} is at the edge of the calendar; write a day of the log such as "2024-06-30"')
    return WindowBound(_plain(time), whole_day=time == time.normalize())


def read_time(given: object, name: str) -> pd.Timestamp:
    """Return a date, a datetime, a timestamp or an ISO 8601 text as a timestamp.

    Raises
    ------
    DataError
        If it is none of these, or missing.

    Examples
    --------
    >>> read_time("2024-06-05 12:00", "observation_end")
    Timestamp('2024-06-05 12:00:00')
    >>> read_time("05.06.2024", "observation_end")
    Traceback (most recent call last):
        ...
    clvmodels.errors.DataError: cannot read observation_end '05.06.2024'; write a date such as "2024-06-30"
    """
    import pandas as pd

    if isinstance(given, Real):
        raise DataError(
            f'{name} is a date such as "2024-01-31" or an instant such as "2024-01-31 18:00", got {given!r}'
        )
    unreadable = f'cannot read {name} {given!r}; write a date such as "2024-06-30"'
    if isinstance(given, str) and not _ISO.fullmatch(given):
        raise DataError(unreadable)
    try:
        time = pd.Timestamp(cast("str | dt.date", given))
    except (ValueError, TypeError) as error:
        raise DataError(unreadable) from error
    if pd.isna(time):
        raise DataError(f"{name} is missing ({given!r})")
    return time


def at_the_edge(time: dt.datetime) -> bool:
    """Return whether a time is of the first or last year of the calendar, where a day or a zone further is no date."""
    return time.year in (dt.MINYEAR, dt.MAXYEAR)


def fetched(time: pa.TimestampScalar) -> dt.datetime | None:
    """Return a time from an engine, None if missing; infinity, and what else is beyond the calendar, as its edge."""
    try:
        moment: dt.datetime | None = time.as_py()
    except OverflowError:
        return dt.datetime.max if time.value > 0 else dt.datetime.min  # noqa: DTZ901 - as others, without a zone
    return moment


def _plain(time: pd.Timestamp) -> dt.datetime:
    """Return a time as a datetime to the microsecond."""
    return time.floor("us").to_pydatetime()
