"""The folders that the commands write: which files, and what is in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Final

from clvmodels.arguments import require_path
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.registry import TRANSACTION_MODELS
from clvmodels.reporting.content import EquityReport
from clvmodels.reporting.files import OutputError, require_folder, whole_folder, write_table
from clvmodels.reporting.labels import Language, parse_language
from clvmodels.reporting.page import write_page
from clvmodels.reporting.record import (
    acquisition_record,
    averaged_by,
    equity_record,
    forecast_record,
    models_record,
    plain_data,
    segments_record,
    support_record,
    tested_record,
)
from clvmodels.reporting.valuation import Valuation
from clvmodels.reporting.workbook import write_workbook
from clvmodels.valuation.book import Book

__all__ = [
    "FIT_FILES",
    "REPORT_FILES",
    "Report",
    "files_of_valuation",
    "require_out",
    "require_report",
    "value_files",
    "write_fits",
    "write_report",
    "write_valuation",
]

_ORDERS: Final = "transactions.json"
_SPEND: Final = "spend.json"
_CUSTOMERS: Final = "customers.parquet"
_EQUITY: Final = "equity.json"
_ASSUMPTIONS: Final = "assumptions.toml"

_WORKBOOK: Final = "equity.xlsx"
_PAGE: Final = "equity.html"
_AUDIT: Final = "audit.json"

FIT_FILES: Final = (_ORDERS, _SPEND)
"""What `write_fits` may write."""

REPORT_FILES: Final = (_WORKBOOK, _PAGE, _CUSTOMERS, _AUDIT)
"""What `write_report` writes."""


def value_files() -> tuple[str, ...]:
    """Return the names of all files that `write_valuation` may write: of each model that is registered, its fit."""
    return (_CUSTOMERS, _ORDERS, *map(_fit_file, TRANSACTION_MODELS), _SPEND, _EQUITY, _ASSUMPTIONS)


def _fit_file(key: str) -> str:
    """Return where the fit of a model is, if it is not the one with the largest weight."""
    return f"transactions_{key}.json"


def require_out(folder: Path | None, names: Sequence[str]) -> None:
    """Refuse, before any work is done, a folder that results must not be written to.

    Raises
    ------
    OutputError
        If it holds anything but these files, written by this package.
    """
    if folder is not None:
        require_folder(folder, names, _ORDERS)


def write_fits(transactions: TransactionFit, spend: SpendFit | None, folder: Path) -> list[str]:
    """Write fits to a folder, whole or not at all, and return the names of its files."""
    with whole_folder(folder, FIT_FILES, _ORDERS) as part:
        transactions.save(part / _ORDERS)
        if spend is not None:
            spend.save(part / _SPEND)
        return sorted(entry.name for entry in part.iterdir())


def write_valuation(
    valuation: Valuation, folder: Path, *, source: str, assumptions_file: bytes, notes: Sequence[str]
) -> list[str]:
    """Write a valuation to a folder, whole or not at all, and return the names of its files.

    Parameters
    ----------
    valuation
        The valuation.
    folder
        Where to; what this package has written there before is replaced.
    source
        What the log was.
    assumptions_file
        The content of the file of the assumptions, as it was read: the file may have changed since.
    notes
        What the package warned of.
    """
    book = valuation.book
    best, *others = book.transactions.fits
    record = equity_record(valuation, source=source, notes=notes)
    with whole_folder(folder, value_files(), _ORDERS) as part:
        book.write_customers(part / _CUSTOMERS)
        best.save(part / _ORDERS)
        for fit in others:
            fit.save(part / _fit_file(fit.model.key))
        book.spend.save(part / _SPEND)
        (part / _EQUITY).write_text(json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False), encoding="utf-8")
        (part / _ASSUMPTIONS).write_bytes(assumptions_file)
    return files_of_valuation(book)


def files_of_valuation(book: Book) -> list[str]:
    """Return what is written of a valuation: of several models, the fits of the others beside the one counted most."""
    fits = [_ORDERS, *(_fit_file(fit.model.key) for fit in book.transactions.fits[1:])]
    return [_CUSTOMERS, *fits, _SPEND, _EQUITY, _ASSUMPTIONS]


def require_report(folder: Path) -> None:
    """Refuse, before any work is done, a folder that a report must not be written to; as `require_out`."""
    require_folder(folder, REPORT_FILES, _AUDIT)


def write_report(report: EquityReport, folder: Path, language: Language) -> list[str]:
    """Write an equity report to a folder, whole or not at all, and return the names of its files."""
    book = report.book
    record = {"format": "clvmodels audit", "version": 1, "created": report.created, "source": report.source}
    record |= {"equity": book.equity, "currency": book.assumptions.currency, "support": support_record(report.support)}
    record |= {"average": averaged_by(book), "models": models_record(book, report.candidates)}
    record |= {"tested": tested_record(report.tested), "forecast": forecast_record(report.forecast)}
    record |= {"segments": segments_record(report), "acquisition": acquisition_record(report)}
    record |= {**report.audit, "notes": report.notes}
    historic = report.contributed[["sales", "contribution_4"]]
    with whole_folder(folder, REPORT_FILES, _AUDIT) as part:
        write_workbook(report, part / _WORKBOOK, language)
        write_page(report, part / _PAGE, language)
        write_table(book.customers.join(historic), part / _CUSTOMERS, kind=".parquet")
        text = json.dumps(plain_data(record), indent=1, allow_nan=False, ensure_ascii=False)
        (part / _AUDIT).write_text(text, encoding="utf-8")
    return list(REPORT_FILES)


@dataclass(frozen=True, eq=False, repr=False)
class Report(EquityReport):
    """An equity report, ready to be written."""

    def write(self, folder: str | PathLike[str], *, language: Language = "en") -> list[str]:
        """Write the workbook, the web page, the customers and the audit trail to a folder, all or nothing.

        Parameters
        ----------
        folder
            Where to. It is new or empty, or holds an earlier report, which is replaced.
        language
            ``"en"`` or ``"de"``.

        Returns
        -------
        list
            The names of the files: ``equity.xlsx``, ``equity.html``, ``customers.parquet``, ``audit.json``.

        Raises
        ------
        OutputError
            If the folder cannot be written to, or holds anything but an earlier report.
        ClvError
            If there is no such language.
        """
        known = parse_language(language)
        return write_report(self, require_path(folder, "the folder of a report", OutputError), known)
