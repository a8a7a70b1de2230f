"""Purchase histories simulated from a model, with known truth."""

from __future__ import annotations

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.models.simulation import new_customers
from clvmodels.models.specification import Array, TransactionModel
from clvmodels.units import Unit

__all__ = ["simulated_histories"]


def simulated_histories(
    model: TransactionModel, theta: Array, customers: int, duration: float, unit: Unit, seed: int
) -> Histories:
    """Return histories of new customers observed for `duration`, with the truth as attributes."""
    import pandas as pd

    simulated, rate = new_customers(model, theta, np.full(customers, duration), np.random.default_rng(seed))
    last = np.zeros(customers)
    np.maximum.at(last, simulated.customer, simulated.time)
    table = pd.DataFrame(
        {
            "customer_id": np.arange(customers),
            "frequency": np.bincount(simulated.customer, minlength=customers).astype(float),
            "recency": last,
            "T": duration,
            "purchase_rate": rate,
            "alive": simulated.alive,
        }
    )
    return Histories.from_frame(table, unit=unit)
