"""Contributions of orders, which may be negative: arbitrary precision, quadrature, recovery, logs that keep them."""

from __future__ import annotations

import re
from pathlib import Path

import mpmath
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import clvmodels as clv
from clvmodels.data import Histories
from clvmodels.errors import FitError, FitWarning
from clvmodels.models.normal_contribution import NORMAL_CONTRIBUTION

TRUTH = {"mean": 6.0, "s": 9.0, "t": 5.0}
BUYING = {"r": 1.2, "alpha": 9.0, "a": 0.8, "b": 2.5}
FORMAT = {"value": "contribution", "returns": "keep", "unit": "week", "resolution": "day"}


def drawn(seed: int, customers: int = 2_000, mean: float = TRUTH["mean"]) -> pd.DataFrame:
    """Customers whose orders, each in a week of its own, contribute normal amounts around their own means."""
    generator = np.random.default_rng(seed)
    rows = []
    for customer, mu in enumerate(generator.normal(mean, TRUTH["t"], customers)):
        start = generator.integers(0, 40)
        weeks = np.append(start, np.sort(generator.choice(np.arange(start + 1, 50), generator.integers(0, 8), False)))
        days = pd.Timestamp("2024-01-01") + pd.to_timedelta(7 * weeks, unit="D")
        amounts = generator.normal(mu, TRUTH["s"], len(weeks))
        rows.append(pd.DataFrame({"customer_id": customer, "date": days, "contribution": amounts}))
    return pd.concat(rows, ignore_index=True)


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return drawn(1)


@pytest.fixture(scope="module")
def rfm(log: pd.DataFrame) -> Histories:
    return clv.rfm_summary(log, **FORMAT)


@pytest.mark.parametrize("s", [1e-3, 9.0, 3e4])
@pytest.mark.parametrize("t", [1e-3, 5.0, 3e4])
def test_the_likelihood_is_the_multivariate_normal(s: float, t: float) -> None:
    orders = np.array([12.0, -3.0, 40.0, 0.0])
    squares = ((orders - orders.mean()) ** 2).sum()
    columns = np.array([[4.0], [orders.mean()], [squares]])
    value = NORMAL_CONTRIBUTION.log_likelihood(np.array([6.0, s, t]), *columns)[0]
    with mpmath.workdps(60):
        covariance = mpmath.eye(4) * mpmath.mpf(s) ** 2 + mpmath.ones(4) * mpmath.mpf(t) ** 2
        away = mpmath.matrix([mpmath.mpf(z) - 6 for z in orders.tolist()])
        quadratic = (away.T * mpmath.inverse(covariance) * away)[0]
        exact = -(quadratic + mpmath.log(mpmath.det(2 * mpmath.pi * covariance))) / 2
        assert abs(value - exact) <= 1e-8 * max(1.0, abs(exact))


def test_the_expectation_is_an_integral_over_the_posterior() -> None:
    orders, theta = np.array([12.0, -30.0, 4.0]), np.array([6.0, 9.0, 5.0])
    mu = np.linspace(-80.0, 90.0, 40_001)
    posterior = stats.norm(6.0, 5.0).pdf(mu) * np.prod([stats.norm(mu, 9.0).pdf(order) for order in orders], axis=0)
    expected = (posterior * mu).sum() / posterior.sum()
    value = NORMAL_CONTRIBUTION.expected_spend(theta, np.array([3.0]), orders.mean(keepdims=True))[0]
    assert value == pytest.approx(expected, rel=1e-10)


def test_a_log_keeps_negative_values_as_orders(log: pd.DataFrame, rfm: Histories) -> None:
    repeats = log[log["customer_id"].duplicated()].groupby("customer_id")["contribution"]
    assert (repeats.mean() < 0.0).sum() > 100
    known = rfm.frequency > 0
    assert rfm.frequency.sum() == len(log) - log["customer_id"].nunique()
    moments = {
        "known": repeats.count(),
        "known_mean": repeats.mean(),
        "known_ss": repeats.var(ddof=0) * repeats.count(),
    }
    for name, expected in moments.items():
        np.testing.assert_allclose(rfm.statistic(name)[known], expected, rtol=1e-9, atol=1e-7)
    positive = log[log["customer_id"].duplicated() & (log["contribution"] > 0.0)].groupby("customer_id")["contribution"]
    valued = rfm.statistic("valued") > 0
    np.testing.assert_allclose(rfm.statistic("valued_mean")[valued], positive.mean(), rtol=1e-9)
    netted = clv.rfm_summary(log, value="contribution", unit="week", resolution="day", returns="drop")
    assert netted.frequency.sum() < rfm.frequency.sum()
    assert "negative values kept as orders" in str(rfm)


def test_parameters_are_recovered() -> None:
    z = []
    for seed in range(6):
        fit = clv.NormalContribution().fit(clv.rfm_summary(drawn(10 + seed, 600), **FORMAT))
        z.append(np.log(fit.estimate / list(TRUTH.values())) / np.sqrt(np.diag(fit.covariance)))
    assert np.abs(z).max() < 4.0
    assert (np.abs(z) < 1.645).mean() > 0.7  # nine in ten, of 18
    assert 0.5 < np.std(z) < 1.6


def test_the_maximum_is_that_of_the_likelihood_of_single_orders(log: pd.DataFrame, rfm: Histories) -> None:
    fit = clv.NormalContribution().fit(rfm)
    repeats = log[log["customer_id"].duplicated()]
    m, s, t = fit.estimate
    total = 0.0
    for _, orders in repeats.groupby("customer_id")["contribution"]:
        x = len(orders)
        covariance = s**2 * np.eye(x) + t**2
        total += stats.multivariate_normal(np.full(x, m), covariance).logpdf(orders.to_numpy())
    assert fit.log_likelihood == pytest.approx(total, rel=1e-10)
    shares = stats.norm.cdf(-m / np.array([np.hypot(s, t), t]))
    assert f"{shares[0]:.1%} of orders, and {shares[1]:.1%} of customers" in fit.describe()


def test_a_book_values_contributions(log: pd.DataFrame, rfm: Histories, tmp_path: Path) -> None:
    transactions = clv.BGNBD().from_params(BUYING, unit="week")
    assumptions = clv.Assumptions(discount_rate=0.1, margin=1.0)
    spend = clv.NormalContribution().fit(rfm)
    book = clv.value(transactions, spend, rfm, assumptions)
    z = spend.expected_spend(rfm)["mean"].to_numpy()
    assert (z < 0.0).sum() > 10
    np.testing.assert_allclose(book.rlv, book.customers["discounted_orders"] * z, rtol=1e-9)
    assert book.new_customer.order_value == pytest.approx(spend.params["mean"], rel=1e-9)
    interval = book.interval(0.9)
    assert interval.low < book.equity < interval.high
    log.to_parquet(tmp_path / "log.parquet", index=False)
    there = clv.rfm_summary(tmp_path / "log.parquet", **FORMAT)
    fit = clv.NormalContribution().fit(there)
    in_engine = clv.value(transactions, fit, there, assumptions)
    assert in_engine.equity == pytest.approx(book.equity, rel=1e-6)
    fit.save(tmp_path / "spend.json")
    again = clv.Fit.load(tmp_path / "spend.json").expected_spend(rfm)
    pd.testing.assert_frame_equal(again, fit.expected_spend(rfm))
    verdicts = clv.checks(transactions, spend, rfm).table
    assert "not checked" in verdicts.loc["independence", "finding"]


def test_a_table_brings_the_sums_of_squares(rfm: Histories) -> None:
    table = rfm.to_frame().drop(columns=list(rfm.attribute_names)).assign(squares=rfm.statistic("known_ss"))
    histories = Histories.from_frame(table, unit="week", statistics={"squares": "known_ss"})
    np.testing.assert_allclose(
        clv.NormalContribution().fit(histories).estimate, clv.NormalContribution().fit(rfm).estimate, rtol=1e-6
    )
    with pytest.raises(FitError, match=r'needs the contributions of single orders, .* returns="keep"'):
        clv.NormalContribution().fit(Histories.from_frame(table.drop(columns="squares"), unit="week"))


def test_what_the_model_has_no_place_for_is_told() -> None:
    log = drawn(2, 300, mean=-6.0)
    losing = clv.rfm_summary(log, **FORMAT)
    later = log.sort_values(["customer_id", "date"])
    later = later[later["customer_id"].duplicated()]
    of_orders = later["contribution"].mean()
    of_customers = later.groupby("customer_id")["contribution"].mean().mean()
    words = f"contribute {of_orders:,.6g} each on average, and {of_customers:,.6g} on average over customers"
    with pytest.raises(FitError, match=re.escape(words)):
        clv.NormalContribution().fit(losing)
    with pytest.raises(FitError, match="the model takes a positive mean"):
        clv.NormalContribution().fit(losing, method="posterior")


def test_a_mean_that_only_a_few_customers_make_positive_is_warned_of() -> None:
    """Ten customers lose a little in each of a hundred orders; one, of a single order, gains much."""
    table = pd.DataFrame({"customer_id": range(11), "frequency": [100.0] * 10 + [1.0], "recency": 29.5, "T": 30.0})
    table = table.assign(monetary_value=[-1.0, -1.1] * 5 + [30.0], known_ss=[9e4] * 10 + [0.0])
    histories = clv.Histories.from_frame(table, unit="week", statistics={"known_ss": "known_ss"})
    with pytest.warns(FitWarning, match="orders do not contribute anything on average over customers, or less"):
        clv.NormalContribution().fit(histories)


def test_covariates_and_rates_have_no_place() -> None:
    with pytest.raises(FitError, match="takes no covariates"):
        clv.NormalContribution(covariates={"spend": "channel"})
    with pytest.raises(FitError, match="takes no covariates"):
        clv.NormalContribution(depends_on=clv.BGNBD().from_params(BUYING, unit="week"))
