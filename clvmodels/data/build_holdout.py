"""From a purchase log to what the customers of a training window did after it."""

# ruff: noqa: PD003 - isnull is what Ibis has

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clvmodels.data.columns import count
from clvmodels.data.holdout import Holdout, estimated_revenue
from clvmodels.data.occasions import column
from clvmodels.data.profile import refuse_refunds

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import numpy.typing as npt
    import pyarrow as pa

    from clvmodels.data.build import Plan
    from clvmodels.data.histories import FloatArray, Histories
    from clvmodels.data.profile import Facts

__all__ = ["build_holdout", "holdout_occasions"]


def build_holdout(train: Histories, facts: Facts, *, training: Plan, whole: Plan) -> tuple[Holdout, list[str]]:
    """Return what came after a training window, and notes to warn with.

    Parameters
    ----------
    train, facts
        Histories and facts of the training window.
    training, whole
        The plans of the training window and of both windows together.

    Raises
    ------
    DataError
        If a merging window would be counted in both windows, or there is a refund although the policy is to have none.
    """
    import pandas as pd

    occasions = holdout_occasions(facts, training=training, whole=whole)
    table = whole.log.run(_by_customer(occasions, has_value=whole.log.has_value))
    ids = pd.Index(table["id"].to_pandas())
    place = ids.get_indexer(train.customer_id) if len(table) else np.full(len(train), -1)
    orders, revenue, mean = _in_holdout(table, has_value=whole.log.has_value)
    joined = np.ones(len(table), dtype=bool)
    joined[place[place >= 0]] = False
    holdout = Holdout(
        histories=train,
        frequency=_aligned(orders, place, 0.0),
        revenue=_aligned(revenue, place, 0.0 if whole.log.has_value else np.nan),
        monetary_value=_aligned(mean, place, np.nan),
        duration=float(whole.in_unit(np.asarray(training.window.closing, "datetime64[us]"), whole.window.closing)),
        start=training.window.label(training.window.end),
        end=whole.window.label(whole.window.end),
        late_joiners=int(joined.sum()),
        late_purchases=int(orders[joined].sum()),
        late_revenue=float(estimated_revenue(orders[joined], revenue[joined]).sum()) if whole.log.has_value else np.nan,
    )
    return holdout, _unvalued(training, whole)


def holdout_occasions(facts: Facts, *, training: Plan, whole: Plan) -> ir.Table:
    """Return the purchase occasions after a training window, of all customers.

    Parameters
    ----------
    facts
        Of the training window.
    training, whole
        The plans of the training window and of both windows together.

    Raises
    ------
    DataError
        If a merging window would be counted in both windows, or there is a refund although the policy is to have none.
    """
    begin = training.window.next_date
    if facts.late_refunds and whole.returns == "raise":
        refuse_refunds(whole.log, whole.window)
    refunds = facts.refunds.rows + facts.late_refunds > 0
    rows = whole.rows(refunds=refunds)
    if not (refunds and whole.returns == "net"):  # what refunds may belong to need not be read
        rows = rows.filter(training.window.after(rows.t))
    occasions = whole.occasions(rows, refunds=refunds)
    return occasions.filter(occasions.kept & (occasions.w >= whole.window.date(begin)))


def _by_customer(late: ir.Table, *, has_value: bool) -> ir.Table:
    """Return occasions and revenue by customer."""
    values = {"total": late.v.sum(), "known": late.v.count()} if has_value else {}
    return late.group_by("id").aggregate(orders=late.count(), **values)


def _in_holdout(table: pa.Table, *, has_value: bool) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return occasions, revenue and mean value of an occasion by customer who bought, as `Holdout` has them."""
    orders = column(table, "orders")
    if not has_value:
        return orders, np.full(len(orders), np.nan), np.full(len(orders), np.nan)
    total, known = column(table, "total"), column(table, "known")
    known = np.where(known > 0, known, np.nan)
    return orders, total * (orders / known), total / known


def _unvalued(training: Plan, whole: Plan) -> list[str]:
    """Return a note if values are missing after a training window."""
    if not whole.log.has_value:
        return []
    rows = whole.window.rows(whole.log.rows)
    late = rows.filter(training.window.after(rows.t))
    number = whole.log.run(late.aggregate(rows=late.count(where=late.v.isnull()))).to_pylist()[0]["rows"]
    if not number:
        return []
    what = f"{count(number, 'purchase')} without {whole.log.columns.value!r} in the holdout"
    return [f"{what}: left out of every mean, and in revenue each counts with the mean of the others"]


def _aligned(values: FloatArray, place: npt.NDArray[np.intp], otherwise: float) -> FloatArray:
    """Return values at their places, matched by customer id."""
    aligned = np.full(len(place), otherwise)
    aligned[place >= 0] = values[place[place >= 0]]
    return aligned
