"""A purchase log in the words of this package: customer, time, value, and further columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clvmodels.data.engine import Storage, in_duckdb
from clvmodels.data.kinds import require_label
from clvmodels.data.sources import Columns, open_log
from clvmodels.data.times import clock_of, parsed, read_times
from clvmodels.errors import DataError

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

    from clvmodels.data.engine import Engine
    from clvmodels.data.sources import Source
    from clvmodels.data.zones import Clock

__all__ = ["Log", "attribute", "read_log"]


@dataclass(frozen=True)
class Log:
    """A purchase log ready to be aggregated.

    Attributes
    ----------
    rows
        An Ibis table: ``id``; ``t``, timestamps without zone whose meaning `clock` gives; ``v``, values as floats, if
        there are values; ``a0``, ``a1``, ... the attributes.
    engine
        Where it lies.
    clock
        Says what the times mean.
    columns
        The names the user has for the columns.
    large
        Whether histories stay in the engine.
    """

    rows: ir.Table
    engine: Engine
    clock: Clock
    columns: Columns
    large: bool = False

    def run(self, expression: ir.Table) -> pa.Table:
        """Compute an expression on the log and fetch its rows."""
        return self.engine.run(expression)

    @property
    def has_value(self) -> bool:
        """Whether there is a column of values."""
        return self.columns.value is not None


def attribute(number: int) -> str:
    """Return the name of an attribute's column in `Log.rows`."""
    return f"a{number}"


def read_log(log: object, columns: Columns, *, time_format: str | None, time_zone: str | None, storage: Storage) -> Log:
    """Open a log and bring its columns into shape.

    Raises
    ------
    DataError
        If the log, a file or a column is missing, the times cannot be read, or the values are not numeric.
    """
    source = open_log(log, columns, storage)
    for name in (columns.customer_id, *columns.attributes):
        require_label(name, source.table[name].type())
    reading = read_times(source, columns.time, time_format)
    needed = {"id": _known(source, source.table[columns.customer_id]), "t": reading.times}
    if columns.value is not None:
        needed["v"] = _values(source, columns.value)
    needed |= {attribute(i): _known(source, source.table[name]) for i, name in enumerate(columns.attributes)}
    rows = parsed(source, columns.time, reading, source.table.select(**needed))
    clock = clock_of(reading, rows, source.engine, time_zone)
    return Log(rows, source.engine, clock, columns, source.large)


def _values(source: Source, value: str) -> ir.FloatingValue:
    """Return the value column as floats, what is not a number as missing."""
    column = source.table[value]
    kind = column.type()
    if not kind.is_numeric() or kind.is_boolean():
        raise DataError(f"the value column {value!r} is not numeric but {kind}; convert it to numbers first")
    return _known(source, column).cast("float64")


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

    if not in_duckdb(source.engine):
        return ~column.isnan()

    @ibis.udf.scalar.builtin(signature=(("float64",), "boolean"))  # type: ignore[untyped-decorator]
    def isfinite(value: float) -> None:
        """Name the function of DuckDB."""

    finite: ir.BooleanValue = isfinite(column)
    return finite | column.isinf()
