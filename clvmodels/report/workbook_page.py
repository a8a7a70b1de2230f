"""A sheet of the workbook as it is written: cells that others may refer to, one style for all, widths that fit."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

__all__ = [
    "ACCENT",
    "CHART_ROWS",
    "FALL",
    "MUTED",
    "RISE",
    "SECOND",
    "Kind",
    "Live",
    "Look",
    "Page",
    "Styles",
    "axis",
    "cell",
]

Kind = Literal["text", "money", "unit", "count", "decimal", "percent", "share", "rate", "factor", "id"]
"""What a number is: money, money a piece, a count, a number, a percentage, an assumed one, an assumption, a rate that
follows from assumptions, the id of a customer."""

CHART_ROWS: Final = 19
ACCENT: Final = "#1F4E79"
SECOND: Final = "#9DB7D1"
RISE: Final = "#5B9A6F"
FALL: Final = "#C0605A"
MUTED: Final = "#6B7280"
_INK: Final = "#1F2937"
_RULE: Final = "#C9D1DB"
_BAND: Final = "#EEF2F7"
_FONT: Final = "Calibri"

_NUMBERS: Final[Mapping[Kind, str]] = {
    "text": "@",
    "unit": '#,##0.00;-#,##0.00;"–"',
    "count": '#,##0;-#,##0;"–"',
    "decimal": '#,##0.0;-#,##0.0;"–"',
    "percent": '0.0 %;-0.0 %;"–"',
    "share": "0.0## %",
    "rate": "#,##0.00####",
    "factor": '#,##0.00####;-#,##0.00####;"–"',
    "id": "0",
}
"""Formats as Excel wants them: it shows separators as the reader's country has them."""

_NOTHING: Final = "–"
_LABEL_WIDTH: Final = 14
_WIDEST: Final = 44
_PIXELS_A_COLUMN: Final = 64
_MOST_ROWS: Final = 70
"""Rows that are legible on one printed page."""
_MOST_COLUMNS: Final = 18
"""Columns that are legible on one printed page."""


@dataclass(frozen=True)
class Live:
    """A formula and what it gives at the time of the report, for viewers that do not calculate.

    Attributes
    ----------
    formula
        As Excel has it in English, with its ``=``.
    value
        A number, or a text.
    """

    formula: str
    value: float | str

    @property
    def term(self) -> str:
        """The formula as part of another one; what is more than the name of a cell needs brackets."""
        return self.formula.removeprefix("=")

    @property
    def number(self) -> float:
        """The value of a formula that gives a number."""
        return float(self.value)

    @property
    def shown(self) -> float | str:
        """The value; a dash for what is no finite number."""
        return self.value if isinstance(self.value, str) or math.isfinite(self.value) else _NOTHING


def cell(row: int, column: int, fixed: str = "") -> str:
    """Return the name of a cell; `fixed` says what a dollar sign stands before: ``"row"``, ``"column"`` or ``"both"``.

    Examples
    --------
    >>> cell(2, 27), cell(2, 27, "row"), cell(0, 0, "both")
    ('AB3', 'AB$3', '$A$1')
    """
    letters, rest = "", column + 1
    while rest:
        rest, digit = divmod(rest - 1, 26)
        letters = chr(ord("A") + digit) + letters
    before = ("$" if fixed in ("column", "both") else "", "$" if fixed in ("row", "both") else "")
    return f"{before[0]}{letters}{before[1]}{row + 1}"


@dataclass(frozen=True)
class Look:
    """How a cell looks.

    Attributes
    ----------
    kind
        What its number is.
    bold, top
        Whether it is bold, and has a line above.
    given
        Whether the reader may change it.
    muted
        Whether it is beside the point.
    indent
        Of a text.
    wrap
        Whether a text is broken into lines.
    over
        Whether a text may run over the empty cells beside it.
    right
        Whether a text stands at the right.
    """

    kind: Kind = "text"
    bold: bool = False
    top: bool = False
    given: bool = False
    muted: bool = False
    indent: int = 0
    wrap: bool = False
    over: bool = False
    right: bool = False

    def properties(self, money: str) -> dict[str, object]:
        """Return the look as a format of XlsxWriter."""
        ink = "#0000C8" if self.given else MUTED if self.muted else _INK
        found: dict[str, object] = {"font_name": _FONT, "font_size": 10, "font_color": ink, "valign": "vcenter"}
        found["num_format"] = money if self.kind == "money" else _NUMBERS[self.kind]
        found |= {"bold": True} if self.bold else {}
        found |= {"top": 1, "top_color": _INK} if self.top else {}
        found |= {"bg_color": "#FFF8E1"} if self.given else {}
        found |= {"indent": self.indent} if self.indent else {}
        found |= {"text_wrap": True, "valign": "top"} if self.wrap else {}
        return found | ({"align": "right"} if self.right or self.kind not in ("text", "id") else {"align": "left"})


_TITLE: Final = {"font_name": _FONT, "font_size": 16, "bold": True, "font_color": ACCENT}
_SECTION: Final = {"font_name": _FONT, "font_size": 11, "bold": True, "font_color": ACCENT}
_HEADER: Final = {
    "font_name": _FONT,
    "font_size": 10,
    "bold": True,
    "font_color": _INK,
    "bg_color": _BAND,
    "bottom": 1,
    "bottom_color": _RULE,
    "text_wrap": True,
    "valign": "vcenter",
}


def axis(number_format: str, name: str = "", *, grid: bool = True, low: bool = False) -> dict[str, object]:
    """Return an axis of a chart as XlsxWriter wants it; with `low`, its labels stand at the edge and not at zero."""
    font = {"name": _FONT, "size": 9, "color": _INK, "bold": False}
    found: dict[str, object] = {"num_format": number_format, "num_font": font, "line": {"color": _RULE}}
    found |= {"major_gridlines": {"visible": grid, "line": {"color": "#E5E9EF", "width": 0.75}}}
    found |= {"name": name, "name_font": font} if name else {}
    return found | ({"label_position": "low"} if low else {})


class Styles:
    """The formats of one workbook, each made once."""

    def __init__(self, workbook: Any, money_digits: int) -> None:  # noqa: ANN401 - XlsxWriter has no types
        digits = "." + "0" * money_digits if money_digits else ""
        self.money = f'#,##0{digits};-#,##0{digits};"–"'
        self.money_digits = money_digits
        self._workbook = workbook
        self._made: dict[object, Any] = {}

    def of(self, look: Look) -> Any:  # noqa: ANN401
        """Return the format of a look."""
        return self.made(look, look.properties(self.money))

    def made(self, key: object, properties: Mapping[str, object]) -> Any:  # noqa: ANN401
        """Return the format known by a key."""
        if key not in self._made:
            self._made[key] = self._workbook.add_format(dict(properties))
        return self._made[key]


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
        self._printed = 0
        self._right = 0

    def ref(self, row: int, column: int) -> str:
        """Return how other sheets call a cell of this one."""
        return f"'{self.name}'!{cell(row, column, 'both')}"

    def put(self, row: int, column: int, item: float | str | Live, look: Look = Look()) -> Live:
        """Write a text, a number or a formula, and return a formula that any sheet may refer to the cell with."""
        form = self.styles.of(look)
        if isinstance(item, Live):
            self.sheet.write_formula(row, column, item.formula, form, item.shown)
        elif isinstance(item, str):
            self.sheet.write_string(row, column, item, form)
        elif math.isfinite(item):
            self.sheet.write_number(row, column, item, form)
        else:
            self.sheet.write_string(row, column, _NOTHING, form)
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
        self.sheet.write_string(0, 0, text, self.styles.made("title", _TITLE))
        for row, line in enumerate(below, start=1):
            self.sheet.write_string(row, 0, line, self.styles.of(Look(muted=True)))
        self.row = len(below) + 2

    def section(self, text: str) -> None:
        """Write the heading of a section, a row below what is there."""
        if self.row > 3:
            self.row += 1
        self.sheet.write_string(self.row, 0, text, self.styles.made("section", _SECTION))
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
            form = self.styles.made(("header", *align.items()), _HEADER | align)
            self.sheet.write_string(self.row, column, name, form)
            longest = max((len(word) for word in name.split()), default=0)
            self._fit(column, max(longest, min(len(name), _LABEL_WIDTH)) + 1)
        self._headers.append((self.row, tuple(names)))
        if freeze:
            self.sheet.freeze_panes(self.row + 1, 1)
            self.sheet.repeat_rows(self.row)
        self.row += 1

    def line(self, items: Sequence[float | str | Live], looks: Sequence[Look], *, column: int = 0) -> list[Live]:
        """Write a row of a table and return what `put` returns of its cells."""
        found = [
            self.put(self.row, column + number, item, look)
            for number, (item, look) in enumerate(zip(items, looks, strict=True))
        ]
        self.row += 1
        return found

    def note(self, text: str, width: int = 6) -> None:
        """Write a remark across some columns, as high as it needs to be."""
        form = self.styles.of(Look(muted=True, wrap=True))
        self.sheet.merge_range(self.row, 0, self.row, width - 1, "", form)
        self.sheet.write_string(self.row, 0, text, form)
        self._notes.append((self.row, text, width))
        self.row += 1

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

    def chart(self, chart: Any, row: int, column: int, title: str, *, legend: bool = True, wide: int = 600) -> None:  # noqa: ANN401
        """Place a chart, `wide` pixels wide and `CHART_ROWS` high, with its title and the style of the house."""
        self._right = max(self._right, column + math.ceil(wide / _PIXELS_A_COLUMN))
        font = {"name": _FONT, "size": 9, "color": _INK}
        chart.set_title({"name": title, "name_font": {**font, "size": 11, "color": ACCENT}, "overlay": False})
        chart.set_legend({"position": "bottom", "font": font} if legend else {"none": True})
        chart.set_chartarea({"border": {"color": _RULE}})
        chart.set_size({"width": wide, "height": 20 * CHART_ROWS - 12})
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
        self.sheet.print_area(0, 0, printed, max([self._right, *self._widths]))
        self.sheet.fit_to_pages(across, 1 if printed <= _MOST_ROWS else 0)
        if across > 1:
            self.sheet.repeat_columns(0)
        left, right, below = (text.replace("&", "&&") for text in (header[:120], closing, footer))
        self.sheet.set_header(f"&L&8 {left}&R&8 {right}")
        self.sheet.set_footer(f"&L&8 {below}&R&8 &P / &N")

    def _set_heights(self) -> None:
        """Make rows as high as their texts need, now that the widths are known."""
        for row, text, width in self._notes:
            across = sum(self._width(column) for column in range(width))
            self.sheet.set_row(row, 14 * math.ceil(len(text) / across + 0.1))
        for row, names in self._headers:
            lines = [
                sum(math.ceil(len(part) / (self._width(column) - 1)) for part in name.split("\n"))
                for column, name in enumerate(names)
            ]
            self.sheet.set_row(row, 14 * max(lines) + 3)
