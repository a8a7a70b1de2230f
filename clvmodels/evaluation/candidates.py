"""What is tried at each cut-off: models of transactions, their fits, and regressors of any other kind."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

import numpy as np

from clvmodels.data.transactions import split
from clvmodels.errors import FitError
from clvmodels.evaluation.forecasts import NAIVE, Forecast
from clvmodels.inference.estimator import SpendEstimator, TransactionEstimator
from clvmodels.inference.one_or_many import named
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.registry import SPEND_MODELS

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.bounds import WindowBound
    from clvmodels.data.histories import Histories
    from clvmodels.data.holdout import Holdout
    from clvmodels.data.log import Log
    from clvmodels.data.reading import LogFormat
    from clvmodels.inference.priors import Priors
    from clvmodels.inference.protocols import FitMethod
    from clvmodels.models.specification import Array

__all__ = [
    "Candidates",
    "Model",
    "Models",
    "Regressor",
    "features",
    "named_candidates",
    "of_regressor",
    "spend_candidate",
    "training_pair",
]


@runtime_checkable
class Regressor(Protocol):
    """Anything that learns numbers from a table, as scikit-learn's regressors do."""

    def fit(self, X: pd.DataFrame, y: Array, /) -> object:
        """Learn from a table with one row a customer, and their numbers of purchases."""

    def predict(self, X: pd.DataFrame, /) -> Any:  # noqa: ANN401 - an array, or what becomes one
        """Return a number for each row of a table."""


type Model = TransactionEstimator | TransactionFit | Regressor
type Models = Model | Sequence[Model] | Mapping[str, Model]


@dataclass(frozen=True, eq=False)
class Candidates:
    """What is fitted at each cut-off, and how.

    Attributes
    ----------
    models
        Models of transactions or their fits by name.
    regressors
        Regressors by name.
    spend
        The model of spend or its fit; None: there is no spend.
    method, seed
        How to fit.
    """

    models: Mapping[str, TransactionEstimator | TransactionFit]
    regressors: Mapping[str, Regressor]
    spend: SpendEstimator | SpendFit | None
    method: FitMethod
    seed: int | None

    def fits(self, histories: Histories) -> dict[str, TransactionFit]:
        """Return the fits of transactions by name; a fit is taken as it is."""
        return {name: self._fitted(model, histories) for name, model in self.models.items()}

    def spend_fit(self, histories: Histories) -> SpendFit | None:
        """Return the fit of spend."""
        return None if self.spend is None else self._fitted(self.spend, histories)

    def _fitted(self, model: Any, histories: Histories) -> Any:  # noqa: ANN401 - an estimator's fit is of its own kind
        if isinstance(model, TransactionFit | SpendFit):
            return model
        return model.fit(histories, method=self.method, seed=self.seed, progress=False)


def named_candidates(
    models: Models,
) -> tuple[dict[str, TransactionEstimator | TransactionFit], dict[str, Regressor]]:
    """Return models of transactions and regressors, both by name: the user's, or that of the model or the class.

    Raises
    ------
    FitError
        If one of them is neither, two have one name, or a name is that of a rule of thumb.

    Examples
    --------
    >>> import clvmodels as clv
    >>> class Mean:
    ...     def fit(self, X, y):
    ...         self.mean = y.mean()
    ...     def predict(self, X):
    ...         return np.full(len(X), self.mean)
    >>> models, regressors = named_candidates([clv.BGNBD(), Mean()])
    >>> list(models), list(regressors)
    (['BG/NBD'], ['Mean'])
    """
    pairs = _pairs(models)
    names = [name for name, _ in pairs]
    if not pairs or len(set(names)) < len(names):
        raise FitError(
            f"names must differ and there must be one at least, got {names}; give names of your own: "
            '{"trees": ..., "neighbours": ...}'
        )
    for name in set(names).intersection(NAIVE):
        raise FitError(f"{name!r} is the name of a rule of thumb, which is in the table by itself; choose another")
    fitted = {name: model for name, model in pairs if isinstance(model, TransactionEstimator | TransactionFit)}
    return fitted, {name: cast("Regressor", model) for name, model in pairs if name not in fitted}


def _pairs(models: Models) -> list[tuple[str, Any]]:
    """Return names and models."""
    if isinstance(models, Mapping):
        pairs = list(models.items())
    else:
        several: Iterable[Any] = models if isinstance(models, list | tuple) else [models]
        pairs = [(type(each).__name__ if _is_regressor(each) else next(iter(named(each))), each) for each in several]
    for _, model in pairs:
        if not (_is_regressor(model) or isinstance(model, TransactionEstimator | TransactionFit)):
            raise FitError(
                "a backtest takes models of orders, such as clv.BGNBD(), or their fits, and regressors with fit(X, y)"
                f" and predict(X); got {model!r}"
            )
    return pairs


def _is_regressor(model: object) -> bool:
    return isinstance(model, Regressor) and not isinstance(model, type)


def spend_candidate(
    given: SpendEstimator | SpendFit | None, value: str | None, priors: Priors | None = None
) -> SpendEstimator | SpendFit | None:
    """Return the model of spend: the one given, or the first of the registry, with priors, if the log has values."""
    if value is None or given is not None:
        return given
    return SpendEstimator(next(iter(SPEND_MODELS.values())), priors=priors)


def of_regressor(
    name: str,
    regressor: Regressor,
    pair: tuple[Histories, Holdout],
    spend: SpendFit | None,
    holdout: Holdout,
) -> Forecast:
    """Return what a regressor predicts, trained on the training window alone.

    Parameters
    ----------
    name, regressor
        Its name, and the regressor, which is copied before it is trained.
    pair
        The two parts of the training window, of `training_pair`.
    spend
        The fit of spend: revenue is the purchases times the expected value of an order, as of a model.
    holdout
        What is to be predicted; only its histories and its duration are looked at.

    Raises
    ------
    FitError
        If what it predicts is not one finite number for each customer.
    """
    calibration, target = pair
    table, fill = features(calibration)
    learner = copy.deepcopy(regressor)
    learner.fit(table, target.frequency.copy())
    predicted = np.asarray(learner.predict(features(holdout.histories, fill)[0]), dtype=float)
    if predicted.shape != (len(holdout),) or not np.isfinite(predicted).all():
        raise FitError(
            f"{name}: predict(X) must return one finite number for each of {len(holdout):,} customers, got an array of"
            f" shape {predicted.shape}"
        )
    purchases = np.maximum(predicted, 0.0) * (holdout.duration / target.duration)
    revenue = np.full(len(holdout), np.nan)
    if spend is not None:
        revenue = purchases * spend.expected_spend(holdout.histories)["mean"].to_numpy()
    return Forecast(purchases, revenue, purchases, purchases if spend is None else revenue)


def training_pair(
    reading: LogFormat, log: Log, inner: WindowBound, train_end: WindowBound
) -> tuple[Histories, Holdout]:
    """Return what a regressor learns from: histories up to an inner cut-off, and what came until training ended."""
    histories, target, _ = split(reading, log, inner, train_end)
    return histories, target


def features(histories: Histories, fill: pd.Series[float] | None = None) -> tuple[pd.DataFrame, pd.Series[float]]:
    """Return the table that regressors learn and predict from, and what stands for a number that is not known.

    Parameters
    ----------
    histories
        The customers.
    fill
        What stands for an unknown number, by column; None: the mean of those known, or 0 if there is none.

    Returns
    -------
    tuple
        A table by customer id: ``frequency``, ``recency``, ``T``, ``time_since_last`` (T - recency); of a log with
        values ``monetary_value``; and all attributes that are numbers or true or false, such as ``first_value``.

    Examples
    --------
    >>> import pandas as pd
    >>> import clvmodels as clv
    >>> table = {"customer_id": ["A", "B"], "frequency": [2, 0], "recency": [30.0, 0.0], "T": [39.0, 20.0]}
    >>> rfm = clv.Histories.from_frame(pd.DataFrame({**table, "monetary_value": [22.0, None]}), unit="week")
    >>> features(rfm)[0]
                 frequency  recency     T  time_since_last  monetary_value
    customer_id
    A                  2.0     30.0  39.0              9.0            22.0
    B                  0.0      0.0  20.0             20.0            22.0
    """
    import pandas as pd

    columns = {"frequency": histories.frequency, "recency": histories.recency, "T": histories.T}
    table = pd.DataFrame(columns, index=histories.customer_id)
    table["time_since_last"] = table["T"] - table["recency"]
    if histories.has_spend or (fill is not None and "monetary_value" in fill):
        table["monetary_value"] = histories.monetary_value
    numeric = histories.attributes.select_dtypes(["number", "bool"]).astype(float)
    table = pd.concat([table, numeric], axis=1).astype(float)
    known = table.mean().fillna(0.0) if fill is None else fill
    return table.reindex(columns=known.index).fillna(known), known
