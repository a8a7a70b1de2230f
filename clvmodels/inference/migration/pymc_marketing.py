"""Fits made with pymc-marketing 1."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clvmodels.errors import FitError, FitWarning
from clvmodels.inference.migration.adoption import Origin, adopt, recognise
from clvmodels.models.specification import Array

if TYPE_CHECKING:
    from clvmodels.inference.spend_fit import SpendFit
    from clvmodels.inference.transaction_fit import TransactionFit

__all__ = ["from_pymc_marketing"]

MODELS: Final = {
    "BetaGeoModel": "bg_nbd",
    "ModifiedBetaGeoModel": "mbg_nbd",
    "ParetoNBDModel": "pareto_nbd",
    "BetaGeoBetaBinomModel": "bg_bb",
    "GammaGammaModel": "gamma_gamma",
}


def from_pymc_marketing(model: object, unit: str | None = None) -> TransactionFit | SpendFit:
    """Take over a fit made with pymc-marketing: all its draws, with everything a fit can be asked here.

    Parameters
    ----------
    model
        A ``BetaGeoModel``, ``ModifiedBetaGeoModel``, ``ParetoNBDModel``, ``BetaGeoBetaBinomModel`` or
        ``GammaGammaModel``, fitted by whatever method, or loaded.
    unit
        What its T was measured in, which pymc-marketing does not know: ``"day"`` if ``time_unit`` of its summary was
        left alone, ``"week"`` for ``time_unit="W"``, or ``time_scaler=7``; of a ``BetaGeoBetaBinomModel`` the time from
        one opportunity to the next. Not needed for spend.

    Returns
    -------
    TransactionFit or SpendFit
        With chains and draws as they are, and the log-likelihood (at the posterior mean) and the fingerprint of the
        data, if the model still has them: they are those of the same data fitted here, to be compared.

    Raises
    ------
    FitError
        If it is no model of pymc-marketing that we know, has not been fitted, or has covariates.
    UnitError
        If a model of transactions comes without a unit.
    ParameterError
        If the Gamma-Gamma model has draws with q <= 1, where the mean value of an order is infinite.

    Warns
    -----
    FitWarning
        If there are several chains, and they did not converge.
    DataWarning
        If the data of the model have what is commonly wrong with such data, such as no one-time buyers.

    Examples
    --------
    ::

        model = BetaGeoModel()
        model.fit(rfm.to_frame().reset_index(), method="mcmc")
        orders = clv.from_pymc_marketing(model, unit=rfm.unit)
        orders.expected_purchases(rfm, "52 weeks")
    """
    origin = recognise(model, "pymc_marketing", MODELS)
    idata: Any = getattr(model, "idata", None)
    if idata is None or "posterior" not in idata:
        raise FitError(f"this {origin.name} has not been fitted; call its fit method first")
    stats: Any = idata.get("sample_stats", {})
    fit = adopt(
        origin,
        _draws(origin, idata["posterior"]),
        unit=unit,
        data=getattr(model, "data", None),
        divergences=int(stats["diverging"].sum()) if "diverging" in stats else 0,
    )
    if fit.diagnostics.status == "not converged":
        warnings.warn(f"{origin}: {fit.diagnostics.message}", FitWarning, stacklevel=2)
    return fit


def _draws(origin: Origin, posterior: Any) -> dict[str, Array]:  # noqa: ANN401 - a node of an xarray tree
    """Return the parameters by name, shape (chain, draw) each."""
    names = origin.model.names
    missing = [name for name in names if name not in posterior]
    if missing:
        raise FitError(f"the posterior of this {origin.name} lacks {', '.join(missing)}; fit it again, and keep all")
    varying = [name for name in names if set(posterior[name].dims) - {"chain", "draw"}]
    if varying:
        raise FitError(
            f"this {origin.name} has covariates: {', '.join(varying)} differ from customer to customer. Models with "
            "covariates cannot be taken over; leave them out, or fit one model a segment"
        )
    return {name: np.asarray(posterior[name].transpose("chain", "draw"), dtype=float) for name in names}
