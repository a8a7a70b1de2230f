"""Clocks: times measured by a speed that is constant within periods.

A clock reads A(t) = int_0^t speed(u) du, with t = 0 now, so that what lies behind has negative times. Its speed is
exp(gamma'z(t)) over its mean in a reference year, so that a clock runs on average as fast as time itself, whatever the
coefficients gamma are. Slopes by gamma are integrals of speed (z - mean z), the mean under the speed of that year.

Source: a Poisson process whose rate is known up to a factor is a homogeneous one in the integral of that factor
(Cinlar 1975, Introduction to Stochastic Processes, chapter 4).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clvmodels.errors import DataError

__all__ = ["Clock", "Periods", "Place", "Steps"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

ROUNDING: Final = 1e-9
"""Times that lie outside by this share of what the steps span are taken to lie at their end."""


@dataclass(frozen=True)
class Place:
    """Where times lie among the periods, which no coefficient changes.

    Attributes
    ----------
    piece
        The period of each time.
    offset
        The time since that period began.
    turns
        How often the last year has been repeated before the time.
    """

    piece: Index
    offset: Array
    turns: Array


@dataclass(frozen=True, eq=False)
class Steps:
    """Columns of numbers that are constant within periods of time.

    Attributes
    ----------
    edges
        Where periods begin, and where the last one ends; increasing, shape (periods + 1,).
    values
        The columns, shape (periods, columns).
    year
        The times after the last edge repeat what lies in the last `year` before it, without end; zero: nothing is
        known after the last edge.
    reference
        The beginning and the end of the time over which the mean speed of a clock is one.
    level_from
        From when on a clock runs at its mean speed, whatever the columns; an edge, or infinity: never.

    Examples
    --------
    A high season in the second half of each year:

    >>> year = Steps(np.array([-1.0, -0.5, 0.0]), np.array([[0.0], [1.0]]), year=1.0, reference=(-1.0, 0.0))
    >>> clock = year.clock(np.log([3.0]))
    >>> clock.speed, clock.at(np.array([-0.5, 0.5, 1.0, 10.75]))
    (array([0.5, 1.5]), array([-0.75 ,  0.25 ,  1.   , 10.625]))
    """

    edges: Array
    values: Array
    year: float
    reference: tuple[float, float]
    level_from: float = np.inf

    def __post_init__(self) -> None:
        """Cut the steps now, where a clock then reads exactly zero, and at the beginning of the year to be repeated."""
        last = float(self.edges[-1])
        for cut in (0.0, last - self.year):
            near = np.abs(self.edges - cut).min() <= (ROUNDING * self.year if cut else 0.0)
            if not near and self.edges[0] < cut < last:
                piece = int(np.searchsorted(self.edges, cut)) - 1
                object.__setattr__(self, "edges", np.insert(self.edges, piece + 1, cut))
                object.__setattr__(self, "values", np.insert(self.values, piece, self.values[piece], axis=0))

    @cached_property
    def lengths(self) -> Array:
        """The lengths of the periods, shape (periods,)."""
        return np.diff(self.edges)

    @cached_property
    def shares(self) -> Array:
        """The share of each period in the reference time, shape (periods,)."""
        inside = np.clip(self.edges, *self.reference)
        lengths = np.diff(inside)
        return np.asarray(lengths / lengths.sum())

    @cached_property
    def level(self) -> NDArray[np.bool_]:
        """In which periods a clock runs at its mean speed, shape (periods,)."""
        return np.greater_equal(self.edges[:-1], self.level_from)

    @cached_property
    def first_of_year(self) -> int:
        """The period that begins the year that is repeated."""
        return int(np.abs(self.edges - (self.edges[-1] - self.year)).argmin())

    @property
    def number_until_now(self) -> int:
        """Number of periods that begin before now."""
        return int(np.searchsorted(self.edges, 0.0))

    def merged(self) -> Steps:
        """Return the same steps with neighbouring periods of equal values made one; the cut at zero stays.

        Examples
        --------
        >>> halves = Steps(np.array([1.0, 2.0, 3.0, 4.0]), np.array([[1.0], [1.0], [2.0]]), 0.0, (1.0, 4.0))
        >>> halves.merged().edges
        array([1., 3., 4.])
        """
        new = np.concatenate([[True], (self.values[1:] != self.values[:-1]).any(axis=1)])
        return replace(self, edges=np.append(self.edges[:-1][new], self.edges[-1]), values=self.values[new])

    def level_ahead(self) -> Steps:
        """Return the steps of clocks that run at their mean speed from now on, and as these do before.

        They must reach a year ahead, if one is repeated.

        Examples
        --------
        >>> halves = Steps(np.array([-1.0, -0.5, 0.0, 0.5, 1.0]), np.array([[0.0], [1.0]] * 2), 1.0, (-1.0, 0.0))
        >>> halves.level_ahead().clock(np.log([3.0])).at(np.array([-0.5, 0.5, 10.75]))
        array([-0.75,  0.5 , 10.75])
        """
        steps = replace(self, level_from=0.0)
        if self.reference[1] > 0.0:  # the mean speed is that of columns still to come
            return steps
        return replace(steps, values=np.where(steps.level[:, None], 0.0, self.values)).merged()

    def since(self, time: float) -> Steps:
        """Return the same steps counted from another time: what was `time` is zero.

        Examples
        --------
        >>> Steps(np.array([0.0, 1.0, 2.0]), np.array([[1.0], [2.0]]), 0.0, (0.0, 2.0)).since(1.5).edges
        array([-1.5, -0.5,  0. ,  0.5])
        """
        low, high = self.reference
        return Steps(self.edges - time, self.values, self.year, (low - time, high - time), self.level_from - time)

    def covers(self, low: float, high: float) -> bool:
        """Return whether the steps are known from one time to another.

        Examples
        --------
        >>> Steps(np.array([0.0, 1.0, 2.0]), np.array([[1.0], [2.0]]), 0.0, (0.0, 2.0)).covers(0.5, 2.5)
        False
        """
        slack = ROUNDING * (self.edges[-1] - self.edges[0])
        return bool(low >= self.edges[0] - slack and (self.year > 0.0 or high <= self.edges[-1] + slack))

    def _require(self, low: float, high: float) -> None:
        if not self.covers(low, high):
            asked = low if self.covers(high, high) else high
            raise DataError(
                f"the calendar is known from {self.edges[0]:.6g} to {self.edges[-1]:.6g}, counted from the end of"
                f" observation in the unit of the model, and is needed at {asked:.6g}; give it more rows, or declare it"
                " periodic: Calendar.from_frame(..., periodic=True)"
            )

    def place(self, times: Array) -> Place:
        """Return where times lie; a time at an edge lies at the beginning of the period after it.

        Raises
        ------
        DataError
            If a time lies where the steps are not known.
        """
        times = np.asarray(times, float)
        if times.size:
            self._require(float(times.min()), float(times.max()))
        turns = np.zeros(times.shape)
        if self.year > 0.0:
            turns = np.maximum(np.floor((times - self.edges[-1]) / self.year) + 1.0, 0.0)
            times = times - turns * self.year
        piece = np.clip(np.searchsorted(self.edges, times, side="right") - 1, 0, len(self.lengths) - 1)
        return Place(piece.astype(np.int64), times - self.edges[piece], turns)

    def changes(self, end: float) -> Array:
        """Return the times between now and `end` at which a period ends, those of repeated years included.

        Examples
        --------
        >>> Steps(np.array([0.0, 0.25, 1.0]), np.array([[1.0], [2.0]]), 1.0, (0.0, 1.0)).changes(2.0)
        array([0.25, 1.  , 1.25])
        """
        last = self.edges[-1]
        self._require(0.0, end)
        inside = self.edges[(self.edges > 0.0) & (self.edges < end)]
        if self.year == 0.0 or end <= last:
            return inside
        of_year = self.edges[self.first_of_year :][1:] - last
        later = (last + of_year + np.arange(1.0, np.ceil((end - last) / self.year) + 1.0)[:, None] * self.year).ravel()
        return np.concatenate([inside, later[(later > 0.0) & (later < end)]])

    def clock(self, gamma: Array) -> Clock:
        """Return the clock with coefficients `gamma`, whose last axis runs over the columns."""
        log_speed = np.asarray(gamma, float) @ self.values.T
        top = log_speed.max(axis=-1, keepdims=True)
        log_mean = top + np.log(np.exp(log_speed - top) @ self.shares[:, None])
        return Clock(self, np.exp(log_speed - log_mean), log_mean[..., 0])


@dataclass(frozen=True, eq=False)
class Clock:
    """A clock; its leading axes are those of the coefficients, which broadcast against the times it is asked for.

    Attributes
    ----------
    steps
        The periods.
    of_columns
        The speed that the columns give each of them, shape (..., periods).
    log_mean
        Log of the mean of exp(gamma'z) over the reference time, by which speeds are divided; shape (...).
    """

    steps: Steps
    of_columns: Array
    log_mean: Array

    @cached_property
    def speed(self) -> Array:
        """The speed in each of them, shape (..., periods): the mean speed, one, where the clock is level."""
        return np.where(self.steps.level, 1.0, self.of_columns)

    @cached_property
    def mean_columns(self) -> Array:
        """The means of the columns in clock time over the reference, shape (..., columns): slopes of `log_mean`."""
        return np.asarray((self.of_columns * self.steps.shares) @ self.steps.values)

    @cached_property
    def _reading(self) -> _Integral:
        """What the clock shows."""
        return _Integral(self.steps, self.speed[..., None])

    @cached_property
    def _slopes(self) -> _Integral:
        """The slopes of what it shows."""
        moved = np.where(self.steps.level, 0.0, self.of_columns)
        return _Integral(self.steps, moved[..., None] * (self.steps.values - self.mean_columns[..., None, :]))

    @property
    def wide(self) -> Clock:
        """The same clock, whose coefficients broadcast against all axes of times but the last."""
        if self.log_mean.ndim == 0:
            return self
        return Clock(self.steps, self.of_columns[..., None, :], self.log_mean[..., None])

    def at(self, times: Array | Place, row: Index | None = None) -> Array:
        """Return what the clock shows at times, or at their places.

        Parameters
        ----------
        times
            They broadcast against the leading axes of the clock.
        row
            Where there is one such axis: which of its clocks to read at each time; they do not broadcast then.
        """
        return self._reading.at(self._placed(times), row)[..., 0]

    def speed_at(self, times: Array | Place, row: Index | None = None) -> Array:
        """Return the speed at times, or at their places; `row` as of `at`."""
        return _taken(self._reading.rates, self._placed(times).piece, row)[..., 0]

    def slopes(self, times: Array | Place, row: Index | None = None) -> Array:
        """Return the derivatives of `at` by the coefficients, in a new last axis."""
        return self._slopes.at(self._placed(times), row)

    def slopes_of_speed(self, times: Array | Place, row: Index | None = None) -> Array:
        """Return the derivatives of `speed_at` by the coefficients, in a new last axis."""
        return _taken(self._slopes.rates, self._placed(times).piece, row)

    def _placed(self, times: Array | Place) -> Place:
        return times if isinstance(times, Place) else self.steps.place(times)

    @property
    def until_now(self) -> Periods:
        """The periods that begin before now, of one point of the coefficients.

        Examples
        --------
        >>> year = Steps(np.array([-1.0, -0.5, 0.0]), np.array([[0.0], [1.0]]), year=1.0, reference=(-1.0, 0.0))
        >>> year.clock(np.log([3.0])).until_now.at_edges
        array([-1.  , -0.75])
        """
        number = self.steps.number_until_now
        place = Place(np.arange(number), np.zeros(number), np.zeros(number))
        edges = np.ascontiguousarray(self.steps.edges[: number + 1])
        rates, slopes_of_speed = self.speed_at(place), self.slopes_of_speed(place)
        return Periods(edges, self.at(place), self.slopes(place), rates, slopes_of_speed)

    def inverse(self, readings: Array) -> Array:
        """Return the times at which the clock, of one point of the coefficients, shows readings."""
        at_edges, of_year = self._reading.at_edges[:, 0], self._reading.of_year[0]
        readings, turns = np.asarray(readings, float), np.zeros(np.shape(readings))
        if self.steps.year > 0.0:
            turns = np.maximum(np.floor((readings - at_edges[-1]) / of_year) + 1.0, 0.0)
            readings = readings - turns * of_year
        piece = np.clip(np.searchsorted(at_edges, readings, side="right") - 1, 0, len(self.speed) - 1)
        since = (readings - at_edges[piece]) / self.speed[piece]
        return np.asarray(self.steps.edges[piece] + since + turns * self.steps.year)


class Periods(NamedTuple):
    """A clock up to now.

    Attributes
    ----------
    edges
        Where periods begin, counted from now, and where the last one ends, now or later; shape (periods + 1,).
    at_edges, slopes
        What the clock shows where they begin, zero now, and its slopes by the coefficients of the clock, shape
        (periods,) and (periods, coefficients).
    speed, slopes_of_speed
        The speed in each period, and its slopes, shape (periods,) and (periods, coefficients).
    """

    edges: Array
    at_edges: Array
    slopes: Array
    speed: Array
    slopes_of_speed: Array


@dataclass(frozen=True, eq=False)
class _Integral:
    """Integrals from now on of rates that are constant within periods.

    Attributes
    ----------
    steps
        The periods.
    rates
        Shape (..., periods, columns).
    """

    steps: Steps
    rates: Array

    @cached_property
    def of_year(self) -> Array:
        """The integral over the year that is repeated, shape (..., columns)."""
        first = self.steps.first_of_year
        return np.asarray((self.rates * self.steps.lengths[:, None])[..., first:, :].sum(axis=-2))

    @cached_property
    def at_edges(self) -> Array:
        """The integrals up to the edges, shape (..., periods + 1, columns)."""
        sums = np.cumsum(self.rates * self.steps.lengths[:, None], axis=-2)
        since_first = np.concatenate([np.zeros((*sums.shape[:-2], 1, sums.shape[-1])), sums], axis=-2)
        now = self.steps.place(np.zeros(()))
        until_now = since_first[..., now.piece, :] + self.rates[..., now.piece, :] * now.offset
        return np.asarray(since_first - (until_now + now.turns * self.of_year)[..., None, :])

    def at(self, place: Place, row: Index | None) -> Array:
        """Return the integrals up to some places."""
        started, rate = _taken(self.at_edges, place.piece, row), _taken(self.rates, place.piece, row)
        values = started + rate * place.offset[..., None]
        if self.steps.year > 0.0 and np.any(place.turns):
            of_year = self.of_year if row is None else self.of_year[row]
            values = values + place.turns[..., None] * of_year
        return np.asarray(values)


def _taken(values: Array, piece: Index, row: Index | None = None) -> Array:
    """Return the values, whose last axes are those of periods and columns, of some periods; other axes broadcast."""
    if values.ndim == 2:
        return values[piece]
    if row is not None:
        return values[row, piece]
    shape = np.broadcast_shapes(values.shape[:-2], piece.shape)
    where = np.broadcast_to(piece, shape)[..., None, None]
    wide = np.broadcast_to(values, (*shape, *values.shape[-2:]))
    return np.take_along_axis(wide, where, axis=-2)[..., 0, :]
