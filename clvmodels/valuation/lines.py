"""Value is linear: every benefit and every cost of the relationship is a line, rates times drivers.

The drivers are what a model and a discount rate give of each customer: G, discounted expected orders that grow as
their value does; D, the same without growth; L, the discounted expected living time in years; Z, the expected value of
an order; and K, the discounted time ahead, alive or not, in years.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from clvmodels.valuation.assumptions import RATES, Assumptions
from clvmodels.valuation.rates import of_customers

if TYPE_CHECKING:
    from clvmodels.data.histories import Histories

__all__ = ["DRIVERS", "Driver", "Future", "Line", "lines", "total", "varying", "with_rates"]

Array = NDArray[np.float64]
Driver = Literal["sales", "orders", "living years", "calendar years"]
Group = Literal["benefit", "cost", "attributed", "tax"]


@dataclass(frozen=True)
class Future:
    """What a model and a discount rate say of each customer; shape (customers,) each.

    Attributes
    ----------
    D
        Discounted expected orders.
    L
        Discounted expected living time, in years.
    Z
        Expected value of an order, today.
    G
        Discounted expected orders, each weighted with the growth of its value: D if order values do not grow.
    K
        Discounted time within the horizon, in years.
    """

    D: Array
    L: Array
    Z: Array
    G: Array
    K: float | Array


DRIVERS: Final[dict[Driver, Callable[[Future], Array]]] = {
    "sales": lambda future: future.G * future.Z,
    "orders": lambda future: future.D,
    "living years": lambda future: future.L,
    "calendar years": lambda future: np.asarray(future.K),
}


@dataclass(frozen=True)
class Line:
    """A benefit or a cost.

    Attributes
    ----------
    name
        Of the line; also its column by customer.
    group
        Whether it is a benefit, a cost, attributed (benefits and costs that arise with other customers), or tax.
    rates
        Money per unit of each driver, negative for a cost: one number, or shape (customers,).
    """

    name: str
    group: Group
    rates: Mapping[Driver, float | Array]

    def value(self, future: Future) -> Array:
        """Return the present value of the line, by customer."""
        return np.asarray(sum(rate * DRIVERS[driver](future) for driver, rate in self.rates.items()) + 0.0 * future.D)


def lines(terms: Assumptions, histories: Histories) -> tuple[Line, ...]:
    """Return the lines that the assumptions imply for some customers; those that are zero for all are left out.

    Raises
    ------
    AssumptionError
        If a rate by segment or column is not known of every customer.
    """
    rate = {
        name: of_customers(name, getattr(terms, name), histories, bounds.low, bounds.high)
        for name, bounds in RATES.items()
    }
    returns, share = rate["returns_per_order"], rate["return_share"]
    service, campaigns = rate["service_cost"], rate["campaigns_per_year"]
    stated: list[Line] = [
        Line("contribution_margin", "benefit", {"sales": rate["margin"]}),
        Line("payment", "cost", {"sales": -rate["payment_share"]}),
        Line("returned_goods", "cost", {"sales": -share * rate["write_down"]}),
        Line("order_cost", "cost", {"orders": -rate["order_cost"]}),
        Line("returns", "cost", {"orders": -returns * rate["return_cost"]}),
        Line(
            "service",
            "cost",
            {"orders": -rate["contacts_per_order"] * service, "living years": -rate["contacts_per_year"] * service},
        ),
        Line("maintenance_cost", "cost", {"living years": -rate["maintenance_cost"]}),
        Line("loyalty_cost", "cost", {"living years": -rate["loyalty_cost"]}),
        Line("campaigns", "cost", {"calendar years": -campaigns * rate["contact_cost"]}),
        Line("referrals", "attributed", {"living years": rate["referrals_per_year"] * rate["referral_value"]}),
        Line("word_of_mouth", "attributed", {"orders": -returns * rate["word_of_mouth_cost"]}),
    ]
    kept = [replace(line, rates={d: r for d, r in line.rates.items() if np.any(r)}) for line in stated[1:]]
    kept = [stated[0], *(line for line in kept if line.rates)]
    return tuple(kept) if terms.tax == 0.0 else (*kept, _tax(terms.tax, kept))


def _tax(share: float, taxed: Sequence[Line]) -> Line:
    """Return tax on all lines; on a loss it is negative, as for a firm that has other profits."""
    total: dict[Driver, float | Array] = {}
    for line in taxed:
        for driver, rate in line.rates.items():
            total[driver] = total.get(driver, 0.0) - share * rate
    return Line("tax", "tax", total)


def total(some: Sequence[Line], future: Future) -> Array:
    """Return the sum of the lines, by customer."""
    return np.asarray(np.sum([line.value(future) for line in some], axis=0))


def varying(some: Sequence[Line]) -> list[Array]:
    """Return the rates that differ from customer to customer, in the order in which `with_rates` takes them."""
    return [rate for line in some for rate in line.rates.values() if isinstance(rate, np.ndarray)]


def with_rates(some: Sequence[Line], values: Sequence[Array]) -> tuple[Line, ...]:
    """Return the lines with other values for the rates that `varying` returns."""
    rest = iter(values)
    return tuple(replace(line, rates=dict(_replaced(line, rest))) for line in some)


def _replaced(line: Line, rest: Iterator[Array]) -> Iterator[tuple[Driver, float | Array]]:
    for driver, rate in line.rates.items():
        yield driver, next(rest) if isinstance(rate, np.ndarray) else rate
