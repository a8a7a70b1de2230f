"""How probable it is that a customer with a known history does not buy, and how their own purchase rates differ."""

from __future__ import annotations

from typing import Final

import numpy as np

from clvmodels.errors import ModelError
from clvmodels.models.specification import Array, OwnRates, TransactionModel

__all__ = ["never", "no_purchase", "own_rates_of"]

FAR: Final = 10.0 ** np.arange(6.0, 15.0, 2.0)
"""How many of the longest times of a model are taken for the limit: the rest is a power of them, to 1e-6 and better."""
FAR_PERIODS: Final = 2.0 ** np.arange(7.0, 12.0)
"""Periods that are taken for it: a likelihood in periods is a sum over them."""
FAR_ON_CALENDAR: Final = 2.0 ** np.arange(1.0, 6.0)
"""Of the longest times of a model on a calendar, whose future is a sum over the pieces of this."""
ROUNDING: Final = 1e-13
"""Differences of probabilities below this are noise."""


def no_purchase(model: TransactionModel, theta: Array, x: Array, t_x: Array, T: Array, t: Array) -> Array:
    """Return P(no purchase in (T, T + t] | x, t_x, T), whether or not the customer is alive.

    The likelihood of (x, t_x, T) is the density of these purchases and of none in (t_x, T]. So the probability is the
    likelihood of (x, t_x, T + t) over that of (x, t_x, T), and parts that depend on x alone cancel. A model that counts
    time from the end of observation, as one with a calendar, has no such ratio: there it is
    1 - P(alive) (1 - P(no purchase | alive)).

    Parameters
    ----------
    model, theta
        The model and its parameters, the last axis over the parameters.
    x, t_x, T, t
        Histories and the time ahead; they and the other axes of theta broadcast.

    Examples
    --------
    One who bought nothing in 39 weeks; under BG/NBD, ((alpha + 39) / (alpha + 78))^r:

    >>> from clvmodels.models import MODELS
    >>> model, nothing = MODELS["bg_nbd"], np.zeros(1)
    >>> no_purchase(model, model.theta(model.example), nothing, nothing, np.array([39.0]), np.array([39.0])).round(4)
    array([0.8558])
    """
    if model.residuals is None and model.ago is None:
        later, now = (model.history_terms(theta, x, t_x, end)[0] for end in (T + t, T))
        return np.asarray(np.exp(np.minimum(later - now, 0.0)))
    alive = model.p_alive(theta, x, t_x, T)
    return np.asarray(1.0 - alive + alive * model.pmf(theta, x, T, t, np.zeros(1)))


def never(model: TransactionModel, theta: Array, x: Array, t_x: Array, T: Array) -> Array:
    """Return P(no purchase ever | x, t_x, T): the limit of `no_purchase`.

    Far ahead, what is missing to the limit falls as powers of time. At times in a geometric sequence, that is a sum of
    geometric sequences, and Aitken's method, twice, finds the limit: to 1e-8 and better in time, to 1e-6 in periods
    and, as one looks less far ahead on a calendar, to some 1e-5 there.

    Parameters
    ----------
    model, theta, x, t_x, T
        As of `no_purchase`.

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> model, nothing = MODELS["pareto_nbd"], np.zeros(1)
    >>> never(model, model.theta(model.example), nothing, nothing, np.array([39.0])).round(4)
    array([0.8586])
    """
    far = FAR if model.ago is None else FAR_ON_CALENDAR
    far = FAR_PERIODS if model.time == "periods" else far * _longest(model, theta, T)
    values = np.stack([no_purchase(model, theta, x, t_x, T, np.asarray(t)) for t in far.tolist()])
    return np.asarray(np.clip(_limit(_limit(values))[0], 0.0, values[-1]))


def _longest(model: TransactionModel, theta: Array, T: Array) -> float:
    """Return the longest of the times that the future may change in."""
    times = [1.0, float(np.max(T, initial=0.0))]
    for number, parameter in enumerate(model.parameters):
        if parameter.dimension in ("time", "rate"):
            values = theta[..., number]
            times.append(float(np.max(values if parameter.dimension == "time" else 1.0 / values)))
    return max(times)


def _limit(values: Array) -> Array:
    """Return Aitken's extrapolations of sequences along the first axis, which is shorter by two then."""
    steps = np.diff(values, axis=0)
    bend = np.diff(steps, axis=0)
    clear = np.abs(bend) > ROUNDING
    correction = np.divide(steps[1:] ** 2, bend, out=np.zeros_like(bend), where=clear)
    return np.asarray(values[2:] - correction)


def own_rates_of(model: TransactionModel) -> OwnRates:
    """Return how the purchase rates of customers differ.

    Raises
    ------
    ModelError
        If the model does not say.

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> model = MODELS["bg_nbd"]
    >>> history = np.array([2.0]), np.array([30.43]), np.array([38.86])
    >>> own_rates_of(model).at_most(model.theta(model.example), *history, np.array([0.05])).round(4)
    array([0.5681])
    """
    if model.own_rates is None:
        raise ModelError(
            f"{model.name} does not say how the purchase rates of customers differ (own_rates of its specification is"
            " None); ask for expected_purchases"
        )
    return model.own_rates
