"""The adjusted effect, one critical value, and power: against ordinary least squares and published numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from clvmodels.errors import DataError
from clvmodels.steering.campaigns.adjusted_effect import adjusted_effects, residual_sd
from clvmodels.steering.campaigns.critical_value import correlation_of_looks, critical_value
from clvmodels.steering.campaigns.power import customers_needed, power_of, smallest_effect

Y = np.array([5.0, 0, 3, 8, 2, 1, 7, 4])
ARM = np.array([1, 0, 1, 1, 0, 0, 1, 0])
COVARIATE = np.array([[4.0], [1], [2], [6], [3], [0], [5], [4]])


def hc2(design: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients of least squares and their HC2 covariance, by the normal equations."""
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ design.T @ y
    leverage = np.diagonal(design @ inverse @ design.T)
    squares = (y - design @ coefficients) ** 2 / (1.0 - leverage)
    return coefficients, inverse @ (design.T * squares) @ design @ inverse


def test_the_published_example() -> None:
    plain, adjusted = adjusted_effects(Y, ARM, 1), adjusted_effects(Y, ARM, 1, COVARIATE)
    assert plain.effect == pytest.approx([4.0], abs=1e-10)
    assert plain.se == pytest.approx([1.3994046353], abs=1e-10)
    assert adjusted.effect == pytest.approx([1.6535714286], abs=1e-10)
    assert adjusted.se == pytest.approx([0.6466602187], abs=1e-10)


def test_several_arms_are_one_regression_with_products() -> None:
    rng = np.random.default_rng(1)
    x = rng.gamma(2.0, 1.0, (300, 2))
    arm = rng.integers(0, 3, 300)
    y = x @ [1.0, 2.0] + arm * (1.0 + x[:, 0]) + rng.normal(size=300)
    known = x - x.mean(axis=0)
    of_arm = [(arm == number).astype(float) for number in (1, 2)]
    design = np.column_stack([np.ones(300), *of_arm, known, *(known * each[:, None] for each in of_arm)])
    coefficients, covariance = hc2(design, y)
    result = adjusted_effects(y, arm, 2, x)
    assert result.effect == pytest.approx(coefficients[1:3], rel=1e-10)
    assert result.covariance == pytest.approx(covariance[1:3, 1:3], rel=1e-9)
    assert result.holdout == pytest.approx(coefficients[0], rel=1e-10)


def test_covariates_that_say_nothing_are_left_out() -> None:
    doubled = np.column_stack([COVARIATE, 2.0 * COVARIATE, np.full(8, 3.0)])
    arm = np.array([1, 0, 1, 1, 0, 1, 1, 0])
    y, arm, doubled = np.tile(Y, 2), np.tile(arm, 2), np.tile(doubled, (2, 1))
    with_copies = adjusted_effects(y, arm, 1, doubled)
    alone = adjusted_effects(y, arm, 1, doubled[:, :1])
    assert with_copies.effect == pytest.approx(alone.effect, rel=1e-10)
    assert with_copies.se == pytest.approx(alone.se, rel=1e-10)


def test_an_arm_with_too_few_customers_is_refused() -> None:
    with pytest.raises(DataError, match="an arm has 1 customers"):
        adjusted_effects(Y[:3], np.array([1, 0, 0]), 1)


def test_residual_sd_is_that_of_least_squares() -> None:
    design = np.column_stack([np.ones(8), COVARIATE])
    coefficients, *_ = np.linalg.lstsq(design, Y)
    squares = ((Y - design @ coefficients) ** 2).sum()
    assert residual_sd(Y, COVARIATE) == pytest.approx(np.sqrt(squares / 6), rel=1e-12)


@pytest.mark.parametrize("k", [2, 3, 6])
def test_critical_value_of_independent_comparisons(k: int) -> None:
    exact = stats.norm.ppf((1.0 + 0.95 ** (1.0 / k)) / 2.0)
    assert critical_value(np.eye(k)) == pytest.approx(exact, abs=0.003)


def test_critical_value_of_equal_comparisons_is_that_of_one() -> None:
    assert critical_value(np.ones((4, 4))) == pytest.approx(1.959964, abs=0.003)
    assert critical_value(np.ones((1, 1)), 0.99) == pytest.approx(2.575829, abs=1e-6)


def test_critical_value_of_correlated_comparisons_against_the_multivariate_normal() -> None:
    correlation = correlation_of_looks(np.array([4.0, 8.0, 13.0, 26.0]))
    c = critical_value(correlation)
    inside = stats.multivariate_normal(np.zeros(4), correlation).cdf(np.full(4, c), lower_limit=np.full(4, -c))
    assert inside == pytest.approx(0.95, abs=0.001)


def test_looks_correlate_as_sums_of_independent_increments_do() -> None:
    rng = np.random.default_rng(2)
    steps = rng.normal(size=(200_000, 3)) * np.sqrt([4.0, 4.0, 8.0])
    correlation = np.corrcoef(np.cumsum(steps, axis=1), rowvar=False)
    assert correlation == pytest.approx(correlation_of_looks(np.array([4.0, 8.0, 16.0])), abs=0.01)


def test_power_agrees_with_itself_and_with_simulation() -> None:
    n = customers_needed(0.5, 4.0, share=0.3, power=0.8)
    assert smallest_effect(n, 4.0, share=0.3) == pytest.approx(0.5, rel=1e-3)
    assert power_of(0.5, n, 4.0, share=0.3) == pytest.approx(0.8, abs=1e-3)
    rng, treated = np.random.default_rng(3), round(0.3 * n)
    se = 4.0 * np.sqrt(1.0 / treated + 1.0 / (n - treated))
    z = (0.5 + rng.normal(size=20_000) * se) / se
    assert np.mean(np.abs(z) > 1.96) == pytest.approx(0.8, abs=0.01)


def test_numbers_of_the_planner_at_known_spreads() -> None:
    assert smallest_effect(5_000, 12.98) == pytest.approx(1.028, abs=0.001)
    assert smallest_effect(5_000, 16.025) == pytest.approx(1.270, abs=0.001)
    assert smallest_effect(5_000, 12.98, share=0.9) == pytest.approx(1.714, abs=0.001)


@pytest.mark.parametrize(("argument", "value"), [("effect", 0.0), ("sd", -1.0), ("share", 1.0), ("power", 0.0)])
def test_power_refuses_what_cannot_be(argument: str, value: float) -> None:
    with pytest.raises(DataError, match=argument):
        customers_needed(**({"effect": 1.0, "sd": 1.0} | {argument: value}))
