"""Histogram, curves and lines of spend are those of the tables, and the observed ones those of the data."""

from __future__ import annotations

import numpy as np
import pytest

import clvmodels as clv
from clvmodels.errors import DataError, FitError
from clvmodels.inference.plots.spend import conditional_spend, spend_density
from tests.inference.example_fits import GG, around, by_segment, gamma_gamma


def test_the_histogram_holds_99_of_100_customers(rfm):
    ax, table = spend_density(gamma_gamma, rfm, bins=50, return_data=True)
    spend = rfm.monetary_value[rfm.frequency > 0]
    spend = spend[spend > 0]
    assert len(spend) == 946  # golden.md
    width = table["right"] - table["left"]
    assert (table["actual"] * width).sum() == pytest.approx(np.mean(spend <= np.quantile(spend, 0.99)), rel=1e-12)
    inside = spend[spend <= np.quantile(spend, 0.99)].sum() / len(spend)
    middle = table[["left", "right"]].mean(axis=1)
    assert (table["actual"] * width * middle).sum() == pytest.approx(inside, abs=width.iloc[0] / 2.0)
    assert (table["expected"] * width).sum() == pytest.approx(0.985, abs=0.01)
    assert [bar.get_height() for bar in ax.patches] == table["actual"].tolist()
    np.testing.assert_array_equal(ax.get_lines()[0].get_ydata(), table["expected"])
    np.testing.assert_allclose(ax.get_lines()[0].get_xdata(), middle)
    assert ax.get_xlim() == (0.0, np.quantile(spend, 0.99))
    assert ax.get_xlabel() == "Mean value of a repeat order"


def test_several_fits_with_bands(rfm):
    fits = {"published": gamma_gamma, "drawn": clv.GammaGamma().from_params(around(GG, draws=300))}
    ax, table = spend_density(fits, rfm, bins=10, return_data=True)
    drawn, published = (table[table["model"] == name] for name in ("drawn", "published"))
    assert (drawn["lower"] < drawn["expected"]).all()
    assert (drawn["expected"] < drawn["upper"]).all()
    assert published[["lower", "upper"]].isna().all(axis=None)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["Actual", "published", "drawn", "90 % band"]


def test_lines_of_conditional_spend(rfm):
    ax, table = conditional_spend(gamma_gamma, rfm, return_data=True)
    assert table["frequency"].unique().tolist() == [0, 1, 2, 5, 10, 20]  # the most frequent buyer has x = 29
    drawn = {line.get_label(): line for line in ax.get_lines()}
    for x, label in ((1, "1 repeat purchase"), (10, "10 repeat purchases")):
        some = table[table["frequency"] == x]
        np.testing.assert_array_equal(drawn[label].get_ydata(), some["expected_spend"])
        slope = np.diff(some["expected_spend"]) / np.diff(some["monetary_value"])
        np.testing.assert_allclose(slope, 6.25 * x / (6.25 * x + 2.74), rtol=1e-9)  # the weight of what was observed
    assert set(drawn["Mean of all customers, 35.22"].get_ydata()) == {6.25 * 15.44 / 2.74}
    diagonal = drawn["As observed"]
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())


@pytest.mark.parametrize("wrong", [[], [0, 1]])
def test_frequencies_that_say_nothing_are_refused(wrong, rfm):
    with pytest.raises(DataError, match="from one up"):
        conditional_spend(gamma_gamma, rfm, frequencies=wrong)


def test_no_bins_and_segments_are_refused(rfm):
    with pytest.raises(DataError, match="bins"):
        spend_density(gamma_gamma, rfm, bins=0)
    with pytest.raises(FitError, match="densities of spend of a fit by 'segment'"):
        spend_density(by_segment({"north": gamma_gamma}), rfm)
