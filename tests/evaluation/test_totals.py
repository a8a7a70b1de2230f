"""Draws of totals against sums of distributions by customer, and what they vary by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import clvmodels as clv
from clvmodels.errors import FitError
from clvmodels.evaluation import totals
from clvmodels.evaluation.totals import aic_weights, drawn_totals, named_weights
from tests.evaluation.stories import CDNOW

FIT = clv.BGNBD().from_params(CDNOW["BG/NBD"], unit="week")
SPEND = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
DRAWS = 2_000
SD_OF_SD = 1.0 / np.sqrt(2.0 * DRAWS)


@pytest.fixture(scope="module")
def rfm():
    log = clv.datasets.load_cdnow(sample=True)
    return clv.rfm_summary(log, value="amount", resolution="day", observation_end="1997-09-30")


def variance(fit, rfm, t: float) -> float:
    """Return the variance of the total from the probabilities of each customer's numbers of purchases."""
    numbers = np.arange(120)
    pmf = np.column_stack([fit.probability_of_purchases(rfm, t, int(n))["mean"] for n in numbers])
    assert pmf.sum(axis=1).min() > 1.0 - 1e-6
    return float((pmf @ numbers**2 - (pmf @ numbers) ** 2).sum())


def test_the_process_has_the_variance_of_the_distributions(rfm):
    drawn = drawn_totals([(FIT, 1.0)], None, rfm, np.array([39.0]), seed=1, draws=DRAWS)
    mean, sd = FIT.expected_purchases(rfm, 39.0)["mean"].sum(), np.sqrt(variance(FIT, rfm, 39.0))
    assert drawn.expected_orders[0] == pytest.approx(mean, rel=1e-12)
    assert abs(drawn.orders.mean() - mean) < 4.0 * sd / np.sqrt(DRAWS)
    assert drawn.orders.std() == pytest.approx(sd, rel=4.0 * SD_OF_SD)
    assert drawn.includes == "process"
    assert np.isnan(drawn.revenue).all()


def test_some_customers_stand_for_all(rfm, monkeypatch):
    monkeypatch.setattr(totals, "MOST_CUSTOMERS", 600)
    drawn = drawn_totals([(FIT, 1.0)], SPEND, rfm, np.array([13.0, 39.0]), seed=1, draws=DRAWS).summed()
    expected, value = FIT.expected_purchases(rfm, 39.0)["mean"], SPEND.expected_spend(rfm)["mean"]
    assert drawn.expected_orders[0] == pytest.approx(expected.sum(), rel=1e-12)
    assert drawn.expected_revenue[0] == pytest.approx((expected * value).sum(), rel=1e-12)
    assert drawn.orders.std() == pytest.approx(np.sqrt(variance(FIT, rfm, 39.0)), rel=0.08)


def test_revenue_has_the_mean_and_the_variance_of_compound_sums(rfm):
    """Given nu, an order has mean p/nu and variance p/nu^2, with nu ~ Gamma(q + px, v + x mean) of each customer."""
    drawn = drawn_totals([(FIT, 1.0)], SPEND, rfm, np.array([39.0]), seed=2, draws=DRAWS)
    x, p = rfm.frequency, 6.25
    a, b = 3.74 + p * x, 15.44 + np.where(x > 0, x * rfm.monetary_value, 0.0)
    known = np.isfinite(b)
    assert known.mean() > 0.99
    m1, m2 = p * b / (a - 1.0), b**2 / ((a - 1.0) * (a - 2.0))  # E[p/nu], E[1/nu^2]
    numbers = np.arange(120)
    pmf = np.column_stack([FIT.probability_of_purchases(rfm, 39.0, int(n))["mean"] for n in numbers])
    ex, ex2 = pmf @ numbers, pmf @ numbers**2
    mean, var = (ex * m1).sum(), (ex * p * m2 + ex2 * p**2 * m2 - (ex * m1) ** 2).sum()
    assert drawn.expected_revenue[0] == pytest.approx(mean, rel=1e-10)
    assert drawn.revenue.std() == pytest.approx(np.sqrt(var), rel=0.10)  # fourth moments are large
    assert abs(drawn.revenue.mean() - mean) < 4.0 * np.sqrt(var / DRAWS)


def test_draws_of_the_parameters_add_their_variance(rfm):
    r = np.random.default_rng(1).normal(0.243, 0.05, (1, 200))
    fit = clv.BGNBD().from_params({**CDNOW["BG/NBD"], "r": r}, unit="week")
    drawn = drawn_totals([(fit, 1.0)], None, rfm, np.array([39.0]), seed=3, draws=DRAWS)
    by_draw = fit.expected_purchases(rfm, 39.0, return_draws=True).sum("customer_id").to_numpy()
    total = variance(FIT, rfm, 39.0) + by_draw.var()
    assert by_draw.var() > 0.5 * variance(FIT, rfm, 39.0)
    assert drawn.orders.std() == pytest.approx(np.sqrt(total), rel=0.08)
    assert drawn.expected_orders[0] == pytest.approx(by_draw.mean(), rel=1e-12)


def test_a_point_estimate_varies_by_its_covariance_where_it_has_converged(rfm):
    fit, ends = clv.BGNBD().fit(rfm), np.array([39.0])
    laplace = clv.BGNBD().fit(rfm, method="laplace", draws=1_000, seed=1)
    drawn, sure = (drawn_totals([(each, 1.0)], None, rfm, ends, seed=1, draws=1_000) for each in (fit, laplace))
    assert drawn.includes == sure.includes == "process and parameters"
    assert drawn.orders.std() == pytest.approx(sure.orders.std(), rel=0.1)
    unknown = replace(fit, covariance=np.full_like(fit.covariance, np.nan))
    still = drawn_totals([(unknown, 1.0)], None, rfm, ends, seed=1, draws=1_000)
    assert still.includes == "process"
    assert still.orders.std() < drawn.orders.std()


def test_models_share_the_draws_by_their_weights(rfm):
    other = clv.BGNBD().from_params({**CDNOW["BG/NBD"], "r": 0.35}, unit="week")
    means = [fit.expected_purchases(rfm, 39.0)["mean"].sum() for fit in (FIT, other)]
    drawn = drawn_totals([(FIT, 3.0), (other, 1.0)], None, rfm, np.array([39.0]), seed=1, draws=400)
    assert drawn.expected_orders[0] == pytest.approx(0.75 * means[0] + 0.25 * means[1], rel=1e-12)
    assert drawn.orders.shape == (400, 1)
    between = 0.75 * 0.25 * (means[1] - means[0]) ** 2
    assert drawn.orders.var() == pytest.approx(
        0.75 * variance(FIT, rfm, 39.0) + 0.25 * variance(other, rfm, 39.0) + between, rel=0.15
    )


def test_weights_by_aic_are_those_of_the_likelihoods(rfm):
    fits = {"BG/NBD": clv.BGNBD().fit(rfm), "Pareto/NBD": clv.ParetoNBD().fit(rfm)}
    weights = aic_weights(fits)
    lost = fits["Pareto/NBD"].log_likelihood - fits["BG/NBD"].log_likelihood
    assert weights["Pareto/NBD"] / weights["BG/NBD"] == pytest.approx(np.exp(lost), rel=1e-9)
    assert sum(weights.values()) == pytest.approx(1.0)
    assert aic_weights({"given": FIT, "fitted": fits["BG/NBD"]}) == {"given": 0.5, "fitted": 0.5}


def test_segments_keep_their_parameters(rfm):
    theta = np.stack([FIT.theta, FIT.theta * [2.0, 1.0, 1.0, 1.0]])
    by_segment = replace(FIT, by="half", segments=("a", "b"), segment_theta=theta)
    import pandas as pd

    half = pd.DataFrame({"half": np.where(np.arange(len(rfm)) % 2, "b", "a")}, index=rfm.customer_id)
    split = rfm.with_attributes(half)
    drawn = drawn_totals([(by_segment, 1.0)], None, split, np.array([39.0]), seed=1, draws=100)
    assert drawn.expected_orders[0] == pytest.approx(by_segment.expected_purchases(split, 39.0)["mean"].sum(), rel=1e-9)
    assert drawn.orders.mean() == pytest.approx(drawn.expected_orders[0], rel=0.03)


@pytest.mark.parametrize("weights", [{"a": 1.0}, {"a": 1.0, "b": -1.0}, {"a": 0.0, "b": 0.0}, {"a": 1.0, "b": "x"}])
def test_wrong_weights_are_refused(weights):
    with pytest.raises(FitError, match="weights are numbers from zero up, one each for a, b"):
        named_weights({"a": FIT, "b": FIT}, weights)
