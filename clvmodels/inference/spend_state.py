"""What the future orders of a customer depend on, by the model of spend, and which histories know it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.data.statistics import LOGS
from clvmodels.errors import FitError
from clvmodels.models.specification import Array, SpendModel
from clvmodels.numerics.threads import dot

__all__ = ["require_order_values", "spend_state", "usual_order"]


def spend_state(model: SpendModel, histories: Histories) -> tuple[Array, Array]:
    """Return the number of orders and the level of their values that a model predicts from, shape (customers,) each.

    Raises
    ------
    FitError
        If the model needs the values of single orders, and the histories do not know them.

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> spend_state(MODELS["gamma_gamma"], rfm)[0]
    array([2., 0., 5.])
    """
    require_order_values(model, model.state, histories)
    orders, level = (histories.statistic(name) for name in model.state)
    return orders, level


def usual_order(model: SpendModel, columns: Sequence[Array], weight: Array) -> float:
    """Return the mean of customers' mean orders, of logs their geometric mean: the unit of money a fit is sought in.

    Where orders may be worth less than nothing, it is the root mean square of orders.

    Parameters
    ----------
    model
        The model.
    columns
        Those of its statistics, shape (n,) each.
    weight
        Customers with each history, shape (n,).

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> count = np.ones(1)
    >>> usual_order(MODELS["gamma_gamma"], (count, 20.0 * count), count)
    20.0
    >>> round(usual_order(MODELS["log_normal"], (count, np.log(20.0 * count), 0.0 * count), count), 9)
    20.0
    """
    if model.signed:
        x, mean, squares = columns
        return float(np.sqrt(dot(weight, x * mean**2 + squares) / dot(weight, x)))
    level = dot(weight, columns[1]) / float(weight.sum())
    return float(np.exp(level)) if model.statistics[1] in LOGS else level


def require_order_values(model: SpendModel, statistics: Collection[str], histories: Histories) -> None:
    """Refuse histories that do not know the values of single orders, if statistics of these are needed.

    Raises
    ------
    FitError
        With what to write.
    """
    if not histories.has_order_values and model.signed and "known_ss" in statistics:
        raise FitError(
            f"{model.name} needs the contributions of single orders, and these histories have at most their means: make"
            ' them of the log, rfm_summary(log, value="contribution", returns="keep"), and in memory, rfm.collect(); or'
            " give a column with the sum of squares of a customer's repeat orders around their mean,"
            ' Histories.from_frame(..., statistics={"squares": "known_ss"})'
        )
    if {*statistics} & {*LOGS, *LOGS.values(), "valued_all"} and not histories.has_order_values:
        raise FitError(
            f"{model.name} needs the values of single orders, and these histories have at most their means: make them"
            ' of the log, rfm_summary(log, value="amount"), and in memory, rfm.collect(); or give a column with the'
            " mean of the logs of a customer's repeat orders, and one with the sum of squares around it,"
            ' Histories.from_frame(..., statistics={"mean_of_logs": "log_mean", "squares_of_logs": "log_ss"}); or fit'
            " clv.GammaGamma() to the means"
        )
