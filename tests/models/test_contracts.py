"""sBG and beta-discrete-Weibull: their laws, and their numbers against arithmetic of many digits."""

from __future__ import annotations

from itertools import product

import mpmath
import numpy as np
import pytest
from scipy import special

from clvmodels.models import contract
from clvmodels.models.consistency import check_model
from clvmodels.models.registry import CONTRACT_MODELS
from clvmodels.models.specification import ContractModel
from clvmodels.numerics.period_sums import few_periods
from clvmodels.numerics.special import log_beta_ratio

DIGITS = 80
models = pytest.mark.parametrize("model", CONTRACT_MODELS.values(), ids=CONTRACT_MODELS)
GRID = [
    *product((1e-6, 0.05, 0.8, 20.0, 1e4), (1e-4, 0.1, 1.3, 60.0, 1e6), (1.0,)),
    *product((1e-3, 0.26, 5.0), (0.01, 1.7, 400.0), (0.1, 0.6, 1.6, 4.0)),
]
HISTORIES = [(0, 0, 0), (0, 1, 0), (1, 1, 0), (3, 4, 0), (4, 4, 2), (12, 13, 5), (250, 250, 0), (240, 241, 239)]
"""Renewals, renewals faced, and those before observation."""


def exactly(number: float) -> mpmath.mpf:
    return mpmath.mpf(float(number))


def log_survival(gamma: float, delta: float, c: float, n: float) -> mpmath.mpf:
    gamma, delta = exactly(gamma), exactly(delta)
    y = delta + exactly(n) ** exactly(c)
    f = mpmath.loggamma
    return f(y) - f(y + gamma) - f(delta) + f(delta + gamma)


@models
def test_it_keeps_the_laws(model: ContractModel) -> None:
    table = check_model(model)
    assert table["kept"].all(), table[~table["kept"]]


@pytest.mark.parametrize("low", [1e-9, 1e-3, 1.0])
def test_log_beta_ratio_to_the_precision_of_doubles(low: float) -> None:
    sizes = low * np.array([1.0, 7.3, 1e3, 1e9])
    with mpmath.workdps(DIGITS):
        for g, y, s in product(sizes, sizes, sizes):
            f, (G, Y, S) = mpmath.loggamma, map(exactly, (g, y, s))
            truth = f(Y + S) - f(Y) - f(Y + S + G) + f(Y + G)
            assert float(log_beta_ratio(np.array(g), np.array(y), np.array(s)) / truth - 1) == pytest.approx(
                0.0, abs=1e-11
            )


@pytest.mark.parametrize("point", GRID)
def test_the_log_likelihood_at_extremes(point: tuple[float, float, float]) -> None:
    """Also where retention is next to one, and a difference of survivals would have no digit left."""
    theta = np.array(point if point[2] != 1.0 else point[:2])
    x, faced, entered = np.array(HISTORIES, float).T
    ours, slopes = contract.history_terms(theta, x, x, faced, entered)
    assert np.isfinite(slopes).all()
    with mpmath.workdps(DIGITS):
        for value, history in zip(ours, HISTORIES, strict=True):
            renewed, until, first = history
            inside = mpmath.exp(log_survival(*point, renewed))
            inside -= mpmath.exp(log_survival(*point, until)) if until > renewed else 0
            truth = mpmath.log(inside) - log_survival(*point, first)
            assert value == pytest.approx(float(truth), rel=1e-8, abs=1e-13), history


@pytest.mark.parametrize("point", [(0.26, 1.7, 1.6), (1e-3, 0.01, 0.6), (20.0, 60.0, 1.0), (0.8, 1e6, 1.3)])
def test_the_gradient(point: tuple[float, float, float]) -> None:
    """By the logs of the parameters, against differences with many digits."""
    x, faced, entered = np.array(HISTORIES[1:6], float).T
    slopes = contract.history_terms(np.array(point), x, x, faced, entered)[1] * np.array(point)
    with mpmath.workdps(DIGITS):
        step = mpmath.mpf(10) ** -20

        def log_likelihood(history: tuple[int, int, int], shift: int, sign: int) -> mpmath.mpf:
            at = [exactly(value) * (1 + sign * step * (k == shift)) for k, value in enumerate(point)]
            f, (gamma, delta, c) = mpmath.loggamma, at

            def survival(n: int) -> mpmath.mpf:
                y = delta + mpmath.mpf(n) ** c
                return mpmath.exp(f(y) - f(y + gamma) - f(delta) + f(delta + gamma))

            renewed, until, first = history
            left = survival(until) if until > renewed else 0
            return mpmath.log((survival(renewed) - left) / survival(first))

        for row, history in zip(slopes, HISTORIES[1:6], strict=True):
            for k in range(3):
                difference = (log_likelihood(history, k, 1) - log_likelihood(history, k, -1)) / (2 * step)
                assert row[k] == pytest.approx(float(difference), rel=1e-7, abs=1e-10), (history, k)


def test_the_residual_payments_of_sbg_are_a_hypergeometric_function() -> None:
    """R(n) = (1 + d)^-1 (delta + n) / (gamma + delta + n) 2F1(1, delta + n + 1; gamma + delta + n + 1; 1 / (1 + d))."""
    for gamma, delta, rate in product((0.05, 0.764, 30.0), (0.02, 1.296, 200.0), (0.004, 0.10, 0.6)):
        ours, _ = contract.residual_payments(np.array([gamma, delta]), 6, rate)
        with mpmath.workdps(40):
            v = 1 / (1 + exactly(rate))
            truth = [
                v * (delta + n) / (gamma + delta + n) * mpmath.hyp2f1(1, delta + n + 1, gamma + delta + n + 1, v)
                for n in range(7)
            ]
        assert ours == pytest.approx(np.array(truth, float), rel=1e-10)


def test_the_residual_payments_of_the_beta_discrete_weibull_are_their_sum() -> None:
    for point in ((0.26, 1.7, 1.6), (0.8, 3.0, 0.5), (5.0, 1e3, 3.0)):
        ours, _ = contract.residual_payments(np.array(point), 3, 0.05)
        gamma, delta, c = point
        m = np.arange(1.0, 2_000.0)
        for n in range(4):
            log_ratio = special.betaln(gamma, delta + (n + m) ** c) - special.betaln(gamma, delta + float(n) ** c)
            assert ours[n] == pytest.approx(1.05**-m @ np.exp(log_ratio), rel=1e-10)


def test_the_elasticity_is_that_of_a_little_more_retention() -> None:
    """All retention rates times 1 + e multiply the m-th payment by (1 + e)^m: those of a higher discount factor."""
    theta, e = np.array([0.26, 1.7, 1.6]), 1e-5
    _, elasticity = contract.residual_payments(theta, 5, 0.10)
    more, less = (contract.residual_payments(theta, 5, 1.1 / factor - 1.0)[0] for factor in (1.0 + e, 1.0 - e))
    assert elasticity == pytest.approx((np.log(more) - np.log(less)) / (2.0 * e), rel=1e-7)


def test_the_elasticity_of_customers_who_do_not_differ() -> None:
    """Constant retention r: (1 + d) / (1 + d - r)."""
    payments, elasticity = contract.residual_payments(np.array([2e9, 8e9]), 2, 0.10)
    assert elasticity == pytest.approx(1.1 / (1.1 - 0.8), rel=1e-6)
    assert payments == pytest.approx(0.8 / (1.1 - 0.8), rel=1e-6)


@pytest.mark.parametrize("point", [(0.26, 1.7, 1.6), (1e-3, 0.01, 0.2), (5.0, 1e3, 3.0), (2.0, 30.0, 6.0)])
@pytest.mark.parametrize("stepped", [False, True])
def test_few_periods_stand_for_all(point: tuple[float, float, float], stepped: bool) -> None:
    """With weights that jump once a year and end after 90, too."""
    m, theta = np.arange(1.0, 5_001.0), np.array(point)
    weights = np.where(m <= 1_080.0, 1.01 ** -(12.0 * np.floor(m / 12.0)), 0.0) if stepped else 1.01**-m
    times, few = few_periods(weights[:, None])
    assert len(times) < 250
    for n in (0.0, 3.0, 60.0):
        values = [contract.future(theta, np.array(n), np.array(n), each)[0] for each in (times, m)]
        assert few[:, 0] @ values[0] == pytest.approx(weights @ values[1], rel=1e-12)


@models
def test_simulated_renewals_are_those_expected(model: ContractModel) -> None:
    theta = model.theta(model.example)
    size, n, t = 40_000, 3.0, 6.0
    points = np.broadcast_to(theta, (size, len(theta)))
    drawn = model.simulate(points, np.full(size, n), np.full(size, n), np.full(size, t), np.random.default_rng(3))  # type: ignore[misc]
    counts = np.bincount(drawn.customer, minlength=size)
    expected = model.expected_purchases(theta, np.array(n), np.array(n), np.array(t))
    assert abs(counts.mean() - expected) < 4.0 * counts.std() / np.sqrt(size)
    shares = np.bincount(counts, minlength=7) / size
    truth = model.pmf(theta, np.array(n), np.array(n), np.array(t), np.arange(7.0))
    assert (np.abs(shares - truth) < 4.0 * np.sqrt(truth / size)).all()
    assert (drawn.time.astype(int) == drawn.time).all()
    assert drawn.time.max() <= t


def test_the_kernel_sums_what_the_terms_say_of_customers_observed_late() -> None:
    x, faced, entered = np.array(HISTORIES, float).T
    weight = np.arange(1.0, len(x) + 1.0)
    sums = contract.KERNEL.sums_of(contract.history_terms)
    assert sums is not None
    for point in (*GRID[::7], (1e-9, 1e9, 1.0)):
        theta = np.array(point if point[2] != 1.0 else point[:2])
        values, slopes = contract.history_terms(theta, x, x, faced, entered)
        total, gradient = sums(theta, weight, x, x, faced, entered)
        assert total == pytest.approx(weight @ values, rel=1e-10)
        np.testing.assert_allclose(gradient * theta, weight @ slopes * theta, rtol=1e-7, atol=1e-9)
