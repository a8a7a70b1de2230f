"""Shares that differ from customer to customer: a Dirichlet distribution, estimated from counts.

Each customer has shares of their own, drawn from Dirichlet(alpha); given them, their orders fall into categories
independently of each other. The counts are then Dirichlet-multinomial.

Source: Johnson, Kotz & Balakrishnan (1997), Discrete Multivariate Distributions, ch. 35, section 13.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.errors import FitError
from clvmodels.numerics.special import digamma_difference, log_gamma_ratio

__all__ = ["dirichlet_of_counts", "log_likelihood", "tallies"]

Array = NDArray[np.float64]
Tallies = Sequence[tuple[Array, Array]]

LARGEST_LOG: Final = 12.0
"""Of a parameter. Beyond exp(12) all customers have the same shares, below exp(-12) each buys of one category alone:
the likelihood is flat in either direction."""
GTOL: Final = 1e-6
"""Of the log-likelihood per customer, by log alpha: a share is then right to some 1e-6."""


def tallies(counts: Array) -> Tallies:
    """Return what the likelihood sees: distinct numbers of orders and how many customers have them.

    Of all orders first, then of each category.

    Examples
    --------
    >>> [(orders.tolist(), customers.tolist()) for orders, customers in tallies(np.array([[1.0, 1.0], [0.0, 2.0]]))]
    [([2.0], [2.0]), ([0.0, 1.0], [1.0, 1.0]), ([1.0, 2.0], [1.0, 1.0])]
    """
    distinct = [np.unique(column, return_counts=True) for column in (counts.sum(axis=1), *counts.T)]
    return [(orders, customers.astype(np.float64)) for orders, customers in distinct]


def log_likelihood(log_alpha: Array, tallied: Tallies) -> tuple[float, Array]:
    """Return the log-likelihood of counts in their order, and its gradient by log alpha, shape (categories,).

    Examples
    --------
    Of two orders of one customer, first of one and then of the other category, under even shares: 1/6.

    >>> value, _ = log_likelihood(np.zeros(2), tallies(np.array([[1.0, 1.0]])))
    >>> round(float(np.exp(value)), 6)
    0.166667
    """
    alpha = np.exp(log_alpha)
    parameters = np.concatenate([alpha.sum(keepdims=True), alpha])
    pairs = list(zip(parameters, tallied, strict=True))
    values = np.array([customers @ log_gamma_ratio(a, orders) for a, (orders, customers) in pairs])
    slopes = np.array([customers @ digamma_difference(a, orders) for a, (orders, customers) in pairs])
    return float(values[1:].sum() - values[0]), alpha * (slopes[1:] - slopes[0])


def dirichlet_of_counts(counts: Array) -> Array:
    """Return the parameters alpha under which counts are most likely, shape (categories,).

    Parameters
    ----------
    counts
        Orders of each customer by category, shape (customers, categories); every category has orders.

    Raises
    ------
    FitError
        If the maximisation does not end at a maximum.
    """
    from scipy import optimize

    tallied, number = tallies(counts), float(len(counts))
    share = counts.sum(axis=0) / counts.sum()

    def minus(log_alpha: Array) -> tuple[float, Array]:
        value, gradient = log_likelihood(log_alpha, tallied)
        return -value / number, -gradient / number

    bounds = [(-LARGEST_LOG, LARGEST_LOG)] * len(share)
    options: Any = {"ftol": 0.0, "gtol": 0.1 * GTOL, "maxiter": 2000, "maxfun": 5000}
    best = optimize.minimize(
        minus, np.log(share * len(share)), jac=True, method="L-BFGS-B", bounds=bounds, options=options
    )
    free = np.abs(best.x) < LARGEST_LOG
    if np.abs(np.asarray(best.jac)[free]).max(initial=0.0) > GTOL:
        raise FitError(f"the shares of the categories have not converged: {best.message}")
    return np.exp(np.asarray(best.x, np.float64))
