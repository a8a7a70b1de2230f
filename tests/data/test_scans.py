from __future__ import annotations

import datetime as dt
import gzip
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clvmodels.data import Histories, rfm_summary
from clvmodels.data.ledgers import Ledgers
from clvmodels.data.scans import files_of
from clvmodels.data.translated import translate_errors
from clvmodels.errors import DataError

TIMES = [dt.datetime(2024, 1, day, 10) for day in (1, 5, 9)]
HEADER = "customer_id,date,amount"


def rows(**columns: Any) -> pa.Table:
    return pa.table({"customer_id": [1, 1, 2], "date": TIMES, "amount": [1.25, 2.5, 5.49]} | columns)


def written(folder: Path, *tables: pa.Table) -> Path:
    """Write tables to Parquet files, and return their pattern."""
    for number, table in enumerate(tables):
        pq.write_table(table, folder / f"{number}.parquet")
    return folder / "*.parquet"


def read(path: Path) -> Histories:
    rfm = rfm_summary(path, value="amount", resolution="day", unit="day").collect()
    assert rfm.report is not None
    return rfm


def money(path: Path) -> float:
    report = read(path).report
    assert report is not None
    return report.money_read


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as error:
        read(path)
    return str(error.value)


class TestNames:
    @pytest.mark.parametrize("kind", ["csv", "parquet"])
    @pytest.mark.parametrize("name", ["log[1]", "l*", "l?g1", "log[[]1]"])
    def test_letters_of_patterns(self, name: str, kind: str, tmp_path: Path) -> None:
        for number, stem in enumerate(["log1", name]):
            file = tmp_path / f"{stem}.{kind}"
            if kind == "parquet":
                pq.write_table(rows(amount=[number, number, number]), file)
            else:
                file.write_text(f"{HEADER}\n1,2024-01-01,{3 * number}\n")
        assert money(tmp_path / f"{name}.{kind}") == 3
        assert money(tmp_path / f"log1.{kind}") == 0
        assert money(tmp_path / f"*.{kind}") == 3

    @pytest.mark.parametrize("kind", ["csv", "parquet"])
    def test_ledgers(self, kind: str, tmp_path: Path) -> None:
        for stem in ("r1", "r[1]"):
            ledger = pa.table({"customer_id": [stem], "time": ["2024-01-01"], "value": [1.0]}).to_pandas()
            file = tmp_path / f"{stem}.{kind}"
            ledger.to_parquet(file) if kind == "parquet" else ledger.to_csv(file, index=False)
        assert list(Ledgers.read(returns=tmp_path / f"r[1].{kind}").returns.customer_id) == ["r[1]"]
        for given in (tmp_path / f"*.{kind}", [tmp_path / f"{stem}.{kind}" for stem in ("r1", "r[1]")]):
            assert sorted(Ledgers.read(returns=given).returns.customer_id) == ["r1", "r[1]"]

    def test_what_is_hidden(self, tmp_path: Path) -> None:
        for place in ("a", "_temporary/0", ".old", "b/_x", "_y"):
            (tmp_path / "_data" / place).mkdir(parents=True)
            (tmp_path / "_data" / place / "part.csv").touch()
            (tmp_path / "_data" / place / "_part.csv").touch()
        folder = tmp_path / "_data"
        assert files_of([folder / "**" / "*.csv"]) == [str(folder / "a" / "part.csv")]
        assert files_of([folder / "a" / "_*.csv"]) == [str(folder / "a" / "_part.csv")]
        assert files_of([folder / "_t*" / "*" / "*.csv"]) == [str(folder / "_temporary" / "0" / "part.csv")]
        assert files_of([folder / "_y" / "_part.csv"]) == [str(folder / "_y" / "_part.csv")]
        with pytest.raises(DataError, match="there is no file"):
            files_of([folder / "b" / "**" / "*.csv"])


class TestParquet:
    @pytest.mark.parametrize(
        ("amounts", "expected"),
        [
            (pa.array([1, 2, 3], pa.int64()), 6),
            (pa.array([1, 2, 3], pa.uint8()), 6),
            (pa.array([0.5, 1, 2], pa.float32()), 3.5),
            (pa.array([Decimal("1.5")] * 3, pa.decimal128(12, 1)), 4.5),
            (pa.array([20_000_001] * 3, pa.int32()), 60_000_003),
            (pa.nulls(3), 0),
        ],
    )
    @pytest.mark.filterwarnings("ignore:.*without 'amount'")
    @pytest.mark.parametrize("first", [True, False])
    def test_numbers_of_several_types(self, amounts: pa.Array, expected: float, *, first: bool, tmp_path: Path) -> None:
        tables = [rows(amount=amounts), rows()]
        assert money(written(tmp_path, *(tables if first else tables[::-1]))) == pytest.approx(expected + 9.24)

    def test_whole_numbers_stay_whole(self, tmp_path: Path) -> None:
        small, large = pa.array([1, 1, 2], pa.int8()), pa.array([1, 2**53, 2**53 + 1])
        rfm = read(written(tmp_path, rows(customer_id=small), rows(customer_id=large)))
        assert rfm.customer_id.tolist() == [1, 2, 2**53, 2**53 + 1]

    def test_what_does_not_go_into_the_type_is_an_error(self, tmp_path: Path) -> None:
        beyond = pa.array([1, 2, 2**64 - 1], pa.uint64())
        assert "18446744073709551615" in refusal(written(tmp_path, rows(customer_id=beyond), rows()))

    @pytest.mark.parametrize(
        ("column", "other", "kinds"),
        [
            ("customer_id", ["a", "b", "c"], ("int64", "string")),
            ("amount", ["1", "2", "3"], ("double", "string")),
            ("date", [time.date() for time in TIMES], ("timestamp[us]", "date32[day]")),
            ("date", pa.array(TIMES, pa.timestamp("us", "UTC")), ("timestamp[us]", "timestamp[us, tz=UTC]")),
        ],
    )
    @pytest.mark.parametrize("first", [True, False])
    def test_other_types_are_refused(
        self, column: str, other: Any, kinds: tuple[str, str], *, first: bool, tmp_path: Path
    ) -> None:
        tables, told = [rows(), rows(**{column: other})], list(kinds)
        pattern = written(tmp_path, *(tables if first else tables[::-1]))
        one, two = told if first else told[::-1]
        assert refusal(pattern) == (
            f"column {column!r} is {one} in {str(tmp_path / '0.parquet')!r} and {two} in "
            f"{str(tmp_path / '1.parquet')!r}; write it with the same type into all files"
        )

    def test_zones_of_several_names_are_refused(self, tmp_path: Path) -> None:
        times = [pa.array(TIMES, pa.timestamp("us", zone)) for zone in ("Europe/Berlin", "UTC")]
        assert "tz=Europe/Berlin" in refusal(written(tmp_path, *(rows(date=one) for one in times)))

    def test_forms_of_one_type(self, tmp_path: Path) -> None:
        ids = pa.array(["a", "a", "b"])
        tables = [
            rows(customer_id=ids.cast(pa.large_string()), date=pa.array(TIMES).cast(pa.timestamp("ns"))),
            rows(customer_id=ids.dictionary_encode(), date=pa.array(TIMES).cast(pa.timestamp("ms"))),
            rows(customer_id=ids).select(["amount", "date", "customer_id"]),
        ]
        assert read(written(tmp_path, *tables)).customer_id.tolist() == ["a", "b"]

    @pytest.mark.parametrize("kind", [pa.null(), pa.float64(), pa.string()])
    def test_files_without_rows_have_no_types(self, kind: pa.DataType, tmp_path: Path) -> None:
        empty = pa.table({name: pa.array([], kind) for name in rows().column_names})
        assert money(written(tmp_path, empty, rows())) == pytest.approx(9.24)

    def test_what_a_file_lacks(self, tmp_path: Path) -> None:
        pattern = written(tmp_path, rows(), rows().drop_columns("amount"))
        assert refusal(pattern).startswith(f"the file {str(tmp_path / '1.parquet')!r} has no column 'amount'; its")
        (tmp_path / "1.parquet").write_bytes(b"")
        assert refusal(pattern).startswith(f"cannot read {str(tmp_path / '1.parquet')!r}: ")

    def test_ledgers(self, tmp_path: Path) -> None:
        ledger = pa.table({"customer_id": [1], "time": TIMES[:1], "value": [5]})
        pattern = written(tmp_path, ledger, ledger.set_column(2, "value", pa.array([5.49])))
        assert Ledgers.read(returns=pattern).returns.value.tolist() == [5, 5.49]
        written(tmp_path, ledger.set_column(0, "customer_id", pa.array(["1"])))
        with pytest.raises(DataError, match=r"column 'customer_id' is string in .* and int64 in"):
            Ledgers.read(returns=pattern)


class TestCsv:
    @pytest.mark.parametrize(
        "other",
        [
            "amount,date,customer_id\n5,2024-01-02,2\n",
            "customer_id;date;amount\n2;2024-01-02;5\n",
            "\n\ndate\tnote\tcustomer_id\tamount\n2024-01-02\tx\t2\t5\n",
        ],
    )
    def test_columns_meet_by_name(self, other: str, tmp_path: Path) -> None:
        (tmp_path / "0.csv").write_text(f"{HEADER}\n1,2024-01-01,3\n")
        (tmp_path / "1.csv").write_text(other)
        with gzip.open(tmp_path / "2.csv.gz", "wt") as file:
            file.write(other)
        assert money(tmp_path / "*.csv") == 8
        assert read(tmp_path / "*.csv").customer_id.tolist() == [1, 2]
        assert money(tmp_path / "2.csv.gz") == 5

    def test_ledgers(self, tmp_path: Path) -> None:
        (tmp_path / "0.csv").write_text("customer_id,time,channel\n007,2024-01-01,shop\n")
        (tmp_path / "1.csv").write_text("channel,time,customer_id\nweb,2024-01-02,008\n")
        service = Ledgers.read(service=tmp_path / "*.csv").service
        assert service.customer_id.tolist() == ["007", "008"]
        assert service.channel.tolist() == ["shop", "web"]
        (tmp_path / "1.csv").write_text("time,customer_id\n2024-01-02,008\n")
        with pytest.raises(DataError, match=r"1\.csv' has no column 'channel'"):
            Ledgers.read(service=tmp_path / "*.csv")

    def test_what_a_file_lacks(self, tmp_path: Path) -> None:
        (tmp_path / "0.csv").write_text(f"{HEADER}\n1,2024-01-01,3\n")
        (tmp_path / "1.csv").write_text("2,2024-01-01,3\n3,2024-01-02,4\n")
        assert refusal(tmp_path / "*.csv") == (
            f"the file {str(tmp_path / '1.csv')!r} has no column 'customer_id', 'date', 'amount'; "
            "its columns are '2', '2024-01-01', '3'"
        )

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    @pytest.mark.parametrize("note", ['"a{} b"', '"a ""b"" c"', '"a\nb"'])
    def test_a_quote_that_comes_late(self, delimiter: str, note: str, tmp_path: Path) -> None:
        lines = [f"{HEADER},note", *["1,2024-01-01,3,ok"] * 25_000, "2,2024-01-02,4,NOTE"]
        text = "\n".join(lines).replace(",", delimiter).replace("NOTE", note.format(delimiter))
        (tmp_path / "log.csv").write_text(text)
        assert money(tmp_path / "log.csv") == 75_004

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (f"{HEADER},note\n1,2024-01-01,3,Müller\n".encode("latin-1"), "not utf-8 encoded"),
            (f"{HEADER}\n".encode() + b"1,2024-01-01,3\n" * 30_000 + b"1,2\n", "Found: 2"),
            (b"a title\n\n" + f"{HEADER}\n1,2024-01-01,3\n".encode(), "not possible to automatically detect"),
        ],
    )
    def test_errors_say_the_reason(self, content: bytes, reason: str, tmp_path: Path) -> None:
        (tmp_path / "log.csv").write_bytes(content)
        told = refusal(tmp_path / "log.csv")
        assert reason in told
        assert "\n" not in told

    def test_what_is_no_gzip(self, tmp_path: Path) -> None:
        (tmp_path / "log.csv.gz").write_text("customer_id,date\n")
        assert "cannot read" in refusal(tmp_path / "log.csv.gz")


def test_conversions_that_fail_in_a_query() -> None:
    connection = duckdb.connect()
    with pytest.raises(DataError, match="Could not convert string 'a' to INT32"):
        translate_errors(connection, lambda: connection.execute("SELECT CAST('a' AS INT)").fetchall())


class TestFolders:
    """Columns in names of folders: a file's own column is never replaced."""

    @pytest.mark.parametrize("kind", ["csv", "parquet"])
    def test_the_file_comes_first(self, kind: str, tmp_path: Path) -> None:
        folder = tmp_path / "DATE=2023-05-05" / "date=2023-05-05" / "customer_id=9" / "amount=1000"
        folder.mkdir(parents=True)
        save(rows(), folder / f"log.{kind}")
        rfm = read(folder / f"log.{kind}")
        assert rfm.customer_id.tolist() == [1, 2]
        assert rfm.frequency.tolist() == [1.0, 0.0]
        assert str(rfm.observation_end.date()) == "2024-01-09"
        assert rfm.report.money_read == pytest.approx(9.24)

    @pytest.mark.parametrize("kind", ["csv", "parquet"])
    def test_what_only_the_folder_says(self, kind: str, tmp_path: Path) -> None:
        for number, place in enumerate(
            ["a/channel=web%2Fapp", "b/channel=it's", "c/channel=__HIVE_DEFAULT_PARTITION__"]
        ):
            (tmp_path / place).mkdir(parents=True)
            save(rows(customer_id=[number] * 3), tmp_path / place / f"channel=no.{kind}")
        rfm = rfm_summary(tmp_path / "**" / f"*.{kind}", attributes=["channel"]).collect()
        channels = rfm.attributes["channel"]
        assert channels.iloc[:2].tolist() == ["web/app", "it's"]
        assert channels.isna().tolist() == [False, False, True]

    @pytest.mark.parametrize("kind", ["csv", "parquet"])
    def test_ledgers(self, kind: str, tmp_path: Path) -> None:
        folder = tmp_path / "time=2023-05-05" / "channel=web"
        folder.mkdir(parents=True)
        save(pa.table({"customer_id": ["a"], "time": ["2024-01-01"]}), folder / f"service.{kind}")
        service = Ledgers.read(service=folder / f"service.{kind}").service
        assert service is not None
        assert str(service["time"][0].date()) == "2024-01-01"
        assert service["channel"].tolist() == ["web"]


def save(table: pa.Table, file: Path) -> None:
    table.to_pandas().to_csv(file, index=False) if file.suffix == ".csv" else pq.write_table(table, file)


class TestTypes:
    @pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
    @pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin", "+05:30"])
    @pytest.mark.parametrize("form", ["table", "reader", "parquet", "dictionary"])
    def test_times(self, unit: str, zone: str | None, form: str, tmp_path: Path) -> None:
        late = [dt.datetime(2024, 1, day, 23, 30) for day in (1, 5, 9)]  # in Berlin, of the next day
        times = pa.array(late, pa.timestamp("us", zone)).cast(pa.timestamp(unit, zone))
        table = rows(date=times.dictionary_encode() if form == "dictionary" else times)
        log = written(tmp_path, table) if form == "parquet" else table.to_reader() if form == "reader" else table
        rfm = rfm_summary(log, resolution="day", unit="day").collect()
        last = 10 if zone in ("Europe/Berlin", "+05:30") else 9
        assert rfm.observation_end.day == last
        assert rfm.recency.tolist() == [4.0, 0.0]

    @pytest.mark.parametrize("form", ["reader", "parquet"])
    def test_the_last_nanosecond_is_of_its_day(self, form: str, tmp_path: Path) -> None:
        end = 1_704_153_599_999_999_999  # 2024-01-01 23:59:59.999999999
        table = rows(date=pa.array([end] * 3, pa.timestamp("ns", "UTC")))
        rfm = rfm_summary(
            written(tmp_path, table) if form == "parquet" else table.to_reader(), resolution="day"
        ).collect()
        assert str(rfm.observation_end.date()) == "2024-01-01"

    @pytest.mark.parametrize(
        "amounts",
        [
            pa.array([1.5, 2.5, 0.5]).cast(pa.float16()),
            pa.array([Decimal("1.5"), Decimal("2.5"), Decimal("0.5")], pa.decimal256(60, 1)),
            pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array([1.0, 2.5])),
        ],
    )
    @pytest.mark.parametrize("form", ["table", "reader"])
    def test_numbers_that_duckdb_does_not_read(self, amounts: pa.Array, form: str) -> None:
        table = rows(amount=amounts)
        rfm = rfm_summary(table.to_reader() if form == "reader" else table, value="amount").collect()
        assert rfm.report.money_read == 4.5

    @pytest.mark.parametrize("column", ["customer_id", "date", "amount"])
    @pytest.mark.parametrize("form", ["table", "reader", "parquet"])
    def test_durations_are_no_amounts(self, column: str, form: str, tmp_path: Path) -> None:
        table = rows(**{column: pa.array([dt.timedelta(days=1)] * 3)})
        log = written(tmp_path, table) if form == "parquet" else table.to_reader() if form == "reader" else table
        with pytest.raises(DataError, match=f"column '{column}' holds duration"):
            rfm_summary(log, value="amount")

    @pytest.mark.parametrize("values", [[[1], [2], [3]], [{"a": 1}] * 3])
    def test_ids_are_single_values(self, values: Any) -> None:
        with pytest.raises(DataError, match="not one value a row"):
            rfm_summary(rows(customer_id=values))
        with pytest.raises(DataError, match="not one value a row"):
            Ledgers.read(service=rows(customer_id=values, time=TIMES))

    @pytest.mark.parametrize("form", ["table", "reader", "parquet"])
    def test_two_columns_of_one_name(self, form: str, tmp_path: Path) -> None:
        table = rows().append_column("date", [pa.array(TIMES)])
        log = written(tmp_path, table) if form == "parquet" else table.to_reader() if form == "reader" else table
        with pytest.raises(DataError, match="more than one column 'date'"):
            rfm_summary(log)

    def test_amounts_beyond_what_can_be_computed(self) -> None:
        with pytest.raises(DataError, match=r"'amount' add up to more than 1e\+100"):
            rfm_summary(rows(amount=[1e308, 1e308, -1e308]), value="amount")


class TestDamage:
    def test_of_a_page(self, tmp_path: Path) -> None:
        file = written(tmp_path, rows(amount=[1.0, 2.0, 3.0])).parent / "0.parquet"
        content = bytearray(file.read_bytes())
        content[4:60] = bytes(range(100, 156))
        file.write_bytes(content)
        with pytest.raises(DataError):
            rfm_summary(file, value="amount").collect()

    @pytest.mark.parametrize("name", ["a\0b.csv", "~nobody_of_this_name/log.csv", "\ud800.csv", "a" * 5_000 + ".csv"])
    def test_of_names(self, name: str) -> None:
        with pytest.raises(DataError):
            rfm_summary(name)
        with pytest.raises(DataError):
            Ledgers.read(service=name)

    def test_of_links(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").symlink_to(tmp_path / "b.csv")
        (tmp_path / "b.csv").symlink_to(tmp_path / "a.csv")
        with pytest.raises(DataError, match=r"a\.csv"):
            rfm_summary(tmp_path / "a.csv")

    def test_a_header_without_end_is_refused_early(self, tmp_path: Path) -> None:
        file = tmp_path / "bomb.csv.gz"
        with gzip.open(file, "wb", compresslevel=1) as stream:
            for _ in range(100):
                stream.write(b"a" * 1_000_000)
        started = time.perf_counter()
        with pytest.raises(DataError, match="no line ends within its first 1,048,576 letters"):
            rfm_summary(file)
        assert time.perf_counter() - started < 5.0
