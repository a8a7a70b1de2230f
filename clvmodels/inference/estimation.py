"""The steps of a fit: by likelihood or from the posterior, with covariates, on ever finer grids."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, cast, get_args

import numpy as np

import clvmodels.models.registry  # noqa: F401 - fits pickle, and models do so by their key there
from clvmodels.arguments import require_choice, require_seed
from clvmodels.data.histories import Histories
from clvmodels.data.required import require_histories
from clvmodels.errors import FitError, FitWarning, ParameterError
from clvmodels.inference.bayes import BayesMethod, draw, pymc_model_of, split
from clvmodels.inference.binning import binning_error, refine
from clvmodels.inference.by_segment import fit_by_segment
from clvmodels.inference.covariate_fit import coefficient_priors, require_no_segments
from clvmodels.inference.design import Covariates
from clvmodels.inference.diagnostics import Diagnostics, diagnose, diagnose_weights
from clvmodels.inference.kinds import build
from clvmodels.inference.maximum_likelihood import maximise
from clvmodels.inference.observations import Observations, observe
from clvmodels.inference.path_fit import covariate_task
from clvmodels.inference.priors import Priors, default_priors, in_plain_data, required_priors
from clvmodels.inference.protocols import FitMethod, Method
from clvmodels.inference.sampler_settings import Sampler, SamplerSettings
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.specification import Array, Model, SpendModel, TransactionModel
from clvmodels.numerics.maximisation import Optimum
from clvmodels.units import Unit

if TYPE_CHECKING:
    import pymc as pm

__all__ = ["fit_model", "given", "pymc_of"]


def fit_model(
    model: Model,
    priors: Priors | None,
    covariates: Covariates | None,
    histories: Histories,
    method: FitMethod,
    by: str | None,
    effort: SamplerSettings,
) -> TransactionFit | SpendFit:
    """Return the fit that `Estimator.fit` describes."""
    require_histories(histories)
    require_choice("method", method, get_args(FitMethod), FitError)
    require_choice("sampler", effort.sampler, get_args(Sampler), FitError)
    require_seed(effort.seed, FitError)
    require_no_segments(by, covariates)
    if method not in ("mle", "map"):
        effort.require_draws()
    by_likelihood = method == "mle" or (method == "laplace" and priors is None)
    if method == "mle" and priors is not None:
        raise FitError('method="mle" takes no priors; use method="map", "laplace" or "nuts"')
    if by is not None and set(priors or {}) & set(model.names):
        raise FitError(
            f"segments differ in quantities, so that by={by!r} needs priors of {', '.join(default_priors(model))}, "
            f"not of {', '.join(model.names)}"
        )
    if covariates is None:
        priors = None if by_likelihood else required_priors(model, priors)
        fit, effect = _on_grid(model, priors, histories, method, by, effort)
    else:
        fit, effect = (
            _by_covariates(model, priors, covariates, histories, method, effort, by_likelihood=by_likelihood),
            0.0,
        )
    if effect:
        fit = replace(fit, diagnostics=fit.diagnostics.on_grid(effect))
    if fit.diagnostics.status != "converged":
        warnings.warn(f"{model.name}: {fit.diagnostics.message}", FitWarning, stacklevel=3)
    return fit


def _by_covariates(
    model: Model,
    priors: Priors | None,
    covariates: Covariates,
    histories: Histories,
    method: FitMethod,
    effort: SamplerSettings,
    *,
    by_likelihood: bool,
) -> TransactionFit | SpendFit:
    assert isinstance(model, TransactionModel | SpendModel)
    task = covariate_task(model, covariates, histories)
    if by_likelihood:
        return task.fit(_pooled(task.model, task.histories, cast("Method", method), effort))
    priors = required_priors(task.model, coefficient_priors(model, priors, task.design))
    return task.fit(_by_posterior(task.model, priors, task.histories, cast("BayesMethod", method), None, effort))


def _on_grid(
    model: Model,
    priors: Priors | None,
    histories: Histories,
    method: FitMethod,
    by: str | None,
    effort: SamplerSettings,
) -> tuple[TransactionFit | SpendFit, float]:
    """Return a fit, and what exact histories would change about its log-likelihood: within the bound of the grid."""
    fit = (
        _by_likelihood(model, histories, cast("Method", method), by, effort)
        if priors is None
        else _by_posterior(model, priors, histories, cast("BayesMethod", method), by, effort)
    )
    effect = binning_error(model, histories, fit.estimate)
    better = refine(histories, effect) if isinstance(model, TransactionModel) else None
    if better is None:
        return fit, effect
    finer, effect = _on_grid(model, priors, better, method, by, effort)
    return replace(finer, fingerprint=fit.fingerprint), effect  # the same customers, however fine the grid


def _unit(model: Model, histories: Histories) -> Unit | None:
    return histories.unit if isinstance(model, TransactionModel) else None


def pymc_of(
    model: Model, priors: Priors | None, covariates: Covariates | None, histories: Histories, by: str | None
) -> pm.Model:
    """Return the PyMC model of the histories."""
    if covariates is not None:
        assert isinstance(model, TransactionModel | SpendModel)
        task = covariate_task(model, covariates, histories)
        priors = coefficient_priors(model, priors, task.design)
        model, histories = task.model, task.histories
    segments = None if by is None else split(histories, by)
    return pymc_model_of(model, required_priors(model, priors), histories, _unit(model, histories), segments)


def _by_likelihood(
    model: Model, histories: Histories, method: Method, by: str | None, effort: SamplerSettings
) -> TransactionFit | SpendFit:
    """Return the fit to all customers; where segments are named, of segments from a common population."""
    if by is None:
        return _pooled(model, histories, method, effort)
    histories = histories.collect()
    return fit_by_segment(_pooled(model, histories, "mle", effort), histories, by, method, effort)


def _pooled(model: Model, histories: Histories, method: Method, effort: SamplerSettings) -> TransactionFit | SpendFit:
    observations = observe(model, histories)
    optimum = maximise(model, observations)
    diagnostics = diagnose(model, observations, optimum)
    units = model.units(time=observations.time, money=observations.money)
    covariance = optimum.covariance
    psi = optimum.psi[None, None, :]
    if method == "laplace" and diagnostics.status == "converged":
        psi, diagnostics = _reweighted(model, observations, optimum, covariance, units, effort)
    elif method == "laplace":
        raise FitError(
            "the likelihood is flat at its maximum, so that there is no normal approximation to draw from; "
            f'use method="posterior" ({diagnostics.message})'
        )
    return build(
        model,
        theta=model.lower + np.exp(psi) * units,
        method=method,
        unit=_unit(model, histories),
        log_likelihood=optimum.value,
        estimate=model.lower + np.exp(optimum.psi) * units,
        covariance=covariance,
        customers=int(observations.customers),
        fingerprint=observations.fingerprint,
        diagnostics=diagnostics,
    )


def _reweighted(
    model: Model, observations: Observations, optimum: Optimum, covariance: Array, units: Array, effort: SamplerSettings
) -> tuple[Array, Diagnostics]:
    """Return draws of psi around the maximum, weighted by the likelihood, shape (1, draws, parameters)."""
    from clvmodels.inference.sampling import Mode, laplace
    from clvmodels.inference.surrogate import is_costly

    def with_gradient(psi: Array) -> tuple[float, Array]:
        above = np.exp(psi) * units
        value, by_theta = observations.log_likelihood(model, model.lower + above)
        return value, by_theta * above

    costly = with_gradient if is_costly(len(observations.weight), len(units)) else None
    centre = Mode(optimum.psi, np.asarray(np.linalg.cholesky(covariance)), optimum.value, clean=True)
    sampled = laplace(lambda psi: with_gradient(psi)[0], centre, draws=effort.draws, seed=effort.seed, costly=costly)
    return sampled.u, diagnose_weights(sampled.pareto_k, sampled.surrogate_error)


def _by_posterior(
    model: Model,
    priors: Priors,
    histories: Histories,
    method: BayesMethod,
    by: str | None,
    effort: SamplerSettings,
) -> TransactionFit | SpendFit:
    segments = None if by is None else split(histories, by)
    drawn = draw(model, priors, histories, _unit(model, histories), segments, method=method, effort=effort)
    observations = observe(model, histories)
    theta = drawn.theta
    flat = theta.reshape(-1, theta.shape[-1])
    estimate = flat.mean(axis=0)
    log_likelihood = observations.log_likelihood(model, estimate)[0]
    diagnostics = drawn.diagnostics
    if method == "posterior":
        diagnostics = diagnostics.at_maximum(diagnose(model, observations, maximise(model, observations)))
    return build(
        model,
        theta=theta,
        method=drawn.method,
        unit=_unit(model, histories),
        log_likelihood=log_likelihood if segments is None else np.nan,
        estimate=estimate,
        covariance=np.cov(np.log(flat - model.lower), rowvar=False) if len(flat) > 1 else _unknown(model),
        customers=int(observations.customers),
        fingerprint=observations.fingerprint,
        diagnostics=diagnostics,
        priors={name: in_plain_data(prior) for name, prior in priors.items()},
        stats=drawn.stats,
        by=by,
        segments=() if segments is None else segments.names,
        segment_theta=drawn.segment_theta,
    )


def _unknown(model: Model) -> Array:
    return np.full((len(model.parameters), len(model.parameters)), np.nan)


def given(model: Model, params: Mapping[str, float], unit: Unit | None) -> TransactionFit | SpendFit:
    """Return a fit with known parameters."""
    theta = model.theta(params)
    if theta.ndim > 3:
        raise ParameterError(f"{model.name}: parameters are numbers or arrays (chain, draw), got {theta.ndim - 1} axes")
    if not theta.size:
        raise ParameterError(
            f"{model.name}: parameters are numbers or arrays (chain, draw), got arrays without a number"
        )
    theta = theta.reshape((1,) * (3 - theta.ndim) + theta.shape)
    return build(
        model,
        theta=theta,
        method="given",
        unit=unit,
        log_likelihood=np.nan,
        estimate=theta.reshape(-1, theta.shape[-1]).mean(axis=0),
        covariance=_unknown(model),
        customers=0,
        fingerprint="",
        diagnostics=Diagnostics("given", "parameters given, not fitted."),
    )
