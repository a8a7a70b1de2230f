"""Ends of a window as users write them: a day, which counts whole, or an instant."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from clvmodels.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.zones import Clock

__all__ = ["Moment", "read_moment"]

_TICK = dt.timedelta(microseconds=1)
_TIME_OF_DAY = re.compile(r"\d{1,2}:\d{2}")


@dataclass(frozen=True)
class Moment:
    """A day or an instant, in local time.

    Attributes
    ----------
    local
        The local time: midnight, if a day is meant.
    whole_day
        Whether the whole day is meant.
    """

    local: dt.datetime
    whole_day: bool

    @property
    def after(self) -> dt.datetime:
        """The first local time that is no longer part of it: times up to and including it are below this."""
        return self.local + (dt.timedelta(days=1) if self.whole_day else _TICK)

    @property
    def closing(self) -> dt.datetime:
        """The local time up to which age is measured: the end of the day, or the instant."""
        return self.after if self.whole_day else self.local


def read_moment(given: object, name: str, clock: Clock) -> Moment:
    """Return what the user wrote as a day or an instant.

    A text without a time of day, a date, and a midnight that is no text mean the whole day.

    Raises
    ------
    DataError
        If it cannot be read, is missing, or has a zone although the log has none.
    """
    import pandas as pd

    if isinstance(given, bool | int | float):
        raise DataError(
            f'{name} is a date such as "2024-01-31" or an instant such as "2024-01-31 18:00", got {given!r}'
        )
    try:
        time = pd.Timestamp(cast("str | dt.date", given))
    except (ValueError, TypeError) as error:
        raise DataError(f'cannot read {name} {given!r}; write a date such as "2024-01-31"') from error
    if pd.isna(time):
        raise DataError(f"{name} is missing ({given!r})")
    if time.tzinfo is not None:
        if clock.zone is None:
            raise DataError(f"{name} {given!r} has a time zone, but the times of the log have none; give time_zone=...")
        time = time.tz_convert(clock.zone).tz_localize(None)
    instant = isinstance(given, str) and _TIME_OF_DAY.search(given) is not None
    return Moment(_plain(time), whole_day=time == time.normalize() and not instant)


def _plain(time: pd.Timestamp) -> dt.datetime:
    """Return a time as a datetime to the microsecond."""
    return time.floor("us").to_pydatetime()
