"""Files of a log or a ledger: which ones a path names, and how DuckDB reads several of them as one table.

DuckDB takes names, order and types of the columns from the first file and fits the others to it, without a word where
it rounds. So files are read together only if they have these in common; otherwise they meet by name, in a type for all.

A column that a file lacks may stand in the name of its folder, ``channel=web/log.csv``. What is in the file comes
first: DuckDB by itself would put the name of the folder in place of the file's own column.
"""

from __future__ import annotations

import csv
import gzip
import os
import zlib
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import reduce
from glob import escape, glob
from pathlib import Path
from typing import TYPE_CHECKING, Final

from clvmodels.arguments import require_path
from clvmodels.data.columns import quoted, require, require_once
from clvmodels.data.folders import FILE, FileGroup, folder_columns
from clvmodels.errors import DataError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = [
    "CSV",
    "PARQUET",
    "csv_columns",
    "files_of",
    "kinds_of",
    "named",
    "parquet_columns",
    "paths_of",
    "quote_paths",
    "scan_csv",
    "scan_parquet",
]

CSV: Final = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt")
PARQUET: Final = (".parquet", ".pq")
SEPARATORS: Final = ",;\t|"
_LONGEST_HEADER: Final = 1 << 20
"""Letters of a file that are read to find its header: more would be no header, but may fill the memory."""

type _Types = Mapping[str, pa.DataType]


# ---------------------------------------------------------------------------------------------------------- names


def paths_of(given: object) -> list[Path]:
    """Return the path or the paths that a user gave; none, if it is something else.

    Raises
    ------
    DataError
        If no file can have such a name.

    Examples
    --------
    >>> paths_of("orders.parquet"), paths_of({"customer_id": [1]})
    ([...Path('orders.parquet')], [])
    """
    several = given if isinstance(given, list | tuple) else [given]
    if not all(isinstance(path, str | os.PathLike) for path in several):
        return []
    return [require_path(path, "a log or a ledger", DataError) for path in several]


def kinds_of(paths: Iterable[Path]) -> set[tuple[str, ...]]:
    """Return what kinds of files paths are of by their names, `CSV` and `PARQUET`; others are of the kind ``()``.

    Examples
    --------
    >>> kinds_of([Path("a.parquet"), Path("b.PQ")]) == {PARQUET}
    True
    """
    return {next((kind for kind in (CSV, PARQUET) if path.name.lower().endswith(kind)), ()) for path in paths}


def files_of(paths: Iterable[Path]) -> list[str]:
    """Return the files that paths name (`named`), each once.

    Raises
    ------
    DataError
        If a path names none.
    """
    files: dict[str, None] = {}
    for path in paths:
        matched = named(path)
        if not matched:
            raise DataError(f"there is no file {str(path)!r}")
        files |= dict.fromkeys(matched)
    return list(files)


def quote_paths(paths: Sequence[Path]) -> str:
    """Return paths for a message: the first of several.

    Examples
    --------
    >>> quote_paths([Path("a.csv"), Path("b.csv"), Path("c.csv")])
    "'a.csv' and 2 more"
    """
    return repr(str(paths[0])) + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")


def named(path: Path) -> list[str]:
    """Return the files that a path names, in order: the one of just this name, or else those that it is a pattern of.

    As Spark has it, what begins with ``_`` or ``.`` is no data, such as what an interrupted job has left in
    ``_temporary``, unless the pattern says so itself.
    """
    text = str(path)
    own = glob(escape(text))  # noqa: PTH207 - a path may be absolute
    return sorted(own or [file for file in glob(text, recursive=True) if not _hidden(file, path)])  # noqa: PTH207


def _hidden(file: str, pattern: Path) -> bool:
    """Whether a file, or a folder that it is in, has a name that says it is no data, and the pattern does not."""
    in_pattern = [part for part in pattern.parts if part.startswith(("_", "."))]
    parts = [part for part in Path(file).parts if part.startswith(("_", "."))]
    return any(not any(fnmatchcase(part, wanted) for wanted in in_pattern) for part in parts)


def _names(files: Sequence[str]) -> list[str]:
    """Return names of files such that DuckDB does not take them for patterns."""
    return [escape(file) for file in files]


def _alike[K: Hashable](files: Sequence[str], trait: Callable[[str], K]) -> list[list[str]]:
    """Return files in groups of those that have a trait in common."""
    groups: dict[K, list[str]] = {}
    for file in files:
        groups.setdefault(trait(file), []).append(file)
    return list(groups.values())


def _what(group: Sequence[str], files: Sequence[str]) -> str:
    """Return what a message calls a group of files."""
    return "the log" if len(files) == 1 else f"the file {group[0]!r}"


def _unreadable(file: str, error: Exception) -> DataError:
    return DataError(f"cannot read {file!r}: {str(error).strip().splitlines()[0]}")


def _together(parts: Sequence[duckdb.DuckDBPyRelation]) -> duckdb.DuckDBPyRelation:
    return reduce(lambda rows, more: rows.union(more), parts)


# ------------------------------------------------------------------------------------------------------------ CSV


def scan_csv(
    connection: duckdb.DuckDBPyConnection, files: Sequence[str], names: Sequence[str], *, text: Collection[str]
) -> duckdb.DuckDBPyRelation:
    """Return columns of CSV files, some of them as the text that is written there.

    Raises
    ------
    DataError
        If a file does not have a column.
    """
    parts = []
    for group in _csv_groups(connection, files):
        require(names, group.columns, what=_what(group.files, files))
        written = [*_as_written(group.files[0], group.own), *group.folder]
        require_once(names, written, what=_what(group.files, files), by_case=False)
        by_folder = [name for name in names if name in group.folder]
        rows = _csv(connection, group.files, text=[name for name in text if name in group.own], named=bool(by_folder))
        parts.append(
            rows.project(", ".join(group.values(name) if name in by_folder else quoted(name) for name in names))
        )
    return _together(parts)


def csv_columns(connection: duckdb.DuckDBPyConnection, files: Sequence[str], *, shared: bool = False) -> list[str]:
    """Return the names of the columns that any of the CSV files has, or its folders; or that all of them have."""
    return _names_of([group.columns for group in _csv_groups(connection, files)], shared=shared)


def _csv_groups(connection: duckdb.DuckDBPyConnection, files: Sequence[str]) -> list[FileGroup]:
    """Return CSV files in groups with the same header, and the same columns in their folders."""
    groups = _alike(files, lambda file: (_header(file), folder_columns(file)))
    return [FileGroup.of(group, _csv(connection, group).columns) for group in groups]


def _names_of(tables: Iterable[Iterable[str]], *, shared: bool) -> list[str]:
    """Return the names of columns that any table has, or that all of them have; in the order in which they come."""
    names = [list(columns) for columns in tables]
    every = list(dict.fromkeys(name for columns in names for name in columns))
    return [name for name in every if all(name in columns for columns in names)] if shared else every


def _as_written(file: str, columns: Sequence[str]) -> list[str]:
    """Return the names in the header of a CSV file: DuckDB renames those that it takes for the same."""
    header = _header(file)
    written = (next(csv.reader([header], delimiter=mark)) for mark in SEPARATORS)
    return next((names for names in written if len(names) == len(columns)), list(columns))


def _csv(
    connection: duckdb.DuckDBPyConnection, files: Sequence[str], *, text: Collection[str] = (), named: bool = False
) -> duckdb.DuckDBPyRelation:
    """Return CSV files with the same header; if wanted, with their names as a further column.

    The quote is stated: DuckDB would look for it in the first 20,480 rows, and do without if there is none by then.

    Raises
    ------
    DataError
        If DuckDB finds no separator that divides these rows into as many fields as the header.
    """
    rows = connection.read_csv(
        _names(files),  # type: ignore[arg-type] # several are allowed
        header=True,
        quotechar='"',
        dtype=dict.fromkeys(text, "VARCHAR") or None,
        hive_partitioning=False,
        filename=FILE if named else None,
    )
    if len(rows.columns) == 1 and any(mark in rows.columns[0] for mark in SEPARATORS):
        raise DataError(
            f"the header of {files[0]!r} names several columns, {rows.columns[0]!r}, but a row near the beginning has"
            " more fields or fewer; give every row all fields, and put text with separators in quotes"
        )
    return rows


def _header(file: str) -> str:
    """Return the first line of a CSV file that is not empty.

    Raises
    ------
    DataError
        If the file cannot be read, or has no end of a line within the first `_LONGEST_HEADER` letters.
    """
    open_text = gzip.open if file.lower().endswith(".gz") else open
    try:
        with open_text(file, "rt", encoding="utf-8-sig", errors="replace") as lines:
            beginning = lines.read(_LONGEST_HEADER)
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(file, error) from error
    header = next((line for line in beginning.splitlines() if line.strip()), "")
    if len(beginning) == _LONGEST_HEADER and (not header or beginning.endswith(header)):
        raise DataError(
            f"cannot read {file!r}: no line ends within its first {_LONGEST_HEADER:,} letters; a CSV file begins with"
            " the names of its columns"
        )
    return header


# -------------------------------------------------------------------------------------------------------- Parquet


def scan_parquet(
    connection: duckdb.DuckDBPyConnection, files: Sequence[str], names: Sequence[str]
) -> tuple[duckdb.DuckDBPyRelation, dict[str, pa.DataType]]:
    """Return columns of Parquet files, numbers in a type that holds those of all files; and what types have values.

    Raises
    ------
    DataError
        If a file cannot be read or does not have a column, or has it in a type that does not go with another's.
    """
    types = _types(files, names)
    kinds = {name: _kinds(name, types) for name in names}
    casts = {name: _cast(name, by_type) for name, by_type in kinds.items()}
    parts = []

    def traits(file: str) -> tuple[object, ...]:
        return (*(types[file].get(name) for name in names), folder_columns(file))

    for files_alike in _alike(list(types), traits):
        own = types[files_alike[0]]
        group = FileGroup.of(files_alike, list(own))
        require(names, group.columns, what=_what(group.files, files))
        written = [*_footer(group.files[0]).schema.to_arrow_schema().names, *group.folder]
        require_once(names, written, what=_what(group.files, files), by_case=False)
        by_folder = [name for name in names if name in group.folder]
        chosen = [
            group.values(name) if name in by_folder else _column(name, own[name], casts[name], known=bool(kinds[name]))
            for name in names
        ]
        parts.append(_parquet(connection, group.files, named=bool(by_folder)).project(", ".join(chosen)))
    return _together(parts), {name: next(iter(by_type)) for name, by_type in kinds.items() if by_type}


def parquet_columns(files: Sequence[str], *, shared: bool = False) -> list[str]:
    """Return the names of the columns that any of the Parquet files has, or its folders; or that all of them have."""
    types = _types(files)
    return _names_of((FileGroup.of([file], list(own)).columns for file, own in types.items()), shared=shared)


def _parquet(
    connection: duckdb.DuckDBPyConnection, files: Sequence[str], *, named: bool = False
) -> duckdb.DuckDBPyRelation:
    """Return Parquet files; if wanted, with their names as a further column."""
    if not named:
        return connection.from_parquet(_names(files), hive_partitioning=False)
    paths = ", ".join("'" + path.replace("'", "''") + "'" for path in _names(files))
    return connection.sql(f"SELECT * FROM read_parquet([{paths}], hive_partitioning=false, filename={quoted(FILE)})")  # noqa: S608


def _types(files: Sequence[str], names: Collection[str] = ()) -> dict[str, _Types]:
    """Return the types of the columns of Parquet files, by file; of those that have rows, if there are any.

    What wrote a file without rows had no values that could tell it the types.
    """
    footers = {file: _footer(file) for file in files}
    filled = [file for file, footer in footers.items() if footer.num_rows]
    return {file: _schema(file, footers[file], names) for file in filled or files}


def _footer(file: str) -> pq.FileMetaData:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_metadata(file)
    except (pa.ArrowException, OSError, ValueError) as error:  # of names that are no text, too
        raise _unreadable(file, error) from error


def _schema(file: str, footer: pq.FileMetaData, names: Collection[str]) -> dict[str, pa.DataType]:
    """Return the types of the columns of a file.

    Raises
    ------
    DataError
        If the footer is damaged, or two columns have one of the names.
    """
    import pyarrow as pa

    try:
        schema = footer.schema.to_arrow_schema()
        types = dict(zip(schema.names, schema.types, strict=True))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _unreadable(file, error) from error
    require_once([name for name in names if name in types], schema.names, what=f"the file {file!r}")
    return types


def _kinds(name: str, types: Mapping[str, _Types]) -> dict[pa.DataType, str]:
    """Return the types that a column has, with the first file of each; that of no value at all is none."""
    import pyarrow as pa

    kinds: dict[pa.DataType, str] = {}
    for file, columns in types.items():
        if name in columns and not pa.types.is_null(columns[name]):
            kinds.setdefault(columns[name], file)
    return kinds


def _cast(name: str, kinds: Mapping[pa.DataType, str]) -> str | None:
    """Return the SQL type for numbers of several types; None if a column can stay as it is."""
    import pyarrow as pa

    if len(kinds) < 2:
        return None
    kind, *others = kinds
    for other in others:
        if _family(other) != _family(kind):
            raise DataError(
                f"column {name!r} is {kind} in {kinds[kind]!r} and {other} in {kinds[other]!r}; write it with the same"
                " type into all files"
            )
    if _family(kind) != "number":
        return None
    return "BIGINT" if all(map(pa.types.is_integer, kinds)) else "DOUBLE"


def _family(kind: pa.DataType) -> str:
    """Return what types have in common that can stand in one column without loss."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        return _family(kind.value_type)
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return "text"
    if types.is_timestamp(kind):
        return f"time in {kind.tz}"
    return "date" if types.is_date(kind) else str(kind)


def _column(name: str, kind: pa.DataType, cast: str | None, *, known: bool) -> str:
    """Return a column of a group of files as SQL; one without a type of its own takes that of other files, if known."""
    import pyarrow as pa

    if known and pa.types.is_null(kind):
        return f"NULL AS {quoted(name)}"
    return quoted(name) if cast is None else f"CAST({quoted(name)} AS {cast}) AS {quoted(name)}"
