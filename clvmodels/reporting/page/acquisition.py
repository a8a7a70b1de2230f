"""New customers by segment and channel: what they are worth, what they may cost, and when they have paid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clvmodels.reporting.acquisition_text import COLUMNS, cell_text, segments_text
from clvmodels.reporting.content import EquityReport
from clvmodels.reporting.locale import Locale
from clvmodels.reporting.page.markup import Html, tag
from clvmodels.reporting.page.tables import Row, head, name, number, section, table
from clvmodels.valuation.statement import TOTAL

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["acquisition"]


def acquisition(report: EquityReport, locale: Locale) -> Html:
    """Return a table for each column that tells customers apart; nothing if there is none."""
    if not report.acquisition:
        return Html()
    text = segments_text(report, locale)
    content = [tag("p", text)] if text else []
    for by, rows in report.acquisition.items():
        content.append(_table(rows, locale.label("acquisition_by").format(by), by, locale))
    content.append(tag("p", locale.label("acquisition_note"), {"class": "remark"}))
    return section("acquisition", locale, content)


def _table(rows: pd.DataFrame, caption: str, by: str, locale: Locale) -> Html:
    body = [_row(str(segment), row, locale) for segment, row in rows.iloc[:-1].iterrows()]
    total = _row(locale.label(TOTAL), rows.iloc[-1], locale)
    titles = head([by, *(locale.label(key) for key, _ in COLUMNS.values())], sortable=len(body) > 1)
    kind = "wide held sortable" if len(body) > 1 else "wide held"
    return table(caption, titles, body, [Row(total.cells, "sum")], kind=kind)


def _row(segment: str, row: pd.Series[float], locale: Locale) -> Row:
    cells = [number(cell_text(kind, row[column], locale), row[column]) for column, (_, kind) in COLUMNS.items()]
    return Row([name(segment), *cells])
