"""Models whose customers change from now on: they buy more often, leave sooner or later, or order for more.

The past stays as it was: the likelihood, P(alive) and what is known of each customer are those of the model. What
customers do from now on is that of the model with the parameter of each process multiplied by a factor, which
follows the parameters in theta: a factor of 1.05 of purchases is a rate of each customer 5 % higher.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodels.errors import ModelError
from clvmodels.models.specification import Array, Model, Parameter, SpendModel, Traits, TransactionModel

__all__ = ["AdjustedSpend", "AdjustedTransactions", "adjusted_model", "moved"]

_NEW = np.zeros(1)


def factor_name(process: str) -> str:
    """Return the name of the factor of a process among the parameters.

    Examples
    --------
    >>> factor_name("purchase")
    'purchase_factor'
    """
    return f"{process}_factor"


def moved(model: Model, theta: Array, process: str, factor: Array) -> Array:
    """Return parameters under which there is `factor` times as much of a process, shape (..., parameters).

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> moved(MODELS["pareto_nbd"], np.array([0.5, 10.0, 0.6, 12.0]), "purchase", np.array(2.0))
    array([ 0.5,  5. ,  0.6, 12. ])
    """
    factors = [np.ones_like(factor)] * len(model.parameters)
    for name, sign in model.effects[process]:
        factors[model.names.index(name)] = factor**sign
    return np.asarray(theta * np.stack(factors, axis=-1))


@dataclass(frozen=True, eq=False, repr=False)
class AdjustedTransactions(TransactionModel):
    """A model of transactions with a factor of each process.

    Attributes
    ----------
    base
        The model.
    """

    base: TransactionModel = field(kw_only=True)

    def __reduce__(self) -> tuple[Any, ...]:
        return adjusted_model, (self.base,)


@dataclass(frozen=True, eq=False, repr=False)
class AdjustedSpend(SpendModel):
    """A model of spend with a factor of the value of orders.

    Attributes
    ----------
    base
        The model.
    """

    base: SpendModel = field(kw_only=True)

    def __reduce__(self) -> tuple[Any, ...]:
        return adjusted_model, (self.base,)


def adjusted_model(base: Model) -> AdjustedTransactions | AdjustedSpend:
    """Return the model with a factor of each process as further parameters.

    Raises
    ------
    ModelError
        If no lever moves the model.

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> adjusted_model(MODELS["bg_nbd"])
    <AdjustedTransactions BG/NBD: r, alpha, a, b, purchase_factor, dropout_factor>
    """
    if isinstance(base, SpendModel) and base.effects:
        return _adjusted_spend(base)
    if isinstance(base, TransactionModel) and base.as_new is not None:
        return _adjusted_transactions(base)
    raise ModelError(
        f"{base.name} takes no levers; BG/NBD, MBG/NBD, Pareto/NBD, Gamma-Gamma and log-normal spend do, without a "
        "calendar, paths or ageing"
    )


def _common(base: Model) -> Mapping[str, Any]:
    """Return what both kinds of models have: the likelihood does not depend on the factors."""

    def without(terms: Any, theta: Array, *columns: Array) -> tuple[Array, Array]:  # noqa: ANN401 - a function
        value, gradient = terms(theta[..., : len(base.parameters)], *columns)
        zeros = np.zeros((*gradient.shape[:-1], len(base.effects)))
        return value, np.concatenate([gradient, zeros], axis=-1)

    names = [factor_name(process) for process in base.effects]
    return {
        "key": base.key,
        "name": base.name,
        "public_name": base.public_name,
        "source": base.source,
        "parameters": (*base.parameters, *map(Parameter, names)),
        "count_terms": partial(without, base.count_terms),
        "history_terms": partial(without, base.history_terms),
        "starts": tuple((*start, *np.ones(len(names))) for start in base.starts),
        "example": {**base.example, **dict.fromkeys(names, 1.0)},
        "statistics": base.statistics,
        "in_words": base.in_words,
        "story": base.story,
        "effects": base.effects,
        "base": base,
    }


def _adjusted_transactions(base: TransactionModel) -> AdjustedTransactions:
    size, as_new = len(base.parameters), base.as_new
    assert as_new is not None

    def ahead(theta: Array, x: Array, T: Array) -> Array:
        """Return the parameters of customers alive at T from now on, as those of new customers."""
        params = as_new(theta[..., :size], x, T)
        for k, process in enumerate(base.effects):
            factor = np.broadcast_to(theta[..., size + k], params.shape[:-1])
            params = moved(base, params, process, factor)
        return params

    def draw_traits(theta: Array, x: Array, T: Array, generator: np.random.Generator) -> Traits:
        assert base.draw_traits is not None
        params = ahead(theta, x, T)
        zeros = np.zeros(params.shape[:-1])
        return base.draw_traits(params, zeros, zeros, generator)

    dropout = base.effects.get("dropout", ())
    moves_tail = base.tail is not None and any(name in base.tail.split() for name, _ in dropout)
    return AdjustedTransactions(
        **_common(base),
        p_alive=lambda theta, x, t_x, T: base.p_alive(theta[..., :size], x, t_x, T),
        future=lambda theta, x, T, t: base.future(ahead(theta, x, T), _NEW, _NEW, t),
        expected_purchases=lambda theta, x, T, t: base.expected_purchases(ahead(theta, x, T), _NEW, _NEW, t),
        pmf=lambda theta, x, T, t, n: base.pmf(ahead(theta, x, T), _NEW, _NEW, t, n),
        mean_purchase_rate=lambda theta: base.mean_purchase_rate(ahead(theta, np.zeros(()), np.zeros(()))),
        draw_traits=draw_traits,
        tail=f"{base.tail} {factor_name('dropout')}" if moves_tail else base.tail,
    )


def _adjusted_spend(base: SpendModel) -> AdjustedSpend:
    size = len(base.parameters)

    def expected_spend(theta: Array, orders: Array, level: Array) -> Array:
        return np.asarray(theta[..., size] * base.expected_spend(theta[..., :size], orders, level))

    def draw_orders(
        theta: Array, orders: Array, level: Array, owner: NDArray[np.int64], generator: np.random.Generator
    ) -> Array:
        factor = np.broadcast_to(theta[..., size], np.shape(orders))[owner]
        return np.asarray(factor * base.draw_orders(theta[..., :size], orders, level, owner, generator))

    return AdjustedSpend(
        **_common(base),
        expected_spend=expected_spend,
        draw_orders=draw_orders,
        state=base.state,
        signed=base.signed,
    )
