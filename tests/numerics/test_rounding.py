"""Rounding to significant digits gives the decimals that were meant."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clvmodels.numerics.rounding import significant_digits


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_it_rounds_as_formatting_does(value):
    found = float(significant_digits(value))
    size = abs(value)
    if 1e-11 < size < 1e33:
        assert abs(found - float(f"{value:.11e}")) <= 1.000001e-11 * size
        assert float(significant_digits(found)) == found
    elif size < 1e-12:
        assert found == value


def test_cents_stay_cents():
    cents = np.random.default_rng(1).integers(1, 10**10, 100_000)
    wanted = cents / 100
    np.testing.assert_array_equal(significant_digits(np.nextafter(wanted, np.inf)), wanted)
    np.testing.assert_array_equal(significant_digits(-wanted), -wanted)


def test_what_cannot_be_rounded_stays():
    strange = np.array([np.nan, np.inf, -np.inf, 0.0, 5e-324, 1e300])
    np.testing.assert_array_equal(significant_digits(strange), strange)
