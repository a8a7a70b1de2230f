"""Segments whose quantities come from a common population: empirical Bayes.

The coordinates psi_g of segment g (logs of the quantities, log odds of shares) are normal around a centre mu, each with
a standard deviation of its own: how far segments differ. Nothing is assumed about the centre; the spreads have the
prior that the full hierarchy of ``method="nuts"`` has, so that they are known where segments are few. At given mu and
spreads, every segment has a mode and a curvature there; to second order, the likelihood of mu and the spreads is then
known in closed form, and so is its maximum. Modes and maximum are found in turn. What the second order misses, in which
segments with few customers are skewed, is then added from nodes around each segment.

Source: Tierney & Kadane (1986), Journal of the American Statistical Association 81(393), for Laplace's approximation;
Durbin & Koopman (1997), Biometrika 84(3), for the nodes; Efron & Morris (1975), Journal of the American Statistical
Association 70(350), for the shrinkage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np

from clvmodels.errors import FitError
from clvmodels.inference.priors import POOLING
from clvmodels.inference.segment_likelihood import SegmentLikelihood, SegmentTerms
from clvmodels.models.specification import Array

__all__ = ["Hierarchy", "draw_segments", "fit_hierarchy"]

MOST_ROUNDS: Final = 60
NODES, WIDER, DEGREES_OF_FREEDOM = 64, 1.3, 8.0
"""How many nodes are drawn around each segment, how much farther out than it spreads, and from which t distribution."""
APPROACHES: Final = 2
"""Maximisations over the nodes, each of which goes a limited way; the second hardly moves."""
SEED: Final = 1
"""Of the nodes, so that a fit is the same every time."""
LONGEST_STEP, LONGEST_IN_LOG_SPREAD = 1.0, 0.3
"""Of a coordinate, and of the log of a spread, in one round: the second order holds nearby."""
NEARBY: Final = 0.05
"""A curvature counts up to this far, in spreads, from where it was taken."""
STILL, STILL_SEGMENT = 1e-3, 1e-2
"""Rounds end where one moves the population by less than this (in spreads, and in their logs), and each segment."""
LEAST_CURVATURE: Final = 1e-8
NARROWEST, WIDEST = -7.0, 2.0
"""Logs of the least and the largest spread."""
SHORTENED: Final = 0.3 ** np.arange(12.0)
"""Lengths of a step that are tried one after the other."""
ROUNDING: Final = 1e-12
STEP: Final = 1e-4
"""Of the differences of the gradient in closed form."""


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
    """

    population: Population
    covariance: Array
    psi: Array
    terms: SegmentTerms
    evidence: float
    converged: bool
    rounds: int


@dataclass(frozen=True, eq=False)
class _Segments:
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


def _given(population: Population, psi: Array, terms: SegmentTerms) -> _Segments:
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
    return _Segments(float(value), gradient, step, variance)


def _log_prior(population: Population) -> tuple[float, Array]:
    """Return the log density of the log spreads, and its gradient by centre and log spreads."""
    mean, sd = POOLING
    z = (population.log_spread - mean) / sd
    value = -float(np.sum(0.5 * z**2 + np.log(sd * np.sqrt(2.0 * np.pi))))
    return value, np.concatenate([np.zeros_like(z), -z / sd])


def _best_population(start: Population, likelihood: Callable[[Population], _Segments]) -> Population:
    """Return the maximum of a likelihood of populations and the prior of the spreads, near a population."""
    from scipy.optimize import minimize

    def objective(vector: Array) -> tuple[float, Array]:
        value, gradient = _penalised(likelihood, vector)
        return -value, -gradient

    size = len(start.centre)
    reach = np.repeat([LONGEST_STEP, LONGEST_IN_LOG_SPREAD], size)
    low, high = start.vector - reach, start.vector + reach
    low[size:], high[size:] = np.maximum(low[size:], NARROWEST), np.minimum(high[size:], WIDEST)
    how: Any = {"jac": True, "method": "L-BFGS-B", "bounds": np.column_stack([low, high])}
    options: Any = {"maxiter": 200, "ftol": 1e-13, "gtol": 1e-6}
    return Population.of(np.asarray(minimize(objective, start.vector, options=options, **how).x))


def _penalised(likelihood: Callable[[Population], _Segments], vector: Array) -> tuple[float, Array]:
    population = Population.of(vector)
    segments, (value, gradient) = likelihood(population), _log_prior(population)
    return segments.value + value, segments.gradient + gradient


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

    step = _given(population, psi, terms).step
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
    variance = _given(population, psi, terms).variance
    nodes = _nodes(likelihood, variance, psi, terms, np.random.default_rng(SEED))
    for _ in range(APPROACHES):
        population = _best_population(population, partial(_over_nodes, nodes=nodes))
    segments = _over_nodes(population, nodes)
    psi, terms = _as_normal(likelihood, population, psi + segments.step, segments.variance)
    hessian = _hessian(partial(_penalised, partial(_given, psi=psi, terms=terms)), population.vector)
    evidence = segments.value + _log_prior(population)[0] + _log_volume(hessian)
    return Hierarchy(population, _inverse(hessian), psi, terms, evidence, rounds < MOST_ROUNDS, rounds)


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
        best = _best_population(population, partial(_given, psi=psi, terms=terms))
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


@dataclass(frozen=True, eq=False)
class _Nodes:
    """Nodes for integrals over each segment, around its mean: importance sampling.

    Attributes
    ----------
    psi, terms
        Where segments are, and normal likelihoods near.
    points
        Shape (segments, points, size).
    log_weight, log_weight_normal
        Logs of the likelihood at them over the density they are drawn from, and of the normal likelihood over it, shape
        (segments, points).
    """

    psi: Array
    terms: SegmentTerms
    points: Array
    log_weight: Array
    log_weight_normal: Array


def _nodes(
    likelihood: SegmentLikelihood, variance: Array, psi: Array, terms: SegmentTerms, generator: np.random.Generator
) -> _Nodes:
    """Draw nodes around psi, in pairs, from Student's t with more than these variances."""
    segments, size = psi.shape
    z = generator.standard_normal((segments, NODES // 2, size))
    z /= np.sqrt(generator.chisquare(DEGREES_OF_FREEDOM, (segments, NODES // 2, 1)) / DEGREES_OF_FREEDOM)
    z = np.concatenate([z, -z], axis=1)
    factor = WIDER * np.linalg.cholesky(variance)
    away = np.einsum("gij,gmj->gmi", factor, z)
    points = psi[:, None] + away
    value = np.stack([likelihood.gradient(np.ascontiguousarray(points[:, m]))[0] for m in range(NODES)], axis=-1)
    value = np.where(np.isfinite(value), value, -np.inf)
    normal = terms.value[:, None] + np.einsum("gmi,gi->gm", away, terms.gradient)
    normal -= 0.5 * np.einsum("gmi,gij,gmj->gm", away, terms.curvature, away)
    log_density = -0.5 * (DEGREES_OF_FREEDOM + size) * np.log1p(np.sum(z**2, axis=2) / DEGREES_OF_FREEDOM)
    log_density -= np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)[:, None]
    return _Nodes(psi, terms, points, value - log_density, normal - log_density)


def _over_nodes(population: Population, nodes: _Nodes) -> _Segments:
    """Integrate segments out: in closed form under the normal likelihoods, by nodes what the likelihoods differ.

    Chance, and a population other than the one the nodes were drawn for, move both sums over nodes alike.
    """
    normal = _given(population, nodes.psi, nodes.terms)
    away = nodes.points - population.centre
    sums = [_sums(population, away, weight) for weight in (nodes.log_weight, nodes.log_weight_normal)]
    value, mean, variance = (of_true - of_normal for of_true, of_normal in zip(*sums, strict=True))
    mean = mean + nodes.psi - population.centre + normal.step
    variance = variance + normal.variance
    by_spread = population.precision * (mean**2 + np.diagonal(variance, axis1=1, axis2=2)) - 1.0
    gradient = np.concatenate([population.precision * mean.sum(axis=0), by_spread.sum(axis=0)])
    step = mean + population.centre - nodes.psi
    return _Segments(normal.value + float(value.sum()), gradient, step, variance)


def _sums(population: Population, away: Array, log_weight: Array) -> tuple[Array, Array, Array]:
    """Return by segment the log of the integral up to a constant, the mean from the centre, and the variance."""
    log_terms = log_weight - 0.5 * np.einsum("gmk,k->gm", away**2, population.precision) - population.log_spread.sum()
    largest = log_terms.max(axis=1, keepdims=True)
    share = np.exp(log_terms - largest)
    total = share.sum(axis=1, keepdims=True)
    share /= total
    mean = np.einsum("gm,gmk->gk", share, away)
    rest = away - mean[:, None]
    return (largest + np.log(total))[:, 0], mean, np.einsum("gm,gmi,gmj->gij", share, rest, rest)


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


def draw_segments(hierarchy: Hierarchy, draws: int, seed: int | None) -> tuple[Array, Array, float]:
    """Draw spreads, re-weighted to their likelihood with normal segments, the centre given them, then the segments.

    Returns
    -------
    centres, psi
        Shape (draws, size) and (segments, draws, size).
    pareto_k
        Of the weights of the spreads.
    """
    from clvmodels.inference.sampling import Mode, laplace

    size, segments = len(hierarchy.population.centre), len(hierarchy.psi)
    spread = hierarchy.population.log_spread
    factor = np.linalg.cholesky(hierarchy.covariance[size:, size:])
    around = Mode(spread, np.asarray(factor), _centre_given(hierarchy, spread).log_density, clean=True)
    spreads = laplace(lambda drawn: _centre_given(hierarchy, drawn).log_density, around, draws=draws, seed=seed)
    generator = np.random.default_rng(seed)
    centres, psi = np.empty((draws, size)), np.empty((segments, draws, size))
    for number, drawn in enumerate(spreads.u[0]):
        centre = _centre_given(hierarchy, drawn)
        centres[number] = centre.mean + np.linalg.cholesky(centre.variance) @ generator.standard_normal(size)
        given = _given(Population(centres[number], drawn), hierarchy.psi, hierarchy.terms)
        noise = np.einsum("gij,gj->gi", np.linalg.cholesky(given.variance), generator.standard_normal((segments, size)))
        psi[:, number] = hierarchy.psi + given.step + noise
    return centres, psi, spreads.pareto_k


@dataclass(frozen=True, eq=False)
class _Centre:
    """The centre given the log spreads, with normal segments: normal itself.

    Attributes
    ----------
    mean, variance
        Shape (size,) and (size, size).
    log_density
        Of the log spreads, with centre and segments integrated out, up to a constant.
    """

    mean: Array
    variance: Array
    log_density: float


def _centre_given(hierarchy: Hierarchy, log_spread: Array) -> _Centre:
    """Integrate the centre out: its log density is quadratic, as those of the segments are."""
    population = Population(hierarchy.population.centre, log_spread)
    given = _given(population, hierarchy.psi, hierarchy.terms)
    precision, slope = population.precision, given.gradient[: len(log_spread)]
    shrunk = np.outer(precision, precision) * given.variance.sum(axis=0)
    variance = np.asarray(np.linalg.inv(len(hierarchy.psi) * np.diag(precision) - shrunk))
    step = variance @ slope
    log_density = given.value + _log_prior(population)[0] + 0.5 * (slope @ step + np.linalg.slogdet(variance)[1])
    return _Centre(population.centre + step, variance, float(log_density))
