"""From what happened in each relationship to the rates that a valuation is stated in, shrunk to the population."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.columns import examples
from clvmodels.data.histories import Histories
from clvmodels.errors import DataError
from clvmodels.inference.shrinkage import Shrunk, beta_binomial, gamma_poisson
from clvmodels.numerics.threads import dot
from clvmodels.units import DAYS, duration
from clvmodels.valuation.assumptions import require_year
from clvmodels.valuation.lines import COMMON, OWN

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "rates"]

Array = NDArray[np.float64]

COLUMNS: Final = (
    "returns_per_order",
    "returns_per_order_sd",
    "returns_per_order_common_sd",
    "return_share",
    "contacts_per_order",
    "contacts_per_order_sd",
    "contacts_per_order_common_sd",
    "campaigns_per_year",
    "referrals_per_year",
    "acquisition_cost",
    "acquisition_channel",
)
"""Columns of the customers that ledgers give: those of `rates`, and the last two of `Ledgers.activity`."""
_COUNTS: Final = (
    "returned_orders",
    "returned_value",
    "service_contacts",
    "campaign_contacts",
    "campaign_days",
    "referrals",
)
_DAY: Final = 1e-6
"""An age this close below a whole number of days is that number."""


def rates(histories: Histories, activity: pd.DataFrame, *, year: str = "365.25 days") -> pd.DataFrame:
    """Return the rates of each customer's relationship, for the assumptions to refer to.

    Parameters
    ----------
    histories
        The customers.
    activity
        What happened with them, from `Ledgers.activity`; aligned by customer id.
    year
        The length of a year, that of the assumptions.

    Returns
    -------
    DataFrame
        By customer id, in the order of the histories, each rate shrunk to the population; without the columns of
        ledgers that were not given:

        - ``returns_per_order``, ``returns_per_order_sd``, ``returns_per_order_common_sd``: share of orders returned
          (beta-binomial), the standard deviation of its posterior, and that which all customers have in common;
        - ``return_share``: share of sales value returned: that of all customers, in proportion to the customer's
          returns per order, so that the value returned by all is met; at most 1;
        - ``contacts_per_order``, ``contacts_per_order_sd``, ``contacts_per_order_common_sd``: service contacts an order
          (gamma-Poisson);
        - ``campaigns_per_year``: contacts of campaigns a year on the books: the share of campaigns that reach the
          customer (beta-binomial, as campaigns are sent on certain days and not at random), times campaigns a year;
        - ``referrals_per_year``: customers recommended a year on the books. Customers who have left recommend nobody,
          so that this is a cautious rate of those who are still there.

    Raises
    ------
    AssumptionError
        If `year` is not about a year long.
    DataError
        If the activity lacks a column or a customer, or value was returned although no sales are known.

    Examples
    --------
    >>> import pandas as pd
    >>> from clvmodels.data.ledgers import Ledgers
    >>> table = pd.DataFrame({"customer_id": [1, 2], "frequency": [8, 9], "recency": [300, 310], "T": [360, 360]})
    >>> rfm = Histories.from_frame(table, unit="day", observation_end="2024-12-31")
    >>> service = pd.DataFrame({"customer_id": [1] * 9, "time": [f"2024-03-{day:02}" for day in range(1, 10)]})
    >>> rates(rfm, Ledgers.read(service=service).activity(rfm))["contacts_per_order"].round(2).to_dict()
    {1: 0.97, 2: 0.03}
    """
    import pandas as pd

    require_year("year", year)
    counted = _aligned(histories, activity)
    orders = histories.frequency + 1.0
    years = np.floor(histories.T * DAYS[histories.unit] + _DAY) + 1.0  # days on the books, both ends counted
    years /= duration(year, "day")
    columns: dict[str, Array] = {}
    if "returned_orders" in counted:
        returned = beta_binomial(counted["returned_orders"], orders)
        columns |= _with_sd("returns_per_order", returned)
        columns["return_share"] = _return_share(histories, counted["returned_value"], returned.mean)
    if "service_contacts" in counted:
        contacts = gamma_poisson(counted["service_contacts"], orders)
        columns |= _with_sd("contacts_per_order", contacts)
    if "campaign_contacts" in counted:
        columns["campaigns_per_year"] = _campaigns(counted["campaign_contacts"], counted["campaign_days"], years)
    if "referrals" in counted:
        columns["referrals_per_year"] = gamma_poisson(counted["referrals"], years).mean
    return pd.DataFrame(columns, index=histories.customer_id)


def _with_sd(name: str, rate: Shrunk) -> dict[str, Array]:
    return {name: rate.mean, name + OWN: rate.sd, name + COMMON: rate.common_sd}


def _aligned(histories: Histories, activity: pd.DataFrame) -> dict[str, Array]:
    """Return the counts of the ledgers that were given, in the order of the histories, by customer id."""
    missing = [name for name in _COUNTS if name not in activity]
    if missing:
        raise DataError(f"the activity has no column {', '.join(map(repr, missing))}; take that of Ledgers.activity")
    place = activity.index.get_indexer(histories.customer_id)
    if (place < 0).any():
        absent = histories.customer_id[place < 0]
        raise DataError(
            f"the activity lacks {len(absent):,} of {len(histories):,} customers, for example {examples(absent)};"
            " count it for these histories"
        )
    counts = {name: activity[name].to_numpy(dtype=np.float64)[place] for name in _COUNTS}
    return {name: values for name, values in counts.items() if not np.isnan(values).all()}


def _campaigns(contacts: Array, sent: Array, years: Array) -> Array:
    """Return contacts a year: the share of campaigns that reach a customer, campaigns a year, and contacts by one."""
    if not contacts.any():
        return np.zeros(len(contacts))
    reached = np.minimum(contacts, sent)
    by_one, a_year = contacts.sum() / reached.sum(), sent.sum() / years.sum()
    return np.asarray(beta_binomial(reached, sent).mean * (by_one * a_year))


def _return_share(histories: Histories, value: Array, rate: Array) -> Array:
    """Return the share of sales that comes back, by customer: proportional to `rate`, and all returns in sum."""
    if not value.any():
        return np.zeros(len(histories))
    sales = _sales(histories)
    if not sales.sum() > 0.0:
        raise DataError("goods were returned, but the histories have no spend to compare their value with")
    return np.asarray(np.minimum(rate * (value.sum() / dot(sales, rate)), 1.0))


def _sales(histories: Histories) -> Array:
    """Return the money each customer has bought for; an order of unknown value counts as a mean one."""
    x, repeat = histories.frequency, histories.monetary_value
    first = histories.attributes.get("first_value")
    begin = np.full(len(x), np.nan) if first is None else first.to_numpy(dtype=np.float64, na_value=np.nan)
    known, known_first = (x > 0) & np.isfinite(repeat), np.isfinite(begin)
    orders = x[known].sum() + known_first.sum()
    mean = (np.sum((x * repeat)[known]) + begin[known_first].sum()) / orders if orders else 0.0
    usual = np.where(known, repeat, mean)
    return np.asarray(np.where(known_first, begin, usual) + x * usual)
