"""Purchase logs made up from a story, and what their customers really bring afterwards; nothing here is ours.

A customer joins at some moment of the log, buys at a rate of their own, and leaves: at an exponential moment
(Pareto/NBD), after a purchase with a chance of their own (BG/NBD; MBG/NBD, also after the first one), or by a story
that no model knows. Order values are gamma-distributed around each customer's own mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

Leaves = Callable[[np.random.Generator, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""``(generator, purchase rates)``: years until each leaves, and how many repeat purchases they make at most."""

DAY = 1.0 / 365.25
START = pd.Timestamp("2020-01-01")
FAR = 80.0
"""Years: discounted at 12 % a year, what comes later is worth a ten-thousandth."""
DISCOUNT = 0.12


@dataclass(frozen=True)
class Story:
    """A base: how many customers join over how many years, how they buy, and how they leave.

    Attributes
    ----------
    customers, years
        How many join, at an even pace, over the years of the log.
    rate, rate_cv
        Mean orders a year, and how much customers differ.
    leaves
        How they leave.
    fades
        The share of the rate that is left after a year.
    """

    customers: int
    years: float
    rate: float
    rate_cv: float
    leaves: Leaves
    fades: float = 1.0


@dataclass(frozen=True)
class Base:
    """A log up to its end, and the discounted sales of its customers afterwards, by years from then on."""

    log: pd.DataFrame
    end: pd.Timestamp
    years_ahead: np.ndarray
    sales: np.ndarray

    def brought(self, years: float = np.inf) -> float:
        """Discounted sales within so many years after the log."""
        return float(self.sales[self.years_ahead <= years].sum())


def at_random(mean_life: float, cv: float) -> Leaves:
    """Leave at an exponential moment; the hazards are gamma-distributed. No mean: nobody leaves."""

    def leaves(generator: np.random.Generator, rate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        many = np.full(len(rate), np.inf)
        if not np.isfinite(mean_life):
            return many, many
        hazard = generator.gamma(cv**-2, cv**2 / mean_life, len(rate))
        return generator.exponential(1.0 / np.maximum(hazard, 1e-300)), many

    return leaves


def after_purchases(chance: float, concentration: float, *, first: bool) -> Leaves:
    """Leave after a repeat purchase, or also after the first, with a beta-distributed chance."""

    def leaves(generator: np.random.Generator, rate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        many = np.full(len(rate), np.inf)
        if chance == 0.0:
            return many, many
        own = generator.beta(chance * concentration, (1.0 - chance) * concentration, len(rate))
        last = np.ceil(np.log(generator.random(len(rate))) / np.log1p(-np.clip(own, 1e-12, 1.0 - 1e-12)))
        return many, last - 1.0 if first else last

    return leaves


def simulated(story: Story, seed: int) -> Base:
    """Return a log and what its customers bring after it."""
    generator = np.random.default_rng(seed)
    joined = story.years * generator.random(story.customers)
    rate = story.rate * generator.gamma(story.rate_cv**-2, story.rate_cv**2, story.customers)
    life, most = story.leaves(generator, rate)
    force = -np.log(story.fades)
    whole = FAR if force == 0.0 else -np.expm1(-force * FAR) / force
    count = generator.poisson(rate * whole)
    owner = np.repeat(np.arange(story.customers), count)
    clock = whole * generator.random(len(owner))
    age = clock if force == 0.0 else -np.log1p(-force * clock) / force
    order = np.lexsort([age, owner])
    owner, age = owner[order], age[order]
    number = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count) + 1
    kept = (age <= life[owner]) & (number <= most[owner])
    owner = np.concatenate([np.arange(story.customers), owner[kept]])
    time = joined[owner] + np.concatenate([np.zeros(story.customers), age[kept]])
    mean_value = 6.25 * 15.44 / generator.gamma(3.74, 1.0, story.customers)
    value = mean_value[owner] * generator.gamma(6.25, 1.0 / 6.25, len(owner))
    seen, ahead = time < story.years, time[time >= story.years] - story.years
    moment = START + pd.to_timedelta(np.floor(time[seen] / DAY), unit="D")
    log = pd.DataFrame({"customer_id": owner[seen], "date": moment, "amount": value[seen]})
    end = START + pd.Timedelta(days=round(story.years / DAY))
    sales = value[time >= story.years] * np.exp(-np.log1p(DISCOUNT) * ahead)
    return Base(log.sort_values("date", kind="stable"), end, ahead, sales)
