"""The expressions that the package is made of give the same values on Spark as on DuckDB."""

from __future__ import annotations

import datetime as dt
import gc
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clvmodels.data.arithmetic import elapsed, rounded
from clvmodels.data.duckdb_engine import DuckDBLimits, PrivateEngine
from clvmodels.data.occasions import by_customer, netted_occasions
from clvmodels.data.spark_engine import SparkEngine
from clvmodels.data.windows import Window
from clvmodels.data.zones import Clock, parse_zone

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from pyspark.sql import SparkSession

    from clvmodels.data.engine import Engine

BERLIN = parse_zone("Europe/Berlin")
SUMMER = dt.datetime(2024, 3, 31, 1)  # the instant in UTC at which Berlin's clocks went from 2:00 to 3:00
NAN, INF = float("nan"), float("inf")
LARGE = 2**53 + 1
"""A whole number that no float is."""

IDS = [1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, None, LARGE, 6, 6]
TIMES = [
    dt.datetime(2024, 1, 1, 10, 5, 3, 123456),
    dt.datetime(2024, 3, 31, 0, 59, 59, 999999),
    SUMMER,
    dt.datetime(2024, 4, 3),
    dt.datetime(2024, 4, 3, 23, 59, 59, 999999),
    dt.datetime(2023, 12, 31, 23, 59, 59, 999999),
    None,
    dt.datetime(2024, 2, 29),
    dt.datetime(2024, 2, 29, 12),
    dt.datetime(2024, 10, 27, 0, 59, 59, 999999),
    dt.datetime(2024, 10, 27, 1),
    dt.datetime(1969, 12, 31, 23, 0, 0, 1),
    dt.datetime(1900, 1, 1),
    dt.datetime(2024, 5, 5),
    dt.datetime(2024, 5, 5),
]
VALUES = [1.5, -0.5, None, NAN, INF, 0.1, 0.2, 0.1 + 0.2, -1e-300, 1e300, -0.0, 0.0, None, -7.25, 12345.678901]
KEYS = [0.1, 0.2, 0.1 + 0.2, 0.1, 1e300, -0.0, 0.0, None, 0.1, 0.2, 5e-324, 1.0, 2.0, None, 0.1]
TEXTS = [
    *("a", "", "b", None, "x y", "2024-02-30", "20240105", "2024-01-05", "2024-1-5 10:02:03.5", "2024-01-05T10:02:03"),
    *("05.01.2024", "2024-01-05T10:02:03Z", "2024-01-05 10:02:03+02:00", "2024-01-05 10:02", "12:02:03Z"),
]
FLAGS = [True, False, None, True, True, False, True, None, None, False, True, True, False, None, None]
LOG = pa.table(
    {
        "n": pa.array(range(len(IDS)), pa.int64()),
        "id": pa.array(IDS, pa.int64()),
        "t": pa.array(TIMES, pa.timestamp("us")),
        "v": pa.array(VALUES, pa.float64()),
        "k": pa.array(KEYS, pa.float64()),
        "s": pa.array(TEXTS, pa.string()),
        "b": pa.array(FLAGS, pa.bool_()),
    }
)


@dataclass(frozen=True)
class Pair:
    """One table, in Spark and in DuckDB."""

    spark: SparkEngine
    duckdb: PrivateEngine
    tables: tuple[ir.Table, ir.Table]

    @classmethod
    def of(cls, session: SparkSession, table: pa.Table) -> Pair:
        spark, duckdb = SparkEngine.new(session), PrivateEngine.new(DuckDBLimits())
        return cls(spark, duckdb, (spark.send(table), duckdb.send(table)))

    @property
    def both(self) -> tuple[tuple[Engine, ir.Table], ...]:
        return ((self.spark, self.tables[0]), (self.duckdb, self.tables[1]))

    def same(self, expression: Callable[[ir.Table], ir.Table], *, ordered: bool = False) -> list[dict[str, Any]]:
        """Return the rows of an expression, which are the same to the last digit in both."""
        ours, theirs = (rows(engine.run(expression(table)), ordered=ordered) for engine, table in self.both)
        assert list(map(repr, ours)) == list(map(repr, theirs))
        return ours


def rows(table: pa.Table, *, ordered: bool) -> list[dict[str, Any]]:
    """Return rows as they can be compared: whole numbers are of any width, but no float is a decimal."""
    assert not any(pa.types.is_decimal(kind) and kind.scale for kind in table.schema.types), table.schema
    found = [{name: plain(value) for name, value in row.items()} for row in table.to_pylist()]
    return found if ordered else sorted(found, key=repr)


def plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value)
    return value + 0.0 if isinstance(value, float) else value  # a zero has no sign


@pytest.fixture(scope="module")
def log(spark: SparkSession) -> Pair:
    return Pair.of(spark, LOG)


# --------------------------------------------------------------------------------------------------- what is fetched


def test_nothing_is_lost_between_python_and_spark(log: Pair) -> None:
    fetched = log.spark.run(log.tables[0].order_by("n"))
    assert fetched.schema.equals(LOG.schema)
    assert repr(fetched.to_pylist()) == repr(LOG.to_pylist())  # NULL, NaN and a whole number that no float is


def test_doubles_are_keys_of_groups_and_joins(log: Pair) -> None:
    log.same(lambda t: t.group_by("k").aggregate(rows=t.count()))
    log.same(lambda t: t.select("k").distinct())
    counts = pa.table({"key": pa.array([0.1, 0.1 + 0.2, 0.0, None]), "customers": pa.array([1, 2, 3, 4])})
    for engine, table in log.both:
        sent = engine.send(counts)
        joined = engine.run(table.inner_join(sent, table.k == sent.key).select("n", "customers")).sort_by("n")
        assert joined.to_pydict() == {"n": [0, 2, 3, 5, 6, 8, 14], "customers": [1, 2, 1, 3, 3, 1, 1]}


# --------------------------------------------------------------------------------------------------------------- time


def test_dates_and_elapsed_times(log: Pair) -> None:
    end = dt.datetime(2025, 1, 1, 10, 5, 3, 123457)
    first, last = dt.datetime(2024, 4, 3, 23, 59, 59, 999999), dt.datetime(2024, 3, 31)

    def times(t: ir.Table) -> ir.Table:
        truncated = {code: t.t.truncate(code) for code in ("h", "D", "W", "M", "Y")}
        return t.select(
            "n",
            **truncated,
            later=t.t >= ibis.literal(first),
            earlier=t.t < ibis.literal(last),
            moved=t.t + ibis.interval(seconds=-3600),
            exact=elapsed(t.t, ibis.literal(end), "week"),
            days=elapsed(t.t.date(), ibis.literal(end.date()), "day"),
            between=elapsed(t.t, t.t.max().over(ibis.window(group_by=t.id)), "hour"),
        )

    found = {row["n"]: row for row in log.same(times)}
    assert found[0]["exact"] == (366 + 1e-6 / 86_400) / 7
    assert found[0]["days"] == 366.0
    assert found[2]["days"] == 276.0


def test_the_clock_of_a_zone(log: Pair) -> None:
    span = (dt.datetime(1969, 12, 1), dt.datetime(2024, 12, 31))

    def clocks(t: ir.Table) -> ir.Table:
        return t.select(
            "n",
            local=Clock(BERLIN, in_utc=True, span=span).local_times(t.t),
            instant=Clock(BERLIN, span=span).instants(t.t),
        )

    found = {row["n"]: row for row in log.same(clocks)}
    assert found[1]["local"] == dt.datetime(2024, 3, 31, 1, 59, 59, 999999)
    assert found[2]["local"] == dt.datetime(2024, 3, 31, 3)
    assert found[9]["local"] == dt.datetime(2024, 10, 27, 2, 59, 59, 999999)
    assert found[10]["local"] == dt.datetime(2024, 10, 27, 2)


def test_text_as_times(log: Pair) -> None:
    iso = r"^\d{4}-\d{1,2}-\d{1,2}([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?$"
    offset = r":\d{2}(\.\d+)?(Z|[+-]\d{2}(:?\d{2})?)$"

    def read(t: ir.Table) -> ir.Table:
        text = t.s.cast("string").nullif("")
        good, aware = text.re_search(iso), text.re_search(offset)
        times = ibis.ifelse(good, text, None)  # Spark takes more for a time than DuckDB does
        return t.select(
            "n",
            good=good,
            aware=aware,
            instant=times.try_cast("timestamp('UTC', 6)").cast("timestamp(6)"),
            local=ibis.ifelse(aware, None, times).try_cast("timestamp(6)"),
            formatted=ibis.ifelse(text == "05.01.2024", text, None).as_timestamp("%d.%m.%Y").cast("timestamp(6)"),
        )

    found = {row["n"]: row for row in log.same(read)}
    assert found[12]["instant"] == dt.datetime(2024, 1, 5, 8, 2, 3)
    assert found[8]["local"] == dt.datetime(2024, 1, 5, 10, 2, 3, 500000)
    assert found[10]["formatted"] == dt.datetime(2024, 1, 5)
    assert found[5]["local"] is None


# ----------------------------------------------------------------------------------------------- numbers and missing


def test_arithmetic(log: Pair) -> None:
    def numbers(t: ir.Table) -> ir.Table:
        return t.select(
            "n",
            known=ibis.ifelse(t.v.isnan(), None, t.v),
            infinite=(t.v == INF) | (t.v == -INF),
            negative=(t.v < 0).fill_null(False),
            filled=t.v.fill_null(0.0),
            where=ibis.ifelse(t.b, t.k, None),
            case=ibis.cases((t.k < 0.15, 0.25), (t.k < 1, t.k), else_=t.v),
            ratio=t.k / t.v.nullif(0.0),
            weighted=0.1 * t.k + t.v * 0.012345678901234567 - t.n.cast("float64") / 7,
            cell=(ibis.least(t.k, 1e6) / 0.3).floor(),
            square=t.k**2,
            root=t.k.sqrt(),
            one=t.n.isin([1, 2]),
        )

    found = {row["n"]: row for row in log.same(numbers)}
    assert found[3]["known"] is None
    assert found[2]["filled"] == 0.0


def test_rounded_sums(spark: SparkSession) -> None:
    random = np.random.default_rng(1)
    powers = 10.0 ** np.arange(-25, 25)
    edges = [powers * factor for factor in (1.0, 1 - 2**-53, 1 + 2**-52, 9.99999999999949, -3.14159265358979)]
    some = random.normal(size=1_000) * 10.0 ** random.integers(-12, 12, 1_000)
    numbers = [*np.concatenate([*edges, some]).tolist(), 0.0, 1e300, -1e-300, NAN, INF, -INF, None]
    pair = Pair.of(spark, pa.table({"n": pa.array(range(len(numbers))), "v": pa.array(numbers)}))
    found = pair.same(lambda t: t.select("n", rounded=rounded(t.v)))
    assert len({repr(row["rounded"]) for row in found}) < len(numbers)


# ---------------------------------------------------------------------------------------------- groups, windows, sets


def test_aggregates(log: Pair) -> None:
    def sums(t: ir.Table) -> ir.Table:
        return t.group_by("id").aggregate(
            rows=t.count(),
            flagged=t.count(where=t.b.fill_null(False)),
            known=t.v.count(),
            sum=rounded(t.k.sum(where=t.b)),
            whole=t.n.sum(),
            mean=rounded(t.k.mean()),
            first=t.t.min(where=t.b),
            last=t.t.max(),
            value=t.k.argmin(t.t, where=t.k.notnull() & t.t.notnull()),
            low=t.s.min(),
            high=t.v.max(),
        )

    found = {row["id"]: row for row in log.same(sums)}
    assert found[LARGE]["flagged"] == 0
    assert found[3]["value"] is None


def test_a_count_of_nothing(log: Pair) -> None:
    """What the package makes whole, as Spark has no number there."""

    def counts(t: ir.Table) -> ir.Table:
        none = t.filter(t.n < 0)
        return none.aggregate(rows=none.count(), flagged=none.count(where=none.b).fill_null(0), sum=none.k.sum())

    assert log.same(counts) == [{"rows": 0, "flagged": 0, "sum": None}]


def test_windows(log: Pair) -> None:
    def running(t: ir.Table) -> ir.Table:
        until = ibis.window(group_by=t.id, order_by=[t.t, t.n], preceding=None, following=0)
        ranked = ibis.row_number().over(ibis.window(group_by=t.id, order_by=[t.t, t.n]))
        return t.select("n", latest=ibis.ifelse(t.v > 0, t.t, None).max().over(until), place=ranked)

    log.same(running)


def test_sets_and_order(log: Pair) -> None:
    log.same(lambda t: t.select("id").distinct().anti_join(t.filter(t.v > 0), "id"))
    log.same(lambda t: t.semi_join(t.filter(t.v < 0), "id").select("n"))
    log.same(lambda t: t.left_join(t.group_by("id").aggregate(best=t.k.max()), "id").select("n", "best"))
    log.same(lambda t: t.order_by([t.k, t.n]).limit(9).select("n", "k"), ordered=True)


def test_refunds_are_netted(spark: SparkSession) -> None:
    random = np.random.default_rng(2)
    size = 2_000
    start = np.datetime64("2024-01-01", "us")
    value = np.round(random.gamma(2.0, 20.0, size) * np.where(random.random(size) < 0.2, -1, 1), 2)
    transactions = pa.table(
        {
            "id": pa.array(random.integers(0, 300, size)),
            "t": pa.array(start + random.integers(0, 90 * 86_400, size) * np.timedelta64(1, "s")),
            "v": pa.array(value, mask=random.random(size) < 0.05),
        }
    )

    def customers(t: ir.Table) -> ir.Table:
        window = Window(None, None, "day", Clock(BERLIN, in_utc=True, span=(start.item(), dt.datetime(2024, 4, 1))))  # type: ignore[arg-type]
        found = by_customer(netted_occasions(t, window), all_kept=False, has_value=True, all_known=False)
        money = [name for name, kind in found.schema().items() if kind.is_floating()]
        return found.mutate(**{name: rounded(found[name]) for name in money})

    found = Pair.of(spark, transactions).same(customers)
    assert sum(row["gone"] for row in found) > 100
    assert sum(row["orders"] for row in found) > 1_000


# --------------------------------------------------------------------------------------------------- the engine itself


def test_a_kept_table_is_cached_until_nothing_refers_to_it(log: Pair) -> None:
    cached = log.spark.backend._session.sparkContext._jsc.sc().getPersistentRDDs
    kept = log.spark.keep(log.tables[0].group_by("id").aggregate(rows=log.tables[0].count()))
    total = kept.aggregate(rows=kept.rows.sum())
    del kept
    gc.collect()
    assert log.spark.run(total).to_pydict() == {"rows": [len(LOG)]}
    assert cached().size() == 1
    del total
    gc.collect()
    assert cached().size() == 0


def test_views_go_when_nothing_refers_to_them_any_more(log: Pair) -> None:
    def views() -> int:
        gc.collect()
        log.spark.run(log.tables[0].limit(1))
        return len(log.spark.backend._session.catalog.listTables())

    before = views()
    table, other = log.tables[0], log.spark.send(pa.table({"id": [1, 2]}))
    kept = log.spark.keep(table.semi_join(other, "id"))
    del other
    assert views() == before + 2
    assert log.spark.run(kept.aggregate(rows=kept.count())).to_pydict() == {"rows": [6]}
    del kept
    assert views() == before


def test_a_table_of_many_rows_is_sent(log: Pair) -> None:
    many = pa.table({"x": pa.array(np.arange(100_000)), "d": pa.array(np.arange(100_000) / 7)})
    sent = log.spark.send(many)
    found = log.spark.run(sent.aggregate(rows=sent.count(), low=sent.d.min(), high=sent.d.max(), x=sent.x.sum()))
    assert found.to_pylist() == [{"rows": 100_000, "low": 0.0, "high": 99_999 / 7, "x": 99_999 * 50_000}]


def test_parquet_is_written(log: Pair, tmp_path: Path) -> None:
    log.spark.write(log.tables[0].select("id", "t", "v"), tmp_path / "my log ü#100%25", order_by="id")
    assert [path.name for path in tmp_path.iterdir()] == ["my log ü#100%25"]
    read = pq.read_table(tmp_path / "my log ü#100%25")
    assert read.schema.field("t").type in {pa.timestamp("us"), pa.timestamp("us", "UTC")}
    assert sorted(map(repr, read["id"].to_pylist())) == sorted(map(repr, IDS))
    assert sorted(map(repr, read["v"].to_pylist())) == sorted(map(repr, VALUES))


# ---------------------------------------------------------------------------------------------------------- time zones


@pytest.fixture
def berlin(spark: SparkSession) -> SparkSession:
    """Return a user's session, whose clock is Berlin's."""
    session = spark.newSession()
    session.conf.set("spark.sql.session.timeZone", "Europe/Berlin")
    return session


def test_the_users_session_keeps_its_settings_and_views(berlin: SparkSession) -> None:
    before = dict(berlin.conf.getAll)
    engine = SparkEngine.new(berlin)
    table = engine.open(berlin.sql("SELECT TIMESTAMP '2024-03-31 03:00:00' AS t"))
    assert engine.run(table).to_pydict() == {"t": [SUMMER]}
    assert dict(berlin.conf.getAll) == before
    assert berlin.catalog.listTables() == []
    assert berlin.sql("SHOW VIEWS IN global_temp").collect() == []


@pytest.mark.parametrize("kind", ["TIMESTAMP", "TIMESTAMP_NTZ"])
def test_days_are_whole_across_the_change_to_summer_time(berlin: SparkSession, kind: str) -> None:
    engine = SparkEngine.new(berlin)
    days = ("2024-03-30 00:00:00", "2024-03-31 00:00:00", "2024-03-31 23:30:00", "2024-04-01 00:00:00")
    table = engine.open(
        berlin.sql("SELECT * FROM VALUES " + ", ".join(f"({kind} '{day}')" for day in days) + " AS v(t)")
    )
    instants = kind == "TIMESTAMP"
    clock = Clock(BERLIN, in_utc=instants, span=(dt.datetime(2024, 3, 29), dt.datetime(2024, 4, 1)))
    local = clock.local_times(table.t)
    found = engine.run(table.select(t=table.t, local=local, day=local.truncate("D")).order_by("t"))
    shown = [dt.datetime.fromisoformat(day) for day in days]
    assert found["local"].to_pylist() == shown
    assert found["t"].to_pylist() == [clock.to_instant(time) if instants else time for time in shown]
    assert found["day"].to_pylist() == [time.replace(hour=0, minute=0) for time in shown]
    whole = engine.run(table.aggregate(days=elapsed(local.date().min(), local.date().max(), "day")))
    assert whole.to_pydict() == {"days": [2.0]}
