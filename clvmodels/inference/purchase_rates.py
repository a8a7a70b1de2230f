"""The expected purchase rate of customers, as long as they are alive: what order values may depend on.

It is the posterior mean of a customer's own rate, of BG/NBD and Pareto/NBD (r + x) / (alpha + T). It is defined for
those who bought once, and does not rise with age as x does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.inference.parameters import columns_of
from clvmodels.models.specification import Array, TransactionModel
from clvmodels.units import Unit

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.histories import Histories

__all__ = ["BY_RATE", "RATE", "PurchaseRates", "purchase_rates", "with_rates"]

RATE: Final = "expected_purchase_rate"
"""The attribute of customers that stands for it in formulas."""
BY_RATE: Final = f"log({RATE})"
"""What makes the scale of order values a power of the rate."""


@dataclass(frozen=True, eq=False)
class PurchaseRates:
    """Expected purchase rates by the point estimate of a fit of transactions to all customers together.

    Attributes
    ----------
    model
        The model of transactions.
    theta
        Its parameters, shape (parameters,).
    unit
        The unit of time that they count in.
    """

    model: TransactionModel
    theta: Array
    unit: Unit

    def of(self, histories: Histories) -> Array:
        """Return the rates of customers, per unit of the fit, shape (customers,)."""
        return purchase_rates(self.model, self.theta, histories.in_unit(self.unit))

    @property
    def new(self) -> float:
        """The rate of customers who have just been acquired."""
        zero = np.zeros(1)
        return float(_rates(self.model, self.theta, zero, zero)[0])

    def attributes(self, histories: Histories) -> pd.DataFrame:
        """Return the attributes of customers with their rates beside them, if they do not have them already."""
        known = histories.attributes
        return known if RATE in known.columns else known.assign(**{RATE: self.of(histories)})


def purchase_rates(model: TransactionModel, theta: Array, histories: Histories) -> Array:
    """Return the expected rates of customers who are alive, shape (customers,).

    Parameters
    ----------
    model
        The model of transactions.
    theta
        Its parameters, shape (parameters,), or those of each customer, shape (customers, parameters).
    histories
        The customers, in memory.

    Examples
    --------
    >>> theta = transactions.estimate
    >>> purchase_rates(transactions.model, theta, rfm).round(4).tolist()
    [0.0517, 0.0056, 0.1208]
    """
    x, _, T = columns_of(model, histories)
    return _rates(model, theta, x, T)


def _rates(model: TransactionModel, theta: Array, x: Array, T: Array) -> Array:
    """Return the expected purchases per unit of time of customers who are alive."""
    if model.stages is not None:
        return np.asarray(model.stages.rate(theta, model.stages.number * x, T) / model.stages.number)
    return np.asarray(model.future(theta, x, T, np.zeros(1))[1])


def with_rates(histories: Histories, rates: Array) -> Histories:
    """Return histories in memory with the rates of customers as an attribute."""
    import pandas as pd

    return histories.with_attributes(pd.DataFrame({RATE: rates}, index=histories.customer_id))
