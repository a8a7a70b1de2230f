"""What histories ask of the place where their customers lie: a table in memory, or one of an engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from clvmodels.data.grid import Grid
    from clvmodels.data.log_waits import LogWaits
    from clvmodels.data.memory_table import MemoryTable, WeightedTable
    from clvmodels.data.statistics import FloatArray
    from clvmodels.data.summary import HistoriesSummary
    from clvmodels.numerics.distinct import DistinctRows

__all__ = ["HistoriesBackend"]


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

    @property
    def has_order_values(self) -> bool:
        """Whether the values of single orders are known, not their means alone."""

    @property
    def log_waits(self) -> LogWaits | None:
        """The logs of the waits between purchases, if they came from a log."""

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

    def joined(self, columns: Mapping[str, FloatArray], statistics: tuple[str, ...]) -> ir.Table:
        """Return columns given by distinct row of some statistics as a table by customer_id."""

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
