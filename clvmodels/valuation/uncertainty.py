"""How sure one can be of a valuation: from draws of the parameters, and from what customers will really do.

Draw i of the fit of transactions is paired with draw i of the fit of spend, and customers are summed within each pair.
Memory is bounded: customers are taken in blocks, and draws are summarised within the block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.histories import Histories
from clvmodels.inference.orders_fit import OrdersFit
from clvmodels.inference.predictions import over_blocks, summarise
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.models.derived import expected_purchases, residuals
from clvmodels.models.specification import Traits
from clvmodels.numerics.distinct import DistinctRows, distinct_rows
from clvmodels.numerics.threads import map_blocks
from clvmodels.valuation.assumptions import RATES, Assumptions
from clvmodels.valuation.discounting import annuity, discounting, growing
from clvmodels.valuation.lines import Future, Line, lines_of

__all__ = ["CUSTOMER_COLUMNS", "LARGEST_NUMBER_OF_DRAWS", "Interval", "Uncertainty", "expected", "realised"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

LARGEST_NUMBER_OF_DRAWS: Final = 1_000
"""Of more draws, so many at even distances are used: the error of an interval's ends is then 2 % of its width."""
CUSTOMER_COLUMNS: Final = ("rlv_sd", "rlv_q05", "rlv_q50", "rlv_q95", "probability_of_loss")
MEMORY: Final = 5e8
"""Bytes that interpolants may take."""
THINNED_FROM: Final = 0.1
"""Purchases discounted to less than this share are simulated the more rarely the less they weigh, each for so many: the
mean is exact, and the variance from the moments of purchases too large by 1 % at most."""
SEED_OF_RATES: Final = 1
"""Rates that are not sure are drawn from the same numbers in every valuation, so that valuations can be compared."""
CERTAIN: Final = 1e15
"""Who would leave after more purchases than these does not."""
NUMBERS_AT_A_TIME: Final = 1 << 23
"""Customers times draws simulated at a time: 64 MB."""
EVENTS_AT_A_TIME: Final = 1 << 18
"""Purchases expected of the customers simulated at a time under one draw."""
ROWS_PER_BLOCK: Final = 256


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
        """Return the interval of draws, shape (draws,)."""
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
class _Customers:
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

    @property
    def draws(self) -> int:
        """Number of pairs of draws."""
        return max(len(self.orders), len(self.spend))


@dataclass(frozen=True, eq=False)
class Valuation:
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
    """

    orders: OrdersFit
    spend: SpendFit
    terms: Assumptions
    names: tuple[str, ...]
    rates: Mapping[str, float | Array]
    spreads: Mapping[str, Array]

    def values(self, rates: Mapping[str, float | Array], future: Future, shape: tuple[int, ...]) -> Array:
        """Return each line, shape (lines, *shape)."""
        some: list[Line] = [line for line in lines_of(rates, self.terms.tax) if line.name in self.names]
        return np.stack([np.broadcast_to(line.value(future), shape) for line in some])


def expected(valuation: Valuation, histories: Histories, group: Index | None = None) -> Uncertainty:
    """Return what is expected of the customers under each pair of draws of the parameters.

    `group` numbers the group of each customer from 0 up, shape (customers,); None: all are in one.
    """
    group = np.zeros(len(histories), np.int64) if group is None else group
    groups = int(group.max(initial=0)) + 1
    found = [(one.rows, *_expected(valuation, one, groups)) for one in _customers(valuation, histories, group)]
    return _joined(found, groups, len(valuation.names), len(histories))


def realised(valuation: Valuation, histories: Histories, seed: int | None) -> Uncertainty:
    """Return what the customers really do in one future simulated under each pair of draws of the parameters."""
    some = list(_customers(valuation, histories, np.zeros(len(histories), np.int64)))
    seeds = np.random.SeedSequence(seed).spawn(len(some))
    found = [(one.rows, *_realised(valuation, one, seed)) for one, seed in zip(some, seeds, strict=True)]
    return _joined(found, 1, len(valuation.names), len(histories))


def _customers(valuation: Valuation, histories: Histories, group: Index) -> Iterator[_Customers]:
    """Yield the customers of each part of the one fit who are in the same part of the other."""
    every = np.arange(len(histories))
    for part in valuation.orders.parts(histories):
        for other in valuation.spend.parts(histories):
            here, there = (every if some.rows is None else some.rows for some in (part, other))
            rows = np.intersect1d(here, there)
            if len(rows):
                mean_spend = histories.monetary_value[rows]
                yield _Customers(
                    rows,
                    *_paired(part.draws, other.draws),
                    part.estimate,
                    histories.frequency[rows],
                    histories.recency[rows],
                    histories.T[rows],
                    np.where(np.isnan(mean_spend), -1.0, mean_spend),
                    {name: _at(rate, rows) for name, rate in valuation.rates.items()},
                    {name: spread[rows] for name, spread in valuation.spreads.items()},
                    group[rows],
                )


def _at(rate: float | Array, rows: Index | slice | tuple[Index | slice, None]) -> float | Array:
    """Return the rates of some customers; one for all stays one."""
    return rate[rows] if isinstance(rate, np.ndarray) else rate


def _drawn(
    rates: Mapping[str, float | Array],
    spreads: Mapping[str, Array],
    shape: tuple[int, ...],
    generator: np.random.Generator,
) -> dict[str, float | Array]:
    """Return rates with those that are not known for sure drawn from gamma distributions, within their bounds."""
    drawn = dict(rates)
    for name, spread in spreads.items():
        mean = np.asarray(rates[name])
        unsure = (spread > 0.0) & (mean > 0.0)
        certainty = np.where(unsure, mean / np.where(unsure, spread, 1.0), 1.0) ** 2
        noise = generator.standard_gamma(np.broadcast_to(certainty, shape)) / certainty
        drawn[name] = np.minimum(np.where(unsure, mean * noise, mean), RATES[name].high)
    return drawn


def _paired(orders: Array, spend: Array) -> tuple[Array, Array]:
    """Return pairs of draws; the fewer begin again at the first when they are used up, and a single one stays one."""
    draws = max(len(orders), len(spend))
    which = np.linspace(0, draws - 1, min(draws, LARGEST_NUMBER_OF_DRAWS)).round().astype(np.int64)
    first, second = (some[which % len(some)] if len(some) > 1 else some for some in (orders, spend))
    return first, second


def _expected(valuation: Valuation, customers: _Customers, groups: int) -> tuple[Array, Array, Array]:
    """Return the sums of the lines, the table of the customers, and the sums of the groups."""
    orders, spend, unit = valuation.orders, valuation.spend, valuation.orders.unit
    distinct, rates, spreads = _distinct(customers)
    x, t_x, T, mean_spend, group = np.ascontiguousarray(distinct.rows[:, :5].T)
    table = np.empty((len(x), len(CUSTOMER_COLUMNS)))
    kinds = (discounting, growing) if valuation.terms.growth else (discounting,)
    weightings = [kind(valuation.terms, unit) for kind in kinds]
    K = float(annuity(valuation.terms, unit, np.array([weightings[0].end]))[0]) / valuation.terms.year_in(unit)

    def use(rows: Index | slice, alive: Array, ahead: Array) -> tuple[Array, Array]:
        D, G = (alive * ahead[..., kind] for kind in (0, len(kinds) - 1))
        L = alive * ahead[..., len(kinds)] / valuation.terms.year_in(unit)
        Z = spend.model.expected_spend(customers.spend, x[rows, None], mean_spend[rows, None])
        shape = (len(D), customers.draws)
        here = {name: _at(rate, (rows, None)) for name, rate in rates.items()}
        unsure = {name: spread[rows, None] for name, spread in spreads.items()}
        first = rows.start if isinstance(rows, slice) else int(rows[0])
        drawn = _drawn(here, unsure, shape, np.random.default_rng([SEED_OF_RATES, first]))
        values = valuation.values(drawn, Future(D, L, Z, G, K), shape)
        rlv, weight = values.sum(axis=0), distinct.weight[rows]
        by_group = _by_group(groups, group[rows], weight, rlv)
        table[rows] = _of_customers(rlv)
        return np.einsum("i,kij->kj", weight, values), by_group

    given = residuals(orders.model, customers.orders, x, T, weightings)
    found = over_blocks(orders.model, customers.orders, (x, t_x, T), given, use, memory=MEMORY, width=customers.draws)
    sums, by_group = (np.sum(some, axis=0) for some in zip(*found, strict=True))
    return sums, table[distinct.index], by_group


def _distinct(customers: _Customers) -> tuple[DistinctRows, dict[str, float | Array], dict[str, Array]]:
    """Return the distinct customers, and their rates and spreads; who has a rate that is not sure is one of a kind."""
    varying = [name for name, rate in customers.rates.items() if isinstance(rate, np.ndarray)]
    columns = [customers.x, customers.t_x, customers.T, customers.mean_spend, customers.group.astype(float)]
    columns += [np.asarray(customers.rates[name]) for name in varying] + list(customers.spreads.values())
    columns += [np.arange(float(len(customers.x)))] if customers.spreads else []
    distinct = distinct_rows(*columns)
    found = iter(np.ascontiguousarray(distinct.rows[:, 5:].T))
    return (
        distinct,
        {**customers.rates, **{name: next(found) for name in varying}},
        {name: next(found) for name in customers.spreads},
    )


def _by_group(groups: int, group: Array, weight: Array, rlv: Array) -> Array:
    """Return weighted sums of values of shape (customers, draws) by group, shape (groups, draws)."""
    sums = np.zeros((groups, rlv.shape[1]))
    for one in np.unique(group):
        some = group == one
        sums[int(one)] = np.einsum("i,ij->j", weight[some], rlv[some])
    return sums


def _of_customers(rlv: Array) -> Array:
    """Return what `CUSTOMER_COLUMNS` say of draws of shape (customers, draws), which are sorted in place."""
    loss = (rlv < 0.0).mean(axis=1)
    return np.column_stack([summarise(rlv)[:, 1:], loss])


def _realised(valuation: Valuation, customers: _Customers, seed: np.random.SeedSequence) -> tuple[Array, Array, Array]:
    """Return the sums of the lines, the table of the customers, and the sum of all."""
    draws = customers.draws if customers.draws > 1 else LARGEST_NUMBER_OF_DRAWS
    sums = np.zeros((len(valuation.names), draws))
    table = np.empty((len(customers.rows), len(CUSTOMER_COLUMNS)))
    for some in _slices(valuation, customers, draws):
        rlv = np.empty((draws, some.stop - some.start))

        def one(draw: slice, some: slice = some, rlv: Array = rlv) -> None:
            sequence = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, some.start, draw.start))
            future = _one_future(valuation, customers, some, draw.start, np.random.default_rng(sequence))
            shape = (some.stop - some.start,)
            here = {name: _at(rate, some) for name, rate in customers.rates.items()}
            unsure = {name: spread[some] for name, spread in customers.spreads.items()}
            rates = _drawn(here, unsure, shape, np.random.default_rng(sequence.spawn(1)[0]))
            values = valuation.values(rates, future, shape)
            rlv[draw.start] = values.sum(axis=0)
            sums[:, draw.start] += values.sum(axis=1)

        def several(rows: slice, some: slice = some, rlv: Array = rlv) -> None:
            table[some][rows] = _of_customers(np.ascontiguousarray(rlv[:, rows].T))

        map_blocks(one, draws, 1)
        map_blocks(several, rlv.shape[1], ROWS_PER_BLOCK)
    return sums, table, sums.sum(axis=0)[None]


def _slices(valuation: Valuation, customers: _Customers, draws: int) -> list[slice]:
    """Cut customers so that their values, and the purchases expected of them under one draw, are not too many."""
    model, unit, terms = valuation.orders.model, valuation.orders.unit, valuation.terms
    x, T = customers.x, customers.T
    alive = model.p_alive(customers.estimate, x, customers.t_x, T)
    delta = terms.force_of_interest(unit)
    ahead = 1.0 / delta if delta > 0.0 else np.inf
    time = min(terms.horizon_in(unit), (1.0 - np.log(THINNED_FROM)) * ahead)
    bought = alive * expected_purchases(model, customers.estimate, x, T, time)
    size = np.cumsum(np.maximum(bought / EVENTS_AT_A_TIME, draws / NUMBERS_AT_A_TIME))
    cuts = np.flatnonzero(np.diff(np.floor(size))) + 1
    return [slice(first, last) for first, last in pairwise([0, *cuts.tolist(), len(x)])]


def _one_future(
    valuation: Valuation, customers: _Customers, some: slice, draw: int, generator: np.random.Generator
) -> Future:
    """Return what some customers do under one draw: discounted orders and living years, and what an order was worth."""
    orders, spend = valuation.orders, valuation.spend
    theta, other = (theta[draw % len(theta)] for theta in (customers.orders, customers.spend))
    x, t_x, T, mean_spend = (column[some] for column in (customers.x, customers.t_x, customers.T, customers.mean_spend))
    alive = generator.random(len(x)) < orders.model.p_alive(theta, x, t_x, T)
    traits = orders.model.draw_traits(theta, x, T, generator)
    discount = discounting(valuation.terms, orders.unit)
    left, bought = _purchases(traits, np.where(alive, discount.end, 0.0), _Thinning.of(valuation), generator)
    worth = spend.model.draw_orders(other, x, mean_spend, bought.customer, generator)
    grown = growing(valuation.terms, orders.unit).factor(bought.time) * bought.weight * worth
    discounted = discount.factor(bought.time) * bought.weight
    D, sales = (np.bincount(bought.customer, values, len(x)).astype(float) for values in (discounted, grown))
    L, K = (
        annuity(valuation.terms, orders.unit, time) / valuation.terms.year_in(orders.unit)
        for time in (left, np.array([discount.end]))
    )
    return Future(D, L, np.divide(sales, D, out=np.zeros(len(x)), where=D > 0.0), D, float(K[0]))


@dataclass(frozen=True)
class _Thinning:
    """The share of purchases that are simulated: all until a time, and from then on exp(-delta (t - start)).

    Attributes
    ----------
    start, delta
        The time, and the force of interest.
    """

    start: float
    delta: float

    @classmethod
    def of(cls, valuation: Valuation) -> _Thinning:
        """Return the thinning that suits the discount rate."""
        delta = valuation.terms.force_of_interest(valuation.orders.unit)
        return cls(-np.log(THINNED_FROM) / delta if delta > 0.0 else np.inf, delta)

    def kept(self, time: Array) -> Array:
        """Return the share kept at `time`."""
        return np.asarray(np.exp(-self.delta * np.maximum(time - self.start, 0.0)))

    def integral(self, time: Array) -> Array:
        """Return the integral of the share from 0 to `time`."""
        if self.delta == 0.0:
            return time
        beyond = np.maximum(time - self.start, 0.0)
        return np.asarray(np.minimum(time, self.start) - np.expm1(-self.delta * beyond) / self.delta)

    def time(self, integral: Array) -> Array:
        """Return the time up to which the integral is this."""
        if self.delta == 0.0:
            return integral
        beyond = np.maximum(integral - self.start, 0.0)
        return np.asarray(np.minimum(integral, self.start) - np.log1p(-self.delta * beyond) / self.delta)


@dataclass(frozen=True, eq=False)
class _Purchases:
    """Simulated purchases: who bought, when, and for how many purchases each stands; in any order."""

    customer: Index
    time: Array
    weight: Array


def _purchases(
    traits: Traits, duration: Array, thinning: _Thinning, generator: np.random.Generator
) -> tuple[Array, _Purchases]:
    """Return when customers leave (or the end of their duration), and their purchases until then.

    The purchase with which a customer leaves comes at a gamma-distributed time, and given it, those before are as if
    scattered evenly: there is no need to put purchases in order.
    """
    certain = traits.last_purchase < CERTAIN
    number = np.where(certain, traits.last_purchase, 1.0)
    with np.errstate(divide="ignore"):
        final = np.where(certain, generator.standard_gamma(number) / traits.purchase_rate, np.inf)
    stays = np.minimum(duration, traits.lifetime)
    leaves, left = final <= stays, np.minimum(final, stays)
    size = thinning.integral(left)
    share = np.where(leaves, size / np.where(left > 0.0, left, 1.0), size / np.where(certain, final, 1.0))
    count = np.where(
        certain,
        generator.binomial((number - 1.0).astype(np.int64), np.where(certain, np.minimum(share, 1.0), 0.0)),
        generator.poisson(np.where(certain, 0.0, traits.purchase_rate * size)),
    )
    customer = np.repeat(np.arange(len(left)), count)
    last = np.flatnonzero(leaves & (generator.random(len(left)) < thinning.kept(left)))
    time = np.concatenate([thinning.time(generator.random(len(customer)) * size[customer]), left[last]])
    return left, _Purchases(np.concatenate([customer, last]), time, 1.0 / thinning.kept(time))


def _joined(found: list[tuple[Index, Array, Array, Array]], groups: int, lines: int, customers: int) -> Uncertainty:
    """Return the sums of the lines and groups over all customers, and one table of them."""
    table = np.empty((customers, len(CUSTOMER_COLUMNS)))
    for rows, _, some, _ in found:
        table[rows] = some
    if not found:
        none = np.zeros((lines, LARGEST_NUMBER_OF_DRAWS))
        return Uncertainty(none, table, np.zeros((groups, LARGEST_NUMBER_OF_DRAWS)))
    sums, by_group = (np.sum([one[k] for one in found], axis=0) for k in (1, 3))
    return Uncertainty(sums, table, by_group)
