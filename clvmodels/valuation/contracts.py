"""Customers under contract: they renew or leave, and are seen to leave.

A contract is paid at the start of each period. Customers differ in how likely they are to leave at a renewal, so that
those who have renewed often are worth more: a cohort's retention rate rises although nobody's does. Values are
taken right before the next renewal: the payment of the running period is in, that of the next one is not.

Sources: Fader & Hardie (2007), Journal of Interactive Marketing 21(1), for the shifted-beta-geometric model (sBG);
(2010), Marketing Science 29(1), for residual values and the customer base.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from clvmodels.errors import AssumptionError
from clvmodels.numerics.beta_mixture import mean_powers
from clvmodels.numerics.special import log_gamma_ratio
from clvmodels.valuation.checks import SMALLEST_RATE, require_amount, require_finite, require_number

__all__ = [
    "ContractBase",
    "aggregate_retention",
    "discounted_lifetime",
    "residual_value",
    "retention",
    "segment_shares",
    "survival",
]

Array = NDArray[np.float64]


def retention(gamma: float, delta: float, renewal: ArrayLike) -> Array:
    """Return the sBG probability that a customer who faces their n-th renewal renews.

    Parameters
    ----------
    gamma, delta
        Of the beta distribution of the probability of leaving at a renewal; both positive.
    renewal
        n, from 1; any shape.

    Returns
    -------
    Array
        (delta + n - 1) / (gamma + delta + n - 1), in the shape of `renewal`.

    Raises
    ------
    AssumptionError
        If a parameter is not positive or a renewal is below 1.

    Examples
    --------
    >>> retention(0.764, 1.296, [1, 2, 5]).round(3)
    array([0.629, 0.75 , 0.874])
    """
    _require_beta(gamma, delta)
    before = _counts("renewal", renewal, 1.0) - 1.0
    return (delta + before) / (gamma + delta + before)


def survival(gamma: float, delta: float, renewals: ArrayLike) -> Array:
    """Return the sBG probability that a new customer renews at least so many times.

    Parameters
    ----------
    gamma, delta
        Of the beta distribution of the probability of leaving at a renewal; both positive.
    renewals
        From 0; any shape.

    Returns
    -------
    Array
        B(gamma, delta + n) / B(gamma, delta), in the shape of `renewals`.

    Raises
    ------
    AssumptionError
        If a parameter is not positive or a number of renewals is negative.

    Examples
    --------
    >>> survival(0.764, 1.296, [0, 1, 2]).round(3)
    array([1.   , 0.629, 0.472])
    """
    _require_beta(gamma, delta)
    n = _counts("renewals", renewals, 0.0)
    # As ratios over gamma, which do not grow with n
    return np.exp(log_gamma_ratio(np.array(delta), np.array(gamma)) - log_gamma_ratio(delta + n, np.array(gamma)))


def discounted_lifetime(gamma: float, delta: float, discount_rate: float) -> float:
    """Return the discounted expected lifetime of a new sBG customer (DEL), in payments; the first one, at once, counts.

    Parameters
    ----------
    gamma, delta
        Of the beta distribution of the probability of leaving at a renewal; both positive.
    discount_rate
        Effective, for one period of the contract.

    Raises
    ------
    AssumptionError
        If a parameter or the rate is not positive.

    Notes
    -----
    The sum of survival(n) / (1 + d)^n over n = 0, 1, ..., which is 2F1(1, delta; gamma + delta; 1 / (1 + d)). It
    is computed as the mean over theta of a perpetuity that ends with probability theta a period, (1 + d) / (d + theta).

    Examples
    --------
    >>> round(discounted_lifetime(0.764, 1.296, 0.10), 6)
    3.620192
    """
    _require_beta(gamma, delta)
    return float(_mean_perpetuity(gamma, np.array(delta), discount_rate))


def residual_value(gamma: float, delta: float, renewal: ArrayLike, discount_rate: float, payment: float = 1.0) -> Array:
    """Return what an sBG customer is expected to pay from their n-th renewal on, right before it; with payment 1, DERL.

    Parameters
    ----------
    gamma, delta
        Of the beta distribution of the probability of leaving at a renewal; both positive.
    renewal
        n, from 1: they have renewed n - 1 times; any shape.
    discount_rate
        Effective, for one period of the contract.
    payment
        Net payment a period.

    Returns
    -------
    Array
        In the shape of `renewal`.

    Raises
    ------
    AssumptionError
        If a parameter or the rate is not positive, or a renewal is below 1.

    Examples
    --------
    >>> residual_value(0.764, 1.296, [1, 2, 5], 0.10, payment=100).round(2)
    array([288.22, 393.94, 568.25])
    """
    n = _counts("renewal", renewal, 1.0)
    _require_payment(payment)
    return payment * retention(gamma, delta, n) * _mean_perpetuity(gamma, delta + n, discount_rate)


def segment_shares(shares: ArrayLike, retention: ArrayLike, renewals: ArrayLike) -> Array:
    """Return the share of each segment among the customers of a cohort who are left.

    Parameters
    ----------
    shares
        Share of each segment among new customers; shape (segments,), adding up to 1.
    retention
        Retention rate of each segment; shape (segments,).
    renewals
        How many times each cohort has renewed; shape (cohorts,).

    Returns
    -------
    Array
        Shape (cohorts, segments); each row adds up to 1.

    Raises
    ------
    AssumptionError
        If shares do not add up to 1, a rate does not lie between 0 and 1, or nobody of a cohort can be left.

    Examples
    --------
    >>> segment_shares([1 / 3, 2 / 3], [0.9, 0.5], [0, 4]).round(3)
    array([[0.333, 0.667],
           [0.84 , 0.16 ]])
    """
    share, rate = _segments(shares, retention)
    log_left = special.xlogy(1.0, share) + special.xlogy(_counts("renewals", renewals, 0.0)[..., None], rate)
    largest = log_left.max(axis=-1, keepdims=True)
    if np.isneginf(largest).any():
        raise AssumptionError("a cohort that has renewed needs a segment with a retention rate above 0")
    left = np.exp(log_left - largest)
    return np.asarray(left / left.sum(axis=-1, keepdims=True))


def aggregate_retention(active: ArrayLike, earlier: ArrayLike) -> float:
    """Return the retention rate of all cohorts together over the last period.

    Parameters
    ----------
    active
        Customers of each cohort now; shape (cohorts,).
    earlier
        Customers of the same cohorts one period ago, 0 where a cohort is new; shape (cohorts,).

    Raises
    ------
    AssumptionError
        If nobody was there one period ago, or a cohort has grown.

    Examples
    --------
    >>> aggregate_retention([60, 50, 200], [80, 100, 0])
    0.6111111111111112
    """
    now, before = _counts("active", active, 0.0), _counts("earlier", earlier, 0.0)
    old = before > 0.0
    if now.shape != before.shape or not old.any() or (now > before)[old].any():
        raise AssumptionError(
            "earlier must give, for each cohort, the customers it had one period ago: at least as many as now, and 0 "
            f"for a new cohort; got active {now.tolist()} and earlier {before.tolist()}"
        )
    return float(now[old].sum() / before[old].sum())


@dataclass(frozen=True, kw_only=True, eq=False)
class ContractBase:
    """The customers under contract, by cohort, and what they are expected to pay from the next renewal on.

    Attributes
    ----------
    active
        Customers of each cohort; shape (cohorts,).
    renewals
        How many times each cohort has renewed, 0 for the newest; shape (cohorts,).
    payment
        Net payment of a customer a period.
    discount_rate
        Effective, for one period of the contract.

    Raises
    ------
    AssumptionError
        If a number is outside its range, or active and renewals differ in length.

    Examples
    --------
    >>> base = ContractBase(active=[7642, 12033, 20500], renewals=[2, 1, 0], payment=100, discount_rate=0.10)
    >>> base.at_one_rate(0.684).sum().round(-3)
    np.float64(7266000.0)
    >>> base.by_segment([1 / 3, 2 / 3], [0.9, 0.5]).sum().round(-3)
    np.float64(10644000.0)
    """

    active: Array
    renewals: Array
    payment: float
    discount_rate: float

    def __post_init__(self) -> None:
        for name in ("active", "renewals"):
            object.__setattr__(self, name, _counts(name, getattr(self, name), 0.0))
        if self.active.shape != self.renewals.shape or self.active.ndim != 1:
            raise AssumptionError(
                f"each cohort needs its number of renewals: got {self.active.size} and {self.renewals.size}"
            )
        require_amount("active", float(np.max(self.active, initial=0.0)), "customers of a cohort")
        _require_payment(self.payment)
        _require_rate(self.discount_rate)

    def at_one_rate(self, retention: float) -> Array:
        """Return the equity of each cohort if everybody renews with the same probability; shape (cohorts,).

        The naive way: an aggregate rate is held down by new customers who will leave soon, and customers who stay are
        undervalued.

        Raises
        ------
        AssumptionError
            If the rate does not lie between 0 and 1.
        """
        require_number("retention", retention, "a share a period; 90 % is 0.90", low=0.0, high=1.0)
        return self._payments() * self._residual(np.array(retention))

    def by_segment(self, shares: ArrayLike, retention: ArrayLike) -> Array:
        """Return the equity of each cohort, of new customers of which `shares` renew with `retention`.

        The shares of the segments in a cohort are those among the customers who are left; shape (cohorts,).

        Raises
        ------
        AssumptionError
            As `segment_shares` does.
        """
        _, rate = _segments(shares, retention)
        return self._payments() * (segment_shares(shares, retention, self.renewals) @ self._residual(rate))

    def by_beta(self, gamma: float, delta: float) -> Array:
        """Return the equity of each cohort if customers are those of an sBG model; shape (cohorts,).

        Raises
        ------
        AssumptionError
            If a parameter is not positive.
        """
        return self._payments() * residual_value(gamma, delta, self.renewals + 1.0, self.discount_rate)

    def _payments(self) -> Array:
        return self.payment * self.active

    def _residual(self, retention: Array) -> Array:
        """Return the discounted payments from the next renewal on: r + r^2 / (1 + d) + ..."""
        left = (1.0 - retention) + self.discount_rate  # not 1 + d - r, in which a low rate would be lost
        return np.asarray(retention * (1.0 + self.discount_rate) / left)


def _mean_perpetuity(gamma: float, delta: Array, discount_rate: float) -> Array:
    """Return E[(1 + d) / (d + theta)] for theta ~ Beta(gamma, delta): one a period until a renewal fails."""
    _require_rate(discount_rate)
    mean, _ = mean_powers(np.array(1.0), np.array(1.0 / discount_rate), np.array(gamma), delta)
    return (1.0 + discount_rate) / discount_rate * mean


def _segments(shares: ArrayLike, retention: ArrayLike) -> tuple[Array, Array]:
    share, rate = require_finite("shares", shares), require_finite("retention", retention)
    if share.shape != rate.shape:
        raise AssumptionError(f"each segment needs a share and a retention rate, got {share.size} and {rate.size}")
    if (share < 0.0).any() or abs(share.sum() - 1.0) > 1e-9:
        raise AssumptionError(f"shares of segments are from 0 up and add up to 1, got {share.tolist()}")
    if (rate < 0.0).any() or (rate > 1.0).any():
        raise AssumptionError(f"a retention rate lies between 0 and 1 (90 % is 0.90), got {rate.tolist()}")
    return share, rate


def _counts(name: str, values: ArrayLike, low: float) -> Array:
    counts = np.asarray(values, dtype=np.float64)
    if not np.isfinite(counts).all() or (counts < low).any():
        raise AssumptionError(f"{name} must be numbers from {low:g} up, got {counts.tolist()}")
    return counts


def _require_beta(gamma: float, delta: float) -> None:
    for name, value in {"gamma": gamma, "delta": delta}.items():
        require_number(name, value, "a parameter of the beta distribution of churn", low=0.0, above=True)
        require_amount(name, value, "a parameter of the beta distribution of churn")


def _require_rate(discount_rate: float) -> None:
    meaning = "effective for a period of the contract; 10 % is 0.10"
    require_number("discount_rate", discount_rate, meaning, low=0.0, high=2.0, above=True)
    if discount_rate < SMALLEST_RATE:
        raise AssumptionError(
            f"discount_rate is at least {SMALLEST_RATE:g} ({meaning}), got {discount_rate:g}; contracts without an end "
            "have no finite value without one"
        )


def _require_payment(payment: float) -> None:
    require_number("payment", payment, "net money a period")
    require_amount("payment", payment, "net money a period")
