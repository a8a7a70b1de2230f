"""Laws that every model of spend keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from clvmodels.models.kernel_law import KERNEL_LAW, KERNEL_TOLERANCE, kernel_error
from clvmodels.models.law import SIMULATED, SMALL, ConsistencyCheck, gradient_error, relative_error
from clvmodels.models.specification import Array, SpendModel
from clvmodels.numerics.quadrature import log_integral_of_peak

__all__ = ["SPEND_LAWS"]

SPEND: Final = ("x", "mean")
"""The statistics of a likelihood of means; others are of single orders."""
LOG_STEP: Final = 0.1
"""Of the trapezoidal rule, whose error is then far below rounding for densities as smooth as these."""

ORDERS: Final = np.array([1.0, 2.0, 5.0, 40.0])
"""x of customers with repeat purchases; their means are `MEANS` times that of the population."""
MEANS: Final = np.array([0.2, 1.0, 3.0, 0.7])


SPREAD: Final = 0.5
"""Of the logs of a customer's orders around their middle, where single orders count."""


def _population(model: SpendModel, theta: Array) -> float:
    """Return the mean order of the population."""
    return float(model.expected_spend(theta, np.zeros(1), np.full(1, np.nan))[0])


def _columns(names: Sequence[str], mean: Array) -> list[Array]:
    """Return statistics by name of customers with `ORDERS` orders of these means."""
    logs = [SPREAD * np.linspace(-1.0, 1.0, int(x)) if x > 1 else np.zeros(1) for x in ORDERS]
    centred = np.array([each.mean() - np.log(np.exp(each).mean()) for each in logs])
    known = {"log_mean": np.log(mean) + centred, "log_ss": np.array([each.var() * len(each) for each in logs])}
    known |= {"mean": mean, "valued_mean": mean, "x": ORDERS, "valued": ORDERS}
    known |= {"known": ORDERS, "known_mean": mean, "known_ss": mean**2 * known["log_ss"]}
    return [known[name.removesuffix("_all")] for name in names]


def _likelihood_columns(model: SpendModel, theta: Array) -> list[Array]:
    return _columns(model.statistics, MEANS * _population(model, theta))


def _state(model: SpendModel, theta: Array) -> list[Array]:
    return _columns(model.state, MEANS * _population(model, theta))


def _spend_starts(model: SpendModel, _: Array) -> float:
    starts = np.array(model.starts)
    if starts.ndim != 2 or starts.shape[1] != len(model.parameters):
        return np.inf
    columns = _columns(model.statistics, MEANS)
    good = np.all(starts > model.lower) and np.isfinite(model.log_likelihood(starts[:, None], *columns)).all()
    return 0.0 if good else np.inf


def _spend_by_row(model: SpendModel, theta: Array) -> float:
    rows = model.lower + (theta - model.lower) * (1.0 + 0.1 * np.arange(len(ORDERS)))[:, None]
    errors = []
    for function, columns in (
        (model.log_likelihood, _likelihood_columns(model, theta)),
        (model.expected_spend, _state(model, theta)),
    ):
        alone = [function(row, *(column[[k]] for column in columns)) for k, row in enumerate(rows)]
        errors.append(relative_error(function(rows, *columns), np.concatenate(alone), SMALL))
    return max(errors)


def _spend_gradient(model: SpendModel, theta: Array) -> float:
    columns = _likelihood_columns(model, theta)
    of_counts = gradient_error(model.count_terms, theta, columns[:1])
    return max(of_counts, gradient_error(model.history_terms, theta, columns))


def _spend_kernel(model: SpendModel, theta: Array) -> float:
    mean = MEANS * _population(model, theta)
    twice = zip(*(_columns(model.statistics, each) for each in (mean, 2.0 * mean)), strict=True)
    return kernel_error(model, theta, [np.concatenate(pair) for pair in twice])


def _spend_density(model: SpendModel, theta: Array) -> float:
    """Return how far the likelihood, integrated over all means, or over all orders, is from one."""
    if model.statistics != SPEND:
        return _density_of_orders(model, theta)

    def log_integrand(y: Array) -> Array:
        """In y = log of the mean, in units of that of the population."""
        mean = _population(model, theta) * np.exp(y)
        value = model.log_likelihood(theta, np.broadcast_to(ORDERS[:, None], mean.shape), mean)
        return np.asarray(value + np.log(mean))

    lowest = np.full(len(ORDERS), -60.0)
    return float(np.abs(np.exp(log_integral_of_peak(log_integrand, lowest, -lowest)) - 1.0).max())


def _density_of_orders(model: SpendModel, theta: Array) -> float:
    """Return the same of one order and of two, by the trapezoidal rule in their logs, where the density is smooth.

    Where orders may be negative, it is in the orders themselves.
    """
    if model.signed:
        return _density_of_signed_orders(model, theta)
    y = np.arange(-30.0, 30.0, LOG_STEP)
    errors = []
    for logs in (y[None], np.stack(np.meshgrid(y, y)).reshape(2, -1)):
        orders = _population(model, theta) * np.exp(logs)
        known = {"mean": orders.mean(axis=0), "valued_mean": orders.mean(axis=0)}
        known |= {"log_mean": np.log(orders).mean(axis=0), "log_ss": logs.var(axis=0) * len(logs)}
        number = np.full(logs.shape[1], float(len(logs)))
        columns = [known.get(name.removesuffix("_all"), number) for name in model.statistics]
        density = np.exp(model.log_likelihood(theta, *columns) + np.log(orders).sum(axis=0))
        errors.append(abs(density.sum() * LOG_STEP ** len(logs) - 1.0))
    return float(max(errors))


def _density_of_signed_orders(model: SpendModel, theta: Array) -> float:
    nobody = np.zeros(SIMULATED)
    drawn = model.draw_orders(theta, nobody, np.full(SIMULATED, np.nan), np.arange(SIMULATED), np.random.default_rng(4))
    step = LOG_STEP * drawn.std()
    y, errors = _population(model, theta) + step * np.arange(-150, 151), []
    for orders in (y[None], np.stack(np.meshgrid(y, y)).reshape(2, -1)):
        mean = orders.mean(axis=0)
        columns = (np.full(orders.shape[1], float(len(orders))), mean, ((orders - mean) ** 2).sum(axis=0))
        density = np.exp(model.log_likelihood(theta, *columns))
        errors.append(abs(density.sum() * step ** len(orders) - 1.0))
    return float(max(errors))


def _spend_limits(model: SpendModel, theta: Array) -> float:
    """Return how far the expectation after a great many orders is from their mean; or from proportion to their level.

    Where the level is a mean of logs, how far the mean lies above it depends on the parameters alone.
    """
    level = _state(model, theta)[1]
    expected = model.expected_spend(theta, np.full(len(level), 1e12), level)
    if not model.state[1].startswith("log_mean"):
        return relative_error(expected, level)
    above = expected / np.exp(level)
    return max(relative_error(above, np.broadcast_to(above[0], above.shape)), float(np.any(above < 1.0)))


def _spend_draws(model: SpendModel, theta: Array) -> float:
    """Return the largest difference between drawn and expected orders, in standard errors."""
    orders, level = _state(model, theta)
    x, level = np.append(0.0, orders), np.append(np.nan, level)
    owner = np.repeat(np.arange(len(x) * SIMULATED), 1)
    drawn = model.draw_orders(
        theta, np.repeat(x, SIMULATED), np.repeat(level, SIMULATED), owner, np.random.default_rng(4)
    )
    drawn = drawn.reshape(len(x), SIMULATED)
    errors = drawn.std(axis=1) / np.sqrt(SIMULATED)
    return float(np.max(np.abs(drawn.mean(axis=1) - model.expected_spend(theta, x, level)) / errors))


def _spend_units(model: SpendModel, theta: Array) -> float:
    mean = MEANS * _population(model, theta)
    cents = theta * model.units(money=100.0)
    values = 1.0 if model.statistics == SPEND else ORDERS
    same = (
        model.expected_spend(cents, *_columns(model.state, 100.0 * mean)) / 100.0,
        model.log_likelihood(cents, *_columns(model.statistics, 100.0 * mean)) + values * np.log(100.0),
    )
    here = (
        model.expected_spend(theta, *_columns(model.state, mean)),
        model.log_likelihood(theta, *_columns(model.statistics, mean)),
    )
    return max(relative_error(values, expected, SMALL) for values, expected in zip(same, here, strict=True))


SPEND_LAWS: Final[Sequence[ConsistencyCheck]] = (
    ConsistencyCheck(
        "starting points are inside the bounds, and the log-likelihood is finite there", _spend_starts, 0.0
    ),
    ConsistencyCheck("each history may have parameters of its own", _spend_by_row, 1e-9),
    ConsistencyCheck("the gradients are those of the log-likelihood", _spend_gradient, 1e-5),
    ConsistencyCheck(KERNEL_LAW, _spend_kernel, KERNEL_TOLERANCE),
    ConsistencyCheck("the likelihood of the mean of orders is a density", _spend_density, 1e-8),
    ConsistencyCheck("after a great many orders, their mean is expected", _spend_limits, 1e-6),
    ConsistencyCheck("drawn orders have the expected values as their mean", _spend_draws, 5.0),
    ConsistencyCheck("a change of the unit of money changes money-like parameters only", _spend_units, 1e-10),
)
