"""How sure one can be of a valuation: what its draws rest on, and what is kept of them.

Draw i of the fit of transactions is paired with draw i of the fit of spend, and customers are summed within each pair.
Memory is bounded: customers are taken in blocks, and draws are summarised within the block.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from clvmodels.data.histories import Histories
from clvmodels.data.statistics import SPEND
from clvmodels.inference.model_average import Transactions
from clvmodels.inference.parameters import Parameters, columns_of
from clvmodels.inference.predictions import summarise
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.spend_state import spend_state
from clvmodels.models.specification import TransactionModel
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.line_table import Bounds
from clvmodels.valuation.lines import DiscountedDrivers, lines_of

__all__ = [
    "CUSTOMER_COLUMNS",
    "LARGEST_NUMBER_OF_DRAWS",
    "SEED",
    "SEED_OF_RATES",
    "Basis",
    "Customers",
    "Interval",
    "Member",
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
SEED: Final = 1
"""Of what customers will really do, unless another is asked for: the same figures come out again."""
SEED_OF_RATES: Final = 1
"""Rates that are not sure are drawn from the same numbers in every valuation, so that valuations can be compared."""
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
    covers
        What it allows for: the parameters, the choice of model, and what customers will really do.

    Examples
    --------
    >>> Interval.of(np.arange(101.0), 0.9, ("parameters",))
    <Interval 5.00 to 95.00 with probability 0.9 (mean 50.00, sd 29.30, median 50.00; 101 draws; covers parameters)>
    """

    low: float
    high: float
    mean: float
    sd: float
    median: float
    probability: float
    draws: int
    covers: tuple[str, ...] = ()

    @classmethod
    def of(cls, draws: Array, probability: float, covers: tuple[str, ...] = ()) -> Interval:
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
        return cls(low, high, float(draws.mean()), float(draws.std(ddof=1)), median, probability, len(draws), covers)

    def __repr__(self) -> str:
        return (
            f"<Interval {self.low:,.2f} to {self.high:,.2f} with probability {self.probability:g} "
            f"(mean {self.mean:,.2f}, sd {self.sd:,.2f}, median {self.median:,.2f}; {self.draws:,} draws"
            f"{'; covers ' * bool(self.covers)}{', '.join(self.covers)})>"
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
class Member:
    """One of the models of transactions that a valuation rests on.

    Attributes
    ----------
    model
        The model.
    parameters
        Of the customers, with its draws.
    draws
        Which draws of the valuation are its own.
    """

    model: TransactionModel
    parameters: Parameters
    draws: slice


@dataclass(frozen=True, eq=False)
class Customers:
    """The customers that are valued.

    Attributes
    ----------
    members
        The models of transactions, in the order of their draws.
    draws
        Number of draws in all: draw i of transactions is paired with draw i of spend.
    spend
        The parameters of spend; one draw is paired with all.
    x, t_x, T
        Their histories.
    orders, mean_spend
        What the values of their orders depend on, `SpendModel.state`: the number of orders, which is x itself where it
        is the same, and their level, -1 where it is not known.
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

    members: tuple[Member, ...]
    draws: int
    spend: Parameters
    x: Array
    t_x: Array
    T: Array
    orders: Array
    mean_spend: Array
    rates: Mapping[str, float | Array]
    own: Mapping[str, Array]
    common: Mapping[str, Array]
    bounds: Mapping[str, Bounds]
    group: Index
    weight: Array | None = None

    def member_of(self, draw: int) -> Member:
        """Return the model that a draw belongs to."""
        return next(member for member in self.members if draw < member.draws.stop)


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
    years
        A horizon shorter than that of the assumptions, in years; None: that.
    """

    transactions: Transactions
    spend: SpendFit
    assumptions: Assumptions
    names: tuple[str, ...]
    rates: Mapping[str, float | Array]
    own: Mapping[str, Array]
    common: Mapping[str, Array]
    weight: Array | None = None
    years: float | None = None

    def values(self, rates: Mapping[str, float | Array], future: DiscountedDrivers, shape: tuple[int, ...]) -> Array:
        """Return each line, shape (lines, *shape)."""
        lines = [line for line in lines_of(self.assumptions, rates) if line.name in self.names]
        return np.stack([np.broadcast_to(line.value(future), shape) for line in lines])


def customers_of(basis: Basis, histories: Histories, group: Index, *, least: int = 1) -> Customers:
    """Return the customers with the parameters of both fits, draw i of the one paired with draw i of the other.

    There are as many draws as the fit with most of them has, but not more than `LARGEST_NUMBER_OF_DRAWS`; where both
    are point estimates, `least`.
    """
    orders, mean_spend = spend_state(basis.spend.model, histories)
    unknown, (x, t_x, T) = np.isnan(mean_spend), columns_of(basis.transactions.best.model, histories)
    fitted = [fit.parameters(histories) for fit in basis.transactions.fits]
    spend = basis.spend.parameters(histories)
    most = max(spend.number, *(parameters.number for parameters in fitted))
    draws = least if most == 1 else min(most, LARGEST_NUMBER_OF_DRAWS)
    return Customers(
        _members(basis.transactions, fitted, draws, most),
        draws,
        _spread(spend, draws, most),
        x,
        t_x,
        T,
        x if basis.spend.model.state == SPEND else np.where(unknown, 0.0, orders),
        np.where(unknown, -1.0, mean_spend),
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


def _members(transactions: Transactions, fitted: Sequence[Parameters], draws: int, most: int) -> tuple[Member, ...]:
    """Return the models, each with its share of the draws; those without any are left out."""
    members, first = [], 0
    shares = transactions.shares_of(draws)
    for fit, parameters, share in zip(transactions.fits, fitted, shares, strict=True):
        if share:
            drawn = _spread(parameters, share, most if len(fitted) == 1 else parameters.number)
            members.append(Member(fit.model, drawn, slice(first, first + share)))
        first += share
    return tuple(members)


def _spread(parameters: Parameters, draws: int, most: int) -> Parameters:
    """Return so many draws at even distances among `most`: beyond its last one, a fit begins again at the first."""
    if parameters.number == 1:
        return parameters
    which = np.linspace(0, most - 1, draws).round().astype(np.int64)
    return parameters.of_draws(which % parameters.number)


def summary_of(rlv: Array) -> Array:
    """Return what `CUSTOMER_COLUMNS` say of draws of shape (customers, draws), which are sorted in place."""
    loss = (rlv < 0.0).mean(axis=1)
    return np.column_stack([summarise(rlv)[:, 1:], loss])


def of_nobody(lines: int, groups: int) -> Uncertainty:
    """Return the draws of a valuation without customers: zeros."""
    draws = LARGEST_NUMBER_OF_DRAWS
    return Uncertainty(np.zeros((lines, draws)), np.empty((0, len(CUSTOMER_COLUMNS))), np.zeros((groups, draws)))
