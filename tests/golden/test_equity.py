"""The customer equity of the CDNOW cohort: Fader, Hardie & Lee (2005), JMR 42(4), and what follows from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from tests.golden.published import (
    BG_NBD_39,
    BG_NBD_78_EVERYONE,
    SPEND_78_EVERYONE,
    WEEK_39_ORDERS,
    WEEK_39_SPEND,
    published_terms,
)


def equity(orders, spend, rfm, **changes):
    return clv.value(orders, spend, rfm, published_terms(**changes)).equity


def test_the_published_equity(book, everyone, sample_78, orders, spend):
    assert len(book.customers) == 23_560
    assert book.equity == pytest.approx(1_100_633, abs=100)  # recomputed; 1,100,322 printed
    assert book.equity == pytest.approx(1_100_322, rel=5e-4)
    assert book.customers["rlv"].mean() == pytest.approx(46.716, abs=5e-4)  # 46.70 printed
    assert equity(orders, spend, everyone) == pytest.approx(1_143_833, abs=1)
    assert equity(orders, spend, sample_78) == pytest.approx(104_190, abs=1)


def test_the_class_without_a_repeat_purchase(book, cohort):
    zero = cohort.frequency == 0
    assert zero.sum() == 12_054
    assert book.customers["rlv"][zero].sum() == pytest.approx(53_086, abs=20)  # 53,029 printed
    assert book.customers["rlv"][zero].sum() == pytest.approx(53_029, rel=2e-3)


def test_sums_of_the_drivers(book, orders, cohort):
    assert book.customers["discounted_orders"].sum() == pytest.approx(96_481, abs=0.5)
    assert book.customers["discounted_lifetime"].sum() == pytest.approx(43_445, abs=0.5)
    assert orders.probability_alive(cohort)["mean"].sum() == pytest.approx(10_365.4, abs=0.05)


@pytest.mark.parametrize(
    ("column", "printed"),
    [("recency", (10, 62, 201)), ("frequency", (18, 50, 205)), ("monetary_value", (31, 81, 160))],
)
def test_average_value_by_tercile_of_repeat_buyers(book, cohort, column, printed):
    """The cells depend on how ties are broken: any way of breaking them must lie within a tenth of the printed mean."""
    table = cohort.to_frame()[cohort.frequency > 0]
    rlv = book.customers["rlv"][table.index]
    rank = table[column].rank(method="first")
    means = rlv.groupby(np.ceil(3 * rank / len(table))).mean()
    np.testing.assert_allclose(means, printed, rtol=0.1)


def test_share_within_years(book):
    expected = {1: 20.1, 2: 34.9, 3: 46.3, 5: 62.8, 10: 84.1, 15: 92.9, 20: 96.8, 30: 99.3}
    for years, percent in expected.items():
        assert 100 * book.horizons.loc[years, "share"] == pytest.approx(percent, abs=0.051)


def test_horizons_are_valuations_with_that_horizon(book, orders, spend, cohort):
    for years in (1, 10):
        assert book.horizons.loc[years, "equity"] == pytest.approx(
            equity(orders, spend, cohort, horizon=f"{years} years"), rel=1e-9
        )


@pytest.mark.parametrize(
    ("rate", "value"),
    [(0.08, 1_702_013), (0.10, 1_459_199), (0.12, 1_285_809), (0.15, 1_100_633), (0.18, 968_985), (0.20, 900_175)],
)
def test_discount_rates(rate, value, orders, spend, cohort):
    assert equity(orders, spend, cohort, discount_rate=rate) == pytest.approx(value, abs=1)


@pytest.mark.parametrize(
    ("timing", "value"), [("mid-month", 1_100_618), ("mid-year", 1_098_487), ("end-year", 1_024_345)]
)
def test_timing_conventions(timing, value, orders, spend, cohort):
    assert equity(orders, spend, cohort, timing=timing) == pytest.approx(value, abs=1)


# Model risk on the sample: week, Pareto/NBD, BG/NBD
@pytest.mark.parametrize(("week", "pareto", "bg"), [(39, 78_513, 73_003), (78, 104_190, 90_701)])
def test_model_risk(week, pareto, bg, orders, spend, request):
    rfm = request.getfixturevalue(f"sample_{week}")
    if week == 39:
        spend = clv.GammaGamma().from_params(WEEK_39_SPEND)
        orders = clv.ParetoNBD().from_params(WEEK_39_ORDERS, unit="week")
        other = clv.BGNBD().from_params(BG_NBD_39, unit="week")
    else:
        other = clv.BGNBD().fit(rfm)
    books = [clv.value(fit, spend, rfm, published_terms()) for fit in (orders, other)]
    assert [round(book.equity) for book in books] == pytest.approx([pareto, bg], abs=60)
    if week == 39:
        shares = [book.customers["rlv"][rfm.frequency == 0].sum() / book.equity for book in books]
        assert 100 * np.array(shares) == pytest.approx([11.4, 23.1], abs=0.051)


def without_first_orders(rfm):
    return replace(rfm, backend=replace(rfm.backend, attributes=rfm.attributes.drop(columns="first_value")))


def test_a_new_customer_at_the_order_value_of_the_model(orders, spend, cohort, sample_39):
    """The figures are those of a first order at the model's mean, as where the log knows no first orders."""
    later = clv.value(orders, spend, without_first_orders(cohort), published_terms()).new_customer
    assert later.post_acquisition_value == pytest.approx(66.887, abs=5e-4)
    assert (later.first_orders, later.first_order_value) == (0, later.order_value)
    orders = clv.ParetoNBD().from_params(WEEK_39_ORDERS, unit="week")
    spend = clv.GammaGamma().from_params(WEEK_39_SPEND)
    earlier = clv.value(orders, spend, without_first_orders(sample_39), published_terms()).new_customer
    assert earlier.post_acquisition_value == pytest.approx(52.449, abs=5e-4)


def test_the_first_order_of_a_new_customer_is_that_of_the_log(sample_39):
    """Counted in the log itself: a customer's money on the day of the first purchase."""
    log = clv.datasets.load_cdnow(sample=True)
    log = log[log["date"] <= "1997-09-30"]
    first_day = log["date"] == log.groupby("customer_id")["date"].transform("min")
    mean = log[first_day].groupby("customer_id")["amount"].sum().mean()
    orders = clv.ParetoNBD().from_params(WEEK_39_ORDERS, unit="week")
    spend = clv.GammaGamma().from_params(WEEK_39_SPEND)
    new = clv.value(orders, spend, sample_39, published_terms()).new_customer
    assert (new.first_orders, new.first_order_value) == (2_357, pytest.approx(mean, rel=1e-12))
    assert new.first_order == pytest.approx(0.3 * mean, rel=1e-12)
    repeat = 52.449 - 0.3 * new.order_value
    assert new.post_acquisition_value == pytest.approx(0.3 * mean + repeat, abs=5e-4)


# Growth g near the discount rate, no horizon: the equity at the rate 1.15 / (1 + g) - 1, recomputed
@pytest.mark.parametrize(("growth", "value"), [(0.14, 6_714_729.24), (0.145, 10_016_145.44), (0.149, 24_356_487.03)])
def test_growth_near_the_discount_rate(growth, value, everyone):
    orders = clv.BGNBD().from_params(BG_NBD_78_EVERYONE, unit="week")
    spend = clv.GammaGamma().from_params(SPEND_78_EVERYONE)
    found = equity(orders, spend, everyone, growth=growth)
    assert found == pytest.approx(value, rel=5e-7)  # the parameters are printed to seven digits
    assert found == pytest.approx(equity(orders, spend, everyone, discount_rate=1.15 / (1.0 + growth) - 1.0), rel=1e-9)


def test_results_do_not_depend_on_the_order_of_customers(orders, spend, cohort, book):
    shuffled = cohort.select(np.random.default_rng(0).permutation(cohort.customer_id))
    again = clv.value(orders, spend, shuffled, published_terms())
    assert again.equity == pytest.approx(book.equity, rel=1e-12)
    pd.testing.assert_series_equal(again.customers["rlv"].sort_index(), book.customers["rlv"].sort_index(), rtol=1e-12)
