"""Histories of opportunities, against counting by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import DataError, DataWarning, UnitError

pytestmark = pytest.mark.filterwarnings("ignore:.*was it cut there:clvmodels.errors.DataWarning")
PERIODS = {"1 year": "Y", "1 month": "M", "1 week": "W-SUN", "1 day": "D"}
ENDS = {"1 year": "2022-12-31", "1 month": "2023-02-28", "1 week": "2023-03-26", "1 day": "2023-03-21"}


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    counts = generator.integers(1, 12, 300)
    days = pd.Timestamp("2020-01-15") + pd.to_timedelta(generator.integers(0, 1_200, counts.sum()), "D")
    amounts = generator.integers(5, 50, counts.sum()).astype(float)
    return pd.DataFrame({"customer_id": np.repeat(np.arange(300), counts), "date": days, "amount": amounts})


@pytest.mark.parametrize("opportunity", PERIODS)
def test_opportunities_are_the_periods_after_the_first_purchase(log: pd.DataFrame, opportunity: str) -> None:
    rfm = clv.opportunity_summary(log, value="amount", opportunity=opportunity, observation_end=ENDS[opportunity])
    inside = log[log["date"] <= ENDS[opportunity]]
    period = inside["date"].dt.to_period(PERIODS[opportunity])
    last = pd.Period(ENDS[opportunity], PERIODS[opportunity])
    for customer, row in rfm.to_frame().iterrows():
        bought = period[inside["customer_id"] == customer]
        first = bought.min()
        later = sorted({(other - first).n for other in bought} - {0})
        assert row["frequency"] == len(later)
        assert row["recency"] == (later[-1] if later else 0)
        assert row["periods"] == (last - first).n
        repeats = inside["amount"][(inside["customer_id"] == customer) & (period > first).reindex(inside.index)]
        if later:
            assert row["monetary_value"] == pytest.approx(repeats.sum() / len(later))
    assert len(rfm) == inside["customer_id"].nunique()
    assert rfm.unit == opportunity.split()[1]


def test_a_period_that_is_not_over_is_left_out(log: pd.DataFrame) -> None:
    with pytest.warns(DataWarning, match='the year from 2023-01-01 is not over by 2023-04-.*end="2023-12-31"'):
        rfm = clv.opportunity_summary(log, value="amount")
    whole = clv.opportunity_summary(log, value="amount", observation_end="2022-12-31")
    pd.testing.assert_frame_equal(rfm.to_frame(), whole.to_frame())
    assert rfm.observation_end == pd.Timestamp("2022-12-31")


def test_files_and_tables_give_the_same(log: pd.DataFrame, tmp_path) -> None:
    log.to_parquet(tmp_path / "log.parquet")
    ours = clv.opportunity_summary(log, value="amount", observation_end="2022-12-31")
    files = clv.opportunity_summary(str(tmp_path / "log.parquet"), value="amount", observation_end="2022-12-31")
    assert files.in_memory
    pd.testing.assert_frame_equal(ours.to_frame(), files.to_frame(), check_dtype=False)


@pytest.mark.parametrize("opportunity", ["2 weeks", "1 hour", "3 months", 2])
def test_other_lengths_are_refused_in_words(log: pd.DataFrame, opportunity: object) -> None:
    with pytest.raises(UnitError, match='an opportunity is a period of the calendar, "1 day"'):
        clv.opportunity_summary(log, opportunity=opportunity)


def test_a_table_of_opportunities_may_lack_spend_where_nobody_bought_again() -> None:
    table = pd.DataFrame({"customer_id": [1, 2], "frequency": [0, 2], "recency": [0, 3], "periods": 5})
    rfm = clv.Histories.from_frame(table.assign(monetary_value=[np.nan, 20.0]), unit="year")
    assert rfm.has_spend
    assert rfm.T.tolist() == [5.0, 5.0]
    with pytest.raises(DataError, match="monetary_value is infinite"):
        clv.Histories.from_frame(table.assign(monetary_value=[np.nan, np.inf]), unit="year")


def test_from_a_log_to_customer_equity(log: pd.DataFrame) -> None:
    rfm = clv.opportunity_summary(log, value="amount", opportunity="1 month", observation_end="2023-03-31")
    fit = clv.BGBB().from_params({"alpha": 1.0, "beta": 6.0, "gamma": 0.5, "delta": 9.0}, unit="month")
    spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    book = clv.value(fit, spend, rfm, clv.Assumptions(discount_rate=0.1, margin=0.3))
    assert book.equity > 0.0
    assert len(book.customers) == len(rfm)
