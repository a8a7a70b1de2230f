"""Fits made with lifetimes 0.11."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clvmodels.arguments import abridged, as_number
from clvmodels.errors import FitError, FitWarning
from clvmodels.inference.migration.adoption import Origin, adopt, recognise
from clvmodels.models.specification import Array

if TYPE_CHECKING:
    from clvmodels.inference.spend_fit import SpendFit
    from clvmodels.inference.transaction_fit import TransactionFit

__all__ = ["from_lifetimes"]

MODELS: Final = {
    "BetaGeoFitter": "bg_nbd",
    "ModifiedBetaGeoFitter": "mbg_nbd",
    "ParetoNBDFitter": "pareto_nbd",
    "GammaGammaFitter": "gamma_gamma",
}


def from_lifetimes(fitter: object, unit: str | None = None) -> TransactionFit | SpendFit:
    """Take over a fit made with lifetimes: the same parameters, with everything a fit can be asked here.

    Parameters
    ----------
    fitter
        A fitted ``BetaGeoFitter``, ``ModifiedBetaGeoFitter``, ``ParetoNBDFitter`` or ``GammaGammaFitter``.
    unit
        What its T was measured in, which lifetimes does not know: ``"day"`` if ``freq`` and ``freq_multiplier`` of
        its summary were left alone, ``"week"`` for ``freq="W"``, or ``freq_multiplier=7``. Not needed for spend.

    Returns
    -------
    TransactionFit or SpendFit
        With the log-likelihood and the fingerprint of the data, if the fitter still has them: they are those of the
        same data fitted here, to be compared. Standard errors are left behind; ``fit`` has them in milliseconds.

    Raises
    ------
    FitError
        If it is no fitter of lifetimes that we know, or has not been fitted.
    UnitError
        If a model of transactions comes without a unit.
    ParameterError
        If the Gamma-Gamma model has q <= 1, where the mean value of an order is infinite.

    Warns
    -----
    FitWarning
        If a penalty was put on the parameters.
    DataWarning
        If the data of the fitter have what is commonly wrong with such data, such as no one-time buyers.

    Examples
    --------
    >>> from lifetimes import BetaGeoFitter
    >>> fitter = BetaGeoFitter()
    >>> fitter.params_ = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}  # what fitter.fit(...) finds
    >>> from_lifetimes(fitter, unit="week")
    <BG/NBD (given): r 0.243, alpha 4.414, a 0.793, b 2.426, time in weeks>
    """
    origin = recognise(fitter, "lifetimes", MODELS)
    params: Any = getattr(fitter, "params_", None)
    if params is None:
        raise FitError(f"this {origin.name} has not been fitted; call its fit method first")
    penalty = as_number(getattr(fitter, "penalizer_coef", 0.0) or 0.0)
    fit = adopt(
        origin,
        _params(origin, params),
        unit=unit,
        data=_columns(getattr(fitter, "data", None)),
        remark=f" It was fitted under penalizer_coef={penalty:g}." if penalty else "",
    )
    if penalty:
        warnings.warn(
            f"{origin} was fitted under penalizer_coef={penalty:g}, a penalty that pulls all parameters towards zero, "
            "and what is predicted with them; fit the model here, with priors where the data are few",
            FitWarning,
            stacklevel=2,
        )
    return fit


def _params(origin: Origin, params: Any) -> dict[str, Array]:  # noqa: ANN401 - a pandas series, or what is in its place
    """Return the parameters by name.

    Raises
    ------
    FitError
        If they are not those of the model.
    """
    try:
        return {name: np.asarray(params[name], dtype=float) for name in origin.model.names}
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise FitError(
            f"the parameters of this {origin.name} are numbers called {', '.join(origin.model.names)}, got"
            f" {abridged(params)}"
        ) from error


def _columns(table: Any) -> dict[str, Array] | None:  # noqa: ANN401 - a pandas table, which mypy need not know
    """Return the columns of the data of a fitter, a row a customer; None if there are none, or shares of customers."""
    if table is None:
        return None
    weights = np.asarray(table["weights"], dtype=float)
    customers = weights.astype(np.int64)
    if not np.array_equal(customers, weights):
        return None
    return {name: np.repeat(np.asarray(table[name], float), customers) for name in table.columns if name != "weights"}
