"""The movement of several books at once: each book's own, and their sum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from clvmodels.valuation.combined import BOOK, CombinedBook
from clvmodels.valuation.statement import TOTAL

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CombinedMovement", "MovementOfBook"]


class MovementOfBook(Protocol):
    """The movement of one book."""

    @property
    def table(self) -> pd.DataFrame:
        """By key: line, kind and value."""

    @property
    def customers(self) -> pd.DataFrame:
        """The lines by customer."""

    def by(self, column: str) -> pd.DataFrame:
        """Return the lines by the values of a column of the customers."""


@dataclass(frozen=True, eq=False, repr=False)
class CombinedMovement:
    """The movement of customer equity of several books from one closing to the next.

    A customer who leaves one book for another is one who is gone in the first, and new in the second.

    Attributes
    ----------
    opening, closing
        The books at the two closings.
    parts
        The movement of each book by its name.
    """

    opening: CombinedBook
    closing: CombinedBook
    parts: Mapping[str, MovementOfBook]

    @cached_property
    def table(self) -> pd.DataFrame:
        """By key: line (its name), kind, value (of all books), and the value of each book in a column of its name."""
        import pandas as pd

        tables = {name: part.table for name, part in self.parts.items()}
        by_book = pd.DataFrame({name: table["value"] for name, table in tables.items()})
        named = next(iter(tables.values()))[["line", "kind"]]
        return named.assign(value=by_book.sum(axis=1)).join(by_book)

    @property
    def unexplained(self) -> float:
        """Closing less opening less all changes: zero but for rounding."""
        table = self.table
        change = float(table.loc[table["kind"] == "change", "value"].sum())
        return self.closing.equity - self.opening.equity - change

    @property
    def customers(self) -> pd.DataFrame:
        """The lines by book and customer_id."""
        import pandas as pd

        return pd.concat({name: part.customers for name, part in self.parts.items()}, names=[BOOK])

    def by(self, column: str) -> pd.DataFrame:
        """Return the movement by book and by the values of a column of the customers, which every book must have.

        Raises
        ------
        DataError
            If the histories of a book have no such column.
        """
        import pandas as pd

        return pd.concat({name: part.by(column) for name, part in self.parts.items()}, names=[BOOK])

    def __repr__(self) -> str:
        table = self.table
        columns = [*self.parts, TOTAL]
        rows = [
            [str(line), *(f"{amount:{'+' * (kind == 'change')},.2f}" for amount in amounts)]
            for line, kind, *amounts in table[["line", "kind", *self.parts, "value"]].itertuples(index=False)
            if kind != "change" or any(abs(amount) >= 0.005 for amount in amounts)
        ]
        widths = [max(len(row[k]) for row in [["", *columns], *rows]) for k in range(len(columns) + 1)]
        title = f"Movement of the customer equity of {len(self.parts)} books"
        currency = self.opening.currency
        lines = [
            "  ".join([row[0].ljust(widths[0]), *(text.rjust(w) for text, w in zip(row[1:], widths[1:], strict=True))])
            for row in [["", *columns], *rows]
        ]
        return "\n".join([f"{title}{', ' * bool(currency)}{currency}", *lines])
