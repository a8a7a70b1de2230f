"""The population that segments come from, and the segments given it, to second order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from clvmodels.inference.priors import POOLING
from clvmodels.inference.segment_likelihood import SegmentTerms
from clvmodels.models.specification import Array

__all__ = ["LONGEST_STEP", "Population", "Segments", "best_population", "given_population", "log_prior", "penalised"]

LONGEST_STEP, LONGEST_IN_LOG_SPREAD = 1.0, 0.3
"""Of a coordinate, and of the log of a spread, in one round: the second order holds nearby."""
NARROWEST, WIDEST = -7.0, 2.0
"""Logs of the least and the largest spread."""


@dataclass(frozen=True, eq=False)
class Population:
    """What segments have in common: the centre and the log of the spread of each coordinate, shape (size,) each."""

    centre: Array
    log_spread: Array

    @property
    def precision(self) -> Array:
        """One over the variance of each coordinate, shape (size,)."""
        return np.asarray(np.exp(-2.0 * self.log_spread))

    @property
    def vector(self) -> Array:
        """Both, shape (2 * size,)."""
        return np.concatenate([self.centre, self.log_spread])

    @classmethod
    def of(cls, vector: Array) -> Population:
        """Return the population of a vector."""
        centre, log_spread = np.split(vector, 2)
        return cls(centre, log_spread)


@dataclass(frozen=True, eq=False)
class Segments:
    """The segments given a population, integrated out.

    Attributes
    ----------
    value, gradient
        Log-likelihood of the population, and its gradient by centre and log spreads, shape (2 * size,).
    step
        From psi to the mean of each segment, shape (segments, size).
    variance
        Of each segment, shape (segments, size, size).
    """

    value: float
    gradient: Array
    step: Array
    variance: Array


def given_population(population: Population, psi: Array, terms: SegmentTerms) -> Segments:
    """Integrate segments out, to second order around psi."""
    precision, away = population.precision, psi - population.centre
    slope = terms.gradient - precision * away
    matrix = terms.curvature + np.diag(precision)
    variance = np.asarray(np.linalg.inv(matrix), np.float64)
    step = np.einsum("gij,gj->gi", variance, slope)
    logs = len(psi) * np.log(precision).sum() - np.linalg.slogdet(matrix)[1].sum()
    value = terms.value.sum() + 0.5 * (np.sum(slope * step) - np.sum(precision * away**2) + logs)
    mean = away + step
    by_spread = precision * (mean**2 + np.diagonal(variance, axis1=1, axis2=2)) - 1.0
    gradient = np.concatenate([precision * mean.sum(axis=0), by_spread.sum(axis=0)])
    return Segments(float(value), gradient, step, variance)


def log_prior(population: Population) -> tuple[float, Array]:
    """Return the log density of the log spreads, and its gradient by centre and log spreads."""
    mean, sd = POOLING
    z = (population.log_spread - mean) / sd
    value = -float(np.sum(0.5 * z**2 + np.log(sd * np.sqrt(2.0 * np.pi))))
    return value, np.concatenate([np.zeros_like(z), -z / sd])


def best_population(start: Population, likelihood: Callable[[Population], Segments]) -> Population:
    """Return the maximum of a likelihood of populations and the prior of the spreads, near a population."""
    from scipy.optimize import minimize

    def objective(vector: Array) -> tuple[float, Array]:
        value, gradient = penalised(likelihood, vector)
        return -value, -gradient

    size = len(start.centre)
    reach = np.repeat([LONGEST_STEP, LONGEST_IN_LOG_SPREAD], size)
    low, high = start.vector - reach, start.vector + reach
    low[size:], high[size:] = np.maximum(low[size:], NARROWEST), np.minimum(high[size:], WIDEST)
    how: Any = {"jac": True, "method": "L-BFGS-B", "bounds": np.column_stack([low, high])}
    options: Any = {"maxiter": 200, "ftol": 1e-13, "gtol": 1e-6}
    return Population.of(np.asarray(minimize(objective, start.vector, options=options, **how).x))


def penalised(likelihood: Callable[[Population], Segments], vector: Array) -> tuple[float, Array]:
    """Return a log-likelihood of the population and the log prior of its spreads together, and their gradient."""
    population = Population.of(vector)
    segments, (value, gradient) = likelihood(population), log_prior(population)
    return segments.value + value, segments.gradient + gradient
