"""Whether what is said to have a probability of 30 % happens in 30 % of the cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from clvmodels.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.models.specification import Array

__all__ = ["binomial_interval", "reliability"]

ROUNDING: Final = 1e-9
"""One minus a probability may lie this far beyond zero or one."""


def reliability(predicted: ArrayLike, happened: ArrayLike, bins: int = 10) -> pd.DataFrame:
    """Return predicted probabilities beside the share of customers to whom it happened, in bins of equal size.

    Customers with equal probabilities stand in one bin, so that bins may differ in size, and there may be fewer.

    Parameters
    ----------
    predicted
        Probabilities of the event, such as a purchase, shape (customers,).
    happened
        Whether it happened, shape (customers,).
    bins
        Number of bins.

    Returns
    -------
    DataFrame
        One row a bin, from the least probable up: ``customers``; ``expected``, their mean probability; ``actual``,
        the share to whom it happened, with a 90 % interval from ``lower`` to ``upper``.

    Raises
    ------
    DataError
        If a probability lies outside [0, 1], the shapes differ, there are no customers, or there is no bin.

    Examples
    --------
    >>> table = reliability([0.1, 0.1, 0.1, 0.8, 0.9], [False, False, True, True, True], bins=2)
    >>> table.round(3)
       customers  expected  actual  lower  upper
    0          3      0.10   0.333  0.017  0.865
    1          2      0.85   1.000  0.224  1.000
    """
    import pandas as pd

    probability, event = np.asarray(predicted, dtype=float), np.asarray(happened, dtype=bool)
    _require(probability, event, bins)
    middle = stats.rankdata(probability) - 0.5  # those of one probability have one rank
    place = np.minimum((middle * bins / len(middle)).astype(np.int64), bins - 1)
    customers, events = np.bincount(place), np.bincount(place, weights=event)
    filled = customers > 0
    customers, events, total = customers[filled], events[filled], np.bincount(place, weights=probability)[filled]
    lower, upper = binomial_interval(events, customers)
    columns = {"expected": total / customers, "actual": events / customers, "lower": lower, "upper": upper}
    return pd.DataFrame({"customers": customers} | columns)


def binomial_interval(events: ArrayLike, trials: ArrayLike, level: float = 0.90) -> tuple[Array, Array]:
    """Return the interval that holds an unknown probability (Clopper & Pearson 1934): at least as often as it says.

    Examples
    --------
    >>> low, high = binomial_interval(0, 10)
    >>> round(float(low), 3), round(float(high), 3)
    (0.0, 0.259)
    """
    k, n = np.broadcast_arrays(np.asarray(events, dtype=float), np.asarray(trials, dtype=float))
    tail = (1.0 - level) / 2.0
    low = np.where(k > 0, special.betaincinv(np.maximum(k, 1.0), n - k + 1.0, tail), 0.0)
    high = np.where(k < n, special.betaincinv(k + 1.0, np.maximum(n - k, 1.0), 1.0 - tail), 1.0)
    return low, high


def _require(probability: Array, event: Array, bins: int) -> None:
    if bins < 1:
        raise DataError(f"bins is a number of bins from 1 up, got {bins!r}")
    if probability.shape != event.shape or probability.ndim != 1:
        raise DataError(
            f"one probability and one outcome a customer are needed, got shapes {probability.shape} and {event.shape}"
        )
    if not len(probability):
        raise DataError("there are no customers to compare predictions with what happened")
    wrong = probability[~(np.abs(probability - 0.5) <= 0.5 + ROUNDING)]
    if len(wrong):
        raise DataError(f"a probability lies between 0 and 1, got {wrong[0]}")
