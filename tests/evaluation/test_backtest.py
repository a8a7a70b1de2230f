"""Backtests: windows, late joiners, drift, rules of thumb, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.data.reading import LogFormat
from clvmodels.data.reading import log_of as opened_log
from clvmodels.errors import DataError, FitError, FitWarning
from clvmodels.evaluation.backtest import backtest
from clvmodels.evaluation.windows import trial_windows
from tests.evaluation.stories import CDNOW, purchases

FIT = clv.BGNBD().from_params(CDNOW["BG/NBD"], unit="week")


def log_of(model: str, customers: int, weeks: float, seed: int, births: float = 12.0) -> pd.DataFrame:
    """Return a log of customers who come within the first weeks, simulated from a model's story."""
    born = np.random.default_rng(seed).uniform(0.0, births, customers)
    made = purchases(model, CDNOW[model], born, weeks, seed)
    days = pd.to_timedelta(made.time * 7.0, unit="D").floor("us")
    return pd.DataFrame({"customer_id": made.customer, "date": pd.Timestamp("2024-01-01") + days})


def test_a_cut_off_is_a_split(cdnow_sample):
    tried = backtest(cdnow_sample, FIT, cutoffs="1997-09-30", horizon="39 weeks", resolution="day", progress=False)
    train, holdout = clv.rfm_train_test_split(cdnow_sample, resolution="day", train_end="1997-09-30")
    row = tried.table.loc["BG/NBD"].iloc[0]
    expected = FIT.expected_purchases(train, "39 weeks")["mean"].to_numpy()
    assert row["purchases"] == holdout.frequency.sum() == 1_882
    assert row["predicted"] == pytest.approx(expected.sum(), rel=1e-12)
    assert row["mae"] == pytest.approx(np.abs(expected - holdout.frequency).mean(), rel=1e-12)


def test_the_last_period_is_counted_by_hand(cdnow_sample):
    tried = backtest(cdnow_sample, FIT, cutoffs="1997-09-30", horizon="13 weeks", resolution="day", progress=False)
    days = cdnow_sample.drop_duplicates(["customer_id", "date"])
    first = days.groupby("customer_id")["date"].transform("min")
    repeats = days[(days["date"] > first) & (days["date"] > "1997-07-01") & (days["date"] <= "1997-09-30")]
    assert tried.table.loc["last period", "predicted"].item() == len(repeats)


def test_late_joiners_are_counted_and_left_out():
    log = log_of("BG/NBD", 2_000, 52.0, seed=3, births=40.0)
    tried = backtest(log, FIT, cutoffs="2024-06-30", horizon="20 weeks", observation_end="2024-12-31", progress=False)
    first = log.groupby("customer_id")["date"].min()
    late = (first >= "2024-07-01") & (first < "2024-11-18")
    row = tried.table.loc["BG/NBD"].iloc[0]
    assert row["late_joiners"] == late.sum() > 100
    assert row["customers"] == (first < "2024-07-01").sum()


@pytest.mark.parametrize(
    ("cutoff", "horizon", "end", "before"),
    [
        ("1999-12-31", "1 year", "2000-12-31", "1998-12-31"),
        ("2024-02-29", "3 months", "2024-05-31", "2023-11-30"),
        ("2024-01-15", "2 months", "2024-03-15", "2023-11-15"),
        ("2024-01-15", "1.5 months", "2024-03-01", "2023-11-30"),  # 45.7 days
        ("2024-01-15", "39 weeks", "2024-10-14", "2023-04-17"),
    ],
)
def test_horizons_end_by_the_calendar(cutoff, horizon, end, before):
    reading = LogFormat()
    log = opened_log(reading, pd.DataFrame({"customer_id": [1, 1], "date": ["1998-01-01", "2030-01-01"]}))
    (trial,) = trial_windows(reading, log, cutoff, horizon, None)
    assert (trial.test_end.local, trial.before.local) == (pd.Timestamp(end), pd.Timestamp(before))


def test_cut_offs_stand_in_the_order_of_time(cdnow_sample):
    cutoffs = ["1997-09-30", "1997-06-30"]
    tried = backtest(cdnow_sample, {"published": FIT}, cutoffs=cutoffs, horizon=13, resolution="day", progress=False)
    assert tried.table.loc["published"].index.to_list() == [pd.Timestamp("1997-06-30"), pd.Timestamp("1997-09-30")]
    assert tried.table.index.get_level_values("model").unique().to_list() == [
        "published", "history rate", "last period", "past spend", "zero",
    ]  # fmt: skip
    assert "1997-06-30" in repr(tried)
    assert "<table" in tried._repr_html_()


def test_parameters_that_move_are_told(cdnow_sample):
    cutoffs = ["1997-09-30", "1998-03-31"]
    with pytest.warns(FitWarning, match=r"Pareto/NBD: the parameters at 1998-03-31 differ .* than chance"):
        tried = backtest(
            cdnow_sample, clv.ParetoNBD(), cutoffs=cutoffs, horizon="13 weeks", resolution="day", progress=False
        )
    path = tried.parameters.loc["Pareto/NBD"]
    assert path.loc[(pd.Timestamp("1997-09-30"), "alpha"), "estimate"] == pytest.approx(10.577683, rel=1e-4)
    assert path["p_value_of_change"].isna().sum() == 4  # of the first cut-off


def test_parameters_that_stay_are_not():
    log = log_of("BG/NBD", 2_000, 60.0, seed=5)
    cutoffs = ["2024-06-30", "2024-10-31"]
    tried = backtest(log, clv.BGNBD(), cutoffs=cutoffs, horizon="8 weeks", observation_end="2025-02-24", progress=False)
    assert tried.parameters["p_value_of_change"].iloc[-1] > 1e-3


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::clvmodels.errors.FitWarning")  # drift may be told where there is none: rarely
def test_drift_is_told_as_often_as_it_says():
    """Of 200 logs without drift, p-values below 1, 5 and 20 % come about as often as that."""
    values = []
    for seed in range(200):
        log = log_of("BG/NBD", 3_000, 45.0, seed=seed + 1_000)
        tried = backtest(
            log, clv.BGNBD(), cutoffs=["2024-06-02", "2024-10-31"], horizon="1 weeks", observation_end="2024-11-10",
            progress=False,
        )  # fmt: skip
        values.append(tried.parameters["p_value_of_change"].iloc[-1])
    values = np.array(values)
    for share, most in ((0.01, 0.04), (0.05, 0.10), (0.20, 0.30)):
        assert (values < share).mean() <= most


def test_what_cannot_be_tried_is_refused(cdnow_sample):
    def tried(models=FIT, cutoffs="1997-09-30", horizon="39 weeks", **options):
        return backtest(cdnow_sample, models, cutoffs=cutoffs, horizon=horizon, resolution="day", **options)

    with pytest.raises(DataError, match=r"the log ends on 1998-06-30, before the horizon .* \(1998-07-07\)"):
        tried(horizon="40 weeks")
    with pytest.raises(DataError, match="cutoffs are days, each of them once"):
        tried(cutoffs=["1997-09-30", "1997-09-30"])
    with pytest.raises(DataError, match="cutoffs are days"):
        tried(cutoffs=[])
    with pytest.raises(DataError, match="at least a day"):
        tried(horizon="0 weeks")
    with pytest.raises(FitError, match="takes models of orders"):
        tried(models=clv.GammaGamma())
    with pytest.raises(FitError, match="'zero' is the name of a rule of thumb"):
        tried(models={"zero": FIT})
    with pytest.raises(FitError, match="names must differ"):
        tried(models=[FIT, FIT])
    with pytest.raises(FitError, match="a fit is expected"):
        tried(models="BG/NBD")
