"""Customers' own paths: columns that change over the relationship, such as the price.

A path is a step function: a row of the ledger holds from its time until the customer's next row. What a likelihood sees
of it are the spells between the changes, their length, and how many repeat purchases were made in each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import numpy.typing as npt

from clvmodels.data.columns import count, examples, require
from clvmodels.data.frames import described
from clvmodels.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.purchase_dates import CustomerDates

__all__ = ["CustomerPaths", "PathTimes", "Paths", "read_paths"]

FloatArray = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Moments = npt.NDArray[np.datetime64]

TICKS: Final = 86_400_000_000
"""Microseconds of a day."""


@dataclass(frozen=True, eq=False)
class Paths:
    """The paths of customers, one after the other.

    Attributes
    ----------
    levels
        The columns, a row for each spell in which none of a customer's changes.
    first
        The first spell of each customer, and the number of all; shape (customers + 1,).
    begin, end
        The customer's age in days when a spell begins and ends, shape (spells,); the first begins at the first
        purchase, the last ends with the observation. One that lies on the day of the first purchase may have no length.
    purchases
        Repeat purchases of the customer in each spell, shape (spells,).
    last_purchase
        The customer's age in days at the last purchase, shape (customers,).
    """

    levels: pd.DataFrame
    first: Index
    begin: FloatArray
    end: FloatArray
    purchases: FloatArray
    last_purchase: FloatArray

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(map(str, self.levels.columns))

    @property
    def customers(self) -> int:
        """Number of customers."""
        return len(self.last_purchase)

    def spells_of(self, customers: Index) -> tuple[Index, Index]:
        """Return the spells of some customers, one customer after the other, and how many each has."""
        number = self.first[customers + 1] - self.first[customers]
        start = np.repeat(self.first[customers] - (np.cumsum(number) - number), number)
        return start + np.arange(len(start)), number


@dataclass(frozen=True, eq=False)
class CustomerPaths:
    """The paths of the customers of a table.

    Attributes
    ----------
    paths
        Those of these and maybe other customers.
    place
        Where in them each customer is, shape (n,).
    """

    paths: Paths
    place: Index

    def taken(self, rows: npt.NDArray[np.intp]) -> Self:
        """Return those of customers by position."""
        return replace(self, place=self.place[rows])

    @property
    def statistic(self) -> FloatArray:
        """What stands for a customer's path among their statistics, from 1 up; 0 is that of nobody."""
        return self.place.astype(np.float64) + 1.0


@dataclass(frozen=True, eq=False)
class PathTimes:
    """The times that paths are laid out on.

    Attributes
    ----------
    end
        The end of observation, on the local clock.
    zone
        The time zone of the log; None if it is not known.
    age, last_purchase
        Of each customer, in days: at the end, and at the last purchase; shape (n,).
    dates
        When customers bought.
    """

    end: np.datetime64
    zone: str | None
    age: FloatArray
    last_purchase: FloatArray
    dates: CustomerDates


def read_paths(
    table: object, customer_id: pd.Index[Any], times: PathTimes, *, time: str, columns: Sequence[str]
) -> CustomerPaths:
    """Return the paths of customers; `Histories.with_paths` says what is refused.

    Parameters
    ----------
    table
        The ledger.
    customer_id
        The customers, shape (n,).
    times
        Their times.
    time, columns
        Names of columns of the ledger.
    """
    import pandas as pd

    frame = described(table)
    names = [columns] if isinstance(columns, str) else list(columns)
    if not names:
        raise DataError('name the columns of the paths: rfm.with_paths(table, time="time", columns=["price"])')
    require([time, *names], [str(name) for name in frame.columns], what="the table of paths")
    owner = np.asarray(customer_id.get_indexer(pd.Index(frame["customer_id"])), np.int64)
    frame, owner = frame[owner >= 0], owner[owner >= 0]
    moments = _moments(frame[time], time, times.zone)
    order = np.lexsort((moments, owner))
    frame, owner, moments = frame.iloc[order], owner[order], moments[order]
    _require_complete(frame, names, owner, moments)
    bought = _purchases(customer_id, times.dates)
    _require_begun(customer_id, owner, moments, bought)
    return _laid_out(frame[names].reset_index(drop=True), owner, moments, times, bought)


def _moments(column: pd.Series[Any], name: str, zone: str | None) -> Moments:
    """Return times on the local clock of the log."""
    import pandas as pd

    try:
        series = pd.to_datetime(column, format="ISO8601")
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"the column {name!r} of the paths holds no times: {error}") from error
    absent = int(series.isna().sum())
    if absent:
        raise DataError(f"{name} is missing in {count(absent, 'row')} of the paths; a row holds from its time on")
    if series.dt.tz is not None:
        if zone is None:
            raise DataError(
                f"the times {name!r} of the paths have a time zone and those of the log have none; write them on the"
                f' clock of the log: table[{name!r}].dt.tz_convert("Europe/Berlin").dt.tz_localize(None)'
            )
        series = series.dt.tz_convert(zone).dt.tz_localize(None)
    return np.asarray(series.to_numpy().astype("datetime64[us]"))


def _require_complete(frame: pd.DataFrame, names: Sequence[str], owner: Index, moments: Moments) -> None:
    """Raise DataError if a value is missing, or a customer has two rows of one time."""
    for name in names:
        absent = frame[name].isna().to_numpy()
        if absent.any():
            ids = frame["customer_id"][absent].unique()
            raise DataError(
                f"{name} is missing in {count(int(absent.sum()), 'row')} of the paths, of customers such as"
                f" {examples(ids)}; a missing value is not zero: fill it, or leave the row out, so that the one before"
                " holds on"
            )
    twice = (owner[1:] == owner[:-1]) & (moments[1:] == moments[:-1])
    if twice.any():
        row = int(np.flatnonzero(twice)[0])
        raise DataError(
            f"the paths have {count(int(twice.sum()), 'row')} with the customer and the time of another, such as of"
            f" {examples([frame['customer_id'].iloc[row]])} at {moments[row]}; leave one out"
        )


@dataclass(frozen=True, eq=False)
class _Bought:
    """The purchases of customers: the first one's time, shape (n,), and who made the others, and when."""

    first: Moments
    owner: Index
    time: Moments


def _purchases(customer_id: pd.Index[Any], dates: CustomerDates) -> _Bought:
    place = np.asarray(customer_id.get_indexer(dates.customer_id), np.int64)
    owner, time = place[place >= 0], dates.time[place >= 0]
    order = np.lexsort((time, owner))
    owner, time = owner[order], time[order]
    opens = np.concatenate([[True], owner[1:] != owner[:-1]])[: len(owner)]
    first = np.full(len(customer_id), np.datetime64("NaT"), "datetime64[us]")
    first[owner[opens]] = time[opens]
    missing = np.isnat(first)
    if missing.any():
        raise DataError(
            f"it is not known when {count(int(missing.sum()), 'customer')} bought, such as"
            f" {examples(customer_id[missing])}; make the histories with rfm_summary of a log of all of them"
        )
    return _Bought(first, owner[~opens], time[~opens])


def _require_begun(customer_id: pd.Index[Any], owner: Index, moments: Moments, bought: _Bought) -> None:
    """Raise DataError unless a row of each customer, whose moments are sorted, holds at their first purchase."""
    begins = np.concatenate([[True], owner[1:] != owner[:-1]])[: len(owner)]
    earliest = np.full(len(customer_id), np.datetime64("9999-12-31"), "datetime64[us]")
    earliest[owner[begins]] = moments[begins]
    late = earliest > bought.first
    if late.any():
        raise DataError(
            f"{count(int(late.sum()), 'customer')} {'has' if late.sum() == 1 else 'have'} no path at their first"
            f" purchase: {examples(customer_id[late])}; give each a row of that day or before"
        )


def _laid_out(values: pd.DataFrame, owner: Index, moments: Moments, times: PathTimes, bought: _Bought) -> CustomerPaths:
    """Return the spells of rows that are sorted by customer and time."""
    until_end = (moments - times.end) / np.timedelta64(1, "us") / TICKS
    age = times.age[owner]
    begin = np.clip(age + until_end, 0.0, None)
    next_begins = np.append(begin[1:], np.inf)
    last = np.append(owner[1:] != owner[:-1], True)
    end = np.where(last, age, np.minimum(next_begins, age))
    purchases = np.bincount(_spell_of(owner, moments, bought), minlength=len(owner)).astype(float)
    keep = (until_end < 0.0) & ((end > 0.0) | (purchases > 0.0))
    # One who came on the last day has been observed for no time; the row that holds then is kept.
    kept_of = np.bincount(owner[keep], minlength=len(times.age))
    keep |= (kept_of[owner] == 0) & _holds_at_end(owner, until_end)
    number = np.bincount(owner[keep], minlength=len(times.age))
    first = np.concatenate([[0], np.cumsum(number)]).astype(np.int64)
    paths = Paths(
        values[keep].reset_index(drop=True),
        first,
        np.minimum(begin, age)[keep],
        end[keep],
        purchases[keep],
        times.last_purchase,
    )
    return CustomerPaths(paths, np.arange(len(times.age)))


def _spell_of(owner: Index, moments: Moments, bought: _Bought) -> Index:
    """Return the row that holds at each repeat purchase."""
    every = np.concatenate([owner, bought.owner])
    time = np.concatenate([moments, bought.time])
    is_purchase = np.repeat([0, 1], [len(owner), len(bought.owner)])
    order = np.lexsort((is_purchase, time, every))  # a row holds at its own time
    rows_so_far = np.cumsum(1 - is_purchase[order])
    return np.asarray(rows_so_far[is_purchase[order] == 1] - 1, np.int64)


def _holds_at_end(owner: Index, until_end: FloatArray) -> npt.NDArray[np.bool_]:
    """Return whether each row is its customer's last one before the end."""
    known = until_end < 0.0
    after = np.append((owner[1:] != owner[:-1]) | ~known[1:], True)
    return np.asarray(known & after)
