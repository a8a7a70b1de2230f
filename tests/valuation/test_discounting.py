"""Discounting and growth are one exponent, and many periods cost no more than few."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

import clvmodels as clv
from clvmodels.numerics.quadrature import TimeGrid
from clvmodels.valuation import discounting as module
from clvmodels.valuation.discounting import annuity, calendar_years, discount_factor, discounting, growing

YEAR = 52.0
TIMINGS = ("mid-month", "end-month", "mid-year", "end-year")


def terms(**changes):
    return clv.Assumptions(**{"discount_rate": 0.15, "margin": 0.3, "year": "52 weeks", **changes})


def integral(weighting, power=0.6, start=12.0):
    """The integral of (1 + t / start)^-power under the weighting."""
    grid = TimeGrid(4.0, weighting.end)
    return (1.0 + grid.nodes / start) ** -power @ grid.weights(weighting)


def direct_sum(stated, periods, growth=0.0, power=0.6, start=12.0):
    """The same, period by period, with the antiderivative (no growth) or a fine rule within each (growth)."""
    position, name = stated.timing.split("-")
    P = YEAR / {"month": 12, "year": 1}[name]
    ends = P * np.arange(periods + 1.0)
    flow = ends[:-1] + P * {"mid": 0.5, "end": 1.0}[position]
    factor = np.exp(-np.log1p(stated.discount_rate) / YEAR * flow)
    if not growth:
        antiderivative = start / (1.0 - power) * (1.0 + ends / start) ** (1.0 - power)
        return factor @ np.diff(antiderivative)
    nodes, weights = np.polynomial.legendre.leggauss(12)
    times = ends[:-1, None] + 0.5 * P * (nodes + 1.0)
    exponent = np.log1p(growth) / YEAR * times - np.log1p(stated.discount_rate) / YEAR * flow[:, None]
    return 0.5 * P * float(np.sum(np.exp(exponent) * (1.0 + times / start) ** -power @ weights))


@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize("rate", [0.001, 0.01])
def test_many_periods_are_those_added_one_by_one(timing, rate):
    stated = terms(discount_rate=rate, timing=timing)
    periods = int(40.0 / np.log1p(rate) * (12 if "month" in timing else 1))
    assert integral(discounting(stated, "week")) == pytest.approx(direct_sum(stated, periods), rel=1e-9)


@pytest.mark.parametrize("timing", TIMINGS)
def test_many_periods_with_growth(timing):
    stated = terms(timing=timing, growth=0.148)
    periods = int(40.0 / np.log(1.15 / 1.148)) * (12 if "month" in timing else 1)
    assert integral(growing(stated, "week")) == pytest.approx(direct_sum(stated, periods, growth=0.148), rel=1e-9)


@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize(
    "changes",
    [
        {"discount_rate": 0.0, "horizon": "2345.67 years"},
        {"discount_rate": (0.02, 0.3, 0.004)},
        {"discount_rate": (0.2, 0.0, 0.01), "growth": 0.009, "horizon": "1500.3 years"},
    ],
)
def test_the_smooth_factor_is_as_good_as_steps(timing, changes, monkeypatch):
    stated = terms(timing=timing, **changes)
    smooth = [integral(kind(stated, "week")) for kind in (discounting, growing)]
    monkeypatch.setattr(module, "SINGLE_PERIODS", 1_000_000)
    steps = [integral(kind(stated, "week")) for kind in (discounting, growing)]
    assert smooth == pytest.approx(steps, rel=1e-9)


@pytest.mark.parametrize("timing", ["continuous", *TIMINGS])
def test_a_million_years_are_quick(timing):
    start = time.process_time()
    stated = terms(discount_rate=0.0, timing=timing, horizon="1000000 years")
    value = integral(discounting(stated, "week"))
    assert time.process_time() - start < 5.0
    end = 52e6
    assert value == pytest.approx(12.0 / 0.4 * ((1.0 + end / 12.0) ** 0.4 - 1.0), rel=1e-9)
    assert calendar_years(stated, "week") == pytest.approx(1e6, rel=1e-12)


def test_a_perpetuity_paid_every_month():
    stated = terms(discount_rate=1e-6, timing="end-month")
    assert calendar_years(stated, "week") == pytest.approx(1.0 / 12.0 / np.expm1(np.log1p(1e-6) / 12.0), rel=1e-9)


@pytest.mark.parametrize("timing", ["continuous", *TIMINGS])
@pytest.mark.parametrize("rate", [0.0, 1e-300, 0.15, (0.3, 0.0, 0.1)])
def test_an_annuity_is_the_integral_of_the_factor(timing, rate):
    stated = terms(discount_rate=rate, timing=timing)
    end = 4.37 * YEAR
    cuts = np.append(np.arange(0.0, end, YEAR / 12), end)
    by_hand = sum(
        quad(lambda t: float(discount_factor(stated, "week", np.array(t))), a, b)[0] for a, b in pairwise(cuts)
    )
    assert annuity(stated, "week", np.array([end]))[0] == pytest.approx(by_hand, rel=1e-9)


@pytest.mark.parametrize("gap", [1e-2, 1e-4, 1e-6, 1e-9])
def test_growth_is_a_lower_discount_rate(gap):
    """With growth g the factor is that at the rate 1.15 / (1 + g) - 1, however near g comes to 15 %."""
    growth = 0.15 - gap
    net = (0.15 - growth) / (1.0 + growth)
    grown = integral(growing(terms(growth=growth), "week"))
    assert np.isfinite(grown)
    assert grown == pytest.approx(integral(discounting(terms(discount_rate=net), "week")), rel=1e-10)
