"""The workbook: its formulas give the figures of Python, before and after an assumption is changed in it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import openpyxl  # type: ignore[import-untyped]
import pandas as pd
import pytest
import xlsxwriter  # type: ignore[import-untyped]

import clvmodels as clv
from clvmodels.reporting.content import EquityReport
from clvmodels.reporting.labels import Language, label
from clvmodels.reporting.locale import Locale
from clvmodels.reporting.workbook import customers as customers_sheet
from clvmodels.reporting.workbook import document
from clvmodels.reporting.workbook.amounts import Groups, by_customer, parts, sums_of
from clvmodels.reporting.workbook.document import SHEETS, cohorts_of, write_workbook
from clvmodels.reporting.workbook.page import Page
from clvmodels.reporting.workbook.style import Look, Styles, cell
from clvmodels.valuation.book import Book
from clvmodels.valuation.concentration import gini, top_share
from clvmodels.valuation.contribution import contribution
from clvmodels.valuation.movement import movement
from clvmodels.valuation.rates import BySegment
from clvmodels.valuation.reconciliation import reconciliation
from clvmodels.valuation.scenarios import tornado, two_way

CLOSINGS = ("1997-09-30", "1997-12-31", "1998-06-30")
ORDERS = clv.ParetoNBD().from_params({"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}, unit="week")
SPEND = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
LATER_ORDERS = clv.ParetoNBD().from_params({"r": 0.563, "alpha": 12.5589, "s": 0.4081, "beta": 10.5146}, unit="week")
LATER_SPEND = clv.GammaGamma().from_params({"p": 4.6823, "q": 4.1904, "v": 24.4006})

LANGUAGES: Mapping[str, Language] = {"plain": "en", "rich": "de", "alone": "en"}
"""Of the workbooks written."""

ONE_RATE_EACH = clv.Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks", currency="EUR", tax=0.25)
MANY_RATES = clv.Assumptions.from_mapping(
    {
        "discount_rate": (0.15, 0.12),
        "margin": {"by": "segment", "rates": {"North": 0.35, "South & East": 0.25, "nobody": 0.9}},
        "payment_share": 0.02,
        "return_share": {"column": "returned", "factor": 0.5},
        "write_down": {"by": "channel", "rates": {"shop": 0.3, "web": 0.6}},
        "order_cost": 1.5,
        "returns_per_order": {"column": "returned", "factor": 1.0},
        "return_cost": {"by": "segment", "rates": {"North": 3.0, "South & East": 5.0}},
        "word_of_mouth_cost": 0.4,
        "contacts_per_order": 0.1,
        "contacts_per_year": {"by": "channel", "rates": {"shop": 0.2, "web": 0.4}},
        "service_cost": 2.5,
        "maintenance_cost": 0.8,
        "loyalty_cost": 0.2,
        "campaigns_per_year": 3.0,
        "contact_cost": {"by": "segment", "rates": {"North": 0.10, "South & East": 0.15}},
        "referrals_per_year": 0.05,
        "referral_value": 9.0,
        "acquisition_cost": {"by": "channel", "rates": {"shop": 4.0, "web": 9.0}},
        "lines": [
            {
                "name": "gift",
                "driver": "orders",
                "rate": {"by": "segment", "rates": {"North": 0.4, "South & East": 0.2}},
            },
            {
                "name": "partner_income",
                "driver": "sales",
                "rate": {"column": "returned", "factor": 0.1},
                "group": "benefit",
                "labels": {"en": "=Partners", "de": "=Partnererlöse"},
            },
            {"name": "club", "driver": "living years", "rate": 0.3, "group": "attributed"},
        ],
        "growth": 0.01,
        "tax": 0.2,
        "year": "52 weeks",
        "horizon": "12 years",
        "currency": "EUR",
    }
)
"""Every built-in line and three more, with rates for all, by two kinds of segment, by customer, and their products."""


def shifted_log() -> pd.DataFrame:
    """Return the CDNOW sample with customers who begin in four quarters, two segments, two channels, and returns."""
    log = clv.datasets.load_cdnow(sample=True)
    number = log["customer_id"].astype(int).to_numpy()
    return log.assign(
        date=pd.to_datetime(log["date"]) + pd.to_timedelta((number % 5) * 60, unit="D"),
        segment=np.where(number % 3 == 0, "South & East", "North"),
        channel=np.where(number % 7 < 3, "shop", "web"),
        returned=(number % 11) / 50.0,
    )


def histories(end: str) -> clv.Histories:
    return clv.rfm_summary(
        shifted_log(),
        value="amount",
        unit="week",
        resolution="day",
        observation_end=end,
        attributes=["segment", "channel", "returned"],
    )


@pytest.fixture(scope="module", autouse=True)
def few_rows() -> Iterator[None]:
    """Let the sheet of customers be short, so that LibreOffice is quick; all are in the total."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(customers_sheet, "MOST", 120)
        yield


@pytest.fixture(scope="module")
def customers() -> tuple[clv.Histories, ...]:
    return tuple(map(histories, CLOSINGS))


def report_of(books: tuple[Book, ...], by: str | None = "segment") -> EquityReport:
    last = books[-1]
    return EquityReport(
        source="cdnow & <others>",
        closings=tuple(str(book.histories.observation_end.date()) for book in books if book.histories.observation_end),
        books=books,
        movements=tuple(movement(*pair) for pair in pairwise(books)),
        by=by,
        reconciliation=reconciliation(last.histories),
        contributed=contribution(last),
        notes=("'segment' is not the same in all rows of 12 customers: the first is kept",),
        audit={"versions": {"clvmodels": "0"}, "seeds": [1]},
        created="2026-01-05T10:00:00+00:00",
    )


def reported(customers: tuple[clv.Histories, ...], terms: clv.Assumptions) -> EquityReport:
    *before, last = customers
    earlier = [clv.value(ORDERS, SPEND, one, terms.replace({"order_cost": 2.0})) for one in before]
    return report_of((*earlier, clv.value(LATER_ORDERS, LATER_SPEND, last, terms)))


@pytest.fixture(scope="module")
def plain(customers: tuple[clv.Histories, ...]) -> EquityReport:
    return reported((customers[0], customers[2]), ONE_RATE_EACH)


@pytest.fixture(scope="module")
def rich(customers: tuple[clv.Histories, ...]) -> EquityReport:
    return reported(customers, MANY_RATES)


@pytest.fixture(scope="module")
def alone(customers: tuple[clv.Histories, ...]) -> EquityReport:
    """One closing, no segments, rates by segment all the same, and draws."""
    draws: dict[str, Any] = {"r": np.array([[0.54, 0.55, 0.56]]), "alpha": 10.578, "s": 0.606, "beta": 11.669}
    orders = clv.ParetoNBD().from_params(draws, unit="week")
    return report_of((clv.value(orders, SPEND, customers[0], MANY_RATES),), by=None)


@dataclass(frozen=True)
class Sheets:
    """What a workbook holds: formulas as text, and values."""

    formulas: Any
    shown: Any

    @classmethod
    def read(cls, path: Path) -> Sheets:
        return cls(openpyxl.load_workbook(path), openpyxl.load_workbook(path, data_only=True))

    def row(self, sheet: str, name: str, column: int = 0) -> int:
        """Return the row (from 1) whose cell in a column (from 0) is a text."""
        found = [
            number
            for number, (one,) in enumerate(
                self.shown[sheet].iter_rows(min_col=column + 1, max_col=column + 1, values_only=True), start=1
            )
            if one == name
        ]
        assert found, f"{name!r} is not on {sheet!r}"
        return found[0]

    def value(self, sheet: str, name: str, column: int) -> Any:
        return self.shown[sheet].cell(self.row(sheet, name), column + 1).value

    def formula(self, sheet: str, name: str, column: int) -> Any:
        return self.formulas[sheet].cell(self.row(sheet, name), column + 1).value


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workbook")


@pytest.fixture(scope="module")
def written(plain: EquityReport, rich: EquityReport, alone: EquityReport, folder: Path) -> Mapping[str, Path]:
    paths = {name: folder / f"{name}.xlsx" for name in LANGUAGES}
    for name, report in (("plain", plain), ("rich", rich), ("alone", alone)):
        write_workbook(report, paths[name], LANGUAGES[name])
    return paths


@pytest.fixture(scope="module")
def sheets(written: Mapping[str, Path]) -> Mapping[str, Sheets]:
    return {name: Sheets.read(path) for name, path in written.items()}


# ------------------------------------------------------------------------------------------------ what is written


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_sheets_are_named_in_the_language(sheets: Mapping[str, Sheets], name: str) -> None:
    assert sheets[name].shown.sheetnames == [label(key, LANGUAGES[name]) for key in SHEETS]


def test_nothing_is_left_without_a_label(sheets: Mapping[str, Sheets]) -> None:
    keys = re.compile(r"[a-z]+(_[a-z0-9]+)+")
    for sheet in sheets["rich"].shown:
        columns = range(1, 6) if sheet.title == label("assumptions", "de") else range(1, sheet.max_column + 1)
        texts = [sheet.cell(row, column).value for row in range(1, sheet.max_row + 1) for column in columns]
        assert not [text for text in texts if isinstance(text, str) and keys.fullmatch(text)]


def test_the_statement_is_that_of_the_book(sheets: Mapping[str, Sheets], plain: EquityReport) -> None:
    truth = plain.book.statement("segment")
    found = sheets["plain"]
    for name in truth.columns:
        row = [found.value("Statement", label(str(name), "en"), column) for column in (5, 6, 3)]
        np.testing.assert_allclose(row, truth[name], rtol=1e-12, err_msg=str(name))


def test_lines_are_amounts_times_cells_of_the_assumptions(sheets: Mapping[str, Sheets]) -> None:
    found = sheets["plain"]
    margin = found.row("Assumptions", "margin", 5)
    line, sales = found.row("Statement", "Contribution margin"), found.row("Statement", "Discounted sales")
    equity, tax = found.row("Statement", "Equity"), found.row("Statement", "Tax")
    assert found.formula("Statement", "Contribution margin", 2) == f"='Assumptions'!$C${margin}"
    assert found.formula("Statement", "Contribution margin", 5) == f"=F${sales}*$C{line}"
    assert found.formula("Statement", "Contribution margin", 3) == f"=SUM(F{line}:G{line})"
    assert found.formula("Statement", "Equity", 5) == f"=SUM(F{line}:F{tax})"
    assert tax == equity - 1
    assert found.formula("Statement", "Per customer", 3).startswith(f"=IFERROR(D{equity}/D")
    assert found.formula("Summary", "Equity", 1) == f"='Statement'!$D${equity}"
    assert isinstance(found.formula("Statement", "Discounted sales", 5), float)


@pytest.mark.parametrize("rate", [0.7, {"by": "channel", "rates": {"shop": 0.7, "web": 0.2}}, {"column": "returned"}])
def test_a_line_of_one_s_own_has_the_cells_of_a_built_in_one(
    rate: Any, customers: tuple[clv.Histories, ...], tmp_path: Path
) -> None:
    gift = {"name": "gift", "driver": "orders", "rate": rate, "labels": {"en": "Gifts", "de": "Geschenke"}}
    found = []
    for name, changes in {"own": {"lines": [gift]}, "built-in": {"order_cost": rate}}.items():
        terms = ONE_RATE_EACH.replace(changes)
        write_workbook(report_of((clv.value(ORDERS, SPEND, customers[0], terms),)), tmp_path / f"{name}.xlsx", "en")
        found.append(Sheets.read(tmp_path / f"{name}.xlsx"))
    for sheet, columns in {"Statement": (3, 5, 6), "Cohorts": (3, 5, 6, 7), "Contribution to date": (1, 2, 3)}.items():
        values = [
            [one.value(sheet, line, column) for column in columns]
            for one, line in zip(found, ("Gifts", "Order handling"), strict=True)
        ]
        np.testing.assert_allclose(*values, rtol=1e-12)
    assert found[0].value("Summary", "Equity", 1) == pytest.approx(found[1].value("Summary", "Equity", 1), rel=1e-12)
    formula = found[0].formula("Statement", "Gifts", 5)
    if not isinstance(rate, float):
        assert f"'Assumptions'!$C${found[0].row('Assumptions', 'gift', 5)}" in formula
    assert found[0].value("Sensitivities", "Gifts", 1) == pytest.approx(
        found[1].value("Sensitivities", "Order handling", 1), rel=1e-12
    )
    heads = [one.value for row in found[0].shown["Customers"].iter_rows(max_row=12) for one in row]
    assert "Gifts" in heads


def test_every_assumption_is_on_its_sheet(sheets: Mapping[str, Sheets], rich: EquityReport) -> None:
    sheet = sheets["rich"].shown["Annahmen"]
    rows = [[one.value for one in row[:6]] for row in sheet.iter_rows(min_row=5, max_row=sheet.max_row)]
    stated = rich.book.assumptions.to_dict()
    own = [line.name for line in rich.book.assumptions.lines]
    assert {row[5] for row in rows if row[5]} == {*stated, *own} - {"lines"}
    by_name = {name: [row for row in rows if row[5] == name] for name in stated}
    assert [(row[1], row[2]) for row in by_name["margin"]] == [
        ("segment = North", 0.35),
        ("segment = South & East", 0.25),
        ("segment = nobody", 0.9),
    ]
    assert [(row[1], row[2]) for row in by_name["discount_rate"]] == [("Jahr 1", 0.15), ("Jahr 2 und danach", 0.12)]
    assert [(row[1], row[2]) for row in by_name["return_share"]] == [("je Kunde: Spalte returned mal", 0.5)]
    assert by_name["order_cost"][0][2] == 1.5
    gifts = [row for row in rows if row[5] == "gift"]
    assert [(row[0], row[1], row[2], row[3], row[4]) for row in gifts] == [
        ("Gift", "segment = North", 0.4, "je Bestellung", "änderbar"),
        ("Gift", "segment = South & East", 0.2, "je Bestellung", "änderbar"),
    ]
    found = sheets["rich"]
    cells = (
        found.shown["Annahmen"].cell(found.row("Annahmen", key, 5), 3) for key in ("return_share", "payment_share")
    )
    assert ["%" in one.number_format for one in cells] == [False, True]  # the factor of a column is no share
    assert by_name["horizon"][0][2] == "12 Jahre"
    assert {row[4] for row in by_name["horizon"] + by_name["discount_rate"]} == {"braucht neuen Bericht"}


@pytest.mark.parametrize(("columns", "area"), [(12, "'one'!$A$1:$L$9"), (20, "'one'!$A$5:$T$9")])
def test_on_several_pages_texts_above_the_table_are_not_printed(tmp_path: Path, columns: int, area: str) -> None:
    """The first column stands on each of them, and would cut these texts off."""
    workbook = xlsxwriter.Workbook(tmp_path / "page.xlsx")
    page = Page(workbook, "one", Styles(workbook, 0))
    page.title("A title", "a line below it that is long")
    page.note("A remark that is longer than the first column is wide")
    page.row += 1
    page.header([f"column {number}" for number in range(columns)])
    page.line([1.0] * columns, [Look("money")] * columns)
    page.row += 1
    page.finish("left", "right", "below")
    workbook.close()
    sheet = openpyxl.load_workbook(tmp_path / "page.xlsx")["one"]
    assert sheet.print_area == area
    assert (sheet.print_title_cols == "$A:$A") == (columns == 20)


def test_the_movement_adds_up_in_formulas(sheets: Mapping[str, Sheets], plain: EquityReport) -> None:
    found, (truth,) = sheets["plain"], plain.movements
    names = {
        key: key if key in ("opening", "expected_closing", "closing") else f"movement_{key}"
        for key in truth.table.index
    }
    for key, name in names.items():
        assert found.value("Movement", label(name, "en"), 1) == pytest.approx(
            truth.table["value"][key], rel=1e-12, abs=1e-9
        )
    first, middle, last = (found.row("Movement", name) for name in ("Opening", "Expected closing", "Closing"))
    assert found.formula("Movement", "Expected closing", 1) == f"=SUM(B{first}:B{middle - 1})"
    assert found.formula("Movement", "Closing", 1) == f"=SUM(B{middle}:B{last - 1})"
    assert found.value("Movement", "Closing less statement", 1) == "OK"
    assert found.value("Movement", "Memo: realised margin", 1) == pytest.approx(truth.realised_margin)
    assert found.value("Movement", "New customers", 1) > 0.0


def test_three_closings_have_two_movements_side_by_side(sheets: Mapping[str, Sheets], rich: EquityReport) -> None:
    found, sheet = sheets["rich"], label("movement", "de")
    for number, one in enumerate(rich.movements):
        column = 1 + 2 * number
        ends = [found.value(sheet, label(key, "de"), column) for key in ("opening", "expected_closing", "closing")]
        assert ends == pytest.approx([one.opening.equity, one.expected_closing, one.closing.equity], rel=1e-12)
        assert found.value(sheet, label("movement_check", "de"), column) == "OK"
        assert found.value(sheet, label("expected_margin", "de"), column) == pytest.approx(one.expected_margin)
    opening = found.row(sheet, label("opening", "de"))
    assert f"-D{opening}" in found.formula(sheet, label("movement_check", "de"), 1)
    assert "!" in found.formula(sheet, label("movement_check", "de"), 3)


def test_one_closing_has_no_movement(sheets: Mapping[str, Sheets], alone: EquityReport) -> None:
    found = sheets["alone"]
    assert found.row("Movement", "A movement needs two closings.") == 4
    interval = alone.book.interval(0.9)
    assert found.value("Statement", "5 % quantile", 3) == pytest.approx(interval.low, rel=1e-12)
    assert found.value("Statement", "95 % quantile", 3) == pytest.approx(interval.high, rel=1e-12)
    assert found.value("Statement", "Equity", 3) == pytest.approx(alone.book.equity, rel=1e-12)
    assert found.value("Contribution to date", "Sales", 1) == pytest.approx(alone.contribution.loc["sales", "total"])
    assert found.shown["Customers"].cell(found.row("Customers", "Customer"), 20).value is not None


def test_all_checks_are_good(sheets: Mapping[str, Sheets]) -> None:
    for name, language in LANGUAGES.items():
        found, summary = sheets[name], label("summary", language)
        first = found.row(summary, label("checks", language))
        rows = [
            [found.shown[summary].cell(row, column).value for column in (1, 2)] for row in range(first + 1, first + 6)
        ]
        keys = ["cohorts", "contribution", "reconciliation", "customers"]
        keys = keys if name == "alone" else ["movement", *keys]
        assert [row for row in rows if row[0] is not None] == [[label(key, language), "OK"] for key in keys]


def test_the_cohorts_are_quarters_of_the_first_purchase(plain: EquityReport) -> None:
    """Against the dates of the log."""
    groups = cohorts_of(plain)
    first = shifted_log().groupby("customer_id")["date"].min()
    truth = (first.dt.year.astype(str) + "-Q" + first.dt.quarter.astype(str)).loc[plain.book.histories.customer_id]
    assert [groups.names[code] for code in groups.codes] == truth.tolist()
    assert list(groups.names) == sorted(set(truth))
    assert len(groups.names) > 2


@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_cohorts_of_exact_times_are_those_of_the_calendar(plain: EquityReport, zone: str | None) -> None:
    """A midnight at the turn of the year belongs to the new one, wherever the clock stands."""
    times = ["2023-12-31 23:30", "2024-01-01 00:00", "2024-03-31 22:00", "2024-04-01 00:30"]
    log = pd.DataFrame({"customer_id": [1, 2, 3, 4], "time": pd.to_datetime(times), "value": 10.0})
    if zone is not None:
        log["time"] = log["time"].dt.tz_localize(zone)
    rfm = clv.rfm_summary(log, time="time", value="value", unit="week", observation_end="2024-06-30")
    report = replace(plain, books=(clv.value(ORDERS, SPEND, rfm, ONE_RATE_EACH),))
    assert cohorts_of(report).names == ("2023-Q4", "2024-Q1", "2024-Q2")
    assert cohorts_of(report).codes.tolist() == [0, 1, 1, 2]


def test_without_an_end_of_observation_cohorts_are_counted_from_the_closing() -> None:
    table = pd.DataFrame({"customer_id": [1, 2, 3], "frequency": [0, 0, 0], "recency": [0, 0, 0], "T": [90, 91, 0]})
    book = clv.value(ORDERS, SPEND, clv.Histories.from_frame(table, unit="day").in_unit("week"), ONE_RATE_EACH)
    empty = pd.DataFrame()
    report = EquityReport("", ("2024-06-30",), (book,), (), None, empty, empty, (), {}, "2024-07-01")
    assert cohorts_of(report).names == ("2024-Q1", "2024-Q2")
    assert cohorts_of(report).codes.tolist() == [1, 0, 1]


def test_concentration_is_that_of_the_book(sheets: Mapping[str, Sheets], plain: EquityReport) -> None:
    found, book = sheets["plain"], plain.book
    spend = book.histories.frequency * np.nan_to_num(book.histories.monetary_value)
    row = next(r for r in range(1, 20) if found.shown["Concentration"].cell(r, 1).value == 0.2)
    values = [found.shown["Concentration"].cell(row, column).value for column in range(1, 7)]
    truth = [0.2, round(0.2 * len(book.rlv)), top_share(book.rlv, 0.2) * book.equity, top_share(book.rlv, 0.2)]
    assert values == pytest.approx([*truth, top_share(spend, 0.2), top_share(book.rlv, 0.2, by=spend)])
    assert found.value("Concentration", "Gini index of equity", 3) == pytest.approx(gini(book.rlv))
    last = found.shown["Concentration"].max_row
    assert [found.shown["Concentration"].cell(last, column).value for column in range(1, 6)] == pytest.approx(
        [1.0, book.equity, 1.0, 1.0, 1.0]
    )


def test_equity_below_zero_has_no_shares(customers: tuple[clv.Histories, ...], tmp_path: Path) -> None:
    book = clv.value(ORDERS, SPEND, customers[0], ONE_RATE_EACH.replace({"maintenance_cost": 50.0}))
    write_workbook(report_of((book,), by=None), tmp_path / "equity.xlsx", "en")
    found = Sheets.read(tmp_path / "equity.xlsx")
    assert found.shown["Concentration"].cell(4, 1).value == label("no_concentration", "en")
    assert found.value("Statement", "Equity", 3) == pytest.approx(book.equity)


@pytest.mark.parametrize("name", ["plain", "rich"])
def test_sensitivities_are_those_of_full_valuations(
    request: pytest.FixtureRequest, sheets: Mapping[str, Sheets], name: str
) -> None:
    book, language, found = request.getfixturevalue(name).book, LANGUAGES[name], sheets[name]
    sheet = label("sensitivities", language)
    for assumption, row in tornado(book, by=0.1).iterrows():
        named = Locale.of(book.assumptions, language).named(str(assumption))
        ends = [found.value(sheet, named, column) for column in (1, 2)]
        assert ends == pytest.approx([row["low"], row["high"]], rel=1e-12)
    last = found.shown[sheet].max_row
    cells = [[found.shown[sheet].cell(last - row, column).value for column in range(2, 7)] for row in range(5)]
    steps, rates = (0.8, 0.9, 1.0, 1.1, 1.2), book.assumptions.discount_rates
    truth = [
        [
            book.with_assumptions(
                book.assumptions.replace(
                    {
                        "margin": _times(book.assumptions.margin, step),
                        "discount_rate": tuple(other * rate for rate in rates),
                    }
                )
            ).equity
            for other in steps
        ]
        for step in reversed(steps)
    ]
    np.testing.assert_allclose(cells, truth, rtol=1e-10)


def test_the_two_way_table_is_that_of_scenarios(sheets: Mapping[str, Sheets], plain: EquityReport) -> None:
    sheet = sheets["plain"].shown["Sensitivities"]
    rows = range(sheet.max_row - 4, sheet.max_row + 1)
    margins = [sheet.cell(row, 1).value for row in rows]
    rates = [
        sheet.cell(sheets["plain"].row("Sensitivities", "At a margin of 100 %, after tax") - 1, c).value
        for c in range(2, 7)
    ]
    truth = two_way(plain.book, ("margin", margins), ("discount_rate", rates))
    cells = [[sheet.cell(row, column).value for column in range(2, 7)] for row in rows]
    np.testing.assert_allclose(cells, truth, rtol=1e-10)
    assert (margins[2], rates[2]) == (0.30, 0.15)


def _times(margin: Any, step: float) -> Any:
    """Return a margin times a step; that of a segment without customers is kept below one."""
    if isinstance(margin, BySegment):
        return BySegment(margin.by, {name: min(step * rate, 1.0) for name, rate in margin.rates.items()})
    return step * margin


def test_segments_beyond_the_largest_are_one(
    customers: tuple[clv.Histories, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document, "MOST_SEGMENTS", 4)
    draws: dict[str, Any] = {"r": np.array([[0.54, 0.55, 0.56]]), "alpha": 10.578, "s": 0.606, "beta": 11.669}
    orders = clv.ParetoNBD().from_params(draws, unit="week")
    report = report_of((clv.value(orders, SPEND, customers[0], ONE_RATE_EACH),), by="returned")
    write_workbook(report, tmp_path / "equity.xlsx", "en")
    found, truth = Sheets.read(tmp_path / "equity.xlsx"), report.book.statement("returned")
    largest = truth["equity"][:-1].sort_values(ascending=False)[:3].sort_index()
    heads = [found.shown["Statement"].cell(4, column).value for column in range(6, 10)]
    assert heads == [*map(str, largest.index), "All others"]
    for name in ("equity", "low", "high"):
        row = [found.value("Statement", label(name, "en"), column) for column in range(5, 8)]
        assert row == pytest.approx(truth.loc[largest.index, name].tolist(), rel=1e-12)
    assert found.value("Statement", "Equity", 8) == pytest.approx(report.book.equity - largest.sum(), rel=1e-12)
    assert found.value("Statement", "5 % quantile", 8) == "–"
    assert found.value("Statement", "5 % quantile", 3) == pytest.approx(truth["low"]["total"], rel=1e-12)
    sales = report.contribution.loc["sales"]
    others = sales["total"] - sales[largest.index].sum()
    assert found.value("Contribution to date", "Sales", 5) == pytest.approx(others, rel=1e-12)
    assert found.value("Contribution to date", "Residual value less statement", 1) == "OK"


@pytest.mark.parametrize(
    "segments", [("All others", "Web"), tuple(pd.to_datetime(["2024-01-01", "2024-02-01"]))], ids=["others", "days"]
)
def test_segments_may_be_called_as_they_like(
    customers: tuple[clv.Histories, ...], tmp_path: Path, segments: tuple[Any, ...]
) -> None:
    draws: dict[str, Any] = {"r": np.array([[0.54, 0.55, 0.56]]), "alpha": 10.578, "s": 0.606, "beta": 11.669}
    some = pd.Series(segments)[np.arange(len(customers[0])) % 2].set_axis(customers[0].customer_id)
    histories = customers[0].with_attributes(pd.DataFrame({"some": some}))
    orders = clv.ParetoNBD().from_params(draws, unit="week")
    report = report_of((clv.value(orders, SPEND, histories, ONE_RATE_EACH),), by="some")
    write_workbook(report, tmp_path / "equity.xlsx", "en")
    found, truth = Sheets.read(tmp_path / "equity.xlsx"), report.book.statement("some")
    for name in ("equity", "low", "high"):
        row = [found.value("Statement", label(name, "en"), column) for column in (5, 6, 3)]
        np.testing.assert_allclose(row, truth[name], rtol=1e-12)
    sales = [found.value("Contribution to date", "Sales", column) for column in (2, 3, 1)]
    np.testing.assert_allclose(sales, report.contribution.loc["sales"], rtol=1e-12)


# ------------------------------------------------------------------------------------------------------ customers


def test_customers_beyond_the_largest_are_one_line(plain: EquityReport, tmp_path: Path) -> None:
    write_workbook(plain, tmp_path / "equity.xlsx", "de")
    found, rlv = Sheets.read(tmp_path / "equity.xlsx"), plain.book.customers["rlv"]
    sheet = found.shown["Kunden"]
    head = found.row("Kunden", "Kunde")
    column = [one.value for one in sheet[head]].index("Restkundenwert") + 1
    shown = pd.Series(
        [sheet.cell(row, column).value for row in range(head + 1, sheet.max_row + 1)],
        [sheet.cell(row, 1).value for row in range(head + 1, sheet.max_row + 1)],
    )
    assert len(shown) == 120
    pd.testing.assert_series_equal(shown, rlv.sort_values(ascending=False)[:120], check_names=False)
    rest = sheet.cell(found.row("Kunden", "Nicht gezeigte Kunden"), column).value
    assert rest == pytest.approx(rlv.sum() - shown.sum(), rel=1e-12)
    assert sheet.cell(found.row("Kunden", "Summe"), column).value == pytest.approx(plain.book.equity, rel=1e-12)
    assert sheet.cell(found.row("Kunden", "Probe"), column).value == "OK"
    assert "120 von 2.357" in sheet.cell(4, 1).value


@pytest.mark.parametrize(
    ("ids", "shown"),
    [
        ([10, 11, 12], [10, 11, 12]),
        ([10**17, 1, 2], ["100000000000000000", "1", "2"]),
        (["<a> & b", "=1+1", "c\x00 "], ["<a> & b", "=1+1", "c "]),
        (["0010", "0011", "0012"], ["0010", "0011", "0012"]),
    ],
)  # fmt: skip
def test_ids_are_what_they_were(ids: Any, shown: list[object], tmp_path: Path, plain: EquityReport) -> None:
    table = pd.DataFrame({"customer_id": ids, "frequency": [3, 2, 1], "recency": [30.0] * 3, "T": [39.0] * 3})
    book = clv.value(
        ORDERS, SPEND, clv.Histories.from_frame(table.assign(monetary_value=20.0), unit="week"), ONE_RATE_EACH
    )
    report = replace(
        plain, books=(book,), closings=("2024-09-30",), movements=(), by=None, contributed=contribution(book)
    )
    write_workbook(report, tmp_path / "equity.xlsx", "en")
    found = Sheets.read(tmp_path / "equity.xlsx")
    head = found.row("Customers", "Customer")
    cells = [found.formulas["Customers"].cell(head + k, 1) for k in (1, 2, 3)]
    assert [one.value for one in cells] == shown
    assert {one.data_type for one in cells} == ({"n"} if isinstance(shown[0], int) else {"s"})


def test_what_is_no_finite_number_leaves_its_cell_empty() -> None:
    cells = customers_sheet._cells("C", "7", [1.5, float("nan"), float("inf"), -2.0], 5)
    assert cells == [
        '<c r="C5" s="7"><v>1.5</v></c>',
        '<c r="C6" s="7"/>',
        '<c r="C7" s="7"/>',
        '<c r="C8" s="7"><v>-2.0</v></c>',
    ]


def test_a_million_customers_take_seconds(customers: tuple[clv.Histories, ...], tmp_path: Path) -> None:
    one, times = customers[2], 425
    many = clv.Histories.of_arrays(
        pd.RangeIndex(len(one) * times),
        {name: np.tile(one.statistic(name), times) for name in ("x", "t_x", "T", "mean")},
        unit=one.unit,
        attributes=pd.concat([one.attributes] * times, ignore_index=True),
    )
    many = replace(many, observation_end=one.observation_end, report=one.report)
    book = clv.value(ORDERS, SPEND, many, ONE_RATE_EACH.replace({"order_cost": 1.0, "maintenance_cost": 0.5}))
    report = report_of((book,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(customers_sheet, "MOST", 50_000)
        start = time.process_time()
        write_workbook(report, tmp_path / "equity.xlsx", "en")
        spent = time.process_time() - start
    assert len(many) > 1_000_000
    assert spent < 10.0


# ------------------------------------------------------------------------------------------------------- formulas


def example() -> Book:
    """Return a valuation of 4,000 customers with 150 segments and every rate stated."""
    rng = np.random.default_rng(1)
    n = 4_000
    x = rng.integers(0, 9, n)
    table = pd.DataFrame({"customer_id": np.arange(n), "frequency": x, "T": 39.0, "returned": rng.uniform(0, 0.3, n)})
    table["recency"] = np.where(x > 0, rng.uniform(1, 38, n), 0.0)
    table["monetary_value"] = np.where(x > 0, rng.gamma(3, 10, n), np.nan)
    table["segment"] = rng.choice(["North", "South & East"], n)
    table["channel"] = rng.choice(["shop", "web"], n)
    table["many"] = rng.integers(0, 150, n).astype(str)
    return clv.value(ORDERS, SPEND, clv.Histories.from_frame(table, unit="week"), MANY_RATES)


def total(book: Book, name: str, groups: Groups) -> Any:
    """Return a line by group, as the formulas have it."""
    stated: dict[tuple[str, str], float] = {}
    for key, rate in book.assumptions.rates.items():
        if isinstance(rate, BySegment):
            stated |= {(key, segment): number for segment, number in rate.rates.items()}
        else:
            stated[key, ""] = getattr(rate, "factor", rate)
    sign, terms = sums_of(book.assumptions)[name]
    whole = np.zeros(len(groups.names))
    for term in terms:
        for part in parts(book, term, groups):
            whole += part.amounts * [np.prod([stated[key] for key in cells]) for cells in part.cells]
    return sign * whole


@pytest.mark.parametrize("by", ["segment", "channel", "many", None])
def test_the_formulas_are_those_of_the_lines(by: str | None) -> None:
    """Whatever groups the statement has, amounts times cells are the lines of the valuation."""
    book = example()
    assert [line.name for line in book.lines][:-1] == [
        name for name in sums_of(book.assumptions) if name != "acquisition_cost"
    ]
    groups = Groups.whole(len(book.histories)) if by is None else Groups.of(book.histories.attributes[by])
    for line in book.lines[:-1]:
        truth = groups.sum(line.value(book.future))
        np.testing.assert_allclose(total(book, line.name, groups), truth, rtol=1e-12, err_msg=line.name)
    np.testing.assert_allclose(total(book, "acquisition_cost", groups), groups.sum(book.acquisition_cost), rtol=1e-12)


def test_a_cell_stays_a_cell_where_the_groups_allow_it() -> None:
    book = example()
    margin = sums_of(book.assumptions)["contribution_margin"].terms[0]
    own, other = (Groups.of(book.histories.attributes[name]) for name in ("segment", "channel"))
    (one,) = parts(book, margin, own)
    assert one.plain
    assert one.cells == ((("margin", "North"),), (("margin", "South & East"),))
    first, second = parts(book, margin, other)
    assert (first.only, second.only) == ("segment = North", "segment = South & East")
    assert first.cells == ((("margin", "North"),),) * 2
    (write_down,) = parts(book, sums_of(book.assumptions)["returned_goods"].terms[0], other)
    assert write_down.within == ("returned",)
    assert write_down.cells[0] == (("return_share", ""), ("write_down", "shop"))


def test_rates_by_very_many_segments_become_part_of_the_amounts() -> None:
    book = example()
    rates = {str(number): 0.2 + number / 1000 for number in range(150)}
    book = book.with_assumptions(book.assumptions.replace({"margin": {"by": "many", "rates": rates}}))
    groups = Groups.of(book.histories.attributes["segment"])
    (part,) = parts(book, sums_of(book.assumptions)["contribution_margin"].terms[0], groups)
    assert part.within == ("margin",)
    assert part.cells == ((), ())
    np.testing.assert_allclose(part.amounts, groups.sum(book.lines[0].value(book.future)), rtol=1e-12)


@pytest.mark.parametrize("column", [0, 25, 26, 701, 702, 16_383])
def test_cells_are_named_as_excel_does(column: int) -> None:
    assert cell(6, column) == f"{openpyxl.utils.get_column_letter(column + 1)}7"


def test_what_is_summed_is_summed_once(plain: EquityReport) -> None:
    columns = by_customer(plain.book)
    groups = Groups.of(plain.book.histories.attributes["segment"])
    truth = plain.book.statement("segment")
    np.testing.assert_allclose(groups.sum(columns["equity"]), truth["equity"][:-1])
    np.testing.assert_allclose(groups.sum(columns["within_5"]), (truth["share_5"] * truth["equity"])[:-1])


# ---------------------------------------------------------------------------------------------------- same again


def test_the_same_report_gives_the_same_bytes(
    plain: EquityReport, written: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 2e9)
    write_workbook(plain, tmp_path / "again.xlsx", "en")
    assert (tmp_path / "again.xlsx").read_bytes() == written["plain"].read_bytes()


def test_only_the_time_differs_at_another_time(
    plain: EquityReport, written: Mapping[str, Path], tmp_path: Path
) -> None:
    write_workbook(replace(plain, created="2027-02-03T04:05:06+02:00"), tmp_path / "later.xlsx", "en")
    with ZipFile(written["plain"]) as one, ZipFile(tmp_path / "later.xlsx") as other:
        assert one.namelist() == other.namelist()
        differ = [name for name in one.namelist() if one.read(name) != other.read(name)]
        assert differ == ["xl/sharedStrings.xml", "docProps/core.xml"]
        assert b"2027-02-03T02:05:06Z" in other.read("docProps/core.xml")
        strings = [archive.read("xl/sharedStrings.xml").decode() for archive in (one, other)]
    assert strings[0].replace("2026-01-05T10:00:00+00:00", "2027-02-03T04:05:06+02:00") == strings[1]


# ---------------------------------------------------------------------------------------------------- recalculated


@dataclass(frozen=True)
class Change:
    """An assumption changed in the workbook, and the same change of the valuation."""

    report: str
    key: str
    whom: str | None
    value: float
    terms: Callable[[clv.Assumptions], Mapping[str, Any]]


CHANGES = {
    "margin": Change("plain", "margin", None, 0.25, lambda _: {"margin": 0.25}),
    "a cost that was zero": Change("plain", "order_cost", None, 2.25, lambda _: {"order_cost": 2.25}),
    "tax": Change("plain", "tax", None, 0.4, lambda _: {"tax": 0.4}),
    "margin of a segment": Change(
        "rich", "margin", "segment = North", 0.3, lambda terms: {"margin": _with(terms.margin, "North", 0.3)}
    ),
    "rate of a channel": Change(
        "rich", "write_down", "channel = web", 0.9, lambda terms: {"write_down": _with(terms.write_down, "web", 0.9)}
    ),
    "factor of a column": Change(
        "rich", "returns_per_order", None, 2.0, lambda _: {"returns_per_order": {"column": "returned", "factor": 2.0}}
    ),
    "rate of a line of one's own": Change(
        "rich", "gift", "segment = North", 1.5, lambda terms: {"gift": _with(terms.rates["gift"], "North", 1.5)}
    ),
    "factor of a line of one's own": Change(
        "rich", "partner_income", None, 0.4, lambda _: {"partner_income": {"column": "returned", "factor": 0.4}}
    ),
    "cost of a contact": Change("rich", "service_cost", None, 5.0, lambda _: {"service_cost": 5.0}),
}


def _with(rate: Any, segment: str, number: float) -> BySegment:
    return BySegment(rate.by, {**rate.rates, segment: number})


def changed(path: Path, change: Change, language: Language, folder: Path) -> Path:
    """Return a copy of a workbook with one assumption changed, as a user would."""
    found = openpyxl.load_workbook(path)
    sheet = found[label("assumptions", language)]
    rows = [
        row
        for row in range(1, sheet.max_row + 1)
        if sheet.cell(row, 6).value == change.key and change.whom in (None, sheet.cell(row, 2).value)
    ]
    assert len(rows) == 1
    sheet.cell(rows[0], 3).value = change.value
    copy = folder / f"changed-{change.key}-{change.value}.xlsx"
    found.save(copy)
    return copy


@pytest.fixture(scope="module")
def recalculated(written: Mapping[str, Path], folder: Path) -> Mapping[str, Sheets]:
    """Return the workbooks, as they are and changed, after LibreOffice has calculated every formula again."""
    soffice = shutil.which("soffice") or shutil.which("libreoffice")
    if soffice is None:
        missing = "the formulas are tested in LibreOffice: apt-get install libreoffice-calc"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    paths = dict(written)
    for name, change in CHANGES.items():
        paths[name] = changed(written[change.report], change, LANGUAGES[change.report], folder)
    out, profile = folder / "out", folder / "profile"
    (profile / "user").mkdir(parents=True)
    (profile / "user" / "registrymodifications.xcu").write_text(ALWAYS_RECALCULATE, encoding="utf-8")
    command = [soffice, f"-env:UserInstallation={profile.as_uri()}", "--headless", "--convert-to", "xlsx"]
    subprocess.run([*command, "--outdir", out, *paths.values()], check=True, capture_output=True, timeout=300)
    return {name: Sheets.read(out / path.name) for name, path in paths.items()}


ALWAYS_RECALCULATE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load">
<prop oor:name="OOXMLRecalcMode"><value>0</value></prop>
</item>
</oor:items>
"""


@pytest.mark.parametrize("name", ["plain", "rich", "alone"])
def test_every_formula_recalculates_to_the_figure_of_python(
    sheets: Mapping[str, Sheets], recalculated: Mapping[str, Sheets], name: str
) -> None:
    found = sheets[name]
    formulas = 0
    for sheet in found.formulas:
        for row in sheet.iter_rows():
            for one in row:
                if one.data_type != "f":
                    continue
                formulas += 1
                said = found.shown[sheet.title][one.coordinate].value
                again = recalculated[name].shown[sheet.title][one.coordinate].value
                where = f"{sheet.title}!{one.coordinate} {one.value}"
                if isinstance(said, str):
                    assert again == said, where
                else:
                    assert again == pytest.approx(said, rel=1e-9, abs=1e-7), where
    assert formulas > 250


def test_recalculated_figures_are_those_of_the_book(recalculated: Mapping[str, Sheets], plain: EquityReport) -> None:
    found, truth = recalculated["plain"], plain.book.statement("segment")
    for name in ("equity", "per_customer"):
        row = [found.value("Statement", label(name, "en"), column) for column in (5, 6, 3)]
        assert row == pytest.approx(truth[name].tolist(), rel=1e-9)
    assert found.value("Movement", "Closing", 1) == pytest.approx(plain.book.equity, rel=1e-9)
    assert found.value("Summary", "Equity", 1) == pytest.approx(plain.book.equity, rel=1e-9)


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_assumption_moves_equity_as_a_new_valuation_does(
    request: pytest.FixtureRequest, recalculated: Mapping[str, Sheets], name: str
) -> None:
    change = CHANGES[name]
    book, language, found = request.getfixturevalue(change.report).book, LANGUAGES[change.report], recalculated[name]
    there = book.with_assumptions(book.assumptions.replace(change.terms(book.assumptions)))
    truth = there.statement("segment")

    def value(sheet: str, row: str, column: int) -> Any:
        return found.value(label(sheet, language), label(row, language), column)

    for key in ("equity", "per_customer"):
        row = [value("statement", key, column) for column in (5, 6, 3)]
        assert row == pytest.approx(truth[key].tolist(), rel=1e-9)
    assert value("cohorts", "equity", 3) == pytest.approx(there.equity, rel=1e-9)
    assert value("cohorts", "cohort_check", 3) == "OK"
    assert value("summary", "effect_of_changes", 1) == pytest.approx(there.equity - book.equity, rel=1e-9)
    last = 2 * len(request.getfixturevalue(change.report).movements) - 1
    assert value("movement", "movement_check", last) == pytest.approx(book.equity - there.equity, rel=1e-9)
