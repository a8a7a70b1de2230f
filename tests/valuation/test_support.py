"""How far the data carry a figure: shares against valuations with a horizon, verdicts, and models averaged."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.inference.model_average import average
from clvmodels.valuation import customer_values, process
from clvmodels.valuation.support import _verdict

ASSUMPTIONS = clv.Assumptions(discount_rate=0.12, margin=0.3, order_cost=0.5, maintenance_cost=0.2)
TRUTH = {"r": 0.9, "alpha": 6.0, "a": 0.6, "b": 2.4}
MODELS = (clv.BGNBD, clv.MBGNBD, clv.ParetoNBD)


def histories(number, duration, params=TRUTH, seed=1):
    rfm = clv.BGNBD().from_params(params, unit="week").simulate(number, duration, seed=seed)
    generator = np.random.default_rng(seed)
    return rfm.with_statistics({"mean": np.where(rfm.frequency > 0, generator.gamma(6.0, 5.0, len(rfm)), np.nan)})


@pytest.fixture(scope="module")
def rfm():
    return histories(400, "78 weeks")


@pytest.fixture(scope="module")
def fits(rfm):
    options = {"method": "posterior", "draws": 120, "seed": 1, "progress": False}
    return [model().fit(rfm, **options) for model in MODELS], clv.GammaGamma().fit(rfm, **options)


@pytest.fixture(scope="module")
def book(rfm, fits):
    return clv.value(*fits, rfm, ASSUMPTIONS)


def test_an_average_is_the_weighted_mean_of_its_models(rfm, fits, book):
    alone = [clv.value(fit, fits[1], rfm, ASSUMPTIONS) for fit in book.transactions.fits]
    weights = np.array(book.transactions.weights)
    np.testing.assert_allclose(book.rlv, weights @ [each.rlv for each in alone], rtol=1e-6)
    assert book.equity == pytest.approx(weights @ [each.equity for each in alone], rel=1e-7)
    new = [each.new_customer.repeat for each in alone]
    assert book.new_customer.repeat == pytest.approx(weights @ new, rel=1e-7)
    np.testing.assert_allclose(book.rlv_within(3), weights @ [each.rlv_within(3) for each in alone], rtol=1e-6)


def test_its_draws_are_those_of_the_models(rfm, fits, book):
    """As many of each as its weight says, so that the interval holds the spread between them."""
    draws = book.draws(process=False)
    shares = book.transactions.shares_of(len(draws))
    first = 0
    for fit, share in zip(book.transactions.fits, shares, strict=True):
        if share > 1:
            which = np.linspace(0, 119, share).round().astype(int)
            spend = fits[1].draws[first : first + share]
            for at in (0, share - 1):
                one = with_parameters(fit, fit.draws[which[at]])
                two = clv.GammaGamma().from_params(dict(zip(fits[1].model.names, spend[at], strict=True)))
                assert draws[first + at] == pytest.approx(clv.value(one, two, rfm, ASSUMPTIONS).equity, rel=1e-3)
        first += share
    assert book.interval().covers == ("parameters", "models", "what customers do")


def with_parameters(fit, theta):
    estimator = next(model for model in MODELS if model().model is fit.model)
    return estimator().from_params(dict(zip(fit.model.names, theta, strict=True)), unit="week")


def test_equity_is_the_mean_of_its_draws(book):
    draws = book.draws(process=False)
    assert abs(draws.mean() - book.equity) < 4 * draws.std() / np.sqrt(len(draws))


def test_parts_are_those_of_valuations_with_that_horizon(rfm, fits, book):
    support = book.support
    longest = rfm.T.max() / (365.25 / 7)
    assert support.span == pytest.approx(longest)
    for times, part in ((1, support.within), (2, support.within_twice)):
        horizon = ASSUMPTIONS.replace({"horizon": f"{times * float(rfm.T.max())!r} weeks"})
        assert part == pytest.approx(clv.value(*fits, rfm, horizon).equity, rel=1e-5)
    assert support.within + support.beyond == pytest.approx(support.equity)
    assert support.interval == book.interval()
    assert support.interval_within.low < support.within < support.interval_within.high
    assert support.ratio == pytest.approx(support.interval.high / support.interval.low)
    assert str(support).startswith(("Supported", "Assumed", "Not supported"))


def test_a_horizon_within_the_time_observed_leaves_nothing_beyond(rfm, fits):
    support = clv.value(*fits, rfm, ASSUMPTIONS.replace({"horizon": "1 year"})).support
    assert support.beyond == pytest.approx(0.0, abs=1e-9)
    assert support.verdict == "supported"


def test_sensitivity_to_the_prior_is_that_of_another_posterior(rfm):
    """One fit under priors of leaving squared, one under their roots: importance weights say the same."""
    plain = clv.BGNBD().default_priors
    fits, options = [], {"method": "posterior", "draws": 1000, "seed": 1, "progress": False}
    for power in (2.0, 0.5):
        a, b = (1.0 + power * (plain["dropout"][name] - 1.0) for name in ("alpha", "beta"))
        # the density of a log-normal with its power is one with another centre: mu - sigma^2 (1 - 1 / power) ...
        sigma = plain["dropout_concentration"]["sigma"] / np.sqrt(power)
        mu = plain["dropout_concentration"]["mu"] + sigma**2 * (1.0 - power)
        priors = {
            "dropout": {"dist": "Beta", "alpha": a, "beta": b},
            "dropout_concentration": {"dist": "LogNormal", "mu": mu, "sigma": sigma},
        }
        fits.append(clv.BGNBD(priors=priors).fit(rfm, **options))
    spend, few = clv.GammaGamma().fit(rfm), rfm.select(np.arange(len(rfm)) < 60)
    beyond = [clv.value(fit, spend, few, ASSUMPTIONS) for fit in fits]
    exact = abs(np.log(np.divide(*[each.equity - each.summed(each.each.rlv_within_spans(1)) for each in beyond])))
    book = clv.value(clv.BGNBD().fit(rfm, **options), spend, few, ASSUMPTIONS)
    assert book.support.prior_sensitivity == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize(
    ("ratio", "span", "beyond", "endless", "verdict"),
    [
        (1.5, 2.0, 0.3, False, ("supported", "none")),
        (2.6, 2.0, 0.3, False, ("not supported", "width")),
        (np.inf, 2.0, 0.3, False, ("not supported", "width")),
        (1.5, 0.2, 0.95, False, ("not supported", "span")),
        (1.5, 0.2, 0.85, False, ("assumed", "beyond")),
        (1.5, 2.0, 0.7, False, ("assumed", "beyond")),
        (1.5, 2.0, 0.6, True, ("assumed", "boundary")),
        (1.5, 2.0, 0.4, True, ("supported", "none")),
    ],
)
def test_each_leg_decides(ratio, span, beyond, endless, verdict):
    assert _verdict(ratio, span, beyond, endless=endless) == verdict


def test_a_missed_forecast_lowers_the_verdict(book):
    support = replace(book.support, verdict="supported", leg="none")
    missed = support.tested(-0.25)
    assert (missed.verdict, missed.tested(-0.25).verdict) == ("assumed", "not supported")
    assert "purchases were 25% below the forecast" in missed.reason
    assert "revenue was 12% above the forecast" in support.tested(0.12, "revenue").reason
    assert support.tested(None).verdict == "supported"


def test_a_small_miss_is_named_and_lowers_no_verdict(book):
    """With many customers, bands are narrow; what no model knows misses by 9 % or more."""
    support = replace(book.support, verdict="assumed", leg="beyond")
    for miss, verdict in ((0.06, "assumed"), (-0.074, "assumed"), (0.075, "not supported"), (-0.08, "not supported")):
        tested = support.tested(miss, "revenue")
        assert (tested.verdict, tested.lowered) == (verdict, verdict == "not supported")
        assert f"revenue was {abs(miss):.0%} {'above' if miss > 0 else 'below'} the forecast" in tested.reason
    assert not support.tested(None).lowered


def test_nobody_seen_to_leave_is_assumed():
    """Customers who never leave, seen for a year and a half: the models become the same, the rest is an assumption."""
    rfm = histories(500, "77 weeks", {"r": 0.9, "alpha": 6.0, "a": 1e-3, "b": 1e3})
    options = {"method": "posterior", "draws": 200, "seed": 1, "progress": False}
    spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    assumptions = clv.Assumptions(discount_rate=0.12, margin=0.3)
    fits = [model().fit(rfm, **options) for model in MODELS[:2]]
    fits = [fit.thinned(max(fit.number_of_draws // 200, 1)) for fit in fits]  # chains are longer than asked for
    support = clv.value(fits, spend, rfm, assumptions).support
    assert support.endless
    assert (support.verdict, support.leg) == ("assumed", "boundary")
    assert support.share_beyond > 0.75
    assert "nobody is seen to leave" in str(support)


def test_a_point_estimate_gets_the_interval_of_its_posterior(rfm):
    book = clv.value(clv.BGNBD().fit(rfm), clv.GammaGamma().fit(rfm), rfm, ASSUMPTIONS)
    assert not book.has_draws
    interval = book.interval()
    assert interval.covers == ("parameters", "what customers do")
    assert interval.low < book.equity < interval.high
    given = clv.BGNBD().from_params(TRUTH, unit="week")
    spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    alone = clv.value(given, spend, rfm, ASSUMPTIONS)
    assert alone.interval().covers == ("what customers do",)
    assert np.isnan(alone.support.prior_sensitivity)


def test_a_sample_stands_for_what_all_customers_do(rfm, fits, monkeypatch):
    """A third of the customers simulated: the same spread but for chance, in all and by group."""
    exact = clv.value(*fits, rfm, ASSUMPTIONS)
    group = np.arange(len(rfm)) % 2
    whole, halves = exact.interval(), exact.drawn_by(group).std(axis=1)
    monkeypatch.setattr(process, "SIMULATED_UP_TO", 130)
    sampled = clv.value(*fits, rfm, ASSUMPTIONS)
    assert sampled.interval().sd == pytest.approx(whole.sd, rel=0.25)
    assert sampled.interval().mean == pytest.approx(whole.mean, rel=0.05)
    np.testing.assert_allclose(sampled.drawn_by(group).std(axis=1), halves, rtol=0.3)


def test_the_same_comes_out_of_weighted_rows(rfm):
    """Rows that stand for several customers, as an engine has them: the same draws as of each by themselves."""
    table = rfm.to_frame().reset_index()[["frequency", "recency", "T", "monetary_value"]].round(0)
    table["recency"] = table["recency"].where(table["frequency"] == 0, np.maximum(table["recency"], 1.0))
    counted = table.value_counts(dropna=False).reset_index(name="weight")
    once = clv.Histories.from_frame(table.assign(customer_id=range(len(table))), unit="week")
    merged = clv.Histories.from_frame(counted, unit="week")
    given = clv.BGNBD().from_params(TRUTH, unit="week")
    spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    draws = [clv.value(given, spend, each, ASSUMPTIONS).draws() for each in (once, merged)]
    np.testing.assert_allclose(*draws, rtol=1e-12)


def test_models_of_other_histories_are_not_averaged_into_a_book(rfm, fits):
    with pytest.raises(clv.errors.FitError, match="different histories"):
        average([fits[0][0], clv.MBGNBD().fit(rfm.select(rfm.customer_id[:300]))], rfm)


def test_a_table_of_customers_says_what_they_may_bring(book):
    table = book.customers
    assert {"rlv_q05", "rlv_q95", "probability_of_loss"} <= set(table.columns)
    wide = (table["rlv_q95"] - table["rlv_q05"]).mean()
    narrow = book.customer_intervals(process=False)
    assert wide > 2.0 * (narrow["rlv_q95"] - narrow["rlv_q05"]).mean()
    assert isinstance(table, pd.DataFrame)


def test_the_books_of_its_models_are_those_valued_alone(rfm, fits, book):
    assert [each.transactions for each in book.by_model] == list(book.transactions.fits)
    for each in book.by_model:
        alone = clv.value(each.transactions, fits[1], rfm, ASSUMPTIONS)
        assert each.equity == pytest.approx(alone.equity, rel=1e-12)
        np.testing.assert_array_equal(each.rlv, alone.rlv)
        assert each.by_model == (each,)


def test_of_very_many_customers_intervals_are_asked_for(rfm, fits, monkeypatch):
    monkeypatch.setattr(customer_values, "INTERVALS_UP_TO", 10)
    few = clv.value(fits[0][0], fits[1], rfm.select(np.arange(len(rfm)) < 12), ASSUMPTIONS)
    assert "rlv_q05" not in few.customers
    assert len(few.customer_intervals()) == 12


def test_a_book_that_was_asked_is_let_go(rfm, fits):
    """Without a collection of garbage, so that an engine drops the tables that it rests on."""
    few = rfm.select(np.arange(len(rfm)) < 20)
    asked = clv.value(fits[0][0], fits[1], few, ASSUMPTIONS)
    assert asked.support.span > 0.0
    assert asked.redrawn is asked
    gc.collect()
    gc.disable()
    try:
        gone = weakref.ref(asked)
        del asked
        assert gone() is None
    finally:
        gc.enable()
