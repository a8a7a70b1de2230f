"""What customers are expected to do: weighted integrals over the time ahead, of those with the same parameters each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.histories import Histories
from clvmodels.data.lazy import LazyHistories
from clvmodels.inference.predictions import distinct_of
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.derived import alive, residual
from clvmodels.numerics.quadrature import Weighting

__all__ = ["ResidualExpectations", "ahead"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ResidualExpectations:
    """What some customers are expected to do, at the estimate of their parameters.

    Attributes
    ----------
    rows
        Who they are, by position.
    index
        For each of them its row below.
    alive
        P(alive) now, shape (distinct histories,).
    purchases, living
        Integrals of the purchase intensity and of survival, shape (distinct histories, weightings); living time in the
        unit of the fit.
    """

    rows: Index | slice
    index: Index
    alive: Array
    purchases: Array
    living: Array


def ahead(
    transactions: TransactionFit, histories: Histories | LazyHistories, weightings: Sequence[Weighting]
) -> Iterator[ResidualExpectations]:
    """Yield what customers are expected to do, for those with the same parameters each.

    Parameters
    ----------
    transactions
        The fit of transactions.
    histories
        The customers; in an engine, their distinct histories stand for them.
    weightings
        The factors to integrate with, such as discount factors.
    """
    for part in transactions.parts(histories):
        distinct = distinct_of(part, histories)
        x, t_x, T = np.ascontiguousarray(distinct.rows.T)
        now = alive(transactions.model, part.estimate, x, t_x, T)
        purchases, living = residual(transactions.model, part.estimate, x, T, weightings)
        for integral in (purchases, living):
            np.multiply(integral, now[:, None], out=integral)
        index = np.arange(len(x)) if isinstance(histories, LazyHistories) else distinct.index
        yield ResidualExpectations(slice(None) if part.rows is None else part.rows, index, now, purchases, living)
