"""Purchase histories in an engine: distinct histories, counts and sums leave it, and customers if there is room."""

# ruff: noqa: PD003, PD004 - isnull and notnull are what Ibis has

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, cast

import numpy as np

from clvmodels.data.arithmetic import steady_sum
from clvmodels.data.bound_to_process import BoundToProcess
from clvmodels.data.columns import count, examples, require
from clvmodels.data.engine_rows import distinct, evaluated, keys_of, numbers, order_of
from clvmodels.data.grid import EXACT_HISTORIES, STEPS, Grid, require_bound, spend_cells, time_cells
from clvmodels.data.log_waits import LogWaits
from clvmodels.data.memory_limit import MEMORY_GB, require_room
from clvmodels.data.memory_table import MemoryTable, WeightedTable
from clvmodels.data.order_values import OrderValues
from clvmodels.data.parquet import write_parquet
from clvmodels.data.statistics import SPEND, TRANSACTIONS, FloatArray
from clvmodels.data.summary import HistoriesSummary
from clvmodels.errors import DataError, one_of
from clvmodels.numerics.distinct import DistinctRows
from clvmodels.numerics.spend import known_spend

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd
    import pyarrow as pa
    import pyspark.sql

    from clvmodels.data.backends import HistoriesBackend
    from clvmodels.data.engine import Engine

__all__ = ["EngineTable", "attribute_column", "in_one_engine"]

_PUBLIC: Final = {
    "customer_id": "id",
    "frequency": "frequency",
    "recency": "recency",
    "T": "age",
    "monetary_value": "spend",
    "first_purchase": "first",
    "first_value": "first_value",
}
"""Names of columns that users see, and those in the engine, where upper and lower case may be the same."""
_ALSO: Final = ("first", "first_value")
"""Those of them that histories in memory have as attributes."""
_BYTES_OF_NUMBER, _BYTES_OF_TEXT = 8.0, 64.0
"""What a value takes in memory: text is an object of Python."""


@dataclass(frozen=True, eq=False)
class EngineTable(BoundToProcess):
    """Histories in an engine; `Histories` says what they are.

    Attributes
    ----------
    engine
        Where they lie.
    rows
        One row a customer: ``id``, ``frequency``, ``recency``, ``age``, ``spend``, ``first``, ``first_value``, and
        the attributes ``a0``, ``a1``, ...
    names
        Names of the attributes.
    zone
        The zone of the first purchases, which are instants in UTC here; None if they are local times.
    grid
        The grid that recency and T are put on for fits and predictions; None: no grid.
    order_values
        The values of single orders of the customers in the order of their ids; None: there are no values.
    log_waits
        The logs of the waits between their purchases; None: nobody knows them.
    """

    engine: Engine
    rows: ir.Table
    names: tuple[str, ...]
    zone: tzinfo | None = None
    grid: Grid | None = None
    order_values: OrderValues | None = None
    log_waits: LogWaits | None = None
    _weighted: dict[tuple[str, ...], WeightedTable] = field(default_factory=dict, init=False)

    @property
    def in_memory(self) -> bool:
        """Whether the customers are in memory: no."""
        return False

    def __len__(self) -> int:
        return int(self.summary.customers)

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Names of the attributes."""
        return (*(name for name, own in _PUBLIC.items() if own in _ALSO and own in self.rows.columns), *self.names)

    # ---------------------------------------------------------------------------------------------------- what leaves

    @cached_property
    def summary(self) -> HistoriesSummary:
        """Numbers about all customers."""
        rows = self.rows
        repeat = rows.frequency > 0
        known = repeat & rows.spend.notnull()
        counts = self.engine.run(
            rows.aggregate(
                customers=rows.count(),
                once=rows.count(where=~repeat),
                repeats=rows.frequency.sum(),
                youngest=rows.age.min(),
                oldest=rows.age.max(),
                known=rows.count(where=known),
                occasions=rows.frequency.sum(where=known),
                money=(rows.frequency * rows.spend).sum(where=known),
                spend=rows.spend.mean(where=known),
                low=rows.count(where=known & (rows.spend <= 0)),
            )
        )
        return HistoriesSummary(**{name: value or 0 for name, value in counts.to_pylist()[0].items()})

    def distinct(self, statistics: tuple[str, ...]) -> DistinctRows:
        """Return the distinct rows of some statistics and their weights; on a grid, the means of its cells.

        Of millions of values of spend, they are put on a logarithmic grid, and are the geometric means of its cells.
        """
        if statistics == TRANSACTIONS:
            return self._distinct_histories
        return self._distinct_spend if statistics == SPEND else self.fetched.distinct(statistics)

    @cached_property
    def _distinct_histories(self) -> DistinctRows:
        counted = self._counted
        columns = [numbers(counted, name) for name in ("frequency", "recency", "age")]
        find_order = partial(order_of, self.engine, self.rows, self.grid, counted)
        return distinct(columns, numbers(counted, "customers"), find_order)

    @cached_property
    def _distinct_spend(self) -> DistinctRows:
        counted = self._spend
        return distinct([numbers(counted, "frequency"), numbers(counted, "spend")], numbers(counted, "customers"))

    def spread(self, statistics: tuple[str, ...]) -> FloatArray | None:
        """Return the variances within the distinct rows.

        Of (x, t_x, T): the variance of recency, the covariance, and the variance of T, shape (distinct, 3); None
        without a grid. Of (x, mean): the variance of the logarithm of the mean, shape (distinct,).
        """
        if statistics == SPEND:
            return numbers(self._spend, "variance")
        if self.grid is None or statistics != TRANSACTIONS:
            return None
        return np.column_stack([numbers(self._counted, name) for name in ("var_recency", "covariance", "var_age")])

    @cached_property
    def _counted(self) -> pa.Table:
        return self.engine.run(time_cells(self.rows, self.grid, customers=len(self)))

    @cached_property
    def _spend(self) -> pa.Table:
        return self.engine.run(spend_cells(self.rows, customers=self.summary.known))

    def weighted(self, by: Sequence[str] = ()) -> WeightedTable:
        """Return the customers counted by distinct history, whether their spend is known, and some attributes."""
        if tuple(by) not in self._weighted:
            self._weighted[tuple(by)] = self.weighted_means(self.rows, by, {})
        return self._weighted[tuple(by)]

    def weighted_means(self, table: ir.Table, by: Sequence[str], means: Mapping[str, tuple[Any, Any]]) -> WeightedTable:
        """Return the same of what `evaluated` returns, with weighted means of columns as attributes.

        Parameters
        ----------
        table
            The histories.
        by
            Names of attributes.
        means
            By name, columns of the table and their weights.
        """
        keys: dict[str, Any] = {**keys_of(table, self.grid), "known": self.known(table)}
        keys |= {f"by{k}": attribute_column(self, table, name) for k, name in enumerate(by)}
        known = self.known(table).ifelse(1.0, 0.0)
        columns = {"spend": (table.spend, known)} | {f"mean{k}": pair for k, pair in enumerate(means.values())}
        sums = {"customers": table.count()} | self._means(table, columns)
        counted = self.engine.run(table.group_by(**keys).aggregate(**sums).order_by(list(keys)))
        return self._weighted_rows(counted, by, list(means))

    def _means(self, table: ir.Table, columns: Mapping[str, tuple[Any, Any]]) -> dict[str, ir.FloatingScalar]:
        """Return weighted means of columns over groups of a table, by name; the same in whatever order rows come."""
        parts = {f"{name}_sum": values * weight for name, (values, weight) in columns.items()}
        parts |= {f"{name}_weight": weight + 0.0 * values for name, (values, weight) in columns.items()}
        sizes = self.engine.run(table.aggregate(**{name: part.abs().sum() for name, part in parts.items()}))
        size = {name: value or 0.0 for name, value in sizes.to_pylist()[0].items()}
        sums = {name: steady_sum(part, size=size[name], rows=len(self)) for name, part in parts.items()}
        return {name: sums[f"{name}_sum"] / sums[f"{name}_weight"].nullif(0.0) for name in columns}

    def _weighted_rows(self, counted: pa.Table, by: Sequence[str], means: Sequence[str]) -> WeightedTable:
        import pandas as pd

        keys = np.column_stack([numbers(counted, name) for name in TRANSACTIONS])
        place = np.cumsum(np.any(np.diff(keys, axis=0, prepend=keys[:1]) != 0.0, axis=1))
        attributes: dict[str, Any] = {name: counted[f"by{k}"].to_pandas() for k, name in enumerate(by)}
        if "first_purchase" in attributes:
            attributes["first_purchase"] = self._first_purchases(counted[f"by{by.index('first_purchase')}"])
        attributes |= {name: pd.Series(numbers(counted, f"mean{k}")) for k, name in enumerate(means)}
        index = pd.RangeIndex(len(place))
        columns = dict(zip(TRANSACTIONS, self.distinct(TRANSACTIONS).rows[place].T, strict=True))
        table = MemoryTable(
            customer_id=index,
            statistics=columns | {"mean": numbers(counted, "spend")},
            attributes=pd.DataFrame(attributes, index=index),
            weight=numbers(counted, "customers"),
        )
        return WeightedTable(table, place)

    def _first_purchases(self, column: pa.ChunkedArray) -> pd.DatetimeIndex:
        """Return first purchases as they are in memory: in their zone, if they have one."""
        import pandas as pd

        first = pd.DatetimeIndex(column.to_numpy().astype("datetime64[us]"))
        return first if self.zone is None else first.tz_localize("UTC").tz_convert(self.zone)

    @cached_property
    def fetched(self) -> MemoryTable:
        """The customers in memory, fetched once if they fit into `MEMORY_GB`."""
        return self.collect(MEMORY_GB)

    @property
    def has_room(self) -> bool:
        """Whether the customers fit into `MEMORY_GB`."""
        return len(self) * self._bytes_per_customer <= 1e9 * MEMORY_GB

    @property
    def has_order_values(self) -> bool:
        """Whether the values of single orders are known: if the log has values."""
        return self.order_values is not None

    def collect(self, memory_gb: float) -> MemoryTable:
        """Return the customers in memory, in the order of their ids; refuse if they take more than they may."""
        import pandas as pd

        if "fetched" in vars(self):
            return self.fetched
        require_room(len(self), self._bytes_per_customer, memory_gb)
        columns = self.engine.run(self.rows.order_by("id"))
        ids: pd.Index[Any] = pd.Index(columns["id"].to_pandas(), name="customer_id")
        described: dict[str, Any] = {"first_purchase": self._first_purchases(columns["first"])}
        if "first_value" in columns.column_names:
            described["first_value"] = numbers(columns, "first_value")
        attributes = pd.DataFrame(described, index=ids)
        for k, name in enumerate(self.names):
            attributes[name] = columns[f"a{k}"].to_pandas().set_axis(ids)
        own = {"x": "frequency", "t_x": "recency", "T": "age", "mean": "spend"}
        statistics = {name: numbers(columns, column) for name, column in own.items()}
        return MemoryTable(ids, statistics, attributes, order_values=self.order_values, log_waits=self.log_waits)

    @property
    def _bytes_per_customer(self) -> float:
        kinds = [self.rows[name].type() for name in self.rows.columns]
        plain = [kind.is_numeric() or kind.is_temporal() or kind.is_boolean() for kind in kinds]
        return sum(_BYTES_OF_NUMBER if number else _BYTES_OF_TEXT for number in plain)

    # ------------------------------------------------------------------------------------------- what stays

    @cached_property
    def table(self) -> ir.Table:
        """The histories as an Ibis table of the engine: ``customer_id, frequency, recency, T, monetary_value,
        first_purchase``, and with values ``first_value``, and the attributes.
        """  # noqa: D205 - the columns are the summary
        return self.engine.public(self._public_rows())

    def _public_rows(self) -> ir.Table:
        rows = self.rows
        columns = {name: rows[own] for name, own in _PUBLIC.items() if own in rows.columns}
        return rows.select(**columns, **{name: rows[f"a{k}"] for k, name in enumerate(self.names)})

    def evaluated(self, columns: Mapping[str, FloatArray]) -> ir.Table:
        """Return `rows` with further columns, given by distinct history, shape (distinct,) each.

        They are sent to the engine as a small table, which is joined there.
        """
        return evaluated(self.engine, self.rows, self.grid, self._counted, columns)

    def joined(self, columns: Mapping[str, FloatArray], statistics: tuple[str, ...]) -> ir.Table:
        """Return columns given by distinct row of some statistics as a table of the engine by customer_id."""
        if statistics != TRANSACTIONS:
            return self.fetched.joined(columns, statistics)
        table = self.evaluated(columns)
        return self.engine.public(table.select(customer_id=table.id, **{name: table[name] for name in columns}))

    def joined_spend(self, intercept: FloatArray, slope: FloatArray, unknown: float) -> ir.Table:
        """Return, by customer_id, a line in the mean value by distinct history; `unknown` where the mean is unknown."""
        table = self.evaluated({"intercept": intercept, "slope": slope})
        mean = self.known(table).ifelse(table.intercept + table.slope * table.spend, unknown)
        return self.engine.public(table.select(customer_id=table.id, mean=mean))

    def known(self, table: ir.Table) -> ir.BooleanValue:
        """Return which customers have a known value of repeat orders: a missing or negative mean is unknown."""
        return cast("ir.BooleanValue", known_spend(table.frequency, table.spend).fill_null(False))

    def in_unit(self, factor: float) -> Self:
        """Return the same with times multiplied by a factor."""
        rows = self.rows.mutate(recency=self.rows.recency * factor, age=self.rows.age * factor)
        grid = None if self.grid is None else self.grid.scaled(factor)
        waits = None if self.log_waits is None else self.log_waits.in_unit(factor)
        return replace(self, rows=rows, grid=grid, log_waits=waits)

    def on_grid(self, bound: float) -> Self:
        """Return the same on a grid of recency and T if there are more than `EXACT_HISTORIES` distinct histories."""
        require_bound(bound)
        if len(self) <= EXACT_HISTORIES:
            return self
        keys = self.rows.select("frequency", "recency", "age").distinct()
        number = self.engine.run(keys.aggregate(number=keys.count()))["number"][0].as_py()
        return self if number <= EXACT_HISTORIES else replace(self, grid=Grid(self.summary.oldest / STEPS, bound))

    def with_grid(self, grid: Grid) -> Self:
        """Return the same on this grid."""
        return replace(self, grid=grid)

    def with_attributes(self, table: object) -> Self:
        """Return the same with further columns by customer; what lies elsewhere is sent to the engine."""
        sent = self._sent(table)
        names = [name for name in sent.columns if name != "customer_id"]
        own = {name.lower() for name in (*_PUBLIC, *self.names)}  # engines do not tell upper and lower case apart
        taken = [name for name in names if name.lower() in own]
        if taken:
            raise DataError(f"the histories have a column {examples(taken)} already; rename it, or leave it out")
        columns = {f"a{len(self.names) + k}": sent[name] for k, name in enumerate(names)}
        columns["joined"] = sent.customer_id
        joined = self.rows.left_join(sent, self._same_id(sent)).select(self.rows, **columns)
        kept = self.engine.keep(joined)
        counts = self.engine.run(
            kept.aggregate(rows=kept.count(), missing=kept.count(where=kept.joined.isnull()))
        ).to_pylist()[0]
        if counts["missing"]:
            raise DataError(f"the table lacks {count(counts['missing'], 'customer')} of these histories")
        if counts["rows"] != len(self):
            raise DataError(f"the table has customers more than once: {counts['rows'] - len(self):,} rows too many")
        return replace(self, rows=kept.drop("joined"), names=(*self.names, *names))

    def _same_id(self, sent: ir.Table) -> ir.BooleanValue:
        """Return whether rows of the histories and of another table are of one customer."""
        ours, theirs = self.rows.id.type(), sent.customer_id.type()
        if ours.is_string() != theirs.is_string() or ours.is_numeric() != theirs.is_numeric():
            raise DataError(
                f"the customer ids of the table are {theirs}, and those of the histories {ours}; convert them to {ours}"
            )
        return self.rows.id == sent.customer_id

    def _sent(self, table: object) -> ir.Table:
        """Return a table of attributes as one of the engine."""
        import pyarrow as pa

        from clvmodels.data.frames import described
        from clvmodels.data.spark_engine import SparkEngine

        if hasattr(table, "sparkSession") and isinstance(self.engine, SparkEngine):
            table = self.engine.open(cast("pyspark.sql.DataFrame", table))
        if hasattr(table, "to_pyarrow") and hasattr(table, "columns"):
            given = cast("ir.Table", table)
            require(["customer_id"], list(given.columns), what="the table")
            return given if self.engine.holds(given) else self.engine.send(given.to_pyarrow())
        return self.engine.send(pa.Table.from_pandas(described(table), preserve_index=False))

    def write(self, path: str | Path) -> None:
        """Write the histories to a Parquet file, whole or not at all; engines of a cluster write a folder."""
        write_parquet(self.engine, self._public_rows(), path)

    def with_rows(self, rows: ir.Table, names: Sequence[str], engine: Engine | None = None) -> EngineTable:
        """Return the same histories with other attributes, or in another engine; what is counted stays counted.

        `names` are those of the attributes in the rows; without an engine, they lie in the same one.
        """
        moved = replace(self, engine=engine or self.engine, rows=rows, names=tuple(names))
        counted = ("summary", "_counted")
        vars(moved).update({name: vars(self)[name] for name in counted if name in vars(self)})
        return moved


def attribute_column(histories: EngineTable, table: ir.Table, name: str) -> ir.Column:
    """Return the column of an attribute.

    Raises
    ------
    DataError
        If the histories have no such attribute.
    """
    if _PUBLIC.get(name) in _ALSO and _PUBLIC[name] in table.columns:
        return table[_PUBLIC[name]]
    if name not in histories.names:
        known = one_of("column of the customers", name, histories.names)
        raise DataError(f"{known}; keep columns of the log with rfm_summary(..., attributes=[{name!r}])")
    return table[f"a{histories.names.index(name)}"]


def in_one_engine(tables: Sequence[HistoriesBackend]) -> bool:
    """Whether all histories lie in engines, and one reaches all of them."""
    engines = [table.engine for table in tables if isinstance(table, EngineTable)]
    return len(engines) == len(tables) and all(engines[0].reaches(engine) for engine in engines)
