"""Formats of ``strptime`` in Spark, whose own patterns are stricter and take every letter for a field."""

from __future__ import annotations

import datetime as dt
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from clvmodels.errors import DataError

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["as_spark_writes", "read_in_spark"]

_PARTS: Final = re.compile(r"%-?[A-Za-z]|%%|%|[^%]+")
_SHORT: Final = ("%d", "%m", "%H", "%I", "%M", "%S", "%j")
"""Numbers that may lack their leading zeros."""
_NUMBERS: Final = (*_SHORT, "%Y", "%y", "%f")
_WORDS: Final = ("%b", "%B", "%p")
_MEANING: Final = re.compile(r"[A-Za-z\[\]{}#']+")
"""What means something in a pattern if it is not quoted."""
_PIVOT: Final = dt.datetime(2069, 1, 1)


def read_in_spark(text: ir.StringValue, time_format: str) -> ir.TimestampValue:
    """Return text as timestamps, read by Spark in a format of ``strptime``.

    Raises
    ------
    DataError
        If the format has a part that Spark cannot read.
    """
    import ibis

    times = text.as_timestamp(as_spark_writes(time_format))
    if "%y" not in time_format:
        return times
    # Two digits of a year are of 2000 to 2099 in Spark, of 1969 to 2068 in strptime.
    return ibis.ifelse(times >= ibis.literal(_PIVOT), times - ibis.interval(years=100), times)


def as_spark_writes(time_format: str) -> str:
    """Return a format of ``strptime`` such that Ibis makes of it a pattern that means the same in Spark.

    Raises
    ------
    DataError
        If the format has a part that Spark cannot read.

    Examples
    --------
    >>> as_spark_writes("%d.%m.%Y"), as_spark_writes("%Y%m%dT%H:%M")
    ('%-d.%-m.%Y', "%Y%m%d'T'%-H:%-M")
    """
    parts = [part.replace("-", "") if part[0] == "%" else part for part in _PARTS.findall(time_format)]
    unknown = [part for part in parts if part[0] == "%" and part not in (*_NUMBERS, *_WORDS, "%%")]
    if unknown:
        raise DataError(
            f"time_format {time_format!r} has {unknown[0]}, which Spark cannot read; cut that from the text, or make"
            " timestamps of the column first"
        )
    # Numbers without anything between them are told apart by their width.
    touching = [left in _NUMBERS and right in _NUMBERS for left, right in pairwise(["", *parts, ""])]
    alone = [not (before or after) for before, after in pairwise(touching)]
    return "".join(map(_written, parts, alone))


def _written(part: str, alone: bool) -> str:
    if part in _SHORT and alone:
        return part.replace("%", "%-")
    if part == "%%":
        return "%"
    return part if part[0] == "%" else _MEANING.sub(_quoted, part)


def _quoted(match: re.Match[str]) -> str:
    escaped = match[0].replace("'", "''")
    return f"'{escaped}'"
