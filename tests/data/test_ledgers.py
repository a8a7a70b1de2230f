"""Relationship ledgers: every kind of table gives the same counts; what is wrong is refused in one list."""

from __future__ import annotations

import datetime as dt
import warnings
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clvmodels.data import Histories, rfm_summary
from clvmodels.data.ledgers import Ledgers
from clvmodels.errors import DataError

END = "2024-03-31"


@pytest.fixture
def log() -> pd.DataFrame:
    days = ["2024-01-01 10:00", "2024-01-20 23:30", "2024-02-03 08:15", "2024-01-05 12:00"]
    ids = ["00007", "00007", "00007", "00012"]
    return pd.DataFrame({"customer_id": ids, "date": pd.to_datetime(days), "amount": [10.0, 20.0, 30.0, 5.0]})


@pytest.fixture
def rfm(log: pd.DataFrame) -> Histories:
    return rfm_summary(log, value="amount", unit="day", observation_end=END)


@pytest.fixture
def returns() -> pd.DataFrame:
    days = pd.to_datetime(["2024-01-22", "2024-01-22", "2024-02-10", "2024-03-31"])
    return pd.DataFrame(
        {"customer_id": ["00007", "00007", "00007", "00012"], "time": days, "value": [4.0, 6.0, 12.25, 5.0]}
    )


@pytest.fixture
def acquisition() -> pd.DataFrame:
    return pd.DataFrame({"customer_id": ["00012", "00007"], "cost": [12.5, 30.0], "channel": ["shop", "search"]})


def refused(**ledgers: Any) -> list[str]:
    """Return the findings of the one error, each without its bullet."""
    with pytest.raises(DataError) as error:
        Ledgers.read(**ledgers)
    heading, *findings = str(error.value).split("\n- ")
    assert heading.startswith("the relationship ledgers cannot be used")
    return findings


def ibis_table(frame: pd.DataFrame) -> Any:
    import ibis

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the engine warns of itself
        backend = ibis.duckdb.connect()
        backend.con.register("ledger", pa.Table.from_pandas(frame))
        return backend.table("ledger")


class Stream:
    """Any producer of an Arrow stream."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.table.__arrow_c_stream__(requested_schema)


KINDS: dict[str, Any] = {
    "pandas": lambda frame: frame,
    "index": lambda frame: frame.set_index("customer_id"),
    "categories": lambda frame: frame.astype({"customer_id": "category"}),
    "polars": pl.from_pandas,
    "lazy": lambda frame: pl.from_pandas(frame).lazy(),
    "arrow": pa.Table.from_pandas,
    "reader": lambda frame: pa.Table.from_pandas(frame).to_reader(),
    "stream": lambda frame: Stream(pa.Table.from_pandas(frame)),
    "duckdb": lambda frame: duckdb.connect().from_arrow(pa.Table.from_pandas(frame)),
    "ibis": ibis_table,
}
FILES: dict[str, Any] = {
    "ledger.csv": lambda frame, path: frame.to_csv(path, index=False),
    "ledger.tsv": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    "semicolons.csv": lambda frame, path: frame.to_csv(path, index=False, sep=";"),
    "ledger.csv.gz": lambda frame, path: frame.to_csv(path, index=False),
    "ledger.parquet": lambda frame, path: frame.to_parquet(path),
}


class TestReading:
    @pytest.mark.parametrize("kind", KINDS)
    def test_tables(self, kind: str, rfm: Histories, returns: pd.DataFrame, acquisition: pd.DataFrame) -> None:
        expected = Ledgers.read(returns=returns, acquisition=acquisition).activity(rfm)
        convert = KINDS[kind]
        found = Ledgers.read(returns=convert(returns), acquisition=convert(acquisition)).activity(rfm)
        pd.testing.assert_frame_equal(found, expected)
        assert expected["acquisition_channel"].to_dict() == {"00007": "search", "00012": "shop"}

    @pytest.mark.parametrize("name", FILES)
    def test_files(
        self, name: str, rfm: Histories, returns: pd.DataFrame, acquisition: pd.DataFrame, tmp_path: Path
    ) -> None:
        expected = Ledgers.read(returns=returns, acquisition=acquisition).activity(rfm)
        FILES[name](returns, tmp_path / f"returns_{name}")
        FILES[name](acquisition, tmp_path / f"acquisition_{name}")
        pattern = str(tmp_path / f"ret*_{name}")
        found = Ledgers.read(returns=pattern, acquisition=tmp_path / f"acquisition_{name}").activity(rfm)
        pd.testing.assert_frame_equal(found, expected)

    def test_the_ledgers_hold_what_was_given(self, returns: pd.DataFrame, acquisition: pd.DataFrame) -> None:
        ledgers = Ledgers.read(returns=returns, acquisition=acquisition)
        assert ledgers.returns is not None
        assert ledgers.returns["customer_id"].astype("str").tolist() == returns["customer_id"].tolist()
        assert ledgers.returns["time"].tolist() == returns["time"].tolist()
        assert ledgers.returns["value"].tolist() == returns["value"].tolist()
        assert ledgers.service is None

    def test_decimals_and_text_are_numbers(self, rfm: Histories, returns: pd.DataFrame) -> None:
        for values in ([Decimal("4.00"), Decimal(6), Decimal("12.25"), Decimal(5)], ["4", "6.0", "12.25", "5e0"]):
            table = returns.assign(value=pd.Series(values, dtype="object"))
            assert Ledgers.read(returns=table).activity(rfm)["returned_value"].sum() == 27.25

    def test_a_format_of_times(self, rfm: Histories, tmp_path: Path) -> None:
        file = tmp_path / "service.csv"
        file.write_text("customer_id;time;channel\n00007;22.01.2024;phone\n00012;05.01.2024;\n", encoding="utf-8")
        assert 'time_format="%d.%m.%Y"' in refused(service=file)[0]
        found = Ledgers.read(service=file, time_format="%d.%m.%Y").activity(rfm)
        assert found["service_contacts"].tolist() == [1, 1]

    def test_ids_that_are_numbers_in_the_log_and_text_in_a_file(self, log: pd.DataFrame, tmp_path: Path) -> None:
        histories = rfm_summary(log.assign(customer_id=[7, 7, 7, 12]), unit="day", observation_end=END)
        file = tmp_path / "campaigns.csv"
        file.write_text("customer_id,time\n7,2024-02-01\n12,2024-02-01\n", encoding="utf-8")
        assert Ledgers.read(campaigns=file).activity(histories)["campaign_contacts"].tolist() == [1, 1]

    def test_ids_that_are_text_in_the_log_and_numbers_in_a_table(self, log: pd.DataFrame) -> None:
        histories = rfm_summary(log.assign(customer_id=["7", "7", "7", "x"]), unit="day", observation_end=END)
        table = pd.DataFrame({"customer_id": [7.0, 7.0], "time": pd.to_datetime(["2024-02-01", "2024-02-02"])})
        assert Ledgers.read(campaigns=table).activity(histories)["campaign_contacts"].tolist() == [2, 0]

    def test_leading_zeros_are_not_guessed_away(self, rfm: Histories) -> None:
        table = pd.DataFrame({"customer_id": [7], "time": ["2024-02-01"]})
        with pytest.raises(DataError, match=r"names 1 customer unknown to the histories, in 1 row, for example 7"):
            Ledgers.read(campaigns=table).activity(rfm)


class TestCounting:
    def test_columns_and_order(self, rfm: Histories, returns: pd.DataFrame) -> None:
        found = Ledgers.read(returns=returns).activity(rfm)
        assert found.index.equals(rfm.customer_id)
        assert found["returns"].tolist() == [3, 1]
        assert found["returned_orders"].tolist() == [2, 1]  # two on one day are one
        assert found["returned_value"].tolist() == [22.25, 5.0]
        assert found["acquisition_cost"].isna().all()
        assert found["acquisition_channel"].isna().all()

    def test_no_ledger_is_not_zero(self, rfm: Histories, returns: pd.DataFrame) -> None:
        found = Ledgers.read(returns=returns.iloc[:0]).activity(rfm)
        assert (found[["returns", "returned_orders", "returned_value"]] == 0).all(axis=None)
        assert found[["service_contacts", "campaign_contacts", "referrals"]].isna().all(axis=None)

    def test_no_more_returned_orders_than_orders(self, rfm: Histories) -> None:
        days = [f"2024-02-{day:02}" for day in range(1, 10)]
        table = pd.DataFrame({"customer_id": ["00007"] * 9, "time": days, "value": [1.0] * 9})
        ledgers = Ledgers.read(returns=table)
        assert ledgers.activity(rfm)["returned_orders"].tolist() == [3, 0]
        assert ledgers.notes(rfm) == (
            "returns: 1 customer with returns on more days than orders, counted as all orders returned",
        )

    def test_the_days_of_first_purchase_and_of_the_end_count(self, rfm: Histories) -> None:
        times = ["2023-12-31 23:59", "2024-01-01 00:00", "2024-03-31 23:59", "2024-04-01 00:00", "2024-04-02 00:00"]
        ledgers = Ledgers.read(service=pd.DataFrame({"customer_id": ["00007"] * 5, "time": times}))
        assert ledgers.activity(rfm)["service_contacts"].tolist() == [2, 0]
        assert ledgers.notes(rfm) == (
            "service: 1 contact before the customer's first purchase, not counted",
            "service: 2 contacts after the end of observation, not counted",
        )

    @pytest.mark.parametrize("resolution", [None, "day", "week"])
    def test_days_are_those_of_the_log_s_clock(self, log: pd.DataFrame, resolution: str | None) -> None:
        aware = log.assign(date=log["date"].dt.tz_localize("Europe/Berlin"))
        histories = rfm_summary(aware, unit="day", observation_end=END, resolution=resolution)
        end = pd.Timestamp("2024-03-31 23:30", tz="Europe/Berlin")
        times = pd.Series([end, end + pd.Timedelta("1h")]).dt.tz_convert("UTC")
        ledgers = Ledgers.read(service=pd.DataFrame({"customer_id": ["00007", "00007"], "time": times}))
        assert ledgers.activity(histories)["service_contacts"].tolist() == [1, 0]
        local = Ledgers.read(service=pd.DataFrame({"customer_id": ["00007"] * 2, "time": times.dt.tz_convert(None)}))
        assert local.activity(histories)["service_contacts"].tolist() == [2, 0]  # without a zone: local times

    def test_histories_from_a_table_begin_their_age_before_the_end(self) -> None:
        table = pd.DataFrame({"customer_id": [1], "frequency": [1], "recency": [2], "T": [10]})
        histories = Histories.from_frame(table, unit="week", observation_end="2024-03-31")
        days = ["2024-01-20", "2024-01-21", "2024-03-31"]
        ledgers = Ledgers.read(campaigns=pd.DataFrame({"customer_id": [1] * 3, "time": days}))
        assert ledgers.activity(histories)["campaign_contacts"].tolist() == [2]
        with pytest.raises(DataError, match="observation_end"):
            ledgers.activity(Histories.from_frame(table, unit="week"))

    def test_an_earlier_closing(self, log: pd.DataFrame) -> None:
        before = rfm_summary(log, unit="day", observation_end="2024-01-03")
        referrals = pd.DataFrame({"customer_id": ["00007"], "referred_id": ["00012"], "time": ["2024-01-02"]})
        service = pd.DataFrame({"customer_id": ["00012"], "time": ["2024-01-05"]})
        acquisition = pd.DataFrame({"customer_id": ["00007", "00012"], "cost": [1.0, None]})
        ledgers = Ledgers.read(referrals=referrals, service=service, acquisition=acquisition)
        with pytest.raises(DataError) as error:
            ledgers.activity(before)
        assert str(error.value).split("\n- ")[1:] == [
            "referrals: referred_id names 1 customer unknown to the histories, in 1 row, for example '00012'",
            "acquisition: customer_id names 1 customer unknown to the histories, in 1 row, for example '00012'",
        ]
        found = ledgers.activity(before, customers=log["customer_id"])
        assert found[["service_contacts", "referrals", "acquisition_cost"]].to_numpy().tolist() == [[0, 0, 1.0]]
        assert ledgers.notes(before, customers=log["customer_id"]) == (
            "service: 1 contact after the end of observation, not counted",
            "referrals: 1 referral with a customer who is not in the histories, not counted",
            "acquisition: 1 row with a customer who is not in the histories, not counted",
        )

    def test_days_with_a_campaign_since_the_first_purchase(self, rfm: Histories) -> None:
        days = ["2024-01-04", "2024-01-04", "2024-01-05", "2024-03-01", "2024-05-01"]
        ids = ["00007", "00007", "00007", "00012", "00007"]
        found = Ledgers.read(campaigns=pd.DataFrame({"customer_id": ids, "time": days})).activity(rfm)
        assert found["campaign_days"].tolist() == [3, 2]
        assert found["campaign_contacts"].tolist() == [3, 1]

    def test_unknown_costs_are_noted_and_are_not_zero(self, rfm: Histories) -> None:
        ledgers = Ledgers.read(acquisition=pd.DataFrame({"customer_id": ["00007"], "cost": [0.0]}))
        np.testing.assert_array_equal(ledgers.activity(rfm)["acquisition_cost"], [0.0, np.nan])
        assert ledgers.notes(rfm) == ("acquisition: the cost of 1 customer is not known",)

    def test_no_ledgers_and_no_customers(self, rfm: Histories, returns: pd.DataFrame) -> None:
        assert Ledgers.read().activity(rfm).isna().all(axis=None)
        assert Ledgers.read().notes(rfm) == ()
        nobody = rfm.select([])
        ids = rfm.customer_id
        assert len(Ledgers.read(returns=returns).activity(nobody, customers=ids)) == 0


EVENTS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 40), st.integers(0, 900)), min_size=0, max_size=40
)


@settings(max_examples=25, deadline=None)
@given(events=EVENTS, seed=st.integers(0, 9))
def test_counts_are_those_of_a_loop(events: list[tuple[str, int, int]], seed: int) -> None:
    start = dt.date(2024, 1, 1)
    first, last = {"a": 0, "b": 7, "c": 20}, 30
    log = pd.DataFrame({"customer_id": list(first), "date": [start + dt.timedelta(day) for day in first.values()]})
    histories = rfm_summary(log, unit="day", observation_end=str(start + dt.timedelta(last)))
    days = [start + dt.timedelta(day) for _, day, _ in events]
    rows = {"customer_id": [one for one, _, _ in events], "time": [str(day) for day in days]}
    table = pd.DataFrame(rows | {"value": [cents / 100 for *_, cents in events]}, dtype=None if events else "object")
    shuffled = table.sample(frac=1, random_state=seed) if events else table
    ledgers = Ledgers.read(returns=shuffled, service=shuffled[["customer_id", "time"]])
    found = ledgers.activity(histories)
    kept = [event for event in events if first[event[0]] <= event[1] <= last]
    number = Counter(customer for customer, *_ in kept)
    columns = ["service_contacts", "returns", "returned_orders", "returned_value"]
    for customer in first:
        worth = sum(cents for one, _, cents in kept if one == customer)
        expected = [number[customer], number[customer], min(number[customer], 1), pytest.approx(worth / 100)]
        assert list(found.loc[customer, columns]) == expected
    noted = sum(int(note.split()[1]) for note in ledgers.notes(histories) if note.startswith("service"))
    assert noted == len(events) - len(kept)


class TestRefusing:
    def test_everything_is_in_one_list(self, rfm: Histories, tmp_path: Path) -> None:
        days = ["2024-02-01", "2024-02-01", "2024-02-02", None, "2024-02-03"]
        bad = {"customer_id": ["00007", None, "99", "00012", "98"], "time": days, "value": [1.0, "13 €", -4, None, 2]}
        referrals = {"customer_id": ["00007", "00012"], "referred_id": ["00012", "00012"], "time": days[:2]}
        acquisition = {"customer_id": ["00007", "00007", "00012"], "cost": ["30 EUR", "5", "-4"]}
        findings = refused(
            returns=pd.DataFrame(bad),
            service=tmp_path / "nowhere.csv",
            campaigns=pd.DataFrame({"customer": ["00007"]}),
            acquisition=pd.DataFrame(acquisition),
            referrals=pd.DataFrame(referrals),
            histories=rfm,
        )
        once, meant = "in more than one row, for example", "(did you mean 'customer'?)"
        assert [finding for finding in findings if not finding.startswith("service")] == [
            "returns: value is no number in 1 row (2), such as '13 €'; write bare numbers like 12.50",
            "returns: value is negative in 1 row (3); write what it is worth or costs as a positive amount",
            "returns: value is missing in 1 row (4)",
            "returns: customer_id is missing in 1 row (2)",
            "returns: time is missing in 1 row (4)",
            f"campaigns: the table has no column 'customer_id' {meant}, 'time'; its columns are 'customer'",
            "acquisition: cost is no number in 1 row (1), such as '30 EUR'; write bare numbers like 12.50",
            "acquisition: cost is negative in 1 row (3); write what it is worth or costs as a positive amount",
            f"acquisition: customer_id names 1 customer {once} '00007'; there is one row a customer",
            f"referrals: referred_id names 1 customer {once} '00012'; there is one referral a customer",
            "referrals: a customer has referred themselves in 1 row (2), for example '00012'",
            "returns: customer_id names 2 customers unknown to the histories, in 2 rows, for example '99', '98'",
        ]
        assert sum(finding.startswith("service: there is no file") for finding in findings) == 1

    def test_text_is_refused_in_files_as_in_tables(self, tmp_path: Path) -> None:
        table = pd.DataFrame({"customer_id": ["1", "2", "", "4"], "cost": ["12.50", "1.200,00", "7", "€ 9"]})
        file = tmp_path / "acquisition.csv"
        table.to_csv(file, index=False)
        expected = [
            "acquisition: cost is no number in 2 rows (2, 4), such as '1.200,00', '€ 9'; write bare numbers like 12.50",
            "acquisition: customer_id is missing in 1 row (3)",
        ]
        assert refused(acquisition=file) == refused(acquisition=table) == expected

    def test_times_that_cannot_be_read_hide_nothing_else(self) -> None:
        table = {"customer_id": ["1", None], "time": ["yesterday", "2024-01-02"], "value": [-1.0, 2.0]}
        findings = refused(returns=pd.DataFrame(table))
        assert len(findings) == 3
        assert "no ISO date or time: 1 of its entries, for example 'yesterday'" in findings[0]

    def test_more_than_three_rows_are_counted(self) -> None:
        table = pd.DataFrame({"customer_id": [1] * 5, "time": ["2024-01-02"] * 5, "value": [-1.0] * 4 + [np.inf]})
        assert [finding.split(";")[0] for finding in refused(returns=table)] == [
            "returns: value is negative in 4 rows (1, 2, 3, ...)",
            "returns: value is infinite in 1 row (5)",
        ]

    @pytest.mark.parametrize(
        ("value", "kind"), [([True, False], "'true', 'false'"), (pd.to_datetime(["2024-01-01"] * 2), "'2024-01-01")]
    )
    def test_other_kinds_are_no_money(self, value: Any, kind: str) -> None:
        table = pd.DataFrame({"customer_id": [1, 2], "cost": value})
        assert f"cost is no number in 2 rows (1, 2), such as {kind}" in refused(acquisition=table)[0]

    def test_referring_each_other_under_ids_of_two_kinds(self) -> None:
        table = pd.DataFrame({"customer_id": [1, 2], "referred_id": ["1", "3"], "time": ["2024-01-02"] * 2})
        assert refused(referrals=table) == ["referrals: a customer has referred themselves in 1 row (1), for example 1"]

    def test_cents_beside_euros(self, rfm: Histories, returns: pd.DataFrame, acquisition: pd.DataFrame) -> None:
        cents = Ledgers.read(returns=returns.assign(value=100 * returns["value"]))
        with pytest.raises(DataError, match=r"worth 2,725\.00, and all goods sold 65\.00: .* such as cents"):
            cents.activity(rfm)
        costly = Ledgers.read(acquisition=acquisition.assign(cost=100 * acquisition["cost"]))
        assert "on average and has bought for 32.50 so far" in costly.notes(rfm)[0]
        assert Ledgers.read(acquisition=acquisition).notes(rfm) == ()

    def test_what_is_no_table(self) -> None:
        assert "got int" in refused(service=7)[0]
        assert "there is no file" in refused(service=Path("nowhere.parquet"))[0]
        assert "unknown kind of file" in refused(service=Path(__file__))[0]
