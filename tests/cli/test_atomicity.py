"""Results appear whole or not at all, and interrupted work leaves nothing behind."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow.parquet as pq
import pytest
import typer

from clvmodels import cli
from clvmodels.cli import run as run_module
from clvmodels.data import transactions
from clvmodels.reporting import files, output

if TYPE_CHECKING:
    from tests.cli.conftest import Run


@pytest.fixture
def given(log: Path, terms: Path, tmp_path: Path) -> tuple[object, ...]:
    options = ("--value", "amount", "--model", "bg_nbd", "--method", "mle", "--assumptions", terms)
    return ("value", log, *options, "--out", tmp_path / "place" / "out")


def contents(folder: Path) -> dict[str, bytes]:
    return {entry.relative_to(folder).as_posix(): entry.read_bytes() for entry in folder.rglob("*") if entry.is_file()}


def failing_with(error: BaseException) -> Callable[..., None]:
    """Return a stand-in for what writes, which fails."""

    def write(*_: object, **__: object) -> None:
        raise error

    return write


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (OSError(errno.ENOSPC, "No space left on device"), 2),
        (OSError(errno.EFBIG, "File too large"), 2),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), 2),
    ],
    ids=["ctrl-c", "full", "too large", "quota"],
)
@pytest.mark.parametrize("writer", ["valuation.book.Book.write_customers", "reporting.output.equity_record"])
def test_a_failure_while_writing_leaves_no_trace(
    run: Run,
    given: tuple[object, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    writer: str,
    error: BaseException,
    code: int,
) -> None:
    monkeypatch.setattr(f"clvmodels.{writer}", failing_with(error))
    result = run(*given)
    assert result.code == code
    assert "Traceback" not in result.err
    assert not (tmp_path / "place").exists()


def test_a_failure_while_writing_leaves_what_was_there(
    run: Run, given: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(*given).code == 0
    before = contents(tmp_path / "place")
    monkeypatch.setattr("clvmodels.reporting.output.TransactionFit.save", failing_with(KeyboardInterrupt()))
    assert run(*given).code == 130
    assert contents(tmp_path / "place") == before


def test_an_earlier_result_is_replaced(run: Run, given: tuple[object, ...], tmp_path: Path) -> None:
    assert run(*given).code == 0
    equity = tmp_path / "place" / "out" / "equity.json"
    equity.write_text("{}", encoding="utf-8")
    assert run(*given).code == 0
    assert "clvmodels equity" in equity.read_text(encoding="utf-8")
    assert [entry.name for entry in (tmp_path / "place").iterdir()] == ["out"]


def test_the_assumptions_written_are_those_that_were_used(
    run: Run, given: tuple[object, ...], terms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used, record = terms.read_bytes(), output.equity_record

    def edited_meanwhile(*some: Any, **options: Any) -> dict[str, Any]:
        terms.write_text("margin = 1.0", encoding="utf-8")
        return record(*some, **options)

    monkeypatch.setattr(output, "equity_record", edited_meanwhile)
    assert run(*given).code == 0
    assert (tmp_path / "place" / "out" / "assumptions.toml").read_bytes() == used


def test_the_fits_do_not_replace_a_valuation(run: Run, given: tuple[object, ...], log: Path, tmp_path: Path) -> None:
    assert run(*given).code == 0
    result = run("fit", log, "--model", "bg_nbd", "--out", tmp_path / "place" / "out")
    assert result.code == 2
    assert "(assumptions.toml, customers.parquet, equity.json)" in result.err


def test_a_failure_leaves_the_table_that_was_there(
    run: Run, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "place" / "table.csv"
    out.parent.mkdir()
    out.write_text("before", encoding="utf-8")
    monkeypatch.setattr(files, "write_table", failing_with(KeyboardInterrupt()))
    assert run("summarize", log, "--out", out).code == 130
    assert contents(tmp_path / "place") == {"table.csv": b"before"}


def test_what_duckdb_makes_of_an_interrupt_is_one(run: Run, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "rfm_summary", failing_with(RuntimeError("Query interrupted")))
    assert run("summarize", log).code == 130


@pytest.mark.parametrize("error", [RuntimeError("something else"), OSError(5, "Input/output error")])
def test_other_errors_are_neither_interrupts_nor_messages(
    log: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(transactions, "rfm_summary", failing_with(error))
    with pytest.raises(type(error), match=str(error.args[-1])):
        cli.main(["summarize", str(log)])


@pytest.mark.parametrize("error", [KeyboardInterrupt, typer.Abort])
def test_an_interrupt_while_options_are_read(run: Run, monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    monkeypatch.setattr(run_module, "app", failing_with(error()))
    assert run("summarize").code == 130


def test_a_file_that_must_not_be_read_is_named(run: Run, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = PermissionError(13, "Permission denied", "log.csv")
    monkeypatch.setattr(transactions, "rfm_summary", failing_with(error))
    result = run("summarize", log)
    assert (result.code, result.err) == (2, "error: Permission denied: 'log.csv'\n")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a log of a million rows: 300,000 customers within two months."""
    log = tmp_path_factory.mktemp("large") / "log.parquet"
    rows = """
        SELECT (hash(i) % 300_000)::BIGINT AS customer_id,
            TIMESTAMP '2023-01-01' + to_days((hash(i + 0.5) % 60)::INT) AS date,
            (hash(i - 0.5) % 10_007 + 1) / 100.0 AS amount
        FROM range(1_000_000) numbers(i)
    """
    duckdb.connect().execute(f"COPY ({rows}) TO '{log}' (FORMAT parquet)")
    return log


def test_a_run_repeated_writes_the_same_bytes(run: Run, large: Path, terms: Path, tmp_path: Path) -> None:
    options = (
        "--value",
        "amount",
        "--resolution",
        "day",
        "--model",
        "bg_nbd",
        "--method",
        "mle",
        "--assumptions",
        terms,
    )
    for out in ("one", "two"):
        result = run("value", large, *options, "--out", tmp_path / out)
        assert result.code == 0, result.err
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert set(one) == {"assumptions.toml", "customers.parquet", "equity.json", "spend.json", "transactions.json"}
    assert [name for name in one if one[name] != two[name]] == []  # a difference of megabytes takes hours to show
    ids = pq.read_table(tmp_path / "one" / "customers.parquet")["customer_id"].to_numpy()
    assert len(ids) > 250_000
    assert (ids[1:] > ids[:-1]).all()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
@pytest.mark.parametrize(("during", "number"), [("keep", signal.SIGINT), ("write", signal.SIGTERM)])
def test_signals_while_the_engine_computes(during: str, number: int, large: Path, terms: Path, tmp_path: Path) -> None:
    """The aggregation is under way as a table is kept, and the customers as they are written."""
    told = f"""
import sys
from clvmodels import cli
from clvmodels.data.duckdb_engine import PrivateEngine

def {during}(*some, _of=PrivateEngine.{during}, **options):
    print("computing", file=sys.stderr, flush=True)
    return _of(*some, **options)

PrivateEngine.{during} = {during}
cli.main()
"""
    spills = tmp_path / "spills"
    spills.mkdir()
    options = (
        "--value",
        "amount",
        "--resolution",
        "day",
        "--model",
        "bg_nbd",
        "--method",
        "mle",
        "--assumptions",
        terms,
    )
    given = ("value", large, *options, "--spill-folder", spills, "--out", tmp_path / "place" / "out")
    with subprocess.Popen([sys.executable, "-c", told, *map(str, given)], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "computing\n"
        assert len(list(spills.iterdir())) == 1
        while during == "write" and not list((tmp_path / "place").rglob("*.part/*.parquet*")):
            assert process.poll() is None
        if during == "keep":
            time.sleep(0.1)
        process.send_signal(number)
        err = process.communicate(timeout=60)[1]
    assert (process.returncode, err.strip()) == (128 + number, "")
    assert set(tmp_path.iterdir()) == {spills, terms}
    assert list(spills.iterdir()) == []


def ended(reading: str, given: tuple[object, ...], number: int | None) -> tuple[int, str, float]:
    """Run a command whose log is read by other code; return exit code, errors and seconds from its signal to its end.

    Parameters
    ----------
    reading
        What reads the log, and says on standard error when it has begun.
    given
        The command.
    number
        The signal that is sent then; None: it sends its own.
    """
    code = f"""
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # the background has it ignored
from clvmodels import cli, interrupts
from clvmodels.data import transactions

def rfm_summary(*_, **__):
{textwrap.indent(reading, "    ")}

transactions.rfm_summary = rfm_summary
cli.main()
"""
    command = [sys.executable, "-c", code, *map(str, given)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "reading\n"
        begun = time.monotonic()
        if number is not None:
            process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert out == ""
    return process.returncode, err, time.monotonic() - begun


SLOW = """
print("reading", file=sys.stderr, flush=True)
time.sleep(60)
"""
TURNED = """
print("reading", file=sys.stderr, flush=True)
try:
    time.sleep(60)
except KeyboardInterrupt:
    raise ImportError("initialization failed")
"""
LOST = """
class Last:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)

print("reading", file=sys.stderr, flush=True)
last = Last()
del last
time.sleep(60)
"""
STUCK = """
interrupts.LONGEST = 1.0
print("reading", file=sys.stderr, flush=True)
try:
    time.sleep(60)
finally:
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_that_end_a_process(given: tuple[object, ...], tmp_path: Path, name: str) -> None:
    number = getattr(signal, name)
    code, err, _ = ended(SLOW, given, number)
    assert (code, err.strip()) == (128 + number, "")
    assert not (tmp_path / "place").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_an_interrupt_of_which_others_make_an_error_is_one(given: tuple[object, ...]) -> None:
    code, err, _ = ended(TURNED, given, signal.SIGINT)
    assert (code, err.strip()) == (130, "")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_an_interrupt_that_nothing_can_raise_is_raised_again(given: tuple[object, ...]) -> None:
    code, err, seconds = ended(LOST, given, None)
    assert (code, err.strip()) == (143, "")
    assert seconds < 30.0


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_run_that_does_not_end_after_a_signal_is_ended(given: tuple[object, ...]) -> None:
    code, err, seconds = ended(STUCK, given, signal.SIGTERM)
    assert (code, err.strip()) == (143, "")
    assert seconds < 30.0


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_signal_that_the_caller_ignores_stays_ignored(given: tuple[object, ...]) -> None:
    """So ``nohup`` has it."""
    command = """
import signal
signal.signal(signal.SIGHUP, signal.SIG_IGN)
from clvmodels import cli
from clvmodels.data import transactions

def rfm_summary(*_, **__):
    signal.raise_signal(signal.SIGHUP)
    raise OSError(2, "gone on", "log")

transactions.rfm_summary = rfm_summary
cli.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", command, *map(str, given)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (2, "error: gone on: 'log'\n")
