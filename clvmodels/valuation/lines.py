"""Value is linear: every benefit and every cost of the relationship is a line, rates times drivers.

The drivers are what a model and a discount rate give of each customer: G, discounted expected orders that grow as
their value does; D, the same without growth; L, the discounted expected living time in years; Z, the expected value of
an order; K, the discounted time ahead, alive or not, in years; and E, discounted orders that count less with tenure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import mul
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.columns import count, shown
from clvmodels.errors import AssumptionError
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.line_table import Driver, Formula, Group
from clvmodels.valuation.rates import ByColumn, of_customers

if TYPE_CHECKING:
    from clvmodels.data.histories import Histories

__all__ = [
    "COMMON",
    "DRIVERS",
    "OWN",
    "DiscountedDrivers",
    "ValuedLine",
    "at_mean_rates",
    "has_products",
    "lines_of",
    "rates_of",
    "spreads_of",
    "that_count",
    "total",
]

OWN: Final = "_sd"
COMMON: Final = "_common_sd"
"""What columns with the standard deviations of a rate have in their names after that of the rate: of what each customer
has by themselves, and of what all have in common."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class DiscountedDrivers:
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
    E
        Early orders: discounted expected orders, each weighted with 2^(-age / half-life) of the customer's age then;
        zero where no half-life is stated.
    """

    D: Array
    L: Array
    Z: Array
    G: Array
    K: float | Array
    E: float | Array = 0.0


DRIVERS: Final[dict[Driver, Callable[[DiscountedDrivers], Any]]] = {
    "sales": lambda future: future.G * future.Z,
    "orders": lambda future: future.D,
    "early orders": lambda future: future.E,
    "living years": lambda future: future.L,
    "calendar years": lambda future: future.K,
}


@dataclass(frozen=True)
class ValuedLine:
    """A benefit or a cost, with its rates.

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

    def value(self, future: DiscountedDrivers) -> Array:
        """Return the present value of the line, by customer."""
        return np.asarray(self.formula(future))

    def formula(self, future: DiscountedDrivers) -> Any:  # noqa: ANN401 - an array, or a column of an engine
        """Return the same of whatever can be added and multiplied."""
        return sum(rate * DRIVERS[driver](future) for driver, rate in self.rates.items()) + 0.0 * future.D


def has_products(assumptions: Assumptions) -> bool:
    """Return whether two rates by column are factors of one product, so that its mean is not that of its factors."""
    varying = {name for name, rate in assumptions.rates.items() if isinstance(rate, ByColumn)}
    factors = [names for formula in assumptions.formulas for names in formula.factors.values()]
    return any(sum(name in varying for name in names) > 1 for names in factors)


def rates_of(assumptions: Assumptions, histories: Histories) -> dict[str, float | Array]:
    """Return the rates of the assumptions by name: one number, or shape (customers,).

    Raises
    ------
    AssumptionError
        If a rate by segment or column is not known of every customer.
    """
    rates = assumptions.rates
    return {
        name: of_customers(name, rates[name], histories, bounds.low, bounds.high)
        for name, bounds in assumptions.bounds.items()
    }


def spreads_of(assumptions: Assumptions, histories: Histories, ending: str) -> dict[str, Array]:
    """Return how sure the rates by column are, as standard deviations: of each customer's own, or common to all.

    Parameters
    ----------
    assumptions, histories
        The assumptions, and the customers with their columns.
    ending
        What the name of the column with the standard deviations has more than that of the rates: `OWN` or `COMMON`.

    Raises
    ------
    AssumptionError
        If a standard deviation is missing or negative, or larger than that of any share with this mean.
    """
    sds: dict[str, Array] = {}
    rates = assumptions.rates
    for name, bounds in assumptions.bounds.items():
        rate = rates[name]
        if isinstance(rate, ByColumn) and rate.column + ending in histories.attributes.columns:
            stated = np.asarray(of_customers(name, ByColumn(rate.column + ending), histories, 0.0, np.inf))
            if bounds.high == 1.0:
                _require_of_share(name, rate.column, stated, histories)
            sds[name] = stated * rate.factor
    return sds


def _require_of_share(name: str, column: str, sd: Array, histories: Histories) -> None:
    """Refuse standard deviations that no share has: it varies most if it is either 0 or 1."""
    mean = np.asarray(of_customers(name, ByColumn(column), histories, 0.0, 1.0))
    wrong = (sd > 0.0) & (mean > 0.0) & (mean < 1.0) & (sd**2 >= mean * (1.0 - mean))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        most = np.sqrt(mean[first] * (1.0 - mean[first]))
        raise AssumptionError(
            f"{name}: a share of {mean[first]:g} has a standard deviation below {most:.3g}, but that of customer "
            f"{shown(histories.customer_id[first])} is {sd[first]:g} ({count(int(wrong.sum()), 'such customer')})"
        )


def lines_of(assumptions: Assumptions, rate: Mapping[str, float | Array]) -> tuple[ValuedLine, ...]:
    """Return all lines, those that are zero included; rates of any shape that broadcasts with the drivers."""
    stated = tuple(_line(formula, rate) for formula in assumptions.formulas)
    return stated if assumptions.tax == 0.0 else (*stated, _tax(assumptions.tax, stated))


def _line(formula: Formula, rate: Mapping[str, float | Array]) -> ValuedLine:
    """Return a row of the table of lines under rates by name."""
    products = {
        driver: reduce(mul, [rate[name] for name in names], formula.sign) for driver, names in formula.factors.items()
    }
    return ValuedLine(formula.name, formula.group, products)


def that_count(lines: Sequence[ValuedLine]) -> tuple[ValuedLine, ...]:
    """Return the lines that are not zero for all customers, and the contribution margin."""
    kept = [replace(line, rates={d: r for d, r in line.rates.items() if np.any(r)}) for line in lines[1:]]
    return (lines[0], *(line for line in kept if line.rates))


def _tax(share: float, taxed: Sequence[ValuedLine]) -> ValuedLine:
    """Return tax on all lines; on a loss it is negative, as for a firm that has other profits."""
    total: dict[Driver, float | Array] = {}
    for line in taxed:
        for driver, rate in line.rates.items():
            total[driver] = total.get(driver, 0.0) - share * rate
    return ValuedLine("tax", "tax", total)


def total(lines: Sequence[ValuedLine], future: DiscountedDrivers) -> Array:
    """Return the sum of the lines, by customer."""
    return np.asarray(np.sum([line.value(future) for line in lines], axis=0))


def at_mean_rates(lines: Sequence[ValuedLine], weight: Array | None) -> tuple[ValuedLine, ...]:
    """Return the lines with the mean over the customers in place of rates that differ.

    `weight` says how many customers each rate is of, shape (rates,); None: one each.
    """

    def mean(rate: float | Array) -> float:
        return float(np.average(rate, weights=weight)) if np.ndim(rate) else float(rate)

    return tuple(replace(line, rates={driver: mean(rate) for driver, rate in line.rates.items()}) for line in lines)
