"""Forecasts against what came: the last third of the log held back, and what the closing before predicted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from clvmodels.reporting.compared import Compared, amounts_of, by_period, of_last_third, of_total
from clvmodels.reporting.content import EquityReport
from clvmodels.reporting.forecast_text import about_last_third, about_previous, written
from clvmodels.reporting.locale import Locale, digits_of
from clvmodels.reporting.page.charts import Axis, band
from clvmodels.reporting.page.markup import Html, tag
from clvmodels.reporting.page.tables import Row, head, name, number, section, table, words
from clvmodels.valuation.statement import TOTAL

if TYPE_CHECKING:
    from clvmodels.evaluation.forecast_check import ForecastCheck
    from clvmodels.valuation.support import Amount

__all__ = ["forecast"]


def forecast(report: EquityReport, locale: Locale) -> Html:
    """Return what was predicted and what came: of the last third held back, and by quarter since the closing before."""
    content = [tag("h3", locale.label("last_third")), *_sentences(about_last_third(report, locale))]
    if report.tested is not None:
        thirds = of_last_third(report.tested)
        rows = [_row(locale.label(what), what, amount, [amount], locale) for what, amount in thirds.items()]
        content.insert(2, _table(locale.label("last_third"), "", rows, locale))
    if report.forecast is not None:
        title = locale.label("forecast_of").format(locale.day(report.closings[-2]))
        first, *others = _sentences(about_previous(report, report.forecast, locale))
        tables = _by_period(report.forecast, title, locale)
        content += [tag("h3", title), first, *tables, *others]
    return section("forecast", locale, content)


def _sentences(texts: Iterator[str]) -> list[Html]:
    """Return paragraphs: how a forecast ended, and what it rests on."""
    first, *others = texts
    return [tag("p", tag("strong", first)), *(tag("p", text, {"class": "remark"}) for text in others)]


def _by_period(check: ForecastCheck, title: str, locale: Locale) -> Iterator[Html]:
    """Yield a table by period of each amount that is known, the total last."""
    for what in amounts_of(check):
        periods = by_period(check, what)
        every = [*periods.values()]
        until = locale.label("until")
        rows = [_row(f"{until} {locale.day(day)}", what, amount, every, locale) for day, amount in periods.items()]
        foot = _row(locale.label(TOTAL), what, of_total(check, what), [], locale)
        caption = f"{title}, {locale.label(what)}"
        yield _table(caption, _unit(what, locale), rows, locale, Row(foot.cells, "sum"))


def _unit(what: Amount, locale: Locale) -> str:
    return f"{locale.label(what)}, {locale.currency}" if what == "revenue" and locale.currency else locale.label(what)


def _table(caption: str, what: str, rows: list[Row], locale: Locale, *foot: Row) -> Html:
    titles = [locale.label(key) for key in ("actual", "predicted", "deviation", "verdict", "band")]
    return table(caption, head([what, "", *titles], left=2), rows, foot, kind="charted compared")


def _row(text: str, what: Amount, amount: Compared, drawn_with: list[Compared], locale: Locale) -> Row:
    """Return a row; its band is drawn on the axis of all that stand together, and not drawn of a total."""
    digits = digits_of(amount.predicted, amount.actual)
    drawn: str = ""
    if drawn_with:
        axis = Axis.around([end for each in drawn_with for end in (each.low, each.high, each.actual)], zero=False)
        drawn = band(axis, amount.low, amount.high, amount.predicted, amount.actual)
    low, high = (written(what, end, digits, locale) for end in (amount.low, amount.high))
    cells = [
        name(text),
        tag("td", drawn, {"class": "chart"}),
        number(written(what, amount.actual, digits, locale)),
        number(written(what, amount.predicted, digits, locale)),
        number(locale.percent(amount.change, sign=True)),
        words(locale.label(f"place_{amount.place}"), "place" if amount.place == "within" else "place outside"),
        number(f"{low}–{high}"),
    ]
    return Row(cells)
