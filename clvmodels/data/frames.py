"""Tables of customers, whatever made them, as pandas."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from clvmodels.data.columns import require
from clvmodels.data.kinds import refuse_unreadable
from clvmodels.errors import DataError
from clvmodels.files import whole_file

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

__all__ = ["described", "ibis_table", "pandas_frame", "with_ids", "write_frame"]


def pandas_frame(table: object) -> pd.DataFrame:
    """Return a pandas, polars or Arrow table as pandas.

    Raises
    ------
    DataError
        If it is none of these.
    """
    import pandas as pd

    if isinstance(table, pd.DataFrame):
        return table
    if hasattr(table, "collect") and hasattr(table, "collect_schema"):  # polars.LazyFrame
        table = cast("object", table.collect())
    if hasattr(table, "to_arrow"):
        table = cast("object", table.to_arrow())
    if hasattr(table, "to_pandas"):
        return _from_arrow(table)
    raise DataError(f"histories are read from a pandas, polars or Arrow table, got {type(table).__name__}")


def _from_arrow(table: Any) -> pd.DataFrame:  # noqa: ANN401 - any package's table
    import pandas as pd
    import pyarrow as pa

    if isinstance(table, pa.Table | pa.RecordBatch):
        for field in table.schema:
            refuse_unreadable(field.name, field.type)
    try:
        frame = table.to_pandas()
    except (pa.ArrowException, OverflowError, TypeError, UnicodeError) as error:
        raise DataError(f"the table cannot be read: {error}") from error
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"histories are read from a table, got {type(table).__name__}")
    return frame


def described(table: object) -> pd.DataFrame:
    """Return a table of attributes as pandas, with the ids as the column ``customer_id``.

    Raises
    ------
    DataError
        If it is no table, or has no ids.
    """
    frame = with_ids(pandas_frame(table), "customer_id")
    require(["customer_id"], [str(column) for column in frame.columns], what="the table")
    return frame


def with_ids(frame: pd.DataFrame, customer_id: str) -> pd.DataFrame:
    """Return the frame with the customer ids as a column, taken from the index if they are there."""
    if customer_id in frame.columns:
        return frame
    index = frame.index
    if index.name == customer_id or (customer_id == "customer_id" and index.nlevels == 1 and not _positions(index)):
        return frame.assign(**{customer_id: index.to_numpy() if index.dtype == object else index})
    return frame


def _positions(index: pd.Index[Any]) -> bool:
    """Whether an index is the one that pandas makes by itself, which holds no ids."""
    import pandas as pd

    return isinstance(index, pd.RangeIndex) and index.name is None and (index.start, index.step) == (0, 1)


def ibis_table(frame: pd.DataFrame) -> ir.Table:
    """Return a table indexed by customer_id as one of Ibis, in its own DuckDB."""
    import ibis
    import pyarrow as pa

    return ibis.memtable(pa.Table.from_pandas(frame.reset_index(), preserve_index=False))


def write_frame(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a table indexed by customer_id to a Parquet file, whole or not at all."""
    import pyarrow as pa
    from pyarrow.parquet import write_table

    arrow = pa.Table.from_pandas(frame.reset_index(), preserve_index=False).replace_schema_metadata(None)
    with whole_file(Path(path)) as part:
        write_table(arrow, part, compression="zstd", use_dictionary=False)
