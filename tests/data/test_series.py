"""Repeat purchases by period: against pandas, at the edges, with refunds, and in line with the split of a log."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from clvmodels import datasets
from clvmodels.data import rfm_train_test_split
from clvmodels.data.reading import LogFormat, log_of
from clvmodels.data.series import Series, purchases_by_period
from clvmodels.errors import DataError, UnitError


def log(*rows: tuple[Any, ...]) -> pd.DataFrame:
    frame = pd.DataFrame(
        [row if len(row) == 3 else (*row, 10.0) for row in rows], columns=["customer_id", "date", "amount"]
    )
    return frame.assign(date=pd.to_datetime(frame["date"], format="ISO8601"))


def counted(frame: Any, train_end: str, test_end: str | None, period: Any = "week", **options: Any) -> Series:
    reading = LogFormat(**({"value": "amount"} | options))
    series, notes = purchases_by_period(reading, log_of(reading, frame), train_end, test_end, period)
    assert not notes
    return series


def by_number(series: Series) -> dict[int, int]:
    assert (np.diff(series.number) == 1.0).all()
    return {int(k): int(n) for k, n in zip(series.number, series.purchases, strict=True)}


@pytest.mark.parametrize("period", [7, 28])
def test_cdnow_against_pandas(period: int) -> None:
    sample = datasets.load_cdnow(sample=True)
    days = sample.drop_duplicates(["customer_id", "date"])
    repeats = days["date"][days["date"] > days.groupby("customer_id")["date"].transform("min")]
    series = counted(sample, "1997-09-30", "1998-06-30", f"{period} days", resolution="day")
    begin: Any = series.date - pd.Timedelta(days=period)
    shorter = series.date[-1] - series.date[-2] < pd.Timedelta(days=period)
    assert shorter == (273 % period > 0)
    begin = begin[:-1].append(series.date[-2:-1])
    expected = [((repeats > low) & (repeats <= high)).sum() for low, high in zip(begin, series.date, strict=True)]
    np.testing.assert_array_equal(series.purchases, expected)
    assert series.date[list(series.number).index(0)] == pd.Timestamp("1997-09-30")
    assert series.date[-1] == pd.Timestamp("1998-06-30")
    assert series.end[-1] == 39.0
    # FHL 2005: the holdout of the sample has 1,882 repeat purchases; training has the sum of x, 2,457.
    assert series.purchases[series.number > 0].sum() == 1_882
    assert series.cumulative[list(series.number).index(0)] == 2_457
    assert series.first_purchase == -272 / 7


def test_days_at_the_edges() -> None:
    # Period 0 has the days 25 to 31 January, period -1 the seven before, period 1 the seven after.
    days = ["2024-01-10", "2024-01-17", "2024-01-18", "2024-01-24", "2024-01-25", "2024-01-31", "2024-02-01"]
    frame = log(*[(1, day) for day in [*days, "2024-02-07", "2024-02-08"]])
    series = counted(frame, "2024-01-31", "2024-02-08", resolution="day")
    assert by_number(series) == {-3: 0, -2: 1, -1: 2, 0: 2, 1: 2, 2: 1}
    assert list(series.date[-3:].strftime("%m-%d")) == ["01-31", "02-07", "02-08"]
    np.testing.assert_allclose(series.end, [-3, -2, -1, 0, 1, 8 / 7])
    # The customer is as old at the end of period 0 as T says, and older than at all purchases counted until then.
    assert series.histories.T[0] == 3.0
    assert series.histories.recency[0] == 3.0


def test_exact_times_at_the_edges() -> None:
    # Training ends with 31 January: midnight after it is the holdout's, and so at the end of every period.
    times = ["2024-01-10 12:00", "2024-01-25 00:00", "2024-01-31 23:59:59.999999", "2024-02-01", "2024-02-08"]
    series = counted(log(*[(1, time) for time in times]), "2024-01-31", "2024-02-10")
    assert by_number(series) == {-3: 0, -2: 0, -1: 0, 0: 2, 1: 1, 2: 1}
    assert series.date[3] == pd.Timestamp("2024-02-01")
    # An instant closes its own period.
    noon = ["2024-01-10 12:00", "2024-01-25 12:00", "2024-01-31 23:59:59.999999", "2024-02-01", "2024-02-08"]
    series = counted(log(*[(1, time) for time in noon]), "2024-01-25 12:00", "2024-02-10 12:00")
    assert by_number(series)[0] == 1


def random_log(seed: int) -> pd.DataFrame:
    """Purchases and refunds of 60 customers over 100 days."""
    rng = np.random.default_rng(seed)
    customer, hours = rng.integers(60, size=600), rng.integers(100 * 24, size=600)
    amount = np.where(rng.random(600) < 0.25, -rng.choice([5.0, 20.0], 600), rng.choice([5.0, 20.0], 600))
    date = pd.Timestamp("2024-01-01") + pd.to_timedelta(hours, unit="h")
    return pd.DataFrame({"customer_id": customer, "date": date, "amount": amount})


@pytest.mark.parametrize("options", [{}, {"returns": "drop"}, {"resolution": "day"}, {"value": None}])
def test_totals_are_those_of_the_split(options: dict[str, Any]) -> None:
    frame = random_log(1)
    series = counted(frame, "2024-02-20", None, "5 days", **options)
    reading = {"value": "amount"} | options
    train, holdout = rfm_train_test_split(frame, train_end="2024-02-20", **reading)
    assert series.purchases[series.number <= 0].sum() == train.frequency.sum()
    assert series.purchases[series.number > 0].sum() == holdout.frequency.sum()
    assert series.late_joiners == holdout.late_joiners
    assert series.end[-1] == pytest.approx(holdout.duration, rel=1e-14)


def test_refunds_and_late_joiners() -> None:
    frame = log(
        ("a", "2024-01-01"),
        ("a", "2024-01-08"),
        ("a", "2024-01-09", -10.0),  # takes the repeat purchase back
        ("a", "2024-01-15"),
        ("a", "2024-02-02"),
        ("b", "2024-01-02"),
        ("b", "2024-01-03", -10.0),  # no training history
        ("b", "2024-02-02"),
        ("c", "2024-02-02"),
        ("c", "2024-02-03"),
        ("a", "2024-02-04", -10.0),
        ("a", "2024-02-05"),
        ("a", "2024-02-06", -30.0),
    )
    series = counted(frame.iloc[:10], "2024-01-31", "2024-02-07", resolution="day")
    assert by_number(series) == {-4: 0, -3: 0, -2: 1, -1: 0, 0: 0, 1: 1}
    assert (series.late_joiners, series.late_purchases) == (2, 3)
    # Later refunds take the purchases of the holdout, and never reach back into training.
    assert by_number(counted(frame, "2024-01-31", "2024-02-07", resolution="day"))[1] == 0
    assert series.purchases[:5].sum() == 1
    with pytest.raises(DataError, match="refund"):
        counted(frame.iloc[[0, 4, 10]], "2024-01-31", "2024-02-07", resolution="day", returns="raise")


def test_the_training_window_alone() -> None:
    frame = log((1, "2024-01-01"), (1, "2024-01-05"), (2, "2024-01-06"))
    for end in (None, "2024-01-10"):
        series = counted(frame, "2024-01-10", end, resolution="day")
        assert by_number(series) == {-1: 0, 0: 1}
        assert series.end[-1] == 0.0
    assert by_number(counted(frame, "2024-01-04", "2024-01-04")) == {0: 0}
    with pytest.raises(DataError, match="test_end 2024-01-03 00:00:00 lies before train_end"):
        counted(frame, "2024-01-04", "2024-01-03")


def test_a_change_of_the_clocks_is_no_period() -> None:
    # From 1 October to 30 November the clocks go back: the 28 days after 20 October have an hour more.
    frame = log((1, "2024-10-01 12:00"), (1, "2024-11-17 23:30"))
    series = counted(frame, "2024-10-20", "2024-11-17", time_zone="Europe/Berlin")
    assert by_number(series) == {-2: 0, -1: 0, 0: 0, 1: 0, 2: 0, 3: 0, 4: 1}
    assert series.end[-1] == pytest.approx(4 + 1 / 168)
    assert str(series.date[-1]) == "2024-11-18 00:00:00+01:00"


def test_periods() -> None:
    frame = log((1, "2024-01-01"), (1, "2024-03-20"))
    assert counted(frame, "2024-01-31", None, "month").period == pytest.approx(365.25 / 12 / 7)
    assert counted(frame, "2024-01-31", None, 2.0, unit="day", resolution="day").period == 2.0
    with pytest.raises(DataError, match="dated by the week, which a period of 'day' would cut"):
        counted(frame, "2024-02-04", None, "day", resolution="week")
    with pytest.raises(DataError, match="a period is longer than zero, got '0 days'"):
        counted(frame, "2024-01-31", None, "0 days")
    with pytest.raises(UnitError, match="unknown unit of time 'weak'"):
        counted(frame, "2024-01-31", None, "weak")
    with pytest.raises(DataError, match="take a longer period"):
        counted(log((1, "2020-01-01"), (2, "2024-01-01")), "2024-01-31", None, "hour")


def test_calendar_months_are_uneven() -> None:
    reading = LogFormat(resolution="month")
    frame = log((1, "2024-01-15"), (1, "2024-02-15"), (1, "2024-03-15"), (1, "2024-04-15"))
    series, notes = purchases_by_period(reading, log_of(reading, frame), "2024-02-29", "2024-04-30", "month")
    assert series.cumulative[-1] == 3
    assert len(notes) == 1
    assert "may hold more months than the next" in notes[0]
