"""Columns that stand in the names of folders, ``channel=web/log.csv``, beside those that the files have."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clvmodels.data.columns import quoted

__all__ = ["FILE", "FileGroup", "folder_columns"]

FILE: Final = "name of the file, as clvmodels calls it"
"""A column that no file has."""


@dataclass(frozen=True)
class FileGroup:
    """Files with the same columns, and folders that name the same columns.

    Attributes
    ----------
    files
        Their names.
    own
        The columns in the files.
    folder
        The columns that only the names of their folders have.
    """

    files: Sequence[str]
    own: Sequence[str]
    folder: Sequence[str]

    @property
    def columns(self) -> list[str]:
        """All columns."""
        return [*self.own, *self.folder]

    @classmethod
    def of(cls, files: Sequence[str], own: Sequence[str]) -> FileGroup:
        """Return files with the columns `own`."""
        taken = {name.lower() for name in own}
        return cls(files, own, [name for name in folder_columns(files[0]) if name.lower() not in taken])

    def values(self, name: str) -> str:
        """Return a column that folders name as SQL: the text after ``name=``, which Hive writes as in addresses."""
        path = quoted(FILE) if os.sep == "/" else f"replace({quoted(FILE)}, chr({ord(os.sep)}), '/')"
        pattern = f".*/{re.escape(name)}=([^/]*)/".replace("'", "''")
        text = f"nullif(url_decode(regexp_extract('/' || {path}, '{pattern}', 1)), '')"
        return f"nullif({text}, '__HIVE_DEFAULT_PARTITION__') AS {quoted(name)}"


def folder_columns(file: str) -> tuple[str, ...]:
    """Return the names of the columns that the folders of a file name.

    Examples
    --------
    >>> folder_columns("logs/channel=web/year=2024/a=b.csv")
    ('channel', 'year')
    """
    names = (part.partition("=") for part in Path(file).parts[:-1])
    return tuple(dict.fromkeys(name for name, mark, _ in names if mark and name))
