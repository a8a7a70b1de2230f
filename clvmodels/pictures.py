"""The registry of pictures: a result finds its own by name, and imports none.

A picture reads the result that it draws, and so lies above it. The registry names the module of each picture, which
is imported when the picture is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from clvmodels.style import Drawn

__all__ = ["PICTURES", "picture"]

PICTURES: Final[Mapping[str, str]] = {
    "acquisitions": "clvmodels.inference.plots.acquisitions",
    "alive_matrix": "clvmodels.inference.plots.matrices",
    "backtest_scores": "clvmodels.evaluation.plots.backtest",
    "calendar_effect": "clvmodels.inference.plots.calendar",
    "calibration": "clvmodels.evaluation.plots.customers",
    "cash_flow": "clvmodels.valuation.plots.cash_flow",
    "coefficients": "clvmodels.inference.plots.coefficients",
    "conditional_expectation": "clvmodels.evaluation.plots.aggregate_fit",
    "conditional_spend": "clvmodels.inference.plots.spend",
    "customer_history": "clvmodels.inference.plots.customers",
    "draw_tracking": "clvmodels.evaluation.plots.tracking",
    "equity_by_horizon": "clvmodels.valuation.plots.equity",
    "forecast_fan": "clvmodels.evaluation.plots.forecast",
    "frequency_fit": "clvmodels.evaluation.plots.aggregate_fit",
    "heterogeneity": "clvmodels.inference.plots.heterogeneity",
    "lift": "clvmodels.evaluation.plots.customers",
    "lorenz": "clvmodels.valuation.plots.concentration",
    "posterior_predictive": "clvmodels.inference.plots.predictive",
    "prior_predictive": "clvmodels.inference.plots.predictive",
    "purchases_matrix": "clvmodels.inference.plots.matrices",
    "revenue_plan": "clvmodels.valuation.plots.revenue",
    "spend_density": "clvmodels.inference.plots.spend",
    "statement": "clvmodels.valuation.plots.equity",
    "timelines": "clvmodels.inference.plots.customers",
    "tornado": "clvmodels.valuation.plots.equity",
    "tracking": "clvmodels.evaluation.plots.tracking",
    "waterfall": "clvmodels.valuation.plots.movement",
    "whale": "clvmodels.valuation.plots.concentration",
}
"""The module of each picture."""


def picture(name: str) -> Callable[..., Drawn]:
    """Return the function that draws a picture.

    Raises
    ------
    KeyError
        If there is no picture of this name.

    Examples
    --------
    >>> picture("whale").__module__
    'clvmodels.valuation.plots.concentration'
    """
    function: Callable[..., Drawn] = getattr(import_module(PICTURES[name]), name)
    return function
