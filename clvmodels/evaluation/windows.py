"""Cut-offs of a backtest: where training ends, where the horizon does, and what came in the window before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clvmodels.data.build import build_histories
from clvmodels.data.moments import Moment, read_moment
from clvmodels.data.reading import end_of
from clvmodels.errors import DataError
from clvmodels.units import DAYS, Duration, duration, parse_unit

if TYPE_CHECKING:
    from clvmodels.data.histories import Histories
    from clvmodels.data.log import Log
    from clvmodels.data.reading import Day, Reading
    from clvmodels.models.specification import Array

__all__ = ["Trial", "last_period", "trial_windows"]


@dataclass(frozen=True)
class Trial:
    """One cut-off.

    Attributes
    ----------
    train_end
        The last moment of training.
    length
        The horizon.
    """

    train_end: Moment
    length: dt.timedelta

    @property
    def test_end(self) -> Moment:
        """The last moment of the horizon."""
        return Moment(self.train_end.local + self.length, self.train_end.whole_day)

    @property
    def before(self) -> Moment:
        """The moment as long before the cut-off as the horizon ends after it."""
        return Moment(self.train_end.local - self.length, self.train_end.whole_day)


def trial_windows(
    reading: Reading, log: Log, cutoffs: Day | Sequence[Day], horizon: Duration, observation_end: Day | None
) -> list[Trial]:
    """Return the cut-offs in the order of time.

    Raises
    ------
    DataError
        If there is no cut-off, one stands twice, the horizon is empty, or observation ends before it does.
    """
    several = [cutoffs] if isinstance(cutoffs, str | dt.date) else list(cutoffs)
    unit = parse_unit(reading.unit)
    days = duration(horizon, unit) * DAYS[unit]
    trials = [_trial(read_moment(cutoff, "a cut-off", log.clock), days) for cutoff in several]
    trials.sort(key=lambda trial: trial.train_end.after)
    if not trials or len({trial.train_end for trial in trials}) < len(trials):
        raise DataError(f"cutoffs are days, each of them once, such as ['1997-09-30']; got {cutoffs!r}")
    last, end = end_of(log, observation_end, "observation_end"), trials[-1].test_end
    if end.after > last.after:
        raise DataError(
            f"the log ends on {last.local.date()}, before the horizon of the last cut-off does ({end.local.date()}): "
            "what came after it would be taken for no purchases; take an earlier cut-off or a shorter horizon, or say "
            "with observation_end=... up to when the log is complete"
        )
    return trials


def _trial(train_end: Moment, days: float) -> Trial:
    length = dt.timedelta(days=round(days) if train_end.whole_day else days)
    if not length:
        raise DataError(f"the horizon is a time such as '39 weeks', and at least a day; got {days:g} days")
    return Trial(train_end, length)


def last_period(reading: Reading, log: Log, trial: Trial, histories: Histories) -> Array:
    """Return repeat purchases in the window of the horizon's length that ends at the cut-off, shape (n,).

    They are the difference of two counts: repeat purchases up to the cut-off, and up to the start of that window.
    """
    since = duration(trial.length, histories.unit)
    if not (since < histories.T).any():
        return histories.frequency
    earlier, _, _ = build_histories(reading.plan(log, None, trial.before))
    place = earlier.customer_id.get_indexer(histories.customer_id)
    known = place >= 0
    then = np.where(known, earlier.frequency[place], 0.0)
    return np.maximum(histories.frequency - then, 0.0)
