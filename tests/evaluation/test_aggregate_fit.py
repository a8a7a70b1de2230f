"""Aggregate fit: published goodness of fit, sums customer by customer, and means against pandas."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import clvmodels as clv
from clvmodels.errors import DataError, FitError, UnitError
from clvmodels.evaluation.ages import condensed
from clvmodels.evaluation.aggregate_fit import conditional_expectation, frequency_fit
from clvmodels.evaluation.bands import count_band
from clvmodels.inference.estimator import TransactionEstimator
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.registry import TRANSACTION_MODELS
from tests.evaluation.stories import CDNOW, purchases

ESTIMATORS = {model.name: TransactionEstimator(model) for model in TRANSACTION_MODELS.values()}


@pytest.fixture(scope="module")
def split() -> Any:
    log = clv.datasets.load_cdnow(sample=True)
    return clv.rfm_train_test_split(log, resolution="day", train_end="1997-09-30", test_end="1998-06-30")


def published(name: str) -> TransactionFit:
    return ESTIMATORS[name].from_params(CDNOW[name], unit="week")


def scattered(fit: TransactionFit, draws: int) -> TransactionFit:
    noise = 0.1 * np.random.default_rng(7).standard_normal((1, draws, 4))
    return replace(fit, theta=fit.estimate * np.exp(noise))


@pytest.mark.parametrize(("name", "published_value"), [("BG/NBD", 4.82), ("Pareto/NBD", 11.99)])
def test_published_goodness_of_fit(split: Any, name: str, published_value: float) -> None:
    # FHL 2005 (Marketing Science), section 4: chi-square of the classes 0, 1, ..., 6, 7+ at the estimates.
    train, _ = split
    table = frequency_fit(ESTIMATORS[name].fit(train), train)
    square = ((table["actual"] - table["expected"]) ** 2 / table["expected"]).sum()
    assert square == pytest.approx(published_value, abs=0.005)
    np.testing.assert_array_equal(table["actual"][:7], [(train.frequency == x).sum() for x in range(7)])
    assert table["actual"][7] == (train.frequency >= 7).sum()
    assert table["expected"].sum() == pytest.approx(len(train), rel=1e-12)
    assert table["bin"].tolist() == ["0", "1", "2", "3", "4", "5", "6", "7+"]


@pytest.mark.parametrize("name", CDNOW)
def test_classes_customer_by_customer(name: str) -> None:
    rng = np.random.default_rng(5)
    T = np.concatenate(([0.0, 1e-3], rng.uniform(0.0, 200.0, 18)))
    table = pd.DataFrame({"customer_id": np.arange(20), "frequency": 0.0, "recency": 0.0, "T": T})
    rfm = clv.Histories.from_frame(table, unit="week")
    fit = scattered(published(name), 2)
    found = frequency_fit(fit, rfm, most=3)
    shares = np.array([[fit.probability_of_purchases_new(t, n) for n in range(3)] for t in T])
    np.testing.assert_allclose(found["expected"][:3], shares.sum(axis=0), rtol=1e-9)
    assert found["expected"].sum() == pytest.approx(20, rel=1e-12)


def test_classes_under_draws(split: Any) -> None:
    train, _ = split
    point = frequency_fit(published("BG/NBD"), train)
    drawn = frequency_fit(scattered(published("BG/NBD"), 500), train)
    width, wider = ((table["upper"] - table["lower"]).to_numpy() for table in (point, drawn))
    assert (wider > width).all()
    # Sampling alone is near to binomial.
    low, high = (stats.binom.ppf(tail, 2_357, point["expected"].to_numpy() / 2_357) for tail in (0.05, 0.95))
    np.testing.assert_allclose(point["lower"], low, atol=1)
    np.testing.assert_allclose(point["upper"], high, atol=1)


def test_the_band_holds_what_the_model_makes() -> None:
    births = np.random.default_rng(2).uniform(0.0, 30.0, 300)
    seen = purchases("BG/NBD", CDNOW["BG/NBD"], np.tile(births, 300), 60.0, seed=3)
    x = np.bincount(seen.customer, minlength=300 * 300).reshape(300, 300) - 1
    frame = {
        "customer_id": np.arange(300),
        "frequency": x[0],
        "recency": np.where(x[0] > 0, 60 - births, 0.0),
        "T": 60 - births,
    }
    table = frequency_fit(published("BG/NBD"), clv.Histories.from_frame(pd.DataFrame(frame), unit="week"), most=3)
    sizes = np.stack([*[(x == n).sum(axis=1) for n in range(3)], (x >= 3).sum(axis=1)], axis=1)
    inside = (sizes >= table["lower"].to_numpy()) & (sizes <= table["upper"].to_numpy())
    assert ((inside.mean(axis=0) > 0.86) & (inside.mean(axis=0) < 0.97)).all()
    np.testing.assert_allclose(sizes.mean(axis=0), table["expected"], rtol=0.03)


def test_conditional_expectation_against_pandas(split: Any) -> None:
    train, holdout = split
    fits = {"one": published("BG/NBD"), "two": published("Pareto/NBD")}
    found = conditional_expectation(fits, holdout)
    assert found["model"].tolist() == ["one"] * 8 + ["two"] * 8
    grouped = holdout.to_frame()["frequency"].groupby(train.frequency.clip(max=7))
    for rows in (found[:8], found[8:]):
        np.testing.assert_array_equal(rows["customers"], grouped.size())
        np.testing.assert_allclose(rows["actual"], grouped.mean())
        np.testing.assert_allclose(rows["standard_error"], grouped.sem())
    expected = fits["two"].expected_purchases(train, 39)["mean"].groupby(train.frequency.clip(max=7)).mean()
    np.testing.assert_allclose(found["expected"][8:], expected)
    # Totals are those of the backtest: 0.88 of 1,882.
    assert found["customers"][:8] @ found["actual"][:8] == pytest.approx(1_882)
    assert np.dot(found["customers"][:8], found["expected"][:8]) / 1_882 == pytest.approx(0.88, abs=0.005)


def test_conditional_expectation_over_time(split: Any) -> None:
    train, holdout = split
    by_recency = conditional_expectation(published("BG/NBD"), holdout, by="recency")
    assert by_recency["bin"].tolist()[:3] == ["bought once", "0-5", "5-10"]
    assert by_recency["customers"][0] == (train.frequency == 0).sum()
    assert by_recency["customers"][2] == ((train.recency > 5) & (train.recency <= 10)).sum()
    since = np.round(train.T - train.recency, 9)
    by_silence = conditional_expectation(published("BG/NBD"), holdout, by="time_since_last")
    assert by_silence["bin"].tolist() == [f"{low}-{low + 5}" for low in range(0, 40, 5)]
    assert by_silence["customers"].tolist() == [
        int(((since > low - (low == 0)) & (since <= low + 5)).sum()) for low in range(0, 40, 5)
    ]
    assert by_silence["actual"][0] == holdout.frequency[since <= 5].mean()


def test_customers_alone_have_no_standard_error() -> None:
    log = pd.DataFrame({"customer_id": [1, 1, 2], "date": pd.to_datetime(["2024-01-01", "2024-01-09", "2024-02-02"])})
    train, holdout = clv.rfm_train_test_split(log, train_end="2024-01-31", test_end="2024-02-20")
    found = conditional_expectation(published("BG/NBD"), holdout, most=1)
    assert found["bin"].tolist() == ["1+"]
    assert found["standard_error"].isna().all()
    assert len(train) == 1


def test_what_is_refused(split: Any) -> None:
    train, holdout = split
    fit = published("BG/NBD")
    with pytest.raises(DataError, match=r"unknown grouping 'recence'.*did you mean 'recency'"):
        conditional_expectation(fit, holdout, by="recence")  # type: ignore[arg-type]
    for most in (0, -1):
        with pytest.raises(DataError, match="from 1 up"):
            conditional_expectation(fit, holdout, most=most)
        with pytest.raises(DataError, match="up to 1 or more"):
            frequency_fit(fit, train, most=most)
    with pytest.raises(UnitError):
        frequency_fit(fit, train.in_unit("day"))
    with pytest.raises(FitError, match="there must be one at least"):
        frequency_fit({}, train)


def test_condensed_ages_by_group() -> None:
    rng = np.random.default_rng(1)
    ages, group = rng.uniform(0.0, 3.0, 5_000), rng.integers(4, size=5_000)
    few = condensed(ages, group, 5, low=0.0, high=3.0, scale=0.002)
    assert len(few.nodes) < 60
    np.testing.assert_allclose(few.weights.sum(axis=1), np.bincount(group, minlength=5), rtol=1e-10, atol=1e-10)
    functions: list[Any] = [lambda t: np.log1p(t / 0.002), lambda t: (1.0 + t / 0.002) ** -2.5]
    for function in functions:
        exact = np.bincount(group, weights=function(ages), minlength=5)
        np.testing.assert_allclose(few.weights @ function(few.nodes), exact, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("mean", "variance", "law"),
    [
        (3.0, 3.0, stats.poisson(3.0)),
        (3.0, 6.0, stats.nbinom(3.0, 0.5)),  # mean n (1-p)/p, variance n (1-p)/p^2
        (3.0, 1.5, stats.binom(6, 0.5)),
        (3.0, 0.0, stats.binom(3, 1.0)),
        (1e6, 4e6, stats.norm(1e6, 2e3)),
        (0.0, 0.0, stats.binom(1, 0.0)),
    ],
)
def test_bands_of_counts(mean: float, variance: float, law: Any) -> None:
    low, high = count_band(np.array([mean]), np.array([variance]))
    np.testing.assert_allclose([low[0], high[0]], law.ppf([0.05, 0.95]), rtol=1e-4, atol=1e-9)
