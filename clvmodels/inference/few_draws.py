"""Predictive probabilities by distinct history: means over the draws, of as many of them as are needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.inference.parameters import Parameters
from clvmodels.models.specification import Array
from clvmodels.numerics.distinct import DistinctRows
from clvmodels.numerics.skeleton import skeleton
from clvmodels.numerics.threads import map_blocks

__all__ = ["Predictive", "Probability"]

Index = NDArray[np.int64]
Probability = Callable[[Array, Array, Array, Array, Array], Array]
"""``(theta, x, t_x, T, value)``: a probability, by history and draw."""

DRAWS_OF_GROUPS: Final = 200
"""Where groups have draws of their own: so many at even distances. What a mean over the draws misses by that is a
fourteenth of how far single draws lie apart, which is little beside how far single customers do."""
NUMBERS_PER_BLOCK: Final = 1 << 16
NUMBERS_ON_CLOCKS: Final = 1 << 11
"""Each of which is a sum over the pieces of a calendar."""


@dataclass(frozen=True, eq=False)
class Predictive:
    """A probability of histories on average over the draws.

    Attributes
    ----------
    probability
        The function.
    parameters
        Of the rows, with a few of their draws.
    share
        What makes the mean over all draws of the values under these, shape (draws,).
    columns
        x, t_x and T of the rows, or what stands in their place, shape (rows,) each.
    numbers_per_block
        Rows times draws evaluated at a time by each thread.
    """

    probability: Probability
    parameters: Parameters
    share: Array
    columns: tuple[Array, Array, Array]
    numbers_per_block: int = NUMBERS_PER_BLOCK

    @classmethod
    def of(
        cls, probability: Probability, parameters: Parameters, distinct: DistinctRows, values: Array, *, clocked: bool
    ) -> Predictive:
        """Return the probability with as many draws as are needed.

        Parameters
        ----------
        probability, parameters
            The function, and the parameters of the rows.
        distinct
            The rows.
        values
            Of the function, at which the chosen draws must give all others, shape (values,).
        clocked
            Whether the model has a clock, or paths, so that many draws in one call are costly: then as with groups.
        """
        x, t_x, T = np.ascontiguousarray(distinct.rows[:, :3].T)
        if parameters.group is not None or clocked:
            number = min(parameters.number, DRAWS_OF_GROUPS)
            chosen = np.linspace(0, parameters.number - 1, number).round().astype(np.int64)
            size = NUMBERS_ON_CLOCKS if clocked else NUMBERS_PER_BLOCK
            share = np.full(number, 1.0 / number)
            return cls(probability, parameters.of_draws(chosen), share, (x, t_x, T), size)

        def asked(rows: Index) -> Array:
            theta, history = parameters.theta(rows), (x[rows, None], t_x[rows, None], T[rows, None])
            return np.stack([probability(theta, *history, value) for value in values], axis=-1)

        few = skeleton(asked, len(x), parameters.number)
        return cls(probability, parameters.of_draws(few.chosen), few.mean, (x, t_x, T))

    def at(self, value: Array | float, rows: Index) -> Array:
        """Return the means over the draws at values of their own of some rows, shape (rows,)."""
        x, t_x, T = (column[rows, None] for column in self.columns)
        own = value[:, None] if isinstance(value, np.ndarray) else np.asarray(value)
        return np.asarray(self.probability(self.parameters.theta(rows), x, t_x, T, own) @ self.share)

    def mean(self, function: Callable[[Array, Array, Array, Array], Array]) -> Array:
        """Return the means over the draws of another function of ``(theta, x, t_x, T)``, shape (rows,)."""
        return self.by_block(
            lambda rows: (
                function(self.parameters.theta(rows), *(column[rows, None] for column in self.columns)) @ self.share
            )
        )

    def by_block(self, function: Callable[[Index], Array]) -> Array:
        """Return what a function gives of all rows, a block after another, in threads; along the first axis."""
        rows = np.arange(len(self.columns[0]))
        size = max(self.numbers_per_block // len(self.share), 1)
        return np.concatenate(map_blocks(lambda block: function(rows[block]), len(rows), size))
