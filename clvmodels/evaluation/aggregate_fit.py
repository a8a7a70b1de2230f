"""How a fit agrees with many customers at once: how many bought how often, and what groups of them did next."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np

from clvmodels.errors import DataError, one_of
from clvmodels.evaluation.ages import weighted_ages
from clvmodels.evaluation.bands import count_band
from clvmodels.inference.one_or_many import OneOrMany, named_fits, thinned
from clvmodels.models.new_customers import pmf_until_now
from clvmodels.numerics.threads import map_blocks

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from clvmodels.data.histories import Histories
    from clvmodels.data.holdout import Holdout
    from clvmodels.inference.transaction_fit import TransactionFit
    from clvmodels.models.specification import Array, TransactionModel

__all__ = ["By", "conditional_expectation", "frequency_fit"]

type By = Literal["frequency", "recency", "time_since_last"]

DRAWS: Final = 100
"""Probabilities are means over at most about this many draws of the parameters."""
DRAWS_AT_A_TIME: Final = 16
NUMBERS_AT_A_TIME: Final = 1 << 14
"""Ages times draws at a time: a model may need a quadrature for each of their probabilities."""
BINS: Final = 8
NORMAL_90: Final = 1.6448536269514722


def frequency_fit(fits: OneOrMany[TransactionFit], histories: Histories, *, most: int = 7) -> pd.DataFrame:
    """Return how many customers have 0, 1, 2, ... repeat purchases, and how many were to be expected.

    Each customer counts with their own time of observation T; what they did in it does not enter (Fader, Hardie &
    Lee (2005), Marketing Science 24(2), figure 1).

    Parameters
    ----------
    fits
        A fit, or several by name.
    histories
        The customers, in the unit of the fits.
    most
        The last class is of customers with so many repeat purchases or more.

    Returns
    -------
    DataFrame
        By ``model`` and ``frequency``, the number of repeat purchases (as ``bin``, the last one as ``7+``): ``actual``
        and ``expected`` customers, and the 90 % interval from ``lower`` to ``upper`` of what chance, and the draws of
        the parameters if there are any, leave open.

    Raises
    ------
    DataError
        If `most` is below one, or there are no customers.
    UnitError
        If the histories are not in the unit of the fits.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> rfm = clv.rfm_summary(log, unit="week", resolution="day", observation_end="1997-09-30")
    >>> frequency_fit(clv.BGNBD().fit(rfm), rfm, most=3).round(1)
        model  frequency bin  actual  expected   lower   upper
    0  BG/NBD          0   0    1411    1407.7  1368.0  1447.0
    1  BG/NBD          1   1     439     460.3   429.0   492.0
    2  BG/NBD          2   2     214     192.5   171.0   215.0
    3  BG/NBD          3  3+     293     296.5   270.0   323.0
    """
    import pandas as pd

    if most < 1 or not len(histories):
        raise DataError(f"frequencies up to 1 or more of one customer or more are needed, got most={most!r}")
    actual = np.bincount(np.minimum(histories.frequency, most).astype(np.int64), minlength=most + 1)
    labels = [*map(str, range(most)), f"{most}+"]
    tables = []
    for name, fit in named_fits(fits).items():
        mean, variance = _class_sizes(fit, histories, most)
        lower, upper = count_band(mean, variance)
        numbers = {"actual": actual, "expected": mean, "lower": lower, "upper": upper}
        tables.append(pd.DataFrame({"model": name, "frequency": np.arange(most + 1), "bin": labels, **numbers}))
    return pd.concat(tables, ignore_index=True)


def _class_sizes(fit: TransactionFit, histories: Histories, most: int) -> tuple[Array, Array]:
    """Return mean and variance of the number of customers in each class, shape (most + 1,)."""
    fit.require_no_calendar("the fit of frequencies")
    fit = thinned(fit, DRAWS)
    parameters, ages, weights = weighted_ages(fit.model, fit.parameters(histories), histories.T)
    theta = parameters.theta(slice(None))

    def block(draws: slice) -> tuple[Array, Array]:
        shares = _shares(fit.model, theta[..., draws, :], ages, most)
        return np.einsum("i,kij->kj", weights, shares), np.einsum("i,kij->k", weights, shares * (1.0 - shares))

    at_a_time = max(min(DRAWS_AT_A_TIME, NUMBERS_AT_A_TIME // len(ages)), 1)
    sizes, variances = zip(*map_blocks(block, parameters.number, at_a_time), strict=True)
    of_draws = np.concatenate(sizes, axis=1)
    return of_draws.mean(axis=1), np.sum(variances, axis=0) / parameters.number + of_draws.var(axis=1)


def _shares(model: TransactionModel, theta: Array, ages: Array, most: int) -> Array:
    """Return P(X(t) = n) of customers just acquired for n < most, and P(X(t) >= most); shape (most+1, ages, draws)."""
    shares = np.empty((most + 1, len(ages), theta.shape[-2]))
    for n in range(most):
        shares[n] = pmf_until_now(model, theta, ages[:, None], float(n))
    shares[most] = 1.0 - shares[:most].sum(axis=0)
    return shares


def conditional_expectation(
    fits: OneOrMany[TransactionFit], holdout: Holdout, *, by: By = "frequency", most: int = 7
) -> pd.DataFrame:
    """Return mean purchases in a holdout by what the customers did before it, and what was to be expected.

    Source: Schmittlein, Morrison & Colombo (1987), Management Science 33(1); Fader, Hardie & Lee (2005), Marketing
    Science 24(2), figure 4.

    Parameters
    ----------
    fits
        Fits to the training histories: one, or several by name.
    holdout
        From `rfm_train_test_split`.
    by
        The training customers are put together by ``"frequency"``, their repeat purchases; by ``"recency"``, their age
        at the last one, those who bought once apart; or by ``"time_since_last"``, the time from the last purchase to
        the end of training.
    most
        The last class of frequency is of customers with so many repeat purchases or more.

    Returns
    -------
    DataFrame
        By ``model`` and ``bin``: number of ``customers``; ``actual``, their mean purchases, with the
        ``standard_error`` of the mean and the 90 % interval from ``lower`` to ``upper`` that follows from it (NaN for
        one customer); ``expected``, the mean of the model's conditional expectations.

    Raises
    ------
    DataError
        If `by` is unknown, or `most` below one.
    UnitError
        If the holdout is not in the unit of the fits.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> train, holdout = clv.rfm_train_test_split(log, resolution="day", train_end="1997-09-30", test_end="1998-06-30")
    >>> table = conditional_expectation(clv.BGNBD().fit(train), holdout, most=3)
    >>> table[["bin", "customers", "actual", "expected"]].round(3)
      bin  customers  actual  expected
    0   0       1411   0.237     0.225
    1   1        439   0.697     0.523
    2   2        214   1.393     1.044
    3  3+        293   3.222     3.013
    """
    import pandas as pd

    if by not in get_args(By.__value__):
        raise DataError(one_of("grouping", by, get_args(By.__value__)))
    if most < 1:
        raise DataError(f"most is a number of purchases from 1 up, got {most!r}")
    place, labels = _bins(holdout.histories, by, most)
    customers = np.bincount(place, minlength=len(labels))
    filled = customers > 0
    mean, error = _means(holdout.frequency, place, customers)
    shared = {
        "bin": labels,
        "customers": customers,
        "actual": mean,
        "standard_error": error,
        "lower": np.maximum(mean - NORMAL_90 * error, 0.0),
        "upper": mean + NORMAL_90 * error,
    }
    tables = []
    for name, fit in named_fits(fits).items():
        expected = fit.expected_purchases(holdout.histories, holdout.duration)["mean"].to_numpy()
        table = pd.DataFrame({"model": name, **shared, "expected": _means(expected, place, customers)[0]})
        tables.append(table[filled])
    return pd.concat(tables, ignore_index=True)


def _means(values: Array, place: NDArray[np.int64], customers: NDArray[np.int64]) -> tuple[Array, Array]:
    """Return mean and its standard error by bin; NaN where there is no customer, or only one."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(place, weights=values, minlength=len(customers)) / customers
        squares = np.bincount(place, weights=(values - mean[place]) ** 2, minlength=len(customers))
        error = np.sqrt(squares / (customers - 1.0) / customers)
    return mean, np.where(customers > 1, error, np.nan)


def _bins(histories: Histories, by: By, most: int) -> tuple[NDArray[np.int64], list[str]]:
    """Return the bin of each customer, and what the bins are called."""
    x = histories.frequency
    if by == "frequency":
        return np.minimum(x, most).astype(np.int64), [*map(str, range(most)), f"{most}+"]
    if by == "time_since_last":
        return _ranges(histories.T - histories.recency)
    place, labels = _ranges(histories.recency)
    return np.where(x > 0, place + 1, 0), ["bought once", *labels]


def _ranges(values: Array) -> tuple[NDArray[np.int64], list[str]]:
    """Return ranges of round numbers, up to eight of equal width: above the lower end, up to the upper end."""
    step = _round_up(values.max(initial=0.0) / BINS)
    place = np.maximum(np.ceil(np.round(values / step, 9)).astype(np.int64) - 1, 0)
    ends = step * np.arange(int(place.max(initial=0)) + 2)
    return place, [f"{low:g}-{high:g}" for low, high in pairwise(ends)]


def _round_up(number: float) -> float:
    """Return the next number of 1, 2, 2.5, 5 times a power of ten.

    Examples
    --------
    >>> _round_up(4.86), _round_up(11.0), _round_up(0.3)
    (5.0, 20.0, 0.5)
    """
    if number <= 0.0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(number))
    return float(
        next(step * power for step in (1.0, 2.0, 2.5, 5.0, 10.0, 20.0) if step * power >= number * (1 - 1e-12))
    )
