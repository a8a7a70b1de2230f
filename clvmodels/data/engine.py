"""Where expressions are computed: a private DuckDB, or the engine that an Ibis table lies in.

Only here do data leave an engine (`run`) or come to it (`send`).
"""

from __future__ import annotations

import sys
import tempfile
import warnings
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import unquote
from uuid import uuid4

from clvmodels.arguments import abridged, as_number, is_folder, require_path
from clvmodels.data.translated import duckdb_errors, translate_errors
from clvmodels.errors import DataError
from clvmodels.files import Workplace, remove_leftovers

if TYPE_CHECKING:
    import duckdb
    import ibis.expr.types as ir
    import pyarrow as pa
    import pyspark.sql
    from ibis.backends import BaseBackend
    from ibis.backends.pyspark import Backend
    from ibis.expr.operations import DatabaseTable

__all__ = [
    "DuckDBLimits",
    "Engine",
    "EngineColumn",
    "EngineTable",
    "IbisEngine",
    "PrivateEngine",
    "SparkEngine",
    "in_duckdb",
]

type EngineTable = ir.Table
"""An Ibis table: an expression that an engine computes when it is asked to."""
type EngineColumn = ir.Column
"""A column of one."""

_LEAST_GB: Final = 0.25
_SPILL: Final = "clvmodels-spill-", ".tmp"
"""How the name of a folder for spilled data begins and ends."""
_MOST_GB: Final = 1e9
_SPARK_SETTINGS: Final = {
    "spark.sql.caseSensitive": "true",  # t and T are two columns
    "spark.sql.execution.arrow.localRelationThreshold": "1",  # a table that is sent is distributed at once
    "spark.sql.execution.arrow.maxRecordsPerBatch": "100000",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}


@dataclass(frozen=True)
class DuckDBLimits:
    """What a private DuckDB may take.

    Attributes
    ----------
    memory_gb
        Memory, in GB (1e9 bytes); None: as much as DuckDB takes by itself, four fifths of the machine's.
    spill_folder
        Where it puts what does not fit; None: the temporary folder of the machine.
    """

    memory_gb: float | None = None
    spill_folder: str | Path | None = None

    def __post_init__(self) -> None:
        """Refuse what DuckDB cannot work with.

        Raises
        ------
        DataError
            If the memory is too little to work in, or the folder is none.
        """
        if self.memory_gb is not None and not _LEAST_GB <= as_number(self.memory_gb) <= _MOST_GB:
            raise DataError(
                f"memory_gb is the memory of DuckDB in GB, at least {_LEAST_GB:g}, got {abridged(self.memory_gb)}; what"
                " does not fit is put into spill_folder"
            )
        if self.spill_folder is not None and not is_folder(require_path(self.spill_folder, "spill_folder", DataError)):
            raise DataError(f"spill_folder {str(self.spill_folder)!r} is no folder; make it first")

    def at_most(self, memory_gb: float) -> DuckDBLimits:
        """Return the same with a limit where none was stated."""
        return self if self.memory_gb is not None else replace(self, memory_gb=memory_gb)


class Engine(Protocol):
    """What computes expressions."""

    def run(self, expression: ir.Table) -> pa.Table:
        """Compute an expression and fetch its rows."""

    def keep(self, expression: ir.Table) -> ir.Table:
        """Compute an expression that is used repeatedly, and return it as a table of the engine."""

    def send(self, table: pa.Table) -> ir.Table:
        """Return a small table as one of the engine."""

    def public(self, expression: ir.Table) -> ir.Table:
        """Return an expression as a table that the user can run, write and join."""

    def write(self, expression: ir.Table, path: Path, *, order_by: str) -> None:
        """Write the rows of an expression as Parquet: to a file, or to a folder of files in engines that do so.

        An engine that writes a file orders it by a column.
        """

    def holds(self, table: ir.Table) -> bool:
        """Whether a table of the user's lies in this engine."""

    def reaches(self, engine: Engine) -> bool:
        """Whether rows can go from another engine to this one."""

    def take_over(self, expression: ir.Table, engine: Engine) -> ir.Table:
        """Return an expression of another engine as a table of this one: rows go from engine to engine.

        Raises
        ------
        DataError
            If there is no way between the two.
        """


@dataclass(frozen=True, eq=False)
class PrivateEngine:
    """A DuckDB of our own; it lives as long as its tables are referred to.

    What it keeps goes when nothing refers to it any more: not at once, as a query may be running, but before the next.
    """

    connection: duckdb.DuckDBPyConnection
    _numbers: Iterator[int] = field(default_factory=count)
    _unused: deque[str] = field(default_factory=deque)
    """What to drop, as SQL has it."""

    @classmethod
    def new(cls, storage: DuckDBLimits) -> PrivateEngine:
        """Return a new DuckDB in memory, which may spill to a folder."""
        import duckdb

        parent = Path(tempfile.gettempdir() if storage.spill_folder is None else storage.spill_folder).expanduser()
        remove_leftovers(parent, *_SPILL)
        spill = Workplace(parent, *_SPILL, mode=0o700)
        config: dict[str, Any] = {"temp_directory": str(spill.path), "python_enable_replacements": False}
        if storage.memory_gb is not None:
            config["memory_limit"] = f"{round(storage.memory_gb * 1e9)}B"
        try:
            connection = duckdb.connect(config=config)
        except BaseException:
            spill.remove()
            raise
        weakref.finalize(connection, spill.remove)
        connection.execute("SET TimeZone = 'UTC'")
        if "ipykernel" not in sys.modules:  # in a notebook DuckDB wants widgets for it, which need not be there
            connection.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
        return cls(connection)

    def run(self, expression: ir.Table) -> pa.Table:
        """Compute an expression and fetch its rows."""
        self._drop_unused()
        return translate_errors(self.connection, lambda: self.connection.sql(_sql(expression)).to_arrow_table())

    def keep(self, expression: ir.Table) -> ir.Table:
        """Compute an expression and return it as a table."""
        return self._new_table(_sql(expression))

    def send(self, table: pa.Table) -> ir.Table:
        """Return an Arrow table as one of the database."""
        return self._copied(table)

    def public(self, expression: ir.Table) -> ir.Table:
        """Return an expression as a view of a connection of Ibis."""
        import ibis

        name = f"{self._name()}_view"
        self._do(f"CREATE VIEW {name} AS {_sql(expression)}")
        with _silent():
            view = ibis.duckdb.from_connection(self.connection).table(name)
        self._drop_after(view, f"VIEW IF EXISTS {name}", expression)
        return view

    def write(self, expression: ir.Table, path: Path, *, order_by: str) -> None:
        """Write the rows to a Parquet file."""
        target = str(path).replace("'", "''")
        options = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1"
        self._do(f"COPY ({_sql(expression.order_by(order_by))}) TO '{target}' ({options})")

    def holds(self, table: ir.Table) -> bool:
        """Whether a table is one that `public` has returned, or made of such."""
        return getattr(_backend(table), "con", None) is self.connection

    def register(self, name: str, table: pa.Table) -> None:
        """Show an Arrow table under a name, without a copy."""
        translate_errors(self.connection, lambda: self.connection.register(name, table))

    def store(self, name: str, rows: pa.RecordBatchReader) -> None:
        """Read all rows of a reader into a table."""
        self.register("given", rows)
        try:
            self._do(f"CREATE TABLE {name} AS SELECT * FROM given")  # noqa: S608 - the name is ours
        finally:
            self.connection.unregister("given")

    def reaches(self, engine: Engine) -> bool:
        """Whether an engine is a private database too."""
        return isinstance(engine, PrivateEngine)

    def take_over(self, expression: ir.Table, engine: Engine) -> ir.Table:
        """Return an expression of another private database as a table, which is streamed."""
        if engine is self:
            return expression
        if not isinstance(engine, PrivateEngine):
            raise _apart(engine, self)
        return self._copied(engine.connection.sql(_sql(expression)).to_arrow_reader())

    def _copied(self, rows: pa.Table | pa.RecordBatchReader) -> ir.Table:
        self.connection.register("given", rows)
        try:
            return self._new_table("SELECT * FROM given")
        finally:
            self.connection.unregister("given")

    def _new_table(self, query: str) -> ir.Table:
        """Return the answer to a query as a table."""
        name = self._name()
        self._do(f"CREATE TABLE {name} AS {query}")
        table = self.table(name)
        self._drop_after(table, f"TABLE IF EXISTS {name}")
        return table

    def _do(self, sql: str) -> None:
        self._drop_unused()
        translate_errors(self.connection, lambda: self.connection.execute(sql))

    def _drop_after(self, table: ir.Table, what: str, *needed: ir.Table) -> None:
        """Have something dropped when no expression is made of `table` any more; until then, hold what it needs."""
        unused = self._unused

        def end(*_: ir.Table) -> None:
            unused.append(what)

        weakref.finalize(table.op(), end, *needed).atexit = False

    def _drop_unused(self) -> None:
        while self._unused:
            self.connection.execute(f"DROP {self._unused.popleft()}")

    def schema(self, name: str) -> pa.Schema:
        """Return the Arrow schema of a table or view."""
        return translate_errors(self.connection, lambda: self.connection.table(name).limit(0).to_arrow_table().schema)

    def table(self, name: str) -> ir.Table:
        """Return a table or view by its name."""
        import ibis

        return ibis.table(ibis.Schema.from_pyarrow(self.schema(name)), name=name)

    def _name(self) -> str:
        return f"kept_{next(self._numbers)}"


@dataclass(frozen=True, eq=False)
class IbisEngine:
    """The engine that an Ibis table lies in: a database or a warehouse.

    What it keeps and what is sent to it are temporary tables, which go when nothing refers to them any more.
    """

    backend: BaseBackend

    def run(self, expression: ir.Table) -> pa.Table:
        """Compute an expression and fetch its rows."""
        self._drop_unused()
        with _silent(), duckdb_errors():
            return expression.to_pyarrow()

    def keep(self, expression: ir.Table) -> ir.Table:
        """Compute an expression and return it as a temporary table, which may be large and so goes at once."""
        table = self._new_table(expression)
        weakref.finalize(table.op(), self._drop, *_place(table)).atexit = False
        return table

    def send(self, table: pa.Table) -> ir.Table:
        """Return an Arrow table as a temporary one, which goes before the next query: an answer may still be read."""
        sent = self._new_table(table)
        weakref.finalize(sent.op(), _unused(self.backend).append, _place(sent)).atexit = False
        return sent

    def public(self, expression: ir.Table) -> ir.Table:
        """Return the expression, which the user can run."""
        return expression

    def write(self, expression: ir.Table, path: Path, *, order_by: str) -> None:
        """Write the rows to a Parquet file."""
        self._drop_unused()
        with _silent(), duckdb_errors():
            expression.order_by(order_by).to_parquet(path)

    def holds(self, table: ir.Table) -> bool:
        """Whether a table lies in this database."""
        return _backend(table) is self.backend

    def reaches(self, engine: Engine) -> bool:
        """Whether an engine is the same database."""
        return isinstance(engine, IbisEngine) and engine.backend is self.backend

    def take_over(self, expression: ir.Table, engine: Engine) -> ir.Table:
        """Return an expression of the same database as it is."""
        if not self.reaches(engine):
            raise _apart(engine, self)
        return expression

    def _new_table(self, rows: ir.Table | pa.Table) -> ir.Table:
        """Return rows as a temporary table."""
        self._drop_unused()
        name = _new_name()
        with _silent(), duckdb_errors():
            try:
                return self.backend.create_table(name, rows, temp=True)
            except Exception:
                self._drop(name)  # some engines make the table first, and then fail to fill it
                raise

    def _drop_unused(self) -> None:
        unused = _unused(self.backend)
        while unused:
            self._drop(*unused.popleft())

    def _drop(self, name: str, database: tuple[str, str] | None = None) -> None:
        with _silent():
            self.backend.drop_table(name, database=database, force=True)


@dataclass(frozen=True, eq=False)
class SparkEngine:
    """A Spark session.

    Ibis sets the time zone of the session it works in; the user's keeps its own, as this one is a sister of it with the
    same context and cache. Results are fetched as Arrow: by way of pandas, large whole numbers would lose digits.
    """

    backend: Backend

    @classmethod
    def new(cls, session: pyspark.sql.SparkSession) -> SparkEngine:
        """Return the engine of a session."""
        import ibis

        sister = session.newSession()
        for name, value in _SPARK_SETTINGS.items():
            sister.conf.set(name, value)
        with _silent():
            return cls(ibis.pyspark.connect(sister))

    def open(self, frame: pyspark.sql.DataFrame) -> ir.Table:
        """Return a DataFrame of the session as a table."""
        name = _new_name()
        frame.createGlobalTempView(name)
        try:
            return self._view(self.backend.raw_sql(f"SELECT * FROM global_temp.{name}"))  # noqa: S608 - the name is ours
        finally:
            frame.sparkSession.catalog.dropGlobalTempView(name)

    def run(self, expression: ir.Table) -> pa.Table:
        """Compute an expression and fetch its rows."""
        return _plain_times(self._frame(expression).toArrow())

    def keep(self, expression: ir.Table) -> ir.Table:
        """Return an expression as a table that is cached when it is first computed, until nothing refers to it."""
        frame = self._frame(expression).cache()
        table = self._view(frame)

        def end(_: ir.Table) -> None:  # which is there until now: to find the cache, Spark may read the query again
            frame.unpersist()

        weakref.finalize(table.op(), end, expression).atexit = False  # the session may have ended by then
        return table

    def send(self, table: pa.Table) -> ir.Table:
        """Return an Arrow table as one of the session."""
        with _silent():
            return self._view(self._session.createDataFrame(table))

    def public(self, expression: ir.Table) -> ir.Table:
        """Return the expression, which the user can run."""
        return expression

    def write(self, expression: ir.Table, path: Path, *, order_by: str) -> None:  # noqa: ARG002 - a folder has none
        """Write the rows to a folder of Parquet files."""
        self._frame(expression).write.parquet(unquote(path.as_uri()))  # Hadoop takes the letters as they are

    def holds(self, table: ir.Table) -> bool:
        """Whether a table lies in this session."""
        return _backend(table) is self.backend

    def reaches(self, engine: Engine) -> bool:
        """Whether an engine is a session of Spark too."""
        return isinstance(engine, SparkEngine)

    def take_over(self, expression: ir.Table, engine: Engine) -> ir.Table:
        """Return an expression of another sister of the session as a table: it stays a plan of Spark."""
        if engine is self:
            return expression
        if not isinstance(engine, SparkEngine):
            raise _apart(engine, self)
        return self.open(engine._frame(expression))  # noqa: SLF001 - of its own kind

    @property
    def _session(self) -> pyspark.sql.SparkSession:
        session: pyspark.sql.SparkSession = self.backend._session  # noqa: SLF001 - Ibis shows it in no other way
        return session

    def _frame(self, expression: ir.Table) -> pyspark.sql.DataFrame:
        self._drop_unused()
        frame: pyspark.sql.DataFrame = self.backend.raw_sql(self.backend.compile(expression))
        return frame

    def _view(self, frame: pyspark.sql.DataFrame) -> ir.Table:
        """Return a frame as a temporary view, which goes before a query when nothing refers to it any more."""
        self._drop_unused()
        name = _new_name()
        frame.createTempView(name)
        view = self.backend.table(name)
        weakref.finalize(view.op(), _unused(self.backend).append, name).atexit = False
        return view

    def _drop_unused(self) -> None:
        unused = _unused(self.backend)
        while unused:
            self._session.catalog.dropTempView(unused.popleft())


def in_duckdb(engine: Engine) -> bool:
    """Whether an engine is DuckDB, our own or a user's."""
    return isinstance(engine, PrivateEngine) or (isinstance(engine, IbisEngine) and engine.backend.name == "duckdb")


def _apart(one: Engine, other: Engine) -> DataError:
    names = {PrivateEngine: "files", IbisEngine: "a table of a database", SparkEngine: "a table of Spark"}
    kinds = [names.get(type(engine), type(engine).__name__) for engine in (one, other)]
    also = "another database" if kinds[0] == kinds[1] else kinds[1]
    return DataError(
        f"some of these histories are made of {kinds[0]} and others of {also}, and no engine reaches both; "
        "make them of a log in one place, or write rfm.collect()"
    )


def _plain_times(table: pa.Table) -> pa.Table:
    """Return instants as times in UTC without a zone."""
    import pyarrow as pa

    for k, column in enumerate(table.schema):
        if pa.types.is_timestamp(column.type):
            table = table.set_column(k, column.name, table[k].cast(pa.timestamp("us")))
    return table


def _new_name() -> str:
    return f"clvmodels_{uuid4().hex}"


def _place(table: ir.Table) -> tuple[str, tuple[str, str] | None]:
    """Return the name of a table, and where it is if that is known."""
    named: DatabaseTable = table.op()
    catalog, database = named.namespace.catalog, named.namespace.database
    return named.name, None if database is None else (catalog, database)


_UNUSED: Final[dict[int, deque[Any]]] = {}


def _unused(backend: BaseBackend) -> deque[Any]:
    """Return the list of what can be dropped from a backend; all engines of it share it.

    Backends are equal if they are connected in the same way, even to two databases in memory: so it goes by identity.
    """
    if id(backend) not in _UNUSED:
        _UNUSED[id(backend)] = deque()
        weakref.finalize(backend, _UNUSED.pop, id(backend)).atexit = False
    return _UNUSED[id(backend)]


def _backend(table: ir.Table) -> BaseBackend:
    """Return where an Ibis table lies."""
    import ibis

    return ibis.get_backend(table)


def _sql(expression: ir.Table) -> str:
    import ibis

    return str(ibis.to_sql(expression, dialect="duckdb"))


@contextmanager
def _silent() -> Iterator[None]:
    """Engines warn about themselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        yield
