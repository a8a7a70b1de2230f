"""Customers of a valuation who stay in their engine.

Sums are those of a valuation of rows of customers with the same history, each with its mean spend. By customer, value
is an expression on the histories and a small table of what is expected of each distinct history.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.arithmetic import steady_sum
from clvmodels.data.engine import EngineColumn
from clvmodels.data.engine import EngineTable as Expression
from clvmodels.data.engine_table import EngineTable, attribute_column
from clvmodels.data.histories import Histories
from clvmodels.data.memory_table import WeightedTable
from clvmodels.data.parquet import write_parquet
from clvmodels.data.statistics import TRANSACTIONS
from clvmodels.errors import AssumptionError, DataError
from clvmodels.inference.model_average import Transactions
from clvmodels.inference.predictions import linear_spend
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.discounting import calendar_years
from clvmodels.valuation.lines import COMMON, OWN, DiscountedDrivers, has_products, lines_of
from clvmodels.valuation.new_customer import FirstOrders
from clvmodels.valuation.rates import ByColumn, BySegment, Rate, require_column
from clvmodels.valuation.residual_expectations import ResidualExpectations
from clvmodels.valuation.valued_rows import WHOLE, ValuedRows, order_values

__all__ = ["EngineCustomers"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EngineCustomers:
    """Customers of a valuation in an engine.

    Attributes
    ----------
    transactions, spend, assumptions
        What the valuation rests on.
    histories
        The customers.
    customers
        Where they lie.
    expectations
        What is expected of each distinct history.
    """

    transactions: Transactions
    spend: SpendFit
    assumptions: Assumptions
    histories: Histories
    customers: EngineTable
    expectations: ResidualExpectations
    _rows: dict[tuple[tuple[str, ...], bool], ValuedRows] = field(default_factory=dict, init=False)

    @cached_property
    def each(self) -> ValuedRows:
        """The valuation of each customer, who is fetched if there is room."""
        histories = replace(self.histories, backend=self.customers.fetched)
        return self._valued_rows(histories, self.expectations, order_values(self.spend, histories), self.assumptions)

    @property
    def rates_are_sure(self) -> bool:
        """Whether the histories state no spread of a rate by column."""
        stated = {rate.column + ending for rate in self._by_column.values() for ending in (OWN, COMMON)}
        return stated.isdisjoint(self.customers.names)

    def rows_by(self, by: Sequence[str], *, by_head: bool = False) -> ValuedRows:
        """Return the valuation of rows that stand for all customers; `Customers.rows_by` says more.

        A product of two rates that both differ by customer is none of the means of its factors: the customers are then
        fetched.
        """
        key = (tuple(by), by_head)
        if key not in self._rows:
            self._rows[key] = self.each if has_products(self.assumptions) else self.rows_with(by, by_head=by_head)
        return self._rows[key]

    def rows_with(self, by: Sequence[str], order_value: str | None = None, *, by_head: bool = False) -> ValuedRows:
        """Return the same, with Z of each customer from an attribute of the histories if one is named."""
        segments = [rate.by for rate in self._rates.values() if isinstance(rate, BySegment)]
        means = self._by_column
        columns = list(dict.fromkeys([*by, *segments]))
        plain = order_value is None and not means
        counted = self.customers.weighted(columns) if plain else self._with_means(columns, means, order_value, by_head)
        histories = replace(self.histories, backend=counted.table)
        if order_value is None:
            Z = order_values(self.spend, histories)
        else:
            Z = histories.attributes[_mean(order_value)].to_numpy(np.float64)
        assumptions = self.assumptions.replace({name: ByColumn(_mean(name)) for name in means})
        return self._valued_rows(histories, replace(self.expectations, place=counted.place), Z, assumptions)

    def _valued_rows(
        self, histories: Histories, expectations: ResidualExpectations, Z: Array, assumptions: Assumptions
    ) -> ValuedRows:
        return ValuedRows(self.transactions, self.spend, assumptions, histories, Z, expectations)

    def _with_means(
        self, by: Sequence[str], rates: Mapping[str, ByColumn], order_value: str | None, by_head: bool
    ) -> WeightedTable:
        if order_value is None:
            table = self._valued
            Z = self._order_value(table)
        else:
            table = self.customers.rows
            Z = attribute_column(self.customers, table, order_value).cast("float64")
        means: dict[str, tuple[Any, Any]] = {
            _mean(name): (self.rate_of(table, name), Z if name in self._of_sales and not by_head else 1.0)
            for name in rates
        }
        means |= {} if order_value is None else {_mean(order_value): (Z, 1.0)}
        return self.customers.weighted_means(table, by, means)

    def most_valuable(self, number: int) -> float:
        """Return what so many of the most valuable customers are worth together, as the engine adds them up."""
        rlv, rows = self._expression.select("rlv"), self.rows_by(())
        highest = rlv.order_by(rlv.rlv.desc()).limit(number)
        # no line but the tax has two signs within a row, and the tax makes values smaller
        size = sum(rows.summed(np.abs(line.value(rows.future))) for line in rows.lines)
        total = highest.aggregate(equity=steady_sum(highest.rlv, size=size, rows=number))
        return float(self.customers.engine.run(total)["equity"][0].as_py())

    def unprofitable(self) -> tuple[int, float]:
        """Return how many customers have an expected value below zero, and what they are worth together."""
        if all(np.all(rate >= 0.0) for line in self.rows_by(()).lines for rate in line.rates.values()):
            return 0, 0.0
        table, run = self._expression.select("rlv"), self.customers.engine.run
        loss = (table.rlv < 0.0).ifelse(table.rlv, 0.0)
        counts = run(table.aggregate(number=table.count(where=table.rlv < 0.0), size=loss.abs().sum())).to_pylist()[0]
        total = steady_sum(loss, size=counts["size"] or 0.0, rows=len(self.histories))
        return int(counts["number"]), float(run(table.aggregate(total=total))["total"][0].as_py())

    @property
    def first_orders(self) -> FirstOrders:
        """What the first orders of the customers were worth, as far as it is known."""
        rows, engine = self.customers.rows, self.customers.engine
        if "first_value" not in rows.columns:
            return FirstOrders(0, float("nan"))
        value = rows.first_value
        known = engine.run(rows.aggregate(number=value.count(), size=value.abs().sum())).to_pylist()[0]
        if not known["number"]:
            return FirstOrders(0, float("nan"))
        total = rows.aggregate(total=steady_sum(value, size=known["size"], rows=len(self.histories)))
        return FirstOrders(known["number"], engine.run(total)["total"][0].as_py() / known["number"])

    @property
    def table(self) -> Expression:
        """The table of customers in their engine, not yet computed."""
        return self.customers.engine.public(self._expression)

    def write(self, path: str | Path) -> None:
        """Write it to a Parquet file; engines of a cluster write a folder of files."""
        write_parquet(self.customers.engine, self._expression, path)

    @cached_property
    def _expression(self) -> Expression:
        table = self._valued
        future = DiscountedDrivers(
            table.D,
            table.L,
            self._order_value(table),
            table.G if self.assumptions.growth else table.D,
            calendar_years(self.assumptions, self.transactions.unit),
            table.E if self.assumptions.cost_half_life else 0.0,
        )
        names = {line.name for line in self.rows_by(()).lines}
        rates = {name: self.rate_of(table, name) for name in self._rates}
        worth = {line.name: line.formula(future) for line in lines_of(self.assumptions, rates) if line.name in names}
        columns = {"customer_id": table.id, "discounted_orders": future.D, "discounted_lifetime": future.L}
        columns |= {"order_value": future.Z, **worth, "rlv": reduce(add, worth.values())}
        return table.select(columns)

    @cached_property
    def _valued(self) -> Expression:
        """The histories with D, L, G, E, and what Z follows from."""
        expectations, last = self.expectations, WHOLE
        intercept, slope = self._linear[1]
        columns = {
            "D": expectations.purchases[:, last],
            "L": expectations.living_years[:, last],
        }
        columns |= {"G": expectations.purchases[:, -1]} if self.assumptions.growth else {}
        if self.assumptions.cost_half_life:
            force = self.assumptions.force_of_learning(self.transactions.unit)
            columns["E"] = expectations.early(2 * WHOLE + 1, force)
        return self.customers.evaluated(columns | {"intercept": intercept, "slope": slope})

    @cached_property
    def _linear(self) -> tuple[float, Array]:
        x = self.customers.distinct(TRANSACTIONS).rows[:, 0]
        return linear_spend(self.spend.model, self.spend.draws, x)

    @property
    def with_order_value(self) -> Expression:
        """The rows of the histories, and ``order_value``, Z of each customer."""
        table = self._valued
        return table.mutate(order_value=self._order_value(table))

    def _order_value(self, table: Expression) -> EngineColumn:
        line = table.intercept + table.slope * table.spend
        return self.customers.known(table).ifelse(line, self._linear[0])

    # ------------------------------------------------------------------------------------------------ rates

    @cached_property
    def _rates(self) -> dict[str, Rate]:
        """The rates of the assumptions, by name; those by column are in their range."""
        rates = self.assumptions.rates
        self._require_ranges({name: rate for name, rate in rates.items() if isinstance(rate, ByColumn)})
        return rates

    @property
    def _by_column(self) -> dict[str, ByColumn]:
        return {name: rate for name, rate in self._rates.items() if isinstance(rate, ByColumn)}

    @property
    def _of_sales(self) -> set[str]:
        """The rates that are shares of sales: their means over customers weigh with the value of an order."""
        return {name for formula in self.assumptions.formulas for name in formula.factors.get("sales", ())}

    def rate_of(self, table: Expression, name: str) -> Any:  # noqa: ANN401 - a number or a column
        """Return a rate by its name: a number, or an expression by customer on a table of the histories."""
        rate = self._rates[name]
        if isinstance(rate, BySegment):
            rows = self.rows_by(())
            segments = rows.histories.attributes[rate.by]
            first = ~segments.duplicated().to_numpy()
            rates = np.asarray(rows.rates[name])[first]
            return self._attribute(table, name, rate.by).cases(*zip(segments[first], rates.tolist(), strict=True))
        if not isinstance(rate, ByColumn):
            return rate
        return (self._numbers(table, name, rate.column) * rate.factor).clip(upper=self.assumptions.bounds[name].high)

    def _numbers(self, table: Expression, name: str, column: str) -> EngineColumn:
        values = self._attribute(table, name, column)
        if not (values.type().is_numeric() or values.type().is_boolean()):
            raise AssumptionError(f"{name}: the column {column!r} does not hold numbers")
        return values.cast("float64")

    def _attribute(self, table: Expression, name: str, column: str) -> EngineColumn:
        try:
            return attribute_column(self.customers, table, column)
        except DataError as error:
            raise AssumptionError(f"{name}: {error}") from error

    def _require_ranges(self, rates: Mapping[str, ByColumn]) -> None:
        """Refuse columns of rates that are missing or out of range for some customers."""
        if not rates:
            return
        columns = {name: rate.column for name, rate in rates.items()}
        rows, wrong, bounds = self.customers.rows, {}, self.assumptions.bounds
        for name, column in columns.items():
            values, (low, high, *_) = self._numbers(rows, name, column), bounds[name]
            wrong[f"wrong {name}"] = rows.count(where=~((values >= low) & (values <= high)).fill_null(False))
            wrong[f"largest {name}"] = values.max()
        counts = self.customers.engine.run(rows.aggregate(**wrong)).to_pylist()[0]
        for name, column in columns.items():
            if counts[f"wrong {name}"]:
                raise AssumptionError(
                    f"{name}: the column {column!r} is missing or outside of {bounds[name].low:g} to "
                    f"{bounds[name].high:g} for {counts[f'wrong {name}']:,} customers"
                )
            require_column(name, rates[name], counts[f"largest {name}"] or 0.0, bounds[name].high)


def _mean(name: str) -> str:
    """Return the name of the attribute of rows that holds a mean rate."""
    return f"mean {name}"
