"""The price of a budget: each customer gets the action with the highest gain less the price times its cost.

Source: Everett (1963), Operations Research 11(3); the bound is that of linear programming, since its dual is the
minimum over the price of what all customers bring at it, plus the price times the budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Actions", "Totals", "Upgrades", "filled", "price_of_budget"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

ROUNDS: Final = 200
"""Of bisection, at most: until the price has no digit left to change."""


@dataclass(frozen=True)
class Totals:
    """What customers bring at a price.

    Attributes
    ----------
    gain, cost
        Of the actions chosen.
    surplus
        Gain less price times cost, summed.
    """

    gain: float
    cost: float
    surplus: float


@dataclass(frozen=True, eq=False)
class Upgrades:
    """Other actions that bring more than those chosen, the best per unit of money first; shape (upgrades,) each.

    Attributes
    ----------
    customer, action, instead
        The customer, the action, and the one chosen so far; -1: none.
    gain, cost
        What they bring and cost beyond it.
    """

    customer: Index
    action: Index
    instead: Index
    gain: Array
    cost: Array


class Actions(Protocol):
    """Customers and what can be done with them, in memory or in an engine."""

    def at(self, price: float) -> Totals:
        """Return what customers bring at a price."""

    @property
    def highest_price(self) -> float:
        """A price at which no action that costs anything is chosen."""


def price_of_budget(actions: Actions, budget: float) -> float:
    """Return the lowest price, but for rounding, at which the actions chosen cost no more than the budget."""
    if actions.at(0.0).cost <= budget:
        return 0.0
    low, high = 0.0, actions.highest_price
    for _ in range(ROUNDS):
        middle = (low + high) / 2.0
        if middle in (low, high):
            break
        if actions.at(middle).cost > budget:
            low = middle
        else:
            high = middle
    return high


def filled(upgrades: Upgrades, left: float, room: Array) -> Index:
    """Return the positions of upgrades that use what is left of a budget, one a customer.

    Parameters
    ----------
    upgrades
        Sorted, the best per unit of money first.
    left
        Of the budget.
    room
        How many more customers each action can take, shape (actions,).
    """
    taken, of_customers, room = [], set(), room.copy()
    for position in range(len(upgrades.customer)):
        customer, action, instead = (
            int(part[position]) for part in (upgrades.customer, upgrades.action, upgrades.instead)
        )
        if upgrades.cost[position] > left or customer in of_customers or room[action] < 1.0:
            continue
        left -= float(upgrades.cost[position])
        room[action] -= 1.0
        if instead >= 0:
            room[instead] += 1.0
        of_customers.add(customer)
        taken.append(position)
    return np.array(taken, np.int64)
