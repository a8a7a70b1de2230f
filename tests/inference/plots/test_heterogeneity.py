"""Curves of heterogeneity are the distributions that the parameters name."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import clvmodels as clv
from clvmodels.errors import FitError, UnitError
from clvmodels.inference.plots.heterogeneity import heterogeneity
from tests.inference.example_fits import BG, around, bg, by_segment, pareto


def test_purchase_rates_a_year():
    ax, table = heterogeneity({"BG": bg, "Pareto": pareto}, return_data=True)
    for name, shape, rate in (("BG", 0.243, 4.414), ("Pareto", 0.553, 10.578)):
        some = table[table["model"] == name]
        told = stats.gamma(shape, scale=365.25 / 7.0 / rate).sf(some["value"])
        np.testing.assert_allclose(some["share"], told, rtol=1e-9)
        line = next(line for line in ax.get_lines() if line.get_label() == name)
        np.testing.assert_array_equal(line.get_ydata(), some["share"])
        np.testing.assert_array_equal(line.get_xdata(), some["value"])
    assert ax.get_xlabel() == "Purchases a year while alive"
    assert ax.get_xlim() == (0.0, table["value"].max())
    assert table[["lower", "upper"]].isna().all(axis=None)  # a point estimate has no band


def test_the_unit_of_the_picture_is_not_that_of_the_fit():
    year, week = (heterogeneity(bg, per=unit, return_data=True)[1] for unit in ("year", "week"))
    np.testing.assert_allclose(year["value"], week["value"] * 365.25 / 7.0, rtol=1e-9)
    np.testing.assert_allclose(year["share"], week["share"], rtol=1e-9)
    with pytest.raises(UnitError):
        heterogeneity(bg, per="fortnight")


def test_chances_to_leave():
    ax, table = heterogeneity(bg, of="dropout", return_data=True)
    np.testing.assert_allclose(table["share"], stats.beta(0.793, 2.426).sf(table["value"]), rtol=1e-9)
    assert ax.get_xlabel() == "Chance to leave at a purchase"
    assert ax.get_xlim() == (0.0, 1.0)


def test_rates_of_leaving():
    ax, table = heterogeneity(pareto, of="dropout", per="month", return_data=True)
    told = stats.gamma(0.606, scale=365.25 / 84.0 / 11.669).sf(table["value"])
    np.testing.assert_allclose(table["share"], told, rtol=1e-9)
    assert ax.get_xlabel() == "Rate of leaving, a month"


def test_a_band_over_draws():
    drawn = clv.BGNBD().from_params(around(BG), unit="week")
    _, table = heterogeneity(drawn, return_data=True)
    middle = table.iloc[100]
    each = [stats.gamma(r, scale=365.25 / 7.0 / alpha).sf(middle["value"]) for r, alpha in drawn.draws[:, :2]]
    told = [np.mean(each), *np.quantile(each, [0.05, 0.95])]
    np.testing.assert_allclose(middle[["share", "lower", "upper"]].astype(float), told, rtol=1e-9)


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(FitError, match=r"one axis .*BG: chance to leave at a purchase; Pareto: rate of leaving"):
        heterogeneity({"BG": bg, "Pareto": pareto}, of="dropout")
    with pytest.raises(FitError, match="unknown of 'churn'"):
        heterogeneity(bg, of="churn")
    with pytest.raises(FitError, match="customers of a fit by 'segment'"):
        heterogeneity(by_segment({"north": bg}))
