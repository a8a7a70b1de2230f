"""Discount factors: effective annual rates, in the unit of the fit, under a stated timing of the cash flows."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.quadrature import Weighting
from clvmodels.units import Unit
from clvmodels.valuation.assumptions import Assumptions

__all__ = ["annuity", "calendar_years", "discount_factor", "discounted_years", "discounting", "growing"]

Array = NDArray[np.float64]

FOR_EVER: Final = 34.0
"""Discounted to exp(-34), what lies beyond does not show in any digit."""
PERIODS: Final = {"month": 12, "year": 1}


def _force(terms: Assumptions, unit: Unit, time: Array) -> Array:
    """Return the integral of the force of interest from 0 to `time`: linear within each year."""
    forces = np.log1p(terms.discount_rates)
    if len(forces) == 1:
        return np.asarray(forces[0] / terms.year_in(unit) * time)
    starts = np.concatenate([[0.0], np.cumsum(forces[:-1])])
    years = time / terms.year_in(unit)
    year = np.minimum(years, len(forces) - 1).astype(np.int64)
    return np.asarray(starts[year] + forces[year] * (years - year))


def discount_factor(terms: Assumptions, unit: Unit, time: Array) -> Array:
    """Return the present value of money at `time` (in `unit`) from now, under the timing of `terms`."""
    if terms.timing != "continuous":
        position, period = _period(terms, unit)
        time = period * (np.floor(time / period) + position)
    return np.asarray(np.exp(-_force(terms, unit, time)))


def annuity(terms: Assumptions, unit: Unit, time: Array) -> Array:
    """Return the present value of one a `unit` until `time`, under the timing of `terms`: the integral of the factor.

    Examples
    --------
    >>> terms = Assumptions(discount_rate=0.1, margin=0.3, timing="end-year")
    >>> annuity(terms, "year", np.array([1.0, 2.5])).round(6)
    array([0.909091, 2.111195])
    """
    if terms.timing == "continuous":
        return _continuous_annuity(terms, unit, time)
    _, period = _period(terms, unit)
    whole = np.floor(time / period).astype(np.int64)
    inside = period * np.arange(0.5, whole.max(initial=0) + 1)
    before = np.concatenate([[0.0], np.cumsum(period * discount_factor(terms, unit, inside))])
    return np.asarray(before[whole] + (time - period * whole) * discount_factor(terms, unit, time))


def _continuous_annuity(terms: Assumptions, unit: Unit, time: Array) -> Array:
    """Return the sum over the years of constant force of their parts before `time`."""
    length = terms.year_in(unit)
    total = np.zeros_like(time)
    for year, force in enumerate(np.log1p(terms.discount_rates) / length):
        start = year * length
        end = np.inf if year == len(terms.discount_rates) - 1 else length
        inside = np.clip(time - start, 0.0, end)
        part = inside if force == 0.0 else -np.expm1(-force * inside) / force
        total += np.exp(-_force(terms, unit, np.asarray(start))) * part
    return total


def discounted_years(terms: Assumptions, unit: Unit, time: Array) -> Array:
    """Return the time from now until `time` (in `unit`), discounted, in years."""
    return annuity(terms, unit, time) / terms.year_in(unit)


def calendar_years(terms: Assumptions, unit: Unit, years: float | None = None) -> float:
    """Return K: the discounted time within the horizon, in years; `years` is a shorter horizon.

    Examples
    --------
    >>> round(calendar_years(Assumptions(discount_rate=0.1, margin=0.3), "week"), 6)  # 1 / log(1.1)
    10.492059
    """
    return float(discounted_years(terms, unit, np.array([discounting(terms, unit, years).end]))[0])


def discounting(terms: Assumptions, unit: Unit, years: float | None = None) -> Weighting:
    """Return the weighting under which integrals over the future are present values.

    Parameters
    ----------
    terms
        The assumptions, with their horizon.
    unit
        The unit of time to integrate in.
    years
        A shorter horizon, in years.
    """
    return _weighting(terms, unit, years, growth=0.0)


def growing(terms: Assumptions, unit: Unit, years: float | None = None) -> Weighting:
    """Return the same for amounts that grow as the value of orders does."""
    return _weighting(terms, unit, years, growth=terms.force_of_growth(unit))


def _weighting(terms: Assumptions, unit: Unit, years: float | None, growth: float) -> Weighting:
    year = terms.year_in(unit)
    end = min(terms.horizon_in(unit), np.inf if years is None else years * year)
    fall = terms.force_of_interest(unit) - growth
    if fall > 0.0:
        end = min(end, year * (len(terms.discount_rates) - 1) + FOR_EVER / fall)
    steepest = np.log1p(max(terms.discount_rates)) / year + abs(growth)
    jumps: Array = year * np.arange(1.0, len(terms.discount_rates))
    if terms.timing != "continuous":
        _, period = _period(terms, unit)
        jumps = period * np.arange(1.0, np.ceil(end / period))
    return Weighting(
        lambda time: discount_factor(terms, unit, time) * np.exp(growth * time),
        end,
        jumps=jumps,
        smooth_over=2.0 / steepest if terms.timing == "continuous" and steepest > 0.0 else np.inf,
    )


def _period(terms: Assumptions, unit: Unit) -> tuple[float, float]:
    """Return where in its period money is deemed to flow (0.5 or 1), and the length of the period."""
    position, name = terms.timing.split("-")
    return {"mid": 0.5, "end": 1.0}[position], terms.year_in(unit) / PERIODS[name]
