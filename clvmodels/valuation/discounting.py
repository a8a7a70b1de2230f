"""Discount factors: effective annual rates, in the unit of the fit, under a stated timing of the cash flows.

Discounting and growth are one exponent: with growth g and a rate i, what grows is discounted at (1 + i) / (1 + g) - 1.
Under a periodic timing the factor is a step function. Its first periods are integrated one by one; what lies beyond is
integrated as a smooth factor and its Euler-Maclaurin correction, so that the effort does not grow with the number of
periods.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy import special

from clvmodels.numerics.quadrature import Weighting
from clvmodels.units import Unit
from clvmodels.valuation.assumptions import Assumptions

__all__ = [
    "Forces",
    "annuity",
    "calendar_years",
    "discount_factor",
    "discounted_periods",
    "discounted_years",
    "discounting",
    "discounts_alike",
    "growing",
    "kinds_of",
    "learned",
    "learning",
    "with_discounting_of",
]

Array = NDArray[np.float64]

Kind = Callable[[Assumptions, Unit, float | None], Weighting]
"""What makes the factors of a valuation within so many years."""

DISCOUNTING: Final = ("discount_rate", "growth", "year", "timing", "horizon")
"""The assumptions that discounted orders and times rest on."""
NEGLIGIBLE: Final = 34.0
"""Discounted to exp(-34), what lies beyond does not show in any digit."""
PERIODS: Final = {"month": 12, "year": 1}
ROUNDING: Final = 1e-9
"""A moment that is later than the end of a period by this share of the time until then belongs to it."""
SINGLE_PERIODS: Final = 1200
"""Periods that are integrated one by one. With x the force of interest times the period, the smooth factor after M of
them is right to x^2 / (720 M^2) of the value: 1e-9 even at the highest rate."""


@dataclass(frozen=True, eq=False)
class Forces:
    """The force of interest by coming year, and the same less the force of growth.

    Attributes
    ----------
    interest
        By year, per unit of time; the last one for all years after; shape (rates,).
    net
        The same less the force of growth.
    year
        Length of a year.
    period
        Length of the period within which money is deemed to flow at one moment; 0 if it flows continuously.
    position
        Where that moment is, as a share of the period.
    """

    interest: Array
    net: Array
    year: float
    period: float
    position: float

    @classmethod
    def of(cls, assumptions: Assumptions, unit: Unit, growth: float = 0.0) -> Self:
        """Return the forces under the assumptions; `growth` is that of the amounts, a share a year."""
        rates, year = np.asarray(assumptions.discount_rates, np.float64), assumptions.year_in(unit)
        # log(1 + i) - log(1 + g) without cancellation where the two are near to each other
        net = np.log1p((rates - growth) / (1.0 + growth)) / year
        interest = np.log1p(rates) / year
        if assumptions.timing == "continuous":
            return cls(interest, net, year, 0.0, 0.0)
        position, name = assumptions.timing.split("-")
        return cls(interest, net, year, year / PERIODS[name], {"mid": 0.5, "end": 1.0}[position])

    @property
    def settled(self) -> float:
        """The time from which on the rate does not change any more."""
        return self.year * (len(self.net) - 1)

    def smooth(self, time: Array) -> Array:
        """Return the integral of the net force from 0 to `time`."""
        return self._fallen(time, self._year_of(time / self.year))

    def stepped(self, time: Array) -> Array:
        """Return the same with interest up to the moment at which the money of `time` is deemed to flow.

        A moment at the end of a period belongs to it, as the renewals and the opportunities of models in periods do.
        """
        if self.period == 0.0:
            return self.smooth(time)
        passed = np.maximum(np.ceil(time / self.period * (1.0 - ROUNDING)) - 1.0, 0.0)
        which = self._year_of(passed * self.period / self.year + 1e-9)
        wait = self.period * (passed + self.position) - time
        return np.asarray(self._fallen(time, which) + self.interest[which] * wait)

    def _year_of(self, years: Array) -> NDArray[np.int64]:
        if len(self.net) == 1:
            return np.zeros((), np.int64)
        return np.minimum(years, len(self.net) - 1).astype(np.int64)

    def _fallen(self, time: Array, which: NDArray[np.int64]) -> Array:
        if len(self.net) == 1:
            return np.asarray(self.net[0] * time)
        starts = np.concatenate([[0.0], np.cumsum(self.net[:-1] * self.year)])
        return np.asarray(starts[which] + self.net[which] * (time - self.year * which))


def discount_factor(assumptions: Assumptions, unit: Unit, time: Array, growth: float = 0.0) -> Array:
    """Return the present value of money at `time` (in `unit`) from now, under the timing of `assumptions`.

    Parameters
    ----------
    terms, unit
        The assumptions, and the unit of `time`.
    time
        Any shape.
    growth
        Of the amount until then, a share a year.
    """
    return np.asarray(np.exp(-Forces.of(assumptions, unit, growth).stepped(np.asarray(time, np.float64))))


def annuity(assumptions: Assumptions, unit: Unit, time: Array) -> Array:
    """Return the present value of one a `unit` until `time`: the integral of the discount factor.

    Each year of one rate is a geometric series, or its integral.

    Examples
    --------
    >>> assumptions = Assumptions(discount_rate=0.1, margin=0.3, timing="end-year")
    >>> annuity(assumptions, "year", np.array([1.0, 2.5])).round(6)
    array([0.909091, 2.111195])
    """
    forces = Forces.of(assumptions, unit)
    if forces.period == 0.0:
        return _years_of_annuity(forces, time)
    whole = forces.period * np.floor(time / forces.period)
    return _years_of_annuity(forces, whole) + (time - whole) * discount_factor(assumptions, unit, time)


def _years_of_annuity(forces: Forces, time: Array) -> Array:
    """Return the sum over the years of constant force of their parts before `time`, which ends a period."""
    total = np.zeros_like(time)
    for which, force in enumerate(forces.interest):
        start = which * forces.year
        length = np.inf if which == len(forces.interest) - 1 else forces.year
        inside = np.clip(time - start, 0.0, length)
        step = force * forces.period  # the sum over periods is that many times the integral
        level = np.exp(-step * forces.position) / special.exprel(-step)
        total += np.exp(-forces.smooth(np.asarray(start))) * level * inside * special.exprel(-force * inside)
    return total


def discounted_years(assumptions: Assumptions, unit: Unit, time: Array) -> Array:
    """Return the time from now until `time` (in `unit`), discounted, in years."""
    return annuity(assumptions, unit, time) / assumptions.year_in(unit)


def discounted_periods(assumptions: Assumptions, unit: Unit, number: Array) -> Array:
    """Return numbers of whole periods (of one `unit` each) from now, each discounted from its end, in years.

    Examples
    --------
    >>> assumptions = Assumptions(discount_rate=0.1, margin=0.3)
    >>> discounted_periods(assumptions, "year", np.array([0.0, 1.0, 2.0])).round(6)
    array([0.      , 0.909091, 1.735537])
    """
    ends = np.arange(1.0, float(np.max(number, initial=0.0)) + 1.0)
    until = np.concatenate([[0.0], np.cumsum(discount_factor(assumptions, unit, ends))])
    return np.asarray(until[number.astype(np.int64)] / assumptions.year_in(unit))


def calendar_years(assumptions: Assumptions, unit: Unit, years: float | None = None) -> float:
    """Return K: the discounted time within the horizon, in years; `years` is a shorter horizon.

    Examples
    --------
    >>> round(calendar_years(Assumptions(discount_rate=0.1, margin=0.3), "week"), 6)  # 1 / log(1.1)
    10.492059
    """
    return float(discounted_years(assumptions, unit, np.array([discounting(assumptions, unit, years).end]))[0])


def discounting(assumptions: Assumptions, unit: Unit, years: float | None = None) -> Weighting:
    """Return the weighting under which integrals over the future are present values.

    Parameters
    ----------
    assumptions
        The assumptions, with their horizon.
    unit
        The unit of time to integrate in.
    years
        A shorter horizon, in years.
    """
    return _weighting(assumptions, unit, years, growth=0.0)


def growing(assumptions: Assumptions, unit: Unit, years: float | None = None) -> Weighting:
    """Return the same for amounts that grow as the value of orders does."""
    return _weighting(assumptions, unit, years, growth=assumptions.growth)


def learning(assumptions: Assumptions, unit: Unit, years: float | None = None) -> Weighting:
    """Return the discount factors of costs that fall with tenure, as of a customer of age zero now."""
    return learned(discounting(assumptions, unit, years), assumptions.force_of_learning(unit))


def learned(weighting: Weighting, force: float) -> Weighting:
    """Return a weighting times exp(-force * time): that of costs that fall with tenure.

    Examples
    --------
    >>> float(learned(Weighting(np.ones_like, 10.0), 0.5).factor(np.array(2.0)).round(4))
    0.3679
    """
    exact = weighting.moments
    return replace(
        weighting,
        factor=lambda time: weighting.factor(time) * np.exp(-force * time),
        moments=None if exact is None else lambda time: exact(time) * np.exp(-force * time),
        smooth_over=1.0 / (1.0 / weighting.smooth_over + 0.5 * force) if force else weighting.smooth_over,
        points=tuple((time, weight * float(np.exp(-force * time))) for time, weight in weighting.points),
    )


def kinds_of(assumptions: Assumptions) -> list[Kind]:
    """Return the kinds of factors that a valuation needs: of orders and time; of early orders; of growing sales.

    The last two only where costs fall with tenure, and where the value of orders grows.
    """
    kinds: list[Kind] = [discounting]
    if assumptions.cost_half_life is not None:
        kinds.append(learning)
    if assumptions.growth:
        kinds.append(growing)
    return kinds


def _weighting(assumptions: Assumptions, unit: Unit, years: float | None, growth: float) -> Weighting:
    forces = Forces.of(assumptions, unit, growth)
    end = min(assumptions.horizon_in(unit), np.inf if years is None else years * forces.year)
    if forces.net[-1] > 0.0:
        end = min(end, forces.settled + NEGLIGIBLE / float(forces.net[-1]))
    single = max(SINGLE_PERIODS * forces.period, forces.settled)
    if forces.period > 0.0 and end > single:
        return _many_periods(forces, single, end)
    if forces.period > 0.0:
        jumps: Array = forces.period * np.arange(1.0, np.ceil(end / forces.period))
        return Weighting(_factor(forces.stepped), end, jumps=jumps)
    return Weighting(
        _factor(forces.smooth),
        end,
        jumps=forces.year * np.arange(1.0, len(forces.net)),
        smooth_over=_smooth_over(forces.net),
    )


def _factor(exponent: Callable[[Array], Array]) -> Callable[[Array], Array]:
    return lambda time: np.exp(-exponent(time))


def _smooth_over(forces: Array) -> float:
    """Return a time over which a factor changes by two powers of e at most."""
    steepest = float(np.abs(forces).max())
    return 2.0 / steepest if steepest > 0.0 else np.inf


def _many_periods(forces: Forces, single: float, end: float) -> Weighting:
    """Return the weighting whose periods until `single` are steps; beyond, it is smooth.

    Beyond, the factor is exp(-net t) h(t), h with the period P. Against a smooth function g, h counts as its mean, and
    at either end as H(t) g(t), H the periodic integral of h less its mean, whose own mean is zero: Euler-Maclaurin.
    """
    step = float(forces.interest[-1]) * forces.period
    mean = float(np.exp(-step * forces.position) * special.exprel(step))

    def factor(time: Array) -> Array:
        beyond = mean * np.exp(-forces.smooth(time))
        return np.asarray(np.where(time < single, np.exp(-forces.stepped(time)), beyond))

    def edge(time: float, phase: float) -> float:
        at = float(np.exp(-forces.smooth(np.asarray(time))))
        return mean * at * forces.period * _periodic_integral(step, phase)

    last = float(np.remainder(end, forces.period)) / forces.period
    return Weighting(
        factor,
        end,
        jumps=forces.period * np.arange(1.0, np.round(single / forces.period) + 1.0),
        smooth_over=_smooth_over(forces.net[-1:]),
        points=((single, -edge(single, 0.0)), (end, edge(end, last))),
        moments=_factor(forces.stepped),
    )


def _periodic_integral(x: float, u: float) -> float:
    """Return H / (P mean(h)) at phase u: the sum over k >= 1 of B_{k+1}(u) x^k / (k + 1)!, B the Bernoulli polynomials.

    The generating function x exp(x u) / (exp(x) - 1) of these polynomials gives it; terms up to x^4 are right to 1e-5.
    """
    bernoulli = (
        u**2 - u + 1.0 / 6.0,
        u**3 - 1.5 * u**2 + 0.5 * u,
        u**4 - 2.0 * u**3 + u**2 - 1.0 / 30.0,
        u**5 - 2.5 * u**4 + 5.0 / 3.0 * u**3 - u / 6.0,
    )
    return float(sum(value * x ** (k + 1) / special.factorial(k + 2) for k, value in enumerate(bernoulli)))


def discounts_alike(assumptions: Assumptions, other: Assumptions) -> bool:
    """Whether orders and times are discounted alike under both assumptions.

    Examples
    --------
    >>> assumptions = Assumptions(discount_rate=0.15, margin=0.30)
    >>> discounts_alike(assumptions, assumptions.replace({"margin": 0.25}))
    True
    >>> discounts_alike(assumptions, assumptions.replace({"horizon": "10 years"}))
    False
    """
    return all(getattr(assumptions, name) == getattr(other, name) for name in (*DISCOUNTING, "cost_half_life"))


def with_discounting_of(assumptions: Assumptions, other: Assumptions) -> Assumptions:
    """Return the assumptions with the discounting of others.

    Examples
    --------
    >>> assumptions = Assumptions(discount_rate=0.15, margin=0.30)
    >>> other = with_discounting_of(assumptions, Assumptions(discount_rate=0.10, margin=0.25))
    >>> other.discount_rate, other.margin
    (0.1, 0.3)
    """
    return replace(assumptions, **{name: getattr(other, name) for name in DISCOUNTING})
