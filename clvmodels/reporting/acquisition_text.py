"""Segments and new customers of a report in the reader's words: what the page, the workbook and the terminal share."""

from __future__ import annotations

import math
from typing import Final, Literal

from clvmodels.reporting.content import EquityReport
from clvmodels.reporting.locale import Locale, digits_of

__all__ = ["COLUMNS", "Kind", "cell_text", "segments_text"]

Kind = Literal["count", "unit", "decimal"]

COLUMNS: Final[dict[str, tuple[str, Kind]]] = {
    "customers": ("customers", "count"),
    "acquisition_cost": ("cost_of_acquisition", "unit"),
    "ceiling": ("cost_ceiling", "unit"),
    "new_customer": ("value_of_new_customer", "unit"),
    "payback_years": ("payback_years", "decimal"),
    "lifetime_value": ("ltv", "unit"),
    "ltv_to_cac": ("ltv_to_cac", "decimal"),
}
"""Of a table of `acquisition_by`: the label, and what kind of number it is."""


def segments_text(report: EquityReport, locale: Locale) -> str:
    """Return whether segments differ and what that changes, in words; empty if there are none."""
    choice = report.segments
    if choice is None:
        return ""
    tests, equity = choice.tests, report.book.equity
    change = choice.pooled / equity - 1.0 if equity else math.nan
    orders, spend = (
        locale.number(test.evidence - test.pooled, sign=True) for test in (choice.tests.orders, choice.tests.spend)
    )
    return locale.label("segments_differ" if tests.differ else "segments_alike").format(
        by=tests.by,
        orders=orders,
        spend=spend,
        pooled=locale.with_currency(choice.pooled, digits_of(equity)),
        change=locale.percent(change, sign=True),
    )


def cell_text(kind: Kind, value: float, locale: Locale) -> str:
    """Return a number of a table of `acquisition_by`; a dash for what is not known."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    digits = {"count": 0, "unit": 2, "decimal": 1}[kind]
    return locale.number(value, digits)
