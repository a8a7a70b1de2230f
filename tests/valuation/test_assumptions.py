from __future__ import annotations

import math

import pytest

import clvmodels as clv
from clvmodels.errors import AssumptionError

GOOD = {"discount_rate": 0.15, "margin": 0.30}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"discount_rate": 15}, "15 % a year is 0.15"),
        ({"discount_rate": -0.01}, "discount_rate must be a number from 0 to 2"),
        ({"discount_rate": "0.15"}, "got '0.15'"),
        ({"discount_rate": math.nan}, "got nan"),
        ({"margin": 30}, "30 % is 0.30"),
        ({"margin": True}, "got True"),
        ({"order_cost": -1}, "order_cost must be a number from 0 up"),
        ({"maintenance_cost": math.inf}, "got inf"),
        ({"growth": -1}, "growth must be a number above -1 to 2"),
        ({"timing": "mid-yaer"}, "did you mean 'mid-year'"),
        ({"year": 52}, "year is a duration with its unit"),
        ({"year": "52 weaks"}, "did you mean"),
        ({"year": "0 weeks"}, "longer than zero"),
        ({"horizon": 10}, "horizon is a duration with its unit"),
        ({"horizon": "10"}, "write a number and a unit"),
        ({"horizon": "-1 years"}, "from zero up"),
        ({"currency": 5}, "currency is a text"),
        ({"discount_raet": 0.1}, "did you mean 'discount_rate'"),
    ],
)
def test_wrong_assumptions_are_refused_with_the_remedy(change, message):
    with pytest.raises(AssumptionError, match=message):
        clv.Assumptions.from_mapping({**GOOD, **change})


def test_missing_assumptions_are_named():
    with pytest.raises(AssumptionError, match="lack discount_rate and margin"):
        clv.Assumptions.from_mapping({})


def test_a_file_gives_the_same_as_the_arguments(tmp_path):
    path = tmp_path / "assumptions.toml"
    path.write_text('discount_rate = 0.15\nmargin = 0.30\nyear = "52 weeks"\nhorizon = "5 years"\ncurrency = "EUR"\n')
    expected = clv.Assumptions(discount_rate=0.15, margin=0.3, year="52 weeks", horizon="5 years", currency="EUR")
    assert clv.Assumptions.from_file(path) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"discount_rate = ", "not valid TOML"),
        (b"\xff\xfe", "not valid TOML"),
        (b"marign = 0.3", "did you mean 'margin'"),
    ],
)
def test_a_bad_file_is_refused(tmp_path, content, message):
    path = tmp_path / "assumptions.toml"
    path.write_bytes(content)
    with pytest.raises(AssumptionError, match=message):
        clv.Assumptions.from_file(path)


def test_a_file_of_an_editor_that_marks_its_encoding(tmp_path):
    path = tmp_path / "assumptions.toml"
    path.write_text('discount_rate = 0.15\nmargin = 0.30\ncurrency = "€"\n', encoding="utf-8-sig")
    assert clv.Assumptions.from_file(path).currency == "€"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(AssumptionError, match=r"nothing\.toml': No such file"):
        clv.Assumptions.from_file(tmp_path / "nothing.toml")


def test_the_rate_is_annual_whatever_the_unit():
    terms = clv.Assumptions(**GOOD, year="52 weeks")
    assert 52 * terms.force_of_interest("week") == pytest.approx(math.log(1.15))
    assert 364 * terms.force_of_interest("day") == pytest.approx(math.log(1.15))
    assert terms.force_of_interest("week") == pytest.approx(0.0026877297, abs=5e-11)  # the papers' weekly rate
    assert clv.Assumptions(**GOOD).force_of_interest("year") == pytest.approx(math.log(1.15))


def test_years_of_the_horizon_are_years_of_the_valuation():
    terms = clv.Assumptions(**GOOD, year="52 weeks", horizon="10 years")
    assert terms.horizon_in("week") == 520.0
    assert clv.Assumptions(**GOOD, horizon="1.5 months").horizon_in("day") == pytest.approx(1.5 * 365.25 / 12)
    assert clv.Assumptions(**GOOD).horizon_in("day") == math.inf


@pytest.mark.parametrize("factor", ["x", [1], {"a": {"b": 1}}, None, math.nan, math.inf, -1, True, 10**400])
def test_factors_are_numbers(factor: object) -> None:
    with pytest.raises(AssumptionError, match="a factor is a number from 0 up"):
        clv.Assumptions(discount_rate=0.1, margin={"column": "margin", "factor": factor})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "margin = " + "[" * 10_000,
        "margin = " + "9" * 5_000,
        "discount_rate = 0.1\n[margin.a.b]\nc = 1",
        "discount_rate = 1e999\nmargin = 0.3",
        "discount_rate = []\nmargin = 0.3",
        "discount_rate = 0.1\nmargin = 0.3\ntiming = [1]",
        "discount_rate = 0.1\nmargin = 0.3\nyear = '1e308 weeks'",
        "discount_rate = 0.1\nmargin = {by = 's', rates = {a = {b = 1}}}",
    ],
)
def test_toml_that_says_something_else(text: str) -> None:
    with pytest.raises(AssumptionError) as error:
        clv.Assumptions.from_toml(text.encode())
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("path", ["a\0b.toml", "~nobody_of_this_name/a.toml", "\ud800", 3, b"a.toml", "a" * 5_000])
def test_paths_that_no_file_can_have(path: object) -> None:
    with pytest.raises(AssumptionError):
        clv.Assumptions.from_file(path)  # type: ignore[arg-type]
    with pytest.raises(clv.errors.FitError):
        clv.Fit.load(path)  # type: ignore[arg-type]
