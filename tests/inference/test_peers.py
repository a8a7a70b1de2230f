"""Agreement with lifetimes 0.11.3 where it is right."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import clvmodels as clv
from tests.golden.published import cdnow

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lifetimes


@pytest.fixture(scope="module")
def rfm():
    return cdnow(sample=True, end="1997-09-30")


PEERS = {"BGNBD": "BetaGeoFitter", "MBGNBD": "ModifiedBetaGeoFitter", "ParetoNBD": "ParetoNBDFitter"}


@pytest.fixture(scope="module", params=PEERS)
def pair(request, rfm):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = getattr(lifetimes, PEERS[request.param])().fit(rfm.frequency, rfm.recency, rfm.T)
    return getattr(clv, request.param)().fit(rfm), theirs


def test_the_same_parameters(pair):
    ours, theirs = pair
    for name, value in ours.params.items():
        assert theirs.params_[name] == pytest.approx(value, rel=5e-3)


def test_the_same_predictions_at_the_same_parameters(pair, rfm):
    ours, theirs = pair
    fit = getattr(clv, ours.model.public_name)().from_params(
        {name: float(theirs.params_[name]) for name in ours.params}, unit="week"
    )
    columns = (rfm.frequency, rfm.recency, rfm.T)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = np.asarray(theirs.conditional_expected_number_of_purchases_up_to_time(39, *columns))
        alive = np.asarray(theirs.conditional_probability_alive(*columns))
    np.testing.assert_allclose(fit.expected_purchases(rfm, 39)["mean"], expected, rtol=1e-6)
    np.testing.assert_allclose(fit.probability_alive(rfm)["mean"], alive, rtol=1e-6)


def test_ours_are_finite_where_theirs_are_not():
    x, t_x, T = np.array([(2000, 76.9, 77.0), (254, 97.28571, 97.28571)]).T
    peer = lifetimes.ParetoNBDFitter()
    peer.params_ = {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = peer._conditional_log_likelihood(list(peer.params_.values()), x, t_x, T)
    ours = clv.ParetoNBD().model.log_likelihood(np.array(list(peer.params_.values())), x, t_x, T)
    assert np.isfinite(ours).all()
    agrees = np.isfinite(theirs)
    np.testing.assert_allclose(ours[agrees], np.asarray(theirs)[agrees], rtol=1e-8)


def test_the_same_spend_model(rfm):
    repeaters = rfm.frequency > 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = lifetimes.GammaGammaFitter().fit(rfm.frequency[repeaters], rfm.monetary_value[repeaters])
    ours = clv.GammaGamma().fit(rfm)
    for name, value in ours.params.items():
        assert theirs.params_[name] == pytest.approx(value, rel=5e-3)
