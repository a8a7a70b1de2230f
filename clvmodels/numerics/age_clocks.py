"""Clocks on which the risk of leaving changes with a customer's own age, and nodes in time that suit them.

A clock G(t) measures age t in units of `beta`, so that the share of customers who stay for t is (1 + G(t))^-s if their
rates of leaving are Gamma(s, 1) on the clock:

    Gompertz  G(t) = expm1(c t) / (c beta)    the risk grows by the factor exp(c) in each unit of time
    Weibull   G(t) = (t / beta)^c             the risk grows with age (c > 1) or falls (c < 1)

Gompertz with c -> 0, and Weibull with c = 1, are time itself. All is computed from log G, which does not overflow.

Nodes stand in panels of equal length on a ruler that resolves times near zero by their logs, and later ones as the
clock needs it. Source: Bemmaor & Glady (2012), Management Science 58(5), for Gompertz; Burr (1942), Annals of
Mathematical Statistics 13(2), for the lifetimes on Weibull's clock.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["GOMPERTZ", "WEIBULL", "AgeClock", "Panels", "panels"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)
PANEL: Final = 2.0
"""Length of panels on the ruler: a factor that falls as exp(-e^y) is then integrated to 1e-11."""
MOST_PANELS: Final = 96
"""Of an integral; more are needed only where the risk grows by more than exp(100) within the time observed."""
LARGE: Final = 40.0
"""1 + exp(40) is exp(40)."""
LARGEST_LOG: Final = 700.0
"""Ages beyond exp(700) are taken to be that."""
MOST_BREAKS: Final = 200
GROWTH: Final = 3.0
"""Each panel of a grid ahead is at most this much longer than the one before."""
SMOOTHING: Final = 3.0
"""Nodes at birth are even in the cube root of that power: slopes by c contain its log, which is singular there."""
LEAST_GROWTH: Final = 1.02
STEP: Final = 2.0
"""Longest panel of such a grid, in times in which the risk grows e-fold, as long as the risk makes customers leave."""
SERIES: Final = 0.02
"""Below, a slope is taken from its series, which is then good to 1e-13."""
BRANCH: Final = 1e-7
"""A power of age is no smooth function at birth; nodes there begin at this share of the time that matters."""


class AgeClock(ABC):
    """A clock of age; all functions broadcast."""

    @abstractmethod
    def log_growth(self, t: Array, beta: Array, c: Array) -> Array:
        """Return log G(t); minus infinity at t = 0."""

    @abstractmethod
    def log_speed(self, t: Array, beta: Array, c: Array) -> Array:
        """Return log G'(t)."""

    @abstractmethod
    def slopes(self, t: Array, beta: Array, c: Array) -> tuple[Array, Array, Array, Array]:
        """Return the derivatives of log G(t) by beta and c, and those of log G'(t)."""

    @abstractmethod
    def age(self, log_growth: Array, beta: Array, c: Array) -> Array:
        """Return the age at which log G has a value."""

    @abstractmethod
    def near(self, start: Array, width: Array) -> Array:
        """Return the time after `start` from which on the ruler is one of logs, if `width` suits all but the clock."""

    @abstractmethod
    def ruler(self, start: Array, span: Array, near: Array, c: Array) -> Array:
        """Return the length of a time after `start` on the ruler."""

    @abstractmethod
    def on_ruler(self, start: Array, y: Array, near: Array, c: Array) -> tuple[Array, Array]:
        """Return the time after `start` at a length on the ruler, and the log of its derivative."""

    @abstractmethod
    def breaks(self, first: float, start: float, end: float, beta: Array, c: Array) -> Array:
        """Return ends of panels of times after `start`, between which survival is nearly a polynomial."""

    @abstractmethod
    def exponential_from(self, beta: Array, c: Array) -> Array:
        """Return the age from which on log G grows by c in each unit of time; infinity if it never does."""

    def log_stay(self, t: Array, beta: Array, c: Array) -> Array:
        """Return log(1 + G(t))."""
        return np.asarray(np.logaddexp(0.0, self.log_growth(t, beta, c)))

    def risk(self, t: Array, beta: Array, c: Array) -> Array:
        """Return the derivative of `log_stay` by t: the risk of leaving, for s = 1."""
        return np.asarray(np.exp(self.log_speed(t, beta, c) - self.log_stay(t, beta, c)))


class _Gompertz(AgeClock):
    def log_growth(self, t: Array, beta: Array, c: Array) -> Array:
        z = c * t
        return np.asarray(_log(t * special.exprel(-z) / beta) + z)

    def log_speed(self, t: Array, beta: Array, c: Array) -> Array:
        return np.asarray(c * t - np.log(beta))

    def slopes(self, t: Array, beta: Array, c: Array) -> tuple[Array, Array, Array, Array]:
        z = c * t
        series = 0.5 + z / 12.0 - z**3 / 720.0
        large = np.maximum(z, SERIES)
        by_z = np.where(z < SERIES, series, -1.0 / np.expm1(-large) - 1.0 / large)
        return -1.0 / beta, t * by_z, -1.0 / beta, np.asarray(t)

    def age(self, log_growth: Array, beta: Array, c: Array) -> Array:
        """Return log(1 + e^y) / c, with y the log of c beta G; in another form where it is small, as c may be tiny."""
        y = log_growth + np.log(c * beta)
        small = np.exp(np.clip(y, -700.0, 0.0))
        near = np.exp(np.minimum(y, 0.0) - np.log(c)) * np.log1p(small) / small
        return np.asarray(np.where(y < 0.0, near, np.logaddexp(0.0, y) / c))

    def exponential_from(self, beta: Array, c: Array) -> Array:
        return np.asarray(np.maximum(self.age(np.array(LARGE), beta, c), LARGE / c))

    def near(self, start: Array, width: Array) -> Array:  # noqa: ARG002 - of clocks
        return width

    def ruler(self, start: Array, span: Array, near: Array, c: Array) -> Array:  # noqa: ARG002
        return np.asarray(np.log1p(span / near) + c * span)

    def on_ruler(self, start: Array, y: Array, near: Array, c: Array) -> tuple[Array, Array]:  # noqa: ARG002
        """Solve log(1 + u/near) + c u = y by Wright's function: omega + log(omega) = log(c near) + c near + y."""
        scaled = c * near
        omega = special.wrightomega(np.log(scaled) + scaled + y)
        time = np.maximum(omega / c - near, 0.0)
        return time, np.log(near + time) - np.log1p(c * (near + time))

    def breaks(self, first: float, start: float, end: float, beta: Array, c: Array) -> Array:
        fastest = float(c.max())
        steep = float(np.max(np.log(np.maximum(c * beta, 1.0)) / c)) - start
        steep = min(max(steep, 0.0) + 2.0 / float(c.min()), end)
        longest = max(STEP / fastest, steep / MOST_BREAKS)
        cuts, time, step = [0.0], 0.0, min(first, longest)
        while time + step < end:
            time += step
            cuts.append(time)
            step = min((GROWTH - 1.0) * time, longest if time < steep else (GROWTH - 1.0) * (time - steep) + longest)
        return np.array([*cuts, end])


class _Weibull(AgeClock):
    def log_growth(self, t: Array, beta: Array, c: Array) -> Array:
        return np.asarray(c * (_log(t) - np.log(beta)))

    def log_speed(self, t: Array, beta: Array, c: Array) -> Array:
        with np.errstate(invalid="ignore"):
            steep = np.where(c == 1.0, 0.0, (c - 1.0) * (_log(t) - np.log(beta)))
        return np.asarray(np.log(c / beta) + steep)

    def slopes(self, t: Array, beta: Array, c: Array) -> tuple[Array, Array, Array, Array]:
        log_ratio = np.where(t > 0.0, _log(t) - np.log(beta), 0.0)  # at birth G is zero whatever c
        return -c / beta, log_ratio, -c / beta, 1.0 / c + log_ratio

    def age(self, log_growth: Array, beta: Array, c: Array) -> Array:
        return np.asarray(np.exp(np.minimum(np.log(beta) + log_growth / c, LARGEST_LOG)))

    def exponential_from(self, beta: Array, c: Array) -> Array:
        return np.full(np.broadcast(beta, c).shape, np.inf)

    def near(self, start: Array, width: Array) -> Array:
        return np.where(start > 0.0, np.minimum(start, width), BRANCH * width)

    def ruler(self, start: Array, span: Array, near: Array, c: Array) -> Array:
        power = np.minimum(c, 1.0) / SMOOTHING
        of_power = np.maximum(c, 1.0) / power * np.logaddexp(0.0, power * np.log(span / near))
        return np.where(start > 0.0, np.maximum(1.0, c) * np.log1p(span / near), of_power)

    def on_ruler(self, start: Array, y: Array, near: Array, c: Array) -> tuple[Array, Array]:
        steep, power = np.maximum(1.0, c), np.minimum(c, 1.0) / SMOOTHING
        slow = steep / power
        later = near * np.expm1(y / steep)
        log_power = y / slow + np.log(-np.expm1(-y / slow))
        at_birth = near * np.exp(log_power / power)
        log_slope = np.log(near / (power * slow)) + (1.0 / power - 1.0) * log_power + y / slow
        from_birth = start <= 0.0
        times = np.where(from_birth, at_birth, later)
        return times, np.where(from_birth, log_slope, np.log((near + later) / steep))

    def breaks(self, first: float, start: float, end: float, beta: Array, c: Array) -> Array:  # noqa: ARG002
        growth = max(GROWTH ** (1.0 / max(1.0, float(c.max()))), LEAST_GROWTH)
        if start == 0.0:
            first *= 1e-12 ** (1.0 / min(max(float(c.min()), 0.2), 1.0))
        elif first > start:
            first = start
        if first >= end:
            return np.array([0.0, end])
        count = 1 + int(np.ceil(np.log(end / first) / np.log(growth) - 1e-12))
        return np.concatenate([[0.0], first * growth ** np.arange(count - 1.0), [end]])


GOMPERTZ: Final[AgeClock] = _Gompertz()
WEIBULL: Final[AgeClock] = _Weibull()


@dataclass(frozen=True)
class Panels:
    """Panels of many integrals over time, one after the other.

    Attributes
    ----------
    row
        The integral that each panel belongs to, ascending; shape (panels,).
    time
        Nodes, counted from the start of the integral; shape (panels, 16).
    log_weight
        Logs of their weights.
    """

    row: Index
    time: Array
    log_weight: Array


def panels(clock: AgeClock, start: Array, span: Array, near: Array, c: Array, fine: Array | float = 1.0) -> Panels:
    """Return panels of integrals over (start, start + span).

    Parameters
    ----------
    clock
        The clock of age.
    start, span, near, c
        Shape (n,) each; spans are positive, `near` as of `AgeClock.near`.
    fine
        How many times more panels are needed than usual.

    Examples
    --------
    The integral of exp(-t) from 2 to 5:

    >>> at = panels(GOMPERTZ, np.array([2.0]), np.array([3.0]), np.array([1.0]), np.array([0.1]))
    >>> round(float(np.exp(at.log_weight - 2.0 - at.time).sum() - (np.exp(-2.0) - np.exp(-5.0))), 12)
    0.0
    """
    length = clock.ruler(start, span, near, c)
    number = np.ceil(np.clip(length / PANEL, 1.0, MOST_PANELS) * fine).astype(np.int64)
    row = np.repeat(np.arange(len(span)), number)
    which = np.arange(len(row)) - np.repeat(np.cumsum(number) - number, number)
    half = (0.5 * length / number)[row, None]
    y = half * (2.0 * which[:, None] + 1.0 + NODES)
    time, log_slope = clock.on_ruler(start[row, None], y, near[row, None], c[row, None])
    return Panels(row, np.minimum(time, span[row, None]), log_slope + np.log(half * WEIGHTS))


def _log(t: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(t))
