"""Progress of long work, on standard error, and only where somebody watches."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

__all__ = ["Step", "announce_compiling", "kernels_compiled", "steps"]

Step = Callable[[str], None]
"""Called with what is done next."""

_COMPILING = "compiling kernels, once after installation (up to 15 seconds) ..."


@contextmanager
def steps(total: int, *, quiet: bool = False) -> Iterator[Step]:
    """Yield a function to call as each of `total` steps begins; it draws a bar on a terminal, and nothing elsewhere."""
    console = Console(stderr=True)
    if quiet or not console.is_interactive:
        yield lambda _: None
        return
    columns = (SpinnerColumn(), BarColumn(bar_width=20), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=total)
        begun = 0

        def step(words: str) -> None:
            nonlocal begun
            progress.update(task, description=words, completed=begun)
            begun += 1

        yield step


def announce_compiling(*, quiet: bool = False) -> None:
    """Say so, on standard error, if kernels are going to be compiled: call it before what imports them."""
    if not quiet and not kernels_compiled():
        Console(stderr=True).print(_COMPILING, highlight=False, soft_wrap=True)


def kernels_compiled(package: Path | None = None) -> bool:
    """Whether numba's cache holds compiled kernels of this package, for this version of Python.

    Parameters
    ----------
    package
        The folder of the package; that of this file by default.
    """
    package = package or Path(__file__).resolve().parents[1]
    index = f"*.py{sys.version_info.major}{sys.version_info.minor}.nbi"
    rooms = ("numerics", "models")
    return all(any(any(folder.glob(index)) for folder in _caches(package / room)) for room in rooms)


def _caches(room: Path) -> Iterator[Path]:
    """Yield the folders where numba may keep what it compiled from the sources in a folder."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        yield from Path(chosen).glob(f"{room.name}_*")
        return
    yield room / "__pycache__"
    if not os.access(room, os.W_OK):
        from numba.misc import appdirs

        places: Any = appdirs.AppDirs
        yield from Path(places(appname="numba", appauthor=False).user_cache_dir).glob(f"{room.name}_*")
