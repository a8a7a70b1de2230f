"""Priors, stated in quantities that a person can judge, or in the papers' parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Protocol

from clvmodels.errors import ParameterError, one_of
from clvmodels.models.specification import Model

__all__ = [
    "Priors",
    "VariableFactory",
    "check_priors",
    "create_variable",
    "default_priors",
    "in_plain_data",
    "is_plain",
]


class VariableFactory(Protocol):
    """What a prior object can do: ``pymc_extras.prior.Prior``, or one of the user's own."""

    def create_variable(self, name: str) -> Any:  # noqa: ANN401 - a PyTensor variable
        """Create a random variable in the PyMC model of the context."""


Priors = Mapping[str, "VariableFactory | Mapping[str, object]"]


def default_priors(model: Model) -> dict[str, dict[str, object]]:
    """Return the weakly informative default priors of a model as plain data."""
    return {one.name: {"dist": one.prior[0], **one.prior[1]} for one in model.quantities}


def check_priors(model: Model, priors: Priors | None) -> Priors:
    """Return the priors given, completed by the defaults; for the papers' parameters all or none.

    Raises
    ------
    ParameterError
        If a name is neither a quantity nor a parameter, or some parameters have a prior and others none.
    """
    given = dict(priors or {})
    defaults = default_priors(model)
    for name in given:
        if name not in defaults and name not in model.names:
            raise ParameterError(f"{model.name}: {one_of('quantity for a prior', name, [*defaults, *model.names])}")
    own = [name for name in given if name in model.names]
    if not own:
        return {**defaults, **given}
    if set(given) != set(model.names):
        raise ParameterError(
            f"{model.name}: priors are stated in {', '.join(defaults)}, or all of {', '.join(model.names)}; "
            f"got {', '.join(given)}"
        )
    return given


def create_variable(name: str, prior: VariableFactory | Mapping[str, object]) -> Any:  # noqa: ANN401
    """Create the random variable of a prior in the PyMC model of the context; the prior itself is not changed.

    The parameters of a prior may be priors themselves: they become variables called ``name_parameter``.

    Raises
    ------
    ParameterError
        If plain data name no distribution of PyMC, or arguments that it does not have.
    """
    if not isinstance(prior, Mapping):
        return deepcopy(prior).create_variable(name)
    import pymc as pm

    arguments = _arguments(prior)
    distribution: Any = getattr(pm, str(prior.get("dist")), None)
    try:
        return distribution(
            name,
            **{
                key: create_variable(f"{name}_{key}", value) if isinstance(value, Mapping) else value
                for key, value in arguments.items()
            },
        )
    except (TypeError, ValueError, NotImplementedError) as error:
        example = '{"dist": "LogNormal", "mu": 0.0, "sigma": 1.0}'
        raise ParameterError(f"the prior of {name} is like {example}, got {dict(prior)!r}: {error}") from error


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
    """Return what a prior consists of, or None for an object that does not tell, or tells more than plain data can."""
    if isinstance(prior, Mapping):
        return prior
    to_dict = getattr(prior, "to_dict", None)
    content = None if to_dict is None else dict(to_dict())
    return content if content is not None and _are_distributions(content) else None


def _are_distributions(content: Mapping[str, Any]) -> bool:
    """Whether a prior and those of its parameters are distributions with parameters and nothing else."""
    nested = [value for value in content.get("kwargs", {}).values() if isinstance(value, Mapping)]
    return set(content) <= {"dist", "kwargs"} and all(_are_distributions(one) for one in nested)


def is_plain(prior: VariableFactory | Mapping[str, object]) -> bool:
    """Whether `in_plain_data` says all there is to say of a prior."""
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
