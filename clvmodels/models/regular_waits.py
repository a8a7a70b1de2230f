"""Regular purchases: the waits between the purchases of a customer are Gamma(k, lambda), with lambda ~ Gamma(r, alpha).

With k = 1 purchases come at random; the larger k is, the more evenly. A wait of whole k is k stages that are passed at
random, at rate lambda each, and customers are in one of them. All functions broadcast.

Source: Platzer & Reutterer (2016), Ticking away the moments: timing regularity helps to better predict customer
activity, Marketing Science 35(5); Reutterer, Platzer & Schroeder (2021), Leveraging purchase regularity for predicting
customer behavior the easy way, International Journal of Research in Marketing 38(1). Here k need not be whole: the
probability of a silence is an incomplete beta function.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from scipy import special

from clvmodels.models.simulation import events
from clvmodels.models.specification import Array, Events, OwnRates, Stages, Traits
from clvmodels.numerics.incomplete_beta import log_incomplete_beta, log_incomplete_beta_slopes
from clvmodels.numerics.special import digamma_difference, log_beta, log_gamma_ratio

__all__ = [
    "LOG_WAITS",
    "MOST_STAGES",
    "Silence",
    "count_terms",
    "factor_of_waits",
    "log_purchases",
    "log_silence",
    "log_stages_passed",
    "own_rates_of_stages",
    "passed",
    "renewal_intensity",
    "silence",
    "stacked",
    "stage_weights",
    "thinned",
    "words_of_stages",
]

LOG_WAITS: Final = "log_waits"
"""The sum of the logs of a customer's waits; of all customers, a total."""
COMPILED_FROM: Final = 256
"""Silences at once: compiled, each takes a microsecond or less, and loading the compiler pays."""
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
    columns = np.broadcast_arrays(r + k * x, np.asarray(k, float), T - t_x, alpha + t_x)
    if columns[0].size >= COMPILED_FROM:
        from clvmodels.models.kernels.silences import write_silences

        out = np.empty((4, columns[0].size))
        n, of_k, silent, age = (np.ascontiguousarray(column).ravel() for column in columns)
        write_silences(n, of_k, isinstance(k, int), silent, age, out)
        value, by_n, by_alpha, by_shape = out.reshape(4, *columns[0].shape)
        return Silence(value, by_n, by_alpha, np.zeros_like(value) if isinstance(k, int) else x * by_n + by_shape)
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


def own_rates_of_stages(stages: Stages) -> OwnRates:
    """Return how purchase rates differ given a history and being alive: in stage j, lambda ~ Gamma(r+kx+j, alpha+T).

    A purchase takes k stages, so that the rate of purchases is lambda / k. In theta, r and alpha come first.
    """
    k = stages.number

    def shape_and_scale(theta: Array, x: Array, T: Array) -> tuple[Array, Array]:
        r, alpha = theta[..., 0, None], theta[..., 1, None]
        return r + k * np.asarray(x)[..., None] + np.arange(k), k * (alpha + np.asarray(T)[..., None])

    def mean(theta: Array, x: Array, t_x: Array, T: Array) -> Array:
        shape, scale = shape_and_scale(theta, x, T)
        return np.asarray((stages.weights(theta, x, t_x, T) * shape / scale).sum(axis=-1))

    def at_most(theta: Array, x: Array, t_x: Array, T: Array, rate: Array) -> Array:
        shape, scale = shape_and_scale(theta, x, T)
        below = special.gammainc(shape, scale * np.asarray(rate)[..., None])
        return np.asarray((stages.weights(theta, x, t_x, T) * below).sum(axis=-1))

    return OwnRates(mean, at_most)


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


def log_purchases(number: Array, k: int, stage: Array, n: Array, log_share: Array, none: Array) -> Array:
    """Return the log of the probability of so many purchases by customers in a stage; arguments as above."""
    logs = []
    for i in range(k):
        e = number * k - stage + i
        logs.append(np.where(e >= 0.0, log_stages_passed(np.maximum(e, 0.0), n, log_share, none), -np.inf))
    return _log_sum(logs)


def renewal_intensity(k: int, n: Array, age: Array, stage: Array, t: Array) -> Array:
    """Return the expected purchase rate at a time t ahead of customers who stay and are in a stage now.

    Their rate of stages lambda is Gamma(n, age). They buy at rate lambda while they are in the last of the k stages: if
    the number of stages passed leaves the remainder k - 1 - stage. The probability of a remainder c of a Poisson number
    is the mean of w^-c exp(-lambda t (1 - w)) over the k-th roots of unity w.
    """
    ratio, remainder = t / age, k - 1.0 - stage
    total = np.ones(np.broadcast_shapes(np.shape(ratio), np.shape(n), np.shape(stage)))
    for root in range(1, k // 2 + 1):
        angle = 2.0 * np.pi * root / k
        fall, turn = (1.0 - np.cos(angle)) * ratio, np.sin(angle) * ratio
        log_size = 0.5 * np.log1p(fall * (2.0 + fall) + turn**2)
        phase = (n + 1.0) * np.arctan2(turn, 1.0 + fall) - angle * remainder
        part = np.exp(-(n + 1.0) * log_size) * np.cos(phase)
        total += part if 2 * root == k else 2.0 * part  # the other root is its conjugate
    return np.asarray(np.maximum(total, 0.0) * n / age / k)


def factor_of_waits(theta: Array, k: int | None) -> tuple[Array, Array]:
    """Return k - 1, which the sum of all log waits is multiplied by, and its gradient; None: theta's last."""
    gradient = np.zeros((1, theta.shape[-1]))
    if k is None:
        gradient[0, -1] = 1.0
    return np.array([(theta[-1] if k is None else k) - 1.0]), gradient


def stacked(slopes: list[Array], shape: tuple[int, ...], number: int) -> Array:
    """Return the gradient, of which the slope by k is left out where k is no parameter."""
    return np.stack([np.broadcast_to(each, shape) for each in slopes[:number]], axis=-1)


def words_of_stages(k: int, poisson: str, _: Mapping[str, float]) -> list[str]:
    """Return what a whole k says about the customers."""
    if k == 1:
        return [f"Customers buy at random: with k = 1 this is {poisson}."]
    regular = (
        f"Customers buy regularly: the waits of one customer vary by {100.0 / np.sqrt(k):.0f} % (k = {k}), where random"
        " ones vary by 100 %. A customer who is overdue is soon taken to have left."
    )
    return [regular]


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
