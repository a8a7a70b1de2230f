"""The classes of the registered models, ``clv.BGNBD`` and its siblings, made of what their specifications say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from types import EllipsisType
from typing import Any, Final, Literal, Self, cast, get_args

from clvmodels.arguments import require_choice
from clvmodels.data.calendar import Calendar
from clvmodels.data.histories import Histories
from clvmodels.errors import FitError
from clvmodels.inference.design import Covariates
from clvmodels.inference.estimator import ContractEstimator, SpendEstimator
from clvmodels.inference.first_order import first_orders
from clvmodels.inference.model_docstrings import docstring_of
from clvmodels.inference.priors import Priors
from clvmodels.inference.purchase_rates import PurchaseRates
from clvmodels.inference.registered_regular import RegisteredRegular
from clvmodels.inference.registered_transactions import Parametrised, RegisteredTransactions
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.registry import (
    AGEING_MODELS,
    CONTRACT_MODELS,
    MODELS,
    PERIOD_MODELS,
    REGULAR_FAMILIES,
    ageing_of,
    family_of,
    regular_family_of,
)
from clvmodels.models.specification import ContractModel, Model, SpendModel, TransactionModel
from clvmodels.models.spend_family import SpendFamily

FirstOrder = Literal["auto", "use", "ignore"]
Orders = Literal["means", "all"]
Ageing = Literal["gompertz", "weibull"]

__all__ = ["RegisteredContracts", "RegisteredSpend", "RegisteredTransactions", "model_class", "model_classes"]

_PACKAGE: Final = "clvmodels"


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
class RegisteredContracts(Parametrised, ContractEstimator):
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
class RegisteredSpend(Parametrised, SpendEstimator):
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
    of_age, regular = ageing_of(model), regular_family_of(model)
    if of_age is not None:
        return model_class(of_age[0])
    if regular is not None and model is not regular.whole(1):
        return model_class(regular.whole(1))
    family = None if isinstance(model, TransactionModel) else family_of(cast("SpendModel", model))
    if family is not None and model is not family.members[0]:
        return model_class(family.members[0])
    base = _base(model, family)
    words: dict[str, object] = {
        "__module__": _PACKAGE,
        "__qualname__": model.public_name,
        "__doc__": docstring_of(model),
    }
    words |= {"model": model, "_remade": staticmethod(_of_model)}
    return cast("ModelClass", type(model.public_name, (base,), words))


def _base(model: Model, family: SpendFamily | None) -> ModelClass:
    if isinstance(model, ContractModel):
        return RegisteredContracts
    if isinstance(model, TransactionModel):
        if regular_family_of(model) is not None:
            return RegisteredRegular
        return RegisteredAgeing if model.key in AGEING_MODELS else RegisteredTransactions
    if family is None:
        return RegisteredSpend
    return RegisteredOrders if family.means is None else RegisteredMeansOrOrders


def model_classes() -> dict[str, ModelClass]:
    """Return the classes of all registered models by their public names.

    Examples
    --------
    >>> " ".join(model_classes())
    'BGNBD MBGNBD ParetoNBD GammaGamma LogNormalSpend NormalContribution BGBB SBG BDW BGCNBDk MBGCNBDk ParetoCNBDk'
    """
    regular = (family.whole(1) for family in REGULAR_FAMILIES.values())
    models = (*MODELS.values(), *PERIOD_MODELS.values(), *CONTRACT_MODELS.values(), *regular)
    return {model.public_name: model_class(model) for model in models}


def _of_model(model: Model, params: dict[str, Any]) -> RegisteredTransactions | RegisteredContracts | RegisteredSpend:
    """Return what was pickled: the estimator of a model with its arguments."""
    made: Callable[..., RegisteredTransactions | RegisteredContracts | RegisteredSpend] = model_class(model)
    return made(**params)
