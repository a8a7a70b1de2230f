"""Fits of more customers than a sample has end where fits of few do, whatever the sample says of them.

Of 5,000 customers of whom few ever leave, or leave much at once, hardly any shows how: the likelihood of a sample then
has its maximum elsewhere, or none, and that of all is nearly level there.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

import clvmodels as clv
from clvmodels.errors import FitWarning
from clvmodels.inference import observations
from clvmodels.inference.observations import observe
from clvmodels.numerics import kernels

CUSTOMERS = 30_000
HARD = [
    ("BGNBD", {"r": 0.3, "alpha": 4.0, "a": 100.0, "b": 300.0}, 0),
    ("BGNBD", {"r": 0.3, "alpha": 4.0, "a": 100.0, "b": 300.0}, 3),
    ("BGNBD", {"r": 0.3, "alpha": 4.0, "a": 0.005, "b": 0.5}, 1),
    ("MBGNBD", {"r": 0.3, "alpha": 4.0, "a": 0.001, "b": 0.1}, 2),
    ("MBGNBD", {"r": 0.3, "alpha": 4.0, "a": 0.01, "b": 1.0}, 3),
    ("ParetoNBD", {"r": 0.5, "alpha": 10.0, "s": 20.0, "beta": 600.0}, 0),
]


@pytest.mark.parametrize(("name", "truth", "seed"), HARD, ids=[f"{name} {seed}" for name, _, seed in HARD])
@pytest.mark.parametrize("method", ["mle", "map"])
def test_a_sample_leads_to_the_maximum_of_all(name, truth, seed, method, monkeypatch):
    model = getattr(clv, name)()
    rfm = model.from_params(truth, unit="week").simulate(CUSTOMERS, "78 weeks", seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)  # a maximum at infinity is told, by both
        quick = model.fit(rfm, method=method)
        monkeypatch.setattr(observations, "FEW", CUSTOMERS)
        slow = model.fit(rfm, method=method)
    assert quick.diagnostics.status == slow.diagnostics.status
    assert quick.log_likelihood == pytest.approx(slow.log_likelihood, abs=1e-4)
    if quick.diagnostics.status == "converged":
        np.testing.assert_allclose(quick.estimate, slow.estimate, rtol=1e-3)


@pytest.mark.parametrize(("name", "truth", "seed"), HARD, ids=[f"{name} {seed}" for name, _, seed in HARD])
def test_no_other_method_climbs_higher(name, truth, seed):
    """Nelder & Mead's method, from the estimate and from the truth."""
    model = getattr(clv, name)()
    rfm = model.from_params(truth, unit="week").simulate(CUSTOMERS, "78 weeks", seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        fit = model.fit(rfm)
    seen = observe(fit.model, rfm)

    def minus(psi):
        return -seen.log_likelihood(fit.model, np.exp(psi))[0]

    for start in (fit.estimate, np.array(list(truth.values()))):
        other = minimize(minus, np.log(start), method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-6})
        assert -other.fun < fit.log_likelihood + 1e-4


@pytest.mark.parametrize("name", ["BGNBD", "MBGNBD", "ParetoNBD", "GammaGamma"])
def test_fits_do_not_depend_on_what_is_compiled(name, monkeypatch):
    orders = clv.ParetoNBD().from_params({"r": 0.5, "alpha": 10.0, "s": 0.6, "beta": 11.0}, unit="week")
    rfm = orders.simulate(CUSTOMERS, "78 weeks", seed=1)
    generator = np.random.default_rng(1)
    mean = generator.gamma(6.25 * np.maximum(rfm.frequency, 1.0)) / generator.gamma(3.74, size=CUSTOMERS) * 15.44
    rfm = rfm.with_statistics({"mean": np.where(rfm.frequency > 0, mean / np.maximum(rfm.frequency, 1.0), np.nan)})
    model = getattr(clv, name)()
    plain = model.fit(rfm)
    for module in (observations, kernels):
        monkeypatch.setattr(module, "MANY", 1)
    compiled = model.fit(rfm)
    assert compiled.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-13)
    np.testing.assert_allclose(compiled.estimate, plain.estimate, rtol=1e-9)
    np.testing.assert_allclose(compiled.covariance, plain.covariance, rtol=1e-6)
    assert compiled.fingerprint == plain.fingerprint
    assert not np.array_equal(compiled.covariance, plain.covariance)  # it has not been computed alike


def test_a_sample_of_many_is_summed_as_they_are(monkeypatch):
    orders = clv.BGNBD().from_params({"r": 0.3, "alpha": 4.0, "a": 0.8, "b": 2.5}, unit="week")
    seen = observe(orders.model, orders.simulate(CUSTOMERS, "78 weeks", seed=1))
    assert not seen.many
    assert not seen.sample().many
    monkeypatch.setattr(observations, "MANY", len(seen.weight))
    assert seen.many
    assert seen.sample().many


def test_a_model_with_other_terms_is_not_summed_by_the_kernel(monkeypatch):
    monkeypatch.setattr(observations, "MANY", 1)
    orders = clv.BGNBD().from_params({"r": 0.3, "alpha": 4.0, "a": 0.8, "b": 2.5}, unit="week")
    seen, theta = observe(orders.model, orders.simulate(1_000, "78 weeks", seed=1)), orders.estimate

    def doubled(*arguments):
        return tuple(2.0 * one for one in orders.model.history_terms(*arguments))

    other = replace(orders.model, history_terms=doubled, history_sums=None, history_expansion=None)
    counts = seen.histogram[1] @ orders.model.count_terms(theta, seen.histogram[0])[0]
    value, twice = (seen.log_likelihood(model, theta)[0] for model in (orders.model, other))
    assert twice - counts == pytest.approx(2.0 * (value - counts), rel=1e-12)
    assert seen.expansion(other, theta) is None
