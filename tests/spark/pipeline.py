"""The whole pipeline on Spark and on DuckDB: what must be equal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import clvmodels as clv

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

OPTIONS: dict[str, Any] = {"value": "amount", "unit": "week", "resolution": "day"}
TERMS = clv.Assumptions(
    discount_rate=0.15,
    margin=0.30,
    year="52 weeks",
    order_cost=1.0,
    campaigns_per_year=4,
    contact_cost=0.5,
    lines=(clv.Line("gift", "orders", 0.2),),
)


@dataclass(frozen=True)
class Differences:
    """How far Spark is from DuckDB.

    Attributes
    ----------
    histories
        How many customers have another history.
    parameters, log_likelihood, equity, rlv
        Largest relative differences, over all models.
    """

    histories: int
    parameters: float
    log_likelihood: float
    equity: float
    rlv: float


def compare(session: SparkSession, files: str, models: tuple[str, ...]) -> Differences:
    """Take a purchase log in Parquet files through both engines."""
    both = [clv.rfm_summary(log, **OPTIONS) for log in (session.read.parquet(files), files)]
    there, here = (rfm.to_frame().drop(columns="first_purchase") for rfm in both)
    assert there.index.equals(here.index)
    apart = ((there != here) & ~(there.isna() & here.isna())).any(axis=1)
    spend = [clv.GammaGamma().fit(rfm) for rfm in both]
    parameters, likelihoods, equities, values = [_apart(*(fit.estimate for fit in spend))], [0.0], [], []
    for model in models:
        orders = [getattr(clv, model)().fit(rfm) for rfm in both]
        books = [clv.value(*pair, TERMS) for pair in zip(orders, spend, both, strict=True)]
        parameters.append(_apart(*(fit.estimate for fit in orders)))
        likelihoods.append(_apart(*(fit.log_likelihood for fit in orders)))
        equities.append(_apart(*(book.equity for book in books)))
        values.append(_apart(*(book.customers["rlv"].to_numpy() for book in books)))
    return Differences(int(apart.sum()), max(parameters), max(likelihoods), max(equities), max(values))


def _apart(one: Any, other: Any) -> float:
    return float(np.abs(np.asarray(one) / np.asarray(other) - 1.0).max())


def write_log(folder: Path, customers: int) -> str:
    """Write the log of simulated customers as Parquet files, and return their pattern."""
    from benchmarks.simulate import write_log as write

    write(folder, customers)
    return str(folder / "*.parquet")
