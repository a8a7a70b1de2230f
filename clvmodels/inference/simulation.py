"""Purchases simulated from a model, with known truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.histories import Histories
from clvmodels.errors import FitError
from clvmodels.models.new_customers import p_alive_new
from clvmodels.models.specification import Array, Traits, TransactionModel
from clvmodels.units import Unit

__all__ = ["Events", "events", "future_counts", "histories", "new_customers"]

_MOST_PURCHASES = 1e9
"""Of all customers, or of one in the future: more do not go into the memory, or into the generator."""


@dataclass(frozen=True)
class Events:
    """Simulated repeat purchases.

    Attributes
    ----------
    customer, time
        Who bought and when, counted from the start of each customer's simulation; sorted by customer and time.
    alive
        Whether each customer is alive at the end; shape (customers,).
    """

    customer: NDArray[np.int64]
    time: Array
    alive: NDArray[np.bool_]


def events(traits: Traits, duration: Array, generator: np.random.Generator) -> Events:
    """Simulate the purchases of customers who are alive at time 0, each for his own duration.

    Purchases are a Poisson process; a customer stops at the end of his lifetime or with his last purchase.
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
    kept = rank <= traits.last_purchase[customer]
    alive = (traits.lifetime > duration) & (count < traits.last_purchase)
    return Events(customer[kept], time[kept], alive)


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
    traits = model.draw_traits(theta, x, T, generator)
    expected = traits.purchase_rate * np.minimum(t, traits.lifetime)
    if not float(np.max(expected, initial=0.0)) <= _MOST_PURCHASES:
        raise FitError(f"a customer would buy more than {_MOST_PURCHASES:g} times; ask for a shorter time")
    count = generator.poisson(expected)
    return np.where(stays, np.minimum(count, traits.last_purchase), 0.0)


def new_customers(
    model: TransactionModel, theta: Array, duration: Array, generator: np.random.Generator
) -> tuple[Events, Array]:
    """Simulate customers just acquired; return their repeat purchases and their purchase rates.

    A model in which customers may leave at their first purchase loses some before they start.
    """
    nothing = np.zeros(len(duration))
    born = generator.random(len(duration)) < p_alive_new(model, theta)
    traits = model.draw_traits(theta, nothing, nothing, generator)
    simulated = events(traits, np.where(born, duration, 0.0), generator)
    return Events(simulated.customer, simulated.time, simulated.alive & born), traits.purchase_rate


def histories(
    model: TransactionModel, theta: Array, customers: int, duration: float, unit: Unit, seed: int
) -> Histories:
    """Return histories of new customers observed for `duration`, with the truth as attributes."""
    import pandas as pd

    simulated, rate = new_customers(model, theta, np.full(customers, duration), np.random.default_rng(seed))
    last = np.zeros(customers)
    np.maximum.at(last, simulated.customer, simulated.time)
    table = pd.DataFrame(
        {
            "customer_id": np.arange(customers),
            "frequency": np.bincount(simulated.customer, minlength=customers).astype(float),
            "recency": last,
            "T": duration,
            "purchase_rate": rate,
            "alive": simulated.alive,
        }
    )
    return Histories.from_frame(table, unit=unit)
