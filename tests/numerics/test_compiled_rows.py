"""Twins of what finds distinct rows: the same bits, whatever the columns are."""

from __future__ import annotations

import numpy as np
import pytest

from clvmodels.numerics import compiled_rows, distinct, kernels
from clvmodels.numerics.distinct import distinct_rows

CUSTOMERS = kernels.MANY + 5


def days(generator):
    return generator.integers(0, 700, CUSTOMERS) / 7.0


COLUMNS = {
    "whole numbers": lambda generator: generator.poisson(2.0, CUSTOMERS).astype(float),
    "days in weeks": days,
    "minus zero": lambda generator: np.where(generator.random(CUSTOMERS) < 0.5, -0.0, days(generator)),
    "one off the grid": lambda generator: np.append(days(generator)[1:], 0.123),
    "exact times": lambda generator: generator.random(CUSTOMERS).round(4) * 77.7,
    "negative": lambda generator: generator.integers(-5, 5, CUSTOMERS).astype(float),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_the_same_rows_and_fingerprint(name, monkeypatch):
    generator = np.random.default_rng(3)
    columns = (COLUMNS["whole numbers"](generator), COLUMNS[name](generator))
    found = []
    for at_hand in (False, True):
        monkeypatch.setattr(distinct, "at_hand", lambda _, used=at_hand: used)
        rows = distinct_rows(*columns)
        found.append((rows.rows, rows.weight, rows.fingerprint))
    (plain, weight, name_of_plain), (compiled, weight_of_compiled, name_of_compiled) = found
    np.testing.assert_array_equal(plain.view(np.uint64), compiled.view(np.uint64))
    np.testing.assert_array_equal(weight, weight_of_compiled)
    assert name_of_plain == name_of_compiled


@pytest.mark.parametrize("grid", distinct.GRIDS)
def test_the_same_steps(grid):
    on = np.arange(50_000) / grid
    off = [np.append(on, 0.3 / grid), np.append(on, -1.0), np.append(on, -1e300)]
    np.testing.assert_array_equal(compiled_rows.steps(grid, on), distinct._steps(grid, on))
    assert [compiled_rows.steps(grid, column) for column in off] == [None] * 3
    assert [distinct._steps(grid, column) for column in off] == [None] * 3


def test_kernels_of_the_same_bits_wait_for_the_compiler(monkeypatch):
    assert kernels.at_hand(kernels.MANY)
    assert not kernels.at_hand(kernels.MANY - 1)
    monkeypatch.delitem(kernels.sys.modules, "numba")
    assert not kernels.at_hand(kernels.MANY)
