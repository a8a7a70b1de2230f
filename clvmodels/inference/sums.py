"""A model's terms summed over histories: by its own functions, or where there are many, by compiled twins."""

from __future__ import annotations

import numpy as np

from clvmodels.models.specification import Array, Expansion, Model, Sums
from clvmodels.numerics.threads import dot

__all__ = ["history_expansion", "history_sums", "weighted_sum"]


def history_sums(model: Model, *, many: bool) -> Sums:
    """Return the function that sums `Model.history_terms` over some histories, or over some of many.

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> BG_NBD = MODELS["bg_nbd"]
    >>> weight, x, t_x, T = np.array([[100.0], [0.0], [0.0], [38.86]])
    >>> round(history_sums(BG_NBD, many=False)(BG_NBD.theta(BG_NBD.example), weight, x, t_x, T)[0], 1)
    -55.5
    """
    if many:
        from clvmodels.models.compiled import SUMS

        if model.history_terms in SUMS:
            return SUMS[model.history_terms]
    if model.history_sums is not None:
        return model.history_sums
    return lambda theta, weight, *columns: weighted_sum(weight, *model.history_terms(theta, *columns))


def history_expansion(model: Model, *, many: bool) -> Expansion | None:
    """Return the function that does so with their second derivatives; None if the model has no closed form of these.

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> history_expansion(MODELS["pareto_nbd"], many=False) is None
    True
    """
    if model.history_expansion is not None and many:
        from clvmodels.models.compiled import EXPANSIONS

        if model.history_expansion in EXPANSIONS:
            return EXPANSIONS[model.history_expansion]
    return model.history_expansion


def weighted_sum(weight: Array, value: Array, gradient: Array) -> tuple[float, Array]:
    """Return the weighted sums of values, shape (n,), and gradients, shape (n, parameters).

    Examples
    --------
    >>> weighted_sum(np.array([2.0, 1.0]), np.array([-1.0, -3.0]), np.array([[0.5], [2.0]]))
    (-5.0, array([3.]))
    """
    return dot(weight, value), np.einsum("i,ij->j", weight, gradient)
