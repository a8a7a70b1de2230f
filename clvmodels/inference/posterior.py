"""The posterior as a PyMC model, and as a compiled density for samplers.

Users get the model itself (`to_pymc`), to look at, extend and sample in their own way. Our own sampling compiles its
log density once, and walks in coordinates u = centre + factor z in which the posterior is nearly a standard normal
distribution: a change of coordinates that is exact, whatever the factor.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numba import njit
from pymc.pytensorf import compile as compile_graph
from pymc.pytensorf import gradient, join_nonshared_inputs

from clvmodels.inference.likelihood import LogLikelihood, Table
from clvmodels.inference.priors import POOLING, Priors, create_variables
from clvmodels.inference.surrogate import Density, is_costly
from clvmodels.models.specification import Array, Model, Quantity
from clvmodels.units import DAYS, Unit

Variable = Any
"""A variable of PyTensor."""

__all__ = ["Target", "pymc_model"]


def pymc_model(model: Model, priors: Priors, table: Table, unit: Unit | None, segments: Sequence[str] = ()) -> pm.Model:
    """Return the model in PyMC: priors, parameters of the papers, and the likelihood of a table of histories.

    Parameters
    ----------
    model, priors
        The model, and a prior for each of its quantities, or for each of its parameters.
    table
        The histories, in `unit`; one group, or one a segment.
    unit
        The unit of time; None for a model of spend.
    segments
        Names of the groups whose parameters come from a common population; empty for parameters common to all.
    """
    year = DAYS["year"] / DAYS[unit] if unit is not None else 1.0
    with pm.Model(coords={"segment": list(segments)} if segments else None) as built:
        data = [pm.Data(name, array) for name, array in table.named.items()]
        params = _params(model, priors, year, pooled=bool(segments))
        theta: Variable = pt.stack([params[name] for name in model.names], axis=-1)
        theta = theta if segments else theta[None, :]
        outputs: Variable = LogLikelihood(model)(theta, *data)
        pm.Potential(
            "log_likelihood", pm.math.switch(pm.math.gt((theta - model.lower).min(), 0.0), outputs[0], -np.inf)
        )
    return built


def _params(model: Model, priors: Priors, year: float, *, pooled: bool) -> dict[str, Any]:
    """Create the variables of the context's model, and return the parameters by name."""
    variables = create_variables(priors)
    if set(variables) == set(model.names):
        return variables
    if pooled:
        for name, value in model.from_quantities(variables, year).items():
            pm.Deterministic(f"population_{name}", value)
        variables = {quantity.name: _by_segment(quantity, variables[quantity.name]) for quantity in model.quantities}
    params = model.from_quantities(variables, year)
    dims = "segment" if pooled else None
    return {name: pm.Deterministic(name, params[name], dims=dims) for name in model.names}


def _by_segment(quantity: Quantity, centre: Variable) -> Variable:
    """Return a quantity by segment: normally distributed around the population's, in logs or log odds."""
    sd = pm.LogNormal(f"{quantity.name}_sd", *POOLING)
    odds = centre / (1.0 - centre) if quantity.share else centre
    value = pt.exp(pm.Normal(f"log_{quantity.name}_of_segment", pt.log(odds), sd, dims="segment"))
    value = value / (1.0 + value) if quantity.share else value
    return pm.Deterministic(f"{quantity.name}_of_segment", value, dims="segment")


_COMPILED: Final[dict[tuple[object, ...], tuple[Callable[..., Any], dict[str, Any]]]] = {}
"""Functions of u and of data by what they were compiled from, so that the next fit of a kind need not compile, with the
names of the data; and their values, if they are none of the histories'."""
_STARTS: Final[dict[Hashable, dict[str, Array]]] = {}
"""Where PyMC starts, by recipe."""


@dataclass(frozen=True)
class Target:
    """The log density of a PyMC model's unconstrained variables, one vector u, compiled.

    Attributes
    ----------
    build
        Returns the PyMC model of some histories.
    table
        The histories.
    recipe
        What the model is built from but for the histories; models of one recipe share compiled functions.
    jacobian
        Whether the density is that of u (for sampling) or of the variables themselves (for their mode).
    """

    build: Callable[[Table], pm.Model]
    table: Table
    recipe: Hashable
    jacobian: bool = True

    @cached_property
    def built(self) -> pm.Model:
        """The PyMC model; what has been compiled for others of the same recipe does without."""
        return self.build(self.table)

    @property
    def customers(self) -> float:
        """Number of customers."""
        return float(self.table.weight.sum())

    @property
    def start(self) -> Array:
        """Where PyMC would start, shape (size,)."""
        return np.concatenate([np.ravel(value) for value in self._initial_point.values()])

    @property
    def _initial_point(self) -> dict[str, Array]:
        if self.recipe not in _STARTS:
            _STARTS[self.recipe] = self.built.initial_point()
        return _STARTS[self.recipe]

    def point(self, u: Array) -> dict[str, Array]:
        """Return u as PyMC knows it: arrays by the names of the unconstrained variables."""
        point: dict[str, Array] = {}
        for name, value in self._initial_point.items():
            size = np.size(value)
            point[name], u = u[:size].reshape(np.shape(value)), u[size:]
        return point

    def _compiled(self, kind: str, outputs: Callable[[], list[Variable]]) -> tuple[Callable[..., Any], list[Array]]:
        """Return a function of u and of the data, for compiled callers, and the data."""
        key, histories = (self.recipe, self.jacobian, kind), self.table.named
        if key not in _COMPILED:
            graphs, joined = join_nonshared_inputs(self._initial_point, outputs(), self.built.continuous_value_vars)
            function = compile_graph([joined], graphs, mode="NUMBA", on_unused_input="ignore")
            shared = {
                variable.name: None if variable.name in histories else variable.get_value()
                for variable in function.get_shared()
            }
            _COMPILED[key] = function.vm.jit_fn, shared
        function, data = _COMPILED[key]
        return function, [histories.get(name, value) for name, value in data.items()]

    def _density(self) -> list[Variable]:
        log_density = self.built.logp(jacobian=self.jacobian)
        return [log_density, gradient(log_density, self.built.continuous_value_vars)]

    def density(self, u: Array) -> tuple[float, Array]:
        """Return the log density and its gradient."""
        function, data = self._compiled("density", self._density)
        value, by_u = function(u, *data)
        return float(value), np.asarray(by_u)

    def log_density(self, u: Array) -> float:
        """Return the log density."""
        return self.density(u)[0]

    @property
    def costly(self) -> Density | None:
        """The density, if it takes so long that a polynomial is to stand for it; else None."""
        return self.density if is_costly(len(self.table.weight), len(self.start)) else None

    def whitened(self, centre: Array, factor: Array) -> Callable[[Array], tuple[float, Array]]:
        """Return the density of z, u = centre + factor z, as a function that lets other threads run."""
        function, data = self._compiled("density", self._density)
        key = (self.recipe, self.jacobian, "whitened")
        if key not in _COMPILED:
            _COMPILED[key] = njit(_in_whitened_coordinates(function), nogil=True), {}
        whitened, _ = _COMPILED[key]
        return lambda z: whitened(z, centre, factor, *data)

    def variables(self, points: Array, names: Sequence[str]) -> dict[str, Array]:
        """Return variables of the model at points u, shape (..., size); a variable's own axes come last."""

        def outputs() -> list[Variable]:
            graphs: list[Variable] = self.built.replace_rvs_by_values([self.built[name] for name in names])
            return graphs

        function, data = self._compiled(f"variables {names}", outputs)
        rows = [function(u, *data) for u in points.reshape(-1, points.shape[-1])]
        return {
            name: np.array([row[k] for row in rows]).reshape(*points.shape[:-1], *np.shape(rows[0][k]))
            for k, name in enumerate(names)
        }


def _in_whitened_coordinates(function: Callable[..., Any]) -> Callable[..., tuple[float, Array]]:
    """Return the density of z, u = centre + factor z, and its gradient, to be compiled."""

    def density(z, centre, factor, *data):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN002, ANN202
        size = len(z)
        u, by_z = centre.copy(), np.zeros(size)
        for i in range(size):
            for j in range(size):
                u[i] += factor[i, j] * z[j]
        value, by_u = function(u, *data)
        for i in range(size):
            for j in range(size):
                by_z[j] += factor[i, j] * by_u[i]
        return value.item(), by_z

    return density
