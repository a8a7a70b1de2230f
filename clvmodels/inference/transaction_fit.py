"""A fitted model of transactions, asked when customers buy and whether they stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, overload

import numpy as np

from clvmodels.arguments import require_flag, require_memory, require_seed, require_whole
from clvmodels.data.engine import EngineTable
from clvmodels.data.histories import Histories
from clvmodels.errors import FitError
from clvmodels.inference import estimands, predictions
from clvmodels.inference.behaviour_fit import BehaviourFit
from clvmodels.inference.horizons import by_horizon, horizons_of, require_no_table
from clvmodels.inference.simulated_histories import simulated_histories
from clvmodels.models.new_customers import p_alive_new, purchases_new
from clvmodels.models.specification import TransactionModel
from clvmodels.pictures import picture
from clvmodels.units import Duration

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from clvmodels.style import Axes, Drawn

__all__ = ["TransactionFit"]

_MOST_CUSTOMERS = 10**9


@dataclass(frozen=True, eq=False, repr=False)
class TransactionFit(BehaviourFit, of=TransactionModel):
    """A fitted model of transactions: when customers buy, and when they leave."""

    @overload
    def expected_purchases(
        self,
        histories: Histories,
        t: Duration | Sequence[Duration],
        *,
        process: bool = False,
        seed: int | None = None,
        return_draws: Literal[False] = False,
        memory_gb: float = 1.0,
    ) -> pd.DataFrame: ...
    @overload
    def expected_purchases(
        self,
        histories: Histories,
        t: Duration | Sequence[Duration],
        *,
        process: bool = False,
        seed: int | None = None,
        return_draws: Literal[True],
        memory_gb: float = 1.0,
    ) -> xr.DataArray: ...
    @overload
    def expected_purchases(
        self,
        histories: Histories,
        t: Duration | Sequence[Duration],
        *,
        process: bool = False,
        seed: int | None = None,
        as_table: Literal[True],
        memory_gb: float = 1.0,
    ) -> EngineTable: ...
    def expected_purchases(
        self,
        histories: Histories,
        t: Duration | Sequence[Duration],
        *,
        process: bool = False,
        seed: int | None = None,
        return_draws: bool = False,
        as_table: bool = False,
        memory_gb: float = 1.0,
    ) -> pd.DataFrame | xr.DataArray | EngineTable:
        """Return the expected number of purchases of each customer in the time `t` after the end of observation.

        Parameters
        ----------
        histories
            The customers, in the unit of this fit.
        t
            Such as ``"52 weeks"``; a bare number is in the unit of this fit. Several, such as
            ``["12 weeks", "1 year"]``, are answered in one call.
        process
            Let sd, quantiles and draws say what each customer will really do: one simulated number of purchases under
            each draw of the parameters, or 1,000 of them under a point estimate. The mean stays the expectation. Each
            of several times is simulated by itself.
        seed
            Of the simulation; None: a new one each time.
        return_draws
            Return the draws instead of a table. They need 8 bytes a draw and customer, and as many a distinct history.
        as_table
            Return a table of the engine that the customers lie in, which need not fit into memory.
        memory_gb
            What the draws and the tables of the computation may take, in GB (1e9 bytes).

        Returns
        -------
        DataFrame
            By customer_id: mean; and sd, q05, q50, q95 where the fit has draws or `process` is asked for. Of several
            times, columns are pairs (horizon, statistic), the horizon as it was written.
        Table
            With `as_table`: the same of one time, as an Ibis table with the column customer_id, not yet computed.
        DataArray
            With `return_draws`: dimensions (chain, draw, customer_id); of several times, (horizon, chain, draw,
            customer_id).

        Raises
        ------
        UnitError
            If the histories are not in the unit of this fit.
        FitError
            If the draws would take more memory than they may, both draws and a table are asked for, or several times
            are none, the same, or asked for as a table of an engine.
        DataError
            If the customers of an engine do not fit into memory: then ask for a table.

        Examples
        --------
        >>> transactions.expected_purchases(rfm, ["12 weeks", "1 year"]).round(3)
        horizon     12 weeks 1 year
        statistic       mean   mean
        customer_id
        A              0.419  1.544
        B              0.065  0.252
        C              1.178  4.215
        >>> buyer = rfm.select(["A"])
        >>> transactions.expected_purchases(buyer, "39 weeks").round(3)
                      mean
        customer_id
        A            1.211
        >>> transactions.expected_purchases(buyer, "39 weeks", process=True, seed=1)[["mean", "q05", "q95"]].round(3)
                      mean  q05   q95
        customer_id
        A            1.211  0.0  4.05
        """
        several = horizons_of(t)
        if isinstance(several, dict):
            require_no_table(as_table=as_table)
            memory = require_memory(memory_gb, FitError) / 1e9 / len(several)
            return by_horizon(
                {
                    name: self._expected_purchases(histories, each, process, seed, return_draws, False, memory)
                    for name, each in several.items()
                }
            )
        return self._expected_purchases(histories, several, process, seed, return_draws, as_table, memory_gb)

    def _expected_purchases(
        self,
        histories: Histories,
        t: Duration,
        process: bool,
        seed: int | None,
        return_draws: bool,
        as_table: bool,
        memory_gb: float,
    ) -> pd.DataFrame | xr.DataArray | EngineTable:
        time, fit = self.time(t), self.of_customers(histories)
        prediction = predictions.predict(fit, histories, estimands.expected_purchases(fit.model, time), memory_gb)
        if require_flag("process", process, FitError):
            return prediction.simulated(time, seed).to_frame("purchases", return_draws=return_draws, as_table=as_table)
        return prediction.to_frame("expected_purchases", return_draws=return_draws, as_table=as_table)

    def total_purchases(
        self, histories: Histories, t: Duration, *, process: bool = False, seed: int | None = None
    ) -> pd.Series:
        """Return the number of purchases of all customers together in the time `t` after the end of observation.

        Customers are summed within each draw: an interval of the sum is not the sum of the intervals, which would be
        far too wide.

        Parameters
        ----------
        histories, t, process, seed
            As of `expected_purchases`.

        Returns
        -------
        Series
            mean; and sd, q05, q50, q95 where the fit has draws or `process` is asked for.

        Raises
        ------
        UnitError
            If the histories are not in the unit of this fit.

        Examples
        --------
        >>> transactions.total_purchases(rfm, "52 weeks", process=True, seed=1).index.to_list()
        ['mean', 'sd', 'q05', 'q50', 'q95']
        """
        time, fit = self.time(t), self.of_customers(histories)
        prediction = predictions.predict(fit, histories, estimands.expected_purchases(fit.model, time))
        return (prediction.simulated(time, seed) if require_flag("process", process, FitError) else prediction).total()

    @overload
    def probability_alive(
        self,
        histories: Histories,
        after: Duration = 0.0,
        *,
        return_draws: Literal[False] = False,
        memory_gb: float = 1.0,
    ) -> pd.DataFrame: ...
    @overload
    def probability_alive(
        self, histories: Histories, after: Duration = 0.0, *, return_draws: Literal[True], memory_gb: float = 1.0
    ) -> xr.DataArray: ...
    @overload
    def probability_alive(
        self,
        histories: Histories,
        after: Duration = 0.0,
        *,
        as_table: Literal[True],
        memory_gb: float = 1.0,
    ) -> EngineTable: ...
    def probability_alive(
        self,
        histories: Histories,
        after: Duration = 0.0,
        *,
        return_draws: bool = False,
        as_table: bool = False,
        memory_gb: float = 1.0,
    ) -> pd.DataFrame | xr.DataArray | EngineTable:
        """Return the probability that each customer is alive at a time `after` the end of observation.

        Under BG/NBD it is 1 now for everyone who bought once only; `probability_of_purchases` is a figure to decide by.

        Parameters
        ----------
        histories
            The customers, in the unit of this fit.
        after
            Such as ``"26 weeks"``; now if left out.
        return_draws, as_table, memory_gb
            As of `expected_purchases`.

        Returns
        -------
        DataFrame, Table or DataArray
            As of `expected_purchases`.

        Raises
        ------
        UnitError, FitError, DataError
            As of `expected_purchases`.

        Examples
        --------
        >>> transactions.probability_alive(rfm, "26 weeks").shape
        (3, 1)
        """
        fit = self.of_customers(histories)
        question = estimands.probability_alive(fit.model, self.time(after))
        return predictions.predict(fit, histories, question, memory_gb).to_frame(
            "probability_alive", return_draws=return_draws, as_table=as_table
        )

    @overload
    def probability_of_purchases(
        self,
        histories: Histories,
        t: Duration,
        n: int = 0,
        *,
        return_draws: Literal[False] = False,
        memory_gb: float = 1.0,
    ) -> pd.DataFrame: ...
    @overload
    def probability_of_purchases(
        self, histories: Histories, t: Duration, n: int = 0, *, return_draws: Literal[True], memory_gb: float = 1.0
    ) -> xr.DataArray: ...
    @overload
    def probability_of_purchases(
        self,
        histories: Histories,
        t: Duration,
        n: int = 0,
        *,
        as_table: Literal[True],
        memory_gb: float = 1.0,
    ) -> EngineTable: ...
    def probability_of_purchases(
        self,
        histories: Histories,
        t: Duration,
        n: int = 0,
        *,
        return_draws: bool = False,
        as_table: bool = False,
        memory_gb: float = 1.0,
    ) -> pd.DataFrame | xr.DataArray | EngineTable:
        """Return the probability that each customer buys exactly `n` times within `t` after the end of observation.

        Parameters
        ----------
        histories
            The customers, in the unit of this fit.
        t
            Such as ``"52 weeks"``; a bare number is in the unit of this fit.
        n
            Number of purchases.
        return_draws, as_table, memory_gb
            As of `expected_purchases`.

        Returns
        -------
        DataFrame, Table or DataArray
            As of `expected_purchases`.

        Raises
        ------
        FitError
            If `n` is not a whole number from zero up.
        UnitError, FitError, DataError
            As of `expected_purchases`.

        Examples
        --------
        >>> transactions.probability_of_purchases(rfm, "52 weeks", 0, return_draws=True).sizes["customer_id"]
        3
        """
        fit = self.of_customers(histories)
        question = estimands.probability_of_purchases(fit.model, self.time(t), n)
        return predictions.predict(fit, histories, question, memory_gb).to_frame(
            "probability_of_purchases", return_draws=return_draws, as_table=as_table
        )

    def expected_purchases_new(self, t: Duration, *, start: str | pd.Timestamp | None = None) -> pd.Series:
        """Return the expected number of repeat purchases of a customer just acquired, within `t`.

        Parameters
        ----------
        t
            Such as ``"52 weeks"``; a bare number is in the unit of this fit.
        start
            Of a fit with a calendar: the day on which they start; the end of observation if left out.

        Returns
        -------
        Series
            mean; and sd, q05, q50, q95 where the fit has draws.

        Examples
        --------
        >>> transactions.expected_purchases_new("52 weeks").round(3).to_dict()
        {'mean': 1.446}
        """
        return predictions.summary(purchases_new(self.starting(start).model, self.draws, np.asarray(self.time(t))))

    def probability_of_purchases_new(
        self, t: Duration, n: int = 0, *, start: str | pd.Timestamp | None = None
    ) -> float:
        """Return the probability that a customer just acquired buys `n` times more within `t` (mean over draws).

        Parameters
        ----------
        t
            Such as ``"52 weeks"``; a bare number is in the unit of this fit.
        n
            Number of repeat purchases.
        start
            Of a fit with a calendar: the day on which they start; the end of observation if left out.

        Raises
        ------
        UnitError
            If `t` is no duration.
        FitError
            If `n` is not a whole number from zero up.

        Examples
        --------
        >>> [round(transactions.probability_of_purchases_new("52 weeks", n), 3) for n in (0, 1, 2)]
        [0.538, 0.205, 0.091]
        """
        model, zero = self.starting(start).model, np.zeros(1)
        question = estimands.probability_of_purchases(model, self.time(t), n)
        alive = p_alive_new(model, self.draws)
        future = alive if question.given is None else question.given(self.draws, zero, zero)
        return float(question.answer(alive, future).mean())

    def simulate(self, customers: int, t: Duration, *, seed: int, start: str | pd.Timestamp | None = None) -> Histories:
        """Return purchase histories of new customers, observed for `t`, drawn from the model at the point estimate.

        Parameters
        ----------
        customers
            How many.
        t
            Such as ``"39 weeks"``; a bare number is in the unit of this fit.
        seed
            Of the random numbers.
        start
            Of a fit with a calendar: the day on which they start; the end of observation if left out.

        Returns
        -------
        Histories
            The truth stands in ``attributes``: purchase_rate (in the unit of this fit; none with a calendar), and
            whether the customer is alive at the end.

        Examples
        --------
        The model predicts how many of its own customers are alive, and is right but for chance:

        >>> rfm = transactions.simulate(5_000, "39 weeks", seed=1)
        >>> predicted, true = transactions.probability_alive(rfm)["mean"].mean(), rfm.attributes["alive"].mean()
        >>> bool(abs(predicted - true) < 0.01)
        True
        """
        number, span = require_whole("customers", customers, high=_MOST_CUSTOMERS, error=FitError), self.time(t)
        require_seed(seed, FitError)
        fit = self.starting(start)
        return simulated_histories(fit.model, self.estimate, number, span, self.unit, seed, fit.now)

    def plot(self, histories: Histories | None = None, *, ax: Axes | None = None, return_data: bool = False) -> Drawn:
        """Draw how customers differ in how often they buy; beside histories, how often they would have bought.

        This is ``clv.plots.heterogeneity`` or, with histories, ``clv.plots.posterior_predictive``.

        Examples
        --------
        >>> transactions.plot().get_title("left")
        'How often customers buy'
        """
        if histories is None:
            return picture("heterogeneity")(self, ax=ax, return_data=return_data)
        return picture("posterior_predictive")(self, histories, ax=ax, return_data=return_data)
