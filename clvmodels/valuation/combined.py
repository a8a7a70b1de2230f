"""Several books in one statement: customers under contract beside those who buy when they like, or shops of one firm.

Nothing is added silently: a statement shows the books and their sum, the table of customers names the book of each, and
an interval says whether the draws of the books were paired.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.arguments import abridged, require_flag, require_seed
from clvmodels.data.columns import count, shown
from clvmodels.data.required import of_contracts, require_customers
from clvmodels.errors import AssumptionError, DataError, FitError
from clvmodels.valuation.book import Book
from clvmodels.valuation.statement import TOTAL
from clvmodels.valuation.uncertainty import SEED, Interval

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BOOK", "CombinedBook", "combine"]

Array = NDArray[np.float64]

BOOK: Final = "book"
"""The column, and the level of an index, that names the book of a row."""
SAME: Final = ("currency", "discount_rate", "timing", "horizon", "year", "tax")
"""The assumptions that books must share before their values are added."""
LISTED: Final = 20
"""Customers that an error names."""


@dataclass(frozen=True, eq=False, repr=False)
class CombinedBook:
    """Several books at one closing, with no customer in two of them.

    Attributes
    ----------
    parts
        The books by name, in their order.
    """

    parts: Mapping[str, Book]

    @property
    def equity(self) -> float:
        """The sum of the equity of the books."""
        return float(sum(book.equity for book in self.parts.values()))

    @property
    def currency(self) -> str:
        """The currency of all books."""
        return self._first.assumptions.currency

    @property
    def has_draws(self) -> bool:
        """Whether one of the books has fits with draws."""
        return any(book.has_draws for book in self.parts.values())

    @property
    def _first(self) -> Book:
        return next(iter(self.parts.values()))

    # --------------------------------------------------------------------------------------------------- statement

    def statement(self, by: str | None = None, *, intervals: bool = True) -> pd.DataFrame:
        """Return the customer-equity statement: each book, and the sum of all in the last row.

        Parameters
        ----------
        by
            A column that the customers of every book have: each book is then shown by its values, with its own total.
        intervals
            Where fits have draws, show between which ends the equity lies with probability 0.9.

        Returns
        -------
        DataFrame
            By book and, with `by`, by its values within the book: the columns of `Book.statement`. A line that only
            some books have is 0 in the others. Orders of a book of contracts are payments.

        Raises
        ------
        DataError
            If a book has no such column.

        Examples
        --------
        >>> other = clv.value(transactions, spend, rfm.select(["A"]), book.assumptions)
        >>> rest = clv.value(transactions, spend, rfm.select(["B", "C"]), book.assumptions)
        >>> combine({"shop": other, "web": rest}).statement()[["customers", "equity"]].round(2)
               customers  equity
        book
        shop         1.0   37.88
        web          2.0  168.86
        total        3.0  206.74
        """
        import pandas as pd

        intervals = require_flag("intervals", intervals, FitError) and self.has_draws
        tables = {name: book.statement(by, intervals=intervals) for name, book in self.parts.items()}
        names = [BOOK, *([] if by is None else [by])]
        table = pd.concat(tables, names=names)
        lines = _lines_of(self.parts.values())
        table = table.assign(**{name: table[name].fillna(0.0) for name in lines if name in table})
        whole = pd.concat([own.iloc[[-1]] for own in tables.values()])
        total = self._total(whole.reindex(columns=table.columns).fillna(dict.fromkeys(lines, 0.0)), intervals)
        if by is None:
            table = table.droplevel(-1).rename_axis(BOOK)
        table.loc[TOTAL if by is None else (TOTAL, TOTAL), :] = total
        return table

    def _total(self, whole: pd.DataFrame, intervals: bool) -> pd.Series[float]:
        """Return the row of all books from the totals of each."""
        sums = whole.sum()
        total = sums.copy()
        for name in whole.columns:
            if name.startswith("share_"):
                total[name] = (whole[name] * whole["equity"]).sum() / sums["equity"]
        total["per_customer"] = sums["equity"] / sums["customers"]
        if intervals:
            interval = self.interval(0.9)
            total["low"], total["high"] = interval.low, interval.high
        if "acquisition_cost" in whole:
            total["rlv_to_acquisition_cost_spent"] = sums["equity"] / sums["acquisition_cost"]
        return total

    @property
    def horizons(self) -> pd.DataFrame:
        """By number of years: equity within them, that of each book, and the share of the whole."""
        import pandas as pd

        by_book = pd.DataFrame({name: book.horizons["equity"] for name, book in self.parts.items()})
        equity = by_book.sum(axis=1)
        return pd.DataFrame({"equity": equity, "share": equity / self.equity}).join(by_book)

    @cached_property
    def customers(self) -> pd.DataFrame:
        """By customer_id: the book of each, and the columns of `Book.customers`; lines of other books are 0.

        Raises
        ------
        DataError
            If the customers of an engine do not fit into memory.
        """
        import pandas as pd

        tables = [book.customers.assign(**{BOOK: name}) for name, book in self.parts.items()]
        table = pd.concat(tables)
        lines = [name for name in _lines_of(self.parts.values()) if name in table]
        table = table.assign(**{name: table[name].fillna(0.0) for name in lines})
        return table[[BOOK, *(name for name in table.columns if name != BOOK)]]

    # --------------------------------------------------------------------------------------------------- intervals

    @property
    def pairing(self) -> str:
        """How draws of the books are put together, in words.

        Examples
        --------
        >>> halves = [clv.value(transactions, spend, rfm.select([ids]), book.assumptions) for ids in "AB"]
        >>> combine(halves).pairing
        'draws paired: book 1 and book 2 share a fit'
        """
        sharing = [names for names in _groups(self.parts) if len(names) > 1]
        if not sharing:
            return "draws independent between books"
        paired = "; ".join(f"{', '.join(names[:-1])} and {names[-1]} share a fit" for names in sharing)
        rest = len(self.parts) - sum(map(len, sharing))
        return f"draws paired: {paired}{', the others independent' * bool(rest)}"

    def draws(self, *, process: bool = True, seed: int | None = SEED) -> Array:
        """Return draws of the equity of all books together, shape (draws,).

        Books that share a fit, be it of transactions or of spend, are wrong together: draw i of the one is added to
        draw i of the other. Books with fits of their own are independent: their draws are added in random orders. There
        are as many draws as the book with most of them has.

        Parameters
        ----------
        process, seed
            As of `Book.draws`; what customers will really do is simulated with a seed of its own for each book.

        Raises
        ------
        FitError
            If `process` is False and parameters of a book were given, not fitted.

        Examples
        --------
        >>> halves = [clv.value(transactions, spend, rfm.select([ids]), book.assumptions) for ids in "AB"]
        >>> combine(halves).draws(seed=1).shape
        (1000,)
        """
        require_seed(seed, FitError)
        root = np.random.SeedSequence(seed)
        orders, *own = root.spawn(1 + len(self.parts))
        seeds = [int(sequence.generate_state(1)[0]) for sequence in own]
        drawn = {
            name: book.draws(process=process, seed=each)
            for (name, book), each in zip(self.parts.items(), seeds, strict=True)
        }
        most, generator = max(map(len, drawn.values())), np.random.default_rng(orders)
        total = np.zeros(most)
        for names in _groups(self.parts):
            number = max(len(drawn[name]) for name in names)
            order = generator.permutation(np.resize(np.arange(number), most))
            for name in names:
                total += drawn[name][order % len(drawn[name])]
        return total

    def interval(self, probability: float = 0.9, *, process: bool = True, seed: int | None = SEED) -> Interval:
        """Return where the equity of all books together lies with a probability.

        Parameters
        ----------
        probability
            Of the interval, above 0 and below 1.
        process, seed
            As of `draws`.

        Raises
        ------
        AssumptionError
            If `probability` is not between 0 and 1.
        FitError
            As of `draws`.

        Examples
        --------
        >>> halves = [clv.value(transactions, spend, rfm.select([ids]), book.assumptions) for ids in "AB"]
        >>> combine(halves).interval().covers
        ('what customers do', 'draws paired: book 1 and book 2 share a fit')
        """
        covers = dict.fromkeys(each for book in self.parts.values() for each in book.covers)
        known = (*covers, *(("what customers do",) if process else ()), self.pairing)
        return Interval.of(self.draws(process=process, seed=seed), probability, known)

    def __repr__(self) -> str:
        """Return the parts and their sum."""
        books = self.parts.values()
        amounts = {name: (book.equity, book.histories.customers) for name, book in self.parts.items()}
        amounts[TOTAL] = (self.equity, sum(book.histories.customers for book in books))
        width = max(map(len, amounts))
        number = max(len(f"{equity:,.2f}") for equity, _ in amounts.values())
        title = f"Customer equity of {len(self.parts)} books{', ' * bool(self.currency)}{self.currency}"
        rows = [f"{name:<{width}}  {equity:>{number},.2f}  {of:,} customers" for name, (equity, of) in amounts.items()]
        return "\n".join([title, *rows])


def combine(books: Sequence[Book] | Mapping[str, Book]) -> CombinedBook:
    """Put several books of one closing into one statement, such as contracts and a shop.

    Parameters
    ----------
    books
        Two books or more: by name, or in a list, and then named "contracts" and "non-contract" if there is one of each
        kind, else "book 1", "book 2" and so on.

    Returns
    -------
    CombinedBook
        Statement, customers and interval of all, each with its parts.

    Raises
    ------
    DataError
        If a customer is in two books, observation ends on different days, or rows stand for several customers.
    AssumptionError
        If currency, discount rate, timing, horizon, length of a year or tax differ, or there are not at least two
        books.

    Examples
    --------
    >>> halves = [clv.value(transactions, spend, rfm.select([ids]), book.assumptions) for ids in "AB"]
    >>> combine(halves)
    Customer equity of 2 books
    book 1  37.88  1 customers
    book 2  10.77  1 customers
    total   48.65  2 customers
    """
    parts = _named(books)
    for first, second in combinations(parts, 2):
        _require_one_closing(first, parts[first], second, parts[second])
        _require_one_convention(first, parts[first], second, parts[second])
        _require_disjoint(first, parts[first], second, parts[second])
    return CombinedBook(parts)


def _named(books: object) -> dict[str, Book]:
    given = list(books.values()) if isinstance(books, Mapping) else books
    if not isinstance(given, list | tuple) or len(given) < 2 or not all(isinstance(book, Book) for book in given):
        raise AssumptionError(
            "combine takes two books or more, as in clv.combine([book, book]) or clv.combine({'shop': book, "
            f"'subscription': book}}), got {abridged(books)}"
        )
    for book in given:
        require_customers(book.histories, "a combined book")
    names = list(map(str, books)) if isinstance(books, Mapping) else _default_names(given)
    if TOTAL in names:
        raise AssumptionError(f"a book cannot be called {TOTAL!r}: that is the name of the sum of all; rename it")
    return dict(zip(names, given, strict=True))


def _default_names(books: Sequence[Book]) -> list[str]:
    kinds = ["contracts" if of_contracts(book.histories) else "non-contract" for book in books]
    return kinds if len(set(kinds)) == len(kinds) else [f"book {number}" for number in range(1, len(books) + 1)]


def _require_one_closing(first: str, book: Book, second: str, other: Book) -> None:
    ends = book.histories.observation_end, other.histories.observation_end
    if ends[0] == ends[1]:
        return
    days = ["not known" if end is None else str(end) for end in ends]
    raise DataError(
        f"books that are combined have one closing: observation of {first!r} ends {days[0]}, that of {second!r} "
        f"{days[1]}; make both with the same observation_end"
    )


def _require_one_convention(first: str, book: Book, second: str, other: Book) -> None:
    for name in SAME:
        values = [getattr(each.assumptions, name) for each in (book, other)]
        if name == "discount_rate":
            values = [each.assumptions.discount_rates for each in (book, other)]
        if values[0] != values[1]:
            raise AssumptionError(
                f"books that are combined have the same {name}: {values[0]!r} of {first!r}, {values[1]!r} of "
                f"{second!r}; value both under one, with book.with_assumptions(...)"
            )


def _require_disjoint(first: str, book: Book, second: str, other: Book) -> None:
    ids, known = book.histories.customer_id, other.histories.customer_id
    both = ids[ids.astype(str).isin(known.astype(str))]  # 7 and "7" are taken for the same customer
    if len(both):
        rest = f" and {len(both) - LISTED:,} more" if len(both) > LISTED else ""
        raise DataError(
            f"{count(len(both), 'customer')} in both {first!r} and {second!r}: {', '.join(map(shown, both[:LISTED]))}"
            f"{rest}; a customer is valued in one book, so give each of them to one, or ids of their own if they are "
            "not the same"
        )


def _lines_of(books: Iterable[Book]) -> list[str]:
    return list(dict.fromkeys(line.name for book in books for line in book.rows.lines))


def _groups(parts: Mapping[str, Book]) -> list[list[str]]:
    """Return the names of books whose draws are paired: those that share a fit, directly or by way of another."""
    groups: list[list[str]] = []
    for name, book in parts.items():
        linked = [group for group in groups if any(_share_a_fit(book, parts[other]) for other in group)]
        groups = [group for group in groups if group not in linked]
        groups.append([*(other for group in linked for other in group), name])
    return groups


def _share_a_fit(book: Book, other: Book) -> bool:
    fits = [{id(fit) for fit in (*each.transactions.fits, each.spend)} for each in (book, other)]
    return bool(fits[0] & fits[1])
