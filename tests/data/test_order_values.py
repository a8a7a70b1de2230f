"""The values of single orders: their logs against plain pandas, found when they are asked for, of the same log."""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.data import Histories
from clvmodels.data.order_values import with_first_order
from clvmodels.errors import DataError

OF_REPEATS = ("valued", "valued_mean", "log_mean", "log_ss")
OF_ALL = ("valued_all", "mean_all", "log_mean_all", "log_ss_all")
END = pd.Timestamp("2024-12-31")


def purchases(*, free: bool, missing: bool, refunds: bool) -> pd.DataFrame:
    """A log with several rows on some days; on request free ones, some of unknown value, and refunds of a part."""
    generator = np.random.default_rng(11)
    customer = np.sort(generator.integers(0, 60, 400))
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(generator.integers(0, 360, 400), unit="D")
    amount = np.round(np.exp(generator.normal(3.0, 0.8, 400)), 2)
    amount[::7] = 0.0 if free else amount[::7]
    amount[::11] = np.nan if missing else amount[::11]
    log = pd.DataFrame({"customer_id": customer, "date": day, "amount": amount})
    if refunds:
        back = log[log.amount > 1.0].iloc[::9].assign(amount=lambda part: -0.3 * part.amount)
        log = pd.concat([log, back], ignore_index=True)
    return log


def moments(log: pd.DataFrame, *, repeats: bool) -> pd.DataFrame:
    """Number, mean, mean of logs and their sum of squares of the orders of positive value, by customer."""
    days = log.groupby(["customer_id", "date"])["amount"].sum(min_count=1).reset_index()
    first = days["date"] == days.groupby("customer_id")["date"].transform("min")
    orders = days[(days["amount"] > 0.0) & ~(first & repeats)]
    logs = np.log(orders["amount"]).groupby(orders["customer_id"])
    squares = logs.var(ddof=0) * logs.size()
    mean = orders.groupby("customer_id")["amount"].mean()
    table = pd.DataFrame({"number": logs.size(), "mean": mean, "log_mean": logs.mean(), "log_ss": squares})
    return table.reindex(sorted(log["customer_id"].unique()))


def summarised(log: pd.DataFrame) -> Histories:
    return clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end=END)


def test_moments_of_logs_do_not_depend_on_the_order_of_rows() -> None:
    """To the last digit, however an engine adds; and they are those of exact sums."""
    generator = np.random.default_rng(5)
    days = pd.Timestamp("2022-01-01") + pd.to_timedelta(np.tile(np.arange(1_000), 40), unit="D")
    amount = np.round(np.exp(generator.normal(3.0, 0.8, 40_000)), 2)
    log = pd.DataFrame({"customer_id": np.repeat(np.arange(40), 1_000), "date": days, "amount": amount})
    there, shuffled = summarised(log), summarised(log.sample(frac=1.0, random_state=1))
    for name in ("log_mean", "log_ss"):
        np.testing.assert_array_equal(there.statistic(name), shuffled.statistic(name))
    logs = np.log(amount).reshape(40, 1_000)[:, 1:]  # of repeat orders
    means = np.array([math.fsum(row) / 999.0 for row in logs])
    np.testing.assert_allclose(there.statistic("log_mean"), means, rtol=1e-13)
    squares = [math.fsum((row - mean) ** 2) for row, mean in zip(logs, means, strict=True)]
    np.testing.assert_allclose(there.statistic("log_ss"), squares, rtol=1e-12)


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("refunds", [False, True])
@pytest.mark.filterwarnings("ignore::clvmodels.errors.DataWarning")
def test_moments_are_those_of_single_orders(*, free: bool, missing: bool, refunds: bool) -> None:
    log = purchases(free=free, missing=missing, refunds=refunds)
    histories = summarised(log)
    for names, repeats in ((OF_REPEATS, True), (OF_ALL, False)):
        expected = moments(log, repeats=repeats).loc[histories.customer_id]
        number = expected["number"].fillna(0.0).to_numpy()
        np.testing.assert_array_equal(histories.statistic(names[0]), number)
        buyers = number > 0.0
        for name, column in zip(names[1:], ("mean", "log_mean", "log_ss"), strict=True):
            values = histories.statistic(name)
            np.testing.assert_allclose(values[buyers], expected[column].to_numpy()[buyers], rtol=1e-9, atol=1e-9)
            assert np.isnan(values[~buyers]).all()
    plain = not (free or missing)
    assert np.array_equal(histories.statistic("valued"), histories.frequency) == plain


def test_tables_do_not_show_them_and_selections_have_them() -> None:
    histories = summarised(purchases(free=False, missing=False, refunds=False))
    assert list(histories.to_frame()) == [
        "frequency",
        "recency",
        "T",
        "monetary_value",
        "first_purchase",
        "first_value",
    ]
    chosen = histories.select(histories.customer_id[[7, 3]])
    for name in (*OF_REPEATS, *OF_ALL):
        np.testing.assert_array_equal(chosen.statistic(name), histories.statistic(name)[[7, 3]])
        np.testing.assert_array_equal(
            pickle.loads(pickle.dumps(chosen)).statistic(name),
            chosen.statistic(name),
        )
        np.testing.assert_array_equal(
            chosen.taken(np.array([1, 1, 0])).statistic(name), chosen.statistic(name)[[1, 1, 0]]
        )


def test_in_an_engine_they_are_the_same(tmp_path: Path) -> None:
    log = purchases(free=False, missing=False, refunds=False)
    log.to_parquet(tmp_path / "log.parquet", index=False)
    there = clv.rfm_summary(
        tmp_path / "log.parquet", value="amount", unit="week", resolution="day", observation_end=END
    )
    here = summarised(log)
    assert not there.in_memory
    for name in (*OF_REPEATS, *OF_ALL):
        np.testing.assert_allclose(there.statistic(name), here.statistic(name), rtol=1e-11)
    rows = there.distinct(("valued", "valued_mean", "log_mean"))
    np.testing.assert_array_equal(rows.rows, there.collect().distinct(("valued", "valued_mean", "log_mean")).rows)


def test_a_log_that_has_changed_is_refused(tmp_path: Path) -> None:
    log = purchases(free=False, missing=False, refunds=False)
    log.to_parquet(tmp_path / "log.parquet", index=False)
    histories = clv.rfm_summary(
        tmp_path / "log.parquet", value="amount", unit="week", resolution="day", observation_end=END
    )
    assert len(histories) > 0
    log.assign(amount=2.0 * log["amount"]).to_parquet(tmp_path / "log.parquet", index=False)
    with pytest.raises(DataError, match="the log has changed since its histories were made"):
        histories.statistic("log_mean")


def test_tables_may_bring_their_own() -> None:
    table = pd.DataFrame({"customer_id": ["A", "B"], "frequency": [2, 0], "recency": [3.0, 0.0], "T": [9.0, 9.0]})
    table["monetary_value"], table["mean log"] = [5.0, np.nan], [1.5, np.nan]
    histories = Histories.from_frame(table, unit="week", statistics={"mean log": "log_mean"})
    rows = histories.distinct(("valued", "valued_mean", "log_mean")).rows
    np.testing.assert_array_equal(rows, [[2.0, 5.0, 1.5]])
    plain = Histories.from_frame(table.drop(columns="mean log"), unit="week")
    with pytest.raises(DataError, match="these histories have no log_mean"):
        plain.statistic("log_mean")


def test_the_first_order_joins_the_others() -> None:
    orders = np.array([12.0, 3.0, 40.0, 7.5])
    logs = np.log(orders)
    of_repeats = {
        "valued": np.array([3.0]),
        "valued_mean": orders[1:].mean(keepdims=True),
        "log_mean": logs[1:].mean(keepdims=True),
        "log_ss": np.array([((logs[1:] - logs[1:].mean()) ** 2).sum()]),
    }
    joined = with_first_order(of_repeats, orders[:1])
    expected = [4.0, orders.mean(), logs.mean(), ((logs - logs.mean()) ** 2).sum()]
    np.testing.assert_allclose([joined[name][0] for name in OF_ALL], expected, rtol=1e-14)
    unknown = with_first_order(of_repeats, np.array([np.nan]))
    np.testing.assert_array_equal([unknown[name][0] for name in OF_ALL], [of_repeats[name][0] for name in OF_REPEATS])
