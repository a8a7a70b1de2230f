from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from clvmodels.errors import AssumptionError
from clvmodels.valuation.firm import Bridge, Firm, Growth

CURVE = {"alpha": 67.045, "beta": -4.114, "gamma": 0.265}
AMAZON = {
    "customers": 33.8,
    "quarterly_margin": 3.87,
    "acquisition_cost": 7.70,
    "retention": 0.70,
    "growth": Growth(**CURVE),
    "quarter": 21,
    "discount_rate": 0.12,
    "tax": 0.38,
}


def acquired(t):
    return CURVE["alpha"] / (1 + math.exp(-CURVE["beta"] - CURVE["gamma"] * t))


@pytest.mark.parametrize("t", [-5.0, 0.0, 15.5, 40.0])
def test_new_customers_are_the_slope_of_the_growth_curve(t):
    slope = (acquired(t + 1e-4) - acquired(t - 1e-4)) / 2e-4
    assert Growth(**CURVE).new_customers(t) == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("quarter", [-4000.0, 0.0, 21.0, 1000.0])
def test_without_discount_all_who_are_missing_still_come(quarter):
    missing = CURVE["alpha"] / (1 + math.exp(CURVE["beta"] + CURVE["gamma"] * quarter))
    assert Growth(**CURVE).discounted(quarter, 0.0) == pytest.approx(missing, rel=1e-9)


@pytest.mark.parametrize("rate", [1e-3, 0.0287, 0.2, 1.0])
@pytest.mark.parametrize("gamma", [0.01, 0.265, 5.0])
@pytest.mark.parametrize("quarter", [0.0, 21.0, 100.0])
def test_discounted_customers_are_an_incomplete_beta_function(gamma, rate, quarter):
    """With u the share still to come, it is alpha odds^k B(u; 1 + k, 1 - k), and k = log(1 + rate) / gamma."""
    curve = Growth(alpha=67.045, beta=-4.114, gamma=gamma)
    with mpmath.workdps(40):
        place = mpmath.mpf(-4.114) + mpmath.mpf(gamma) * quarter
        k, coming = mpmath.log1p(rate) / gamma, 1 / (1 + mpmath.exp(place))
        truth = mpmath.mpf(67.045) * mpmath.exp(place * k) * mpmath.quad(lambda u: (u / (1 - u)) ** k, [0, coming])
    assert curve.discounted(quarter, rate) == pytest.approx(float(truth), rel=1e-8)


def test_the_customers_of_today_one_quarter_after_another():
    """The margin of each coming quarter, of those who are left, discounted."""
    quarters = np.arange(1, 1000)
    margins = 3.87 * 0.70 ** (quarters / 4) / 1.12 ** (quarters / 4)
    firm = Firm(**AMAZON)
    assert firm.lifetime_value == pytest.approx(margins.sum(), rel=1e-12)
    assert firm.existing == pytest.approx(0.62 * 33.8 * margins.sum(), rel=1e-12)
    assert firm.value == pytest.approx(firm.existing + firm.future)


def test_customers_who_cost_more_than_they_bring_lower_the_value():
    costly = Firm(**{**AMAZON, "acquisition_cost": 60})
    assert costly.lifetime_value < 60
    assert costly.future < 0
    assert costly.existing == Firm(**AMAZON).existing
    break_even = Firm(**{**AMAZON, "acquisition_cost": costly.lifetime_value})
    assert break_even.future == 0.0


def test_tax_takes_its_share_of_the_whole():
    assert Firm(**AMAZON).value == pytest.approx(0.62 * Firm(**{**AMAZON, "tax": 0.0}).value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"retention": 70}, "80 % is 0.80"),
        ({"discount_rate": 12}, "12 % a year is 0.12"),
        ({"tax": 38}, "38 % is 0.38"),
        ({"customers": -1}, "customers must be a number from 0 up"),
        ({"acquisition_cost": -1}, "acquisition_cost must be a number from 0 up"),
        ({"quarterly_margin": math.nan}, "quarterly_margin must be a number"),
        ({"quarter": "21"}, "quarter must be a number"),
        ({"retention": 1.0, "discount_rate": 0.0}, "infinitely much"),
    ],
)
def test_bad_firms_are_refused(change, message):
    with pytest.raises(AssumptionError, match=message):
        Firm(**{**AMAZON, **change})


@pytest.mark.parametrize("name", ["alpha", "gamma"])
def test_bad_growth_is_refused(name):
    with pytest.raises(AssumptionError, match=f"{name} must be a number above 0"):
        Growth(**{**CURVE, name: 0.0})


def test_the_bridge_adds_what_is_owned_and_takes_off_what_is_owed():
    bridge = {"customer_equity": 1000.0, "indirect_cost": 200.0, "non_operating_assets": 30.0, "debt": 4.0, "tax": 0.5}
    assert Bridge(**bridge).shareholder_value == 825.5
    assert Bridge(customer_equity=1000.0).shareholder_value == 1000.0


@pytest.mark.parametrize("name", ["indirect_cost", "non_operating_assets", "debt"])
def test_a_bridge_with_signs_is_refused(name):
    with pytest.raises(AssumptionError, match=f"{name} must be a number from 0 up"):
        Bridge(**{"customer_equity": 1000.0, name: -1.0})
