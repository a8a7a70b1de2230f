"""Log-normal spend: the logs of a customer's orders are normal around their own mean, and the means are normal too.

Story: a customer's orders are log-normal, of logs with mean mu and standard deviation s; mu varies across customers
with mean m and standard deviation t. Spend is independent of how often they buy. The median order of the median
customer, exp(m), is the parameter that counts in money. The tails are lighter than those of Gamma-Gamma, whose means
across customers fall off by a power, so that one very large order moves an expectation less.

The likelihood is that of every order of positive value, of which their number, the mean of their logs and the sum of
squares around it are sufficient.

Source: the normal model with random means of Searle, Casella & McCulloch (1992), Variance Components, chapter 3, on
logs; for order values Abe (2009), Marketing Science 28(3), section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.models.kernel import CompiledSums, Kernel
from clvmodels.models.random_means import count_terms, own_mean, spread_terms
from clvmodels.models.specification import Array, Limit, Parameter, Quantity, SpendModel
from clvmodels.numerics.special import bounded_odds

__all__ = ["LOG_NORMAL", "LOG_NORMAL_FIRST"]

QUANTITIES: Final = (
    Quantity(
        "median_spend",
        "median order of the median customer",
        ("LogNormal", {"mu": 4.0, "sigma": 2.5}),
        level_of="spend",
    ),
    Quantity(
        "order_log_sd",
        "standard deviation of the logs of a customer's orders around their own mean",
        ("LogNormal", {"mu": -0.7, "sigma": 0.75}),
    ),
    Quantity(
        "between_share",
        "share of the variance of the logs of orders that lies between customers",
        ("Beta", {"alpha": 1.5, "beta": 1.5}),
        share=True,
    ),
)

LIMITS: Final = (
    Limit("customers' usual orders do not differ", ({"t": -1.0},), {"t": 1e-4}),
    Limit("customers' usual orders differ by orders of magnitude", ({"t": 1.0},)),
    Limit("the orders of a customer do not differ", ({"s": -1.0},), {"s": 1e-4}),
    Limit("the orders of a customer differ by orders of magnitude", ({"s": 1.0},)),
)


def from_quantities(quantities: Mapping[str, Any], year: float) -> dict[str, Any]:  # noqa: ARG001 - spend has no time
    """Return median, s, t."""
    s, share = quantities["order_log_sd"], quantities["between_share"]
    return {"median": quantities["median_spend"], "s": s, "t": s * (share / (1.0 - share)) ** 0.5}


def to_quantities(params: Mapping[str, Any], year: float) -> dict[str, Any]:  # noqa: ARG001
    """Return the quantities."""
    s, t = params["s"], params["t"]
    return {"median_spend": params["median"], "order_log_sd": s, "between_share": 1.0 / (1.0 + (s / t) ** 2.0)}


def history_terms(theta: Array, x: Array, log_mean: Array, log_ss: Array) -> tuple[Array, Array]:
    """Return -SS/(2 s^2) - log(V)/2 - (ybar - m)^2/(2 V) - x ybar with V = t^2 + s^2/x, and its gradient.

    ybar is the mean of the logs and SS the sum of their squares around it. The last term makes the density of logs one
    of amounts.
    """
    median, s, t = np.moveaxis(theta, -1, 0)
    value, gradient = spread_terms(np.log(median), s, t, x, log_mean, log_ss)
    gradient[..., 0] /= median
    return value - x * log_mean, gradient


def expected_spend(theta: Array, x: Array, log_mean: Array) -> Array:
    """Return E[Z | x, ybar] = exp(m_i + t_i^2/2 + s^2/2); the population mean exp(m + t^2/2 + s^2/2) where x = 0.

    m_i and t_i are mean and standard deviation of the customer's own mu given their orders: with
    w = x t^2/(s^2 + x t^2), m_i = m + w (ybar - m) and t_i^2 = t^2 (1 - w).
    """
    centre, variance = _own_mean(theta, x, log_mean)
    return bounded_odds(centre + 0.5 * (variance + theta[..., 1] ** 2))


def _own_mean(theta: Array, x: Array, log_mean: Array) -> tuple[Array, Array]:
    """Return mean and variance of mu given the orders; those of the population where no mean of logs is known."""
    median, s, t = np.moveaxis(theta, -1, 0)
    return own_mean(np.log(median), s, t, x, log_mean)


def draw_orders(
    theta: Array, x: Array, log_mean: Array, owner: NDArray[np.int64], generator: np.random.Generator
) -> Array:
    """Draw order values: each customer's mu given their orders, then the log of each order around that of its owner."""
    centre, variance = _own_mean(theta, x, log_mean)
    mu = generator.normal(centre, np.sqrt(variance))
    s = theta[..., 1]
    return bounded_odds(generator.normal(mu[owner], s[owner] if s.ndim else s, size=len(owner)))


def in_words(params: Mapping[str, float]) -> tuple[str, ...]:
    """Return how much orders vary, and the parameters as the formulas have them."""
    median, s2, t2 = params["median"], params["s"] ** 2, params["t"] ** 2
    within, across = (np.sqrt(np.expm1(np.minimum(variance, 700.0))) for variance in (s2, t2))
    words = (
        f"A customer's orders vary around their own mean with a coefficient of variation of {within:.2g}, and the means"
        f" vary across customers with one of {across:.2g}. The logs of orders have the mean m = {np.log(median):.4g},"
        f" the variance s2 = {s2:.4g} around a customer's own mean, and the variance t2 = {t2:.4g} across customers."
    )
    return (words,)


def compiled_sums() -> CompiledSums:
    """Return the functions of the kernel."""
    from clvmodels.models.kernels import log_normal as kernel

    return CompiledSums(kernel.count_sums, kernel.history_sums)


LOG_NORMAL = SpendModel(
    key="log_normal",
    name="Log-normal spend",
    public_name="LogNormalSpend",
    source="Searle, Casella & McCulloch (1992), Variance Components; Abe (2009), Marketing Science 28(3)",
    parameters=(Parameter("median", "money"), Parameter("s"), Parameter("t")),
    example={"median": 26.866, "s": 0.5622, "t": 0.469},
    starts=((1.0, 0.6, 0.5), (1.0, 0.2, 1.0), (1.0, 1.5, 0.3), (0.5, 0.1, 0.1)),
    count_terms=count_terms,
    history_terms=history_terms,
    expected_spend=expected_spend,
    draw_orders=draw_orders,
    quantities=QUANTITIES,
    from_quantities=from_quantities,
    to_quantities=to_quantities,
    limits=LIMITS,
    in_words=in_words,
    statistics=("valued", "log_mean", "log_ss"),
    state=("valued", "log_mean"),
    kernel=Kernel(count_terms, history_terms, compiled_sums),
    effects={"spend": (("median", 1),)},
    story=__doc__ or "",
)
LOG_NORMAL_FIRST = replace(
    LOG_NORMAL,
    key="log_normal_first",
    name="Log-normal spend, the first order too",
    statistics=("valued_all", "log_mean_all", "log_ss_all"),
    state=("valued_all", "log_mean_all"),
)
