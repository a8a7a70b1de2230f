"""The maximum of a smooth function of several variables: BFGS, then Newton steps; where these miss, a trust region.

What is left to gain is given in units of the function itself, which for a log-likelihood do not depend on how the
parameters are written, nor on how well the data identify them.

Source: Nocedal & Wright (2006), Numerical Optimization, ch. 3, 4 and 6.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BOUNDARY_LOG_PARAMETER",
    "MAX_LOG_PARAMETER",
    "MIN_CURVATURE",
    "Expansion",
    "Objective",
    "Optimum",
    "bfgs",
    "finite",
    "maximise_from",
    "newton_polish",
    "simplex",
    "step_towards",
]

Array = NDArray[np.float64]

type Expansion = tuple[float, Array, Array]
"""A value, the gradient, and the matrix of second derivatives."""

STEP: Final = 3e-5
"""Of the differences."""
BOUNDARY_LOG_PARAMETER: Final = 9.0
"""What has gone beyond exp(+-9) is on its way to zero or infinity."""
MAX_LOG_PARAMETER: Final = 30.0
"""Beyond exp(+-30) nothing changes any more."""
LEAST_CURVATURE: Final = 1e-2
"""A start's curvature is taken to be at least this, so that the first step is not too long."""
MIN_CURVATURE: Final = 1e-8
"""An eigenvalue of the Hessian, per customer, below this: the data do not identify a direction."""
GTOL_SAMPLE, GTOL = 5e-5, 1e-7
"""BFGS ends where the gradient per customer is below these: of a sample of many customers, of all of few."""
GTOL_TRUST: Final = 1e-8
"""The same for a trust region; below it, rounding decides whether a value is higher."""
FTOL, FTOL_BOUNDARY = 1e-6, 1e-2
"""A function that a further step would raise by no more than this is at its maximum; far out, where ever longer steps
gain ever less, is as near to it as matters."""
ENOUGH_AFAR: Final = 1e-5
"""Far out, it is climbed up to this if that can be done."""
PENALTY: Final = 1e10
"""What a line search sees where the function is not finite, so that it turns back; a customer's value is far below."""
XTOL: Final = 1e-7
"""A Newton step that leaves no more than this of a parameter is the last one."""
SLOW_CONTRACTION: Final = 0.1
"""A chord step that leaves more of the gradient than this asks for the curvature where it led."""


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
    left
        By how much one more step would raise the function.
    left_inside
        The same if those parameters stay that have gone as far as they may.
    """

    psi: Array
    hessian: Array
    gradient: Array
    value: float
    evaluations: int
    left: float
    left_inside: float = np.inf

    @property
    def largest_sd(self) -> float:
        """The largest standard error that the curvature gives; infinite where there is no maximum."""
        inverse = _inverse(self.hessian)
        return np.inf if inverse is None else float(np.sqrt(np.diag(inverse).max()))

    @property
    def covariance(self) -> Array:
        """The inverse of the Hessian; NaN where the function is flat and says nothing."""
        values, vectors = np.linalg.eigh(self.hessian)
        if values[0] <= 0.0:
            return np.full_like(self.hessian, np.nan)
        return np.asarray((vectors / values) @ vectors.T)

    @property
    def far(self) -> bool:
        """Whether the maximum is on its way to zero or infinity."""
        return bool(np.abs(self.psi).max() > BOUNDARY_LOG_PARAMETER)

    @property
    def converged(self) -> bool:
        """Whether there is nothing left to climb."""
        return self.left < (FTOL_BOUNDARY if self.far else FTOL)

    @property
    def ended(self) -> bool:
        """Whether nothing is left to climb, or only beyond what parameters may be."""
        return self.left_inside < (ENOUGH_AFAR if self.far else FTOL)


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
        """Return the same and the matrix of second derivatives; that of differences is good to about 1e-9."""
        if self.expanded is None or not np.array_equal(psi, self.expanded[0]):
            with np.errstate(all="ignore"):  # as above
                self.expanded = psi.copy(), self._in_closed_form(psi) or self._by_differences(psi)
        return self.expanded[1]

    def _in_closed_form(self, psi: Array) -> Expansion | None:
        expansion = self.expansion(psi)
        if expansion is None:
            return None
        self.evaluations += 1
        value, gradient, curvature = expansion
        return -value / self.customers, -gradient / self.customers, -curvature / self.customers

    def _by_differences(self, psi: Array) -> Expansion:
        value, gradient = self(psi)
        shifts = STEP * np.eye(len(psi))
        matrix = np.array([self(psi + shift)[1] - self(psi - shift)[1] for shift in shifts]) / (2.0 * STEP)
        return value, gradient, 0.5 * (matrix + matrix.T)


def maximise_from(objective: Objective, start: Array, sample: Objective | None = None) -> Optimum:
    """Return the maximum near `start`.

    Parameters
    ----------
    objective, start
        The function, and where to begin.
    sample
        The same function of a sample of many customers: its maximum and curvature lead near that of all of them, unless
        it knows so little that it has none.
    """
    quick = None if sample is None else _by_sample(objective, sample, start)
    if quick is not None and quick.converged and not quick.far:
        return quick
    optimum = newton_polish(objective, bfgs(objective, start))
    return optimum if quick is None or not quick.value > optimum.value else quick


def _by_sample(objective: Objective, sample: Objective, start: Array) -> Optimum | None:
    """Return the maximum near that of a sample; None if the sample has none."""
    psi = bfgs(sample, start, enough=GTOL_SAMPLE)
    if np.abs(psi).max() > BOUNDARY_LOG_PARAMETER:
        return None
    return newton_polish(objective, step_towards(objective, psi, sample.expand(psi)[2]))


def finite(value: float) -> float:
    """Return a value that a minimiser may compare, infinity for what is none."""
    return value if np.isfinite(value) else np.inf


def _penalised(objective: Objective) -> Callable[[Array], tuple[float, Array]]:
    """Return the same function with a wall around where it is finite."""

    def penalised(psi: Array) -> tuple[float, Array]:
        value, gradient = objective(psi)
        good = np.isfinite(value) and np.isfinite(gradient).all()
        return (value, gradient) if good else (PENALTY, np.zeros_like(psi))

    return penalised


def _known(hessian: Array) -> Array:
    """Return a matrix of second derivatives, or another where there are none."""
    return hessian if np.isfinite(hessian).all() else np.eye(len(hessian))


def bfgs(objective: Objective, start: Array, *, enough: float = GTOL) -> Array:
    """Return where BFGS ends that starts with the curvature at `start`."""
    from scipy.optimize import minimize

    values, vectors = np.linalg.eigh(_known(objective.expand(start)[2]))
    inverse = (vectors / np.maximum(np.abs(values), LEAST_CURVATURE)) @ vectors.T
    options: Any = {"gtol": enough, "maxiter": 300, "hess_inv0": 0.5 * (inverse + inverse.T)}
    return np.asarray(minimize(_penalised(objective), start, jac=True, method="BFGS", options=options).x)


def simplex(objective: Objective, start: Array) -> Array:
    """Return where the method of Nelder and Mead ends, improved by BFGS."""
    from scipy.optimize import minimize

    def value(psi: Array) -> float:
        return finite(objective(psi)[0])

    options: Any = {"maxiter": 1000, "xatol": 1e-6, "fatol": 1e-12, "adaptive": True}
    return bfgs(objective, np.asarray(minimize(value, start, method="Nelder-Mead", options=options).x))


def _inverse(hessian: Array) -> Array | None:
    """Return the inverse of a matrix, or None if it is not safely positive definite."""
    if not (hessian.size and np.isfinite(hessian).all()):
        return None
    values, vectors = np.linalg.eigh(hessian)
    if not values[0] > MIN_CURVATURE:
        return None
    inverse = (vectors / values) @ vectors.T
    return np.asarray(0.5 * (inverse + inverse.T))


def step_towards(objective: Objective, psi: Array, hessian: Array) -> Array:
    """Return a point nearer to the maximum, by a step with the curvature of a similar objective; `psi` if it misses."""
    value, gradient = objective(psi)
    inverse = _inverse(hessian)
    if inverse is None or not np.isfinite(gradient).all():
        return psi
    near = psi - inverse @ gradient
    return near if objective.expand(near)[0] <= value else psi


def newton_polish(objective: Objective, psi: Array) -> Optimum:
    """Return the maximum near a point that is near to it: by Newton steps, or from where they end by a trust region."""
    optimum = _polish(objective, _clipped(psi))
    for _ in psi:  # each time, another parameter may have gone as far as it may
        if optimum.ended:
            break
        free = _free(optimum.psi, -optimum.gradient)
        optimum = _polish(objective, _trust(objective, optimum.psi, free))
        if _free(optimum.psi, -optimum.gradient).sum() == free.sum():
            break
    return optimum


def _clipped(psi: Array) -> Array:
    """Return the nearest point at which nothing has gone farther than makes a difference."""
    return np.clip(psi, -MAX_LOG_PARAMETER, MAX_LOG_PARAMETER)


def _trust(objective: Objective, psi: Array, free: NDArray[np.bool_]) -> Array:
    """Return where Newton steps of the free parameters end.

    They are no longer than they have proved good, saddles do not stop them, and they end where a parameter has gone as
    far as it may.
    """
    from scipy.optimize import minimize

    penalised = _penalised(objective)

    def everything(part: Array) -> Array:
        at = psi.copy()
        at[free] = part
        return at

    def function(part: Array) -> tuple[float, Array]:
        value, gradient = penalised(everything(part))
        return value, gradient[free]

    def hessian(part: Array) -> Array:
        return _known(objective.expand(everything(part))[2])[np.ix_(free, free)]

    def stop(part: Array) -> None:
        if np.abs(part).max() > MAX_LOG_PARAMETER:
            raise StopIteration

    options: Any = {"gtol": GTOL_TRUST, "maxiter": 200, "initial_trust_radius": 0.5, "max_trust_radius": 4.0}
    how: Any = {"jac": True, "hess": hessian, "method": "trust-exact", "options": options, "callback": stop}
    end = minimize(function, psi[free], **how)
    return _clipped(everything(end.x))


def _polish(objective: Objective, psi: Array) -> Optimum:
    """Take chord Newton steps, and the curvature anew where they do not gain much.

    A step leaves about its length times the distance to where the curvature was taken: at first its length squared.
    """
    centre, end = psi, None
    value, gradient, hessian = objective.expand(psi)
    for _ in range(12):
        free = _free(psi, gradient)
        inverse = _inverse(hessian[np.ix_(free, free)])
        if inverse is None:
            break
        step = np.zeros_like(psi)
        step[free] = -inverse @ gradient[free]
        length, new = np.abs(step).max(), _clipped(psi + step)
        if length * (length + np.abs(psi - centre).max()) < XTOL:
            end = new, value + 0.5 * float(gradient @ step)
            break
        new_value, new_gradient = objective(new)
        gained = np.abs(new_gradient[free]).max() / np.abs(gradient[free]).max()
        if not gained < 1.0 or new_value > value + 1e-12:
            break
        psi, value, gradient = new, new_value, new_gradient
        if gained > SLOW_CONTRACTION:
            centre = psi
            value, gradient, hessian = objective.expand(psi)
    free = _free(psi, gradient)
    left, inside = _left(gradient, hessian), _left(gradient[free], hessian[np.ix_(free, free)])
    if end is not None:
        psi, value = end
        left, inside = (0.0 if free.all() else left), 0.0
    n = objective.customers
    return Optimum(psi, hessian * n, -gradient, -value * n, objective.evaluations, left * n, inside * n)


def _free(psi: Array, gradient: Array) -> NDArray[np.bool_]:
    """Return which parameters have not gone as far as they may, or would turn back."""
    return np.asarray((np.abs(psi) < MAX_LOG_PARAMETER) | (gradient * psi >= 0.0))


def _left(gradient: Array, hessian: Array) -> float:
    """Return by how much a Newton step would change the value; infinite where that is not known."""
    if not (np.isfinite(gradient).all() and np.isfinite(hessian).all()):
        return np.inf
    values, vectors = np.linalg.eigh(hessian)
    return float(0.5 * np.sum((vectors.T @ gradient) ** 2 / np.maximum(np.abs(values), MIN_CURVATURE)))
