"""The grids in time ahead that integrals of survival and purchase intensity are taken on."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.models.specification import Array, TransactionModel
from clvmodels.numerics.quadrature import GivenGrid, TimeGrid

__all__ = ["fall_time", "grid_of_future", "panel_growth", "time_scale"]

Index = NDArray[np.int64]

STAGES_OF_PANEL: Final = 4.0
"""Those that the busiest customer passes in the first panel: the intensity of purchases swings with them. The swings
are damped within some waits, the more of these the more stages a purchase takes; panels must not outgrow them."""
FEW: Final = 8
LEAST: Final = 1e-300
"""What is left of an intensity that falls at once; its log is a number."""


def grid_of_future(model: TransactionModel, draws: Array, x: Array, T: Array, end: float) -> TimeGrid:
    """Return the grid in time ahead that suits all customers."""
    if model.breaks is not None:
        return GivenGrid.between(model.breaks(draws, T, end))
    if model.stages is None:
        return TimeGrid(_first_panel(model, draws, x, T), end)
    number, scale = model.stages.number, time_scale(model, draws).min()
    busiest, flat = _busiest(x, T, scale), draws.reshape(-1, draws.shape[-1])
    rate = model.stages.rate(flat[:, None], number * (x[busiest] + 1.0), T[busiest]).max()
    first = min(STAGES_OF_PANEL / float(rate), float(T.min() + scale))
    growth = panel_growth(number)
    count = 1 + int(np.ceil(max(np.log(end / first) / np.log(growth) - 1e-12, 0.0)))
    return GivenGrid.between(np.array([0.0, *(first * growth ** np.arange(count - 1.0)), end]))


def panel_growth(stages: int) -> float:
    """Return by how much a panel of time ahead may end later than it begins, where a purchase takes so many stages."""
    return 1.0 + 2.0 * min(1.0, float((4.0 / stages) ** 1.5))


def time_scale(model: TransactionModel, draws: Array) -> Array:
    """Return the shortest time-like parameter over draws: the future's nearest singularity in T lies at minus this."""
    time = [parameter.dimension == "time" for parameter in model.parameters]
    return np.asarray(draws[..., time].min(axis=(-2, -1)))


def _first_panel(model: TransactionModel, draws: Array, x: Array, T: Array) -> float:
    """Return a time in which no customer's intensity falls by much, nor that of the few who leave at every purchase."""
    scale = time_scale(model, draws)
    busiest = _busiest(x, T, scale)
    return float(fall_time(model, draws, x[busiest], T[busiest], scale).min())


def _busiest(x: Array, T: Array, scale: Array | float) -> Index:
    """Return who may buy most often."""
    last = max(len(x) - FEW, 0)
    return np.unique([np.argmax(x), np.argmin(T), *np.argpartition(x / (T + scale), last)[last:]])


def fall_time(model: TransactionModel, theta: Array, x: Array, T: Array, scale: Array) -> Array:
    """Return times in which the intensity falls by little, shape (points, draws); `scale` broadcasts against it."""
    age = T[:, None] + scale
    _, now = model.future(theta, x[:, None], T[:, None], np.zeros(1))
    step = 1e-7 * np.minimum(age, 1.0 / now)  # the age counts from -scale, which may be far off
    _, soon = model.future(theta, x[:, None], T[:, None], step)
    fall = np.maximum(-np.log(np.maximum(soon / now, LEAST)) / step, 0.0)
    return np.asarray(np.minimum(1.0 / (1.0 / age + fall), 4.0 / now))
