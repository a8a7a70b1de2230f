"""A fitted model of transactions, asked what customers will do next: when they buy, how often, and who is overdue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, overload

import numpy as np

from clvmodels.arguments import require_flag
from clvmodels.data.engine import EngineTable
from clvmodels.errors import FitError, UnitError
from clvmodels.inference.calendar_fit import TimedFit
from clvmodels.inference.next_purchase import dates_of, next_purchases, rates_of_customers
from clvmodels.inference.predictions import require_by_history
from clvmodels.numerics.threads import take
from clvmodels.units import Duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from clvmodels.data.histories import Histories
    from clvmodels.models.specification import Array
    from clvmodels.numerics.distinct import DistinctRows

__all__ = ["BehaviourFit"]


@dataclass(frozen=True, eq=False, repr=False)
class BehaviourFit(TimedFit):
    """A fit of transactions that says when customers buy next, and at which rate."""

    @overload
    def next_purchase(self, histories: Histories, *, probability: float = 0.9) -> pd.DataFrame: ...
    @overload
    def next_purchase(
        self, histories: Histories, *, probability: float = 0.9, as_table: Literal[True]
    ) -> EngineTable: ...
    def next_purchase(
        self, histories: Histories, *, probability: float = 0.9, as_table: bool = False
    ) -> pd.DataFrame | EngineTable:
        """Return when each customer buys next, whether they ever do, and how overdue they are.

        All of it is predictive: it allows for what is not known of the customer, for chance and, where the fit has
        draws, for the parameters. Customers who have left are among those who never buy.

        Parameters
        ----------
        histories
            The customers, in the unit of this fit.
        probability
            Of the interval: as probable before `low` as after `high`.
        as_table
            Return a table of the engine that the customers lie in, without dates, not yet computed.

        Returns
        -------
        DataFrame
            By customer_id: ``p_never``, the probability of no further purchase ever; ``overdue``, one minus the
            probability that a customer like them, while they are one, is silent for as long as they are now: 0.95 says
            that 95 % of such waits are shorter; ``median``, ``low`` and ``high``, the time from the end of observation
            within which they buy with probability 1/2, and (of 0.9) 0.05 and 0.95, in the unit of this fit; and
            ``date``, ``date_low`` and ``date_high``, the dates of these. A time is infinite, and its date NaT, where it
            is beyond 1,000 years: the median so of all with ``p_never`` above 1/2. Dates are NaT, too, where the
            histories do not say when observation ended. In periods, times are whole numbers of them.
        Table
            With `as_table`: the same without dates, as an Ibis table with the column customer_id.

        Raises
        ------
        UnitError
            If the histories are not in the unit of this fit.
        FitError
            If the probability is not between 0 and 1; or of customers under contract.

        Notes
        -----
        P(next purchase after t) is the likelihood of the history observed for t longer, without a purchase, over the
        likelihood of the history.

        Examples
        --------
        >>> transactions.next_purchase(rfm)[["p_never", "overdue", "median", "low", "high"]].round(2)
                     p_never  overdue  median    low  high
        customer_id
        A               0.28     0.35   30.29   1.42   inf
        B               0.00     0.28  708.96  10.20   inf
        C               0.12     0.10    7.58   0.49   inf
        """
        self._require_purchases("next_purchase")
        fit = self.of_customers(histories)
        columns, distinct = next_purchases(fit, histories, self.unit, probability)
        if require_flag("as_table", as_table, FitError):
            return self._joined(histories, columns)
        table = _by_customer(histories, columns, distinct)
        return table.assign(
            date=dates_of(table["median"], histories),
            date_low=dates_of(table["low"], histories),
            date_high=dates_of(table["high"], histories),
        )

    @overload
    def purchase_rate(self, histories: Histories, *, per: Duration | None = None) -> pd.DataFrame: ...
    @overload
    def purchase_rate(
        self, histories: Histories, *, per: Duration | None = None, as_table: Literal[True]
    ) -> EngineTable: ...
    def purchase_rate(
        self, histories: Histories, *, per: Duration | None = None, as_table: bool = False
    ) -> pd.DataFrame | EngineTable:
        """Return how often each customer buys while they are a customer: their own rate, given their history.

        The rates are those of customers who are alive at the end of observation: a customer who has left buys no more,
        and what was their rate is another figure. With a calendar they are those at the mean speed of the year, with
        paths those at the present level.

        Parameters
        ----------
        histories
            The customers, in the unit of this fit.
        per
            Such as ``"1 year"``: count purchases in this time; None: in the unit of this fit. Of a model in periods,
            the rate is a customer's own probability of buying in a period, and `per` does not count.
        as_table
            Return a table of the engine that the customers lie in, not yet computed.

        Returns
        -------
        DataFrame
            By customer_id: mean, q05, q50 and q95 of the posterior distribution of the rate: of BG/NBD and its
            relatives Gamma(r + x, alpha + T), where the fit has draws mixed over these.
        Table
            With `as_table`: the same, as an Ibis table with the column customer_id.

        Raises
        ------
        UnitError
            If the histories are not in the unit of this fit, or `per` is no time.
        FitError
            Of customers under contract.
        ModelError
            If the model does not say how rates differ.

        Examples
        --------
        >>> transactions.purchase_rate(rfm, per="1 year").round(2)
                     mean   q05   q50    q95
        customer_id
        A            2.70  0.55  2.31   6.17
        B            0.29  0.00  0.05   1.43
        C            6.30  2.55  5.91  11.40
        """
        self._require_purchases("purchase_rate")
        span = 1.0 if per is None or self.model.time == "periods" else self.time(per)
        if not span > 0.0:
            raise UnitError(f'a rate counts purchases in a time, such as per="1 year", got {per!r}')
        columns, distinct = rates_of_customers(self.of_customers(histories).at_mean_season(), histories)
        columns = {name: values * span for name, values in columns.items()}
        if require_flag("as_table", as_table, FitError):
            return self._joined(histories, columns)
        return _by_customer(histories, columns, distinct)

    def _require_purchases(self, what: str) -> None:
        """Refuse what only customers without a contract can be asked; a fit of contracts has its own word."""

    def _joined(self, histories: Histories, columns: Mapping[str, Array]) -> EngineTable:
        require_by_history(by_customer=bool(self.columns_of_parameters))
        return histories.joined(
            {name: np.ascontiguousarray(values) for name, values in columns.items()}, self.model.statistics
        )


def _by_customer(histories: Histories, columns: Mapping[str, Array], distinct: DistinctRows) -> pd.DataFrame:
    """Return columns by distinct history as a table by customer."""
    import pandas as pd

    table = take(np.column_stack(list(columns.values())), distinct.index)
    return pd.DataFrame(table, index=histories.customer_id, columns=list(columns))
