"""The sections with charts: movement, horizons, concentration, sensitivities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.reporting.content import STEP, EquityReport
from clvmodels.reporting.labels import LABELS
from clvmodels.reporting.locale import Locale, digits_of
from clvmodels.reporting.page.charts import Axis, Bar, Curve, Tone, bars, curves, swatch
from clvmodels.reporting.page.markup import Html, tag
from clvmodels.reporting.page.tables import Row, head, name, number, section, table, words
from clvmodels.reporting.silent_text import silent_text
from clvmodels.valuation.book import Book
from clvmodels.valuation.concentration import gini, lorenz, top_share, whale_curve
from clvmodels.valuation.movement import Movement

__all__ = ["concentration", "horizons", "movements", "sensitivities"]

Array = NDArray[np.float64]

POINTS: Final = 61
"""Points of a curve."""

_TOP: Final = 0.2


def movements(report: EquityReport, locale: Locale) -> Html:
    """Return why equity changed from closing to closing: the last movement, and those before it folded away."""
    if not report.movements:
        return Html()
    content = []
    for k in reversed(range(len(report.movements))):
        days = [locale.day(day) for day in report.closings[k : k + 2]]
        title = locale.label("from_to").format(*days)
        shown = _movement(report.movements[k], title, locale)
        last = k == len(report.movements) - 1
        content.append(
            tag("div", [tag("h3", title), *shown]) if last else tag("details", [tag("summary", title), *shown])
        )
    return section("movement", locale, content)


def _movement(movement: Movement, title: str, locale: Locale) -> list[Html]:
    """Return a movement as a waterfall: every change starts where the one before it ended."""
    lines = movement.table
    values = lines["value"].to_numpy(dtype=float)
    changes = (lines["kind"] == "change").to_numpy()
    after = np.where(changes, values[0] + np.cumsum(np.where(changes, values, 0.0)), values)
    axis, digits = Axis.around(after), digits_of(*values)
    rows, before = [], 0.0
    for key, value, change, balance in zip(lines.index, values, changes, after, strict=True):
        bar = Bar(balance - value, balance, _tone(value)) if change else Bar(0.0, balance, "level")
        drawn = tag("td", bars(axis, [bar], [before, balance] if change else [balance]), {"class": "chart"})
        written = number(locale.money(value, digits, sign=bool(change)))
        kind = "sum" if not change else "memo" if value == 0.0 else ""
        rows.append(Row([name(_movement_label(str(key), locale)), drawn, written], kind))
        before = balance
    memo = [
        Row([name(locale.label(key)), words(""), number(locale.money(value, digits))], "memo")
        for key, value in (
            ("realised_margin", movement.realised_margin),
            ("expected_margin", movement.expected_margin),
        )
    ]
    titles = head([locale.label("line"), "", _in_currency(locale, "value")], left=2)
    return [table(f"{locale.label('movement')}, {title}", titles, rows, memo, kind="charted")]


def _movement_label(key: str, locale: Locale) -> str:
    own = f"movement_{key}"
    return locale.label(own if own in LABELS else key)


def _tone(change: float) -> Tone:
    return "plus" if change >= 0.0 else "minus"


def _in_currency(locale: Locale, key: str) -> str:
    return f"{locale.label(key)}, {locale.currency}" if locale.currency else locale.label(key)


def horizons(report: EquityReport, locale: Locale) -> Html:
    """Return the equity within so many years, as long as it grows, and in total."""
    book = report.book
    table_of = book.horizons
    short = table_of[~np.isclose(table_of["equity"], book.equity, rtol=1e-9)]
    ends = [(locale.duration(f"{years} years"), float(value)) for years, value in short["equity"].items()]
    end = (
        locale.label("indefinitely") if book.assumptions.horizon is None else locale.duration(book.assumptions.horizon)
    )
    equity = [value for _, value in ends] + [book.equity]
    axis, digits = Axis.around(equity), digits_of(*equity)
    rows = [
        Row([name(text), tag("td", bars(axis, [Bar(0.0, value, "part")]), {"class": "chart"}), *cells])
        for text, value in [*ends, (end, book.equity)]
        for cells in [(number(locale.money(value, digits)), number(locale.percent(_ratio(value, book.equity))))]
    ]
    titles = head(["", "", _in_currency(locale, "equity"), locale.label("share")], left=2)
    rows[-1] = Row(rows[-1].cells, "sum")
    return section("horizons", locale, [table(locale.label("horizons"), titles, rows, kind="charted")])


def concentration(report: EquityReport, locale: Locale) -> Html:
    """Return how value is spread over the customers: whale curve, Lorenz curves, top share and Gini."""
    book = report.book
    if not len(book.histories):
        return Html()
    figures = [_whale(book.rlv, locale)]
    spread = {key: values for key, values in _spread(book).items() if values.sum() > 0.0}
    figures.append(
        _lorenz(spread, locale) if spread else tag("p", locale.label("no_concentration"), {"class": "remark"})
    )
    silent = silent_text(book, locale)
    content = [tag("p", silent)] if silent else []
    return section("concentration", locale, [*content, tag("div", figures, {"class": "pair"})])


def _spread(book: Book) -> dict[str, Array]:
    """Return what is spread over the customers: residual value, and the repeat purchases so far if they are known."""
    histories = book.histories
    past = np.where(histories.frequency > 0.0, histories.frequency * histories.monetary_value, 0.0)
    return {"rlv": book.rlv} | ({} if np.isnan(past).any() else {"past_spend": past})


def _whale(values: Array, locale: Locale) -> Html:
    curve = whale_curve(values)
    at = np.unique(np.append(np.linspace(0.0, 1.0, POINTS - 1) ** 2, curve.peak_at))
    drawn = Curve(at, np.interp(at, curve.customers, curve.value), "rlv", (curve.peak_at, curve.peak))
    title = locale.label("whale_curve")
    digits = digits_of(curve.peak, curve.total)
    peak, total, loss = (locale.with_currency(value, digits) for value in (curve.peak, curve.total, -curve.loss))
    template = locale.label("whale_peak" if curve.loss < 0.0 else "whale_no_loss")
    under = f"{locale.label('whale_axis')}{', ' * bool(locale.currency)}{locale.currency}"
    picture = curves(title, [drawn], under, _share_of(locale), lambda value: locale.money(value, 0))
    words_of = tag("p", template.format(peak=peak, at=locale.percent(curve.peak_at), total=total, loss=loss))
    return tag("figure", [tag("figcaption", title), picture, words_of])


def _lorenz(spread: dict[str, Array], locale: Locale) -> Html:
    drawn = [Curve(np.array([0.0, 1.0]), np.array([0.0, 1.0]), "even")]
    rows = []
    for key, values in spread.items():
        curve, share = lorenz(values), top_share(values, _TOP)
        at = 1.0 - np.linspace(1.0, 0.0, POINTS) ** 2
        drawn.append(Curve(at, np.interp(at, curve.customers, curve.value), key, (1.0 - _TOP, 1.0 - share)))
        cells = [number(locale.percent(share)), number(locale.number(gini(values), 3))]
        rows.append(Row([tag("th", [swatch(key), locale.label(key)], {"scope": "row", "class": "key"}), *cells]))
    title = locale.label("lorenz_curve")
    text = _share_of(locale)
    picture = curves(title, drawn, locale.label("lorenz_axis"), text, text)
    titles = head(["", locale.label("top_share"), locale.label("gini")])
    return tag("figure", [tag("figcaption", title), picture, table(title, titles, rows)])


def _share_of(locale: Locale) -> Callable[[float], str]:
    return lambda share: locale.percent(share, 0)


def sensitivities(report: EquityReport, locale: Locale) -> Html:
    """Return how equity moves with each assumption, the one that moves it most first."""
    book = report.book
    moved = report.tornado
    changes = moved[["low", "high"]].to_numpy(dtype=float) - book.equity
    axis, digits = Axis.around(changes), digits_of(book.equity)
    rows = [
        _sensitivity(str(key), low, high, axis, digits, locale)
        for key, (low, high) in zip(moved.index, changes, strict=True)
    ]
    step = locale.percent(STEP, 0)
    columns = [locale.label(key).format(step) for key in ("lower_by", "higher_by")]
    titles = head([locale.label("assumption"), "", *columns], left=2)
    title = locale.label("sensitivities")
    remark = tag(
        "p", locale.label("sensitivities_remark").format(locale.with_currency(book.equity)), {"class": "remark"}
    )
    content = [remark, table(title, titles, rows, kind="charted")]
    if report.not_moved:
        names = ", ".join(map(locale.named, report.not_moved))
        content.append(tag("p", locale.label("tornado_left_out").format(names), {"class": "remark"}))
    return section("sensitivities", locale, content)


def _sensitivity(key: str, low: float, high: float, axis: Axis, digits: int, locale: Locale) -> Row:
    drawn = [Bar(0.0, change, _tone(change)) for change in sorted((low, high), key=abs, reverse=True)]
    chart = tag("td", bars(axis, drawn, [0.0]), {"class": "chart"})
    return Row([name(locale.named(key)), chart, *(number(locale.money(c, digits, sign=True)) for c in (low, high))])


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
