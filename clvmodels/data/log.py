"""A purchase log in the words of this package: customer, time, value, and further columns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from clvmodels.data.columns import count, examples
from clvmodels.data.duckdb_engine import DuckDBLimits
from clvmodels.data.ids import IdRules
from clvmodels.data.kinds import require_label
from clvmodels.data.sources import Columns, open_log
from clvmodels.data.times import clock_of, parsed, read_times
from clvmodels.errors import DataError
from clvmodels.numerics.rounding import significant_digits

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

    from clvmodels.data.engine import Engine
    from clvmodels.data.sources import Source
    from clvmodels.data.zones import Clock

__all__ = ["Log", "attribute", "read_log"]

_LONGEST_ORDER = 31
"""Days between the first and the last delivery of an order; of more, its number is probably used again."""
_MICROSECONDS_A_DAY = 86_400_000_000


@dataclass(frozen=True)
class Log:
    """A purchase log ready to be aggregated.

    Attributes
    ----------
    rows
        An Ibis table: ``id``; ``t``, timestamps without zone whose meaning `clock` gives; ``v``, values as floats, if
        there are values; ``o``, order ids as text, ``excluded``, whether the id was excluded (``id`` is then missing),
        ``c``, currencies as text, and ``booked``, the time of the order that a row belongs to, if there are any;
        ``a0``, ``a1``, ... the attributes.
    engine
        Where it lies.
    clock
        Says what the times mean.
    columns
        The names the user has for the columns.
    large
        Whether histories stay in the engine.
    summarised
        Whether the log has the columns of a table of histories.
    excluded
        How many customers the user has excluded.
    notes
        What about the options deserves a look.
    """

    rows: ir.Table
    engine: Engine
    clock: Clock
    columns: Columns
    large: bool = False
    summarised: bool = False
    excluded: int = 0
    notes: tuple[str, ...] = ()

    def run(self, expression: ir.Table) -> pa.Table:
        """Compute an expression on the log and fetch its rows."""
        return self.engine.run(expression)

    @property
    def has_value(self) -> bool:
        """Whether there is a column of values."""
        return self.columns.value is not None

    def counted(self, rows: ir.Table) -> tuple[int, float | None]:
        """Return how many rows there are, and their money to twelve digits; None without a column of values."""
        money = {"money": rows.v.sum()} if self.has_value else {}
        sums = self.run(rows.aggregate(rows=rows.count(), **money)).to_pylist()[0]
        return sums["rows"], float(significant_digits(sums["money"] or 0.0)) if money else None


def attribute(number: int) -> str:
    """Return the name of an attribute's column in `Log.rows`."""
    return f"a{number}"


def read_log(
    log: object,
    columns: Columns,
    *,
    time_format: str | None,
    time_zone: str | None,
    storage: DuckDBLimits,
    ids: IdRules = IdRules(),  # noqa: B008 - it is frozen
) -> Log:
    """Open a log and bring its columns into shape.

    Raises
    ------
    DataError
        If the log, a file or a column is missing, the times cannot be read, or the values are not numeric.
    """
    source = open_log(log, columns, storage)
    for name in (columns.customer_id, *columns.attributes):
        require_label(name, source.table[name].type())
    columns = replace(columns, currency=source.currency)
    reading = read_times(source, columns.time, time_format)
    needed = {"id": ids.cleaned(_known(source, source.table[columns.customer_id])), "t": reading.times}
    if columns.value is not None:
        needed["v"] = _values(source, columns)
    texts = {"o": columns.order_id, "c": columns.currency}
    needed |= {part: _text(source, name) for part, name in texts.items() if name is not None}
    needed |= {attribute(i): _known(source, source.table[name]) for i, name in enumerate(columns.attributes)}
    rows = parsed(source, columns.time, reading, source.table.select(**needed))
    clock = clock_of(reading, rows, source.engine, time_zone)
    opened = Log(rows, source.engine, clock, columns, source.large, source.summarised)
    return _by_order(_without(opened, ids))


def _without(log: Log, ids: IdRules) -> Log:
    """Return a log whose excluded customers have no id; a note says which of the ids given are not in it."""
    import ibis

    if not ids.exclude:
        return log
    excluded = ids.excluded(log.rows.id).fill_null(False)
    present = log.run(log.rows.filter(excluded).select("id").distinct())["id"].to_pylist()
    missing = ids.missing(present)
    kept = log.rows.mutate(excluded=excluded, id=ibis.ifelse(excluded, None, log.rows.id))
    note = f"exclude_ids names {count(len(missing), 'id')} that the log does not have: {examples(missing)}"
    return replace(log, rows=kept, excluded=len(present), notes=(*log.notes, *([note] if missing else [])))


def _by_order(log: Log) -> Log:
    """Return a log in which all purchases of one order are of its first instant, to which refunds of it are booked.

    A refund keeps its own time beside that: it may come long after the order, and a training window must not see it
    before it came.
    """
    import ibis

    if log.columns.order_id is None:
        return log
    rows = log.rows
    refund = (rows.v < 0).fill_null(False) if log.has_value else ibis.literal(False)
    first = ibis.ifelse(refund, None, rows.t).min().over(ibis.window(group_by=[rows.id, rows.o]))
    known = rows.o.notnull() & rows.id.notnull() & first.notnull()
    order = ibis.ifelse(known, first, rows.t)
    kept = log.engine.keep(rows.mutate(t=ibis.ifelse(refund, rows.t, order), booked=order, own=rows.t))
    return replace(log, rows=kept.drop("own"), notes=(*log.notes, *_reused(log, kept)))


def _reused(log: Log, rows: ir.Table) -> list[str]:
    """Return a note if the rows of one order id lie so far apart that the id seems to be used again."""
    late = rows.filter(rows.own.delta(rows.t, unit="microsecond") > _LONGEST_ORDER * _MICROSECONDS_A_DAY)
    number, money = log.counted(late)
    if not number:
        return []
    worth = "" if money is None else f" (money {money:,.2f})"
    note = (
        f"{count(number, 'row')}{worth} lie more than {_LONGEST_ORDER} days after the first row of the same"
        f" customer and {log.columns.order_id!r}, and are dated by it: if these numbers are used again, make them"
        " unique, such as by the date before the number"
    )
    return [note]


def _values(source: Source, columns: Columns) -> ir.FloatingValue:
    """Return the values as floats, what is not a number as missing; with quantities, those times the unit prices.

    A negative quantity is a return, whether or not its price is negative too.
    """
    import ibis

    assert columns.value is not None
    value = _numbers(source, columns.value, "value")
    if columns.quantity is None:
        return value
    quantity = _numbers(source, columns.quantity, "quantity")
    return ibis.ifelse((quantity < 0) & (value < 0), -(quantity * value), quantity * value)


def _numbers(source: Source, name: str, what: str) -> ir.FloatingValue:
    column = source.table[name]
    kind = column.type()
    if not kind.is_numeric() or kind.is_boolean():
        raise DataError(f"the {what} column {name!r} is not numeric but {kind}; convert it to numbers first")
    return _known(source, column).cast("float64")


def _text(source: Source, name: str) -> ir.StringValue:
    """Return a column as text, what is blank as missing."""
    return _known(source, source.table[name]).cast("string").strip().nullif("")


def _known(source: Source, column: ir.Value) -> ir.Value:
    """Return a column with what is not a number as missing."""
    import ibis

    if not column.type().is_floating():
        return column
    return ibis.ifelse(_is_number(source, column), column, None)


def _is_number(source: Source, column: ir.FloatingValue) -> ir.BooleanValue:
    """Return whether values are numbers, infinite ones among them.

    The statistics of a Parquet file leave out what is not a number, and DuckDB concludes from them that ``isnan`` of
    the column is never true. It concludes nothing about ``isfinite``.
    """
    import ibis

    if not source.engine.is_duckdb:
        return ~column.isnan()

    @ibis.udf.scalar.builtin(signature=(("float64",), "boolean"))  # type: ignore[untyped-decorator]
    def isfinite(value: float) -> None:
        """Name the function of DuckDB."""

    finite: ir.BooleanValue = isfinite(column)
    return finite | column.isinf()
