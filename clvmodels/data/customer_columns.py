"""The data of histories by customer: columns of n numbers, fetched if the customers lie in an engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from clvmodels.data.backends import HistoriesBackend
from clvmodels.data.statistics import FloatArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CustomerColumns"]


@dataclass(frozen=True, eq=False, repr=False)
class CustomerColumns:
    """Columns by customer.

    Attributes
    ----------
    backend
        Where the customers lie.

    Raises
    ------
    DataError
        If the customers of an engine do not fit into memory; all members do so.
    """

    backend: HistoriesBackend

    @property
    def customer_id(self) -> pd.Index[Any]:
        """Unique ids, an index of length n named ``customer_id``; row numbers, where rows stand for many customers."""
        return self.backend.fetched.customer_id

    @property
    def frequency(self) -> FloatArray:
        """Repeat purchase occasions, x: whole numbers, shape (n,)."""
        return self.statistic("x")

    @property
    def recency(self) -> FloatArray:
        """Age at the last purchase, t_x, in `unit`: 0 for a customer who bought once, shape (n,)."""
        return self.statistic("t_x")

    @property
    def T(self) -> FloatArray:  # noqa: N802 - the symbol of the papers
        """Age at the end of observation, in `unit`, shape (n,); of histories of opportunities, their number."""
        table = self.backend.fetched
        return table.statistic("n" if "n" in table.statistics and "T" not in table.statistics else "T")

    @property
    def monetary_value(self) -> FloatArray:
        """Mean value of a repeat occasion; NaN for customers without one, or if unknown, shape (n,)."""
        return self.statistic("mean")

    @property
    def attributes(self) -> pd.DataFrame:
        """Other columns by customer, indexed by `customer_id` (may have no column)."""
        return self.backend.fetched.attributes

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Names of the attributes."""
        return self.backend.attribute_names

    @property
    def weight(self) -> FloatArray | None:
        """How many customers each row stands for, shape (n,); None: one."""
        return self.backend.fetched.weight if self.backend.in_memory else None

    def statistic(self, name: str) -> FloatArray:
        """Return a sufficient statistic by the name that models give it, shape (n,).

        Those of the values of single orders, which histories made from a log with values have, are found when they are
        first asked for. Of repeat orders of known, positive value: ``valued``, their number; ``valued_mean``, the mean
        value; ``log_mean``, the mean of the logs; ``log_ss``, the sum of squares of these around it. With ``_all`` at
        their ends (``valued_all``, ``mean_all``, ...) they are those of all orders, the first one too. Of repeat orders
        of known value, which may be negative: ``known``, their number; ``known_mean``, the mean value; ``known_ss``,
        the sum of squares around it. Histories made from a log also have ``log_waits``, the sum of the logs of the
        waits between a customer's purchases.

        Raises
        ------
        DataError
            If the histories do not have it, or the customers of an engine do not fit into memory.

        Examples
        --------
        >>> clv.Histories.from_frame(clv.datasets.load_donations(), unit="year").statistic("n")[:2]
        array([6., 6.])
        """
        return self.backend.fetched.statistic(name)

    @property
    def has_log_waits(self) -> bool:
        """Whether the waits between purchases are known, as far as regularity takes them: if they came from a log."""
        known = self.backend.in_memory and "log_waits" in self.backend.fetched.statistics
        return known or self.backend.log_waits is not None

    def total_of(self, name: str) -> float:
        """Return the sum of a statistic over all customers, such as of ``log_waits``.

        Examples
        --------
        >>> rfm.total_of("x")
        7.0
        """
        waits = self.backend.log_waits if self.weight is None and name == "log_waits" else None
        if waits is not None:
            return waits.total
        values = self.statistic(name)
        return float(values.sum() if self.weight is None else values @ self.weight)

    def usable(self, statistics: Sequence[str]) -> npt.NDArray[np.bool_] | None:
        """Return whom a likelihood in these statistics is about, shape (n,); None: everybody.

        One in values of orders is about customers who have orders of known, positive value.

        Examples
        --------
        >>> rfm.usable(["x", "mean"])
        array([ True, False,  True])
        """
        return self.backend.fetched.usable(statistics)

    def to_frame(self) -> pd.DataFrame:
        """Return the histories as a table indexed by ``customer_id``; attributes are further columns.

        Returns
        -------
        DataFrame
            frequency, recency and T (in `unit`), monetary_value, the weight of rows that stand for many customers, and
            the attributes.

        Raises
        ------
        DataError
            If the customers of an engine do not fit into memory: `write` them to a file, or take `table`.

        Examples
        --------
        >>> rfm.to_frame().columns.to_list()
        ['frequency', 'recency', 'T', 'monetary_value', 'segment']
        """
        return self.backend.fetched.to_frame()

    def expanded(self) -> Self:
        """Return the histories with a row for each customer, where rows stand for many; else as they are.

        Examples
        --------
        >>> len(clv.Histories.from_frame(clv.datasets.load_donations(), unit="year").expanded())
        11104
        """
        return self if self.weight is None else replace(self, backend=self.backend.fetched.expanded())

    def taken(self, rows: npt.NDArray[np.int64]) -> Self:
        """Return rows by their positions, which may be there several times, as customers of their own, in memory.

        Examples
        --------
        >>> len(rfm.taken(np.array([0, 0, 1])))
        3
        """
        return replace(self, backend=self.backend.fetched.taken(rows))
