"""What the cells and charts of the workbook look like, and what formulas are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

__all__ = [
    "ACCENT",
    "FALL",
    "FONT",
    "HEADER",
    "INK",
    "NOTHING",
    "RISE",
    "RULE",
    "SECOND",
    "SECTION",
    "TITLE",
    "Kind",
    "Live",
    "Look",
    "Styles",
    "axis",
    "cell",
]

Kind = Literal["text", "money", "unit", "count", "decimal", "percent", "share", "rate", "factor", "id"]
"""What a number is: money, money a piece, a count, a number, a percentage, an assumed one, an assumption, a rate that
follows from assumptions, the id of a customer."""

FONT: Final = "Calibri"
INK: Final = "#1F2937"
RULE: Final = "#C9D1DB"
ACCENT: Final = "#1F4E79"
SECOND: Final = "#9DB7D1"
RISE: Final = "#5B9A6F"
FALL: Final = "#C0605A"
_MUTED: Final = "#6B7280"
_BAND: Final = "#EEF2F7"
_GIVEN: Final = "#0000C8"
_GIVEN_BAND: Final = "#FFF8E1"

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

NOTHING: Final = "–"


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
        return self.value if isinstance(self.value, str) or math.isfinite(self.value) else NOTHING


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
        ink = _GIVEN if self.given else _MUTED if self.muted else INK
        properties: dict[str, object] = {"font_name": FONT, "font_size": 10, "font_color": ink, "valign": "vcenter"}
        properties["num_format"] = money if self.kind == "money" else _NUMBERS[self.kind]
        properties |= {"bold": True} if self.bold else {}
        properties |= {"top": 1, "top_color": INK} if self.top else {}
        properties |= {"bg_color": _GIVEN_BAND} if self.given else {}
        properties |= {"indent": self.indent} if self.indent else {}
        properties |= {"text_wrap": True, "valign": "top"} if self.wrap else {}
        return properties | ({"align": "right"} if self.right or self.kind not in ("text", "id") else {"align": "left"})


TITLE: Final = {"font_name": FONT, "font_size": 16, "bold": True, "font_color": ACCENT}
SECTION: Final = {"font_name": FONT, "font_size": 11, "bold": True, "font_color": ACCENT}
HEADER: Final = {
    "font_name": FONT,
    "font_size": 10,
    "bold": True,
    "font_color": INK,
    "bg_color": _BAND,
    "bottom": 1,
    "bottom_color": RULE,
    "text_wrap": True,
    "valign": "vcenter",
}


def axis(number_format: str, *, grid: bool = True, low: bool = False) -> dict[str, object]:
    """Return an axis of a chart as XlsxWriter wants it; with `low`, its labels stand at the edge and not at zero."""
    font = {"name": FONT, "size": 9, "color": INK, "bold": False}
    options: dict[str, object] = {"num_format": number_format, "num_font": font, "line": {"color": RULE}}
    options |= {"major_gridlines": {"visible": grid, "line": {"color": "#E5E9EF", "width": 0.75}}}
    return options | ({"label_position": "low"} if low else {})


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
