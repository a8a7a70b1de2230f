"""Cells of customers with nearly the same history: against the same sums in numpy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clvmodels.data import Histories, engine_table, grid, rfm_summary
from clvmodels.data.grid import Grid
from clvmodels.data.statistics import SPEND, TRANSACTIONS
from tests.engines import KINDS, in_engine, simulated_log

STEP = 2.5
"""Weeks."""


@pytest.fixture(scope="module", params=KINDS)
def exact(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Histories, Histories]:
    """3,000 customers at exact times, of whom some are alike."""
    log = simulated_log(3_000, seed=4)
    twins = log[log["customer_id"] < 500].assign(customer_id=lambda rows: rows["customer_id"] + 10_000)
    file = in_engine(pd.concat([log, twins]), request.param, tmp_path_factory.mktemp("log"))
    rfm = rfm_summary(file, value="amount", grid=None)
    assert not rfm.in_memory
    return rfm, rfm.collect()


def grouped(histories: Histories, step: float) -> pd.DataFrame:
    """Return the cells as numpy has them."""
    columns = {"x": histories.frequency, "recency": histories.recency, "age": histories.T}
    frame = pd.DataFrame(columns)
    frame["t_x"], frame["T"] = np.floor(frame["recency"] / step), np.floor(frame["age"] / step)
    rows = []
    for _, some in frame.groupby(["x", "t_x", "T"]):
        spread = np.cov(some["recency"], some["age"], ddof=0) if len(some) > 1 else np.zeros((2, 2))
        means = (some["x"].iloc[0], some["recency"].mean(), some["age"].mean())
        rows.append((*means, len(some), spread[0, 0], spread[0, 1], spread[1, 1]))
    return pd.DataFrame(rows, columns=["x", "t_x", "T", "customers", "var_t_x", "covariance", "var_T"])


def test_cells_are_those_of_numpy(exact: tuple[Any, Any]) -> None:
    rfm, memory = exact
    coarse = rfm.with_grid(Grid(STEP, 1e-6))
    expected = grouped(memory, STEP)
    assert len(expected) < 0.7 * len(memory.distinct().rows)
    np.testing.assert_allclose(coarse.distinct().rows, expected[["x", "t_x", "T"]], rtol=1e-13, atol=1e-13)
    np.testing.assert_array_equal(coarse.distinct().rows[:, 0], expected["x"])
    np.testing.assert_array_equal(coarse.distinct().weight, expected["customers"])
    np.testing.assert_allclose(coarse.spread(), expected[["var_t_x", "covariance", "var_T"]], rtol=1e-9, atol=1e-12)
    alone = coarse.distinct().weight == 1
    assert alone.any()
    assert not coarse.spread()[alone].any()


def test_customers_find_their_cells(exact: tuple[Any, Any]) -> None:
    rfm, memory = exact
    coarse = rfm.with_grid(Grid(STEP, 1e-6))
    numbers = np.arange(len(coarse.distinct().rows), dtype=float)
    found = coarse.joined({"cell": numbers}).order_by("customer_id").to_pyarrow()
    assert found["customer_id"].to_pylist() == memory.customer_id.to_list()
    cell = found["cell"].to_numpy().astype(int)
    np.testing.assert_array_equal(np.bincount(cell), coarse.distinct().weight)
    x, t_x, T = coarse.distinct().rows[cell].T
    np.testing.assert_array_equal(x, memory.frequency)
    assert np.abs(t_x - memory.recency).max() < STEP
    assert np.abs(T - memory.T).max() < STEP


def test_a_grid_is_the_same_in_any_unit(exact: tuple[Any, Any]) -> None:
    rfm, _ = exact
    coarse = rfm.with_grid(Grid(STEP, 1e-6))
    days = coarse.in_unit("day")
    assert days.grid == Grid(7 * STEP, 1e-6)
    np.testing.assert_allclose(days.distinct().rows, coarse.distinct().rows * [1, 7, 7], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(days.spread(), 49 * coarse.spread(), rtol=1e-9, atol=1e-12)


def test_sums_by_cell_do_not_depend_on_the_order_of_the_customers(exact: tuple[Any, Any]) -> None:
    rfm, _ = exact
    for order in ("recency", "spend", "first"):
        rows = rfm.backend.engine.keep(rfm.backend.rows.order_by(order))
        again = replace(rfm, backend=rfm.backend.with_rows(rows, []))
        for name in (TRANSACTIONS, SPEND):
            ours, theirs = (one.with_grid(Grid(STEP, 1e-6)).distinct(name) for one in (again, rfm))
            np.testing.assert_array_equal(ours.rows, theirs.rows)


@pytest.mark.parametrize("step", [0.01, 0.3])
def test_cells_of_spend_are_those_of_numpy(
    step: float, exact: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rfm, memory = exact
    monkeypatch.setattr(grid, "EXACT_SPEND", 100)
    monkeypatch.setattr(grid, "SPEND_STEP", step)
    coarse = replace(rfm, backend=replace(rfm.backend))
    usable = (memory.frequency > 0) & (memory.monetary_value > 0)
    frame = pd.DataFrame({"x": memory.frequency[usable], "log": np.log(memory.monetary_value[usable])})
    groups = frame.groupby(["x", np.floor(frame["log"] / step)])["log"]
    cells = pd.DataFrame({"mean": groups.mean(), "size": groups.size(), "variance": groups.var(ddof=0)})
    x, spend = coarse.distinct(("x", "mean")).rows.T
    np.testing.assert_array_equal(x, cells.index.get_level_values("x"))
    np.testing.assert_allclose(spend, np.exp(cells["mean"]), rtol=1e-13)
    np.testing.assert_array_equal(coarse.distinct(("x", "mean")).weight, cells["size"])
    np.testing.assert_allclose(coarse.spread(("x", "mean")), cells["variance"], rtol=1e-9, atol=1e-16)
    assert len(cells) < usable.sum()


# ------------------------------------------------------------------------------------------------- when there is one


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take 1,000 histories for many."""
    monkeypatch.setattr(engine_table, "EXACT_HISTORIES", 1_000)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("customers", "days", "options", "expected"),
    [
        (1_500, False, {}, True),
        (1_500, False, {"grid": 1e-3, "resolution": "hour"}, True),
        (1_500, False, {"grid": None}, False),
        (1_500, False, {"resolution": "day"}, False),
        (900, False, {}, False),
        (1_500, True, {}, False),
    ],
    ids=["exact times", "hours", "not wanted", "days", "few customers", "few histories"],
)
def test_many_histories_of_exact_times_are_put_on_a_grid(
    customers: int, days: bool, options: dict[str, Any], expected: bool, tmp_path: Path
) -> None:
    log = simulated_log(customers, seed=1, days=days, weeks=12)
    rfm = rfm_summary(in_engine(log, "parquet", tmp_path), **options)
    assert not rfm.in_memory
    if not expected:
        assert rfm.grid is None
        return
    assert rfm.grid is not None
    assert rfm.grid.bound == options.get("grid", 1e-6)
    assert rfm.grid.step == pytest.approx(rfm.summary.oldest / 1_000)
    assert rfm.collect().frequency.sum() == rfm.distinct().weight @ rfm.distinct().rows[:, 0]
