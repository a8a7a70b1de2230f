"""Any purchase log as an Ibis table: where it lies, and its columns.

Tables in memory and files go through a private DuckDB; an Ibis table and a Spark DataFrame stay in their own engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from clvmodels.arguments import require_text
from clvmodels.data.columns import count, examples, quoted, require, require_once
from clvmodels.data.engine import IbisEngine, PrivateEngine, SparkEngine, Storage
from clvmodels.data.kinds import plain, plain_reader, plain_type, refuse_unreadable
from clvmodels.data.scans import CSV, PARQUET, files_of, kinds_of, paths_of, scan_csv, scan_parquet, told
from clvmodels.data.watching import reason
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


@dataclass(frozen=True)
class Columns:
    """Names of the columns of a log that are needed, by their part in it."""

    customer_id: str
    time: str
    value: str | None
    attributes: tuple[str, ...] = ()

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
        value = () if self.value is None else (self.value,)
        return list(dict.fromkeys((self.customer_id, self.time, *value, *self.attributes)))


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
    """

    table: ir.Table
    engine: Engine
    time_zone: str | None = None
    large: bool = False


def open_log(log: object, columns: Columns, storage: Storage = Storage()) -> Source:  # noqa: B008 - it is frozen
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
    return _from_arrow(_arrow(log, columns), columns, storage)


def _comes_from(log: object, *packages: str) -> bool:
    """Whether the type of the log is from a package, without importing the package."""
    return any(kind.__module__.split(".")[0] in packages for kind in type(log).__mro__)


# ------------------------------------------------------------------------------------------------------ in memory


def _arrow(log: object, columns: Columns) -> pa.Table | pa.RecordBatchReader:
    """Return the needed columns of a table in memory as Arrow, copying as little as possible."""
    import pyarrow as pa

    if _comes_from(log, "pandas") and hasattr(log, "to_parquet"):
        return _from_pandas(cast("pd.DataFrame", log), columns)
    if _comes_from(log, "polars") and hasattr(log, "lazy"):
        lazy = cast("pl.LazyFrame", log).lazy()
        require(columns.names, lazy.collect_schema().names(), what="the log")
        return lazy.select(columns.names).collect().to_arrow()
    if isinstance(log, pa.RecordBatch):
        log = pa.Table.from_batches([log])
    if isinstance(log, pa.Table | pa.RecordBatchReader):
        return log
    if hasattr(log, "__arrow_c_stream__"):
        try:
            return pa.RecordBatchReader.from_stream(log)
        except pa.ArrowException as error:  # of one column
            raise DataError(f"a purchase log is a table, got {type(log).__name__}: {error}") from error
    raise DataError(
        "a purchase log is a pandas, polars or Arrow table, a DuckDB relation, an Ibis table, a Spark DataFrame, or the"
        f" path or the paths of CSV or Parquet files; got {type(log).__name__}"
    )


def _from_pandas(frame: pd.DataFrame, columns: Columns) -> pa.Table:
    present = [str(column) for column in frame.columns]
    levels = [name for name in frame.index.names if name in columns.names and name not in present]
    if levels:
        frame = frame.reset_index(level=levels)
        present = [str(column) for column in frame.columns]
    require(columns.names, present, what="the log")
    require_once(columns.names, present, what="the log")
    labels = dict(zip(present, frame.columns, strict=True))  # which need not be text
    return _as_arrow({name: frame[labels[name]] for name in columns.names}, as_it_is=columns.value)


def _as_arrow(series: Mapping[str, pd.Series[Any]], as_it_is: str | None) -> pa.Table:
    """Return columns of pandas as Arrow; that of the values keeps its NaN, which is found in the engine."""
    import pandas as pd
    import pyarrow as pa

    arrays = {}
    for name, column in series.items():
        if isinstance(column.dtype, pd.PeriodDtype | pd.IntervalDtype):
            column = column.astype("string")  # noqa: PLW2901 - Arrow would have the numbers behind
        nan_stays = name == as_it_is and column.dtype == np.float64
        try:
            arrays[name] = pa.array(column, from_pandas=not nan_stays)
        except (pa.ArrowException, OverflowError, TypeError, UnicodeError) as error:
            raise DataError(f"column {name!r} mixes kinds of values that have no common type: {error}") from error
    return pa.table(arrays)


def _from_arrow(data: pa.Table | pa.RecordBatchReader, columns: Columns, storage: Storage) -> Source:
    """Return Arrow data as a source; a reader, which can be read only once, is stored in the private database."""
    import pyarrow as pa

    present = data.schema.names
    require(columns.names, present, what="the log")
    require_once(columns.names, present, what="the log")
    engine = PrivateEngine.new(storage)
    zone = _zone_of(data.schema.field(columns.time).type)
    if isinstance(data, pa.RecordBatchReader):
        engine.store(_LOG, plain_reader(data, columns.names))
    else:
        engine.register(_LOG, pa.table({name: plain(name, data[name]) for name in columns.names}))
    return Source(engine.table(_LOG), engine, zone)


def _zone_of(kind: pa.DataType | None) -> str | None:
    """Return the time zone of an Arrow type, if it is known and one of times with a zone."""
    zone: str | None = None if kind is None else getattr(plain_type(kind), "tz", None)
    return zone


# -------------------------------------------------------------------------------------------------- other engines


def _from_ibis(table: ir.Table, columns: Columns) -> Source:
    """Return an Ibis table as it is: the expressions run where the data lie."""
    if not hasattr(table, "columns") or not hasattr(table, "to_pyarrow"):
        raise DataError(f"an Ibis log must be a table expression, got {type(table).__name__}")
    require(columns.names, list(table.columns), what="the log")
    needed: ir.Table = table.select(*columns.names)
    kind = needed.schema()[columns.time]
    return Source(needed, _engine_of(needed), getattr(kind, "timezone", None), large=True)


def _engine_of(table: ir.Table) -> Engine:
    import ibis

    backend = ibis.get_backend(table)
    return SparkEngine(backend) if backend.name == "pyspark" else IbisEngine(backend)


def _from_spark(frame: pyspark.sql.DataFrame, columns: Columns) -> Source:
    """Return a Spark DataFrame as it is; its times are instants, whose days are those of its session's time zone."""
    from pyspark.sql.types import TimestampType

    require(columns.names, frame.columns, what="the log")
    session = frame.sparkSession
    instants = isinstance(frame.schema[columns.time].dataType, TimestampType)
    zone = session.conf.get("spark.sql.session.timeZone") if instants else None
    engine = SparkEngine.new(session)
    named = ["`" + name.replace("`", "``") + "`" for name in columns.names]  # a dot alone would be a field of a struct
    return Source(engine.open(frame.select(*named)), engine, zone, large=True)


def _from_relation(relation: duckdb.DuckDBPyRelation, columns: Columns, storage: Storage) -> Source:
    """Stream a DuckDB relation into the private database: its own connection stays as it is."""
    require(columns.names, list(relation.columns), what="the log")
    needed = relation.select(*map(quoted, columns.names))
    return _from_arrow(needed.to_arrow_reader(), columns, storage)


# ---------------------------------------------------------------------------------------------------------- files


def _from_paths(paths: Sequence[Path], columns: Columns, storage: Storage) -> Source:
    """Return files as a source: Parquet is scanned where it lies, CSV is read once into the private database."""
    files = files_of(paths)
    for path in paths:
        _refuse_unreadable(path)
    kinds = kinds_of(paths)
    if len(kinds) > 1:
        raise DataError(f"the files of a log are CSV or Parquet, but not both: {told(paths)}")
    import duckdb

    try:
        if kinds == {PARQUET}:
            return _from_parquet(files, columns, PrivateEngine.new(storage.at_most(_MEMORY_GB)))
        return _from_csv(files, columns, PrivateEngine.new(storage))
    except duckdb.Error as error:
        raise DataError(f"cannot read {told(paths)}: {reason(error)}") from error


def _refuse_unreadable(path: Path) -> None:
    """Refuse a folder, and files of a kind that is not read."""
    folder = any(Path(file).is_dir() for file in files_of([path]))
    if kinds_of([path]) == {()} or folder:
        hint = f"; for a folder write {str(path / '*.parquet')!r}" if folder else ""
        ending = "".join(path.suffixes[-2:]) or path.name
        raise DataError(f"cannot read {str(path)!r}: {one_of('kind of file', ending, CSV + PARQUET)}{hint}")


def _from_parquet(files: Sequence[str], columns: Columns, engine: PrivateEngine) -> Source:
    rows, types = scan_parquet(engine.connection, files, columns.names)
    for name, kind in types.items():
        refuse_unreadable(name, kind)
    rows.create_view(_LOG)
    zone = _zone_of(types.get(columns.time))  # the engine keeps the instants, not the zone
    return Source(engine.table(_LOG), engine, zone, large=True)


def _from_csv(files: Sequence[str], columns: Columns, engine: PrivateEngine) -> Source:
    """Read CSV with ids, times and values as text, so that nothing is guessed about them."""
    connection = engine.connection
    text = [columns.customer_id, columns.time, *([] if columns.value is None else [columns.value])]
    scan_csv(connection, files, columns.names, text=text).create(_LOG)
    _whole_ids(connection, columns.customer_id)
    if columns.value is not None:
        _numeric_values(connection, columns.value)
    return Source(engine.table(_LOG), engine)


def _whole_ids(connection: duckdb.DuckDBPyConnection, customer_id: str) -> None:
    """Make ids whole numbers if all of them are written as such; one leading zero keeps them text."""
    name = quoted(customer_id)
    query = f"SELECT bool_and(regexp_full_match({name}, '0|-?[1-9][0-9]{{0,17}}')) FROM {_LOG}"  # noqa: S608
    if connection.execute(query).fetchall()[0][0]:
        connection.execute(f"ALTER TABLE {_LOG} ALTER {name} TYPE BIGINT")


def _numeric_values(connection: duckdb.DuckDBPyConnection, value: str) -> None:
    """Make the values numbers, or say which are none."""
    name = quoted(value)
    wrong = f"FROM {_LOG} WHERE {name} IS NOT NULL AND try_cast({name} AS DOUBLE) IS NULL"
    number = connection.execute(f"SELECT count(*) {wrong}").fetchall()[0][0]
    if number:
        seen = connection.execute(f"SELECT DISTINCT {name} {wrong} ORDER BY 1 LIMIT 3").fetchall()
        told = examples(row[0] for row in seen)
        raise DataError(f"the value column {value!r} is not numeric: {count(number, 'row')} such as {told}")
    connection.execute(f"ALTER TABLE {_LOG} ALTER {name} TYPE DOUBLE")
