"""What the customers will really do: one future simulated under each draw of the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.histories import Histories
from clvmodels.models.clocked import ClockedModel, traits_on_clock
from clvmodels.models.derived import expected_purchases
from clvmodels.models.simulation import drawn_stages, simulated
from clvmodels.models.specification import Traits, TransactionModel
from clvmodels.numerics.threads import map_blocks
from clvmodels.units import Unit
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.discounting import (
    Forces,
    calendar_years,
    discount_factor,
    discounted_periods,
    discounted_years,
    discounting,
    growing,
)
from clvmodels.valuation.lines import DiscountedDrivers
from clvmodels.valuation.uncertainty import (
    CUSTOMER_COLUMNS,
    LARGEST_NUMBER_OF_DRAWS,
    SEED_OF_RATES,
    Basis,
    Customers,
    Member,
    Uncertainty,
    common_noise,
    customers_of,
    drawn_rates,
    of_nobody,
    summary_of,
)

__all__ = ["simulated_futures"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

THINNED_FROM: Final = 0.1
"""Purchases whose money weighs less than this share of today's are simulated the more rarely the less they weigh, each
for so many: the mean is exact, and the variance from the moments of purchases too large by 1 % at most."""
CERTAIN: Final = 1e15
"""Who would leave after more purchases than these does not."""
NUMBERS_AT_A_TIME: Final = 1 << 23
"""Customers times draws simulated at a time: 64 MB."""
EVENTS_AT_A_TIME: Final = 1 << 18
"""Purchases expected of the customers simulated at a time under one draw."""
ROWS_PER_BLOCK: Final = 256


def simulated_futures(basis: Basis, histories: Histories, seed: int | None, group: Index | None = None) -> Uncertainty:
    """Return what the customers really do in one future simulated under each pair of draws of the parameters.

    `group` numbers the group of each customer from 0 up, shape (customers,); None: all are in one.
    """
    group = np.zeros(len(histories), np.int64) if group is None else group
    if not len(histories):
        return of_nobody(len(basis.names), int(group.max(initial=0)) + 1)
    noise = common_noise(basis, np.random.default_rng(SEED_OF_RATES))
    customers = customers_of(basis, histories, group, least=LARGEST_NUMBER_OF_DRAWS)
    return _realised(basis, customers, noise, np.random.SeedSequence(seed))


def _realised(
    basis: Basis, customers: Customers, noise: Mapping[str, Array], seed: np.random.SeedSequence
) -> Uncertainty:
    """Return the draws of the customers."""
    draws, groups = customers.draws, int(customers.group.max()) + 1
    sums, by_group = np.zeros((len(basis.names), draws)), np.zeros((groups, draws))
    table = np.empty((len(customers.x), len(CUSTOMER_COLUMNS)))
    for chunk in _slices(basis, customers, draws):
        rlv = np.empty((draws, chunk.stop - chunk.start))

        def of_draw(draw: slice, chunk: slice = chunk, rlv: Array = rlv) -> None:
            sequence = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, chunk.start, draw.start))
            future = _one_future(basis, customers, chunk, draw.start, np.random.default_rng(sequence))
            shape = (chunk.stop - chunk.start,)
            generator = np.random.default_rng(sequence.spawn(1)[0])
            common = {name: float(numbers[draw.start]) for name, numbers in noise.items()}
            rates = drawn_rates(customers, chunk, common, shape, generator)
            values = basis.values(rates, future, shape)
            if customers.weight is not None:
                values = values * customers.weight[chunk]
            rlv[draw.start] = values.sum(axis=0)
            sums[:, draw.start] += values.sum(axis=1)
            by_group[:, draw.start] += np.bincount(customers.group[chunk], rlv[draw.start], groups)

        def summarise_rows(rows: slice, chunk: slice = chunk, rlv: Array = rlv) -> None:
            table[chunk][rows] = summary_of(np.ascontiguousarray(rlv[:, rows].T))

        map_blocks(of_draw, draws, 1)
        map_blocks(summarise_rows, rlv.shape[1], ROWS_PER_BLOCK)
    return Uncertainty(sums, table, by_group)


def _slices(basis: Basis, customers: Customers, draws: int) -> list[slice]:
    """Cut customers so that their values, and the purchases expected of them under one draw, are not too many."""
    unit, assumptions, x, T = basis.transactions.unit, basis.assumptions, customers.x, customers.T
    time = float(_Thinning.of(assumptions, unit).integral(np.asarray(_end(assumptions, unit))))

    def expected(member: Member) -> Array:
        model, parameters = member.model, member.parameters
        alive = model.p_alive(parameters.point(slice(None)), x, customers.t_x, T)
        ahead = expected_purchases(model, parameters.estimate, x, T, time, parameters.group, t_x=customers.t_x)
        return np.asarray(alive * ahead)

    bought = np.max([expected(member) for member in customers.members], axis=0)
    size = np.cumsum(np.maximum(bought / EVENTS_AT_A_TIME, draws / NUMBERS_AT_A_TIME))
    cuts = np.flatnonzero(np.diff(np.floor(size))) + 1
    return [slice(first, last) for first, last in pairwise([0, *cuts.tolist(), len(x)])]


def _one_future(
    basis: Basis, customers: Customers, chunk: slice, draw: int, generator: np.random.Generator
) -> DiscountedDrivers:
    """Return what some customers do under one draw: discounted orders and living years, and what an order was worth."""
    spend, member = basis.spend, customers.member_of(draw)
    model, theta = member.model, member.parameters.draw(draw - member.draws.start, chunk)
    other = customers.spend.draw(draw, chunk)
    x, t_x, T = (column[chunk] for column in (customers.x, customers.t_x, customers.T))
    alive = generator.random(len(x)) < model.p_alive(theta, x, t_x, T)
    assumptions, unit = basis.assumptions, basis.transactions.unit
    duration = np.where(alive, _end(assumptions, unit), 0.0)
    passed = drawn_stages(model, theta, x, t_x, T, generator)
    left, bought = _future_purchases(model, theta, passed, T, duration, _Thinning.of(assumptions, unit), generator)
    state = customers.orders[chunk], customers.mean_spend[chunk]
    worth = spend.model.draw_orders(other, *state, bought.customer, generator)
    discounted = discount_factor(assumptions, unit, bought.time) * bought.weight
    grown = discounted
    if assumptions.growth:
        grown = discount_factor(assumptions, unit, bought.time, assumptions.growth) * bought.weight
    D, sales = (np.bincount(bought.customer, each, len(x)).astype(float) for each in (discounted, grown * worth))
    E = 0.0 if not assumptions.cost_half_life else _early_orders(assumptions, unit, bought, T, discounted)
    living = discounted_periods if model.time == "periods" else discounted_years
    L, K = living(assumptions, unit, left), calendar_years(assumptions, unit)
    return DiscountedDrivers(D, L, np.divide(sales, D, out=np.zeros(len(x)), where=D > 0.0), D, K, E)


def _early_orders(assumptions: Assumptions, unit: Unit, bought: _Purchases, T: Array, discounted: Array) -> Array:
    """Return discounted orders, each weighted with what tenure has left at its age."""
    left = np.exp(-assumptions.force_of_learning(unit) * (T[bought.customer] + bought.time))
    return np.bincount(bought.customer, discounted * left, len(T)).astype(float)


def _end(assumptions: Assumptions, unit: Unit) -> float:
    """Return when neither purchases nor their growing money weigh anything any more, or the horizon."""
    return max(discounting(assumptions, unit).end, growing(assumptions, unit).end)


@dataclass(frozen=True)
class _Thinning:
    """The share of purchases that are simulated: all until a time, and from then on exp(-delta (t - start)).

    Attributes
    ----------
    start, delta
        The time, and the rate at which the weight of money falls from then on; zero if it does not.
    """

    start: float
    delta: float

    @classmethod
    def of(cls, assumptions: Assumptions, unit: Unit) -> _Thinning:
        """Return the thinning that suits what falls most slowly, from when discount rates change no more."""
        forces = Forces.of(assumptions, unit, max(assumptions.growth, 0.0))
        delta = float(forces.net[-1])
        if delta <= 0.0:
            return cls(np.inf, 0.0)
        fallen = float(forces.stepped(np.asarray(forces.settled)))
        return cls(forces.settled + max(-np.log(THINNED_FROM) - fallen, 0.0) / delta, delta)

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


def _future_purchases(
    model: TransactionModel,
    theta: Array,
    x: Array,
    T: Array,
    duration: Array,
    thinning: _Thinning,
    generator: np.random.Generator,
) -> tuple[Array, _Purchases]:
    """Return when customers leave (or the end of their duration), and their purchases until then."""
    if model.draw_traits is not None:
        return _purchases(model.draw_traits(theta, x, T, generator), duration, thinning, generator)
    if isinstance(model, ClockedModel):
        traits, clock = traits_on_clock(model, theta, x, T, duration, generator)
        left, bought = _purchases(traits, clock.at(duration), thinning, generator)
        return clock.inverse(left), replace(bought, time=clock.inverse(bought.time))
    return _simulated(model, theta, x, T, duration, generator)


def _simulated(
    model: TransactionModel, theta: Array, x: Array, T: Array, duration: Array, generator: np.random.Generator
) -> tuple[Array, _Purchases]:
    """Return what `_purchases` does, of a model that simulates its customers itself."""
    points = np.broadcast_to(theta, (len(x), theta.shape[-1]))
    bought = simulated(model, points, x, T, duration, generator)
    return bought.left, _Purchases(bought.customer, bought.time, np.ones(len(bought.time)))


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
