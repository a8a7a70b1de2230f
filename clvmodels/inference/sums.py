"""A model's terms summed over histories: by its own functions, or where there are many, by its kernel."""

from __future__ import annotations

import numpy as np

from clvmodels.models.kernel import Array, Expansion, Sums
from clvmodels.models.specification import Model
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
    if many and model.kernel is not None and not model.kernel.for_samplers:
        sums = model.kernel.sums_of(model.history_terms)
        if sums is not None:
            return sums
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
    if many and model.kernel is not None:
        expansion = model.kernel.expansion_of(model.history_expansion)
        if expansion is not None:
            return expansion
    return model.history_expansion


def weighted_sum(weight: Array, value: Array, gradient: Array) -> tuple[float, Array]:
    """Return the weighted sums of values, shape (n,), and gradients, shape (n, parameters).

    Examples
    --------
    >>> weighted_sum(np.array([2.0, 1.0]), np.array([-1.0, -3.0]), np.array([[0.5], [2.0]]))
    (-5.0, array([3.]))
    """
    return dot(weight, value), np.einsum("i,ij->j", weight, gradient)
