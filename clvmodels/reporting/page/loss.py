"""Customers who cost more than they bring: how many, why, and what levers would do."""

from __future__ import annotations

import pandas as pd

from clvmodels.reporting.content import EquityReport
from clvmodels.reporting.locale import Locale, digits_of
from clvmodels.reporting.page.markup import Html, tag
from clvmodels.reporting.page.tables import Row, head, name, number, section, table
from clvmodels.valuation.unprofitable import causes, levers

__all__ = ["loss"]


def loss(report: EquityReport, locale: Locale) -> Html:
    """Return the customers whose expected value is below zero; nothing if there are none."""
    book = report.book
    customers, equity = book.unprofitable()
    if not customers:
        return Html()
    share = locale.percent(customers / len(book.histories))
    text = locale.label("unprofitable_remark").format(locale.number(customers), share, locale.with_currency(equity))
    remark = tag("p", text, {"class": "remark"})
    below = tag("h3", locale.label("levers"))
    content = [remark, _causes(causes(book), locale), below, _levers(levers(book), locale)]
    return section("unprofitable", locale, content)


def _causes(rows: pd.DataFrame, locale: Locale) -> Html:
    columns = ["unprofitable", "unprofitable_per_customer", "others_per_customer"]
    digits = [digits_of(*rows[column]) for column in columns]
    body = [
        Row(
            [
                name(locale.named(str(key))),
                *(number(locale.money(row[c], d)) for c, d in zip(columns, digits, strict=True)),
            ],
            "sum" if key == "equity" else "",
        )
        for key, row in rows.iterrows()
    ]
    titles = [locale.label(key) for key in ("line", *columns)]
    return table(locale.label("unprofitable"), head(titles), body)


def _levers(rows: pd.DataFrame, locale: Locale) -> Html:
    digits = digits_of(*rows["value"])
    body = [
        Row(
            [
                name(locale.label(str(key))),
                *(number(locale.money(row[column], digits)) for column in ("value", "change")),
                number(locale.number(row["still"], 0)),
                number("" if str(key) == "as it is" else locale.percent(row["break_even_loss"], 0)),
            ]
        )
        for key, row in rows.iterrows()
    ]
    titles = [locale.label(key) for key in ("lever", "value", "change", "still_unprofitable", "break_even_loss")]
    return table(locale.label("lever"), head(titles), body)
