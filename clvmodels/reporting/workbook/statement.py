"""The customer-equity statement as a sheet: lines down, groups of customers across, every figure a formula."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from clvmodels.reporting.labels import Language, label
from clvmodels.reporting.locale import Locale
from clvmodels.reporting.workbook.amounts import AMOUNTS, AmountPart, Array, CellKey, Groups, parts, sums_of
from clvmodels.reporting.workbook.page import Page
from clvmodels.reporting.workbook.style import Kind, Live, Look, cell
from clvmodels.valuation.statement import TOTAL, WITHIN

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.valuation.book import Book

__all__ = ["StatementCells", "write_statement"]

_TOTAL_COLUMN: Final = 3
_FIRST_GROUP: Final = 5
_KINDS: Final[Mapping[str, Kind]] = {"customers": "count", "discounted_sales": "money"}
_NOT_A_LINE: Final = "acquisition_cost"


@dataclass(frozen=True)
class StatementCells:
    """The cells of a statement, as formulas that refer to them.

    Attributes
    ----------
    groups
        The names of the groups; empty if there is the total alone.
    of_groups
        By row: the cell of each group.
    total
        By row: the cell of the total.
    """

    groups: tuple[str, ...]
    of_groups: Mapping[str, tuple[Live, ...]]
    total: Mapping[str, Live]


class _AmountKey(NamedTuple):
    """Which amounts a row holds: see `AmountPart`."""

    driver: str
    within: tuple[str, ...]
    only: str

    @classmethod
    def of(cls, part: AmountPart) -> _AmountKey:
        return cls(part.driver, part.within, part.only)


_Key = str | _AmountKey


def write_statement(
    page: Page,
    book: Book,
    groups: Groups | None,
    columns: Mapping[str, Array | float],
    live: Mapping[CellKey, Live],
    language: Language,
    intervals: pd.DataFrame | None = None,
) -> StatementCells:
    """Write a statement below what is on the page.

    Parameters
    ----------
    page
        The sheet.
    book
        The valuation.
    groups
        The customers of each column; None: the total alone.
    columns
        What is summed: `by_customer` of the valuation.
    live
        The cells of the assumptions.
    language
        Of the labels.
    intervals
        low and high of each group and of the total; None: there are no draws.
    """
    writer = _Writer(page, book, groups, columns, live, language)
    writer.head()
    writer.amounts()
    writer.lines()
    writer.figures()
    writer.as_reported(intervals)
    return writer.cells()


class _Writer:
    """Writes one statement, from above."""

    def __init__(
        self,
        page: Page,
        book: Book,
        groups: Groups | None,
        columns: Mapping[str, Array | float],
        live: Mapping[CellKey, Live],
        language: Language,
    ) -> None:
        known = Groups.whole(len(book.histories)) if groups is None else groups
        self.page, self.language, self.live, self.assumptions = page, language, live, book.assumptions
        self.names = () if groups is None else groups.names
        self.columns = range(_FIRST_GROUP, _FIRST_GROUP + len(self.names)) if self.names else (_TOTAL_COLUMN,)
        self.values: dict[str, list[float]] = {name: known.sum(values).tolist() for name, values in columns.items()}
        self.sums = sums_of(book.assumptions)
        self.names_of_lines = tuple(name for name in self.sums if name != _NOT_A_LINE)
        self.parts = {name: [parts(book, term, known) for term in line.terms] for name, line in self.sums.items()}
        self.locale = Locale.of(book.assumptions, language)
        self.rows: dict[_Key, int] = {}
        self.of_groups: dict[_Key, tuple[Live, ...]] = {}
        self.total: dict[_Key, Live] = {}

    def cells(self) -> StatementCells:
        """Return where everything is."""
        of_groups = {key: formulas for key, formulas in self.of_groups.items() if isinstance(key, str)}
        total = {key: formula for key, formula in self.total.items() if isinstance(key, str)}
        return StatementCells(self.names, of_groups, total)

    def head(self) -> None:
        """Write the head of the table."""
        names = [label(name, self.language) for name in ("line", "driver", "rate", TOTAL, "share")]
        self.page.header([*names, *self.names], freeze=True, left=(0, 1))

    def amounts(self) -> None:
        """Write how many customers there are, and the amounts that the lines rest on."""
        self.page.section(label("drivers", self.language))
        falling = self.assumptions.cost_half_life is not None
        shown = {driver: name for driver, name in AMOUNTS.items() if falling or driver != "early orders"}
        for name in ("customers", "living_customers", *list(shown.values())[1:]):
            self._numbers(name, label(name, self.language), self.values[name], Look(_KINDS.get(name, "decimal")))
        for driver, name in shown.items():
            self.rows[_AmountKey(driver, (), "")] = self.rows[name]
        for part in (part for terms in self.parts.values() for amounts in terms for part in amounts):
            key = _AmountKey.of(part)
            if key not in self.rows:
                self._numbers(key, self._amount_in_words(key), part.amounts.tolist(), Look("decimal", muted=True))

    def _amount_in_words(self, key: _AmountKey) -> str:
        columns = [self.locale.named(name) for name in (AMOUNTS[key.driver], *key.within)]
        return " × ".join(columns) + (f" ({key.only})" if key.only else "")

    def lines(self) -> None:
        """Write the benefits and costs, and equity as their sum."""
        self.page.section(label("lines", self.language))
        first = self.page.row
        for name in self.names_of_lines:
            self._line(name, Look("money"))
        rate = self.live["tax", ""]
        minus = Live(f"=-{rate.term}", -rate.number)
        taxed = [f"SUM({cell(first, c)}:{cell(self.page.row - 1, c)})" for c in self.columns]
        self._row("tax", [f"=-{rate.term}*{amount}" for amount in taxed], Look("money"), beside=("", minus))
        equity = [f"=SUM({cell(first, c)}:{cell(self.page.row - 1, c)})" for c in self.columns]
        self._row("equity", equity, Look("money", bold=True, top=True))
        for name in (*self.names_of_lines, "tax", "equity"):
            self._share(name)

    def figures(self) -> None:
        """Write equity per customer, and relative to acquisition cost."""
        self.page.section(label("key_figures", self.language))
        self._ratio("per_customer", "equity", "customers", Look("unit"))
        self._line(_NOT_A_LINE, Look("money"))
        self._ratio("rlv_to_acquisition_cost_spent", "equity", _NOT_A_LINE, Look("unit"))

    def as_reported(self, intervals: pd.DataFrame | None) -> None:
        """Write what does not follow the assumptions: intervals, and when the equity comes."""
        self.page.section(label("as_reported", self.language))
        ends = {} if intervals is None else {name: intervals[name].tolist() for name in ("low", "high")}
        for name, values in ends.items():
            self._reported(name, values[:-1] if self.names else values, values[-1], Look("money"))
        equity = self.values["equity"]
        for years in WITHIN:
            within = self.values[f"within_{years}"]
            shares = [_ratio(part, whole) for part, whole in zip(within, equity, strict=True)]
            self._reported(f"share_{years}", shares, _ratio(sum(within), sum(equity)), Look("percent"))

    def _line(self, name: str, look: Look) -> None:
        """Write a line: amounts times rates."""
        line, terms = self.sums[name], self.parts[name]
        names = [label(AMOUNTS[term.driver], self.language) for term in line.terms]
        rate = self._one_rate(name)
        sign = "-" if line.sign < 0 else ""
        if rate is not None:
            amount = self.rows[_AmountKey.of(terms[0][0])]
            own = cell(self.page.row, 2, "column")
            texts = [f"={cell(amount, column, 'row')}*{own}" for column in self.columns]
            self._row(name, texts, look, beside=(names[0], rate))
            return
        texts = []
        for number, column in enumerate(self.columns):
            products = "+".join(self._product(part, number, column) for amounts in terms for part in amounts)
            texts.append(f"={sign}({products})")
        mean = self._mean_rate(name, line.terms[0].driver) if len(names) == 1 else ""
        self._row(name, texts, look, beside=(", ".join(names), mean))

    def _product(self, part: AmountPart, number: int, column: int) -> str:
        amount = cell(self.rows[_AmountKey.of(part)], column, "row")
        return "*".join([amount, *(self.live[key].term for key in part.cells[number])])

    def _one_rate(self, name: str) -> Live | None:
        """Return the rate of a line that has one driver and one rate for all customers."""
        sign, terms = self.sums[name]
        amount_parts = [part for amounts in self.parts[name] for part in amounts]
        if len(amount_parts) > 1 or not amount_parts[0].plain or len(set(amount_parts[0].cells)) > 1:
            return None
        rates = [self.assumptions.rates[factor] for factor in terms[0].factors]
        numbers = [rate for rate in rates if isinstance(rate, int | float)]
        if len(numbers) < len(rates):
            return None
        text = "*".join(self.live[key].term for key in amount_parts[0].cells[0])
        return Live(f"={'-' if sign < 0 else ''}{text}", sign * math.prod(numbers))

    def _mean_rate(self, name: str, driver: str) -> Live:
        """Return what a line is per unit of its driver."""
        amount, line = self.values[AMOUNTS[driver]], self._of(name)
        above = cell(self.rows[AMOUNTS[driver]], _TOTAL_COLUMN)
        own = cell(self.page.row, _TOTAL_COLUMN)
        return Live(f'=IFERROR({own}/{above},"–")', _ratio(sum(line), sum(amount)))

    def _of(self, name: str) -> list[float]:
        """Return the values of a row by group; a line that the assumptions do not have is zero."""
        return self.values.get(name, [0.0] * len(self.columns))

    def _row(self, name: str, texts: Sequence[str], look: Look, beside: tuple[str, str | Live] = ("", "")) -> None:
        """Write formulas for the groups, and their sum."""
        values = self._of(name)
        self._put(name, [Live(text, value) for text, value in zip(texts, values, strict=True)], look)
        self.page.put(self.page.row, 0, self.locale.named(name), Look(bold=look.bold, top=look.top, indent=1))
        self.page.put(self.page.row, 1, beside[0], Look(muted=True, top=look.top, indent=1))
        self.page.put(self.page.row, 2, beside[1], Look("factor", muted=True, top=look.top))
        self._sum(name, values, look)

    def _numbers(self, key: _Key, words: str, values: Sequence[float], look: Look) -> None:
        """Write numbers for the groups, and their sum."""
        self.page.put(self.page.row, 0, words, Look(indent=1, muted=look.muted))
        self._put(key, values, look)
        self._sum(key, values, look)

    def _sum(self, key: _Key, values: Sequence[float], look: Look) -> None:
        """Write the sum over the groups, if there are groups, and end the row."""
        if self.names:
            ends = (cell(self.page.row, column) for column in (self.columns[0], self.columns[-1]))
            total = Live(f"=SUM({':'.join(ends)})", math.fsum(values))
            self.total[key] = self.page.put(self.page.row, _TOTAL_COLUMN, total, look)
        self._end(key)

    def _put(self, key: _Key, items: Sequence[float | Live], look: Look) -> None:
        cells = tuple(
            self.page.put(self.page.row, column, item, look) for column, item in zip(self.columns, items, strict=True)
        )
        if self.names:
            self.of_groups[key] = cells
        else:
            self.total[key] = cells[0]

    def _end(self, key: _Key) -> None:
        self.rows[key] = self.page.row
        self.page.row += 1

    def _share(self, name: str) -> None:
        """Write what share of equity a line is."""
        last = name == "equity"
        share = _ratio(sum(self._of(name)), sum(self.values["equity"]))
        line, equity = (cell(self.rows[key], _TOTAL_COLUMN, fixed) for key, fixed in ((name, ""), ("equity", "row")))
        look = Look("percent", muted=True, bold=last, top=last)
        self.page.put(self.rows[name], _TOTAL_COLUMN + 1, Live(f'=IFERROR({line}/{equity},"–")', share), look)

    def _ratio(self, name: str, above: str, below: str, look: Look) -> None:
        """Write the ratio of two rows, of each group and of the total."""
        self.page.put(self.page.row, 0, label(name, self.language), Look(indent=1))
        numerators, denominators = self._of(above), self._of(below)
        rows = self.rows[above], self.rows[below]

        def ratio(column: int, numerator: float, denominator: float) -> Live:
            ends = [cell(row, column) for row in rows]
            return Live(f'=IFERROR({"/".join(ends)},"–")', _ratio(numerator, denominator))

        self._put(name, list(map(ratio, self.columns, numerators, denominators)), look)
        if self.names:
            whole = ratio(_TOTAL_COLUMN, sum(numerators), sum(denominators))
            self.total[name] = self.page.put(self.page.row, _TOTAL_COLUMN, whole, look)
        self._end(name)

    def _reported(self, name: str, values: Sequence[float], total: float, look: Look) -> None:
        """Write numbers that do not add up."""
        self.page.put(self.page.row, 0, label(name, self.language), Look(indent=1))
        self._put(name, values, look)
        if self.names:
            self.total[name] = self.page.put(self.page.row, _TOTAL_COLUMN, total, look)
        self._end(name)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
