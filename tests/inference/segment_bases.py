"""Customer bases of segments with known parameters, simulated here and not by the package."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

import clvmodels as clv

YEAR = 365.25 / 7.0
CENTRE = np.array([np.log(6.0), 0.0, np.log(0.4 / 0.6), 0.0])
"""Six orders a year, rates that vary by their mean, two fifths leave within a year, and so do the rates of leaving."""
SPEND_CENTRE = np.array([np.log(40.0), np.log(0.5), np.log(0.3 / 0.7)])


@dataclass(frozen=True)
class Base:
    """Histories, and the truth by segment: coordinates of the orders and of the spend, and the papers' parameters."""

    histories: clv.Histories
    psi: np.ndarray
    theta: np.ndarray
    spend_psi: np.ndarray


def pareto_of(psi: np.ndarray) -> np.ndarray:
    """Return r, alpha, s, beta in weeks: the definitions of the quantities, solved by hand."""
    rate, cv, odds, dropout_cv = np.exp(np.moveaxis(psi, -1, 0))
    r, s = cv**-2.0, dropout_cv**-2.0
    stay = (1.0 / (1.0 + odds)) ** (1.0 / s)  # beta / (beta + year)
    return np.stack([r, YEAR * r / rate, s, YEAR * stay / (1.0 - stay)], axis=-1)


def simulated(sizes, spread, seed, *, years=2.0) -> Base:
    """Return Pareto/NBD and Gamma-Gamma customers who join over the log; logs of quantities vary over segments."""
    generator = np.random.default_rng(seed)
    sizes = np.asarray(sizes)
    segment = np.repeat(np.arange(len(sizes)), sizes)
    psi = CENTRE + spread * generator.standard_normal((len(sizes), 4))
    theta = pareto_of(psi)
    r, alpha, s, beta = theta[segment].T
    T = np.round(years * YEAR * generator.uniform(0.05, 1.0, len(segment)) * 7.0) / 7.0
    rate, leaving = generator.gamma(r) / alpha, np.maximum(generator.gamma(s) / beta, 1e-300)
    active = np.minimum(generator.exponential(1.0, len(segment)) / leaving, T)
    x = generator.poisson(rate * active)
    recency = np.where(x > 0, active * generator.random(len(segment)) ** (1.0 / np.maximum(x, 1)), 0.0)
    spend_psi = SPEND_CENTRE + spread * generator.standard_normal((len(sizes), 3))
    mean, cv, odds = np.exp(spend_psi.T)
    p, q = cv**-2.0, (1.0 + odds) / odds
    nu = generator.gamma(q[segment]) * p[segment] / (mean * (q - 1.0))[segment]
    value = np.where(x > 0, generator.gamma(np.maximum(p[segment] * x, 1e-9)) / nu / np.maximum(x, 1), np.nan)
    table = {
        "customer_id": np.arange(len(segment)),
        "frequency": x,
        "recency": np.minimum(np.ceil(recency * 7.0) / 7.0, T),
        "T": T,
        "monetary_value": np.maximum(value, 0.01),
        "segment": [f"{number:04d}" for number in segment],
    }
    return Base(clv.Histories.from_frame(pd.DataFrame(table), unit="week"), psi, theta, spend_psi)
