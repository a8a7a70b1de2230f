"""Pareto/NBD: a customer may leave at any time.

Story: while alive, customers buy at random at their own rate lambda ~ Gamma(r, alpha), and they leave at their own
rate mu ~ Gamma(s, beta), whether or not they buy. alpha and beta are rates: mean purchase rate r / alpha.

Source: Schmittlein, Morrison & Colombo (1987), Management Science 33(1); Fader, Hardie & Lee (2005), Journal of
Marketing Research 42(4); the likelihood without hypergeometric functions from Fader & Hardie's notes 009 and 015.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from scipy import special

from clvmodels.models.counts import (
    GAMMA_RATES,
    PURCHASE_LIMITS,
    PURCHASE_RATE,
    PURCHASE_RATE_CV,
    log_negative_binomial,
    until_leaving,
)
from clvmodels.models.departures import Departures
from clvmodels.models.kernel import CompiledSums, Kernel
from clvmodels.models.specification import Array, Limit, Parameter, Quantity, Spells, Traits, TransactionModel
from clvmodels.numerics.power_integral import log_power_integral, power_integral
from clvmodels.numerics.special import bounded_odds, digamma_difference, log_gamma_ratio, shares

__all__ = ["PARETO_NBD"]

QUANTITIES: Final = (
    PURCHASE_RATE,
    PURCHASE_RATE_CV,
    Quantity(
        "first_year_loss",
        "share of new customers who leave within their first year",
        ("Beta", {"alpha": 1.2, "beta": 1.2}),
        share=True,
        leaving=True,
        level_of="dropout",
    ),
    Quantity(
        "dropout_rate_cv",
        "coefficient of variation of customers' rates of leaving",
        ("LogNormal", {"mu": 0.2, "sigma": 0.5}),
        leaving=True,
    ),
)

LIMITS: Final = (
    *PURCHASE_LIMITS,
    Limit("nobody is seen to leave", ({"beta": 1.0, "s": -1.0},), endless=True),
    Limit("nobody is seen to leave", ({"s": -1.0},), endless=True),
    Limit("some leave at once, the rest hardly ever", ({"beta": -1.0},), {"s": 0.02, "beta": 1e-4}, endless=True),
    Limit("rates of leaving do not differ", ({"s": 1.0}, {"beta": 1.0}), {"s": 30.0, "beta": 300.0}),
    Limit("everybody leaves at once", ({"s": 1.0, "beta": -1.0},)),
)


def from_quantities(quantities: Mapping[str, Any], year: float) -> dict[str, Any]:
    """Return r, alpha, s, beta; the loss is 1 - (beta / (beta + year))^s.

    In the share w = beta / (beta + year): its inverse overflows, and then beta has no gradient, where s is small.
    """
    r, s = quantities["purchase_rate_cv"] ** -2.0, quantities["dropout_rate_cv"] ** -2.0
    w = (1.0 - quantities["first_year_loss"]) ** (1.0 / s)
    return {"r": r, "alpha": r / quantities["purchase_rate"] * year, "s": s, "beta": year * w / (1.0 - w)}


def to_quantities(params: Mapping[str, Any], year: float) -> dict[str, Any]:
    """Return the quantities."""
    return {
        "purchase_rate": params["r"] / params["alpha"] * year,
        "purchase_rate_cv": params["r"] ** -0.5,
        "first_year_loss": 1.0 - (params["beta"] / (params["beta"] + year)) ** params["s"],
        "dropout_rate_cv": params["s"] ** -0.5,
    }


def count_terms(theta: Array, x: Array) -> tuple[Array, Array]:
    """Return log of Gamma(r+x)/Gamma(r) alpha^-x, and its gradient."""
    r, alpha = theta[..., 0], theta[..., 1]
    value = log_gamma_ratio(r, x) - x * np.log(alpha)
    gradient = np.zeros((4, *value.shape))
    gradient[0] = digamma_difference(r, x)
    gradient[1] = -x / alpha
    return value, np.moveaxis(gradient, 0, -1)


def history_terms(theta: Array, x: Array, t_x: Array, T: Array) -> tuple[Array, Array]:
    """Return the part of the log-likelihood that depends on t_x and T, and its gradient.

    Log of alive (1 + odds), with alive = (1+T/alpha)^-(r+x) (1+T/beta)^-s, and `_log_odds` those of having left.
    """
    r, alpha, s, beta = np.moveaxis(theta, -1, 0)
    n, silent = r + x, T - t_x
    growth, beta_growth = np.log1p(T / alpha), np.log1p(T / beta)
    silence, beta_silence = np.log1p(silent / (alpha + t_x)), np.log1p(silent / (beta + t_x))
    left = power_integral(n, s + 1.0, alpha, beta, t_x, silent)
    log_odds = _log_odds(left.log, n * silence, s * beta_silence, s / (beta + t_x))
    odds = bounded_odds(log_odds)
    rest, share = shares(odds)
    gradient = np.empty((4, *share.shape))
    gradient[0] = share * (silence + left.by_n) - growth
    gradient[1] = share * left.by_alpha + n / (alpha + t_x) * (t_x / alpha + rest * silent / (alpha + T))
    gradient[2] = share * (beta_silence + left.by_k + 1.0 / s) - beta_growth
    by_beta = s * (t_x / beta + rest * silent / (beta + T)) - share
    gradient[3] = share * left.by_beta + by_beta / (beta + t_x)
    value = np.maximum(np.log1p(odds), log_odds) - n * growth - s * beta_growth
    return value, np.moveaxis(gradient, 0, -1)


def _log_odds(log_integral: Array, purchases: Array, leaving: Array, rate: Array) -> Array:
    """Return the log of the odds of having left.

    They are s/(beta+t_x) int_{t_x}^T ((alpha+T)/(alpha+t))^(r+x) (beta+T)^s / (beta+t)^(s+1) dt; here all powers
    are relative to t_x.
    """
    return np.asarray(log_integral + np.log(rate) + purchases + leaving)


def staying_terms(theta: Array, x: Array, A: Array, D: Array) -> tuple[Array, Array, Array]:
    """Return log of (1+A/alpha)^-(r+x) (1+D/beta)^-s, its gradient, and its slope by A."""
    r, alpha, s, beta = np.moveaxis(theta, -1, 0)
    n, growth, beta_growth = r + x, np.log1p(A / alpha), np.log1p(D / beta)
    value = -n * growth - s * beta_growth
    gradient = np.empty((4, *value.shape))
    gradient[0], gradient[2] = -growth, -beta_growth
    gradient[1] = n / alpha * A / (alpha + A)
    gradient[3] = s / beta * D / (beta + D)
    return value, np.moveaxis(gradient, 0, -1), -n / (alpha + A)


def leaving_terms(
    theta: Array, x: Array, A: Array, D: Array, speed: Array, length: Array
) -> tuple[Array, Array, Array, Array]:
    """Return log of s int_0^length (1+(A+speed u)/alpha)^-(r+x) (1+(D+u)/beta)^-s / (beta+D+u) du, and its slopes.

    The first factor over its value at u = 0 falls as (1 + u/base)^-(r+x), with base = (alpha+A) / speed.
    """
    r, alpha, s, beta = np.moveaxis(theta, -1, 0)
    n, growth, beta_growth, base = r + x, np.log1p(A / alpha), np.log1p(D / beta), (alpha + A) / speed
    left = power_integral(n, s + 1.0, base, beta + D, np.zeros(()), length)
    value = left.log + np.log(s / beta) - n * growth - (s + 1.0) * beta_growth
    gradient = np.empty((4, *value.shape))
    by_A = left.by_alpha / speed
    gradient[0] = left.by_n - growth
    gradient[1] = by_A + n / alpha * A / (alpha + A)
    gradient[2] = left.by_k - beta_growth + 1.0 / s
    gradient[3] = left.by_beta + ((s + 1.0) * D / (beta + D) - 1.0) / beta
    return value, np.moveaxis(gradient, 0, -1), by_A - n / (alpha + A), -left.by_alpha * base / speed


def p_alive(theta: Array, x: Array, t_x: Array, T: Array) -> Array:
    """Return P(alive at T | x, t_x, T): one minus the share of those who have left."""
    r, alpha, s, beta = np.moveaxis(theta, -1, 0)
    n, silent = r + x, T - t_x
    log_integral = log_power_integral(n, s + 1.0, alpha, beta, t_x, silent)
    purchases, leaving = n * np.log1p(silent / (alpha + t_x)), s * np.log1p(silent / (beta + t_x))
    return shares(bounded_odds(_log_odds(log_integral, purchases, leaving, s / (beta + t_x))))[0]


def future(theta: Array, x: Array, T: Array, t: Array) -> tuple[Array, Array]:
    """Return ((beta+T)/(beta+T+t))^s and, as purchases and leaving are independent, (r+x)/(alpha+T) times that."""
    r, alpha, s, beta = np.moveaxis(theta, -1, 0)
    survival = np.exp(-s * np.log1p(t / (beta + T)))
    return survival, (r + x) / (alpha + T) * survival


def expected_purchases(theta: Array, x: Array, T: Array, t: Array) -> Array:
    """Return (r+x)/(alpha+T) int_0^t ((beta+T)/(beta+T+u))^s du, continuous at s = 1 (FHL 2005, equation 7)."""
    r, alpha, s, beta = np.moveaxis(theta, -1, 0)
    growth = np.log1p(t / (beta + T))
    return np.asarray((r + x) / (alpha + T) * (beta + T) * growth * special.exprel((1.0 - s) * growth))


def pmf(theta: Array, x: Array, T: Array, t: Array, n: Array) -> Array:
    """Return P(n purchases in (T, T+t]) of a customer alive at T.

    They stay through and buy n times, or have bought n times when they leave.
    """
    r, alpha, s, beta = np.moveaxis(theta, -1, 0)
    shape, rate, left, t, n, s = np.broadcast_arrays(r + x, alpha + T, beta + T, t, np.asarray(n, float), s)

    def log_count(time: Array) -> Array:
        return log_negative_binomial(n[..., None], shape[..., None], rate[..., None], time)

    return until_leaving(log_count, s, left, t)


def draw_traits(theta: Array, x: Array, T: Array, generator: np.random.Generator) -> Traits:
    """Draw customers alive at T: lambda ~ Gamma(r+x, alpha+T), mu ~ Gamma(s, beta+T), lifetime ~ exponential(mu)."""
    r, alpha, s, beta = np.moveaxis(theta, -1, 0)
    size = np.broadcast(r, x, T).shape
    rate = generator.gamma(np.broadcast_to(r + x, size)) / (alpha + T)
    with np.errstate(divide="ignore"):
        lifetime = generator.standard_exponential(size) / generator.gamma(np.broadcast_to(s, size)) * (beta + T)
    return Traits(rate, lifetime, np.full(size, np.inf))


def as_new(theta: Array, x: Array, T: Array) -> Array:
    """Return the parameters of the rates of customers alive at T: Gamma(r+x, alpha+T) and Gamma(s, beta+T)."""
    r, alpha, s, beta = np.moveaxis(theta, -1, 0)
    return np.stack(np.broadcast_arrays(r + x, alpha + T, s, beta + T), axis=-1)


def log_density_of_leaving(theta: Array, x: Array, t: Array) -> Array:
    """Return log of (alpha+t)^-(r+x) (beta+t)^-(s+1), relative to that at t = 0."""
    r, alpha, s, beta = np.moveaxis(theta, -1, 0)
    return np.asarray(-(r + x) * np.log1p(t / alpha) - (s + 1.0) * np.log1p(t / beta))


def state_of_leaver(theta: Array, x: Array, t: Array) -> tuple[Array, Array, Array]:
    """Return what gives lambda ~ Gamma(r+x, alpha+t) and mu ~ Gamma(s+1, beta+t), the rates of who leaves at t."""
    return theta + np.array([0.0, 0.0, 1.0, 0.0]), x, t


def compiled_sums() -> CompiledSums:
    """Return the functions of the kernel."""
    from clvmodels.models.kernels import pareto_nbd as kernel
    from clvmodels.models.kernels import pareto_nbd_rows as by_row

    return CompiledSums(kernel.count_sums, kernel.history_sums, row_sums=by_row.row_sums)


def compiled_spells() -> Callable[..., tuple[Array, Array, Array]]:
    """Return the function of the kernel that puts spells together."""
    from clvmodels.models.kernels.pareto_nbd_spells import history_terms

    return history_terms


PARETO_NBD = TransactionModel(
    key="pareto_nbd",
    name="Pareto/NBD",
    public_name="ParetoNBD",
    source="Schmittlein, Morrison & Colombo (1987), Management Science 33(1)",
    parameters=(Parameter("r"), Parameter("alpha", "time"), Parameter("s"), Parameter("beta", "time")),
    example={"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669},
    starts=(
        (0.5, 0.3, 0.6, 0.4),
        (1.0, 1.0, 1.0, 1.0),
        (0.2, 0.1, 0.3, 0.3),
        (3.0, 1.0, 0.5, 3.0),
        (1.0, 3.0, 3.0, 10.0),
    ),
    count_terms=count_terms,
    history_terms=history_terms,
    p_alive=p_alive,
    future=future,
    expected_purchases=expected_purchases,
    pmf=pmf,
    draw_traits=draw_traits,
    mean_purchase_rate=lambda theta: np.asarray(theta[..., 0] / theta[..., 1]),
    tail="s",
    clocks={"purchase": "alpha", "dropout": "beta"},
    spells=Spells(staying_terms, leaving_terms, compiled_spells),
    quantities=QUANTITIES,
    from_quantities=from_quantities,
    to_quantities=to_quantities,
    limits=LIMITS,
    kernel=Kernel(count_terms, history_terms, compiled_sums),
    story=__doc__ or "",
    effects={"purchase": (("alpha", -1),), "dropout": (("beta", -1),)},
    own_rates=GAMMA_RATES,
    as_new=as_new,
    departures=Departures(log_density_of_leaving, state_of_leaver),
)
