"""Costs and policies on the CDNOW cohort: figures recomputed from the published parameters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.valuation.scenarios import contact_policy


@pytest.fixture(scope="module")
def costly(book):
    return book.with_assumptions(book.assumptions.replace({"order_cost": 1.50, "maintenance_cost": 1.00}))


def test_cost_figures(costly):
    lines = costly.statement_lines["value"]
    assert lines["order_cost"] == pytest.approx(-144_722, abs=1)
    assert lines["maintenance_cost"] == pytest.approx(-43_445, abs=1)
    assert costly.equity == pytest.approx(912_466, abs=1)


def test_contact_policy(book):
    terms = book.assumptions.replace({"order_cost": 1.50, "contact_cost": 5.0})
    policy = contact_policy(book.with_assumptions(terms))
    assert policy.loc["all", "contact_years"] == pytest.approx(168_572, abs=1)
    assert policy.loc["all", "equity"] == pytest.approx(113_049, abs=2)
    assert policy.loc["worth it", "contacted"] == pytest.approx(5_420, abs=1)
    assert policy.loc["worth it", "equity"] == pytest.approx(633_061, abs=2)
    assert policy.loc["none", "others"] == pytest.approx(1_100_633 - 144_722, abs=2)


def test_scenarios_equal_a_full_revaluation(book, orders, spend, cohort):
    table = clv.scenarios(book, {"costs": {"order_cost": 1.5}, "rate": {"discount_rate": 0.1}, "both": {"margin": 0.2}})
    for name, change in (("costs", {"order_cost": 1.5}), ("rate", {"discount_rate": 0.1}), ("both", {"margin": 0.2})):
        whole = clv.value(orders, spend, cohort, book.assumptions.replace(change))
        assert table.loc[name, "equity"] == pytest.approx(whole.equity, rel=1e-10)
        assert table.loc[name, "unprofitable"] == (whole.rlv < 0).sum()


def test_without_costs_the_statement_is_gross_equity(book):
    by = (book.histories.frequency > 0).astype(int)
    table = book.statement(pd.Series(by, book.histories.customer_id, name="repeat"))
    total = table.loc["total"]
    assert total["equity"] == pytest.approx(book.equity, rel=1e-12)
    assert table.loc[0, "equity"] == pytest.approx(book.rlv[by == 0].sum(), rel=1e-12)
    assert total["contribution_margin"] == total["equity"]
    assert total["living_customers"] == pytest.approx(10_365.4, abs=0.05)
    assert total["discounted_orders"] == pytest.approx(book.future.D.sum(), rel=1e-12)
    assert total["living_years"] == pytest.approx(book.future.L.sum(), rel=1e-12)
    shares = total[[f"share_{years}" for years in (1, 3, 5, 10)]].to_numpy(dtype=float)
    np.testing.assert_allclose(shares, book.horizons.loc[[1, 3, 5, 10], "share"], rtol=1e-12)
    np.testing.assert_allclose(
        table.loc[[0, 1]].sum()[["customers", "equity"]], table.loc["total", ["customers", "equity"]]
    )


def test_unprofitable_customers(book):
    """3.00 an order and 5.00 a living year: 14,500 customers (61.5 %) are negative, their sum is -38,552."""
    costly = book.with_assumptions(book.assumptions.replace({"order_cost": 3.0, "maintenance_cost": 5.0}))
    assert costly.equity == pytest.approx(593_965, abs=2)
    customers, equity = costly.unprofitable()
    assert customers == pytest.approx(14_500, abs=1)
    assert customers / len(costly.histories) == pytest.approx(0.615, abs=5e-4)
    assert equity == pytest.approx(-38_552, abs=2)
    assert clv.scenarios(costly, {}).loc["base", "unprofitable"] == customers
