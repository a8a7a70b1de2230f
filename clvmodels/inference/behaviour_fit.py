"""A fitted model of transactions, asked what customers will do next: when they buy, how often, and who is overdue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, overload

import numpy as np

from clvmodels.arguments import require_flag
from clvmodels.data.engine import EngineTable
from clvmodels.errors import FitError, UnitError
from clvmodels.inference import estimands
from clvmodels.inference.calendar_fit import TimedFit
from clvmodels.inference.cohorts import cohorts_of, sums_by_cohort, survival_by_cohort, with_bands
from clvmodels.inference.horizons import horizons_of
from clvmodels.inference.next_purchase import dates_of, next_purchases, rates_of_customers
from clvmodels.inference.predictions import predict, require_by_history
from clvmodels.numerics.threads import take
from clvmodels.units import Duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from clvmodels.data.histories import Histories
    from clvmodels.models.specification import Array
    from clvmodels.numerics.distinct import DistinctRows

__all__ = ["BehaviourFit"]

MOST_AGES: Final = 1_000


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

    def survival(self, histories: Histories, by: str = "quarter", *, every: Duration | None = None) -> pd.DataFrame:
        """Return which share of each cohort was still a customer at each age, given all that is known today.

        Parameters
        ----------
        histories
            The customers, in the unit of this fit. Those of an engine are fetched.
        by
            ``"month"``, ``"quarter"`` or ``"year"`` of the first purchase; or the name of an attribute.
        every
            The ages, such as ``"4 weeks"``: every so often from the first purchase on. None: a tenth of the longest
            time observed.

        Returns
        -------
        DataFrame
            By cohort and age, in the unit of this fit: customers, those of the cohort who have been observed for so
            long; ``share_alive``, the share of these who were alive at that age; and where the fit has draws
            ``share_alive_low`` and ``share_alive_high``, between which it lies with probability 0.9, as far as the
            parameters go. Who bought again after an age was alive then for sure.

        Raises
        ------
        UnitError
            If the histories are not in the unit of this fit, or `every` is no time.
        DataError
            If the histories do not say when observation ended, or there is no such attribute.
        FitError
            Of a fit with a calendar or paths, or of customers under contract; or if there are more than 1,000 ages.

        Examples
        --------
        >>> transactions.survival(rfm, "segment", every="19.5 weeks").round(3)
                      customers  share_alive
        cohort age
        shop   0.0          1.0        1.000
               19.5         1.0        1.000
               39.0         1.0        0.720
        web    0.0          2.0        1.000
               19.5         2.0        1.000
               39.0         2.0        0.939
        """
        import pandas as pd

        self._require_purchases("survival")
        self.require_no_calendar("survival by cohort")
        self.require_unit(histories)
        histories = histories.collect()
        cohorts = cohorts_of(histories, by)
        ages = self._ages(float(histories.statistic(self.model.statistics[2]).max(initial=0.0)), every)
        customers, alive = survival_by_cohort(self, histories, cohorts, ages)
        observed = customers > 0.0
        share = alive[observed] / customers[observed][:, None]
        cohort, age = np.nonzero(observed)
        index = pd.MultiIndex.from_arrays([cohorts.names[cohort], ages[age]], names=["cohort", "age"])
        return pd.DataFrame({"customers": customers[observed], **with_bands({"share_alive": share})}, index=index)

    def _ages(self, longest: float, every: Duration | None) -> Array:
        """Return the ages, in the unit of this fit."""
        step = longest / 10.0 if every is None else self.time(every)
        if self.model.time == "periods":
            step = max(round(step), 1)
        if longest == 0.0:
            return np.zeros(1)
        if not step > 0.0:
            raise UnitError(f'ages are a time apart, such as every="4 weeks", got {every!r}')
        count = int(longest / step * (1.0 + 1e-9)) + 1
        if count > MOST_AGES:
            raise FitError(f"{count:,} ages are more than {MOST_AGES:,}; ask for longer steps, such as every='4 weeks'")
        return np.asarray(np.minimum(step * np.arange(count), longest))

    def cohorts(
        self, histories: Histories, t: Duration | Sequence[Duration] = "1 year", by: str = "quarter"
    ) -> pd.DataFrame:
        """Return what each cohort has bought, how many of it are still customers, and what it will buy.

        Parameters
        ----------
        histories
            The customers, in the unit of this fit. Those of an engine are fetched.
        t
            The time ahead, such as ``"1 year"``, or several.
        by
            ``"month"``, ``"quarter"`` or ``"year"`` of the first purchase; or the name of an attribute.

        Returns
        -------
        DataFrame
            By cohort: customers; ``repeat_purchases`` so far; ``alive``, the expected number who are customers still;
            and for each time ahead ``expected_purchases`` and ``alive`` with the time behind the name, in all rather
            than per customer. Where the fit has draws, also the ends ``_low`` and ``_high`` of bands, between which
            each lies with probability 0.9, as far as the parameters go.

        Raises
        ------
        UnitError
            If the histories are not in the unit of this fit.
        DataError
            If the histories do not say when observation ended, or there is no such attribute.
        FitError
            If several times are none, or the same; or of customers under contract.

        Examples
        --------
        >>> transactions.cohorts(rfm, "1 year", by="segment").round(2).T
        cohort                     shop   web
        customers                  1.00  2.00
        repeat_purchases           2.00  5.00
        alive                      0.72  1.88
        expected_purchases 1 year  1.54  4.47
        alive 1 year               0.53  1.51
        """
        import pandas as pd

        self._require_purchases("cohorts")
        self.require_unit(histories)
        histories, times = histories.collect(), horizons_of(t)
        several = times if isinstance(times, dict) else {str(times): times}
        cohorts, fit = cohorts_of(histories, by), self.of_customers(histories)
        number = np.ones(len(histories)) if histories.weight is None else histories.weight
        asked = {"alive": estimands.probability_alive(fit.model, 0.0)}
        for name, time in ((name, self.time(each)) for name, each in several.items()):
            asked[f"expected_purchases {name}"] = estimands.expected_purchases(fit.model, time)
            asked[f"alive {name}"] = estimands.probability_alive(fit.model, time)
        drawn = {name: sums_by_cohort(predict(fit, histories, each), cohorts) for name, each in asked.items()}
        known = {"customers": number, "repeat_purchases": number * histories.statistic("x")}
        sums = {name: np.bincount(cohorts.code, values, len(cohorts.names)) for name, values in known.items()}
        return pd.DataFrame({**sums, **with_bands(drawn)}, index=cohorts.names)

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
