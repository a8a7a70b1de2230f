"""Contribution so far, reconciliation, acquisition plans, unprofitable customers, audit trail."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import AssumptionError, DataError
from clvmodels.valuation.acquisition import acquisition, payback_years
from clvmodels.valuation.audit import Content, audit, file_record, hash_of_files
from clvmodels.valuation.contribution import contribution, contribution_statement
from clvmodels.valuation.lines import total
from clvmodels.valuation.reconciliation import reconciliation
from clvmodels.valuation.unprofitable import causes, levers, unprofitable

COSTS = {
    "payment_share": 0.02,
    "order_cost": 1.0,
    "returns_per_order": 0.2,
    "return_cost": 3.0,
    "return_share": 0.1,
    "write_down": 0.5,
    "contacts_per_order": 0.1,
    "service_cost": 5.0,
    "maintenance_cost": 2.0,
    "campaigns_per_year": 4.0,
    "contact_cost": 0.25,
    "acquisition_cost": 7.0,
}


@pytest.fixture(scope="module")
def log():
    generator = np.random.default_rng(4)
    truth = clv.BGNBD().from_params({"r": 0.6, "alpha": 6.0, "a": 0.8, "b": 2.4}, unit="week")
    table = truth.simulate(300, "60 weeks", seed=1).to_frame()
    rows = []
    for customer, row in table.iterrows():
        times = np.sort(generator.uniform(0, row["recency"], int(row["frequency"])))
        times = np.concatenate([[0.0], times])
        rate = generator.gamma(3.74) / 15.44
        days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.floor(times * 7), unit="D")
        segment = "A" if customer % 3 else "B"
        rows += [(customer, day, generator.gamma(6.25) / rate, segment) for day in days]
    return pd.DataFrame(rows, columns=["customer_id", "date", "amount", "segment"])


@pytest.fixture(scope="module")
def rfm(log):
    return clv.rfm_summary(log, value="amount", attributes=["segment"], observation_end="2025-03-01")


@pytest.fixture(scope="module")
def book(rfm):
    terms = clv.Assumptions(discount_rate=0.1, margin=0.4, year="365 days", **COSTS)
    return clv.value(clv.BGNBD().fit(rfm), clv.GammaGamma().fit(rfm), rfm, terms)


def test_contribution_follows_the_schema(book, rfm, log):
    table = contribution(book)
    assert table["sales"].sum() == pytest.approx(log["amount"].sum(), rel=1e-9)
    one = table.iloc[7]
    customer = log[log["customer_id"] == rfm.customer_id[7]]
    sales, orders, years = customer["amount"].sum(), rfm.frequency[7] + 1.0, rfm.T[7] * 7 / 365
    first = 0.4 * sales
    second = first - 0.02 * sales - 0.1 * 0.5 * sales - 1.0 * orders - 0.2 * 3.0 * orders
    third = second - 0.1 * 5.0 * orders - 2.0 * years - 4.0 * 0.25 * years
    found = one[["contribution_1", "contribution_2", "contribution_3", "contribution_4"]]
    np.testing.assert_allclose(found, [first, second, third, third - 7.0], rtol=1e-9)


def test_what_ledgers_count_goes_before_what_rates_expect(book, rfm):
    nothing = pd.DataFrame(
        {"returns": 0, "returned_value": 0.0, "service_contacts": 2, "acquisition_cost": np.nan}, rfm.customer_id
    )
    table = contribution(book, nothing)
    assert (table[["returns", "returned_goods"]] == 0.0).all(axis=None)
    assert (table["service"] == -10.0).all()
    assert (table["acquisition_cost"] == -7.0).all()


def test_the_contribution_statement_adds_up(book):
    contributed = contribution(book)
    table = contribution_statement(book, contributed, by="segment")
    np.testing.assert_allclose(table["A"] + table["B"], table["total"], rtol=1e-12)
    assert table.loc["rlv", "total"] == pytest.approx(book.equity, rel=1e-12)
    assert table.loc["value", "A"] == pytest.approx(table.loc["contribution_4", "A"] + table.loc["rlv", "A"])
    assert list(contribution_statement(book, contributed).columns) == ["total"]


def test_sales_tie_to_the_ledger(rfm, log):
    table = reconciliation(rfm)["money"]
    assert table["unexplained"] == 0.0
    assert table["ledger"] == pytest.approx(log["amount"].sum(), rel=1e-12)
    early = clv.rfm_summary(log, value="amount", observation_end="2024-09-30")
    items = reconciliation(early)["money"]
    assert items["unexplained"] == 0.0
    late = log.loc[log["date"] > "2024-09-30", "amount"].sum()
    assert items[items.index.str.startswith("left out")].sum() == pytest.approx(late, rel=1e-9)
    assert reconciliation(rfm, log["amount"].sum() + 5.0)["money"]["unexplained"] == pytest.approx(5.0, abs=1e-6)
    with pytest.raises(DataError, match="rfm_summary"):
        reconciliation(clv.Histories.from_frame(rfm.to_frame().reset_index(), unit="week"))


@pytest.mark.parametrize("timing", ["continuous", "mid-month", "end-month", "mid-year", "end-year"])
def test_an_acquisition_plan(book, timing):
    book = book.with_assumptions(book.assumptions.replace({"timing": timing}))
    plan = acquisition(book, [100, 200])
    new = book.new_customer
    by_hand = (100 / 1.1**0.5 + 200 / 1.1**1.5) * (new.post_acquisition_value - 7.0)
    assert plan.future == pytest.approx(by_hand, rel=1e-9)
    assert plan.dynamic == book.equity + plan.future
    assert plan.highest_cost == new.post_acquisition_value
    assert new.lifetime_value == pytest.approx(new.post_acquisition_value - 7.0)
    with pytest.raises(AssumptionError, match="a plan is"):
        acquisition(book, [-1])


def test_pay_back(book):
    new = book.new_customer
    assert (
        payback_years(book.with_assumptions(book.assumptions.replace({"acquisition_cost": 0.5 * new.first_order})))
        == 0.0
    )
    costly = book.with_assumptions(book.assumptions.replace({"acquisition_cost": 2.0 * new.post_acquisition_value}))
    assert payback_years(costly) == np.inf
    years = payback_years(
        book.with_assumptions(book.assumptions.replace({"acquisition_cost": new.first_order + 0.5 * new.repeat}))
    )
    whole = round(12 * years) / 12
    more = book.with_assumptions(book.assumptions.replace({"acquisition_cost": 1.01 * new.post_acquisition_value}))
    assert 0.0 < payback_years(more) < np.inf  # campaigns go on when they have left, and cost some of it again
    horizon = book.with_assumptions(book.assumptions.replace({"horizon": f"{365 * whole} days"})).new_customer
    assert horizon.repeat == pytest.approx(0.5 * new.repeat, rel=0.05)


def test_unprofitable_customers_and_their_causes(book):
    costly = book.with_assumptions(book.assumptions.replace({"maintenance_cost": 8.0}))
    loss = unprofitable(costly)
    assert 0 < loss.sum() < len(loss)
    table = causes(costly)
    assert table.loc["equity", ["unprofitable", "others"]].sum() == pytest.approx(costly.equity, rel=1e-12)
    assert table["unprofitable"].iloc[:-1].sum() == pytest.approx(table.loc["equity", "unprofitable"], rel=1e-9)
    assert table.loc["equity", "unprofitable_per_customer"] < 0 < table.loc["equity", "others_per_customer"]
    pulled = levers(costly)
    assert list(pulled.index) == ["as it is", "no campaigns", "returns paid by the customer", "self-service"]
    assert (pulled["change"].iloc[1:] > 0.0).all()
    assert (pulled["still"] <= pulled.loc["as it is", "still"]).all()
    campaigns = next(line for line in costly.lines if line.name == "campaigns").value(costly.future)
    assert pulled.loc["no campaigns", "change"] == pytest.approx(-campaigns[loss].sum(), rel=1e-9)
    with pytest.raises(AssumptionError, match="a probability"):
        unprofitable(costly, 1.5)


def test_the_gain_of_a_lever_is_gone_when_its_break_even_share_of_orders_is(book):
    costly = book.with_assumptions(book.assumptions.replace({"maintenance_cost": 8.0, "tax": 0.2}))
    loss = unprofitable(costly)
    pulled = levers(costly)
    assert pulled.loc["as it is", "break_even_loss"] == 0.0
    name, changes = "returns paid by the customer", {"return_cost": 0.0}
    share = pulled.loc[name, "break_even_loss"]
    assert 0.0 < share < 1.0
    without = costly.with_assumptions(costly.assumptions.replace(changes))
    fewer = replace(without.future, D=(1.0 - share) * without.future.D, G=(1.0 - share) * without.future.G)
    assert total(without.lines, fewer)[loss].sum() == pytest.approx(pulled.loc["as it is", "value"], rel=1e-9)
    others = levers(costly, {"worse": {"order_cost": 50.0}, "none": {"maintenance_cost": 0.0}})
    assert others.loc["worse", "break_even_loss"] == 0.0
    assert others.loc["none", "break_even_loss"] == 1.0


def test_with_draws_the_probability_of_loss_decides(rfm, book):
    drawn = clv.BGNBD().fit(rfm, method="laplace", draws=40, seed=1)
    with_draws = clv.value(drawn, book.spend, rfm, book.assumptions.replace({"maintenance_cost": 8.0}))
    chance = with_draws.customers["probability_of_loss"]
    np.testing.assert_array_equal(unprofitable(with_draws, 0.9), chance > 0.9)
    assert unprofitable(with_draws, 0.1).sum() > unprofitable(with_draws, 0.9).sum()


def test_the_audit_trail_tells_inputs_apart(book, tmp_path):
    file = tmp_path / "log.csv"
    file.write_text("a")
    before = file_record(file)
    first = audit({"2025-03-01": book}, {"log": before})
    assert audit({"2025-03-01": book}, {"log": Content(file.name, file.read_bytes())}) == first
    assert audit({"2025-03-01": book}, {"log": file_record(str(file))}) == first
    assert first["closings"]["2025-03-01"]["equity"] == book.equity
    file.write_text("bc")
    with pytest.raises(DataError, match=r"log\.csv' has changed while it was read"):
        audit({"2025-03-01": book}, {"log": before})
    assert audit({"2025-03-01": book}, {"log": file_record(file)})["inputs"] != first["inputs"]
    other = audit(
        {"2025-03-01": book.with_assumptions(book.assumptions.replace({"margin": 0.41}))}, {"log": file_record(file)}
    )
    assert other["closings"]["2025-03-01"]["assumptions"] != first["closings"]["2025-03-01"]["assumptions"]
    (tmp_path / "more.csv").write_text("c")
    assert hash_of_files(tmp_path / "*.csv") != hash_of_files(file)
    (tmp_path / "_unfinished.csv").write_text("not read")
    (tmp_path / "[ab].csv").write_text("read by its own name")
    assert hash_of_files(tmp_path / "[ab].csv") == sha256(b"read by its own name").hexdigest()
    both = sorted(one for one in tmp_path.glob("*.csv") if not one.name.startswith("_"))
    assert hash_of_files(tmp_path / "*.csv") == sha256(b"".join(one.read_bytes() for one in both)).hexdigest()
