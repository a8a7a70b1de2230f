"""What looks back on customers under a fit with a calendar: paths of P(alive), replications, maps of histories."""

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.data.calendar import Calendar
from clvmodels.data.events import purchase_occasions
from clvmodels.errors import FitError
from clvmodels.evaluation.aggregate_fit import frequency_fit
from clvmodels.inference.hypothetical import alive_by_history, purchases_by_history
from clvmodels.inference.p_alive_path import p_alive_path
from clvmodels.inference.predictive import replicated_by_fit, replicated_by_priors
from clvmodels.models.clocked import counts_until_now
from tests.inference.test_calendar_fit import END, WEEKS, normalised, purchases_of, weekly_calendar

OPTIONS = {"resolution": "day", "observation_end": END}


@pytest.fixture(scope="module")
def log():
    return purchases_of(1_000, normalised(weekly_calendar()), 11, (0.0, WEEKS - 1.0), "at purchases")


@pytest.fixture(scope="module", params=["BGNBD", "MBGNBD", "ParetoNBD"])
def fit(request, log):
    calendar = Calendar.from_frame(weekly_calendar(), columns=["high_season", "price"], periodic=True)
    rfm = clv.rfm_summary(log, unit="week", **OPTIONS)
    return getattr(clv, request.param)(calendar=calendar).fit(rfm)


def test_a_path_is_that_of_the_log_as_it_stood(fit, log):
    busy = log["customer_id"].value_counts().index[3]
    own = log[log["customer_id"] == busy]
    table = p_alive_path(fit, purchase_occasions(own, customers=[busy], unit="week", **OPTIONS), ahead=10.0)
    observed = table[table["part"] == "observed"].drop_duplicates("age", keep="last")
    whole = observed[np.isclose(observed["age"] * 7.0 % 1.0, 0.0) & (observed["age"] > 0.0)]
    assert len(whole) > 3
    for _, row in whole.iloc[:: len(whole) // 4].iterrows():
        then = clv.rfm_summary(own, unit="week", resolution="day", observation_end=row["date"])
        assert then.frequency[0] == row["frequency"]
        assert row["mean"] == pytest.approx(fit.probability_alive(then)["mean"].iloc[0], rel=1e-8)
    ahead = table[table["part"] == "ahead"]
    now = clv.rfm_summary(own, unit="week", **OPTIONS)
    assert ahead["mean"].iloc[-1] == pytest.approx(fit.probability_alive(now, "10 weeks")["mean"].iloc[0], rel=1e-8)


def test_replications_of_the_past_have_the_mean_of_the_model(fit):
    theta = np.broadcast_to(fit.estimate, (200_000, len(fit.estimate)))
    zero = np.zeros(1)
    for age in (9.0, 60.0):
        counts = counts_until_now(fit.model, theta, np.full(200_000, age), np.random.default_rng(2))
        then = fit.earlier(age).model
        mean = then.p_alive(fit.estimate, zero, zero, zero) * then.expected_purchases(
            fit.estimate, zero, zero, np.array([age])
        )
        assert counts.mean() == pytest.approx(mean[0], abs=4.0 * counts.std() / np.sqrt(200_000))


def test_a_posterior_predictive_check_agrees_with_the_log_it_was_fitted_to(log):
    rfm = clv.rfm_summary(log, unit="week", **OPTIONS)
    fit = clv.BGNBD(calendar=Calendar.from_frame(weekly_calendar())).fit(rfm)
    shares = replicated_by_fit(fit, rfm, most=4, draws=100, seed=1).shares
    actual = np.bincount(np.minimum(rfm.frequency.astype(int), 4), minlength=5) / len(rfm)
    assert np.abs(shares.mean(axis=0) - actual).max() < 0.04


def test_maps_of_histories_are_of_now(fit, log):
    rfm = clv.rfm_summary(log, unit="week", **OPTIONS)
    grid = alive_by_history(fit, T=39.0, most=2, steps=3, after="4 weeks")
    assert purchases_by_history(fit, "10 weeks", T=39.0, most=2, steps=3)["expected_purchases"].gt(0.0).all()
    table = pd.DataFrame({"customer_id": range(len(grid)), **grid[["frequency", "recency", "T"]]})
    same = clv.Histories.from_frame(table, unit="week", observation_end=rfm.observation_end)
    np.testing.assert_allclose(grid["probability_alive"], fit.probability_alive(same, "4 weeks")["mean"], rtol=1e-9)


def test_a_prior_predictive_check_has_the_multipliers(log):
    """Large multipliers move purchases into the season, which not all customers were there for."""
    rfm = clv.rfm_summary(log, unit="week", **OPTIONS)
    calendar = Calendar.from_frame(weekly_calendar(), columns=["high_season"], periodic=True)

    def bought(multiplier):
        prior = {"multiplier_of_high_season": {"dist": "LogNormal", "mu": np.log(multiplier), "sigma": 0.01}}
        replicated = replicated_by_priors(clv.BGNBD(calendar=calendar, priors=prior), rfm, most=1, draws=200, seed=1)
        return replicated.shares[:, 1].mean()

    plain = replicated_by_priors(clv.BGNBD(), rfm, most=1, draws=200, seed=1).shares[:, 1].mean()
    assert bought(1.0) == pytest.approx(plain, abs=0.05)
    assert abs(bought(20.0) - bought(1.0)) > 0.01


def test_the_fit_of_frequencies_refuses_a_calendar(fit, log):
    with pytest.raises(FitError, match="the fit of frequencies follows customers from their own start"):
        frequency_fit(fit, clv.rfm_summary(log, unit="week", **OPTIONS))
