"""What an equity report is made of: the books of the closings, why equity moved, and how it ties to the ledger."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clvmodels.data.required import of_contracts
from clvmodels.errors import AssumptionWarning
from clvmodels.evaluation.forecast_check import ForecastCheck
from clvmodels.evaluation.holdout_total import HoldoutTotal
from clvmodels.evaluation.segment_checks import names_segments
from clvmodels.inference.acquisition_forecast import AcquisitionForecast, acquisition_forecast, may_be_forecast
from clvmodels.reporting.candidates import Candidate
from clvmodels.reporting.compared import decisive, missed
from clvmodels.reporting.number_format import with_currency
from clvmodels.reporting.segment_fits import SegmentChoice
from clvmodels.valuation.acquisition import acquisition_by
from clvmodels.valuation.book import Book
from clvmodels.valuation.contribution import contribution_statement
from clvmodels.valuation.movement import Movement
from clvmodels.valuation.revenue_forecast import RevenueForecast, revenue_forecast
from clvmodels.valuation.scenarios import tornado, without_finite_value
from clvmodels.valuation.support import Support

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["STEP", "EquityReport", "largest_segments"]

CHANNEL: Final = "acquisition_channel"
"""The column of the channel, where the ledgers know it."""
DRAWS_OF_PLAN: Final = 200
STEP: Final = 0.1
"""By how much assumptions are changed to see what equity depends on."""


@dataclass(frozen=True, eq=False, repr=False)
class EquityReport:
    """What an equity report says.

    Attributes
    ----------
    source
        What the purchase log was.
    closings
        The closings as ISO dates; the last one is reported on.
    books
        A book each.
    movements
        From each closing to the next.
    by
        The column of the customers that the statement is broken down by; None: by cohort alone.
    reconciliation
        By item: money. Model sales and the reconciling items; the last row, ``unexplained``, should be zero.
    contributed
        What each customer of the book reported on has contributed so far, by line: its `contribution`.
    notes
        What the package warned of.
    audit
        Hashes of data, fits and assumptions, and versions; plain data.
    created
        ISO time of the report: the only thing that differs from one run to the next.
    candidates
        The models of the book reported on, that with the largest weight first; empty if they are not told.
    tested
        What models of the first two thirds of the log predict of the last, and what came; None: it could not be tried.
    forecast
        What the closing before predicted, period by period, and what came; None: there is none, or it could not be
        compared.
    segments
        Whether the segments of `by` differ, and what that changes; None if it names no segments.
    """

    source: str
    closings: tuple[str, ...]
    books: tuple[Book, ...]
    movements: tuple[Movement, ...]
    by: str | None
    reconciliation: pd.DataFrame
    contributed: pd.DataFrame
    notes: tuple[str, ...]
    audit: Mapping[str, Any]
    created: str
    candidates: tuple[Candidate, ...] = ()
    tested: HoldoutTotal | None = None
    forecast: ForecastCheck | None = None
    segments: SegmentChoice | None = None

    def __repr__(self) -> str:
        equity = with_currency(self.book.equity, self.book.assumptions.currency)
        before = f", after {', '.join(self.closings[:-1])}" if len(self.closings) > 1 else ""
        return f"<EquityReport: {equity} of {len(self.book.histories):,} customers at {self.closings[-1]}{before}>"

    @property
    def book(self) -> Book:
        """The book reported on."""
        return self.books[-1]

    @cached_property
    def support(self) -> Support | None:
        """How far the data carry the equity reported on, one step less if the test missed; None without draws."""
        if not self.book.has_draws:
            return None
        if self.tested is None:
            return self.book.support
        return self.book.support.tested(missed(self.tested), decisive(self.tested)[0])

    @cached_property
    def statement(self) -> pd.DataFrame:
        """The statement of the book reported on, by segment if there are any."""
        return self.book.statement(self.by)

    @cached_property
    def contribution(self) -> pd.DataFrame:
        """The contribution so far beside the value still to come: lines down, segments across, the total last."""
        return contribution_statement(self.book, self.contributed, self.by)

    @cached_property
    def acquisition(self) -> Mapping[str, pd.DataFrame]:
        """What new customers are worth and may cost, by column that names segments: `by`, and the channel, if known."""
        histories = self.book.histories
        known = [name for name in dict.fromkeys((self.by, CHANNEL)) if name in histories.attributes]
        columns = [str(name) for name in known if names_segments(histories, str(name))]
        return {name: acquisition_by(self.book, name, self.contributed) for name in columns}

    @cached_property
    def plan(self) -> tuple[AcquisitionForecast, RevenueForecast] | None:
        """New customers and revenue of the next four quarters; None where new customers cannot be forecast."""
        histories = self.book.histories
        if not histories.in_memory or of_contracts(histories) or not may_be_forecast(histories):
            return None
        coming = acquisition_forecast(histories, 12)
        return coming, revenue_forecast(self.book, coming, draws=DRAWS_OF_PLAN)

    @cached_property
    def tornado(self) -> pd.DataFrame:
        """How equity moves when an assumption is lower or higher by `STEP`, but for those in `not_moved`."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AssumptionWarning)  # the report says it with `not_moved`
            return tornado(self.book, by=STEP)

    @property
    def not_moved(self) -> tuple[str, ...]:
        """The assumptions that no finite equity belongs to when they are lower or higher by `STEP`."""
        return without_finite_value(self.book.assumptions, by=STEP)


def largest_segments(statement: pd.DataFrame, most: int) -> tuple[pd.DataFrame, int]:
    """Return the segments with the largest equity by amount, in their order, and the total; and how many are left out.

    Parameters
    ----------
    statement
        By segment, the total last; with a column ``equity``.
    most
        Number of segments.
    """
    segments = statement.iloc[:-1]
    if len(segments) <= most:
        return statement, 0
    rank = segments["equity"].abs().rank(method="first", ascending=False).to_numpy()
    return statement[np.append(rank <= most, True)], len(segments) - most
