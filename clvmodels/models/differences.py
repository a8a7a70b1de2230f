"""Terms of a log-likelihood that a model does not state itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from clvmodels.models.specification import Array

__all__ = ["by_differences", "no_terms"]

DIFFERENCE: Final = 1e-3
"""Relative step of a gradient by differences: the errors of the formula and of rounding are both near 1e-12."""


def no_terms(theta: Array, x: Array) -> tuple[Array, Array]:
    """Return zeros: no part of the log-likelihood depends on x alone.

    Examples
    --------
    >>> no_terms(np.ones(2), np.arange(3.0))[1].shape
    (3, 2)
    """
    value = np.zeros(np.broadcast_shapes(theta.shape[:-1], np.shape(x)))
    return value, np.zeros((*value.shape, theta.shape[-1]))


def by_differences(
    log_likelihood: Callable[..., Array], lower: float | Sequence[float] = 0.0
) -> Callable[..., tuple[Array, Array]]:
    """Return the terms of a log-likelihood without a gradient: that comes from central differences of fourth order.

    Parameters
    ----------
    log_likelihood
        ``(theta, *columns)``: the log-likelihood of each history.
    lower
        The lower bounds of the parameters, or that of all: steps are shares of the distance to them.

    Examples
    --------
    >>> terms = by_differences(lambda theta, x: x * np.log(theta[..., 0]))
    >>> terms(np.array([2.0]), np.array([3.0]))[1].round(9)
    array([[1.5]])
    """

    def terms(theta: Array, *columns: Array) -> tuple[Array, Array]:
        value = log_likelihood(theta, *columns)
        gradient, steps = np.empty((*np.shape(value), theta.shape[-1])), DIFFERENCE * (theta - lower)
        for k, axis in enumerate(np.eye(theta.shape[-1])):
            near, far = (
                log_likelihood(theta + times * steps * axis, *columns)
                - log_likelihood(theta - times * steps * axis, *columns)
                for times in (1.0, 2.0)
            )
            gradient[..., k] = (8.0 * near - far) / (12.0 * steps[..., k])
        return value, gradient

    return terms
