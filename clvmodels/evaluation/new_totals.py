"""What customers still to come do together: draws of their orders and revenue by period.

Under each draw of the parameters as many customers come as a draw of the acquisitions says, each at a random moment of
their period; their first order is one of those in the log, and what follows is simulated from the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.errors import FitError
from clvmodels.evaluation.totals import DRAWS, DRAWS_AT_A_TIME, Story, Totals, shares_of_draws
from clvmodels.models.new_customers import purchases_new
from clvmodels.models.simulation import new_customers
from clvmodels.numerics.threads import map_blocks

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from clvmodels.inference.spend_fit import SpendFit
    from clvmodels.inference.transaction_fit import TransactionFit
    from clvmodels.models.specification import Array, TransactionModel

__all__ = ["Cohorts", "first_values", "new_totals"]

MOST_CUSTOMERS: Final = 1_000
"""Of more that come under one draw, as many are simulated."""
AGES: Final = 65
"""At which expected purchases of new customers are computed; between them they are interpolated."""
MOMENTS: Final = 16
"""Of a period, at which its customers come."""


@dataclass(frozen=True, eq=False)
class Cohorts:
    """Customers still to come.

    Attributes
    ----------
    numbers
        Draws of how many come in each period, shape (draws, cohorts).
    edges
        When the periods begin, and when the last one ends, from the end of observation on, in the unit of the fits;
        shape (cohorts + 1,).
    starts
        The day in the middle of each, on which a calendar begins for it.
    """

    numbers: Array
    edges: Array
    starts: pd.DatetimeIndex


def first_values(values: Array) -> Array:
    """Return the known values of first orders, shape (known,)."""
    return np.asarray(values[np.isfinite(values)], dtype=float)


def new_totals(
    fits: Sequence[tuple[TransactionFit, float]],
    spend: SpendFit,
    cohorts: Cohorts,
    first: Array,
    ends: Array,
    *,
    seed: int | None = None,
    draws: int = DRAWS,
) -> Totals:
    """Return draws of the orders and the revenue of customers still to come, first orders included.

    Parameters
    ----------
    fits
        Fits of transactions with their weights; none by segment or with covariates.
    spend
        The fit of spend.
    cohorts
        The customers.
    first
        Known values of first orders, as `first_values` returns them; empty: they are like repeat orders.
    ends
        When each period of the totals ends, as of `drawn_totals`; the last one is the last edge of the cohorts.
    seed
        Of the simulation. With the seed of `drawn_totals` the parameters of draw i are the same as there, so that
        existing and new customers may be added draw by draw.
    draws
        How many.

    Raises
    ------
    FitError
        If a fit is by segment or with covariates, or one of contracts, whose payments are not spread over time.

    Notes
    -----
    Where more customers come than are simulated, with N those who come, m those simulated, M what is expected of the m
    and S what they do, the total is what is expected of all plus sqrt(N / m) (S - M).
    """
    for fit in [*(fit for fit, _ in fits), spend]:
        if fit.by is not None or fit.covariates is not None:
            raise FitError("customers still to come are of one population each; give the fit of one segment")
    if any(fit.model.time != "continuous" for fit, _ in fits):
        raise FitError("customers still to come are forecast for models of purchases at any time, not for contracts")
    sequences = np.random.SeedSequence(seed).spawn(len(fits))
    numbers = shares_of_draws(np.array([weight for _, weight in fits]), draws)
    used, parts = 0, []
    for (fit, _), number, sequence in zip(fits, numbers, sequences, strict=True):
        if number:
            story = Story.drawn(fit, spend, number, np.random.default_rng(sequence))
            coming = cohorts.numbers[(used + np.arange(number)) % len(cohorts.numbers)]
            parts.append(_Newcomers(story, coming, cohorts, first, ends).totals(number, sequence))
        used += number
    orders, revenue, expected_orders, expected_revenue = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Totals(
        orders,
        revenue,
        expected_orders.mean(axis=0),
        expected_revenue.mean(axis=0),
        "process and parameters" if len(fits) == 1 else "process, parameters and models",
    )


@dataclass(frozen=True, eq=False)
class _Newcomers:
    """Customers still to come, under one model."""

    story: Story
    coming: Array
    cohorts: Cohorts
    first: Array
    ends: Array

    @property
    def _ages(self) -> Array:
        """The ages at which expected purchases are computed, denser near zero."""
        return float(self.ends[-1]) * np.linspace(0.0, 1.0, AGES) ** 2

    def _models(self) -> list[TransactionModel]:
        """Return the model of each cohort: with a calendar, it begins on a day."""
        fit = self.story.fit
        if fit.calendar is None:
            return [fit.model] * len(self.cohorts.starts)
        return [fit.starting(start).model for start in self.cohorts.starts]

    def totals(self, draws: int, seed: np.random.SeedSequence) -> tuple[Array, Array, Array, Array]:
        """Return orders, revenue, and what is expected of both; shape (draws, periods) each."""
        models, result = self._models(), np.zeros((4, draws, len(self.ends)))
        theta, ages = self.story.fit.draws, self._ages
        same = self.story.fit.calendar is None
        curves = [purchases_new(model, theta[:, None, :], ages) for model in (models[:1] if same else models)]

        def simulate(rows: slice) -> None:
            for d in range(rows.start, rows.stop):
                sequence = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, 1, d))
                of_draw = [curves[0 if same else k][d % len(theta)] for k in range(len(models))]
                result[:, d] = self._one(models, of_draw, d, np.random.default_rng(sequence))

        map_blocks(simulate, draws, DRAWS_AT_A_TIME)
        return result[0], result[1], result[2], result[3]

    def _one(
        self, models: list[TransactionModel], curves: list[Array], d: int, generator: np.random.Generator
    ) -> Array:
        """Return orders, revenue and their expectations under one draw, shape (4, periods)."""
        spend = self.story.spend
        assert spend is not None
        theta = spend.draws[d % len(spend.draws)]
        order = float(np.ravel(spend.model.expected_spend(theta, np.zeros(1), np.zeros(1)))[0])
        number = np.round(self.coming[d]).astype(np.int64)
        edges = self.cohorts.edges
        grid = edges[:-1, None] + np.diff(edges)[:, None] * (np.arange(MOMENTS) + 0.5) / MOMENTS
        firsts, repeats = self._expected(grid, curves, number / MOMENTS)
        expected = np.stack([firsts + repeats, firsts * self._first_mean(order, generator) + repeats * order])
        come = int(number.sum())
        picked = number if come <= MOST_CUSTOMERS else generator.multinomial(MOST_CUSTOMERS, number / come)
        noise = np.zeros((2, len(self.ends)))
        for rows, model, curve in self._together(models, curves):
            cohort = np.repeat(rows, picked[rows])
            arrival = generator.uniform(edges[cohort], edges[cohort + 1])
            did = self._simulated(model, d, theta, arrival, generator)
            firsts, repeats = self._expected(arrival[None], [curve], np.ones(1))
            noise += did - np.stack([firsts + repeats, firsts * self._mean_first(order) + repeats * order])
        scale = np.sqrt(come / max(picked.sum(), 1))
        return np.concatenate([expected + scale * noise, expected])

    def _together(
        self, models: list[TransactionModel], curves: list[Array]
    ) -> list[tuple[NDArray[np.int64], TransactionModel, Array]]:
        """Return the cohorts of one model each: all, or with a calendar one by one."""
        every = np.arange(len(models))
        if self.story.fit.calendar is None:
            return [(every, models[0], curves[0])]
        return [(every[k : k + 1], models[k], curves[k]) for k in every]

    def _mean_first(self, order: float) -> float:
        return float(self.first.mean()) if len(self.first) else order

    def _first_mean(self, order: float, generator: np.random.Generator) -> float:
        """Return the mean value of a first order, as far as the log tells it."""
        known = len(self.first)
        if known < 2:
            return self._mean_first(order)
        return float(self.first.mean() + self.first.std(ddof=1) / np.sqrt(known) * generator.standard_normal())

    def _expected(self, arrival: Array, curves: list[Array], weight: Array) -> Array:
        """Return expected first and repeat orders by period of customers who come at some moments, shape (2, periods).

        Parameters
        ----------
        arrival
            When they come, shape (cohorts, moments).
        curves
            Expected purchases by age, of each cohort.
        weight
            How many come at each moment, shape (cohorts,).
        """
        until = np.maximum(self.ends[:, None, None] - arrival, 0.0)
        repeats = sum(
            weight[k] * np.interp(until[:, k], self._ages, curves[k]).sum(axis=1) for k in range(len(arrival))
        )
        period = np.minimum(np.searchsorted(self.ends, arrival), len(self.ends) - 1)
        of_each = np.repeat(weight, arrival.shape[1])
        return np.stack([np.bincount(period.ravel(), of_each, len(self.ends)), np.diff(repeats, prepend=0.0)])

    def _simulated(
        self, model: TransactionModel, d: int, theta_spend: Array, arrival: Array, generator: np.random.Generator
    ) -> Array:
        """Return the orders and the revenue of some customers by period, shape (2, periods)."""
        spend = self.story.spend
        assert spend is not None
        theta = self.story.fit.draws[d % len(self.story.fit.draws)]
        bought, _ = new_customers(model, theta, self.ends[-1] - arrival, generator)
        nobody, unknown = np.zeros(len(arrival)), np.full(len(arrival), np.nan)
        everybody = np.arange(len(arrival))
        if len(self.first):
            begins = generator.choice(self.first, len(arrival))
        else:
            begins = spend.model.draw_orders(theta_spend, nobody, unknown, everybody, generator)
        values = spend.model.draw_orders(theta_spend, nobody, unknown, bought.customer, generator)
        time = np.concatenate([arrival, arrival[bought.customer] + bought.time])
        period = np.minimum(np.searchsorted(self.ends, time), len(self.ends) - 1)
        return np.stack(
            [
                np.bincount(period, minlength=len(self.ends)).astype(float),
                np.bincount(period, np.concatenate([begins, values]), len(self.ends)),
            ]
        )
