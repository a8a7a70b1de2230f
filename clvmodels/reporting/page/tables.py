"""Tables that scroll in their own frame, and can be sorted if their rows have no order of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from clvmodels.reporting.locale import Locale
from clvmodels.reporting.page.markup import Html, tag

__all__ = ["Row", "head", "name", "number", "section", "table", "words"]


class Row(NamedTuple):
    """Cells, and the class of their row."""

    cells: Sequence[Html]
    kind: str = ""


def head(titles: Sequence[str], *, left: int = 1, sortable: bool = False) -> Row:
    """Return the titles of the columns; the first `left` are of columns of text."""
    cells = []
    for k, title in enumerate(titles):
        kind: dict[str, str | float | bool] = {"scope": "col", "class": "n" if k >= left else False}
        if sortable:
            cells.append(tag("th", tag("button", title, {"type": "button"}), {**kind, "aria-sort": "none"}))
        else:
            cells.append(tag("th", title, kind))
    return Row(cells)


def name(text: str) -> Html:
    """Return the cell that says what its row is about."""
    return tag("th", text, {"scope": "row"})


def words(text: str, kind: str = "") -> Html:
    """Return a cell of text."""
    return tag("td", text, {"class": kind or False})


def number(text: str, value: float | None = None) -> Html:
    """Return a cell with a number, and what to sort it by: what is no number comes last."""
    sort_key = False if value is None else repr(float(value)) if math.isfinite(value) else "-Infinity"
    return tag("td", text, {"class": "n", "data-value": sort_key})


def table(caption: str, titles: Row, body: Sequence[Row], foot: Sequence[Row] = (), *, kind: str = "") -> Html:
    """Return a table in a frame that scrolls; `caption` says to those who do not see the page what it is."""
    content = [tag("caption", caption), tag("thead", _row(titles)), tag("tbody", map(_row, body))]
    if foot:
        content.append(tag("tfoot", map(_row, foot)))
    frame = {"class": "scroll", "role": "region", "tabindex": "0", "aria-label": caption}
    return tag("div", tag("table", content, {"class": kind or False}), frame)


def _row(row: Row) -> Html:
    return tag("tr", row.cells, {"class": row.kind or False})


def section(key: str, locale: Locale, content: Sequence[Html], *, hidden: bool = False) -> Html:
    """Return a section of the page under its title; if hidden, its script has to show it."""
    return tag("section", [tag("h2", locale.label(key)), *content], {"id": key, "hidden": hidden})
