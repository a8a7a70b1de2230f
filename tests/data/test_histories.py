"""Histories from tables: what is taken over, what is refused and how it is explained, what is warned of."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import warnings
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import clvmodels as clv
from clvmodels.data import Histories
from clvmodels.errors import DataError, DataWarning, UnitError


def table(**columns: Any) -> pd.DataFrame:
    base: dict[str, Any] = {
        "customer_id": ["ann", "bob", "cid"],
        "frequency": [2, 0, 1],
        "recency": [30.43, 0.0, 10.0],
        "T": [38.86, 38.86, 20.0],
        "monetary_value": [20.0, 0.0, 35.0],
        "segment": ["A", "B", "A"],
    }
    return pd.DataFrame(base | columns)


def read(frame: Any, **options: Any) -> Histories:
    return Histories.from_frame(frame, **({"unit": "week"} | options))


class TestTaking:
    def test_arrays_ids_and_attributes(self) -> None:
        rfm = read(table(), observation_end="1997-09-30")
        assert list(rfm.customer_id) == ["ann", "bob", "cid"]
        assert rfm.customer_id.name == "customer_id"
        np.testing.assert_array_equal(rfm.frequency, [2, 0, 1])
        np.testing.assert_array_equal(rfm.T, [38.86, 38.86, 20])
        assert rfm.observation_end == pd.Timestamp("1997-09-30")
        assert rfm.unit == "week"
        assert rfm.report is None
        assert len(rfm) == 3
        assert list(rfm.attributes.columns) == ["segment"]
        assert all(getattr(rfm, name).dtype == np.float64 for name in ("frequency", "recency", "T", "monetary_value"))

    def test_missing_spend_is_nan_never_zero(self) -> None:
        np.testing.assert_array_equal(read(table()).monetary_value, [20, np.nan, 35])

    def test_ids_stay_with_their_rows(self) -> None:
        # users.md: Gamma-Gamma ids [3, 1, 2], means [20, 100, 50].
        frame = table(customer_id=[3, 1, 2], frequency=[1, 1, 1], monetary_value=[20.0, 100.0, 50.0])
        frame["recency"] = [1.0, 2.0, 3.0]
        assert read(frame).to_frame()["monetary_value"].to_dict() == {3: 20, 1: 100, 2: 50}

    def test_ids_from_the_index(self) -> None:
        expected = read(table()).to_frame()
        for frame in (table().set_index("customer_id"), table().set_index("customer_id").rename_axis("ID")):
            pd.testing.assert_frame_equal(read(frame).to_frame(), expected)
        named = table().rename(columns={"customer_id": "ID"}).set_index("ID")
        pd.testing.assert_frame_equal(read(named, customer_id="ID").to_frame(), expected)

    @pytest.mark.parametrize(
        "convert",
        [pl.from_pandas, lambda frame: pl.from_pandas(frame).lazy(), pa.Table.from_pandas, lambda frame: frame],
        ids=["polars", "lazy", "arrow", "pandas"],
    )
    def test_kinds_of_table(self, convert: Any) -> None:
        result = read(convert(table())).to_frame()
        pd.testing.assert_frame_equal(result, read(table()).to_frame())

    def test_other_names_and_no_spend(self) -> None:
        frame = table().drop(columns="monetary_value").rename(columns={"frequency": "x", "recency": "t_x", "T": "age"})
        rfm = read(frame, frequency="x", recency="t_x", T="age")
        assert not rfm.has_spend
        assert np.isnan(rfm.monetary_value).all()
        assert read(table()).has_spend

    @pytest.mark.parametrize("dtype", ["Int64", "int8", "float32", "int64[pyarrow]", object])
    def test_kinds_of_numbers(self, dtype: Any) -> None:
        np.testing.assert_array_equal(read(table().astype({"frequency": dtype})).frequency, [2, 0, 1])

    def test_decimals(self) -> None:
        frame = table(monetary_value=[Decimal("20.10"), Decimal(1), Decimal("35.50")])
        np.testing.assert_allclose(read(frame).monetary_value, [20.1, 1, 35.5])

    def test_time_since_the_last_purchase(self) -> None:
        frame = table(since=[8.43, 38.857, 10.0], recency=[0, 0, 0])
        rfm = read(frame, time_since_last="since")
        np.testing.assert_allclose(rfm.recency, [30.43, 0, 10])
        assert list(rfm.attributes.columns) == ["segment"]

    def test_recency_a_rounding_above_age_is_age(self) -> None:
        rfm = read(table(recency=[38.86 * (1 + 1e-12), 0, 10]))
        assert rfm.recency[0] == rfm.T[0]

    def test_no_customers(self) -> None:
        rfm = read(table().iloc[:0])
        assert len(rfm) == 0
        assert str(rfm) == "0 customers; 0 of them bought once only; 0 repeat purchase occasions\nunit: week\nno spend"

    def test_units_are_parsed(self) -> None:
        assert read(table(), unit="Days").unit == "day"
        with pytest.raises(UnitError, match="did you mean 'week'"):
            read(table(), unit="weak")

    def test_it_does_not_pay_for_the_engine(self) -> None:
        code = (
            "import sys, clvmodels.data as d; assert 'pandas' not in sys.modules; import pandas as pd;"
            "d.Histories.from_frame(pd.DataFrame({'customer_id': [1], 'frequency': [0], 'recency': [0], 'T': [1]}),"
            " unit='day'); assert not {'ibis', 'duckdb'} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "repeated id": ({"customer_id": ["ann", "ann", "cid"]}, r"1 row repeat one, for example 'ann'.*rfm_summary"),
    "missing id": ({"customer_id": ["ann", None, "cid"]}, "customer id is missing in 1 row"),
    "text": ({"frequency": ["2", "0", "1"]}, r"'frequency' is not numeric but .*'ann' \('2'\)"),
    "booleans": ({"frequency": [True, False, True]}, "'frequency' is not numeric but bool"),
    "dates": ({"recency": pd.to_datetime(["2024-01-01"] * 3)}, "age at the last purchase"),
    "missing": ({"T": [38.86, np.nan, 20]}, "T is missing: 1 of 3 customers, for example 'bob'"),
    "infinite": ({"T": [38.86, np.inf, 20]}, r"T is infinite: 1 of 3 customers, for example 'bob' \(T inf\)"),
    "infinite spend": ({"monetary_value": [np.inf, 0, 1]}, "monetary_value is infinite"),
    "negative": ({"frequency": [-2, 0, 1]}, r"frequency is negative.*'ann' \(frequency -2\)"),
    "not whole": ({"frequency": [2.5, 0, 1]}, r"frequency is no whole number.*2\.5"),
    "beyond T": ({"recency": [40.0, 0, 10]}, r"recency is beyond T.*'ann' \(frequency 2, recency 40, T 38\.86\)"),
    "time since last": ({"recency": [8.0, 38.86, 10]}, r"'bob'.*time since the last purchase.*time_since_last=\.\.\."),
    "once, later": ({"recency": [30.0, 5.0, 10]}, "0 for a customer who bought once"),
    "no minus one": ({"frequency": [3, 1, 2]}, r"nobody has frequency 0: 1 of 3.*subtract 1"),
}


class TestRefusing:
    @pytest.mark.parametrize("case", REFUSED)
    def test_numbers(self, case: str) -> None:
        columns, message = REFUSED[case]
        with pytest.raises(DataError, match=message):
            read(table(**columns))

    @pytest.mark.parametrize(
        "case", sorted(REFUSED.keys() - {"no minus one", "text", "booleans", "dates", "time since last"})
    )
    def test_one_customer_among_very_many(self, case: str) -> None:
        columns, message = REFUSED[case]
        frame = pd.concat([table()] * 60_000, ignore_index=True).assign(customer_id=np.arange(180_000).astype(str))
        bad = table(**columns)
        with pytest.raises(DataError, match=message.replace("of 3", "of 180,003")):
            read(pd.concat([frame, bad], ignore_index=True))

    def test_columns(self) -> None:
        with pytest.raises(DataError, match=r"no column 'freqency' \(did you mean 'frequency'\?\); its columns are"):
            read(table(), frequency="freqency")
        with pytest.raises(DataError, match="'customer_id'"):
            read(table().drop(columns="customer_id"))
        with pytest.raises(DataError, match=r"no column 'spend'"):
            read(table(), monetary_value="spend")
        with pytest.raises(DataError, match="more than one column 'T'"):
            read(pd.concat([table(), table()[["T"]]], axis=1))

    def test_kind(self) -> None:
        with pytest.raises(DataError, match="pandas, polars or Arrow table, got list"):
            read([1, 2])

    def test_time_since_last_beyond_age(self) -> None:
        with pytest.raises(DataError, match="since is beyond T"):
            read(table(since=[50.0, 38.86, 10]), time_since_last="since")

    def test_three_examples_are_enough(self) -> None:
        frame = pd.DataFrame({"customer_id": range(9), "frequency": -1, "recency": 0, "T": 1})
        with pytest.raises(DataError, match=r"9 of 9 customers, for example 0 .*; 1 .*; 2 \(frequency -1\); it is"):
            read(frame)

    def test_by_hand(self) -> None:
        good = read(table())
        columns: Any = good.backend
        with pytest.raises(DataError, match=r"T has shape \(2,\)"):
            good.with_statistics({"T": np.ones(2)})
        with pytest.raises(DataError, match="attributes have 2 rows"):
            dataclasses.replace(columns, attributes=good.attributes.iloc[:2])
        with pytest.raises(DataError, match="more than once: 'x'"):
            dataclasses.replace(columns, customer_id=pd.Index(["x", "x", "y"]))


class TestWarning:
    def test_one_time_buyers_left_out(self) -> None:
        frame = pd.DataFrame({"customer_id": range(30), "frequency": 2, "recency": 3.3, "T": 9.7})
        with pytest.warns(DataWarning, match="do not drop customers with frequency 0"):
            read(frame)

    def test_frequent_buyers_alone_miss_nobody(self) -> None:
        frame = pd.DataFrame({"customer_id": range(30), "frequency": range(6, 36), "recency": 9.6, "T": 9.7})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read(frame)

    def test_a_few_examples_are_no_customer_base(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read(pd.DataFrame({"customer_id": [1], "frequency": [2], "recency": [3.0], "T": [9.0]}))

    def test_age_to_the_day_after(self) -> None:
        days = np.array([10, 10, 10, 10, 10, 14, 20])
        frame = pd.DataFrame({"customer_id": range(7), "frequency": [1] * 6 + [0], "recency": days - 1, "T": days})
        frame.loc[6, "recency"] = 0
        with pytest.warns(DataWarning, match="a day after the end of the data"):
            read(frame, unit="day")
        with pytest.warns(DataWarning, match="a day after the end of the data"):
            read(frame.assign(recency=frame["recency"] / 7, T=frame["T"] / 7))

    @pytest.mark.parametrize("many", [1, 40_000])
    def test_one_of_very_many_is_enough_to_say_nothing(self, many: int) -> None:
        frame = pd.DataFrame({"frequency": 1.0, "recency": 9.0, "T": 10.0}, index=range(40_000 + many))
        frame.loc[40_000:, ["frequency", "recency"]] = 0.0, 0.0  # bought once, beyond the first block
        frame.loc[40_000, ["frequency", "recency"]] = 1.0, 9.5  # half a day before the end
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            read(frame.rename_axis("customer_id"), unit="day", customer_id="customer_id")
        assert len(found) == (1 if many == 1 else 0)  # nobody bought once only; nothing of a day too late

    @pytest.mark.parametrize(("most", "end", "told"), [(3, 20.0, 1), (2, 20.0, 0), (3, 10.0, 0)])
    def test_an_age_long_after_the_end_of_the_data(self, most: int, end: float, told: int) -> None:
        frame = pd.DataFrame({"customer_id": range(67), "frequency": 2.0, "recency": 9.0, "T": end})
        frame.loc[0, ["frequency", "recency"]] = 0.0  # somebody bought once only
        frame.loc[1, "frequency"] = most  # 200 purchases of all customers, or 199
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            read(frame, unit="week")
        assert [str(one.message).split(":")[0] for one in found] == [
            "nobody bought in the last 11 of 20 weeks observed"
        ] * told

    def test_repeat_purchases_at_age_zero(self) -> None:
        with pytest.warns(DataWarning, match="1 customer with repeat purchases but recency 0"):
            read(table(recency=[0.0, 0.0, 10.0]))


class TestUsing:
    def test_nothing_can_be_changed(self) -> None:
        frame = table()
        rfm = read(frame)
        with pytest.raises(ValueError, match="read-only"):
            rfm.T[0] = 1
        with pytest.raises(dataclasses.FrozenInstanceError):
            rfm.unit = "day"  # type: ignore[misc]
        frame.loc[0, "T"] = 99
        assert rfm.T[0] == 38.86

    def test_the_memory_of_a_table_stays_its_own(self) -> None:
        ages = np.array([38.86, 38.86, 20.0])
        for array in (ages, ages.astype(np.float32), np.array([39, 39, 20])):
            rfm = read(pd.DataFrame(table(), copy=False).assign(T=pd.Series(array, copy=False)))
            before = rfm.T.copy()
            np.add(array, 1, out=array)
            np.testing.assert_array_equal(rfm.T, before)
        closed = ages.view()
        closed.flags.writeable = False  # its memory is still open
        rfm, before = rfm.with_statistics({"T": closed}), closed.copy()
        ages[0] = 0.0
        np.testing.assert_array_equal(rfm.T, before)

    def test_round_trip(self) -> None:
        rfm = read(table())
        again = read(rfm.to_frame())
        pd.testing.assert_frame_equal(again.to_frame(), rfm.to_frame())
        assert list(rfm.to_frame().columns) == ["frequency", "recency", "T", "monetary_value", "segment"]

    def test_select(self) -> None:
        rfm = read(table())
        by_ids = rfm.select(["cid", "ann"])
        assert list(by_ids.customer_id) == ["cid", "ann"]
        assert by_ids.attributes["segment"].to_dict() == {"cid": "A", "ann": "A"}
        assert list(rfm.select(rfm.frequency > 0).customer_id) == ["ann", "cid"]
        assert list(rfm.select([True, False, False]).customer_id) == ["ann"]
        assert list(rfm.select(pd.Index(["bob"])).customer_id) == ["bob"]
        shuffled = rfm.to_frame()["frequency"].gt(0).sort_index(ascending=False)
        assert list(rfm.select(shuffled).customer_id) == ["ann", "cid"]
        assert len(rfm.select([])) == 0

    def test_select_refuses(self) -> None:
        rfm = read(table())
        with pytest.raises(DataError, match="1 customer id not in these histories: 'dan'"):
            rfm.select(["ann", "dan"])
        with pytest.raises(DataError, match="one boolean a customer"):
            rfm.select(np.array([True]))
        with pytest.raises(DataError, match="to_numpy"):
            rfm.select(pd.Series([True, False, True]))
        with pytest.raises(DataError, match="more than once: 'ann'"):
            rfm.select(["ann", "ann"])

    def test_in_unit(self) -> None:
        rfm = read(table())
        days = rfm.in_unit("days")
        assert days.unit == "day"
        np.testing.assert_allclose(days.T, rfm.T * 7)
        np.testing.assert_allclose(days.recency, rfm.recency * 7)
        np.testing.assert_array_equal(days.frequency, rfm.frequency)
        np.testing.assert_allclose(days.in_unit("week").T, rfm.T)

    def test_words(self) -> None:
        text = str(read(table(monetary_value=[-5.0, 0, np.nan]), observation_end="1997-09-30 18:00"))
        assert "3 customers; 1 of them (33.3 %) bought once only; 3 repeat purchase occasions" in text
        assert "observed for 20 to 38.86 weeks, until 1997-09-30 18:00:00" in text
        assert "unknown for 1 repeat customer; zero or less for 1 repeat customer" in text
        assert "until 1997-09-30\n" in str(read(table(), observation_end="1997-09-30"))


HOSTILE = pd.DataFrame({"customer_id": [1, 2], "frequency": [1.0, 0.0], "recency": [1.0, 0.0], "T": [3.0, 3.0]})


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("customer_id", [{1}, {2}]),
        ("customer_id", [[1], [2]]),
        ("frequency", [1e308, 0.0]),
        ("frequency", [10**400, 0]),
        ("T", [1e300, 3.0]),
        ("monetary_value", [1e308, None]),
        ("T", [1j, 1j]),
    ],
)
def test_values_that_cannot_be_computed_with(column: str, values: list[Any]) -> None:
    with pytest.raises(DataError, match=column):
        Histories.from_frame(HOSTILE.assign(**{column: pd.Series(values, dtype=object)}), unit="day")


def test_ids_of_narrow_and_wide_floats() -> None:
    for kind in (np.float16, np.longdouble):
        ids = np.array([1, 2], dtype=kind)
        assert Histories.from_frame(HOSTILE.assign(customer_id=ids), unit="day").customer_id.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("given", [3, None, ["T"], {"a": 1}, pd.Series([1])])
def test_names_and_selections_of_a_wrong_kind(given: Any) -> None:
    with pytest.raises(DataError, match="T is the name of a column"):
        Histories.from_frame(HOSTILE, unit="day", T=given)
    with pytest.raises((DataError, UnitError)):
        Histories.from_frame(HOSTILE, unit=given)
    with pytest.raises(DataError):
        Histories.from_frame(HOSTILE, unit="day").select(given if isinstance(given, int) else 3)


def test_a_union_of_arrow_is_refused() -> None:
    union = pa.UnionArray.from_dense(
        pa.array([0, 1], pa.int8()), pa.array([0, 0], pa.int32()), [pa.array([1]), pa.array(["a"])]
    )
    table = pa.Table.from_pandas(HOSTILE).set_column(0, "customer_id", union)
    with pytest.raises(DataError, match="'customer_id' holds dense_union"):
        Histories.from_frame(table, unit="day")


def _weighted_and_twice(frame: pd.DataFrame) -> tuple[Histories, Histories]:
    """Return histories each with a weight of two, and the same as those of two customers each."""
    weighted = Histories.from_frame(frame.reset_index(drop=True).assign(weight=2), unit="week")
    twice = pd.concat([frame, frame], ignore_index=True).rename_axis("customer_id").reset_index()
    return weighted, Histories.from_frame(twice, unit="week")


class TestWeights:
    def test_the_donations_are_used_as_they_are(self) -> None:
        """Sums of 1 - A, of gifts and of last years, as in the table of Fader, Hardie & Shang (2010)."""
        donations = clv.datasets.load_donations()
        rfm = Histories.from_frame(donations, unit="year")
        assert (len(rfm), rfm.customers) == (22, 11_104)
        weight = donations["weights"].to_numpy(float)
        assert rfm.summary.repeats == float(donations["frequency"] @ weight)
        distinct = rfm.distinct(("x", "t_x", "n"))
        np.testing.assert_array_equal(np.sort(distinct.weight), np.sort(weight))
        by_count = rfm.distinct(("x",))
        expected = donations.groupby("frequency")["weights"].sum()
        np.testing.assert_array_equal(by_count.rows[:, 0], expected.index)
        np.testing.assert_array_equal(by_count.weight, expected)
        np.testing.assert_array_equal(by_count.rows[by_count.index, 0], rfm.frequency)
        assert rfm.expanded().distinct(("x", "t_x", "n")).fingerprint == distinct.fingerprint
        np.testing.assert_array_equal(rfm.T, donations["periods"])  # time is counted in opportunities
        with pytest.raises(DataError, match="these histories have no T; they have frequency, recency, periods"):
            rfm.statistic("T")

    def test_weighted_histories_are_fitted_and_valued_as_their_customers(self) -> None:
        """Each history twice is each with a weight of two."""
        log = clv.datasets.load_cdnow(sample=True)
        each = clv.rfm_summary(log, value="amount", resolution="day", observation_end="1997-09-30")
        frame = each.to_frame().drop(columns=["first_purchase", "first_value"])
        both = _weighted_and_twice(frame)
        transactions, others = (clv.BGNBD().fit(rfm) for rfm in both)
        np.testing.assert_array_equal(transactions.theta, others.theta)
        assert transactions.fingerprint == others.fingerprint
        spend, other = (clv.GammaGamma().fit(rfm) for rfm in both)
        np.testing.assert_array_equal(spend.theta, other.theta)
        terms = clv.Assumptions(discount_rate=0.15, margin=0.3)
        ours, theirs = (clv.value(transactions, spend, rfm, terms) for rfm in both)
        assert ours.equity == pytest.approx(theirs.equity, rel=1e-12)
        assert repr(ours) == repr(theirs)
        assert ours.bought_once() == pytest.approx(theirs.bought_once(), rel=1e-12)
        assert ours.most_valuable(0.2) == pytest.approx(theirs.most_valuable(0.2), rel=1e-12)
        pd.testing.assert_frame_equal(ours.statement(), theirs.statement(), rtol=1e-12)
        few = _weighted_and_twice(frame.iloc[:200])
        np.testing.assert_allclose(*(clv.value(transactions, spend, rfm, terms).draws() for rfm in few), rtol=1e-12)
        assert np.sort(ours.customers["rlv"]) == pytest.approx(np.sort(theirs.customers["rlv"]), rel=1e-12)
        thin = {"thin": {"margin": 0.1}}
        pd.testing.assert_frame_equal(clv.scenarios(ours, thin), clv.scenarios(theirs, thin), rtol=1e-12)
        with pytest.raises(DataError, match=r"rows stand for several customers; write rfm\.expanded\(\)"):
            transactions.expected_purchases(both[0], 52, process=True)
        pd.testing.assert_series_equal(
            transactions.total_purchases(both[0], 52), transactions.total_purchases(both[1], 52), rtol=1e-12
        )

    def test_other_statistics(self) -> None:
        table = pd.DataFrame({"renewals": [1, 0], "churned": [0, 1], "sum of logs": [0.5, 2.0], "weight": [3, 4]})
        rfm = Histories.from_frame(table, unit="year", statistics={"sum of logs": "sum_log"})
        np.testing.assert_array_equal(rfm.statistic("sum_log"), [0.5, 2.0])
        np.testing.assert_array_equal(rfm.distinct(("renewals", "churned")).weight, [4.0, 3.0])
        assert str(rfm) == "7 customers"

    @pytest.mark.parametrize("weight", [0, -1, 1.5, np.inf, np.nan])
    def test_weights_that_are_no_numbers_of_customers(self, weight: float) -> None:
        frame = clv.datasets.load_donations().assign(weights=lambda rows: np.where(rows["recency"] > 3, weight, 1.0))
        with pytest.raises(DataError, match="the weight of a history is no number of customers"):
            Histories.from_frame(frame, unit="year")

    def test_periods_that_contradict_the_purchases(self) -> None:
        frame = clv.datasets.load_donations().assign(periods=5)
        with pytest.raises(DataError, match="frequency, recency and periods contradict each other"):
            Histories.from_frame(frame, unit="year")
