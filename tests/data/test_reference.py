"""The aggregation against a slow implementation that is obviously right: plain loops over lists of events."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clvmodels.data import rfm_summary, rfm_train_test_split
from clvmodels.errors import DataError
from clvmodels.units import DAYS

START = dt.datetime(2024, 1, 1)
END = dt.date(2024, 1, 21)
DAY = dt.timedelta(days=1)
QUICK = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Event(NamedTuple):
    customer: int
    time: dt.datetime
    cents: int


class Occasion(NamedTuple):
    date: dt.datetime
    cents: int


events = st.lists(
    st.builds(
        Event,
        customer=st.integers(1, 4),
        time=st.integers(0, 24 * 4 * 28).map(lambda quarter: START + dt.timedelta(minutes=15 * quarter)),
        cents=st.sampled_from([0, 1000, 2500, 1010, -1000, -2500, -505]),
    ),
    min_size=1,
    max_size=25,
)


def frame(log: list[Event]) -> pd.DataFrame:
    rows = pd.DataFrame(log, columns=["customer_id", "date", "amount"])
    return rows.assign(amount=rows["amount"] / 100)


def window(time: dt.datetime, resolution: str | None) -> dt.datetime:
    day = dt.datetime.combine(time.date(), dt.time())
    return {
        None: time,
        "hour": time.replace(minute=0, second=0, microsecond=0),
        "day": day,
        "week": day - day.weekday() * DAY,
        "month": day.replace(day=1),
    }[resolution]


def occasions(log: list[Event], end: dt.date, resolution: str | None, returns: str) -> dict[int, list[Occasion]]:
    """Purchase occasions by customer, refunds booked one by one."""
    kept: dict[int, list[Occasion]] = {}
    for customer in {event.customer for event in log}:
        own = [event for event in log if event.customer == customer and event.time.date() <= end]
        value: dict[dt.datetime, int] = defaultdict(int)
        refunded = set()
        for event in own:
            if event.cents >= 0:
                value[window(event.time, resolution)] += event.cents
        for event in own if returns == "net" else []:
            before = [date for date in value if date <= window(event.time, resolution)]
            if event.cents < 0 and before:
                value[max(before)] += event.cents
                refunded.add(max(before))
        left = [Occasion(*item) for item in sorted(value.items()) if item[1] > 0 or item[0] not in refunded]
        if left:
            kept[customer] = left
    return kept


@QUICK
@given(
    log=events,
    resolution=st.sampled_from([None, "hour", "day", "week", "month"]),
    unit=st.sampled_from(["hour", "day", "week", "month", "year"]),
    returns=st.sampled_from(["net", "drop"]),
)
def test_histories(log: list[Event], resolution: str | None, unit: str, returns: str) -> None:
    expected = occasions(log, END, resolution, returns)
    options = {"value": "amount", "unit": unit, "resolution": resolution, "observation_end": END, "returns": returns}
    if not expected:
        with pytest.raises(DataError, match="no purchase is left"):
            rfm_summary(frame(log), **options)
        return
    rfm = rfm_summary(frame(log), **options)
    closing = dt.datetime.combine(END, dt.time()) + DAY
    if resolution is not None:
        closing = window(closing - dt.timedelta(microseconds=1), resolution)
    assert list(rfm.customer_id) == sorted(expected)
    length = dt.timedelta(days=DAYS[unit])  # to the microsecond
    for row, customer in enumerate(rfm.customer_id):
        own = expected[customer]
        assert rfm.frequency[row] == len(own) - 1
        assert rfm.recency[row] == pytest.approx((own[-1].date - own[0].date) / length, rel=1e-9)
        assert rfm.T[row] == pytest.approx((closing - own[0].date) / length, rel=1e-9)
        assert rfm.attributes["first_value"].iloc[row] == pytest.approx(own[0].cents / 100, abs=1e-9)
        repeats = [occasion.cents / 100 for occasion in own[1:]]
        mean = sum(repeats) / len(repeats) if repeats else math.nan
        assert rfm.monetary_value[row] == pytest.approx(mean, abs=1e-9, nan_ok=True)


@QUICK
@given(log=events, resolution=st.sampled_from([None, "day"]), returns=st.sampled_from(["net", "drop"]))
def test_report_adds_up(log: list[Event], resolution: str | None, returns: str) -> None:
    expected = occasions(log, END, resolution, returns)
    if not expected:
        return
    rfm = rfm_summary(frame(log), value="amount", resolution=resolution, observation_end=END, returns=returns)
    report = rfm.report
    assert report is not None
    inside = [event for event in log if event.time.date() <= END]
    assert report.rows_read == len(log)
    assert report.rows_used + sum(part.rows for part in report.dropped.values()) == len(log)
    assert report.money_read == pytest.approx(sum(event.cents for event in log) / 100, abs=1e-9)
    used = sum(occasion.cents for own in expected.values() for occasion in own) / 100
    assert report.money_used == pytest.approx(used, abs=1e-9)
    assert report.unexplained == pytest.approx(0, abs=1e-9)
    assert report.refunds.rows == sum(event.cents < 0 for event in inside)
    assert report.occasions == sum(map(len, expected.values()))
    assert report.customers == len(expected)
    assert report.customers + sum(report.customers_left_out.values()) == len({event.customer for event in log})
    assert report.purchase_rows + report.refunds.rows >= report.rows_used
    assert report.merged_rows >= 0
    assert report.to_frame()["rows"].iloc[1:].sum() == report.rows_read


@QUICK
@given(
    log=events,
    resolution=st.sampled_from([None, "hour", "day", "week"]),
    returns=st.sampled_from(["net", "drop"]),
)
def test_split(log: list[Event], resolution: str | None, returns: str) -> None:
    test_end = START + 28 * DAY
    training = occasions(log, END, resolution, returns)
    if not training:
        return
    train, holdout = rfm_train_test_split(
        frame(log),
        value="amount",
        unit="day",
        resolution=resolution,
        train_end=END,
        test_end=test_end.date(),
        returns=returns,
    )
    alone = rfm_summary(
        frame(log), value="amount", unit="day", resolution=resolution, observation_end=END, returns=returns
    )
    pd.testing.assert_frame_equal(train.to_frame(), alone.to_frame())
    begin = dt.datetime.combine(END, dt.time()) + DAY
    all_of = occasions(log, test_end.date(), resolution, returns)
    late = {customer: [o for o in own if o.date >= begin] for customer, own in all_of.items()}
    assert list(holdout.customer_id) == sorted(training)
    for row, customer in enumerate(holdout.customer_id):
        own = late.get(customer, [])
        assert holdout.frequency[row] == len(own)
        assert holdout.revenue[row] == pytest.approx(sum(o.cents for o in own) / 100, abs=1e-9)
    joined = [own for customer, own in late.items() if own and customer not in training]
    assert holdout.late_joiners == len(joined)
    assert holdout.late_revenue == pytest.approx(sum(o.cents for own in joined for o in own) / 100, abs=1e-9)
    if resolution != "hour":  # whose last window is that of the last hour
        length = window(test_end, resolution) - window(dt.datetime.combine(END, dt.time()), resolution)
        assert holdout.duration == pytest.approx(length / DAY)


@QUICK
@given(log=events, seed=st.integers(0, 99))
def test_the_order_of_rows_and_the_unit_change_nothing_else(log: list[Event], seed: int) -> None:
    if not occasions(log, END, None, "net"):
        return
    rows = frame(log)
    weeks = rfm_summary(rows, value="amount", unit="week", observation_end=END)
    days = rfm_summary(rows.sample(frac=1, random_state=seed), value="amount", unit="day", observation_end=END)
    pd.testing.assert_frame_equal(weeks.in_unit("day").to_frame(), days.to_frame())
    np.testing.assert_allclose(weeks.T * 7, days.T)
