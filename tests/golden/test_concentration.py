"""Concentration of the CDNOW cohort after 78 weeks, recomputed independently."""

from __future__ import annotations

import numpy as np
import pytest

import clvmodels as clv
from clvmodels.valuation.concentration import gini, top_share, true_gini, true_top_share, whale_curve
from tests.golden.published import WEEK_39_ORDERS, published_terms


@pytest.fixture(scope="module")
def past(book):
    log = clv.datasets.load_cdnow()
    return log.groupby("customer_id")["amount"].sum().loc[book.customers.index].to_numpy()


@pytest.fixture(scope="module")
def rlv(book):
    return book.customers["rlv"].to_numpy()


def test_the_top_fifth_by_past_spend(past, rlv):
    assert 100 * top_share(past, 0.20) == pytest.approx(67.0, abs=0.05)
    assert 100 * top_share(rlv, 0.20, by=past) == pytest.approx(77.4, abs=0.05)


@pytest.mark.parametrize(("percent", "share"), [(1, 20.3), (5, 48.3), (10, 65.2), (20, 82.7), (50, 95.5)])
def test_the_top_by_residual_value(rlv, percent, share):
    assert 100 * top_share(rlv, percent / 100) == pytest.approx(share, abs=0.05)


def test_gini(rlv):
    assert gini(rlv) == pytest.approx(0.769, abs=5e-4)


def test_whale_curve_after_costs(orders, spend, cohort):
    terms = published_terms(order_cost=3.00, maintenance_cost=5.00)
    values = clv.value(orders, spend, cohort, terms).customers["rlv"].to_numpy()
    curve = whale_curve(values)
    assert curve.total == pytest.approx(593_965, abs=1)
    assert 100 * curve.peak_share == pytest.approx(106.5, abs=0.05)
    assert 100 * curve.peak_at == pytest.approx(38.5, abs=0.05)
    assert curve.loss == pytest.approx(-38_552, abs=1)
    assert np.rint((1 - curve.peak_at) * len(values)) == (values < 0.0).sum() == 14_500


def test_true_concentration():
    assert 100 * true_top_share(WEEK_39_ORDERS["r"], 0.20) == pytest.approx(62.96, abs=0.005)
    assert true_gini(WEEK_39_ORDERS["r"]) == pytest.approx(0.6168, abs=5e-5)


def test_simulated_purchase_rates_are_as_concentrated():
    fit = clv.ParetoNBD().from_params(WEEK_39_ORDERS, unit="week")
    rate = fit.simulate(200_000, "39 weeks", seed=3).attributes["purchase_rate"].sort_values(ascending=False)
    assert 100 * rate.head(40_000).sum() / rate.sum() == pytest.approx(62.96, abs=0.5)
