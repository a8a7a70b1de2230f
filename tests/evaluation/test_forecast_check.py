"""A forecast of an earlier closing against what came, and the check of the last third."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import clvmodels as clv
from clvmodels.errors import DataError, FitWarning
from clvmodels.evaluation.forecast_check import forecast_against_actual
from tests.evaluation.stories import CDNOW

FORM = {"value": "amount", "resolution": "day"}
YEAR = {"train_end": "2022-12-31", "test_end": "2023-12-31"}
FIT = clv.BGNBD().from_params(CDNOW["BG/NBD"], unit="week")
SPEND = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})


@pytest.fixture(scope="module")
def company():
    return clv.datasets.load_company().transactions


@pytest.fixture(scope="module")
def check(company):
    """Return the year 2023 of the bundled company, predicted from 2022 by Laplace's approximation, which warns."""
    rfm = clv.rfm_summary(company, observation_end="2022-12-31", **FORM)
    with pytest.warns(FitWarning, match="Pareto k"):
        fit = clv.ParetoNBD().fit(rfm, method="laplace", seed=1)
    return forecast_against_actual(fit, clv.GammaGamma().fit(rfm), company, **YEAR, **FORM, seed=1)


def test_the_year_of_the_bundled_company(check):
    """Known customers made 451,375 in 2023; 397,101 were predicted: orders -2.7 %, the value of an order +16.8 %."""
    assert check.total["revenue_actual"] == pytest.approx(451_375.10, abs=0.01)
    assert check.total["revenue_predicted"] == pytest.approx(397_101.0, rel=0.005)
    assert check.orders_change == pytest.approx(-0.027, abs=0.005)
    assert check.order_value_change == pytest.approx(0.168, abs=0.003)
    assert check.customers == 998
    assert check.late_joiners == 502
    assert check.late_revenue.sum() == pytest.approx(233_217.09, abs=0.01)
    assert check.includes == "process and parameters"
    text = str(check)
    assert "3,511 orders came" in text
    assert "451,375 came" in text
    assert "An order was worth +16." in text


def test_quarters_are_those_of_the_calendar(check, company):
    known = company.loc[company["date"] <= "2022-12-31", "customer_id"].unique()
    year = company[company["customer_id"].isin(known) & company["date"].between("2023-01-01", "2023-12-31")]
    days = year.groupby(["customer_id", "date"], as_index=False)["amount"].sum()
    quarter = days.groupby(days["date"].dt.quarter)["amount"]
    assert [str(day.date()) for day in check.table.index] == ["2023-03-31", "2023-06-30", "2023-09-30", "2023-12-31"]
    np.testing.assert_allclose(check.table["revenue_actual"], quarter.sum(), rtol=1e-12)
    np.testing.assert_array_equal(check.table["orders_actual"], quarter.count())
    assert (
        check.revenue_outside
        == (
            (check.table["revenue_actual"] > check.table["revenue_high"])
            | (check.table["revenue_actual"] < check.table["revenue_low"])
        ).sum()
    )


def test_periods_sum_to_the_total(check):
    for what in ("orders_predicted", "orders_actual", "revenue_predicted", "revenue_actual"):
        assert check.table[what].sum() == pytest.approx(check.total[what], rel=1e-9)
    for what in ("orders", "revenue"):  # quarters are not independent, and not the same
        width = check.table[f"{what}_high"] - check.table[f"{what}_low"]
        assert np.sqrt((width**2).sum()) < check.total[f"{what}_high"] - check.total[f"{what}_low"] < width.sum()


def test_what_is_expected_is_what_the_fits_predict(company):
    rfm = clv.rfm_summary(company, observation_end="2022-12-31", **FORM)
    check = forecast_against_actual(FIT, SPEND, company, **YEAR, **FORM, period="month", seed=1)
    expected = FIT.expected_purchases(rfm, "365 days")["mean"]
    assert len(check.table) == 12
    assert check.total["orders_predicted"] == pytest.approx(expected.sum(), rel=1e-9)
    revenue = expected * SPEND.expected_spend(rfm)["mean"]
    assert check.total["revenue_predicted"] == pytest.approx(revenue.sum(), rel=1e-9)
    march = FIT.expected_purchases(rfm, "90 days")["mean"].sum() - FIT.expected_purchases(rfm, "59 days")["mean"].sum()
    assert check.table.loc["2023-03-31", "orders_predicted"] == pytest.approx(march, rel=1e-9)


def test_orders_of_unknown_value_count_with_the_mean_of_the_others(company):
    known = forecast_against_actual(FIT, None, company, **YEAR, **FORM, seed=1).table
    lost = company.copy()
    lost.loc[(lost["date"] > "2023-03-31") & (np.arange(len(lost)) % 10 == 0), "amount"] = np.nan
    joined = lost.groupby("customer_id")["date"].transform("min")
    rows = lost[lost["date"].between("2023-04-01", "2023-06-30") & (joined <= "2022-12-31")]
    occasions = rows.groupby(["customer_id", "date"])["amount"].sum(min_count=1)
    table = forecast_against_actual(FIT, None, lost, **YEAR, **FORM, seed=1).table
    np.testing.assert_array_equal(table["orders_actual"], known["orders_actual"])
    assert table["revenue_actual"].iloc[0] == known["revenue_actual"].iloc[0]
    expected = occasions.sum() * len(occasions) / occasions.count()
    assert table["revenue_actual"].iloc[1] == pytest.approx(expected, rel=1e-9)
    assert expected != known["revenue_actual"].iloc[1]


def test_a_last_period_may_be_short(company):
    window = {"train_end": "2022-12-31", "test_end": "2023-04-15"}
    check = forecast_against_actual(FIT, SPEND, company, **window, **FORM, seed=1)
    assert [str(day.date()) for day in check.table.index] == ["2023-03-31", "2023-04-15"]
    weeks = forecast_against_actual(FIT, SPEND, company, **window, **FORM, period="10 weeks", seed=1)
    assert [str(day.date()) for day in weeks.table.index] == ["2023-03-11", "2023-04-15"]
    assert "<table" in weeks._repr_html_()
    assert "orders_predicted" in repr(weeks)


def test_what_cannot_be_compared_is_refused(company):
    with pytest.raises(DataError, match="nothing has come yet"):
        forecast_against_actual(FIT, SPEND, company, train_end="2023-12-31", test_end="2023-06-30", **FORM)
    with pytest.raises(DataError, match="a period is a day at least"):
        forecast_against_actual(FIT, SPEND, company, period="3 hours", **YEAR, **FORM)
    with pytest.raises(DataError, match="more than 1,000 periods"):
        forecast_against_actual(
            FIT, SPEND, company.assign(date=company["date"]), period="day", train_end="2022-01-31",
            test_end="2026-12-31", **FORM,
        )  # fmt: skip


def test_the_last_third_is_among_the_checks():
    log = clv.datasets.load_cdnow(sample=True)
    third = clv.last_third(log, clv.BGNBD(), method="mle", **FORM, seed=1)
    rfm = clv.rfm_summary(log, **FORM)
    fits = clv.BGNBD().fit(rfm), clv.GammaGamma().fit(rfm)
    assert "fit to the last third" not in clv.checks(*fits, rfm).table.index
    fine = clv.checks(*fits, rfm, last_third=third)
    assert fine.table.loc["fit to the last third", "verdict"] == "fine"
    assert fine.table["effect"]["fit to the last third"] == third.revenue_actual - third.revenue_predicted
    missed = replace(third, actual=third.predicted / 0.75)
    checked = clv.checks(*fits, rfm, last_third=missed)
    assert checked.table.loc["fit to the last third", "verdict"] == "serious"
    assert "25% low, more than chance explains: season or growth" in checked.table["finding"]["fit to the last third"]
    near = replace(third, actual=third.high * 1.001)
    assert clv.checks(*fits, rfm, last_third=near).table.loc["fit to the last third", "verdict"] == "look"
    assert clv.value(*fits, rfm, clv.Assumptions(discount_rate=0.1, margin=0.3)).checks(third).table.index[-1] == (
        "fit to the last third"
    )
