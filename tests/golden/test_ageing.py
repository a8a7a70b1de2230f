"""Gamma-Gompertz/NBD on the CDNOW sample.

The log-likelihood at given parameters of 39 weeks is that of an R package (b .0002, beta .0026 in its parameters: c is
b, our beta is its beta / b); the maximum of 78 weeks, and what it does to value, are those of an implementation of its
own. They are printed to the digits asserted here.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.data import Histories
from clvmodels.inference.kinds import Fit
from clvmodels.models.derived import residual
from clvmodels.numerics.quadrature import Weighting

FORCE = np.log(1.15) / 52.0


def histories(log: pd.DataFrame, end: str) -> Histories:
    return clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end=end)


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return clv.datasets.load_cdnow(sample=True)


def discounted_orders(fit: Fit) -> float:
    """Return D at 15 % a year of 52 weeks, of a customer with (2, 30.43, 38.86)."""
    x, t_x, T = np.array([[2.0], [30.43], [38.86]])
    weighting = Weighting(lambda u: np.exp(-FORCE * u), 40.0 / FORCE, smooth_over=2.0 / FORCE)
    orders = residual(fit.model, fit.estimate, x, T, [weighting])[0][0, 0]
    return float(orders * fit.model.p_alive(fit.estimate, x, t_x, T)[0])


def test_log_likelihood_of_39_weeks_at_given_parameters(log: pd.DataFrame) -> None:
    rfm = histories(log, "1997-09-30")
    model = clv.ParetoNBD(ageing="gompertz").model
    theta = model.theta({"r": 0.553, "alpha": 10.578, "s": 0.603, "beta": 13.0, "c": 0.0002})
    value = model.log_likelihood(theta, rfm.frequency, rfm.recency, rfm.T).sum()
    assert value == pytest.approx(-9595.77096316782, abs=1e-8)


def test_maximum_of_78_weeks_and_what_it_does_to_value(log: pd.DataFrame) -> None:
    rfm = histories(log, "1998-06-30")
    aged, plain = clv.ParetoNBD(ageing="gompertz").fit(rfm), clv.ParetoNBD().fit(rfm)
    assert aged.log_likelihood == pytest.approx(-17133.11419, abs=5e-6)
    np.testing.assert_allclose(aged.estimate, [0.57864, 12.64326, 0.17461, 2.88623, 0.04484], atol=1e-5)
    assert aged.log_likelihood - plain.log_likelihood == pytest.approx(2.7, abs=0.05)
    assert discounted_orders(plain) == pytest.approx(8.613, abs=5e-4)
    assert discounted_orders(aged) == pytest.approx(4.1994, abs=2e-4)
