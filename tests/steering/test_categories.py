"""Value by category sums to the book, and is right where customers and their shares are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import clvmodels as clv
from clvmodels.data.category_counts import category_counts
from clvmodels.errors import AssumptionError, DataError
from clvmodels.steering.drivers.dirichlet import dirichlet_of_counts, log_likelihood, tallies

PARETO = {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}
ASSUMPTIONS = clv.Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks")
DELTA = np.log(1.15) / 52.0
ALPHA = np.array([1.2, 0.5, 0.2])
END = pd.Timestamp("2024-12-30")


def world(n, seed):
    """Return a log over 52 weeks, what happens in the 26 weeks after, and the true discounted orders by category."""
    g = np.random.default_rng(seed)
    rate = g.gamma(PARETO["r"], 1.0 / PARETO["alpha"], n)
    leaving = g.gamma(PARETO["s"], 1.0 / PARETO["beta"], n)
    lifetime = g.exponential(1.0, n) / leaving
    g.gamma(
        3.74, 1.0 / 15.44, n
    )  # mean order values, which count nowhere here: the draws are those of the figures below
    T = 52.0 - g.uniform(0.0, 12.0, n)
    shares = g.dirichlet(ALPHA, n)
    span = np.minimum(lifetime, T + 26.0)
    who = np.repeat(np.arange(n), g.poisson(rate * span))
    age = np.concatenate([np.zeros(n), g.random(len(who)) * span[who]])
    who = np.concatenate([np.arange(n), who])
    category = np.minimum((g.random(len(who))[:, None] > shares[who].cumsum(axis=1)).sum(axis=1), 2)
    true = (rate * (lifetime > T) / (leaving + DELTA)) @ shares
    days = pd.to_timedelta((age - T[who]) * 7.0, unit="D")
    rows = pd.DataFrame({"customer_id": who, "date": END + days, "category": np.array([*"abc"])[category], "age": age})
    past = rows["age"] <= T[who]
    return rows[past], rows[~past], true, T


@pytest.fixture(scope="module")
def company():
    return world(20_000, seed=11)


def histories_of(rows, T):
    """Return histories of rows from each customer's first one of them on; all are valued alike."""
    first = rows.groupby("customer_id")["age"].min()
    age = rows["age"] - rows["customer_id"].map(first)
    table = age.groupby(rows["customer_id"]).agg(frequency=lambda ages: float((ages > 0).sum()), recency="max")
    table["T"] = T[table.index] - first
    return clv.Histories.from_frame(table.reset_index(), unit="week", observation_end=str(END.date()))


def book_of(rows, T):
    histories = histories_of(rows, T)
    return clv.value(clv.ParetoNBD().fit(histories), 35.22, histories, ASSUMPTIONS)


@pytest.fixture(scope="module")
def by_category(company):
    past, _, _, T = company
    return clv.category_value(book_of(past, T), past, log_format=clv.LogFormat(unit="week"))


def test_the_likelihood_is_that_of_scipy_and_its_maximum_is_found():
    counts = np.random.default_rng(3).multinomial(7, [0.5, 0.3, 0.2], 40).astype(float)
    counts[:20] = np.random.default_rng(4).multinomial(3, [0.1, 0.1, 0.8], 20)
    total = counts.sum(axis=1)

    def reference(log_alpha):
        return stats.dirichlet_multinomial.logpmf(counts.astype(int), np.exp(log_alpha), total.astype(int)).sum()

    point = np.array([0.3, -0.4, 0.1])
    coefficient = stats.multinomial.logpmf(counts, total, np.full(3, 1 / 3)).sum() + total.sum() * np.log(3.0)
    value, gradient = log_likelihood(point, tallies(counts))
    assert value + coefficient == pytest.approx(reference(point), rel=1e-12)
    np.testing.assert_allclose(gradient, optimize.approx_fprime(point, reference, 1e-6), rtol=1e-4)
    best = optimize.minimize(
        lambda at: -reference(at), point, method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10}
    )
    np.testing.assert_allclose(dirichlet_of_counts(counts), np.exp(best.x), rtol=1e-5)


def test_value_by_category_sums_to_the_book(by_category):
    book = by_category.book
    np.testing.assert_allclose(by_category.customers.sum(axis=1), book.rlv, rtol=1e-12)
    assert by_category.table["value"].sum() == pytest.approx(book.equity, rel=1e-9)


def test_shares_are_recovered_and_discounted_orders_are_near_the_truth(company, by_category):
    np.testing.assert_allclose(by_category.alpha, ALPHA, rtol=0.06)
    true = company[2]
    predicted = by_category.table["discounted_orders"]
    assert predicted.sum() / true.sum() - 1.0 == pytest.approx(-0.016, abs=0.002)
    np.testing.assert_allclose(predicted, true, rtol=0.05)


def test_a_model_for_each_category_misses_a_fifth(company):
    past, _, true, T = company
    orders = sum(book_of(rows, T).future.D.sum() for _, rows in past.groupby("category"))
    assert orders / true.sum() - 1.0 == pytest.approx(-0.205, abs=0.005)


def test_who_buys_of_a_category_for_the_first_time(company, by_category):
    past, future, _, T = company
    past, future = (rows[rows["customer_id"] < 2_500] for rows in (past, future))
    book = by_category.book
    rows = clv.value(book.transactions, 35.22, histories_of(past, T), ASSUMPTIONS)
    adopters = clv.category_value(rows, past).next_category("26 weeks")
    bought = future[["customer_id", "category"]].drop_duplicates()
    both = adopters.merge(bought.assign(bought=1.0), how="left", on=["customer_id", "category"]).fillna({"bought": 0.0})
    assert both["probability"].is_monotonic_decreasing
    for _, rows in both.groupby("category"):
        sd = np.sqrt((rows["probability"] * (1.0 - rows["probability"])).sum())
        assert abs(rows["bought"].sum() - rows["probability"].sum()) < 3.5 * sd
    likely = both["probability"] >= both["probability"].quantile(0.8)
    assert both["bought"][likely].mean() > 2.0 * both["bought"][~likely].mean()


def test_margins_of_categories_value_the_book_anew(company):
    past, T = company[0], company[3]
    keep = past["customer_id"] < 300
    book, margins = book_of(past[keep], T), {"a": 0.30, "b": 0.45, "c": 0.15}
    with_costs = book.with_assumptions(book.assumptions.replace({"order_cost": 1.5, "tax": 0.2}))
    result = clv.category_value(with_costs, past[keep], margins=margins)
    shares, future = result.shares.to_numpy(), book.future
    by_hand = shares * (future.D * future.Z)[:, None] * np.array([0.30, 0.45, 0.15]) - shares * 1.5 * future.D[:, None]
    np.testing.assert_allclose(result.customers, 0.8 * by_hand, rtol=1e-10)
    assert result.table["value"].sum() == pytest.approx(result.book.equity, rel=1e-9)
    with pytest.raises(AssumptionError, match="margin of 'c' is missing"):
        clv.category_value(book, past[keep], margins={"a": 0.3, "b": 0.4})
    with pytest.raises(AssumptionError, match="category"):
        clv.category_value(book, past[keep], margins={**margins, "d": 0.4})
    with pytest.raises(AssumptionError, match="share"):
        clv.category_value(book, past[keep], margins={**margins, "c": 1.4})


def log(**columns):
    return pd.DataFrame({"date": pd.date_range("2024-01-01", periods=len(columns["customer_id"])), **columns})


def test_counts_are_of_occasions_without_those_that_were_refunded():
    rows = log(
        customer_id=[*"AAAABB"], category=["x", "x", "y", "y", "x", None], value=[10.0, 5.0, 8.0, -8.0, 3.0, 4.0]
    )
    rows.loc[1, "date"] = rows.loc[0, "date"]  # one occasion
    counts = category_counts(clv.LogFormat(value="value", resolution="day"), rows, "category", None)
    assert counts.to_dict("index") == {"A": {"x": 1.0}, "B": {"x": 1.0}}
    without = category_counts(clv.LogFormat(resolution="day"), rows, "category", "2024-01-03")
    assert without.to_dict("index") == {"A": {"x": 1.0, "y": 1.0}}


def test_logs_that_say_too_little_are_refused():
    table = pd.DataFrame({"customer_id": ["A", "B"], "frequency": [1, 0], "recency": [10, 0], "T": [30, 20]})
    rfm = clv.Histories.from_frame(table, unit="week")
    book = clv.value(clv.ParetoNBD().from_params(PARETO, unit="week"), 35.22, rfm, ASSUMPTIONS)
    with pytest.raises(DataError, match="lacks 1 customer"):
        clv.category_value(book, log(customer_id=["A"], category=["x"]))
    with pytest.raises(DataError, match="two categories"):
        clv.category_value(book, log(customer_id=["A", "B"], category=["x", "x"]))
    with pytest.raises(DataError, match="kind"):
        clv.category_value(book, log(customer_id=["A", "B"], category=["x", "x"]), category="kind")
    with pytest.raises(AssumptionError, match="book is a valuation"):
        clv.category_value(rfm, log(customer_id=["A", "B"], category=["x", "y"]))
