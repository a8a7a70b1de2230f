"""From a log, ledgers and assumptions to an equity report: valued at every closing, and why it moved in between."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from clvmodels.data.histories import Histories
from clvmodels.data.ledgers import Ledgers
from clvmodels.data.reading import Day
from clvmodels.errors import DataError, FitError
from clvmodels.inference.estimator import SpendEstimator, TransactionEstimator
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.specification import SpendModel, TransactionModel
from clvmodels.reporting.fitting import expected_in_a_year, fit_all, is_flat, same_as_first, spend_of_few, warning_of
from clvmodels.reporting.notes import captured_warnings
from clvmodels.reporting.output import Report
from clvmodels.reporting.progress import Step
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

__all__ = ["ReportRequest", "equity_report", "parse_closings"]

SEED: Final = 1


@dataclass(frozen=True, eq=False)
class ReportRequest:
    """What is asked for.

    Attributes
    ----------
    source
        The purchase log.
    read
        Returns the histories at the end of a day.
    days
        The closings as ISO dates, rising.
    assumptions
        The assumptions.
    models, spend
        The models of transactions, the best of which by AIC at the last closing is used for all; the model of spend.
    ledgers
        The relationship ledgers, or None.
    by
        The column of the customers that the statement is broken down by.
    draws
        Draws of the parameters at the last closing, from Laplace's approximation; 0: none, and no intervals. There are
        none either where a likelihood is flat at its maximum.
    inputs
        The files as they were before, or what has been read of them, for the audit trail.
    """

    source: str
    read: Callable[[str], Histories]
    days: tuple[str, ...]
    assumptions: Assumptions
    models: Sequence[TransactionModel]
    spend: SpendModel
    ledgers: Ledgers | None
    by: str | None
    draws: int
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
    everything = [asked.read(day) for day in asked.days]
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
    chosen = _chosen(asked, last, step)
    books, notes = {}, list(chosen.notes)
    for day, histories in zip(asked.days[:-1], everything[:-1], strict=True):
        step(f"valuing at {day}")
        book, remarks = _earlier(asked, day, histories, chosen.transactions.model)
        notes += remarks
        if book is not None:
            books[day] = book
    step(f"valuing at {asked.days[-1]}")
    books[asked.days[-1]] = value(chosen.transactions, chosen.spend, last, asked.assumptions)
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
        contributed=contribution(books[asked.days[-1]], activities[-1]),
        notes=(*ledger_notes, *notes),
        audit=audit(books, asked.inputs, [SEED] if asked.draws else []),
        created=time_of_report().isoformat(),
        intervals_wanted=asked.draws > 0,
        same_models=chosen.same_models,
    )


@dataclass(frozen=True, eq=False)
class _Chosen:
    """The fits of the closing that is reported on.

    Attributes
    ----------
    transactions, spend
        The fits, with draws if they are wanted and neither likelihood is flat.
    same_models
        The names of the models that have become the same one as that of `transactions`.
    notes
        What the package warned of, except what the report says about the fits themselves.
    """

    transactions: TransactionFit
    spend: SpendFit
    same_models: tuple[str, ...]
    notes: tuple[str, ...]


def _chosen(asked: ReportRequest, histories: Histories, step: Step) -> _Chosen:
    """Return the fits of the last closing: the best model of transactions by AIC, and that of spend."""
    with captured_warnings() as notes, _at_closing(asked.days[-1]):
        fits = fit_all(histories, asked.models, step)
        transactions, spend = fits[0], spend_of_few(histories, asked.spend)
        same = same_as_first(fits, lambda fit: expected_in_a_year(fit, histories))
        flat = [fit for fit in (transactions, spend) if is_flat(fit)]
        if asked.draws and not flat:
            transactions = TransactionEstimator(transactions.model).fit(
                histories, method="laplace", draws=asked.draws, seed=SEED
            )
            spend = SpendEstimator(asked.spend).fit(histories, method="laplace", draws=asked.draws, seed=SEED)
    shown = {warning_of(transactions), warning_of(spend)}  # below the equity
    shown |= {warning_of(fit) for fit in fits if fit.diagnostics.status != "not converged"}  # of models not reported
    return _Chosen(transactions, spend, same, tuple(note for note in notes if note not in shown))


def _earlier(
    asked: ReportRequest, day: str, histories: Histories, transactions: TransactionModel
) -> tuple[Book | None, list[str]]:
    """Return the book of an earlier closing, None if nothing can be fitted by then; and notes that name the closing."""
    with captured_warnings() as notes:
        try:
            fits = TransactionEstimator(transactions).fit(histories), spend_of_few(histories, asked.spend)
        except FitError as error:
            return None, [f"closing {day} is left out, and so is the movement from it: {error}"]
        book = value(*fits, histories, asked.assumptions)
    return book, [f"closing {day}: {note}" for note in notes]


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
