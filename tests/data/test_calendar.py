"""Calendars: which value holds on which day, and on which days purchases were made."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.data.calendar import Calendar
from clvmodels.errors import DataError


def by_day(calendar, start, end):
    """Values by day, looked up row by row."""
    frame = calendar.to_frame(start, end)
    return frame.reindex(pd.date_range(start, end), method="ffill")


def table(**columns):
    return pd.DataFrame({"date": ["2023-01-02", "2023-01-09", "2023-01-16"], **columns})


def test_a_row_holds_until_the_next_and_the_last_as_long_as_the_one_before_it():
    days = by_day(Calendar.from_frame(table(price=[1.0, 2.0, 3.0])), "2023-01-02", "2023-01-22")
    assert days["price"].tolist() == [1.0] * 7 + [2.0] * 7 + [3.0] * 7


def test_rows_are_sorted_and_an_end_may_be_stated():
    calendar = Calendar.from_frame(table(price=[1.0, 2.0, 3.0])[::-1], until="2023-03-01")
    assert calendar.until == pd.Timestamp("2023-03-02")
    assert by_day(calendar, "2023-02-01", "2023-03-01")["price"].unique().tolist() == [3.0]


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("2022-12-31", "2023-01-05", "begins on 2023-01-02 and is needed from 2022-12-31 on"),
        ("2023-01-05", "2023-02-01", "ends on 2023-01-22 and is needed until 2023-02-01; .* periodic=True"),
    ],
)
def test_a_calendar_that_ends_before_it_is_needed_says_so(start, end, message):
    with pytest.raises(DataError, match=message):
        Calendar.from_frame(table(price=[1.0, 2.0, 3.0])).to_frame(start, end)


def test_a_periodic_calendar_repeats_its_first_and_its_last_year():
    days = pd.date_range("2021-01-01", "2022-12-31")
    frame = pd.DataFrame({"date": days, "day": days.day_of_year + 1000 * (days.year - 2021)})
    calendar = Calendar.from_frame(frame, until="2022-12-31", periodic=True)
    later = by_day(calendar, "2023-01-01", "2027-12-31")["day"]
    expected = later.index.day_of_year - ((later.index.month > 2) & later.index.is_leap_year) + 1000
    same = later.to_numpy() == expected
    leap = (later.index.month == 2) & (later.index.day == 29)
    assert same[~leap].all()
    earlier = by_day(calendar, "2018-03-01", "2019-02-28")["day"]
    assert earlier.loc["2018-07-01"] == pd.Timestamp("2021-07-01").day_of_year
    with pytest.raises(DataError, match="covers the days from 2023-01-02 to 2023-01-22; give it the rows of a year"):
        Calendar.from_frame(table(price=[1.0, 2.0, 3.0]), periodic=True)


def test_months_and_quarters_are_compared_with_the_first():
    days = by_day(Calendar.seasons("month") + Calendar.seasons("quarter"), "2023-01-01", "2024-12-31")
    for month in range(2, 13):
        assert (days[f"month_{month}"] == (days.index.month == month)).all()
    for quarter in range(2, 5):
        assert (days[f"quarter_{quarter}"] == (days.index.quarter == quarter)).all()


def test_named_seasons_include_both_days_and_may_go_over_new_year():
    days = by_day(
        Calendar.seasons({"summer": ("06-15", "08-31"), "winter": ("12-10", "02-29")}), "2022-01-01", "2024-12-31"
    )
    number = days.index.month * 100 + days.index.day
    assert (days["summer"] == ((number >= 615) & (number <= 831))).all()
    assert (days["winter"] == ((number >= 1210) | (number <= 229))).all()


def test_holidays_are_those_of_the_country():
    days = by_day(Calendar.holidays("DE", subdivision="BY"), "2024-01-01", "2024-12-31")["holiday"]
    of_bavaria = {
        "2024-01-01", "2024-01-06", "2024-03-29", "2024-04-01", "2024-05-01", "2024-05-09", "2024-05-20",
        "2024-05-30", "2024-08-15", "2024-10-03", "2024-11-01", "2024-12-25", "2024-12-26",
    }  # fmt: skip
    holidays = set(days.index[days == 1.0].strftime("%Y-%m-%d"))
    assert holidays - {"2024-08-15"} == of_bavaria - {"2024-08-15"}  # Assumption Day is one in most of Bavaria only
    with pytest.raises(DataError, match="no holidays are known of 'XX'; write a code of two letters such as \"DE\""):
        Calendar.holidays("XX")


def test_a_trend_rises_by_one_a_year_and_stays_where_it_is_held():
    days, values = Calendar.trend("quarter").table(
        np.datetime64("2020-01-01"), np.datetime64("2024-01-01"), constant_from=np.datetime64("2022-05-10")
    )
    assert days[-1] == np.datetime64("2022-04-01")
    rise = (values[-1, 0] - values[0, 0]) / ((days[-1] - days[0]) / np.timedelta64(1, "D") / 365.25)
    assert rise == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Calendar.from_frame(table(price=[1.0, 2.0, 3.0]), columns=["prize"]), "no column 'prize'; it has"),
        (lambda: Calendar.from_frame(table(price=[1.0, np.nan, 3.0])), "'price' of the calendar has no number on"),
        (lambda: Calendar.from_frame(table(price=["a", "b", "c"])), "'price' of the calendar must hold numbers"),
        (lambda: Calendar.from_frame(table(price=[1.0] * 3).assign(date="2023-01-02")), "two rows of 2023-01-02"),
        (lambda: Calendar.from_frame(table(price=[1.0] * 3).assign(date="2023-01-02 10:00")), "without a time of day"),
        (lambda: Calendar.from_frame(table(price=[1.0] * 3)[:1]), "write until=..., its last day"),
        (lambda: Calendar.from_frame(table()), "needs a row and a column beside the date"),
        (lambda: Calendar.from_frame(table(price=[1.0] * 3), until="2023-01-03"), "2023-01-16, after until=2023"),
        (lambda: Calendar.seasons("weekday"), "unknown by 'weekday'; use one of 'month', 'quarter'"),
        (lambda: Calendar.seasons({"sale": ("02-30", "03-05")}), r"a season has a first and a last day: .* for 'sale'"),
        (lambda: Calendar.seasons({}), 'seasons are "month", "quarter", or days by name'),
        (lambda: Calendar.trend("week"), "unknown by 'week'"),
        (lambda: Calendar.trend() + Calendar.trend("year"), "has the column 'trend' twice"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused(make, message):
    with pytest.raises(DataError, match=message):
        make()


def test_plain_data_give_the_same_calendar():
    calendar = (
        Calendar.from_frame(table(price=[1.0, 2.0, 3.0]), until="2024-12-31", periodic=True)
        + Calendar.seasons({"christmas": ("11-20", "12-31")})
        + Calendar.seasons("quarter")
        + Calendar.holidays("DE")
        + Calendar.trend("month")
    )
    again = Calendar.from_plain(calendar.plain())
    pd.testing.assert_frame_equal(
        again.to_frame("2023-02-01", "2026-02-01"), calendar.to_frame("2023-02-01", "2026-02-01")
    )


# ---------------------------------------------------------------------------------------------- days of purchases


def counted(log):
    """Repeat purchases by day, one customer after the other."""
    counts = {}
    for _, days in log.groupby("customer_id")["day"]:
        for day in sorted(set(days))[1:]:
            counts[day] = counts.get(day, 0) + 1
    return dict(sorted(counts.items()))


def as_dict(purchases):
    return dict(zip(purchases.day.tolist(), purchases.purchases.tolist(), strict=True))


@pytest.fixture(scope="module")
def log():
    generator = np.random.default_rng(5)
    days = pd.Timestamp("2023-01-01") + pd.to_timedelta(generator.integers(0, 60, 500), unit="D")
    log = pd.DataFrame({"customer_id": generator.integers(0, 80, 500), "date": days, "amount": 10.0})
    return log.assign(day=log["date"].dt.date)


def test_repeat_purchases_are_counted_by_day(log):
    rfm = clv.rfm_summary(log, resolution="day")
    assert as_dict(rfm.repeat_purchases) == counted(log)
    assert rfm.repeat_purchases.purchases.sum() == rfm.frequency.sum()


def test_an_engine_counts_the_same(log, tmp_path):
    log.drop(columns="day").to_parquet(tmp_path / "log.parquet")
    rfm = clv.rfm_summary(tmp_path / "log.parquet", resolution="day")
    assert not rfm.in_memory
    assert as_dict(rfm.repeat_purchases.fetched()) == counted(log)
    assert as_dict(rfm.collect().repeat_purchases) == counted(log)


def test_days_are_those_of_the_local_clock():
    times = ["2023-06-01T10:00Z", "2023-06-30T22:30Z", "2023-07-01T21:59Z", "2023-07-01T22:01Z"]
    log = pd.DataFrame({"customer_id": 1, "date": pd.to_datetime(times)})
    exact = clv.rfm_summary(log, time_zone="Europe/Berlin").repeat_purchases
    assert as_dict(exact) == {dt.date(2023, 7, 1): 2.0, dt.date(2023, 7, 2): 1.0}
    hours = clv.rfm_summary(log, time_zone="Europe/Berlin", resolution="hour").repeat_purchases
    assert as_dict(hours) == as_dict(exact)


def test_refunded_purchases_are_not_counted(log):
    refund = log.iloc[[3]].assign(amount=-10.0)
    same = log[(log["customer_id"] == refund["customer_id"].iloc[0]) & (log["day"] == refund["day"].iloc[0])]
    refund["amount"] = -10.0 * len(same)
    rfm = clv.rfm_summary(pd.concat([log, refund]), value="amount", resolution="day")
    assert as_dict(rfm.repeat_purchases) == counted(log.drop(same.index))
