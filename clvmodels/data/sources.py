"""Any purchase log as an Ibis table: where it lies, and its columns.

Tables in memory and files go through a private DuckDB; an Ibis table and a Spark DataFrame stay in their own engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from clvmodels.arguments import require_text
from clvmodels.data.columns import count, examples, looks_summarised, quoted, require, require_once
from clvmodels.data.duckdb_engine import DuckDBLimits, PrivateEngine
from clvmodels.data.ibis_engine import IbisEngine
from clvmodels.data.kinds import plain, plain_reader, plain_type, refuse_unreadable
from clvmodels.data.scans import (
    CSV,
    PARQUET,
    csv_columns,
    files_of,
    kinds_of,
    parquet_columns,
    paths_of,
    quote_paths,
    scan_csv,
    scan_parquet,
)
from clvmodels.data.spark_engine import SparkEngine
from clvmodels.data.translated import reason
from clvmodels.errors import DataError, one_of

if TYPE_CHECKING:
    import duckdb
    import ibis.expr.types as ir
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    import pyspark.sql

    from clvmodels.data.engine import Engine

__all__ = ["Columns", "Source", "open_log"]

_LOG = "transactions"
_MEMORY_GB = 3.0
"""What the aggregation of Parquet files takes if nothing is said: more makes it hardly faster."""
_CURRENCY: Final = frozenset({
    "currency", "currencycode", "currencyiso", "isocurrency", "isocode", "ccy", "curr", "währung", "waehrung",
    "währungscode", "waehrungscode", "währungskürzel", "waehrungskuerzel", "devise", "moneda", "valuta",
})  # fmt: skip
"""Names of columns that hold currencies, without capitals and punctuation."""


@dataclass(frozen=True)
class Columns:
    """Names of the columns of a log that are needed, by their part in it; `currency` is read where there is one."""

    customer_id: str
    time: str
    value: str | None
    attributes: tuple[str, ...] = ()
    order_id: str | None = None
    quantity: str | None = None
    currency: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is no name.

        Raises
        ------
        DataError
            With what was got in place of it.
        """
        parts = {"customer_id": self.customer_id, "time": self.time, "value": self.value}
        for part, name in parts.items():
            if part != "value" or name is not None:
                require_text(part, name, "the name of a column", DataError)
        for name in self.attributes:
            require_text("an attribute", name, "the name of a column", DataError)

    @property
    def names(self) -> list[str]:
        """All names, each once."""
        optional = (self.value, self.order_id, self.quantity, self.currency)
        names = (self.customer_id, self.time, *(name for name in optional if name is not None), *self.attributes)
        return list(dict.fromkeys(names))

    @property
    def amounts(self) -> list[str]:
        """Names of the columns that are numbers."""
        return [name for name in (self.value, self.quantity) if name is not None]

    def with_currency(self, present: Sequence[str]) -> Columns:
        """Return the columns with that of the currencies, if values are read and there is just one such column."""
        named = [name for name in present if "".join(filter(str.isalpha, name.lower())) in _CURRENCY]
        return replace(self, currency=named[0]) if self.value is not None and len(named) == 1 else self


@dataclass(frozen=True)
class Source:
    """A log with the columns asked for.

    Attributes
    ----------
    table
        An Ibis table with the columns asked for, under their own names.
    engine
        Where it lies.
    time_zone
        The zone of the time column, if it has one; the instants themselves are then in UTC.
    large
        Whether the data stay where they lie: only what is small in every log is fetched.
    currency
        The column of the currencies, if there is one.
    summarised
        Whether the log has the columns of a table of histories.
    """

    table: ir.Table
    engine: Engine
    time_zone: str | None = None
    large: bool = False
    currency: str | None = None
    summarised: bool = False


def open_log(log: object, columns: Columns, storage: DuckDBLimits = DuckDBLimits()) -> Source:  # noqa: B008 - it is frozen
    """Return a log of any supported kind as a source.

    Parameters
    ----------
    log
        A pandas, polars or Arrow table, an Arrow reader, a DuckDB relation, an Ibis table, a Spark DataFrame, or the
        path or the paths of CSV or Parquet files (``*`` allowed).
    columns
        The columns needed; others are not read.
    storage
        What a private DuckDB may take.

    Raises
    ------
    DataError
        If the log is of another kind, a file is missing or unreadable, or a column is missing.
    """
    paths = paths_of(log)
    if paths:
        return _from_paths(paths, columns, storage)
    if _comes_from(log, "ibis"):
        return _from_ibis(cast("ir.Table", log), columns)
    if _comes_from(log, "pyspark"):
        return _from_spark(cast("pyspark.sql.DataFrame", log), columns)
    if _comes_from(log, "duckdb", "_duckdb"):
        return _from_relation(cast("duckdb.DuckDBPyRelation", log), columns, storage)
    return _from_memory(log, columns, storage)


def _comes_from(log: object, *packages: str) -> bool:
    """Whether the type of the log is from a package, without importing the package."""
    return any(kind.__module__.split(".")[0] in packages for kind in type(log).__mro__)


def _source(
    table: ir.Table,
    engine: Engine,
    columns: Columns,
    present: Sequence[str],
    *,
    time_zone: str | None = None,
    large: bool = False,
) -> Source:
    """Return a source, with what the names of all columns of the log show about it."""
    summarised = looks_summarised(present)
    return Source(table, engine, time_zone, large, currency=columns.currency, summarised=summarised)


def _chosen(columns: Columns, present: Sequence[str], *, by_case: bool = True) -> Columns:
    """Return the columns to read, the currencies among them where there is such a column.

    Parameters
    ----------
    columns
        The columns needed.
    present
        The columns of the log.
    by_case
        Whether upper and lower case tell columns apart.

    Raises
    ------
    DataError
        If a column is missing, or there more than once.
    """
    missing = not set(columns.names) <= set(present)
    if missing and looks_summarised(present):
        raise DataError(
            "the log has the columns frequency, recency and T, and so seems to be a table of histories with one row per"
            ' customer: take it over with Histories.from_frame(table, unit="week"); a purchase log has one row per'
            " purchase"
        )
    require(columns.names, present, what="the log")
    require_once(columns.names, present, what="the log", by_case=by_case)
    return columns.with_currency(present)


# ------------------------------------------------------------------------------------------------------ in memory


def _from_memory(log: object, columns: Columns, storage: DuckDBLimits) -> Source:
    """Return a table in memory as a source, copying as little as possible."""
    import pyarrow as pa

    if _comes_from(log, "pandas") and hasattr(log, "to_parquet"):
        return _from_pandas(cast("pd.DataFrame", log), columns, storage)
    if _comes_from(log, "polars") and hasattr(log, "lazy"):
        lazy = cast("pl.LazyFrame", log).lazy()
        present = lazy.collect_schema().names()
        columns = _chosen(columns, present)
        return _from_arrow(lazy.select(columns.names).collect().to_arrow(), columns, storage, present)
    if isinstance(log, pa.RecordBatch):
        log = pa.Table.from_batches([log])
    if hasattr(log, "__arrow_c_stream__") and not isinstance(log, pa.Table | pa.RecordBatchReader):
        try:
            log = pa.RecordBatchReader.from_stream(log)
        except pa.ArrowException as error:  # of one column
            raise DataError(f"a purchase log is a table, got {type(log).__name__}: {error}") from error
    if isinstance(log, pa.Table | pa.RecordBatchReader):
        present = log.schema.names
        chosen = _chosen(columns, present, by_case=isinstance(log, pa.Table))
        return _from_arrow(log, chosen, storage, present)
    hint = "; these are purchase histories already" if hasattr(log, "with_attributes") else ""
    raise DataError(
        "a purchase log is a pandas, polars or Arrow table, a DuckDB relation, an Ibis table, a Spark DataFrame, or the"
        f" path or the paths of CSV or Parquet files; got {type(log).__name__}{hint}"
    )


def _from_pandas(frame: pd.DataFrame, columns: Columns, storage: DuckDBLimits) -> Source:
    present = [str(column) for column in frame.columns]
    levels = [name for name in frame.index.names if name in columns.names and name not in present]
    if levels:
        frame = frame.reset_index(level=levels)
        present = [str(column) for column in frame.columns]
    columns = _chosen(columns, present)
    labels = dict(zip(present, frame.columns, strict=True))  # which need not be text
    table = _as_arrow({name: frame[labels[name]] for name in columns.names}, as_they_are=columns.amounts)
    return _from_arrow(table, columns, storage, present)


def _as_arrow(series: Mapping[str, pd.Series[Any]], as_they_are: Sequence[str]) -> pa.Table:
    """Return columns of pandas as Arrow; those of amounts keep their NaN, which is found in the engine."""
    import pandas as pd
    import pyarrow as pa

    arrays = {}
    for name, column in series.items():
        if isinstance(column.dtype, pd.PeriodDtype | pd.IntervalDtype):
            column = column.astype("string")  # noqa: PLW2901 - Arrow would have the numbers behind
        nan_stays = name in as_they_are and column.dtype == np.float64
        try:
            arrays[name] = pa.array(column, from_pandas=not nan_stays)
        except (pa.ArrowException, OverflowError, TypeError, UnicodeError) as error:
            raise DataError(f"column {name!r} mixes kinds of values that have no common type: {error}") from error
    return pa.table(arrays)


def _from_arrow(
    data: pa.Table | pa.RecordBatchReader, columns: Columns, storage: DuckDBLimits, present: Sequence[str]
) -> Source:
    """Return Arrow data as a source; a reader, which can be read only once, is stored in the private database."""
    import pyarrow as pa

    engine = PrivateEngine.new(storage)
    zone = _zone_of(data.schema.field(columns.time).type)
    if isinstance(data, pa.RecordBatchReader):
        engine.store(_LOG, plain_reader(data, columns.names))
    else:
        engine.register(_LOG, pa.table({name: plain(name, data[name]) for name in columns.names}))
    return _source(engine.table(_LOG), engine, columns, present, time_zone=zone)


def _zone_of(kind: pa.DataType | None) -> str | None:
    """Return the time zone of an Arrow type, if it is known and one of times with a zone."""
    zone: str | None = None if kind is None else getattr(plain_type(kind), "tz", None)
    return zone


# -------------------------------------------------------------------------------------------------- other engines


def _from_ibis(table: ir.Table, columns: Columns) -> Source:
    """Return an Ibis table as it is: the expressions run where the data lie."""
    if not hasattr(table, "columns") or not hasattr(table, "to_pyarrow"):
        raise DataError(f"an Ibis log must be a table expression, got {type(table).__name__}")
    present = list(table.columns)
    columns = _chosen(columns, present)
    needed: ir.Table = table.select(*columns.names)
    zone = getattr(needed.schema()[columns.time], "timezone", None)
    return _source(needed, _engine_of(needed), columns, present, time_zone=zone, large=True)


def _engine_of(table: ir.Table) -> Engine:
    import ibis

    backend = ibis.get_backend(table)
    return SparkEngine(backend) if backend.name == "pyspark" else IbisEngine(backend)


def _from_spark(frame: pyspark.sql.DataFrame, columns: Columns) -> Source:
    """Return a Spark DataFrame as it is; its times are instants, whose days are those of its session's time zone."""
    from pyspark.sql.types import TimestampType

    present = list(frame.columns)
    columns = _chosen(columns, present)
    session = frame.sparkSession
    instants = isinstance(frame.schema[columns.time].dataType, TimestampType)
    zone = session.conf.get("spark.sql.session.timeZone") if instants else None
    engine = SparkEngine.new(session)
    named = ["`" + name.replace("`", "``") + "`" for name in columns.names]  # a dot alone would be a field of a struct
    return _source(engine.open(frame.select(*named)), engine, columns, present, time_zone=zone, large=True)


def _from_relation(relation: duckdb.DuckDBPyRelation, columns: Columns, storage: DuckDBLimits) -> Source:
    """Stream a DuckDB relation into the private database: its own connection stays as it is."""
    present = list(relation.columns)
    columns = _chosen(columns, present, by_case=False)
    needed = relation.select(*map(quoted, columns.names))
    return _from_arrow(needed.to_arrow_reader(), columns, storage, present)


# ---------------------------------------------------------------------------------------------------------- files


def _from_paths(paths: Sequence[Path], columns: Columns, storage: DuckDBLimits) -> Source:
    """Return files as a source: Parquet is scanned where it lies, CSV is read once into the private database."""
    files = files_of(paths)
    for path in paths:
        _refuse_unreadable(path)
    kinds = kinds_of(paths)
    if len(kinds) > 1:
        raise DataError(f"the files of a log are CSV or Parquet, but not both: {quote_paths(paths)}")
    import duckdb

    try:
        if kinds == {PARQUET}:
            return _from_parquet(files, columns, PrivateEngine.new(storage.at_most(_MEMORY_GB)))
        return _from_csv(files, columns, PrivateEngine.new(storage))
    except duckdb.Error as error:
        raise DataError(f"cannot read {quote_paths(paths)}: {reason(error)}") from error


def _refuse_unreadable(path: Path) -> None:
    """Refuse a folder, and files of a kind that is not read."""
    folder = any(Path(file).is_dir() for file in files_of([path]))
    if kinds_of([path]) == {()} or folder:
        hint = f"; for a folder write {str(path / '*.parquet')!r}" if folder else ""
        ending = "".join(path.suffixes[-2:]) or path.name
        raise DataError(f"cannot read {str(path)!r}: {one_of('kind of file', ending, CSV + PARQUET)}{hint}")


def _from_parquet(files: Sequence[str], columns: Columns, engine: PrivateEngine) -> Source:
    present = parquet_columns(files, shared=True)
    columns = _chosen(columns, present) if len(files) == 1 else columns.with_currency(present)
    rows, types = scan_parquet(engine.connection, files, columns.names)
    for name, kind in types.items():
        refuse_unreadable(name, kind)
    rows.create_view(_LOG)
    zone = _zone_of(types.get(columns.time))  # the engine keeps the instants, not the zone
    return _source(engine.table(_LOG), engine, columns, present, time_zone=zone, large=True)


def _from_csv(files: Sequence[str], columns: Columns, engine: PrivateEngine) -> Source:
    """Read CSV with ids, times and values as text, so that nothing is guessed about them."""
    connection = engine.connection
    present = csv_columns(connection, files, shared=True)
    columns = _chosen(columns, present) if len(files) == 1 else columns.with_currency(present)
    ids = [name for name in (columns.customer_id, columns.order_id, columns.currency) if name is not None]
    scan_csv(connection, files, columns.names, text=[*ids, columns.time, *columns.amounts]).create(_LOG)
    _whole_ids(connection, columns.customer_id)
    for name in columns.amounts:
        _numeric(connection, name, "value" if name == columns.value else "quantity")
    return _source(engine.table(_LOG), engine, columns, present)


def _whole_ids(connection: duckdb.DuckDBPyConnection, customer_id: str) -> None:
    """Make ids whole numbers if all of them are written as such; one leading zero keeps them text."""
    name = quoted(customer_id)
    query = f"SELECT bool_and(regexp_full_match({name}, '0|-?[1-9][0-9]{{0,17}}')) FROM {_LOG}"  # noqa: S608
    if connection.execute(query).fetchall()[0][0]:
        connection.execute(f"ALTER TABLE {_LOG} ALTER {name} TYPE BIGINT")


def _numeric(connection: duckdb.DuckDBPyConnection, column: str, what: str) -> None:
    """Make the values or the quantities numbers, or say which are none."""
    name = quoted(column)
    wrong = f"FROM {_LOG} WHERE {name} IS NOT NULL AND try_cast({name} AS DOUBLE) IS NULL"
    number = connection.execute(f"SELECT count(*) {wrong}").fetchall()[0][0]
    if number:
        sample = connection.execute(f"SELECT DISTINCT {name} {wrong} ORDER BY 1 LIMIT 3").fetchall()
        listed = examples(row[0] for row in sample)
        raise DataError(f"the {what} column {column!r} is not numeric: {count(number, 'row')} such as {listed}")
    connection.execute(f"ALTER TABLE {_LOG} ALTER {name} TYPE DOUBLE")
