"""Every report is tested on the last third of its log, and its last forecast stands against what came."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl  # type: ignore[import-untyped]
import pandas as pd
import pytest
from rich.console import Console

import clvmodels as clv
from clvmodels.reporting import report as module_of_report
from clvmodels.reporting import terminal
from clvmodels.reporting.compared import Compared, decisive, missed
from clvmodels.reporting.fitting import SEED
from clvmodels.reporting.forecast_text import fact_of_test
from clvmodels.reporting.labels import Language
from clvmodels.reporting.labels_of_forecasts import FORECASTS
from clvmodels.reporting.locale import NBSP, Locale
from clvmodels.reporting.output import Report
from clvmodels.reporting.progress import Step
from clvmodels.reporting.support_text import verdict_text

ASSUMPTIONS = clv.Assumptions(discount_rate=0.12, margin=0.3, currency="EUR")
START = pd.Timestamp("2022-01-01")
DAYS = 720.0
CUT = DAYS * 2.0 / 3.0
CLOSINGS = ["2023-06-30", "2023-12-21"]


def purchases(customers: int = 160, kept_after_cut: float = 1.0, seed: int = 2) -> pd.DataFrame:
    """Return a log of customers of the BG/NBD's story who join in the first half year.

    Of the purchases in the last third, a share is kept: that of their rate.
    """
    draw = np.random.default_rng(seed)
    rows = []
    for customer in range(customers):
        day, rate = draw.uniform(0.0, 180.0), draw.gamma(2.0, 0.012)
        dropout, mean, first = draw.beta(1.0, 12.0), draw.gamma(6.0, 6.0), day
        while day < DAYS:
            if day < CUT or draw.random() < kept_after_cut:
                rows.append((f"C{customer:03d}", START + pd.Timedelta(days=day), draw.gamma(4.0, mean / 4.0)))
            if day > first and draw.random() < dropout:
                break
            day += draw.exponential(1.0 / rate)
    return pd.DataFrame(rows, columns=["customer_id", "date", "amount"]).round({"amount": 2})


def reported(log: pd.DataFrame, closings: str | list[str] = CLOSINGS[-1], **options: Any) -> Report:
    given = {"log_format": clv.LogFormat(value="amount"), "models": "bg_nbd", "draws": 0, "progress": False}
    given["spend"] = "gamma_gamma"
    return clv.report(log, assumptions=ASSUMPTIONS, closings=closings, **{**given, **options})


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return purchases()


@pytest.fixture(scope="module")
def steady(log: pd.DataFrame) -> Report:
    """Two closings of customers who go on as before."""
    return reported(log, CLOSINGS, draws=60)


@pytest.fixture(scope="module")
def halved() -> Report:
    """Customers who buy half as often in the last third."""
    return reported(purchases(kept_after_cut=0.5), draws=60)


@pytest.fixture(scope="module")
def averaged(log: pd.DataFrame) -> Report:
    """Two closings under two models, by maximum likelihood."""
    return reported(log, CLOSINGS, models=["bg_nbd", "mbg_nbd"])


def page_of(report: Report, folder: Path, language: Language) -> str:
    """Return the text of the section of forecasts."""
    report.write(folder, language=language)
    page = (folder / "equity.html").read_text(encoding="utf-8")
    found = re.search(r'<section id="forecast">.*?</section>', page, re.DOTALL)
    assert found is not None
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).replace(NBSP, " ").split())


def sheet_of(folder: Path, name: str = "Forecast against actual") -> list[tuple[Any, ...]]:
    sheet = openpyxl.load_workbook(folder / "equity.xlsx", data_only=True)[name]
    return [row for row in sheet.iter_rows(values_only=True) if row[0] is not None]


def audit_of(folder: Path) -> dict[str, Any]:
    text = (folder / "audit.json").read_text(encoding="utf-8")
    audit: dict[str, Any] = json.loads(text)
    return audit


def shown(report: Report) -> str:
    console = Console(file=StringIO(), width=120, highlight=False)
    console.print(terminal.closing_report(report))
    assert isinstance(console.file, StringIO)
    return " ".join(re.sub("[│╭╮╰╯─]", " ", console.file.getvalue()).split())


# ------------------------------------------------------------------------------------------------ the last third


def test_the_test_is_that_of_the_last_third_of_the_log(log: pd.DataFrame, averaged: Report) -> None:
    models = {"BG/NBD": clv.BGNBD(), "MBG/NBD": clv.MBGNBD()}
    options: dict[str, Any] = {"method": "mle", "seed": SEED, "value": "amount", "observation_end": CLOSINGS[-1]}
    assert averaged.tested == clv.last_third(log, models, spend=clv.GammaGamma(), **options)
    assert averaged.support is None


def test_what_comes_after_the_closing_is_not_looked_at(log: pd.DataFrame) -> None:
    early = log[log["date"] < "2023-07-01"]
    assert reported(log, CLOSINGS[0]).tested == reported(early, CLOSINGS[0]).tested


def test_what_comes_before_the_first_day_observed_is_not_looked_at(log: pd.DataFrame) -> None:
    late = log[log["date"] >= "2022-03-01"]
    whole, since = reported(late).tested, reported(log, observation_start="2022-03-01").tested
    assert since == whole
    assert since != reported(log).tested


def test_inside_the_band_the_verdict_stays(steady: Report, tmp_path: Path) -> None:
    support, tested = steady.support, steady.tested
    assert support is not None
    assert tested is not None
    assert tested.revenue_inside is True
    assert missed(tested) is None
    assert support == steady.book.support
    assert tested.includes == "process and parameters"
    steady.write(tmp_path)
    text = (tmp_path / "equity.html").read_text(encoding="utf-8").replace(NBSP, " ")
    change = tested.revenue_actual / tested.revenue_predicted - 1.0
    assert f"<dd>Revenue {change:+.1%} against the forecast, within band</dd>".replace("%", " %") in text
    assert "one step lower" not in text


def test_a_rate_cut_to_half_lowers_the_verdict_by_a_step(halved: Report, tmp_path: Path) -> None:
    """About half of what was predicted comes; the share of the late forecast that the data already show aside."""
    support, tested = halved.support, halved.tested
    assert support is not None
    assert tested is not None
    share = tested.revenue_actual / tested.revenue_predicted - 1.0
    assert share == pytest.approx(-0.5, abs=0.12)
    before = halved.book.support.verdict
    steps = ["supported", "assumed", "not supported"]
    assert support.verdict == steps[min(steps.index(before) + 1, 2)]
    assert before != "not supported"
    assert (support.missed, support.missed_in) == (share, "revenue")
    below = f"in the last third held back, revenue was {-share:.0%} below the forecast"
    assert str(support).endswith(f"{below}.")
    german = verdict_text(support, Locale("de", "EUR")).replace(NBSP, " ")
    lower = f"im zurückgehaltenen letzten Drittel lag der Umsatz {-100 * share:.0f} % unter der Prognose."
    assert german.endswith(lower)
    text = page_of(halved, tmp_path, "en")
    assert f"was {-100 * share:.1f} % below the forecast, outside its 90 % band. The verdict" not in text
    assert f"was {-100 * share:.1f} % below the forecast, outside its 90 % band." in text
    assert "The verdict on the figure is one step lower for it." in text
    assert below in shown(halved)
    audit = audit_of(tmp_path)
    assert audit["support"]["verdict"] == support.verdict
    assert audit["tested"]["missed"] == pytest.approx(share, rel=1e-12)


def test_a_small_miss_is_said_not_to_lower_the_verdict(halved: Report, tmp_path: Path) -> None:
    tested = halved.tested
    assert tested is not None
    revenue = 0.95 * tested.revenue_predicted
    narrow = replace(
        tested, revenue_actual=revenue, revenue_low=1.01 * revenue, revenue_high=1.2 * tested.revenue_predicted
    )
    report = replace(halved, tested=narrow)
    assert report.support is not None
    assert report.support.verdict == halved.book.support.verdict
    text = page_of(report, tmp_path, "en")
    assert "was 5.0 % below the forecast, outside its 90 % band." in text
    assert "A miss of less than 7.5 % does not lower the verdict" in text
    assert "one step lower" not in text


def test_purchases_decide_where_revenue_is_not_known(halved: Report) -> None:
    tested = halved.tested
    assert tested is not None
    unknown = replace(tested, revenue_predicted=np.nan, revenue_low=np.nan, revenue_high=np.nan)
    what, amount = decisive(unknown)
    assert what == "purchases"
    assert missed(unknown) == amount.change == tested.actual / tested.predicted - 1.0
    support = replace(halved, tested=unknown).support
    assert support is not None
    assert f"purchases were {-amount.change:.0%} below the forecast" in str(support)


def test_an_amount_lies_where_it_lies() -> None:
    amounts = [Compared(100.0, 80.0, 120.0, actual) for actual in (79.0, 80.0, 120.0, 121.0)]
    assert [amount.place for amount in amounts] == ["below", "within", "within", "above"]
    assert amounts[0].change == pytest.approx(-0.21)
    assert np.isnan(Compared(0.0, 0.0, 0.0, 1.0).change)


def test_a_log_of_two_days_is_reported_and_not_tested(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    hours = draw.uniform(0.0, 47.0, 400)
    few = pd.DataFrame({"customer_id": draw.integers(0, 120, 400), "date": START + pd.to_timedelta(hours, unit="h")})
    few["amount"] = draw.gamma(4.0, 8.0, 400).round(2)
    report = reported(few, "2022-01-02", log_format=clv.LogFormat(value="amount", unit="hour"))
    assert report.tested is None
    (note,) = (note for note in report.notes if "not tested" in note)
    assert note.startswith("the figure is not tested on the last third of the log: ")
    assert "three days at least" in note
    text = page_of(report, tmp_path, "en")
    assert text.endswith("The figure is not tested on the last third of the log; the notes say why.")
    assert "not tested" in shown(report)
    audit = audit_of(tmp_path)
    assert audit["tested"] is None
    assert note in audit["notes"]


def test_where_nothing_can_be_fitted_to_two_thirds_the_note_says_why() -> None:
    """Nobody comes back before the last days: the whole can be fitted, the first two thirds cannot."""
    draw = np.random.default_rng(2)
    first = pd.DataFrame({"customer_id": np.arange(80), "date": START + pd.to_timedelta(np.arange(80) / 4.0, unit="D")})
    again = [
        first.assign(date=START + pd.to_timedelta(draw.uniform(50.0, 60.0, 80), unit="D"))[::step] for step in (2, 3)
    ]
    late = pd.concat([first, *again])
    late["amount"] = draw.gamma(4.0, 8.0, len(late)).round(2)
    report = reported(late, "2022-03-02")
    assert report.tested is None
    assert report.book.equity > 0.0
    assert any(re.search("not tested on the last third of the log: .*repeat", note) for note in report.notes)


# -------------------------------------------------------------------------------------------- the closing before


def test_the_forecast_is_that_of_the_closing_before(log: pd.DataFrame, averaged: Report, tmp_path: Path) -> None:
    check, before = averaged.forecast, averaged.books[0]
    assert check is not None
    fits = before.transactions.fits
    weights = dict(zip((fit.model.name for fit in fits), before.transactions.weights, strict=True))  # type: ignore[union-attr]
    window = {"train_end": CLOSINGS[0], "test_end": CLOSINGS[1]}
    same = clv.forecast_against_actual(
        list(fits), before.spend, log, weights=weights, seed=SEED, value="amount", **window
    )
    pd.testing.assert_frame_equal(check.table, same.table)
    pd.testing.assert_series_equal(check.total, same.total)
    assert check.models == pytest.approx(weights, rel=1e-9)
    averaged.write(tmp_path)
    rows = {row[0]: row for row in sheet_of(tmp_path)}
    days = ["30 September 2023", "21 December 2023"]
    text = page_of(averaged, tmp_path, "en")
    lines = audit_of(tmp_path)["forecast"]["periods"]
    assert [line["until"] for line in lines] == ["2023-09-30", "2023-12-21"]
    for k, day in enumerate(days):
        came = same.table.iloc[k]
        assert lines[k]["revenue_actual"] == came["revenue_actual"]
        assert lines[k]["orders_low"] == came["orders_low"]
        assert text.count(f"Until {day}") == 2  # of revenue, and of orders
        assert f"{came['orders_actual']:,.0f}" in text
        orders = rows[f"Until {day}"]  # the last one of the name
        expected = [came[f"orders_{part}"] for part in ("actual", "predicted", "low", "high")]
        assert list(orders[1:5]) == pytest.approx(expected, rel=1e-12)
        assert orders[5] == pytest.approx(expected[0] / expected[1] - 1.0, rel=1e-12)
    totals = [row for row in sheet_of(tmp_path) if row[0] == "Total"]
    assert totals[0][1] == pytest.approx(same.total["revenue_actual"], rel=1e-12)
    assert totals[1][2] == pytest.approx(same.total["orders_predicted"], rel=1e-12)
    assert f"Periods outside the band: revenue {same.revenue_outside} of 2, orders {same.orders_outside} of 2." in text
    assert f"since {CLOSINGS[0]}, revenue {same.total['revenue_actual']:,.0f}" in shown(averaged)


def test_one_closing_has_no_forecast_of_one_before(halved: Report, tmp_path: Path) -> None:
    assert halved.forecast is None
    assert "Forecast of the closing" not in page_of(halved, tmp_path, "en")
    assert audit_of(tmp_path)["forecast"] is None


def test_weeks_are_not_cut(log: pd.DataFrame) -> None:
    """By weeks from Monday, a forecast runs by 13 weeks; a closing within a week is said not to be compared."""
    form = clv.LogFormat(value="amount", resolution="week")
    sundays = reported(log, ["2023-05-28", "2023-12-17"], log_format=form)
    assert sundays.forecast is not None
    assert [day.isoformat() for day in sundays.forecast.days] == ["2023-08-27", "2023-11-26", "2023-12-17"]
    midweek = reported(log, ["2023-05-31", "2023-12-17"], log_format=form)
    assert midweek.forecast is None
    assert any(note.startswith("the forecast of closing 2023-05-31 is not compared") for note in midweek.notes)
    assert midweek.tested is not None


# ------------------------------------------------------------------------------------------------- what is shown


def test_all_of_it_is_in_the_audit_trail(averaged: Report, tmp_path: Path) -> None:
    tested = averaged.tested
    assert tested is not None
    averaged.write(tmp_path)
    record = audit_of(tmp_path)["tested"]
    assert set(record["models"]) == {"BG/NBD", "MBG/NBD"}
    assert sum(record["models"].values()) == pytest.approx(1.0)
    assert record["cutoff"][:10] == str(tested.cutoff.date())
    for name in ("predicted", "low", "high", "actual", "revenue_predicted", "revenue_actual", "late_share"):
        assert record[name] == getattr(tested, name), name
    assert record["decisive"] == "revenue"
    rows = {row[0]: row for row in reversed(sheet_of(tmp_path))}  # the first one of a name
    assert rows["Revenue"][1] == pytest.approx(tested.revenue_actual, rel=1e-12)
    assert rows["Orders"][2:5] == pytest.approx((tested.predicted, tested.low, tested.high), rel=1e-12)
    summary = [row[0] for row in sheet_of(tmp_path, "Summary")]
    assert f"Last third held back: {fact_of_test(tested, Locale('en', 'EUR'))}" not in summary  # no draws, no verdict


def test_the_summary_has_the_test_below_the_verdict(steady: Report, tmp_path: Path) -> None:
    steady.write(tmp_path)
    assert steady.tested is not None
    summary = [row[0] for row in sheet_of(tmp_path, "Summary")]
    assert f"Last third held back: {fact_of_test(steady.tested, Locale('en', 'EUR'))}" in summary


def test_german_is_german(averaged: Report, tmp_path: Path) -> None:
    tested = averaged.tested
    assert tested is not None
    text = page_of(averaged, tmp_path, "de")
    for words in ("Prognose und Ist", "Umsatz", "Bestellungen", "Abweichung", "90-%-Band", "Bis 30.09.2023", "im Band"):
        assert words in text
    for english, _ in FORECASTS.values():
        assert english == "Band" or not re.search(rf"\b{re.escape(english)}\b", text), english
    assert f"{tested.customers} am 31.08.2023" not in text
    assert f"Für {tested.customers} am {tested.cutoff:%d.%m.%Y} bekannte Kunden" in text
    rows = {row[0] for row in sheet_of(tmp_path, "Prognose und Ist")}
    assert {"Umsatz", "Bestellungen", "Bis 30.09.2023", "Summe"} <= rows


def test_an_outside_period_is_marked(averaged: Report, tmp_path: Path) -> None:
    check = averaged.forecast
    assert check is not None
    table = check.table.copy()
    table.loc[table.index[0], "revenue_actual"] = 2.0 * table["revenue_high"].iloc[0]
    page_of(replace(averaged, forecast=replace(check, table=table)), tmp_path, "en")
    page = (tmp_path / "equity.html").read_text(encoding="utf-8")
    assert page.count('class="came outside"') == page.count('class="place outside"') > 0
    assert ">above band<" in page


def test_steps_are_counted(log: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[tuple[int, int]] = []

    @contextmanager
    def counted(total: int, *, quiet: bool) -> Iterator[Step]:
        assert quiet
        calls: list[str] = []
        yield calls.append
        counts.append((total, len(calls)))

    monkeypatch.setattr(module_of_report, "steps", counted)
    reported(log)
    reported(log, CLOSINGS, models=["bg_nbd", "mbg_nbd"])
    assert [total for total, _ in counts] == [calls for _, calls in counts]
