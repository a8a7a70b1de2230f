"""clvkit 0.2: maximum likelihood with numpy and scipy; BG/NBD and Gamma-Gamma, no Pareto/NBD."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING

import pandas as pd

from benchmarks.contestants import Call
from benchmarks.problems import DATA_END, PARAMS, WEEKS

if TYPE_CHECKING:
    from clvkit import CustomerBase

DISTRIBUTION = "clvkit"

warnings.filterwarnings("ignore")


def customer_base(table: pd.DataFrame) -> CustomerBase:
    """Wrap a table of histories the way the models ask for."""
    from clvkit import CustomerBase

    return CustomerBase(
        table.set_index("customer_id"),
        time_unit="W",
        observation_period_end=pd.Timestamp(DATA_END),
        has_monetary=False,
        on_negative="net",
        collapse="D",
    )


def fit_bg_nbd(table: pd.DataFrame) -> Call:
    """Fit BG/NBD by maximum likelihood, without standard errors (they need a bootstrap here)."""
    from clvkit import BGNBD

    def call() -> dict[str, float]:
        fitted = BGNBD().fit(customer_base(table)).params_
        return {} if fitted is None else dict(fitted)

    return call


def expected_purchases(table: pd.DataFrame) -> Call:
    """Expected purchases of every customer under known parameters."""
    from clvkit import BGNBD

    model = BGNBD()
    model.params_ = pd.Series(PARAMS)
    model.time_unit_, model.collapse_ = "W", "D"
    return lambda: {"sum": float(model.predict(WEEKS, customer_base(table)).to_pandas().sum().iloc[0])}


def summarize(log: pd.DataFrame, end: str) -> CustomerBase:
    """Histories in weeks at the resolution of a day."""
    from clvkit import CustomerBase

    return CustomerBase.from_transactions(log, time_unit="W", collapse="D", observation_period_end=end)


def rfm_summary(log: pd.DataFrame) -> Call:
    """Histories of a purchase log."""
    import clvkit  # noqa: F401  (not part of what is timed)

    return lambda: facts(summarize(log, DATA_END).to_pandas())


def read_histories(folder: str) -> Call:
    """Histories of a log in Parquet files, read with pandas."""
    import clvkit  # noqa: F401  (not part of what is timed)

    return lambda: facts(summarize(pd.read_parquet(folder), DATA_END).to_pandas())


def facts(rfm: pd.DataFrame) -> dict[str, float]:
    """Return a few numbers of histories."""
    return {"customers": len(rfm), "repeats": float(rfm["frequency"].sum()), "mean T": float(rfm["T"].mean())}


def total_clv(file: str) -> float:
    """Total value of twelve months, from a purchase log on disk; a step of this package's valuation is a week."""
    from clvkit import CLV

    base = summarize(pd.read_parquet(file), "1998-06-30")
    value = CLV(check_independence=False).fit(base).predict(horizon=52, discount_rate=1.01 ** (12 / 52) - 1)
    return float(value.to_pandas()["clv"].sum())


def import_package() -> list[str]:
    """Import the package."""
    return ["-W", "ignore", "-c", "import clvkit"]


if __name__ == "__main__":
    print(total_clv(sys.argv[1]))
