"""Queries of DuckDB: how far a long one is, on standard error and only where somebody watches; what its errors mean."""

from __future__ import annotations

from _thread import allocate_lock
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from itertools import takewhile
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

from clvmodels.errors import DataError
from clvmodels.interrupts import interrupts_deferred

if TYPE_CHECKING:
    import duckdb
    from rich.console import Console

__all__ = ["Tell", "duckdb_errors", "reason", "telling", "translate_errors"]

Tell = Callable[[float], None]
"""Called with how much of a query is done, in per cent."""

_PATIENCE: Final = 2.0
"""Seconds after which a query is called long."""
_EVERY: Final = 0.25
_AGAIN: Final = 0.01
"""Seconds after which a query is interrupted again."""

_told: ContextVar[Tell | None] = ContextVar("quote_paths", default=None)


@contextmanager
def telling(tell: Tell) -> Iterator[None]:
    """Have `tell` called of the queries within the block, in place of a bar of their own."""
    token = _told.set(tell)
    try:
        yield
    finally:
        _told.reset(token)


def translate_errors[R](connection: duckdb.DuckDBPyConnection, query: Callable[[], R]) -> R:
    """Run a query, show how far it is once it takes long, and raise errors of ours.

    It runs in a thread of its own: DuckDB does not always notice an interrupt in the thread that it was called in.

    Raises
    ------
    DataError
        If memory and spill folder are too small, a file cannot be read or written, or values do not go into a type.
    """
    with duckdb_errors():
        running = _Running(query)
        try:
            running.start()
            if not running.done(_PATIENCE):
                _show(connection, running)
            return running.answer()
        except BaseException:
            running.end(connection)
            raise


class _Running[R]:
    """A query in a thread of its own.

    The threads meet at one lock of the interpreter itself, which the query's thread gives back, once, and the other
    only tries to take. Futures have locks that either may hold: an interrupt in the wrong place would leave one locked,
    and the query's thread, and so the process, would wait for it without end.
    """

    def __init__(self, query: Callable[[], R]) -> None:
        self._query = query
        self._answers: list[R] = []
        self._errors: list[BaseException] = []
        self._ended = allocate_lock()
        self._is_done = True

    def start(self) -> None:
        """Begin the query."""
        with interrupts_deferred():
            self._ended.acquire()
            self._is_done = False
            Thread(target=self._run, name="clvmodels query").start()

    def _run(self) -> None:
        try:
            self._answers.append(self._query())
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is fetched
            self._errors.append(error)
        finally:
            self._is_done = True
            self._ended.release()

    def done(self, seconds: float) -> bool:
        """Whether the query is done, now or within some seconds."""
        if not self._is_done:
            self._ended.acquire(timeout=seconds)
        return self._is_done

    def answer(self) -> R:
        """Return the answer to a query that is done, or raise its error."""
        while not self.done(_EVERY):
            pass
        for error in self._errors:
            raise error
        return self._answers.pop()

    def end(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Interrupt the query until it is done: one that has not begun yet takes no notice."""
        while not self.done(0.0):
            connection.interrupt()
            self.done(_AGAIN)
        self._errors.clear()  # whose frames refer to this


@contextmanager
def duckdb_errors() -> Iterator[None]:
    """Raise what DuckDB reports about the data as an error of ours.

    Raises
    ------
    DataError
        As `translate_errors` does.
    """
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise DataError(
            "DuckDB needs more than it may take: raise memory_gb, or name a spill_folder on a disk with more room "
            f"({reason(error)})"
        ) from error
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        raise DataError(reason(error)) from error


def reason(error: duckdb.Error) -> str:
    """Return what an error of DuckDB says: its first line, and of a CSV file why the line named there is wrong.

    Between the two is the line itself, and after them there is advice in terms of DuckDB.
    """
    first, *others = str(error).strip().splitlines()
    if "CSV Error" not in first and "sniffing" not in first:
        return first
    why = takewhile(lambda line: line.strip() and not line.startswith(("Possible", "The search space")), others)
    lines = [line for line in why if not line.startswith("Original Line")]
    return ": ".join([first.removesuffix("."), *lines[-1:]])


def _show(connection: duckdb.DuckDBPyConnection, running: _Running[Any]) -> None:
    """Show how far a query is until it is done."""
    from rich.console import Console

    console, tell = Console(stderr=True), _told.get()
    if tell is None and not console.is_interactive:
        return
    with _bar(console) if tell is None else nullcontext(tell) as show:
        while not running.done(_EVERY):
            show(max(connection.query_progress(), 0.0))


@contextmanager
def _bar(console: Console) -> Iterator[Tell]:
    """Yield a function that draws a bar, which goes when the block ends."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("DuckDB", total=100.0)
        yield lambda per_cent: progress.update(task, completed=per_cent)
