"""Draws of the posterior in place of a point estimate, of the same model and the same customers."""

from __future__ import annotations

import warnings
from typing import Final

from clvmodels.data.histories import Histories
from clvmodels.errors import FitWarning
from clvmodels.inference.estimator import Estimator, SpendEstimator, TransactionEstimator
from clvmodels.inference.model_average import ModelAverage, Transactions, average
from clvmodels.inference.observations import observe
from clvmodels.inference.protocols import FitMethod
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.specification import Model

__all__ = ["spend_with_draws", "transactions_with_draws"]

SEED: Final = 1
DRAWS: Final = 400
"""The error of an interval's ends is then 3 % of its width."""


def transactions_with_draws(transactions: Transactions, histories: Histories) -> Transactions:
    """Return the fit with draws of its posterior, if it has none and was fitted to these histories; else as it is.

    Default priors are taken. Of models averaged, each is drawn, and they are weighed anew.
    """
    fits = tuple(
        fit
        if _stays(fit, histories)
        else _drawn(TransactionEstimator(fit.model, covariates=fit.formulas), fit, histories)
        for fit in transactions.fits
    )
    if fits == transactions.fits:
        return transactions
    return average(fits, histories) if isinstance(transactions, ModelAverage) else fits[0]


def spend_with_draws(spend: SpendFit, histories: Histories) -> SpendFit:
    """Return the same of a fit of spend."""
    return (
        spend
        if _stays(spend, histories)
        else _drawn(SpendEstimator(spend.model, covariates=spend.formulas, depends_on=spend.rates), spend, histories)
    )


def _drawn[M: Model, F: TransactionFit | SpendFit](estimator: Estimator[M, F], fit: F, histories: Histories) -> F:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)  # the estimate has warned
        return estimator.fit(histories, method=_method(fit), by=fit.by, draws=DRAWS, seed=SEED, progress=False)


def _method(fit: TransactionFit | SpendFit) -> FitMethod:
    """Return the method that draws: of segments, around the modes that they were found at."""
    return "posterior" if fit.by is None else "laplace"


def _stays(fit: TransactionFit | SpendFit, histories: Histories) -> bool:
    """Whether there are draws, or these are not the customers of the fit, or the model has no priors."""
    if fit.number_of_draws > 1 or not fit.fingerprint or not fit.model.quantities:
        return True
    return observe(fit.model, histories).fingerprint != fit.fingerprint
