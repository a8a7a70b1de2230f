"""The class that the estimators of registered models of transactions derive from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Self, cast

from clvmodels.data.calendar import Calendar
from clvmodels.data.histories import Histories
from clvmodels.data.required import require_histories
from clvmodels.errors import FitError
from clvmodels.inference.calendars import calendar_model, named_columns
from clvmodels.inference.design import Covariates
from clvmodels.inference.estimator import TransactionEstimator
from clvmodels.inference.priors import Priors
from clvmodels.inference.protocols import FitMethod
from clvmodels.models.specification import TransactionModel

__all__ = ["Parametrised", "RegisteredTransactions"]


class Parametrised:
    """What ``sklearn.base.clone`` and pickle ask of the estimator of one model."""

    if TYPE_CHECKING:
        model: Any  # of the kind that the estimator says
        priors: Priors | None
        covariates: Covariates | None

    def get_params(self, deep: bool = True) -> dict[str, object]:  # noqa: ARG002 - of scikit-learn
        """Return the arguments of the class, by name, as ``sklearn.base.clone`` asks for them.

        Parameters
        ----------
        deep
            Makes no difference: no argument has arguments of its own.

        Examples
        --------
        >>> import clvmodels as clv
        >>> clv.BGNBD().get_params()
        {'priors': None, 'covariates': None, 'calendar': None}
        >>> clv.GammaGamma(orders="all").get_params()
        {'priors': None, 'covariates': None, 'depends_on': None, 'first_order': 'ignore', 'orders': 'all'}
        """
        return {each.name: getattr(self, each.name) for each in fields(cast("Any", self)) if each.init}

    def _with(self, given: Mapping[str, object]) -> Self:
        """Return the same model with arguments that are given in place of its own; an ellipsis leaves them."""
        made: Callable[..., Self] = type(self)
        changed = {name: value for name, value in given.items() if value is not ...}
        return made(**{**self.get_params(), **changed}) if changed else self

    def __repr__(self) -> str:
        parts = [] if self.priors is None else [f"priors for {', '.join(self.priors) or 'none'}"]
        parts += [] if self.covariates is None else [f"covariates for {', '.join(self.covariates)}"]
        calendar: Calendar | None = getattr(self, "calendar", None)
        parts += [] if calendar is None else [f"calendar of {', '.join(calendar.columns)}"]
        parts += [] if getattr(self, "depends_on", None) is None else ["depends on the purchase rate"]
        usual = {each.name: each.default for each in fields(cast("Any", self))}
        parts += [
            f"{name}={value!r}"
            for name, value in self.get_params().items()
            if name not in ("priors", "covariates", "calendar", "depends_on") and value != usual[name]
        ]
        return f"{type(self).__name__}({', '.join(parts)})"

    def __reduce__(self) -> tuple[object, ...]:
        remade = vars(type(self)).get("_remade")  # else a class of the user's own, which pickles as classes do
        if remade is not None:
            return remade.__func__, (self.model, self.get_params())
        return cast("tuple[object, ...]", super().__reduce__())


@dataclass(frozen=True, repr=False)
class RegisteredTransactions(Parametrised, TransactionEstimator):
    """A registered model of transactions, to be fitted; the class knows its model."""

    model: TransactionModel = field(init=False)
    priors: Priors | None = field(default=None, kw_only=True)
    covariates: Covariates | None = field(default=None, kw_only=True)
    calendar: Calendar | None = field(default=None, kw_only=True)

    @property
    def _described_model(self) -> TransactionModel:
        return self.model if self.calendar is None else named_columns(self.model, self.calendar)

    def _model_of(
        self, histories: Histories, method: FitMethod, by: str | None
    ) -> tuple[TransactionModel, Mapping[str, Any]]:
        if self.calendar is None:
            return self.model, {}
        require_histories(histories)
        if by is not None:
            raise FitError(f"a calendar does not go with by={by!r}; fit the segments one after the other")
        model, calendar = calendar_model(self.model, self.calendar, histories, priors=method not in ("mle", "laplace"))
        return model, {"calendar": calendar}

    def model_for(self, histories: Histories) -> TransactionModel:
        """Return the model that is fitted to these histories: with a calendar, on its clock.

        Examples
        --------
        >>> import clvmodels as clv
        >>> clv.BGNBD().model_for(rfm).key
        'bg_nbd'
        """
        return self._model_of(histories, "posterior", None)[0]

    def set_params(
        self,
        *,
        priors: Priors | EllipsisType | None = ...,
        covariates: Covariates | EllipsisType | None = ...,
        calendar: Calendar | EllipsisType | None = ...,
    ) -> Self:
        """Return the same model with other arguments; this one stays as it is.

        Parameters
        ----------
        priors, covariates, calendar
            Others, or None for none; without an argument they stay.

        Raises
        ------
        ParameterError
            If the model has no such quantity, or PyMC does not take a prior.
        FitError
            If covariates are no formulas by processes of the model.

        Examples
        --------
        >>> import clvmodels as clv
        >>> clv.BGNBD().set_params(priors={"dropout": {"dist": "Beta", "alpha": 1.0, "beta": 3.0}})
        BGNBD(priors for dropout)
        """
        return self._with({"priors": priors, "covariates": covariates, "calendar": calendar})
