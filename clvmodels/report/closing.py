"""From a log, ledgers and assumptions to an equity report: valued at every closing, and why it moved in between."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from clvmodels.data.histories import Histories
from clvmodels.data.ledgers import Ledgers
from clvmodels.errors import DataError
from clvmodels.inference.estimator import OrdersEstimator, SpendEstimator
from clvmodels.inference.orders_fit import OrdersFit
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.models.specification import SpendModel, TransactionModel
from clvmodels.report.content import EquityReport
from clvmodels.report.created import time_of_report
from clvmodels.report.fitting import fit_all
from clvmodels.report.progress import Step
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.audit import Content, Seen, audit
from clvmodels.valuation.book import value
from clvmodels.valuation.contribution import contribution
from clvmodels.valuation.movement import movement
from clvmodels.valuation.reconciliation import reconciliation
from clvmodels.valuation.relationship import rates
from clvmodels.valuation.statement import segments_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Closing", "equity_report", "parse_closings"]

SEED: Final = 1


@dataclass(frozen=True, eq=False)
class Closing:
    """What is asked for.

    Attributes
    ----------
    source
        The purchase log.
    read
        Returns the histories at the end of a day.
    days
        The closings as ISO dates, rising.
    terms
        The assumptions.
    models, spend
        The models of transactions, the best of which by AIC at the last closing is used for all; the model of spend.
    ledgers
        The relationship ledgers, or None.
    by
        The column of the customers that the statement is broken down by.
    draws
        Draws of the parameters at the last closing, from Laplace's approximation; 0: none, and no intervals.
    inputs
        The files as they were before, or what has been read of them, for the audit trail.
    """

    source: str
    read: Callable[[str], Histories]
    days: tuple[str, ...]
    terms: Assumptions
    models: Sequence[TransactionModel]
    spend: SpendModel
    ledgers: Ledgers | None
    by: str | None
    draws: int
    inputs: Mapping[str, Seen | Content]


def parse_closings(days: Sequence[str]) -> tuple[str, ...]:
    """Return closings as ISO dates.

    Raises
    ------
    DataError
        If one is no date, or they do not rise.
    """
    try:
        found = [dt.date.fromisoformat(day) for day in days]
    except ValueError as error:
        raise DataError(
            f"a closing is a date such as 1997-09-30, and several stand apart: 1997-09-30 1998-06-30 ({error})"
        ) from error
    if not found or any(later <= earlier for earlier, later in pairwise(found)):
        raise DataError(f"closings are dates that rise, such as 1997-09-30 1998-06-30; got {' '.join(days) or 'none'}")
    return tuple(day.isoformat() for day in found)


def equity_report(asked: Closing, step: Step) -> EquityReport:
    """Return the report; `step` is told what is done next."""
    step("reading the log")
    histories = [asked.read(day) for day in asked.days]
    everybody = histories[-1].customer_id
    activities = [
        None if asked.ledgers is None else asked.ledgers.activity(one, customers=everybody) for one in histories
    ]
    year = asked.terms.year
    histories = [_with_rates(one, activity, year) for one, activity in zip(histories, activities, strict=True)]
    if asked.by is not None:  # what cannot be reported is refused before anything is fitted
        segments_of(histories[-1], asked.by)
    best = fit_all(histories[-1], asked.models, step)[0].model
    books = []
    for day, one in zip(asked.days, histories, strict=True):
        step(f"valuing at {day}")
        last = one is histories[-1]
        books.append(value(*_fits(one, best, asked.spend, asked.draws if last else 0), one, asked.terms))
    step("moving from closing to closing")
    movements = [movement(before, after) for before, after in pairwise(books)]
    ledger_notes = () if asked.ledgers is None else asked.ledgers.notes(histories[-1])
    return EquityReport(
        source=asked.source,
        closings=asked.days,
        books=tuple(books),
        movements=tuple(movements),
        by=asked.by,
        reconciliation=reconciliation(histories[-1]),
        contributed=contribution(books[-1], activities[-1]),
        notes=tuple(ledger_notes),
        audit=audit(dict(zip(asked.days, books, strict=True)), asked.inputs, [SEED] if asked.draws else []),
        created=time_of_report().isoformat(),
    )


def _with_rates(histories: Histories, activity: pd.DataFrame | None, year: str) -> Histories:
    """Return the histories with the rates that the ledgers imply as columns, and the channel of acquisition."""
    if activity is None:
        return histories
    columns = rates(histories, activity, year=year)
    for name in ("acquisition_cost", "acquisition_channel"):
        if activity[name].notna().all():
            columns[name] = activity[name]
    return histories.with_attributes(columns)


def _fits(histories: Histories, orders: TransactionModel, spend: SpendModel, draws: int) -> tuple[OrdersFit, SpendFit]:
    """Return fits by maximum likelihood, with draws around it if any are wanted."""
    if not draws:
        return OrdersEstimator(orders).fit(histories), SpendEstimator(spend).fit(histories)
    return (
        OrdersEstimator(orders).fit(histories, method="laplace", draws=draws, seed=SEED),
        SpendEstimator(spend).fit(histories, method="laplace", draws=draws, seed=SEED),
    )
