"""Gamma-Gamma, fitted to the values of all orders: the mean alone leaves open how much a customer's orders vary.

Story: as of Gamma-Gamma. A customer's orders are Gamma(p, nu) with their own nu ~ Gamma(q, v). The likelihood is that
of every order of positive value, of which their number, their mean and the mean of their logs are sufficient. It tells
p, how much the orders of one customer vary, from q, how much customers do: means alone hardly do.

The expectation of an order given a customer's history is the published one.

Source: Colombo & Jiang (1999), Journal of Interactive Marketing 13(3), the likelihood of single transactions; Fader &
Hardie (2013), note 025, for the means.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from scipy import special

from clvmodels.models import gamma_gamma
from clvmodels.models.gamma_gamma import GAMMA_GAMMA
from clvmodels.models.kernel import CompiledSums, Kernel
from clvmodels.models.specification import Array
from clvmodels.numerics.special import STIRLING_FROM, digamma_remainder, stirling_remainder

__all__ = ["GAMMA_GAMMA_FIRST", "GAMMA_GAMMA_ORDERS"]

HALF_LOG_2PI: Final = 0.5 * float(np.log(2.0 * np.pi))


def count_terms(theta: Array, x: Array) -> tuple[Array, Array]:
    """Return those of the means, and log of Gamma(px) / (Gamma(p)^x x^(px)), with the gradient of both.

    Given their mean, the shares of x orders in their sum are Dirichlet(p, ..., p).
    """
    value, gradient = gamma_gamma.count_terms(theta, x)
    of_shares, by_p = _shares(theta[..., 0], x)
    gradient[..., 0] += by_p
    return value + of_shares, gradient


def _shares(p: Array, x: Array) -> tuple[Array, Array]:
    """Return log Gamma(px) - x log Gamma(p) - px log x, and its derivative by p.

    By Stirling's series where its argument is large: of large p, the three terms nearly cancel.
    """
    n, large_n, large_p = p * x, p * x >= STIRLING_FROM, p >= STIRLING_FROM
    far, high = np.where(large_n, n, STIRLING_FROM), np.where(large_p, p, STIRLING_FROM)
    near, low = np.where(large_n, 1.0, n), np.where(large_p, 1.0, p)
    of_n, of_p = stirling_remainder(far), stirling_remainder(high)
    series = n * (np.log(p) - 1.0) - 0.5 * np.log(far) + HALF_LOG_2PI + of_n
    total = np.where(large_n, series, special.gammaln(near) - near * np.log(x))
    both = (x - 1.0) * (0.5 * np.log(high) - HALF_LOG_2PI) - 0.5 * np.log(x) + of_n - x * of_p
    slope = np.where(large_n, np.log(p) + digamma_remainder(far), special.digamma(near) - np.log(x))
    by_both = digamma_remainder(far) - digamma_remainder(high)
    value = np.where(large_p, both, total - x * special.gammaln(low))
    return value, x * np.where(large_p, by_both, slope - special.digamma(low))


def history_terms(theta: Array, x: Array, mean_spend: Array, log_mean: Array) -> tuple[Array, Array]:
    """Return those of the means, and (p - 1) x (mean of logs - log zbar) - (x - 1) log zbar, with the gradient of both.

    The mean of the logs never exceeds the log of the mean; of one order they are equal.
    """
    value, gradient = gamma_gamma.history_terms(theta, x, mean_spend)
    log_spend = np.log(mean_spend)
    below = x * np.where(x > 1.0, np.minimum(log_mean - log_spend, 0.0), 0.0)
    gradient[..., 0] += below
    return value + (theta[..., 0] - 1.0) * below - (x - 1.0) * log_spend, gradient


def compiled_sums() -> CompiledSums:
    """Return the functions of the kernel."""
    from clvmodels.models.kernels import gamma_gamma_orders as kernel

    return CompiledSums(kernel.count_sums, kernel.history_sums)


GAMMA_GAMMA_ORDERS = replace(
    GAMMA_GAMMA,
    key="gamma_gamma_orders",
    name="Gamma-Gamma on orders",
    source="Colombo & Jiang (1999), Journal of Interactive Marketing 13(3)",
    example={"p": 3.61, "q": 4.486, "v": 34.083},
    count_terms=count_terms,
    history_terms=history_terms,
    statistics=("valued", "valued_mean", "log_mean"),
    kernel=Kernel(count_terms, history_terms, compiled_sums),
    story=__doc__ or "",
)
GAMMA_GAMMA_FIRST = replace(
    GAMMA_GAMMA_ORDERS,
    key="gamma_gamma_first",
    name="Gamma-Gamma on orders, the first too",
    statistics=("valued_all", "mean_all", "log_mean_all"),
    state=("valued_all", "mean_all"),
)
