"""A model ready to be fitted: ``clv.BGNBD().fit(rfm)``."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Integral
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
from clvmodels.inference.diagnostics import Diagnostics, diagnose, diagnose_weights
from clvmodels.inference.kinds import build
from clvmodels.inference.maximum_likelihood import maximise
from clvmodels.inference.observations import Observations, observe
from clvmodels.inference.priors import Priors, check_priors, default_priors, in_plain_data, required_priors
from clvmodels.inference.protocols import FitMethod, Method
from clvmodels.inference.sampler_settings import Sampler, SamplerSettings
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.models.specification import Array, Model, SpendModel, TransactionModel
from clvmodels.numerics.maximisation import Optimum
from clvmodels.units import Unit, parse_unit

if TYPE_CHECKING:
    import pymc as pm

__all__ = ["Estimator", "SpendEstimator", "TransactionEstimator"]


@dataclass(frozen=True)
class Estimator[M: Model, F: TransactionFit | SpendFit]:
    """A model to be fitted.

    Attributes
    ----------
    model
        Its specification.
    priors
        Beliefs about the quantities of the model (`default_priors` names them), or about all of the papers'
        parameters, in the unit of the histories: ``pymc_extras.prior.Prior`` objects or plain data such as
        ``{"dist": "LogNormal", "mu": 1.4, "sigma": 0.5}``; what is not given has a weakly informative default. None:
        maximum likelihood and Laplace's approximation to it do without, the other methods take the defaults.
    """

    model: M
    priors: Priors | None = None

    def __post_init__(self) -> None:
        check_priors(self.model, self.priors)

    @property
    def default_priors(self) -> dict[str, dict[str, object]]:
        """The default priors, as plain data, by the quantities they are about."""
        return default_priors(self.model)

    def fit(
        self,
        histories: Histories,
        *,
        method: FitMethod = "mle",
        by: str | None = None,
        draws: int = 1_000,
        tune: int = 500,
        chains: int = 4,
        seed: int | None = None,
        sampler: Sampler = "nutpie",
        progress: bool = True,
    ) -> F:
        """Fit the model to purchase histories.

        Parameters
        ----------
        histories
            All customers, those who bought once included. A model of spend leaves out here those without a repeat
            purchase, and those whose mean value is missing or not positive. Of histories in an engine, counts of the
            distinct ones are fetched.
        method
            ``"mle"``: maximum likelihood. ``"laplace"``: the same, with draws from an approximation around the
            maximum (of the posterior, if priors were stated), re-weighted to the exact one; its Pareto k tells whether
            it is close enough. Of more than 32,768 distinct histories, a polynomial checked against the density stands
            for it at most draws; ``diagnostics.surrogate_error`` says by how much it misses. ``"nuts"``: draws from the
            posterior. ``"map"``: the posterior's mode. ``"advi"``: draws from a variational approximation, re-weighted
            like those of Laplace's. ``"posterior"``: draws from the posterior, by Laplace's approximation to it where
            that is close enough, else by NUTS; it ends well on every log that has repeat purchases.
        by
            Name of an attribute of the histories, such as ``"segment"``: each segment has parameters of its own, from
            a common population, so that small segments borrow strength. By ``"mle"``, and ``"laplace"`` without priors,
            this is empirical Bayes: nothing is assumed about the population's centre, and how far segments differ has
            the prior of the hierarchy; ``"mle"`` gives the mean of each segment, ``"laplace"`` draws of the population
            and of the segments given each of them. By the other methods it is the full hierarchy, its centre with
            priors. ``fit.segment_test`` says whether segments differ.
        draws, tune, chains, seed
            Draws of each chain (of ``"laplace"`` and ``"advi"`` in all), draws to tune the sampler before, number of
            chains, and the seed, which reproduces them.
        sampler
            ``"nutpie"``, or PyMC's own, which is slower.
        progress
            Whether to show a progress bar while sampling.

        Returns
        -------
        TransactionFit or SpendFit

        Raises
        ------
        FitError
            If the data hold nothing to fit, `method` or `sampler` is unknown or does not go with the rest, or `draws`,
            `tune` or `chains` is no whole number, or too small for a method that draws; or a method needs priors, and
            the model has none.
        ParameterError
            If PyMC does not take a prior.
        DataError
            If `by` is no attribute of the histories, or missing for some customers.

        Warns
        -----
        FitWarning
            If the maximum is at a boundary, not identified, or not reached, or the chains did not converge; the message
            names the cause and what to do.

        Examples
        --------
        >>> import clvmodels as clv
        >>> log = clv.datasets.load_cdnow(sample=True)
        >>> rfm = clv.rfm_summary(log, unit="week", resolution="day", observation_end="1997-09-30")
        >>> clv.BGNBD().fit(rfm)
        <BG/NBD (mle): r 0.2426, alpha 4.414, a 0.7929, b 2.426, time in weeks, log-likelihood -9,582.43>
        >>> clv.BGNBD().fit(rfm, method="laplace", draws=500, seed=1).theta.shape
        (1, 500, 4)
        """
        effort = SamplerSettings(draws, tune, chains, seed, sampler, progress)
        return cast("F", _fit(self.model, self.priors, histories, method, by, effort))

    def to_pymc(self, histories: Histories, *, by: str | None = None) -> pm.Model:
        """Return the PyMC model of the histories: to look at, extend, and sample in your own way.

        Its variables are the quantities that priors are stated in (`priors`), the papers' parameters (in the unit of
        the histories) are deterministic, and the likelihood is a potential.

        Examples
        --------
        >>> import clvmodels as clv
        >>> log = clv.datasets.load_cdnow(sample=True)
        >>> rfm = clv.rfm_summary(log, unit="week", resolution="day", observation_end="1997-09-30")
        >>> [variable.name for variable in clv.BGNBD().to_pymc(rfm).free_RVs]
        ['purchase_rate', 'purchase_rate_cv', 'dropout', 'dropout_concentration']
        """
        return _to_pymc(self.model, self.priors, histories, by)


@dataclass(frozen=True)
class TransactionEstimator(Estimator[TransactionModel, TransactionFit]):
    """A model of transactions, to be fitted.

    Examples
    --------
    >>> import clvmodels as clv
    >>> clv.BGNBD().model.names
    ('r', 'alpha', 'a', 'b')
    >>> clv.ParetoNBD().model.source
    'Schmittlein, Morrison & Colombo (1987), Management Science 33(1)'
    """

    def from_params(self, params: Mapping[str, float], *, unit: str) -> TransactionFit:
        """Return a fit with known parameters, such as published ones.

        Parameters
        ----------
        params
            Every parameter by name; arrays of shape (chain, draw) give a fit with draws.
        unit
            The unit of time that the parameters count in.

        Raises
        ------
        ParameterError
            If a name is unknown or missing, or a value is out of its range.
        UnitError
            If there is no such unit.

        Examples
        --------
        >>> import clvmodels as clv
        >>> clv.BGNBD().from_params({"r": .243, "alpha": 4.414, "a": .793, "b": 2.426}, unit="week")
        <BG/NBD (given): r 0.243, alpha 4.414, a 0.793, b 2.426, time in weeks>
        """
        return cast("TransactionFit", _given(self.model, params, parse_unit(unit)))


@dataclass(frozen=True)
class SpendEstimator(Estimator[SpendModel, SpendFit]):
    """A model of the value of orders, to be fitted.

    Examples
    --------
    >>> import clvmodels as clv
    >>> list(clv.GammaGamma().default_priors)
    ['mean_spend', 'order_cv', 'spend_spread']
    """

    def from_params(self, params: Mapping[str, float]) -> SpendFit:
        """Return a fit with known parameters, such as published ones.

        Parameters
        ----------
        params
            Every parameter by name; arrays of shape (chain, draw) give a fit with draws.

        Raises
        ------
        ParameterError
            If a name is unknown or missing, or a value is out of its range.

        Examples
        --------
        >>> import clvmodels as clv
        >>> clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        <Gamma-Gamma (given): p 6.25, q 3.74, v 15.44>
        """
        return cast("SpendFit", _given(self.model, params, None))


def _fit(
    model: Model,
    priors: Priors | None,
    histories: Histories,
    method: FitMethod,
    by: str | None,
    effort: SamplerSettings,
) -> TransactionFit | SpendFit:
    require_histories(histories)
    require_choice("method", method, get_args(FitMethod), FitError)
    require_choice("sampler", effort.sampler, get_args(Sampler), FitError)
    require_seed(effort.seed, FitError)
    if method not in ("mle", "map"):
        _require_effort(effort)
    by_likelihood = method == "mle" or (method == "laplace" and priors is None)
    if method == "mle" and priors is not None:
        raise FitError('method="mle" takes no priors; use method="map", "laplace" or "nuts"')
    if by is not None and set(priors or {}) & set(model.names):
        raise FitError(
            f"segments differ in quantities, so that by={by!r} needs priors of {', '.join(default_priors(model))}, "
            f"not of {', '.join(model.names)}"
        )
    priors = None if by_likelihood else required_priors(model, priors)
    fit, effect = _on_grid(model, priors, histories, method, by, effort)
    if effect:
        fit = replace(fit, diagnostics=fit.diagnostics.on_grid(effect))
    if fit.diagnostics.status != "converged":
        warnings.warn(f"{model.name}: {fit.diagnostics.message}", FitWarning, stacklevel=3)
    return fit


def _require_effort(effort: SamplerSettings) -> None:
    """Raise FitError unless there is something to draw: two draws, since one has no spread, of a tuned chain."""
    for name, least in (("draws", 2), ("tune", 1), ("chains", 1)):
        got = getattr(effort, name)
        if isinstance(got, bool) or not isinstance(got, Integral) or got < least:
            raise FitError(f"{name} is a whole number from {least} up, got {got!r}; leave it out for the default")


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


def _to_pymc(model: Model, priors: Priors | None, histories: Histories, by: str | None) -> pm.Model:
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
    covariance = _covariance(optimum)
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


def _given(model: Model, params: Mapping[str, float], unit: Unit | None) -> TransactionFit | SpendFit:
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


def _covariance(optimum: Optimum) -> Array:
    """Return the inverse of the Hessian; NaN where the likelihood is flat and says nothing."""
    values, vectors = np.linalg.eigh(optimum.hessian)
    if values[0] <= 0.0:
        return np.full_like(optimum.hessian, np.nan)
    return np.asarray((vectors / values) @ vectors.T)
