"""Files that appear whole or not at all: written in a hidden folder beside their place, and moved there at the end.

The folder is locked as long as its process runs. A folder that is not locked was left by a killed process, and is
removed.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EEXIST, ELOOP
from pathlib import Path
from shutil import rmtree
from typing import Final
from uuid import uuid4

from clvmodels.interrupts import interrupts_deferred

__all__ = [
    "Workplace",
    "beside",
    "folders",
    "new_file",
    "remove_leftovers",
    "remove_workplaces",
    "resolved",
    "swapped",
    "whole_file",
    "workplace",
]

_LETTERS: Final = 8
_EXCHANGE: Final = 2
"""RENAME_EXCHANGE of Linux."""
_HERE: Final = -100
"""AT_FDCWD of Linux: a path that is not absolute begins at the working folder."""

_open: Final[dict[Path, Workplace]] = {}
"""The folders of this process, by path."""


class Workplace:
    """A folder of this process, locked until it is removed.

    Parameters
    ----------
    parent
        The folder that it is made in.
    prefix, suffix
        What its name begins and ends with; letters that no other has stand between.
    mode
        Who may enter it, as far as the user lets others in.

    Attributes
    ----------
    path
        The folder.
    """

    def __init__(self, parent: Path, prefix: str, suffix: str, *, mode: int = 0o777) -> None:
        self._lock: int | None = None
        try:
            with interrupts_deferred():
                self._make(parent, prefix, suffix, mode)
        except BaseException:
            self.remove()
            raise

    def _make(self, parent: Path, prefix: str, suffix: str, mode: int) -> None:
        self.path = parent / f"{prefix}{uuid4().hex[:_LETTERS]}{suffix}"
        self.path.mkdir(mode)
        _open[self.path] = self
        with suppress(FileNotFoundError):  # as below, before it was opened
            self._lock = _locked(self.path, wait=True)
        if not self.path.is_dir():  # another process took it for a leftover before it was locked
            self.remove()
            self._make(parent, prefix, suffix, mode)

    def remove(self) -> None:
        """Remove the folder with all that is in it, as far as the system lets us."""
        with interrupts_deferred():
            rmtree(self.path, ignore_errors=True)
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None
            _open.pop(self.path, None)


def _locked(folder: Path, *, wait: bool) -> int | None:
    """Return a folder, opened and locked; None if another process has locked it, or the system locks no folders."""
    if sys.platform == "win32":
        return None
    import fcntl

    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(opened)
        return None
    return opened


@contextmanager
def workplace(parent: Path, prefix: str, suffix: str) -> Iterator[Path]:
    """Yield a new folder in `parent`, removed after the block; what killed processes have left is removed first."""
    remove_leftovers(parent, prefix, suffix)
    made = Workplace(parent, prefix, suffix)
    try:
        yield made.path
    finally:
        made.remove()


def remove_workplaces() -> None:
    """Remove all folders of this process: of work that will not be finished."""
    for made in list(_open.values()):
        made.remove()


def remove_leftovers(parent: Path, prefix: str, suffix: str) -> None:
    """Remove folders with the names of a `Workplace` that are ours and that no process has locked."""
    if sys.platform == "win32":
        return
    ours = re.compile(f"{re.escape(prefix)}[0-9a-f]{{{_LETTERS}}}{re.escape(suffix)}")
    with suppress(OSError), os.scandir(parent) as entries:  # a folder may let us write and not look
        for entry in [entry for entry in entries if ours.fullmatch(entry.name)]:
            _remove_if_free(entry)


def _remove_if_free(entry: os.DirEntry[str]) -> None:
    with suppress(OSError):  # another process removes it too, or it cannot be opened
        if entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_uid == os.getuid():
            lock = _locked(Path(entry.path), wait=False)
            if lock is not None:
                rmtree(entry.path, ignore_errors=True)
                os.close(lock)


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
    with folders(target.parent), workplace(target.parent, *beside(target)) as folder:
        part = folder / target.name
        yield part
        _require_no_folder(target)
        part.replace(target)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield the path to write to; the file moves to `path` if the block ends well and there is nothing of this name.

    Raises
    ------
    FileExistsError
        If there is.
    """
    target = resolved(path)
    _require_nothing(target)
    with folders(target.parent), workplace(target.parent, *beside(target)) as folder:
        part = folder / target.name
        yield part
        os.link(part, target)  # in one step, and not if another process was quicker


def _require_nothing(target: Path) -> None:
    if target.exists():
        raise FileExistsError(EEXIST, "there is a file of this name", str(target))


def _require_no_folder(target: Path) -> None:
    if target.is_dir():
        raise FileExistsError(EEXIST, "there is a folder of this name", str(target))


@contextmanager
def folders(folder: Path) -> Iterator[None]:
    """Make a folder and those above it; those that were missing go again if the block fails."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with interrupts_deferred():
            for parent in missing:
                with suppress(OSError):  # it was not made, or somebody else has put something there meanwhile
                    parent.rmdir()
        raise


def resolved(path: Path) -> Path:
    """Return an absolute path; a link is followed, so that it goes on to lead to what it led to."""
    try:
        return path.expanduser().resolve()
    except RuntimeError as error:
        raise OSError(ELOOP, "links lead in a circle, or the folder of a user is not known", str(path)) from error


def beside(target: Path) -> tuple[str, str]:
    """Return how the names of the folders begin and end in which `target` is made: hidden, and on the same disk.

    Examples
    --------
    >>> beside(Path("results/equity.xlsx"))
    ('.equity.xlsx.', '.part')
    """
    return f".{target.name}.", ".part"


def swapped(first: Path, second: Path) -> bool:
    """Exchange two folders in one step; False if the system or the disk cannot."""
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:  # an old C library
        return False
    done: int = rename(_HERE, os.fsencode(first), _HERE, os.fsencode(second), _EXCHANGE)
    return done == 0
