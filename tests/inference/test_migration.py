"""Fits taken over from lifetimes 0.11.3 and pymc-marketing 1.3: the same numbers, and refusals that explain.

The peers are asked on CDNOW's sample, where x is at most 29 and their closed forms hold nine digits or more; for the
largest x they overflow, which `test_peers` shows.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import clvmodels as clv
from clvmodels.errors import DataWarning, FitError, FitWarning, ParameterError, UnitError
from clvmodels.inference.migration.lifetimes import from_lifetimes
from clvmodels.inference.migration.pymc_marketing import from_pymc_marketing
from clvmodels.models.registry import MODELS, PERIOD_MODELS
from tests.golden.published import BG_NBD_39, WEEK_39_SPEND, cdnow

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lifetimes

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::RuntimeWarning")

HERE = {"bg_nbd": "BGNBD", "mbg_nbd": "MBGNBD", "pareto_nbd": "ParetoNBD", "gamma_gamma": "GammaGamma"}
FITTERS = {
    "bg_nbd": "BetaGeoFitter",
    "mbg_nbd": "ModifiedBetaGeoFitter",
    "pareto_nbd": "ParetoNBDFitter",
}
PEER_MODELS = {"bg_nbd": "BetaGeoModel", "mbg_nbd": "ModifiedBetaGeoModel", "pareto_nbd": "ParetoNBDModel"}
COLUMNS = ["frequency", "recency", "T"]


@pytest.fixture(scope="module")
def rfm():
    return cdnow(sample=True, end="1997-09-30")


@pytest.fixture(scope="module")
def some(rfm):
    """Every 24th customer: 99 of them, as the peers are slow with draws."""
    return rfm.select(rfm.customer_id[::24])


def fitted(key, rfm, **options):
    fitter = getattr(lifetimes, FITTERS[key])(**options)
    start = np.ones(4) if key == "pareto_nbd" else None  # where its own start is random
    return fitter.fit(rfm.frequency, rfm.recency, rfm.T, initial_params=start)


@pytest.fixture(scope="module", params=FITTERS)
def orders(request, rfm):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitter = fitted(request.param, rfm)
    return fitter, from_lifetimes(fitter, unit="week"), request.param


@pytest.fixture(scope="module")
def spend(rfm):
    repeaters = rfm.frequency > 0
    return lifetimes.GammaGammaFitter().fit(rfm.frequency[repeaters], rfm.monetary_value[repeaters])


# lifetimes


def test_purchases_and_alive_as_lifetimes_has_them(orders, rfm):
    fitter, fit, _ = orders
    columns = rfm.frequency, rfm.recency, rfm.T
    purchases = fitter.conditional_expected_number_of_purchases_up_to_time(39, *columns)
    alive = fitter.conditional_probability_alive(*columns)
    new = fitter.expected_number_of_purchases_up_to_time(39)
    np.testing.assert_allclose(fit.expected_purchases(rfm, "39 weeks")["mean"], np.asarray(purchases), rtol=1e-10)
    np.testing.assert_allclose(fit.probability_alive(rfm)["mean"], np.asarray(alive), rtol=1e-10)
    assert fit.expected_purchases_new("39 weeks")["mean"] == pytest.approx(float(new), rel=1e-10)


def test_the_likelihood_and_fingerprint_are_those_of_the_same_data_fitted_here(orders, rfm):
    _, fit, key = orders
    here = getattr(clv, HERE[key])().fit(rfm)
    assert fit.log_likelihood == pytest.approx(here.log_likelihood, abs=1e-3)
    assert fit.log_likelihood <= here.log_likelihood + 1e-9  # which is the maximum
    assert fit.aic == pytest.approx(here.aic, abs=2e-3)
    assert (fit.customers, fit.fingerprint) == (here.customers, here.fingerprint)
    assert fit.diagnostics.status == "given"
    assert 0.0 < fit.diagnostics.gradient < 1e-5  # lifetimes stopped near the maximum
    assert "fitted to 2,357 customers observed for up to 38.86 weeks" in fit.describe()


def test_spend_as_lifetimes_has_it(spend, rfm):
    repeaters = rfm.frequency > 0
    theirs = spend.conditional_expected_average_profit(rfm.frequency[repeaters], rfm.monetary_value[repeaters])
    fit, here = from_lifetimes(spend), clv.GammaGamma().fit(rfm)
    np.testing.assert_allclose(fit.expected_spend(rfm)["mean"][repeaters], theirs, rtol=1e-12)
    assert fit.log_likelihood == pytest.approx(here.log_likelihood, abs=1e-3)
    assert (fit.customers, fit.fingerprint) == (946, here.fingerprint)
    assert from_lifetimes(spend, unit="week").params == fit.params


def test_weights_are_customers(rfm):
    distinct = rfm.distinct()
    x, t_x, T = distinct.rows.T
    weighted = lifetimes.BetaGeoFitter().fit(x, t_x, T, weights=distinct.weight.astype(int))
    fit = from_lifetimes(weighted, unit="week")
    assert len(distinct.weight) < len(rfm)
    assert (fit.customers, fit.fingerprint) == (2_357, distinct.fingerprint)
    assert fit.log_likelihood == pytest.approx(clv.BGNBD().fit(rfm).log_likelihood, abs=1e-3)
    weighted.data["weights"] = 0.5
    assert np.isnan(from_lifetimes(weighted, unit="week").log_likelihood)


@pytest.fixture
def known():
    """What is left of a fitter that was saved without its data."""
    fitter = lifetimes.BetaGeoFitter()
    fitter.params_, fitter.data = BG_NBD_39, None
    return fitter


def test_without_the_data_there_is_no_likelihood(known):
    fit = from_lifetimes(known, unit="week")
    assert dict(fit.params) == BG_NBD_39
    assert np.isnan(fit.log_likelihood)
    assert (fit.customers, fit.fingerprint) == (0, "")


def test_the_unit_must_be_said_and_matters(known, rfm):
    with pytest.raises(UnitError, match=r'BetaGeoFitter of lifetimes does not know its unit.*unit="day"'):
        from_lifetimes(known)
    with pytest.raises(UnitError, match="did you mean 'week'"):
        from_lifetimes(known, unit="weak")
    with pytest.raises(UnitError, match="days and the histories in weeks"):
        from_lifetimes(known, unit="day").expected_purchases(rfm, "39 weeks")


def test_other_objects_are_refused():
    other = lifetimes.BetaGeoBetaBinomFitter()
    with pytest.raises(FitError, match=r"one of BetaGeoFitter, .*, GammaGammaFitter; got BetaGeoBetaBinomFitter"):
        from_lifetimes(other, unit="year")
    with pytest.raises(FitError, match=r"got dict .*from_params"):
        from_lifetimes(BG_NBD_39, unit="week")
    with pytest.raises(FitError, match="ModifiedBetaGeoFitter has not been fitted"):
        from_lifetimes(lifetimes.ModifiedBetaGeoFitter(), unit="week")


def test_a_subclass_of_the_users_own_is_what_it_descends_from(known):
    class Ours(lifetimes.ModifiedBetaGeoFitter):
        pass

    fitter = Ours()
    fitter.params_ = known.params_
    assert from_lifetimes(fitter, unit="week").model.key == "mbg_nbd"


def test_a_penalty_is_told(rfm):
    penalised = fitted("bg_nbd", rfm, penalizer_coef=0.01)
    with pytest.warns(FitWarning, match=r"penalizer_coef=0\.01, a penalty that pulls all parameters"):
        fit = from_lifetimes(penalised, unit="week")
    assert "fitted under penalizer_coef=0.01" in fit.diagnostics.message
    best = clv.BGNBD().fit(rfm).log_likelihood
    assert fit.log_likelihood == pytest.approx(-9596.29, abs=0.01)  # the data's, without the penalty
    assert fit.log_likelihood < best - 10.0


def test_an_infinite_mean_is_refused(rfm):
    repeaters = rfm.frequency > 0
    fitter = lifetimes.GammaGammaFitter(penalizer_coef=0.01)
    fitter.fit(rfm.frequency[repeaters], rfm.monetary_value[repeaters])
    assert fitter.conditional_expected_average_profit(0, 0) == pytest.approx(-491.53, abs=0.01)
    with pytest.raises(ParameterError, match=r"q = 0\.9684: .* infinite, and the formula gives negative amounts"):
        from_lifetimes(fitter)


def test_one_time_buyers_left_out_are_missed(rfm):
    repeaters = rfm.select(rfm.frequency > 0)
    with pytest.warns(DataWarning, match="the models need the one-time buyers too"):
        from_lifetimes(fitted("bg_nbd", repeaters), unit="week")


def test_it_is_saved_and_loaded(orders, tmp_path):
    _, fit, _ = orders
    fit.save(tmp_path / "fit.json")
    again = clv.Fit.load(tmp_path / "fit.json")
    assert (again.params, again.log_likelihood) == (fit.params, fit.log_likelihood)
    assert again.diagnostics == fit.diagnostics


# pymc-marketing


@pytest.fixture(scope="module")
def pmc():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pytensor
        from pymc_marketing import clv as package
    with pytensor.config.change_flags(mode="FAST_COMPILE"):  # compiling would take most of the time
        yield package


def table(rfm):
    return rfm.to_frame().reset_index()[["customer_id", *COLUMNS, "monetary_value"]]


def with_draws(model, data, params):
    """Return a model of the peer that has these draws, arrays of shape (chain, draw), as its posterior."""
    model.build_model(data)
    chains, draws = next(iter(params.values())).shape
    posterior = xr.Dataset(
        {name: (("chain", "draw"), values) for name, values in params.items()},
        coords={"chain": range(chains), "draw": range(draws)},
    )
    model.idata = xr.DataTree.from_dict({"posterior": posterior})
    return model


def around(params, *shape):
    rng = np.random.default_rng(1)
    return {name: value * np.exp(0.05 * rng.standard_normal(shape)) for name, value in params.items()}


@pytest.mark.parametrize("key", PEER_MODELS)
def test_purchases_and_alive_as_pymc_marketing_has_them(pmc, some, key):
    data, params = table(some), around(MODELS[key].example, 1, 4)
    peer = with_draws(getattr(pmc, PEER_MODELS[key])(), data, params)
    fit = from_pymc_marketing(peer, unit="week")
    purchases = peer.expected_purchases(data, future_t=39).transpose("chain", "draw", "customer_id")
    alive = peer.expected_probability_alive(data).transpose("chain", "draw", "customer_id")
    new = peer.expected_purchases_new_customer(pd.DataFrame({"customer_id": [0], "t": [39.0]}))
    np.testing.assert_allclose(fit.expected_purchases(some, 39, return_draws=True), purchases, rtol=1e-9)
    np.testing.assert_allclose(fit.probability_alive(some, return_draws=True), alive, rtol=1e-9)
    assert fit.expected_purchases_new(39)["mean"] == pytest.approx(float(new.mean()), rel=1e-9)
    assert fit.params == pytest.approx({name: values.mean() for name, values in params.items()})
    assert fit.fingerprint == some.distinct().fingerprint
    at_mean = (
        getattr(clv, HERE[key])()
        .from_params(fit.params, unit="week")
        .model.log_likelihood(fit.estimate, some.frequency, some.recency, some.T)
    )
    assert fit.log_likelihood == pytest.approx(at_mean.sum(), rel=1e-12)


def test_opportunities_as_pymc_marketing_has_them(pmc):
    """Of one draw: its own function of several fails. P(alive) is that at the last opportunity, its `future_t=0`."""
    donors = clv.Histories.from_frame(clv.datasets.load_donations(), unit="year").expanded()
    donors = donors.select(donors.customer_id[::300])
    data = donors.to_frame()[["frequency", "recency", "periods"]].rename(columns={"periods": "T"})
    data = data.astype(int).rename_axis("customer_id").reset_index()
    params = around(PERIOD_MODELS["bg_bb"].example, 1, 1)
    peer = with_draws(pmc.BetaGeoBetaBinomModel(), data, params)
    fit = from_pymc_marketing(peer, unit="year")
    purchases = peer.expected_purchases(data, future_t=5).transpose("chain", "draw", "customer_id")
    alive = peer.expected_probability_alive(data, future_t=0).transpose("chain", "draw", "customer_id")
    np.testing.assert_allclose(fit.expected_purchases(donors, "5 years", return_draws=True), purchases, rtol=1e-9)
    np.testing.assert_allclose(fit.probability_alive(donors, return_draws=True), alive, rtol=1e-9)
    assert fit.fingerprint == donors.distinct(("x", "t_x", "n")).fingerprint
    assert (fit.name, fit.unit, fit.customers) == ("BG/BB", "year", len(donors))


def test_spend_as_pymc_marketing_has_it(pmc, rfm):
    repeaters = rfm.select(rfm.monetary_value > 0)
    data = table(repeaters)
    peer = with_draws(pmc.GammaGammaModel(), data, around(WEEK_39_SPEND, 1, 4))
    fit = from_pymc_marketing(peer)
    theirs = peer.expected_customer_spend(data).transpose("chain", "draw", "customer_id")
    np.testing.assert_allclose(fit.expected_spend(repeaters, return_draws=True), theirs, rtol=1e-12)
    assert (fit.customers, fit.fingerprint) == (946, clv.GammaGamma().fit(rfm).fingerprint)


def test_a_mode_with_its_hierarchy_of_priors(pmc, some):
    # By default the peer's a and b are products of phi and kappa; the posterior has them as well.
    peer = pmc.BetaGeoModel()
    peer.fit(table(some), method="map", progressbar=False)
    fit = from_pymc_marketing(peer, unit="week")
    phi, kappa = (float(peer.fit_result[name].item()) for name in ("phi_dropout", "kappa_dropout"))
    assert fit.params["a"] == pytest.approx(phi * kappa)
    assert fit.params["b"] == pytest.approx((1.0 - phi) * kappa)
    assert fit.theta.shape == (1, 1, 4)
    best = clv.BGNBD().fit(some).log_likelihood
    assert best - 1.0 < fit.log_likelihood < best  # its priors pull it a little off the maximum
    assert fit.diagnostics.message.startswith("taken over from BetaGeoModel of pymc_marketing, fitted to 99 customers")


def test_chains_of_a_sampler(pmc, rfm):
    peer = pmc.GammaGammaModel(model_config={"q": pmc_prior(lower=2.0)})
    repeaters = rfm.select(rfm.monetary_value > 0)
    settings = {"draws": 30, "tune": 30, "chains": 2, "cores": 1, "random_seed": 1, "progressbar": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer.fit(table(repeaters), method="demz", **settings)
    with pytest.warns(FitWarning, match=r"GammaGammaModel of pymc_marketing: .*R-hat at most .* the chains disagree"):
        fit = from_pymc_marketing(peer)
    np.testing.assert_array_equal(fit.theta[..., 1], peer.fit_result["q"])
    assert fit.theta.shape == (2, 30, 3)
    assert fit.diagnostics.status == "not converged"
    assert np.isfinite(fit.covariance).all()


def pmc_prior(*, lower):
    from pymc_extras.prior import Prior

    return Prior("Uniform", lower=lower, upper=10.0)


def test_chains_that_agree(pmc, some):
    params = around(BG_NBD_39, 2, 400)
    peer = with_draws(pmc.BetaGeoModel(), table(some), params)
    fit = from_pymc_marketing(peer, unit="week")
    assert fit.diagnostics.status == "converged"
    assert "0 divergences: good to use" in fit.diagnostics.message
    r = params["r"].ravel()
    expected = [r.mean(), r.std(ddof=1), *np.quantile(r, [0.025, 0.975])]
    np.testing.assert_allclose(fit.summary().loc["r"], expected)
    np.testing.assert_allclose(np.diag(fit.covariance), 0.05**2, rtol=0.15)  # of the logs: `around` drew them so
    astray = xr.Dataset({"diverging": (("chain", "draw"), np.arange(800).reshape(2, 400) < 3)})
    peer.idata["sample_stats"] = xr.DataTree(astray)
    with pytest.warns(FitWarning, match="3 divergences: steps went astray"):
        from_pymc_marketing(peer, unit="week")


def test_infinite_means_are_counted(pmc, rfm):
    params = around(WEEK_39_SPEND, 1, 10)
    params["q"][0, :3] = 0.9
    peer = with_draws(pmc.GammaGammaModel(), table(rfm.select(rfm.monetary_value > 0)), params)
    with pytest.raises(ParameterError, match="q <= 1 in 3 of 10 draws"):
        from_pymc_marketing(peer)


def test_covariates_are_refused(pmc, some):
    params = around(BG_NBD_39, 1, 4)
    peer = with_draws(pmc.BetaGeoModel(), table(some), params)
    by_customer = xr.DataArray(np.ones((1, 4, 99)), dims=("chain", "draw", "customer_id"))
    posterior = peer.idata["posterior"].to_dataset()
    peer.idata = xr.DataTree.from_dict({"posterior": posterior.assign(alpha=by_customer)})
    with pytest.raises(FitError, match="covariates: alpha differ from customer to customer"):
        from_pymc_marketing(peer, unit="week")
    peer.idata = xr.DataTree.from_dict({"posterior": posterior.drop_vars("a")})
    with pytest.raises(FitError, match="posterior of this BetaGeoModel lacks a"):
        from_pymc_marketing(peer, unit="week")


def test_what_pymc_marketing_has_not_fitted_is_refused(pmc):
    with pytest.raises(FitError, match="BetaGeoModel has not been fitted"):
        from_pymc_marketing(pmc.BetaGeoModel(), unit="week")
    with pytest.raises(FitError, match=r"one of BetaGeoModel, .*; got ShiftedBetaGeoModel"):
        from_pymc_marketing(pmc.ShiftedBetaGeoModel(), unit="month")
    with pytest.raises(FitError, match="got BetaGeoFitter"):
        from_pymc_marketing(lifetimes.BetaGeoFitter(), unit="week")
