"""What the models of contracts share: customers renew or leave at the end of each period, and are seen to leave.

A customer has their own probability theta ~ Beta(gamma, delta); they renew at least n times with probability
(1 - theta)^(n^c). With c = 1 they leave at each renewal with the same probability (sBG), with c > 1 ever more likely,
with c < 1 ever less (beta-discrete-Weibull). Over customers, S(n) = B(gamma, delta + n^c) / B(gamma, delta).

A history is (x, t_x, n): x renewals in a row, the last of them at t_x = x, of n that were due by the end of
observation: x = n for those still under contract, x < n for those who have left. A customer may be observed from their
m-th renewal on (`entered`): their history is then given that they renewed m times.

Source: Fader & Hardie (2007), Journal of Interactive Marketing 21(1); Fader, Hardie, Liu, Davis & Steenburgh (2018),
"How to project customer retention" revisited: the role of duration dependence, Journal of Interactive Marketing 43.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from clvmodels.models.differences import no_terms
from clvmodels.models.kernel import CompiledSums, Kernel
from clvmodels.models.specification import Array, Events, Limit, Quantity
from clvmodels.numerics.special import digamma_difference, log_beta_ratio

__all__ = [
    "KERNEL",
    "LIMITS",
    "QUANTITIES",
    "expected_renewals",
    "from_quantities",
    "future",
    "history_terms",
    "log_retained",
    "p_alive",
    "pmf",
    "rate",
    "residual_payments",
    "simulate",
    "to_quantities",
]

LOG_OF_NOTHING: Final = -40.0
"""Payments that count less than exp of this beside all before them are left out."""
LARGEST_LOG: Final = 300.0
"""n^c beyond exp(300) is that: products of such numbers are still doubles."""
RAREST: Final = -1e-300
"""The log of a retention rate is below this: the log of the chance to leave is then a number."""

QUANTITIES: Final = (
    Quantity(
        "churn",
        "share of new customers who leave at the first renewal",
        ("Beta", {"alpha": 1.0, "beta": 2.0}),
        share=True,
        leaving=True,
    ),
    Quantity(
        "churn_concentration",
        "how alike customers are in it: their chances are Beta(churn, 1 - churn) times this",
        ("LogNormal", {"mu": 1.0, "sigma": 1.5}),
        leaving=True,
    ),
)

LIMITS: Final = (
    Limit("nobody is seen to leave", ({"delta": 1.0, "gamma": -1.0},), endless=True),
    Limit(
        "some leave at the first renewal, the rest never",
        ({"gamma": -1.0}, {"delta": -1.0}),
        {"gamma": 1e-3, "delta": 1e-2},
        endless=True,
    ),
    Limit("chances to leave do not differ", ({"gamma": 1.0}, {"delta": 1.0}), {"gamma": 30.0, "delta": 300.0}),
    Limit("everybody leaves at the first renewal", ({"gamma": 1.0, "delta": -1.0},)),
)


def from_quantities(quantities: Mapping[str, Any], year: float) -> dict[str, Any]:  # noqa: ARG001 - of a period
    """Return gamma and delta."""
    churn, concentration = quantities["churn"], quantities["churn_concentration"]
    return {"gamma": churn * concentration, "delta": (1.0 - churn) * concentration}


def to_quantities(params: Mapping[str, Any], year: float) -> dict[str, Any]:  # noqa: ARG001
    """Return the share who leave at the first renewal, and how alike customers are in it."""
    concentration = params["gamma"] + params["delta"]
    return {"churn": params["gamma"] / concentration, "churn_concentration": concentration}


def log_retained(theta: Array, before: Array, after: Array) -> Array:
    """Return log[S(after) / S(before)], the log of P(`after` renewals | `before` renewals).

    Parameters
    ----------
    theta
        gamma, delta and, of the beta-discrete-Weibull, c along the last axis; the other axes broadcast.
    before, after
        Numbers of renewals, the second at least the first.
    """
    gamma, delta, c = _parts(theta)
    start, step = _exposure(before, after, c)
    return log_beta_ratio(gamma, delta + start, step)


def history_terms(theta: Array, x: Array, t_x: Array, n: Array, entered: Array | float = 0.0) -> tuple[Array, Array]:  # noqa: ARG001 - t_x is x
    """Return the log-likelihood and its gradient: x renewals, given `entered` of them, and then leaving if x < n.

    Leaving has probability S(x) - S(x + 1), as log S(x) + log(1 - retention): differences of S would lose its digits.
    """
    stays, by_stays = _with_gradient(theta, np.asarray(entered), x)
    renews, by_renews = _with_gradient(theta, x, x + 1.0)
    renews = np.minimum(renews, RAREST)
    churned = np.asarray(n > x)
    value = stays + np.where(churned, _log_rest(renews), 0.0)
    slope = np.where(churned, -1.0 / np.expm1(-renews), 0.0)
    return value, by_stays + slope[..., None] * by_renews


def p_alive(theta: Array, x: Array, t_x: Array, n: Array) -> Array:  # noqa: ARG001 - t_x is x
    """Return 1 for customers under contract and 0 for those who have left: it is observed."""
    return np.where(np.asarray(n > x), 0.0, np.ones(theta.shape[:-1]))


def future(theta: Array, x: Array, n: Array, t: Array) -> tuple[Array, Array]:  # noqa: ARG001 - of n renewals
    """Return P(under contract after t more renewals) given n renewals, and that of the payment then: the same."""
    survival = np.exp(log_retained(theta, n, n + t))
    return survival, survival


def expected_renewals(theta: Array, x: Array, n: Array, t: Array) -> Array:
    """Return the expected renewals of the next t: the sum of the probabilities of each."""
    total = np.zeros(np.broadcast_shapes(theta.shape[:-1], np.shape(x), np.shape(n), np.shape(t)))
    for number in np.arange(1.0, float(np.max(t, initial=0.0)) + 1.0):
        total += np.where(number <= t, future(theta, x, n, np.asarray(number))[0], 0.0)
    return total


def pmf(theta: Array, x: Array, n: Array, t: Array, k: Array) -> Array:  # noqa: ARG001
    """Return P(k renewals of the next t): leaving at the one after, or at none of them."""
    renewed = np.minimum(k, t)
    leaves = _log_rest(np.minimum(log_retained(theta, n + renewed, n + renewed + 1.0), RAREST))
    log_probability = log_retained(theta, n, n + renewed) + np.where(k < t, leaves, 0.0)
    return np.where(k <= t, np.exp(log_probability), 0.0)


def rate(theta: Array) -> Array:
    """Return 1: a customer under contract pays once a period."""
    return np.ones(theta.shape[:-1])


def simulate(theta: Array, x: Array, n: Array, duration: Array, generator: np.random.Generator) -> Events:  # noqa: ARG001
    """Draw renewals: after n renewals the chance to leave is Beta(gamma, delta + n^c).

    With a standard exponential e, they renew as often as (n + k)^c - n^c < e / -log(1 - theta).
    """
    gamma, delta, c = _parts(theta)
    start, _ = _exposure(n, n, c)
    with np.errstate(divide="ignore", over="ignore"):  # who never leaves, or at once
        lasts = generator.standard_exponential(len(n)) / -np.log1p(-generator.beta(gamma, delta + start))
        last = np.maximum(np.floor(lasts if c is None else (start + lasts) ** (1.0 / c) - n), 0.0)
    renewed = np.minimum(last, np.floor(duration))
    count = renewed.astype(np.int64)
    customer = np.repeat(np.arange(len(n)), count)
    time = np.arange(1.0, len(customer) + 1.0) - np.repeat(np.cumsum(count) - count, count)
    return Events(customer, np.asarray(time, float), renewed, renewed >= np.floor(duration))


def residual_payments(theta: Array, renewals: int, discount_rate: float) -> tuple[Array, Array]:
    """Return discounted expected payments after 0, 1, ... renewals, and their elasticity to retention.

    R(n) = sum over m >= 1 of v^m S(n + m) / S(n), v = 1 / (1 + d), by the recursion R(n) = q (1 + R(n + 1)) from far
    off, with q = v S(n + 1) / S(n). If retention at every renewal is higher by a small share e, each term is higher by
    m e: the elasticity is the mean m, weighted with the terms; their sum M(n) = q (1 + R(n + 1) + M(n + 1)). With a
    constant retention r it is (1 + d) / (1 + d - r).

    Parameters
    ----------
    theta
        Parameters along the last axis.
    renewals
        The largest number of renewals.
    discount_rate
        d, effective for one period, positive.

    Returns
    -------
    payments, elasticity
        Shape (..., renewals + 1) each.
    """
    v = 1.0 / (1.0 + discount_rate)
    last = renewals + int(np.ceil((LOG_OF_NOTHING + np.log(discount_rate)) / np.log(v))) + 1
    n = np.arange(float(last))
    q = v * np.exp(log_retained(theta[..., None, :], n, n + 1.0))
    payments, times = np.zeros((*theta.shape[:-1], renewals + 1)), np.zeros((*theta.shape[:-1], renewals + 1))
    value, weighted = np.zeros(theta.shape[:-1]), np.zeros(theta.shape[:-1])
    for number in range(last - 1, -1, -1):
        value, weighted = q[..., number] * (1.0 + value), q[..., number] * (1.0 + value + weighted)
        if number <= renewals:
            payments[..., number], times[..., number] = value, weighted
    return payments, times / payments


def _parts(theta: Array) -> tuple[Array, Array, Array | None]:
    """Return gamma, delta, and c if it is a parameter; else None."""
    gamma, delta, *rest = np.moveaxis(theta, -1, 0)
    return gamma, delta, rest[0] if rest else None


def _exposure(before: Array, after: Array, c: Array | None) -> tuple[Array, Array]:
    """Return before^c, and after^c less it, which few renewals after many would lose digits of."""
    if c is None:
        return np.asarray(before), np.asarray(after - before)
    first = np.maximum(before, 1.0)
    start = np.where(before > 0.0, _power(first, c), 0.0)
    log_growth = np.minimum(c * np.log1p(np.maximum(after - first, 0.0) / first), LARGEST_LOG)
    whole = np.where(after > 0.0, _power(np.maximum(after, 1.0), c), 0.0)
    return start, np.where(before > 0.0, start * np.expm1(log_growth), whole)


def _power(number: Array, c: Array) -> Array:
    return np.asarray(np.exp(np.minimum(c * np.log(number), LARGEST_LOG)))


def _with_gradient(theta: Array, before: Array, after: Array) -> tuple[Array, Array]:
    """Return `log_retained` and its gradient, shape (..., parameters)."""
    gamma, delta, c = _parts(theta)
    start, step = _exposure(before, after, c)
    y = delta + start
    value = log_beta_ratio(gamma, y, step)
    by_gamma = -digamma_difference(y + gamma, step)
    by_y = digamma_difference(y, step) + by_gamma
    slopes = [by_gamma, by_y]
    if c is not None:
        by_step = -digamma_difference(y + step, gamma * np.ones_like(step))
        by_start = start * np.log(np.maximum(before, 1.0))
        whole = (start + step) * np.log(np.maximum(after, 1.0))
        slopes.append(by_y * by_start + by_step * (whole - by_start))
    return value, np.stack(np.broadcast_arrays(*slopes), axis=-1)


def _log_rest(log_share: Array) -> Array:
    """Return log(1 - exp(log_share)) for log_share < 0 without losing digits at either end."""
    half = -np.log(2.0)
    near_one, small = np.maximum(log_share, half), np.minimum(log_share, half)
    return np.asarray(np.where(log_share > half, np.log(-np.expm1(near_one)), np.log1p(-np.exp(small))))


def _compiled_sums() -> CompiledSums:
    """Return the functions of the kernel."""
    from clvmodels.models.kernels import contract as kernel

    return CompiledSums(kernel.count_sums, kernel.history_sums)


KERNEL: Final = Kernel(no_terms, history_terms, _compiled_sums)
