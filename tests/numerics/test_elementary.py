"""Logarithm and exponential of compiled loops against arbitrary precision, and where there are none."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
from numba.core import caching

from clvmodels.numerics.elementary import compiled, exp, log, log1p

EXACT = 5e-16
NEAR_ONE = 1.0 + np.concatenate([-np.geomspace(1e-16, 0.49, 60), np.geomspace(1e-16, 0.99, 60)])
POSITIVE = np.concatenate(
    [np.geomspace(2.0**-1022, 1e308, 700), NEAR_ONE, np.sqrt([0.5, 2.0]), np.nextafter(np.sqrt(0.5), [0.0, 1.0])]
)
SMALL_AND_LARGE = np.concatenate([[0.0], np.geomspace(1e-300, 1e300, 500)])
ANY = np.concatenate([np.linspace(-708.0, 708.0, 1_501), np.geomspace(1e-20, 1.0, 60), -np.geomspace(1e-20, 1.0, 60)])


@pytest.mark.parametrize(
    ("function", "exact", "arguments"),
    [(log, mp.log, POSITIVE), (log1p, mp.log1p, SMALL_AND_LARGE), (exp, mp.exp, ANY)],
    ids=["log", "log1p", "exp"],
)
def test_exact_to_rounding(function, exact, arguments):
    @compiled()
    def of_all(numbers, out):
        for i in range(len(numbers)):
            out[i] = function(numbers[i])

    together = np.empty_like(arguments)
    of_all(arguments, together)
    with mp.workdps(40):
        expected = np.array([float(exact(mp.mpf(float(number)))) for number in arguments])
    np.testing.assert_allclose(together, expected, rtol=EXACT, atol=0.0)
    np.testing.assert_array_equal(together, [function(number) for number in arguments])


def test_what_is_no_number_stays_none():
    assert [log(number) for number in (0.0, 1e-320)] == [-math.inf, -math.inf]
    assert not any(math.isfinite(log(number)) for number in (-1.0, math.inf, math.nan))
    assert math.isnan(exp(math.nan))
    assert exp(math.inf) == exp(800.0) == pytest.approx(math.exp(708.0), rel=EXACT)
    assert exp(-math.inf) == exp(-800.0) == pytest.approx(math.exp(-708.0), rel=EXACT)


def test_a_machine_with_no_place_for_what_is_compiled_compiles_it_again(monkeypatch):
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])

    @compiled()
    def twice(x):
        return 2.0 * x

    assert twice(1.5) == 3.0
