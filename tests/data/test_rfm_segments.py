"""Segments by recency, frequency and money: what the cut points say, whoever else is there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import DataError, UnitError

TABLE = {
    "customer_id": list("abcdef"),
    "frequency": [0, 1, 3, 4, 9, 2],
    "recency": [0.0, 39.0, 30.0, 52.0, 51.0, 39.5],
    "T": [52.0, 52.0, 52.0, 52.0, 52.0, 52.0],
    "monetary_value": [np.nan, 20.0, 49.99, 50.0, 500.0, 10.0],
}
CUTS = {"recency": ["13 weeks", "26 weeks"], "frequency": [1, 4], "money": [50.0]}


@pytest.fixture
def rfm():
    return clv.Histories.from_frame(pd.DataFrame(TABLE), unit="week")


def test_classes_are_by_hand(rfm):
    segments = clv.rfm_segments(rfm, **CUTS)
    assert segments.to_dict() == {
        "a": "R1 F1 M0",
        "b": "R3 F2 M1",  # 13 weeks ago to the day
        "c": "R2 F2 M1",
        "d": "R3 F3 M2",
        "e": "R3 F3 M2",
        "f": "R3 F2 M1",
    }


def test_segments_do_not_depend_on_others_nor_on_the_unit(rfm):
    whole = clv.rfm_segments(rfm, **CUTS)
    alone = pd.concat([clv.rfm_segments(rfm.select([name]), **CUTS) for name in "abcdef"])
    pd.testing.assert_series_equal(alone, whole, check_index_type=False, check_names=False)
    pd.testing.assert_series_equal(clv.rfm_segments(rfm.in_unit("day"), **CUTS), whole)


def test_names_of_ones_own(rfm):
    segments = clv.rfm_segments(rfm, frequency=[1], names={"F2": "repeat buyers", "F1": "bought once"})
    assert segments.value_counts().to_dict() == {"repeat buyers": 5, "bought once": 1}


def test_customers_of_an_engine():
    lazy = clv.rfm_summary(clv.datasets.path("cdnow.parquet"), value="amount", unit="week", resolution="day")
    pd.testing.assert_series_equal(clv.rfm_segments(lazy, **CUTS), clv.rfm_segments(lazy.collect(), **CUTS))


@pytest.mark.parametrize(
    ("cuts", "message"),
    [
        ({}, "need cut points"),
        ({"frequency": [4, 1]}, "numbers that rise"),
        ({"money": ["much"]}, "numbers that rise"),
        ({"frequency": [1], "names": {"R1 F1": "x"}}, "F1"),
    ],
)
def test_cut_points_that_are_none_are_refused(rfm, cuts, message):
    with pytest.raises(DataError, match=message):
        clv.rfm_segments(rfm, **cuts)


def test_recency_is_a_time(rfm):
    with pytest.raises(UnitError):
        clv.rfm_segments(rfm, recency=["soon"])
