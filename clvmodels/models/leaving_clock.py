"""Models whose customers leave in time, with purchases on a clock: sums over spells in which the clock runs evenly.

The likelihood is that of who stays through T, plus that of who leaves in one of the spells between t_x and T, each of
which is the integral that the model has without a clock. What lies ahead: survival knows nothing of the clock, and the
purchase rate of who is alive is the posterior mean given A(T), (r+x) / (alpha+A(T)), times the speed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.models.counts import log_negative_binomial
from clvmodels.models.purchase_clock import PurchaseClock
from clvmodels.models.specification import Array, Reading, TransactionModel
from clvmodels.numerics.clocks import Clock, Place
from clvmodels.numerics.quadrature import Weighting
from clvmodels.numerics.special import log_sums

__all__ = ["LeavingClock"]

Index = NDArray[np.int64]

NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)
PANEL_RATIO: Final = 1.5
"""Each panel of time ahead ends so many times as late as the one before: a count's probability is then smooth in it."""
PANELS: Final = 60
COMPILED_FROM: Final = 1 << 10
"""Histories, each of many spells, from which loading the compiler pays."""


@dataclass(frozen=True, eq=False)
class _Parts:
    """What staying and leaving contribute to each history: logs, and their slopes by theta.

    Attributes
    ----------
    staying, leaving
        Shape (n,); minus infinity where the last purchase was just now.
    by_staying, by_leaving
        Shape (n, parameters).
    """

    staying: Array
    by_staying: Array
    leaving: Array
    by_leaving: Array

    @property
    def value(self) -> Array:
        """Log of both together."""
        return np.logaddexp(self.staying, self.leaving)


class LeavingClock(PurchaseClock):
    """A model whose customers leave in time, with purchases on a clock."""

    def _parts(self, theta: Array, x: Array, t_x: Array, T: Array) -> _Parts:
        """Return the parts of histories of shape (n,), theta of shape (parameters,) or (n, parameters)."""
        assert self.base.spells is not None
        params, clock = self.split(theta)
        begin, size = self.steps.place(-T), len(self.base.parameters)
        now, slope_now, multipliers = -clock.at(begin), -clock.slopes(begin), theta[..., size:]
        staying, by_params, by_now = self.base.spells.staying(params, x, now, T)
        by_staying = np.concatenate([by_params, by_now[..., None] * slope_now / multipliers], axis=-1)
        row, place, start, length = self._spells(t_x - T)
        by_row = ... if theta.ndim == 1 else row
        own = row if clock.log_mean.ndim else None
        shown, speed = np.maximum(clock.at(place, own) + now[row], 0.0), clock.speed_at(place, own)
        value, by_params, by_start, by_speed = self.base.spells.leaving(
            params[by_row], x[row], shown, start + T[row], speed, length
        )
        by_gamma = by_start[:, None] * (clock.slopes(place, own) + slope_now[row])
        by_gamma += by_speed[:, None] * clock.slopes_of_speed(place, own)
        slopes = np.concatenate([by_params, by_gamma / multipliers[by_row]], axis=-1)
        return _Parts(staying, by_staying, *log_sums(len(x), row, value, slopes))

    def _spells(self, last: Array) -> tuple[Index, Place, Array, Array]:
        """Return the spells between the last purchase and now: history, place, start and length of each."""
        edges, of_now = self.steps.edges, self.steps.number_until_now - 1
        first = self.steps.place(last).piece
        number = of_now - first + 1
        row = np.repeat(np.arange(len(last)), number)
        piece = np.arange(len(row)) - np.repeat(np.cumsum(number) - number, number) + first[row]
        start, stop = np.maximum(edges[piece], last[row]), np.minimum(edges[piece + 1], 0.0)
        lasts = stop > start
        row, piece, start, stop = row[lasts], piece[lasts], start[lasts], stop[lasts]
        return row, Place(piece, start - edges[piece], np.zeros(len(piece))), start, stop - start

    def _terms(self, theta: Array, *columns: Array) -> tuple[Array, Array, Array]:
        """Return `history_terms` of histories of any shape, and the log of the share that stays.

        Many histories are put together by compiled code, where the model has some and all share one clock.
        """
        shape = np.broadcast_shapes(theta.shape[:-1], *(np.shape(column) for column in columns))
        x, t_x, T = (np.broadcast_to(column, shape).ravel() for column in columns)
        if theta.ndim > 1:
            theta = np.broadcast_to(theta, (*shape, theta.shape[-1])).reshape(-1, theta.shape[-1])
        terms = self._compiled_terms if len(x) >= COMPILED_FROM else self._summed_terms
        value, gradient, staying = terms(theta, x, t_x, T)
        return value.reshape(shape), gradient.reshape(*shape, -1), staying.reshape(shape)

    def _summed_terms(self, theta: Array, x: Array, t_x: Array, T: Array) -> tuple[Array, Array, Array]:
        parts = self._parts(theta, x, t_x, T)
        value = parts.value
        alive, left = (np.exp(part - value)[:, None] for part in (parts.staying, parts.leaving))
        return value, alive * parts.by_staying + left * parts.by_leaving, parts.staying

    def _compiled_terms(self, theta: Array, x: Array, t_x: Array, T: Array) -> tuple[Array, Array, Array]:
        assert self.base.spells is not None
        params, clock = self.split(theta)
        if self.base.spells.compiled is None or clock.log_mean.ndim or not self.steps.number_until_now:
            return self._summed_terms(theta, x, t_x, T)
        last, begin = self.steps.place(t_x - T), self.steps.place(-T)
        slope_now = -clock.slopes(begin)
        of_rows = params.T if params.ndim > 1 else ()
        value, gradient, staying = self.base.spells.compiled()(
            np.ascontiguousarray(np.atleast_2d(params)),
            *(np.ascontiguousarray(column) for column in (x, t_x, T)),
            np.lexsort((-t_x, T, x, *of_rows)),
            np.stack(self.readings(clock, last, begin)),
            np.stack([clock.slopes(last) + slope_now, slope_now]),
            clock.until_now,
        )
        gradient[:, len(self.base.parameters) :] /= theta[..., len(self.base.parameters) :]
        return value, gradient, staying

    def history_terms(self, theta: Array, x: Array, t_x: Array, T: Array) -> tuple[Array, Array]:
        """Return `Model.history_terms`."""
        return self._terms(theta, x, t_x, T)[:2]

    def p_alive(self, theta: Array, x: Array, t_x: Array, T: Array) -> Array:
        """Return P(alive at T)."""
        value, _, staying = self._terms(theta, x, t_x, T)
        return np.asarray(np.exp(staying - value))

    def factor(self, theta: Array, T: Array) -> Array:
        """Return (alpha + T) / (alpha + A(T)): what the clock makes of the mean purchase rate now."""
        params, clock = self.split(theta)
        _, alpha = self.gamma(params)
        return np.asarray((alpha + T) / (alpha - clock.at(-T)))

    def future(self, theta: Array, x: Array, T: Array, t: Array) -> tuple[Array, Array]:
        """Return survival and intensity at T + t."""
        survival, intensity = self.future_of(theta, x, T, t)
        return survival, intensity * self.factor(theta, T)

    def future_of(self, theta: Array, x: Array, now: Array, t: Array) -> tuple[Array, Array]:
        """Return the same without the ratio of rates."""
        params, clock = self.split(theta)
        survival, intensity = self.base.future(params, x, now, t)
        return survival, intensity * clock.speed_at(t)

    def expected_purchases(self, theta: Array, x: Array, T: Array, t: Array) -> Array:
        """Return E[purchases in (T, T+t]] given alive at T."""
        return np.asarray(self.expected_purchases_of(theta, x, T, t) * self.factor(theta, T))

    def expected_purchases_of(self, theta: Array, x: Array, now: Array, t: Array) -> Array:
        """Return the same without the ratio of rates: period by period, the speed times those in own time."""
        params, clock = self.split(theta)
        end = float(np.max(t, initial=0.0))
        cuts = np.concatenate([[0.0], self.steps.changes(end), [end]])
        speed = clock.speed[..., self.steps.place(0.5 * (cuts[1:] + cuts[:-1])).piece]
        x, T, t = (np.asarray(column, float) for column in (x, now, t))
        until = self.base.expected_purchases(
            params[..., None, :], x[..., None], T[..., None], np.minimum(cuts, t[..., None])
        )
        return np.asarray(np.einsum("...j,...j->...", speed, np.diff(until, axis=-1)))

    def by_reading(self, model: TransactionModel) -> Reading:
        """Return how the future is smooth in age but for the ratio of rates; probabilities of counts are not."""
        smooth = replace(
            model,
            future=self.future_of,
            expected_purchases=self.expected_purchases_of,
            residuals=self.residuals_of,
        )
        return Reading(smooth, lambda _, T: T, self.factor, counts=False)

    def pmf(self, theta: Array, x: Array, T: Array, t: Array, n: Array) -> Array:
        """Return P(n purchases in (T, T+t]) given alive at T.

        A count changes while customers are alive: P(n) = [n = 0] + int S(u) speed(u) (E[rate; n-1] - E[rate; n]) du, S
        the survival, and expectations of the rate among those who have bought so often, had they stayed.
        """
        params, clock = self.split(theta)
        x, T, t, n = (np.asarray(column, float) for column in (x, T, t, n))
        nodes, mass = self._nodes(t)
        wide, of_x, of_T = params[..., None, :], x[..., None], T[..., None]
        shape, rate = self.gamma(wide)
        shape, rate = shape + of_x, rate - clock.at(-T)[..., None]
        place = self.steps.place(nodes)
        shown, speed = clock.wide.at(place), clock.wide.speed_at(place)
        survival = self.base.future(wide, of_x, of_T, nodes)[0]
        counts = n[..., None]
        enters = np.where(counts > 0.0, _rate_among(np.maximum(counts - 1.0, 0.0), shape, rate, shown), 0.0)
        change = enters - _rate_among(counts, shape, rate, shown)
        total = np.sum(mass * survival * speed * change, axis=-1) + (n == 0.0)
        return np.asarray(np.maximum(total, 0.0))

    def _nodes(self, t: Array) -> tuple[Array, Array]:
        """Return nodes in time ahead and their weights, in a last axis: panels grow, and end where periods do."""
        end = float(np.max(t, initial=0.0))
        growing = end * PANEL_RATIO ** -np.arange(PANELS, -1.0, -1.0)
        cuts = np.unique(np.concatenate([[0.0], growing, self.steps.changes(end)]))
        cuts = np.minimum(cuts, t[..., None])
        half, middle = 0.5 * np.diff(cuts), 0.5 * (cuts[..., 1:] + cuts[..., :-1])
        shape = (*t.shape, -1)
        nodes = (middle[..., None] + half[..., None] * NODES).reshape(shape)
        return nodes, (half[..., None] * WEIGHTS).reshape(shape)

    def residuals(
        self, draws: Array, x: Array, T: Array, weightings: Sequence[Weighting]
    ) -> Callable[[Array, Array, Array], Array]:
        """Return the function that gives weighted integrals of intensity and survival."""
        smooth, count = self.residuals_of(draws, x, T, weightings), len(weightings)

        def given(theta: Array, x: Array, T: Array) -> Array:
            result = smooth(theta, x, T)
            result[..., :count] *= self.factor(theta, T[:, None])[..., None]
            return result

        return given

    def factors(self, clock: Clock, weightings: Sequence[Weighting]) -> list[Weighting]:
        """Return the weights of purchases, times the speed of the clock, and then those of survival, both by time."""
        return [*(_at_speed(clock, each) for each in weightings), *weightings]


def _rate_among(n: Array, shape: Array, rate: Array, t: Array) -> Array:
    """Return E[rate; n purchases in t] at rates ~ Gamma(shape, rate)."""
    return np.exp(log_negative_binomial(n, shape, rate, t)) * (shape + n) / (rate + t)


def _at_speed(clock: Clock, weighting: Weighting) -> Weighting:
    """Return a factor of time, times the speed of the clock."""
    ends = np.concatenate([np.asarray(weighting.jumps, float), clock.steps.changes(weighting.end)])
    points = tuple((time, mass * float(clock.speed_at(np.asarray(time)))) for time, mass in weighting.points)
    return replace(
        weighting,
        factor=lambda times: weighting.factor(times) * clock.speed_at(times),
        jumps=np.unique(ends),
        points=points,
    )
