"""Purchases simulated one by one from the stories that the models tell, by no code of the package.

BG/NBD and MBG/NBD: Fader, Hardie & Lee (2005); Batislam, Denizel & Filiztekin (2007). Pareto/NBD: Schmittlein, Morrison
& Colombo (1987). Parameters are the papers' names; alpha and beta are rates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CDNOW = {
    "BG/NBD": {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426},
    "MBG/NBD": {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614},
    "Pareto/NBD": {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669},
}


@dataclass(frozen=True)
class Purchases:
    """All purchases until `end`, one row each, the first one of each customer included.

    Attributes
    ----------
    customer, time
        Sorted by customer, then time, which is counted on one clock for all.
    """

    customer: np.ndarray
    time: np.ndarray


def purchases(model: str, params: dict[str, float], births: np.ndarray, end: float, seed: int) -> Purchases:
    """Return the purchases of customers who first buy at `births`."""
    generator = np.random.default_rng(seed)
    n = len(births)
    rate = generator.gamma(params["r"], 1.0 / params["alpha"], n)
    leaves_at = np.full(n, np.inf)
    leaves = np.zeros(n)
    if model == "Pareto/NBD":
        leaves_at = births + generator.exponential(1.0, n) / generator.gamma(params["s"], 1.0 / params["beta"], n)
    else:
        leaves = generator.beta(params["a"], params["b"], n)
    customers, times = [np.arange(n)], [births]
    now, active = births.copy(), np.arange(n)
    if model == "MBG/NBD":  # may leave at the first purchase too
        active = active[generator.random(n) >= leaves]
    while len(active):
        with np.errstate(divide="ignore"):
            now[active] += generator.exponential(1.0, len(active)) / rate[active]
        active = active[now[active] <= np.minimum(leaves_at[active], end)]
        customers.append(active)
        times.append(now[active])
        active = active[generator.random(len(active)) >= leaves[active]]
    customer, time = np.concatenate(customers), np.concatenate(times)
    order = np.lexsort((time, customer))
    return Purchases(customer[order], time[order])
