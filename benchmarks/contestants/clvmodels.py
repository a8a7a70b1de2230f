"""clvmodels: from a table to histories is part of every fit."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

import clvmodels as clv
from benchmarks.contestants import Call, quality
from benchmarks.problems import CHAINS, DATA_END, DRAWS, PARAMS, WEEKS

DISTRIBUTION = "clvmodels"


def fit_bg_nbd(table: pd.DataFrame) -> Call:
    """Fit BG/NBD by maximum likelihood: checks, compression and standard errors included."""
    return lambda: dict(clv.BGNBD().fit(clv.Histories.from_frame(table, unit="week")).params)


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
    orders = clv.BGNBD().from_params(draws, unit="week")

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


def total_clv(file: str) -> float:
    """Total value of twelve months, from a purchase log on disk."""
    rfm = summarize(pd.read_parquet(file), "1998-06-30")
    terms = clv.Assumptions(discount_rate=1.01**12 - 1, margin=1.0, horizon="1 year")
    return float(clv.value(clv.BGNBD().fit(rfm), clv.GammaGamma().fit(rfm), rfm, terms).equity)


def import_package() -> list[str]:
    """Import the package."""
    return ["-c", "import clvmodels"]


def value_command(file: str, out: str) -> list[str]:
    """Run the whole valuation on the command line, every model tried."""
    columns = ["--customer-id", "customer_id", "--time", "date", "--value", "amount", "--unit", "week"]
    terms = str(clv.datasets.path("cdnow.toml"))
    arguments = [file, "--assumptions", terms, "--model", "auto", *columns, "--resolution", "day", "--out", out]
    return ["-c", "import sys; from clvmodels.cli import main; sys.exit(main())", "value", *arguments]


if __name__ == "__main__":
    print(total_clv(sys.argv[1]))
