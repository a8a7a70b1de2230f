"""Likelihood-ratio tests of single coefficients: by how much the likelihood falls when one of them is zero."""

from __future__ import annotations

from typing import Final

import numpy as np

from clvmodels.inference.maximum_likelihood import objective
from clvmodels.inference.observations import Observations
from clvmodels.models.specification import Array, Model
from clvmodels.numerics.maximisation import Objective, maximise_from

__all__ = ["likelihood_ratios"]

STEPS: Final = 8
"""Newton steps with the curvature at the maximum; where they do not end, the maximum is sought anew."""
ENOUGH: Final = 1e-4
"""A step that gains no more than this share of the ratio, and of one, is the last; it leaves a tenth of that."""


def likelihood_ratios(model: Model, observations: Observations, estimate: Array, covariance: Array, size: int) -> Array:
    """Return twice what the log-likelihood loses without each coefficient, shape (coefficients,).

    Parameters
    ----------
    model
        The model of rows of `covariate_model`, whose parameters after the first `size` are exp(coefficient).
    observations
        The histories that it was fitted to.
    estimate
        Its maximum, shape (parameters,).
    covariance
        Of the logs there; where it is not known, the curvature is computed.
    """
    whole = objective(model, observations)
    psi = np.log((estimate - model.lower) / model.units(time=observations.time, money=observations.money))
    value = whole(psi)[0]
    known = np.isfinite(covariance).all()
    inverse = np.asarray(np.linalg.inv(covariance)) if known else np.zeros(0)
    hessian = inverse / observations.customers if known else whole.expand(psi)[2]
    ratios = np.full(len(psi) - size, np.nan)
    for k in range(size, len(psi)):
        others = np.delete(np.arange(len(psi)), k)
        without = _restricted(whole, psi, value, hessian, others, k)
        ratios[k - size] = max(2.0 * observations.customers * (without - value), 0.0)
    return ratios


def _restricted(
    whole: Objective,
    psi: Array,
    least: float,
    hessian: Array,
    others: np.ndarray[tuple[int], np.dtype[np.intp]],
    k: int,
) -> float:
    """Return the least minus log-likelihood, per customer, where coordinate k is zero; that at psi is `least`."""

    def part(free: Array) -> tuple[float, Array]:
        value, gradient = whole(np.insert(free, k, 0.0))
        return value, gradient[others]

    inner = hessian[np.ix_(others, others)]
    values = np.linalg.eigvalsh(inner)
    if np.isfinite(inner).all() and values[0] > 0.0:
        free = psi[others] + np.linalg.solve(inner, hessian[others, k] * psi[k])
        value, gradient = part(free)
        for _ in range(STEPS):
            step = -np.linalg.solve(inner, gradient)
            left = -0.5 * whole.customers * float(gradient @ step)
            if left < ENOUGH * max(1.0, whole.customers * abs(value - least)):
                return value + 0.5 * float(gradient @ step)
            free = free + step
            new, gradient = part(free)
            if not new <= value:
                break
            value = new
    sought = Objective(
        lambda free: (-whole.customers * part(free)[0], -whole.customers * part(free)[1]), whole.customers
    )
    return -maximise_from(sought, psi[others]).value / whole.customers
