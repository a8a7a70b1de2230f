"""Cash flow by period: sums to equity, and is what customers are expected to buy, times what it brings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import AssumptionError, FitError
from clvmodels.inference.model_average import ModelAverage
from tests.inference.example_fits import BG, GG, PARETO, around, bg, by_segment, gamma_gamma, pareto
from tests.valuation.test_discounted_sums import BY_SEGMENT, EVERY_DRIVER

BASE = {"discount_rate": 0.15, "margin": 0.3, "year": "52 weeks"}
PLAIN = clv.Assumptions(**BASE)


def assumptions_of(**changed):
    return clv.Assumptions(**{**BASE, **changed})


@pytest.fixture(scope="module")
def rfm():
    table = bg.simulate(300, "52 weeks", seed=3).to_frame().drop(columns=["purchase_rate", "alive"])
    number = np.arange(len(table))
    table["T"] = 52.0 + np.round(np.random.default_rng(1).uniform(0.0, 30.0, len(table)))
    table["monetary_value"] = np.where(table["frequency"] > 0, 20.0 + number % 40, np.nan)
    table["segment"], table["share"] = np.where(number % 3, "web", "shop"), 0.2 + 0.1 * (number % 4)
    return clv.Histories.from_frame(table.reset_index(), unit="week")


def sampled(params=BG, kind=clv.BGNBD, draws=40):
    return kind().from_params(around(params, draws=draws), unit="week")


FITS = {
    "BG/NBD": lambda: bg,
    "Pareto/NBD": lambda: pareto,
    "draws": sampled,
    "segments": lambda: by_segment({"shop": sampled(), "web": sampled({**BG, "alpha": 3.0})}),
    "average": lambda: ModelAverage((bg, pareto), (0.7, 0.3), "AIC"),
}
TERMS = {
    "finite": {"horizon": "10 years"},
    "odd horizon": {"horizon": "3.4 years", **EVERY_DRIVER},
    "without end": {**EVERY_DRIVER},
    "own rates": {**BY_SEGMENT, "horizon": "4 years"},
    "at month's ends": {"timing": "end-month", "horizon": "3 years"},
    "falling": {"discount_rate": (0.25, 0.2, 0.1), "growth": 0.03},
}


@pytest.mark.parametrize("terms", TERMS.values(), ids=list(TERMS))
@pytest.mark.parametrize("fit", FITS.values(), ids=list(FITS))
def test_present_values_sum_to_equity(fit, terms, rfm):
    book = clv.value(fit(), gamma_gamma, rfm, assumptions_of(**terms))
    for by, years in (("quarter", None), ("year", 2)):
        table = book.cash_flow(by, years=years, intervals=False)
        assert table["present_value"].sum() == pytest.approx(book.equity, rel=1e-8)
        assert table["cumulative"].iloc[-1] == pytest.approx(book.equity, rel=1e-8)
        assert (table.index[-1] == "later") == (years is not None or book.assumptions.horizon is None)
        lines = [line.name for line in book.lines]
        np.testing.assert_allclose(table[lines].sum(axis=1, skipna=False), table["cash_flow"])


@pytest.mark.parametrize("fit", [bg, pareto], ids=["BG/NBD", "Pareto/NBD"])
def test_undiscounted_amounts_are_purchases_times_what_they_bring(fit, rfm):
    """Closed forms of expected purchases in each quarter, customer by customer; living years by quadrature."""
    book = clv.value(fit, gamma_gamma, rfm, assumptions_of(order_cost=1.5, maintenance_cost=2.0, horizon="2 years"))
    table = book.cash_flow("quarter")
    ends = 13.0 * np.arange(9)
    until = np.stack([fit.expected_purchases(rfm, t)["mean"].to_numpy() for t in ends])
    orders = np.diff(until, axis=0)
    value = gamma_gamma.expected_spend(rfm)["mean"].to_numpy()
    np.testing.assert_allclose(table["contribution_margin"], 0.3 * orders @ value, rtol=1e-8)
    np.testing.assert_allclose(table["order_cost"], -1.5 * orders.sum(axis=1), rtol=1e-8)
    nodes, weights = np.polynomial.legendre.leggauss(12)
    for row in range(8):
        times = 13.0 * (row + 0.5 + 0.5 * nodes)
        living = sum(
            weight * fit.probability_alive(rfm, float(time))["mean"].sum()
            for weight, time in zip(weights, times, strict=True)
        )
        assert table["maintenance_cost"].iloc[row] == pytest.approx(-2.0 * 0.5 * living * 13.0 / 52.0, rel=1e-8)


@pytest.mark.parametrize(("timing", "by", "per"), [("end-year", "year", 1), ("end-month", "month", 12)])
def test_amounts_at_the_end_of_a_period_are_discounted_to_it(timing, by, per, rfm):
    book = clv.value(bg, gamma_gamma, rfm, assumptions_of(timing=timing, horizon="3 years"))
    table = book.cash_flow(by)
    assert len(table) == 3 * per
    factor = 1.15 ** (-np.arange(1.0, 3 * per + 1.0) / per)
    np.testing.assert_allclose(table["present_value"], table["cash_flow"] * factor, rtol=1e-9)


def test_growth_raises_what_orders_bring_later(rfm):
    plain, grown = (
        clv.value(bg, gamma_gamma, rfm, assumptions_of(growth=growth, horizon="4 years")).cash_flow("year")["cash_flow"]
        for growth in (0.0, 0.1)
    )
    rise = (grown / plain).to_numpy()
    assert (rise > 1.1 ** np.arange(4.0)).all()
    assert (rise < 1.1 ** np.arange(1.0, 5.0)).all()


# --------------------------------------------------------------------------------------------------------------- bands


@pytest.mark.parametrize("terms", [{"horizon": "2 years"}, {**EVERY_DRIVER}], ids=["finite", "without end"])
@pytest.mark.parametrize("kind", ["both", "segments"])
def test_bands_are_quantiles_of_the_flows_under_each_draw(kind, terms, rfm):
    spend = clv.GammaGamma().from_params(around(GG, seed=7))
    fit = sampled() if kind == "both" else by_segment({"shop": sampled(), "web": sampled({**BG, "alpha": 3.0})})
    assumptions = assumptions_of(**terms)
    table = clv.value(fit, spend, rfm, assumptions).cash_flow("year", years=2)
    chain, draw = fit.theta.shape[:2]
    alone = []
    for number in range(chain * draw):
        at = np.unravel_index(number, (chain, draw))
        one, money = (replace(each, theta=each.theta[at][None, None], estimate=each.theta[at]) for each in (fit, spend))
        if kind == "segments":
            one = replace(one, segment_theta=fit.segment_theta[:, at[0], at[1]][:, None, None])
        alone.append(clv.value(one, money, rfm, assumptions).cash_flow("year", years=2))
    for name in ("cash_flow", "present_value"):
        values = np.stack([each[name].to_numpy() for each in alone])
        low, high = np.quantile(values, [0.05, 0.95], axis=0)
        np.testing.assert_allclose(table[f"{name}_low"], low, rtol=1e-7)
        np.testing.assert_allclose(table[f"{name}_high"], high, rtol=1e-7)
        np.testing.assert_allclose(table[name], values.mean(axis=0), rtol=2e-3)  # D and Z each on average
    assert table.attrs["covers"] == ("parameters",)


def test_many_draws_come_from_a_few(rfm):
    """Of 300 draws, some stand for all: the bands are those of all, within what their quantiles are known to."""
    fit = sampled(PARETO, clv.ParetoNBD, draws=300)
    book = clv.value(fit, gamma_gamma, rfm, assumptions_of(horizon="1 year", order_cost=1.0))
    table = book.cash_flow("quarter")
    whole = book.draws(process=False)
    first = np.quantile(whole, [0.05, 0.95])
    yearly = book.cash_flow("year")
    np.testing.assert_allclose(yearly[["present_value_low", "present_value_high"]].iloc[0], first, rtol=1e-5)
    assert (table["cash_flow_low"] < table["cash_flow"]).all()
    assert (table["cash_flow"] < table["cash_flow_high"]).all()


def test_rates_that_are_not_sure_widen_the_bands(rfm):
    unsure = rfm.with_attributes(pd.DataFrame({"share_common_sd": 0.05}, index=rfm.customer_id))
    assumptions = assumptions_of(horizon="1 year", margin={"column": "share"})
    tables = [clv.value(sampled(), gamma_gamma, each, assumptions).cash_flow("year") for each in (rfm, unsure)]
    widths = [float((each["cash_flow_high"] - each["cash_flow_low"]).iloc[0]) for each in tables]
    assert widths[1] > 1.2 * widths[0]


def test_bands_can_be_left_out(rfm):
    book = clv.value(sampled(), gamma_gamma, rfm, PLAIN)
    assert "cash_flow_low" not in book.cash_flow("year", intervals=False)
    with pytest.raises(FitError):
        book.cash_flow("year", intervals="no")


# -------------------------------------------------------------------------------------------------------------- dates


def test_periods_are_those_of_the_calendar(rfm):
    dated = replace(rfm, observation_end=pd.Timestamp("2024-02-14"))
    assumptions = clv.Assumptions(discount_rate=0.1, margin=0.3, horizon="1 year")
    table = clv.value(bg, gamma_gamma, dated, assumptions).cash_flow("quarter")
    assert table.index.tolist() == ["2024Q1", "2024Q2", "2024Q3", "2024Q4", "2025Q1"]
    assert table["start"].iloc[0] == pd.Timestamp("2024-02-15")
    assert table["end"].iloc[:2].tolist() == [pd.Timestamp("2024-04-01"), pd.Timestamp("2024-07-01")]
    assert table["end"].iloc[-1] == pd.Timestamp("2024-02-15") + pd.Timedelta(days=365.25)
    days = (table["end"] - table["start"].iloc[0]) / pd.Timedelta(days=1)
    until = np.array([bg.expected_purchases(dated, f"{day} days")["mean"] for day in days])
    value = gamma_gamma.expected_spend(dated)["mean"].to_numpy()
    np.testing.assert_allclose(table["cash_flow"].cumsum(), 0.3 * until @ value, rtol=1e-8)
    monthly = clv.value(bg, gamma_gamma, dated, assumptions).cash_flow("month", years=1)
    assert monthly.index[:2].tolist() == ["2024-02", "2024-03"]
    assert monthly["cash_flow"].sum() == pytest.approx(table["cash_flow"].sum())


def test_customers_of_an_engine():
    lazy = clv.rfm_summary(clv.datasets.path("cdnow.parquet"), value="amount", unit="week", resolution="day")
    there, here = (clv.value(bg, gamma_gamma, each, PLAIN).cash_flow("month", years=1)
                   for each in (lazy, lazy.collect()))  # fmt: skip
    pd.testing.assert_frame_equal(there, here)


def test_contracts_pay_at_the_ends_of_their_periods():
    fit = clv.SBG().from_params({"gamma": 0.764, "delta": 1.296}, unit="year")
    contracts = fit.simulate(50, "3 years", seed=1)
    book = clv.value(fit, 100.0, contracts, clv.Assumptions(discount_rate=0.1, margin=0.3, horizon="3 years"))
    table = book.cash_flow("quarter")
    assert (table["cash_flow"].to_numpy().reshape(3, 4)[:, :3] == 0.0).all()
    paid = fit.expected_purchases(contracts, "1 year")["mean"].sum() * 30.0
    assert table["cash_flow"].iloc[3] == pytest.approx(paid)
    assert table["present_value"].sum() == pytest.approx(book.equity, rel=1e-8)


@pytest.mark.parametrize(("by", "years"), [("week", None), ("month", 0), ("month", 51), ("month", 1.5)])
def test_what_is_no_period_is_refused(by, years, rfm):
    with pytest.raises(AssumptionError):
        clv.value(bg, gamma_gamma, rfm, PLAIN).cash_flow(by, years=years)
