"""What the parameters of given customers are: the same for all, or those of the group that each belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clvmodels.models.specification import TransactionModel
from clvmodels.numerics.distinct import DistinctRows, distinct_rows, weighted_rows

if TYPE_CHECKING:
    from clvmodels.data.histories import Histories

__all__ = ["Parameters", "columns_of", "distinct_histories"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Parameters:
    """The parameters of the rows of a table of customers; what `Fit.parameters` returns.

    Attributes
    ----------
    draws
        Shape (draws, parameters) where all rows have the same; else (groups, draws, parameters).
    estimate
        Point estimates, shape (parameters,) or (groups, parameters).
    group
        The group of each row, shape (rows,); None: all rows have the same parameters.

    Examples
    --------
    >>> two = Parameters(np.array([[[1.0]], [[2.0]]]), np.array([[1.0], [2.0]]), np.array([0, 1, 0]))
    >>> two.point(slice(1, 3)).tolist(), two.theta(slice(1, 3)).shape
    ([[2.0], [1.0]], (2, 1, 1))
    """

    draws: Array
    estimate: Array
    group: Index | None = None

    @property
    def number(self) -> int:
        """Number of draws."""
        return int(self.draws.shape[-2])

    def theta(self, rows: Index | slice) -> Array:
        """Return the draws of some rows, shape (rows, draws, parameters), or (draws, parameters) if all share them."""
        return self.draws if self.group is None else self.draws[self.group[rows]]

    def point(self, rows: Index | slice) -> Array:
        """Return the point estimates of some rows, shape (rows, parameters), or (parameters,) if all share them."""
        return self.estimate if self.group is None else self.estimate[self.group[rows]]

    def draw(self, number: int | Index, rows: Index | slice) -> Array:
        """Return one draw of some rows, or one of each, shape (rows, parameters), or (parameters,) if all share it.

        After the last draw, the first comes again.
        """
        which = number % self.number
        return self.draws[which] if self.group is None else self.draws[self.group[rows], which]

    def of_draws(self, draws: Index) -> Parameters:
        """Return the parameters with some of the draws, by position."""
        return Parameters(self.draws[..., draws, :], self.estimate, self.group)

    def columns(self) -> tuple[Array, ...]:
        """Return what tells rows apart whose histories are equal: the group, if any, as a column of numbers."""
        return () if self.group is None else (self.group.astype(float),)

    def of_groups(self, columns: Array) -> Parameters:
        """Return the parameters of other rows, given by their `columns`, shape (columns, rows)."""
        return self if self.group is None else Parameters(self.draws, self.estimate, columns[0].astype(np.int64))


def distinct_histories(
    model: TransactionModel, parameters: Parameters, histories: Histories
) -> tuple[DistinctRows, Parameters]:
    """Return the distinct (x, t_x, T) under the same parameters, and the parameters of each of them."""
    if parameters.group is None:
        return histories.distinct(model.statistics), parameters
    columns = (*columns_of(model, histories), *parameters.columns())
    weight = histories.weight
    distinct = distinct_rows(*columns, with_order=True) if weight is None else weighted_rows(weight, *columns)
    return distinct, parameters.of_groups(distinct.rows[:, 3:].T)


def columns_of(model: TransactionModel, histories: Histories) -> tuple[Array, Array, Array]:
    """Return x, t_x and T of the rows of histories, or what stands in their place, shape (rows,) each."""
    x, t_x, T = (histories.statistic(name) for name in model.statistics)
    return x, t_x, T
