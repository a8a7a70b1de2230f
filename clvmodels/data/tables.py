"""A table with one row for each customer, or for each distinct history with a weight, read into arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from clvmodels.arguments import require_text
from clvmodels.data.checks import check_contracts, check_counts, check_histories, check_ids, check_weights, warn_about
from clvmodels.data.columns import count, require, require_once, shown
from clvmodels.data.frames import pandas_frame, with_ids
from clvmodels.data.memory_table import MemoryTable
from clvmodels.data.statistics import COLUMNS, FloatArray
from clvmodels.errors import DataError
from clvmodels.numerics.threads import copy_to

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.units import Unit

__all__ = ["Names", "read_histories"]

_WEIGHTS: Final = ("weight", "weights")
"""Columns with the number of customers who have a history."""
_ORDER: Final = ("frequency", "recency", "T", "monetary_value")
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


def read_histories(table: object, names: Names, statistics: Mapping[str, str], unit: Unit) -> MemoryTable:
    """Read, check and label the histories; `Histories.from_frame` says what is refused."""
    frame = with_ids(pandas_frame(table), names.customer_id)
    weight = next((name for name in _WEIGHTS if name in frame.columns and names.customer_id not in frame.columns), None)
    if weight is not None:
        frame = frame.assign(**{names.customer_id: range(len(frame))})
    columns = _take_apart(frame, names, statistics, weight)
    numbers = columns.numbers
    counted = numbers.pop(weight) if weight is not None else None
    if counted is not None:
        check_weights(columns.ids, counted)
    if {"frequency", "recency", "T"} <= numbers.keys():
        checked = check_histories(columns.ids, numbers, time_since_last=names.time_since_last)
        if weight is None:
            warn_about(checked, unit)
        numbers = numbers | checked
        numbers.setdefault("monetary_value", np.broadcast_to(_closed(np.array(np.nan)), len(columns.ids)))
        numbers = {name: numbers[name] for name in dict.fromkeys([*_ORDER, *numbers]) if name in numbers}
    elif "renewals" in numbers:
        check_contracts(columns.ids, {name: numbers[name] for name in numbers if name not in statistics})
    else:
        check_counts(columns.ids, numbers)
        if "frequency" in numbers:
            numbers.setdefault("monetary_value", np.broadcast_to(_closed(np.array(np.nan)), len(columns.ids)))
    own = {column: statistic for statistic, column in COLUMNS.items()} | dict(statistics)
    by_statistic = {own[name]: array for name, array in numbers.items()}
    return MemoryTable(columns.ids, by_statistic, columns.attributes, counted)


def _wanted(present: Sequence[str], names: Names) -> dict[str, str]:
    """Return the columns that hold the numbers of a history, by the names of these."""
    if names.frequency not in present and {"renewals", "churned"} <= set(present):
        further = [name for name in ("observed_from", "periods") if name in present]
        return {name: name for name in ("renewals", "churned", *further)}
    last = names.time_since_last
    wanted = {"frequency": names.frequency, "T": names.T, "recency": names.recency if last is None else last}
    if names.T not in present and "periods" in present:
        wanted["periods"] = "periods"
        del wanted["T"]
    return wanted


def _take_apart(frame: pd.DataFrame, names: Names, statistics: Mapping[str, str], weight: str | None) -> _Columns:
    """Return ids, numbers and attributes, each number by the name of its column in `Histories`."""
    last = names.time_since_last
    present = [str(column) for column in frame.columns]
    frame = frame.set_axis(present, axis=1)
    wanted = _wanted(present, names) | {name: name for name in statistics}
    if "churned" in wanted and frame["churned"].dtype == bool:
        frame = frame.assign(churned=frame["churned"].astype(float))
    wanted |= {} if weight is None else {weight: weight}
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
    sample = ", ".join(f"{shown(id_)} ({shown(value)})" for id_, value in zip(ids[:3], column.iloc[:3], strict=True))
    advice = f"; {_RECENCY_ADVICE}" if pd.api.types.is_datetime64_any_dtype(column.dtype) else ""
    raise DataError(
        f"{column.name!r} is not numeric but {column.dtype}: {count(len(column), 'customer')}, for example {sample};"
        f" convert it to numbers in the unit of the histories first{advice}"
    )
