"""Purchase histories in, customer equity out: every number explained, dated, in stated units, with its uncertainty.

Names are imported when they are first used, so that ``import clvmodels`` is quick.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    __version__: str
    from clvmodels import datasets as datasets
    from clvmodels import models as models
    from clvmodels import plots as plots
    from clvmodels.data.calendar import Calendar as Calendar
    from clvmodels.data.contracts import contract_summary as contract_summary
    from clvmodels.data.events import purchase_occasions as purchase_occasions
    from clvmodels.data.histories import Histories as Histories
    from clvmodels.data.holdout import Holdout as Holdout
    from clvmodels.data.ledgers import Ledgers as Ledgers
    from clvmodels.data.opportunities import opportunity_summary as opportunity_summary
    from clvmodels.data.reading import LogFormat as LogFormat
    from clvmodels.data.rfm_segments import rfm_segments as rfm_segments
    from clvmodels.data.transactions import rfm_summary as rfm_summary
    from clvmodels.data.transactions import rfm_train_test_split as rfm_train_test_split
    from clvmodels.evaluation.backtest import backtest as backtest
    from clvmodels.evaluation.checks import checks as checks
    from clvmodels.evaluation.compare import compare as compare
    from clvmodels.evaluation.dependence import frequency_classes as frequency_classes
    from clvmodels.evaluation.forecast_check import forecast_against_actual as forecast_against_actual
    from clvmodels.evaluation.last_third import last_third as last_third
    from clvmodels.evaluation.tracking import track as track
    from clvmodels.inference.acquisition_forecast import AcquisitionForecast as AcquisitionForecast
    from clvmodels.inference.acquisition_forecast import acquisition_forecast as acquisition_forecast
    from clvmodels.inference.kinds import Fit as Fit
    from clvmodels.inference.migration.lifetimes import from_lifetimes as from_lifetimes
    from clvmodels.inference.migration.pymc_marketing import from_pymc_marketing as from_pymc_marketing
    from clvmodels.inference.model_classes import (
        RegisteredAgeing,
        RegisteredContracts,
        RegisteredMeansOrOrders,
        RegisteredOrders,
        RegisteredSpend,
        RegisteredTransactions,
    )
    from clvmodels.inference.registered_regular import RegisteredRegular
    from clvmodels.models.consistency import check_model as check_model
    from clvmodels.reporting.report import report as report
    from clvmodels.steering.budget.allocation import Allocation as Allocation
    from clvmodels.steering.budget.allocation import allocate as allocate
    from clvmodels.steering.campaigns.effect import CampaignEffect as CampaignEffect
    from clvmodels.steering.campaigns.evaluation import evaluate_campaign as evaluate_campaign
    from clvmodels.steering.campaigns.plan import Plan as Plan
    from clvmodels.steering.campaigns.plan import load_plan as load_plan
    from clvmodels.steering.campaigns.planning import plan_campaign as plan_campaign
    from clvmodels.steering.drivers.categories import category_value as category_value
    from clvmodels.steering.drivers.order_growth import order_value_growth as order_value_growth
    from clvmodels.steering.drivers.referrals import referral_value as referral_value
    from clvmodels.steering.drivers.satisfaction import satisfaction as satisfaction
    from clvmodels.valuation.assumptions import Assumptions as Assumptions
    from clvmodels.valuation.book import Book as Book
    from clvmodels.valuation.book import value as value
    from clvmodels.valuation.combined import CombinedBook as CombinedBook
    from clvmodels.valuation.combined import combine as combine
    from clvmodels.valuation.migration import migration as migration
    from clvmodels.valuation.movement import movement as movement
    from clvmodels.valuation.own_line import Line as Line
    from clvmodels.valuation.revenue_forecast import RevenueForecast as RevenueForecast
    from clvmodels.valuation.revenue_forecast import revenue_forecast as revenue_forecast
    from clvmodels.valuation.scenarios import scenarios as scenarios
    from clvmodels.valuation.scenarios import tornado as tornado
    from clvmodels.valuation.scenarios import two_way as two_way

    # The classes are made of the registry when they are first used; here they are shown to type checkers and editors.
    class BGNBD(RegisteredTransactions):
        """BG/NBD: a customer may leave after each repeat purchase."""

    class MBGNBD(RegisteredTransactions):
        """MBG/NBD: a customer may leave after each purchase, the first one included."""

    class ParetoNBD(RegisteredAgeing):
        """Pareto/NBD: a customer may leave at any time."""

    class GammaGamma(RegisteredMeansOrOrders):
        """Gamma-Gamma: the value of an order varies around each customer's own mean."""

    class LogNormalSpend(RegisteredOrders):
        """Log-normal spend: the logs of a customer's orders are normal around their own mean."""

    class NormalContribution(RegisteredSpend):
        """Normal contribution: what orders contribute varies around each customer's own mean, and may be negative."""

    class BGBB(RegisteredTransactions):
        """BG/BB: there is one opportunity to buy in each period; before each of them a customer may leave."""

    class SBG(RegisteredContracts):
        """sBG: customers under contract leave at each renewal with a probability of their own."""

    class BDW(RegisteredContracts):
        """BdW: customers under contract whose own chance to leave rises or falls with each renewal."""

    class BGCNBDk(RegisteredRegular):
        """BG/CNBD-k: regular purchases, and a chance to leave after each repeat purchase."""

    class MBGCNBDk(RegisteredRegular):
        """MBG/CNBD-k: regular purchases, and a chance to leave after each purchase."""

    class ParetoCNBDk(RegisteredRegular):
        """Pareto/CNBD-k: regular purchases of customers who may leave at any time."""


_EXPORTS: Final = {
    "AcquisitionForecast": "clvmodels.inference.acquisition_forecast",
    "Allocation": "clvmodels.steering.budget.allocation",
    "Assumptions": "clvmodels.valuation.assumptions",
    "Book": "clvmodels.valuation.book",
    "Calendar": "clvmodels.data.calendar",
    "CampaignEffect": "clvmodels.steering.campaigns.effect",
    "CombinedBook": "clvmodels.valuation.combined",
    "Fit": "clvmodels.inference.kinds",
    "Histories": "clvmodels.data.histories",
    "Holdout": "clvmodels.data.holdout",
    "Ledgers": "clvmodels.data.ledgers",
    "Line": "clvmodels.valuation.own_line",
    "LogFormat": "clvmodels.data.reading",
    "Plan": "clvmodels.steering.campaigns.plan",
    "RevenueForecast": "clvmodels.valuation.revenue_forecast",
    "acquisition_forecast": "clvmodels.inference.acquisition_forecast",
    "allocate": "clvmodels.steering.budget.allocation",
    "backtest": "clvmodels.evaluation.backtest",
    "category_value": "clvmodels.steering.drivers.categories",
    "check_model": "clvmodels.models.consistency",
    "checks": "clvmodels.evaluation.checks",
    "combine": "clvmodels.valuation.combined",
    "compare": "clvmodels.evaluation.compare",
    "contract_summary": "clvmodels.data.contracts",
    "evaluate_campaign": "clvmodels.steering.campaigns.evaluation",
    "forecast_against_actual": "clvmodels.evaluation.forecast_check",
    "frequency_classes": "clvmodels.evaluation.dependence",
    "from_lifetimes": "clvmodels.inference.migration.lifetimes",
    "from_pymc_marketing": "clvmodels.inference.migration.pymc_marketing",
    "last_third": "clvmodels.evaluation.last_third",
    "load_plan": "clvmodels.steering.campaigns.plan",
    "migration": "clvmodels.valuation.migration",
    "movement": "clvmodels.valuation.movement",
    "opportunity_summary": "clvmodels.data.opportunities",
    "order_value_growth": "clvmodels.steering.drivers.order_growth",
    "plan_campaign": "clvmodels.steering.campaigns.planning",
    "purchase_occasions": "clvmodels.data.events",
    "referral_value": "clvmodels.steering.drivers.referrals",
    "report": "clvmodels.reporting.report",
    "revenue_forecast": "clvmodels.valuation.revenue_forecast",
    "rfm_segments": "clvmodels.data.rfm_segments",
    "rfm_summary": "clvmodels.data.transactions",
    "rfm_train_test_split": "clvmodels.data.transactions",
    "satisfaction": "clvmodels.steering.drivers.satisfaction",
    "scenarios": "clvmodels.valuation.scenarios",
    "tornado": "clvmodels.valuation.scenarios",
    "track": "clvmodels.evaluation.tracking",
    "two_way": "clvmodels.valuation.scenarios",
    "value": "clvmodels.valuation.book",
}

_MODULES: Final = ("datasets", "models", "plots")

__all__ = [*_EXPORTS, *_MODULES]  # noqa: PLE0604 - the models' names come from their registry


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("clvmodels")
    if name in _MODULES:
        return import_module(f"clvmodels.{name}")
    if name in _EXPORTS:
        public: object = getattr(import_module(_EXPORTS[name]), name)
        return public
    if not name.startswith("_"):
        classes = _model_classes()
        if name in classes:
            return classes[name]
    raise AttributeError(f"module 'clvmodels' has no attribute {name!r}")


def __dir__() -> list[str]:
    special = [name for name in globals() if name.startswith("__")]
    return sorted({*special, *__all__, *_model_classes(), "__version__"})


def _model_classes() -> Mapping[str, type]:
    """Return ``clv.BGNBD`` and its siblings by name."""
    from clvmodels.inference.model_classes import model_classes

    return model_classes()
