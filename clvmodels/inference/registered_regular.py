"""The class that the estimators of models of regular purchases derive from: k is chosen when they are fitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import EllipsisType
from typing import Any, Self

from clvmodels.arguments import require_whole
from clvmodels.data.calendar import Calendar
from clvmodels.data.histories import Histories
from clvmodels.data.required import require_histories
from clvmodels.errors import FitError, ParameterError
from clvmodels.inference.design import Covariates
from clvmodels.inference.priors import Priors
from clvmodels.inference.protocols import FitMethod
from clvmodels.inference.registered_transactions import RegisteredTransactions
from clvmodels.inference.regularity_fit import regularity
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.registry import REGULAR_FAMILIES
from clvmodels.models.regular_family import RegularFamily
from clvmodels.models.regular_waits import MOST_STAGES
from clvmodels.models.specification import TransactionModel

__all__ = ["RegisteredRegular"]


@dataclass(frozen=True, repr=False)
class RegisteredRegular(RegisteredTransactions):
    """A model of regular purchases, whose k is chosen when it is fitted unless it is given.

    Attributes
    ----------
    k
        Stages of a purchase, a whole number; None: the one of the highest likelihood.
    """

    k: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Set the model.

        Raises
        ------
        FitError
            If k is no whole number that the model knows, or there is a calendar.
        """
        if self.k is not None:
            require_whole("k", self.k, low=1, high=MOST_STAGES, error=FitError)
        if self.calendar is not None:
            raise FitError(f"{type(self).__name__} runs on no calendar: leave calendar out, or take {self._poisson}")
        object.__setattr__(self, "model", self._family.whole(self.k or 1))
        super().__post_init__()

    @property
    def _family(self) -> RegularFamily:
        return REGULAR_FAMILIES[self.model.public_name]

    @property
    def _poisson(self) -> str:
        return f"clv.{self._family.poisson.public_name}"

    def _model_of(
        self, histories: Histories, method: FitMethod, by: str | None
    ) -> tuple[TransactionModel, Mapping[str, Any]]:
        if self.k is not None:
            return super()._model_of(histories, method, by)
        require_histories(histories)
        regular = regularity(self._family, histories)
        return self._family.whole(regular.whole), {"regularity": regular}

    def from_params(self, params: Mapping[str, float], *, unit: str) -> TransactionFit:
        """Return a fit with known parameters of a given k.

        Raises
        ------
        ParameterError
            If k is not given; and as of other models.

        Examples
        --------
        >>> import clvmodels as clv
        >>> clv.MBGCNBDk(k=2).from_params({"r": 1.5, "alpha": 4.0, "a": 0.8, "b": 4.0}, unit="week")
        <MBG/CNBD-2 (given): r 1.5, alpha 4, a 0.8, b 4, time in weeks>
        """
        if self.k is None:
            name = type(self).__name__
            raise ParameterError(f"parameters are those of some k: write clv.{name}(k=2).from_params(...)")
        return super().from_params(params, unit=unit)

    def set_params(
        self,
        *,
        priors: Priors | EllipsisType | None = ...,
        covariates: Covariates | EllipsisType | None = ...,
        calendar: Calendar | EllipsisType | None = ...,
        k: int | EllipsisType | None = ...,
    ) -> Self:
        """Return the same model with other arguments; this one stays as it is.

        Examples
        --------
        >>> import clvmodels as clv
        >>> clv.MBGCNBDk().set_params(k=3)
        MBGCNBDk(k=3)
        """
        return self._with({"priors": priors, "covariates": covariates, "calendar": calendar, "k": k})
