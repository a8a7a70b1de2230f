"""What a fit of transactions knows of time: its unit, and the calendar that purchases follow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.data.required import require_histories
from clvmodels.errors import FitError, UnitError
from clvmodels.inference.calendars import Moment, end_of_observation, now_of, read_moment
from clvmodels.inference.describe import interval
from clvmodels.inference.fit import Fit
from clvmodels.inference.parameters import Parameters
from clvmodels.inference.path_model import PathModel, bound_pieces, model_on_paths
from clvmodels.models.clocked import ClockedModel, on_clock
from clvmodels.models.specification import TransactionModel
from clvmodels.units import Duration, Unit, duration

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TimedFit"]

SAME: Final = 1e-6
"""Days by which two instants may differ that are the same."""


def on_own_paths[F: Fit](fit: F, histories: Histories) -> F:
    """Return a fit that follows paths as that of customers on theirs: coefficients are parameters of its model."""
    covariates = fit.covariates
    assert covariates is not None
    assert isinstance(fit.model, TransactionModel)
    design, units = covariates.design, np.ones(len(fit.model.parameters))
    scale = np.concatenate([units, design.scale])
    return replace(
        fit,
        model=model_on_paths(fit.model, design.terms, *bound_pieces(design, histories)),
        theta=np.concatenate([fit.theta, np.exp(covariates.draws * design.scale)], axis=-1),
        estimate=np.concatenate([fit.estimate, np.exp(covariates.estimate * design.scale)]),
        covariance=covariates.covariance * np.outer(scale, scale),
        covariates=None,
    )


@dataclass(frozen=True, eq=False, repr=False)
class TimedFit(Fit):
    """A fit of transactions, without what it predicts."""

    model: TransactionModel
    unit: Unit

    def time(self, value: Duration) -> float:
        """Return a duration as a number in the unit of this fit; a bare number is in that unit already.

        Raises
        ------
        UnitError
            If the duration is none, or has a unit that is not known.

        Examples
        --------
        >>> transactions.time("364 days"), transactions.time(52)
        (52.0, 52.0)
        """
        return duration(value, self.unit)

    def require_unit(self, histories: Histories) -> None:
        """Raise UnitError unless the histories count time in the unit of this fit.

        Examples
        --------
        >>> transactions.require_unit(rfm.in_unit("day"))
        Traceback (most recent call last):
            ...
        clvmodels.errors.UnitError: this fit counts time in weeks and the histories in days; write rfm.in_unit("week")
        """
        require_histories(histories)
        if histories.unit != self.unit:
            raise UnitError(
                f"this fit counts time in {self.unit}s and the histories in {histories.unit}s; "
                f'write rfm.in_unit("{self.unit}")'
            )

    def parameters(self, histories: Histories) -> Parameters:
        """Return the parameters of customers: the same for all, or those of each customer's segment.

        Raises
        ------
        UnitError
            If the histories are not in the unit of this fit.
        DataError
            If this is a fit by segment and the histories do not name segments, or name one it does not know.
        FitError
            If this is a fit with a calendar, and stands at another time than the end of observation of the histories.

        Examples
        --------
        >>> transactions.parameters(rfm).estimate.tolist()
        [0.243, 4.414, 0.793, 2.426]
        """
        self.require_unit(histories)
        if isinstance(self.model, PathModel):
            return Parameters(self.draws, self.estimate)
        if self.follows_paths:
            assert self.covariates is not None
            raise FitError(
                f"this fit follows each customer's {' and '.join(self.covariates.design.paths)}, and what is asked for"
                " does not; predictions, values and loo do, and fit.at({...}) is the fit of customers at one level"
            )
        if self.calendar is not None:
            self._require_end(end_of_observation(histories))
        return super().parameters(histories)

    @property
    def follows_paths(self) -> bool:
        """Whether covariates of this fit change while customers are customers."""
        return self.covariates is not None and bool(self.covariates.design.paths)

    def of_customers(self, histories: Histories) -> Self:
        """Return the fit of these customers: at the end of their observation, and on their own paths.

        Without a calendar and paths it is the same.

        Raises
        ------
        DataError
            As `at_end_of`; or if this fit follows paths that the histories do not have.

        Examples
        --------
        >>> transactions.of_customers(rfm) is transactions
        True
        """
        return self.at_end_of(histories).of_paths(histories)

    def of_paths(self, histories: Histories) -> Self:
        """Return the fit of these customers on their own paths; of a fit that follows none, itself.

        Raises
        ------
        DataError
            If the histories do not have the paths, or a level is one that the fit has not seen.

        Examples
        --------
        >>> transactions.of_paths(rfm) is transactions
        True
        """
        return on_own_paths(self, histories) if self.follows_paths else self

    @property
    def now(self) -> Moment | None:
        """The instant at which what a fit with a calendar predicts begins; None without a calendar."""
        if self.calendar is None:
            return None
        assert isinstance(self.model, ClockedModel)
        return now_of(self.model, self.calendar, self.unit)

    def _is_now(self, moment: Moment) -> bool:
        assert self.now is not None
        return bool(abs((moment - self.now) / np.timedelta64(1, "D")) <= SAME)

    def _require_end(self, end: Moment) -> None:
        if not self._is_now(end):
            raise FitError(
                f"this fit with a calendar stands at {self.now}, and observation of the histories ended {end}; write"
                " fit.at_end_of(rfm)"
            )

    def at_end_of(self, histories: Histories) -> Self:
        """Return the fit of the time when observation of these histories ended; without a calendar it is the same.

        Raises
        ------
        DataError
            If the histories do not say when it ended, or the calendar does not cover the time observed.

        Examples
        --------
        >>> transactions.at_end_of(rfm) is transactions
        True
        """
        if self.calendar is None:
            return self
        self.require_unit(histories)
        return self.standing_at(end_of_observation(histories), histories.summary.oldest)

    def standing_at(self, now: Moment, oldest: float) -> Self:
        """Return the fit of another time, for customers up to an age then; without a calendar it is the same.

        Examples
        --------
        >>> import numpy as np
        >>> transactions.standing_at(np.datetime64("2024-01-01", "us"), 52.0) is transactions
        True
        """
        if self.calendar is None:
            return self
        assert isinstance(self.model, ClockedModel)
        if self._is_now(now) and self.model.steps.covers(-oldest, 0.0):
            return self
        return self._at(now, oldest)

    def earlier(self, time: float) -> Self:
        """Return the fit of the time so long before, in its unit; without a calendar it is the same.

        Examples
        --------
        >>> transactions.earlier(4.0) is transactions
        True
        """
        return self if self.model.ago is None else replace(self, model=self.model.ago(time))

    def at_mean_season(self) -> Self:
        """Return the fit whose customers buy at the mean speed of the year from now on; without a calendar, the same.

        Examples
        --------
        >>> transactions.at_mean_season() is transactions
        True
        """
        if self.calendar is None:
            return self
        assert isinstance(self.model, ClockedModel)
        model = on_clock(self.model.base, self.model.steps.level_ahead(), self.model.columns, self.model.at_purchases)
        return replace(self, model=model, calendar=replace(self.calendar, level=True))

    def starting(self, start: str | pd.Timestamp | None) -> Self:
        """Return the fit for customers who start on a day, or at the end of observation; without a calendar, the same.

        Raises
        ------
        DataError
            If the start is no day or instant, or the calendar does not know it.
        FitError
            If a start is given and there is no calendar.

        Examples
        --------
        >>> transactions.starting(None) is transactions
        True
        """
        if start is None:
            return self
        if self.calendar is None:
            raise FitError("start=... is when a customer starts on a calendar, and this fit has none; leave it out")
        return self._at(read_moment(start), 0.0)

    def _at(self, now: Moment, oldest: float) -> Self:
        assert isinstance(self.model, ClockedModel)
        assert self.calendar is not None
        steps = self.calendar.steps(now, oldest, self.unit)
        return replace(self, model=on_clock(self.model.base, steps, self.model.columns, self.model.at_purchases))

    def require_no_calendar(self, what: str) -> None:
        """Raise FitError if this is a fit with a calendar, or with paths, which something is not made for.

        Examples
        --------
        >>> transactions.require_no_calendar("tracking")
        """
        if self.follows_paths:
            raise FitError(
                f"{what} follows customers from their own start, and does not take a fit with paths; compare totals"
                " with fit.total_purchases, or use the fit without paths"
            )
        if self.calendar is not None:
            raise FitError(
                f"{what} follows customers from their own start, and does not take a fit with a calendar; compare"
                " totals with fit.total_purchases, or use the fit without a calendar"
            )

    @property
    def coefficients(self) -> pd.DataFrame:
        """The coefficients of a calendar's columns, by how much they raise the log of the purchase rate.

        Returns
        -------
        DataFrame
            By process and term: estimate, sd, and the 95 % interval, low and high; of covariates also p_value.

        Raises
        ------
        FitError
            If this is a fit with neither.

        Examples
        --------
        >>> import clvmodels as clv
        >>> log = clv.datasets.load_cdnow(sample=True)
        >>> rfm = clv.rfm_summary(log, resolution="day", observation_end="1998-06-30")
        >>> calendar = clv.Calendar.seasons({"winter": ("11-15", "12-31")})
        >>> clv.BGNBD(calendar=calendar).fit(rfm).coefficients.index.to_list()
        [('purchase', 'winter')]
        """
        if not isinstance(self.model, ClockedModel):
            return super().coefficients
        import pandas as pd

        names = self.model.columns
        size = len(self.model.parameters) - len(names)
        index = pd.MultiIndex.from_tuples([("purchase", name) for name in names], names=["process", "term"])
        sd = np.sqrt(np.diag(self.covariance)[size:])
        table = interval(np.log(self.estimate[size:]), sd, np.log(self.draws[:, size:]), index)
        return table if self.covariates is None else pd.concat([table, super().coefficients])
