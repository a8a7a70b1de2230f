"""Columns of a log that describe the customer: one value each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clvmodels.data.columns import count
from clvmodels.data.log import attribute

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from clvmodels.data.log import Log

__all__ = ["first_values"]


def first_values(log: Log, rows: ir.Table) -> tuple[ir.Table, list[str]]:
    """Return each customer's first known value of every attribute, and a note for each that changes.

    Parameters
    ----------
    log
        The log.
    rows
        Its rows within the window.

    Returns
    -------
    tuple
        A table of ``customer`` and the attributes, named as in `rows`; and notes to warn with.
    """
    names = log.columns.attributes
    ends = {f"{end}{k}": getattr(rows[attribute(k)], end)() for k in range(len(names)) for end in ("min", "max")}
    extremes = log.engine.keep(rows.group_by(customer=rows.id).aggregate(**ends))
    differ = {f"n{k}": extremes.count(where=extremes[f"min{k}"] < extremes[f"max{k}"]) for k in range(len(names))}
    numbers = log.run(extremes.aggregate(**differ)).to_pylist()[0]
    described = extremes.select("customer", **{attribute(k): extremes[f"min{k}"] for k in range(len(names))})
    notes = []
    for k, name in enumerate(names):
        if numbers[f"n{k}"]:
            described = _with_earliest(described, _earliest(rows, extremes, k), k)
            number = count(int(numbers[f"n{k}"]), "customer")
            notes.append(f"{name!r} is not the same in all rows of {number}: the first is kept")
    return described, notes


def _with_earliest(described: ir.Table, earliest: ir.Table, number: int) -> ir.Table:
    """Return the table with the earliest value of an attribute in place of the smallest, where it changes."""
    name = attribute(number)
    joined = described.left_join(earliest, described.customer == earliest.changing)
    columns = {column: described[column] for column in described.columns}
    return joined.select(**columns | {name: earliest.changing.notnull().ifelse(earliest.earliest, described[name])})


def _earliest(rows: ir.Table, extremes: ir.Table, number: int) -> ir.Table:
    """Return the first known value of an attribute by customer for whom it changes; at one instant the smallest."""
    import ibis

    column = rows[attribute(number)]
    changing = extremes.filter(extremes[f"min{number}"] < extremes[f"max{number}"])
    known = rows.filter(column.notnull()).semi_join(changing, rows.id == changing.customer)
    value = known[attribute(number)]
    ranked = known.select(
        changing=known.id,
        earliest=value,
        place=ibis.row_number().over(ibis.window(group_by=known.id, order_by=[known.t, value])),
    )
    return ranked.filter(ranked.place == 0).drop("place")
