"""The inputs of the problems, made once and kept as Parquet files: ``python -m benchmarks.inputs NAME``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd

FOLDER = Path(__file__).resolve().parent / ".inputs"
CALIBRATION_END = "1997-09-30"


def path(name: str) -> Path:
    """Return the file of an input, made if it is not there."""
    file = FOLDER / f"{name}.parquet"
    if not file.exists():
        FOLDER.mkdir(exist_ok=True)
        unfinished = file.with_suffix(".unfinished")
        MAKERS[name]().to_parquet(unfinished, index=False)
        unfinished.rename(file)
    return file


def cdnow_log() -> pd.DataFrame:
    """The full CDNOW log: customer, day, amount."""
    from clvmodels import datasets

    return datasets.load_cdnow()[["customer_id", "date", "amount"]]


def cdnow_sample_log() -> pd.DataFrame:
    """The log of the published 1/10 sample."""
    from clvmodels import datasets

    return datasets.load_cdnow(sample=True)[["customer_id", "date", "amount"]]


def cdnow_sample() -> pd.DataFrame:
    """The histories of the sample's first 39 weeks, in weeks, with plain pandas."""
    log = cdnow_sample_log()
    days = log[log["date"] <= CALIBRATION_END].drop_duplicates(["customer_id", "date"]).groupby("customer_id")["date"]
    first, last = days.min(), days.max()
    recency, age = (last - first).dt.days / 7, (pd.Timestamp(CALIBRATION_END) - first).dt.days / 7
    return pd.DataFrame({"frequency": days.size() - 1, "recency": recency, "T": age}).reset_index()


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
}


if __name__ == "__main__":
    path(sys.argv[1])
