"""Whether histories were made as models take them: all orders are counted, and those who bought once are there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.evaluation.findings import Finding, not_checked, verdict_of
from clvmodels.models.new_customers import pmf_until_now
from clvmodels.numerics.distinct import distinct_rows

if TYPE_CHECKING:
    from clvmodels.data.histories import Histories
    from clvmodels.inference.transaction_fit import TransactionFit

__all__ = ["merged_orders", "selection"]

FEW_CUSTOMERS: Final = 20
"""A smaller table is somebody's examples rather than a customer base."""
# From where on a share is worth a look, and from where on it is serious.
MERGED: Final = (0.05, 0.20)
# One-time buyers are missing if a fit expects so large a share of the customers, and at least so many, to be such, and
# there are less than so large a share of these.
MISSING: Final = 0.01
FEWEST_MISSING: Final = 5.0
PRESENT: Final = 0.1
AGES: Final = 1_000
"""Ages at which the probability of no purchase is computed at most."""


def merged_orders(histories: Histories) -> Finding:
    """Return the finding on orders that count as one, as they lie within the resolution."""
    report = histories.report
    if report is None:
        return not_checked("merged orders", "the histories came from a table, which does not tell how many were merged")
    repeats = report.orders - report.customers
    bias = report.merged_orders / repeats if repeats > 0 else 0.0
    share = report.merged_orders / report.orders if report.orders else 0.0
    window = f"one {report.resolution}" if report.resolution else "one instant"
    lines = report.purchase_rows - report.orders
    return Finding(
        "merged orders",
        verdict_of(bias, MERGED),
        f"{report.merged_orders:,} of {report.orders:,} orders ({share:.1%}) were merged into another one of {window}"
        f"{f', beside {lines:,} further lines of the same orders' if lines > 0 else ''}; of the repeat orders"
        f" {bias:.1%} are not counted, and so much lower is the rate, and so are costs per order; revenue is not, as"
        " the value of an order is that of those merged into it",
        math.nan,
        "if they are orders of their own, count them: rfm_summary(..., resolution=None); if they are lines of one order"
        " with times that differ, name the order: rfm_summary(..., order_id=...); otherwise raise order_cost and the"
        " like by as much",
        {"merged_share": share, "rate_bias": -bias, "lines_share": lines / max(report.purchase_rows, 1)},
    )


def selection(transactions: TransactionFit, histories: Histories) -> Finding:
    """Return the finding on one-time buyers who were left out of the histories."""
    once = int(np.count_nonzero(histories.frequency == 0.0))
    expected = _expected_once(transactions, histories)
    material = expected >= max(MISSING * len(histories), FEWEST_MISSING) and len(histories) >= FEW_CUSTOMERS
    dropped = material and once < PRESENT * expected
    return Finding(
        "selection",
        "serious" if dropped else "fine",
        f"{once:,} of {len(histories):,} customers bought once only, where {transactions.model.name} expects"
        f" {expected:,.0f}"
        + (
            ": those who bought once were dropped, and a fit without them predicts far more purchases than come"
            if dropped
            else ""
        ),
        math.nan,
        "fit to all customers, those with frequency 0 included; models of spend leave them out by themselves",
        {"lowest_frequency": float(histories.frequency.min()), "once": float(once), "expected_once": expected},
    )


def _expected_once(transactions: TransactionFit, histories: Histories) -> float:
    """Return how many customers of these ages a fit expects not to have bought again: the sum of P(X(T) = 0).

    Where ages hardly repeat, those evenly spaced in their order stand for all: the probability is smooth in the age.
    """
    parameters, model = transactions.parameters(histories), transactions.model
    distinct = distinct_rows(*parameters.columns(), histories.T)
    rows, weight = distinct.rows, distinct.weight
    if len(rows) > AGES:
        middles = (np.arange(AGES) + 0.5) / AGES * weight.sum()
        rows, weight = rows[np.searchsorted(np.cumsum(weight), middles)], np.full(AGES, weight.sum() / AGES)
    theta = parameters.of_groups(rows[:, :-1].T).point(slice(None))
    return float(weight @ pmf_until_now(model, theta, rows[:, -1], 0.0))
