"""Several capacities beside a budget: their prices, by linear programming with HiGHS."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["prices_of_capacities"]

Array = NDArray[np.float64]


def prices_of_capacities(gain: Array, cost: Array, budget: float, capacity: Array) -> tuple[float, Array, float]:
    """Return the price of the budget, those of the capacities, and the value of the linear program.

    Parameters
    ----------
    gain, cost
        Shape (customers, actions); the gain is minus infinity where an action is not to be had.
    budget
        Infinite: none.
    capacity
        How many customers each action can take, shape (actions,); infinite: any number.

    Examples
    --------
    >>> gain, cost = np.array([[3.0, 5.0], [2.0, 6.0]]), np.ones((2, 2))
    >>> _, prices, value = prices_of_capacities(gain, cost, np.inf, np.array([np.inf, 1.0]))
    >>> bool(2.0 <= prices[1] <= 4.0), value
    (True, 9.0)
    """
    from scipy import sparse
    from scipy.optimize import linprog

    customer, action = np.nonzero(gain > 0.0)
    if not len(customer):
        return 0.0, np.zeros(len(capacity)), 0.0
    column = np.arange(len(customer))
    shape = (len(gain), len(customer))
    parts = [sparse.csr_array((np.ones(len(customer)), (customer, column)), shape=shape)]
    bounds = [np.ones(len(gain))]
    limited = np.flatnonzero(np.isfinite(capacity))
    parts += [sparse.csr_array((action == each).astype(float)[None]) for each in limited]
    bounds.append(capacity[limited])
    if np.isfinite(budget):
        parts.append(sparse.csr_array(cost[customer, action][None]))
        bounds.append(np.array([budget]))
    matrix: Any = sparse.vstack(parts)
    solution: Any = linprog(
        -gain[customer, action],
        A_ub=matrix,
        b_ub=np.concatenate(bounds),
        bounds=(0.0, 1.0),
        method="highs",
    )
    duals = -solution.ineqlin.marginals[len(gain) :]
    prices = np.zeros(len(capacity))
    prices[limited] = duals[: len(limited)]
    return float(duals[-1]) if np.isfinite(budget) else 0.0, prices, float(-solution.fun)
