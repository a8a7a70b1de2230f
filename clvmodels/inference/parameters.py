"""What the parameters of given customers are: the same for all, those of a group, or those of their covariates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.errors import FitError
from clvmodels.models.specification import TransactionModel
from clvmodels.numerics.distinct import DistinctRows, distinct_rows, weighted_rows

if TYPE_CHECKING:
    from clvmodels.data.histories import Histories

__all__ = ["Parameters", "Shifts", "columns_of", "distinct_histories"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

BYTES_OF_GROUPS: Final = 1e9
"""What the draws of all groups may take where they are asked for at once."""


@dataclass(frozen=True, eq=False)
class Shifts:
    """How covariates move parameters: log theta of a group = log theta + (z * coefficients) @ effects.

    Attributes
    ----------
    design
        The distinct rows of the design, centred, shape (groups, coefficients).
    coefficients
        Draws, shape (draws, coefficients).
    effects
        By how much each coefficient moves the log of each parameter, shape (coefficients, parameters).
    """

    design: Array
    coefficients: Array
    effects: Array

    def factors(self, groups: Index | slice) -> Array:
        """Return what the parameters of groups are multiplied by under each draw, (groups, draws, parameters)."""
        return np.asarray(
            np.exp(np.einsum("gk,dk,kp->gdp", self.design[groups], self.coefficients, self.effects, optimize=True))
        )

    def one_each(self, groups: Index, draws: int | Index) -> Array:
        """Return the same under one draw, or one draw of each, shape (groups, parameters)."""
        moved: Array = (self.design[groups] * self.coefficients[draws]) @ self.effects
        return np.asarray(np.exp(moved))


@dataclass(frozen=True, eq=False)
class Parameters:
    """The parameters of the rows of a table of customers; what `Fit.parameters` returns.

    Attributes
    ----------
    draws
        Shape (draws, parameters) where all rows have the same, or `shifts` makes those of each group of them; else
        (groups, draws, parameters).
    estimate
        Point estimates, shape (parameters,) or (groups, parameters).
    group
        The group of each row, shape (rows,); None: all rows have the same parameters.
    shifts
        What covariates do to the draws; None: nothing. Those of many groups are made when they are asked for.

    Examples
    --------
    >>> two = Parameters(np.array([[[1.0]], [[2.0]]]), np.array([[1.0], [2.0]]), np.array([0, 1, 0]))
    >>> two.point(slice(1, 3)).tolist(), two.theta(slice(1, 3)).shape
    ([[2.0], [1.0]], (2, 1, 1))
    """

    draws: Array
    estimate: Array
    group: Index | None = None
    shifts: Shifts | None = None

    @property
    def number(self) -> int:
        """Number of draws."""
        return int(self.draws.shape[-2])

    @property
    def groups(self) -> int:
        """Number of groups with parameters of their own."""
        return 1 if self.group is None else len(self.estimate)

    def theta(self, rows: Index | slice) -> Array:
        """Return the draws of some rows, shape (rows, draws, parameters), or (draws, parameters) if all share them."""
        return self.draws if self.group is None else self._of_groups(self.group[rows])

    def _of_groups(self, groups: Index | slice) -> Array:
        return self.draws[groups] if self.shifts is None else self.draws * self.shifts.factors(groups)

    def point(self, rows: Index | slice) -> Array:
        """Return the point estimates of some rows, shape (rows, parameters), or (parameters,) if all share them."""
        return self.estimate if self.group is None else self.estimate[self.group[rows]]

    def draw(self, number: int | Index, rows: Index | slice) -> Array:
        """Return one draw of some rows, or one of each, shape (rows, parameters), or (parameters,) if all share it.

        After the last draw, the first comes again.
        """
        which = number % self.number
        if self.group is None:
            return self.draws[which]
        group = self.group[rows]
        return (
            self.draws[group, which] if self.shifts is None else self.draws[which] * self.shifts.one_each(group, which)
        )

    def of_draws(self, draws: Index) -> Parameters:
        """Return the parameters with some of the draws, by position."""
        shifts = self.shifts
        shifts = None if shifts is None else replace(shifts, coefficients=shifts.coefficients[draws])
        return replace(self, draws=self.draws[..., draws, :], shifts=shifts)

    def columns(self) -> tuple[Array, ...]:
        """Return what tells rows apart whose histories are equal: the group, if any, as a column of numbers."""
        return () if self.group is None else (self.group.astype(float),)

    def of_groups(self, columns: Array) -> Parameters:
        """Return the parameters of other rows, given by their `columns`, shape (columns, rows)."""
        return self if self.group is None else replace(self, group=columns[0].astype(np.int64))

    def of_one(self, group: int) -> Parameters:
        """Return the parameters of one group, for rows that all belong to it."""
        return Parameters(self._of_groups(slice(group, group + 1))[0], self.estimate[group])

    def by_group(self) -> Parameters:
        """Return the same with the draws of all groups at hand, shape (groups, draws, parameters).

        Raises
        ------
        FitError
            If they take more memory than they may.
        """
        if self.shifts is None:
            return self
        need = 8.0 * self.groups * self.draws.size
        if need > BYTES_OF_GROUPS:
            raise FitError(
                f"{self.number:,} draws of customers with {self.groups:,} different covariates take {need / 1e9:.2g} "
                f"GB; thin them: fit.thinned({int(np.ceil(need / BYTES_OF_GROUPS))})"
            )
        return replace(self, draws=self._of_groups(slice(None)), shifts=None)

    def parts(self, memory: float) -> Iterator[tuple[Index | slice, Parameters]]:
        """Yield rows, and their parameters with the draws of their groups at hand, which take no more than `memory`."""
        if self.shifts is None or self.group is None:
            yield slice(None), self
            return
        at_a_time = max(int(memory / (8.0 * self.draws.size)), 1)
        order = np.argsort(self.group, kind="stable")
        group = self.group[order]
        for start in range(0, self.groups, at_a_time):
            span = slice(start, start + at_a_time)
            first, last = np.searchsorted(group, (start, start + at_a_time))
            if first < last:
                yield (
                    order[first:last],
                    Parameters(self._of_groups(span), self.estimate[span], group[first:last] - start),
                )


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
    x, t_x, T = (histories.statistic(name) for name in model.statistics[:3])
    return x, t_x, T
