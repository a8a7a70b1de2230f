"""How unlikely a silence is: against a closed form, and customers drawn one by one."""

from __future__ import annotations

import numpy as np
import pytest

from clvmodels.models import MODELS
from clvmodels.models.silence import silence

X = np.array([0.0, 1.0, 4.0, 30.0])
LAST = np.array([0.0, 3.0, 30.43, 35.0])
T = np.array([38.86, 20.0, 38.86, 38.86])


def test_of_pareto_nbd_it_is_that_of_a_wait():
    model = MODELS["pareto_nbd"]
    theta = model.theta(model.example)
    r, alpha = theta[:2]
    np.testing.assert_allclose(silence(model, theta, X, LAST, T), ((alpha + LAST) / (alpha + T)) ** (r + X), rtol=1e-8)


@pytest.mark.parametrize("key", ["bg_nbd", "mbg_nbd"])
def test_of_customers_who_may_leave_with_each_purchase_it_is_their_share(key):
    """Drawn forward from t_x: rates given the history, and chances of leaving that purchases have not yet used up."""
    model = MODELS[key]
    theta = model.theta(model.example)
    r, alpha, a, b = theta
    generator = np.random.default_rng(1)
    bought = X + (key == "mbg_nbd")  # purchases after which they might have left
    for x, t_x, age, passed, value in zip(X, LAST, T, bought, silence(model, theta, X, LAST, T), strict=True):
        rate = generator.gamma(r + x, 1.0 / (alpha + t_x), 400_000)
        leaves = generator.beta(a, b + passed, 400_000)
        orders = generator.poisson(rate * (age - t_x))
        alive = generator.random(400_000) < (1.0 - leaves) ** orders
        share = np.mean(orders[alive] == 0)
        assert value == pytest.approx(share, abs=4.0 * np.sqrt(share * (1.0 - share) / alive.sum()))


@pytest.mark.parametrize("key", ["bg_nbd", "mbg_nbd", "pareto_nbd"])
def test_who_has_just_bought_is_not_silent_and_rows_may_have_their_own_parameters(key):
    model = MODELS[key]
    theta = model.theta(model.example)
    assert silence(model, theta, X, T, T).tolist() == [1.0] * 4
    rows = theta * (1.0 + 0.1 * np.arange(4.0))[:, None]
    alone = [silence(model, rows[k], X[k : k + 1], LAST[k : k + 1], T[k : k + 1])[0] for k in range(4)]
    np.testing.assert_allclose(silence(model, rows, X, LAST, T), alone, rtol=1e-12)
