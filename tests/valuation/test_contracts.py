from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from scipy.special import roots_sh_jacobi

from clvmodels.errors import AssumptionError
from clvmodels.valuation.contracts import (
    ContractBase,
    aggregate_retention,
    discounted_lifetime,
    residual_value,
    retention,
    segment_shares,
    survival,
)

GAMMA, DELTA = 0.764, 1.296


def hypergeometric(b, c, rate):
    """Sum the series of 2F1(1, b; c; 1 / (1 + rate)), all of whose terms are positive."""
    with mpmath.workdps(30):
        z, term, total, k = 1 / (1 + mpmath.mpf(rate)), mpmath.mpf(1), mpmath.mpf(1), 0
        while term > mpmath.mpf(10) ** -14 * total:
            term *= (b + k) / (c + k) * z
            total, k = total + term, k + 1
        return total


@pytest.mark.parametrize("rate", [0.03, 0.1, 2.0])
@pytest.mark.parametrize("delta", [1e-3, 1.296, 1e3])
@pytest.mark.parametrize("gamma", [1e-3, 0.764, 1.0, 50.0, 1e3])
def test_lifetimes_equal_those_of_arbitrary_precision(gamma, delta, rate):
    g, d = mpmath.mpf(gamma), mpmath.mpf(delta)
    assert discounted_lifetime(gamma, delta, rate) == pytest.approx(float(hypergeometric(d, g + d, rate)), rel=1e-10)
    for n in (1, 5, 100_000):
        truth = (d + n - 1) / (g + d + n - 1) * hypergeometric(d + n, g + d + n, rate)
        assert float(residual_value(gamma, delta, n, rate)) == pytest.approx(float(truth), rel=1e-10)


@pytest.mark.parametrize("n", [0, 1, 7, 100_000])
@pytest.mark.parametrize(("gamma", "delta"), [(1e-3, 1e3), (GAMMA, DELTA), (3.0, 1e-3), (20.0, 40.0)])
def test_survival_equals_that_of_arbitrary_precision(gamma, delta, n):
    with mpmath.workdps(30):
        truth = float(mpmath.beta(gamma, mpmath.mpf(delta) + n) / mpmath.beta(gamma, delta))
    assert float(survival(gamma, delta, n)) == pytest.approx(truth, rel=1e-11)


def test_survival_is_the_product_of_retention_rates():
    rates = retention(GAMMA, DELTA, np.arange(1, 30))
    np.testing.assert_allclose(survival(GAMMA, DELTA, np.arange(30)), np.cumprod([1.0, *rates]), rtol=1e-13)
    assert (np.diff(rates) > 0).all()


def test_simulated_contracts():
    """Customers leave at each renewal with their own probability; those who face the third one are valued."""
    generator, customers, d, n = np.random.default_rng(20240229), 1_000_000, 0.10, 3
    lifetime = generator.geometric(np.maximum(generator.beta(GAMMA, DELTA, customers), 1e-12))
    left = lifetime[lifetime >= n]
    assert len(left) / customers == pytest.approx(float(survival(GAMMA, DELTA, n - 1)), abs=0.002)
    renewed = left - n  # from the third on
    paid = 100 * (1 - (1 + d) ** -renewed.astype(float)) * (1 + d) / d
    error = paid.std() / math.sqrt(len(left))
    assert error < 1.0
    assert paid.mean() == pytest.approx(float(residual_value(GAMMA, DELTA, n, d, payment=100)), abs=4 * error)


def test_a_new_contract_is_its_first_payment_and_the_residual_value_a_period_later():
    later = float(residual_value(GAMMA, DELTA, 1, 0.1))
    assert discounted_lifetime(GAMMA, DELTA, 0.1) == pytest.approx(1 + later / 1.1, rel=1e-12)


def test_equity_by_segment_is_the_sum_over_customers_who_are_left():
    shares, rates, renewals = [0.5, 0.3, 0.2], [0.9, 0.6, 0.0], [0, 1, 6]
    base = ContractBase(active=[100, 200, 300], renewals=renewals, payment=7, discount_rate=0.08)
    for ours, active, n in zip(base.by_segment(shares, rates), base.active, renewals, strict=True):
        left = [share * rate**n for share, rate in zip(shares, rates, strict=True)]
        paid = [sum(rate**k / 1.08 ** (k - 1) for k in range(1, 2000)) for rate in rates]
        expected = 7 * active * sum(a * b for a, b in zip(left, paid, strict=True)) / sum(left)
        assert ours == pytest.approx(expected, rel=1e-12)


def test_one_segment_is_one_rate():
    base = ContractBase(active=[100, 200], renewals=[0, 3], payment=1, discount_rate=0.1)
    np.testing.assert_allclose(base.by_segment([1.0], [0.7]), base.at_one_rate(0.7))
    np.testing.assert_array_equal(base.at_one_rate(0.0), [0.0, 0.0])


def test_the_beta_model_is_many_segments():
    churn, weight = roots_sh_jacobi(80, GAMMA + DELTA - 1, GAMMA)
    base = ContractBase(active=[3385, 12033, 20500], renewals=[4, 1, 0], payment=100, discount_rate=0.10)
    segments = base.by_segment(weight / weight.sum(), 1 - churn)
    np.testing.assert_allclose(base.by_beta(GAMMA, DELTA), segments, rtol=1e-10)


def test_segments_of_very_old_cohorts():
    shares = segment_shares([0.5, 0.5], [0.1, 0.05], [0, 1, 5000])
    np.testing.assert_allclose(shares, [[0.5, 0.5], [2 / 3, 1 / 3], [1.0, 0.0]])


def test_the_aggregate_rate_leaves_out_new_cohorts():
    assert aggregate_retention([60, 50, 200], [80, 100, 0]) == pytest.approx(110 / 180)


BASE = {"active": [10], "renewals": [1], "payment": 1, "discount_rate": 0.1}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: retention(0, 1, 1), "gamma must be a number above 0"),
        (lambda: survival(1, -1, 1), "delta must be a number above 0"),
        (lambda: retention(1, 1, 0), "renewal must be numbers from 1 up"),
        (lambda: survival(1, 1, [1, math.nan]), "renewals must be numbers from 0 up"),
        (lambda: discounted_lifetime(1, 1, 0), "discount_rate must be a number above 0 to 2"),
        (lambda: discounted_lifetime(1, 1, 10), "10 % is 0.10"),
        (lambda: residual_value(1, 1, 1, 0.1, payment=math.nan), "payment must be a number"),
        (lambda: segment_shares([0.5, 0.4], [0.9, 0.5], [0]), "add up to 1"),
        (lambda: segment_shares([0.5, 0.5], [90, 50], [0]), "90 % is 0.90"),
        (lambda: segment_shares([1.0], [0.9, 0.5], [0]), "got 1 and 2"),
        (lambda: segment_shares([1.0], [0.0], [1]), "retention rate above 0"),
        (lambda: aggregate_retention([90, 5], [80, 0]), "at least as many as now"),
        (lambda: aggregate_retention([90], [0]), "at least as many as now"),
        (lambda: aggregate_retention([90], [100, 100]), "one period ago"),
        (lambda: ContractBase(**{**BASE, "renewals": [1, 2]}), "got 1 and 2"),
        (lambda: ContractBase(**{**BASE, "active": [-1]}), "active must be numbers from 0 up"),
        (lambda: ContractBase(**{**BASE, "discount_rate": 0}), "discount_rate must be"),
        (lambda: ContractBase(**BASE).at_one_rate(1.2), "90 % is 0.90"),
    ],
)
def test_bad_numbers_are_refused(call, message):
    with pytest.raises(AssumptionError, match=message):
        call()
