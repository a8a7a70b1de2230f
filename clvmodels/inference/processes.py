"""The processes that covariates act on: one of a model, or several that share their coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Final

import numpy as np

from clvmodels.models.specification import Array, Model

__all__ = ["effects_matrix", "process_names", "single_processes"]

AND: Final = " + "
"""Between processes that share coefficients."""


def single_processes(name: str) -> tuple[str, ...]:
    """Return the processes of a model that a name stands for.

    Examples
    --------
    >>> single_processes("purchase"), single_processes("purchase + dropout")
    (('purchase',), ('purchase', 'dropout'))
    """
    return tuple(name.split(AND))


def process_names(model: Model) -> tuple[str, ...]:
    """Return what covariates of a model can act on: each process, and those that can share coefficients.

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> process_names(MODELS["pareto_nbd"])
    ('purchase', 'dropout', 'purchase + dropout')
    """
    processes = tuple(model.effects)
    several = (AND.join(names) for number in range(2, len(processes) + 1) for names in combinations(processes, number))
    return (*processes, *several)


def effects_matrix(model: Model, terms: Sequence[tuple[str, str]]) -> Array:
    """Return by how much each coefficient moves the log of each parameter, shape (coefficients, parameters).

    Parameters
    ----------
    model
        The model.
    terms
        The process, or the processes, and the column of each coefficient.

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> effects_matrix(MODELS["pareto_nbd"], [("purchase", "age"), ("purchase + dropout", "channel")])
    array([[ 0., -1.,  0.,  0.],
           [ 0., -1.,  0., -1.]])
    """
    matrix = np.zeros((len(terms), len(model.parameters)))
    for row, (name, _) in zip(matrix, terms, strict=True):
        for process in single_processes(name):
            for parameter, sign in model.effects[process]:
                row[model.names.index(parameter)] += sign
    return matrix
