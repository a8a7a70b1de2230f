"""Results as tables for a terminal: what rich can print, made from what the package returns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from clvmodels.reporting.acquisition_text import COLUMNS, cell_text, segments_text
from clvmodels.reporting.assumption_text import assumption_text
from clvmodels.reporting.compared import Compared, amounts_of, of_last_third, of_total
from clvmodels.reporting.content import largest_segments
from clvmodels.reporting.forecast_text import about_last_third, about_previous, written
from clvmodels.reporting.hints import as_options
from clvmodels.reporting.labels import label
from clvmodels.reporting.locale import NBSP, Locale, digits_of
from clvmodels.reporting.number_format import amount, percent, significant, with_currency
from clvmodels.reporting.plain import plain
from clvmodels.reporting.remarks import headline_remarks
from clvmodels.reporting.support_text import (
    basis_text,
    interval_label,
    interval_text,
    models_text,
    names_text,
    parts_of,
    whole_label,
)
from clvmodels.valuation.movement import LINES, Movement
from clvmodels.valuation.reconciliation import UNEXPLAINED
from clvmodels.valuation.statement import TOTAL

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.histories import Histories
    from clvmodels.evaluation.backtest import Backtest
    from clvmodels.evaluation.verdict import Outcome
    from clvmodels.inference.fit import Fit
    from clvmodels.reporting.candidates import Candidate
    from clvmodels.reporting.content import EquityReport
    from clvmodels.reporting.valuation import Valuation
    from clvmodels.valuation.assumptions import Assumptions
    from clvmodels.valuation.book import Book
    from clvmodels.valuation.support import Amount, Support

__all__ = [
    "backtest_report",
    "closing_report",
    "equity_report",
    "fits_report",
    "histories_report",
    "notes_report",
    "written_report",
]

_INDENT: Final = (0, 0, 0, 2)
_MOST_SEGMENTS: Final = 20
"""Segments shown; of more, those with the largest equity."""
_LONGEST_NAME: Final = 60
"""Letters of the name of a segment that are shown."""


def _section(title: str, *parts: RenderableType, beside: str = "") -> RenderableType:
    """Return a block: an empty line, a heading, and the parts below it."""
    heading = Text.assemble("\n", (title, "bold"), ("  " + plain(beside) if beside else "", "dim"))
    return Group(heading, *(Padding(part, _INDENT, expand=False) for part in parts))


def _points(mark: str | Text, lines: Sequence[str]) -> Table:
    """Return lines of text, each behind a mark, which stays alone in its column."""
    table = Table.grid(padding=(0, 1, 0, 0))
    for line in lines:
        _add(table, mark, line)
    return table


def _add(table: Table, *cells: str | Text, style: str = "") -> None:
    """Add a row to a table; a text is shown as it is, whatever is in it."""
    table.add_row(*(_text(cell) if isinstance(cell, str) else cell for cell in cells), style=style)


def _text(text: str, style: str = "") -> Text:
    return Text(plain(text), style)


def _table(*columns: str, left: Sequence[int] = (0,)) -> Table:
    """Return an empty table without frames, whose columns are numbers but for those in `left`."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.padding = (0, 1, 0, 0)
    table.header_style = "dim"
    for index, column in enumerate(columns):
        table.add_column(_text(column), justify="left" if index in left else "right", no_wrap=index not in left)
    return table


def histories_report(histories: Histories, source: str) -> RenderableType:
    """Return the histories and what became of the log's rows, in words."""
    return _section("Purchase log", _points("·", str(histories).splitlines()), beside=source)


def fits_report(transactions: Sequence[Fit], spend: Fit | None) -> RenderableType:
    """Return fits of transactions side by side, and the first of them and that of spend in full."""
    side_by_side = (_fitted(transactions),) if len(transactions) > 1 else ()
    return Group(*side_by_side, *(_fit(fit) for fit in (transactions[0], spend) if fit is not None))


def _fit(fit: Fit) -> RenderableType:
    """Return a fit as a table by parameter and in words."""
    table = _table("parameter", "estimate", "standard error", "95 % from", "to")
    for name, row in fit.summary().iterrows():
        estimate, low, high = (significant(row[column]) for column in ("estimate", "low", "high"))
        _add(table, str(name), estimate, significant(row["sd"], 2), low, high)
    beside = f"log-likelihood {fit.log_likelihood:,.1f}, AIC {fit.aic:,.1f}, {fit.customers:,} customers"
    return _section(
        fit.model.name, table, Padding(Text(plain(fit.describe(), lines=True)), (1, 0, 0, 0)), beside=beside
    )


def _parameters(fits: Sequence[Fit]) -> RenderableType:
    """Return the parameters of several fits, a line each."""
    table = Table.grid(padding=(0, 3, 0, 0))
    for fit in fits:
        _add(table, fit.model.name, *(f"{name} {significant(value)}" for name, value in fit.params.items()))
    units = {fit.unit for fit in fits if fit.unit}
    return _section("Parameters", table, beside=f"time in {units.pop()}s" if len(units) == 1 else "")


def equity_report(valuation: Valuation) -> RenderableType:
    """Return a valuation: models, equity, assumptions, lines, horizons, groups of customers, a new customer."""
    book = valuation.book
    return Group(
        _models(book, valuation.candidates),
        _parameters([*book.transactions.fits, book.spend]),
        Text(),
        _headline(book, valuation.candidates, valuation.support),
        _assumptions(book.assumptions),
        _lines(book),
        _horizons(book),
        _groups(valuation),
        _new_customer(book),
    )


def backtest_report(tried: Backtest) -> RenderableType:
    """Return the scores of a backtest by cut-off and model, and the verdict in words."""
    verdict = _points("·", str(tried.verdict).splitlines())
    return Group(*(_scores(tried, outcome) for outcome in tried.outcomes), _section("Verdict", verdict))


def _scores(tried: Backtest, outcome: Outcome) -> RenderableType:
    """Return the scores at one cut-off."""
    scores = tried.table.xs(outcome.cutoff, level="cutoff")
    columns = {"predicted_over_actual": "ratio", "rmse": "rmse", "log_score": "log score", "gini": "Gini"}
    if np.isfinite(scores["revenue"]).any():
        columns |= {"revenue_over_actual": "revenue ratio"}
    table = _table("", "predicted", *columns.values())
    for name, row in scores.iterrows():
        _add(table, str(name), amount(row["predicted"], digits=0), *(amount(row[each], digits=3) for each in columns))
    holdout = outcome.holdout
    came = f"{holdout.frequency.sum():,.0f} purchases of {len(holdout):,} customers came until {holdout.end.date()}"
    return _section(f"After {outcome.cutoff.date()}", table, beside=came)


def closing_report(report: EquityReport) -> RenderableType:
    """Return an equity report in short: equity, statement, movement, reconciliation."""
    book = report.book
    return Group(
        _headline(book, report.candidates, report.support),
        _models(book, report.candidates) if len(report.candidates) > 1 else Group(),
        _assumptions(book.assumptions),
        _statement(report),
        _acquisition(report),
        _unprofitable(book),
        *(_movement(movement) for movement in report.movements),
        _forecasts(report),
        _horizons(book),
        _reconciliation(report.reconciliation),
    )


def _statement(report: EquityReport) -> RenderableType:
    """Return the statement by segment: the largest of many."""
    book = report.book
    ends = ("5 %", "95 %") if book.has_draws else ()
    table = _table(_cut(report.by or ""), "customers", "alive", "orders", "equity", "per customer", *ends)
    rows, left_out = largest_segments(report.statement, _MOST_SEGMENTS)
    for name, row in rows.iterrows():
        columns = ["customers", "living_customers", "discounted_orders", "equity"]
        cells = [f"{row[column]:,.0f}" for column in columns] + [amount(row["per_customer"], digits=2)]
        cells += [amount(row[end]) for end in ("low", "high")] if book.has_draws else []
        _add(table, _cut(str(name)), *cells, style="bold" if name == TOTAL else "")
    below = [_text(label("segments_left_out", "en").format(f"{left_out:,}"), "dim")] if left_out else []
    return _section("Statement", table, *below, beside=with_currency(book.equity, book.assumptions.currency))


def _acquisition(report: EquityReport) -> RenderableType:
    """Return what new customers are worth and may cost, by segment and channel; nothing if there are none."""
    if not report.acquisition:
        return Group()
    locale = Locale("en", report.book.assumptions.currency)
    parts: list[RenderableType] = []
    for by, rows in report.acquisition.items():
        table = _table(_cut(by), *("customers", "CAC", "highest cost", "value", "payback", "LTV", "LTV:CAC"))
        largest = rows["customers"].rank(method="first", ascending=False) <= _MOST_SEGMENTS + 1  # and the total
        for name, row in rows[largest].iterrows():
            cells = (cell_text(kind, row[column], locale) for column, (_, kind) in COLUMNS.items())
            _add(table, _cut(str(name)), *cells, style="bold" if name == TOTAL else "")
        parts.append(table)
    text = segments_text(report, locale)
    return _section(locale.label("acquisition"), *parts, *([_text(text.replace(NBSP, " "), "dim")] if text else []))


def _cut(name: str) -> str:
    """Return a name, or the beginning of one that would fill the screen."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _unprofitable(book: Book) -> RenderableType:
    """Return how many customers are expected to cost more than they bring; nothing if none are."""
    customers, equity = book.unprofitable()
    if not customers:
        return Group()
    share, worth = percent(customers / len(book.histories)), with_currency(equity, book.assumptions.currency)
    text = f"Unprofitable customers: {customers:,} ({share}), {worth} together (expected value below zero)."
    return Padding(_text(text), (1, 0, 0, 2), expand=False)


def _movement(movement: Movement) -> RenderableType:
    """Return why equity moved: the lines that are not zero."""
    table = _table("", "value", "of opening")
    opening = movement.opening.equity
    for key, row in movement.table.iterrows():
        if row["value"] != 0.0:
            style = "" if row["kind"] == "change" else "bold"
            share = percent(_ratio(row["value"], opening), sign=row["kind"] == "change")
            _add(table, LINES[str(key)], amount(row["value"]), share, style=style)
    return _section("Movement", table)


def _forecasts(report: EquityReport) -> RenderableType:
    """Return what was predicted and what came: of the last third held back, and since the closing before."""
    locale = Locale("en", report.book.assumptions.currency)
    table = _table("", *(locale.label(key).lower() for key in ("actual", "predicted")), "90 % band", "difference", "")
    about = list(islice(about_last_third(report, locale), 1))
    if report.tested is not None:
        for what, came in of_last_third(report.tested).items():
            _add(table, *_compared(f"last third, {locale.label(what).lower()}", what, came, locale))
    check = report.forecast
    if check is not None:
        for what in amounts_of(check):
            text = f"since {report.closings[-2]}, {locale.label(what).lower()}"
            _add(table, *_compared(text, what, of_total(check, what), locale))
        about.append(" ".join(islice(about_previous(report, check, locale), 3)))
    shown = [table] if table.row_count else []
    lines = [_text(line.replace(NBSP, " "), "dim") for line in about]
    return _section(locale.label("forecast"), *shown, *lines)


def _compared(text: str, what: Amount, came: Compared, locale: Locale) -> Iterator[str]:
    """Yield the cells of an amount that was predicted."""
    digits = digits_of(came.predicted, came.actual)
    yield text
    yield from (written(what, value, digits, locale) for value in (came.actual, came.predicted))
    yield "–".join(written(what, end, digits, locale) for end in (came.low, came.high))
    yield percent(came.change, sign=True)
    yield locale.label(f"place_{came.place}")


def _reconciliation(items: pd.DataFrame) -> RenderableType:
    """Return how sales tie to the ledger; in red what is not explained."""
    table = _table("", "money")
    for name, row in items.iterrows():
        wrong = name == UNEXPLAINED and row["money"] != 0.0
        _add(table, str(name), amount(row["money"], digits=2), style="bold red" if wrong else "")
    return _section("Reconciliation to the ledger", table)


def _fitted(fits: Sequence[Fit]) -> RenderableType:
    """Return models that were fitted, the best one first."""
    table = _table("", "log-likelihood", "AIC", "difference")
    for index, fit in enumerate(fits):
        cells = (f"{fit.log_likelihood:,.1f}", f"{fit.aic:,.1f}", f"{fit.aic - fits[0].aic:,.1f}")
        _add(table, fit.model.name, *cells, style="" if index else "bold")
    return _section("Models", table, beside="the one with the lowest AIC is chosen")


def _models(book: Book, candidates: Sequence[Candidate]) -> RenderableType:
    """Return the models of a valuation: how much each counts, and the equity under it alone."""
    if len(candidates) == 1:
        table = _table("", "log-likelihood", "AIC")
        fit = candidates[0].fit
        _add(table, fit.model.name, f"{fit.log_likelihood:,.1f}", f"{fit.aic:,.1f}")
        return _section("Model", table)
    table = _table("", "weight", "log-likelihood", "equity", "to average")
    for candidate in candidates:
        relative = percent(_ratio(candidate.equity, book.equity) - 1.0, sign=True)
        cells = (f"{candidate.weight:.2f}", f"{candidate.fit.log_likelihood:,.1f}", amount(candidate.equity), relative)
        _add(table, candidate.fit.model.name, *cells)
    _add(table, label("average", "en"), "1.00", "", amount(book.equity), "", style="bold")
    return _section(label("models", "en"), table, beside=basis_text(book, Locale("en", "")))


def _headline(book: Book, candidates: Sequence[Candidate], support: Support | None) -> RenderableType:
    """Return the equity, framed, with how far the data carry it, and below it what has to be known to read it."""
    customers, locale = book.histories.customers, Locale("en", book.assumptions.currency)
    whole = with_currency(book.equity, book.assumptions.currency)
    text = Text.assemble(
        *_figures(book, support, locale, whole),
        f"\n{customers:,} customers, {amount(book.equity / max(customers, 1), digits=2)} per customer"
        f"\n{names_text(book, locale)}",
    )
    for line in _reach(book, candidates, support, locale):
        text.append(f"\n{plain(line.replace(NBSP, ' '))}")
    panel = Panel(text, title="Customer equity", title_align="left", padding=(1, 3), expand=False)
    remarks = headline_remarks(book, candidates, locale)
    return Group(panel, _points(Text("!", "bold yellow"), remarks)) if remarks else panel


def _figures(book: Book, support: Support | None, locale: Locale, whole: str) -> list[tuple[str, str]]:
    """Return the equity; while the data do not carry it, first its parts, with the whole last."""
    if support is None or support.verdict != "not supported":
        return [(plain(whole), "bold green" if book.equity > 0 else "bold red")]
    parts = [(name, with_currency(value, locale.currency)) for name, value in parts_of(support, locale).items()]
    parts.append((whole_label(book.assumptions, locale), whole))
    lines = [plain(f"{value}  {name}".replace(NBSP, " ")) for name, value in parts]
    return [(lines[0], "bold"), *((f"\n{line}", "") for line in lines[1:])]


def _reach(book: Book, candidates: Sequence[Candidate], support: Support | None, locale: Locale) -> Iterator[str]:
    """Yield what is known of how far the data carry an equity: interval, range over models, verdict."""
    digits = digits_of(book.equity)
    if support is not None:
        ends = interval_text(support.interval, locale, digits)
        yield f"{interval_label(support.interval, locale)}: {ends}"
    if len(candidates) > 1:
        yield f"{locale.label('models_alone')}: {models_text(candidates, locale, digits)}"
    if support is not None:
        yield str(support)


def _assumptions(assumptions: Assumptions) -> RenderableType:
    table = Table.grid(padding=(0, 3, 0, 0))
    locale = Locale.of(assumptions, "en")
    for key, words in assumption_text(assumptions, locale):
        _add(table, _text(locale.named(key), "dim"), words.replace(NBSP, " "))
    return _section("Assumptions", table)


def _lines(book: Book) -> RenderableType:
    """Return the benefits and costs."""
    table = _table("line", "driver", "amount", "rate", "value", "share", left=(0, 1))
    own = Locale.of(book.assumptions, "en").own
    for name, line in book.statement_lines.iterrows():
        called = own[str(name)][0] if name in own else str(name).replace("_", " ")
        rate = f"{line['rate']:,.6g}" if np.isfinite(line["rate"]) else ""
        numbers = (amount(line["amount"]), rate, amount(line["value"]))
        share = percent(_ratio(line["value"], book.equity))
        _add(table, called, str(line["driver"]), *numbers, share)
    return _section("What it is made of", table, beside="amounts are discounted")


def _horizons(book: Book) -> RenderableType:
    """Return the equity within so many years, as long as it grows."""
    table = _table("within", "equity", "share", left=())
    for years, row in book.horizons.iterrows():
        if np.isclose(row["equity"], book.equity, rtol=1e-9):
            break
        share = _ratio(row["equity"], book.equity)
        _add(table, f"{years} year{'s' if years != 1 else ''}", amount(row["equity"]), percent(share))
    end = "indefinitely" if book.assumptions.horizon is None else book.assumptions.horizon
    _add(table, end, amount(book.equity), percent(_ratio(book.equity, book.equity)), style="bold")
    return _section("When it comes", table)


def _groups(valuation: Valuation) -> RenderableType:
    table = _table("", "customers", "of customers", "equity", "of equity")
    customers, equity = len(valuation.book.histories), valuation.book.equity
    below = (valuation.unprofitable,) if valuation.unprofitable.customers else ()
    for group in (*valuation.groups, *below):
        shares = percent(_ratio(group.customers, customers)), percent(_ratio(group.equity, equity))
        _add(table, group.name, f"{group.customers:,}", shares[0], amount(group.equity), shares[1])
    return _section("Who it comes from", table)


def _new_customer(book: Book) -> RenderableType:
    """Return what a customer is worth at the moment of acquisition."""
    new, currency = book.new_customer, book.assumptions.currency
    table = Table.grid("", "", "", padding=(0, 2, 0, 0))
    table.columns[1].justify = "right"
    later = f"{new.orders:.2f} discounted orders of {amount(new.order_value, digits=2)}"
    source = f"the mean of {new.first_orders:,} first orders in the log" if new.first_orders else "the model's mean"
    first = f"an order of {amount(new.first_order_value, digits=2)}, {source}"
    _add(table, "first order", amount(new.first_order, digits=2), _text(first, "dim"))
    _add(table, "what follows", amount(new.repeat, digits=2), _text(later, "dim"))
    total = with_currency(new.post_acquisition_value, currency, digits=2)
    highest = Text("at most this may be spent to acquire one", "dim")
    _add(table, "together", amount(new.post_acquisition_value, digits=2), highest, style="bold")
    return _section("A new customer", table, beside=total)


def notes_report(notes: Sequence[str]) -> RenderableType:
    """Return what deserves a look; nothing if nothing does."""
    if not notes:
        return Group()
    return _section("Worth a look", _points(Text("!", "bold yellow"), [as_options(note) for note in notes]))


def written_report(path: Path | None, names: Sequence[str] = ()) -> RenderableType:
    """Return where the results lie; nothing if they were only shown."""
    if path is None:
        return Group()
    return Text.assemble("\nwritten: ", (plain(str(path)), "bold"), f" ({', '.join(names)})" if names else "")


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
