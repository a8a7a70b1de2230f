"""Counts of purchases at a gamma-distributed rate: the negative binomial distribution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from scipy import special

from clvmodels.models.specification import Array, Limit, OwnRates, Quantity
from clvmodels.numerics.quadrature import log_integral_of_peak
from clvmodels.numerics.special import log_gamma_ratio

__all__ = [
    "GAMMA_RATES",
    "PURCHASE_LIMITS",
    "PURCHASE_RATE",
    "PURCHASE_RATE_CV",
    "log_negative_binomial",
    "until_leaving",
]

PURCHASE_RATE: Final = Quantity(
    "purchase_rate", "mean purchases a year while alive", ("LogNormal", {"mu": 1.4, "sigma": 1.5}), level_of="purchase"
)
PURCHASE_RATE_CV: Final = Quantity(
    "purchase_rate_cv",
    "coefficient of variation of customers' purchase rates",
    ("LogNormal", {"mu": 0.2, "sigma": 0.75}),
)
PURCHASE_LIMITS: Final = (
    Limit("purchase rates do not differ", ({"r": 1.0}, {"alpha": 1.0})),
    Limit("nearly all repeat purchases are those of a few customers", ({"r": -1.0},)),
)

GAMMA_RATES: Final = OwnRates(
    mean=lambda theta, x, t_x, T: np.asarray((theta[..., 0] + x) / (theta[..., 1] + T)),  # noqa: ARG005
    at_most=lambda theta, x, t_x, T, rate: np.asarray(  # noqa: ARG005
        special.gammainc(theta[..., 0] + x, (theta[..., 1] + T) * rate)
    ),
)
"""Gamma(r + x, alpha + T), where r and alpha come first in theta."""


def log_negative_binomial(n: Array, shape: Array, rate: Array, t: Array) -> Array:
    """Return log P(n Poisson events in time t) when the rate of events is Gamma(shape, rate). Broadcasts."""
    none = -shape * np.log1p(t / rate)
    events = special.xlogy(n, t / (rate + t)) + log_gamma_ratio(shape, n) - special.gammaln(n + 1.0)
    return np.asarray(none + events)


def until_leaving(log_count: Callable[[Array], Array], s: Array, left: Array, t: Array) -> Array:
    """Return P(a count in time t) of customers whose rate of leaving is Gamma(s, left); arrays of one shape.

    They stay through, or leave at tau with that count by then, at the density f(tau) of the time of leaving:
    P(count; t) P(staying until t) + int_0^t P(count; tau) f(tau) dtau.

    Parameters
    ----------
    log_count
        The log of the probability of the count in times of shape (..., m), the dots being the shape of t.
    s, left, t
        Shape and rate of the distribution, and the time.
    """
    stays = log_count(t[..., None])[..., 0] - s * np.log1p(t / left)

    def log_integrand(y: Array) -> Array:
        """In y = log(tau / t); the last term is log(dtau/dy)."""
        tau = np.exp(y) * t[..., None]
        leaves = np.log(s / left)[..., None] - (s[..., None] + 1.0) * np.log1p(tau / left[..., None])
        return np.asarray(log_count(tau) + leaves + y + np.log(t)[..., None])

    leaves = log_integral_of_peak(log_integrand, np.full(t.shape, -50.0), np.zeros(t.shape))
    return np.asarray(np.exp(np.logaddexp(stays, leaves)))
