"""Whatever is wrong with what is given: one message that helps, exit code 2, no traceback, nothing written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Run

HEAD = "customer_id,date,amount\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def refuse(run: Run, *arguments: object, words: str) -> None:
    """Run the command and expect to be refused, in one line that contains the words."""
    result = run(*arguments)
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("error: ")
    assert words in result.err
    assert len(result.err.splitlines()) == 1


def test_a_log_is_not_overwritten(run: Run, tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", "customer_id,date\na,2024-01-05\na,2024-02-05\nb,2024-02-05\n")
    before = log.read_bytes()
    refuse(run, "summarize", log, "--out", log, words="the log is read from it")
    refuse(run, "summarize", tmp_path / "*.csv", "--out", log, words="the log is read from it")
    assert log.read_bytes() == before


@pytest.mark.parametrize("command", ["summarize", "fit"])
def test_a_missing_log(run: Run, command: str) -> None:
    refuse(run, command, "missing.csv", words="there is no file 'missing.csv'")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--value", "amont"], "did you mean 'amount'?"),
        (["--customer-id", "id"], "no column 'id'"),
        (["--time", "Date"], "did you mean 'date'?"),
        (["--unit", "weak"], "did you mean 'week'?"),
        (["--resolution", "dya"], "did you mean 'day'?"),
        (["--returns", "nett"], "did you mean 'net'?"),
        (["--time-zone", "Mars/Olympus"], "unknown time zone 'Mars/Olympus'"),
        (["--observation-end", "tomorrow"], "cannot read observation_end 'tomorrow'"),
        (["--observation-end", "05.06.1998"], 'write a date such as "2024-06-30"'),
        (["--observation-start", "1997"], "cannot read observation_start '1997'"),
        (["--observation-end", "1990-01-01"], "no purchase is left"),
        (["--observation-start", "1999-01-01"], "observation_start"),
        (["--out", "table.xlsx"], "use one of '.parquet', '.csv'"),
        (["--outt", "table.csv"], "No such option: --outt"),
    ],
)
def test_options_that_do_not_fit_the_log(run: Run, log: Path, options: list[str], words: str) -> None:
    refuse(run, "summarize", log, *options, words=words)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("empty.csv", "", "no column 'customer_id'"),
        ("header.csv", HEAD, "empty"),
        ("date.csv", HEAD + "a,2024-01-05,3\na,someday,4\n", "'someday'"),
        ("day.csv", HEAD + "a,2024-01-05,3\na,2024-02-31,4\n", "'2024-02-31'"),
        ("value.csv", HEAD + "a,2024-01-05,3\na,2024-02-01,three\n", "not numeric"),
        ("short.csv", HEAD + "a,2024-01-05,3\na,2024-02-01\n", "a row near the beginning has more fields or fewer"),
        ("broken.parquet", "x", "broken.parquet"),
        ("log.xlsx", "x", "unknown kind of file '.xlsx'"),
    ],
)
def test_files_that_are_no_log(run: Run, tmp_path: Path, name: str, text: str, words: str) -> None:
    refuse(run, "summarize", write(tmp_path / name, text), "--value", "amount", words=words)


def test_a_log_without_values_to_look_at(run: Run, tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", "customer_id,date\na,2024-01-05\na,2024-02-05\nb,2024-02-05\n")
    assert "2 customers" in run("summarize", log).out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("discount_rate = 0.15", "lack margin"),
        ("margin = 0.3", "lack discount_rate"),
        ("discount_rate = 0.15\nmargn = 0.3", "did you mean 'margin'?"),
        ("discount_rate = 15\nmargin = 0.3", "15 % a year is 0.15"),
        ("discount_rate = 0.15\nmargin = .3", "not valid TOML"),
        ('discount_rate = 0.15\nmargin = 0.3\nyear = "52 weaks"', "week"),
    ],
)
def test_assumptions_that_are_none(run: Run, log: Path, tmp_path: Path, text: str, words: str) -> None:
    terms = write(tmp_path / "wrong.toml", text)
    refuse(run, "value", log, "--value", "amount", "--assumptions", terms, "--out", tmp_path / "out", words=words)
    assert not (tmp_path / "out").exists()


def test_missing_assumptions(run: Run, log: Path) -> None:
    refuse(run, "value", log, "--value", "amount", "--assumptions", "no.toml", words="no.toml")


def test_no_value_without_a_rate_or_a_horizon(run: Run, log: Path, tmp_path: Path) -> None:
    terms = write(tmp_path / "free.toml", "discount_rate = 0.0\nmargin = 0.3")
    given = ("--assumptions", terms, "--model", "bg_nbd", "--method", "mle", "--out", tmp_path / "out")
    refuse(run, "value", log, "--value", "amount", *given, words="needs a horizon")
    assert not (tmp_path / "out").exists()


def test_value_needs_values_and_assumptions(run: Run, log: Path, terms: Path) -> None:
    refuse(run, "value", log, "--assumptions", terms, words="Missing option '--value'; see clvmodels value --help")
    refuse(run, "value", log, "--value", "amount", words="add --margin 0.3 --discount-rate 0.12")
    refuse(run, "value", words="Missing")


def test_a_value_column_without_repeat_purchases(run: Run, terms: Path, tmp_path: Path) -> None:
    rows = "".join(f"{name},2024-01-0{day},10\n" for day, name in enumerate("abcdefgh", start=1))
    log = write(tmp_path / "once.csv", HEAD + rows)
    result = run("value", log, "--value", "amount", "--assumptions", terms, "--out", tmp_path / "out")
    assert result.code == 2
    assert "error: " in result.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model", "bgnbd"], "did you mean 'bg_nbd'?"),
        (["--spend", "gamma"], "use one of 'gamma_gamma'"),
    ],
)
def test_unknown_models(run: Run, log: Path, options: list[str], words: str) -> None:
    refuse(run, "fit", log, *options, words=words)


def test_an_unknown_command(run: Run) -> None:
    refuse(run, "summarise", "x", words="'summarize'")


def test_a_folder_that_is_not_ours_is_refused_before_anything_is_read(run: Run, terms: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    notes = write(folder / "notes.txt", "keep me")
    given = ("--value", "amount", "--assumptions", terms, "--out", folder)
    refuse(run, "value", "missing.parquet", *given, words="(notes.txt)")
    refuse(run, "fit", "missing.parquet", "--out", notes, words="it is a file; name a folder")
    refuse(run, "fit", "missing.parquet", "--out", notes / "sub", words="not a folder that can be written to")
    assert notes.read_text(encoding="utf-8") == "keep me"


def test_an_error_nobody_foresaw_keeps_its_traceback(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from clvmodels.cli import main
    from clvmodels.data import transactions

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(transactions, "rfm_summary", fail)
    with pytest.raises(ZeroDivisionError):
        main(["summarize", str(log)])
