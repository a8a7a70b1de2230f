"""The section with the sliders, and the data that its script recomputes equity from."""

from __future__ import annotations

import json
import math
from typing import Final

from clvmodels.reporting.assumption_text import units_of
from clvmodels.reporting.content import EquityReport
from clvmodels.reporting.locale import NBSP, Locale, digits_of
from clvmodels.reporting.page.markup import Attributes, Html, tag
from clvmodels.reporting.page.tables import section
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.levers import NODES, WEIGHTS, Lever, Levers, levers_of

__all__ = ["sliders"]

_RAISED: Final = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def sliders(report: EquityReport, locale: Locale) -> Html:
    """Return the section; without its script it stays hidden, as sliders that do nothing mislead."""
    book = report.book
    levers, per = levers_of(book), _per_what(book.assumptions, locale)
    digits = digits_of(book.equity)
    equity: Attributes = {"id": "equity-now", "data-value": repr(book.equity), "data-digits": digits}
    change = {"id": "equity-change", "data-value": "0"}
    results = [
        tag(
            "p",
            [tag("span", locale.label("customer_equity")), tag("output", locale.with_currency(book.equity), equity)],
        ),
        tag("p", [tag("span", locale.label("change")), tag("output", _unmoved(digits, locale), change)]),
        tag("button", locale.label("reset"), {"type": "button", "id": "reset"}),
    ]
    content = [
        tag("div", results, {"class": "result"}),
        tag("div", [_slider(lever, per.get(lever.name, ""), locale) for lever in levers.levers], {"class": "levers"}),
        tag("p", _accuracy(levers, locale), {"class": "remark"}),
        tag("script", Html(_data(levers, locale)), {"type": "application/json", "id": "terms"}),
    ]
    return section("what_if", locale, content, hidden=True)


def _unmoved(digits: int, locale: Locale) -> str:
    return f"{locale.with_currency(0.0, digits)} ({locale.percent(0.0)})"


def _per_what(assumptions: Assumptions, locale: Locale) -> dict[str, str]:
    """Return what rates are per whose label does not state it, as they have that of their line."""
    units = units_of(assumptions)
    rates = (formula.name for formula in assumptions.formulas if formula.name in units)
    return {name: f" ({locale.label(units[name])})" for name in rates}


def _slider(lever: Lever, per: str, locale: Locale) -> Html:
    at = f"lever-{lever.name}"
    slider: Attributes = {
        "type": "range",
        "id": at,
        "min": repr(lever.low),
        "max": repr(lever.high),
        "step": "any" if lever.step is None else f"{lever.step:.{lever.digits}f}",
        "value": repr(lever.stated),
        "autocomplete": "off",
        "data-name": lever.name,
        "data-kind": lever.kind,
        "data-stated": repr(lever.stated),
        "data-digits": lever.digits,
    }
    output = tag("output", _written(lever, locale), {"for": at})
    effect = tag("span", "", {"class": "effect"})
    label = tag("label", locale.named(lever.name) + per, {"for": at})
    return tag("div", [label, output, tag("input", attributes=slider), effect], {"class": "lever"})


def _written(lever: Lever, locale: Locale) -> str:
    if lever.kind == "share":
        return locale.percent(lever.stated, lever.digits - 2)
    text = locale.number(lever.stated, lever.digits)
    if lever.kind == "factor":
        return f"×{NBSP}{text}"
    return locale.beside(text) if lever.kind == "money" else text


def _accuracy(levers: Levers, locale: Locale) -> str:
    exact = locale.label("levers_exact")
    if levers.grid is None:
        return exact
    return f"{exact} {locale.label('levers_accuracy').format(len(NODES), _power(levers.error))}"


def _power(error: float) -> str:
    """Return the power of ten that an error stays below, but none below rounding.

    Examples
    --------
    >>> _power(2.2e-10)
    '10⁻⁹'
    """
    return f"10⁻{str(-math.ceil(math.log10(max(error, 1e-15)))).translate(_RAISED)}"


def _data(levers: Levers, locale: Locale) -> str:
    """Return what the script needs, as JSON that cannot end its element."""
    grid = levers.grid
    content = {
        "language": locale.language,
        "currency": locale.currency,
        "tax": levers.tax,
        "nodes": NODES.tolist() if grid else [0.0],
        "weights": WEIGHTS.tolist() if grid else [1.0],
        "pole": grid.pole if grid else 0.0,
        "span": grid.span if grid else 1.0,
        "terms": [{"factors": term.factors, "sums": term.sums.tolist()} for term in levers.terms],
    }
    return json.dumps(content, allow_nan=False).replace("<", "\\u003c")
