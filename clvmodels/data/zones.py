"""Clocks: instants and local times of one zone, as scalars and as Ibis expressions.

The rules of a zone are written as a CASE over its changes of offset, so that every engine computes the same and none
needs a time zone database or a user-defined function.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from clvmodels.arguments import require_text
from clvmodels.errors import DataError

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["Clock", "parse_zone"]

_OFFSET = re.compile(r"(?:UTC)?([+-])(\d{2}):?(\d{2})")
_DAY = timedelta(days=1)
_HOURS, _MINUTES = 24, 60
_SECOND = timedelta(seconds=1)
_SPAN = (datetime(1900, 1, 1), datetime(2200, 1, 1))  # changes of offset are looked for between these


class _Change(NamedTuple):
    """A change of a zone's offset from UTC."""

    instant: datetime
    before: timedelta
    after: timedelta


def parse_zone(name: str) -> tzinfo:
    """Return the zone of a name such as ``"Europe/Berlin"`` or ``"+02:00"``.

    Raises
    ------
    DataError
        If there is no such zone.

    Examples
    --------
    >>> parse_zone("+02:00").utcoffset(None)
    datetime.timedelta(seconds=7200)
    """
    require_text("time_zone", name, 'the name of a time zone, such as "Europe/Berlin"', DataError)
    match = _OFFSET.fullmatch(name)
    if match and int(match[2]) < _HOURS and int(match[3]) < _MINUTES:
        offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
        return timezone(-offset if match[1] == "-" else offset)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise DataError(
            f'unknown time zone {name!r}; write a name such as "Europe/Berlin", "UTC" or "+02:00"'
        ) from error


@dataclass(frozen=True)
class Clock:
    """How the time column of a log is to be read.

    Attributes
    ----------
    zone
        The zone whose days are counted; None if the times are of no known zone.
    in_utc
        The column holds instants in UTC; otherwise it holds the local times of the zone.
    span
        The first and the last time in the column.
    """

    zone: tzinfo | None = None
    in_utc: bool = False
    span: tuple[datetime, datetime] = _SPAN

    def to_instant(self, local: datetime) -> datetime:
        """Return the instant in UTC of a local time; an ambiguous time is the earlier of the two instants."""
        if self.zone is None:
            return local
        return local.replace(tzinfo=self.zone).astimezone(UTC).replace(tzinfo=None)

    def to_local(self, instant: datetime) -> datetime:
        """Return the local time of an instant in UTC."""
        if self.zone is None:
            return instant
        return instant.replace(tzinfo=UTC).astimezone(self.zone).replace(tzinfo=None)

    def in_column(self, local: datetime) -> datetime:
        """Return a local time as the column holds it."""
        return self.to_instant(local) if self.in_utc else local

    def instants(self, column: ir.TimestampValue) -> ir.TimestampValue:
        """Return the column as instants in UTC (as it is, if no zone is known)."""
        if self.zone is None or self.in_utc:
            return column
        changes = self._changes()
        # A skipped or repeated hour belongs to the offset before the change, as in `to_instant`.
        starts = [(change.instant + max(change.before, change.after), -change.after) for change in changes]
        return _shifted(column, starts, -self._first_offset(changes))

    def local_times(self, column: ir.TimestampValue) -> ir.TimestampValue:
        """Return the column as local times of the zone (as it is, if it holds them or no zone is known)."""
        if self.zone is None or not self.in_utc:
            return column
        changes = self._changes()
        return _shifted(column, [(change.instant, change.after) for change in changes], self._first_offset(changes))

    def _offset(self, instant: datetime) -> timedelta:
        """Return the zone's offset from UTC at an instant."""
        assert self.zone is not None
        return instant.replace(tzinfo=UTC).astimezone(self.zone).utcoffset() or timedelta()

    def _first_offset(self, changes: list[_Change]) -> timedelta:
        return changes[0].before if changes else self._offset(min(max(self.span[0], _SPAN[0]), _SPAN[1]))

    def _changes(self) -> list[_Change]:
        """Return the changes of offset within the span of the column, a day beyond either end included."""
        if isinstance(self.zone, timezone):
            return []
        day, stop = max(self.span[0], _SPAN[0] + _DAY) - _DAY, min(self.span[1], _SPAN[1] - _DAY) + _DAY
        changes = []
        while day < stop:
            before, after = self._offset(day), self._offset(day + _DAY)
            if before != after:
                changes.append(_Change(self._first_with(after, day, day + _DAY), before, after))
            day += _DAY
        return changes

    def _first_with(self, offset: timedelta, low: datetime, high: datetime) -> datetime:
        """Return the first second of (low, high] with an offset, by bisection."""
        while high - low > _SECOND:
            middle = low + timedelta(seconds=(high - low) // _SECOND // 2)
            low, high = (low, middle) if self._offset(middle) == offset else (middle, high)
        return high


def _shifted(
    column: ir.TimestampValue, starts: list[tuple[datetime, timedelta]], first: timedelta
) -> ir.TimestampValue:
    """Return a column moved by the shift that holds from the last start at or before each time."""
    import ibis

    otherwise = _moved(column, first)
    if not starts:
        return otherwise
    cases = [(column >= ibis.literal(start), _moved(column, shift)) for start, shift in reversed(starts)]
    return ibis.cases(*cases, else_=otherwise)


def _moved(column: ir.TimestampValue, shift: timedelta) -> ir.TimestampValue:
    import ibis

    seconds = int(shift.total_seconds())
    return column if seconds == 0 else column + ibis.interval(seconds=seconds)
