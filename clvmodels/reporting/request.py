"""From a log, ledgers and assumptions to an equity report: valued at every closing, and why it moved in between."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from clvmodels.data.histories import Histories
from clvmodels.data.ledgers import Ledgers
from clvmodels.data.reading import Day
from clvmodels.errors import DataError, FitError
from clvmodels.evaluation.forecast_check import ForecastCheck
from clvmodels.evaluation.holdout_total import HoldoutTotal
from clvmodels.evaluation.segment_checks import names_segments
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.specification import SpendModel, TransactionModel
from clvmodels.reporting.candidates import candidates_of
from clvmodels.reporting.fitting import SEED, Estimation, fit_all, fit_spend, warning_of
from clvmodels.reporting.notes import captured_warnings
from clvmodels.reporting.output import Report
from clvmodels.reporting.progress import Step
from clvmodels.reporting.remarks import CLEAN
from clvmodels.reporting.report_log import ReportLog
from clvmodels.reporting.segment_fits import SegmentChoice, SegmentTests, fits_by_segment, segment_tests
from clvmodels.reporting.timestamp import time_of_report
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.audit import Content, FileRecord, audit
from clvmodels.valuation.book import Book, value
from clvmodels.valuation.contribution import contribution
from clvmodels.valuation.movement import movement
from clvmodels.valuation.reconciliation import reconciliation
from clvmodels.valuation.relationship import rates
from clvmodels.valuation.statement import segments_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ReportRequest", "equity_report", "number_of_steps", "parse_closings"]

_FIT_OTHERWISE: Final = re.compile(r'; use method="\w+"')
"""What a fit advises whose method is not the user's to choose."""


@dataclass(frozen=True, eq=False)
class ReportRequest:
    """What is asked for.

    Attributes
    ----------
    source
        What the purchase log is called.
    log
        The same, to be read.
    days
        The closings as ISO dates, rising.
    assumptions
        The assumptions.
    models, spend
        The models of transactions, averaged if there are several; the model of spend, None: the one that the orders up
        to the last closing speak for.
    ledgers
        The relationship ledgers, or None.
    by
        The column of the customers that the statement is broken down by.
    estimation
        How they are fitted, alike at all closings.
    inputs
        The files as they were before, or what has been read of them, for the audit trail.
    """

    source: str
    log: ReportLog
    days: tuple[str, ...]
    assumptions: Assumptions
    models: Sequence[TransactionModel]
    spend: SpendModel | None
    ledgers: Ledgers | None
    by: str | None
    estimation: Estimation
    inputs: Mapping[str, FileRecord | Content]


def parse_closings(days: Day | Sequence[Day]) -> tuple[str, ...]:
    """Return closings as ISO dates.

    Raises
    ------
    DataError
        If one is no date, or they do not rise.
    """
    texts = [_as_text(day) for day in ([days] if isinstance(days, str | dt.date) else days)]
    try:
        dates = [dt.date.fromisoformat(text) for text in texts]
    except ValueError as error:
        raise DataError(
            f"a closing is a date such as 1997-09-30, and several stand apart: 1997-09-30 1998-06-30 ({error})"
        ) from error
    if not dates or any(later <= earlier for earlier, later in pairwise(dates)):
        raise DataError(f"closings are dates that rise, such as 1997-09-30 1998-06-30; got {' '.join(texts) or 'none'}")
    return tuple(day.isoformat() for day in dates)


def _as_text(day: Day) -> str:
    """Return a day as it would be written; midnight stands for the day that begins with it."""
    midnight = isinstance(day, dt.datetime) and day.time() == dt.time.min
    return str(day.date()) if isinstance(day, dt.datetime) and midnight else str(day)


def equity_report(asked: ReportRequest, step: Step) -> Report:
    """Return the report; `step` is called with what is done next.

    An earlier closing by which nothing can be fitted is left out, and a note says so.

    Raises
    ------
    FitError
        If nothing can be fitted at the last closing; the message names it.
    """
    step("reading the log")
    everything = [asked.log.histories(day) for day in asked.days]
    everybody = everything[-1].customer_id
    activities = [
        None if asked.ledgers is None else asked.ledgers.activity(histories, customers=everybody)
        for histories in everything
    ]
    year = asked.assumptions.year
    everything = [
        _with_rates(histories, activity, year) for histories, activity in zip(everything, activities, strict=True)
    ]
    last = everything[-1]
    if asked.by is not None:  # what cannot be reported is refused before anything is fitted
        segments_of(last, asked.by)
    reported, choice, notes = _last(asked, last, step)
    asked = replace(asked, spend=reported.spend.model)  # one model at all closings, so that none moves the equity
    books = {}
    for day, histories in zip(asked.days[:-1], everything[:-1], strict=True):
        book, remarks = _earlier(asked, day, histories, _tests_at(choice, histories, last), step)
        notes += remarks
        if book is not None:
            books[day] = book
    books[asked.days[-1]] = reported
    tested, test_notes = _tested(asked, reported, step)
    forecast, forecast_notes = _forecast(asked, books, step)
    step("moving from closing to closing")
    movements = [movement(before, after) for before, after in pairwise(books.values())]
    ledger_notes = () if asked.ledgers is None else asked.ledgers.notes(last)
    return Report(
        source=asked.source,
        closings=tuple(books),
        books=tuple(books.values()),
        movements=tuple(movements),
        by=asked.by,
        reconciliation=reconciliation(last),
        contributed=contribution(reported, activities[-1]),
        notes=(*ledger_notes, *notes, *test_notes, *forecast_notes),
        audit=audit(books, asked.inputs, [SEED]),
        created=time_of_report().isoformat(),
        candidates=candidates_of(reported),
        tested=tested,
        forecast=forecast,
        segments=choice,
    )


def number_of_steps(days: Sequence[str], models: Sequence[TransactionModel]) -> int:
    """Return how often `equity_report` calls `step`, if no closing is left out."""
    closings, fits = len(days), len(models)
    return closings * (fits + 2) + (1 if closings > 1 else 0) + 3


def _fitted(asked: ReportRequest, histories: Histories, step: Step) -> tuple[tuple[TransactionFit, ...], SpendFit]:
    """Return the fits of a closing."""
    fits = fit_all(histories, asked.models, step, asked.estimation)
    return fits, fit_spend(histories, asked.spend, step, asked.estimation)


def _last(asked: ReportRequest, histories: Histories, step: Step) -> tuple[Book, SegmentChoice | None, list[str]]:
    """Return the book of the last closing, its segments, and what the package warned of but what stands elsewhere."""
    with captured_warnings() as notes:
        with _at_closing(asked.days[-1]):
            fits, spend = _fitted(asked, histories, step)
        tests = segment_tests(fits, spend, histories, asked.by)
        book, choice = _valued(asked, asked.days[-1], fits, spend, histories, step), None
        if tests is not None:
            choice = SegmentChoice(tests, book.equity)
        if tests is not None and tests.differ:
            fits, spend = fits_by_segment(fits, spend, histories, tests, asked.estimation, step)
            book = _valued(asked, asked.days[-1], fits, spend, histories, step)
    shown = {warning_of(fit) for fit in (*fits, spend)}
    return book, choice, [note for note in notes if note not in shown]


def _valued(
    asked: ReportRequest,
    day: str,
    fits: Sequence[TransactionFit],
    spend: SpendFit,
    histories: Histories,
    step: Step,
) -> Book:
    step(f"valuing at {day}")
    return value(fits, spend, histories, asked.assumptions)


def _tests_at(choice: SegmentChoice | None, histories: Histories, last: Histories) -> SegmentTests | None:
    """Return by which segments an earlier closing is fitted, as the last one is; None: by none.

    So they are where it had the same segments already.
    """
    if choice is None or not choice.tests.differ:
        return None
    before, now = (set(each.attributes[choice.tests.by].astype(str)) for each in (histories, last))
    return choice.tests if before == now and names_segments(histories, choice.tests.by) else None


def _earlier(
    asked: ReportRequest, day: str, histories: Histories, tests: SegmentTests | None, step: Step
) -> tuple[Book | None, list[str]]:
    """Return the book of an earlier closing, None if nothing can be fitted by then; and notes that name the closing."""
    with captured_warnings() as notes:
        try:
            fits, spend = _fitted(asked, histories, step)
            if tests is not None:
                fits, spend = fits_by_segment(fits, spend, histories, tests, asked.estimation, step)
        except FitError as error:
            return None, [f"closing {day} is left out, and so is the movement from it: {error}"]
        book = _valued(asked, day, fits, spend, histories, step)
    return book, [f"closing {day}: {note}" for note in notes]


def _tested(asked: ReportRequest, book: Book, step: Step) -> tuple[HoldoutTotal | None, list[str]]:
    """Return the test on the last third of the log, None if it cannot be made; and notes that name it.

    Of a model whose fit to the whole log has a remark, there is no second one.
    """
    step("predicting the last third")
    with captured_warnings() as notes:
        try:
            total = asked.log.last_third(asked.days[-1], asked.models, asked.spend, asked.estimation)
        except (DataError, FitError) as error:
            return None, [f"the figure is not tested on the last third of the log: {error}"]
    remarked = {f.model.name for f in (*book.transactions.fits, book.spend) if f.diagnostics.status not in CLEAN}
    others = [note for note in notes if note.partition(":")[0] not in remarked]
    return total, [f"last third held back: {_FIT_OTHERWISE.sub('', note)}" for note in others]


def _forecast(asked: ReportRequest, books: Mapping[str, Book], step: Step) -> tuple[ForecastCheck | None, list[str]]:
    """Return what the closing before the last predicted against what came; None, with a note, if it cannot be."""
    if len(books) < 2:
        return None, []
    before, after = list(books)[-2:]
    step(f"comparing the forecast of {before}")
    try:
        return asked.log.forecast_check(books[before], before, after), []
    except DataError as error:
        return None, [f"the forecast of closing {before} is not compared with what came: {error}"]


@contextmanager
def _at_closing(day: str) -> Iterator[None]:
    """Name the closing in an error of a fit."""
    try:
        yield
    except FitError as error:
        raise FitError(f"closing {day}: {error}") from error


def _with_rates(histories: Histories, activity: pd.DataFrame | None, year: str) -> Histories:
    """Return the histories with the rates that the ledgers imply as columns, and the channel of acquisition."""
    if activity is None:
        return histories
    columns = rates(histories, activity, year=year)
    for name in ("acquisition_cost", "acquisition_channel"):
        if activity[name].notna().all():
            columns[name] = activity[name]
    return histories.with_attributes(columns)
