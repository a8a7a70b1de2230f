"""The sheets that tie: the movement between closings, the contribution so far, and the reconciliation to the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from clvmodels.reporting.labels import Language, label
from clvmodels.reporting.locale import Locale
from clvmodels.reporting.workbook.page import CHART_ROWS, Page
from clvmodels.reporting.workbook.style import ACCENT, FALL, RISE, Live, Look, axis, cell
from clvmodels.valuation.line_table import contributions_of
from clvmodels.valuation.movement import Movement
from clvmodels.valuation.reconciliation import UNEXPLAINED
from clvmodels.valuation.statement import TOTAL

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.reporting.content import EquityReport
    from clvmodels.valuation.assumptions import Assumptions

__all__ = ["write_contribution", "write_movement", "write_reconciliation"]

_BALANCES: Final = ("opening", "expected_closing", "closing")
_MONEY: Final = Look("money")
_MUTED: Final = Look("percent", muted=True)
_BOLD: Final = Look("money", bold=True, top=True)


def write_movement(page: Page, report: EquityReport, equity: Live, language: Language) -> Live | None:
    """Write the movements side by side, and the last one as a chart; return the cell of the last check.

    Parameters
    ----------
    page
        The sheet, with its title.
    report
        The report; with one closing there is no movement.
    equity
        The cell of customer equity at the last closing.
    language
        Of the labels.
    """
    if not report.movements:
        page.note(label("no_movement", language))
        return None
    periods = [f"{before} –\n{after}" for before, after in pairwise(report.closings)]
    heads = [name for period in periods for name in (period, label("share_of_opening", language))]
    page.header([label("line", language), *heads], freeze=True)
    first = page.row
    keys = [str(key) for key in report.movements[0].table.index]
    for key in keys:
        _movement_line(page, report.movements, key, first, language)
    closing = page.row - 1
    page.section(label("check", language))
    page.put(page.row, 0, label("movement_check", language), Look(indent=1))
    check = None
    for number, movement in enumerate(report.movements):
        column = 1 + 2 * number
        last = number == len(report.movements) - 1
        right = equity if last else Live(f"={cell(first, column + 2)}", movement.closing.equity)
        check = page.check(page.row, column, Live(f"={cell(closing, column)}", _closing(movement)), right)
    page.row += 1
    _memo(page, report.movements, language)
    _waterfall(page, report.movements[-1], first, 2 * len(report.movements) - 1, language)
    return check


def _name(key: str, language: Language) -> str:
    return label(key if key in _BALANCES else f"movement_{key}", language)


def _closing(movement: Movement) -> float:
    table = movement.table
    return float(table.loc[[key for key in table.index if key not in _BALANCES[1:]], "value"].sum())


def _movement_line(page: Page, movements: Sequence[Movement], key: str, first: int, language: Language) -> None:
    """Write one line of all movements; a balance is the sum of what stands above it."""
    balance = key in _BALANCES
    look, beside = (_BOLD, Look("percent", muted=True, top=True)) if balance else (_MONEY, _MUTED)
    page.put(page.row, 0, _name(key, language), Look(bold=balance, top=balance, indent=int(not balance)))
    keys = [str(name) for name in movements[0].table.index]
    subtotal = first + keys.index("expected_closing")
    for number, movement in enumerate(movements):
        column = 1 + 2 * number
        value = float(movement.table["value"][key])
        item: float | Live = value
        if key == "expected_closing":
            item = Live(f"=SUM({cell(first, column)}:{cell(page.row - 1, column)})", value)
        elif key == "closing":
            item = Live(f"=SUM({cell(subtotal, column)}:{cell(page.row - 1, column)})", _closing(movement))
        page.put(page.row, column, item, look)
        share = value / movement.opening.equity if movement.opening.equity else float("nan")
        text = f'=IFERROR({cell(page.row, column)}/{cell(first, column, "row")},"–")'
        page.put(page.row, column + 1, Live(text, share), beside)
    page.row += 1


def _memo(page: Page, movements: Sequence[Movement], language: Language) -> None:
    """Write the margin expected of the period and the one realised, not discounted."""
    page.section(label("memo", language))
    values = {
        "expected_margin": [movement.expected_margin for movement in movements],
        "realised_margin": [movement.realised_margin for movement in movements],
    }
    for key, numbers in values.items():
        page.put(page.row, 0, label(key, language), Look(indent=1))
        for number, value in enumerate(numbers):
            page.put(page.row, 1 + 2 * number, value, _MONEY)
        page.row += 1
    page.put(page.row, 0, label("difference", language), Look(indent=1))
    for number, (expected, realised) in enumerate(zip(*values.values(), strict=True)):
        above = [cell(page.row - k, 1 + 2 * number) for k in (1, 2)]
        page.put(page.row, 1 + 2 * number, Live(f'=IFERROR({"-".join(above)},"–")', realised - expected), _MONEY)
    page.row += 1


def _waterfall(page: Page, movement: Movement, first: int, column: int, language: Language) -> None:
    """Write the steps of a movement as formulas, and draw them: columns that stand on invisible ones."""
    values = dict(zip(map(str, movement.table.index), movement.table["value"].tolist(), strict=True))
    small = 1e-6 * max(abs(values["opening"]), abs(values["closing"]))
    shown = [key for key in values if key in _BALANCES or abs(values[key]) > small]
    place = page.beside()
    page.row = max(page.row, first + CHART_ROWS)
    page.end_of_print()
    page.section(label("chart_data", language))
    names = ("line", "from", "to", "base_above", "bar_above", "base_below", "bar_below")
    page.header([label(name, language) for name in names])
    top, level = page.row, 0.0
    rows = list(values)
    for key in shown:
        source = cell(first + rows.index(key), column)
        start = 0.0 if key in _BALANCES else level
        level = start + values[key]
        begin: float | Live = 0.0 if key in _BALANCES else Live(f"={cell(page.row - 1, 2)}", start)
        _bar(page, _name(key, language), begin, Live(f"={cell(page.row, 1)}+{source}", level), start)
    colours = [ACCENT if key in _BALANCES else RISE if values[key] > 0.0 else FALL for key in shown]
    page.chart(_columns(page, colours, top), first - 1, place, label("movement", language), legend=False, wide=640)


def _bar(page: Page, name: str, begin: float | Live, end: Live, start: float) -> None:
    """Write where a column stands and how high it is, above and below zero."""
    ends = f"{cell(page.row, 1)},{cell(page.row, 2)}"
    assert isinstance(end.value, float)
    low, high = min(start, end.value), max(start, end.value)
    above, below = max(0.0, low), min(0.0, high)
    items = [
        begin,
        end,
        Live(f"=MAX(0,MIN({ends}))", above),
        Live(f"=MAX(0,MAX({ends}))-{cell(page.row, 3)}", max(0.0, high) - above),
        Live(f"=MIN(0,MAX({ends}))", below),
        Live(f"=MIN(0,MIN({ends}))-{cell(page.row, 5)}", min(0.0, low) - below),
    ]
    page.line([name, *items], [Look(muted=True, indent=1), *[Look("money", muted=True)] * len(items)])


def _columns(page: Page, colours: Sequence[str], top: int) -> Any:  # noqa: ANN401 - XlsxWriter has no types
    """Return the chart of the bars whose data end above the next row."""
    chart = page.workbook.add_chart({"type": "bar", "subtype": "stacked"})
    end = page.row - 1
    for column in range(3, 7):
        cells = {"categories": [page.name, top, 0, end, 0], "values": [page.name, top, column, end, column]}
        fill: dict[str, object] = {"fill": {"none": True}}
        if column in (4, 6):
            fill = {"points": [{"fill": {"color": colour}} for colour in colours]}
        chart.add_series({**cells, **fill, "border": {"none": True}, "gap": 25})
    chart.set_y_axis(axis("General", grid=False, low=True) | {"reverse": True, "interval_unit": 1})
    chart.set_x_axis(axis("#,##0"))
    return chart


def write_contribution(
    page: Page, table: pd.DataFrame, assumptions: Assumptions, equity: Live, language: Language
) -> Live:
    """Write the contribution so far, beside the value still to come; return the cell that says whether this ties.

    Parameters
    ----------
    page
        The sheet, with its title.
    table
        Of `contribution_statement`: lines down, segments across, the total last.
    assumptions
        Of the valuation, with its lines.
    equity
        The cell of customer equity.
    language
        Of the labels.
    """
    segments = [str(name) for name in table.columns[:-1]]
    page.header([label("line", language), label(TOTAL, language), *segments], freeze=True)
    columns = [2 + number for number in range(len(segments))] or [1]
    rows: dict[str, int] = {}
    sums, locale = _sums(assumptions), Locale.of(assumptions, language)
    for key, values in zip(map(str, table.index), table.to_numpy(float).tolist(), strict=True):
        balance = key in sums
        look = _BOLD if balance else _MONEY
        name = {"value": "contribution_and_rlv"}.get(key, key)
        page.put(page.row, 0, locale.named(name), Look(bold=balance, top=balance, indent=int(not balance)))
        for column, value in zip(columns, values, strict=False):
            text = "+".join(cell(rows[part], column) for part in sums.get(key, ()))
            page.put(page.row, column, Live(f"={text}", value) if text else value, look)
        if segments:
            total = f"=SUM({cell(page.row, columns[0])}:{cell(page.row, columns[-1])})"
            page.put(page.row, 1, Live(total, values[-1]), look)
        rows[key] = page.row
        page.row += 1
    page.row += 1
    page.put(page.row, 0, label("rlv_check", language))
    check = page.check(page.row, 1, Live(f"={cell(rows['rlv'], 1)}", float(table.iloc[:, -1]["rlv"])), equity)
    page.row += 1
    return check


def _sums(assumptions: Assumptions) -> dict[str, tuple[str, ...]]:
    """Return the lines of the contribution statement that are sums, and of what."""
    steps = contributions_of(assumptions.formulas)
    before = [(), *((key,) for key in steps)]
    sums = {key: (*above, *parts) for above, (key, parts) in zip(before, steps.items(), strict=False)}
    return sums | {"value": ("contribution_4", "rlv")}


def write_reconciliation(page: Page, table: pd.DataFrame, language: Language) -> Live:
    """Write how the sales tie to the ledger; return the cell that says whether they do.

    Parameters
    ----------
    page
        The sheet, with its title.
    table
        Of `reconciliation`: items, the ledger's total, and what is unexplained.
    language
        Of the labels.
    """
    page.header([label("item", language), label("money_amount", language)], freeze=True)
    first = page.row
    money = dict(zip(map(str, table.index), table.iloc[:, 0].tolist(), strict=True))
    locale = Locale(language, "")
    items = [key for key in money if key not in ("ledger", UNEXPLAINED)]
    for key in items:
        page.line([locale.item(key), money[key]], [Look(indent=1), _MONEY])
    total = Live(f"=SUM({cell(first, 1)}:{cell(page.row - 1, 1)})", money["ledger"] - money[UNEXPLAINED])
    _, explained = page.line([label("explained_sales", language), total], [Look(bold=True, top=True), _BOLD])
    _, ledger = page.line([label("ledger", language), money["ledger"]], [Look(bold=True), Look("money", bold=True)])
    left = Live(f"={ledger.term}-{explained.term}", money[UNEXPLAINED])
    page.line([label(UNEXPLAINED, language), left], [Look(bold=True, top=True), _BOLD])
    page.row += 1
    page.put(page.row, 0, label("reconciliation_check", language))
    check = page.check(page.row, 1, ledger, explained)
    page.row += 1
    return check
