from __future__ import annotations

import math

import numpy as np
import pytest

from clvmodels.errors import AssumptionError, DataError
from clvmodels.valuation.checks import require_finite, require_number


@pytest.mark.parametrize("value", [0, 0.5, 1.0, np.float64(0.5), np.int64(1)])
def test_good_numbers_pass(value):
    require_number("tax", value, "a share", low=0.0, high=1.0)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf, True, "0.5", None])
def test_bad_numbers_are_refused(value):
    with pytest.raises(AssumptionError, match=r"tax must be a number from 0 to 1 \(a share\), got"):
        require_number("tax", value, "a share", low=0.0, high=1.0)


@pytest.mark.parametrize(
    ("limits", "value", "message"),
    [
        ({"low": 0.0, "above": True}, 0.0, r"a number above 0 \("),
        ({"low": 0.0, "above": True, "high": 2.0}, 0.0, r"a number above 0 to 2 \("),
        ({"low": 0.0}, -1, r"a number from 0 up \("),
        ({}, math.inf, r"a number \("),
    ],
)
def test_the_range_is_named(limits, value, message):
    with pytest.raises(AssumptionError, match=message):
        require_number("rate", value, "of interest", **limits)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "a row of numbers"),
        (3.0, "a row of numbers"),
        ([[1.0]], r"shape \(1, 1\)"),
        ([1.0, math.nan, math.inf], r"2 of 3 are not, the first at position 1 \(nan\)"),
    ],
)
def test_what_is_no_row_of_finite_numbers_is_refused(values, message):
    with pytest.raises(DataError, match=message):
        require_finite("values", values)
