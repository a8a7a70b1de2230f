"""What follows from survival and purchase intensity, once for all transaction models (design: one quadrature).

    E[X(T, T+t]] = P(alive) int_0^t m(u) du
    D            = P(alive) int_0^H v(u) m(u) du        discounted expected residual transactions (DERT)
    L            = P(alive) int_0^H v(u) s(u) du        discounted expected residual living time (DERL)

with s and m given alive at T and v any discount factor. Source: Fader & Hardie, notes 013 and 027; Fader, Hardie & Lee
(2005), JMR 42(4), equation (2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.errors import ModelError
from clvmodels.models.grids import fall_time, grid_of_future, time_scale
from clvmodels.models.specification import Array, Reading, TransactionModel
from clvmodels.models.stages import ConditionalOnAlive, by_stage, over_stages
from clvmodels.numerics.distinct import distinct_rows
from clvmodels.numerics.interpolate import AgeInterpolant, by_age
from clvmodels.numerics.interpolate_readings import ReadingInterpolant, by_reading
from clvmodels.numerics.kernels import MANY_LAWS
from clvmodels.numerics.period_sums import few_periods
from clvmodels.numerics.quadrature import NestedGrids, Weighting
from clvmodels.numerics.threads import map_blocks, take

__all__ = [
    "OnReading",
    "alive",
    "everywhere",
    "expected_purchases",
    "interpolate_over_age",
    "pmf",
    "purchases",
    "residual",
    "residuals",
    "survival",
    "survive",
]

Index = NDArray[np.int64]

PAIRS_PER_BLOCK: Final = 256
PAIRS_OF_GROUPS_PER_BLOCK: Final = 2048
"""Where few customers share their parameters, few values come from an interpolant, and longer blocks pay."""
ROWS_PER_BLOCK: Final = 1 << 14
NUMBERS_OF_PMF: Final = 128
"""What a model may hold for one probability: the nodes of a quadrature."""
NUMBERS_OF_GRID: Final = 128
"""What a model may hold for one future: the nodes of its grid in time."""
NUMBERS_AT_A_TIME: Final = 1 << 17
AGES_OF_INTERPOLANT: Final = 12
"""At how many ages the future of a group and x is asked for, about, where customers of more ages share it."""
ROUNDING: Final = 1e-9
"""A time that is short of a whole period by this is one: units of time are converted."""
MOST_PERIODS: Final = 1_000_000


def purchases(model: TransactionModel, t: float) -> ConditionalOnAlive:
    """Return the function that gives E[purchases in (T, T + t]]."""
    time = _time(model, t)

    def of(model: TransactionModel) -> ConditionalOnAlive:
        return lambda theta, x, T: model.expected_purchases(theta, x[:, None], T[:, None], time)[..., None]

    if model.reading is None:
        return by_stage(model, of(model))
    return OnReading(of(model), of(model.reading.model), model.reading, 1)


def survive(model: TransactionModel, t: float) -> ConditionalOnAlive:
    """Return the function that gives P(alive at T + t)."""
    time = _time(model, t)

    def of(model: TransactionModel) -> ConditionalOnAlive:
        return lambda theta, x, T: model.future(theta, x[:, None], T[:, None], time)[0][..., None]

    if model.reading is None:
        return by_stage(model, of(model))
    return OnReading(of(model), of(model.reading.model), model.reading, 0)


def pmf(model: TransactionModel, t: float, n: float) -> ConditionalOnAlive:
    """Return the function that gives P(n purchases in (T, T + t])."""
    time, number = _time(model, t), np.asarray(n)

    def of(model: TransactionModel) -> ConditionalOnAlive:
        return _few_draws_at_a_time(
            lambda theta, x, T: model.pmf(theta, x[:, None], T[:, None], time, number)[..., None], NUMBERS_OF_PMF
        )

    if model.reading is None or not model.reading.counts:
        return by_stage(model, of(model))
    return OnReading(of(model), of(model.reading.model), model.reading, 0)


def _time(model: TransactionModel, t: float) -> Array:
    """Return a time ahead; in periods, the number of those that are over by then."""
    return np.asarray(np.floor(t * (1.0 + ROUNDING)) if model.time == "periods" else t)


@dataclass(frozen=True, eq=False)
class OnReading:
    """Something about customers alive at T that is smooth in what a clock shows; a `ConditionalOnAlive`.

    Attributes
    ----------
    exact
        The function of (theta, x, T).
    smooth
        The function of (theta, x, reading).
    reading
        How readings come of ages.
    intensities
        How many of the outputs, the first ones, are to be multiplied by the factor of the reading.
    """

    exact: ConditionalOnAlive
    smooth: ConditionalOnAlive
    reading: Reading
    intensities: int

    def __call__(self, theta: Array, x: Array, T: Array) -> Array:
        """Return the values, shape (points, draws, outputs)."""
        return self.exact(theta, x, T)

    def prepared(self, draws: Array, x: Array, T: Array, scale: float) -> ReadingInterpolant:
        """Return an interpolant for distinct pairs (x, T), which are sorted; draws of shape (draws, parameters)."""
        readings = np.broadcast_to(self.reading.of_age(draws, T[:, None]), (len(T), len(draws)))
        factor = None if self.reading.factor is None else self.reading.factor(draws, T[:, None])

        def exact(which: Index, rows: NDArray[np.intp]) -> Array:
            values = self.exact(draws[which], x[rows], T[rows])
            if factor is not None:  # what is interpolated goes without, and is multiplied in `finish`
                values[..., : self.intensities] /= factor[np.ix_(rows, which)][..., None]
            return values

        def finish(pairs: slice, values: Array) -> Array:
            if factor is not None:
                values[..., : self.intensities] *= factor[pairs][..., None]
            return values

        return by_reading(
            lambda which, x, shown: self.smooth(draws[which], x, shown), exact, x, T, readings, scale, finish
        )


def _few_draws_at_a_time(given: ConditionalOnAlive, numbers: int) -> ConditionalOnAlive:
    """Return a function that calls `given`, which holds so many numbers a point and draw, for few draws at a time."""

    def in_parts(theta: Array, x: Array, T: Array) -> Array:
        draws, at_a_time = theta.shape[-2], max(NUMBERS_AT_A_TIME // max(len(x) * numbers, 1), 1)
        parts = [given(theta[..., start : start + at_a_time, :], x, T) for start in range(0, draws, at_a_time)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    return in_parts


def residuals(
    model: TransactionModel,
    draws: Array,
    x: Array,
    T: Array,
    weightings: Sequence[Weighting],
    group: Index | None = None,
) -> ConditionalOnAlive:
    """Return the function that gives weighted integrals of the purchase intensity, and then of survival.

    In periods, they are sums over the ends of periods.

    Parameters
    ----------
    model, draws
        The model and the draws it will be asked for, shape (draws, parameters); or (groups, draws, parameters).
    x, T
        All customers it will be asked for, shape (n,).
    weightings
        The factors to integrate with, such as discount factors.
    group
        The group of each customer, shape (n,); None: all have the same parameters.
    """
    if model.time == "periods":
        nodes, weights = _periods(model, weightings)
        if model.smooth:
            nodes, weights = few_periods(weights)
        return _few_draws_at_a_time(lambda theta, x, T: _on_grid(model, theta, x, T, nodes, weights), len(nodes))
    if model.residuals is not None:
        given = model.residuals(draws, x, T, weightings)
        inner = None if model.reading is None else model.reading.model.residuals
        if model.reading is None or inner is None:
            return given
        return OnReading(given, inner(draws, x, T, weightings), model.reading, len(weightings))
    model = _for_many_laws(model, draws, x, group)
    end = max(weighting.end for weighting in weightings)
    if group is None or model.breaks is not None or model.stages is not None:
        grid = grid_of_future(model, draws, x, T, end)
        weights = np.column_stack([grid.weights(weighting) for weighting in weightings])
        on_grid = _few_draws_at_a_time(
            lambda theta, x, T: _on_grid(model, theta, x, T, grid.nodes, weights), len(grid.nodes)
        )
        return by_stage(model, on_grid)
    grids = NestedGrids(tuple(weightings))

    def on_grids(theta: Array, x: Array, T: Array) -> Array:
        """Groups may differ by orders of magnitude in how fast intensity falls: each run has a grid of its own."""
        run = _runs(theta, x)
        youngest = np.minimum.reduceat(T, run[:-1])
        first = fall_time(model, theta[run[:-1]], x[run[:-1]], youngest, time_scale(model, theta[run[:-1]])[:, None])
        level = np.repeat(grids.level(first.min(axis=1)), np.diff(run))
        result = np.empty((len(x), theta.shape[-2], 2 * len(weightings)))
        for number in np.unique(level).tolist():
            rows = np.flatnonzero(level == number)
            result[rows] = _on_grid(model, theta[rows], x[rows], T[rows], *grids.at(number))
        return result

    return _few_draws_at_a_time(on_grids, NUMBERS_OF_GRID)


def _for_many_laws(model: TransactionModel, draws: Array, x: Array, group: Index | None) -> TransactionModel:
    """Return the model, with its future compiled where so many laws are asked for that this pays.

    A law is a draw of the parameters of a group, with x purchases at an age.
    """
    number = draws.shape[-2]
    if model.kernel is None or number * len(x) < MANY_LAWS or (number == 1 and group is None):
        return model
    curves = np.unique(x if group is None else group * (x.max() + 1.0) + x)
    if number * min(len(x), AGES_OF_INTERPOLANT * len(curves)) < MANY_LAWS:
        return model
    future = model.kernel.future_of(model.future)
    return model if future is None else replace(model, future=future)


def _periods(model: TransactionModel, weightings: Sequence[Weighting]) -> tuple[Array, Array]:
    """Return the ends of the periods ahead, shape (periods,), and their weights, shape (periods, weightings).

    Raises
    ------
    ModelError
        If there are too many to be summed.
    """
    count = max(weighting.end for weighting in weightings)
    if count > MOST_PERIODS:
        raise ModelError(
            f"{model.name}: {count:,.0f} periods count before discounting ends them; state a horizon, or a higher"
            " discount rate"
        )
    ends = np.arange(1.0, float(_time(model, count)) + 1.0)
    factors = [np.where(ends <= float(_time(model, each.end)), each.at(ends), 0.0) for each in weightings]
    return ends, np.column_stack(factors)


def _on_grid(model: TransactionModel, theta: Array, x: Array, T: Array, nodes: Array, weights: Array) -> Array:
    """Return the integrals of intensity and survival; `nodes` of shape (nodes,), `weights` (nodes, weightings).

    The points of a run stand in one row, so that the model sees what their futures share.
    """
    run = _runs(theta, x)
    first, sizes, by_factor = run[:-1], np.diff(run), np.ascontiguousarray(weights.T)
    result = np.empty((len(x), theta.shape[-2], 2 * weights.shape[1]))
    for size in np.unique(sizes).tolist():
        start = first[sizes == size]
        rows = start[:, None] + np.arange(size)
        here = theta if theta.ndim == 2 else theta[start][:, None, None]
        alive, buys = model.future(here, x[start, None, None, None], T[rows][..., None, None], nodes[:, None])
        # Not by BLAS, whose own threads and those of the blocks would get into each other's way; sums of numbers that
        # lie side by side are three times as fast as others.
        in_line = (np.ascontiguousarray(values.swapaxes(2, 3)) for values in (buys, alive))
        both = [np.einsum("ijkl,ml->ijkm", values, by_factor) for values in in_line]
        result[rows] = np.concatenate(both, axis=-1)
    return result


def _runs(theta: Array, x: Array) -> Index:
    """Return where points with another theta or x begin, and the number of points; shape (runs + 1,)."""
    new = x[1:] != x[:-1]
    if theta.ndim == 3:
        new = new | (theta[1:] != theta[:-1]).any(axis=(1, 2))
    return np.concatenate(([0], np.flatnonzero(new) + 1, [len(x)]))


def interpolate_over_age(
    given: ConditionalOnAlive,
    model: TransactionModel,
    draws: Array,
    x: Array,
    T: Array,
    group: Index | None = None,
) -> AgeInterpolant | ReadingInterpolant:
    """Return an interpolant of `given` for distinct pairs (x, T), which are sorted.

    Parameters
    ----------
    given, model
        The function, and the model it asks.
    draws
        Of the parameters, shape (draws, parameters); or (groups, draws, parameters).
    x, T
        The pairs, shape (pairs,).
    group
        The group of each pair, by which they are sorted first; None: all have the same parameters.
    """
    if isinstance(given, OnReading) and group is None:
        return given.prepared(draws, x, T, float(time_scale(model, draws)))
    if model.time == "periods" or model.residuals is not None:  # only certain ages, or no smooth function of age

        def exactly(which: Index, row: Index, _: Array) -> Array:
            theta = draws[which] if group is None else draws[group[row][:, None], which]
            return given(theta, x[row], T[row])

        return by_age(exactly, np.arange(len(x)), T, 1.0, draws.shape[-2])
    if group is None:
        return by_age(lambda which, x, T: given(draws[which], x, T), x, T, float(time_scale(model, draws)), len(draws))
    run = np.concatenate(([True], (group[1:] != group[:-1]) | (x[1:] != x[:-1])))[: len(x)]
    of_run, x_of_run = group[run], x[run]

    def at(which: Index, run: Index, T: Array) -> Array:
        return given(draws[of_run[run][:, None], which], x_of_run[run], T)

    return by_age(at, np.cumsum(run) - 1, T, time_scale(model, draws)[of_run], draws.shape[1])


def alive(model: TransactionModel, theta: Array, x: Array, t_x: Array, T: Array, group: Index | None = None) -> Array:
    """Return P(alive at T) of many histories in threads, shape of x; theta and group as of `residual`."""
    values = np.empty(len(x))

    def fill(rows: slice) -> None:
        here = theta if group is None else theta[group[rows]]
        values[rows] = model.p_alive(here, x[rows], t_x[rows], T[rows])

    map_blocks(fill, len(x), ROWS_PER_BLOCK)
    return values


def expected_purchases(
    model: TransactionModel,
    theta: Array,
    x: Array,
    T: Array,
    t: float,
    group: Index | None = None,
    *,
    t_x: Array | None = None,
) -> Array:
    """Return E[purchases in (T, T + t] | alive at T], shape of x; theta, group and t_x as of `residual`."""
    return everywhere(purchases(model, t), model, theta, x, T, group, t_x=t_x)[:, 0]


def survival(
    model: TransactionModel,
    theta: Array,
    x: Array,
    T: Array,
    t: float,
    group: Index | None = None,
    *,
    t_x: Array | None = None,
) -> Array:
    """Return P(alive at T + t | alive at T), shape of x; theta, group and t_x as of `residual`."""
    return everywhere(survive(model, t), model, theta, x, T, group, t_x=t_x)[:, 0]


def residual(
    model: TransactionModel,
    theta: Array,
    x: Array,
    T: Array,
    weightings: Sequence[Weighting],
    group: Index | None = None,
    *,
    t_x: Array | None = None,
) -> tuple[Array, Array]:
    """Return weighted integrals of the purchase intensity and of survival, given that customers are alive at T.

    Parameters
    ----------
    model, theta
        The model and one point of its parameters, shape (parameters,); or one of each group, (groups, parameters).
    x, T
        Purchases and age, shape (n,).
    weightings
        The factors to integrate with, such as discount factors.
    group
        The group of each customer, shape (n,); None: all have the same parameters.
    t_x
        Time of the last purchase, shape (n,), which the future depends on where purchases take stages; None: now.

    Returns
    -------
    purchases, living_time
        Shape (n, weightings) each; living time in the unit of T.
    """
    if len(x) == 0 or max(weighting.end for weighting in weightings) == 0.0:
        return np.zeros((len(x), len(weightings))), np.zeros((len(x), len(weightings)))
    given = residuals(model, theta[..., None, :], x, T, weightings, group)
    both = everywhere(given, model, theta, x, T, group, t_x=t_x)
    return both[:, : len(weightings)], both[:, len(weightings) :]


def everywhere(
    given: ConditionalOnAlive,
    model: TransactionModel,
    theta: Array,
    x: Array,
    T: Array,
    group: Index | None,
    *,
    t_x: Array | None = None,
) -> Array:
    """Return `given` for every customer under one theta, shape (n, outputs); t_x as of `residual`."""
    if len(x) == 0:
        return np.zeros((0, 1))
    groups = [] if group is None else [group.astype(float)]
    pairs = distinct_rows(*groups, x, T, with_order=True)
    *groups, counts, ages = np.ascontiguousarray(pairs.rows.T)
    of_pair = groups[0].astype(np.int64) if groups else None
    prepared = interpolate_over_age(given, model, theta[..., None, :], counts, ages, of_pair)
    at_a_time = PAIRS_OF_GROUPS_PER_BLOCK if groups else PAIRS_PER_BLOCK
    values = take(np.concatenate(map_blocks(prepared.at, len(ages), at_a_time))[:, 0], pairs.index)
    here = theta if group is None else theta[group]
    return over_stages(model, here, x, T if t_x is None else t_x, T, values)
