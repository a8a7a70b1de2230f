"""A model of transactions with purchases on a clock that all customers share: season, holidays, trend.

The clock is a calendar's, its coefficients are further parameters of the model, as multipliers exp(gamma) of the
purchase rate: what can be done with a model can be done with one on a clock. Purchases on the clock A have the
likelihood of today's terms at A times the product of the speeds at the repeat purchases. That product depends on one
total over all customers and purchases: exp(gamma'S) / m(gamma)^X, S the sum of the columns at repeat purchases, X their
number and m the mean speed. Here each purchase has the mean columns S / X, which leaves the total as it is.

Source: the time change of a Poisson process (Cinlar 1975, chapter 4); for BG/NBD and Pareto/NBD with covariates that
vary in time, Bachmann, Meierer & Naef (2021), Marketing Science 40(4).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from clvmodels.errors import DataError, ModelError
from clvmodels.models.leaving_clock import LeavingClock
from clvmodels.models.purchase_clock import PurchaseClock
from clvmodels.models.simulation import events
from clvmodels.models.specification import Array, Events, Limit, Parameter, Quantity, Traits, TransactionModel
from clvmodels.numerics.clocks import Clock, Steps

__all__ = ["ClockedModel", "counts_until_now", "on_clock", "traits_on_clock"]

PRIOR: Final = ("LogNormal", {"mu": 0.0, "sigma": 1.0})
"""Of a multiplier: its log, the coefficient, is standard normal."""


@dataclass(frozen=True, eq=False, repr=False)
class ClockedModel(TransactionModel):
    """A model with purchases on a clock.

    Attributes
    ----------
    base
        The model.
    steps
        The calendar: its times count from the end of observation.
    columns
        Names of its columns: those of the multipliers, the last parameters.
    at_purchases
        Means of the columns over all repeat purchases, shape (columns,).
    """

    base: TransactionModel = field(kw_only=True)
    steps: Steps = field(kw_only=True)
    columns: tuple[str, ...] = field(kw_only=True)
    at_purchases: Array = field(kw_only=True)

    def __reduce__(self) -> tuple[Any, ...]:
        return on_clock, (self.base, self.steps, self.columns, self.at_purchases)


def on_clock(
    base: TransactionModel, steps: Steps, columns: tuple[str, ...], at_purchases: Array | None = None
) -> ClockedModel:
    """Return a model with purchases on a clock.

    Parameters
    ----------
    base
        The model.
    steps
        The calendar, in the unit of the parameters.
    columns
        Names of its columns.
    at_purchases
        Means of the columns over all repeat purchases, shape (columns,): what the likelihood needs; zeros if left out.

    Raises
    ------
    ModelError
        If the model runs on no clock.
    DataError
        If a column is named as a parameter of the model is.

    Examples
    --------
    Purchases are twice as frequent in the second half of each year:

    >>> from clvmodels.models import MODELS
    >>> year = Steps(np.array([-52.0, -26.0, 0.0]), np.array([[0.0], [1.0]]), year=52.0, reference=(-52.0, 0.0))
    >>> model = on_clock(MODELS["bg_nbd"], year, ("high_season",))
    >>> theta = np.append(MODELS["bg_nbd"].theta(MODELS["bg_nbd"].example), 2.0)
    >>> new = np.zeros(1)
    >>> model.expected_purchases(theta, new, new, np.array([26.0, 52.0])).round(3)
    array([0.669, 1.446])
    """
    if not base.clocks or base.draw_traits is None:
        raise ModelError(f"{base.name} runs on no clock; use BG/NBD, MBG/NBD or Pareto/NBD with a calendar")
    taken = [name for name in columns if name in base.names or name in {each.name for each in base.quantities}]
    if taken:
        raise DataError(f"the calendar has a column {taken[0]!r}, as {base.name} has a parameter; rename the column")
    kind = LeavingClock if "dropout" in base.clocks else PurchaseClock
    clocked = kind(base, steps)
    means = np.zeros(len(columns)) if at_purchases is None else np.asarray(at_purchases, float)

    def count_terms(theta: Array, x: Array) -> tuple[Array, Array]:
        params, clock = clocked.split(theta)
        value, gradient = base.count_terms(params, x)
        multipliers = theta[..., len(base.parameters) :]
        per_purchase = np.log(multipliers) @ means - clock.log_mean
        slopes = (means - clock.mean_columns) / multipliers * np.asarray(x)[..., None]
        slopes = np.broadcast_to(slopes, (*gradient.shape[:-1], len(columns)))
        return value + x * per_purchase, np.concatenate([gradient, slopes], axis=-1)

    model = ClockedModel(
        key=base.key,
        name=base.name,
        public_name=base.public_name,
        source=base.source,
        parameters=(*base.parameters, *map(Parameter, columns)),
        count_terms=count_terms,
        history_terms=clocked.history_terms,
        starts=tuple((*start, *np.ones(len(columns))) for start in base.starts),
        example={**base.example, **dict.fromkeys(columns, 1.5)},
        quantities=(*base.quantities, *(_quantity(name) for name in columns)) if base.quantities else (),
        from_quantities=lambda quantities, year: {
            **base.from_quantities(quantities, year),
            **{name: quantities[_multiplier(name)] for name in columns},
        },
        to_quantities=lambda params, year: {
            **base.to_quantities(params, year),
            **{_multiplier(name): params[name] for name in columns},
        },
        in_words=base.in_words,
        statistics=base.statistics,
        effects=base.effects,
        limits=(*base.limits, *(limit for name in columns for limit in _limits(name))),
        story=base.story,
        p_alive=clocked.p_alive,
        future=clocked.future,
        expected_purchases=clocked.expected_purchases,
        pmf=clocked.pmf,
        mean_purchase_rate=lambda theta: base.mean_purchase_rate(theta[..., : len(base.parameters)]),
        simulate=lambda theta, x, T, duration, generator: _simulated(clocked, theta, x, T, duration, generator),
        tail=base.tail,
        residuals=clocked.residuals,
        own_rates=clocked.own_rates,
        ago=lambda age: on_clock(base, steps.since(-age), columns, means),
        base=base,
        steps=steps,
        columns=columns,
        at_purchases=means,
    )
    return replace(model, reading=clocked.by_reading(model))


def counts_until_now(model: ClockedModel, theta: Array, T: Array, generator: np.random.Generator) -> Array:
    """Simulate how often customers who started so long ago have bought again until now, on the calendar of then.

    Parameters
    ----------
    model, theta
        The model and its parameters, the last axis over the parameters.
    T
        Ages; they and the other axes of theta broadcast.
    generator
        The source of randomness.

    Returns
    -------
    Array
        Whole numbers as floats.

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> year = Steps(np.array([-52.0, -26.0, 0.0]), np.array([[0.0], [1.0]]), year=52.0, reference=(-52.0, 0.0))
    >>> model = on_clock(MODELS["bg_nbd"], year, ("high_season",))
    >>> counts_until_now(model, model.theta(model.example), np.full(4, 39.0), np.random.default_rng(1)).shape
    (4,)
    """
    base, clocked = model.base, (LeavingClock if "dropout" in model.base.clocks else PurchaseClock)
    assert base.draw_traits is not None
    params, clock = clocked(base, model.steps).split(theta)
    zero = np.zeros_like(T)
    traits = base.draw_traits(params, zero, zero, generator)
    stays = generator.random(len(T)) < base.p_alive(params, zero, zero, zero)
    shown = clock.at(np.minimum(traits.lifetime, T) - T) - clock.at(-T)
    count = generator.poisson(traits.purchase_rate * shown)
    return np.where(stays, np.minimum(count, traits.last_purchase), 0.0)


def traits_on_clock(
    model: ClockedModel, theta: Array, x: Array, T: Array, duration: Array, generator: np.random.Generator
) -> tuple[Traits, Clock]:
    """Draw customers alive at T, in the time that the clock shows from now on, and return the clock.

    Parameters
    ----------
    model, theta
        The model and its parameters, shape (parameters,) or (customers, parameters), with the same clock for all.
    x, T, duration
        Histories, and the time for which customers are asked for; shape (customers,). Who lives longer has no end.
    generator
        The source of randomness.

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> year = Steps(np.array([-52.0, -26.0, 0.0]), np.array([[0.0], [1.0]]), year=52.0, reference=(-52.0, 0.0))
    >>> model = on_clock(MODELS["pareto_nbd"], year, ("high_season",))
    >>> theta, history = model.theta(model.example), (np.zeros(3), np.full(3, 39.0), np.full(3, 52.0))
    >>> traits, clock = traits_on_clock(model, theta, *history, np.random.default_rng(1))
    >>> traits.purchase_rate.shape, float(clock.at(np.array(52.0)).round(6))
    ((3,), 52.0)
    """
    assert model.base.draw_traits is not None
    params, clock = PurchaseClock(model.base, model.steps).split(theta)
    traits = model.base.draw_traits(params, x, T, generator)
    lifetime = np.where(traits.lifetime <= duration, clock.at(np.minimum(traits.lifetime, duration)), np.inf)
    alpha = params[..., model.base.names.index(model.base.clocks["purchase"])]
    return Traits(traits.purchase_rate * (alpha + T) / (alpha - clock.at(-T)), lifetime, traits.last_purchase), clock


def _multiplier(name: str) -> str:
    """Return the name of the quantity that a prior is about; that of the parameter is the column's."""
    return f"multiplier_of_{name}"


def _quantity(name: str) -> Quantity:
    return Quantity(_multiplier(name), f"how many times the purchase rate is multiplied by one unit of {name}", PRIOR)


def _limits(name: str) -> tuple[Limit, Limit]:
    """Return where fits end to data without purchases while a column is high, or while it is low."""
    return (
        Limit(f"no purchase is made where {name} is high", ({name: -1.0},)),
        Limit(f"purchases are made only where {name} is high", ({name: 1.0},)),
    )


def _simulated(
    clocked: PurchaseClock, theta: Array, x: Array, T: Array, duration: Array, generator: np.random.Generator
) -> Events:
    """Simulate purchases in clock time, and say when they are in time."""
    base, size = clocked.base, len(clocked.base.parameters)
    assert base.draw_traits is not None
    params = theta[:, :size]
    multipliers, group = np.unique(theta[:, size:], axis=0, return_inverse=True)
    clocks = [clocked.steps.clock(np.log(each)) for each in multipliers]
    members = [np.flatnonzero(group.ravel() == number) for number in range(len(clocks))]

    def read(times: Array) -> Array:
        readings = np.empty(len(times))
        for clock, rows in zip(clocks, members, strict=True):
            readings[rows] = clock.at(times[rows])
        return readings

    traits = base.draw_traits(params, x, T, generator)
    alpha = params[:, base.names.index(base.clocks["purchase"])]
    lifetime = np.where(traits.lifetime <= duration, read(np.minimum(traits.lifetime, duration)), np.inf)
    rate = traits.purchase_rate * (alpha + T) / (alpha - read(-T))
    bought = events(Traits(rate, lifetime, traits.last_purchase), read(duration), generator)
    time, left = np.empty(len(bought.time)), np.empty(len(x))
    for clock, rows in zip(clocks, members, strict=True):
        of_purchase = np.isin(bought.customer, rows) if len(clocks) > 1 else slice(None)
        time[of_purchase] = clock.inverse(bought.time[of_purchase])
        left[rows] = clock.inverse(bought.left[rows])
    return Events(bought.customer, time, left, bought.alive)
