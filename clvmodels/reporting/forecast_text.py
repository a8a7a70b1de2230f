"""What a report says about forecasts and what came of them, in the reader's words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from clvmodels.evaluation.totals import Uncertain
from clvmodels.reporting.compared import Compared, amounts_of, decisive, of_total
from clvmodels.reporting.locale import Locale
from clvmodels.reporting.support_text import listed

if TYPE_CHECKING:
    from clvmodels.evaluation.forecast_check import ForecastCheck
    from clvmodels.evaluation.holdout_total import HoldoutTotal
    from clvmodels.reporting.content import EquityReport
    from clvmodels.valuation.support import Amount

__all__ = ["about_last_third", "about_previous", "fact_of_test", "written"]

_COVERS: Final[Mapping[Uncertain, tuple[str, ...]]] = {
    "process": ("what customers do",),
    "process and parameters": ("parameters", "what customers do"),
    "process, parameters and models": ("parameters", "models", "what customers do"),
}
"""What a band allows for, in the words of the intervals of equity."""


def fact_of_test(total: HoldoutTotal, locale: Locale) -> str:
    """Return in short how the test on the last third ended.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> total = clv.last_third(log, clv.BGNBD(), method="mle", resolution="day", seed=1)
    >>> fact_of_test(total, Locale("de", "")).rpartition(", ")[2]
    'im Band'
    """
    what, amount = decisive(total)
    change = locale.percent(amount.change, sign=True)
    return locale.label("fact_of_test").format(locale.label(what), change, locale.label(f"place_{amount.place}"))


def about_last_third(report: EquityReport, locale: Locale) -> Iterator[str]:
    """Yield sentences on the test on the last third: how it ended, what that changes, and what it rests on."""
    total = report.tested
    if total is None:
        yield locale.label("not_tested")
        return
    what, amount = decisive(total)
    since = total.cutoff.date() + dt.timedelta(days=1)
    yield _how(what, amount, since, report.closings[-1], locale)
    if report.support is not None and report.support.missed is not None:
        yield locale.label("lower_by_test" if report.support.lowered else "not_lower_by_test")
    yield _basis(total, locale)
    if total.late_joiners:
        shares = locale.percent(total.late_share), locale.percent(total.late_purchase_share)
        yield locale.label("late_joiners").format(*shares)


def about_previous(report: EquityReport, check: ForecastCheck, locale: Locale) -> Iterator[str]:
    """Yield sentences on what the closing before predicted: how it ended, in what periods, and why."""
    what = amounts_of(check)[0]
    since = check.cutoff.date() + dt.timedelta(days=1)
    yield _how(what, of_total(check, what), since, report.closings[-1], locale)
    periods = len(check.table)
    yield locale.label("periods_outside").format(check.revenue_outside, periods, check.orders_outside, periods)
    changes = (locale.percent(change, sign=True) for change in (check.orders_change, check.order_value_change))
    yield locale.label("orders_and_value").format(*changes)
    yield _basis(check, locale)
    if check.late_joiners:
        revenue, orders = float(check.late_revenue.sum()), float(check.late_orders.sum())
        shares = (
            locale.percent(late / (late + came))
            for late, came in ((revenue, check.total["revenue_actual"]), (orders, check.total["orders_actual"]))
        )
        yield locale.label("late_joiners").format(*shares)


def _how(what: Amount, amount: Compared, since: dt.date, until: str, locale: Locale) -> str:
    return locale.label(f"test_{what}_{amount.place}").format(
        since=locale.day(since.isoformat()),
        until=locale.day(until),
        change=locale.percent(amount.change, sign=True),
        size=locale.percent(abs(amount.change)),
    )


def _basis(forecast: HoldoutTotal | ForecastCheck, locale: Locale) -> str:
    """Return whom a forecast is of, which models it comes from, and what its band allows for."""
    weights = forecast.models
    names = [f"{name} ({locale.number(weight, 2)})" if len(weights) > 1 else name for name, weight in weights.items()]
    covers = ", ".join(locale.label(f"covers_{what}") for what in _COVERS[forecast.includes])
    known = locale.number(forecast.customers), locale.day(forecast.cutoff.date().isoformat())
    return locale.label("basis_of_forecast").format(*known, listed(names, locale), covers)


def written(what: Amount, value: float, digits: int, locale: Locale) -> str:
    """Return an amount as it stands in a table: money with so many decimals, orders without."""
    return locale.money(value, digits) if what == "revenue" else locale.number(value)
