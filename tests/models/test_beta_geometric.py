"""Sums over customers in fewer passes: those of the terms, also where the odds of having left overflow."""

from __future__ import annotations

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
    assert model.history_sums is not None
    value, gradient = model.history_sums(parameters, weight, X, LAST, AGE)
    terms, gradients = model.history_terms(parameters, X, LAST, AGE)
    assert np.isfinite(value)
    assert value == pytest.approx(weight @ terms, rel=1e-13)
    size = weight @ np.abs(gradients)
    assert (np.abs(gradient - weight @ gradients) <= 1e-13 * size).all()
