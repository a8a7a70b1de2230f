"""Aggregated customers as purchase histories, with the report of how they came about."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from clvmodels.data.arithmetic import elapsed, rounded
from clvmodels.data.attributes import first_values
from clvmodels.data.checks import trailing_gap
from clvmodels.data.columns import count
from clvmodels.data.engine_table import EngineTable
from clvmodels.data.histories import FloatArray, Histories
from clvmodels.data.log_waits import waits_in_log
from clvmodels.data.occasions import REFUND_OUTCOMES, by_customer, netted_occasions, plain_occasions
from clvmodels.data.order_values import logged_orders
from clvmodels.data.profile import Facts, profile_log, refuse_refunds
from clvmodels.data.purchase_dates import logged_dates
from clvmodels.data.purchase_days import repeat_purchases_by_day
from clvmodels.data.report import DataReport, Refunds, RowsAndMoney
from clvmodels.data.suspect_customers import cut_on_the_left, screened, suspect_customers
from clvmodels.data.suspect_dates import Bounds, suspect_dates
from clvmodels.data.suspect_money import several_currencies, suspect_refunds
from clvmodels.errors import DataError
from clvmodels.numerics.rounding import significant_digits
from clvmodels.units import DAYS, Unit

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import numpy.typing as npt

    from clvmodels.data.log import Log
    from clvmodels.data.windows import Window

__all__ = ["Plan", "Returns", "build_histories", "profiled", "summarise"]

Returns = Literal["net", "drop", "raise", "keep"]

_TALLIED = ("orders", "total", *REFUND_OUTCOMES)
_SUMMARISED = (
    "the log has the columns frequency, recency and T and one row per customer, and so seems to be a table of"
    ' histories: take it over with Histories.from_frame(table, unit="week"); a purchase log has one row per purchase'
)
_DAY = np.timedelta64(1, "D") / np.timedelta64(1, "us")


@dataclass(frozen=True)
class Plan:
    """A log, a window of it, and how it is to be read.

    Attributes
    ----------
    log, window
        The log and the window of observation.
    unit
        The unit of model time.
    returns
        The policy for refunds.
    clean
        Whether ids have been cleaned.
    """

    log: Log
    window: Window
    unit: Unit
    returns: Returns
    clean: bool = False

    def rows(self, *, refunds: bool, all_inside: bool = False) -> ir.Table:
        """Return the rows of the window (all rows, if known to lie inside), without refunds that are dropped.

        Refunds of a known order are of its time here, although it is by their own that they lie in the window.
        """
        rows = self.log.rows if all_inside else self.window.rows(self.log.rows)
        if "booked" in rows.columns:
            rows = rows.mutate(t=rows.booked)
        if refunds and self.returns == "drop":
            return rows.filter((rows.v >= 0) | rows.v.isnull())
        return rows

    def occasions(self, rows: ir.Table, *, refunds: bool) -> ir.Table:
        """Return purchase occasions, by the cheaper path if there are no refunds to net."""
        if refunds and self.returns == "net":
            return netted_occasions(rows, self.window)
        return plain_occasions(rows, self.window, has_value=self.log.has_value)

    def in_unit(self, start: npt.NDArray[np.datetime64], end: npt.NDArray[np.datetime64] | dt.datetime) -> FloatArray:
        """Return elapsed times in the unit of the histories."""
        elapsed = (np.asarray(end, dtype="datetime64[us]") - start).astype(np.float64)
        elapsed /= _DAY * DAYS[self.unit]
        return elapsed


# ------------------------------------------------------------------------------------------------------ histories


def build_histories(plan: Plan) -> tuple[Histories, Facts, list[str]]:
    """Return the histories of a window in memory, the facts of its log, and notes to warn with; see `summarise`."""
    histories, facts, notes = summarise(plan)
    return histories.collect(memory_gb=np.inf), facts, notes


def profiled(plan: Plan) -> tuple[Facts, ir.Table, bool]:
    """Return the facts of a window, its rows, and whether there are refunds among them.

    Raises
    ------
    DataError
        If there is a refund although the policy is to have none.
    """
    facts = profile_log(plan.log, plan.window)
    refunds = facts.refunds.rows > 0
    if refunds and plan.returns == "raise":
        refuse_refunds(plan.log, plan.window)
    return facts, plan.rows(refunds=refunds, all_inside=facts.all_inside), refunds


def summarise(plan: Plan) -> tuple[Histories, Facts, list[str]]:
    """Return the histories of a window, the facts of its log, and notes to warn with.

    Raises
    ------
    DataError
        If there is no purchase in the window, or a refund although the policy is to have none.
    """
    facts, rows, refunds = profiled(plan)
    all_kept = not (refunds and plan.returns == "net")
    occasions = plan.occasions(rows, refunds=refunds)
    customers = by_customer(
        occasions,
        all_kept=all_kept,
        has_value=plan.log.has_value,
        all_known=facts.unvalued == 0,
    )
    customers = plan.log.engine.keep(_with_histories(plan, customers))
    tally = _tally(plan, customers)
    if not tally["customers"]:
        raise DataError(_nothing(plan, facts))
    if plan.log.summarised and tally["customers"] == facts.read.rows:
        raise DataError(_SUMMARISED)
    report = _report(plan, facts, tally, _orders(plan, facts, rows, tally))
    notes = _notes(plan, facts, report) + trailing_gap(tally["gap"], tally["span"], report.occasions, plan.unit)
    suspicions = _suspicions(plan, facts, tally, rows, customers)
    report, notes = replace(report, notes=tuple(suspicions)), notes + suspicions
    buyers = customers.filter(customers.orders > 0)
    table = buyers.drop(*(name for name in _TALLIED if name in buyers.columns))
    if plan.log.columns.attributes:
        described, changing = first_values(plan.log, rows)
        joined = table.left_join(described, table.id == described.customer).drop("customer")
        table, notes = plan.log.engine.keep(joined), notes + changing
    again, values = partial(plan.occasions, rows, refunds=refunds), None
    repeats = tally["orders"] - tally["customers"]
    waits = waits_in_log(plan.log.engine, again, unit=plan.unit, repeats=repeats)
    if plan.log.has_value:
        values = logged_orders(plan.log.engine, again, all_kept=all_kept, totals=tally)
    names, zone = tuple(plan.log.columns.attributes), plan.window.zone_of_dates
    backend = EngineTable(plan.log.engine, table, names, zone=zone, order_values=values, log_waits=waits)
    days = repeat_purchases_by_day(plan.log.engine, plan.window, occasions, buyers)
    dates = logged_dates(plan.log.engine, plan.window, occasions)
    return Histories(backend, plan.unit, plan.window.label(plan.window.end), report, days, dates), facts, notes


def _orders(plan: Plan, facts: Facts, rows: ir.Table, tally: dict[str, float]) -> int:
    """Return how many orders the purchases are: those of one customer and instant, or of one order id, are one.

    They are counted only where they may be more than the purchase occasions, which is where these are merged.
    """
    occasions = int(tally["orders"] + tally.get("gone", 0))
    stated, resolution = plan.log.columns.order_id is not None, plan.window.resolution
    apart = resolution is not None and (facts.timed or resolution != "day")  # without a clock, a day is an instant
    if not stated and not apart:
        return occasions
    refunds = plan.log.has_value and plan.returns != "keep"
    purchases = rows.filter((rows.v >= 0) | rows.v.isnull()) if refunds else rows
    distinct = purchases.select("id", "t", *(["o"] if stated else [])).distinct()
    number: int = plan.log.run(distinct.aggregate(n=distinct.count()))["n"][0].as_py()
    return max(number, occasions)


def _suspicions(plan: Plan, facts: Facts, tally: dict[str, float], rows: ir.Table, customers: ir.Table) -> list[str]:
    """Return what in the data is probably not what it seems."""
    log, window = plan.log, plan.window
    ends = {"start_stated": window.start is not None, "end_stated": window.end.stated}
    notes = [*log.notes, *suspect_dates(log, facts.days, Bounds("observation_start", "observation_end"), **ends)]
    notes += suspect_customers(log, rows, customers, tally, clean=plan.clean)
    notes += suspect_refunds(facts, tally) if plan.returns == "net" else []
    notes += several_currencies(log, rows)
    return notes if window.start is not None else [*notes, *cut_on_the_left(log, rows, customers)]


def _tally(plan: Plan, customers: ir.Table) -> dict[str, float]:
    """Return sums over the customers of the window; those without a purchase count in the fates of refunds alone."""
    bought = customers.orders > 0
    wanted: dict[str, Any] = {"customers": customers.count(where=bought), "orders": customers.orders.sum()}
    wanted |= screened(customers)
    wanted |= {"gap": (customers.age - customers.recency).min(where=bought), "span": customers.age.max(where=bought)}
    if plan.log.has_value:
        wanted["total"] = customers.total.sum(where=bought)
    if "gone" in customers.columns:
        wanted |= {name: customers[name].sum() for name in REFUND_OUTCOMES}
        wanted["all_gone"] = customers.count(where=~bought & (customers.gone > 0))
        wanted["only_refunds"] = customers.count(where=~bought & (customers.gone == 0))
    sums = plan.log.run(customers.aggregate(**wanted)).to_pylist()[0]
    return {name: float(significant_digits(value or 0)) for name, value in sums.items()}


def _with_histories(plan: Plan, customers: ir.Table) -> ir.Table:
    """Return customers with their histories as `EngineTable` has them, and what `_tally` needs."""
    import ibis

    frequency = (customers.orders - 1).cast("float64")
    columns: dict[str, ir.Column] = {
        "id": customers.id,
        "frequency": frequency,
        "recency": elapsed(customers["first"], customers["last"], plan.unit),
        "age": elapsed(customers["first"], plan.window.date(plan.window.closing), plan.unit),
        "spend": ibis.null("float64"),
        "first": customers["first"].cast("timestamp"),
    }
    if plan.log.has_value:
        columns |= _spend(customers, frequency)
    return customers.select(**columns, **{name: customers[name] for name in _TALLIED if name in customers.columns})


def _spend(table: ir.Table, frequency: ir.FloatingColumn) -> dict[str, ir.FloatingColumn]:
    """Return the value of the first occasion and the mean value of the repeat occasions, NULL where unknown."""
    import ibis

    total, first_value, repeats = rounded(table.total), rounded(table.first_value, size=table.total), frequency
    if "known" in table.columns:
        starts = (table.first_known == table["first"]).fill_null(False)
        first_value = ibis.ifelse(starts, first_value, None)
        repeats = (table.known - starts.ifelse(1, 0)).cast("float64")
    mean = (total - first_value.fill_null(0.0)) / ibis.ifelse(repeats > 0, repeats, None)
    return {"spend": mean, "first_value": first_value}


def _nothing(plan: Plan, facts: Facts) -> str:
    """Return why there is no history."""
    window = plan.window
    start = "the beginning" if window.start is None else window.label(window.start)
    return (
        f"no purchase is left between {start} and {window.label(window.end)}: of {count(facts.read.rows, 'row')},"
        f" {facts.before.rows:,} lie before, {facts.after.rows:,} after, and {facts.refunds.rows:,} are refunds"
    )


# --------------------------------------------------------------------------------------------------------- report


def _report(plan: Plan, facts: Facts, tally: dict[str, float], orders: int) -> DataReport:
    """Return what became of all rows."""
    dropped, outside = _dropped(plan, facts, tally), _outside(plan, facts)
    used = facts.read.rows - sum(part.rows for part in dropped.values())
    return DataReport(
        rows_read=facts.read.rows,
        rows_used=used,
        money_read=facts.read.money,
        money_used=tally["total"] if plan.log.has_value else np.nan,
        dropped=dropped,
        refunds=Refunds(
            policy=plan.returns,
            rows=facts.refunds.rows,
            money=facts.refunds.money,
            occasions_gone=int(tally.get("gone", 0)),
            unmatched_rows=int(tally.get("lost_rows", 0)),
            unmatched_money=tally.get("lost_money", 0.0) if plan.log.has_value else np.nan,
        ),
        purchase_rows=int(tally.get("purchases", used)),
        orders=orders,
        occasions=int(tally["orders"]),
        customers=int(tally["customers"]),
        customers_left_out=_left_out(plan, facts, tally, outside),
        rows_without_value=facts.unvalued,
        left_truncated=outside.get("truncated", 0),
        start=None if plan.window.start is None else plan.window.label(plan.window.start),
        end=plan.window.label(plan.window.end),
        resolution=plan.window.resolution,
        unit=plan.unit,
        time_zone=None if plan.window.clock.zone is None else str(plan.window.clock.zone),
    )


def _dropped(plan: Plan, facts: Facts, tally: dict[str, float]) -> dict[str, RowsAndMoney]:
    """Return rows and money not used, by reason."""
    tallied = {
        reason: RowsAndMoney(int(tally.get(f"{name}_rows", 0)), tally.get(f"{name}_money", 0.0))
        for name, reason in _REASONS.items()
    }
    parts = {
        "excluded ids": facts.excluded,
        "without customer id": facts.no_id,
        "without time": facts.no_time,
        "before the start of observation": facts.before,
        "after the end of observation": facts.after,
        "refunds, by choice": facts.refunds if plan.returns == "drop" else RowsAndMoney(0, 0.0),
        **tallied,
    }
    return {reason: part for reason, part in parts.items() if part.rows}


_REASONS = {
    "lost": "refunds without an earlier purchase",
    "gone": "purchases refunded in full, with their refunds",
    "blind": "refunds of purchases of unknown value",
}


def _left_out(plan: Plan, facts: Facts, tally: dict[str, float], outside: dict[str, int]) -> dict[str, int]:
    """Return customers of the log without a history, by reason."""
    reasons = {"excluded": plan.log.excluded, "all purchases before the start": outside.get("before", 0)}
    reasons |= {"first seen after the end": outside["after"]}
    if "gone" in tally:
        reasons["every purchase refunded"] = int(tally["all_gone"])
        reasons["refunds only"] = int(tally["only_refunds"])
    elif facts.refunds.rows and plan.returns == "drop":
        rows = plan.window.rows(plan.log.rows)
        only = rows.filter(rows.v < 0).select("id").distinct().anti_join(plan.rows(refunds=True), "id")
        reasons["refunds only"] = plan.log.run(only.aggregate(n=only.count()))["n"][0].as_py()
    return {reason: number for reason, number in reasons.items() if number}


def _outside(plan: Plan, facts: Facts) -> dict[str, int]:
    """Return customers who lie outside the window altogether, and those who bought before it already."""
    if not (facts.before.rows or facts.after.rows):
        return {"after": 0}
    rows = plan.log.rows.filter(lambda row: row.id.notnull() & row.t.notnull())
    late = plan.window.after(rows.t)
    early = plan.window.before(rows.t)
    earlier = rows.count(where=early) if early is not None else rows.count() * 0
    customers = rows.group_by("id").aggregate(rows=rows.count(), early=earlier, late=rows.count(where=late))
    inside = customers.rows - customers.early - customers.late
    counts = customers.aggregate(
        before=customers.count(where=(inside == 0) & (customers.early > 0)),
        after=customers.count(where=(inside == 0) & (customers.early == 0)),
        truncated=customers.count(where=(inside > 0) & (customers.early > 0)),
    )
    answer: dict[str, int] = plan.log.run(counts).to_pylist()[0]
    return answer


def _notes(plan: Plan, facts: Facts, report: DataReport) -> list[str]:
    """Return what deserves a look."""
    columns, notes = plan.log.columns, []
    if facts.no_id.rows:
        notes.append(f"{count(facts.no_id.rows, 'row')} dropped: no {columns.customer_id!r}")
    if facts.no_time.rows:
        notes.append(f"{count(facts.no_time.rows, 'row')} dropped: no {columns.time!r}")
    if facts.unvalued:
        notes.append(f"{count(facts.unvalued, 'purchase')} without {columns.value!r}: left out of every mean")
    if report.left_truncated:
        notes.append(
            f"{count(report.left_truncated, 'customer')} had bought before observation_start: their first purchase in"
            " the window is not their first one, as the models take it to be; start earlier, or leave them out"
        )
    return notes
