"""Populations of one shape, each on its own scale: what customers' order values are under them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.histories import Histories
from clvmodels.data.statistics import LOGS, MEAN_OF
from clvmodels.inference.spend_state import require_order_values
from clvmodels.models.specification import Array, SpendModel

__all__ = ["columns_of_spend", "divided", "scaled", "usable_spend"]


def usable_spend(model: SpendModel, histories: Histories) -> NDArray[np.bool_]:
    """Return which customers have repeat purchases, and orders that the likelihood is about."""
    require_order_values(model, model.statistics, histories)
    usable = histories.usable(model.statistics)
    return np.asarray((histories.frequency > 0.0) & (usable if usable is not None else True))


def columns_of_spend(model: SpendModel, histories: Histories, known: NDArray[np.bool_]) -> list[Array]:
    """Return the columns of the likelihood of some customers."""
    return [histories.statistic(name)[known] for name in model.statistics]


def divided(model: SpendModel, histories: Histories, scale: Array) -> Histories:
    """Return histories whose values of orders are divided by a number of each customer."""
    values = {name: histories.statistic(name) for name in model.statistics}
    means = {name: values[name] / scale for name in MEAN_OF.values() if name in values}
    return histories.with_statistics(means | {name: values[name] - np.log(scale) for name in LOGS if name in values})


def scaled(model: SpendModel, theta: Array, scale: float | Array) -> Array:
    """Return the parameters of populations whose values are `scale` times as large."""
    money = model.units(money=np.e) != 1.0  # a money-like parameter times c is the population of values times c
    return np.where(money, theta * np.asarray(scale)[..., None], theta)
