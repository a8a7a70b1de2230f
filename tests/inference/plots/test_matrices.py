"""Each cell lies where its history belongs, and shows its number."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from clvmodels.errors import DataError, FitError
from clvmodels.inference.plots.matrices import alive_matrix, purchases_matrix
from tests.inference.example_fits import bg, by_segment, pareto


@pytest.fixture(params=["alive", "purchases"])
def picture(request):
    if request.param == "alive":
        return *alive_matrix(pareto, T="39 weeks", most=5, steps=13, return_data=True), "probability_alive"
    return *purchases_matrix(pareto, "52 weeks", T="39 weeks", most=5, steps=13, return_data=True), "expected_purchases"


def test_cells_lie_at_frequency_and_time_since_the_last_purchase(picture):
    ax, table, what = picture
    mesh = ax.collections[0]
    cells, corners = mesh.get_array(), mesh.get_coordinates()
    assert cells.shape == (6, 13)
    for _, row in table.iterrows():
        at = min(int(row["time_since_last"] // 3.0), 12), int(row["frequency"])
        (left, low), (right, high) = corners[at[1], at[0]], corners[at[1] + 1, at[0] + 1]
        assert left < row["time_since_last"] <= right
        assert low < row["frequency"] < high
        assert cells[at[1], at[0]] == row[what]
    assert np.ma.count_masked(np.ma.masked_invalid(cells)) == 12  # without a repeat purchase there is one time only


def test_what_stands_on_the_axes(picture):
    ax, _, what = picture
    assert ax.get_xlabel() == "Weeks since the last purchase"
    assert ax.get_ylabel() == "Repeat purchases"
    labels = {"probability_alive": "P(alive)", "expected_purchases": "Expected purchases"}
    assert ax.collections[0].colorbar.ax.get_ylabel() == labels[what]
    title = {"probability_alive": "P(alive)", "expected_purchases": "purchases in the next 52 weeks"}[what]
    assert " ".join(ax.get_title(loc="left").split()) == f"Pareto/NBD: {title} of customers acquired 39 weeks ago"
    assert ax.texts[0].get_text() == "who bought once did so when acquired →"
    assert ax.collections[0].get_cmap().name == "cividis"


def test_probabilities_have_one_scale():
    _, (left, right) = plt.subplots(ncols=2)
    for ax, after in ((left, 0), (right, "2 years")):
        assert alive_matrix(bg, T=39, after=after, most=2, steps=3, ax=ax) is ax
        assert ax.collections[0].get_clim() == (0.0, 1.0)
    assert "P(alive) in 104.4 weeks" in " ".join(right.get_title(loc="left").split())


def test_durations_are_in_the_unit_of_the_fit():
    one, other = (alive_matrix(bg, T=T, most=2, steps=3, return_data=True)[1] for T in ("39 weeks", "273 days"))
    np.testing.assert_allclose(one, other, rtol=1e-12)


def test_a_high_matrix_has_no_room_for_words():
    assert not alive_matrix(bg, T=39, most=60, steps=3).texts


@pytest.mark.parametrize("wrong", [{"T": 0}, {"T": 39, "most": 0}, {"T": 39, "steps": 0}])
def test_what_has_no_cells_is_refused(wrong):
    with pytest.raises(DataError, match="must be positive"):
        alive_matrix(bg, **wrong)


def test_a_fit_by_segment_is_refused():
    with pytest.raises(FitError, match="by segment"):
        purchases_matrix(by_segment({"north": bg}), 52, T=39)
