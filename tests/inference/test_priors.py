"""Priors that PyMC takes, and those that are refused before anything is sampled."""

from __future__ import annotations

import math

import numpy as np
import pymc as pm
import pytest
from pymc_extras.prior import Prior

import clvmodels as clv
from clvmodels.errors import FitError, ParameterError
from clvmodels.inference.predictive import prior_draws
from clvmodels.models.bg_nbd import BG_NBD
from tests.inference.example_fits import bg

RFM = bg.simulate(100, "39 weeks", seed=3)
MIN_CURVATURE = {"purchase_rate": {"dist": "HalfFlat"}}
BOUNDED = {"dist": "TruncatedNormal", "mu": 5.0, "sigma": 2.0, "lower": 0.0, "upper": math.inf}


class OneOrMany:
    """A prior object of somebody's own that makes two numbers."""

    def create_variable(self, name):
        return pm.LogNormal(name, 0.0, 1.0, shape=2)


class Number:
    """A prior object of somebody's own that makes no variable."""

    def create_variable(self, name):  # noqa: ARG002
        return 5.0


@pytest.mark.parametrize("prior", [5.0, "LogNormal", None, ["LogNormal", 1.0]])
def test_what_is_no_prior_is_refused_at_once(prior):
    with pytest.raises(ParameterError, match="the prior of purchase_rate is plain data such as"):
        clv.BGNBD(priors={"purchase_rate": prior})


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        ({"dist": "Poisson", "mu": 4}, "no continuous distribution 'Poisson'"),
        ({"dist": "DiracDelta", "c": 5.0}, "no continuous distribution 'DiracDelta'"),
        ({"dist": "Model"}, "no continuous distribution 'Model'"),
        ({"dist": "logp"}, "no continuous distribution 'logp'"),
        ({"dist": "LogNormal", "mu": {"dist": "Poisson", "mu": 1}, "sigma": 1.0}, "purchase_rate_mu"),
        ({"dist": "LogNormal", "mu": [1.0, 2.0], "sigma": 1.0}, "about one number"),
        (Prior("Poisson", mu=4), "about one number"),
        (OneOrMany(), "about one number"),
        (Number(), "about one number"),
        ({"dist": "LogNormal", "mu": 1.0, "sigma": -1.0}, "purchase_rate has no density at its own centre"),
        ({"dist": "LogNormal", "mu": math.nan, "sigma": 1.0}, "purchase_rate has no density at its own centre"),
        ({"dist": "Uniform", "lower": 3.0, "upper": 1.0}, "purchase_rate has no density at its own centre"),
        ({"dist": "LogNormal", "mu": {"dist": "Normal", "sigma": -1}, "sigma": 1.0}, "purchase_rate has no density"),
        (Prior("Normal", mu=1.0, sigma=-1.0, transform="exp"), "purchase_rate has no density at its own centre"),
        ({"dist": "Normal", "mu": -3.0, "sigma": 1.0}, r"centre of the priors \(purchase_rate -3.0"),
    ],
)
def test_a_prior_that_leads_nowhere_is_refused(prior, message):
    with pytest.raises(ParameterError, match=message):
        clv.BGNBD(priors={"purchase_rate": prior}).fit(RFM, method="map")


@pytest.mark.parametrize(
    "prior",
    [
        BOUNDED,
        {"dist": "LogitNormal", "mu": 0.0, "sigma": 1.0},
        {"dist": "LogNormal", "mu": np.array(1.0), "sigma": np.float32(0.5)},
        Prior("Normal", mu=1.0, sigma=0.3, transform="exp"),
        Prior("LogNormal", mu=Prior("Normal", mu=1.0, sigma=0.1), sigma=0.5),
    ],
)
def test_a_prior_of_one_number_is_taken(prior):
    assert "purchase_rate" in clv.BGNBD(priors={"purchase_rate": prior}).to_pymc(RFM).named_vars


def test_a_prior_with_an_open_end_survives_a_file(tmp_path):
    fit = clv.BGNBD(priors={"purchase_rate": BOUNDED}).fit(RFM, method="map")
    fit.save(tmp_path / "fit.json")
    again = clv.Fit.load(tmp_path / "fit.json")
    assert again.priors == fit.priors
    assert again.priors["purchase_rate"]["upper"] == math.inf
    assert clv.BGNBD(priors=again.priors).to_pymc(RFM)["purchase_rate"].ndim == 0


def test_a_prior_that_cannot_be_drawn_from_is_named_or_left_out():
    fit = clv.BGNBD(priors=MIN_CURVATURE).fit(RFM, method="map")
    assert "prior" not in fit.to_datatree(RFM).children
    with pytest.raises(FitError, match="the prior of purchase_rate cannot be drawn from"):
        prior_draws(BG_NBD, MIN_CURVATURE, "week", draws=10, seed=1)
