"""The sheet of the customers: the most important ones, and the sum of the others, so that the total ties.

XlsxWriter takes ten times as long for these rows as all else takes. It writes the last of them, and the rows above are
put into the sheet's XML in the form of that one (ECMA-376, part 1, section 18.3.1.73, ``row``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np

from clvmodels.reporting.labels import Language, label
from clvmodels.reporting.locale import Locale
from clvmodels.reporting.workbook.page import Page
from clvmodels.reporting.workbook.style import Kind, Live, Look, cell

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.reporting.content import EquityReport

__all__ = ["MOST", "Rows", "write_customers", "write_with_rows"]

MOST: Final = 50_000
"""Customers that are shown; `customers.parquet` has all."""

_KINDS: Final[dict[str, Kind]] = {
    "discounted_orders": "unit",
    "discounted_lifetime": "unit",
    "order_value": "unit",
    "probability_of_loss": "percent",
}
_NOT_SUMMED: Final = ("order_value", "rlv_sd", "rlv_q05", "rlv_q50", "rlv_q95", "probability_of_loss")
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""What XML cannot hold."""
_PRINTED: Final = 50
"""Customers that are printed."""
_EXACT: Final = 10**15
"""Whole numbers up to here keep all their digits in Excel."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a sheet that are still to be put in.

    Attributes
    ----------
    sheet
        The number of the sheet, from 1.
    last
        The row that is there already, from 1; these are the ones above it.
    columns
        Of the table: numbers or texts, shape (rows,) each; what is no finite number is left empty.
    """

    sheet: int
    last: int
    columns: Sequence[Sequence[float | str]]


def write_customers(page: Page, report: EquityReport, equity: Live, language: Language) -> tuple[Live, Rows]:
    """Write the customers with the largest residual value, by amount; return the cell of the check, and their rows.

    Parameters
    ----------
    page
        The sheet, with its title.
    report
        The report.
    equity
        The cell of customer equity.
    language
        Of the labels.
    """
    book = report.book
    table = book.customers
    order = np.argsort(-np.abs(book.rlv), kind="stable")[:MOST]
    shown = table.iloc[order[np.argsort(-book.rlv[order], kind="stable")]]
    counts = (f"{number:,}" for number in (len(shown), len(table)))
    grouped = counts if language == "en" else (text.replace(",", ".") for text in counts)
    note = label("customers_note" if len(shown) < len(table) else "customers_all", language)
    page.note(note.format(*grouped), width=8)
    page.row += 1
    names = [str(name) for name in table]
    looks = [Look(_KINDS.get(name, "unit")) for name in names]
    first, end = page.row + 4, page.row + 3 + len(shown)
    check = _totals(page, table, shown, first, end, equity, language)
    heads = [label("customer_id", language), *map(Locale.of(book.assumptions, language).named, names)]
    page.header(heads, freeze=True)
    ids = _ids(shown.index)
    columns: list[list[float | str]] = [ids, *(shown[name].tolist() for name in names)]
    page.sheet.autofilter(page.row - 1, 0, end, len(names))
    for column, (values, look) in enumerate(zip(columns, [Look("id"), *looks], strict=True)):
        page.put(end, column, values[-1], look)
    page.fit(0, max(map(str, ids), key=len), Look("id"))
    for column, name in enumerate(names, start=1):
        for longest in (shown[name].min(), shown[name].max()):
            page.fit(column, float(longest), looks[column - 1])
    page.row += _PRINTED
    page.end_of_print()
    return check, Rows(page.number, end + 1, [values[:-1] for values in columns])


def _totals(
    page: Page, table: pd.DataFrame, shown: pd.DataFrame, first: int, end: int, equity: Live, language: Language
) -> Live:
    """Write the total, the customers who are not shown, and whether the total is that of the statement."""
    names = ("total", "customers_not_shown", "check")
    for row, name in enumerate(names, start=page.row):
        page.put(row, 0, label(name, language), Look(bold=row == page.row))
    amounts = {}
    for column, name in enumerate(map(str, table), start=1):
        if name in _NOT_SUMMED:
            continue
        whole, part = float(table[name].sum()), float(shown[name].sum())
        text = f"=SUM({cell(first, column)}:{cell(end, column)})+{cell(page.row + 1, column)}"
        amounts[name] = page.put(page.row, column, Live(text, whole), Look("unit", bold=True))
        page.put(page.row + 1, column, whole - part if len(shown) < len(table) else 0.0, Look("unit"))
    check = page.check(page.row + 2, 1 + list(table).index("rlv"), amounts["rlv"], equity)
    page.row += len(names)
    return check


def _ids(ids: pd.Index[Any]) -> list[float | str]:
    """Return the ids as numbers, if Excel can hold them, and else as texts."""
    if ids.dtype.kind in "iu" and max(ids.max(), -ids.min()) <= _EXACT:
        return [int(customer_id) for customer_id in ids]
    return [_CONTROL.sub("", str(customer_id)) for customer_id in ids]


def write_with_rows(content: bytes, rows: Rows, path: Path) -> None:
    """Write a workbook with rows put in.

    Parameters
    ----------
    content
        The workbook as XlsxWriter made it.
    rows
        What is put in.
    path
        Where to.
    """
    name = f"xl/worksheets/sheet{rows.sheet}.xml"
    with ZipFile(BytesIO(content)) as before, ZipFile(path, "w", ZIP_DEFLATED) as after:
        for entry in before.infolist():
            data = before.read(entry)
            info = ZipInfo(entry.filename, entry.date_time)
            if entry.filename == name:
                after.writestr(info, _put_in(data.decode(), rows), ZIP_DEFLATED, compresslevel=3)
            else:
                after.writestr(info, data, ZIP_DEFLATED)


def _put_in(sheet: str, rows: Rows) -> bytes:
    """Return the XML of a sheet with rows above its last one, in the form of that one."""
    count = len(rows.columns[0])
    start = sheet.rindex(f'<row r="{rows.last}"')
    styles = re.findall(r'<c r="[A-Z]+\d+" s="(\d+)"', sheet[start:])
    first = rows.last - count
    cells = [
        _cells(cell(0, column).rstrip("1"), style, values, first)
        for column, (style, values) in enumerate(zip(styles, rows.columns, strict=True))
    ]
    lines = [f'<row r="{row}">{"".join(parts)}</row>' for row, parts in enumerate(zip(*cells, strict=True), first)]
    return "".join([sheet[:start], *lines, sheet[start:]]).encode()


def _cells(column: str, style: str, values: Sequence[float | str], first: int) -> list[str]:
    """Return the cells of a column, of texts or of numbers; what is no finite number leaves its cell empty."""
    rows = enumerate(values, first)
    if any(isinstance(value, str) for value in values[:1]):
        form = f'" s="{style}" t="inlineStr"><is><t xml:space="preserve">'
        return [f'<c r="{column}{row}{form}{escape(str(value))}</t></is></c>' for row, value in rows]
    form = f'" s="{style}"><v>'
    cells = [f'<c r="{column}{row}{form}{value!r}</v></c>' for row, value in rows]
    for place in np.flatnonzero(~np.isfinite(np.asarray(values, dtype=np.float64))).tolist():
        cells[place] = f'<c r="{column}{first + place}" s="{style}"/>'
    return cells
