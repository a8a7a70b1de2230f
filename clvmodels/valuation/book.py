"""Customer equity: the value of the customers on the books, by customer, by line and by horizon."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from clvmodels.arguments import abridged, as_number, require_flag, require_seed
from clvmodels.data.histories import Histories
from clvmodels.data.lazy import LazyHistories, require_histories
from clvmodels.errors import AssumptionError, FitError
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.numerics.threads import dot
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.checks import require_number
from clvmodels.valuation.concentration import whole_customers
from clvmodels.valuation.discounting import calendar_years, discounting, growing
from clvmodels.valuation.expectations import expected
from clvmodels.valuation.finite import require_amounts, require_end, require_finite_drivers
from clvmodels.valuation.futures import simulated_futures
from clvmodels.valuation.lines import (
    COMMON,
    DRIVERS,
    OWN,
    DiscountedDrivers,
    Line,
    lines_of,
    rates_of,
    spreads_of,
    that_count,
    total,
)
from clvmodels.valuation.new_customer import NewCustomer, new_customer
from clvmodels.valuation.residual_expectations import ResidualExpectations, ahead
from clvmodels.valuation.uncertainty import CUSTOMER_COLUMNS, Basis, Interval, Uncertainty
from clvmodels.valuation.unknown_spend import warn_of_unknown_spend

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.evaluation.checks import Checks
    from clvmodels.style import Axes, Drawn
    from clvmodels.valuation.lazy_book import LazyBook

__all__ = ["DISCOUNTING", "HORIZONS", "Book", "order_values", "value", "valued"]

Array = NDArray[np.float64]

HORIZONS: Final = (1, 2, 3, 5, 10, 15, 20, 30)
"""Years within which the value is shown."""


DISCOUNTING: Final = ("discount_rate", "growth", "year", "timing", "horizon")
"""The assumptions that D, L and Z rest on."""


@dataclass(frozen=True, eq=False, repr=False)
class Book:
    """The valuation of the customers on the books.

    Attributes
    ----------
    transactions, spend
        The fits it rests on.
    assumptions
        The assumptions.
    histories
        The customers.
    order_value
        Z of each customer, shape (customers,).
    ahead
        What customers are expected to do within each of `HORIZONS` and that of the assumptions, discounted; where
        values grow, then also with that growth.
    weight
        How many customers each history stands for, shape (histories,); None: one.
    """

    transactions: TransactionFit
    spend: SpendFit
    assumptions: Assumptions
    histories: Histories
    order_value: Array
    ahead: ResidualExpectations
    weight: Array | None = None
    _draws: dict[tuple[bool, int | None], Uncertainty] = field(default_factory=dict, init=False)

    @cached_property
    def future(self) -> DiscountedDrivers:
        """D, L, Z, G and K of the customers."""
        return self._future(len(HORIZONS), None)

    def _future(self, horizon: int, years: float | None) -> DiscountedDrivers:
        """Return the same within one of the horizons."""
        ahead = self.ahead
        grown = horizon - len(HORIZONS) - 1  # counted from the last: the same if values do not grow
        D, G = (ahead.purchases[:, column][ahead.index] for column in (horizon, grown))
        L = ahead.living[:, horizon][ahead.index] / self.assumptions.year_in(self.transactions.unit)
        return DiscountedDrivers(
            D, L, self.order_value, G, calendar_years(self.assumptions, self.transactions.unit, years)
        )

    @cached_property
    def alive(self) -> Array:
        """P(alive) of the customers, shape (customers,)."""
        return self.ahead.alive[self.ahead.index]

    def rlv_within(self, years: int) -> Array:
        """Return the part of the residual lifetime value that comes within some years, shape (customers,).

        Raises
        ------
        AssumptionError
            If `years` is none of `HORIZONS`.

        Examples
        --------
        >>> import pandas as pd
        >>> import clvmodels as clv
        >>> table = {"customer_id": ["A", "B", "C"], "frequency": [2, 0, 5], "recency": [30, 0, 38], "T": [39, 39, 39]}
        >>> table |= {"monetary_value": [22.35, None, 41.0], "segment": ["shop", "web", "web"]}
        >>> rfm = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
        >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> book = clv.value(transactions, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
        >>> (book.rlv_within(1) / book.rlv).round(2)
        array([0.28, 0.23, 0.3 ])
        """
        if as_number(years) not in HORIZONS:
            raise AssumptionError(f"value is known within {', '.join(map(str, HORIZONS))} years, got {abridged(years)}")
        years = int(years)
        return total(self.lines, self._future(HORIZONS.index(years), years))

    def with_assumptions(self, assumptions: Assumptions) -> Book:
        """Return the valuation of the same customers and fits under other assumptions; nothing is fitted again.

        Examples
        --------
        >>> import pandas as pd
        >>> import clvmodels as clv
        >>> table = {"customer_id": ["A", "B", "C"], "frequency": [2, 0, 5], "recency": [30, 0, 38], "T": [39, 39, 39]}
        >>> table |= {"monetary_value": [22.35, None, 41.0]}
        >>> rfm = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
        >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> assumptions = clv.Assumptions(discount_rate=0.15, margin=0.30)
        >>> book = clv.value(transactions, spend, rfm, assumptions)
        >>> round(book.with_assumptions(assumptions.replace({"margin": 0.15})).equity / book.equity, 9)
        0.5
        """
        _require_assumptions(assumptions)
        if any(getattr(assumptions, name) != getattr(self.assumptions, name) for name in DISCOUNTING):
            return valued(self.transactions, self.spend, self.histories, assumptions)
        return replace(self, assumptions=assumptions)

    def statement(self, by: str | pd.Series[Any] | None = None, *, intervals: bool = True) -> pd.DataFrame:
        """Return the customer-equity statement: customers, drivers, lines and equity, by segment and in total.

        Parameters
        ----------
        by
            A column of the customers, such as a segment, a cohort or a channel; or a Series by customer id. None: the
            total alone.
        intervals
            Where the fits have draws, show between which ends the equity of each segment lies.

        Returns
        -------
        DataFrame
            By segment, the total in the last row: customers, living_customers (expected), discounted_orders,
            living_years, each line, equity, per_head, low and high (where the fits have draws: between them the
            equity lies with probability 0.9), share_1 to share_10 (of equity, within so many years), and, if
            acquisition cost is stated, acquisition_cost and rlv_to_acquisition_cost_spent.

        Raises
        ------
        DataError
            If `by` is not known of every customer.

        Examples
        --------
        >>> import pandas as pd
        >>> import clvmodels as clv
        >>> table = {"customer_id": ["A", "B", "C"], "frequency": [2, 0, 5], "recency": [30, 0, 38], "T": [39, 39, 39]}
        >>> table |= {"monetary_value": [22.35, None, 41.0], "segment": ["shop", "web", "web"]}
        >>> rfm = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
        >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> book = clv.value(transactions, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
        >>> book.statement(by="segment")[["customers", "discounted_orders", "equity", "per_head", "share_1"]].round(2)
                 customers  discounted_orders  equity  per_head  share_1
        segment
        shop           1.0               5.12   37.88     37.88     0.28
        web            2.0              14.02  168.86     84.43     0.30
        total          3.0              19.14  206.74     68.91     0.30
        """
        from clvmodels.valuation.statement import statement

        wanted = require_flag("intervals", intervals, FitError)
        return statement(self, by, intervals=wanted and self.has_draws)

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """The benefits and costs."""
        return that_count(lines_of(self.rates, self.assumptions.tax))

    @cached_property
    def rates(self) -> dict[str, float | Array]:
        """The rates of the assumptions, by name: one number, or shape (customers,)."""
        return rates_of(self.assumptions, self.histories)

    @property
    def has_draws(self) -> bool:
        """Whether one of the fits has draws of its parameters."""
        return len(self.transactions.draws) > 1 or len(self.spend.draws) > 1

    @cached_property
    def rlv(self) -> Array:
        """Residual lifetime value by customer, shape (customers,)."""
        return total(self.lines, self.future)

    @cached_property
    def customers(self) -> pd.DataFrame:
        """By customer_id: discounted_orders (D), discounted_lifetime (L, years), order_value (Z), each line, rlv.

        Where the fits have draws, also the columns of `customer_intervals`, from the draws of the parameters.
        """
        import pandas as pd

        future = self.future
        columns = {"discounted_orders": future.D, "discounted_lifetime": future.L, "order_value": future.Z}
        columns |= {line.name: line.value(future) for line in self.lines} | {"rlv": self.rlv}
        table = pd.DataFrame(columns, index=self.histories.customer_id)
        return pd.concat([table, self.customer_intervals()], axis=1) if self.has_draws else table

    @cached_property
    def equity(self) -> float:
        """Static customer equity: the sum of the residual lifetime values of the customers on the books.

        Raises
        ------
        AssumptionError
            If it is no finite number.
        """
        equity = self.summed(self.rlv)
        if np.isfinite(equity):
            return equity
        sums = {line.name: self.summed(line.value(self.future)) for line in self.lines}
        wrong = [name for name, amount in sums.items() if not np.isfinite(amount)]
        raise AssumptionError(
            f"customer equity is no finite number: {', '.join(wrong) or 'the sum of all lines'} overflows; lower the "
            "rates or the order values that it rests on, or count money in a larger unit"
        )

    def summed(self, values: Array) -> float:
        """Return the sum over the customers of what is known by history, shape (histories,).

        Examples
        --------
        >>> import pandas as pd
        >>> import clvmodels as clv
        >>> table = {"customer_id": ["A", "B", "C"], "frequency": [2, 0, 5], "recency": [30, 0, 38], "T": [39, 39, 39]}
        >>> table |= {"monetary_value": [22.35, None, 41.0], "segment": ["shop", "web", "web"]}
        >>> rfm = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
        >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> book = clv.value(transactions, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
        >>> book.summed(book.rlv) == book.equity
        True
        """
        return float(values.sum()) if self.weight is None else dot(self.weight, values)

    def bought_once(self) -> tuple[int, float]:
        """Return how many customers bought once only, and what they are worth together.

        Examples
        --------
        >>> import pandas as pd
        >>> import clvmodels as clv
        >>> table = {"customer_id": ["A", "B", "C"], "frequency": [2, 0, 5], "recency": [30, 0, 38], "T": [39, 39, 39]}
        >>> table |= {"monetary_value": [22.35, None, 41.0], "segment": ["shop", "web", "web"]}
        >>> rfm = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
        >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> book = clv.value(transactions, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
        >>> customers, equity = book.bought_once()
        >>> customers, round(equity, 2)
        (1, 10.77)
        """
        once = (self.histories.frequency == 0.0).astype(float)
        return round(self.summed(once)), self.summed(once * self.rlv)

    def unprofitable(self) -> tuple[int, float]:
        """Return how many customers have an expected residual value below zero, and what they are worth together.

        Examples
        --------
        >>> import pandas as pd
        >>> import clvmodels as clv
        >>> table = {"customer_id": ["A", "B", "C"], "frequency": [2, 0, 5], "recency": [30, 0, 38], "T": [39, 39, 39]}
        >>> table |= {"monetary_value": [22.35, None, 41.0], "segment": ["shop", "web", "web"]}
        >>> rfm = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
        >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> assumptions = clv.Assumptions(discount_rate=0.15, margin=0.30, maintenance_cost=5.0)
        >>> customers, equity = clv.value(transactions, spend, rfm, assumptions).unprofitable()
        >>> customers, round(equity, 2)
        (1, -18.97)
        """
        loss = (self.rlv < 0.0).astype(float)
        return round(self.summed(loss)), self.summed(loss * self.rlv)

    def most_valuable(self, share: float) -> tuple[int, float]:
        """Return how many customers the most valuable share of them is, and what they are worth together.

        Examples
        --------
        >>> import pandas as pd
        >>> import clvmodels as clv
        >>> table = {"customer_id": ["A", "B", "C"], "frequency": [2, 0, 5], "recency": [30, 0, 38], "T": [39, 39, 39]}
        >>> table |= {"monetary_value": [22.35, None, 41.0], "segment": ["shop", "web", "web"]}
        >>> rfm = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
        >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> book = clv.value(transactions, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
        >>> customers, equity = book.most_valuable(0.2)
        >>> customers, round(equity, 2)
        (1, 158.09)
        """
        require_number("share", share, "of the customers; a tenth is 0.1", low=0.0, high=1.0)
        number = whole_customers(share, len(self.rlv))
        highest = np.partition(self.rlv, len(self.rlv) - number)[len(self.rlv) - number :]
        return number, float(highest.sum())

    def interval(self, probability: float = 0.9, *, process: bool = False, seed: int | None = None) -> Interval:
        """Return where customer equity lies with a probability, given the draws of the fits.

        Parameters
        ----------
        probability
            Of the interval, above 0 and below 1.
        process, seed
            As of `draws`.

        Returns
        -------
        Interval
            low, high, mean, sd and median of the draws of equity. Its mean is that of the draws: `equity` is the value
            at the point estimates, which differs a little, as value is not linear in the parameters.

        Raises
        ------
        FitError
            If neither fit has draws, and `process` is not asked for.
        AssumptionError
            If `probability` is not between 0 and 1.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> import clvmodels as clv
        >>> table = {"customer_id": ["A", "B", "C"], "frequency": [2, 0, 5], "recency": [30, 0, 38], "T": [39, 39, 39]}
        >>> table |= {"monetary_value": [22.35, None, 41.0]}
        >>> rfm = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
        >>> r = np.array([[0.23, 0.24, 0.25]])
        >>> transactions = clv.BGNBD().from_params({"r": r, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> assumptions = clv.Assumptions(discount_rate=0.15, margin=0.30)
        >>> book = clv.value(transactions, spend, rfm, assumptions)
        >>> book.interval(0.9).draws
        3
        """
        if not 0.0 < as_number(probability) < 1.0:
            raise AssumptionError(
                f"the probability of an interval is between 0 and 1, such as 0.9, got {abridged(probability)}"
            )
        return Interval.of(self.draws(process=process, seed=seed), probability)

    def draws(self, *, process: bool = False, seed: int | None = None) -> Array:
        """Return customer equity under each draw of the parameters, shape (draws,).

        Draw i of the fit of transactions is paired with draw i of the fit of spend, and customers are summed within
        each pair. If one fit has fewer draws, they are used again from the first on; a point estimate is paired with
        every draw of the other fit. Of more than 1,000 draws, 1,000 at even distances are used.

        Parameters
        ----------
        process
            Include what finitely many customers will really do: under each pair of draws every customer's future
            purchases and their values are simulated once (1,000 times in all if both fits are point estimates).
        seed
            Of the simulation; None: a new one for each book.

        Raises
        ------
        FitError
            If neither fit has draws, and `process` is not asked for.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> import clvmodels as clv
        >>> table = {"customer_id": ["A", "B", "C"], "frequency": [2, 0, 5], "recency": [30, 0, 38], "T": [39, 39, 39]}
        >>> table |= {"monetary_value": [22.35, None, 41.0], "segment": ["shop", "web", "web"]}
        >>> rfm = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
        >>> params = {"r": np.array([[0.23, 0.24, 0.25]]), "alpha": 4.414, "a": .793, "b": 2.426}
        >>> transactions = clv.BGNBD().from_params(params, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> book = clv.value(transactions, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
        >>> book.draws().round(2)
        array([205.9 , 206.55, 207.19])
        >>> book.draws(process=True, seed=1).shape
        (3,)
        """
        return self._uncertainty(process, seed).equity

    def customer_intervals(self, *, process: bool = False, seed: int | None = None) -> pd.DataFrame:
        """Return by customer_id sd and quantiles of the draws of residual lifetime value, and the share below zero.

        Parameters
        ----------
        process, seed
            As of `draws`: without it, what the customer is worth on average over his possible futures; with it, what he
            will really bring.

        Returns
        -------
        DataFrame
            rlv_sd, rlv_q05, rlv_q50, rlv_q95 (money), probability_of_loss.

        Raises
        ------
        FitError
            If neither fit has draws, and `process` is not asked for.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> import clvmodels as clv
        >>> table = {"customer_id": ["A", "B", "C"], "frequency": [2, 0, 5], "recency": [30, 0, 38], "T": [39, 39, 39]}
        >>> table |= {"monetary_value": [22.35, None, 41.0], "segment": ["shop", "web", "web"]}
        >>> rfm = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
        >>> params = {"r": np.linspace(0.22, 0.27, 100)[None], "alpha": 4.414, "a": .793, "b": 2.426}
        >>> transactions = clv.BGNBD().from_params(params, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> book = clv.value(transactions, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
        >>> mean = book.customer_intervals()
        >>> mean[["rlv_q05", "rlv_q50", "rlv_q95"]].round(2)
                     rlv_q05  rlv_q50  rlv_q95
        customer_id
        A              37.71    37.90    38.08
        B               9.94    10.85    11.74
        C             157.75   158.12   158.49
        >>> what_comes = book.customer_intervals(process=True, seed=1)
        >>> bool((what_comes["rlv_sd"] > mean["rlv_sd"]).all())
        True
        """
        import pandas as pd

        table = self._uncertainty(process, seed).customers
        return pd.DataFrame(table, index=self.histories.customer_id, columns=list(CUSTOMER_COLUMNS))

    def drawn_by(self, group: NDArray[np.int64]) -> Array:
        """Return the equity of groups of customers under each draw of the parameters, shape (groups, draws).

        Parameters
        ----------
        group
            The group of each customer, numbered from 0 up, shape (customers,).

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> import clvmodels as clv
        >>> table = {"customer_id": ["A", "B", "C"], "frequency": [2, 0, 5], "recency": [30, 0, 38], "T": [39, 39, 39]}
        >>> table |= {"monetary_value": [22.35, None, 41.0], "segment": ["shop", "web", "web"]}
        >>> rfm = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
        >>> params = {"r": np.array([[0.23, 0.24, 0.25]]), "alpha": 4.414, "a": .793, "b": 2.426}
        >>> transactions = clv.BGNBD().from_params(params, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> book = clv.value(transactions, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
        >>> bool(np.allclose(book.drawn_by(np.array([0, 1, 1])).sum(axis=0), book.draws()))
        True
        """
        drawn = expected(self._basis, self.histories, group)
        self._draws.setdefault((False, None), drawn)  # what is drawn of all customers is the same
        return drawn.groups

    def drawn_lines(self) -> Array:
        """Return each line, summed over the customers, under each draw of the parameters; shape (lines, draws).

        Raises
        ------
        FitError
            If neither fit has draws.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> import clvmodels as clv
        >>> table = {"customer_id": ["A", "B", "C"], "frequency": [2, 0, 5], "recency": [30, 0, 38], "T": [39, 39, 39]}
        >>> table |= {"monetary_value": [22.35, None, 41.0]}
        >>> rfm = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
        >>> r = np.array([[0.23, 0.24, 0.25]])
        >>> transactions = clv.BGNBD().from_params({"r": r, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> assumptions = clv.Assumptions(discount_rate=0.15, margin=0.30, order_cost=1.0)
        >>> book = clv.value(transactions, spend, rfm, assumptions)
        >>> [line.name for line in book.lines], book.drawn_lines().shape
        (['contribution_margin', 'order_cost'], (2, 3))
        """
        return self._uncertainty(process=False, seed=None).lines

    @property
    def _basis(self) -> Basis:
        names = tuple(line.name for line in self.lines)
        own, common = (spreads_of(self.assumptions, self.histories, ending) for ending in (OWN, COMMON))
        return Basis(self.transactions, self.spend, self.assumptions, names, self.rates, own, common, self.weight)

    def _uncertainty(self, process: bool, seed: int | None) -> Uncertainty:
        """Return the draws of this valuation, computed when they are first asked for."""
        require_seed(seed, FitError)
        if not (require_flag("process", process, FitError) or self.has_draws):
            raise FitError(
                "an interval needs a fit with draws, and both fits are point estimates; fit with "
                'method="nuts" or method="laplace", or ask for the randomness of the customers alone with process=True'
            )
        key = (process, seed if process else None)
        if key not in self._draws:
            some = self._basis, self.histories
            self._draws[key] = simulated_futures(*some, seed) if process else expected(*some)
        return self._draws[key]

    @cached_property
    def statement_lines(self) -> pd.DataFrame:
        """By line: group, driver, amount of the driver, rate, present value, share of equity.

        Amount and rate are missing where a line rests on several drivers; where rates differ from customer to
        customer, `rate` is the mean that gives the value. Where the fits have draws, also low and high: between them
        the value lies with probability 0.9.
        """
        from clvmodels.valuation.statement import by_line

        return by_line(self)

    @cached_property
    def horizons(self) -> pd.DataFrame:
        """By number of years: equity within them, and its share of the whole."""
        import pandas as pd

        equity = [self.summed(self.rlv_within(years)) for years in HORIZONS]
        table = pd.DataFrame({"years": HORIZONS, "equity": equity}).set_index("years")
        return table.assign(share=table["equity"] / self.equity)

    @cached_property
    def acquisition_cost(self) -> Array:
        """Acquisition cost by customer, shape (customers,)."""
        return np.broadcast_to(self.rates["acquisition_cost"], len(self.histories))

    @cached_property
    def new_customer(self) -> NewCustomer:
        """The value of a customer just acquired, under the same fits and assumptions."""
        return new_customer(self)

    def checks(self) -> Checks:
        """Check what the models assume, how far the data depart from it, and what that is worth: ``clv.checks``.

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

        of_sales = DRIVERS["sales"](self.future) * sum(line.rates.get("sales", 0.0) for line in self.lines)
        rlv, sales = (pd.Series(some, self.histories.customer_id) for some in (self.rlv, of_sales))
        return checks(self.transactions, self.spend, self.histories, rlv=rlv, sales=sales)

    def plot(self, *, ax: Axes | None = None, return_data: bool = False) -> Drawn:
        """Draw the share of equity over customers, the most valuable first: ``clv.plots.whale``.

        Examples
        --------
        >>> import pandas as pd
        >>> import clvmodels as clv
        >>> table = {"customer_id": ["A", "B", "C"], "frequency": [2, 0, 5], "recency": [30, 0, 38], "T": [39, 39, 39]}
        >>> table |= {"monetary_value": [22.35, None, 41.0], "segment": ["shop", "web", "web"]}
        >>> rfm = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
        >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> book = clv.value(transactions, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
        >>> book.plot().get_title("left")
        'Where customer equity is made'
        """
        from clvmodels.valuation.plots.concentration import whale

        return whale(self, ax=ax, return_data=return_data)

    def __repr__(self) -> str:
        assumptions = self.assumptions
        return (
            f"<Customer equity {self.equity:,.2f}{' ' * bool(assumptions.currency)}{assumptions.currency} of "
            f"{round(self.summed(np.ones(len(self.histories)))):,} customers: "
            f"{self.transactions.model.name} and {self.spend.model.name}, "
            f"{', '.join(f'{rate:.4g}' for rate in assumptions.discount_rates)} a year "
            f"({assumptions.timing}), {assumptions.horizon or 'for ever'}>"
        )


@overload
def value(transactions: TransactionFit, spend: SpendFit, histories: Histories, assumptions: Assumptions) -> Book: ...
@overload
def value(
    transactions: TransactionFit, spend: SpendFit, histories: LazyHistories, assumptions: Assumptions
) -> LazyBook: ...
def value(
    transactions: TransactionFit, spend: SpendFit, histories: Histories | LazyHistories, assumptions: Assumptions
) -> Book | LazyBook:
    """Value the customers on the books.

    Parameters
    ----------
    transactions
        A fitted model of transactions.
    spend
        A fitted model of the value of orders.
    histories
        The customers, in the unit of `transactions`.
    assumptions
        The assumptions.

    Returns
    -------
    Book or LazyBook
        Customer equity, by customer, by line and by horizon; of histories in an engine, customers stay there.

    Raises
    ------
    FitError
        If `transactions` or `spend` is not what its name says, or its parameters are too extreme for finite numbers.
    UnitError
        If the histories are not in the unit of `transactions`.
    AssumptionError
        If the value would be infinite: without a horizon, no discount rate above the growth of order values.
    DataError
        If a mean order value is too large to be multiplied.

    Warns
    -----
    DataWarning
        If the mean spend of a tenth of the customers with repeat purchases, or of more, is not known: each of them
        gets the mean of the population.

    Notes
    -----
    RLV is the sum of the lines (`clvmodels.valuation.lines`), each rates times drivers, with D, L and Z at the fits'
    point estimates. Source: Fader, Hardie & Lee (2005), JMR 42(4); Wiesel, Skiera & Villanueva (2008), Journal of
    Marketing 72(2), for the lines.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> rfm = clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end="1998-06-30")
    >>> assumptions = clv.Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks")
    >>> book = clv.value(clv.ParetoNBD().fit(rfm), clv.GammaGamma().fit(rfm), rfm, assumptions)
    >>> round(book.equity, -2)
    104200.0
    """
    given: tuple[object, object] = (transactions, spend)
    if not (isinstance(given[0], TransactionFit) and isinstance(given[1], SpendFit)):
        raise FitError(
            "value(transactions, spend, rfm, assumptions) takes a fit of transactions first and a fit of spend second"
        )
    require_histories(histories)
    _require_assumptions(assumptions)
    transactions.require_unit(histories)
    book = valued(transactions, spend, histories, assumptions)
    warn_of_unknown_spend(spend, histories)
    return book


@overload
def valued(transactions: TransactionFit, spend: SpendFit, histories: Histories, assumptions: Assumptions) -> Book: ...
@overload
def valued(
    transactions: TransactionFit, spend: SpendFit, histories: LazyHistories, assumptions: Assumptions
) -> LazyBook: ...
def valued(
    transactions: TransactionFit, spend: SpendFit, histories: Histories | LazyHistories, assumptions: Assumptions
) -> Book | LazyBook:
    """Return what `value` does, without a warning that was given when these customers were valued before."""
    require_end(transactions, assumptions)
    kinds = (discounting, growing) if assumptions.growth else (discounting,)
    weightings = [kind(assumptions, transactions.unit, years) for kind in kinds for years in (*HORIZONS, None)]
    expected = ahead(transactions, histories, weightings)
    require_finite_drivers(transactions, expected)
    if isinstance(histories, LazyHistories):
        from clvmodels.valuation.lazy_book import LazyBook

        return LazyBook(transactions, spend, assumptions, histories, expected)
    book = Book(transactions, spend, assumptions, histories, order_values(spend, histories), expected)
    book.equity  # noqa: B018 - refused here rather than at the first figure, where it is no finite number
    return book


def _require_assumptions(given: object) -> None:
    if not isinstance(given, Assumptions):
        raise AssumptionError(
            f"assumptions are wanted, such as clv.Assumptions(discount_rate=0.15, margin=0.30), got {abridged(given)}"
        )


def order_values(spend: SpendFit, histories: Histories) -> Array:
    """Return Z of each customer at the point estimate, shape (customers,).

    Raises
    ------
    DataError
        If a customer's mean order value is too large.
    """
    require_amounts(histories)
    theta = spend.parameters(histories).point(slice(None))
    return np.asarray(spend.model.expected_spend(theta, histories.frequency, histories.monetary_value))
