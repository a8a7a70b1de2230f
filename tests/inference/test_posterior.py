"""Posteriors: the kernels, the PyMC model, priors, samplers, what ArviZ gets, segments."""

from __future__ import annotations

from dataclasses import replace

import arviz as az
import numpy as np
import pandas as pd
import pymc as pm
import pytest
from pymc_extras.prior import Prior

import clvmodels as clv
from clvmodels.errors import DataError, FitError, FitWarning, ParameterError
from clvmodels.inference import observations, posterior
from clvmodels.inference.diagnostics import diagnose_chains
from clvmodels.inference.likelihood import LogLikelihood, tabulate
from clvmodels.inference.observations import observe
from clvmodels.models.registry import MODELS, TRANSACTION_MODELS

EXTREME = {
    "bg_nbd": [(0.05, 900.0, 0.01, 30.0), (30.0, 0.02, 500.0, 0.3)],
    "mbg_nbd": [(0.05, 900.0, 0.01, 30.0), (30.0, 0.02, 500.0, 0.3)],
    "pareto_nbd": [(0.05, 900.0, 5.0, 0.01), (30.0, 0.02, 0.01, 700.0)],
    "gamma_gamma": [(0.05, 1.01, 900.0), (300.0, 50.0, 0.1)],
    "log_normal": [(900.0, 0.05, 20.0), (0.1, 20.0, 0.05)],
    "normal_contribution": [(900.0, 0.05, 20.0), (0.1, 20.0, 0.05)],
}


@pytest.fixture(scope="module")
def rfm():
    log = clv.datasets.load_cdnow(sample=True)
    return clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end="1997-09-30")


@pytest.fixture(scope="module")
def few():
    """300 customers, of whom Pareto/NBD learns little about leaving."""
    return clv.BGNBD().from_params({"r": 0.5, "alpha": 6, "a": 0.8, "b": 2.5}, unit="week").simulate(300, 39, seed=3)


@pytest.fixture(scope="module")
def sampled(rfm):
    return clv.BGNBD().fit(rfm, method="nuts", seed=1, progress=False)


@pytest.mark.parametrize("key", MODELS)
def test_kernels_sum_what_the_terms_say(key, rfm):
    """Also as Python, for who reads or debugs them."""
    model = MODELS[key]
    observations = observe(model, rfm)
    x, customers = observations.histogram
    for theta in np.array([tuple(model.example.values()), *EXTREME[key]]):
        parts = (
            (model.count_terms, model.kernel.compiled.count_sums, customers, (x,)),
            (
                model.history_terms,
                model.kernel.compiled.history_sums,
                observations.weight,
                observations.columns,
            ),
        )
        for terms, compiled, weight, columns in parts:
            value, gradient = terms(theta, *columns)
            size = weight @ np.abs(gradient)
            for sums in (compiled, compiled.py_func):
                total, slope = sums(theta, weight, *columns)
                assert total == pytest.approx(weight @ value, rel=1e-11)
                assert (np.abs(slope - weight @ gradient) <= 1e-11 * size).all()


@pytest.mark.parametrize("key", MODELS)
def test_quantities_and_parameters_are_each_others_inverse(key):
    model = MODELS[key]
    for year in (1.0, 52.2, 365.25):
        quantities = model.to_quantities(model.example, year)
        assert set(quantities) == {quantity.name for quantity in model.quantities}
        assert all(0.0 < quantities[one.name] < (1.0 if one.share else np.inf) for one in model.quantities)
        back = model.from_quantities(quantities, year)
        np.testing.assert_allclose([back[name] for name in model.names], list(model.example.values()), rtol=1e-12)


@pytest.mark.parametrize("key", MODELS)
def test_quantities_do_not_depend_on_the_unit(key):
    model = MODELS[key]
    weeks = model.to_quantities(model.example, 365.25 / 7)
    theta = np.array(list(model.example.values())) * model.units(time=7.0)
    days = model.to_quantities(dict(zip(model.names, theta, strict=True)), 365.25)
    assert days == pytest.approx(weeks)


@pytest.mark.parametrize("key", MODELS)
def test_the_likelihood_of_the_pymc_model_is_ours(key, rfm):
    model = MODELS[key]
    estimator = getattr(clv, model.public_name)()
    built = estimator.to_pymc(rfm)
    assert [variable.name for variable in built.free_RVs] == [quantity.name for quantity in model.quantities]
    theta = model.theta(model.example)
    node = LogLikelihood(model)(theta[None, :], *vars(tabulate([observe(model, rfm)])).values())
    assert node[0].eval(mode="FAST_COMPILE") == pytest.approx(node[0].eval(), rel=1e-13)
    assert node[0].eval() == pytest.approx(observe(model, rfm).log_likelihood(model, theta)[0], rel=1e-12)


def test_the_posterior_agrees_with_maximum_likelihood(rfm, sampled):
    assert sampled.diagnostics.status == "converged"
    assert sampled.diagnostics.r_hat < 1.01
    assert sampled.diagnostics.divergences == 0
    assert sampled.theta.shape == (4, 1_000, 4)
    best = clv.BGNBD().fit(rfm)
    assert sampled.params == pytest.approx(dict(best.params), rel=0.12)
    assert sampled.log_likelihood == pytest.approx(best.log_likelihood, abs=0.5)
    spread = np.sqrt(np.diag(sampled.covariance)) / np.sqrt(np.diag(best.covariance))
    assert ((spread > 0.8) & (spread < 1.3)).all()


def test_a_seed_reproduces_the_draws(rfm, sampled):
    again = clv.BGNBD().fit(rfm, method="nuts", seed=1, progress=False)
    np.testing.assert_array_equal(again.theta, sampled.theta)
    other = clv.BGNBD().fit(rfm, method="nuts", seed=2, draws=500, chains=2, progress=False)
    assert not np.array_equal(other.theta[0, 0], sampled.theta[0, 0])


def test_the_approximations_agree_with_the_sampler(rfm, sampled):
    priors = {"purchase_rate": Prior("LogNormal", mu=1.4, sigma=1.5)}  # the default, as an object
    fit = clv.BGNBD(priors=priors).fit(rfm, method="laplace", draws=4_000, seed=3)
    assert fit.diagnostics.pareto_k < 0.7
    np.testing.assert_allclose(fit.draws.mean(axis=0), sampled.draws.mean(axis=0), rtol=0.05)
    np.testing.assert_allclose(fit.draws.std(axis=0), sampled.draws.std(axis=0), rtol=0.15)
    mode = clv.BGNBD(priors=priors).fit(rfm, method="map")
    assert len(mode.draws) == 1
    assert np.isnan(mode.covariance).all()
    assert mode.log_likelihood == pytest.approx(sampled.log_likelihood, abs=1.0)


@pytest.mark.slow
def test_variational_inference_agrees_with_the_sampler(rfm, sampled):
    fit = clv.BGNBD().fit(rfm, method="advi", draws=4_000, seed=3, progress=False)
    assert fit.diagnostics.pareto_k < 0.7
    np.testing.assert_allclose(fit.draws.mean(axis=0), sampled.draws.mean(axis=0), rtol=0.05)


def test_variational_inference_takes_the_tails_of_rates_of_leaving(few):
    fit = clv.ParetoNBD().fit(few, method="advi", draws=200, seed=4, progress=False)
    assert fit.diagnostics.status == "converged"


def test_a_variational_approximation_that_runs_away_is_told_with_advice(few, monkeypatch):
    def strays(*_, **__):
        raise FloatingPointError("NaN occurred in optimization.")

    monkeypatch.setattr(pm, "fit", strays)
    with pytest.raises(FitError, match=r'seed=7; try another seed, or use method="nuts"'):
        clv.BGNBD().fit(few, method="advi", seed=7, progress=False)


@pytest.mark.parametrize("cv", [0.2, 1.5, 12.0, 25.0, 40.0])
def test_the_gradient_is_finite_wherever_rates_of_leaving_differ(few, cv):
    built = clv.ParetoNBD().to_pymc(few)
    point = built.initial_point() | {"dropout_rate_cv_log__": np.log(cv)}
    value, gradient = float(built.compile_logp()(point)), built.compile_dlogp()(point)
    assert np.isfinite(gradient).all()
    assert np.isfinite(value) == (cv < 30.0)


@pytest.mark.parametrize("mode", [None, "FAST_COMPILE"])
@pytest.mark.parametrize("model", [*MODELS.values(), replace(MODELS["bg_nbd"], key="own")], ids=lambda one: one.key)
def test_a_likelihood_that_is_not_finite_has_no_slope(model, rfm, mode):
    table = tabulate([observe(model, rfm)]).named.values()
    for theta in (np.zeros(len(model.names)), np.full(len(model.names), np.nan)):
        value, gradient = (one.eval(mode=mode) for one in LogLikelihood(model)(theta[None, :], *table))
        assert value == -np.inf
        np.testing.assert_array_equal(gradient, np.zeros((1, len(model.names))))


@pytest.mark.parametrize("method", ["nuts", "laplace", "advi"])
@pytest.mark.parametrize(
    "wrong", [{"draws": 0}, {"draws": 1}, {"draws": -5}, {"draws": 100.0}, {"tune": 0}, {"chains": 0}, {"chains": True}]
)
def test_effort_that_draws_nothing_is_refused(few, method, wrong):
    name = next(iter(wrong))
    for model in (clv.BGNBD(), clv.BGNBD(priors={})):
        with pytest.raises(FitError, match=f"{name} is a whole number from . up, got "):
            model.fit(few, method=method, seed=1, progress=False, **wrong)


def test_the_least_effort_is_fitted_and_kept(few, tmp_path):
    with pytest.warns(FitWarning, match="do not tell whether the chains agree: ask for more"):
        fit = clv.BGNBD().fit(few, method="nuts", draws=2, tune=1, chains=2, seed=1, progress=False)
    assert (fit.diagnostics.r_hat, fit.diagnostics.ess) == (None, None)
    fit.save(tmp_path / "fit.json")
    assert clv.Fit.load(tmp_path / "fit.json").diagnostics == fit.diagnostics


def test_one_chain_is_not_said_to_disagree(few, tmp_path):
    with pytest.warns(FitWarning, match="one chain cannot be checked against another: ask for chains=4"):
        fit = clv.BGNBD().fit(few, method="nuts", draws=1_000, chains=1, seed=1, progress=False)
    assert "disagree" not in fit.diagnostics.message
    assert fit.diagnostics.r_hat is None
    assert fit.diagnostics.ess > 100
    fit.save(tmp_path / "fit.json")
    assert clv.Fit.load(tmp_path / "fit.json").diagnostics == fit.diagnostics


def test_a_chain_that_stands_still_is_no_agreement():
    """One of two variables does not move: its R-hat is not a number, whatever that of the other."""
    moving = np.random.default_rng(1).standard_normal((4, 500, 1))
    diagnostics = diagnose_chains(np.concatenate([moving, np.zeros_like(moving)], axis=-1), 0)
    assert diagnostics.status == "not converged"


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_pymcs_own_sampler_agrees(rfm, sampled):
    with pytest.warns(FitWarning, match="too few effective draws"):
        fit = clv.BGNBD().fit(rfm, method="nuts", sampler="pymc", draws=150, tune=200, chains=2, seed=1, progress=False)
    error = sampled.draws.std(axis=0) / np.sqrt(60.0)
    assert (np.abs(fit.draws.mean(axis=0) - sampled.draws.mean(axis=0)) < 4.0 * error).all()
    assert set(fit.stats) == {"diverging", "n_steps", "step_size", "lp"}


# Of amounts as heavy-tailed as these, 200 customers are no guide to the normal model.
@pytest.mark.parametrize("key", [key for key in MODELS if key != "normal_contribution"])
def test_a_sample_of_many_customers_leads_to_the_same_mode(key, rfm, monkeypatch):
    estimator, customers, density = getattr(clv, MODELS[key].public_name)(), [], posterior.Target.density
    monkeypatch.setattr(
        posterior.Target, "density", lambda *args: customers.append(args[0].customers) or density(*args)
    )
    expected = estimator.fit(rfm, method="map")
    everybody, evaluations = customers[0], len(customers)
    customers.clear()
    monkeypatch.setattr(observations, "SAMPLE", 200)
    found = estimator.fit(rfm, method="map")
    assert customers[0] < everybody
    assert customers.count(everybody) < evaluations
    assert found.diagnostics == expected.diagnostics
    np.testing.assert_allclose(found.estimate, expected.estimate, rtol=2e-6)


def test_a_table_holds_what_the_pymc_model_holds(rfm):
    built = clv.BGNBD().to_pymc(rfm)
    for name, array in tabulate([observe(MODELS["bg_nbd"], rfm)]).named.items():
        held = built[name].get_value()
        assert (held.dtype, held.flags.c_contiguous) == (array.dtype, array.flags.c_contiguous)
        np.testing.assert_array_equal(held, array)


def test_what_a_fit_has_compiled_serves_the_next(rfm, monkeypatch):
    monkeypatch.setattr(observations, "SAMPLE", 200)
    monkeypatch.setattr(posterior, "_COMPILED", {})
    clv.BGNBD().fit(rfm, method="map")
    monkeypatch.setattr(posterior, "pymc_model", lambda *_, **__: pytest.fail("a PyMC model is built"))
    clv.BGNBD().fit(rfm.select(rfm.customer_id[:500]), method="map")
    for function, _ in posterior._COMPILED.values():
        assert len(function.signatures) == 1


def test_priors_pull_where_the_data_say_little(rfm):
    few = rfm.select(rfm.customer_id[:60])
    tight = {"purchase_rate": {"dist": "LogNormal", "mu": np.log(20.0), "sigma": 0.02}}
    fit = clv.BGNBD(priors=tight).fit(few, method="laplace", seed=1)
    year = 365.25 / 7
    assert fit.params["r"] / fit.params["alpha"] * year == pytest.approx(20.0, rel=0.1)


def test_priors_on_the_papers_parameters(rfm):
    spec = {"dist": "HalfNormal", "kwargs": {"sigma": 10.0}}
    model = clv.BGNBD(priors=dict.fromkeys(("r", "alpha", "a", "b"), spec))
    assert [variable.name for variable in model.to_pymc(rfm).free_RVs] == ["r", "alpha", "a", "b"]
    fit = model.fit(rfm, method="laplace", seed=1)
    assert fit.params["r"] == pytest.approx(0.243, rel=0.05)


def test_priors_of_the_caller_are_not_changed(rfm):
    prior = Prior("LogNormal", mu=Prior("Normal", mu=1.0, sigma=0.1), sigma=0.5)
    before = repr(prior.to_dict())
    clv.BGNBD(priors={"purchase_rate": prior}).to_pymc(rfm)
    assert repr(prior.to_dict()) == before


def test_a_prior_may_have_priors_itself(rfm):
    nested = Prior("LogNormal", mu=Prior("Normal", mu=1.0, sigma=0.1), sigma=0.5)
    fit = clv.BGNBD(priors={"purchase_rate": nested}).fit(rfm, method="laplace", draws=100, seed=1)
    believed = fit.to_datatree(rfm)["prior"]["purchase_rate"].to_numpy()
    assert np.log(believed).mean() == pytest.approx(1.0, abs=0.1)
    assert np.log(believed).std() == pytest.approx(np.hypot(0.1, 0.5), rel=0.15)
    by_hand = clv.BGNBD(priors={"purchase_rate": fit.priors["purchase_rate"]}).to_pymc(rfm)
    assert "purchase_rate_mu" in by_hand.named_vars


class Own:
    """A prior object of somebody's own, which tells nothing about itself."""

    def __init__(self, mu):
        self.mu = mu

    def create_variable(self, name):
        return pm.LogNormal(name, self.mu, 0.02)

    def __repr__(self):
        return "Own()"


def test_a_density_is_not_taken_for_that_of_another_prior(rfm):
    few = rfm.select(rfm.customer_id[:60])
    year = 365.25 / 7
    for rate in (5.0, 20.0):
        fit = clv.BGNBD(priors={"purchase_rate": Own(np.log(rate))}).fit(few, method="map")
        assert fit.params["r"] / fit.params["alpha"] * year == pytest.approx(rate, rel=0.1)
        assert fit.priors["purchase_rate"] == {"object": "Own()"}
        assert "prior" not in fit.to_datatree(few).children


def test_what_plain_data_cannot_say_of_a_prior_is_refused(rfm):
    told = Prior("Normal", mu=1.0, sigma=0.1, transform="exp").to_dict()
    with pytest.raises(ParameterError, match="transform"):
        clv.BGNBD(priors={"purchase_rate": told}).to_pymc(rfm)
    tree = clv.BGNBD(priors={"purchase_rate": Prior("Normal", mu=1.0, sigma=0.1, transform="exp")})
    assert "object" in tree.fit(rfm, method="map").priors["purchase_rate"]


def test_pictures_of_arviz_take_the_tree(sampled, rfm):
    tree = sampled.to_datatree(rfm)
    for plot in (az.plot_trace, az.plot_dist, az.plot_forest):
        assert plot(tree, var_names=["r", "alpha"], backend="none") is not None


def test_wrong_priors_are_refused_with_advice(rfm):
    with pytest.raises(ParameterError, match="purchase_rate"):
        clv.BGNBD(priors={"purchase_rat": {"dist": "LogNormal", "mu": 0.0, "sigma": 1.0}})
    with pytest.raises(ParameterError, match="or all of r, alpha, a, b; got r"):
        clv.BGNBD(priors={"r": {"dist": "HalfNormal", "sigma": 1.0}})
    for wrong in ({"dist": "LogNormale"}, {"dist": "LogNormal", "mean": 3.0}, {}):
        with pytest.raises(ParameterError, match="the prior of purchase_rate is like"):
            clv.BGNBD(priors={"purchase_rate": wrong}).to_pymc(rfm)


def test_what_does_not_go_together_is_refused(rfm):
    priors = clv.BGNBD().default_priors
    with pytest.raises(FitError, match="takes no priors"):
        clv.BGNBD(priors=priors).fit(rfm)
    with pytest.raises(FitError, match="nutpie"):
        clv.BGNBD().fit(rfm, method="nuts", sampler="nutpy")
    with pytest.raises(DataError, match="segment"):
        clv.BGNBD().fit(rfm, method="nuts", by="segment")
    half = {"dist": "HalfNormal", "sigma": 10.0}
    with pytest.raises(FitError, match="needs priors of purchase_rate"):
        clv.BGNBD(priors=dict.fromkeys(("r", "alpha", "a", "b"), half)).fit(rfm, method="nuts", by="segment")


def test_spend_is_sampled_with_q_above_one(rfm):
    fit = clv.GammaGamma().fit(rfm, method="nuts", draws=500, seed=1, progress=False)
    assert fit.diagnostics.status == "converged"
    assert (fit.draws[:, 1] > 1.0).all()
    assert fit.params == pytest.approx(dict(clv.GammaGamma().fit(rfm).params), rel=0.15)
    half = {"dist": "HalfNormal", "sigma": 10.0}
    own = clv.GammaGamma(priors={"p": half, "q": half, "v": {"dist": "HalfNormal", "sigma": 50.0}})
    assert (own.fit(rfm, method="laplace", draws=100, seed=1).draws[:, 1] > 1.0).all()


def test_arviz_gets_what_it_needs(rfm, sampled):
    tree = sampled.to_datatree(rfm)
    assert {"posterior", "sample_stats", "prior", "observed_data", "log_likelihood"} <= set(tree.children)
    table = az.summary(tree, var_names=["r", "dropout"])
    assert float(table.loc["r", "mean"]) == pytest.approx(sampled.params["r"], rel=0.01)
    theirs, ours = az.loo(tree, pointwise=True), sampled.loo(rfm)
    for name in ("elpd", "se", "p", "elpd_i", "pareto_k", "good_k"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-9, atol=1e-9, err_msg=name)
    assert float(ours.pareto_k.max()) < 0.7
    values = tree["log_likelihood"]["history"]
    assert values.dims == ("chain", "draw", "customer_id")
    expected = sampled.model.log_likelihood(sampled.theta[1, 7], rfm.frequency, rfm.recency, rfm.T)
    np.testing.assert_allclose(values[1, 7], expected, rtol=1e-12)
    with pytest.raises(FitError, match=r"fit\.loo"):
        sampled.to_datatree(rfm, memory_gb=0.01)
    best = clv.BGNBD().fit(rfm)
    assert "prior" not in best.to_datatree(rfm).children
    with pytest.raises(FitError, match="needs draws"):
        best.loo(rfm)


def test_leaving_one_out_needs_enough_draws(few):
    fit = clv.BGNBD().fit(few, method="laplace", draws=25, seed=1)
    assert fit.loo(few).n_samples == 25
    for step in (2, 3, 13):
        with pytest.raises(FitError, match="needs draws, 25 or more, got"):
            fit.thinned(step).loo(few)


def test_a_customer_of_age_zero_can_be_left_out(few):
    """The likelihood of no time is one, whatever the parameters."""
    table = few.to_frame().reset_index()[["customer_id", "frequency", "recency", "T"]]
    table.loc[5, ["frequency", "recency", "T"]] = 0
    rfm = clv.Histories.from_frame(table, unit="week")
    loo = clv.BGNBD().fit(rfm, method="laplace", draws=200, seed=1).loo(rfm)
    assert float(loo.elpd_i[5]) == 0.0
    assert np.isfinite(loo.elpd)
    assert not loo.warning


def test_models_are_compared(rfm, sampled):
    fits = {"BG/NBD": sampled}
    for name in ("MBGNBD", "ParetoNBD"):
        fit = getattr(clv, name)().fit(rfm, method="nuts", seed=3, progress=False)
        fits[fit.model.name] = fit
    loos = {name: fit.loo(rfm) for name, fit in fits.items()}
    assert all(float(loo.pareto_k.max()) < 0.7 for loo in loos.values())
    table = az.compare(loos)
    assert set(table.index) == set(fits)
    assert table.index[-1] == "Pareto/NBD"


def test_a_sampled_fit_survives_a_file(tmp_path, sampled):
    sampled.save(tmp_path / "fit.json")
    again = clv.Fit.load(tmp_path / "fit.json")
    np.testing.assert_array_equal(again.theta, sampled.theta)
    assert again.priors == sampled.priors
    assert again.diagnostics == sampled.diagnostics
    np.testing.assert_array_equal(again.stats["lp"], sampled.stats["lp"])


def test_a_model_with_more_than_the_likelihood_can_be_sampled_by_hand(rfm):
    with clv.BGNBD().to_pymc(rfm) as model:
        pm.Potential("more", -0.5 * (model["r"] - 0.3) ** 2 / 0.001**2)
        point = pm.find_MAP(progressbar=False)
    assert float(point["r"]) == pytest.approx(0.3, abs=0.01)


@pytest.fixture(scope="module")
def segments():
    """Three segments, one with few customers; they differ in the purchase rate."""
    tables = []
    for name, customers, factor in (("large", 600, 1.0), ("middle", 300, 2.0), ("small", 25, 1.4)):
        fit = clv.BGNBD().from_params({"r": 0.6, "alpha": 6.0 / factor, "a": 0.8, "b": 2.4}, unit="week")
        table = fit.simulate(customers, "78 weeks", seed=customers).to_frame()[["frequency", "recency", "T"]]
        tables.append(table.assign(segment=name))
    table = pd.concat(tables, ignore_index=True).rename_axis("customer_id").reset_index()
    table[["recency", "T"]] = np.ceil(table[["recency", "T"]] * 7) / 7
    return clv.Histories.from_frame(table, unit="week")


@pytest.mark.filterwarnings("ignore::clvmodels.errors.FitWarning")  # a few divergences in a hundred draws
def test_small_segments_borrow_strength(segments, tmp_path):
    fit = clv.BGNBD().fit(segments, method="nuts", by="segment", draws=300, tune=300, chains=2, seed=1, progress=False)
    assert fit.segments == ("large", "middle", "small")
    rate = {name: fit.segment(name).params["r"] / fit.segment(name).params["alpha"] for name in fit.segments}
    assert rate["large"] < rate["middle"]
    alone = clv.BGNBD().fit(
        segments.select(segments.attributes["segment"] == "small"), method="laplace", draws=500, seed=1
    )
    assert fit.segment("small").summary()["sd"]["r"] < 1.5 * alone.summary()["sd"]["r"]

    expected = fit.expected_purchases(segments, "52 weeks")
    for name in fit.segments:
        some = segments.select(segments.attributes["segment"] == name)
        pd.testing.assert_frame_equal(
            fit.segment(name).expected_purchases(some, "52 weeks"), expected.loc[some.customer_id]
        )
    with pytest.raises(DataError, match="value of segment"):
        fit.expected_purchases(_renamed(segments), "52 weeks")
    with pytest.raises(FitError, match="segment"):
        fit.segment("huge")
    fit.save(tmp_path / "fit.json")
    again = clv.Fit.load(tmp_path / "fit.json")
    np.testing.assert_array_equal(again.segment_theta, fit.segment_theta)
    tree = fit.to_datatree(segments)
    assert tree["posterior"]["r_of_segment"].dims == ("chain", "draw", "segment")
    assert fit.loo(segments).n_data_points == len(segments)
    assert fit.loo(segments).elpd == pytest.approx(az.loo(tree).elpd, rel=1e-9)


def _renamed(histories):
    table = histories.to_frame().reset_index()
    table["segment"] = table["segment"].replace("small", "tiny")
    return clv.Histories.from_frame(table.drop(columns="monetary_value"), unit="week")


@pytest.mark.parametrize("key", TRANSACTION_MODELS)
def test_the_sampler_recovers_known_parameters(key):
    model = TRANSACTION_MODELS[key]
    estimator = getattr(clv, model.public_name)()
    rfm = estimator.from_params(model.example, unit="week").simulate(2_000, "78 weeks", seed=11)
    fit = estimator.fit(rfm, method="laplace", draws=2_000, seed=1)
    low, high = np.quantile(fit.draws, [0.005, 0.995], axis=0)
    truth = np.array(list(model.example.values()))
    assert ((low < truth) & (truth < high)).all()
