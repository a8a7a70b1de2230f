"""Whether customers who buy often spend more, or less, an order, and by how much.

Models of spend hold order values to be independent of how often a customer buys. Here each class of frequency has a
population of its own: populations of one shape, each on its own scale. The shape is one for all, since within one class
mean values alone hardly tell how much a customer's orders vary from how much customers do (p from q of Gamma-Gamma):
a fit of all parameters to each class ends at a boundary.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.histories import Histories
from clvmodels.errors import FitWarning
from clvmodels.evaluation.populations import columns_of_spend, divided, scaled, usable_spend
from clvmodels.inference.estimator import SpendEstimator
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.spend_state import spend_state
from clvmodels.models.specification import SpendModel
from clvmodels.numerics.spend import positive_spend

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Dependence", "dependence", "frequency_classes", "with_positive_spend"]

Array = NDArray[np.float64]

ENOUGH: Final = 50
"""Customers with a known mean spend in each class."""
LARGEST_LOG_SCALE: Final = 30.0
MOST_ROUNDS: Final = 50
PRECISION: Final = 1e-4
"""Of the logs of scales."""


@dataclass(frozen=True, eq=False)
class Dependence:
    """How the value of an order depends on the frequency of purchases.

    Attributes
    ----------
    pearson, spearman
        Correlation of frequency and mean spend, of the numbers and of their ranks.
    without_one
        The first without the one customer on whom it hangs most.
    classes
        Names of the classes of frequency.
    means
        Mean value of an order in each class: over its population, shape (classes,).
    p_value
        Probability of classes that differ as much by chance, if one population holds for all (likelihood ratio).
    ratio
        Expected value of a customer's orders under the populations by class, over that under one population; shape
        (customers,).
    """

    pearson: float
    spearman: float
    without_one: float
    classes: tuple[str, ...]
    means: Array
    p_value: float
    ratio: Array


def with_positive_spend(histories: Histories) -> NDArray[np.bool_]:
    """Return which customers have a known spend: a repeat purchase, and a mean value that is known and positive."""
    return np.asarray(positive_spend(histories.frequency, histories.monetary_value))


def frequency_classes(histories: Histories) -> pd.Series[Any]:
    """Return the class of frequency of each customer, such as ``"0-1"``, ``"2-3"``, ``"4+"``.

    The classes begin at 2, 4, 8, ... repeat purchases, as long as 50 customers with a known mean spend are in each.
    Customers without a repeat purchase are in the lowest class: what they spend is least unlike those who bought twice.

    Parameters
    ----------
    histories
        The customers.

    Returns
    -------
    Series
        By customer_id, named ``frequency_class``; for ``rfm.with_attributes(clv.frequency_classes(rfm).to_frame())``.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> rfm = clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end="1997-09-30")
    >>> frequency_classes(rfm).value_counts(sort=False).sort_index().to_dict()
    {'0-1': 1850, '2-3': 314, '4+': 193}
    """
    import pandas as pd

    starts = _starts(histories.frequency[with_positive_spend(histories)])
    names = np.array(_names(starts), dtype=object)
    return pd.Series(names[_class_of(histories.frequency, starts)], histories.customer_id, name="frequency_class")


def dependence(spend: SpendFit, histories: Histories) -> Dependence | None:
    """Return how order values depend on frequency; None if there are too few customers to form two classes.

    Parameters
    ----------
    spend
        A fit of spend. Its model is fitted anew to these histories, with and without classes; of a fit by segment the
        populations are kept, and what is left to the classes shows.
    histories
        The customers.

    Notes
    -----
    Under one population for all, 2 (log-likelihood of the classes - that of one population) is chi-squared with
    (classes - 1) degrees of freedom.

    Spearman's correlation is a little above zero even if spend is independent of frequency: means of few orders are
    more skewed than those of many, and their median is lower.
    """
    from scipy import stats

    known, model = usable_spend(spend.model, histories), spend.model
    x, value = histories.frequency, histories.monetary_value
    columns, state = columns_of_spend(model, histories, known), spend_state(model, histories)
    starts = _starts(x[known])
    if len(starts) < 2:
        return None
    number = _class_of(x, starts)
    pooled, classes = (_populations(spend, histories, of) for of in (np.zeros_like(number), number))
    likelihoods = [float(model.log_likelihood(theta[known], *columns).sum()) for theta in (pooled, classes)]
    new = model.expected_spend(classes, np.zeros_like(x), state[1])
    return Dependence(
        pearson=_correlation(x[known], value[known]),
        spearman=_correlation(stats.rankdata(x[known]), stats.rankdata(value[known])),
        without_one=_without_one(x[known], value[known]),
        classes=tuple(_names(starts)),
        means=np.array([new[known & (number == k)].mean() for k in range(len(starts))]),
        p_value=float(stats.chi2.sf(2.0 * (likelihoods[1] - likelihoods[0]), len(starts) - 1)),
        ratio=model.expected_spend(classes, *state) / model.expected_spend(pooled, *state),
    )


def _populations(spend: SpendFit, histories: Histories, number: NDArray[np.int64]) -> Array:
    """Return the parameters of each customer if the classes, by number, differ in scale; shape (customers, parameters).

    Shape and scales are found by maximum likelihood in turn: given the scales, values divided by them have one
    population; given that, the score of each log scale falls, so that it has one maximum.
    """
    known, model = usable_spend(spend.model, histories), spend.model
    columns, number_known = columns_of_spend(model, histories, known), number[known]
    log_scale = np.zeros(number.max() + 1)
    for _ in range(MOST_ROUNDS):
        theta = _shape(spend, histories, np.exp(log_scale)[number])
        before = log_scale
        log_scale = np.array(
            [_log_scale(model, *(of[number_known == k] for of in (theta[known], *columns))) for k in range(len(before))]
        )
        if np.abs(log_scale - before).max() < PRECISION:
            break
    return scaled(model, theta, np.exp(log_scale)[number])


def _shape(spend: SpendFit, histories: Histories, scale: Array) -> Array:
    """Return the parameters of each customer's population if values are divided by the scales.

    A fit by segment keeps its populations: they were fitted together, and small ones lean on the others. So does one
    with covariates.
    """
    if spend.columns_of_parameters:
        return _theta(spend, histories)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)  # a boundary may be where the likelihood is highest
        fit = SpendEstimator(spend.model).fit(divided(spend.model, histories, scale))
    return np.broadcast_to(fit.estimate, (len(histories), len(fit.estimate)))


def _starts(x: Array) -> list[float]:
    """Return where the classes begin, given the frequencies of those whose spend is known."""
    starts, edge = [0.0], 2.0
    while np.count_nonzero(x >= edge) >= ENOUGH:
        if np.count_nonzero((x >= starts[-1]) & (x < edge)) >= ENOUGH:
            starts.append(edge)
        edge *= 2.0
    return starts


def _names(starts: Sequence[float]) -> list[str]:
    """Return the classes' names.

    Examples
    --------
    >>> _names([0.0, 2.0, 4.0])
    ['0-1', '2-3', '4+']
    """
    closed = [f"{low:.0f}-{high - 1:.0f}" for low, high in pairwise(starts)]
    return [*closed, f"{starts[-1]:.0f}+"]


def _class_of(x: Array, starts: Sequence[float]) -> NDArray[np.int64]:
    return np.searchsorted(np.asarray(starts), x, side="right") - 1


def _theta(spend: SpendFit, histories: Histories) -> Array:
    """Return the point estimate of each customer's parameters, shape (customers, parameters)."""
    shape = (len(histories), len(spend.model.parameters))
    return np.broadcast_to(spend.parameters(histories).point(slice(None)), shape)


def _log_scale(model: SpendModel, theta: Array, *columns: Array) -> float:
    """Return the log of the scale of some customers by maximum likelihood."""
    from scipy.optimize import brentq

    money = model.units(money=np.e) != 1.0

    def score(log_scale: float) -> float:
        there = scaled(model, theta, np.exp(log_scale))
        gradient = model.count_terms(there, columns[0])[1] + model.history_terms(there, *columns)[1]
        return float((gradient * there)[:, money].sum())

    return float(brentq(score, -LARGEST_LOG_SCALE, LARGEST_LOG_SCALE, xtol=1e-3 * PRECISION))


def _correlation(x: Array, value: Array) -> float:
    if np.ptp(x) == 0.0 or np.ptp(value) == 0.0:
        return np.nan
    return float(np.corrcoef(x, value)[0, 1])


def _without_one(x: Array, value: Array) -> float:
    """Return the correlation without the customer who changes it most.

    Leaving out one of n customers takes n / (n - 1) times the product of their deviations from a sum of products.

    Examples
    --------
    >>> _without_one(np.array([1.0, 2.0, 3.0, 9.0]), np.array([3.0, 2.0, 1.0, 9.0]))
    -1.0
    """
    n, dx, dv = len(x), x - x.mean(), value - value.mean()
    xx, xv, vv = (a @ b - n / (n - 1.0) * a * b for a, b in ((dx, dx), (dx, dv), (dv, dv)))
    usable = (xx > 0.0) & (vv > 0.0)
    left = xv[usable] / np.sqrt(xx[usable] * vv[usable])
    return float(left[np.abs(left - _correlation(x, value)).argmax()]) if len(left) else np.nan
