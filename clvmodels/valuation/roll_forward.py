"""What a closing expects of the time after it: what comes in until a later date, and what will be left then."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.quadrature import Weighting
from clvmodels.units import Unit
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.discounting import (
    ROUNDING,
    discount_factor,
    discounted_years,
    discounting,
    growing,
    learned,
    learning,
)
from clvmodels.valuation.lines import DiscountedDrivers, total
from clvmodels.valuation.residual_expectations import ResidualExpectations, ahead
from clvmodels.valuation.valued_rows import ValuedRows

__all__ = ["Expectation", "expectation", "margin_of", "value_growth"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Expectation:
    """What a book expects of the time until a later date; arrays of shape (customers,).

    Attributes
    ----------
    accumulation
        What one grows to until then at the discount rate: (1 + i)^h.
    within
        Present value of what comes in until then, at the mean season of the year.
    horizon
        What the residual lifetime value then has beyond that of now with interest, less what came in; at the mean
        season: as horizon, timing and the rates of coming years begin anew.
    season
        The rest of `later`: what the season adds to the value then, less what it adds to that of now, with interest.
    later
        The residual lifetime value then, under the same fits and assumptions.
    order_value
        The value of an order then.
    margin
        Contribution margin until then, not discounted.
    """

    accumulation: float
    within: Array
    horizon: Array
    season: Array
    later: Array
    order_value: Array
    margin: Array


def expectation(book: ValuedRows, time: float) -> Expectation:
    """Return what a book expects of the next `time`, in its unit.

    The value expected at the later date is that of a valuation made there under the assumptions as they are written:
    its horizon, the periods of its timing and the rates of its coming years all begin anew. With m the purchase
    intensity and v the discount factor, orders then count as the integral over (h, h + H] of v(u - h) m(u), so that
    the value at the later date, averaged over what may be seen until then, is this one (a martingale).

    Examples
    --------
    >>> rows = book.with_assumptions(book.assumptions.replace({"year": "52 weeks"})).each
    >>> ahead = expectation(rows, 52.0)
    >>> round(ahead.accumulation, 6)
    1.15
    >>> bool(abs(1.15 * (rows.rlv - ahead.within).sum() - ahead.later.sum()) < 1e-9)
    True
    """
    assumptions, unit = book.assumptions, book.transactions.unit
    weightings = _weightings(assumptions, unit, time)
    coming = ahead(book.transactions, book.histories, weightings, assumptions.year_in(unit))
    at_once = replace(assumptions, timing="continuous")
    accumulation = 1.0 / float(discount_factor(at_once, unit, np.array([time]))[0])
    within, later, horizon = _rolled(book, coming, book.rlv, accumulation, time)
    season = np.zeros(len(later))
    if any(fit.calendar is not None for fit in book.transactions.fits):
        level, first = book.transactions.at_mean_season(), len(weightings)
        whole = [kind(assumptions, unit) for kind in (discounting, growing, learning)]
        steady = ahead(level, book.histories, [*weightings, *whole], assumptions.year_in(unit))
        early = _early(assumptions, unit, first + 2)
        rlv = total(book.lines, steady.drivers(first, first + 1, book.future.Z, book.future.K, early))
        within, _, horizon = _rolled(book, steady, rlv, accumulation, time)
        season = later - (accumulation * book.rlv - accumulation * within) - horizon
    order_value = book.future.Z * value_growth(assumptions, unit, time)
    sales = coming.purchases[:, 4][coming.index] * book.future.Z
    return Expectation(accumulation, within, horizon, season, later, order_value, margin_of(book, sales))


def _rolled(
    book: ValuedRows, coming: ResidualExpectations, rlv: Array, accumulation: float, time: float
) -> tuple[Array, Array, Array]:
    """Return what comes in until a later date, the value then, and what that has beyond compounding; by customer."""
    assumptions, unit, Z = book.assumptions, book.transactions.unit, book.future.Z
    before = np.array([min(time, assumptions.horizon_in(unit))])
    still = float(discounted_years(assumptions, unit, before)[0])
    within = total(book.lines, coming.drivers(0, 1, Z, still, _early(assumptions, unit, 5)))
    compounded = accumulation * rlv - accumulation * within
    if not _rolls(assumptions):
        return within, compounded, np.zeros(len(within))
    order_value = Z * value_growth(assumptions, unit, time)
    later = total(book.lines, coming.drivers(2, 3, order_value, book.future.K, _early(assumptions, unit, 6)))
    return within, later, later - compounded


def _early(assumptions: Assumptions, unit: Unit, number: int) -> tuple[int, float] | None:
    """Return the number of a weighting of early orders, and the force of learning; None: costs do not fall."""
    return (number, assumptions.force_of_learning(unit)) if assumptions.cost_half_life else None


def value_growth(assumptions: Assumptions, unit: Unit, time: float) -> float:
    """Return what the value of an order grows to from one, until a later date."""
    return float(np.exp(assumptions.force_of_growth(unit) * time))


def margin_of(book: ValuedRows, sales: Array) -> Array:
    """Return the contribution margin of sales, by customer of the book."""
    zeros = np.zeros(len(sales))
    at_margin = DiscountedDrivers(D=zeros, L=zeros, Z=sales, G=np.ones(len(sales)), K=0.0)
    return next(line for line in book.lines if line.name == "contribution_margin").value(at_margin)


def _rolls(assumptions: Assumptions) -> bool:
    """Return whether a later valuation sees the same future otherwise than by compounding."""
    return assumptions.timing != "continuous" or assumptions.horizon is not None or len(assumptions.discount_rates) > 1


def _weightings(assumptions: Assumptions, unit: Unit, time: float) -> list[Weighting]:
    """Return the factors of orders and of sales until then, and from then on; and of sales until then, undiscounted.

    Where costs fall with tenure, also those of early orders until then, and from then on.
    """
    years = time / assumptions.year_in(unit)
    undiscounted = replace(assumptions, discount_rate=0.0, timing="continuous", horizon=None)
    delayed = _delayed(discounting(assumptions, unit), time)
    force = assumptions.force_of_learning(unit)
    early = [learning(assumptions, unit, years), learned(delayed, force)] if force else []
    return [
        discounting(assumptions, unit, years),
        growing(assumptions, unit, years),
        delayed,
        _delayed(growing(assumptions, unit), time),
        growing(undiscounted, unit, years),
        *early,
    ]


def _delayed(weighting: Weighting, time: float) -> Weighting:
    """Return the weighting as it is applied from `time` on; zero before. What flows at that very moment is over."""
    return Weighting(
        lambda at: np.where(at < time, 0.0, weighting.factor(np.maximum(at - time, 0.0))),
        weighting.end + time,
        jumps=[time, *(jump + time for jump in weighting.jumps)],
        smooth_over=weighting.smooth_over,
        points=tuple((at + time, weight) for at, weight in weighting.points),
        moments=lambda at: np.where(at <= time * (1.0 + ROUNDING), 0.0, weighting.at(np.maximum(at - time, 0.0))),
    )
