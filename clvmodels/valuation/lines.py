"""Value is linear: every benefit and every cost of the relationship is a line, rate x driver.

The drivers are what a model and a discount rate give of each customer: D, the discounted expected orders; L, the
discounted expected living time in years; and Z, the expected value of an order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from clvmodels.valuation.assumptions import Assumptions

__all__ = ["DRIVERS", "Driver", "Future", "Line", "lines"]

Array = NDArray[np.float64]
Driver = Literal["sales", "orders", "living years"]
Group = Literal["benefit", "cost"]


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
        Expected value of an order.
    """

    D: Array
    L: Array
    Z: Array


DRIVERS: Final[dict[Driver, Callable[[Future], Array]]] = {
    "sales": lambda future: future.D * future.Z,
    "orders": lambda future: future.D,
    "living years": lambda future: future.L,
}


@dataclass(frozen=True)
class Line:
    """A benefit or a cost.

    Attributes
    ----------
    name
        Of the line; also its column by customer.
    driver
        What it is proportional to.
    rate
        Money per unit of the driver, negative for a cost.
    group
        Whether it is a benefit or a cost.
    """

    name: str
    driver: Driver
    rate: float
    group: Group

    def value(self, future: Future) -> Array:
        """Return the present value of the line, by customer."""
        return self.rate * DRIVERS[self.driver](future)


def lines(terms: Assumptions) -> tuple[Line, ...]:
    """Return the lines that the assumptions imply."""
    return (
        Line("contribution_margin", "sales", terms.margin, "benefit"),
        Line("order_cost", "orders", -terms.order_cost, "cost"),
        Line("maintenance_cost", "living years", -terms.maintenance_cost, "cost"),
    )
