"""Purchase histories in memory: arrays by customer, or by kind of customers with weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast

import numpy as np
import numpy.typing as npt

from clvmodels.arguments import abridged
from clvmodels.data.columns import count, examples
from clvmodels.data.frames import described, ibis_table, write_frame
from clvmodels.data.log_waits import LogWaits
from clvmodels.data.memory_limit import MEMORY_GB, require_room
from clvmodels.data.order_values import OrderValues, with_first_order
from clvmodels.data.paths import CustomerPaths
from clvmodels.data.statistics import MEAN_OF, PATH, SIGNED, TIMES, TRANSACTIONS, FloatArray, column_of, derived
from clvmodels.data.summary import HistoriesSummary
from clvmodels.errors import DataError, UnitError
from clvmodels.numerics.spend import known_spend, positive_spend

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from clvmodels.data.grid import Grid
    from clvmodels.numerics.distinct import DistinctRows

__all__ = ["MemoryTable", "Selection", "WeightedTable"]

type Selection = pd.Series[Any] | npt.ArrayLike | Sequence[object]
"""Customer ids, or one boolean a customer."""


@dataclass(frozen=True, eq=False)
class MemoryTable:
    """Histories in memory; `Histories` says what they are.

    Attributes
    ----------
    customer_id
        Unique ids, an index of length n; the numbers of the rows, where a row stands for several customers.
    statistics
        Sufficient statistics by name, shape (n,) each: ``x``, ``t_x``, ``T``, ``mean``, or others.
    attributes
        Other columns by customer, indexed by `customer_id` (may have no column).
    weight
        How many customers each row stands for, shape (n,); None: one.
    order_values
        Statistics of the values of single orders, which tables do not show; None: those of `statistics` are all.
    log_waits
        The logs of the waits between purchases, which tables do not show; None: `statistics` has them, or nobody knows.
    paths
        The customers' own paths of covariates, which tables do not show either; None: there are none.
    """

    customer_id: pd.Index[Any]
    statistics: Mapping[str, FloatArray]
    attributes: pd.DataFrame
    weight: FloatArray | None = None
    order_values: OrderValues | None = None
    log_waits: LogWaits | None = None
    paths: CustomerPaths | None = None
    _distinct: dict[tuple[str, ...], DistinctRows] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Bring the arrays into shape and close them to writing; the rules of the numbers are `from_frame`'s."""
        object.__setattr__(self, "customer_id", self.customer_id.rename("customer_id"))
        arrays = {name: self._closed(column_of(name), array) for name, array in self.statistics.items()}
        object.__setattr__(self, "statistics", arrays)
        if self.weight is not None:
            object.__setattr__(self, "weight", self._closed("weight", self.weight))
        if len(self.attributes) != len(self):
            raise DataError(f"attributes have {len(self.attributes):,} rows, but there are {len(self):,} customer ids")
        if not self.customer_id.is_unique:
            twice = self.customer_id[self.customer_id.duplicated()]
            raise DataError(f"customer ids must be unique; more than once: {examples(twice.unique())}")

    def __setstate__(self, state: Mapping[str, object]) -> None:
        """Take what was pickled or copied, whose arrays come open to writing."""
        vars(self).update(state)
        for array in (*self.statistics.values(), *([] if self.weight is None else [self.weight])):
            array.flags.writeable = False

    def _closed(self, name: str, values: npt.ArrayLike) -> FloatArray:
        given = np.asarray(values, dtype=np.float64)
        array = given if _is_closed(given) else given.copy()
        array.flags.writeable = False
        if array.shape != (len(self),):
            raise DataError(f"{name} has shape {array.shape}, but there are {len(self):,} customer ids")
        return array

    @property
    def in_memory(self) -> bool:
        """Whether the customers are in memory: yes."""
        return True

    @property
    def grid(self) -> Grid | None:
        """None: what is in memory is exact."""
        return None

    def __len__(self) -> int:
        return len(self.customer_id)

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Names of the attributes."""
        return tuple(map(str, self.attributes.columns))

    @property
    def fetched(self) -> MemoryTable:
        """The customers in memory: these."""
        return self

    @property
    def has_room(self) -> bool:
        """Whether the customers are in memory: yes."""
        return True

    @property
    def has_order_values(self) -> bool:
        """Whether the values of single orders are known, not their means alone."""
        return self.order_values is not None or not {"log_mean", "known_ss"}.isdisjoint(self.statistics)

    def collect(self, memory_gb: float) -> MemoryTable:  # noqa: ARG002 - they are there
        """Return the customers in memory: these."""
        return self

    def statistic(self, name: str) -> FloatArray:
        """Return a statistic by its name, shape (n,).

        Raises
        ------
        DataError
            If the histories do not have it.
        """
        if name == "log_waits" and self.log_waits is not None:
            return self.log_waits.by_customer
        if name == PATH and self.paths is not None:
            return self.paths.statistic
        known = next((each for each in (self.statistics, self._derived) if name in each), None)
        known = self._of_orders if known is None else known
        if name not in known:
            columns = ", ".join(map(column_of, self.statistics))
            raise DataError(f"these histories have no {column_of(name)}; they have {columns}")
        return known[name]

    @cached_property
    def _derived(self) -> Mapping[str, FloatArray]:
        """What follows from the statistics at hand."""
        return derived(self.statistics)

    @cached_property
    def _of_orders(self) -> Mapping[str, FloatArray]:
        """What is known of the values of single orders, by statistic: of repeat orders, and of all of a customer."""
        known = {**({} if self.order_values is None else self.order_values.by_name), **self.statistics}
        if {"x", "mean"} <= known.keys():
            known = {"known": known["x"], "known_mean": known["mean"]} | known
        if not {"x", "mean", "log_mean"} <= known.keys():
            return known
        known = {"valued": known["x"], "valued_mean": known["mean"]} | known
        if "log_ss" in known and "first_value" in self.attributes:
            known |= with_first_order(known, self.attributes["first_value"].to_numpy(dtype=np.float64))
        return known

    def usable(self, statistics: Sequence[str]) -> npt.NDArray[np.bool_] | None:
        """Return whom a likelihood in these statistics is about, shape (n,); None: everybody.

        One in values of orders is about customers who have orders of known, positive value; of known value, where it
        may be negative.
        """
        if not set(statistics).isdisjoint(SIGNED):
            columns = [self.statistic(name) for name in statistics]
            return np.asarray((self.statistic(SIGNED[0]) > 0.0) & np.isfinite(columns).all(axis=0))
        number = next((name for name in MEAN_OF if name != "x" and name in statistics), "x")
        if number == "x" and "mean" not in statistics:
            return None
        usable: npt.NDArray[np.bool_] = np.asarray(
            positive_spend(self.statistic(number), self.statistic(MEAN_OF[number]))
        )
        if number == "x":
            return usable
        return np.asarray(np.all([usable, *(np.isfinite(self.statistic(name)) for name in statistics)], axis=0))

    # -------------------------------------------------------------------------------------------- what models see

    def distinct(self, statistics: tuple[str, ...]) -> DistinctRows:
        """Return the distinct rows of some statistics and their weights; kept once they are known."""
        from clvmodels.numerics.distinct import distinct_rows, weighted_rows

        if statistics not in self._distinct:
            columns, weight = [self.statistic(name) for name in statistics], self.weight
            usable = self.usable(statistics)
            if usable is not None:
                columns = [column[usable] for column in columns]
                weight = None if weight is None else weight[usable]
            rows = distinct_rows(*columns) if weight is None else weighted_rows(weight, *columns)
            self._distinct[statistics] = rows
        return self._distinct[statistics]

    def spread(self, statistics: tuple[str, ...]) -> FloatArray | None:  # noqa: ARG002 - each is exact
        """Return None: each distinct row is exact."""
        return None

    def weighted(self, by: Sequence[str]) -> WeightedTable:  # noqa: ARG002 - all attributes are at hand
        """Return these rows."""
        return WeightedTable(self, self.distinct(TRANSACTIONS).index)

    @cached_property
    def summary(self) -> HistoriesSummary:
        """Numbers about all customers."""
        weight = np.ones(len(self)) if self.weight is None else self.weight
        numbers = {**self._derived, **self.statistics}
        x = numbers.get("x", np.zeros(0))
        age = numbers.get("T", np.zeros(0))
        mean = numbers.get("mean", np.full(len(x), np.nan))
        known = (x > 0) & np.isfinite(mean)
        spend, heads = mean[known], weight[: len(x)][known]
        return HistoriesSummary(
            customers=int(weight.sum()),
            once=int(weight[: len(x)][x <= 0].sum()),
            repeats=float(x @ weight[: len(x)]) if "x" in self.statistics else np.nan,
            youngest=float(age.min(initial=np.inf)),
            oldest=float(age.max(initial=0.0)),
            known=int(heads.sum()),
            occasions=float(x[known] @ heads),
            money=float((x[known] * spend) @ heads),
            spend=float(np.average(spend, weights=heads)) if len(spend) else 0.0,
            low=int(heads[spend <= 0].sum()),
        )

    # ----------------------------------------------------------------------------------------------- other tables

    def to_frame(self) -> pd.DataFrame:
        """Return the statistics under their column names, the weight if there is one, and the attributes."""
        import pandas as pd

        columns = {column_of(name): values for name, values in self.statistics.items()}
        columns |= {} if self.weight is None else {"weight": self.weight}
        numbers = pd.DataFrame(columns, index=self.customer_id)
        return pd.concat([numbers, self.attributes.set_axis(self.customer_id)], axis=1)

    @property
    def table(self) -> ir.Table:
        """The customers as an Ibis table."""
        return ibis_table(self.to_frame())

    def joined(self, columns: Mapping[str, FloatArray], statistics: tuple[str, ...]) -> ir.Table:
        """Return columns given by distinct row of some statistics as a table by customer_id."""
        import pandas as pd

        index = self.distinct(statistics).index
        return ibis_table(
            pd.DataFrame({name: values[index] for name, values in columns.items()}, index=self.customer_id)
        )

    def joined_spend(self, intercept: FloatArray, slope: FloatArray, unknown: float) -> ir.Table:
        """Return, by customer_id, a line in the mean value by distinct history; `unknown` where the mean is unknown."""
        import pandas as pd

        x, mean = self.statistic("x"), self.statistic("mean")
        index = self.distinct(TRANSACTIONS).index
        line = np.where(known_spend(x, mean), intercept[index] + slope[index] * mean, unknown)
        return ibis_table(pd.DataFrame({"mean": line}, index=self.customer_id))

    def write(self, path: str | Path) -> None:
        """Write the customers to a Parquet file, whole or not at all."""
        write_frame(self.to_frame(), path)

    def expanded(self) -> Self:
        """Return the same with a row for each customer."""
        if self.weight is None:
            return self
        require_room(self.summary.customers, 8.0 * (len(self.statistics) + len(self.attributes.columns)), MEMORY_GB)
        return self.taken(np.repeat(np.arange(len(self)), self.weight.astype(np.int64)))

    def taken(self, rows: npt.NDArray[np.int64]) -> Self:
        """Return rows by their positions, as customers of their own."""
        import pandas as pd

        return replace(
            self,
            customer_id=pd.RangeIndex(len(rows)),
            statistics={name: values[rows] for name, values in self.statistics.items()},
            attributes=self.attributes.iloc[rows],
            weight=None,
            order_values=None if self.order_values is None else self.order_values.taken(rows),
            log_waits=None if self.log_waits is None else self.log_waits.taken(rows),
            paths=None if self.paths is None else self.paths.taken(rows),
        )

    def select(self, customers: Selection) -> Self:
        """Return the histories of some customers."""
        rows = self._rows(customers)
        return replace(
            self,
            customer_id=self.customer_id[rows],
            statistics={name: values[rows] for name, values in self.statistics.items()},
            attributes=self.attributes.iloc[rows],
            weight=None if self.weight is None else self.weight[rows],
            order_values=None if self.order_values is None else self.order_values.taken(rows),
            log_waits=None if self.log_waits is None else self.log_waits.taken(rows),
            paths=None if self.paths is None else self.paths.taken(rows),
        )

    def in_unit(self, factor: float) -> Self:
        """Return the same with times multiplied by a factor.

        Raises
        ------
        UnitError
            If they are numbers of periods, which have no other unit.
        """
        if "n" in self.statistics and factor != 1.0:
            raise UnitError(
                "these histories count opportunities, one in each of their unit, and have no other; count them anew:"
                ' clv.opportunity_summary(log, opportunity="1 month")'
            )
        times = {name: values * factor for name, values in self.statistics.items() if name in TIMES}
        if "log_waits" in self.statistics:
            times["log_waits"] = self.statistic("log_waits") + self.statistic("x") * np.log(factor)
        waits = None if self.log_waits is None else self.log_waits.in_unit(factor)
        return replace(self, statistics={**self.statistics, **times}, log_waits=waits)

    def on_grid(self, bound: float) -> Self:  # noqa: ARG002 - what is in memory is exact
        """Return the same: what is in memory needs no grid."""
        return self

    def with_grid(self, grid: Grid) -> Self:  # noqa: ARG002 - what is in memory is exact
        """Return the same: what is in memory needs no grid."""
        return self

    def with_attributes(self, table: object) -> Self:
        """Return the same with further columns by customer; `Histories.with_attributes` says what is refused."""
        import pandas as pd

        frame = described(table).set_index("customer_id")
        own = {*map(column_of, self.statistics), *self.attributes.columns}
        taken = [name for name in frame.columns if name in own]
        if taken:
            raise DataError(f"the histories have a column {examples(taken)} already; rename it, or leave it out")
        if not frame.index.is_unique:
            twice = frame.index[frame.index.duplicated()].unique()
            raise DataError(f"the table has {count(len(twice), 'customer')} more than once: {examples(twice)}")
        rows = frame.index.get_indexer(self.customer_id)
        if (rows < 0).any():
            missing = self.customer_id[rows < 0]
            raise DataError(
                f"the table lacks {count(len(missing), 'customer')} of these histories: {examples(missing)}"
            )
        tables = [self.attributes, frame.iloc[rows]]
        return replace(self, attributes=pd.concat([part.set_axis(self.customer_id) for part in tables], axis=1))

    def _rows(self, customers: Selection) -> npt.NDArray[np.intp]:
        """Return the positions of the customers selected."""
        import pandas as pd

        if isinstance(customers, pd.Series) and customers.dtype == bool:
            customers = self._by_id(customers)
        if not isinstance(customers, Iterable) or isinstance(customers, str | bytes):
            raise DataError(f"select takes customer ids, or one boolean a customer; got {abridged(customers)}")
        wanted = np.asarray(customers)
        if wanted.ndim != 1:
            raise DataError(f"select takes customer ids, or one boolean a customer; got {abridged(customers)}")
        if wanted.dtype == bool:
            if wanted.shape != (len(self),):
                raise DataError(f"select takes one boolean a customer: got {wanted.shape}, expected ({len(self)},)")
            return np.flatnonzero(wanted)
        ids: pd.Index[Any] = pd.Index(cast("Sequence[Any]", customers))
        rows: npt.NDArray[np.intp] = self.customer_id.get_indexer(ids)
        if (rows < 0).any():
            unknown = ids[rows < 0]
            raise DataError(f"{count(len(unknown), 'customer id')} not in these histories: {examples(unknown)}")
        return rows

    def _by_id(self, mask: pd.Series[Any]) -> pd.Series[Any]:
        """Return a boolean Series in the order of the customers, matched by id and never by position."""
        if len(mask) != len(self) or not mask.index.is_unique or not self.customer_id.isin(mask.index).all():
            raise DataError(
                "a boolean Series selects by customer id, and its index does not hold these customers;"
                " pass .to_numpy() to select by position"
            )
        return mask.reindex(self.customer_id)


def _is_closed(array: FloatArray) -> bool:
    """Whether nobody can write to the memory of an array."""
    holder: object = array if array.base is None else array.base
    owned = isinstance(holder, np.ndarray) and holder.flags.owndata and not holder.flags.writeable
    return owned and not array.flags.writeable


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
