"""The first sheet: the key figures, all taken from the other sheets, and whether these tie."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from clvmodels.reporting.acquisition_text import COLUMNS, segments_text
from clvmodels.reporting.forecast_text import fact_of_test
from clvmodels.reporting.labels import Language, label
from clvmodels.reporting.locale import Locale
from clvmodels.reporting.remarks import headline_remarks
from clvmodels.reporting.support_text import basis_text, interval_label, parts_of, verdict_text
from clvmodels.reporting.workbook.page import Page
from clvmodels.reporting.workbook.statement import StatementCells
from clvmodels.reporting.workbook.style import ACCENT, Kind, Live, Look, axis, cell
from clvmodels.valuation.statement import TOTAL

if TYPE_CHECKING:
    from clvmodels.reporting.content import EquityReport
    from clvmodels.valuation.book import Book
    from clvmodels.valuation.support import Support

__all__ = ["write_summary"]

_FIGURES: Final[Mapping[str, Kind]] = {
    "equity": "money",
    "low": "money",
    "high": "money",
    "customers": "count",
    "living_customers": "decimal",
    "per_customer": "unit",
    "discounted_orders": "decimal",
    "living_years": "decimal",
    "share_1": "percent",
    "share_3": "percent",
    "share_5": "percent",
    "share_10": "percent",
}
"""What is shown of the closing, and as far as it is at hand, of the one before."""
_MOST_COLUMNS_OF_A_CHART: Final = 24


def write_summary(
    page: Page, report: EquityReport, statement: StatementCells, checks: Mapping[str, Live], language: Language
) -> None:
    """Write the summary.

    Parameters
    ----------
    page
        The sheet, with its title.
    report
        The report.
    statement
        Where the figures are.
    checks
        By sheet, the cell that says whether it ties.
    language
        Of the labels.
    """
    locale = Locale(language, report.book.assumptions.currency)
    for remark in headline_remarks(report.book, report.candidates, locale):
        page.note(remark)
    page.note(label("live_note", language))
    page.row += 1
    if report.support is not None and report.support.verdict == "not supported":
        _reach(page, report, report.support, locale)
        page.row += 1
    _key_figures(page, report, statement, language)
    if report.support is not None and report.support.verdict != "not supported":
        _reach(page, report, report.support, locale)
    if len(report.candidates) > 1:
        _models(page, report, locale)
    page.section(label("checks", language))
    for name, answer in checks.items():
        page.put(page.row, 0, label(name, language), Look(indent=1))
        page.mark(page.row, 1)
        page.put(page.row, 1, Live(answer.formula, answer.value), Look("money", bold=True))
        page.row += 1
    if statement.groups:
        _segments(page, report.by or "", statement, language)
    _new_customer(page, report.book, language)
    _acquisition(page, report, locale)
    if report.notes:
        page.section(label("notes", language))
    for note in report.notes:
        page.note(note)


def _key_figures(page: Page, report: EquityReport, statement: StatementCells, language: Language) -> None:
    """Write the figures of the closing, beside those of the one before."""
    before = _figures_of(report.books[-2]) if len(report.books) > 1 else {}
    heads = [report.closings[-1], *([report.closings[-2], label("change", language)] if before else [])]
    page.header([label("key_figures", language), *heads])
    for name, kind in _FIGURES.items():
        if name not in statement.total:
            continue
        bold = name == "equity"
        look = Look(kind, bold=bold)
        now = page.put(page.row, 1, statement.total[name], look)
        page.put(page.row, 0, label(name, language), Look(bold=bold, indent=1))
        if name in before:
            page.put(page.row, 2, before[name], look)
            change = Live(f"={cell(page.row, 1)}-{cell(page.row, 2)}", now.number - before[name])
            page.put(page.row, 3, change, look)
        page.row += 1
    equity = report.book.equity
    page.line([label("equity_as_reported", language), equity], [Look(indent=1, muted=True), Look("money", muted=True)])
    effect = Live(f"={statement.total['equity'].term}-{cell(page.row - 1, 1)}", 0.0)
    page.line([label("effect_of_changes", language), effect], [Look(indent=1, muted=True), Look("money", muted=True)])


def _reach(page: Page, report: EquityReport, support: Support, locale: Locale) -> None:
    """Write how far the data carry the equity: parts, interval, verdict and test; none of it is a formula."""
    page.section(locale.label("support"))
    page.note(verdict_text(support, locale))
    page.note(locale.label("as_reported"))
    look = [Look(indent=1), Look("money"), Look("percent")]
    for what, value in parts_of(support, locale).items():
        page.line([what, value, value / support.equity if support.equity > 0.0 else math.nan], look)
    page.line([locale.label("verdict"), locale.label(f"verdict_{support.verdict}")], [Look(indent=1), Look(right=True)])
    page.note(interval_label(support.interval, locale))
    for end, value in (("low", support.interval.low), ("high", support.interval.high)):
        page.line([locale.label(end), value], look[:2])
    if report.tested is not None:
        page.note(f"{locale.label('last_third')}: {fact_of_test(report.tested, locale)}")


def _models(page: Page, report: EquityReport, locale: Locale) -> None:
    """Write the models that are averaged, each with its weight and the equity under it alone."""
    book = report.book
    page.section(locale.label("models"))
    page.note(basis_text(book, locale))
    page.header(["", *(locale.label(key) for key in ("weight", "log_likelihood", "equity_alone"))])
    looks = [Look(indent=1), Look("unit"), Look("decimal"), Look("money")]
    for candidate in report.candidates:
        fit = candidate.fit
        page.line([fit.model.name, candidate.weight, fit.log_likelihood, candidate.equity], looks)


def _figures_of(book: Book) -> dict[str, float]:
    return {
        "equity": book.equity,
        "customers": float(len(book.histories)),
        "living_customers": float(book.alive.sum()),
        "per_customer": book.equity / len(book.histories),
        "discounted_orders": float(book.future.D.sum()),
        "living_years": float(book.future.L.sum()),
    }


def _segments(page: Page, by: str, statement: StatementCells, language: Language) -> None:
    """Write equity by segment, and draw it."""
    page.section(label("by_segment", language))
    names = ("equity", "share", "customers", "per_customer")
    page.header([by, *(label(name, language) for name in names)])
    first = page.row
    whole = statement.total["equity"]
    looks = [Look(indent=1), Look("money"), Look("percent"), Look("count"), Look("unit")]
    rows = zip(*(statement.of_groups[name] for name in ("equity", "customers", "per_customer")), strict=True)
    for name, (equity, customers, per_customer) in zip(statement.groups, rows, strict=True):
        share = Live(f'=IFERROR({equity.term}/{whole.term},"–")', _share(equity, whole))
        page.line([name, equity, share, customers, per_customer], looks)
    total = [statement.total[name] for name in ("equity", "customers", "per_customer")]
    share = Live(f'=IFERROR({whole.term}/{whole.term},"–")', _share(whole, whole))
    bold = [Look(look.kind, bold=True, top=True) for look in looks]
    page.line([label("total", language), total[0], share, *total[1:]], bold)
    if len(statement.groups) > _MOST_COLUMNS_OF_A_CHART:
        return
    chart = page.workbook.add_chart({"type": "column"})
    end = first + len(statement.groups) - 1
    cells = {"categories": [page.name, first, 0, end, 0], "values": [page.name, first, 1, end, 1]}
    chart.add_series({**cells, "fill": {"color": ACCENT}, "border": {"none": True}, "gap": 60})
    chart.set_x_axis(axis("General", grid=False, low=True))
    chart.set_y_axis(axis("#,##0"))
    page.chart(chart, 4, page.beside(), f"{label('customer_equity', language)}: {by}", legend=False, wide=520)


def _share(part: Live, whole: Live) -> float:
    return part.number / whole.number if whole.number else float("nan")


def _new_customer(page: Page, book: Book, language: Language) -> None:
    """Write what a customer is worth at the moment of acquisition."""
    page.section(label("new_customer", language))
    new = book.new_customer
    unit, bold = Look("unit"), Look("unit", bold=True, top=True)
    first = page.row
    source = label("first_order_of_log" if new.first_orders else "first_order_of_model", language)
    number = Locale(language, "").number(new.first_orders)
    page.line([source.format(number), new.first_order], [Look(indent=1), unit])
    page.line([label("what_follows", language), new.repeat], [Look(indent=1), unit])
    value = Live(f"=SUM({cell(first, 1)}:{cell(first + 1, 1)})", new.post_acquisition_value)
    page.line([label("post_acquisition_value", language), value], [Look(bold=True, top=True), bold])
    page.line([label("acquisition_cost", language), -new.acquisition_cost], [Look(indent=1), unit])
    left = Live(f"=SUM({cell(first + 2, 1)}:{cell(first + 3, 1)})", new.lifetime_value)
    page.line([label("lifetime_value", language), left], [Look(bold=True, top=True), bold])


def _acquisition(page: Page, report: EquityReport, locale: Locale) -> None:
    """Write what new customers are worth and may cost, by segment and channel; none of it is a formula."""
    if not report.acquisition:
        return
    page.section(locale.label("acquisition"))
    for note in (segments_text(report, locale), locale.label("acquisition_note"), locale.label("as_reported")):
        if note:
            page.note(note)
    looks = [Look(indent=1), *(Look(kind) for _, kind in COLUMNS.values())]
    bold = [Look(look.kind, bold=True, top=True) for look in looks]
    for by, rows in report.acquisition.items():
        page.header([locale.label("acquisition_by").format(by), *(locale.label(key) for key, _ in COLUMNS.values())])
        for segment, row in rows.iterrows():
            cells = ["∞" if math.isinf(row[column]) else float(row[column]) for column in COLUMNS]
            last = segment == TOTAL
            page.line([locale.label(TOTAL) if last else str(segment), *cells], bold if last else looks)
