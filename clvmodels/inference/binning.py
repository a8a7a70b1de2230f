"""What a grid of histories does to a likelihood: its curvature times the variance within the cells.

Histories of many customers in an engine may be counted in cells, each at the mean of the customers in it. To second
order, the log-likelihood of a cell then lacks half the trace of its second derivatives times the covariance within it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.data.statistics import TRANSACTIONS
from clvmodels.errors import FitError
from clvmodels.inference.observations import Observations, observe
from clvmodels.models.specification import Array, Model, TransactionModel
from clvmodels.numerics.threads import dot

__all__ = ["binning_error", "refine"]

STEP: Final = 1e-3
"""Of second differences, as a share of a time, or in the logarithm of money."""


def binning_error(model: Model, histories: Histories, theta: Array) -> float:
    """Return by how much exact histories would change the log-likelihood of those that a fit sees.

    Parameters
    ----------
    model, theta
        The model and its parameters, shape (parameters,), in the unit of the histories.
    histories
        The histories.
    """
    spread = histories.spread(TRANSACTIONS if isinstance(model, TransactionModel) else model.statistics)
    if spread is None:
        return 0.0
    observed = observe(model, histories)
    if isinstance(model, TransactionModel):
        return _effect_of_times(model, observed, spread, theta)
    return _effect_of_spend(model, observed, spread, theta)


def _effect_of_times(model: TransactionModel, observed: Observations, spread: Array, theta: Array) -> float:
    varying = np.any(spread != 0.0, axis=1)
    if not varying.any():
        return 0.0
    x, t_x, T = (column[varying] for column in observed.columns)
    bought = x > 0
    by_recency, by_age = _steps(model, observed.time, theta, x, t_x), _steps(model, observed.time, theta, x, T)
    t_x = np.where(bought, np.maximum(t_x, by_recency), t_x)
    T = np.maximum(T, t_x + 1.25 * (by_recency + by_age))  # differences keep recency below T

    def at(recency: float, age: float) -> Array:
        return model.history_terms(theta, x, np.where(bought, t_x + recency * by_recency, t_x), T + age * by_age)[0]

    centre = at(0, 0)
    second = np.column_stack(
        [
            (at(1, 0) - 2.0 * centre + at(-1, 0)) / by_recency**2,
            (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / (2.0 * by_recency * by_age),
            (at(0, 1) - 2.0 * centre + at(0, -1)) / by_age**2,
        ]
    )
    return 0.5 * dot(observed.weight[varying], (second * spread[varying]).sum(axis=1))


def _steps(model: TransactionModel, mean_age: float, theta: Array, x: Array, time: Array) -> Array:
    """Return steps in which a likelihood hardly bends: it depends on times beside those that are parameters.

    The more purchases, the faster it bends.
    """
    scales = [value for parameter, value in zip(model.parameters, theta, strict=True) if parameter.dimension == "time"]
    return np.asarray(STEP * (min(scales, default=mean_age) + time) / np.sqrt(1.0 + x))


def _effect_of_spend(model: Model, observed: Observations, spread: Array, theta: Array) -> float:
    varying = spread != 0.0
    if not varying.any():
        return 0.0
    x, spend = (column[varying] for column in observed.columns)
    below, centre, above = (model.history_terms(theta, x, spend * np.exp(step * STEP))[0] for step in (-1.0, 0.0, 1.0))
    return 0.5 * dot(observed.weight[varying], (below - 2.0 * centre + above) / STEP**2 * spread[varying])


def refine(histories: Histories, effect: float) -> Histories | None:
    """Return the histories on a grid fine enough for its bound, or None if it is fine enough already.

    Raises
    ------
    FitError
        If the effect of the grid is no number.
    """
    grid = histories.grid
    if grid is None:
        return None
    bound = grid.bound * len(histories)
    if abs(effect) <= bound:
        return None
    if not np.isfinite(effect):
        raise FitError(
            "what the grid of times does to the log-likelihood cannot be told at these parameters; count exact "
            "histories: rfm_summary(..., grid=None)"
        )
    return histories.with_grid(replace(grid, step=grid.step * min(0.7 * (bound / abs(effect)) ** 0.5, 0.5)))
