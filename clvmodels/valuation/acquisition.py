"""Customers still to be acquired: what future cohorts are worth, when one pays back, and what they may cost at most.

Dynamic customer equity is static equity plus the value of future cohorts; the two are never added up silently.
Source: Gupta, Lehmann & Stuart (2004), JMR 41(1); Wiesel, Skiera & Villanueva (2008), Journal of Marketing 72(2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clvmodels.errors import AssumptionError
from clvmodels.inference.acquisition_forecast import AcquisitionForecast
from clvmodels.valuation.contribution import contribution
from clvmodels.valuation.discounting import discount_factor
from clvmodels.valuation.new_customer import NewCustomer, brought_by_new, first_orders, new_customer
from clvmodels.valuation.statement import TOTAL, segments_of
from clvmodels.valuation.uncertainty import Interval

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.valuation.book import Book
    from clvmodels.valuation.valued_rows import ValuedRows

__all__ = ["Acquisition", "acquisition", "acquisition_by", "payback_years"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

LONGEST = 50
"""Years after which nobody waits any more."""
STEPS = 12
"""Points in time of a year at which pay-back is looked for in it."""


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
    future_interval
        Of a forecast, between which ends `future` lies with probability 0.9, by how many customers come; None of a
        plan.
    """

    table: pd.DataFrame
    static: float
    future: float
    highest_cost: float
    payback_years: float
    future_interval: Interval | None = None

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


def acquisition(book: Book, customers: Sequence[float] | AcquisitionForecast) -> Acquisition:
    """Return the value of an acquisition plan, or of a forecast of acquisitions, under the fits of a book.

    Parameters
    ----------
    book
        The valuation; its `acquisition_cost` is what a new customer costs, on average.
    customers
        How many are acquired in each coming year, evenly over the year; or a forecast of whole years.

    Raises
    ------
    AssumptionError
        If a number is negative or missing, or a forecast is not of whole years.

    Notes
    -----
    A cohort is discounted from the middle of its year, whatever the timing of what its customers bring. New customers
    are like those of the books at the start of their relationship, and their values do not grow from cohort to cohort.

    Examples
    --------
    >>> plan = acquisition(book, [100, 120])
    >>> bool(plan.dynamic == plan.static + plan.future)
    True
    """
    import pandas as pd

    drawn = _by_year(customers) if isinstance(customers, AcquisitionForecast) else None
    numbers = np.asarray(customers if drawn is None else drawn.mean(axis=0), dtype=np.float64)
    if numbers.ndim != 1 or not (numbers >= 0.0).all():
        raise AssumptionError(
            f"a plan is a number of customers for each coming year, such as [500, 600], got {customers!r}"
        )
    new, unit = book.new_customer, book.transactions.unit
    middle = book.assumptions.year_in(unit) * np.arange(0.5, len(numbers))
    factor = discount_factor(replace(book.assumptions, timing="continuous"), unit, middle)
    discounted = numbers * factor
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
    interval = None
    if drawn is not None:
        interval = Interval.of(drawn @ factor * new.lifetime_value, 0.9, ("how many customers come",))
    return Acquisition(table, book.equity, future, new.post_acquisition_value, payback_years(book), interval)


def _by_year(forecast: AcquisitionForecast) -> Array:
    """Return draws of the new customers of each year, shape (draws, years)."""
    periods = {"month": 12, "quarter": 4}[forecast.period]
    draws = forecast.draws
    if draws.shape[1] % periods:
        raise AssumptionError(
            f"customers still to come are valued by whole years, and the forecast has {draws.shape[1]} "
            f"{forecast.period}s; write clv.acquisition_forecast(rfm, 12)"
        )
    return np.asarray(draws.reshape(len(draws), -1, periods).sum(axis=2))


def payback_years(book: Book) -> float:
    """Return after how many years a new customer has brought back their acquisition cost, discounted, on average.

    Zero if the first order does; infinite if they never do. Between the twelfths of a year it is interpolated.
    """
    return _payback(book.by_head, book.new_customer)


def _payback(rows: ValuedRows, new: NewCustomer) -> float:
    open_ = new.acquisition_cost - new.first_order
    if open_ <= 0.0:
        return 0.0
    whole = np.arange(1.0, LONGEST + 1.0)
    reached = np.flatnonzero(brought_by_new(rows, whole.tolist()) >= open_)
    if not len(reached):
        return float("inf")
    years = whole[reached[0]] - 1.0 + np.arange(STEPS + 1) / STEPS
    by_then = brought_by_new(rows, years.tolist())
    k = int(np.flatnonzero(by_then >= open_)[0])
    if k == 0:
        return float(years[0])
    return float(years[k - 1] + (open_ - by_then[k - 1]) / (by_then[k] - by_then[k - 1]) / STEPS)


def acquisition_by(book: Book, by: str, contributed: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return what new customers are worth and may cost, and what those acquired so far have been worth, by segment.

    Parameters
    ----------
    book
        The valuation. Where its fits are by segment, new customers of a group are like a mean over its customers' ones.
    by
        A column of the customers, such as a segment or the channel that they came through.
    contributed
        By customer id, what has been contributed so far, as `contribution` returns it; None: at the rates.

    Returns
    -------
    DataFrame
        By segment, the total last: customers; acquisition_cost, of a customer on average (CAC); ceiling, the highest
        cost at which a new customer still pays (PAV); new_customer, their value less the cost; payback_years, until
        they have brought it back, discounted; lifetime_value, of a customer acquired so far: their contribution to
        date before acquisition cost and their residual lifetime value; ltv_to_cac, its ratio to what those customers
        have cost, missing where they have cost nothing.

    Raises
    ------
    DataError
        If `by` is not known of every customer.

    Examples
    --------
    >>> table = acquisition_by(book, "segment")
    >>> list(table.index)
    ['shop', 'web', 'total']
    >>> bool(table.loc["total", "ceiling"] == book.new_customer.post_acquisition_value)
    True
    """
    import pandas as pd

    book = book.collect()
    each = book.each
    segment = segments_of(each.histories, by).astype(str)
    code, names = segment.factorize(sort=True)
    so_far = contribution(book) if contributed is None else contributed
    spent, before = (np.asarray(so_far[name]) for name in ("acquisition_cost", "contribution_3"))
    rows = {}
    for number, name in enumerate([*names.tolist(), TOTAL]):
        members = np.flatnonzero(code == number) if name != TOTAL else np.arange(len(code))
        own = each.taken(members)
        new = new_customer(own, first_orders(own.histories))
        lifetime, cost = float((before + each.rlv)[members].mean()), float(-spent[members].mean())
        rows[name] = {
            "customers": len(members),
            "acquisition_cost": new.acquisition_cost,
            "ceiling": new.post_acquisition_value,
            "new_customer": new.lifetime_value,
            "payback_years": _payback(own, new),
            "lifetime_value": lifetime,
            "ltv_to_cac": lifetime / cost if cost > 0.0 else np.nan,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(by)
