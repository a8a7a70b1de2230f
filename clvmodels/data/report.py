"""What happened to every row, and to all the money, on the way from a log to purchase histories."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from clvmodels.data.columns import count

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.units import Unit

__all__ = ["DataReport", "Refunds", "RowsAndMoney"]

_ROUNDING = 1e-9


class RowsAndMoney(NamedTuple):
    """Rows of a log and the money in them (NaN if the log has no values)."""

    rows: int
    money: float


@dataclass(frozen=True)
class Refunds:
    """What became of the rows with a negative value.

    Attributes
    ----------
    policy
        ``"net"``, ``"drop"``, ``"raise"`` or ``"keep"``.
    rows, money
        All refunds within the window; the money is negative or zero.
    occasions_gone
        Purchase occasions that refunds brought to zero or less, and that count as no purchase.
    unmatched_rows, unmatched_money
        Refunds without an earlier purchase of the same customer in the window.
    """

    policy: str = "net"
    rows: int = 0
    money: float = 0.0
    occasions_gone: int = 0
    unmatched_rows: int = 0
    unmatched_money: float = 0.0


@dataclass(frozen=True)
class DataReport:
    """Rows read, used and dropped, and the money reconciled to the total of the input.

    Attributes
    ----------
    rows_read, rows_used
        Rows of the log, and those behind the purchase occasions of the histories.
    money_read, money_used
        Their money: NaN if no value column was named.
    dropped
        For each reason, the rows left out and their money.
    refunds
        What became of the refunds.
    purchase_rows, orders, occasions
        Rows that are purchases; the orders that they are, those of one customer at one instant or with one order id
        being one (those of occasions refunded in full among them); and the purchase occasions they were merged into.
    customers, customers_left_out
        Customers in the histories; for each reason, customers of the log who are not.
    rows_without_value
        Purchases whose value is missing: they count as purchases, not in any mean.
    left_truncated
        Customers who had bought before the start of observation already.
    start, end
        The window of observation; `end` counts, a midnight stands for the whole day.
    resolution, unit, time_zone
        The merging window (None: exact times), the unit of model time, and the zone the days are counted in.
    notes
        What in the log is probably not what it seems, with rows, money and what to write; also given as warnings.

    Examples
    --------
    >>> report = DataReport(rows_read=3, rows_used=2, money_read=60.0, money_used=50.0,
    ...                     dropped={"no customer id": RowsAndMoney(1, 10.0)}, purchase_rows=2, occasions=2,
    ...                     customers=1)
    >>> report.unexplained
    0.0
    """

    rows_read: int
    rows_used: int
    money_read: float = math.nan
    money_used: float = math.nan
    dropped: Mapping[str, RowsAndMoney] = field(default_factory=dict)
    refunds: Refunds = field(default_factory=Refunds)
    purchase_rows: int = 0
    orders: int = 0
    occasions: int = 0
    customers: int = 0
    customers_left_out: Mapping[str, int] = field(default_factory=dict)
    rows_without_value: int = 0
    left_truncated: int = 0
    start: pd.Timestamp | None = None
    end: pd.Timestamp | None = None
    resolution: Unit | None = None
    unit: Unit = "day"
    time_zone: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def has_money(self) -> bool:
        """Whether the log had a column of values."""
        return not math.isnan(self.money_read)

    @property
    def merged_rows(self) -> int:
        """Purchases that are not counted by themselves because another one fell into the same window."""
        return self.purchase_rows - self.occasions

    @property
    def merged_orders(self) -> int:
        """Orders that are not counted by themselves because another one fell into the same window."""
        return max(self.orders - self.occasions - self.refunds.occasions_gone, 0)

    @property
    def merged_share(self) -> float:
        """Share of the purchases that were merged into another one."""
        return self.merged_rows / self.purchase_rows if self.purchase_rows else 0.0

    @property
    def unexplained(self) -> float:
        """Money read that is neither used nor dropped for a reason: zero, or the report is wrong.

        Differences within rounding (1e-9 of the money moved) are zero; NaN without values.
        """
        parts = [part.money for part in self.dropped.values()]
        rest = math.fsum([self.money_read, -self.money_used, *(-money for money in parts)])
        scale = math.fsum(map(abs, [self.money_read, self.money_used, self.refunds.money, *parts]))
        return 0.0 if abs(rest) <= _ROUNDING * scale else rest

    def to_frame(self) -> pd.DataFrame:
        """Return rows and money by what became of them: a table that adds up.

        Returns
        -------
        DataFrame
            Indexed by ``item``: read, each reason for dropping, used; columns ``rows`` and ``money``.

        Examples
        --------
        >>> import pandas as pd
        >>> import clvmodels as clv
        >>> log = {"customer_id": ["A", "A", "B", "B", "B"], "amount": [20.0, 15.0, 30.0, -5.0, 40.0]}
        >>> log["date"] = ["2024-01-01", "2024-01-01", "2024-01-03", "2024-01-09", "2024-04-02"]
        >>> rfm = clv.rfm_summary(pd.DataFrame(log), value="amount", resolution="day", observation_end="2024-03-31")
        >>> rfm.report.to_frame()
                                               rows  money
        item
        read                                      5  100.0
        dropped: after the end of observation     1   40.0
        used                                      4   60.0
        """
        import pandas as pd

        items = {
            "read": RowsAndMoney(self.rows_read, self.money_read),
            **{f"dropped: {reason}": part for reason, part in self.dropped.items()},
            "used": RowsAndMoney(self.rows_used, self.money_used),
        }
        return pd.DataFrame(list(items.values()), index=pd.Index(list(items), name="item"), columns=["rows", "money"])

    def lines(self) -> Iterator[str]:
        """Yield the report in words, one fact a line; nothing is said where nothing happened.

        Examples
        --------
        >>> import pandas as pd
        >>> import clvmodels as clv
        >>> log = {"customer_id": ["A", "A", "B", "B", "B"], "amount": [20.0, 15.0, 30.0, -5.0, 40.0]}
        >>> log["date"] = ["2024-01-01", "2024-01-01", "2024-01-03", "2024-01-09", "2024-04-02"]
        >>> rfm = clv.rfm_summary(pd.DataFrame(log), value="amount", resolution="day", observation_end="2024-03-31")
        >>> for line in rfm.report.lines():
        ...     print(line)
        rows: 5 read, 4 used (money 60.00)
        dropped: 1 row, after the end of observation (money 40.00)
        merged: purchases of one customer in one day are one occasion: 1 row merged, 33.3% of 3 purchases
        refunds netted: 1 row (money -5.00)
        """
        yield f"rows: {self.rows_read:,} read, {self.rows_used:,} used{self._money(self.money_used)}"
        for reason, part in self.dropped.items():
            yield f"dropped: {count(part.rows, 'row')}, {reason}{self._money(part.money)}"
        yield from self._merged()
        yield from self._refunds()
        for reason, customers in self.customers_left_out.items():
            yield f"left out: {count(customers, 'customer')}, {reason}"
        if self.left_truncated:
            yield f"left-truncated: {count(self.left_truncated, 'customer')} bought before the start already"
        if self.rows_without_value:
            yield f"without a value: {count(self.rows_without_value, 'purchase')}, left out of every mean"
        if self.has_money and self.unexplained:
            yield f"UNEXPLAINED money: {self.unexplained:,.2f}"

    def _merged(self) -> Iterator[str]:
        where = f"of one customer in one {self.resolution}" if self.resolution else "of one customer at one instant"
        if self.merged_rows:
            share = f"{self.merged_share:.1%} of {count(self.purchase_rows, 'purchase')}"
            yield f"merged: purchases {where} are one occasion: {count(self.merged_rows, 'row')} merged, {share}"

    def _refunds(self) -> Iterator[str]:
        refunds = self.refunds
        if not refunds.rows:
            return
        done = {"net": "refunds netted", "keep": "negative values kept as orders"}.get(
            refunds.policy, "refunds dropped"
        )
        text = f"{done}: {count(refunds.rows, 'row')}{self._money(refunds.money)}"
        if refunds.occasions_gone:
            text += f"; {count(refunds.occasions_gone, 'occasion')} brought to nothing, counted as no purchase"
        if refunds.unmatched_rows:
            text += f"; {count(refunds.unmatched_rows, 'row')} without an earlier purchase"
            text += self._money(refunds.unmatched_money)
        yield text

    def _money(self, money: float) -> str:
        return f" (money {money:,.2f})" if self.has_money else ""

    def __str__(self) -> str:
        return "\n".join(self.lines())
