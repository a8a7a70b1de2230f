"""What the customers of a training window did in the window after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clvmodels.data.columns import count

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.histories import FloatArray, Histories
    from clvmodels.units import Unit

__all__ = ["Holdout", "estimated_revenue"]

_NUMBERS = ("frequency", "revenue", "monetary_value")


@dataclass(frozen=True, eq=False, repr=False)
class Holdout:
    """Purchases after the end of training, by the customers of the training window and in their order.

    Attributes
    ----------
    histories
        The training histories of these n customers: what their purchases are to be predicted from.
    frequency
        Purchase occasions in (train_end, test_end], shape (n,).
    revenue
        Their total value: 0 where there is no purchase, NaN where no value is known, shape (n,). Occasions of unknown
        value count with the mean of the customer's others: the sum of these alone would be too low.
    monetary_value
        Mean value of an occasion of known value; NaN where there is none, shape (n,).
    duration
        Length of the window, in the unit of the histories, on the clock of the training histories' T.
    start, end
        The ends of the window: it begins after `start`; both as in `Histories.observation_end`.
    late_joiners, late_revenue, late_purchases
        Customers without a training history who bought in the window, their `estimated_revenue` together (NaN if the
        log has no values), and their purchase occasions.
    """

    histories: Histories
    frequency: FloatArray
    revenue: FloatArray
    monetary_value: FloatArray
    duration: float
    start: pd.Timestamp
    end: pd.Timestamp
    late_joiners: int = 0
    late_revenue: float = float("nan")
    late_purchases: int = 0

    def __post_init__(self) -> None:
        """Close the arrays to writing."""
        for name in _NUMBERS:
            array = np.array(getattr(self, name), dtype=np.float64)
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __setstate__(self, state: Mapping[str, object]) -> None:
        """Take what was pickled or copied, whose arrays come open to writing."""
        vars(self).update(state)
        self.__post_init__()

    @property
    def customer_id(self) -> pd.Index[Any]:
        """The ids of the customers, length n."""
        return self.histories.customer_id

    @property
    def unit(self) -> Unit:
        """The unit of model time."""
        return self.histories.unit

    def __len__(self) -> int:
        return len(self.histories)

    def to_frame(self) -> pd.DataFrame:
        """Return frequency, revenue and monetary_value as a table indexed by ``customer_id``.

        Examples
        --------
        >>> import pandas as pd
        >>> import clvmodels as clv
        >>> log = {"customer_id": ["A", "B", "A", "C", "A", "A"], "amount": [20, 35, 15, 50, 30, 10]}
        >>> log["date"] = ["2024-01-01", "2024-01-09", "2024-02-03", "2024-02-20", "2024-04-05", "2024-05-01"]
        >>> train, holdout = clv.rfm_train_test_split(
        ...     pd.DataFrame(log), value="amount", resolution="day", train_end="2024-03-01", test_end="2024-05-31"
        ... )
        >>> holdout.to_frame()
                     frequency  revenue  monetary_value
        customer_id
        A                  2.0     40.0            20.0
        B                  0.0      0.0             NaN
        C                  0.0      0.0             NaN
        """
        import pandas as pd

        return pd.DataFrame({name: getattr(self, name) for name in _NUMBERS}, index=self.customer_id)

    def __repr__(self) -> str:
        buyers = int((self.frequency > 0).sum())
        text = (
            f"{count(len(self), 'customer')}, {buyers:,} of them bought in the {self.duration:.4g} {self.unit}s"
            f" after {self.start}, until {self.end}: {count(int(self.frequency.sum()), 'purchase occasion')}"
        )
        revenue = estimated_revenue(self.frequency, self.revenue).sum()
        has_money = bool(np.isfinite(self.monetary_value).any())
        text += f", revenue {revenue:,.2f}" if has_money else ", no spend"
        if self.late_joiners:
            text += f"\nfirst bought after the training window: {count(self.late_joiners, 'customer')}"
            text += f" (revenue {self.late_revenue:,.2f})" if has_money else ""
        return text


def estimated_revenue(frequency: FloatArray, revenue: FloatArray) -> FloatArray:
    """Return revenue by customer, estimated where the value of no purchase is known.

    To leave out who bought for an unknown value, and keep who bought nothing, would make all forecasts look too high.
    So each occasion of such a customer counts with the mean of an occasion of the others. The total is right on average
    if values are missing by chance, and do not depend on how often a customer buys.

    Parameters
    ----------
    frequency, revenue
        As of `Holdout`, shape (n,).

    Returns
    -------
    ndarray
        Shape (n,); NaN where there are purchases, but none of known value to go by.

    Examples
    --------
    >>> estimated_revenue(np.array([0.0, 2.0, 2.0, 1.0]), np.array([0.0, 70.0, 50.0, np.nan]))
    array([ 0., 70., 50., 30.])
    """
    known = np.isfinite(revenue)
    occasions = frequency[known].sum()
    mean = revenue[known].sum() / occasions if occasions > 0 else np.nan
    return np.where(known, revenue, frequency * mean)
