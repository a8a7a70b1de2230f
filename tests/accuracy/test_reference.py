"""The reference agrees with itself: two formulas for one quantity, far beyond the digits asked of the package."""

from __future__ import annotations

import pytest
from mpmath import mp, mpf

from tests.accuracy import reference as truth

BG = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
PARETO = {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}


@pytest.mark.parametrize("swap", [False, True])
def test_the_pareto_integral_is_the_printed_difference_of_hypergeometric_functions(swap: bool) -> None:
    alpha, beta = (11.669, 10.578) if swap else (10.578, 11.669)
    n, k, start, end = 2.553, 1.606, 30.43, 38.86
    ours = truth._power_integral(*truth.mps(n, k, alpha, beta, start, end))
    printed = truth.power_integral_by_hypergeometric(n, k, alpha, beta, start, end)
    assert abs(ours / printed - 1) < mpf(10) ** -25


@pytest.mark.parametrize(("n", "z", "a", "c"), [(2.243, 1.2, 0.793, 5.2), (1e3, 40, 1, 1003), (31, 900, 2, 35.5)])
def test_both_of_pfaffs_transformations_give_eulers_integral(n: float, z: float, a: float, c: float) -> None:
    n, z, a, c = truth.mps(n, z, a, c)
    euler = mp.quad(lambda p: p ** (a - 1) * (1 - p) ** (c - a - 1) * (1 + p * z) ** -n, [0, 1e-3, 0.05, 0.2, 1])
    assert abs(truth.powers_of_beta(n, z, a, c) * mp.beta(a, c - a) / euler - 1) < mpf(10) ** -20


def test_discounted_lifetime_by_quadrature_is_the_exponential_integral() -> None:
    delta = mp.log("1.15") / 52
    where = (PARETO, 2, 38.86, mp.inf, delta)
    closed = truth.living_time("pareto_nbd", *where)
    summed = truth._discounted(lambda u: truth.survival("pareto_nbd", PARETO, 2, 38.86, u), *where)
    assert abs(closed / summed - 1) < mpf(10) ** -12


@pytest.mark.parametrize("model", ["bg_nbd", "pareto_nbd"])
def test_probabilities_of_counts_sum_to_one_and_to_the_mean(model: str) -> None:
    theta = BG if model == "bg_nbd" else PARETO
    pmf = [truth.pmf(model, theta, 2, 38.86, 5.0, n) for n in range(40)]
    assert abs(sum(pmf) - 1) < mpf(10) ** -10
    mean = sum(n * p for n, p in enumerate(pmf))
    assert abs(mean / truth.expected_purchases(model, theta, 2, 38.86, 5.0) - 1) < mpf(10) ** -9
