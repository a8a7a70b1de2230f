"""Draws of segments and of the population that they come from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from clvmodels.inference.empirical_bayes import Hierarchy
from clvmodels.inference.segment_nodes import log_value_over_nodes
from clvmodels.inference.segment_population import Population, given_population, log_prior
from clvmodels.models.specification import Array

__all__ = ["draw_segments"]


def draw_segments(hierarchy: Hierarchy, draws: int, seed: int | None) -> tuple[Array, Array, float]:
    """Draw spreads, re-weighted to their likelihood over the nodes, then the centre and the segments as normal.

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
        given = given_population(Population(centres[number], drawn), hierarchy.psi, hierarchy.terms)
        noise = np.einsum("gij,gj->gi", np.linalg.cholesky(given.variance), generator.standard_normal((segments, size)))
        psi[:, number] = hierarchy.psi + given.step + noise
    return centres, psi, spreads.pareto_k


@dataclass(frozen=True, eq=False)
class _Centre:
    """The centre given the log spreads: normal, as it is with normal segments.

    Attributes
    ----------
    mean, variance
        Shape (size,) and (size, size).
    log_density
        Of the log spreads, with centre and segments integrated out, up to a constant; what segments are not normal
        is added at the mean of the centre.
    """

    mean: Array
    variance: Array
    log_density: float


def _centre_given(hierarchy: Hierarchy, log_spread: Array) -> _Centre:
    """Integrate the centre out: its log density is quadratic, as those of the segments are."""
    population = Population(hierarchy.population.centre, log_spread)
    given = given_population(population, hierarchy.psi, hierarchy.terms)
    precision, slope = population.precision, given.gradient[: len(log_spread)]
    shrunk = np.outer(precision, precision) * given.variance.sum(axis=0)
    variance = np.asarray(np.linalg.inv(len(hierarchy.psi) * np.diag(precision) - shrunk))
    step = variance @ slope
    log_density = given.value + log_prior(population)[0] + 0.5 * (slope @ step + np.linalg.slogdet(variance)[1])
    best = replace(population, centre=population.centre + step)
    log_density += log_value_over_nodes(best, hierarchy.nodes)
    log_density -= given_population(best, hierarchy.psi, hierarchy.terms).value
    return _Centre(best.centre, variance, float(log_density))
