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

from clvmodels.data.columns import count, examples
from clvmodels.data.grid import EXACT_HISTORIES, STEPS, Grid, spend_cells, time_cells
from clvmodels.data.histories import FloatArray, Histories, Outline
from clvmodels.errors import DataError, one_of
from clvmodels.files import whole_file
from clvmodels.numerics.distinct import DistinctRows
from clvmodels.units import DAYS, Unit, parse_unit

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd
    import pyarrow as pa

    from clvmodels.data.engine import Engine
    from clvmodels.data.report import DataReport

__all__ = ["Cells", "LazyHistories", "attribute_column"]

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


class Cells(NamedTuple):
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
    23,570 customers; 11,908 of them (50.5 %) bought once only; 44,021 repeat purchase occasions
    observed for 65.57 to 78.14 weeks, until 1998-06-30
    mean spend 36.88 a repeat occasion (11,662 customers); zero or less for 8 repeat customers
    rows: 69,659 read, 69,659 used (money 2,500,315.63)
    merged: purchases of one customer in one day are one occasion: 2,068 rows merged, 3.0% of 69,659 purchases
    >>> len(rfm.distinct.rows)
    18389
    """

    engine: Engine
    rows: ir.Table
    names: tuple[str, ...]
    unit: Unit
    observation_end: pd.Timestamp | None = None
    report: DataReport | None = None
    zone: tzinfo | None = None
    grid: Grid | None = None
    _cells: dict[tuple[str, ...], Cells] = field(default_factory=dict, init=False)

    # ---------------------------------------------------------------------------------------------------- what leaves

    @cached_property
    def outline(self) -> Outline:
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
                spend=rows.spend.mean(where=known),
                low=rows.count(where=known & (rows.spend <= 0)),
            )
        )
        return Outline(**{name: value or 0 for name, value in found.to_pylist()[0].items()})

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
        return self.engine.run(time_cells(self.rows, self.grid))

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

    def cells(self, by: Sequence[str] = ()) -> Cells:
        """Return the customers counted by distinct history, whether their spend is known, and some attributes."""
        if tuple(by) not in self._cells:
            self._cells[tuple(by)] = self.cells_of(self.rows, by, {})
        return self._cells[tuple(by)]

    def cells_of(self, table: ir.Table, by: Sequence[str], means: Mapping[str, tuple[Any, Any]]) -> Cells:
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
        keys = self._keys(table)
        keys |= {"known": self.known(table)}
        keys |= {f"by{k}": attribute_column(self, table, name) for k, name in enumerate(by)}
        sums = {"customers": table.count(), "spend": table.spend.mean(where=self.known(table))}
        for k, (values, weight) in enumerate(means.values()):
            sums[f"mean{k}"] = (values * weight).sum() / (weight + 0.0 * values).sum()
        found = self.engine.run(table.group_by(**keys).aggregate(**sums).order_by(list(keys)))
        return self._counted_cells(found, by, list(means))

    def _counted_cells(self, found: pa.Table, by: Sequence[str], means: Sequence[str]) -> Cells:
        import pandas as pd

        keys = np.column_stack([_numbers(found, name) for name in ("x", "t_x", "T")])
        place = np.cumsum(np.any(np.diff(keys, axis=0, prepend=keys[:1]) != 0.0, axis=1))
        x, t_x, T = self.distinct.rows.T
        attributes = {name: found[f"by{k}"].to_pandas() for k, name in enumerate(by)}
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
        return Cells(histories, _numbers(found, "customers"), place)

    def collect(self) -> Histories:
        """Return the histories in memory.

        Examples
        --------
        >>> import clvmodels as clv
        >>> lazy = clv.rfm_summary(clv.datasets.path("cdnow.parquet"), value="amount", resolution="day")
        >>> lazy.collect().frequency.sum()
        np.float64(44021.0)
        """
        import pandas as pd

        found = self.engine.run(self.rows.order_by("id"))
        ids: pd.Index[Any] = pd.Index(found["id"].to_pandas(), name="customer_id")
        first = pd.DatetimeIndex(found["first"].to_numpy().astype("datetime64[us]"))
        described: dict[str, Any] = {
            "first_purchase": first if self.zone is None else first.tz_localize("UTC").tz_convert(self.zone)
        }
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
        """Return the histories in memory, as a table by ``customer_id``; see `Histories.to_frame`."""
        return self.collect().to_frame()

    # ------------------------------------------------------------------------------------------- what stays

    @property
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
        import pyarrow as pa

        counted = self._counted
        keys = {f"key_{name}": counted[name] for name in ("x", "t_x", "T")}
        sent = self.engine.send(pa.table(keys | {name: pa.array(values) for name, values in columns.items()}))
        own = self._keys(self.rows)
        on = [own[name] == sent[f"key_{name}"] for name in own]
        joined: ir.Table = self.rows.inner_join(sent, on).select(self.rows, *(sent[name] for name in columns))
        return joined

    def predicted(self, columns: Mapping[str, FloatArray]) -> ir.Table:
        """Return columns given by distinct history, shape (distinct,) each, by customer_id: a table of the engine."""
        table = self.evaluated(columns)
        return self.engine.public(table.select(customer_id=table.id, **{name: table[name] for name in columns}))

    def known(self, table: ir.Table) -> ir.BooleanValue:
        """Return of whom the value of repeat orders is known: a mean that is missing or negative says nothing."""
        return ((table.frequency > 0) & (table.spend >= 0)).fill_null(False)

    def _keys(self, table: ir.Table) -> dict[str, ir.NumericValue]:
        keys = {"x": table.frequency, "t_x": table.recency, "T": table.age}
        return keys if self.grid is None else {name: self.grid.cell(name, column) for name, column in keys.items()}

    def in_unit(self, unit: str) -> LazyHistories:
        """Return the same histories with recency and T in another unit."""
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
            If the bound is not positive.
        """
        if not bound > 0.0:
            raise DataError(
                "grid is by how much the log-likelihood of a customer may move on average, such as 1e-6, got "
                f"{bound!r}; None for no grid"
            )
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
            A table with a column ``customer_id``: an Ibis table of the same engine, or one in memory (pandas, polars,
            Arrow), which is sent there.

        Raises
        ------
        DataError
            If a customer is missing or there twice, or the histories have such a column already.

        Examples
        --------
        >>> import pandas as pd
        >>> import clvmodels as clv
        >>> rfm = clv.rfm_summary(clv.datasets.path("cdnow.parquet"), value="amount", resolution="day")
        >>> ids = rfm.table.customer_id.to_pandas()
        >>> segments = pd.DataFrame({"customer_id": ids, "segment": ids.str[-1]})
        >>> rfm.with_attributes(segments).names
        ('segment',)
        """
        described = self._sent(table)
        names = [name for name in described.columns if name != "customer_id"]
        taken = [name for name in names if name in {*_PUBLIC, *self.names}]
        if taken:
            raise DataError(f"the histories have a column {examples(taken)} already; rename it, or leave it out")
        columns = {f"a{len(self.names) + k}": described[name] for k, name in enumerate(names)}
        columns["joined"] = described.customer_id
        joined = self.rows.left_join(described, self.rows.id == described.customer_id).select(self.rows, **columns)
        found = self.engine.keep(joined, order_by="id")
        counts = self.engine.run(
            found.aggregate(rows=found.count(), missing=found.count(where=found.joined.isnull()))
        ).to_pylist()[0]
        if counts["missing"]:
            raise DataError(f"the table lacks {count(counts['missing'], 'customer')} of these histories")
        if counts["rows"] != len(self):
            raise DataError(f"the table has customers more than once: {counts['rows'] - len(self):,} rows too many")
        return replace(self, rows=found.drop("joined"), names=(*self.names, *names))

    def _sent(self, table: object) -> ir.Table:
        """Return a table of attributes as one of the engine."""
        import pyarrow as pa

        from clvmodels.data.tables import pandas_frame

        if hasattr(table, "to_pyarrow") and hasattr(table, "columns"):
            return cast("ir.Table", table)
        frame = pandas_frame(table)
        frame = frame if "customer_id" in frame.columns else frame.reset_index(names="customer_id")
        return self.engine.send(pa.Table.from_pandas(frame, preserve_index=False))

    def write(self, path: str | Path) -> None:
        """Write the table of histories to a Parquet file, whole or not at all; engines of a cluster write a folder."""
        write_parquet(self.engine, self._public_rows(), Path(path))

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


def attribute_column(histories: LazyHistories, table: ir.Table, name: str) -> ir.Column:
    """Return the column of an attribute.

    Raises
    ------
    DataError
        If the histories have no such attribute.
    """
    if name not in histories.names:
        known = one_of("column of the customers", name, histories.names)
        raise DataError(f"{known}; keep columns of the log with rfm_summary(..., attributes=[{name!r}])")
    return table[f"a{histories.names.index(name)}"]


def write_parquet(engine: Engine, expression: ir.Table, path: Path) -> None:
    """Write the rows of an expression to Parquet, whole or not at all."""
    with whole_file(path) as part:
        engine.write(expression, part)


def _numbers(table: pa.Table, name: str) -> FloatArray:
    """Return a numeric column as floats; NULL becomes NaN."""
    numbers: FloatArray = table[name].cast("float64").to_numpy()
    return numbers.astype(np.float64, copy=False)


def _distinct(columns: Sequence[FloatArray], weight: FloatArray) -> DistinctRows:
    return DistinctRows(np.asfortranarray(np.column_stack(columns)), weight, np.empty(0, np.int64))
