"""Priors, stated in quantities that a person can judge, or in the papers' parameters."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Protocol

from clvmodels.errors import ParameterError, one_of
from clvmodels.models.specification import Model

__all__ = ["Priors", "VariableFactory", "check_priors", "create_variable", "default_priors", "in_plain_data"]


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

    Raises
    ------
    ParameterError
        If plain data name no distribution of PyMC, or arguments that it does not have.
    """
    if not isinstance(prior, Mapping):
        return deepcopy(prior).create_variable(name)
    import pymc as pm

    arguments: dict[str, Any] = dict(prior)
    distribution: Any = getattr(pm, str(arguments.pop("dist", None)), None)
    arguments = arguments.pop("kwargs", arguments)
    try:
        return distribution(name, **arguments)
    except (TypeError, ValueError, NotImplementedError) as error:
        example = '{"dist": "LogNormal", "mu": 0.0, "sigma": 1.0}'
        raise ParameterError(f"the prior of {name} is like {example}, got {dict(prior)!r}: {error}") from error


def in_plain_data(prior: VariableFactory | Mapping[str, object]) -> dict[str, object]:
    """Return a prior as plain data, to be stored with a fit; an object of the user's own by its representation."""
    if isinstance(prior, Mapping):
        return dict(prior)
    to_dict = getattr(prior, "to_dict", None)
    return dict(to_dict()) if to_dict is not None else {"dist": repr(prior)}
