"""The assumptions as a reader wants them: which count, what each is, what it is per, and all of them in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Final

from clvmodels.reporting.locale import NBSP, Locale
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.line_table import RATES, Kind
from clvmodels.valuation.rates import ByColumn, BySegment, Rate

__all__ = ["UNITS", "assumption_text", "units_of"]

_DEFAULTS: Final = {field.name: field.default for field in fields(Assumptions)}

UNITS: Final = {
    "discount_rate": "unit_per_year",
    **{name: bounds.unit for name, bounds in RATES.items()},
    "growth": "unit_per_year",
    "tax": "unit_of_value",
}
"""The label of what a number is about, by assumption; the others say it themselves."""


def units_of(assumptions: Assumptions) -> dict[str, str]:
    """Return `UNITS`, and those of the lines of the user's own."""
    return UNITS | {line.name: line.bounds.unit for line in assumptions.lines}


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
    if assumptions.cost_half_life is not None:
        yield "cost_half_life", locale.duration(assumptions.cost_half_life)
    bounds = assumptions.bounds
    for name, rate in assumptions.rates.items():
        if rate != _DEFAULTS.get(name, 0.0) or name == "margin":
            unit = locale.label(bounds[name].unit)
            yield (
                name,
                _rate(bounds[name].kind, rate, locale) + (f" ({unit})" if isinstance(rate, ByColumn) else f" {unit}"),
            )
    for name in ("growth", "tax"):
        if getattr(assumptions, name):
            yield name, f"{_share(getattr(assumptions, name), locale)} {locale.label(UNITS[name])}"
    if assumptions.currency:
        yield "currency", assumptions.currency


def _rate(kind: Kind, rate: Rate, locale: Locale) -> str:
    """Return a rate in words, without what it is per."""
    if isinstance(rate, ByColumn):
        times = "" if rate.factor == 1.0 else f" ×{NBSP}{locale.plain(rate.factor)}"
        return locale.label("by_column").format(rate.column) + times
    if isinstance(rate, BySegment):
        each = (f"{segment} {_rate(kind, segment_rate, locale)}" for segment, segment_rate in rate.rates.items())
        return f"{rate.by}: {', '.join(each)}"
    if kind == "share":
        return _share(rate, locale)
    return locale.beside(locale.plain(rate, fewest=2)) if kind == "money" else locale.plain(rate)


def _share(share: float, locale: Locale) -> str:
    return f"{locale.plain(100.0 * share)}{NBSP}%"
