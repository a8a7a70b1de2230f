"""Customers won back and saved: against closed forms, mpmath and Monte Carlo, under each model."""

from __future__ import annotations

from dataclasses import replace

import mpmath
import numpy as np
import pytest

from clvmodels.errors import ModelError
from clvmodels.models import MODELS
from clvmodels.models.returning import purchases_of_saved, purchases_of_won_back
from clvmodels.numerics.quadrature import Weighting

DELTA = np.log(1.15) / 52
DISCOUNTED = Weighting(lambda t: np.exp(-DELTA * t), 34.0 / DELTA, smooth_over=2.0 / DELTA)
PARETO, BG, MBG = (MODELS[name] for name in ("pareto_nbd", "bg_nbd", "mbg_nbd"))


def won_back(model, theta, x, t_x, T, group=None):
    return purchases_of_won_back(model, theta, *(np.array(each, float) for each in (x, t_x, T)), [DISCOUNTED], group)


def test_published_values_of_pareto_nbd() -> None:
    theta = PARETO.theta(PARETO.example)
    values = won_back(PARETO, theta, [10, 2, 0, 5], [26, 30.43, 0, 26], [52, 38.86, 38.86, 52])[:, 0]
    assert values == pytest.approx([11.4798, 2.7010, 0.7147, 5.9591], abs=6e-5)


def test_that_return_may_raise_the_value() -> None:
    theta = np.array([0.553, 10.578, 20.0, 400.0])
    assert won_back(PARETO, theta, [10], [26], [52])[0, 0] == pytest.approx(5.3790, abs=6e-5)


def test_published_value_of_bg_nbd() -> None:
    assert won_back(BG, BG.theta(BG.example), [10], [26], [52])[0, 0] == pytest.approx(11.38535, abs=6e-6)


def test_pareto_nbd_against_arbitrary_precision() -> None:
    r, alpha, s, beta = (mpmath.mpf(str(PARETO.example[name])) for name in ("r", "alpha", "s", "beta"))
    x, t_x, T = 2, mpmath.mpf("30.43"), mpmath.mpf("38.86")

    def density(tau):
        return (alpha + tau) ** -(r + x) * (beta + tau) ** -(s + 1)

    def value(tau):
        kept = mpmath.quad(
            lambda t: mpmath.exp(-DELTA * t) * ((beta + tau) / (beta + tau + t)) ** (s + 1), [0, 50, 500, 5_000]
        )
        return (r + x) / (alpha + tau) * kept

    expected = mpmath.quad(lambda tau: density(tau) * value(tau), [t_x, T]) / mpmath.quad(density, [t_x, T])
    result = won_back(PARETO, PARETO.theta(PARETO.example), [2], [30.43], [38.86])[0, 0]
    assert result == pytest.approx(float(expected), rel=1e-7)


def test_long_and_short_silence() -> None:
    theta = PARETO.theta(PARETO.example)
    few, many = won_back(PARETO, theta, [30, 3], [1e-3, 50], [1_000, 50])[:, 0]
    rng = np.random.default_rng(1)  # inverse of the distribution of the time of leaving, on a fine grid
    tau = np.concatenate([[1e-3], 1e-3 + np.geomspace(1e-5, 999.999, 40_000)])
    log_density = -30.553 * np.log(10.578 + tau) - 1.606 * np.log(11.669 + tau)
    density = np.exp(log_density - log_density.max())
    mass = np.concatenate([[0.0], np.cumsum(np.diff(tau) * (density[1:] + density[:-1]) / 2.0)])
    drawn = np.interp(rng.random(400_000), mass / mass[-1], tau)
    rate = rng.gamma(30.553, size=len(drawn)) / (10.578 + drawn)
    value = rate / (rng.gamma(1.606, size=len(drawn)) / (11.669 + drawn) + DELTA)
    assert few == pytest.approx(value.mean(), abs=4.0 * value.std() / np.sqrt(len(value)))
    at_once = purchases_of_saved(PARETO, theta, np.array([3.0]), np.array([50.0]), [DISCOUNTED])
    assert many == pytest.approx(at_once[0, 0], rel=1e-9)  # silent for no time: they left now


@pytest.mark.parametrize(("model", "opportunities"), [(BG, 3), (MBG, 4)])
def test_beta_geometric_models_against_simulated_lives(model, opportunities: int) -> None:
    """Of simulated customers, those who left at their third repeat purchase return with their own rates."""
    r, alpha, a, b = model.theta(model.example)
    rng, n = np.random.default_rng(2), 4_000_000
    rate, p = rng.gamma(r, size=n) / alpha, rng.beta(a, b, n)
    leaves = rng.random(n) < p * (1.0 - p) ** (opportunities - 1)  # at this opportunity and not before
    rate, p = rate[leaves], p[leaves]
    last = rng.gamma(3.0, size=len(rate)) / rate
    near = np.abs(last - 10.0) < 0.5
    value = rate[near] / (rate[near] * p[near] + DELTA)
    result = won_back(model, np.array([r, alpha, a, b]), [3], [10], [30])[0, 0]
    assert result == pytest.approx(value.mean(), abs=4.0 * value.std() / np.sqrt(len(value)))


def test_customers_who_cannot_have_left_are_not_won_back() -> None:
    values = won_back(BG, BG.theta(BG.example), [0, 1], [0, 5], [30, 30])[:, 0]
    assert values[0] == 0.0
    assert values[1] > 0.0


def test_groups_have_parameters_of_their_own() -> None:
    theta = np.array([[0.553, 10.578, 0.606, 11.669], [0.8, 9.0, 1.2, 20.0]])
    both = won_back(PARETO, theta, [2, 2], [30, 30], [39, 39], np.array([1, 0]))[:, 0]
    alone = [won_back(PARETO, each, [2], [30], [39])[0, 0] for each in theta[::-1]]
    assert both == pytest.approx(alone, rel=1e-8)


@pytest.mark.parametrize("model", [BG, MBG, PARETO])
def test_saved_customers_are_those_who_leave_in_the_window(model) -> None:
    """The ages at which those leave who are alive; each then stays with the rates that they have."""
    rng, n, x, T, w = np.random.default_rng(3), 2_000_000, 2.0, 20.0, 0.5
    theta = model.theta(model.example)
    rate = rng.gamma(theta[0] + x, size=n) / (theta[1] + T)
    if model is PARETO:
        mu = rng.gamma(theta[2], size=n) / (theta[3] + T)
        leaves = rng.random(n) < -np.expm1(-mu * w)
        value = rate[leaves] / (mu[leaves] + DELTA)
    else:
        p = rng.beta(theta[2], theta[3] + x + (model is MBG), n)
        bought = rng.random(n) < -np.expm1(-rate * w)
        leaves = bought & (rng.random(n) < p)
        value = rate[leaves] / (rate[leaves] * p[leaves] + DELTA)
    result = purchases_of_saved(model, theta, np.array([x]), np.array([T + w / 2.0]), [DISCOUNTED])[0, 0]
    assert result == pytest.approx(value.mean(), abs=4.0 * value.std() / np.sqrt(len(value)))


def test_models_that_do_not_say_are_refused() -> None:
    model = replace(PARETO, departures=None)
    with pytest.raises(ModelError, match="Pareto/NBD does not say what customers are like who left"):
        won_back(model, model.theta(model.example), [2], [2], [3])
