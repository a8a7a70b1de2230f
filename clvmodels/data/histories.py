"""Purchase histories: all a model sees of the customers, with the unit of time they are measured in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from clvmodels.arguments import abridged
from clvmodels.data.columns import count, examples
from clvmodels.errors import DataError
from clvmodels.units import DAYS, Unit, parse_unit

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.report import DataReport
    from clvmodels.numerics.distinct import DistinctRows

__all__ = ["FloatArray", "Histories", "HistoriesSummary"]

FloatArray = npt.NDArray[np.float64]

_NUMBERS = ("frequency", "recency", "T", "monetary_value")


@dataclass(frozen=True, eq=False, repr=False)
class Histories:
    """The purchase histories of n customers. Immutable; made by `rfm_summary` or `Histories.from_frame`.

    Attributes
    ----------
    customer_id
        Unique ids, an index of length n named ``customer_id``.
    frequency
        Repeat purchase occasions, x: whole numbers, shape (n,).
    recency
        Age at the last purchase, t_x, in `unit`: 0 for a customer who bought once, shape (n,).
    T
        Age at the end of observation, in `unit`, shape (n,).
    monetary_value
        Mean value of a repeat occasion; NaN for customers without one, or if unknown, shape (n,).
    attributes
        Other columns by customer, indexed by `customer_id` (may have no column).
    unit
        The unit of model time.
    observation_end
        The last instant observed; a midnight stands for the whole of that day. None if unknown.
    report
        What became of the rows of the log; None if the histories came from a table.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"customer_id": [1, 2], "frequency": [2, 0], "recency": [30.43, 0], "T": [38.86, 38.86]})
    >>> rfm = Histories.from_frame(table, unit="week")
    >>> print(rfm)
    2 customers; 1 of them (50.0 %) bought once only; 2 repeat purchase occasions
    observed for 38.86 weeks
    no spend
    """

    customer_id: pd.Index[Any]
    frequency: FloatArray
    recency: FloatArray
    T: FloatArray
    monetary_value: FloatArray
    attributes: pd.DataFrame
    unit: Unit
    observation_end: pd.Timestamp | None = None
    report: DataReport | None = None

    def __post_init__(self) -> None:
        """Bring the arrays into shape and close them to writing; the rules of the numbers are `from_frame`'s."""
        object.__setattr__(self, "unit", parse_unit(self.unit))
        object.__setattr__(self, "customer_id", self.customer_id.rename("customer_id"))
        for name in _NUMBERS:
            given = np.asarray(getattr(self, name), dtype=np.float64)
            array = given if _is_closed(given) else given.copy()
            array.flags.writeable = False
            object.__setattr__(self, name, array)
            if array.shape != (len(self),):
                raise DataError(f"{name} has shape {array.shape}, but there are {len(self):,} customer ids")
        if len(self.attributes) != len(self):
            raise DataError(f"attributes have {len(self.attributes):,} rows, but there are {len(self):,} customer ids")
        if not self.customer_id.is_unique:
            twice = self.customer_id[self.customer_id.duplicated()]
            raise DataError(f"customer ids must be unique; more than once: {examples(twice.unique())}")

    @cached_property
    def distinct(self) -> DistinctRows:
        """The distinct (frequency, recency, T), their weights, and the distinct row of each customer."""
        from clvmodels.numerics.distinct import distinct_rows

        return distinct_rows(self.frequency, self.recency, self.T)

    @property
    def distinct_spend(self) -> DistinctRows:
        """The distinct (frequency, monetary value) of repeat customers with a positive one, and their weights."""
        from clvmodels.numerics.distinct import distinct_rows

        usable = (self.frequency > 0) & (self.monetary_value > 0)
        return distinct_rows(self.frequency[usable], self.monetary_value[usable])

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
    ) -> Histories:
        """Take over a table that has one row a customer, after checking what is commonly wrong with such tables.

        Parameters
        ----------
        table
            A pandas, polars or Arrow table. The customer ids may be the index of a pandas table.
        unit
            The unit that recency and T are measured in: ``"hour"``, ``"day"``, ``"week"``, ``"month"``, ``"year"``.
        observation_end
            When the observation of these customers ended, if known.
        customer_id, frequency, recency, T, monetary_value
            Names of the columns. Spend is optional. All other columns become `attributes`.
        time_since_last
            Name of a column with the time since the last purchase, which many call recency; it is subtracted from T.

        Raises
        ------
        DataError
            If a column is missing or not numeric, an id missing or repeated, a number missing, negative or infinite, a
            frequency no whole number, a recency beyond T, time since the last purchase given as recency, or frequency
            counted with the first purchase. The message names customers and what to write instead.
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
        """
        from clvmodels.data.tables import Names, read_histories

        names = Names(customer_id, frequency, recency, T, monetary_value, time_since_last)
        return read_histories(table, names=names, unit=parse_unit(unit), observation_end=observation_end)

    @property
    def has_spend(self) -> bool:
        """Whether any customer has a known mean value of a repeat occasion."""
        return bool(np.isfinite(self.monetary_value).any())

    def __len__(self) -> int:
        return len(self.customer_id)

    def collect(self) -> Histories:
        """Return the histories in memory: these; see `LazyHistories.collect`.

        Examples
        --------
        >>> import pandas as pd
        >>> table = pd.DataFrame({"customer_id": [3, 1], "frequency": [2, 0], "recency": [30, 0], "T": [39, 39]})
        >>> rfm = Histories.from_frame(table, unit="week")
        >>> rfm.collect() is rfm
        True
        """
        return self

    def to_frame(self) -> pd.DataFrame:
        """Return the histories as a table indexed by ``customer_id``; attributes are further columns.

        Returns
        -------
        DataFrame
            frequency, recency and T (in `unit`), monetary_value, and the attributes.

        Examples
        --------
        >>> import pandas as pd
        >>> table = {"customer_id": ["A", "B"], "frequency": [2, 0], "recency": [30.43, 0], "T": [38.86, 38.86]}
        >>> rfm = Histories.from_frame(pd.DataFrame({**table, "channel": ["shop", "web"]}), unit="week")
        >>> rfm.to_frame()
                     frequency  recency      T  monetary_value channel
        customer_id
        A                  2.0    30.43  38.86             NaN    shop
        B                  0.0     0.00  38.86             NaN     web
        """
        import pandas as pd

        numbers = pd.DataFrame({name: getattr(self, name) for name in _NUMBERS}, index=self.customer_id)
        return pd.concat([numbers, self.attributes.set_axis(self.customer_id)], axis=1)

    def select(self, customers: pd.Series[Any] | npt.ArrayLike | Sequence[object]) -> Histories:
        """Return the histories of some customers.

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
        >>> import pandas as pd
        >>> table = pd.DataFrame({"customer_id": [3, 1], "frequency": [2, 0], "recency": [30, 0], "T": [39, 39]})
        >>> len(Histories.from_frame(table, unit="week").select([1]))
        1
        """
        rows = self._rows(customers)
        return replace(
            self,
            customer_id=self.customer_id[rows],
            attributes=self.attributes.iloc[rows],
            **{name: getattr(self, name)[rows] for name in _NUMBERS},
        )

    def in_unit(self, unit: str) -> Histories:
        """Return the same histories with recency and T in another unit.

        Examples
        --------
        >>> import pandas as pd
        >>> table = pd.DataFrame({"customer_id": [3, 1], "frequency": [2, 0], "recency": [30.0, 0], "T": [39.0, 39.0]})
        >>> float(Histories.from_frame(table, unit="week").in_unit("day").T[0])
        273.0
        """
        name = parse_unit(unit)
        factor = DAYS[self.unit] / DAYS[name]
        return replace(self, unit=name, recency=self.recency * factor, T=self.T * factor)

    def with_attributes(self, table: object) -> Histories:
        """Return the histories with further columns by customer.

        Parameters
        ----------
        table
            A pandas, polars or Arrow table with the customer ids as ``customer_id``, a column or the index of pandas.
            It is aligned by id; it may have other customers too, but none of these may be missing.

        Raises
        ------
        DataError
            If there are no ids, a customer is missing or there twice, or the histories have such a column already.

        Examples
        --------
        >>> import pandas as pd
        >>> table = pd.DataFrame({"customer_id": [3, 1], "frequency": [2, 0], "recency": [30, 0], "T": [39, 39]})
        >>> rfm = Histories.from_frame(table, unit="week")
        >>> segments = pd.DataFrame({"customer_id": [1, 3], "segment": ["A", "B"]})
        >>> rfm.with_attributes(segments).attributes["segment"].to_dict()
        {3: 'B', 1: 'A'}
        """
        import pandas as pd

        from clvmodels.data.tables import described

        frame = described(table).set_index("customer_id")
        taken = [name for name in frame.columns if name in {*_NUMBERS, *self.attributes.columns}]
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
        return replace(self, attributes=pd.concat([one.set_axis(self.customer_id) for one in tables], axis=1))

    def _rows(self, customers: pd.Series[Any] | npt.ArrayLike | Sequence[object]) -> npt.NDArray[np.intp]:
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

    @property
    def outline(self) -> HistoriesSummary:
        """Numbers about all customers."""
        repeat = self.frequency > 0
        known = repeat & np.isfinite(self.monetary_value)
        spend = self.monetary_value[known]
        return HistoriesSummary(
            customers=len(self),
            once=int((~repeat).sum()),
            repeats=float(self.frequency.sum()),
            youngest=float(self.T.min(initial=np.inf)),
            oldest=float(self.T.max(initial=0.0)),
            known=len(spend),
            occasions=float(self.frequency[known].sum()),
            money=float((self.frequency[known] * spend).sum()),
            spend=float(spend.mean()) if len(spend) else 0.0,
            low=int((spend <= 0).sum()),
        )

    def _lines(self) -> Iterator[str]:
        yield from self.outline.lines(self.unit, self.observation_end)
        if self.report is not None:
            yield from self.report.lines()

    def __repr__(self) -> str:
        return "\n".join(self._lines())


def _is_closed(array: FloatArray) -> bool:
    """Whether nobody can write to the memory of an array."""
    holder: object = array if array.base is None else array.base
    owned = isinstance(holder, np.ndarray) and holder.flags.owndata and not holder.flags.writeable
    return owned and not array.flags.writeable


@dataclass(frozen=True)
class HistoriesSummary:
    """Numbers about all customers.

    Attributes
    ----------
    customers, once, repeats
        How many there are, how many of them bought once only, and the repeat purchase occasions.
    youngest, oldest
        The smallest and the largest T.
    known, occasions, money
        Repeat customers with a known mean value, their repeat purchase occasions, and the value of these.
    spend, low
        The mean over these customers of their mean values, and how many have one of zero or less.
    """

    customers: int
    once: int
    repeats: float
    youngest: float
    oldest: float
    known: int
    occasions: float
    money: float
    spend: float
    low: int

    def lines(self, unit: Unit, observation_end: pd.Timestamp | None) -> Iterator[str]:
        """Yield them in words."""
        share = f" ({100 * self.once / self.customers:.1f} %)" if self.customers else ""
        repeats = count(int(self.repeats), "repeat purchase occasion")
        yield f"{count(self.customers, 'customer')}; {self.once:,} of them{share} bought once only; {repeats}"
        yield self._span(unit, observation_end)
        yield self._spend()

    def _span(self, unit: Unit, observation_end: pd.Timestamp | None) -> str:
        if not self.customers:
            return f"unit: {unit}"
        low, high = f"{self.youngest:.4g}", f"{self.oldest:.4g}"
        text = f"observed for {low if low == high else f'{low} to {high}'} {unit}s"
        return text if observation_end is None else f"{text}, until {_moment(observation_end)}"

    def _spend(self) -> str:
        if not self.known:
            return "no spend"
        text = f"mean spend {self.money / self.occasions:,.2f} per repeat occasion"
        text += f"; the mean of the means of {count(self.known, 'customer')} is {self.spend:,.2f}"
        unknown = self.customers - self.once - self.known
        text += f"; unknown for {count(unknown, 'repeat customer')}" if unknown else ""
        return text + (f"; zero or less for {count(self.low, 'repeat customer')}" if self.low else "")


def _moment(time: pd.Timestamp) -> str:
    """Return a day as a day, and an instant with its time of day."""
    return str(time.date()) if time == time.normalize() else str(time)
