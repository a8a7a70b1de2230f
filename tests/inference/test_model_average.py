"""Models averaged: weights against their definitions, and what they must not do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, special

import clvmodels as clv
from clvmodels.errors import FitError
from clvmodels.inference import model_average, pointwise
from clvmodels.inference.model_average import ModelAverage, average
from clvmodels.inference.pointwise import left_out_by_history, mean_density_by_history
from clvmodels.numerics import skeleton

TRUTH = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}


@pytest.fixture(scope="module")
def rfm():
    return clv.BGNBD().from_params(TRUTH, unit="week").simulate(800, "52 weeks", seed=1)


@pytest.fixture(scope="module")
def points(rfm):
    return [model().fit(rfm) for model in (clv.BGNBD, clv.MBGNBD, clv.ParetoNBD)]


@pytest.fixture(scope="module")
def drawn(rfm):
    options = {"method": "posterior", "draws": 200, "seed": 1, "progress": False}
    return [model().fit(rfm, **options) for model in (clv.BGNBD, clv.MBGNBD, clv.ParetoNBD)]


def test_point_estimates_are_weighed_by_aic(rfm, points):
    averaged = average(points, rfm)
    weight = special.softmax([fit.log_likelihood for fit in points])  # all have four parameters
    by_name = dict(zip((fit.name for fit in points), weight, strict=True))
    assert averaged.basis == "AIC"
    assert [by_name[fit.name] for fit in averaged.fits] == pytest.approx(averaged.weights)
    assert list(averaged.weights) == sorted(averaged.weights, reverse=True)
    assert averaged.table["weight"].sum() == pytest.approx(1.0)


def test_weights_of_leave_one_out_are_those_of_the_bayesian_bootstrap(rfm, drawn):
    """By customer, with Dirichlet weights, as Yao et al. (2018) define them: the same but for chance."""
    averaged = average(drawn, rfm)
    elpd = np.column_stack([fit.loo(rfm).elpd_i.to_numpy() for fit in drawn])
    share = np.random.default_rng(0).dirichlet(np.ones(len(elpd)), 4000)
    weight = special.softmax(len(elpd) * share @ elpd, axis=1)
    by_name = dict(zip((fit.name for fit in drawn), weight.mean(axis=0), strict=True))
    assert averaged.basis == "leave-one-out"
    error = weight.std(axis=0).max() * np.sqrt(1 / 2000 + 1 / 4000)
    assert [by_name[fit.name] for fit in averaged.fits] == pytest.approx(averaged.weights, abs=4 * error)


def test_stacking_maximises_the_log_score(rfm, drawn, monkeypatch):
    monkeypatch.setattr(model_average, "STACKED_FROM", 100)
    averaged = average(drawn, rfm)
    assert averaged.basis == "stacking"
    assert min(averaged.weights) >= model_average.LEAST_SHARE - 1e-12
    columns = [rfm.statistic(name)[:, None] for name in ("x", "t_x", "T")]
    density = np.column_stack(
        [np.exp(fit.model.log_likelihood(fit.draws, *columns)).mean(axis=1) for fit in averaged.fits]
    )

    def loss(free):
        weight = 0.05 + 0.85 * special.softmax(free)
        return -np.log(density @ weight).sum()

    best = min((optimize.minimize(loss, start) for start in np.eye(3) * 3), key=lambda found: found.fun)
    assert -np.log(density @ np.array(averaged.weights)).sum() == pytest.approx(best.fun, abs=0.05)


@pytest.mark.parametrize("number", range(3))
def test_few_of_the_draws_give_the_mean_density_of_all(drawn, rfm, monkeypatch, number):
    """Of a posterior as narrow as that of many customers."""
    fit = replace(drawn[number], theta=drawn[number].estimate * (drawn[number].theta / drawn[number].estimate) ** 0.02)
    skeletons = []
    monkeypatch.setattr(pointwise, "MANY_HISTORIES", 1)
    monkeypatch.setattr(
        pointwise,
        "skeleton",
        lambda *args, **options: skeletons.append(skeleton.skeleton(*args, **options)) or skeletons[-1],
    )
    density, customers = mean_density_by_history(fit, rfm)
    assert len(skeletons[0].chosen) <= pointwise.FEW_DRAWS // 2
    assert customers.sum() == len(rfm)
    columns = [rfm.distinct(("x", "t_x", "T")).rows[:, k, None] for k in range(3)]
    chosen = fit.draws[np.linspace(0, len(fit.draws) - 1, pointwise.FEW_DRAWS).round().astype(int)]
    mean = np.log(np.exp(fit.model.log_likelihood(chosen, *columns)).mean(axis=1))
    np.testing.assert_allclose(density, mean, rtol=0.0, atol=1e-6)


def test_one_alone_is_itself(rfm, points):
    assert average(points[:1], rfm) is points[0]
    assert (points[0].fits, points[0].weights, points[0].best) == ((points[0],), (1.0,), points[0])


@pytest.mark.parametrize("number", [1, 7, 10, 1000])
def test_draws_are_shared_by_weight(rfm, points, number):
    averaged = replace(average(points, rfm), weights=(0.61, 0.31, 0.08))
    shares = np.array(averaged.shares_of(number))
    assert shares.sum() == number
    assert (np.abs(shares - number * np.array(averaged.weights)) < 1.0).all()


def test_what_cannot_be_averaged_is_refused(rfm, points, drawn):
    other = clv.MBGNBD().fit(rfm.select(np.arange(len(rfm)) < 500))
    for fits, words in (
        ([], "there is none"),
        ([points[0], points[0]], "each model is averaged once"),
        ([points[0], other], "different histories"),
        ([points[0], drawn[1]], "with draws and without"),
        ([points[0], clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})], "fits of transactions"),
    ):
        with pytest.raises(FitError, match=words):
            average(fits, rfm)


def test_point_estimates_without_aic_are_refused(rfm, points):
    given = [replace(fit, log_likelihood=np.nan, method="given", fingerprint="") for fit in points[:2]]
    by_segment = [replace(fit, by="channel", segments=("shop", "web")) for fit in points[:2]]
    for fits, words in ((given, "parameters of BG/NBD are given"), (by_segment, 'by="channel", method="laplace"')):
        with pytest.raises(FitError, match=words):
            average(fits, rfm)


def test_it_reads_well(rfm, points):
    averaged = average(points, rfm)
    assert isinstance(averaged, ModelAverage)
    assert repr(averaged).startswith("<Average of models (AIC): ")
    assert averaged.name.count(" and ") == 1


def test_weights_that_hardly_vary_need_no_smoothing(rfm, drawn):
    """Against `loo`, which smooths all: customer by customer."""
    for fit in drawn:
        elpd, customers = left_out_by_history(fit, rfm)
        exact = fit.loo(rfm).elpd_i.to_numpy()
        assert customers @ elpd == pytest.approx(exact.sum(), abs=0.1)
        np.testing.assert_allclose(np.sort(np.repeat(elpd, customers.astype(int))), np.sort(exact), atol=3e-4)
