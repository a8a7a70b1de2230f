"""Types of columns: brought into those that DuckDB reads, and refused where they hold nothing that a log can have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from clvmodels.errors import DataError

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import pyarrow as pa

__all__ = ["plain", "plain_reader", "plain_type", "refuse_unreadable", "require_label"]

_EXTENSIONS: Final = ("arrow.uuid", "arrow.json")
"""Types beyond those of Arrow itself that DuckDB knows; of others it would show the numbers they are stored as."""
_ADVICE: Final = "write text, numbers, dates or times into it"


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values of a column, however they are encoded.

    Examples
    --------
    >>> import pyarrow as pa
    >>> plain_type(pa.dictionary(pa.int8(), pa.timestamp("ns", "UTC")))
    TimestampType(timestamp[ns, tz=UTC])
    """
    import pyarrow as pa

    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return plain_type(kind.value_type)
    return kind


def refuse_unreadable(name: str, kind: pa.DataType) -> None:
    """Refuse a type of Arrow that DuckDB does not read, or reads as the numbers that it is stored as.

    Raises
    ------
    DataError
        With the name of the column and its type.
    """
    import pyarrow as pa

    types, values = pa.types, plain_type(kind)
    unknown = isinstance(values, pa.BaseExtensionType) and values.extension_name not in _EXTENSIONS
    if unknown or types.is_duration(values) or types.is_interval(values) or types.is_union(values):
        raise DataError(f"column {name!r} holds {values}, which cannot be read; {_ADVICE}")


def plain(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column in a type that DuckDB reads; times as microseconds (in UTC, if they have a zone).

    Raises
    ------
    DataError
        If there is no such type.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    refuse_unreadable(name, column.type)
    kind = column.type
    if pa.types.is_dictionary(kind):
        return plain(name, column.cast(kind.value_type))
    if pa.types.is_run_end_encoded(kind):
        return plain(name, pc.run_end_decode(column))
    if pa.types.is_timestamp(kind):
        in_utc = column.cast(pa.timestamp("us", kind.tz), safe=False)
        return in_utc.cast(pa.timestamp("us")) if kind.tz else in_utc
    wanted = _readable(kind)
    return column if wanted is None else column.cast(wanted, safe=False)


def _readable(kind: pa.DataType) -> pa.DataType | None:
    """Return the type to cast to, if DuckDB does not read this one."""
    import pyarrow as pa

    if pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_float16(kind):
        return pa.float32()
    return pa.float64() if pa.types.is_decimal256(kind) else None


def plain_reader(reader: pa.RecordBatchReader, names: Sequence[str]) -> pa.RecordBatchReader:
    """Return columns of a reader, each as `plain` has it, batch by batch.

    Raises
    ------
    DataError
        If a column cannot be read.
    """
    import pyarrow as pa

    types = [plain(name, pa.chunked_array([], reader.schema.field(name).type)).type for name in names]
    schema = pa.schema(list(zip(names, types, strict=True)))

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            columns = {name: plain(name, pa.chunked_array([batch[name]])) for name in names}
            yield from pa.table(columns, schema=schema).to_batches()

    return pa.RecordBatchReader.from_batches(schema, batches())


def require_label(name: str, kind: dt.DataType) -> None:
    """Refuse an id or an attribute that is no single value: what is made of it could not be grouped or shown.

    Raises
    ------
    DataError
        With the name of the column and its type.
    """
    if kind.is_nested() or kind.is_interval() or kind.is_unknown():
        raise DataError(f"column {name!r} holds {kind}, not one value a row; {_ADVICE}")
