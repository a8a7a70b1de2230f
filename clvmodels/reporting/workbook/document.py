"""The equity report as an Excel workbook, whose totals and lines are formulas on the assumptions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.files import whole_file
from clvmodels.reporting.labels import Language, label
from clvmodels.reporting.locale import Locale
from clvmodels.reporting.support_text import names_text
from clvmodels.reporting.workbook.amounts import Array, CellKey, Groups, by_customer
from clvmodels.reporting.workbook.analysis import write_concentration, write_sensitivities
from clvmodels.reporting.workbook.assumptions import write_assumptions
from clvmodels.reporting.workbook.customers import Rows, write_customers, write_with_rows
from clvmodels.reporting.workbook.forecast import write_forecast
from clvmodels.reporting.workbook.movement import write_contribution, write_movement, write_reconciliation
from clvmodels.reporting.workbook.page import Page
from clvmodels.reporting.workbook.statement import StatementCells, write_statement
from clvmodels.reporting.workbook.style import Live, Styles
from clvmodels.reporting.workbook.summary import write_summary
from clvmodels.units import DAYS
from clvmodels.valuation.statement import TOTAL, segments_of

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from clvmodels.reporting.content import EquityReport

__all__ = ["MOST_SEGMENTS", "SHEETS", "cohorts_of", "write_workbook"]

SHEETS: Final = (
    "summary",
    "statement",
    "movement",
    "forecast",
    "cohorts",
    "contribution",
    "reconciliation",
    "concentration",
    "sensitivities",
    "assumptions",
    "customers",
)
"""The sheets in their order, by the key of their label."""

MOST_SEGMENTS: Final = 100
"""Segments that are shown; the others are one more."""
_ROUNDED_FROM: Final = 10_000
"""From this equity up, money is shown without decimals."""


def write_workbook(report: EquityReport, path: Path, language: Language) -> None:
    """Write an equity report as an Excel workbook.

    The same report gives the same bytes.

    Parameters
    ----------
    report
        The report.
    path
        Where to; the file appears whole or not at all.
    language
        Of the labels.
    """
    import xlsxwriter  # type: ignore[import-untyped]

    content = BytesIO()
    workbook = xlsxwriter.Workbook(content, {"in_memory": True})
    workbook.set_properties(
        {
            "title": label("customer_equity", language),
            "subject": f"{report.source}, {report.closings[-1]}",
            "author": "clvmodels",
            "created": _in_utc(report.created),
        }
    )
    rows = _Writer(workbook, report, language).write()
    workbook.close()
    with whole_file(path) as part:
        write_with_rows(content.getvalue(), rows, part)


def _in_utc(moment: str) -> dt.datetime:
    time = dt.datetime.fromisoformat(moment)
    return time if time.tzinfo is None else time.astimezone(dt.UTC).replace(tzinfo=None)


def cohorts_of(report: EquityReport) -> Groups:
    """Return the customers by year and quarter of their first purchase, such as ``1997-Q1``.

    Where the histories do not say when it was, it lies T before the end of observation, or else before the closing.
    """
    months = _first_days(report).astype("datetime64[M]").astype(np.int64)
    quarters, codes = np.unique(months // 3, return_inverse=True)
    names = tuple(f"{1970 + number // 4}-Q{number % 4 + 1}" for number in quarters.tolist())
    return Groups(names, codes.astype(np.int64))


def _first_days(report: EquityReport) -> NDArray[np.datetime64]:
    """Return the local day of each customer's first purchase, shape (customers,)."""
    histories = report.book.histories
    first = histories.attributes.get("first_purchase")
    if first is not None and first.dtype.kind == "M":
        return np.asarray(first.dt.tz_localize(None).to_numpy(), dtype="datetime64[D]")
    end = histories.observation_end
    day = dt.date.fromisoformat(report.closings[-1]) if end is None else end.date()
    ages = np.floor(histories.T * DAYS[histories.unit] + 1e-6).astype("timedelta64[D]")
    return np.datetime64(day, "D") - ages


class _Writer:
    """Writes the sheets: first those that others refer to."""

    def __init__(self, workbook: Any, report: EquityReport, language: Language) -> None:  # noqa: ANN401
        self.report, self.language, self.others = report, language, label("other_segments", language)
        styles = Styles(workbook, 0 if abs(report.book.equity) >= _ROUNDED_FROM else 2)
        self.pages = {name: Page(workbook, label(name, language), styles) for name in SHEETS}

    def write(self) -> Rows:
        """Write all sheets; return the rows of customers that are still to be put in."""
        report, language, pages = self.report, self.language, self.pages
        book, by = report.book, report.by
        cells = write_assumptions(pages["assumptions"], report, language)
        for name in SHEETS:
            if name != "assumptions":
                self._title(name)
        every = None if by is None else Groups.of(segments_of(book.histories, by))
        groups = None if every is None else every.largest(book.rlv, MOST_SEGMENTS, self.others)
        intervals = report.statement[["low", "high"]] if book.has_draws else None
        if every is not None and groups is not None and intervals is not None:
            intervals = intervals.set_axis([*every.names, TOTAL]).reindex([*groups.names, TOTAL])
        columns = by_customer(book)
        statement = write_statement(pages["statement"], book, groups, columns, cells, language, intervals)
        checks = self._checked(statement, columns, cells)
        checks["customers"], rows = write_customers(pages["customers"], report, statement.total["equity"], language)
        write_concentration(pages["concentration"], book, language)
        write_sensitivities(pages["sensitivities"], report, language)
        write_forecast(pages["forecast"], report, language)
        write_summary(pages["summary"], report, statement, checks, language)
        for page in pages.values():
            page.finish(report.source, report.closings[-1], label("customer_equity", language))
        return rows

    def _title(self, name: str) -> None:
        report, language = self.report, self.language
        currency = report.book.assumptions.currency
        title = label("customer_equity" if name == "summary" else name, language)
        closing = f"{label('closing_date', language)} {report.closings[-1]}"
        models = names_text(report.book, Locale(language, currency))
        below = " · ".join(part for part in (report.source, closing, models, currency) if part)
        self.pages[name].title(title, below)

    def _checked(
        self, statement: StatementCells, columns: Mapping[str, Array | float], cells: Mapping[CellKey, Live]
    ) -> dict[str, Live]:
        """Write the sheets that must tie to the statement or in themselves, and return whether they do."""
        report, language, equity = self.report, self.language, statement.total["equity"]
        page = self.pages["cohorts"]
        cohorts = write_statement(page, report.book, cohorts_of(report), columns, cells, language)
        page.row += 1
        page.put(page.row, 0, label("cohort_check", language))
        checks = {
            "cohorts": page.check(page.row, 3, cohorts.total["equity"], equity),
            "contribution": write_contribution(
                self.pages["contribution"], self._contribution(statement), report.book.assumptions, equity, language
            ),
            "reconciliation": write_reconciliation(self.pages["reconciliation"], report.reconciliation, language),
        }
        page.row += 1
        movement = write_movement(self.pages["movement"], report, equity, language)
        return checks if movement is None else {"movement": movement, **checks}

    def _contribution(self, statement: StatementCells) -> pd.DataFrame:
        """Return the contribution statement with the segments of the statement."""
        table = self.report.contribution
        if len(statement.groups) == len(table.columns) - 1:
            return table
        table = table.set_axis([str(name) for name in table.columns], axis=1)
        shown = table[[*statement.groups[:-1], TOTAL]]
        shown.insert(len(statement.groups) - 1, self.others, 2.0 * shown[TOTAL] - shown.sum(axis=1))
        return shown
