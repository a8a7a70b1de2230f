"""Units of model time, and durations written with their unit.

A unit is a fixed length of time: a month is a twelfth of a year and a year is 365.25 days, so that the
same words mean the same number everywhere. The length of a *valuation* year may be chosen apart from
this (``Assumptions(year="52 weeks")``, as the published examples do).
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final, Literal

from clvmodels.arguments import abridged, as_number
from clvmodels.errors import UnitError, one_of

__all__ = ["DAYS", "Duration", "Unit", "duration", "parse_unit", "read_duration"]

Unit = Literal["hour", "day", "week", "month", "year"]
Duration = str | float | timedelta

DAYS: Final[dict[Unit, float]] = {
    "hour": 1 / 24,
    "day": 1.0,
    "week": 7.0,
    "month": 365.25 / 12,
    "year": 365.25,
}
"""Length of each unit in days."""

_LONGEST: Final = 200
_MOST: Final = 1e12
"""Of any unit: an hour is then still told apart from none, and what is computed with durations stays finite."""

_WRITTEN = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([A-Za-z]+)\s*")


def parse_unit(text: str) -> Unit:
    """Return the unit that `text` names, in singular or plural.

    Raises
    ------
    UnitError
        If there is no such unit.

    Examples
    --------
    >>> parse_unit("weeks")
    'week'
    """
    if not isinstance(text, str):
        raise UnitError(f'a unit of time is a text such as "week", got {abridged(text)}')
    name = text.strip().lower()
    name = name.removesuffix("s")
    if name not in DAYS:
        raise UnitError(one_of("unit of time", text[:_LONGEST], DAYS))
    return name


def duration(value: Duration, unit: Unit) -> float:
    """Return a duration as a number of `unit`.

    Parameters
    ----------
    value
        ``"52 weeks"``, ``"1.5 months"``, a ``timedelta``, or a bare number, which is taken to be in `unit`.
    unit
        The unit of the result.

    Raises
    ------
    UnitError
        If the text cannot be read, its unit is unknown, or the duration is negative or not finite.

    Examples
    --------
    >>> duration("52 weeks", "day")
    364.0
    >>> duration(39, "week")
    39.0
    """
    name = parse_unit(unit)
    number, given = read_duration(value, name)
    converted = number if given == name else number * DAYS[given] / DAYS[name]
    return _finite(converted, value)


def read_duration(value: Duration, unit: Unit) -> tuple[float, Unit]:
    """Return the number and the unit of a duration as it is written; `unit` is that of a bare number.

    Raises
    ------
    UnitError
        As `duration` does.

    Examples
    --------
    >>> read_duration("10 years", "week")
    (10.0, 'year')
    """
    given: Unit = unit
    if isinstance(value, timedelta):
        number, given = value / timedelta(days=1), "day"
    elif isinstance(value, str):
        match = _WRITTEN.fullmatch(value) if len(value) <= _LONGEST else None
        if match is None:
            raise UnitError(
                f'cannot read the duration {abridged(value)}; write a number and a unit, such as "52 weeks"'
            )
        number, given = float(match[1]), parse_unit(match[2])
    else:
        number = as_number(value)
    return _finite(number, value), given


def _finite(number: float, value: object) -> float:
    """Return the number of a duration; refuse one that is none, negative, or longer than the longest."""
    if not 0.0 <= number <= _MOST:
        raise UnitError(
            f"a duration is a number from zero up, of some unit and of at most {_MOST:g}, got {abridged(value)}; write,"
            ' for example, "52 weeks"'
        )
    return number
