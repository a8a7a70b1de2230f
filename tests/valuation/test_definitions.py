from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvmodels.errors import AssumptionError, DataError
from clvmodels.valuation.definitions import Worksheet

GOOD = {"times": [0, 55], "profits": [5, 20], "acquisition_cost": 50, "rate": 0.12, "year": 365}

MONEY = st.floats(-1e4, 1e4)
FLOWS = st.lists(st.tuples(st.integers(0, 4000), MONEY), min_size=1, max_size=30)


def sheet_of(flows, **terms):
    times, profits = zip(*flows, strict=True)
    return Worksheet(times=times, profits=profits, **terms)


@given(FLOWS, st.floats(0, 1e4), st.floats(0, 2), st.integers(0, 4000) | st.floats(0, 4000))
def test_what_was_and_what_will_be_is_the_whole(flows, cost, rate, t):
    sheet = sheet_of(flows, acquisition_cost=cost, rate=rate, year=365)
    growth = (1 + rate) ** (t / 365)
    gross = cost + sum(abs(profit) for _, profit in flows)
    whole = sheet.historic_value(t) + sheet.residual_value(t)
    assert whole == pytest.approx(sheet.lifetime_value * growth, rel=0, abs=1e-11 * gross * growth)


@given(FLOWS, st.floats(0, 1e4), st.floats(0, 2))
def test_lifetime_value_is_that_of_repeat_orders_less_the_net_cost(flows, cost, rate):
    sheet = sheet_of(flows, acquisition_cost=cost, rate=rate)
    gross = cost + sum(abs(profit) for _, profit in flows)
    assert sheet.repeat_value - sheet.net_acquisition_cost == pytest.approx(sheet.lifetime_value, abs=1e-12 * gross)


@given(FLOWS, st.floats(0, 1e4), st.integers(0, 4000))
def test_at_a_rate_of_zero_money_is_added_up(flows, cost, t):
    sheet = sheet_of(flows, acquisition_cost=cost, rate=0.0)
    assert sheet.lifetime_value == pytest.approx(sheet.undiscounted, abs=1e-8)
    assert sheet.residual_value(t) == pytest.approx(math.fsum(p for day, p in flows if day > t), abs=1e-8)


def test_a_profit_today_is_past():
    sheet = Worksheet(**GOOD)
    assert sheet.residual_value(55) == 0.0
    assert sheet.residual_value(54) == pytest.approx(20 / 1.12 ** (1 / 365))
    assert sheet.historic_value(0) == pytest.approx(-45)


def test_the_length_of_the_year():
    after_a_year = {"times": [365.25], "profits": [112], "acquisition_cost": 0, "rate": 0.12}
    assert Worksheet(**after_a_year).post_acquisition_value == pytest.approx(100)
    assert Worksheet(**after_a_year, year=2 * 365.25).post_acquisition_value == pytest.approx(112 / math.sqrt(1.12))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"rate": 12}, AssumptionError, "12 % a year is 0.12"),
        ({"rate": -0.1}, AssumptionError, "rate must be a number from 0 to 2"),
        ({"acquisition_cost": -50}, AssumptionError, "from 0 up"),
        ({"year": 0}, AssumptionError, "length of a year in days"),
        ({"times": [0]}, DataError, "got 2 profits and 1 times"),
        ({"times": [-1, 55]}, DataError, "days since the acquisition, from 0 up, got -1"),
        ({"profits": [5, math.nan]}, DataError, "profits must be finite numbers"),
    ],
)
def test_bad_worksheets_are_refused(change, error, message):
    with pytest.raises(error, match=message):
        Worksheet(**{**GOOD, **change})


@pytest.mark.parametrize("figure", ["residual_value", "historic_value"])
def test_a_day_before_the_acquisition_is_refused(figure):
    with pytest.raises(AssumptionError, match="t must be a number from 0 up"):
        getattr(Worksheet(**GOOD), figure)(-1)
