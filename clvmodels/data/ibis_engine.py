"""A database or a warehouse of the user's, which Ibis speaks to."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from clvmodels.data.engine import backend_of, new_name, not_reached, silent, unused_of
from clvmodels.data.translated import duckdb_errors

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa
    from ibis.backends import BaseBackend
    from ibis.expr.operations import DatabaseTable

    from clvmodels.data.engine import Engine

__all__ = ["IbisEngine"]


@dataclass(frozen=True, eq=False)
class IbisEngine:
    """The engine that an Ibis table lies in: a database or a warehouse.

    What it keeps and what is sent to it are temporary tables, which go when nothing refers to them any more.
    """

    backend: BaseBackend
    kind: ClassVar[str] = "a table of a database"

    @property
    def is_duckdb(self) -> bool:
        """Whether it is a DuckDB of the user's."""
        return bool(self.backend.name == "duckdb")

    def run(self, expression: ir.Table) -> pa.Table:
        """Compute an expression and fetch its rows."""
        self._drop_unused()
        with silent(), duckdb_errors():
            return expression.to_pyarrow()

    def keep(self, expression: ir.Table) -> ir.Table:
        """Compute an expression and return it as a temporary table, which may be large and so goes at once."""
        table = self._new_table(expression)
        weakref.finalize(table.op(), self._drop, *_place(table)).atexit = False
        return table

    def send(self, table: pa.Table) -> ir.Table:
        """Return an Arrow table as a temporary one, which goes before the next query: an answer may still be read."""
        sent = self._new_table(table)
        weakref.finalize(sent.op(), unused_of(self.backend).append, _place(sent)).atexit = False
        return sent

    def public(self, expression: ir.Table) -> ir.Table:
        """Return the expression, which the user can run."""
        return expression

    def write(self, expression: ir.Table, path: Path, *, order_by: str) -> None:
        """Write the rows to a Parquet file."""
        self._drop_unused()
        with silent(), duckdb_errors():
            expression.order_by(order_by).to_parquet(path)

    def holds(self, table: ir.Table) -> bool:
        """Whether a table lies in this database."""
        return backend_of(table) is self.backend

    def reaches(self, engine: Engine) -> bool:
        """Whether an engine is the same database."""
        return isinstance(engine, IbisEngine) and engine.backend is self.backend

    def take_over(self, expression: ir.Table, engine: Engine) -> ir.Table:
        """Return an expression of the same database as it is."""
        if not self.reaches(engine):
            raise not_reached(engine, self)
        return expression

    def _new_table(self, rows: ir.Table | pa.Table) -> ir.Table:
        """Return rows as a temporary table."""
        self._drop_unused()
        name = new_name()
        with silent(), duckdb_errors():
            try:
                return self.backend.create_table(name, rows, temp=True)
            except Exception:
                self._drop(name)  # some engines make the table first, and then fail to fill it
                raise

    def _drop_unused(self) -> None:
        unused = unused_of(self.backend)
        while unused:
            self._drop(*unused.popleft())

    def _drop(self, name: str, database: tuple[str, str] | None = None) -> None:
        with silent():
            self.backend.drop_table(name, database=database, force=True)


def _place(table: ir.Table) -> tuple[str, tuple[str, str] | None]:
    """Return the name of a table, and where it is if that is known."""
    named: DatabaseTable = table.op()
    catalog, database = named.namespace.catalog, named.namespace.database
    return named.name, None if database is None else (catalog, database)
