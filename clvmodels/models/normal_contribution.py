"""Normal contribution: what orders contribute varies around each customer's own mean, and may be negative.

Story: the contributions of a customer's orders, after costs that differ from order to order, are normal around their
own mean with the standard deviation s; the means are normal across customers around `mean`, with the standard deviation
t. Orders, and customers, may bring less than they cost. Over all customers the mean is positive.

The likelihood is that of every repeat order of known value, of which their number, their mean and the sum of squares
around it are sufficient. Histories know these if the log was read with ``returns="keep"``, which takes a row with a
negative value for an order, not for a refund. A valuation on contributions has the margin 1.

Source: the normal model with random means of Searle, Casella & McCulloch (1992), Variance Components, chapter 3; for
the expectation the credibility formula of Bühlmann (1967), ASTIN Bulletin 4(3).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from clvmodels.models.kernel import CompiledSums, Kernel
from clvmodels.models.random_means import count_terms, own_mean, spread_terms
from clvmodels.models.specification import Array, Limit, Parameter, Quantity, SpendModel

__all__ = ["NORMAL_CONTRIBUTION"]

QUANTITIES: Final = (
    Quantity(
        "mean_contribution", "mean contribution of an order, over customers", ("LogNormal", {"mu": 3.0, "sigma": 2.5})
    ),
    Quantity(
        "order_sd",
        "standard deviation of a customer's orders around their own mean",
        ("LogNormal", {"mu": 3.0, "sigma": 2.5}),
    ),
    Quantity(
        "between_share",
        "share of the variance of orders that lies between customers",
        ("Beta", {"alpha": 1.5, "beta": 1.5}),
        share=True,
    ),
)

LIMITS: Final = (
    Limit("orders do not contribute anything on average over customers, or less", ({"mean": -1.0},), {"mean": 1e-4}),
    Limit("customers' mean contributions do not differ", ({"t": -1.0},), {"t": 1e-4}),
    Limit("the contributions of a customer's orders do not differ", ({"s": -1.0},), {"s": 1e-4}),
)


def from_quantities(quantities: Mapping[str, Any], year: float) -> dict[str, Any]:  # noqa: ARG001 - spend has no time
    """Return mean, s, t."""
    s, share = quantities["order_sd"], quantities["between_share"]
    return {"mean": quantities["mean_contribution"], "s": s, "t": s * (share / (1.0 - share)) ** 0.5}


def to_quantities(params: Mapping[str, Any], year: float) -> dict[str, Any]:  # noqa: ARG001
    """Return the quantities."""
    s, t = params["s"], params["t"]
    return {"mean_contribution": params["mean"], "order_sd": s, "between_share": 1.0 / (1.0 + (s / t) ** 2.0)}


def history_terms(theta: Array, x: Array, mean: Array, squares: Array) -> tuple[Array, Array]:
    """Return -SS/(2 s^2) - log(V)/2 - (zbar - m)^2/(2 V) with V = t^2 + s^2/x, and its gradient.

    zbar is the mean of x contributions, SS the sum of squares around it, and m the mean over customers.
    """
    m, s, t = np.moveaxis(theta, -1, 0)
    return spread_terms(m, s, t, x, mean, squares)


def expected_spend(theta: Array, x: Array, mean: Array) -> Array:
    """Return E[Z | x, zbar] = m + w (zbar - m) with w = x t^2/(s^2 + x t^2); m where x = 0."""
    m, s, t = np.moveaxis(theta, -1, 0)
    return own_mean(m, s, t, x, mean)[0]


def draw_orders(theta: Array, x: Array, mean: Array, owner: NDArray[np.int64], generator: np.random.Generator) -> Array:
    """Draw contributions: each customer's mean given their orders, then each order around that of its owner."""
    m, s, t = np.moveaxis(theta, -1, 0)
    centre, variance = own_mean(m, s, t, x, mean)
    mu = generator.normal(centre, np.sqrt(variance))
    return generator.normal(mu[owner], s[owner] if s.ndim else s, size=len(owner))


def in_words(params: Mapping[str, float]) -> tuple[str, ...]:
    """Return how much contributions vary, and how many are negative."""
    m, s, t = params["mean"], params["s"], params["t"]
    orders, customers = special.ndtr(-m / np.hypot(s, t)), special.ndtr(-m / t)
    words = (
        f"What a customer's orders contribute varies around their own mean with a standard deviation of {s:,.4g}, and"
        f" the means vary across customers with one of {t:,.4g}: {orders:.1%} of orders, and {customers:.1%} of"
        " customers on average, bring less than they cost."
    )
    return (words,)


def compiled_sums() -> CompiledSums:
    """Return the functions of the kernel."""
    from clvmodels.models.kernels import normal_contribution as kernel

    return CompiledSums(kernel.count_sums, kernel.history_sums)


NORMAL_CONTRIBUTION = SpendModel(
    key="normal_contribution",
    name="Normal contribution",
    public_name="NormalContribution",
    source="Searle, Casella & McCulloch (1992), Variance Components; Bühlmann (1967), ASTIN Bulletin 4(3)",
    parameters=(Parameter("mean", "money"), Parameter("s", "money"), Parameter("t", "money")),
    example={"mean": 10.0, "s": 15.0, "t": 8.0},
    starts=((0.5, 0.7, 0.5), (1.0, 0.2, 0.1), (0.2, 1.0, 0.1), (0.2, 0.1, 1.0)),
    count_terms=count_terms,
    history_terms=history_terms,
    expected_spend=expected_spend,
    draw_orders=draw_orders,
    quantities=QUANTITIES,
    from_quantities=from_quantities,
    to_quantities=to_quantities,
    limits=LIMITS,
    in_words=in_words,
    statistics=("known", "known_mean", "known_ss"),
    state=("known", "known_mean"),
    signed=True,
    kernel=Kernel(count_terms, history_terms, compiled_sums),
    story=__doc__ or "",
)
