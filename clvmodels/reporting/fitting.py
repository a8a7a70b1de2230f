"""Models named by their keys, fitted one after another by the method asked for, the best by AIC first."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

import numpy as np

from clvmodels.arguments import require_choice, require_whole
from clvmodels.data.histories import Histories
from clvmodels.errors import FitError, FitWarning, one_of
from clvmodels.inference.bayes import LEAST_CHAINS as CHAINS
from clvmodels.inference.bayes import LEAST_DRAWS_OF_NUTS
from clvmodels.inference.estimator import Estimator, SpendEstimator, TransactionEstimator
from clvmodels.inference.fit import Fit
from clvmodels.inference.protocols import FitMethod
from clvmodels.inference.spend_choice import best_spend_model
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.registry import SPEND_MODELS, SPEND_VARIANTS, TRANSACTION_MODELS
from clvmodels.models.specification import Model, SpendModel, TransactionModel
from clvmodels.numerics.spend import positive_spend
from clvmodels.reporting.progress import Step

__all__ = [
    "AUTO",
    "MAXIMUM_LIKELIHOOD",
    "METHODS",
    "SEED",
    "Estimation",
    "fit_all",
    "fit_spend",
    "spend_model",
    "spend_of_few",
    "transaction_models",
    "warning_of",
]

AUTO: Final = "auto"
"""Stands for all models of transactions."""

METHODS: Final = ("posterior", "mle", "laplace", "nuts")
"""How the models of a valuation can be fitted."""
SEED: Final = 1


@dataclass(frozen=True)
class Estimation:
    """How models are fitted.

    Attributes
    ----------
    method
        As of `TransactionEstimator.fit`.
    draws
        Of the posterior of each model; those of chains, of which there are 4,000 at least, are thinned to about as
        many. None are made by ``"mle"``.
    """

    method: FitMethod
    draws: int = 0

    @property
    def needs_priors(self) -> bool:
        """Whether the method draws from a posterior, so that a model needs priors."""
        return self.method in ("posterior", "nuts")

    @classmethod
    def parse(cls, method: object, draws: object) -> Estimation:
        """Return what is asked for; where no draws are wanted, that is maximum likelihood, whatever the method.

        Raises
        ------
        FitError
            If there is no such method, or `draws` is no whole number.

        Examples
        --------
        >>> Estimation.parse("posterior", 400)
        Estimation(method='posterior', draws=400)
        >>> Estimation.parse("posterior", 0)
        Estimation(method='mle', draws=0)
        """
        require_choice("method", method, METHODS, FitError)
        number = require_whole("draws", draws, error=FitError)
        if method == "mle" or not number:
            return cls("mle")
        if number < 2:
            raise FitError("draws is 0 or a whole number from 2 up, got 1: one draw has no spread")
        return cls(cast("FitMethod", method), number)

    def of[M: Model, F: TransactionFit | SpendFit](
        self, estimator: Estimator[M, F], histories: Histories, by: str | None = None
    ) -> F:
        """Return the fit of a model; by segment, ``"posterior"`` is Laplace's approximation around the segments."""
        draws = self.draws if self.method != "nuts" else max(-(-self.draws // CHAINS), LEAST_DRAWS_OF_NUTS)
        method = "laplace" if by is not None and self.method == "posterior" else self.method
        seed = SEED if self.draws else None
        fit = estimator.fit(histories, method=method, by=by, draws=draws, chains=CHAINS, seed=seed, progress=False)
        return cast("F", fit.thinned(max(fit.number_of_draws // self.draws, 1))) if self.draws else fit


MAXIMUM_LIKELIHOOD: Final = Estimation("mle")


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


def spend_model(key: str) -> SpendModel | None:
    """Return the model of spend named `key`; None for ``"auto"``, the one that orders speak for.

    Raises
    ------
    FitError
        If there is no such model.
    """
    known = SPEND_MODELS | SPEND_VARIANTS
    if key != AUTO and key not in known:
        raise FitError(one_of("model of spend", key, (*known, AUTO)))
    return known.get(key)


def fit_all(
    histories: Histories, models: Sequence[TransactionModel], step: Step, how: Estimation = MAXIMUM_LIKELIHOOD
) -> tuple[TransactionFit, ...]:
    """Return a fit of each model, the lowest AIC first.

    Parameters
    ----------
    histories
        The customers.
    models
        What to fit.
    step
        Called as each fit begins, with a message that names the model.
    how
        The method.

    Warns
    -----
    FitWarning
        If a model without priors is left out, beside others whose posteriors are averaged.
    """
    fits = []
    for model in _with_priors(models) if how.needs_priors else models:
        step(f"fitting {model.name}")
        fits.append(how.of(TransactionEstimator(model), histories))
    return tuple(sorted(fits, key=lambda fit: fit.aic))


def _with_priors(models: Sequence[TransactionModel]) -> Sequence[TransactionModel]:
    """Return the models that have default priors; if none has, all of them, so that the fit says what is missing."""
    usable = [model for model in models if model.quantities]
    if not usable:
        return models
    for model in models:
        if not model.quantities:
            warnings.warn(
                f"{model.name} is left out: it has no default priors, and a posterior needs them; write "
                'method="mle" to fit all models by maximum likelihood',
                FitWarning,
                stacklevel=3,
            )
    return usable


def fit_spend(
    histories: Histories, model: SpendModel | None, step: Step, how: Estimation = MAXIMUM_LIKELIHOOD
) -> SpendFit:
    """Return a fit of a model of spend as `spend_of_few` does, and call `step` as it begins.

    The model may be None: it is then the one that the orders speak for.
    """
    model = best_spend_model(histories) if model is None else model
    step(f"fitting {model.name}")
    return spend_of_few(histories, model, how)


def spend_of_few(histories: Histories, model: SpendModel, how: Estimation = MAXIMUM_LIKELIHOOD) -> SpendFit:
    """Return a fit of a model of spend, also where the mean value of one customer alone is known.

    How customers differ is then open. They are taken to be alike: two customers like the one are fitted by maximum
    likelihood, so that every order is worth what the one customer's repeat orders are on average.

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
        return how.of(SpendEstimator(model), histories)
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


def warning_of(fit: Fit) -> str:
    """Return what a fit warns of if it did not end at a clean maximum."""
    return f"{fit.model.name}: {fit.diagnostics.message}"
