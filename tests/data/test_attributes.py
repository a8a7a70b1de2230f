"""Columns added to histories are aligned by customer id, and never silently incomplete."""

from __future__ import annotations

from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from clvmodels.data import Histories, rfm_summary
from clvmodels.errors import DataError


@pytest.fixture
def rfm() -> Histories:
    columns = {"customer_id": [3, 1, 2], "frequency": [2, 0, 1], "recency": [5.0, 0.0, 1.0], "T": [9.0, 8.0, 7.0]}
    return Histories.from_frame(pd.DataFrame(columns | {"segment": ["a", "b", "c"]}), unit="week")


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame({"customer_id": [1, 2, 3, 4], "rate": [0.1, 0.2, 0.3, 0.4], "channel": ["x", "y", None, "z"]})


@pytest.mark.parametrize(
    "convert",
    [lambda frame: frame, lambda frame: frame.set_index("customer_id"), pl.from_pandas, pa.Table.from_pandas],
    ids=["pandas", "index", "polars", "arrow"],
)
def test_columns_go_to_their_customers(convert: Any, rfm: Histories, table: pd.DataFrame) -> None:
    wider = rfm.with_attributes(convert(table))
    assert wider.attributes["rate"].to_dict() == {3: 0.3, 1: 0.1, 2: 0.2}
    assert wider.attributes["channel"].isna().tolist() == [True, False, False]
    assert list(wider.attributes.columns) == ["segment", "rate", "channel"]
    pd.testing.assert_frame_equal(wider.to_frame()[["segment", "T"]], rfm.to_frame()[["segment", "T"]])
    assert list(rfm.attributes.columns) == ["segment"]


def test_they_stay_with_a_selection(rfm: Histories, table: pd.DataFrame) -> None:
    assert rfm.with_attributes(table).select([2]).attributes["rate"].to_dict() == {2: 0.2}


@pytest.mark.parametrize("index", [pd.RangeIndex(4, name="id"), pd.RangeIndex(1, 5), pd.Index([3, 2, 1, 0])])
def test_an_index_that_somebody_made_holds_ids(index: Any, rfm: Histories) -> None:
    wider = rfm.with_attributes(pd.DataFrame({"rate": range(4)}, index))
    assert wider.attributes["rate"].to_list() == [index.get_loc(customer) for customer in rfm.customer_id]


def test_histories_of_a_log_keep_their_own() -> None:
    log = pd.DataFrame({"customer_id": ["b", "a"], "date": ["2024-01-01", "2024-01-02"]})
    histories = rfm_summary(log, observation_end="2024-02-01")
    wider = histories.with_attributes(pd.DataFrame({"rate": [1, 2]}, index=["b", "a"]))
    assert wider.attributes["rate"].to_dict() == {"a": 2, "b": 1}
    assert wider.report is histories.report
    assert "first_purchase" in wider.attributes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.iloc[1:], "lacks 1 customer of these histories: 1"),
        (lambda table: table.assign(segment=1, T=2), "have a column 'segment', 'T' already"),
        (lambda table: pd.concat([table, table.iloc[:2]]), "has 2 customers more than once: 1, 2"),
        (
            lambda table: table.drop(columns="customer_id"),
            "the table has no column 'customer_id'; its columns are 'rate'",
        ),
        (lambda table: table.rename(columns={"customer_id": "Customer_ID"}), r"\(did you mean 'Customer_ID'\?\)"),
        (lambda table: pl.from_pandas(table).rename({"customer_id": "id"}), "the table has no column 'customer_id'"),
    ],
    ids=["missing", "taken", "twice", "no ids", "ids of another name", "polars"],
)
def test_what_does_not_fit_is_refused(change: Any, message: str, rfm: Histories, table: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=message):
        rfm.with_attributes(change(table))
