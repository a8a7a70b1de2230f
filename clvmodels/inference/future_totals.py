"""What all customers together will buy, period by period: futures in which each customer does what chance has them do.

The periods of one future belong together: a customer who leaves in one buys in none that follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clvmodels.data.required import require_customers
from clvmodels.inference.parameters import columns_of
from clvmodels.models.simulation import simulated
from clvmodels.models.specification import Array

if TYPE_CHECKING:
    from clvmodels.data.histories import Histories
    from clvmodels.inference.transaction_fit import TransactionFit

__all__ = ["future_totals"]


def future_totals(fit: TransactionFit, histories: Histories, ends: Array, futures: int, seed: int | None) -> Array:
    """Return the purchases of all customers in each period of simulated futures.

    A future has one draw of the parameters, the same for all customers; the draws are taken evenly.

    Parameters
    ----------
    fit, histories
        The fit and the customers.
    ends
        The ends of the periods, counted from the end of observation, in the unit of the fit; increasing.
    futures
        How many.
    seed
        Of the simulation; None: a new one each time.

    Returns
    -------
    Array
        Whole numbers, shape (futures, periods).

    Raises
    ------
    DataError
        If the customers do not lie in memory.

    Examples
    --------
    >>> future_totals(transactions, rfm, np.array([26.0, 52.0]), 3, seed=1).shape
    (3, 2)
    """
    require_customers(histories, "a forecast of futures")
    fit = fit.of_customers(histories)
    parameters, columns = fit.parameters(histories), columns_of(fit.model, histories)
    x, t_x, T = columns
    everyone, weight = slice(None), np.ones(len(x)) if histories.weight is None else histories.weight
    rows = np.repeat(np.arange(len(x)), weight.astype(np.int64))
    x, t_x, T = (column[rows] for column in (x, t_x, T))
    totals = np.empty((futures, len(ends)))
    for future, generator in enumerate(np.random.default_rng(seed).spawn(futures)):
        theta = parameters.draw(future * parameters.number // futures, everyone)
        theta = theta[rows] if theta.ndim > 1 else theta
        alive = fit.model.p_alive(theta, x, t_x, T)
        duration = np.where(generator.random(len(x)) < alive, ends[-1], 0.0)
        points = np.broadcast_to(theta, (len(x), theta.shape[-1]))
        bought = simulated(fit.model, points, x, T, duration, generator)
        period = np.minimum(np.searchsorted(ends, bought.time), len(ends) - 1)
        totals[future] = np.bincount(period, minlength=len(ends))
    return totals
