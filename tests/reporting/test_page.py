"""The web page of the equity report: its figures are Python's, also after a slider has moved, in a real browser."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl  # type: ignore[import-untyped]
import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console

import clvmodels as clv
from clvmodels.reporting.content import EquityReport
from clvmodels.reporting.labels import Language, label
from clvmodels.reporting.locale import NBSP, Locale
from clvmodels.reporting.page import write_page
from clvmodels.reporting.page.charts import Axis
from clvmodels.reporting.terminal import closing_report
from clvmodels.reporting.workbook import write_workbook
from clvmodels.valuation.audit import audit, file_record
from clvmodels.valuation.book import Book
from clvmodels.valuation.contribution import contribution
from clvmodels.valuation.levers import NODES, WEIGHTS, Levers, levers_of, rate_grid
from clvmodels.valuation.movement import movement
from clvmodels.valuation.reconciliation import reconciliation

EVIL = '<script>document.title = "ran"</script>'
QUOTED = '"><img src="x" onerror="document.title = 1"> & Söhne'
DAYS = ("2024-06-30", "2024-12-31")
PAYMENT = {EVIL: 0.01, QUOTED: 0.02}
TERMS = {
    "discount_rate": 0.12,
    "margin": 0.35,
    "payment_share": {"by": "segment", "rates": PAYMENT},
    "order_cost": 2.5,
    "returns_per_order": 0.15,
    "return_cost": 3.0,
    "contacts_per_order": {"column": "contacts"},
    "contacts_per_year": 0.5,
    "service_cost": 1.5,
    "maintenance_cost": 4.0,
    "contact_cost": 0.3,
    "campaigns_per_year": 6.0,
    "referrals_per_year": 0.1,
    "referral_value": 9.0,
    "acquisition_cost": 12.0,
    "lines": [
        {"name": "gift", "driver": "orders", "rate": 0.75, "labels": {"en": "Gifts & <b>", "de": "Geschenke & <b>"}},
        {"name": "constructor", "driver": "living years", "rate": {"by": "segment", "rates": {EVIL: 1.0, QUOTED: 2.0}}},
    ],
    "tax": 0.25,
    "currency": "EUR",
}
PARAMS = {
    DAYS[0]: ({"r": 0.62, "alpha": 6.8, "s": 1.9, "beta": 119.0}, {"p": 4.0, "q": 6.0, "v": 210.0}),
    DAYS[1]: ({"r": 0.64, "alpha": 7.0, "s": 1.8, "beta": 125.0}, {"p": 4.1, "q": 6.0, "v": 213.0}),
}


def purchases(customers: int = 300) -> pd.DataFrame:
    """Return a log of customers who buy at random as long as they live."""
    rng = np.random.default_rng(7)
    rows = []
    for customer, first in enumerate(rng.integers(0, 700, customers)):
        gap, life, mean = (
            1.0 / rng.gamma(0.8, 1 / 60),
            rng.exponential(1.0 / rng.gamma(1.5, 1 / 450)),
            rng.gamma(6.0, 24.0),
        )
        day = float(first)
        while day < min(first + life, 730.0) or day == first:
            rows.append((customer, pd.Timestamp("2023-01-01") + pd.Timedelta(days=int(day)), rng.gamma(4.0, mean / 4)))
            day += rng.exponential(gap)
    log = pd.DataFrame(rows, columns=["customer_id", "date", "value"])
    return log.assign(segment=np.where(log["customer_id"] % 3, QUOTED, EVIL), contacts=0.1 * (log["customer_id"] % 5))


def closing(log: pd.DataFrame, day: str, terms: clv.Assumptions) -> Book:
    kept = ["segment", "contacts"]
    rfm = clv.rfm_summary(log, value="value", unit="week", resolution="day", observation_end=day, attributes=kept)
    orders, spend = PARAMS[day]
    fits = clv.ParetoNBD().from_params(orders, unit="week"), clv.GammaGamma().from_params(spend)
    return clv.value(*fits, rfm, terms)


def reported(books: tuple[Book, ...], by: str | None = "segment") -> EquityReport:
    return EquityReport(
        source="orders <2024>.parquet",
        closings=DAYS[-len(books) :],
        books=books,
        movements=tuple(movement(*books) for _ in books[1:]),
        by=by,
        reconciliation=reconciliation(books[-1].histories),
        contributed=contribution(books[-1]),
        notes=("a <b>note</b>",),
        audit=audit(dict(zip(DAYS[-len(books) :], books, strict=True)), {"log": file_record("orders.parquet")}, [1]),
        created="2025-01-02T03:04:05+00:00",
    )


@dataclass(frozen=True)
class Written:
    """A page that has been written."""

    path: Path
    locale: Locale

    @classmethod
    def of(cls, report: EquityReport, folder: Path, language: Language) -> Written:
        write_page(report, folder / "equity.html", language)
        return cls(folder / "equity.html", Locale.of(report.book.assumptions, language))

    @property
    def page(self) -> str:
        return self.path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def report() -> EquityReport:
    log, terms = purchases(), clv.Assumptions.from_mapping(TERMS)
    return reported(tuple(closing(log, day, terms) for day in DAYS))


@pytest.fixture(scope="module")
def book(report: EquityReport) -> Book:
    return report.book


@pytest.fixture(scope="module", params=["en", "de"])
def either(request: pytest.FixtureRequest, report: EquityReport, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The report in English, then in German."""
    return Written.of(report, tmp_path_factory.mktemp("page"), request.param)


@pytest.fixture(scope="module")
def english(report: EquityReport, tmp_path_factory: pytest.TempPathFactory) -> Written:
    return Written.of(report, tmp_path_factory.mktemp("page"), "en")


def html(report: EquityReport, folder: Path, language: Language = "en") -> str:
    write_page(report, folder / "equity.html", language)
    return (folder / "equity.html").read_text(encoding="utf-8")


class WeightedHistories(HTMLParser):
    """The texts of a page: by section and row, and of everything."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.section = self.inside = ""
        self.rows: dict[str, list[list[str]]] = {}
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag if tag in {"th", "td", "script", "style"} else self.inside
        if tag == "section":
            self.section = str(dict(attrs)["id"])
        if tag == "tr":
            self.rows.setdefault(self.section, []).append([])
        if tag in {"th", "td"}:
            self.rows[self.section][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = "" if tag == self.inside else self.inside

    def handle_data(self, data: str) -> None:
        if self.inside in {"th", "td"}:
            self.rows[self.section][-1][-1] += data
        if self.inside not in {"script", "style"}:
            self.words.append(data)

    def row(self, section: str, name: str) -> list[str]:
        return next(row[1:] for row in self.rows[section] if row[0] == name)


# --- what is written


def test_the_page_holds_the_figures_of_the_book(report: EquityReport, either: Written) -> None:
    book, locale, page = report.book, either.locale, either.page
    language, cells = locale.language, WeightedHistories(page)
    assert f'<html lang="{language}">' in page
    assert f'id="equity" data-value="{book.equity!r}">{locale.with_currency(book.equity)}<' in page
    for segment, values in book.statement("segment").iloc[:-1].iterrows():
        row = cells.row("statement", str(segment))
        assert row[0] == locale.number(values["customers"])
        assert locale.number(values["per_customer"], 2) in row
        assert locale.percent(values["share_3"]) in row
    for key, line in book.statement_lines.iterrows():
        row = cells.row("lines", locale.named(str(key)))
        assert row[3:5] == [locale.money(line["value"], 0), locale.percent(line["share"])]
    assert cells.row("horizons", locale.duration("5 years"))[1] == locale.money(book.rlv_within(5).sum(), 0)
    four = cells.row("contribution", label("contribution_4", language))
    assert four[-1] == locale.money(float(report.contribution["total"]["contribution_4"]), 0)
    assert cells.row("reconciliation", label("ledger", language)) == [locale.money(purchases()["value"].sum(), 2)]
    assert cells.row("assumptions", label("order_cost", language))[0].startswith(locale.with_currency(2.5))
    assert cells.row("assumptions", label("payment_share", language))[0].startswith(f"segment: {EVIL} 1{NBSP}%")
    assert "a <b>note</b>" in cells.words


def test_a_line_of_one_s_own_is_called_by_its_label(book: Book, either: Written) -> None:
    name = {"en": "Gifts & <b>", "de": "Geschenke & <b>"}[either.locale.language]
    found = WeightedHistories(either.page)
    value = book.statement_lines.loc["gift", "value"]
    assert either.locale.money(value, 0) in found.row("lines", name)
    per_order = {"en": f"0.75{NBSP}EUR per order", "de": f"0,75{NBSP}EUR je Bestellung"}
    assert found.row("assumptions", name) == [per_order[either.locale.language]]
    assert len(found.row("sensitivities", name)) == 3
    so_far = contribution(book)["gift"].sum()
    assert either.locale.money(so_far, 0) in found.row("contribution", name)
    assert found.row("lines", "Constructor")


def test_the_waterfall_hangs_together(report: EquityReport, english: Written) -> None:
    page = english.page
    table = report.movements[0].table
    found = re.findall(r'<rect x="([\d.]+)%" width="([\d.]+)%"[^>]*class="(\w+)"', page.split('id="movement"')[1])
    bars = [(float(x), float(x) + float(width), tone) for x, width, tone in found[: len(table)]]
    scale = bars[0][1] / table["value"].iloc[0]
    at = 0.0
    for (start, end, tone), (_, kind, value) in zip(bars, table.itertuples(index=False), strict=True):
        assert end - start == pytest.approx(scale * abs(value), abs=0.02)
        if kind != "change":
            assert (start, tone) == (0.0, "level")
            at = end
        else:
            assert (start if value >= 0 else end) == pytest.approx(at, abs=0.05)
            assert tone == ("plus" if value >= 0 else "minus")
            at = end if value >= 0 else start
    assert bars[-1][1] == pytest.approx(scale * report.book.equity, abs=0.05)
    cells = WeightedHistories(page)
    assert cells.row("movement", "Memo: realised margin")[1] == f"{report.movements[0].realised_margin:,.0f}"


def test_concentration_is_counted_by_hand(book: Book, english: Written) -> None:
    cells = WeightedHistories(english.page)
    rlv = np.sort(book.rlv)
    top = rlv[-round(len(rlv) / 5) :].sum() / rlv.sum()
    gini = np.abs(rlv[:, None] - rlv).mean() / (2.0 * rlv.mean())
    assert cells.row("concentration", "Residual lifetime value") == [f"{100 * top:.1f}{NBSP}%", f"{gini:.3f}"]
    peak = f"{rlv[rlv > 0].sum():,.0f}{NBSP}EUR"
    assert any(
        f"{100 * (rlv > 0).mean():.1f}{NBSP}% of the customers are worth {peak}" in words for words in cells.words
    )


def test_a_tornado_of_changes(book: Book, english: Written) -> None:
    dearer = book.with_assumptions(book.assumptions.replace({"order_cost": 2.75})).equity - book.equity
    assert WeightedHistories(english.page).row("sensitivities", "Order handling")[2] == f"{dearer:+,.0f}"


def test_unprofitable_customers_are_counted_by_hand(report: EquityReport, tmp_path: Path) -> None:
    costly = report.book.with_assumptions(report.book.assumptions.replace({"maintenance_cost": 60.0}))
    loss = costly.rlv < 0.0
    assert loss.any()
    rows = WeightedHistories(html(replace(report, books=(costly,), movements=()), tmp_path))
    assert rows.row("unprofitable", "Equity")[0] == f"{costly.rlv[loss].sum():,.2f}"
    assert rows.row("unprofitable", "As it is")[2] == f"{loss.sum():,}"
    assert f"{loss.sum():,} customers" in " ".join(rows.words)


def test_the_same_inputs_give_the_same_bytes_but_for_the_time(
    report: EquityReport, english: Written, tmp_path: Path
) -> None:
    later = replace(report, created="2026-05-06T07:08:09+00:00")
    assert english.page.replace(report.created, later.created) == html(later, tmp_path)


def test_names_do_not_run(english: Written) -> None:
    page = english.page
    assert page.count("<script") == 2
    assert page.count("<img") == 0
    assert "orders &lt;2024&gt;.parquet" in page


def test_a_currency_cannot_end_the_data(report: EquityReport, tmp_path: Path) -> None:
    evil = replace(
        report,
        books=tuple(b.with_assumptions(b.assumptions.replace({"currency": "</script><b>"})) for b in report.books),
    )
    page = html(evil, tmp_path)
    data = re.search(r'<script type="application/json" id="terms">(.*?)</script>', page, flags=re.DOTALL)
    assert data is not None
    assert json.loads(data[1])["currency"] == "</script><b>"


def test_what_is_unexplained_is_flagged(report: EquityReport, english: Written, tmp_path: Path) -> None:
    assert 'class="flag"' not in english.page
    assert "nothing is unexplained" in english.page
    items = report.reconciliation.copy()
    items.loc["unexplained", "money"] = -12.3
    page = html(replace(report, reconciliation=items), tmp_path)
    assert page.count(f'<p class="flag" role="alert">-12.30{NBSP}EUR of the ledger are unexplained') == 2
    assert '<tr class="sum wrong">' in page
    assert "nothing is unexplained" not in page


def test_what_was_left_out_is_said_as_in_the_workbook(report: EquityReport, tmp_path: Path) -> None:
    items = report.reconciliation.copy()
    items.loc["left out: after the end of observation", "money"] = 5.0
    later = replace(report, reconciliation=items)
    write_workbook(later, tmp_path / "equity.xlsx", "de")
    sheet = openpyxl.load_workbook(tmp_path / "equity.xlsx")[label("reconciliation", "de")]
    said = "Nicht enthalten: nach Ende der Beobachtung"
    assert WeightedHistories(html(later, tmp_path, "de")).row("reconciliation", said) == ["5,00"]
    assert said in [row[0] for row in sheet.iter_rows(values_only=True)]


def test_one_closing_has_no_movement_and_no_segments(report: EquityReport, tmp_path: Path) -> None:
    cells = WeightedHistories(html(reported(report.books[-1:], by=None), tmp_path))
    assert "movement" not in cells.rows
    assert cells.row("statement", "Total")[0] == "300"
    assert not any("Change since" in words for words in cells.words)


def test_several_movements_are_shown_the_last_one_first(report: EquityReport, tmp_path: Path) -> None:
    both = replace(report, closings=("2024-01-31", *DAYS), movements=report.movements * 2)
    page = html(both, tmp_path)
    assert page.index("30 June 2024 to 31 December 2024") < page.index("31 January 2024 to 30 June 2024")
    assert page.count("<details>") == 1


def test_intervals_are_shown_where_there_are_draws(report: EquityReport, tmp_path: Path) -> None:
    shapes: dict[str, Any] = {"r": np.linspace(0.5, 0.8, 50)[None], "alpha": 7.0, "s": 1.8, "beta": 125.0}
    drawn = clv.ParetoNBD().from_params(shapes, unit="week")
    book = clv.value(drawn, report.book.spend, report.book.histories, report.book.assumptions)
    cells = WeightedHistories(html(reported((book,)), tmp_path))
    interval = book.interval(0.9)
    assert f"{interval.low:,.0f} to {interval.high:,.0f}{NBSP}EUR" in cells.words
    assert cells.row("statement", "Total")[6:8] == [f"{interval.low:,.0f}", f"{interval.high:,.0f}"]
    assert len(cells.row("lines", "Tax")) == 7


@pytest.mark.parametrize("equity_is_positive", [True, False])
def test_unprofitable_customers_are_the_same_everywhere(
    report: EquityReport, tmp_path: Path, equity_is_positive: bool
) -> None:
    """Page, workbook and terminal: one count and one sum, also where draws say something else of single customers."""
    params = report.book.transactions.params
    drawn = clv.ParetoNBD().from_params(
        {**params, "r": params["r"] * np.array([[0.5, 0.6, 1.9]]), "s": params["s"] * np.array([[1.0, 0.4, 1.6]])},
        unit=report.book.transactions.unit or "week",
    )
    terms = report.book.assumptions.replace({"maintenance_cost": 60.0 if equity_is_positive else 600.0})
    book = clv.value(drawn, report.book.spend, report.book.histories, terms)
    assert (book.equity > 0.0) is equity_is_positive
    below = book.customers["rlv"].to_numpy() < 0.0
    count, total = f"{below.sum():,}", float(book.customers["rlv"].to_numpy()[below].sum())
    assert below.sum() != (book.customers["probability_of_loss"] > 0.5).sum()
    costly = replace(report, books=(book,), movements=())
    rows = WeightedHistories(html(costly, tmp_path))
    assert f"{count} customers" in " ".join(rows.words)
    digits = 0 if abs(total) >= 1e4 else 2
    assert rows.row("unprofitable", "Equity")[0] in {f"{total:,.{k}f}" for k in (0, digits, 2)}
    write_workbook(costly, tmp_path / "equity.xlsx", "en")
    sheet = openpyxl.load_workbook(tmp_path / "equity.xlsx", data_only=True)["Concentration"]
    shown = {row[0].value: row[3].value for row in sheet.iter_rows() if len(row) > 3}
    assert shown[label("unprofitable_customers", "en")] == below.sum()
    assert shown[label("value_of_unprofitable", "en")] == pytest.approx(total, rel=1e-12)
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(closing_report(costly))
    assert f"Unprofitable customers: {count} (" in console.export_text()


@pytest.mark.filterwarnings("ignore:the spend of")
def test_a_loss_has_no_lorenz_curve(report: EquityReport, tmp_path: Path) -> None:
    terms = report.book.assumptions.replace({"margin": 0.0, "referral_value": 0.0})
    nothing = report.book.histories.with_statistics({"mean": np.full(300, np.nan)})
    page = html(reported((clv.value(report.book.transactions, report.book.spend, nothing, terms),)), tmp_path)
    assert label("no_concentration", "en") in page
    assert re.search(r"\b(nan|inf)\b", " ".join(WeightedHistories(page).words), flags=re.IGNORECASE) is None


def test_many_segments_stay_a_small_page(report: EquityReport, tmp_path: Path) -> None:
    histories = report.book.histories
    names = pd.Series([f"segment {k:03}" for k in range(len(histories))], histories.customer_id, name="own")
    many = histories.with_attributes(names.to_frame())
    book = clv.value(report.book.transactions, report.book.spend, many, report.book.assumptions)
    page = html(reported((book,), by="own"), tmp_path)
    cells = WeightedHistories(page)
    assert len(page.encode()) < 300_000
    first = book.statement("own").iloc[:-1].sort_values("equity", key=abs).iloc[-1]
    assert cells.row("statement", str(first.name))[4] == f"{first['equity']:,.0f}"
    assert "260 more with less equity are in the total, but not shown." in cells.words
    points = [len(points.split()) for points in re.findall(r'<polyline points="([^"]*)"', page)]
    assert sum(points) <= 200


def test_axes_have_round_ticks() -> None:
    assert Axis(-130.0, 450.0).ticks == [-100.0, 0.0, 100.0, 200.0, 300.0, 400.0]
    assert Axis.around([3.0, 7.0]) == Axis(0.0, 7.0)
    assert Axis.around([0.0]).ticks[-1] == 1.0


# --- what the sliders rest on


def interpolated(levers: Levers, factor: float) -> float:
    """Return equity under the discount rates times a factor, from the stored sums, as a script has to."""
    grid = levers.grid
    assert grid is not None
    at = np.log((factor - grid.pole) / (1.0 - grid.pole)) / grid.span
    share = WEIGHTS / (at - NODES)
    total = sum(np.sign(t.sums[0]) * np.exp(share @ np.log(np.abs(t.sums)) / share.sum()) for t in levers.terms)
    return float(1.0 - levers.tax) * float(total)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"growth": 0.03},
        {"growth": 0.2, "horizon": "10 years"},
        {"horizon": "10 years", "timing": "end-year"},
        {"discount_rate": [0.2, 0.1, 0.08], "growth": 0.01},
        {"discount_rate": 1.5},
        {"discount_rate": 0.005},
    ],
    ids=str,
)
def test_sums_between_the_rates_are_those_of_a_full_revaluation(book: Book, changes: dict[str, Any]) -> None:
    book = book.with_assumptions(book.assumptions.replace(changes))
    levers = levers_of(book)
    assert levers.grid is not None
    low, high = levers.grid.factors(np.array([-1.0, 1.0]))
    assert levers.error < 1e-6
    for factor in (low * 1.001, 0.9 * 1.0 + 0.1 * low, 0.37 * high + 0.63, high * 0.999):
        rates = tuple(factor * rate for rate in book.assumptions.discount_rates)
        truth = book.with_assumptions(book.assumptions.replace({"discount_rate": rates})).equity
        assert interpolated(levers, factor) == pytest.approx(truth, rel=1e-7)


def test_rates_that_cannot_move_have_no_grid(book: Book) -> None:
    none = book.with_assumptions(book.assumptions.replace({"discount_rate": 0.0, "horizon": "5 years"}))
    assert rate_grid(none.assumptions) is None
    levers = levers_of(none)
    assert [lever.name for lever in levers.levers][-1] == "tax"
    assert all(len(term.sums) == 1 for term in levers.terms)
    assert rate_grid(book.assumptions.replace({"discount_rate": 2.0})) is None


def test_terms_are_proportional_to_their_factors(book: Book) -> None:
    terms = levers_of(book).terms
    middle = NODES == 0.0
    stated = sum(float(term.sums[middle][0]) for term in terms)
    assert 0.75 * stated == pytest.approx(book.equity, rel=1e-12)
    by_line = {term.line: term.factors for term in terms if term.line != "service"}
    assert by_line["campaigns"] == ("campaigns_per_year", "contact_cost")
    assert by_line["contribution_margin"] == ("margin",)
    services = {term.factors for term in terms if term.line == "service"}
    assert services == {("contacts_per_order", "service_cost"), ("contacts_per_year", "service_cost")}


def test_sliders_reach_no_impossible_value(book: Book) -> None:
    terms = book.assumptions.replace({"margin": 0.8, "return_share": {"column": "contacts"}, "order_cost": 0.123456789})
    levers = {lever.name: lever for lever in levers_of(book.with_assumptions(terms)).levers}
    assert (levers["margin"].high, levers["margin"].step) == (1.0, 0.001)
    assert (levers["return_share"].stated, levers["return_share"].high) == (1.0, 2.0)
    assert levers["order_cost"].step is None
    assert levers["discount_rate"].high == 0.24
    assert "acquisition_cost" not in levers
    cut = terms.replace({"return_share": {"column": "contacts", "factor": 4.0}})  # 0.4 four times is 1 at most
    assert "return_share" not in {lever.name for lever in levers_of(book.with_assumptions(cut)).levers}


# --- in a browser


@dataclass
class Opened:
    """A page in the browser, and what it said and asked for."""

    page: Page
    said: list[str]
    asked: list[str]

    def moved(self, name: str, value: float) -> float:
        """Return the equity that the page gives after a slider has moved."""
        script = """([name, value]) => {
            const slider = document.querySelector(`[data-name="${name}"]`);
            slider.value = value;
            slider.dispatchEvent(new Event("input", {bubbles: true}));
        }"""
        self.page.evaluate(script, [name, repr(value)])
        return self.number("equity-now")

    def number(self, where: str) -> float:
        return float(str(self.page.get_attribute(f"#{where}", "data-value")))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        missing = "the page is tested in Chromium: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


def opened(browser: Browser, path: Path, width: int = 1280) -> Opened:
    page = browser.new_page(viewport={"width": width, "height": 900})
    found = Opened(page, [], [])
    page.on("console", lambda message: found.said.append(message.text))
    page.on("pageerror", lambda error: found.said.append(str(error)))
    page.on("request", lambda request: found.asked.append(request.url))
    page.goto(path.as_uri())
    return found


@pytest.fixture
def shown(browser: Browser, english: Written) -> Iterator[Opened]:
    found = opened(browser, english.path)
    yield found
    assert found.said == []
    assert found.asked == [english.path.as_uri()]
    assert found.page.title() == "Customer equity, 31 December 2024"
    found.page.close()


def test_the_page_opens_with_python_s_equity(shown: Opened, book: Book) -> None:
    said = f"{book.equity:,.0f}{NBSP}EUR"
    assert shown.page.text_content("#equity") == said
    assert shown.page.text_content("#equity-now") == said
    assert shown.number("equity") == shown.number("equity-now") == book.equity
    assert shown.page.text_content("#equity-change") == f"0{NBSP}EUR (0.0{NBSP}%)"
    assert shown.page.is_disabled("#reset")
    assert shown.page.evaluate("document.images.length") == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [("margin", 0.25), ("order_cost", 3.75), ("service_cost", 0.0), ("maintenance_cost", 7.0), ("tax", 0.31),
     ("campaigns_per_year", 2.5), ("referral_value", 12.0), ("gift", 1.25)],
)  # fmt: skip
def test_a_slider_gives_python_s_equity(shown: Opened, book: Book, name: str, value: float) -> None:
    truth = book.with_assumptions(book.assumptions.replace({name: value})).equity
    assert shown.moved(name, value) == pytest.approx(truth, rel=1e-9)
    change = truth - book.equity
    assert shown.number("equity-change") == pytest.approx(change, rel=1e-9)
    locale = Locale("en", "EUR")
    money = locale.with_currency(change, 0, sign=True)
    assert shown.page.text_content("#equity-now") == locale.with_currency(truth)
    assert shown.page.text_content("#equity-change") == f"{money} ({locale.percent(change / book.equity, sign=True)})"
    assert shown.page.text_content(f".lever:has([data-name={name}]) .effect") == money


def test_rates_by_customer_are_scaled(shown: Opened, book: Book) -> None:
    rates = {segment: 1.5 * rate for segment, rate in PAYMENT.items()}
    truth = book.with_assumptions(book.assumptions.replace({"payment_share": {"by": "segment", "rates": rates}})).equity
    assert shown.moved("payment_share", 1.5) == pytest.approx(truth, rel=1e-9)
    assert shown.page.text_content(".lever:has([data-name=payment_share]) output") == f"×{NBSP}1.50"


@pytest.mark.parametrize("rate", [0.061, 0.093, 0.12, 0.157, 0.24])
def test_the_discount_rate_gives_python_s_equity(shown: Opened, book: Book, rate: float) -> None:
    truth = book.with_assumptions(book.assumptions.replace({"discount_rate": rate})).equity
    assert shown.moved("discount_rate", rate) == pytest.approx(truth, rel=1e-8)
    assert shown.page.text_content(".lever:has([data-name=discount_rate]) output") == f"{100 * rate:.1f}{NBSP}%"


def test_sliders_move_together_and_go_back(shown: Opened, book: Book) -> None:
    changes = {"margin": 0.41, "order_cost": 1.1, "contact_cost": 0.1, "campaigns_per_year": 9.0, "tax": 0.1}
    for name, value in {**changes, "discount_rate": 0.2}.items():
        equity = shown.moved(name, value)
    truth = book.with_assumptions(book.assumptions.replace({**changes, "discount_rate": 0.2})).equity
    assert equity == pytest.approx(truth, rel=1e-8)
    shown.page.click("#reset")
    assert shown.number("equity-now") == book.equity
    assert shown.number("equity-change") == 0.0
    assert shown.page.is_disabled("#reset")


def test_the_statement_is_sorted_by_a_press(shown: Opened, book: Book) -> None:
    table = shown.page.locator("#statement table").first
    press = shown.page.locator("#statement table").first.get_by_text("Equity", exact=True)
    equity = book.statement("segment").iloc[:-1]["equity"].sort_values(ascending=False)
    title = press.locator("xpath=..")
    assert title.get_attribute("aria-sort") == "none"
    press.click()
    assert title.get_attribute("aria-sort") == "descending"
    assert table.locator("tbody th").all_text_contents() == list(equity.index)
    press.press("Enter")
    assert title.get_attribute("aria-sort") == "ascending"
    assert table.locator("tbody th").all_text_contents() == list(equity.index[::-1])
    table.get_by_role("button", name="Segment").click()
    assert table.locator("tbody th").all_text_contents() == [QUOTED, EVIL]
    assert title.get_attribute("aria-sort") == "none"
    assert table.locator("tfoot th").text_content() == "Total"


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window(browser: Browser, either: Written, width: int) -> None:
    found = opened(browser, either.path, width)
    assert found.page.evaluate("document.documentElement.scrollWidth") <= width
    assert found.page.evaluate("getComputedStyle(document.querySelector('.scroll')).overflowX") == "auto"
    found.page.close()


def test_the_script_writes_numbers_as_the_page_does(browser: Browser, either: Written) -> None:
    found, locale = opened(browser, either.path), either.locale
    equity = found.moved("margin", 0.2)
    assert found.page.text_content("#equity-now") == locale.with_currency(equity)
    assert found.page.text_content(".lever:has([data-name=margin]) output") == locale.percent(0.2)
    assert found.page.text_content(".lever:has([data-name=order_cost]) output") == locale.with_currency(2.5, 2)
    assert found.said == []
    found.page.close()


def test_without_its_script_the_page_shows_no_sliders(browser: Browser, english: Written) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(english.path.as_uri())
    assert not page.is_visible("#what_if")
    assert page.is_visible("#statement")
    page.close()


def test_a_report_with_growth_near_the_discount_rate_is_finite(report: EquityReport, tmp_path: Path) -> None:
    terms = report.book.assumptions.replace({"growth": 0.115})
    book = clv.value(report.book.transactions, report.book.spend, report.book.histories, terms)
    near = replace(report, books=(book,), movements=())
    assert near.not_moved == ("discount_rate", "growth")
    page = html(near, tmp_path)
    assert re.search(r"\b(nan|inf)\b", " ".join(WeightedHistories(page).words), flags=re.IGNORECASE) is None
    assert "Not shown, as equity would be no finite number" in page
    write_workbook(near, tmp_path / "equity.xlsx", "en")
    assert (tmp_path / "equity.xlsx").stat().st_size > 0
