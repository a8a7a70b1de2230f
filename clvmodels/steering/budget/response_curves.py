"""Channels whose response saturates: a budget is divided so that the last unit of money brings the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from clvmodels.arguments import as_number
from clvmodels.errors import DataError

__all__ = ["ChannelBudget", "divide_budget", "response"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ChannelBudget:
    """A budget divided among channels.

    Attributes
    ----------
    spend
        By channel, shape (channels,).
    value
        What all channels bring.
    marginal_value
        What one more unit of money would bring, in whichever channel is used.
    """

    spend: Array
    value: float
    marginal_value: float


def response(spend: ArrayLike, most: ArrayLike, scale: ArrayLike) -> Array:
    """Return what spending brings: M (1 - exp(-x / scale)).

    Examples
    --------
    >>> response([0.0, 40_000.0], 200_000.0, 40_000.0).round(2)
    array([     0.  , 126424.11])
    """
    return np.asarray(-np.asarray(most) * np.expm1(-np.asarray(spend) / np.asarray(scale)))


def divide_budget(most: Sequence[float], scale: Sequence[float], budget: float) -> ChannelBudget:
    """Return the division of a budget among channels with responses M (1 - exp(-x / scale)) that brings most.

    Parameters
    ----------
    most
        M of each channel: what it brings at most.
    scale
        The money that brings 63 % of it.
    budget
        In money.

    Raises
    ------
    DataError
        If a number is not positive, or the lengths differ.

    Examples
    --------
    >>> divided = divide_budget([200_000, 120_000, 60_000], [40_000, 25_000, 10_000], 60_000)
    >>> divided.spend.round(1), round(divided.value, 2), round(divided.marginal_value, 6)
    (array([31571.9, 18711.9,  9716.2]), 209688.65, 2.270818)
    """
    M, s = np.asarray(most, np.float64), np.asarray(scale, np.float64)
    numbers: list[Any] = [*M.ravel(), *s.ravel(), budget]
    if M.ndim != 1 or M.shape != s.shape or not all(0.0 < as_number(each) < np.inf for each in numbers):
        raise DataError("most and scale have a positive number for each channel, and so is budget")

    def spent(price: float) -> Array:
        """At this marginal value each channel spends scale log(M / (scale price)), or nothing."""
        return np.maximum(s * np.log(M / s / price), 0.0)

    highest = float((M / s).max())
    # the channel with the highest marginal value alone would spend the budget at this fall of its log
    end = (1.0 + 1e-9) * budget / float(s[np.argmax(M / s)])
    fall = brentq(lambda fall: float(spent(highest * np.exp(-fall)).sum()) - budget, 0.0, end, xtol=1e-14, rtol=1e-14)
    price = highest * float(np.exp(-fall))
    spend = spent(price)
    return ChannelBudget(spend, float(response(spend, M, s).sum()), price)
