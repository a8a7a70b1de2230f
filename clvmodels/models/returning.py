"""What customers buy who had left and return, or who were about to leave and stay.

Of customers known to have left by T, the time at which they left has a density on [t_x, T]; whoever returns has the
rates of one who left then. For Pareto/NBD, lambda ~ Gamma(r+x, alpha+tau) and mu ~ Gamma(s+1, beta+tau), tau with a
density in proportion to (alpha+tau)^-(r+x) (beta+tau)^-(s+1): Bayes' rule, from the likelihood of Schmittlein, Morrison
& Colombo (1987).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.errors import ModelError
from clvmodels.models.departures import Departures
from clvmodels.models.derived import residual
from clvmodels.models.specification import Array, TransactionModel
from clvmodels.numerics.quadrature import Weighting

__all__ = ["purchases_of_saved", "purchases_of_won_back"]

NODES: Final = 24
"""Of Gauss and Legendre in log(1 + time since the last purchase): right to 1e-8 for silences of 1 to 1,000 weeks."""
ROWS_PER_BLOCK: Final = 50_000


def purchases_of_won_back(
    model: TransactionModel,
    theta: Array,
    x: Array,
    t_x: Array,
    T: Array,
    weightings: Sequence[Weighting],
    group: NDArray[np.int64] | None = None,
) -> Array:
    """Return weighted integrals of the purchase intensity from the return on, given that customers have left by T.

    Parameters
    ----------
    model, theta
        The model and its parameters, shape (parameters,); or of each group, (groups, parameters).
    x, t_x, T
        Repeat purchases, the time of the last one, and age, shape (n,).
    weightings
        The factors to integrate with, of the time since the return.
    group
        The group of each customer, shape (n,); None: all have the same parameters.

    Returns
    -------
    ndarray
        Shape (n, weightings); zero for customers who cannot have left under the model.

    Raises
    ------
    ModelError
        If the model does not say what customers are like who left.

    Examples
    --------
    Customers of CDNOW, valued at 15 % a year:

    >>> import numpy as np
    >>> from clvmodels.models import MODELS
    >>> from clvmodels.numerics.quadrature import Weighting
    >>> model, delta = MODELS["pareto_nbd"], np.log(1.15) / 52
    >>> discounted = Weighting(lambda t: np.exp(-delta * t), 34.0 / delta, smooth_over=2.0 / delta)
    >>> histories = np.array([10.0, 2.0]), np.array([26.0, 30.43]), np.array([52.0, 38.86])
    >>> purchases_of_won_back(model, model.theta(model.example), *histories, [discounted])[:, 0].round(4)
    array([11.4798,  2.701 ])
    """
    departures = _departures(model)
    result = np.zeros((len(x), len(weightings)))
    left = np.flatnonzero(x >= departures.from_purchase)
    for start in range(0, len(left), ROWS_PER_BLOCK):
        rows = left[start : start + ROWS_PER_BLOCK]
        of_rows = None if group is None else group[rows]
        times, weights = _times_of_leaving(departures, theta, x[rows], t_x[rows], T[rows], of_rows)
        counts = np.broadcast_to(x[rows, None], times.shape).ravel()
        groups = None if of_rows is None else np.repeat(of_rows, times.shape[1])
        of_leavers = _from(departures, model, theta, counts, times.ravel(), weightings, groups)
        result[rows] = np.einsum("nk,nkw->nw", weights, of_leavers.reshape(*times.shape, -1))
    return result


def purchases_of_saved(
    model: TransactionModel,
    theta: Array,
    x: Array,
    at: Array,
    weightings: Sequence[Weighting],
    group: NDArray[np.int64] | None = None,
) -> Array:
    """Return the same from the age `at` on, shape (n,), of customers who were about to leave at that age, and stay.

    Raises
    ------
    ModelError
        If the model does not say what customers are like who left.

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> from clvmodels.numerics.quadrature import Weighting
    >>> model, year = MODELS["pareto_nbd"], Weighting(np.ones_like, 52.0)
    >>> purchases_of_saved(model, model.theta(model.example), np.array([2.0]), np.array([40.0]), [year]).round(3)
    array([[1.482]])
    """
    departures = _departures(model)
    bought = x + 1.0 if departures.at_purchases else x
    return _from(departures, model, theta, bought, at, weightings, group)


def _from(
    departures: Departures,
    model: TransactionModel,
    theta: Array,
    x: Array,
    t: Array,
    weightings: Sequence[Weighting],
    group: NDArray[np.int64] | None,
) -> Array:
    state, counts, ages = departures.state(theta, x, t)
    return residual(model, state, counts, ages, weightings, group)[0]


def _times_of_leaving(
    departures: Departures, theta: Array, x: Array, t_x: Array, T: Array, group: NDArray[np.int64] | None
) -> tuple[Array, Array]:
    """Return times at which customers may have left and their probabilities, shape (n, times) each."""
    if departures.log_density is None:
        return t_x[:, None], np.ones((len(x), 1))
    points, weights = np.polynomial.legendre.leggauss(NODES)
    span = np.log1p(T - t_x)[:, None]
    y = span * (points + 1.0) / 2.0
    times = t_x[:, None] + np.expm1(y)
    of_rows = theta if group is None else theta[group][:, None]
    log_density = departures.log_density(of_rows, x[:, None], times) + y
    mass = np.exp(log_density - log_density.max(axis=1, keepdims=True)) * weights
    return times, mass / mass.sum(axis=1, keepdims=True)


def _departures(model: TransactionModel) -> Departures:
    if model.departures is None:
        raise ModelError(
            f"{model.name} does not say what customers are like who left; use a model that does, such as Pareto/NBD or"
            " BG/NBD, or another mechanism"
        )
    return model.departures
