"""Units and durations: one length for each word, and refusal of what cannot be read."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvmodels.errors import UnitError
from clvmodels.units import DAYS, Unit, duration, parse_unit

UNITS = list(DAYS)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("form", ["{}", "{}s", " {} ", " {}s "])
def test_a_unit_is_read_in_singular_plural_and_any_case(unit: Unit, form: str) -> None:
    written = form.format(unit)
    assert parse_unit(written) == parse_unit(written.upper()) == unit


@pytest.mark.parametrize("text", ["", "s", "fortnight", "weekss", "52 weeks"])
def test_an_unknown_unit_is_refused(text: str) -> None:
    with pytest.raises(UnitError, match="unknown unit of time"):
        parse_unit(text)


def test_a_misspelt_unit_gets_a_hint() -> None:
    with pytest.raises(UnitError, match="did you mean 'week'"):
        parse_unit("weak")


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        ("52 weeks", "week", 52.0),
        ("52 weeks", "day", 364.0),
        ("1 year", "day", 365.25),
        ("12 months", "year", 1.0),
        ("36 hours", "day", 1.5),
        ("1.5 months", "day", 1.5 * 365.25 / 12),
        (".5day", "hour", 12.0),
        ("1e2 days", "day", 100.0),
        ("+3 Days", "day", 3.0),
        ("0 days", "week", 0.0),
        (39, "week", 39.0),
        (0.25, "year", 0.25),
        (timedelta(days=7), "week", 1.0),
        (timedelta(hours=6), "day", 0.25),
    ],
)
def test_a_duration_in_the_unit_asked_for(value: str | float | timedelta, unit: Unit, expected: float) -> None:
    assert duration(value, unit) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("text", ["weeks", "52", "52 weeks and a day", "", "fifty weeks", "1,5 weeks"])
def test_unreadable_text_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UnitError, match='such as "52 weeks"'):
        duration(text, "week")


@pytest.mark.parametrize("value", ["-1 weeks", -1, math.nan, math.inf, "1e999 weeks", timedelta(days=-1)])
def test_a_duration_is_finite_and_not_negative(value: str | float | timedelta) -> None:
    with pytest.raises(UnitError, match="from zero up"):
        duration(value, "week")


def test_a_duration_in_an_unknown_unit_is_refused() -> None:
    with pytest.raises(UnitError, match="unknown unit of time 'moons'"):
        duration("3 moons", "week")


@given(number=st.floats(0, 1e6), source=st.sampled_from(UNITS), target=st.sampled_from(UNITS))
def test_there_and_back(number: float, source: str, target: str) -> None:
    there = duration(f"{number!r} {source}s", cast("Unit", target))
    back = duration(f"{there!r} {target}s", cast("Unit", source))
    assert back == pytest.approx(number, rel=1e-12, abs=1e-300)


@given(number=st.floats(0, 1e6), unit=st.sampled_from(UNITS))
def test_a_written_duration_equals_the_bare_number_in_its_own_unit(number: float, unit: str) -> None:
    assert duration(f"{number!r} {unit}", cast("Unit", unit)) == duration(number, cast("Unit", unit)) == number


@pytest.mark.parametrize(
    "given", [[1], {"a": 1}, None, True, 10**400, b"3", "nan weeks", "1e308 weeks", "-1 week", 1e13, 1j]
)
def test_what_is_no_duration(given: object) -> None:
    with pytest.raises(UnitError):
        duration(cast("str", given), "week")


@pytest.mark.parametrize("given", [["week"], 3, None, "x" * 100_000])
def test_what_is_no_unit(given: object) -> None:
    with pytest.raises(UnitError) as error:
        parse_unit(cast("str", given))
    assert len(str(error.value)) < 1_000
