"""Repeat purchases by period: what the customers of a training window did, week by week, in it and after it.

Periods are counted from the instant up to which T is measured, so that purchases and the ages of the customers share
one clock: a purchase belongs to the first period at whose end the customer is as old as they were at the purchase. With
exact times a purchase at the very end of a period belongs to the next one, as at the end of training.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.data.bounds import read_bound
from clvmodels.data.build import build_histories
from clvmodels.data.build_holdout import holdout_occasions
from clvmodels.data.columns import count
from clvmodels.data.reading import Day, LogFormat, end_of, plan_of
from clvmodels.data.suspect_dates import Bounds, suspect_dates
from clvmodels.errors import DataError
from clvmodels.units import DAYS, Duration, parse_unit, read_duration

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from clvmodels.data.build import Plan
    from clvmodels.data.histories import FloatArray, Histories
    from clvmodels.data.log import Log
    from clvmodels.data.profile import Facts

__all__ = ["Series", "purchases_by_period"]

_TICK: Final = dt.timedelta(microseconds=1)
_DAY: Final = 86_400_000_000  # microseconds
_CLOCK_CHANGE: Final = _DAY // 24
"""A window may be this much longer than its days: what is left of it is no period of its own."""
MOST_PERIODS: Final = 10_000


@dataclass(frozen=True, eq=False)
class Series:
    """Repeat purchase occasions by period, of the customers of a training window.

    Attributes
    ----------
    histories
        The training histories of these customers.
    period
        Length of a period, in the unit of the histories.
    number
        Of each period: 0 is the last one of training, 1 the first one after it; shape (periods,).
    cut
        By how much the last period is shorter than `period`, in the unit of the histories; below zero if a change of
        the clocks makes it longer.
    date
        The same as dates: the last date of each period; with exact times the instant at which it ends.
    purchases
        Repeat purchase occasions in each period, shape (periods,).
    first_purchase
        The date of the first purchase of all, on the clock of `end`: a number below zero, or zero.
    late_joiners, late_purchases
        Customers without a training history who bought after it, and their purchase occasions, counted nowhere else.
    """

    histories: Histories
    period: float
    number: FloatArray
    cut: float
    date: pd.DatetimeIndex
    purchases: FloatArray
    first_purchase: float
    late_joiners: int
    late_purchases: int

    @property
    def end(self) -> FloatArray:
        """When each period ends, from the end of training on the clock of T, in its unit; shape (periods,)."""
        end = self.number * self.period
        end[-1] -= self.cut
        return end

    @property
    def cumulative(self) -> FloatArray:
        """Repeat purchase occasions until the end of each period."""
        return np.cumsum(self.purchases)


def purchases_by_period(
    reading: LogFormat, log: Log, train_end: Day, test_end: Day | None, period: Duration
) -> tuple[Series, list[str]]:
    """Count the repeat purchases of the customers of a training window by period, before and after its end.

    Parameters
    ----------
    reading, log
        How the log is read, and the log, opened.
    train_end, test_end
        As in `rfm_train_test_split`; `test_end` may be `train_end`, and is if the log ends there.
    period
        Such as ``"week"`` or ``"4 weeks"``; a bare number is in the unit of the reading.

    Returns
    -------
    tuple
        The series, and notes to warn with.

    Raises
    ------
    DataError
        As of `rfm_train_test_split`; if `test_end` lies before `train_end`, if purchases are merged within windows that
        are longer than `period`, or if there are too many periods.
    UnitError
        If `period` cannot be read.

    Examples
    --------
    >>> import clvmodels as clv
    >>> reading = LogFormat(resolution="day")
    >>> from clvmodels.data.reading import log_of
    >>> log = log_of(reading, clv.datasets.load_cdnow(sample=True))
    >>> series, notes = purchases_by_period(reading, log, "1997-09-30", "1998-06-30", "13 weeks")
    >>> series.number.tolist(), series.purchases.tolist()
    ([-2.0, -1.0, 0.0, 1.0, 2.0, 3.0], [828.0, 918.0, 711.0, 726.0, 661.0, 495.0])
    """
    train, test = read_bound(train_end, "train_end", log.clock), end_of(log, test_end, "test_end")
    if test.after < train.after:
        if test_end is not None:
            raise DataError(f"test_end {test.local} lies before train_end, {train.local}")
        test = train
    training = plan_of(reading, log, None, train)
    whole = replace(training, window=replace(training.window, end=test))
    length = _microseconds(period, training)
    histories, facts, notes = build_histories(training)
    counter = _Counter(training, whole, facts, length)
    dates = suspect_dates(log, facts.all_days, Bounds(None, "test_end"), start_stated=True, end_stated=test.stated)
    return _series(counter, histories), [*notes, *_uneven(training), *dates]


def _series(counter: _Counter, histories: Histories) -> Series:
    """Return what a counter counts."""
    training, last = counter.training, counter.last
    orders, joined = counter.in_training()
    later, late_joiners, late_purchases = counter.in_holdout()
    first = min(joined)
    number = np.arange(first, last + 1)
    repeats = [orders.get(k, 0) - joined.get(k, 0) if k <= 0 else later.get(k, 0) for k in number.tolist()]
    cut = last * counter.length - counter.duration
    elapsed = number * counter.length
    elapsed[-1] -= cut
    dates = np.datetime64(training.window.closing, "us") + elapsed.astype("timedelta64[us]")
    in_unit = _DAY * DAYS[training.unit]
    return Series(
        histories=histories,
        period=counter.length / in_unit,
        number=number.astype(np.float64),
        cut=cut / in_unit,
        date=training.window.labels(dates),
        purchases=np.array(repeats, dtype=np.float64),
        first_purchase=-float(histories.T.max()),
        late_joiners=late_joiners,
        late_purchases=late_purchases,
    )


@dataclass(frozen=True, eq=False)
class _Counter:
    """Counts purchase occasions by period in the engine.

    Attributes
    ----------
    training, whole
        The plans of the training window and of both windows together.
    facts
        Of the training window.
    length
        Of a period, in microseconds.
    """

    training: Plan
    whole: Plan
    facts: Facts
    length: int

    @property
    def begin(self) -> dt.datetime:
        """The first date after the end of training that belongs to period 1."""
        window = self.training.window
        return window.next_date if window.resolution is None else window.closing + _TICK

    @property
    def duration(self) -> int:
        """The time between the ends of the two windows, in microseconds."""
        return _elapsed(self.training.window.closing, self.whole.window.closing)

    @property
    def last(self) -> int:
        """The number of the last period."""
        spare = _CLOCK_CHANGE if self.length >= _DAY else 0
        return max(math.ceil((self.duration - spare) / self.length), min(self.duration, 1))

    def in_training(self) -> tuple[dict[int, int], dict[int, int]]:
        """Return purchase occasions by period, and customers by the period of their first one."""
        occasions = self._training_occasions()
        first = occasions.group_by("id").aggregate(w=occasions.w.min())
        return self._by_period(occasions), self._by_period(first)

    def in_holdout(self) -> tuple[dict[int, int], int, int]:
        """Return purchase occasions of the customers of training by period, late joiners, and their occasions."""
        if not self.duration:
            return {}, 0, 0
        late = holdout_occasions(self.facts, training=self.training, whole=self.whole)
        known = self._training_occasions().select("id").distinct()
        strangers = late.anti_join(known, "id")
        tally = strangers.aggregate(customers=strangers.id.nunique(), purchases=strangers.count())
        sums = self.whole.log.run(tally).to_pylist()[0]
        return self._by_period(late.semi_join(known, "id")), sums["customers"], sums["purchases"]

    def _training_occasions(self) -> ir.Table:
        refunds = self.facts.refunds.rows > 0
        rows = self.training.rows(refunds=refunds, all_inside=self.facts.all_inside)
        occasions = self.training.occasions(rows, refunds=refunds)
        return occasions.filter(occasions.kept)

    def _by_period(self, table: ir.Table) -> dict[int, int]:
        """Return the number of rows by the period that their date w lies in."""
        import ibis

        since = table.w.cast("timestamp").delta(ibis.literal(self.begin), unit="microsecond")
        number = (since / float(self.length)).floor().cast("int64") + 1
        if self.last > 0:
            number = ibis.least(number, self.last)
        counted = table.group_by(number=number).aggregate(n=table.count())
        by_period = {row["number"]: row["n"] for row in self.training.log.run(counted).to_pylist()}
        if by_period and max(by_period) - min(by_period) >= MOST_PERIODS:
            raise DataError(f"there are {count(max(by_period) - min(by_period) + 1, 'period')}; take a longer period")
        return by_period


def _uneven(plan: Plan) -> list[str]:
    """Return a note if purchases are dated by windows that have no fixed length."""
    resolution = plan.window.resolution
    if resolution not in {"month", "year"}:
        return []
    note = (
        f"purchases are dated by the {resolution} of the calendar, and periods have a fixed length: one may hold more"
        f" {resolution}s than the next; the cumulated series does not suffer"
    )
    return [note]


def _elapsed(start: dt.datetime, end: dt.datetime) -> int:
    return int((np.datetime64(end, "us") - np.datetime64(start, "us")).astype(np.int64))


def _microseconds(period: Duration, plan: Plan) -> int:
    """Return the length of a period, which may be the name of a unit."""
    named = isinstance(period, str) and period.strip().isalpha()
    number, unit = (1.0, parse_unit(str(period))) if named else read_duration(period, plan.unit)
    days, resolution = number * DAYS[unit], plan.window.resolution
    if not days > 0.0:
        raise DataError(f'a period is longer than zero, got {period!r}; write, for example, "week"')
    if resolution is not None and days < DAYS[resolution]:
        raise DataError(
            f"purchases are dated by the {resolution}, which a period of {period!r} would cut; take a longer period,"
            " or a finer resolution"
        )
    return round(days * _DAY)
