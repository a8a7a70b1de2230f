"""The last third of a log held back: what models of the first two thirds predict of it, and what came."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from clvmodels.data.reading import LogFormat, log_of
from clvmodels.data.transactions import split
from clvmodels.errors import DataWarning
from clvmodels.evaluation.candidates import Candidates, spend_candidate
from clvmodels.evaluation.holdout_total import HoldoutTotal, holdout_total
from clvmodels.evaluation.windows import last_third_window
from clvmodels.inference.estimator import SpendEstimator, TransactionEstimator
from clvmodels.inference.model_average import STACKED_FROM, average
from clvmodels.inference.one_or_many import OneOrMany, named
from clvmodels.models.registry import TRANSACTION_MODELS

if TYPE_CHECKING:
    from clvmodels.data.build import Returns
    from clvmodels.data.histories import Histories
    from clvmodels.data.log import Log
    from clvmodels.data.reading import Day
    from clvmodels.inference.priors import Priors
    from clvmodels.inference.protocols import FitMethod
    from clvmodels.inference.transaction_fit import TransactionFit

__all__ = ["last_third", "last_third_of"]


def last_third(
    log: object,
    models: OneOrMany[TransactionEstimator] | None = None,
    *,
    spend: SpendEstimator | None = None,
    method: FitMethod = "laplace",
    weights: Mapping[str, float] | None = None,
    seed: int | None = None,
    customer_id: str = "customer_id",
    time: str = "date",
    value: str | None = None,
    unit: str = "week",
    resolution: str | None = None,
    observation_end: Day | None = None,
    returns: Returns = "net",
    time_zone: str | None = None,
    time_format: str | None = None,
    attributes: Sequence[str] = (),
    order_id: str | None = None,
    quantity: str | None = None,
    exclude_ids: Sequence[object] = (),
    clean_ids: bool = False,
) -> HoldoutTotal:
    """Hold back the last third of the observed time, and compare what was predicted of it with what came.

    Of the customers known at the cut-off, all together: their purchases and, if the log has values, their revenue, with
    90 % intervals that include what customers do by chance, the parameters and, of several models, which one is right.

    Parameters
    ----------
    log
        The purchase log, as for `rfm_summary`.
    models
        A model, several, or several by name; None: all registered ones, with their default priors (with
        ``"mle"``, none).
    spend
        The model of spend; None: the first registered one with its default priors, if there are values.
    method, seed
        How to fit, as in ``fit``; the seed is that of the simulation, too.
    weights
        Of the models by name; None: proportional to exp(-AIC / 2), and of 5,000 customers or more those of `value`,
        since AIC then gives all weight to one model.
    customer_id, time, value, unit, resolution, returns, time_zone, time_format, attributes, order_id, quantity,
    exclude_ids, clean_ids
        The format of the log, as in `LogFormat`.
    observation_end
        Up to when the log is complete, if that is later than its last transaction.

    Returns
    -------
    HoldoutTotal

    Raises
    ------
    DataError
        If the log spans less than three days, or as for `rfm_train_test_split`.
    FitError
        If a model cannot be fitted to the first two thirds.

    Warns
    -----
    DataWarning
        As for `rfm_train_test_split`.
    FitWarning
        As ``fit`` does.

    Notes
    -----
    With a merging resolution such as ``"week"``, the cut-off is the last day before that ends a week.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> third = last_third(log, clv.BGNBD(priors={}), resolution="day", seed=1)
    >>> third.cutoff.date().isoformat(), third.actual, third.inside
    ('1997-12-30', 1156.0, True)
    """
    reading = LogFormat(
        customer_id, time, value, unit, resolution, returns, time_zone, time_format,
        attributes, order_id, quantity, exclude_ids, clean_ids,
    )  # fmt: skip
    priors: Priors | None = None if method == "mle" else {}
    candidates = Candidates(_models(models, priors), {}, spend_candidate(spend, value, priors), method, seed)
    third, notes = last_third_of(candidates, reading, log_of(reading, log), observation_end, weights)
    for note in notes:
        warnings.warn(note, DataWarning, stacklevel=2)
    return third


def last_third_of(
    candidates: Candidates,
    reading: LogFormat,
    log: Log,
    observation_end: Day | None = None,
    weights: Mapping[str, float] | None = None,
) -> tuple[HoldoutTotal, list[str]]:
    """Return what `last_third` does of an opened log, and notes to warn with."""
    cutoff, end = last_third_window(reading, log, observation_end)
    histories, holdout, notes = split(reading, log, cutoff, end, "observation_end")
    fits, spend = candidates.fits(histories), candidates.spend_fit(histories)
    weights = _stacked(fits, histories) if weights is None else weights
    return holdout_total(fits, spend, holdout, weights=weights, seed=candidates.seed), notes


def _stacked(fits: Mapping[str, TransactionFit], histories: Histories) -> Mapping[str, float] | None:
    """Return the weights of many customers, as a valuation of them takes; None of few, whose AIC costs less."""
    if histories.customers < STACKED_FROM or len({fit.model.key for fit in fits.values()}) < len(fits):
        return None
    averaged = average(tuple(fits.values()), histories)
    weight = {fit.model.key: share for fit, share in zip(averaged.fits, averaged.weights, strict=True)}
    return {name: weight[fit.model.key] for name, fit in fits.items()}


def _models(given: OneOrMany[TransactionEstimator] | None, priors: Priors | None) -> dict[str, TransactionEstimator]:
    if given is not None:
        return named(given)
    return {model.name: TransactionEstimator(model, priors=priors) for model in TRANSACTION_MODELS.values()}
