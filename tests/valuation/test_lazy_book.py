"""A valuation in an engine is that of the same customers in memory; what leaves the engine is small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.data import LazyHistories
from clvmodels.errors import AssumptionError, DataError, FitError
from tests.engines import KINDS, counted_rows, in_engine, simulated_log

ORDERS = {"r": 0.8, "alpha": 6.0, "a": 0.8, "b": 2.4}
SPEND = {"p": 6.0, "q": 4.0, "v": 75.0}
TERMS: dict[str, dict[str, Any]] = {
    "margin": {},
    "costs": {"order_cost": 1.0, "campaigns_per_year": 4, "contact_cost": 0.5, "maintenance_cost": 1.0, "tax": 0.2},
    "growth": {"growth": 0.02, "horizon": "10 years", "timing": "mid-year"},
    "by column": {"margin": {"column": "share"}, "order_cost": {"column": "cost", "factor": 1.5}},
    "by segment": {"payment_share": {"by": "segment", "rates": {"a": 0.01, "b": 0.03}}, "acquisition_cost": 10.0},
    "mixed": {
        "margin": {"by": "segment", "rates": {"a": 0.2, "b": 0.4}},
        "acquisition_cost": {"column": "cost", "factor": 20.0},
        "return_share": {"column": "share", "factor": 0.3},
    },
}


def terms(name: str) -> clv.Assumptions:
    return clv.Assumptions.from_mapping({"discount_rate": 0.15, "margin": 0.30, **TERMS[name]})


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    table = simulated_log(3_000, seed=2, days=True)
    ids = table["customer_id"]
    return table.assign(segment=np.where(ids % 3 > 0, "a", "b"), cost=ids % 5 / 10.0, share=0.2 + ids % 4 / 20.0)


@pytest.fixture(scope="module", params=KINDS)
def lazy(request: pytest.FixtureRequest, log: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> LazyHistories:
    source = in_engine(log, request.param, tmp_path_factory.mktemp("log"))
    options: dict[str, Any] = {"value": "amount", "resolution": "day", "attributes": ["segment", "cost", "share"]}
    rfm = clv.rfm_summary(source, **options)
    assert isinstance(rfm, LazyHistories)
    return rfm


def books(lazy: LazyHistories, name: str, draws: int = 1) -> tuple[clv.LazyBook, clv.Book]:
    noise = np.exp(0.02 * np.random.default_rng(1).standard_normal((1, draws))) if draws > 1 else 1.0
    orders = clv.BGNBD().from_params({key: value * noise for key, value in ORDERS.items()}, unit="week")
    spend = clv.GammaGamma().from_params({key: value * noise for key, value in SPEND.items()})
    return (
        clv.value(orders, spend, lazy, terms(name)),
        clv.value(orders, spend, lazy.collect(), terms(name)),
    )


def by_customer(book: clv.LazyBook) -> pd.DataFrame:
    found: pd.DataFrame = book.customers.to_pyarrow().to_pandas().set_index("customer_id").sort_index()
    return found


@pytest.mark.parametrize("name", TERMS)
def test_all_sums_are_those_in_memory(name: str, lazy: LazyHistories) -> None:
    there, here = books(lazy, name)
    assert there.equity == pytest.approx(here.equity, rel=1e-11)
    pd.testing.assert_frame_equal(there.statement(), here.statement(), rtol=1e-9)
    pd.testing.assert_frame_equal(there.statement("segment"), here.statement("segment"), rtol=1e-9)
    pd.testing.assert_frame_equal(there.statement_lines, here.statement_lines, rtol=1e-9)
    pd.testing.assert_frame_equal(there.horizons, here.horizons, rtol=1e-9)
    for part in ("orders", "living_years", "first_order", "repeat", "acquisition_cost"):
        assert getattr(there.new_customer, part) == pytest.approx(getattr(here.new_customer, part), rel=1e-6)
    assert there.bought_once() == pytest.approx(here.bought_once(), rel=1e-9)
    assert there.most_valuable(0.2) == pytest.approx(here.most_valuable(0.2), rel=1e-9)
    assert [line.name for line in there.lines] == [line.name for line in here.lines]


@pytest.mark.parametrize("name", TERMS)
def test_customers_are_those_in_memory_and_add_up(name: str, lazy: LazyHistories) -> None:
    there, here = books(lazy, name)
    table = by_customer(there)
    pd.testing.assert_frame_equal(table, here.customers, rtol=1e-11, check_index_type=False)
    assert table["rlv"].sum() == pytest.approx(there.equity, rel=1e-11)


def test_draws(lazy: LazyHistories) -> None:
    there, here = books(lazy, "costs", draws=20)
    np.testing.assert_allclose(there.draws(), here.draws(), rtol=1e-10)
    assert there.interval(0.8).low == pytest.approx(here.interval(0.8).low, rel=1e-10)
    pd.testing.assert_frame_equal(there.statement("segment"), here.statement("segment"), rtol=1e-9)


def test_an_interval_of_point_estimates_is_refused(lazy: LazyHistories) -> None:
    with pytest.raises(FitError, match="needs a fit with draws"):
        books(lazy, "margin")[0].interval()


def test_other_assumptions(lazy: LazyHistories) -> None:
    there, here = books(lazy, "margin")
    for changes in ({"margin": 0.2}, {"discount_rate": 0.1}):
        changed = terms("margin").changed(changes)
        assert there.under(changed).equity == pytest.approx(here.under(changed).equity, rel=1e-11)


def test_collected(lazy: LazyHistories) -> None:
    there, here = books(lazy, "costs")
    assert isinstance(there.collect(), clv.Book)
    assert there.collect().equity == here.equity
    assert repr(there) == repr(here)


def test_customers_are_written_whole_or_not_at_all(lazy: LazyHistories, tmp_path: Path) -> None:
    book = books(lazy, "costs")[0]
    book.write_customers(tmp_path / "customers.parquet")
    written = pd.read_parquet(tmp_path / "customers.parquet")
    assert written["customer_id"].is_monotonic_increasing
    pd.testing.assert_frame_equal(written.set_index("customer_id"), by_customer(book))
    (tmp_path / "folder.parquet").mkdir()
    with pytest.raises(FileExistsError):
        book.write_customers(tmp_path / "folder.parquet")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["customers.parquet", "folder.parquet"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"returns_per_order": {"column": "cost"}, "return_cost": {"column": "share"}}, r"both stated by column"),
        ({"margin": {"column": "cots"}}, r"margin: .*did you mean 'cost'"),
        ({"write_down": {"column": "cost", "factor": 1.0}, "margin": {"column": "beyond"}}, r"margin: .*'beyond'"),
        ({"margin": {"by": "segment", "rates": {"a": 0.2}}}, r"margin: .*'b'"),
    ],
)
def test_rates_that_cannot_be_summed_are_refused(changes: dict[str, Any], message: str, lazy: LazyHistories) -> None:
    orders, spend = clv.BGNBD().from_params(ORDERS, unit="week"), clv.GammaGamma().from_params(SPEND)
    stated = clv.Assumptions.from_mapping({"discount_rate": 0.15, "margin": 0.30, **changes})
    with pytest.raises(AssumptionError, match=message):
        _ = clv.value(orders, spend, lazy, stated).equity


def test_a_column_out_of_range_is_refused(lazy: LazyHistories) -> None:
    table = lazy.table.select("customer_id").to_pyarrow().to_pandas()
    wrong = lazy.with_attributes(table.assign(high=np.where(table["customer_id"] < 3, 1.5, 0.2)))
    orders, spend = clv.BGNBD().from_params(ORDERS, unit="week"), clv.GammaGamma().from_params(SPEND)
    stated = clv.Assumptions.from_mapping({"discount_rate": 0.15, "margin": {"column": "high"}})
    with pytest.raises(AssumptionError, match=r"'high' is missing or outside of 0 to 1 for 3 customers"):
        _ = clv.value(orders, spend, wrong, stated).equity


def test_an_attribute_that_is_none(lazy: LazyHistories) -> None:
    with pytest.raises(DataError, match=r"'segmnt'.*'segment'"):
        books(lazy, "margin")[0].statement("segmnt")


# ------------------------------------------------------------------------------------------- what leaves the engine


def test_what_leaves_does_not_grow_with_the_customers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of four times as many customers within the same weeks, hardly more rows leave: fewer than there are customers."""
    monkeypatch.setattr("clvmodels.data.grid.EXACT_SPEND", 1_000)
    monkeypatch.setattr("clvmodels.data.grid.SPEND_STEP", 0.05)
    rows, fetched = counted_rows(monkeypatch), {}
    for customers in (30_000, 120_000):
        folder = tmp_path / str(customers)
        folder.mkdir()
        log = simulated_log(customers, seed=3, weeks=16, days=True)
        source = in_engine(log.assign(segment=log["customer_id"] % 2), "parquet", folder)
        before = sum(rows)
        rfm = clv.rfm_summary(source, value="amount", unit="week", resolution="day", attributes=["segment"])
        assert isinstance(rfm, LazyHistories)
        orders, spend = clv.BGNBD().fit(rfm), clv.GammaGamma().fit(rfm)
        book = clv.value(orders, spend, rfm, terms("costs"))
        assert book.equity
        book.statement("segment")
        book.most_valuable(0.2)
        orders.expected_purchases(rfm, "52 weeks")
        spend.expected_spend(rfm)
        book.write_customers(folder / "customers.parquet")
        assert len(rfm) == customers
        fetched[customers] = sum(rows) - before
    assert fetched[120_000] < 120_000
    assert fetched[120_000] < 2.5 * fetched[30_000]
