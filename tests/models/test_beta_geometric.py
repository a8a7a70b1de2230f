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


@pytest.mark.parametrize(("name", "more"), [("bg_nbd", 0), ("mbg_nbd", 1)])
def test_rows_with_parameters_of_their_own(name: str, more: int) -> None:
    """Few opportunities to leave are a product, many and broken numbers of them are gamma functions."""
    x = np.array([0.0, 0.5, 1.0, 2.0, 15.0, 16.0, 17.0, 40.0])
    t_x, T, weight = np.where(x > 0.0, 20.0, 0.0), np.full(len(x), 39.0), np.linspace(1.0, 2.0, len(x))
    rows = np.array([0.243, 4.414, 0.793, 2.426]) * np.geomspace(0.5, 2.0, len(x))[:, None] ** [1.0, -1.0, 3.0, 1.0]

    def log_likelihood(i: int, r: mp.mpf, alpha: mp.mpf, a: mp.mpf, b: mp.mpf) -> mp.mpf:
        of_x, k = mp.mpf(x[i]), mp.mpf(x[i]) + more
        left = a / (b + k - 1) * ((alpha + T[i]) / (alpha + t_x[i])) ** (r + of_x) if k > 0 else 0
        chances = mp.rf(r, of_x) * mp.beta(a, b + k) / mp.beta(a, b)
        return mp.log(chances * mp.power(alpha, r) * mp.power(alpha + T[i], -(r + of_x)) * (1 + left))

    kernel = MODELS[name].kernel
    assert kernel is not None
    assert kernel.compiled.row_sums is not None
    value, gradient = kernel.compiled.row_sums(rows, weight, x, t_x, T)
    with mp.workdps(40):
        exact = [log_likelihood(i, *map(mp.mpf, row)) for i, row in enumerate(rows)]
        slopes = [
            [
                mp.diff(lambda *at, i=i: log_likelihood(i, *at), tuple(map(mp.mpf, row)), tuple(order))
                for order in np.eye(4, dtype=int).tolist()
            ]
            for i, row in enumerate(rows)
        ]
    assert value == pytest.approx(float(mp.fdot(weight, exact)), rel=1e-12)
    np.testing.assert_allclose(gradient, weight[:, None] * np.array(slopes, float), rtol=1e-9, atol=1e-11)
