"""`clvmodels report` ends with files for every log that has repeat purchases, and says what is wrong with it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import openpyxl  # type: ignore[import-untyped]
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import FitWarning
from clvmodels.inference import bayes
from clvmodels.reporting import fitting
from tests.cli.conftest import Result, Run

Report = Callable[..., Result]
VERDICTS = {"supported", "assumed", "not supported"}


def steady(customers: int = 60, seed: int = 3) -> pd.DataFrame:
    """Return a log of customers who buy at rates of their own and of whom nobody leaves."""
    draw = np.random.default_rng(seed)
    rows = []
    for customer in range(customers):
        time, rate = draw.uniform(0.0, 60.0), draw.gamma(2.0, 0.05)
        while time < 500.0:
            rows.append(
                (f"C{customer:02d}", pd.Timestamp("2023-01-01") + pd.Timedelta(days=time), draw.gamma(4.0, 8.0))
            )
            time += draw.exponential(1.0 / rate)
    return pd.DataFrame(rows, columns=["customer_id", "date", "amount"]).round({"amount": 2})


def regular(customers: int = 9, orders: int = 6, amount: float | None = None) -> pd.DataFrame:
    """Return a log of customers who all buy on the first of each month."""
    rows = [
        (f"C{c}", pd.Timestamp(2023, 1 + k, 1), 5.0 + (c * 7 + k * 3) % 11 if amount is None else amount)
        for c in range(customers)
        for k in range(orders)
    ]
    return pd.DataFrame(rows, columns=["customer_id", "date", "amount"])


def few(*rows: tuple[str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["customer_id", "date", "amount"])


@pytest.fixture
def report(run: Run, tmp_path: Path) -> Report:
    """Return a function that writes a report of a log to the folder ``out``."""

    def report_(
        log: pd.DataFrame, closings: Sequence[str], *more: object, terms: str = "discount_rate = 0.12\nmargin = 0.3\n"
    ) -> Result:
        log.to_csv(tmp_path / "log.csv", index=False)
        (tmp_path / "assumptions.toml").write_text(terms, encoding="utf-8")
        given = ("--value", "amount", "--assumptions", tmp_path / "assumptions.toml", "--closings", *closings)
        return run("report", tmp_path / "log.csv", *given, *more, "--out", tmp_path / "out")

    return report_


def page(folder: Path) -> str:
    return (folder / "out" / "equity.html").read_text(encoding="utf-8")


def summary(folder: Path, name: str = "Summary") -> list[object]:
    sheet = openpyxl.load_workbook(folder / "out" / "equity.xlsx", data_only=True)[name]
    return [cell for row in sheet.iter_rows(values_only=True) for cell in row if cell is not None]


def flowing(text: str) -> str:
    """Return what a terminal shows as one line."""
    return re.sub(r"\s+", " ", text)


def test_who_wants_no_draws_is_told_of_the_fit_alone(report: Report, tmp_path: Path) -> None:
    result = report(steady(), ["2024-05-15"], "--model", "bg_nbd", "--spend", "gamma_gamma", "--draws", 0)
    assert result.code == 0, result.err
    assert "90 % interval" not in page(tmp_path)
    assert 'class="caution"' in page(tmp_path)
    rfm = clv.rfm_summary(tmp_path / "log.csv", value="amount", observation_end="2024-05-15")
    with pytest.warns(FitWarning):
        fit = clv.BGNBD().fit(rfm)
    book = clv.value(fit, clv.GammaGamma().fit(rfm), rfm, clv.Assumptions(discount_rate=0.12, margin=0.3))
    assert json.loads((tmp_path / "out" / "audit.json").read_text())["equity"] == pytest.approx(book.equity, rel=1e-9)
    assert page(tmp_path).count("BG/NBD: boundary") == 1  # how the fit ended is said once
    assert "method=&quot;posterior&quot; gives" in page(tmp_path)


def test_a_clean_fit_has_intervals_and_no_remark(run: Run, log: Path, terms: Path, tmp_path: Path) -> None:
    given = ("--value", "amount", "--resolution", "day", "--assumptions", terms, "--closings", "1998-06-30")
    result = run("report", log, *given, "--model", "bg_nbd", "--draws", 100, "--out", tmp_path / "out")
    assert result.code == 0, result.err
    assert "90 % interval (parameters, what customers do)" in page(tmp_path)
    assert 'class="caution"' not in page(tmp_path)


BY_MONTH = ["2023-03-31", "2023-12-31"]
ZERO = "discount_rate = 0.12\nmargin = 0.0\n"
COSTLY = "discount_rate = 0.12\nmargin = 0.1\nmaintenance_cost = 500.0\n"
KINDS: dict[str, tuple[pd.DataFrame, list[str], str]] = {
    "two customers, one of them returns": (
        few(("A", "2023-01-01", 5.0), ("A", "2023-02-01", 6.0), ("B", "2023-01-03", 4.0)),
        ["2023-03-31"],
        "",
    ),
    "one customer": (few(("A", "2023-01-01", 5.0), ("A", "2023-02-01", 6.0)), ["2023-03-31"], ""),
    "three customers": (
        few(*(("ABC"[k % 3], f"2023-0{1 + k // 3}-0{1 + k}", 5.0 + k) for k in range(7))),
        ["2023-06-30"],
        "",
    ),
    "the same amounts": (steady().assign(amount=10.0), ["2024-05-15"], ""),
    "all alike": (regular(amount=10.0), BY_MONTH, ""),
    "no value of some": (regular().assign(amount=lambda t: t["amount"].mask(t["customer_id"] < "C4")), BY_MONTH, ""),
    "zero equity": (regular(), BY_MONTH, ZERO),
    "negative equity": (regular(), BY_MONTH, COSTLY),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_is_written_of_every_log_with_repeat_purchases(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Most of them need NUTS: chains are short and few here, since no figure is looked at closely."""
    monkeypatch.setattr(bayes, "LEAST_DRAWS_OF_NUTS", 100)
    monkeypatch.setattr(bayes, "LEAST_CHAINS", 2)
    monkeypatch.setattr(fitting, "CHAINS", 2)
    log, closings, terms = KINDS[kind]
    result = report(
        log, closings, "--model", "bg_nbd", "--draws", 100, terms=terms or "discount_rate = 0.12\nmargin = 0.3\n"
    )
    assert result.code == 0, result.err
    equity = json.loads((tmp_path / "out" / "audit.json").read_text(encoding="utf-8"))["equity"]
    assert np.isfinite(equity)
    assert np.sign(equity) == {ZERO: 0.0, COSTLY: -1.0}.get(terms, 1.0)
    assert "90 % interval (parameters, what customers do)" in page(tmp_path)
    assert json.loads((tmp_path / "out" / "audit.json").read_text(encoding="utf-8"))["support"]["verdict"] in VERDICTS
    assert not re.search(r"\bnan\b", result.out)


def test_of_one_customer_with_known_spend_every_order_is_worth_the_same(report: Report, tmp_path: Path) -> None:
    log = few(("A", "2023-01-01", 5.0), ("A", "2023-02-01", 6.0), ("A", "2023-03-01", 8.0), ("B", "2023-01-03", 4.0))
    result = report(log, ["2023-03-31"], "--model", "bg_nbd", "--draws", 0)
    assert result.code == 0, result.err
    assert "known of one customer alone (7.00)" in flowing(result.out)
    customers = pd.read_parquet(tmp_path / "out" / "customers.parquet")
    assert customers["order_value"].to_numpy() == pytest.approx([7.0, 7.0], rel=1e-9)


def test_a_segment_of_one_customer(report: Report, tmp_path: Path) -> None:
    log = regular().assign(segment=lambda table: table["customer_id"].where(table["customer_id"] < "C3", "rest"))
    result = report(log, BY_MONTH, "--model", "bg_nbd", "--draws", 0, "--by", "segment")
    assert result.code == 0, result.err
    assert "C0" in page(tmp_path)


def test_an_earlier_closing_without_repeat_purchases_is_left_out(report: Report, tmp_path: Path) -> None:
    result = report(regular(), ["2023-01-15", "2023-03-31", "2023-12-31"], "--model", "bg_nbd", "--draws", 0)
    assert result.code == 0, result.err
    words = "closing 2023-01-15 is left out, and so is the movement from it: BG/NBD needs repeat purchases"
    assert words in flowing(result.out)
    assert words in page(tmp_path)
    assert result.out.count("Movement") == 1
    assert list(json.loads((tmp_path / "out" / "audit.json").read_text())["closings"]) == ["2023-03-31", "2023-12-31"]


def test_a_last_closing_without_repeat_purchases_is_named(report: Report, tmp_path: Path) -> None:
    result = report(regular(), ["2023-01-15"])
    assert result.code == 2
    assert "error: closing 2023-01-15: BG/NBD needs repeat purchases" in result.err
    assert not (tmp_path / "out").exists()


def test_names_that_steer_a_terminal_are_shown_not_sent(report: Report) -> None:
    names = [
        "[/]",
        "[red]Acme[/red]",
        "[link=http://evil.example]x[/link]",
        "\x1b[2Jgone",
        "a\u202eb\u200bc",
        "two\nlines",
    ]
    log = regular(18).assign(segment=lambda table: [names[int(i[1:]) % 6] for i in table["customer_id"]])
    log = log.rename(columns={"segment": "seg[bold]\x1b]8;;http://evil.example\x07"})
    terms = 'discount_rate = 0.12\nmargin = 0.3\ncurrency = "E[bold]UR\\u001b[2J"\n'
    result = report(log, ["2023-12-31"], "--model", "bg_nbd", "--draws", 0, "--by", log.columns[-1], terms=terms)
    assert result.code == 0, result.err
    for shown in ("[/]", "[red]Acme[/red]", "[link=http://evil.example]x[/link]", r"\x1b[2Jgone", r"a\u202eb\u200bc"):
        assert shown in result.out
    assert r"two\nlines" in result.out
    assert r"E[bold]UR\x1b[2J" in result.out.replace(r"\u001b", r"\x1b")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202e]", result.out)


def test_an_error_that_names_such_a_name_does_not_send_it_either(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "log\x1b[2J\u202e.csv"
    result = run("summarize", path)
    assert result.code == 2
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", re.sub(r"\x1b\[\d*m", "", result.err))


def test_of_many_segments_the_terminal_shows_the_largest(report: Report) -> None:
    log = regular(60).assign(segment=lambda table: table["customer_id"])
    log.loc[log["customer_id"] == "C7", "amount"] += 500.0
    result = report(log, ["2023-12-31"], "--model", "bg_nbd", "--draws", 0, "--by", "segment")
    assert result.code == 0, result.err
    statement = result.out[result.out.index("Statement") : result.out.index("When it comes")]
    assert len(re.findall(r"^ +C\d+ ", statement, re.MULTILINE)) == 20
    assert re.search(r"^ +C7 ", statement, re.MULTILINE)
    assert "40 more with less equity are in the total, but not shown." in statement
    assert re.search(r"^ +total +60 ", statement, re.MULTILINE)
