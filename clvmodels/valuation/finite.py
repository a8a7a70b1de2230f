"""What must hold for a valuation to be a finite number, and the errors that name the assumption where it is none."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.errors import AssumptionError, DataError, FitError
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.valuation.assumptions import Assumptions
from clvmodels.valuation.checks import SMALLEST_RATE
from clvmodels.valuation.discounting import Forces
from clvmodels.valuation.residual_expectations import ResidualExpectations

if TYPE_CHECKING:
    from clvmodels.data.histories import Histories
    from clvmodels.inference.fit import Fit

__all__ = ["LARGEST_ORDER", "has_finite_value", "require_amounts", "require_end", "require_finite_drivers"]

Array = NDArray[np.float64]

LARGEST_GROWTH: Final = 600.0
"""An order value that grows by more powers of e does not fit into a number, once it is summed over customers."""
LARGEST_ORDER: Final = 1e100
"""Money of an order: what is larger is a slip, and overflows when it is multiplied."""


def has_finite_value(assumptions: Assumptions) -> bool:
    """Return whether what is worth something under these assumptions is worth finitely much.

    Examples
    --------
    >>> assumptions = Assumptions(discount_rate=0.15, margin=0.30, growth=0.14)
    >>> has_finite_value(assumptions), has_finite_value(assumptions.replace({"discount_rate": 0.135}))
    (True, False)
    """
    ends = assumptions.horizon is not None or _last_force(assumptions) > SMALLEST_RATE
    return ends and _largest_growth(assumptions) <= LARGEST_GROWTH


def require_end(orders: TransactionFit, assumptions: Assumptions) -> None:
    """Refuse assumptions under which the value is infinite, or too large for a number.

    Raises
    ------
    AssumptionError
        Which names the assumption.
    """
    if has_finite_value(assumptions):
        return
    last = assumptions.discount_rates[-1]
    power = _largest_growth(assumptions)
    if power > LARGEST_GROWTH:
        within = (
            f"{len(assumptions.discount_rates):,} years"
            if assumptions.horizon is None
            else f'horizon = "{assumptions.horizon}"'
        )
        raise AssumptionError(
            f"growth = {assumptions.growth:g} lifts discounted order values by e^{power:.0f} within {within}, "
            'more than a number holds; state a lower growth or a shorter horizon, such as horizon = "10 years"'
        )
    if assumptions.growth > 0.0:
        raise AssumptionError(
            f"growth = {assumptions.growth:g} is not below the discount rate {last:g}: without a horizon, that is no "
            'finite value; state one, such as horizon = "10 years", or a lower growth'
        )
    tail = orders.model.tail
    exponent = math.inf if tail is None else math.prod(orders.params[name] for name in tail.split())
    why = (
        f"{tail} = {exponent:.4g}, and from 1 down the undiscounted future is infinite"
        if exponent <= 1
        else ("the undiscounted future is finite here, but lies in centuries that no model describes")
    )
    raise AssumptionError(
        f'discount_rate = {last:g} needs a horizon, such as horizon = "10 years" ({orders.model.name}: {why})'
    )


def _last_force(assumptions: Assumptions) -> float:
    return float(Forces.of(assumptions, "year", max(assumptions.growth, 0.0)).net[-1])


def _largest_growth(assumptions: Assumptions) -> float:
    """Return the power of e by which a discounted order value grows at most, within the horizon."""
    forces = Forces.of(assumptions, "year", assumptions.growth)
    end = assumptions.horizon_in("year")
    changes = forces.year * np.arange(len(forces.net), dtype=np.float64)
    times = np.append(changes[changes < end], [end] if math.isfinite(end) else [])
    return -float(forces.smooth(times).min(initial=0.0))


def require_finite_drivers(orders: Fit, expected: ResidualExpectations) -> None:
    """Refuse a valuation whose expected orders or living times are no finite numbers.

    Raises
    ------
    FitError
        Which names the parameters.
    """
    if np.isfinite(expected.purchases).all() and np.isfinite(expected.living_years).all():
        return
    values = ", ".join(f"{name} {value:.4g}" for name, value in orders.params.items())
    raise FitError(
        f"{orders.model.name}: expected orders are no finite numbers under the parameters {values}; such extreme"
        " parameters say that the model does not suit the data: fit another one, or state others"
    )


def require_amounts(histories: Histories) -> None:
    """Refuse values of orders that are too large to be multiplied.

    Raises
    ------
    DataError
        Which names the largest.
    """
    largest = float(np.nanmax(np.abs(histories.monetary_value), initial=0.0))
    if largest > LARGEST_ORDER:
        raise DataError(
            f"a mean order value of {largest:.6g} is too large to be valued (at most {LARGEST_ORDER:g}); leave out "
            "what is no amount of money, or count money in a larger unit"
        )
