"""What predictions, storage, words and ArviZ read of a fit, so that they need not know its class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Protocol, Self

from clvmodels.models.specification import Array, Model
from clvmodels.units import Unit

if TYPE_CHECKING:
    from clvmodels.data.histories import Histories
    from clvmodels.inference.adjustment import Adjustment
    from clvmodels.inference.calendars import FittedCalendar
    from clvmodels.inference.coefficients import Coefficients
    from clvmodels.inference.diagnostics import Diagnostics
    from clvmodels.inference.parameters import Parameters
    from clvmodels.inference.regularity import Regularity
    from clvmodels.inference.segment_test import SegmentTest

__all__ = ["FitMethod", "Fitted", "Method"]

FitMethod = Literal["mle", "map", "laplace", "nuts", "advi", "posterior"]
Method = Literal["mle", "map", "laplace", "nuts", "advi", "given"]
"""How a fit was found; ``"posterior"`` ends as ``"laplace"`` or ``"nuts"``."""


class Fitted[M: Model](Protocol):
    """A fitted model as plain data; `Fit` says what its members mean."""

    @property
    def model(self) -> M:
        """The model's specification."""

    @property
    def theta(self) -> Array:
        """The parameters, shape (chain, draw, parameters)."""

    @property
    def draws(self) -> Array:
        """The parameters without distinction of chains, shape (chain * draw, parameters)."""

    @property
    def method(self) -> Method:
        """How they were found."""

    @property
    def unit(self) -> Unit | None:
        """The unit of time; None for a model of spend."""

    @property
    def log_likelihood(self) -> float:
        """Of the data the model was fitted to."""

    @property
    def estimate(self) -> Array:
        """The point estimate, shape (parameters,)."""

    @property
    def params(self) -> Mapping[str, float]:
        """The point estimate by name."""

    @property
    def covariance(self) -> Array:
        """Of log(parameter - lower bound), shape (parameters, parameters)."""

    @property
    def customers(self) -> int:
        """Number of customers it was fitted to."""

    @property
    def fingerprint(self) -> str:
        """Of the histories it was fitted to."""

    @property
    def diagnostics(self) -> Diagnostics:
        """How the fit ended."""

    @property
    def priors(self) -> Mapping[str, Mapping[str, object]]:
        """What was believed before."""

    @property
    def stats(self) -> Mapping[str, Array]:
        """The sampler's statistics of each draw."""

    @property
    def by(self) -> str | None:
        """Name of the attribute whose values are segments."""

    @property
    def segments(self) -> tuple[str, ...]:
        """The segments."""

    @property
    def segment_theta(self) -> Array:
        """Their parameters, shape (segment, chain, draw, parameters)."""

    @property
    def calendar(self) -> FittedCalendar | None:
        """What multiplies the rate of purchases from day to day."""

    @property
    def regularity(self) -> Regularity | None:
        """How regular purchases are, where k was chosen."""

    @property
    def segment_test(self) -> SegmentTest | None:
        """Whether segments differ."""

    @property
    def covariates(self) -> Coefficients | None:
        """The coefficients of covariates."""

    @property
    def adjustment(self) -> Adjustment | None:
        """The levers of an adjusted fit."""

    @property
    def columns_of_parameters(self) -> tuple[str, ...]:
        """The attributes of customers that their parameters depend on."""

    def of_paths(self, histories: Histories) -> Self:
        """Return the fit of customers on their own paths; of a fit that follows none, itself."""

    def parameters(self, histories: Histories) -> Parameters:
        """Return the parameters of customers."""
