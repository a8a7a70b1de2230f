"""Models whose customers leave at purchases, on a clock of purchases: today's formulas at the clock's readings.

A Poisson process on a clock is one in time as the clock shows it, and leaving at a purchase knows no time: a history
(x, t_x, T) is (x, A(t_x), A(T)), a time t ahead is A(T + t) - A(T). Slopes by the coefficients of the clock come by
those by A(t_x) and A(T). As nothing but a purchase can happen next, the slope by A(T) is minus P(alive) times the mean
purchase rate of who is alive, which for a gamma distribution is (r+x) / (alpha+A(T)); as the terms depend on
A(t_x)/alpha and A(T)/alpha only, that by A(t_x) follows from Euler's theorem.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from clvmodels.models.derived import everywhere, residuals
from clvmodels.models.specification import Array, OwnRates, Reading, TransactionModel
from clvmodels.models.stages import ConditionalOnAlive
from clvmodels.numerics.clocks import Clock, Index, Place, Steps
from clvmodels.numerics.quadrature import Weighting

__all__ = ["PurchaseClock", "gamma_of", "terms_by_reading"]


def gamma_of(base: TransactionModel, params: Array) -> tuple[Array, Array]:
    """Return the shape and the rate of the gamma distribution of customers' purchase rates."""
    alpha = params[..., base.names.index(base.clocks["purchase"])]
    return np.asarray(base.mean_purchase_rate(params) * alpha), np.asarray(alpha)


def terms_by_reading(
    base: TransactionModel, params: Array, x: Array, last: Array, now: Array
) -> tuple[Array, Array, Array, Array]:
    """Return `Model.history_terms` at readings A(t_x) and A(T), and its slopes by A(T) and by A(t_x)."""
    value, gradient = base.history_terms(params, x, last, now)
    shape, rate = gamma_of(base, params)
    by_now = -base.p_alive(params, x, last, now) * (shape + x) / (rate + now)
    alpha = base.names.index(base.clocks["purchase"])
    by_log_last = -(rate * gradient[..., alpha] + now * by_now)
    per_last = np.divide(by_log_last, last, where=last > 0.0, out=np.zeros_like(by_log_last))
    return value, gradient, by_now, per_last


@dataclass(frozen=True, eq=False)
class PurchaseClock:
    """A model whose customers leave at purchases, on a clock.

    Attributes
    ----------
    base
        The model in its own time.
    steps
        The calendar, its columns in the order of the coefficients, which follow the model's parameters in theta as
        multipliers, exp(gamma).
    """

    base: TransactionModel
    steps: Steps

    def split(self, theta: Array) -> tuple[Array, Clock]:
        """Return the parameters of the model, and the clock: one for all rows that have the same, as with covariates.

        The clock of rows of theta, shape (rows, parameters) or (rows, draws, parameters), then has no axis of rows, or
        one of length one.
        """
        size = len(self.base.parameters)
        multipliers = theta[..., size:]
        if theta.ndim > 1 and len(theta) > 1 and (multipliers[1:] == multipliers[0]).all():
            multipliers = multipliers[0] if theta.ndim == 2 else multipliers[:1]
        return theta[..., :size], self.steps.clock(np.log(multipliers))

    def gamma(self, params: Array) -> tuple[Array, Array]:
        """Return the shape and the rate of the gamma distribution of customers' purchase rates."""
        return gamma_of(self.base, params)

    def readings(self, clock: Clock, last: Place, first: Place) -> tuple[Array, Array]:
        """Return A(t_x) and A(T), from the places of t_x - T and of -T."""
        now = -clock.at(first)
        return np.minimum(now + clock.at(last), now), now

    def history_terms(self, theta: Array, x: Array, t_x: Array, T: Array) -> tuple[Array, Array]:
        """Return `Model.history_terms`."""
        params, clock = self.split(theta)
        place, begin = self.steps.place(t_x - T), self.steps.place(-T)
        last, now = self.readings(clock, place, begin)
        value, gradient, by_now, per_last = terms_by_reading(self.base, params, x, last, now)
        slope_now = -clock.slopes(begin)
        slope_last = clock.slopes(place) + slope_now
        by_gamma = by_now[..., None] * slope_now + per_last[..., None] * slope_last
        multipliers = theta[..., len(self.base.parameters) :]
        return value, np.concatenate([gradient, by_gamma / multipliers], axis=-1)

    def p_alive(self, theta: Array, x: Array, t_x: Array, T: Array) -> Array:
        """Return P(alive at T)."""
        params, clock = self.split(theta)
        return self.base.p_alive(params, x, *self.readings(clock, self.steps.place(t_x - T), self.steps.place(-T)))

    def reading(self, theta: Array, T: Array) -> Array:
        """Return A(T)."""
        return -self.split(theta)[1].at(-T)

    def future(self, theta: Array, x: Array, T: Array, t: Array) -> tuple[Array, Array]:
        """Return survival and intensity at T + t: the intensity of the clock times its speed."""
        return self.future_of(theta, x, self.reading(theta, T), t)

    def future_of(self, theta: Array, x: Array, now: Array, t: Array) -> tuple[Array, Array]:
        """Return the same from A(T)."""
        params, clock = self.split(theta)
        place = self.steps.place(t)
        survival, intensity = self.base.future(params, x, now, clock.at(place))
        return survival, intensity * clock.speed_at(place)

    def expected_purchases(self, theta: Array, x: Array, T: Array, t: Array) -> Array:
        """Return E[purchases in (T, T+t]] given alive at T."""
        return self.expected_purchases_of(theta, x, self.reading(theta, T), t)

    def expected_purchases_of(self, theta: Array, x: Array, now: Array, t: Array) -> Array:
        """Return the same from A(T)."""
        params, clock = self.split(theta)
        return self.base.expected_purchases(params, x, now, clock.at(t))

    def pmf(self, theta: Array, x: Array, T: Array, t: Array, n: Array) -> Array:
        """Return P(n purchases in (T, T+t]) given alive at T."""
        return self.pmf_of(theta, x, self.reading(theta, T), t, n)

    def pmf_of(self, theta: Array, x: Array, now: Array, t: Array, n: Array) -> Array:
        """Return the same from A(T)."""
        params, clock = self.split(theta)
        return self.base.pmf(params, x, now, clock.at(t), n)

    @property
    def own_rates(self) -> OwnRates | None:
        """How customers' purchase rates at the mean speed of the clock differ: those of the model at A(T)."""
        rates = self.base.own_rates
        if rates is None:
            return None
        mean, at_most = rates.mean, rates.at_most
        return OwnRates(
            lambda theta, x, t_x, T: mean(self.split(theta)[0], x, t_x, self.reading(theta, T)),
            lambda theta, x, t_x, T, rate: at_most(self.split(theta)[0], x, t_x, self.reading(theta, T), rate),
        )

    def by_reading(self, model: TransactionModel) -> Reading:
        """Return how the future is smooth in A(T)."""
        of_reading = replace(
            model,
            future=self.future_of,
            expected_purchases=self.expected_purchases_of,
            pmf=self.pmf_of,
            residuals=self.residuals_of,
        )
        return Reading(of_reading, self.reading)

    def residuals(
        self, draws: Array, x: Array, T: Array, weightings: Sequence[Weighting]
    ) -> Callable[[Array, Array, Array], Array]:
        """Return the function that gives weighted integrals of intensity and survival."""
        of_reading = self.residuals_of(draws, x, T, weightings)

        def given(theta: Array, x: Array, T: Array) -> Array:
            every, points = range(theta.shape[-2]), theta.reshape(-1, *theta.shape[-2:])[:1]
            each = [of_reading(theta[..., [draw], :], x, self.reading(points[0, draw], T)) for draw in every if len(x)]
            return np.concatenate([np.empty((len(x), 0, 2 * len(weightings))), *each], axis=1)

        return given

    def residuals_of(
        self,
        draws: Array,  # noqa: ARG002 - as those of other models
        x: Array,  # noqa: ARG002
        T: Array,  # noqa: ARG002
        weightings: Sequence[Weighting],
    ) -> Callable[[Array, Array, Array], Array]:
        """Return the function that does so from what the clock shows: integrals of the base model, draw by draw.

        Customers may have parameters of their own, but share the clock.
        """
        count = len(weightings)
        known: dict[bytes, ConditionalOnAlive] = {}  # nodes and weights, which take longer to find than to use
        size = len(self.base.parameters)

        def given(theta: Array, x: Array, T: Array) -> Array:
            result = np.empty((len(x), theta.shape[-2], 2 * count))
            if not len(x):
                return result
            of_groups, group = _groups(theta, len(x))
            for draw in range(theta.shape[-2]):
                params, multipliers = of_groups[:, draw, :size], of_groups[0, draw, size:]
                key = multipliers.tobytes()
                if key not in known:
                    clock = self.steps.clock(np.log(multipliers))
                    known[key] = residuals(self.base, params[:, None], x, T, self.factors(clock, weightings), group)
                both = everywhere(known[key], self.base, params, x, T, group)
                result[:, draw, :count], result[:, draw, count:] = both[:, :count], both[:, 3 * count :]
            return result

        return given

    def factors(self, clock: Clock, weightings: Sequence[Weighting]) -> list[Weighting]:
        """Return the weights of purchases, and then those of survival, by what the clock shows.

        int v(t) m(A(t)) speed dt = int v(t(A)) m(A) dA, and int v(t) s(A(t)) dt = int v(t(A)) / speed s(A) dA.
        """
        return [_on_clock(clock, each, slow=slow) for slow in (False, True) for each in weightings]


def _groups(theta: Array, points: int) -> tuple[Array, Index]:
    """Return the different theta of points, shape (groups, draws, parameters), and the group of each point."""
    if theta.ndim == 2:
        return theta[None], np.zeros(points, np.int64)
    new = np.concatenate([[True], (theta[1:] != theta[:-1]).any(axis=(1, 2))])
    return theta[new], np.cumsum(new) - 1


def _on_clock(clock: Clock, weighting: Weighting, *, slow: bool) -> Weighting:
    """Return a factor of time as one of what the clock shows; `slow`: over the clock's speed."""

    def factor(readings: Array) -> Array:
        times = clock.inverse(readings)
        values = weighting.factor(times)
        return values / clock.speed_at(times) if slow else values

    ends = np.concatenate([np.asarray(weighting.jumps, float), clock.steps.changes(weighting.end)])
    points = tuple(
        (float(clock.at(np.asarray(time))), mass * (1.0 if slow else float(clock.speed_at(np.asarray(time)))))
        for time, mass in weighting.points
    )
    return replace(
        weighting,
        factor=factor,
        end=float(clock.at(np.asarray(weighting.end))),
        jumps=clock.at(np.unique(ends)),
        smooth_over=weighting.smooth_over * float(clock.speed.min()),
        points=points,
    )
