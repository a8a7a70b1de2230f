"""How value is spread over customers: Lorenz curve, Gini index, share of the top customers, whale curve.

All are functions of the values of customers in any order, such as past spend or residual value. Customers who cost more
than they bring have negative values. `true_top_share` and `true_gini` say what a model holds of purchase rates
themselves: the concentration in a log is larger, since it counts luck too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from clvmodels.errors import DataError
from clvmodels.numerics.special import log_gamma_ratio
from clvmodels.valuation.checks import require_finite, require_number

__all__ = [
    "Lorenz",
    "WhaleCurve",
    "gini",
    "lorenz",
    "top_share",
    "true_gini",
    "true_top_share",
    "whale_curve",
    "whole_customers",
]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Lorenz:
    """The share of the value that the *least* valuable customers hold.

    Attributes
    ----------
    customers
        Share of the customers, from the least valuable up; shape (customers + 1,), from 0 to 1.
    value
        Share of the value that they hold; shape (customers + 1,), from 0 to 1.
    """

    customers: Array
    value: Array


@dataclass(frozen=True, eq=False)
class WhaleCurve:
    """The value cumulated over customers, the *most* valuable first; it falls where they cost more than they bring.

    Attributes
    ----------
    customers
        Share of the customers, from the most valuable down; shape (customers + 1,), from 0 to 1.
    value
        What they are worth together, in money; shape (customers + 1,), from 0 to the total.
    """

    customers: Array
    value: Array

    @property
    def total(self) -> float:
        """The value of all customers."""
        return float(self.value[-1])

    @property
    def share(self) -> Array:
        """The cumulated value as a share of the total.

        Raises
        ------
        DataError
            If the total is not positive.
        """
        return self.value / _positive(self.total)

    @property
    def peak(self) -> float:
        """The value of the customers who bring something, in money."""
        return float(self.value.max())

    @property
    def peak_at(self) -> float:
        """The share of the customers who bring something."""
        return float(self.customers[self.value.argmax()])

    @property
    def peak_share(self) -> float:
        """The peak as a share of the total.

        Raises
        ------
        DataError
            If the total is not positive.
        """
        return self.peak / _positive(self.total)

    @property
    def loss(self) -> float:
        """The value of the customers beyond the peak: zero or negative."""
        return self.total - self.peak


def lorenz(values: ArrayLike) -> Lorenz:
    """Return the Lorenz curve: customers in ascending order of value, as the Gini index has them.

    With negative values the curve first falls below zero.

    Parameters
    ----------
    values
        Of the customers, in any order; shape (customers,).

    Raises
    ------
    DataError
        If a value is not finite, or their sum is not positive.

    Examples
    --------
    >>> curve = lorenz([6.0, 1.0, 3.0])
    >>> curve.value
    array([0. , 0.1, 0.4, 1. ])
    """
    ascending = np.sort(require_finite("values", values))
    cumulated = _cumulated(ascending)
    return Lorenz(_shares(len(ascending)), cumulated / _positive(float(cumulated[-1])))


def gini(values: ArrayLike) -> float:
    """Return the Gini index: 0 if all customers are worth the same, near 1 if one is worth everything.

    It is the mean difference between two customers over twice their mean value. With negative values it may exceed 1.

    Parameters
    ----------
    values
        Of the customers, in any order; shape (customers,).

    Raises
    ------
    DataError
        If a value is not finite, or their sum is not positive.

    Examples
    --------
    >>> round(gini([0.0, 0.0, 0.0, 1.0]), 6)
    0.75
    """
    ascending = np.sort(require_finite("values", values))
    n = len(ascending)
    total = _positive(float(ascending.sum()))
    return float((2.0 * np.arange(n) - (n - 1)) @ ascending) / (n * total)


def whole_customers(share: float, customers: int) -> int:
    """Return how many customers a share of them is: half a customer is one, and some are at least one.

    Examples
    --------
    >>> whole_customers(0.07, 100), whole_customers(0.2, 2), whole_customers(0.2, 0)
    (7, 1, 0)
    """
    return min(customers, max(1, math.floor(share * customers + 0.5)))


def top_share(values: ArrayLike, share: float, by: ArrayLike | None = None) -> float:
    """Return the share of the value that the top customers hold.

    Parameters
    ----------
    values
        Of the customers, in any order; shape (customers,).
    share
        Which share of the customers is the top; rounded to whole customers (half a customer up), at least one.
    by
        What ranks the customers, the largest first; shape (customers,), in the order of the values. By default the
        values. Of customers who tie for the last places each is as likely to be taken, so that the result does not
        depend on the order of customers.

    Raises
    ------
    DataError
        If a value is not finite, their sum is not positive, or `by` is of another length.
    AssumptionError
        If `share` is no share.

    Examples
    --------
    >>> top_share([6.0, 1.0, 1.0, 1.0, 1.0], 0.2)
    0.6
    >>> top_share([6.0, 1.0, 1.0, 1.0, 1.0], 0.2, by=[0, 3, 2, 2, 1])
    0.1
    """
    require_number("share", share, "a share of the customers; the top 20 % is 0.20", low=0.0, high=1.0, above=True)
    value = require_finite("values", values)
    rank = value if by is None else require_finite("by", by)
    if rank.shape != value.shape:
        raise DataError(f"by ranks each customer once: got {len(rank):,} ranks of {len(value):,} customers")
    total = _positive(float(value.sum()))
    count = whole_customers(share, len(value))
    edge = np.partition(rank, len(rank) - count)[len(rank) - count]
    above, tied = rank > edge, rank == edge
    top_value = value[above].sum() + (count - np.count_nonzero(above)) * value[tied].mean()
    return float(top_value) / total


def whale_curve(values: ArrayLike) -> WhaleCurve:
    """Return the whale curve: customers in descending order of value.

    Parameters
    ----------
    values
        Of the customers, in any order; shape (customers,).

    Raises
    ------
    DataError
        If a value is not finite.

    Examples
    --------
    >>> curve = whale_curve([-2.0, 8.0, 4.0, 0.0])
    >>> curve.share
    array([0. , 0.8, 1.2, 1.2, 1. ])
    >>> curve.peak_share, curve.peak_at, curve.loss
    (1.2, 0.5, -2.0)
    """
    descending = np.sort(require_finite("values", values))[::-1]
    return WhaleCurve(_shares(len(descending)), _cumulated(descending))


def true_top_share(r: float, share: float) -> float:
    """Return the share of all purchases that the top customers make in the long run, if rates are Gamma(r).

    Parameters
    ----------
    r
        Shape of the gamma distribution of purchase rates.
    share
        Which share of the customers is the top.

    Raises
    ------
    AssumptionError
        If `r` is not positive, or `share` is no share.

    Notes
    -----
    1 - F_{r + 1}(F_r^{-1}(1 - share)), with F_r the distribution function of Gamma(r): rates weighted by themselves are
    Gamma(r + 1). Source: Schmittlein, Cooper & Morrison (1993), Marketing Science 12(2).

    Examples
    --------
    >>> round(true_top_share(0.553, 0.2), 4)
    0.6296
    """
    _require_shape(r)
    require_number("share", share, "a share of the customers; the top 20 % is 0.20", low=0.0, high=1.0)
    return float(special.gammaincc(r + 1.0, special.gammainccinv(r, share)))


def true_gini(r: float) -> float:
    """Return the Gini index of purchase rates that are Gamma(r).

    Parameters
    ----------
    r
        Shape of the gamma distribution of purchase rates.

    Raises
    ------
    AssumptionError
        If `r` is not positive.

    Notes
    -----
    Gamma(r + 1/2) / (sqrt(pi) Gamma(r + 1)). Source: McDonald & Jensen (1979), JASA 74(366).

    Examples
    --------
    >>> round(true_gini(0.553), 4)
    0.6168
    """
    _require_shape(r)
    return float(np.exp(-log_gamma_ratio(np.array(r + 0.5), np.array(0.5)))) / math.sqrt(math.pi)


def _require_shape(r: float) -> None:
    require_number("r", r, "the shape of the gamma distribution of purchase rates", low=0.0, above=True)


def _shares(customers: int) -> Array:
    return np.arange(customers + 1) / customers


def _cumulated(ordered: Array) -> Array:
    return np.concatenate([[0.0], np.cumsum(ordered)])


def _positive(total: float) -> float:
    if total > 0.0:
        return total
    raise DataError(
        f"the values add up to {total:g}, and shares of what is not positive mean nothing; take only customers with a "
        "positive value, or read amounts of money from whale_curve(values).value"
    )
