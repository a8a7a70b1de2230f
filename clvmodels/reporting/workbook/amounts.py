"""What the formulas of the workbook are made of: amounts by group of customers, and the assumptions that multiply them.

The formula of a line is that of `clvmodels.valuation.lines`, with the assumptions left as cells. What differs from
customer to customer within a group cannot be a cell, and is part of the amount.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clvmodels.valuation.lines import DRIVERS
from clvmodels.valuation.rates import ByColumn, BySegment, Rate, of_customers
from clvmodels.valuation.statement import TOTAL, WITHIN

if TYPE_CHECKING:
    from clvmodels.valuation.assumptions import Assumptions
    from clvmodels.valuation.book import Book

__all__ = ["AMOUNTS", "AmountPart", "Array", "CellKey", "Groups", "Sum", "Term", "by_customer", "parts", "sums_of"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
CellKey = tuple[str, str]
"""An assumption, and the segment that its cell is about, or ``""``."""

AMOUNTS: Final = {
    "customers": "customers",
    "sales": "discounted_sales",
    "orders": "discounted_orders",
    "early orders": "discounted_early_orders",
    "living years": "living_years",
    "calendar years": "calendar_years",
}
"""By driver: the row of its amount in a statement."""

_MOST_LEVELS: Final = 100
"""A cell holds 8,192 characters of formula; with more segments than these the rates become part of the amounts."""


class Term(NamedTuple):
    """A driver and the assumptions that it is multiplied with."""

    driver: str
    factors: tuple[str, ...]


class Sum(NamedTuple):
    """A sum of terms, with a sign."""

    sign: int
    terms: tuple[Term, ...]


def sums_of(assumptions: Assumptions) -> dict[str, Sum]:
    """Return the lines of a statement but for tax, and last the acquisition cost, which is none of them."""
    lines = {
        formula.name: Sum(formula.sign, tuple(Term(*term) for term in formula.factors.items()))
        for formula in assumptions.formulas
    }
    return lines | {"acquisition_cost": Sum(1, (Term("customers", ("acquisition_cost",)),))}


@dataclass(frozen=True, eq=False)
class Groups:
    """Which group each customer belongs to.

    Attributes
    ----------
    names
        Of the groups, in the order of the statement.
    codes
        The position in `names`, shape (customers,).
    """

    names: tuple[str, ...]
    codes: Index

    @classmethod
    def of(cls, segments: Any) -> Groups:  # noqa: ANN401 - a Series or an array
        """Return the groups that have the same segment."""
        import pandas as pd

        codes, names = pd.factorize(np.asarray(segments), sort=True)
        return cls(tuple(map(str, names)), np.asarray(codes, np.int64))

    @classmethod
    def whole(cls, customers: int) -> Groups:
        """Return one group of all customers."""
        return cls((TOTAL,), np.zeros(customers, np.int64))

    def largest(self, values: Array, most: int, others: str) -> Groups:
        """Return no more than so many groups: those with the largest sums, and one of all others, which is the last.

        Examples
        --------
        >>> groups = Groups.of(np.array(["a", "b", "c", "d", "a"]))
        >>> fewer = groups.largest(np.array([1.0, 9.0, 2.0, 8.0, 1.5]), 3, "others")
        >>> fewer.names, fewer.codes.tolist()
        (('b', 'd', 'others'), [2, 0, 2, 1, 2])
        """
        if len(self.names) <= most:
            return self
        kept = np.sort(np.argsort(-self.sum(values), kind="stable")[: most - 1])
        places = np.full(len(self.names), most - 1)
        places[kept] = np.arange(most - 1)
        return Groups((*(self.names[k] for k in kept), others), np.asarray(places[self.codes], np.int64))

    @cached_property
    def first(self) -> Index:
        """The position of the first customer of each group, shape (groups,)."""
        return np.asarray(np.unique(self.codes, return_index=True)[1], np.int64)

    def sum(self, values: Array | float) -> Array:
        """Return sums over the customers of each group, shape (groups,)."""
        weights = np.broadcast_to(np.asarray(values, np.float64), self.codes.shape)
        return np.asarray(np.bincount(self.codes, weights=weights, minlength=len(self.names)), np.float64)


def by_customer(book: Book) -> dict[str, Array | float]:
    """Return what a statement sums, by customer, shape (customers,), or one number for all.

    Returns
    -------
    dict
        customers, living_customers, the amounts of the drivers, each line, equity, acquisition_cost, and within_1 to
        within_10 (equity within so many years).
    """
    columns: dict[str, Array | float] = {"customers": 1.0, "living_customers": book.alive}
    columns |= {AMOUNTS[driver]: amount(book.future) for driver, amount in DRIVERS.items()}
    columns |= {line.name: line.value(book.future) for line in book.lines}
    columns |= {"equity": book.rlv, "acquisition_cost": book.acquisition_cost}
    return columns | {f"within_{years}": book.rlv_within(years) for years in WITHIN}


@dataclass(frozen=True, eq=False)
class AmountPart:
    """A part of a term: for each group an amount and the cells that it is multiplied with.

    Attributes
    ----------
    driver
        Of the term.
    within
        What the amounts hold beside the driver: columns of the customers, or assumptions.
    only
        Whose amounts they are, such as ``segment = A``; ``""`` if of all customers.
    amounts
        Shape (groups,).
    cells
        For each group, the cells.
    """

    driver: str
    within: tuple[str, ...]
    only: str
    amounts: Array
    cells: tuple[tuple[CellKey, ...], ...]

    @property
    def plain(self) -> bool:
        """Whether the amounts are those of the driver."""
        return not (self.within or self.only)


def parts(book: Book, term: Term, groups: Groups) -> list[AmountPart]:
    """Return the parts that a term falls into.

    One part is enough if the rates of a term are the same for all customers of a group. Rates by other segments than
    the groups need a part for each segment.

    Parameters
    ----------
    book
        The valuation.
    term
        A driver and its assumptions.
    groups
        The customers of each column of a statement.
    """
    stated = book.assumptions.rates
    rates = {name: stated[name] for name in term.factors}
    levels = _Levels.of(book, {rate.by for rate in rates.values() if isinstance(rate, BySegment)})
    first = levels.codes[groups.first]
    one_each = bool((levels.codes == first[groups.codes]).all())
    crowded = not one_each and len(levels.segments) > _MOST_LEVELS
    inside = [name for name, rate in rates.items() if isinstance(rate, (ByColumn, BySegment) if crowded else ByColumn)]
    amount = np.broadcast_to(_driver(book, term.driver), groups.codes.shape)
    for name in inside:
        amount = amount * _by_customer(book, name)
    within = tuple(rate.column if isinstance(rate := rates[name], ByColumn) else name for name in inside)
    outside = {name: rate for name, rate in rates.items() if not (crowded and isinstance(rate, BySegment))}
    cells = [tuple(_cell(name, rate, segment) for name, rate in outside.items()) for segment in levels.segments]
    if one_each or crowded:
        return [AmountPart(term.driver, within, "", groups.sum(amount), tuple(cells[k] for k in first))]
    return [
        AmountPart(
            term.driver, within, _in_words(segment), groups.sum(amount * (levels.codes == k)), (keys,) * len(first)
        )
        for k, (segment, keys) in enumerate(zip(levels.segments, cells, strict=True))
    ]


@dataclass(frozen=True, eq=False)
class _Levels:
    """The segments that rates differ by.

    Attributes
    ----------
    segments
        Each as column -> name; one without a column if no rate differs.
    codes
        The position in `segments`, shape (customers,).
    """

    segments: tuple[Mapping[str, str], ...]
    codes: Index

    @classmethod
    def of(cls, book: Book, columns: Collection[str]) -> _Levels:
        import pandas as pd

        if not columns:
            return cls(({},), np.zeros(len(book.histories), np.int64))
        names = sorted(columns)
        table = pd.MultiIndex.from_frame(book.histories.attributes[names].astype(str))
        codes, levels = pd.factorize(table, sort=True)
        return cls(tuple(dict(zip(names, level, strict=True)) for level in levels), np.asarray(codes, np.int64))


def _driver(book: Book, name: str) -> Array:
    return DRIVERS[name](book.future) if name in DRIVERS else np.ones(())


def _by_customer(book: Book, name: str) -> Array:
    """Return the rates of an assumption that stand in the amounts; the factor of a column is a cell."""
    rate, bounds = book.assumptions.rates[name], book.assumptions.bounds[name]
    if isinstance(rate, ByColumn):
        return np.asarray(of_customers(name, ByColumn(rate.column), book.histories, -math.inf, math.inf))
    return np.asarray(of_customers(name, rate, book.histories, bounds.low, bounds.high))


def _cell(name: str, rate: Rate, segment: Mapping[str, str]) -> CellKey:
    return name, segment[rate.by] if isinstance(rate, BySegment) else ""


def _in_words(segment: Mapping[str, str]) -> str:
    return ", ".join(f"{column} = {name}" for column, name in segment.items())
