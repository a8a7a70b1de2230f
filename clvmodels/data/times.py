"""The time column of a log as timestamps: text is parsed, never compared; zones are kept, never dropped."""

# ruff: noqa: PD004 - notnull is what Ibis has

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from clvmodels.arguments import require_text
from clvmodels.data.bounds import fetched
from clvmodels.data.columns import count, examples
from clvmodels.data.duckdb_engine import PrivateEngine
from clvmodels.data.formats import read_in_spark
from clvmodels.data.spark_engine import SparkEngine
from clvmodels.data.zones import Clock, parse_zone
from clvmodels.errors import DataError

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from clvmodels.data.engine import Engine
    from clvmodels.data.sources import Source

__all__ = ["Reading", "clock_of", "parsed", "read_times"]

_MICROSECONDS = "timestamp(6)"
_INSTANTS = "timestamp('UTC', 6)"
_ISO = r"^\d{4}-\d{1,2}-\d{1,2}([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(Z| UTC| ?[+-]\d{2}(:?\d{2})?)?)?$"
_OFFSET = r":\d{2}(\.\d+)?(Z| UTC| ?[+-]\d{2}(:?\d{2})?)$"


class Reading(NamedTuple):
    """How a time column is to be read.

    Attributes
    ----------
    times
        The column as timestamps without zone, in UTC if `own_zone` is given.
    own_zone
        The zone the column has by itself.
    texts
        How many entries are text that has to be parsed; None if they are times already.
    time_format
        How they are written; None for ISO text.
    """

    times: ir.TimestampValue
    own_zone: str | None = None
    texts: int | None = None
    time_format: str | None = None


def read_times(source: Source, time: str, time_format: str | None = None) -> Reading:
    """Return how a time column is to be read.

    Parameters
    ----------
    source
        The log.
    time
        Name of the column.
    time_format
        How text or whole numbers are written, as in ``strptime``; None for ISO text.

    Raises
    ------
    DataError
        If the column holds no times, or text that is not ISO (with a count and examples).
    """
    column = source.table[time]
    kind = column.type()
    if time_format is not None:
        require_text("time_format", time_format, 'a format of strptime, such as "%d.%m.%Y"', DataError)
        return _formatted(source, time, time_format)
    if kind.is_timestamp() or kind.is_date():
        return Reading(_cut(_in_utc(source, column)), source.time_zone)
    if kind.is_string() and not kind.is_uuid():
        return _iso(source, time)
    advice = ' (say time_format="%Y%m%d" if 19970101 is a date)' if kind.is_integer() else ""
    raise DataError(
        f"the time column {time!r} holds {kind}, not times, for example {_first_values(source, time)}; a number"
        f" says neither its unit nor its origin: convert it to timestamps first{advice}"
    )


def parsed(source: Source, time: str, reading: Reading, rows: ir.Table) -> ir.Table:
    """Return rows whose times ``t`` come from text, after parsing every one of them.

    Raises
    ------
    DataError
        If a text cannot be parsed (with a count and examples).
    """
    if reading.texts is None:
        return rows
    try:
        kept = source.engine.keep(rows)
        readable = source.engine.run(kept.aggregate(times=kept.t.count())).to_pylist()[0]["times"]
    except Exception as error:  # every engine has its own
        if reading.time_format is None:
            raise
        raise _misformatted(source, time, reading.time_format, error) from error
    if readable < reading.texts:
        text = _text(source, time)
        unread = source.table.filter(text.notnull() & reading.times.isnull()).select(time=text)
        raise _unparsable(time, reading.texts - readable, _sample(source, unread))
    return kept


def clock_of(reading: Reading, rows: ir.Table, engine: Engine, time_zone: str | None) -> Clock:
    """Return what the times ``t`` of the rows mean: in a given zone, or in their own.

    Raises
    ------
    DataError
        If there is no such zone.
    """
    name = reading.own_zone if time_zone is None else time_zone
    if name is None:
        return Clock()
    clock = Clock(parse_zone(name), in_utc=reading.own_zone is not None)
    extremes = engine.run(rows.aggregate(low=rows.t.min(), high=rows.t.max()))
    low, high = fetched(extremes["low"][0]), fetched(extremes["high"][0])
    return clock if low is None or high is None else replace(clock, span=(low, high))


def _iso(source: Source, time: str) -> Reading:
    """Return how ISO text is to be read: as local times, or as instants if it is written with offsets."""
    text = _text(source, time)
    counts = source.table.aggregate(
        all=text.count(), aware=text.count(where=text.re_search(_OFFSET)), odd=text.count(where=~text.re_search(_ISO))
    )
    numbers = source.engine.run(counts).to_pylist()[0]
    if numbers["odd"]:
        odd = source.table.filter(~text.re_search(_ISO)).select(time=text)
        raise _unparsable(time, numbers["odd"], _sample(source, odd))
    if 0 < numbers["aware"] < numbers["all"]:
        raise DataError(
            f"the time column {time!r} has {count(numbers['aware'], 'time')} with an offset from UTC and"
            f" {numbers['all'] - numbers['aware']:,} without; write all of them in one way"
        )
    if numbers["aware"]:
        close = text.replace(" UTC", "Z").replace(" +", "+").replace(" -", "-")  # a blank is what engines do not read
        return Reading(_in_utc(source, close.try_cast(_INSTANTS)), "UTC", numbers["all"])
    return Reading(text.try_cast(_MICROSECONDS), None, numbers["all"])


def _cut(times: ir.TimestampValue | ir.DateValue) -> ir.TimestampValue:
    """Return times to the microsecond, never rounded up: the last nanosecond of a day is of that day."""
    import ibis

    kind = times.type()
    if kind.is_date():
        return times.cast(_MICROSECONDS)
    nearest = times.cast(kind.copy(scale=6))
    if (kind.scale or 0) <= 6:
        return nearest
    return ibis.ifelse(nearest.cast(kind) > times, nearest - ibis.interval(microseconds=1), nearest)


def _in_utc(source: Source, times: ir.TimestampValue) -> ir.TimestampValue:
    """Return instants as times in UTC without a zone; times without one as they are.

    A cast drops the zone in UTC, except in a DuckDB of the user's, where it does so in the zone of the session; that
    of our own is UTC. DuckDB has no cast for nanoseconds with a zone.
    """
    import ibis

    kind = times.type()
    if getattr(kind, "timezone", None) is None:
        return times
    nanoseconds = (kind.scale or 0) > 6
    if not source.engine.is_duckdb or (isinstance(source.engine, PrivateEngine) and not nanoseconds):
        return times.cast(kind.copy(timezone=None))

    @ibis.udf.scalar.builtin(signature=(("string", kind), kind.copy(timezone=None)))  # type: ignore[untyped-decorator]
    def timezone(zone: str, instants: ir.TimestampValue) -> None:
        """Name the function of DuckDB that shows instants as times of a zone."""

    in_utc: ir.TimestampValue = timezone("UTC", times)
    return in_utc


def _formatted(source: Source, time: str, time_format: str) -> Reading:
    """Return how text or whole numbers in a given format are to be read."""
    kind = source.table[time].type()
    if not (kind.is_string() or kind.is_integer()):
        raise DataError(f"time_format is for text and whole numbers, but {time!r} holds {kind}; leave time_format out")
    if re.search(r"%[zZ]", time_format):
        raise DataError("time_format takes no zone (%z, %Z); convert the column to timestamps with a zone first")
    text = _text(source, time)
    texts = source.engine.run(source.table.aggregate(texts=text.count())).to_pylist()[0]["texts"]
    in_spark = isinstance(source.engine, SparkEngine)
    times = read_in_spark(text, time_format) if in_spark else text.as_timestamp(time_format)
    return Reading(times.cast(_MICROSECONDS), None, texts, time_format)


def _misformatted(source: Source, time: str, time_format: str, error: Exception) -> DataError:
    """Return the error that names the entries a format does not fit."""
    import pandas as pd

    text = _text(source, time)
    rows = source.engine.run(source.table.group_by(text=text).aggregate(rows=source.table.count())).to_pandas().dropna()
    bad = None
    with suppress(ValueError):  # of a format that is none
        bad = pd.to_datetime(rows["text"], format=time_format, errors="coerce").isna()
    if bad is None or not bad.any():
        reason = str(error).strip().splitlines()[0]
        return DataError(f"the time column {time!r} cannot be read with time_format {time_format!r}: {reason}")
    wrong = rows[bad].sort_values("text")
    return DataError(
        f"the time column {time!r} has {count(int(wrong['rows'].sum()), 'row')} that"
        f" time_format {time_format!r} does not fit, for example {examples(wrong['text'])}"
    )


def _unparsable(time: str, number: int, sample: list[str]) -> DataError:
    """Return the error for text that is not ISO, with the format it probably has."""
    advice = "write time_format=... as in strptime"
    if re.fullmatch(r"\d{8}", sample[0]):
        advice = 'write time_format="%Y%m%d"'
    elif re.match(r"\d{1,2}[./-]\d{1,2}[./-]\d{4}", sample[0]):
        mark = next(sign for sign in sample[0] if not sign.isdigit())
        day, month = f"%d{mark}%m{mark}%Y", f"%m{mark}%d{mark}%Y"
        advice = f'write time_format="{day}" if the day comes first, "{month}" if the month does'
    return DataError(
        f"the time column {time!r} has text that is no ISO date or time: {number:,} of its entries, for example"
        f" {examples(sample)}; {advice}"
    )


def _text(source: Source, time: str) -> ir.StringValue:
    """Return the column as text; an empty text is missing."""
    return source.table[time].cast("string").nullif("")


def _sample(source: Source, rows: ir.Table) -> list[str]:
    """Return up to three different entries of a table with one column, in order."""
    entries = source.engine.run(rows.distinct().order_by("time").limit(3)).to_pylist()
    return [str(row["time"]) for row in entries]


def _first_values(source: Source, time: str) -> str:
    rows = source.engine.run(source.table.select(time=source.table[time]).filter(lambda t: t.time.notnull()).limit(3))
    return examples(row["time"] for row in rows.to_pylist())
