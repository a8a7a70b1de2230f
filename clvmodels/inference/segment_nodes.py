"""Segments given their population by nodes around each: what the second order misses in segments with few customers.

Source: Durbin & Koopman (1997), Biometrika 84(3), for importance sampling with the normal approximation as control.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from clvmodels.inference.segment_likelihood import SegmentLikelihood, SegmentTerms
from clvmodels.inference.segment_population import Population, Segments, given_population
from clvmodels.models.specification import Array

__all__ = ["Nodes", "log_value_over_nodes", "nodes_around", "over_nodes"]

FEWEST, MOST, NODES = 64, 256, 2**15
"""Nodes around a segment, at least and at most, and about how many in all."""
WIDER: Final = 0.8
"""By how much the log spreads of the nodes are larger: those of the population may be twice what is most likely."""
DEGREES_OF_FREEDOM: Final = 8.0
SEED: Final = 1
"""Of the shifts, so that a fit is the same every time."""
ROUNDING: Final = 1e-9


@dataclass(frozen=True, eq=False)
class Nodes:
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


def nodes_around(likelihood: SegmentLikelihood, population: Population, psi: Array, terms: SegmentTerms) -> Nodes:
    """Place nodes around psi, as segments spread in a population of larger spreads, with the tails of Student's t.

    Points of a Sobol sequence, shifted in each segment by an amount of its own, so that errors do not add up.
    """
    from scipy import special
    from scipy.stats import qmc

    segments, size = psi.shape
    number = 2 ** int(np.log2(np.clip(NODES // segments, FEWEST, MOST)))
    generator = np.random.default_rng(SEED)
    points = qmc.Sobol(size + 1, rng=generator).random(number)
    shares = np.clip((points + generator.random((segments, 1, size + 1))) % 1.0, ROUNDING, 1.0 - ROUNDING)
    z = special.ndtri(shares[..., :size])
    z /= np.sqrt(special.chdtri(DEGREES_OF_FREEDOM, shares[..., size:]) / DEGREES_OF_FREEDOM)
    wide = replace(population, log_spread=population.log_spread + WIDER)
    factor = np.linalg.cholesky(given_population(wide, psi, terms).variance)
    away = np.einsum("gij,gmj->gmi", factor, z)
    points = psi[:, None] + away
    value = np.stack([likelihood.gradient(np.ascontiguousarray(points[:, m]))[0] for m in range(number)], axis=-1)
    value = np.where(np.isfinite(value), value, -np.inf)
    normal = terms.value[:, None] + np.einsum("gmi,gi->gm", away, terms.gradient)
    normal -= 0.5 * np.einsum("gmi,gij,gmj->gm", away, terms.curvature, away)
    log_density = -0.5 * (DEGREES_OF_FREEDOM + size) * np.log1p(np.sum(z**2, axis=2) / DEGREES_OF_FREEDOM)
    log_density -= np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)[:, None]
    return Nodes(psi, terms, points, value - log_density, normal - log_density)


def over_nodes(population: Population, nodes: Nodes) -> Segments:
    """Integrate segments out: in closed form under the normal likelihoods, by nodes what the likelihoods differ.

    Chance, and a population other than the one the nodes were drawn for, move both sums over nodes alike.
    """
    normal = given_population(population, nodes.psi, nodes.terms)
    away = nodes.points - population.centre
    sums = [_sums(population, away, weight) for weight in (nodes.log_weight, nodes.log_weight_normal)]
    value, mean, variance = (of_true - of_normal for of_true, of_normal in zip(*sums, strict=True))
    mean = mean + nodes.psi - population.centre + normal.step
    variance = variance + normal.variance
    by_spread = population.precision * (mean**2 + np.diagonal(variance, axis1=1, axis2=2)) - 1.0
    gradient = np.concatenate([population.precision * mean.sum(axis=0), by_spread.sum(axis=0)])
    step = mean + population.centre - nodes.psi
    return Segments(normal.value + float(value.sum()), gradient, step, variance)


def log_value_over_nodes(population: Population, nodes: Nodes) -> float:
    """Return the value of `over_nodes` alone, as it is needed for thousands of populations."""
    from scipy.special import logsumexp

    by_distance = nodes.points**2 @ population.precision
    by_distance -= 2.0 * nodes.points @ (population.precision * population.centre)
    true, normal = (
        float(logsumexp(weight - 0.5 * by_distance, axis=1).sum())
        for weight in (nodes.log_weight, nodes.log_weight_normal)
    )
    return given_population(population, nodes.psi, nodes.terms).value + true - normal


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
