"""Customers under contract: Fader & Hardie (2007), JIM 21(1), and (2010), Marketing Science 29(1)."""

from __future__ import annotations

import numpy as np
import pytest

from clvmodels.valuation.contracts import (
    ContractBase,
    aggregate_retention,
    discounted_lifetime,
    residual_value,
    survival,
)

GAMMA, DELTA = 0.764, 1.296


def test_residual_value_by_number_of_renewals():
    ours = residual_value(GAMMA, DELTA, [1, 2, 5], 0.10, payment=100)
    np.testing.assert_array_equal(ours.round(), [288, 394, 568])  # printed
    np.testing.assert_allclose(ours, [288.22, 393.94, 568.25], rtol=0, atol=0.005)  # recomputed


def test_a_new_contract():
    assert discounted_lifetime(GAMMA, DELTA, 0.10) == pytest.approx(3.620192, abs=5e-7)


# FH 2007: survivors of 1,000 customers, parameters, log-likelihood; the parameters are printed to six decimals
SURVIVORS = [
    ((1000, 869, 743, 653, 593, 551, 517, 491), 0.668088, 3.806095, -1611.158),
    ((1000, 631, 468, 382, 326, 289, 262, 241), 0.704077, 1.182043, -1680.265),
]


@pytest.mark.parametrize(("survivors", "gamma", "delta", "printed"), SURVIVORS, ids=["High End", "Regular"])
def test_log_likelihood_of_the_published_fits(survivors, gamma, delta, printed):
    alive = survival(gamma, delta, np.arange(len(survivors)))
    log_likelihood = -np.diff(survivors) @ np.log(-np.diff(alive)) + survivors[-1] * np.log(alive[-1])
    assert log_likelihood == pytest.approx(printed, abs=5e-4)


SHARES, RETENTION = [1 / 3, 2 / 3], [0.9, 0.5]
ACTIVE, RENEWALS = np.array([3385, 4895, 7642, 12033, 20500]), np.array([4, 3, 2, 1, 0])
ACQUIRED = np.array([13_000, 15_000, 17_500, 19_000, 20_500])
"""New customers of 2000 to 2004, of whom the printed numbers are left."""


def left(renewals):
    return np.rint(ACQUIRED * (np.array(SHARES) @ np.power.outer(np.array(RETENTION), renewals)))


def test_the_customer_base():
    """Right before the renewals of 2005; the aggregate rate is that from 2003 to 2004, the cohort of 2004 left out."""
    np.testing.assert_array_equal(left(RENEWALS), ACTIVE)
    earlier = np.where(RENEWALS > 0, left(np.maximum(RENEWALS - 1, 0)), 0)
    base = ContractBase(active=ACTIVE, renewals=RENEWALS, payment=100, discount_rate=0.10)
    naive = base.at_one_rate(aggregate_retention(ACTIVE, earlier)).sum()
    assert naive == pytest.approx(8_761_000, abs=500)  # printed to the thousand
    assert base.by_segment(SHARES, RETENTION).sum() == pytest.approx(14_020_000, abs=500)  # printed to the thousand
