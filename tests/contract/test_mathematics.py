"""Laws of the mathematics of every transaction model, and what is derived from it once for all."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from clvmodels.models.consistency import LAWS
from clvmodels.models.derived import alive, residual, survival
from clvmodels.numerics.quadrature import Weighting
from tests.contract.conftest import as_histories


def discounted(delta, end):
    return Weighting(lambda u: np.exp(-delta * u), end, smooth_over=2 / delta)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.description)
def test_every_model_keeps_the_laws(model, theta, law):
    assert law.deviation(model, theta) <= law.tolerance


def test_some_customers_stay_however_long(model, theta, histories):
    X, _, T = histories
    for t in (0.01, 10.0, 1e4):
        survives, intensity = model.future(theta, X, T, np.asarray(t))
        assert ((survives > 0) & (survives <= 1)).all()
        assert (intensity > 0).all()


def test_silence_makes_it_less_likely_that_a_customer_is_alive(model, theta):
    T = np.linspace(20.0, 310.0 if model.time == "periods" else 200.0, 30)
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


@pytest.mark.parametrize("end", [5.0, 260.0, 12_000.0])
def test_discounted_orders_and_lifetime_agree_with_adaptive_quadrature(model, theta, histories, end):
    (X, _, T), delta = histories, 0.0026877
    orders, lifetime = residual(model, theta, X, T, [discounted(delta, end)])
    for i in range(len(X)):
        for ours, which in ((orders, 1), (lifetime, 0)):

            def integrand(log_u, which=which, i=i):
                u = np.exp(log_u)
                return u * np.exp(-delta * u) * model.future(theta, X[i], T[i], np.asarray(u))[which]

            if model.time == "periods":
                ends = np.arange(1.0, end + 1.0)
                truth = np.exp(-delta * ends) @ model.future(theta, X[i], T[i], ends)[which]
            else:
                truth = quad(integrand, -25, np.log(end), epsabs=0, epsrel=1e-11, limit=500)[0]
            assert ours[i, 0] == pytest.approx(truth, rel=1e-8)


def test_discounted_lifetime_is_below_that_of_an_immortal(model, theta, histories):
    X, _, T = histories
    for delta in (0.001, 0.01, 0.1):
        _, lifetime = residual(model, theta, X, T, [discounted(delta, 34 / delta)])
        assert (lifetime < 1 / delta).all()


def test_a_higher_rate_lowers_value(model, theta, histories):
    X, _, T = histories
    orders, _ = residual(model, theta, X, T, [discounted(d, 34 / d) for d in (0.001, 0.002, 0.004, 0.008)])
    assert (np.diff(orders, axis=1) < 0).all()


def test_survival_composes_over_time(model, fit, theta, histories):
    """A silent customer's P(alive) at T + t equals what is expected of them at T, given no purchase until then."""
    X, T_X, T = histories
    rfm = as_histories(histories, model)
    later = as_histories((X, T_X, T + 10.0), model)
    silence = fit.probability_of_purchases(rfm, "10 weeks", n=0)["mean"].to_numpy()
    alive_and_silent = fit.probability_alive(rfm)["mean"].to_numpy() * model.pmf(
        theta, X, T, np.asarray(10.0), np.asarray(0.0)
    )
    # Whoever is alive and bought nothing is either alive at the end or left on the way.
    bound = alive_and_silent / silence
    assert (fit.probability_alive(later)["mean"].to_numpy() <= bound + 1e-12).all()


def test_many_customers_are_as_likely_alive_as_each_of_them(model, theta, histories):
    x, t_x, T = (np.resize(column, 40_000) for column in histories)
    expected = np.resize(model.p_alive(theta, *histories), 40_000)
    np.testing.assert_allclose(alive(model, theta, x, t_x, T), expected, rtol=1e-13)


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
