"""Cross-selling: customer equity by category of goods, and what customers may buy next that they have never bought.

One model says how often customers order, and shares that differ from customer to customer say of what. A model for each
category would take everybody who happens to buy elsewhere for a customer who has left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.arguments import as_number, require_mapping
from clvmodels.data.category_counts import category_counts
from clvmodels.data.columns import count, examples
from clvmodels.data.reading import LogFormat
from clvmodels.data.required import require_customers
from clvmodels.errors import AssumptionError, DataError, FitError, one_of
from clvmodels.numerics.special import log_gamma_ratio
from clvmodels.steering.drivers.dirichlet import dirichlet_of_counts
from clvmodels.steering.require_book import require_book
from clvmodels.units import Duration
from clvmodels.valuation.book import Book, valued

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.histories import Histories

__all__ = ["CategoryValue", "category_value"]

Array = NDArray[np.float64]

MARGIN: Final = "category_margin"
"""The attribute of customers with the margin that follows from their shares."""
TOLERANCE: Final = 1e-7
"""Of a probability: what is left out by not looking at ever more orders."""
MOST_ORDERS: Final = 5_000


@dataclass(frozen=True, eq=False, repr=False)
class CategoryValue:
    """Customer equity by category; `category_value` makes it.

    Attributes
    ----------
    book
        The valuation whose equity is divided; with the margins of the categories, where they were given.
    counts
        Orders so far, by customer and category.
    alpha
        Parameters of the Dirichlet distribution of customers' shares, by category.
    margins
        The margin of each category; None: that of the book for all.
    """

    book: Book
    counts: pd.DataFrame
    alpha: pd.Series[float]
    margins: pd.Series[float] | None = None

    @cached_property
    def shares(self) -> pd.DataFrame:
        """The expected share of each category in a customer's orders to come, by customer and category."""
        return _shares(self.counts, self.alpha)

    @cached_property
    def customers(self) -> pd.DataFrame:
        """Residual lifetime value by customer and category; the categories of a customer sum to their value."""
        import pandas as pd

        shares = self.shares.to_numpy()
        values = shares * self.book.rlv[:, None]
        if self.margins is not None:
            margins = self.margins.to_numpy()
            sales = (1.0 - self.book.assumptions.tax) * self.book.future.G * self.book.future.Z
            values += shares * (margins - (shares @ margins)[:, None]) * sales[:, None]
        return pd.DataFrame(values, index=self.shares.index, columns=self.shares.columns)

    @cached_property
    def table(self) -> pd.DataFrame:
        """By category: orders so far, customers who have bought of it, discounted orders to come, and value."""
        import pandas as pd

        counts = self.counts.to_numpy()
        columns = {
            "orders": counts.sum(axis=0),
            "customers": (counts > 0.0).sum(axis=0),
            "discounted_orders": self.book.future.D @ self.shares.to_numpy(),
            "value": self.customers.to_numpy().sum(axis=0),
        }
        return pd.DataFrame(columns, index=self.alpha.index)

    def next_category(self, t: Duration) -> pd.DataFrame:
        """Return with what probability customers buy of a category that they have never bought of, within `t`.

        It is a forecast of what customers do by themselves. Whether an offer adds to it is shown by a holdout alone.

        Parameters
        ----------
        t
            Such as ``"26 weeks"``; a bare number is in the unit of the fit.

        Returns
        -------
        DataFrame
            A row for each customer and category never bought: customer_id, category, probability; the most likely
            first.

        Examples
        --------
        >>> import pandas as pd
        >>> log = pd.DataFrame({"customer_id": [*"AAABCCCCCC"], "category": [*"xyxyxxyxxx"]})
        >>> log["date"] = pd.date_range("2024-01-01", periods=10)
        >>> by_category = clv.category_value(book, log)
        >>> by_category.next_category("26 weeks").round(2)
          customer_id category  probability
        0           B        x         0.08
        """
        import pandas as pd

        counts = self.counts.to_numpy()
        open_to = np.flatnonzero((counts == 0.0).any(axis=1))
        never = counts[open_to] == 0.0
        chance = self._chance(open_to, t)
        row, category = np.nonzero(never)
        table = pd.DataFrame(
            {
                "customer_id": self.counts.index[open_to[row]],
                "category": self.counts.columns[category],
                "probability": chance[row, category],
            }
        )
        return table.sort_values("probability", ascending=False, kind="stable", ignore_index=True)

    def _chance(self, rows: NDArray[np.intp], t: Duration) -> Array:
        """Return the probability of an order of each category within `t`, shape (rows, categories).

        With the posterior parameters b of the category and A of all, m orders are all of other categories with the
        probability Gamma(A - b + m) Gamma(A) / (Gamma(A - b) Gamma(A + m)); m is what the transaction model says.
        """
        own = self.alpha.to_numpy() + self.counts.to_numpy()[rows]
        total = own.sum(axis=1, keepdims=True)
        histories = self.book.histories.select(self.counts.index[rows])
        none, left = np.zeros_like(own), np.ones((len(rows), 1))
        for m in range(MOST_ORDERS + 1):
            orders = np.asarray(float(m))
            of_others = np.exp(log_gamma_ratio(total - own, orders) - log_gamma_ratio(total, orders))
            if np.max(left * of_others, initial=0.0) < TOLERANCE:
                return np.asarray(1.0 - none)
            pmf = self._pmf(histories, t, m)[:, None]
            none += pmf * of_others
            left -= pmf
        raise FitError(f"customers may order more than {MOST_ORDERS:,} times within {t!r}; ask about a shorter time")

    def _pmf(self, histories: Histories, t: Duration, n: int) -> Array:
        """Return the probability of n orders of each customer, on average over the models."""
        transactions = self.book.transactions
        each = [fit.probability_of_purchases(histories, t, n)["mean"].to_numpy() for fit in transactions.fits]
        return np.asarray(np.average(each, axis=0, weights=transactions.weights))

    def __repr__(self) -> str:
        values = ", ".join(f"{name} {value:,.2f}" for name, value in self.table["value"].items())
        return f"<Customer equity {self.book.equity:,.2f} by category: {values}>"


def category_value(
    book: Book,
    log: object,
    *,
    category: str = "category",
    margins: Mapping[str, float] | None = None,
    log_format: LogFormat = LogFormat(),  # noqa: B008 - it is frozen
) -> CategoryValue:
    """Divide customer equity by category of goods.

    The book says how often customers order and what an order is worth. The log says of which categories: each
    customer's shares come from a Dirichlet distribution, so that who has ordered little is taken to be more like the
    others. An order has the same expected value in all categories; one of two categories counts in both.

    Parameters
    ----------
    book
        The valuation; its customers in memory, one row each.
    log
        The purchase log that its histories were made of, with a column of categories.
    category
        The name of this column.
    margins
        The margin of each category, a share of sales, in place of that of the book. Each customer then has the margin
        that follows from their shares, and the book is valued anew.
    log_format
        The format of the log, as of the histories.

    Returns
    -------
    CategoryValue
        ``table`` by category, ``customers`` by customer and category, and ``next_category(t)``.

    Raises
    ------
    DataError
        If the log cannot be read, has fewer than two categories, or lacks a customer of the book.
    AssumptionError
        If `book` is no valuation, or a margin is missing, of no category, or no share.
    FitError
        If the shares do not converge.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"customer_id": [*"AAABCCCCCC"], "category": [*"xyxyxxyxxx"]})
    >>> log["date"] = pd.date_range("2024-01-01", periods=10)
    >>> by_category = clv.category_value(book, log)
    >>> round(float(by_category.table["value"].sum() - book.equity), 9)
    0.0
    """
    require_book(book)
    require_customers(book.histories, "the value by category")
    counts = _counts_of(book.histories, category_counts(log_format, log, category, book.histories.observation_end))
    alpha = counts.iloc[0].rename("alpha").astype(float)
    alpha[:] = dirichlet_of_counts(counts.to_numpy()[counts.to_numpy().sum(axis=1) > 0.0])
    if margins is None:
        return CategoryValue(book, counts, alpha)
    of_category = _margins_of(margins, alpha)
    shares = _shares(counts, alpha)
    own = (shares @ of_category).rename(MARGIN).to_frame()
    assumptions = book.assumptions.replace({"margin": {"column": MARGIN}})
    histories = book.histories.with_attributes(own)
    return CategoryValue(valued(book.transactions, book.spend, histories, assumptions), counts, alpha, of_category)


def _counts_of(histories: Histories, counts: pd.DataFrame) -> pd.DataFrame:
    """Return the counts of the customers of the histories, in their order."""
    missing = histories.customer_id.difference(counts.index)
    if len(missing):
        raise DataError(
            f"the log lacks {count(len(missing), 'customer')} of the book: {examples(missing)}; give the log that the "
            "histories were made of"
        )
    own = counts.loc[histories.customer_id]
    own = own.loc[:, own.sum() > 0.0]
    if own.shape[1] < 2:
        raise DataError(
            f"the value by category needs two categories with orders or more, and the log has {own.shape[1]} "
            f"({examples(own.columns) if own.shape[1] else 'every category is missing'})"
        )
    return own


def _shares(counts: pd.DataFrame, alpha: pd.Series[Any]) -> pd.DataFrame:
    """Return posterior means of customers' shares, by customer and category."""
    own = counts + alpha
    return own.div(own.sum(axis=1), axis=0)


def _margins_of(margins: Mapping[str, float], alpha: pd.Series[Any]) -> pd.Series[Any]:
    """Return the margins in the order of the categories."""
    given = require_mapping("margins", margins, '{"shoes": 0.45, "coats": 0.30}', AssumptionError)
    for name in given:
        if name not in alpha.index:
            raise AssumptionError(one_of("category", name, map(str, alpha.index)))
    missing = [name for name in alpha.index if name not in given]
    if missing:
        raise AssumptionError(f"the margin of {examples(missing)} is missing; give that of each category")
    values = np.array([as_number(given[name]) for name in alpha.index])
    if not np.all((values >= 0.0) & (values <= 1.0)):
        raise AssumptionError(f"margins are shares of sales; 30 % is 0.30, got {dict(given)!r}")
    result = alpha.rename("margin").copy()
    result[:] = values
    return result
