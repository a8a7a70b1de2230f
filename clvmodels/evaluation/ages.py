"""Sums over customers of a smooth function of their age, from its values at few ages.

What a model predicts for a customer just acquired is an analytic function of their age t, whose singularities lie at
t = -scale and beyond. In log(t + scale) a Chebyshev interpolant converges geometrically (see
`clvmodels.numerics.interpolate`), and a sum of interpolants at a million ages is a weighted sum of the values at its
few nodes. The weights do not depend on the function, nor on the draw of the parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.models.grids import time_scale
from clvmodels.numerics.distinct import distinct_rows
from clvmodels.numerics.interpolate import angles, to_coefficients

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clvmodels.inference.parameters import Parameters
    from clvmodels.models.specification import Array, TransactionModel

__all__ = ["Ages", "condensed", "weighted_ages"]

WANTED: Final = np.log(1e13)
"""Fall of the coefficients from the first to the last, by which the number of nodes is chosen."""


@dataclass(frozen=True, eq=False)
class Ages:
    """The ages of customers, condensed: sums over customers are sums over nodes.

    Attributes
    ----------
    nodes
        Shape (nodes,), rising.
    weights
        By group of customers, shape (groups, nodes); they add up to the number of customers in the group, and some may
        be negative.
    """

    nodes: Array
    weights: Array


def condensed(ages: Array, group: NDArray[np.int64], groups: int, *, low: float, high: float, scale: float) -> Ages:
    """Condense ages to nodes between `low` and `high`.

    Parameters
    ----------
    ages
        Of the customers, all between `low` and `high`; shape (customers,).
    group, groups
        The group of each customer, 0, 1, ..., and the number of groups.
    low, high
        The range of the ages.
    scale
        Distance of the nearest singularity below age 0.

    Examples
    --------
    >>> ages = np.random.default_rng(1).uniform(0.0, 52.0, 10_000)
    >>> few = condensed(ages, np.zeros(10_000, int), 1, low=0.0, high=52.0, scale=4.4)
    >>> bool(np.isclose(few.weights[0] @ (few.nodes + 4.4) ** -0.24, ((ages + 4.4) ** -0.24).sum(), rtol=1e-11))
    True
    """
    start, end = np.log(low + scale), np.log(high + scale)
    middle, half = 0.5 * (start + end), max(0.5 * (end - start), 1e-9)
    points = _points(half)
    place = np.clip((np.log(ages + scale) - middle) / half, -1.0, 1.0)
    moments = np.empty((groups, points))
    before, polynomial = place, np.ones_like(place)  # Chebyshev polynomials by their recurrence, from T_-1 = T_1 on
    for order in range(points):
        moments[:, order] = np.bincount(group, weights=polynomial, minlength=groups)
        before, polynomial = polynomial, 2.0 * place * polynomial - before
    nodes = np.maximum(np.exp(middle + half * np.cos(angles(points))) - scale, 1e-12 * scale)
    weights = moments @ to_coefficients(points)
    return Ages(np.ascontiguousarray(nodes[::-1]), np.ascontiguousarray(weights[:, ::-1]))


def weighted_ages(model: TransactionModel, parameters: Parameters, T: Array) -> tuple[Parameters, Array, Array]:
    """Return few ages that stand for those of customers, by group of their parameters.

    Parameters
    ----------
    model, parameters
        The model, and the parameters of the customers.
    T
        Their ages, shape (customers,), one or more.

    Returns
    -------
    parameters, ages, weights
        Of each age: parameters, the age, and its weight; a sum over customers is the weighted sum over these ages.
    """
    parameters = parameters.by_group()
    if model.time == "periods" and parameters.group is None:  # ages are few whole numbers, and no function is smooth
        exact = distinct_rows(T)
        return parameters, exact.rows[:, 0], exact.weight
    if model.time == "periods":
        exact = distinct_rows(*parameters.columns(), T)
        return parameters.of_groups(exact.rows[:, :1].T), exact.rows[:, 1], exact.weight
    low, high, scale = float(T.min()), float(T.max()), float(time_scale(model, parameters.draws).min())
    if parameters.group is None:
        ages = condensed(T, np.zeros(len(T), np.int64), 1, low=low, high=high, scale=scale)
        return parameters, ages.nodes, ages.weights[0]
    groups = len(parameters.draws)
    distinct = distinct_rows(*parameters.columns(), T)
    if len(distinct.rows) > groups * _points(0.5 * np.log((high + scale) / (low + scale))):
        ages = condensed(T, parameters.group, groups, low=low, high=high, scale=scale)
        group = np.repeat(np.arange(groups), len(ages.nodes))
        return replace(parameters, group=group), np.tile(ages.nodes, groups), ages.weights.ravel()
    return parameters.of_groups(distinct.rows[:, :1].T), distinct.rows[:, 1], distinct.weight


def _points(half: float) -> int:
    """Return how many nodes do: the Bernstein ellipse that touches the edges of the strip of half-width pi."""
    height = np.pi / max(half, 1e-9)
    return int(np.ceil(4.0 + WANTED / np.log(height + np.sqrt(1.0 + height**2))))
