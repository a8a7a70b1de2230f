"""Money that is not what it seems: negative values that are losses and not refunds, several currencies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from clvmodels.data.columns import count, shown

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from clvmodels.data.log import Log
    from clvmodels.data.profile import Facts

__all__ = ["several_currencies", "suspect_refunds"]

_FEW_REFUNDS: Final = 20
"""Fewer negative rows say nothing about their kind."""
_SHARE_OF_ROWS: Final = 1 / 3
"""Of the rows; fashion by mail order has such returns, other trades have a tenth of them."""
_NOTICEABLE: Final = 0.02
"""Negative rows are at least this share of all before their kind is looked at."""
_UNLIKE: Final = 0.25
"""Share of the negative rows that cannot be refunds of what the customer has bought before."""
_ONLY: Final = 0.05
"""Share of the customers who have negative rows only."""


def suspect_refunds(facts: Facts, tally: Mapping[str, float]) -> list[str]:
    """Return a note if negative values are so many, or fit so badly to earlier purchases, that they may be losses.

    Parameters
    ----------
    facts
        Rows and money of the window.
    tally
        What became of refunds, by the names of `clvmodels.data.occasions.REFUND_OUTCOMES`; ``customers`` and
        ``only_refunds``.
    """
    refunds, inside = facts.refunds, int(facts.days.rows.sum())
    if refunds.rows < _FEW_REFUNDS or refunds.rows < _NOTICEABLE * inside:
        return []
    lost, overdrawn, only = (int(tally.get(name, 0)) for name in ("lost_rows", "overdrawn", "only_refunds"))
    reasons = {
        f"{lost:,} of them have no earlier purchase": lost >= _UNLIKE * refunds.rows,
        f"{count(overdrawn, 'purchase')} would be refunded with more than was paid": (
            overdrawn >= _UNLIKE * refunds.rows
        ),
        f"{count(only, 'customer')} have no other rows": only >= _ONLY * (tally["customers"] + only),
    }
    reasons = {reason: holds for reason, holds in reasons.items() if holds}
    share = refunds.rows / inside
    if not reasons and share < _SHARE_OF_ROWS:
        return []
    why = "".join(f"; {reason}" for reason in reasons)
    note = (
        f"{count(refunds.rows, 'row')} ({share:.1%}, money {refunds.money:,.2f}) are negative and taken for refunds of"
        f' earlier purchases{why}. If they are losses or costs, the values are margins: give sales as "value", and'
        ' the margin with the assumptions, or keep them, returns="keep", for clv.NormalContribution(); if refunds of'
        ' purchases that the log does not have, write returns="drop"'
    )
    return [note]


def several_currencies(log: Log, rows: ir.Table) -> list[str]:
    """Return a note if a column of currencies has more than one value: sums of money then mean nothing.

    Parameters
    ----------
    log, rows
        The log and its rows within the window.
    """
    if log.columns.currency is None:
        return []
    known = rows.filter(rows.c.notnull())
    counted = known.group_by(currency=known.c.upper()).aggregate(rows=known.count(), money=known.v.sum())
    sums = log.run(counted.order_by([counted.rows.desc(), counted.currency])).to_pylist()
    if len(sums) < 2:
        return []
    parts = [f"{shown(row['currency'])} ({count(row['rows'], 'row')}, money {row['money'] or 0:,.2f})" for row in sums]
    listed = ", ".join(parts[:3]) + (f" and {len(parts) - 3:,} more" if len(parts) > 3 else "")
    note = (
        f"the column {log.columns.currency!r} has {len(sums):,} currencies, {listed}, whose values are added up as if"
        " they were one: convert the values to one currency, or give the rows of one"
    )
    return [note]
