"""Purchase histories simulated from a model, with known truth."""

from __future__ import annotations

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.data.statistics import column_of
from clvmodels.models.simulation import new_customers
from clvmodels.models.specification import Array, TransactionModel
from clvmodels.units import Unit

__all__ = ["simulated_histories"]


def simulated_histories(
    model: TransactionModel, theta: Array, customers: int, duration: float, unit: Unit, seed: int
) -> Histories:
    """Return histories of new customers observed for `duration`, with the truth as attributes."""
    import pandas as pd

    bought, rates = new_customers(model, theta, np.full(customers, duration), np.random.default_rng(seed))
    last = np.zeros(customers)
    np.maximum.at(last, bought.customer, bought.time)
    x, t_x, age = map(column_of, model.statistics)
    truth = {} if rates is None else {"purchase_rate": rates}
    table = pd.DataFrame(
        {
            "customer_id": np.arange(customers),
            x: np.bincount(bought.customer, minlength=customers).astype(float),
            t_x: last,
            age: duration,
            **truth,
            "alive": bought.alive,
        }
    )
    return Histories.from_frame(table, unit=unit)
