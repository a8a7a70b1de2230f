"""Counts of purchases at a gamma-distributed rate: the negative binomial distribution."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import special

from clvmodels.models.specification import Array, Limit, OwnRates, Quantity
from clvmodels.numerics.special import log_gamma_ratio

__all__ = ["GAMMA_RATES", "PURCHASE_LIMITS", "PURCHASE_RATE", "PURCHASE_RATE_CV", "log_negative_binomial"]

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
