"""Files that appear whole or not at all: written beside their place, and moved there at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EEXIST, ELOOP
from pathlib import Path
from shutil import rmtree
from uuid import uuid4

__all__ = ["beside", "folders", "resolved", "whole_file"]


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield the path to write to; the file moves to `path` if the block ends well, and else leaves no trace.

    An engine may write a folder in place of a file.

    Raises
    ------
    OSError
        If there is a folder at `path`, whatever it holds.
    """
    target = resolved(path)
    _require_no_folder(target)
    with folders(target.parent):
        part = beside(target)
        try:
            yield part
            _require_no_folder(target)
            part.replace(target)
        finally:
            if part.is_dir():
                rmtree(part)
            part.unlink(missing_ok=True)


def _require_no_folder(target: Path) -> None:
    if target.is_dir():
        raise FileExistsError(EEXIST, "there is a folder of this name", str(target))


@contextmanager
def folders(folder: Path) -> Iterator[None]:
    """Make a folder and those above it; those that were missing go again if the block fails."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for parent in missing:
            with suppress(OSError):  # somebody else has put something there meanwhile
                parent.rmdir()
        raise


def resolved(path: Path) -> Path:
    """Return an absolute path; a link is followed, so that it goes on to lead to what it led to."""
    try:
        return path.expanduser().resolve()
    except RuntimeError as error:
        raise OSError(ELOOP, "links lead in a circle, or the folder of a user is not known", str(path)) from error


def beside(target: Path) -> Path:
    """Return a free, hidden name in the same folder, and so on the same disk."""
    return target.with_name(f".{target.name}.{uuid4().hex[:8]}.part")
