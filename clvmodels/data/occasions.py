"""Purchase occasions and customers: the one path of aggregation that serves every window.

Rows become occasions (one a customer and date), occasions become customers. Plain Ibis expressions: group-by, a window
function where there are refunds, arithmetic. No user-defined function, so that they run in any engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from clvmodels.data.arithmetic import steady_sum
from clvmodels.numerics.rounding import significant_digits

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import numpy.typing as npt
    import pyarrow as pa

    from clvmodels.data.statistics import FloatArray
    from clvmodels.data.windows import Window

__all__ = ["REFUND_OUTCOMES", "by_customer", "column", "dates", "netted_occasions", "plain_occasions", "refund_tallies"]

REFUND_OUTCOMES: Final = (
    "purchases", "gone", "gone_money", "gone_rows", "netted_rows", "netted_money", "blind_rows", "blind_money",
    "lost_rows", "lost_money", "overdrawn",
)  # fmt: skip
"""Names of the tallies of refunds."""

_ROUNDING = 1e-9
"""An occasion whose refunds leave less than this share of its value is refunded in full."""
_LARGEST_LOGS, _LARGEST_SQUARES, _MOST_ORDERS = 2.0**27, 2.0**30, 2**20
"""Bounds of a customer's sums of logs, and of their orders; beyond them, a last digit may depend on threads."""


def plain_occasions(rows: ir.Table, window: Window, *, has_value: bool) -> ir.Table:
    """Return purchase occasions of rows without refunds.

    Parameters
    ----------
    rows
        Rows within the window, all purchases.
    window
        Dates them.
    has_value
        Whether the rows have values.

    Returns
    -------
    Table
        ``id``, ``w`` (date), ``v`` (value of all rows, NULL if unknown) and ``kept`` (True).
    """
    import ibis

    dated = rows.group_by(id=rows.id, w=window.dates(rows.t))
    occasions = dated.aggregate(v=rows.v.sum()) if has_value else dated.aggregate()
    return occasions.mutate(kept=ibis.literal(True))


def netted_occasions(rows: ir.Table, window: Window) -> ir.Table:
    """Return purchase occasions with every refund booked to the customer's latest occasion at or before it.

    Returns
    -------
    Table
        As `plain_occasions`, and ``gross`` (the value before refunds), ``m`` and ``refund`` (refunds booked: rows,
        money). ``w`` is NULL where refunds have no earlier purchase; ``kept`` marks what remains a purchase.
    """
    import ibis

    is_refund = (rows.v < 0).fill_null(False)  # an unknown value is a purchase
    dated = rows.group_by(id=rows.id, w=window.dates(rows.t)).aggregate(
        n=rows.count(where=~is_refund),
        gross=rows.v.sum(where=~is_refund),
        m=rows.count(where=is_refund),
        refund=rows.v.sum(where=is_refund),
    )
    until_then = ibis.window(group_by=dated.id, order_by=dated.w, preceding=None, following=0)
    booked = dated.mutate(booked_to=ibis.ifelse(dated.n > 0, dated.w, None).max().over(until_then))
    occasions = booked.group_by(id=booked.id, w=booked.booked_to).aggregate(
        n=booked.n.sum(), gross=booked.gross.sum(), m=booked.m.sum(), refund=booked.refund.sum()
    )
    net = occasions.gross + occasions.refund.fill_null(0.0)
    left = (occasions.m == 0) | occasions.gross.isnull() | (net > _ROUNDING * occasions.gross)
    return occasions.mutate(v=net, kept=occasions.w.notnull() & left)


def by_customer(
    occasions: ir.Table, *, all_kept: bool, has_value: bool, all_known: bool, logs: bool = False
) -> ir.Table:
    """Return one row a customer.

    Parameters
    ----------
    occasions
        From `plain_occasions` or `netted_occasions`.
    all_kept, all_known
        Whether every occasion is kept, and every value known: the answer is then cheaper.
    has_value
        Whether occasions have values.
    logs
        Whether to return, in place of the tallies of refunds, ``logged`` (occasions of positive value), the sums of the
        logs of these and of their squares, their total, mean and variance of all values, and ``at_first`` (1 if the
        value of the first occasion is known).

    Returns
    -------
    Table
        ``id``, ``orders`` (occasions kept), ``first`` and ``last`` (their dates); with values
        ``total``, ``first_value`` and, unless all are known, ``known`` (occasions with a value) and ``first_known``
        (date); unless all are kept the tallies of refunds.
    """
    kept = None if all_kept else occasions.kept
    wanted: dict[str, Any] = {
        "orders": occasions.count(where=kept),
        "first": occasions.w.min(where=kept),
        "last": occasions.w.max(where=kept),
    }
    if has_value:
        known = kept if all_known else occasions.v.notnull() & occasions.kept
        wanted["total"] = occasions.v.sum(where=kept)
        wanted["first_value"] = occasions.v.argmin(occasions.w, where=known)
        if not all_known:
            wanted["known"] = occasions.count(where=known)
            wanted["first_known"] = occasions.w.min(where=known)
    if logs:
        wanted |= _logs(occasions, kept)
    elif not all_kept:
        wanted |= refund_tallies(occasions)
    customers = occasions.group_by("id").aggregate(**wanted)
    if logs:
        starts = (customers.first_known == customers["first"]).fill_null(False)
        customers = customers.mutate(at_first=starts.ifelse(1, 0))
    return customers


def _logs(occasions: ir.Table, kept: ir.BooleanColumn | None) -> dict[str, ir.Scalar]:
    """Return number and sums of the logs of positive values, the sum of these, and the moments of all values."""
    import ibis

    positive = occasions.v > 0.0
    values = ibis.ifelse(positive if kept is None else positive & kept, occasions.v, None)
    logs = values.ln()
    return {
        "logged": logs.count(),
        "logged_sum": steady_sum(logs, size=_LARGEST_LOGS, rows=_MOST_ORDERS),
        "logged_squares": steady_sum(logs * logs, size=_LARGEST_SQUARES, rows=_MOST_ORDERS),
        "logged_total": values.sum(),
        "amount_mean": occasions.v.mean(where=kept),
        "amount_variance": occasions.v.var(where=kept, how="pop"),
    }


def refund_tallies(occasions: ir.Table) -> dict[str, ir.Scalar]:
    """Return what became of purchases and refunds, by the fate of the occasion they belong to.

    ``purchases``: rows of the occasions that remain. ``netted``: refunds of those. ``blind``: of those whose
    value is unknown. ``gone``: occasions refunded in full: no purchases. ``lost``: refunds without an occasion.
    Each but the first with ``_rows`` and ``_money``. ``overdrawn``: occasions whose refunds are more than their value.
    """
    gone, lost = occasions.w.notnull() & ~occasions.kept, occasions.w.isnull()
    below_zero = gone & (occasions.v < -_ROUNDING * occasions.gross)
    blind = occasions.kept & occasions.gross.isnull()
    netted = occasions.kept & occasions.gross.notnull()
    tallies: dict[str, Any] = {"gone": occasions.count(where=gone), "gone_money": occasions.v.sum(where=gone)}
    tallies["overdrawn"] = occasions.count(where=below_zero)
    tallies["purchases"] = occasions.n.sum(where=occasions.kept)
    tallies["gone_rows"] = (occasions.n + occasions.m).sum(where=gone)
    for name, where in {"netted": netted, "blind": blind, "lost": lost}.items():
        tallies[f"{name}_rows"] = occasions.m.sum(where=where)
        tallies[f"{name}_money"] = occasions.refund.sum(where=where)
    return tallies


def column(table: pa.Table, name: str) -> FloatArray:
    """Return a numeric column of a result as floats; NULL becomes NaN.

    Rounded, so that a sum does not depend on the order in which the threads of the engine added.
    """
    values = table[name]
    numbers = values.cast("float64").to_numpy().astype(np.float64, copy=False)
    return significant_digits(numbers) if str(values.type) in {"double", "float"} else numbers


def dates(table: pa.Table, name: str) -> npt.NDArray[np.datetime64]:
    """Return a column of dates as microseconds since 1970; NULL becomes NaT."""
    return cast("npt.NDArray[np.datetime64]", table[name].to_numpy().astype("datetime64[us]", copy=False))
