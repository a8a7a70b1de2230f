"""Fits by segment in a report: where the evidence says that segments differ, they have parameters of their own."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from clvmodels.data.histories import Histories
from clvmodels.errors import FitWarning
from clvmodels.evaluation.segment_checks import names_segments
from clvmodels.inference.estimator import SpendEstimator, TransactionEstimator
from clvmodels.inference.segment_test import SegmentTest
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.reporting.fitting import Estimation
from clvmodels.reporting.progress import Step

__all__ = ["SegmentChoice", "SegmentTests", "fits_by_segment", "segment_tests"]


@dataclass(frozen=True)
class SegmentTests:
    """Whether segments differ in how they buy, and in what they spend."""

    by: str
    orders: SegmentTest
    spend: SegmentTest

    @property
    def differ(self) -> bool:
        """Whether they do in either."""
        return self.orders.differ or self.spend.differ


@dataclass(frozen=True)
class SegmentChoice:
    """What a report says of segments.

    Attributes
    ----------
    tests
        Whether they differ.
    pooled
        Customer equity under one population for all customers; the figure itself where segments do not differ.
    """

    tests: SegmentTests
    pooled: float


def segment_tests(
    fits: Sequence[TransactionFit], spend: SpendFit, histories: Histories, by: str | None
) -> SegmentTests | None:
    """Return whether segments differ, by the model that fits best; None if an attribute names no segments."""
    if by is None or not names_segments(histories, by):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)  # at a boundary too, the fits tell how segments differ
        orders = TransactionEstimator(fits[0].model).fit(histories, by=by).segment_test
        worth = SpendEstimator(spend.model).fit(histories, by=by).segment_test
    assert orders is not None  # of every fit by segment by likelihood
    assert worth is not None
    return SegmentTests(by, orders, worth)


def fits_by_segment(
    fits: Sequence[TransactionFit],
    spend: SpendFit,
    histories: Histories,
    tests: SegmentTests,
    how: Estimation,
    step: Step,
) -> tuple[tuple[TransactionFit, ...], SpendFit]:
    """Return the fits with parameters by segment where segments differ.

    Point estimates by segment cannot be averaged, as their AIC is not known: the model that fits best is taken.
    """
    if tests.orders.differ:
        models = [fit.model for fit in fits] if how.draws else [fits[0].model]
        by_segment = []
        for model in models:
            step(f"fitting {model.name} by {tests.by}")
            by_segment.append(how.of(TransactionEstimator(model), histories, tests.by))
        fits = tuple(by_segment)
    if tests.spend.differ:
        step(f"fitting {spend.model.name} by {tests.by}")
        spend = how.of(SpendEstimator(spend.model), histories, tests.by)
    return tuple(fits), spend
