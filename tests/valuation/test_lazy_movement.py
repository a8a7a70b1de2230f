"""Why equity changed between two closings in an engine: every line is that of the same histories in memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.data.grid import Grid
from clvmodels.errors import AssumptionError, DataError, UnitError
from tests.engines import counted_rows, in_engine

ORDERS = clv.ParetoNBD().from_params({"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}, unit="week")
LATER = clv.ParetoNBD().from_params({"r": 0.560, "alpha": 11.0, "s": 0.62, "beta": 12.0}, unit="week")
OTHER = clv.BGNBD().from_params({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, unit="week")
SPEND = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
LATER_SPEND = clv.GammaGamma().from_params({"p": 6.0, "q": 4.0, "v": 16.0})
TERMS = clv.Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks", order_cost=1.5, maintenance_cost=1.0, tax=0.1)
NEW_TERMS = clv.Assumptions(discount_rate=0.12, margin=0.25, year="52 weeks", order_cost=1.0, contact_cost=0.1)
OPENING, CLOSING = "1997-02-28", "1997-09-30"
"""Customers of CDNOW first bought until 1997-03-25, so that some are new after the opening."""
NOTHING_NEW = (ORDERS, SPEND, TERMS)
ALL_NEW = (LATER, LATER_SPEND, NEW_TERMS)


def rfm(log, end, *attributes):
    how = {"value": "amount", "unit": "week", "resolution": "day", "attributes": attributes}
    return clv.rfm_summary(log, observation_end=end, **how)


def valued(histories, before=NOTHING_NEW, after=NOTHING_NEW):
    """Return the books of an opening and a closing; each rests on fits and assumptions of its own."""
    return tuple(
        clv.value(orders, spend, one, terms)
        for one, (orders, spend, terms) in zip(histories, (before, after), strict=True)
    )


def with_rows(histories, change):
    """Return histories of other customers in the engine; nothing is counted of them yet."""
    return replace(histories, backend=replace(histories.backend, rows=change(histories.backend.rows)))


@pytest.fixture(scope="module")
def log():
    """The sample, with the segments of the customers; one of them has none."""
    log = clv.datasets.load_cdnow(sample=True)
    number = log["customer_id"].astype(int)
    return log.assign(segment=np.where(number == number.min(), None, np.where(number % 3, "shop", "web")))


@pytest.fixture(scope="module")
def parquet(log, tmp_path_factory):
    return in_engine(log, "parquet", tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="module")
def histories(parquet):
    return rfm(parquet, OPENING, "segment"), rfm(parquet, CLOSING, "segment")


@pytest.fixture(scope="module")
def found(histories):
    """Return the movement between two closings that differ in everything."""
    return clv.movement(*valued(histories, after=ALL_NEW))


@pytest.fixture(scope="module")
def known(found):
    return in_memory(found)


def in_memory(found, restated=None):
    return clv.movement(found.opening.collect(), found.closing.collect(), restated=restated and restated.collect())


def require_same(found, known, by=None):
    """Compare a movement in an engine with that in memory."""
    rounding = 1e-12 * known.closing.equity
    np.testing.assert_allclose(found.table["value"], known.table["value"], rtol=1e-9, atol=rounding)
    zero = known.table["value"] == 0.0
    assert (found.table["value"][zero] == 0.0).all()
    assert abs(found.unexplained) < rounding
    memos = ([one.time, one.realised_margin, one.expected_margin] for one in (found, known))
    np.testing.assert_allclose(*memos, rtol=1e-9)
    if by is not None:
        pd.testing.assert_frame_equal(found.by(by), known.by(by), rtol=1e-9, atol=rounding, check_index_type=False)


def test_every_line_of_the_whole_cohort():
    """Two logs, each in an engine of its own."""
    path = clv.datasets.path("cdnow.parquet")
    found = clv.movement(*valued((rfm(path, OPENING), rfm(path, CLOSING)), after=ALL_NEW))
    require_same(found, in_memory(found))
    lines = found.table["value"]
    assert (lines.drop(["data_corrections", "horizon", "season", "model", "customer_rates"]) != 0.0).all()
    assert lines["silence"] < 0.0 < lines["new_customers"]


def test_the_movement_by_segment(found, known):
    require_same(found, known, by="segment")
    assert found.by("segment").index.isna().sum() == 1
    with pytest.raises(DataError, match=r"unknown column of the customers 'segmnt'.*did you mean 'segment'"):
        found.by("segmnt")


def test_a_line_of_one_s_own(histories):
    number = histories[1].collect().customer_id
    more = pd.DataFrame({"customer_id": number, "gifts": np.arange(len(number)) % 5 / 10.0})
    opening, closing = (one.with_attributes(more) for one in histories)
    line = {"name": "gift", "driver": "orders", "rate": {"column": "gifts"}}
    new = NEW_TERMS.replace({"lines": [line, {"name": "fee", "driver": "sales", "rate": 0.01}]})
    known = TERMS.replace({"lines": [line]})
    found = clv.movement(*valued((opening, closing), before=(ORDERS, SPEND, known), after=(LATER, LATER_SPEND, new)))
    require_same(found, in_memory(found), by="segment")


def test_a_later_valuation_sees_another_future(histories):
    terms = replace(TERMS, growth=0.03, horizon="3 years", timing="mid-year", discount_rate=(0.2, 0.1))
    found = clv.movement(*valued(histories, before=(ORDERS, SPEND, terms), after=(OTHER, SPEND, terms)))
    require_same(found, in_memory(found))
    lines = found.table["value"]
    assert (lines[["horizon", "model"]] != 0.0).all()
    assert (lines[["parameters_transactions", "parameters_spend", "margin", "costs", "rate"]] == 0.0).all()


def test_customers_who_are_gone(histories):
    opening, after = histories
    gone = opening.collect().customer_id[:10]
    found = clv.movement(*valued((opening, with_rows(after, lambda rows: rows.filter(rows.id.notin(gone))))))
    require_same(found, in_memory(found), by="segment")
    rlv = found.opening.collect().customers["rlv"]
    assert found.table.loc["data_corrections", "value"] == pytest.approx(-rlv[gone].sum(), rel=1e-9)


def test_first_purchases_refunded_after_the_opening(log, histories, tmp_path):
    """Who bought only then is gone; others first bought later than the opening thought, and are new."""
    days = log.drop_duplicates(["customer_id", "date"]).groupby("customer_id")["date"]
    first, number, second = days.min(), days.size(), days.nth(1).groupby(log["customer_id"]).min()
    early = first.index[first <= OPENING]
    moved = [name for name in early if number[name] > 1 and OPENING < str(second[name].date()) <= CLOSING][:5]
    customers = [*early[number[early] == 1][:7], *moved]
    firsts = log[log["customer_id"].isin(customers) & (log["date"] == log["customer_id"].map(first))]
    refunded = in_engine(pd.concat([log, firsts.assign(amount=-firsts["amount"])]), "parquet", tmp_path)
    opening, closing = valued((histories[0], rfm(refunded, CLOSING, "segment")))
    with pytest.raises(DataError, match=r"of 5 customers the closing says another first purchase .*: '\d+'.*restated="):
        clv.movement(opening, closing)
    found = clv.movement(opening, closing, restated=histories[0])
    require_same(found, in_memory(found, restated=histories[0]))
    rlv = opening.collect().customers["rlv"]
    assert found.table.loc["data_corrections", "value"] == pytest.approx(-rlv[customers].sum(), rel=1e-9)


def test_a_restated_opening(log, histories, tmp_path):
    """The opening did not know of every tenth row."""
    knew = rfm(in_engine(log[np.arange(len(log)) % 10 > 0], "parquet", tmp_path), OPENING, "segment")
    opening, closing = valued((knew, histories[1]), after=(LATER, SPEND, TERMS))
    with pytest.raises(DataError, match=r"\d+ customers of the closing first bought before .*: '\d+'.*restated="):
        clv.movement(opening, closing)
    found = clv.movement(opening, closing, restated=histories[0])
    require_same(found, in_memory(found, restated=histories[0]), by="segment")
    assert found.table.loc["data_corrections", "value"] > 0.0
    older = with_rows(histories[0], lambda rows: rows.mutate(age=rows.age + 1.0))
    with pytest.raises(DataError, match="by 1 weeks; give rfm_summary the observation_end of the opening"):
        clv.movement(opening, closing, restated=older)


def test_rates_of_customers_who_move_to_another_tier(histories):
    """The margin, first in a column and then of a tier, and a cost in a column: all columns change in between."""

    def described(histories, shift):
        ids = histories.collect().customer_id
        number = ids.astype(int).to_numpy() + shift
        table = {"tier": np.where(number % 4, "a", "b"), "cost": 1.0 + number % 5, "share": 0.2 + number % 7 / 100.0}
        return histories.with_attributes(pd.DataFrame({"customer_id": ids, **table}))

    moved = [described(one, shift) for one, shift in zip(histories, (0, 1), strict=True)]
    shares = replace(TERMS, margin={"column": "share"}, order_cost={"column": "cost"})
    tiers = replace(shares, margin={"by": "tier", "rates": {"a": 0.3, "b": 0.2}})
    found = clv.movement(*valued(moved, before=(ORDERS, SPEND, shares), after=(ORDERS, LATER_SPEND, tiers)))
    require_same(found, in_memory(found), by="tier")
    lines = found.table["value"]
    assert (lines[["order_value", "parameters_spend", "margin", "customer_rates"]] != 0.0).all()
    assert (lines[["parameters_transactions", "costs", "rate"]] == 0.0).all()
    both = replace(TERMS, returns_per_order={"column": "cost"}, return_cost={"column": "share"})
    products = clv.movement(*valued(moved, before=(ORDERS, SPEND, both)))
    require_same(products, in_memory(products))


@pytest.mark.filterwarnings("ignore:the spend of")
def test_spend_that_is_unknown(histories):
    some = [
        with_rows(one, lambda rows: rows.mutate(spend=(rows.spend > 50.0).ifelse(None, rows.spend)))
        for one in histories
    ]
    found = clv.movement(*valued(some))
    require_same(found, in_memory(found))
    assert np.isnan(found.realised_margin)


def test_on_a_grid(found):
    """Of cells so small that only equal histories share them, nothing moves."""
    fine = [book.histories.with_grid(Grid(0.01, 1e-6)) for book in (found.opening, found.closing)]
    np.testing.assert_allclose(
        clv.movement(*valued(fine, after=ALL_NEW)).table["value"], found.table["value"], rtol=1e-9, atol=1e-6
    )


def test_what_leaves_the_engine_does_not_grow_with_the_customers(histories, monkeypatch):
    def twice(rows):
        return rows.union(rows.mutate(id=rows.id + "b"))

    moved = []
    for times in (lambda rows: rows, twice):
        with monkeypatch.context() as patch:
            rows = counted_rows(patch)
            closings = valued([with_rows(one, times) for one in histories], after=ALL_NEW)
            moved.append((clv.movement(*closings).by("segment"), rows))
    (once, few), (double, many) = moved
    assert few == many
    assert max(few) > 1_000
    np.testing.assert_allclose(double, 2.0 * once, rtol=1e-9, atol=1e-9)


def test_tables_of_a_database(log, found, tmp_path):
    table = in_engine(log, "ibis", tmp_path)
    opening, closing = valued((rfm(table, OPENING, "segment"), rfm(table, CLOSING, "segment")), after=ALL_NEW)
    pd.testing.assert_frame_equal(clv.movement(opening, closing).table, found.table, rtol=1e-9)
    for mixed in (clv.movement(found.opening, closing), clv.movement(opening.collect(), closing)):  # fetched
        pd.testing.assert_frame_equal(mixed.table, found.table, rtol=1e-9)


def test_its_face_is_that_of_a_movement_in_memory(found, known):
    assert repr(found) == repr(known)
    assert found.expected_closing == pytest.approx(known.expected_closing, rel=1e-12)
    _, drawn = found.plot(return_data=True)
    pd.testing.assert_frame_equal(drawn, known.plot(return_data=True)[1], rtol=1e-9)
    pd.testing.assert_frame_equal(found.customers, known.customers)
    assert dir(found) == dir(known)


def test_what_cannot_be_compared_is_refused(histories, found):
    opening, closing = found.opening, found.closing
    with pytest.raises(DataError, match=r"must be after the opening, but is 30\.5714 weeks before it"):
        clv.movement(closing, opening)
    with pytest.raises(DataError, match="must be after the opening"):
        clv.movement(closing, closing)
    with pytest.raises(AssumptionError, match="the opening is in '' and the closing in 'EUR'"):
        clv.movement(opening, closing.with_assumptions(replace(NEW_TERMS, currency="EUR")))
    days = clv.ParetoNBD().from_params({"r": 0.553, "alpha": 74.0, "s": 0.606, "beta": 81.7}, unit="day")
    with pytest.raises(UnitError, match="the opening counts time in days and the closing in weeks"):
        clv.movement(clv.value(days, SPEND, histories[0].in_unit("day"), TERMS), closing)
    with pytest.raises(UnitError, match="the restated table counts time in days"):
        clv.movement(opening, closing, restated=histories[0].in_unit("day"))
    for strange in (lambda rows: rows.mutate(id=rows.id + "x"), lambda rows: rows.mutate(id=rows.id.cast("int64"))):
        with pytest.raises(DataError, match="no customer in common"):
            clv.movement(opening, clv.value(ORDERS, SPEND, with_rows(histories[1], strange), TERMS))
