"""Maximisation finds a maximum beside a region where the function is not finite."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clvmodels.numerics.maximisation import Objective, Optimum, _left, bfgs, maximise_from, newton_polish, step_towards


@pytest.mark.parametrize("beyond", [np.nan, -np.inf])
def test_a_step_into_nowhere_is_taken_back(beyond):
    """From the start, the first step of a function that is nearly flat leads far beyond the wall at 3."""

    def function(psi):
        if psi[0] > 3.0:
            return beyond, np.full(2, np.nan)
        fall = 10.0 * (psi[0] - 2.0) ** 4
        return -fall - (psi[1] - 1.0) ** 2, np.array([-40.0 * (psi[0] - 2.0) ** 3, -2.0 * (psi[1] - 1.0)])

    found = maximise_from(Objective(function, 1.0), np.array([2.9, -4.0]))
    assert np.isfinite(found.value)
    np.testing.assert_allclose(found.psi, [2.0, 1.0], atol=0.02)
    hurled = maximise_from(Objective(lambda psi: function(psi * np.array([1.0, 1e-3])), 1.0), np.array([2.0, -4000.0]))
    assert np.isfinite(hurled.value)


@pytest.mark.parametrize("beyond", [np.nan, -np.inf, np.inf])
@pytest.mark.parametrize("slope", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("start", [0.0, 2.0, 2.99])
def test_line_searches_turn_back_at_the_wall(beyond, slope, start):
    """The maximum lies at log(20) = 2.996, and beyond 3 the function is not finite."""

    def function(psi):
        if psi[0] > 3.0:
            return beyond, np.full(2, np.nan)
        value = slope * (psi[0] - np.exp(psi[0]) / 20.0) - (psi[1] - 1.0) ** 2
        return float(value), np.array([slope * (1.0 - np.exp(psi[0]) / 20.0), -2.0 * (psi[1] - 1.0)])

    found = bfgs(Objective(function, 1.0), np.array([start, -4.0]))
    np.testing.assert_allclose(found, [np.log(20.0), 1.0], atol=0.05)


TOP = np.array([0.3, -0.2])


def peak(psi):
    """Minus a sum of hyperbolic cosines, which are no parabolas."""
    return float(-np.cosh(psi - TOP).sum()), -np.sinh(psi - TOP)


def expanded(psi):
    return *peak(psi), -np.diag(np.cosh(psi - TOP))


@pytest.mark.parametrize("expansion", [expanded, lambda _: None], ids=["closed form", "differences"])
@pytest.mark.parametrize("away", [0.0, 1e-6, 1e-4, 1e-2, 0.5])
def test_the_last_step_is_one_that_leaves_next_to_nothing(away, expansion):
    objective = Objective(peak, 1.0, expansion)
    found = newton_polish(objective, TOP + away * np.array([1.0, -1.0]))
    assert found.converged
    assert found.left == 0.0
    np.testing.assert_allclose(found.psi, TOP, rtol=0.0, atol=1e-7)
    assert found.value == pytest.approx(-2.0, abs=1e-12)
    if expansion is expanded and away <= 1e-4:
        assert found.evaluations == 1


@pytest.mark.parametrize("curvature", [1.0, 0.01, -1.0, np.nan], ids=["like", "too flat", "wrong sign", "unknown"])
def test_a_curvature_that_leads_astray_is_not_followed(curvature):
    objective = Objective(peak, 1.0, expanded)
    begin = TOP + 0.01
    near = step_towards(objective, begin, np.diag([curvature, 1.0]))
    assert objective(near)[0] <= objective(begin)[0]
    np.testing.assert_allclose(near, TOP if curvature == 1.0 else begin, rtol=0.0, atol=1e-6)
    np.testing.assert_allclose(newton_polish(objective, near).psi, TOP, rtol=0.0, atol=1e-7)


CUSTOMERS = 1e6


def crest(psi):
    """A crest along v = u / 2, which rises by some 1e-7 a customer to its top at u = 3."""
    u, v = psi
    across = v - u / 2.0
    value = -(across**2) - 1e-7 * (np.cosh(u - 3.0) - 1.0)
    return CUSTOMERS * value, CUSTOMERS * np.array([across - 1e-7 * np.sinh(u - 3.0), -2.0 * across])


@pytest.mark.parametrize("begin", [-1.0, 1.0, 2.5, 5.0])
def test_a_nearly_level_crest_is_climbed_to_its_top(begin):
    """The slope is about 1e-6 a customer: of a million, that is not nothing."""
    found = newton_polish(Objective(crest, CUSTOMERS), np.array([begin, begin / 2.0 + 0.1]))
    assert found.converged
    np.testing.assert_allclose(found.psi, [3.0, 1.5], rtol=0.0, atol=1e-3)
    assert found.value == pytest.approx(0.0, abs=1e-6)


def test_what_is_left_is_what_a_step_would_gain():
    """Of a parabola, all of it: half the square of the slope over the curvature, of all customers."""
    curvature, top = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([1.0, -1.0])
    away = np.array([0.3, 0.1])
    assert _left(curvature @ away, curvature) == pytest.approx(0.5 * away @ curvature @ away, rel=1e-12)

    def endless(psi):
        return float(CUSTOMERS * 1e-7 * psi.sum()), np.full(2, CUSTOMERS * 1e-7)

    assert not newton_polish(
        Objective(endless, CUSTOMERS), top
    ).converged  # although the slope is that of nearly nothing
    near = Optimum(np.array([0.0]), np.array([[1.0]]), np.array([1e-3]), 0.0, 1, left=1e-3)
    assert not near.converged
    assert replace(near, psi=np.array([10.0])).converged  # where all steps are long, and gain little


def hill(psi):
    """A bell: beyond a distance of one from its top it bends the other way, and far from it is level."""
    value = 100.0 * np.exp(-0.5 * np.sum((psi - TOP) ** 2))
    return float(value), -value * (psi - TOP)


@pytest.mark.parametrize("away", [0.5, 1.5, 3.0])
def test_where_newton_steps_lead_astray_shorter_ones_climb(away):
    found = newton_polish(Objective(hill, 100.0), TOP + np.array([away, 0.1]))
    assert found.converged
    np.testing.assert_allclose(found.psi, TOP, rtol=0.0, atol=1e-6)


def test_a_sample_that_has_no_maximum_does_not_mislead():
    """All have their maximum at 0.3 and -0.2, and are level far from it; the sample has its own at infinity."""

    def rising(psi):
        return float(-np.exp(-psi).sum()), np.exp(-psi)

    found = maximise_from(Objective(hill, 100.0), np.zeros(2), Objective(rising, 1.0))
    assert found.converged
    np.testing.assert_allclose(found.psi, TOP, rtol=0.0, atol=1e-6)
