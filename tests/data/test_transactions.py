"""Logs with a known answer: refunds, ends of windows, merging, splits, attributes, and every complaint."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clvmodels.data import DataReport, Histories, RowsAndMoney, rfm_summary, rfm_train_test_split
from clvmodels.errors import DataError, DataWarning, UnitError


def log(*rows: tuple[Any, ...]) -> pd.DataFrame:
    frame = pd.DataFrame(
        [row if len(row) == 3 else (*row, 10.0) for row in rows], columns=["customer_id", "date", "amount"]
    )
    return frame.assign(date=pd.to_datetime(frame["date"], format="ISO8601"))


def summary(frame: Any, **options: Any) -> Histories:
    return rfm_summary(frame, **({"value": "amount", "unit": "day"} | options))


def report(rfm: Histories) -> Any:
    assert rfm.report is not None
    assert rfm.report.unexplained == 0
    return rfm.report


class TestEnds:
    def test_an_order_on_the_last_day_counts_and_so_does_the_day(self) -> None:
        # users.md: cut-off 2024-01-31 with an order at 15:00 that day.
        frame = log(("a", "2024-01-01 00:00"), ("a", "2024-01-31 15:00"), ("a", "2024-02-01 00:00"))
        rfm = summary(frame, observation_end="2024-01-31")
        assert list(rfm.frequency) == [1]
        assert list(rfm.recency) == [30.625]
        assert list(rfm.T) == [31]
        assert report(rfm).dropped == {"after the end of observation": RowsAndMoney(1, 10.0)}
        train, holdout = rfm_train_test_split(frame, unit="day", train_end="2024-01-31")
        assert list(train.T) == [31]
        assert list(train.frequency) == [1]
        assert list(holdout.frequency) == [1]

    @pytest.mark.parametrize(
        "end",
        ["2024-01-31", dt.date(2024, 1, 31), dt.datetime(2024, 1, 31), pd.Timestamp("2024-01-31"),
         np.datetime64("2024-01-31")],
    )  # fmt: skip
    def test_ways_to_write_a_day(self, end: Any) -> None:
        rfm = summary(log(("a", "2024-01-01"), ("a", "2024-01-31 23:59:59.999999")), observation_end=end)
        assert list(rfm.frequency) == [1]
        assert list(rfm.T) == [31]
        assert rfm.observation_end == pd.Timestamp("2024-01-31")

    @pytest.mark.parametrize("end", ["2024-01-31T12:00", "2024-01-31 12:00:00", "2024-01-31T13:00:00.0+01:00"])
    def test_ways_to_write_an_instant(self, end: str) -> None:
        frame = log(("a", "2024-01-01"), ("a", "2024-01-31 12:00"), ("a", "2024-01-31 12:00:00.000001"))
        rfm = summary(frame, observation_end=end, time_zone="UTC")
        assert list(rfm.frequency) == [1]
        assert list(rfm.T) == [30.5]

    def test_an_instant_counts_itself(self) -> None:
        frame = log(("a", "2024-01-01"), ("a", "2024-01-31 12:00"), ("a", "2024-01-31 12:00:00.000001"))
        rfm = summary(frame, observation_end="2024-01-31 12:00")
        assert list(rfm.frequency) == [1]
        assert list(rfm.T) == [30.5]
        assert rfm.observation_end == pd.Timestamp("2024-01-31 12:00")
        again = summary(frame, observation_end=rfm.observation_end)
        np.testing.assert_array_equal(again.T, rfm.T)

    @pytest.mark.parametrize(
        "end",
        ["2024-01-31 00:00", "2024-01-31 00:00:00", "2024-01-31T00:00:00.000", str(pd.Timestamp("2024-01-31")),
         pd.Timestamp("2024-01-31 00:00"), dt.datetime(2024, 1, 31).isoformat()],
    )  # fmt: skip
    def test_a_midnight_is_the_day_that_begins_with_it_however_it_is_written(self, end: Any) -> None:
        frame = log(("a", "2024-01-01"), ("a", "2024-01-31 15:00"))
        rfm, day = (summary(frame, observation_end=one) for one in (end, "2024-01-31"))
        assert (list(rfm.T), list(rfm.frequency)) == ([31], [1])
        assert rfm.observation_end == day.observation_end == pd.Timestamp("2024-01-31")
        assert list(summary(frame, observation_end=rfm.observation_end).T) == [31]

    def test_by_default_the_day_of_the_last_transaction(self) -> None:
        rfm = summary(log(("a", "2024-01-01 12:00"), ("b", "2024-01-10 09:00")))
        assert list(rfm.T) == [9.5, 0.625]
        assert rfm.observation_end == pd.Timestamp("2024-01-10")

    def test_the_start(self) -> None:
        frame = log(
            ("old", "2023-12-31", 1.0), ("both", "2023-12-31", 2.0), ("both", "2024-01-02", 4.0),
            ("new", "2024-01-01", 8.0), ("late", "2024-02-02", 16.0),
        )  # fmt: skip
        with pytest.warns(DataWarning, match="1 customer had bought before observation_start"):
            rfm = summary(frame, observation_start="2024-01-01", observation_end="2024-01-31")
        assert list(rfm.customer_id) == ["both", "new"]
        told = report(rfm)
        assert told.left_truncated == 1
        assert told.customers_left_out == {"all purchases before the start": 1, "first seen after the end": 1}
        assert told.dropped["before the start of observation"] == RowsAndMoney(2, 3.0)
        assert told.start == pd.Timestamp("2024-01-01")
        assert "1 customer bought before the start already" in str(rfm)

    def test_nothing_left(self) -> None:
        with pytest.raises(DataError, match=r"no purchase is left between the beginning and 2023-01-01.*1 after"):
            summary(log(("a", "2024-01-01")), observation_end="2023-01-01")
        with pytest.raises(DataError, match=r"between 2025-01-01.*1 lie before"):
            summary(log(("a", "2024-01-01")), observation_start="2025-01-01", observation_end="2025-12-31")
        with pytest.raises(DataError, match="lies after the end"):
            summary(log(("a", "2024-01-01")), observation_start="2025-01-01")

    # What is not ISO 8601 may mean several days: 05.06.2024 is in May here, and in June there.
    @pytest.mark.parametrize(
        "end",
        ["soon", "now", "today", 19970930, np.int64(19970930), True, pd.NaT, "2024-13-01", "05.06.2024", "30.06.2024",
         "06/05/2024", "31 Jan 2024", "2024", "2024-06", "20240630", "2024-W23", "2024-06-30 12", "", "NaT"],
    )  # fmt: skip
    def test_ends_that_cannot_be_read(self, end: Any) -> None:
        with pytest.raises(DataError, match="observation_end"):
            summary(log(("a", "2024-01-01")), observation_end=end)


class TestMerging:
    def test_exact_times_against_days(self) -> None:
        # users.md 19: purchases of one day vanish when times are merged.
        frame = log(
            ("a", "2024-01-01 09:00"), ("a", "2024-01-01 18:00"), ("a", "2024-01-03 06:00"), ("a", "2024-01-03 06:00")
        )
        exact = summary(frame, observation_end="2024-01-04")
        assert list(exact.frequency) == [2]
        assert list(exact.recency) == [1.875]
        assert list(exact.T) == [3.625]
        assert list(exact.monetary_value) == [15]
        assert report(exact).merged_rows == 1
        assert "of one customer at one instant are one occasion: 1 row merged, 25.0% of 4 purchases" in str(exact)
        days = summary(frame, observation_end="2024-01-04", resolution="day")
        assert list(days.frequency) == [1]
        assert list(days.recency) == [2]
        assert list(days.T) == [3]
        assert list(days.monetary_value) == [20]
        assert report(days).merged_share == 0.5
        assert "of one customer in one day are one occasion" in str(days)

    @pytest.mark.parametrize(
        ("resolution", "recency", "T"),
        [("hour", 40 + 15 / 24, 59 + 8 / 24), ("day", 41, 59), ("weeks", 35, 56), ("month", 31, 31), ("year", 0, 0)],
    )
    def test_windows(self, resolution: str, recency: float, T: float) -> None:
        # Monday 1 January 15:40; Sunday 11 February 06:20; the end is Thursday 29 February.
        frame = log(("a", "2024-01-01 15:40"), ("a", "2024-02-11 06:20"))
        rfm = summary(frame, resolution=resolution, observation_end="2024-02-29")
        assert (rfm.recency[0], rfm.T[0]) == pytest.approx((recency, T))
        assert rfm.frequency[0] == (0 if resolution == "year" else 1)

    def test_age_is_never_below_recency(self) -> None:
        frame = log(("a", "2024-01-01 10:00"), ("a", "2024-01-05 23:00"))
        for resolution in (None, "hour", "day", "week", "month", "year"):
            rfm = summary(frame, resolution=resolution)
            assert (rfm.recency <= rfm.T).all()

    def test_units(self) -> None:
        frame = log(("a", "2024-01-01"), ("a", "2024-01-15"))
        for unit, length in {"hour": 1 / 24, "day": 1, "week": 7, "month": 365.25 / 12, "year": 365.25}.items():
            rfm = summary(frame, unit=unit, resolution="day")
            assert rfm.recency[0] == pytest.approx(14 / length)
            assert rfm.unit == unit

    def test_options_are_checked(self) -> None:
        frame = log(("a", "2024-01-01"))
        with pytest.raises(UnitError, match="did you mean 'week'"):
            summary(frame, unit="weak")
        with pytest.raises(UnitError, match="'fortnight'"):
            summary(frame, resolution="fortnight")
        with pytest.raises(DataError, match=r"unknown returns policy 'nett'.*did you mean 'net'"):
            summary(frame, returns="nett")


class TestRefunds:
    def test_a_refund_is_no_purchase(self) -> None:
        # users.md 4: +80 and -80 on two days gave frequency 2.
        frame = log(
            ("a", "2024-01-01", 20.0), ("a", "2024-01-05", 80.0), ("a", "2024-01-07", -80.0), ("b", "2024-01-02", 5.0)
        )
        rfm = summary(frame)
        assert rfm.to_frame()["frequency"].to_dict() == {"a": 0, "b": 0}
        told = report(rfm)
        assert (told.refunds.rows, told.refunds.money, told.refunds.occasions_gone) == (1, -80, 1)
        assert told.dropped == {"purchases refunded in full, with their refunds": RowsAndMoney(2, 0.0)}
        assert told.money_used == 25
        assert "refunds netted: 1 row (money -80.00); 1 occasion brought to nothing" in str(rfm)

    def test_a_partial_refund_lowers_the_purchase_before(self) -> None:
        frame = log(
            ("a", "2024-01-01", 20.0), ("a", "2024-01-05", 80.0), ("a", "2024-01-07", -30.0), ("a", "2024-01-09", 40.0)
        )
        rfm = summary(frame)
        assert list(rfm.frequency) == [2]
        assert list(rfm.monetary_value) == [45]
        assert report(rfm).rows_used == 4
        assert not report(rfm).dropped

    def test_a_refund_within_the_window_of_its_purchase(self) -> None:
        frame = log(("a", "2024-01-01 09:00", -5.0), ("a", "2024-01-01 18:00", 20.0))
        assert list(summary(frame, resolution="day").attributes["first_value"]) == [15]
        exact = summary(frame)
        assert list(exact.attributes["first_value"]) == [20]
        told = report(exact)
        assert (told.refunds.unmatched_rows, told.refunds.unmatched_money) == (1, -5)
        assert told.dropped == {"refunds without an earlier purchase": RowsAndMoney(1, -5.0)}
        assert "1 row without an earlier purchase (money -5.00)" in str(exact)

    def test_the_first_purchase_refunded(self) -> None:
        frame = log(
            ("a", "2024-01-01", 20.0), ("a", "2024-01-02", -20.0), ("a", "2024-01-05", 7.0), ("a", "2024-01-10", 9.0)
        )
        rfm = summary(frame, observation_end="2024-01-14")
        assert list(rfm.frequency) == [1]
        assert list(rfm.T) == [10]
        assert rfm.attributes["first_purchase"].tolist() == [pd.Timestamp("2024-01-05")]
        assert list(rfm.monetary_value) == [9]

    def test_customers_without_a_purchase_left(self) -> None:
        frame = log(
            ("gone", "2024-01-01", 20.0),
            ("gone", "2024-01-02", -25.0),
            ("only", "2024-01-03", -1.0),
            ("a", "2024-01-05"),
        )
        rfm = summary(frame)
        assert list(rfm.customer_id) == ["a"]
        told = report(rfm)
        assert told.customers_left_out == {"every purchase refunded": 1, "refunds only": 1}
        assert told.money_read == -25 + 20 - 1 + 10
        with pytest.raises(DataError, match="2 are refunds"):
            summary(frame.iloc[:3])

    def test_cents_that_do_not_add_up_in_binary(self) -> None:
        assert 0.1 + 0.2 - 0.3 != 0
        frame = log(("a", "2024-01-01"), ("a", "2024-01-05", 0.1), ("a", "2024-01-05", 0.2), ("a", "2024-01-07", -0.3))
        assert list(summary(frame).frequency) == [0]

    def test_free_orders_are_purchases_and_refunded_ones_are_not(self) -> None:
        frame = log(
            ("a", "2024-01-01"),
            ("a", "2024-01-05", 0.0),
            ("b", "2024-01-01"),
            ("b", "2024-01-05", 0.0),
            ("b", "2024-01-06", -1),
        )
        rfm = summary(frame)
        assert list(rfm.frequency) == [1, 0]
        assert rfm.monetary_value[0] == 0

    def test_drop(self) -> None:
        frame = log(
            ("a", "2024-01-01", 20.0),
            ("a", "2024-01-05", 80.0),
            ("a", "2024-01-07", -80.0),
            ("only", "2024-01-02", -5.0),
        )
        rfm = summary(frame, returns="drop")
        assert list(rfm.frequency) == [1]
        told = report(rfm)
        assert told.dropped == {"refunds, by choice": RowsAndMoney(2, -85.0)}
        assert told.customers_left_out == {"refunds only": 1}
        assert "refunds dropped: 2 rows" in str(rfm)

    def test_raise(self) -> None:
        frame = log(("a", "2024-01-01"), ("a", "2024-01-07", -80.0))
        with pytest.raises(DataError, match=r"1 refund .*customer 'a': -80; write returns=\"net\""):
            summary(frame, returns="raise")
        assert list(summary(frame, returns="raise", observation_end="2024-01-06").frequency) == [0]
        with pytest.raises(DataError, match="1 refund"):
            rfm_train_test_split(frame, value="amount", train_end="2024-01-03", returns="raise")
        with pytest.raises(DataError, match="1 refund"):
            rfm_train_test_split(frame, value="amount", train_end="2024-01-07", test_end="2024-01-09", returns="raise")

    def test_without_values_there_are_no_refunds(self) -> None:
        rfm = rfm_summary(log(("a", "2024-01-01"), ("a", "2024-01-07", -80.0)), unit="day")
        assert list(rfm.frequency) == [1]
        assert not rfm.has_spend
        assert "first_value" not in rfm.attributes
        assert rfm.report is not None
        assert math.isnan(rfm.report.unexplained)
        assert "money" not in str(rfm)


class TestGaps:
    def test_rows_without_customer_or_time(self) -> None:
        frame = log(("a", "2024-01-01", 1.0), (None, "2024-01-02", 2.0), ("a", None, 4.0), (None, None, 8.0))
        with pytest.warns(DataWarning) as caught:
            rfm = summary(frame)
        assert {str(one.message) for one in caught} == {"2 rows dropped: no 'customer_id'", "1 row dropped: no 'date'"}
        assert {one.filename for one in caught} == {__file__}
        told = report(rfm)
        assert told.dropped == {"without customer id": RowsAndMoney(2, 10.0), "without time": RowsAndMoney(1, 4.0)}
        assert (told.rows_read, told.rows_used) == (4, 1)

    @pytest.mark.parametrize("refund", [False, True])
    def test_purchases_of_unknown_value(self, refund: bool) -> None:
        rows = [
            ("a", "2024-01-01", np.nan),
            ("a", "2024-01-02", 20.0),
            ("a", "2024-01-03", np.nan),
            ("b", "2024-01-01", 5.0),
        ]
        rows += [("b", "2024-01-04", np.nan), ("b", "2024-01-05", -1.0)] if refund else [("b", "2024-01-04", np.nan)]
        with pytest.warns(DataWarning, match="3 purchases without 'amount'"):
            rfm = summary(log(*rows))
        assert list(rfm.frequency) == [2, 1]
        np.testing.assert_array_equal(rfm.monetary_value, [20, np.nan])
        np.testing.assert_array_equal(rfm.attributes["first_value"], [np.nan, 5])
        told = report(rfm)
        assert told.rows_without_value == 3
        if refund:
            assert told.dropped == {"refunds of purchases of unknown value": RowsAndMoney(1, -1.0)}

    def test_infinite_values(self) -> None:
        with pytest.raises(DataError, match="'amount' is infinite in 1 row"):
            summary(log(("a", "2024-01-01", np.inf)))


def test_a_report_that_does_not_add_up_says_so() -> None:
    told = DataReport(rows_read=2, rows_used=1, money_read=30.0, money_used=10.0)
    assert told.unexplained == 20
    assert "UNEXPLAINED money: 20.00" in str(told)
    assert told.merged_share == 0


class TestAttributes:
    def test_the_first_known_value(self) -> None:
        frame = log(("b", "2024-01-03"), ("a", "2024-01-02"), ("a", "2024-01-01"), ("b", "2024-01-04"))
        frame = frame.assign(shop=["x", "late", None, "x"], age=[1, 5, 7, 1])
        with pytest.warns(DataWarning, match="'age' is not the same in all rows of 1 customer: the first is kept"):
            rfm = summary(frame, attributes=["shop", "age"])
        assert rfm.attributes["shop"].to_dict() == {"a": "late", "b": "x"}
        assert rfm.attributes["age"].to_dict() == {"a": 7, "b": 1}
        assert list(rfm.attributes.columns) == ["first_purchase", "first_value", "shop", "age"]

    def test_names_that_histories_use(self) -> None:
        with pytest.raises(DataError, match="cannot be called 'recency'"):
            summary(log(("a", "2024-01-01")).assign(recency=1), attributes=["recency"])


class TestSplit:
    FRAME = log(
        (3, "2024-01-01", 20.0), (3, "2024-01-20 15:00", 100.0), (3, "2024-02-05", 30.0), (3, "2024-02-06", 50.0),
        (1, "2024-01-10", 70.0), (2, "2024-01-31 23:00", 5.0), (9, "2024-02-01 00:00", 8.0), (2, "2024-03-01", 1.0),
    )  # fmt: skip

    def test_two_windows(self) -> None:
        train, holdout = rfm_train_test_split(
            self.FRAME, value="amount", unit="day", train_end="2024-01-31", test_end="2024-02-29"
        )
        assert list(holdout.customer_id) == list(train.customer_id) == [1, 2, 3]
        assert list(train.frequency) == [0, 0, 1]
        assert list(holdout.frequency) == [0, 0, 2]
        assert list(holdout.revenue) == [0, 0, 80]
        np.testing.assert_array_equal(holdout.monetary_value, [np.nan, np.nan, 40])
        assert holdout.duration == 29
        assert (holdout.start, holdout.end) == (pd.Timestamp("2024-01-31"), pd.Timestamp("2024-02-29"))
        assert (holdout.late_joiners, holdout.late_revenue) == (1, 8)
        assert len(holdout) == 3
        assert list(holdout.to_frame().columns) == ["frequency", "revenue", "monetary_value"]
        assert "3 customers, 1 of them bought in the 29 days after 2024-01-31" in str(holdout)
        assert "revenue 80.00" in str(holdout)
        assert "first bought after the training window: 1 customer (revenue 8.00)" in str(holdout)
        with pytest.raises(ValueError, match="read-only"):
            holdout.revenue[0] = 1

    def test_by_default_to_the_last_day(self) -> None:
        _, holdout = rfm_train_test_split(self.FRAME, unit="day", train_end="2024-01-31")
        assert holdout.end == pd.Timestamp("2024-03-01")
        assert list(holdout.frequency) == [0, 1, 2]
        assert np.isnan(holdout.revenue).all()
        assert "no spend" in str(holdout)

    def test_a_later_refund_does_not_reach_back(self) -> None:
        refund = log((3, "2024-02-02", -100.0), (3, "2024-02-05 09:00", -30.0))
        frame = pd.concat([self.FRAME, refund])
        options: dict[str, Any] = {
            "value": "amount",
            "unit": "day",
            "train_end": "2024-01-31",
            "test_end": "2024-02-29",
        }
        train, holdout = rfm_train_test_split(frame, **options)
        assert list(train.monetary_value[2:]) == [100]
        assert list(holdout.frequency) == [0, 0, 1]
        assert list(holdout.revenue) == [0, 0, 50]
        dropped = rfm_train_test_split(frame, **options, returns="drop")[1]
        assert list(dropped.revenue) == [0, 0, 80]

    def test_a_week_is_never_counted_twice(self) -> None:
        frame = log((1, "2024-01-01"), (1, "2024-01-30"), (1, "2024-02-02"))  # Tuesday and Friday of one week
        with pytest.raises(
            DataError, match="must not be counted in both windows; end it with 2024-01-28 or 2024-02-04"
        ):
            rfm_train_test_split(frame, resolution="week", train_end="2024-01-31")
        train, holdout = rfm_train_test_split(frame, resolution="week", train_end="2024-01-28")
        assert (list(train.frequency), list(holdout.frequency)) == ([0], [1])
        assert holdout.duration == 1
        with pytest.raises(DataError, match="within the day from 2024-01-31 00:00:00"):
            rfm_train_test_split(frame, resolution="day", train_end="2024-01-31 12:00")
        with pytest.raises(DataError, match="within the hour"):
            rfm_train_test_split(frame, resolution="hour", train_end="2024-01-31 12:30")

    def test_nobody_comes_back(self) -> None:
        _, holdout = rfm_train_test_split(
            self.FRAME, value="amount", train_end="2024-03-01", test_end="2024-03-31", unit="day"
        )
        assert holdout.frequency.sum() == holdout.revenue.sum() == 0
        assert holdout.duration == 30

    def test_purchases_of_unknown_value(self) -> None:
        frame = log(
            (1, "2024-01-01", 1.0), (1, "2024-02-02", np.nan), (2, "2024-01-01", 1.0), (3, "2024-01-01", 1.0),
            (3, "2024-02-02", 20.0), (3, "2024-02-03", np.nan), (3, "2024-02-04", 30.0), (4, "2024-02-02", np.nan),
            (5, "2024-02-02", 40.0), (5, "2024-03-31", np.nan),
        )  # fmt: skip
        options: dict[str, Any] = {"value": "amount", "train_end": "2024-01-31", "test_end": "2024-02-29"}
        with pytest.warns(DataWarning, match="3 purchases without 'amount' in the holdout") as caught:
            _, holdout = rfm_train_test_split(frame, **options)
        assert [one.filename for one in caught] == [__file__]
        np.testing.assert_array_equal(holdout.frequency, [1, 0, 3])
        np.testing.assert_array_equal(holdout.revenue, [np.nan, 0, 75])
        np.testing.assert_array_equal(holdout.monetary_value, [np.nan, np.nan, 25])
        assert (holdout.late_joiners, holdout.late_revenue) == (2, 80)
        assert "revenue 100.00" in str(holdout)  # 4 occasions of 25 on average
        with pytest.warns(DataWarning, match="1 purchase without 'amount' in the holdout"):
            _, holdout = rfm_train_test_split(frame[frame["customer_id"].isin([1, 2])], **options)
        assert "no spend" in str(holdout)
        assert (holdout.late_joiners, holdout.late_revenue) == (0, 0)

    def test_purchases_of_unknown_value_in_training_are_told_once(self) -> None:
        frame = log((1, "2024-01-01", np.nan), (1, "2024-01-02", 5.0), (1, "2024-02-02", 5.0))
        with pytest.warns(DataWarning) as caught:
            rfm_train_test_split(frame, value="amount", train_end="2024-01-31")
        assert [str(one.message) for one in caught] == ["1 purchase without 'amount': left out of every mean"]

    def test_windows_that_make_no_sense(self) -> None:
        with pytest.raises(DataError, match="the holdout window is empty"):
            rfm_train_test_split(self.FRAME, train_end="2024-03-01")
        with pytest.raises(DataError, match="the holdout window is empty"):
            rfm_train_test_split(self.FRAME, train_end="2024-02-01", test_end="2024-01-01")
        with pytest.raises(DataError, match="cannot read train_end"):
            rfm_train_test_split(self.FRAME, train_end="no day")


class TestOptionsOfAWrongKind:
    LOG = pd.DataFrame({"customer_id": [1, 1], "date": ["2024-01-01", "2024-01-05"], "amount": [1.0, 2.0]})

    @pytest.mark.parametrize("option", ["customer_id", "time", "value", "time_zone", "time_format", "attributes"])
    @pytest.mark.parametrize("given", [3, ["a", 3], {"a": 1}, pd.Series([1, 2]), b"x", "\ud800"])
    def test_names(self, option: str, given: Any) -> None:
        with pytest.raises(DataError, match=r"is (the name|a list of names|a format)|no column|attributes"):
            rfm_summary(self.LOG, **{option: given})

    @pytest.mark.parametrize("given", [3, ["net"], pd.Series(["net"]), None])
    def test_choices(self, given: Any) -> None:
        with pytest.raises(DataError, match=r"unknown returns policy .*; use one of 'net', 'drop', 'raise'"):
            rfm_summary(self.LOG, returns=given)
        with pytest.raises(UnitError):
            rfm_summary(self.LOG, unit=given)

    @pytest.mark.parametrize("given", [10**400, 1e308, True, "3", math.nan, [1]])
    def test_memory(self, given: Any) -> None:
        with pytest.raises(DataError, match="memory_gb is the memory of DuckDB in GB"):
            rfm_summary(self.LOG, memory_gb=given)

    def test_columns_that_are_no_text(self) -> None:
        assert rfm_summary(self.LOG.set_axis(["customer_id", "date", 3], axis=1), value="3").has_spend

    def test_periods_are_text(self) -> None:
        months = pd.period_range("2024-01-01", periods=2, freq="D")
        assert rfm_summary(self.LOG.assign(date=months), unit="day", resolution="day").recency.tolist() == [1.0]
        with pytest.raises(DataError, match="is not numeric"):
            rfm_summary(self.LOG.assign(amount=months), value="amount")
