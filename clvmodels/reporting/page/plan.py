"""The revenue of the next four quarters: customers on the books, and those still to come, apart."""

from __future__ import annotations

from clvmodels.reporting.content import EquityReport
from clvmodels.reporting.locale import Locale, digits_of
from clvmodels.reporting.page.markup import Html, tag
from clvmodels.reporting.page.tables import Row, head, name, number, section, table
from clvmodels.valuation.statement import TOTAL

__all__ = ["plan"]

COLUMNS = ("existing", "new", "total", "total_low", "total_high")


def plan(report: EquityReport, locale: Locale) -> Html:
    """Return the plan; nothing where new customers cannot be forecast."""
    if report.plan is None:
        return Html()
    coming, forecast = report.plan
    rows = forecast.to_frame()
    whole = rows.iloc[-1]
    text = locale.label("plan_remark").format(
        existing=locale.with_currency(whole["existing"], digits_of(whole["existing"])),
        new=locale.with_currency(whole["new"], digits_of(whole["new"])),
        customers=locale.number(whole["new_customers"]),
        low=locale.number(whole["new_customers_low"]),
        high=locale.number(whole["new_customers_high"]),
        before=locale.number(coming.observed[TOTAL].iloc[-12:].sum()),
    )
    digits = digits_of(*rows["total"])
    body = [
        Row(
            [
                name(locale.label(TOTAL) if start == TOTAL else locale.day(str(start))),
                *(number(locale.money(row[column], digits)) for column in COLUMNS),
                number(locale.number(row["new_customers"])),
            ],
            "sum" if start == TOTAL else "",
        )
        for start, row in rows.iterrows()
    ]
    keys = ("plan_from", "plan_existing", "plan_new", TOTAL, "plan_low", "plan_high", "plan_new_customers")
    shown = table(locale.label("plan"), head([locale.label(key) for key in keys]), body)
    return section("plan", locale, [tag("p", text), shown])
