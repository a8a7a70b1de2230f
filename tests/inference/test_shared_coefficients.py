"""Coefficients that processes share: customers on a faster clock both buy and leave faster, by the same factor."""

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import FitError
from clvmodels.inference.covariate_fit import with_covariates
from clvmodels.inference.observations import observe
from clvmodels.models import MODELS

BOTH = "purchase + dropout"
PARETO = {"r": 0.6, "alpha": 8.0, "s": 0.6, "beta": 12.0}


@pytest.fixture(scope="module")
def table():
    """1,500 customers whose time runs as the unit says, and as many whose time runs twice as fast."""
    truth = clv.ParetoNBD().from_params(PARETO, unit="week")
    slow, fast = (
        truth.simulate(1_500, f"{weeks} weeks", seed=seed).to_frame()[["frequency", "recency", "T"]]
        for weeks, seed in ((50, 1), (100, 2))
    )
    fast[["recency", "T"]] /= 2.0
    both = pd.concat([slow.assign(fast=0.0), fast.assign(fast=1.0)], ignore_index=True)
    return both.rename_axis("customer_id")


@pytest.fixture(scope="module")
def rfm(table):
    return clv.Histories.from_frame(table, unit="week")


@pytest.fixture(scope="module")
def shared(rfm):
    return clv.ParetoNBD(covariates={BOTH: ["fast"]}).fit(rfm)


def test_a_coefficient_in_common_is_the_speed_of_a_clock(table, shared):
    """At c, the fit without covariates to times in each customer's own clock has the same highest likelihood.

    Densities of purchases are per unit of time, so that exp(c) for each purchase of the fast ones is the Jacobian.
    """

    def by_clock(c):
        times = table[["recency", "T"]].mul(np.exp(c * table["fast"]), axis=0)
        plain = clv.ParetoNBD().fit(clv.Histories.from_frame(table.assign(**times)[["frequency", *times]], unit="week"))
        return plain.log_likelihood + c * float(table["frequency"] @ table["fast"])

    row = shared.coefficients.loc[(BOTH, "fast")]
    assert shared.log_likelihood == pytest.approx(by_clock(row["estimate"]), abs=1e-5)
    assert by_clock(row["estimate"]) > max(by_clock(row["estimate"] + move) for move in (-0.02, 0.02))
    assert abs(row["estimate"] - np.log(2.0)) < 3.0 * row["sd"]


def test_what_is_shared_costs_no_more_than_chance_explains(rfm, shared):
    apart = clv.ParetoNBD(covariates={"purchase": ["fast"], "dropout": ["fast"]}).fit(rfm)
    assert 0.0 <= 2.0 * (apart.log_likelihood - shared.log_likelihood) < 10.8  # chi2(1), 1 in 1,000
    assert len(shared.coefficients) == 1
    assert apart.coefficients["sd"].min() > shared.coefficients["sd"].iloc[0]


@pytest.mark.parametrize("key", ["bg_nbd", "mbg_nbd", "pareto_nbd"])
def test_slopes_are_the_sums_of_those_apart(key, rfm):
    """At equal coefficients, likelihoods are the same, and the slope by the shared one is the sum of both."""
    model = MODELS[key]
    both, apart = (
        with_covariates(model, covariates, rfm)
        for covariates in ({BOTH: ["fast"]}, {"purchase": ["fast"], "dropout": ["fast"]})
    )
    theta = model.theta(model.example)
    value, slope, second = observe(both.model, both.histories).expansion(both.model, np.array([*theta, 1.3]))
    other, slopes, seconds = observe(apart.model, apart.histories).expansion(apart.model, np.array([*theta, 1.3, 1.3]))
    assert value == pytest.approx(other, rel=1e-13)
    np.testing.assert_allclose(slope, [*slopes[:-2], slopes[-2:].sum()], rtol=1e-10)
    assert second[-1, -1] == pytest.approx(seconds[-2:, -2:].sum(), rel=1e-6)


def test_predictions_draws_and_files_know_them(rfm, shared, tmp_path):
    apart = shared.at({"fast": 1.0}).expected_purchases(rfm, 26.0)
    fast = rfm.attributes["fast"].to_numpy() == 1.0
    np.testing.assert_allclose(shared.expected_purchases(rfm, 26.0)[fast], apart[fast], rtol=1e-12)
    shared.save(tmp_path / "fit.json")
    again = clv.Fit.load(tmp_path / "fit.json")
    pd.testing.assert_frame_equal(again.coefficients, shared.coefficients)
    drawn = clv.ParetoNBD(covariates={BOTH: ["fast"]}).fit(rfm, method="laplace", seed=1).coefficients
    assert drawn["sd"].iloc[0] == pytest.approx(shared.coefficients["sd"].iloc[0], rel=0.1)
    ridge = {BOTH: {"dist": "Normal", "mu": 0.0, "sigma": 0.05}}
    held_back = clv.ParetoNBD(priors=ridge, covariates={BOTH: ["fast"]}).fit(rfm, method="map").coefficients
    assert 0.0 < held_back["estimate"].iloc[0] < shared.coefficients["estimate"].iloc[0]


def test_effects_that_cannot_be_told_apart_are_refused(rfm):
    covariates = {"purchase": ["fast"], "dropout": ["fast"], BOTH: ["fast"]}
    with pytest.raises(FitError, match=r"fast acts on purchase, dropout, purchase \+ dropout.*leave it out of one"):
        clv.ParetoNBD(covariates=covariates).fit(rfm)
    both_and_one = clv.ParetoNBD(covariates={"purchase": ["fast"], BOTH: ["fast"]}).fit(rfm)
    assert len(both_and_one.coefficients) == 2
    with pytest.raises(FitError, match=r"'dropout \+ purchase'.*'purchase \+ dropout'"):
        clv.ParetoNBD(covariates={"dropout + purchase": ["fast"]})
