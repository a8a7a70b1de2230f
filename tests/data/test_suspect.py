"""Logs that are not what they seem: named with rows, money and what to write; options that mend them."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import clvmodels as clv
from clvmodels.data.ids import IdRules, clean_id, is_placeholder
from clvmodels.data.ledgers import Ledgers
from clvmodels.data.profile import Days
from clvmodels.data.suspect_dates import far_ends
from clvmodels.errors import AssumptionError, DataError, DataWarning
from tests.engines import simulated_log

PLACES = ("pandas", "csv", "parquet", "relation", "ibis", "arrow")


def base(customers: int = 150, seed: int = 1, *, text: bool = True) -> pd.DataFrame:
    """Return an ordinary log; ids such as c7."""
    log = simulated_log(customers, seed, days=True)
    return log.assign(customer_id="c" + log["customer_id"].astype(str)) if text else log


def placed(log: pd.DataFrame, place: str, folder: Path) -> Any:
    """Return a log as a table or file of a kind."""
    if place in ("csv", "parquet"):
        path = folder / f"log.{place}"
        log.to_csv(path, index=False) if place == "csv" else log.to_parquet(path, index=False)
        return path
    table = pa.Table.from_pandas(log, preserve_index=False)
    made: dict[str, Callable[[], Any]] = {
        "pandas": lambda: log,
        "arrow": lambda: table,
        "relation": lambda: duckdb.from_arrow(table),
        "ibis": lambda: ibis.memtable(table),
    }
    return made[place]()


def summary(log: object, **options: Any) -> Any:
    """Return histories and the notes of their report, which are the warnings that they came with."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rfm = clv.rfm_summary(log, **({"value": "amount"} | options)).collect()
    texts = [str(warning.message) for warning in caught if warning.category is DataWarning]
    assert rfm.report is not None
    assert [note for note in texts if note in rfm.report.notes] == list(rfm.report.notes)
    return rfm


def test_ordinary_logs_are_not_suspected() -> None:
    sample = clv.datasets.load_cdnow(sample=True)
    company = clv.datasets.load_company().transactions
    sparse = base(25, 3).iloc[:60]
    for log in (base(), base(text=False), sample, sample[sample["date"] <= "1997-09-30"], company, sparse):
        assert summary(log).report.notes == ()


# ----------------------------------------------------------------------------------------------------------- dates


def mistyped(rows: int, year: int, log: pd.DataFrame) -> pd.DataFrame:
    """Return a log with the dates of its first rows in another year."""
    wrong = log.sort_values("date", ignore_index=True)
    wrong.loc[wrong.index[100 : 100 + rows], "date"] += pd.DateOffset(years=year)
    return wrong


@pytest.mark.parametrize("place", PLACES)
def test_a_mistyped_year_is_named_with_the_end_to_state(place: str, tmp_path: Path) -> None:
    log = base()
    wrong = mistyped(1, 76, log)
    (note,) = summary(placed(wrong, place, tmp_path)).report.notes
    row, last = wrong.sort_values("date").iloc[-1], wrong["date"].nsmallest(len(wrong) - 1).max()
    assert note.startswith(f"1 row (money {row['amount']:,.2f}) is of {row['date']:%Y-%m-%d}")
    assert f"customer {row['customer_id']!r}" in note
    assert f'observation_end="{last:%Y-%m-%d}"' in note
    mended = summary(placed(wrong, place, tmp_path), observation_end=f"{last:%Y-%m-%d}")
    assert mended.report.notes == ()
    assert mended.report.dropped["after the end of observation"].rows == 1


@pytest.mark.parametrize(("rows", "years"), [(1, -53), (5, -53), (1, 10), (5, 2), (3, -123), (1, 300)])
def test_a_handful_of_mistyped_years(rows: int, years: int) -> None:
    wrong = mistyped(rows, years, base())
    (note,) = summary(wrong).report.notes
    far = wrong["date"].nsmallest(rows) if years < 0 else wrong["date"].nlargest(rows)
    money = wrong.loc[far.index, "amount"].sum()
    assert f"{rows} row{'s' if rows > 1 else ''} (money {money:,.2f})" in note
    assert ("observation_start=" if years < 0 else "observation_end=") in note


def test_both_ends_at_once_and_in_a_split() -> None:
    wrong = mistyped(1, 76, mistyped(1, -53, base()).sample(frac=1.0, random_state=1))
    assert len(summary(wrong).report.notes) == 2
    with pytest.warns(DataWarning) as caught:
        clv.rfm_train_test_split(wrong, value="amount", train_end="2023-12-31")
    assert any("test_end=" in str(warning.message) for warning in caught)
    with pytest.warns(DataWarning) as caught:
        clv.backtest(wrong, clv.BGNBD(), cutoffs="2023-12-31", horizon="8 weeks", progress=False)
    assert any('observation_end="2024' in str(warning.message) for warning in caught)


def test_rows_in_the_future_are_named() -> None:
    log = base()
    ahead = log.assign(date=log["date"] + (pd.Timestamp.now().normalize() - log["date"].max()) + pd.Timedelta(days=30))
    (note,) = summary(ahead).report.notes
    assert "in the future" in note
    today = dt.datetime.now(dt.UTC).date()
    assert f'observation_end="{today}"' in note
    assert summary(ahead, observation_end=str(today)).report.notes == ()


@pytest.mark.parametrize("seed", range(40))
def test_thinning_logs_do_not_end_far_from_themselves(seed: int) -> None:
    """Rows of customers who leave come ever more rarely: the last one is far from its neighbour by nature."""
    ages = np.unique(np.floor(np.random.default_rng(seed).exponential(60.0, 400))).astype(int)
    day = np.datetime64("2020-01-01") + ages.astype("timedelta64[D]")
    assert far_ends(Days(day, np.full(len(day), 2))) == (0, 0)


# ------------------------------------------------------------------------------------------------------------- ids


@pytest.mark.parametrize("place", PLACES)
def test_a_guest_account_is_named_and_left_out(place: str, tmp_path: Path) -> None:
    log = base()
    guest = np.arange(len(log)) % 9 == 0
    wrong = log.assign(customer_id=log["customer_id"].mask(guest, "Guest"))
    (note,) = summary(placed(wrong, place, tmp_path)).report.notes
    money = wrong.loc[guest, "amount"].sum()
    assert f"{guest.sum()} rows" in note
    assert f"{money / wrong['amount'].sum():.1%} of the money ({money:,.2f})" in note
    assert "exclude_ids=['Guest']" in note
    rfm = summary(placed(wrong, place, tmp_path), exclude_ids=["Guest"])
    part = rfm.report.dropped["excluded ids"]
    assert (part.rows, part.money) == (guest.sum(), pytest.approx(money))
    assert rfm.report.unexplained == 0
    assert rfm.report.customers_left_out == {"excluded": 1}
    without = summary(wrong[~guest], observation_end=f"{wrong.loc[~guest, 'date'].max():%Y-%m-%d}")
    pd.testing.assert_frame_equal(rfm.to_frame(), without.to_frame())


@pytest.mark.parametrize("text", ["guest", "GUEST", "(unknown)", "n/a", "-", "anonymous", "none", "gast", "unbekannt"])
def test_words_for_nobody(text: str) -> None:
    assert is_placeholder(text)
    log = base()
    (note,) = summary(log.assign(customer_id=log["customer_id"].where(log.index % 50 > 0, text))).report.notes
    assert f"exclude_ids=[{text!r}]" in note


@pytest.mark.parametrize("text", ["guesthouse", "nabokov", "A-1", "anna", "cashmere", "日本", "7"])
def test_words_for_somebody(text: str) -> None:
    assert not is_placeholder(text)


def test_zero_stands_for_nobody_unless_it_is_one_of_a_sequence() -> None:
    log = base(text=False)
    assert summary(log).report.notes == ()  # ids 0, 1, 2, ...
    apart = log.assign(customer_id=(log["customer_id"] + 5_000).where(log.index % 50 > 0, 0))
    (note,) = summary(apart).report.notes
    assert "exclude_ids=[0]" in note
    assert summary(apart, exclude_ids=["0"]).report.dropped["excluded ids"].rows == (log.index % 50 == 0).sum()


def test_one_id_with_much_of_the_log_is_named() -> None:
    log = base()
    (note,) = summary(log.assign(customer_id=log["customer_id"].where(log.index % 5 > 0, "store 12"))).report.notes
    assert note.startswith("customer 'store 12' alone has ")
    assert "exclude_ids=['store 12']" in note
    rich = log.assign(amount=log["amount"].where(log["customer_id"] != "c9", 40_000.0))
    (note,) = summary(rich).report.notes
    assert note.startswith("customer 'c9' alone has ")


def test_ids_to_exclude_that_are_none_are_told() -> None:
    assert "does not have: 'gest'" in summary(base(), exclude_ids=["gest"]).report.notes[0]
    with pytest.raises(DataError, match="is a list of customer ids"):
        clv.rfm_summary(base(), exclude_ids="guest")


@pytest.mark.parametrize("place", PLACES)
def test_ids_that_differ_by_capitals_or_blanks(place: str, tmp_path: Path) -> None:
    log = base()
    odd = log.index % 4 == 0
    wrong = log.assign(customer_id=log["customer_id"].mask(odd, log["customer_id"].str.upper() + "\u00a0"))
    rfm = summary(placed(wrong, place, tmp_path))
    (note,) = rfm.report.notes
    both = set(log["customer_id"][odd]) & set(log["customer_id"][~odd])
    rows = log["customer_id"].isin(both)
    assert note.startswith(f"{2 * len(both):,} ids differ by capitals or blanks alone")
    assert f"{len(both):,} customers ({rows.sum():,} rows, money {log.loc[rows, 'amount'].sum():,.2f})" in note
    assert "clean_ids=True" in note
    cleaned = summary(placed(wrong, place, tmp_path), clean_ids=True)
    pd.testing.assert_frame_equal(cleaned.to_frame(), summary(log).to_frame())


def test_ledgers_follow_the_rules_of_the_log() -> None:
    log = base()
    rfm = summary(log.assign(customer_id=log["customer_id"].str.upper()), clean_ids=True, exclude_ids=["C3"])
    days = ["2023-06-01"] * 3
    service = pd.DataFrame({"customer_id": ["C1 ", "c1", "c3"], "time": pd.to_datetime(days) + pd.DateOffset(years=1)})
    ledgers = Ledgers.read(service=service, clean_ids=True, exclude_ids=["c3"])
    assert ledgers.service is not None
    assert ledgers.service["customer_id"].tolist() == ["c1", "c1"]
    assert ledgers.activity(rfm)["service_contacts"].sum() == 2


def test_an_id_is_cleaned_alike_in_python_and_in_an_engine() -> None:
    ids = [" Ann  Lee ", "ann lee", "ANN\tLEE", "ann\u00a0lee", "annlee", "ÄNNE ", "x" + 20 * " " + "y"]
    table = ibis.memtable(pa.table({"id": ids}))
    found = ibis.duckdb.connect().to_pyarrow(table.select(clean=IdRules(clean=True).cleaned(table.id)))
    assert found["clean"].to_pylist() == [clean_id(text) for text in ids]
    assert len({clean_id(text) for text in ids}) == 4


# ----------------------------------------------------------------------------------------------------------- money


def test_losses_are_not_refunds() -> None:
    log = base()
    rng = np.random.default_rng(1)
    losses = log.assign(amount=np.where(rng.random(len(log)) < 0.3, -log["amount"], log["amount"]))
    (note,) = summary(losses).report.notes
    negative = losses["amount"] < 0
    assert note.startswith(
        f"{negative.sum()} rows ({negative.mean():.1%}, money {losses['amount'][negative].sum():,.2f})"
    )
    assert 'returns="drop"' in note
    back = log.sort_values("date").groupby("customer_id").head(1).sample(frac=0.3, random_state=1)
    back = back.assign(date=back["date"] + pd.Timedelta(days=5), amount=-back["amount"])
    refunds = pd.concat([log, back[back["date"] <= log["date"].max()]])
    assert summary(refunds).report.notes == ()


@pytest.mark.parametrize("place", PLACES)
def test_several_currencies_are_named(place: str, tmp_path: Path) -> None:
    log = base()
    log["Currency"] = np.where(log.index % 3 == 0, "USD", "eur")
    (note,) = summary(placed(log, place, tmp_path)).report.notes
    dollars = log["Currency"] == "USD"
    assert f"'USD' ({dollars.sum()} rows, money {log['amount'][dollars].sum():,.2f})" in note
    assert summary(placed(log[dollars], place, tmp_path)).report.notes == ()
    assert summary(placed(log, place, tmp_path), value=None).report.notes == ()


def test_without_money_nothing_is_unexplained_or_earned() -> None:
    log = base()
    rfm = clv.rfm_summary(log)
    assert rfm.report is not None
    assert np.isnan(rfm.report.unexplained)
    assert "nan" not in str(rfm)
    _, holdout = clv.rfm_train_test_split(log, train_end="2023-06-30")
    assert holdout.late_joiners > 0
    assert np.isnan(holdout.late_revenue)
    assert "nan" not in repr(holdout)


def test_mean_spend_is_per_occasion() -> None:
    """A buys ten times for 10, B twice for 110: 8 + 1 more repeat orders, (90 + 110) / 10; means of 10 and 110."""
    days = [f"2024-01-{day:02d}" for day in range(1, 11)]
    log = pd.DataFrame({
        "customer_id": ["A"] * 10 + ["B"] * 2,
        "date": [*days, "2024-01-01", "2024-01-10"],
        "amount": [10.0] * 10 + [110.0] * 2,
    })  # fmt: skip
    for made in (
        clv.rfm_summary(log, value="amount"),
        clv.rfm_summary(ibis.memtable(pa.Table.from_pandas(log)), value="amount"),
    ):
        assert "mean spend 20.00 per repeat occasion; the mean of the means of 2 customers is 60.00" in str(made)


# ----------------------------------------------------------------------------------------------------- order lines


def lines_of(orders: pd.DataFrame, *, minutes: int) -> pd.DataFrame:
    """Return three lines for each order, so many minutes apart, with quantities and unit prices."""
    lines = orders.loc[orders.index.repeat(3)].reset_index(drop=True)
    place = np.arange(len(lines)) % 3
    return lines.assign(
        date=lines["date"] + pd.to_timedelta(place * minutes, unit="min"),
        invoice="i" + (np.arange(len(lines)) // 3).astype(str),
        qty=place + 1,
        price=lines["amount"] / 6.0,
    )


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("resolution", [None, "day"])
def test_lines_of_an_order_are_one_order(place: str, resolution: str | None, tmp_path: Path) -> None:
    orders = simulated_log(60, 2)
    lines = placed(lines_of(orders, minutes=40), place, tmp_path)
    how = {"resolution": resolution, "observation_end": "2024-12-31"}
    found = summary(lines, value="price", quantity="qty", order_id="invoice", **how)
    expected = summary(orders, **how)
    numbers = ["frequency", "recency", "T", "monetary_value", "first_value"]
    pd.testing.assert_frame_equal(found.to_frame()[numbers], expected.to_frame()[numbers], rtol=1e-9)
    assert found.report.orders == expected.report.orders == len(orders)
    assert found.report.merged_orders == expected.report.merged_orders
    assert found.report.unexplained == 0


def test_returns_of_order_lines() -> None:
    log = pd.DataFrame({
        "customer_id": [1, 1, 1, 1, 2],
        "date": ["2024-01-01 10:00", "2024-01-01 10:05", "2024-01-08", "2024-01-20", "2024-01-02"],
        "invoice": ["a", "a", "b", "a", None],
        "qty": [2, 1, 1, -1, 3],
        "price": [10.0, 5.0, 7.0, 10.0, 4.0],
    })  # fmt: skip
    how = {"value": "price", "quantity": "qty", "order_id": "invoice", "observation_end": "2024-01-31"}
    rfm = summary(log, **how)
    assert rfm.frequency.tolist() == [1, 0]
    assert rfm.report.refunds.money == -10.0
    both_negative = log.assign(price=log["price"].where(log["qty"] > 0, -10.0))
    assert summary(both_negative, **how).report.refunds.money == -10.0
    del how["observation_end"]
    train, _ = clv.rfm_train_test_split(log, train_end="2024-01-15", **how)  # type: ignore[arg-type]
    assert train.report is not None
    assert train.report.money_used == 25.0 + 7.0 + 12.0  # the return of the 20th is not seen before
    with pytest.raises(DataError, match="name their column too"):
        clv.rfm_summary(log, quantity="qty")


def test_order_numbers_used_again_are_named() -> None:
    log = base()
    log["receipt"] = log.index % 7
    (note,) = summary(log, order_id="receipt").report.notes
    assert "if these numbers are used again" in note


# ----------------------------------------------------------------------------------------------------- acquisition


def test_a_log_cut_on_the_left_is_named() -> None:
    """New customers come evenly for 60 weeks; beside them 800 who have bought every 20 days since long ago."""
    log = simulated_log(1_500, 7, weeks=120, days=True)
    rng = np.random.default_rng(1)
    regulars = pd.DataFrame({"customer_id": 10_000 + rng.integers(0, 800, 34_000)})
    regulars["date"] = pd.Timestamp("2023-01-02") + pd.to_timedelta(rng.integers(0, 840, 34_000), unit="D")
    whole = pd.concat([log, regulars.assign(amount=10.0)], ignore_index=True)
    seen = whole[whole["date"] >= "2023-09-01"]
    (note,) = summary(seen).report.notes
    assert "was it cut there" in note
    first = seen.groupby("customer_id")["date"].min()
    until = pd.Timestamp(note.split('"')[-2])
    early = first.index[first <= until]
    rows = seen["customer_id"].isin(early)
    assert f"{len(early):,} of {len(first):,} customers ({rows.sum():,} rows" in note
    assert summary(log).report.notes == ()


# ------------------------------------------------------------------------------------------------- headers, tables


@pytest.mark.parametrize(
    ("header", "match"),
    [
        ("customer_id,date,amount,amount", "more than one column 'amount'"),
        ("customer_id,date,amount,Amount", "'amount', 'Amount'.*upper and lower case"),
        ("customer_id,Customer_ID,amount,date", "'customer_id', 'Customer_ID'"),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_headers_that_are_there_twice(header: str, match: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"log.{ending}"
    if ending == "csv":
        path.write_text(f"{header}\na,2024-01-01,1,2\n", encoding="utf-8")
    else:
        import pyarrow.parquet as pq

        columns = {"customer_id": ["a"], "date": ["2024-01-01"]}
        names = header.split(",")
        pq.write_table(pa.table([columns.get(name.lower(), [1.0]) for name in names], names=names), path)
    with pytest.raises(DataError, match=match):
        clv.rfm_summary(path, value="amount")


def test_other_columns_may_be_there_twice(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("customer_id,date,amount,note,note\na,2024-01-01,1,x,y\n", encoding="utf-8")
    assert len(clv.rfm_summary(path, value="amount")) == 1
    frame = pd.DataFrame({"customer_id": ["a"], "date": ["2024-01-01"], "Customer_ID": ["b"]})
    assert clv.rfm_summary(frame).customer_id.tolist() == ["a"]  # pandas tells them apart


def test_a_table_of_histories_is_no_log() -> None:
    rfm = summary(base())
    with pytest.raises(DataError, match=r"Histories\.from_frame"):
        clv.rfm_summary(rfm.to_frame().reset_index())
    with pytest.raises(DataError, match=r"Histories\.from_frame"):
        clv.rfm_summary(rfm.to_frame(), time="first_purchase", value="first_value")
    with pytest.raises(DataError, match="histories already"):
        clv.rfm_summary(rfm)
    log = base()
    enriched = log.join(rfm.to_frame()[["frequency", "recency", "T"]], on="customer_id")
    assert summary(enriched).report.notes == ()


@pytest.mark.parametrize("year", ["12 days", "52 days", "12 years", "24 months", "8760 days"])
def test_a_year_that_is_none(year: str) -> None:
    with pytest.raises(AssumptionError, match="the length of a year"):
        clv.Assumptions(discount_rate=0.15, margin=0.3, year=year)


@pytest.mark.parametrize("year", ["52 weeks", "360 days", "12 months", "1 year", "8760 hours", "53 weeks"])
def test_years(year: str) -> None:
    assert clv.Assumptions(discount_rate=0.15, margin=0.3, year=year).year == year
