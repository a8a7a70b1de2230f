"""Maximum likelihood on the log scale of the parameters, in units where the mean age (mean spend) is one.

The best of several starts is improved by BFGS, on a sample of the customers if there are many, whose curvature then
gives a step on all of them, and finished by Newton steps, whose Hessian (in closed form, or differences of the exact
gradient) also gives the standard errors. Data that say little about a parameter may have several maxima, so that the
other starts are tried as well, and some near the model's limits; what does not converge, also by Nelder & Mead's
method. What then still is not a clean maximum is diagnosed in words.
"""

from __future__ import annotations

import numpy as np

from clvmodels.inference.observations import Observations
from clvmodels.models.specification import Array, Model
from clvmodels.numerics.maximisation import (
    MAX_LOG_PARAMETER,
    Expansion,
    Objective,
    Optimum,
    finite,
    maximise_from,
    simplex,
)

__all__ = ["maximise", "objective"]

VAGUE = 0.587
"""A log parameter with a larger standard error has a 95 % interval that spans more than a factor of ten."""


def objective(model: Model, observations: Observations) -> Objective:
    """Return the log-likelihood as a function of psi = log((theta - lower) / units)."""
    units = model.units(time=observations.time, money=observations.money)

    def grown(psi: Array) -> Array:
        return np.asarray(np.exp(np.clip(psi, -MAX_LOG_PARAMETER, MAX_LOG_PARAMETER)) * units)

    def log_likelihood(psi: Array) -> tuple[float, Array]:
        growth = grown(psi)
        value, gradient = observations.log_likelihood(model, model.lower + growth)
        return value, gradient * growth

    def expansion(psi: Array) -> Expansion | None:
        growth = grown(psi)
        in_theta = observations.expansion(model, model.lower + growth)
        if in_theta is None:
            return None
        value, gradient, by_theta = in_theta
        gradient = gradient * growth
        return value, gradient, by_theta * np.outer(growth, growth) + np.diag(gradient)

    return Objective(log_likelihood, observations.customers, expansion)


def maximise(model: Model, observations: Observations) -> Optimum:
    """Return the maximum of the likelihood of `model` given `observations`."""
    everything = objective(model, observations)
    few = observations.sample()
    sample = None if few is observations else objective(model, few)
    ranked = everything if sample is None else sample
    starts = np.log(np.asarray(model.starts) - model.lower)
    starts = starts[np.argsort([finite(ranked(start)[0]) for start in starts])]
    best = maximise_from(everything, starts[0], sample)
    if best.converged and best.largest_sd < VAGUE:
        return best
    best = max([best, *(maximise_from(everything, start) for start in starts[1:])], key=_height)
    best = max([best, *(maximise_from(everything, start) for start in _near_limits(model, best.psi))], key=_height)
    if not (best.converged or best.ended):
        best = max(best, maximise_from(everything, simplex(everything, starts[0])), key=_height)
    return best


def _near_limits(model: Model, psi: Array) -> list[Array]:
    """Return starts near the model's limits: between one limit and another the likelihood may be level."""
    named = dict(zip(model.names, psi, strict=True))
    bounds = dict(zip(model.names, model.lower, strict=True))
    return [
        np.array([*{**named, **{name: np.log(value - bounds[name]) for name, value in limit.start.items()}}.values()])
        for limit in model.limits
        if limit.start
    ]


def _height(optimum: Optimum) -> float:
    return -finite(-optimum.value)
