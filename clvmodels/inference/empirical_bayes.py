"""Segments whose quantities come from a common population: empirical Bayes.

The coordinates psi_g of segment g (logs of the quantities, log odds of shares) are normal around a centre mu, each with
a standard deviation of its own: how far segments differ. Nothing is assumed about the centre; the spreads have the
prior that the full hierarchy of ``method="nuts"`` has, so that they are known where segments are few. At given mu and
spreads, every segment has a mode and a curvature there; to second order, the likelihood of mu and the spreads is then
known in closed form, and so is its maximum. Modes and maximum are found in turn. What the second order misses, in which
segments with few customers are skewed, is then added from nodes around each segment.

Source: Tierney & Kadane (1986), Journal of the American Statistical Association 81(393), for Laplace's approximation;
Efron & Morris (1975), Journal of the American Statistical Association 70(350), for the shrinkage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np

from clvmodels.errors import FitError
from clvmodels.inference.priors import POOLING
from clvmodels.inference.segment_likelihood import SegmentLikelihood, SegmentTerms
from clvmodels.inference.segment_nodes import Nodes, nodes_around, over_nodes
from clvmodels.inference.segment_population import (
    LONGEST_STEP,
    Population,
    best_population,
    given_population,
    log_prior,
    penalised,
)
from clvmodels.models.specification import Array

__all__ = ["Hierarchy", "fit_hierarchy"]

MOST_ROUNDS: Final = 60
APPROACHES: Final = 2
"""Maximisations over the nodes, each of which goes a limited way; the second hardly moves."""
NEARBY: Final = 0.05
"""A curvature counts up to this far, in spreads, from where it was taken."""
STILL, STILL_SEGMENT = 1e-3, 1e-2
"""Rounds end where one moves the population by less than this (in spreads, and in their logs), and each segment."""
LEAST_CURVATURE: Final = 1e-8
SHORTENED: Final = 0.3 ** np.arange(12.0)
"""Lengths of a step that are tried one after the other."""
ROUNDING: Final = 1e-12
STEP: Final = 1e-4
"""Of the differences of the gradient in closed form."""


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """Segments and their population.

    Attributes
    ----------
    population
        The centre and the spreads at their maximum.
    covariance
        Of centre and log spreads, shape (2 * size, 2 * size); NaN where they are not known.
    psi
        The mean of each segment given the population, shape (segments, size).
    terms
        The log-likelihoods there.
    evidence
        Log-likelihood of the data given the centre, with segments and spreads integrated out.
    converged
        Whether the rounds ended by themselves.
    rounds
        How many there were.
    nodes
        Around each segment, for what the second order misses.
    """

    population: Population
    covariance: Array
    psi: Array
    terms: SegmentTerms
    evidence: float
    converged: bool
    rounds: int
    nodes: Nodes


def _climb(
    likelihood: SegmentLikelihood, population: Population, psi: Array, terms: SegmentTerms
) -> tuple[Array, SegmentTerms, Array]:
    """Take a Newton step of each segment towards its mode, shortened until it climbs.

    Returns
    -------
    psi, terms, step
        Where they are, value and gradient there with the curvature of before, and the steps of full length.
    """

    def height(value: Array, at: Array) -> Array:
        return np.asarray(value - 0.5 * np.sum(population.precision * (at - population.centre) ** 2, axis=1))

    step = given_population(population, psi, terms).step
    reach = LONGEST_STEP / np.maximum(np.abs(step).max(axis=1, keepdims=True), LONGEST_STEP)
    low = height(terms.value, psi)
    psi, value, gradient = psi.copy(), terms.value.copy(), terms.gradient.copy()
    left = np.ones(len(psi), bool)
    for length in SHORTENED:
        new = psi[left] + length * (reach * step)[left]
        new_value, new_gradient = likelihood.of(left).gradient(new)
        known = np.isfinite(new_value) & np.isfinite(new_gradient).all(axis=1)
        climbs = known & (height(np.where(known, new_value, -np.inf), new) >= low[left] - ROUNDING * np.abs(low[left]))
        climbers = np.flatnonzero(left)[climbs]
        psi[climbers], value[climbers], gradient[climbers] = new[climbs], new_value[climbs], new_gradient[climbs]
        left[climbers] = False
        if not left.any():
            break
    return psi, SegmentTerms(value, gradient, terms.curvature), step


def fit_hierarchy(likelihood: SegmentLikelihood, start: Array) -> Hierarchy:
    """Return the segments and their population, from the coordinates of a fit to all customers, shape (size,).

    Raises
    ------
    FitError
        If the likelihood is not known there.
    """
    population, psi, terms, rounds = _by_laplace(likelihood, start)
    nodes = nodes_around(likelihood, population, psi, terms)
    for _ in range(APPROACHES):
        population = best_population(population, partial(over_nodes, nodes=nodes))
    segments = over_nodes(population, nodes)
    psi, terms = _as_normal(likelihood, population, psi + segments.step, segments.variance)
    hessian = _hessian(partial(penalised, partial(over_nodes, nodes=nodes)), population.vector)
    evidence = segments.value + log_prior(population)[0] + _log_volume(hessian)
    return Hierarchy(population, _inverse(hessian), psi, terms, evidence, rounds < MOST_ROUNDS, rounds, nodes)


def _by_laplace(likelihood: SegmentLikelihood, start: Array) -> tuple[Population, Array, SegmentTerms, int]:
    """Return the population, the modes of the segments and the likelihoods there, and the number of rounds."""
    psi = np.repeat(start[None], likelihood.segments, axis=0)
    population = Population(start, np.full(len(start), POOLING[0]))
    value, gradient = likelihood.gradient(psi)
    if not (np.isfinite(value).all() and np.isfinite(gradient).all()):
        raise FitError(f"{likelihood.model.name}: the likelihood of a segment is not a number where all customers' is")
    terms = SegmentTerms(value, gradient, likelihood.curvature(psi, gradient))
    expanded, rounds = psi, 0
    while rounds < MOST_ROUNDS:
        rounds += 1
        best = best_population(population, partial(given_population, psi=psi, terms=terms))
        psi, terms, steps = _climb(likelihood, best, psi, terms)
        spread = np.exp(best.log_spread)
        shift = max(
            np.abs((best.centre - population.centre) / spread).max(),
            np.abs(best.log_spread - population.log_spread).max(),
        )
        population = best
        if shift < STILL and np.abs(steps / spread).max() < STILL_SEGMENT:
            break
        far = np.abs((psi - expanded) / spread).max(axis=1) > NEARBY
        if far.any():
            curvature = terms.curvature.copy()
            curvature[far] = likelihood.of(far).curvature(psi[far], terms.gradient[far])
            terms, expanded = replace(terms, curvature=curvature), np.where(far[:, None], psi, expanded)
    return population, psi, replace(terms, curvature=likelihood.curvature(psi)), rounds


def _as_normal(
    likelihood: SegmentLikelihood, population: Population, mean: Array, variance: Array
) -> tuple[Array, SegmentTerms]:
    """Return normal likelihoods under which segments have these means and variances given the population.

    Returns
    -------
    psi, terms
        The means, and the likelihoods there; where one would widen its segment, it is flat.
    """
    precision = np.diag(population.precision)
    values, vectors = np.linalg.eigh(np.linalg.pinv(variance, hermitian=True) - precision)
    curvature = np.einsum("gik,gk,gjk->gij", vectors, np.maximum(values, 0.0), vectors)
    gradient = population.precision * (mean - population.centre)
    return mean, SegmentTerms(likelihood.gradient(mean)[0], gradient, curvature)


def _hessian(function: Callable[[Array], tuple[float, Array]], vector: Array) -> Array:
    """Return minus the second derivatives of a function, by differences of its gradient."""
    shifts = STEP * np.eye(len(vector))
    matrix = np.array([function(vector - by)[1] - function(vector + by)[1] for by in shifts])
    return np.asarray((matrix + matrix.T) / (4.0 * STEP))


def _inverse(hessian: Array) -> Array:
    values, vectors = np.linalg.eigh(hessian)
    if values[0] <= 1e-10 * values[-1]:
        return np.full_like(hessian, np.nan)
    return np.asarray((vectors / values) @ vectors.T)


def _log_volume(hessian: Array) -> float:
    """Return the log of what integrating the log spreads out multiplies a density at its maximum by (Laplace).

    The centre follows the spreads: of the curvature by spreads counts what is left once it has.
    """
    size = len(hessian) // 2
    by_centre, mixed, by_spread = hessian[:size, :size], hessian[:size, size:], hessian[size:, size:]
    values = np.linalg.eigvalsh(by_spread - mixed.T @ np.linalg.pinv(by_centre) @ mixed)
    return float(0.5 * size * np.log(2.0 * np.pi) - 0.5 * np.log(np.maximum(values, LEAST_CURVATURE)).sum())
