"""How the value of orders depends on the rate at which a customer is expected to buy, as a power of it.

Models of spend hold the two to be independent. Here the population's scale is proportional to rate^e: the rate is the
posterior mean of a customer's own, (r + x) / (alpha + T), which is defined for those who bought once, and does not rise
with age as x does. Two steps: the rates are those of a fit of transactions, and what is unsure about them is left out.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from scipy import optimize, stats

from clvmodels.data.histories import Histories
from clvmodels.errors import FitWarning
from clvmodels.evaluation.populations import columns_of_spend, divided, scaled, usable_spend
from clvmodels.inference.estimator import SpendEstimator
from clvmodels.inference.parameters import columns_of
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.spend_state import spend_state
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.specification import Array

__all__ = ["RateDependence", "rate_dependence"]

STEEPEST: Final = 3.0
"""Exponents are sought between this and its opposite."""
STEP: Final = 1e-3
"""Of the exponent, in differences of the score."""


@dataclass(frozen=True, eq=False)
class RateDependence:
    """The dependence of the value of orders on the expected rate of purchases.

    Attributes
    ----------
    coefficient, se
        The exponent of the rate, by maximum likelihood, and its standard error given the rates.
    gain
        By how much it raises the log-likelihood.
    ratio
        Expected value of each customer's orders with the exponent, over that without; shape (customers,).
    """

    coefficient: float
    se: float
    gain: float
    ratio: Array

    @property
    def p_value(self) -> float:
        """Probability of such a gain if order values do not depend on rates (likelihood ratio)."""
        return float(stats.chi2.sf(2.0 * max(self.gain, 0.0), 1))


def rate_dependence(spend: SpendFit, transactions: TransactionFit, histories: Histories) -> RateDependence | None:
    """Return how order values depend on rates; None if all customers have one rate, or the exponent has no maximum.

    Parameters
    ----------
    spend
        A fit of spend to all customers together, whose model is fitted anew to these histories.
    transactions
        A fit of transactions.
    histories
        The customers.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> rfm = clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end="1997-09-30")
    >>> relation = rate_dependence(clv.GammaGamma().fit(rfm), clv.ParetoNBD().fit(rfm), rfm)
    >>> round(relation.coefficient, 2), round(relation.se, 2)
    (0.2, 0.04)
    """
    model, known = spend.model, usable_spend(spend.model, histories)
    log_rate = _log_rates(transactions, histories)
    log_rate = log_rate - log_rate[known].mean()
    if np.ptp(log_rate[known]) == 0.0:
        return None
    columns, money = columns_of_spend(model, histories, known), model.units(money=np.e) != 1.0
    weight = np.ones(len(columns[0])) if histories.weight is None else histories.weight[known]

    @cache
    def population(exponent: float) -> Array:
        """Return the parameters of each customer's population, shape (customers, parameters)."""
        scale = np.exp(exponent * log_rate)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FitWarning)  # a boundary may be where the likelihood is highest
            estimate = SpendEstimator(model).fit(divided(model, histories, scale)).estimate
        return scaled(model, np.broadcast_to(estimate, (len(histories), len(estimate))), scale)

    def score(exponent: float) -> float:
        """Return the slope of the likelihood by the exponent, where it is highest in the other parameters."""
        theta = population(exponent)[known]
        gradient = model.count_terms(theta, columns[0])[1] + model.history_terms(theta, *columns)[1]
        return float((weight * log_rate[known]) @ (gradient * theta)[:, money].sum(axis=1))

    def log_likelihood(exponent: float) -> float:
        return float(weight @ model.log_likelihood(population(exponent)[known], *columns))

    if not score(-STEEPEST) > 0.0 > score(STEEPEST):
        return None
    best = float(optimize.brentq(score, -STEEPEST, STEEPEST, xtol=1e-5))
    curvature = (score(best - STEP) - score(best + STEP)) / (2.0 * STEP)
    state = spend_state(model, histories)
    return RateDependence(
        coefficient=best,
        se=float(1.0 / np.sqrt(curvature)) if curvature > 0.0 else np.nan,
        gain=log_likelihood(best) - log_likelihood(0.0),
        ratio=model.expected_spend(population(best), *state) / model.expected_spend(population(0.0), *state),
    )


def _log_rates(transactions: TransactionFit, histories: Histories) -> Array:
    """Return the log of each customer's expected rate of purchases as long as they are alive."""
    x, _, T = columns_of(transactions.model, histories)
    theta = transactions.parameters(histories).point(slice(None))
    stages = transactions.model.stages
    if stages is not None:
        return np.log(stages.rate(theta, stages.number * x, T) / stages.number)
    return np.log(transactions.model.future(theta, x, T, np.zeros(1))[1])
