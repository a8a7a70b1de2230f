"""Budgets: near the bound of linear programming, never above it, whoever computes it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

import clvmodels as clv
from clvmodels.errors import DataError

ACTIONS = ("mail", "coupon", "call")


def instance(customers: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Return gains and costs, shape (customers, 3): a coupon also goes to orders made anyway."""
    rng = np.random.default_rng(seed)
    rlv, alive = rng.lognormal(2.2, 1.4, customers), rng.beta(0.6, 0.9, customers)
    orders, spend = rng.gamma(0.5, 2.0, customers) * alive, 35.0 * rng.lognormal(0.0, 0.5, customers)
    response = np.array([0.010, 0.045, 0.09]) * np.exp(-0.5 * orders[:, None]) * rng.lognormal(0.0, 0.4, (customers, 3))
    gain = response * (0.3 * spend + 0.4 * rlv * (1.0 - alive))[:, None]
    gain[:, 1] -= 0.10 * spend * orders
    return gain, np.broadcast_to(np.array([0.05, 0.40, 3.0]), gain.shape)


def tables(gain: np.ndarray, cost: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    ids, actions = np.repeat(np.arange(len(gain)), 3), np.tile(ACTIONS, len(gain))
    keys = {"customer_id": ids, "action": actions}
    return pd.DataFrame(keys | {"gain": gain.ravel()}), pd.DataFrame(keys | {"cost": cost.ravel()})


def program(gain: np.ndarray, cost: np.ndarray, budget: float | None, calls: float | None):
    """Return the objective and the constraints of the linear program."""
    n = len(gain)
    rows, limits = [sparse.kron(sparse.eye_array(n), np.ones((1, 3)))], [np.ones(n)]
    if budget is not None:
        rows.append(sparse.csr_array(cost.reshape(1, -1)))
        limits.append(np.array([budget]))
    if calls is not None:
        rows.append(sparse.csr_array(np.tile([0.0, 0.0, 1.0], n)[None]))
        limits.append(np.array([calls]))
    value = gain - cost if budget is None else gain
    return -value.ravel(), sparse.vstack(rows).tocsr(), np.concatenate(limits)


def bound_by_highs(*of_program: object) -> float:
    objective, matrix, limits = program(*of_program)
    return float(-linprog(objective, A_ub=matrix, b_ub=limits, bounds=(0, 1), method="highs").fun)


@pytest.mark.parametrize(("customers", "budget", "most"), [(2_000, 150.0, 1e-4), (20_000, 1_500.0, 1e-6)])
def test_a_budget(customers: int, budget: float, most: float) -> None:
    gain, cost = instance(customers)
    plan = clv.allocate(*tables(gain, cost), budget=budget)
    if customers == 2_000:  # ten times as many take HiGHS 15 seconds
        assert plan.bound == pytest.approx(bound_by_highs(gain, cost, budget, None), rel=1e-9)
    assert 0.0 <= plan.gap <= most
    assert plan.cost <= budget * (1.0 + 1e-12)
    assert plan.table["customer_id"].is_unique
    assert plan.value == pytest.approx(plan.table["gain"].sum(), rel=1e-12)
    chosen = plan.table["action"].map({name: place for place, name in enumerate(ACTIONS)}).to_numpy()
    assert plan.table["gain"].to_numpy() == pytest.approx(gain[plan.table["customer_id"], chosen], rel=1e-12)


def test_the_shadow_price_is_what_more_money_brings() -> None:
    gain, cost = instance(20_000)
    less, more = (clv.allocate(*tables(gain, cost), budget=budget) for budget in (1_500.0, 1_510.0))
    assert more.value - less.value == pytest.approx(10.0 * less.shadow_price, rel=0.01)
    assert less.shadow_price > 1.0


def test_highest_gain_first_wastes_money() -> None:
    gain, cost = instance(20_000)
    order = np.argsort(-gain.max(axis=1))
    action = gain.argmax(axis=1)[order]
    taken = np.cumsum(cost[order, action]) <= 1_500.0
    assert gain[order, action][taken].sum() < 0.75 * clv.allocate(*tables(gain, cost), budget=1_500.0).value


def test_small_cases_against_the_exact_optimum() -> None:
    for seed in range(20):
        gain, cost = instance(12, seed)
        plan = clv.allocate(*tables(gain, cost), budget=4.0)
        objective, matrix, limits = program(gain, cost, 4.0, None)
        exact = milp(
            objective,
            constraints=LinearConstraint(matrix, -np.inf, limits),
            integrality=np.ones(36),
            bounds=Bounds(0, 1),
        )
        assert plan.value <= -exact.fun + 1e-9 <= plan.bound + 2e-9
        assert plan.bound - plan.value <= gain.max() + 1e-9  # one customer stands between two actions


@pytest.mark.parametrize(("budget", "calls", "most"), [(1_500.0, 40, 1e-4), (None, 40, 1e-9), (600.0, 0, 1e-4)])
def test_a_capacity(budget: float | None, calls: int, most: float) -> None:
    gain, cost = instance(2_000)
    gain = gain * 3.0
    plan = clv.allocate(*tables(gain, cost), budget=budget, capacity={"call": calls})
    best = bound_by_highs(gain, cost, budget, float(calls))
    value = plan.value if budget is not None else plan.value - plan.cost
    assert (plan.table["action"] == "call").sum() <= calls
    assert value <= best * (1.0 + 1e-9)
    assert value >= best * (1.0 - most)
    assert budget is None or plan.cost <= budget * (1.0 + 1e-12)


def test_without_a_budget_what_pays_is_done() -> None:
    gain, cost = instance(1_000)
    plan = clv.allocate(*tables(gain, cost))
    assert plan.value - plan.cost == pytest.approx(np.maximum((gain - cost).max(axis=1), 0.0).sum(), rel=1e-12)
    assert plan.shadow_price == 1.0
    ample = clv.allocate(*tables(gain, cost), budget=1e9)
    assert ample.value == pytest.approx(np.maximum(gain.max(axis=1), 0.0).sum(), rel=1e-12)
    assert ample.shadow_price == 0.0
    assert "customers" in repr(ample)


def test_nothing_is_done_without_money_or_gain() -> None:
    gain, cost = instance(50)
    assert clv.allocate(*tables(gain, cost), budget=0.0).table.empty
    assert clv.allocate(*tables(-np.abs(gain), cost), budget=10.0).value == 0.0


def test_actions_may_be_missing_and_costs_common() -> None:
    gains = pd.DataFrame({"customer_id": ["a", "a", "b"], "action": ["mail", "call", "call"], "gain": [1.0, 9.0, 8.0]})
    costs = pd.DataFrame({"action": ["mail", "call"], "cost": [0.5, 4.0]})
    plan = clv.allocate(gains, costs, budget=4.5)
    assert plan.table.set_index("customer_id")["action"].to_dict() == {"a": "call"}
    both = clv.allocate(gains, costs, budget=8.0)
    assert both.value == 17.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gains": 3}, "gains are a pandas table"),
        ({"costs": pd.DataFrame({"action": ["mail"]})}, "costs are a pandas table"),
        ({"costs": pd.DataFrame({"action": ["mail"], "cost": [-1.0]})}, "no number from 0 up: 'a'"),
        ({"costs": pd.DataFrame({"action": ["call"], "cost": [1.0]})}, "the cost of 1 row is no number"),
        ({"gains": pd.DataFrame({"customer_id": ["a"], "action": ["mail"], "gain": [np.nan]})}, "the gain of 1 row"),
        (
            {"gains": pd.DataFrame({"customer_id": ["a"] * 2, "action": ["mail"] * 2, "gain": [1, 2]})},
            "1 row twice: 'a'",
        ),
        ({"budget": -1}, "budget is a number"),
        ({"capacity": {"male": 3}}, "did you mean 'mail'"),
        ({"capacity": {"mail": -3}}, "capacity of 'mail' is a number"),
    ],
)
def test_what_cannot_be_allocated_is_refused(changes: dict[str, object], message: str) -> None:
    gains = pd.DataFrame({"customer_id": ["a"], "action": ["mail"], "gain": [1.0]})
    arguments = {"gains": gains, "costs": pd.DataFrame({"action": ["mail"], "cost": [0.5]}), "budget": 1.0} | changes
    with pytest.raises(DataError, match=message):
        clv.allocate(arguments.pop("gains"), arguments.pop("costs"), **arguments)
