"""The ascent finds a maximum beside a region where the function is not finite."""

from __future__ import annotations

import numpy as np
import pytest

from clvmodels.inference.ascent import Objective, bfgs, climb


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
