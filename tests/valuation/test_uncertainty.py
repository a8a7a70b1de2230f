"""Intervals of customer equity: draws are paired and customers summed within them; what customers will really do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad

import clvmodels as clv
from clvmodels.errors import AssumptionError, FitError
from clvmodels.inference import block_draws
from clvmodels.inference.estimator import TransactionEstimator
from clvmodels.inference.parameters import Parameters
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.registry import TRANSACTION_MODELS
from clvmodels.models.specification import Traits
from clvmodels.valuation import expectations, futures, uncertainty
from clvmodels.valuation.discounting import annuity, discount_factor
from clvmodels.valuation.futures import _purchases, _Thinning
from clvmodels.valuation.uncertainty import _spread

DRAWS = ["rlv_sd", "rlv_q05", "rlv_q50", "rlv_q95", "probability_of_loss"]


def scattered(estimator, draws, *, sd=0.1, seed=0, **options):
    model = estimator.model
    noise = sd * np.random.default_rng(seed).standard_normal((1, draws, len(model.names)))
    theta = model.lower + (model.theta(model.example) - model.lower) * np.exp(noise)
    return estimator.from_params(dict(zip(model.names, np.moveaxis(theta, -1, 0), strict=True)), **options)


def single(fit, estimator, draw, **options):
    return estimator.from_params(dict(zip(fit.model.names, fit.draws[draw], strict=True)), **options)


@pytest.fixture(params=TRANSACTION_MODELS.values(), ids=list(TRANSACTION_MODELS))
def estimator(request):
    return TransactionEstimator(request.param)


@pytest.fixture(scope="module")
def rfm():
    """60 customers, some alike."""
    truth = clv.BGNBD().from_params({"r": 0.5, "alpha": 3.0, "a": 0.8, "b": 2.5}, unit="week")
    table = truth.simulate(60, 40, seed=4).to_frame().drop(columns=["purchase_rate", "alive"])
    table["T"] = np.where(np.arange(60) % 2, 40.0, 45.0)
    table["monetary_value"] = np.where(table["frequency"] > 0, 20.0 + np.arange(60), np.nan)
    return clv.Histories.from_frame(table, unit="week")


def terms(**changes):
    stated = {"discount_rate": 0.15, "margin": 0.3, "order_cost": 4.0, "maintenance_cost": 3.0, "year": "52 weeks"}
    return clv.Assumptions(**{**stated, **changes})


@pytest.fixture
def fits(estimator):
    return scattered(estimator, 12, unit="week"), scattered(clv.GammaGamma(), 12, seed=1)


def book_of(orders, spend, rfm, **changes):
    return clv.value(orders, spend, rfm, terms(**changes))


def by_hand(estimator, fits, rfm, pairs, **changes):
    """RLV by draw and customer, from a valuation of each pair of draws."""
    orders, spend = fits
    books = [
        book_of(single(orders, estimator, i, unit="week"), single(spend, clv.GammaGamma(), j), rfm, **changes)
        for i, j in pairs
    ]
    return np.array([book.customers["rlv"] for book in books])


@pytest.mark.parametrize("changes", [{}, {"timing": "mid-year"}, {"horizon": "3 years", "discount_rate": 0.0}])
def test_draws_are_paired_and_customers_summed_within_them(estimator, fits, rfm, changes):
    book = book_of(*fits, rfm, **changes)
    rlv = by_hand(estimator, fits, rfm, [(i, i) for i in range(12)], **changes)
    np.testing.assert_allclose(book.draws(process=False), rlv.sum(axis=1), rtol=1e-8)
    interval = book.interval(0.8, process=False)
    assert (interval.low, interval.median, interval.high) == pytest.approx(
        np.quantile(rlv.sum(axis=1), [0.1, 0.5, 0.9]), rel=1e-8
    )
    assert interval.mean == pytest.approx(rlv.sum(axis=1).mean())
    assert interval.sd == pytest.approx(rlv.sum(axis=1).std(ddof=1))
    expected = [rlv.std(axis=0, ddof=1), *np.quantile(rlv, [0.05, 0.5, 0.95], axis=0), (rlv < 0).mean(axis=0)]
    table = book.customer_intervals(process=False)
    np.testing.assert_allclose(table.to_numpy().T, expected, rtol=1e-6, atol=1e-4)  # single precision
    assert 0 < (table["probability_of_loss"] > 0).sum() < 60
    spread = table["rlv_q95"].sum() - table["rlv_q05"].sum()
    assert spread > 1.01 * np.diff(np.quantile(rlv.sum(axis=1), [0.05, 0.95]))[0]  # not a sum of quantiles


def test_equity_is_the_mean_of_the_draws(estimator, fits, rfm):
    """Of each customer, too: with the means of orders and of their value, which are independent in the posterior."""
    book = book_of(*fits, rfm)
    pairs = [(i, j) for i in range(12) for j in range(12)]
    rlv = by_hand(estimator, fits, rfm, pairs).mean(axis=0)
    np.testing.assert_allclose(book.rlv, rlv, rtol=1e-9)
    assert book.equity == pytest.approx(rlv.sum(), rel=1e-9)
    np.testing.assert_allclose(book.customers["rlv"], rlv, rtol=1e-9)
    np.testing.assert_array_equal(book.customers[DRAWS], book.customer_intervals())
    lines = book.statement_lines
    assert ((lines["low"] < lines["value"]) & (lines["value"] < lines["high"])).all()


def test_one_fit_with_draws_meets_the_point_estimate_of_the_other(estimator, fits, rfm):
    orders, spend = fits
    point = clv.GammaGamma().from_params(dict(spend.params))
    each = [book_of(single(orders, estimator, i, unit="week"), point, rfm).equity for i in range(12)]
    np.testing.assert_allclose(book_of(orders, point, rfm).draws(process=False), each, rtol=1e-8)
    point = estimator.from_params(dict(orders.params), unit="week")
    each = [book_of(point, single(spend, clv.GammaGamma(), i), rfm).equity for i in range(12)]
    np.testing.assert_allclose(book_of(point, spend, rfm).draws(process=False), each, rtol=1e-8)


def test_the_fewer_draws_begin_again(estimator, fits, rfm):
    orders = replace(fits[0], theta=fits[0].theta[:, :5])
    rlv = by_hand(estimator, (orders, fits[1]), rfm, [(i % 5, i) for i in range(12)])
    np.testing.assert_allclose(book_of(orders, fits[1], rfm).draws(process=False), rlv.sum(axis=1), rtol=1e-8)


def test_many_draws_are_thinned_evenly_and_stay_paired():
    transactions, spend = (np.arange(4000.0)[:, None] + shift for shift in (0.0, 0.5))
    number = uncertainty.LARGEST_NUMBER_OF_DRAWS
    first, second = (_spread(Parameters(draws, draws[0]), number, 4000).draws for draws in (transactions, spend))
    assert len(first) == number
    np.testing.assert_array_equal(second - first, 0.5)
    assert (first[0, 0], first[-1, 0]) == (0.0, 3999.0)
    assert set(np.diff(first[:, 0])) == {4.0, 5.0} or set(np.diff(first[:, 0])) == {4.0, 3.0, 5.0}


def test_small_blocks_give_the_same(fits, rfm, monkeypatch):
    book = book_of(*fits, rfm)
    whole = book.draws(process=False), book.customer_intervals(process=False)
    monkeypatch.setattr(block_draws, "NUMBERS_PER_BLOCK", 30)
    monkeypatch.setattr(expectations, "MEMORY", 1.0)
    again = book_of(*fits, rfm)
    np.testing.assert_allclose(again.draws(process=False), whole[0], rtol=1e-9)
    pd.testing.assert_frame_equal(again.customer_intervals(process=False), whole[1], rtol=1e-6)


def test_given_parameters_have_no_draws_but_what_customers_do(rfm):
    book = book_of(
        clv.BGNBD().from_params(dict(clv.BGNBD().model.example), unit="week"),
        clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44}),
        rfm,
    )
    for ask in (book.interval, book.draws, book.customer_intervals):
        with pytest.raises(FitError, match='method="posterior"'):
            ask(process=False)
    assert book.interval().covers == ("what customers do",)
    assert "low" not in book.statement_lines
    assert list(book.customers.columns)[-1] == "rlv"


def test_no_customers_are_worth_nothing(fits, rfm):
    book = book_of(*fits, rfm.select(np.zeros(len(rfm), bool)))
    assert book.equity == 0.0
    for process in (False, True):
        assert book.interval(process=process).high == 0.0
    assert book.customers.shape == (0, 12)


@pytest.mark.parametrize("probability", [0.0, 1.0, 90, -0.1])
def test_a_probability_lies_between_0_and_1(fits, rfm, probability):
    with pytest.raises(AssumptionError, match=r"such as 0\.9, got"):
        book_of(*fits, rfm).interval(probability)


def test_an_interval_reads_well(fits, rfm):
    book = book_of(*fits, rfm)
    said = repr(book.interval(0.5))
    for word in (
        "with probability 0.5",
        "12 draws",
        f"{book.interval(0.5).low:,.2f}",
        "covers parameters, what customers do",
    ):
        assert word in said


# ---------------------------------------------------------------------------------- what customers will really do


def point_book(estimator, rfm, **changes):
    orders = estimator.from_params(dict(estimator.model.example), unit="week")
    spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    return book_of(orders, spend, rfm, **changes)


@pytest.mark.parametrize(
    "changes", [{}, {"timing": "end-year", "discount_rate": 0.4}, {"horizon": "2 years", "discount_rate": 0.0}]
)
def test_simulated_futures_are_worth_what_is_expected(estimator, rfm, changes):
    book = point_book(estimator, rfm, **changes)
    draws = book.draws(process=True, seed=1)
    assert draws.shape == (1000,)
    assert abs(draws.mean() - book.equity) < 4 * draws.std() / np.sqrt(1000)
    simulated = book.each.uncertainty(process=True, seed=1)
    expected, sd = book.statement_lines["value"].to_numpy(), simulated.lines.std(axis=1)
    assert (np.abs(simulated.lines.mean(axis=1) - expected) < 4 * sd / np.sqrt(1000)).all()
    np.testing.assert_allclose(simulated.lines.sum(axis=0), draws)


def test_the_process_widens(fits, rfm):
    book = book_of(*fits, rfm)
    both, parameters = book.interval(), book.interval(process=False)
    assert both.high - both.low > parameters.high - parameters.low
    table = book.customer_intervals(process=True, seed=1)
    assert list(table.columns) == DRAWS
    assert table["rlv_sd"].mean() > 2 * book.customer_intervals(process=False)["rlv_sd"].mean()
    assert table["probability_of_loss"].between(0, 1).all()


def test_a_seed_reproduces_and_small_slices_sum_up(rfm, monkeypatch):
    estimator = clv.MBGNBD()
    first, again, other = (point_book(estimator, rfm).draws(process=True, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    monkeypatch.setattr(futures, "NUMBERS_AT_A_TIME", 30_000)
    book = point_book(estimator, rfm)
    sliced = book.draws(process=True, seed=1)
    assert abs(sliced.mean() - book.equity) < 4 * sliced.std() / np.sqrt(1000)
    assert sliced.std() == pytest.approx(first.std(), rel=0.15)
    assert book.draws(process=True, seed=1) is not None


def test_draws_are_computed_once(fits, rfm, monkeypatch):
    book = book_of(*fits, rfm)
    once, simulated = book.draws(process=False), book.draws()
    monkeypatch.setattr("clvmodels.valuation.valued_rows.expected", None)
    monkeypatch.setattr("clvmodels.valuation.valued_rows.with_process", None)
    np.testing.assert_array_equal(book.draws(process=False), once)
    np.testing.assert_array_equal(book.draws(), simulated)


@pytest.mark.parametrize(
    "changes",
    [
        {"discount_rate": 0.1, "growth": 0.08},  # money falls much more slowly than discount factors
        {"discount_rate": 0.1, "growth": 0.095},  # and reaches further than they do
        {"discount_rate": [0.0] * 15 + [0.25]},  # nothing falls for long, and then fast
        {"discount_rate": [0.01] * 5 + [0.3], "growth": 0.05},  # money rises at first
        {"discount_rate": 0.05, "growth": 0.2, "horizon": "15 years"},  # and indefinitely
        {"discount_rate": 0.1, "growth": -0.1},
    ],
)
def test_no_weight_of_money_is_thinned_too_early(rfm, monkeypatch, changes):
    """Customers who stay for decades and buy once a year: all purchases simulated say the same of mean and variance."""
    orders = clv.ParetoNBD().from_params({"r": 50.0, "alpha": 2600.0, "s": 50.0, "beta": 1e5}, unit="week")
    spend = clv.GammaGamma().from_params({"p": 2.0, "q": 500.0, "v": 6000.0})
    only = {"order_cost": 0.0, "maintenance_cost": 0.0} | changes
    thinned = book_of(orders, spend, rfm, **only).draws(process=True, seed=1)
    book = book_of(orders, spend, rfm, **only)
    monkeypatch.setattr(futures, "THINNED_FROM", 1e-9)
    every = book.draws(process=True, seed=2)
    for draws in (thinned, every):
        assert abs(draws.mean() - book.equity) < 4 * draws.std() / np.sqrt(1000)
    assert thinned.std() == pytest.approx(every.std(), rel=0.12)  # 3.5 standard errors


@pytest.mark.parametrize("delta", [0.0, 0.02])
def test_thinned_purchases_keep_the_discounted_sum(delta):
    """Immortal, mortal, leaving after 3 purchases, and both: the mean and nearly the variance of the plain process."""
    n, end = 40_000, 400.0
    kinds = np.repeat(np.arange(4), n)
    lifetime, last = np.array([np.inf, 60.0, np.inf, 60.0])[kinds], np.array([np.inf, np.inf, 3.0, 3.0])[kinds]
    traits = Traits(np.full(4 * n, 0.1), lifetime, last)
    start = -np.log(futures.THINNED_FROM) / delta if delta else np.inf
    generator = np.random.default_rng(0)
    left, bought = _purchases(traits, np.full(4 * n, end), _Thinning(start, delta), generator)
    ours = np.bincount(bought.customer, np.exp(-delta * bought.time) * bought.weight, 4 * n).reshape(4, n)

    gaps = np.cumsum(generator.exponential(10.0, (4 * n, 100)), axis=1)
    kept = (gaps <= np.minimum(lifetime, end)[:, None]) & (np.arange(100) < last[:, None])
    theirs = np.where(kept, np.exp(-delta * gaps), 0.0).sum(axis=1).reshape(4, n)
    third = np.where(np.isfinite(last), gaps[:, 2], np.inf)
    theirs_left = np.minimum(np.minimum(third, lifetime), end).reshape(4, n)
    for mine, plain in ((ours, theirs), (left.reshape(4, n), theirs_left)):
        error = np.sqrt((mine.var(axis=1) + plain.var(axis=1)) / n)
        assert (np.abs(mine.mean(axis=1) - plain.mean(axis=1)) <= 4 * error + 1e-9).all()
        np.testing.assert_allclose(mine.std(axis=1), plain.std(axis=1), rtol=0.03, atol=1e-9)
    if delta:
        assert len(bought.time) < kept.sum()


def test_a_purchase_rate_of_zero_buys_nothing():
    traits = Traits(np.zeros(2), np.full(2, np.inf), np.array([2.0, np.inf]))
    left, bought = _purchases(traits, np.full(2, 50.0), _Thinning(np.inf, 0.0), np.random.default_rng(0))
    np.testing.assert_array_equal(left, 50.0)
    assert len(bought.time) == 0


@pytest.mark.parametrize("timing", ["continuous", "mid-month", "end-month", "mid-year", "end-year"])
@pytest.mark.parametrize("rate", [0.0, 0.15])
def test_an_annuity_is_the_integral_of_the_factor(timing, rate):
    stated = terms(timing=timing, discount_rate=rate)
    for time in (0.0, 3.3, 52.0, 130.0):
        cuts = np.append(np.arange(0.0, time, 52 / 12), time)
        truth = sum(
            quad(lambda u: float(discount_factor(stated, "week", np.asarray(u))), a, b)[0] for a, b in pairwise(cuts)
        )
        assert float(annuity(stated, "week", np.asarray(time))) == pytest.approx(truth, rel=1e-9)


# ----------------------------------------------------------------------------------------- parameters by segment


@dataclass(frozen=True, eq=False, repr=False)
class OrdersInTwo(TransactionFit):
    """The first customers have the first half of the draws."""

    def parameters(self, histories):
        return in_two(self.draws, np.arange(len(histories)) >= 20)


@dataclass(frozen=True, eq=False, repr=False)
class SpendInTwo(SpendFit):
    def parameters(self, histories):
        return in_two(self.draws, np.arange(len(histories)) % 3 > 0)


def in_two(draws, second):
    halves = draws.reshape(2, -1, draws.shape[1])
    return Parameters(halves, halves[:, 0], second.astype(np.int64))


def test_customers_of_any_two_segments_are_valued(estimator, fits, rfm):
    orders, spend = (
        kind(**{name: getattr(fit, name) for name in fit.__dataclass_fields__})
        for kind, fit in zip((OrdersInTwo, SpendInTwo), fits, strict=True)
    )
    book = book_of(orders, spend, rfm)
    here, there = np.where(np.arange(60) < 20, 0, 6), np.where(np.arange(60) % 3 == 0, 0, 6)
    for draw in range(6):
        pairs = [(0 + draw, 0 + draw), (0 + draw, 6 + draw), (6 + draw, 0 + draw), (6 + draw, 6 + draw)]
        rlv = by_hand(estimator, fits, rfm, pairs)[(here // 6) * 2 + there // 6, np.arange(60)]
        assert book.draws(process=False)[draw] == pytest.approx(rlv.sum(), rel=1e-8)
    assert book.horizons["equity"].iloc[-1] == pytest.approx(book.equity, rel=0.05)
    assert book.equity == pytest.approx(book.draws(process=False).mean(), rel=0.01)
    simulated = book.draws(process=True, seed=1)
    assert simulated.shape == (6,)
