"""Predictions by customer.

They are computed once a distinct history and parameter draw, in blocks, and joined back to the table of histories.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.models.specification import Array, TransactionModel

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.inference.fit import OrdersFit, SpendFit

__all__ = ["by_customer", "probability", "spend_by_customer", "summarise"]

NUMBERS_PER_BLOCK = 16_000_000
"""Draws times histories held at a time: 128 MB."""
QUANTILES = {"q05": 0.05, "q50": 0.50, "q95": 0.95}


def summarise(values: Array) -> pd.DataFrame:
    """Return mean (and sd and quantiles if there is more than one draw) of values of shape (draws, rows)."""
    import pandas as pd

    if len(values) == 1:
        return pd.DataFrame({"mean": values[0]})
    table = {"mean": values.mean(axis=0), "sd": values.std(axis=0, ddof=1)}
    quantiles = np.quantile(values, list(QUANTILES.values()), axis=0)
    return pd.DataFrame(table | dict(zip(QUANTILES, quantiles, strict=True)))


def by_customer(
    fit: OrdersFit, histories: Histories, given: Callable[[Array, Array, Array, Array], Array]
) -> pd.DataFrame:
    """Return a table by customer of ``given(theta, x, t_x, T)``, summarised over the draws of the fit."""
    fit.require_unit(histories)
    distinct = histories.distinct
    table = _in_blocks(fit.draws, distinct.rows.T, lambda theta, columns: given(theta, *columns))
    return table.take(distinct.index).set_axis(histories.customer_id, axis=0)


def spend_by_customer(fit: SpendFit, histories: Histories) -> pd.DataFrame:
    """Return a table by customer of the expected value of an order, summarised over the draws of the fit."""
    columns = np.stack([histories.frequency, histories.monetary_value])
    table = _in_blocks(fit.draws, columns, lambda theta, columns: fit.model.expected_spend(theta, *columns))
    return table.set_axis(histories.customer_id, axis=0)


def _in_blocks(draws: Array, columns: Array, given: Callable[[Array, Array], Array]) -> pd.DataFrame:
    import pandas as pd

    rows, block = columns.shape[1], max(NUMBERS_PER_BLOCK // len(draws), 1)
    tables = []
    for start in range(0, max(rows, 1), block):
        part = np.ascontiguousarray(columns[:, start : start + block])
        tables.append(summarise(np.array([given(theta, part) for theta in draws])))
    return tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)


def probability(model: TransactionModel, theta: Array, x: Array, t_x: Array, T: Array, t: float, n: float) -> Array:
    """Return P(n purchases in (T, T + t] | x, t_x, T)."""
    alive = model.p_alive(theta, x, t_x, T)
    if t == 0.0:
        return np.full(alive.shape, float(n == 0))
    return np.asarray(alive * model.pmf(theta, x, T, np.asarray(t), np.asarray(n)) + (1.0 - alive) * (n == 0))
