"""How different customers are: the share of them whose rate, or chance, is above a value.

A share above a value is finite everywhere; a density is not, where many customers hardly ever buy (r < 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy import special

from clvmodels.errors import FitError
from clvmodels.models.specification import Array, TransactionModel

__all__ = ["TRAITS", "Of", "Trait", "trait_of"]

Of = Literal["purchase_rate", "dropout"]


@dataclass(frozen=True)
class Trait:
    """Something in which customers differ.

    Attributes
    ----------
    of
        What it is about.
    meaning
        What it is, in words; ``{unit}`` stands for the unit of time of the picture.
    parameters
        Names of the two parameters of its distribution, in the meaning of the papers.
    is_rate
        Whether it is per time; it is a probability otherwise.
    above
        ``(first, second, value)``: share of new customers above a value. Broadcasts.
    quantile
        ``(first, second, share)``: the value that this share of new customers is at or below.
    """

    of: Of
    meaning: str
    parameters: tuple[str, str]
    is_rate: bool
    above: Callable[[Array, Array, Array], Array]
    quantile: Callable[[Array, Array, float], Array]

    def columns(self, model: TransactionModel, draws: Array, length: float) -> tuple[Array, Array]:
        """Return the two parameters by draw, shape (draws,) each; rates per `length` units of the fit's time."""
        first, second = (draws[:, model.names.index(name)] for name in self.parameters)
        return first, second / length if self.is_rate else second


def _gamma_above(shape: Array, rate: Array, value: Array) -> Array:
    return np.asarray(special.gammaincc(shape, rate * value))


def _gamma_quantile(shape: Array, rate: Array, share: float) -> Array:
    return np.asarray(special.gammaincinv(shape, share) / rate)


TRAITS: Final = (
    Trait("purchase_rate", "Purchases a {unit} while alive", ("r", "alpha"), True, _gamma_above, _gamma_quantile),
    Trait("dropout", "Chance to leave at a purchase", ("a", "b"), False, special.betaincc, special.betaincinv),
    Trait("dropout", "Rate of leaving, a {unit}", ("s", "beta"), True, _gamma_above, _gamma_quantile),
    Trait(
        "purchase_rate",
        "Chance to buy at an opportunity",
        ("alpha", "beta"),
        False,
        special.betaincc,
        special.betaincinv,
    ),
    Trait(
        "dropout",
        "Chance to leave before an opportunity",
        ("gamma", "delta"),
        False,
        special.betaincc,
        special.betaincinv,
    ),
)
"""By parameters: a model has those traits whose parameters it has, under the papers' names."""


def trait_of(model: TransactionModel, of: Of) -> Trait:
    """Return what customers differ in under a model.

    Raises
    ------
    FitError
        If the model has no such trait.

    Examples
    --------
    >>> from clvmodels.models.pareto_nbd import PARETO_NBD
    >>> trait_of(PARETO_NBD, "dropout").meaning
    'Rate of leaving, a {unit}'
    """
    for trait in TRAITS:
        if trait.of == of and set(trait.parameters) <= set(model.names):
            return trait
    raise FitError(f"{model.name} has no {of} that differs by customer: its parameters are {', '.join(model.names)}")
