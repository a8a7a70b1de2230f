"""Customers who need not exist: predictions for any history one can think of, by the path of real ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from clvmodels.data.histories import Histories
from clvmodels.errors import FitError
from clvmodels.inference.calendars import label_of_end

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.inference.calendars import Moment
    from clvmodels.inference.spend_fit import SpendFit
    from clvmodels.inference.transaction_fit import TransactionFit
    from clvmodels.models.specification import Array
    from clvmodels.units import Duration, Unit

__all__ = ["alive_by_history", "customers_with", "history_grid", "purchases_by_history", "require_one_population"]


def customers_with(
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    unit: Unit,
    attributes: pd.DataFrame | None = None,
    now: Moment | None = None,
) -> Histories:
    """Return customers who have these histories, numbered from 0; the columns broadcast.

    A fit with a calendar asks when observation ended: `now`.

    Examples
    --------
    >>> len(customers_with([0, 1, 2], [0.0, 3.0, 5.0], 39.0, "week"))
    3
    """
    import pandas as pd

    x, t_x, ages = np.broadcast_arrays(*(np.asarray(column, dtype=float) for column in (frequency, recency, T)))
    ids = pd.RangeIndex(len(x))
    described = pd.DataFrame(index=ids) if attributes is None else attributes.set_axis(ids)
    statistics = {"x": x, "t_x": t_x, "T": ages, "mean": np.full(len(x), np.nan)}
    histories = Histories.of_arrays(ids, statistics, unit=unit, attributes=described)
    return histories if now is None else replace(histories, observation_end=label_of_end(now))


def require_one_population(fit: TransactionFit | SpendFit, *, what: str) -> None:
    """Raise FitError if the customers of a fit differ by segment, and `what` is asked of none in particular."""
    if fit.covariates is not None:
        names = ", ".join(f'"{name}": ...' for name in fit.covariates.design.variables)
        raise FitError(
            f"{what} of a fit with covariates differ by them; ask one kind of customers: fit.at({{{names}}})"
        )
    if fit.by is not None:
        raise FitError(
            f"{what} of a fit by {fit.by!r} differ by segment; ask one of them: fit.segment({fit.segments[0]!r})"
        )


def history_grid(T: float, most: int, steps: int) -> pd.DataFrame:
    """Return histories of customers of one age, by number of repeat purchases and time since the last one.

    Parameters
    ----------
    T
        Age of all these customers.
    most
        The largest number of repeat purchases.
    steps
        Times since the last purchase: the middles of as many equal parts of the time from 0 to T.

    Returns
    -------
    DataFrame
        ``frequency``, ``time_since_last``, ``recency`` and ``T``. Who has no repeat purchase bought last when they were
        acquired: for them there is one row, of time T.

    Examples
    --------
    >>> history_grid(39.0, most=1, steps=3)
       frequency  time_since_last  recency     T
    0          0             39.0      0.0  39.0
    1          1              6.5     32.5  39.0
    2          1             19.5     19.5  39.0
    3          1             32.5      6.5  39.0
    """
    import pandas as pd

    middles = (np.arange(steps) + 0.5) * T / steps
    x = np.concatenate([[0], np.repeat(np.arange(1, most + 1), steps)])
    since = np.concatenate([[T], np.tile(middles, most)])
    return pd.DataFrame({"frequency": x, "time_since_last": since, "recency": T - since, "T": T})


def alive_by_history(fit: TransactionFit, *, T: float, most: int, steps: int, after: Duration) -> pd.DataFrame:
    """Return `history_grid` with ``probability_alive`` at T + `after`, the mean over the draws of the fit."""
    grid = history_grid(T, most, steps)
    answers = fit.probability_alive(_customers(fit, grid), after=after)
    return grid.assign(probability_alive=_means(answers))


def purchases_by_history(fit: TransactionFit, t: Duration, *, T: float, most: int, steps: int) -> pd.DataFrame:
    """Return `history_grid` with ``expected_purchases`` in the time `t` after T, the mean over the draws of the fit."""
    grid = history_grid(T, most, steps)
    answers = fit.expected_purchases(_customers(fit, grid), t)
    return grid.assign(expected_purchases=_means(answers))


def _customers(fit: TransactionFit, grid: pd.DataFrame) -> Histories:
    require_one_population(fit, what="histories")
    return customers_with(grid["frequency"], grid["recency"], grid["T"], fit.unit, now=fit.now)


def _means(answers: pd.DataFrame) -> Array:
    return answers["mean"].to_numpy()
