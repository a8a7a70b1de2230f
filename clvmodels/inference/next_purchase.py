"""When customers will buy next, and how often they do: predictive distributions, by distinct history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.arguments import abridged, as_number
from clvmodels.data.moments import end_of
from clvmodels.errors import FitError
from clvmodels.inference.few_draws import Predictive
from clvmodels.inference.parameters import Parameters, distinct_histories
from clvmodels.models.no_purchase import never, no_purchase, own_rates_of
from clvmodels.models.silence import silence
from clvmodels.models.specification import Array, TransactionModel
from clvmodels.numerics.distinct import DistinctRows
from clvmodels.numerics.passage import passage, whole_passage
from clvmodels.units import DAYS, Unit, duration

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.histories import Histories
    from clvmodels.inference.protocols import Fitted

__all__ = ["NO_FURTHER_THAN", "dates_of", "next_purchases", "rates_of_customers", "tails_of"]

Index = NDArray[np.int64]

NO_FURTHER_THAN: Final = "1000 years"
"""Times beyond are infinite: no customer is one for longer."""
RATE_QUANTILES: Final = (0.05, 0.5, 0.95)


def tails_of(probability: float) -> tuple[float, float]:
    """Return the shares below both ends of an interval.

    Raises
    ------
    FitError
        If the probability is not between 0 and 1.

    Examples
    --------
    >>> tails_of(0.9)
    (0.05, 0.95)
    """
    number = as_number(probability)
    if not 0.0 < number < 1.0:
        raise FitError(f"the probability of an interval is between 0 and 1, such as 0.9, got {abridged(probability)}")
    return round(0.5 * (1.0 - number), 12), round(0.5 * (1.0 + number), 12)


def next_purchases(
    fit: Fitted[TransactionModel], histories: Histories, unit: Unit, probability: float
) -> tuple[Mapping[str, Array], DistinctRows]:
    """Return what `TransactionFit.next_purchase` does, by distinct history, and these.

    The time until the next purchase is longer than t with `no_purchase`, on average over the draws.

    Parameters
    ----------
    fit
        The fit of these customers.
    histories, unit
        The customers, and the unit of time.
    probability
        Of the interval.
    """
    model, parameters = fit.model, fit.parameters(histories)
    low, high = tails_of(probability)
    distinct, of_rows = distinct_histories(model, parameters, histories)
    if not len(distinct.rows):
        return dict.fromkeys(("p_never", "overdue", "median", "low", "high"), np.zeros(0)), distinct
    waits = _predictive(model, of_rows, distinct, unit)
    p_never = waits.mean(lambda theta, *history: never(model, theta, *history))
    times = waits.by_block(lambda rows: _times(model, waits, rows, p_never[rows], (0.5, low, high), unit))
    quiet = waits.mean(lambda theta, *history: _silence(model, theta, *history))
    columns = {"p_never": p_never, "overdue": np.clip(1.0 - quiet, 0.0, 1.0)}
    return {**columns, **dict(zip(("median", "low", "high"), times.T, strict=True))}, distinct


def _predictive(model: TransactionModel, parameters: Parameters, distinct: DistinctRows, unit: Unit) -> Predictive:
    """Return the predictive probability of no purchase in a time."""
    values = np.array([duration(f"{days} days", unit) for days in (7, 91, 1_461)])
    if model.time == "periods":
        values = np.array([1.0, 4.0, 16.0])
    return Predictive.of(
        lambda theta, x, t_x, T, t: no_purchase(model, theta, x, t_x, T, t),
        parameters,
        distinct,
        values,
        clocked=model.residuals is not None,
    )


def _silence(model: TransactionModel, theta: Array, x: Array, t_x: Array, T: Array) -> Array:
    shape = np.broadcast_shapes(theta.shape[:-1], x.shape)
    return np.broadcast_to(silence(model, theta, x, t_x, T), shape)


def _times(
    model: TransactionModel, waits: Predictive, rows: Index, p_never: Array, shares: tuple[float, ...], unit: Unit
) -> Array:
    """Return the times within which the next purchase comes with given probabilities, shape (rows, shares)."""
    latest, times = duration(NO_FURTHER_THAN, unit), np.full((len(rows), len(shares)), np.inf)
    start = duration("1 year" if model.residuals is not None else "1 week", unit)
    for number, share in enumerate(shares):
        ever = np.flatnonzero(p_never < 1.0 - share)

        def remaining(t: Array, which: Index, ever: Index = ever) -> Array:
            return waits.at(t, rows[ever[which]])

        if model.time == "periods":
            times[ever, number] = whole_passage(remaining, 1.0 - share, len(ever), latest)
        else:
            scale = np.maximum(waits.columns[2][rows[ever]], start) if model.residuals is None else start
            times[ever, number] = passage(remaining, 1.0 - share, np.broadcast_to(scale, len(ever)), latest)
    return times


def dates_of(times: pd.Series, histories: Histories) -> pd.Series:
    """Return the dates that lie so long after the end of observation; NaT where a time is infinite, or it is not known.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import pandas as pd
    >>> dated = replace(rfm, observation_end=pd.Timestamp("1997-09-30"))
    >>> dates_of(pd.Series([0.0, 52.0, np.inf]), dated).dt.date.tolist()
    [datetime.date(1997, 10, 1), datetime.date(1998, 9, 30), NaT]
    """
    import pandas as pd

    days = times.to_numpy() * DAYS[histories.unit]
    moments = np.full(len(days), np.datetime64("NaT"), "datetime64[s]")
    if histories.observation_end is not None:
        known = np.isfinite(days)
        seconds = np.round(days[known] * 86_400.0).astype("timedelta64[s]")
        moments[known] = end_of(histories.observation_end).astype("datetime64[s]") + seconds
    return pd.Series(moments, index=times.index)


def rates_of_customers(fit: Fitted[TransactionModel], histories: Histories) -> tuple[Mapping[str, Array], DistinctRows]:
    """Return what `TransactionFit.purchase_rate` does, by distinct history, and these."""
    model, parameters = fit.model, fit.parameters(histories)
    distinct, of_rows = distinct_histories(model, parameters, histories)
    if not len(distinct.rows):
        return dict.fromkeys(("mean", "q05", "q50", "q95"), np.zeros(0)), distinct
    own, history = own_rates_of(model), np.ascontiguousarray(distinct.rows[:, :3].T)
    typical = own.mean(of_rows.point(slice(None)), *history)
    levels, clocked = np.quantile(typical, [0.1, 0.5, 0.9]), model.residuals is not None
    rates = Predictive.of(own.at_most, of_rows, distinct, levels, clocked=clocked)
    means = rates.mean(own.mean)

    def quantiles(rows: Index) -> Array:
        def above(rate: Array, which: Index) -> Array:
            return 1.0 - rates.at(rate, rows[which])

        most = 1.0 if model.time == "periods" else np.inf
        ends = [passage(above, 1.0 - share, means[rows], most) for share in RATE_QUANTILES]
        return np.column_stack(ends)

    columns = dict(zip(("q05", "q50", "q95"), rates.by_block(quantiles).T, strict=True))
    return {"mean": means, **columns}, distinct
