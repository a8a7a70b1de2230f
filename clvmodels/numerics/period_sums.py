"""Sums over the ends of periods, from the terms at few of them.

What a model in periods is asked for is a sum over periods of a factor, which may jump from any one to the next, times
survival or intensity, which change ever more slowly. So survival is taken at few periods and interpolated between
them, panel by panel, and the factor is summed exactly against the interpolating polynomials: product summation, as
`quadrature` has product integration. The first periods count one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.quadrature import LEGENDRE_NODES

__all__ = ["PeriodGrid"]

Array = NDArray[np.float64]

SINGLE: Final = 64
"""Periods that count one by one: so many that what falls faster than a panel can follow has fallen away by then."""
PERIODS_AT_A_TIME: Final = 1 << 16


@dataclass(frozen=True)
class PeriodGrid:
    """The periods at which terms are wanted: the first ones, then 16 of each panel; panels double.

    Attributes
    ----------
    count
        How many periods there are to sum over, from 1 on.

    Examples
    --------
    A perpetuity at 0.01 % a period, from 272 of 400,000 periods:

    >>> grid = PeriodGrid(400_000)
    >>> len(grid.nodes), round(float(grid.weights(lambda m: 1.0001**-m).sum()), 6)
    (272, 10000.0)
    """

    count: int

    @cached_property
    def breaks(self) -> list[int]:
        """The last periods of the panels, from 0 on."""
        ends = [0]
        while ends[-1] < self.count:
            ends.append(min(max(SINGLE, 2 * ends[-1]), self.count))
        return ends

    @cached_property
    def nodes(self) -> Array:
        """The periods, ascending; shape (nodes,)."""
        return np.concatenate([np.zeros(0), *(_nodes(*panel) for panel in pairwise(self.breaks))])

    def weights(self, factor: Callable[[Array], Array]) -> Array:
        """Return weights w such that ``f(nodes) @ w`` is the sum over periods of the factor times f."""
        parts = [_weights(factor, *panel) for panel in pairwise(self.breaks)]
        return np.concatenate([np.zeros(0), *parts])


def _nodes(after: int, last: int) -> Array:
    """Return the nodes of the periods from `after` + 1 to `last`: all, or those next to the nodes of an integral."""
    if last - after <= max(SINGLE if after == 0 else 0, 2 * len(LEGENDRE_NODES)):
        return np.arange(after + 1.0, last + 1.0)
    return np.rint(0.5 * (after + 1.0 + last) + 0.5 * (last - after - 1.0) * LEGENDRE_NODES)


def _weights(factor: Callable[[Array], Array], after: int, last: int) -> Array:
    nodes = _nodes(after, last)
    if len(nodes) == last - after:
        return factor(nodes)
    half = 0.5 * (last - after)
    places = (nodes - nodes.mean()) / half
    barycentric = 1.0 / (places[:, None] - places + np.eye(len(places))).prod(axis=1)
    total = np.zeros(len(nodes))
    for periods in _in_parts(after, last):
        gap = (periods[:, None] - nodes) / half
        ratio = barycentric / np.where(gap == 0.0, 1.0, gap)
        values = ratio / ratio.sum(axis=1, keepdims=True)
        hit = gap == 0.0
        total += factor(periods) @ np.where(hit.any(axis=1, keepdims=True), hit, values)
    return total


def _in_parts(after: int, last: int) -> Iterator[Array]:
    for start in range(after, last, PERIODS_AT_A_TIME):
        yield np.arange(start + 1.0, min(start + PERIODS_AT_A_TIME, last) + 1.0)
