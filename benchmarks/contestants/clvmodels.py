"""clvmodels: from a table to histories is part of every fit."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

import clvmodels as clv
from benchmarks.contestants import Call, quality
from benchmarks.problems import CHAINS, DATA_END, DRAWS, PARAMS, SPEND, WEEKS

DISTRIBUTION = "clvmodels"


def fit_bg_nbd(table: pd.DataFrame) -> Call:
    """Fit BG/NBD by maximum likelihood: checks, compression and standard errors included."""
    return lambda: dict(clv.BGNBD().fit(clv.Histories.from_frame(table, unit="week")).params)


def map_bg_nbd(table: pd.DataFrame) -> Call:
    """Find the posterior mode of BG/NBD under the default priors."""

    def call() -> dict[str, float]:
        rfm = clv.Histories.from_frame(table, unit="week")
        return dict(clv.BGNBD().fit(rfm, method="map").params)

    return call


def fit_pareto_nbd(table: pd.DataFrame) -> Call:
    """Fit Pareto/NBD by maximum likelihood: checks, compression and standard errors included."""
    return lambda: dict(clv.ParetoNBD().fit(clv.Histories.from_frame(table, unit="week")).params)


def _drawn(model: str, table: pd.DataFrame, draws: int = DRAWS, tune: int = 500) -> Call:
    estimator = getattr(clv, model)()

    def call() -> dict[str, float]:
        rfm = clv.Histories.from_frame(table, unit="week")
        fit = estimator.fit(rfm, method="nuts", draws=draws, tune=tune, chains=CHAINS, seed=1, progress=False)
        return quality({name: fit.theta[..., k] for k, name in enumerate(fit.model.names)}, fit.diagnostics.divergences)

    return call


def nuts_bg_nbd(table: pd.DataFrame) -> Call:
    """Draw from the posterior of BG/NBD by NUTS."""
    return _drawn("BGNBD", table)


def nuts_bg_nbd_large(table: pd.DataFrame) -> Call:
    """Draw as much as a million customers need: 500 draws of each chain after 200 to tune."""
    return _drawn("BGNBD", table, draws=500, tune=200)


def nuts_pareto_nbd(table: pd.DataFrame) -> Call:
    """Draw from the posterior of Pareto/NBD by NUTS."""
    return _drawn("ParetoNBD", table)


def expected_purchases_drawn(table: pd.DataFrame) -> Call:
    """Expected purchases of every customer under 1,000 draws: mean, standard deviation and three quantiles."""
    rng = np.random.default_rng(1)
    draws = {name: value * np.exp(0.05 * rng.standard_normal((1, DRAWS))) for name, value in PARAMS.items()}
    orders = clv.BGNBD().from_params(draws, unit="week")  # type: ignore[arg-type]

    def call() -> dict[str, float]:
        expected = orders.expected_purchases(clv.Histories.from_frame(table, unit="week"), f"{WEEKS} weeks")
        return {"sum": float(expected["mean"].sum()), "q95": float(expected["q95"].sum())}

    return call


def expected_purchases(table: pd.DataFrame) -> Call:
    """Expected purchases of every customer under known parameters, the histories at hand as after a fit."""
    orders, histories = clv.BGNBD().from_params(PARAMS, unit="week"), clv.Histories.from_frame(table, unit="week")

    def call() -> dict[str, float]:
        expected = orders.expected_purchases(histories, f"{WEEKS} weeks")
        return {"sum": float(expected["mean"].sum())}

    return call


def customer_values(table: pd.DataFrame) -> Call:
    """Value every customer over the next twelve months, the histories at hand as after a fit."""
    spent = table.assign(monetary_value=table["monetary_value"].where(table["frequency"] > 0))
    rfm = clv.Histories.from_frame(spent, unit="week")
    orders, spend = clv.BGNBD().from_params(PARAMS, unit="week"), clv.GammaGamma().from_params(SPEND)

    def call() -> dict[str, float]:
        customers = clv.value(orders, spend, rfm, twelve_months()).customers
        return {"total": float(customers["rlv"].sum())}

    return call


def twelve_months() -> clv.Assumptions:
    """Return the assumptions of a valuation over twelve months at 1 % a month, before costs."""
    return clv.Assumptions(discount_rate=1.01**12 - 1, margin=1.0, horizon="1 year")


def summarize(log: pd.DataFrame, end: str) -> clv.Histories:
    """Histories in weeks at the resolution of a day."""
    return clv.rfm_summary(
        log,
        customer_id="customer_id",
        time="date",
        value="amount",
        unit="week",
        resolution="day",
        observation_end=end,
    )


def rfm_summary(log: pd.DataFrame) -> Call:
    """Histories of a purchase log, as a table by customer."""

    def call() -> dict[str, float]:
        rfm = summarize(log, DATA_END).to_frame()
        return {"customers": len(rfm), "repeats": float(rfm["frequency"].sum()), "mean T": float(rfm["T"].mean())}

    return call


def read_histories(folder: str) -> Call:
    """Histories of a log in Parquet files; they stay in the engine."""

    def call() -> dict[str, float]:
        rfm = clv.rfm_summary(f"{folder}/*.parquet", value="amount", resolution="day", observation_end=DATA_END)
        assert not rfm.in_memory
        table = rfm.table
        sums = table.aggregate(repeats=table["frequency"].sum(), age=table["T"].mean()).to_pandas()
        return {"customers": len(rfm), "repeats": float(sums["repeats"][0]), "mean T": float(sums["age"][0])}

    return call


def total_clv(file: str) -> float:
    """Total value of twelve months, from a purchase log on disk."""
    rfm = summarize(pd.read_parquet(file), "1998-06-30")
    return float(clv.value(clv.BGNBD().fit(rfm), clv.GammaGamma().fit(rfm), rfm, twelve_months()).equity)


def import_package() -> list[str]:
    """Import the package."""
    return ["-c", "import clvmodels"]


def histories_command(log: str, _out: str) -> list[str]:
    """Read a folder of Parquet files to histories, and print how many there are."""
    here = "import json; from benchmarks.contestants import clvmodels"
    return ["-c", f"{here}; print(json.dumps(clvmodels.read_histories({log!r})()))"]


def value_command(log: str, out: str, *more: str) -> list[str]:
    """Run the whole valuation of a log, a file or a folder, on the command line, every model tried."""
    files = f"{log}/*.parquet" if Path(log).is_dir() else log
    columns = ["--customer-id", "customer_id", "--time", "date", "--value", "amount", "--unit", "week"]
    terms = str(clv.datasets.path("cdnow.toml"))
    arguments = [files, "--assumptions", terms, "--model", "auto", *columns, "--resolution", "day", "--out", out]
    return ["-c", "import sys; from clvmodels.cli import main; sys.exit(main())", "value", *arguments, *more]


def value_command_2gb(log: str, out: str) -> list[str]:
    """Run the same with an engine that has 2 GB and writes to disk what does not fit."""
    return value_command(log, out, "--memory-gb", "2")


if __name__ == "__main__":
    print(total_clv(sys.argv[1]))
