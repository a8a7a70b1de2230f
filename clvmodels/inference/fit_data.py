"""What a fit is made of: plain data, without customers, and what follows from it alone.

Parameters carry the dimensions (chain, draw); a point estimate has one of each, so that nothing downstream asks how a
model was fitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

import numpy as np

from clvmodels.inference.adjustable import Adjustable
from clvmodels.inference.adjustment import Adjustment
from clvmodels.inference.calendars import FittedCalendar
from clvmodels.inference.coefficients import Coefficients
from clvmodels.inference.diagnostics import Diagnostics
from clvmodels.inference.protocols import Method
from clvmodels.inference.regularity import Regularity
from clvmodels.inference.segment_test import SegmentTest
from clvmodels.models.specification import Array, Model
from clvmodels.units import Unit

if TYPE_CHECKING:
    pass

__all__ = ["FitData"]


@dataclass(frozen=True, eq=False, repr=False)
class FitData(Adjustable):
    """The data of a fitted model.

    Attributes
    ----------
    model
        The model's specification.
    theta
        The parameters, shape (chain, draw, parameters), in the order of ``model.names``.
    method
        How they were found.
    unit
        The unit of time; None for a model of spend.
    log_likelihood
        Of the data the model was fitted to, at the point estimate; NaN for given parameters. Of a fit by segment by
        likelihood, the evidence of `segment_test`; by the other methods, NaN.
    estimate
        The point estimate, shape (parameters,).
    covariance
        Of log(parameter - lower bound), shape (parameters, parameters); NaN where it is not known.
    customers
        Number of customers it was fitted to.
    fingerprint
        Of the histories it was fitted to; equal for equal data in any order.
    diagnostics
        How the fit ended.
    priors
        What was believed before, as plain data; empty for maximum likelihood.
    stats
        The sampler's statistics of each draw, arrays of shape (chain, draw) by name.
    by
        Name of the attribute whose values are segments with parameters of their own; None if all customers have the
        same, and then the next two are empty. `theta` and `estimate` are then those of the population of segments.
    segments
        The segments.
    segment_theta
        Their parameters, shape (segment, chain, draw, parameters).
    segment_test
        Whether segments differ, of a fit by segment by likelihood; None of others.
    covariates
        The coefficients of covariates, if there are some: `theta` is then that of a customer with their means.
    calendar
        What multiplies the rate of purchases from day to day, of a fit with a calendar; None of others.
    regularity
        How regular purchases are, of a fit for which k was chosen; None of others.
    adjustment
        The levers of an adjusted fit; None of others.
    """

    model: Model
    theta: Array
    method: Method
    unit: Unit | None
    log_likelihood: float
    estimate: Array
    covariance: Array
    customers: int
    fingerprint: str
    diagnostics: Diagnostics
    priors: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    stats: Mapping[str, Array] = field(default_factory=dict)
    by: str | None = None
    segments: tuple[str, ...] = ()
    segment_theta: Array = field(default_factory=lambda: np.empty((0, 0, 0, 0)))
    segment_test: SegmentTest | None = None
    covariates: Coefficients | None = None
    calendar: FittedCalendar | None = None
    regularity: Regularity | None = None
    adjustment: Adjustment | None = None

    def __post_init__(self) -> None:
        for array in (self.theta, self.estimate, self.covariance, self.segment_theta, *self.stats.values()):
            array.setflags(write=False)

    def __setstate__(self, state: Mapping[str, object]) -> None:
        """Take what was pickled or copied, whose arrays come open to writing."""
        vars(self).update(state)
        self.__post_init__()

    @property
    def params(self) -> Mapping[str, float]:
        """The point estimate by name."""
        return MappingProxyType(
            {name: float(value) for name, value in zip(self.model.names, self.estimate, strict=True)}
        )

    @property
    def draws(self) -> Array:
        """The parameters without distinction of chains, shape (chain * draw, parameters)."""
        return self.theta.reshape(-1, len(self.model.parameters))

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.model.name

    @property
    def number_of_draws(self) -> int:
        """Number of draws, of all chains together; a point estimate has one."""
        return int(self.theta.shape[0] * self.theta.shape[1])

    @property
    def fits(self) -> tuple[Self, ...]:
        """The fit itself, as an average of models has several."""
        return (self,)

    @property
    def weights(self) -> tuple[float, ...]:
        """How much each of `fits` counts."""
        return (1.0,)

    @property
    def best(self) -> Self:
        """The fit itself."""
        return self

    def shares_of(self, number: int) -> tuple[int, ...]:
        """Return how many of so many draws belong to each of `fits`: all.

        Examples
        --------
        >>> transactions.shares_of(400)
        (400,)
        """
        return (number,)

    @property
    def aic(self) -> float:
        """Akaike's information criterion; smaller is better. NaN by segment: an evidence has integrated them out."""
        if self.by is not None:
            return float("nan")
        return 2.0 * self.number_of_parameters - 2.0 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Schwarz's information criterion; smaller is better. NaN by segment, as `aic`."""
        if self.by is not None:
            return float("nan")
        return float(np.log(max(self.customers, 1)) * self.number_of_parameters - 2.0 * self.log_likelihood)

    @property
    def number_of_parameters(self) -> int:
        """Number of parameters and coefficients of covariates."""
        return len(self.model.parameters) + (0 if self.covariates is None else len(self.covariates.estimate))
