"""More data that no model can learn from: a warning in words, numbers everywhere, and nobody else's exception."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import DataWarning, FitError, FitWarning
from clvmodels.inference.estimator import TransactionEstimator
from clvmodels.models.registry import TRANSACTION_MODELS

MODELS = pytest.mark.parametrize("model", TRANSACTION_MODELS.values(), ids=list(TRANSACTION_MODELS))


def histories(x, t_x, T, spend=None):
    table = {"customer_id": np.arange(len(x)), "frequency": x, "recency": t_x, "T": T}
    if spend is not None:
        table["monetary_value"] = spend
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return clv.Histories.from_frame(pd.DataFrame(table), unit="week")


def nobody_leaves():
    """Rates differ, and everybody bought to the very end."""
    generator = np.random.default_rng(1)
    x = generator.poisson(52 * generator.gamma(1.0, 0.1, 1000)).astype(float)
    return histories(x, np.where(x > 0, 52.0, 0.0), np.full(1000, 52.0))


ORDERS = {
    "nobody leaves": nobody_leaves,
    "one repeat purchase in all": lambda: histories(np.eye(10)[0], 5.0 * np.eye(10)[0], np.full(10, 39.0)),
    "all bought on the last day": lambda: histories([1.0, 2, 3, 1, 2], np.full(5, 39.0), np.full(5, 39.0)),
    "a machine among five": lambda: histories([1e5, 0, 3, 1, 0], [38.9, 0, 20, 5, 0], [39.0] * 5),
    "ages of all sizes": lambda: histories([1.0, 0, 2, 5], [1e-6, 0, 1e4, 2], [1e-5, 1e5, 2e4, 3]),
    "ages of a moment": lambda: histories([1.0, 0, 2], [1e-9, 0, 2e-9], [2e-9] * 3),
}


@MODELS
@pytest.mark.parametrize("data", ORDERS)
def test_a_fit_to_degenerate_data_warns_and_predicts_numbers(model, data):
    rfm = ORDERS[data]()
    with pytest.warns(FitWarning, match=r"(boundary|not identified|not converged).*The data: .*customers, largest x"):
        fit = TransactionEstimator(model).fit(rfm)
    assert np.isfinite(fit.estimate).all()
    assert (fit.estimate > 0).all()
    assert np.isfinite(fit.expected_purchases(rfm, "52 weeks")).all(axis=None)
    assert fit.probability_alive(rfm)["mean"].between(0, 1).all()
    assert not fit.summary()["estimate"].isna().any()
    assert fit.diagnostics.message in fit.describe()


@MODELS
@pytest.mark.parametrize("data", ORDERS)
def test_draws_predict_numbers_or_are_refused(model, data):
    rfm = ORDERS[data]()
    fit = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        try:
            fit = TransactionEstimator(model).fit(rfm, method="laplace", draws=20, seed=1)
        except FitError as error:
            assert "no normal approximation" in str(error)  # noqa: PT017 - a refusal is right, and so are draws
    if fit is not None:
        assert np.isfinite(fit.theta).all()
        assert np.isfinite(fit.expected_purchases(rfm, "52 weeks")).all(axis=None)


def spenders(spend, x):
    n = len(spend)
    return histories(np.broadcast_to(np.asarray(x, float), n), np.full(n, 9.0), np.full(n, 39.0), np.asarray(spend))


@pytest.mark.parametrize(
    ("spend", "x"),
    [([20.0, 21.0], 3), ([1e-12, 2e-12, 5e-12, 9e-12], 1), ([10.0, 20.0, 30.0, 15.0], [1e5, 1, 2, 5])],
    ids=["two customers", "cents of cents", "a machine among four"],
)
def test_spend_of_degenerate_data_is_positive(spend, x):
    rfm = spenders(spend, x)
    with pytest.warns(FitWarning, match=r"boundary.*The data: .*More repeat customers help"):
        fit = clv.GammaGamma().fit(rfm)
    z = fit.expected_spend(rfm)["mean"]
    assert np.isfinite(z).all()
    assert (z > 0).all()


def test_unusable_spend_is_not_predicted_from():
    """A customer whose mean is missing or negative (refunds) gets the population mean, never a negative value."""
    fit = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    z = fit.expected_spend(spenders([-500.0, np.nan, 0.0, 35.0], 3))["mean"]
    population = 6.25 * 15.44 / 2.74
    assert z[0] == z[1] == pytest.approx(population)
    assert 0 < z[2] < population


def test_parameters_have_a_chain_and_a_draw_and_no_more():
    params = {"p": np.full((2, 3, 4), 6.0), "q": 3.0, "v": 15.0}
    with pytest.raises(clv.errors.ParameterError, match=r"arrays \(chain, draw\), got 3 axes"):
        clv.GammaGamma().from_params(params)
    assert clv.GammaGamma().from_params({**params, "p": [5.0, 6.0]}).theta.shape == (1, 2, 3)
