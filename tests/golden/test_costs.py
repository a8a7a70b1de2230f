"""Costs and policies on the CDNOW cohort: figures recomputed from the published parameters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.valuation.scenarios import contact_policy


@pytest.fixture(scope="module")
def costly(book):
    return book.under(book.terms.changed({"order_cost": 1.50, "maintenance_cost": 1.00}))


def test_cost_figures(book, costly):
    lines = costly.statement_lines["value"]
    assert lines["order_cost"] == pytest.approx(-144_722, abs=1)
    assert lines["maintenance_cost"] == pytest.approx(-43_445, abs=1)
    assert costly.equity == pytest.approx(912_466, abs=1)
    dear = book.under(book.terms.changed({"order_cost": 3.0, "maintenance_cost": 5.0}))
    assert dear.equity == pytest.approx(593_965, abs=1)
    assert (dear.rlv < 0).sum() == pytest.approx(14_500, abs=1)
    assert dear.rlv[dear.rlv < 0].sum() == pytest.approx(-38_552, abs=1)


def test_contact_policy(book):
    terms = book.terms.changed({"order_cost": 1.50, "contact_cost": 5.0})
    policy = contact_policy(book.under(terms))
    assert policy.loc["all", "contact_years"] == pytest.approx(168_572, abs=1)
    assert policy.loc["all", "equity"] == pytest.approx(113_049, abs=2)
    assert policy.loc["worth it", "contacted"] == pytest.approx(5_420, abs=1)
    assert policy.loc["worth it", "equity"] == pytest.approx(633_061, abs=2)
    assert policy.loc["none", "others"] == pytest.approx(1_100_633 - 144_722, abs=2)


def test_scenarios_equal_a_full_revaluation(book, orders, spend, cohort):
    table = clv.scenarios(book, {"costs": {"order_cost": 1.5}, "rate": {"discount_rate": 0.1}, "both": {"margin": 0.2}})
    for name, change in (("costs", {"order_cost": 1.5}), ("rate", {"discount_rate": 0.1}), ("both", {"margin": 0.2})):
        whole = clv.value(orders, spend, cohort, book.terms.changed(change))
        assert table.loc[name, "equity"] == pytest.approx(whole.equity, rel=1e-10)
        assert table.loc[name, "unprofitable"] == (whole.rlv < 0).sum()


def test_without_costs_the_statement_is_gross_equity(book):
    by = (book.histories.frequency > 0).astype(int)
    table = book.statement(pd.Series(by, book.histories.customer_id, name="repeat"))
    assert table.loc["total", "equity"] == pytest.approx(1_100_633, abs=1)
    assert table.loc[0, "equity"] == pytest.approx(53_086, abs=20)
    assert table.loc["total", "contribution_margin"] == table.loc["total", "equity"]
    assert table.loc["total", "living_customers"] == pytest.approx(10_365.4, abs=0.05)
    assert table.loc["total", "discounted_orders"] == pytest.approx(96_481, abs=0.5)
    assert table.loc["total", "living_years"] == pytest.approx(43_445, abs=0.5)
    np.testing.assert_allclose(
        [100 * table.loc["total", f"share_{years}"] for years in (1, 3, 5, 10)], [20.1, 46.3, 62.8, 84.1], atol=0.051
    )
    np.testing.assert_allclose(
        table.loc[[0, 1]].sum()[["customers", "equity"]], table.loc["total", ["customers", "equity"]]
    )
