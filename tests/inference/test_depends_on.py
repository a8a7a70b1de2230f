"""Order values that depend on the expected purchase rate, by one argument: published sample, predictions, storage."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.data import Histories
from clvmodels.errors import FitError
from clvmodels.inference.redrawn import spend_with_draws
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit

PARAMS = {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}
ASSUMPTIONS = clv.Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks")
TERM = ("spend", "log(expected_purchase_rate)")


@pytest.fixture(scope="module")
def rfm() -> Histories:
    log = clv.datasets.load_cdnow(sample=True)
    return clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end="1997-09-30")


@pytest.fixture(scope="module")
def transactions() -> TransactionFit:
    return clv.ParetoNBD().from_params(PARAMS, unit="week")


@pytest.fixture(scope="module")
def spend(rfm: Histories, transactions: TransactionFit) -> SpendFit:
    return clv.GammaGamma(depends_on=transactions).fit(rfm)


@pytest.mark.parametrize(
    ("options", "coefficient", "se", "gain", "total", "once"),
    [({}, 0.1975, 0.036, 14.95, -0.030, -0.27), ({"orders": "all"}, 0.1282, 0.0329, 7.46, -0.022, -0.19)],
    ids=["means", "all"],
)
def test_the_sample(
    options: Any,
    coefficient: float,
    se: float,
    gain: float,
    total: float,
    once: float,
    rfm: Histories,
    transactions: TransactionFit,
) -> None:
    """Reference figures of a joint maximum, and of sums of discounted orders times order values, computed apart."""
    without = clv.GammaGamma(**options).fit(rfm)
    fit = clv.GammaGamma(**options, depends_on=transactions).fit(rfm)
    row = fit.coefficients.loc[TERM]
    assert row["estimate"] == pytest.approx(coefficient, abs=1e-4)
    assert row["sd"] == pytest.approx(se, abs=5e-4)
    assert fit.log_likelihood - without.log_likelihood == pytest.approx(gain, abs=6e-3)
    with_rate, alone = (clv.value(transactions, each, rfm, ASSUMPTIONS) for each in (fit, without))
    assert with_rate.equity / alone.equity - 1.0 == pytest.approx(total, abs=5e-4)
    few = rfm.frequency == 0
    assert with_rate.rlv[few].sum() / alone.rlv[few].sum() - 1.0 == pytest.approx(once, abs=5e-3)


def test_expectations_are_those_of_the_customer_s_own_scale(spend: SpendFit, rfm: Histories) -> None:
    p, q, v = spend.estimate
    log_rate = np.log((PARAMS["r"] + rfm.frequency) / (PARAMS["alpha"] + rfm.T))
    own = v * np.exp(spend.coefficients.loc[TERM, "estimate"] * (log_rate - log_rate[rfm.frequency > 0].mean()))
    spent = np.where(rfm.frequency > 0, rfm.frequency * np.nan_to_num(rfm.monetary_value), 0.0)
    expected = p * (own + spent) / (p * rfm.frequency + q - 1.0)
    free = (rfm.frequency > 0) & ~(rfm.monetary_value > 0)
    np.testing.assert_allclose(spend.expected_spend(rfm)["mean"][~free], expected[~free], rtol=1e-9)
    by_hand = rfm.with_attributes(pd.DataFrame({TERM[1][4:-1]: np.exp(log_rate)}, index=rfm.customer_id))
    again = clv.GammaGamma(covariates={"spend": TERM[1]}).fit(by_hand)
    np.testing.assert_allclose(again.estimate, spend.estimate, rtol=1e-6)
    in_days = spend.expected_spend(rfm.in_unit("day"))
    pd.testing.assert_frame_equal(in_days, spend.expected_spend(rfm), rtol=1e-9)
    other = clv.LogNormalSpend(depends_on=clv.BGNBD().fit(rfm)).fit(rfm)
    assert other.rates is not None
    r, alpha = other.rates.theta[:2]
    np.testing.assert_allclose(other.rates.of(rfm), (r + rfm.frequency) / (alpha + rfm.T), rtol=1e-12)


def test_a_new_customer_has_the_mean_rate(spend: SpendFit, rfm: Histories, transactions: TransactionFit) -> None:
    p, q, v = spend.at({"expected_purchase_rate": PARAMS["r"] / PARAMS["alpha"]}).estimate
    new = clv.value(transactions, spend, rfm, ASSUMPTIONS).new_customer
    assert new.order_value == pytest.approx(p * v / (q - 1.0), rel=1e-9)


def test_the_fit_is_stored_with_its_rates(spend: SpendFit, rfm: Histories, tmp_path: Path) -> None:
    expected = spend.expected_spend(rfm)
    spend.save(tmp_path / "spend.json")
    for again in (clv.Fit.load(tmp_path / "spend.json"), pickle.loads(pickle.dumps(spend))):
        pd.testing.assert_frame_equal(again.expected_spend(rfm), expected)
    text = (tmp_path / "spend.json").read_text(encoding="utf-8")
    assert '"pareto_nbd"' in text
    (tmp_path / "bad.json").write_text(text.replace('"pareto_nbd"', '"gamma_gamma"'), encoding="utf-8")
    with pytest.raises(FitError, match="purchase rates are those of a model of transactions"):
        clv.Fit.load(tmp_path / "bad.json")
    (tmp_path / "bad.json").write_text(text.replace("10.578", "-10.578"), encoding="utf-8")
    with pytest.raises(FitError, match="out of their range"):
        clv.Fit.load(tmp_path / "bad.json")


def test_draws_of_the_posterior_depend_on_the_rate_as_well(
    spend: SpendFit, rfm: Histories, transactions: TransactionFit
) -> None:
    drawn = spend_with_draws(spend, rfm)
    assert drawn.number_of_draws == 400
    assert drawn.coefficients.loc[TERM, "estimate"] == pytest.approx(0.1975, abs=0.02)
    assert drawn.rates is spend.rates
    book = clv.value(transactions, drawn, rfm, ASSUMPTIONS)
    interval = book.interval(0.9)
    assert interval.low < book.equity < interval.high


def test_an_estimator_with_rates_is_an_estimator_like_others(transactions: TransactionFit) -> None:
    estimator = clv.GammaGamma(orders="all", depends_on=transactions, covariates={"spend": ["channel"]})
    assert repr(estimator) == "GammaGamma(covariates for spend, depends on the purchase rate, orders='all')"
    assert estimator.formulas == {"spend": "channel + log(expected_purchase_rate)"}
    assert estimator.set_params(orders="means").depends_on is transactions
    assert estimator.set_params(depends_on=None).formulas == {"spend": ["channel"]}
    assert pickle.loads(pickle.dumps(estimator)).formulas == estimator.formulas
    prior = {"dist": "Normal", "mu": 0.0, "sigma": 0.1}
    assert clv.LogNormalSpend(priors={"spend": prior}, depends_on=transactions).own_priors == {}


def test_what_has_no_rate_of_each_customer_is_refused(rfm: Histories, transactions: TransactionFit) -> None:
    with pytest.raises(FitError, match=r"depends_on is a fit of transactions .* transactions\.best; got 'bg_nbd'"):
        clv.GammaGamma(depends_on="bg_nbd")  # type: ignore[arg-type]
    half = pd.DataFrame({"half": np.where(np.arange(len(rfm)) % 2, "a", "b")}, index=rfm.customer_id)
    halves = rfm.with_attributes(half)
    for kind, fit in (
        ("by 'half'", clv.BGNBD().fit(halves, by="half")),
        ("with covariates", clv.BGNBD(covariates={"purchase": "half"}).fit(halves)),
    ):
        with pytest.raises(FitError, match=f"this is one {kind}; write depends_on=clv.BGNBD"):
            clv.LogNormalSpend(depends_on=fit)
    with pytest.raises(FitError, match="by='half' gives segments all parameters of their own"):
        clv.GammaGamma(depends_on=transactions).fit(halves, by="half")


def test_the_check_names_the_call(rfm: Histories, transactions: TransactionFit, spend: SpendFit) -> None:
    checked = clv.checks(transactions, clv.GammaGamma(orders="all").fit(rfm), rfm)
    call = 'clv.GammaGamma(orders="all", depends_on=transactions).fit(rfm)'
    assert call in checked.table.loc["independence", "remedy"]
    assert eval(call).rates is not None  # what it says is what is run
    table = clv.checks(transactions, spend, rfm).table
    assert "depends_on" not in table.loc["independence", "remedy"]
    assert table.loc["independence", "verdict"] == "fine"


def test_in_an_engine_values_depend_on_the_rate_as_well(
    rfm: Histories, transactions: TransactionFit, spend: SpendFit, tmp_path: Path
) -> None:
    clv.datasets.load_cdnow(sample=True).to_parquet(tmp_path / "log.parquet", index=False)
    there = clv.rfm_summary(
        tmp_path / "log.parquet", value="amount", unit="week", resolution="day", observation_end="1997-09-30"
    )
    fit = clv.GammaGamma(depends_on=transactions).fit(there)
    here = clv.value(transactions, spend, rfm, ASSUMPTIONS)
    assert clv.value(transactions, fit, there, ASSUMPTIONS).equity == pytest.approx(here.equity, rel=1e-9)
