"""The assumptions as a reader wants them: which count, what each is, what it is per, and all of them in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Final

from clvmodels.reporting.locale import NBSP, Locale
from clvmodels.valuation.assumptions import RATES, Assumptions, kind_of
from clvmodels.valuation.rates import ByColumn, BySegment, Rate

__all__ = ["UNITS", "assumption_text"]

_DEFAULTS: Final = {field.name: field.default for field in fields(Assumptions)}

UNITS: Final = {
    "discount_rate": "unit_per_year",
    "margin": "unit_of_sales",
    "payment_share": "unit_of_sales",
    "return_share": "unit_of_sales",
    "write_down": "unit_of_returned_value",
    "order_cost": "unit_per_order",
    "returns_per_order": "unit_per_order",
    "return_cost": "unit_per_return",
    "word_of_mouth_cost": "unit_per_return",
    "contacts_per_order": "unit_per_order",
    "contacts_per_year": "unit_per_living_year",
    "service_cost": "unit_per_contact",
    "maintenance_cost": "unit_per_living_year",
    "loyalty_cost": "unit_per_living_year",
    "campaigns_per_year": "unit_per_customer_year",
    "contact_cost": "unit_per_contact",
    "referrals_per_year": "unit_per_living_year",
    "referral_value": "unit_per_referral",
    "acquisition_cost": "unit_per_customer",
    "growth": "unit_per_year",
    "tax": "unit_of_value",
}
"""The label of what a number is about, by assumption; the others say it themselves."""


def assumption_text(assumptions: Assumptions, locale: Locale) -> Iterator[tuple[str, str]]:
    """Yield every assumption that counts: the key of its label, and itself in words.

    Examples
    --------
    >>> words = dict(assumption_text(Assumptions(discount_rate=0.15, margin=0.3), Locale("en", "")))
    >>> words["margin"].replace(NBSP, " "), words["horizon"]
    ('30 % of sales', 'indefinitely')
    """
    rates = ", ".join(_share(rate, locale) for rate in assumptions.discount_rates)
    after = f" {locale.label('last_for_all_after')}" if len(assumptions.discount_rates) > 1 else ""
    yield "discount_rate", f"{rates} {locale.label('effective_annual')}{after}"
    yield "timing", locale.label(assumptions.timing)
    yield "year", locale.duration(assumptions.year)
    yield (
        "horizon",
        locale.label("indefinitely") if assumptions.horizon is None else locale.duration(assumptions.horizon),
    )
    for name in RATES:
        rate = getattr(assumptions, name)
        if rate != _DEFAULTS[name] or name == "margin":
            unit = locale.label(UNITS[name])
            yield name, _rate(name, rate, locale) + (f" ({unit})" if isinstance(rate, ByColumn) else f" {unit}")
    for name in ("growth", "tax"):
        if getattr(assumptions, name):
            yield name, f"{_share(getattr(assumptions, name), locale)} {locale.label(UNITS[name])}"
    if assumptions.currency:
        yield "currency", assumptions.currency


def _rate(name: str, rate: Rate, locale: Locale) -> str:
    """Return a rate in words, without what it is per."""
    if isinstance(rate, ByColumn):
        times = "" if rate.factor == 1.0 else f" ×{NBSP}{locale.plain(rate.factor)}"
        return locale.label("by_column").format(rate.column) + times
    if isinstance(rate, BySegment):
        each = (f"{segment} {_rate(name, segment_rate, locale)}" for segment, segment_rate in rate.rates.items())
        return f"{rate.by}: {', '.join(each)}"
    kind = kind_of(name)
    if kind == "share":
        return _share(rate, locale)
    return locale.beside(locale.plain(rate, fewest=2)) if kind == "money" else locale.plain(rate)


def _share(share: float, locale: Locale) -> str:
    return f"{locale.plain(100.0 * share)}{NBSP}%"
