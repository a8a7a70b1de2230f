"""Histories that stay in an engine are those in memory; what leaves it, and what is refused."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import clvmodels as clv
from clvmodels.data import Histories, rfm_summary
from clvmodels.data.statistics import SPEND, TRANSACTIONS
from clvmodels.errors import DataError, UnitError
from tests.engines import KINDS, in_engine, noted, simulated_log, table_of, troubled_log

ELSEWHERE = {"time_zone": "America/New_York", "observation_start": "2023-02-01", "observation_end": "2023-12-31"}
TROUBLE: dict[str, dict[str, Any]] = {
    "exact": {},
    "by day": {"resolution": "day"},
    "by month": {"resolution": "month", "unit": "month"},
    "by hour, in a window, without refunds": {"resolution": "hour", "unit": "day", "returns": "drop", **ELSEWHERE},
    "without values": {"value": None, "resolution": "day", "returns": "drop"},
}
CASES = [*(("parquet", name) for name in TROUBLE), ("ibis", "exact"), ("ibis", "by month")]


@pytest.fixture(scope="module")
def trouble() -> pd.DataFrame:
    return troubled_log()


@pytest.fixture(scope="module")
def summarised(trouble: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function from a kind of log and the name of options to histories in the engine and in memory."""
    logs = {kind: in_engine(trouble, kind, tmp_path_factory.mktemp("log")) for kind in KINDS}

    @cache
    def summarised_once(kind: str, name: str) -> Any:
        options = {"value": "amount", "attributes": ["segment", "cost"], "time_zone": "Europe/Berlin"} | TROUBLE[name]
        with noted():
            return rfm_summary(logs.get(kind, trouble), **options)

    def summarise(kind: str, name: str) -> tuple[Histories, Histories]:
        lazy, memory = summarised_once(kind, name), summarised_once("memory", name)
        assert (lazy.in_memory, memory.in_memory) == (False, True)
        return lazy, memory

    return summarise


# ---------------------------------------------------------------------------------------------------- as in memory


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_histories_are_those_in_memory(kind: str, name: str, summarised: Any) -> None:
    lazy, memory = summarised(kind, name)
    pd.testing.assert_frame_equal(lazy.to_frame(), memory.to_frame(), check_exact=True)
    assert repr(lazy.report) == repr(memory.report)  # NaN is not equal to itself
    assert repr(lazy) == repr(memory)
    assert (lazy.unit, lazy.observation_end, len(lazy)) == (memory.unit, memory.observation_end, len(memory))
    assert lazy.has_spend is memory.has_spend


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_distinct_histories_are_those_in_memory(kind: str, name: str, summarised: Any) -> None:
    lazy, memory = summarised(kind, name)
    for ours, theirs in [[rfm.distinct(names) for rfm in (lazy, memory)] for names in (TRANSACTIONS, SPEND)]:
        np.testing.assert_array_equal(ours.rows, theirs.rows)
        np.testing.assert_array_equal(ours.weight, theirs.weight)
        assert ours.fingerprint == theirs.fingerprint
    np.testing.assert_array_equal(lazy.distinct().index, memory.distinct().index)
    assert lazy.spread() is None
    assert not lazy.spread(SPEND).any()
    assert memory.spread() is memory.spread(SPEND) is None


@pytest.mark.parametrize("by", [[], ["segment"], ["cost", "segment"]], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_cells_are_groups_of_customers(kind: str, by: list[str], summarised: Any) -> None:
    lazy, memory = summarised(kind, "by month")
    cells = lazy.weighted(by)
    frame = memory.to_frame()
    frame["known"] = (frame["frequency"] > 0) & (frame["monetary_value"] >= 0)
    frame["mean"] = frame["monetary_value"].where(frame["known"])
    keys = ["frequency", "recency", "T", "known", *by]
    expected = frame.groupby(keys, dropna=False).agg(customers=("T", "size"), mean=("mean", "mean")).reset_index()
    found = cells.histories.to_frame().rename(columns={"weight": "customers"})
    found["known"] = found["monetary_value"].notna()
    found = found.sort_values(keys, ignore_index=True)
    expected = expected.sort_values(keys, ignore_index=True)
    assert len(expected) > len(memory.distinct().rows)  # some who share a history differ in what is known
    for key in [*keys, "customers"]:
        assert found[key].tolist() == expected[key].tolist()
    np.testing.assert_allclose(found["monetary_value"], expected["mean"], rtol=1e-14)
    np.testing.assert_array_equal(lazy.distinct().rows[cells.place], np.column_stack(cells_columns(cells.histories)))


def cells_columns(histories: Histories) -> list[np.ndarray]:
    return [histories.frequency, histories.recency, histories.T]


def test_instants_are_dated_in_their_zone(summarised: Any) -> None:
    lazy, memory = summarised("parquet", "exact")
    assert str(memory.attributes["first_purchase"].dt.tz) == "Europe/Berlin"
    in_table = table_of(lazy.table)["first_purchase"].dt.tz_localize("UTC")
    assert (in_table.to_numpy() == memory.attributes["first_purchase"].dt.tz_convert("UTC").to_numpy()).all()


def test_the_table_has_the_words_of_the_histories(summarised: Any) -> None:
    lazy, memory = summarised("parquet", "by day")
    assert lazy.table.columns == ("customer_id", *memory.to_frame().columns)
    found = table_of(lazy.table)
    pd.testing.assert_frame_equal(found[memory.to_frame().columns], memory.to_frame(), check_exact=True)
    twice = lazy.table.select("customer_id", twice=2 * lazy.table.frequency)  # one table, however often it is asked for
    np.testing.assert_array_equal(table_of(twice)["twice"], 2 * memory.frequency)


def test_another_unit(summarised: Any) -> None:
    lazy, memory = summarised("parquet", "by day")
    hours, expected = lazy.in_unit("hour"), memory.in_unit("hour")
    pd.testing.assert_frame_equal(hours.to_frame(), expected.to_frame(), check_exact=True)
    np.testing.assert_array_equal(hours.distinct().rows, expected.distinct().rows)
    assert repr(hours) == repr(expected)
    with pytest.raises(UnitError, match="unknown unit of time 'fortnight'"):
        lazy.in_unit("fortnight")


def test_columns_by_customer_are_those_in_memory(summarised: Any) -> None:
    lazy, memory = summarised("parquet", "by day")
    assert type(lazy) is type(memory)
    assert dir(lazy) == dir(memory)
    for name in ("customer_id", "frequency", "recency", "T", "monetary_value"):
        np.testing.assert_array_equal(getattr(lazy, name), getattr(memory, name))
    pd.testing.assert_frame_equal(lazy.attributes, memory.attributes)
    chosen = memory.customer_id[[5, 3]]
    pd.testing.assert_frame_equal(lazy.select(chosen).to_frame(), memory.select(chosen).to_frame())
    ours, theirs = (table_of(rfm.table) for rfm in (lazy, memory))
    pd.testing.assert_frame_equal(ours, theirs, check_dtype=False)
    numbers = np.arange(float(len(memory.distinct().rows)))
    ours, theirs = (table_of(rfm.joined({"number": numbers})) for rfm in (lazy, memory))
    pd.testing.assert_frame_equal(ours, theirs)


def test_customers_without_room_are_not_fetched(
    summarised: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lazy, memory = summarised("parquet", "by day")
    lazy = lazy.in_unit("day")  # nothing is fetched of it yet
    monkeypatch.setattr("clvmodels.data.engine_table.MEMORY_GB", 1e-6)
    message = r"customers take .* GB .*rfm\.write\(path\) or book\.write_customers.*rfm\.collect\(memory_gb=1\)"
    for ask in (lambda: lazy.frequency, lazy.to_frame, lambda: lazy.select([1]), lambda: lazy.collect(memory_gb=1e-6)):
        with pytest.raises(DataError, match=message):
            ask()
    assert len(lazy.distinct().rows) == len(memory.distinct().rows)
    lazy.write(tmp_path / "histories.parquet")
    assert lazy.collect().frequency.sum() == memory.frequency.sum()


# -------------------------------------------------------------------------------------------------------- attributes


@pytest.fixture
def more(summarised: Any) -> pd.DataFrame:
    """Return columns of all customers, and of one more; some are called like those of the engine."""
    ids = [*summarised("parquet", "by day")[1].customer_id, 10**6]
    numbers = np.arange(len(ids))
    table = pd.DataFrame({"customer_id": ids, "channel": np.where(numbers % 2, "shop", "web")})
    return table.assign(age=numbers / 7, spend=np.nan, id=numbers, a0=-numbers).sample(frac=1, random_state=1)


def own_table(more: pd.DataFrame, lazy: Histories) -> Any:
    """Return a table that is computed from the histories, in their engine."""
    backend = ibis.get_backend(lazy.table)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        named = backend.create_table(f"more_{id(more)}", pa.Table.from_pandas(more, preserve_index=False))
        return lazy.table.select("customer_id").left_join(named, "customer_id").drop("customer_id_right")


TABLES: dict[str, Any] = {
    "pandas": lambda more, _: more,
    "index": lambda more, _: more.set_index("customer_id"),
    "polars": lambda more, _: pl.from_pandas(more),
    "arrow": lambda more, _: pa.Table.from_pandas(more, preserve_index=False),
    "memtable": lambda more, _: ibis.memtable(pa.Table.from_pandas(more, preserve_index=False)),
    "its own": own_table,
    "another database": lambda more, _: in_engine(more, "ibis", Path()),
}


@pytest.mark.parametrize(
    ("kind", "table"), [*(("parquet", table) for table in TABLES), ("ibis", "pandas"), ("ibis", "its own")]
)
def test_columns_go_to_their_customers(kind: str, table: str, summarised: Any, more: pd.DataFrame) -> None:
    lazy, memory = summarised(kind, "by day")
    wider = lazy.with_attributes(TABLES[table](more, lazy))
    assert wider.attribute_names[2:] == ("segment", "cost", "channel", "age", "spend", "id", "a0")
    expected = memory.with_attributes(more.drop(columns="spend")).to_frame()
    pd.testing.assert_frame_equal(wider.to_frame().drop(columns="spend"), expected, check_dtype=False)
    pd.testing.assert_frame_equal(table_of(wider.table).drop(columns="spend"), expected, check_dtype=False)
    assert wider.to_frame()["spend"].isna().all()
    assert lazy.attribute_names[2:] == ("segment", "cost")
    assert wider.report is lazy.report
    assert set(wider.weighted(["channel"]).histories.attributes["channel"]) == {"shop", "web"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda more: more[more["customer_id"] % 10 > 0], r"the table lacks \d\d customers of these histories"),
        (lambda more: pd.concat([more, more[more["customer_id"].isin([3, 4])]]), "more than once: 2 rows too many"),
        (lambda more: more.assign(segment=1, recency=2), "have a column 'segment', 'recency' already; rename it"),
        (lambda more: more.assign(Segment=1), "have a column 'Segment' already"),
        (lambda more: more.astype({"customer_id": str}), "ids of the table are string, and those of the histories int"),
        (lambda more: more.assign(customer_id="x"), "ids of the table are string"),
    ],
    ids=["missing", "twice", "taken", "taken but for the case", "text", "other ids"],
)
def test_columns_that_do_not_fit_are_refused(change: Any, message: str, summarised: Any, more: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=message):
        summarised("parquet", "by day")[0].with_attributes(change(more))


def test_a_table_without_customers_is_refused(summarised: Any) -> None:
    with pytest.raises(DataError, match=r"the table has no column 'customer_id' .*its columns are 'customer'"):
        summarised("parquet", "by day")[0].with_attributes(ibis.memtable(pa.table({"customer": [1]})))


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_not_taken_for_customers(kind: str, summarised: Any, more: pd.DataFrame) -> None:
    other = more.rename(columns={"customer_id": "Customer_ID"}).reset_index(drop=True)
    with pytest.raises(DataError, match=r"the table has no column 'customer_id' \(did you mean 'Customer_ID'\?\)"):
        summarised(kind, "by day")[0].with_attributes(other)


def test_an_attribute_with_the_name_of_a_column(tmp_path: Path) -> None:
    """Engines do not tell upper and lower case apart; pandas does."""
    log = clv.datasets.load_cdnow(sample=True).assign(Frequency=1)
    how: dict[str, Any] = {"value": "amount", "resolution": "day", "attributes": ["Frequency"]}
    assert clv.rfm_summary(log, **how).to_frame()["Frequency"].eq(1).all()
    with pytest.raises(DataError, match="cannot be called 'Frequency': histories have such a column; rename it"):
        clv.rfm_summary(in_engine(log, "parquet", tmp_path), **how)


def test_an_attribute_that_is_none_is_named(summarised: Any) -> None:
    lazy, _ = summarised("parquet", "by day")
    with pytest.raises(
        DataError, match=r"did you mean 'segment'\?\); keep columns of the log with .*attributes=\['segmnt'\]"
    ):
        lazy.weighted(["segmnt"])


# ---------------------------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize("kind", KINDS)
def test_histories_are_written_in_the_order_of_the_customers(kind: str, summarised: Any, tmp_path: Path) -> None:
    lazy, memory = summarised(kind, "exact")
    lazy.write(tmp_path / "new" / "histories.parquet")
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["histories.parquet"]
    written = pq.read_table(tmp_path / "new" / "histories.parquet").to_pandas().set_index("customer_id")
    np.testing.assert_array_equal(written.index, memory.customer_id)
    for name in ("frequency", "recency", "T", "monetary_value"):
        np.testing.assert_array_equal(written[name], getattr(memory, name))


def test_the_order_of_the_customers_does_not_depend_on_joins(tmp_path: Path) -> None:
    """Where no two customers are alike, the engine takes the customers for the smaller side of a join."""
    log = simulated_log(30_000, seed=2)
    log["customer_id"] = np.random.default_rng(1).permutation(30_000)[log["customer_id"]]
    rfm = rfm_summary(in_engine(log, "parquet", tmp_path), value="amount")
    assert not rfm.in_memory
    assert len(rfm.distinct().rows) == 30_000
    orders = clv.BGNBD().from_params({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, unit="week")
    spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    book = clv.value(orders, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
    book.write_customers(tmp_path / "customers.parquet")
    np.testing.assert_array_equal(pq.read_table(tmp_path / "customers.parquet")["customer_id"], np.arange(30_000))


def test_a_folder_is_not_replaced(summarised: Any, tmp_path: Path) -> None:
    (tmp_path / "histories.parquet").mkdir()
    with pytest.raises(FileExistsError, match="there is a folder of this name"):
        summarised("parquet", "by day")[0].write(tmp_path / "histories.parquet")
    assert list(tmp_path.rglob("*")) == [tmp_path / "histories.parquet"]


def test_a_file_is_replaced_whole_or_not_at_all(
    summarised: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lazy, memory = summarised("parquet", "by day")
    file = tmp_path / "histories.parquet"
    file.write_text("before")
    lazy.write(file)
    assert len(pq.read_table(file)) == len(memory)
    before = file.read_bytes()
    write = type(lazy.backend.engine).write

    def interrupted(*some: Any, **options: Any) -> None:
        write(*some, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(type(lazy.backend.engine), "write", interrupted)
    for target in (file, tmp_path / "place" / "other.parquet"):
        with pytest.raises(KeyboardInterrupt):
            lazy.write(target)
    assert list(tmp_path.iterdir()) == [file]
    assert file.read_bytes() == before
