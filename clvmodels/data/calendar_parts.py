"""The kinds of columns that a calendar has, each a table of days from which values hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from clvmodels.errors import DataError

__all__ = ["PARTS", "Days", "FramePart", "HolidayPart", "Part", "SeasonPart", "TrendPart", "day_of"]

type Days = npt.NDArray[np.datetime64]
FloatArray = npt.NDArray[np.float64]

ONE: Final = np.timedelta64(1, "D")
MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}
EPOCH: Final = np.datetime64("2000-01-01", "D")
YEAR: Final = 365.25
LAST_OF_MONTH: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class Part(Protocol):
    """Some columns of a calendar."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Their names."""

    @property
    def first(self) -> np.datetime64 | None:
        """The first day that is known; None: all are."""

    @property
    def until(self) -> np.datetime64 | None:
        """The first day that is not known any more; None: all later ones are."""

    @property
    def seasons_of_year(self) -> bool:
        """Whether there is a column for each part of the year but one, so that a single year does not identify them."""

    def table(self, start: np.datetime64, end: np.datetime64) -> tuple[Days, FloatArray]:
        """Return days on which values change, the first of them not after `start`, and the values from each day on.

        Days before `end` are all there; shape (days,) and (days, columns).
        """

    def plain(self) -> dict[str, Any]:
        """Return the part as plain data."""


def day_of(value: object, what: str) -> np.datetime64:
    """Return the day that a date names.

    Raises
    ------
    DataError
        If it is no date, or has a time of day.

    Examples
    --------
    >>> day_of("2024-03-01", "date")
    np.datetime64('2024-03-01')
    """
    import pandas as pd

    try:
        time = pd.Timestamp(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f'{what} is a day such as "2024-03-01", got {value!r}') from error
    if not time == time.normalize():  # NaT equals nothing
        raise DataError(f'{what} is a day such as "2024-03-01", without a time of day, got {value!r}')
    return np.datetime64(time.date(), "D")


def _months(start: np.datetime64, end: np.datetime64, step: int) -> Days:
    """Return the first days of months, or of quarters or years, that cover the days from `start` to `end`."""
    first = int(start.astype("datetime64[M]").astype(int)) // step * step
    last = int(end.astype("datetime64[M]").astype(int))
    return np.arange(first, last + step, step).astype("datetime64[M]").astype("datetime64[D]")


def _shifted(days: Days, years: int) -> Days:
    """Return days the same so many years later; 29 February is 1 March in years that do not have it."""
    months = days.astype("datetime64[M]")
    return np.asarray((months + 12 * years).astype("datetime64[D]") + (days - months.astype("datetime64[D]")))


@dataclass(frozen=True, eq=False)
class FramePart:
    """Columns from a table.

    Attributes
    ----------
    columns
        Their names.
    days, values
        The days from which each row holds, in order, shape (rows,), and the rows, shape (rows, columns).
    end
        The first day for which the last row does not hold.
    periodic
        Whether the years before and after are like the first and the last year of the table.
    """

    columns: tuple[str, ...]
    days: Days
    values: FloatArray
    end: np.datetime64
    periodic: bool
    seasons_of_year = False

    @property
    def first(self) -> np.datetime64 | None:
        """The first day that is known."""
        return None if self.periodic else self.days[0]

    @property
    def until(self) -> np.datetime64 | None:
        """The first day that is not known any more."""
        return None if self.periodic else self.end

    def table(self, start: np.datetime64, end: np.datetime64) -> tuple[Days, FloatArray]:
        """Return the rows; of a periodic table also those of the years before and after."""
        days, values = self.days, self.values
        if self.periodic:
            days, values = self._repeated(start, end)
        return days, values

    def _repeated(self, start: np.datetime64, end: np.datetime64) -> tuple[Days, FloatArray]:
        parts = [(self.days, self.values)]
        first, last = self.days[0], self.end
        for step in (-1, 1):
            low = first if step < 0 else _shifted(np.array([last]), -1)[0]
            high = _shifted(np.array([first]), 1)[0] if step < 0 else last
            year = self._within(low, high)
            missing = _years_between(start, first) if step < 0 else _years_between(last, end)
            for count in range(1, missing + 2):
                moved = _shifted(year[0], step * count), year[1]
                parts = [moved, *parts] if step < 0 else [*parts, moved]
        days, values = np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
        unique, place = np.unique(days, return_index=True)
        return unique, values[place]

    def _within(self, low: np.datetime64, high: np.datetime64) -> tuple[Days, FloatArray]:
        """Return the rows that hold from one day to another, the first from that day on."""
        first = int(np.searchsorted(self.days, low, side="right")) - 1
        last = int(np.searchsorted(self.days, high))
        return np.maximum(self.days[first:last], low), self.values[first:last]

    def plain(self) -> dict[str, Any]:
        """Return the part as plain data."""
        return {
            "kind": "frame",
            "columns": list(self.columns),
            "days": [str(day) for day in self.days],
            "values": self.values.tolist(),
            "end": str(self.end),
            "periodic": self.periodic,
        }


def _years_between(start: np.datetime64, end: np.datetime64) -> int:
    """Return how many years there are between two days, rounded up; none or fewer if the second is earlier."""
    return int(np.ceil(float((end - start) / ONE) / YEAR))


@dataclass(frozen=True)
class SeasonPart:
    """A column for each part of the year but the first, or for each of some named seasons.

    Attributes
    ----------
    by
        ``"month"``, ``"quarter"``, or the first and the last day of each season, as ``"11-20"``, by its name.
    """

    by: str | Mapping[str, tuple[str, str]]
    first = None
    until = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names: those of the seasons, or ``month_2``, ``month_3``, ..."""
        if isinstance(self.by, str):
            return tuple(f"{self.by}_{k}" for k in range(2, 12 // MONTHS[self.by] + 1))
        return tuple(self.by)

    @property
    def seasons_of_year(self) -> bool:
        """Whether the columns are the parts of the year."""
        return isinstance(self.by, str)

    def table(self, start: np.datetime64, end: np.datetime64) -> tuple[Days, FloatArray]:
        """Return the days on which seasons begin and end."""
        if isinstance(self.by, str):
            days = _months(start, end, MONTHS[self.by])
            part = days.astype("datetime64[M]").astype(int) % 12 // MONTHS[self.by]
            return days, (part[:, None] == np.arange(1, 12 // MONTHS[self.by])).astype(float)
        years = np.arange(start.astype("datetime64[Y]") - 1, end.astype("datetime64[Y]") + 2).astype("datetime64[Y]")
        spans = [(_in_years(years, low), _in_years(years, high) + ONE) for low, high in self.by.values()]
        days = np.unique(np.concatenate([years.astype("datetime64[D]"), *(edge for span in spans for edge in span)]))
        columns = [_inside(days, begin, stop) for begin, stop in spans]
        return days, np.column_stack(columns)

    def plain(self) -> dict[str, Any]:
        """Return the part as plain data."""
        by = self.by if isinstance(self.by, str) else {name: list(span) for name, span in self.by.items()}
        return {"kind": "seasons", "by": by}


def _in_years(years: Days, month_and_day: str) -> Days:
    """Return a day of each year; 29 February is 28 February in years that do not have it."""
    month, day = map(int, month_and_day.split("-"))
    first = years.astype("datetime64[M]") + (month - 1)
    last = (first + 1).astype("datetime64[D]") - ONE
    return np.asarray(np.minimum(first.astype("datetime64[D]") + (day - 1), last))


def _inside(days: Days, begin: Days, stop: Days) -> FloatArray:
    """Return 1 for days within a season of any year; one that begins after it ends goes on into the next year."""
    begun = np.searchsorted(begin, days, side="right")
    ended = np.searchsorted(stop, days, side="right")
    over_new_year = begin[0] >= stop[0]
    return ((begun >= ended) if over_new_year else (begun > ended)).astype(float)


@dataclass(frozen=True)
class HolidayPart:
    """A column that is 1 on the public holidays of a country.

    Attributes
    ----------
    country, subdivision
        Codes, such as ``"DE"`` and ``"BY"``.
    """

    country: str
    subdivision: str | None = None
    columns = ("holiday",)
    first = None
    until = None
    seasons_of_year = False

    def dates(self, start: np.datetime64, end: np.datetime64) -> Days:
        """Return the holidays of the years from one day to another."""
        import holidays

        years = range(int(str(start)[:4]) - 1, int(str(end)[:4]) + 2)
        try:
            named = holidays.country_holidays(self.country, subdiv=self.subdivision, years=years)
        except NotImplementedError as error:
            place = f"{self.country!r}" if self.subdivision is None else f"{self.country!r}, {self.subdivision!r}"
            raise DataError(
                f'no holidays are known of {place}; write a code of two letters such as "DE", or a part of a country'
                f' such as Calendar.holidays("DE", subdivision="BY") ({error})'
            ) from error
        return np.unique(np.array(list(named), dtype="datetime64[D]"))

    def table(self, start: np.datetime64, end: np.datetime64) -> tuple[Days, FloatArray]:
        """Return the holidays and the days after them."""
        of_years = self.dates(start, end)
        days = np.unique(np.concatenate([[start - ONE], of_years, of_years + ONE]))
        return days, np.isin(days, of_years).astype(float)[:, None]

    def plain(self) -> dict[str, Any]:
        """Return the part as plain data."""
        return {"kind": "holidays", "country": self.country, "subdivision": self.subdivision}


@dataclass(frozen=True)
class TrendPart:
    """A column that rises by one a year, in steps of a month, a quarter or a year.

    Attributes
    ----------
    by
        The step.
    """

    by: str
    columns = ("trend",)
    first = None
    until = None
    seasons_of_year = False

    def table(self, start: np.datetime64, end: np.datetime64) -> tuple[Days, FloatArray]:
        """Return the first day of each step; the value is the middle of the step in years since 2000."""
        days = _months(start, end, MONTHS[self.by])
        after = (days.astype("datetime64[M]") + MONTHS[self.by]).astype("datetime64[D]")
        middle = 0.5 * ((days - EPOCH) / ONE + (after - EPOCH) / ONE)
        return days, (middle / YEAR)[:, None]

    def plain(self) -> dict[str, Any]:
        """Return the part as plain data."""
        return {"kind": "trend", "by": self.by}


def _frame(plain: Mapping[str, Any]) -> FramePart:
    days = np.array(plain["days"], dtype="datetime64[D]")
    values = np.array(plain["values"], dtype=float)
    return FramePart(tuple(plain["columns"]), days, values, np.datetime64(plain["end"], "D"), bool(plain["periodic"]))


def _seasons(plain: Mapping[str, Any]) -> SeasonPart:
    by = plain["by"]
    return SeasonPart(by if isinstance(by, str) else {name: (low, high) for name, (low, high) in by.items()})


PARTS: Final[dict[str, Callable[[Mapping[str, Any]], Part]]] = {
    "frame": _frame,
    "seasons": _seasons,
    "holidays": lambda plain: HolidayPart(plain["country"], plain["subdivision"]),
    "trend": lambda plain: TrendPart(plain["by"]),
}
"""How each kind is read from plain data."""
