"""A forecast made at an earlier closing against what came, period by period: orders and revenue.

`track` compares all purchases with what is expected of customers just acquired. Here each customer is predicted from
what they had done until the earlier closing, as in a valuation.
"""

from __future__ import annotations

import datetime as dt
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clvmodels.data.bounds import read_bound
from clvmodels.data.holdout_periods import HoldoutPeriods, holdout_by_period
from clvmodels.data.reading import LogFormat, end_of, log_of
from clvmodels.errors import DataError, DataWarning
from clvmodels.evaluation.totals import Totals, Uncertain, drawn_totals, named_weights
from clvmodels.evaluation.windows import period_ends
from clvmodels.inference.one_or_many import OneOrMany, named_fits
from clvmodels.units import parse_unit

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.build import Returns
    from clvmodels.data.log import Log
    from clvmodels.data.reading import Day
    from clvmodels.inference.spend_fit import SpendFit
    from clvmodels.inference.transaction_fit import TransactionFit
    from clvmodels.models.specification import Array
    from clvmodels.units import Duration

__all__ = ["ForecastCheck", "forecast_against_actual", "forecast_check_of", "forecast_text"]


@dataclass(frozen=True, eq=False, repr=False)
class ForecastCheck:
    """A forecast made at an earlier closing against what came; made by `forecast_against_actual`.

    Attributes
    ----------
    table
        By the end of the period, as `forecast_against_actual` says.
    total
        The same of all periods together; its intervals are of the sum.
    models
        The models, with their weights.
    customers
        Customers known at the earlier closing, whom all figures but the late ones are of.
    late_joiners
        Customers who first bought afterwards.
    late_orders, late_revenue
        What they bought, by the end of the period: in no other figure.
    cutoff
        The earlier closing.
    includes
        What the intervals include.
    days
        The last day of each period.
    """

    table: pd.DataFrame
    total: pd.Series[float]
    models: Mapping[str, float]
    customers: int
    late_joiners: int
    late_orders: pd.Series[float]
    late_revenue: pd.Series[float]
    cutoff: pd.Timestamp
    includes: Uncertain
    days: tuple[dt.date, ...]

    @property
    def orders_change(self) -> float:
        """By what share more orders came than were predicted: -0.03 if 3 % fewer."""
        return float(self.total["orders_actual"] / self.total["orders_predicted"] - 1.0)

    @property
    def order_value_change(self) -> float:
        """By what share the mean value of an order was higher than predicted; NaN without a forecast or an order."""
        if not self.total["orders_actual"]:
            return math.nan
        predicted = self.total["revenue_predicted"] / self.total["orders_predicted"]
        return float(self.total["revenue_actual"] / self.total["orders_actual"] / predicted - 1.0)

    @property
    def revenue_outside(self) -> int:
        """Number of periods whose revenue lies outside its interval."""
        return self._outside("revenue")

    @property
    def orders_outside(self) -> int:
        """Number of periods whose orders lie outside their interval."""
        return self._outside("orders")

    def _outside(self, what: str) -> int:
        low, high, actual = (self.table[f"{what}_{part}"] for part in ("low", "high", "actual"))
        return int(((actual < low) | (actual > high)).sum())

    def __str__(self) -> str:
        return forecast_text(self)

    def __repr__(self) -> str:
        return f"{self.table.to_string(float_format=lambda number: f'{number:,.0f}')}\n{self}"

    def _repr_html_(self) -> str:
        return str(self.table.style.format(lambda number: f"{number:,.0f}").to_html())


def forecast_against_actual(
    fits: OneOrMany[TransactionFit],
    spend: SpendFit | None,
    log: object,
    *,
    train_end: Day,
    test_end: Day | None = None,
    period: Duration = "quarter",
    weights: Mapping[str, float] | None = None,
    seed: int | None = None,
    customer_id: str = "customer_id",
    time: str = "date",
    value: str | None = None,
    unit: str = "week",
    resolution: str | None = None,
    returns: Returns = "net",
    time_zone: str | None = None,
    time_format: str | None = None,
    attributes: Sequence[str] = (),
    order_id: str | None = None,
    quantity: str | None = None,
    exclude_ids: Sequence[object] = (),
    clean_ids: bool = False,
) -> ForecastCheck:
    """Compare what fits of an earlier closing predicted of the customers known then with what came, by period.

    Parameters
    ----------
    fits
        A fit of transactions to the histories up to `train_end`, or several, which are averaged.
    spend
        The fit of spend to the same histories; None: there is no forecast of revenue.
    log
        The purchase log, as for `rfm_summary`.
    train_end, test_end
        The earlier closing, and the end of the comparison, included; default: the day of the last transaction.
    period
        ``"quarter"``, a unit of time, or a duration such as ``"13 weeks"``; the last one may be cut short.
    weights
        Of the fits by name; None: proportional to exp(-AIC / 2).
    seed
        Of the simulation behind the intervals.
    customer_id, time, value, unit, resolution, returns, time_zone, time_format, attributes, order_id, quantity,
    exclude_ids, clean_ids
        The format of the log, as in `LogFormat`; `unit` is that of the fits.

    Returns
    -------
    ForecastCheck
        Its ``table`` has by the last date of the period ``orders_predicted``, ``orders_low``, ``orders_high`` (a 90 %
        interval), ``orders_actual``, and the same of ``revenue``.

    Raises
    ------
    DataError
        As `rfm_train_test_split` does, or if a period is shorter than a day.
    UnitError
        If `unit` is not that of the fits.

    Warns
    -----
    DataWarning
        As for `rfm_train_test_split`.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> form = {"value": "amount", "resolution": "day"}
    >>> rfm = clv.rfm_summary(log, observation_end="1997-12-31", **form)
    >>> fits = clv.BGNBD().fit(rfm), clv.GammaGamma().fit(rfm)
    >>> check = forecast_against_actual(*fits, log, train_end="1997-12-31", seed=1, **form)
    >>> check.table[["orders_predicted", "orders_actual"]].round(-1)
                orders_predicted  orders_actual
    1998-03-31             610.0          660.0
    1998-06-30             560.0          500.0
    """
    reading = LogFormat(
        customer_id, time, value, unit, resolution, returns, time_zone, time_format,
        attributes, order_id, quantity, exclude_ids, clean_ids,
    )  # fmt: skip
    window = train_end, test_end
    check, notes = forecast_check_of(
        named_fits(fits), spend, reading, log_of(reading, log), window, period, weights=weights, seed=seed
    )
    for note in notes:
        warnings.warn(note, DataWarning, stacklevel=2)
    return check


def forecast_check_of(
    fits: Mapping[str, TransactionFit],
    spend: SpendFit | None,
    reading: LogFormat,
    log: Log,
    window: tuple[Day, Day | None],
    period: Duration = "quarter",
    *,
    weights: Mapping[str, float] | None = None,
    seed: int | None = None,
) -> tuple[ForecastCheck, list[str]]:
    """Return what `forecast_against_actual` does of an opened log, and notes to warn with."""
    train, test = read_bound(window[0], "train_end", log.clock), end_of(log, window[1], "test_end")
    if test.after <= train.after:
        raise DataError(f"nothing has come yet: train_end is {train.local}, and the log ends {test.local}")
    ends = period_ends(train, test, period, parse_unit(reading.unit))
    periods, notes = holdout_by_period(reading, log, train, ends)
    shares = named_weights(fits, weights)
    pairs = [(fit, shares[name]) for name, fit in fits.items()]
    totals = drawn_totals(pairs, spend, periods.histories, periods.end, seed=seed)
    return _check(totals, periods, shares, tuple(end.local.date() for end in ends)), notes


def _check(
    totals: Totals, periods: HoldoutPeriods, models: Mapping[str, float], days: tuple[dt.date, ...]
) -> ForecastCheck:
    import pandas as pd

    observed = periods.histories.observation_end
    assert observed is not None
    index = periods.date
    whole = _columns(totals.summed(), periods.orders.sum(keepdims=True), periods.revenue.sum(keepdims=True))
    return ForecastCheck(
        table=pd.DataFrame(_columns(totals, periods.orders, periods.revenue), index=index),
        total=pd.Series({name: float(values[0]) for name, values in whole.items()}),
        models=models,
        customers=len(periods.histories),
        late_joiners=periods.late_joiners,
        late_orders=pd.Series(periods.late_orders, index=index),
        late_revenue=pd.Series(periods.late_revenue, index=index),
        cutoff=observed,
        includes=totals.includes,
        days=days,
    )


def _columns(totals: Totals, orders: Array, revenue: Array) -> dict[str, Array]:
    """Return the columns of the table, shape (periods,) each."""
    low, high = totals.orders_between()
    revenue_low, revenue_high = totals.revenue_between()
    return {
        "orders_predicted": totals.expected_orders,
        "orders_low": low,
        "orders_high": high,
        "orders_actual": orders,
        "revenue_predicted": totals.expected_revenue,
        "revenue_low": revenue_low,
        "revenue_high": revenue_high,
        "revenue_actual": revenue,
    }


def forecast_text(check: ForecastCheck) -> str:
    """Return in words how the forecast did."""
    total, periods = check.total, len(check.table)
    orders = (
        f"Of {check.customers:,} customers known on {check.cutoff.date()}: {total['orders_actual']:,.0f} orders came,"
        f" {total['orders_predicted']:,.0f} were predicted ({check.orders_change:+.1%}){_place(total, 'orders')};"
        f" outside the interval in {check.orders_outside} of {periods} periods."
    )
    lines = [orders]
    if np.isfinite(total["revenue_predicted"]) and np.isfinite(total["revenue_actual"]):
        change = total["revenue_actual"] / total["revenue_predicted"] - 1.0
        lines.append(
            f"Revenue: {total['revenue_actual']:,.0f} came, {total['revenue_predicted']:,.0f} were predicted"
            f" ({change:+.1%}){_place(total, 'revenue')}; outside in {check.revenue_outside} of {periods} periods. An"
            f" order was worth {check.order_value_change:+.1%} against the forecast."
        )
    lines.append(f"The intervals are of 90 % and include {check.includes}.")
    return "\n".join(lines)


def _place(total: pd.Series[float], what: str) -> str:
    low, high, actual = (total[f"{what}_{part}"] for part in ("low", "high", "actual"))
    place = "within" if low <= actual <= high else "outside"
    return f", {place} the interval from {low:,.0f} to {high:,.0f}"
