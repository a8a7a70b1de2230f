"""Repeat purchases by period, actual and expected: the first picture to look at.

A model expects of the customers of a training window, seen as on the day each of them was acquired, the sum of
E[X(t)] over the ages t that they have reached (Fader, Hardie & Lee 2005, Marketing Science 24(2), eq. 9 and figures 2
and 3). Nothing of what they did afterwards enters but the fitted parameters. Ages and purchases are counted on one
clock, that of the training histories' T.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from clvmodels.data.columns import count
from clvmodels.data.reading import Day, LogFormat, log_of
from clvmodels.data.series import Series, purchases_by_period
from clvmodels.errors import DataWarning
from clvmodels.evaluation.ages import condensed
from clvmodels.evaluation.bands import count_band
from clvmodels.inference.one_or_many import OneOrMany, named_fits
from clvmodels.models.derived import interpolate_over_age
from clvmodels.models.grids import time_scale
from clvmodels.models.new_customers import p_alive_new
from clvmodels.models.simulation import new_customers
from clvmodels.numerics.threads import blocks
from clvmodels.pictures import picture

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from clvmodels.data.build import Returns
    from clvmodels.inference.parameters import Parameters
    from clvmodels.inference.transaction_fit import TransactionFit
    from clvmodels.models.specification import Array, TransactionModel
    from clvmodels.style import Axes, Drawn
    from clvmodels.units import Duration, Unit

__all__ = ["Expected", "Kind", "Tracking", "expected_by_period", "purchases_at", "track", "tracking_of"]

type Kind = Literal["cumulative", "incremental"]

NUMBERS_AT_A_TIME: Final = 1 << 22
SIMULATED_CUSTOMERS: Final = 100_000
FEWEST_CUSTOMERS: Final = 5_000
SIMULATED_PURCHASES: Final = 250_000
SEED: Final = 20050301


@dataclass(frozen=True, eq=False, repr=False)
class Tracking:
    """Repeat purchases by period, actual and expected; made by `track`.

    Attributes
    ----------
    table
        By model and period, as `track` says.
    customers
        Number of customers of the training window, whom all figures but the late ones are of.
    late_joiners, late_purchases
        Customers who bought for the first time after the training window, and their purchases, in no other figure.
    train_end
        The end of training, in the unit of the fits since the first purchase of all.
    period
        Length of a period, in the unit of the fits.
    unit
        The unit of the fits.
    """

    table: pd.DataFrame
    customers: int
    late_joiners: int
    late_purchases: int
    train_end: float
    period: float
    unit: Unit

    def plot(self, kind: Kind = "cumulative", *, ax: Axes | None = None, return_data: bool = False) -> Drawn:
        """Draw actual and expected purchases, cumulated or by period: what ``clv.plots.tracking`` draws.

        Examples
        --------
        >>> import clvmodels as clv
        >>> log = clv.datasets.load_cdnow(sample=True)
        >>> fit = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> tracked = clv.track(fit, log, resolution="day", train_end="1997-09-30", test_end="1998-06-30")
        >>> tracked.plot().get_legend_handles_labels()[1]
        ['Actual', 'BG/NBD', '90 % band', 'End of training']
        """
        return picture("draw_tracking")(self, kind, ax=ax, return_data=return_data)

    def __repr__(self) -> str:
        last = self.table.groupby("model", sort=False).tail(1)
        lines = [f"{count(self.customers, 'customer')}, repeat purchases until {last['date'].iloc[0]}"]
        lines += [
            f"{row.model}: {row.cumulative_expected:,.0f} expected ({row.cumulative_lower:,.0f} to"
            f" {row.cumulative_upper:,.0f}), {row.cumulative_actual:,.0f} actual"
            for row in last.itertuples()
        ]
        if self.late_joiners:
            lines.append(f"first bought after the training window: {count(self.late_joiners, 'customer')}")
        return "\n".join(lines)


def track(
    fits: OneOrMany[TransactionFit],
    log: object,
    *,
    period: Duration = "week",
    customer_id: str = "customer_id",
    time: str = "date",
    value: str | None = None,
    unit: str = "week",
    resolution: str | None = None,
    train_end: Day,
    test_end: Day | None = None,
    returns: Returns = "net",
    time_zone: str | None = None,
    time_format: str | None = None,
    attributes: Sequence[str] = (),
    order_id: str | None = None,
    quantity: str | None = None,
    exclude_ids: Sequence[object] = (),
    clean_ids: bool = False,
) -> Tracking:
    """Compare actual and expected repeat purchases of the customers of a training window, period by period.

    Parameters
    ----------
    fits
        A fit, or several by name. A fit by segment needs the column of the segments among the `attributes`.
    log
        The purchase log, as for `rfm_summary`.
    period
        Such as ``"week"`` or ``"4 weeks"``; a bare number is in `unit`. Periods are counted from the end of training;
        the first and the last one may be shorter.
    customer_id, time, value, unit, resolution, returns, time_zone, time_format, attributes, order_id, quantity,
    exclude_ids, clean_ids
        The format of the log, as in `LogFormat`; `unit` is that of the fits.
    train_end, test_end
        As in `rfm_train_test_split`. If the log ends with the training window, so do the series.

    Returns
    -------
    Tracking
        Its ``table`` has by ``model`` and period: ``end``, when the period ends, in `unit` since the first purchase of
        all; ``date``, the same as a date, the last one of the period (with exact times the instant at which it ends);
        ``length`` of the period; ``actual``, ``expected``, ``lower`` and ``upper`` repeat purchases in the period; and
        ``cumulative_actual``, ``cumulative_expected``, ``cumulative_lower`` and ``cumulative_upper`` until its end.

    Raises
    ------
    DataError
        As `rfm_train_test_split` does, or if the periods are shorter than `resolution`.
    UnitError
        If `unit` is not that of the fits.

    Notes
    -----
    What is expected is expected of customers just acquired, from their first purchase on, in the holdout too;
    `backtest` and ``expected_purchases`` predict the holdout from what each customer did in training: totals differ.

    Bands are 90 % intervals: what so many independent customers do by chance, and what the draws of the parameters, if
    a fit has any, leave open. The parameters were chosen to suit the training window: there the actual series keeps
    nearer to the expected one than the bands say.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> train, holdout = clv.rfm_train_test_split(log, resolution="day", train_end="1997-09-30", test_end="1998-06-30")
    >>> tracked = track(clv.BGNBD().fit(train), log, resolution="day", train_end="1997-09-30", test_end="1998-06-30")
    >>> tracked.table[["end", "cumulative_actual", "cumulative_expected"]].iloc[[38, 77]].round(2)
          end  cumulative_actual  cumulative_expected
    38  38.86             2457.0              2493.96
    77  77.86             4339.0              4160.61
    """
    reading = LogFormat(
        customer_id, time, value, unit, resolution, returns, time_zone, time_format,
        attributes, order_id, quantity, exclude_ids, clean_ids,
    )  # fmt: skip
    return tracking_of(fits, log, reading, train_end, test_end, period)


def tracking_of(
    fits: OneOrMany[TransactionFit],
    log: object,
    reading: LogFormat,
    train_end: Day,
    test_end: Day | None,
    period: Duration,
) -> Tracking:
    """Compare purchases of a log of a known format, as `track` does; warnings are those of the caller."""
    series, notes = purchases_by_period(reading, log_of(reading, log), train_end, test_end, period)
    for note in notes:
        warnings.warn(note, DataWarning, stacklevel=3)
    return Tracking(
        table=_table(named_fits(fits), series),
        customers=len(series.histories),
        late_joiners=series.late_joiners,
        late_purchases=series.late_purchases,
        train_end=-series.first_purchase,
        period=series.period,
        unit=series.histories.unit,
    )


def _table(fits: dict[str, TransactionFit], series: Series) -> pd.DataFrame:
    import pandas as pd

    shared = {
        "end": series.end - series.first_purchase,
        "date": series.date,
        "length": np.diff(series.end, prepend=series.end[0] - series.period),
        "actual": series.purchases,
        "cumulative_actual": series.cumulative,
    }
    tables = []
    for name, fit in fits.items():
        expected = expected_by_period(fit, series)
        lower, upper = count_band(expected.mean, expected.variance)
        low, high = count_band(expected.cumulative, expected.cumulative_variance)
        tables.append(
            pd.DataFrame({"model": name, **shared}).assign(
                expected=expected.mean,
                lower=lower,
                upper=upper,
                cumulative_expected=expected.cumulative,
                cumulative_lower=low,
                cumulative_upper=high,
            )
        )
    return pd.concat(tables, ignore_index=True)


@dataclass(frozen=True, eq=False)
class Expected:
    """What is expected of customers by period, before any of them has bought again; shape (periods,) each.

    Attributes
    ----------
    mean, variance
        Of the number of repeat purchases in each period, all customers together.
    cumulative, cumulative_variance
        The same until the end of each period.
    """

    mean: Array
    variance: Array
    cumulative: Array
    cumulative_variance: Array


def expected_by_period(fit: TransactionFit, series: Series) -> Expected:
    """Return what a fit expects of the customers of a series.

    Variances are those of the sum of independent customers, E[X] + E[X(X-1)] - E[X]^2 each, and of the sum's
    expectation under the draws of the parameters. E[X(X-1)] is estimated from simulated customers.
    """
    fit.require_no_calendar("tracking")
    moments = _moments(fit.model, fit.parameters(series.histories).by_group(), series)
    increments = np.diff(moments.cumulative, axis=0, prepend=0.0)
    cumulative = moments.cumulative
    return Expected(
        mean=increments.mean(axis=1),
        variance=np.maximum(increments.mean(axis=1) + moments.excess, 0.0) + increments.var(axis=1),
        cumulative=cumulative.mean(axis=1),
        cumulative_variance=np.maximum(cumulative.mean(axis=1) + moments.excess_until, 0.0) + cumulative.var(axis=1),
    )


@dataclass(frozen=True, eq=False)
class _Moments:
    """Of the customers together.

    Attributes
    ----------
    cumulative
        Expected repeat purchases until the end of each period under each draw, shape (periods, draws).
    excess, excess_until
        Variance minus mean of those in each period, and of those until its end; shape (periods,).
    """

    cumulative: Array
    excess: Array
    excess_until: Array


def _moments(model: TransactionModel, parameters: Parameters, series: Series) -> _Moments:
    """Condense the ages of the customers by the period of their first purchase, and sum over them.

    A customer of age T at the end of training is c periods old, and o: T = c * period + o. At the end of period k they
    are c + k periods old, and o, if c + k >= 0; else they have not yet bought. So all sums need E[X] at the same ages,
    those of the nodes of o in each period of life.
    """
    T = series.histories.T
    whole = np.maximum((T / series.period).astype(np.int64), 0)
    offset = np.clip(T - whole * series.period, 0.0, series.period)
    draws = parameters.draws.reshape(-1, *parameters.draws.shape[-2:])
    cells, scale = int(whole.max(initial=0)) + 1, float(time_scale(model, draws).min())
    cell = whole if parameters.group is None else parameters.group * cells + whole
    ages = condensed(offset, cell, len(draws) * cells, low=0.0, high=series.period, scale=scale)
    weights = ages.weights.reshape(len(draws), cells, -1)
    life = _Life(ages.nodes, weights, series.number, series.cut, series.period)
    shape = (len(series.number), parameters.number)
    cumulative, squares, squares_until = np.zeros(shape), np.zeros(shape[0]), np.zeros(shape[0])
    at_a_time = max(NUMBERS_AT_A_TIME // life.points, 1)
    for groups in blocks(len(draws), max(at_a_time // parameters.number, 1)):
        for block in blocks(parameters.number, at_a_time):
            sums = life.sums(model, draws[groups, block], groups)
            cumulative[:, block] += sums[0]
            squares += sums[1].sum(axis=1) / parameters.number
            squares_until += sums[2].sum(axis=1) / parameters.number
    pairs, pairs_until = _factorial_moments(model, parameters, series)
    return _Moments(cumulative, len(T) * pairs - squares, len(T) * pairs_until - squares_until)


@dataclass(frozen=True, eq=False)
class _Life:
    """The ages that customers reach at the ends of periods.

    Attributes
    ----------
    nodes, weights
        Offsets of customers within their first period, condensed by group of their parameters and by that period;
        shape (nodes,) and (groups, cells, nodes).
    number, cut, period
        As of `Series`.
    """

    nodes: Array
    weights: Array
    number: Array
    cut: float
    period: float

    @property
    def points(self) -> int:
        """How many ages there are."""
        return int(2 * self.weights.shape[1] + self.number[-1]) * len(self.nodes)

    def sums(self, model: TransactionModel, draws: Array, groups: slice) -> Array:
        """Return sums over the customers of some groups, whose draws are given, shape (3, periods, draws).

        Of E[X], of the square of its growth in the period, and of its square.
        """
        _, cells, nodes = self.weights.shape
        last = int(self.number[-1])
        whole = np.arange(cells + last)[:, None] * self.period + self.nodes
        reached = np.concatenate((whole, whole[last:] - self.cut))  # at the end of the last period, which may be cut
        values = purchases_at(model, draws, reached.ravel()).reshape(len(draws), -1, nodes, draws.shape[1])
        result = np.zeros((3, len(self.number), draws.shape[1]))
        for row, k in enumerate(self.number.astype(np.int64)):
            oldest = max(cells + k, 0)
            now = values[:, max(k, 0) : oldest] if k < last else values[:, cells + last :]
            before = np.zeros_like(now)
            known = values[:, max(k - 1, 0) : max(oldest - 1, 0)]
            before[:, now.shape[1] - known.shape[1] :] = known
            weights = self.weights[groups, max(-k, 0) :]
            for out, moment in zip(result[:, row], (now, (now - before) ** 2, now**2), strict=True):
                out[:] = np.einsum("gcj,gcjd->d", weights, moment)
        return result


def purchases_at(model: TransactionModel, draws: Array, ages: Array) -> Array:
    """Return E[X(t)], the expected repeat purchases of a customer just acquired until age t.

    Parameters
    ----------
    model, draws
        The model, and its parameters by group, shape (groups, draws, parameters).
    ages
        Above zero, shape (ages,).

    Returns
    -------
    Array
        Shape (groups, ages, draws).
    """
    distinct, place = np.unique(ages, return_inverse=True)

    def at(theta: Array, x: Array, age: Array) -> Array:
        return model.expected_purchases(theta, x[:, None], np.zeros((1, 1)), age[:, None])[..., None]

    group, T = np.repeat(np.arange(len(draws)), len(distinct)), np.tile(distinct, len(draws))
    prepared = interpolate_over_age(at, model, draws, np.zeros(len(T)), T, group)
    values = prepared.at(slice(0, len(T)))[..., 0].reshape(len(draws), len(distinct), -1)
    return np.asarray(values[:, place] * p_alive_new(model, draws)[:, None])


def _factorial_moments(model: TransactionModel, parameters: Parameters, series: Series) -> tuple[Array, Array]:
    """Return E[X(X-1)] of a customer's purchases in each period, and until its end; shape (periods,) each.

    Simulated customers have the ages and parameters of the actual ones; the r-th purchase of one adds 2(r-1) to X(X-1).
    """
    T = series.histories.T
    if not len(T):
        return np.zeros(len(series.number)), np.zeros(len(series.number))
    generator = np.random.default_rng(SEED)
    ahead = series.end[-1]
    rate = model.mean_purchase_rate(parameters.draws).mean(axis=-1)
    busy = float(np.mean(rate if parameters.group is None else rate[parameters.group])) * (T.mean() + ahead)
    size = int(np.clip(SIMULATED_PURCHASES / max(busy, 1e-9), FEWEST_CUSTOMERS, SIMULATED_CUSTOMERS))
    rows = np.argsort(T, kind="stable")[((np.arange(size) + 0.5) * len(T) / size).astype(np.int64)]
    theta = parameters.draw(generator.integers(parameters.number, size=size), rows)
    simulated, _ = new_customers(model, theta, T[rows] + ahead, generator)
    period = np.searchsorted(series.end, simulated.time - T[rows][simulated.customer])
    period = np.minimum(period, len(series.end) - 1)
    by_customer = _ranks(simulated.customer)
    by_period = _ranks(simulated.customer * len(series.end) + period)
    added, added_until = (
        np.bincount(period, weights=2.0 * rank, minlength=len(series.end)) / size for rank in (by_period, by_customer)
    )
    return added, np.cumsum(added_until)


def _ranks(sorted_groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place, 0, 1, ..., of each row within its run of equal numbers.

    Examples
    --------
    >>> _ranks(np.array([3, 3, 5, 7, 7, 7]))
    array([0, 1, 0, 0, 1, 2])
    """
    place = np.arange(len(sorted_groups))
    first = np.diff(sorted_groups, prepend=-1) != 0
    return place - np.maximum.accumulate(np.where(first, place, 0))
