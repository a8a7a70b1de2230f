"""Whether the first orders of customers belong to the same distribution as their repeat orders.

A question to the data: a first order may be a trial, or come with a voucher; or be as any other, and then it is the
only thing known about the spend of those who bought once. It is asked of the customers who came back, since those who
did not may spend less an order altogether, first or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import optimize, stats

from clvmodels.data.histories import Histories
from clvmodels.data.order_values import with_first_order
from clvmodels.inference.maximum_likelihood import maximise
from clvmodels.inference.observations import observe
from clvmodels.models.specification import Array, SpendModel
from clvmodels.models.spend_family import SpendFamily

__all__ = ["FirstAndRepeats", "FirstOrders", "first_and_repeats", "first_orders", "most_likely", "of_statistics"]

MATERIAL: Final = 0.1
"""First orders whose scale differs by less, as a log, mislead less than they tell; with many customers, any difference
is significant."""
LEVEL: Final = 0.05
FAR: Final = 5.0
"""Logs of scales that are looked at."""


@dataclass(frozen=True)
class FirstOrders:
    """What the data say of first orders, given the fit to repeat orders.

    Attributes
    ----------
    customers
        Customers with a first order and repeat orders of positive value.
    scale
        Maximum-likelihood estimate of how many times as large first orders are as repeat orders of the same customer.
    p_value
        Of the likelihood-ratio test of a scale within 10 % of one, against any other scale (one degree of freedom).
    gain
        By how much the repeat orders of customers raise the log-likelihood of their first ones, at a scale of one.
    """

    customers: int
    scale: float
    p_value: float
    gain: float

    @property
    def belong(self) -> bool:
        """Whether first orders are used: their scale is not rejected, and customers' later orders tell of them."""
        return self.p_value >= LEVEL and self.gain > 0.0

    def __str__(self) -> str:
        kept = "are used" if self.belong else "are left out"
        return (
            f"First orders {kept}: they are {self.scale:.2f} times as large as repeat orders of the same customer (p"
            f" {self.p_value:.2g} of a difference within 10 %, {self.customers:,} customers), and these raise their"
            f" log-likelihood by {self.gain:,.1f}."
        )


@dataclass(frozen=True, eq=False)
class FirstAndRepeats:
    """Customers whose first order and some of whose repeat orders have positive values.

    Attributes
    ----------
    first
        The values of their first orders, shape (n,).
    repeats
        ``valued``, ``valued_mean``, ``log_mean``, ``log_ss`` of their repeat orders, shape (n,) each.
    weight
        Customers with each history, shape (n,).
    """

    first: Array
    repeats: dict[str, Array]
    weight: Array

    @property
    def first_alone(self) -> dict[str, Array]:
        """The statistics of all orders, had customers placed the first alone."""
        return with_first_order(dict.fromkeys(self.repeats, np.zeros(len(self.weight))), self.first)

    @property
    def repeats_alone(self) -> dict[str, Array]:
        """The statistics of all orders, were the first not known."""
        return with_first_order(self.repeats, np.zeros(len(self.weight)))


def first_and_repeats(model: SpendModel, histories: Histories) -> FirstAndRepeats:
    """Return first and repeat orders of the customers whom a model of repeat orders is about."""
    given = histories.attributes.get("first_value")
    first = np.full(len(histories), np.nan) if given is None else given.to_numpy(dtype=np.float64)
    usable = histories.usable(model.statistics)
    chosen = (first > 0.0) & (True if usable is None else usable)
    repeats = {name: histories.statistic(name)[chosen] for name in ("valued", "valued_mean", "log_mean", "log_ss")}
    weight = np.ones(int(chosen.sum())) if histories.weight is None else histories.weight[chosen]
    return FirstAndRepeats(first[chosen], repeats, weight)


def most_likely(model: SpendModel, histories: Histories) -> Array:
    """Return the parameters of highest likelihood, shape (parameters,)."""
    observations = observe(model, histories)
    optimum = maximise(model, observations)
    return np.asarray(model.lower + np.exp(optimum.psi) * model.units(money=observations.money))


def first_orders(family: SpendFamily, histories: Histories) -> FirstOrders:
    """Return what the data say of first orders.

    Parameters
    ----------
    family
        The model, which is fitted to repeat orders.
    histories
        The customers, made from a log with values.

    Examples
    --------
    >>> import clvmodels as clv
    >>> from clvmodels.models.registry import SPEND_FAMILIES
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> rfm = clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end="1997-09-30")
    >>> first_orders(SPEND_FAMILIES[0], rfm).belong
    True
    """
    model = family.orders
    known = first_and_repeats(model, histories)
    if not len(known.first):
        return FirstOrders(0, np.nan, 0.0, 0.0)
    theta = most_likely(model, histories)

    def log_likelihood(log_scale: float) -> float:
        """Of first orders that are this many times as large, given the others."""
        both = with_first_order(known.repeats, known.first * np.exp(-log_scale))
        return float(
            known.weight @ (model.log_likelihood(theta, *of_statistics(family.first, both)) - log_scale - alone)
        )

    alone = model.log_likelihood(theta, *of_statistics(model, known.repeats))
    best = optimize.minimize_scalar(lambda log_scale: -log_likelihood(log_scale), bounds=(-FAR, FAR), method="bounded")
    within = log_likelihood(float(np.clip(best.x, -MATERIAL, MATERIAL)))
    by_themselves = model.log_likelihood(theta, *of_statistics(family.first, known.first_alone))
    return FirstOrders(
        customers=int(known.weight.sum()),
        scale=float(np.exp(best.x)),
        p_value=float(stats.chi2.sf(2.0 * max(-best.fun - within, 0.0), 1)),
        gain=log_likelihood(0.0) - float(known.weight @ by_themselves),
    )


def of_statistics(model: SpendModel, columns: dict[str, Array]) -> list[Array]:
    """Return the columns of the likelihood of a model, in its order."""
    return [columns[name] for name in model.statistics]
