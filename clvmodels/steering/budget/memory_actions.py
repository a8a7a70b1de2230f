"""Customers and actions in memory: a row for each customer, a column for each action."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clvmodels.steering.budget.multiplier import Totals, Upgrades

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MemoryActions"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class MemoryActions:
    """Gains and costs of customers in memory.

    Attributes
    ----------
    customers, actions
        Their ids and names.
    gain, cost
        Shape (customers, actions); the gain is minus infinity where an action is not to be had.
    surcharge
        What an action costs beyond its price, for a capacity that is short, shape (actions,).
    """

    customers: pd.Index[Any]
    actions: tuple[str, ...]
    gain: Array
    cost: Array
    surcharge: Array

    def chosen(self, price: float) -> Index:
        """Return the action of each customer, -1 for none; of equal ones the cheaper, shape (customers,)."""
        surplus = self.gain - price * self.cost - self.surcharge
        best = surplus.argmax(axis=1)
        highest = surplus[np.arange(len(best)), best]
        return np.where(highest > 0.0, best, -1)

    def sums(self, chosen: Index) -> tuple[float, float]:
        """Return gain and cost of actions chosen."""
        rows = np.flatnonzero(chosen >= 0)
        return float(self.gain[rows, chosen[rows]].sum()), float(self.cost[rows, chosen[rows]].sum())

    def at(self, price: float) -> Totals:
        """Return what customers bring at a price."""
        chosen = self.chosen(price)
        rows = np.flatnonzero(chosen >= 0)
        gain, cost = self.sums(chosen)
        return Totals(gain, cost, gain - price * cost - float(self.surcharge[chosen[rows]].sum()))

    @property
    def highest_price(self) -> float:
        """The highest gain per unit of money: above it nothing is chosen that costs anything."""
        costly = (self.cost > 0.0) & (self.gain > 0.0)
        return 1.000001 * float((self.gain[costly] / self.cost[costly]).max(initial=0.0))

    def upgrades(self, chosen: Index, left: float) -> Upgrades:
        """Return what brings more than the actions chosen and costs no more than what is left beyond them."""
        rows, none = np.arange(len(chosen)), chosen < 0
        gain = self.gain - np.where(none, 0.0, self.gain[rows, chosen])[:, None]
        cost = self.cost - np.where(none, 0.0, self.cost[rows, chosen])[:, None]
        customer, action = np.nonzero((gain > 0.0) & (cost <= left))
        gain, cost = gain[customer, action], cost[customer, action]
        order = np.lexsort((customer, -gain / np.maximum(cost, 1e-300) if np.isfinite(left) else -gain))
        customer, action = customer[order], action[order]
        return Upgrades(customer, action, chosen[customer], gain[order], cost[order])
