"""The speeds of a year are those of the coefficients by hand, over their mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import DataError, FitError
from tests.inference.example_fits import bg

SEASONS = {"spring": ("03-01", "05-31"), "summer": ("06-01", "08-31")}


@pytest.fixture(scope="module")
def fit(log):
    histories = clv.rfm_summary(log, resolution="day", observation_end="1998-06-30")
    return clv.BGNBD(calendar=clv.Calendar.seasons(SEASONS)).fit(histories)


def columns(dates):
    """Return the columns of the calendar by their definition."""
    return np.column_stack([dates.month.isin(months) for months in ((3, 4, 5), (6, 7, 8))]).astype(float)


def year():
    """Return the days of the reference: the year of 365.25 days before July 1998, from the start of a day on."""
    return pd.date_range("1997-06-30", "1998-06-30")


def test_speeds_and_their_band(fit):
    _, table = clv.plots.calendar_effect(fit, return_data=True)
    assert table["date"].tolist() == pd.date_range("1997-07-01", "1998-06-30").tolist()
    gamma, covariance = fit.coefficients["estimate"].to_numpy(), fit.covariance[4:, 4:]
    dates = pd.DatetimeIndex(table["date"])
    weight = np.exp(columns(year()) @ gamma)
    np.testing.assert_allclose(table["value"], np.exp(columns(dates) @ gamma) / weight.mean(), rtol=1e-9)
    slopes = columns(dates) - weight @ columns(year()) / weight.sum()
    sd = np.sqrt(np.einsum("ij,jk,ik->i", slopes, covariance, slopes))
    np.testing.assert_allclose(np.log(table["upper"] / table["value"]), 1.6448536269514722 * sd, rtol=1e-9)
    np.testing.assert_allclose(np.log(table["value"] / table["lower"]), 1.6448536269514722 * sd, rtol=1e-9)


def test_a_band_over_draws_is_that_of_their_speeds(fit):
    factors = np.exp(np.random.default_rng(1).normal(0.0, 0.1, (2, 20, 2)))
    theta = np.broadcast_to(fit.estimate, (2, 20, 6)).copy()
    theta[..., 4:] *= factors
    ax, table = clv.plots.calendar_effect(replace(fit, theta=theta), return_data=True)
    dates = pd.DatetimeIndex(table["date"])
    gammas = np.log(theta[..., 4:]).reshape(-1, 2)
    speeds = [np.exp(columns(dates) @ g) / np.exp(columns(year()) @ g).mean() for g in gammas]
    np.testing.assert_allclose(table["value"], np.mean(speeds, axis=0), rtol=1e-9)
    np.testing.assert_allclose(table[["lower", "upper"]], np.quantile(speeds, [0.05, 0.95], axis=0).T, rtol=1e-9)
    line = next(line for line in ax.get_lines() if line.get_label() == "BG/NBD")
    np.testing.assert_array_equal(line.get_ydata(), table["value"])


def test_another_year_begins_where_it_is_asked_to(fit):
    _, ahead = clv.plots.calendar_effect(fit, start="1999-01-01", return_data=True)
    _, past = clv.plots.calendar_effect(fit, return_data=True)
    assert ahead["date"].iloc[0] == pd.Timestamp("1999-01-01")
    by_day = [table.set_index(table["date"].dt.strftime("%m-%d"))["value"].sort_index() for table in (ahead, past)]
    pd.testing.assert_series_equal(*by_day, rtol=1e-12)


def test_what_has_no_calendar_or_year_is_refused(fit, log):
    with pytest.raises(FitError, match=r"BG/NBD has no calendar; write clv.BGNBD\(calendar=\.\.\.\)"):
        clv.plots.calendar_effect({"BG/NBD": bg})
    with pytest.raises(DataError, match="start is a day such as"):
        clv.plots.calendar_effect(fit, start="soon")
    days = pd.date_range("1996-12-01", "1998-08-01", freq="MS")
    frame = pd.DataFrame({"date": days, "price": np.random.default_rng(0).normal(size=len(days))})
    histories = clv.rfm_summary(log, resolution="day", observation_end="1998-06-30")
    ending = clv.BGNBD(calendar=clv.Calendar.from_frame(frame)).fit(histories)
    with pytest.raises(DataError, match="the calendar ends on 1998-08-31 and is needed until 1999-06-30"):
        clv.plots.calendar_effect(ending, start="1998-07-01")
