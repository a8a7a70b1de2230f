"""The waterfall of a movement: the published one, and what stands on the axes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import clvmodels as clv
from clvmodels.valuation.plots.movement import waterfall

# Recomputed independently from the raw data: the sample from week 39 to week 78, published parameters.
PUBLISHED = {
    "Opening": 78_513,
    "Unwind of the discount": 8_677,
    "Expected release": -19_191,
    "Expected closing": 67_999,
    "Parameters: transactions": 26_296,
    "Parameters: spend": 186,
    "Closing": 104_190,
}


def test_waterfall_of_the_published_movement(movement):
    ax, table = waterfall(movement, return_data=True)
    values = table.set_index("line")["value"]
    assert values[list(PUBLISHED)].tolist() == pytest.approx(list(PUBLISHED.values()), abs=1)
    assert "Assumptions: costs" not in values.index
    assert [label.get_text() for label in ax.get_yticklabels()] == table["line"].tolist()
    drawn = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
    np.testing.assert_allclose(drawn, table[["start", "end"]])
    assert ax.texts[0].get_text() == f"{values['Opening']:,.0f}"
    assert ax.texts[2].get_text() == "−19,191"
    assert ax.get_title(loc="left") == "Customer equity, 1997-09-30 to 1998-06-30"


def test_each_change_begins_where_the_line_before_ended(movement):
    _, table = waterfall(movement, return_data=True)
    changes = (table["kind"] == "change").to_numpy()
    np.testing.assert_array_equal(table["start"][1:][changes[1:]], table["end"].shift()[1:][changes[1:]])
    assert (table.loc[~changes, "start"] == 0.0).all()
    for name in ("Expected closing", "Closing"):
        row = table.index[table["line"] == name].item()
        assert table["end"][row] == pytest.approx(table["end"][row - 1])


def test_gains_losses_and_balances_are_told_apart(movement):
    ax, table = waterfall(movement, return_data=True)
    colours = [bar.get_facecolor() for bar in ax.patches]
    kinds = np.where(table["kind"] == "change", np.sign(table["value"]), 0.0)
    assert len(set(colours)) == 3
    assert len(set(zip(colours, kinds, strict=True))) == 3


def test_lines_are_grouped(movement):
    """Behaviour variance of the sample +9,709; parameters 26,296 + 186: recomputed."""
    _, table = waterfall(movement, grouped=True, return_data=True)
    values = table.set_index("line")["value"]
    assert values["Behaviour"] == pytest.approx(9_709, abs=1)
    assert values["Parameters"] == pytest.approx(26_482, abs=2)
    assert table["line"].tolist()[-3:] == ["Behaviour", "Parameters", "Closing"]


def test_without_dates_the_title_tells_how_long_it_lasted(movement):
    books = (
        replace(book, histories=replace(book.histories, observation_end=None))
        for book in (movement.opening, movement.closing)
    )
    assert waterfall(clv.movement(*books)).get_title(loc="left") == "Customer equity in 39 weeks"
