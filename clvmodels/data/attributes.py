"""Columns of a log that describe the customer: one value each."""

# ruff: noqa: PD004 - notnull is what Ibis has

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clvmodels.data.columns import count
from clvmodels.data.log import attribute

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from clvmodels.data.log import Log

__all__ = ["first_values"]


def first_values(log: Log, rows: ir.Table, ids: pd.Index[Any]) -> tuple[pd.DataFrame, list[str]]:
    """Return each customer's first known value of every attribute, and a note for each that changes.

    Parameters
    ----------
    log
        The log.
    rows
        Its rows within the window.
    ids
        The customers wanted, in order.

    Returns
    -------
    tuple
        A table indexed by `ids`, and notes to warn with.
    """
    import pandas as pd

    names = log.columns.attributes
    ends = {f"{end}{i}": getattr(rows[attribute(i)], end)() for i in range(len(names)) for end in ("min", "max")}
    found = log.run(rows.group_by("id").aggregate(**ends)).to_pandas().set_index("id").reindex(ids)
    columns, notes = {}, []
    for i, name in enumerate(names):
        low, high = found[f"min{i}"], found[f"max{i}"]
        changes = np.asarray(low.notna() & (low != high).fillna(False), dtype=bool)
        if changes.any():
            low = low.astype("object").where(~changes, _earliest(log, rows, i).reindex(ids)).infer_objects()
            number = count(int(changes.sum()), "customer")
            notes.append(f"{name!r} is not the same in all rows of {number}: the first is kept")
        columns[name] = low
    return pd.DataFrame(columns, index=ids), notes


def _earliest(log: Log, rows: ir.Table, number: int) -> pd.Series[Any]:
    """Return the first known value of an attribute by customer; at one instant the smallest."""
    column = rows[attribute(number)]
    ends = rows.group_by("id").aggregate(low=column.min(), high=column.max())
    changing = rows.filter(column.notnull()).semi_join(ends.filter(ends.low < ends.high), "id")
    value = changing[attribute(number)]
    first = changing.group_by("id").aggregate(first=value.first(order_by=[changing.t, value]))
    series: pd.Series[Any] = log.run(first).to_pandas().set_index("id")["first"]
    return series
