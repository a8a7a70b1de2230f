"""Stacking: the weights whose mixture predicts customers best, found wherever they lie."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, special

from clvmodels.errors import FitError
from clvmodels.inference.stacking import SETTLED, stacked

LEAST = 0.05


def made_up(customers, models, spread, seed):
    """Return log densities that differ by a spread from model to model, and how many customers have each."""
    generator = np.random.default_rng(seed)
    common = 3.0 * generator.standard_normal((customers, 1))
    ahead = spread * np.linspace(0.0, 0.5, models)
    log_density = common + spread * generator.standard_normal((customers, models)) - ahead
    return log_density, generator.integers(1, 5, customers).astype(float)


@pytest.mark.parametrize("models", [2, 3, 4])
@pytest.mark.parametrize("spread", [2.0, 0.3, 0.03])
@pytest.mark.parametrize("seed", [1, 2])
def test_no_other_method_finds_a_higher_score(models, spread, seed):
    """Those of scipy, from each model: on the simplex, by softmax."""
    log_density, customers = made_up(3_000, models, spread, seed)
    weights = stacked(log_density, customers, LEAST)
    density = np.exp(log_density)

    def loss(free):
        weights = LEAST + (1.0 - models * LEAST) * special.softmax(free)
        return -customers @ np.log(density @ weights)

    others = [optimize.minimize(loss, start, method="BFGS").fun for start in 3.0 * np.eye(models)]
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert weights.min() >= LEAST - 1e-9
    assert -customers @ np.log(density @ weights) <= min(others) + SETTLED


def test_two_models_by_hand():
    """Two thirds are predicted with .9 by one model and with .1 by the other."""
    weights = stacked(np.log([[0.9, 0.1], [0.1, 0.9]]), np.array([2e6, 1e6]), LEAST)
    assert 0.9 * weights[0] + 0.1 * weights[1] == pytest.approx(2.0 / 3.0, abs=1e-6)


def test_a_model_that_others_cover_has_the_least_weight():
    log_density, customers = made_up(2_000, 2, 0.3, 3)
    worse = log_density.min(axis=1) - 0.1
    weights = stacked(np.column_stack([log_density, worse]), customers, LEAST)
    assert weights[2] == pytest.approx(LEAST, abs=1e-9)


def test_models_that_are_the_same_have_the_same_weight():
    log_density, customers = made_up(5_000, 1, 1.0, 4)
    same = np.repeat(log_density, 3, axis=1)
    np.testing.assert_allclose(stacked(same, customers, LEAST), 1.0 / 3.0)
    nearly = same + 1e-7 * np.random.default_rng(5).standard_normal(same.shape)
    np.testing.assert_allclose(stacked(nearly, customers, LEAST), 1.0 / 3.0)


def test_customers_count_as_often_as_they_are():
    log_density, customers = made_up(500, 3, 0.3, 6)
    each = np.repeat(log_density, customers.astype(int), axis=0)
    np.testing.assert_allclose(
        stacked(each, np.ones(len(each)), LEAST), stacked(log_density, customers, LEAST), rtol=1e-9
    )


def test_a_density_that_is_not_finite_is_refused():
    log_density, customers = made_up(100, 3, 0.3, 7)
    log_density[5, 1] = np.nan
    with pytest.raises(FitError, match="is no number"):
        stacked(log_density, customers, LEAST)
