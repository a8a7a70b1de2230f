"""What a grid of histories does to a likelihood: its curvature times the variance within the cells.

Histories of many customers in an engine may be counted in cells, each at the mean of the customers in it. To second
order, the log-likelihood of a cell then lacks half the trace of its second derivatives times the covariance within it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.data.lazy import LazyHistories
from clvmodels.inference.observations import Observations, observe
from clvmodels.models.specification import Array, Model, TransactionModel
from clvmodels.numerics.threads import dot

__all__ = ["finer", "grid_effect"]

STEP: Final = 1e-3
"""Of second differences, in time as a share of the mean age, or in the logarithm of money."""


def grid_effect(model: Model, histories: Histories | LazyHistories, theta: Array) -> float:
    """Return by how much exact histories would change the log-likelihood of those that a fit sees.

    Parameters
    ----------
    model, theta
        The model and its parameters, shape (parameters,), in the unit of the histories.
    histories
        The histories.
    """
    if isinstance(histories, Histories):
        return 0.0
    observed = observe(model, histories)
    if isinstance(model, TransactionModel):
        return _effect_of_times(model, observed, histories.spread, theta)
    return _effect_of_spend(model, observed, histories.spread_of_spend, theta)


def _effect_of_times(model: Model, observed: Observations, spread: Array, theta: Array) -> float:
    some = np.any(spread != 0.0, axis=1)
    if not some.any():
        return 0.0
    step = STEP * observed.time
    x, t_x, T = (column[some] for column in observed.columns)
    t_x = np.where(x > 0, np.maximum(t_x, step), t_x)
    T = np.maximum(T, t_x + 2.0 * step)  # differences keep recency below T

    def at(recency: float, age: float) -> Array:
        moved = np.where(x > 0, t_x + recency * step, t_x)
        return model.history_terms(theta, x, moved, T + age * step)[0]

    centre = at(0, 0)
    second = np.column_stack(
        [
            at(1, 0) - 2.0 * centre + at(-1, 0),
            (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / 2.0,
            at(0, 1) - 2.0 * centre + at(0, -1),
        ]
    )
    change = (second * spread[some]).sum(axis=1) / step**2
    return 0.5 * dot(observed.weight[some], change)


def _effect_of_spend(model: Model, observed: Observations, spread: Array, theta: Array) -> float:
    some = spread != 0.0
    if not some.any():
        return 0.0
    x, spend = (column[some] for column in observed.columns)
    below, centre, above = (model.history_terms(theta, x, spend * np.exp(step * STEP))[0] for step in (-1.0, 0.0, 1.0))
    return 0.5 * dot(observed.weight[some], (below - 2.0 * centre + above) / STEP**2 * spread[some])


def finer(histories: Histories | LazyHistories, effect: float) -> Histories | LazyHistories | None:
    """Return the histories on a grid fine enough for its bound, or None if it is fine enough already."""
    if isinstance(histories, Histories) or histories.grid is None:
        return None
    grid, bound = histories.grid, histories.grid.bound * len(histories)
    if abs(effect) <= bound:
        return None
    return replace(histories, grid=replace(grid, step=grid.step * min(0.7 * (bound / abs(effect)) ** 0.5, 0.5)))
