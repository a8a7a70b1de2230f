"""Calibration and gains: against scikit-learn and scipy, with ties, and the published concentration of a holdout."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.calibration import calibration_curve  # type: ignore[import-untyped]
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]

import clvmodels as clv
from clvmodels.errors import DataError
from clvmodels.evaluation.gains import gains, gini
from clvmodels.evaluation.reliability import binomial_interval, reliability

RNG = np.random.default_rng(1)


def test_reliability_against_scikit_learn() -> None:
    probability = RNG.random(1_000)
    happened = RNG.random(1_000) < probability
    table = reliability(probability, happened, bins=10)
    actual, predicted = calibration_curve(happened, probability, n_bins=10, strategy="quantile")
    np.testing.assert_allclose(table["expected"], predicted)
    np.testing.assert_allclose(table["actual"], actual)
    assert (table["customers"] == 100).all()


def test_customers_of_one_probability_stay_together() -> None:
    probability = np.repeat([0.1, 0.2, 0.9], [55, 25, 20])
    table = reliability(RNG.permutation(probability), np.zeros(100), bins=10)
    assert table["customers"].tolist() == [55, 25, 20]
    np.testing.assert_allclose(table["expected"], [0.1, 0.2, 0.9])
    assert (table["lower"] == 0.0).all()
    assert len(reliability([0.5], [True])) == 1


def test_intervals_against_scipy() -> None:
    low, high = binomial_interval([0, 3, 10], 10)
    for k, some_low, some_high in zip([0, 3, 10], low, high, strict=True):
        exact = stats.binomtest(k, 10).proportion_ci(0.90, method="exact")
        assert (some_low, some_high) == pytest.approx((exact.low, exact.high), rel=1e-9)


def test_probabilities_that_are_none() -> None:
    reliability([0.5, 1.0 + 1e-15], [True, False])
    with pytest.raises(DataError, match=r"a probability lies between 0 and 1, got 1\.1"):
        reliability([0.5, 1.1], [True, False])
    with pytest.raises(DataError, match="got nan"):
        reliability([0.5, np.nan], [True, False])
    with pytest.raises(DataError, match=r"got shapes \(2,\) and \(1,\)"):
        reliability([0.5, 0.5], [True])
    with pytest.raises(DataError, match="no customers"):
        reliability([], [])
    with pytest.raises(DataError, match="number of bins from 1 up, got 0"):
        reliability([0.5], [True], bins=0)


@pytest.mark.parametrize("levels", [1_000_000, 7])
def test_area_against_scikit_learn(levels: int) -> None:
    # For an outcome that happens or not, gini = (2 AUC - 1)(1 - share); ties count half in AUC.
    score = RNG.integers(levels, size=2_000).astype(float)
    happened = RNG.random(2_000) < 0.1 + 0.5 * score / levels
    area = (2.0 * roc_auc_score(happened, score) - 1.0) * (1.0 - happened.mean())
    assert gini(score, happened) == pytest.approx(area, rel=1e-12)


def test_ties_do_not_depend_on_the_order() -> None:
    score, outcome = np.repeat([3.0, 2.0, 1.0], [10, 80, 10]), RNG.exponential(size=100)
    order = RNG.permutation(100)
    curve = gains(score, outcome)
    np.testing.assert_allclose(curve, gains(score[order], outcome[order]))
    total = outcome.sum()
    assert curve["share"][10] == pytest.approx(outcome[:10].sum() / total)
    assert curve["share"][50] == pytest.approx((outcome[:10].sum() + outcome[10:90].sum() / 2) / total)
    # All alike: nobody is preferred.
    np.testing.assert_allclose(gains(np.zeros(100), outcome)["share"], curve["share_of_customers"])
    assert gini(np.zeros(100), outcome) == pytest.approx(0.0, abs=1e-12)


def test_gains_of_foresight_are_the_gini_index() -> None:
    # Of n values the mean absolute difference over twice the mean.
    outcome = RNG.exponential(size=300)
    index = np.abs(outcome[:, None] - outcome).mean() / (2.0 * outcome.mean())
    assert gini(outcome, outcome) == pytest.approx(index, rel=1e-12)


def test_what_cannot_be_shared_out() -> None:
    with pytest.raises(DataError, match="the outcomes of 2 customers sum to 0"):
        gains([1, 2], [0.0, 0.0])
    with pytest.raises(DataError, match="leave out customers for whom one is not known"):
        gains([1, 2], [0.0, np.nan])
    with pytest.raises(DataError, match="got shapes"):
        gini([1, 2], [1.0])


def test_concentration_of_the_cdnow_holdout() -> None:
    # golden.md: the top 20 % by past spend make 64.8 % of the revenue of weeks 40 to 78, and perfect foresight 93.7 %.
    log = clv.datasets.load_cdnow()
    whole = clv.rfm_summary(log, value="amount", resolution="day")
    train, holdout = clv.rfm_train_test_split(log, value="amount", resolution="day", train_end="1997-09-30")
    kept = whole.frequency * np.nan_to_num(whole.monetary_value) <= 4_000.0
    assert kept.sum() == 23_560
    past = (train.frequency * np.nan_to_num(train.monetary_value) + train.attributes["first_value"])[kept]
    revenue = holdout.revenue[kept]
    assert gains(past, revenue)["share"][20] == pytest.approx(0.648, abs=5e-4)
    assert gains(revenue, revenue)["share"][20] == pytest.approx(0.937, abs=5e-4)
