"""Whether segments differ, by any attribute of the customers that names a few groups of them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.errors import FitWarning
from clvmodels.evaluation.findings import Finding, verdict_of, worst
from clvmodels.inference.estimator import SpendEstimator, TransactionEstimator
from clvmodels.models.registry import call_of

if TYPE_CHECKING:
    from clvmodels.data.histories import Histories
    from clvmodels.inference.spend_fit import SpendFit
    from clvmodels.inference.transaction_fit import TransactionFit
    from clvmodels.models.specification import Array

__all__ = ["names_segments", "segment_findings"]

MOST_LEVELS, FEWEST_CUSTOMERS = 50, 20
"""An attribute with more levels, or fewer customers in each on average, is not taken to name segments."""
FREQUENCY_CLASS: Final = "frequency_class"
"""What `clvmodels.evaluation.dependence.frequency_classes` calls its classes."""
TOTAL: Final = (0.02, 0.10)
MOVED: Final = (0.05, 0.20)
"""Shares of the purchases and of the revenue of the next year from where on a change is worth a look, and serious."""


def segment_findings(transactions: TransactionFit, spend: SpendFit, histories: Histories) -> tuple[Finding, ...]:
    """Return a finding for each attribute that names segments.

    Fits by segment are compared with fits to all customers, by their evidence and by the revenue expected within a
    year: its change is the effect. The verdict counts what moves between segments, too.
    """
    attributes = [name for name in map(str, histories.attributes.columns) if names_segments(histories, name)]
    if not attributes:
        return ()
    orders, value = TransactionEstimator(transactions.model), SpendEstimator(spend.model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)  # at a boundary too, the fits tell how segments differ
        before = _revenue(orders.fit(histories), value.fit(histories), histories)
        return tuple(_finding(orders, value, histories, by, before) for by in attributes)


def names_segments(histories: Histories, by: str) -> bool:
    """Whether an attribute is known of every customer and names segments: a few groups of enough customers.

    A flag, such as whether a simulated customer is alive, or a number with decimals, such as a rate, does not name
    segments; nor do classes of frequency, which are what the models explain.
    """
    column = histories.attributes[by]
    if by == FREQUENCY_CLASS or column.dtype.kind in "bf" or column.isna().any():
        return False
    return 2 <= column.astype(str).nunique() <= min(MOST_LEVELS, len(column) // FEWEST_CUSTOMERS)


def _finding(
    orders: TransactionEstimator, value: SpendEstimator, histories: Histories, by: str, before: Array
) -> Finding:
    """Return the finding on one attribute; `before` is the revenue expected under fits to all customers."""
    apart = orders.fit(histories, by=by), value.fit(histories, by=by)
    after = _revenue(*apart, histories)
    tests = [fit.segment_test for fit in apart]
    code = histories.attributes[by].astype(str).factorize(sort=True)[0]
    change = np.bincount(code, after - before)
    effect, moved, total = float(change.sum()), 0.5 * float(np.abs(change).sum()), float(before.sum())
    differ = any(test is not None and test.differ for test in tests)
    sizes = (verdict_of(abs(effect) / total, TOTAL), verdict_of(moved / total, MOVED))
    words = " ".join(
        f"{what}: {test.describe(by)}"
        for what, test in zip(("Orders", "Spend"), tests, strict=True)
        if test is not None
    )
    return Finding(
        f"segments differ: {by}",
        worst(sizes) if differ else "fine",
        f"{words} Fits by segment change the revenue expected within a year by {effect:+,.2f} ({effect / total:+.1%}), "
        f"and move {moved:,.2f} ({moved / total:.1%}) between segments",
        effect,
        f"value the customers with fits by segment: clv.{orders.model.public_name}().fit(rfm, by={by!r}) and "
        f"{call_of(value.model)}.fit(rfm, by={by!r})",
        {
            "evidence_orders": _ahead(apart[0]),
            "evidence_spend": _ahead(apart[1]),
            "effect_share": effect / total,
            "moved": moved,
            "moved_share": moved / total,
        },
    )


def _ahead(fit: TransactionFit | SpendFit) -> float:
    test = fit.segment_test
    assert test is not None  # of every fit by segment by likelihood
    return test.evidence - test.pooled


def _revenue(transactions: TransactionFit, spend: SpendFit, histories: Histories) -> Array:
    """Return the revenue expected of each customer within a year."""
    purchases = transactions.expected_purchases(histories, "1 year")["mean"].to_numpy()
    return np.asarray(purchases * spend.expected_spend(histories)["mean"].to_numpy())
