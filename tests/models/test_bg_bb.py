"""BG/BB against arbitrary precision where parameters are extreme, and what fits of it say and refuse."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from mpmath import mp, mpf

import clvmodels as clv
from clvmodels.errors import FitError, FitWarning, ModelError, UnitError
from clvmodels.models.bg_bb import BG_BB
from clvmodels.models.derived import residual
from clvmodels.models.differences import by_differences
from clvmodels.numerics.quadrature import Weighting

DIGITS, POINTS = 50, 60
BETWEEN = 0.375
"""Of a period: sums over many periods are taken from the future at times that are not whole."""
RATES = {"yearly": np.log(1.15), "weekly": np.log(1.15) / 52.0, "daily": np.log(1.15) / 365.0}


def number(value: float) -> np.ndarray:
    return np.asarray(float(value))


def points():
    """Parameters over six, and over twenty-six, powers of ten; histories of up to forty opportunities."""
    generator = np.random.default_rng(1)
    for k in range(POINTS):
        powers = 3.0 if k % 2 else 13.0
        theta = 10.0 ** generator.uniform(-powers, powers, 4)
        n = int(generator.integers(0, 40))
        x = int(generator.integers(0, n + 1))
        t_x = 0 if x == 0 else int(generator.integers(x, n + 1))
        t = int(generator.integers(1, 60))
        yield theta, x, t_x, n, t, int(generator.integers(0, min(t, 5) + 1))


def exact(theta, x, t_x, n, t, k):
    """Equations (5), (7), (8) and (9) of the paper, term by term."""
    a, b, g, d = map(mpf, theta)
    B = mp.beta
    alive = B(a + x, b + n - x) / B(a, b) * B(g, d + n) / B(g, d)
    left = mp.fsum(B(a + x, b + t_x - x + i) / B(a, b) * B(g + 1, d + t_x + i) / B(g, d) for i in range(n - t_x))
    survival = [B(g, d + n + m) / B(g, d + n) for m in range(1, t + 1)]
    between = B(g, d + n + t + mpf(BETWEEN)) / B(g, d + n)
    chance, A, C, D = (a + x) / (a + b + n), a + x, b + n - x, d + n
    pmf = mp.binomial(t, k) * B(A + k, C + t - k) / B(A, C) * B(g, D + t) / B(g, D)
    pmf += mp.fsum(mp.binomial(i, k) * B(A + k, C + i - k) / B(A, C) * B(g + 1, D + i) / B(g, D) for i in range(k, t))
    likelihood = alive + left
    return mp.log(likelihood), alive / likelihood, survival[-1], between, chance * mp.fsum(survival), pmf


def test_everything_is_within_1e_8_of_arbitrary_precision():
    with mp.workdps(DIGITS):
        for theta, *history in points():
            x, t_x, n, t, k = map(number, history)
            log_likelihood, *others = exact(theta, *history)
            assert BG_BB.log_likelihood(theta, x, t_x, n) == pytest.approx(float(log_likelihood), rel=1e-10, abs=1e-11)
            ours = (
                BG_BB.p_alive(theta, x, t_x, n),
                BG_BB.future(theta, x, n, t)[0],
                BG_BB.future(theta, x, n, t + BETWEEN)[0],
                BG_BB.expected_purchases(theta, x, n, t),
                BG_BB.pmf(theta, x, n, t, k),
            )
            for value, truth in zip(ours, others, strict=True):
                assert float(value) == pytest.approx(float(truth), rel=1e-8, abs=1e-290), (theta, history)


def test_the_gradient_is_that_of_differences_in_many_histories():
    generator = np.random.default_rng(2)
    n = generator.integers(0, 30, 400).astype(float)
    x = np.floor(generator.random(400) * (n + 1.0))
    t_x = np.where(x > 0, np.floor(x + generator.random(400) * (n - x + 1.0)), 0.0)
    for theta in 10.0 ** generator.uniform(-1.0, 1.0, (4, 4)):
        slopes = BG_BB.count_terms(theta, x)[1] + BG_BB.history_terms(theta, x, t_x, n)[1]
        by_difference = by_differences(BG_BB.log_likelihood)(theta, x, t_x, n)[1]
        np.testing.assert_allclose(slopes, by_difference, rtol=1e-7, atol=1e-8)


def test_expected_purchases_are_smooth_in_gamma_at_one():
    theta, (x, n, t) = BG_BB.theta(BG_BB.example), map(number, (3, 6, 40))
    gammas = 1.0 + np.array([-1e-3, -1e-9, 0.0, 1e-9, 1e-3])
    rows = np.column_stack([np.full(5, theta[0]), np.full(5, theta[1]), gammas, np.full(5, theta[3])])
    values = BG_BB.expected_purchases(rows, x, n, t)
    np.testing.assert_allclose(values[1:4], values[2], rtol=1e-8)
    assert values[0] - 2.0 * values[2] + values[4] == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("rate", RATES.values(), ids=list(RATES))
@pytest.mark.parametrize("theta", [(1.204, 0.75, 0.657, 2.783), (0.3, 4.0, 5.0, 0.2), (2.0, 1.0, 40.0, 900.0)])
def test_discounted_orders_are_the_mean_of_a_perpetuity_over_chances_to_stay(rate, theta):
    """E[q v / (1 - q v)], q ~ Beta(delta + n, gamma), at all rates, from daily to yearly opportunities.

    It is the mean of q times v 2F1(1, delta + n + 1; gamma + delta + n + 1; v), Gauss's series.
    """
    x, n = np.array([3.0, 0.0]), np.array([6.0, 300.0])
    weighting = Weighting(lambda u: np.exp(-rate * u), 34.0 / rate, smooth_over=2.0 / rate)
    orders, living = (part[:, 0] for part in residual(BG_BB, np.array(theta), x, n, [weighting]))
    a, b, g, d = map(mpf, theta)
    with mp.workdps(30):
        v = mp.exp(-mpf(float(rate)))
        for i in range(2):
            stay = d + n[i]
            truth = v * stay / (stay + g) * mp.hyp2f1(1, stay + 1, stay + g + 1, v)
            assert living[i] == pytest.approx(float(truth), rel=1e-10)
            assert orders[i] == pytest.approx(float(truth * (a + x[i]) / (a + b + n[i])), rel=1e-10)


def test_nobody_buys_more_often_than_there_are_opportunities():
    fit = clv.BGBB().from_params({"alpha": 30.0, "beta": 0.5, "gamma": 0.1, "delta": 9.0}, unit="month")
    rfm = fit.simulate(3_000, "7 months", seed=1)
    assert (rfm.frequency <= rfm.recency).all()
    assert rfm.recency.max() == rfm.frequency.max() == 7.0
    ahead = fit.expected_purchases(rfm, "5.9 months", process=True, seed=2, return_draws=True)
    assert float(ahead.max()) == 5.0
    assert (ahead == ahead.round()).all()
    assert fit.probability_of_purchases(rfm, "5.9 months", n=6)["mean"].max() == 0.0


def test_a_million_customers_take_less_than_a_second():
    fit = clv.BGBB().from_params(BG_BB.example, unit="year")
    some = fit.simulate(1_000, "20 years", seed=1)
    generator = np.random.default_rng(1)
    n = generator.integers(0, 21, 1_000_000).astype(float)
    x = np.floor(generator.random(1_000_000) * (n + 1.0))
    t_x = np.where(x > 0, np.floor(x + generator.random(1_000_000) * (n - x + 1.0)), 0.0)
    rfm = clv.Histories.of_arrays(pd.RangeIndex(1_000_000), {"x": x, "t_x": t_x, "n": n}, unit="year")
    fit.expected_purchases(some, "5 years")
    start = time.process_time()
    table = fit.expected_purchases(rfm, "5 years")
    assert len(table) == 1_000_000
    assert time.process_time() - start < 1.0


def test_covariates_act_on_buying_and_on_leaving():
    """Of two groups whose parameters differ as the model says, the coefficients are recovered."""
    params, groups = {"alpha": 1.2, "beta": 1.5, "gamma": 0.8, "delta": 4.0}, []
    for k, name in enumerate(("base", "club")):
        own = params | {"alpha": 1.2 * np.exp(0.7 * k), "gamma": 0.8 * np.exp(-0.9 * k)}
        table = clv.BGBB().from_params(own, unit="year").simulate(6_000, "8 years", seed=k).to_frame()
        groups.append(table.drop(columns=["monetary_value", "alive"]).assign(kind=name))
    frame = pd.concat(groups, ignore_index=True).rename_axis("customer_id")
    rfm = clv.Histories.from_frame(frame, unit="year")
    table = clv.BGBB(covariates={"purchase": "kind", "dropout": "kind"}).fit(rfm).coefficients
    assert (np.abs(table["estimate"].to_numpy() - [0.7, -0.9]) < 4.0 * table["sd"].to_numpy()).all()
    assert table["sd"].max() < 0.25


def test_a_fit_to_customers_who_all_bought_at_the_last_opportunity_says_that_nobody_left():
    frequency = np.repeat([1.0, 2.0, 3.0, 5.0, 6.0], 20)
    table = pd.DataFrame({"customer_id": range(100), "frequency": frequency, "recency": 6.0, "periods": 6.0})
    with pytest.warns(FitWarning, match="nobody is seen to leave|chances to leave do not differ"):
        fit = clv.BGBB().fit(clv.Histories.from_frame(table, unit="year"))
    assert fit.diagnostics.status == "boundary"
    assert fit.params["gamma"] / fit.params["delta"] < 1e-6


def test_a_fit_to_customers_who_buy_alike_says_so():
    """Of ten opportunities they all took five, which chances that differ would hardly bring about."""
    table = pd.DataFrame({"customer_id": range(300), "frequency": 5.0, "recency": 7.0, "periods": 10.0})
    table.loc[:199, "recency"] = 10.0
    with pytest.warns(FitWarning, match="chances to (buy|leave) do not differ"):
        fit = clv.BGBB().fit(clv.Histories.from_frame(table, unit="year"))
    assert fit.diagnostics.status == "boundary"
    assert fit.params["alpha"] > 1e6


def test_the_other_kind_of_histories_is_refused_in_words():
    in_time = (
        clv.BGNBD().from_params({"r": 0.2, "alpha": 4.0, "a": 0.8, "b": 2.0}, unit="week").simulate(50, 30, seed=1)
    )
    counted = clv.BGBB().from_params(BG_BB.example, unit="week").simulate(50, 6, seed=1)
    with pytest.raises(FitError, match=r"count opportunities: clv.opportunity_summary\(log"):
        clv.BGBB().fit(in_time)
    with pytest.raises(FitError, match=r"count opportunities to buy; fit clv.BGBB\(\), or summarise the log in time"):
        clv.BGNBD().fit(counted)
    with pytest.raises(UnitError, match="these histories count opportunities"):
        counted.in_unit("day")
    with pytest.raises(ModelError, match="BG/BB runs on no clock"):
        clv.BGBB(calendar=clv.Calendar.seasons("month"))


def test_the_counts_that_are_expected_end_where_opportunities_do():
    rfm = clv.BGBB().from_params(BG_BB.example, unit="year").simulate(2_000, "5 years", seed=3)
    fit = clv.BGBB().fit(rfm)
    _, table = clv.plots.frequency_fit({"BG/BB": fit}, rfm, most=6, return_data=True)
    assert table["expected"].iloc[-1] == pytest.approx(0.0, abs=1e-8)
    assert table["expected"].sum() == pytest.approx(2_000.0)
    assert (table["actual"] - table["expected"]).abs().max() < 5.0 * np.sqrt(2_000.0 / 4.0)
