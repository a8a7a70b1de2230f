"""Customer equity: the value of the customers on the books, by customer, by line and by horizon."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.histories import Histories
from clvmodels.errors import AssumptionError, FitError
from clvmodels.inference.fit import OrdersFit, SpendFit
from clvmodels.models.derived import residual
from clvmodels.numerics.threads import dot
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.discounting import discounting
from clvmodels.valuation.lines import DRIVERS, Future, Line, lines

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
    distinct_orders, distinct_living_years
        D and L of each distinct history within each horizon, the last one the horizon of the assumptions;
        shape (distinct, horizons + 1).
    order_value
        Z by customer, shape (customers,).
    """

    orders: OrdersFit
    spend: SpendFit
    terms: Assumptions
    histories: Histories
    distinct_orders: Array
    distinct_living_years: Array
    order_value: Array

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """The benefits and costs."""
        return lines(self.terms)

    @cached_property
    def future(self) -> Future:
        """D, L and Z of each customer."""
        where = self.histories.distinct.index
        return Future(self.distinct_orders[where, -1], self.distinct_living_years[where, -1], self.order_value)

    @cached_property
    def customers(self) -> pd.DataFrame:
        """By customer_id: discounted_orders (D), discounted_lifetime (L, years), order_value (Z), each line, rlv."""
        import pandas as pd

        future = self.future
        columns = {"discounted_orders": future.D, "discounted_lifetime": future.L, "order_value": future.Z}
        values = {line.name: line.value(future) for line in self.lines}
        columns |= values | {"rlv": np.sum(list(values.values()), axis=0)}
        return pd.DataFrame(columns, index=self.histories.customer_id)

    @cached_property
    def equity(self) -> float:
        """Static customer equity: the sum of the residual lifetime values of the customers on the books."""
        return float(self.customers["rlv"].sum())

    @cached_property
    def statement_lines(self) -> pd.DataFrame:
        """By line: driver, amount of the driver, rate, present value, and share of equity."""
        import pandas as pd

        rows = []
        for line in self.lines:
            amount = float(DRIVERS[line.driver](self.future).sum())
            rows.append((line.name, line.group, line.driver, amount, line.rate, line.rate * amount))
        table = pd.DataFrame(rows, columns=["line", "group", "driver", "amount", "rate", "value"]).set_index("line")
        return table.assign(share=table["value"] / self.equity)

    @cached_property
    def horizons(self) -> pd.DataFrame:
        """By number of years: equity within them, and its share of the whole."""
        import pandas as pd

        distinct = self.histories.distinct
        weight = distinct.weight
        money = np.bincount(distinct.index, self.order_value, len(weight)).astype(float)
        equity = []
        for D, L in zip(self.distinct_orders.T, self.distinct_living_years.T, strict=True):
            drivers = {"sales": dot(D, money), "orders": dot(D, weight), "living years": dot(L, weight)}
            equity.append(sum(line.rate * drivers[line.driver] for line in self.lines))
        table = pd.DataFrame({"years": HORIZONS, "equity": equity[:-1]}).set_index("years")
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
    distinct = histories.distinct
    x, t_x, T = (np.ascontiguousarray(column) for column in distinct.rows.T)
    weightings = [discounting(terms, orders.unit, years) for years in (*HORIZONS, None)]
    purchases, living = residual(orders.model, orders.estimate, x, T, weightings)
    alive = orders.model.p_alive(orders.estimate, x, t_x, T)[:, None]
    return Book(
        orders=orders,
        spend=spend,
        terms=terms,
        histories=histories,
        distinct_orders=alive * purchases,
        distinct_living_years=alive * living / terms.year_in(orders.unit),
        order_value=spend.model.expected_spend(spend.estimate, histories.frequency, histories.monetary_value),
    )


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
