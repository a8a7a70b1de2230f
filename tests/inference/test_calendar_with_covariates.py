"""Fits with a calendar and covariates: the levels of a covariate by themselves are the truth."""

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.data.calendar import Calendar
from clvmodels.inference.observations import observe
from tests.inference.test_calendar_fit import END, WEEKS, normalised, purchases_of, weekly_calendar

FACTOR = {"shop": 1.0, "web": 1.8}
COVARIATES = {
    "BGNBD": {"purchase": "channel", "dropout": "channel"},
    "MBGNBD": {"purchase": "channel"},
    "ParetoNBD": {"purchase": "channel", "dropout": "channel"},
}
SPEND = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
TERMS = clv.Assumptions(discount_rate=0.15, margin=0.3, order_cost=1.0, maintenance_cost=1.0)


def log_of(customers, dropout="at purchases"):
    """Customers of two channels, those of the web with more purchases."""
    log_speed = normalised(weekly_calendar())
    logs = []
    for number, (channel, factor) in enumerate(FACTOR.items()):
        log = purchases_of(customers, log_speed + np.log(factor), 20 + number, (0.0, WEEKS - 1.0), dropout)
        logs.append(log.assign(customer_id=log["customer_id"] + number * customers, channel=channel))
    log = pd.concat(logs)
    return log.assign(amount=np.random.default_rng(3).gamma(5.0, 6.0, len(log)))


def summary(source):
    how = {"value": "amount", "unit": "week", "attributes": ("channel",), "observation_end": END}
    return clv.rfm_summary(source, **how)


@pytest.fixture(scope="module")
def calendar():
    return Calendar.from_frame(weekly_calendar(), columns=["high_season", "price"], periodic=True)


@pytest.fixture(scope="module")
def rfm():
    return summary(log_of(250))


@pytest.fixture(scope="module", params=list(COVARIATES))
def fit(request, rfm, calendar):
    return getattr(clv, request.param)(covariates=COVARIATES[request.param], calendar=calendar).fit(rfm)


def levels(fit, rfm):
    """Yield where the customers of each level are, they, and the fit for them alone."""
    for level in FACTOR:
        rows = (rfm.attributes["channel"] == level).to_numpy()
        yield rows, rfm.select(rows), fit.at({"channel": level})


def test_effects_of_both_are_recovered(calendar):
    fit = clv.BGNBD(covariates={"purchase": "channel"}, calendar=calendar).fit(summary(log_of(2_000)))
    assert fit.diagnostics.status == "converged"
    table = fit.coefficients.loc["purchase"]
    assert table.index.to_list() == ["high_season", "price", "channel[T.web]"]
    scores = (table["estimate"] - [0.7, -0.4, np.log(FACTOR["web"])]) / table["sd"]
    assert scores.abs().max() < 3.5
    assert (table["sd"] < 0.1).all()


def test_the_likelihood_is_that_of_the_levels(fit, rfm):
    each = [observe(own.model, rows).log_likelihood(own.model, own.estimate)[0] for _, rows, own in levels(fit, rfm)]
    assert sum(each) == pytest.approx(fit.log_likelihood, abs=1e-7)


def test_customers_are_predicted_with_the_parameters_of_their_level(fit, rfm):
    for rows, own, alone in levels(fit, rfm):
        for ours, theirs in (
            (fit.expected_purchases(rfm, "30 weeks")[rows], alone.expected_purchases(own, "30 weeks")),
            (fit.probability_alive(rfm)[rows], alone.probability_alive(own)),
            (fit.probability_alive(rfm, "9 weeks")[rows], alone.probability_alive(own, "9 weeks")),
            (fit.probability_of_purchases(rfm, "9 weeks", 2)[rows], alone.probability_of_purchases(own, "9 weeks", 2)),
        ):
            np.testing.assert_allclose(ours["mean"], theirs["mean"], rtol=1e-9)


def test_customers_are_worth_what_their_level_is_worth_by_itself(fit, rfm):
    for terms in (TERMS, TERMS.replace({"horizon": "3 years", "timing": "mid-year"})):
        book = clv.value(fit, SPEND, rfm, terms)
        for rows, own, alone in levels(fit, rfm):
            np.testing.assert_allclose(book.rlv[rows], clv.value(alone, SPEND, own, terms).rlv, rtol=1e-9)


@pytest.mark.filterwarnings("ignore:.*draws from an approximation")  # any draws will do
@pytest.mark.parametrize("name", ["BGNBD", "ParetoNBD"])
def test_draws_are_those_of_the_level(name, rfm):
    seasons = Calendar.from_frame(weekly_calendar(), columns=["high_season"], periodic=True)
    few = rfm.select(rfm.customer_id[::10])
    fit = getattr(clv, name)(covariates={"purchase": "channel"}, calendar=seasons).fit(
        rfm, method="laplace", draws=100, seed=1
    )
    fit = fit.thinned(20)
    book, table = clv.value(fit, SPEND, few, TERMS), fit.expected_purchases(few, "30 weeks")
    for rows, own, alone in levels(fit, few):
        np.testing.assert_allclose(table[rows], alone.expected_purchases(own, "30 weeks"), rtol=1e-7)
        np.testing.assert_allclose(book.rlv[rows], clv.value(alone, SPEND, own, TERMS).rlv, rtol=1e-8)
    interval = book.interval(0.9, process=False)
    assert interval.low < book.equity < interval.high


def test_a_movement_adds_up(calendar):
    log = log_of(200)
    ends = (END - pd.Timedelta(days=120), END)
    rfms = [
        clv.rfm_summary(log, value="amount", unit="week", attributes=("channel",), observation_end=end) for end in ends
    ]
    fit = clv.BGNBD(covariates={"purchase": "channel"}, calendar=calendar).fit(rfms[0])
    why = clv.movement(*(clv.value(fit, SPEND, each, TERMS) for each in rfms))
    assert abs(why.unexplained) < 1e-9 * why.closing.equity
    assert why.table.loc["season", "value"] != 0.0


def test_what_is_saved_comes_back(fit, rfm, tmp_path):
    fit.save(tmp_path / "fit.json")
    again = clv.Fit.load(tmp_path / "fit.json")
    pd.testing.assert_frame_equal(again.coefficients, fit.coefficients)
    pd.testing.assert_frame_equal(again.expected_purchases(rfm, "30 weeks"), fit.expected_purchases(rfm, "30 weeks"))


def test_histories_in_an_engine_give_the_same_fit(calendar, tmp_path):
    log = log_of(150)
    log.to_parquet(tmp_path / "log.parquet")
    model = clv.BGNBD(covariates={"purchase": "channel"}, calendar=calendar)
    lazy, memory = (model.fit(summary(source)) for source in (tmp_path / "log.parquet", log))
    np.testing.assert_allclose(lazy.coefficients, memory.coefficients, rtol=1e-4)
