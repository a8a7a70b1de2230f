"""Customers still to be acquired: what future cohorts are worth, when one pays back, and what they may cost at most.

Dynamic customer equity is static equity plus the value of future cohorts; the two are never added up silently.
Source: Gupta, Lehmann & Stuart (2004), JMR 41(1); Wiesel, Skiera & Villanueva (2008), Journal of Marketing 72(2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from clvmodels.errors import AssumptionError
from clvmodels.valuation.discounting import discount_factor
from clvmodels.valuation.lines import at_mean_rates, total
from clvmodels.valuation.new_customer import future_of_new_customer

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.valuation.book import Book

__all__ = ["Acquisition", "acquisition", "payback_years"]

LONGEST = 50
"""Years after which nobody waits any more."""
STEPS = 12
"""Points in time a year at which pay-back is looked for."""


@dataclass(frozen=True, eq=False)
class Acquisition:
    """The value of an acquisition plan.

    Attributes
    ----------
    table
        By year of the plan: customers, value (PAV), cost (CAC), net, each discounted to today.
    static
        Equity of the customers on the books.
    future
        Net value of the customers still to be acquired.
    highest_cost
        Acquisition cost of a customer at which they just pay.
    payback_years
        Years until a new customer has brought back their acquisition cost, discounted; infinite if never.
    """

    table: pd.DataFrame
    static: float
    future: float
    highest_cost: float
    payback_years: float

    @property
    def dynamic(self) -> float:
        """Static equity and the net value of future cohorts."""
        return self.static + self.future

    def __repr__(self) -> str:
        return (
            f"<Static equity {self.static:,.2f}; customers to be acquired {self.future:,.2f}; together "
            f"{self.dynamic:,.2f}; at most {self.highest_cost:,.2f} a customer, paid back in "
            f"{self.payback_years:.1f} years>"
        )


def acquisition(book: Book, customers: Sequence[float]) -> Acquisition:
    """Return the value of an acquisition plan under the fits and assumptions of a book.

    Parameters
    ----------
    book
        The valuation; its `acquisition_cost` is what a new customer costs, on average.
    customers
        How many are acquired in each coming year, evenly over the year.

    Raises
    ------
    AssumptionError
        If a number is negative or missing.

    Notes
    -----
    A cohort is discounted from the middle of its year, whatever the timing of what its customers bring. New customers
    are like those of the books at the start of their relationship, and their values do not grow from cohort to cohort.
    """
    import pandas as pd

    numbers = np.asarray(customers, dtype=np.float64)
    if numbers.ndim != 1 or not (numbers >= 0.0).all():
        raise AssumptionError(
            f"a plan is a number of customers for each coming year, such as [500, 600], got {customers!r}"
        )
    new, unit = book.new_customer, book.transactions.unit
    middle = book.assumptions.year_in(unit) * np.arange(0.5, len(numbers))
    discounted = numbers * discount_factor(replace(book.assumptions, timing="continuous"), unit, middle)
    table = pd.DataFrame(
        {
            "customers": numbers,
            "value": discounted * new.post_acquisition_value,
            "cost": -discounted * new.acquisition_cost,
        },
        index=pd.RangeIndex(1, len(numbers) + 1, name="year"),
    )
    table["net"] = table["value"] + table["cost"]
    future = float(table["net"].sum())
    return Acquisition(table, book.equity, future, new.post_acquisition_value, payback_years(book))


def payback_years(book: Book) -> float:
    """Return after how many years a new customer has brought back their acquisition cost, discounted, on average.

    Zero if the first order does; infinite if they never do. Between the twelfths of a year it is interpolated.
    """
    new = book.new_customer
    open_ = new.acquisition_cost - new.first_order
    if open_ <= 0.0:
        return 0.0
    years = np.arange(1, STEPS * LONGEST + 1) / STEPS
    rows = book.by_head
    brought = total(at_mean_rates(rows.lines, rows.weight), future_of_new_customer(rows, years.tolist()))
    reached = np.flatnonzero(brought >= open_)
    if not len(reached):
        return float("inf")
    k = int(reached[0])
    before, start = (brought[k - 1], years[k - 1]) if k else (0.0, 0.0)
    return float(start + (open_ - before) / (brought[k] - before) * (years[k] - start))
