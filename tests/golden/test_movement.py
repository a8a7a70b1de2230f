"""The movement of customer equity of CDNOW between weeks 39 and 78.

The table was recomputed independently from the raw data with the formulas of `clvmodels.valuation.movement`: published
39-week parameters (Fader, Hardie & Lee 2005, Marketing Science 24(2); Fader & Hardie, note 025) at the opening, 78-week
parameters (Fader, Hardie & Lee 2005, JMR 42(4), replicated to four decimals) at the closing.
"""

from __future__ import annotations

import pytest

import clvmodels as clv
from clvmodels.valuation.movement import movement
from tests.golden.published import WEEK_39_ORDERS, WEEK_39_SPEND, cdnow, published_terms

# Sample of 2,357 and cohort of 23,560 customers
EXPECTED = {
    "opening": (78_513, 803_570),
    "data_corrections": (0, 0),
    "unwind": (8_677, 88_804),
    "release": (-19_191, -196_396),
    "horizon": (0, 0),
    "expected_closing": (67_999, 695_978),
    "new_customers": (0, 0),
    "parameters_transactions": (26_296, 271_580),
    "parameters_spend": (186, 1_327),
    "model": (0, 0),
    "margin": (0, 0),
    "costs": (0, 0),
    "customer_rates": (0, 0),
    "rate": (0, 0),
    "closing": (104_190, 1_100_633),
}
BEHAVIOUR = (9_709, 131_747)
REALISED_MARGIN = (21_293, 223_966)


def opened(rfm):
    orders = clv.ParetoNBD().from_params(WEEK_39_ORDERS, unit="week")
    return clv.value(orders, clv.GammaGamma().from_params(WEEK_39_SPEND), rfm, published_terms())


@pytest.fixture(scope="module")
def sample(orders, spend, sample_39, sample_78):
    return movement(opened(sample_39), clv.value(orders, spend, sample_78, published_terms()))


@pytest.fixture(scope="module")
def everybody(book, cohort):
    earlier = cdnow(sample=False, end="1997-09-30").select(cohort.customer_id)
    return movement(opened(earlier), book)


@pytest.mark.parametrize(("name", "column"), [("sample", 0), ("everybody", 1)])
def test_the_movement_of_cdnow(name, column, request):
    found = request.getfixturevalue(name)
    values = found.table["value"]
    for line, expected in EXPECTED.items():
        assert values[line] == pytest.approx(expected[column], abs=0.51), line
    assert values[["orders", "silence", "order_value"]].sum() == pytest.approx(BEHAVIOUR[column], abs=1.01)
    assert found.realised_margin == pytest.approx(REALISED_MARGIN[column], abs=0.51)
    assert found.time == pytest.approx(39.0, rel=1e-12)


@pytest.mark.parametrize("name", ["sample", "everybody"])
def test_it_adds_up(name, request):
    found = request.getfixturevalue(name)
    assert abs(found.unexplained) < 1e-8
    assert found.expected_closing == found.table.loc["expected_closing", "value"]


def test_silence_loses_and_orders_gain(sample, sample_39, sample_78):
    table = sample.customers
    silent = sample_39.frequency == sample_78.select(sample_39.customer_id).frequency
    assert (table["silence"].to_numpy()[silent] < 0.0).all()
    assert (table["orders"].to_numpy()[silent] == 0.0).all()
    assert (table["silence"].to_numpy()[~silent] == 0.0).all()
    assert table["orders"].sum() > 0.0


def test_the_margin_expected_is_that_of_the_purchases_expected(sample, sample_39):
    fit, spend = sample.opening.transactions, sample.opening.spend
    bought = fit.expected_purchases(sample_39, "39 weeks")["mean"]
    margin = 0.30 * (bought * spend.expected_spend(sample_39)["mean"]).sum()
    assert sample.expected_margin == pytest.approx(margin, rel=1e-9)
