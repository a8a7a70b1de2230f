"""Up-selling: by how much the value of a customer's orders grows a year, within customers.

Those who order more often may order for more, and those who stay long order more often. Comparing orders of different
customers takes this for growth. Here each customer is compared with themselves alone.

Source: the within estimator of a slope, with standard errors clustered by customer: Arellano (1987), Oxford Bulletin of
Economics and Statistics 49(4).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.events import read_events
from clvmodels.data.reading import Day, LogFormat
from clvmodels.errors import DataError
from clvmodels.steering.require_book import require_book
from clvmodels.units import duration
from clvmodels.valuation.assumptions import require_year

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.valuation.book import Book

__all__ = ["OrderValueGrowth", "order_value_growth"]

Array = NDArray[np.float64]

NORMAL_975: Final = 1.959963984540054
LEAST_CUSTOMERS: Final = 2
"""With two orders at different times or more; of fewer, nothing is known of how slopes vary."""
MOST_OCCASIONS: Final = 50_000_000


@dataclass(frozen=True)
class OrderValueGrowth:
    """How the value of a customer's orders grows; `order_value_growth` makes it.

    Attributes
    ----------
    growth
        Growth of order values a year, within customers: 3 % is 0.03.
    sd
        Its standard error.
    low, high
        Its 95 % interval.
    across_customers
        The same of all orders together, whoever made them: growth mixed with who stays. It is shown for comparison.
    customers, orders
        How many customers with two orders or more it rests on, and how many orders.
    """

    growth: float
    sd: float
    low: float
    high: float
    across_customers: float
    customers: int
    orders: int

    def equity(self, book: Book) -> pd.DataFrame:
        """Return customer equity without growth, at the estimate, and at the ends of the interval.

        Growth as of the past is taken to last to the horizon of the valuation; state a horizon, or find out how much of
        the equity rests on that.

        Parameters
        ----------
        book
            The valuation.

        Returns
        -------
        DataFrame
            By case, ``none``, ``low``, ``estimate`` and ``high``: growth, equity, and the change against ``none``.

        Raises
        ------
        AssumptionError
            If `book` is no valuation, or equity under one of these is infinite: then state a horizon.

        Examples
        --------
        >>> measured = OrderValueGrowth(0.02, 0.005, 0.01, 0.03, 0.3, 900, 4_000)
        >>> measured.equity(book)["equity"].is_monotonic_increasing
        True
        """
        import pandas as pd

        require_book(book)
        cases = {"none": 0.0, "low": self.low, "estimate": self.growth, "high": self.high}
        rows = {
            name: (growth, book.with_assumptions(book.assumptions.replace({"growth": growth})).equity)
            for name, growth in cases.items()
        }
        table = pd.DataFrame.from_dict(rows, orient="index", columns=["growth", "equity"]).rename_axis("case")
        return table.assign(change=table["equity"] - rows["none"][1])


def order_value_growth(
    log: object,
    *,
    log_format: LogFormat,
    observation_end: Day | None = None,
    year: str = "365.25 days",
) -> OrderValueGrowth:
    """Return by how much the value of a customer's orders grows a year.

    It is the slope of log order values over time, each customer around their own mean, so that customers who differ in
    order value and in how long they stay do not show as growth. It is about customers with two orders or more, and it
    contains inflation: discount rates are nominal, too.

    Parameters
    ----------
    log
        The purchase log.
    log_format
        Its format, such as ``clv.LogFormat(value="amount")``; it names the column of values.
    observation_end
        The last day that counts; None: that of the last transaction.
    year
        The length of a year, that of the assumptions.

    Returns
    -------
    OrderValueGrowth
        ``growth`` and its ``sd``, for ``assumptions.replace({"growth": ...})``; ``equity(book)`` shows what it does.

    Raises
    ------
    DataError
        If the log cannot be read or has no values, or fewer than two customers have orders at different times.
    AssumptionError
        If `year` is not about a year long.

    Examples
    --------
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> measured = clv.order_value_growth(log, log_format=clv.LogFormat(value="amount", resolution="day"))
    >>> measured.customers, measured.orders, round(measured.sd, 3)
    (1139, 5478, 0.026)
    """
    if log_format.value is None:
        raise DataError('growth needs the values of orders: name their column in LogFormat(value="...")')
    days = _days(year)
    reading = replace(log_format, unit="day", attributes=())
    table, _ = read_events(reading, log, observation_end).of(None, MOST_OCCASIONS)
    table = table[table["value"] > 0.0]
    _, customer = np.unique(table["customer_id"].astype(str), return_inverse=True)
    return growth_within(customer, table["age"].to_numpy() / days, table["value"].to_numpy())


def _days(year: str) -> float:
    require_year("year", year)
    return duration(year, "day")


def growth_within(customer: NDArray[np.intp], time: Array, value: Array) -> OrderValueGrowth:
    """Return the growth of values a unit of time, within customers.

    Parameters
    ----------
    customer
        The number of the customer of each order, from 0 up.
    time, value
        When each order was made, by a clock of the customer's own, and its value, above zero.

    Raises
    ------
    DataError
        If fewer than two customers have orders at different times.
    """
    number = np.bincount(customer)
    several = number[customer] > 1
    _, customer = np.unique(customer[several], return_inverse=True)
    t, y = time[several], np.log(value[several])
    number = np.bincount(customer)
    t_within, y_within = (each - (np.bincount(customer, each) / np.maximum(number, 1))[customer] for each in (t, y))
    spread = np.bincount(customer, t_within**2)
    if int((spread > 0.0).sum()) < LEAST_CUSTOMERS:
        raise DataError(
            f"growth of order values needs {LEAST_CUSTOMERS} customers or more with orders of known value at different "
            f"times, got {int((spread > 0.0).sum())}"
        )
    slope = float(t_within @ y_within / spread.sum())
    score = np.bincount(customer, t_within * (y_within - slope * t_within))
    clusters = len(number)
    sd = float(np.sqrt(clusters / (clusters - 1.0) * (score @ score)) / spread.sum())
    apart, logs = time - time.mean(), np.log(value)
    low, growth, high = (float(np.expm1(slope + z * sd)) for z in (-NORMAL_975, 0.0, NORMAL_975))
    return OrderValueGrowth(
        growth=growth,
        sd=float(np.exp(slope) * sd),
        low=low,
        high=high,
        across_customers=float(np.expm1(apart @ logs / (apart @ apart))),
        customers=clusters,
        orders=len(t),
    )
