"""What the customers of a training window did in the window after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clvmodels.data.columns import count

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.histories import FloatArray, Histories
    from clvmodels.units import Unit

__all__ = ["Holdout"]

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
        Their total value: 0 where there is no purchase, NaN where no value is known, shape (n,).
    monetary_value
        Mean value of an occasion; NaN where there is none, shape (n,).
    duration
        Length of the window, in the unit of the histories, on the clock of the training histories' T.
    start, end
        The ends of the window: it begins after `start`; both as in `Histories.observation_end`.
    late_joiners, late_revenue
        Customers without a training history who bought in the window, and their revenue.
    """

    histories: Histories
    frequency: FloatArray
    revenue: FloatArray
    monetary_value: FloatArray
    duration: float
    start: pd.Timestamp
    end: pd.Timestamp
    late_joiners: int = 0
    late_revenue: float = 0.0

    def __post_init__(self) -> None:
        """Close the arrays to writing."""
        for name in _NUMBERS:
            array = np.array(getattr(self, name), dtype=np.float64)
            array.flags.writeable = False
            object.__setattr__(self, name, array)

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
        revenue = np.nansum(self.revenue)
        has_money = bool(np.isfinite(self.monetary_value).any())
        text += f", revenue {revenue:,.2f}" if has_money else ", no spend"
        if self.late_joiners:
            text += f"\nfirst bought after the training window: {count(self.late_joiners, 'customer')}"
            text += f" (revenue {self.late_revenue:,.2f})" if has_money else ""
        return text
