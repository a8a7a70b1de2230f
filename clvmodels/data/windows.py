"""A window of observation: which rows lie in it, and the clock that occasions in it are dated by."""

# ruff: noqa: PD004 - notnull is what Ibis has

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.data.zones import Clock
from clvmodels.errors import DataError

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import numpy.typing as npt
    import pandas as pd

    from clvmodels.data.bounds import WindowBound
    from clvmodels.units import Unit

__all__ = ["Window", "following", "window_start"]

_TICK = dt.timedelta(microseconds=1)
_CODES: Final[dict[Unit, str]] = {"hour": "h", "day": "D", "week": "W", "month": "M", "year": "Y"}


def window_start(time: dt.datetime, resolution: Unit) -> dt.datetime:
    """Return the start of the hour, day, week (from Monday), month or year that a time lies in.

    Examples
    --------
    >>> window_start(dt.datetime(2024, 2, 1, 15), "week")
    datetime.datetime(2024, 1, 29, 0, 0)
    """
    if resolution == "hour":
        return time.replace(minute=0, second=0, microsecond=0)
    day = time.replace(hour=0, minute=0, second=0, microsecond=0)
    if resolution == "week":
        return day - dt.timedelta(days=day.weekday())
    if resolution == "day":
        return day
    return day.replace(day=1) if resolution == "month" else day.replace(month=1, day=1)


def following(start: dt.datetime, resolution: Unit) -> dt.datetime:
    """Return the start of the window after the one that starts at `start`.

    Examples
    --------
    >>> following(dt.datetime(2024, 2, 1), "month")
    datetime.datetime(2024, 3, 1, 0, 0)
    """
    longest = {"hour": 1 / 24, "day": 1, "week": 7, "month": 31, "year": 366}[resolution]
    return window_start(start + dt.timedelta(days=longest), resolution)


@dataclass(frozen=True)
class Window:
    """From a start (included; None: from the beginning) to an end (included).

    Attributes
    ----------
    start, end
        In local time.
    resolution
        All purchases of a customer within one such window are one occasion, dated by the start of that window on the
        local clock. None: occasions are dated exactly, by instants.
    clock
        The clock of the log.
    """

    start: WindowBound | None
    end: WindowBound
    resolution: Unit | None
    clock: Clock

    def before(self, t: ir.TimestampValue) -> ir.BooleanValue | None:
        """Return whether rows lie before the window; None if nothing can."""
        import ibis

        if self.start is None:
            return None
        return t < ibis.literal(self.clock.in_column(self.start.local))

    def after(self, t: ir.TimestampValue) -> ir.BooleanValue:
        """Return whether rows lie after the window."""
        import ibis

        return t >= ibis.literal(self.clock.in_column(self.end.after))

    def rows(self, table: ir.Table) -> ir.Table:
        """Return the rows within the window that have a customer and a time."""
        inside = table.filter(table.id.notnull() & ~self.after(table.t))
        before = self.before(inside.t)
        return inside if before is None else inside.filter(~before)

    @property
    def whole_days(self) -> bool:
        """Whether occasions are dated by days."""
        return self.resolution not in (None, "hour")

    def dates(self, t: ir.TimestampValue) -> ir.TimestampValue | ir.DateValue:
        """Return the dates of occasions: instants in UTC, or starts of merging windows in local time, days as DATE."""
        if self.resolution is None:
            return self.clock.instants(t)
        local = self.clock.local_times(t)
        start = local if self.resolution == "day" else local.truncate(_CODES[self.resolution])
        return start.date() if self.whole_days else start

    def local_times(self, dates: ir.Column) -> ir.TimestampValue:
        """Return `dates` as times on the local clock."""
        times = dates.cast("timestamp")
        return times if self.resolution is not None else replace(self.clock, in_utc=True).local_times(times)

    def date(self, start: dt.datetime) -> ir.TimestampScalar | ir.DateScalar:
        """Return one of `dates`, to compare them with."""
        import ibis

        return ibis.literal(start.date() if self.whole_days else start)

    @property
    def closing(self) -> dt.datetime:
        """The date up to which age is measured, on the clock of `dates`."""
        if self.resolution is None:
            return self.clock.to_instant(self.end.closing)
        return window_start(self.end.after - _TICK, self.resolution)

    @property
    def next_date(self) -> dt.datetime:
        """The first date after the window, on the clock of `dates`.

        Raises
        ------
        DataError
            If the window ends within a merging window, which would then be counted in two windows, or in none.
        """
        if self.resolution is None:
            return self.clock.to_instant(self.end.after)
        if window_start(self.end.after, self.resolution) != self.end.after:
            raise DataError(self._misaligned(self.resolution))
        return self.end.after

    def _misaligned(self, resolution: Unit) -> str:
        start = window_start(self.end.local, resolution)
        last, day = following(start, resolution) - dt.timedelta(days=1), dt.timedelta(days=1)
        advice = "" if resolution == "hour" else f"; end it with {(start - day).date()} or {last.date()}"
        return (
            f"the window ends {self.end.local} within the {resolution} from {start}, and a {resolution} must not be"
            f' counted in both windows{advice}, or use a finer resolution (resolution="day", or None for exact times)'
        )

    @property
    def zone_of_dates(self) -> dt.tzinfo | None:
        """The zone of the dates, if they are instants of a known zone."""
        return self.clock.zone if self.resolution is None else None

    def labels(self, dates: npt.NDArray[np.datetime64]) -> pd.DatetimeIndex:
        """Return dates with their zone, if they are instants of a known zone."""
        import pandas as pd

        index = pd.DatetimeIndex(dates)
        return index if self.zone_of_dates is None else index.tz_localize("UTC").tz_convert(self.zone_of_dates)

    def label(self, moment: WindowBound) -> pd.Timestamp:
        """Return one end of the window as histories state it: a midnight stands for the whole day."""
        import pandas as pd

        local = moment.local
        at_midnight = local == window_start(local, "day")
        if self.resolution is None and at_midnight and not moment.whole_day:
            local -= dt.timedelta(days=1)  # the instant of midnight closes the day before
        if self.resolution is not None or self.clock.zone is None:
            return pd.Timestamp(local)
        return pd.Timestamp(local).tz_localize(self.clock.zone, ambiguous=True, nonexistent="shift_forward")
