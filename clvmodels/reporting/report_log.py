"""What a report asks of its purchase log: histories at a closing, and what came of forecasts."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from clvmodels.data.reading import Day, LogFormat, log_of, log_since
from clvmodels.data.transactions import histories_of
from clvmodels.errors import DataWarning
from clvmodels.evaluation.candidates import Candidates
from clvmodels.evaluation.forecast_check import ForecastCheck, forecast_check_of
from clvmodels.evaluation.holdout_total import HoldoutTotal
from clvmodels.evaluation.last_third import last_third_of
from clvmodels.inference.estimator import SpendEstimator, TransactionEstimator
from clvmodels.inference.model_average import ModelAverage
from clvmodels.inference.spend_choice import BestSpend
from clvmodels.reporting.fitting import SEED, Estimation
from clvmodels.units import Unit, parse_unit

if TYPE_CHECKING:
    from clvmodels.data.histories import Histories
    from clvmodels.data.log import Log
    from clvmodels.inference.priors import Priors
    from clvmodels.inference.protocols import FitMethod
    from clvmodels.models.specification import SpendModel, TransactionModel
    from clvmodels.valuation.book import Book

__all__ = ["ReportLog"]

_PERIODS: Final[Mapping[Unit, str]] = {"week": "13 weeks", "year": "year"}
"""By resolution, what a forecast is compared by where a quarter would cut a merging window."""


@dataclass(frozen=True, eq=False)
class ReportLog:
    """The purchase log of a report, opened when it is first read.

    Attributes
    ----------
    given
        The log, as for `rfm_summary`.
    reading
        Its format, with the attributes that the report needs.
    start
        The first day observed; None: that of the first transaction.
    """

    given: object
    reading: LogFormat
    start: Day | None

    @cached_property
    def opened(self) -> Log:
        """The log, opened."""
        return log_of(self.reading, self.given)

    @cached_property
    def observed(self) -> Log:
        """The log, opened, without what lies before the first day observed."""
        return log_since(self.opened, self.start)

    def histories(self, day: str) -> Histories:
        """Return the histories at the end of a day.

        Warns
        -----
        DataWarning
            As `rfm_summary`.
        """
        histories, notes = histories_of(self.opened, self.reading, self.start, day)
        for note in notes:
            warnings.warn(note, DataWarning, stacklevel=2)
        return histories.collect(memory_gb=math.inf)

    def last_third(
        self, day: str, models: Sequence[TransactionModel], spend: SpendModel | None, how: Estimation
    ) -> HoldoutTotal:
        """Return what models of the first two thirds of the log until a day predict of the last, and what came.

        Where the report has draws, the fits are Laplace's approximation to the posterior under the default priors: a
        total needs no better. The weights are those of the first two thirds: weights of the whole log would know what
        came. What the log itself warns of stands at its closing already.

        Raises
        ------
        DataError
            If the log is too short.
        FitError
            If a model cannot be fitted to the first two thirds.

        Warns
        -----
        FitWarning
            As the fits do.
        """
        priors: Priors | None = {} if how.draws else None
        transactions = {model.name: TransactionEstimator(model, priors) for model in models}
        method: FitMethod = "laplace" if how.draws else "mle"
        of_spend = BestSpend(priors=priors) if spend is None else SpendEstimator(spend, priors)
        candidates = Candidates(transactions, {}, of_spend, method, SEED)
        total, _ = last_third_of(candidates, self.reading, self.observed, day)
        return total

    def forecast_check(self, book: Book, before: str, after: str) -> ForecastCheck:
        """Return what the fits of an earlier closing predicted until a later one, quarter by quarter, and what came.

        Raises
        ------
        DataError
            If a quarter ends within a merging window.
        """
        transactions = book.transactions
        fits = {fit.model.name: fit for fit in transactions.fits}
        weights = dict(zip(fits, transactions.weights, strict=True)) if isinstance(transactions, ModelAverage) else None
        resolution = self.reading.resolution
        period = "quarter" if resolution is None else _PERIODS.get(parse_unit(resolution), "quarter")
        check, _ = forecast_check_of(
            fits, book.spend, self.reading, self.observed, (before, after), period, weights=weights, seed=SEED
        )
        return check
