"""P(alive) along one customer's life is that of the history as it stood, by lifetimes and by formulas of their own."""

from __future__ import annotations

import warnings

import mpmath
import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.data.events import purchase_occasions
from clvmodels.inference.p_alive_path import p_alive_path
from tests.inference.example_fits import BG, PARETO, around, bg, by_segment, pareto

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lifetimes

PEERS = {"bg": lifetimes.BetaGeoFitter(), "pareto": lifetimes.ParetoNBDFitter()}
PEERS["bg"].params_, PEERS["pareto"].params_ = BG, PARETO
OURS = {"bg": bg, "pareto": pareto}
LOG = pd.DataFrame(
    {
        "customer_id": "ann",
        "date": pd.to_datetime(["2024-01-01", "2024-01-15", "2024-01-29", "2024-05-06", "2024-05-13"]),
        "segment": "north",
    }
)


@pytest.fixture(scope="module")
def occasions():
    return purchase_occasions(LOG, resolution="day", observation_end="2024-09-30", attributes=["segment"])


@pytest.mark.parametrize("model", PEERS)
def test_as_lifetimes_says_of_the_history_at_each_time(model, occasions):
    table = p_alive_path(OURS[model], occasions, ahead=0.0)
    assert (table["part"] == "observed").all()
    theirs = PEERS[model].conditional_probability_alive(table["frequency"], table["recency"], table["age"])
    np.testing.assert_allclose(table["mean"], theirs, rtol=1e-6)


@pytest.mark.parametrize("fit", OURS.values(), ids=OURS)
def test_the_history_as_it_stood(fit, occasions):
    table = p_alive_path(fit, occasions, ahead=0.0)
    ages = occasions["age"].to_numpy()
    twice = table.groupby("age").size()
    assert twice[twice > 1].index.tolist() == [2.0, 4.0, 18.0, 19.0]  # just before and just after each purchase
    assert table["age"].is_monotonic_increasing
    assert (table["age"].iloc[0], table["age"].iloc[-1]) == (0.0, 39.0)
    just_after = table.drop_duplicates("age", keep="last")
    np.testing.assert_array_equal(just_after["frequency"], np.searchsorted(ages, just_after["age"], "right") - 1)
    np.testing.assert_array_equal(just_after["recency"], ages[just_after["frequency"].astype(int)])
    silent = table.groupby("frequency")["mean"].apply(lambda some: (some.diff().dropna() <= 0.0).all())
    assert silent.all()  # silence never makes a customer look more alive
    assert table["date"].iloc[0] == pd.Timestamp("2024-01-01")
    assert table["date"].iloc[-1] == pd.Timestamp("2024-09-30")


def test_nothing_is_known_of_what_comes(occasions):
    for fit, survival in ((bg, _bg_survival), (pareto, _pareto_survival)):
        ahead = p_alive_path(fit, occasions, ahead=26.0).query("part == 'ahead'")
        assert (ahead["age"].iloc[0], ahead["age"].iloc[-1]) == (39.0, 65.0)
        now = ahead["mean"].iloc[0]
        for _, row in ahead.iloc[::8].iterrows():
            assert row["mean"] == pytest.approx(now * survival(4, 39, row["age"] - 39.0), rel=1e-8)


def _bg_survival(x, T, t):
    """design.md, section 5: s(t) = P(alive) 2F1(r+x, a; a+b+x; -t/(alpha+T))."""
    r, alpha, a, b = (mpmath.mpf(value) for value in BG.values())
    return float(mpmath.hyp2f1(r + x, a, a + b + x, -t / (alpha + T)))


def _pareto_survival(_, T, t):
    beta, s = PARETO["beta"], PARETO["s"]
    return ((beta + T) / (beta + T + t)) ** s


def test_the_end_is_what_the_fit_says_of_the_customer():
    log = clv.datasets.load_cdnow(sample=True)
    options = {"resolution": "day", "observation_end": "1997-09-30"}
    rfm = clv.rfm_summary(log, unit="week", **options)
    drawn = clv.BGNBD().from_params(around(BG), unit="week")
    told = drawn.probability_alive(rfm.select(["00004"])).iloc[0]
    table = p_alive_path(drawn, purchase_occasions(log, customers=["00004"], **options), ahead=5.0)
    for part, row in (("observed", -1), ("ahead", 0)):
        found = table[table["part"] == part].iloc[row][told.index].astype(float)
        np.testing.assert_allclose(found, told, rtol=1e-9)


def test_a_customer_has_the_parameters_of_his_segment(occasions):
    north = clv.BGNBD().from_params(BG | {"a": 0.1}, unit="week")
    fit = by_segment({"south": bg, "north": north})
    found, told = (p_alive_path(one, occasions, ahead=4.0)["mean"] for one in (fit, north))
    np.testing.assert_allclose(found, told, rtol=1e-12)


def test_a_customer_acquired_at_the_very_end():
    log = pd.DataFrame({"customer_id": ["bob"], "date": ["2024-09-30"]})
    table = p_alive_path(pareto, purchase_occasions(log, resolution="day"), ahead=2.0)
    assert table["mean"].iloc[0] == 1.0
    assert np.isfinite(table["mean"]).all()
