"""The maximum of a smooth function of several variables: BFGS, then Newton steps.

Source: Nocedal & Wright (2006), Numerical Optimization, ch. 3 and 6.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from clvmodels.models.specification import Array

__all__ = [
    "FARTHEST",
    "Expansion",
    "Objective",
    "Optimum",
    "approach",
    "bfgs",
    "climb",
    "finish",
    "finite",
    "simplex",
]

type Expansion = tuple[float, Array, Array]
"""A value, the gradient, and the matrix of second derivatives."""

STEP: Final = 1e-5
"""Of the differences."""
FARTHEST: Final = 30.0
"""Beyond exp(+-30) nothing changes any more."""
LEAST_CURVATURE: Final = 1e-2
"""A start's curvature is taken to be at least this, so that the first step is not too long."""
FLAT: Final = 1e-8
"""An eigenvalue of the Hessian, per customer, below this: the data do not identify a direction."""
STEEP: Final = 1e-6
"""A gradient per customer above this: not converged."""
NEARLY, CLOSE = 5e-5, 1e-7
"""BFGS ends where the gradient per customer is below these: of many customers and a sample of them, of few."""
WALL: Final = 1e10
"""What a line search sees where the function is not finite, so that it turns back; a customer's value is far below."""
LEFT: Final = 1e-7
"""A Newton step that leaves no more than this of a parameter is the last one."""


@dataclass(frozen=True)
class Optimum:
    """The end of a maximisation.

    Attributes
    ----------
    psi
        The maximum, shape (size,).
    hessian
        Of minus the function.
    gradient
        Of the function, per customer, where it was computed last.
    value
        Of the function.
    evaluations
        How often it was computed.
    settled
        Whether a last Newton step, which leaves next to nothing, led here from there.
    """

    psi: Array
    hessian: Array
    gradient: Array
    value: float
    evaluations: int
    settled: bool = False

    @property
    def converged(self) -> bool:
        """Whether the gradient vanishes."""
        return self.settled or bool(np.abs(self.gradient).max() < STEEP)


class Objective:
    """Minus a function and its derivatives, per customer; remembers the last point, counts the others.

    Parameters
    ----------
    function
        ``psi -> (value, gradient)``, to be maximised.
    customers
        What it is divided by, so that tolerances do not depend on the size of the data.
    expansion
        ``psi -> (value, gradient, second derivatives)``, or None where there is no closed form: differences of the
        gradient.
    """

    def __init__(
        self,
        function: Callable[[Array], tuple[float, Array]],
        customers: float,
        expansion: Callable[[Array], Expansion | None] = lambda _: None,
    ) -> None:
        self.function, self.customers, self.expansion, self.evaluations = function, customers, expansion, 0
        self.last: tuple[Array, float, Array] | None = None
        self.expanded: tuple[Array, Expansion] | None = None

    def __call__(self, psi: Array) -> tuple[float, Array]:
        """Return minus the value and the gradient, per customer."""
        if self.last is None or not np.array_equal(psi, self.last[0]):
            self.evaluations += 1
            with np.errstate(all="ignore"):  # far from the maximum a term may overflow; what is not finite is refused
                value, gradient = self.function(psi)
            self.last = psi.copy(), -value / self.customers, -gradient / self.customers
        return self.last[1:]

    def expand(self, psi: Array) -> Expansion:
        """Return the same and the matrix of second derivatives; that of differences is good to about 1e-5."""
        if self.expanded is None or not np.array_equal(psi, self.expanded[0]):
            with np.errstate(all="ignore"):  # as above
                self.expanded = psi.copy(), self._in_closed_form(psi) or self._by_differences(psi)
        return self.expanded[1]

    def _in_closed_form(self, psi: Array) -> Expansion | None:
        found = self.expansion(psi)
        if found is None:
            return None
        self.evaluations += 1
        value, gradient, curvature = found
        return -value / self.customers, -gradient / self.customers, -curvature / self.customers

    def _by_differences(self, psi: Array) -> Expansion:
        value, gradient = self(psi)
        matrix = np.array([(self(psi + shift)[1] - gradient) / STEP for shift in STEP * np.eye(len(psi))])
        return value, gradient, 0.5 * (matrix + matrix.T)


def climb(objective: Objective, start: Array, sample: Objective | None = None) -> Optimum:
    """Return the maximum near `start`.

    Parameters
    ----------
    objective, start
        The function, and where to begin.
    sample
        The same function of a sample of many customers: its maximum and curvature lead near that of all of them.
    """
    if sample is None:
        return finish(objective, bfgs(objective, start))
    psi = bfgs(sample, start, enough=NEARLY)
    return finish(objective, approach(objective, psi, sample.expand(psi)[2]))


def finite(value: float) -> float:
    """Return a value that a minimiser may compare, infinity for what is none."""
    return value if np.isfinite(value) else np.inf


def bfgs(objective: Objective, start: Array, *, hessian: Array | None = None, enough: float = CLOSE) -> Array:
    """Return where BFGS ends that starts with the curvature at `start`, or that of a similar objective."""
    from scipy.optimize import minimize

    def walled(psi: Array) -> tuple[float, Array]:
        value, gradient = objective(psi)
        good = np.isfinite(value) and np.isfinite(gradient).all()
        return (value, gradient) if good else (WALL, np.zeros_like(psi))

    known = objective.expand(start)[2] if hessian is None else hessian
    values, vectors = np.linalg.eigh(known if np.isfinite(known).all() else np.eye(len(start)))
    inverse = (vectors / np.maximum(np.abs(values), LEAST_CURVATURE)) @ vectors.T
    options: Any = {"gtol": enough, "maxiter": 300, "hess_inv0": 0.5 * (inverse + inverse.T)}
    return np.asarray(minimize(walled, start, jac=True, method="BFGS", options=options).x)


def simplex(objective: Objective, start: Array) -> Array:
    """Return where the method of Nelder and Mead ends, improved by BFGS."""
    from scipy.optimize import minimize

    def value(psi: Array) -> float:
        return finite(objective(psi)[0])

    options: Any = {"maxiter": 1000, "xatol": 1e-6, "fatol": 1e-12, "adaptive": True}
    return bfgs(objective, np.asarray(minimize(value, start, method="Nelder-Mead", options=options).x))


def _inverse(hessian: Array) -> Array | None:
    """Return the inverse of a matrix, or None if it is not safely positive definite."""
    if not np.isfinite(hessian).all():
        return None
    values, vectors = np.linalg.eigh(hessian)
    if not values[0] > FLAT:
        return None
    inverse = (vectors / values) @ vectors.T
    return np.asarray(0.5 * (inverse + inverse.T))


def approach(objective: Objective, psi: Array, hessian: Array) -> Array:
    """Return a point near the maximum: a step with the curvature of a similar objective, or BFGS if that misses it."""
    value, gradient = objective(psi)
    inverse = _inverse(hessian)
    if inverse is not None and np.isfinite(gradient).all():
        near = psi - inverse @ gradient
        new_value, new_gradient, _ = objective.expand(near)
        if new_value <= value and np.abs(new_gradient).max() < NEARLY:
            return near
    return bfgs(objective, psi, hessian=hessian, enough=NEARLY)


def finish(objective: Objective, psi: Array) -> Optimum:
    """Polish by chord Newton steps, which a good start needs few of.

    A step leaves about its length times the distance to where the curvature was taken: at first its length squared.
    """
    psi = centre = np.clip(psi, -FARTHEST, FARTHEST)
    value, gradient, hessian = objective.expand(psi)
    inverse, settled = _inverse(hessian), False
    for _ in range(8):
        if inverse is None:
            break
        step = -inverse @ gradient
        length = np.abs(step).max()
        if length * (length + np.abs(psi - centre).max()) < LEFT:
            psi, value, settled = psi + step, value + 0.5 * float(gradient @ step), True
            break
        new_value, new_gradient = objective(psi + step)
        if not np.abs(new_gradient).max() < np.abs(gradient).max() or new_value > value + 1e-12:
            break
        psi, value, gradient = psi + step, new_value, new_gradient
    customers = objective.customers
    return Optimum(psi, hessian * customers, -gradient, -value * customers, objective.evaluations, settled)
