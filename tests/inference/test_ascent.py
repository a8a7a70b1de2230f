"""The ascent finds a maximum beside a region where the function is not finite."""

from __future__ import annotations

import numpy as np
import pytest

from clvmodels.inference.ascent import Objective, approach, bfgs, climb, finish


@pytest.mark.parametrize("beyond", [np.nan, -np.inf])
def test_a_step_into_nowhere_is_taken_back(beyond):
    """From the start, the first step of a function that is nearly flat leads far beyond the wall at 3."""

    def function(psi):
        if psi[0] > 3.0:
            return beyond, np.full(2, np.nan)
        fall = 10.0 * (psi[0] - 2.0) ** 4
        return -fall - (psi[1] - 1.0) ** 2, np.array([-40.0 * (psi[0] - 2.0) ** 3, -2.0 * (psi[1] - 1.0)])

    found = climb(Objective(function, 1.0), np.array([2.9, -4.0]))
    assert np.isfinite(found.value)
    np.testing.assert_allclose(found.psi, [2.0, 1.0], atol=0.02)
    hurled = climb(Objective(lambda psi: function(psi * np.array([1.0, 1e-3])), 1.0), np.array([2.0, -4000.0]))
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
    found = finish(objective, TOP + away * np.array([1.0, -1.0]))
    assert found.converged
    assert found.settled
    np.testing.assert_allclose(found.psi, TOP, rtol=0.0, atol=1e-7)
    assert found.value == pytest.approx(-2.0, abs=1e-12)
    if expansion is expanded and away <= 1e-4:
        assert found.evaluations == 1


@pytest.mark.parametrize("curvature", [1.0, 0.01, -1.0, np.nan], ids=["like", "too flat", "wrong sign", "unknown"])
def test_a_curvature_that_leads_astray_is_not_followed(curvature):
    objective = Objective(peak, 1.0, expanded)
    near = approach(objective, TOP + 0.01, np.diag([curvature, 1.0]))
    np.testing.assert_allclose(near, TOP, rtol=0.0, atol=1e-4)
    assert np.abs(objective(near)[1]).max() < 1e-4
