"""Histories of contracts: of starts and ends, and of tables with renewals."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import clvmodels as clv
from clvmodels.errors import ClvError, DataError, DataWarning, UnitError

NUMBERS = ["renewals", "churned", "periods"]


def summary(start: object, end: object = None, last: str = "2023-12-31", **options: str) -> list[float]:
    table = pd.DataFrame({"customer_id": ["A"], "start": [start], "end": [end]})
    return clv.contract_summary(table, observation_end=last, **options).to_frame()[NUMBERS].iloc[0].tolist()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("start", "end", "numbers"),
    [
        ("2021-03-01", None, [2, 0, 2]),
        ("2021-12-31", None, [2, 0, 2]),
        ("2022-01-01", None, [1, 0, 1]),  # the renewal of the day after is not observed
        ("2023-12-31", None, [0, 0, 0]),
        ("2021-03-01", "2022-02-28", [0, 1, 2]),  # the last day paid for
        ("2021-03-01", "2022-03-01", [0, 1, 2]),  # the day after it
        ("2021-03-01", "2022-03-02", [1, 1, 2]),  # renewed, and left in the second year
        ("2021-03-01", "2023-02-28", [1, 1, 2]),
        ("2021-03-01", "2024-02-29", [2, 0, 2]),  # its end is not known yet
        ("2020-02-29", "2021-02-28", [0, 1, 3]),
        ("2020-02-29", "2021-03-01", [1, 1, 3]),  # the anniversary of a 29 February is the 28th
    ],
)
def test_years(start: str, end: str | None, numbers: list[int]) -> None:
    assert summary(start, end) == numbers


@pytest.mark.parametrize(
    ("start", "end", "period", "numbers"),
    [
        ("2023-10-31", None, "1 month", [2, 0, 2]),  # 30 November, 31 December
        ("2023-10-31", "2023-11-30", "1 month", [0, 1, 2]),
        ("2023-10-31", "2023-12-01", "month", [1, 1, 2]),
        ("2023-12-03", None, "1 week", [4, 0, 4]),
        ("2023-12-03", "2023-12-17", "1 week", [1, 1, 4]),
        ("2023-12-01", "2023-12-09", "1 day", [7, 1, 30]),
    ],
)
def test_other_periods(start: str, end: str | None, period: str, numbers: list[int]) -> None:
    assert summary(start, end, period="1 " + period.removeprefix("1 ")) == numbers


def test_columns_of_every_kind() -> None:
    """Dates, timestamps, text; pandas, Arrow; ids in the index; other columns are kept."""
    starts = [dt.date(2021, 3, 1), dt.date(2022, 5, 7)]
    frame = pd.DataFrame({"id": [7, 8], "from": pd.to_datetime(starts), "to": [pd.NaT, pd.Timestamp("2023-05-06")]})
    tables = [
        frame.assign(price=[10.0, 20.0]),
        pa.table({"id": [7, 8], "from": starts, "to": [None, dt.date(2023, 5, 6)], "price": [10.0, 20.0]}),
        frame.assign(price=[10.0, 20.0]).astype({"from": str}),
    ]
    for table in tables:
        contracts = clv.contract_summary(
            table, customer_id="id", start="from", end="to", observation_end=dt.date(2023, 12, 31)
        )
        assert contracts.to_frame()[NUMBERS].to_numpy().tolist() == [[2, 0, 2], [0, 1, 1]]
        assert contracts.attributes.columns.to_list() == ["from", "price"]
        assert contracts.unit == "year"
        assert contracts.observation_end == pd.Timestamp("2023-12-31")


def test_contracts_outside_the_time_observed_are_left_out() -> None:
    table = pd.DataFrame(
        {
            "customer_id": ["old", "left", "stayed", "young", "later"],
            "start": ["2015-01-01", "2018-07-01", "2018-07-01", "2021-01-01", "2024-01-01"],
            "end": ["2019-12-31", "2021-06-30", None, None, None],
        }
    )
    contracts = clv.contract_summary(table, observation_end="2023-12-31", observation_start="2020-01-01")
    assert contracts.customer_id.to_list() == ["left", "stayed", "young"]
    assert contracts.to_frame()[[*NUMBERS, "observed_from"]].to_numpy().tolist() == [
        [2, 1, 5, 1],
        [5, 0, 5, 1],
        [2, 0, 2, 0],
    ]


def test_ends_before_a_renewal_that_is_not_due_are_warned_of() -> None:
    table = pd.DataFrame(
        {"customer_id": [1, 2], "start": ["2023-03-01", "2021-03-01"], "end": ["2023-09-30", "2021-09-30"]}
    )
    with pytest.warns(DataWarning, match="1 contract ended before a renewal that is due after 2023-12-31"):
        contracts = clv.contract_summary(table, observation_end="2023-12-31")
    assert contracts.to_frame()[NUMBERS].to_numpy().tolist() == [[0, 1, 1], [0, 1, 2]]


BAD = [
    ({"start": [None, "2021-01-01"]}, {}, "'start' is missing for 1 customer: 1"),
    ({"start": ["01.02.2021", "2021-01-01"]}, {}, "'start' does not hold dates"),
    ({"start": [20210101, 20210101]}, {}, "'start' does not hold dates"),
    ({"end": ["2020-01-01", None]}, {}, "1 contract end before they start"),
    ({"customer_id": [1, 1]}, {}, "customer"),
    ({}, {"start": "begin"}, "begin"),
    ({}, {"observation_end": "2019-01-01"}, "no contract started by 2019-01-01"),
    ({}, {"observation_end": "soon"}, "cannot read observation_end 'soon'"),
]


@pytest.mark.parametrize(("columns", "options", "message"), BAD)
def test_what_is_refused(columns: dict[str, list[object]], options: dict[str, str], message: str) -> None:
    table = pd.DataFrame({"customer_id": [1, 2], "start": ["2021-01-01", "2022-01-01"], "end": None, **columns})
    with pytest.raises(ClvError, match=message):
        clv.contract_summary(table, **{"observation_end": "2023-12-31", **options})  # type: ignore[arg-type]


def test_periods_that_are_not_counted() -> None:
    with pytest.raises(UnitError, match="a period of a contract is one of day, week, month, year"):
        summary("2021-01-01", period="3 months")


class TestTables:
    """`Histories.from_frame` with renewals and churned."""

    def test_what_models_see(self) -> None:
        table = pd.DataFrame({"customer_id": list("abc"), "renewals": [3, 1, 2], "churned": [False, True, False]})
        contracts = clv.Histories.from_frame(table.assign(observed_from=[0, 1, 2]), unit="year")
        assert contracts.frequency.tolist() == [3.0, 1.0, 2.0]
        assert contracts.statistic("faced").tolist() == [3.0, 2.0, 2.0]
        assert contracts.statistic("entered").tolist() == [0.0, 1.0, 2.0]
        assert contracts.T.tolist() == [3.0, 2.0, 2.0]
        assert np.isnan(contracts.monetary_value).all()
        assert clv.Histories.from_frame(contracts.to_frame(), unit="year").to_frame().equals(contracts.to_frame())

    def test_periods_tell_the_age_of_who_has_left(self) -> None:
        table = pd.DataFrame({"customer_id": list("ab"), "renewals": [3, 1], "churned": [0, 1], "periods": [3, 6]})
        contracts = clv.Histories.from_frame(table, unit="year")
        assert contracts.T.tolist() == [3.0, 6.0]
        assert contracts.distinct(("x", "t_x", "faced")).rows.tolist() == [[1.0, 1.0, 2.0], [3.0, 3.0, 3.0]]

    @pytest.mark.parametrize(
        ("columns", "message"),
        [
            ({"churned": [0, 2]}, "churned is neither 0 nor 1: 1 of 2 customers"),
            ({"renewals": [1.5, 2]}, "renewals is no whole number"),
            ({"renewals": [-1, 2]}, "renewals is negative"),
            ({"renewals": [None, 2]}, "renewals is missing"),
            ({"observed_from": [0, 3]}, "observed_from is above renewals"),
            ({"periods": [2, 2]}, "periods contradict renewals"),
            ({"periods": [1, 2], "churned": [0, 1]}, "periods contradict renewals"),
            ({"monetary_value": [np.inf, 2]}, "monetary_value is infinite"),
        ],
    )
    def test_what_is_refused(self, columns: dict[str, list[float]], message: str) -> None:
        table = pd.DataFrame({"customer_id": [1, 2], "renewals": [1, 2], "churned": [0, 0], **columns})
        with pytest.raises(DataError, match=message):
            clv.Histories.from_frame(table, unit="year")
