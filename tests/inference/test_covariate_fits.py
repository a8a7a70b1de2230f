"""Fits with covariates: recovery, coverage, storage, words, engines, and what the data cannot tell."""

import copy
import json
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import FitError, FitWarning
from clvmodels.inference.redrawn import transactions_with_draws
from tests.inference.covariate_worlds import COEFFICIENTS, PROCESSES, TRUTH, world

KINDS = {"bg_nbd": clv.BGNBD, "mbg_nbd": clv.MBGNBD, "pareto_nbd": clv.ParetoNBD, "gamma_gamma": clv.GammaGamma}
NORMAL_95 = 1.6448536269514722


def _fit(key, rfm, **options):
    return KINDS[key](covariates=dict.fromkeys(PROCESSES[key], "channel")).fit(rfm, **options)


@pytest.fixture(scope="module")
def staggered():
    """50,000 customers who first bought at times of their own."""
    return world("bg_nbd", 50_000, 20)


def test_parameters_and_coefficients_are_recovered_within_two_standard_errors(staggered):
    fit, share = _fit("bg_nbd", staggered), staggered.attributes["z"].mean()
    truth = {**TRUTH["bg_nbd"]}
    truth["alpha"] *= np.exp(-COEFFICIENTS["purchase"] * share)
    truth["a"] *= np.exp(COEFFICIENTS["dropout"] * share)
    distance = np.log(fit.estimate / [truth[name] for name in fit.model.names]) / np.sqrt(np.diag(fit.covariance))
    assert np.abs(distance).max() < 2.0
    table = fit.coefficients
    of_coefficients = (table["estimate"] - [0.7, -0.4]) / table["sd"]
    assert of_coefficients.abs().max() < 2.0
    assert (table["sd"] < [0.02, 0.03]).all()
    assert (table["p_value"] < 1e-30).all()
    assert fit.diagnostics.status == "converged"


def _coverage(key, repetitions, size):
    inside = np.zeros(len(PROCESSES[key]))
    truth = np.array([COEFFICIENTS[process] for process in PROCESSES[key]])
    for number in range(repetitions):
        table = _fit(key, world(key, size, 100 + number)).coefficients
        inside += ((table["estimate"] - truth).abs() < NORMAL_95 * table["sd"]).to_numpy()
    return inside / repetitions


@pytest.mark.parametrize("key", KINDS)
def test_intervals_of_90_percent_hold_the_truth_in_most_of_ten_logs(key):
    assert (_coverage(key, 10, 1_500) >= 0.7).all()


@pytest.mark.slow
@pytest.mark.parametrize("key", KINDS)
def test_intervals_of_90_percent_hold_the_truth_in_90_percent_of_200_logs(key):
    coverage = _coverage(key, 200, 3_000)
    assert (coverage >= 0.85).all()
    assert (coverage <= 0.95).all()


@pytest.mark.parametrize("key", KINDS)
def test_customers_are_predicted_with_the_parameters_of_their_level(key):
    rfm = world(key, 400, 30)
    fit = _fit(key, rfm)
    for level in ("shop", "web"):
        own, one = rfm.select((rfm.attributes["channel"] == level).to_numpy()), fit.at({"channel": level})
        z = float(level == "web") - (rfm.attributes["z"].mean() if key != "gamma_gamma" else _share(rfm))
        shifted = {**fit.params}
        for (process, _), coefficient in fit.coefficients["estimate"].items():
            ((name, sign),) = fit.model.effects[process]
            shifted[name] *= np.exp(sign * z * coefficient)
        assert one.params == pytest.approx(shifted, rel=1e-12)
        if key == "gamma_gamma":
            pairs = [(fit.expected_spend(own), one.expected_spend(own))]
        else:
            pairs = [
                (each.expected_purchases(own, "26 weeks"), each.probability_alive(own, "4 weeks"))
                for each in (fit, one)
            ]
            pairs = list(zip(*pairs, strict=True))
        for ours, theirs in pairs:
            assert ours["mean"].to_numpy() == pytest.approx(theirs["mean"].to_numpy(), rel=1e-9)


def _share(rfm):
    return rfm.attributes["z"].to_numpy()[rfm.frequency > 0].mean()


def test_what_is_saved_pickled_and_copied_comes_back(tmp_path):
    rng = np.random.default_rng(6)
    rfm = world("bg_nbd", 400, 31, age=rng.uniform(20.0, 60.0, 400))
    fit = clv.BGNBD(covariates={"purchase": "channel + poly(age, 2)", "dropout": ["z"]}).fit(
        rfm, method="laplace", draws=50, seed=1
    )
    fit.save(tmp_path / "fit.json")
    content = json.loads((tmp_path / "fit.json").read_text())
    assert content["version"] == 3
    assert "customer_id" not in (tmp_path / "fit.json").read_text()
    expected = fit.expected_purchases(rfm, "26 weeks")
    for again in (clv.Fit.load(tmp_path / "fit.json"), pickle.loads(pickle.dumps(fit)), copy.deepcopy(fit)):
        pd.testing.assert_frame_equal(again.coefficients, fit.coefficients)
        pd.testing.assert_frame_equal(again.expected_purchases(rfm, "26 weeks"), expected)
        assert again.covariates.design == fit.covariates.design
        with pytest.raises(ValueError, match="read-only"):
            again.covariates.estimate[0] = 1.0
    content["covariates"]["estimate"] = [1.0]
    (tmp_path / "short.json").write_text(json.dumps(content))
    with pytest.raises(FitError, match=r"short.json is damaged"):
        clv.Fit.load(tmp_path / "short.json")
    content["covariates"]["processes"][0]["columns"]["formula"] = "__import__('os').getcwd() + channel"
    (tmp_path / "code.json").write_text(json.dumps(content))
    with pytest.raises(FitError):
        clv.Fit.load(tmp_path / "code.json")


def test_summary_words_and_repr_mention_covariates():
    rfm = world("pareto_nbd", 800, 32)
    fit = clv.ParetoNBD(covariates={"purchase": "channel"}).fit(rfm)
    assert list(fit.params) == ["r", "alpha", "s", "beta"]
    assert list(fit.summary().index) == ["r", "alpha", "s", "beta", "purchase: channel[T.web]"]
    assert "purchase by channel" in repr(fit)
    factor = np.exp(fit.coefficients["estimate"].iloc[0])
    assert "purchase: channel[T.web] has the coefficient" in fit.describe()
    assert f"a factor of {factor:.3g}." in fit.describe()
    assert repr(clv.ParetoNBD(covariates={"purchase": "channel"})) == "ParetoNBD(covariates for purchase)"
    with pytest.raises(FitError, match=r"this fit has no covariates; write clv\.BGNBD"):
        _ = clv.BGNBD().fit(world("bg_nbd", 300, 1)).coefficients


@pytest.mark.parametrize("key", ["bg_nbd", "pareto_nbd"])
def test_what_the_data_do_not_bound_is_named_and_has_no_standard_error(key):
    rfm = world(key, 600, 33)
    table = rfm.to_frame().reset_index()
    table["tier"] = np.where(np.arange(600) < 40, "silent", "usual")
    table.loc[:39, ["frequency", "recency"]] = 0.0
    rfm = clv.Histories.from_frame(table, unit="week")
    with pytest.warns(
        FitWarning, match=r"purchase: tier\[T.usual\] grew .* reference level tier silent.*state a prior"
    ):
        fit = KINDS[key](covariates={"purchase": "tier"}).fit(rfm)
    row = fit.coefficients.iloc[0]
    assert row[["sd", "low", "high"]].isna().all()
    assert row["p_value"] < 1e-4
    assert np.isnan(fit.summary().loc["alpha", "sd"])
    assert fit.summary().loc["r", "sd"] > 0.0
    assert fit.diagnostics.status == "boundary"
    assert "the data do not bound the coefficient of tier[T.usual]" in fit.describe()
    prior = {"purchase": {"dist": "Normal", "mu": 0.0, "sigma": 1.0}}
    mode = KINDS[key](covariates={"purchase": "tier"}, priors=prior).fit(rfm, method="map")
    assert 0.5 < mode.coefficients["estimate"].iloc[0] < 8.0


def test_priors_shrink_coefficients_and_draws_agree_with_the_likelihood():
    rfm = world("bg_nbd", 1_500, 34)
    likelihood = _fit("bg_nbd", rfm)
    vague = _fit("bg_nbd", rfm, method="posterior", draws=400, seed=1)
    near = (vague.coefficients["estimate"] - likelihood.coefficients["estimate"]).abs()
    assert (near < 0.5 * likelihood.coefficients["sd"]).all()
    assert vague.coefficients["sd"].to_numpy() == pytest.approx(likelihood.coefficients["sd"], rel=0.25)
    assert set(vague.priors) == {quantity.name for quantity in vague.model.quantities}
    assert set(vague.covariates.priors) == set(vague.covariates.design.names)
    ridge = {"coefficients": {"dist": "Normal", "mu": 0.0, "sigma": 0.02}}
    covariates = {"purchase": "channel", "dropout": "channel"}
    tight = clv.BGNBD(covariates=covariates, priors=ridge).fit(rfm, method="map")
    assert tight.coefficients["estimate"].abs().max() < 0.1
    tree = vague.to_datatree(rfm)
    assert tree["posterior"]["purchase: channel[T.web]"].shape == (1, 400)
    assert vague.loo(rfm).elpd == pytest.approx(likelihood.log_likelihood, abs=15.0)
    drawn = transactions_with_draws(likelihood, rfm)
    assert drawn.number_of_draws == 400
    assert drawn.formulas == likelihood.formulas


@pytest.mark.slow
def test_nuts_agrees_with_the_likelihood():
    rfm = world("pareto_nbd", 1_500, 35)
    likelihood = _fit("pareto_nbd", rfm)
    fit = _fit("pareto_nbd", rfm, method="nuts", draws=500, tune=400, chains=2, seed=1, progress=False)
    assert fit.theta.shape == (2, 500, 4)
    assert fit.covariates.draws.shape == (2, 500, 2)
    near = (fit.coefficients["estimate"] - likelihood.coefficients["estimate"]).abs()
    assert (near < 0.5 * likelihood.coefficients["sd"]).all()


def _log(folder):
    """Write a log whose customers have a channel, and return it with its path."""
    rng = np.random.default_rng(7)
    rows = []
    for number in range(600):
        channel, first = ("web", "shop")[number % 2], rng.integers(0, 100)
        rate, life = rng.gamma(0.8) / (60.0 if channel == "shop" else 30.0), 150.0 * rng.exponential() / rng.gamma(1.0)
        later = np.cumsum(1.0 + rng.exponential(1.0 / rate, 60))
        days = {int(first), *(first + later[later < min(life, 300.0 - first)]).astype(int).tolist()}
        rows += [(f"c{number:03d}", day, channel, 10.0 + rng.gamma(4.0, 5.0)) for day in sorted(days)]
    frame = pd.DataFrame(rows, columns=["customer_id", "day", "channel", "amount"])
    frame["date"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(frame.pop("day"), unit="D")
    frame.to_parquet(folder / "log.parquet")
    return frame, folder / "log.parquet"


def test_memory_and_engine_agree(tmp_path):
    frame, path = _log(tmp_path)
    how = {"value": "amount", "unit": "week", "observation_end": "2024-10-27", "attributes": ["channel"]}
    memory, engine = (clv.rfm_summary(log, **how) for log in (frame, path))
    assert (memory.in_memory, engine.in_memory) == (True, False)
    covariates = {"purchase": "channel", "dropout": "channel"}
    ours, theirs = (clv.ParetoNBD(covariates=covariates).fit(rfm) for rfm in (memory, engine))
    assert theirs.log_likelihood == pytest.approx(ours.log_likelihood, abs=1e-6)
    assert theirs.params == pytest.approx(ours.params, rel=1e-6)
    assert theirs.coefficients.to_numpy() == pytest.approx(ours.coefficients.to_numpy(), rel=1e-5, abs=1e-9)
    assert theirs.fingerprint == ours.fingerprint
    spend, of_engine = (clv.GammaGamma(covariates={"spend": "channel"}).fit(rfm) for rfm in (memory, engine))
    assert of_engine.coefficients.to_numpy() == pytest.approx(spend.coefficients.to_numpy(), rel=1e-5)
    assumptions = clv.Assumptions(discount_rate=0.15, margin=0.3)
    equity = [
        clv.value(*fits, rfm, assumptions).equity
        for fits, rfm in (((ours, spend), memory), ((theirs, of_engine), engine))
    ]
    assert equity[1] == pytest.approx(equity[0], rel=1e-6)
    with pytest.raises(FitError, match=r"one kind of customers, fit.at\(\.\.\.\)"):
        theirs.expected_purchases(engine, "4 weeks", as_table=True)


def test_functions_of_the_fit_take_covariates():
    rfm = world("bg_nbd", 300, 36)
    fit = _fit("bg_nbd", rfm)
    total = fit.total_purchases(rfm, "26 weeks")["mean"]
    assert total == pytest.approx(fit.expected_purchases(rfm, "26 weeks")["mean"].sum())
    simulated = fit.total_purchases(rfm, "26 weeks", process=True, seed=1)
    assert abs(simulated["q50"] - total) < 3.0 * simulated["sd"]
    centre = clv.BGNBD().from_params(dict(fit.params), unit="week")
    assert fit.expected_purchases_new("52 weeks")["mean"] == pytest.approx(
        centre.expected_purchases_new("52 weeks")["mean"]
    )
    with pytest.raises(FitError, match=r'fit.at\(\{"channel": ...\}\)'):
        clv.plots.alive_matrix(fit, T="52 weeks")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit.at({"channel": "web"}).covariates is None
    with pytest.raises(FitError, match="has no covariates"):
        fit.at({"channel": "web"}).at({"channel": "web"})


@pytest.mark.parametrize(
    "estimator",
    [
        clv.GammaGamma(covariates={"spend": "level"}),
        clv.GammaGamma(orders="all", covariates={"spend": "level"}),
        clv.GammaGamma(orders="all", first_order="use", covariates={"spend": "level"}),
        clv.LogNormalSpend(covariates={"spend": "level"}),
        clv.LogNormalSpend(first_order="use", covariates={"spend": "level"}),
    ],
    ids=repr,
)
def test_prices_that_are_raised_for_a_level_raise_its_coefficient_alone(estimator):
    """All orders of a level times e^.5: the coefficient moves by .5, the other parameters stay (spend is a scale)."""
    log = clv.datasets.load_cdnow(sample=True)
    level = pd.Series(np.where(log["customer_id"].astype(int) % 3 == 0, "b", "a"), log.index)
    options = {"value": "amount", "resolution": "day", "observation_end": "1997-09-30", "attributes": ["level"]}
    fits = [
        estimator.fit(
            clv.rfm_summary(log.assign(level=level, amount=log["amount"] * np.where(level == "b", by, 1.0)), **options)
        )
        for by in (1.0, np.exp(0.5))
    ]
    before, after = (fit.coefficients.loc[("spend", "level[T.b]")] for fit in fits)
    assert after["estimate"] - before["estimate"] == pytest.approx(0.5, abs=2e-4)
    assert after["sd"] == pytest.approx(before["sd"], rel=1e-3)
    shape = [name for name in fits[0].params if name not in ("v", "median")]
    assert [fits[1].params[name] for name in shape] == pytest.approx([fits[0].params[name] for name in shape], rel=1e-3)
