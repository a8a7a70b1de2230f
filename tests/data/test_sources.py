"""Every kind of log gives the same histories; what is no log is refused."""

from __future__ import annotations

import datetime as dt
import warnings
from pathlib import Path
from typing import Any

import duckdb
import ibis
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clvmodels.data import Histories, rfm_summary
from clvmodels.errors import DataError, DataWarning

OPTIONS: dict[str, Any] = {"value": "amount", "unit": "day", "observation_end": "2024-03-31", "attributes": ["segment"]}


@pytest.fixture
def log() -> pd.DataFrame:
    times = ["2024-01-01 10:00", "2024-01-20 23:30", "2024-02-03 08:15", "2024-01-05 12:00", "2024-03-31 15:00"]
    return pd.DataFrame(
        {
            "customer_id": ["00007", "00007", "00007", "00012", "00012"],
            "date": pd.to_datetime(times),
            "amount": [10.0, 20.5, 30.25, 5.0, 0.0],
            "segment": pd.Categorical(["x", "x", "x", "y", "y"]),
            "unused": [object()] * 5,
        }
    )


@pytest.fixture
def expected(log: pd.DataFrame) -> Histories:
    return rfm_summary(log, **OPTIONS)


def ibis_table(log: pd.DataFrame) -> Any:
    import ibis

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the engine warns of itself
        backend = ibis.duckdb.connect()
        backend.con.register("log", pa.Table.from_pandas(log))
        return backend.table("log")


def memtable(log: pd.DataFrame) -> Any:
    import ibis

    return ibis.memtable(pa.Table.from_pandas(log))


def relation(log: pd.DataFrame) -> Any:
    return duckdb.connect().from_arrow(pa.Table.from_pandas(log))


class Stream:
    """Any producer of an Arrow stream."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.table.__arrow_c_stream__(requested_schema)


IN_MEMORY: dict[str, Any] = {
    "polars": pl.from_pandas,
    "lazy": lambda log: pl.from_pandas(log).lazy(),
    "arrow": pa.Table.from_pandas,
    "batch": pa.RecordBatch.from_pandas,
    "reader": lambda log: pa.Table.from_pandas(log).to_reader(),
    "stream": lambda log: Stream(pa.Table.from_pandas(log)),
    "duckdb": relation,
    "ibis": ibis_table,
    "memtable": memtable,
    "index": lambda log: log.set_index(["customer_id", "date"]),
    "nanoseconds": lambda log: log.astype({"date": "datetime64[ns]"}),
    "pyarrow types": lambda log: log.convert_dtypes(dtype_backend="pyarrow"),
    "views": lambda log: pa.Table.from_pandas(log).set_column(
        0, "customer_id", pa.array(log["customer_id"]).cast(pa.string_view())
    ),
    "categories": lambda log: log.astype({"customer_id": "category"}),
}


@pytest.mark.parametrize("kind", IN_MEMORY)
def test_tables(kind: str, log: pd.DataFrame, expected: Histories) -> None:
    rfm = rfm_summary(IN_MEMORY[kind](log.drop(columns="unused")), **OPTIONS)
    pd.testing.assert_frame_equal(rfm.to_frame(), expected.to_frame())


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz", "log.parquet"])
def test_files(name: str, log: pd.DataFrame, expected: Histories, tmp_path: Path) -> None:
    file = tmp_path / name
    rows = log.drop(columns="unused")
    rows.to_parquet(file) if name.endswith("parquet") else rows.to_csv(file, index=False)
    assert list(rfm_summary(file, **OPTIONS).collect().customer_id) == ["00007", "00012"]
    pd.testing.assert_frame_equal(rfm_summary(str(file), **OPTIONS).to_frame(), expected.to_frame())


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_many_files(kind: str, log: pd.DataFrame, expected: Histories, tmp_path: Path) -> None:
    for part in range(2):
        rows = log.drop(columns="unused").iloc[part::2]
        file = tmp_path / f"part{part}.{kind}"
        rows.to_parquet(file) if kind == "parquet" else rows.to_csv(file, index=False)
    both = [tmp_path / f"part1.{kind}", str(tmp_path / f"part*.{kind}")]  # no file counts twice
    for given in (tmp_path / f"*.{kind}", both, tuple(both)):
        pd.testing.assert_frame_equal(rfm_summary(given, **OPTIONS).to_frame(), expected.to_frame())


def test_whole_numbers_in_csv_become_numbers(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text('customer_id;"the date";amount\n10;2024-01-01;1\n9;2024-01-02;2\n9;2024-01-03;\n')
    with pytest.warns(UserWarning, match="1 purchase without 'amount'"):
        rfm = rfm_summary(file, time="the date", value="amount", unit="day")
    assert list(rfm.customer_id) == [9, 10]
    assert rfm.report is not None
    assert rfm.report.money_used == 3


def test_dates_in_csv_are_not_guessed(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("customer_id,date\n1,01/02/2024\n1,03/02/2024\n")
    with pytest.raises(DataError, match=r"'01/02/2024', '03/02/2024'; write time_format=\"%d/%m/%Y\" if the day"):
        rfm_summary(file)
    rfm = rfm_summary(file, time_format="%d/%m/%Y", unit="day")
    assert list(rfm.recency) == [2]


def test_text_in_the_values_of_csv(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text('customer_id,date,amount\n1,2024-01-01,"12,50"\n1,2024-01-02,3\n')
    with pytest.raises(DataError, match="'amount' is not numeric: 1 row such as '12,50'"):
        rfm_summary(file, value="amount")


def test_the_users_connection_stays_as_it_is(log: pd.DataFrame) -> None:
    connection = duckdb.connect()
    table = connection.from_arrow(pa.Table.from_pandas(log.drop(columns=["unused", "segment"])))
    state = "SELECT name, value FROM duckdb_settings() ORDER BY name"
    before = connection.execute("SHOW TABLES").fetchall(), connection.execute(state).fetchall()
    rfm_summary(table, value="amount")
    assert (connection.execute("SHOW TABLES").fetchall(), connection.execute(state).fetchall()) == before


def test_a_column_may_serve_twice(log: pd.DataFrame) -> None:
    rfm = rfm_summary(log, time="date", attributes="segment", observation_end="2024-03-31")
    assert rfm.attributes["segment"].to_dict() == {"00007": "x", "00012": "y"}


def test_kinds_of_values(log: pd.DataFrame, expected: Histories) -> None:
    cents = pa.array(log["amount"].mul(100).astype(int)).cast(pa.decimal128(20, 0))
    rows = pa.table({"customer_id": log["customer_id"], "date": log["date"], "amount": cents})
    rfm = rfm_summary(rows, value="amount", unit="day", observation_end="2024-03-31")
    np.testing.assert_allclose(rfm.monetary_value, expected.monetary_value * 100)


def test_python_dates(log: pd.DataFrame) -> None:
    days = log.assign(date=[time.date() for time in log["date"]])[["customer_id", "date"]]
    rfm = rfm_summary(days, unit="day", observation_end=dt.date(2024, 3, 31))
    assert list(rfm.recency) == [33, 86]
    assert list(rfm.T) == [91, 87]


def test_what_is_no_log(tmp_path: Path, log: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="there is no file"):
        rfm_summary(tmp_path / "none.csv")
    (tmp_path / "log.xlsx").write_text("")
    with pytest.raises(DataError, match=r"unknown kind of file '\.xlsx'; use one of '\.csv'"):
        rfm_summary(tmp_path / "log.xlsx")
    with pytest.raises(DataError, match=r"for a folder write .*\*\.parquet"):
        rfm_summary(tmp_path)
    (tmp_path / "a.csv").write_text("")
    (tmp_path / "b.parquet").write_text("")
    with pytest.raises(DataError, match=r"CSV or Parquet, but not both: .*a\.csv' and 1 more"):
        rfm_summary([tmp_path / "a.csv", tmp_path / "b.parquet"])
    with pytest.raises(DataError, match="there is no file"):
        rfm_summary([tmp_path / "a.csv", tmp_path / "none.csv"])
    with pytest.raises(DataError, match="got list"):
        rfm_summary([])
    with pytest.raises(DataError, match="got dict"):
        rfm_summary({"customer_id": [1]})
    (tmp_path / "broken.parquet").write_text("this is no Parquet file")
    with pytest.raises(DataError, match=r"cannot read .*broken\.parquet"):
        rfm_summary(tmp_path / "broken.parquet")
    with pytest.raises(DataError, match="must be a table expression"):
        rfm_summary(ibis_table(log.drop(columns="unused")).amount.sum())


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "duckdb", "ibis", "csv", "parquet"])
def test_missing_columns(kind: str, log: pd.DataFrame, tmp_path: Path) -> None:
    rows: Any = log.drop(columns="unused")
    if kind in {"csv", "parquet"}:
        file = tmp_path / f"log.{kind}"
        rows.to_csv(file, index=False) if kind == "csv" else rows.to_parquet(file)
        rows = file
    elif kind != "pandas":
        rows = IN_MEMORY[kind](rows)
    with pytest.raises(
        DataError, match=r"the log has no column 'Amout' \(did you mean 'amount'\?\); its columns are 'cus"
    ):
        rfm_summary(rows, value="Amout")


def test_columns_that_cannot_be_used(log: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="more than one column 'date'"):
        rfm_summary(pd.concat([log, log[["date"]]], axis=1))
    with pytest.raises(DataError, match="column 'customer_id' mixes kinds of values"):
        rfm_summary(log.assign(customer_id=[1, "a", 2, 3, 4]))
    with pytest.raises(DataError, match="'amount' is not numeric but string"):
        rfm_summary(log.assign(amount="5"), value="amount")
    with pytest.raises(DataError, match="'amount' is not numeric but boolean"):
        rfm_summary(log.assign(amount=True), value="amount")


def test_empty_logs(log: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the log is empty"):
        rfm_summary(log.iloc[:0])
    with pytest.raises(DataError, match="the log is empty"):
        rfm_summary(log.iloc[:0], observation_end="2024-01-01")
    with pytest.raises(DataError, match="none of the 5 rows of the log has both"):
        rfm_summary(log.assign(customer_id=pd.Series([None] * 5, dtype="str")))
    file = tmp_path / "empty.csv"
    file.write_text("customer_id,date\n")
    with pytest.raises(DataError, match="the log is empty"):
        rfm_summary(file)


def in_memory(rows: pa.Table, folder: Path) -> Any:  # noqa: ARG001 - as those of the others
    return rows


def as_parquet(rows: pa.Table, folder: Path) -> Any:
    """Return the path of a file whose statistics leave out what is not a number."""
    pq.write_table(rows, folder / "log.parquet")
    return folder / "log.parquet"


def as_parquet_of_ones_own(rows: pa.Table, folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the engine warns of itself
        return ibis.duckdb.connect().read_parquet(as_parquet(rows, folder))


PLACES = pytest.mark.parametrize("place", [in_memory, as_parquet, as_parquet_of_ones_own])
DAYS = [dt.datetime(2024, month, 1) for month in range(1, 8)]


@PLACES
@pytest.mark.parametrize(
    ("amounts", "money"),
    [
        ([10.0, 20.0, 30.0, 15.0, np.nan, 8.0, 12.0], 95.0),
        ([5.0, 5.0, 5.0, 5.0, np.nan, 5.0, 5.0], 30.0),  # one constant besides
        ([10.0, 20.0, None, 15.0, np.nan, 8.0, 12.0], 65.0),
    ],
)
def test_values_that_are_no_numbers_are_missing(place: Any, amounts: list[float], money: float, tmp_path: Path) -> None:
    rows = pa.table({"customer_id": [1, 1, 1, 2, 2, 3, 3], "date": DAYS, "amount": pa.array(amounts)})
    with pytest.warns(DataWarning, match="without 'amount'"):
        rfm = rfm_summary(place(rows, tmp_path), value="amount", resolution="day").collect()
    assert rfm.report is not None
    assert rfm.report.money_read == rfm.report.money_used == money
    assert rfm.report.rows_without_value == pd.isna(amounts).sum()
    assert np.isnan(rfm.monetary_value).tolist() == [False, True, False]


@PLACES
def test_ids_that_are_no_numbers_are_missing(place: Any, tmp_path: Path) -> None:
    ids = pa.array([1.0, 1.0, 1.0, np.nan, np.nan, 3.0, None])
    rows = pa.table({"customer_id": ids, "date": DAYS, "amount": [10.0] * 7})
    with pytest.warns(DataWarning, match="3 rows dropped: no 'customer_id'"):
        rfm = rfm_summary(place(rows, tmp_path), value="amount", resolution="day").collect()
    assert list(rfm.customer_id) == [1.0, 3.0]
    assert rfm.report is not None
    assert rfm.report.dropped["without customer id"] == (3, 30.0)


@PLACES
def test_attributes_that_are_no_numbers_are_missing(place: Any, tmp_path: Path) -> None:
    ages = pa.array([np.nan, 7.0, np.nan, np.nan, None, 3.0, 3.0])
    rows = pa.table({"customer_id": [1, 1, 1, 2, 2, 3, 3], "date": DAYS, "age": ages})
    rfm = rfm_summary(place(rows, tmp_path), resolution="day", attributes=["age"]).collect()
    np.testing.assert_array_equal(rfm.attributes["age"], [7.0, np.nan, 3.0])


@PLACES
def test_infinite_values_are_refused(place: Any, tmp_path: Path) -> None:
    amounts = [10.0, np.inf, 30.0, -np.inf, np.nan, 8.0, 12.0]
    rows = pa.table({"customer_id": [1] * 7, "date": DAYS, "amount": amounts})
    with pytest.raises(DataError, match="'amount' is infinite in 2 rows"):
        rfm_summary(place(rows, tmp_path), value="amount")
