"""Costs that fall with tenure: 4.00 an order at first, 1.50 in the end, halved in 52 weeks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad

import clvmodels as clv
from clvmodels.errors import AssumptionError
from clvmodels.valuation.contribution import contribution
from clvmodels.valuation.unprofitable import levers

PARAMS = {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}
ORDERS = clv.ParetoNBD().from_params(PARAMS, unit="week")
SPEND = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
FALLING = {"order_cost": 1.5, "early_order_cost": 2.5, "cost_half_life": "52 weeks"}
ASSUMPTIONS = clv.Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks", **FALLING)
DELTA, LEARNING = np.log(1.15) / 52.0, np.log(2.0) / 52.0


@pytest.fixture(scope="module")
def rfm():
    table = pd.DataFrame({"customer_id": [0, 1], "frequency": [2, 5], "recency": [30.43, 52.0], "T": [38.86, 52.0]})
    return clv.Histories.from_frame(table.assign(monetary_value=30.0), unit="week")


@pytest.fixture(scope="module")
def book(rfm):
    return clv.value(ORDERS, SPEND, rfm, ASSUMPTIONS)


def cost_of(book):
    return -sum(line.value(book.future) for line in book.lines if line.name in ("order_cost", "early_orders"))


def test_the_published_figures(book):
    np.testing.assert_allclose(cost_of(book), [12.6114, 26.0655], atol=5e-5)
    assert book.future.D[0] == pytest.approx(6.50173, abs=5e-6)
    assert book.future.E[0] / np.exp(-LEARNING * 38.86) == pytest.approx(1.91957, abs=5e-6)


def test_a_simulation(book):
    g, n = np.random.default_rng(0), 400_000
    rate = g.gamma(PARAMS["r"] + 5.0, 1.0, n) / (PARAMS["alpha"] + 52.0)
    leaving = g.gamma(PARAMS["s"], 1.0, n) / (PARAMS["beta"] + 52.0)
    cost = rate * (1.5 / (leaving + DELTA) + 2.5 * 0.5 / (leaving + DELTA + LEARNING))
    assert abs(cost.mean() - cost_of(book)[1] / book.alive[1]) < 3.0 * cost.std() / np.sqrt(n)


def early_orders(x, T, start, end, discount):
    """Return the integral of intensity times a factor of the time ahead and what tenure has left, given alive."""
    now = np.exp(-LEARNING * T) * (PARAMS["r"] + x) / (PARAMS["alpha"] + T)

    def integrand(u):
        return discount(u) * np.exp(-LEARNING * u) * (1.0 + u / (PARAMS["beta"] + T)) ** -PARAMS["s"]

    return now * quad(integrand, start, end, epsrel=1e-11, limit=400)[0]


@pytest.mark.parametrize("timing", ["continuous", "end-year"])
def test_early_orders_within_horizons_and_of_new_customers(rfm, timing):
    book = clv.value(ORDERS, SPEND, rfm, ASSUMPTIONS.replace({"horizon": "3 years", "timing": timing, "growth": 0.02}))

    def discount(u):
        return np.exp(-DELTA * (u if timing == "continuous" else 52.0 * np.floor(u / 52.0 + 1.0)))

    by_hand = [
        sum(early_orders(x, T, 52.0 * k, 52.0 * (k + 1), discount) for k in range(3))
        for x, T in ((2.0, 38.86), (5.0, 52.0))
    ]
    np.testing.assert_allclose(book.future.E, book.alive * by_hand, rtol=1e-7)
    costs = book.with_assumptions(book.assumptions.replace({"early_order_cost": 0.0})).new_customer
    new = sum(early_orders(0.0, 0.0, 52.0 * k, 52.0 * (k + 1), discount) for k in range(3))
    assert costs.repeat - book.new_customer.repeat == pytest.approx(2.5 * new, rel=1e-6)
    assert costs.first_order - book.new_customer.first_order == pytest.approx(2.5)
    within = book.rlv_within(1)
    one_year = clv.value(ORDERS, SPEND, rfm, book.assumptions.replace({"horizon": "1 year"}))
    np.testing.assert_allclose(within, one_year.rlv, rtol=1e-8)


def test_other_ways_to_the_same_figure(rfm, book):
    half = book.assumptions.replace({"cost_half_life": "26 weeks", "discount_rate": 0.10})
    anew = clv.value(ORDERS, SPEND, rfm, half).equity
    assert clv.scenarios(book, {"half": {"cost_half_life": "26 weeks", "discount_rate": 0.10}})["equity"]["half"] == (
        pytest.approx(anew, rel=1e-8)
    )
    draws = {name: [[value, value]] for name, value in PARAMS.items()}
    drawn = clv.value(clv.ParetoNBD().from_params(draws, unit="week"), SPEND, rfm, ASSUMPTIONS)
    assert drawn.equity == pytest.approx(book.equity, rel=1e-9)
    assert drawn.interval(0.9, process=False).low == pytest.approx(book.equity, rel=1e-6)
    many = clv.value(ORDERS, SPEND, rfm.taken(np.zeros(20_000, np.int64)), ASSUMPTIONS)
    simulated = clv.value(drawn.transactions, SPEND, many.histories, ASSUMPTIONS).interval(0.9, process=True, seed=1)
    assert simulated.low < many.equity < simulated.high
    own = clv.Line("training", driver="early orders", rate=2.5)
    with_line = ASSUMPTIONS.replace({"early_order_cost": 0.0, "lines": [own]})
    assert book.with_assumptions(with_line).equity == pytest.approx(book.equity, rel=1e-12)
    assert levers(book)["value"].size >= 1
    statement = book.statement_lines.loc["early_orders"]
    assert statement["value"] == pytest.approx(-2.5 * book.future.E.sum())


def test_value_expected_a_year_later_is_value_now_compounded(book):
    from clvmodels.valuation.roll_forward import expectation

    for changes in ({}, {"timing": "end-year"}):
        rows = book.with_assumptions(ASSUMPTIONS.replace(changes)).each
        ahead = expectation(rows, 52.0)
        np.testing.assert_allclose(1.15 * (rows.rlv - ahead.within), ahead.later, rtol=1e-8)


def test_what_early_orders_have_cost_so_far(rfm, book):
    T, x, t_x = 0.0, rfm.frequency[1], rfm.recency[1]
    between = np.random.default_rng(1).uniform(T, t_x, (200_000, int(x) - 1))
    weights = 1.0 + np.exp(-LEARNING * t_x) + np.exp(-LEARNING * between).sum(axis=1)
    paid = -contribution(book)["early_orders"].iloc[1] / 2.5
    assert abs(paid - weights.mean()) < 4.0 * weights.std() / np.sqrt(len(weights))


def test_falling_costs_need_a_half_life_and_none_means_no_line(book):
    with pytest.raises(AssumptionError, match="early_order_cost falls with tenure"):
        clv.Assumptions(discount_rate=0.15, margin=0.3, early_order_cost=2.0)
    with pytest.raises(AssumptionError, match="training falls with tenure"):
        clv.Assumptions(discount_rate=0.15, margin=0.3, lines=[clv.Line("training", driver="early orders", rate=1.0)])
    with pytest.raises(AssumptionError, match="cost_half_life"):
        replace(ASSUMPTIONS, cost_half_life="0 weeks")
    with pytest.raises(AssumptionError, match="cost_half_life"):
        replace(ASSUMPTIONS, cost_half_life="soon")
    plain = book.with_assumptions(clv.Assumptions(discount_rate=0.15, margin=0.3, year="52 weeks"))
    assert "early_orders" not in {line.name for line in plain.lines}
    assert clv.Assumptions.from_mapping(ASSUMPTIONS.to_dict()) == ASSUMPTIONS
