"""Purchases simulated from a model, with known truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from clvmodels.errors import FitError
from clvmodels.models.new_customers import p_alive_new
from clvmodels.models.specification import Array, Events, Traits, TransactionModel

__all__ = ["drawn_stages", "events", "future_counts", "new_customers", "simulated"]

_MOST_PURCHASES = 1e9
"""Of all customers, or of one in the future: more do not go into the memory, or into the generator."""


def events(traits: Traits, duration: Array, generator: np.random.Generator) -> Events:
    """Simulate the purchases of customers who are alive at time 0, each for their own duration.

    Purchases are a Poisson process; a customer stops at the end of their lifetime or with their last purchase.
    """
    active = np.minimum(duration, traits.lifetime)
    if not float(np.sum(traits.purchase_rate * active)) <= _MOST_PURCHASES:
        raise FitError(
            f"these customers would buy more than {_MOST_PURCHASES:g} times; simulate fewer of them, or a shorter time"
        )
    count = generator.poisson(traits.purchase_rate * active)
    customer = np.repeat(np.arange(len(count)), count)
    time = generator.random(len(customer)) * active[customer]
    time = time[np.lexsort((time, customer))]
    rank = np.arange(len(customer)) - np.repeat(np.cumsum(count) - count, count) + 1
    kept, last = rank <= traits.last_purchase[customer], rank == traits.last_purchase[customer]
    alive = (traits.lifetime > duration) & (count < traits.last_purchase)
    left = active.copy()
    left[customer[last]] = time[last]
    return Events(customer[kept], time[kept], left, alive)


def simulated(
    model: TransactionModel, theta: Array, x: Array, T: Array, duration: Array, generator: np.random.Generator
) -> Events:
    """Simulate what customers who are alive at T do, each for their own duration; shape (customers,) each.

    Where purchases take stages, x counts these: see `drawn_stages`.
    """
    if model.simulate is not None:
        return model.simulate(theta, x, T, duration, generator)
    assert model.draw_traits is not None
    return events(model.draw_traits(theta, x, T, generator), duration, generator)


def drawn_stages(
    model: TransactionModel, theta: Array, x: Array, t_x: Array, T: Array, generator: np.random.Generator
) -> Array:
    """Return the stages that customers who are alive at T have passed, drawn; x where a purchase is one stage.

    Examples
    --------
    >>> from clvmodels.models.bg_nbd import BG_NBD
    >>> theta, x, T = BG_NBD.theta(BG_NBD.example), np.array([2.0, 3.0]), np.full(2, 31.0)
    >>> drawn_stages(BG_NBD, theta, x, T, T, np.random.default_rng(1))
    array([2., 3.])
    """
    if model.stages is None:
        return x
    below = np.cumsum(model.stages.weights(theta, x, t_x, T), axis=-1)
    stage = (generator.random(below.shape[:-1])[..., None] >= below[..., :-1]).sum(axis=-1)
    return np.asarray(model.stages.number * x + stage)


def future_counts(
    model: TransactionModel, theta: Array, x: Array, t_x: Array, T: Array, t: Array, generator: np.random.Generator
) -> Array:
    """Simulate how often customers with known histories buy in (T, T + t].

    Parameters
    ----------
    model, theta
        The model and its parameters, the last axis over the parameters.
    x, t_x, T, t
        Histories and the time ahead; they and the other axes of theta broadcast.
    generator
        The source of randomness.

    Returns
    -------
    Array
        Whole numbers as floats; zero for those who have left already, and at most the number of purchases after which
        a customer leaves.

    Examples
    --------
    >>> from clvmodels.models.bg_nbd import BG_NBD
    >>> theta, history = BG_NBD.theta(BG_NBD.example), (np.full(4, 9.0), np.full(4, 30.0), np.full(4, 31.0))
    >>> future_counts(BG_NBD, theta, *history, np.asarray(52.0), np.random.default_rng(1)).shape
    (4,)
    """
    alive = model.p_alive(theta, x, t_x, T)
    stays = generator.random(alive.shape) < alive
    if model.draw_traits is None:
        x = drawn_stages(model, theta, x, t_x, T, generator)
        return _counted(model, theta, x, T, np.where(stays, t, 0.0), generator)
    traits = model.draw_traits(theta, x, T, generator)
    expected = traits.purchase_rate * np.minimum(t, traits.lifetime)
    if not float(np.max(expected, initial=0.0)) <= _MOST_PURCHASES:
        raise FitError(f"a customer would buy more than {_MOST_PURCHASES:g} times; ask for a shorter time")
    count = generator.poisson(expected)
    return np.where(stays, np.minimum(count, traits.last_purchase), 0.0)


def _counted(
    model: TransactionModel, theta: Array, x: Array, T: Array, duration: Array, generator: np.random.Generator
) -> Array:
    """Return how often customers who are alive at T buy within their duration, of any one shape."""
    shape = duration.shape
    points = np.broadcast_to(theta, (*shape, theta.shape[-1])).reshape(-1, theta.shape[-1])
    x, T, duration = (np.broadcast_to(part, shape).ravel() for part in (x, T, duration))
    bought = simulated(model, points, x, T, duration, generator)
    return np.bincount(bought.customer, minlength=len(x)).astype(float).reshape(shape)


def new_customers(
    model: TransactionModel, theta: Array, duration: Array, generator: np.random.Generator
) -> tuple[Events, Array | None]:
    """Simulate customers just acquired; return their repeat purchases, and their purchase rates if they have one.

    A model in which customers may leave at their first purchase loses some before they start.
    """
    zero = np.zeros(len(duration))
    stays = generator.random(len(duration)) < p_alive_new(model, theta)
    times = np.where(stays, duration, 0.0)
    if model.draw_traits is None:
        points = np.broadcast_to(theta, (len(duration), theta.shape[-1]))
        bought, rates = simulated(model, points, zero, zero, times, generator), None
    else:
        traits = model.draw_traits(theta, zero, zero, generator)
        bought, rates = events(traits, times, generator), traits.purchase_rate
    return replace(bought, alive=bought.alive & stays), rates
