"""The classes of the registered models, ``clv.BGNBD`` and its siblings, made of what their specifications say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, cast, get_args

from clvmodels.arguments import require_choice
from clvmodels.data.calendar import Calendar
from clvmodels.data.histories import Histories
from clvmodels.data.required import require_histories
from clvmodels.errors import FitError
from clvmodels.inference.calendars import FittedCalendar, calendar_model, named_columns
from clvmodels.inference.design import Covariates
from clvmodels.inference.estimator import ContractEstimator, SpendEstimator, TransactionEstimator
from clvmodels.inference.first_order import first_orders
from clvmodels.inference.model_docstrings import docstring_of
from clvmodels.inference.priors import Priors
from clvmodels.inference.protocols import FitMethod
from clvmodels.inference.purchase_rates import PurchaseRates
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.registry import AGEING_MODELS, CONTRACT_MODELS, MODELS, PERIOD_MODELS, ageing_of, family_of
from clvmodels.models.specification import ContractModel, Model, SpendModel, TransactionModel
from clvmodels.models.spend_family import SpendFamily

FirstOrder = Literal["auto", "use", "ignore"]
Orders = Literal["means", "all"]
Ageing = Literal["gompertz", "weibull"]

__all__ = ["RegisteredContracts", "RegisteredSpend", "RegisteredTransactions", "model_class", "model_classes"]

_PACKAGE: Final = "clvmodels"


class _Parametrised:
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
        if type(self) is model_class(self.model):  # else a class of the user's own, which pickles as classes do
            return _of_model, (self.model, self.get_params())
        return cast("tuple[object, ...]", super().__reduce__())


@dataclass(frozen=True, repr=False)
class RegisteredTransactions(_Parametrised, TransactionEstimator):
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
    ) -> tuple[TransactionModel, FittedCalendar | None]:
        if self.calendar is None:
            return self.model, None
        require_histories(histories)
        if by is not None:
            raise FitError(f"a calendar does not go with by={by!r}; fit the segments one after the other")
        return calendar_model(self.model, self.calendar, histories, priors=method not in ("mle", "laplace"))

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


@dataclass(frozen=True, repr=False)
class RegisteredAgeing(RegisteredTransactions):
    """A registered model of transactions whose customers leave in time, which may run on a clock of their age.

    Attributes
    ----------
    ageing
        The clock, one of `AGEING_MODELS`; None: the model itself.
    """

    ageing: Ageing | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Set the model.

        Raises
        ------
        FitError
            If the clock is unknown, or there is a calendar too.
        """
        of_age = ageing_of(self.model)
        base = self.model if of_age is None else of_age[0]
        if self.ageing is not None:
            clocks = AGEING_MODELS[base.key]
            require_choice("ageing", self.ageing, tuple(clocks), FitError)
            if self.calendar is not None:
                raise FitError(
                    f"ageing={self.ageing!r} does not go with a calendar: leave one of the two out of"
                    f" {type(self).__name__}(...)"
                )
            base = clocks[self.ageing]
        object.__setattr__(self, "model", base)
        super().__post_init__()

    def set_params(
        self,
        *,
        priors: Priors | EllipsisType | None = ...,
        covariates: Covariates | EllipsisType | None = ...,
        calendar: Calendar | EllipsisType | None = ...,
        ageing: Ageing | EllipsisType | None = ...,
    ) -> Self:
        """Return the same model with other arguments; this one stays as it is.

        Examples
        --------
        >>> import clvmodels as clv
        >>> clv.ParetoNBD().set_params(ageing="gompertz")
        ParetoNBD(ageing='gompertz')
        """
        given = {"priors": priors, "covariates": covariates, "calendar": calendar, "ageing": ageing}
        return self._with(given)


@dataclass(frozen=True, repr=False)
class RegisteredContracts(_Parametrised, ContractEstimator):
    """A registered model of customers under contract, to be fitted; the class knows its model."""

    model: ContractModel = field(init=False)
    priors: Priors | None = field(default=None, kw_only=True)
    covariates: Covariates | None = field(default=None, kw_only=True)

    def set_params(
        self, *, priors: Priors | EllipsisType | None = ..., covariates: Covariates | EllipsisType | None = ...
    ) -> Self:
        """Return the same model with other arguments; this one stays as it is.

        Examples
        --------
        >>> import clvmodels as clv
        >>> clv.SBG().set_params(covariates={"dropout": "channel"})
        SBG(covariates for dropout)
        """
        return self._with({"priors": priors, "covariates": covariates})


@dataclass(frozen=True, repr=False)
class RegisteredSpend(_Parametrised, SpendEstimator):
    """A registered model of spend, to be fitted; the class knows its model."""

    model: SpendModel = field(init=False)
    priors: Priors | None = field(default=None, kw_only=True)
    covariates: Covariates | None = field(default=None, kw_only=True)
    depends_on: TransactionFit | PurchaseRates | None = field(default=None, kw_only=True)

    def set_params(
        self,
        *,
        priors: Priors | EllipsisType | None = ...,
        covariates: Covariates | EllipsisType | None = ...,
        depends_on: TransactionFit | PurchaseRates | EllipsisType | None = ...,
    ) -> Self:
        """Return the same model with other arguments; this one stays as it is.

        Parameters
        ----------
        priors, covariates, depends_on
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
        >>> clv.GammaGamma().set_params(covariates={"spend": "channel"})
        GammaGamma(covariates for spend)
        """
        return self._with({"priors": priors, "covariates": covariates, "depends_on": depends_on})


@dataclass(frozen=True, repr=False)
class RegisteredOrders(RegisteredSpend):
    """A registered model of spend that is fitted to the values of single orders; the class knows its family.

    Attributes
    ----------
    first_order
        Whether first orders belong to the same distribution: ``"ignore"``: the model is one of repeat orders.
        ``"use"``: of all orders. ``"auto"``: of all, if the data do not speak against it (`first_orders`).
    """

    first_order: FirstOrder = field(default="ignore", kw_only=True)

    def __post_init__(self) -> None:
        require_choice("first_order", self.first_order, get_args(FirstOrder), FitError)
        object.__setattr__(self, "model", self._family.first if self.first_order == "use" else self._own)
        super().__post_init__()

    @property
    def _family(self) -> SpendFamily:
        family = family_of(self.model)
        assert family is not None
        return family

    @property
    def _own(self) -> SpendModel:
        """The model of repeat orders."""
        return self._family.orders

    def model_for(self, histories: Histories) -> SpendModel:
        """Return the model that is fitted to these histories: with ``first_order="auto"``, they decide.

        Examples
        --------
        >>> import clvmodels as clv
        >>> log = clv.datasets.load_cdnow(sample=True)
        >>> rfm = clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end="1997-09-30")
        >>> clv.LogNormalSpend(first_order="auto").model_for(rfm).key
        'log_normal_first'
        """
        if self.first_order == "auto" and first_orders(self._family, histories).belong:
            return self._family.first
        return self.model

    def set_params(
        self,
        *,
        priors: Priors | EllipsisType | None = ...,
        covariates: Covariates | EllipsisType | None = ...,
        depends_on: TransactionFit | PurchaseRates | EllipsisType | None = ...,
        first_order: FirstOrder | EllipsisType = ...,
    ) -> Self:
        """Return the same model with other arguments; this one stays as it is.

        Examples
        --------
        >>> import clvmodels as clv
        >>> clv.LogNormalSpend().set_params(first_order="use")
        LogNormalSpend(first_order='use')
        """
        given = {"priors": priors, "covariates": covariates, "depends_on": depends_on, "first_order": first_order}
        return self._with(given)


@dataclass(frozen=True, repr=False)
class RegisteredMeansOrOrders(RegisteredOrders):
    """A registered model of spend that is fitted to means or to the values of single orders.

    Attributes
    ----------
    orders
        ``"means"``: the likelihood is that of the mean values of customers. ``"all"``: of the values of all repeat
        orders, which only histories made from a log know.
    """

    orders: Orders = field(default="means", kw_only=True)

    def __post_init__(self) -> None:
        require_choice("orders", self.orders, get_args(Orders), FitError)
        if self.orders == "means" and self.first_order != "ignore":
            raise FitError(
                f"first_order={self.first_order!r} needs the values of single orders: write {type(self).__name__}"
                f'(orders="all", first_order={self.first_order!r})'
            )
        super().__post_init__()

    @property
    def _own(self) -> SpendModel:
        family = self._family
        return family.orders if self.orders == "all" or family.means is None else family.means

    def set_params(
        self,
        *,
        priors: Priors | EllipsisType | None = ...,
        covariates: Covariates | EllipsisType | None = ...,
        depends_on: TransactionFit | PurchaseRates | EllipsisType | None = ...,
        orders: Orders | EllipsisType = ...,
        first_order: FirstOrder | EllipsisType = ...,
    ) -> Self:
        """Return the same model with other arguments; this one stays as it is.

        Examples
        --------
        >>> import clvmodels as clv
        >>> clv.GammaGamma().set_params(orders="all")
        GammaGamma(orders='all')
        """
        given = {"priors": priors, "covariates": covariates, "depends_on": depends_on}
        return self._with({**given, "orders": orders, "first_order": first_order})


type ModelClass = type[RegisteredTransactions | RegisteredContracts | RegisteredSpend]


@cache
def model_class(model: Model) -> ModelClass:
    """Return the class of a model, such as ``clv.BGNBD``; always the same one.

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> model_class(MODELS["bg_nbd"])
    <class 'clvmodels.BGNBD'>
    """
    of_age = ageing_of(model)
    if of_age is not None:
        return model_class(of_age[0])
    family = None if isinstance(model, TransactionModel) else family_of(cast("SpendModel", model))
    if family is not None and model is not family.members[0]:
        return model_class(family.members[0])
    base = _base(model, family)
    words = {"__module__": _PACKAGE, "__qualname__": model.public_name, "__doc__": docstring_of(model), "model": model}
    return cast("ModelClass", type(model.public_name, (base,), words))


def _base(model: Model, family: SpendFamily | None) -> ModelClass:
    if isinstance(model, ContractModel):
        return RegisteredContracts
    if isinstance(model, TransactionModel):
        return RegisteredAgeing if model.key in AGEING_MODELS else RegisteredTransactions
    if family is None:
        return RegisteredSpend
    return RegisteredOrders if family.means is None else RegisteredMeansOrOrders


def model_classes() -> dict[str, ModelClass]:
    """Return the classes of all registered models by their public names.

    Examples
    --------
    >>> list(model_classes())
    ['BGNBD', 'MBGNBD', 'ParetoNBD', 'GammaGamma', 'LogNormalSpend', 'NormalContribution', 'BGBB', 'SBG', 'BDW']
    """
    known = (*MODELS.values(), *PERIOD_MODELS.values(), *CONTRACT_MODELS.values())
    return {model.public_name: model_class(model) for model in known}


def _of_model(model: Model, params: dict[str, Any]) -> RegisteredTransactions | RegisteredContracts | RegisteredSpend:
    """Return what was pickled: the estimator of a model with its arguments."""
    made: Callable[..., RegisteredTransactions | RegisteredContracts | RegisteredSpend] = model_class(model)
    return made(**params)
