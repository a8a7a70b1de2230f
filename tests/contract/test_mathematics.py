"""Laws of the mathematics of every transaction model."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from clvmodels.models.derived import expected_purchases, residual, survival
from clvmodels.numerics.quadrature import Weighting
from tests.contract.conftest import HISTORIES, ORDERS, as_histories

X, T_X, T = HISTORIES


def discounted(delta, end):
    return Weighting(lambda u: np.exp(-delta * u), end, smooth_over=2 / delta)


def test_everything_broadcasts_over_draws_and_histories(model, theta):
    draws = theta * np.array([1.0, 1.1, 0.9])[:, None, None]
    for values in (
        model.log_likelihood(draws, X, T_X, T),
        model.p_alive(draws, X, T_X, T),
        *model.future(draws, X, T, np.asarray(10.0)),
        model.expected_purchases(draws, X, T, np.asarray(10.0)),
        model.pmf(draws, X, T, np.asarray(10.0), np.asarray(2.0)),
    ):
        assert values.shape == (3, len(X))
        assert np.isfinite(values).all()
    one = model.p_alive(draws[1, 0], X, T_X, T)
    np.testing.assert_array_equal(model.p_alive(draws, X, T_X, T)[1], one)


def test_the_gradient_is_that_of_the_log_likelihood(model, theta):
    for terms, columns in ((model.count_terms, (X,)), (model.history_terms, HISTORIES)):
        _, gradient = terms(theta, *columns)
        for k in range(len(theta)):
            shift = np.zeros(len(theta))
            shift[k] = 1e-6 * theta[k]
            difference = (terms(theta + shift, *columns)[0] - terms(theta - shift, *columns)[0]) / (2 * shift[k])
            np.testing.assert_allclose(gradient[..., k], difference, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "model", [model for model in ORDERS if model.history_curvature is not None], ids=lambda model: model.key
)
def test_the_curvature_is_that_of_the_gradient(model):
    theta = model.theta(model.example)
    x, t_x, T = np.array([0.0, 0.0, 3.0, 40.0]), np.array([0.0, 0.0, 20.0, 35.0]), np.array([1.0, 30.0, 38.0, 36.0])
    weight = np.array([3.0, 1.0, 2.0, 1.0])
    for terms, curvature, columns in (
        (model.count_terms, model.count_curvature, (x,)),
        (model.history_terms, model.history_curvature, (x, t_x, T)),
    ):
        found = curvature(theta, weight, *columns)
        for k, step in enumerate(1e-5 * theta * np.eye(len(theta))):
            above, below = (weight @ terms(theta + sign * step, *columns)[1] for sign in (1, -1))
            np.testing.assert_allclose(found[k], (above - below) / (2.0 * step[k]), rtol=1e-6, atol=1e-9)


def test_probabilities_are_probabilities(model, theta):
    alive = model.p_alive(theta, X, T_X, T)
    assert ((alive >= 0) & (alive <= 1)).all()
    for t in (0.01, 10.0, 1e4):
        survives, intensity = model.future(theta, X, T, np.asarray(t))
        assert ((survives > 0) & (survives <= 1)).all()
        assert (intensity > 0).all()


def test_silence_makes_it_less_likely_that_a_customer_is_alive(model, theta):
    T = np.linspace(20.0, 200.0, 30)
    alive = model.p_alive(theta, np.full(30, 5.0), np.full(30, 20.0), T)
    assert (np.diff(alive) < 0).all()


def test_survival_falls_and_expected_purchases_grow(model, theta):
    t = np.linspace(0.0, 300.0, 40)
    survives, intensity = model.future(theta, np.array([3.0]), np.array([50.0]), t)
    assert (np.diff(survives) < 0).all()
    assert (np.diff(intensity) < 0).all()
    assert survives[0] == pytest.approx(1.0)
    bought = model.expected_purchases(theta, np.array([3.0]), np.array([50.0]), t)
    assert bought[0] == 0.0
    assert (np.diff(bought) > 0).all()


def test_expected_purchases_are_the_integral_of_the_intensity(model, theta):
    for t in (0.1, 39.0, 1000.0):
        closed = expected_purchases(model, theta, X, T, t)
        integral, _ = residual(model, theta, X, T, [Weighting(np.ones_like, t)])
        np.testing.assert_allclose(closed, integral[:, 0], rtol=1e-9)


@pytest.mark.parametrize("end", [5.0, 260.0, 12_000.0])
def test_discounted_orders_and_lifetime_agree_with_adaptive_quadrature(model, theta, end):
    delta = 0.0026877
    orders, lifetime = residual(model, theta, X, T, [discounted(delta, end)])
    for i in range(len(X)):
        for ours, which in ((orders, 1), (lifetime, 0)):

            def integrand(log_u, which=which, i=i):
                u = np.exp(log_u)
                return u * np.exp(-delta * u) * model.future(theta, X[i], T[i], np.asarray(u))[which]

            truth = quad(integrand, -25, np.log(end), epsabs=0, epsrel=1e-11, limit=500)[0]
            assert ours[i, 0] == pytest.approx(truth, rel=1e-8)


def test_discounted_lifetime_is_below_that_of_an_immortal(model, theta):
    for delta in (0.001, 0.01, 0.1):
        _, lifetime = residual(model, theta, X, T, [discounted(delta, 34 / delta)])
        assert (lifetime < 1 / delta).all()


def test_a_higher_rate_lowers_value(model, theta):
    orders, _ = residual(model, theta, X, T, [discounted(d, 34 / d) for d in (0.001, 0.002, 0.004, 0.008)])
    assert (np.diff(orders, axis=1) < 0).all()


@pytest.mark.parametrize("t", [1.0, 26.0, 104.0])
def test_probabilities_of_counts_sum_to_one_and_have_the_expected_mean(model, theta, t):
    n = np.arange(4000.0)
    for x, age in ((0.0, 0.0), (2.0, 39.0), (26.0, 31.0)):
        probability = model.pmf(theta, np.asarray(x), np.asarray(age), np.asarray(t), n)
        assert (probability >= 0).all()
        assert probability.sum() == pytest.approx(1.0, abs=1e-9)
        mean = float(model.expected_purchases(theta, np.asarray(x), np.asarray(age), np.asarray(t)))
        assert probability @ n == pytest.approx(mean, rel=1e-7)


def test_the_likelihood_of_having_been_silent_is_the_probability_of_no_purchase(model, theta):
    """No purchase until T: the likelihood equals the probability that a new customer buys nothing in that time."""
    nothing = np.zeros(1)
    for age in (0.5, 39.0, 400.0):
        likelihood = np.exp(model.log_likelihood(theta, nothing, nothing, np.array([age])))
        alive = model.p_alive(theta, nothing, nothing, nothing)
        silent = alive * model.pmf(theta, nothing, nothing, np.asarray(age), np.asarray(0.0)) + 1 - alive
        np.testing.assert_allclose(likelihood, silent, rtol=1e-10)


def test_survival_composes_over_time(model, fit, theta):
    """A silent customer's P(alive) at T + t equals what is expected of him at T, given no purchase until then."""
    rfm = as_histories()
    later = as_histories((X, T_X, T + 10.0))
    silence = fit.probability_of_purchases(rfm, "10 weeks", n=0)["mean"].to_numpy()
    alive_and_silent = fit.probability_alive(rfm)["mean"].to_numpy() * model.pmf(
        theta, X, T, np.asarray(10.0), np.asarray(0.0)
    )
    # Whoever is alive and bought nothing is either alive at the end or left on the way.
    bound = alive_and_silent / silence
    assert (fit.probability_alive(later)["mean"].to_numpy() <= bound + 1e-12).all()


def test_survival_in_blocks_equals_survival_at_once(model, theta):
    generator = np.random.default_rng(0)
    x, age = generator.poisson(3.0, 3000).astype(float), generator.uniform(1.0, 160.0, 3000)
    ours = survival(model, theta, x, age, 26.0)
    np.testing.assert_allclose(ours, model.future(theta, x, age, np.asarray(26.0))[0], rtol=1e-9)


def test_interpolation_over_ages_is_as_good_as_direct_evaluation(model, theta):
    generator = np.random.default_rng(1)
    x, age = generator.poisson(1.0, 2000).astype(float), np.sort(generator.uniform(0.0, 160.0, 2000))
    weighting = discounted(0.0027, 12_000.0)
    together = np.column_stack(residual(model, theta, x, age, [weighting]))
    for i in generator.integers(0, 2000, 12):
        alone = np.column_stack(residual(model, theta, x[[i]], age[[i]], [weighting]))
        np.testing.assert_allclose(together[i], alone[0], rtol=1e-9)
