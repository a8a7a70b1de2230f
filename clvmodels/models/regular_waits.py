"""Regular purchases: the waits between the purchases of a customer are Gamma(k, lambda), with lambda ~ Gamma(r, alpha).

With k = 1 purchases come at random; the larger k is, the more evenly. A wait of whole k is k stages that are passed at
random, at rate lambda each, and customers are in one of them. All functions broadcast.

Source: Platzer & Reutterer (2016), Ticking away the moments: timing regularity helps to better predict customer
activity, Marketing Science 35(5); Reutterer, Platzer & Schroeder (2021), Leveraging purchase regularity for predicting
customer behavior the easy way, International Journal of Research in Marketing 38(1). Here k need not be whole: the
probability of a silence is an incomplete beta function.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from scipy import special

from clvmodels.models.simulation import events
from clvmodels.models.specification import Array, Events, Traits
from clvmodels.numerics.incomplete_beta import log_incomplete_beta, log_incomplete_beta_slopes
from clvmodels.numerics.special import digamma_difference, log_beta, log_gamma_ratio

__all__ = [
    "LOG_WAITS",
    "MOST_STAGES",
    "Silence",
    "count_terms",
    "log_silence",
    "log_stages_passed",
    "passed",
    "silence",
    "stage_weights",
    "thinned",
]

LOG_WAITS: Final = "log_waits"
"""The sum of the logs of a customer's waits; of all customers, a total."""
MOST_STAGES: Final = 50
"""Beyond it, purchases are as regular as a clock; sums over stages stay short."""
LEAST: Final = 1e-300
"""Stands for a share of zero: its log is a number, and its powers vanish."""


class Silence(NamedTuple):
    """The log of the probability of no purchase in (t_x, T], as long as the customer is alive, and its slopes."""

    log: Array
    by_r: Array
    by_alpha: Array
    by_k: Array


def count_terms(r: Array, alpha: Array, k: Array, x: Array) -> tuple[Array, Array, Array, Array]:
    """Return log of Gamma(r+kx) / (Gamma(r) Gamma(k)^x) alpha^-kx, and its slopes by r, alpha and k."""
    stages = k * x
    value = log_gamma_ratio(r, stages) - stages * np.log(alpha) - x * special.gammaln(k)
    by_r = digamma_difference(r, stages)
    by_k = x * (special.digamma(r + stages) - np.log(alpha) - special.digamma(k))
    return value, by_r, -stages / alpha, by_k


def log_silence(r: Array, alpha: Array, k: Array | int, x: Array, t_x: Array, T: Array) -> Array:
    """Return log of I_z(r+kx, k), z = (alpha+t_x)/(alpha+T): the probability of no purchase in (t_x, T]."""
    n, rest = r + k * x, (T - t_x) / (alpha + T)
    if isinstance(k, int):
        return _log_sum(_stage_logs(n, k, rest)) - n * np.log1p((T - t_x) / (alpha + t_x))
    return log_incomplete_beta(n, k, (alpha + t_x) / (alpha + T), rest)


def silence(r: Array, alpha: Array, k: Array | int, x: Array, t_x: Array, T: Array) -> Silence:
    """Return the same with its slopes; of a whole k, those by k are zero."""
    n, rest = r + k * x, (T - t_x) / (alpha + T)
    wait = np.log1p((T - t_x) / (alpha + t_x))  # minus log z
    if isinstance(k, int):
        logs = _stage_logs(n, k, rest)
        log_sum = _log_sum(logs)
        value = log_sum - n * wait
        by_n = sum(np.exp(logs[j] - log_sum) * digamma_difference(n, np.asarray(float(j))) for j in range(1, k)) - wait
        by_k = np.zeros_like(value)
    else:
        value, by_n, by_shape = log_incomplete_beta_slopes(n, k, (alpha + t_x) / (alpha + T), rest)
        by_k = x * by_n + by_shape
    shape = np.asarray(k, float)
    log_density = shape * np.log(np.maximum(rest, LEAST)) - (n - 1.0) * wait - log_beta(n, shape)
    by_alpha = np.where(rest > 0.0, np.exp(log_density - value) / (alpha + T), 0.0)
    return Silence(value, np.asarray(by_n), by_alpha, by_k)


def _stage_logs(n: Array, k: int, rest: Array) -> list[Array]:
    """Return the logs of Gamma(n+j) / (Gamma(n) j!) rest^j for the stages j < k."""
    log_rest = np.log(np.maximum(rest, LEAST))
    n, log_rest = np.broadcast_arrays(n, log_rest)
    logs = [np.zeros(n.shape)]
    for j in range(1, k):
        logs.append(logs[-1] + (np.log((n + (j - 1.0)) / j) + log_rest))
    return logs


def _log_sum(logs: list[Array]) -> Array:
    if len(logs) == 1:
        return logs[0]
    top = np.maximum.reduce(logs)
    return np.asarray(top + np.log(sum(np.exp(each - top) for each in logs)))


def stage_weights(n: Array, k: int, rest: Array) -> Array:
    """Return the probabilities of the stages after a silence, on a new last axis; n = r + kx.

    That of stage j is proportional to Gamma(n+j) / (Gamma(n) j!) rest^j, rest = (T - t_x) / (alpha + T).
    """
    logs = _stage_logs(np.asarray(n), k, np.asarray(rest))
    log_sum = _log_sum(logs)
    return np.stack([np.exp(each - log_sum) for each in logs], axis=-1)


def passed(y: Array, k: int) -> tuple[Array, Array]:
    """Return how many purchases y stages are, and the stage that the customer is in after these."""
    x = np.floor(np.asarray(y, float) / k)
    return x, y - k * x


def log_stages_passed(e: Array, n: Array, log_share: Array, none: Array) -> Array:
    """Return the log of the probability that e >= 0 stages are passed in a time t.

    Parameters
    ----------
    e
        Stages; need not be whole.
    n
        Shape of the gamma distribution of the rate, whose inverse scale is alpha + T.
    log_share
        Log of t / (alpha+T+t).
    none
        Log of the probability of none: -n log(1 + t/(alpha+T)).
    """
    return np.asarray(log_gamma_ratio(n, e) - special.gammaln(e + 1.0) + e * log_share + none)


def thinned(traits: Traits, stage: Array, k: int, duration: Array, generator: np.random.Generator) -> Events:
    """Return the purchases of customers who pass stages as `events` has them buy: each k-th stage is one.

    Parameters
    ----------
    traits
        With the rate of stages, and the purchase after which a customer leaves.
    stage
        In which they are at time 0, shape (customers,).
    k
        Stages of a purchase.
    duration, generator
        As of `events`.
    """
    last = k * traits.last_purchase - stage
    all_stages = events(Traits(traits.purchase_rate, traits.lifetime, last), duration, generator)
    customer = all_stages.customer
    count = np.bincount(customer, minlength=len(duration))
    number = np.arange(len(customer)) - np.repeat(np.cumsum(count) - count, count) + 1
    bought = (number + stage[customer]) % k == 0
    return Events(customer[bought], all_stages.time[bought], all_stages.left, all_stages.alive)
