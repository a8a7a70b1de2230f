"""Several books in one statement: parts and sum, one movement, one interval, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import AssumptionError, DataError

BG = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
ASSUMPTIONS = clv.Assumptions(discount_rate=0.10, margin=0.4, order_cost=1.5, currency="EUR")
FEES = ASSUMPTIONS.replace({"order_cost": 0.0, "maintenance_cost": 2.0})
SPEND = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})


def log() -> pd.DataFrame:
    """Purchases of sixty customers of a shop over two years."""
    generator = np.random.default_rng(4)
    rows = []
    for customer in range(60):
        first = generator.uniform(0.0, 500.0)
        days = first + np.concatenate([[0.0], np.cumsum(generator.exponential(60.0, generator.poisson(3.0)))])
        rows += [(f"shop {customer}", day, generator.gamma(4.0, 8.0)) for day in days if day < 730.0]
    table = pd.DataFrame(rows, columns=["customer_id", "day", "amount"])
    return table.assign(date=pd.Timestamp("2022-01-01") + pd.to_timedelta(table.pop("day").astype(int), unit="D"))


def contracts(end: str) -> clv.Histories:
    """Forty contracts of a year, renewed on 1 July; every third has an end."""
    starts = [f"{2019 + k % 5}-07-01" for k in range(40)]
    ends = [f"{max(int(start[:4]) + 1, 2020 + k % 4)}-06-30" if k % 3 == 0 else None for k, start in enumerate(starts)]
    names = [f"contract {k} of {start}" for k, start in enumerate(starts)]
    table = pd.DataFrame({"customer_id": names, "start": starts, "end": ends, "region": ["n", "s"] * 20})
    return clv.contract_summary(table, observation_end=end)


def shop(end: str) -> clv.Book:
    rfm = clv.rfm_summary(log(), value="amount", unit="week", resolution="day", observation_end=end)
    return clv.value(clv.BGNBD().from_params(BG, unit="week"), SPEND, rfm, ASSUMPTIONS)


def subscription(end: str) -> clv.Book:
    fit = clv.SBG().from_params({"gamma": 0.764, "delta": 1.296}, unit="year")
    return clv.value(fit, 80.0, contracts(end), FEES)


def test_the_statement_shows_the_parts_and_sums_to_the_cent() -> None:
    books = [shop("2023-12-31"), subscription("2023-12-31")]
    both = clv.combine(books)
    table = both.statement()
    assert table.index.tolist() == ["non-contract", "contracts", "total"]
    assert both.equity == pytest.approx(books[0].equity + books[1].equity, abs=0.005)
    for column in ("customers", "discounted_orders", "contribution_margin", "order_cost", "maintenance_cost", "equity"):
        assert table[column].iloc[:2].sum() == pytest.approx(table.loc["total", column], abs=0.005)
    lines = table.loc["total", ["contribution_margin", "order_cost", "maintenance_cost"]].sum()
    assert lines == pytest.approx(both.equity, abs=0.005)
    assert table.loc["contracts", "order_cost"] == 0.0
    within = sum(book.summed(book.rlv_within(3)) for book in books)
    assert table.loc["total", "share_3"] == pytest.approx(within / both.equity, rel=1e-12)
    assert both.horizons.loc[3, "equity"] == pytest.approx(within, rel=1e-12)
    customers = both.customers
    assert customers["rlv"].sum() == pytest.approx(both.equity, rel=1e-12)
    assert customers.groupby("book")["rlv"].sum()["contracts"] == pytest.approx(books[1].equity, rel=1e-12)
    assert not customers["order_cost"].isna().any()
    assert "non-contract" in repr(both)
    assert f"{both.equity:,.2f}" in repr(both)


def test_a_statement_by_a_column_of_all_books() -> None:
    fit, history = clv.SBG().from_params({"gamma": 0.764, "delta": 1.296}, unit="year"), contracts("2023-12-31")
    north = history.customer_id[: len(history) // 2]
    rest = history.customer_id[len(history) // 2 :]
    books = {name: clv.value(fit, 80.0, history.select(ids), FEES) for name, ids in {"a": north, "b": rest}.items()}
    table = clv.combine(books).statement("region")
    whole = clv.value(fit, 80.0, history, FEES).statement("region")
    assert table.index.names == ["book", "region"]
    by_region = table["equity"].drop("total", level="region").groupby("region").sum()
    assert by_region.to_dict() == pytest.approx(whole["equity"].drop("total").to_dict(), rel=1e-12)
    assert table.loc[("total", "total"), "equity"] == pytest.approx(whole.loc["total", "equity"], rel=1e-12)


def test_the_movement_adds_up() -> None:
    opening, closing = (clv.combine([shop(end), subscription(end)]) for end in ("2022-12-31", "2023-12-31"))
    why = clv.movement(opening, closing)
    table = why.table
    assert abs(why.unexplained) < 1e-6
    assert table.loc["opening", "value"] == pytest.approx(opening.equity, abs=0.005)
    assert table.loc["closing", "value"] == pytest.approx(closing.equity, abs=0.005)
    np.testing.assert_allclose(table["value"], table["non-contract"] + table["contracts"], atol=1e-9)
    alone = clv.movement(opening.parts["contracts"], closing.parts["contracts"])
    np.testing.assert_allclose(table["contracts"], alone.table["value"], atol=1e-9)
    assert table.loc["new_customers", "non-contract"] > 0.0
    assert len(why.customers) == len(closing.customers)
    assert "Unwind of the discount" in repr(why)
    with pytest.raises(AssumptionError, match="name them alike"):
        clv.movement(opening, closing.parts["contracts"])  # type: ignore[call-overload]


def drawn(seed: int) -> clv.Fit:
    """A fit with draws that differ much."""
    generator = np.random.default_rng(seed)
    return clv.BGNBD().from_params(BG | {"r": generator.uniform(0.05, 0.6, (1, 200))}, unit="week")  # type: ignore[arg-type]


def test_draws_are_independent_unless_books_share_a_fit() -> None:
    rfm = shop("2023-12-31").histories
    ids = rfm.customer_id
    halves = [rfm.select(ids[:30]), rfm.select(ids[30:])]
    first, second = drawn(1), drawn(2)
    shared = clv.combine([clv.value(first, SPEND, half, ASSUMPTIONS) for half in halves])
    assert shared.pairing == "draws paired: book 1 and book 2 share a fit"
    whole = clv.value(first, SPEND, rfm, ASSUMPTIONS)
    assert np.sort(shared.draws(process=False)) == pytest.approx(np.sort(whole.draws(process=False)), rel=1e-7)
    spends = [SPEND, clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})]
    books = [
        clv.value(fit, spend, half, ASSUMPTIONS)
        for fit, spend, half in zip((first, second), spends, halves, strict=True)
    ]
    apart = clv.combine(books)
    assert apart.pairing == "draws independent between books"
    sds = [book.draws(process=False).std() for book in books]
    assert apart.draws(process=False).std() == pytest.approx(np.hypot(*sds), rel=0.15)
    interval = apart.interval(0.9)
    assert interval.covers[-1] == apart.pairing
    table = apart.statement()
    assert table.loc["total", "low"] == interval.low
    # chance is simulated apart for each book: variances add up, of the same fit, too
    chance = [clv.value(clv.BGNBD().from_params(BG, unit="week"), SPEND, half, ASSUMPTIONS) for half in halves]
    together = clv.combine(chance).draws().std()
    assert together == pytest.approx(np.hypot(*(book.draws().std() for book in chance)), rel=0.15)


def test_what_is_refused() -> None:
    book, other = shop("2023-12-31"), subscription("2023-12-31")
    some = book.histories.select(book.histories.customer_id[:2])
    with pytest.raises(DataError, match=r"2 customers in both 'book 1' and 'book 2': 'shop 0', 'shop 1'"):
        clv.combine([book, clv.value(book.transactions, SPEND, some, ASSUMPTIONS)])  # type: ignore[arg-type]
    with pytest.raises(DataError, match="one closing: observation of 'non-contract' ends 2022-12-31"):
        clv.combine([shop("2022-12-31"), other])
    for name, value in {"discount_rate": 0.12, "currency": "USD", "timing": "end-year", "horizon": "5 years"}.items():
        with pytest.raises(AssumptionError, match=f"the same {name}"):
            clv.combine([book, other.with_assumptions(FEES.replace({name: value}))])
    with pytest.raises(AssumptionError, match="two books or more"):
        clv.combine([book])
    with pytest.raises(AssumptionError, match="cannot be called 'total'"):
        clv.combine({"total": book, "contracts": other})
