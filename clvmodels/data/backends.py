"""What histories ask of the place where their customers lie: a table in memory, or one of an engine."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, Protocol, Self

import numpy as np
import numpy.typing as npt

from clvmodels.data.columns import count
from clvmodels.data.statistics import FloatArray
from clvmodels.errors import DataError

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from clvmodels.data.grid import Grid
    from clvmodels.data.memory_table import MemoryTable
    from clvmodels.data.summary import HistoriesSummary
    from clvmodels.numerics.distinct import DistinctRows

__all__ = ["MEMORY_GB", "BoundToProcess", "HistoriesBackend", "Selection", "WeightedTable", "require_room"]

MEMORY_GB: Final = 1.0
"""Customers of an engine are fetched without being asked for up to this size, in GB (1e9 bytes): about 18 million with
the columns that every log has. A laptop has room for it, and for what is computed from it."""

type Selection = pd.Series[Any] | npt.ArrayLike | Sequence[object]
"""Customer ids, or one boolean a customer."""


class WeightedTable(NamedTuple):
    """Customers counted by what tells them apart.

    Attributes
    ----------
    table
        A row for each kind of customers, with their number as weight.
    place
        The distinct (x, t_x, T) of each row: its position in ``distinct``, shape (rows,).
    """

    table: MemoryTable
    place: npt.NDArray[np.int64]


class BoundToProcess:
    """What a connection of this process belongs to: a copy is the same, and there is no pickle."""

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise DataError(
            "histories in an engine cannot be pickled, since its connection belongs to this process; pickle"
            " histories.collect() (a book's, too), or write them with histories.write(path)"
        )


class HistoriesBackend(Protocol):
    """Where the customers lie; `Histories` says what its members mean."""

    @property
    def in_memory(self) -> bool:
        """Whether the customers are in memory."""

    @property
    def summary(self) -> HistoriesSummary:
        """Numbers about all customers."""

    @property
    def grid(self) -> Grid | None:
        """The grid that recency and T are put on; None: no grid."""

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Names of the attributes."""

    @property
    def fetched(self) -> MemoryTable:
        """The customers in memory, fetched once if they fit into `MEMORY_GB`."""

    @property
    def has_room(self) -> bool:
        """Whether the customers are in memory, or fit into `MEMORY_GB`."""

    def collect(self, memory_gb: float) -> MemoryTable:
        """Return the customers in memory; refuse if they take more."""

    def distinct(self, statistics: tuple[str, ...]) -> DistinctRows:
        """Return the distinct rows of some statistics and their weights."""

    def spread(self, statistics: tuple[str, ...]) -> FloatArray | None:
        """Return the variances within the distinct rows; None where each is exact."""

    def weighted(self, by: Sequence[str]) -> WeightedTable:
        """Return the customers counted by distinct history, whether their spend is known, and some attributes."""

    def in_unit(self, factor: float) -> Self:
        """Return the same with times multiplied by a factor."""

    def on_grid(self, bound: float) -> Self:
        """Return the same on a grid, if there are many distinct histories."""

    def with_grid(self, grid: Grid) -> Self:
        """Return the same on this grid."""

    def with_attributes(self, table: object) -> Self:
        """Return the same with further columns by customer."""

    def joined(self, columns: Mapping[str, FloatArray]) -> ir.Table:
        """Return columns given by distinct (x, t_x, T) as a table by customer_id."""

    def joined_spend(self, intercept: FloatArray, slope: FloatArray, unknown: float) -> ir.Table:
        """Return, by customer_id, a line in the mean value by distinct history; `unknown` where the mean is unknown.

        A mean that is missing or negative says nothing.
        """

    @property
    def table(self) -> ir.Table:
        """The customers as an Ibis table."""

    def write(self, path: str | Path) -> None:
        """Write them to a Parquet file, whole or not at all."""

    def __len__(self) -> int: ...


def require_room(customers: int, bytes_per_customer: float, memory_gb: float) -> None:
    """Refuse to fetch more customers than fit.

    Raises
    ------
    DataError
        Which says how much they take, and what to write.

    Examples
    --------
    >>> require_room(100_000_000, 56.0, 1.0)
    Traceback (most recent call last):
        ...
    clvmodels.errors.DataError: 100,000,000 customers take 5.6 GB of memory, and no more than 1 GB are fetched; write
    them to Parquet with rfm.write(path) or book.write_customers(path), take tables of the engine (rfm.table,
    book.customers_table, as_table=True of predictions), or fetch them with rfm.collect(memory_gb=6)
    """
    need = customers * bytes_per_customer / 1e9
    if need > memory_gb:
        raise DataError(
            f"{count(customers, 'customer')} take {need:.2g} GB of memory, and no more than {memory_gb:.2g} GB are "
            "fetched; write them to Parquet with rfm.write(path) or book.write_customers(path), take tables of the "
            "engine (rfm.table, book.customers_table, as_table=True of predictions), or fetch them with "
            f"rfm.collect(memory_gb={math.ceil(need)})"
        )
