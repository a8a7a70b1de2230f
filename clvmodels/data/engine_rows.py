"""Distinct histories of an engine: what identifies them, their numbers in memory, and columns sent back to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from clvmodels.data.statistics import TRANSACTIONS, FloatArray
from clvmodels.numerics.distinct import DistinctRows

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import numpy.typing as npt
    import pyarrow as pa

    from clvmodels.data.engine import Engine
    from clvmodels.data.grid import Grid

__all__ = ["distinct", "evaluated", "keys_of", "numbers", "order_of"]


def numbers(table: pa.Table, name: str) -> FloatArray:
    """Return a numeric column as floats, closed to writing; NULL becomes NaN."""
    numbers, start = np.empty(len(table)), 0
    for chunk in table[name].cast("float64").chunks:
        numbers[start : start + len(chunk)] = chunk.to_numpy(zero_copy_only=False)
        start += len(chunk)
    numbers.flags.writeable = False
    return numbers


def distinct(
    columns: Sequence[FloatArray], weight: FloatArray, find_order: partial[npt.NDArray[np.int64]] | None = None
) -> DistinctRows:
    """Return what was fetched as distinct rows, writeable as those in memory, for which sums are compiled."""
    return DistinctRows(np.asfortranarray(np.column_stack(columns)), weight.copy(), find_order)


def keys_of(table: ir.Table, grid: Grid | None) -> dict[str, ir.NumericValue]:
    """Return what identifies a distinct history, or its cell."""
    keys = {"x": table.frequency, "t_x": table.recency, "T": table.age}
    return keys if grid is None else {name: grid.cell(name, column) for name, column in keys.items()}


def evaluated(
    engine: Engine, rows: ir.Table, grid: Grid | None, counted: pa.Table, columns: Mapping[str, npt.NDArray[Any]]
) -> ir.Table:
    """Return the rows with columns given by distinct history beside them."""
    import pyarrow as pa

    keys = {f"key_{name}": counted[name] for name in TRANSACTIONS}
    sent = engine.send(pa.table(keys | {name: pa.array(values) for name, values in columns.items()}))
    own = keys_of(rows, grid)
    on = [own[name] == sent[f"key_{name}"] for name in own]
    joined: ir.Table = rows.inner_join(sent, on).select(rows, *(sent[name] for name in columns))
    return joined


def order_of(engine: Engine, rows: ir.Table, grid: Grid | None, counted: pa.Table) -> npt.NDArray[np.int64]:
    """Return the customers, by position in the order of their ids, in the order of their distinct histories."""
    table = evaluated(engine, rows, grid, counted, {"place": np.arange(len(counted))})
    place = engine.run(table.order_by("id").select("id", "place"))["place"].to_numpy()
    return np.argsort(place, kind="stable")
