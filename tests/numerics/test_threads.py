"""Work in blocks gives the same results with any number of threads, and its errors arrive."""

from __future__ import annotations

import os

import numpy as np
import pytest

import clvmodels as clv
from clvmodels.numerics.threads import map_blocks, sort, take


def test_blocks_may_work_in_blocks():
    nested = map_blocks(lambda outer: map_blocks(lambda inner: (outer.start, inner.stop), 3, 1), 8, 1)
    assert nested == [[(i, 1), (i, 2), (i, 3)] for i in range(8)]


@pytest.mark.parametrize("bad", [0, 7])
def test_an_error_in_a_block_arrives(bad):
    def fails(rows):
        if rows.start == bad:
            raise IndexError("this block")
        return rows.start

    with pytest.raises(IndexError, match="this block"):
        map_blocks(fails, 8, 1)


@pytest.mark.parametrize("size", [0, 1, 1 << 17, (1 << 17) + 1, 300_001])
def test_long_arrays_are_sorted_and_taken_from_in_threads(size):
    numbers = np.random.default_rng(2).integers(0, 2**63, size, dtype=np.uint64)
    numbers[: size // 2] %= np.uint64(1_000)  # many are equal
    expected = np.sort(numbers)
    rows = np.argsort(numbers, kind="stable")
    values = numbers.astype(float)
    np.testing.assert_array_equal(take(values, rows), values[rows])
    np.testing.assert_array_equal(take(np.stack([values, -values], axis=1), rows)[:, 1], -values[rows])
    sort(numbers)
    np.testing.assert_array_equal(numbers, expected)


def test_results_do_not_depend_on_the_number_of_threads(monkeypatch):
    truth = clv.ParetoNBD().from_params({"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}, unit="week")
    rfm = truth.simulate(100_000, "78 weeks", seed=1)
    monkeypatch.setattr("clvmodels.inference.observations.ROWS_PER_BLOCK", 10_000)
    found = []
    for cores in (1, 2, 5):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        fit = clv.ParetoNBD().fit(rfm, method="laplace", draws=20, seed=1)
        few = rfm.select(np.arange(len(rfm)) < 5_000)
        total = fit.total_purchases(few, "52 weeks", process=True, seed=1)
        found.append([*fit.estimate, *fit.theta.ravel(), *total])
    assert found[0] == found[1] == found[2]
