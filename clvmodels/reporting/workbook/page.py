"""A sheet of the workbook as it is written: cells that others may refer to, widths that fit, print set-up."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any, Final

from clvmodels.reporting.workbook.style import (
    ACCENT,
    FONT,
    HEADER,
    INK,
    NOTHING,
    RULE,
    SECTION,
    TITLE,
    Live,
    Look,
    Styles,
    cell,
)

__all__ = ["CHART_ROWS", "Page"]

CHART_ROWS: Final = 19
"""Rows that a chart is high."""
_PLAIN: Final = Look()
_HEADER_WIDTH: Final = 14
"""Characters from which on the name of a column is broken into lines."""
_WIDEST: Final = 44
"""Characters that the widest column shows."""
_PIXELS_A_COLUMN: Final = 64
_LEAST_COLUMNS: Final = 6
"""Columns that are printed in any case, so that titles have room."""
_MOST_COLUMNS: Final = 18
"""Columns that are legible on one printed page."""
_MOST_ROWS: Final = 70
"""Rows that are legible on one printed page."""


class Page:
    """A sheet, written from above; `row` is the next free one.

    Parameters
    ----------
    workbook
        Of XlsxWriter.
    name
        Of the sheet.
    styles
        The formats.
    """

    def __init__(self, workbook: Any, name: str, styles: Styles) -> None:  # noqa: ANN401
        self.workbook = workbook
        self.name = name
        self.sheet = workbook.add_worksheet(name)
        self.number = len(workbook.worksheets())
        self.sheet.hide_gridlines(2)
        self.styles = styles
        self.row = 0
        self._widths: dict[int, int] = {}
        self._notes: list[tuple[int, str, int]] = []
        self._headers: list[tuple[int, tuple[str, ...]]] = []
        self._top = 0
        self._printed = 0
        self._right = 0

    def ref(self, row: int, column: int) -> str:
        """Return how other sheets call a cell of this one."""
        return f"'{self.name}'!{cell(row, column, 'both')}"

    def put(self, row: int, column: int, item: float | str | Live, look: Look = _PLAIN) -> Live:
        """Write a text, a number or a formula, and return a formula that any sheet may refer to the cell with."""
        form = self.styles.of(look)
        if isinstance(item, Live):
            self.sheet.write_formula(row, column, item.formula, form, item.shown)
        elif isinstance(item, str):
            self.sheet.write_string(row, column, item, form)
        elif math.isfinite(item):
            self.sheet.write_number(row, column, item, form)
        else:
            self.sheet.write_string(row, column, NOTHING, form)
        self.fit(column, item, look)
        return Live(f"={self.ref(row, column)}", item.value if isinstance(item, Live) else item)

    def fit(self, column: int, item: float | str | Live, look: Look) -> None:
        """Make a column wide enough for an item."""
        self._fit(column, self._length(item, look))

    def _length(self, item: float | str | Live, look: Look) -> int:
        value = item.shown if isinstance(item, Live) else item
        if isinstance(value, str):
            return 0 if look.wrap or look.over else len(value) + 2 * look.indent
        if not math.isfinite(value):
            return 1
        digits = {"money": self.styles.money_digits, "count": 0, "id": 0, "rate": 4, "factor": 4, "unit": 2}.get(
            look.kind, 1
        )
        return len(f"{value:,.{digits}f}") + (2 if look.kind in ("percent", "share") else 0)

    def _fit(self, column: int, length: int) -> None:
        self._widths[column] = max(self._widths.get(column, 0), min(length, _WIDEST))

    def title(self, text: str, *below: str) -> None:
        """Write the title of the sheet, and lines below it."""
        self.sheet.set_row(0, 24)
        self.sheet.write_string(0, 0, text, self.styles.made("title", TITLE))
        for row, line in enumerate(below, start=1):
            self.sheet.write_string(row, 0, line, self.styles.of(Look(muted=True)))
        self.row = self._top = len(below) + 2

    def section(self, text: str) -> None:
        """Write the heading of a section, a row below what is there."""
        if self.row > 3:
            self.row += 1
        self.sheet.write_string(self.row, 0, text, self.styles.made("section", SECTION))
        self.row += 1

    def header(self, names: Sequence[str], *, freeze: bool = False, left: Collection[int] = (0,)) -> None:
        """Write the head of a table.

        Parameters
        ----------
        names
            Of the columns.
        freeze
            Whether the head stays in sight, and is printed on each page.
        left
            The columns that are texts.
        """
        for column, name in enumerate(names):
            align: dict[str, object] = {"indent": int(column > 0)} if column in left else {"align": "right"}
            form = self.styles.made(("header", *align.items()), HEADER | align)
            self.sheet.write_string(self.row, column, name, form)
            longest = max((len(word) for word in name.split()), default=0)
            self._fit(column, max(longest, min(len(name), _HEADER_WIDTH)) + 1)
        self._headers.append((self.row, tuple(names)))
        if freeze:
            self.sheet.freeze_panes(self.row + 1, 1)
            self.sheet.repeat_rows(self.row)
        self.row += 1

    def line(self, items: Sequence[float | str | Live], looks: Sequence[Look]) -> list[Live]:
        """Write a row of a table and return what `put` returns of its cells."""
        cells = enumerate(zip(items, looks, strict=True))
        formulas = [self.put(self.row, column, item, look) for column, (item, look) in cells]
        self.row += 1
        return formulas

    def note(self, text: str, width: int = 6) -> None:
        """Write a remark across some columns, as high as it needs to be."""
        form = self.styles.of(Look(muted=True, wrap=True))
        self.sheet.merge_range(self.row, 0, self.row, width - 1, "", form)
        self.sheet.write_string(self.row, 0, text, form)
        self._notes.append((self.row, text, width))
        self.row += 1
        if not self._headers:
            self._top = self.row

    def check(self, row: int, column: int, left: Live, right: Live) -> Live:
        """Write whether two amounts are the same: OK, or the difference; return what `put` returns."""
        difference, scale = left.number - right.number, abs(right.number)
        good = abs(difference) <= max(0.005, 1e-9 * scale)
        minus, within = f"{left.term}-{right.term}", f"MAX(0.005,0.000000001*ABS({right.term}))"
        answer = Live(f'=IF(ABS({minus})<={within},"OK",{minus})', "OK" if good else difference)
        self.mark(row, column)
        return self.put(row, column, answer, Look("money", bold=True))

    def mark(self, row: int, column: int) -> None:
        """Let a cell be green if it says OK, and red if not."""
        for criteria, properties in (
            ("equal to", {"font_color": "#1E6B3A", "bg_color": "#E3F1E7"}),
            ("not equal to", {"font_color": "#FFFFFF", "bg_color": "#B3261E"}),
        ):
            form = self.styles.made(criteria, properties)
            rule = {"type": "cell", "criteria": criteria, "value": '"OK"', "format": form}
            self.sheet.conditional_format(row, column, row, column, rule)

    def beside(self) -> int:
        """Return the column to the right of what is there, where a chart may stand."""
        return max(self._widths) + 2

    def end_of_print(self) -> None:
        """Do not print what comes next."""
        self._printed = self.row

    def chart(
        self,
        chart: Any,  # noqa: ANN401
        row: int,
        column: int,
        title: str,
        *,
        legend: bool = True,
        wide: int = 600,
        rows: int = CHART_ROWS,
    ) -> None:
        """Place a chart, `wide` pixels wide and `rows` high, with its title and the style of the house."""
        self._right = max(self._right, column + math.ceil(wide / _PIXELS_A_COLUMN))
        font = {"name": FONT, "size": 9, "color": INK}
        chart.set_title({"name": title, "name_font": {**font, "size": 11, "color": ACCENT}, "overlay": False})
        chart.set_legend({"position": "bottom", "font": font} if legend else {"none": True})
        chart.set_chartarea({"border": {"color": RULE}})
        chart.set_size({"width": wide, "height": 20 * rows - 12})
        self.sheet.insert_chart(row, column, chart, {"object_position": 1, "x_offset": 4, "y_offset": 4})

    def _width(self, column: int) -> int:
        return max(self._widths.get(column, 8), 9) + 3

    def finish(self, header: str, closing: str, footer: str) -> None:
        """Fit the columns and set up printing.

        Parameters
        ----------
        header, closing
            At the head of each page, left and right.
        footer
            At its foot, before the number of the page.
        """
        for column in self._widths:
            self.sheet.set_column(column, column, self._width(column))
        self.sheet.set_landscape()
        self.sheet.set_paper(9)
        self.sheet.set_margins(left=0.5, right=0.5, top=0.8, bottom=0.7)
        self._set_heights()
        across = math.ceil((max(self._widths, default=0) + 1) / _MOST_COLUMNS)
        printed = self._printed or self.row
        top = 0 if across == 1 else self._top  # beside a repeated column the texts above the table would be cut off
        self.sheet.print_area(top, 0, printed, max([_LEAST_COLUMNS, self._right, *self._widths]))
        self.sheet.fit_to_pages(across, 1 if printed <= _MOST_ROWS else 0)
        if across > 1:
            self.sheet.repeat_columns(0)
        left, right, below = (text.replace("&", "&&") for text in (header[:120], closing, footer))
        self.sheet.set_header(f"&L&8 {left}&C&8 &A&R&8 {right}")
        self.sheet.set_footer(f"&L&8 {below}&R&8 &P / &N")

    def _set_heights(self) -> None:
        """Make rows as high as their texts need, now that the widths are known."""
        for row, text, width in self._notes:
            across = sum(self._width(column) for column in range(width))
            self.sheet.set_row(row, 14 * math.ceil(len(text) / across))
        for row, names in self._headers:
            lines = [
                sum(math.ceil(len(part) / (self._width(column) - 1)) for part in name.split("\n"))
                for column, name in enumerate(names)
            ]
            self.sheet.set_row(row, 14 * max(lines) + 3)
