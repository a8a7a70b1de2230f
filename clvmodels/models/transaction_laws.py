"""Laws that every model of transactions keeps. Times are counted in mean times between purchases, or in periods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy import special

from clvmodels.models.derived import residual
from clvmodels.models.kernel_law import KERNEL_LAW, KERNEL_TOLERANCE, kernel_error
from clvmodels.models.law import SIMULATED, SMALL, STEP, ConsistencyCheck, gradient_error, relative_error
from clvmodels.models.simulation import new_customers, simulated
from clvmodels.models.specification import Array, ContractModel, TransactionModel
from clvmodels.numerics.quadrature import Weighting, log_integral_of_peak

__all__ = ["LAWS"]

GRID: Final = np.array(
    [(0, 0, 0), (0, 0, 2), (1, 0.3, 2), (2, 1.7, 2.2), (7, 2.2, 2.2), (10, 1.1, 2.2), (26, 1.7, 1.71), (3, 0.03, 6)]
).T
"""x, and t_x and T in mean times between purchases; shape (3, histories)."""
AHEAD: Final = (0.006, 0.6, 2.2, 6.0, 60.0)
PERIODS: Final = np.array(
    [(0, 0, 0), (0, 0, 2), (1, 1, 2), (2, 2, 3), (3, 5, 6), (6, 6, 6), (4, 7, 9), (1, 1, 10)], float
).T
"""x, t_x and n of a model in periods."""
PERIODS_AHEAD: Final = (1.0, 2.0, 5.0, 12.0)
MANY_PERIODS: Final = 500.0
"""So many that a model whose future is smooth between the ends of periods is asked for few of them."""
FEWEST, MOST, LAST = 250, 8_000, 1e-17
"""How many probabilities of counts are looked at: until they are this small."""
RARE: Final = 1e-12


def _gap(model: TransactionModel, theta: Array) -> float:
    """Return the mean time between purchases, or a period."""
    return 1.0 if model.time == "periods" else float(1.0 / model.mean_purchase_rate(theta))


def _grid(model: TransactionModel, theta: Array) -> tuple[Array, Array, Array]:
    x, t_x, T = PERIODS if model.time == "periods" else GRID
    gap = _gap(model, theta)
    return x, t_x * gap, T * gap


def _stages(model: TransactionModel) -> int:
    """Return how many stages a purchase takes."""
    return 1 if model.stages is None else model.stages.number


def _ahead(model: TransactionModel, theta: Array) -> Array:
    """Return times ahead."""
    return np.array(PERIODS_AHEAD) if model.time == "periods" else np.array(AHEAD) * _gap(model, theta)


def _everything(model: TransactionModel, theta: Array, x: Array, t_x: Array, T: Array, t: Array) -> tuple[Array, ...]:
    """Return the values of all functions of arrays."""
    future = model.future(theta, x, T, t), model.expected_purchases(theta, x, T, t)
    return (
        model.log_likelihood(theta, x, t_x, T),
        model.p_alive(theta, x, t_x, T),
        *future[0],
        future[1],
        model.pmf(theta, x, T, t, np.asarray(2.0)),
    )


def _broadcasts(model: TransactionModel, theta: Array) -> float:
    histories, t = _grid(model, theta), np.asarray(_gap(model, theta))
    grown = 1.0 + 0.1 * np.arange(3.0)
    draws = model.lower + (theta - model.lower) * grown[:, None, None]
    together = _everything(model, draws, *histories, t)
    alone = zip(*(_everything(model, draw[0], *histories, t) for draw in draws), strict=True)
    return max(relative_error(values, np.stack(each), SMALL) for values, each in zip(together, alone, strict=True))


def _by_row(model: TransactionModel, theta: Array) -> float:
    """Return the largest error where each history has parameters of its own, against one history after the other."""
    histories, t = _grid(model, theta), np.asarray(_gap(model, theta))
    rows = model.lower + (theta - model.lower) * (1.0 + 0.1 * np.arange(len(histories[0])))[:, None]

    def everything(theta: Array, x: Array, t_x: Array, T: Array) -> tuple[Array, ...]:
        slopes = model.count_terms(theta, x)[1], model.history_terms(theta, x, t_x, T)[1]
        return (*_everything(model, theta, x, t_x, T, t), *slopes)

    together = everything(rows, *histories)
    alone = zip(*(everything(row, *(column[[k]] for column in histories)) for k, row in enumerate(rows)), strict=True)
    return max(
        relative_error(values, np.concatenate(each), SMALL) for values, each in zip(together, alone, strict=True)
    )


def _gradient(model: TransactionModel, theta: Array) -> float:
    x, t_x, T = _grid(model, theta)
    return max(gradient_error(model.count_terms, theta, (x,)), gradient_error(model.history_terms, theta, (x, t_x, T)))


def _sums(model: TransactionModel, theta: Array) -> float:
    histories = _grid(model, theta)
    weight = np.linspace(1.0, 2.0, len(histories[0]))
    worst = 0.0
    for sums in (model.history_sums, model.history_expansion):
        if sums is not None:
            pairs = zip(sums(theta, weight, *histories)[:2], model.history_terms(theta, *histories), strict=True)
            worst = max(worst, *(relative_error(np.asarray(sum_), weight @ each, SMALL) for sum_, each in pairs))
    return worst


def _curvature(model: TransactionModel, theta: Array) -> float:
    if model.count_curvature is None or model.history_expansion is None:
        return 0.0
    x, t_x, T = (column[1:] for column in _grid(model, theta))
    weight = np.linspace(1.0, 2.0, len(x))
    parts = (
        (model.count_terms, model.count_curvature(theta, weight, x), (x,)),
        (model.history_terms, model.history_expansion(theta, weight, x, t_x, T)[2], (x, t_x, T)),
    )
    worst = 0.0
    for terms, curvature, columns in parts:
        for k, shift in enumerate(10.0 * STEP * np.diag(theta)):
            above, below = (weight @ terms(theta + sign * shift, *columns)[1] for sign in (1.0, -1.0))
            difference = (above - below) / (20.0 * STEP) * theta
            worst = max(worst, relative_error(curvature[k] * theta[k] * theta, difference, 1e-2))
    return worst


def _kernel(model: TransactionModel, theta: Array) -> float:
    x, t_x, T = _grid(model, theta)
    later = T + _gap(model, theta)
    others = [np.zeros(2 * len(x))] * (len(model.statistics) - 3)  # of customers observed from their start
    return kernel_error(model, theta, [np.tile(x, 2), np.tile(t_x, 2), np.append(T, later), *others])


def _probabilities(model: TransactionModel, theta: Array) -> float:
    x, t_x, T = _grid(model, theta)
    times = _ahead(model, theta)[:, None]
    probabilities = (model.p_alive(theta, x, t_x, T), model.future(theta, x, T, times)[0])
    counts = model.pmf(theta, x[:, None], T[:, None], times[:, :, None], np.arange(5.0))
    return max(float(np.max(np.maximum(-values, values - 1.0))) for values in (*probabilities, counts))


def _silence(model: TransactionModel, theta: Array) -> float:
    gap = _gap(model, theta)
    T = np.arange(5.0, 35.0) if model.time == "periods" else np.linspace(1.1, 11.0, 30) * gap
    counts = np.array([0.0, 1.0, 5.0])[:, None]
    alive = model.p_alive(theta, counts, np.where(counts > 0, T[0], 0.0), T)
    return float(np.diff(alive).max())


def _ageing(model: TransactionModel, theta: Array) -> float:
    x, _, T = (column[:, None] for column in _grid(model, theta))
    t = np.arange(40.0) if model.time == "periods" else np.linspace(0.0, 20.0, 40) * _gap(model, theta)
    swings = model.stages is not None  # between purchases that take stages, the intensity does
    survival, intensity = model.future(theta, x, T, t)
    bought = model.expected_purchases(theta, x, T, t)
    starts = max(relative_error(survival[:, 0], np.ones(len(x))), float(np.abs(bought[:, 0]).max()))
    never_rise = (survival, -bought) if swings else (survival, intensity, -bought)
    return max(starts, *(float(np.max(np.diff(values))) for values in never_rise))


def _integral(model: TransactionModel, theta: Array) -> float:
    x, _, T = _grid(model, theta)
    worst, far = 0.0, [MANY_PERIODS] if model.smooth else []
    for t in (*_ahead(model, theta), *far):
        integral = residual(model, theta, x, T, [Weighting(np.ones_like, float(t))])[0][:, 0]
        passed = _stages(model) * x
        worst = max(worst, relative_error(model.expected_purchases(theta, passed, T, np.asarray(t)), integral))
    return worst


def _counts(model: TransactionModel, theta: Array) -> float:
    worst = 0.0
    for x, age in (
        ((0.0, 0.0), (2.0, 3.0), (6.0, 6.0)) if model.time == "periods" else ((0.0, 0.0), (2.0, 2.2), (26.0, 1.71))
    ):
        for t in _ahead(model, theta)[:4]:
            history, time = (np.asarray(x), np.asarray(age * _gap(model, theta))), np.asarray(t)
            probability = _until_rare(model, theta, *history, time)
            mean = model.expected_purchases(theta, *history, time)
            worst = max(
                worst,
                abs(float(probability.sum()) - 1.0),
                relative_error(probability @ np.arange(len(probability)), mean),
            )
    return worst


def _until_rare(model: TransactionModel, theta: Array, x: Array, T: Array, t: Array) -> Array:
    """Return the probabilities of 0, 1, 2, ... purchases until they vanish."""
    size = FEWEST
    while True:
        probabilities = model.pmf(theta, x, T, t, np.arange(float(size)))
        if probabilities[-1] < LAST or size >= MOST:
            return probabilities
        size *= 2


def _over_times(model: TransactionModel, theta: Array, T: Array, x: Array, *, alive: bool) -> Array:
    """Return the likelihood, or its part that is alive at T, integrated over the times of x purchases until T.

    It does not depend on the times of those before the last one, at t_x, which have t_x^(x-1) / (x-1)! to lie in; where
    purchases take k stages, these have t_x^(kx-1) / (kx-1)!, and the likelihood leaves out Gamma(k)^x. In periods,
    there are t_x - 1 over x - 1 ways to choose them.
    """
    if model.time == "periods":
        return _over_periods(model, theta, int(T), x, alive=alive)
    many = np.maximum(x, 1.0)
    passed, left_out = _stages(model) * many, many * special.gammaln(_stages(model))

    def log_terms(x: Array, t_x: Array) -> Array:
        history = np.broadcast_arrays(x, t_x, T)
        value = model.log_likelihood(theta, *history)
        if alive:
            value = value + np.log(np.maximum(model.p_alive(theta, *history), np.finfo(float).tiny))
        return value

    def log_integrand(y: Array) -> Array:
        """In y = log(t_x / T)."""
        times = passed[:, None] * (y + np.log(T)) - (special.gammaln(passed) - left_out)[:, None]
        return np.asarray(log_terms(many[:, None], T * np.exp(y)) + times)

    bought = log_integral_of_peak(log_integrand, np.full(x.shape, -60.0), np.zeros(x.shape))
    return np.exp(np.where(x > 0, bought, log_terms(np.zeros(x.shape), np.zeros(x.shape))))


def _over_periods(model: TransactionModel, theta: Array, n: int, x: Array, *, alive: bool) -> Array:
    t_x = np.arange(1.0, n + 1.0)
    counts, last = (part.ravel() for part in np.meshgrid(x, np.append(0.0, t_x), indexing="ij"))
    possible = np.where(counts > 0, (counts <= last) & (last > 0), last == 0)
    if isinstance(model, ContractModel):  # renewals come in a row
        possible = last == counts
    ways = np.where(counts > 0, special.binom(np.maximum(last - 1.0, 0.0), np.maximum(counts - 1.0, 0.0)), 1.0)
    history = np.where(possible, counts, 0.0), np.where(possible, last, 0.0), np.full(len(counts), float(n))
    terms = np.exp(model.log_likelihood(theta, *history))
    terms *= model.p_alive(theta, *history) if alive else 1.0
    return np.asarray(np.where(possible, ways * terms, 0.0).reshape(len(x), -1).sum(axis=1))


def _likelihood(model: TransactionModel, theta: Array) -> float:
    zero, n = np.asarray(0.0), np.arange(20.0)
    p_alive_new = model.p_alive(theta, zero, zero, zero)
    worst = 0.0
    ages = np.array((1.0, 3.0, 8.0)) if model.time == "periods" else np.array((0.03, 2.2, 22.0)) * _gap(model, theta)
    for T in ages:
        counts = p_alive_new * model.pmf(theta, zero, zero, T, n) + (1.0 - p_alive_new) * (n == 0)
        worst = max(worst, relative_error(_over_times(model, theta, T, n, alive=False), counts, RARE))
    return worst


def _alive(model: TransactionModel, theta: Array) -> float:
    zero, T = np.asarray(0.0), np.asarray(3.0 if model.time == "periods" else 0.5 * _gap(model, theta))
    survival = model.p_alive(theta, zero, zero, zero) * model.future(theta, zero, zero, T)[0]
    counts = _until_rare(model, theta, zero, zero, T)
    enough = np.arange(1.0 + np.argmax(np.cumsum(counts) > 1.0 - RARE))
    return relative_error(_over_times(model, theta, T, enough, alive=True).sum(), survival)


def _score(model: TransactionModel, theta: Array) -> float:
    """Return the slope of the log-likelihood of simulated histories at the truth, in units of its spread, squared."""
    T = np.full(SIMULATED, 8.0 if model.time == "periods" else 4.0 * _gap(model, theta))
    bought = new_customers(model, theta, T, np.random.default_rng(1))[0]
    x, t_x = np.bincount(bought.customer, minlength=SIMULATED).astype(float), np.zeros(SIMULATED)
    np.maximum.at(t_x, bought.customer, bought.time)
    slopes = (model.count_terms(theta, x)[1] + model.history_terms(theta, x, t_x, T)[1]) * theta
    total = slopes.sum(axis=0)
    return float(total @ np.linalg.solve(slopes.T @ slopes, total))


def _futures(model: TransactionModel, theta: Array) -> float:
    """Return the largest difference between simulated and computed futures, in standard errors."""
    gap, n = _gap(model, theta), np.arange(4.0)
    by_period = model.time == "periods"
    t = np.asarray(3.0 if by_period else 1.5 * gap)
    worst = 0.0
    for x, age in ((0.0, 0.0), (3.0, 4.0 if by_period else 2.2)):
        purchases, T = np.asarray(x), np.asarray(age * gap)
        everybody = np.full(SIMULATED, x), np.full(SIMULATED, T), np.full(SIMULATED, t)
        points = np.broadcast_to(theta, (SIMULATED, len(theta)))
        drawn = simulated(model, points, *everybody, np.random.default_rng(2))
        counts = np.bincount(drawn.customer, minlength=SIMULATED)
        shares = np.array([*(counts[:, None] == n).mean(axis=0), drawn.alive.mean()])
        truth = np.append(model.pmf(theta, purchases, T, t, n), model.future(theta, purchases, T, t)[0])
        errors = np.sqrt(truth * (1.0 - truth) / SIMULATED) + 1.0 / SIMULATED
        mean = model.expected_purchases(theta, purchases, T, t)
        of_mean = counts.std() / np.sqrt(SIMULATED)
        worst = max(worst, *np.abs((shares - truth) / errors), abs(float(counts.mean() - mean)) / of_mean)
    return float(worst)


def _rate(model: TransactionModel, theta: Array) -> float:
    if model.stages is not None:
        rate = model.stages.rate(theta, np.zeros(()), np.zeros(())) / model.stages.number
        return relative_error(model.mean_purchase_rate(theta), rate)
    now, then = np.asarray(0.0), np.asarray(1.0 if model.time == "periods" else 0.0)
    survival, intensity = model.future(theta, now, now, then)
    return relative_error(model.mean_purchase_rate(theta), intensity / survival)


def _units(model: TransactionModel, theta: Array) -> float:
    if model.time == "periods":
        return 0.0  # a period is a period
    x, t_x, T = _grid(model, theta)
    t = np.asarray(_gap(model, theta))
    weeks, days = (
        _everything(model, theta, x, t_x, T, t),
        _everything(model, theta * model.units(time=7.0), x, *(7.0 * time for time in (t_x, T, t))),
    )
    log_likelihood, alive, survival, intensity, *others = days
    same = (log_likelihood + _stages(model) * x * np.log(7.0), alive, survival, 7.0 * intensity, *others)
    return max(relative_error(values, expected, SMALL) for values, expected in zip(same, weeks, strict=True))


def _quantities(model: TransactionModel, theta: Array) -> float:
    if not model.quantities:
        return 0.0
    year, params = 20.0 * _gap(model, theta), dict(zip(model.names, theta, strict=True))
    quantities = model.to_quantities(params, year)
    back = model.from_quantities(quantities, year)
    scaled = dict(zip(model.names, theta * model.units(time=7.0), strict=True))
    again = model.to_quantities(scaled, 7.0 * year)
    named = {quantity.name: 1.0 if quantity.share else np.inf for quantity in model.quantities}
    if set(back) != set(model.names) or set(quantities) != set(named):
        return np.inf
    if not all(0.0 < quantities[name] < upper for name, upper in named.items()):
        return np.inf
    values = [*(back[name] for name in model.names), *(again[name] for name in named)]
    return relative_error(np.array(values), np.array([*theta, *(quantities[name] for name in named)]))


def _starts(model: TransactionModel, _: Array) -> float:
    if any(len(start) != len(model.parameters) for start in model.starts) or not model.starts:
        return np.inf
    x, t_x, T = PERIODS if model.time == "periods" else GRID / np.array([1.0, 6.0, 6.0])[:, None]
    starts = np.array(model.starts)
    good = np.all(starts > model.lower) and np.isfinite(model.log_likelihood(starts[:, None], x, t_x, T)).all()
    return 0.0 if good else np.inf


LAWS: Final[Sequence[ConsistencyCheck]] = (
    ConsistencyCheck("starting points are inside the bounds, and the log-likelihood is finite there", _starts, 0.0),
    ConsistencyCheck("all functions broadcast over draws and histories", _broadcasts, 1e-12),
    ConsistencyCheck("each history may have parameters of its own", _by_row, 1e-9),
    ConsistencyCheck("the gradients are those of the log-likelihood", _gradient, 1e-5),
    ConsistencyCheck("the sums of terms, if there are any, are the sums of the terms", _sums, 1e-12),
    ConsistencyCheck("the curvatures, if there are any, are those of the gradients", _curvature, 1e-6),
    ConsistencyCheck(KERNEL_LAW, _kernel, KERNEL_TOLERANCE),
    ConsistencyCheck("probabilities lie between zero and one", _probabilities, 1e-12),
    ConsistencyCheck("silence makes it no more likely that a customer is alive", _silence, 1e-12),
    ConsistencyCheck(
        "survival and intensity never rise, survival from one; purchases never fall, from zero", _ageing, 1e-12
    ),
    ConsistencyCheck("expected purchases are the integral of the intensity", _integral, 1e-9),
    ConsistencyCheck(
        "the probabilities of counts sum to one and have the expected purchases as their mean", _counts, 1e-9
    ),
    ConsistencyCheck(
        "the likelihood, integrated over the times of purchases, gives the probabilities of counts", _likelihood, 1e-9
    ),
    ConsistencyCheck("P(alive), averaged over the histories that can occur, is survival", _alive, 1e-9),
    ConsistencyCheck("the mean purchase rate is the intensity of new customers", _rate, 1e-12),
    ConsistencyCheck("the log-likelihood of simulated histories has no slope at the truth", _score, 40.0),
    ConsistencyCheck("simulated futures have the probabilities of counts, survival and intensity", _futures, 5.0),
    ConsistencyCheck("a change of the unit of time changes time-like parameters only", _units, 1e-10),
    ConsistencyCheck(
        "quantities and parameters are each other's inverse, and quantities have no unit", _quantities, 1e-10
    ),
)
