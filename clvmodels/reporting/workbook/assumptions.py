"""The sheet of the assumptions: the cells that the formulas of the other sheets refer to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from clvmodels.reporting.assumption_text import units_of
from clvmodels.reporting.labels import Language, label
from clvmodels.reporting.locale import Locale
from clvmodels.reporting.workbook.amounts import CellKey
from clvmodels.reporting.workbook.page import Page
from clvmodels.reporting.workbook.style import Kind, Live, Look
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.rates import ByColumn, BySegment

if TYPE_CHECKING:
    from clvmodels.reporting.content import EquityReport

__all__ = ["write_assumptions"]

_DURATIONS: Final = ("year", "horizon", "cost_half_life")
_OF_FALLING_COSTS: Final = ("early_order_cost", "cost_half_life")
_OWN: Final = "lines"


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
    assumptions = report.book.assumptions
    page.title(label("assumptions", language), label("assumptions_note", language))
    names = ("assumption", "applies_to", "value", "unit", "in_this_workbook", "key")
    page.header([label(name, language) for name in names], freeze=True, left=(0, 1, 3, 4, 5))
    cells: dict[CellKey, Live] = {}
    for name in _names(assumptions):
        for segment, whom, item in _items(assumptions, name, language):
            cell = _write_row(page, assumptions, name, whom, item, language)
            if _is_live(assumptions, name):
                cells[name, segment] = cell
    _write_basis(page, report, language)
    return cells


def _names(assumptions: Assumptions) -> Iterator[str]:
    """Yield the names of all assumptions that count; in place of the lines of the user's own, that of each."""
    falling = assumptions.cost_half_life is not None
    for field in fields(assumptions):
        if field.name == _OWN:
            yield from (line.name for line in assumptions.lines)
        elif falling or field.name not in _OF_FALLING_COSTS:
            yield field.name


def _is_live(assumptions: Assumptions, name: str) -> bool:
    """Return whether formulas refer to an assumption; D, L and Z rest on the others."""
    return name == "tax" or name in assumptions.rates


def _items(assumptions: Assumptions, name: str, language: Language) -> Iterator[tuple[str, str, float | str]]:
    """Yield each value of an assumption: its segment, for whom it is, and itself."""
    rates = assumptions.rates
    stated: Any = rates[name] if name in rates else getattr(assumptions, name)
    if isinstance(stated, BySegment):
        for segment, rate in stated.rates.items():
            yield segment, f"{stated.by} = {segment}", rate
    elif isinstance(stated, ByColumn):
        yield "", label("factor_of_column", language).format(stated.column), stated.factor
    elif isinstance(stated, tuple):
        for year, rate in enumerate(stated, start=1):
            last = year == len(stated) and year > 1
            yield "", label("year_and_after" if last else "year_number", language).format(year), rate
    elif name in _DURATIONS:
        locale = Locale(language, assumptions.currency)
        yield "", "", label("indefinitely", language) if stated is None else locale.duration(stated)
    else:
        text = label(stated, language) if isinstance(stated, str) else stated
        yield "", label("all_customers", language) if name in rates else "", text


def _kind(assumptions: Assumptions, name: str) -> Kind:
    """Return how the value of an assumption is shown: shares in percent; the factor of a column is none."""
    share = name in units_of(assumptions) and assumptions.kind_of(name) == "share"
    share = share and not isinstance(assumptions.rates.get(name), ByColumn)
    return "share" if share else "rate"


def _write_row(
    page: Page, assumptions: Assumptions, name: str, whom: str, item: float | str, language: Language
) -> Live:
    live, units, kind = _is_live(assumptions, name), units_of(assumptions), _kind(assumptions, name)
    unit = label(units[name], language) if name in units else ""
    row = (
        Locale.of(assumptions, language).named(name),
        whom,
        item,
        unit,
        label("live" if live else "new_run", language),
        name,
    )
    muted = Look(muted=True, indent=1)
    value = Look(kind, given=live, right=True)
    return page.line(row, (Look(), Look(indent=1), value, muted, muted, muted))[2]


def _write_basis(page: Page, report: EquityReport, language: Language) -> None:
    """Write the models with their parameters, and the audit trail."""
    page.section(label("basis", language))
    book = report.book
    for fit in (*book.transactions.fits, book.spend):
        parameters = ", ".join(f"{name} {value:.6g}" for name, value in fit.params.items())
        _write_pair(page, fit.model.name, parameters)
        for quantity, prior in fit.priors.items():
            _write_pair(page, label("prior_of", language).format(fit.model.name, quantity), _as_text(prior))
    _write_pair(page, label("created", language), report.created)
    for name, item in _flat(report.audit, ""):
        _write_pair(page, name, str(item))


def _as_text(prior: Mapping[str, object]) -> str:
    """Return a prior as it is written in Python.

    Examples
    --------
    >>> _as_text({"dist": "LogNormal", "mu": 0.0, "sigma": 1.0})
    'LogNormal(mu=0, sigma=1)'
    """
    arguments = ", ".join(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in prior.items()
        if name != "dist"
    )
    return f"{prior.get('dist', '')}({arguments})"


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
