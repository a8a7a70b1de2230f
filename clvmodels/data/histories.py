"""Purchase histories: all a model sees of the customers, with the unit of time they are measured in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from clvmodels.data.backends import HistoriesBackend
from clvmodels.data.memory_limit import MEMORY_GB
from clvmodels.data.memory_table import MemoryTable, Selection
from clvmodels.data.more_columns import MoreColumns
from clvmodels.data.statistics import TRANSACTIONS, FloatArray
from clvmodels.units import DAYS, Unit, parse_unit

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from clvmodels.data.grid import Grid
    from clvmodels.data.purchase_dates import PurchaseDates
    from clvmodels.data.purchase_days import PurchaseDays, PurchaseDaysInEngine
    from clvmodels.data.report import DataReport
    from clvmodels.data.summary import HistoriesSummary
    from clvmodels.numerics.distinct import DistinctRows

__all__ = ["FloatArray", "Histories", "WeightedHistories"]


class WeightedHistories(NamedTuple):
    """Customers counted by what tells them apart.

    Attributes
    ----------
    histories
        A history for each kind of customers, with their number as weight; its monetary value is their mean.
    place
        The distinct (x, t_x, T) of each: its position in `Histories.distinct`, shape (rows,).
    """

    histories: Histories
    place: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class Histories(MoreColumns):
    """The purchase histories of n customers. Immutable; made by `rfm_summary` or `Histories.from_frame`.

    The customers lie in memory or in an engine (DuckDB, Spark, or any other of Ibis): it makes no difference to what
    histories can do. Of those in an engine, counts and sums are fetched; the columns by customer (`frequency`,
    `attributes`, ...) when they are asked for, if they take no more than 1 GB.

    Attributes
    ----------
    backend
        Where the customers lie.
    unit
        The unit of model time.
    observation_end
        The last instant observed; a midnight stands for the whole of that day. None if unknown.
    report
        What became of the rows of the log; None if the histories came from a table.
    repeat_purchases
        The repeat purchases of all customers by day, which a calendar needs; None if the histories came from a table.
    purchase_dates
        When customers bought, which their own paths need; None if the histories came from a table or a pickle.

    Examples
    --------
    >>> print(rfm)
    3 customers; 1 of them (33.3 %) bought once only; 7 repeat purchase occasions
    ...
    """

    backend: HistoriesBackend
    unit: Unit
    observation_end: pd.Timestamp | None = None
    report: DataReport | None = None
    repeat_purchases: PurchaseDays | PurchaseDaysInEngine | None = None
    purchase_dates: PurchaseDates | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "unit", parse_unit(self.unit))

    @classmethod
    def of_arrays(
        cls,
        customer_id: pd.Index[Any],
        statistics: Mapping[str, FloatArray],
        *,
        unit: str,
        attributes: pd.DataFrame | None = None,
        weight: FloatArray | None = None,
    ) -> Histories:
        """Return histories of arrays, whose numbers are taken as they are; `from_frame` checks those of a table.

        Parameters
        ----------
        customer_id
            Unique ids, an index of length n.
        statistics
            Sufficient statistics by name: ``x`` (repeat purchases), ``t_x`` (age at the last of them), ``T`` (age),
            ``mean`` (mean value of a repeat purchase); shape (n,) each.
        unit
            The unit of times.
        attributes
            Other columns by customer, with n rows.
        weight
            How many customers each row stands for, shape (n,); None: one.

        Raises
        ------
        DataError
            If the lengths differ, or ids are there twice.

        Examples
        --------
        >>> columns = {"x": np.array([2.0]), "t_x": np.array([30.43]), "T": np.array([38.86])}
        >>> Histories.of_arrays(rfm.customer_id[:1], columns, unit="week").recency
        array([30.43])
        """
        import pandas as pd

        table = pd.DataFrame(index=customer_id) if attributes is None else attributes
        return cls(MemoryTable(customer_id, statistics, table, weight), parse_unit(unit))

    @classmethod
    def from_frame(
        cls,
        table: object,
        *,
        unit: str,
        observation_end: str | pd.Timestamp | None = None,
        customer_id: str = "customer_id",
        frequency: str = "frequency",
        recency: str = "recency",
        T: str = "T",
        monetary_value: str = "monetary_value",
        time_since_last: str | None = None,
        statistics: Mapping[str, str] | None = None,
    ) -> Histories:
        """Take over a table of purchase histories, after checking what is commonly wrong with such tables.

        It has one row for each customer; or one for each distinct history, with the number of customers in a column
        ``weight`` (or ``weights``), and then needs no ids.

        Parameters
        ----------
        table
            A pandas, polars or Arrow table. The customer ids may be the index of a pandas table.
        unit
            The unit that recency and T are measured in: ``"hour"``, ``"day"``, ``"week"``, ``"month"``, ``"year"``.
        observation_end
            When the observation of these customers ended, if known.
        customer_id, frequency, recency, T, monetary_value
            Names of the columns; spend is optional, others become `attributes`. ``periods`` may stand for T; for all,
            of contracts, ``renewals`` and ``churned`` (1: left), with ``periods`` (due), ``observed_from`` if known.
        statistics
            Further columns that are sufficient statistics of a model, and the names by which it calls them, such as
            ``{"sum of logs": "sum_log"}``.
        time_since_last
            Name of a column with the time since the last purchase, which many call recency; it is subtracted from T.

        Raises
        ------
        DataError
            If a column is missing or not numeric, an id missing or repeated, a number missing, negative or infinite, a
            frequency or weight no whole number, a recency beyond T, time since the last purchase given as recency, or
            frequency counted with the first purchase. The message names customers and what to write instead.
        UnitError
            If there is no such unit.

        Warns
        -----
        DataWarning
            If there is no customer who bought once, T seems to be measured to a day after the end of the data, or
            customers have a repeat purchase and a recency of zero.

        Examples
        --------
        >>> import pandas as pd
        >>> table = pd.DataFrame({"ID": [3, 1, 2], "frequency": [1, 0, 0], "since": [4, 10, 8], "T": [10, 10, 8]})
        >>> rfm = Histories.from_frame(table, unit="week", customer_id="ID", time_since_last="since")
        >>> rfm.to_frame()["recency"].to_dict()
        {3: 6.0, 1: 0.0, 2: 0.0}

        Distinct histories with the number of customers who have each:

        >>> Histories.from_frame(clv.datasets.load_donations(), unit="year").customers
        11104
        """
        from clvmodels.data.bounds import read_time
        from clvmodels.data.tables import Names, read_histories

        names = Names(customer_id, frequency, recency, T, monetary_value, time_since_last)
        return cls(
            read_histories(table, names, dict(statistics or {}), parse_unit(unit)),
            parse_unit(unit),
            None if observation_end is None else read_time(observation_end, "observation_end"),
        )

    def collect(self, *, memory_gb: float = MEMORY_GB) -> Histories:
        """Return the histories in memory.

        Parameters
        ----------
        memory_gb
            What they may take, in GB (1e9 bytes).

        Raises
        ------
        DataError
            If they would take more.

        Examples
        --------
        >>> rfm = clv.rfm_summary(clv.datasets.path("cdnow.parquet"), value="amount", resolution="day")
        >>> rfm.in_memory, rfm.collect().in_memory
        (False, True)
        """
        if self.in_memory:
            return self
        days = None if self.repeat_purchases is None else self.repeat_purchases.fetched()
        return replace(self, backend=self.backend.collect(memory_gb), repeat_purchases=days)

    def select(self, customers: Selection) -> Histories:
        """Return the histories of some customers, in memory.

        Parameters
        ----------
        customers
            Ids, in the order wanted; or one boolean a customer, as an array of length n or as a Series by customer id.

        Raises
        ------
        DataError
            If an id is unknown or given twice, or the booleans do not fit the customers.

        Examples
        --------
        >>> len(rfm.select(["B"]))
        1
        """
        return replace(self, backend=self.backend.fetched.select(customers))

    def with_statistics(self, statistics: Mapping[str, FloatArray]) -> Histories:
        """Return the histories in memory with other statistics in place of their own, shape (n,) each.

        Examples
        --------
        >>> rfm.with_statistics({"T": np.array([40.0, 41.0, 42.0])}).T
        array([40., 41., 42.])
        """
        table = self.backend.fetched
        return replace(self, backend=replace(table, statistics={**table.statistics, **statistics}))

    # -------------------------------------------------------------------------------------- wherever customers lie

    @property
    def in_memory(self) -> bool:
        """Whether the customers are in memory."""
        return self.backend.in_memory

    @property
    def summary(self) -> HistoriesSummary:
        """Numbers about all customers."""
        return self.backend.summary

    @property
    def customers(self) -> int:
        """Number of customers: that of the rows, if each stands for one."""
        return self.summary.customers

    @property
    def has_spend(self) -> bool:
        """Whether any customer has a known mean value of a repeat occasion."""
        return self.summary.known > 0

    @property
    def has_order_values(self) -> bool:
        """Whether the values of single orders are known, not their means alone: if they came from a log with values."""
        return self.backend.has_order_values

    @property
    def grid(self) -> Grid | None:
        """The grid that recency and T are put on for fits and predictions; None: no grid."""
        return self.backend.grid

    def distinct(self, statistics: Sequence[str] = TRANSACTIONS) -> DistinctRows:
        """Return the distinct rows of some statistics, their weights, and the distinct row of each customer.

        Parameters
        ----------
        statistics
            Their names. With ``mean`` among them, only customers with repeat purchases of a positive mean value count.

        Returns
        -------
        DistinctRows
            On a grid, the means of its cells.

        Examples
        --------
        >>> rfm.distinct(["T"]).rows, rfm.distinct(["T"]).weight
        (array([[39.]]), array([3.]))
        """
        return self.backend.distinct(tuple(statistics))

    def spread(self, statistics: Sequence[str] = TRANSACTIONS) -> FloatArray | None:
        """Return the variances within the distinct rows; None where each is exact.

        Returns
        -------
        ndarray or None
            Of (x, t_x, T): the variance of recency, the covariance, and the variance of T, shape (distinct, 3). Of
            (x, mean): the variance of the logarithm of the mean, shape (distinct,).

        Examples
        --------
        >>> rfm.spread() is None
        True
        """
        return self.backend.spread(tuple(statistics))

    def weighted(self, by: Sequence[str] = ()) -> WeightedHistories:
        """Return the customers counted by distinct history, whether their spend is known, and some attributes.

        Histories in memory are returned as they are.

        Parameters
        ----------
        by
            Names of attributes.

        Examples
        --------
        >>> rfm = clv.rfm_summary(clv.datasets.path("cdnow.parquet"), value="amount", resolution="day")
        >>> float(rfm.weighted().histories.weight.sum())
        23570.0
        """
        table, place = self.backend.weighted(by)
        return WeightedHistories(replace(self, backend=table), place)

    @property
    def table(self) -> ir.Table:
        """The histories as an Ibis table of their engine: the columns of `to_frame`, and ``customer_id``."""
        return self.backend.table

    def joined(self, columns: Mapping[str, FloatArray], statistics: Sequence[str] = TRANSACTIONS) -> ir.Table:
        """Return columns given by distinct row of some statistics, shape (distinct,), as an Ibis table by customer_id.

        Examples
        --------
        >>> rfm.joined({"alive": np.array([0.9, 0.8, 0.7])}).to_pyarrow().to_pydict()
        {'customer_id': ['A', 'B', 'C'], 'alive': [0.8, 0.9, 0.7]}
        """
        return self.backend.joined(columns, tuple(statistics))

    def write(self, path: str | Path) -> None:
        """Write the histories to a Parquet file, whole or not at all, by customer; a cluster writes a folder.

        Raises
        ------
        DataError
            If the path is one of another machine's.

        Examples
        --------
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     rfm.write(Path(folder) / "histories.parquet")
        ...     [file.name for file in Path(folder).iterdir()]
        ['histories.parquet']
        """
        self.backend.write(path)

    def in_unit(self, unit: str) -> Histories:
        """Return the same histories with recency and T in another unit.

        Examples
        --------
        >>> float(rfm.in_unit("day").T[0])
        273.0
        """
        name = parse_unit(unit)
        return replace(self, unit=name, backend=self.backend.in_unit(DAYS[self.unit] / DAYS[name]))

    def on_grid(self, bound: float) -> Histories:
        """Return the histories on a grid of recency and T, if they are in an engine and millions are distinct.

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
        >>> rfm.on_grid(1e-6).grid is None  # there are few
        True
        """
        return replace(self, backend=self.backend.on_grid(bound))

    def with_grid(self, grid: Grid) -> Histories:
        """Return the histories on a grid of recency and T, if they are in an engine.

        Examples
        --------
        >>> from clvmodels.data.grid import Grid
        >>> rfm = clv.rfm_summary(clv.datasets.path("cdnow.parquet"), value="amount", resolution="day")
        >>> len(rfm.with_grid(Grid(step=4.0, bound=1e-6)).distinct().rows) < len(rfm.distinct().rows)
        True
        """
        return replace(self, backend=self.backend.with_grid(grid))

    def __len__(self) -> int:
        return len(self.backend)

    def __repr__(self) -> str:
        of_report = () if self.report is None else self.report.lines()
        return "\n".join([*self.summary.lines(self.unit, self.observation_end), *of_report])
