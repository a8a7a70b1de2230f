"""What a valuation says of each customer: it needs them in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.valuation.lines import DRIVERS, DiscountedDrivers, ValuedLine
from clvmodels.valuation.uncertainty import CUSTOMER_COLUMNS, SEED
from clvmodels.valuation.valued_rows import ValuedRows

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.evaluation.findings import Checks
    from clvmodels.evaluation.holdout_total import HoldoutTotal

__all__ = ["CustomerValues"]

Array = NDArray[np.float64]

INTERVALS_UP_TO: Final = 100_000
"""Customers whose table has where the value of each will lie: some 600 microseconds of processor time each."""


class CustomerValues(ABC):
    """Values by customer, shape (customers,) each, in the order of the histories.

    Raises
    ------
    DataError
        If the customers of an engine do not fit into memory; all members do so.
    """

    @property
    @abstractmethod
    def each(self) -> ValuedRows:
        """The valuation of each customer, in memory."""

    @property
    def rlv(self) -> Array:
        """Residual lifetime value by customer, shape (customers,)."""
        return self.each.rlv

    def rlv_within(self, years: int) -> Array:
        """Return the part of the residual lifetime value that comes within some years, shape (customers,).

        Raises
        ------
        AssumptionError
            If `years` is none of `HORIZONS`.

        Examples
        --------
        >>> (book.rlv_within(1) / book.rlv).round(2)
        array([0.28, 0.23, 0.3 ])
        """
        return self.each.rlv_within(years)

    @property
    def future(self) -> DiscountedDrivers:
        """D, L, Z, G and K of the customers."""
        return self.each.future

    @property
    def order_value(self) -> Array:
        """Z of each customer, shape (customers,)."""
        return self.each.order_value

    @property
    def alive(self) -> Array:
        """P(alive) of the customers, shape (customers,)."""
        return self.each.alive

    @property
    def lines(self) -> tuple[ValuedLine, ...]:
        """The benefits and costs; rates are one number, or shape (customers,)."""
        return self.each.lines

    @property
    def rates(self) -> dict[str, float | Array]:
        """The rates of the assumptions, by name: one number, or shape (customers,)."""
        return self.each.rates

    @property
    def acquisition_cost(self) -> Array:
        """Acquisition cost by customer, shape (customers,)."""
        return self.each.acquisition_cost

    def summed(self, values: Array) -> float:
        """Return the sum over the customers of what is known of each, shape (customers,).

        Examples
        --------
        >>> book.summed(book.rlv) == book.equity
        True
        """
        return self.each.summed(values)

    def drawn_by(self, group: NDArray[np.int64], *, process: bool = True, seed: int | None = SEED) -> Array:
        """Return draws of the equity of groups of customers, shape (groups, draws).

        Parameters
        ----------
        group
            The group of each customer, numbered from 0 up, shape (customers,).
        process, seed
            As of `draws`.

        Examples
        --------
        >>> params = {"r": np.array([[0.23, 0.24, 0.25]]), "alpha": 4.414, "a": .793, "b": 2.426}
        >>> drawn = clv.BGNBD().from_params(params, unit="week")
        >>> book = clv.value(drawn, spend, rfm, book.assumptions)
        >>> bool(np.allclose(book.drawn_by(np.array([0, 1, 1])).sum(axis=0), book.draws()))
        True
        """
        return self.each.drawn_by(group, process=process, seed=seed)

    @cached_property
    def customers(self) -> pd.DataFrame:
        """By customer_id: discounted_orders (D), discounted_lifetime (L, years), order_value (Z), each line, rlv.

        Where the fits have draws, also the columns of `customer_intervals`: where a customer's value will lie. Of more
        than 100,000 customers these take minutes, and are to be asked for.
        """
        import pandas as pd

        each = self.each
        if not each.has_draws or len(each.histories) > INTERVALS_UP_TO:
            return each.to_frame()
        return pd.concat([each.to_frame(), self.customer_intervals()], axis=1)

    def customer_intervals(self, *, process: bool = True, seed: int | None = SEED) -> pd.DataFrame:
        """Return by customer_id sd and quantiles of the draws of residual lifetime value, and the share below zero.

        Parameters
        ----------
        process, seed
            As of `draws`: with it, what a customer will really bring; without it, how sure one is of what they are
            worth on average over their possible futures.

        Returns
        -------
        DataFrame
            rlv_sd, rlv_q05, rlv_q50, rlv_q95 (money), probability_of_loss.

        Raises
        ------
        FitError
            If `process` is False and neither fit has draws.

        Examples
        --------
        >>> params = {"r": np.linspace(0.22, 0.27, 100)[None], "alpha": 4.414, "a": .793, "b": 2.426}
        >>> drawn = clv.BGNBD().from_params(params, unit="week")
        >>> book = clv.value(drawn, spend, rfm, book.assumptions)
        >>> mean = book.customer_intervals(process=False)
        >>> mean[["rlv_q05", "rlv_q50", "rlv_q95"]].round(2)
                     rlv_q05  rlv_q50  rlv_q95
        customer_id
        A              37.71    37.90    38.08
        B               9.94    10.85    11.74
        C             157.75   158.12   158.49
        >>> what_comes = book.customer_intervals()
        >>> bool((what_comes["rlv_sd"] > mean["rlv_sd"]).all())
        True
        """
        import pandas as pd

        rows = self.each
        table = rows.uncertainty(process=process, seed=seed, by_customer=True).customers
        return pd.DataFrame(table, index=rows.histories.customer_id, columns=list(CUSTOMER_COLUMNS))

    def checks(self, last_third: HoldoutTotal | None = None) -> Checks:
        """Check what the models assume, how far the data depart from it, and what that is worth: ``clv.checks``.

        Parameters
        ----------
        last_third
            What ``clv.last_third`` returns of the log, to be among the checks.

        Examples
        --------
        >>> import clvmodels as clv
        >>> log = clv.datasets.load_cdnow(sample=True)
        >>> rfm = clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end="1997-09-30")
        >>> assumptions = clv.Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks")
        >>> book = clv.value(clv.BGNBD().fit(rfm), clv.GammaGamma().fit(rfm), rfm, assumptions)
        >>> book.checks().table.loc["one-time buyers", "verdict"]
        'look'
        """
        import pandas as pd

        from clvmodels.evaluation.checks import checks

        each = self.each
        of_sales = DRIVERS["sales"](each.future) * sum(line.rates.get("sales", 0.0) for line in each.lines)
        rlv, sales = (pd.Series(values, each.histories.customer_id) for values in (each.rlv, of_sales))
        return checks(each.transactions.best, each.spend, each.histories, rlv=rlv, sales=sales, last_third=last_third)
