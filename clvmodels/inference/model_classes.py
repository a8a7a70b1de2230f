"""The classes of the registered models, ``clv.BGNBD`` and its siblings, made of what their specifications say."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Final, Self, cast

from clvmodels.data.calendar import Calendar
from clvmodels.data.histories import Histories
from clvmodels.data.required import require_histories
from clvmodels.errors import FitError
from clvmodels.inference.calendars import FittedCalendar, calendar_model, named_columns
from clvmodels.inference.estimator import SpendEstimator, TransactionEstimator
from clvmodels.inference.priors import Priors
from clvmodels.inference.protocols import FitMethod
from clvmodels.models.registry import MODELS
from clvmodels.models.specification import Model, SpendModel, TransactionModel

__all__ = ["RegisteredSpend", "RegisteredTransactions", "model_class", "model_classes"]

_PACKAGE: Final = "clvmodels"
_DOCSTRING: Final = """{story}

Parameters
----------
priors
    Beliefs about the quantities below, those left out with weakly informative defaults, or about all of the
    parameters: ``pymc_extras.prior.Prior`` objects, or plain data such as
    ``{{"dist": "LogNormal", "mu": 1.4, "sigma": 0.5}}``. None: maximum likelihood and Laplace's approximation do
    without.{calendar}

Notes
-----
`fit` estimates the parameters, and `from_params` takes known ones:

{parameters}

The quantities that priors are about:

{quantities}

Examples
--------
>>> import clvmodels as clv
>>> params = {params}
>>> clv.{public_name}().from_params(params{unit})
<{name} (given): ...>
"""


_CALENDAR: Final = """
calendar
    What differs from day to day for all customers alike, such as seasons: a ``clv.Calendar``. Its columns multiply the
    rate of purchases; ``fit.coefficients`` are the logs of the multipliers. The rate without it is that of the mean
    over the year before the end of observation."""


class _Parametrised:
    """What ``sklearn.base.clone`` and pickle ask of the estimator of one model."""

    if TYPE_CHECKING:
        model: Any  # of the kind that the estimator says
        priors: Priors | None

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
        {'priors': None}
        """
        return {"priors": self.priors}

    def set_params(self, *, priors: Priors | EllipsisType | None = ...) -> Self:
        """Return the same model with other arguments; this one stays as it is.

        Parameters
        ----------
        priors
            Other priors, or None for none; without this argument they stay.

        Raises
        ------
        ParameterError
            If the model has no such quantity, or PyMC does not take a prior.

        Examples
        --------
        >>> import clvmodels as clv
        >>> clv.BGNBD().set_params(priors={"dropout": {"dist": "Beta", "alpha": 1.0, "beta": 3.0}})
        BGNBD(priors for dropout)
        """
        made: Callable[..., Self] = type(self)
        return self if priors is ... else made(priors=priors)

    def __repr__(self) -> str:
        priors = "" if self.priors is None else f"priors for {', '.join(self.priors) or 'none'}"
        return f"{type(self).__name__}({priors})"

    def __reduce__(self) -> tuple[object, ...]:
        if type(self) is model_class(self.model):  # else a class of the user's own, which pickles as classes do
            return _of_model, (self.model, self.get_params())
        return cast("tuple[object, ...]", super().__reduce__())


@dataclass(frozen=True, repr=False)
class RegisteredTransactions(_Parametrised, TransactionEstimator):
    """A registered model of transactions, to be fitted; the class knows its model."""

    model: TransactionModel = field(init=False)
    priors: Priors | None = field(default=None, kw_only=True)
    calendar: Calendar | None = field(default=None, kw_only=True)

    @property
    def _described_model(self) -> TransactionModel:
        return self.model if self.calendar is None else named_columns(self.model, self.calendar)

    def _model_of(
        self, histories: Histories, method: FitMethod, by: str | None
    ) -> tuple[TransactionModel, FittedCalendar | None]:
        if self.calendar is None:
            return self.model, None
        require_histories(histories)
        if by is not None:
            raise FitError(f"a calendar does not go with by={by!r}; fit the segments one after the other")
        return calendar_model(self.model, self.calendar, histories, priors=method not in ("mle", "laplace"))

    def get_params(self, deep: bool = True) -> dict[str, object]:
        """Return the arguments of the class, by name; a calendar if there is one.

        Parameters
        ----------
        deep
            Makes no difference: no argument has arguments of its own.

        Examples
        --------
        >>> import clvmodels as clv
        >>> clv.BGNBD(calendar=clv.Calendar.trend("year")).get_params()
        {'priors': None, 'calendar': Calendar(trend)}
        """
        return super().get_params(deep) | ({} if self.calendar is None else {"calendar": self.calendar})

    def set_params(
        self, *, priors: Priors | EllipsisType | None = ..., calendar: Calendar | EllipsisType | None = ...
    ) -> Self:
        """Return the same model with other arguments; this one stays as it is.

        Parameters
        ----------
        priors, calendar
            Others, or None for none; without these arguments they stay.

        Raises
        ------
        ParameterError
            If the model has no such quantity, or PyMC does not take a prior.

        Examples
        --------
        >>> import clvmodels as clv
        >>> clv.BGNBD().set_params(calendar=clv.Calendar.trend("year"))
        BGNBD(calendar of trend)
        """
        made: Callable[..., Self] = type(self)
        if priors is ... and calendar is ...:
            return self
        return made(
            priors=self.priors if priors is ... else priors,
            calendar=self.calendar if calendar is ... else calendar,
        )

    def __repr__(self) -> str:
        parts = [] if self.priors is None else [f"priors for {', '.join(self.priors) or 'none'}"]
        if self.calendar is not None:
            parts.append(f"calendar of {', '.join(self.calendar.columns)}")
        return f"{type(self).__name__}({'; '.join(parts)})"


@dataclass(frozen=True, repr=False)
class RegisteredSpend(_Parametrised, SpendEstimator):
    """A registered model of spend, to be fitted; the class knows its model."""

    model: SpendModel = field(init=False)
    priors: Priors | None = field(default=None, kw_only=True)


type ModelClass = type[RegisteredTransactions | RegisteredSpend]


@cache
def model_class(model: Model) -> ModelClass:
    """Return the class of a model, such as ``clv.BGNBD``; always the same one.

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> model_class(MODELS["bg_nbd"])
    <class 'clvmodels.BGNBD'>
    """
    base: ModelClass = RegisteredTransactions if isinstance(model, TransactionModel) else RegisteredSpend
    words = {"__module__": _PACKAGE, "__qualname__": model.public_name, "__doc__": _docstring(model), "model": model}
    return cast("ModelClass", type(model.public_name, (base,), words))


def model_classes() -> dict[str, ModelClass]:
    """Return the classes of all registered models by their public names.

    Examples
    --------
    >>> list(model_classes())
    ['BGNBD', 'MBGNBD', 'ParetoNBD', 'GammaGamma']
    """
    return {model.public_name: model_class(model) for model in MODELS.values()}


def _of_model(model: Model, params: dict[str, Any]) -> RegisteredTransactions | RegisteredSpend:
    """Return what was pickled: the estimator of a model with its arguments."""
    made: Callable[..., RegisteredTransactions | RegisteredSpend] = model_class(model)
    return made(**params)


def _docstring(model: Model) -> str:
    """Return the docstring of a model's class."""
    kinds = {"none": "", "time": ", in the unit of time", "money": ", in the unit of money"}
    return _DOCSTRING.format(
        story=model.story.strip() or f"{model.name}.\n\nSource: {model.source}",
        parameters="\n".join(
            _item(f"``{parameter.name}``{kinds[parameter.dimension]}") for parameter in model.parameters
        ),
        quantities="\n".join(_item(f"``{quantity.name}``: {quantity.meaning}") for quantity in model.quantities),
        calendar=_CALENDAR if isinstance(model, TransactionModel) and model.clocks else "",
        public_name=model.public_name,
        name=model.name,
        params=json.dumps({name: float(value) for name, value in model.example.items()}),
        unit=', unit="week"' if isinstance(model, TransactionModel) else "",
    )


def _item(text: str) -> str:
    return textwrap.fill(text, 100, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
