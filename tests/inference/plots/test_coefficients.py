"""Coefficients beside zero are those of the fits, and words say what they multiply."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection

import clvmodels as clv
from clvmodels.errors import FitError
from tests.inference.example_fits import bg


@pytest.fixture(scope="module")
def base():
    """Customers of two channels, one of which counts time at twice the speed, so that it buys twice as often."""
    truth = clv.BGNBD().from_params({"r": 0.6, "alpha": 8.0, "a": 0.8, "b": 3.0}, unit="week")
    shop, web = (truth.simulate(800, t, seed=k).to_frame() for k, t in enumerate(("60 weeks", "120 weeks")))
    web[["recency", "T"]] /= 2.0
    table = pd.concat([shop.assign(channel="shop"), web.assign(channel="web")], ignore_index=True)
    table["customer_id"] = range(1_600)
    table["monetary_value"] = np.where(table["frequency"] > 0, np.random.default_rng(3).gamma(4.0, 5.0, 1_600), np.nan)
    return clv.Histories.from_frame(table.drop(columns=["purchase_rate", "alive"]), unit="week")


@pytest.fixture(scope="module")
def fits(base):
    both = {"purchase": "channel", "dropout": "channel"}
    return {
        "BG": clv.BGNBD(covariates=both).fit(base),
        "Pareto": clv.ParetoNBD(covariates=both).fit(base),
        "Spend": clv.GammaGamma(covariates={"spend": "channel"}).fit(base),
    }


def test_points_and_intervals_are_those_of_the_fits(fits):
    ax, table = clv.plots.coefficients(fits, return_data=True)
    known = pd.concat([fit.coefficients for fit in fits.values()])
    np.testing.assert_array_equal(table[["value", "lower", "upper"]], known[["estimate", "low", "high"]])
    sd = known["sd"].to_numpy()
    np.testing.assert_allclose(table["upper"] - table["lower"], 2.0 * 1.959963984540054 * sd, rtol=1e-9)
    for name, rows in table.groupby("model"):
        marks = next(line for line in ax.get_lines() if line.get_label() == name)
        np.testing.assert_array_equal(marks.get_xdata(), rows["value"])
    ends = [line[:, 0] for part in ax.collections if isinstance(part, LineCollection) for line in part.get_segments()]
    np.testing.assert_array_equal(ends, table[["lower", "upper"]])
    assert any(np.array_equal(line.get_xdata(), [0.0, 0.0]) for line in ax.get_lines())  # no effect


def test_words_say_what_is_multiplied_and_by_how_much(fits):
    ax, table = clv.plots.coefficients(fits, return_data=True)
    np.testing.assert_allclose(table["factor"], np.exp(table["value"]), rtol=1e-15)
    assert table.set_index(["model", "process"])["multiplies"].to_dict() == {
        ("BG", "purchase"): "purchase rate",
        ("BG", "dropout"): "odds of leaving",
        ("Pareto", "purchase"): "purchase rate",
        ("Pareto", "dropout"): "rate of leaving",
        ("Spend", "spend"): "value of an order",
    }
    first, second = (fits[name].coefficients["estimate"].iloc[0] for name in ("BG", "Pareto"))
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[0] == f"channel[T.web]\npurchase rate × {np.exp(first):.3g}, {np.exp(second):.3g}"
    assert len(labels) == 4  # the purchase rate of both models is one row, leaving is not


def test_without_covariates_there_is_no_picture():
    with pytest.raises(FitError, match=r"this fit has no covariates; write clv\.BGNBD"):
        clv.plots.coefficients(bg)
