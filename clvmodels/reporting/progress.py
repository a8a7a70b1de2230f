"""Progress of long work, on standard error, and only where somebody watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from clvmodels.data.translated import telling

__all__ = ["Step", "steps"]

Step = Callable[[str], None]
"""Called with what is done next."""


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
        begun, doing = 0, ""

        def step(words: str) -> None:
            nonlocal begun, doing
            doing = words
            progress.update(task, description=words, completed=begun)
            begun += 1

        with telling(lambda per_cent: progress.update(task, description=f"{doing} {per_cent:.0f} %")):
            yield step
