"""How many customers come in each period: counts around a level that drifts, with growth and season.

The number of new customers of period t is negative binomial with mean m_t and variance m_t + phi m_t^2, and

    log(m_t / length_t) = a + f(t) + s_season(t) + u_t.

Time runs in years and is 0 at the end of observation. The curve f is one of three kinds: a steady level, f = 0; steady
growth, f = g t; or what a logistic curve of the customers ever acquired gains, f = log of its slope at t, which rises
until the middle of the curve and then falls (Gupta, Lehmann & Stuart 2004, JMR 41(1)). s is the season, normal with
standard deviation tau; u is a random walk with standard deviation sigma over a year, 0 at the end of observation.

Level, growth, season and walk are normal, so that given the curve, sigma, tau and phi the posterior is nearly normal
around its mode (Laplace's approximation); these are averaged over a grid, each point weighed with its marginal
likelihood and prior. That is a structural time series (Harvey 1989, Forecasting, Structural Time Series Models and the
Kalman Filter) of counts, computed as by Rue, Martino & Chopin (2009), JRSS B 71(2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, special

__all__ = ["CURVES", "Arrivals", "ArrivalsPosterior", "arrivals_posterior"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

CURVES: Final = ("steady level", "steady growth", "growth curve")
RATES: Final = (0.7, 1.3, 2.2)
MIDDLES: Final = (-2.0, -1.0, -0.25, 0.5, 1.5)
"""Of logistic curves: the growth a year long before their middle, and when that is, in years after the end of
observation. Curves whose middle is farther ahead are steady growth."""
WALKS: Final = (0.02, 0.08, 0.25, 2.0)
"""Of sigma. The last is for companies that stop acquiring customers, or begin anew."""
SEASONS: Final = (0.08, 0.35)
"""Of tau: a season of 0.35 moves a good month 40 % above a mean one."""
SPREADS: Final = (1e-6, 0.02, 0.1)
"""Of phi; the first is a Poisson distribution."""
SD_OF_LEVEL: Final = 4.0
SD_OF_GROWTH: Final = 0.5
"""Of the log of growth a year: most companies grow by between -55 and +130 %."""
MEAN_WALK: Final = 0.1
MEAN_SPREAD: Final = 0.07
"""Of the exponential priors of sigma and phi."""
STEPS: Final = 60
GTOL: Final = 1e-7
SHORTEST_STEP: Final = 1e-6
LARGEST_LOG_MEAN: Final = 27.0
"""Of the customers of one period: half a million million, beyond what a generator of counts takes."""


class Curve(NamedTuple):
    """A curve of growth, of one of the kinds of `CURVES`.

    Attributes
    ----------
    kind
        Which.
    rate, middle
        Of a logistic curve.
    share
        Its prior probability.
    """

    kind: str
    share: float
    rate: float = 0.0
    middle: float = 0.0

    def height(self, time: Array) -> Array:
        """Return f(t) but for what g multiplies, less that at the end of observation."""
        return self._log_slope(time) - self._log_slope(np.zeros(1))

    def _log_slope(self, time: Array) -> Array:
        away = np.abs(self.rate * (time - self.middle))
        return np.asarray(-away - 2.0 * np.log1p(np.exp(-away)))

    def growth(self, slope: Array) -> Array:
        """Return the log of growth a year at the end of observation, given draws of g."""
        return slope if self.kind == "steady growth" else np.full(len(slope), self._growth)

    @property
    def _growth(self) -> float:
        return float(self.rate * np.tanh(0.5 * self.rate * self.middle))


def _curves() -> tuple[Curve, ...]:
    logistic = tuple(product(RATES, MIDDLES))
    third = 1.0 / len(CURVES)
    return (
        Curve("steady level", third),
        Curve("steady growth", third),
        *(Curve("growth curve", third / len(logistic), rate, middle) for rate, middle in logistic),
    )


class Hyper(NamedTuple):
    """A point of the grid: the curve, and the spreads of walk, season and counts."""

    curve: Curve
    walk: float
    season: float
    spread: float

    @property
    def log_prior(self) -> float:
        """The log of its prior, up to a constant: densities times the distance of points, which are even in logs."""
        spread = max(self.spread, 0.005)
        of_spreads = np.log(self.walk) - self.walk / MEAN_WALK + np.log(spread) - spread / MEAN_SPREAD
        return float(np.log(self.curve.share) + of_spreads)


@dataclass(frozen=True, eq=False)
class Arrivals:
    """New customers by period, in the order of time.

    Attributes
    ----------
    number
        New customers, shape (periods,).
    length
        Of each period, in years, shape (periods,).
    time
        The middle of each period in years; negative, and 0 is the end of observation.
    season
        Which part of the year each period is, from 0 up to `seasons`, shape (periods,).
    seasons
        Periods of a year.
    """

    number: Array
    length: Array
    time: Array
    season: Index
    seasons: int


@dataclass(frozen=True, eq=False)
class _Mode:
    """The mode at a point of the grid.

    Attributes
    ----------
    hyper
        The point.
    effects
        Level, growth and seasons at the mode, shape (parts,).
    walk
        The walk there, but for its last value, which is 0; shape (periods - 1,).
    factor
        The lower Cholesky factor of the precision of level, growth and seasons, the walk integrated out.
    log_weight
        The log of its posterior weight, up to a constant.
    """

    hyper: Hyper
    effects: Array
    walk: Array
    factor: Array
    log_weight: float


@dataclass(frozen=True, eq=False)
class ArrivalsPosterior:
    """What is known of the process by which customers come.

    Attributes
    ----------
    modes
        By point of the grid.
    weights
        Their posterior probabilities, shape (points,).
    seasons
        Periods of a year.
    """

    modes: tuple[_Mode, ...]
    weights: Array
    seasons: int

    @property
    def curves(self) -> dict[str, float]:
        """The posterior probability of each curve of growth."""
        shares = dict.fromkeys(CURVES, 0.0)
        for mode, weight in zip(self.modes, self.weights, strict=True):
            shares[mode.hyper.curve.kind] += float(weight)
        return shares

    def forecast(
        self, length: Array, time: Array, season: Index, draws: int, generator: np.random.Generator
    ) -> tuple[Array, Array]:
        """Return draws of the new customers of coming periods, and of the growth a year at the end of observation.

        Parameters
        ----------
        length, time, season
            Of the coming periods, as of `Arrivals`; shape (periods,) each.
        draws
            How many.
        generator
            The source of randomness.

        Returns
        -------
        numbers
            Shape (draws, periods): parameters, walk and counts are drawn.
        growth
            The log of growth a year, shape (draws,).
        """
        numbers, growth = np.empty((draws, len(time))), np.zeros(draws)
        point = generator.choice(len(self.modes), size=draws, p=self.weights)
        for which in np.unique(point):
            mode, rows = self.modes[which], np.flatnonzero(point == which)
            normal = generator.standard_normal((len(mode.effects), len(rows)))
            drawn = mode.effects[:, None] + linalg.solve_triangular(mode.factor, normal, lower=True, trans="T")
            level, slope, effects = drawn[0], drawn[1], drawn[2 : 2 + self.seasons]
            steps = generator.standard_normal((len(time), len(rows))) * (mode.hyper.walk * np.sqrt(length))[:, None]
            curve = mode.hyper.curve
            growing = slope * time[:, None] if curve.kind == "steady growth" else np.zeros((len(time), 1))
            log_rate = level + curve.height(time)[:, None] + growing + effects[season] + steps.cumsum(axis=0)
            mean = np.exp(np.minimum(log_rate + np.log(length)[:, None], LARGEST_LOG_MEAN))
            shape = 1.0 / mode.hyper.spread
            numbers[rows] = generator.poisson(mean * generator.standard_gamma(shape, mean.shape) / shape).T
            growth[rows] = curve.growth(slope)
        return numbers, growth


def arrivals_posterior(arrivals: Arrivals) -> ArrivalsPosterior:
    """Return what is known of the process behind some counts of new customers.

    Examples
    --------
    >>> months = np.arange(36)
    >>> growing = np.random.default_rng(1).poisson(50.0 * np.exp(0.02 * months)).astype(float)
    >>> known = arrivals_posterior(Arrivals(growing, np.full(36, 1 / 12), (months - 35.5) / 12, months % 12, 12))
    >>> known.curves["steady level"] < 0.5
    True
    """
    modes = tuple(_modes(arrivals))
    log_weight = np.array([mode.log_weight for mode in modes])
    weights = np.exp(log_weight - log_weight.max())
    return ArrivalsPosterior(modes, weights / weights.sum(), arrivals.seasons)


def _modes(arrivals: Arrivals) -> Iterator[_Mode]:
    """Yield the mode at each point of the grid, each search beginning at the mode before it."""
    periods = len(arrivals.number)
    for curve in _curves():
        slope = arrivals.time if curve.kind == "steady growth" else np.zeros(periods)
        season = np.eye(arrivals.seasons)[arrivals.season]
        design = np.column_stack([np.ones(periods), slope, season])
        start = np.zeros(design.shape[1]), np.zeros(periods - 1)
        for walk, spread_of_season, spread in product(WALKS, SEASONS, SPREADS):
            mode = _mode(arrivals, design, Hyper(curve, walk, spread_of_season, spread), *start)
            start = mode.effects, mode.walk
            yield mode


@dataclass(frozen=True, eq=False)
class _Prior:
    """Normal priors: of level, growth and seasons, and of the walk.

    Attributes
    ----------
    mean, precision
        Of level, growth and seasons, shape (parts,) each.
    walk
        The precision of the walk, whose steps are independent: its diagonal in the second row, and what lies above it
        in the first one; shape (2, periods - 1).
    log_determinant
        Of all precisions.
    """

    mean: Array
    precision: Array
    walk: Array
    log_determinant: float

    @classmethod
    def of(cls, arrivals: Arrivals, hyper: Hyper) -> _Prior:
        """Return the priors at a point of the grid."""
        length = arrivals.length
        mean = np.zeros(2 + arrivals.seasons)
        mean[0] = np.log((arrivals.number.sum() + 0.5) / length.sum())
        precision = np.concatenate([[SD_OF_LEVEL**-2, SD_OF_GROWTH**-2], np.full(arrivals.seasons, hyper.season**-2)])
        steps = 1.0 / (hyper.walk**2 * 0.5 * (length[1:] + length[:-1]))
        walk = np.zeros((2, len(steps)))
        walk[1] = steps
        walk[1, 1:] += steps[:-1]
        walk[0, 1:] = -steps[:-1]
        return cls(mean, precision, walk, float(np.log(precision).sum() + np.log(steps).sum()))

    def pull(self, effects: Array, walk: Array) -> tuple[Array, Array]:
        """Return the precisions times the distances from the means."""
        pulled = self.walk[1] * walk
        pulled[:-1] += self.walk[0, 1:] * walk[1:]
        pulled[1:] += self.walk[0, 1:] * walk[:-1]
        return self.precision * (effects - self.mean), pulled

    def log_density(self, effects: Array, walk: Array) -> float:
        """Return the log of the density, up to a constant."""
        of_effects, of_walk = self.pull(effects, walk)
        return float(-0.5 * ((effects - self.mean) @ of_effects + walk @ of_walk))


def _mode(arrivals: Arrivals, design: Array, hyper: Hyper, effects: Array, walk: Array) -> _Mode:
    """Return the mode at a point of the grid by Newton's method, and Laplace's marginal likelihood.

    The walk is eliminated first: its precision has two diagonals.
    """
    prior, y, phi = _Prior.of(arrivals, hyper), arrivals.number, hyper.spread
    offset = np.log(arrivals.length) + hyper.curve.height(arrivals.time)

    def value(effects: Array, walk: Array) -> float:
        eta = offset + design @ effects + np.append(walk, 0.0)
        likelihood = y @ eta - (y + 1.0 / phi) @ np.logaddexp(0.0, eta + np.log(phi))
        return float(likelihood) + prior.log_density(effects, walk)

    best = value(effects, walk)
    for _ in range(STEPS):
        mean = np.exp(np.minimum(offset + design @ effects + np.append(walk, 0.0), LARGEST_LOG_MEAN))
        weight = mean * (1.0 + phi * y) / (1.0 + phi * mean) ** 2
        by_eta = (y - mean) / (1.0 + phi * mean)
        pulls = prior.pull(effects, walk)
        scores = design.T @ by_eta - pulls[0], by_eta[:-1] - pulls[1]
        both = (weight[:, None] * design)[:-1]
        banded = linalg.cholesky_banded(prior.walk + np.stack([np.zeros(len(walk)), weight[:-1]]))
        solved = linalg.cho_solve_banded((banded, False), np.column_stack([both, scores[1]]))
        whole = np.diag(prior.precision) + design.T @ (weight[:, None] * design)
        factor = np.linalg.cholesky(whole - both.T @ solved[:, :-1])
        step = linalg.cho_solve((factor, True), scores[0] - both.T @ solved[:, -1])
        of_walk = solved[:, -1] - solved[:, :-1] @ step
        if scores[0] @ step + scores[1] @ of_walk < GTOL:
            break
        share, last = 1.0, best
        while (best := value(effects + share * step, walk + share * of_walk)) < last and share > SHORTEST_STEP:
            share *= 0.5
        effects, walk = effects + share * step, walk + share * of_walk
    log_determinant = np.log(banded[1]).sum() + np.log(np.diag(factor)).sum()
    constant = special.gammaln(y + 1.0 / phi) - special.gammaln(1.0 / phi) + y * np.log(phi) - special.gammaln(y + 1.0)
    log_marginal = best + constant.sum() + 0.5 * prior.log_determinant - log_determinant
    return _Mode(hyper, effects, walk, factor, float(log_marginal) + hyper.log_prior)
