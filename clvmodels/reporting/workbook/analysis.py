"""The sheets of concentration and of sensitivities, with their charts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.reporting.content import STEP, EquityReport
from clvmodels.reporting.labels import Language, label
from clvmodels.reporting.locale import Locale
from clvmodels.reporting.silent_text import silent_text
from clvmodels.reporting.workbook.page import CHART_ROWS, Page
from clvmodels.reporting.workbook.style import ACCENT, RISE, SECOND, Kind, Live, Look, axis, cell
from clvmodels.valuation.concentration import gini, lorenz, top_share, true_gini, true_top_share, whale_curve
from clvmodels.valuation.discounted_sums import Part, parts_of, sums_under
from clvmodels.valuation.scenarios import stepped

if TYPE_CHECKING:
    from clvmodels.valuation.book import Book

__all__ = ["write_concentration", "write_sensitivities"]

Array = NDArray[np.float64]

_TOP: Final = (0.01, 0.05, 0.1, 0.2, 0.5)
_POINTS: Final = np.linspace(0.0, 1.0, 101)
"""Shares of the customers at which the curves are shown."""
_ROWS_BESIDE_BARS: Final = 5
"""Of a chart: for its title, its axis and its legend."""
_FACTORS: Final = (0.8, 0.9, 1.0, 1.1, 1.2)
"""What margin and discount rate are multiplied with in the table of both."""

_PERCENT: Final = Look("percent")


# --------------------------------------------------------------------------------------------------- concentration


def write_concentration(page: Page, book: Book, language: Language) -> None:
    """Write how equity and past spend are spread over the customers.

    Parameters
    ----------
    page
        The sheet, with its title.
    book
        The valuation.
    language
        Of the labels.
    """
    if book.equity <= 0.0:
        page.note(label("no_concentration", language))
        _figures(page, _unprofitable(book), language)
        return
    histories = book.histories
    spend = np.where(histories.frequency > 0.0, histories.frequency * histories.monetary_value, 0.0)
    known = bool(np.isfinite(spend).all() and spend.sum() > 0.0)
    silent = silent_text(book, Locale.of(book.assumptions, language))
    if silent:
        page.note(silent)
    _top_shares(page, book, spend if known else None, language)
    _key_figures(page, book, spend if known else None, language)
    _curves(page, book, spend if known else None, language)


def _top_shares(page: Page, book: Book, spend: Array | None, language: Language) -> None:
    """Write what the top customers hold, ranked by value and by past spend."""
    page.section(label("top_customers", language))
    names = ["top_share_of_customers", "customers", "equity", "share_of_equity"]
    names += [] if spend is None else ["share_of_spend", "share_of_equity_by_spend"]
    page.header([label(name, language) for name in names], left=())
    for share in _TOP:
        share_of_equity = top_share(book.rlv, share)
        count = max(1, int(np.floor(share * len(book.rlv) + 0.5)))
        equity = share_of_equity * book.equity
        items: list[float | Live] = [share, count, equity, share_of_equity]
        looks = [_PERCENT, Look("count"), Look("money"), _PERCENT]
        if spend is not None:
            items += [top_share(spend, share), top_share(book.rlv, share, by=spend)]
            looks += [_PERCENT, _PERCENT]
        page.line(items, looks)


def _key_figures(page: Page, book: Book, spend: Array | None, language: Language) -> None:
    """Write Gini indices, what the model implies about purchase rates, and the customers below zero."""
    page.section(label("key_figures", language))
    curve = whale_curve(book.rlv)
    rows: list[tuple[str, float, Look]] = [("gini_equity", gini(book.rlv), Look("unit"))]
    if spend is not None:
        rows.append(("gini_spend", gini(spend), Look("unit")))
    if "r" in book.transactions.best.params:
        r = float(book.transactions.best.params["r"])
        rows += [("true_gini", true_gini(r), Look("unit")), ("true_top_share", true_top_share(r, 0.2), _PERCENT)]
    rows += [
        *_unprofitable(book),
        ("whale_peak_share", curve.peak_share, _PERCENT),
        ("whale_peak_at", curve.peak_at, _PERCENT),
    ]
    _figures(page, rows, language)


def _unprofitable(book: Book) -> list[tuple[str, float, Look]]:
    """Return how many customers have an expected value below zero, and what they are worth together."""
    customers, equity = book.unprofitable()
    return [
        ("unprofitable_customers", float(customers), Look("count")),
        ("value_of_unprofitable", equity, Look("money")),
    ]


def _figures(page: Page, rows: Sequence[tuple[str, float, Look]], language: Language) -> None:
    """Write figures, a row each."""
    for name, value, look in rows:
        page.put(page.row, 0, label(name, language), Look(over=True))
        page.put(page.row, 3, value, look)
        page.row += 1


def _curves(page: Page, book: Book, spend: Array | None, language: Language) -> None:
    """Write the points of the Lorenz and the whale curves, and draw them."""
    place = page.beside()
    page.row = max(page.row, 3 + 2 * CHART_ROWS)
    page.end_of_print()
    page.section(label("chart_data", language))
    equity, whale = lorenz(book.rlv), whale_curve(book.rlv)
    columns = {
        "share_of_customers": _POINTS,
        "whale_money": _at_points(whale.customers, whale.value),
        "whale_share": _at_points(whale.customers, whale.share),
        "lorenz_equity": _at_points(equity.customers, equity.value),
    }
    if spend is not None:
        past = lorenz(spend)
        columns["lorenz_spend"] = _at_points(past.customers, past.value)
    page.header([label(name, language) for name in columns], left=())
    top = page.row
    muted = [Look("money" if name == "whale_money" else "percent", muted=True) for name in columns]
    for point in zip(*columns.values(), strict=True):
        page.line([float(value) for value in point], muted)
    names = [label(name, language) for name in columns]
    page.chart(_curve(page, top, {2: (names[2], ACCENT)}), 3, place, label("whale_curve", language))
    series = {3: (names[3], ACCENT)} | ({4: (names[4], RISE)} if spend is not None else {})
    series[0] = (label("all_the_same", language), SECOND)
    page.chart(_curve(page, top, series), 3 + CHART_ROWS, place, label("lorenz_curve", language))


def _at_points(customers: Array, values: Array) -> Array:
    return np.interp(_POINTS, customers, values)


def _curve(page: Page, top: int, series: dict[int, tuple[str, str]]) -> Any:  # noqa: ANN401 - XlsxWriter has no types
    """Return lines over the share of customers; column 0 is the diagonal."""
    chart = page.workbook.add_chart({"type": "scatter", "subtype": "straight"})
    end = top + len(_POINTS) - 1
    for column, (name, colour) in series.items():
        line = {"color": colour, "width": 2.0} if column else {"color": colour, "width": 1.0, "dash_type": "dash"}
        cells = {"categories": [page.name, top, 0, end, 0], "values": [page.name, top, column, end, column]}
        chart.add_series({"name": name, **cells, "line": line, "marker": {"type": "none"}})
    chart.set_x_axis(axis("0 %", grid=False, low=True) | {"min": 0, "max": 1, "major_unit": 0.2})
    chart.set_y_axis(axis("0 %"))
    return chart


# --------------------------------------------------------------------------------------------------- sensitivities


def write_sensitivities(page: Page, report: EquityReport, language: Language) -> None:
    """Write what equity would be under other assumptions: one after the other, and margin and discount rate together.

    Parameters
    ----------
    page
        The sheet, with its title.
    report
        The report.
    language
        Of the labels.
    """
    book = report.book
    page.put(page.row, 0, label("equity_as_reported", language), Look(bold=True))
    page.put(page.row, 1, book.equity, Look("money", bold=True))
    base = cell(page.row, 1, "both")
    page.row += 1
    _tornado(page, report, base, language)
    if report.not_moved:
        names = ", ".join(map(Locale.of(book.assumptions, language).named, report.not_moved))
        page.note(label("tornado_left_out", language).format(names))
    _two_way(page, book, language)


def _tornado(page: Page, report: EquityReport, base: str, language: Language) -> None:
    page.section(label("tornado", language).format(f"{100 * STEP:g} %"))
    names = ("assumption", "equity_if_lower", "equity_if_higher", "change_if_lower", "change_if_higher")
    heads = [label(name, language) for name in names]
    page.header(heads)
    top = page.row
    table, locale = report.tornado, Locale.of(report.book.assumptions, language)
    for name, low, high in zip(map(str, table.index), table["low"].tolist(), table["high"].tolist(), strict=True):
        changes = [
            Live(f"={cell(page.row, column)}-{base}", value - report.book.equity)
            for column, value in ((1, low), (2, high))
        ]
        page.line([locale.named(name), low, high, *changes], [Look(indent=1), *[Look("money")] * 4])
    if len(table):
        chart = page.workbook.add_chart({"type": "bar"})
        end = page.row - 1
        for column, colour in ((3, SECOND), (4, ACCENT)):
            cells = {"categories": [page.name, top, 0, end, 0], "values": [page.name, top, column, end, column]}
            fill = {"fill": {"color": colour}, "border": {"none": True}}
            chart.add_series({"name": heads[column], **cells, **fill, "gap": 40, "overlap": 100})
        chart.set_y_axis(axis("General", grid=False, low=True) | {"reverse": True, "interval_unit": 1})
        chart.set_x_axis(axis("#,##0"))
        rows = max(CHART_ROWS, len(table) + _ROWS_BESIDE_BARS)
        page.chart(chart, top - 1, 1 + page.beside(), label("change_of_equity", language), rows=rows)


def _two_way(page: Page, book: Book, language: Language) -> None:
    """Write equity by margin and discount rate.

    Equity is linear in the margin: for each rate it takes one valuation and two numbers, and the table is formulas.
    """
    page.section(label("two_way", language))
    rates, (margin, shown) = book.assumptions.discount_rates, _margin(book)
    one_rate = len(rates) == 1
    across = list(_valuations(book))
    head = [(rates[0] if one_rate else 1.0) * factor for factor, _, _ in across]
    slopes, rest = ([valuation[number] for valuation in across] for number in (1, 2))
    bold, muted = Look(bold=True), Look("money", muted=True)
    rate = Look("share" if one_rate else "rate", bold=True)
    page.line(
        [label("discount_rate" if one_rate else "discount_rate_times", language), *head], [bold, *[rate] * len(head)]
    )
    first = page.row
    slope_name = "contribution_at_100" if shown == "share" else "contribution_after_tax"
    page.line([label(slope_name, language), *slopes], [Look(muted=True, indent=1), *[muted] * len(head)])
    page.line([label("other_lines", language), *rest], [Look(muted=True, indent=1), *[muted] * len(head)])
    page.put(page.row, 0, label("margin" if shown == "share" else "margin_times", language), bold)
    page.row += 1
    for step in _FACTORS:
        if shown == "share" and margin * step > 1.0:
            continue
        cells: list[float | Live] = [margin * step]
        for column, (slope, constant) in enumerate(zip(slopes, rest, strict=True), start=1):
            text = f"=$A{page.row + 1}*{cell(first, column, 'row')}+{cell(first + 1, column, 'row')}"
            cells.append(Live(text, margin * step * slope + constant))
        looks = [Look("money", bold=step == factor == 1.0) for factor, _, _ in across]
        page.line(cells, [Look(shown, bold=True), *looks])


def _margin(book: Book) -> tuple[float, Kind]:
    """Return the margin, or one where it differs from customer to customer, and how it is shown."""
    margin = book.assumptions.margin
    return (float(margin), "share") if isinstance(margin, int | float) else (1.0, "rate")


def _valuations(book: Book) -> Iterator[tuple[float, float, float]]:
    """Yield factors of the discount rate, and equity after tax per unit of margin and without the margin."""
    assumptions, (margin, shown) = book.assumptions, _margin(book)
    stepped_rates = {
        factor: assumptions if factor == 1.0 else stepped(assumptions, "discount_rate", factor) for factor in _FACTORS
    }
    others = {factor: changed for factor, changed in stepped_rates.items() if changed is not None}
    sales: Part = ("sales", 1.0 if shown == "share" else book.rows.lines[0].rates["sales"])
    parts = [sales, *parts_of(book.rows.lines)]
    for factor, sums in zip(others, sums_under(book.rows, parts, list(others.values())).T, strict=True):
        slope = (1.0 - assumptions.tax) * float(sums[0])
        equity = book.equity if factor == 1.0 else float(sums[1:].sum())
        yield factor, slope, equity - margin * slope
