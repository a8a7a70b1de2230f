"""Where parameters run to their bounds, likelihood and predictions stay as exact as anywhere.

A fit to customers who do not differ in some respect ends there: r and alpha (s and beta; a and b; q and v) grow or
shrink together without limit, and what counts is their ratio.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from mpmath import mp, mpf

from clvmodels.models import MODELS
from clvmodels.models.registry import TRANSACTION_MODELS
from tests.accuracy import reference as truth

POINTS, PREDICTED, DIFFERENTIATED = 30, 5, 6
BOTH = pytest.mark.parametrize("key", TRANSACTION_MODELS)


def column(value):
    return np.array([value], float)


def extreme(key, generator):
    """Parameters from 1e-6 to 1e14, whose ratios are those of customers who buy and leave in a human time."""
    r, third = 10.0 ** generator.uniform(-6.0, 14.0, 2)
    alpha = r / 10.0 ** generator.uniform(-3.0, 1.0)
    fourth = third / 10.0 ** generator.uniform(-3.0, 1.0)
    theta = dict(zip(MODELS[key].names, map(float, (r, alpha, third, fourth)), strict=True))
    x, T = float(generator.choice([0, 1, 2, 5, 40])), float(10.0 ** generator.uniform(0.0, 2.5))
    t_x = float(T * generator.choice([0.0, 0.3, 0.9, 1.0])) if x else 0.0
    return theta, (x, t_x, T)


def logs(model, theta, columns):
    """Value and gradient by log parameters of one history, from the terms and from the kernel."""
    terms = (model.count_terms, columns[:1]), (model.history_terms, columns)
    plain = [[part[0] for part in term(theta, *some)] for term, some in terms]
    sums = [model.kernel.sums_of(term)(theta, np.ones(1), *some) for term, some in terms]
    return [(sum(value for value, _ in parts), sum(by for _, by in parts) * theta) for parts in (plain, sums)]


def slope(function, theta, name):
    step = mpf(10) ** -12
    above, below = (function({**theta, name: mpf(theta[name]) * mp.exp(sign * step)}) for sign in (1, -1))
    return float((above - below) / (2 * step))


@BOTH
def test_log_likelihood_and_p_alive(key):
    model, generator = MODELS[key], np.random.default_rng(3)
    for i in range(POINTS):
        theta, history = extreme(key, generator)
        point, columns = model.theta(theta), [column(value) for value in history]
        exact = float(truth.log_likelihood(key, theta, *history))
        both = logs(model, point, columns)
        for value, _ in both:
            assert value == pytest.approx(exact, rel=1e-10, abs=1e-12)
        assert model.p_alive(point, *columns)[0] == pytest.approx(
            float(truth.p_alive(key, theta, *history)), rel=1e-9, abs=1e-290
        )
        if i < DIFFERENTIATED:
            for j, name in enumerate(model.names):
                exact = slope(lambda at, history=history: truth.log_likelihood(key, at, *history), theta, name)
                for _, gradient in both:
                    assert gradient[j] == pytest.approx(exact, rel=1e-9, abs=1e-9)


@BOTH
def test_predictions(key):
    model, generator = MODELS[key], np.random.default_rng(4)
    for _ in range(PREDICTED):
        theta, (x, _, T) = extreme(key, generator)
        t, n = float(10.0 ** generator.uniform(-1.0, 2.5)), int(generator.choice([0, 1, 3, 10]))
        point, columns = model.theta(theta), (column(x), column(T), column(t))
        survival, intensity = model.future(point, *columns)
        close = partial(pytest.approx, rel=1e-8, abs=1e-290)
        assert survival[0] == close(float(truth.survival(key, theta, x, T, t)))
        assert intensity[0] == close(float(truth.intensity(key, theta, x, T, t)))
        assert model.expected_purchases(point, *columns)[0] == close(
            float(truth.expected_purchases(key, theta, x, T, t))
        )
        with mp.workdps(80):
            assert model.pmf(point, *columns, column(n))[0] == close(float(truth.pmf(key, theta, x, T, t, n)))


def test_spend_of_customers_who_hardly_differ():
    """Values of p and q from 1e-3 to 1e14; a mean lies as far from the population's as chance puts it, or anywhere."""
    model, generator = MODELS["gamma_gamma"], np.random.default_rng(5)
    for i in range(POINTS):
        p, q = float(10.0 ** generator.uniform(-3.0, 14.0)), float(1.0 + 10.0 ** generator.uniform(-3.0, 14.0))
        x = float(generator.choice([1, 3, 40]))
        theta = {"p": p, "q": q, "v": 35.0 * q / p}
        spread = generator.normal() * np.sqrt(1.0 / (p * x) + 1.0 / q) if i % 2 else generator.normal()
        mean = float(35.0 * np.exp(np.clip(spread, -3.0, 3.0)))
        point, columns = model.theta(theta), [column(x), column(mean)]
        with mp.workdps(80):
            exact = float(truth.spend_log_likelihood(theta, x, mean))
            slopes = [slope(lambda at: truth.spend_log_likelihood(at, x, mean), theta, name) for name in model.names]  # noqa: B023
        # What rounding a parameter in its last digit changes is no error of the formula.
        noise = 1e-15 * np.abs(slopes).sum()
        for value, gradient in logs(model, point, columns):
            assert value == pytest.approx(exact, rel=1e-12, abs=1e-11 + noise)
            size = noise * np.sqrt(min(p * x, q))
            np.testing.assert_allclose(gradient, slopes, rtol=1e-7, atol=1e-8 + size)


@pytest.mark.parametrize(
    ("history", "alive", "purchases"), [((4, 20, 30), 0.9050081, 5.8568783), ((0, 0, 50), 0.00111381, 0.00736336)]
)
def test_two_customers_whose_rates_do_not_differ(history, alive, purchases):
    """With 60 digits: log-likelihood -13.5856832643 in all, P(alive) and E[X(52)]; logs that cancel gave -13.375."""
    model = MODELS["pareto_nbd"]
    theta = np.array([9965938391065.19, 74892070332174.95, 0.11526622170059668, 0.017760210963828044])
    columns = [column(value) for value in history]
    p_alive = model.p_alive(theta, *columns)[0]
    assert p_alive == pytest.approx(alive, abs=5e-8 if alive > 0.1 else 5e-9)
    expected = p_alive * model.expected_purchases(theta, columns[0], columns[2], np.array(52.0))[0]
    assert expected == pytest.approx(purchases, abs=5e-8 if alive > 0.1 else 5e-9)
    both = [column(values) for values in ((4, 0), (20, 0), (30, 50))]
    assert model.log_likelihood(theta, *both).sum() == pytest.approx(-13.5856832643, abs=1e-10)
