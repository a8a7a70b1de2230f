"""Text, numbers, time zones: what a time column means."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clvmodels.data import rfm_summary, rfm_train_test_split
from clvmodels.data.sources import Columns, open_log
from clvmodels.data.zones import Clock, parse_zone
from clvmodels.errors import DataError
from tests.engines import in_engine


def log(times: Any, customers: Any = None) -> pd.DataFrame:
    return pd.DataFrame({"customer_id": customers or ["a"] * len(times), "date": times})


class TestText:
    def test_text_is_parsed_before_it_is_compared(self) -> None:
        # users.md 40: as text, "9/1/2024" comes after "10/1/2024".
        rfm = rfm_summary(
            log(["9/1/2024", "10/1/2024", "2/1/2025"]), time_format="%m/%d/%Y", unit="day", resolution="day"
        )
        assert list(rfm.frequency) == [2]
        assert list(rfm.recency) == [(dt.date(2025, 2, 1) - dt.date(2024, 9, 1)).days]

    @pytest.mark.parametrize(
        "times",
        [
            ["2024-01-01", "2024-01-11"],
            ["2024-1-1", "2024-1-11 00:00"],
            ["2024-01-01T00:00:00", "2024-01-11 00:00:00.000000"],
            ["2024-01-01T01:00:00+01:00", "2024-01-11T00:00:00Z"],
            ["2024-01-01 00:00:00+00", "2024-01-10 19:00:00-0500"],
        ],
    )
    def test_iso(self, times: list[str]) -> None:
        assert list(rfm_summary(log(times), unit="day").recency) == [10]

    def test_empty_texts_are_missing(self) -> None:
        for options in ({}, {"time_format": "%Y-%m-%d"}):
            with pytest.warns(UserWarning, match="2 rows dropped: no 'date'"):
                rfm = rfm_summary(log(["2024-01-01", "", None, "2024-01-03"]), unit="day", **options)
            assert list(rfm.recency) == [2]

    @pytest.mark.parametrize(
        "text", ["2024-01-02 01:30:00 +0200", "2024-01-01 18:30:00 -0500", "2024-01-01 23:30:00 UTC"]
    )
    def test_offsets_as_shops_export_them(self, text: str) -> None:
        rfm = rfm_summary(log(["2024-01-01T20:30:00Z", text]), unit="hour")
        assert rfm.to_frame()["recency"].tolist() == [3.0]

    def test_offsets_are_not_dropped(self) -> None:
        rfm = rfm_summary(log(["2024-01-01T23:30:00-02:00", "2024-01-02T03:30:00+02:00"]), unit="hour")
        assert list(rfm.frequency) == [0]  # one instant
        assert rfm.attributes["first_purchase"].iloc[0] == pd.Timestamp("2024-01-02 01:30", tz="UTC")
        assert rfm.report is not None
        assert rfm.report.time_zone == "UTC"

    @pytest.mark.parametrize(
        ("times", "message"),
        [
            (["2024-01-01", "no day", "2024-02-30"], "no ISO date or time: 1 of its entries, for example 'no day'"),
            (["2024-01-01", "2024-02-30"], "1 of its entries, for example '2024-02-30'"),
            (["2024-01-01 25:00", "2024-13-01"], "2 of its entries, for example '2024-01-01 25:00', '2024-13-01'"),
            (["19970101", "19970102"], r"'19970101', '19970102'; write time_format=\"%Y%m%d\""),
            (["31.12.2024"], r"time_format=\"%d\.%m\.%Y\" if the day comes first, \"%m\.%d\.%Y\""),
            (["2024-01-01 10:00", "2024-01-01 10:00Z"], "1 time with an offset from UTC and 1 without"),
        ],
    )
    def test_what_cannot_be_parsed(self, times: list[str], message: str) -> None:
        with pytest.raises(DataError, match=message):
            rfm_summary(log(times))

    def test_a_format_that_does_not_fit(self) -> None:
        times = ["19970101", "1997-01-02", "x", "x"]
        with pytest.raises(
            DataError, match=r"3 rows that time_format '%Y%m%d' does not fit, for example '1997-01-02', 'x'"
        ):
            rfm_summary(log(times), time_format="%Y%m%d")
        with pytest.raises(DataError, match=r"takes no zone"):
            rfm_summary(log(times), time_format="%Y%m%d %z")
        with pytest.raises(DataError, match="cannot be read with time_format"):
            rfm_summary(log(["1997"]), time_format="%Y%%%")
        with pytest.raises(DataError, match="leave time_format out"):
            rfm_summary(log(pd.to_datetime(["2024-01-01"])), time_format="%Y")

    def test_numbers_are_no_times(self) -> None:
        with pytest.raises(DataError, match=r"holds int64, not times, for example 19970101, .*time_format=\"%Y%m%d\""):
            rfm_summary(log([19970101, 19970201]))
        with pytest.raises(DataError, match="holds float64, not times"):
            rfm_summary(log([1.5, 2.5]))
        assert list(rfm_summary(log([19970101, 19970201]), time_format="%Y%m%d", unit="day").recency) == [31]

    def test_an_engine_of_ones_own(self) -> None:
        table = ibis.memtable(pa.table({"customer_id": [1, 1], "date": ["2024-01-01", "2024-01-05"]}))
        assert list(rfm_summary(table, unit="day").collect().recency) == [4]


WINDOW: dict[str, Any] = {"observation_start": "2023-01-01", "observation_end": "2024-03-31"}


class TestTheEdgesOfTheCalendar:
    """Dates that stand for none: no end yet, or a missing one."""

    FIRST, LAST = dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 30)

    @pytest.mark.parametrize("of_the_column", [None, "UTC", "America/New_York"])
    @pytest.mark.parametrize("time_zone", [None, "Asia/Tokyo", "America/New_York"])
    def test_they_lie_before_and_after_a_window(self, of_the_column: str | None, time_zone: str | None) -> None:
        times = pa.array([self.FIRST, dt.datetime(2024, 1, 1), self.LAST], pa.timestamp("us", of_the_column))
        rows = pa.table({"customer_id": ["a", "b", "c"], "date": times})
        rfm = rfm_summary(rows, time_zone=time_zone, **WINDOW)
        assert rfm.report is not None
        assert {reason: part.rows for reason, part in rfm.report.dropped.items()} == {
            "before the start of observation": 1,
            "after the end of observation": 1,
        }

    @pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
    def test_they_end_no_window(self, zone: str | None) -> None:
        times = pa.array([dt.datetime(2024, 1, 1), self.LAST], pa.timestamp("us", zone))
        rows = pa.table({"customer_id": ["a", "b"], "date": times})
        with pytest.raises(
            DataError, match=r"is of 9999-12-31, which stands for no date; write observation_end=\.\.\."
        ):
            rfm_summary(rows)
        with pytest.raises(DataError, match="write test_end="):
            rfm_train_test_split(rows, train_end="2024-01-01")
        for name, day in (("observation_start", "0001-01-01"), ("observation_end", "9999-12-31")):
            with pytest.raises(DataError, match=f"{name} '{day}' is at the edge of the calendar"):
                rfm_summary(rows, **(WINDOW | {name: day}))

    @pytest.mark.parametrize("kind", ["date", "timestamp", "timestamptz"])
    def test_infinite_times_of_duckdb(self, kind: str) -> None:
        with duckdb.connect() as connection:
            values = "(VALUES ('a', '2024-01-01'), ('b', '2024-01-05'), ('c', 'infinity'), ('d', '-infinity'))"
            table = f"CREATE TABLE log AS SELECT id AS customer_id, time::{kind} AS date FROM {values} AS v(id, time)"
            connection.execute(table)
            late, early = (connection.sql(f"FROM log WHERE customer_id <> '{one}'") for one in "dc")
            with pytest.raises(DataError, match=r"which stands for no date; write observation_end=\.\.\."):
                rfm_summary(late)
            rfm = rfm_summary(late, observation_end="2024-03-31")
            assert list(rfm.customer_id) == ["a", "b"]
            assert rfm.report is not None
            assert rfm.report.dropped["after the end of observation"].rows == 1
            with pytest.raises(DataError, match=r"'date' is before the year 1 \(or minus infinity\) in 1 row;"):
                rfm_summary(early)


class TestZones:
    BERLIN = ZoneInfo("Europe/Berlin")

    def test_days_are_local_days(self) -> None:
        # 23:30 and 00:30 UTC are two days in UTC, one day in Berlin (winter: +1).
        utc = pd.to_datetime(["2024-01-01 23:30", "2024-01-02 00:30"]).tz_localize("UTC")
        options: dict[str, Any] = {"unit": "day", "resolution": "day"}
        assert list(rfm_summary(log(utc), **options).frequency) == [1]
        assert list(rfm_summary(log(utc.tz_convert("Europe/Berlin")), **options).frequency) == [0]
        assert list(rfm_summary(log(utc), **options, time_zone="Europe/Berlin").frequency) == [0]
        assert list(rfm_summary(log(utc), **options, time_zone="+01:00").frequency) == [0]
        naive = log(utc.tz_localize(None))
        assert list(rfm_summary(naive, **options, time_zone="Europe/Berlin").frequency) == [1]

    def test_elapsed_time_is_true_across_a_change_of_clocks(self) -> None:
        # The clocks go forward on 31 March 2024 at 2:00: the day has 23 hours.
        times = pd.to_datetime(["2024-03-30 12:00", "2024-03-31 12:00"])
        for frame, options in (
            (log(times.tz_localize("Europe/Berlin")), {}),
            (log(times), {"time_zone": "Europe/Berlin"}),
        ):
            rfm = rfm_summary(frame, unit="hour", **options)
            assert list(rfm.recency) == [23]
            assert list(rfm.T) == [35]
            assert rfm.observation_end == pd.Timestamp("2024-03-31", tz="Europe/Berlin")
            assert rfm.attributes["first_purchase"].iloc[0] == pd.Timestamp("2024-03-30 12:00", tz="Europe/Berlin")
            assert rfm.report is not None
            assert rfm.report.time_zone == "Europe/Berlin"
        assert list(rfm_summary(log(times), unit="hour").recency) == [24]

    def test_the_last_day_is_a_local_day(self) -> None:
        times = pd.to_datetime(["2024-01-01 00:00", "2024-01-31 22:30", "2024-01-31 23:30"]).tz_localize("UTC")
        rfm = rfm_summary(log(times), unit="day", time_zone="Europe/Berlin", observation_end="2024-01-31")
        assert list(rfm.frequency) == [1]
        again = rfm_summary(log(times), unit="day", time_zone="Europe/Berlin", observation_end=rfm.observation_end)
        np.testing.assert_array_equal(again.T, rfm.T)
        at = rfm_summary(log(times), unit="day", observation_end=pd.Timestamp("2024-02-01 00:30", tz="Europe/Berlin"))
        assert list(at.frequency) == [2]
        assert at.T[0] == pytest.approx(30 + 23.5 / 24)

    def test_split(self) -> None:
        times = pd.to_datetime(["2024-01-01 00:00", "2024-01-31 22:30", "2024-01-31 23:30"]).tz_localize("UTC")
        for resolution in (None, "day"):
            train, holdout = rfm_train_test_split(
                log(times), unit="day", resolution=resolution, time_zone="Europe/Berlin", train_end="2024-01-31",
            )  # fmt: skip
            assert (list(train.frequency), list(holdout.frequency)) == ([1], [1])
            assert holdout.duration == 1

    @pytest.mark.parametrize("kind", ["pandas", "arrow", "reader", "parquet", "nanoseconds"])
    def test_the_columns_own_zone_survives(self, kind: str, tmp_path: Path) -> None:
        utc = pd.to_datetime(["2024-01-01 23:30", "2024-01-02 00:30"]).tz_localize("UTC")
        frame: Any = log(utc.tz_convert("Europe/Berlin"))
        if kind == "parquet":
            frame.to_parquet(tmp_path / "log.parquet")
            frame = tmp_path / "log.parquet"
        elif kind == "nanoseconds":
            frame = frame.astype({"date": "datetime64[ns, Europe/Berlin]"})
        elif kind != "pandas":
            frame = pa.Table.from_pandas(frame)
            frame = frame.to_reader() if kind == "reader" else frame
        rfm = rfm_summary(frame, resolution="day").collect()
        assert list(rfm.frequency) == [0]
        assert rfm.report is not None
        assert rfm.report.time_zone == "Europe/Berlin"

    @pytest.mark.parametrize("column", ["instant", "text"])
    def test_instants_do_not_move_with_the_session(self, column: str, tmp_path: Path) -> None:
        texts = ["2024-10-27T00:30:00Z", "2024-10-27T01:30:00Z"]  # the clocks of Berlin show 2:30 at both
        frame = pd.DataFrame({"customer_id": "a", "instant": pd.to_datetime(texts), "text": texts})
        table = in_engine(frame, "ibis", tmp_path)
        expected = rfm_summary(table, time=column, unit="hour").to_frame()
        assert expected["recency"].tolist() == [1.0]
        assert expected["first_purchase"].iloc[0] == pd.Timestamp("2024-10-27 00:30", tz="UTC")
        backend = ibis.get_backend(table)
        backend.raw_sql("SET TimeZone = 'Europe/Berlin'")
        pd.testing.assert_frame_equal(rfm_summary(table, time=column, unit="hour").to_frame(), expected)
        assert backend.raw_sql("SELECT current_setting('TimeZone')").fetchall() == [("Europe/Berlin",)]

    @pytest.mark.parametrize("kind", ["pandas", "parquet", "ibis", "relation"])
    def test_the_last_nanosecond_of_a_day_is_of_that_day(self, kind: str, tmp_path: Path) -> None:
        times = pd.to_datetime(["2024-01-01", "2024-06-30 23:59:59.999999999"], format="ISO8601").astype(
            "datetime64[ns]"
        )
        frame = log(times)
        rows: Any = frame if kind == "pandas" else in_engine(frame, "ibis" if kind == "ibis" else "parquet", tmp_path)
        rows = duckdb.from_parquet(str(rows)) if kind == "relation" else rows
        rfm = rfm_summary(rows, resolution="day", observation_end="2024-06-30").collect()
        assert list(rfm.frequency) == [1]

    def test_what_is_no_zone(self) -> None:
        times = pd.to_datetime(["2024-01-01"])
        with pytest.raises(DataError, match="unknown time zone 'Europe/Bärlin'"):
            rfm_summary(log(times), time_zone="Europe/Bärlin")
        with pytest.raises(DataError, match=r"has a time zone, but the times of the log have none; give time_zone="):
            rfm_summary(log(times), observation_end=pd.Timestamp("2024-01-31", tz="UTC"))

    def test_only_missing_times(self) -> None:
        frame = log(pd.to_datetime([None, None]).tz_localize("UTC"))
        with pytest.raises(DataError, match="none of the 2 rows"):
            rfm_summary(frame)

    def test_no_zone_no_change(self) -> None:
        clock, time = Clock(), dt.datetime(2024, 1, 1)
        assert clock.to_instant(time) == clock.to_local(time) == clock.in_column(time) == time

    def test_negative_offsets(self) -> None:
        assert parse_zone("-03:30").utcoffset(None) == -dt.timedelta(hours=3, minutes=30)


ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Africa/Casablanca",
    "UTC",
    "-02:00",
]


@settings(max_examples=15, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    hours=st.lists(st.integers(0, 24 * 365 * 4), min_size=1, max_size=40),
    minute=st.sampled_from([0, 15, 30, 59]),
)
def test_expressions_tell_the_time_as_python_does(zone: str, hours: list[int], minute: int) -> None:
    times = [dt.datetime(2022, 1, 1, 0, minute) + dt.timedelta(hours=hour) for hour in hours]
    rows = pa.table({"id": range(len(times)), "t": pa.array(times, pa.timestamp("us"))})
    source = open_log(rows, Columns("id", "t", None))
    span = (min(times), max(times))
    local = Clock(parse_zone(zone), in_utc=True, span=span)
    instant = Clock(parse_zone(zone), in_utc=False, span=span)
    asked = source.table.select(
        id=source.table.id, local=local.local_times(source.table.t), instant=instant.instants(source.table.t)
    )
    found = source.engine.run(asked.order_by("id")).to_pydict()
    assert found["local"] == [local.to_local(time) for time in times]
    assert found["instant"] == [instant.to_instant(time) for time in times]
