"""Payments that are known: what a customer pays each time is stated, and never varies.

It is the place of a model of spend in a valuation where there is nothing to be fitted, such as the price of a contract.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clvmodels.models.differences import no_terms
from clvmodels.models.specification import Array, Parameter, SpendModel

__all__ = ["PAYMENT"]


def expected_spend(theta: Array, stated: Array, payment: Array) -> Array:
    """Return each customer's payment; where it is not stated, as of those still to come, that of the population."""
    return np.where((np.asarray(stated) > 0.0) & (np.asarray(payment) >= 0.0), payment, theta[..., 0])


def draw_orders(
    theta: Array,
    stated: Array,
    payment: Array,
    owner: NDArray[np.int64],
    generator: np.random.Generator,  # noqa: ARG001 - nothing is left to chance
) -> Array:
    """Return the payments of the owners."""
    return expected_spend(theta, stated, payment)[owner]


PAYMENT = SpendModel(
    key="payment",
    name="Payment",
    public_name="Payment",
    source="",
    parameters=(Parameter("payment", "money"),),
    example={"payment": 100.0},
    starts=((1.0,),),
    count_terms=no_terms,
    history_terms=lambda theta, x, payment: no_terms(theta, np.broadcast_arrays(x, payment)[0]),
    expected_spend=expected_spend,
    draw_orders=draw_orders,
    state=("stated", "mean"),
)
