"""Levers change what customers do from now on by the factor stated, and nothing that has happened."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import DataError, FitError
from clvmodels.models import MODELS
from clvmodels.models.adjusted import adjusted_model, moved
from clvmodels.models.specification import TransactionModel

PARAMS = {
    "ParetoNBD": {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669},
    "BGNBD": {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426},
    "MBGNBD": {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614},
}
LEAVING = {"ParetoNBD": "first_year_loss", "BGNBD": "dropout", "MBGNBD": "dropout"}
SPEND = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
ASSUMPTIONS = clv.Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks")
DELTA = np.log(1.15) / 52.0
WITH_LEVERS = [model for model in MODELS.values() if isinstance(model, TransactionModel) and model.as_new is not None]


def given(name):
    return getattr(clv, name)().from_params(PARAMS[name], unit="week")


@pytest.fixture(scope="module")
def rfm():
    table = pd.DataFrame({"customer_id": range(8), "frequency": [0, 0, 1, 2, 5, 9, 3, 14]})
    table["recency"] = [0.0, 0.0, 7.0, 30.43, 26.0, 52.0, 20.0, 77.0]
    table["T"] = [38.86, 4.0, 39.0, 38.86, 52.0, 52.0, 78.0, 78.0]
    table["monetary_value"] = np.where(table["frequency"] > 0, 20.0 + 5.0 * table.index, np.nan)
    table["segment"] = ["web", "shop"] * 4
    table["tier"] = [1, 2, 3, 1, 2, 3, 1, 2]
    return clv.Histories.from_frame(table, unit="week")


@pytest.mark.parametrize("model", WITH_LEVERS, ids=lambda model: model.key)
def test_customers_alive_are_as_new_ones_with_other_parameters(model):
    theta, t = model.theta(model.example), np.array([0.5, 10.0, 200.0])
    for x, T in ((0.0, 0.0), (0.0, 30.0), (7.0, 52.0)):
        new = model.as_new(theta, np.array(x), np.array(T))
        zero = np.zeros(1)
        for ours, theirs in zip(model.future(new, zero, zero, t), model.future(theta, x, T, t), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-10)
        np.testing.assert_allclose(
            model.pmf(new, zero, zero, 10.0, np.arange(6.0)), model.pmf(theta, x, T, 10.0, np.arange(6.0)), rtol=1e-9
        )


@pytest.mark.parametrize("name", PARAMS)
def test_quantities_of_new_customers_change_by_the_factor(name):
    fit = given(name)
    changes = {"purchase_rate": 1.2, LEAVING[name]: 0.8}
    levers = fit.adjusted(changes)
    year = 365.25 / 7.0
    theta = fit.estimate
    for process, factor in zip(fit.model.effects, levers.estimate[4:], strict=True):
        theta = moved(fit.model, theta, process, factor)
    before, after = (
        fit.model.to_quantities(dict(zip(fit.model.names, each, strict=True)), year) for each in (fit.estimate, theta)
    )
    for quantity, factor in changes.items():
        assert after[quantity] == pytest.approx(factor * before[quantity], rel=1e-9)
    assert after["purchase_rate_cv"] == pytest.approx(before["purchase_rate_cv"])
    if name != "MBGNBD":  # of which new customers may have left at once, as before
        other = getattr(clv, name)().from_params(dict(zip(fit.model.names, theta, strict=True)), unit="week")
        ours, theirs = (each.expected_purchases_new("52 weeks")["mean"] for each in (levers, other))
        assert ours == pytest.approx(theirs, rel=1e-10)


def test_orders_of_pareto_nbd_rise_in_proportion(rfm):
    fit = given("ParetoNBD")
    book, more = (clv.value(each, SPEND, rfm, ASSUMPTIONS) for each in (fit, fit.adjusted({"purchase_rate": 1.05})))
    np.testing.assert_allclose(more.rlv, 1.05 * book.rlv, rtol=1e-9)
    np.testing.assert_allclose(more.alive, book.alive, rtol=1e-12)
    np.testing.assert_allclose(more.future.L, book.future.L, rtol=1e-9)
    assert more.new_customer.orders == pytest.approx(1.05 * book.new_customer.orders, rel=1e-9)


def drawn(name, rng, x, T, purchase, dropout, n=400_000):
    """Return the mean of discounted orders of customers alive, and its standard error, by simulation."""
    p = PARAMS[name]
    rate = purchase * rng.gamma(p["r"] + x, 1.0, n) / (p["alpha"] + T)
    if name == "ParetoNBD":
        orders = rate / (dropout * rng.gamma(p["s"], 1.0, n) / (p["beta"] + T) + DELTA)
    else:
        leave = rng.beta(dropout * p["a"], p["b"] + x + (name == "MBGNBD"), n)
        orders = rate / (rate * leave + DELTA)
    return orders.mean(), orders.std() / np.sqrt(n)


@pytest.mark.parametrize("name", PARAMS)
def test_discounted_orders_are_those_of_a_simulation(name, rfm):
    levers = given(name).adjusted({"purchase_rate": 1.3, LEAVING[name]: 0.7})
    purchase, dropout = levers.estimate[4:]
    book, rng = clv.value(levers, SPEND, rfm, ASSUMPTIONS), np.random.default_rng(1)
    for row in (0, 3, 5):
        mean, error = drawn(name, rng, rfm.frequency[row], rfm.T[row], purchase, dropout)
        assert abs(book.future.D[row] / book.alive[row] - mean) < 4.0 * error
    futures = given(name).adjusted({"purchase_rate": 1.3}).total_purchases(rfm, "52 weeks", process=True, seed=1)
    again = given(name).adjusted({"purchase_rate": 1.3}).expected_purchases(rfm, "52 weeks")["mean"].sum()
    assert abs(futures["mean"] - again) < 1e-8


def test_levers_move_those_who_are_meant_and_no_others(rfm):
    for name in PARAMS:
        fit = given(name)
        changes = {"purchase_rate": 1.3, LEAVING[name]: 0.7}
        plain, every, web = (
            each.expected_purchases(rfm, "52 weeks")["mean"].to_numpy()
            for each in (fit, fit.adjusted(changes), fit.adjusted(changes, where={"segment": "web", "tier": [1, 3]}))
        )
        meant = np.array([True, False, True, False, False, False, True, False])
        np.testing.assert_allclose(web, np.where(meant, every, plain), rtol=1e-9)
        assert np.all(every > 1.1 * plain)


def test_segments_and_covariates_keep_their_parameters(rfm):
    fit = given("ParetoNBD")
    theta = np.stack([fit.theta, fit.theta * [1.0, 0.5, 1.0, 2.0]])
    by_segment = replace(fit, by="segment", segments=("shop", "web"), segment_theta=theta)
    changes = {"purchase_rate": 1.4}
    levers = by_segment.adjusted(changes, where={"tier": [1]})
    D, moved_D = (clv.value(each, SPEND, rfm, ASSUMPTIONS).future.D for each in (by_segment, levers))
    np.testing.assert_allclose(moved_D, D * np.where(rfm.attributes["tier"] == 1, 1.4, 1.0), rtol=1e-8)

    table = fit.simulate(600, "52 weeks", seed=2).to_frame()[["frequency", "recency", "T"]].reset_index()
    table = table.assign(channel=["web", "shop"] * 300, tier=[1, 2, 3] * 200)
    many = clv.Histories.from_frame(table, unit="week")
    covariates = clv.ParetoNBD(covariates={"purchase": "channel"}).fit(many, method="laplace", draws=60, seed=1)
    levers = covariates.adjusted(changes, where={"tier": [1]})
    before, after = (each.expected_purchases(many, "52 weeks")["mean"] for each in (covariates, levers))
    np.testing.assert_allclose(after, before * np.where(many.attributes["tier"] == 1, 1.4, 1.0), rtol=1e-6)


def test_new_customers_are_moved_in_the_share_of_those_who_are_meant(rfm):
    fit = given("ParetoNBD")
    levers = fit.adjusted({"purchase_rate": 1.4}, where={"segment": "web"})
    plain, every, half = (
        clv.value(each, SPEND, rfm, ASSUMPTIONS).new_customer.orders
        for each in (fit, fit.adjusted({"purchase_rate": 1.4}), levers)
    )
    assert half == pytest.approx(0.5 * (plain + every), rel=1e-9)


@pytest.mark.parametrize(
    ("spend", "quantity"),
    [(SPEND, "mean_spend"), (clv.LogNormalSpend().from_params({"median": 25.0, "s": 0.5, "t": 0.4}), "median_spend")],
)
def test_the_value_of_orders_rises_in_proportion(spend, quantity):
    rows = pd.DataFrame({"customer_id": [*"AAABBBC"], "amount": [20.0, 30.0, 40.0, 9.0, 8.0, 7.0, 50.0]})
    rows["date"] = pd.date_range("2024-01-01", periods=7, freq="9D")
    rows["segment"] = np.where(rows["customer_id"] == "A", "web", "shop")
    rfm = clv.rfm_summary(rows, value="amount", attributes=["segment"]).collect()
    fit = given("ParetoNBD")
    levers = spend.adjusted({quantity: 1.1}, where={"segment": "web"})
    factor = np.where(rfm.attributes["segment"] == "web", 1.1, 1.0)
    book, more = (clv.value(fit, each, rfm, ASSUMPTIONS) for each in (spend, levers))
    np.testing.assert_allclose(more.rlv, factor * book.rlv, rtol=1e-9)
    ours, theirs = (each.expected_spend(rfm)["mean"] for each in (levers, spend))
    np.testing.assert_allclose(ours, factor * theirs, rtol=1e-9)


def test_draws_keep_their_spread_and_futures_are_simulated(rfm):
    rng = np.random.default_rng(4)
    drawn_params = {
        name: value * np.exp(0.1 * rng.normal(size=(1, 200))) for name, value in PARAMS["ParetoNBD"].items()
    }
    fit = clv.ParetoNBD().from_params(drawn_params, unit="week")
    book, more = (clv.value(each, SPEND, rfm, ASSUMPTIONS) for each in (fit, fit.adjusted({"purchase_rate": 1.2})))
    for process in (False, True):
        ours, theirs = (each.interval(0.9, process=process, seed=3) for each in (more, book))
        assert ours.high - ours.low == pytest.approx(1.2 * (theirs.high - theirs.low), rel=0.3 if process else 1e-6)
    loss = fit.adjusted({"first_year_loss": 0.9})
    assert loss.draws[:, 5].std() > 0.0  # the factor of each draw gives it nine tenths of its own loss


def test_an_adjusted_fit_pickles_and_is_not_saved(rfm, tmp_path):
    levers = given("BGNBD").adjusted({"dropout": 0.8}, where={"segment": "web"})
    again = pickle.loads(pickle.dumps(levers))
    ours, theirs = (each.expected_purchases(rfm, "52 weeks")["mean"] for each in (again, levers))
    np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(FitError, match="is not saved"):
        levers.save(tmp_path / "fit.json")
    value, gradient = levers.model.history_terms(levers.estimate, rfm.frequency, rfm.recency, rfm.T)
    assert gradient.shape == (*value.shape, 6)


def test_levers_that_cannot_be_are_refused(rfm):
    fit = given("ParetoNBD")
    for changes, message in (
        ({}, "got none"),
        ({"purchase_rate_cv": 1.1}, "quantity that a lever moves"),
        ({"margin": 1.1}, "quantity that a lever moves"),
        ({"purchase_rate": 0.0}, "above zero"),
        ({"purchase_rate": "more"}, "above zero"),
        ({"first_year_loss": 4.0}, "no share below one; state a factor below"),
        (1.05, "levers"),
    ):
        with pytest.raises(FitError, match=message):
            fit.adjusted(changes)
    with pytest.raises(FitError, match="adjusted already"):
        fit.adjusted({"purchase_rate": 1.1}).adjusted({"purchase_rate": 1.1})
    with pytest.raises(FitError, match="where"):
        fit.adjusted({"purchase_rate": 1.1}, where={})
    with pytest.raises(DataError, match="attribute of the histories"):
        fit.adjusted({"purchase_rate": 1.1}, where={"country": "DE"}).expected_purchases(rfm, "52 weeks")
    missing = rfm.with_attributes(pd.DataFrame({"city": ["x", None] * 4}, index=rfm.customer_id))
    with pytest.raises(DataError, match="city is missing for 4 customers"):
        fit.adjusted({"purchase_rate": 1.1}, where={"city": "x"}).expected_purchases(missing, "52 weeks")
    ageing = clv.ParetoNBD(ageing="gompertz")
    with pytest.raises(FitError, match="takes no levers"):
        ageing.from_params(ageing.model.example, unit="week").adjusted({"purchase_rate": 1.1})
    assert repr(adjusted_model(MODELS["gamma_gamma"])).endswith("p, q, v, spend_factor>")
