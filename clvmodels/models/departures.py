"""What a model says of customers who are known to have left: when they did, and what they would be like if they return.

A customer who left has shown that they leave. They are not worth what those are worth who are still there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clvmodels.models.kernel import Array

__all__ = ["Departures"]


@dataclass(frozen=True)
class Departures:
    """Customers known to have left. The rules broadcast theta's other axes against the histories.

    Attributes
    ----------
    log_density
        ``(theta, x, t)``: log of the density, up to a constant, of the time t in [t_x, T] at which a customer with x
        repeat purchases left, given that they have left by T. None: they leave at purchases, and left at t_x.
    state
        ``(theta, x, t) -> (theta, x, T)``: parameters, purchases and age of a customer who is alive and whose future is
        that of a customer who was about to leave at t, and stays.
    from_purchase
        The first repeat purchase after which they may leave, if they leave at purchases: who bought less has not left.
    """

    log_density: Callable[[Array, Array, Array], Array] | None
    state: Callable[[Array, Array, Array], tuple[Array, Array, Array]]
    from_purchase: int = 0

    @property
    def at_purchases(self) -> bool:
        """Whether customers leave at purchases: one who is about to leave buys at that time."""
        return self.log_density is None
