"""Pareto/NBD: a customer may leave at any time.

Story: while alive, customers buy at random at their own rate lambda ~ Gamma(r, alpha), and they leave at their own
rate mu ~ Gamma(s, beta), whether or not they buy. alpha and beta are rates: mean purchase rate r / alpha.

Source: Schmittlein, Morrison & Colombo (1987), Management Science 33(1); Fader, Hardie & Lee (2005), Journal of
Marketing Research 42(4); the likelihood without hypergeometric functions from Fader & Hardie's notes 009 and 015.
"""

from __future__ import annotations

import math

import numpy as np

from clvmodels.models.counts import log_negative_binomial
from clvmodels.models.specification import Array, Parameter, Traits, TransactionModel
from clvmodels.numerics.compiled import gufunc
from clvmodels.numerics.power_integral import log_power_integral
from clvmodels.numerics.quadrature import log_integral_of_peak
from clvmodels.numerics.special import digamma, log1p_exp, log_gamma_ratio

__all__ = ["PARETO_NBD"]


@gufunc("vsvv", "(p),()->(),(p)")
def count_terms(theta: Array, x: float, value: Array, gradient: Array) -> None:
    """Log of Gamma(r+x)/Gamma(r) alpha^r beta^s, and its gradient."""
    r, alpha, s, beta = theta
    value[0] = log_gamma_ratio(r, x) + r * math.log(alpha) + s * math.log(beta)
    gradient[0] = digamma(r + x) - digamma(r) + math.log(alpha)
    gradient[1] = r / alpha
    gradient[2] = math.log(beta)
    gradient[3] = s / beta


@gufunc("vsssvvv", "(p),(),(),()->(),(p),()")
def _alive_and_dead(
    theta: Array, x: float, t_x: float, T: float, value: Array, gradient: Array, log_odds: Array
) -> None:
    """Log of the sum of two terms, its gradient, and the log odds of having left (2nd term) against being alive (1st).

    The terms are (alpha+T)^-(r+x) (beta+T)^-s and s int_{t_x}^T (alpha+t)^-(r+x) (beta+t)^-(s+1) dt.
    """
    r, alpha, s, beta = theta
    n = r + x
    alive = -n * math.log(alpha + T) - s * math.log(beta + T)
    dead, by_n, by_alpha, by_k, by_beta = log_power_integral(n, s + 1.0, alpha, beta, t_x, T)
    dead += math.log(s)
    log_odds[0] = dead - alive
    value[0] = alive + log1p_exp(dead - alive)
    share = 1.0 / (1.0 + math.exp(alive - dead))
    gradient[0] = share * by_n - (1.0 - share) * math.log(alpha + T)
    gradient[1] = share * by_alpha - (1.0 - share) * n / (alpha + T)
    gradient[2] = share * (by_k + 1.0 / s) - (1.0 - share) * math.log(beta + T)
    gradient[3] = share * by_beta - (1.0 - share) * s / (beta + T)


def history_terms(theta: Array, x: Array, t_x: Array, T: Array) -> tuple[Array, Array]:
    """Return the part of the log-likelihood that depends on t_x and T, and its gradient."""
    value, gradient, _ = _alive_and_dead(theta, x, t_x, T)
    return value, gradient


def p_alive(theta: Array, x: Array, t_x: Array, T: Array) -> Array:
    """Return P(alive at T | x, t_x, T): the share of the first term of the likelihood in both."""
    log_odds = _alive_and_dead(theta, x, t_x, T)[2]
    return np.asarray(np.exp(-np.logaddexp(0.0, log_odds)))


def future(theta: Array, x: Array, T: Array, t: Array) -> tuple[Array, Array]:
    """Return ((beta+T)/(beta+T+t))^s and, as purchases and leaving are independent, (r+x)/(alpha+T) times that."""
    r, alpha, s, beta = np.moveaxis(theta, -1, 0)
    survival = np.exp(-s * np.log1p(t / (beta + T)))
    return survival, (r + x) / (alpha + T) * survival


def pmf(theta: Array, x: Array, T: Array, t: Array, n: Array) -> Array:
    """Return P(n purchases in (T, T+t]) of a customer alive at T.

    He stays through and buys n times, or leaves at tau and has bought n times by then:
    NBD(n; t) P(alive at T+t) + int_0^t NBD(n; tau) f(tau) dtau, f the density of the time of leaving.
    """
    r, alpha, s, beta = np.moveaxis(theta, -1, 0)
    shape, rate, left, t, n = np.broadcast_arrays(r + x, alpha + T, beta + T, t, np.asarray(n, float))
    s = np.broadcast_to(s, shape.shape)
    stays = log_negative_binomial(n, shape, rate, t) - s * np.log1p(t / left)

    def log_integrand(y: Array) -> Array:
        """In y = log(tau / t); the last term is log(dtau/dy)."""
        tau = np.exp(y) * t[..., None]
        count = log_negative_binomial(n[..., None], shape[..., None], rate[..., None], tau)
        leaves = np.log(s / left)[..., None] - (s[..., None] + 1.0) * np.log1p(tau / left[..., None])
        return np.asarray(count + leaves + y + np.log(t)[..., None])

    lowest = np.full(t.shape, -50.0)
    leaves = log_integral_of_peak(log_integrand, lowest, np.zeros(t.shape))
    return np.asarray(np.exp(np.logaddexp(stays, leaves)))


def draw_traits(theta: Array, x: Array, T: Array, generator: np.random.Generator) -> Traits:
    """Draw customers alive at T: lambda ~ Gamma(r+x, alpha+T), mu ~ Gamma(s, beta+T), lifetime ~ exponential(mu)."""
    r, alpha, s, beta = np.moveaxis(theta, -1, 0)
    size = np.broadcast(r, x, T).shape
    rate = generator.gamma(np.broadcast_to(r + x, size)) / (alpha + T)
    with np.errstate(divide="ignore"):
        lifetime = generator.standard_exponential(size) / generator.gamma(np.broadcast_to(s, size)) * (beta + T)
    return Traits(rate, lifetime, np.full(size, np.inf))


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
    pmf=pmf,
    draw_traits=draw_traits,
    mean_purchase_rate=lambda theta: np.asarray(theta[..., 0] / theta[..., 1]),
    tail="s",
)
