"""Customer equity of customers whose histories stay in an engine.

Value is linear in the value of an order, and that is linear in a customer's mean spend: a valuation of the cells of
customers with the same history, each with its mean spend, gives every sum over customers. Customer by customer, value
is an expression on the histories and a small table of what is expected of each distinct history.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.arithmetic import steady_sum
from clvmodels.data.columns import count
from clvmodels.data.engine import EngineColumn, EngineTable
from clvmodels.data.lazy import LazyHistories, WeightedHistories, attribute_column, write_parquet
from clvmodels.errors import AssumptionError, DataError
from clvmodels.inference.predictions import linear_spend
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.valuation.assumptions import RATES, Assumptions
from clvmodels.valuation.book import DISCOUNTING, HORIZONS, Book, order_values, valued
from clvmodels.valuation.concentration import whole_customers
from clvmodels.valuation.discounting import calendar_years
from clvmodels.valuation.lines import COMMON, FORMULAS, OWN, DiscountedDrivers, Line, lines_of
from clvmodels.valuation.new_customer import FirstOrders, NewCustomer, new_customer
from clvmodels.valuation.rates import ByColumn, BySegment, Rate, require_column
from clvmodels.valuation.residual_expectations import ResidualExpectations
from clvmodels.valuation.uncertainty import Interval

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LazyBook"]

Array = NDArray[np.float64]

_OF_SALES: Final = {name for formula in FORMULAS for name in formula.factors.get("sales", ())}
"""The rates that are shares of sales: their means over customers weigh with the value of an order."""


@dataclass(frozen=True, eq=False, repr=False)
class LazyBook:
    """The valuation of customers in an engine: a `Book` whose customers are a table of the engine.

    Attributes
    ----------
    transactions, spend
        The fits it rests on.
    assumptions
        The assumptions.
    histories
        The customers.
    ahead
        What is expected of each distinct history.

    Examples
    --------
    >>> import clvmodels as clv
    >>> rfm = clv.rfm_summary(clv.datasets.path("cdnow.parquet"), value="amount", unit="week", resolution="day")
    >>> assumptions = clv.Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks")
    >>> book = clv.value(clv.BGNBD().fit(rfm), clv.GammaGamma().fit(rfm), rfm, assumptions)
    >>> book
    <Customer equity 1,122,340.63 of 23,570 customers: BG/NBD and Gamma-Gamma, 0.15 a year (continuous), for ever>
    >>> book.customers.columns
    ('customer_id', 'discounted_orders', 'discounted_lifetime', 'order_value', 'contribution_margin', 'rlv')
    """

    transactions: TransactionFit
    spend: SpendFit
    assumptions: Assumptions
    histories: LazyHistories
    ahead: ResidualExpectations

    # ------------------------------------------------------------------------------------------------ sums

    @cached_property
    def cells(self) -> Book:
        """The valuation of cells of customers with the same history: all sums over customers are its sums."""
        return self.cells_by(())

    def cells_by(self, by: Sequence[str], order_value: str | None = None, *, by_head: bool = False) -> Book:
        """Return the valuation of cells of customers who also have the same values of some attributes.

        Parameters
        ----------
        by
            Names of attributes of the histories.
        order_value
            The attribute that holds Z of each customer; None: what the fit of spend says.
        by_head
            Average rates by column over customers, also those that are shares of sales, and so weigh with Z.

        Examples
        --------
        >>> import ibis
        >>> import pyarrow as pa
        >>> import clvmodels as clv
        >>> log = {"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-15", "2024-01-08"]}
        >>> log |= {"amount": [20.0, 30.0, 50.0], "segment": ["a", "a", "b"]}
        >>> table = ibis.memtable(pa.table(log))
        >>> rfm = clv.rfm_summary(table, value="amount", resolution="day", attributes=["segment"])
        >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> book = clv.value(transactions, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
        >>> book.cells_by(["segment"]).equity == book.equity
        True
        """
        segments = [rate.by for rate in self._rates.values() if isinstance(rate, BySegment)]
        means = self._by_column
        columns = list(dict.fromkeys([*by, *segments]))
        plain = order_value is None and not means
        counted = self.histories.cells(columns) if plain else self._with_means(columns, means, order_value, by_head)
        stated = None if order_value is None else counted.histories.attributes[_mean(order_value)].to_numpy(np.float64)
        return Book(
            self.transactions,
            self.spend,
            self.assumptions.replace({name: ByColumn(_mean(name)) for name in means}),
            counted.histories,
            order_values(self.spend, counted.histories) if stated is None else stated,
            replace(self.ahead, index=counted.place),
            counted.weight,
        )

    def _with_means(
        self, by: Sequence[str], rates: Mapping[str, ByColumn], order_value: str | None, by_head: bool
    ) -> WeightedHistories:
        if order_value is None:
            table = self._valued
            Z = self._order_value(table)
        else:
            table = self.histories.rows
            Z = attribute_column(self.histories, table, order_value).cast("float64")
        means: dict[str, tuple[Any, Any]] = {
            _mean(name): (self.rate_of(table, name), Z if name in _OF_SALES and not by_head else 1.0) for name in rates
        }
        means |= {} if order_value is None else {_mean(order_value): (Z, 1.0)}
        return self.histories.cells_of(table, by, means)

    @property
    def equity(self) -> float:
        """Static customer equity: the sum of the residual lifetime values of the customers on the books."""
        return self.cells.equity

    @property
    def lines(self) -> tuple[Line, ...]:
        """The benefits and costs."""
        return self.cells.lines

    @property
    def statement_lines(self) -> pd.DataFrame:
        """By line, as `Book.statement_lines`."""
        self._require_sure_rates()
        return self.cells.statement_lines

    @property
    def horizons(self) -> pd.DataFrame:
        """By number of years: equity within them, and its share of the whole."""
        return self.cells.horizons

    @property
    def new_customer(self) -> NewCustomer:
        """The value of a customer just acquired, under the same fits and assumptions."""
        return new_customer(self.cells_by((), by_head=True), self._first_orders)

    @property
    def _first_orders(self) -> FirstOrders:
        """What the first orders of the customers were worth, as far as it is known."""
        rows, engine = self.histories.rows, self.histories.engine
        if "first_value" not in rows.columns:
            return FirstOrders(0, float("nan"))
        value = rows.first_value
        known = engine.run(rows.aggregate(number=value.count(), size=value.abs().sum())).to_pylist()[0]
        if not known["number"]:
            return FirstOrders(0, float("nan"))
        total = rows.aggregate(total=steady_sum(value, size=known["size"], rows=len(self.histories)))
        return FirstOrders(known["number"], engine.run(total)["total"][0].as_py() / known["number"])

    @property
    def has_draws(self) -> bool:
        """Whether one of the fits has draws of its parameters."""
        return self.cells.has_draws

    def statement(self, by: str | None = None, *, intervals: bool = True) -> pd.DataFrame:
        """Return the customer-equity statement by an attribute of the histories, as `Book.statement`.

        Raises
        ------
        DataError
            If the histories have no such attribute, or it is missing for some customers.
        AssumptionError
            If intervals are shown, and a rate by column is not sure itself.

        Examples
        --------
        >>> import ibis
        >>> import pyarrow as pa
        >>> import clvmodels as clv
        >>> log = {"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-15", "2024-01-08"]}
        >>> log |= {"amount": [20.0, 30.0, 50.0], "segment": ["a", "a", "b"]}
        >>> table = ibis.memtable(pa.table(log))
        >>> rfm = clv.rfm_summary(table, value="amount", resolution="day", attributes=["segment"])
        >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> book = clv.value(transactions, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
        >>> book.statement("segment")[["customers", "equity"]].round(2)
                 customers  equity
        segment
        a              1.0   80.91
        b              1.0   35.07
        total          2.0  115.99
        """
        if intervals:
            self._require_sure_rates()
        if by is None:
            return self.cells.statement(intervals=intervals)
        book = self.cells_by((by,))
        missing = book.summed(np.asarray(book.histories.attributes[by].isna(), np.float64))
        if missing:  # the ids of cells are not those of customers
            raise DataError(f"{by} is not known of {count(int(missing), 'customer')}")
        return book.statement(by, intervals=intervals)

    def interval(self, probability: float = 0.9) -> Interval:
        """Return where customer equity lies with a probability, given the draws of the fits; see `Book.interval`.

        Raises
        ------
        FitError
            If neither fit has draws.
        AssumptionError
            If `probability` is not between 0 and 1, or a rate by column is not sure itself.

        Examples
        --------
        >>> import ibis
        >>> import pyarrow as pa
        >>> import clvmodels as clv
        >>> log = {"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-15", "2024-01-08"]}
        >>> log |= {"amount": [20.0, 30.0, 50.0], "segment": ["a", "a", "b"]}
        >>> table = ibis.memtable(pa.table(log))
        >>> rfm = clv.rfm_summary(table, value="amount", resolution="day", attributes=["segment"])
        >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> book = clv.value(transactions, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
        >>> draws = {"r": np.array([[0.23, 0.24, 0.25]]), "alpha": 4.414, "a": .793, "b": 2.426}
        >>> drawn = clv.value(clv.BGNBD().from_params(draws, unit="week"), spend, rfm, book.assumptions)
        >>> drawn.interval(0.9).draws
        3
        """
        self._require_sure_rates()
        return self.cells.interval(probability)

    def draws(self) -> Array:
        """Return customer equity under each draw of the parameters, shape (draws,); see `Book.draws`.

        Examples
        --------
        >>> import ibis
        >>> import pyarrow as pa
        >>> import clvmodels as clv
        >>> log = {"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-15", "2024-01-08"]}
        >>> log |= {"amount": [20.0, 30.0, 50.0], "segment": ["a", "a", "b"]}
        >>> table = ibis.memtable(pa.table(log))
        >>> rfm = clv.rfm_summary(table, value="amount", resolution="day", attributes=["segment"])
        >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> book = clv.value(transactions, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
        >>> draws = {"r": np.array([[0.23, 0.24, 0.25]]), "alpha": 4.414, "a": .793, "b": 2.426}
        >>> clv.value(clv.BGNBD().from_params(draws, unit="week"), spend, rfm, book.assumptions).draws().round(1)
        array([114. , 115.5, 117.1])
        """
        self._require_sure_rates()
        return self.cells.draws()

    def bought_once(self) -> tuple[int, float]:
        """Return how many customers bought once only, and what they are worth together.

        Examples
        --------
        >>> import ibis
        >>> import pyarrow as pa
        >>> import clvmodels as clv
        >>> log = {"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-15", "2024-01-08"]}
        >>> log |= {"amount": [20.0, 30.0, 50.0], "segment": ["a", "a", "b"]}
        >>> table = ibis.memtable(pa.table(log))
        >>> rfm = clv.rfm_summary(table, value="amount", resolution="day", attributes=["segment"])
        >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> book = clv.value(transactions, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
        >>> book.bought_once()[0]
        1
        """
        return self.cells.bought_once()

    def unprofitable(self) -> tuple[int, float]:
        """Return how many customers have an expected residual value below zero, and what they are worth together.

        Examples
        --------
        >>> import ibis
        >>> import pyarrow as pa
        >>> import clvmodels as clv
        >>> log = {"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-15", "2024-01-08"]}
        >>> log |= {"amount": [20.0, 30.0, 50.0], "segment": ["a", "a", "b"]}
        >>> table = ibis.memtable(pa.table(log))
        >>> rfm = clv.rfm_summary(table, value="amount", resolution="day", attributes=["segment"])
        >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> book = clv.value(transactions, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
        >>> book.unprofitable()
        (0, 0.0)
        """
        if all(np.all(rate >= 0.0) for line in self.lines for rate in line.rates.values()):
            return 0, 0.0
        rlv = self._customers.rlv
        loss = (rlv < 0.0).ifelse(rlv, 0.0)
        table, run = self._customers, self.histories.engine.run
        found = run(table.aggregate(number=table.count(where=rlv < 0.0), size=loss.abs().sum())).to_pylist()[0]
        total = steady_sum(loss, size=found["size"] or 0.0, rows=len(self.histories))
        return int(found["number"]), float(run(table.aggregate(total=total))["total"][0].as_py())

    def most_valuable(self, share: float) -> tuple[int, float]:
        """Return how many customers the most valuable share of them is, and what they are worth together.

        Examples
        --------
        >>> import ibis
        >>> import pyarrow as pa
        >>> import clvmodels as clv
        >>> log = {"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-15", "2024-01-08"]}
        >>> log |= {"amount": [20.0, 30.0, 50.0], "segment": ["a", "a", "b"]}
        >>> table = ibis.memtable(pa.table(log))
        >>> rfm = clv.rfm_summary(table, value="amount", resolution="day", attributes=["segment"])
        >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> book = clv.value(transactions, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
        >>> number, equity = book.most_valuable(0.2)
        >>> number, round(equity, 2)
        (1, 80.91)
        """
        number = whole_customers(share, len(self.histories))
        rlv, cells = self._customers.select("rlv"), self.cells
        highest = rlv.order_by(rlv.rlv.desc()).limit(number)
        # no line but the tax has two signs within a cell, and the tax makes values smaller
        size = sum(cells.summed(np.abs(line.value(cells.future))) for line in cells.lines)
        total = highest.aggregate(equity=steady_sum(highest.rlv, size=size, rows=number))
        found = self.histories.engine.run(total)
        return number, float(found["equity"][0].as_py())

    # ------------------------------------------------------------------------------------- customer by customer

    @cached_property
    def customers(self) -> EngineTable:
        """By customer_id, as a table of the engine that is not yet computed: the columns of `Book.customers`.

        ``discounted_orders`` (D), ``discounted_lifetime`` (L, years), ``order_value`` (Z), each line, ``rlv``. All at
        the point estimates; intervals by customer need histories in memory. An Ibis table: ``.to_parquet``,
        ``.to_pandas`` or ``backend.create_table(name, book.customers)`` write it or fetch it.
        """
        return self.histories.engine.public(self._customers)

    def write_customers(self, path: str | Path) -> None:
        """Write `customers` to a Parquet file, whole or not at all; engines of a cluster write a folder of files.

        Examples
        --------
        >>> import ibis
        >>> import pyarrow as pa
        >>> import clvmodels as clv
        >>> log = {"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-15", "2024-01-08"]}
        >>> log |= {"amount": [20.0, 30.0, 50.0], "segment": ["a", "a", "b"]}
        >>> table = ibis.memtable(pa.table(log))
        >>> rfm = clv.rfm_summary(table, value="amount", resolution="day", attributes=["segment"])
        >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> book = clv.value(transactions, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     book.write_customers(Path(folder) / "customers.parquet")
        ...     [file.name for file in Path(folder).iterdir()]
        ['customers.parquet']
        """
        write_parquet(self.histories.engine, self._customers, path)

    def collect(self) -> Book:
        """Return the valuation with histories in memory, and all that `Book` can.

        Examples
        --------
        >>> import ibis
        >>> import pyarrow as pa
        >>> import clvmodels as clv
        >>> log = {"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-15", "2024-01-08"]}
        >>> log |= {"amount": [20.0, 30.0, 50.0], "segment": ["a", "a", "b"]}
        >>> table = ibis.memtable(pa.table(log))
        >>> rfm = clv.rfm_summary(table, value="amount", resolution="day", attributes=["segment"])
        >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> book = clv.value(transactions, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
        >>> type(book.collect()).__name__
        'Book'
        """
        return valued(self.transactions, self.spend, self.histories.collect(), self.assumptions)

    def with_assumptions(self, assumptions: Assumptions) -> LazyBook:
        """Return the valuation of the same customers and fits under other assumptions; nothing is fitted again.

        Examples
        --------
        >>> import ibis
        >>> import pyarrow as pa
        >>> import clvmodels as clv
        >>> log = {"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-15", "2024-01-08"]}
        >>> log |= {"amount": [20.0, 30.0, 50.0], "segment": ["a", "a", "b"]}
        >>> table = ibis.memtable(pa.table(log))
        >>> rfm = clv.rfm_summary(table, value="amount", resolution="day", attributes=["segment"])
        >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> book = clv.value(transactions, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
        >>> round(book.with_assumptions(book.assumptions.replace({"margin": 0.15})).equity / book.equity, 9)
        0.5
        """
        if any(getattr(assumptions, name) != getattr(self.assumptions, name) for name in DISCOUNTING):
            return valued(self.transactions, self.spend, self.histories, assumptions)
        return replace(self, assumptions=assumptions)

    @cached_property
    def _customers(self) -> EngineTable:
        table = self._valued
        future = DiscountedDrivers(
            table.D,
            table.L,
            self._order_value(table),
            table.G if self.assumptions.growth else table.D,
            calendar_years(self.assumptions, self.transactions.unit),
        )
        names = {line.name for line in self.lines}
        rates = {name: self.rate_of(table, name) for name in self._rates}
        worth = {
            line.name: line.formula(future) for line in lines_of(rates, self.assumptions.tax) if line.name in names
        }
        return table.select(
            customer_id=table.id,
            discounted_orders=future.D,
            discounted_lifetime=future.L,
            order_value=future.Z,
            **worth,
            rlv=reduce(add, worth.values()),
        )

    @cached_property
    def _valued(self) -> EngineTable:
        """The histories with D, L, G, and what Z follows from."""
        some, last = self.ahead, len(HORIZONS)
        intercept, slope = self._linear[1]
        columns = {
            "D": some.purchases[:, last],
            "L": some.living[:, last] / self.assumptions.year_in(self.transactions.unit),
        }
        columns |= {"G": some.purchases[:, -1]} if self.assumptions.growth else {}
        return self.histories.evaluated(columns | {"intercept": intercept, "slope": slope})

    @cached_property
    def _linear(self) -> tuple[float, Array]:
        return linear_spend(self.spend.model, self.spend.estimate[None], self.histories.distinct.rows[:, 0])

    @property
    def with_order_value(self) -> EngineTable:
        """The rows of the histories, and ``order_value``, Z of each customer."""
        table = self._valued
        return table.mutate(order_value=self._order_value(table))

    def _order_value(self, table: EngineTable) -> EngineColumn:
        line = table.intercept + table.slope * table.spend
        return self.histories.known(table).ifelse(line, self._linear[0])

    # ------------------------------------------------------------------------------------------------ rates

    @cached_property
    def _rates(self) -> dict[str, Rate]:
        """The rates of the assumptions, by name: an engine can sum them, and those by column are in their range."""
        rates: dict[str, Rate] = {name: getattr(self.assumptions, name) for name in RATES}
        for formula in FORMULAS:
            for names in formula.factors.values():
                varying = [name for name in names if isinstance(rates[name], ByColumn)]
                if len(varying) > 1:
                    raise AssumptionError(
                        f"{' and '.join(varying)} are both stated by column, and their product is a rate of "
                        f"{formula.name!r}: an engine cannot sum it by history; write rfm.collect()"
                    )
        self._require_ranges({name: rate.column for name, rate in rates.items() if isinstance(rate, ByColumn)})
        return rates

    @property
    def _by_column(self) -> dict[str, ByColumn]:
        return {name: rate for name, rate in self._rates.items() if isinstance(rate, ByColumn)}

    def rate_of(self, table: EngineTable, name: str) -> Any:  # noqa: ANN401 - a number or a column
        """Return a rate by its name: a number, or an expression by customer on a table of the histories.

        Examples
        --------
        >>> import ibis
        >>> import pyarrow as pa
        >>> import clvmodels as clv
        >>> log = {"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-15", "2024-01-08"]}
        >>> log |= {"amount": [20.0, 30.0, 50.0], "segment": ["a", "a", "b"]}
        >>> table = ibis.memtable(pa.table(log))
        >>> rfm = clv.rfm_summary(table, value="amount", resolution="day", attributes=["segment"])
        >>> transactions = clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        >>> spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> book = clv.value(transactions, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
        >>> book.rate_of(rfm.rows, "margin")
        0.3
        """
        rate = self._rates[name]
        if isinstance(rate, BySegment):
            seen = self.cells.histories.attributes[rate.by].drop_duplicates()
            rates = np.asarray(self.cells.rates[name])[seen.index]
            return self._attribute(table, name, rate.by).cases(*zip(seen.to_list(), rates.tolist(), strict=True))
        if not isinstance(rate, ByColumn):
            return rate
        return (self._numbers(table, name, rate.column) * rate.factor).clip(upper=RATES[name].high)

    def _numbers(self, table: EngineTable, name: str, column: str) -> EngineColumn:
        values = self._attribute(table, name, column)
        if not (values.type().is_numeric() or values.type().is_boolean()):
            raise AssumptionError(f"{name}: the column {column!r} does not hold numbers")
        return values.cast("float64")

    def _attribute(self, table: EngineTable, name: str, column: str) -> EngineColumn:
        try:
            return attribute_column(self.histories, table, column)
        except DataError as error:
            raise AssumptionError(f"{name}: {error}") from error

    def _require_ranges(self, columns: Mapping[str, str]) -> None:
        """Refuse columns of rates that are missing or out of range for some customers."""
        if not columns:
            return
        rows, wrong = self.histories.rows, {}
        for name, column in columns.items():
            values, bounds = self._numbers(rows, name, column), RATES[name]
            wrong[name] = rows.count(where=~((values >= bounds.low) & (values <= bounds.high)).fill_null(False))
            wrong[f"largest {name}"] = values.max()
        found = self.histories.engine.run(rows.aggregate(**wrong)).to_pylist()[0]
        for name, column in columns.items():
            if found[name]:
                raise AssumptionError(
                    f"{name}: the column {column!r} is missing or outside of {RATES[name].low:g} to "
                    f"{RATES[name].high:g} for {found[name]:,} customers"
                )
            require_column(name, getattr(self.assumptions, name), found[f"largest {name}"] or 0.0, RATES[name].high)

    def _require_sure_rates(self) -> None:
        unsure = [
            rate.column
            for rate in self._by_column.values()
            if not {rate.column + OWN, rate.column + COMMON}.isdisjoint(self.histories.names)
        ]
        if unsure and self.has_draws:
            raise AssumptionError(
                f"draws of the rates in {unsure[0]!r} need histories in memory: write book.collect(), or ask for no "
                "intervals"
            )

    def __getattr__(self, name: str) -> NoReturn:
        """Say how to come by what a valuation in memory has."""
        if not name.startswith("_") and name in {*dir(Book), *Book.__dataclass_fields__}:
            raise AttributeError(
                f"the customers of this valuation stay in their engine, and {name!r} needs them in memory; "
                f"write book.collect().{name}, or give book.collect() to the function that asks for it"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        return repr(self.cells)


def _mean(name: str) -> str:
    """Return the name of the attribute of cells that holds a mean rate."""
    return f"mean {name}"
