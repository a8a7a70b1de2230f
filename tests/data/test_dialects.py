"""What is asked of an engine, written in the SQL of engines that do not run here.

The page docs/guide/engines.md says what Ibis lacks in which of them; this is where it knows that from. That a query can
be written does not mean that it runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pandas as pd
import pytest
from ibis.common.exceptions import OperationNotDefinedError

import clvmodels as clv
from clvmodels.data.grid import EXACT_SPEND, Grid, spend_cells
from clvmodels.data.ibis_engine import IbisEngine
from tests.engines import in_engine, noted

REFUSAL = re.compile("[Tt]emp(orary)? tables (are not|is not|not yet) supported")
PAGE = Path(__file__).resolve().parents[2] / "docs/guide/engines.md"
NAMES = {
    "Athena": "athena",
    "BigQuery": "bigquery",
    "ClickHouse": "clickhouse",
    "Databricks SQL": "databricks",
    "DataFusion": "datafusion",
    "MySQL": "mysql",
    "Oracle": "oracle",
    "PostgreSQL": "postgres",
    "RisingWave": "risingwave",
    "SQL Server": "mssql",
    "SQLite": "sqlite",
    "Snowflake": "snowflake",
    "Trino": "trino",
}
LOG = pd.DataFrame(
    {
        "customer_id": [1, 1, 2, 3, 3, 3, 4],
        "date": ["2024-01-01", "2024-01-15", "2024-01-08", "2024-01-08", "2024-01-22", "2024-02-12", "2024-01-31"],
        "german": ["01.01.2024", "15.01.2024", "08.01.2024", "08.01.2024", "22.01.2024", "12.02.2024", "31.01.2024"],
        "amount": [20.0, 30.0, 40.0, 50.0, 50.0, 70.0, 10.0],
        "net": [20.0, 30.0, 40.0, 50.0, -20.0, 70.0, None],
        "shop": ["a", "a", "b", "c", "c", "d", "b"],
        "cost": [1.0, 1.0, 2.0, 3.0, 3.0, 3.0, 2.0],
    }
)


# --------------------------------------------------------------------------------------------------- what is asked


def by_day(log: ir.Table) -> None:
    use(summary(log, value="amount", resolution="day"))


def within_a_window_of_months(log: ir.Table) -> None:
    use(summary(log, value="amount", resolution="month", observation_start="2024-01-02"))


def exact_times(log: ir.Table) -> None:
    use(summary(log, value="amount"))


def a_time_zone(log: ir.Table) -> None:
    use(summary(log, value="amount", time_zone="Europe/Berlin"))


def refunds_and_missing_values(log: ir.Table) -> None:
    use(summary(log, value="net", resolution="day"))


def attributes(log: ir.Table) -> None:
    use(summary(log, resolution="day", attributes=["shop"]))


def text(log: ir.Table) -> None:
    use(summary(log.mutate(date=log.date.cast("string")), value="amount"))


def text_in_a_format(log: ir.Table) -> None:
    use(summary(log, time="german", time_format="%d.%m.%Y", value="amount"))


def a_grid(log: ir.Table) -> None:
    exact = summary(log, value="amount")
    use(exact.with_grid(Grid(0.1, 1e-6)))
    exact.backend.engine.run(spend_cells(exact.backend.rows, customers=EXACT_SPEND + 1))


def predictions_and_values(log: ir.Table) -> None:
    book = valued(log, None)
    book.transactions.expected_purchases(book.histories, "52 weeks")
    book.spend.expected_spend(book.histories)
    book.customers, book.most_valuable(0.2), book.statement("shop")


def movement(log: ir.Table) -> None:
    clv.movement(valued(log, "2024-01-28"), valued(log, None)).by("shop")


def valued(log: ir.Table, end: str | None) -> Any:
    rfm = summary(log, value="amount", resolution="day", attributes=["shop", "cost"], observation_end=end)
    orders = clv.BGNBD().from_params({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, unit="week")
    spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    rates = {"margin": {"by": "shop", "rates": dict.fromkeys("abcd", 0.3)}, "order_cost": {"column": "cost"}}
    return clv.value(orders, spend, rfm, clv.Assumptions.from_mapping({"discount_rate": 0.15, **rates}))


def summary(log: ir.Table, **options: Any) -> Any:
    return clv.rfm_summary(log, **options)


def use(rfm: Any) -> None:
    """Ask for what fits and users ask for."""
    rfm.summary, rfm.distinct(), rfm.spread(), rfm.table, rfm.collect()
    if rfm.has_spend:
        assert len(rfm.distinct(("x", "mean")).rows)


TASKS: list[Callable[[ir.Table], None]] = [
    by_day,
    within_a_window_of_months,
    exact_times,
    a_time_zone,
    refunds_and_missing_values,
    attributes,
    text,
    text_in_a_format,
    a_grid,
    predictions_and_values,
]


def asked_by(*tasks: Callable[[ir.Table], None]) -> list[ir.Table]:
    """Return every expression that an engine of Ibis computes, keeps or shows; DuckDB answers."""
    seen: list[ir.Table] = []
    with pytest.MonkeyPatch.context() as patch, noted():
        for name in ("run", "keep", "public"):
            patch.setattr(IbisEngine, name, _noting(getattr(IbisEngine, name), seen))
        table = in_engine(LOG, "ibis", Path())
        log = table.mutate(date=table.date.cast("timestamp(6)"))
        for task in tasks:
            before = len(seen)
            task(log)
            assert len(seen) > before + 5
    return seen


@pytest.fixture(scope="module")
def asked() -> list[ir.Table]:
    return asked_by(*TASKS)


def _noting(method: Callable[..., Any], seen: list[ir.Table]) -> Callable[..., Any]:
    def noted(engine: IbisEngine, expression: ir.Table, **options: Any) -> Any:
        seen.append(expression)
        return method(engine, expression, **options)

    return noted


# -------------------------------------------------------------------------------------------------- what is written


@pytest.mark.parametrize("engine", ["BigQuery", "Trino"])
def test_the_page_says_what_can_be_written_in_which_sql(engine: str, asked: list[ir.Table]) -> None:
    assert lacking(asked, NAMES[engine]) == dict(rows_of_the_page())[engine]


@pytest.mark.slow  # compiles two thousand queries
def test_the_page_says_it_of_all_engines() -> None:
    asked = asked_by(*TASKS, movement)
    assert dict(rows_of_the_page()) == {name: lacking(asked, dialect) for name, dialect in NAMES.items()}


def rows_of_the_page() -> Iterator[tuple[str, set[str]]]:
    """Yield each engine of the table with what has no word in its SQL."""
    _, _, below = PAGE.read_text(encoding="utf-8").partition("| engine | what Ibis lacks there |\n|---|---|\n")
    for line in below.partition("\n\n")[0].splitlines():
        _, engines, operations, _ = line.split("|")
        for engine in engines.split(","):
            yield engine.strip(), set(re.findall(r"`([\w ]+)`", operations))


def lacking(asked: list[ir.Table], dialect: str) -> set[str]:
    """Return what Ibis lacks in an engine: operations that it cannot write, and tables that results are kept in."""
    found = {"temporary tables"} if REFUSAL.search(source(dialect)) else set()
    for expression in asked:
        try:
            assert "SELECT" in ibis.to_sql(expression, dialect=dialect)
        except OperationNotDefinedError as error:
            found.update(re.findall("'(.*?)'", str(error)))
        except NotImplementedError as error:
            found.add(str(error).rpartition(" ")[2])
    return found


def source(dialect: str) -> str:
    """Return the source of a backend of Ibis, which cannot be imported without its driver."""
    found = find_spec(f"ibis.backends.{dialect}")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).read_text(encoding="utf-8")


def test_truth_values_are_not_cast_to_large_whole_numbers(asked: list[ir.Table]) -> None:
    """PostgreSQL refuses that, although it can be written: CAST(true AS BIGINT)."""
    casts = [cast for expression in asked for cast in expression.op().find(ops.Cast)]
    assert len(casts) > 100
    assert not [cast for cast in casts if cast.arg.dtype.is_boolean() and cast.to.is_integer()]
