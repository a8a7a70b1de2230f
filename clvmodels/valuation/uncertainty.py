"""How sure one can be of a valuation: what its draws rest on, and what is kept of them.

Draw i of the fit of transactions is paired with draw i of the fit of spend, and customers are summed within each pair.
Memory is bounded: customers are taken in blocks, and draws are summarised within the block.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from clvmodels.data.histories import Histories
from clvmodels.inference.parameters import Parameters, columns_of
from clvmodels.inference.predictions import summarise
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.line_table import Bounds
from clvmodels.valuation.lines import DiscountedDrivers, lines_of

__all__ = [
    "CUSTOMER_COLUMNS",
    "LARGEST_NUMBER_OF_DRAWS",
    "Basis",
    "Customers",
    "Interval",
    "Uncertainty",
    "common_noise",
    "customers_of",
    "drawn_rates",
    "of_nobody",
    "summary_of",
]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

LARGEST_NUMBER_OF_DRAWS: Final = 1_000
"""Of more draws, so many at even distances are used: the error of an interval's ends is then 2 % of its width."""
LEAST_CERTAINTY: Final = 1e-3
"""A share that varies as if less was known than this is either 0 or 1."""
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
    """The customers that are valued.

    Attributes
    ----------
    transactions, spend
        Their parameters, with paired draws; one draw is paired with all.
    x, t_x, T, mean_spend
        Their histories; mean spend is -1 where it is not known.
    rates, own, common
        The rates by name, one number or shape (customers,), and the standard deviations of some: of each customer's
        own, and common to all.
    bounds
        Where the rates may lie, by name.
    group
        The number of the group of the statement that each belongs to.
    weight
        How many customers each stands for; None: one.
    """

    transactions: Parameters
    spend: Parameters
    x: Array
    t_x: Array
    T: Array
    mean_spend: Array
    rates: Mapping[str, float | Array]
    own: Mapping[str, Array]
    common: Mapping[str, Array]
    bounds: Mapping[str, Bounds]
    group: Index
    weight: Array | None = None

    @property
    def draws(self) -> int:
        """Number of pairs of draws."""
        return max(self.transactions.number, self.spend.number)


@dataclass(frozen=True, eq=False)
class Basis:
    """What draws of a valuation rest on.

    Attributes
    ----------
    transactions, spend
        The fits.
    assumptions
        The assumptions.
    names
        Of the lines.
    rates, own, common
        The rates by name, one number or shape (customers,), and the standard deviations of some: of each customer's
        own, and common to all.
    weight
        How many customers each history stands for, shape (histories,); None: one.
    """

    transactions: TransactionFit
    spend: SpendFit
    assumptions: Assumptions
    names: tuple[str, ...]
    rates: Mapping[str, float | Array]
    own: Mapping[str, Array]
    common: Mapping[str, Array]
    weight: Array | None = None

    def values(self, rates: Mapping[str, float | Array], future: DiscountedDrivers, shape: tuple[int, ...]) -> Array:
        """Return each line, shape (lines, *shape)."""
        lines = [line for line in lines_of(self.assumptions, rates) if line.name in self.names]
        return np.stack([np.broadcast_to(line.value(future), shape) for line in lines])


def customers_of(basis: Basis, histories: Histories, group: Index) -> Customers:
    """Return the customers with the parameters of both fits, draw i of the one paired with draw i of the other."""
    mean_spend = histories.monetary_value
    return Customers(
        *_paired(basis.transactions.parameters(histories), basis.spend.parameters(histories)),
        *columns_of(basis.transactions.model, histories),
        np.where(np.isnan(mean_spend), -1.0, mean_spend),
        basis.rates,
        basis.own,
        basis.common,
        basis.assumptions.bounds,
        group,
        basis.weight,
    )


def _at(rate: float | Array, rows: Index | slice | tuple[Index | slice, None]) -> float | Array:
    """Return the rates of some customers; one for all stays one."""
    return rate[rows] if isinstance(rate, np.ndarray) else rate


def common_noise(basis: Basis, generator: np.random.Generator) -> dict[str, Array]:
    """Return by how much what all customers have in common of a rate deviates under each draw, in standard units.

    Each rate has its own numbers, whichever others are unsure, so that valuations can be compared.
    """
    names = basis.assumptions.rates
    noise = generator.standard_normal((len(names), LARGEST_NUMBER_OF_DRAWS))
    return {name: numbers for name, numbers in zip(names, noise, strict=True) if name in basis.common}


def drawn_rates(
    customers: Customers,
    which: Index | slice | tuple[Index | slice, None],
    noise: Mapping[str, Array | float],
    shape: tuple[int, ...],
    generator: np.random.Generator,
) -> dict[str, float | Array]:
    """Return the rates of some customers, those that are not sure drawn at random.

    What is common to all moves the mean of each customer, by a lognormal factor or, of a share, in its log odds; what
    is their own is drawn around it, from a gamma or, of a share, a beta distribution. The means of the draws are those
    that are stated (of shares with something in common, nearly).

    Parameters
    ----------
    customers
        Who they are among.
    which
        Picks them: ``rates[which]`` broadcasts with `shape`.
    noise
        Of `common_noise`: one number, or shape (draws,).
    shape
        Of what is drawn.
    generator
        Of what is the customers' own.
    """
    drawn = {name: _at(rate, which) for name, rate in customers.rates.items()}
    for name, bounds in customers.bounds.items():  # in this order: the same numbers are drawn in every process
        own, common = customers.own.get(name), customers.common.get(name)
        if own is None and common is None:
            continue
        law = SHARE if bounds.high == 1.0 else NUMBER
        stated = np.asarray(drawn[name])
        sure = (stated <= 0.0) | (stated >= bounds.high)
        mean = np.where(sure, 0.5, stated)
        level = mean if common is None else law.moved(mean, common[which], noise[name])
        if own is not None:
            sd = own[which]
            around = law.around(level, mean, np.where(sd > 0.0, sd, 0.5 * mean), shape, generator)
            level = np.where(sd > 0.0, around, level)
        drawn[name] = np.where(sure, stated, level)
    return drawn


@dataclass(frozen=True)
class _Law:
    """How rates of a kind vary.

    Attributes
    ----------
    moved
        ``(mean, sd, noise)``: the mean moved by what is common to all.
    around
        ``(level, mean, sd, shape, generator)``: draws around a level, as certain as ones with this mean and sd.
    """

    moved: Callable[[Array, Array, Array | float], Array]
    around: Callable[[Array, Array, Array, tuple[int, ...], np.random.Generator], Array]


def _scaled(mean: Array, sd: Array, noise: Array | float) -> Array:
    """Return lognormal draws with this mean and standard deviation."""
    variance = np.log1p((sd / mean) ** 2)
    return np.asarray(mean * np.exp(np.sqrt(variance) * noise - 0.5 * variance))


def _around_number(
    level: Array, mean: Array, sd: Array, shape: tuple[int, ...], generator: np.random.Generator
) -> Array:
    certainty = (mean / sd) ** 2
    return np.asarray(level * generator.standard_gamma(np.broadcast_to(certainty, shape)) / certainty)


def _around_share(
    level: Array, mean: Array, sd: Array, shape: tuple[int, ...], generator: np.random.Generator
) -> Array:
    certainty = np.maximum(mean * (1.0 - mean) / sd**2 - 1.0, LEAST_CERTAINTY)
    a, b = (np.maximum(part * certainty, LEAST_CERTAINTY) for part in (level, 1.0 - level))
    return generator.beta(np.broadcast_to(a, shape), b)


NUMBER: Final = _Law(_scaled, _around_number)
SHARE: Final = _Law(
    lambda mean, sd, noise: special.expit(special.logit(mean) + sd / (mean * (1.0 - mean)) * noise), _around_share
)


def _paired(transactions: Parameters, spend: Parameters) -> tuple[Parameters, Parameters]:
    """Return pairs of draws; the fewer begin again at the first when they are used up, and a single one stays one."""
    draws = max(transactions.number, spend.number)
    which = np.linspace(0, draws - 1, min(draws, LARGEST_NUMBER_OF_DRAWS)).round().astype(np.int64)
    first, second = (each.of_draws(which % each.number) if each.number > 1 else each for each in (transactions, spend))
    return first, second


def summary_of(rlv: Array) -> Array:
    """Return what `CUSTOMER_COLUMNS` say of draws of shape (customers, draws), which are sorted in place."""
    loss = (rlv < 0.0).mean(axis=1)
    return np.column_stack([summarise(rlv)[:, 1:], loss])


def of_nobody(lines: int, groups: int) -> Uncertainty:
    """Return the draws of a valuation without customers: zeros."""
    draws = LARGEST_NUMBER_OF_DRAWS
    return Uncertainty(np.zeros((lines, draws)), np.empty((0, len(CUSTOMER_COLUMNS))), np.zeros((groups, draws)))
