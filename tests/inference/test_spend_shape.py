"""The density of mean spend by scipy and by simulation; expected spend as lifetimes has it."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special

import clvmodels as clv
from clvmodels.data import Histories
from clvmodels.errors import DataError, FitError
from clvmodels.inference.spend_shape import (
    density_of_mean_spend,
    expected_by_observed,
    observed_density,
    repeat_buyers,
)
from clvmodels.models.gamma_gamma import GAMMA_GAMMA
from tests.inference.example_fits import GG, around, by_segment, gamma_gamma

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lifetimes

X = np.array([1.0, 1.0, 1.0, 2.0, 5.0, 21.0])
THETA = GAMMA_GAMMA.theta(GG)[None]


def density(z):
    """Fader & Hardie, note 025, equation 1b: f(z | x) = (v/(v+xz))^q (xz/(v+xz))^(px) / (z B(px, q)); over X."""
    p, q, v = GG.values()
    share = v / (v + X * z)
    return np.mean(share**q * (1.0 - share) ** (p * X) / (z * special.beta(p * X, q)))


def test_each_bin_is_the_integral_over_it():
    edges = np.array([0.0, 5.0, 15.0, 25.0, 40.0, 60.0, 100.0])
    found = density_of_mean_spend(GAMMA_GAMMA, THETA, X, np.linspace(0.0, 100.0, 201))[0] * 0.5
    for low, high in pairwise(edges):
        told, _ = integrate.quad(density, low, high, epsabs=1e-13)
        assert found[int(2 * low) : int(2 * high)].sum() == pytest.approx(told, rel=1e-7)


def test_it_integrates_to_one():
    edges = np.concatenate([[0.0], np.geomspace(0.1, 1e5, 2_000)])
    assert density_of_mean_spend(GAMMA_GAMMA, THETA, X, edges)[0] @ np.diff(edges) == pytest.approx(1.0, abs=1e-7)


def test_as_simulated():
    generator = np.random.default_rng(1)
    x = np.repeat(X, 20_000)
    p, q, v = GG.values()
    spend = generator.gamma(p * x) / x / generator.gamma(q, 1.0 / v, len(x))  # the mean of x orders at a rate nu
    edges = np.linspace(0.0, 120.0, 25)
    found, told = observed_density(spend, edges), density_of_mean_spend(GAMMA_GAMMA, THETA, X, edges)[0]
    error = np.sqrt(told * np.diff(edges) / len(x)) / np.diff(edges)
    assert (np.abs(found - told) < 4.0 * error).all()


def test_one_row_a_draw():
    fit = clv.GammaGamma().from_params(around(GG, draws=6))
    edges = np.array([10.0, 30.0, 50.0])
    each = np.concatenate([density_of_mean_spend(GAMMA_GAMMA, one[None], X, edges) for one in fit.draws])
    np.testing.assert_array_equal(density_of_mean_spend(GAMMA_GAMMA, fit.draws, X, edges), each)


def test_expected_spend_as_lifetimes():
    peer = lifetimes.GammaGammaFitter()
    peer.params_ = GG
    table = expected_by_observed(gamma_gamma, [1, 5, 21], np.linspace(0.0, 200.0, 9))
    known = table[table["frequency"] > 0]
    theirs = peer.conditional_expected_average_profit(known["frequency"], known["monetary_value"])
    np.testing.assert_allclose(known["mean"], theirs, rtol=1e-12)
    population = table.loc[table["frequency"] == 0, "mean"]
    np.testing.assert_allclose(population, 6.25 * 15.44 / 2.74, rtol=1e-12)  # p v / (q - 1); 35.17 in note 025
    assert population.iloc[0] == pytest.approx(35.17, abs=0.06)


def test_expected_spend_over_draws():
    fit = clv.GammaGamma().from_params(around(GG))
    p, q, v = fit.draws.T
    row = expected_by_observed(fit, [3], np.array([50.0])).iloc[1]
    values = p * (v + 150.0) / (3 * p + q - 1.0)
    np.testing.assert_allclose(row[["mean", "q05", "q95"]], [values.mean(), *np.quantile(values, [0.05, 0.95])])


def test_repeat_buyers_of_positive_value():
    columns = {"customer_id": range(5), "frequency": [0, 2, 1, 3, 1], "recency": [0, 2, 1, 3, 1], "T": [9] * 5}
    table = pd.DataFrame(columns | {"monetary_value": [np.nan, 20.0, 0.0, np.nan, 7.0]})
    x, spend = repeat_buyers(Histories.from_frame(table, unit="week"))
    assert (x.tolist(), spend.tolist()) == ([2, 1], [20, 7])
    with pytest.raises(DataError, match="name the column of values"):
        repeat_buyers(Histories.from_frame(table.drop(columns="monetary_value"), unit="week"))


def test_a_fit_by_segment_is_asked_by_segment():
    with pytest.raises(FitError, match="by segment; ask one of them"):
        expected_by_observed(by_segment({"north": gamma_gamma}), [1], np.array([5.0]))
