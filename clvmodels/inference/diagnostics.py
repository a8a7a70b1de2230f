"""How a fit ended, in words a user can act on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from clvmodels.inference.maximum_likelihood import FAR, FLAT, Optimum
from clvmodels.inference.observations import Observations
from clvmodels.models.specification import Array, Model, TransactionModel

__all__ = ["Diagnostics", "diagnose"]

Status = Literal["given", "converged", "boundary", "not identified", "not converged"]


@dataclass(frozen=True)
class Diagnostics:
    """How a fit ended.

    Attributes
    ----------
    status
        ``"given"`` for parameters that were not fitted; ``"converged"``: a clean maximum; ``"boundary"``: a parameter
        ran to zero or infinity; ``"not identified"``: the data leave a combination of parameters open.
    message
        The same in a sentence, with what in the data may have caused it.
    gradient
        Largest derivative of the mean log-likelihood by a log parameter.
    evaluations
        How often the likelihood of all customers was computed.
    """

    status: Status
    message: str
    gradient: float = 0.0
    evaluations: int = 0


def diagnose(model: Model, observations: Observations, optimum: Optimum) -> Diagnostics:
    """Tell a clean maximum from a boundary, a flat direction or none, and name what in the data causes it."""
    eigenvalues, vectors = np.linalg.eigh(optimum.hessian / observations.customers)
    size = np.abs(optimum.gradient).max()
    runaways = [name for name, psi in zip(model.names, optimum.psi, strict=True) if abs(psi) > FAR]
    status: Status
    if runaways:
        directions = [
            f"{name} {'grew without limit' if psi > 0 else 'went to its lower bound'}"
            for name, psi in zip(model.names, optimum.psi, strict=True)
            if name in runaways
        ]
        status, what = (
            "boundary",
            f"{', '.join(directions)}: the data show no sign of that kind of variety among customers",
        )
    elif not optimum.converged:
        status, what = "not converged", f"the slope of the log-likelihood is still {size:.1e} a customer"
    elif eigenvalues[0] < FLAT:
        status, what = "not identified", f"the data leave open a combination of {_involved(model, vectors[:, 0])}"
    else:
        return Diagnostics("converged", "converged to a clean maximum.", float(size), optimum.evaluations)
    message = f"{status}: {what}. {_data_in_words(model, observations)}"
    return Diagnostics(status, message, float(size), optimum.evaluations)


def _involved(model: Model, direction: Array) -> str:
    return " and ".join(name for name, part in zip(model.names, direction, strict=True) if abs(part) > 0.2)


def _data_in_words(model: Model, observations: Observations) -> str:
    x, weight = observations.columns[0], observations.weight
    words = f"The data: {observations.customers:,.0f} customers, largest x {x.max():,.0f}"
    if isinstance(model, TransactionModel):
        T = observations.columns[2] * observations.time
        once = weight[x == 0].sum() / weight.sum()
        words += f", {once:.0%} with x = 0, T from {T.min():.4g} to {T.max():.4g}"
        return words + ". A longer observation or more customers help; so does a model with fewer parameters."
    return words + ". More repeat customers help."
