"""What a law about a model is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from clvmodels.models.specification import Array

__all__ = ["SIMULATED", "SMALL", "STEP", "ConsistencyCheck", "gradient_error", "relative_error"]

STEP: Final = 1e-6
"""Relative step of differences."""
SIMULATED: Final = 20_000
"""Customers who are simulated."""
SMALL: Final = 1e-3
"""Errors of what is smaller are relative to this."""


@dataclass(frozen=True)
class ConsistencyCheck:
    """A law.

    Attributes
    ----------
    description
        The law, as a sentence.
    deviation
        ``(model, theta)``: how far the model is from keeping it; NaN or infinity if it is far off.
    tolerance
        The largest deviation with which it is kept.
    """

    description: str
    deviation: Callable[[Any, Array], float]
    tolerance: float


def relative_error(values: Array, expected: Array, floor: float = 0.0) -> float:
    """Return the largest error relative to the expected size, or to a floor; infinity if NaN, or if shapes differ."""
    if np.shape(values) != np.shape(expected):
        return np.inf
    error = float(np.max(np.abs(values - expected) / (np.abs(expected) + floor)))
    return np.inf if np.isnan(error) else error  # the larger of NaN and a number may be either


def gradient_error(terms: Callable[..., tuple[Array, Array]], theta: Array, columns: Sequence[Array]) -> float:
    """Return how far a gradient by the logs of the parameters is from differences of its function.

    `terms` returns the values of the columns, shape (rows,), and their gradient, shape (rows, parameters).
    """
    gradient = terms(theta, *columns)[1]
    worst = 0.0
    for k, shift in enumerate(STEP * np.diag(theta)):
        difference = (terms(theta + shift, *columns)[0] - terms(theta - shift, *columns)[0]) / (2.0 * STEP)
        worst = max(worst, relative_error(gradient[..., k] * theta[k], difference, 1e-2))
    return worst
