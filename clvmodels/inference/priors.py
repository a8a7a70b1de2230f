"""Priors, stated in quantities that a person can judge, or in the papers' parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final, Protocol

import numpy as np

from clvmodels.arguments import require_mapping
from clvmodels.errors import FitError, ParameterError, one_of
from clvmodels.models.specification import Array, Model

__all__ = [
    "POOLING",
    "Priors",
    "VariableFactory",
    "check_priors",
    "create_variables",
    "default_priors",
    "draw_priors",
    "in_plain_data",
    "is_plain",
    "log_prior",
    "required_priors",
]


POOLING: Final = (-1.2, 0.6)
"""Of the log-normal prior of how far segments differ, in logs (log odds for shares): by 10 % to a factor of two and a
half. It stays away from zero, where centre and segments would be one."""
EXAMPLE: Final = '{"dist": "LogNormal", "mu": 0.0, "sigma": 1.0}'


class VariableFactory(Protocol):
    """What a prior object can do: ``pymc_extras.prior.Prior``, or one of the user's own."""

    def create_variable(self, name: str) -> Any:  # noqa: ANN401 - a PyTensor variable
        """Create a random variable in the PyMC model of the context."""


Priors = Mapping[str, "VariableFactory | Mapping[str, object]"]


def default_priors(model: Model) -> dict[str, dict[str, object]]:
    """Return the weakly informative default priors of a model as plain data."""
    return {quantity.name: {"dist": quantity.prior[0], **quantity.prior[1]} for quantity in model.quantities}


def check_priors(model: Model, priors: Priors | None) -> Priors:
    """Return the priors given, completed by the defaults; for the papers' parameters all or none.

    Raises
    ------
    ParameterError
        If a name is neither a quantity nor a parameter, some parameters have a prior and others none, or something is
        neither plain data nor a prior object.
    """
    given = {} if priors is None else dict(require_mapping("priors", priors, EXAMPLE, ParameterError))
    defaults = default_priors(model)
    for name, prior in given.items():
        if name not in defaults and name not in model.names:
            raise ParameterError(f"{model.name}: {one_of('quantity for a prior', name, [*defaults, *model.names])}")
        if not isinstance(prior, Mapping) and not hasattr(prior, "create_variable"):
            raise ParameterError(
                f"the prior of {name} is plain data such as {EXAMPLE}, or an object such as pymc_extras.prior.Prior, "
                f"got {prior!r}"
            )
    own = [name for name in given if name in model.names]
    if not own:
        return {**defaults, **given}
    if set(given) != set(model.names):
        raise ParameterError(
            f"{model.name}: priors are stated in {', '.join(defaults)}, or all of {', '.join(model.names)}; "
            f"got {', '.join(given)}"
        )
    return given


def required_priors(model: Model, priors: Priors | None) -> Priors:
    """Return the priors given, completed by the defaults, of a posterior.

    Raises
    ------
    FitError
        If there are none: neither stated nor as defaults of a model of one's own.
    """
    checked = check_priors(model, priors)
    if not checked:
        names = ", ".join(model.names)
        raise FitError(
            f"{model.name} has no default priors, and a posterior needs priors: state those of {names}, as in "
            f'clv.{model.public_name}(priors={{"{model.names[0]}": {EXAMPLE}, ...}}), or write method="mle"'
        )
    return checked


def create_variables(priors: Priors) -> dict[str, Any]:
    """Create the random variables of priors in the PyMC model of the context; the priors themselves are not changed.

    The parameters of a prior may be priors themselves: they become variables called ``name_parameter``.

    Raises
    ------
    ParameterError
        If plain data name no continuous distribution of PyMC, or arguments that it does not have, or a prior is not
        about one number, or has no density where PyMC starts.
    """
    import pymc as pm

    variables: dict[str, Any] = {}
    owners: list[str] = []
    model = pm.modelcontext(None)
    for name, prior in priors.items():
        variables[name] = _create_variable(name, prior)
        owners += [name] * (len(model.basic_RVs) - len(owners))
    for name, log_density in zip(owners, _initial_log_densities(model), strict=True):
        if not np.isfinite(log_density):
            raise ParameterError(
                f"the prior of {name} has no density at its own centre, got {_written(priors[name])}; see that its "
                "parameters are finite numbers in the range of the distribution, such as a sigma above zero"
            )
    return variables


def _initial_log_densities(model: Any) -> list[Any]:  # noqa: ANN401 - a model of PyMC
    """Return the log density of each random variable of a PyMC model where PyMC starts."""
    densities = model.compile_fn(
        model.logp(model.basic_RVs, jacobian=False, sum=False), inputs=model.value_vars, mode="FAST_COMPILE"
    )
    return list(densities(model.initial_point()))


def _create_variable(name: str, prior: VariableFactory | Mapping[str, object]) -> Any:  # noqa: ANN401
    """Create the random variable of a prior: one number from a continuum."""
    from pytensor.tensor.type import float_dtypes

    variable = _from_plain_data(name, prior) if isinstance(prior, Mapping) else deepcopy(prior).create_variable(name)
    if getattr(variable, "ndim", None) != 0 or variable.dtype not in float_dtypes:
        raise ParameterError(
            f"the prior of {name} is about one number, from a continuum: TensorType(float64, shape=()), got "
            f"{getattr(variable, 'type', variable)} from {_written(prior)}"
        )
    return variable


def _from_plain_data(name: str, prior: Mapping[str, object]) -> Any:  # noqa: ANN401
    import pymc as pm

    arguments = _arguments(prior)
    wrong = f"the prior of {name} is like {EXAMPLE}, got {dict(prior)!r}"
    distribution: Any = getattr(pm, str(prior.get("dist")), None)
    if not hasattr(distribution, "dist") or issubclass(distribution, pm.Discrete):
        raise ParameterError(f"{wrong}: PyMC has no continuous distribution {prior.get('dist')!r}")
    try:
        return distribution(
            name,
            **{
                key: _create_variable(f"{name}_{key}", value) if isinstance(value, Mapping) else value
                for key, value in arguments.items()
            },
        )
    except (TypeError, ValueError, NotImplementedError) as error:
        raise ParameterError(f"{wrong}: {error}") from error


def _written(prior: VariableFactory | Mapping[str, object]) -> str:
    return repr(dict(prior) if isinstance(prior, Mapping) else prior)


def draw_priors(model: Model, priors: Priors, year: float, *, draws: int, seed: int) -> dict[str, Array]:
    """Draw what priors are about, and the parameters that follow from it.

    Parameters
    ----------
    model, priors
        The model, and a prior for each of its quantities, or for each of its parameters.
    year
        The length of a year in the unit of time.
    draws, seed
        How many, and the seed that reproduces them.

    Returns
    -------
    dict
        Arrays of shape (draws,) by name.

    Raises
    ------
    FitError
        If a prior is none to draw from, as one that is flat indefinitely.
    """
    import pymc as pm

    with pm.Model():
        variables = create_variables(priors)
        try:
            drawn = pm.draw(list(variables.values()), draws, random_seed=seed, mode="FAST_COMPILE")
        except NotImplementedError as error:
            names = ", ".join(name for name, variable in variables.items() if not _can_be_drawn(variable))
            raise FitError(
                f"the prior of {names} cannot be drawn from ({error}); state one that sums to one, such as {EXAMPLE}"
            ) from error
    values = {name: np.asarray(sample) for name, sample in zip(variables, drawn, strict=True)}
    return values if set(values) == set(model.names) else values | model.from_quantities(values, year)


def log_prior(priors: Mapping[str, Mapping[str, object]], values: Mapping[str, Array]) -> Array:
    """Return the sum of the log densities of priors in plain data, at values by name of shape (draws,) each.

    Examples
    --------
    >>> log_prior({"rate": {"dist": "Exponential", "lam": 2.0}}, {"rate": np.array([0.0, 1.0])}).round(4)
    array([ 0.6931, -1.3069])
    """
    import pymc as pm

    total = np.zeros(())
    for name, at in values.items():
        distribution: Any = getattr(pm, str(priors[name]["dist"]))
        total = total + pm.logp(distribution.dist(**_arguments(priors[name])), at).eval()
    return np.asarray(total)


def _can_be_drawn(variable: Any) -> bool:  # noqa: ANN401
    import pymc as pm

    try:
        pm.draw(variable, mode="FAST_COMPILE")
    except NotImplementedError:
        return False
    return True


def _arguments(prior: Mapping[str, object]) -> dict[str, Any]:
    """Return the parameters of the distribution: beside its name, or under ``kwargs`` as pymc-extras writes them."""
    beside: dict[str, Any] = {key: value for key, value in prior.items() if key not in ("dist", "kwargs")}
    under: Any = prior.get("kwargs", {})
    if under and beside:
        raise ParameterError(
            f"a prior in plain data has the parameters of its distribution, and {', '.join(beside)} cannot be stated "
            "beside kwargs; give the prior as an object, such as pymc_extras.prior.Prior"
        )
    return {**beside, **under}


def _content(prior: VariableFactory | Mapping[str, object]) -> Mapping[str, object] | None:
    """Return what a prior consists of, or None for an object that does not say, or says more than plain data can."""
    if isinstance(prior, Mapping):
        return prior
    to_dict = getattr(prior, "to_dict", None)
    content = None if to_dict is None else dict(to_dict())
    return content if content is not None and _are_distributions(content) else None


def _are_distributions(content: Mapping[str, Any]) -> bool:
    """Whether a prior and those of its parameters are distributions with parameters and nothing else."""
    nested = [value for value in content.get("kwargs", {}).values() if isinstance(value, Mapping)]
    return set(content) <= {"dist", "kwargs"} and all(_are_distributions(prior) for prior in nested)


def is_plain(prior: VariableFactory | Mapping[str, object]) -> bool:
    """Whether `in_plain_data` keeps everything about a prior."""
    try:
        return json.dumps(_content(prior)) != "null"
    except (TypeError, ValueError):
        return False


def in_plain_data(prior: VariableFactory | Mapping[str, object]) -> dict[str, object]:
    """Return a prior as plain data, to be stored with a fit; what is none by its representation.

    Examples
    --------
    >>> in_plain_data({"dist": "HalfNormal", "sigma": 2.0})
    {'dist': 'HalfNormal', 'sigma': 2.0}
    """
    return dict(json.loads(json.dumps(_content(prior)))) if is_plain(prior) else {"object": repr(prior)}
