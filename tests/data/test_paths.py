"""Ledgers of what changes over the relationship: how they are laid out, and what is refused."""

import pickle

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import DataError

LOG = pd.DataFrame(
    {
        "customer_id": ["A", "A", "A", "B", "C", "C"],
        "date": ["2024-01-01", "2024-03-01", "2024-05-10", "2024-02-01", "2024-06-30", "2024-06-30"],
    }
)
LEDGER = pd.DataFrame(
    {
        "customer_id": ["B", "A", "A", "A", "C", "D"],
        "time": ["2023-12-01", "2024-03-01", "2023-11-01", "2024-05-01", "2024-06-30", "2024-01-01"],
        "price": [1.0, 1.2, 1.1, 1.3, 2.0, 9.0],
    }
)


@pytest.fixture
def rfm():
    return clv.rfm_summary(LOG, unit="day", observation_end="2024-06-30")


def test_rows_hold_until_the_next_and_purchases_lie_in_them(rfm):
    """A row of the time of a purchase holds at it; rows of before the first purchase begin with it."""
    paths = rfm.with_paths(LEDGER, columns=["price"]).paths.paths
    assert paths.first.tolist() == [0, 3, 4, 5]
    assert paths.levels["price"].to_list() == [1.1, 1.2, 1.3, 1.0, 2.0]
    assert paths.begin.tolist() == [0.0, 60.0, 121.0, 0.0, 0.0]
    assert paths.end.tolist() == [60.0, 121.0, 182.0, 151.0, 1.0]
    assert paths.purchases.tolist() == [0.0, 1.0, 1.0, 0.0, 0.0]
    assert paths.last_purchase.tolist() == [60.0 + 70.0, 0.0, 0.0]


def test_histories_by_day_lie_on_the_clock_of_calendars():
    """Age is measured to the last day's beginning, and observation ends with that day: spells end a day earlier."""
    rfm = clv.rfm_summary(LOG, unit="day", resolution="day", observation_end="2024-06-30")
    paths = rfm.with_paths(LEDGER, columns=["price"]).paths.paths
    assert paths.end.tolist() == [59.0, 120.0, 181.0, 150.0, 0.0]
    assert paths.purchases.tolist() == [0.0, 1.0, 1.0, 0.0, 0.0]


def test_rows_after_the_end_are_not_looked_at(rfm):
    later = pd.DataFrame({"customer_id": ["A", "B"], "time": ["2024-07-01", "2025-01-01"], "price": [5.0, 5.0]})
    plain, more = (
        rfm.with_paths(table, columns=["price"]).paths.paths for table in (LEDGER, pd.concat([LEDGER, later]))
    )
    pd.testing.assert_frame_equal(plain.levels, more.levels)
    np.testing.assert_array_equal(plain.end, more.end)


def test_paths_follow_their_customers(rfm):
    histories = rfm.with_paths(LEDGER, columns=["price"])
    assert histories.statistic("path").tolist() == [1.0, 2.0, 3.0]
    assert histories.select(["C", "A"]).statistic("path").tolist() == [3.0, 1.0]
    assert histories.taken(np.array([1, 1])).statistic("path").tolist() == [2.0, 2.0]
    assert "path" not in histories.to_frame().columns
    assert histories.in_unit("week").paths is histories.paths
    again = pickle.loads(pickle.dumps(histories))
    assert again.paths.paths.levels["price"].to_list() == histories.paths.paths.levels["price"].to_list()
    assert again.purchase_dates is None


def test_several_columns_of_any_kind_and_other_tables(rfm):
    table = LEDGER.assign(tier=["a", "b", "a", "b", "a", "a"], open=True)
    histories = rfm.with_paths(table, columns=["tier", "open"])
    assert histories.paths.paths.columns == ("tier", "open")
    pl = pytest.importorskip("polars")
    other = rfm.with_paths(pl.from_pandas(LEDGER), columns=["price"])
    assert other.paths.paths.levels["price"].to_list() == [1.1, 1.2, 1.3, 1.0, 2.0]


def test_times_with_a_zone_are_those_of_the_log():
    log = LOG.assign(date=pd.to_datetime(LOG["date"]).dt.tz_localize("Europe/Berlin"))
    rfm = clv.rfm_summary(log, unit="day", observation_end="2024-06-30")
    times = pd.to_datetime(LEDGER["time"]).dt.tz_localize("Europe/Berlin").dt.tz_convert("UTC")
    paths = rfm.with_paths(LEDGER.assign(time=times), columns=["price"]).paths.paths
    assert paths.purchases.tolist() == [0.0, 1.0, 1.0, 0.0, 0.0]
    np.testing.assert_allclose(paths.end, [60.0, 121.0, 182.0, 151.0, 1.0], atol=0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(index=0), r"1 customer has no path at their first purchase: 'B'; give each a row"),
        (
            lambda t: t.drop(index=[2, 3]).assign(time="2024-06-30"),
            r"2 customers have no path at their first purchase: 'A', 'B'",
        ),
        (lambda t: t.assign(price=[1.0, np.nan, 1, 1, 1, 1]), r"price is missing in 1 row .* such as 'A'.*not zero"),
        (lambda t: t.assign(time=[None, *t["time"][1:]]), r"time is missing in 1 row of the paths"),
        (lambda t: t.assign(time="soon"), r"the column 'time' of the paths holds no times"),
        (lambda t: pd.concat([t, t.iloc[[0]]]), r"1 row with the customer and the time of another, such as of 'B'"),
        (lambda t: t.rename(columns={"price": "fee"}), "the table of paths has no column 'price'"),
        (lambda t: t.drop(columns="customer_id"), "no column 'customer_id'"),
        (lambda t: t.assign(time=pd.to_datetime(t["time"]).dt.tz_localize("UTC")), "those of the log have none"),
    ],
)
def test_ledgers_that_do_not_say_enough_are_refused(rfm, change, message):
    with pytest.raises(DataError, match=message):
        rfm.with_paths(change(LEDGER), columns=["price"])


def test_histories_that_cannot_take_paths_say_so(rfm, tmp_path):
    with pytest.raises(DataError, match="name the columns of the paths"):
        rfm.with_paths(LEDGER, columns=[])
    with pytest.raises(DataError, match="have a column 'T' already"):
        rfm.with_paths(LEDGER.rename(columns={"price": "T"}), columns=["T"])
    table = rfm.to_frame().drop(columns="first_purchase")
    with pytest.raises(DataError, match="came from a table or a pickle"):
        clv.Histories.from_frame(table, unit="day", observation_end="2024-06-30").with_paths(LEDGER, columns=["price"])
    LOG.assign(date=pd.to_datetime(LOG["date"])).to_parquet(tmp_path / "log.parquet")
    engine = clv.rfm_summary(tmp_path / "log.parquet", unit="day", observation_end="2024-06-30")
    with pytest.raises(DataError, match=r"lie in an engine; write rfm.collect\(\)"):
        engine.with_paths(LEDGER, columns=["price"])
    collected = engine.collect().with_paths(LEDGER, columns=["price"])
    assert collected.paths.paths.purchases.tolist() == [0.0, 1.0, 1.0, 0.0, 0.0]
