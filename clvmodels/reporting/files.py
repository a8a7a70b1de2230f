"""Tables and folders of results, which appear whole or not at all; what is not ours is not replaced."""

from __future__ import annotations

import json
import math
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from clvmodels.data.scans import named
from clvmodels.errors import ClvError, one_of
from clvmodels.files import beside, folders, resolved, swapped, whole_file, workplace
from clvmodels.interrupts import interrupts_deferred

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.histories import Histories

__all__ = [
    "TABLES",
    "OutputError",
    "require_folder",
    "require_table",
    "whole_folder",
    "write_histories",
    "write_table",
    "write_whole_table",
]

TABLES: Final = (".parquet", ".csv")
"""Endings of the tables that can be written."""

_OURS: Final = "clvmodels "
"""How the format of every JSON file of this package begins."""


class OutputError(ClvError):
    """A result cannot be written where it was asked for."""


def require_table(path: Path, source: str) -> None:
    """Refuse, before any work is done, a table that could not be written, or would replace what it is made of.

    Parameters
    ----------
    path
        The table.
    source
        The file that it is made of, or a pattern of several.

    Raises
    ------
    OutputError
        If the ending is no table's, the place is not one to write to, or the path leads to one of the files.
    """
    if path.suffix.lower() not in TABLES:
        raise OutputError(f"cannot write {str(path)!r}: {one_of('kind of table', path.suffix or path.name, TABLES)}")
    if path.is_dir():
        raise OutputError(f"cannot write {str(path)!r}: it is a folder; name a file, such as histories.parquet")
    if path.exists() and any(path.samefile(file) for file in named(Path(source))):
        raise OutputError(f"cannot write {str(path)!r}: the log is read from it; name another file")
    _require_place(path)


def require_folder(path: Path, names: Sequence[str], mark: str) -> None:
    """Refuse, before any work is done, a folder that must not or cannot be replaced.

    Parameters
    ----------
    path
        The folder; it may be missing or empty, or hold nothing but what this package has written.
    names
        The files that would be written to it.
    mark
        The one of them, a JSON file, that tells whether this package wrote the folder.

    Raises
    ------
    OutputError
        If there is a file of that name, or a folder that holds anything else or cannot be moved away.
    """
    if not path.exists():
        _require_place(path)
        return
    if not path.is_dir():
        raise OutputError(f"cannot write to {str(path)!r}: it is a file; name a folder")
    present = sorted(entry.name for entry in path.iterdir())
    others = [name for name in present if name not in names]
    if others or (present and not _is_ours(path / mark)):
        examples = ", ".join((others or present)[:3]) + (", ..." if len(others or present) > 3 else "")
        raise OutputError(
            f"will not replace the folder {str(path)!r}: it holds what this command did not write ({examples});"
            " name a new or empty folder, or one that an earlier run of this command has written"
        )
    _require_movable(resolved(path))


def _is_ours(mark: Path) -> bool:
    """Whether a JSON file states a format of this package."""
    try:
        content = json.loads(mark.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and str(content.get("format")).startswith(_OURS)


def _require_place(path: Path) -> None:
    """Refuse a path under something that is no folder, or is closed to writing."""
    place = next(parent for parent in path.absolute().parents if parent.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write {str(path)!r}: {str(place)!r} is not a folder that can be written to")


def _require_movable(folder: Path) -> None:
    """Refuse a folder whose place another one cannot take, however well it can be written to."""
    why = f"{str(folder.parent)!r} cannot be written to"
    if folder.is_mount():
        why = "it is a mount point"
    elif os.access(folder.parent, os.W_OK | os.X_OK):
        return
    inside = str(folder / "results")
    raise OutputError(f"cannot replace {str(folder)!r}: {why}; name a folder in it, such as {inside!r}")


@contextmanager
def whole_folder(path: Path, names: Sequence[str], mark: str) -> Iterator[Path]:
    """Yield a new folder to write to; it takes the place of `path` if the block ends well, and else leaves no trace.

    The parameters and errors are those of `require_folder`. What stood at `path` before stays untouched until then.
    """
    target = resolved(path)
    require_folder(target, names, mark)
    with folders(target.parent), workplace(target.parent, *beside(target)) as part:
        _open_alike(part, target)
        yield part
        require_folder(target, names, mark)
        _exchange(part, target)


def _open_alike(part: Path, target: Path) -> None:
    """Let those in who may enter the folder that `part` is to replace, and nobody else; its owner may write to both."""
    if not target.exists():
        return
    before = target.stat()
    if sys.platform != "win32":
        with suppress(PermissionError):  # of a group that we do not belong to
            os.chown(part, -1, before.st_gid)
    part.chmod(stat.S_IMODE(before.st_mode) | stat.S_IRWXU)


def _exchange(part: Path, target: Path) -> None:
    """Put `part` in the place of `target`, and what stood there before in the place of `part`."""
    if not target.exists():
        part.rename(target)
    elif not swapped(part, target):
        _exchange_by_turns(part, target)


def _exchange_by_turns(part: Path, target: Path) -> None:
    """Do the same where the system cannot do it in one step: a process killed in between leaves no `target`."""
    with interrupts_deferred():
        before = part.with_name(f"{part.name}.before")
        target.rename(before)
        try:
            part.rename(target)
        except BaseException:
            before.rename(target)
            raise
        before.rename(part)


def write_whole_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table that appears whole or not at all, in the format of its ending; see `write_table`."""
    with whole_file(path) as part:
        write_table(table, part, kind=path.suffix.lower())


def write_histories(histories: Histories, path: Path) -> None:
    """Write histories as a table that appears whole or not at all."""
    if path.suffix.lower() == ".parquet":
        histories.write(path)
    else:
        write_whole_table(histories.collect(memory_gb=math.inf).to_frame(), path)


def write_table(table: pd.DataFrame, path: Path, *, kind: str) -> None:
    """Write a table with its index as the first column.

    Parameters
    ----------
    table
        Indexed by customer, say; missing numbers become missing values.
    path
        Where to.
    kind
        One of `TABLES`.
    """
    import pyarrow as pa

    arrow = pa.Table.from_pandas(table.reset_index(), preserve_index=False).replace_schema_metadata(None)
    if kind == ".csv":
        from pyarrow.csv import write_csv

        write_csv(arrow, path)
        return
    from pyarrow.parquet import write_table as write_parquet

    write_parquet(arrow, path, compression="zstd", use_dictionary=False)
