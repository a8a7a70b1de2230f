"""Maximum likelihood on the log scale of the parameters, in units where the mean age (mean spend) is one.

The best of several starts is improved by BFGS (Nocedal & Wright 2006, ch. 6), on a sample of the customers if there are
many, then on all of them, and finished by Newton steps, whose Hessian (in closed form, or differences of the exact
gradient) also gives the standard errors. What does not converge is tried from the other starts and by Nelder & Mead's
method; what then still is not a clean maximum is diagnosed in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from clvmodels.inference.observations import Observations
from clvmodels.models.specification import Array, Model

__all__ = ["Optimum", "maximise"]

SAMPLE = 5_000
STEP = 1e-5
"""Of the differences, in psi."""
FAR = 9.0
"""A parameter beyond exp(+-9) in internal units has gone to its boundary."""
FARTHEST = 30.0
"""Beyond exp(+-30) nothing changes any more."""
LEAST_CURVATURE = 1e-2
"""A start's curvature is taken to be at least this, so that the first step is not too long."""
FLAT = 1e-8
"""An eigenvalue of the Hessian of the mean log-likelihood below this: the data do not identify a direction."""
STEEP = 1e-6
"""A gradient of the mean log-likelihood above this: not converged."""
NEARLY, CLOSE, CLOSEST = 1e-5, 1e-7, 1e-10
"""Where the gradient is below these, we go from BFGS on all customers, or on a sample, to Newton steps, and stop."""


@dataclass(frozen=True)
class Optimum:
    """The end of a maximisation, on the log scale psi = log(theta - lower), in internal units.

    Attributes
    ----------
    psi
        The maximum, shape (parameters,).
    hessian
        Of minus the log-likelihood of all customers, by psi.
    gradient
        Of the mean log-likelihood by psi.
    log_likelihood
        Of all customers.
    evaluations
        How often it was computed.
    """

    psi: Array
    hessian: Array
    gradient: Array
    log_likelihood: float
    evaluations: int

    @property
    def converged(self) -> bool:
        """Whether the gradient vanishes."""
        return bool(np.all(np.isfinite(self.gradient)) and np.abs(self.gradient).max() < STEEP)


class _Objective:
    """Minus the mean log-likelihood and its gradient, as functions of psi; remembers the last, counts the others."""

    def __init__(self, model: Model, observations: Observations) -> None:
        self.model, self.observations, self.evaluations = model, observations, 0
        self.last: tuple[Array, float, Array] | None = None

    def __call__(self, psi: Array) -> tuple[float, Array]:
        if self.last is None or not np.array_equal(psi, self.last[0]):
            self.evaluations += 1
            grown = np.exp(np.clip(psi, -FARTHEST, FARTHEST))
            with np.errstate(all="ignore"):  # far from the maximum a term may overflow; what is not finite is refused
                value, gradient = self.observations.log_likelihood(self.model, self.model.lower + grown)
            customers = self.observations.customers
            self.last = psi.copy(), -value / customers, -gradient * grown / customers
        return self.last[1:]

    def hessian(self, psi: Array) -> Array:
        """Return the matrix of second derivatives; from differences of the gradient it is good to about 1e-5."""
        here = self(psi)[1]
        grown = np.exp(np.clip(psi, -FARTHEST, FARTHEST))
        curvature = self.observations.curvature(self.model, self.model.lower + grown)
        if curvature is not None:
            return np.asarray(np.diag(here) - curvature * np.outer(grown, grown) / self.observations.customers)
        matrix = np.array([(self(psi + shift)[1] - here) / STEP for shift in STEP * np.eye(len(psi))])
        return np.asarray(0.5 * (matrix + matrix.T))


def maximise(model: Model, observations: Observations) -> Optimum:
    """Return the maximum of the likelihood of `model` given `observations`."""
    everything = _Objective(model, observations)
    few = observations.customers <= 4 * SAMPLE
    first = everything if few else _Objective(model, observations.sample(SAMPLE))
    starts = np.log(np.asarray(model.starts) - model.lower)
    starts = starts[np.argsort([_finite(first(start)[0]) for start in starts])]
    best: Optimum | None = None
    for attempt in range(len(starts) + 1):
        psi = _bfgs(first, starts[attempt]) if attempt < len(starts) else _simplex(first, starts[0])
        psi = psi if few else _bfgs(everything, psi, hessian=first.hessian(psi), enough=NEARLY)
        optimum = _finish(everything, psi)
        best = optimum if best is None or not best.log_likelihood >= optimum.log_likelihood else best
        if optimum.converged:
            break
    assert best is not None
    return best


def _finite(value: float) -> float:
    return value if np.isfinite(value) else np.inf


def _bfgs(objective: _Objective, start: Array, *, hessian: Array | None = None, enough: float = CLOSE) -> Array:
    """Return where BFGS ends that starts with the curvature at `start`, or that of a similar objective."""
    from scipy.optimize import minimize

    values, vectors = np.linalg.eigh(objective.hessian(start) if hessian is None else hessian)
    inverse = (vectors / np.maximum(np.abs(values), LEAST_CURVATURE)) @ vectors.T
    options: Any = {"gtol": enough, "maxiter": 300, "hess_inv0": 0.5 * (inverse + inverse.T)}
    return np.asarray(minimize(objective.__call__, start, jac=True, method="BFGS", options=options).x)


def _simplex(objective: _Objective, start: Array) -> Array:
    from scipy.optimize import minimize

    def value(psi: Array) -> float:
        return _finite(objective(psi)[0])

    options: Any = {"maxiter": 1000, "xatol": 1e-6, "fatol": 1e-12, "adaptive": True}
    return _bfgs(objective, np.asarray(minimize(value, start, method="Nelder-Mead", options=options).x))


def _inverse(hessian: Array) -> Array | None:
    """Return the inverse of a matrix, or None if it is not safely positive definite."""
    values, vectors = np.linalg.eigh(hessian)
    if not values[0] > FLAT:
        return None
    inverse = (vectors / values) @ vectors.T
    return np.asarray(0.5 * (inverse + inverse.T))


def _finish(objective: _Objective, psi: Array) -> Optimum:
    """Polish by chord Newton steps, which a good start needs few of."""
    psi = np.clip(psi, -FARTHEST, FARTHEST)
    value, gradient = objective(psi)
    hessian = objective.hessian(psi)
    inverse = _inverse(hessian)
    for _ in range(8):
        if inverse is None or np.abs(gradient).max() < CLOSEST:
            break
        candidate = psi - inverse @ gradient
        new_value, new_gradient = objective(candidate)
        if not np.abs(new_gradient).max() < np.abs(gradient).max() or new_value > value + 1e-12:
            break
        psi, value, gradient = candidate, new_value, new_gradient
    customers = objective.observations.customers
    return Optimum(psi, hessian * customers, -gradient, -value * customers, objective.evaluations)
