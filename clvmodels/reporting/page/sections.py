"""The sections that are text and tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clvmodels.reporting.assumption_text import assumption_text
from clvmodels.reporting.content import EquityReport, largest_segments
from clvmodels.reporting.forecast_text import fact_of_test
from clvmodels.reporting.locale import Locale, digits_of
from clvmodels.reporting.page.markup import Html, tag
from clvmodels.reporting.page.tables import Row, head, name, number, section, table, words
from clvmodels.reporting.remarks import headline_remarks
from clvmodels.reporting.support_text import (
    basis_text,
    interval_label,
    interval_text,
    models_text,
    names_text,
    parts_of,
    verdict_text,
    whole_label,
)
from clvmodels.valuation.line_table import contributions_of
from clvmodels.valuation.reconciliation import UNEXPLAINED
from clvmodels.valuation.statement import TOTAL, WITHIN

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "assumptions",
    "audit",
    "contribution",
    "flag",
    "headline",
    "lines",
    "models",
    "notes",
    "reconciliation",
    "statement",
]

_MOST_SEGMENTS: Final = 40
"""Segments shown; beyond that, those with the largest equity."""

_SUMS: Final = (*contributions_of(()), "value")
"""The rows of the contribution so far that are sums."""
_SHARES: Final = tuple(f"share_{years}" for years in WITHIN)
_COUNTS: Final = ("customers", "living_customers", "discounted_orders", "living_years")

Format = Callable[[float], str]


def headline(report: EquityReport, locale: Locale) -> Html:
    """Return equity, how far the data carry it, and what has to be known to read it."""
    book = report.book
    facts = [tag("div", [tag("dt", what), tag("dd", text)]) for what, text in _facts(report, locale)]
    title = tag("h1", [locale.label("customer_equity"), tag("span", locale.day(report.closings[-1]))])
    remarks = [
        tag("p", remark, {"class": "caution", "role": "note"})
        for remark in headline_remarks(book, report.candidates, locale)
    ]
    parts = [title, *_figures(report, locale), *remarks, tag("dl", facts), flag(report, locale)]
    return tag("header", parts)


def _figures(report: EquityReport, locale: Locale) -> list[Html]:
    """Return the equity, then its parts with the verdict; while the data do not carry the whole, it comes last."""
    book, support = report.book, report.support
    equity = tag("strong", locale.with_currency(book.equity), {"id": "equity", "data-value": repr(book.equity)})
    if support is None:
        return [tag("p", equity, {"class": "equity"})]
    digits = digits_of(book.equity)
    parts = [
        (what, f"{locale.with_currency(value, digits)} ({locale.percent(_share(value, book.equity))})")
        for what, value in parts_of(support, locale).items()
    ]
    carried = support.verdict != "not supported"
    verdict = tag("p", verdict_text(support, locale), {"class": "verdict" if carried else "verdict caution"})
    if carried:
        return [tag("p", equity, {"class": "equity"}), _pairs(parts), verdict]
    what, within = parts[0][0], locale.with_currency(support.within, digits)
    first = tag("p", [tag("strong", within), " ", tag("span", what)], {"class": "equity"})
    whole = (whole_label(book.assumptions, locale), equity)
    return [first, _pairs([*parts[1:], whole]), verdict]


def _pairs(parts: Iterable[tuple[str, str]]) -> Html:
    return tag("dl", [tag("div", [tag("dt", what), tag("dd", text)]) for what, text in parts], {"class": "reach"})


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0.0 else np.nan


def _facts(report: EquityReport, locale: Locale) -> Iterator[tuple[str, str]]:
    book, digits = report.book, digits_of(report.book.equity)
    if report.support is not None:
        interval = report.support.interval
        yield interval_label(interval, locale), interval_text(interval, locale, digits)
    if len(report.candidates) > 1:
        yield locale.label("models_alone"), models_text(report.candidates, locale, digits)
    if report.tested is not None:
        yield locale.label("last_third"), fact_of_test(report.tested, locale)
    if report.movements:
        before = report.movements[-1].opening.equity
        change = book.equity - before
        amount = locale.with_currency(change, digits_of(book.equity), sign=True)
        relative = f" ({locale.percent(change / before, sign=True)})" if before else ""
        yield locale.label("since").format(locale.day(report.closings[-2])), amount + relative
    customers = len(book.histories)
    yield locale.label("customers"), locale.number(customers)
    yield locale.label("per_customer"), locale.with_currency(book.equity / max(customers, 1), 2)
    yield locale.label("movement_model"), names_text(book, locale)
    yield locale.label("source"), report.source


def flag(report: EquityReport, locale: Locale) -> Html:
    """Return the red flag if something of the ledger's total is unexplained; nothing else."""
    left = _unexplained(report.reconciliation)
    if left == 0.0:
        return Html()
    text = locale.label("unexplained_flag").format(locale.with_currency(left, 2))
    return tag("p", text, {"class": "flag", "role": "alert"})


def _unexplained(items: pd.DataFrame) -> float:
    """Return what is left over; NaN counts as something."""
    return float(items["money"].loc[UNEXPLAINED])


def statement(report: EquityReport, locale: Locale) -> Html:
    """Return the customer-equity statement by segment: key figures, and the lines in a table of their own."""
    shown, left_out = largest_segments(report.statement, _MOST_SEGMENTS)
    of_lines = [line.name for line in report.book.lines]
    first = [column for column in shown.columns if column not in of_lines]
    by = locale.label("segment" if report.by is None else report.by)
    content = [
        _segments(shown[first], locale.label("statement"), by, locale),
        tag("h3", locale.label("lines_by_segment")),
        _segments(shown[[*of_lines, "equity"]], locale.label("lines_by_segment"), by, locale),
    ]
    if left_out:
        content.append(tag("p", locale.label("segments_left_out").format(locale.number(left_out)), {"class": "remark"}))
    return section("statement", locale, content)


def _segments(rows: pd.DataFrame, caption: str, by: str, locale: Locale) -> Html:
    """Return a table by segment that can be sorted by each of its columns; the total stays below."""
    digits = digits_of(rows.iloc[-1]["equity"])
    formats = {str(column): _format(str(column), rows[column], digits, locale) for column in rows.columns}
    body = [
        Row([name(str(segment)), *(number(formats[str(key)](value), value) for key, value in row.items())])
        for segment, row in rows.iloc[:-1].iterrows()
    ]
    total = rows.iloc[-1]
    foot = Row([name(locale.label(TOTAL)), *(number(formats[str(key)](value)) for key, value in total.items())], "sum")
    titles = head([by, *map(locale.named, formats)], sortable=len(body) > 1)
    return table(caption, titles, body, [foot], kind="wide held sortable" if len(body) > 1 else "wide held")


def _format(column: str, values: pd.Series[Any], digits: int, locale: Locale) -> Format:
    """Return how a column of the statement is written; `digits` are those of money."""
    if column in _SHARES:
        return locale.percent
    if column in {"per_customer", "rlv_to_acquisition_cost_spent"}:
        return lambda value: locale.number(value, 2)
    few = column != "customers" and bool((values.abs() < 1_000.0).all())
    decimals = int(few) if column in _COUNTS else digits
    return lambda value: locale.number(value, decimals)


def lines(report: EquityReport, locale: Locale) -> Html:
    """Return the benefits and costs: driver, amount, rate, value, share."""
    rows = report.book.statement_lines
    intervals = ["low", "high"] if "low" in rows else []
    digits = digits_of(*rows["value"], report.book.equity)
    body = []
    for key, row in rows.iterrows():
        drivers = ", ".join(locale.label(driver) for driver in str(row["driver"]).split(", "))
        known = np.isfinite(row["amount"])
        amounts = [locale.number(row["amount"]), locale.significant(row["rate"])] if known else ["", ""]
        money = [locale.money(row[column], digits) for column in ("value", *intervals)]
        written = [*amounts, money[0], locale.percent(row["share"]), *money[1:]]
        body.append(Row([name(locale.named(str(key))), words(drivers), *map(number, written)]))
    equity = [locale.money(report.book.equity, digits), locale.percent(1.0), *("" for _ in intervals)]
    cells = [name(locale.label("equity")), words(""), *map(number, ["", "", *equity])]
    titles = [locale.label(key) for key in ("line", "driver", "amount", "rate", "value", "share", *intervals)]
    title = locale.label("lines")
    remark = tag("p", locale.label("lines_remark"), {"class": "remark"})
    return section("lines", locale, [table(title, head(titles, left=2), body, [Row(cells, "sum")]), remark])


def contribution(report: EquityReport, locale: Locale) -> Html:
    """Return what the customers contributed so far, by segment, and the value still to come."""
    rows = report.contribution
    if len(rows.columns) > _MOST_SEGMENTS + 1:
        kept = largest_segments(rows.T.assign(equity=rows.iloc[-1].to_numpy()), _MOST_SEGMENTS)[0].index
        rows = rows[kept]
    digits = digits_of(*rows.to_numpy().ravel())
    body = [
        Row(
            [name(_contribution_label(str(key), locale)), *(number(locale.money(value, digits)) for value in row)],
            "sum" if key in _SUMS else "",
        )
        for key, row in rows.iterrows()
    ]
    titles = [locale.label("line"), *(locale.label(TOTAL) if c == TOTAL else str(c) for c in rows.columns)]
    title = locale.label("contribution")
    return section("contribution", locale, [table(title, head(titles), body, kind="held")])


def _contribution_label(key: str, locale: Locale) -> str:
    return locale.label("contribution_and_rlv") if key == "value" else locale.named(key)


def reconciliation(report: EquityReport, locale: Locale) -> Html:
    """Return how the sales behind the valuation tie to the ledger."""
    money = report.reconciliation["money"]
    wrong = bool(flag(report, locale))
    kinds = {"ledger": "sum", UNEXPLAINED: "sum wrong" if wrong else "sum"}
    body = [
        Row([name(locale.item(str(key))), number(locale.money(value, 2))], kinds.get(str(key), ""))
        for key, value in money.items()
    ]
    title = locale.label("reconciliation")
    remark = flag(report, locale) or tag("p", locale.label("explained"), {"class": "remark"})
    unit = [locale.label("item"), locale.currency or locale.label("amount")]
    return section("reconciliation", locale, [remark, table(title, head(unit), body)])


def models(report: EquityReport, locale: Locale) -> Html:
    """Return the models that are averaged: weight, log-likelihood, and equity under each alone; nothing of one."""
    book, candidates = report.book, report.candidates
    if len(candidates) < 2:
        return Html()
    digits = digits_of(book.equity)
    body = []
    for candidate in candidates:
        relative = locale.percent(candidate.equity / book.equity - 1.0 if book.equity else np.nan, sign=True)
        written = [
            locale.number(candidate.weight, 2),
            locale.number(candidate.fit.log_likelihood, 1),
            locale.money(candidate.equity, digits),
            relative,
        ]
        body.append(Row([name(candidate.fit.model.name), *map(number, written)]))
    total = [locale.number(1.0, 2), "", locale.money(book.equity, digits), ""]
    foot = Row([name(locale.label("average")), *map(number, total)], "sum")
    titles = head(["", *(locale.label(key) for key in ("weight", "log_likelihood", "equity_alone", "to_average"))])
    remark = tag("p", basis_text(book, locale), {"class": "remark"})
    return section("models", locale, [remark, table(locale.label("models"), titles, body, [foot])])


def assumptions(report: EquityReport, locale: Locale) -> Html:
    """Return every assumption that counts."""
    rows = [
        Row([name(locale.named(key)), words(text)]) for key, text in assumption_text(report.book.assumptions, locale)
    ]
    title = locale.label("assumptions")
    return section("assumptions", locale, [table(title, head([locale.label("assumption"), ""], left=2), rows)])


def audit(report: EquityReport, locale: Locale) -> Html:
    """Return hashes and versions."""
    rows = [Row([name(what), words(text, "hash")]) for what, text in _flat(report.audit) if text]
    title = locale.label("audit")
    return section("audit", locale, [table(title, head([locale.label("item"), ""], left=2), rows, kind="small")])


def _flat(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield nested plain data as lines, the innermost level as one; what the outermost holds names itself.

    Examples
    --------
    >>> list(_flat({"closings": {"1998-06-30": {"orders": {"params": {"r": 0.5}}}}, "seeds": [1]}))
    [('1998-06-30 › orders › params', 'r 0.5'), ('seeds', '1')]
    """
    for key, value in content.items():
        yield from (_below(value) if _is_deep(value) else [(key, _as_text(value))])


def _below(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        if _is_deep(value):
            yield from _below(value, f"{above}{key} › ")
        else:
            yield f"{above}{key}", _as_text(value)


def _is_deep(value: object) -> bool:
    return isinstance(value, Mapping) and any(isinstance(inner, Mapping) for inner in value.values())


def _as_text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {inner}" for key, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def notes(report: EquityReport, locale: Locale) -> Html:
    """Return what the package warned of; nothing if there is nothing."""
    if not report.notes:
        return Html()
    return section("notes", locale, [tag("ul", (tag("li", note) for note in report.notes))])
