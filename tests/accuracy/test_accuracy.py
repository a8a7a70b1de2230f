"""Every probability, likelihood and expectation is within 1e-8 of arbitrary precision, and finite, on a wide grid.

The ordinary run takes a fixed random part of the grid; ``pytest -m slow tests/accuracy`` takes the whole of it.
"""

from __future__ import annotations

import numpy as np
import pytest
from mpmath import mp, mpf

from clvmodels.models.derived import expected_purchases, residual
from clvmodels.models.registry import TRANSACTION_MODELS
from clvmodels.numerics.quadrature import Weighting
from tests.accuracy import reference as truth
from tests.accuracy.grid import CASES, Quantity, errors

PROMISED = 1e-8
BUSY = [(221, 103.43, 103.57), (161, 94.71, 98), (204, 98.57, 99.43), (254, 97.28571, 97.28571), (2000, 76.9, 77)]
"""Histories for which users of other packages got NaN (x, t_x, T)."""


def check(model: str, quantity: Quantity, *, whole: bool) -> None:
    points = quantity.points(model, whole=whole)
    error = errors(model, quantity, points)
    worst = int(np.argmax(error))
    assert error[worst] < PROMISED, f"{model}, {quantity.name}: {error[worst]:.1e} at {points[worst]}"


@pytest.mark.parametrize(("model", "quantity"), CASES, ids=[f"{model}-{quantity.name}" for model, quantity in CASES])
def test_accuracy_on_a_part_of_the_grid(model: str, quantity: Quantity) -> None:
    check(model, quantity, whole=False)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "quantity"), CASES, ids=[f"{model}-{quantity.name}" for model, quantity in CASES])
def test_accuracy_on_the_whole_grid(model: str, quantity: Quantity) -> None:
    check(model, quantity, whole=True)


@pytest.mark.parametrize("history", BUSY)
@pytest.mark.parametrize("model", TRANSACTION_MODELS)
def test_the_best_customers_have_numbers(model: str, history: tuple[float, float, float]) -> None:
    spec = TRANSACTION_MODELS[model]
    theta, (x, t_x, T) = dict(spec.example), history
    point, arrays = spec.theta(theta), tuple(np.array([value], float) for value in history)
    alive = spec.p_alive(point, *arrays)[0]
    assert abs(alive / truth.p_alive(model, theta, x, t_x, T) - 1) < PROMISED
    orders = expected_purchases(spec, point, arrays[0], arrays[2], 52.0)[0]
    assert abs(orders / truth.expected_purchases(model, theta, x, T, 52.0) - 1) < PROMISED
    log_likelihood = spec.log_likelihood(point, *arrays)[0]
    assert abs(log_likelihood - truth.log_likelihood(model, theta, x, t_x, T)) < PROMISED


def test_a_small_customer_far_ahead() -> None:
    """BG/NBD r .1, alpha 50, a .3, b .5, x = 0, T 10, t 300: not finite elsewhere."""
    theta = {"r": 0.1, "alpha": 50.0, "a": 0.3, "b": 0.5}
    spec = TRANSACTION_MODELS["bg_nbd"]
    ours = expected_purchases(spec, spec.theta(theta), np.zeros(1), np.array([10.0]), 300.0)[0]
    assert abs(ours / truth.expected_purchases("bg_nbd", theta, 0, 10.0, 300.0) - 1) < PROMISED


@pytest.mark.parametrize(("model", "tail"), [("bg_nbd", "a"), ("mbg_nbd", "a"), ("pareto_nbd", "s")])
def test_results_are_continuous_where_textbook_forms_divide_by_zero(model: str, tail: str) -> None:
    spec = TRANSACTION_MODELS[model]
    at = [
        expected_purchases(spec, spec.theta({**spec.example, tail: value}), np.array([2.0]), np.array([39.0]), 52.0)[0]
        for value in (1.0, 1.0 + 1e-12, 1.0 + 1e-7)
    ]
    assert at[1] == pytest.approx(at[0], rel=1e-11)
    assert at[2] == pytest.approx(at[0], rel=1e-6)
    assert abs(at[0] / truth.expected_purchases(model, {**spec.example, tail: 1.0}, 2, 39.0, 52.0) - 1) < PROMISED


def test_many_purchases_of_a_new_customer() -> None:
    """P(X(400) = 171) is 1.210e-5 at the published CDNOW parameters: four times off elsewhere, and NaN from 172 on."""
    spec = TRANSACTION_MODELS["bg_nbd"]
    zero = np.zeros(1)
    for n in (171, 172, 500, 1000):
        ours = spec.pmf(spec.theta(spec.example), zero, zero, np.array(400.0), np.array(n))[0]
        assert abs(ours / truth.pmf("bg_nbd", spec.example, 0, 0, 400, n) - 1) < PROMISED
        if n == 171:
            assert ours == pytest.approx(1.210e-5, abs=5e-9)


def test_the_few_who_leave_at_once_are_resolved() -> None:
    """Frequent buyers of whom one in a thousand leaves soon: the intensity falls at once, but by very little."""
    theta = {"r": 1000.0, "alpha": 0.001, "a": 0.001, "b": 0.001}
    spec, delta = TRANSACTION_MODELS["mbg_nbd"], float(np.log(3) / 52)
    weighting = Weighting(lambda t: np.exp(-delta * t), 34 / delta, smooth_over=2 / delta)
    orders, living = residual(spec, spec.theta(theta), np.array([2.0]), np.array([39.0]), [weighting])
    point = ("mbg_nbd", theta, 2.0, 39.0, mp.inf, mpf(delta))
    assert abs(orders[0, 0] / truth.discounted_orders(*point) - 1) < 1e-10
    assert abs(living[0, 0] / truth.living_time(*point) - 1) < 1e-10


def test_residual_integrals_serve_customers_of_all_ages_and_sizes_at_once() -> None:
    """One grid in time and one interpolation in age for 400 customers from x = 0 to 2,000, aged 0 to 500 weeks."""
    rng = np.random.default_rng(8)
    x = rng.choice([0.0, 1.0, 2.0, 10.0, 2000.0], 400)
    T = np.where(rng.random(400) < 0.1, 0.0, np.round(500 * rng.random(400), 2))
    delta = float(np.log(1.15) / 52)
    spec = TRANSACTION_MODELS["pareto_nbd"]
    weighting = Weighting(lambda t: np.exp(-delta * t), 34 / delta, smooth_over=2 / delta)
    ours, living = (part[:, 0] for part in residual(spec, spec.theta(spec.example), x, T, [weighting]))
    for i in range(0, 400, 8):
        point = ("pareto_nbd", spec.example, x[i], T[i], mp.inf, mpf(delta))
        assert abs(ours[i] / truth.discounted_orders(*point) - 1) < PROMISED
        assert abs(living[i] / truth.living_time(*point) - 1) < PROMISED
