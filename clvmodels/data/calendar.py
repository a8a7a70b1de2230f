"""Calendars: dated periods with values that all customers share, such as seasons, holidays, prices, a trend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import numpy as np
import numpy.typing as npt

from clvmodels.arguments import require_choice, require_flag, require_text
from clvmodels.data.calendar_parts import (
    LAST_OF_MONTH,
    MONTHS,
    ONE,
    PARTS,
    Days,
    FramePart,
    HolidayPart,
    Part,
    SeasonPart,
    TrendPart,
    day_of,
)
from clvmodels.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Calendar"]

FloatArray = npt.NDArray[np.float64]

DATES_OF_SEASON: Final = 2


@dataclass(frozen=True, eq=False)
class Calendar:
    """What differs from day to day for all customers alike; ``clv.BGNBD(calendar=calendar)`` takes it up.

    Calendars are made by `from_frame`, `seasons`, `holidays` and `trend`, and added: ``a + b`` has the columns of both.

    Attributes
    ----------
    parts
        Its columns by kind.

    Examples
    --------
    >>> calendar = Calendar.seasons({"christmas": ("11-20", "12-31")}) + Calendar.trend("quarter")
    >>> calendar
    Calendar(christmas, trend)
    >>> calendar.to_frame("2024-10-01", "2025-01-31").round(2)
                christmas  trend
    date
    2024-10-01        0.0  24.88
    2024-11-20        1.0  24.88
    2025-01-01        0.0  25.13
    """

    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        """Require that each column is there once.

        Raises
        ------
        DataError
            If a column is there twice.
        """
        twice = [name for k, name in enumerate(self.columns) if name in self.columns[:k]]
        if twice:
            raise DataError(f"the calendar has the column {twice[0]!r} twice; rename one of them")

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        date: str = "date",
        columns: Sequence[str] | None = None,
        until: str | pd.Timestamp | None = None,
        periodic: bool = False,
    ) -> Self:
        """Return the calendar of a table; a row holds from its date until the next one's.

        Parameters
        ----------
        frame
            One row a period.
        date
            The column of the days on which periods begin.
        columns
            The columns to take, of numbers; all others if left out.
        until
            The last day for which the last row holds; if left out, it holds for as long as the row before it.
        periodic
            Whether years before and after the table are like its first and its last year. A calendar that is not
            periodic is not asked for what lies beyond it.

        Raises
        ------
        DataError
            If a column is missing, holds no numbers or lacks some, or dates are not days, or there twice; or a
            periodic calendar covers less than a year.

        Examples
        --------
        >>> import pandas as pd
        >>> weeks = pd.DataFrame({"date": ["2024-01-01", "2024-01-08", "2024-01-15"], "price": [1.0, 1.2, 1.0]})
        >>> Calendar.from_frame(weeks, columns=["price"]).until
        Timestamp('2024-01-22 00:00:00')
        """
        names = [name for name in frame.columns if name != date] if columns is None else list(_names(columns))
        for name in (date, *names):
            if name not in frame.columns:
                raise DataError(f"the calendar has no column {name!r}; it has {', '.join(map(str, frame.columns))}")
        if not names or not len(frame):
            raise DataError("a calendar needs a row and a column beside the date, got a table without")
        days = np.array([day_of(value, f"{date} of the calendar") for value in frame[date]], dtype="datetime64[D]")
        order = np.argsort(days, kind="stable")
        days = days[order]
        twice = np.flatnonzero(days[1:] == days[:-1])
        if len(twice):
            raise DataError(f"the calendar has two rows of {days[twice[0]]}; leave one out")
        values = np.column_stack([_numbers(frame[name].to_numpy()[order], name, days) for name in names])
        repeats = require_flag("periodic", periodic, DataError)
        end = _end(days, None if until is None else day_of(until, "until"))
        if repeats and end - days[0] < np.timedelta64(365, "D"):
            raise DataError(
                f"a periodic calendar repeats whole years, and this one covers the days from {days[0]} to {end - ONE};"
                " give it the rows of a year"
            )
        return cls((FramePart(tuple(map(str, names)), days, values, end, repeats),))

    @classmethod
    def seasons(cls, by: Literal["month", "quarter"] | Mapping[str, tuple[str, str]]) -> Self:
        """Return a calendar of the seasons of the year.

        Parameters
        ----------
        by
            ``"month"`` or ``"quarter"``: a column for each but the first, which the others are compared with. Or the
            first and the last day of each season by its name; what lies in none of them is what they are compared with.

        Raises
        ------
        DataError
            If a season has no two days such as ``("11-20", "12-31")``.

        Examples
        --------
        >>> Calendar.seasons("quarter")
        Calendar(quarter_2, quarter_3, quarter_4)
        >>> Calendar.seasons({"winter": ("12-01", "02-28")}).to_frame("2024-01-15", "2024-12-31")["winter"].to_list()
        [1.0, 0.0, 1.0]
        """
        if isinstance(by, str):
            require_choice("by", by, ("month", "quarter"), DataError)
            return cls((SeasonPart(by),))
        named: object = by
        if not isinstance(named, Mapping) or not named:
            raise DataError(f'seasons are "month", "quarter", or days by name: {_EXAMPLE}, got {by!r}')
        return cls((SeasonPart({str(name): _season(str(name), days) for name, days in by.items()}),))

    @classmethod
    def holidays(cls, country: str, *, subdivision: str | None = None) -> Self:
        """Return a calendar of public holidays: the column ``holiday`` is 1 on these days.

        Parameters
        ----------
        country, subdivision
            Codes such as ``"DE"``, and ``"BY"``, as of the package ``holidays``.

        Raises
        ------
        DataError
            If no holidays are known of such a country.

        Examples
        --------
        >>> frame = Calendar.holidays("DE").to_frame("2024-12-20", "2024-12-31")
        >>> frame.index[frame["holiday"] == 1.0].date.tolist()
        [datetime.date(2024, 12, 25)]
        """
        require_text("country", country, 'the code of a country, such as "DE"', DataError)
        part = HolidayPart(country, subdivision)
        part.dates(np.datetime64("2024-01-01", "D"), np.datetime64("2024-12-31", "D"))
        return cls((part,))

    @classmethod
    def trend(cls, by: Literal["month", "quarter", "year"] = "quarter") -> Self:
        """Return a calendar whose column ``trend`` rises by one a year, in steps of a month, a quarter or a year.

        A trend is not prolonged: after the end of observation it stays at its last level.

        Raises
        ------
        DataError
            If `by` is another step.

        Examples
        --------
        >>> Calendar.trend("year").to_frame("2024-05-01", "2026-01-01")["trend"].diff().round(2).to_list()
        [nan, 1.0, 1.0]
        """
        require_choice("by", by, tuple(MONTHS), DataError)
        return cls((TrendPart(by),))

    def __add__(self, other: object) -> Self:
        if not isinstance(other, Calendar):
            return NotImplemented
        return type(self)((*self.parts, *other.parts))

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(name for part in self.parts for name in part.columns)

    @property
    def trends(self) -> tuple[str, ...]:
        """Names of the columns that are a trend."""
        return tuple(name for part in self.parts if isinstance(part, TrendPart) for name in part.columns)

    @property
    def seasons_of_year(self) -> tuple[str, ...]:
        """Names of the columns that together are the parts of the year, such as those of months."""
        return tuple(name for part in self.parts if part.seasons_of_year for name in part.columns)

    @property
    def since(self) -> pd.Timestamp | None:
        """The first day that the calendar knows; None: it knows all earlier days."""
        return _timestamp(max((part.first for part in self.parts if part.first is not None), default=None))

    @property
    def until(self) -> pd.Timestamp | None:
        """The first day that the calendar does not know any more; None: it knows all later days."""
        return _timestamp(min((part.until for part in self.parts if part.until is not None), default=None))

    def table(
        self, start: np.datetime64, end: np.datetime64, *, constant_from: np.datetime64 | None = None
    ) -> tuple[Days, FloatArray]:
        """Return the days from `start` on, that included, on which a value changes before `end`, and the values.

        Parameters
        ----------
        start, end
            Days that the calendar knows; `end` itself is left out.
        constant_from
            The day from which trends stay as they are; None: they go on.

        Returns
        -------
        days, values
            Shape (days,) and (days, columns).

        Examples
        --------
        >>> first, last = np.datetime64("2024-01-15"), np.datetime64("2024-08-01")
        >>> Calendar.seasons("quarter").table(first, last)[0].tolist()
        [datetime.date(2024, 1, 15), datetime.date(2024, 4, 1), datetime.date(2024, 7, 1)]
        """
        tables = [part.table(start, end) for part in self.parts]
        days = np.unique(np.concatenate([[start], *(days for days, _ in tables)]))
        days = days[(days >= start) & (days < end)]
        columns = []
        for part, (own, values) in zip(self.parts, tables, strict=True):
            at = days if constant_from is None or not isinstance(part, TrendPart) else np.minimum(days, constant_from)
            columns.append(values[np.searchsorted(own, at, side="right") - 1])
        values = np.concatenate(columns, axis=1)
        new = np.concatenate([[True], (values[1:] != values[:-1]).any(axis=1)])
        return days[new], values[new]

    def to_frame(self, start: str | pd.Timestamp, end: str | pd.Timestamp) -> pd.DataFrame:
        """Return the values by the day from which they hold, of the days from `start` to `end`, both included.

        Raises
        ------
        DataError
            If the calendar does not know all of these days.

        Examples
        --------
        >>> Calendar.seasons({"sale": ("07-01", "07-31")}).to_frame("2024-06-15", "2024-07-10")["sale"].to_list()
        [0.0, 1.0]
        """
        import pandas as pd

        first, after = day_of(start, "start"), day_of(end, "end") + ONE
        self.require(first, after)
        days, values = self.table(first, after)
        return pd.DataFrame(values, index=pd.DatetimeIndex(days, name="date"), columns=list(self.columns))

    def require(self, first: np.datetime64, after: np.datetime64) -> None:
        """Raise DataError unless all days from `first` on, before `after`, are known.

        Examples
        --------
        >>> import pandas as pd
        >>> weeks = pd.DataFrame({"date": ["2024-01-01", "2024-01-08"], "price": [1.0, 1.2]})
        >>> Calendar.from_frame(weeks).require(np.datetime64("2024-01-03"), np.datetime64("2024-02-01"))
        Traceback (most recent call last):
            ...
        clvmodels.errors.DataError: the calendar ends on 2024-01-14 and is needed until 2024-01-31; give it more ...
        """
        since, until = self.since, self.until
        if since is not None and first < np.datetime64(since.date(), "D"):
            raise DataError(
                f"the calendar begins on {since.date()} and is needed from {first} on; give it rows of earlier days"
            )
        if until is not None and after > np.datetime64(until.date(), "D"):
            last = np.datetime64(until.date(), "D") - ONE
            raise DataError(
                f"the calendar ends on {last} and is needed until {after - ONE}; give it more rows, or, if all years"
                " are alike, declare it periodic: Calendar.from_frame(..., periodic=True)"
            )

    def plain(self) -> list[dict[str, Any]]:
        """Return the calendar as plain data, which `from_plain` reads.

        Examples
        --------
        >>> Calendar.trend("year").plain()
        [{'kind': 'trend', 'by': 'year'}]
        """
        return [part.plain() for part in self.parts]

    @classmethod
    def from_plain(cls, parts: Iterable[Mapping[str, Any]]) -> Self:
        """Return the calendar of plain data.

        Examples
        --------
        >>> Calendar.from_plain([{"kind": "trend", "by": "year"}])
        Calendar(trend)
        """
        return cls(tuple(PARTS[part["kind"]](part) for part in parts))

    def __repr__(self) -> str:
        return f"Calendar({', '.join(self.columns)})"


_EXAMPLE: Final = '{"christmas": ("11-20", "12-31")}'


def _names(columns: Sequence[str]) -> Sequence[str]:
    return [columns] if isinstance(columns, str) else columns


def _numbers(values: npt.NDArray[Any], name: str, days: Days) -> FloatArray:
    """Return a column of numbers.

    Raises
    ------
    DataError
        If one is missing or is none.
    """
    try:
        numbers = values.astype(float)
    except (TypeError, ValueError) as error:
        raise DataError(f"the column {name!r} of the calendar must hold numbers: {error}") from error
    missing = np.flatnonzero(~np.isfinite(numbers))
    if len(missing):
        raise DataError(f"the column {name!r} of the calendar has no number on {days[missing[0]]}; fill it in")
    return numbers


def _end(days: Days, last: np.datetime64 | None) -> np.datetime64:
    """Return the day after the last one."""
    if last is None:
        if len(days) == 1:
            raise DataError("a calendar of one row needs to know how long it holds; write until=..., its last day")
        after: np.datetime64 = days[-1] + (days[-1] - days[-2])
        return after
    if last < days[-1]:
        raise DataError(f"the last row of the calendar is of {days[-1]}, after until={last}; write a later day")
    return last + ONE


def _season(name: str, days: object) -> tuple[str, str]:
    """Return the first and the last day of a season.

    Raises
    ------
    DataError
        If these are no days of a year.
    """
    if isinstance(days, Sequence) and not isinstance(days, str) and len(days) == DATES_OF_SEASON:
        first, last = days
        if _is_day_of_year(first) and _is_day_of_year(last):
            return str(first), str(last)
    raise DataError(f"a season has a first and a last day: {_EXAMPLE}, got {days!r} for {name!r}")


def _is_day_of_year(day: object) -> bool:
    parts = str(day).split("-")
    if len(parts) != DATES_OF_SEASON or not all(part.isdecimal() for part in parts):
        return False
    month, number = int(parts[0]), int(parts[1])
    return 1 <= month <= len(LAST_OF_MONTH) and 1 <= number <= LAST_OF_MONTH[month - 1]


def _timestamp(day: np.datetime64 | None) -> pd.Timestamp | None:
    import pandas as pd

    return None if day is None else pd.Timestamp(day)
