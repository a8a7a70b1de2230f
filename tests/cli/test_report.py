"""`clvmodels report`: the finance report of the simulated company, from its ledgers to the files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import openpyxl  # type: ignore[import-untyped]
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.datasets import load_company
from clvmodels.inference.spend_choice import BestSpend
from tests.cli.conftest import Run

CLOSINGS = ("2022-12-31", "2023-12-31")
LEDGERS = ("returns", "service", "campaigns", "acquisition", "referrals")
FILES = {"equity.xlsx", "equity.html", "customers.parquet", "audit.json"}


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("company")
    load_company().write(folder)
    terms = Path(__file__).resolve().parents[2] / "data" / "company" / "assumptions.toml"
    (folder / "assumptions.toml").write_bytes(terms.read_bytes())
    return folder


def arguments(folder: Path, out: Path, *more: object) -> list[object]:
    given = [word for name in LEDGERS for word in (f"--{name}-ledger", folder / f"{name}.csv")]
    log = ["report", folder / "transactions.csv", "--value", "amount", "--assumptions", folder / "assumptions.toml"]
    return [*log, "--closings", *CLOSINGS, "--by", "segment", *given, "--out", out, *more]


@pytest.fixture
def written(run: Run, company: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    result = run(*arguments(company, tmp_path / "report", "--draws", 20, "--model", "bg_nbd"))
    assert result.code == 0, result.err
    return tmp_path / "report", result.out


def shown_contribution(workbook: Path) -> dict[str, float]:
    """Return the totals of the contribution statement, by line."""
    sheet = openpyxl.load_workbook(workbook, data_only=True)["Contribution to date"]
    return {row[0]: row[1] for row in sheet.iter_rows(values_only=True) if isinstance(row[1], float)}


def test_the_report_of_the_company(
    run: Run, written: tuple[Path, str], company: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, shown = written
    assert {file.name for file in folder.iterdir()} == FILES
    audit = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
    assert audit["created"] == "2026-01-01T00:00:00+00:00"
    assert set(audit["inputs"]) == {
        "log", "assumptions", "returns", "service", "campaigns", "acquisition", "referrals"
    }  # fmt: skip
    assert f"{audit['equity']:,.0f} EUR" in shown
    assert "Movement" in shown
    assert "New customers" in shown
    customers = pd.read_parquet(folder / "customers.parquet")
    assert customers["rlv"].sum() == pytest.approx(audit["equity"], rel=1e-9)
    statement = shown_contribution(folder / "equity.xlsx")
    assert customers["sales"].sum() == pytest.approx(statement["Sales"], rel=1e-9)
    assert customers["contribution_4"].sum() == pytest.approx(statement["Customer contribution IV"], rel=1e-9)
    reported = clv.report(
        str(company / "transactions.csv"),
        log_format=clv.LogFormat(value="amount"),
        assumptions=company / "assumptions.toml",
        closings=CLOSINGS,
        by="segment",
        ledgers={name: company / f"{name}.csv" for name in LEDGERS},
        models="bg_nbd",
        draws=20,
    )
    again = tmp_path / "again"
    assert set(reported.write(again)) == FILES
    for name in FILES:
        assert (again / name).read_bytes() == (folder / name).read_bytes(), name
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225601")
    german = tmp_path / "deutsch"
    assert run(*arguments(company, german, "--draws", 0, "--model", "bg_nbd", "--language", "de")).code == 0
    page = (german / "equity.html").read_text(encoding="utf-8")
    assert 'lang="de"' in page
    assert "Kundendienst" in page


def test_bad_ledgers_are_refused_with_a_list_and_nothing_is_written(run: Run, company: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    for file in company.iterdir():
        (bad / file.name).write_bytes(file.read_bytes())
    (bad / "returns.csv").write_text("customer_id,time,value\nC00001,2022-03-01,-5\n,2022-03-01,5\n")
    (bad / "acquisition.csv").write_text("customer_id,cost\nC00001,5\nC00001,6\nC00002,5 EUR\n")
    result = run(*arguments(bad, tmp_path / "report", "--draws", 0))
    assert result.code == 2
    for words in ("returns:", "acquisition:", "negative", "C00001", "5 EUR"):
        assert words in result.err, result.err
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("--closings", "2023-12-31", "2022-12-31"), "dates that rise"),
        (("--closings", "2023-13-31"), "month must be in 1..12"),
        (("--closings", "31.12.2023"), "a closing is a date such as 1997-09-30"),
        (("--closings", "2022-12-31", "31.12.2023"), "'31.12.2023'"),
        (("--closings", "2022-12-31,2023-12-31"), "several stand apart"),
        (("--closings=2023-12-31", "2022-12-31"), "dates that rise"),
        (("--language", "fr"), "unknown language 'fr'"),
        (("--by", "region"), "region"),
    ],
)
def test_what_cannot_be_is_refused(
    run: Run, company: Path, tmp_path: Path, change: tuple[str, ...], words: str
) -> None:
    given = arguments(company, tmp_path / "report", "--draws", 0)
    option = change[0].partition("=")[0]
    place = given.index(option) if option in given else len(given)
    end = place + (3 if option == "--closings" else 2)
    result = run(*given[:place], *change, *given[end:])
    assert result.code == 2
    assert words in result.err, result.err
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize("epoch", ["abc", "1e9", "9" * 20])
def test_a_time_of_the_report_that_is_none_is_refused(epoch: str, company: Path, tmp_path: Path) -> None:
    """In a process of its own: NumPy fails for it as it is imported."""
    command = [Path(sys.executable).with_name("clvmodels"), *map(str, arguments(company, tmp_path / "report"))]
    environment = os.environ | {"SOURCE_DATE_EPOCH": epoch}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith(f"whole seconds since 1970, such as 1767225600; got {epoch!r}\n")
    assert len(done.stderr.splitlines()) == 1


def test_a_line_of_one_s_own_in_the_file_of_assumptions(run: Run, company: Path, tmp_path: Path) -> None:
    terms = tmp_path / "assumptions.toml"
    line = '[[lines]]\nname = "gift"\ndriver = "orders"\nrate = 0.5\nlabels = { de = "Geschenke" }\n'
    terms.write_text(f"discount_rate = 0.1\nmargin = 0.4\n{line}")
    log = [company / "transactions.csv", "--value", "amount", "--assumptions", terms, "--model", "bg_nbd"]
    log += ["--spend", "gamma_gamma"]
    out = ["--draws", 0, "--language", "de", "--out", tmp_path / "report"]
    result = run("report", *log, "--closings", "2023-12-31", *out)
    assert result.code == 0, result.err
    rfm = clv.rfm_summary(company / "transactions.csv", value="amount", observation_end="2023-12-31")
    plain = clv.Assumptions(discount_rate=0.1, margin=0.4, order_cost=0.5)
    book = clv.value(clv.BGNBD().fit(rfm), clv.GammaGamma().fit(rfm), rfm, plain)
    audit = json.loads((tmp_path / "report" / "audit.json").read_text())
    assert audit["equity"] == pytest.approx(book.equity, rel=1e-9)
    gifts = pd.read_parquet(tmp_path / "report" / "customers.parquet")["gift"]
    assert gifts.sum() == pytest.approx(book.statement_lines.loc["order_cost", "value"], rel=1e-9)
    assert "Geschenke" in (tmp_path / "report" / "equity.html").read_text(encoding="utf-8")
    result = run("value", *log, "--observation-end", "2023-12-31", "--method", "mle")
    assert result.code == 0, result.err
    assert "Gift" in result.out
    terms.write_text(f"discount_rate = 0.1\nmargin = 0.4\n{line.replace('orders', 'order')}")
    result = run("value", *log)
    assert result.code != 0
    assert "did you mean 'orders'?" in " ".join(result.err.split())


def test_a_single_closing_without_ledgers(run: Run, company: Path, tmp_path: Path) -> None:
    terms = tmp_path / "assumptions.toml"
    terms.write_text("discount_rate = 0.1\nmargin = 0.4\n")
    log = ["report", company / "transactions.csv", "--value", "amount", "--assumptions", terms]
    result = run(*log, "--closings", "2023-12-31", "--model", "bg_nbd", "--draws", 0, "--out", tmp_path / "report")
    assert result.code == 0, result.err
    assert "Movement" not in result.out
    rfm = clv.rfm_summary(company / "transactions.csv", value="amount", observation_end="2023-12-31")
    book = clv.value(clv.BGNBD().fit(rfm), BestSpend().fit(rfm), rfm, clv.Assumptions.from_file(terms))
    assert json.loads((tmp_path / "report" / "audit.json").read_text())["equity"] == pytest.approx(
        book.equity, rel=1e-9
    )
