"""The private DuckDB: its memory, where it spills, what its errors mean; and what it and others leave behind."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread, Timer
from typing import Any

import duckdb
import ibis
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import clvmodels as clv
from clvmodels.data import rfm_summary, translated
from clvmodels.data.duckdb_engine import DuckDBLimits, PrivateEngine
from clvmodels.data.ibis_engine import IbisEngine
from clvmodels.errors import DataError
from tests.engines import in_engine, simulated_log

ROWS = 400_000
LARGE = f"""
    SELECT lpad(((i * 7919) % {ROWS // 2})::VARCHAR, 300, '0') AS customer_id,
        TIMESTAMP '2023-01-01' + to_days((i * 104729 % 1000 + i // {ROWS // 2})::INT) AS date,
        (i * 31) % 9973 / 100.0 AS amount
    FROM range({ROWS}) numbers(i)
"""
"""A log of 120 MB: ids of 300 letters, two purchases each."""


@pytest.fixture
def spills(tmp_path: Path) -> Path:
    """Return a folder to spill into."""
    folder = tmp_path / "spill's folder"
    folder.mkdir()
    return folder


@contextmanager
def sizes_of(folder: Path) -> Iterator[list[int]]:
    """Yield a list of the sizes in bytes that a folder had at times."""
    sizes, done = [0], Event()

    def watch() -> None:
        while not done.wait(0.005):
            seen = [file.stat().st_size for file in folder.rglob("*") if file.exists()]
            sizes.append(sum(seen))

    thread = Thread(target=watch)
    thread.start()
    try:
        yield sizes
    finally:
        done.set()
        thread.join()


# -------------------------------------------------------------------------------------------------------- out of core


def test_what_does_not_fit_is_spilled(spills: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.parquet"
    duckdb.connect().execute(f"COPY ({LARGE}) TO '{str(log).replace(chr(39), 2 * chr(39))}' (FORMAT parquet)")
    with sizes_of(spills) as sizes:
        rfm = rfm_summary(log, value="amount", resolution="day", unit="day", memory_gb=0.25, spill_folder=spills)
        assert not rfm.in_memory
        rfm.write(tmp_path / "histories.parquet")
    assert max(sizes) > 10**6
    found = pq.read_table(tmp_path / "histories.parquet")
    assert [id_.lstrip("0") for id_ in found["customer_id"][:3].to_pylist()] == ["", "1", "2"]
    i = np.arange(ROWS)
    day = i * 104729 % 1000 + i // (ROWS // 2)
    first, last = day[: ROWS // 2], day[ROWS // 2 :]  # i and i + ROWS / 2 are of one customer
    customer = i[: ROWS // 2] * 7919 % (ROWS // 2)
    recency = np.zeros(ROWS // 2)
    recency[customer] = np.abs(last - first)
    np.testing.assert_array_equal(found["recency"], recency)
    del rfm
    gc.collect()
    assert list(spills.iterdir()) == []


def test_more_than_memory_and_disk_may_take(spills: Path) -> None:
    engine = PrivateEngine.new(DuckDBLimits(0.25, spills))
    engine.connection.execute("SET memory_limit = '20MB'; SET max_temp_directory_size = '1MB'")
    engine.connection.execute("CREATE VIEW texts AS SELECT md5(range::VARCHAR) AS text FROM range(2_000_000)")
    with pytest.raises(DataError, match="than it may take: raise memory_gb, or name a spill_folder on a disk with mor"):
        engine.keep(engine.table("texts").order_by("text"))


def test_a_file_that_breaks_off_is_named(tmp_path: Path) -> None:
    log = simulated_log(1_000, seed=1)
    whole = in_engine(log, "parquet", tmp_path)
    (tmp_path / "log-x.parquet").write_bytes(whole.read_bytes()[:5_000])
    with pytest.raises(DataError, match=r"log-x\.parquet"):
        rfm_summary(tmp_path / "log-*.parquet", value="amount")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    engine = PrivateEngine.new(DuckDBLimits())
    engine.connection.execute("CREATE TABLE numbers AS SELECT range AS n FROM range(3)")
    with pytest.raises(DataError, match=r"none.*it's\.parquet"):
        engine.write(engine.table("numbers"), tmp_path / "none" / "it's.parquet", order_by="n")
    engine.write(engine.table("numbers"), tmp_path / "it's.parquet", order_by="n")
    assert pq.read_table(tmp_path / "it's.parquet").to_pydict() == {"n": [0, 1, 2]}


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
def test_an_interrupt_is_one() -> None:
    """DuckDB makes a RuntimeError of it, which those who catch every error would take for one."""
    engine = PrivateEngine.new(DuckDBLimits())
    engine.connection.execute("CREATE VIEW many AS SELECT range AS n FROM range(20_000_000_000)")
    many = engine.table("many")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell in the background ignores
    Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            engine.run(many.aggregate(total=(many.n % 7).sum()))
    finally:
        signal.signal(signal.SIGINT, before)


# ----------------------------------------------------------------------------------------------------------- progress


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a query that takes a moment, where a hundredth of a second is long."""
    monkeypatch.setattr(translated, "_PATIENCE", 0.01)
    monkeypatch.setattr(translated, "_EVERY", 0.01)
    engine = PrivateEngine.new(DuckDBLimits())
    engine.connection.execute("CREATE TABLE many AS SELECT range AS n FROM range(3_000_000)")
    many = engine.table("many")
    counted = many.group_by(text=many.n.cast("string")).aggregate(rows=many.count())

    def run() -> None:
        assert engine.run(counted.aggregate(rows=counted.rows.sum()))["rows"].to_pylist() == [3_000_000]

    return run


def test_a_long_query_tells_how_far_it_is(long: Callable[[], None]) -> None:
    told: list[float] = []
    with translated.telling(told.append):
        long()
    assert len(told) > 1
    assert 0.0 <= min(told) <= max(told) <= 100.0


def test_a_bar_is_drawn_on_a_terminal_only(
    long: Callable[[], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    long()
    assert capsys.readouterr() == ("", "")
    for name in ("TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.setenv(name, "1")
    long()
    out, err = capsys.readouterr()
    assert out == ""
    assert "DuckDB" in err


# ---------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("memory", [0, 0.2, -1.0, float("nan"), float("inf"), "3"])
def test_memory_that_is_none(memory: Any, tmp_path: Path) -> None:
    file = in_engine(simulated_log(10, seed=1), "parquet", tmp_path)
    with pytest.raises(DataError, match=r"memory_gb is the memory of DuckDB in GB, at least 0\.25, got"):
        rfm_summary(file, memory_gb=memory)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    file = in_engine(simulated_log(10, seed=1), "parquet", tmp_path)
    for folder in (tmp_path / "none", str(file)):
        with pytest.raises(DataError, match="is no folder; make it first"):
            rfm_summary(file, spill_folder=folder)


@pytest.mark.parametrize("grid", [0, -1e-6, float("nan"), float("inf"), "1e-6", True])
@pytest.mark.parametrize("resolution", [None, "day"])
def test_a_bound_that_is_none(grid: Any, resolution: str | None, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"grid is by how much .* such as 1e-6, got .*; None for no grid"):
        rfm_summary(tmp_path / "is not read.parquet", resolution=resolution, grid=grid)


# ------------------------------------------------------------------------------------------------- what is left behind


def test_the_database_lives_as_long_as_its_tables(spills: Path, tmp_path: Path) -> None:
    file = in_engine(simulated_log(100, seed=1), "parquet", tmp_path)
    rfm = rfm_summary(file, spill_folder=spills)
    assert not rfm.in_memory
    table = rfm.table
    del rfm
    gc.collect()
    assert len(list(spills.iterdir())) == 1
    assert table.count().to_pyarrow().as_py() == 100
    del table
    gc.collect()
    assert list(spills.iterdir()) == []


def test_what_a_private_database_keeps_goes_with_what_is_made_of_it(tmp_path: Path) -> None:
    rfm = rfm_summary(in_engine(simulated_log(2_000, seed=1, days=True), "parquet", tmp_path), value="amount")
    assert not rfm.in_memory
    backend: Any = rfm.backend
    engine = backend.engine
    assert isinstance(engine, PrivateEngine)
    connection = engine.connection
    orders, spend = clv.BGNBD().fit(rfm), clv.GammaGamma().fit(rfm)

    def kept() -> set[str]:
        """Return tables and views, once a query has been run."""
        gc.collect()
        assert len(engine.run(backend.rows)) == 2_000
        return {name for (name,) in connection.sql("SHOW TABLES").fetchall()}

    def customers(rate: float) -> Any:
        return clv.value(orders, spend, rfm, clv.Assumptions(discount_rate=rate, margin=0.30)).customers_table

    alone = kept()
    table = customers(0.10)
    beside = kept()
    assert len(beside) > len(alone)
    value = table.rlv.sum()
    for rate in (0.15, 0.20):
        assert customers(rate).rlv.sum().to_pyarrow().as_py() > 0.0
    del table
    assert kept() == beside  # an expression of the table is at hand
    assert value.to_pyarrow().as_py() > 0.0
    del value
    assert kept() == alone


def test_nothing_is_spilled_beyond_the_end(spills: Path, tmp_path: Path) -> None:
    file = in_engine(simulated_log(100, seed=1), "parquet", tmp_path)
    program = f"""
import sys
from pathlib import Path
from clvmodels.data import rfm_summary
rfm = rfm_summary({str(file)!r}, spill_folder={str(spills)!r})
print(len(list(Path({str(spills)!r}).iterdir())))
sys.exit(3)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "1\n")
    assert list(spills.iterdir()) == []


def test_a_users_database_is_left_as_it_was(tmp_path: Path) -> None:
    log = in_engine(simulated_log(2_000, seed=1, days=True), "ibis", tmp_path)
    backend = ibis.get_backend(log)

    def left() -> list[str]:
        """Return its tables and views, once a query has been run."""
        gc.collect()
        IbisEngine(backend).run(log.limit(1))
        return [name for (name,) in backend.con.sql("SHOW TABLES").fetchall()]

    rfm = rfm_summary(log, value="amount", resolution="day")
    assert not rfm.in_memory
    orders, spend = clv.BGNBD().fit(rfm), clv.GammaGamma().fit(rfm)
    book = clv.value(orders, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
    assert len(book.customers_table.to_pyarrow()) == len(rfm) == 2_000
    assert len(book.customers) == 2_000
    assert len(orders.expected_purchases(rfm, "52 weeks", as_table=True).to_pyarrow()) == 2_000
    assert len(left()) == 3  # the log, the histories, and what the book is made of
    del rfm, book
    assert left() == ["log"]


def test_a_users_database_is_left_as_it_was_after_an_error(tmp_path: Path) -> None:
    log = simulated_log(100, seed=1)
    table = in_engine(log.assign(date=log["date"].dt.strftime("%d.%m.%Y")), "ibis", tmp_path)
    with pytest.raises(DataError, match=r"time_format '%m\.%d\.%Y' does not fit"):
        rfm_summary(table, time_format="%m.%d.%Y")
    assert ibis.get_backend(table).con.sql("SHOW TABLES").fetchall() == [("log",)]


def test_histories_are_of_the_rows_that_there_are(tmp_path: Path) -> None:
    """Ibis itself gives the same answer to the same question, as long as the first is at hand."""
    table = in_engine(pd.DataFrame({"customer_id": [1], "date": ["2024-01-01"]}), "ibis", tmp_path)
    first = rfm_summary(table, observation_end="2024-02-01")
    ibis.get_backend(table).con.execute("INSERT INTO log VALUES (2, '2024-01-02')")
    assert (len(first), len(rfm_summary(table, observation_end="2024-02-01"))) == (1, 2)
