"""What is common to fits of other packages: their class gives the model, and their data the likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.data.checks import warn_about
from clvmodels.data.histories import Histories
from clvmodels.data.statistics import COLUMNS, SPEND, TRANSACTIONS
from clvmodels.errors import FitError, ParameterError, UnitError
from clvmodels.inference.diagnostics import Diagnostics, diagnose_chains
from clvmodels.inference.estimator import SpendEstimator, TransactionEstimator
from clvmodels.inference.observations import observe
from clvmodels.models.registry import known_model
from clvmodels.models.specification import Array, Model, SpendModel, TransactionModel
from clvmodels.units import Unit, parse_unit

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.inference.spend_fit import SpendFit
    from clvmodels.inference.transaction_fit import TransactionFit

__all__ = ["Origin", "adopt", "recognise"]

_NUMBERS: Final = {"orders": ("frequency", "recency", "T"), "spend": ("frequency", "monetary_value")}


@dataclass(frozen=True)
class Origin:
    """Where a fit comes from.

    Attributes
    ----------
    package, name
        Such as ``"lifetimes"``, ``"BetaGeoFitter"``.
    model
        What it is here.
    """

    package: str
    name: str
    model: Model

    def __str__(self) -> str:
        return f"{self.name} of {self.package}"


def recognise(fitted: object, package: str, known: Mapping[str, str]) -> Origin:
    """Return what an object of another package is, by the name of its class or of the nearest base class.

    Parameters
    ----------
    fitted
        The object.
    package
        The package it should come from.
    known
        Keys of our models by the names of the package's classes.

    Raises
    ------
    FitError
        If it is none of the classes known.

    Examples
    --------
    >>> recognise(3, "lifetimes", {"BetaGeoFitter": "bg_nbd"})
    Traceback (most recent call last):
    clvmodels.errors.FitError: expected a fitted model of lifetimes, one of BetaGeoFitter; got int ...
    """
    classes = [base.__name__ for base in type(fitted).__mro__ if base.__module__.partition(".")[0] == package]
    name = next((class_name for class_name in classes if class_name in known), None)
    if name is None:
        raise FitError(
            f"expected a fitted model of {package}, one of {', '.join(known)}; got {type(fitted).__name__} "
            "(parameters known otherwise: clv.BGNBD().from_params({...}, unit=...))"
        )
    model = known_model(known[name])
    assert model is not None
    return Origin(package, name, model)


def adopt(
    origin: Origin,
    params: Mapping[str, Array],
    *,
    unit: str | None,
    data: pd.DataFrame | Mapping[str, Array] | None,
    divergences: int = 0,
    remark: str = "",
) -> TransactionFit | SpendFit:
    """Return a fit with the parameters of another package, and the likelihood of the data it came with.

    Parameters
    ----------
    origin
        Where it comes from.
    params
        Every parameter by name: numbers, or arrays of shape (chain, draw).
    unit
        What it counted time in; not needed for a model of spend.
    data
        What it was fitted to, a row a customer; None if unknown.
    divergences
        Of the sampler.
    remark
        A remark on the fit, added to its message.

    Raises
    ------
    UnitError
        If the unit is missing or unknown.
    ParameterError
        If the parameters are outside the range in which our model means something.
    """
    given = _given(origin, params, unit)
    histories = None if data is None else _histories(origin.model, data, given.unit)
    who = "" if histories is None else f", fitted to {len(histories):,} customers"
    if histories is not None and given.unit is not None:
        who += f" observed for up to {histories.T.max():.4g} {given.unit}s"
        warn_about({"frequency": histories.frequency, "recency": histories.recency, "T": histories.T}, given.unit)
    diagnostics = _diagnosed(given, f"taken over from {origin}{who}.{remark}", divergences)
    if len(given.draws) > 1:
        given = replace(given, covariance=np.cov(np.log(given.draws - given.model.lower), rowvar=False))
    return replace(given, diagnostics=diagnostics) if histories is None else _with_data(given, histories, diagnostics)


def _given(origin: Origin, params: Mapping[str, Array], unit: str | None) -> TransactionFit | SpendFit:
    model = origin.model
    if isinstance(model, TransactionModel):
        if unit is None:
            raise UnitError(
                f'{origin} does not know its unit of time: say what T was measured in, unit="day" (in which '
                f'{origin.package} counts unless told otherwise), unit="week", ...'
            )
        return TransactionEstimator(model).from_params(params, unit=parse_unit(unit))  # type: ignore[arg-type]
    assert isinstance(model, SpendModel)
    _refuse_infinite_mean(origin, np.asarray(params["q"], dtype=float))
    return SpendEstimator(model).from_params(params)  # type: ignore[arg-type]


def _refuse_infinite_mean(origin: Origin, q: Array) -> None:
    low = int(np.count_nonzero(q <= 1.0))
    if not low:
        return
    where = f"q = {float(q.ravel()[0]):.4g}" if q.size == 1 else f"q <= 1 in {low:,} of {q.size:,} draws"
    raise ParameterError(
        f"{origin} has {where}: the mean value of an order, p v / (q - 1), is then infinite, and the formula gives "
        "negative amounts. Fit the model here: clv.GammaGamma().fit(rfm) keeps q above 1"
    )


def _histories(model: Model, data: pd.DataFrame | Mapping[str, Array], unit: Unit | None) -> Histories:
    """Return histories with what the model looks at; zeros stand for what it does not."""
    import pandas as pd

    names = _NUMBERS["orders" if isinstance(model, TransactionModel) else "spend"]
    try:
        numbers = {name: np.asarray(data[name], dtype=float) for name in names}
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise FitError(
            f"the data of this {model.name} fit do not hold {', '.join(names)} as numbers: {error}"
        ) from error
    customers = pd.RangeIndex(len(numbers["frequency"]))
    names_of_statistics = dict.fromkeys((*TRANSACTIONS, *SPEND))
    statistics = {name: numbers.get(COLUMNS[name], np.zeros(len(customers))) for name in names_of_statistics}
    if "n" in model.statistics:  # which other packages name T, too
        statistics["n"] = statistics.pop("T")
    return Histories.of_arrays(customers, statistics, unit=unit or "day")


def _diagnosed(given: TransactionFit | SpendFit, message: str, divergences: int) -> Diagnostics:
    """Return the diagnostics, those of the chains if there are several."""
    if given.theta.shape[0] < 2:
        return Diagnostics("given", message)
    chains = diagnose_chains(np.log(given.theta - given.model.lower), divergences)
    return replace(chains, message=f"{message} {chains.message}")


def _with_data(
    given: TransactionFit | SpendFit, histories: Histories, diagnostics: Diagnostics
) -> TransactionFit | SpendFit:
    """Return the fit with the log-likelihood at its point estimate, and the slope that is left there."""
    model = given.model
    observations = observe(model, histories)
    value, gradient = observations.log_likelihood(model, given.estimate)
    slope = float(np.abs(gradient * (given.estimate - model.lower)).max() / observations.customers)
    return replace(
        given,
        log_likelihood=value,
        customers=int(observations.customers),
        fingerprint=observations.fingerprint,
        diagnostics=replace(diagnostics, gradient=slope),
    )
