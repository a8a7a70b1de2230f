"""Results as tables for a terminal: what rich can print, made from what the package returns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from clvmodels.report.hints import as_options
from clvmodels.report.locale import NBSP, Locale
from clvmodels.report.stated import stated
from clvmodels.report.words import amount, percent, significant, with_currency
from clvmodels.valuation.movement import LINES, Movement
from clvmodels.valuation.reconciliation import UNEXPLAINED
from clvmodels.valuation.statement import TOTAL

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.histories import Histories
    from clvmodels.data.lazy import LazyHistories
    from clvmodels.inference.fit import Fit
    from clvmodels.report.content import EquityReport
    from clvmodels.report.valuation import Valuation
    from clvmodels.valuation.assumptions import Assumptions
    from clvmodels.valuation.book import Book
    from clvmodels.valuation.lazy_book import LazyBook

__all__ = ["closing_report", "equity_report", "fits_report", "histories_report", "notes_report", "written_report"]

_INDENT: Final = (0, 0, 0, 2)


def _section(title: str, *parts: RenderableType, beside: str = "") -> RenderableType:
    """Return a block: an empty line, a heading, and the parts below it."""
    heading = Text.assemble("\n", (title, "bold"), ("  " + beside if beside else "", "dim"))
    return Group(heading, *(Padding(part, _INDENT, expand=False) for part in parts))


def _points(mark: str | Text, lines: Sequence[str]) -> Table:
    """Return lines of text, each behind a mark, which stays alone in its column."""
    table = Table.grid(padding=(0, 1, 0, 0))
    for line in lines:
        table.add_row(mark, Text(line))
    return table


def _table(*columns: str, left: Sequence[int] = (0,)) -> Table:
    """Return an empty table without frames, whose columns are numbers but for those in `left`."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.padding = (0, 1, 0, 0)
    table.header_style = "dim"
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index in left else "right", no_wrap=index not in left)
    return table


def histories_report(histories: Histories | LazyHistories, source: str) -> RenderableType:
    """Return the histories and what became of the log's rows, in words."""
    return _section("Purchase log", _points("·", str(histories).splitlines()), beside=source)


def fits_report(orders: Sequence[Fit], spend: Fit | None) -> RenderableType:
    """Return fits of transactions side by side, and the first of them and that of spend in full."""
    side_by_side = (_models(orders),) if len(orders) > 1 else ()
    return Group(*side_by_side, *(_fit(fit) for fit in (orders[0], spend) if fit is not None))


def _fit(fit: Fit) -> RenderableType:
    """Return a fit as a table by parameter and in words."""
    table = _table("parameter", "estimate", "standard error", "95 % from", "to")
    for name, row in fit.summary().iterrows():
        estimate, low, high = (significant(row[column]) for column in ("estimate", "low", "high"))
        table.add_row(str(name), estimate, significant(row["sd"], 2), low, high)
    beside = f"log-likelihood {fit.log_likelihood:,.1f}, AIC {fit.aic:,.1f}, {fit.customers:,} customers"
    return _section(fit.model.name, table, Padding(Text(fit.describe()), (1, 0, 0, 0)), beside=beside)


def _parameters(fits: Sequence[Fit]) -> RenderableType:
    """Return the parameters of several fits, a line each."""
    table = Table.grid(padding=(0, 3, 0, 0))
    for fit in fits:
        table.add_row(fit.model.name, *(f"{name} {significant(value)}" for name, value in fit.params.items()))
    units = {fit.unit for fit in fits if fit.unit}
    return _section("Parameters", table, beside=f"time in {units.pop()}s" if len(units) == 1 else "")


def equity_report(valuation: Valuation) -> RenderableType:
    """Return a valuation: models, equity, assumptions, lines, horizons, groups of customers, a new customer."""
    book = valuation.book
    fits: list[Fit] = [candidate.fit for candidate in valuation.candidates]
    return Group(
        _models(fits, [candidate.equity for candidate in valuation.candidates]),
        _model_risk(valuation),
        _parameters([*fits, book.spend]),
        Text(),
        _headline(book),
        _assumptions(book.terms),
        _lines(book),
        _horizons(book),
        _groups(valuation),
        _new_customer(book),
    )


def closing_report(report: EquityReport) -> RenderableType:
    """Return an equity report in short: equity, statement, movement, reconciliation."""
    book = report.book
    return Group(
        _headline(book),
        _assumptions(book.terms),
        _statement(report),
        *(_movement(movement) for movement in report.movements),
        _horizons(book),
        _reconciliation(report.reconciliation),
    )


def _statement(report: EquityReport) -> RenderableType:
    """Return the statement by segment."""
    book = report.book
    ends = ("5 %", "95 %") if book.has_draws else ()
    table = _table(report.by or "", "customers", "alive", "orders", "equity", "a head", *ends)
    for name, row in report.statement.iterrows():
        columns = ["customers", "living_customers", "discounted_orders", "equity"]
        cells = [f"{row[column]:,.0f}" for column in columns] + [amount(row["per_head"], digits=2)]
        cells += [amount(row[end]) for end in ("low", "high")] if book.has_draws else []
        table.add_row(str(name), *cells, style="bold" if name == TOTAL else "")
    return _section("Statement", table, beside=with_currency(book.equity, book.terms.currency))


def _movement(movement: Movement) -> RenderableType:
    """Return why equity moved: the lines that are not zero."""
    table = _table("", "value", "of opening")
    opening = movement.opening.equity
    for key, row in movement.table.iterrows():
        if row["value"] != 0.0:
            style = "" if row["kind"] == "change" else "bold"
            share = percent(_ratio(row["value"], opening), sign=row["kind"] == "change")
            table.add_row(LINES[str(key)], amount(row["value"]), share, style=style)
    return _section("Movement", table)


def _reconciliation(items: pd.DataFrame) -> RenderableType:
    """Return how sales tie to the ledger; in red what is not explained."""
    table = _table("", "money")
    for name, row in items.iterrows():
        wrong = name == UNEXPLAINED and row["money"] != 0.0
        table.add_row(str(name), amount(row["money"], digits=2), style="bold red" if wrong else "")
    return _section("Reconciliation to the ledger", table)


def _models(fits: Sequence[Fit], equities: Sequence[float] = ()) -> RenderableType:
    """Return the models that were fitted, the chosen one first, with the equity under each if it is known."""
    if len(fits) == 1:
        table = _table("", "log-likelihood", "AIC")
        table.add_row(fits[0].model.name, *_likelihood(fits[0]))
        return _section("Model", table)
    table = _table("", "log-likelihood", "AIC", "difference", *(("equity", "to chosen") if equities else ()))
    for index, fit in enumerate(fits):
        cells = [*_likelihood(fit), f"{fit.aic - fits[0].aic:,.1f}"]
        if equities:
            relative = _ratio(equities[index], equities[0]) - 1.0
            cells += [amount(equities[index]), percent(relative, sign=True) if index else "chosen"]
        table.add_row(fit.model.name, *cells, style="" if index else "bold")
    return _section("Models", table, beside="the one with the lowest AIC is chosen")


def _likelihood(fit: Fit) -> tuple[str, str]:
    return f"{fit.log_likelihood:,.1f}", f"{fit.aic:,.1f}"


def _model_risk(valuation: Valuation) -> RenderableType:
    if len(valuation.candidates) == 1 or valuation.book.equity == 0.0:
        return Group()
    low, high = (percent(bound, sign=True) for bound in valuation.model_risk)
    between = low if low == high else f"{low} to {high}"
    return Padding(Text(f"Model risk: {between} under the models not chosen."), (1, 0, 0, 2), expand=False)


def _headline(book: Book | LazyBook) -> RenderableType:
    """Return the equity, framed."""
    customers = len(book.histories)
    text = Text.assemble(
        (with_currency(book.equity, book.terms.currency), "bold green" if book.equity > 0 else "bold red"),
        f"\n{customers:,} customers, {amount(book.equity / max(customers, 1), digits=2)} a head"
        f"\n{book.orders.model.name} and {book.spend.model.name}",
    )
    return Panel(text, title="Customer equity", title_align="left", padding=(1, 3), expand=False)


def _assumptions(terms: Assumptions) -> RenderableType:
    table = Table.grid(padding=(0, 3, 0, 0))
    locale = Locale("en", terms.currency)
    for key, words in stated(terms, locale):
        table.add_row(Text(locale.label(key), "dim"), Text(words.replace(NBSP, " ")))
    return _section("Assumptions", table)


def _lines(book: Book | LazyBook) -> RenderableType:
    """Return the benefits and costs."""
    table = _table("line", "driver", "amount", "rate", "value", "share", left=(0, 1))
    for name, line in book.statement_lines.iterrows():
        rate = f"{line['rate']:,.6g}" if np.isfinite(line["rate"]) else ""
        numbers = (amount(line["amount"]), rate, amount(line["value"]))
        share = percent(_ratio(line["value"], book.equity))
        table.add_row(str(name).replace("_", " "), str(line["driver"]), *numbers, share)
    return _section("What it is made of", table, beside="amounts are discounted")


def _horizons(book: Book | LazyBook) -> RenderableType:
    """Return the equity within so many years, as long as it grows."""
    table = _table("within", "equity", "share", left=())
    for years, row in book.horizons.iterrows():
        if np.isclose(row["equity"], book.equity, rtol=1e-9):
            break
        share = _ratio(row["equity"], book.equity)
        table.add_row(f"{years} year{'s' if years != 1 else ''}", amount(row["equity"]), percent(share))
    end = "for ever" if book.terms.horizon is None else book.terms.horizon
    table.add_row(end, amount(book.equity), percent(_ratio(book.equity, book.equity)), style="bold")
    return _section("When it comes", table)


def _groups(valuation: Valuation) -> RenderableType:
    table = _table("", "customers", "of customers", "equity", "of equity")
    customers, equity = len(valuation.book.histories), valuation.book.equity
    for group in valuation.groups:
        shares = percent(_ratio(group.customers, customers)), percent(_ratio(group.equity, equity))
        table.add_row(group.name, f"{group.customers:,}", shares[0], amount(group.equity), shares[1])
    return _section("Who it comes from", table)


def _new_customer(book: Book | LazyBook) -> RenderableType:
    """Return what a customer is worth at the moment of acquisition."""
    new, currency = book.new_customer, book.terms.currency
    table = Table.grid("", "", "", padding=(0, 2, 0, 0))
    table.columns[1].justify = "right"
    later = f"{new.orders:.2f} discounted orders of {amount(new.order_value, digits=2)}"
    table.add_row("first order", amount(new.first_order, digits=2), "")
    table.add_row("what follows", amount(new.repeat, digits=2), Text(later, "dim"))
    total = with_currency(new.post_acquisition_value, currency, digits=2)
    highest = Text("at most this may be spent to acquire one", "dim")
    table.add_row("together", amount(new.post_acquisition_value, digits=2), highest, style="bold")
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
    return Text.assemble("\nwritten: ", (str(path), "bold"), f" ({', '.join(names)})" if names else "")


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
