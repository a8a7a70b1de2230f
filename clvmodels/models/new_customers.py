"""What a model predicts for customers who have just been acquired: histories with x = 0, t_x = 0, T = 0."""

from __future__ import annotations

import numpy as np

from clvmodels.models.specification import Array, TransactionModel

__all__ = ["p_alive_new", "pmf_new", "pmf_until_now", "purchases_new"]

_NONE = np.zeros(1)


def p_alive_new(model: TransactionModel, theta: Array) -> Array:
    """Return P(alive) just after the first purchase: below one if customers may leave at it.

    Parameters
    ----------
    model
        The model.
    theta
        Parameters, shape (..., parameters).

    Returns
    -------
    Array
        Shape (...), or (1,) for one point of the parameters.

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> bg, mbg = MODELS["bg_nbd"], MODELS["mbg_nbd"]
    >>> p_alive_new(bg, bg.theta(bg.example)), p_alive_new(mbg, mbg.theta(mbg.example)).round(3)
    (array([1.]), array([0.644]))
    """
    return model.p_alive(theta, _NONE, _NONE, _NONE)


def purchases_new(model: TransactionModel, theta: Array, t: Array) -> Array:
    """Return the expected purchases within a time t after the first one; theta's other axes broadcast against t.

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> model = MODELS["bg_nbd"]
    >>> purchases_new(model, model.theta(model.example), np.array([26.0, 52.0])).round(3)
    array([0.903, 1.446])
    """
    return np.asarray(p_alive_new(model, theta) * model.expected_purchases(theta, _NONE, _NONE, t))


def pmf_new(model: TransactionModel, theta: Array, t: Array, n: Array) -> Array:
    """Return P(n purchases within a time t after the first one); theta's other axes broadcast against t and n.

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> model = MODELS["bg_nbd"]
    >>> pmf_new(model, model.theta(model.example), np.asarray(52.0), np.arange(3.0)).round(3)
    array([0.538, 0.205, 0.091])
    """
    alive = p_alive_new(model, theta)
    return np.asarray(alive * model.pmf(theta, _NONE, _NONE, t, n) + (1.0 - alive) * (n == 0.0))


def pmf_until_now(model: TransactionModel, theta: Array, ages: Array, n: float) -> Array:
    """Return P(n purchases until now) of customers acquired `ages` ago; theta's other axes broadcast against the ages.

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> model = MODELS["bg_nbd"]
    >>> pmf_until_now(model, model.theta(model.example), np.array([26.0, 52.0]), 0.0).round(3)
    array([0.626, 0.538])
    """
    number = np.asarray(n)
    if model.ago is None:
        return pmf_new(model, theta, ages, number)
    each = np.ravel(ages).tolist()
    values = np.stack([pmf_new(model.ago(age), theta, np.asarray(age), number) for age in each])
    return np.asarray(values.reshape(np.broadcast_shapes(theta.shape[:-1], np.shape(ages))))
