"""Bars are the observed shares, marks those of the simulated data, and a true model covers its own data."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer

import clvmodels as clv
from clvmodels.errors import DataError, UnitError
from clvmodels.inference.plots.predictive import posterior_predictive, prior_predictive
from tests.inference.example_fits import BG, PARETO, bg, pareto


def test_marks_and_bars(rfm):
    ax, table = posterior_predictive({"BG": bg, "Pareto": pareto}, rfm, most=5, draws=40, return_data=True)
    counts = np.bincount(np.minimum(rfm.frequency, 5).astype(int)) / len(rfm)
    drawn = {line.get_label(): line for line in ax.get_lines()}
    whiskers = [container for container in ax.containers if isinstance(container, ErrorbarContainer)]
    for container, name in zip((whiskers[0], whiskers[2]), ("BG", "Pareto"), strict=True):  # the second: the legend's
        some, points = table[table["model"] == name], drawn[name]
        np.testing.assert_allclose(some["actual"], counts, rtol=1e-12)
        assert [bar.get_height() for bar in ax.patches] == some["actual"].tolist()
        np.testing.assert_array_equal(points.get_ydata(), some["expected"])
        ends = np.array(container.lines[2][0].get_segments())[:, :, 1]
        np.testing.assert_allclose(ends, some[["lower", "upper"]], atol=1e-12)
        assert np.all(np.abs(points.get_xdata() - some["frequency"]) < 0.4)  # beside each other, within the bar
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "1", "2", "3", "4", "5+"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Repeat purchases", "Share of customers")


def test_a_true_model_covers_its_own_data():
    """Of 6 shares, 90 % intervals miss one or none as a rule; a model with twice the purchases misses most."""
    truth = pareto.simulate(2_000, "39 weeks", seed=5)
    wrong = clv.ParetoNBD().from_params(PARETO | {"alpha": 5.0}, unit="week")
    _, table = posterior_predictive({"true": pareto, "wrong": wrong}, truth, most=5, draws=100, return_data=True)
    outside = (table["actual"] < table["lower"]) | (table["actual"] > table["upper"])
    missed = outside.groupby(table["model"]).sum()
    assert missed["true"] <= 2
    assert missed["wrong"] >= 4


def test_a_seed_reproduces_it(rfm):
    one, again, other = (posterior_predictive(bg, rfm, draws=5, seed=s, return_data=True)[1] for s in (1, 1, 2))
    assert one.equals(again)
    assert not one.equals(other)


def test_priors(rfm):
    certain = {name: {"dist": "LogNormal", "mu": np.log(value), "sigma": 1e-9} for name, value in BG.items()}
    ax, table = prior_predictive(clv.BGNBD(priors=certain), rfm, draws=100, return_data=True)
    _, known = posterior_predictive(bg, rfm, draws=100, return_data=True)
    np.testing.assert_allclose(table["expected"], known["expected"], atol=0.005)
    assert table["model"].unique() == ["Priors of BG/NBD"]
    assert ax.get_title(loc="left") == "What the priors expect"


@pytest.mark.parametrize("wrong", [{"most": 0}, {"draws": 0}])
def test_nothing_to_draw_is_refused(wrong, rfm):
    with pytest.raises(DataError, match="from one up"):
        posterior_predictive(bg, rfm, **wrong)
    with pytest.raises(DataError, match="from one up"):
        prior_predictive(clv.BGNBD(), rfm.select([]), draws=2)


def test_units_are_not_mixed(rfm):
    with pytest.raises(UnitError, match="in weeks and the histories in days"):
        posterior_predictive(bg, rfm.in_unit("day"))
