"""The equity report as an Excel workbook, whose totals and lines are formulas on the assumptions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clvmodels.files import whole_file
from clvmodels.report.labels import Language, label
from clvmodels.report.workbook_amounts import Array, CellKey, Groups, by_customer
from clvmodels.report.workbook_analysis import write_concentration, write_sensitivities
from clvmodels.report.workbook_assumptions import write_assumptions
from clvmodels.report.workbook_customers import Rows, write_customers, write_with_rows
from clvmodels.report.workbook_movement import write_contribution, write_movement, write_reconciliation
from clvmodels.report.workbook_page import Live, Page, Styles
from clvmodels.report.workbook_statement import StatementCells, write_statement
from clvmodels.report.workbook_summary import write_summary
from clvmodels.units import DAYS
from clvmodels.valuation.statement import segments_of

if TYPE_CHECKING:
    from pathlib import Path

    from clvmodels.report.content import EquityReport

__all__ = ["SHEETS", "cohorts_of", "write_workbook"]

SHEETS: Final = (
    "summary",
    "statement",
    "movement",
    "cohorts",
    "contribution",
    "reconciliation",
    "concentration",
    "sensitivities",
    "assumptions",
    "customers",
)
"""The sheets in their order, by the key of their label."""

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

    A first purchase lies T before the end of observation; if that is not known, before the closing.
    """
    histories = report.book.histories
    end = histories.observation_end
    day = dt.date.fromisoformat(report.closings[-1]) if end is None else end.date()
    ages = np.floor(histories.T * DAYS[histories.unit] + 1e-6).astype("timedelta64[D]")
    months = (np.datetime64(day, "D") - ages).astype("datetime64[M]").astype(np.int64)
    quarters, codes = np.unique(months // 3, return_inverse=True)
    names = tuple(f"{1970 + number // 4}-Q{number % 4 + 1}" for number in quarters.tolist())
    return Groups(names, codes.astype(np.int64))


class _Writer:
    """Writes the sheets: first those that others refer to."""

    def __init__(self, workbook: Any, report: EquityReport, language: Language) -> None:  # noqa: ANN401
        self.report, self.language = report, language
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
        groups = None if by is None else Groups.of(segments_of(book, by))
        intervals = book.statement(by) if book.has_draws else None
        columns = by_customer(book)
        statement = write_statement(pages["statement"], book, groups, columns, cells, language, intervals)
        checks = self._checked(statement, columns, cells)
        checks["customers"], rows = write_customers(pages["customers"], report, statement.total["equity"], language)
        write_concentration(pages["concentration"], book, language)
        write_sensitivities(pages["sensitivities"], book, language)
        write_summary(pages["summary"], report, statement, checks, language)
        for page in pages.values():
            page.finish(report.source, report.closings[-1], label("customer_equity", language))
        return rows

    def _title(self, name: str) -> None:
        report, language = self.report, self.language
        currency = report.book.terms.currency
        title = label("customer_equity" if name == "summary" else name, language)
        closing = f"{label('closing_date', language)} {report.closings[-1]}"
        models = f"{report.book.orders.model.name}, {report.book.spend.model.name}"
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
        found = {
            "cohorts": page.check(page.row, 3, cohorts.total["equity"], equity),
            "contribution": write_contribution(self.pages["contribution"], report.contribution, equity, language),
            "reconciliation": write_reconciliation(self.pages["reconciliation"], report.reconciliation, language),
        }
        page.row += 1
        movement = write_movement(self.pages["movement"], report, equity, language)
        return found if movement is None else {"movement": movement, **found}
