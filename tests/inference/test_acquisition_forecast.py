"""New customers still to come: simulated companies of known growth and season, groups, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import clvmodels as clv
from clvmodels.errors import DataError, FitError
from clvmodels.models.arrivals import Arrivals, arrivals_posterior

END = "2023-12-31"


def numbers(seed: int, months: int) -> np.ndarray:
    """New customers by month: growth or a logistic curve, a high season, and shocks that fade; then a year more."""
    generator = np.random.default_rng(seed)
    t = np.arange(months + 12)
    peak = np.zeros(12)
    peak[generator.integers(12)] = np.log1p(generator.uniform(0.2, 0.8))
    season = np.tile(peak, months // 12 + 2)[: months + 12] + 0.15 * np.sin(2.0 * np.pi * t / 12.0)
    if seed % 2:
        trend = generator.normal(0.15, 0.25) * (t - months) / 12.0
    else:
        away = np.abs(generator.uniform(0.05, 0.15) * (t - generator.uniform(0.5, 1.6) * months))
        trend = -away - 2.0 * np.log1p(np.exp(-away))
        trend -= trend.max()
    shock, steps = np.zeros(months + 12), generator.normal(0.0, 0.06, months + 12)
    for month in range(1, months + 12):
        shock[month] = 0.6 * shock[month - 1] + steps[month]
    level = np.exp(generator.uniform(np.log(30.0), np.log(200.0)))
    return generator.poisson(level * np.exp(season + trend + shock))


def histories(by_month: np.ndarray, **columns: np.ndarray) -> clv.Histories:
    """Customers who came in the months up to `END`, each on a day of its own month."""
    first = pd.Period(END, "M") - len(by_month) + 1
    month = np.repeat(np.arange(len(by_month)), by_month)
    days = np.concatenate([np.arange(number) % 28 for number in by_month])
    date = pd.DatetimeIndex([(first + int(m)).start_time for m in month]) + pd.to_timedelta(days, unit="D")
    age = (pd.Timestamp(END) - date).days / 7.0
    zero = np.zeros(len(date))
    statistics = {"x": zero, "t_x": zero, "T": np.asarray(age), "mean": np.full(len(date), np.nan)}
    attributes = pd.DataFrame({"first_purchase": date, **columns})
    rows = clv.Histories.of_arrays(attributes.index, statistics, unit="week", attributes=attributes)
    return replace(rows, observation_end=pd.Timestamp(END))


def coverage(seeds: range) -> float:
    """The share of companies whose next year lies within its 90 % interval."""
    inside = []
    for seed in seeds:
        months = 30 + seed % 5 * 6
        truth = numbers(seed, months)
        forecast = clv.acquisition_forecast(histories(truth[:months]), 12, seed=seed)
        low, high = np.quantile(forecast.draws.sum(axis=1), [0.05, 0.95])
        inside.append(low <= truth[months:].sum() <= high)
    return float(np.mean(inside))


def test_the_coverage_of_next_year() -> None:
    """Of 6 companies, within three standard errors of a binomial distribution of nine tenths."""
    assert coverage(range(6)) >= 0.9 - 3.0 * np.sqrt(0.09 / 6.0)


@pytest.mark.slow  # 110 seconds
def test_the_coverage_of_next_year_of_many_companies() -> None:
    assert 0.85 <= coverage(range(100)) <= 0.95


def test_steady_poisson_arrivals_have_poisson_intervals() -> None:
    """Without growth, season or drift little more than chance is left: the interval is nearly that of a Poisson."""
    by_month = np.random.default_rng(7).poisson(100.0, 120)
    forecast = clv.acquisition_forecast(histories(by_month), 12, seed=1)
    low, high = stats.poisson(12 * by_month.mean()).ppf([0.05, 0.95])
    mean, forecast_low, forecast_high = forecast.summed().loc["total"]
    assert mean == pytest.approx(12 * by_month.mean(), rel=0.04)
    assert 1.0 <= (forecast_high - forecast_low) / (high - low) < 4.0
    assert forecast.curves["steady level"] > 0.5


def test_growth_and_season_are_recovered() -> None:
    t = np.arange(60)
    by_month = np.random.default_rng(3).poisson(
        200.0 * np.exp(0.30 * (t - 60) / 12.0) * np.where(t % 12 == 11, 2.0, 1.0)
    )
    forecast = clv.acquisition_forecast(histories(by_month), 12, seed=1)
    assert np.median(np.log1p(forecast.growth)) == pytest.approx(0.30, abs=0.10)
    table = forecast.to_frame()
    assert table.index[0] == pd.Timestamp("2024-01-01")
    assert table["mean"].idxmax() == pd.Timestamp("2024-12-01")
    assert table["mean"].iloc[11] / table["mean"].iloc[10] == pytest.approx(2.0, rel=0.12)
    assert forecast.curves["steady level"] < 0.05
    assert "a year" in str(forecast)


def test_the_mode_is_the_maximum_and_weights_are_near_the_exact_ones() -> None:
    """The marginal likelihood of a level alone, by Laplace's method and by quadrature over its one parameter."""
    y = np.array([3.0, 5.0, 4.0, 6.0, 2.0, 5.0])
    arrivals = Arrivals(y, np.full(6, 1.0 / 12.0), (np.arange(6) - 5.5) / 12.0, np.arange(6), 12)
    known = arrivals_posterior(arrivals)
    flat = min(known.modes, key=lambda mode: (mode.hyper.curve.kind != "steady level", mode.hyper[1:]))
    assert flat.hyper[1:] == (0.02, 0.08, 1e-6)
    level = np.linspace(-1.0, 8.0, 4_001)
    effects = np.random.default_rng(1).standard_normal((2_000, 6))
    rate = np.exp(level[:, None] - np.log(12.0))
    # season of 0.08 and a walk of 0.02 a year hardly move six months: integrate over the season by simulation
    moved = rate[:, None, :] * np.exp(0.08 * effects[None, :200])
    likelihood = np.exp(stats.poisson.logpmf(y, moved).sum(axis=-1)).mean(axis=1)
    prior = stats.norm.pdf(level, np.log((y.sum() + 0.5) / 0.5), 4.0)
    exact = np.log(np.trapezoid(likelihood * prior, level))
    assert flat.log_weight - flat.hyper.log_prior == pytest.approx(exact, abs=0.03)


def test_groups_add_up_to_the_total() -> None:
    generator = np.random.default_rng(5)
    by_month = generator.poisson(90.0, 36)
    channel = generator.choice(["shop", "web"], by_month.sum(), p=[0.3, 0.7])
    rfm = histories(by_month, channel=channel)
    forecast = clv.acquisition_forecast(rfm, 4, period="quarter", by="channel", seed=2)
    assert forecast.groups == ("shop", "web", "total")
    np.testing.assert_allclose(forecast.of("shop") + forecast.of("web"), forecast.draws)
    alone = clv.acquisition_forecast(rfm, 4, period="quarter", seed=2)
    assert forecast.summed().loc["total", "mean"] == pytest.approx(alone.summed().loc["total", "mean"], rel=0.05)
    assert forecast.summed().loc["shop", "mean"] / forecast.summed().loc["total", "mean"] == pytest.approx(
        0.3, abs=0.05
    )
    assert forecast.to_frame().loc[("web", pd.Timestamp("2024-01-01")), "end"] == pd.Timestamp("2024-04-01")
    assert forecast.observed["total"].sum() == by_month.sum()
    again = clv.acquisition_forecast(rfm, 4, period="quarter", by="channel", seed=2)
    np.testing.assert_array_equal(again.numbers, forecast.numbers)


def test_a_company_that_stopped_says_so() -> None:
    forecast = clv.acquisition_forecast(histories(np.repeat([80, 0], [18, 12])), 12)
    assert forecast.summed().loc["total", "mean"] < 100.0
    assert "Nobody has come in the last 12 months" in str(forecast)


def test_since_leaves_out_customers_of_long_standing() -> None:
    by_month = np.r_[900, np.full(35, 50)]
    whole, later = (clv.acquisition_forecast(histories(by_month), 12, since=since) for since in (None, "2021-02-01"))
    assert len(whole.observed) == 36
    assert len(later.observed) == 35
    assert later.summed().loc["total", "mean"] == pytest.approx(600.0, rel=0.05)


def test_what_is_refused() -> None:
    rfm = histories(np.full(36, 10))
    for wrong in (0, 61, 1.5):
        with pytest.raises(FitError, match="periods"):
            clv.acquisition_forecast(rfm, wrong)  # type: ignore[arg-type]
    with pytest.raises(FitError, match="unknown period"):
        clv.acquisition_forecast(rfm, period="week")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="unknown column of the customers"):
        clv.acquisition_forecast(rfm, by="channel")
    with pytest.raises(DataError, match="6 whole quarters"):
        clv.acquisition_forecast(histories(np.full(9, 10)), period="quarter")
    table = pd.DataFrame({"customer_id": [1], "frequency": [1], "recency": [2], "T": [5]})
    bare = clv.Histories.from_frame(table, unit="week", observation_end=END)
    with pytest.raises(DataError, match="when they first bought"):
        clv.acquisition_forecast(bare)
    forecast = clv.acquisition_forecast(rfm, 3)
    with pytest.raises(FitError, match="probability"):
        forecast.to_frame(1.0)
    with pytest.raises(DataError, match="group of new customers"):
        forecast.of("web")
