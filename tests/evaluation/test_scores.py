"""Scores against scikit-learn, properscoring, scipy and pandas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import properscoring
import pytest
from scipy import stats
from sklearn import calibration, metrics

import clvmodels as clv
from clvmodels.errors import DataWarning
from clvmodels.evaluation.distributions import distributions
from clvmodels.evaluation.forecasts import Forecast, naive_forecasts, of_fit
from clvmodels.evaluation.scores import SCORES, scores

LARGEST = 400
"""Probabilities of more purchases than this are below rounding in these data."""
RFM = ["frequency", "recency", "T"]


@pytest.fixture(scope="module")
def cdnow() -> tuple[clv.Histories, clv.Holdout]:
    log = clv.datasets.load_cdnow(sample=True)
    return clv.rfm_train_test_split(log, value="amount", resolution="day", train_end="1997-09-30")


@pytest.fixture(scope="module", params=["BGNBD", "MBGNBD", "ParetoNBD"])
def forecast(request, cdnow) -> Forecast:
    train, holdout = cdnow
    return of_fit(getattr(clv, request.param)().fit(train), clv.GammaGamma().fit(train), holdout)


class Negative:
    """Stands for a fit whose customers all have one negative binomial distribution, whatever their history."""

    draws = np.zeros((1, 1))

    def __init__(self, n: float, p: float) -> None:
        self.said = stats.nbinom(n, p)

    def thinned(self, step: int) -> Negative:
        assert step == 1
        return self

    def probability_of_purchases(self, histories: clv.Histories, _: float, n: int) -> pd.DataFrame:
        return pd.DataFrame({"mean": np.full(len(histories), self.said.pmf(n))})


@pytest.mark.parametrize(("n", "p"), [(0.3, 0.1), (2.0, 0.5), (5.0, 0.2)])
def test_scores_of_distributions_agree_with_scipy_and_properscoring(cdnow, n, p):
    train, holdout = cdnow
    said, y = stats.nbinom(n, p), holdout.frequency
    found = distributions(Negative(n, p), train, holdout.duration, y)
    np.testing.assert_allclose(found.log_score, said.logpmf(y), rtol=1e-12)
    support = np.arange(LARGEST)
    weights = np.broadcast_to(said.pmf(support), (len(y), LARGEST))
    crps = properscoring.crps_ensemble(y, np.broadcast_to(support.astype(float), weights.shape), weights=weights)
    np.testing.assert_allclose(found.crps, crps, atol=1e-6)
    np.testing.assert_allclose(found.any_purchase, said.sf(0), rtol=1e-12)
    assert (found.low == said.ppf(0.05)).all()
    assert (found.high == said.ppf(0.95)).all()
    np.testing.assert_allclose(found.within, said.cdf(found.high) - said.cdf(found.low - 1), rtol=1e-12)


def test_scores_of_a_point_are_those_of_scikit_learn(cdnow, forecast):
    _, holdout = cdnow
    y, expected = holdout.frequency, forecast.purchases
    found = scores(forecast, holdout)
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(y, expected), rel=1e-12)
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(y, expected), rel=1e-12)
    assert found["brier"] == pytest.approx(
        metrics.brier_score_loss(y > 0, forecast.distributions.any_purchase), rel=1e-12
    )
    assert found["predicted_over_actual"] == pytest.approx(expected.sum() / 1_882, rel=1e-12)
    assert found["revenue_over_actual"] == pytest.approx(forecast.revenue.sum() / holdout.to_frame()["revenue"].sum())


def test_the_gini_of_who_buys_is_that_of_the_roc_curve(cdnow, forecast):
    # For a yes or no outcome the area between gains and diagonal, relative to foresight, is 2 AUC - 1.
    _, holdout = cdnow
    bought = replace(holdout, frequency=(holdout.frequency > 0).astype(float))
    auc = metrics.roc_auc_score(bought.frequency, forecast.purchases)
    assert scores(forecast, bought)["gini"] == pytest.approx(2.0 * auc - 1.0, rel=1e-9)


def test_calibration_is_that_of_scikit_learn_where_probabilities_differ(cdnow):
    _, holdout = cdnow
    some = replace(holdout, frequency=holdout.frequency[:2_350])  # ten bins of one size
    probability = np.random.default_rng(1).permutation(np.linspace(0.01, 0.6, 2_350))
    said = Forecast(probability, probability, probability, probability, _said(probability))
    share, mean = calibration.calibration_curve(some.frequency > 0, probability, n_bins=10, strategy="quantile")
    assert SCORES["calibration_error"](said, some) == pytest.approx(np.abs(share - mean).mean(), rel=1e-12)


def _said(probability: np.ndarray):
    from clvmodels.evaluation.distributions import Distributions

    zeros = np.zeros(len(probability))
    return Distributions(zeros, zeros, probability, zeros, zeros, zeros)


def test_shares_of_the_best_customers_are_those_of_a_sorted_table(cdnow, forecast):
    _, holdout = cdnow
    n = len(holdout)
    table = pd.DataFrame({"revenue": holdout.revenue, "orders": holdout.frequency})
    table = table.assign(spend_said=forecast.revenue, orders_said=forecast.purchases)
    found = scores(forecast, holdout)
    best = table.sort_values("spend_said", ascending=False)
    top = best["revenue"].cumsum().to_numpy() / best["revenue"].sum()
    assert found["top_20_revenue"] == pytest.approx(np.interp(0.2 * n, np.arange(1, n + 1), top), abs=2e-4)
    best = table.sort_values("orders_said", ascending=False)
    orders = best["orders"].cumsum().to_numpy() / best["orders"].sum()
    assert found["top_decile_lift"] == pytest.approx(np.interp(0.1 * n, np.arange(1, n + 1), orders) * 10, abs=5e-3)


def test_rules_of_thumb_are_what_they_say(cdnow):
    train, holdout = cdnow
    found = naive_forecasts(holdout, np.arange(len(holdout), dtype=float))
    frame = train.to_frame()
    rate = frame["frequency"] / frame["T"] * holdout.duration
    np.testing.assert_allclose(found["history rate"].purchases, rate, rtol=1e-12)
    past = (frame["frequency"] * frame["monetary_value"]).fillna(0.0) + frame["first_value"]
    np.testing.assert_allclose(found["past spend"].purchases_ranking, past, rtol=1e-12)
    np.testing.assert_allclose(found["past spend"].revenue_ranking, past, rtol=1e-12)
    np.testing.assert_allclose(found["history rate"].revenue, rate * past / (frame["frequency"] + 1.0), rtol=1e-12)
    assert np.isnan(scores(found["past spend"], holdout)["mae"])
    zero = scores(found["zero"], holdout)
    assert zero["mae"] == zero["crps"] == pytest.approx(1_882 / 2_357)
    assert zero["gini"] == pytest.approx(0.0, abs=1e-12)
    assert np.isnan(zero["log_score"])


def test_without_values_there_are_no_scores_in_money():
    train, holdout = clv.rfm_train_test_split(
        clv.datasets.load_cdnow(sample=True), resolution="day", train_end="1997-09-30"
    )
    found = scores(of_fit(clv.BGNBD().fit(train), None, holdout), holdout)
    assert np.isnan(
        [found[name] for name in ("revenue", "revenue_predicted", "revenue_over_actual", "top_20_revenue")]
    ).all()
    assert found["gini"] > 0.5
    assert (
        naive_forecasts(holdout, np.zeros(len(holdout)))["past spend"].purchases_ranking.tolist()
        == (train.frequency + 1).tolist()
    )


def test_customers_who_all_do_the_same_cannot_be_ranked(cdnow, forecast):
    _, holdout = cdnow
    assert np.isnan(SCORES["gini"](forecast, replace(holdout, frequency=np.full(len(holdout), 3.0))))


@pytest.mark.parametrize("rule", ["fit", "history rate", "last period"])
def test_values_do_not_change_who_is_thought_to_buy(cdnow, rule):
    train, holdout = cdnow

    def found(spend: clv.Fit | None, data: clv.Holdout) -> dict[str, float]:
        said = naive_forecasts(data, np.arange(len(data), dtype=float)) | {"fit": of_fit(fit, spend, data)}
        return scores(said[rule], data)

    fit = clv.BGNBD().from_params({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, unit="week")
    unvalued = replace(holdout, histories=clv.Histories.from_frame(train.to_frame()[RFM].reset_index(), unit="week"))
    with_values, without = found(clv.GammaGamma().fit(train), holdout), found(None, unvalued)
    for score in ("gini", "top_decile_lift"):
        assert with_values[score] == pytest.approx(without[score], rel=1e-12)
    assert with_values["top_20_revenue"] != without["top_20_revenue"]


def test_missing_values_of_the_holdout_do_not_pass_for_nothing(cdnow_sample, cdnow):
    train, whole = cdnow
    late = (cdnow_sample["date"] > "1997-09-30").to_numpy()
    said = of_fit(clv.BGNBD().fit(train), clv.GammaGamma().fit(train), whole)
    known = scores(said, whole)
    missing = late & (np.random.default_rng(0).random(len(late)) < 0.4)
    found = scores(said, _holdout(cdnow_sample, missing))
    assert found["revenue"] == pytest.approx(known["revenue"], rel=0.03)
    assert found["revenue_over_actual"] == said.revenue.sum() / found["revenue"]
    assert found["top_20_revenue"] == pytest.approx(known["top_20_revenue"], abs=0.03)
    nothing = scores(said, _holdout(cdnow_sample, late))
    assert np.isnan([nothing[name] for name in ("revenue", "revenue_over_actual", "top_20_revenue")]).all()
    assert nothing["gini"] == known["gini"]


def _holdout(log: pd.DataFrame, missing: np.ndarray) -> clv.Holdout:
    """Return the holdout of a log some of whose values are missing."""
    log = log.assign(amount=log["amount"].mask(missing))
    with pytest.warns(DataWarning, match=f"{missing.sum():,} purchases without 'amount' in the holdout"):
        return clv.rfm_train_test_split(log, value="amount", resolution="day", train_end="1997-09-30")[1]


def naive(*rows: tuple[int, str, float | None], train_end: str) -> dict[str, Forecast]:
    """Return the rules of thumb for a log, all of whose customers made one purchase in the last period."""
    log = pd.DataFrame(rows, columns=["customer_id", "date", "amount"]).astype({"amount": float})
    _, holdout = clv.rfm_train_test_split(log, value="amount", unit="day", resolution="day", train_end=train_end)
    return naive_forecasts(holdout, np.ones(len(holdout)))


def test_rules_of_thumb_go_by_first_orders_where_nobody_has_come_back():
    rows = [(1, "2024-01-01", 10.0), (2, "2024-01-03", 30.0), (2, "2024-02-20", 5.0)]
    found = naive(*rows, train_end="2024-01-05")
    assert found["history rate"].revenue.tolist() == found["zero"].revenue.tolist() == [0.0, 0.0]
    assert found["last period"].revenue.tolist() == found["past spend"].revenue_ranking.tolist() == [10.0, 30.0]


@pytest.mark.filterwarnings("ignore:.* without 'amount'")
def test_rules_of_thumb_where_values_are_missing():
    # Repeat spend is known of 1 alone, a first order of 1 and 2, nothing of 3.
    rows = [(1, "2024-01-01", 10.0), (1, "2024-01-02", 30.0), (2, "2024-01-01", 50.0), (2, "2024-01-03", None)]
    rows += [(3, "2024-01-01", None), (3, "2024-01-09", 7.0)]
    found = naive(*rows, train_end="2024-01-05")
    assert found["last period"].revenue.tolist() == [20.0, 50.0, 30.0]
    assert found["past spend"].revenue_ranking.tolist() == [40.0, 50.0, 0.0]
    unknown = naive(*[(customer, day, None) for customer, day, _ in rows], train_end="2024-01-05")
    assert unknown["zero"].revenue.tolist() == [0.0, 0.0, 0.0]
    assert np.isnan(unknown["last period"].revenue).all()
    assert unknown["past spend"].revenue_ranking.tolist() == [2.0, 2.0, 1.0]  # orders, where no value is known
