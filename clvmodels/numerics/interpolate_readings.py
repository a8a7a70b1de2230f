"""A function that is smooth in what a clock shows, where each draw of the parameters has a clock of its own.

For each x, the function is interpolated once for all draws, over the range of what their clocks show; each draw is then
read where its own clock stands. See `numerics.interpolate`, whose nodes and checks these are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.interpolate import POINTS, AgeInterpolant, Function, by_age, polynomials, position
from clvmodels.numerics.threads import map_blocks

__all__ = ["ReadingInterpolant", "by_reading"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
type Exact = Callable[[Index, NDArray[np.intp]], Array]
"""``(draws, pairs)``: values of some draws at some pairs, shape (pairs, draws, outputs)."""

type Finish = Callable[[slice, Array], Array]

FEW: Final = 12
"""Of so few pairs of the same x, each is computed by itself."""
VALUES_AT_A_TIME: Final = 1 << 15
"""A draw takes a while to begin with, as its clock has to be wound up: many values are computed at once."""
DRAWS_AT_A_TIME: Final = 8


@dataclass(frozen=True, eq=False)
class ReadingInterpolant:
    """A function at the distinct pairs of a customer base, made by `by_reading`.

    Attributes
    ----------
    exact
        The function.
    T
        The ages of the pairs, shape (pairs,).
    readings
        What the clock of each draw shows at them, shape (pairs, draws).
    starts
        Where each x begins among the pairs, and their number; shape (counts + 1,).
    over_range
        The interpolants over the range of readings of each x.
    alone
        The values of the pairs without interpolant, shape (pairs, draws, outputs); of others, no row.
    row_alone
        For each pair, its row among them.
    finish
        ``(pairs, values)``: what is left to do to the values.
    """

    exact: Exact
    T: Array
    readings: Array
    starts: Index
    over_range: AgeInterpolant
    alone: Array
    row_alone: NDArray[np.intp]
    finish: Finish

    def at(self, pairs: slice) -> Array:
        """Return the values at consecutive pairs, shape (pairs, draws, outputs)."""
        first = int(np.searchsorted(self.starts, pairs.start, "right")) - 1
        last = int(np.searchsorted(self.starts, pairs.stop, "left"))
        parts = []
        for group in range(first, last):
            rows = np.arange(
                max(int(self.starts[group]), pairs.start), min(int(self.starts[group + 1]), pairs.stop), dtype=np.intp
            )
            coefficients = self.over_range.coefficients[group]
            if coefficients is None:
                parts.append(self.alone[self.row_alone[rows]])
            else:
                parts.append(self._read(group, coefficients, rows))
        values: Array = np.concatenate(parts)
        return self.finish(pairs, values)

    def _read(self, group: int, coefficients: Array, rows: NDArray[np.intp]) -> Array:
        start, stop = self.over_range.starts[group : group + 2]
        low, high = self.over_range.T[start], self.over_range.T[stop - 1]
        readings = self.readings[rows]
        places = position(readings.ravel(), low, high, self.over_range.scale[group])
        basis = polynomials(places, len(coefficients)).reshape(len(coefficients), *readings.shape)
        values: Array = np.einsum("jpd,jdo->pdo", basis, coefficients)
        bad = np.flatnonzero(np.isnan(coefficients[0]).any(axis=-1))
        if len(bad):
            values[:, bad] = self.exact(bad, rows)
        return values


def by_reading(
    function: Function,
    exact: Exact,
    x: Array,
    T: Array,
    readings: Array,
    scale: float,
    finish: Finish = lambda _, values: values,
) -> ReadingInterpolant:
    """Prepare to evaluate a function at many pairs.

    Parameters
    ----------
    function
        Smooth in what a clock shows, which takes the place of T; see `interpolate.Function`.
    exact
        The same at pairs, each draw where its clock stands.
    x, T
        Distinct pairs of number of purchases and age, sorted by x, then T; shape (pairs,).
    readings
        What the clock of each draw shows at them, shape (pairs, draws).
    scale
        Distance of the nearest singularity below zero under any of the draws.
    finish
        ``(pairs, values)``: what is left to do to the values.

    Examples
    --------
    >>> T = np.linspace(30.0, 90.0, 100)
    >>> readings = T[:, None] * [0.9, 1.1]
    >>> def function(draws, x, shown):
    ...     return np.tile(1.0 / (5.0 + shown)[:, None, None], (1, len(draws), 1))
    >>> fall = by_reading(function, lambda draws, pairs: np.nan, 0.0 * T, T, readings, 5.0)
    >>> bool(np.allclose(fall.at(slice(10, 20))[:, :, 0], 1.0 / (5.0 + readings[10:20])))
    True
    """
    starts = np.concatenate(([0], np.flatnonzero(np.concatenate((x[:-1] != x[1:], [True]))[: len(x)]) + 1))
    sizes, first = np.diff(starts), starts[:-1]
    low = np.minimum.reduceat(readings.min(axis=1), first) if len(x) else np.empty(0)
    high = np.maximum.reduceat(readings.max(axis=1), first) if len(x) else np.empty(0)
    number = np.where((sizes > FEW) & (high > low), POINTS[-1] + 1, 1)
    ends = zip(low.tolist(), high.tolist(), number.tolist(), strict=True)
    ranges = [np.linspace(start, stop, count) for start, stop, count in ends]
    shown = np.concatenate(ranges) if ranges else np.empty(0)
    over_range = by_age(
        function, np.repeat(x[first], number), shown, scale, readings.shape[1], at_a_time=VALUES_AT_A_TIME
    )
    without = np.repeat([coefficients is None for coefficients in over_range.coefficients], sizes).astype(bool)
    rows = np.flatnonzero(without)
    alone = _of_draws(exact, rows, readings.shape[1]) if len(rows) else np.empty(0)
    row_alone = (np.cumsum(without) - 1).astype(np.intp)
    return ReadingInterpolant(exact, T, readings, starts, over_range, alone, row_alone, finish)


def _of_draws(exact: Exact, rows: NDArray[np.intp], draws: int) -> Array:
    """Return the values of all draws at some pairs, computed for a few draws at a time."""
    blocks = map_blocks(lambda block: exact(np.arange(block.start, block.stop), rows), draws, DRAWS_AT_A_TIME)
    return np.concatenate(blocks, axis=1)
