"""A model ready to be fitted: ``clv.BGNBD().fit(rfm)``."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

import numpy as np

from clvmodels.data.histories import Histories
from clvmodels.errors import FitError, FitWarning, ParameterError, one_of
from clvmodels.inference.diagnostics import Diagnostics, diagnose
from clvmodels.inference.fit import Method, OrdersFit, SpendFit
from clvmodels.inference.maximum_likelihood import Optimum, maximise
from clvmodels.inference.observations import observe
from clvmodels.models.specification import Array, Model, SpendModel, TransactionModel
from clvmodels.units import Unit, parse_unit

__all__ = ["OrdersEstimator", "SpendEstimator", "build"]

FitMethod = Literal["mle", "laplace"]
LARGEST_SD: Final = 4.0
"""Of a log parameter: beyond this, draws from the normal approximation differ by more than exp(+-8)."""


def build(
    model: Model,
    *,
    theta: Array,
    method: Method,
    unit: Unit | None,
    log_likelihood: float,
    estimate: Array,
    covariance: Array,
    customers: int,
    fingerprint: str,
    diagnostics: Diagnostics,
) -> OrdersFit | SpendFit:
    """Return the kind of fit that suits the model."""
    common = (log_likelihood, estimate, covariance, customers, fingerprint, diagnostics)
    if isinstance(model, TransactionModel) and unit is not None:
        return OrdersFit(model, theta, method, unit, *common)
    assert isinstance(model, SpendModel)
    return SpendFit(model, theta, method, None, *common)


@dataclass(frozen=True)
class OrdersEstimator:
    """A model of transactions, to be fitted.

    Attributes
    ----------
    model
        Its specification.
    """

    model: TransactionModel

    def fit(
        self, histories: Histories, *, method: FitMethod = "mle", draws: int = 1_000, seed: int | None = None
    ) -> OrdersFit:
        """Fit the model to purchase histories.

        Parameters
        ----------
        histories
            All customers, those who bought once included.
        method
            ``"mle"``: maximum likelihood; ``"laplace"``: the same, with draws from the normal approximation on the log
            scale of the parameters, for predictions with intervals.
        draws, seed
            Number of draws and seed of ``"laplace"``.

        Returns
        -------
        OrdersFit

        Raises
        ------
        FitError
            If the data hold nothing to fit, or `method` is unknown.

        Warns
        -----
        FitWarning
            If the maximum is at a boundary, not identified, or not reached; the message names the cause in the data.
        """
        return cast("OrdersFit", _fit(self.model, histories, method, draws, seed))

    def from_params(self, params: Mapping[str, float], *, unit: str) -> OrdersFit:
        """Return a fit with known parameters, such as published ones.

        Parameters
        ----------
        params
            Every parameter by name; arrays of shape (chain, draw) give a fit with draws.
        unit
            The unit of time that the parameters count in.

        Examples
        --------
        >>> import clvmodels as clv
        >>> clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        <BG/NBD (given): r 0.243, alpha 4.414, a 0.793, b 2.426, time in weeks>
        """
        return cast("OrdersFit", _given(self.model, params, parse_unit(unit)))


@dataclass(frozen=True)
class SpendEstimator:
    """A model of the value of orders, to be fitted.

    Attributes
    ----------
    model
        Its specification.
    """

    model: SpendModel

    def fit(
        self, histories: Histories, *, method: FitMethod = "mle", draws: int = 1_000, seed: int | None = None
    ) -> SpendFit:
        """Fit the model to the mean order values of the customers with repeat purchases.

        Parameters, errors and warnings are those of a transaction model's ``fit``; customers without a repeat
        purchase, or with a mean value that is not positive, are left out here; where it is missing or negative they get
        the population mean later.
        """
        return cast("SpendFit", _fit(self.model, histories, method, draws, seed))

    def from_params(self, params: Mapping[str, float]) -> SpendFit:
        """Return a fit with known parameters, such as published ones.

        Examples
        --------
        >>> import clvmodels as clv
        >>> clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        <Gamma-Gamma (given): p 6.25, q 3.74, v 15.44>
        """
        return cast("SpendFit", _given(self.model, params, None))


def _fit(model: Model, histories: Histories, method: FitMethod, draws: int, seed: int | None) -> OrdersFit | SpendFit:
    if method not in get_args(FitMethod):
        raise FitError(one_of("method", method, get_args(FitMethod)))
    observations = observe(model, histories)
    optimum = maximise(model, observations)
    diagnostics = diagnose(model, observations, optimum)
    if diagnostics.status != "converged":
        warnings.warn(f"{model.name}: {diagnostics.message}", FitWarning, stacklevel=3)
    units = model.units(time=observations.time, money=observations.money)
    estimate = model.lower + np.exp(optimum.psi) * units
    covariance = _covariance(optimum)
    psi = _normal_draws(optimum.psi, covariance, draws, seed) if method == "laplace" else optimum.psi[None, None, :]
    return build(
        model,
        theta=model.lower + np.exp(psi) * units,
        method=method,
        unit=histories.unit if isinstance(model, TransactionModel) else None,
        log_likelihood=observations.in_units_of_data(optimum.log_likelihood),
        estimate=estimate,
        covariance=covariance,
        customers=int(observations.customers),
        fingerprint=observations.fingerprint,
        diagnostics=diagnostics,
    )


def _given(model: Model, params: Mapping[str, float], unit: Unit | None) -> OrdersFit | SpendFit:
    theta = model.theta(params)
    if theta.ndim > 3:
        raise ParameterError(f"{model.name}: parameters are numbers or arrays (chain, draw), got {theta.ndim - 1} axes")
    theta = theta.reshape((1,) * (3 - theta.ndim) + theta.shape)
    size = len(model.parameters)
    return build(
        model,
        theta=theta,
        method="given",
        unit=unit,
        log_likelihood=np.nan,
        estimate=theta.reshape(-1, size).mean(axis=0),
        covariance=np.full((size, size), np.nan),
        customers=0,
        fingerprint="",
        diagnostics=Diagnostics("given", "parameters given, not fitted."),
    )


def _covariance(optimum: Optimum) -> Array:
    """Return the inverse of the Hessian; NaN where the likelihood is flat and says nothing."""
    values, vectors = np.linalg.eigh(optimum.hessian)
    if values[0] <= 0.0:
        return np.full_like(optimum.hessian, np.nan)
    return np.asarray((vectors / values) @ vectors.T)


def _normal_draws(centre: Array, covariance: Array, draws: int, seed: int | None) -> Array:
    """Return draws of shape (1, draws, parameters)."""
    if not np.sqrt(np.diag(covariance)).max() < LARGEST_SD:  # NaN included
        raise FitError(
            "the likelihood is flat at its maximum, so that there is no normal approximation to draw from; "
            'use method="mle", or a model with fewer parameters'
        )
    generator = np.random.default_rng(seed)
    return generator.multivariate_normal(centre, covariance, size=(1, draws))
