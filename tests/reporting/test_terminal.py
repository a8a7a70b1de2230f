"""A valuation on a terminal: every figure of the book, in few and legible lines."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console, RenderableType

import clvmodels as clv
from clvmodels.data.report import RowsAndMoney
from clvmodels.reporting import terminal
from clvmodels.reporting.candidates import Candidate, same_as_first
from clvmodels.reporting.fitting import fit_all, spend_model, transaction_models
from clvmodels.reporting.number_format import amount, percent, significant, with_currency
from clvmodels.reporting.record import equity_record
from clvmodels.reporting.valuation import Valuation, value_all

TERMS = clv.Assumptions(
    discount_rate=0.12, margin=0.3, order_cost=1.5, maintenance_cost=2.0, horizon="10 years", currency="[USD]"
)


def shown(part: RenderableType, width: int = 80) -> str:
    console = Console(file=StringIO(), width=width, highlight=False)
    console.print(part)
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue()


@pytest.fixture(scope="module")
def histories() -> clv.Histories:
    return clv.rfm_summary(clv.datasets.load_cdnow(sample=True), value="amount", resolution="day")


@pytest.fixture(scope="module")
def valued(histories: clv.Histories) -> Valuation:
    said: list[str] = []
    fits = fit_all(histories, transaction_models("auto"), said.append)
    valuation = value_all(fits, clv.GammaGamma().fit(histories), histories, TERMS, said.append)
    assert len(said) == 4
    return valuation


def under(valuation: Valuation, terms: clv.Assumptions) -> Valuation:
    """Return the valuation under other assumptions, by the chosen model alone."""
    book = valuation.book
    return value_all([book.transactions.best], book.spend, book.histories, terms, lambda _: None)


@pytest.mark.parametrize("width", [80, 120])
def test_the_report_holds_the_figures_of_the_book(valued: Valuation, width: int) -> None:
    text = shown(terminal.equity_report(valued), width)
    book = valued.book
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert f"{book.equity:,.0f} [USD]" in text or f"{book.equity:,.2f} [USD]" in text
    for candidate in valued.candidates:
        assert f"{candidate.fit.log_likelihood:,.1f}" in text
        assert amount(candidate.equity) in text
    for _, line in book.statement_lines.iterrows():
        assert amount(line["value"]) in text
    for share in book.horizons["share"][:5]:
        assert percent(share) in text
    assert f"{book.new_customer.post_acquisition_value:,.2f} [USD]" in text
    assert "1.50 [USD] per order" in text
    assert "2.00 [USD] per living customer and year" in text


def test_horizons_beyond_that_of_the_assumptions_are_left_out(valued: Valuation) -> None:
    text = shown(terminal.equity_report(valued))
    assert "15 years" not in text
    assert text.count("10 years") == 2


def test_the_groups_are_counted_by_hand(valued: Valuation) -> None:
    rlv = np.sort(valued.book.customers["rlv"].to_numpy())
    once, top = valued.groups
    assert once.customers == int((valued.book.histories.frequency == 0).sum())
    assert top.customers == 471  # of 2,357; a fifth is 471.4
    assert top.equity == pytest.approx(rlv[-top.customers :].sum())


def test_one_model_has_no_range_over_models(valued: Valuation) -> None:
    text = shown(terminal.equity_report(under(valued, TERMS)))
    assert "Under each model alone" not in text
    assert "weight" not in text


def test_the_models_have_their_weights_and_their_range(valued: Valuation) -> None:
    text = shown(terminal.equity_report(valued))
    for candidate in valued.candidates:
        weight, equity = f"{candidate.weight:.2f}", amount(candidate.equity)
        assert re.search(rf"{candidate.fit.model.name} +{weight} .* {re.escape(equity)} ", text)
    equities = [candidate.equity for candidate in valued.candidates]
    assert f"Under each model alone: {amount(min(equities))} to {amount(max(equities))} [USD]" in text
    assert "Weighed by AIC." in text


def test_models_that_give_the_same_figure_are_said_to_be_the_same(valued: Valuation) -> None:
    """Log-likelihoods within 1, and equities within 1 %: what differs more counts as another model."""
    first, second, third = valued.candidates
    likelihood = first.fit.log_likelihood

    def like(candidate: Candidate, below: float, share: float) -> Candidate:
        fit = replace(candidate.fit, log_likelihood=likelihood - below)
        return replace(candidate, fit=fit, equity=share * first.equity)

    same, worse, lower = like(second, 0.9, 0.991), like(third, 1.1, 1.0), like(third, 0.0, 0.98)
    assert same_as_first([first, same, worse]) == (second.fit.model.name,)
    assert same_as_first([first, lower, same]) == (second.fit.model.name,)
    both = replace(valued, candidates=(first, same, like(third, 0.0, 1.009)))
    text = " ".join(shown(terminal.equity_report(both), 200).split())
    assert "Under each model alone: the same figure" in text
    assert f"and {third.fit.model.name} give the same figure here: they have become the same model" in text


def test_an_equity_of_zero_has_no_shares(valued: Valuation) -> None:
    nothing = under(valued, replace(TERMS, margin=0.0, order_cost=0.0, maintenance_cost=0.0))
    text = shown(terminal.equity_report(nothing))
    assert "0.00 [USD]" in text
    assert "nan" not in text
    assert "inf" not in text
    record = equity_record(nothing, source="log", notes=[])
    assert record["groups"][0]["share"] is None
    json.dumps(record, allow_nan=False)


def test_costs_above_the_margin_make_a_loss(valued: Valuation) -> None:
    loss = under(valued, replace(TERMS, order_cost=100.0))
    assert loss.book.equity < 0
    assert f"{loss.book.equity:,.0f} [USD]" in shown(terminal.equity_report(loss))


def test_for_ever_is_said(valued: Valuation) -> None:
    text = shown(terminal.equity_report(under(valued, replace(TERMS, horizon=None))))
    assert "indefinitely" in text
    assert "30 years" in text


def test_a_fit_is_shown_in_numbers_and_words(valued: Valuation) -> None:
    fits = [candidate.fit for candidate in valued.candidates]
    text = shown(terminal.fits_report(fits, valued.book.spend))
    assert all(fit.model.name in text for fit in fits)
    assert text.count("standard error") == 2
    assert "An order is worth" in text


def test_histories_are_shown_in_their_own_words(histories: clv.Histories) -> None:
    text = shown(terminal.histories_report(histories, "a [b].csv"), 200)
    assert "Purchase log  a [b].csv" in text
    assert all(f"· {line}" in text for line in str(histories).splitlines())


def test_notes_and_places_are_shown_if_there_are_any() -> None:
    assert shown(terminal.notes_report([])).strip() == ""
    assert "! look at [this]" in shown(terminal.notes_report(["look at [this]"]))
    assert shown(terminal.written_report(None)).strip() == ""
    assert "written: out (a, b)" in shown(terminal.written_report(Path("out"), ["a", "b"]))


def test_the_record_is_json_that_says_what_it_rests_on(valued: Valuation) -> None:
    record = equity_record(valued, source="log.csv", notes=["a note"])
    read = json.loads(json.dumps(record, allow_nan=False))
    assert read == record
    assert read["format"] == "clvmodels equity"
    assert read["equity"] == valued.book.equity
    assert sum(model["weight"] * model["equity_relative"] for model in read["models"]) == pytest.approx(1.0, rel=1e-9)
    assert read["histories"]["observation_end"].startswith("1998-06-30")
    assert read["data_report"]["rows_read"] == 6919
    assert read["versions"]["clvmodels"] == clv.__version__
    assert read["notes"] == ["a note"]


def test_what_was_dropped_is_in_the_record(valued: Valuation) -> None:
    report = valued.book.histories.report
    assert report is not None
    histories = replace(
        valued.book.histories, report=replace(report, dropped={"no customer id": RowsAndMoney(1, 10.0)})
    )
    record = equity_record(replace(valued, book=replace(valued.book, histories=histories)), source="", notes=[])
    assert record["data_report"]["dropped"] == {"no customer id": {"rows": 1, "money": 10.0}}


def test_numbers_are_rounded_for_readers() -> None:
    assert amount(-0.001) == "0.00"
    assert amount(-12_345.6) == "-12,346"
    assert amount(math.inf) == "-"
    assert amount(12_345.678, digits=2) == "12,345.68"
    assert with_currency(3.0, "") == "3.00"
    assert percent(math.nan) == "-"
    assert percent(12.3456) == "1,234.6 %"
    assert significant(0.0) == "0"
    assert significant(math.nan) == "-"
    assert significant(1e12) == "1e+12"
    assert significant(0.000123456) == "0.0001235"


def test_assumptions_name_their_timing_and_costs(valued: Valuation) -> None:
    text = shown(terminal.equity_report(under(valued, replace(TERMS, timing="end-year", maintenance_cost=0.0))))
    told = dict(re.findall(r"^  (\w+(?: \w+)*) {3,}(.*?) *$", text.split("Assumptions")[1], re.MULTILINE))
    assert told["Discount rate"] == "12 % a year, effective"
    assert told["Timing"] == "At the end of each year"
    assert told["Order handling"] == "1.50 [USD] per order"
    assert "Maintenance" not in told


def test_lines_of_one_s_own_have_their_labels(valued: Valuation) -> None:
    gift = clv.Line("gift", "orders", 0.5, labels={"en": "[Gifts]", "de": "Geschenke"})
    club = clv.Line("dear_club", "living years", {"by": "segment", "rates": {"A": 1.0}})
    book = valued.book
    more = pd.DataFrame({"customer_id": book.histories.customer_id, "segment": "A"})
    terms = TERMS.replace({"lines": [gift, club]})
    rfm = book.histories.with_attributes(more)
    valuation = value_all([book.transactions.best], book.spend, rfm, terms, lambda _: None)
    text = shown(terminal.equity_report(valuation), 120)
    value = valuation.book.statement_lines.loc["gift", "value"]
    assert re.search(rf"\[Gifts\] +orders .* {re.escape(amount(value))} ", text)
    assert re.search(r"\[Gifts\] +0\.50 \[USD\] per order", text)
    assert re.search(r"Dear club +segment: A 1\.00 \[USD\] per living customer and year", text)
    lines = {line["line"]: line["value"] for line in equity_record(valuation, source="log", notes=())["lines"]}
    assert lines["gift"] == pytest.approx(value)


def test_models_are_found_by_their_keys() -> None:
    assert transaction_models("pareto_nbd")[0].name == "Pareto/NBD"
    assert spend_model("gamma_gamma").name == "Gamma-Gamma"
