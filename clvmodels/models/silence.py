"""How unlikely the present silence of a customer is, if they are a customer still."""

from __future__ import annotations

import numpy as np

from clvmodels.models.no_purchase import no_purchase
from clvmodels.models.specification import Array, TransactionModel

__all__ = ["silence"]


def silence(model: TransactionModel, theta: Array, x: Array, t_x: Array, T: Array) -> Array:
    """Return the probability of no purchase in (t_x, T], given the purchases until t_x and being alive at T.

    With N for no purchase and A for alive, P(N | A at T) = P(A at T | N) P(N) / P(A at T), all given what was known at
    t_x. For Pareto/NBD this is ((alpha + t_x) / (alpha + T))^(r + x), the probability that a wait takes that long.

    Parameters
    ----------
    model, theta
        The model and its parameters, shape (parameters,), or (n, parameters) for each customer their own.
    x, t_x, T
        Repeat purchases, the time of the last one, and age, shape (n,).

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> model = MODELS["pareto_nbd"]
    >>> theta, x, t_x, T = model.theta(model.example), np.array([2.0]), np.array([30.43]), np.array([38.86])
    >>> silence(model, theta, x, t_x, T).round(4)
    array([0.6205])
    """
    if model.silence is not None:
        return model.silence(theta, x, t_x, T)
    silent = t_x < T
    until = np.where(silent, T, t_x + 1.0)  # whose last purchase is now is not silent
    alive_then = model.p_alive(theta, x, t_x, t_x)
    passed = x if model.stages is None else model.stages.number * x  # who has just bought is in the first stage
    none = no_purchase(model, theta, x, t_x, t_x, until - t_x)
    stays = alive_then * model.future(theta, passed, t_x, until - t_x)[0]
    return np.where(silent, np.minimum(none * model.p_alive(theta, x, t_x, until) / stays, 1.0), 1.0)
