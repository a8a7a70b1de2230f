"""Whom to contact with what, under a budget and capacities, and what one more unit of money would bring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.arguments import abridged, as_number, require_mapping
from clvmodels.data.columns import count, examples
from clvmodels.errors import DataError, one_of
from clvmodels.steering.budget.capacities import prices_of_capacities
from clvmodels.steering.budget.memory_actions import MemoryActions
from clvmodels.steering.budget.multiplier import filled, price_of_budget

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Allocation", "allocate"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

ROUNDING: Final = 1e-12
"""Share of the budget: costs are summed with an error of this order, and 0.05 left is to pay for an action of 0.05."""


@dataclass(frozen=True, eq=False, repr=False)
class Allocation:
    """The actions chosen; made by `allocate`.

    Attributes
    ----------
    table
        customer_id, action, gain, cost of the customers with an action.
    value, cost
        Sums of gain and cost.
    bound
        What no choice under this budget and these capacities can exceed.
    shadow_price
        What one more unit of money would bring; 0 if the budget is not used up.
    capacity_prices
        What room for one more customer would bring, by action.
    """

    table: pd.DataFrame
    value: float
    cost: float
    bound: float
    shadow_price: float
    capacity_prices: Mapping[str, float]

    @property
    def gap(self) -> float:
        """How far the value may lie below the best one, as a share of the bound."""
        return (self.bound - self.value) / self.bound if self.bound > 0.0 else 0.0

    def __repr__(self) -> str:
        return (
            f"<Allocation: {len(self.table):,} customers, gain {self.value:,.2f}, cost {self.cost:,.2f}; at most"
            f" {self.bound:,.2f}; one more unit of money brings {self.shadow_price:.2f}>"
        )


def allocate(
    gains: pd.DataFrame,
    costs: pd.DataFrame,
    *,
    budget: float | None = None,
    capacity: Mapping[str, float] | None = None,
) -> Allocation:
    """Choose one action or none for each customer, so that the gains are highest under a budget and capacities.

    Parameters
    ----------
    gains
        customer_id, action, gain: what an action brings before its cost; a discount on orders that customers would have
        made anyway is to be taken off.
    costs
        customer_id, action, cost; or action, cost, the same for all customers.
    budget
        What all actions together may cost; None: actions are chosen whose gain exceeds their cost.
    capacity
        How many customers an action can take at most, by action.

    Returns
    -------
    Allocation
        With the bound of linear programming, and the price of the budget.

    Raises
    ------
    DataError
        If a column is missing, a number is missing or infinite, a cost is negative or not given, a customer has an
        action twice, or budget or capacity is no number from 0 up.

    Notes
    -----
    With a budget alone, the price of money is found by bisection; with capacities, prices come from linear programming.
    Each customer gets the action with the highest gain less prices; what is left of the budget goes to the best
    upgrades per unit of money.

    Examples
    --------
    >>> import pandas as pd
    >>> gains = pd.DataFrame({"customer_id": ["A", "A", "B"], "action": ["mail", "call", "mail"], "gain": [1, 9, 2]})
    >>> costs = pd.DataFrame({"action": ["mail", "call"], "cost": [0.5, 4.0]})
    >>> clv.allocate(gains, costs, budget=1.0)
    <Allocation: 2 customers, gain 3.00, cost 1.00; at most 3.12; one more unit of money brings 2.25>
    """
    limit = np.inf if budget is None else _amount("budget", budget)
    actions = _actions(gains, costs)
    room = _room(actions.actions, capacity)
    actions = replace(actions, gain=np.where(room < 1.0, -np.inf, actions.gain))
    least_price = 1.0 if budget is None else 0.0
    net = actions.gain - least_price * actions.cost
    if np.isfinite(room).any():
        price, surcharge, _ = prices_of_capacities(net, actions.cost, limit, room)
        actions, price = replace(actions, surcharge=surcharge), price + least_price
        chosen = _within(actions, actions.chosen(price), limit, room)
    else:
        price = least_price if budget is None else price_of_budget(actions, limit)
        chosen = actions.chosen(price)
    bound = _bound(actions, price, budget, room)
    chosen = _topped_up(replace(actions, gain=net), chosen, limit, room)
    gain, cost = actions.sums(chosen)
    prices = dict(zip(actions.actions, actions.surcharge.tolist(), strict=True))
    return Allocation(_table(actions, chosen), gain, cost, bound, price, prices)


def _amount(name: str, value: object) -> float:
    number = as_number(value)
    if not 0.0 <= number < np.inf:
        raise DataError(f"{name} is a number from 0 up, got {abridged(value)}")
    return number


def _room(actions: tuple[str, ...], capacity: Mapping[str, float] | None) -> Array:
    room = np.full(len(actions), np.inf)
    for action, number in require_mapping("capacity", capacity or {}, "{'call': 500}", DataError).items():
        if action not in actions:
            raise DataError(one_of("action", action, actions))
        room[actions.index(action)] = _amount(f"capacity of {action!r}", number)
    return room


def _actions(gains: pd.DataFrame, costs: pd.DataFrame) -> MemoryActions:
    import pandas as pd

    for what, table, columns in (
        ("gains", gains, ("customer_id", "action", "gain")),
        ("costs", costs, ("action", "cost")),
    ):
        given: object = table
        if not isinstance(given, pd.DataFrame) or any(each not in given for each in columns):
            raise DataError(f"{what} are a pandas table with {', '.join(columns)}, got {abridged(table)}")
    keys = [key for key in ("customer_id", "action") if key in costs]
    for what, table, key in (("gains", gains, ["customer_id", "action"]), ("costs", costs, keys)):
        twice = table.duplicated(key)
        if twice.any():
            raise DataError(f"{what} have {count(int(twice.sum()), 'row')} twice: {examples(table.loc[twice, key[0]])}")
    both = gains[["customer_id", "action", "gain"]].merge(costs[[*keys, "cost"]], on=keys, how="left")
    _require_numbers(both)
    customers, actions = pd.Index(both["customer_id"].unique()), pd.Index(both["action"].unique())
    place = customers.get_indexer(both["customer_id"]), actions.get_indexer(both["action"])
    gain, cost = np.full((len(customers), len(actions)), -np.inf), np.zeros((len(customers), len(actions)))
    gain[place], cost[place] = both["gain"], both["cost"]
    return MemoryActions(customers, tuple(map(str, actions)), gain, cost, np.zeros(len(actions)))


def _require_numbers(both: pd.DataFrame) -> None:
    for column, low in (("gain", -np.inf), ("cost", 0.0)):
        numbers = both[column].astype(float).to_numpy()
        wrong = ~np.isfinite(numbers) | (numbers < low)
        if wrong.any():
            ids = both.loc[wrong, "customer_id"]
            least = " from 0 up" if low == 0.0 else ""
            raise DataError(f"the {column} of {count(int(wrong.sum()), 'row')} is no number{least}: {examples(ids)}")


def _within(actions: MemoryActions, chosen: Index, budget: float, room: Array) -> Index:
    """Return the choice with those actions taken back that exceed a capacity or the budget, the least gain first.

    At the prices of linear programming, few customers stand between two actions.
    """
    chosen = chosen.copy()
    for action in np.flatnonzero(np.isfinite(room)):
        rows = np.flatnonzero(chosen == action)
        surplus = actions.gain[rows, action]
        chosen[rows[np.argsort(-surplus, kind="stable")[int(room[action]) :]]] = -1
    rows = np.flatnonzero(chosen >= 0)
    gain, cost = actions.gain[rows, chosen[rows]], actions.cost[rows, chosen[rows]]
    order = np.argsort(-gain / np.maximum(cost, 1e-300), kind="stable")
    chosen[rows[order[np.cumsum(cost[order]) > budget]]] = -1
    return chosen


def _topped_up(actions: MemoryActions, chosen: Index, budget: float, room: Array) -> Index:
    """Return the choice with what is left of the budget spent on the best upgrades."""
    left = max(budget - actions.sums(chosen)[1], 0.0)
    left += ROUNDING * budget if np.isfinite(budget) else 0.0
    used = np.bincount(chosen[chosen >= 0], minlength=len(room))
    upgrades = actions.upgrades(chosen, left)
    rows = filled(upgrades, left, room - used)
    chosen = chosen.copy()
    chosen[upgrades.customer[rows]] = upgrades.action[rows]
    return chosen


def _bound(actions: MemoryActions, price: float, budget: float | None, room: Array) -> float:
    """Return the value of the dual at these prices: no choice brings more."""
    limited = np.isfinite(room)
    of_room = float(actions.surcharge[limited] @ room[limited])
    totals = actions.at(price)
    if budget is None:
        return totals.surplus + of_room + price * totals.cost
    return totals.surplus + of_room + price * budget


def _table(actions: MemoryActions, chosen: Index) -> pd.DataFrame:
    import pandas as pd

    rows = np.flatnonzero(chosen >= 0)
    columns: dict[str, Any] = {
        "customer_id": actions.customers[rows],
        "action": np.array(actions.actions, object)[chosen[rows]],
        "gain": actions.gain[rows, chosen[rows]],
        "cost": actions.cost[rows, chosen[rows]],
    }
    return pd.DataFrame(columns)
