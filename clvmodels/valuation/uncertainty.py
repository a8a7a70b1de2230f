"""How sure one can be of a valuation: what its draws rest on, and what is kept of them.

Draw i of the fit of transactions is paired with draw i of the fit of spend, and customers are summed within each pair.
Memory is bounded: customers are taken in blocks, and draws are summarised within the block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.histories import Histories
from clvmodels.inference.orders_fit import OrdersFit
from clvmodels.inference.predictions import summarise
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.valuation.assumptions import RATES, Assumptions
from clvmodels.valuation.lines import Future, lines_of

__all__ = [
    "CUSTOMER_COLUMNS",
    "LARGEST_NUMBER_OF_DRAWS",
    "Basis",
    "Customers",
    "Interval",
    "Uncertainty",
    "customers_of",
    "drawn_rates",
    "joined",
    "summary_of",
]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

LARGEST_NUMBER_OF_DRAWS: Final = 1_000
"""Of more draws, so many at even distances are used: the error of an interval's ends is then 2 % of its width."""
CUSTOMER_COLUMNS: Final = ("rlv_sd", "rlv_q05", "rlv_q50", "rlv_q95", "probability_of_loss")


@dataclass(frozen=True)
class Interval:
    """Where an amount lies with a probability.

    Attributes
    ----------
    low, high
        The ends: as probable beyond the one as beyond the other.
    mean, sd, median
        Of the draws.
    probability
        Of the interval.
    draws
        Number of draws it rests on.

    Examples
    --------
    >>> Interval.of(np.arange(101.0), 0.9)
    <Interval 5.00 to 95.00 with probability 0.9 (mean 50.00, sd 29.30, median 50.00; 101 draws)>
    """

    low: float
    high: float
    mean: float
    sd: float
    median: float
    probability: float
    draws: int

    @classmethod
    def of(cls, draws: Array, probability: float) -> Interval:
        """Return the interval of draws, shape (draws,): the same probability beyond either end.

        Examples
        --------
        >>> import numpy as np
        >>> interval = Interval.of(np.arange(101.0), 0.5)
        >>> interval.low, interval.median, interval.high
        (25.0, 50.0, 75.0)
        """
        tail = 0.5 * (1.0 - probability)
        low, median, high = np.quantile(draws, [tail, 0.5, 1.0 - tail]).tolist()
        return cls(low, high, float(draws.mean()), float(draws.std(ddof=1)), median, probability, len(draws))

    def __repr__(self) -> str:
        return (
            f"<Interval {self.low:,.2f} to {self.high:,.2f} with probability {self.probability:g} "
            f"(mean {self.mean:,.2f}, sd {self.sd:,.2f}, median {self.median:,.2f}; {self.draws:,} draws)>"
        )


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Draws of a valuation.

    Attributes
    ----------
    lines
        Each line summed over customers within each draw, shape (lines, draws).
    customers
        By customer, what `CUSTOMER_COLUMNS` say of the draws of residual lifetime value; shape (customers, 5).
    groups
        Equity of each group of customers under each draw, shape (groups, draws).
    """

    lines: Array
    customers: Array
    groups: Array

    @property
    def equity(self) -> Array:
        """Customer equity under each draw, shape (draws,)."""
        return np.asarray(self.lines.sum(axis=0))


@dataclass(frozen=True, eq=False)
class Customers:
    """Customers who share the parameters of both fits.

    Attributes
    ----------
    rows
        Who they are, by position.
    orders, spend
        Paired draws of the parameters, shape (draws, parameters); one draw is paired with all.
    estimate
        Point estimate of the model of transactions.
    x, t_x, T, mean_spend
        Their histories; mean spend is -1 where it is not known.
    rates, spreads
        The rates by name, one number or shape (customers,), and the standard deviations of some.
    group
        The number of the group that each belongs to.
    weight
        How many customers each stands for; None: one.
    """

    rows: Index
    orders: Array
    spend: Array
    estimate: Array
    x: Array
    t_x: Array
    T: Array
    mean_spend: Array
    rates: Mapping[str, float | Array]
    spreads: Mapping[str, Array]
    group: Index
    weight: Array | None = None

    @property
    def draws(self) -> int:
        """Number of pairs of draws."""
        return max(len(self.orders), len(self.spend))


@dataclass(frozen=True, eq=False)
class Basis:
    """What draws of a valuation rest on.

    Attributes
    ----------
    orders, spend
        The fits.
    terms
        The assumptions.
    names
        Of the lines.
    rates, spreads
        The rates by name, one number or shape (customers,), and the standard deviations of some.
    weight
        How many customers each history stands for, shape (histories,); None: one.
    """

    orders: OrdersFit
    spend: SpendFit
    terms: Assumptions
    names: tuple[str, ...]
    rates: Mapping[str, float | Array]
    spreads: Mapping[str, Array]
    weight: Array | None = None

    def values(self, rates: Mapping[str, float | Array], future: Future, shape: tuple[int, ...]) -> Array:
        """Return each line, shape (lines, *shape)."""
        some = [line for line in lines_of(rates, self.terms.tax) if line.name in self.names]
        return np.stack([np.broadcast_to(line.value(future), shape) for line in some])


def customers_of(basis: Basis, histories: Histories, group: Index) -> Iterator[Customers]:
    """Yield the customers of each part of the one fit who are in the same part of the other."""
    every = np.arange(len(histories))
    for part in basis.orders.parts(histories):
        for other in basis.spend.parts(histories):
            here, there = (every if some.rows is None else some.rows for some in (part, other))
            rows = np.intersect1d(here, there)
            if len(rows):
                mean_spend = histories.monetary_value[rows]
                yield Customers(
                    rows,
                    *_paired(part.draws, other.draws),
                    part.estimate,
                    histories.frequency[rows],
                    histories.recency[rows],
                    histories.T[rows],
                    np.where(np.isnan(mean_spend), -1.0, mean_spend),
                    {name: _at(rate, rows) for name, rate in basis.rates.items()},
                    {name: spread[rows] for name, spread in basis.spreads.items()},
                    group[rows],
                    None if basis.weight is None else basis.weight[rows],
                )


def _at(rate: float | Array, rows: Index | slice | tuple[Index | slice, None]) -> float | Array:
    """Return the rates of some customers; one for all stays one."""
    return rate[rows] if isinstance(rate, np.ndarray) else rate


def drawn_rates(
    rates: Mapping[str, float | Array],
    spreads: Mapping[str, Array],
    which: Index | slice | tuple[Index | slice, None],
    shape: tuple[int, ...],
    generator: np.random.Generator,
) -> dict[str, float | Array]:
    """Return the rates of some customers, those that are not sure drawn from gamma distributions within their bounds.

    Parameters
    ----------
    rates, spreads
        The rates by name, one number or shape (customers,), and the standard deviations of some.
    which
        Picks the customers: ``rates[which]`` broadcasts with `shape`.
    shape
        Of what is drawn.
    generator
        Of the draws.
    """
    drawn = {name: _at(rate, which) for name, rate in rates.items()}
    for name, spread in spreads.items():
        mean, sd = np.asarray(drawn[name]), spread[which]
        unsure = (sd > 0.0) & (mean > 0.0)
        certainty = np.where(unsure, mean / np.where(unsure, sd, 1.0), 1.0) ** 2
        noise = generator.standard_gamma(np.broadcast_to(certainty, shape)) / certainty
        drawn[name] = np.minimum(np.where(unsure, mean * noise, mean), RATES[name].high)
    return drawn


def _paired(orders: Array, spend: Array) -> tuple[Array, Array]:
    """Return pairs of draws; the fewer begin again at the first when they are used up, and a single one stays one."""
    draws = max(len(orders), len(spend))
    which = np.linspace(0, draws - 1, min(draws, LARGEST_NUMBER_OF_DRAWS)).round().astype(np.int64)
    first, second = (some[which % len(some)] if len(some) > 1 else some for some in (orders, spend))
    return first, second


def summary_of(rlv: Array) -> Array:
    """Return what `CUSTOMER_COLUMNS` say of draws of shape (customers, draws), which are sorted in place."""
    loss = (rlv < 0.0).mean(axis=1)
    return np.column_stack([summarise(rlv)[:, 1:], loss])


def joined(found: Sequence[tuple[Index, Uncertainty]], customers: int, lines: int, groups: int) -> Uncertainty:
    """Return the draws of all customers from those of some and their positions; zeros if there are no customers."""
    table = np.empty((customers, len(CUSTOMER_COLUMNS)))
    for rows, some in found:
        table[rows] = some.customers
    if not found:
        none = np.zeros((lines, LARGEST_NUMBER_OF_DRAWS))
        return Uncertainty(none, table, np.zeros((groups, LARGEST_NUMBER_OF_DRAWS)))
    sums = np.sum([some.lines for _, some in found], axis=0)
    return Uncertainty(sums, table, np.sum([some.groups for _, some in found], axis=0))
