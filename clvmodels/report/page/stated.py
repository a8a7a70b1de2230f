"""The assumptions in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Final

from clvmodels.report.content import EquityReport
from clvmodels.report.page.locale import NBSP, Locale
from clvmodels.report.page.markup import Html
from clvmodels.report.page.tables import Row, head, name, section, table, words
from clvmodels.valuation.assumptions import RATES, Assumptions, Bounds
from clvmodels.valuation.rates import ByColumn, BySegment, Rate

__all__ = ["PER", "assumptions"]

_DEFAULTS: Final = {field.name: field.default for field in fields(Assumptions)}

PER: Final = {
    "order_cost": "per_order",
    "maintenance_cost": "per_living_year",
    "loyalty_cost": "per_living_year",
    "acquisition_cost": "per_customer",
}
"""What a rate is per, where its label does not say so."""


def assumptions(report: EquityReport, locale: Locale) -> Html:
    """Return every assumption that counts."""
    rows = [Row([name(what), words(said)]) for what, said in _stated(report.book.terms, locale)]
    title = locale.label("assumptions")
    return section("assumptions", locale, [table(title, head([locale.label("assumption"), ""], left=2), rows)])


def _stated(terms: Assumptions, locale: Locale) -> Iterator[tuple[str, str]]:
    rates = ", ".join(_share(rate, locale) for rate in terms.discount_rates)
    after = f" {locale.label('last_for_all_after')}" if len(terms.discount_rates) > 1 else ""
    yield locale.label("discount_rate"), f"{rates} {locale.label('effective_annual')}{after}"
    yield locale.label("timing"), locale.label(terms.timing)
    yield locale.label("year"), locale.duration(terms.year)
    yield locale.label("horizon"), locale.label("for_ever") if terms.horizon is None else locale.duration(terms.horizon)
    for key, bounds in RATES.items():
        rate = getattr(terms, key)
        if rate != _DEFAULTS[key] or key == "margin":
            per = f" {locale.label(PER[key])}" if key in PER else ""
            yield locale.label(key), _rate(rate, bounds, locale) + per
    for key in ("growth", "tax"):
        if getattr(terms, key):
            yield locale.label(key), _share(getattr(terms, key), locale)
    if terms.currency:
        yield locale.label("currency"), terms.currency


def _rate(rate: Rate, bounds: Bounds, locale: Locale) -> str:
    if isinstance(rate, ByColumn):
        times = "" if rate.factor == 1.0 else f" ×{NBSP}{locale.plain(rate.factor)}"
        return locale.label("by_column").format(rate.column) + times
    if isinstance(rate, BySegment):
        each = (f"{segment} {_rate(one, bounds, locale)}" for segment, one in rate.rates.items())
        return f"{rate.by}: {', '.join(each)}"
    if bounds.high == 1.0:
        return _share(rate, locale)
    return locale.beside(locale.plain(rate, fewest=2)) if bounds.meaning.startswith("money") else locale.plain(rate)


def _share(share: float, locale: Locale) -> str:
    return f"{locale.plain(100.0 * share)}{NBSP}%"
