"""The published CDNOW figures, from the raw transactions."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clvmodels import datasets
from clvmodels.data import Histories, Holdout, rfm_summary, rfm_train_test_split


def lifetimes_file(name: str) -> Path:
    """The files of the published analysis, which lifetimes carries."""
    spec = importlib.util.find_spec("lifetimes")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "datasets" / name


@pytest.fixture(scope="module")
def sample() -> pd.DataFrame:
    return datasets.load_cdnow(sample=True)


@pytest.fixture(scope="module")
def rfm(sample: pd.DataFrame) -> Histories:
    return rfm_summary(sample, value="amount", unit="week", resolution="day", observation_end="1997-09-30")


@pytest.fixture(scope="module")
def split(sample: pd.DataFrame) -> tuple[Histories, Holdout]:
    return rfm_train_test_split(sample, value="amount", resolution="day", train_end="1997-09-30", test_end="1998-06-30")


def test_histories_are_the_published_summary(rfm: Histories) -> None:
    # Fader and Hardie's summary of the 1/10 sample, rounded to two decimals, by their number in the sample.
    numbers = pd.read_csv(datasets.path("cdnow_sample_customers.csv"), dtype=str).set_index("customer_id")["sample_id"]
    published = pd.read_csv(lifetimes_file("cdnow_customers_summary.csv"), index_col="ID")
    published = published.loc[numbers.loc[rfm.customer_id].astype(int)]
    assert len(rfm) == 2_357
    np.testing.assert_array_equal(rfm.frequency, published["frequency"])
    np.testing.assert_allclose(rfm.recency, published["recency"], atol=0.00501)
    np.testing.assert_allclose(rfm.T, published["T"], atol=0.00501)


def test_age_is_counted_to_the_last_day(rfm: Histories) -> None:
    first = rfm.attributes["first_purchase"].to_numpy() == np.datetime64("1997-01-01")
    assert first.any()
    assert set(rfm.T[first]) == {272 / 7}
    assert rfm.observation_end == pd.Timestamp("1997-09-30")


def test_spend_of_repeat_buyers(rfm: Histories) -> None:
    # JMR 2005 / note 025: 946 repeat buyers, mean 35.08, sd 30.28, min 2.99, max 299.63.
    repeat = rfm.frequency > 0
    spend = rfm.monetary_value[repeat]
    assert repeat.sum() == 946
    assert spend.mean() == pytest.approx(35.08, abs=0.005)
    assert spend.std(ddof=1) == pytest.approx(30.28, abs=0.005)
    assert spend.min() == pytest.approx(2.99, abs=0.005)
    assert spend.max() == pytest.approx(299.63, abs=0.005)
    # Quartiles 15.76 / 27.54 / 41.79: of the two middle values, 27.455 and 27.54, the table prints the upper one.
    quartiles = np.percentile(spend, [25, 50, 75], method="higher")
    np.testing.assert_allclose(quartiles, [15.76, 27.54, 41.79], atol=0.0051)
    assert np.isnan(rfm.monetary_value[~repeat]).all()


def test_spend_and_frequency_hardly_correlate(rfm: Histories) -> None:
    # JMR 2005: .114, and .057 without the one customer with 21 repeat purchases.
    x, spend = rfm.frequency, rfm.monetary_value
    repeat = x > 0
    assert np.corrcoef(x[repeat], spend[repeat])[0, 1] == pytest.approx(0.114, abs=0.0005)
    others = repeat & (x != 21)
    assert others.sum() == repeat.sum() - 1
    assert np.corrcoef(x[others], spend[others])[0, 1] == pytest.approx(0.057, abs=0.0005)


def test_free_orders_are_purchases(rfm: Histories, sample: pd.DataFrame) -> None:
    assert (sample["amount"] == 0).any()
    assert rfm.report is not None
    assert rfm.report.refunds.rows == 0
    assert rfm.report.unexplained == 0
    assert rfm.report.rows_read == len(sample)


def test_holdout_lasts_39_weeks(split: tuple[Histories, Holdout], sample: pd.DataFrame, rfm: Histories) -> None:
    train, holdout = split
    assert holdout.duration == 39
    pd.testing.assert_frame_equal(train.to_frame(), rfm.to_frame())
    assert holdout.customer_id.equals(train.customer_id)
    later = sample[sample["date"] > "1997-09-30"]
    days = later.groupby("customer_id")["date"].nunique().reindex(holdout.customer_id, fill_value=0)
    np.testing.assert_array_equal(holdout.frequency, days)
    assert holdout.late_joiners == 0
    assert np.nansum(holdout.revenue) == pytest.approx(later["amount"].sum())


def test_full_cohort() -> None:
    rfm = rfm_summary(datasets.load_cdnow(), value="amount", resolution="day", observation_end="1998-06-30")
    assert len(rfm) == 23_570
    assert rfm.report is not None
    assert rfm.report.rows_read == rfm.report.rows_used == 69_659


def test_lifetimes_agrees(sample: pd.DataFrame, split: tuple[Histories, Holdout]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        utils = pytest.importorskip("lifetimes.utils")
        theirs = utils.summary_data_from_transaction_data(
            sample, "customer_id", "date", "amount", observation_period_end="1997-09-30", freq="D", freq_multiplier=7
        )
    ours = split[0].to_frame()
    assert list(theirs.index) == list(ours.index)
    for name in ("frequency", "recency", "T"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-12)
    repeat = ours["frequency"] > 0
    np.testing.assert_allclose(ours["monetary_value"][repeat], theirs["monetary_value"][repeat], rtol=1e-9)


def test_the_file_the_papers_came_with(rfm: Histories) -> None:
    file = lifetimes_file("CDNOW_sample.txt")
    log = pd.read_csv(
        file, sep=r"\s+", names=["customer_id", "sample_id", "date", "cds", "amount"], dtype={"date": str}
    )
    again = rfm_summary(
        log, value="amount", resolution="day", observation_end="1997-09-30", time_format="%Y%m%d", returns="raise"
    )
    np.testing.assert_array_equal(again.frequency, rfm.frequency)
    np.testing.assert_array_equal(again.T, rfm.T)
