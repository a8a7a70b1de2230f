"""BG/BB: there is one opportunity to buy in each period; before each of them a customer may leave.

Story: at each opportunity (a year to give in, a meeting to attend, a month to refill) customers first leave with their
own probability (beta across customers) and, if they stay, buy with their own probability (beta across customers). A
customer buys at most once an opportunity. A history is (x, t_x, n): x purchases at n opportunities, the last of them
at opportunity t_x; the purchase that made them a customer is none of them.

Source: Fader, Hardie & Shang (2010), Customer-Base Analysis in a Discrete-Time Noncontractual Setting, Marketing
Science 29(6), 1086-1108.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from clvmodels.models import beta_geometric
from clvmodels.models.kernel import CompiledSums, Kernel
from clvmodels.models.specification import Array, Events, Limit, OwnRates, Parameter, Quantity, TransactionModel
from clvmodels.numerics.special import digamma_difference, log_gamma_ratio

__all__ = ["BG_BB"]

IN_WORDS: Final = (
    "Under BG/BB customers buy at most once an opportunity: where several purchases fall into one, they count as one.",
)
QUANTITIES: Final = (
    Quantity(
        "purchase_chance",
        "mean chance to buy at an opportunity, of those who stay",
        ("Beta", {"alpha": 1.5, "beta": 1.5}),
        share=True,
    ),
    Quantity(
        "purchase_concentration",
        "how alike customers are in it: their chances are Beta(purchase_chance, 1 - purchase_chance) times this",
        ("LogNormal", {"mu": 1.0, "sigma": 1.5}),
    ),
    *beta_geometric.QUANTITIES[2:],
)
LIMITS: Final = (
    Limit("chances to buy do not differ", ({"alpha": 1.0}, {"beta": 1.0}), {"alpha": 30.0, "beta": 30.0}),
    Limit("customers buy at every opportunity or at none", ({"alpha": -1.0}, {"beta": -1.0})),
    Limit("whoever stays buys at every opportunity", ({"alpha": 1.0, "beta": -1.0},)),
    Limit("nobody is seen to leave", ({"delta": 1.0, "gamma": -1.0},), endless=True),
    Limit(
        "some leave at once, the rest never",
        ({"gamma": -1.0}, {"delta": -1.0}),
        {"gamma": 1e-3, "delta": 1e-2},
        endless=True,
    ),
    Limit("chances to leave do not differ", ({"gamma": 1.0}, {"delta": 1.0}), {"gamma": 30.0, "delta": 300.0}),
)
SLOPE_NODES, SLOPE_WEIGHTS = (0.5 * part for part in np.polynomial.legendre.leggauss(8))
NEAR: Final = 0.5
"""Up to this share of the distance to its nearest pole, the mean of a digamma function takes eight nodes."""


def from_quantities(quantities: Mapping[str, Any], year: float) -> dict[str, Any]:  # noqa: ARG001 - chances have no unit
    """Return alpha, beta, gamma, delta."""
    buys, alike = quantities["purchase_chance"], quantities["purchase_concentration"]
    leaves, alike_in_leaving = quantities["dropout"], quantities["dropout_concentration"]
    return {
        "alpha": buys * alike,
        "beta": (1.0 - buys) * alike,
        "gamma": leaves * alike_in_leaving,
        "delta": (1.0 - leaves) * alike_in_leaving,
    }


def to_quantities(params: Mapping[str, Any], year: float) -> dict[str, Any]:  # noqa: ARG001 - chances have no unit
    """Return the quantities."""
    buying, leaving = params["alpha"] + params["beta"], params["gamma"] + params["delta"]
    return {
        "purchase_chance": params["alpha"] / buying,
        "purchase_concentration": buying,
        "dropout": params["gamma"] / leaving,
        "dropout_concentration": leaving,
    }


def count_terms(theta: Array, x: Array) -> tuple[Array, Array]:
    """Return log of Gamma(alpha+x)/Gamma(alpha), and its gradient."""
    a = theta[..., 0]
    value = log_gamma_ratio(a, x)
    gradient = np.zeros((*value.shape, 4))
    gradient[..., 0] = digamma_difference(a, x)
    return value, gradient


def history_terms(theta: Array, x: Array, t_x: Array, n: Array) -> tuple[Array, Array]:
    """Return the log of the rest of equation (5), and its gradient.

    It is the probability of the history until t_x and of being alive then, times that of no purchase after.
    """
    a, b, g, d = np.moveaxis(theta, -1, 0)
    silence, slopes = _silence_slopes(theta, x, t_x, n)
    missed = t_x - x
    value = _log_beta_ratio(a, b, missed) - log_gamma_ratio(a + b + missed, x) + _log_beta_ratio(g, d, t_x)
    gradient = slopes / silence
    both, leaving = digamma_difference(a + b, t_x), digamma_difference(g + d, t_x)
    gradient[0] -= both
    gradient[1] += digamma_difference(b, missed) - both
    gradient[2] -= leaving
    gradient[3] += digamma_difference(d, t_x) - leaving
    return value + np.log(silence), np.moveaxis(gradient, 0, -1)


def _log_beta_ratio(a: Array, b: Array, k: Array) -> Array:
    """Return log of B(a, b+k)/B(a, b): all of k chances are missed. Of two differences, the one of smaller terms."""
    few = np.asarray(k < a)
    small, start, end = np.where(few, k, a), b, np.where(few, a + b, b + k)
    return np.asarray(log_gamma_ratio(start, small) - log_gamma_ratio(end, small))


class _Step(NamedTuple):
    """What may happen before and at one opportunity after t_x, by history.

    Attributes
    ----------
    counts
        Whether the history has this opportunity after its last purchase.
    buying, leaving
        Reciprocals of the sums of parameters of the two beta distributions before it.
    misses, stays, leaves
        The probabilities of no purchase, given that they stay; of staying, and of leaving.
    """

    counts: NDArray[np.bool_]
    buying: Array
    leaving: Array
    misses: Array
    stays: Array
    leaves: Array


def _steps(theta: Array, x: Array, t_x: Array, n: Array) -> Iterator[_Step]:
    """Yield the opportunities after t_x, the last one first."""
    a, b, g, d = np.moveaxis(theta, -1, 0)
    for back in range(1, 1 + int(np.max(n - t_x, initial=0.0))):
        since = np.maximum(n - back, t_x)
        buying, leaving = 1.0 / (a + b + since), 1.0 / (g + d + since)
        misses = (b + (since - x)) * buying  # in this order: b may be next to nothing
        yield _Step(n - back >= t_x, buying, leaving, misses, (d + since) * leaving, g * leaving)


def _shape(theta: Array, *columns: Array) -> tuple[int, ...]:
    return np.broadcast_shapes(theta.shape[:-1], *map(np.shape, columns))


def _silence(theta: Array, x: Array, t_x: Array, n: Array) -> Array:
    """Return the probability that who is alive at t_x buys nothing until n.

    Backwards from n: before each opportunity they leave, or they stay, do not buy, and face the rest. All terms are
    positive.
    """
    rest = np.ones(_shape(theta, x, t_x, n))
    for step in _steps(theta, x, t_x, n):
        rest = np.where(step.counts, step.leaves + step.stays * step.misses * rest, rest)
    return rest


def _silence_slopes(theta: Array, x: Array, t_x: Array, n: Array) -> tuple[Array, Array]:
    """Return the same, and its gradient, parameters first."""
    bought = theta[..., 0] + x
    shape = _shape(theta, x, t_x, n)
    rest, slopes = np.ones(shape), np.zeros((4, *shape))
    for step in _steps(theta, x, t_x, n):
        silent = step.misses * rest
        none, lost = step.stays * step.misses, step.leaving * (1.0 - silent)
        parts = (
            -step.stays * silent * step.buying,
            step.stays * rest * bought * step.buying**2,
            step.stays * lost,
            -step.leaves * lost,
        )
        for k, part in enumerate(parts):
            np.copyto(slopes[k, ...], part + none * slopes[k], where=step.counts)
        rest = np.where(step.counts, step.leaves + step.stays * silent, rest)
    return rest, slopes


def p_alive(theta: Array, x: Array, t_x: Array, n: Array) -> Array:
    """Return P(alive at n | x, t_x, n): to stay and miss all since t_x, as a share of silence (equation 7)."""
    a, b, g, d = np.moveaxis(theta, -1, 0)
    silent = n - t_x
    stays = _log_beta_ratio(a + x, b + (t_x - x), silent) + _log_beta_ratio(g, d + t_x, silent)
    return np.asarray(np.minimum(np.exp(stays) / _silence(theta, x, t_x, n), 1.0))


def future(theta: Array, x: Array, n: Array, t: Array) -> tuple[Array, Array]:
    """Return P(alive at n+t), and the probability of a purchase at opportunity n+t, of a customer alive at n."""
    a, b, g, d = np.moveaxis(theta, -1, 0)
    survival = np.exp(_log_beta_ratio(g, d + n, t))
    return survival, (a + x) / (a + b + n) * survival


def expected_purchases(theta: Array, x: Array, n: Array, t: Array) -> Array:
    """Return the expected purchases at the next t opportunities of a customer alive at n (equation 8).

    The sum of survival is (delta+n) (1 - exp(-fall)) / (gamma-1), exp(-fall) = B(gamma-1, delta+n+1+t) /
    B(gamma-1, delta+n+1). As a mean of digamma differences, fall / (gamma-1) is exact around gamma = 1, too.
    """
    a, b, g, d = np.moveaxis(theta, -1, 0)
    z, h = d + n + 1.0, g - 1.0
    near = np.abs(h) <= NEAR * z
    step = np.where(near, h, 0.0)[..., None] * (0.5 + SLOPE_NODES)
    slope = digamma_difference(z[..., None] + step, np.asarray(t, float)[..., None]) @ SLOPE_WEIGHTS
    few = np.asarray(t < np.abs(h))
    small, end = np.where(few, t, h), np.where(few, z + h, z + t)
    ratio = log_gamma_ratio(end, small) - log_gamma_ratio(z, small)
    fall = np.where(near, slope * h, ratio)
    total = np.where(near, slope * special.exprel(-fall), -np.expm1(-fall) / np.where(near, 1.0, h))
    return np.asarray((a + x) / (a + b + n) * (d + n) * total)


def pmf(theta: Array, x: Array, n: Array, t: Array, k: Array) -> Array:
    """Return P(k purchases at the next t opportunities) of a customer alive at n (equation 9, posterior parameters).

    They stay for all t, or leave after i = k, ..., t - 1 of them; the terms follow from each other.
    """
    a, b, g, d = np.moveaxis(theta, -1, 0)
    a, b, d = a + x, b + (n - x), d + n  # in this order: b may be next to nothing
    t, k = np.asarray(t, float), np.asarray(k, float)
    chosen = np.minimum(k, t)
    missed = t - chosen
    bought = log_gamma_ratio(a, chosen) - log_gamma_ratio(a + b, chosen)
    ways = log_gamma_ratio(missed + 1.0, chosen) - special.gammaln(chosen + 1.0)
    total = ways + bought + _log_beta_ratio(a + chosen, b, missed) + _log_beta_ratio(g, d, t)
    term = bought + _log_beta_ratio(g, d, chosen) + np.log(g) - np.log(g + d + chosen)
    for more in range(int(np.max(missed, initial=0.0))):
        total = np.where(more < missed, np.logaddexp(total, term), total)
        i = chosen + more
        term = term + np.log((i + 1.0) / (more + 1.0) * (b + more) / (a + b + i) * (d + i) / (g + d + i + 1.0))
    return np.where(k <= t, np.exp(total), 0.0)


def simulate(theta: Array, x: Array, n: Array, duration: Array, generator: np.random.Generator) -> Events:
    """Draw what customers who are alive at n do at the opportunities within their duration."""
    a, b, g, d = np.moveaxis(theta, -1, 0)
    ahead = np.floor(duration)
    buys, leaves = generator.beta(a + x, b + (n - x)), generator.beta(g, d + n)
    with np.errstate(divide="ignore", over="ignore"):  # who hardly ever leaves
        stays = np.floor(generator.standard_exponential(len(ahead)) / -np.log1p(-leaves))
    stayed = np.minimum(stays, ahead)
    number = stayed.astype(np.int64)
    customer = np.repeat(np.arange(len(number)), number)
    time = np.arange(len(customer)) - np.repeat(np.cumsum(number) - number, number) + 1.0
    bought = generator.random(len(customer)) < buys[customer]
    return Events(customer[bought], time[bought], stayed, stays >= ahead)


def compiled_sums() -> CompiledSums:
    """Return the functions of the kernel."""
    from clvmodels.models.kernels import bg_bb as kernel

    return CompiledSums(kernel.count_sums, kernel.history_sums, row_sums=kernel.row_sums)


def _own_law(theta: Array, x: Array, n: Array) -> tuple[Array, Array]:
    """Return the parameters of the beta distribution of the chances of customers who are alive: alpha+x, beta+n-x."""
    return theta[..., 0] + x, theta[..., 1] + (n - x)


def own_mean(theta: Array, x: Array, t_x: Array, n: Array) -> Array:  # noqa: ARG001
    """Return the mean chance to buy of customers with a history who are alive."""
    a, b = _own_law(theta, x, n)
    return np.asarray(a / (a + b))


def own_at_most(theta: Array, x: Array, t_x: Array, n: Array, rate: Array) -> Array:  # noqa: ARG001
    """Return the probability that the own chance of such a customer is at most `rate`."""
    return np.asarray(special.betainc(*_own_law(theta, x, n), np.clip(rate, 0.0, 1.0)))


BG_BB = TransactionModel(
    key="bg_bb",
    name="BG/BB",
    public_name="BGBB",
    source="Fader, Hardie & Shang (2010), Marketing Science 29(6)",
    parameters=(Parameter("alpha"), Parameter("beta"), Parameter("gamma"), Parameter("delta")),
    example={"alpha": 1.204, "beta": 0.750, "gamma": 0.657, "delta": 2.783},
    starts=((1.0, 1.0, 1.0, 3.0), (0.5, 1.0, 0.5, 3.0), (2.0, 1.0, 1.0, 8.0), (0.3, 3.0, 0.3, 3.0)),
    statistics=("x", "t_x", "n"),
    time="periods",
    smooth=True,
    count_terms=count_terms,
    history_terms=history_terms,
    p_alive=p_alive,
    future=future,
    expected_purchases=expected_purchases,
    pmf=pmf,
    own_rates=OwnRates(own_mean, own_at_most),
    simulate=simulate,
    mean_purchase_rate=lambda theta: theta[..., 0] / (theta[..., 0] + theta[..., 1]),
    tail="gamma",
    quantities=QUANTITIES,
    from_quantities=from_quantities,
    to_quantities=to_quantities,
    limits=LIMITS,
    in_words=lambda _: IN_WORDS,
    story=__doc__ or "",
    effects={"purchase": (("alpha", 1),), "dropout": (("gamma", 1),)},
    kernel=Kernel(count_terms, history_terms, compiled_sums),
)
