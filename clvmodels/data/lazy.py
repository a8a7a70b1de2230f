"""Purchase histories that stay in an engine: only distinct histories, counts and sums leave it."""

# ruff: noqa: PD003, PD004 - isnull and notnull are what Ibis has

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, cast

import numpy as np
import numpy.typing as npt

from clvmodels.data.arithmetic import steady_sum
from clvmodels.data.columns import count, examples, require
from clvmodels.data.grid import EXACT_HISTORIES, STEPS, Grid, require_bound, spend_cells, time_cells
from clvmodels.data.histories import FloatArray, Histories, HistoriesSummary
from clvmodels.errors import DataError, one_of
from clvmodels.files import whole_file
from clvmodels.numerics.distinct import DistinctRows
from clvmodels.units import DAYS, Unit, parse_unit

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd
    import pyarrow as pa
    import pyspark.sql

    from clvmodels.data.engine import Engine
    from clvmodels.data.report import DataReport

__all__ = ["LazyHistories", "WeightedHistories", "attribute_column", "require_histories"]

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


class WeightedHistories(NamedTuple):
    """Customers counted by what tells them apart.

    Attributes
    ----------
    histories
        A history for each cell; its monetary value is the mean over the customers, its attributes are those asked for.
    weight
        Number of customers in each cell, shape (cells,).
    place
        The distinct (frequency, recency, T) of each cell: its position in `LazyHistories.distinct`, shape (cells,).
    """

    histories: Histories
    weight: FloatArray
    place: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class LazyHistories:
    """The purchase histories of many customers, in an engine; made by `rfm_summary` of what lies in one.

    Fits, predictions and valuations take them like `Histories`. Predictions are then tables of the engine.

    Attributes
    ----------
    engine
        Where they lie.
    rows
        One row a customer: ``id``, ``frequency``, ``recency``, ``age``, ``spend``, ``first``, ``first_value``, and
        the attributes ``a0``, ``a1``, ...
    names
        Names of the attributes.
    unit
        The unit of model time.
    observation_end
        The last instant observed; a midnight stands for the whole of that day.
    report
        What became of the rows of the log.
    zone
        The zone of the first purchases, which are instants in UTC here; None if they are local times.
    grid
        The grid that recency and T are put on for fits and predictions; None: no grid.

    Examples
    --------
    >>> import clvmodels as clv
    >>> rfm = clv.rfm_summary(clv.datasets.path("cdnow.parquet"), value="amount", resolution="day")
    >>> print(rfm)
    23,570 customers; 12,054 of them (51.1 %) bought once only; 44,021 repeat purchase occasions
    observed for 66 to 77.86 weeks, until 1998-06-30
    mean spend 38.98 per repeat occasion; the mean of the means of 11,516 customers is 35.97; zero or less for 1 ...
    rows: 69,659 read, 69,659 used (money 2,500,315.63)
    merged: purchases of one customer in one day are one occasion: 2,068 rows merged, 3.0% of 69,659 purchases
    >>> len(rfm.distinct.rows)
    11104
    """

    engine: Engine
    rows: ir.Table
    names: tuple[str, ...]
    unit: Unit
    observation_end: pd.Timestamp | None = None
    report: DataReport | None = None
    zone: tzinfo | None = None
    grid: Grid | None = None
    _cells: dict[tuple[str, ...], WeightedHistories] = field(default_factory=dict, init=False)

    # ---------------------------------------------------------------------------------------------------- what leaves

    @cached_property
    def outline(self) -> HistoriesSummary:
        """Numbers about all customers."""
        rows = self.rows
        repeat = rows.frequency > 0
        known = repeat & rows.spend.notnull()
        found = self.engine.run(
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
        return HistoriesSummary(**{name: value or 0 for name, value in found.to_pylist()[0].items()})

    @cached_property
    def distinct(self) -> DistinctRows:
        """The distinct (frequency, recency, T) and their weights; on a grid, the means of its cells."""
        found = self._counted
        columns = [_numbers(found, name) for name in ("frequency", "recency", "age")]
        return _distinct(columns, _numbers(found, "customers"))

    @cached_property
    def spread(self) -> FloatArray:
        """Variance of recency, covariance, and variance of T within the distinct histories; shape (distinct, 3).

        Zero without a grid.
        """
        if self.grid is None:
            return np.zeros((len(self._counted), 3))
        return np.column_stack([_numbers(self._counted, name) for name in ("var_recency", "covariance", "var_age")])

    @cached_property
    def _counted(self) -> pa.Table:
        return self.engine.run(time_cells(self.rows, self.grid, customers=len(self)))

    @cached_property
    def distinct_spend(self) -> DistinctRows:
        """The distinct (frequency, monetary value) of repeat customers with a positive one, and their weights.

        Of millions, the values are put on a logarithmic grid, and are the geometric means of its cells.
        """
        found = self._spend
        return _distinct([_numbers(found, "frequency"), _numbers(found, "spend")], _numbers(found, "customers"))

    @cached_property
    def spread_of_spend(self) -> FloatArray:
        """Variance of the logarithm of the monetary value within `distinct_spend`, shape (distinct,)."""
        return _numbers(self._spend, "variance")

    @cached_property
    def _spend(self) -> pa.Table:
        return self.engine.run(spend_cells(self.rows, customers=self.outline.known))

    def cells(self, by: Sequence[str] = ()) -> WeightedHistories:
        """Return the customers counted by distinct history, whether their spend is known, and some attributes.

        Examples
        --------
        >>> import ibis
        >>> import pyarrow as pa
        >>> import clvmodels as clv
        >>> log = {"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-15", "2024-01-08"]}
        >>> log |= {"amount": [20.0, 30.0, 50.0], "segment": ["a", "a", "b"]}
        >>> table = ibis.memtable(pa.table(log))
        >>> rfm = clv.rfm_summary(table, value="amount", resolution="day", attributes=["segment"])
        >>> rfm.cells(["segment"]).weight
        array([1., 1.])
        """
        if tuple(by) not in self._cells:
            self._cells[tuple(by)] = self.cells_of(self.rows, by, {})
        return self._cells[tuple(by)]

    def cells_of(self, table: ir.Table, by: Sequence[str], means: Mapping[str, tuple[Any, Any]]) -> WeightedHistories:
        """Return the same of what `evaluated` returns, with weighted means of columns as attributes.

        Parameters
        ----------
        table
            The histories.
        by
            Names of attributes.
        means
            By name, columns of the table and their weights.

        Examples
        --------
        >>> import ibis
        >>> import pyarrow as pa
        >>> import clvmodels as clv
        >>> log = {"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-15", "2024-01-08"]}
        >>> log |= {"amount": [20.0, 30.0, 50.0], "segment": ["a", "a", "b"]}
        >>> table = ibis.memtable(pa.table(log))
        >>> rfm = clv.rfm_summary(table, value="amount", resolution="day", attributes=["segment"])
        >>> rfm.cells_of(rfm.rows, [], {"age": (rfm.rows.age, 1.0)}).histories.attributes["age"].round(2).to_list()
        [1.0, 2.0]
        """
        keys = self._keys(table)
        keys |= {"known": self.known(table)}
        keys |= {f"by{k}": attribute_column(self, table, name) for k, name in enumerate(by)}
        known = self.known(table).ifelse(1.0, 0.0)
        columns = {"spend": (table.spend, known)} | {f"mean{k}": pair for k, pair in enumerate(means.values())}
        sums = {"customers": table.count()} | self._means(table, columns)
        found = self.engine.run(table.group_by(**keys).aggregate(**sums).order_by(list(keys)))
        return self._counted_cells(found, by, list(means))

    def _means(self, table: ir.Table, columns: Mapping[str, tuple[Any, Any]]) -> dict[str, ir.FloatingScalar]:
        """Return weighted means of columns over groups of a table, by name; the same in whatever order rows come."""
        parts = {f"{name}_sum": values * weight for name, (values, weight) in columns.items()}
        parts |= {f"{name}_weight": weight + 0.0 * values for name, (values, weight) in columns.items()}
        sizes = self.engine.run(table.aggregate(**{name: part.abs().sum() for name, part in parts.items()}))
        size = {name: value or 0.0 for name, value in sizes.to_pylist()[0].items()}
        sums = {name: steady_sum(part, size=size[name], rows=len(self)) for name, part in parts.items()}
        return {name: sums[f"{name}_sum"] / sums[f"{name}_weight"].nullif(0.0) for name in columns}

    def _counted_cells(self, found: pa.Table, by: Sequence[str], means: Sequence[str]) -> WeightedHistories:
        import pandas as pd

        keys = np.column_stack([_numbers(found, name) for name in ("x", "t_x", "T")])
        place = np.cumsum(np.any(np.diff(keys, axis=0, prepend=keys[:1]) != 0.0, axis=1))
        x, t_x, T = self.distinct.rows.T
        attributes: dict[str, Any] = {name: found[f"by{k}"].to_pandas() for k, name in enumerate(by)}
        if "first_purchase" in attributes:
            attributes["first_purchase"] = self._first_purchases(found[f"by{by.index('first_purchase')}"])
        attributes |= {name: pd.Series(_numbers(found, f"mean{k}")) for k, name in enumerate(means)}
        index = pd.RangeIndex(len(place))
        histories = Histories(
            customer_id=index,
            frequency=x[place],
            recency=t_x[place],
            T=T[place],
            monetary_value=_numbers(found, "spend"),
            attributes=pd.DataFrame(attributes, index=index),
            unit=self.unit,
            observation_end=self.observation_end,
            report=self.report,
        )
        return WeightedHistories(histories, _numbers(found, "customers"), place)

    def _first_purchases(self, column: pa.ChunkedArray) -> pd.DatetimeIndex:
        """Return first purchases as they are in memory: in their zone, if they have one."""
        import pandas as pd

        first = pd.DatetimeIndex(column.to_numpy().astype("datetime64[us]"))
        return first if self.zone is None else first.tz_localize("UTC").tz_convert(self.zone)

    def collect(self) -> Histories:
        """Return the histories in memory.

        Examples
        --------
        >>> import ibis
        >>> import pyarrow as pa
        >>> import clvmodels as clv
        >>> log = {"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-15", "2024-01-08"]}
        >>> log |= {"amount": [20.0, 30.0, 50.0], "segment": ["a", "a", "b"]}
        >>> table = ibis.memtable(pa.table(log))
        >>> rfm = clv.rfm_summary(table, value="amount", resolution="day", attributes=["segment"])
        >>> rfm.collect().frequency.tolist()
        [1.0, 0.0]
        """
        import pandas as pd

        found = self.engine.run(self.rows.order_by("id"))
        ids: pd.Index[Any] = pd.Index(found["id"].to_pandas(), name="customer_id")
        described: dict[str, Any] = {"first_purchase": self._first_purchases(found["first"])}
        if "first_value" in found.column_names:
            described["first_value"] = _numbers(found, "first_value")
        attributes = pd.DataFrame(described, index=ids)
        for k, name in enumerate(self.names):
            attributes[name] = found[f"a{k}"].to_pandas().set_axis(ids)
        return Histories(
            customer_id=ids,
            frequency=_numbers(found, "frequency"),
            recency=_numbers(found, "recency"),
            T=_numbers(found, "age"),
            monetary_value=_numbers(found, "spend"),
            attributes=attributes,
            unit=self.unit,
            observation_end=self.observation_end,
            report=self.report,
        )

    def to_frame(self) -> pd.DataFrame:
        """Return the histories in memory, as a table by ``customer_id``; see `Histories.to_frame`.

        Examples
        --------
        >>> import ibis
        >>> import pyarrow as pa
        >>> import clvmodels as clv
        >>> log = {"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-15", "2024-01-08"]}
        >>> log |= {"amount": [20.0, 30.0, 50.0], "segment": ["a", "a", "b"]}
        >>> table = ibis.memtable(pa.table(log))
        >>> rfm = clv.rfm_summary(table, value="amount", resolution="day", attributes=["segment"])
        >>> rfm.to_frame()[["frequency", "recency", "T"]]
                     frequency  recency    T
        customer_id
        1                  1.0      2.0  2.0
        2                  0.0      0.0  1.0
        """
        return self.collect().to_frame()

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

        Examples
        --------
        >>> import ibis
        >>> import pyarrow as pa
        >>> import clvmodels as clv
        >>> log = {"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-15", "2024-01-08"]}
        >>> log |= {"amount": [20.0, 30.0, 50.0], "segment": ["a", "a", "b"]}
        >>> table = ibis.memtable(pa.table(log))
        >>> rfm = clv.rfm_summary(table, value="amount", resolution="day", attributes=["segment"])
        >>> table = rfm.evaluated({"alive": np.array([0.9, 0.8])}).order_by("id").select("id", "alive")
        >>> rfm.engine.run(table).to_pydict()
        {'id': [1, 2], 'alive': [0.8, 0.9]}
        """
        import pyarrow as pa

        counted = self._counted
        keys = {f"key_{name}": counted[name] for name in ("x", "t_x", "T")}
        sent = self.engine.send(pa.table(keys | {name: pa.array(values) for name, values in columns.items()}))
        own = self._keys(self.rows)
        on = [own[name] == sent[f"key_{name}"] for name in own]
        joined: ir.Table = self.rows.inner_join(sent, on).select(self.rows, *(sent[name] for name in columns))
        return joined

    def predicted(self, columns: Mapping[str, FloatArray]) -> ir.Table:
        """Return columns given by distinct history, shape (distinct,) each, by customer_id: a table of the engine.

        Examples
        --------
        >>> import ibis
        >>> import pyarrow as pa
        >>> import clvmodels as clv
        >>> log = {"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-15", "2024-01-08"]}
        >>> log |= {"amount": [20.0, 30.0, 50.0], "segment": ["a", "a", "b"]}
        >>> table = ibis.memtable(pa.table(log))
        >>> rfm = clv.rfm_summary(table, value="amount", resolution="day", attributes=["segment"])
        >>> rfm.predicted({"alive": np.array([0.9, 0.8])}).order_by("customer_id").to_pyarrow().to_pydict()
        {'customer_id': [1, 2], 'alive': [0.8, 0.9]}
        """
        table = self.evaluated(columns)
        return self.engine.public(table.select(customer_id=table.id, **{name: table[name] for name in columns}))

    def known(self, table: ir.Table) -> ir.BooleanValue:
        """Return of whom the value of repeat orders is known: a mean that is missing or negative says nothing.

        Examples
        --------
        >>> import ibis
        >>> import pyarrow as pa
        >>> import clvmodels as clv
        >>> log = {"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-15", "2024-01-08"]}
        >>> log |= {"amount": [20.0, 30.0, 50.0], "segment": ["a", "a", "b"]}
        >>> table = ibis.memtable(pa.table(log))
        >>> rfm = clv.rfm_summary(table, value="amount", resolution="day", attributes=["segment"])
        >>> rfm.engine.run(rfm.rows.select("id", known=rfm.known(rfm.rows))).to_pydict()
        {'id': [1, 2], 'known': [True, False]}
        """
        return ((table.frequency > 0) & (table.spend >= 0)).fill_null(False)

    def _keys(self, table: ir.Table) -> dict[str, ir.NumericValue]:
        keys = {"x": table.frequency, "t_x": table.recency, "T": table.age}
        return keys if self.grid is None else {name: self.grid.cell(name, column) for name, column in keys.items()}

    def in_unit(self, unit: str) -> LazyHistories:
        """Return the same histories with recency and T in another unit.

        Examples
        --------
        >>> import ibis
        >>> import pyarrow as pa
        >>> import clvmodels as clv
        >>> log = {"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-15", "2024-01-08"]}
        >>> log |= {"amount": [20.0, 30.0, 50.0], "segment": ["a", "a", "b"]}
        >>> table = ibis.memtable(pa.table(log))
        >>> rfm = clv.rfm_summary(table, value="amount", resolution="day", attributes=["segment"])
        >>> rfm.in_unit("day").distinct.rows.round().tolist()
        [[0.0, 0.0, 7.0], [1.0, 14.0, 14.0]]
        """
        name = parse_unit(unit)
        factor = DAYS[self.unit] / DAYS[name]
        rows = self.rows.mutate(recency=self.rows.recency * factor, age=self.rows.age * factor)
        return replace(self, unit=name, rows=rows, grid=None if self.grid is None else self.grid.scaled(factor))

    def on_grid(self, bound: float) -> LazyHistories:
        """Return the histories on a grid of recency and T if there are more than `EXACT_HISTORIES` distinct ones.

        Parameters
        ----------
        bound
            The log-likelihood of a customer may move by this on average.

        Raises
        ------
        DataError
            If the bound is no positive number.

        Examples
        --------
        >>> import ibis
        >>> import pyarrow as pa
        >>> import clvmodels as clv
        >>> log = {"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-15", "2024-01-08"]}
        >>> log |= {"amount": [20.0, 30.0, 50.0], "segment": ["a", "a", "b"]}
        >>> table = ibis.memtable(pa.table(log))
        >>> rfm = clv.rfm_summary(table, value="amount", resolution="day", attributes=["segment"])
        >>> rfm.on_grid(1e-6).grid is None  # there are few
        True
        """
        require_bound(bound)
        if len(self) <= EXACT_HISTORIES:
            return self
        keys = self.rows.select("frequency", "recency", "age").distinct()
        number = self.engine.run(keys.aggregate(number=keys.count()))["number"][0].as_py()
        return self if number <= EXACT_HISTORIES else replace(self, grid=Grid(self.outline.oldest / STEPS, bound))

    def with_attributes(self, table: object) -> LazyHistories:
        """Return the histories with further columns by customer.

        Parameters
        ----------
        table
            A table with a column ``customer_id``: an Ibis table, a DataFrame of the same Spark, or one in memory
            (pandas, polars, Arrow). What lies elsewhere is sent to the engine.

        Raises
        ------
        DataError
            If there are no ids, a customer is missing or there twice, or the histories have such a column already.

        Examples
        --------
        >>> import ibis
        >>> import pyarrow as pa
        >>> import clvmodels as clv
        >>> log = {"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-15", "2024-01-08"]}
        >>> log |= {"amount": [20.0, 30.0, 50.0], "segment": ["a", "a", "b"]}
        >>> table = ibis.memtable(pa.table(log))
        >>> rfm = clv.rfm_summary(table, value="amount", resolution="day", attributes=["segment"])
        >>> channels = pa.table({"customer_id": [1, 2], "channel": ["shop", "web"]})
        >>> rfm.with_attributes(channels).names
        ('segment', 'channel')
        """
        sent = self._sent(table)
        names = [name for name in sent.columns if name != "customer_id"]
        own = {name.lower() for name in (*_PUBLIC, *self.names)}  # engines do not tell upper and lower case apart
        taken = [name for name in names if name.lower() in own]
        if taken:
            raise DataError(f"the histories have a column {examples(taken)} already; rename it, or leave it out")
        columns = {f"a{len(self.names) + k}": sent[name] for k, name in enumerate(names)}
        columns["joined"] = sent.customer_id
        joined = self.rows.left_join(sent, self._same_id(sent)).select(self.rows, **columns)
        found = self.engine.keep(joined)
        counts = self.engine.run(
            found.aggregate(rows=found.count(), missing=found.count(where=found.joined.isnull()))
        ).to_pylist()[0]
        if counts["missing"]:
            raise DataError(f"the table lacks {count(counts['missing'], 'customer')} of these histories")
        if counts["rows"] != len(self):
            raise DataError(f"the table has customers more than once: {counts['rows'] - len(self):,} rows too many")
        return replace(self, rows=found.drop("joined"), names=(*self.names, *names))

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

        from clvmodels.data.engine import SparkEngine
        from clvmodels.data.tables import described

        if hasattr(table, "sparkSession") and isinstance(self.engine, SparkEngine):
            table = self.engine.open(cast("pyspark.sql.DataFrame", table))
        if hasattr(table, "to_pyarrow") and hasattr(table, "columns"):
            given = cast("ir.Table", table)
            require(["customer_id"], list(given.columns), what="the table")
            return given if self.engine.holds(given) else self.engine.send(given.to_pyarrow())
        return self.engine.send(pa.Table.from_pandas(described(table), preserve_index=False))

    def write(self, path: str | Path) -> None:
        """Write the table of histories to a Parquet file, whole or not at all; engines of a cluster write a folder.

        Examples
        --------
        >>> import ibis
        >>> import pyarrow as pa
        >>> import clvmodels as clv
        >>> log = {"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-15", "2024-01-08"]}
        >>> log |= {"amount": [20.0, 30.0, 50.0], "segment": ["a", "a", "b"]}
        >>> table = ibis.memtable(pa.table(log))
        >>> rfm = clv.rfm_summary(table, value="amount", resolution="day", attributes=["segment"])
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     rfm.write(Path(folder) / "histories.parquet")
        ...     [file.name for file in Path(folder).iterdir()]
        ['histories.parquet']
        """
        write_parquet(self.engine, self._public_rows(), path)

    def with_rows(self, rows: ir.Table, names: Sequence[str], engine: Engine | None = None) -> LazyHistories:
        """Return the same histories with other attributes, or in another engine; what is counted stays counted.

        Parameters
        ----------
        rows
            The same customers, with columns as `rows` has them.
        names
            Names of the attributes in them.
        engine
            Where they lie; None: in the same engine.

        Examples
        --------
        >>> import clvmodels as clv
        >>> rfm = clv.rfm_summary(clv.datasets.path("cdnow.parquet"), value="amount", resolution="day")
        >>> started = rfm.rows.mutate(a0=rfm.rows["first"].month())
        >>> rfm.with_rows(started, ["month"]).cells(["month"]).weight.sum()
        np.float64(23570.0)
        """
        found = replace(self, engine=engine or self.engine, rows=rows, names=tuple(names))
        counted = ("outline", "_counted")
        vars(found).update({name: vars(self)[name] for name in counted if name in vars(self)})
        return found

    # ------------------------------------------------------------------------------------------------------- in words

    @property
    def has_spend(self) -> bool:
        """Whether any customer has a known mean value of a repeat occasion."""
        return self.outline.known > 0

    def __len__(self) -> int:
        return int(self.outline.customers)

    def __repr__(self) -> str:
        lines = [*self.outline.lines(self.unit, self.observation_end)]
        if self.report is not None:
            lines += self.report.lines()
        return "\n".join(lines)

    def __getattr__(self, name: str) -> NoReturn:
        """Say how to come by what histories in memory have."""
        if name in {"customer_id", "frequency", "recency", "T", "monetary_value", "attributes", "select"}:
            raise AttributeError(
                f"these histories stay in their engine and have no {name!r} in memory; rfm.collect() fetches them all, "
                "rfm.table is their table in the engine"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def require_histories(given: object) -> None:
    """Refuse what is not histories, such as the log that they are made of.

    Raises
    ------
    DataError
        Which says how histories are made.

    Examples
    --------
    >>> require_histories([1, 2])
    Traceback (most recent call last):
        ...
    clvmodels.errors.DataError: histories are wanted, got list; write rfm_summary(log, ...) of a log, one row a
    purchase, or Histories.from_frame(table, unit=...) of frequency, recency and T
    """
    if not isinstance(given, Histories | LazyHistories):
        raise DataError(
            f"histories are wanted, got {type(given).__name__}; write rfm_summary(log, ...) of a log, one row a "
            "purchase, or Histories.from_frame(table, unit=...) of frequency, recency and T"
        )


def attribute_column(histories: LazyHistories, table: ir.Table, name: str) -> ir.Column:
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


def write_parquet(engine: Engine, expression: ir.Table, path: str | Path) -> None:
    """Write the rows of an expression to Parquet, by customer_id, whole or not at all.

    Raises
    ------
    DataError
        If the path is one of another machine's.
    """
    if "://" in str(path):
        raise DataError(
            f"cannot write whole or not at all to {str(path)!r}, no path of this machine; write the table in the "
            f"engine yourself: .to_parquet({str(path)!r})"
        )
    with whole_file(Path(path)) as part:
        engine.write(expression, part, order_by="customer_id")


def _numbers(table: pa.Table, name: str) -> FloatArray:
    """Return a numeric column as floats, closed to writing; NULL becomes NaN."""
    numbers, start = np.empty(len(table)), 0
    for chunk in table[name].cast("float64").chunks:
        numbers[start : start + len(chunk)] = chunk.to_numpy(zero_copy_only=False)
        start += len(chunk)
    numbers.flags.writeable = False
    return numbers


def _distinct(columns: Sequence[FloatArray], weight: FloatArray) -> DistinctRows:
    """Return what was fetched as distinct rows, writeable as those in memory, for which sums are compiled."""
    return DistinctRows(np.asfortranarray(np.column_stack(columns)), weight.copy())
