"""Purchase occasions one by one: the rows behind the histories of some customers, by the same path of aggregation."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clvmodels.data.attributes import first_values
from clvmodels.data.build import Plan, Returns, profiled
from clvmodels.data.columns import count, examples
from clvmodels.data.occasions import column, dates
from clvmodels.data.reading import Day, LogFormat, end_of, log_of, plan_of
from clvmodels.errors import DataError, DataWarning

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

__all__ = ["Events", "purchase_occasions", "read_events"]


def purchase_occasions(
    log: object,
    *,
    customers: Sequence[object] | None = None,
    most: int = 1_000_000,
    customer_id: str = "customer_id",
    time: str = "date",
    value: str | None = None,
    unit: str = "week",
    resolution: str | None = None,
    observation_end: Day | None = None,
    returns: Returns = "net",
    time_zone: str | None = None,
    time_format: str | None = None,
    attributes: Sequence[str] = (),
    order_id: str | None = None,
    quantity: str | None = None,
    exclude_ids: Sequence[object] = (),
    clean_ids: bool = False,
) -> pd.DataFrame:
    """Return the purchase occasions behind the histories of `rfm_summary`, the first one of each customer included.

    Parameters
    ----------
    log, observation_end
        As in `rfm_summary`.
    customers
        The ids of the customers wanted; None: all.
    most
        Refuse to return more occasions than this.
    customer_id, time, value, unit, resolution, returns, time_zone, time_format, attributes, order_id, quantity,
    exclude_ids, clean_ids
        The format of the log, as in `LogFormat`.

    Returns
    -------
    DataFrame
        One row an occasion, sorted by customer and date: ``customer_id``; ``date``; ``value`` after refunds, NaN where
        unknown; ``age``, the time since the customer's first purchase, and ``T``, their age at the end of observation,
        both in `unit`; and the attributes.

    Raises
    ------
    DataError
        As in `rfm_summary`; if a customer has no purchase in the log, or there are more occasions than `most`.
    UnitError
        If `unit` or `resolution` is no unit.

    Warns
    -----
    DataWarning
        If an attribute changes.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> occasions = purchase_occasions(log, customers=["00004"], value="amount", unit="day", resolution="day")
    >>> occasions[occasions["date"] < "1997-10-01"]
      customer_id       date  value    age      T
    0       00004 1997-01-01  29.33    0.0  545.0
    1       00004 1997-01-18  29.73   17.0  545.0
    2       00004 1997-08-02  14.96  213.0  545.0
    """
    reading = LogFormat(
        customer_id, time, value, unit, resolution, returns, time_zone, time_format,
        attributes, order_id, quantity, exclude_ids, clean_ids,
    )  # fmt: skip
    events = read_events(reading, log, observation_end)
    table, notes = events.of(customers, most)
    for note in notes:
        warnings.warn(note, DataWarning, stacklevel=2)
    return table


def read_events(reading: LogFormat, log: object, observation_end: Day | None) -> Events:
    """Open a log to look at its purchase occasions up to `observation_end`."""
    opened = log_of(reading, log)
    plan = plan_of(reading, opened, None, end_of(opened, observation_end, "observation_end"))
    _, rows, refunds = profiled(plan)
    return Events(plan, rows, refunds)


@dataclass(frozen=True)
class Events:
    """The purchase occasions of a log, not yet read.

    Attributes
    ----------
    plan
        The log, its window, and how it is to be read.
    rows
        The rows of the window.
    refunds
        Whether there are refunds among them.
    """

    plan: Plan
    rows: ir.Table
    refunds: bool

    def sampled(self, size: int, seed: int) -> list[Any]:
        """Return the ids of `size` customers with a purchase, picked at random, in order; all, if there are fewer."""
        import ibis

        ids = self._kept(self.rows).select("id").distinct()
        number: int = self.plan.log.run(ids.aggregate(n=ids.count()))["n"][0].as_py()
        ranks = np.sort(np.random.default_rng(seed).choice(number, min(size, number), replace=False))
        ranked = ids.mutate(rank=ibis.row_number().over(order_by=ids.id))
        chosen = ranked.filter(ranked["rank"].isin(ranks.tolist())).order_by("id")
        customer_ids: list[Any] = self.plan.log.run(chosen.select("id"))["id"].to_pylist()
        return customer_ids

    def of(self, customers: Sequence[object] | None, most: int) -> tuple[pd.DataFrame, list[str]]:
        """Return the occasions of some customers as `purchase_occasions` does, and notes to warn with."""
        import pandas as pd

        rows = self.rows if customers is None else self._rows_of(customers)
        table = self._table(self._kept(rows), most)
        ids = pd.Index(table["customer_id"].unique(), name="customer_id")
        if customers is not None:
            self._refuse_missing(customers, ids)
        if not self.plan.log.columns.attributes:
            return table, []
        first, notes = first_values(self.plan.log, rows)
        described = self.plan.log.run(first).to_pandas().set_index("customer")
        named = described.set_axis(list(self.plan.log.columns.attributes), axis=1)
        return table.join(named, on="customer_id"), notes

    def _table(self, kept: ir.Table, most: int) -> pd.DataFrame:
        import pandas as pd

        has_value, in_unit = self.plan.log.has_value, self.plan.in_unit
        wanted = kept.select("id", "w", "v") if has_value else kept.select("id", "w")
        occasions = self.plan.log.run(wanted.order_by(["id", "w"]).limit(most + 1))
        if len(occasions) > most:
            raise DataError(f"there are more than {count(most, 'purchase occasion')}; name customers, or raise most")
        ids, date = occasions["id"].to_pandas(), dates(occasions, "w")
        first = pd.Series(date).groupby(ids).transform("min").to_numpy()
        return pd.DataFrame(
            {
                "customer_id": ids,
                "date": self.plan.window.labels(date),
                "value": column(occasions, "v") if has_value else np.nan,
                "age": in_unit(first, date),
                "T": in_unit(first, self.plan.window.closing),
            }
        )

    def _kept(self, rows: ir.Table) -> ir.Table:
        occasions = self.plan.occasions(rows, refunds=self.refunds)
        return occasions.filter(occasions.kept)

    def _rows_of(self, customers: Sequence[object]) -> ir.Table:
        """Return the rows of some customers; an id of another type than the log's is nobody's."""
        import ibis

        kind, possible = self.rows.id.type(), []
        for customer in customers:
            try:
                literal = ibis.literal(customer, type=kind)
            except TypeError:
                self._refuse_missing(customers, [])
            if literal.op().value == customer:
                possible.append(literal)
        return self.rows.filter(self.rows.id.isin(possible))

    def _refuse_missing(self, customers: Sequence[object], present: Sequence[object] | pd.Index[Any]) -> None:
        missing = [customer for customer in customers if customer not in present]
        if missing:
            raise DataError(
                f"{count(len(missing), 'customer')} without a purchase until {self.plan.window.end.local:%Y-%m-%d}:"
                f" {examples(missing)}; the customer ids of the log are of the type {self.rows.id.type()}"
            )
