"""What if customers bought more often, stayed longer, or ordered for more: levers on the quantities of priors.

A lever multiplies the level of a process: of the customers on the books from now on, and of those still to come. It
says what that would be worth, not how it is brought about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.arguments import abridged, as_number, require_mapping
from clvmodels.errors import DataError, FitError, one_of
from clvmodels.inference.parameters import Parameters, Shifts
from clvmodels.models.adjusted import moved
from clvmodels.models.specification import Array, Model

if TYPE_CHECKING:
    from clvmodels.data.histories import Histories

__all__ = ["Adjustment", "Where", "factors_of", "read_changes", "read_where"]

Where = Mapping[str, object]
"""Attributes, each with the value, or the values, of the customers who are meant."""

EXAMPLE: Final = '{"purchase_rate": 1.05}'
WIDEST_LOG: Final = 30.0
"""Of a factor that is looked for."""
HALVINGS: Final = 80
"""Of this range: to rounding."""


@dataclass(frozen=True)
class Adjustment:
    """The levers of a fit.

    Attributes
    ----------
    changes
        By quantity, what it is multiplied by.
    where
        By attribute, the values of the customers who are meant, as text; None: all customers.
    processes
        How many factors stand at the end of the parameters.
    """

    changes: Mapping[str, float]
    where: Mapping[str, tuple[str, ...]] | None
    processes: int

    def outside(self, histories: Histories) -> NDArray[np.bool_]:
        """Return who is not meant, shape (customers,).

        Raises
        ------
        DataError
            If the histories lack an attribute, or it is missing for some customers.
        """
        attributes = histories.attributes
        meant = np.ones(len(attributes), bool)
        for name, values in (self.where or {}).items():
            if name not in attributes.columns:
                raise DataError(one_of("attribute of the histories", name, map(str, attributes.columns)))
            column = attributes[name]
            if column.isna().any():
                raise DataError(
                    f"{name} is missing for {int(column.isna().sum()):,} customers, and levers depend on it"
                )
            meant &= column.astype(str).isin(values).to_numpy()
        return ~meant

    def of_kind(self, attributes: Mapping[Any, object]) -> bool:
        """Whether customers with these attributes are meant."""
        return all(str(attributes[name]) in values for name, values in (self.where or {}).items())

    def of_customers(self, parameters: Parameters, histories: Histories) -> Parameters:
        """Return the parameters of customers, whose factors are one if they are not meant."""
        if self.where is None:
            return parameters
        outside = self.outside(histories).astype(np.int64)
        group = outside if parameters.group is None else 2 * parameters.group + outside
        estimate = self._both(parameters.estimate, shared=parameters.group is None)
        if parameters.shifts is None:
            draws = self._both(parameters.draws, shared=parameters.group is None)
            return Parameters(draws, estimate, group)
        return Parameters(parameters.draws, estimate, group, self._shifts(parameters.shifts, parameters.draws))

    def _both(self, theta: Array, *, shared: bool) -> Array:
        """Return parameters with their factors and without, in turns for each group."""
        both = np.stack([theta, self.undone(theta)], axis=0 if shared else 1)
        return both if shared else both.reshape(-1, *theta.shape[1:])

    def undone(self, theta: Array) -> Array:
        """Return parameters with factors of one."""
        plain = theta.copy()
        plain[..., -self.processes :] = 1.0
        return plain

    def _shifts(self, shifts: Shifts, draws: Array) -> Shifts:
        """Return what covariates do, and that the factors of who is not meant are taken back."""
        groups, size = len(shifts.design), draws.shape[-1]
        outside = np.tile([0.0, 1.0], groups)[:, None] * np.ones(self.processes)
        return Shifts(
            np.column_stack([np.repeat(shifts.design, 2, axis=0), outside]),
            np.column_stack([shifts.coefficients, -np.log(draws[:, -self.processes :])]),
            np.vstack([shifts.effects, np.eye(size)[-self.processes :]]),
        )


def read_changes(model: Model, given: object) -> dict[str, float]:
    """Return levers as they are given, checked.

    Raises
    ------
    FitError
        If a name is no quantity that a lever moves, or a factor is no number above zero.
    """
    levels = [quantity.name for quantity in model.quantities if quantity.level_of in model.effects]
    changes = require_mapping("levers", given, EXAMPLE, FitError)
    if not changes:
        raise FitError(f"levers are factors by quantity, such as {EXAMPLE}, got none")
    for name, factor in changes.items():
        if name not in levels:
            raise FitError(f"{model.name}: {one_of('quantity that a lever moves', name, levels)}")
        if not 0.0 < as_number(factor) < np.inf:
            raise FitError(
                f"{name} is multiplied by a number above zero, such as 1.05 for 5 % more, got {abridged(factor)}"
            )
    return {name: as_number(factor) for name, factor in changes.items()}


def read_where(given: object) -> dict[str, tuple[str, ...]] | None:
    """Return whom levers move, as they are given, checked; values as text.

    Examples
    --------
    >>> read_where({"segment": "web", "tier": [1, 2]})
    {'segment': ('web',), 'tier': ('1', '2')}
    """
    if given is None:
        return None
    where = require_mapping("where", given, '{"segment": "web"}', FitError)
    if not where:
        raise FitError('where names attributes and their values, such as {"segment": "web"}; leave it out for all')
    return {
        str(name): tuple(map(str, values))
        if isinstance(values, Sequence | set | frozenset) and not isinstance(values, str)
        else (str(values),)
        for name, values in where.items()
    }


def factors_of(model: Model, theta: Array, changes: Mapping[str, float], year: float) -> Array:
    """Return by how much processes are multiplied so that quantities change as they shall, shape (..., processes).

    Parameters
    ----------
    model, theta
        The model, and its parameters, shape (..., parameters).
    changes
        By quantity, what it is multiplied by.
    year
        The length of a year in the unit of time.

    Raises
    ------
    FitError
        If a share would be one or more.

    Examples
    --------
    A tenth fewer customers leave in their first year if each leaves at 0.71 times their rate:

    >>> from clvmodels.models import MODELS
    >>> pareto = MODELS["pareto_nbd"]
    >>> factors_of(pareto, pareto.theta(pareto.example), {"first_year_loss": 0.9, "purchase_rate": 1.05}, 52.0).round(2)
    array([1.05, 0.71])
    """
    by_process = {quantity.level_of: quantity for quantity in model.quantities if quantity.name in changes}
    factors = np.ones((*theta.shape[:-1], len(model.effects)))
    for k, process in enumerate(model.effects):
        quantity = by_process.get(process)
        if quantity is None:
            continue
        now = _quantity(model, theta, quantity.name, year)
        target = changes[quantity.name] * now
        if quantity.share and np.max(target) >= 1.0:
            raise FitError(
                f"{quantity.name} is {np.max(now):.3g}, and {changes[quantity.name]:g} times as much is no share below "
                f"one; state a factor below {1.0 / np.max(now):.4g}"
            )
        factors[..., k] = _solved(model, theta, process, quantity.name, target, year)
    return factors


def _quantity(model: Model, theta: Array, name: str, year: float) -> Array:
    named = {parameter: theta[..., k] for k, parameter in enumerate(model.names)}
    return np.asarray(model.to_quantities(named, year)[name])


def _solved(model: Model, theta: Array, process: str, name: str, target: Array, year: float) -> Array:
    """Return the factors under which a quantity, which rises with the process, meets its target: by bisection."""
    low, high = np.full(target.shape, -WIDEST_LOG), np.full(target.shape, WIDEST_LOG)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        with np.errstate(over="ignore", under="ignore"):
            less = _quantity(model, moved(model, theta, process, np.exp(middle)), name, year) < target
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    return np.asarray(np.exp(0.5 * (low + high)))
