"""Counts of purchases at a gamma-distributed rate: the negative binomial distribution."""

from __future__ import annotations

import numpy as np
from scipy import special

from clvmodels.models.specification import Array

__all__ = ["log_negative_binomial"]


def log_negative_binomial(n: Array, shape: Array, rate: Array, t: Array) -> Array:
    """Return log P(n Poisson events in time t) when the rate of events is Gamma(shape, rate). Broadcasts."""
    none = -shape * np.log1p(t / rate)
    events = special.xlogy(n, t / (rate + t)) - np.log(shape + n) - special.betaln(shape, n + 1.0)
    return np.asarray(none + events)
