"""Lorenz and whale curves: the published cohort, and what stands on the axes."""

from __future__ import annotations

import numpy as np
import pytest

import clvmodels as clv
from clvmodels.errors import DataError
from clvmodels.valuation.plots.concentration import POINTS, lorenz, whale
from tests.golden.published import published_terms


def said(ax):
    return " ".join(" ".join(text.get_text().split()) for text in ax.get_legend().get_texts())


def test_lorenz_curve_of_the_cohort(book):
    """Gini .769, the top 20 % by residual value hold 82.7 % of equity: CDNOW after 78 weeks, recomputed."""
    ax, table = lorenz(book, return_data=True)
    assert table["gini"].iloc[0] == pytest.approx(0.769, abs=5e-4)
    assert table["top_share"].iloc[0] == pytest.approx(0.827, abs=5e-4)
    assert 1.0 - np.interp(0.8, table["share_of_customers"], table["share"]) == pytest.approx(0.827, abs=5e-4)
    assert 1.0 - 2.0 * np.trapezoid(table["share"], table["share_of_customers"]) == pytest.approx(0.769, abs=1e-3)
    assert len(table) == POINTS
    even, curve = ax.get_lines()
    assert even.get_label() == "All customers equal"
    assert curve.get_label() == "Residual lifetime value: Gini 0.769, the top 20 % hold 82.7 %"
    np.testing.assert_array_equal(curve.get_xydata(), table[["share_of_customers", "share"]])


def test_lorenz_curve_of_past_spend(book):
    """The top 20 % by past spend, first purchase included, hold 67.0 % of it: recomputed from the raw data."""
    log = clv.datasets.load_cdnow()
    past = log.groupby("customer_id")["amount"].sum().loc[book.histories.customer_id]
    ax, table = lorenz({"Past spend": past, "RLV": book.customers["rlv"]}, return_data=True)
    top = table.groupby("model")["top_share"].first()
    assert top["Past spend"] == pytest.approx(0.670, abs=5e-4)
    assert top["RLV"] == pytest.approx(0.827, abs=5e-4)
    assert [line.get_label().partition(":")[0] for line in ax.get_lines()[1:]] == ["Past spend", "RLV"]


def test_past_spend_of_a_valuation_is_that_of_repeat_purchases(book):
    _, table = lorenz(book, past=True, return_data=True)
    x, mean = book.histories.frequency, book.histories.monetary_value
    spent = np.sort(np.where(x > 0, x * mean, 0.0))
    at = table[table["model"] == "Repeat purchases so far"]
    held = np.concatenate([[0.0], np.cumsum(spent)])[np.rint(at["share_of_customers"] * len(spent)).astype(int)]
    np.testing.assert_allclose(at["share"], held / spent.sum(), rtol=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lorenz({}), "nothing to draw"),
        (lambda: lorenz({"Sales": [1.0, 2.0]}, past=True), "lorenz\\(book, past=True\\)"),
        (lambda: lorenz({"Sales": [1.0, np.nan]}), "1 of 2 are not"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, message):
    with pytest.raises(DataError, match=message):
        call()


def test_whale_curve_of_the_cohort_after_costs(costly):
    """Equity 593,965, peak 106.5 % at 38.5 % of the customers, the others -38,552: recomputed independently."""
    ax, table = whale(costly, return_data=True)
    peak = table[table["peak"]]
    assert 100 * peak["share"].item() == pytest.approx(106.5, abs=0.05)
    assert 100 * peak["share_of_customers"].item() == pytest.approx(38.5, abs=0.05)
    assert peak["value"].item() == table["value"].max() == pytest.approx(593_965 + 38_552, abs=2)
    assert table["share"].iloc[[0, -1]].tolist() == [0.0, 1.0]
    np.testing.assert_array_equal(ax.get_lines()[0].get_xydata(), table[["share_of_customers", "share"]])
    assert "106.5 % of equity, from 38.5 % of the customers" in said(ax)
    assert "−38,552" in said(ax)
    (shaded,) = ax.collections
    box = shaded.get_paths()[0].get_extents()
    assert (box.x0, box.x1) == (peak["share_of_customers"].item(), 1.0)
    assert (box.y0, box.y1) == pytest.approx((1.0, peak["share"].item()))


def test_whale_curve_without_losses(book):
    ax, table = whale(book, return_data=True)
    assert not ax.collections
    assert "no customer costs more than they bring" in said(ax)
    assert table["share"].is_monotonic_increasing


def test_whale_curve_of_customers_who_cost_more_than_they_bring_together_is_in_money(book):
    losing = book.with_assumptions(published_terms(order_cost=20.0, currency="USD"))
    ax, table = whale(losing, return_data=True)
    assert losing.equity < 0.0
    assert table["share"].isna().all()
    assert ax.get_ylabel() == "Cumulated customer equity, USD"
    np.testing.assert_array_equal(ax.get_lines()[0].get_ydata(), table["value"])
    assert table["value"].iloc[-1] == pytest.approx(losing.equity)
