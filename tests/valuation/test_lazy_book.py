"""The valuation of customers in an engine is that of the same customers in memory."""

from __future__ import annotations

from dataclasses import astuple, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import clvmodels as clv
from clvmodels.data import engine_table, grid
from clvmodels.errors import AssumptionError, DataError, FitError
from clvmodels.valuation.book import Book
from tests.engines import KINDS, counted_rows, in_engine, noted, simulated_log, table_of, troubled_log

BG_NBD = {"r": 0.8, "alpha": 6.0, "a": 0.8, "b": 2.4}
SPEND = {"p": 6.0, "q": 4.0, "v": 15.0}
SEGMENTS = {"a": 0.1, "b": 0.2, "moved": 0.05, "ü c": 0.3}
TERMS: dict[str, dict[str, Any]] = {
    "gross": {},
    "costs": {
        "payment_share": 0.02,
        "return_share": 0.2,
        "write_down": 0.5,
        "order_cost": 1.0,
        "returns_per_order": 0.3,
        "return_cost": 2.0,
        "word_of_mouth_cost": 0.1,
        "contacts_per_order": 0.1,
        "contacts_per_year": 0.5,
        "service_cost": 3.0,
        "maintenance_cost": 1.0,
        "loyalty_cost": 0.5,
        "campaigns_per_year": 4.0,
        "contact_cost": 0.05,
        "referrals_per_year": 0.1,
        "referral_value": 10.0,
        "acquisition_cost": 12.0,
        "year": "52 weeks",
        "timing": "end-year",
    },
    "growth, tax and a horizon": {"growth": 0.03, "tax": 0.25, "horizon": "10 years", "currency": "EUR"},
    "costs that fall": {"growth": 0.03, "order_cost": 0.5, "early_order_cost": 2.0, "cost_half_life": "1 year"},
    "by column": {"margin": {"column": "share", "factor": 1.2}, "order_cost": {"column": "cost"}, "tax": 0.1},
    "by segment": {"return_share": {"by": "segment", "rates": SEGMENTS}, "order_cost": 0.5},
    "lines of one's own": {
        "order_cost": {"column": "cost"},
        "lines": [
            {"name": "gift", "driver": "orders", "rate": {"column": "cost", "factor": 2.0}},
            {"name": "fee", "driver": "sales", "rate": {"column": "share", "factor": 0.1}},
            {
                "name": "club",
                "driver": "living years",
                "rate": {"by": "segment", "rates": SEGMENTS},
                "group": "benefit",
            },
            {"name": "self", "driver": "calendar years", "rate": 0.1, "group": "attributed", "sign": -1},
        ],
        "growth": 0.02,
        "tax": 0.1,
    },
    "by both": {
        "margin": {"column": "share"},
        "payment_share": {"by": "segment", "rates": SEGMENTS},
        "return_share": {"column": "share", "factor": 0.5},
        "write_down": {"by": "segment", "rates": SEGMENTS},
        "service_cost": {"column": "cost", "factor": 2.0},
        "contacts_per_order": 0.2,
        "contacts_per_year": {"by": "segment", "rates": SEGMENTS},
        "acquisition_cost": {"column": "cost", "factor": 10.0},
        "growth": 0.02,
    },
}


def terms(name: str, **changed: Any) -> clv.Assumptions:
    return clv.Assumptions.from_mapping({"discount_rate": 0.15, "margin": 0.3, **TERMS[name], **changed})


def fits(draws: int = 0) -> tuple[Any, Any]:
    """Return fits of purchases and of spend, with some draws or as points."""
    noise = np.exp(0.05 * np.random.default_rng(1).standard_normal((2, 1, draws or 1)) * (draws > 0))
    orders = clv.BGNBD().from_params({name: value * noise[0] for name, value in BG_NBD.items()}, unit="week")
    return orders, clv.GammaGamma().from_params({name: value * noise[1] for name, value in SPEND.items()})


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function from a kind of log to its histories: that of a troubled log by the month, or CDNOW."""
    trouble = troubled_log()

    @cache
    def summarised(kind: str) -> Any:
        if kind == "cdnow":
            rfm = clv.rfm_summary(clv.datasets.path("cdnow.parquet"), value="amount", resolution="day")
            return rfm.with_attributes(_columns(rfm.collect().customer_id))
        log = in_engine(trouble, kind, tmp_path_factory.mktemp("log")) if kind in KINDS else trouble
        with noted():
            columns = ["segment", "cost", "share"]
            return clv.rfm_summary(
                log, value="amount", resolution="week", time_zone="Europe/Berlin", attributes=columns
            )

    def of(kind: str) -> tuple[clv.Histories, clv.Histories]:
        there = summarised(kind)
        return there, there.collect() if kind == "cdnow" else summarised("memory")

    return of


def _columns(ids: Any) -> pd.DataFrame:
    number = np.arange(len(ids))
    segment = np.array(list(SEGMENTS))[number % 4]
    columns = {"customer_id": ids, "segment": segment, "cost": number % 5 / 10, "share": 0.2 + number % 4 / 20}
    return pd.DataFrame(columns)


@pytest.fixture(scope="module")
def books(histories: Any) -> Any:
    """Return a function from a kind of log, the name of terms and a number of draws to books there and in memory."""

    @cache
    def valued(kind: str, name: str, draws: int = 0) -> tuple[Book, Book]:
        there, here = (clv.value(*fits(draws), rfm, terms(name)) for rfm in histories(kind))
        assert (there.histories.in_memory, here.histories.in_memory) == (False, True)
        return there, here

    return valued


CASES = [*(("parquet", name) for name in TERMS if name != "gross"), ("ibis", "by both"), ("cdnow", "costs")]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_sums_are_those_in_memory(kind: str, name: str, books: Any) -> None:
    there, here = books(kind, name)
    assert there.equity == pytest.approx(here.equity, rel=1e-12)
    assert repr(there) == repr(here)
    for table in ("statement_lines", "horizons"):
        pd.testing.assert_frame_equal(getattr(there, table), getattr(here, table), rtol=1e-10)
    for by in (None, "segment"):
        pd.testing.assert_frame_equal(there.statement(by), here.statement(by), rtol=1e-10)
    assert there.bought_once() == pytest.approx(here.bought_once(), rel=1e-12)
    assert there.unprofitable() == pytest.approx(here.unprofitable(), rel=1e-12)
    assert there.most_valuable(0.2) == pytest.approx(here.most_valuable(0.2), rel=1e-12)
    assert astuple(there.new_customer) == pytest.approx(astuple(here.new_customer), rel=1e-12)
    assert there.has_draws is here.has_draws is False


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_customers_are_those_in_memory(kind: str, name: str, books: Any) -> None:
    there, here = books(kind, name)
    pd.testing.assert_frame_equal(there.customers, here.customers, rtol=1e-12, check_index_type=False)
    found = table_of(there.customers_table)
    pd.testing.assert_frame_equal(found, here.customers, rtol=1e-12, check_index_type=False)
    assert found["rlv"].sum() == pytest.approx(there.equity, rel=1e-12)
    lines = [line.name for line in there.lines]
    np.testing.assert_allclose(found[lines].sum(axis=1), found["rlv"], rtol=1e-9, atol=1e-9)


def test_intervals_are_those_in_memory(books: Any) -> None:
    there, here = books("parquet", "by segment", 10)
    np.testing.assert_allclose(there.draws(process=False), here.draws(process=False), rtol=1e-11)
    ours, theirs = there.interval(0.8), here.interval(0.8)
    assert (ours.low, ours.high, ours.draws) == pytest.approx((theirs.low, theirs.high, theirs.draws), rel=1e-11)
    pd.testing.assert_frame_equal(there.statement("segment"), here.statement("segment"), rtol=1e-10)
    assert {"low", "high"} <= set(there.statement().columns)
    assert "low" not in there.statement(intervals=False).columns
    assert there.has_draws


def test_other_assumptions(books: Any) -> None:
    there, here = books("parquet", "gross")
    for name in ("costs", "by both", "growth, tax and a horizon"):
        changed = there.with_assumptions(terms(name))
        assert changed.equity == pytest.approx(here.with_assumptions(terms(name)).equity, rel=1e-12)
        assert table_of(changed.customers_table)["rlv"].sum() == pytest.approx(changed.equity, rel=1e-12)
    assert there.with_assumptions(terms("by column")).expectations is there.expectations  # nothing is expected anew
    cheaper = terms("costs", discount_rate=0.1)
    assert there.with_assumptions(cheaper).equity == pytest.approx(here.with_assumptions(cheaper).equity, rel=1e-12)


def test_what_is_known_of_each_customer_is_that_in_memory(books: Any) -> None:
    there, here = books("parquet", "costs")
    assert type(there) is type(here)
    assert dir(there) == dir(here)
    for name in ("rlv", "order_value", "alive", "acquisition_cost"):
        np.testing.assert_allclose(getattr(there, name), getattr(here, name), rtol=1e-12)
    np.testing.assert_allclose(there.rlv_within(3), here.rlv_within(3), rtol=1e-12)
    np.testing.assert_allclose(there.draws(process=True, seed=1), here.draws(process=True, seed=1), rtol=1e-12)
    pd.testing.assert_frame_equal(
        there.customer_intervals(process=True, seed=1), here.customer_intervals(process=True, seed=1), rtol=1e-12
    )
    pd.testing.assert_frame_equal(there.checks().table, here.checks().table, rtol=1e-9)
    asked: list[Any] = [
        lambda book: clv.scenarios(book, {"thin": {"margin": 0.1}}),
        lambda book: book.plot(return_data=True)[1],
    ]
    for ask in asked:
        pd.testing.assert_frame_equal(ask(there), ask(here), rtol=1e-9)
    segment = here.histories.attributes["segment"]
    pd.testing.assert_frame_equal(there.statement(segment), here.statement(segment), rtol=1e-10)
    assert there.collect().histories.in_memory


def test_customers_without_room_are_valued_and_written(
    books: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, here = books("parquet", "costs", 10)
    histories = replace(there.histories, backend=replace(there.histories.backend))  # nothing is fetched of it yet
    there = clv.value(there.transactions, there.spend, histories, there.assumptions)
    monkeypatch.setattr(engine_table, "MEMORY_GB", 1e-6)
    with pytest.raises(DataError, match=r"book\.write_customers\(path\)"):
        _ = there.customers
    ours, theirs = there.statement("segment"), here.statement("segment")
    sums = ours.columns.drop(["low", "high"])
    pd.testing.assert_frame_equal(ours[sums], theirs[sums], rtol=1e-10)
    # futures are simulated of customers who spend the mean of those with the same history
    wide = (theirs["high"] - theirs["low"]).to_numpy()
    assert (np.abs(ours["high"] - theirs["high"]) < 0.02 * wide).all()
    assert (np.abs(ours["low"] - theirs["low"]) < 0.02 * wide).all()
    there.write_customers(tmp_path / "customers.parquet")
    written = pd.read_parquet(tmp_path / "customers.parquet").set_index("customer_id")
    pd.testing.assert_frame_equal(written, here.customers[written.columns], rtol=1e-12, check_index_type=False)


# ---------------------------------------------------------------------------------------------------------- refused


def test_products_of_two_columns_are_summed_over_customers(histories: Any) -> None:
    both = terms("gross", returns_per_order={"column": "share"}, return_cost={"column": "cost"})
    there, here = (clv.value(*fits(), rfm, both) for rfm in histories("parquet"))
    assert there.equity == pytest.approx(here.equity, rel=1e-12)
    assert table_of(there.customers_table)["rlv"].sum() == pytest.approx(here.equity, rel=1e-12)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"margin": {"column": "shares"}}, r"margin: unknown column of the customers 'shares'.*\(did you mean 'share'"),
        ({"margin": {"column": "cost_sd"}}, r"margin: unknown column .*attributes=\[['\"]cost_sd['\"]\]"),
        ({"margin": {"column": "segment"}}, "margin: the column 'segment' does not hold numbers"),
        ({"margin": {"by": "segment", "rates": {"a": 0.1, "b": 0.2}}}, "margin: unknown segment '(moved|ü c)'"),
        ({"order_cost": {"column": "gap"}}, r"'gap' is missing or outside of 0 to inf for 5 customers"),
        ({"margin": {"column": "percent"}}, r"'percent' is missing or outside of 0 to 1 for \d\d\d customers"),
        ({"margin": {"column": "nan"}}, r"'nan' is missing or outside of 0 to 1 for \d\d\d customers"),
    ],
    ids=["misspelt", "without", "text", "segment", "missing", "too high", "nan"],
)
def test_rates_that_are_not_known_of_all_are_refused(changed: dict[str, Any], message: str, histories: Any) -> None:
    there, here = histories("parquet")
    ids = here.customer_id
    gap = np.where(np.arange(len(ids)) < 5, np.nan, 1.0)
    more = pd.DataFrame({"customer_id": ids, "gap": pd.array(gap), "percent": 30.0, "nan": np.nan})
    book = clv.value(*fits(), there.with_attributes(more), terms("gross", **changed))
    for what in ("customers_table", "customers", "equity"):
        with pytest.raises(AssumptionError, match=message):
            getattr(book, what)


@pytest.mark.parametrize("by", ["first_purchase", "first_value"])
@pytest.mark.parametrize("kind", KINDS)
def test_first_orders_are_segments_too(kind: str, by: str, tmp_path: Path) -> None:
    log = simulated_log(50, seed=1)
    log["date"] = log["date"].dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    logs = (in_engine(log, kind, tmp_path), log)
    histories = (clv.rfm_summary(one, value="amount", time_zone="Europe/Berlin") for one in logs)
    there, here = (clv.value(*fits(), rfm, terms("gross")).statement(by) for rfm in histories)
    assert list(map(str, there.index)) == list(map(str, here.index))
    np.testing.assert_allclose(there["equity"], here["equity"], rtol=1e-9)


def test_a_segment_that_is_missing_is_refused(histories: Any) -> None:
    there, here = histories("parquet")
    more = pd.DataFrame(
        {"customer_id": here.customer_id, "group": ["x", None] * (len(here) // 2) + ["x"] * (len(here) % 2)}
    )
    book = clv.value(*fits(), there.with_attributes(more), terms("gross"))
    known = f"group is not known of {len(here) // 2} customers"
    with pytest.raises(DataError, match=f"{known}$"):  # its cells have no ids
        book.statement("group")
    with pytest.raises(DataError, match=r"'groop'.*\(did you mean 'group'"):
        book.statement("groop")
    book = clv.value(*fits(), there.with_attributes(more.fillna("total")), terms("gross"))
    with pytest.raises(DataError, match="rename it"):
        book.statement("group")


@pytest.mark.parametrize(
    "values", [[True, False], [1, 2], [1.5, 2.5], pd.to_datetime(["2024-01-01", "2024-02-01"])], ids=str
)
def test_segments_of_any_type(values: Any, histories: Any) -> None:
    there, here = histories("parquet")
    more = pd.DataFrame(
        {"customer_id": here.customer_id, "group": pd.Series(values)[np.arange(len(here)) % 2].to_numpy()}
    )
    names = [str(value) for value in more["group"].astype(str).unique()]
    rates = terms("gross", order_cost={"by": "group", "rates": dict(zip(names, [0.5, 1.5], strict=True))})
    ours, theirs = (clv.value(*fits(10), rfm.with_attributes(more), rates) for rfm in (there, here))
    assert ours.equity == pytest.approx(theirs.equity, rel=1e-12)
    assert table_of(ours.customers_table)["rlv"].sum() == pytest.approx(ours.equity, rel=1e-12)
    pd.testing.assert_frame_equal(ours.statement("group"), theirs.statement("group"), rtol=1e-10)
    assert ours.statement("group").index.astype(str).tolist() == [*sorted(names), "total"]


def test_draws_of_rates_are_those_of_each_customer(histories: Any) -> None:
    frames = []
    for rfm in histories("parquet"):
        more = pd.DataFrame({"customer_id": rfm.customer_id, "cost_sd": 0.1})
        rates = terms("gross", order_cost={"column": "cost"})
        frames.append(clv.value(*fits(10), rfm.with_attributes(more), rates))
    there, here = frames
    np.testing.assert_allclose(there.draws(process=False), here.draws(process=False), rtol=1e-10)
    pd.testing.assert_frame_equal(there.statement("segment"), here.statement("segment"), rtol=1e-10)
    pd.testing.assert_frame_equal(there.statement_lines, here.statement_lines, rtol=1e-10)


def test_an_interval_needs_draws(books: Any) -> None:
    with pytest.raises(FitError, match="both fits are point estimates"):
        books("parquet", "gross")[0].interval(process=False)


# ---------------------------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize("kind", KINDS)
def test_customers_are_written_in_their_order(kind: str, books: Any, tmp_path: Path) -> None:
    there, here = books(kind, "by both")
    there.write_customers(tmp_path / "customers.parquet")
    written = pq.read_table(tmp_path / "customers.parquet").to_pandas().set_index("customer_id")
    pd.testing.assert_frame_equal(written, here.customers, rtol=1e-12, check_index_type=False)
    before = (tmp_path / "customers.parquet").read_bytes()
    there.write_customers(tmp_path / "customers.parquet")
    assert (tmp_path / "customers.parquet").read_bytes() == before
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileExistsError, match="there is a folder of this name"):
        there.write_customers(tmp_path / "folder")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["customers.parquet", "folder"]


# ---------------------------------------------------------------------------------------------- what leaves the engine


def fetched(customers: int, folder: Path, *, days: bool) -> list[int]:
    """Return how many rows leave the engine with each query of a whole run."""
    with pytest.MonkeyPatch.context() as patch:
        rows = counted_rows(patch)
        _whole_run(customers, folder, days=days)
    return rows


def _whole_run(customers: int, folder: Path, *, days: bool) -> None:
    log = simulated_log(customers, seed=3, weeks=4, days=days)
    log["segment"] = np.array(["a", "b"])[log["customer_id"] % 2]
    file = in_engine(log, "parquet", folder)
    resolution = "day" if days else None
    rfm = clv.rfm_summary(file, value="amount", resolution=resolution, attributes=["segment"], grid=1e-3)
    assert not rfm.in_memory
    assert (rfm.grid is None) is days
    clv.BGNBD().fit(rfm)
    clv.GammaGamma().fit(rfm)
    orders, spend = fits()
    book = clv.value(orders, spend, rfm, terms("costs"))
    assert len(book.statement("segment")) == 3
    book.most_valuable(0.2)
    orders.expected_purchases(rfm, "52 weeks", as_table=True)
    spend.expected_spend(rfm, as_table=True)
    book.write_customers(folder / "customers.parquet")
    rfm.write(folder / "histories.parquet")
    repr(rfm)


@pytest.mark.filterwarnings("ignore::clvmodels.errors.FitWarning")  # so short a time does not identify a model
@pytest.mark.parametrize("days", [True, False], ids=["by day", "exact times on a grid"])
def test_what_leaves_the_engine_does_not_grow_with_the_customers(
    days: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (engine_table, grid):
        monkeypatch.setattr(module, "EXACT_HISTORIES", 1_000)
    monkeypatch.setattr(engine_table, "STEPS", 20)
    monkeypatch.setattr(grid, "EXACT_SPEND", 1_000)
    monkeypatch.setattr(grid, "SPEND_STEP", 0.1)
    few, many = (fetched(customers, tmp_path, days=days) for customers in (5_000, 20_000))
    assert sum(few) > 1_000
    assert sum(many) < 2.0 * sum(few)
    assert sum(many) < 20_000 / 4
