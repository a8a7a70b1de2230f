"""Laws of fitting, for every registered model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime

import clvmodels as clv
from clvmodels.inference.estimator import SpendEstimator, TransactionEstimator
from clvmodels.inference.observations import observe
from clvmodels.models.registry import SPEND_MODELS, SPEND_VARIANTS
from clvmodels.numerics.threads import blocks
from tests.contract.conftest import as_histories


def log_likelihood(model, theta, rfm):
    return float(model.log_likelihood(theta, rfm.frequency, rfm.recency, rfm.T).sum())


def test_known_parameters_are_recovered(model, theta, fitted):
    fit = fitted[model.key]
    assert fit.diagnostics.status == "converged"
    z = (np.log(fit.estimate) - np.log(theta)) / np.sqrt(np.diag(fit.covariance))
    assert np.abs(z).max() < 4.0


def test_the_compressed_likelihood_is_that_of_all_customers(model, theta, rfm, fitted):
    fit = fitted[model.key]
    assert fit.log_likelihood == pytest.approx(log_likelihood(model, fit.estimate, rfm), rel=1e-12)
    assert len(rfm.distinct().rows) < len(rfm)
    assert log_likelihood(model, theta, rfm) < fit.log_likelihood


def test_nothing_nearby_is_better(model, rfm, fitted):
    fit = fitted[model.key]
    generator = np.random.default_rng(0)
    for _ in range(10):
        other = fit.estimate * np.exp(0.02 * generator.standard_normal(len(fit.estimate)))
        assert log_likelihood(model, other, rfm) < fit.log_likelihood


def test_standard_errors_come_from_the_curvature(model, rfm, fitted):
    fit, psi = fitted[model.key], np.log(fitted[model.key].estimate)

    def gradient(psi):
        return approx_fprime(psi, lambda psi: -log_likelihood(model, np.exp(psi), rfm), 1e-4)

    hessian = np.array([(gradient(psi + h) - gradient(psi - h)) / 2e-2 for h in 1e-2 * np.eye(len(psi))])
    np.testing.assert_allclose(
        np.sqrt(np.diag(fit.covariance)), np.sqrt(np.diag(np.linalg.inv(0.5 * (hessian + hessian.T)))), rtol=0.02
    )
    table = fit.summary()
    np.testing.assert_allclose(table["sd"], fit.estimate * np.sqrt(np.diag(fit.covariance)))
    assert ((table["low"] < table["estimate"]) & (table["estimate"] < table["high"])).all()


def test_the_order_of_customers_does_not_matter(model, rfm, fitted):
    shuffled = rfm.select(np.random.default_rng(3).permutation(rfm.customer_id))
    again = TransactionEstimator(model).fit(shuffled)
    np.testing.assert_allclose(again.estimate, fitted[model.key].estimate, rtol=1e-6)
    assert again.fingerprint == fitted[model.key].fingerprint
    expected = [fit.expected_purchases(rfm, "26 weeks")["mean"] for fit in (again, fitted[model.key])]
    pd.testing.assert_series_equal(*expected, rtol=1e-6)
    moved = again.expected_purchases(shuffled, "26 weeks")["mean"]
    pd.testing.assert_series_equal(moved.sort_index(), expected[0].sort_index(), rtol=1e-12)


@pytest.mark.parametrize(("unit", "ratio"), [("day", 7.0), ("year", 7 / 365.25)])
def test_a_change_of_unit_changes_time_like_parameters_only(model, rfm, fitted, unit, ratio):
    fit, other = fitted[model.key], TransactionEstimator(model).fit(rfm.in_unit(unit))
    np.testing.assert_allclose(other.estimate, fit.estimate * model.units(time=ratio), rtol=1e-5)
    shift = -np.log(ratio) * rfm.frequency.sum()
    assert other.log_likelihood - fit.log_likelihood == pytest.approx(shift, rel=1e-9)
    ours = other.expected_purchases(rfm.in_unit(unit), "39 weeks")["mean"]
    pd.testing.assert_series_equal(ours, fit.expected_purchases(rfm, "39 weeks")["mean"], rtol=1e-5)


@pytest.mark.filterwarnings("ignore:the spend of")
def test_equity_does_not_depend_on_the_unit(model, fitted, rfm):
    terms = clv.Assumptions(discount_rate=0.1, margin=0.4, order_cost=1.0, maintenance_cost=2.0)
    spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    params = fitted[model.key].params
    daily = dict(zip(params, np.array(list(params.values())) * model.units(time=7.0), strict=True))
    few = rfm.select(rfm.customer_id[:500])
    weeks = clv.value(fitted[model.key], spend, few, terms)
    days = clv.value(TransactionEstimator(model).from_params(daily, unit="day"), spend, few.in_unit("day"), terms)
    assert days.equity == pytest.approx(weeks.equity, rel=1e-9)


def test_simulation_agrees_with_expectation(fit, rfm):
    bought = rfm.frequency
    expected = fit.expected_purchases_new("52 weeks")["mean"]
    assert bought.mean() == pytest.approx(expected, abs=4 * bought.std() / np.sqrt(len(rfm)))
    silent = (bought == 0).mean()
    probability = fit.probability_of_purchases_new("52 weeks", n=0)
    assert silent == pytest.approx(probability, abs=4 * np.sqrt(probability * (1 - probability) / len(rfm)))


def test_p_alive_is_calibrated(fit, rfm):
    alive = fit.probability_alive(rfm)["mean"].to_numpy()
    truth = rfm.attributes["alive"].to_numpy()
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 0.95), (0.95, 1.01)):
        group = (alive >= low) & (alive < high)
        if group.sum() > 100:
            error = np.sqrt((alive[group] * (1 - alive[group])).sum()) / group.sum()
            assert truth[group].mean() == pytest.approx(alive[group].mean(), abs=4 * error + 1e-12)


def test_predictions_come_back_on_the_right_customers(fit):
    rfm = as_histories()
    ids = [5, 0, 3]
    some = rfm.select(ids)
    for predict in (
        fit.probability_alive,
        lambda h: fit.expected_purchases(h, 10),
        lambda h: fit.probability_of_purchases(h, 10, 2),
    ):
        pd.testing.assert_frame_equal(predict(some), predict(rfm).loc[ids])


def test_draws_scatter_as_the_covariance_says(model, rfm, fitted):
    fit = TransactionEstimator(model).fit(rfm, method="laplace", draws=4000, seed=11)
    assert fit.theta.shape == (1, 4000, len(model.parameters))
    np.testing.assert_allclose(np.cov(np.log(fit.draws).T), fit.covariance, rtol=0.2, atol=0.1 * fit.covariance.max())
    again = TransactionEstimator(model).fit(rfm, method="laplace", draws=4000, seed=11)
    np.testing.assert_array_equal(fit.draws, again.draws)
    np.testing.assert_allclose(fit.estimate, fitted[model.key].estimate)


def test_predictions_of_draws_are_summarised(model, rfm):
    fit = TransactionEstimator(model).fit(rfm, method="laplace", draws=50, seed=1)
    few = rfm.select(rfm.customer_id[:40])
    table = fit.expected_purchases(few, "26 weeks")
    assert list(table.columns) == ["mean", "sd", "q05", "q50", "q95"]
    assert ((table["q05"] <= table["q50"]) & (table["q50"] <= table["q95"])).all()
    each = [
        TransactionEstimator(model)
        .from_params(dict(zip(model.names, draw, strict=True)), unit="week")
        .expected_purchases(few, "26 weeks")["mean"]
        for draw in fit.draws
    ]
    np.testing.assert_allclose(table["mean"], np.mean(each, axis=0), rtol=1e-9)
    np.testing.assert_allclose(table["q95"], np.quantile(each, 0.95, axis=0), rtol=1e-9)
    assert fit.expected_purchases_new("26 weeks")["sd"] > 0


def test_a_fit_comes_back_from_its_file(model, rfm, fitted, tmp_path):
    for fit in (fitted[model.key], TransactionEstimator(model).fit(rfm, method="laplace", draws=10, seed=1)):
        fit.save(tmp_path / "transactions.json")
        again = clv.Fit.load(tmp_path / "transactions.json")
        assert repr(again) == repr(fit)
        assert again.diagnostics == fit.diagnostics
        for name in ("theta", "estimate", "covariance"):
            np.testing.assert_array_equal(getattr(again, name), getattr(fit, name))
        few = rfm.select(rfm.customer_id[:5])
        pd.testing.assert_frame_equal(again.expected_purchases(few, 9), fit.expected_purchases(few, 9))
    assert len((tmp_path / "transactions.json").read_bytes()) < 5_000


def test_many_customers_give_the_same_fit_as_the_search_without_a_sample(model, rfm, fitted, monkeypatch):
    monkeypatch.setattr("clvmodels.inference.observations.SAMPLE", 1_000)
    sampled = TransactionEstimator(model).fit(rfm)
    np.testing.assert_allclose(sampled.estimate, fitted[model.key].estimate, rtol=1e-6)


def test_a_fit_is_immutable(fitted, model):
    fit = fitted[model.key]
    with pytest.raises(AttributeError):
        fit.method = "nuts"
    with pytest.raises(ValueError, match="read-only"):
        fit.theta[0, 0, 0] = 1.0
    with pytest.raises(TypeError):
        fit.params["r"] = 1.0


def test_the_result_does_not_depend_on_the_number_of_threads(model, rfm, fitted, monkeypatch):
    def one_thread(function, size, most):
        return [function(rows) for rows in blocks(size, most)]

    monkeypatch.setattr("clvmodels.inference.observations.ROWS_PER_BLOCK", 1_000)
    in_threads = TransactionEstimator(model).fit(rfm)
    np.testing.assert_allclose(in_threads.estimate, fitted[model.key].estimate, rtol=1e-8)
    monkeypatch.setattr("clvmodels.inference.observations.map_blocks", one_thread)
    again = TransactionEstimator(model).fit(rfm)
    np.testing.assert_array_equal(again.estimate, in_threads.estimate)


# ---------------------------------------------------------------------------------------------- models of spend


MODELS_OF_SPEND = {**SPEND_MODELS, "gamma_gamma_orders": SPEND_VARIANTS["gamma_gamma_orders"]}
LOGS = {"log_mean": "log_mean", "log_ss": "log_ss", "known_ss": "known_ss"}


@pytest.fixture(params=MODELS_OF_SPEND.values(), ids=list(MODELS_OF_SPEND))
def spend_model(request):
    return request.param


def number_of_values(model, histories):
    """How many values the likelihood is a density of: means, or single orders."""
    return len(histories) if model.statistics == ("x", "mean") else histories.frequency.sum()


@pytest.fixture
def spenders(spend_model):
    """10,000 customers with one to eight repeat purchases."""
    generator = np.random.default_rng(5)
    theta = spend_model.theta(spend_model.example)
    x = generator.integers(1, 9, 10_000)
    owner = np.repeat(np.arange(10_000), x)
    nothing = np.zeros(10_000)
    values = spend_model.draw_orders(theta, nothing, nothing, owner, generator)
    logs = np.log(np.abs(values))
    mean, log_mean = np.bincount(owner, values) / x, np.bincount(owner, logs) / x
    table = {"frequency": x, "recency": 2.0, "T": 2.0, "monetary_value": mean}
    table |= {"known_ss": np.bincount(owner, (values - mean[owner]) ** 2)}
    table |= {"log_mean": log_mean, "log_ss": np.bincount(owner, (logs - log_mean[owner]) ** 2)}
    with pytest.warns(clv.errors.DataWarning, match="every customer has a repeat"):
        return clv.Histories.from_frame(pd.DataFrame(table).rename_axis("customer_id"), unit="week", statistics=LOGS)


def test_spend_parameters_are_recovered(spend_model, spenders):
    fit = SpendEstimator(spend_model).fit(spenders)
    lower, theta = spend_model.lower, spend_model.theta(spend_model.example)
    z = (np.log(fit.estimate - lower) - np.log(theta - lower)) / np.sqrt(np.diag(fit.covariance))
    assert np.abs(z).max() < 4.0
    assert fit.expected_spend(spenders)["mean"].mean() == pytest.approx(spenders.monetary_value.mean(), rel=0.01)


def test_a_change_of_currency_changes_money_like_parameters_only(spend_model, spenders):
    fit = SpendEstimator(spend_model).fit(spenders)
    table = spenders.to_frame()
    table["monetary_value"] *= 100.0
    table["log_mean"] += np.log(100.0)
    table["known_ss"] *= 1e4
    with pytest.warns(clv.errors.DataWarning, match="every customer has a repeat"):
        cents = SpendEstimator(spend_model).fit(clv.Histories.from_frame(table, unit="week", statistics=LOGS))
    np.testing.assert_allclose(cents.estimate, fit.estimate * spend_model.units(money=100.0), rtol=1e-5)
    assert cents.log_likelihood - fit.log_likelihood == pytest.approx(
        -number_of_values(spend_model, spenders) * np.log(100.0), rel=1e-9
    )


def test_the_gradient_of_spend_is_that_of_the_log_likelihood(spend_model):
    theta = spend_model.theta(spend_model.example)
    x, spend, squares = np.array([1.0, 2.0, 30.0]), np.array([5.0, 40.0, 300.0]), np.array([0.0, 0.1, 4.0])
    known = {"x": x, "valued": x, "mean": spend, "valued_mean": spend, "log_mean": np.log(spend) - squares / (2.0 * x)}
    known |= {"known": x, "known_mean": spend - 20.0, "known_ss": 100.0 * squares}
    history = [(known | {"log_ss": squares})[name] for name in spend_model.statistics]
    for terms, columns in ((spend_model.count_terms, (x,)), (spend_model.history_terms, history)):
        _, gradient = terms(theta, *columns)
        for k, shift in enumerate(1e-6 * np.diag(theta)):
            difference = (terms(theta + shift, *columns)[0] - terms(theta - shift, *columns)[0]) / (2 * shift[k])
            np.testing.assert_allclose(gradient[..., k], difference, rtol=1e-5, atol=1e-8)


def test_the_likelihood_of_spend_is_a_density(spend_model):
    from scipy.integrate import quad

    theta = spend_model.theta(spend_model.example)
    for x in (1.0, 4.0) if spend_model.statistics == ("x", "mean") else (1.0,):

        def density(spend, x=x):
            known = {"x": x, "valued": x, "mean": spend, "valued_mean": spend}
            known |= {"known": x, "known_mean": spend, "known_ss": 0.0}
            known |= {} if spend_model.signed else {"log_mean": np.log(spend), "log_ss": 0.0}
            columns = [np.asarray(known[name]) for name in spend_model.statistics]
            return float(np.exp(spend_model.log_likelihood(theta, *columns)))

        least = -np.inf if spend_model.signed else 1e-30
        assert quad(density, least, np.inf, limit=200)[0] == pytest.approx(1.0, abs=1e-6)
        mean = quad(lambda spend: spend * density(spend), least, np.inf, limit=200)[0]
        population = float(spend_model.expected_spend(theta, np.zeros(1), np.zeros(1))[0])
        assert mean == pytest.approx(population, rel=1e-4)


def test_customers_without_usable_spend_are_left_out_of_the_fit_and_get_the_population_mean(spend_model, spenders):
    table = pd.concat([spenders.to_frame(), spenders.to_frame().tail(50).set_index(pd.RangeIndex(20_000, 20_050))])
    table.loc[20_000:, ["frequency", "recency", "monetary_value", "log_mean"]] = [0.0, 0.0, np.nan, np.nan]
    rfm = clv.Histories.from_frame(table.rename_axis("customer_id"), unit="week", statistics=LOGS)
    fit = SpendEstimator(spend_model).fit(rfm)
    assert fit.customers == 10_000
    z = fit.expected_spend(rfm)["mean"]
    np.testing.assert_allclose(
        z.loc[20_000:], float(spend_model.expected_spend(fit.estimate, np.zeros(1), np.zeros(1))[0])
    )
    assert observe(spend_model, rfm).customers == 10_000
