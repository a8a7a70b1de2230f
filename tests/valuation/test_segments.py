"""What segments that differ change in money: against valuations of each segment, and a simulated truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import DataError
from clvmodels.evaluation.checks import checks
from clvmodels.valuation.segments import segment_effect
from tests.inference.segment_bases import simulated

ASSUMPTIONS = clv.Assumptions(discount_rate=0.12, margin=0.3, acquisition_cost=5.0)


@pytest.fixture(scope="module")
def book():
    base = simulated([300, 150, 60], 0.5, seed=21)
    return clv.value(
        clv.ParetoNBD().fit(base.histories), clv.GammaGamma().fit(base.histories), base.histories, ASSUMPTIONS
    )


def test_the_effect_is_the_difference_of_two_valuations(book):
    rfm = book.histories
    table = segment_effect(book, "segment")
    assert table["customers"].to_dict() == {"0000": 300, "0001": 150, "0002": 60}
    assert table["equity"].sum() == pytest.approx(book.equity, rel=1e-9)
    transactions, spend = (each.fit(rfm, by="segment") for each in (clv.ParetoNBD(), clv.GammaGamma()))
    for name, row in table.iterrows():
        members = rfm.select((rfm.attributes["segment"] == name).to_numpy())
        own = clv.value(transactions.segment(name), spend.segment(name), members, ASSUMPTIONS)
        alike = clv.value(book.transactions, book.spend, members, ASSUMPTIONS)
        assert row["equity_by_segment"] == pytest.approx(own.equity, rel=1e-6)
        assert row["equity"] == pytest.approx(alike.equity, rel=1e-6)
        assert row["difference"] == pytest.approx(own.equity - alike.equity, rel=1e-5)
        assert row["new_customer_by_segment"] == pytest.approx(own.new_customer.lifetime_value, rel=1e-9)
        assert row["new_customer"] == pytest.approx(alike.new_customer.lifetime_value, rel=1e-9)


def test_a_book_by_segment_has_the_same_effect(book):
    transactions, spend = (each.fit(book.histories, by="segment") for each in (clv.ParetoNBD(), clv.GammaGamma()))
    apart = clv.value(transactions, spend, book.histories, ASSUMPTIONS)
    pd.testing.assert_frame_equal(segment_effect(apart, "segment"), segment_effect(book, "segment"), rtol=1e-9)
    with pytest.raises(DataError, match="attribute of the histories 'channel'"):
        segment_effect(book, "channel")


def test_the_check_says_whether_segments_differ(book):
    finding = next(each for each in book.checks().findings if each.check == "segments differ: segment")
    assert finding.verdict == ("fine" if finding.figures["moved_share"] < 0.05 else "look")
    assert "Spend: By segment: segments differ" in finding.finding
    assert finding.figures["evidence_spend"] > 0.0
    fits = [each.fit(book.histories, by="segment") for each in (clv.ParetoNBD(), clv.GammaGamma())]
    revenue = [
        (orders.expected_purchases(book.histories, "1 year")["mean"] * spend.expected_spend(book.histories)["mean"])
        for orders, spend in (fits, (book.transactions, book.spend))
    ]
    assert finding.effect == pytest.approx(revenue[0].sum() - revenue[1].sum(), rel=1e-6)


def test_attributes_that_name_no_segments_are_left_out():
    base = simulated([200, 200], 0.0, seed=22)
    rfm = base.histories.with_attributes(
        pd.DataFrame(
            {
                "flag": np.arange(400) % 2 == 0,
                "rate": np.where(np.arange(400) % 2, 0.1, 0.2),
                "postcode": np.arange(400) // 4,
                "same": "A",
                "unknown": np.where(np.arange(400) % 2, "B", None),
            },
            index=base.histories.customer_id,
        )
    )
    orders, spend = clv.ParetoNBD().fit(rfm), clv.GammaGamma().fit(rfm)
    findings = [each for each in checks(orders, spend, rfm).findings if each.check.startswith("segments")]
    assert [each.check for each in findings] == ["segments differ: segment"]
    assert findings[0].verdict == "fine"
    assert "nothing says that segments differ" in findings[0].finding


def within_span(company, name, day):
    """Return what customers of a segment still bring in truth: discounted sales within the time observed.

    Each buys at their own rate if they are a customer still; how much longer they stay depends on their age alone.
    """
    people = company.transactions.drop_duplicates("customer_id").set_index("customer_id")
    people = people.join(company.truth.customers).join(company.truth.parameters, on=["segment", "channel"])
    people = people[(people["segment"] == name) & people["alive"]]
    age = (day - people["date"]).dt.days.to_numpy() / 7.0
    weeks = np.linspace(0.0, 912.0 / 7.0, 2_000)
    s, beta = (people[each].to_numpy()[:, None] for each in ("s", "beta"))
    stay = ((beta + age[:, None]) / (beta + age[:, None] + weeks)) ** s
    lasts = np.trapezoid(stay * 1.12 ** (-weeks * 7.0 / 365.25), weeks)
    return float((people["purchase_rate"] * people["order_value"] * lasts).sum())


@pytest.mark.slow  # 45 s
def test_segments_of_simulated_companies_are_worth_what_they_bring():
    """Eight companies of three segments: within 10 % of truth, or covered by the 90 % interval, in at least 85 %."""
    day = pd.Timestamp("2024-06-30")
    assumptions = clv.Assumptions(discount_rate=0.12, margin=1.0, horizon="912 days")
    right = {}
    for seed in range(1, 9):
        company = clv.datasets.simulate_company(seed, customers=1_500)
        rfm = clv.rfm_summary(
            company.transactions, value="amount", resolution="day", observation_end=day, attributes=["segment"]
        )
        fits = [
            each.fit(rfm, by="segment", method="laplace", draws=400, seed=seed, progress=False)
            for each in (clv.ParetoNBD(), clv.GammaGamma())
        ]
        for name in fits[0].segments:
            members = rfm.select((rfm.attributes["segment"] == name).to_numpy())
            book = clv.value(*fits, members, assumptions)
            truth, interval = within_span(company, name, day), book.interval(0.9)
            right[seed, name] = abs(book.equity / truth - 1.0) <= 0.1 or interval.low <= truth <= interval.high
    assert np.mean(list(right.values())) >= 0.85, right
