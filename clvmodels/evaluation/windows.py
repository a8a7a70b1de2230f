"""Cut-offs of a backtest: where training ends, where the horizon does, and what came in the window before."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.data.bounds import WindowBound, read_bound
from clvmodels.data.build import build_histories
from clvmodels.data.profile import first_time
from clvmodels.data.reading import end_of, plan_of
from clvmodels.data.windows import window_start
from clvmodels.errors import DataError
from clvmodels.units import DAYS, Duration, Unit, duration, parse_unit, read_duration

if TYPE_CHECKING:
    from clvmodels.data.histories import Histories
    from clvmodels.data.log import Log
    from clvmodels.data.reading import Day, LogFormat
    from clvmodels.models.specification import Array

__all__ = ["Trial", "aligned", "inner_cutoff", "last_period", "last_third_window", "period_ends", "trial_windows"]

MOST_PERIODS: Final = 1_000


@dataclass(frozen=True)
class Trial:
    """One cut-off.

    Attributes
    ----------
    train_end
        The last moment of training.
    test_end
        The last moment of the horizon.
    before
        The moment as long before the cut-off as the horizon ends after it.
    """

    train_end: WindowBound
    test_end: WindowBound
    before: WindowBound


def trial_windows(
    reading: LogFormat,
    log: Log,
    cutoffs: Day | Sequence[Day] | None,
    horizon: Duration | None,
    observation_end: Day | None,
) -> list[Trial]:
    """Return the cut-offs in the order of time; by default the last third of the log is held back.

    Without a horizon, it is what remains after the last cut-off; without a cut-off, it is the one that leaves the
    horizon at the end.

    Raises
    ------
    DataError
        If there is no cut-off, one stands twice, the horizon is empty, or observation ends before it does.
    """
    last = end_of(log, observation_end, "observation_end")
    if cutoffs is None:
        cut = (
            last_third_window(reading, log, observation_end)[0]
            if horizon is None
            else _before(reading, log, last, horizon)
        )
        bounds = [cut]
    else:
        several = [cutoffs] if isinstance(cutoffs, str | dt.date) else list(cutoffs)
        bounds = [read_bound(cutoff, "a cut-off", log.clock) for cutoff in several]
    if horizon is None and bounds:
        latest = max(bounds, key=lambda bound: bound.after)
        horizon = last.local - latest.local if latest.whole_day else last.after - latest.local
        if horizon <= dt.timedelta(0):
            raise DataError(f"the log ends on {last.local.date()}, and the last cut-off is {latest.local.date()}")
    length = read_duration(0.0 if horizon is None else horizon, parse_unit(reading.unit))
    trials = [_trial(bound, *length, stated=last.stated) for bound in bounds]
    trials.sort(key=lambda trial: trial.train_end.after)
    if not trials or len({trial.train_end for trial in trials}) < len(trials):
        raise DataError(f"cutoffs are days, each of them once, such as ['1997-09-30']; got {cutoffs!r}")
    end = trials[-1].test_end
    if end.after > last.after:
        raise DataError(
            f"the log ends on {last.local.date()}, before the horizon of the last cut-off does ({end.local.date()}): "
            "what came after it would be taken for no purchases; take an earlier cut-off or a shorter horizon, or say "
            "with observation_end=... up to when the log is complete"
        )
    return trials


def _trial(train_end: WindowBound, number: float, unit: Unit, *, stated: bool) -> Trial:
    """Return a cut-off with its horizon: after a day, of whole days, months or years of the calendar.

    Whether the user has `stated` the end of the log goes with it.
    """
    days = number * DAYS[unit]
    if round(days) < 1 if train_end.whole_day else days <= 0.0:
        raise DataError(f"the horizon is a time such as '39 weeks', and at least a day; got {number:g} {unit}s")
    months = number * {"month": 1, "year": 12}.get(unit, 0)
    if train_end.whole_day and months and months == round(months):
        ends = [_months_later(train_end.local, sign * round(months)) for sign in (1, -1)]
    else:
        length = dt.timedelta(days=round(days) if train_end.whole_day else days)
        ends = [train_end.local + length, train_end.local - length]
    return Trial(train_end, *(WindowBound(end, train_end.whole_day, stated) for end in ends))


def _months_later(day: dt.datetime, months: int) -> dt.datetime:
    """Return the same day some months later; after the last day of a month, the last day.

    Examples
    --------
    >>> _months_later(dt.datetime(2023, 2, 28), 12)
    datetime.datetime(2024, 2, 29, 0, 0)
    >>> _months_later(dt.datetime(2024, 1, 30), 1)
    datetime.datetime(2024, 2, 29, 0, 0)
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    is_last = day.day == calendar.monthrange(day.year, day.month)[1]
    return day.replace(year=year, month=month + 1, day=last if is_last else min(day.day, last))


def last_period(reading: LogFormat, log: Log, trial: Trial, histories: Histories) -> Array:
    """Return repeat purchases in the window of the horizon's length that ends at the cut-off, shape (n,).

    They are the difference of two counts: repeat purchases up to the cut-off, and up to the start of that window.
    """
    since = duration(trial.train_end.local - trial.before.local, histories.unit)
    if not (since < histories.T).any():
        return histories.frequency
    earlier, _, _ = build_histories(plan_of(reading, log, None, trial.before))
    place = earlier.customer_id.get_indexer(histories.customer_id)
    known = place >= 0
    then = np.where(known, earlier.frequency[place], 0.0)
    return np.maximum(histories.frequency - then, 0.0)


def inner_cutoff(reading: LogFormat, trial: Trial, histories: Histories) -> WindowBound:
    """Return where the training window is split for those who learn from examples of a past and what came after it.

    The part after it is as long as the horizon, and at most half of the training window.

    Parameters
    ----------
    reading
        The format of the log.
    trial
        The cut-off.
    histories
        Those of the training window.

    Examples
    --------
    >>> import pandas as pd
    >>> import clvmodels as clv
    >>> from clvmodels.data.reading import LogFormat
    >>> days = [dt.datetime(1997, 9, 30), dt.datetime(1998, 6, 30), dt.datetime(1996, 12, 31)]
    >>> trial = Trial(*(WindowBound(day, whole_day=True) for day in days))
    >>> fit = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
    >>> rfm = fit.simulate(9, "38 weeks", seed=1)
    >>> inner_cutoff(LogFormat(), trial, rfm).local  # 19 weeks before
    datetime.datetime(1997, 5, 20, 0, 0)
    """
    half = dt.timedelta(days=float(histories.T.max()) * DAYS[histories.unit] / 2.0)
    if trial.train_end.local - trial.before.local <= half:
        return aligned(reading, trial.before)
    return aligned(reading, _earlier(trial.train_end, half))


def last_third_window(reading: LogFormat, log: Log, observation_end: Day | None) -> tuple[WindowBound, WindowBound]:
    """Return the cut-off that leaves the last third of the observed time, and the end of observation.

    Raises
    ------
    DataError
        If less than three days are observed.
    """
    end = end_of(log, observation_end, "observation_end")
    span = end.after - first_time(log)
    if span < dt.timedelta(days=3):
        raise DataError(f"the last third of a log is held back: it must span three days at least, and spans {span}")
    return aligned(reading, _earlier(end, span / 3.0)), end


def _before(reading: LogFormat, log: Log, end: WindowBound, horizon: Duration) -> WindowBound:
    """Return the cut-off that leaves a horizon at the end of a log.

    Raises
    ------
    DataError
        If it would lie before the first purchase.
    """
    cutoff = _trial(end, *read_duration(horizon, parse_unit(reading.unit)), stated=end.stated).before
    first = first_time(log)
    if cutoff.after <= first:
        raise DataError(
            f"a horizon of {horizon!r} leaves nothing to fit: the log begins on {first.date()} and ends on"
            f" {end.local.date()}; take a shorter one"
        )
    return aligned(reading, cutoff)


def _earlier(bound: WindowBound, time: dt.timedelta) -> WindowBound:
    """Return a bound so much earlier; of a day, by whole days."""
    length = dt.timedelta(days=round(time / dt.timedelta(days=1))) if bound.whole_day else time
    return WindowBound(bound.local - length, bound.whole_day)


def aligned(reading: LogFormat, bound: WindowBound) -> WindowBound:
    """Return a day at which no merging window is cut, such as the end of a month: itself, or the last one before.

    Examples
    --------
    >>> from clvmodels.data.reading import LogFormat
    >>> aligned(LogFormat(resolution="month"), WindowBound(dt.datetime(1997, 9, 17), whole_day=True)).local
    datetime.datetime(1997, 8, 31, 0, 0)
    """
    if reading.resolution is None or not bound.whole_day:
        return bound
    start = window_start(bound.after, parse_unit(reading.resolution))
    return WindowBound(start - dt.timedelta(days=1), whole_day=True)


def period_ends(start: WindowBound, end: WindowBound, period: Duration, unit: Unit) -> list[WindowBound]:
    """Return the ends of the periods after a day, the last of which may be cut short.

    Parameters
    ----------
    start, end
        The end of the time before the first period, and that of the last period.
    period
        A name, ``"quarter"`` or a unit of time, or a duration such as ``"13 weeks"``. Months, quarters and years are
        those of the calendar.
    unit
        The unit of a bare number.

    Raises
    ------
    DataError
        If a period is shorter than a day, or there are too many.

    Examples
    --------
    >>> year = WindowBound(dt.datetime(2022, 12, 31), True), WindowBound(dt.datetime(2023, 11, 30), True)
    >>> [str(bound.local.date()) for bound in period_ends(*year, "quarter", "week")]
    ['2023-03-31', '2023-06-30', '2023-09-30', '2023-11-30']
    """
    named = isinstance(period, str) and period.strip().isalpha()
    text = f"1 {period}" if named else period
    number, of = read_duration("3 months" if named and str(period).strip() == "quarter" else text, unit)
    if number * DAYS[of] < 1.0:
        raise DataError(f'a period is a day at least, such as "quarter" or "4 weeks"; got {period!r}')
    ends: list[WindowBound] = []
    while not ends or ends[-1].after < end.after:
        if len(ends) == MOST_PERIODS:
            raise DataError(f"there are more than {MOST_PERIODS:,} periods; take a longer period than {period!r}")
        later = _trial(start, number * (len(ends) + 1), of, stated=True).test_end
        ends.append(later if later.after <= end.after else end)
    return ends
