"""Sums and elapsed times in an engine: against Python's own arithmetic, and the same in whatever order rows come."""

from __future__ import annotations

import datetime as dt
import math

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clvmodels.data.arithmetic import elapsed, rounded, steady_sum
from clvmodels.data.duckdb_engine import DuckDBLimits, PrivateEngine
from clvmodels.numerics.rounding import significant_digits
from clvmodels.units import DAYS, Unit


@pytest.fixture(scope="module")
def engine() -> PrivateEngine:
    return PrivateEngine.new(DuckDBLimits())


# ------------------------------------------------------------------------------------------------------ steady sums


def steady(engine: PrivateEngine, values: np.ndarray, group: np.ndarray, order: np.ndarray) -> list[float | None]:
    """Return the sums of groups of values, whose rows come in an order."""
    missing = np.isnan(values)
    table = engine.send(pa.table({"v": pa.array(values[order], mask=missing[order]), "g": pa.array(group[order])}))
    total = steady_sum(table.v, size=math.fsum(np.abs(values[~missing])), rows=len(values))
    found = engine.run(table.group_by("g").aggregate(total=total).order_by("g"))
    sums: list[float | None] = found["total"].to_pylist()
    return sums


@pytest.mark.parametrize("spread", [0.5, 3.0, 12.0], ids="sd of the logarithm {}".format)
def test_sums_are_right_and_do_not_depend_on_the_order(spread: float, engine: PrivateEngine) -> None:
    rng = np.random.default_rng(1)
    values = rng.choice([-1.0, 1.0], 50_000) * rng.lognormal(3.0, spread, 50_000)
    values[rng.random(50_000) < 0.1] = np.nan
    group = rng.integers(0, 500, 50_000)
    sums = steady(engine, values, group, np.arange(50_000))
    for seed in range(3):
        assert steady(engine, values, group, np.random.default_rng(seed).permutation(50_000)) == sums
    known = ~np.isnan(values)
    exact = [math.fsum(values[known & (group == g)]) for g in range(500)]
    size = np.abs(values[known]).sum()
    np.testing.assert_allclose(np.array(sums, float), exact, rtol=1e-15, atol=1e-24 * size)


def test_plain_sums_do(engine: PrivateEngine) -> None:
    """What all this is for: were they the same, there would be no need of it."""
    values = np.random.default_rng(1).lognormal(3.0, 3.0, 50_000)
    sums = set()
    for seed in range(3):
        table = engine.send(pa.table({"v": np.random.default_rng(seed).permutation(values)}))
        sums.add(engine.run(table.aggregate(total=table.v.sum()))["total"][0].as_py())
    assert len(sums) > 1


@settings(max_examples=15, deadline=None)
@given(values=st.lists(st.floats(-1e150, 1e150, allow_subnormal=False), min_size=1, max_size=12))
def test_sums_of_few_numbers(engine: PrivateEngine, values: list[float]) -> None:
    array = np.array(values)
    (found,) = steady(engine, array, np.zeros(len(array), int), np.arange(len(array)))
    (again,) = steady(engine, array, np.zeros(len(array), int), np.arange(len(array))[::-1])
    assert found == again
    assert found == pytest.approx(math.fsum(values), rel=1e-15, abs=1e-28 * math.fsum(map(abs, values)) + 1e-200)


def test_a_sum_of_nothing_is_missing(engine: PrivateEngine) -> None:
    assert steady(engine, np.array([np.nan, 0.0]), np.array([0, 1]), np.arange(2)) == [None, 0.0]


# ---------------------------------------------------------------------------------------------------- rounded sums


def test_rounded_as_in_python(engine: PrivateEngine) -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=5_000) * 10.0 ** rng.integers(-20, 20, 5_000)
    values[:6] = [0.0, 1e300, -1e-300, 999_999_999_999.5, 0.1 + 0.2, 2.0**60]
    values[6:12] = [1e-11, 1.23456789012345e-11, 9.87654321098765e-12, -9.87654321098765e33, 1.23456789012345e34, -0.0]
    values[12:15] = [np.nan, np.inf, -np.inf]
    table = engine.send(pa.table({"n": np.arange(5_000), "v": values}))
    found = engine.run(table.select("n", rounded=rounded(table.v)).order_by("n"))["rounded"].to_numpy()
    size = np.abs(values)
    expected = np.where((size >= 1e-11) & (size < 1e12), significant_digits(values), values)
    with np.errstate(invalid="ignore"):
        expected = np.where((size >= 1e12) & (size < 1e15), np.floor(values + 0.5), expected)
    np.testing.assert_array_equal(found, expected)


def test_parts_are_rounded_like_their_totals(engine: PrivateEngine) -> None:
    rng = np.random.default_rng(3)
    total = 10.0 ** rng.uniform(0.0, 11.0, 2_000)
    part = total * rng.uniform(0.0, 1.0, 2_000)
    cents = np.minimum(np.round(part, 2), total)
    table = engine.send(pa.table({"n": np.arange(2_000), "v": part, "c": cents, "total": total}))
    both = table.select("n", v=rounded(table.v, size=table.total), c=rounded(table.c, size=table.total)).order_by("n")
    found = engine.run(both)
    scale = np.array([10.0 ** (12 - len(str(int(size)))) for size in total])
    np.testing.assert_array_equal(found["v"].to_numpy(), np.floor(part * scale + 0.5) / scale)
    assert (np.abs(found["v"].to_numpy() - part) <= 5.1e-12 * total).all()
    small = total < 1e10  # money in cents stays what it is
    np.testing.assert_array_equal(found["c"].to_numpy()[small], cents[small])
    nothing = engine.send(pa.table({"v": [0.0, None, 3.0], "total": [0.0, 2.0, None]}))
    assert engine.run(nothing.select(v=rounded(nothing.v, size=nothing.total)))["v"].to_pylist() == [0.0, None, 3.0]


# ----------------------------------------------------------------------------------------------------- elapsed time


@pytest.mark.parametrize("unit", DAYS)
def test_elapsed_time_is_that_of_python(unit: Unit, engine: PrivateEngine) -> None:
    rng = np.random.default_rng(3)
    start = np.datetime64("1996-02-28", "us") + rng.integers(0, 10**15, 200).astype("timedelta64[us]")
    end = start + rng.integers(0, 10**15, 200).astype("timedelta64[us]")
    last = dt.datetime(2060, 1, 1)
    table = engine.send(pa.table({"start": start, "end": end}))
    exact = elapsed(table.start, table.end, unit)
    until = elapsed(table.start, ibis.literal(last), unit)
    days = elapsed(table.start.date(), table.end.date(), unit)
    found = engine.run(table.select("start", "end", exact=exact, until=until, days=days))
    length = dt.timedelta(days=DAYS[unit]) / dt.timedelta(microseconds=1)
    for row in found.to_pylist():
        between = (row["end"] - row["start"]) // dt.timedelta(microseconds=1)
        assert row["exact"] == between / length
        assert row["until"] == (last - row["start"]) // dt.timedelta(microseconds=1) / length
        assert row["days"] == (row["end"].date() - row["start"].date()).days * 86_400_000_000 / length
