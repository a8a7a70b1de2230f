"""Sums over customers, also compiled: those of the terms, where the odds of having left overflow too; the curvature."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from clvmodels.models import MODELS

X = np.array([0.0, 1.0, 3.0, 200.0, 5_000.0, 20_000.0])
LAST = np.array([0.0, 1e-6, 30.0, 1.0, 2.0, 100.0])
AGE = np.array([39.0, 39.0, 30.0, 1e4, 1e6, 100.0])


@pytest.mark.parametrize("theta", [(0.243, 4.414, 0.793, 2.426), (1e-3, 1e-4, 1e-3, 1e-3), (50.0, 1e3, 1e3, 1e-2)])
@pytest.mark.parametrize("name", ["bg_nbd", "mbg_nbd"])
def test_sums_of_terms(name: str, theta: tuple[float, ...]) -> None:
    model, parameters = MODELS[name], np.array(theta)
    weight = np.array([5.0, 1.0, 2.0, 1.0, 3.0, 7.0])
    terms, gradients = model.history_terms(parameters, X, LAST, AGE)
    size = weight @ np.abs(gradients)
    assert model.history_sums is not None
    assert model.history_expansion is not None
    assert model.kernel is not None
    assert model.kernel.compiled.history_expansion is not None
    _, *compiled = model.kernel.compiled[:3]
    for sums in (model.history_sums, model.history_expansion, *compiled):
        value, gradient, *_ = sums(parameters, weight, X, LAST, AGE)
        assert np.isfinite(value)
        assert value == pytest.approx(weight @ terms, rel=1e-13)
        assert (np.abs(gradient - weight @ gradients) <= 1e-13 * size).all()


@pytest.mark.parametrize("theta", [(0.243, 4.414, 0.793, 2.426), (5.0, 100.0, 0.05, 0.7)])
@pytest.mark.parametrize(("name", "more"), [("bg_nbd", 0), ("mbg_nbd", 1)])
def test_curvature(name: str, more: int, theta: tuple[float, ...]) -> None:
    histories = [(0.0, 0.0, 39.0), (1.0, 3.5, 38.0), (7.0, 30.0, 31.0), (40.0, 20.0, 100.0)]
    weight = np.array([5.0, 1.0, 2.0, 3.0])

    def log_likelihood(r: mp.mpf, alpha: mp.mpf, a: mp.mpf, b: mp.mpf) -> mp.mpf:
        total = mp.mpf(0)
        for customers, (x, t_x, T) in zip(weight, histories, strict=True):
            k = x + more
            left = a / (b + k - 1) * (1 + t_x / alpha) ** -(r + x) if k > 0 else 0
            total += customers * mp.log((1 + T / alpha) ** -(r + x) + left)
        return total

    model = MODELS[name]
    assert model.history_expansion is not None
    columns = np.ascontiguousarray(np.array(histories).T)
    with mp.workdps(40):
        orders = np.eye(4, dtype=int)
        exact = [[float(mp.diff(log_likelihood, theta, tuple(i + j))) for j in orders] for i in orders]
    assert model.kernel is not None
    for expansion in (model.history_expansion, model.kernel.compiled.history_expansion):
        assert expansion is not None
        np.testing.assert_allclose(expansion(np.array(theta), weight, *columns)[2], exact, rtol=1e-10)
