"""Gamma-Gamma: the value of an order varies around each customer's own mean, and the means vary across customers.

Story: a customer's orders are Gamma(p, nu) with their own nu ~ Gamma(q, v); v is a rate in the unit of money. Spend is
independent of how often they buy. Parametrised so that q > 1: the population mean p v / (q - 1) is finite.

Source: Colombo & Jiang (1999), Journal of Interactive Marketing 13(3); Fader, Hardie & Lee (2005), JMR 42(4); Fader &
Hardie (2013), The gamma-gamma model of monetary value, note 025.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.models.kernel import CompiledSums, Kernel
from clvmodels.models.specification import Array, Limit, Parameter, Quantity, SpendModel
from clvmodels.numerics.special import (
    CONCENTRATED_FROM,
    STIRLING_FROM,
    digamma_difference,
    digamma_remainder,
    log1p_remainder,
    log_beta,
    log_beta_peak,
)
from clvmodels.numerics.spend import known_spend

__all__ = ["GAMMA_GAMMA"]

QUANTITIES: Final = (
    Quantity(
        "mean_spend",
        "mean value of an order, over customers",
        ("LogNormal", {"mu": 4.0, "sigma": 2.5}),
        level_of="spend",
    ),
    Quantity(
        "order_cv",
        "coefficient of variation of a customer's orders around their own mean",
        ("LogNormal", {"mu": -0.7, "sigma": 0.75}),
    ),
    Quantity(
        "spend_spread",
        "variety of customers, 1 / q: the squared coefficient of variation of the reciprocals of their mean orders",
        ("Beta", {"alpha": 1.5, "beta": 2.5}),
        share=True,
    ),
)

LIMITS: Final = (
    Limit("customers' mean orders do not differ", ({"q": 1.0},), {"q": 1e3, "v": 1e3}),
    Limit("a few customers' orders are so large that there hardly is a mean", ({"q": -1.0},)),
    Limit("the orders of a customer do not differ", ({"p": 1.0},), {"p": 1e3, "v": 1e-3}),
    Limit("the orders of a customer differ by orders of magnitude", ({"p": -1.0},)),
)


def from_quantities(quantities: Mapping[str, Any], year: float) -> dict[str, Any]:  # noqa: ARG001 - spend has no time
    """Return p, q, v; q > 1 as the spread is a share."""
    p, q = quantities["order_cv"] ** -2.0, 1.0 / quantities["spend_spread"]
    return {"p": p, "q": q, "v": quantities["mean_spend"] * (q - 1.0) / p}


def to_quantities(params: Mapping[str, Any], year: float) -> dict[str, Any]:  # noqa: ARG001
    """Return the quantities."""
    return {
        "mean_spend": params["p"] * params["v"] / (params["q"] - 1.0),
        "order_cv": params["p"] ** -0.5,
        "spend_spread": 1.0 / params["q"],
    }


def count_terms(theta: Array, x: Array) -> tuple[Array, Array]:
    """Return -log B(px, q) (note 025, equation 1a), and its gradient.

    Of `_concentrated` values without n log((n+q)/n) + q log((n+q)/q), n = px, which `history_terms` has.
    """
    p, q, _ = np.moveaxis(theta, -1, 0)
    n = p * x
    value = -log_beta(n, q)
    gradient = np.zeros((3, *value.shape))
    gradient[0], gradient[1] = x * digamma_difference(n, q), digamma_difference(q, n)
    large = _concentrated(n, q)
    if large.any():
        value = np.where(large, log_beta_peak(n, q), value)
        n, q = np.where(large, n, STIRLING_FROM), np.where(large, q, STIRLING_FROM)
        both = digamma_remainder(n + q)
        gradient[0] = np.where(large, x * (both - digamma_remainder(n)), gradient[0])
        gradient[1] = np.where(large, both - digamma_remainder(q), gradient[1])
    return value, np.moveaxis(gradient, 0, -1)


def history_terms(theta: Array, x: Array, mean_spend: Array) -> tuple[Array, Array]:
    """Return log of (x zbar / (v + x zbar))^(px) (v / (v + x zbar))^q / zbar, and its gradient.

    Of `_concentrated` values times ((px+q)/(px))^(px) ((px+q)/q)^q: the share that customers have spent of v + x zbar
    is next to px/(px+q), and the powers of both nearly cancel. They are n log(1 + y) with small y that cancel to
    first order (Loader 2000, Fast and accurate computation of binomial probabilities).
    """
    p, q, v = np.moveaxis(theta, -1, 0)
    n, spent = p * x, x * mean_spend
    ratio = v / spent
    gradient = np.empty((3, *np.shape(n + ratio)))
    log_share, log_rest, by_v = (gradient[k, ...] for k in range(3))
    np.negative(np.log1p(ratio, out=log_share), out=log_share)
    np.negative(np.log1p(spent / v, out=log_rest), out=log_rest)
    np.divide(q - n * ratio, 1.0 + ratio, out=by_v)  # times v, the excess of what they spent
    value = n * log_share + q * log_rest
    if np.any(q >= CONCENTRATED_FROM):
        large = _concentrated(n, q)
        by_n, by_q = by_v / n, -by_v / q
        of_n = log1p_remainder(by_n, log_share + np.log1p(q / n))
        of_q = log1p_remainder(by_q, log_rest + np.log1p(n / q))
        value = np.where(large, n * of_n + q * of_q, value)
        log_share[...] = np.where(large, by_n + of_n, log_share)
        log_rest[...] = np.where(large, by_q + of_q, log_rest)
    log_share *= x
    by_v /= v
    return value - np.log(mean_spend), np.moveaxis(gradient, 0, -1)


def _concentrated(n: Array, q: Array) -> NDArray[np.bool_]:
    """Return where both arguments of the beta function are large: its log, and those of the powers, nearly cancel."""
    return np.asarray(np.minimum(n, q) >= CONCENTRATED_FROM)


def expected_spend(theta: Array, x: Array, mean_spend: Array) -> Array:
    """Return E[Z | x, zbar] = p (v + x zbar) / (p x + q - 1); the population mean p v / (q - 1) where x = 0.

    A mean that is missing or negative says nothing about the model's positive values: it counts as x = 0.
    """
    p, q, v = np.moveaxis(theta, -1, 0)
    x, spent = _known(x, mean_spend)
    return np.asarray(p * (v + spent) / (p * x + q - 1.0))


def _known(x: Array, mean_spend: Array) -> tuple[Array, Array]:
    """Return the number of orders with a usable value, and their sum."""
    known = known_spend(np.asarray(x), np.asarray(mean_spend))
    return np.where(known, x, 0.0), np.where(known, x * mean_spend, 0.0)


def draw_orders(
    theta: Array, x: Array, mean_spend: Array, owner: NDArray[np.int64], generator: np.random.Generator
) -> Array:
    """Draw order values: each customer's nu ~ Gamma(q + p x, v + x zbar), then order k ~ Gamma(p, nu of its owner)."""
    p, q, v = np.moveaxis(theta, -1, 0)
    x, spent = _known(x, mean_spend)
    nu = generator.gamma(q + p * x) / (v + spent)
    shape = p[owner] if p.ndim else p
    return np.asarray(generator.gamma(shape, size=len(owner)) / nu[owner])


def in_words(params: Mapping[str, float]) -> tuple[str, ...]:
    """Return how much orders vary."""
    p, q = params["p"], params["q"]
    across = f"{1.0 / np.sqrt(q - 2.0):.2g}" if q > 2.0 else "infinite (heavy tail: q is below 2)"
    words = (
        f"A customer's orders vary around their own mean with a coefficient of variation of {1.0 / np.sqrt(p):.2g}, and"
        f" the means vary across customers with one of {across}."
    )
    return (words,)


def compiled_sums() -> CompiledSums:
    """Return the functions of the kernel."""
    from clvmodels.models.kernels import gamma_gamma as kernel

    return CompiledSums(kernel.count_sums, kernel.history_sums, row_sums=kernel.row_sums)


GAMMA_GAMMA = SpendModel(
    key="gamma_gamma",
    name="Gamma-Gamma",
    public_name="GammaGamma",
    source="Fader & Hardie (2013), The gamma-gamma model of monetary value",
    parameters=(Parameter("p"), Parameter("q", lower=1.0), Parameter("v", "money")),
    example={"p": 6.25, "q": 3.74, "v": 15.44},
    starts=((6.0, 3.5, 0.4), (1.0, 2.0, 1.0), (20.0, 2.0, 0.05), (2.0, 10.0, 4.0)),
    count_terms=count_terms,
    history_terms=history_terms,
    expected_spend=expected_spend,
    draw_orders=draw_orders,
    quantities=QUANTITIES,
    from_quantities=from_quantities,
    to_quantities=to_quantities,
    limits=LIMITS,
    in_words=in_words,
    kernel=Kernel(count_terms, history_terms, compiled_sums),
    story=__doc__ or "",
    effects={"spend": (("v", 1),)},
)
