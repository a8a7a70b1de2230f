"""Models named by their keys, fitted one after another, the best by AIC first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from clvmodels.data.histories import Histories
from clvmodels.data.lazy import LazyHistories
from clvmodels.errors import FitError, one_of
from clvmodels.inference.estimator import OrdersEstimator, SpendEstimator
from clvmodels.inference.orders_fit import OrdersFit
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.models.registry import SPEND_MODELS, TRANSACTION_MODELS
from clvmodels.models.specification import SpendModel, TransactionModel
from clvmodels.report.progress import Step

__all__ = ["AUTO", "fit_all", "fit_spend", "spend_model", "transaction_models"]

AUTO: Final = "auto"
"""Stands for all models of transactions, the best of which is chosen."""


def transaction_models(key: str) -> tuple[TransactionModel, ...]:
    """Return the models that `key` stands for.

    Raises
    ------
    FitError
        If there is no such model.

    Examples
    --------
    >>> [model.name for model in transaction_models("auto")]
    ['BG/NBD', 'MBG/NBD', 'Pareto/NBD']
    """
    if key == AUTO:
        return tuple(TRANSACTION_MODELS.values())
    if key not in TRANSACTION_MODELS:
        raise FitError(one_of("model", key, (*TRANSACTION_MODELS, AUTO)))
    return (TRANSACTION_MODELS[key],)


def spend_model(key: str) -> SpendModel:
    """Return the model of spend named `key`.

    Raises
    ------
    FitError
        If there is no such model.
    """
    if key not in SPEND_MODELS:
        raise FitError(one_of("model of spend", key, SPEND_MODELS))
    return SPEND_MODELS[key]


def fit_all(
    histories: Histories | LazyHistories, models: Sequence[TransactionModel], step: Step
) -> tuple[OrdersFit, ...]:
    """Return a fit of each model, the lowest AIC first.

    Parameters
    ----------
    histories
        The customers.
    models
        What to fit.
    step
        Is told which model is fitted next.
    """
    fits = []
    for model in models:
        step(f"fitting {model.name}")
        fits.append(OrdersEstimator(model).fit(histories))
    return tuple(sorted(fits, key=lambda fit: fit.aic))


def fit_spend(histories: Histories | LazyHistories, model: SpendModel, step: Step) -> SpendFit:
    """Return a fit of a model of spend, and tell `step` of it."""
    step(f"fitting {model.name}")
    return SpendEstimator(model).fit(histories)
