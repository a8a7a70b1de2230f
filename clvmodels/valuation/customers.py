"""What a valuation asks of the place where its customers lie, and the answers of those in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.histories import Histories
from clvmodels.inference.model_average import Transactions
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.new_customer import FirstOrders, first_orders
from clvmodels.valuation.residual_expectations import ResidualExpectations
from clvmodels.valuation.valued_rows import ValuedRows, order_values

if TYPE_CHECKING:
    from clvmodels.data.engine import EngineTable

__all__ = ["Customers", "MemoryCustomers"]

Index = NDArray[np.int64]


class Customers(Protocol):
    """The customers of a valuation."""

    @property
    def each(self) -> ValuedRows:
        """The valuation of each customer, in memory."""

    @property
    def rates_are_sure(self) -> bool:
        """Whether the rates of rows are those of each customer in it, and not their mean with an unknown spread."""

    def rows_by(self, by: Sequence[str], *, by_head: bool = False) -> ValuedRows:
        """Return the valuation of rows that stand for all customers: all sums over customers are its sums.

        Parameters
        ----------
        by
            Names of attributes: the customers of a row have the same.
        by_head
            Average rates by column over customers, also those that are shares of sales, and so weigh with Z.
        """

    def most_valuable(self, number: int) -> float:
        """Return what so many of the most valuable customers are worth together."""

    def unprofitable(self) -> tuple[int, float]:
        """Return how many customers have an expected value below zero, and what they are worth together."""

    @property
    def first_orders(self) -> FirstOrders:
        """What the first orders of the customers were worth, as far as it is known."""

    @property
    def table(self) -> EngineTable:
        """The table of customers in their engine."""

    def write(self, path: str | Path) -> None:
        """Write it to a Parquet file."""


@dataclass(frozen=True, eq=False)
class MemoryCustomers:
    """Customers in memory: the rows of the valuation are theirs."""

    transactions: Transactions
    spend: SpendFit
    assumptions: Assumptions
    histories: Histories
    expectations: ResidualExpectations

    @cached_property
    def rows(self) -> ValuedRows:
        """The valuation of the rows, which may stand for several customers."""
        Z = order_values(self.spend, self.histories)
        return ValuedRows(self.transactions, self.spend, self.assumptions, self.histories, Z, self.expectations)

    @cached_property
    def each(self) -> ValuedRows:
        """The valuation of each customer."""
        weight, rows = self.histories.weight, self.rows
        if weight is None:
            return rows
        origin = np.repeat(np.arange(len(weight)), weight.astype(np.int64))
        expectations = replace(self.expectations, place=self.expectations.index[origin])
        return replace(
            rows,
            histories=self.histories.expanded(),
            order_value=rows.order_value[origin],
            expectations=expectations,
        )

    @property
    def rates_are_sure(self) -> bool:
        """Whether rates are those of each customer: they are."""
        return True

    def rows_by(self, by: Sequence[str], *, by_head: bool = False) -> ValuedRows:  # noqa: ARG002 - rows have all
        """Return the valuation of the rows."""
        return self.rows

    def most_valuable(self, number: int) -> float:
        """Return what so many of the most valuable customers are worth together."""
        return self.rows.highest(number)

    def unprofitable(self) -> tuple[int, float]:
        """Return how many customers have an expected value below zero, and what they are worth together."""
        return self.rows.unprofitable()

    @property
    def first_orders(self) -> FirstOrders:
        """What the first orders of the customers were worth, as far as it is known."""
        return first_orders(self.histories)

    @property
    def table(self) -> EngineTable:
        """The table of customers in a DuckDB of Ibis."""
        from clvmodels.data.frames import ibis_table

        return ibis_table(self.each.to_frame())

    def write(self, path: str | Path) -> None:
        """Write it to a Parquet file."""
        from clvmodels.data.frames import write_frame

        write_frame(self.each.to_frame(), path)
