"""Logs in engines, for tests: one with all that logs have of trouble, as Parquet and as a table of a user's DuckDB."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from clvmodels.data.duckdb_engine import PrivateEngine
from clvmodels.data.ibis_engine import IbisEngine
from clvmodels.data.spark_engine import SparkEngine
from clvmodels.errors import DataWarning

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pytest

__all__ = ["KINDS", "counted_rows", "in_engine", "noted", "simulated_log", "table_of", "troubled_log"]

KINDS: Final = ("parquet", "ibis")
"""Where a log may lie, of what runs everywhere."""


def simulated_log(customers: int, seed: int, *, weeks: int = 78, days: bool = False) -> pd.DataFrame:
    """Return transactions of customers who begin within the first half of some weeks; by the day, or at exact times.

    Each buys at a constant rate while they live; their orders scatter around a mean of their own.
    """
    rng = np.random.default_rng(seed)
    begin, rate = rng.uniform(0.0, weeks / 2, customers), rng.gamma(0.8, 1 / 6.0, customers)
    lives = np.minimum(rng.exponential(1 / rng.gamma(0.7, 1 / 12.0, customers)), weeks - begin)
    orders = rng.poisson(rate * lives)
    repeat = np.repeat(np.arange(customers), orders)
    times = np.concatenate([begin, begin[repeat] + rng.random(len(repeat)) * lives[repeat]])
    ids = np.concatenate([np.arange(customers), repeat])
    mean = 1.0 / rng.gamma(4.0, 1 / 150.0, customers)
    date = np.datetime64("2023-01-02", "us") + (times * 7 * 86_400e6).astype("timedelta64[us]")
    amount = np.round(rng.gamma(6.0, mean[ids] / 6.0), 2)
    log = pd.DataFrame({"customer_id": ids, "date": date, "amount": amount})
    if days:
        log["date"] = log["date"].dt.floor("D")
    return log.sample(frac=1.0, random_state=seed, ignore_index=True)


def troubled_log(customers: int = 400) -> pd.DataFrame:
    """Return a log with times in a zone, refunds, and rows without customer, time or value.

    ``segment`` changes for some customers, and is missing in some rows; ``cost`` and ``share`` stay as they are.
    """
    log = simulated_log(customers, seed=5, weeks=60)
    rng = np.random.default_rng(6)
    log["date"] = log["date"].dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    log = pd.concat([log, log.sample(50, random_state=1)], ignore_index=True)  # two rows at one instant
    refund, unknown, free = rng.random((3, len(log))) < [[0.08], [0.04], [0.02]]
    log["amount"] = np.where(refund, -log["amount"], log["amount"])
    log.loc[rng.random(len(log)) < 0.02, "amount"] *= 3.0
    log.loc[free, "amount"] = 0.0
    log.loc[unknown, "amount"] = np.nan
    ids = log["customer_id"].to_numpy()
    moved = rng.random(len(log)) < 0.05
    log["segment"] = np.where(moved, "moved", np.array(["a", "b", "ü c"])[ids % 3])
    log.loc[rng.random(len(log)) < 0.05, "segment"] = None
    log["segment"] = log["segment"].where(log["customer_id"] % 7 > 0, "a")
    log["cost"], log["share"] = ids % 5 / 10.0, 0.2 + ids % 4 / 20.0
    log["customer_id"] = log["customer_id"].astype("Int64").mask(rng.random(len(log)) < 0.01)
    log["date"] = log["date"].mask(rng.random(len(log)) < 0.01)
    named = log.loc[log["date"].notna() & log["segment"].notna(), "customer_id"]
    log["segment"] = log["segment"].where(log["customer_id"].isin(named), "a")
    return log


def in_engine(log: pd.DataFrame, kind: str, folder: Path) -> Any:
    """Return a log as a file of the folder, or as a table of a database."""
    table = pa.Table.from_pandas(log, preserve_index=False)
    if kind == "parquet":
        file = folder / f"log-{len(list(folder.iterdir()))}.parquet"
        pq.write_table(table, file)
        return file
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the engine warns of itself
        backend = ibis.duckdb.connect()
        return backend.create_table("log", table)


def table_of(table: ir.Table) -> pd.DataFrame:
    """Fetch a table of customers, in the order of their ids."""
    frame: pd.DataFrame = table.to_pyarrow().to_pandas()
    return frame.set_index("customer_id").sort_index()


@contextmanager
def noted() -> Iterator[None]:
    """Let a log have notes that nobody looks at here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        yield


def counted_rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list to which every engine adds how many rows leave it with a query."""
    rows: list[int] = []
    for engine in (PrivateEngine, IbisEngine, SparkEngine):

        def run(self: Any, expression: ir.Table, run: Any = engine.run) -> pa.Table:
            found: pa.Table = run(self, expression)
            rows.append(len(found))
            return found

        monkeypatch.setattr(engine, "run", run)
    return rows
