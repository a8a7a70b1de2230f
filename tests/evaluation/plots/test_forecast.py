"""Futures of all customers have the means and variances of independent customers, and the fan their quantiles."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import DataError, FitError, UnitError
from clvmodels.inference.future_totals import future_totals
from tests.inference.example_fits import BG, PARETO, around, bg, by_segment, pareto

FUTURES = 2_000
ENDS = np.array([13.0, 26.0, 39.0])


@pytest.fixture(scope="module")
def log():
    everybody = clv.datasets.load_cdnow(sample=True)
    return everybody[everybody["customer_id"].isin(everybody["customer_id"].unique()[::6])]


@pytest.fixture(scope="module")
def rfm(log):
    return clv.rfm_summary(log, unit="week", resolution="day", observation_end="1997-09-30")


@pytest.fixture(scope="module")
def seasonal(rfm):
    return clv.BGNBD(calendar=clv.Calendar.seasons({"summer": ("06-01", "07-31")})).fit(rfm)


def moments(fit, rfm, t, most=60):
    """Return mean and variance of the sum of independent customers, of each one's distribution of counts."""
    counts = np.arange(most)
    chances = np.column_stack([fit.probability_of_purchases(rfm, t, int(n))["mean"] for n in counts])
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, atol=1e-5)
    each = chances @ counts
    return each.sum(), (chances @ counts**2 - each**2).sum()


@pytest.mark.parametrize("name", ["bg", "pareto", "seasonal"])
def test_futures_have_the_moments_of_independent_customers(name, rfm, seasonal):
    fit = {"bg": bg, "pareto": pareto, "seasonal": seasonal}[name]
    totals = future_totals(fit, rfm, ENDS, FUTURES, seed=1).cumsum(axis=1)
    for k, end in enumerate(ENDS[[0, 2]].tolist()):
        mean, variance = moments(fit, rfm, end)
        simulated = totals[:, 2 * k]
        assert abs(simulated.mean() - mean) < 4.0 * np.sqrt(variance / FUTURES)
        assert abs(simulated.var() / variance - 1.0) < 4.0 * np.sqrt(2.0 / FUTURES)


def test_periods_of_a_future_belong_together(rfm):
    """Who has left buys in no later period, and who buys often does so in all: periods are correlated."""
    totals = future_totals(pareto, rfm, ENDS, FUTURES, seed=2)
    apart = totals.var(axis=0).sum()
    assert totals.sum(axis=1).var() > 1.1 * apart


def test_draws_of_the_parameters_widen_the_futures(rfm):
    drawn = clv.BGNBD().from_params(around(BG, sd=0.2), unit="week")
    points = [clv.BGNBD().from_params(dict(zip(BG, theta, strict=True)), unit="week") for theta in drawn.draws.tolist()]
    means = [float(fit.total_purchases(rfm, 39.0)["mean"]) for fit in points]
    _, variance = moments(bg, rfm, 39.0)
    totals = future_totals(drawn, rfm, ENDS, FUTURES, seed=3).sum(axis=1)
    assert totals.var() == pytest.approx(np.var(means) + variance, rel=0.15)
    assert totals.mean() == pytest.approx(np.mean(means), rel=0.01)


def test_segments_have_their_own_parameters(rfm):
    attributes = pd.DataFrame({"segment": np.where(np.arange(len(rfm)) % 2, "A", "B")})
    table = rfm.to_frame().reset_index()[["customer_id", "frequency", "recency", "T"]]
    histories = clv.Histories.from_frame(table.assign(**attributes), unit="week")
    other = clv.BGNBD().from_params({**BG, "r": 2.0}, unit="week")
    fit = by_segment({"A": bg, "B": other})
    totals = future_totals(fit, histories, ENDS, 400, seed=4).sum(axis=1)
    expected = fit.total_purchases(histories, 39.0)["mean"]
    assert abs(totals.mean() - expected) < 4.0 * totals.std() / 20.0


def test_the_fan_is_the_quantiles_of_the_futures(rfm):
    fits = {"BG": bg, "Pareto": pareto}
    ax, table = clv.plots.forecast_fan(fits, rfm, "32 weeks", period="13 weeks", futures=200, seed=5, return_data=True)
    ends = np.array([13.0, 26.0, 32.0])
    for name, fit in fits.items():
        rows = table[table["model"] == name]
        np.testing.assert_array_equal(rows["end"], ends)
        futures = future_totals(fit, rfm, ends, 200, seed=5).cumsum(axis=1)
        quantiles = np.quantile(futures, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0).T
        np.testing.assert_array_equal(rows[["lower", "lower_50", "median", "upper_50", "upper"]], quantiles)
        expected = [fit.expected_purchases(rfm, end)["mean"].sum() for end in ends.tolist()]
        np.testing.assert_allclose(rows["expected"], expected, rtol=1e-9)
        line = next(line for line in ax.get_lines() if line.get_label() == f"{name}, median")
        np.testing.assert_array_equal(line.get_ydata(), rows["median"])
    assert table["date"].iloc[0] == pd.Timestamp("1997-12-31")
    assert ax.get_xlabel() == "Date"


def test_by_period_what_is_expected_adds_up(rfm):
    options = {"period": "13 weeks", "futures": 50, "return_data": True}
    _, cumulative = clv.plots.forecast_fan(pareto, rfm, "39 weeks", **options)
    _, by_period = clv.plots.forecast_fan(pareto, rfm, "39 weeks", kind="incremental", **options)
    np.testing.assert_allclose(by_period["expected"].cumsum(), cumulative["expected"], rtol=1e-12)
    assert (by_period["upper"].iloc[1:] < cumulative["lower"].iloc[1:]).all()


def test_without_an_end_of_observation_time_is_counted(rfm):
    table = rfm.to_frame().reset_index()[["customer_id", "frequency", "recency", "T"]]
    histories = clv.Histories.from_frame(table, unit="week")
    ax, data = clv.plots.forecast_fan(pareto, histories, "26 weeks", period="13 weeks", futures=20, return_data=True)
    assert ax.get_xlabel() == "Weeks after the end of observation"
    assert data["date"].isna().all()


def test_what_cannot_be_drawn_is_refused(rfm, log):
    with pytest.raises(DataError, match="kind"):
        clv.plots.forecast_fan(bg, rfm, kind="weekly")
    with pytest.raises(DataError, match="a forecast has 1 to 1,000 periods, got 4 in periods of 13"):
        clv.plots.forecast_fan(bg, rfm, "4 weeks", period="13 weeks")
    with pytest.raises(FitError, match="futures"):
        clv.plots.forecast_fan(bg, rfm, futures=0)
    with pytest.raises(DataError, match="histories are expected here"):
        clv.plots.forecast_fan(bg, log)
    with pytest.raises(UnitError):
        clv.plots.forecast_fan(clv.ParetoNBD().from_params(PARETO, unit="day"), rfm)
