"""Customers who are none: guest accounts, one customer under several ids, customers who are not new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clvmodels.data.columns import count, examples, shown
from clvmodels.data.ids import clean_column, has_blanks, has_odd_blanks, is_placeholder, possible_placeholders
from clvmodels.data.occasions import column

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from clvmodels.data.histories import FloatArray
    from clvmodels.data.log import Log

__all__ = ["cut_on_the_left", "screened", "suspect_customers"]

_FEW_CUSTOMERS: Final = 20
"""Of fewer customers, one may well have a large share."""
_MANY_CUSTOMERS: Final = 50
_SHARE_OF_ORDERS: Final = 0.05
_SHARE_OF_MONEY: Final = 0.25
_TIMES_THE_NEXT: Final = 3.0
"""The most frequent of the customers whose rates follow a gamma distribution hardly buys so much more often than the
next one."""
_TOP: Final = 6
_MOST_NAMED: Final = 1_000
_MANY_IDS: Final = 10_000
_SHARED: Final = 2.0
"""What stands for several people has so many times the purchases that customers have on average; of so many customers,
only those are looked at."""
_NINES: Final = tuple(10**digits - 1 for digits in range(4, 10))
_NEAR: Final = {n: {*range(n - 2, n), *range(n + 1, n + 11)} for n in _NINES} | {
    0: set(range(1, 11)),
    -1: set(range(-11, -1)),
}
"""Numbers that stand for nobody, with others that are customers where the number is one of a sequence."""

_FEW_ACQUIRED: Final = 100
_FEW_DATES: Final = 3
"""Fewer dates of first purchases in the first tenth do not show a decline: months, or a panel that begins at once."""
_APPEARED: Final = 0.95
_EARLY, _EARLIER = 0.10, 0.05
_SHARE_EARLY: Final = 0.25
"""So many of the customers appear in the first tenth of the time in which 95 % of them do; evenly acquired, a tenth."""
_FALLING: Final = 0.55
"""So many of these in the first half of it: a season or a launch that is not falling has half."""


def screened(customers: ir.Table) -> dict[str, ir.Scalar]:
    """Return aggregates of customers that show, in a scan made anyway, whether their ids deserve a look.

    Parameters
    ----------
    customers
        One row per customer: ``id``, ``transactions``, and ``total`` where there are values.

    Returns
    -------
    dict
        ``most`` and ``largest``, the most purchases and money of one customer; how many ids may be ``stand_ins``,
        and how many have ``blanks`` and ``capitals``.
    """
    ids = customers.id
    kind = ids.type()
    wanted: dict[str, Any] = {"most": customers.orders.max()}
    if "total" in customers.columns:
        wanted["largest"] = customers.total.max()
    if kind.is_integer() or kind.is_string():
        wanted["stand_ins"] = ids.count(where=ids.isin(_as_ids(list(_NEAR), ids)))
    if kind.is_string():
        wanted["blanks"] = ids.count(where=has_blanks(ids))
        wanted["capitals"] = ids.count(where=ids != ids.lower())
    return wanted


def _as_ids(numbers: Sequence[int], ids: ir.Value) -> list[Any]:
    """Return numbers as ids of a column: as text, or those that its type holds."""
    kind = ids.type()
    if kind.is_string():
        return [str(number) for number in numbers]
    low, high = kind.bounds
    return [number for number in numbers if low <= number <= high]


def suspect_customers(
    log: Log, rows: ir.Table, customers: ir.Table, tally: Mapping[str, float], *, clean: bool
) -> list[str]:
    """Return notes on ids that stand for no single customer, and on ids that may be the same.

    Parameters
    ----------
    log
        The log.
    rows
        Its rows within the window.
    customers
        One row per customer: ``id``, ``transactions``, and ``total`` where there are values.
    tally
        ``customers``, ``transactions`` and, with values, ``total``: sums over them; and what they were `screened` for.
    clean
        Whether the ids have been cleaned.
    """
    scan = _Scan(log, rows, customers, tally)
    named = scan.placeholders() + scan.stand_ins()
    notes = [scan.note_of_placeholders(named)] if named else []
    notes += [scan.note_of_dominant(id_) for id_ in scan.dominant(named)]
    return notes if clean else [*notes, *scan.alike()]


@dataclass(frozen=True, eq=False)
class _Scan:
    """Looks at the ids of customers in the engine; the arguments are those of `suspect_customers`."""

    log: Log
    rows: ir.Table
    customers: ir.Table
    tally: Mapping[str, float]

    def placeholders(self) -> list[Any]:
        """Return ids that are words for nobody."""
        if "blanks" not in self.tally:  # the ids are no texts
            return []
        texts = self.customers.id.strip() if self.tally["blanks"] else self.customers.id
        table = self.customers.mutate(text=texts)
        if self.tally["customers"] > _MANY_IDS:
            table = table.filter(table.orders >= _SHARED * self.tally["orders"] / self.tally["customers"])
        possible = possible_placeholders(table, table.text).order_by("id").select("id").limit(_MOST_NAMED)
        ids = self.log.run(possible)["id"].to_pylist()
        return [text for text in ids if is_placeholder(text)]

    def stand_ins(self) -> list[Any]:
        """Return the numbers 0, -1 or 9999 where they are no part of a sequence of numbers."""
        if self.tally["customers"] < _FEW_CUSTOMERS or not self.tally.get("stand_ins"):
            return []
        ids = self.customers.id
        numbers = sorted({*_NEAR, *(other for others in _NEAR.values() for other in others)})
        near = self.customers.filter(ids.isin(_as_ids(numbers, ids)))
        rows = self.log.run(near.select("id", "orders")).to_pylist()
        orders = {int(row["id"]): row["orders"] for row in rows}
        usual = _TIMES_THE_NEXT * self.tally["orders"] / self.tally["customers"]
        alone = [n for n in _NEAR if n in orders and not _NEAR[n] & orders.keys()]
        return _as_ids([n for n in alone if n <= 0 or orders[n] > usual], ids)

    def dominant(self, named: list[Any]) -> list[Any]:
        """Return ids that have far more purchases than any other, or much of the money."""
        customers, orders, money = (self.tally.get(name, 0.0) for name in ("customers", "orders", "total"))
        ids: list[Any] = []
        if customers >= _FEW_CUSTOMERS and self.tally["most"] >= _SHARE_OF_ORDERS * orders:
            top = self._top("orders", named)
            steps = [k for k in range(1, len(top)) if top[k - 1]["orders"] >= _TIMES_THE_NEXT * top[k]["orders"]]
            many = top[: max(steps, default=0)]
            ids += [row["id"] for row in many if row["orders"] >= _SHARE_OF_ORDERS * orders]
        if customers >= _MANY_CUSTOMERS and 0.0 < _SHARE_OF_MONEY * money <= self.tally["largest"]:
            rich = self._top("total", named)
            ids += [row["id"] for row in rich if (row["total"] or 0.0) >= _SHARE_OF_MONEY * money]
        return list(dict.fromkeys(ids))

    def _top(self, by: str, named: list[Any]) -> list[dict[str, Any]]:
        import ibis

        others = self.customers.filter(~self.customers.id.isin(named)) if named else self.customers
        largest = others.order_by([ibis.desc(others[by].fill_null(0)), others.id]).limit(_TOP)
        top: list[dict[str, Any]] = self.log.run(largest.select("id", by)).to_pylist()
        return top

    def note_of_placeholders(self, ids: list[Any]) -> str:
        """Return the note on words and numbers for nobody."""
        many = len(ids) > 1
        more = " or more" if len(ids) == _MOST_NAMED else ""
        what = f"{len(ids):,}{more} ids such as {examples(ids)} stand" if many else f"the id {shown(ids[0])} stands"
        listed = ", ".join(map(shown, ids[:3])) + (", ..." if len(ids) > 3 else "")
        return (
            f"{what} for no single customer, but {'each is' if many else 'is'} read as one: {self._worth(ids)}; leave"
            f" {'them' if many else 'it'} out with exclude_ids=[{listed}]"
        )

    def note_of_dominant(self, id_: object) -> str:
        """Return the note on a customer with a large share."""
        return (
            f"customer {shown(id_)} alone has {self._worth([id_])}: if this is a guest account, a till or a"
            f" collective number and no single customer, leave it out with exclude_ids=[{shown(id_)}]"
        )

    def _worth(self, ids: list[Any]) -> str:
        """Return the rows of ids, and their share of all money."""
        part = self.rows.filter(self.rows.id.isin(ids))
        rows, money = self.log.counted(part)
        every, total = self.log.counted(self.rows)
        text = f"{count(rows, 'row')} ({rows / every:.1%} of all)"
        return text if money is None or not total else f"{text} with {money / total:.1%} of the money ({money:,.2f})"

    def alike(self) -> list[str]:
        """Return a note on ids that differ by capitals or blanks alone."""
        import ibis

        if not self._may_be_alike():
            return []
        ids = self.customers.select("id", clean=clean_column(self.customers.id)).filter(lambda t: t.clean.notnull())
        several = ids.group_by(same=ids.clean).aggregate(n=ids.count()).filter(lambda t: t.n > 1)
        same = self.log.engine.keep(ids.semi_join(several, ids.clean == several.same))
        sums = self.log.run(same.aggregate(ids=same.count(), customers=same.clean.nunique())).to_pylist()[0]
        if not sums["ids"]:
            return []
        first = self.log.run(same.order_by([same.clean, ibis.asc(same.id)]).select("id").limit(2))["id"].to_pylist()
        worth = _rows_and_money(self.log, self.rows.semi_join(same, self.rows.id == same.id))
        note = (
            f"{count(sums['ids'], 'id')} differ by capitals or blanks alone, such as {examples(first)}, and would be"
            f" {count(sums['customers'], 'customer')} ({worth}): if they are the same, write clean_ids=True"
        )
        return [note]

    def _may_be_alike(self) -> bool:
        """Whether ids have odd blanks, or capitals and small letters; otherwise none can differ by these alone."""
        if not (self.tally.get("blanks") or self.tally.get("capitals")):
            return False
        ids = self.customers.id
        counts = {"blanks": ids.count(where=has_odd_blanks(ids))} if self.tally["blanks"] else {}
        counts |= {"small": ids.count(where=ids != ids.upper())} if self.tally["capitals"] else {}
        return any(self.log.run(self.customers.aggregate(**counts)).to_pylist()[0].values())


def _rows_and_money(log: Log, rows: ir.Table) -> str:
    """Return in words how many rows there are, and their money, if there is a column of values."""
    number, money = log.counted(rows)
    return count(number, "row") + ("" if money is None else f", money {money:,.2f}")


# ---------------------------------------------------------------------------------------------------- acquisition


def cut_on_the_left(log: Log, rows: ir.Table, customers: ir.Table) -> list[str]:
    """Return a note if the first purchases look like those of customers who had bought before the log begins.

    Customers who are there already appear as fast as they buy: most of them at once, then fewer and fewer. Customers
    who are acquired appear as they come. So many of all in the first tenth of the time, and more in the first half of
    it than in the second, are not acquired then.

    Parameters
    ----------
    log, rows
        The log and its rows within the window.
    customers
        One row per customer: ``id``, ``first`` and ``transactions``.
    """
    buyers = customers.filter(customers.orders > 0)
    by_day = log.run(buyers.group_by(day=buyers["first"].date()).aggregate(customers=buyers.count()).order_by("day"))
    day, number = by_day["day"].to_numpy().astype("datetime64[D]").astype(np.int64), column(by_day, "customers")
    last = _early_days(day - day[0] + 1.0, number) if len(day) else None
    if last is None:
        return []
    early = number[day - day[0] + 1.0 <= last].sum()
    until = np.datetime64(int(day[0] + last - 1), "D").astype("datetime64[us]").item()
    who = buyers.filter(buyers["first"].date() <= until.date())
    worth = _rows_and_money(log, rows.semi_join(who, rows.id == who.id))
    note = (
        f"{early:,.0f} of {count(int(number.sum()), 'customer')} ({worth}) first buy in the first"
        f" {count(int(last), 'day')} of the log, far more than later: was it cut there, so that these purchases are not"
        " their first ones, as the models take them to be? If so, give the log from its beginning, or leave these"
        f' customers out: rfm.select(rfm.attributes["first_purchase"] > "{until:%Y-%m-%d}")'
    )
    return [note]


def _early_days(age: FloatArray, customers: FloatArray) -> float | None:
    """Return in how many days from the first one too many customers appear; None if they appear as they are acquired.

    Parameters
    ----------
    age
        Days of first purchases, counted from 1, rising; shape (days,).
    customers
        How many customers have their first purchase then, shape (days,).

    Examples
    --------
    >>> age = np.arange(1.0, 701.0)
    >>> _early_days(age, np.full(700, 2.0)) is None  # acquired evenly
    True
    >>> _early_days(age, np.round(200.0 * np.exp(-age / 20.0)) + 2.0)  # there already, buying every 20 days
    56.0
    """
    share = np.cumsum(customers) / customers.sum()
    appeared = age[np.searchsorted(share, _APPEARED)]
    early, earlier = (max(np.floor(part * appeared), 1.0) for part in (_EARLY, _EARLIER))
    if customers.sum() < _FEW_ACQUIRED or np.count_nonzero(age <= early) < _FEW_DATES:
        return None
    in_early, in_earlier = (float(customers[age <= days].sum()) for days in (early, earlier))
    many = in_early >= _SHARE_EARLY * customers.sum()
    falling = in_earlier >= max(_FALLING * in_early, 0.5 * in_early + np.sqrt(in_early))  # by two standard errors
    return float(early) if many and falling else None
