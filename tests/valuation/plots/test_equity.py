"""What equity consists of, when it comes, what it depends on: the published cohort, and what stands on the axes."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

import clvmodels as clv
from clvmodels.errors import AssumptionError
from clvmodels.valuation.book import HORIZONS
from clvmodels.valuation.plots.equity import equity_by_horizon, statement, tornado
from tests.golden.published import published_terms


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def said(ax):
    return [text.get_text() for text in ax.texts]


def bars(ax):
    """Where each horizontal bar begins and ends."""
    return [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]


def test_equity_by_horizon_of_the_cohort(book):
    """Share within 1/2/3/5/10/15/20/30 years: 20.1 34.9 46.3 62.8 84.1 92.9 96.8 99.3 %, recomputed."""
    ax, table = equity_by_horizon(book, return_data=True)
    assert (100 * table["share"]).round(1).tolist() == [20.1, 34.9, 46.3, 62.8, 84.1, 92.9, 96.8, 99.3, 100.0]
    assert table["value"].iloc[-1] == pytest.approx(1_100_633, abs=1)
    assert table["horizon"].tolist() == [f"{n} year{'s' * (n > 1)}" for n in HORIZONS] + ["indefinitely"]
    assert [bar.get_height() for bar in ax.patches] == table["value"].tolist()
    assert labels(ax.xaxis) == [*map(str, HORIZONS), "no\nend"]
    assert said(ax)[0] == "20.1 %"


def test_years_beyond_the_horizon_of_the_assumptions_are_left_out(book):
    some = book.with_assumptions(published_terms(horizon="5 years", currency="USD"))
    ax, table = equity_by_horizon(some, horizons=(1, 5, 10), return_data=True)
    assert table["horizon"].tolist() == ["1 year", "5 years"]
    assert ax.get_ylabel() == "Customer equity, USD"


def test_years_that_are_not_known_are_refused(book):
    with pytest.raises(AssumptionError, match="got 4"):
        equity_by_horizon(book, horizons=(4,))


def test_intervals_of_horizons_are_those_of_valuations_that_look_so_far(drawn_book):
    ax, table = equity_by_horizon(drawn_book, horizons=(1, 3), intervals=True, return_data=True)
    for row, horizon in enumerate(("1 year", "3 years", None)):
        draws = drawn_book.with_assumptions(published_terms(horizon=horizon)).draws()
        assert len(draws) == 5
        assert table.loc[row, ["lower", "upper"]].tolist() == pytest.approx(np.quantile(draws, [0.05, 0.95]))
    whiskers = np.array([segment[:, 1] for segment in ax.collections[0].get_segments()])
    np.testing.assert_allclose(whiskers, table[["lower", "upper"]])


def test_intervals_of_given_parameters_are_of_what_customers_do(drawn_book):
    """There are no draws of given parameters, but customers may buy more or less than is expected of them."""
    orders = clv.BGNBD().from_params(dict(drawn_book.transactions.params), unit="week")
    book = clv.value(orders, drawn_book.spend, drawn_book.histories, drawn_book.assumptions)
    table = equity_by_horizon(book, horizons=(3,), intervals=True, return_data=True)[1]
    assert book.interval().covers == ("what customers do",)
    assert (table["lower"] < table["value"]).all()
    assert (table["value"] < table["upper"]).all()


def test_the_posterior_behind_intervals_is_drawn_once(drawn_book, monkeypatch):
    """Of a point estimate: not again for every horizon."""
    orders, calls = clv.BGNBD().from_params(dict(drawn_book.transactions.params), unit="week"), []

    def draw(_, histories):
        calls.append(histories)
        return drawn_book.transactions

    monkeypatch.setattr("clvmodels.valuation.book.transactions_with_draws", draw)
    book = clv.value(orders, drawn_book.spend, drawn_book.histories, drawn_book.assumptions)
    table = equity_by_horizon(book, horizons=(1, 3, 10), intervals=True, return_data=True)[1]
    expected = equity_by_horizon(drawn_book, horizons=(1, 3, 10), intervals=True, return_data=True)[1]
    assert len(calls) == 1
    assert calls[0] is drawn_book.histories
    np.testing.assert_array_equal(table[["lower", "upper"]], expected[["lower", "upper"]])


def test_statement_of_the_cohort_after_costs(costly):
    """1,100,633 less 3.00 for each of 96,481 orders and 5.00 for each of 43,445 living years: 593,965, recomputed."""
    ax, table = statement(costly, return_data=True)
    assert table["line"].tolist() == ["Contribution margin", "Order cost", "Maintenance cost", "Customer equity"]
    assert table["value"].tolist() == pytest.approx([1_100_633, -3 * 96_481, -5 * 43_445, 593_965], abs=3)
    np.testing.assert_allclose(bars(ax), table[["start", "end"]])
    assert labels(ax.yaxis) == table["line"].tolist()
    assert said(ax) == ["+1,100,633", "−289,443", "−217,225", "593,965"]


def test_attributed_lines_and_the_currency_are_named(book):
    some = book.with_assumptions(published_terms(referrals_per_year=0.1, referral_value=10.0, currency="EUR"))
    ax, table = statement(some, return_data=True)
    assert "Referrals (attributed)" in table["line"].tolist()
    assert ax.get_xlabel() == "Present value, EUR"


def test_tornado_of_the_cohort_after_costs(costly):
    ax, table = tornado(costly, return_data=True)
    assert table["assumption"].tolist() == ["margin", "discount_rate", "order_cost", "maintenance_cost"]
    moved = table.set_index("assumption")[["low", "high"]] - costly.equity
    assert moved.loc["margin"].tolist() == pytest.approx([-110_063.3, 110_063.3], abs=1)
    assert moved.loc["order_cost"].tolist() == pytest.approx([28_944.3, -28_944.3], abs=1)
    low, high = bars(ax)[:4], bars(ax)[4:]
    np.testing.assert_allclose([end for _, end in low], table["low"])
    np.testing.assert_allclose([end for _, end in high], table["high"])
    assert {start for start, _ in low + high} == {costly.equity}
    assert labels(ax.yaxis) == ["Margin", "Discount rate", "Order cost", "Maintenance cost"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "Assumption 10 % lower",
        "Assumption 10 % higher",
    ]
    assert said(ax)[:2] == ["−110,063", "+45,301"]


def test_pictures_are_drawn_on_given_axes_and_return_them(costly):
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3))
    assert tornado(costly, by=0.2, ax=left) is left
    assert equity_by_horizon(costly, ax=right) is right
    assert tuple(figure.get_size_inches()) == (9, 3)


def test_numbers_stand_beside_their_bars_within_the_axes(costly):
    for picture in (tornado, statement):
        ax = picture(costly)
        ax.figure.draw_without_rendering()
        frame = ax.get_window_extent()
        assert ax.texts
        for text in ax.texts:
            box = text.get_window_extent()
            assert frame.x0 - 1 <= box.x0
            assert box.x1 <= frame.x1 + 1
