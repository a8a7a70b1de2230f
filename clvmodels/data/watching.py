"""How far a long query of DuckDB is: on standard error, and only where somebody watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import duckdb
    from rich.console import Console

__all__ = ["Tell", "telling", "watched"]

Tell = Callable[[float], None]
"""Called with how much of a query is done, in per cent."""

_PATIENCE: Final = 2.0
"""Seconds after which a query is called long."""
_EVERY: Final = 0.25

_told: ContextVar[Tell | None] = ContextVar("told", default=None)


@contextmanager
def telling(tell: Tell) -> Iterator[None]:
    """Have `tell` called of the queries within the block, in place of a bar of their own."""
    token = _told.set(tell)
    try:
        yield
    finally:
        _told.reset(token)


@contextmanager
def watched(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Show how far the queries within the block are, once they take long."""
    from rich.console import Console

    console, tell = Console(stderr=True), _told.get()
    if tell is None and not console.is_interactive:
        yield
        return
    done = Event()
    thread = Thread(target=_watch, args=(connection, done, tell, console), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _watch(connection: duckdb.DuckDBPyConnection, done: Event, tell: Tell | None, console: Console) -> None:
    if done.wait(_PATIENCE):
        return
    with _bar(console) if tell is None else nullcontext(tell) as show:
        while not done.wait(_EVERY):
            show(max(connection.query_progress(), 0.0))


@contextmanager
def _bar(console: Console) -> Iterator[Tell]:
    """Yield a function that draws a bar, which goes when the block ends."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("DuckDB", total=100.0)
        yield lambda per_cent: progress.update(task, completed=per_cent)
