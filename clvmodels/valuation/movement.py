"""Why customer equity changed between two closings of the same log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, cast, overload

import numpy as np

from clvmodels.data.engine_table import in_one_engine
from clvmodels.data.histories import Histories
from clvmodels.errors import AssumptionError
from clvmodels.pictures import picture
from clvmodels.valuation.book import Book
from clvmodels.valuation.changes import LINES, Changes, memory_changes
from clvmodels.valuation.closings import require_comparable
from clvmodels.valuation.combined import CombinedBook
from clvmodels.valuation.combined_movement import CombinedMovement
from clvmodels.valuation.engine_changes import engine_changes
from clvmodels.valuation.lines import has_products

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.style import Axes, Drawn

__all__ = ["LINES", "Kind", "Movement", "movement"]

Kind = Literal["balance", "subtotal", "change"]

_KINDS: Final[Mapping[str, Kind]] = {"opening": "balance", "expected_closing": "subtotal", "closing": "balance"}


@dataclass(frozen=True, eq=False, repr=False)
class Movement:
    """The movement of customer equity from one closing to the next.

    Attributes
    ----------
    opening, closing
        The two valuations.
    changes
        The lines.
    """

    opening: Book
    closing: Book
    changes: Changes

    @property
    def time(self) -> float:
        """The time between the closings, in their unit."""
        return self.changes.time

    @property
    def realised_margin(self) -> float:
        """Contribution of the repeat purchases of the existing customers in the period, at the margin of the opening.

        Not discounted. NaN, in words "not known", if the spend of one of them is unknown.
        """
        return self.changes.realised_margin

    @property
    def expected_margin(self) -> float:
        """The same as the opening expected it."""
        return self.changes.expected_margin

    @property
    def customers(self) -> pd.DataFrame:
        """The lines by customer_id, a column for each key of `LINES`: the customers of the closing, and after them
        those of the opening who are gone.

        Raises
        ------
        DataError
            If the customers of an engine do not fit into memory.
        """  # noqa: D205 - one sentence
        return self.changes.customers

    @cached_property
    def table(self) -> pd.DataFrame:
        """By key: line (its name), kind ("balance", "change", or "subtotal", which is not added), value."""
        import pandas as pd

        values = self.changes.total
        columns = {"line": list(LINES.values()), "kind": [_KINDS.get(key, "change") for key in LINES]}
        return pd.DataFrame({**columns, "value": values.to_numpy()}, index=pd.Index(LINES, name="key"))

    @property
    def expected_closing(self) -> float:
        """What the opening, with its data corrected, expected the customers to be worth at the closing."""
        return float(self.changes.total["expected_closing"])

    @property
    def unexplained(self) -> float:
        """Closing less opening less all changes: zero but for rounding."""
        table = self.table
        change = float(table.loc[table["kind"] == "change", "value"].sum())
        return self.closing.equity - self.opening.equity - change

    def by(self, column: str) -> pd.DataFrame:
        """Return the movement by the values of a column of the customers.

        Parameters
        ----------
        column
            An attribute of the histories of the closing; for customers who are gone, of the opening.

        Returns
        -------
        DataFrame
            A row for each value, a column for each key of `LINES`; the rows add up to `table`. Customers for whom the
            column holds nothing are in a row of their own.

        Raises
        ------
        DataError
            If the histories have no such column.

        Examples
        --------
        In the shop, A was silent; on the web, B bought again, and C is new:

        >>> import pandas as pd
        >>> import clvmodels as clv
        >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> assumptions = clv.Assumptions(discount_rate=0.15, margin=0.30)
        >>> table = {"customer_id": ["A", "B"], "frequency": [2, 0], "recency": [30, 0], "T": [39, 39]}
        >>> before = pd.DataFrame({**table, "monetary_value": [22.35, None], "segment": ["shop", "web"]})
        >>> table = {"customer_id": ["A", "B", "C"], "frequency": [2, 1, 0], "recency": [30, 45, 0], "T": [52, 52, 9]}
        >>> after = pd.DataFrame({**table, "monetary_value": [22.35, 40, None], "segment": ["shop", "web", "web"]})
        >>> opening, closing = (
        ...     clv.value(transactions, spend, clv.Histories.from_frame(table, unit="week"), assumptions)
        ...     for table in (before, after)
        ... )
        >>> why = clv.movement(opening, closing)
        >>> why.by("segment")[["opening", "orders", "silence", "new_customers", "closing"]].round(1)
                 opening  orders  silence  new_customers  closing
        segment
        shop        37.9     0.0     -9.2            0.0     26.6
        web         10.8    17.8      0.0           21.9     52.7
        """
        return self.changes.by(column)

    def plot(self, *, ax: Axes | None = None, return_data: bool = False) -> Drawn:
        """Draw the lines from the opening to the closing: ``clv.plots.waterfall``.

        Examples
        --------
        >>> import pandas as pd
        >>> import clvmodels as clv
        >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> assumptions = clv.Assumptions(discount_rate=0.15, margin=0.30)
        >>> table = {"customer_id": ["A", "B"], "frequency": [2, 0], "recency": [30, 0], "T": [39, 39]}
        >>> before = pd.DataFrame({**table, "monetary_value": [22.35, None], "segment": ["shop", "web"]})
        >>> table = {"customer_id": ["A", "B", "C"], "frequency": [2, 1, 0], "recency": [30, 45, 0], "T": [52, 52, 9]}
        >>> after = pd.DataFrame({**table, "monetary_value": [22.35, 40, None], "segment": ["shop", "web", "web"]})
        >>> opening, closing = (
        ...     clv.value(transactions, spend, clv.Histories.from_frame(table, unit="week"), assumptions)
        ...     for table in (before, after)
        ... )
        >>> ax, table = clv.movement(opening, closing).plot(return_data=True)
        >>> table["line"].to_list()
        ['Opening', 'Unwind of the discount', 'Expected release', 'Expected closing', 'Behaviour: orders',
         'Behaviour: silence', 'Behaviour: order value', 'New customers', 'Closing']
        """
        return picture("waterfall")(self, ax=ax, return_data=return_data)

    def __repr__(self) -> str:
        currency, unit = self.opening.assumptions.currency, self.opening.histories.unit
        table = self.table
        amounts = [
            f"{amount:{'+' * (kind == 'change')},.2f}"
            for kind, amount in zip(table["kind"], table["value"], strict=True)
        ]
        named = dict(zip(table["line"], amounts, strict=True))
        realised = f"{self.realised_margin:,.2f}" if np.isfinite(self.realised_margin) else "not known"
        named["Memo: margin realised"] = realised
        named["Memo: margin expected"] = f"{self.expected_margin:,.2f}"
        left, right = (max(map(len, texts)) for texts in (named, named.values()))
        title = f"Movement of customer equity in {self.time:.6g} {unit}s{', ' * bool(currency)}{currency}"
        return "\n".join([title, *(f"{name:<{left}}  {amount:>{right}}" for name, amount in named.items())])


@overload
def movement(opening: Book, closing: Book, *, restated: Histories | None = None) -> Movement: ...


@overload
def movement(
    opening: CombinedBook, closing: CombinedBook, *, restated: Mapping[str, Histories] | None = None
) -> CombinedMovement: ...


def movement(
    opening: Book | CombinedBook,
    closing: Book | CombinedBook,
    *,
    restated: Histories | Mapping[str, Histories] | None = None,
) -> Movement | CombinedMovement:
    """Explain why customer equity changed between two closings of the same log.

    Parameters
    ----------
    opening, closing
        The valuations at the two closings, with the customers of each. If all lie in one engine, it adds the lines up;
        else those in an engine are fetched, as they are where two rates by column are multiplied.
    restated
        The customers at the opening date as the log of the closing has them now. Without it, the customers of the
        opening are taken to have had the histories that the opening knew. Of books that were combined, by the name of
        the book.

    Returns
    -------
    Movement
        The lines in the order of `LINES`, in total, by customer and by segment. Of books that were combined, a
        `CombinedMovement`: the lines of each book and their sums.

    Raises
    ------
    UnitError
        If the closings count time in different units.
    AssumptionError
        If they are in different currencies, or only one of them is of books that were combined, or these have other
        names.
    DataError
        If they have no customer in common, the second is not after the first, or they disagree about the
        customers: somebody has another first purchase, or somebody not in the opening has one before it. `restated` is
        then needed. Or if customers are to be fetched and do not fit into memory.

    Notes
    -----
    With h the time between the closings, i the discount rate of the opening, and E the value of the opening:

    data corrections
        The opening valued with `restated`, less E; and minus the value of customers who are not in the closing, or for
        whom even `restated` has another first purchase: one refunded after the opening. These come back as new ones.
    unwind of the discount
        E ((1 + i)^h - 1), E being corrected.
    expected release
        Minus the value of what was expected to come in within h, times (1 + i)^h.
    horizon
        A valuation looks ahead from its own date: a finite horizon then ends h later, the periods of its timing and
        the rates of its coming years begin anew. Zero for a constant rate, discounted continuously indefinitely.
    season
        With a calendar, release and horizon are those of customers who buy at the mean speed of the year. The season
        adds S to the value of the opening and S' to that expected at the closing, and this line is S' - S (1 + i)^h:
        what a closing before the high season has beyond one after it. Small over whole years, in which only customers
        leave; zero without a calendar.
    expected closing
        The sum so far: the value that the opening expected these customers to have at the closing. What follows up to
        the new customers has mean zero if the opening's fits are right (and order values do not grow).
    behaviour: orders, silence
        The histories of these customers at the closing valued with the fits and the assumptions of the opening, and
        the order values that it expected, less the expected closing. Orders: the customers whose number of purchases
        changed. Silence: those who bought nothing, as a rule a loss, and the more so the more was expected of them.
    behaviour: order value
        The same histories with the order values that follow from their spend, less those that the opening expected:
        what they were then, plus growth.
    new customers
        The value of those who first bought after the opening, with the fits and the assumptions of the opening. From
        here on every line is about all customers of the closing.
    parameters: transactions, spend
        What the fits of the closing change, first that of transactions, then that of spend. If a fit is one of another
        model, or has a calendar of other columns, this is the line "model" instead.
    assumptions: margin, costs
        What the assumptions of the closing change: first the margin; then all other rates of benefits and costs.
    parameters: rates of customers
        What the closing says anew about the customers in the columns that rates stand in, or that name the segments of
        rates: rates of returns, service and so on, estimated again from the ledgers and shrunk again.
    assumptions: rate
        What the assumptions of the closing change about discount rate, growth, tax, timing, horizon and the length of a
        year.

    Source: the movement of embedded value as insurers report it (CFO Forum, European Embedded Value Principles, 2004,
    analysis of movements), with the customers' histories in the place of their contracts.

    Beside the two books, it takes three valuations: of the time between, and of the histories of the closing under the
    fits of the opening, and under that of transactions of the closing. It takes one more if the line "rate" is not zero
    for another reason than tax; one if `restated` is given or customers are gone; one if rates by customer changed; and
    one at the mean season if the fits have a calendar.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> assumptions = clv.Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks")
    >>> def book(end):
    ...     rfm = clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end=end)
    ...     return clv.value(clv.ParetoNBD().fit(rfm), clv.GammaGamma().fit(rfm), rfm, assumptions)
    >>> why = movement(book("1997-09-30"), book("1998-06-30"))
    >>> why.table.loc[["unwind", "release", "parameters_transactions"], "value"].round(-2)
    key
    unwind                      8700.0
    release                   -19200.0
    parameters_transactions    26300.0
    Name: value, dtype: float64
    >>> bool(abs(why.unexplained) < 1e-6)
    True
    """
    if isinstance(opening, CombinedBook) or isinstance(closing, CombinedBook):
        return _of_books(opening, closing, cast("Mapping[str, Histories] | None", restated))
    return _of_one_book(opening, closing, cast("Histories | None", restated))


def _of_books(
    opening: Book | CombinedBook, closing: Book | CombinedBook, restated: Mapping[str, Histories] | None
) -> CombinedMovement:
    """Return the movement of each book and of all together."""
    names = [tuple(each.parts) if isinstance(each, CombinedBook) else ("one book",) for each in (opening, closing)]
    if set(names[0]) != set(names[1]) or isinstance(opening, Book) or isinstance(closing, Book):
        raise AssumptionError(
            f"a movement of books is from the books of one closing to the same of the next: got {', '.join(names[0])} "
            f"and {', '.join(names[1])}; name them alike with clv.combine({{'shop': book, ...}}) at both closings"
        )
    known = {} if restated is None else restated
    parts = {name: _of_one_book(opening.parts[name], closing.parts[name], known.get(name)) for name in opening.parts}
    return CombinedMovement(opening, closing, parts)


def _of_one_book(opening: Book, closing: Book, restated: Histories | None) -> Movement:
    require_comparable(opening, closing, restated)
    histories = [opening.histories, closing.histories, *([] if restated is None else [restated])]
    products = has_products(opening.assumptions) or has_products(closing.assumptions)
    if in_one_engine([table.backend for table in histories]) and not products:
        return Movement(opening, closing, engine_changes(opening, closing, restated))
    before, after = opening.collect(), closing.collect()
    lines = memory_changes(before, after, None if restated is None else restated.collect())
    return Movement(opening, closing, lines)
