"""Occasions one by one add up to the histories, whatever the log, and are those of the customers asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.data import rfm_summary
from clvmodels.data.events import purchase_occasions, read_events
from clvmodels.data.reading import LogFormat
from clvmodels.errors import DataError, DataWarning

LOG = pd.DataFrame(
    {
        "customer_id": ["ann", "ann", "ann", "bob", "bob", "cyd", "cyd", "cyd"],
        "date": [
            *("2024-01-01", "2024-01-15", "2024-01-16", "2024-01-08", "2024-01-10"),
            *("2024-01-03 09:00", "2024-01-03 18:00", "2024-02-20"),
        ],
        "amount": [20.0, 30.0, -10.0, 50.0, -50.0, 5.0, np.nan, 8.0],
        "shop": ["x", "x", "y", "z", "z", "w", "w", "w"],
    }
)
WINDOW: dict[str, Any] = {"value": "amount", "unit": "day", "resolution": "day", "observation_end": "2024-01-29"}


def test_refunds_are_netted_and_what_is_left_of_them_is_no_purchase() -> None:
    table = purchase_occasions(LOG, **WINDOW)
    assert table["customer_id"].tolist() == ["ann", "ann", "cyd"]  # bob's purchase was refunded in full
    assert table["date"].tolist() == [pd.Timestamp(day) for day in ("2024-01-01", "2024-01-15", "2024-01-03")]
    assert table["value"].tolist() == [20.0, 20.0, 5.0]
    assert table["age"].tolist() == [0.0, 14.0, 0.0]
    assert table["T"].tolist() == [28.0, 28.0, 26.0]


@pytest.mark.parametrize(
    "options",
    [
        {"value": "amount", "unit": "week", "resolution": "day", "observation_end": "1997-09-30"},
        {"value": "amount", "unit": "day"},
        {"unit": "month", "resolution": "week", "observation_end": "1998-03-01"},
    ],
    ids=["published", "exact", "merged by week, no value"],
)
def test_occasions_add_up_to_the_histories(options: dict[str, Any]) -> None:
    log = clv.datasets.load_cdnow(sample=True)
    table, rfm = purchase_occasions(log, **options), rfm_summary(log, **options)
    by = table.groupby("customer_id")
    assert by.ngroups == len(rfm)
    np.testing.assert_array_equal(by.size() - 1, rfm.frequency)
    np.testing.assert_allclose(by["age"].max(), rfm.recency, rtol=1e-12)
    np.testing.assert_allclose(by["T"].first(), rfm.T, rtol=1e-12)
    assert by["date"].first().tolist() == rfm.attributes["first_purchase"].tolist()
    if "value" in options:
        spend = table[table["age"] > 0].groupby("customer_id")["value"].mean().reindex(rfm.customer_id)
        np.testing.assert_allclose(spend, rfm.monetary_value, rtol=1e-9)
    else:
        assert table["value"].isna().all()


def test_of_some_customers() -> None:
    everything = purchase_occasions(LOG, **WINDOW)
    some = purchase_occasions(LOG, customers=["cyd"], **WINDOW)
    pd.testing.assert_frame_equal(some, everything[everything["customer_id"] == "cyd"].reset_index(drop=True))
    assert purchase_occasions(LOG, customers=[], **WINDOW).empty


def test_instants_keep_their_zone() -> None:
    table = purchase_occasions(LOG, customers=["cyd"], value="amount", unit="day", time_zone="Europe/Berlin")
    assert table["date"].iloc[0] == pd.Timestamp("2024-01-03 09:00", tz="Europe/Berlin")
    assert table["age"].tolist() == [0.0, 0.375, 47.625]
    assert table["value"].isna().tolist() == [False, True, False]  # unknown is not zero


def test_attributes_come_along_and_changes_are_told() -> None:
    with pytest.warns(DataWarning, match="'shop' is not the same in all rows of 1 customer"):
        table = purchase_occasions(LOG, attributes=["shop"], **WINDOW)
    assert table["shop"].tolist() == ["x", "x", "w"]


@pytest.mark.parametrize(
    ("customers", "message"),
    [
        (["dan"], "1 customer without a purchase until 2024-01-29: 'dan'"),
        (["bob"], "1 customer without a purchase"),
        (["ann", 7, 8], "2 customers without a purchase .*: 7, 8; the customer ids .* type string"),
    ],
    ids=["unknown", "refunded", "of another type"],
)
def test_customers_without_a_purchase_are_refused(customers: list[object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        purchase_occasions(LOG, customers=customers, **WINDOW)


@pytest.mark.parametrize("customer", ["ann", 2.5, "1"])
def test_an_id_of_another_type_is_nobodys(customer: object) -> None:
    log = pd.DataFrame({"customer_id": [1, 2], "date": ["2024-01-01", "2024-01-02"]})
    assert len(purchase_occasions(log, customers=[2.0])) == 1
    with pytest.raises(DataError, match="int64"):
        purchase_occasions(log, customers=[customer])


def test_too_many_are_refused() -> None:
    assert len(purchase_occasions(LOG, most=3, **WINDOW)) == 3
    with pytest.raises(DataError, match="more than 2 purchase occasions; name customers, or raise most"):
        purchase_occasions(LOG, most=2, **WINDOW)


def test_refunds_can_be_refused() -> None:
    with pytest.raises(DataError, match="2 refunds"):
        purchase_occasions(LOG, returns="raise", **WINDOW)
    dropped = purchase_occasions(LOG, returns="drop", **WINDOW)
    assert dropped["value"].tolist() == [20.0, 30.0, 50.0, 5.0]


class TestSample:
    events = staticmethod(lambda: read_events(LogFormat(value="amount", resolution="day"), LOG, "2024-01-29"))

    def test_it_is_of_customers_with_a_purchase(self) -> None:
        events = self.events()
        assert events.sampled(10, seed=0) == ["ann", "cyd"]  # bob's purchase was refunded in full
        assert {tuple(events.sampled(1, seed)) for seed in range(6)} == {("ann",), ("cyd",)}

    def test_a_seed_reproduces_it_whatever_the_order_of_the_rows(self) -> None:
        log = clv.datasets.load_cdnow(sample=True)
        shuffled = log.sample(frac=1.0, random_state=1)
        picked = [read_events(LogFormat(resolution="day"), one, None).sampled(30, seed=3) for one in (log, shuffled)]
        assert picked[0] == picked[1] == sorted(picked[0])
        assert len(set(picked[0])) == 30
