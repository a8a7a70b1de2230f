"""What a valuation says of some of the customers together: by horizon, by how often they bought, by what they bring."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING

from clvmodels.data.histories import Histories
from clvmodels.valuation.checks import require_number
from clvmodels.valuation.concentration import whole_customers
from clvmodels.valuation.customers import Customers
from clvmodels.valuation.valued_rows import HORIZONS, ValuedRows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GroupValues"]


class GroupValues(ABC):
    """Sums over some of the customers."""

    histories: Histories

    @cached_property
    @abstractmethod
    def backend(self) -> Customers:
        """The customers in the place where they lie."""

    @cached_property
    @abstractmethod
    def rows(self) -> ValuedRows:
        """The valuation of rows that stand for all customers: all sums over customers are its sums."""

    @property
    @abstractmethod
    def equity(self) -> float:
        """The sum of the residual lifetime values of all customers."""

    @cached_property
    def horizons(self) -> pd.DataFrame:
        """By number of years: equity within them, and its share of the whole."""
        import pandas as pd

        equity = [self.rows.summed(self.rows.rlv_within(years)) for years in HORIZONS]
        table = pd.DataFrame({"years": HORIZONS, "equity": equity}).set_index("years")
        return table.assign(share=table["equity"] / self.equity)

    def bought_once(self) -> tuple[int, float]:
        """Return how many customers bought once only, and what they are worth together.

        Examples
        --------
        >>> customers, equity = book.bought_once()
        >>> customers, round(equity, 2)
        (1, 10.77)
        """
        return self.rows.bought_once()

    def unprofitable(self) -> tuple[int, float]:
        """Return how many customers have an expected residual value below zero, and what they are worth together.

        Examples
        --------
        >>> costly = book.with_assumptions(book.assumptions.replace({"maintenance_cost": 5.0}))
        >>> customers, equity = costly.unprofitable()
        >>> customers, round(equity, 2)
        (1, -18.97)
        """
        return self.backend.unprofitable()

    def most_valuable(self, share: float) -> tuple[int, float]:
        """Return how many customers the most valuable share of them is, and what they are worth together.

        Examples
        --------
        >>> customers, equity = book.most_valuable(0.2)
        >>> customers, round(equity, 2)
        (1, 158.09)
        """
        require_number("share", share, "of the customers; a tenth is 0.1", low=0.0, high=1.0)
        number = whole_customers(share, self.histories.customers)
        return number, self.backend.most_valuable(number)
