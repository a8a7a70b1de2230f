"""Data that do not identify a model: said in words, never as noise of the optimiser or NaN."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import FitError, FitWarning

pytestmark = pytest.mark.filterwarnings("ignore::clvmodels.errors.DataWarning")
ESTIMATORS = ["BGNBD", "MBGNBD", "ParetoNBD"]


def histories(x, t_x, T, spend=None):
    table = {"customer_id": np.arange(len(x)), "frequency": x, "recency": t_x, "T": T}
    return clv.Histories.from_frame(
        pd.DataFrame(table if spend is None else {**table, "monetary_value": spend}), unit="week"
    )


def poisson(rates, T=50.0):
    generator = np.random.default_rng(0)
    count = generator.poisson(rates * T)
    last = np.array([T * generator.random(k).max() if k else 0.0 for k in count])
    return histories(count.astype(float), last, np.full(len(count), T))


CASES = {
    "everybody buys alike and nobody leaves": lambda: poisson(np.full(1000, 0.1)),
    "identical customers": lambda: histories(np.full(50, 3.0), np.full(50, 20.0), np.full(50, 30.0)),
    "one customer": lambda: histories(np.array([3.0]), np.array([20.0]), np.array([30.0])),
    "two customers": lambda: histories(np.array([3.0, 0.0]), np.array([20.0, 0.0]), np.array([30.0, 30.0])),
    "everybody left at once": lambda: histories(
        np.repeat([2.0, 0.0], 30), np.repeat([0.1, 0.0], 30), np.full(60, 100.0)
    ),
}


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("case", CASES)
def test_what_the_data_leave_open_is_said_in_words(name, case):
    rfm = CASES[case]()
    with pytest.warns(FitWarning, match="boundary|not identified|not converged") as caught:
        fit = getattr(clv, name)().fit(rfm)
    assert len(caught) == 1
    message = str(caught[0].message)
    for words in ("The data:", "customers, largest x", "with x = 0", "T from"):
        assert words in message
    assert np.isfinite(fit.estimate).all()
    assert np.isfinite(fit.log_likelihood)
    assert fit.diagnostics.status in {"boundary", "not identified", "not converged"}
    assert np.isfinite(fit.expected_purchases(rfm, "10 weeks")["mean"]).all()
    assert fit.diagnostics.message in fit.describe()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_without_repeat_purchases_there_is_nothing_to_fit(name):
    for T in (9.0, 0.0):
        with pytest.raises(FitError, match="none of the 50 customers"):
            getattr(clv, name)().fit(histories(np.zeros(50), np.zeros(50), np.full(50, T)))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_customer_of_a_hundred_thousand_purchases_does_not_break_the_fit(name):
    rfm = clv.BGNBD().from_params({"r": 0.5, "alpha": 5, "a": 0.8, "b": 2.5}, unit="week").simulate(2000, 52, seed=1)
    table = pd.concat(
        [rfm.to_frame(), pd.DataFrame({"frequency": [1e5], "recency": [51.9], "T": [52.0]}, index=[9999])]
    )
    fit = getattr(clv, name)().fit(clv.Histories.from_frame(table.rename_axis("customer_id"), unit="week"))
    assert fit.diagnostics.status == "converged"
    assert np.isfinite(fit.summary().to_numpy()).all()


def test_spend_without_variety_is_said_in_words():
    rfm = histories(np.full(40, 2.0), np.ones(40), np.full(40, 2.0), np.full(40, 10.0))
    with pytest.warns(FitWarning, match="Gamma-Gamma: boundary"):
        fit = clv.GammaGamma().fit(rfm)
    np.testing.assert_allclose(fit.expected_spend(rfm)["mean"], 10.0, rtol=1e-3)


def test_spend_with_an_infinite_tail_keeps_a_finite_mean():
    spend = np.exp(np.random.default_rng(0).normal(3, 2, 500))
    with pytest.warns(FitWarning, match="q went to its lower bound"):
        fit = clv.GammaGamma().fit(histories(np.full(500, 3.0), np.ones(500), np.full(500, 2.0), spend))
    assert fit.params["q"] > 1.0  # a peer's q below one gave a mean of -491.53
    assert "heavy tail" in fit.describe()


def test_spend_needs_two_repeat_customers():
    with pytest.raises(FitError, match="two customers or more"):
        clv.GammaGamma().fit(histories(np.array([1.0]), np.array([1.0]), np.array([2.0]), np.array([5.0])))
    with pytest.raises(FitError, match='value="amount"'):
        clv.GammaGamma().fit(histories(np.array([1.0, 2.0]), np.ones(2), np.full(2, 2.0)))


def test_a_flat_likelihood_gives_no_draws():
    with pytest.raises(FitError, match="no normal approximation"):
        clv.BGNBD().fit(CASES["one customer"](), method="laplace", seed=1)
