"""Simulated purchase histories with numpy alone, independent of every contestant.

Customers are acquired over 39 to 156 weeks before the end of the data; purchases are seen by the day.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.problems import DATA_END

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rows = NDArray[np.void]

AGES = (39 * 7, 156 * 7)
BG_NBD = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
PARETO_NBD = {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}
SPEND = {"p": 6.25, "q": 3.74, "v": 15.44}
LOG_SHAPE = 0.3765  # of the purchase rates in the log: four transactions a customer
LARGE_LOG_SHAPE = 0.391  # in the logs written as Parquet folders: 41 million of ten million customers
ROW = np.dtype([("customer_id", np.int64), ("day", np.int32), ("amount", np.float64)])  # day 0: the end of the data
DAYS_A_MONTH = 30


def purchases(
    rng: np.random.Generator, rate: Floats, last: Floats, dropout: Floats | None
) -> Iterator[tuple[Ints, Floats]]:
    """Yield (customers, times) of the first, second, ... repeat purchase.

    A customer buys at `rate` until time `last`; with `dropout`, every repeat purchase ends the relationship with that
    probability.
    """
    customers = np.arange(len(rate))
    now = np.zeros(len(rate))
    while len(customers):
        now = now + rng.exponential(size=len(customers)) / rate[customers]
        stays = now < last[customers]
        customers, now = customers[stays], now[stays]
        yield customers, now
        if dropout is not None:
            stays = rng.random(len(customers)) >= dropout[customers]
            customers, now = customers[stays], now[stays]


def histories(rng: np.random.Generator, rate: Floats, last: Floats, dropout: Floats | None, age: Ints) -> pd.DataFrame:
    """Return frequency, recency and T in weeks, purchases of one day merged into one occasion."""
    frequency, recency = np.zeros(len(rate), dtype=np.int64), np.zeros(len(rate), dtype=np.int64)
    for customers, times in purchases(rng, rate, last, dropout):
        day = np.floor(times * 7).astype(np.int64)
        new = day > recency[customers]
        frequency[customers[new]] += 1
        recency[customers[new]] = day[new]
    columns = {"customer_id": np.arange(len(rate)), "frequency": frequency, "recency": recency / 7, "T": age / 7}
    return pd.DataFrame(columns)


def heterogeneous(rng: np.random.Generator, n: int, r: float, alpha: float) -> tuple[Floats, Ints]:
    """Return `n` purchase rates a week and ages in days."""
    rate = np.maximum(rng.gamma(r, 1 / alpha, size=n), 1e-12)
    return rate, rng.integers(*AGES, size=n, endpoint=True)


def bg_nbd(n: int, seed: int = 1) -> pd.DataFrame:
    """Simulate `n` BG/NBD histories."""
    rng = np.random.default_rng(seed)
    rate, age = heterogeneous(rng, n, BG_NBD["r"], BG_NBD["alpha"])
    return histories(rng, rate, (age + 1) / 7, rng.beta(BG_NBD["a"], BG_NBD["b"], size=n), age)


def pareto_nbd(n: int, seed: int = 2) -> pd.DataFrame:
    """Simulate `n` Pareto/NBD histories."""
    rng = np.random.default_rng(seed)
    rate, age = heterogeneous(rng, n, PARETO_NBD["r"], PARETO_NBD["alpha"])
    death = rng.exponential(size=n) / np.maximum(rng.gamma(PARETO_NBD["s"], 1 / PARETO_NBD["beta"], size=n), 1e-12)
    return histories(rng, rate, np.minimum((age + 1) / 7, death), None, age)


def log_rows(rng: np.random.Generator, n: int, r: float) -> Rows:
    """Simulate the purchases of `n` customers, whose rates have the shape `r`, ordered by day.

    The frequencies are those of a BG/NBD customer base with more purchases than CDNOW's; the amounts are Gamma-Gamma.
    """
    rate, age = heterogeneous(rng, n, r, BG_NBD["alpha"])
    steps = list(purchases(rng, rate, (age + 1) / 7, rng.beta(BG_NBD["a"], BG_NBD["b"], size=n)))
    who = np.concatenate([np.arange(n), *(customers for customers, _ in steps)])
    day = np.concatenate([np.zeros(n, dtype=np.int64), *(np.floor(7 * times).astype(np.int64) for _, times in steps)])
    scale = rng.gamma(SPEND["q"], 1 / SPEND["v"], size=n)
    rows = np.empty(len(who), dtype=ROW)
    rows["customer_id"], rows["day"] = who, day - age[who]
    rows["amount"] = np.maximum(np.round(rng.gamma(SPEND["p"], size=len(who)) / scale[who], 2), 0.01)
    return by_day(rows)


def by_day(rows: Rows) -> Rows:
    """Return rows ordered by day, those of one day in the order they had."""
    ordered: Rows = rows[np.argsort(rows["day"], kind="stable")]
    return ordered


def columns(rows: Rows) -> dict[str, NDArray[Any]]:
    """Return rows as the columns of a log."""
    date = np.datetime64(DATA_END) + rows["day"].astype("timedelta64[D]")
    amount = np.ascontiguousarray(rows["amount"])
    return {"customer_id": rows["customer_id"].copy(), "date": date.astype("datetime64[us]"), "amount": amount}


def transactions(n: int, seed: int = 3) -> pd.DataFrame:
    """Simulate a purchase log of `n` customers and about `4 n` transactions, ordered by day."""
    return pd.DataFrame(columns(log_rows(np.random.default_rng(seed), n, LOG_SHAPE)))


def write_log(folder: Path, n: int, seed: int = 3, block: int = 1_000_000, rows_a_part: int = 1_200_000) -> int:
    """Write a log of `n` customers, ordered by day, as Parquet files into a folder; return the number of transactions.

    Customers are simulated block by block, and the rows of a block appended to one file a month, which are then ordered
    by day one after another: what is in memory at a time is a block or a month, however many customers there are.

    Parameters
    ----------
    folder
        An empty folder.
    n
        Customers.
    seed
        The same seed and block give the same files.
    block
        Customers simulated at a time.
    rows_a_part
        Transactions a file; the last one has what is left.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = 0
    with tempfile.TemporaryDirectory(dir=folder) as spool:
        for number, first in enumerate(range(0, n, block)):
            rows = log_rows(np.random.default_rng([seed, number]), min(block, n - first), LARGE_LOG_SHAPE)
            rows["customer_id"] += first
            append_by_month(rows, Path(spool))
        for number, part in enumerate(cut(by_month(Path(spool)), rows_a_part)):
            pq.write_table(pa.table(columns(part)), folder / f"part-{number:03d}.parquet")
            count += len(part)
    return count


def append_by_month(rows: Rows, spool: Path) -> None:
    """Append rows, ordered by day, to one file for every thirty days."""
    months = (rows["day"] + AGES[1]) // DAYS_A_MONTH
    starts = np.flatnonzero(np.diff(months, prepend=-1))
    for start, some in zip(starts, np.split(rows, starts[1:]), strict=True):
        with (spool / f"{months[start]:03d}").open("ab") as file:
            some.tofile(file)


def by_month(spool: Path) -> Iterator[Rows]:
    """Yield the rows of every month, ordered by day, and remove its file."""
    for file in sorted(spool.iterdir()):
        yield by_day(np.fromfile(file, dtype=ROW))
        file.unlink()


def cut(batches: Iterator[Rows], size: int) -> Iterator[Rows]:
    """Yield the same rows in parts of `size`, and the rest."""
    rest = np.empty(0, dtype=ROW)
    for batch in batches:
        rest = np.concatenate([rest, batch])
        whole = len(rest) - len(rest) % size
        yield from (rest[start : start + size] for start in range(0, whole, size))
        rest = rest[whole:]
    if len(rest):
        yield rest
