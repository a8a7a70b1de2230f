"""Models named by their keys, fitted one after another, the best by AIC first."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isclose
from typing import Final

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.errors import FitError, FitWarning, one_of
from clvmodels.inference.estimator import SpendEstimator, TransactionEstimator
from clvmodels.inference.fit import Fit
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.registry import SPEND_MODELS, TRANSACTION_MODELS
from clvmodels.models.specification import SpendModel, TransactionModel
from clvmodels.numerics.spend import positive_spend
from clvmodels.reporting.progress import Step

__all__ = [
    "AUTO",
    "expected_in_a_year",
    "fit_all",
    "fit_spend",
    "is_flat",
    "same_as_first",
    "spend_model",
    "spend_of_few",
    "transaction_models",
    "warning_of",
]

AUTO: Final = "auto"
"""Stands for all models of transactions, the best of which is chosen."""

_FLAT: Final = ("boundary", "not identified", "not converged")
"""How a fit by maximum likelihood ends that has no normal approximation around it."""
_SAME_LIKELIHOOD: Final = 0.5
_SAME_FIGURE: Final = 1e-3
"""Models at a boundary are the same one if a figure differs by no more than that, relatively, and log-likelihoods by
what no data tell apart."""


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


def fit_all(histories: Histories, models: Sequence[TransactionModel], step: Step) -> tuple[TransactionFit, ...]:
    """Return a fit of each model, the lowest AIC first.

    Parameters
    ----------
    histories
        The customers.
    models
        What to fit.
    step
        Called as each fit begins, with a message that names the model.
    """
    fits = []
    for model in models:
        step(f"fitting {model.name}")
        fits.append(TransactionEstimator(model).fit(histories))
    return tuple(sorted(fits, key=lambda fit: fit.aic))


def fit_spend(histories: Histories, model: SpendModel, step: Step) -> SpendFit:
    """Return a fit of a model of spend, and call `step` as it begins."""
    step(f"fitting {model.name}")
    return SpendEstimator(model).fit(histories)


def spend_of_few(histories: Histories, model: SpendModel) -> SpendFit:
    """Return a fit of a model of spend, also where the mean value of one customer alone is known.

    How customers differ is then open. They are taken to be alike: two customers like the one are fitted, so that every
    order is worth what the one customer's repeat orders are on average.

    Raises
    ------
    FitError
        If no mean value is known.

    Warns
    -----
    FitWarning
        As `SpendEstimator.fit`, or that there is one customer alone.
    """
    known = positive_spend(histories.frequency, histories.monetary_value)
    if np.count_nonzero(known) != 1:
        return SpendEstimator(model).fit(histories)
    import pandas as pd

    frame = histories.select(known).to_frame().reset_index(drop=True)
    alike = Histories.from_frame(pd.concat([frame, frame]).assign(customer_id=["one", "alike"]), unit=histories.unit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)  # of the two; the warning about the one customer is below
        fit = SpendEstimator(model).fit(alike)
    message = (
        f"the mean value is known of one customer alone ({histories.monetary_value[known][0]:,.2f}). Every order is "
        "taken to be worth that; customers with repeat purchases of positive value would tell how they differ."
    )
    fit = replace(
        fit,
        customers=1,
        log_likelihood=fit.log_likelihood / 2.0,
        diagnostics=replace(fit.diagnostics, status="not identified", message=message),
    )
    warnings.warn(warning_of(fit), FitWarning, stacklevel=2)
    return fit


def is_flat(fit: Fit) -> bool:
    """Whether a fit by maximum likelihood has no normal approximation to draw parameters from."""
    return fit.diagnostics.status in _FLAT


def warning_of(fit: Fit) -> str:
    """Return what a fit warns of if it did not end at a clean maximum."""
    return f"{fit.model.name}: {fit.diagnostics.message}"


def same_as_first(fits: Sequence[TransactionFit], figure: Callable[[TransactionFit], float]) -> tuple[str, ...]:
    """Return the names of the models that have become the same one as the first at a boundary; itself excluded.

    Where nobody is seen to leave, models that differ in how customers leave have nothing to differ in. That they agree
    is then no sign of certainty.

    Parameters
    ----------
    fits
        Fits of the same histories.
    figure
        Returns what is predicted under a fit. It is asked only of fits with nearly the same log-likelihood.
    """
    first, *others = fits
    likely = [
        fit
        for fit in others
        if is_flat(fit) and is_flat(first) and abs(fit.log_likelihood - first.log_likelihood) <= _SAME_LIKELIHOOD
    ]
    if not likely:
        return ()
    predicted = figure(first)
    return tuple(fit.model.name for fit in likely if isclose(figure(fit), predicted, rel_tol=_SAME_FIGURE))


def expected_in_a_year(fit: TransactionFit, histories: Histories) -> float:
    """Return how many purchases of all customers are expected within a year."""
    return float(fit.expected_purchases(histories, "1 year")["mean"].sum())
