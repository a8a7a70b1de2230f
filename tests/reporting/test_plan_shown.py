"""The plan of the bundled company: existing and new customers apart, in both languages, and nowhere without days."""

from __future__ import annotations

from pathlib import Path

import pytest

import clvmodels as clv
from clvmodels.reporting.locale import Locale
from clvmodels.reporting.output import Report
from clvmodels.reporting.page.plan import plan

ASSUMPTIONS = clv.Assumptions(discount_rate=0.10, margin=0.3, currency="EUR")


@pytest.fixture(scope="module")
def company() -> Report:
    log = clv.datasets.load_company().transactions
    return clv.report(
        log[log["date"] < "2023-07-01"],
        log_format=clv.LogFormat(value="amount", resolution="day"),
        assumptions=ASSUMPTIONS,
        closings=["2023-06-30"],
        models="bg_nbd",
        spend="gamma_gamma",
        draws=0,
        progress=False,
    )


def test_existing_and_new_customers_stand_apart(company: Report) -> None:
    assert company.plan is not None
    coming, forecast = company.plan
    rows = forecast.to_frame()
    locale = Locale("en", "EUR")
    page = str(plan(company, locale))
    for _, row in rows.iterrows():
        for column in ("existing", "new", "total"):
            assert f">{locale.money(row[column], 0)}<" in page
    assert rows.loc["total", "new"] > 0.0
    assert coming.observed["total"].iloc[-12:].sum() > 900.0
    assert "those still to come" in page
    assert "künftige Kunden" in str(plan(company, Locale("de", "EUR")))


def test_the_page_has_it(company: Report, tmp_path: Path) -> None:
    company.write(tmp_path / "report")
    assert 'id="plan"' in (tmp_path / "report" / "equity.html").read_text(encoding="utf-8")
