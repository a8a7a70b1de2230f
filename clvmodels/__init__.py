"""Purchase histories in, customer equity out: every number explained, dated, in stated units, with its uncertainty.

Names are imported when they are first used, so that ``import clvmodels`` is quick.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    __version__: str
    from clvmodels import datasets as datasets
    from clvmodels import plots as plots
    from clvmodels.data.histories import Histories as Histories
    from clvmodels.data.holdout import Holdout as Holdout
    from clvmodels.data.ledgers import Ledgers as Ledgers
    from clvmodels.data.transactions import rfm_summary as rfm_summary
    from clvmodels.data.transactions import rfm_train_test_split as rfm_train_test_split
    from clvmodels.inference.estimator import OrdersEstimator, SpendEstimator
    from clvmodels.inference.fit import Fit as Fit
    from clvmodels.inference.priors import Priors
    from clvmodels.valuation.assumptions import Assumptions as Assumptions
    from clvmodels.valuation.book import Book as Book
    from clvmodels.valuation.book import value as value
    from clvmodels.valuation.movement import movement as movement
    from clvmodels.valuation.scenarios import scenarios as scenarios
    from clvmodels.valuation.scenarios import tornado as tornado
    from clvmodels.valuation.scenarios import two_way as two_way

    class _Orders(Protocol):
        def __call__(self, *, priors: Priors | None = None) -> OrdersEstimator: ...

    class _Spend(Protocol):
        def __call__(self, *, priors: Priors | None = None) -> SpendEstimator: ...

    BGNBD: _Orders
    MBGNBD: _Orders
    ParetoNBD: _Orders
    GammaGamma: _Spend

_ROOMS: Final = {
    "Assumptions": "clvmodels.valuation.assumptions",
    "Book": "clvmodels.valuation.book",
    "Fit": "clvmodels.inference.fit",
    "Histories": "clvmodels.data.histories",
    "Holdout": "clvmodels.data.holdout",
    "Ledgers": "clvmodels.data.ledgers",
    "movement": "clvmodels.valuation.movement",
    "rfm_summary": "clvmodels.data.transactions",
    "rfm_train_test_split": "clvmodels.data.transactions",
    "scenarios": "clvmodels.valuation.scenarios",
    "tornado": "clvmodels.valuation.scenarios",
    "two_way": "clvmodels.valuation.scenarios",
    "value": "clvmodels.valuation.book",
}

__all__ = [*_ROOMS, "datasets", "plots"]  # noqa: PLE0604 - the models' names come from their registry


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("clvmodels")
    if name in {"datasets", "plots"}:
        return import_module(f"clvmodels.{name}")
    if name in _ROOMS:
        public: object = getattr(import_module(_ROOMS[name]), name)
        return public
    if not name.startswith("_"):
        for public_name, estimator in _estimators().items():
            if name == public_name:
                return estimator
    raise AttributeError(f"module 'clvmodels' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_estimators()})


def _estimators() -> dict[str, Callable[..., object]]:
    """Return what ``clv.BGNBD`` and its siblings stand for, by name."""
    from clvmodels.inference.estimator import OrdersEstimator, SpendEstimator
    from clvmodels.models.registry import SPEND_MODELS, TRANSACTION_MODELS

    orders: dict[str, Callable[..., object]] = {
        model.public_name: partial(OrdersEstimator, model) for model in TRANSACTION_MODELS.values()
    }
    spend: dict[str, Callable[..., object]] = {
        model.public_name: partial(SpendEstimator, model) for model in SPEND_MODELS.values()
    }
    return {**orders, **spend}
