"""What the customers of a training window did after it, period by period: orders and revenue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

import numpy as np

from clvmodels.data.build import build_histories
from clvmodels.data.build_holdout import holdout_occasions
from clvmodels.data.occasions import column
from clvmodels.data.reading import plan_of
from clvmodels.errors import DataError
from clvmodels.numerics.rounding import significant_digits

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from clvmodels.data.bounds import WindowBound
    from clvmodels.data.build import Plan
    from clvmodels.data.histories import FloatArray, Histories
    from clvmodels.data.log import Log
    from clvmodels.data.reading import LogFormat

__all__ = ["HoldoutPeriods", "holdout_by_period"]


@dataclass(frozen=True, eq=False)
class HoldoutPeriods:
    """Purchases after the end of training by period, of the customers of the training window.

    Attributes
    ----------
    histories
        The training histories of these customers.
    end
        When each period ends, from the end of training on the clock of T, in its unit; shape (periods,).
    date
        The same as dates: the last date of each period; with exact times the instant at which it ends.
    orders
        Purchase occasions in each period, shape (periods,).
    revenue
        Their value; occasions of unknown value count with the mean of the others of the period. NaN without values.
    late_joiners
        Customers without a training history who bought after it.
    late_orders, late_revenue
        Their purchase occasions and the value of these by period, in no other figure; shape (periods,).
    """

    histories: Histories
    end: FloatArray
    date: pd.DatetimeIndex
    orders: FloatArray
    revenue: FloatArray
    late_joiners: int
    late_orders: FloatArray
    late_revenue: FloatArray


def holdout_by_period(
    reading: LogFormat, log: Log, train: WindowBound, ends: Sequence[WindowBound]
) -> tuple[HoldoutPeriods, list[str]]:
    """Return what came after a training window by period, and notes to warn with.

    Parameters
    ----------
    reading, log
        The format of the log, and the log, opened.
    train
        The end of training.
    ends
        The end of each period, rising.

    Raises
    ------
    DataError
        As of `rfm_train_test_split`; and if a period ends within a merging window.

    Examples
    --------
    >>> import clvmodels as clv
    >>> from clvmodels.data.bounds import read_bound
    >>> from clvmodels.data.reading import LogFormat, log_of
    >>> reading = LogFormat(value="amount", resolution="day")
    >>> log = log_of(reading, clv.datasets.load_cdnow(sample=True))
    >>> days = [read_bound(day, "a day", log.clock) for day in ("1997-09-30", "1997-12-31", "1998-03-31")]
    >>> periods, notes = holdout_by_period(reading, log, days[0], days[1:])
    >>> periods.orders, periods.revenue.round(2)
    (array([731., 656.]), array([28109.27, 24886.58]))
    """
    if any(after.after <= before.after for before, after in zip([train, *ends], ends, strict=False)):
        raise DataError("periods end one after another, and after the end of training")
    training = plan_of(reading, log, None, train)
    _ = training.window.next_date  # refuse a window counted twice before anything is read
    plans = [replace(training, window=replace(training.window, end=end)) for end in ends]
    histories, facts, notes = build_histories(training)
    occasions = holdout_occasions(facts, training=training, whole=plans[-1])
    number = reduce(add, ((occasions.w >= plan.window.date(plan.window.next_date)).cast("int64") for plan in plans))
    counted = _Counted.of(plans[-1], occasions.mutate(period=number), histories, len(ends))
    closing = np.array([plan.window.closing for plan in plans], dtype="datetime64[us]")
    since = np.asarray(training.window.closing, "datetime64[us]")
    periods = HoldoutPeriods(
        histories=histories,
        end=np.array([float(training.in_unit(since, moment)) for moment in closing]),
        date=training.window.labels(closing),
        orders=counted.orders[0],
        revenue=counted.revenue[0],
        late_joiners=counted.late_joiners,
        late_orders=counted.orders[1],
        late_revenue=counted.revenue[1],
    )
    return periods, notes


@dataclass(frozen=True, eq=False)
class _Counted:
    """Occasions and revenue of the known customers and of late joiners, shape (2, periods); and how many joined."""

    orders: FloatArray
    revenue: FloatArray
    late_joiners: int

    @classmethod
    def of(cls, plan: Plan, table: ir.Table, histories: Histories, periods: int) -> _Counted:
        """Count occasions that have a number of their period."""
        import pandas as pd

        values = {"total": table.v.sum().fill_null(0.0), "known": table.v.count()} if plan.log.has_value else {}
        fetched = plan.log.run(table.group_by(["id", "period"]).aggregate(orders=table.count(), **values))
        ids = pd.Index(fetched["id"].to_pandas())
        late = histories.customer_id.get_indexer(ids) < 0 if len(fetched) else np.zeros(0, dtype=bool)
        cell = late * periods + fetched["period"].to_numpy().astype(np.int64)

        def summed(name: str) -> FloatArray:
            sums = np.bincount(cell, weights=column(fetched, name), minlength=2 * periods)
            return significant_digits(sums.astype(np.float64)).reshape(2, periods)

        orders, revenue = summed("orders"), np.full((2, periods), np.nan)
        if plan.log.has_value:
            total, known = summed("total"), summed("known")
            revenue = np.where(orders > 0.0, total * orders / np.where(known > 0.0, known, np.nan), 0.0)
        return cls(orders, revenue, int(ids[late].nunique()))
