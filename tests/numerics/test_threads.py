"""Work in blocks gives the same results with any number of threads, and its errors arrive."""

from __future__ import annotations

import os

import numpy as np
import pytest

import clvmodels as clv
from clvmodels.numerics.threads import map_blocks


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


def test_results_do_not_depend_on_the_number_of_threads(monkeypatch):
    truth = clv.ParetoNBD().from_params({"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}, unit="week")
    rfm = truth.simulate(100_000, "78 weeks", seed=1)
    found = []
    for cores in (1, 2, 5):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        fit = clv.ParetoNBD().fit(rfm, method="laplace", draws=20, seed=1)
        few = rfm.select(np.arange(len(rfm)) < 5_000)
        total = fit.total_purchases(few, "52 weeks", process=True, seed=1)
        found.append([*fit.estimate, *fit.theta.ravel(), *total])
    assert found[0] == found[1] == found[2]
