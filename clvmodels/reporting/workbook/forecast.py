"""The sheet of forecasts against what came: the last third held back, and the closing before, period by period."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from clvmodels.reporting.compared import Compared, amounts_of, by_period, of_last_third, of_total
from clvmodels.reporting.forecast_text import about_last_third, about_previous
from clvmodels.reporting.labels import Language
from clvmodels.reporting.locale import Locale
from clvmodels.reporting.workbook.page import Page
from clvmodels.reporting.workbook.style import Live, Look, cell
from clvmodels.valuation.statement import TOTAL

if TYPE_CHECKING:
    from clvmodels.reporting.content import EquityReport
    from clvmodels.reporting.workbook.style import Kind
    from clvmodels.valuation.support import Amount

__all__ = ["write_forecast"]

_KINDS: Final[Mapping[Amount, Kind]] = {"revenue": "money", "purchases": "count"}
_COLUMNS: Final = ("actual", "predicted", "band_low", "band_high", "deviation", "verdict")


def write_forecast(page: Page, report: EquityReport, language: Language) -> None:
    """Write what was predicted and what came; the differences are formulas.

    Parameters
    ----------
    page
        The sheet, with its title.
    report
        The report.
    language
        Of the labels.
    """
    locale = Locale(language, report.book.assumptions.currency)
    page.section(locale.label("last_third"))
    for text in about_last_third(report, locale):
        page.note(text)
    if report.tested is not None:
        _header(page, "", locale)
        for what, amount in of_last_third(report.tested).items():
            _line(page, locale.label(what), what, amount, locale)
    check = report.forecast
    if check is None:
        return
    page.section(locale.label("forecast_of").format(locale.day(report.closings[-2])))
    for text in about_previous(report, check, locale):
        page.note(text)
    for what in amounts_of(check):
        page.row += 1
        _header(page, locale.label(what), locale)
        for day, amount in by_period(check, what).items():
            _line(page, f"{locale.label('until')} {locale.day(day)}", what, amount, locale)
        _line(page, locale.label(TOTAL), what, of_total(check, what), locale, total=True)


def _header(page: Page, what: str, locale: Locale) -> None:
    page.header([what, *map(locale.label, _COLUMNS)])


def _line(page: Page, text: str, what: Amount, amount: Compared, locale: Locale, *, total: bool = False) -> None:
    """Write an amount; of a total, the ends of the band are not the sums of those above."""
    change: float | Live = math.nan
    if math.isfinite(amount.change):
        change = Live(f"={cell(page.row, 1)}/{cell(page.row, 2)}-1", amount.change)
    amounts = [amount.actual, amount.predicted, amount.low, amount.high]
    number = Look(_KINDS[what], bold=total, top=total)
    looks = [
        Look(bold=total, top=total, indent=int(not total)),
        *[number] * 4,
        Look("percent", bold=total, top=total),
        Look(bold=total, top=total, right=True),
    ]
    page.line([text, *amounts, change, locale.label(f"place_{amount.place}")], looks)
