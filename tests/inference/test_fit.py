from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import DataError, FitError, ParameterError, UnitError
from clvmodels.units import DAYS

BG = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
TABLE = pd.DataFrame({"customer_id": ["A", "B"], "frequency": [2, 0], "recency": [30.43, 0], "T": [38.86, 38.86]})
RFM = clv.Histories.from_frame(TABLE, unit="week")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({**BG, "gamma": 1}, "unknown parameter 'gamma'"),
        ({"r": 1, "alpha": 1, "a": 1}, "b missing"),
        ({**BG, "r": 0}, "r must be a finite number above 0, got 0"),
        ({**BG, "b": np.nan}, "b must be a finite number"),
    ],
)
def test_wrong_parameters_are_refused(params, message):
    with pytest.raises(ParameterError, match=message):
        clv.BGNBD().from_params(params, unit="week")


def test_q_must_exceed_one():
    with pytest.raises(ParameterError, match="q must be a finite number above 1"):
        clv.GammaGamma().from_params({"p": 6.0, "q": 0.9, "v": 15.0})


def test_units_travel():
    fit = clv.BGNBD().from_params(BG, unit="weeks")
    assert fit.unit == "week"
    with pytest.raises(UnitError, match=r"counts time in weeks and the histories in days; write rfm.in_unit"):
        fit.expected_purchases(RFM.in_unit("day"), 52)
    with pytest.raises(UnitError, match="unknown unit"):
        clv.BGNBD().from_params(BG, unit="fortnight")
    weeks = fit.expected_purchases(RFM, 52)["mean"]
    for same in ("52 weeks", "364 days", "8736 hours"):
        pd.testing.assert_series_equal(fit.expected_purchases(RFM, same)["mean"], weeks)


def test_an_unknown_method_is_refused():
    with pytest.raises(FitError, match="did you mean 'mle'"):
        clv.BGNBD().fit(RFM, method="mla")


@pytest.mark.parametrize("n", [-1, 1.5])
def test_a_count_is_a_whole_number(n):
    with pytest.raises(FitError, match="n is a number of purchases"):
        clv.BGNBD().from_params(BG, unit="week").probability_of_purchases(RFM, 10, n)


def test_nothing_happens_in_no_time():
    fit = clv.ParetoNBD().from_params({"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}, unit="week")
    assert (fit.probability_of_purchases(RFM, 0, 0)["mean"] == 1).all()
    assert (fit.probability_of_purchases(RFM, 0, 1)["mean"] == 0).all()
    assert (fit.expected_purchases(RFM, 0)["mean"] == 0).all()
    pd.testing.assert_frame_equal(fit.probability_alive(RFM, 0), fit.probability_alive(RFM))


def test_no_customers_give_an_empty_table():
    fit = clv.BGNBD().from_params(BG, unit="week")
    assert fit.expected_purchases(RFM.select([]), 10).empty


def test_draws_may_be_given():
    draws = {name: value * np.array([[0.9, 1.0, 1.1], [1.0, 1.1, 1.2]]) for name, value in BG.items()}
    fit = clv.BGNBD().from_params(draws, unit="week")
    assert fit.theta.shape == (2, 3, 4)
    table = fit.expected_purchases(RFM, "39 weeks")
    assert (table["sd"] > 0).all()
    assert "6 draws" in repr(fit)
    assert (fit.summary()["sd"] > 0).all()


def test_describe_says_what_bg_nbd_does_to_one_time_buyers():
    said = clv.BGNBD().from_params(BG, unit="week").describe()
    assert "0.0551 times a week" in said
    assert "everyone who bought once only" in said
    assert "everyone" not in clv.MBGNBD().from_params(BG, unit="week").describe()
    assert "35.22" in clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44}).describe()


def test_a_median_lifetime_is_that_of_the_simulated_customers():
    from clvmodels.inference.describe import median_lifetime

    fit = clv.ParetoNBD().from_params({"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}, unit="week")
    median = median_lifetime(fit.model, fit.estimate, fit.unit)
    assert median == pytest.approx(11.669 * (2 ** (1 / 0.606) - 1), rel=1e-9)
    assert fit.simulate(40_000, median, seed=2).attributes["alive"].mean() == pytest.approx(0.5, abs=0.01)
    nobody_leaves = {"r": 1, "alpha": 1, "a": 1e-3, "b": 1e3}
    assert "never leave" in clv.BGNBD().from_params(nobody_leaves, unit="week").describe()


@pytest.mark.parametrize("unit", ["hour", "day", "week", "month", "year"])
def test_a_median_lifetime_does_not_depend_on_the_unit(unit):
    from clvmodels.inference.describe import median_lifetime

    weeks = 7.0 / DAYS[unit]
    fit = clv.ParetoNBD().from_params({"r": 0.5, "alpha": 10 * weeks, "s": 0.1, "beta": 10 * weeks}, unit=unit)
    assert median_lifetime(fit.model, fit.estimate, unit) == pytest.approx(10 * (2**10 - 1) * weeks, rel=1e-9)
    assert "Half of new customers have left after" in fit.describe()
    for_ever = clv.ParetoNBD().from_params({"r": 0.5, "alpha": 10 * weeks, "s": 0.07, "beta": 10 * weeks}, unit=unit)
    assert "never leave" in for_ever.describe()


@pytest.mark.parametrize(
    ("change", "message"),
    [({"format": "other"}, "not a fit"), ({"version": 99}, "later version"), ({"parameters": ["x"]}, "but BG/NBD has")],
)
def test_foreign_files_are_refused(tmp_path, change, message):
    path = tmp_path / "fit.json"
    clv.BGNBD().from_params(BG, unit="week").save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(FitError, match=message):
        clv.Fit.load(path)


@pytest.mark.parametrize("content", ["{", "[]", "\0"])
def test_what_is_no_fit_is_refused(tmp_path, content):
    path = tmp_path / "fit.json"
    path.write_text(content)
    with pytest.raises(FitError, match="not a fit"):
        clv.Fit.load(path)


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "fit.json"
    fit = clv.BGNBD().from_params(BG, unit="week")
    fit.save(path)
    before = path.read_bytes()
    monkeypatch.setattr("pathlib.Path.write_text", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fit.save(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["fit.json"]


def test_information_criteria():
    fit = clv.BGNBD().from_params(BG, unit="week").simulate(5000, 52, seed=4)
    fitted = clv.BGNBD().fit(fit)
    assert fitted.aic == pytest.approx(8 - 2 * fitted.log_likelihood)
    assert fitted.bic == pytest.approx(4 * np.log(5000) - 2 * fitted.log_likelihood)


@pytest.mark.parametrize("given", [pd.DataFrame({"customer_id": [1], "date": ["2024-01-01"]}), [1, 2], None])
def test_what_is_no_histories_is_refused(given):
    fit = clv.BGNBD().from_params({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, unit="week")
    spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44}).expected_spend
    for ask in (clv.BGNBD().fit, lambda it: clv.BGNBD().fit(it, method="map"), fit.probability_alive, spend):
        with pytest.raises(DataError, match=r"rfm_summary\(log"):
            ask(given)
