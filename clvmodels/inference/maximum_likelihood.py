"""Maximum likelihood on the log scale of the parameters, in units where the mean age (mean spend) is one.

The best of several starts is improved by BFGS, on a sample of the customers if there are
many, then on all of them, and finished by Newton steps, whose Hessian (in closed form, or differences of the exact
gradient) also gives the standard errors. What does not converge is tried from the other starts and by Nelder & Mead's
method; what then still is not a clean maximum is diagnosed in words.
"""

from __future__ import annotations

import numpy as np

from clvmodels.inference.ascent import FARTHEST, NEARLY, Objective, Optimum, bfgs, finish, finite, simplex
from clvmodels.inference.observations import Observations
from clvmodels.models.specification import Array, Model

__all__ = ["FAR", "maximise"]

SAMPLE = 5_000
FAR = 9.0
"""A parameter beyond exp(+-9) in internal units has gone to its boundary."""


def _objective(model: Model, observations: Observations) -> Objective:
    """Return the log-likelihood as a function of psi = log(theta - lower)."""

    def grown(psi: Array) -> Array:
        return np.asarray(np.exp(np.clip(psi, -FARTHEST, FARTHEST)))

    def log_likelihood(psi: Array) -> tuple[float, Array]:
        growth = grown(psi)
        value, gradient = observations.log_likelihood(model, model.lower + growth)
        return value, gradient * growth

    def curvature(psi: Array, gradient: Array) -> Array | None:
        growth = grown(psi)
        by_theta = observations.curvature(model, model.lower + growth)
        if by_theta is None:
            return None
        return np.asarray(by_theta * np.outer(growth, growth) + np.diag(gradient))

    return Objective(log_likelihood, observations.customers, curvature)


def maximise(model: Model, observations: Observations) -> Optimum:
    """Return the maximum of the likelihood of `model` given `observations`."""
    everything = _objective(model, observations)
    few = observations.customers <= 4 * SAMPLE
    first = everything if few else _objective(model, observations.sample(SAMPLE))
    starts = np.log(np.asarray(model.starts) - model.lower)
    starts = starts[np.argsort([finite(first(start)[0]) for start in starts])]
    best: Optimum | None = None
    for attempt in range(len(starts) + 1):
        psi = bfgs(first, starts[attempt]) if attempt < len(starts) else simplex(first, starts[0])
        psi = psi if few else bfgs(everything, psi, hessian=first.hessian(psi), enough=NEARLY)
        optimum = finish(everything, psi)
        best = optimum if best is None or not best.value >= optimum.value else best
        if optimum.converged:
            break
    assert best is not None
    return best
