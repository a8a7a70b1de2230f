"""The model of spend that the values of a log's orders speak for: by their likelihood, and by what it predicts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.errors import FitError
from clvmodels.inference.estimator import SpendEstimator
from clvmodels.inference.first_order import first_orders
from clvmodels.inference.maximum_likelihood import maximise
from clvmodels.inference.observations import observe
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.spend_prediction import predictive_gain
from clvmodels.inference.spend_state import require_order_values
from clvmodels.models.gamma_gamma import GAMMA_GAMMA
from clvmodels.models.registry import SPEND_FAMILIES, family_of
from clvmodels.models.specification import SpendModel
from clvmodels.models.spend_family import SpendFamily

__all__ = ["BestSpend", "best_spend_model", "on_orders"]

FEW: Final = 10
"""Of fewer customers with orders of positive value, single orders are not asked which model is theirs."""
FREE: Final = 1e-3
"""Orders of no value, as a share of those with one, from which on expectations must count them as well."""
MOST: Final = 100_000
"""Customers, evenly spaced, whose orders are asked: models that differ in money then differ by far more than chance."""


@dataclass(frozen=True)
class BestSpend(SpendEstimator):
    """The model of spend that single orders speak for, to be fitted; see `best_spend_model`."""

    model: SpendModel = GAMMA_GAMMA

    def model_for(self, histories: Histories) -> SpendModel:
        """Return the model that is fitted to these histories.

        Examples
        --------
        >>> BestSpend().model_for(rfm).key
        'gamma_gamma'
        """
        return best_spend_model(histories)


def best_spend_model(histories: Histories) -> SpendModel:
    """Return the model of spend with the highest likelihood of the repeat orders, unless another predicts better.

    All have as many parameters, and likelihoods of amounts. First orders are used if the data do not speak against it
    (`first_orders`); then each customer's first order and repeat orders are predicted from each other, and a less
    likely model is taken if it predicts them better than chance explains (`predictive_gain`). Of histories that know no
    single orders, or lie in an engine and do not fit into memory, it is Gamma-Gamma on means. Where orders were free,
    which count in means alone, it is Gamma-Gamma on repeat orders. Of more than 100,000 customers in memory, so many
    decide.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> rfm = clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end="1997-09-30")
    >>> best_spend_model(rfm).key
    'log_normal_first'
    """
    of_gamma_gamma = family_of(GAMMA_GAMMA)
    assert of_gamma_gamma is not None
    if not histories.has_order_values or not histories.backend.has_room:
        return GAMMA_GAMMA
    if histories.in_memory and len(histories) > MOST:
        chosen = np.zeros(len(histories), bool)
        chosen[np.linspace(0, len(histories) - 1, MOST).astype(np.intp)] = True
        histories = histories.select(chosen)
    usable = histories.usable(of_gamma_gamma.orders.statistics)
    if usable is None or np.count_nonzero(usable) < FEW:
        return GAMMA_GAMMA
    if _share_free(histories) > FREE:
        return of_gamma_gamma.orders
    best, *others = sorted(SPEND_FAMILIES, key=lambda family: -_height(family, histories))
    knows_first = "first_value" in histories.attribute_names
    if not (knows_first and first_orders(best, histories).belong):
        return best.orders
    for other in others:
        if predictive_gain(other, best, histories).better and first_orders(other, histories).belong:
            best = other
    return best.first


def _height(family: SpendFamily, histories: Histories) -> float:
    """Return the maximum of the log-likelihood of repeat orders."""
    return maximise(family.orders, observe(family.orders, histories)).value


def _share_free(histories: Histories) -> float:
    """Return the number of repeat orders of no value, by that of those with a value."""
    valued, mean = histories.statistic("valued"), histories.monetary_value
    known = (valued > 0.0) & (mean > 0.0)
    of_any_value = valued[known] * histories.statistic("valued_mean")[known] / mean[known]
    return float(of_any_value.sum() / max(valued[known].sum(), 1.0) - 1.0)


def on_orders(fit: SpendFit, histories: Histories) -> SpendFit:
    """Return a fit to means with its likelihood of single orders, so that it can be compared with fits to these.

    Raises
    ------
    FitError
        If the model has no likelihood of single orders, or the histories know none.
    """
    family = family_of(fit.model)
    if family is None or family.means is None:
        raise FitError(f"{fit.model.name} has no likelihood of single orders; compare it with fits to means")
    require_order_values(family.orders, family.orders.statistics, histories)
    value = observe(family.orders, histories).log_likelihood(family.orders, fit.estimate)[0]
    return replace(fit, model=family.orders, log_likelihood=value)
