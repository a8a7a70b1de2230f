"""The sheet of the assumptions: the cells that the formulas of the other sheets refer to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from clvmodels.report.labels import Language, label
from clvmodels.report.workbook.amounts import CellKey
from clvmodels.report.workbook.page import Page
from clvmodels.report.workbook.style import Kind, Live, Look
from clvmodels.valuation.assumptions import RATES, Assumptions
from clvmodels.valuation.rates import ByColumn, BySegment

if TYPE_CHECKING:
    from clvmodels.report.content import EquityReport

__all__ = ["write_assumptions"]

_UNITS: Final = {
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
"""What a number is about, by assumption; the others say it themselves."""

_LIVE: Final = (*RATES, "tax")
"""What the formulas refer to; D, L and Z rest on the others."""


def write_assumptions(page: Page, report: EquityReport, language: Language) -> dict[CellKey, Live]:
    """Write every assumption, and what the report rests on; return the cells of the rates.

    Parameters
    ----------
    page
        The sheet.
    report
        The report.
    language
        Of the labels.
    """
    terms = report.book.terms
    page.title(label("assumptions", language), label("assumptions_note", language))
    names = ("assumption", "applies_to", "value", "unit", "in_this_workbook", "key")
    page.header([label(name, language) for name in names], freeze=True, left=(0, 1, 3, 4, 5))
    cells: dict[CellKey, Live] = {}
    for field in fields(Assumptions):
        for segment, whom, item in _items(terms, field.name, language):
            key = (field.name, segment)
            found = _write_row(page, field.name, whom, item, language)
            if field.name in _LIVE:
                cells[key] = found
    _write_basis(page, report, language)
    return cells


def _items(terms: Assumptions, name: str, language: Language) -> Iterator[tuple[str, str, float | str]]:
    """Yield of an assumption each value: its segment, for whom it is, and itself."""
    stated = getattr(terms, name)
    if isinstance(stated, BySegment):
        for segment, rate in stated.rates.items():
            yield segment, f"{stated.by} = {segment}", rate
    elif isinstance(stated, ByColumn):
        yield "", label("factor_of_column", language).format(stated.column), stated.factor
    elif isinstance(stated, tuple):
        for year, rate in enumerate(stated, start=1):
            last = year == len(stated) and year > 1
            yield "", label("year_and_after" if last else "year_number", language).format(year), rate
    elif stated is None:
        yield "", "", label("for_ever", language)
    else:
        text = label(stated, language) if isinstance(stated, str) else stated
        yield "", label("all_customers", language) if name in RATES else "", text


def _write_row(page: Page, name: str, whom: str, item: float | str, language: Language) -> Live:
    live = name in _LIVE
    unit = label(_UNITS[name], language) if name in _UNITS else ""
    row = (label(name, language), whom, item, unit, label("live" if live else "new_run", language), name)
    muted = Look(muted=True, indent=1)
    value = Look(_kind(name), given=live, right=True)
    return page.line(row, (Look(), Look(indent=1), value, muted, muted, muted))[2]


def _kind(name: str) -> Kind:
    """Return how the value of an assumption is shown: shares in percent."""
    shares = ("discount_rate", "growth", "tax", *(key for key, bounds in RATES.items() if bounds.high == 1.0))
    return "share" if name in shares else "rate"


def _write_basis(page: Page, report: EquityReport, language: Language) -> None:
    """Write the models with their parameters, and the audit trail."""
    page.section(label("basis", language))
    book = report.book
    for fit in (book.orders, book.spend):
        parameters = ", ".join(f"{name} {value:.6g}" for name, value in fit.params.items())
        _write_pair(page, fit.model.name, parameters)
    _write_pair(page, label("created", language), report.created)
    for name, item in _flat(report.audit, ""):
        _write_pair(page, name, str(item))


def _write_pair(page: Page, name: str, text: str) -> None:
    """Write a name and a text that may run over the cells beside it."""
    page.put(page.row, 0, name, Look(muted=True))
    page.put(page.row, 1, text, Look(muted=True, indent=1, over=True))
    page.row += 1


def _flat(nested: Mapping[str, Any], above: str) -> Iterator[tuple[str, object]]:
    """Yield the ends of nested data with their path."""
    for name, item in nested.items():
        path = f"{above} · {name}" if above else str(name)
        if isinstance(item, Mapping):
            yield from _flat(item, path)
        elif isinstance(item, list | tuple):
            yield path, ", ".join(map(str, item))
        else:
            yield path, item
