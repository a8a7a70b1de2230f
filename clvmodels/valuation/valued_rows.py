"""A valuation of rows of histories in memory: each a customer, or many customers with the same history.

Value is linear in the value of an order, and that is linear in a customer's mean spend: a valuation of customers with
the same history, with their mean spend and their number as weight, gives every sum over customers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.arguments import abridged, as_number, require_flag, require_seed
from clvmodels.data.histories import Histories
from clvmodels.errors import AssumptionError, FitError
from clvmodels.inference.model_average import Transactions
from clvmodels.inference.predictions import spend_line
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.spend_state import spend_state
from clvmodels.numerics.spend import known_spend
from clvmodels.numerics.threads import dot, map_blocks
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.discounting import calendar_years
from clvmodels.valuation.expectations import expected
from clvmodels.valuation.finite import require_amounts
from clvmodels.valuation.futures import simulated_futures
from clvmodels.valuation.lines import (
    COMMON,
    OWN,
    DiscountedDrivers,
    ValuedLine,
    lines_of,
    rates_of,
    spreads_of,
    that_count,
    total,
)
from clvmodels.valuation.process import with_process
from clvmodels.valuation.residual_expectations import ResidualExpectations
from clvmodels.valuation.uncertainty import Basis, Uncertainty

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HORIZONS", "SPANS", "WHOLE", "ValuedRows", "observed_years", "order_values"]

Array = NDArray[np.float64]

HORIZONS: Final = (1, 2, 3, 5, 10, 15, 20, 30)
"""Years within which the value is shown."""
SPANS: Final = (1, 2)
"""Within how many times the longest time that a customer was observed it is shown, too."""
WHOLE: Final = len(HORIZONS) + len(SPANS)
"""Where the horizon of the assumptions stands after these."""
LEAST_SPAN: Final = 1e-6
"""Years; of customers who have all just been acquired."""
NUMBERS_PER_BLOCK: Final = 1 << 18
"""Customers times draws evaluated at a time."""


@dataclass(frozen=True, eq=False)
class ValuedRows:
    """A valuation of rows of histories.

    Attributes
    ----------
    transactions, spend
        The fits it rests on.
    assumptions
        The assumptions.
    histories
        The rows, in memory; their weight says how many customers each stands for.
    order_value
        Z of each row, shape (rows,).
    expectations
        What is expected within each of `HORIZONS`, `SPANS` and the horizon of the assumptions, discounted; where values
        grow, then also with that growth.
    """

    transactions: Transactions
    spend: SpendFit
    assumptions: Assumptions
    histories: Histories
    order_value: Array
    expectations: ResidualExpectations
    _draws: dict[tuple[bool, int | None, bool], Uncertainty] = field(default_factory=dict, init=False)

    def taken(self, rows: NDArray[np.int64]) -> ValuedRows:
        """Return the valuation of some of the rows."""
        place = self.expectations.index[rows]
        return replace(
            self,
            histories=self.histories.taken(rows),
            order_value=self.order_value[rows],
            expectations=replace(self.expectations, place=place),
        )

    @property
    def weight(self) -> Array | None:
        """How many customers each row stands for, shape (rows,); None: one."""
        return self.histories.weight

    @cached_property
    def future(self) -> DiscountedDrivers:
        """D, L, Z, G and K of the customers."""
        return self._future(WHOLE, None)

    def _future(self, horizon: int, years: float | None) -> DiscountedDrivers:
        """Return the same within one of the horizons."""
        unit, assumptions = self.transactions.unit, self.assumptions
        grown = horizon - WHOLE - 1 if assumptions.growth else horizon  # counted from the last
        early = (horizon + WHOLE + 1, assumptions.force_of_learning(unit)) if assumptions.cost_half_life else None
        K = calendar_years(assumptions, unit, years)
        return self.expectations.drivers(horizon, grown, self.order_value, K, early)

    @cached_property
    def alive(self) -> Array:
        """P(alive) of the customers, shape (customers,)."""
        return self.expectations.alive[self.expectations.index]

    def rlv_within(self, years: int) -> Array:
        """Return the part of the residual lifetime value that comes within some years, shape (customers,).

        Raises
        ------
        AssumptionError
            If `years` is none of `HORIZONS`.
        """
        if as_number(years) not in HORIZONS:
            raise AssumptionError(f"value is known within {', '.join(map(str, HORIZONS))} years, got {abridged(years)}")
        years = int(years)
        return total(self.lines, self._future(HORIZONS.index(years), years))

    def rlv_within_spans(self, spans: int) -> Array:
        """Return the part that comes within so many times the longest time observed, shape (customers,).

        Raises
        ------
        AssumptionError
            If `spans` is none of `SPANS`.
        """
        if as_number(spans) not in SPANS:
            raise AssumptionError(f"value is known within {', '.join(map(str, SPANS))} spans, got {abridged(spans)}")
        return total(self.lines, self._future(len(HORIZONS) + SPANS.index(int(spans)), int(spans) * self.span))

    @cached_property
    def span(self) -> float:
        """The longest time that a customer was observed, in years."""
        return observed_years(self.transactions, self.histories, self.assumptions)

    @cached_property
    def lines(self) -> tuple[ValuedLine, ...]:
        """The benefits and costs."""
        return that_count(lines_of(self.assumptions, self.rates))

    @cached_property
    def rates(self) -> dict[str, float | Array]:
        """The rates of the assumptions, by name: one number, or shape (customers,)."""
        return rates_of(self.assumptions, self.histories)

    @property
    def has_draws(self) -> bool:
        """Whether one of the fits has draws of its parameters."""
        return max(self.transactions.number_of_draws, self.spend.number_of_draws) > 1

    @cached_property
    def rlv(self) -> Array:
        """Residual lifetime value by customer, shape (customers,)."""
        return total(self.lines, self.future)

    def summed(self, values: Array) -> float:
        """Return the sum over the customers of what is known by row, shape (rows,)."""
        return float(values.sum()) if self.weight is None else dot(self.weight, values)

    def drawn_by(self, group: NDArray[np.int64], *, process: bool, seed: int | None) -> Array:
        """Return the equity of groups of customers under each draw of the parameters, shape (groups, draws).

        Parameters
        ----------
        group
            The group of each customer, numbered from 0 up, shape (customers,).
        process, seed
            As of `uncertainty`.
        """
        self._require_draws(process=process, seed=seed)
        drawn = self._drawn_by(group, seed) if process else expected(self.basis, self.histories, group)
        self._draws.setdefault((process, seed if process else None, False), drawn)  # sums over all are the same
        return drawn.groups

    def _drawn_by(self, group: NDArray[np.int64], seed: int | None) -> Uncertainty:
        """Return draws with what customers will really do, by group."""
        D, Z = self.future.G, self.order_value
        spread = Z * np.sqrt(D * (1.0 + D))

        def whole() -> Uncertainty:
            if group.any():
                return expected(self.basis, self.histories, group)
            return self.uncertainty(process=False, seed=None)

        return with_process(self.basis, self.histories, group, seed, spread, whole)

    def drawn_lines(self) -> Array:
        """Return each line, summed over the customers, under each draw of the parameters; shape (lines, draws).

        Raises
        ------
        FitError
            If neither fit has draws.
        """
        return self.uncertainty(process=False, seed=None).lines

    @property
    def basis(self) -> Basis:
        """What its draws rest on."""
        names = tuple(line.name for line in self.lines)
        own, common = (spreads_of(self.assumptions, self.histories, ending) for ending in (OWN, COMMON))
        transactions = self.transactions.of_customers(self.histories)
        return Basis(transactions, self.spend, self.assumptions, names, self.rates, own, common, self.weight)

    def uncertainty(self, *, process: bool, seed: int | None, by_customer: bool = False) -> Uncertainty:
        """Return the draws of this valuation, computed when they are first asked for.

        Parameters
        ----------
        process, seed
            Whether to include what customers will really do, and the seed of its simulation.
        by_customer
            Whether the draws of each customer are summarised.
        """
        self._require_draws(process=process, seed=seed)
        key = (process, seed if process else None, by_customer)
        if key not in self._draws:
            self._draws[key] = self._uncertainty(process=process, seed=seed, by_customer=by_customer)
        return self._draws[key]

    def _uncertainty(self, *, process: bool, seed: int | None, by_customer: bool) -> Uncertainty:
        basis, histories = self.basis, self.histories
        if not process:
            return expected(basis, histories, by_customer=by_customer)
        if by_customer:
            return simulated_futures(basis, histories, seed)
        return self._drawn_by(np.zeros(len(histories), np.int64), seed)

    def _require_draws(self, *, process: bool, seed: int | None) -> None:
        require_seed(seed, FitError)
        if not (require_flag("process", process, FitError) or self.has_draws):
            raise FitError(
                "an interval without what customers will really do needs a fit with draws, and both fits are point "
                'estimates; fit with method="posterior", or leave out process=False'
            )

    @cached_property
    def acquisition_cost(self) -> Array:
        """Acquisition cost by customer, shape (customers,)."""
        return np.broadcast_to(self.rates["acquisition_cost"], len(self.histories))

    @cached_property
    def equity(self) -> float:
        """The sum of the residual lifetime values of all customers.

        Raises
        ------
        AssumptionError
            If it is no finite number.
        """
        equity = self.summed(self.rlv)
        if np.isfinite(equity):
            return equity
        sums = {line.name: self.summed(line.value(self.future)) for line in self.lines}
        wrong = [name for name, amount in sums.items() if not np.isfinite(amount)]
        raise AssumptionError(
            f"customer equity is no finite number: {', '.join(wrong) or 'the sum of all lines'} overflows; lower the "
            "rates or the order values that it rests on, or count money in a larger unit"
        )

    def bought_once(self) -> tuple[int, float]:
        """Return how many customers bought once only, and what they are worth together."""
        once = (self.histories.frequency == 0.0).astype(float)
        return round(self.summed(once)), self.summed(once * self.rlv)

    def unprofitable(self) -> tuple[int, float]:
        """Return how many customers have an expected residual value below zero, and what they are worth together."""
        loss = (self.rlv < 0.0).astype(float)
        return round(self.summed(loss)), self.summed(loss * self.rlv)

    def highest(self, number: int) -> float:
        """Return what so many of the most valuable customers are worth together."""
        if self.weight is None:
            return float(np.partition(self.rlv, len(self.rlv) - number)[len(self.rlv) - number :].sum())
        order = np.argsort(-self.rlv)
        before = np.concatenate(([0.0], np.cumsum(self.weight[order])[:-1]))
        return float(np.clip(number - before, 0.0, self.weight[order]) @ self.rlv[order])

    def to_frame(self) -> pd.DataFrame:
        """Return the table of customers: discounted orders and living years, order value, each line, and rlv."""
        import pandas as pd

        future = self.future
        columns = {"discounted_orders": future.D, "discounted_lifetime": future.L, "order_value": future.Z}
        columns |= {line.name: line.value(future) for line in self.lines} | {"rlv": self.rlv}
        return pd.DataFrame(columns, index=self.histories.customer_id)


def observed_years(transactions: Transactions, histories: Histories, assumptions: Assumptions) -> float:
    """Return the longest time that a customer was observed, in years."""
    longest = float(histories.distinct(transactions.best.model.statistics).rows[:, 2].max(initial=0.0))
    return max(longest / assumptions.year_in(transactions.unit), LEAST_SPAN)


def order_values(spend: SpendFit, histories: Histories) -> Array:
    """Return Z of each customer at the point estimate, or on average over the draws, shape (customers,).

    Raises
    ------
    DataError
        If a customer's mean order value is too large.
    """
    require_amounts(histories)
    parameters, (x, mean) = spend.parameters(histories), spend_state(spend.model, histories)
    if parameters.number == 1:
        return np.asarray(spend.model.expected_spend(parameters.point(slice(None)), x, mean))
    line = None if parameters.group is not None else spend_line(spend.model, parameters.draws, x)
    if line is not None:
        unknown, (intercept, slope) = line
        return np.where(known_spend(x, mean), intercept + slope * np.nan_to_num(mean), unknown)

    def block(rows: slice) -> Array:
        theta = parameters.theta(rows)
        return np.asarray(spend.model.expected_spend(theta, x[rows, None], mean[rows, None]).mean(axis=1))

    return np.concatenate([np.empty(0), *map_blocks(block, len(x), max(NUMBERS_PER_BLOCK // parameters.number, 1))])
