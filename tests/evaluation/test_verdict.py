"""Verdicts of backtests, against tables made by hand; and regressors, which cannot peek."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor

import clvmodels as clv
from clvmodels.errors import FitError
from clvmodels.evaluation.backtest import backtest
from clvmodels.evaluation.candidates import features
from clvmodels.evaluation.verdict import Comparison, Verdict, verdict_text
from tests.evaluation.stories import CDNOW

FIT = clv.BGNBD().from_params(CDNOW["BG/NBD"], unit="week")
SHORT = {"cutoffs": "1997-09-30", "horizon": "13 weeks", "resolution": "day", "progress": False, "seed": 1}


class Memory:
    """Knows by heart what it has been taught, and says the mean where it knows nothing."""

    taught: ClassVar[list[tuple[pd.DataFrame, np.ndarray]]] = []

    def fit(self, X, y):
        type(self).taught.append((X, y))
        self.by_row = dict(zip(map(tuple, X.to_numpy()), y, strict=True))
        self.mean = y.mean()

    def predict(self, X):
        return np.array([self.by_row.get(tuple(row), self.mean) for row in X.to_numpy()])


@pytest.fixture
def memory():
    Memory.taught = []
    return Memory()


def rows_between(log, start, end):
    """Return the purchase days after one day, up to another."""
    days = log.drop_duplicates(["customer_id", "date"])
    return days[(days["date"] > start) & (days["date"] <= end)]


def test_a_regressor_learns_from_the_training_window_alone(cdnow_sample, memory):
    tried = backtest(cdnow_sample, memory, **SHORT)
    ((X, y),) = Memory.taught
    before = cdnow_sample[cdnow_sample["date"] <= "1997-07-01"]
    target = rows_between(cdnow_sample, "1997-07-01", "1997-09-30")
    assert len(X) == before["customer_id"].nunique()
    assert y.sum() == target["customer_id"].isin(before["customer_id"]).sum()
    assert X["T"].max() == pytest.approx(181 / 7)  # from 1 January to 1 July
    assert not hasattr(memory, "mean")  # the user's own has learnt nothing
    assert tried.table.loc["Memory", "rmse"].item() > 0.3
    assert list(tried.table.index.get_level_values("model")[:2]) == ["Memory", "history rate"]
    assert not len(tried.parameters)


def test_who_would_win_by_peeking_cannot(cdnow_sample, memory):
    """What comes after the cut-off changes: what was taught and predicted does not, though a peeker would be right."""
    changed = cdnow_sample.copy()
    late = changed["date"] > "1997-09-30"
    changed.loc[late, "date"] = pd.Timestamp("1997-10-01")
    first, second = (backtest(log, memory, observation_end="1998-06-30", **SHORT) for log in (cdnow_sample, changed))
    (X, y), (again, y_again) = Memory.taught
    pd.testing.assert_frame_equal(X, again)
    np.testing.assert_array_equal(y, y_again)
    of = [tried.outcomes[0].forecasts["Memory"].purchases for tried in (first, second)]
    np.testing.assert_array_equal(*of)
    actual = [tried.outcomes[0].holdout.frequency for tried in (first, second)]
    assert (actual[0] != actual[1]).sum() > 100
    X, _ = features(first.outcomes[0].holdout.histories)
    peeker = Memory()
    peeker.fit(X.assign(number=np.arange(len(X))), actual[0])
    assert (peeker.predict(X.assign(number=np.arange(len(X)))) == actual[0]).all()


def test_a_short_training_window_is_split_in_halves_and_scaled(cdnow_sample):
    class Mean:
        def fit(self, _, y):
            self.mean = y.mean()

        def predict(self, X):
            return np.full(len(X), self.mean)

    tried = backtest(cdnow_sample, {"mean": Mean()}, **SHORT | {"horizon": "39 weeks"})
    half = pd.Timestamp("1997-09-30") - pd.Timedelta(days=136)  # half of 273 days, to a whole day
    known = cdnow_sample.loc[cdnow_sample["date"] <= half, "customer_id"]
    target = rows_between(cdnow_sample, half, "1997-09-30")["customer_id"].isin(known).sum()
    expected = target / known.nunique() * 273 / 136 * cdnow_sample["customer_id"].nunique()
    assert tried.table.loc["mean", "predicted"].item() == pytest.approx(expected, rel=1e-9)


def test_regressors_of_scikit_learn_stand_beside_models(cdnow_sample):
    forest = RandomForestRegressor(50, min_samples_leaf=20, random_state=1)
    tried = backtest(cdnow_sample, [FIT, forest], value="amount", **SHORT)
    names = tried.table.index.get_level_values("model")
    assert list(names[:2]) == ["BG/NBD", "RandomForestRegressor"]
    row = tried.table.loc["RandomForestRegressor"].iloc[0]
    assert 0.5 < row["predicted_over_actual"] < 2.0
    assert row["revenue_predicted"] > 0.0
    assert np.isnan(row["log_score"])
    assert row["rmse"] < tried.table.loc["zero", "rmse"].item()


def test_comparisons_are_paired_by_customer(cdnow_sample):
    """At two cut-offs, differences of a customer are taken together."""
    tried = backtest(cdnow_sample, FIT, **SHORT | {"cutoffs": ["1997-09-30", "1997-12-31"]})
    verdict = tried.verdict
    lost = pd.concat(
        [
            pd.Series(
                (each.forecasts["last period"].purchases - each.holdout.frequency) ** 2
                - (each.forecasts["BG/NBD"].purchases - each.holdout.frequency) ** 2,
                index=each.holdout.customer_id,
            )
            for each in tried.outcomes
        ]
    )
    by_customer = lost.groupby(level=0).sum()
    (compared,) = [each for each in verdict.comparisons if each.rule == "last period"]
    assert compared.gain == pytest.approx(lost.mean(), rel=1e-9)
    assert compared.se == pytest.approx(by_customer.std() * np.sqrt(len(by_customer)) / len(lost), rel=1e-9)
    assert verdict.cutoffs == len(verdict.totals) == 2
    assert verdict.customers == 2_357
    assert verdict.rmse["BG/NBD"] ** 2 == pytest.approx((tried.table.loc["BG/NBD", "rmse"] ** 2).mean(), rel=1e-9)
    assert "past spend" not in verdict.rmse
    assert f"at {sum(total.inside for total in verdict.totals)} of 2 cut-offs" in str(verdict)


def test_chance_is_told_from_difference():
    """Among equals, one side is called better in 5 % of the logs, and a real difference is called one."""
    from clvmodels.evaluation.verdict import _compared

    generator = np.random.default_rng(1)
    customer = np.repeat(np.arange(500), 2)
    noise = generator.normal(size=(1_000, 500)).repeat(2, axis=1) + generator.normal(size=(1_000, 1_000))
    better = np.mean([_compared("m", "r", each, customer).result == "better" for each in noise])
    assert better == pytest.approx(0.05, abs=0.021)  # 3 binomial standard errors
    assert _compared("m", "r", noise[0] + 0.5, customer).result == "better"
    assert _compared("m", "r", noise[0] - 0.5, customer).result == "worse"
    assert _compared("m", "r", np.zeros(1_000), customer).result == "no different"


def growing_log() -> pd.DataFrame:
    """Return a log whose customers buy once in five weeks for a year, and then twice as often."""
    generator = np.random.default_rng(7)
    rows = []
    for customer in range(400):
        first = generator.uniform(0, 200)
        slow = first + np.cumsum(generator.exponential(35.0, 60))
        fast = 365.0 + np.cumsum(generator.exponential(17.0, 60))
        days = [first, *slow[slow < 365.0], *fast[fast < 546.0]]
        rows += [(customer, day, 10.0) for day in days]
    late = [(1_000 + k, 400.0 + k, 30.0) for k in range(50)]
    log = pd.DataFrame(rows + late, columns=["customer_id", "day", "amount"])
    return log.assign(date=pd.Timestamp("2022-01-01") + pd.to_timedelta(log["day"], unit="D").dt.floor("us"))


@pytest.mark.filterwarnings("ignore::clvmodels.errors.FitWarning")  # nobody leaves
def test_growth_and_late_joiners_are_in_the_verdict():
    log = growing_log()
    tried = backtest(
        log, clv.BGNBD(), cutoffs="2022-12-31", horizon="26 weeks", observation_end="2023-07-01", progress=False,
        seed=1,
    )  # fmt: skip
    total = tried.verdict.total
    assert total.off == pytest.approx(tried.table.loc["BG/NBD", "predicted_over_actual"].item() - 1.0, abs=0.01)
    assert total.off < -0.35
    assert not total.inside
    assert total.late_joiners == 50
    assert total.late_purchase_share == pytest.approx(50 / (50 + total.actual))
    text = str(tried.verdict)
    assert "% low, more than chance explains: season or growth" in text
    assert "Late joiners made 1% of the purchases after 2022-12-31" in text
    with_money = last_third_with_money(log)
    known = log[(log["customer_id"] < 1_000) & (log["day"] >= 364.0)]["amount"].sum()
    assert with_money.late_share == pytest.approx(1_500.0 / (1_500.0 + known), rel=1e-9)


def last_third_with_money(log):
    from clvmodels.evaluation.holdout_total import holdout_total

    _, holdout = clv.rfm_train_test_split(log, value="amount", train_end="2022-12-30", test_end="2023-07-01")
    return holdout_total({"BG/NBD": FIT}, None, holdout, seed=1)


def test_no_model_beats_a_rule_is_said():
    comparisons = (
        Comparison("BG/NBD", "last period", 0.1, 0.2, "no different"),
        Comparison("BG/NBD", "zero", 0.5, 0.1, "better"),
        Comparison("trees", "last period", -0.5, 0.2, "worse"),
        Comparison("trees", "zero", 0.2, 0.2, "no different"),
    )
    rmse = {"BG/NBD": 1.0, "trees": 1.3, "last period": 1.1, "zero": 1.5}
    verdict = Verdict("BG/NBD", rmse, comparisons, 1, 100, ())
    assert verdict.beaten == ("zero",)
    assert verdict.unbeaten == ("last period",)
    assert verdict_text(verdict) == (
        "Best by the squared error of a customer's purchases: BG/NBD (rmse 1; 1 cut-off, 100 customers).\n"
        "It beats zero by more than chance.\n"
        "No model beats last period here: its rmse is 1.1, and either may be ahead by chance."
    )


def test_what_no_regressor_may_do_is_refused(cdnow_sample):
    class Wrong:
        def __init__(self, answer):
            self.answer = answer

        def fit(self, X, y):
            pass

        def predict(self, X):
            return self.answer(len(X))

    for answer in (lambda n: np.zeros(n - 1), lambda n: np.full(n, np.nan), lambda n: np.zeros((n, 2))):
        with pytest.raises(FitError, match=r"Wrong: predict\(X\) must return one finite number"):
            backtest(cdnow_sample, Wrong(answer), **SHORT)
    with pytest.raises(FitError, match="regressors with fit"):
        backtest(cdnow_sample, {"class": Wrong}, **SHORT)
    with pytest.raises(FitError, match="names must differ"):
        backtest(cdnow_sample, [Wrong(np.zeros), Wrong(np.zeros)], **SHORT)
    below = backtest(cdnow_sample, {"below": Wrong(lambda n: np.full(n, -1.0))}, **SHORT)
    assert below.table.loc["below", "predicted"].item() == 0.0


def test_features_know_what_is_known(cdnow_sample):
    rfm = clv.rfm_summary(cdnow_sample, value="amount", resolution="day", observation_end="1997-09-30")
    table, fill = features(rfm)
    assert list(table.columns) == ["frequency", "recency", "T", "time_since_last", "monetary_value", "first_value"]
    assert np.isfinite(table.to_numpy()).all()
    once = rfm.frequency == 0
    np.testing.assert_allclose(table.loc[once, "monetary_value"], np.nanmean(rfm.monetary_value))
    few = rfm.select(rfm.customer_id[once][:5])
    assert features(few, fill)[0]["monetary_value"].iloc[0] == pytest.approx(fill["monetary_value"])
