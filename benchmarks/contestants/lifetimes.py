"""lifetimes 0.11.3: maximum likelihood with autograd and scipy."""

from __future__ import annotations

import sys
import warnings

import pandas as pd

from benchmarks.contestants import Call
from benchmarks.problems import DATA_END, PARAMS, SPEND, WEEKS

DISTRIBUTION = "lifetimes"

# It imports pkg_resources, and its likelihoods overflow on the way to the optimum; neither stops it.
warnings.filterwarnings("ignore")


def fit_bg_nbd(table: pd.DataFrame) -> Call:
    """Fit BG/NBD by maximum likelihood, standard errors included, as always in this package."""
    from lifetimes import BetaGeoFitter

    return lambda: dict(BetaGeoFitter().fit(table["frequency"], table["recency"], table["T"]).params_)


def fit_pareto_nbd(table: pd.DataFrame) -> Call:
    """Fit Pareto/NBD by maximum likelihood; this package gives it no standard errors."""
    from lifetimes import ParetoNBDFitter

    return lambda: dict(ParetoNBDFitter().fit(table["frequency"], table["recency"], table["T"]).params_)


def expected_purchases(table: pd.DataFrame) -> Call:
    """Expected purchases of every customer under known parameters."""
    from lifetimes import BetaGeoFitter

    model = BetaGeoFitter()
    model.params_ = pd.Series(PARAMS)

    def call() -> dict[str, float]:
        expected = model.conditional_expected_number_of_purchases_up_to_time(
            WEEKS, table["frequency"], table["recency"], table["T"]
        )
        return {"sum": float(expected.sum())}

    return call


def customer_values(table: pd.DataFrame) -> Call:
    """Value every customer over the next twelve months under known parameters."""
    from lifetimes import BetaGeoFitter, GammaGammaFitter

    orders, spend = BetaGeoFitter(), GammaGammaFitter()
    orders.params_, spend.params_ = pd.Series(PARAMS), pd.Series(SPEND)
    orders.predict = orders.conditional_expected_number_of_purchases_up_to_time  # as `fit` leaves it
    history = [table[name] for name in ("frequency", "recency", "T", "monetary_value")]

    def call() -> dict[str, float]:
        value = spend.customer_lifetime_value(orders, *history, time=12, discount_rate=0.01, freq="W")
        return {"total": float(value.sum())}

    return call


def summarize(log: pd.DataFrame, end: str) -> pd.DataFrame:
    """Histories in weeks at the resolution of a day."""
    from lifetimes.utils import summary_data_from_transaction_data

    rfm: pd.DataFrame = summary_data_from_transaction_data(
        log, "customer_id", "date", "amount", observation_period_end=end, freq="D", freq_multiplier=7
    )
    return rfm


def rfm_summary(log: pd.DataFrame) -> Call:
    """Histories of a purchase log."""
    return lambda: facts(summarize(log, DATA_END))


def read_histories(folder: str) -> Call:
    """Histories of a log in Parquet files, read with pandas."""
    import lifetimes  # noqa: F401  (not part of what is timed)

    return lambda: facts(summarize(pd.read_parquet(folder), DATA_END))


def facts(rfm: pd.DataFrame) -> dict[str, float]:
    """Return a few numbers of histories."""
    return {"customers": len(rfm), "repeats": float(rfm["frequency"].sum()), "mean T": float(rfm["T"].mean())}


def total_clv(file: str) -> float:
    """Total value of twelve months, from a purchase log on disk."""
    from lifetimes import BetaGeoFitter, GammaGammaFitter

    rfm = summarize(pd.read_parquet(file), "1998-06-30")
    orders = BetaGeoFitter().fit(rfm["frequency"], rfm["recency"], rfm["T"])
    repeat = rfm[(rfm["frequency"] > 0) & (rfm["monetary_value"] > 0)]
    spend = GammaGammaFitter().fit(repeat["frequency"], repeat["monetary_value"])
    value = spend.customer_lifetime_value(
        orders, rfm["frequency"], rfm["recency"], rfm["T"], rfm["monetary_value"], time=12, discount_rate=0.01, freq="W"
    )
    return float(value.sum())


def import_package() -> list[str]:
    """Import the package."""
    return ["-W", "ignore", "-c", "import lifetimes"]


if __name__ == "__main__":
    print(total_clv(sys.argv[1]))
