"""Growth of order values is found within customers, where those who stay order for more."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import AssumptionError, DataError
from clvmodels.steering.drivers.order_growth import growth_within


def company(n, seed, growth=0.03):
    """Return orders of customers observed for one and a half to two years; heavy buyers order for more."""
    g = np.random.default_rng(seed)
    rate = g.gamma(0.553, 1.0 / 10.578, n)
    lifetime = g.exponential(1.0, n) / g.gamma(0.606, 1.0 / 11.669, n)
    mean = 6.25 / g.gamma(3.74, 1.0 / 15.44, n) * np.maximum(rate / rate.mean(), 1e-6) ** 0.25
    span = np.minimum(lifetime, 104.0 - g.uniform(0.0, 26.0, n))
    who = np.repeat(np.arange(n), g.poisson(rate * span))
    weeks = np.concatenate([np.zeros(n), g.random(len(who)) * span[who]])
    who = np.concatenate([np.arange(n), who])
    value = g.gamma(6.25, 1.0, len(who)) * mean[who] / 6.25 * (1.0 + growth) ** (weeks / 52.0)
    return who, weeks, value


def test_growth_is_within_two_standard_errors_of_the_truth_and_that_across_customers_is_not():
    who, weeks, value = company(20_000, seed=5)
    measured = growth_within(who, weeks / 52.0, value)
    assert abs(measured.growth - 0.03) < 2.0 * measured.sd
    assert measured.low < 0.03 < measured.high
    assert 0.002 < measured.sd < 0.008
    assert measured.across_customers > 0.20


def test_the_interval_covers_as_often_as_it_says():
    covered = 0
    for seed in range(100):
        who, weeks, value = company(300, seed=seed, growth=0.1)
        measured = growth_within(who, weeks / 52.0, value)
        covered += measured.low <= 0.1 <= measured.high
    assert 88 <= covered <= 99


def test_the_slope_and_its_clustered_error_are_those_of_a_regression_with_a_dummy_for_each_customer():
    who, weeks, value = company(60, seed=2)
    several = np.bincount(who)[who] > 1
    who, weeks, value = who[several], weeks[several] / 52.0, value[several]
    ids, code = np.unique(who, return_inverse=True)
    X = np.column_stack([weeks, np.eye(len(ids))[code]])
    beta, *_ = np.linalg.lstsq(X, np.log(value), rcond=None)
    residual = np.log(value) - X @ beta
    bread = np.linalg.pinv(X.T @ X)
    scores = np.stack([X[code == k].T @ residual[code == k] for k in range(len(ids))])
    covariance = len(ids) / (len(ids) - 1.0) * bread @ scores.T @ scores @ bread
    measured = growth_within(who, weeks, value)
    assert measured.growth == pytest.approx(np.expm1(beta[0]), rel=1e-9)
    assert measured.sd == pytest.approx(np.exp(beta[0]) * np.sqrt(covariance[0, 0]), rel=1e-9)
    assert (measured.customers, measured.orders) == (len(ids), len(who))


def test_a_log_is_read_as_its_format_says():
    rows = pd.DataFrame({"client": [*"AAABB"], "date": ["2023-01-01", "2024-01-01", "2024-01-01", *["2024-03-01"] * 2]})
    rows["amount"] = [100.0, 60.0, 50.0, 30.0, 7.0]
    rows.loc[4, "date"] = "2023-03-02"
    reading = clv.LogFormat(customer_id="client", value="amount", resolution="day")
    measured = clv.order_value_growth(rows, log_format=reading, year="365 days")
    A, B = np.log(1.1), np.log(30.0 / 7.0)
    assert measured.growth == pytest.approx(np.expm1((A + B) / 2.0), rel=1e-12)
    with pytest.raises(DataError, match="name their column"):
        clv.order_value_growth(rows, log_format=clv.LogFormat(customer_id="client"))
    with pytest.raises(DataError, match="2 customers or more"):
        clv.order_value_growth(rows[:3], log_format=reading)
    with pytest.raises(AssumptionError, match="year"):
        clv.order_value_growth(rows, log_format=reading, year="12 days")


def test_growth_moves_equity_as_the_assumption_does():
    table = pd.DataFrame({"customer_id": ["A", "B"], "frequency": [2, 0], "recency": [30.43, 0.0], "T": [38.86, 20.0]})
    rfm = clv.Histories.from_frame(table.assign(monetary_value=[30.0, np.nan]), unit="week")
    orders = clv.BGNBD().from_params({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, unit="week")
    book = clv.value(orders, 35.0, rfm, clv.Assumptions(discount_rate=0.15, margin=0.3))
    who, weeks, value = company(2_000, seed=1)
    measured = growth_within(who, weeks / 52.0, value)
    cases = measured.equity(book)
    net = book.assumptions.replace({"discount_rate": 1.15 / (1.0 + measured.growth) - 1.0})
    assert cases.loc["estimate", "equity"] == pytest.approx(book.with_assumptions(net).equity, rel=1e-9)
    assert cases.loc["none", "equity"] == book.equity
    with pytest.raises(AssumptionError, match="book is a valuation"):
        measured.equity(rfm)
