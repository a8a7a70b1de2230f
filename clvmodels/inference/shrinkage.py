"""Rates of single customers, shrunk to the population: what is seen of each is weighed with what all are like.

Story: the events of a customer are Poisson at their own rate ~ Gamma(shape, rate), or happen in each of their trials
with their own probability ~ Beta(a, b). The population is fitted by maximum likelihood; given it, the rate of each
customer has a posterior in closed form. Where customers differ no more than by chance, all have the pooled rate.

Source: Efron & Morris (1975), Journal of the American Statistical Association 70(350), on shrinkage; Tarone (1979),
Biometrika 66(3), on the score that tells whether customers differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from clvmodels.errors import DataError, FitError
from clvmodels.models.specification import Array
from clvmodels.numerics.distinct import distinct_rows
from clvmodels.numerics.maximisation import Objective, maximise_from, newton_polish, simplex
from clvmodels.numerics.special import log_gamma_ratio
from clvmodels.numerics.threads import dot

__all__ = ["Shrunk", "beta_binomial", "gamma_poisson"]

NO_MORE: Final = 1e-9
"""Customers differ if their counts vary by this share more than by chance (Tarone's score, which is then positive)."""
STARTS: Final = (1e-2, 1e4)
"""Between these the concentration of the population is looked for first."""
STEP: Final = 1e-5
"""Of differences by the population's parameters."""
LEAST_CURVATURE: Final = 0.1
"""Of the log-likelihood: where the data say less, draws of the population vary as if they said this much."""


@dataclass(frozen=True)
class _Family:
    """Rates of a population, and what a customer's events say about theirs. `psi` are two numbers on the last axis.

    Attributes
    ----------
    parameters
        ``psi -> parameters by name``.
    posterior
        ``(psi, events, exposure) -> (u, v)``: the parameters of a customer's posterior; broadcasts.
    moments
        ``(u, v) -> (mean, sd)``.
    draw
        ``(generator, u, v) -> draws``.
    """

    parameters: Callable[[Array], dict[str, float]]
    posterior: Callable[[Array, Array, Array], tuple[Array, Array]]
    moments: Callable[[Array, Array], tuple[Array, Array]]
    draw: Callable[[np.random.Generator, Array, Array], Array]


@dataclass(frozen=True, eq=False)
class Shrunk:
    """Rates by customer, each shrunk to the population.

    Attributes
    ----------
    parameters
        Of the population: shape and rate of a gamma, a and b of a beta distribution; infinite if all rates are one.
    population_mean
        Mean rate of the population, also that of a customer who has not been observed.
    pooled
        Whether customers differ no more than by chance, so that everyone has the pooled rate.
    log_likelihood
        Of the counts, at the parameters.
    mean, sd
        Mean and standard deviation of each customer's posterior, given the parameters; shape (customers,). If pooled,
        sd is zero.
    common_sd
        Standard deviation of the mean that comes with the population's: it is common to all customers, and does not
        average out; shape (customers,). If pooled, the standard error of the one rate.
    """

    parameters: Mapping[str, float]
    population_mean: float
    pooled: bool
    log_likelihood: float
    mean: Array = field(repr=False)
    sd: Array = field(repr=False)
    common_sd: Array = field(repr=False)
    _family: _Family = field(repr=False)
    _seen: tuple[Array, Array] = field(repr=False)
    _psi: Array = field(repr=False)
    _root: Array = field(repr=False)

    def draw(self, generator: np.random.Generator, size: int) -> Array:
        """Draw rates of all customers.

        Each draw has parameters of its own, from the normal approximation to their posterior, so that it carries the
        uncertainty about the population too; if pooled, the one rate of all is drawn.

        Parameters
        ----------
        generator
            The source of randomness.
        size
            Number of draws.

        Returns
        -------
        Array
            Shape (size, customers).

        Examples
        --------
        >>> rates = gamma_poisson([0, 0, 1, 7], [1.0, 1.0, 1.0, 1.0])
        >>> rates.draw(np.random.default_rng(1), 3).shape
        (3, 4)
        """
        events, exposure = self._seen
        if not (self.sd.any() or self.common_sd.any()):
            return np.tile(self.mean, (size, 1))
        if self.pooled:
            rate = self._family.draw(generator, np.full((size, 1), events.sum()), np.full((size, 1), exposure.sum()))
            return np.repeat(rate, len(events), axis=1)
        psi = self._psi + generator.standard_normal((size, 2)) @ self._root.T
        return self._family.draw(generator, *self._family.posterior(psi[:, None, :], events, exposure))


# -------------------------------------------------------------------------------------------------- gamma-Poisson


def gamma_poisson(count: ArrayLike, exposure: ArrayLike) -> Shrunk:
    """Return rates of events, shrunk to the population.

    Parameters
    ----------
    count
        Events of each customer, shape (customers,).
    exposure
        How long, or over how many orders, they were counted; zero for a customer of whom nothing was seen yet, whose
        rate is the population mean.

    Raises
    ------
    DataError
        If counts are no whole numbers from zero up, exposures no numbers from zero up, or there are events without
        exposure or no exposure at all.
    FitError
        If no maximum of the likelihood is found.

    Notes
    -----
    mean = (shape + count) / (rate + exposure).

    Examples
    --------
    >>> contacts = gamma_poisson([0, 0, 1, 7, 0], [1.0, 2.0, 1.0, 1.0, 0.0])
    >>> contacts.mean.round(2)
    array([0.26, 0.14, 1.13, 6.33, 1.96])
    >>> contacts.pooled
    False
    """
    n, e = _numbers(count, "count"), _numbers(exposure, "exposure")
    _require(n, e)
    if ((n > 0.0) & (e == 0.0)).any():
        raise DataError(
            f"{((n > 0.0) & (e == 0.0)).sum():,} customers have events, but no exposure in which to have them"
        )
    total, time = float(n.sum()), float(e.sum())
    rows = distinct_rows(n, e)
    (n_d, e_d), w = rows.rows.T, rows.weight
    fixed = dot(w, special.xlogy(n_d, e_d) - special.gammaln(n_d + 1.0))
    pooled = total / time
    spread = dot(w, (n_d - pooled * e_d) ** 2 - n_d)
    if spread <= NO_MORE * total:
        log_likelihood = fixed + float(special.xlogy(total, pooled)) - total
        return _one_rate(GAMMA, n, e, pooled, math.sqrt(total) / time, log_likelihood)
    start = np.log([pooled, np.clip(dot(w, (pooled * e_d) ** 2) / spread, *STARTS)])
    numbers, number_weight = _histogram(n_d, w)

    def log_likelihood_of(psi: Array) -> tuple[float, Array]:
        m, k = np.exp(psi)
        u = m / k * e_d
        left, grown = u / (1.0 + u), np.log1p(u)
        value = dot(number_weight, log_gamma_ratio(k, numbers)) + total * np.log(m / k)
        by_k = dot(number_weight, special.digamma(k + numbers) - special.digamma(k)) - total / k
        by_k += dot(w, (1.0 + n_d / k) * left - grown)
        return value - dot(w, (k + n_d) * grown) + fixed, np.array([total - dot(w, (k + n_d) * left), k * by_k])

    return _fitted(GAMMA, n, e, log_likelihood_of, start)


def _gamma_posterior(psi: Array, n: Array, e: Array) -> tuple[Array, Array]:
    m, k = np.moveaxis(np.exp(psi), -1, 0)
    return k + n, k / m + e


def _gamma_parameters(psi: Array) -> dict[str, float]:
    m, k = np.exp(psi)
    return {"shape": float(k), "rate": float(k / m)}


GAMMA: Final = _Family(
    parameters=_gamma_parameters,
    posterior=_gamma_posterior,
    moments=lambda u, v: (u / v, np.sqrt(u) / v),
    draw=lambda generator, u, v: generator.standard_gamma(u) / v,
)


# -------------------------------------------------------------------------------------------------- beta-binomial


def beta_binomial(successes: ArrayLike, trials: ArrayLike) -> Shrunk:
    """Return shares of trials that succeed, shrunk to the population.

    Parameters
    ----------
    successes, trials
        Of each customer, shape (customers,); a customer without trials has the population mean.

    Raises
    ------
    DataError
        If they are no whole numbers from zero up, somebody has more successes than trials, or nobody has a trial.
    FitError
        If no maximum of the likelihood is found.

    Notes
    -----
    mean = (a + successes) / (a + b + trials).

    Examples
    --------
    >>> returned = beta_binomial([0, 0, 4, 1, 0], [9, 8, 5, 6, 0])
    >>> returned.mean.round(2)
    array([0.02, 0.03, 0.69, 0.18, 0.22])
    """
    s, n = _numbers(successes, "successes"), _numbers(trials, "trials")
    _require(s, n)
    if (n != np.rint(n)).any():
        raise DataError(f"trials are whole numbers, got {n[n != np.rint(n)][0]:g}")
    if (s > n).any():
        raise DataError(f"{(s > n).sum():,} customers have more successes than trials")
    rows = distinct_rows(s, n)
    (s_d, n_d), w = rows.rows.T, rows.weight
    f_d = n_d - s_d
    fixed = dot(w, special.gammaln(n_d + 1.0) - special.gammaln(s_d + 1.0) - special.gammaln(f_d + 1.0))
    hits, misses = float(s.sum()), float((n - s).sum())
    p = hits / (hits + misses)
    variance = p * (1.0 - p)
    spread = dot(w, (s_d - p * n_d) ** 2 - n_d * variance)
    if spread <= NO_MORE * variance * (hits + misses):
        log_likelihood = fixed + float(special.xlogy(hits, p) + special.xlog1py(misses, -p))
        return _one_rate(BETA, s, n - s, p, math.sqrt(variance / (hits + misses + 1.0)), log_likelihood)
    concentration = dot(w, n_d * (n_d - 1.0)) * variance / spread - 1.0
    start = np.array([special.logit(p), np.log(np.clip(concentration, *STARTS))])
    counts = [_histogram(column, w) for column in (s_d, f_d, n_d)]

    def log_likelihood_of(psi: Array) -> tuple[float, Array]:
        share, total = special.expit(psi[0]), np.exp(psi[1])
        places = np.array([share, special.expit(-psi[0]), 1.0]) * total
        value, by = np.empty(3), np.empty(3)
        for j, (place, (number, weight)) in enumerate(zip(places, counts, strict=True)):
            value[j] = dot(weight, log_gamma_ratio(place, number))
            by[j] = dot(weight, special.digamma(place + number) - special.digamma(place))
        a, b, c = by * places
        odds = a * special.expit(-psi[0]) - b * share
        return value[0] + value[1] - value[2] + fixed, np.array([odds, a + b - c])

    return _fitted(BETA, s, n - s, log_likelihood_of, start)


def _beta_posterior(psi: Array, s: Array, f: Array) -> tuple[Array, Array]:
    logit, log_total = np.moveaxis(psi, -1, 0)
    total = np.exp(log_total)
    return special.expit(logit) * total + s, special.expit(-logit) * total + f


def _beta_moments(u: Array, v: Array) -> tuple[Array, Array]:
    mean = u / (u + v)
    return mean, np.sqrt(mean * (v / (u + v)) / (u + v + 1.0))


def _beta_parameters(psi: Array) -> dict[str, float]:
    a, b = _beta_posterior(psi, np.zeros(()), np.zeros(()))
    return {"a": float(a), "b": float(b)}


BETA: Final = _Family(
    parameters=_beta_parameters,
    posterior=_beta_posterior,
    moments=_beta_moments,
    draw=lambda generator, u, v: generator.beta(u, v),
)
"""Its exposure are the failures."""


# --------------------------------------------------------------------------------------------------------- shared


def _numbers(values: ArrayLike, name: str) -> Array:
    """Return values as an array of finite numbers from zero up."""
    array = np.asarray(values, dtype=np.float64)
    bad = ~(np.isfinite(array) & (array >= 0.0))
    if array.ndim != 1 or bad.any():
        got = f"shape {array.shape}" if array.ndim != 1 else f"{array[bad][0]:g} ({bad.sum():,} such values)"
        raise DataError(f"{name} is a row of numbers from zero up, one a customer; got {got}")
    return array


def _require(events: Array, exposure: Array) -> None:
    """Refuse counts that are no whole numbers, and data that say nothing."""
    if events.shape != exposure.shape:
        raise DataError(f"counts of {len(events):,} customers go with exposures of {len(exposure):,}; give both of all")
    if (events != np.rint(events)).any():
        raise DataError(f"events are whole numbers, got {events[events != np.rint(events)][0]:g}")
    if not exposure.any():
        raise DataError("nobody was observed: all exposures are zero, so that there is no rate to be had")


def _histogram(values: Array, weight: Array) -> tuple[Array, Array]:
    """Return the distinct values and the weight of each."""
    distinct, place = np.unique(values, return_inverse=True)
    return distinct, np.bincount(place, weight).astype(np.float64)


def _one_rate(family: _Family, events: Array, rest: Array, rate: float, sd: float, log_likelihood: float) -> Shrunk:
    """Return the pooled rate for everyone."""
    return Shrunk(
        parameters=dict.fromkeys(family.parameters(np.zeros(2)), np.inf),
        population_mean=rate,
        pooled=True,
        log_likelihood=log_likelihood,
        mean=np.full(len(events), rate),
        sd=np.zeros(len(events)),
        common_sd=np.full(len(events), sd),
        _family=family,
        _seen=(events, rest),
        _psi=np.empty(0),
        _root=np.empty(0),
    )


def _fitted(
    family: _Family, events: Array, rest: Array, log_likelihood: Callable[[Array], tuple[float, Array]], start: Array
) -> Shrunk:
    """Return the rates under the population that maximises the likelihood."""
    objective = Objective(log_likelihood, len(events) + float(events.sum()))
    optimum = maximise_from(objective, start)
    if not optimum.converged:
        optimum = newton_polish(objective, simplex(objective, start))
    if not optimum.converged:
        raise FitError(
            f"no maximum of the likelihood of {len(events):,} customers' counts was found: the gradient is"
            f" {np.abs(optimum.gradient).max():.1e} an event; look for counts in another unit, or of somebody else"
        )
    u, v = family.posterior(optimum.psi, events, rest)
    mean, sd = family.moments(u, v)
    values, vectors = np.linalg.eigh(optimum.hessian)
    root = vectors / np.sqrt(np.maximum(values, LEAST_CURVATURE))
    nobody = family.posterior(optimum.psi, np.zeros(()), np.zeros(()))
    return Shrunk(
        parameters=family.parameters(optimum.psi),
        population_mean=float(family.moments(*nobody)[0]),
        pooled=False,
        log_likelihood=float(optimum.value),
        mean=mean,
        sd=sd,
        common_sd=_slope(family, optimum.psi, events, rest) * math.hypot(*root[0]),
        _family=family,
        _seen=(events, rest),
        _psi=optimum.psi,
        _root=root,
    )


def _slope(family: _Family, psi: Array, events: Array, rest: Array) -> Array:
    """Return how much each customer's mean rises with the first of `psi`, the mean of the population."""
    step = np.array([STEP, 0.0])
    up, down = (family.posterior(shifted, events, rest) for shifted in (psi + step, psi - step))
    return np.asarray((family.moments(*up)[0] - family.moments(*down)[0]) / (2.0 * STEP))
