"""`clv.report`: logs, ledgers, assumptions and models as files and as Python objects, and what is refused."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import ClvError
from clvmodels.reporting.files import OutputError
from clvmodels.reporting.output import Report

FORMAT = clv.LogFormat(value="amount", resolution="day")
ASSUMPTIONS = clv.Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks", service_cost=2.0)


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return clv.datasets.load_cdnow(sample=True)


@pytest.fixture(scope="module")
def service(log: pd.DataFrame) -> pd.DataFrame:
    days = pd.to_datetime(log["date"]) + pd.Timedelta(days=1)
    return pd.DataFrame({"customer_id": log["customer_id"], "time": days})[::7]


def reported(log: object, **options: Any) -> Report:
    given: Mapping[str, Any] = {"assumptions": ASSUMPTIONS, "closings": "1998-06-30", "models": "bg_nbd", "draws": 0}
    return clv.report(log, **{"log_format": FORMAT, **given, **options})


def test_files_and_tables_and_objects_give_the_same_report(
    log: pd.DataFrame, service: pd.DataFrame, tmp_path: Path
) -> None:
    for name, table in {"log": log, "service": service}.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    terms = 'discount_rate = 0.15\nmargin = 0.30\nyear = "52 weeks"\nservice_cost = 2.0\n'
    terms += 'contacts_per_order = { column = "contacts_per_order" }\n'
    (tmp_path / "terms.toml").write_text(terms)
    files = reported(
        tmp_path / "log.csv",
        log_format=clv.LogFormat(value="amount", resolution="day"),
        assumptions=tmp_path / "terms.toml",
        closings=["1997-09-30", "1998-06-30"],
        ledgers={"service": tmp_path / "service.csv", "returns": None},
        spend="gamma_gamma",
    )
    tables = reported(
        log.assign(customer_id=log["customer_id"].astype("int64")),
        assumptions=clv.Assumptions.from_file(tmp_path / "terms.toml"),
        closings=[dt.date(1997, 9, 30), pd.Timestamp("1998-06-30")],
        ledgers=clv.Ledgers.read(service=service.assign(customer_id=service["customer_id"].astype("int64"))),
        models=[clv.BGNBD()],
        spend=clv.GammaGamma(),
    )
    assert files.book.equity == pytest.approx(tables.book.equity, rel=1e-9)
    assert files.closings == tables.closings == ("1997-09-30", "1998-06-30")
    assert files.statement.loc[files.statement.index[-1], "service"] < 0.0
    assert set(files.audit["inputs"]) == {"log", "assumptions", "service"}
    assert not tables.audit["inputs"]
    assert (files.source, tables.source) == (str(tmp_path / "log.csv"), "pandas DataFrame")
    assert repr(files).startswith("<EquityReport: ")
    assert len(repr(files).splitlines()) == 1


def test_the_report_is_the_valuation(log: pd.DataFrame) -> None:
    report = reported(log, spend="gamma_gamma")
    rfm = clv.rfm_summary(log, value="amount", resolution="day", observation_end="1998-06-30")
    book = clv.value(clv.BGNBD().fit(rfm), clv.GammaGamma().fit(rfm), rfm, ASSUMPTIONS)
    assert report.book.equity == pytest.approx(book.equity, rel=1e-12)
    assert not report.movements


def test_several_models_are_averaged_the_best_by_aic_first(log: pd.DataFrame) -> None:
    rfm = clv.rfm_summary(log, value="amount", resolution="day", observation_end="1998-06-30")
    fits = [clv.BGNBD().fit(rfm), clv.ParetoNBD().fit(rfm)]
    best = min(fits, key=lambda fit: fit.aic)
    assert reported(log, models=[clv.BGNBD(), "pareto_nbd"]).book.transactions.best.model is best.model


def test_a_folder_with_other_files_is_not_replaced(log: pd.DataFrame, tmp_path: Path) -> None:
    report = reported(log)
    with pytest.raises(ClvError, match="unknown language 'fr'"):
        report.write(tmp_path / "report", language="fr")  # type: ignore[arg-type]
    assert not (tmp_path / "report").exists()
    report.write(tmp_path / "report", language="de")
    assert 'lang="de"' in (tmp_path / "report" / "equity.html").read_text(encoding="utf-8")
    audit = json.loads((tmp_path / "report" / "audit.json").read_text(encoding="utf-8"))
    assert audit["equity"] == report.book.equity
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"letter\.txt"):
        report.write(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"log_format": {"value": "amount"}}, r"log_format is the format of the log"),
        ({"log_format": clv.LogFormat()}, r"needs the values of purchases"),
        ({"closings": []}, r"closings are dates that rise"),
        ({"closings": ["1998-06-30", "1997-09-30"]}, r"closings are dates that rise"),
        ({"closings": pd.Timestamp("1998-06-30 12:00")}, r"a closing is a date such as"),
        ({"ledgers": {"refunds": "refunds.csv"}}, r"unknown ledger 'refunds'"),
        ({"ledgers": "returns.csv"}, r"ledgers"),
        ({"models": "pnbd"}, r"unknown model 'pnbd'"),
        ({"models": []}, r"got none"),
        ({"models": clv.GammaGamma()}, r"a model of transactions"),
        ({"models": clv.BGNBD(priors={})}, r"leave out the priors of BG/NBD"),
        ({"spend": clv.BGNBD()}, r"a model of spend"),
        ({"draws": -1}, r"draws"),
        ({"assumptions": 3}, r"path of the assumptions"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], message: str, log: pd.DataFrame) -> None:
    with pytest.raises(ClvError, match=message):
        reported(log, **options)


def test_spend_is_by_default_one_model_at_all_closings_that_orders_speak_for(log: pd.DataFrame) -> None:
    report = reported(log, closings=["1997-09-30", "1998-06-30"])
    assert {book.spend.model.key for book in report.books} == {"log_normal_first"}
    rfm = clv.rfm_summary(log, value="amount", resolution="day", observation_end="1998-06-30")
    book = clv.value(clv.BGNBD().fit(rfm), clv.LogNormalSpend(first_order="use").fit(rfm), rfm, ASSUMPTIONS)
    assert report.book.equity == pytest.approx(book.equity, rel=1e-12)
    lines = report.movements[0].table
    assert lines.loc[lines["kind"] != "subtotal", "value"][:-1].sum() == pytest.approx(lines.loc["closing", "value"])
    with pytest.raises(ClvError, match='a report fits one model at all closings: write spend="auto"'):
        reported(log, spend=clv.LogNormalSpend(first_order="auto"))
    transactions = clv.BGNBD().fit(clv.rfm_summary(log, value="amount", resolution="day"))
    with pytest.raises(ClvError, match="a report fits anew at each closing, and depends_on is one fit"):
        reported(log, spend=clv.GammaGamma(depends_on=transactions))
