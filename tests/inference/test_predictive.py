"""Simulated data agree with probabilities in closed form, and draws of priors with the priors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import clvmodels as clv
from clvmodels.data import Histories
from clvmodels.errors import ParameterError
from clvmodels.inference import predictive
from clvmodels.inference.predictive import observed_shares, prior_draws, replicated_by_fit, replicated_by_priors
from clvmodels.models.bg_nbd import BG_NBD
from clvmodels.models.gamma_gamma import GAMMA_GAMMA
from clvmodels.models.registry import TRANSACTION_MODELS
from tests.inference.example_fits import BG, around, bg, by_segment

MOST = 4


@pytest.fixture(scope="module")
def rfm():
    """400 customers of many ages; what they bought does not matter."""
    T = np.linspace(5.0, 60.0, 400)
    columns = {"customer_id": range(400), "frequency": [0, 1] * 200, "recency": np.where(np.arange(400) % 2, 1.0, 0.0)}
    table = pd.DataFrame(columns | {"T": T, "segment": ["north"] * 100 + ["south"] * 300})
    return Histories.from_frame(table, unit="week")


def bg_pmf(n, t, r, alpha, a, b):
    """Fader, Hardie & Lee (2005), equation 8, with the sum written out."""
    purchases = stats.nbinom(r, alpha / (alpha + t))  # of somebody who never leaves
    buys = special.beta(a, b + n) / special.beta(a, b) * purchases.pmf(n)
    if n == 0:
        return buys
    fewer = sum(purchases.pmf(j) for j in range(n))
    return buys + special.beta(a + 1, b + n - 1) / special.beta(a, b) * (1.0 - fewer)


def expected(T, params):
    shares = np.array([bg_pmf(n, T, **params).mean() for n in range(MOST)])
    return np.append(shares, 1.0 - shares.sum())


def test_a_point_estimate_is_taken_again_and_again(rfm):
    shares = replicated_by_fit(bg, rfm, most=MOST, draws=400, seed=1).shares
    assert shares.shape == (400, MOST + 1)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-12)
    told = expected(rfm.T, BG)
    error = np.sqrt(told * (1.0 - told) / len(rfm))
    assert (np.abs(shares.mean(axis=0) - told) < 4.0 * error / 20.0).all()
    # Customers of different ages are not alike, so that chance is a little smaller than of a binomial count.
    assert (shares.std(axis=0) < 1.15 * error).all()
    assert (shares.std(axis=0) > 0.75 * error).all()


def test_draws_of_the_parameters_add_to_chance(rfm):
    drawn = clv.BGNBD().from_params(around(BG, draws=200, sd=0.3), unit="week")
    narrow, wide = (replicated_by_fit(fit, rfm, most=MOST, draws=200, seed=1).table() for fit in (bg, drawn))
    assert (wide["q95"] - wide["q05"])[0] > 1.5 * (narrow["q95"] - narrow["q05"])[0]
    assert list(wide.columns) == ["frequency", "mean", "q05", "q50", "q95"]
    assert ((wide["q05"] <= wide["q50"]) & (wide["q50"] <= wide["q95"])).all()


def test_segments_have_their_own_parameters(rfm):
    south = BG | {"r": 3.0}
    fit = by_segment({"north": bg, "south": clv.BGNBD().from_params(south, unit="week")})
    found = replicated_by_fit(fit, rfm, most=MOST, draws=200, seed=1).shares.mean(axis=0)
    told = 0.25 * expected(rfm.T[:100], BG) + 0.75 * expected(rfm.T[100:], south)
    np.testing.assert_allclose(found, told, atol=0.006)


def test_many_customers_are_represented_by_fewer(rfm, monkeypatch):
    monkeypatch.setattr(predictive, "MOST_CUSTOMERS", 50)
    few = replicated_by_fit(bg, rfm, most=MOST, draws=800, seed=1).shares.mean(axis=0)
    np.testing.assert_allclose(few, expected(rfm.T, BG), atol=0.01)


def test_observed_shares_end_with_a_group_of_the_rest(rfm):
    np.testing.assert_allclose(observed_shares(rfm, 3), [0.5, 0.5, 0.0, 0.0])
    counts = {"customer_id": range(4), "frequency": [0, 3, 4, 50], "recency": [0, 5, 5, 5], "T": [9] * 4}
    some = Histories.from_frame(pd.DataFrame(counts), unit="week")
    np.testing.assert_allclose(observed_shares(some, 3), [0.25, 0.0, 0.0, 0.75])


class TestPriors:
    def test_draws_are_those_of_the_priors(self):
        theta = prior_draws(BG_NBD, None, "week", draws=2_000, seed=1)
        quantities = BG_NBD.to_quantities(dict(zip(BG_NBD.names, theta.T, strict=True)), 365.25 / 7.0)
        told = {
            "purchase_rate": stats.lognorm(1.5, scale=np.exp(1.4)),
            "purchase_rate_cv": stats.lognorm(0.75, scale=np.exp(0.2)),
            "dropout": stats.beta(1.0, 2.0),
            "dropout_concentration": stats.lognorm(1.5, scale=np.exp(1.0)),
        }
        for name, distribution in told.items():
            assert stats.kstest(quantities[name], distribution.cdf).pvalue > 1e-3, name

    def test_priors_of_the_papers_parameters_are_taken_as_they_are(self):
        priors = {name: {"dist": "LogNormal", "mu": np.log(value), "sigma": 1e-9} for name, value in BG.items()}
        theta = prior_draws(BG_NBD, priors, "day", draws=5, seed=1)
        np.testing.assert_allclose(theta, [list(BG.values())] * 5, rtol=1e-6)

    def test_a_model_of_spend_knows_no_time(self):
        theta = prior_draws(
            GAMMA_GAMMA, {"mean_spend": {"dist": "LogNormal", "mu": 3.0, "sigma": 1e-9}}, None, draws=9, seed=1
        )
        p, q, v = theta.T
        np.testing.assert_allclose(p * v / (q - 1.0), np.exp(3.0), rtol=1e-6)

    def test_certain_priors_say_what_a_fit_says(self, rfm):
        priors = {name: {"dist": "LogNormal", "mu": np.log(value), "sigma": 1e-9} for name, value in BG.items()}
        by_priors = replicated_by_priors(clv.BGNBD(priors=priors), rfm, most=MOST, draws=300, seed=1)
        np.testing.assert_allclose(by_priors.shares.mean(axis=0), expected(rfm.T, BG), atol=0.006)

    @pytest.mark.parametrize("model", TRANSACTION_MODELS.values(), ids=TRANSACTION_MODELS)
    def test_defaults_leave_room(self, model, rfm):
        estimator = getattr(clv, model.public_name)()
        table = replicated_by_priors(estimator, rfm, most=MOST, draws=100, seed=1).table()
        assert np.isfinite(table.to_numpy()).all()
        assert table["q95"][0] - table["q05"][0] > 0.5  # that hardly anybody comes back, or nearly all do

    def test_an_unknown_name_is_refused(self):
        with pytest.raises(ParameterError, match="quantity for a prior"):
            prior_draws(BG_NBD, {"rate": {"dist": "HalfNormal"}}, "week", draws=2, seed=1)
