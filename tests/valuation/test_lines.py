"""Every line is linear in its rate; growth, tax, changing rates, and rates by customer are what they say."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad

import clvmodels as clv
from clvmodels.errors import AssumptionError, DataError, DataWarning
from clvmodels.inference.shrinkage import gamma_poisson
from clvmodels.valuation.discounting import annuity, discount_factor
from clvmodels.valuation.line_table import RATES

ORDERS = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
SPEND = {"p": 6.25, "q": 3.74, "v": 15.44}
FULL = {
    "margin": 0.4,
    "payment_share": 0.02,
    "return_share": 0.1,
    "write_down": 0.3,
    "order_cost": 1.5,
    "early_order_cost": 0.9,
    "returns_per_order": 0.15,
    "return_cost": 2.5,
    "word_of_mouth_cost": 0.7,
    "contacts_per_order": 0.2,
    "contacts_per_year": 0.3,
    "service_cost": 4.0,
    "maintenance_cost": 0.6,
    "loyalty_cost": 0.4,
    "campaigns_per_year": 3.0,
    "contact_cost": 0.05,
    "referrals_per_year": 0.1,
    "referral_value": 9.0,
    "acquisition_cost": 12.0,
}


@pytest.fixture(scope="module")
def orders():
    return clv.BGNBD().from_params(ORDERS, unit="week")


@pytest.fixture(scope="module")
def rfm(orders):
    table = orders.simulate(400, "60 weeks", seed=3).to_frame()[["frequency", "recency", "T"]]
    generator = np.random.default_rng(5)
    spend = np.where(table["frequency"] > 0, generator.gamma(6.0, 5.0, len(table)), np.nan)
    table = table.assign(monetary_value=spend, segment=np.where(np.arange(len(table)) % 3 == 0, "A", "B"))
    table["own"] = np.linspace(0.2, 0.5, len(table))
    return clv.Histories.from_frame(table.reset_index(), unit="week")


@pytest.fixture(scope="module")
def spend():
    return clv.GammaGamma().from_params(SPEND)


def valued(orders, spend, rfm, **changes):
    return clv.value(
        orders, spend, rfm, clv.Assumptions(**({"discount_rate": 0.1, "cost_half_life": "1 year"} | FULL | changes))
    )


@pytest.fixture(scope="module")
def book(orders, spend, rfm):
    return valued(orders, spend, rfm)


def test_the_formula_of_the_design(book):
    f, t = book.future, FULL
    by_hand = (
        f.D * f.Z * (t["margin"] - t["return_share"] * t["write_down"] - t["payment_share"])
        - f.D
        * (
            t["order_cost"]
            + t["returns_per_order"] * (t["return_cost"] + t["word_of_mouth_cost"])
            + t["contacts_per_order"] * t["service_cost"]
        )
        - f.E * t["early_order_cost"]
        - f.L * (t["maintenance_cost"] + t["loyalty_cost"] + t["contacts_per_year"] * t["service_cost"])
        - t["campaigns_per_year"] * t["contact_cost"] / np.log(1.1)  # indefinitely, alive or not
        + f.L * t["referrals_per_year"] * t["referral_value"]
    )
    np.testing.assert_allclose(book.rlv, by_hand, rtol=1e-11)
    np.testing.assert_allclose(book.customers[[line.name for line in book.lines]].sum(axis=1), by_hand, rtol=1e-11)
    assert book.statement_lines["value"].sum() == pytest.approx(book.equity, rel=1e-12)


@pytest.mark.parametrize("name", RATES)
def test_every_rate_is_linear(book, name):
    def equity(factor):
        return book.with_assumptions(book.assumptions.replace({name: FULL[name] * factor})).equity

    low, middle, high = equity(0.5), equity(1.0), equity(1.5)
    assert high - middle == pytest.approx(middle - low, abs=1e-9 * abs(book.equity))
    assert (low != high) or name == "acquisition_cost"


def test_without_rates_only_the_gross_equity_is_left(orders, spend, rfm):
    book = valued(orders, spend, rfm, **dict.fromkeys(set(FULL) - {"margin"}, 0.0))
    assert [line.name for line in book.lines] == ["contribution_margin"]
    assert book.equity == pytest.approx(0.4 * (book.future.D * book.future.Z).sum(), rel=1e-12)


def test_rates_by_segment_and_column(book, orders, spend, rfm):
    segment = {"by": "segment", "rates": {"A": 0.3, "B": 0.45}}
    by_segment = book.with_assumptions(book.assumptions.replace({"margin": segment, "contact_cost": 0.0}))
    for name, margin in segment["rates"].items():
        some = rfm.select(np.asarray(rfm.attributes["segment"] == name))
        alone = valued(orders, spend, some, margin=margin, contact_cost=0.0)
        assert by_segment.statement("segment").loc[name, "equity"] == pytest.approx(alone.equity, rel=1e-11)
    own = book.with_assumptions(book.assumptions.replace({"margin": {"column": "own"}}))
    difference = own.rlv - book.rlv
    np.testing.assert_allclose(difference, (rfm.attributes["own"] - 0.4) * book.future.D * book.future.Z, atol=1e-9)
    table = clv.tornado(own, by=0.1)
    assert table.loc["margin", "high"] - own.equity == pytest.approx(
        0.1 * own.statement_lines.loc["contribution_margin", "value"], rel=1e-9
    )


@pytest.mark.parametrize("names", [(1, 2), (True, False), (1.5, 2.0)])
def test_segments_that_are_no_text(names, orders, spend, rfm):
    rates = dict(zip(names, (0.3, 0.45), strict=True))
    segments = pd.DataFrame({"tier": [names[k % 2] for k in range(len(rfm))]}, index=rfm.customer_id)
    book = valued(orders, spend, rfm.with_attributes(segments), margin={"by": "tier", "rates": rates})
    by_text = {"by": "tier", "rates": {str(name): rate for name, rate in rates.items()}}
    assert book.with_assumptions(book.assumptions.replace({"margin": by_text})).equity == book.equity
    with pytest.raises(AssumptionError, match="two rates are given for one tier"):
        valued(orders, spend, rfm, margin={"by": "tier", "rates": rates | {str(names[0]): 0.2}})


def test_bad_rates_are_refused_with_advice(book, rfm):
    for change, message in (
        ({"margin": {"column": "marge"}}, "rfm_summary"),
        ({"margin": {"by": "segment", "rates": {"A": 0.3}}}, "unknown segment 'B'"),
        ({"margin": {"column": "segment"}}, "does not hold numbers"),
        ({"margin": {"colunm": "own"}}, "margin is a number or says where it stands"),
        ({"margin": {"by": "segment", "rates": {"A": 30, "B": 0.3}}}, "30 % is 0.30"),
        ({"order_cost": {"column": "own", "factor": -1.0}}, "a factor is a number from 0 up"),
        ({"margin": {"column": "frequency_of_returns"}}, "unknown column"),
    ):
        with pytest.raises(AssumptionError, match=message):
            _ = book.with_assumptions(book.assumptions.replace(change)).equity
    with pytest.raises(DataError, match="rfm_summary"):
        book.statement("channel")
    few = pd.Series("A", rfm.customer_id[:3])
    with pytest.raises(DataError, match="not known of"):
        book.statement(few)


def test_no_segment_has_the_name_of_the_sum(book, rfm):
    for segments in (["total", "web"], pd.Categorical(["total", "web"])):
        by = pd.Series(segments, rfm.customer_id[:2]).reindex(rfm.customer_id).ffill()
        for intervals in (True, False):
            with pytest.raises(DataError, match=r"the segment 'total' has the name of the row that sums.* to 'Total'"):
                book.statement(by, intervals=intervals)


def test_a_share_scaled_stays_a_share(book, rfm):
    sure = rfm.with_attributes(pd.DataFrame({"all": np.linspace(0.9, 1.0, len(rfm))}, rfm.customer_id))
    costly = clv.value(book.transactions, book.spend, sure, book.assumptions.replace({"margin": {"column": "all"}}))
    table = clv.tornado(costly, by=0.5)
    whole = costly.with_assumptions(costly.assumptions.replace({"margin": 1.0}))
    assert table.loc["margin", "high"] == pytest.approx(whole.equity, rel=1e-12)
    too_much = rfm.with_attributes(pd.DataFrame({"all": 1.01}, rfm.customer_id))
    with pytest.raises(AssumptionError, match="outside of 0 to 1 for 400 customers"):
        _ = clv.value(book.transactions, book.spend, too_much, costly.assumptions).equity


def test_growth_and_tax(book, orders, spend, rfm):
    grown = book.with_assumptions(book.assumptions.replace({"growth": 0.03}))
    at_less = valued(orders, spend, rfm, discount_rate=1.1 / 1.03 - 1.0)
    np.testing.assert_allclose(grown.future.G, at_less.future.D, rtol=1e-9)
    np.testing.assert_allclose(grown.future.D, book.future.D, rtol=1e-12)
    assert grown.horizons["equity"].is_monotonic_increasing
    taxed = book.with_assumptions(book.assumptions.replace({"tax": 0.25}))
    assert taxed.equity == pytest.approx(0.75 * book.equity, rel=1e-12)
    with pytest.raises(AssumptionError, match="not below the discount rate"):
        book.with_assumptions(book.assumptions.replace({"growth": 0.1}))


@pytest.mark.parametrize("timing", ["continuous", "mid-month", "end-year"])
def test_a_rate_that_changes_by_year(book, timing):
    terms = book.assumptions.replace({"discount_rate": [0.05, 0.08, 0.12], "timing": timing, "year": "52 weeks"})
    for years in (0.5, 1.5, 2.5, 6.25):
        factor = discount_factor(terms, "week", np.array([52.0 * years]))[0]
        time = years
        if timing != "continuous":
            period = 1 / 12 if timing == "mid-month" else 1.0
            before = np.ceil(years / period - 1e-9) - 1.0  # the end of a period belongs to it
            time = period * (before + (0.5 if timing == "mid-month" else 1.0))
        spans = np.diff(np.minimum([0.0, 1.0, 2.0, np.inf], time))
        assert factor == pytest.approx(np.prod(1.0 / np.array([1.05, 1.08, 1.12]) ** spans), rel=1e-12)
    cuts = np.arange(0.0, 6.3 * 52, 52 / 12)
    whole = sum(quad(lambda t: discount_factor(terms, "week", np.array([t]))[0], a, b)[0] for a, b in pairwise(cuts))
    assert annuity(terms, "week", cuts[-1:])[0] == pytest.approx(whole, rel=1e-9)
    flat = book.with_assumptions(book.assumptions.replace({"discount_rate": (0.1, 0.1, 0.1)}))
    assert flat.equity == pytest.approx(book.equity, rel=1e-10)
    low = book.with_assumptions(book.assumptions.replace({"discount_rate": (0.05, 0.1)})).equity
    assert book.equity < low < book.with_assumptions(book.assumptions.replace({"discount_rate": 0.05})).equity


def test_draws_go_through_every_line(rfm):
    drawn = {name: np.array([[value, 1.1 * value]]) for name, value in ORDERS.items()}
    money = {name: np.array([[value, 1.02 * value]]) for name, value in SPEND.items()}
    fits = clv.BGNBD().from_params(drawn, unit="week"), clv.GammaGamma().from_params(money)
    changes = {
        "margin": {"column": "own"},
        "order_cost": {"by": "segment", "rates": {"A": 1.0, "B": 2.0}},
        "growth": 0.02,
        "tax": 0.1,
    }
    book = valued(*fits, rfm, **changes)
    for draw in range(2):
        one = clv.BGNBD().from_params({name: value[0, draw] for name, value in drawn.items()}, unit="week")
        two = clv.GammaGamma().from_params({name: value[0, draw] for name, value in money.items()})
        alone = valued(one, two, rfm, **changes)
        assert book.draws(process=False)[draw] == pytest.approx(alone.equity, rel=1e-9)
    table = book.statement("segment")
    assert (table["low"] < table["high"]).all()
    assert table.loc["total", "low"] == pytest.approx(book.interval(0.9).low, rel=1e-9)
    days = pd.Series(pd.to_datetime(["2024-02-01", "2024-01-01"]), ["B", "A"])
    by_day = book.statement(days[rfm.attributes["segment"]].set_axis(rfm.customer_id))
    assert by_day.index.tolist() == ["2024-01-01", "2024-02-01", "total"]
    np.testing.assert_array_equal(by_day, table)
    process = book.draws(process=True, seed=1)
    assert np.isfinite(process).all()


def test_simulated_futures_have_the_expected_lines(orders, spend, rfm):
    book = valued(orders, spend, rfm, growth=0.02, tax=0.2, margin={"column": "own"}, horizon="5 years")
    draws = book.draws(process=True, seed=2)
    assert draws.mean() == pytest.approx(book.equity, abs=4.0 * draws.std() / np.sqrt(len(draws)))


def test_what_is_not_sure_of_a_rate_is_in_the_draws(rfm):
    """Returns an order with a standard deviation: all else known, its part of the draws is sd x cost x orders."""
    rfm = rfm.select(np.arange(len(rfm)) % 4 == 0)
    sd = np.linspace(0.05, 0.15, len(rfm))
    unsure = pd.DataFrame({"back": 0.2, "back_sd": sd}, rfm.customer_id)
    fits = without_uncertainty_else()
    changes = {"returns_per_order": {"column": "back"}, "return_cost": 5.0, "word_of_mouth_cost": 0.0, "tax": 0.2}
    book = valued(*fits, rfm.with_attributes(unsure), **changes)
    plain = valued(*fits, rfm.with_attributes(unsure[["back"]]), **changes)
    assert plain.interval(process=False).sd == pytest.approx(0.0, abs=1e-9)
    expected = 0.8 * 5.0 * sd * book.future.D
    table = book.customer_intervals(process=False)
    np.testing.assert_allclose(table["rlv_sd"], expected, rtol=0.2, atol=1e-4)
    assert np.mean(table["rlv_sd"] / expected) == pytest.approx(1.0, abs=0.01)
    assert book.interval(process=False).sd == pytest.approx(np.sqrt((expected**2).sum()), rel=0.1)
    assert book.interval(process=False).mean == pytest.approx(
        book.equity, abs=4.0 * book.interval(process=False).sd / np.sqrt(1_000)
    )
    again = valued(*fits, rfm.with_attributes(unsure), **changes)
    np.testing.assert_array_equal(again.draws(process=False), book.draws(process=False))
    whole = valued(*fits, rfm.with_attributes(unsure), **changes).statement("segment").loc["total"]
    assert (whole["low"], whole["high"]) == pytest.approx((book.interval(0.9).low, book.interval(0.9).high), rel=1e-9)
    really = book.draws(process=True, seed=1)
    assert really.mean() == pytest.approx(book.equity, abs=4.0 * really.std() / np.sqrt(1_000))


def without_uncertainty_else():
    same = {name: np.full((1, 1_000), value) for name, value in ORDERS.items()}
    return clv.BGNBD().from_params(same, unit="week"), clv.GammaGamma().from_params(SPEND)


@pytest.mark.parametrize("process", [False, True])
def test_what_is_common_to_all_rates_does_not_average_out(rfm, process):
    own, common = 0.02, 0.03
    unsure = pd.DataFrame({"back": 0.2, "back_sd": own, "back_common_sd": common}, rfm.customer_id)
    fits = without_uncertainty_else()
    rates = {"return_cost": 5.0, "word_of_mouth_cost": 0.0}
    book = valued(*fits, rfm.with_attributes(unsure), returns_per_order={"column": "back"}, **rates)
    names = [line.name for line in book.lines]
    draws = book.each.uncertainty(process=process, seed=1).lines[names.index("returns")]
    D = book.future.D
    exact = 5.0 * np.sqrt((own * D) @ (own * D) + (common * D.sum()) ** 2)
    assert abs(draws.mean() - book.statement_lines.loc["returns", "value"]) < 4 * draws.std() / np.sqrt(1_000)
    if not process:
        assert draws.std() == pytest.approx(exact, rel=0.08)
        both = 5.0 * np.hypot(own, common) * D
        np.testing.assert_allclose(book.customer_intervals(process=False)["rlv_sd"], both, rtol=0.2, atol=1e-4)
    assert draws.std() > 0.9 * exact


def test_one_rate_of_all_is_as_sure_as_its_events(rfm):
    """40 contacts say a rate to 16 %, however many the customers are."""
    count = np.zeros(len(rfm))
    count[::10] = 1.0
    rate = gamma_poisson(count, np.ones(len(rfm)))
    assert rate.pooled
    columns = {"asked": rate.mean, "asked_sd": rate.sd, "asked_common_sd": rate.common_sd}
    unsure = rfm.with_attributes(pd.DataFrame(columns, rfm.customer_id))
    book = valued(*without_uncertainty_else(), unsure, contacts_per_order={"column": "asked"}, contacts_per_year=0.0)
    service = book.drawn_lines()[[line.name for line in book.lines].index("service")]
    assert service.std() / -service.mean() == pytest.approx(40**-0.5, rel=0.08)


def test_shares_stay_shares_with_the_mean_that_is_stated(rfm):
    some = np.arange(len(rfm)) % 4
    unsure = {"m": np.array([0.95, 0.3, 1.0, 0.5])[some], "m_sd": np.array([0.1, 0.05, 0.2, 0.0])[some]}
    fits = without_uncertainty_else()
    nothing = dict.fromkeys(set(FULL) - {"margin"}, 0.0)
    book = valued(*fits, rfm.with_attributes(pd.DataFrame(unsure, rfm.customer_id)), margin={"column": "m"}, **nothing)
    sales = book.rlv / unsure["m"]
    sd = np.where(unsure["m"] < 1.0, unsure["m_sd"], 0.0) * sales
    table = book.customer_intervals(process=False)
    np.testing.assert_allclose(table["rlv_sd"], sd, rtol=0.3, atol=1e-4)
    assert table["rlv_sd"].sum() == pytest.approx(sd.sum(), rel=0.02)
    assert (table["rlv_q95"] <= sales * (1.0 + 1e-6)).all()
    assert abs(book.draws(process=False).mean() - book.equity) < 4 * np.sqrt((sd**2).sum() / 1_000)
    common = pd.DataFrame({"m": 0.3, "m_common_sd": 0.05}, rfm.customer_id)
    shared = valued(*fits, rfm.with_attributes(common), margin={"column": "m"}, **nothing)
    assert shared.interval(process=False).sd / shared.equity == pytest.approx(0.05 / 0.3, rel=0.08)
    assert shared.interval(process=False).mean == pytest.approx(shared.equity, rel=0.02)


def test_no_share_varies_more_than_between_none_and_all(rfm):
    unsure = rfm.with_attributes(pd.DataFrame({"m": 0.9, "m_sd": 0.4}, rfm.customer_id))
    book = valued(*without_uncertainty_else(), unsure, margin={"column": "m"})
    message = r"margin: a share of 0.9 has a standard deviation below 0.3, but that of customer \d+ is 0.4 \(400 such"
    with pytest.raises(AssumptionError, match=message):
        book.draws(process=False)
    wide = rfm.with_attributes(pd.DataFrame({"m": 0.9, "m_sd": 0.29}, rfm.customer_id))
    tried = clv.tornado(valued(*without_uncertainty_else(), wide, margin={"column": "m"}), by=0.1)
    assert np.isfinite(tried.loc["margin", ["low", "high"]].astype(float)).all()


def test_segments_draw_their_own_rates():
    """Four segments of the same customers: what is not sure of their rates averages out as without segments."""
    names = ("A", "B", "C", "D")
    table = {"customer_id": range(40), "frequency": np.tile(np.arange(1, 11), 4), "T": 39.0, "monetary_value": 30.0}
    table |= {
        "recency": np.tile(np.linspace(20, 38, 10), 4),
        "segment": np.repeat(names, 10),
        "back": 0.5,
        "back_sd": 0.5,
    }
    with pytest.warns(DataWarning, match="every customer has a repeat purchase"):
        alike = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
    orders, spend = without_uncertainty_else()
    apart = replace(orders, by="segment", segments=names, segment_theta=np.stack([orders.theta] * 4))
    changes = {"returns_per_order": {"column": "back"}, "return_cost": 5.0, "word_of_mouth_cost": 0.0}
    whole, parts = (valued(fit, spend, alike, **changes) for fit in (orders, apart))
    assert parts.interval(process=False).sd == pytest.approx(whole.interval(process=False).sd, rel=0.1)
    by_segment = np.corrcoef(parts.drawn_by(np.repeat(np.arange(4), 10), process=False))
    np.testing.assert_allclose(by_segment, np.eye(4), atol=0.15)


@pytest.mark.parametrize("wrong", [np.nan, -0.1, "unknown"])
def test_how_sure_a_rate_is_must_be_known(orders, spend, rfm, wrong):
    unsure = pd.DataFrame({"back": 0.2, "back_sd": [wrong, *[0.1] * (len(rfm) - 1)]}, rfm.customer_id)
    book = valued(orders, spend, rfm.with_attributes(unsure), returns_per_order={"column": "back"})
    with pytest.raises(AssumptionError, match="returns_per_order: the column 'back_sd' "):
        book.draws(process=True)
