"""pymc-marketing 1.3: the posterior mode (MAP) under its default priors, the quickest of its fits."""

from __future__ import annotations

import logging
import sys
import warnings

import pandas as pd

from benchmarks.contestants import Call, quality
from benchmarks.problems import CHAINS, DATA_END, DRAWS, PARAMS, SPEND, WEEKS

DISTRIBUTION = "pymc-marketing"

warnings.filterwarnings("ignore")
logging.getLogger("pymc").setLevel(logging.ERROR)


def mode(model: object, table: pd.DataFrame) -> dict[str, float]:
    """Fit a model by MAP and return its parameters."""
    model.fit(table, method="map", progressbar=False)  # type: ignore[attr-defined]
    posterior = model.fit_result  # type: ignore[attr-defined]
    return {name: float(posterior[name].mean()) for name in posterior.data_vars if posterior[name].size == 1}


def fit_bg_nbd(table: pd.DataFrame) -> Call:
    """Fit BG/NBD by MAP; the model is built in the call, for it holds the data."""
    from pymc_marketing import clv

    return lambda: mode(clv.BetaGeoModel(), table)


def map_bg_nbd(table: pd.DataFrame) -> Call:
    """Find the posterior mode of BG/NBD under the default priors."""
    return fit_bg_nbd(table)


def fit_pareto_nbd(table: pd.DataFrame) -> Call:
    """Fit Pareto/NBD by MAP."""
    from pymc_marketing import clv

    return lambda: mode(clv.ParetoNBDModel(), table)


def drawn(model: object, table: pd.DataFrame) -> dict[str, float]:
    """Draw from a posterior by NUTS, and return how good the draws are."""
    model.fit(table, method="mcmc", draws=DRAWS, chains=CHAINS, random_seed=1, progressbar=False)  # type: ignore[attr-defined]
    posterior = model.fit_result  # type: ignore[attr-defined]
    named = {name: posterior[name].to_numpy() for name in posterior.data_vars if posterior[name].ndim == 2}
    return quality(named, int(model.idata["sample_stats"]["diverging"].sum()))  # type: ignore[attr-defined]


def nuts_bg_nbd(table: pd.DataFrame) -> Call:
    """Draw from the posterior of BG/NBD."""
    from pymc_marketing import clv

    return lambda: drawn(clv.BetaGeoModel(), table)


def nuts_pareto_nbd(table: pd.DataFrame) -> Call:
    """Draw from the posterior of Pareto/NBD."""
    from pymc_marketing import clv

    return lambda: drawn(clv.ParetoNBDModel(), table)


def expected_purchases(table: pd.DataFrame) -> Call:
    """Expected purchases of every customer under known parameters."""
    from pymc_marketing import clv

    model = known(clv.BetaGeoModel(), table, PARAMS)
    return lambda: {"sum": float(model.expected_purchases(table, future_t=WEEKS).sum())}


def known[M](model: M, table: pd.DataFrame, params: dict[str, float]) -> M:
    """Give a model known parameters, as if it had been fitted."""
    import xarray as xr

    model.build_model(table.head(100))  # type: ignore[attr-defined]
    posterior = xr.Dataset({name: (("chain", "draw"), [[value]]) for name, value in params.items()})
    model.idata = xr.DataTree.from_dict({"posterior": posterior})  # type: ignore[attr-defined]
    return model


def customer_values(table: pd.DataFrame) -> Call:
    """Value every customer over the next twelve months under known parameters."""
    from pymc_marketing import clv

    orders = known(clv.BetaGeoModel(), table, PARAMS)
    spend = known(clv.GammaGammaModel(), table[table["frequency"] > 0], SPEND)

    def call() -> dict[str, float]:
        value = spend.expected_customer_lifetime_value(
            transaction_model=orders, data=table, future_t=12, discount_rate=0.01, time_unit="W"
        )
        return {"total": float(value.sum())}

    return call


def summarize(log: pd.DataFrame, end: str) -> pd.DataFrame:
    """Histories in weeks at the resolution of a day."""
    from pymc_marketing import clv

    return clv.rfm_summary(
        log, "customer_id", "date", "amount", observation_period_end=end, time_unit="D", time_scaler=7
    )


def rfm_summary(log: pd.DataFrame) -> Call:
    """Histories of a purchase log."""
    import pymc_marketing.clv  # noqa: F401  (not part of what is timed)

    return lambda: facts(summarize(log, DATA_END))


def read_histories(folder: str) -> Call:
    """Histories of a log in Parquet files, read with pandas."""
    import pymc_marketing.clv  # noqa: F401  (not part of what is timed)

    return lambda: facts(summarize(pd.read_parquet(folder), DATA_END))


def facts(rfm: pd.DataFrame) -> dict[str, float]:
    """Return a few numbers of histories."""
    return {"customers": len(rfm), "repeats": float(rfm["frequency"].sum()), "mean T": float(rfm["T"].mean())}


def total_clv(file: str) -> float:
    """Total value of twelve months, from a purchase log on disk."""
    from pymc_marketing import clv

    rfm = summarize(pd.read_parquet(file), "1998-06-30")
    orders = clv.BetaGeoModel()
    orders.fit(rfm[["customer_id", "frequency", "recency", "T"]], method="map", progressbar=False)
    repeat = rfm[(rfm["frequency"] > 0) & (rfm["monetary_value"] > 0)]
    spend = clv.GammaGammaModel()
    spend.fit(repeat[["customer_id", "frequency", "monetary_value"]], method="map", progressbar=False)
    value = spend.expected_customer_lifetime_value(
        transaction_model=orders, data=rfm, future_t=12, discount_rate=0.01, time_unit="W"
    )
    return float(value.sum())


def import_package() -> list[str]:
    """Import the part of the package that has the models."""
    return ["-W", "ignore", "-c", "from pymc_marketing import clv"]


if __name__ == "__main__":
    print(total_clv(sys.argv[1]))
