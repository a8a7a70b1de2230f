from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad

import clvmodels as clv
from clvmodels.errors import AssumptionError, FitError, UnitError
from clvmodels.valuation.discounting import discount_factor, discounting

ORDERS = clv.ParetoNBD().from_params({"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}, unit="week")
SPEND = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})


def histories(unit="week"):
    table = {"frequency": [2, 0, 7], "recency": [30.43, 0.0, 38.0], "T": [38.86, 38.86, 39.0]}
    spend = {"monetary_value": [22.35, np.nan, 60.0]}
    return clv.Histories.from_frame(pd.DataFrame({"customer_id": list("abc"), **table, **spend}), unit=unit)


def terms(**changes):
    return clv.Assumptions(**{"discount_rate": 0.15, "margin": 0.30, **changes})


def equity(**changes):
    return clv.value(ORDERS, SPEND, histories(), terms(**changes)).equity


def test_the_columns_add_up():
    book = clv.value(ORDERS, SPEND, histories(), terms(order_cost=2.0, maintenance_cost=1.0))
    table = book.customers
    D, L, Z = (table[name] for name in ("discounted_orders", "discounted_lifetime", "order_value"))
    np.testing.assert_allclose(table["rlv"], 0.3 * D * Z - 2.0 * D - 1.0 * L)
    assert list(table.index) == ["a", "b", "c"]
    assert book.equity == pytest.approx(table["rlv"].sum())
    assert book.statement_lines["value"].sum() == pytest.approx(book.equity)
    assert book.statement_lines["share"].sum() == pytest.approx(1.0)
    assert book.horizons["equity"].iloc[-1] < book.equity


def test_without_costs_equity_is_gross_equity_exactly():
    book = clv.value(ORDERS, SPEND, histories(), terms())
    np.testing.assert_array_equal(book.customers["rlv"], book.customers["contribution_margin"])


@pytest.mark.parametrize("name", ["order_cost", "maintenance_cost"])
def test_lines_are_linear_in_their_rates(name):
    once, twice = equity(**{name: 1.0}), equity(**{name: 2.0})
    assert equity() - twice == pytest.approx(2 * (equity() - once), rel=1e-12)


def test_a_new_customer_is_valued_like_a_customer_without_history():
    book = clv.value(ORDERS, SPEND, histories(), terms(order_cost=2.0, maintenance_cost=1.0))
    new = book.new_customer
    assert new.first_order == pytest.approx(0.3 * new.order_value - 2.0)
    assert new.repeat == pytest.approx(0.3 * new.orders * new.order_value - 2.0 * new.orders - new.living_years)
    table = pd.DataFrame({"customer_id": ["n"], "frequency": [0], "recency": [0], "T": [1e-9]})
    fresh = clv.value(ORDERS, SPEND, clv.Histories.from_frame(table, unit="week"), book.assumptions)
    assert fresh.equity == pytest.approx(new.repeat, rel=1e-7)


@pytest.mark.parametrize("timing", ["continuous", "mid-month", "end-month", "mid-year", "end-year"])
def test_weightings_integrate_as_adaptive_quadrature_does(timing):
    stated = terms(timing=timing, horizon="3 years", year="52 weeks")
    from clvmodels.numerics.quadrature import TimeGrid

    grid = TimeGrid(4.0, 156.0)
    weights = grid.weights(discounting(stated, "week"))
    cuts = np.linspace(0, 156, 37)
    truth = sum(
        quad(lambda u: float(discount_factor(stated, "week", np.asarray(u))) / (12 + u), a, b, epsabs=0)[0]
        for a, b in pairwise(cuts)
    )
    assert weights @ (1 / (12 + grid.nodes)) == pytest.approx(truth, rel=1e-8)


def test_a_later_flow_is_worth_less():
    values = [equity(timing=timing) for timing in ("continuous", "end-month", "end-year")]
    assert values[0] > values[1] > values[2]
    assert equity(timing="mid-month") == pytest.approx(values[0], rel=1e-3)


def test_zero_rate_and_a_tiny_one_mean_the_same():
    # "1.5 months" at rate 0 and at 1e-9: a peer gave different numbers of periods
    none, tiny = equity(discount_rate=0.0, horizon="1.5 months"), equity(discount_rate=1e-9, horizon="1.5 months")
    assert none == pytest.approx(tiny, rel=1e-9)
    bought = ORDERS.expected_purchases(histories(), "1.5 months")["mean"]
    worth = SPEND.expected_spend(histories())["mean"]
    assert none == pytest.approx(0.3 * (bought * worth).sum(), rel=1e-9)


@pytest.mark.parametrize("s", [0.606, 1.0, 3.0])
def test_an_undiscounted_future_needs_a_horizon(s):
    orders = clv.ParetoNBD().from_params({"r": 0.553, "alpha": 10.578, "s": s, "beta": 11.669}, unit="week")
    with pytest.raises(AssumptionError, match='horizon = "10 years"'):
        clv.value(orders, SPEND, histories(), terms(discount_rate=0.0))
    assert np.isfinite(clv.value(orders, SPEND, histories(), terms(discount_rate=0.0, horizon="50 years")).equity)


def test_wrong_units_and_swapped_fits_are_refused():
    with pytest.raises(UnitError, match=r'write rfm.in_unit\("week"\)'):
        clv.value(ORDERS, SPEND, histories().in_unit("day"), terms())
    with pytest.raises(FitError, match="transactions first"):
        clv.value(SPEND, ORDERS, histories(), terms())


def test_what_a_book_says_of_itself():
    said = repr(clv.value(ORDERS, SPEND, histories(), terms(currency="EUR", horizon="5 years")))
    for word in ("EUR", "3 customers", "Pareto/NBD and Gamma-Gamma", "0.15 a year", "5 years"):
        assert word in said


@pytest.mark.parametrize("name", ["BGNBD", "MBGNBD", "ParetoNBD"])
@pytest.mark.filterwarnings("ignore:the spend of")
def test_extreme_histories_are_finite(name):
    # from the trackers of earlier packages: NaN for exactly the best customers
    rows = [(221, 103.43, 103.57), (161, 94.71, 98), (204, 98.57, 99.43), (254, 97.28571, 97.28571), (2000, 76.9, 77)]
    x, t_x, T = np.array([*rows, (100_000, 500, 500), (0, 0, 10), (0, 0, 1e-6)]).T
    table = pd.DataFrame({"customer_id": range(len(x)), "frequency": x, "recency": t_x, "T": T})
    rfm = clv.Histories.from_frame(table, unit="week")
    for params in ((0.243, 4.414, 0.793, 2.426), (0.1, 50, 0.3, 0.5), (1.0, 1.0, 1.0, 1.0), (1, 1, 1 + 1e-12, 1e3)):
        estimator = getattr(clv, name)()
        fit = estimator.from_params(dict(zip(estimator.model.names, params, strict=True)), unit="week")
        for table in (
            fit.probability_alive(rfm),
            fit.probability_alive(rfm, "26 weeks"),
            fit.expected_purchases(rfm, "300 weeks"),
            fit.probability_of_purchases(rfm, "39 weeks", 3),
            clv.value(fit, SPEND, rfm, terms()).customers,
        ):
            assert np.isfinite(table.to_numpy()).all()
            assert (table.to_numpy() >= 0).all()
