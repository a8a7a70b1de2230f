"""Customer equity: the value of the customers on the books, by customer, by line and by horizon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.histories import Histories
from clvmodels.errors import AssumptionError, FitError
from clvmodels.inference import predictions
from clvmodels.inference.fit import OrdersFit, SpendFit
from clvmodels.models.derived import residual
from clvmodels.numerics.threads import dot
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.discounting import discounting
from clvmodels.valuation.lines import DRIVERS, Driver, Future, Line, lines
from clvmodels.valuation.uncertainty import CUSTOMER_COLUMNS, Interval, Uncertainty, expected, realised

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HORIZONS", "Book", "NewCustomer", "value"]

Array = NDArray[np.float64]

HORIZONS: Final = (1, 2, 3, 5, 10, 15, 20, 30)
"""Years within which the value is shown."""


@dataclass(frozen=True)
class NewCustomer:
    """The expected value of a customer seen from the moment of acquisition, before the cost of acquisition.

    Attributes
    ----------
    orders, living_years
        Discounted expected repeat orders and living years.
    order_value
        Expected value of an order.
    first_order
        Contribution of the first order, less its order cost.
    repeat
        Value of what follows.
    """

    orders: float
    living_years: float
    order_value: float
    first_order: float
    repeat: float

    @property
    def post_acquisition_value(self) -> float:
        """First order and what follows (PAV): the highest acquisition cost that still pays."""
        return self.first_order + self.repeat


@dataclass(frozen=True, eq=False, repr=False)
class Book:
    """The valuation of the customers on the books.

    Attributes
    ----------
    orders, spend
        The fits it rests on.
    terms
        The assumptions.
    histories
        The customers.
    future
        D, L and Z of each customer, shape (customers,) each.
    within
        The drivers of the lines summed over customers, within each of `HORIZONS`; shape (horizons,) each.
    """

    orders: OrdersFit
    spend: SpendFit
    terms: Assumptions
    histories: Histories
    future: Future
    within: Mapping[Driver, Array]
    _draws: dict[tuple[bool, int | None], Uncertainty] = field(default_factory=dict, init=False)

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """The benefits and costs."""
        return lines(self.terms)

    @property
    def has_draws(self) -> bool:
        """Whether one of the fits has draws of its parameters."""
        return len(self.orders.draws) > 1 or len(self.spend.draws) > 1

    @cached_property
    def rlv(self) -> Array:
        """Residual lifetime value by customer, shape (customers,)."""
        return np.asarray(np.sum([line.value(self.future) for line in self.lines], axis=0))

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
        """Static customer equity: the sum of the residual lifetime values of the customers on the books."""
        return float(self.rlv.sum())

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
        >>> import clvmodels as clv
        >>> r = np.array([[0.23, 0.24, 0.25]])
        >>> orders = clv.BGNBD().from_params({"r": r, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> terms = clv.Assumptions(discount_rate=0.15, margin=0.30)
        >>> book = clv.value(orders, spend, orders.simulate(100, "39 weeks", seed=1), terms)
        >>> book.interval(0.9).draws
        3
        """
        if not 0.0 < probability < 1.0:
            raise AssumptionError(
                f"the probability of an interval is between 0 and 1, such as 0.9, got {probability!r}"
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
            rlv_sd, rlv_q05, rlv_q50, rlv_q95, probability_of_loss.

        Raises
        ------
        FitError
            If neither fit has draws, and `process` is not asked for.
        """
        import pandas as pd

        table = self._uncertainty(process, seed).customers
        return pd.DataFrame(table, index=self.histories.customer_id, columns=list(CUSTOMER_COLUMNS))

    def _uncertainty(self, process: bool, seed: int | None) -> Uncertainty:
        """Return the draws of this valuation, computed when they are first asked for."""
        if not (process or self.has_draws):
            raise FitError(
                "an interval needs a fit with draws, and both fits are point estimates; fit with "
                'method="nuts" or method="laplace", or ask for the randomness of the customers alone with process=True'
            )
        key = (process, seed if process else None)
        if key not in self._draws:
            rests_on = (self.orders, self.spend, self.histories, self.terms, self.lines)
            self._draws[key] = realised(*rests_on, seed) if process else expected(*rests_on)
        return self._draws[key]

    @cached_property
    def statement_lines(self) -> pd.DataFrame:
        """By line: driver, amount of the driver, rate, present value, share of equity.

        Where the fits have draws, also low and high: between them the value lies with probability 0.9.
        """
        import pandas as pd

        rows = []
        for line in self.lines:
            amount = float(DRIVERS[line.driver](self.future).sum())
            rows.append((line.name, line.group, line.driver, amount, line.rate, line.rate * amount))
        table = pd.DataFrame(rows, columns=["line", "group", "driver", "amount", "rate", "value"]).set_index("line")
        table = table.assign(share=table["value"] / self.equity)
        if not self.has_draws:
            return table
        low, high = np.quantile(self._uncertainty(process=False, seed=None).lines, [0.05, 0.95], axis=1)
        return table.assign(low=low, high=high)

    @cached_property
    def horizons(self) -> pd.DataFrame:
        """By number of years: equity within them, and its share of the whole."""
        import pandas as pd

        equity = np.sum([line.rate * self.within[line.driver] for line in self.lines], axis=0)
        table = pd.DataFrame({"years": HORIZONS, "equity": equity}).set_index("years")
        return table.assign(share=table["equity"] / self.equity)

    @cached_property
    def new_customer(self) -> NewCustomer:
        """The value of a customer just acquired, under the same fits and assumptions."""
        nothing = np.zeros(1)
        theta = self.orders.estimate
        weighting = discounting(self.terms, self.orders.unit)
        born = self.orders.model.p_alive(theta, nothing, nothing, nothing)
        purchases, living = residual(self.orders.model, theta, nothing, nothing, [weighting])
        D, L = born * purchases[:, 0], born * living[:, 0] / self.terms.year_in(self.orders.unit)
        Z = self.spend.model.expected_spend(self.spend.estimate, nothing, nothing)
        first = Future(np.ones(1), nothing, Z)
        return NewCustomer(
            orders=float(D[0]),
            living_years=float(L[0]),
            order_value=float(Z[0]),
            first_order=sum(float(line.value(first)[0]) for line in self.lines),
            repeat=sum(float(line.value(Future(D, L, Z))[0]) for line in self.lines),
        )

    def __repr__(self) -> str:
        terms = self.terms
        return (
            f"<Customer equity {self.equity:,.2f}{' ' * bool(terms.currency)}{terms.currency} of "
            f"{len(self.histories):,} customers: {self.orders.model.name} and {self.spend.model.name}, "
            f"{terms.discount_rate:.4g} a year "
            f"({terms.timing}), margin {terms.margin:.4g}, {terms.horizon or 'for ever'}>"
        )


def value(orders: OrdersFit, spend: SpendFit, histories: Histories, terms: Assumptions) -> Book:
    """Value the customers on the books.

    Parameters
    ----------
    orders
        A fitted model of transactions.
    spend
        A fitted model of the value of orders.
    histories
        The customers, in the unit of `orders`.
    terms
        The assumptions.

    Returns
    -------
    Book
        Customer equity, by customer, by line and by horizon.

    Raises
    ------
    FitError
        If `orders` or `spend` is not what its name says.
    UnitError
        If the histories are not in the unit of `orders`.
    AssumptionError
        If the value would be infinite: neither a discount rate nor a horizon.

    Notes
    -----
    RLV = D Z margin - D order_cost - L maintenance_cost, with D, L and Z at the fits' point estimates. Source: Fader,
    Hardie & Lee (2005), JMR 42(4); Wiesel, Skiera & Villanueva (2008), Journal of Marketing 72(2), for the lines.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> rfm = clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end="1998-06-30")
    >>> terms = clv.Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks")
    >>> book = clv.value(clv.ParetoNBD().fit(rfm), clv.GammaGamma().fit(rfm), rfm, terms)
    >>> round(book.equity, -2)
    104200.0
    """
    given: tuple[object, object] = (orders, spend)
    if not (isinstance(given[0], OrdersFit) and isinstance(given[1], SpendFit)):
        raise FitError("value(orders, spend, rfm, terms) takes a fit of transactions first and a fit of spend second")
    orders.require_unit(histories)
    _require_finite(orders, terms)
    Z = np.empty(len(histories))
    for part in spend.parts(histories):
        rows = _positions(part)
        Z[rows] = spend.model.expected_spend(part.estimate, histories.frequency[rows], histories.monetary_value[rows])
    D, L = np.empty(len(histories)), np.empty(len(histories))
    within: dict[Driver, Array] = {driver: np.zeros(len(HORIZONS)) for driver in DRIVERS}
    for part in orders.parts(histories):
        rows = _positions(part)
        distinct = predictions.distinct_of(part, histories)
        purchases, living = _discounted(orders, part, distinct.rows, terms)
        D[rows], L[rows] = purchases[distinct.index, -1], living[distinct.index, -1]
        money = np.bincount(distinct.index, Z[rows], len(distinct.rows)).astype(float)
        within["sales"] += [dot(amount, money) for amount in purchases.T[:-1]]
        within["orders"] += [dot(amount, distinct.weight) for amount in purchases.T[:-1]]
        within["living years"] += [dot(amount, distinct.weight) for amount in living.T[:-1]]
    return Book(orders, spend, terms, histories, Future(D, L, Z), within)


def _positions(part: predictions.Part) -> NDArray[np.int64] | slice:
    return slice(None) if part.rows is None else part.rows


def _discounted(orders: OrdersFit, part: predictions.Part, rows: Array, terms: Assumptions) -> tuple[Array, Array]:
    """Return D and L of distinct histories within each of `HORIZONS` and that of the assumptions, at the estimate."""
    x, t_x, T = np.ascontiguousarray(rows.T)
    weightings = [discounting(terms, orders.unit, years) for years in (*HORIZONS, None)]
    purchases, living = residual(orders.model, part.estimate, x, T, weightings)
    alive = orders.model.p_alive(part.estimate, x, t_x, T)[:, None]
    return alive * purchases, alive * living / terms.year_in(orders.unit)


def _require_finite(orders: OrdersFit, terms: Assumptions) -> None:
    if terms.discount_rate > 0.0 or terms.horizon is not None:
        return
    tail = orders.params[orders.model.tail]
    why = (
        f"{orders.model.tail} = {tail:.4g}, and from 1 down the undiscounted future is infinite"
        if tail <= 1
        else ("the undiscounted future is finite here, but lies in centuries that no model describes")
    )
    raise AssumptionError(
        f'discount_rate = 0 needs a horizon, such as horizon = "10 years" ({orders.model.name}: {why})'
    )
