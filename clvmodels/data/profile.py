"""One cheap scan of a log: how much is there, what cannot be used, and what must be looked at."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clvmodels.data.columns import count
from clvmodels.data.report import Part
from clvmodels.errors import DataError
from clvmodels.numerics.rounding import significant_digits

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from clvmodels.data.log import Log
    from clvmodels.data.windows import Window

__all__ = ["Facts", "last_time", "refuse_refunds", "take_stock"]


@dataclass(frozen=True)
class Facts:
    """What one scan tells of a log and a window.

    Attributes
    ----------
    read, no_id, no_time, before, after, refunds
        Rows and their money (NaN without values): all; without customer; with a customer but without a time; before and
        after the window; with a negative value, within the window.
    unvalued
        Rows within the window whose value is missing.
    late_refunds
        Rows with a negative value after the window.
    """

    read: Part
    no_id: Part
    no_time: Part
    before: Part
    after: Part
    refunds: Part
    unvalued: int
    late_refunds: int

    @property
    def all_inside(self) -> bool:
        """Whether all rows have a customer and a time within the window."""
        return not any(part.rows for part in (self.no_id, self.no_time, self.before, self.after))


def last_time(log: Log) -> dt.datetime:
    """Return the local time of the last transaction.

    Raises
    ------
    DataError
        If the log has no rows, or none with a customer and a time.
    """
    rows = log.rows
    usable = rows.id.notnull() & rows.t.notnull()
    found = log.run(rows.aggregate(rows=rows.count(), last=rows.t.max(where=usable))).to_pylist()[0]
    _refuse_empty(found["rows"], usable=found["last"] is not None)
    last: dt.datetime = found["last"]
    return log.clock.to_local(last) if log.clock.in_utc else last


def _refuse_empty(rows: int, *, usable: bool) -> None:
    if not rows:
        raise DataError("the log is empty: it has no rows")
    if not usable:
        raise DataError(f"none of the {count(rows, 'row')} of the log has both a customer id and a time")


def take_stock(log: Log, window: Window) -> Facts:
    """Scan the log once.

    Raises
    ------
    DataError
        If the log is empty, no row has a customer and a time, or a value is infinite.
    """
    rows = log.rows
    has_id, usable = rows.id.notnull(), rows.id.notnull() & rows.t.notnull()
    before, after = window.before(rows.t), window.after(rows.t)
    inside = usable & ~after if before is None else usable & ~after & ~before
    groups: dict[str, Any] = {
        "read": None,
        "no_id": ~has_id,
        "no_time": has_id & rows.t.isnull(),
        "after": usable & after,
        "before": None if before is None else usable & before,
    }
    if log.has_value:
        groups["refunds"] = inside & (rows.v < 0)
    wanted = _tallies(rows, groups, has_value=log.has_value)
    if log.has_value:
        wanted["unvalued"] = rows.count(where=inside & rows.v.isnull())
        wanted["late_refunds"] = rows.count(where=usable & after & (rows.v < 0))
        wanted["infinite"] = rows.count(where=rows.v.isinf())
    answer = log.run(rows.aggregate(**wanted)).to_pylist()[0]
    found = {name: answer[name] or 0 for name in answer}  # engines count nothing as NULL
    _refuse_empty(found["read_rows"], usable=found["read_rows"] > found["no_id_rows"] + found["no_time_rows"])
    if found.get("infinite"):
        raise DataError(f"the value column {log.columns.value!r} is infinite in {count(found['infinite'], 'row')}")
    parts = {name: Part(int(found[f"{name}_rows"]), _money(found, name)) for name in groups}
    if before is None:
        parts["before"] = Part(0, 0.0)
    parts.setdefault("refunds", Part(0, 0.0))
    return Facts(**parts, unvalued=found.get("unvalued", 0), late_refunds=found.get("late_refunds", 0))


def _tallies(rows: ir.Table, groups: dict[str, Any], *, has_value: bool) -> dict[str, ir.Scalar]:
    """Return row counts and sums of money by group."""
    wanted: dict[str, ir.Scalar] = {f"{name}_rows": rows.count(where=where) for name, where in groups.items()}
    if has_value:
        wanted |= {f"{name}_money": rows.v.sum(where=where) for name, where in groups.items()}
    return wanted


def _money(found: dict[str, Any], name: str) -> float:
    """Return a sum of money: NaN if there are no values, 0 if there are no rows."""
    if f"{name}_money" not in found:
        return float("nan")
    return float(significant_digits(found[f"{name}_money"] or 0.0))


def refuse_refunds(log: Log, window: Window) -> None:
    """Raise if there are refunds in the window, and the policy is to have none.

    Raises
    ------
    DataError
        With the number of refunds and examples.
    """
    rows = window.rows(log.rows)
    refunds = rows.filter(rows.v < 0)
    number = log.run(refunds.aggregate(rows=refunds.count())).to_pylist()[0]["rows"]
    if number:
        seen = log.run(refunds.order_by(["t", "id"]).select("id", "v").limit(3)).to_pylist()
        told = "; ".join(f"customer {row['id']!r}: {row['v']:g}" for row in seen)
        raise DataError(
            f"the log has {count(number, 'refund')} (rows with a negative value), for example {told}; write"
            ' returns="net" to book each to the purchase before it, returns="drop" to leave them out'
        )
