"""What customers are expected to do: weighted integrals over the time ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.histories import Histories
from clvmodels.data.lazy import LazyHistories
from clvmodels.inference.parameters import distinct_histories
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.derived import alive, residual
from clvmodels.numerics.quadrature import Weighting

__all__ = ["ResidualExpectations", "ahead"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ResidualExpectations:
    """What customers are expected to do, at the estimate of their parameters.

    Attributes
    ----------
    index
        For each customer their row below.
    alive
        P(alive) now, shape (distinct histories,).
    purchases, living
        Integrals of the purchase intensity and of survival, shape (distinct histories, weightings); living time in the
        unit of the fit.
    """

    index: Index
    alive: Array
    purchases: Array
    living: Array


def ahead(
    transactions: TransactionFit, histories: Histories | LazyHistories, weightings: Sequence[Weighting]
) -> ResidualExpectations:
    """Return what customers are expected to do, by distinct history under the same parameters.

    Parameters
    ----------
    transactions
        The fit of transactions.
    histories
        The customers; in an engine, their distinct histories stand for them.
    weightings
        The factors to integrate with, such as discount factors.
    """
    distinct, parameters = distinct_histories(transactions.parameters(histories), histories)
    model, theta, group = transactions.model, parameters.estimate, parameters.group
    x, t_x, T = np.ascontiguousarray(distinct.rows[:, :3].T)
    now = alive(model, theta, x, t_x, T, group)
    purchases, living = residual(model, theta, x, T, weightings, group)
    for integral in (purchases, living):
        np.multiply(integral, now[:, None], out=integral)
    index = np.arange(len(x)) if isinstance(histories, LazyHistories) else distinct.index
    return ResidualExpectations(index, now, purchases, living)
