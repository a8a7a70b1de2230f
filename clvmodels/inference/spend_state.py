"""What the future orders of a customer depend on, by the model of spend, and which histories know it."""

from __future__ import annotations

from collections.abc import Collection

from clvmodels.data.histories import Histories
from clvmodels.data.statistics import LOGS
from clvmodels.errors import FitError
from clvmodels.models.specification import Array, SpendModel

__all__ = ["require_order_values", "spend_state"]


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


def require_order_values(model: SpendModel, statistics: Collection[str], histories: Histories) -> None:
    """Refuse histories that do not know the values of single orders, if statistics of these are needed.

    Raises
    ------
    FitError
        With what to write.
    """
    if {*statistics} & {*LOGS, *LOGS.values(), "valued_all"} and not histories.has_order_values:
        raise FitError(
            f"{model.name} needs the values of single orders, and these histories have at most their means: make them"
            ' of the log, rfm_summary(log, value="amount"), and in memory, rfm.collect(); or give a column with the mean'
            " of the logs of a customer's repeat orders, and one with the sum of squares around it,"
            ' Histories.from_frame(..., statistics={"mean_of_logs": "log_mean", "squares_of_logs": "log_ss"}); or fit'
            " clv.GammaGamma() to the means"
        )
