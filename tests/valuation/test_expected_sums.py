"""Sums over customers under each draw, by cells: those of the customers one by one, under each draw by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.valuation import expectations, expected_sums
from clvmodels.valuation.expectations import expected

DRAWS = 90
ROWS = 400
TERMS = {
    "margin alone": {},
    "every driver": {
        "order_cost": 1.5,
        "maintenance_cost": 2.0,
        "campaigns_per_year": 3.0,
        "contact_cost": 0.5,
        "growth": 0.02,
        "tax": 0.2,
    },
    "a rate by segment": {"order_cost": {"by": "segment", "rates": {"shop": 1.0, "web": 3.0}}, "horizon": "4 years"},
}


def scattered(estimator, seed, **options):
    model = estimator.model
    noise = 0.05 * np.random.default_rng(seed).standard_normal((1, DRAWS, len(model.names)))
    theta = model.lower + (model.theta(model.example) - model.lower) * np.exp(noise)
    return estimator.from_params(dict(zip(model.names, np.moveaxis(theta, -1, 0), strict=True)), **options)


@pytest.fixture(scope="module")
def rfm():
    """Customers many of whom are alike but for what they spend; of some, that is missing or zero."""
    truth = clv.BGNBD().from_params({"r": 0.5, "alpha": 3.0, "a": 0.8, "b": 2.5}, unit="week")
    table = truth.simulate(ROWS, 40, seed=4).to_frame().drop(columns=["purchase_rate", "alive"])
    number = np.arange(ROWS)
    table["T"] = np.where(number % 2, 40.0, 45.0)
    table["monetary_value"] = np.where((table["frequency"] > 0) & (number % 13 > 0), 1.0 * (number % 50), np.nan)
    table["segment"] = np.where(number % 3, "web", "shop")
    return clv.Histories.from_frame(table, unit="week")


@pytest.fixture(scope="module", params=["BGNBD", "ParetoNBD"])
def fits(request):
    return scattered(getattr(clv, request.param)(), 0, unit="week"), scattered(clv.GammaGamma(), 1)


def rows_of(fits, rfm, **changes):
    stated = {"discount_rate": 0.15, "margin": 0.3, **changes}
    return clv.value(*fits, rfm, clv.Assumptions(**stated)).rows


@pytest.mark.parametrize("terms", TERMS)
def test_sums_by_cell_are_those_of_each_customer(fits, rfm, terms):
    """Groups of customers, and lines, under each draw; customers one by one are summarised, and not put into cells."""
    rows = rows_of(fits, rfm, **TERMS[terms])
    group = np.arange(ROWS) % 3
    by_cell, one_by_one = (expected(rows.basis, rfm, group, by_customer=each) for each in (False, True))
    assert by_cell.lines.shape == (len(rows.lines), DRAWS)
    np.testing.assert_allclose(by_cell.lines, one_by_one.lines, rtol=1e-6)
    np.testing.assert_allclose(by_cell.groups, one_by_one.groups, rtol=1e-6, atol=1e-6 * rows.equity)
    np.testing.assert_allclose(by_cell.groups.sum(axis=0), by_cell.lines.sum(axis=0), rtol=1e-12)


def log_with_free_orders():
    """Orders of 400 customers within 40 weeks, a tenth of them free."""
    generator = np.random.default_rng(3)
    orders = 1 + generator.poisson(1.5, ROWS)
    owner = np.repeat(np.arange(ROWS), orders)
    amount = np.where(generator.random(len(owner)) < 0.1, 0.0, generator.gamma(3.0, 10.0, len(owner)).round(2))
    date = np.datetime64("2024-01-01") + generator.integers(0, 280, len(owner))
    return pd.DataFrame({"customer_id": owner, "date": date, "amount": amount})


def test_orders_with_the_first_are_summed_by_cell(monkeypatch):
    """Customers with the same number of repeat purchases then differ in the number of orders whose value is known."""
    known = clv.rfm_summary(log_with_free_orders(), value="amount", unit="week", resolution="day")
    fits = scattered(clv.BGNBD(), 0, unit="week"), scattered(clv.GammaGamma(orders="all", first_order="use"), 1)
    orders, mean = (known.statistic(name) for name in fits[1].model.state)
    assert (orders != known.statistic("x") + 1.0).any()
    rows, group = rows_of(fits, known, **TERMS["every driver"]), np.arange(len(known)) % 3
    each = fits[1].model.expected_spend(fits[1].draws, orders[:, None], mean[:, None]).mean(axis=1)
    np.testing.assert_allclose(rows.order_value, each, rtol=1e-12)
    one_by_one = expected(rows.basis, known, group, by_customer=True)
    monkeypatch.setattr(expectations, "distinct_customers", None)  # customers one by one would fail
    by_cell = expected(rows.basis, known, group)
    np.testing.assert_allclose(by_cell.lines, one_by_one.lines, rtol=1e-6)
    np.testing.assert_allclose(by_cell.groups, one_by_one.groups, rtol=1e-6, atol=1e-6 * rows.equity)


def test_a_draw_has_the_value_of_its_parameters(fits, rfm):
    orders, spend = fits
    drawn = rows_of(fits, rfm, **TERMS["every driver"]).uncertainty(process=False, seed=None).equity
    for draw in (0, 41, DRAWS - 1):
        single = [
            getattr(clv, orders.model.public_name)().from_params(
                dict(zip(orders.model.names, orders.draws[draw], strict=True)), unit="week"
            ),
            clv.GammaGamma().from_params(dict(zip(spend.model.names, spend.draws[draw], strict=True))),
        ]
        assert drawn[draw] == pytest.approx(rows_of(single, rfm, **TERMS["every driver"]).equity, rel=1e-6)


def test_rows_that_stand_for_several_count_as_often(fits, rfm):
    rows = rows_of(fits, rfm)
    times = 1.0 + np.arange(ROWS) % 4
    weighted = expected(replace(rows.basis, weight=times), rfm)
    repeated = rfm.taken(np.repeat(np.arange(ROWS), times.astype(np.int64)))
    np.testing.assert_allclose(weighted.lines, expected(rows.basis, repeated).lines, rtol=1e-6)


def test_what_is_no_short_cut_is_summed_by_customer(fits, rfm, monkeypatch):
    """Where cells would be too many, and where spend is not linear."""
    rows = rows_of(fits, rfm)
    usual = expected(rows.basis, rfm)
    monkeypatch.setattr(expected_sums, "MOST_NUMBERS", 0)
    np.testing.assert_allclose(expected(rows.basis, rfm).lines, usual.lines, rtol=1e-6)

    orders, spend = fits
    model = replace(
        spend.model, expected_spend=lambda theta, x, mean: np.sqrt(spend.model.expected_spend(theta, x, mean))
    )
    bent = rows_of((orders, replace(spend, model=model)), rfm)
    monkeypatch.undo()
    each = expected(bent.basis, rfm, by_customer=True)
    np.testing.assert_allclose(expected(bent.basis, rfm).lines, each.lines, rtol=1e-9)
    assert not np.allclose(each.lines, usual.lines)


def test_rates_that_are_not_sure_are_drawn_by_customer(fits, rfm):
    table = rfm.to_frame().reset_index().assign(cost=2.0, cost_sd=0.5)
    unsure = clv.Histories.from_frame(table, unit="week")
    rows = rows_of(fits, unsure, order_cost={"column": "cost"})
    drawn = expected(rows.basis, unsure)
    assert rows.basis.own
    np.testing.assert_array_equal(drawn.lines, expected(rows.basis, unsure, by_customer=True).lines)
