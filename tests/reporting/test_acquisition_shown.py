"""Segments that differ get parameters of their own; what new customers are worth stands wherever a report is shown."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import numpy as np
import openpyxl  # type: ignore[import-untyped]
import pandas as pd
import pytest
from rich.console import Console

import clvmodels as clv
from clvmodels.reporting import terminal
from clvmodels.reporting.acquisition_text import cell_text
from clvmodels.reporting.locale import Locale
from clvmodels.reporting.output import Report
from clvmodels.valuation.acquisition import acquisition_by

ASSUMPTIONS = clv.Assumptions(discount_rate=0.12, margin=0.3, acquisition_cost=4.0, currency="EUR")
FORMAT = clv.LogFormat(value="amount", resolution="day")
START = pd.Timestamp("2022-01-01")


def purchases(rates: dict[str, float], seed: int = 1) -> pd.DataFrame:
    """Return a log of 120 customers a region for two years; a region's customers buy so many times a year."""
    draw = np.random.default_rng(seed)
    rows = []
    for region, rate in rates.items():
        for customer in range(120):
            first, own = draw.uniform(0.0, 300.0), rate * draw.gamma(2.0, 0.5)
            days = first + np.cumsum(draw.exponential(365.0 / own, 200))
            leaves = first + draw.exponential(700.0)
            mean = draw.gamma(8.0, 5.0)
            bought = [first, *days[days < min(leaves, 730.0)]]
            values = draw.gamma(5.0, mean / 5.0, len(bought))
            times = START + pd.to_timedelta(bought, unit="D")
            rows += [(f"{region}{customer}", *order, region) for order in zip(times, values, strict=True)]
    return pd.DataFrame(rows, columns=["customer_id", "date", "amount", "region"]).round({"amount": 2})


def reported(log: pd.DataFrame) -> Report:
    return clv.report(
        log,
        log_format=FORMAT,
        assumptions=ASSUMPTIONS,
        closings=["2023-06-30", "2023-12-31"],
        by="region",
        models="bg_nbd",
        spend="gamma_gamma",
        draws=0,
        progress=False,
    )


@pytest.fixture(scope="module")
def unlike() -> Report:
    return reported(purchases({"north": 3.0, "south": 12.0}))


@pytest.fixture(scope="module")
def alike() -> Report:
    return reported(purchases({"north": 6.0, "south": 6.0}))


def shown(report: Report) -> str:
    console = Console(width=120, file=StringIO(), record=True)
    console.print(terminal.closing_report(report))
    return " ".join(console.export_text().split())


def test_segments_that_differ_have_parameters_of_their_own(unlike: Report) -> None:
    assert unlike.segments is not None
    assert unlike.segments.tests.orders.differ
    assert all(book.transactions.by == "region" for book in unlike.books)
    log_format, end = FORMAT, "2023-12-31"
    rfm = clv.rfm_summary(
        purchases({"north": 3.0, "south": 12.0}),
        value=log_format.value,
        unit=log_format.unit,
        resolution="day",
        observation_end=end,
        attributes=["region"],
    )
    spend_by = "region" if unlike.segments.tests.spend.differ else None
    by_hand = clv.value(
        clv.BGNBD().fit(rfm, by="region"), clv.GammaGamma().fit(rfm, by=spend_by), rfm, ASSUMPTIONS
    ).equity
    assert unlike.book.equity == pytest.approx(by_hand, rel=1e-9)
    pooled = clv.value(clv.BGNBD().fit(rfm), clv.GammaGamma().fit(rfm), rfm, ASSUMPTIONS).equity
    assert unlike.segments.pooled == pytest.approx(pooled, rel=1e-9)


def test_segments_that_do_not_differ_share_their_parameters(alike: Report) -> None:
    assert alike.segments is not None
    assert not alike.segments.tests.orders.differ
    assert alike.book.transactions.by is None
    assert alike.segments.pooled == alike.book.equity
    assert "Nothing says that segments by region differ" in shown(alike)


def test_the_table_stands_on_page_and_terminal(unlike: Report, tmp_path: Path) -> None:
    table, locale = unlike.acquisition["region"], Locale("de", "EUR")
    pd.testing.assert_frame_equal(table, acquisition_by(unlike.book, "region", unlike.contributed))
    unlike.write(tmp_path / "report", language="de")
    page = (tmp_path / "report" / "equity.html").read_text(encoding="utf-8")
    assert 'id="acquisition"' in page
    assert "Segmente nach region unterscheiden sich" in page
    for value in table["ceiling"]:
        assert cell_text("unit", value, locale) in page
    text = shown(unlike)
    assert "Segments by region differ" in text
    assert f"{table.loc['south', 'ceiling']:,.2f}" in text


def test_the_table_stands_in_workbook_and_audit_trail(unlike: Report, tmp_path: Path) -> None:
    unlike.write(tmp_path / "report")
    sheet = openpyxl.load_workbook(tmp_path / "report" / "equity.xlsx")["Summary"]
    rows = {row[0]: row[1:] for row in sheet.iter_rows(values_only=True)}
    table = unlike.acquisition["region"]
    assert rows["south"][2] == pytest.approx(table.loc["south", "ceiling"])
    audit = json.loads((tmp_path / "report" / "audit.json").read_text(encoding="utf-8"))
    assert audit["acquisition"]["region"]["north"]["ltv_to_cac"] == pytest.approx(table.loc["north", "ltv_to_cac"])
    assert audit["segments"]["orders"]["differ"] is True
    assert audit["segments"]["equity_of_one_population"] == pytest.approx(unlike.segments.pooled)  # type: ignore[union-attr]


def test_a_report_without_segments_has_no_such_table(tmp_path: Path) -> None:
    report = clv.report(
        purchases({"north": 4.0}),
        log_format=FORMAT,
        assumptions=ASSUMPTIONS,
        closings="2023-12-31",
        models="bg_nbd",
        draws=0,
        progress=False,
    )
    assert report.segments is None
    assert not report.acquisition
    report.write(tmp_path / "report")
    assert 'id="acquisition"' not in (tmp_path / "report" / "equity.html").read_text(encoding="utf-8")


def test_what_is_not_known_is_a_dash() -> None:
    locale = Locale("en", "EUR")
    assert cell_text("unit", float("nan"), locale) == "–"
    assert cell_text("decimal", float("inf"), locale) == "∞"
