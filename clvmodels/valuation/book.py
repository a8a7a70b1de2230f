"""Customer equity: the value of the customers on the books, by customer, by line and by horizon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from clvmodels.arguments import abridged, require_flag
from clvmodels.data.engine_table import EngineTable
from clvmodels.data.frames import write_frame
from clvmodels.data.histories import Histories
from clvmodels.data.required import require_histories
from clvmodels.data.statistics import SPEND
from clvmodels.errors import AssumptionError, FitError
from clvmodels.inference.model_average import ModelAverage, Transactions, average
from clvmodels.inference.redrawn import spend_with_draws, transactions_with_draws
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.pictures import picture
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.cash_flow import CashFlows
from clvmodels.valuation.customer_values import CustomerValues
from clvmodels.valuation.customers import Customers, MemoryCustomers
from clvmodels.valuation.discounting import discounts_alike, kinds_of
from clvmodels.valuation.drawn_values import DrawnValues
from clvmodels.valuation.engine_customers import EngineCustomers
from clvmodels.valuation.finite import require_end, require_finite_drivers
from clvmodels.valuation.group_values import GroupValues
from clvmodels.valuation.new_customer import NewCustomer, new_customer
from clvmodels.valuation.payments import with_payments
from clvmodels.valuation.residual_expectations import ResidualExpectations, ahead
from clvmodels.valuation.statement import by_line, statement
from clvmodels.valuation.support import Support, support_of
from clvmodels.valuation.unknown_spend import warn_of_unknown_spend
from clvmodels.valuation.valued_rows import HORIZONS, SPANS, ValuedRows, observed_years

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.engine import EngineTable as Expression
    from clvmodels.style import Axes, Drawn

__all__ = ["HORIZONS", "Book", "value", "valued"]

Array = NDArray[np.float64]

EACH_UP_TO: Final = 10_000
"""Customers of an engine; of so many, what each will do is drawn from their own history."""


@dataclass(frozen=True, eq=False, repr=False)
class Book(CustomerValues, DrawnValues, GroupValues, CashFlows):
    """The valuation of the customers on the books, wherever they lie.

    Sums over customers are computed on rows of customers with the same history. What is known of each customer needs
    them in memory: the customers of an engine are fetched when it is asked for, up to 1 GB; `write_customers` and
    `customers_table` need no memory.

    Attributes
    ----------
    transactions, spend
        The fits it rests on.
    assumptions
        The assumptions.
    histories
        The customers.
    expectations
        What customers are expected to do within each of `HORIZONS`, once and twice the longest time observed, and the
        horizon of the assumptions, discounted; where values grow, then also with that growth.
    """

    transactions: Transactions
    spend: SpendFit
    assumptions: Assumptions
    histories: Histories
    expectations: ResidualExpectations

    # ------------------------------------------------------------------------------------------------------- rows

    @cached_property
    def backend(self) -> Customers:
        """The customers in the place where they lie."""
        fits = self.transactions, self.spend, self.assumptions
        if self.histories.in_memory:
            return MemoryCustomers(*fits, self.histories, self.expectations)
        table = cast("EngineTable", self.histories.backend)
        return EngineCustomers(*fits, self.histories, table, self.expectations)

    @cached_property
    def rows(self) -> ValuedRows:
        """The valuation of rows that stand for all customers: all sums over customers are its sums."""
        return self.backend.rows_by(())

    @property
    def each(self) -> ValuedRows:
        """The valuation of each customer, in memory."""
        return self.backend.each

    @cached_property
    def by_head(self) -> ValuedRows:
        """The valuation of rows whose rates are means over customers, as those of a new customer are."""
        return self.backend.rows_by((), by_head=True)

    def _drawn(self) -> ValuedRows:
        """Return the rows that draws are made of, under draws of the posterior where there are any to be had."""
        return _rows_with_draws(self.redrawn)

    @property
    def redrawn(self) -> Book:
        """The same valuation under draws of the posterior, where the fits are point estimates from its histories."""
        return self._posterior or self

    @cached_property
    def _posterior(self) -> Book | None:
        """The valuation under draws of the posterior; None where there are draws already, or none to be had.

        A book that held itself would keep the tables of an engine until the next collection of garbage.
        """
        if self.has_draws:
            return None
        transactions = transactions_with_draws(self.transactions, self.histories)
        spend = spend_with_draws(self.spend, self.histories)
        if transactions is self.transactions and spend is self.spend:
            return None
        return valued(transactions, spend, self.histories, self.assumptions)

    @property
    def by_model(self) -> tuple[Book, ...]:
        """The valuation under each of its models alone, that with the largest weight first.

        Examples
        --------
        >>> len(book.by_model)
        1
        """
        alone = self.expectations.by_model
        if not alone:
            return (self,)
        return tuple(
            replace(self, transactions=fit, expectations=expectations)
            for fit, expectations in zip(self.transactions.fits, alone, strict=True)
        )

    def with_assumptions(self, assumptions: Assumptions) -> Book:
        """Return the valuation of the same customers and fits under other assumptions; nothing is fitted again.

        Examples
        --------
        >>> round(book.with_assumptions(book.assumptions.replace({"margin": 0.15})).equity / book.equity, 9)
        0.5
        """
        _require_assumptions(assumptions)
        if not discounts_alike(assumptions, self.assumptions):
            return valued(self.transactions, self.spend, self.histories, assumptions, self.expectations)
        return replace(self, assumptions=assumptions)

    def collect(self) -> Book:
        """Return the valuation with histories in memory.

        Examples
        --------
        >>> import clvmodels as clv
        >>> rfm = clv.rfm_summary(clv.datasets.path("cdnow.parquet"), value="amount", unit="week", resolution="day")
        >>> assumptions = clv.Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks")
        >>> book = clv.value(clv.BGNBD().fit(rfm), clv.GammaGamma().fit(rfm), rfm, assumptions)
        >>> book.collect().histories.in_memory
        True
        """
        if self.histories.in_memory:
            return self
        return valued(self.transactions, self.spend, self.histories.collect(), self.assumptions)

    # ------------------------------------------------------------------------------------------------------- sums

    @property
    def equity(self) -> float:
        """Static customer equity: the sum of the residual lifetime values of the customers on the books.

        Raises
        ------
        AssumptionError
            If it is no finite number.
        """
        return self.rows.equity

    @property
    def has_draws(self) -> bool:
        """Whether one of the fits has draws of its parameters."""
        return max(self.transactions.number_of_draws, self.spend.number_of_draws) > 1

    @cached_property
    def support(self) -> Support:
        """How far the data carry customer equity: what lies within the time observed, what beyond, and the verdict.

        Where the fits are point estimates made from these histories, the posterior is drawn first.

        Examples
        --------
        >>> print(book.support)  # of three customers, who may do anything
        Not supported: the 90 % interval of the whole reaches from ... to ...; 49 of 207 within the 39 weeks observed.
        """
        return support_of(self._drawn(), self.covers)

    @cached_property
    def new_customer(self) -> NewCustomer:
        """The value of a customer just acquired, under the same fits and assumptions."""
        return new_customer(self.by_head, self.backend.first_orders)

    @cached_property
    def statement_lines(self) -> pd.DataFrame:
        """By line: group, driver, amount of the driver, rate, present value, share of equity.

        Amount and rate are missing where a line rests on several drivers; where rates differ from customer to
        customer, `rate` is the mean that gives the value. Where the fits have draws, also low and high: between them
        the value lies with probability 0.9.
        """
        return by_line(_rows_with_draws(self) if self.has_draws else self.rows)

    def statement(self, by: str | pd.Series[Any] | None = None, *, intervals: bool = True) -> pd.DataFrame:
        """Return the customer-equity statement: customers, drivers, lines and equity, by segment and in total.

        Parameters
        ----------
        by
            A column of the customers, such as a segment, a cohort or a channel; or a Series by customer id. None: the
            total alone.
        intervals
            Where the fits have draws, show between which ends the equity of each segment lies.

        Returns
        -------
        DataFrame
            By segment, the total in the last row: customers, living_customers (expected), discounted_orders,
            living_years, each line, equity, per_customer, low and high (where the fits have draws: between them the
            equity lies with probability 0.9), share_1 to share_10 (of equity, within so many years), and, if
            acquisition cost is stated, acquisition_cost and rlv_to_acquisition_cost_spent.

        Raises
        ------
        DataError
            If `by` is not known of every customer; or it is a Series, and the customers of an engine do not fit into
            memory.

        Examples
        --------
        >>> book.statement(by="segment")[["customers", "equity", "per_customer", "share_1"]].round(2)
                 customers  equity  per_customer  share_1
        segment
        shop           1.0   37.88         37.88     0.28
        web            2.0  168.86         84.43     0.30
        total          3.0  206.74         68.91     0.30
        """
        intervals = require_flag("intervals", intervals, FitError) and self.has_draws
        if by is not None and not isinstance(by, str):
            return statement(self.each, by, intervals=intervals)
        columns = () if by is None else (by,)
        rows = _rows_with_draws(self, columns) if intervals else self.backend.rows_by(columns)
        return statement(rows, by, intervals=intervals)

    # ------------------------------------------------------------------------------------------------ by customer

    @property
    def customers_table(self) -> Expression:
        """The table of customers as an Ibis table of their engine, not yet computed: `customers` without intervals."""
        return self.backend.table

    def write_customers(self, path: str | Path) -> None:
        """Write `customers` to a Parquet file, whole or not at all; engines of a cluster write a folder of files.

        Of customers who do not fit into memory, what is known at the point estimates is written, without intervals.

        Examples
        --------
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     book.write_customers(Path(folder) / "customers.parquet")
        ...     [file.name for file in Path(folder).iterdir()]
        ['customers.parquet']
        """
        if self.has_draws and self.histories.backend.has_room:
            write_frame(self.customers, path)
        else:
            self.backend.write(path)

    def plot(self, *, ax: Axes | None = None, return_data: bool = False) -> Drawn:
        """Draw the share of equity over customers, the most valuable first: ``clv.plots.whale``.

        Examples
        --------
        >>> book.plot().get_title("left")
        'Where customer equity is made'
        """
        return picture("whale")(self, ax=ax, return_data=return_data)

    def __repr__(self) -> str:
        assumptions = self.assumptions
        return (
            f"<Customer equity {self.equity:,.2f}{' ' * bool(assumptions.currency)}{assumptions.currency} of "
            f"{self.histories.customers:,} customers: "
            f"{self.transactions.name} and {self.spend.model.name}, "
            f"{', '.join(f'{rate:.4g}' for rate in assumptions.discount_rates)} a year "
            f"({assumptions.timing}), {assumptions.horizon or 'no horizon'}>"
        )


def _rows_with_draws(book: Book, by: Sequence[str] = ()) -> ValuedRows:
    """Return rows of which draws are right: those of each customer, where their own rates are not sure.

    What customers will do is simulated of each of them, too, unless there are so many that a sample is simulated: then
    the few of an engine with the same history have the same mean spend.
    """
    each = not book.histories.in_memory and book.histories.customers <= EACH_UP_TO
    if (each and book.histories.backend.has_room) or not book.backend.rates_are_sure:
        return book.each
    return book.backend.rows_by(by)


def value(
    transactions: TransactionFit | Sequence[TransactionFit] | ModelAverage,
    spend: SpendFit | float | str,
    histories: Histories,
    assumptions: Assumptions,
) -> Book:
    """Value the customers on the books.

    Parameters
    ----------
    transactions
        A fitted model of transactions; or fits of several models to these histories, which are then averaged: of fewer
        than 5,000 customers by what they predict of customers left out, of more by stacking, of point estimates by AIC.
    spend
        A fitted model of the value of orders; or, where it is known, as of contracts, the payment itself: one number
        for everybody, or the name of the attribute of the histories in which each customer's stands.
    histories
        The customers, in the unit of `transactions`.
    assumptions
        The assumptions.

    Returns
    -------
    Book
        Customer equity, by customer, by line and by horizon.

    Raises
    ------
    FitError
        If `transactions` or `spend` is not what its name says, or its parameters are too extreme for finite numbers.
    UnitError
        If the histories are not in the unit of `transactions`.
    AssumptionError
        If the value would be infinite: without a horizon, no discount rate above the growth of order values.
    DataError
        If a mean order value is too large to be multiplied, or a payment is not known.

    Warns
    -----
    DataWarning
        If the mean spend of a tenth of the customers with repeat purchases, or of more, is not known: each of them
        gets the mean of the population.

    Notes
    -----
    RLV is the sum of the lines (`clvmodels.valuation.lines`), each rates times drivers, with D, L and Z at the fits'
    point estimates or, where they have draws, on average over these. Source: Fader, Hardie & Lee (2005), JMR 42(4);
    Wiesel, Skiera & Villanueva (2008), Journal of Marketing 72(2), for the lines.

    Examples
    --------
    >>> import clvmodels as clv
    >>> log = clv.datasets.load_cdnow(sample=True)
    >>> rfm = clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end="1998-06-30")
    >>> assumptions = clv.Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks")
    >>> book = clv.value(clv.ParetoNBD().fit(rfm), clv.GammaGamma().fit(rfm), rfm, assumptions)
    >>> round(book.equity, -2)
    104200.0
    """
    require_histories(histories)
    if isinstance(transactions, list | tuple):
        transactions = average(transactions, histories)
    if isinstance(spend, int | float | str) and not isinstance(spend, bool):
        spend, histories = with_payments(spend, histories)
    given: tuple[object, object] = (transactions, spend)
    if not (isinstance(given[0], TransactionFit | ModelAverage) and isinstance(given[1], SpendFit)):
        raise FitError(
            "value(transactions, spend, rfm, assumptions) takes a fit of transactions first and a fit of spend second,"
            " or a payment in its place"
        )
    assert isinstance(transactions, TransactionFit | ModelAverage)
    assert isinstance(spend, SpendFit)
    _require_assumptions(assumptions)
    transactions.require_unit(histories)
    transactions = transactions.at_end_of(histories)
    book = valued(transactions, spend, histories, assumptions)
    warn_of_unknown_spend(spend, histories)
    return book


def valued(
    transactions: Transactions,
    spend: SpendFit,
    histories: Histories,
    assumptions: Assumptions,
    known: ResidualExpectations | None = None,
) -> Book:
    """Return what `value` does, without a warning that was given when these customers were valued before.

    What is known of the same customers under other assumptions saves work.
    """
    for fit in transactions.fits:
        require_end(fit, assumptions)
    kinds = kinds_of(assumptions)
    span = observed_years(transactions, histories, assumptions)
    horizons = (*HORIZONS, *(times * span for times in SPANS), None)
    weightings = [kind(assumptions, transactions.unit, years) for kind in kinds for years in horizons]
    by_row = transactions.columns_of_parameters or spend.columns_of_parameters  # of each customer's segment, covariates
    if by_row or spend.model.state != SPEND:  # an engine sums what is linear in the mean value
        histories = histories.collect()
    expectations = ahead(transactions, histories, weightings, assumptions.year_in(transactions.unit), known)
    require_finite_drivers(transactions.best, expectations)
    book = Book(transactions, spend, assumptions, histories, expectations)
    if histories.in_memory:
        book.equity  # noqa: B018 - refused here rather than at the first figure, where it is no finite number
    return book


def _require_assumptions(given: object) -> None:
    if not isinstance(given, Assumptions):
        raise AssumptionError(
            f"assumptions are wanted, such as clv.Assumptions(discount_rate=0.15, margin=0.30), got {abridged(given)}"
        )
