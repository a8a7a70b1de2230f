"""Fits of contracts: what customers say who come in groups, late, by segment, or with covariates; draws and storage."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import DataError, FitError, UnitError
from clvmodels.inference.contract_fit import ContractFit

TRUTH = {"SBG": {"gamma": 0.8, "delta": 3.0}, "BDW": {"gamma": 0.8, "delta": 3.0, "c": 1.5}}
both = pytest.mark.parametrize("name", TRUTH)


def estimator(name: str, **options: object) -> clv.SBG | clv.BDW:
    made: clv.SBG | clv.BDW = getattr(clv, name)(**options)
    return made


def true(name: str) -> ContractFit:
    return estimator(name).from_params(TRUTH[name], unit="year")


def renewals(gamma: np.ndarray, c: float, due: np.ndarray, seed: int) -> pd.DataFrame:
    """Customers who renew until -log(1 - theta) n^c exceeds a standard exponential, delta = 3; nothing here is ours."""
    generator = np.random.default_rng(seed)
    hazard = -np.log1p(-generator.beta(gamma, 3.0))
    x = np.minimum(np.floor((generator.standard_exponential(len(due)) / hazard) ** (1.0 / c)), due)
    return pd.DataFrame({"customer_id": np.arange(len(due)), "renewals": x, "churned": x < due, "periods": due})


def base(name: str, customers: int, seed: int, gamma: np.ndarray | float = 0.8) -> pd.DataFrame:
    due = 1.0 + np.arange(customers) % 7
    return renewals(np.broadcast_to(gamma, customers), TRUTH[name].get("c", 1.0), due, seed)


def histories(table: pd.DataFrame) -> clv.Histories:
    return clv.Histories.from_frame(table, unit="year")


@both
def test_95_percent_intervals_cover_the_truth(name: str) -> None:
    """With 60 repetitions, 95 % is 57 +- 1.7: between 51 and 60 is within 3.5 of these."""
    covered = np.zeros(len(TRUTH[name]))
    for seed in range(60):
        table = estimator(name).fit(histories(base(name, 4_000, seed))).summary()
        truth = np.array(list(TRUTH[name].values()))
        covered += (table["low"] < truth) & (truth < table["high"])
    assert (covered >= 51).all(), covered


@both
def test_a_row_for_many_customers_is_a_row_for_each(name: str) -> None:
    table = base(name, 3_000, 1)
    counted = table.groupby(["renewals", "churned"]).size().rename("weight").reset_index()
    fits = [estimator(name).fit(histories(each)) for each in (table, counted)]
    assert fits[0].log_likelihood == pytest.approx(fits[1].log_likelihood, rel=1e-12)
    assert fits[0].estimate == pytest.approx(fits[1].estimate, rel=1e-5)
    assert fits[0].customers == fits[1].customers == 3_000


@both
def test_customers_who_were_observed_late(name: str) -> None:
    """Those who left before their m-th renewal are not known: without `observed_from` retention comes out too high."""
    table = base(name, 60_000, 2)
    table["observed_from"] = np.maximum(table["periods"] - 4.0, 0.0)
    late = table[table["renewals"] >= table["observed_from"]]
    assert len(late) < 0.9 * len(table)
    fit = estimator(name).fit(histories(late))
    truth, sd = np.array(list(TRUTH[name].values())), fit.summary()["sd"].to_numpy()
    assert (np.abs(fit.estimate - truth) < 4.0 * sd).all()
    naive = estimator(name).fit(histories(late.drop(columns="observed_from")))
    first, expected = (each.retention_curve(1)["retention"].item() for each in (naive, true(name)))
    assert first > expected + 0.02
    assert fit.retention_curve(1)["retention"].item() == pytest.approx(expected, abs=0.01)


@both
def test_covariates_and_segments(name: str) -> None:
    web = np.arange(40_000) % 3 == 0
    table = base(name, 40_000, 3, gamma=0.8 * np.exp(0.5 * web)).assign(channel=np.where(web, "web", "shop"))
    contracts = histories(table)
    fit = estimator(name, covariates={"dropout": "channel"}).fit(contracts)
    effect = fit.coefficients.iloc[0]
    assert abs(effect["estimate"] - 0.5) < 4.0 * effect["sd"]
    assert effect["sd"] < 0.05
    by = estimator(name).fit(contracts, by="channel")
    shares = [by.segment(channel).retention_curve(1)["retention"].item() for channel in ("shop", "web")]
    observed = 1.0 - table.assign(left=table["renewals"] == 0).groupby("channel")["left"].mean()
    assert shares == pytest.approx(observed.to_list(), abs=0.01)


@pytest.mark.parametrize("method", ["map", "laplace", "posterior"])
def test_other_methods(method: str) -> None:
    contracts = histories(base("BDW", 20_000, 4))
    fit = clv.BDW().fit(contracts, method=method, draws=200, seed=1, progress=False)  # type: ignore[arg-type]
    assert fit.diagnostics.status == "converged"
    curve, truth = fit.retention_curve(5), true("BDW").retention_curve(5)
    assert curve["retention"].to_numpy() == pytest.approx(truth["retention"].to_numpy(), abs=0.02)
    if method != "map":
        assert (curve["survival_low"] < truth["survival"]).all()
        assert (truth["survival"] < curve["survival_high"]).all()
        assert fit.residual_payments(0.1, 2).columns.to_list()[3:5] == ["after_renewal_low", "after_renewal_high"]
        assert fit.loo(contracts).n_data_points == 20_000


@pytest.mark.slow
def test_draws_by_nuts() -> None:
    contracts = histories(base("SBG", 20_000, 4))
    fit = clv.SBG().fit(contracts, method="nuts", draws=500, chains=2, seed=1, progress=False)
    best = clv.SBG().fit(contracts).summary()
    assert (np.abs(fit.estimate - best["estimate"]) < best["sd"]).all()


@both
def test_it_comes_back_from_a_file_and_a_pickle(name: str, tmp_path: Path) -> None:
    fit = estimator(name).fit(histories(base(name, 500, 5)))
    fit.save(tmp_path / "fit.json")
    for again in (clv.Fit.load(tmp_path / "fit.json"), pickle.loads(pickle.dumps(fit))):
        assert type(again) is ContractFit
        assert again.params == fit.params
    assert repr(pickle.loads(pickle.dumps(estimator(name)))) == f"{name}()"


@both
def test_what_it_says_and_simulates(name: str) -> None:
    fit = true(name)
    words = fit.describe()
    assert "78.9% of new customers renew once or more" in words
    assert ("chance to leave rises from renewal to renewal (c 1.5)" in words) == (name == "BDW")
    contracts = fit.simulate(20_000, "6 years", seed=1)
    shares = np.array([(contracts.frequency >= n).mean() for n in range(1, 7)])
    assert shares == pytest.approx(fit.retention_curve(6)["survival"].to_numpy(), abs=0.015)
    alive = fit.probability_alive(contracts)["mean"]
    assert (alive.to_numpy() == contracts.attributes["alive"]).all()
    renewed = fit.expected_purchases(contracts, "1 year")["mean"]
    six = fit.retention_curve(7)["retention"].iloc[-1]
    assert renewed[alive == 1.0].to_numpy() == pytest.approx(six)
    assert (renewed[alive == 0.0] == 0.0).all()


def test_what_is_refused() -> None:
    purchases = pd.DataFrame({"customer_id": [1, 2], "frequency": [0, 2], "recency": [0, 3], "T": [9, 9]})
    rfm, contracts = clv.Histories.from_frame(purchases, unit="year"), histories(base("SBG", 50, 6))
    with pytest.raises(DataError, match="histories of contracts are wanted, with renewals and churned"):
        clv.SBG().fit(rfm)
    with pytest.raises(DataError, match="histories of contracts are wanted"):
        true("SBG").probability_alive(rfm)
    with pytest.raises(FitError, match=r"BG/NBD is about purchases, and these are contracts: fit clv\.SBG\(\)"):
        clv.BGNBD().fit(contracts)
    with pytest.raises(FitError, match="sBG needs renewals, and none of the 2 customers has one"):
        clv.SBG().fit(histories(pd.DataFrame({"customer_id": [1, 2], "renewals": 0, "churned": [0, 1]})))
    with pytest.raises(UnitError, match="this fit counts time in months"):
        clv.SBG().from_params(TRUTH["SBG"], unit="month").probability_alive(contracts)
    with pytest.raises(FitError, match=r"discount_rate is a share a period from 0\.0001 up"):
        true("SBG").residual_payments(0.0)
    with pytest.raises(FitError, match="renewals is a whole number from 1"):
        true("SBG").retention_curve(0)
