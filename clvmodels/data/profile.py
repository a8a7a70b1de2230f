"""One cheap scan of a log: how much is there, what cannot be used, and what must be looked at."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from clvmodels.data.bounds import at_the_edge, fetched
from clvmodels.data.columns import count
from clvmodels.data.occasions import column
from clvmodels.data.report import RowsAndMoney
from clvmodels.errors import DataError
from clvmodels.numerics.rounding import significant_digits

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import numpy.typing as npt
    import pyarrow as pa

    from clvmodels.data.log import Log
    from clvmodels.data.windows import Window

_MOST_MONEY: Final = 1e100
"""With more, sums and squares of amounts may not be finite."""

__all__ = ["Days", "Facts", "first_time", "last_time", "profile_log", "refuse_refunds"]


_UNUSABLE: Final = ("excluded", "no_id", "no_time")
_OUTSIDE: Final = (*_UNUSABLE, "before", "after", "late_refund")


@dataclass(frozen=True, eq=False)
class Days:
    """Rows by day.

    Attributes
    ----------
    day
        Days with rows, rising, shape (days,).
    rows
        How many, shape (days,).
    """

    day: npt.NDArray[np.datetime64]
    rows: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Facts:
    """What one scan finds in a log and a window.

    Attributes
    ----------
    read, excluded, no_id, no_time, before, after, refunds
        Rows and their money (NaN without values): all; of excluded ids; without customer; with a customer but without a
        time; before and after the window; with a negative value, within the window.
    unvalued
        Rows within the window whose value is missing.
    late_refunds
        Rows with a negative value after the window.
    timed
        Whether times within the window have a time of day.
    days, all_days
        Rows with a customer and a time by day, on the clock of the column: those of the window, and all.
    """

    read: RowsAndMoney
    excluded: RowsAndMoney
    no_id: RowsAndMoney
    no_time: RowsAndMoney
    before: RowsAndMoney
    after: RowsAndMoney
    refunds: RowsAndMoney
    unvalued: int
    late_refunds: int
    timed: bool
    days: Days
    all_days: Days

    @property
    def all_inside(self) -> bool:
        """Whether all rows have a customer and a time within the window."""
        return not any(part.rows for part in (self.excluded, self.no_id, self.no_time, self.before, self.after))


def first_time(log: Log) -> dt.datetime:
    """Return the local time of the first transaction, or the time itself at the edge of the calendar.

    Raises
    ------
    DataError
        As `last_time`.
    """
    return _end_time(log, "min")


def last_time(log: Log) -> dt.datetime:
    """Return the local time of the last transaction, or the time itself at the edge of the calendar.

    Raises
    ------
    DataError
        If the log has no rows, or none with a customer and a time.
    """
    return _end_time(log, "max")


def _end_time(log: Log, which: Literal["min", "max"]) -> dt.datetime:
    rows = log.rows
    usable = rows.id.notnull() & rows.t.notnull()
    times = rows.t.min(where=usable) if which == "min" else rows.t.max(where=usable)
    summary = log.run(rows.aggregate(rows=rows.count(), time=times))
    time = fetched(summary["time"][0])
    _refuse_empty(summary["rows"][0].as_py(), usable=time is not None)
    assert time is not None
    return log.clock.to_local(time) if log.clock.in_utc and not at_the_edge(time) else time


def _refuse_empty(rows: int, *, usable: bool) -> None:
    if not rows:
        raise DataError("the log is empty: it has no rows")
    if not usable:
        raise DataError(f"none of the {count(rows, 'row')} of the log has both a customer id and a time")


def profile_log(log: Log, window: Window) -> Facts:
    """Scan the log once.

    Raises
    ------
    DataError
        If the log is empty, no row has a customer and a time, a value is infinite, or a time minus infinity.
    """
    kinds = _kinds(log, window)
    table = _counted(log, kinds)
    by_kind = _parts(table, list(kinds), has_value=log.has_value)
    usable = sum(part.rows for kind, part in by_kind.items() if kind not in _UNUSABLE)
    _refuse_empty(sum(part.rows for part in by_kind.values()), usable=usable > 0)

    inside = [number for number, kind in enumerate(kinds) if kind not in _OUTSIDE]

    def together(*kinds: str) -> RowsAndMoney:
        parts = [by_kind[kind] for kind in kinds if kind in by_kind]
        money = sum(part.money for part in parts) if log.has_value else float("nan")
        return RowsAndMoney(sum(part.rows for part in parts), float(significant_digits(money)))

    return Facts(
        read=together(*by_kind),
        excluded=together("excluded"),
        no_id=together("no_id"),
        no_time=together("no_time"),
        before=together("before"),
        after=together("after", "late_refund"),
        refunds=together("refund"),
        unvalued=together("unvalued").rows,
        late_refunds=together("late_refund").rows,
        timed=_timed(table, inside),
        days=_days(table, inside),
        all_days=_days(table, [number for number, kind in enumerate(kinds) if kind not in _UNUSABLE]),
    )


def _parts(table: pa.Table, kinds: Sequence[str], *, has_value: bool) -> dict[str, RowsAndMoney]:
    """Return rows and money by kind, of the kinds that there are."""
    kind, rows = table["kind"].to_numpy(), table["rows"].to_numpy()
    money = column(table, "money") if has_value else np.full(len(table), np.nan)
    return {
        kinds[number]: RowsAndMoney(int(rows[kind == number].sum()), math.fsum(np.nan_to_num(money[kind == number])))
        for number in np.unique(kind).tolist()
    }


def _timed(table: pa.Table, numbers: Sequence[int]) -> bool:
    """Return whether the last time of some day of some kinds of rows is not its midnight."""
    wanted = np.isin(table["kind"].to_numpy(), numbers)
    last, day = (table[name].to_numpy().astype("datetime64[us]")[wanted] for name in ("last", "day"))
    return bool((last != day).any())


def _days(table: pa.Table, numbers: Sequence[int]) -> Days:
    """Return rows by day of some kinds of rows."""
    wanted = np.isin(table["kind"].to_numpy(), numbers)
    day, place = np.unique(table["day"].to_numpy().astype("datetime64[D]")[wanted], return_inverse=True)
    return Days(day, np.bincount(place, table["rows"].to_numpy()[wanted], len(day)).astype(np.int64))


def _kinds(log: Log, window: Window) -> dict[str, ir.BooleanValue]:
    """Return the kinds of rows: each is of the first of which it fulfils the condition."""
    import ibis

    rows = log.rows
    before, after = window.before(rows.t), window.after(rows.t)
    kinds: dict[str, Any] = {"excluded": rows.excluded} if "excluded" in rows.columns else {}
    kinds |= {"no_id": rows.id.isnull(), "no_time": rows.t.isnull()}
    kinds |= {"late_refund": after & (rows.v < 0)} if log.has_value else {}
    kinds |= {"after": after}
    kinds |= {} if before is None else {"before": before}
    kinds |= {"refund": rows.v < 0, "unvalued": rows.v.isnull()} if log.has_value else {}
    return kinds | {"purchase": ibis.literal(True)}


def _counted(log: Log, kinds: dict[str, ir.BooleanValue]) -> pa.Table:
    """Return rows and money by kind and day.

    Raises
    ------
    DataError
        If a value is infinite, or a time minus infinity.
    """
    import ibis
    import pyarrow.compute as pc

    rows = log.rows
    kind = ibis.cases(*((condition, number) for number, condition in enumerate(kinds.values())))
    wanted: dict[str, Any] = {"rows": rows.count(), "last": rows.t.max()}
    if log.has_value:
        wanted |= {"money": rows.v.sum(), "infinite": rows.count(where=rows.v.abs() == math.inf)}
    if log.engine.is_duckdb:
        first = ibis.literal("0001-01-01", rows.t.type()) - ibis.interval(days=1)  # in any zone
        wanted |= {"early": rows.count(where=rows.t < first)}
    table = log.run(rows.group_by(kind=kind, day=rows.t.date()).aggregate(**wanted))
    totals = {name: pc.sum(table[name]).as_py() or 0 for name in ("early", "infinite") if name in wanted}
    if totals.get("early"):
        raise DataError(
            f"the time column {log.columns.time!r} is before the year 1 (or minus infinity) in"
            f" {count(totals['early'], 'row')}; leave these rows out, or give them a time"
        )
    if totals.get("infinite"):
        raise DataError(f"the value column {log.columns.value!r} is infinite in {count(totals['infinite'], 'row')}")
    if log.has_value and not (pc.sum(pc.abs(table["money"])).as_py() or 0.0) <= _MOST_MONEY:
        raise DataError(
            f"the values of column {log.columns.value!r} add up to more than {_MOST_MONEY:g}, which cannot be computed"
            " with; is it a column of amounts?"
        )
    return table


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
        sample = log.run(refunds.order_by(["t", "id"]).select("id", "v").limit(3)).to_pylist()
        listed = "; ".join(f"customer {row['id']!r}: {row['v']:g}" for row in sample)
        raise DataError(
            f"the log has {count(number, 'refund')} (rows with a negative value), for example {listed}; write"
            ' returns="net" to book each to the purchase before it, returns="drop" to leave them out, returns="keep" if'
            " the values are contributions, which may be negative"
        )
