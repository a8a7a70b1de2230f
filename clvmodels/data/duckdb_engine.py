"""A DuckDB of our own, which computes what is made of files and of tables in memory."""

from __future__ import annotations

import sys
import tempfile
import weakref
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from clvmodels.arguments import abridged, as_number, is_folder, require_path
from clvmodels.data.engine import backend_of, not_reached, silent
from clvmodels.data.translated import translate_errors
from clvmodels.errors import DataError
from clvmodels.files import Workplace, remove_leftovers

if TYPE_CHECKING:
    import duckdb
    import ibis.expr.types as ir
    import pyarrow as pa

    from clvmodels.data.engine import Engine

__all__ = ["DuckDBLimits", "PrivateEngine"]

_LEAST_GB: Final = 0.25
_SPILL: Final = "clvmodels-spill-", ".tmp"
"""How the name of a folder for spilled data begins and ends."""
_MOST_GB: Final = 1e9


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


@dataclass(frozen=True, eq=False)
class PrivateEngine:
    """A DuckDB of our own; it lives as long as its tables are referred to.

    What it keeps goes when nothing refers to it any more: not at once, as a query may be running, but before the next.
    """

    connection: duckdb.DuckDBPyConnection
    kind: ClassVar[str] = "files"
    is_duckdb: ClassVar[bool] = True
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
        with silent():
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
        return getattr(backend_of(table), "con", None) is self.connection

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
            raise not_reached(engine, self)
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


def _sql(expression: ir.Table) -> str:
    import ibis

    return str(ibis.to_sql(expression, dialect="duckdb"))
