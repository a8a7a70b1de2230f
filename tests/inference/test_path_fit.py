"""Fits with covariates that follow each customer's own path, to logs simulated by hand."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.data.calendar import Calendar
from clvmodels.errors import DataError, DataWarning, FitError, ModelError
from clvmodels.inference.observations import observe
from clvmodels.inference.path_fit import covariate_task
from clvmodels.inference.path_model import PathModel
from tests.inference.path_logs import CLASSES, FIRST, TRUTH, dates, shop

KEYS = tuple(TRUTH)
ASSUMPTIONS = clv.Assumptions(discount_rate=0.1, margin=0.3)
SPEND = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})


def formulas(key):
    return {"purchase": "price"} | ({"dropout": "price"} if key == "pareto_nbd" else {})


def truth_of(key, purchase, dropout):
    return np.array([*np.log(list(TRUTH[key].values())), purchase, *([dropout] if key == "pareto_nbd" else [])])


def z_scores(fit, truth):
    estimate = np.concatenate([np.log(fit.estimate), fit.covariates.estimate])
    return (estimate - truth) / np.sqrt(np.diag(fit.covariates.covariance))


@pytest.fixture(scope="module", params=KEYS)
def key(request):
    return request.param


@pytest.fixture(scope="module")
def sold(key):
    return shop(key, 600, 78, 31, dropout=0.6 if key == "pareto_nbd" else 0.0, every=4.0)


@pytest.fixture(scope="module")
def rfm(sold):
    return sold.with_paths()


@pytest.fixture(scope="module")
def fit(key, rfm):
    return CLASSES[key](covariates=formulas(key)).fit(rfm)


# ---------------------------------------------------------------------------------------------------------- recovery


def test_parameters_and_coefficients_are_recovered(key, fit):
    """Prices are centred at about zero, so that the parameters are those of the simulation."""
    assert fit.diagnostics.status == "converged"
    centre = np.array([value for part in fit.covariates.design.processes for value in part.centre])
    truth = truth_of(key, 0.7, 0.6)
    names = list(TRUTH[key])
    truth[names.index("alpha")] -= 0.7 * centre[0]
    if key == "pareto_nbd":
        truth[names.index("beta")] -= 0.6 * centre[1]
    assert np.abs(z_scores(fit, truth)).max() < 3.5
    table = fit.coefficients
    assert table.index.to_list()[0] == ("purchase", "price")
    assert (table["low"] < table["estimate"]).all()
    assert (table["p_value"] < 1e-3).all()


@pytest.mark.parametrize("seed", range(41, 44))
def test_effects_are_recovered_from_other_logs(seed):
    log = shop("pareto_nbd", 300, 78, seed, purchase=-0.5, dropout=0.8, every=6.0)
    fit = clv.ParetoNBD(covariates=formulas("pareto_nbd")).fit(log.with_paths())
    scores = z_scores(fit, truth_of("pareto_nbd", -0.5, 0.8))[4:]
    assert np.abs(scores).max() < 3.5


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:customer .* alone has:clvmodels.errors.DataWarning")
@pytest.mark.filterwarnings("ignore:.*(boundary|not identified):clvmodels.errors.FitWarning")
@pytest.mark.parametrize("name", KEYS)
def test_intervals_cover_what_they_say(name):
    """Where customers' rates of leaving seem not to differ, there is no maximum, and no interval either."""
    inside = []
    for seed in range(100):
        log = shop(name, 300, 78, 1_000 + seed, dropout=0.6 if name == "pareto_nbd" else 0.0, every=6.0)
        fit = CLASSES[name](covariates=formulas(name)).fit(log.with_paths())
        if fit.diagnostics.status == "converged":
            inside.append(np.abs(z_scores(fit, truth_of(name, 0.7, 0.6))[4:]) < 1.6449)
    covered = np.mean(inside, axis=0)
    assert len(inside) >= 85
    assert (covered > 0.82).all()
    assert (covered < 0.97).all()


def test_a_path_without_effect_changes_nothing(key, sold, rfm, fit):
    noise = sold.ledger.assign(price=np.random.default_rng(5).normal(size=len(sold.ledger)))
    histories = sold.histories().with_paths(noise, columns=["price"])
    plain, none = CLASSES[key]().fit(rfm), CLASSES[key](covariates={"purchase": "price"}).fit(histories)
    assert 0.0 <= none.log_likelihood - plain.log_likelihood < 8.0
    assert fit.log_likelihood - plain.log_likelihood > 100.0


# -------------------------------------------------------------------------------------------------------------- laws


def log_likelihood(model, covariates, histories, theta):
    task = covariate_task(model, covariates, histories)
    return observe(task.model, task.histories).log_likelihood(task.model, theta), task


def test_a_path_that_does_not_change_is_an_attribute(key, sold):
    """The same columns, centre and likelihood at any parameters; and the same predictions and values."""
    rng = np.random.default_rng(6)
    first = sold.ledger.groupby("customer_id", as_index=False)["time"].min()
    table = first.assign(price=rng.normal(size=len(first)), channel=rng.choice(["shop", "web"], len(first)))
    attributes = sold.histories().with_attributes(table.drop(columns="time"))
    again = table.assign(time=table["time"] + pd.Timedelta(days=20))  # a row that changes nothing
    paths = sold.histories().with_paths(pd.concat([table, again]), columns=["price", "channel"])
    both = {"purchase": "price + channel"} | ({"dropout": "price"} if key == "pareto_nbd" else {})
    base = CLASSES[key]().model
    theta = np.append(base.theta(base.example), np.exp([0.3, -0.4, 0.2][: 2 + (key == "pareto_nbd")]))
    (static, by_static), task = log_likelihood(base, both, attributes, theta)
    (own, by_own), other = log_likelihood(base, both, paths, theta)
    assert isinstance(other.model, PathModel)
    assert other.design.terms == task.design.terms
    for ours, theirs in zip(other.design.processes, task.design.processes, strict=True):
        np.testing.assert_allclose([ours.centre, ours.scale], [theirs.centre, theirs.scale], rtol=1e-12, atol=1e-13)
    assert own == pytest.approx(static, rel=1e-9)
    np.testing.assert_allclose(by_own, by_static, rtol=1e-6, atol=1e-6)
    fits = [CLASSES[key](covariates=both).fit(each) for each in (attributes, paths)]
    np.testing.assert_allclose(fits[1].coefficients, fits[0].coefficients, rtol=1e-4, atol=1e-7)
    same = replace(fits[1], theta=fits[0].theta, estimate=fits[0].estimate)
    coefficients = replace(fits[1].covariates, draws=fits[0].covariates.draws, estimate=fits[0].covariates.estimate)
    same = replace(same, covariates=coefficients)
    for ask in (
        lambda fit, rfm: fit.expected_purchases(rfm, "26 weeks"),
        lambda fit, rfm: fit.probability_alive(rfm, "4 weeks"),
        lambda fit, rfm: fit.probability_of_purchases(rfm, "26 weeks", 1),
    ):
        np.testing.assert_allclose(ask(same, paths), ask(fits[0], attributes), rtol=1e-7)
    with pytest.warns(DataWarning, match="not known"):
        books = [clv.value(fit, SPEND, rfm, ASSUMPTIONS) for fit, rfm in ((fits[0], attributes), (same, paths))]
    np.testing.assert_allclose(books[1].rlv, books[0].rlv, rtol=1e-6)


def test_a_calendar_is_everybodys_path(key, sold):
    """The clocks differ by a factor, which alpha takes up: the likelihood is the same."""
    frame = pd.DataFrame({"date": pd.date_range(FIRST, periods=82, freq="7D")})
    frame["price"] = np.random.default_rng(7).normal(size=len(frame)).round(1)
    ids = pd.DataFrame({"customer_id": sold.ledger["customer_id"].unique()})
    ledger = ids.merge(frame.rename(columns={"date": "time"}), how="cross")
    for options in ({}, {"resolution": "day"}):
        histories = sold.histories(**options)
        calendar = CLASSES[key](calendar=Calendar.from_frame(frame)).model_for(histories)
        base = calendar.base
        gamma = 0.6
        theta = np.append(base.theta(base.example), np.exp(gamma))
        wanted, by_wanted = observe(calendar, histories).log_likelihood(calendar, theta)
        task = covariate_task(base, {"purchase": "price"}, histories.with_paths(ledger, columns=["price"]))
        (part,) = task.design.processes
        own = theta.copy()
        own[-1] = np.exp(gamma * part.scale[0])
        clock = calendar.steps.clock(np.array([gamma]))
        own[base.names.index("alpha")] *= np.exp(clock.log_mean - gamma * part.centre[0])
        value, gradient = observe(task.model, task.histories).log_likelihood(task.model, own)
        assert value == pytest.approx(wanted, rel=1e-9)
        np.testing.assert_allclose(gradient[0], by_wanted[0], rtol=1e-6)


def test_slopes_are_differences(key, rfm):
    task = covariate_task(CLASSES[key]().model, formulas(key), rfm)
    observations = observe(task.model, task.histories)
    theta = np.append(list(TRUTH[key].values()), np.exp([0.5, 0.3][: len(formulas(key))]))
    gradient = observations.log_likelihood(task.model, theta)[1]
    for k, step in enumerate(1e-5 * theta):
        moved = step * np.eye(len(theta))[k]
        ends = [observations.log_likelihood(task.model, theta + sign * moved)[0] for sign in (1.0, -1.0)]
        assert (ends[0] - ends[1]) / (2.0 * step) == pytest.approx(gradient[k], rel=1e-5, abs=1e-4)


def test_another_unit_gives_the_same_coefficients(key, sold, fit):
    in_days = CLASSES[key](covariates=formulas(key)).fit(sold.with_paths("day"))
    np.testing.assert_allclose(in_days.coefficients["estimate"], fit.coefficients["estimate"], rtol=1e-4)


# -------------------------------------------------------------------------------------------------------- predictions


def test_what_customers_buy_is_predicted_where_the_last_level_holds_on(fit, rfm, sold, key):
    expected = fit.expected_purchases(rfm, "26 weeks")["mean"]
    simulated = fit.expected_purchases(rfm, "26 weeks", process=True, seed=1)
    spread = np.sqrt((simulated["sd"] ** 2).sum())
    assert abs(sold.later.sum() - expected.sum()) < 3.5 * spread
    level = sold.ledger.sort_values("time").groupby("customer_id")["price"].last()
    high = level > 0.5
    plain = CLASSES[key]().fit(rfm).expected_purchases(rfm, "26 weeks")["mean"]
    own, others = (abs(sold.later[high].sum() / each[high].sum() - 1.0) for each in (expected, plain))
    assert own < others
    assert fit.total_purchases(rfm, "26 weeks")["mean"] == pytest.approx(expected.sum())


def test_some_customers_are_predicted_as_all_are(fit, rfm):
    few = rfm.select(rfm.customer_id[[5, 3, 99]])
    for ask in (lambda rfm: fit.expected_purchases(rfm, 8.0), fit.probability_alive):
        np.testing.assert_allclose(ask(few)["mean"], ask(rfm)["mean"].iloc[[5, 3, 99]], rtol=1e-10)


def test_new_customers_have_the_mean_level_or_one_that_is_named(key, fit):
    plain = CLASSES[key]().from_params(fit.params, unit="week")
    assert fit.expected_purchases_new("26 weeks")["mean"] == plain.expected_purchases_new("26 weeks")["mean"]
    high, low = (fit.at({"price": level}).expected_purchases_new("26 weeks")["mean"] for level in (1.0, -1.0))
    assert high > 2.0 * low


def test_values_follow_paths(fit, rfm):
    with pytest.warns(DataWarning, match="not known"):
        book = clv.value(fit, SPEND, rfm, ASSUMPTIONS)
    assert book.equity > 0.0
    assert book.new_customer.orders > 0.0
    few = rfm.select(rfm.customer_id[:5])
    with pytest.warns(DataWarning, match="not known"):
        own = clv.value(fit, SPEND, few, ASSUMPTIONS)
    np.testing.assert_allclose(own.rlv, book.rlv[:5], rtol=1e-8)
    horizon = clv.Assumptions(discount_rate=1e-9, margin=1.0, horizon="26 weeks")
    with pytest.warns(DataWarning, match="not known"):
        short = clv.value(fit, SPEND, rfm, horizon)
    expected = fit.expected_purchases(rfm, "26 weeks")["mean"].sum() * SPEND.model.expected_spend(
        SPEND.estimate, np.zeros(1), np.zeros(1)
    )
    assert short.equity == pytest.approx(float(expected[0]), rel=1e-4)


def test_the_movement_between_closings_follows_paths(fit, rfm, sold):
    """The opening's path ends four weeks before; with one fit, parameters have no part in the movement."""
    early = sold.end - pd.Timedelta(days=28)
    opening = clv.rfm_summary(sold.log, unit="week", observation_end=early).with_paths(sold.ledger, columns=["price"])
    with pytest.warns(DataWarning, match="not known"):
        books = [clv.value(fit, SPEND, each, ASSUMPTIONS) for each in (opening, rfm)]
    table = clv.movement(*books).table
    changes = table.loc[table["kind"] == "change", "value"]
    assert books[0].equity + changes.sum() == pytest.approx(books[1].equity, rel=1e-9)
    assert changes["parameters_transactions"] == pytest.approx(0.0, abs=1e-6)
    assert changes["release"] < 0.0


@pytest.mark.filterwarnings("ignore:.*Pareto k:clvmodels.errors.FitWarning")
def test_draws_follow_paths(key, rfm):
    drawn = CLASSES[key](covariates={"purchase": "price"}).fit(rfm, method="laplace", draws=100, seed=1)
    few = rfm.select(rfm.customer_id[:20])
    table = drawn.expected_purchases(few, "26 weeks")
    assert (table["q05"] < table["mean"]).all()
    draws = drawn.expected_purchases(few, "26 weeks", return_draws=True)
    np.testing.assert_allclose(draws.mean(("chain", "draw")), table["mean"], rtol=1e-10)
    single = replace(
        drawn,
        theta=drawn.theta[:, 7:8],
        estimate=drawn.draws[7],
        covariates=replace(drawn.covariates, draws=drawn.covariates.draws[:, 7:8]),
    )
    np.testing.assert_allclose(draws[0, 7], single.expected_purchases(few, "26 weeks")["mean"], rtol=1e-8)
    loo = drawn.loo(rfm)
    assert loo.elpd < drawn.log_likelihood
    tree = drawn.to_datatree(few)
    assert "purchase: price" in tree["posterior"]
    with pytest.warns(DataWarning, match="not known"):
        book = clv.value(drawn, SPEND, few, ASSUMPTIONS)
    interval = book.interval(0.9)
    assert interval.low < book.equity < interval.high


def test_the_posterior_mode_takes_priors_of_coefficients(rfm):
    prior = {"dist": "Normal", "mu": 0.0, "sigma": 0.01}
    covariates = {"purchase": "price"}
    shrunk = clv.BGNBD(covariates=covariates, priors={"purchase: price": prior}).fit(rfm, method="map")
    free = clv.BGNBD(covariates=covariates).fit(rfm)
    assert 0.0 < shrunk.coefficients["estimate"].iloc[0] < 0.9 * free.coefficients["estimate"].iloc[0]


def test_attributes_and_paths_stand_in_one_formula():
    log = shop("bg_nbd", 800, 60, 12, every=5.0)
    rng = np.random.default_rng(2)
    web = pd.DataFrame({"customer_id": range(800), "channel": rng.choice(["shop", "web"], 800)})
    ledger = log.ledger.merge(web, on="customer_id")
    tariff = ledger.assign(tariff=np.where(ledger["price"] > 0.0, "high", "low")).drop(columns=["price", "channel"])
    rfm = log.histories().with_attributes(web).with_paths(tariff, columns=["tariff"])
    fit = clv.BGNBD(covariates={"purchase": "tariff + channel", "dropout": "channel"}).fit(rfm)
    assert fit.coefficients.index.to_list() == [
        ("purchase", "tariff[T.low]"),
        ("purchase", "channel[T.web]"),
        ("dropout", "channel[T.web]"),
    ]
    assert fit.coefficients["estimate"].iloc[0] < -0.8
    scores = (fit.coefficients["estimate"] / fit.coefficients["sd"]).iloc[1:]
    assert scores.abs().max() < 3.5
    assert (fit.probability_alive(rfm)["mean"] <= 1.0).all()


# ------------------------------------------------------------------------------------------------- words and refusals


def test_fits_say_that_the_last_level_holds_on(fit):
    assert "What is predicted holds each customer's last level of price on." in fit.describe()


def test_fits_are_stored_with_their_paths(fit, rfm, tmp_path):
    fit.save(tmp_path / "fit.json")
    again = clv.Fit.load(tmp_path / "fit.json")
    wanted = fit.expected_purchases(rfm, 8.0)
    pd.testing.assert_frame_equal(again.expected_purchases(rfm, 8.0), wanted)
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(fit)).expected_purchases(rfm, 8.0), wanted)
    bound = pickle.loads(pickle.dumps(fit.of_customers(rfm)))
    path = np.arange(1.0, 4.0)
    alive = bound.model.p_alive(bound.estimate, rfm.frequency[:3], path, path)
    np.testing.assert_allclose(alive, fit.probability_alive(rfm)["mean"].iloc[:3], rtol=1e-12)


def test_what_follows_no_paths_refuses_them(fit, rfm, sold):
    with pytest.raises(DataError, match=r"follows each customer's price.* no such path; write rfm.with_paths"):
        fit.expected_purchases(sold.histories(), "26 weeks")
    with pytest.raises(FitError, match=r"follows each customer's price, and what is asked for does not"):
        fit.parameters(rfm)
    with pytest.raises(FitError, match="does not take a fit with paths"):
        fit.require_no_calendar("tracking")
    few = fit.of_customers(rfm.select(rfm.customer_id[:5]))
    with pytest.raises(ModelError, match="those of other customers"):
        few.model.p_alive(few.estimate, np.zeros(1), np.array([9.0]), np.array([9.0]))


def test_leaving_at_purchases_takes_no_paths(rfm):
    for each in (clv.BGNBD, clv.MBGNBD):
        with pytest.raises(FitError, match=r"what changes in time cannot act on dropout: price; .*clv.ParetoNBD"):
            each(covariates={"dropout": "price"}).fit(rfm)


def test_models_without_a_clock_and_calendars_take_no_paths(rfm):
    with pytest.raises(ModelError, match="runs on no clock, so that its covariates cannot change"):
        clv.ParetoNBD(ageing="gompertz", covariates={"purchase": "price"}).fit(rfm)
    season = Calendar.seasons({"winter": ("11-15", "01-31")})
    with pytest.raises(FitError, match="a calendar does not go with paths"):
        clv.BGNBD(covariates={"purchase": "price"}, calendar=season).fit(rfm)


def test_a_name_that_is_neither_attribute_nor_path_says_where_both_come_from(rfm):
    with pytest.raises(DataError, match=r"rfm\.with_paths"):
        clv.BGNBD(covariates={"purchase": "cost"}).fit(rfm)


def test_purchases_that_are_not_those_of_the_log_are_refused(rfm):
    changed = rfm.with_statistics({"x": rfm.frequency + 1.0})
    with pytest.raises(DataError, match="not those of the histories"):
        clv.BGNBD(covariates={"purchase": "price"}).fit(changed)


def test_a_customer_who_came_on_the_last_day_has_a_path():
    log = pd.DataFrame({"customer_id": [1, 1, 2, 3, 3], "date": dates([0.0, 1.0, 8.0, 0.0, 3.0])})
    ledger = pd.DataFrame({"customer_id": [1, 1, 2, 3], "time": dates([0.0, 2.0, 0.0, 0.0]), "price": [1.0, 2, 1, 0]})
    end = log["date"].max().floor("D")
    rfm = clv.rfm_summary(log, unit="day", resolution="day", observation_end=end)
    histories = rfm.with_paths(ledger, columns=["price"])
    assert rfm.T[1] == 0.0
    task = covariate_task(clv.ParetoNBD().model, {"purchase": "price"}, histories)
    theta = np.append(list(TRUTH["pareto_nbd"].values()), 1.5)
    assert np.isfinite(observe(task.model, task.histories).log_likelihood(task.model, theta)[0])
