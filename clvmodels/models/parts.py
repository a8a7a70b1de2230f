"""What models are put together from: parameters, quantities that priors are about, limits, and what is simulated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from clvmodels.models.kernel import Array

__all__ = ["LARGEST", "Dimension", "Events", "Limit", "OwnRates", "Parameter", "Quantity", "Stages", "Traits"]

Dimension = Literal["none", "time", "rate", "money"]
LARGEST: Final[Mapping[Dimension, float]] = {"none": 1e25, "time": 1e25, "rate": 1e25, "money": 1e120}
"""Parameters above these, and below their reciprocals, are mistaken: figures would leave the range of doubles. Fits end
at 1e13 times the mean age (mean spend) of the customers."""


@dataclass(frozen=True)
class Parameter:
    """A model parameter.

    Attributes
    ----------
    name
        Its name in the literature.
    dimension
        How it scales when the unit of time or money changes: ``"time"`` parameters (inverse rates) by the unit,
        ``"rate"`` parameters by its inverse.
    lower
        It is greater than this.

    Examples
    --------
    >>> Parameter("alpha", "time")
    Parameter(name='alpha', dimension='time', lower=0.0)
    """

    name: str
    dimension: Dimension = "none"
    lower: float = 0.0


@dataclass(frozen=True)
class Limit:
    """Where a fit ends if customers do not differ in some respect: parameters run to zero or infinity.

    Attributes
    ----------
    meaning
        What is then true of the data, in words.
    beyond
        Sums of log parameters, given by their coefficients, that are all large there; the logs of what is above the
        lower bound, in units where the mean age (mean spend) is one.
    start
        Parameters near it, in these units, from where it is sought too; those left out are taken from the best fit.
    endless
        Whether customers who are alive there never leave: what comes after the time observed then rests on none of it.

    Examples
    --------
    >>> Limit("purchase rates do not differ", ({"r": 1.0}, {"alpha": 1.0})).holds({"r": 12.0, "alpha": 11.0}, far=9.0)
    True
    """

    meaning: str
    beyond: tuple[Mapping[str, float], ...]
    start: Mapping[str, float] = field(default_factory=dict)
    endless: bool = False

    def holds(self, psi: Mapping[str, float], *, far: float) -> bool:
        """Return whether log parameters are so far on the way to it that their sums are above `far`."""
        return all(sum(factor * psi[name] for name, factor in sums.items()) > far for sums in self.beyond)


@dataclass(frozen=True)
class Quantity:
    """Something about the customers that a person can judge, in which priors are stated.

    Attributes
    ----------
    name, meaning
        Its name, and what it is, in words.
    prior
        The default, weakly informative prior: the name of a PyMC distribution and its arguments.
    share
        Whether it lies between zero and one; it is positive otherwise.
    leaving
        Whether it is about how customers leave, which value far ahead rests on.
    level_of
        The process of `Model.effects` whose level it is, so that a lever can move it; None: it is no level.

    Examples
    --------
    >>> Quantity("dropout", "chance to leave after a purchase", ("Beta", {"alpha": 1.0, "beta": 2.0}), share=True).prior
    ('Beta', {'alpha': 1.0, 'beta': 2.0})
    """

    name: str
    meaning: str
    prior: tuple[str, Mapping[str, float]]
    share: bool = False
    leaving: bool = False
    level_of: str | None = None


@dataclass(frozen=True)
class Traits:
    """What a simulated customer is like, given that they are alive: shape (customers,) each.

    Attributes
    ----------
    purchase_rate
        Purchases per unit of time.
    lifetime
        Time at which they leave, counted from now; infinite if they do not leave by the clock.
    last_purchase
        Number of purchases after which they leave, counted from now; infinite if purchases do not make them leave.

    Examples
    --------
    One who leaves after 20 units of time, and one whom their third purchase makes leave:

    >>> import numpy as np
    >>> Traits(np.array([0.1, 0.2]), lifetime=np.array([20.0, np.inf]), last_purchase=np.array([np.inf, 3.0])).lifetime
    array([20., inf])
    """

    purchase_rate: Array
    lifetime: Array
    last_purchase: Array


@dataclass(frozen=True)
class Events:
    """Simulated repeat purchases.

    Attributes
    ----------
    customer, time
        Who bought and when, counted from the start of each customer's simulation; sorted by customer and time.
    left
        When each customer left, or the end of their duration; shape (customers,).
    alive
        Whether each customer is alive at the end; shape (customers,).
    """

    customer: NDArray[np.int64]
    time: Array
    left: Array
    alive: NDArray[np.bool_]


@dataclass(frozen=True)
class OwnRates:
    """How the purchase rates of customers differ who have one history and are alive; in periods, their own chances.

    Attributes
    ----------
    mean
        ``(theta, x, t_x, T)``: their mean.
    at_most
        ``(theta, x, t_x, T, rate)``: the probability that a customer's own rate is at most `rate`.
    """

    mean: Callable[[Array, Array, Array, Array], Array]
    at_most: Callable[[Array, Array, Array, Array, Array], Array]


@dataclass(frozen=True, eq=False)
class Stages:
    """Purchases that take several stages each, passed at random: a customer is in one of them, and nobody knows which.

    The future of a customer in stage j after x purchases depends on the number of stages y = number * x + j that they
    have passed, and on their age. It is a mean over the stages that they may be in.

    Attributes
    ----------
    number
        How many stages a purchase takes.
    weights
        ``(theta, x, t_x, T)``: the probabilities of the stages given that a customer is alive, on a new last axis.
    rate
        ``(theta, y, T)``: the expected number of stages that a customer who is alive passes in a unit of time.
    """

    number: int
    weights: Callable[[Array, Array, Array, Array], Array]
    rate: Callable[[Array, Array, Array], Array]
