"""The revenue of existing and new customers: simulated companies whose next year is known, parts, and refusals."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import AssumptionError, FitError
from clvmodels.evaluation.new_totals import Cohorts, new_totals
from clvmodels.valuation.acquisition import acquisition

START = pd.Timestamp("2020-01-01")
ASSUMPTIONS = clv.Assumptions(discount_rate=0.1, margin=0.3, currency="EUR")
PARETO = {"r": 0.9, "alpha": 9.0, "s": 0.7, "beta": 25.0}
GAMMA = {"p": 6.0, "q": 4.0, "v": 30.0}


def company(seed: int, *, years: int = 4, level: float = 12.0) -> pd.DataFrame:
    """A log of customers whose number grows and has a season; each buys at their own rate until they leave."""
    generator = np.random.default_rng(seed)
    month = np.arange(12 * years)
    season = 0.3 * np.sin(2.0 * np.pi * (month + generator.integers(12)) / 12.0)
    rate = level * np.exp(generator.normal(0.1, 0.2) * month / 12.0 + season)
    new = generator.poisson(rate * generator.gamma(50.0, 1.0 / 50.0, len(month)))
    come = np.repeat(month, new) * 365.25 / 12.0 + generator.uniform(0.0, 365.25 / 12.0, new.sum())
    end = years * 365.25
    buys = generator.gamma(PARETO["r"], 1.0 / PARETO["alpha"], len(come)) / 7.0
    stays = 7.0 * generator.exponential(1.0 / generator.gamma(PARETO["s"], 1.0 / PARETO["beta"], len(come)))
    span = np.minimum(stays, end - come)
    repeat = np.repeat(np.arange(len(come)), generator.poisson(buys * span))
    owner = np.concatenate([np.arange(len(come)), repeat])
    day = np.concatenate([come, come[repeat] + generator.random(len(repeat)) * span[repeat]])
    mean = GAMMA["p"] * GAMMA["v"] / generator.gamma(GAMMA["q"], size=len(come))
    amount = generator.gamma(GAMMA["p"], size=len(owner)) * mean[owner] / GAMMA["p"]
    table = pd.DataFrame({"customer_id": owner, "date": START + pd.to_timedelta(day, unit="D"), "amount": amount})
    return table.sort_values("date", ignore_index=True)


@cache
def next_year(seed: int, draws: int = 200) -> tuple[clv.RevenueForecast, pd.DataFrame, clv.Book]:
    """The forecast of the fourth year from the first three, and what came."""
    log = company(seed)
    rfm = clv.rfm_summary(log, value="amount", unit="week", observation_end="2022-12-31")
    book = clv.value(clv.ParetoNBD().fit(rfm), clv.GammaGamma().fit(rfm), rfm, ASSUMPTIONS)
    came = log[(log["date"] >= "2023-01-01") & (log["date"] < "2024-01-01")]
    return clv.revenue_forecast(book, draws=draws, seed=seed), came, book


def inside(seed: int, draws: int = 200) -> tuple[bool, bool, bool]:
    """Whether revenue in all, that of existing, and that of new customers lie within their 90 % intervals."""
    plan, came, book = next_year(seed, draws)
    old = came["customer_id"].isin(book.histories.customer_id)
    truth = {"total": came["amount"].sum(), "existing": came["amount"][old].sum(), "new": came["amount"][~old].sum()}
    row = plan.to_frame().loc["total"]
    total, existing, new = (bool(row[f"{name}_low"] <= value <= row[f"{name}_high"]) for name, value in truth.items())
    return total, existing, new


def test_the_coverage_of_next_year() -> None:
    """Of 6 companies, within three standard errors of a binomial distribution of nine tenths."""
    shares = np.mean([inside(seed, 100) for seed in range(6)], axis=0)
    assert (shares >= 0.9 - 3.0 * np.sqrt(0.09 / 6.0)).all()


@pytest.mark.slow  # 190 seconds
def test_the_coverage_of_next_year_of_many_companies() -> None:
    """Of 100 companies, .88 in all, .90 of existing and .88 of new customers."""
    shares = np.mean([inside(seed) for seed in range(100)], axis=0)
    assert ((shares >= 0.85) & (shares <= 0.95)).all()


def test_parts_add_up_and_quarters_are_those_of_the_calendar() -> None:
    plan, _, book = next_year(7)
    table = plan.to_frame()
    assert table.index.tolist() == ["2023-01-01", "2023-04-01", "2023-07-01", "2023-10-01", "total"]
    np.testing.assert_allclose(table["existing"] + table["new"], table["total"])
    for name in ("existing", "new", "total", "new_customers"):
        assert table[name].iloc[:-1].sum() == pytest.approx(table.loc["total", name])
    assert table["new"].iloc[0] < table["new"].iloc[3]
    year = (pd.Timestamp("2024-01-01") - pd.Timestamp("2023-01-01")).days / 7.0
    expected = book.transactions.expected_purchases(book.histories, year)["mean"]  # type: ignore[union-attr]
    revenue = (expected * book.spend.expected_spend(book.histories)["mean"]).sum()
    assert table.loc["total", "existing"] == pytest.approx(revenue, rel=0.03)  # the plan averages over parameters
    assert "of customers still to come" in str(plan)
    months = clv.revenue_forecast(book, periods=12, period="month", draws=200, seed=7)
    assert months.expected_new.sum() == pytest.approx(plan.expected_new.sum(), rel=0.02)


def test_new_customers_do_what_the_story_says() -> None:
    """The totals of a given number of newcomers, against a simulation of each of them."""
    fit, spend = clv.ParetoNBD().from_params(PARETO, unit="week"), clv.GammaGamma().from_params(GAMMA)
    edges = np.array([0.0, 26.0, 52.0])
    days = pd.DatetimeIndex(["2023-04-01", "2023-10-01"])
    first = np.array([10.0, 30.0])
    cohorts = Cohorts(np.full((300, 2), [400.0, 800.0]), edges, days)
    totals = new_totals([(fit, 1.0)], spend, cohorts, first, edges[1:], seed=1, draws=300)
    generator = np.random.default_rng(2)
    orders, revenue = np.zeros((300, 2)), np.zeros((300, 2))
    for k in range(300):
        come = np.repeat(edges[:2], [400, 800]) + generator.uniform(0.0, 26.0, 1200)
        rate = generator.gamma(PARETO["r"], 1.0 / PARETO["alpha"], 1200)
        stays = generator.exponential(1.0 / generator.gamma(PARETO["s"], 1.0 / PARETO["beta"], 1200))
        span = np.minimum(stays, 52.0 - come)
        owner = np.repeat(np.arange(1200), generator.poisson(rate * span))
        time = np.concatenate([come, come[owner] + generator.random(len(owner)) * span[owner]])
        mean = GAMMA["p"] * GAMMA["v"] / generator.gamma(GAMMA["q"], size=1200)
        repeats = generator.gamma(GAMMA["p"], size=len(owner)) * mean[owner] / GAMMA["p"]
        values = np.concatenate([generator.choice(first, 1200), repeats])
        late = (time >= 26.0).astype(int)
        orders[k], revenue[k] = np.bincount(late, minlength=2), np.bincount(late, values, 2)
    for simulated, known, expected in (
        (orders, totals.orders, totals.expected_orders),
        (revenue, totals.revenue, totals.expected_revenue),
    ):
        error = simulated.std(axis=0, ddof=1) / np.sqrt(300.0)
        assert (np.abs(simulated.mean(axis=0) - expected) < 4.0 * error + 0.003 * expected).all()
        sd = known.std(axis=0, ddof=1)
        assert sd == pytest.approx(np.sqrt(simulated.var(axis=0) + _of_first(known is totals.revenue)), rel=0.2)


def _of_first(revenue: bool) -> np.ndarray:
    """Return what not knowing the mean of first orders from two of them adds to the variance of revenue."""
    return np.square(np.array([400.0, 800.0]) * np.sqrt(200.0 / 2.0)) if revenue else np.zeros(2)


def test_dynamic_equity_is_static_and_what_is_still_to_come() -> None:
    _, _, book = next_year(3, 100)
    book = book.with_assumptions(ASSUMPTIONS.replace({"acquisition_cost": 20.0}))
    coming = clv.acquisition_forecast(book.histories, 24, draws=500)
    dynamic = acquisition(book, coming)
    years = coming.draws.reshape(500, 2, 12).sum(axis=2)
    net = book.new_customer.lifetime_value * 1.1 ** -np.array([0.5, 1.5])
    assert dynamic.future == pytest.approx(years.mean(axis=0) @ net, rel=1e-9)
    assert dynamic.dynamic == pytest.approx(book.equity + dynamic.future)
    assert dynamic.future_interval is not None
    assert dynamic.future_interval.low == pytest.approx(np.quantile(years @ net, 0.05), rel=1e-9)
    assert acquisition(book, [100.0]).future_interval is None
    with pytest.raises(AssumptionError, match="by whole years"):
        acquisition(book, clv.acquisition_forecast(book.histories, 9))


def test_what_is_refused() -> None:
    _, _, book = next_year(3, 100)
    rfm = book.histories
    with pytest.raises(AssumptionError, match="acquisitions are forecast for 6 months by month, and revenue is for 12"):
        clv.revenue_forecast(book, clv.acquisition_forecast(rfm, 6))
    with pytest.raises(FitError, match="periods"):
        clv.revenue_forecast(book, periods=21)
    earlier = clv.rfm_summary(company(3), value="amount", unit="week", observation_end="2022-11-30")
    with pytest.raises(AssumptionError, match="make the forecast of the histories of the book"):
        clv.revenue_forecast(book, clv.acquisition_forecast(earlier, 12))
    table = pd.DataFrame({"customer_id": ["a"], "start": ["2020-01-01"]}).assign(end=None)
    contracts = clv.contract_summary(table, observation_end="2022-12-31")
    fit = clv.SBG().from_params({"gamma": 0.764, "delta": 1.296}, unit="year")
    with pytest.raises(AssumptionError, match="a book of contracts"):
        clv.revenue_forecast(clv.value(fit, 10.0, contracts, ASSUMPTIONS))
