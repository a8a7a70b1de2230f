"""Where expressions are computed: a private DuckDB, or the engine that an Ibis table lies in.

Only by the members of `Engine` do data leave an engine (`run`) or come to it (`send`).
"""

from __future__ import annotations

import warnings
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from uuid import uuid4

from clvmodels.errors import DataError

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa
    from ibis.backends import BaseBackend

__all__ = ["Engine", "EngineColumn", "EngineTable", "backend_of", "new_name", "not_reached", "silent", "unused_of"]

type EngineTable = ir.Table
"""An Ibis table: an expression that an engine computes when it is asked to."""
type EngineColumn = ir.Column
"""A column of one."""


class Engine(Protocol):
    """What computes expressions."""

    @property
    def kind(self) -> str:
        """Where its tables lie, in words."""

    @property
    def is_duckdb(self) -> bool:
        """Whether it is DuckDB, our own or a user's."""

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


def not_reached(engine: Engine, other: Engine) -> DataError:
    """Return the error of rows that cannot go from one engine to another."""
    also = "another database" if engine.kind == other.kind else other.kind
    return DataError(
        f"some of these histories are made of {engine.kind} and others of {also}, and no engine reaches both; "
        "make them of a log in one place, or write rfm.collect()"
    )


def new_name() -> str:
    """Return a name that no table has."""
    return f"clvmodels_{uuid4().hex}"


_UNUSED: Final[dict[int, deque[Any]]] = {}


def unused_of(backend: BaseBackend) -> deque[Any]:
    """Return the list of what can be dropped from a backend; all engines of it share it.

    Backends are equal if they are connected in the same way, even to two databases in memory: so it goes by identity.
    """
    if id(backend) not in _UNUSED:
        _UNUSED[id(backend)] = deque()
        weakref.finalize(backend, _UNUSED.pop, id(backend)).atexit = False
    return _UNUSED[id(backend)]


def backend_of(table: ir.Table) -> BaseBackend:
    """Return where an Ibis table lies."""
    import ibis

    return ibis.get_backend(table)


@contextmanager
def silent() -> Iterator[None]:
    """Engines warn about themselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        yield
