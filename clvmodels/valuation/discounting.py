"""Discount factors: one effective annual rate, in the unit of the fit, under a stated timing of the cash flows."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.numerics.quadrature import Weighting
from clvmodels.units import Unit
from clvmodels.valuation.assumptions import Assumptions

__all__ = ["annuity", "discount_factor", "discounting"]

Array = NDArray[np.float64]

FOR_EVER: Final = 34.0
"""Discounted to exp(-34), what lies beyond does not show in any digit."""
PERIODS: Final = {"month": 12, "year": 1}


def discount_factor(terms: Assumptions, unit: Unit, time: Array) -> Array:
    """Return the present value of money at `time` (in `unit`) from now, under the timing of `terms`."""
    delta = terms.force_of_interest(unit)
    if terms.timing == "continuous":
        return np.asarray(np.exp(-delta * time))
    position, period = _period(terms, unit)
    return np.asarray(np.exp(-delta * period * (np.floor(time / period) + position)))


def annuity(terms: Assumptions, unit: Unit, time: Array) -> Array:
    """Return the present value of one a `unit` until `time`, under the timing of `terms`: the integral of the factor.

    Examples
    --------
    >>> terms = Assumptions(discount_rate=0.1, margin=0.3, timing="end-year")
    >>> annuity(terms, "year", np.array([1.0, 2.5])).round(6)
    array([0.909091, 2.111195])
    """
    delta = terms.force_of_interest(unit)
    if delta == 0.0:
        return np.asarray(time)
    if terms.timing == "continuous":
        return np.asarray(-np.expm1(-delta * time) / delta)
    position, period = _period(terms, unit)
    whole = np.floor(time / period)
    before = period * np.exp(-delta * period * position) * np.expm1(-delta * period * whole) / np.expm1(-delta * period)
    return np.asarray(before + (time - period * whole) * discount_factor(terms, unit, time))


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
    delta = terms.force_of_interest(unit)
    end = min(terms.horizon_in(unit), np.inf if years is None else years * terms.year_in(unit))
    end = min(end, FOR_EVER / delta) if delta > 0.0 else end
    jumps: Array = np.empty(0)
    if terms.timing != "continuous":
        _, period = _period(terms, unit)
        jumps = period * np.arange(1.0, np.ceil(end / period))
    return Weighting(
        lambda time: discount_factor(terms, unit, time),
        end,
        jumps=jumps,
        smooth_over=2.0 / delta if terms.timing == "continuous" and delta > 0.0 else np.inf,
    )


def _period(terms: Assumptions, unit: Unit) -> tuple[float, float]:
    """Return where in its period money is deemed to flow (0.5 or 1), and the length of the period."""
    position, name = terms.timing.split("-")
    return {"mid": 0.5, "end": 1.0}[position], terms.year_in(unit) / PERIODS[name]
