"""Purchases that take several stages: functions of each stage, and means over those that a customer may be in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clvmodels.models.specification import Array, TransactionModel

__all__ = ["ConditionalOnAlive", "by_stage", "over_stages"]

ConditionalOnAlive = Callable[[Array, Array, Array], Array]
"""``(theta, x, T)``: something about customers who are alive at T, at points x and T of shape (points,), under theta of
shape (draws, parameters), which all points share, or (points, draws, parameters). Points of the same theta stand
together, and those of the same x among them; returns shape (points, draws, outputs)."""


def by_stage(model: TransactionModel, given: ConditionalOnAlive) -> ConditionalOnAlive:
    """Return a function of purchases that gives the outputs of one of stages passed, for each stage after another.

    `over_stages` makes one number of them. Where a purchase is one stage, it is the same function.
    """
    if model.stages is None:
        return given
    number = model.stages.number
    return lambda theta, x, T: np.concatenate([given(theta, number * x + j, T) for j in range(number)], axis=-1)


def over_stages(model: TransactionModel, theta: Array, x: Array, t_x: Array, T: Array, values: Array) -> Array:
    """Return the mean over the stages that customers may be in, given that they are alive.

    Parameters
    ----------
    model, theta, x, t_x, T
        The model, its parameters and histories, which broadcast; T may be the same as t_x: a customer who just bought.
    values
        By stage, as of `by_stage`: on the last axis outputs * stages.
    """
    if model.stages is None:
        return values
    weights = model.stages.weights(theta, x, t_x, T)
    parts = values.reshape(*values.shape[:-1], model.stages.number, -1)
    return np.asarray(np.einsum("...k,...ko->...o", weights, parts))
