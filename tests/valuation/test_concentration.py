from __future__ import annotations

import math
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import gamma

from clvmodels.errors import AssumptionError, DataError
from clvmodels.valuation.concentration import gini, lorenz, top_share, true_gini, true_top_share, whale_curve

MONEY = st.integers(-50, 1000).map(float)
VALUES = st.lists(MONEY, min_size=1, max_size=60).filter(lambda values: sum(values) > 0)
SHARE = st.floats(0.001, 1.0)


@given(VALUES)
def test_gini_is_the_mean_difference_over_twice_the_mean(values):
    array = np.array(values)
    difference = np.abs(array[:, None] - array).mean()
    assert gini(values) == pytest.approx(difference / (2 * array.mean()), abs=1e-12 + 1e-12 * difference)


@given(VALUES)
def test_gini_is_what_the_lorenz_curve_lacks_of_equality(values):
    curve = lorenz(values)
    assert gini(values) == pytest.approx(1 - 2 * np.trapezoid(curve.value, curve.customers), rel=1e-9, abs=1e-9)
    assert (curve.customers[0], curve.value[0], curve.customers[-1], curve.value[-1]) == (0, 0, 1, 1)


@given(VALUES)
def test_the_whale_curve_is_the_lorenz_curve_seen_from_the_other_end(values):
    whale, curve = whale_curve(values), lorenz(values)
    np.testing.assert_allclose(whale.share, 1 - curve.value[::-1], atol=1e-9)
    np.testing.assert_allclose(whale.customers, 1 - curve.customers[::-1], atol=1e-12)


@given(st.lists(MONEY, min_size=1, max_size=60))
def test_the_peak_holds_everybody_who_brings_something(values):
    curve = whale_curve(values)
    assert curve.peak == sum(value for value in values if value > 0)
    assert curve.peak_at == sum(value > 0 for value in values) / len(values)
    assert curve.loss == sum(value for value in values if value < 0)
    assert curve.total == sum(values)


@given(VALUES, SHARE)
def test_the_top_customers_stand_on_the_whale_curve(values, share):
    curve = whale_curve(values)
    count = max(1, math.floor(share * len(values) + 0.5))
    assert top_share(values, share) == pytest.approx(curve.share[count], rel=1e-12)


@given(st.lists(st.tuples(MONEY, st.integers(0, 3).map(float)), min_size=1, max_size=30), SHARE, st.randoms())
def test_the_order_of_customers_does_not_matter(customers, share, random):
    if sum(value for value, _ in customers) <= 0:
        customers = [*customers, (60_000.0, 1.0)]
    shuffled = random.sample(customers, len(customers))
    (values, rank), (again, rank_again) = (zip(*order, strict=True) for order in (customers, shuffled))
    assert top_share(values, share, by=rank) == pytest.approx(
        top_share(again, share, by=rank_again), rel=1e-9, abs=1e-9
    )


def test_ranked_by_something_else():
    values, rank = [10.0, 20.0, 30.0, 40.0], [4.0, 3.0, 2.0, 1.0]
    assert [top_share(values, share, by=rank) for share in (0.25, 0.5, 0.75, 1.0)] == pytest.approx([0.1, 0.3, 0.6, 1])


def test_customers_who_tie_for_the_last_places_are_taken_in_equal_parts():
    values, rank = [10.0, 20.0, 30.0, 40.0], [9.0, 1.0, 1.0, 1.0]
    assert top_share(values, 0.5, by=rank) == pytest.approx((10 + 30) / 100)


def test_the_top_is_rounded_to_whole_customers_and_at_least_one():
    values = [5.0, 4.0, 1.0]
    assert top_share(values, 0.01) == 0.5
    assert top_share(values, 0.49) == 0.5  # 1.47 customers
    assert top_share(values, 0.5) == 0.9  # 1.5 customers


def test_customers_who_cost_more_than_they_bring():
    values = [100.0, 20.0, -10.0, -10.0]
    assert top_share(values, 0.5) == 1.2
    curve = whale_curve(values)
    assert (curve.peak_share, curve.peak_at, curve.loss) == (1.2, 0.5, -20.0)
    assert gini([100.0, 100.0, 100.0, -250.0]) > 1


def test_where_nothing_is_left_over_the_curve_still_tells_where_the_money_is_lost():
    curve = whale_curve([3.0, -5.0])
    assert (curve.peak, curve.peak_at, curve.loss, curve.total) == (3.0, 0.5, -5.0, -2.0)
    assert whale_curve([-1.0, -2.0]).peak_at == 0.0
    for share in ("share", "peak_share"):
        with pytest.raises(DataError, match="add up to -2"):
            getattr(curve, share)


@pytest.mark.parametrize("r", [0.05, 0.553, 1.0, 8.0])
def test_true_concentration_is_that_of_gamma_rates(r):
    rates = np.random.default_rng(11).gamma(r, size=1_000_000)
    assert true_top_share(r, 0.2) == pytest.approx(top_share(rates, 0.2), abs=0.003)
    assert true_gini(r) == pytest.approx(gini(rates), abs=0.003)
    # The Gini index is 1 - 2 x the area below the Lorenz curve; the top's curve is seen from the other end
    area = quad(lambda share: true_top_share(r, share), 0, 1)[0]
    assert true_gini(r) == pytest.approx(2 * area - 1, rel=1e-5)
    assert true_top_share(r, 0.2) == pytest.approx(1 - gamma(r + 1).cdf(gamma(r).ppf(0.8)), rel=1e-9)


def test_true_concentration_at_its_ends():
    assert (true_top_share(0.5, 0.0), true_top_share(0.5, 1.0)) == (0.0, 1.0)
    assert true_gini(1e-6) == pytest.approx(1.0, abs=2e-6)
    assert true_gini(1e12) == pytest.approx(1 / math.sqrt(math.pi * 1e12), rel=1e-9)
    assert true_top_share(1e-3, 0.2) == pytest.approx(1.0, abs=1e-9)


def test_one_million_customers_take_well_under_a_second():
    generator = np.random.default_rng(5)
    values, rank = generator.gamma(0.5, size=1_000_000) - 0.01, generator.normal(size=1_000_000)
    for measure in (gini, lorenz, whale_curve, lambda v: top_share(v, 0.2), lambda v: top_share(v, 0.2, by=rank)):
        start = perf_counter()
        measure(values)
        assert perf_counter() - start < 1.0


@pytest.mark.parametrize("measure", [gini, lorenz, lambda values: top_share(values, 0.2)])
def test_shares_of_a_total_that_is_not_positive_are_refused(measure):
    with pytest.raises(DataError, match=r"add up to -2.*whale_curve\(values\).value"):
        measure([3.0, -5.0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: gini([1.0, math.nan]), DataError, "1 of 2 are not"),
        (lambda: whale_curve([]), DataError, "row of numbers"),
        (lambda: top_share([1.0, 2.0], 0.2, by=[1.0]), DataError, "got 1 ranks of 2 customers"),
        (lambda: top_share([1.0, 2.0], 20), AssumptionError, "the top 20 % is 0.20"),
        (lambda: top_share([1.0, 2.0], 0.0), AssumptionError, "share must be a number above 0 to 1"),
        (lambda: true_top_share(0.5, 20), AssumptionError, "the top 20 % is 0.20"),
        (lambda: true_top_share(-1, 0.2), AssumptionError, "r must be a number above 0"),
        (lambda: true_gini(0), AssumptionError, "r must be a number above 0"),
    ],
)
def test_bad_arguments_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
