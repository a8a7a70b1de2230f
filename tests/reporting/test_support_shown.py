"""How far the data carry a figure stands beside it: on the page, in the workbook, the terminal and the audit trail."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import openpyxl  # type: ignore[import-untyped]
import pandas as pd
import pytest
from rich.console import Console

import clvmodels as clv
from clvmodels.errors import FitError
from clvmodels.reporting import terminal
from clvmodels.reporting.fitting import Estimation
from clvmodels.reporting.labels import Language
from clvmodels.reporting.locale import NBSP, Locale
from clvmodels.reporting.output import Report
from clvmodels.reporting.support_text import verdict_text

ASSUMPTIONS = clv.Assumptions(discount_rate=0.12, margin=0.3, currency="EUR")
DRAWS = 100


def nobody_leaves(customers: int, days: float, joined: float, seed: int = 3) -> pd.DataFrame:
    """Return a log of customers who buy at rates of their own and of whom nobody leaves."""
    draw = np.random.default_rng(seed)
    rows = []
    for customer in range(customers):
        day, rate = draw.uniform(0.0, joined), draw.gamma(2.0, 0.01)
        while day < days:
            rows.append((f"C{customer:03d}", pd.Timestamp("2023-01-01") + pd.Timedelta(days=day), draw.gamma(4.0, 8.0)))
            day += draw.exponential(1.0 / rate)
    return pd.DataFrame(rows, columns=["customer_id", "date", "amount"]).round({"amount": 2})


def reported(log: pd.DataFrame, closing: str) -> Report:
    return clv.report(
        log,
        log_format=clv.LogFormat(value="amount"),
        assumptions=ASSUMPTIONS,
        closings=closing,
        models="bg_nbd",
        spend="gamma_gamma",
        draws=DRAWS,
        progress=False,
    )


@pytest.fixture(scope="module")
def steady() -> Report:
    """77 weeks in which nobody is seen to leave, the last third of which came as predicted."""
    return reported(nobody_leaves(200, 540.0, 180.0, seed=5), "2024-06-23")


@pytest.fixture(scope="module")
def weeks() -> Report:
    """Three weeks."""
    return reported(nobody_leaves(300, 21.0, 14.0), "2023-01-21")


def header(report: Report, folder: Path, language: Language) -> str:
    """Return the text of the head of the page."""
    report.write(folder, language=language)
    page = (folder / "equity.html").read_text(encoding="utf-8")
    text = re.sub(r"<[^>]+>", " ", page[page.index("<header>") : page.index("</header>")])
    return " ".join(text.replace(NBSP, " ").split())


def shown(report: Report) -> str:
    console = Console(file=StringIO(), width=120, highlight=False)
    console.print(terminal.closing_report(report))
    file = console.file
    assert isinstance(file, StringIO)
    return " ".join(re.sub("[│╭╮╰╯─]", " ", file.getvalue()).split())


def first_sheet(folder: Path) -> list[object]:
    sheet = openpyxl.load_workbook(folder / "equity.xlsx", data_only=True).worksheets[0]
    return [cell for row in sheet.iter_rows(values_only=True) for cell in row if cell is not None]


def test_the_figures_are_those_of_the_posterior(steady: Report) -> None:
    rfm = steady.book.histories
    orders = clv.BGNBD().fit(rfm, method="posterior", draws=DRAWS, seed=1, progress=False)
    spend = clv.GammaGamma().fit(rfm, method="posterior", draws=DRAWS, seed=1, progress=False)
    orders, spend = (fit.thinned(fit.number_of_draws // DRAWS) for fit in (orders, spend))
    book = clv.value(orders, spend, rfm, ASSUMPTIONS)
    assert steady.book.equity == pytest.approx(book.equity, rel=1e-9)
    assert steady.support == book.support


def test_chains_are_thinned_to_the_draws_that_are_wanted(weeks: Report) -> None:
    fit = weeks.book.transactions
    assert [part.method for part in fit.fits] == ["nuts"]
    assert fit.number_of_draws == DRAWS


def test_where_nobody_leaves_the_figure_is_assumed(steady: Report, tmp_path: Path) -> None:
    support = steady.support
    assert support is not None
    assert (support.verdict, support.leg) == ("assumed", "boundary")
    beyond = f"{support.beyond:,.0f} EUR"
    head, terminal_text = header(steady, tmp_path, "en"), shown(steady)
    for text in (head, terminal_text):
        assert f"Assumed: nobody is seen to leave, and {beyond}" in text
        assert "after the 77 weeks observed" in text
        assert "90 % interval (parameters, what customers do)" in text
    assert f"Beyond the 77 weeks observed {beyond}" in head
    assert head.index(f"{steady.book.equity:,.0f} EUR") < head.index("Within the 77 weeks observed")
    audit = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert audit["support"]["verdict"] == "assumed"
    assert audit["support"]["endless"] is True
    assert "nobody is seen to leave" in audit["support"]["reason"]
    assert audit["support"]["within"] + audit["support"]["beyond"] == pytest.approx(audit["equity"], rel=1e-9)
    assert audit["models"][0]["priors"] == clv.BGNBD().default_priors
    assert audit["closings"]["2024-06-23"]["orders"]["priors"] == clv.BGNBD().default_priors
    cells = first_sheet(tmp_path)
    assert "Assumed" in cells
    assert cells[cells.index("Beyond the 77 weeks observed") + 1] == pytest.approx(support.beyond, rel=1e-9)


def test_the_same_in_german(steady: Report, tmp_path: Path) -> None:
    support = steady.support
    assert support is not None
    head = header(steady, tmp_path, "de")
    beyond = f"{support.beyond:,.0f}".replace(",", ".")
    assert f"Angenommen: Niemand ist erkennbar abgewandert, und {beyond} EUR" in head
    assert "liegen jenseits der Beobachtung (77 Wochen)." in head
    assert "90-%-Intervall (Parameter, Verhalten der Kunden)" in head
    assert f"Jenseits der Beobachtung (77 Wochen) {beyond} EUR" in head
    cells = first_sheet(tmp_path)
    assert "Angenommen" in cells
    assert cells[cells.index("Jenseits der Beobachtung (77 Wochen)") + 1] == pytest.approx(support.beyond, rel=1e-9)


def test_of_three_weeks_the_part_within_them_stands_first(weeks: Report, tmp_path: Path) -> None:
    support = weeks.support
    assert support is not None
    assert support.verdict == "not supported"
    whole, within = f"{weeks.book.equity:,.0f} EUR", f"{support.within:,.0f} EUR"
    head = header(weeks, tmp_path, "en")
    order = [within, "Within the 3 weeks observed", "Within twice that (6 weeks)", "Beyond", whole, "Not supported:"]
    places = [head.index(words) for words in order]
    assert places == sorted(places)
    page = (tmp_path / "equity.html").read_text(encoding="utf-8")
    assert f'id="equity" data-value="{weeks.book.equity!r}"' in page  # where the sliders start
    text = shown(weeks)
    assert text.index("Within the 3 weeks observed") < text.index("All of it, indefinitely")
    assert "Not supported:" in text
    cells = first_sheet(tmp_path)
    assert cells.index("Not supported") < cells.index("Key figures")
    german = header(weeks, tmp_path / "de", "de")
    assert german.index("Innerhalb der Beobachtung (3 Wochen)") < german.index("Nicht belastbar:")


def test_the_priors_stand_below_the_parameters(steady: Report, tmp_path: Path) -> None:
    steady.write(tmp_path)
    sheet = openpyxl.load_workbook(tmp_path / "equity.xlsx", data_only=True)["Assumptions"]
    pairs = {row[0]: row[1] for row in sheet.iter_rows(values_only=True) if row[0] and len(row) > 1}
    assert pairs["BG/NBD: prior of dropout"] == "Beta(alpha=1, beta=2)"
    assert pairs["Gamma-Gamma: prior of mean_spend"]


def test_a_missed_forecast_lowers_the_verdict_in_both_languages(steady: Report) -> None:
    tested = steady.tested
    assert tested is not None
    lower = replace(steady, tested=replace(tested, revenue_actual=0.75 * tested.revenue_predicted)).support
    assert lower is not None
    assert lower.verdict == "not supported"
    assert str(lower).endswith("in the last third held back, revenue was 25% below the forecast.")
    german = verdict_text(lower, Locale("de", "EUR")).replace(NBSP, " ")
    assert german.startswith("Nicht belastbar: Niemand ist erkennbar abgewandert")
    assert german.endswith("im zurückgehaltenen letzten Drittel lag der Umsatz 25 % unter der Prognose.")


@pytest.mark.parametrize("leg", ["none", "beyond", "boundary", "width", "span"])
def test_both_languages_name_the_same_amounts(steady: Report, leg: str) -> None:
    support = replace(steady.support, leg=leg)
    english, german = (verdict_text(support, Locale(language, "EUR")) for language in ("en", "de"))
    english = english.replace("90 %", "90-%").replace(NBSP, " ")
    numbers = [re.findall(r"\d[\d,.]*\d", text.replace(NBSP, " ")) for text in (english, german)]
    assert sorted(set(numbers[0])) == sorted({number.replace(".", ",") for number in numbers[1]})


def test_methods_and_draws_that_cannot_be_are_refused() -> None:
    with pytest.raises(FitError, match=r"unknown method 'posterio'.*did you mean 'posterior'"):
        Estimation.parse("posterio", 100)
    with pytest.raises(FitError, match="one draw has no spread"):
        Estimation.parse("posterior", 1)
    with pytest.raises(FitError, match="whole number"):
        Estimation.parse("posterior", -1)
    assert Estimation.parse("mle", 100) == Estimation.parse("laplace", 0) == Estimation("mle", 0)
