"""Formats of time for Spark, without one; tests/spark reads in them."""

from __future__ import annotations

import pytest

from clvmodels.data.formats import as_spark_writes
from clvmodels.errors import DataError


@pytest.mark.parametrize(
    ("time_format", "written"),
    [
        ("%m/%d/%Y %H:%M", "%-m/%-d/%Y %-H:%-M"),  # 12/6/2023 8:26 fits
        ("%-d.%-m.%y", "%-d.%-m.%y"),
        ("%Y%m%d%H%M%S", "%Y%m%d%H%M%S"),  # numbers are told apart by their width
        ("%d%b%Y", "%-d%b%Y"),
        ("%Y-%m-%dT%H:%M:%S.%f", "%Y-%-m-%-d'T'%-H:%-M:%-S.%f"),
        ("%H o'clock [%d]", "%-H 'o''clock' '['%-d']'"),
        ("%%d %I %p", "%'d' %-I %p"),
    ],
)
def test_what_spark_is_told(time_format: str, written: str) -> None:
    assert as_spark_writes(time_format) == written


@pytest.mark.parametrize("part", ["%A", "%a", "%u", "%s", "%"])
def test_what_spark_cannot_read(part: str) -> None:
    with pytest.raises(DataError, match=f"has {part}, which Spark cannot read"):
        as_spark_writes(f"%Y {part}")
