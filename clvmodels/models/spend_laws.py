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

ORDERS: Final = np.array([1.0, 2.0, 5.0, 40.0])
"""x of customers with repeat purchases; their means are `MEANS` times that of the population."""
MEANS: Final = np.array([0.2, 1.0, 3.0, 0.7])


def _orders(model: SpendModel, theta: Array) -> tuple[Array, Array]:
    return ORDERS, MEANS * float(model.expected_spend(theta, np.zeros(1), np.full(1, np.nan))[0])


def _spend_starts(model: SpendModel, _: Array) -> float:
    starts = np.array(model.starts)
    if starts.ndim != 2 or starts.shape[1] != len(model.parameters):
        return np.inf
    good = np.all(starts > model.lower) and np.isfinite(model.log_likelihood(starts[:, None], ORDERS, MEANS)).all()
    return 0.0 if good else np.inf


def _spend_by_row(model: SpendModel, theta: Array) -> float:
    x, mean = _orders(model, theta)
    rows = model.lower + (theta - model.lower) * (1.0 + 0.1 * np.arange(len(x)))[:, None]
    together = (model.log_likelihood(rows, x, mean), model.expected_spend(rows, x, mean))
    alone = [
        np.concatenate([function(row, x[[k]], mean[[k]]) for k, row in enumerate(rows)])
        for function in (model.log_likelihood, model.expected_spend)
    ]
    return max(relative_error(values, each, SMALL) for values, each in zip(together, alone, strict=True))


def _spend_gradient(model: SpendModel, theta: Array) -> float:
    x, mean = _orders(model, theta)
    return max(gradient_error(model.count_terms, theta, (x,)), gradient_error(model.history_terms, theta, (x, mean)))


def _spend_kernel(model: SpendModel, theta: Array) -> float:
    x, mean = _orders(model, theta)
    return kernel_error(model, theta, [np.tile(x, 2), np.append(mean, 2.0 * mean)])


def _spend_density(model: SpendModel, theta: Array) -> float:
    """Return how far the likelihood, integrated over all means, is from one."""

    def log_integrand(y: Array) -> Array:
        """In y = log of the mean, in units of that of the population."""
        mean = float(model.expected_spend(theta, np.zeros(1), np.full(1, np.nan))[0]) * np.exp(y)
        value = model.log_likelihood(theta, np.broadcast_to(ORDERS[:, None], mean.shape), mean)
        return np.asarray(value + np.log(mean))

    lowest = np.full(len(ORDERS), -60.0)
    return float(np.abs(np.exp(log_integral_of_peak(log_integrand, lowest, -lowest)) - 1.0).max())


def _spend_limits(model: SpendModel, theta: Array) -> float:
    """Return how far the expectation after a great many orders is from their mean."""
    mean = _orders(model, theta)[1]
    return relative_error(model.expected_spend(theta, np.full(len(mean), 1e12), mean), mean)


def _spend_draws(model: SpendModel, theta: Array) -> float:
    """Return the largest difference between drawn and expected orders, in standard errors."""
    x, mean = np.append(0.0, ORDERS), np.append(np.nan, _orders(model, theta)[1])
    owner = np.repeat(np.arange(len(x) * SIMULATED), 1)
    orders = model.draw_orders(
        theta, np.repeat(x, SIMULATED), np.repeat(mean, SIMULATED), owner, np.random.default_rng(4)
    )
    orders = orders.reshape(len(x), SIMULATED)
    errors = orders.std(axis=1) / np.sqrt(SIMULATED)
    return float(np.max(np.abs(orders.mean(axis=1) - model.expected_spend(theta, x, mean)) / errors))


def _spend_units(model: SpendModel, theta: Array) -> float:
    x, mean = _orders(model, theta)
    cents = theta * model.units(money=100.0)
    same = (
        model.expected_spend(cents, x, 100.0 * mean) / 100.0,
        model.log_likelihood(cents, x, 100.0 * mean) + np.log(100.0),
    )
    here = model.expected_spend(theta, x, mean), model.log_likelihood(theta, x, mean)
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
