"""All pictures in one place: ``clv.plots.tracking(...)``.

Each function draws on `ax`, or on axes of its own, and returns them; with ``return_data=True`` it returns the table
that is drawn as well. Each subpackage draws what it computes; here they are gathered.
"""

from __future__ import annotations

from clvmodels.evaluation.plots.aggregate_fit import conditional_expectation, frequency_fit
from clvmodels.evaluation.plots.backtest import backtest_scores
from clvmodels.evaluation.plots.customers import calibration, lift
from clvmodels.evaluation.plots.forecast import forecast_fan
from clvmodels.evaluation.plots.tracking import tracking
from clvmodels.inference.plots.acquisitions import acquisitions
from clvmodels.inference.plots.calendar import calendar_effect
from clvmodels.inference.plots.coefficients import coefficients
from clvmodels.inference.plots.customers import customer_history, timelines
from clvmodels.inference.plots.heterogeneity import heterogeneity
from clvmodels.inference.plots.matrices import alive_matrix, purchases_matrix
from clvmodels.inference.plots.predictive import posterior_predictive, prior_predictive
from clvmodels.inference.plots.spend import conditional_spend, spend_density
from clvmodels.valuation.plots.cash_flow import cash_flow
from clvmodels.valuation.plots.concentration import lorenz, whale
from clvmodels.valuation.plots.equity import equity_by_horizon, statement, tornado
from clvmodels.valuation.plots.movement import waterfall
from clvmodels.valuation.plots.revenue import revenue_plan

__all__ = [
    "acquisitions",
    "alive_matrix",
    "backtest_scores",
    "calendar_effect",
    "calibration",
    "cash_flow",
    "coefficients",
    "conditional_expectation",
    "conditional_spend",
    "customer_history",
    "equity_by_horizon",
    "forecast_fan",
    "frequency_fit",
    "heterogeneity",
    "lift",
    "lorenz",
    "posterior_predictive",
    "prior_predictive",
    "purchases_matrix",
    "revenue_plan",
    "spend_density",
    "statement",
    "timelines",
    "tornado",
    "tracking",
    "waterfall",
    "whale",
]
