"""What is asked of a fit of transactions about each customer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from clvmodels.arguments import abridged, as_number
from clvmodels.errors import FitError
from clvmodels.models.derived import pmf, purchases, survive
from clvmodels.models.specification import Array, TransactionModel
from clvmodels.models.stages import ConditionalOnAlive

__all__ = ["Estimand", "expected_purchases", "probability_alive", "probability_of_purchases"]

_MOST_PURCHASES: Final = 1e9


@dataclass(frozen=True)
class Estimand:
    """What is asked about each customer.

    Attributes
    ----------
    given
        What has to be known of customers who are alive; None if nothing.
    answer
        ``(alive, future)``: the answer from P(alive), shape (rows, draws), and `given`, shape (rows, draws, outputs).
    """

    given: ConditionalOnAlive | None
    answer: Callable[[Array, Array], Array]


def expected_purchases(model: TransactionModel, t: float) -> Estimand:
    """Ask for E[X(T, T + t]]."""
    return Estimand(purchases(model, t), lambda alive, future: alive * future[..., 0])


def probability_alive(model: TransactionModel, t: float) -> Estimand:
    """Ask for P(alive at T + t)."""
    if t == 0.0:
        return Estimand(None, lambda alive, _: alive)
    return Estimand(survive(model, t), lambda alive, future: alive * future[..., 0])


def probability_of_purchases(model: TransactionModel, t: float, n: float) -> Estimand:
    """Ask for P(X(T, T + t] = n).

    Raises
    ------
    FitError
        If `n` is not a whole number from zero up.
    """
    number = as_number(n)
    if not number.is_integer() or not 0.0 <= number <= _MOST_PURCHASES:
        raise FitError(f"n is a number of purchases, 0, 1, 2, ..., got {abridged(n)}")
    n = number
    if t == 0.0:
        return Estimand(None, lambda alive, _: np.full(alive.shape, float(n == 0)))
    return Estimand(pmf(model, t, float(n)), lambda alive, future: alive * future[..., 0] + (1.0 - alive) * (n == 0))
