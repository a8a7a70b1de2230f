"""Predictions by history equal those of lifetimes, and of real customers with that history."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import clvmodels as clv
from clvmodels.errors import FitError
from clvmodels.inference.hypothetical import alive_by_history, history_grid, purchases_by_history
from tests.inference.example_fits import BG, around, bg, by_segment, pareto

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lifetimes

PEER = lifetimes.BetaGeoFitter()
PEER.params_ = BG


def test_the_grid_holds_histories_that_can_be():
    grid = history_grid(39.0, most=4, steps=13)
    assert len(grid) == 1 + 4 * 13
    np.testing.assert_allclose(grid["recency"] + grid["time_since_last"], 39.0, rtol=1e-15)
    repeat = grid["frequency"] > 0
    assert ((grid["recency"] > 0) == repeat).all()  # who bought again did so after the first time, and before the end
    assert (grid["time_since_last"] > 0).all()
    assert grid.loc[~repeat, ["frequency", "recency"]].to_numpy().tolist() == [[0, 0]]


def test_as_lifetimes():
    alive = alive_by_history(bg, T=39.0, most=6, steps=7, after=0.0)
    purchases = purchases_by_history(bg, 52.0, T=39.0, most=6, steps=7)
    columns = (alive["frequency"], alive["recency"], alive["T"])
    theirs = PEER.conditional_probability_alive(*columns)
    np.testing.assert_allclose(alive["probability_alive"], theirs, rtol=1e-9)
    theirs = PEER.conditional_expected_number_of_purchases_up_to_time(52.0, *columns)
    np.testing.assert_allclose(purchases["expected_purchases"], theirs, rtol=1e-9)


def test_later_customers_have_left():
    # Pareto/NBD: s(t) = P(alive) ((beta + T) / (beta + T + t))^s
    now, later = (alive_by_history(pareto, T=39.0, most=3, steps=5, after=t) for t in (0.0, "26 weeks"))
    kept = ((11.669 + 39.0) / (11.669 + 65.0)) ** 0.606
    np.testing.assert_allclose(later["probability_alive"], now["probability_alive"] * kept, rtol=1e-9)


def test_the_mean_over_draws():
    drawn = around(BG, draws=10)
    table = alive_by_history(clv.BGNBD().from_params(drawn, unit="week"), T=39.0, most=2, steps=3, after=0.0)
    each = [
        alive_by_history(
            clv.BGNBD().from_params(dict(zip(BG, one, strict=True)), unit="week"), T=39.0, most=2, steps=3, after=0.0
        )
        for one in np.stack([values.ravel() for values in drawn.values()], axis=-1)
    ]
    np.testing.assert_allclose(
        table["probability_alive"], np.mean([one["probability_alive"] for one in each], axis=0), rtol=1e-12
    )


def test_a_fit_by_segment_is_asked_by_segment():
    fit = by_segment({"north": bg, "south": bg})
    with pytest.raises(FitError, match=r"histories of a fit by 'segment' differ .* fit.segment\('north'\)"):
        alive_by_history(fit, T=39.0, most=2, steps=3, after=0.0)
