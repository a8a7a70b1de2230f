"""Spark and DuckDB tell the same of the same customers."""

from __future__ import annotations

import datetime as dt
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest

import clvmodels as clv
from clvmodels.errors import DataError, DataWarning
from tests.one_script import require_same, run, small_log
from tests.spark.pipeline import OPTIONS, TERMS, Differences, compare, write_log

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CDNOW = str(clv.datasets.path("cdnow.parquet"))
FITS, EQUITIES = 1e-10, 1e-9
NAN, INF = float("nan"), float("inf")


def check(found: Differences) -> None:
    assert found.histories == 0
    assert found.parameters < FITS
    assert found.log_likelihood < FITS
    assert found.equity < EQUITIES
    assert found.rlv < EQUITIES


def test_cdnow(spark: SparkSession) -> None:
    check(compare(spark, CDNOW, ("BGNBD", "ParetoNBD")))


@pytest.mark.slow
def test_a_million_customers(spark: SparkSession, tmp_path: Path) -> None:
    check(compare(spark, write_log(tmp_path, 1_000_000), ("BGNBD",)))


def test_simulated_customers(spark: SparkSession, tmp_path: Path) -> None:
    check(compare(spark, write_log(tmp_path, 20_000), ("MBGNBD",)))


def test_a_cluster(clustered: dict[str, Any]) -> None:
    check(Differences(**clustered["differences"]))


def test_a_log_with_everything_that_goes_wrong(spark: SparkSession) -> None:
    rows = [
        ("a", "2024-01-01 08:00", 20.0, "x"),
        ("a", "2024-01-15 23:59", 30.5, "y"),
        ("a", "2024-01-16 10:00", -10.0, "x"),
        ("b", "2024-01-08 12:00", 50.0, None),
        ("b", "2024-01-10 12:00", -50.0, "z"),
        ("c", "2024-01-09 12:00", None, "z"),
        ("c", "2024-02-09 12:00", 7.25, "z"),
        (None, "2024-01-09 12:00", 5.0, "z"),
        ("d", None, 5.0, "z"),
        ("e", "2024-05-01 12:00", 5.0, "z"),
    ]
    table = pd.DataFrame(rows, columns=["customer_id", "date", "amount", "segment"])
    frame = spark.createDataFrame(pa.Table.from_pandas(table, preserve_index=False))
    options: dict[str, Any] = {**OPTIONS, "observation_end": "2024-03-31", "attributes": ["segment"]}
    told = []
    for log in (table, frame):
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always", DataWarning)
            told.append((clv.rfm_summary(log, **options), [str(note.message) for note in noted]))
    (here, notes), (there, same_notes) = told
    assert len(notes) == 4
    assert same_notes == notes
    pd.testing.assert_frame_equal(there.to_frame(), here.to_frame(), check_dtype=False)
    assert str(there) == str(here)


def test_predictions_are_tables_of_spark(spark: SparkSession) -> None:
    there, here = (clv.rfm_summary(log, **OPTIONS) for log in (spark.read.parquet(CDNOW), CDNOW))
    orders = clv.BGNBD().from_params({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, unit="week")
    totals = []
    for rfm in (there, here):
        expected = orders.expected_purchases(rfm, "52 weeks", as_table=True)
        totals.append(rfm.backend.engine.run(expected.aggregate(total=expected["mean"].sum()))["total"][0].as_py())
    assert totals[0] == pytest.approx(totals[1], rel=1e-12)


def test_one_script_says_the_same_as_in_memory(spark: SparkSession) -> None:
    log = small_log()
    frame = spark.createDataFrame(pa.Table.from_pandas(log, preserve_index=False))
    require_same(run(frame), run(log))


def test_movement_is_that_of_files(spark: SparkSession) -> None:
    tables = []
    for log in (spark.read.parquet(CDNOW), CDNOW):
        fits = (
            clv.BGNBD().from_params({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, unit="week"),
            clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44}),
        )
        ends = [clv.rfm_summary(log, observation_end=end, **OPTIONS) for end in ("1997-09-30", "1998-06-30")]
        opening, closing = (clv.value(*fits, rfm, TERMS) for rfm in ends)
        tables.append(clv.movement(opening, closing).table["value"])
    pd.testing.assert_series_equal(*tables, rtol=1e-9, atol=1e-6)


def test_columns_come_from_a_frame_of_spark(spark: SparkSession) -> None:
    frame = spark.read.parquet(CDNOW)
    rfm = clv.rfm_summary(frame, **OPTIONS)
    ids = frame.select("customer_id").distinct()
    described = rfm.with_attributes(ids.selectExpr("customer_id", "customer_id % 3 AS third"))
    rows = described.weighted(["third"]).histories
    assert rows.weight is not None
    assert rows.weight.sum() == len(rfm)
    assert set(rows.attributes["third"]) == {0, 1, 2}
    with pytest.raises(DataError, match="no column 'customer_id'"):
        rfm.with_attributes(ids.selectExpr("customer_id AS customer"))


def test_customers_are_written_as_a_folder(spark: SparkSession, tmp_path: Path) -> None:
    rfm = clv.rfm_summary(spark.read.parquet(CDNOW), **OPTIONS)
    orders = clv.BGNBD().from_params({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, unit="week")
    spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    book = clv.value(orders, spend, rfm, TERMS)
    book.write_customers(tmp_path / "customers.parquet")
    written = pd.read_parquet(tmp_path / "customers.parquet")
    assert len(written) == len(rfm)
    assert written["rlv"].sum() == pytest.approx(book.equity, rel=1e-12)
    with pytest.raises(FileExistsError):
        book.write_customers(tmp_path / "customers.parquet")


def test_infinite_values_and_those_that_are_no_numbers(spark: SparkSession) -> None:
    def log(ids: list[float | None], amounts: list[float | None]) -> Any:
        dates = [dt.datetime(2024, 1, 1)] * len(ids)
        return spark.createDataFrame(pa.table({"customer_id": ids, "date": dates, "amount": amounts}))

    with pytest.warns(DataWarning):
        rfm = clv.rfm_summary(log([1.0, 2.0, 3.0, NAN, None], [2.0, NAN, None, 4.0, 5.0]), value="amount")
    assert rfm.report is not None
    assert rfm.report.dropped["without customer id"] == (2, 9.0)
    assert (rfm.report.money_used, rfm.report.rows_without_value) == (2.0, 2)
    with pytest.raises(DataError, match="'amount' is infinite in 2 rows"):
        clv.rfm_summary(log([1.0, 1.0, 2.0], [INF, -INF, 3.0]), value="amount")


@pytest.mark.parametrize(
    ("time_format", "texts"),
    [
        ("%m/%d/%Y %H:%M", ["12/6/2023 8:26", "01/16/2024 18:05"]),
        ("%d.%m.%Y", ["17.7.2023", "05.12.2023"]),
        ("%d.%m.%y", ["17.7.68", "5.12.69", "5.12.99", "29.2.96", "1.1.00"]),
        ("%Y-%m-%dT%H:%M:%S.%f", ["2023-07-17T08:05:03.25", "2023-07-18T08:05:03.123456"]),
        ("%Y/%m/%d at %H h", ["2023/7/17 at 8 h", "2024/12/31 at 23 h"]),
        ("%I:%M %p, %b %d, %Y", ["8:05 PM, Jul 7, 2023", "12:00 AM, DEC 31, 2023"]),
        ("%d-%B-%Y o'clock", ["7-July-2023 o'clock", "31-December-2023 o'clock"]),
        ("%Y%m%d%H%M%S", ["20230717080503", "20231231235959"]),
        ("%Y-%j", ["2023-7", "2023-365"]),
        ("%Y%% %m", ["2023% 7", "2023% 12"]),
    ],
)
@pytest.mark.filterwarnings("ignore:1 row is of 2068:clvmodels.errors.DataWarning")
def test_a_format_of_time_means_what_it_means_elsewhere(
    spark: SparkSession, time_format: str, texts: list[str]
) -> None:
    table = pa.table({"customer_id": range(len(texts)), "date": texts})
    here, there = (
        clv.rfm_summary(log, time_format=time_format, unit="hour").to_frame()
        for log in (table, spark.createDataFrame(table))
    )
    pd.testing.assert_frame_equal(there, here, check_dtype=False)


def test_formats_of_time_that_spark_cannot_read(spark: SparkSession) -> None:
    log = spark.createDataFrame(pa.table({"customer_id": [1], "date": ["Monday 17.7.2023"]}))
    with pytest.raises(DataError, match=r"has %A, which Spark cannot read; cut that from the text, or make timestamps"):
        clv.rfm_summary(log, time_format="%A %d.%m.%Y")
    with pytest.raises(DataError, match=r"1 row that time_format '%d.%m.%Y' does not fit, for example 'Monday 17"):
        clv.rfm_summary(log, time_format="%d.%m.%Y")


def test_days_are_those_of_the_sessions_time_zone(spark: SparkSession) -> None:
    """23:30 and 00:30 in UTC are two days in UTC, and one in Berlin."""
    berlin = spark.newSession()
    berlin.conf.set("spark.sql.session.timeZone", "Europe/Berlin")
    query = "SELECT 1 AS customer_id, explode(array({})) AS date"
    instants = ", ".join(f"timestamp'2024-01-0{day}+00:00'" for day in ("1 23:30:00", "2 00:30:00"))
    for session, frequency in ((spark, 1.0), (berlin, 0.0)):
        rfm = clv.rfm_summary(session.sql(query.format(instants)), unit="day", resolution="day")
        assert rfm.collect().frequency.tolist() == [frequency]
    assert berlin.conf.get("spark.sql.session.timeZone") == "Europe/Berlin"


def test_a_column_that_is_missing(spark: SparkSession) -> None:
    with pytest.raises(DataError, match=r"no column 'day'; its columns are"):
        clv.rfm_summary(spark.sql("SELECT 1 AS customer_id, current_timestamp() AS date"), time="day")


def test_columns_may_be_called_anything(spark: SparkSession) -> None:
    names = {"customer_id": "cust.id", "time": "the`date", "value": "amount in €"}
    dates = [dt.datetime(2024, month, day) for month, day in ((1, 1), (2, 1), (1, 5), (3, 1), (1, 9))]
    columns = [[1, 1, 2, 2, 3], dates, [1.0, 2.0, 3.0, 4.0, 5.0], ["a", "a", "b", "b", "a"]]
    table = pa.table(dict(zip([*names.values(), "a segment.x"], columns, strict=True)))
    orders = clv.BGNBD().from_params({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, unit="week")
    spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    statements = []
    for log in (table, spark.createDataFrame(table)):
        rfm = clv.rfm_summary(log, **names, resolution="day", attributes=["a segment.x"])
        book = clv.value(orders, spend, rfm, TERMS)
        statements.append(book.statement("a segment.x"))
        assert book.customers_table is not None
    pd.testing.assert_frame_equal(*statements, check_dtype=False)
