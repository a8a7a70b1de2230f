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

__all__ = ["FirstOrders", "first_orders"]

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
    observations = observe(model, histories)
    units = model.units(money=observations.money)
    theta = model.lower + np.exp(maximise(model, observations).psi) * units
    first = histories.attributes.get("first_value")
    value = np.full(len(histories), np.nan) if first is None else first.to_numpy(dtype=np.float64)
    usable = histories.usable(model.statistics)
    chosen = (value > 0.0) & (True if usable is None else usable)
    if not chosen.any():
        return FirstOrders(0, np.nan, 0.0, 0.0)
    columns = {name: histories.statistic(name)[chosen] for name in ("valued", "valued_mean", "log_mean", "log_ss")}
    weight = np.ones(int(chosen.sum())) if histories.weight is None else histories.weight[chosen]

    def log_likelihood(log_scale: float) -> float:
        """Of first orders that are this many times as large, given the others."""
        both = with_first_order(columns, value[chosen] * np.exp(-log_scale))
        return float(weight @ (model.log_likelihood(theta, *_of(family.first, both)) - log_scale - alone))

    alone = model.log_likelihood(theta, *_of(model, columns))
    best = optimize.minimize_scalar(lambda log_scale: -log_likelihood(log_scale), bounds=(-FAR, FAR), method="bounded")
    within = log_likelihood(float(np.clip(best.x, -MATERIAL, MATERIAL)))
    nobody = dict.fromkeys(columns, np.zeros(len(weight)))
    by_themselves = model.log_likelihood(theta, *_of(family.first, with_first_order(nobody, value[chosen])))
    return FirstOrders(
        customers=int(weight.sum()),
        scale=float(np.exp(best.x)),
        p_value=float(stats.chi2.sf(2.0 * max(-best.fun - within, 0.0), 1)),
        gain=log_likelihood(0.0) - float(weight @ by_themselves),
    )


def _of(model: SpendModel, columns: dict[str, Array]) -> list[Array]:
    return [columns[name] for name in model.statistics]
