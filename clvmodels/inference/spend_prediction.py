"""Which of two models of spend predicts better what an order is worth, by the orders that they were fitted to.

What enters the value of a customer is the expectation of an order. A model may make the orders of a log more likely and
yet predict their mean worse, since no model of amounts is true: logs of amounts weigh small orders as they do large
ones, and money does not. Where first orders belong to the same distribution as later ones, each customer is a test of
expectations: the mean of their repeat orders is predicted from the first, and the first from the repeat orders.

The score is the deviance of the gamma distribution, which is least on average where the expectation is right, whatever
the distribution of orders, and which counts errors in proportion to the amount (Gneiting 2011, Making and evaluating
point forecasts, JASA 106(494); McCullagh & Nelder 1989, Generalized Linear Models, chapter 8). Two models are compared
customer by customer (Diebold & Mariano 1995, Journal of Business & Economic Statistics 13(3), of independent errors).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from clvmodels.data.histories import Histories
from clvmodels.inference.first_order import first_and_repeats, most_likely
from clvmodels.models.specification import Array
from clvmodels.models.spend_family import SpendFamily

__all__ = ["PredictiveGain", "predictive_gain"]

LEVEL: Final = 0.05
"""Of the one-sided test."""


@dataclass(frozen=True)
class PredictiveGain:
    """By how much a model predicts the orders of customers better than another one.

    Attributes
    ----------
    customers
        Customers with a first order and repeat orders of positive value.
    mean, se
        Of the difference of deviances by customer, positive where the model is better, and its standard error.
    """

    customers: int
    mean: float
    se: float

    @property
    def p_value(self) -> float:
        """Probability of such a gain by chance, if the model predicts no better (one-sided)."""
        return float(stats.norm.sf(self.mean / self.se)) if self.se > 0.0 else 1.0

    @property
    def better(self) -> bool:
        """Whether the model predicts better than chance explains."""
        return self.p_value < LEVEL


def predictive_gain(model: SpendFamily, other: SpendFamily, histories: Histories) -> PredictiveGain:
    """Return by how much a model predicts what orders are worth better than another, both fitted to all orders.

    Parameters
    ----------
    model, other
        The models.
    histories
        The customers, made from a log with values, in memory.

    Examples
    --------
    >>> import clvmodels as clv
    >>> from clvmodels.models.registry import SPEND_FAMILIES
    >>> log = clv.datasets.load_cdnow()
    >>> rfm = clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end="1997-09-30")
    >>> gain = predictive_gain(*SPEND_FAMILIES, rfm)
    >>> f"{gain.mean:.4f} +- {gain.se:.4f}", gain.better
    ('0.0072 +- 0.0037', True)
    """
    deviances, weight = [], np.zeros(0)
    for family in (model, other):
        known, theta = first_and_repeats(family.orders, histories), most_likely(family.first, histories)
        of_repeats, of_first = (
            family.first.expected_spend(theta, *(columns[name] for name in family.first.state))
            for columns in (known.first_alone, known.repeats_alone)
        )
        deviances.append(deviance(known.repeats["valued_mean"], of_repeats) + deviance(known.first, of_first))
        weight = known.weight
    customers = float(weight.sum())
    if customers < 2.0:
        return PredictiveGain(int(customers), 0.0, np.nan)
    gain = deviances[1] - deviances[0]
    mean = float(weight @ gain) / customers
    variance = float(weight @ (gain - mean) ** 2) / (customers - 1.0)
    return PredictiveGain(int(customers), mean, float(np.sqrt(variance / customers)))


def deviance(actual: Array, predicted: Array) -> Array:
    """Return the deviance of the gamma distribution, zero where amounts are as predicted.

    Examples
    --------
    >>> deviance(np.array([20.0, 10.0]), np.array([20.0, 20.0])).round(4).tolist()
    [0.0, 0.3863]
    """
    ratio = actual / predicted
    return np.asarray(2.0 * (ratio - 1.0 - np.log(ratio)))
