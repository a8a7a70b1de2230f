"""What BG/NBD and MBG/NBD share: Poisson purchases at a gamma rate, and a beta chance to leave at every opportunity.

A customer buys at rate lambda ~ Gamma(r, alpha) while alive, and leaves with probability p ~ Beta(a, b) at each of the
opportunities to do so. The models differ in the number k of opportunities that a customer with x repeat purchases has
survived if they are still alive: k = x if they may leave after each repeat purchase (BG/NBD), k = x + 1 if also after
the first one (MBG/NBD). All functions here take k beside x.

Source: Fader, Hardie & Lee (2005), Marketing Science 24(2); Batislam, Denizel & Filiztekin (2007), International
Journal of Research in Marketing 24(3).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from scipy import special

from clvmodels.models.counts import PURCHASE_LIMITS, PURCHASE_RATE, PURCHASE_RATE_CV, log_negative_binomial
from clvmodels.models.specification import Array, Limit, Quantity, Traits
from clvmodels.numerics.beta_mixture import mean_powers, mean_purchases
from clvmodels.numerics.special import (
    bounded_odds,
    digamma_difference,
    log_gamma_ratio,
    shares,
    trigamma_difference,
)
from clvmodels.numerics.threads import dot

__all__ = [
    "LIMITS",
    "QUANTITIES",
    "as_new",
    "count_curvature",
    "count_terms",
    "draw_traits",
    "expected_purchases",
    "from_quantities",
    "future",
    "history_expansion",
    "history_sums",
    "history_terms",
    "mean_purchase_rate",
    "opportunities_rest",
    "p_alive",
    "pmf",
    "state_of_leaver",
    "to_quantities",
]

QUANTITIES: Final = (
    PURCHASE_RATE,
    PURCHASE_RATE_CV,
    Quantity(
        "dropout",
        "mean chance to leave at an opportunity",
        ("Beta", {"alpha": 1.0, "beta": 2.0}),
        share=True,
        leaving=True,
        level_of="dropout",
    ),
    Quantity(
        "dropout_concentration",
        "how alike customers are in it: their chances are Beta(dropout, 1 - dropout) times this",
        ("LogNormal", {"mu": 1.0, "sigma": 1.5}),
        leaving=True,
    ),
)

LIMITS: Final = (
    *PURCHASE_LIMITS,
    Limit("nobody is seen to leave", ({"b": 1.0, "a": -1.0},), endless=True),
    Limit("some leave at once, the rest never", ({"a": -1.0}, {"b": -1.0}), {"a": 1e-3, "b": 1e-2}, endless=True),
    Limit("chances to leave do not differ", ({"a": 1.0}, {"b": 1.0}), {"a": 30.0, "b": 300.0}),
    Limit("everybody leaves at the first opportunity", ({"a": 1.0, "b": -1.0},)),
)


def from_quantities(quantities: Mapping[str, Any], year: float) -> dict[str, Any]:
    """Return r, alpha, a, b."""
    r = quantities["purchase_rate_cv"] ** -2.0
    dropout, concentration = quantities["dropout"], quantities["dropout_concentration"]
    alpha = r / quantities["purchase_rate"] * year
    return {"r": r, "alpha": alpha, "a": dropout * concentration, "b": (1.0 - dropout) * concentration}


def to_quantities(params: Mapping[str, Any], year: float) -> dict[str, Any]:
    """Return the quantities."""
    concentration = params["a"] + params["b"]
    return {
        "purchase_rate": params["r"] / params["alpha"] * year,
        "purchase_rate_cv": params["r"] ** -0.5,
        "dropout": params["a"] / concentration,
        "dropout_concentration": concentration,
    }


def count_terms(theta: Array, x: Array, k: Array) -> tuple[Array, Array]:
    """Return log of Gamma(r+x)/Gamma(r) alpha^-x B(a, b+k)/B(a, b), and its gradient."""
    r, alpha, a, b = np.moveaxis(theta, -1, 0)
    value = log_gamma_ratio(r, x) - x * np.log(alpha) + log_gamma_ratio(b, k) - log_gamma_ratio(a + b, k)
    gradient = np.empty((4, *value.shape))
    gradient[0] = digamma_difference(r, x)
    gradient[1] = -x / alpha
    gradient[2] = -digamma_difference(a + b, k)
    gradient[3] = gradient[2] + digamma_difference(b, k)
    return value, np.moveaxis(gradient, 0, -1)


def count_curvature(theta: Array, weight: Array, x: Array, k: Array) -> Array:
    """Return the weighted sum of the second derivatives of `count_terms`, shape (4, 4)."""
    r, alpha, a, b = theta
    matrix = np.zeros((4, 4))
    matrix[0, 0] = dot(weight, trigamma_difference(r, x))
    matrix[1, 1] = dot(weight, x) / alpha**2
    matrix[2:, 2:] = -dot(weight, trigamma_difference(a + b, k))
    matrix[3, 3] += dot(weight, trigamma_difference(b, k))
    return matrix


def history_terms(theta: Array, x: Array, k: Array, t_x: Array, T: Array) -> tuple[Array, Array]:
    """Return log of (1+T/alpha)^-(r+x) (1 + odds), and its gradient.

    The odds of having left are a/(b+k-1) ((alpha+T)/(alpha+t_x))^(r+x) for k > 0, and zero otherwise.
    """
    r, alpha, a, b = np.moveaxis(theta, -1, 0)
    n, last, silent, rest = r + x, alpha + t_x, T - t_x, opportunities_rest(b, k)
    growth, silence = np.log1p(T / alpha), np.log1p(silent / last)
    log_odds = _log_odds(a, rest, n, silence)
    odds = bounded_odds(log_odds)
    value = np.log1p(odds)
    np.maximum(value, log_odds, out=value)
    value -= n * growth
    alive, left = shares(odds)
    gradient = np.empty((4, *left.shape))
    np.multiply(left, silence, out=gradient[0])
    gradient[0] -= growth
    np.multiply(alive, silent / (alpha + T), out=gradient[1])
    gradient[1] += t_x / alpha
    gradient[1] *= n / last
    np.divide(left, a, out=gradient[2])
    np.divide(left, -rest, out=gradient[3])
    return value, np.moveaxis(gradient, 0, -1)


def history_sums(theta: Array, weight: Array, x: Array, k: Array, t_x: Array, T: Array) -> tuple[float, Array]:
    """Return the weighted sums of `history_terms` and of its gradient, shape (4,)."""
    alpha, a = theta[1:3]
    n, last, silent, rest, growth, silence = _of_histories(theta, x, k, t_x, T)
    value, odds = _summed_value(weight, a, n, rest, growth, silence)
    alive = np.reciprocal(odds + 1.0)  # from here on, the shares of who is alive and who has left, times weight
    alive *= weight
    left = np.multiply(alive, odds, out=odds)
    by_r = dot(left, silence) - growth.sum()
    by_a = left.sum() / a
    by_b = -np.divide(left, rest, out=rest).sum()
    alive *= silent
    alive /= alpha + T
    by_alpha = weight * t_x
    by_alpha /= alpha
    by_alpha += alive
    by_alpha /= last
    return value, np.array([by_r, dot(n, by_alpha), by_a, by_b])


def history_expansion(
    theta: Array, weight: Array, x: Array, k: Array, t_x: Array, T: Array
) -> tuple[float, Array, Array]:
    """Return the weighted sums of `history_terms`, of its gradient, and of the second derivatives, shape (4, 4).

    Those of log(1 + odds) are the share of who has left times those of the log odds, plus the product of both shares
    times the square of the gradient d of the log odds.
    """
    alpha, a = theta[1:3]
    n, last, silent, rest, growth, silence = _of_histories(theta, x, k, t_x, T)
    value, odds = _summed_value(weight, a, n, rest, growth, silence)
    per_end, per_last, per_rest = np.reciprocal(alpha + T), np.reciprocal(last, out=last), np.reciprocal(rest, out=rest)
    waited = np.multiply(silent, per_last, out=silent)
    waited *= per_end
    chance = np.reciprocal(odds + 1.0)
    alive = weight * chance
    left = np.multiply(odds, alive, out=odds)
    both = np.multiply(left, chance, out=chance)
    alive *= waited
    rate = weight * t_x
    rate /= alpha
    rate *= per_last
    rate += alive
    aged = weight * T
    aged *= per_end
    aged /= alpha
    matrix = np.zeros((4, 4))
    gradient = np.array([dot(left, silence) - growth.sum(), 0.0, left.sum() / a, -dot(left, per_rest)])
    matrix[2, 2] = (both.sum() - left.sum()) / a**2
    matrix[3, 3] = np.einsum("i,i,i", left, per_rest, per_rest)
    matrix[0, 1] = rate.sum()
    gradient[1] = dot(n, rate)
    left *= waited
    per_last += per_end
    left *= per_last
    per_end += 1.0 / alpha
    aged *= per_end
    left -= aged
    matrix[1, 1] = dot(n, left)
    waited *= n
    d = {0: silence, 1: np.negative(waited, out=waited), 3: np.negative(per_rest, out=per_rest)}  # by a it is 1 / a
    for i, by_i in d.items():
        product = np.multiply(both, by_i, out=left)
        matrix[min(i, 2), max(i, 2)] = product.sum() / a
        for j, by_j in d.items():
            if j >= i:
                matrix[i, j] += dot(product, by_j)
    return value, gradient, np.triu(matrix) + np.triu(matrix, 1).T


def _of_histories(theta: Array, x: Array, k: Array, t_x: Array, T: Array) -> tuple[Array, ...]:
    """Return r + x, alpha + t_x, T - t_x, the rest of b, and logs of 1 + T/alpha and of (alpha + T) / (alpha + t_x)."""
    r, alpha, _, b = theta
    last, silent = alpha + t_x, T - t_x
    growth, silence = T / alpha, silent / last
    return r + x, last, silent, opportunities_rest(b, k), np.log1p(growth, out=growth), np.log1p(silence, out=silence)


def _summed_value(weight: Array, a: Array, n: Array, rest: Array, growth: Array, silence: Array) -> tuple[float, Array]:
    """Return the weighted sum of `history_terms`, and the odds of having left; weights go into `growth`."""
    log_odds = _log_odds(a, rest, n, silence)
    odds = bounded_odds(log_odds)
    value = dot(weight, np.maximum(np.log1p(odds), log_odds, out=log_odds))
    growth *= weight
    return value - dot(growth, n), odds


def opportunities_rest(b: Array, k: Array) -> Array:
    """Return b + k - 1, infinite where k = 0: who has had no opportunity to leave has not left."""
    rest = np.asarray(b + (k - 1.0))  # in this order: b may be next to nothing
    np.copyto(rest, np.inf, where=k <= 0.0)
    return rest


def _log_odds(a: Array, rest: Array, n: Array, silence: Array) -> Array:
    """Return the log of the odds a/rest exp(n silence) of having left."""
    return np.asarray(n * silence + (np.log(a) - np.log(rest)))


def p_alive(theta: Array, x: Array, k: Array, t_x: Array, T: Array) -> Array:
    """Return P(alive at T | x, t_x, T) = 1 / (1 + a/(b+k-1) ((alpha+T)/(alpha+t_x))^(r+x)); 1 where k = 0."""
    r, alpha, a, b = np.moveaxis(theta, -1, 0)
    log_odds = _log_odds(a, opportunities_rest(b, k), r + x, np.log1p((T - t_x) / (alpha + t_x)))
    return shares(bounded_odds(log_odds))[0]


def future(theta: Array, x: Array, k: Array, T: Array, t: Array, *, compiled: bool = False) -> tuple[Array, Array]:
    """Return P(alive at T+t) and E[rate at T+t], given lambda ~ Gamma(r+x, alpha+T) and p ~ Beta(a, b+k) at T."""
    r, alpha, a, b = np.moveaxis(theta, -1, 0)
    survival, tilted = mean_powers(r + x, t / (alpha + T), a, b + k, compiled=compiled)
    return survival, (r + x) / (alpha + T) * tilted


def state_of_leaver(theta: Array, x: Array, t: Array) -> tuple[Array, Array, Array]:
    """Return what gives lambda ~ Gamma(r+x, alpha+t) and p ~ Beta(a+1, b+k-1): at the last opportunity they left."""
    return theta + np.array([0.0, 0.0, 1.0, -1.0]), x, t


def expected_purchases(theta: Array, x: Array, k: Array, T: Array, t: Array) -> Array:
    """Return E[(1 - exp(-lambda p t)) / p], the expected purchases in (T, T+t] of a customer alive at T."""
    r, alpha, a, b = np.moveaxis(theta, -1, 0)
    return np.asarray(mean_purchases(r + x, t / (alpha + T), a, b + k))


def pmf(theta: Array, x: Array, k: Array, T: Array, t: Array, n: Array) -> Array:
    """Return P(n purchases in (T, T+t]) of a customer alive at T (FHL 2005, equation 8, with posterior parameters)."""
    r, alpha, a, b = np.moveaxis(theta, -1, 0)
    shape, beta, share = r + x, b + k, t / (alpha + T + t)
    any_ = np.maximum(n, 1.0)
    log_survivor = log_gamma_ratio(beta, n) - log_gamma_ratio(a + beta, n)
    log_leaver = log_gamma_ratio(beta, any_ - 1.0) - log_gamma_ratio(a + beta + 1.0, any_ - 1.0) - np.log1p(beta / a)
    stays = np.exp(log_survivor + log_negative_binomial(n, shape, alpha + T, t))
    leaves = np.exp(log_leaver) * special.betainc(any_, shape, share)
    return np.asarray(stays + np.where(np.asarray(n) > 0, leaves, 0.0))


def draw_traits(theta: Array, x: Array, k: Array, T: Array, generator: np.random.Generator) -> Traits:
    """Draw customers alive at T; the purchase after which one leaves is geometric."""
    r, alpha, a, b = np.moveaxis(theta, -1, 0)
    shape = np.broadcast(r, x, T).shape
    rate = generator.gamma(np.broadcast_to(r + x, shape)) / (alpha + T)
    with np.errstate(divide="ignore", over="ignore"):  # who hardly ever leaves
        log_stay = np.log1p(-generator.beta(np.broadcast_to(a, shape), b + k))
        last = np.ceil(generator.standard_exponential(shape) / -log_stay)
    return Traits(rate, np.full(shape, np.inf), np.maximum(last, 1.0))


def as_new(theta: Array, x: Array, T: Array) -> Array:
    """Return the parameters of who is alive at T: lambda ~ Gamma(r+x, alpha+T), p ~ Beta(a, b+x), k - x as before."""
    r, alpha, a, b = np.moveaxis(theta, -1, 0)
    return np.stack(np.broadcast_arrays(r + x, alpha + T, a, b + x), axis=-1)


def mean_purchase_rate(theta: Array) -> Array:
    """Return E[lambda] = r / alpha."""
    return np.asarray(theta[..., 0] / theta[..., 1])
