"""Further columns of histories: attributes of customers, and paths of covariates that change in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from clvmodels.data.columns import examples
from clvmodels.data.customer_columns import CustomerColumns
from clvmodels.data.moments import end_of
from clvmodels.data.paths import CustomerPaths, PathTimes, read_paths
from clvmodels.errors import DataError
from clvmodels.units import DAYS

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.purchase_dates import PurchaseDates
    from clvmodels.data.report import DataReport
    from clvmodels.units import Unit

__all__ = ["MoreColumns"]


@dataclass(frozen=True, eq=False, repr=False)
class MoreColumns(CustomerColumns):
    """Columns by customer, to which others can be added; `Histories` holds the data."""

    if TYPE_CHECKING:

        @property
        def unit(self) -> Unit:
            """The unit of model time."""

        @property
        def observation_end(self) -> pd.Timestamp | None:
            """The last instant observed."""

        @property
        def report(self) -> DataReport | None:
            """What became of the rows of the log."""

        @property
        def purchase_dates(self) -> PurchaseDates | None:
            """When customers bought."""

    def with_attributes(self, table: object) -> Self:
        """Return the histories with further columns by customer.

        Parameters
        ----------
        table
            A pandas, polars or Arrow table with the customer ids as ``customer_id``, a column or the index of pandas;
            of histories in an engine also an Ibis table, or a DataFrame of the same Spark. It is aligned by id; it may
            have other customers too, but none of these may be missing.

        Raises
        ------
        DataError
            If there are no ids, a customer is missing or there twice, or the histories have such a column already.

        Examples
        --------
        >>> import pandas as pd
        >>> tiers = pd.DataFrame({"customer_id": ["C", "B", "A"], "tier": [1, 2, 3]})
        >>> rfm.with_attributes(tiers).attributes["tier"].to_dict()
        {'A': 3, 'B': 2, 'C': 1}
        """
        return replace(self, backend=self.backend.with_attributes(table))

    @property
    def paths(self) -> CustomerPaths | None:
        """The customers' own paths of covariates; None: there are none, as of customers in an engine."""
        return self.backend.fetched.paths if self.backend.in_memory else None

    def with_paths(self, table: object, *, time: str = "time", columns: Sequence[str]) -> Self:
        """Return the histories with columns that change over the relationship, such as a price or tariff.

        Models take them as covariates, beside attributes: ``clv.ParetoNBD(covariates={"purchase": "price"})``. Rows
        after the end of observation are not looked at: what is predicted holds each customer's last level on.

        Parameters
        ----------
        table
            A pandas, polars or Arrow table with the customer ids as ``customer_id``, a column or the index of pandas.
            A row holds from its time until the next row of the same customer. It may have other customers too.
        time
            The column of the times from which rows hold, on the clock of the log.
        columns
            The columns to take: numbers, levels or truth values.

        Raises
        ------
        DataError
            If the customers lie in an engine, or it is not known when they bought; a column is missing, or is known
            already; a value or a time is missing, a customer has two rows of one time, or none that holds at their
            first purchase.

        Examples
        --------
        >>> import pandas as pd
        >>> days = ["2024-01-01", "2024-03-01", "2024-02-01"]
        >>> log = pd.DataFrame({"customer_id": ["A", "A", "B"], "date": days})
        >>> rfm = clv.rfm_summary(log, unit="week", observation_end="2024-06-30")
        >>> prices = pd.DataFrame({"customer_id": ["A", "A", "B"], "time": days, "price": [1.0, 1.2, 1.0]})
        >>> rfm.with_paths(prices, columns=["price"]).paths.paths.columns
        ('price',)
        """
        if not self.backend.in_memory:
            raise DataError(
                "paths are kept in memory, and these customers lie in an engine; write rfm.collect().with_paths(...)"
            )
        memory = self.backend.fetched
        if self.purchase_dates is None or self.observation_end is None or memory.weight is not None:
            raise DataError(
                "paths need to know when each customer bought, and these histories came from a table or a pickle, which"
                " do not say; make them of the purchase log with rfm_summary, and add the paths before they are pickled"
            )
        days = DAYS[self.unit]
        times = PathTimes(
            end_of(self.observation_end),
            None if self.report is None else self.report.time_zone,
            self.T * days,
            self.recency * days,
            self.purchase_dates.fetched,
        )
        paths = read_paths(table, memory.customer_id, times, time=time, columns=columns)
        taken = [name for name in paths.paths.columns if name in memory.to_frame().columns]
        if taken:
            raise DataError(f"the histories have a column {examples(taken)} already; rename that of the paths")
        return replace(self, backend=replace(memory, paths=paths))
