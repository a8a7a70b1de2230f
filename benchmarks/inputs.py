"""The inputs of the problems, made once and kept as Parquet.

``python -m benchmarks.inputs NAME`` makes one if it is not there, and prints the number of its rows. An input is a
file, or the folder of a log too large for one. Kept free of heavy imports, as is `benchmarks.problems`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.problems import DATA_END

if TYPE_CHECKING:
    import pandas as pd

FOLDER = Path(__file__).resolve().parent / ".inputs"
CALIBRATION_END = "1997-09-30"

LOGS = {
    "log-2.5e3": 2_500,
    "log-2.5e4": 25_000,
    "log-2.5e5": 250_000,
    "log-1e6": 1_000_000,
    "log-2.5e6": 2_500_000,
    "log-1e7": 10_000_000,
    "log-2.5e7": 25_000_000,
}
"""Logs in folders of Parquet files, and their customers."""


def place(name: str) -> Path:
    """Return where an input is kept: a file, or the folder of a log."""
    return FOLDER / (name if name in LOGS else f"{name}.parquet")


def path(name: str) -> Path:
    """Return the file or folder of an input, made if it is not there: whole, or not at all."""
    kept = place(name)
    if not kept.exists():
        FOLDER.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER, prefix="unfinished-") as workshop:
            make(name, Path(workshop) / kept.name).rename(kept)
    return kept


def make(name: str, target: Path) -> Path:
    """Make an input at `target`."""
    if name in LOGS:
        from benchmarks import simulate

        target.mkdir()
        simulate.write_log(target, LOGS[name])
    else:
        MAKERS[name]().to_parquet(target, index=False)
    return target


def rows(name: str) -> int:
    """Return the number of rows of an input, made if it is not there."""
    import pyarrow.parquet as pq

    kept = path(name)
    files = kept.iterdir() if kept.is_dir() else [kept]
    return sum(pq.read_metadata(file).num_rows for file in files)


def cdnow_log() -> pd.DataFrame:
    """The full CDNOW log: customer, day, amount."""
    from clvmodels import datasets

    return datasets.load_cdnow()[["customer_id", "date", "amount"]]


def cdnow_sample_log() -> pd.DataFrame:
    """The log of the published 1/10 sample."""
    from clvmodels import datasets

    return datasets.load_cdnow(sample=True)[["customer_id", "date", "amount"]]


def histories(log: pd.DataFrame, end: str) -> pd.DataFrame:
    """The histories up to a day, in weeks at the resolution of a day, with plain pandas."""
    import pandas as pd

    days = log[log["date"] <= end].groupby(["customer_id", "date"], as_index=False)["amount"].sum()
    customers = days.groupby("customer_id")
    first, last, count = customers["date"].min(), customers["date"].max(), customers.size()
    repeats = days["amount"].where(days["date"] > days["customer_id"].map(first))
    return pd.DataFrame(
        {
            "frequency": count - 1,
            "recency": (last - first).dt.days / 7,
            "T": (pd.Timestamp(end) - first).dt.days / 7,
            "monetary_value": repeats.groupby(days["customer_id"]).mean().fillna(0.0),
        }
    ).reset_index()


def cdnow_sample() -> pd.DataFrame:
    """The histories of the sample's first 39 weeks."""
    return histories(cdnow_sample_log(), CALIBRATION_END).drop(columns="monetary_value")


def simulated_histories(model: str, n: int) -> pd.DataFrame:
    """Histories of a simulated customer base."""
    from benchmarks import simulate

    return {"bg": simulate.bg_nbd, "pareto": simulate.pareto_nbd}[model](n)


def simulated_log() -> pd.DataFrame:
    """About 4,000,000 transactions of 1,000,000 customers."""
    from benchmarks import simulate

    return simulate.transactions(1_000_000)


MAKERS: dict[str, Callable[[], pd.DataFrame]] = {
    "cdnow-log": cdnow_log,
    "cdnow-sample-log": cdnow_sample_log,
    "cdnow-sample": cdnow_sample,
    "bg-1e6": lambda: simulated_histories("bg", 1_000_000),
    "bg-1e7": lambda: simulated_histories("bg", 10_000_000),
    "bg-1e5": lambda: simulated_histories("bg", 100_000),
    "pareto-1e5": lambda: simulated_histories("pareto", 100_000),
    "log-4e6": simulated_log,
    "rfm-1e6": lambda: histories(simulated_log(), DATA_END),
}


if __name__ == "__main__":
    print(rows(sys.argv[1]))
