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

__all__ = ["DRIVERS", "Driver", "Line", "lines"]

Array = NDArray[np.float64]
Driver = Literal["sales", "orders", "living years"]
Group = Literal["benefit", "cost"]

DRIVERS: Final[dict[Driver, Callable[[Array, Array, Array], Array]]] = {
    "sales": lambda D, L, Z: D * Z,
    "orders": lambda D, L, Z: D,
    "living years": lambda D, L, Z: L,
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

    def value(self, D: Array, L: Array, Z: Array) -> Array:
        """Return the present value of the line, given discounted orders, living years and order values."""
        return self.rate * DRIVERS[self.driver](D, L, Z)


def lines(terms: Assumptions) -> tuple[Line, ...]:
    """Return the lines that the assumptions imply."""
    return (
        Line("contribution_margin", "sales", terms.margin, "benefit"),
        Line("order_cost", "orders", -terms.order_cost, "cost"),
        Line("maintenance_cost", "living years", -terms.maintenance_cost, "cost"),
    )
