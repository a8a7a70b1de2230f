"""Lines are those of the tables, marks stand at the purchases, and customers in the order of their first ones."""

from __future__ import annotations

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import DataError, UnitError
from clvmodels.inference.plots.customers import customer_history, timelines
from tests.inference.example_fits import BG, around, bg, by_segment, pareto

OPTIONS = {"resolution": "day", "observation_end": "1997-09-30"}


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def days(line):
    return np.asarray(line.get_xdata(), dtype="datetime64[D]")


class TestCustomerHistory:
    def test_customer_four_of_cdnow(self, log):
        ax, table = customer_history(bg, log, "00004", **OPTIONS, return_data=True)
        end = table.query("part == 'observed'").iloc[-1]
        # 1 / (1 + a/(b+x-1) ((alpha+T)/(alpha+t_x))^(r+x)) at x = 2, t_x = 213/7, T = 272/7
        told = 1.0 / (1.0 + 0.793 / 3.426 * ((4.414 + 272 / 7) / (4.414 + 213 / 7)) ** 2.243)
        assert end["probability_alive"] == pytest.approx(told, rel=1e-12)
        assert end["date"] == pd.Timestamp("1997-09-30")
        ahead = table.query("part == 'ahead'")
        assert ahead["age"].iloc[-1] - ahead["age"].iloc[0] == pytest.approx(26.0)
        drawn = ax.get_lines()
        for line, part, style in zip(drawn, ("observed", "ahead"), ("-", "--"), strict=False):
            some = table[table["part"] == part]
            np.testing.assert_array_equal(line.get_ydata(), some["probability_alive"])
            np.testing.assert_array_equal(days(line), some["date"].to_numpy().astype("datetime64[D]"))
            assert line.get_linestyle() == style
        marks = lines(ax)["Purchase"]
        assert [str(day) for day in days(marks)] == ["1997-01-01", "1997-01-18", "1997-08-02"]
        assert table.query("part == 'purchase'")["frequency"].tolist() == [0, 1, 2]
        assert "00004" in ax.get_title(loc="left")
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("Date", "P(alive)")
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["BG/NBD", "Purchase", "End of observation"]

    def test_several_fits_with_a_band(self, log):
        fits = {"certain": bg, "drawn": clv.BGNBD().from_params(around(BG, draws=1_200), unit="week")}
        ax, table = customer_history(fits, log, "00004", **OPTIONS, ahead=0, return_data=True)
        assert set(table["model"]) == {"certain", "drawn", "Actual"}
        drawn = table[table["model"] == "drawn"]
        assert (drawn["lower"] <= drawn["upper"]).all()
        assert table.loc[table["model"] == "certain", "lower"].isna().all()
        assert len(ax.collections) == 2  # no band of a point estimate, nor of nothing ahead; and one for the legend
        np.testing.assert_array_equal(lines(ax)["drawn"].get_ydata(), drawn["probability_alive"])

    def test_segments_are_read_from_the_log(self, log):
        north = clv.BGNBD().from_params(BG | {"a": 0.1}, unit="week")
        told, found = (
            customer_history(fit, some, "00004", **OPTIONS, return_data=True)[1]["probability_alive"]
            for fit, some in ((north, log), (by_segment({"south": bg, "north": north}), log.assign(segment="north")))
        )
        np.testing.assert_allclose(found, told, rtol=1e-12)

    def test_dates_are_those_of_the_wall_clock(self):
        log = pd.DataFrame({"customer_id": [1, 1], "date": ["2024-01-01 00:30", "2024-07-01 00:30"]})
        ax, table = customer_history(pareto, log, 1, time_zone="Europe/Berlin", return_data=True)
        assert str(table["date"].dt.tz) == "Europe/Berlin"
        assert [str(day) for day in days(lines(ax)["Purchase"])] == ["2024-01-01", "2024-07-01"]

    def test_units_are_not_mixed(self, log):
        with pytest.raises(UnitError, match="days and weeks"):
            customer_history({"a": bg, "b": clv.BGNBD().from_params(BG, unit="day")}, log, "00004")

    def test_an_unknown_customer_is_refused(self, log):
        with pytest.raises(DataError, match="1 customer without a purchase until 1997-09-30: 'nobody'"):
            customer_history(bg, log, "nobody", **OPTIONS)


class TestTimelines:
    def test_rows_dots_and_lines(self, log):
        ids = ["00004", "00018", "00021", "00050"]
        ax, table = timelines(log, customers=ids, **OPTIONS, return_data=True)
        rows = table.drop_duplicates("row").set_index("row")["customer_id"]
        assert [label.get_text() for label in ax.get_yticklabels()] == rows.tolist()
        assert table.groupby("row")["date"].min().is_monotonic_increasing
        first, repeat = ax.collections[1:]
        for dots, some in ((first, table[~table["repeat"]]), (repeat, table[table["repeat"]])):
            found = dots.get_offsets()
            np.testing.assert_allclose(found[:, 0], mdates.date2num(some["date"]))
            np.testing.assert_array_equal(found[:, 1], some["row"])
        starts, ends = np.array(ax.collections[0].get_segments())[:, :, 0].T
        np.testing.assert_allclose(starts, mdates.date2num(table.groupby("row")["date"].min()))
        np.testing.assert_allclose(ends, mdates.date2num(pd.Timestamp("1997-09-30")))
        assert ax.get_ylim() == (3.5, -0.5)  # the earliest on top
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["First purchase", "Repeat purchase"]

    def test_the_same_purchases_as_the_histories(self, log, rfm):
        _, table = timelines(log, most=25, seed=3, **OPTIONS, return_data=True)
        some = rfm.select(table["customer_id"].unique())
        assert len(some) == 25
        assert table["repeat"].sum() == some.frequency.sum()
        _, again = timelines(log, most=25, seed=3, **OPTIONS, return_data=True)
        pd.testing.assert_frame_equal(table, again)

    def test_who_does_not_fit_is_refused(self, log):
        for customers in (["00004", "00018", "00021"], []):
            with pytest.raises(DataError, match=f"1 to 2 customers, got {len(customers)}"):
                timelines(log, customers=customers, most=2)

    def test_one_id_is_not_several(self, log):
        with pytest.raises(DataError, match=r"write customers=\['00004'\]"):
            timelines(log, customers="00004")
        with pytest.raises(DataError, match="got most=0"):
            timelines(log, most=0)

    def test_many_customers_go_without_names(self, log):
        ax = timelines(log, most=80, **OPTIONS)
        assert len(ax.get_yticks()) == 0
        assert len(ax.collections[0].get_segments()) == 80
