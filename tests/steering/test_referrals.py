"""Referrals are counted by living year, and attribution moves value without changing its sum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad

import clvmodels as clv
from clvmodels.errors import AssumptionError, DataError, FitError
from clvmodels.steering.drivers.referrals import expected_living_time, referral_value

PARETO = {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}
ASSUMPTIONS = clv.Assumptions(discount_rate=0.10, margin=0.38, horizon="10 years")
ORDERS = clv.ParetoNBD().from_params(PARETO, unit="week")


def book_of(histories, transactions=ORDERS, assumptions=ASSUMPTIONS):
    return clv.value(
        transactions, clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44}), histories, assumptions
    )


def world(n, seed, rate):
    """Return histories, and referrals at `rate` per living week, made by living customers alone."""
    g = np.random.default_rng(seed)
    orders = g.gamma(PARETO["r"], 1.0 / PARETO["alpha"], n)
    lifetime = g.exponential(1.0, n) / g.gamma(PARETO["s"], 1.0 / PARETO["beta"], n)
    T = g.uniform(26.0, 104.0, n)
    span = np.minimum(lifetime, T)
    who = np.repeat(np.arange(n), g.poisson(orders * span))
    age = g.random(len(who)) * span[who]
    recency = np.zeros(n)
    np.maximum.at(recency, who, age)
    table = pd.DataFrame(
        {"customer_id": np.arange(n), "frequency": np.bincount(who, minlength=n), "recency": recency, "T": T}
    )
    table["monetary_value"] = np.where(table["frequency"] > 0, 35.0, np.nan)
    by = np.repeat(np.arange(n), g.poisson(rate * span))
    referred = g.permutation(n)[: len(by)]
    apart = by != referred
    ledger = pd.DataFrame({"customer_id": by, "referred_id": referred, "time": "2024-06-01"})[apart]
    return clv.Histories.from_frame(table, unit="week", observation_end="2024-12-31"), ledger, span


def test_the_rate_is_that_of_living_years():
    histories, ledger, span = world(8_000, seed=3, rate=0.1 / 52.18)
    result = referral_value(book_of(histories), ledger, incremental=0.5)
    assert result.low < 0.1 < result.high
    assert result.living_years == pytest.approx(span.sum() / 52.18, rel=0.02)
    assert result.rate_on_books < 0.7 * result.rate
    assert result.rate_on_books == pytest.approx(len(ledger) / (histories.T.sum() / (365.25 / 7.0)), rel=1e-12)


@pytest.mark.slow  # 6 s of fits of 20,000 customers
def test_the_rate_of_the_simulated_company():
    company = clv.datasets.simulate_company(1, customers=20_000)
    rfm = clv.rfm_summary(company.transactions, value="amount", unit="week").collect()
    book = clv.value(clv.ParetoNBD().fit(rfm), clv.GammaGamma().fit(rfm), rfm, ASSUMPTIONS)
    result = referral_value(book, company.referrals)
    assert result.rate == pytest.approx(0.2050, abs=5e-4)
    assert result.rate_on_books == pytest.approx(0.1159, abs=5e-4)


def test_living_time_is_the_integral_of_survival():
    histories, _, _ = world(50, seed=1, rate=0.0)
    s, beta = PARETO["s"], PARETO["beta"]
    exact = beta / (s - 1.0) * (1.0 - (beta / (beta + histories.T)) ** (s - 1.0))
    np.testing.assert_allclose(expected_living_time(book_of(histories)), exact, rtol=1e-8)
    mbg = clv.MBGNBD().from_params({"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614}, unit="week")
    few = histories.select(histories.customer_id[:3])

    def survival(t):
        now = mbg.model.future(mbg.estimate, np.zeros(1), np.zeros(1), np.array([t]))[0][0]
        return now * mbg.model.p_alive(mbg.estimate, np.zeros(1), np.zeros(1), np.zeros(1))[0]

    direct = [quad(survival, 0.0, T, epsrel=1e-10)[0] for T in few.T]
    np.testing.assert_allclose(expected_living_time(book_of(few, mbg)), direct, rtol=1e-7)


def test_segments_live_as_long_as_their_own_parameters_say():
    histories, _, _ = world(40, seed=1, rate=0.0)
    half = pd.DataFrame({"half": ["a", "b"] * 20}, index=histories.customer_id)
    theta = np.stack([ORDERS.theta, ORDERS.theta * [1.0, 1.0, 1.0, 3.0]])
    by_half = replace(ORDERS, by="half", segments=("a", "b"), segment_theta=theta)
    lived = expected_living_time(book_of(histories.with_attributes(half), by_half))
    np.testing.assert_allclose(lived[::2], expected_living_time(book_of(histories))[::2], rtol=1e-12)
    longer = clv.ParetoNBD().from_params({**PARETO, "beta": 3.0 * PARETO["beta"]}, unit="week")
    np.testing.assert_allclose(lived[1::2], expected_living_time(book_of(histories, longer))[1::2], rtol=1e-12)


def test_attribution_keeps_the_sum_and_descendants_are_those_of_a_line_of_referrals():
    histories, ledger, _ = world(3_000, seed=4, rate=0.1 / 52.18)
    book = book_of(histories)
    result = referral_value(book, ledger, share=0.4, incremental=0.6)
    table = result.attribution
    assert table["attributed"].sum() == pytest.approx(book.equity, rel=1e-6)
    np.testing.assert_allclose(table["own"], book.rlv)
    first = ledger.iloc[0]
    assert table.loc[first["referred_id"], "given"] == pytest.approx(-0.4 * table.loc[first["referred_id"], "own"])
    mine = ledger.loc[ledger["customer_id"] == first["customer_id"], "referred_id"]
    assert table.loc[first["customer_id"], "received"] == pytest.approx(0.4 * table.loc[mine, "own"].sum())
    with_line = book.with_assumptions(book.assumptions.replace(result.assumptions))
    assert with_line.new_customer.post_acquisition_value == pytest.approx(result.with_descendants, rel=1e-9)
    again = referral_value(with_line, ledger, share=0.4, incremental=0.6)
    assert again.with_descendants == pytest.approx(result.with_descendants, rel=1e-12)


def test_what_cannot_be_is_refused():
    histories, ledger, _ = world(1_000, seed=5, rate=0.1 / 52.18)
    book = book_of(histories)
    many = pd.concat([ledger.assign(referred_id=ledger["referred_id"] + 10_000 * k) for k in range(1, 12)])
    with pytest.raises(AssumptionError, match="grow without end"):
        referral_value(book, many)
    with pytest.raises(AssumptionError, match="share is a share"):
        referral_value(book, ledger, share=1.5)
    with pytest.raises(DataError, match="not in the book: 77777"):
        referral_value(book, ledger.assign(customer_id=77_777))
    with pytest.raises(DataError, match="no referral until the end"):
        referral_value(book, ledger.assign(time="2025-01-01"))
    with pytest.raises(DataError, match="no column 'referred_id'"):
        referral_value(book, ledger.drop(columns="referred_id"))
    with pytest.raises(DataError, match="ledgers have no referrals"):
        referral_value(book, clv.Ledgers())
    with pytest.raises(AssumptionError, match="book is a valuation"):
        referral_value(histories, ledger)
    contract = pd.DataFrame({"customer_id": [1], "renewals": [2], "churned": [0], "periods": [2]})
    contracts = clv.Histories.from_frame(contract, unit="year", observation_end="2024-12-31")
    yearly = clv.SBG().from_params({"gamma": 0.7, "delta": 3.8}, unit="year")
    with pytest.raises(FitError, match="continuous time"):
        referral_value(clv.value(yearly, 30.0, contracts, ASSUMPTIONS), ledger.assign(customer_id=1))
