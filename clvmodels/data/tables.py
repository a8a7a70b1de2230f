"""A table with one row a customer, read into arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from clvmodels.arguments import require_text
from clvmodels.data.bounds import read_time
from clvmodels.data.checks import check_histories, check_ids, warn_about
from clvmodels.data.columns import count, require, require_once, shown
from clvmodels.data.histories import FloatArray, Histories
from clvmodels.data.kinds import refuse_unreadable
from clvmodels.errors import DataError
from clvmodels.numerics.threads import copy_to

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.units import Unit

__all__ = ["Names", "described", "pandas_frame", "read_histories"]

_RECENCY_ADVICE = (
    "recency is the age at the last purchase, counted from the first one; a column with the time since the last"
    " purchase is given as time_since_last=..."
)


@dataclass(frozen=True)
class Names:
    """Names of the columns of a table of histories."""

    customer_id: str = "customer_id"
    frequency: str = "frequency"
    recency: str = "recency"
    T: str = "T"
    monetary_value: str = "monetary_value"
    time_since_last: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is no name.

        Raises
        ------
        DataError
            With what was got in place of it.
        """
        for field in fields(self):
            name = getattr(self, field.name)
            if name is not None or field.name != "time_since_last":
                require_text(field.name, name, "the name of a column", DataError)


class _Columns(NamedTuple):
    """A table taken apart."""

    ids: pd.Index[Any]
    numbers: dict[str, FloatArray]
    attributes: pd.DataFrame


def read_histories(table: object, *, names: Names, unit: Unit, observation_end: str | pd.Timestamp | None) -> Histories:
    """Read, check and label the histories; `Histories.from_frame` says what is refused."""
    frame = _with_ids(pandas_frame(table), names.customer_id)
    columns = _take_apart(frame, names)
    numbers = check_histories(columns.ids, columns.numbers, time_since_last=names.time_since_last)
    warn_about(numbers, unit)
    numbers.setdefault("monetary_value", np.broadcast_to(_closed(np.array(np.nan)), len(columns.ids)))
    return Histories(
        customer_id=columns.ids,
        attributes=columns.attributes,
        unit=unit,
        observation_end=None if observation_end is None else read_time(observation_end, "observation_end"),
        report=None,
        **cast("dict[str, Any]", numbers),
    )


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
    frame = _with_ids(pandas_frame(table), "customer_id")
    require(["customer_id"], [str(column) for column in frame.columns], what="the table")
    return frame


def _with_ids(frame: pd.DataFrame, customer_id: str) -> pd.DataFrame:
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


def _take_apart(frame: pd.DataFrame, names: Names) -> _Columns:
    """Return ids, numbers and attributes, each by its name in `Histories`."""
    last = names.time_since_last
    wanted = {"frequency": names.frequency, "T": names.T, "recency": names.recency if last is None else last}
    present = [str(column) for column in frame.columns]
    frame = frame.set_axis(present, axis=1)
    spend = [names.monetary_value] if names.monetary_value != "monetary_value" else []
    require([names.customer_id, *wanted.values(), *spend], present, what="the table of histories")
    if names.monetary_value in present:
        wanted["monetary_value"] = names.monetary_value
    require_once([names.customer_id, *wanted.values()], present, what="the table of histories")
    ids = _ids(frame[names.customer_id])
    check_ids(ids)
    block = np.empty((len(wanted), len(ids)))  # in one piece, as the next table then finds the memory of this one again
    for row, column in zip(block, wanted.values(), strict=True):
        copy_to(row, _numbers(frame[column], ids))
    numbers = dict(zip(wanted, _closed(block), strict=True))
    used = {names.customer_id, *wanted.values(), *({} if last is None else {names.recency})}
    rest = frame[[column for column in frame.columns if column not in used]]
    return _Columns(ids, numbers, rest.set_axis(ids.rename("customer_id")))


def _ids(column: pd.Series[Any]) -> pd.Index[Any]:
    """Return ids as an index.

    Raises
    ------
    DataError
        If they are lists or the like, which are no ids.
    """
    import pandas as pd
    import pyarrow as pa

    if isinstance(column.dtype, np.dtype) and column.dtype in (np.float16, np.longdouble):
        column = column.astype(np.float64)
    try:
        ids: pd.Index[Any] = pd.Index(column)
        if pd.api.types.infer_dtype(column, skipna=True) == "mixed":
            _ = {*column}  # where ids cannot be compared, this says so
        _ = ids.is_unique
    except (TypeError, pa.ArrowException) as error:
        raise DataError(f"the customer ids in {column.name!r} are text, numbers or dates: {error}") from error
    return ids


def _closed(array: FloatArray) -> FloatArray:
    """Close a new array to writing, so that `Histories` need not copy it."""
    array.flags.writeable = False
    return array


def _numbers(column: pd.Series[Any], ids: pd.Index[Any]) -> npt.NDArray[Any]:
    """Return the numbers of a column, missing values as NaN."""
    import pandas as pd

    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf":
        return column.to_numpy()
    numeric = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
    if numeric or pd.api.types.infer_dtype(column) in {"decimal", "integer", "floating", "mixed-integer-float"}:
        try:
            return column.to_numpy(dtype=np.float64, na_value=np.nan)
        except (OverflowError, TypeError, ValueError) as error:
            raise DataError(f"{column.name!r} does not hold numbers that can be computed with: {error}") from error
    seen = ", ".join(f"{shown(id_)} ({shown(value)})" for id_, value in zip(ids[:3], column.iloc[:3], strict=True))
    advice = f"; {_RECENCY_ADVICE}" if pd.api.types.is_datetime64_any_dtype(column.dtype) else ""
    raise DataError(
        f"{column.name!r} is not numeric but {column.dtype}: {count(len(column), 'customer')}, for example {seen};"
        f" convert it to numbers in the unit of the histories first{advice}"
    )
